#!/usr/bin/env python3
"""Which network the ranks of several hosts find each other on: several cards, cards that lead nowhere,
bridges to containers, IPv6 alone, PEAL_NET.

net_test.py MPIEXEC PROGRAM HELLO TRAINER [-- TEST...]
"""
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hosts  # noqa: E402

MPIEXEC, PROGRAM, HELLO, TRAINER = hosts.programs()
NET = None


def job(names, ranks, **variables):
    """A check on these hosts; the addresses at which ranks found each other."""
    env = dict(os.environ, PEAL_LOG="info", **variables)
    result = NET[names.split(",")[0]].run("%s -hosts %s -n %d %s" % (MPIEXEC, names, ranks, PROGRAM), env=env)
    hosts.check(result.code == 0 and result.out.count("right") == ranks, result, "the check")
    met = set(re.findall(r"connected with rank \d+ at \[?([0-9a-f.:]+?)\]?:\d+$", result.err, re.M))
    hosts.check(met, result, "the choice is not told of")
    return met, result


def within(met, result, prefix):
    hosts.check(all(address.startswith(prefix) for address in met), result, "%s instead of %s*" % (met, prefix))


def test_cards_that_lead_nowhere():
    """a and b each have an address in 10.8.0.0/24, and no wire between them there."""
    met, result = job("a,b", 2)
    within(met, result, "10.9.")
    hosts.check(result.seconds < 15, result, "too slow")
    hosts.check("tcp: reached at 10." in result.err, result, "the own addresses are not told of")


def test_container_bridges():
    """a and b have docker0 with the same number, and b a bridge with a number of its own, made before the card."""
    for names in ("a,b", "b,a"):
        met, result = job(names, 4)
        within(met, result, "10.9.")
    hosts.check("172.17.0.1 (a bridge)" in result.err, result, "the bridge is not recognised")
    reached = re.findall(r"reached at (.*)", result.err)
    hosts.check(all(line.startswith("10.") for line in reached), result, "the bridge stands first")


def test_peal_net():
    # Two good cards between c and d: 10.9.0.0/24 on eth0 and 10.7.0.0/24 on eth1.
    for value, prefix in (("eth1", "10.7."), ("10.7.0.0/16", "10.7."), ("eth0", "10.9."), ("^eth0", "10.7."),
                          ("^10.9.0.0/24", "10.7."), ("10.0.0.0/8,^eth1", "10.9.")):
        met, result = job("c,d", 2, PEAL_NET=value)
        within(met, result, prefix)
    result = NET["c"].run("%s -hosts c,d -n 2 --net 10.99.0.0/16 %s" % (MPIEXEC, PROGRAM))
    hosts.check(result.code != 0 and "PEAL_NET=10.99.0.0/16" in result.err, result, "a network that nobody has")
    result = NET["c"].run("%s -n 2 --transport shm --net 10.7/x %s" % (MPIEXEC, PROGRAM))
    hosts.check("PEAL_NET: '10.7/x'" in result.err and result.out.count("right") == 2, result, "nonsense is not told of")


def received(host, card):
    for line in NET[host].do("cat /proc/net/dev").splitlines():
        if line.strip().startswith(card + ":"):
            return int(line.split(":")[1].split()[0])
    return 0


def test_two_cards_share():
    """Ranks of two hosts with two common networks use both."""
    before = [received("d", "eth%d" % i) for i in range(2)]
    met, result = job("c,d", 8)
    after = [received("d", "eth%d" % i) for i in range(2)]
    moved = [a - b for a, b in zip(after, before)]
    hosts.check(min(moved) > max(moved) / 4, result, "bytes on the two cards: %s" % moved)


def test_a_dead_card():
    """One of two cards has lost its wire: the other carries everything."""
    NET["d"].cut(1)
    try:
        met, result = job("c,d", 4, PEAL_TIMEOUT="4")
        within(met, result, "10.9.")
    finally:
        NET["d"].mend(1)


def shaped(rate):
    """Both cards of c and d carry so much (the wires' ends on the switch and on the host), or what they can."""
    for name in "cd":
        for number, wire in enumerate(NET[name].wires):
            for where, card in ((None, wire), (NET[name], "eth%d" % number)):
                run = where.do if where else hosts.sh
                run("tc qdisc del dev %s root 2>/dev/null; true" % card)
                if rate:
                    run("tc qdisc add dev %s root tbf rate %s burst 128k latency 40ms" % (card, rate))


def large(mib, count, **variables):
    env = dict(os.environ, **variables)
    result = NET["c"].run("%s -hosts c,d -n 2 %s large %d %d" % (MPIEXEC, PROGRAM, mib, count), env=env)
    found = re.search(r"in ([0-9.]+) s: right", result.out)
    hosts.check(result.code == 0 and found, result, "a large message")
    return float(found.group(1)), result


