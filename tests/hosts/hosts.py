"""Hosts for tests: each a set of namespaces (network, mounts, processes, name) with a
wire to a common switch, on this machine.

    outer namespace:   switch0 ====  (one bridge for each net)
                        |    |    |
    hosts:              a    b    c         each with /tmp-like and /dev/shm of its own

All of it lives below one process that is the first of a namespace of processes: when
the test ends, however it ends, the kernel ends everything. Nothing outside is touched.

A host that is killed loses all its processes at once. A host whose wire is cut says nothing
any more, and does not know it.
"""
import os
import shutil
import signal
import subprocess
import sys
import time

SKIP = 77
SSHD = "/usr/sbin/sshd"


def skip(why):
    print("skipped: " + why)
    sys.exit(SKIP)


def enter():
    """Returns inside of the outer namespaces; the test is run a second time there."""
    if os.environ.get("PEAL_HOSTS_INSIDE"):
        del os.environ["PEAL_HOSTS_INSIDE"]
        return
    if os.geteuid() != 0:
        skip("only root can make network namespaces")
    for tool in ("ip", "unshare", "nsenter", "mount"):
        if not shutil.which(tool):
            skip("there is no " + tool + " here (Debian: iproute2, util-linux)")
    spaces = ["unshare", "-m", "-n", "-p", "-i", "-u", "--fork", "--kill-child", "--mount-proc"]
    trial = "ip link add t0 type bridge && ip link add t1 type veth peer name t2 && mount -t tmpfs none /mnt"
    tried = subprocess.run(spaces + ["sh", "-c", trial], capture_output=True, text=True)
    if tried.returncode:
        skip("no namespaces can be made here: " + (tried.stderr.strip().splitlines() or ["no reason given"])[-1])
    os.environ["PEAL_HOSTS_INSIDE"] = "1"
    os.execvp("unshare", spaces + [sys.executable] + sys.argv)


def programs():
    """The paths on the command line: MPIEXEC PROGRAM HELLO TRAINER ("none": there is none)."""
    return [path if path == "none" else os.path.abspath(path) for path in sys.argv[1:5]]


def sh(command):
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError("%s: %s" % (command, done.stderr.strip()))
    return done.stdout


class Result:
    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    def __str__(self):
        return "exit code %d after %.1f s\n--- stdout\n%s--- stderr\n%s---" % (self.code, self.seconds, self.out,
                                                                               self.err)


