#!/usr/bin/env python3
"""The wire of a host is cut while its rank is needed: nothing comes any more, not even a reset. The survivors'
call ends with MPIX_ERR_PROC_FAILED within PEAL_TIMEOUT, and they go on without it.

link_test.py MPIEXEC PROGRAM HELLO TRAINER [-- TEST...]
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hosts  # noqa: E402

MPIEXEC, PROGRAM, HELLO, TRAINER = hosts.programs()
NET = None
TIMEOUT = 3
SLACK = 12  # for a busy machine: a hang, or the system's own quarter of an hour, would be far more


def survivors_of(ranks, cut):
    """Starts one rank a host without a launcher, cuts a wire, and returns what the others say."""
    started = [NET[name].popen("PEAL_TIMEOUT=%d PEAL_RANK=%d PEAL_SIZE=%d PEAL_ROOT=10.9.0.1:24200 exec timeout 60 %s "
                               "survive 2>&1" % (TIMEOUT, rank, len(ranks), PROGRAM), stdout=subprocess.PIPE)
               for rank, name in enumerate(ranks)]
    lines = [process.stdout.readline() for process in started]
    hosts.check(all("waits" in line for line in lines), lines, "the start")
    NET[cut].cut()
    try:
        return [(rank, process.communicate()[0], process.returncode)
                for rank, (name, process) in enumerate(zip(ranks, started)) if name != cut]
    finally:
        started[ranks.index(cut)].kill()
        NET[cut].mend()


def check(told, ranks, lost):
    for rank, out, code in told:
        found = re.search(r"rank %d: class PROC_FAILED after ([0-9.]+) s: (.*)" % rank, out)
        hosts.check(found and "rank %d" % lost in found.group(2), out, "the error does not name rank %d" % lost)
        hosts.check(float(found.group(1)) < TIMEOUT + SLACK, out, "too late")
        hosts.check(code == 0 and "goes on as one of %d: 0" % (ranks - 1) in out, out, "the survivors do not go on")


def test_last_rank():
    check(survivors_of(["a", "b", "c"], "c"), 3, 2)


def test_middle_rank():
    check(survivors_of(["a", "b", "c"], "b"), 3, 1)


def test_under_mpiexec():
    env = dict(os.environ, PEAL_TIMEOUT=str(TIMEOUT))
    process = subprocess.Popen(NET["a"].enter() + ["timeout", "60", MPIEXEC, "--continue", "-hosts", "a,b,c", "-n", "3", PROGRAM,
                                                   "survive"],
                               env=env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = [process.stdout.readline() for _ in range(3)]
    hosts.check(all("waits" in line for line in lines), lines, "the start")
    NET["c"].cut()
    try:
        out, err = process.communicate()
    finally:
        NET["c"].mend()
    check([(rank, out, 0) for rank in range(2)], 3, 2)
    hosts.check("host c is lost" in err or "rank 2" in err, err, "mpiexec does not tell")


def main():
    global NET
    hosts.enter()
    NET = hosts.Net(["a", "b", "c"])
    for number, name in enumerate("abc", 1):
        NET[name].wire(0, "10.9.0.%d/24" % number)
        NET.name(name, "10.9.0.%d" % number)
        NET[name].serve_ssh()
    hosts.main([value for name, value in globals().items() if name.startswith("test_")])


main()
