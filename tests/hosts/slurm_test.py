#!/usr/bin/env python3
"""Under Slurm: a controller and two nodes, each a host of its own, in namespaces.

slurm_test.py MPIEXEC PROGRAM HELLO TRAINER [-- TEST...]
"""
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hosts  # noqa: E402

MPIEXEC, PROGRAM, HELLO, TRAINER = hosts.programs()
NET = None
PLUGINS = "/usr/lib/x86_64-linux-gnu/slurm-wlm"

CONFIG = """
ClusterName=emulated
SlurmctldHost=n1
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
StateSaveLocation={private}/state
SlurmdSpoolDir={private}/spool
SlurmctldPidFile={private}/slurmctld.pid
SlurmdPidFile={private}/slurmd.pid
SlurmctldLogFile={work}/slurmctld.log
SlurmdLogFile={work}/slurmd-%n.log
TmpFS={private}/tmp
InactiveLimit=0
KillWait=2
MessageTimeout=30
NodeName=n1 CPUs=16 State=UNKNOWN
NodeName=n2 CPUs=16 State=UNKNOWN
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


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


def every_program(kind):
    for nodes, ranks in ((1, 1), (2, 2), (2, 4)):
        right(srun("--mpi=%s -N %d -n %d --ntasks-per-node %d %s" % (kind, nodes, ranks, ranks // nodes, PROGRAM)), ranks, ranks // nodes)
    result = srun("--mpi=%s -N 2 -n 4 --ntasks-per-node 2 %s" % (kind, HELLO))
    hosts.check(result.code == 0 and result.out.count(" of 4 on n") == 4, result, "four greetings")
    if TRAINER != "none":
        result = srun("--mpi=%s -N 2 -n 2 %s --epochs 1" % (kind, TRAINER), timeout=120)
        hosts.check(result.code == 0 and "final:" in result.out, result, "the trainer")


def test_pmi2():
    every_program("pmi2")


def test_pmix():
    if not os.path.exists(PLUGINS + "/mpi_pmix.so"):
        print("        this Slurm has no plugin for PMIx")
        return
    every_program("pmix")


def test_plain():
    every_program("none")
    # Two steps at once on the same nodes must not meet each other.
    steps = "for i in 1 2 3; do srun --overlap --mpi=none -N 2 -n 2 %s & done; wait" % PROGRAM
    result = NET["n1"].run("salloc -Q -N 2 -n 4 --ntasks-per-node 2 sh -c '%s'" % steps)
    hosts.check(result.code == 0 and result.out.count("of 2 on n1 with 1: right") == 3, result, "three worlds of two")


def test_recipes():
    for command in hosts.commands("slurm", MPIEXEC, PROGRAM):
        if "pmix" not in command or os.path.exists(PLUGINS + "/mpi_pmix.so"):
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


def start_slurm():
    config = NET.work + "/slurm.conf"
    open(config, "w").write(CONFIG.format(work=NET.work, private=NET["n1"].private))
    os.environ["SLURM_CONF"] = config
    for name in ("n1", "n2"):
        NET[name].do("mkdir -p {0}/state {0}/spool {0}/tmp".format(NET[name].private))
    log = open(NET.work + "/daemons.log", "w")
    for name, command in (("n1", "slurmctld -D"), ("n1", "slurmd -D -N n1"), ("n2", "slurmd -D -N n2")):
        NET[name].popen("exec " + command, stdout=log, stderr=log)
    deadline = time.monotonic() + 60
    while True:
        states = NET["n1"].run("sinfo -h -N -o '%N %t'").out.split("\n")
        if states[:2] == ["n1 idle", "n2 idle"]:
            return
        if time.monotonic() > deadline:
            raise RuntimeError("the nodes do not come up: %s %s" % (states, open(NET.work + "/daemons.log").read()[-2000:]))
        time.sleep(0.2)


def main():
    global NET
    for program in ("slurmctld", "slurmd", "srun"):
        if not shutil.which(program):
            hosts.skip("there is no %s here (Debian: slurm-wlm)" % program)
    hosts.enter()
    NET = hosts.Net(["n1", "n2"], ssh=False)
    for number, name in enumerate(NET.hosts, 1):
        NET[name].wire(0, "10.9.0.%d/24" % number)
        NET.name(name, "10.9.0.%d" % number)
    start_slurm()
    hosts.main([value for name, value in globals().items() if name.startswith("test_")])


main()