def test_one_pair_uses_both_cards():
    """One large message from one rank to one other goes over both cards in parts. How much faster that is, is told
    and decides nothing: the machine may be busy."""
    shaped("200mbit")
    try:
        for secure in ("0", "1"):
            one, result = large(16, 2, PEAL_NET="eth0", PEAL_SECURE=secure)
            before = [received("d", "eth%d" % i) for i in range(2)]
            two, result = large(16, 2, PEAL_LOG="info", PEAL_SECURE=secure)
            moved = [received("d", "eth%d" % i) - before[i] for i in range(2)]
            if secure == "1" and "OpenSSL" in result.err:
                continue
            hosts.check("also at 10." in result.err, result, "the second connection is not told of")
            print("        32 MiB of one pair, PEAL_SECURE=%s: %.2f s over one card, %.2f s over two: %.2f times" %
                  (secure, one, two, one / two), flush=True)
            hosts.check(min(moved) > max(moved) / 3, result, "bytes on the two cards: %s" % moved)
    finally:
        shaped(None)


def test_a_card_dies_under_way():
    """Either of the two cards loses its wire in the middle of large messages: they arrive all the same."""
    shaped("100mbit")
    try:
        for card in range(2):
            process = NET["c"].popen("exec %s -hosts c,d -n 2 %s large 8 10" % (MPIEXEC, PROGRAM), stdout=-1, stderr=-1)
            before = [received("d", "eth%d" % i) for i in range(2)]
            deadline = time.monotonic() + 30
            while min(received("d", "eth%d" % i) - before[i] for i in range(2)) < 4 << 20 and time.monotonic() < deadline:
                time.sleep(0.02)
            # The wire between switch and host; mpiexec's ssh takes eth0's names, and is quiet meanwhile.
            NET["d"].cut(card)
            if card == 0:
                time.sleep(4)
                NET["d"].mend(card)
            out, err = process.communicate(timeout=60)
            NET["d"].mend(card)
            result = hosts.Result(process.returncode, out, err, 0)
            hosts.check(process.returncode == 0 and "10 messages of 8 MiB" in out and "right" in out, result, "card %d" % card)
            hosts.check("is given up" in err and "going on by 1 other" in err, result, "the death of card %d is not told of" % card)
    finally:
        shaped(None)


def lines_of(process, said):
    for line in process.stderr:
        said.append(line)


def wait_for(what, condition, seconds=40):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("in vain: " + what)
        time.sleep(0.02)


def test_a_card_comes_back():
    """One of the two cards is down for a while, at the host or at the switch: the messages go on over the other, over
    both again afterwards, and all arrive."""
    down = {"at the host": (lambda: NET["c"].do("ip link set eth1 down"), lambda: NET["c"].do("ip link set eth1 up")),
            "the first one": (lambda: NET["d"].cut(0), lambda: NET["d"].mend(0))}
    shaped("100mbit")
    try:
        for where, (cut, mend) in down.items():
            card = "eth0" if where == "the first one" else "eth1"
            process = NET["c"].popen("exec %s -hosts c,d -n 2 %s large 4 30" % (MPIEXEC, PROGRAM), stdout=-1, stderr=-1,
                                     env=dict(os.environ, PEAL_LOG="info"))
            said = []
            reader = threading.Thread(target=lines_of, args=(process, said))
            reader.start()
            before = received("d", card)
            wait_for("both cards", lambda: received("d", card) - before > 2 << 20)
            cut()
            try:
                wait_for("the news, " + where, lambda: any("is given up" in line for line in said))
            finally:
                mend()
            wait_for("a new connection, " + where, lambda: sum("connected with rank 1 also at" in line for line in said) == 2)
            again = received("d", card)
            wait_for("its bytes, " + where, lambda: received("d", card) - again > 4 << 20)
            out = process.stdout.read()
            process.wait(60)
            reader.join()
            result = hosts.Result(process.returncode, out, "".join(said), 0)
            hosts.check(process.returncode == 0 and "30 messages of 4 MiB" in out and "right" in out, result, where)
    finally:
        shaped(None)


def test_only_one_side_can_dial():
    """What d tells of itself leads nowhere from c: d dials, whoever has something to say first."""
    NET["d"].do("ip link add hidden type veth peer name h1 && ip addr add 10.66.0.2/24 dev hidden && "
                "ip link set hidden up && ip link set h1 up")
    NET["c"].do("ip route add unreachable 10.66.0.0/24")
    try:
        for route in ("unreachable", "blackhole"):
            NET["c"].do("ip route replace %s 10.66.0.0/24" % route)
            looking = [] if route == "unreachable" else [("answer " + how, "rank 0 got") for how in ("test", "iprobe", "probe")]
            for what, good in [("answer", "rank 0 got"), ("check", "right")] + looking:
                for order in ("c,d", "d,c"):
                    inner = "sh -c 'test $(hostname) = d && export PEAL_NET=hidden; exec %s %s'" % (PROGRAM, what)
                    result = NET["c"].run("%s -hosts %s -n 2 %s" % (MPIEXEC, order, inner))
                    hosts.check(result.code == 0 and good in result.out and result.seconds < 15, result, (what, order, route))
    finally:
        NET["c"].do("ip route del 10.66.0.0/24")
        NET["d"].do("ip link del hidden")