class Host:
    """One host. `pid` is its first process, as seen from here."""

    def __init__(self, net, name):
        self.net, self.name = net, name
        self.init = subprocess.Popen(
            ["unshare", "-m", "-n", "-u", "-i", "-p", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
             "while :; do sleep 1000 & wait $!; done"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            children = open("/proc/%d/task/%d/children" % (self.init.pid, self.init.pid)).read().split()
            if children and os.readlink("/proc/%s/ns/net" % children[0]) != os.readlink("/proc/self/ns/net"):
                break
            if time.monotonic() > deadline:
                raise RuntimeError("the namespaces of %s do not come to be" % name)
            time.sleep(0.01)
        self.pid = int(children[0])
        self.wires = []
        self.do("hostname " + name)
        self.do("ip link set lo up")
        for folder in ("private", "run"):
            os.makedirs(os.path.join(net.work, folder), exist_ok=True)
        self.private = os.path.join(net.work, "private")
        self.do("mount -t tmpfs none %s && mount -t tmpfs none /dev/shm && mount -t tmpfs none /run && "
                "mkdir -p /run/sshd && mount --bind %s/hosts /etc/hosts" % (self.private, net.work))
        if net.has_ssh:
            self.do("mount --bind %s/ssh /etc/ssh && mount --bind %s/shadow /etc/shadow" % (net.work, net.work))

    def enter(self):
        return ["nsenter", "-t", str(self.pid), "-m", "-n", "-u", "-i", "-p"]

    def popen(self, command, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(self.enter() + ["sh", "-c", command], text=True, **options)

    def do(self, command):
        done = subprocess.run(self.enter() + ["sh", "-c", command], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL)
        if done.returncode:
            raise RuntimeError("on %s: %s: %s" % (self.name, command, done.stderr.strip() or done.stdout.strip()))
        return done.stdout

    def run(self, command, timeout=60, stdin=None, env=None):
        """What a command on this host says; `timeout` only ends what hangs."""
        start = time.monotonic()
        done = subprocess.run(self.enter() + ["timeout", "-k", "5", str(timeout), "sh", "-c", command],
                              capture_output=True, text=True, input=stdin, env=env,
                              stdin=subprocess.DEVNULL if stdin is None else None)
        return Result(done.returncode, done.stdout, done.stderr, time.monotonic() - start)

    def wire(self, net_number, *addresses, name=None):
        """A network card on the switch of this number, with these addresses ("10.0.0.1/24")."""
        inner = name or "eth%d" % len(self.wires)
        outer = "w%s%d" % (self.name[:8], len(self.wires))
        self.net.switch(net_number)
        sh("ip link add %s type veth peer name %s netns %d" % (outer, inner, self.pid))
        sh("ip link set %s master switch%d up" % (outer, net_number))
        self.do("ip link set %s up" % inner)
        for address in addresses:
            self.do("ip addr add %s dev %s%s" % (address, inner, " nodad" if ":" in address else ""))
        self.wires.append(outer)

    def cut(self, number=0):
        sh("ip link set %s down" % self.wires[number])

    def mend(self, number=0):
        sh("ip link set %s up" % self.wires[number])

    def serve_ssh(self):
        # Its standard error must not be ours: what waits for the end of ours would wait for it.
        log = open(os.path.join(self.net.work, "sshd-%s.log" % self.name), "a")
        subprocess.Popen(self.enter() + [SSHD, "-D", "-e", "-f", self.net.work + "/ssh/sshd_config"],
                         stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while ":0016 " not in self.do("cat /proc/net/tcp /proc/net/tcp6"):
            if time.monotonic() > deadline:
                raise RuntimeError("sshd of %s does not listen" % self.name)
            time.sleep(0.02)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        self.init.wait()

    def processes(self, word):
        """How many of its processes have `word` in their command line."""
        text = self.do("for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null && echo; done; true")
        return sum(word in line and "/proc/[0-9]" not in line for line in text.splitlines())


class Net:
    """The hosts of a test and what they share."""

    def __init__(self, names, ssh=True):
        self.has_ssh = ssh
        if ssh and not os.path.exists(SSHD):
            skip("there is no sshd here (Debian: openssh-server)")
        self.work = "/mnt"
        sh("mount --make-rprivate / && mount -t tmpfs none " + self.work)
        sh("ip link set lo up")
        self.switches, self.hosts = set(), {}
        open(self.work + "/hosts", "w").close()
        if ssh:
            self.make_keys()
        for name in names:
            self.hosts[name] = Host(self, name)

    def __getitem__(self, name):
        return self.hosts[name]

    def switch(self, number):
        if number not in self.switches:
            self.switches.add(number)
            sh("ip link add switch%d type bridge && ip link set switch%d up" % (number, number))

    def name(self, host, address):
        """Makes a name known to all hosts."""
        with open(self.work + "/hosts", "a") as file:
            file.write("%s %s\n" % (address, host))

    def make_keys(self):
        folder = self.work + "/ssh"
        os.makedirs(folder)
        sh("ssh-keygen -q -t ed25519 -N '' -f %s/host_key && ssh-keygen -q -t ed25519 -N '' -f %s/key" % (folder, folder))
        key = open(folder + "/host_key.pub").read()
        open(folder + "/known", "w").write("* " + key)
        open(folder + "/ssh_config", "w").write(
            "Host *\n IdentityFile %s/key\n IdentitiesOnly yes\n UserKnownHostsFile %s/known\n"
            " StrictHostKeyChecking yes\n" % (folder, folder))
        open(folder + "/sshd_config", "w").write(
            "Port 22\nHostKey %s/host_key\nAuthorizedKeysFile %s/key.pub\nStrictModes no\nUsePAM no\n"
            "PermitRootLogin yes\nPasswordAuthentication no\nUseDNS no\nPidFile none\nMaxStartups 100\n"
            "LogLevel ERROR\n" % (folder, folder))
        shutil.copy("/etc/shadow", self.work + "/shadow")
        shadow = [line if not line.startswith("root:") else "root:*:19000:0:99999:7:::\n"
                  for line in open(self.work + "/shadow")]
        open(self.work + "/shadow", "w").writelines(shadow)
        if os.path.isdir(os.path.expanduser("~/.ssh")):
            sh("mount -t tmpfs none " + os.path.expanduser("~/.ssh"))

    def left(self, word, patience=5):
        """Waits until no host has a process with `word` any more; names those that have."""
        deadline = time.monotonic() + patience
        while True:
            left = [host.name for host in self.hosts.values() if host.init.poll() is None and host.processes(word)]
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.05)


def recipe(kind):
    """The lines of the block in docs/running.md that stands behind `<!-- run: KIND -->`."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/running.md")
    text = open(path, encoding="utf-8").read()
    block = text[text.index("<!-- " + kind + " -->"):].split("```")[1]
    return block.splitlines()[1:]


def commands(kind, mpiexec, program):
    """The commands of a recipe, with the real mpiexec and program in them."""
    for line in recipe("run: " + kind):
        words = [{"mpiexec": mpiexec, "./program": program}.get(word, word) for word in line.split(" ")]
        yield " ".join(words)


def check(condition, result, what):
    if not condition:
        raise AssertionError("%s\n%s" % (what, result))


def main(tests):
    """Runs those named on the command line behind --, or all; each prints how long it took."""
    wanted = sys.argv[sys.argv.index("--") + 1:] if "--" in sys.argv else []
    failed = 0
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        start = time.monotonic()
        try:
            test()
            print("ok      %-34s %5.1f s" % (test.__name__, time.monotonic() - start), flush=True)
        except Exception as error:  # the rest shall be run all the same
            failed += 1
            print("FAILED  %-34s %5.1f s: %s" % (test.__name__, time.monotonic() - start, error), flush=True)
    print("%d failed" % failed)
    sys.exit(1 if failed else 0)
