#!/usr/bin/env python3
"""mpiexec on several hosts, by ssh: four hosts as namespaces, each with its own sshd.

ssh_test.py MPIEXEC PROGRAM HELLO TRAINER [-- TEST...]
"""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hosts  # noqa: E402

MPIEXEC, PROGRAM, HELLO, TRAINER = hosts.programs()
NET = None


def mpiexec(arguments, **options):
    return NET["a"].run("%s %s" % (MPIEXEC, arguments), **options)


def good(result):
    hosts.check(result.code == 0 and "WRONG" not in result.out, result, "should have succeeded")
    hosts.check(result.err == "", result, "should have said nothing on standard error")
    return result.out.splitlines()


def bad(result, code, *words, within=20):
    hosts.check(result.code == code, result, "exit code %d was expected" % code)
    for word in words:
        hosts.check(word in result.err, result, "'%s' is not said" % word)
    hosts.check(result.seconds < within, result, "took longer than %d s" % within)
    left = NET.left(PROGRAM)
    hosts.check(not left, result, "processes are left on " + ", ".join(left))


def on_hosts(lines, expected):
    """The "rank R of N on HOST with L" lines, against {rank: host}."""
    found = {}
    for line in lines:
        words = line.split()
        found[int(words[1])] = words[5]
        hosts.check(int(words[7].rstrip(":")) == list(expected.values()).count(words[5]), line, "ranks of the host")
    hosts.check(found == dict(enumerate(expected.values())), lines, "expected %s" % expected)


def place(*names):
    return dict(enumerate(names))


def test_programs_of_1_2_4_ranks():
    for ranks, names in ((1, "b"), (2, "ab"), (4, "abab")):
        on_hosts(good(mpiexec("-hosts a,b -n %d %s" % (ranks, PROGRAM)) if ranks > 1 else
                      mpiexec("-hosts b -n 1 " + PROGRAM)), place(*names))
    lines = good(mpiexec("-hosts a,b -n 4 " + HELLO))
    hosts.check(sorted(lines) == ["hello from rank %d of 4 on %s" % (i, "abab"[i]) for i in range(4)] or
                sum(line.startswith("hello") for line in lines) == 4, lines, "four greetings")


def test_trainer():
    if TRAINER == "none":
        return
    result = mpiexec("-hosts a,b -n 2 %s --epochs 1" % TRAINER, timeout=120)
    hosts.check(result.code == 0 and "final:" in result.out, result, "the trainer")


def test_placing():
    with open(NET.work + "/list", "w") as file:
        file.write("# hosts\na slots=2\n\nb:1   # one\nc slots=1 max_slots=4\n")
    on_hosts(good(mpiexec("-host a:2,b:2 -n 4 " + PROGRAM)), place(*"aabb"))
    on_hosts(good(mpiexec("-host a:2,b:2 -n 4 --map-by node " + PROGRAM)), place(*"abab"))
    on_hosts(good(mpiexec("-hosts a,b -ppn 2 -n 4 " + PROGRAM)), place(*"aabb"))
    on_hosts(good(mpiexec("-f %s/list %s" % (NET.work, PROGRAM))), place(*"aabc"))
    on_hosts(good(mpiexec("--hostfile %s/list -np 5 --oversubscribe --allow-run-as-root %s" % (NET.work, PROGRAM))),
             place(*"aabca"))
    on_hosts(good(mpiexec("-host c -n 1 %s : -host b:2 -n 2 %s" % (PROGRAM, PROGRAM))), place(*"cbb"))


def test_recipes():
    open(NET.work + "/hosts-of-the-recipe", "w").write("\n".join(hosts.recipe("file: hosts")) + "\n")
    for command in hosts.commands("ssh", MPIEXEC, PROGRAM):
        lines = good(NET["a"].run(command.replace("-f hosts", "-f %s/hosts-of-the-recipe" % NET.work)))
        on_hosts(lines, place(*("aabb" if "2" in command.replace(MPIEXEC, "").split("-n 4")[0] or "-f" in command else "abab")))


def test_variables_and_directories():
    lines = good(mpiexec("-hosts b,c -n 2 -wdir / -genv ONE 1 -x TWO=2 -env THREE '3 3' %s names ONE TWO THREE PWD "
                         "OMPI_COMM_WORLD_RANK OMPI_COMM_WORLD_LOCAL_RANK MPI_LOCALNRANKS WORLD_SIZE LOCAL_RANK FROM_A "
                         "HOSTNAME" % PROGRAM,
                         env=dict(os.environ, FROM_A="kept", HOSTNAME="a")))
    for line in ("rank 1: ONE=1", "rank 1: TWO=2", "rank 1: THREE=3 3", "rank 1: OMPI_COMM_WORLD_RANK=1",
                 "rank 1: OMPI_COMM_WORLD_LOCAL_RANK=0", "rank 0: MPI_LOCALNRANKS=1", "rank 0: WORLD_SIZE=2",
                 "rank 1: LOCAL_RANK=0", "rank 1: FROM_A=kept"):
        hosts.check(line in lines, lines, line + " is missing")
    hosts.check("rank 1: HOSTNAME=a" not in lines, lines, "the name of another host was handed on")
    out = good(mpiexec("-host b -n 1 -wdir / pwd"))
    hosts.check(out == ["/"], out, "-wdir")


