#!/usr/bin/env python3
"""Under Slurm: a controller and two nodes, each a host of its own, in namespaces.

slurm_test.py MPIEXEC PROGRAM HELLO TRAINER [-- TEST...]
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hosts  # noqa: E402
import slurm  # noqa: E402

MPIEXEC, PROGRAM, HELLO, TRAINER = hosts.programs()
NET = None


def srun(arguments, **options):
    options.setdefault("timeout", 60)
    return NET["n1"].run("srun " + arguments, **options)


def right(result, ranks, per_host):
    """Every rank is there, knows the size, and how many share its host."""
    lines = [line for line in result.out.splitlines() if line.startswith("rank ")]
    expected = ["rank %d of %d on %s with %d: right" % (i, ranks, "n1" if i < per_host else "n2", min(per_host, ranks))
                for i in range(ranks)]
    hosts.check(result.code == 0 and sorted(lines) == sorted(expected), result, "expected %s" % expected)
    hosts.check("error" not in result.err, result, "an error is told of")


def every_place(kind):
    """Where the ranks are is looked at here; matrix_test.py starts other programs the same way."""
    for nodes, ranks in ((1, 1), (2, 2), (2, 4)):
        right(srun("--mpi=%s -N %d -n %d --ntasks-per-node %d %s" % (kind, nodes, ranks, ranks // nodes, PROGRAM)), ranks, ranks // nodes)


def test_pmi2():
    every_place("pmi2")


def test_pmix():
    if not slurm.has_pmix():
        print("        this Slurm has no plugin for PMIx")
        return
    every_place("pmix")


def test_plain():
    every_place("none")
    # Two steps at once on the same nodes must not meet each other.
    steps = "for i in 1 2 3; do srun --overlap --mpi=none -N 2 -n 2 %s & done; wait" % PROGRAM
    result = NET["n1"].run("salloc -Q -N 2 -n 4 --ntasks-per-node 2 sh -c '%s'" % steps)
    hosts.check(result.code == 0 and result.out.count("of 2 on n1 with 1: right") == 3, result, "three worlds of two")


def test_recipes():
    for command in hosts.commands("slurm", MPIEXEC, PROGRAM):
        if "pmix" not in command or slurm.has_pmix():
            result = NET["n1"].run(command)
            right(result, 4, 2)


def test_cyclic():
    result = srun("--mpi=none -m cyclic -N 2 -n 4 --ntasks-per-node 2 " + PROGRAM)
    hosts.check(result.code == 0 and "rank 1 of 4 on n2 with 2: right" in result.out, result, "cyclic placing")


def test_inside_an_allocation():
    """A program of its own in an allocation or a batch script is one world of one."""
    result = NET["n1"].run("salloc -Q -N 2 -n 4 --ntasks-per-node 2 " + PROGRAM)
    hosts.check(result.code == 0 and result.out == "rank 0 of 1 on n1 with 1: right\n", result, "a world of one")
    NET["n1"].do("printf '#!/bin/sh\\n%s\\n' >%s/batch; chmod +x %s/batch" % (PROGRAM, NET.work, NET.work))
    result = NET["n1"].run("cd %s && sbatch -W -Q -N 2 -n 4 --ntasks-per-node 2 -o %s/out batch; cat %s/out" % ((NET.work,) * 3))
    hosts.check("rank 0 of 1 on n1" in result.out, result, "a world of one in a batch script")


def test_a_rank_dies():
    for kind in ("pmi2", "none"):
        result = srun("--mpi=%s -K -N 2 -n 2 %s die 1 9" % (kind, PROGRAM), env=dict(os.environ, PEAL_TIMEOUT="3"))
        hosts.check(result.code != 0 and result.seconds < 30, result, "a death must end the step")
    left = NET.left(PROGRAM, 10)
    hosts.check(not left, left, "ranks are left")


def main():
    global NET
    if slurm.missing():
        hosts.skip("there is no %s here (Debian: slurm-wlm)" % slurm.missing())
    hosts.enter()
    NET = hosts.Net(["n1", "n2"], ssh=False)
    for number, name in enumerate(NET.hosts, 1):
        NET[name].wire(0, "10.9.0.%d/24" % number)
        NET.name(name, "10.9.0.%d" % number)
    slurm.start(NET)
    hosts.main([value for name, value in globals().items() if name.startswith("test_")])


main()
