#!/usr/bin/env python3
"""Under others' launchers, and without any: the same programs on two hosts (namespaces), started by
Hydra, Open MPI, what torchrun, Kubernetes and a script set, and mpi-operator's files.

launchers_test.py MPIEXEC PROGRAM HELLO TRAINER [-- TEST...]
"""
import os
import re
import shutil
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hosts  # noqa: E402

MPIEXEC, PROGRAM, HELLO, TRAINER = hosts.programs()
NET = None


def right(out, places):
    """`places`: the host of each rank."""
    lines = [line for line in out.splitlines() if line.startswith("rank ")]
    expected = ["rank %d of %d on %s with %d: right" % (i, len(places), name, places.count(name))
                for i, name in enumerate(places)]
    hosts.check(sorted(lines) == sorted(expected), out, "expected %s" % expected)


def each(places, variables, program=None, delays=None, code=0):
    """Starts a process for each rank, with variables(rank, place); what all said."""
    processes = []
    for rank, name in enumerate(places):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PMI", "RANK", "PEAL_"))}
        env.update(variables(rank))
        processes.append(NET[name].popen("sleep %g; exec timeout 60 %s" % ((delays or {}).get(rank, 0), program or PROGRAM),
                                         env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
    out, codes = "", []
    for process in processes:
        out += process.communicate(timeout=90)[0]
        codes.append(process.returncode)
    hosts.check(code is None or all(c == code for c in codes), out, "exit codes %s" % codes)
    return out


def every_place(variables):
    """Where the ranks are is looked at here; matrix_test.py starts other programs the same way."""
    for places in ("a", "ab", "aabb"):
        right(each(places, lambda rank: variables(rank, len(places))), places)


def own(rank, size, root="a:24100", **more):
    return dict(PEAL_RANK=str(rank), PEAL_SIZE=str(size), PEAL_ROOT=root, **more)


def torch(rank, size):
    return dict(RANK=str(rank), WORLD_SIZE=str(size), LOCAL_RANK="0", MASTER_ADDR="a", MASTER_PORT="29500",
                TORCHELASTIC_RUN_ID="run-1", TORCHELASTIC_RESTART_COUNT="0")


def test_own_names():
    every_place(own)
    # The others are there before rank 0.
    right(each("abb", lambda rank: own(rank, 3, "10.9.0.1:24100#a secret"), delays={0: 2}), "abb")


def test_recipe_of_a_script():
    processes = [NET[name].popen("exec env " + line, stdout=subprocess.PIPE)
                 for name, line in zip("ab", hosts.commands("script", MPIEXEC, PROGRAM))]
    right("".join(process.communicate(timeout=60)[0] for process in processes), "ab")


def test_recipes_of_hydra_and_open_mpi():
    for command in hosts.commands("others", MPIEXEC, PROGRAM):
        if shutil.which(command.split()[0]):
            # Open MPI wants to be told that root may run it.
            result = NET["a"].run(command, env=dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1"))
            hosts.check(result.code == 0, result, command)
            right(result.out, "aabb")


def test_torchrun():
    every_place(torch)
    # torchrun's own store keeps MASTER_PORT, and another job may sit where this one would meet.
    right(each("ab", lambda rank: torch(rank, 2)), "ab")


def test_two_jobs_at_once():
    outs = {}

    def job(number):
        outs[number] = each("ab", lambda rank: dict(torch(rank, 2), TORCHELASTIC_RUN_ID="run-%d" % number))
    threads = [threading.Thread(target=job, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for out in outs.values():
        right(out, "ab")
    hosts.check(len(outs) == 3, outs, "three jobs")


def test_kubernetes():
    """Pods of an indexed Job `work` with a headless service: each is called work-INDEX, the last comes late."""
    pods = ["work-0", "work-1", "work-2"]
    processes = []
    manifest = "\n".join(hosts.recipe("run: kubernetes"))
    set_there = dict(re.findall(r'name: (PEAL_\w+), value: "(\d+)"', manifest))
    hosts.check(set_there["PEAL_SIZE"] == re.search(r"completions: (\d+)", manifest).group(1) == str(len(pods)), manifest,
                "the recipe")
    for index, name in enumerate(pods):
        env = dict(os.environ, JOB_COMPLETION_INDEX=str(index), **set_there)
        processes.append(NET[name].popen("sleep %d; exec %s" % (2 if index == 0 else 0, PROGRAM), env=env,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
    out = "".join(process.communicate(timeout=60)[0] for process in processes)
    right(out, pods)
    # Without the size nothing is guessed.
    result = NET["work-1"].run(PROGRAM, env=dict(os.environ, JOB_COMPLETION_INDEX="1"))
    hosts.check(result.code != 0 and "set PEAL_SIZE to its completions" in result.err, result, "a pod without a size")


def test_never_alone():
    """What is half there is an error, and so is a rank that does not come."""
    for env, words in ((dict(PEAL_SIZE="2"), "PEAL_RANK is not"), (dict(PEAL_RANK="0"), "PEAL_SIZE=(unset)"),
                       (dict(PEAL_RANK="2", PEAL_SIZE="2"), "PEAL_RANK=2: a number from 0 to 1"),
                       (dict(PEAL_RANK="1", PEAL_SIZE="2"), "set PEAL_ROOT=host:port"),
                       (dict(PMI_FD="77", PMI_RANK="0", PMI_SIZE="2"), "PMI_FD=77 is not open"),
                       (dict(PMI_RANK="0", PMI_SIZE="2"), "PMI_FD is not there"),
                       (dict(OMPI_COMM_WORLD_RANK="0", OMPI_COMM_WORLD_SIZE="2"), "PMIX_RANK is not there"),
                       (dict(RANK="0", WORLD_SIZE="2"), "MASTER_ADDR is not there"),
                       (dict(SLURM_PROCID="1", SLURM_NTASKS="2"), "SLURM_STEP_NUM_TASKS is not there")):
        result = NET["a"].run(PROGRAM, env=dict(os.environ, **env))
        hosts.check(result.code != 0 and words in result.err and not result.out, result, "%s" % env)
    # Who may well be meant to be alone is told so.
    for env, words in ((dict(WORLD_SIZE="2"), "RANK is not there"), (dict(RANK="1"), "WORLD_SIZE is not there"),
                       (dict(SLURM_PROCID="0", SLURM_NTASKS="2"), "SLURM_STEP_NUM_TASKS is not there")):
        result = NET["a"].run(PROGRAM, env=dict(os.environ, **env))
        hosts.check(result.code == 0 and "this is a world of one rank, though" in result.err and words in result.err,
                    result, "%s" % env)
        result = NET["a"].run(PROGRAM, env=dict(os.environ, PEAL_RANK="0", PEAL_SIZE="1", **env))
        hosts.check(result.code == 0 and not result.err, result, "alone on purpose, %s" % env)
    fast = dict(PEAL_TIMEOUT="0.4")
    result = NET["a"].run(PROGRAM, env=dict(os.environ, **own(0, 3, **fast)))
    hosts.check(result.code != 0 and "ranks 1, 2 of 3 did not come" in result.err, result, "nobody comes")
    result = NET["b"].run(PROGRAM, env=dict(os.environ, **own(1, 2, **fast)))
    hosts.check(result.code != 0 and "did not find rank 0 at a, port 24100" in result.err, result, "no rank 0")
    out = each("ab", lambda rank: own(rank, 2, "a:24100#secret %d" % rank, **fast), code=None)
    hosts.check("the secrets" in out and "right" not in out, out, "two secrets")
    out = each("aa", lambda rank: own(rank, 2 + rank, **fast), code=None)
    hosts.check("its job has another size" in out and "right" not in out, out, "two sizes")


def test_strangers_at_the_meeting():
    """Who connects and says nothing, or nonsense, or half a hello, holds nobody up."""
    strangers = NET["b"].popen(
        "exec python3 -c \"import socket,time\n"
        "s=[]\n"
        "for i in range(200):\n"
        "  try:\n"
        "    c=socket.create_connection(('a',24100),1); s.append(c)\n"
        "    c.send([b'',b'GET / HTTP/1.0\\\\r\\\\n\\\\r\\\\n'*9,b'PEALMEET',b'PEALMEET'+bytes(104)][len(s)%4])\n"
        "  except OSError: pass\n"
        "  time.sleep(0.02)\"")
    right(each("abb", lambda rank: own(rank, 3), delays={1: 2, 2: 1}), "abb")
    strangers.kill()
    strangers.wait()


def test_hydra():
    if not shutil.which("mpiexec.hydra"):
        print("        there is no mpiexec.hydra here (Debian: mpich)")
        return
    for places, arguments in (("a", "-n 1 -hosts a"), ("ab", "-n 2 -hosts a,b"), ("aabb", "-n 4 -ppn 2 -hosts a,b")):
        result = NET["a"].run("mpiexec.hydra %s %s" % (arguments, PROGRAM))
        hosts.check(result.code == 0, result, "Hydra")
        right(result.out, places)


def test_open_mpi():
    if not shutil.which("mpirun.openmpi"):
        print("        there is no mpirun.openmpi here (Debian: openmpi-bin)")
        return
    for places, arguments in (("a", "-n 1 -host a"), ("ab", "-n 2 -host a,b"), ("aabb", "-n 4 -host a:2,b:2")):
        result = NET["a"].run("mpirun.openmpi --allow-run-as-root %s %s" % (arguments, PROGRAM))
        hosts.check(result.code == 0, result, "Open MPI's mpirun")
        right(result.out, places)


def test_mpi_operator():
    """The launcher pod of mpi-operator has no ranks itself; a file names the workers, and a variable the file."""
    for variable, text in (("OMPI_MCA_orte_default_hostfile", "a slots=2\nb slots=2\n"), ("HYDRA_HOST_FILE", "a:2\nb:2\n")):
        open(NET.work + "/hostfile", "w").write(text)
        env = dict(os.environ, **{variable: NET.work + "/hostfile"})
        for places, arguments in (("a", "-n 1"), ("aa", "-n 2"), ("aabb", "-np 4"), ("aabb", "")):
            result = NET["work-0"].run("%s %s %s" % (MPIEXEC, arguments, PROGRAM), env=env)
            hosts.check(result.code == 0, result, "mpi-operator's " + variable)
            right(result.out, places)


def main():
    global NET
    hosts.enter()
    NET = hosts.Net(["a", "b", "work-0", "work-1", "work-2"])
    for number, name in enumerate(NET.hosts, 1):
        NET[name].wire(0, "10.9.0.%d/24" % number)
        NET.name(name, "10.9.0.%d" % number)
    for name in "ab":
        NET[name].serve_ssh()
    hosts.main([value for name, value in globals().items() if name.startswith("test_")])


main()