def test_output_and_input():
    lines = good(mpiexec("-l -hosts a,b,c -n 3 %s lines 2000" % PROGRAM))
    for rank in range(3):
        whole = "[%d] %s" % (rank, "abc"[rank] * 1000)
        hosts.check(lines.count(whole) == 2000, len(lines), "lines of rank %d" % rank)
    text = "".join("line %d\n" % i for i in range(20000))
    for name in "ab":
        result = mpiexec("-host %s -n 2 %s copy" % (name, PROGRAM), stdin=text)
        hosts.check(result.code == 0 and result.out == text, result.code, "standard input to rank 0 on " + name)
    # Who reads slowly must neither lose a byte nor stop the job from ending.
    result = NET["a"].run("%s -hosts a,b -n 2 %s lines 3000 | (sleep 1; wc -l)" % (MPIEXEC, PROGRAM))
    hosts.check(result.out.split() == ["6000"], result, "a slow reader")


def test_tree():
    lines = good(mpiexec("--fan-out 1 -hosts b,c,d,a -n 8 " + PROGRAM))
    on_hosts(lines, place(*"bcdabcda"))
    result = mpiexec("--fan-out 1 -hosts b,c,d -n 3 %s die 2 9" % PROGRAM)
    bad(result, 137, "rank 2 (pid ", "on d was killed by signal 9 (Killed); ending the job")
    bad(mpiexec("--fan-out 1 -hosts b,nowhere,c -n 3 " + PROGRAM, env=dict(os.environ, PEAL_TIMEOUT="2")), 255,
        "host nowhere (and c behind it) cannot be reached:", "nothing was started")


def test_a_rank_dies():
    bad(mpiexec("-hosts a,b -n 4 %s die 1 10" % PROGRAM), 138, "rank 1 (pid ", "on b was killed by signal 10")
    bad(mpiexec("-hosts a,b -n 2 sh -c 'exit 3'"), 3, "exited with code 3")
    bad(mpiexec("-hosts a,c -n 2 %s die 1 9" % PROGRAM), 137, " s  was killed by signal 9 (Killed)")
    bad(mpiexec("-hosts b,c -n 2 --timeout 2 %s wait" % PROGRAM), 124, "longer than 2 seconds")


def test_wrong_hosts():
    env = dict(os.environ, PEAL_TIMEOUT="2")
    bad(mpiexec("-hosts a,nowhere -n 2 " + PROGRAM, env=env), 255, "host nowhere cannot be reached:", "resolve",
        "nothing was started", within=8)
    # An address where nobody is: no answer at all.
    bad(mpiexec("-hosts a,10.9.0.99 -n 2 " + PROGRAM, env=env), 255, "host 10.9.0.99 cannot be reached:", within=8)
    bad(mpiexec("-hosts a,silent -n 2 " + PROGRAM, env=env), 255, "host silent cannot be reached:", within=8)
    bad(mpiexec("-host '' -n 2 true"), 2, "-host: the value is empty")
    bad(mpiexec("-host a:x -n 2 true"), 2, "-host: 'a:x' is not a host")
    bad(mpiexec("-f /nowhere -n 2 true"), 2, "the file of hosts /nowhere: No such file")


def test_refused_key():
    NET["a"].do("mkdir -p %s/other && cp -r /etc/ssh/. %s/other/ && ssh-keygen -q -t ed25519 -N '' -f %s/other/new" %
                ((NET.work,) * 3))
    ssh = "ssh -o IdentityFile=%s/other/new -F none -o UserKnownHostsFile=/etc/ssh/known -o BatchMode=yes" % NET.work
    bad(mpiexec("--ssh '%s' -hosts a,b -n 2 %s" % (ssh, PROGRAM)), 255, "host b cannot be reached:",
        "Permission denied", within=8)


