#!/usr/bin/env python3
"""The same binaries under every launcher: a check of messages and sums, a hello and the trainer, with 1, 2 and 4 ranks over
two hosts (namespaces), as a table. Each must be one world of that size: never several of one.

matrix_test.py MPIEXEC PROGRAM HELLO TRAINER [-- LAUNCHER...]
"""
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hosts  # noqa: E402
import slurm  # noqa: E402

MPIEXEC, PROGRAM, HELLO, TRAINER = hosts.programs()
NET = None
RANKS = (1, 2, 4)
ROOT_MAY = dict(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")


def run(line, **env):
    result = NET["n1"].run(line, timeout=120, env=dict(os.environ, **env))
    return result.code, result.out + result.err


def each(variables, places, program):
    """Processes that are started one by one, as pods or by a script."""
    processes = []
    for rank, place in enumerate(places):
        env = dict(os.environ, **variables(rank, len(places)))
        processes.append(NET[place].popen("exec timeout 120 " + program, env=env, stdout=subprocess.PIPE,
                                          stderr=subprocess.STDOUT))
    out = "".join(process.communicate()[0] for process in processes)
    return max(abs(process.returncode) for process in processes), out


def places(ranks):
    return ["n1"] if ranks == 1 else ["n1"] * (ranks // 2) + ["n2"] * (ranks // 2)


def listed(ranks):
    return "n1:1" if ranks == 1 else "n1:%d,n2:%d" % (ranks // 2, ranks // 2)


def nodes(ranks):
    return "-N %d -n %d --ntasks-per-node %d" % (min(ranks, 2), ranks, max(1, ranks // 2))


def hostfile(form):
    """mpi-operator's, and anybody's."""
    path = NET.work + "/hostfile"

    def start(ranks, program):
        with open(path, "w") as file:
            file.writelines(form % (word.split(":")[0], word.split(":")[1]) + "\n" for word in listed(ranks).split(","))
        return path
    return start


def by_operator(variable, form):
    def start(ranks, program):
        path = hostfile(form)(ranks, program)
        result = NET["work-0"].run("%s -n %d %s" % (MPIEXEC, ranks, program), timeout=120,
                                   env=dict(os.environ, **{variable: path}))
        return result.code, result.out + result.err
    return start


def by_torchrun(ranks, program):
    """The real one where it is installed, else the variables that it sets."""
    if not shutil.which("torchrun"):
        return each(lambda rank, size: dict(RANK=str(rank), WORLD_SIZE=str(size), LOCAL_RANK=str(rank % max(1, size // 2)),
                                            MASTER_ADDR="n1", MASTER_PORT="29500", TORCHELASTIC_RUN_ID="run",
                                            TORCHELASTIC_RESTART_COUNT="0"), places(ranks), program)
    agents = [NET[name].popen("exec timeout 120 torchrun --nnodes %d --nproc-per-node %d --rdzv-backend c10d "
                              "--rdzv-endpoint n1:29400 --no-python %s" % (min(ranks, 2), max(1, ranks // 2), program),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for name in sorted(set(places(ranks)))]
    out = "".join(agent.communicate()[0] for agent in agents)
    return max(abs(agent.returncode) for agent in agents), out


def by_kubernetes(ranks, program):
    return each(lambda rank, size: dict(JOB_COMPLETION_INDEX=str(rank), PEAL_SIZE=str(size)),
                ["work-%d" % i for i in range(ranks)], program)


def by_script(ranks, program):
    return each(lambda rank, size: dict(PEAL_RANK=str(rank), PEAL_SIZE=str(size), PEAL_ROOT="n1:24100"), places(ranks),
                program)


def with_srun(kind):
    return lambda ranks, program: run("srun --mpi=%s %s %s" % (kind, nodes(ranks), program))


LAUNCHERS = (
    ("mpiexec -host, by ssh", None,
     lambda ranks, program: run("%s -host %s -n %d %s" % (MPIEXEC, listed(ranks), ranks, program))),
    ("mpiexec -f", None,
     lambda ranks, program: run("%s -f %s -n %d %s" % (MPIEXEC, hostfile("%s slots=%s")(ranks, program), ranks, program))),
    ("mpiexec.hydra", "mpiexec.hydra",
     lambda ranks, program: run("mpiexec.hydra -hosts %s -n %d %s" % (listed(ranks), ranks, program))),
    ("mpirun of Open MPI", "mpirun.openmpi",
     lambda ranks, program: run("mpirun.openmpi --host %s -n %d %s" % (listed(ranks), ranks, program), **ROOT_MAY)),
    ("srun --mpi=pmi2", "srun", with_srun("pmi2")),
    ("srun --mpi=pmix", "srun" if slurm.has_pmix() else "Slurm's plugin for PMIx", with_srun("pmix")),
    ("srun --mpi=none", "srun", with_srun("none")),
    ("salloc, mpiexec by srun", "srun",
     lambda ranks, program: run("salloc -Q %s %s --ssh 'srun -u --overlap --mpi=none -N 1 -n 1 -w' -host %s -n %d %s" %
                                (nodes(ranks), MPIEXEC, listed(ranks), ranks, program))),
    ("torchrun" if shutil.which("torchrun") else "torchrun's variables", None, by_torchrun),
    ("Kubernetes indexed Job (variables)", None, by_kubernetes),
    ("mpi-operator, Open MPI's file", None, by_operator("OMPI_MCA_orte_default_hostfile", "%s slots=%s")),
    ("mpi-operator, MPICH's file", None, by_operator("HYDRA_HOST_FILE", "%s:%s")),
    ("PEAL_RANK, PEAL_SIZE, PEAL_ROOT", None, by_script),
)


def wrong(kind, ranks, code, out):
    """Why what a program said is not that of one world; None: it is."""
    if code:
        return "exit code %d" % code
    if kind == "trainer":
        return None if out.count("final:") == 1 else "%d final lines" % out.count("final:")
    pattern = r"rank (\d+) of (\d+) .*right" if kind == "check" else r"hello from rank (\d+) of (\d+)"
    found = sorted((int(a), int(b)) for a, b in re.findall(pattern, out, re.I))
    return None if found == [(rank, ranks) for rank in range(ranks)] else "ranks %s" % found


def row(name, start):
    failed, cells = [], []
    for kind, program in (("check", PROGRAM), ("hello", HELLO), ("trainer", TRAINER + " --epochs 1 --model mlp")):
        for ranks in RANKS:
            if program.startswith("none"):
                cells.append(" - ")
                continue
            code, out = start(ranks, program)
            why = wrong(kind, ranks, code, out)
            cells.append("ok " if not why else "NO ")
            if why:
                failed.append("%s: %s with %d ranks: %s\n%s" % (name, kind, ranks, why, out[-2000:]))
    return cells, failed


def main():
    global NET
    hosts.enter()
    wanted = sys.argv[sys.argv.index("--") + 1:] if "--" in sys.argv else []
    NET = hosts.Net(["n1", "n2"] + ["work-%d" % i for i in range(max(RANKS))])
    for number, name in enumerate(NET.hosts, 1):
        NET[name].wire(0, "10.9.0.%d/24" % number)
        NET.name(name, "10.9.0.%d" % number)
    for name in ("n1", "n2"):
        NET[name].serve_ssh()
    if not slurm.missing():
        slurm.start(NET)
    print("%-36s %-11s %-11s %-11s %s" % ("", "check", "hello", "trainer", ""))
    print("%-36s %s" % ("ranks", " 1   2   4  " * 3))
    problems = []
    for name, needs, start in LAUNCHERS:
        if wanted and not any(word in name for word in wanted):
            continue
        if needs and not shutil.which(needs):
            print("%-36s not here: %s" % (name, needs))
            continue
        begun = time.monotonic()
        cells, failed = row(name, start)
        print("%-36s %s %5.1f s" % (name, " ".join(cells), time.monotonic() - begun), flush=True)
        problems += failed
    for problem in problems:
        print("FAILED", problem)
    print("%d failed" % len(problems))
    sys.exit(1 if problems else 0)


main()