def test_ipv6_only():
    met, result = job("six1,six2", 4)
    within(met, result, "fd00:")
    lines = [NET[name].popen("PEAL_RANK=%d PEAL_SIZE=2 PEAL_ROOT=[fd00:9::1]:24100 exec timeout 30 %s" % (rank, PROGRAM),
                             stdout=-1) for rank, name in enumerate(("six1", "six2"))]
    out = "".join(process.communicate()[0] for process in lines)
    hosts.check(out.count("right") == 2, out, "a meeting over IPv6")
    result = NET["six1"].run("%s -host '[fd00:9::1]:2,[fd00:9::2]:2' -n 4 %s" % (MPIEXEC, PROGRAM))
    hosts.check(result.code == 0 and result.out.count("right") == 4, result, "hosts named by their addresses")


def examine(names, ranks, code, *patterns, **variables):
    """peal doctor on these hosts: its exit code, and a line for each pattern."""
    peal = os.path.join(os.path.dirname(MPIEXEC), "..", "tool", "peal")
    result = NET[names.split(",")[0]].run("%s -hosts %s -n %d %s doctor" % (MPIEXEC, names, ranks, peal),
                                          env=dict(os.environ, **variables))
    hosts.check(result.code == code, result, "the exit code of the doctor")
    for pattern in patterns:
        hosts.check(re.search(pattern, result.out, re.M), result, "no line is like " + pattern)


def test_doctor():
    examine("c,d", 4, 0, r"^OK +tcp +\d->\d.*: used at 10\.[79]\.0\.[34]; a pattern went both ways$",
            r"^OK +names +(?:host c|all hosts): d is 10\.9\.0\.4$", r"^note +net +.*: 2 networks \(10\.",
            r"mend it by: .*export PEAL_NET=10\.[79]\.0\.0/24$")
    examine("c,d", 2, 0, r"^OK +net +host c: .*10\.7\.0\.3, as chosen by PEAL_NET=eth1", PEAL_NET="eth1")
    examine("c,d", 2, 1, r"^PROBLEM +net +all hosts: tcp: no usable network address.*PEAL_NET=10\.99",
            r"^PROBLEM +reach +0<->1: no transport leads there: .*tcp:", r"mend it by: .*PEAL_NET",
            PEAL_NET="10.99.0.0/16")


def test_doctor_and_a_cut_wire():
    """The network that PEAL_NET chooses leads nowhere; that of ssh does."""
    NET["d"].cut(1)
    try:
        examine("c,d", 2, 1, r"^PROBLEM +tcp +.*0<?->1.*: tcp is the way to this rank, and does not work: ",
                r"mend it by: let the firewalls of both hosts pass TCP", PEAL_TIMEOUT="3", PEAL_NET="eth1")
    finally:
        NET["d"].mend(1)


def test_each_rank_in_a_container():
    """Ranks of one host that cannot open each other's memory go by tcp; where only some know that they may not,
    it is an error."""
    for namespaces in ("-U -r", "-i", "-p -f --mount-proc"):
        result = NET["c"].run("%s -n 3 unshare %s %s" % (MPIEXEC, namespaces, PROGRAM))
        hosts.check(result.code == 0 and result.out.count("right") == 3, result, "unshare " + namespaces)
    result = NET["c"].run("%s -n 1 %s : -n 1 unshare -U -r %s" % (MPIEXEC, PROGRAM, PROGRAM))
    hosts.check(result.code != 0 and "cannot be reached" in result.err, result, "one of two in a container")


def main():
    global NET
    hosts.enter()
    NET = hosts.Net(["a", "b", "c", "d", "six1", "six2"])
    for number, name in enumerate("abcd", 1):
        if name == "b":
            NET[name].do("ip link add podman0 type bridge && ip addr add 10.88.0.1/16 dev podman0 && ip link set podman0 up")
        if name in "ab":
            NET[name].do("ip link add docker0 type bridge && ip addr add 172.17.0.1/16 dev docker0 && "
                         "ip link set docker0 up")
            NET[name].wire(number, "10.8.0.%d/24" % number, name="eth9")
        NET[name].wire(0, "10.9.0.%d/24" % number, name="eth0")
        if name in "cd":
            NET[name].wire(3, "10.7.0.%d/24" % number, name="eth1")
        NET.name(name, "10.9.0.%d" % number)
    for number, name in enumerate(("six1", "six2"), 1):
        NET[name].wire(4, "fd00:9::%d/64" % number)
        NET.name(name, "fd00:9::%d" % number)
    for host in NET.hosts.values():
        host.serve_ssh()
    hosts.main([value for name, value in globals().items() if name.startswith("test_")])


main()