def test_nonsense_on_the_channel():
    """An agent that hears nonsense ends; a mpiexec to which something else answers says so."""
    for bytes_of in ("/dev/urandom", "/dev/zero"):
        result = NET["b"].run("head -c 300000 %s | timeout 10 %s --agent >/dev/null" % (bytes_of, MPIEXEC))
        hosts.check(result.code not in (0, 124, 134, 139), result, "an agent that hears nonsense")
    result = NET["b"].run("timeout 10 %s --agent </dev/null >/dev/null" % MPIEXEC)
    hosts.check(result.code == 1, result, "an agent that hears nothing")
    script = NET.work + "/not-ssh"
    open(script, "w").write("#!/bin/sh\necho hello from the login shell; head -c 100000 /dev/zero; sleep 20\n")
    os.chmod(script, 0o755)
    bad(mpiexec("--ssh %s -hosts b -n 1 true" % script), 255, "host b cannot be reached: what answers there is no agent")
    open(script, "w").write("#!/bin/sh\nprintf '\\npeal-agent-of-version 99\\n'; sleep 20\n")
    bad(mpiexec("--ssh %s -hosts b -n 1 true" % script), 255, "there is Peal 99, and here is")
    # A greeting of the login shell before the agent's first line is passed over.
    open(script, "w").write("#!/bin/sh\necho Welcome; echo Maintenance at noon; shift; exec \"$@\"\n")
    good(mpiexec("--ssh %s -hosts elsewhere -n 2 %s" % (script, PROGRAM)))


def test_late_host():
    late = NET["late"]
    process = NET["a"].popen("%s -hosts a,late -n 2 %s" % (MPIEXEC, PROGRAM), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    time.sleep(1.5)
    late.serve_ssh()
    out, err = process.communicate(timeout=40)
    hosts.check(process.returncode == 0 and out.count("right") == 2 and not err, out + err, "a host that answers late")


def test_missing_program():
    only = NET["a"].private + "/only-on-a"
    NET["a"].do("cp %s %s" % (HELLO, only))
    bad(mpiexec("-hosts a,b -n 2 " + only), 127, "host b: cannot run '%s': No such file" % only)
    bad(mpiexec("-hosts a,b -n 2 no-such-program"), 127, "cannot run 'no-such-program'")
    NET["a"].do("mkdir -p %s/there" % NET["a"].private)
    result = NET["a"].run("cd %s/there && %s -hosts a,b -n 2 true" % (NET["a"].private, MPIEXEC))
    bad(result, 1, "host b: the directory '%s/there', where mpiexec runs, is not here" % NET["a"].private)
    # Peal itself is missing there.
    NET["a"].do("cp %s %s/mpiexec" % (MPIEXEC, NET["a"].private))
    result = NET["a"].run("%s/mpiexec -hosts a,b -n 2 true" % NET["a"].private)
    bad(result, 255, "host b cannot be reached: there is no %s/mpiexec" % NET["a"].private)


def waiting_job(names, ranks, env=None):
    process = NET["a"].popen("exec %s -hosts %s -n %d %s wait" % (MPIEXEC, names, ranks, PROGRAM),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    for _ in range(ranks):
        process.stdout.readline()
    return process, time.monotonic()


def ended(process, start):
    out, err = process.communicate(timeout=50)
    return hosts.Result(process.returncode, out, err, time.monotonic() - start)


def test_host_dies():
    process, start = waiting_job("a,dying,b", 3)
    NET["dying"].kill()
    bad(ended(process, start), 255, "host dying is lost:", "ending the job", within=12)


def test_host_falls_silent():
    env = dict(os.environ, PEAL_TIMEOUT="2")
    process, start = waiting_job("a,mute", 2, env)
    NET["mute"].cut()
    result = ended(process, start)
    bad(result, 255, "host mute is lost:", within=12)
    hosts.check("rank" not in result.err.split("\n")[0], result, "the host is the cause")


def test_mpiexec_is_killed():
    process, start = waiting_job("a,b,c", 3)
    children = NET["a"].do("pgrep -x mpiexec; true").split()
    hosts.check(children, children, "mpiexec is not found")
    NET["a"].do("kill -9 " + " ".join(children))
    process.communicate(timeout=20)
    left = NET.left(PROGRAM, 10)
    hosts.check(not left, left, "ranks are left when mpiexec was killed")
    left = NET.left("--agent", 10)
    hosts.check(not left, left, "agents are left when mpiexec was killed")


def test_interrupt():
    process, start = waiting_job("a,b", 2)
    NET["a"].do("pkill -INT -x mpiexec")
    bad(ended(process, start), 130, "signal 2 (Interrupt) passed on", within=12)


def test_nothing_listens():
    """Only ssh's own port is open to the net, while a job waits; and the key is on no command line."""
    process, start = waiting_job("a,b", 2)
    for name in "ab":
        ports = NET[name].do("ss -Hltnp")
        hosts.check("mpiexec" not in ports, ports, "mpiexec listens on " + name)
    NET["a"].do("pkill -TERM -x mpiexec")
    ended(process, start)


def main():
    global NET
    hosts.enter()
    NET = hosts.Net(["a", "b", "c", "d", "late", "silent", "dying", "mute"])
    for number, name in enumerate(NET.hosts, 1):
        NET[name].wire(0, "10.9.0.%d/24" % number)
        NET.name(name, "10.9.0.%d" % number)
        if name not in ("late", "silent"):
            NET[name].serve_ssh()
    NET["silent"].cut()
    hosts.main([value for name, value in globals().items() if name.startswith("test_")])


main()
