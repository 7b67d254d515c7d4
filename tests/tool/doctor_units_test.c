/* The parts of `peal doctor` by themselves: facts from a small tree that stands for /proc, /sys and /dev; and
 * each check shown the condition it is for, and one it must stay silent at. */
#include "doctor.h"
#include "tcp_address.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a tree of files ---- */

struct tree {
    char top[64], proc[80], sys[80], dev[80];
    struct pl_roots roots;
};

static void plant(struct tree *tree)
{
    strcpy(tree->top, "/tmp/peal-doctor-XXXXXX");
    cr_assert(mkdtemp(tree->top));
    snprintf(tree->proc, sizeof tree->proc, "%s/proc", tree->top);
    snprintf(tree->sys, sizeof tree->sys, "%s/sys", tree->top);
    snprintf(tree->dev, sizeof tree->dev, "%s/dev", tree->top);
    tree->roots = (struct pl_roots){tree->proc, tree->sys, tree->dev};
}

/* A file below the tree, with the folders it is in. */
static void leaf(const struct tree *tree, const char *path, const char *text)
{
    char full[400];
    snprintf(full, sizeof full, "%s/%s", tree->top, path);
    for (char *slash = full + strlen(tree->top) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    cr_assert(file, "%s", full);
    fputs(text, file);
    fclose(file);
}

static void fell(const struct tree *tree)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", tree->top);
    cr_assert_eq(system(command), 0);
}

/* ---- facts ---- */

static const char limits[] =
    "Limit                     Soft Limit           Hard Limit           Units     \n"
    "Max file size             1048576              unlimited            bytes     \n"
    "Max open files            256                  4096                 files     \n"
    "Max locked memory         65536                8388608              bytes     \n"
    "Max address space         unlimited            unlimited            bytes     \n";

Test(facts, read_from_files)
{
    struct tree tree;
    struct pl_facts facts = {.cpus = 3};
    plant(&tree);
    leaf(&tree, "proc/self/limits", limits);
    leaf(&tree, "proc/self/status", "Name:\tx\nSeccomp:\t2\nCapEff:\t0000000000080000\n");
    leaf(&tree, "proc/sys/kernel/yama/ptrace_scope", "2\n");
    leaf(&tree, "proc/meminfo", "MemTotal: 8000 kB\nMemAvailable:    4000 kB\n");
    leaf(&tree, "proc/self/cgroup", "0::/outer/inner\n");
    leaf(&tree, "sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n");
    leaf(&tree, "sys/fs/cgroup/outer/cpu.max", "150000 100000\n");
    leaf(&tree, "sys/fs/cgroup/outer/inner/memory.max", "1048576\n");
    leaf(&tree, "sys/fs/cgroup/outer/inner/memory.current", "4096\n");
    leaf(&tree, "sys/fs/cgroup/memory.max", "max\n");
    leaf(&tree, "dev/shm/there", "");
    pl_facts_read(&facts, &tree.roots);
    cr_expect(facts.proc_there);
    cr_expect_eq(facts.file_size, 1048576);
    cr_expect_eq(facts.files, 256);
    cr_expect_eq(facts.files_most, 4096);
    cr_expect_eq(facts.memlock, 65536);
    cr_expect_eq(facts.memlock_most, 8388608);
    cr_expect_eq(facts.address_space, PL_UNLIMITED);
    cr_expect_eq(facts.seccomp, 2);
    cr_expect(facts.may_trace);
    cr_expect_eq(facts.ptrace_scope, 2);
    cr_expect_eq(facts.memory_available, 4000 << 10);
    cr_expect_eq(facts.cpu_quota, 1.5, "%g", facts.cpu_quota);
    cr_expect_eq(facts.memory_limit, 1048576);
    cr_expect_eq(facts.memory_used, 4096);
    cr_expect_gt(facts.shm_size, 0);
    cr_expect_eq(facts.cpus, 3, "what is not from files stays");
    fell(&tree);
}

Test(facts, of_the_first_kind_of_groups)
{
    struct tree tree;
    struct pl_facts facts = {0};
    plant(&tree);
    leaf(&tree, "proc/self/cgroup", "4:memory:/job\n3:cpu,cpuacct:/job\n0::/\n");
    leaf(&tree, "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "50000\n");
    leaf(&tree, "sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
    leaf(&tree, "sys/fs/cgroup/memory/job/memory.limit_in_bytes", "2097152\n");
    leaf(&tree, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    pl_facts_read(&facts, &tree.roots);
    cr_expect_eq(facts.cpu_quota, 0.5, "%g", facts.cpu_quota);
    cr_expect_eq(facts.memory_limit, 2097152);
    fell(&tree);
}

/* In a container the group's own path is not visible: the top of the mount is it. */
Test(facts, of_a_container)
{
    struct tree tree;
    struct pl_facts facts = {0};
    plant(&tree);
    leaf(&tree, "proc/self/cgroup", "0::/system.slice/docker-0.scope\n");
    leaf(&tree, "sys/fs/cgroup/cpu.max", "200000 100000\n");
    pl_facts_read(&facts, &tree.roots);
    cr_expect_eq(facts.cpu_quota, 2, "%g", facts.cpu_quota);
    fell(&tree);
}

Test(facts, of_nothing_are_no_limits)
{
    struct pl_facts facts = {0};
    pl_facts_read(&facts, &(struct pl_roots){"/nowhere", "/nowhere", "/nowhere"});
    cr_expect_not(facts.proc_there);
    cr_expect_eq(facts.ptrace_scope, -1);
    cr_expect_eq(facts.files, PL_UNLIMITED);
    cr_expect_eq(facts.cpu_quota, 0);
    cr_expect_eq(facts.memory_limit, PL_UNLIMITED);
    cr_expect_eq(facts.shm_size, 0);
}

Test(facts, needs_grow_with_the_world)
{
    struct pl_facts few = {.ranks = 2, .local_ranks = 2, .wants_shm = true, .wants_tcp = true};
    struct pl_facts many = {.ranks = 1000, .local_ranks = 100, .wants_shm = true, .wants_tcp = true};
    struct pl_facts alone = {.ranks = 1, .local_ranks = 1, .wants_shm = true};
    pl_facts_needs(&few);
    pl_facts_needs(&many);
    pl_facts_needs(&alone);
    cr_expect_lt(few.rank_files, 64);
    cr_expect(many.rank_files > 1000 && many.rank_files < 1200, "%d", many.rank_files);
    cr_expect(many.rank_segment > 99 * 65536 && many.rank_segment < 101 * 65536);
    cr_expect_eq(alone.rank_segment, 0);
}

/* ---- checks ---- */

/* A host at which nothing is wrong: four ranks, two hosts. */
static struct pl_facts good(void)
{
    struct pl_facts facts = {.ranks = 4,
                             .local_ranks = 2,
                             .hosts = 2,
                             .wants_shm = true,
                             .wants_tcp = true,
                             .proc_there = true,
                             .ptrace_scope = 1,
                             .memlock = 8 << 20,
                             .memlock_most = 8 << 20,
                             .files = 1024,
                             .files_most = 1 << 20,
                             .file_size = PL_UNLIMITED,
                             .address_space = PL_UNLIMITED,
                             .shm_size = 64 << 20,
                             .memory_available = (uint64_t)4 << 30,
                             .memory_limit = PL_UNLIMITED,
                             .cpus = 4,
                             .cpus_online = 4};
    pl_facts_needs(&facts);
    return facts;
}

typedef void check_fn(const struct pl_facts *facts, struct pl_findings *findings);

/* Of the findings the gravest level, and the text and the mending line of the first of it; then forgets them.
 */
static enum pl_level gravest(struct pl_findings *findings, char *text, char *mend)
{
    enum pl_level level = PL_LEVEL_OK;
    cr_assert_gt(findings->count, 0, "a check says something");
    for (int i = findings->count - 1; i >= 0; i--)
        if (findings->list[i].level >= level) {
            level = findings->list[i].level;
            strcpy(text, findings->list[i].text);
            strcpy(mend, findings->list[i].mend);
        }
    for (int i = 0; i < findings->count; i++)
        if (findings->list[i].level == PL_LEVEL_OK)
            cr_expect_str_eq(findings->list[i].mend, "", "what is well needs no mending: %s",
                             findings->list[i].text);
    pl_findings_finish(findings);
    return level;
}

static void expect(check_fn *check, const struct pl_facts *facts, enum pl_level level, const char *says,
                   const char *mends)
{
    char text[PL_FINDING_TEXT], mend[PL_FINDING_MEND];
    struct pl_findings findings = {0};
    check(facts, &findings);
    enum pl_level found = gravest(&findings, text, mend);
    cr_expect_eq(found, level, "level %d: %s", (int)found, text);
    cr_expect(strstr(text, says), "'%s' is not in: %s", says, text);
    cr_expect(strstr(mend, mends), "'%s' is not in: %s", mends, mend);
}

Test(checks, are_silent_at_a_good_host)
{
    static check_fn *const all[] = {pl_check_proc, pl_check_ptrace, pl_check_memlock,
                                    pl_check_shm,  pl_check_files,  pl_check_cpus};
    struct pl_facts facts = good();
    struct pl_findings findings = {0};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        expect(all[i], &facts, PL_LEVEL_OK, "", "");
    pl_check_shm_limits(&facts, &findings);
    cr_expect_eq(findings.count, 0);
}

Test(checks, proc)
{
    struct pl_facts facts = good();
    facts.proc_there = false;
    expect(pl_check_proc, &facts, PL_LEVEL_PROBLEM, "/proc is not there", "mount -t proc");
    facts.wants_shm = false;
    expect(pl_check_proc, &facts, PL_LEVEL_NOTE, "/proc is not there", "mount -t proc");
}

Test(checks, ptrace)
{
    struct pl_facts facts = good();
    facts.ptrace_scope = 2;
    expect(pl_check_ptrace, &facts, PL_LEVEL_NOTE, "ptrace_scope 2", "sysctl -w kernel.yama.ptrace_scope=1");
    facts.may_trace = true;
    expect(pl_check_ptrace, &facts, PL_LEVEL_OK, "CAP_SYS_PTRACE", "");
    facts.ptrace_scope = 3;
    expect(pl_check_ptrace, &facts, PL_LEVEL_NOTE, "ptrace_scope 3", "/etc/sysctl.d");
    facts.ptrace_scope = -1;
    facts.seccomp = 2;
    expect(pl_check_ptrace, &facts, PL_LEVEL_OK, "a filter of system calls", "");
}

Test(checks, memlock)
{
    struct pl_facts facts = good();
    facts.memlock = 65536;
    expect(pl_check_memlock, &facts, PL_LEVEL_OK, "names no verbs", "");
    facts.wants_verbs = true;
    expect(pl_check_memlock, &facts, PL_LEVEL_PROBLEM, "limited to 64 KiB", "/etc/security/limits.conf");
    facts.memlock_most = PL_UNLIMITED;
    expect(pl_check_memlock, &facts, PL_LEVEL_PROBLEM, "limited to 64 KiB", "ulimit -l unlimited");
    facts.memlock = 64 << 20;
    expect(pl_check_memlock, &facts, PL_LEVEL_NOTE, "enough for RDMA among 4 ranks", "ulimit -l unlimited");
    facts.memlock = PL_UNLIMITED;
    expect(pl_check_memlock, &facts, PL_LEVEL_OK, "unlimited", "");
}

Test(checks, shared_memory)
{
    struct pl_facts facts = good();
    facts.shm_size = 0;
    expect(pl_check_shm, &facts, PL_LEVEL_OK, "", "");
    facts.file_size = 1 << 20;
    expect(pl_check_shm_limits, &facts, PL_LEVEL_PROBLEM, "ulimit -f", "ulimit -f unlimited");
    facts = good();
    facts.address_space = 64 << 20;
    expect(pl_check_shm_limits, &facts, PL_LEVEL_PROBLEM, "ulimit -v", "ulimit -v unlimited");
    facts = good();
    facts.local_ranks = facts.ranks = 200;
    pl_facts_needs(&facts);
    facts.memory_limit = (uint64_t)3 << 30;
    facts.memory_used = 1 << 30;
    expect(pl_check_shm, &facts, PL_LEVEL_PROBLEM, "in this control group", "more memory");
    facts.memory_limit = (uint64_t)5 << 30;
    expect(pl_check_shm, &facts, PL_LEVEL_NOTE, "need up to 2.4 GiB", "");
    facts.memory_limit = PL_UNLIMITED;
    facts.memory_available = 1 << 30;
    expect(pl_check_shm, &facts, PL_LEVEL_PROBLEM, "1 GiB can be had", "fewer ranks");
    facts.memory_available = (uint64_t)100 << 30;
    expect(pl_check_shm, &facts, PL_LEVEL_OK, "2.4 GiB", "");
}

Test(checks, files)
{
    struct pl_facts facts = good();
    facts.ranks = 2000;
    pl_facts_needs(&facts);
    expect(pl_check_files, &facts, PL_LEVEL_PROBLEM, "limited to 1024", "ulimit -n 40");
    facts.files_most = 1024;
    expect(pl_check_files, &facts, PL_LEVEL_PROBLEM, "limited to 1024", "/etc/security/limits.conf");
    facts.files = 3000;
    expect(pl_check_files, &facts, PL_LEVEL_NOTE, "limited to 3000", "nofile");
    facts.files = PL_UNLIMITED;
    expect(pl_check_files, &facts, PL_LEVEL_OK, "unlimited", "");
}

Test(checks, cpus)
{
    struct pl_facts facts = good();
    facts.local_ranks = 5;
    expect(pl_check_cpus, &facts, PL_LEVEL_NOTE, "5 ranks share 4 CPUs: oversubscribed", "fewer ranks");
    facts.local_ranks = 2;
    facts.cpu_quota = 1.5;
    expect(pl_check_cpus, &facts, PL_LEVEL_NOTE, "leaves 1.5", "docker run --cpus");
    facts.cpu_quota = 2;
    expect(pl_check_cpus, &facts, PL_LEVEL_OK, "a quota", "");
    facts.cpu_quota = 0;
    facts.cpus = 3;
    expect(pl_check_cpus, &facts, PL_LEVEL_OK, "cpuset", "");
}

static enum pl_level knobs(const char *one, const char *two, char *text, char *mend)
{
    char first[64], second[64], *environment[] = {first, second, NULL};
    struct pl_findings findings = {0};
    snprintf(first, sizeof first, "%s", one);
    snprintf(second, sizeof second, "%s", two);
    pl_check_knobs(environment, &findings);
    return gravest(&findings, text, mend);
}

Test(checks, knobs)
{
    char text[PL_FINDING_TEXT], mend[PL_FINDING_MEND];
    cr_expect_eq(knobs("PEAL_LOG=info", "PEAL_RANK=0", text, mend), PL_LEVEL_OK);
    cr_expect(strstr(text, "1 variable set"), "%s", text);
    cr_expect_eq(knobs("PEAL_TIMEOT=3", "HOME=/", text, mend), PL_LEVEL_NOTE);
    cr_expect(strstr(text, "did you mean PEAL_TIMEOUT?"), "%s", text);
    cr_expect_str_eq(mend, "unset PEAL_TIMEOT; export PEAL_TIMEOUT=3");
    cr_expect_eq(knobs("PEAL_COLOUR=red", "HOME=/", text, mend), PL_LEVEL_NOTE);
    cr_expect(!strstr(text, "did you mean"), "%s", text);
    cr_expect_str_eq(mend, "unset PEAL_COLOUR");
    cr_expect_eq(knobs("HOME=/", "PEAL_TIMEOUT=soon", text, mend), PL_LEVEL_NOTE);
    cr_expect_str_eq(mend, "unset PEAL_TIMEOUT");
}

/* ---- names and networks ---- */

static const struct pl_host_names here = {"a", 1, {"10.0.0.1"}};

Test(names, own)
{
    char text[PL_FINDING_TEXT], mend[PL_FINDING_MEND];
    struct pl_findings findings = {0};
    struct pl_resolved found = {.count = 1, .address = {"10.0.0.1"}};
    pl_check_own_name(&here, &found, true, &findings);
    cr_expect_eq(gravest(&findings, text, mend), PL_LEVEL_OK, "%s", text);
    strcpy(found.address[0], "127.0.1.1");
    pl_check_own_name(&here, &found, false, &findings);
    cr_expect_eq(gravest(&findings, text, mend), PL_LEVEL_OK, "alone it does not matter: %s", text);
    pl_check_own_name(&here, &found, true, &findings);
    cr_expect_eq(gravest(&findings, text, mend), PL_LEVEL_NOTE);
    cr_expect(strstr(text, "leads to 127.0.1.1") && strstr(mend, "10.0.0.1 a"), "%s %s", text, mend);
    found = (struct pl_resolved){.error = EAI_NONAME};
    pl_check_own_name(&here, &found, false, &findings);
    cr_expect_eq(gravest(&findings, text, mend), PL_LEVEL_NOTE);
    cr_expect_str_eq(mend, "echo '10.0.0.1 a' >>/etc/hosts");
    found = (struct pl_resolved){.seconds = 5, .count = 1, .address = {"10.0.0.1"}};
    pl_check_own_name(&here, &found, false, &findings);
    cr_expect_eq(gravest(&findings, text, mend), PL_LEVEL_NOTE);
    cr_expect(strstr(text, "5.0 s"), "%s", text);
}

Test(names, of_peers)
{
    char text[PL_FINDING_TEXT], mend[PL_FINDING_MEND], packed[300];
    struct pl_findings findings = {0};
    struct pl_host_names peer;
    struct pl_resolved found = {.count = 2, .address = {"fd00::7", "10.0.0.1"}};
    pl_host_names_pack(&here, packed, sizeof packed);
    pl_host_names_unpack(&peer, packed);
    cr_expect(!strcmp(peer.name, "a") && peer.count == 1 && !strcmp(peer.address[0], "10.0.0.1"));
    pl_check_peer_name(&peer, &found, &findings);
    cr_expect_eq(gravest(&findings, text, mend), PL_LEVEL_OK, "%s", text);
    found.count = 1;
    pl_check_peer_name(&peer, &found, &findings);
    cr_expect_eq(gravest(&findings, text, mend), PL_LEVEL_NOTE);
    cr_expect(strstr(text, "no address of that host") && strstr(mend, "10.0.0.1 a"), "%s %s", text, mend);
    found.error = EAI_AGAIN;
    pl_check_peer_name(&peer, &found, &findings);
    cr_expect_eq(gravest(&findings, text, mend), PL_LEVEL_NOTE);
}

static void add_address(struct pl_tcp_card *card, const char *number, unsigned char prefix, bool inner)
{
    union pl_tcp_address *a = &card->address[card->count];
    card->prefix[card->count] = prefix;
    card->inner[card->count++] = inner;
    a->v4.sin_family = AF_INET;
    cr_assert_eq(inet_pton(AF_INET, number, &a->v4.sin_addr), 1);
}

Test(net, several_networks)
{
    char text[PL_FINDING_TEXT], mend[PL_FINDING_MEND];
    struct pl_findings findings = {0};
    struct pl_tcp_card card = {.count = 0};
    add_address(&card, "10.1.2.3", 16, false);
    add_address(&card, "10.1.9.9", 16, false);
    add_address(&card, "172.17.0.1", 16, true);
    pl_check_net(&card, 0, "", "", true, &findings);
    cr_expect_eq(gravest(&findings, text, mend), PL_LEVEL_OK, "one network and a bridge: %s", text);
    add_address(&card, "192.168.0.4", 24, false);
    pl_check_net(&card, 0, "", "", true, &findings);
    cr_expect_eq(gravest(&findings, text, mend), PL_LEVEL_NOTE, "%s", text);
    cr_expect(strstr(text, "2 networks") && strstr(mend, "export PEAL_NET=10.1.0.0/16"), "%s %s", text, mend);
    pl_check_net(&card, 0, "", "", false, &findings);
    cr_expect_eq(gravest(&findings, text, mend), PL_LEVEL_OK, "on one host: %s", text);
    pl_check_net(&card, 0, "", "10.0.0.0/8", true, &findings);
    cr_expect_eq(gravest(&findings, text, mend), PL_LEVEL_OK, "it was chosen: %s", text);
    pl_check_net(&card, -4, "tcp: no usable network address", "eth9", true, &findings);
    cr_expect_eq(gravest(&findings, text, mend), PL_LEVEL_PROBLEM);
    cr_expect(strstr(mend, "unset PEAL_NET"), "%s", mend);
}

/* ---- RDMA ---- */

static enum pl_level rdma(const struct tree *tree, bool wanted, char *text, char *mend)
{
    struct pl_findings findings = {0};
    pl_check_rdma(&tree->roots, wanted, &findings);
    return gravest(&findings, text, mend);
}

Test(rdma, devices)
{
    struct tree tree;
    char text[PL_FINDING_TEXT], mend[PL_FINDING_MEND];
    plant(&tree);
    cr_expect_eq(rdma(&tree, false, text, mend), PL_LEVEL_OK);
    cr_expect_eq(rdma(&tree, true, text, mend), PL_LEVEL_PROBLEM, "%s", text);
    leaf(&tree, "sys/class/infiniband/mlx5_0/ports/1/state", "4: ACTIVE\n");
    leaf(&tree, "sys/class/infiniband/mlx5_0/ports/1/link_layer", "Ethernet\n");
    leaf(&tree, "sys/class/infiniband/mlx5_0/ports/1/gid_attrs/ndevs/0", "eth7\n");
    cr_expect_eq(rdma(&tree, true, text, mend), PL_LEVEL_PROBLEM);
    cr_expect_str_eq(mend, "modprobe ib_uverbs");
    leaf(&tree, "sys/class/infiniband_verbs/uverbs3/ibdev", "mlx5_0\n");
    cr_expect_eq(rdma(&tree, false, text, mend), PL_LEVEL_NOTE);
    cr_expect(strstr(mend, "docker run --device=/dev/infiniband"), "%s: %s", text, mend);
    leaf(&tree, "dev/infiniband/uverbs3", "");
    cr_expect_eq(rdma(&tree, true, text, mend), PL_LEVEL_OK, "%s", text);
    leaf(&tree, "sys/class/infiniband/mlx5_0/ports/1/state", "1: DOWN\n");
    cr_expect_eq(rdma(&tree, true, text, mend), PL_LEVEL_PROBLEM);
    cr_expect_str_eq(mend, "ip link set eth7 up");
    leaf(&tree, "sys/class/infiniband/mlx5_0/ports/1/link_layer", "InfiniBand\n");
    cr_expect_eq(rdma(&tree, false, text, mend), PL_LEVEL_NOTE);
    cr_expect(strstr(mend, "subnet manager"), "%s", mend);
    fell(&tree);
}

/* ---- ways ---- */

enum { RANKS = 3 }; /* 0 and 1 on a host, 2 on another */
static const int host_of[RANKS] = {0, 0, 1};
static struct pl_way_peer of_shm[RANKS], of_tcp[RANKS], of_verbs[RANKS];
static struct pl_way ways[3];

/* All is well: shm within the host, tcp everywhere. */
static void reset_ways(void)
{
    static const struct pl_way_peer well = {.told = true, .connected = true, .heard = true, .heard_us = true};
    ways[0] = (struct pl_way){.name = "shm", .allowed = true, .used = true, .opened = true, .peers = of_shm};
    ways[1] = (struct pl_way){.name = "tcp", .allowed = true, .used = true, .opened = true, .peers = of_tcp};
    ways[2] =
        (struct pl_way){.name = "verbs", .why = "verbs: this machine has no RDMA device", .peers = of_verbs};
    for (int i = 0; i < RANKS; i++)
        of_shm[i] = of_tcp[i] = well, of_verbs[i] = (struct pl_way_peer){.told = false};
    of_shm[1].reached = true;
    of_shm[2] = (struct pl_way_peer){.told = true, .why = "rank 2 is on another host: no shared memory"};
}

/* What is said about the peer: the gravest. */
static enum pl_level judged(int peer, char *text, char *mend)
{
    struct pl_facts facts = good();
    struct pl_findings all = {0}, about = {0};
    pl_ways_judge(ways, 3, &facts, 0, RANKS, host_of, &all);
    for (int i = 0; i < all.count; i++)
        for (int k = 0; k < all.list[i].npeers; k++)
            if (all.list[i].peers[k] == peer)
                pl_find(&about, all.list[i].level, all.list[i].check, all.list[i].mend, "%s",
                        all.list[i].text);
    pl_findings_finish(&all);
    return gravest(&about, text, mend);
}

Test(ways, well)
{
    char text[PL_FINDING_TEXT], mend[PL_FINDING_MEND];
    reset_ways();
    strcpy(of_tcp[2].where, "10.0.0.2");
    cr_expect_eq(judged(1, text, mend), PL_LEVEL_OK, "%s", text);
    cr_expect(strstr(text, "straight from the peer's memory"), "%s", text);
    cr_expect_eq(judged(2, text, mend), PL_LEVEL_OK, "%s", text);
    cr_expect(strstr(text, "used at 10.0.0.2"), "%s", text);
}

Test(ways, memory_that_cannot_be_read)
{
    char text[PL_FINDING_TEXT], mend[PL_FINDING_MEND];
    reset_ways();
    of_shm[1].reached = false;
    strcpy(of_shm[1].why_not_reached, "the memory of rank 1 is not accessible: Operation not permitted");
    cr_expect_eq(judged(1, text, mend), PL_LEVEL_NOTE);
    cr_expect(strstr(text, "Operation not permitted") && strstr(mend, "--cap-add=SYS_PTRACE"), "%s %s", text,
              mend);
}

Test(ways, shared_memory_that_is_refused)
{
    char text[PL_FINDING_TEXT], mend[PL_FINDING_MEND];
    reset_ways();
    of_shm[1] = (struct pl_way_peer){.told = true, .why = "rank 1 is in another container: no shared memory"};
    cr_expect_eq(judged(1, text, mend), PL_LEVEL_NOTE);
    cr_expect(strstr(text, "but tcp is used: rank 1 is in another container") && strstr(mend, "--ipc=host"),
              "%s %s", text, mend);
    ways[1].used = false; /* on one host tcp is not opened beside shm: nothing is left */
    cr_expect_eq(judged(1, text, mend), PL_LEVEL_PROBLEM);
    cr_expect(strstr(text, "no transport leads there") && strstr(mend, "export PEAL_TRANSPORT=tcp"), "%s %s",
              text, mend);
}

Test(ways, the_chosen_one_that_does_not_work)
{
    char text[PL_FINDING_TEXT], mend[PL_FINDING_MEND];
    reset_ways();
    of_tcp[2].heard = of_tcp[2].heard_us = false;
    strcpy(of_tcp[2].why, "rank 2 cannot be reached by tcp: 10.0.0.2:4000: No route to host");
    cr_expect_eq(judged(2, text, mend), PL_LEVEL_PROBLEM);
    cr_expect(strstr(text, "No route to host") && strstr(mend, "PEAL_NET"), "%s %s", text, mend);
    reset_ways();
    of_tcp[2].heard = false;
    of_tcp[2].wrong = true;
    cr_expect_eq(judged(2, text, mend), PL_LEVEL_PROBLEM);
    cr_expect(strstr(text, "other bytes came"), "%s", text);
    reset_ways();
    of_tcp[2].heard_us = false;
    cr_expect_eq(judged(2, text, mend), PL_LEVEL_PROBLEM, "%s", text);
}

Test(ways, rdma)
{
    char text[PL_FINDING_TEXT], mend[PL_FINDING_MEND];
    reset_ways();
    ways[2].opened = true;
    strcpy(ways[2].about, "mlx5_0 port 1, GID 3 (RoCE v2, 10.0.0.1)");
    of_verbs[2] = of_tcp[2];
    of_verbs[2].reached = true;
    cr_expect_eq(judged(2, text, mend), PL_LEVEL_NOTE);
    cr_expect_str_eq(mend, "export PEAL_TRANSPORT=shm,verbs,tcp");
    cr_expect(strstr(text, "mlx5_0 port 1, GID 3"), "%s", text);
    ways[2].software = true;
    cr_expect_eq(judged(2, text, mend), PL_LEVEL_OK, "soft-RoCE is no faster: %s", text);
    reset_ways();
    struct pl_way tcp = ways[1]; /* asked for, and not possible */
    ways[1] = ways[2];
    ways[2] = tcp;
    ways[1].allowed = ways[1].used = true;
    strcpy(ways[1].why,
           "verbs: mlx5_0 cannot be opened: uverbs0: Permission denied; this user needs permission to");
    cr_expect_eq(judged(2, text, mend), PL_LEVEL_NOTE);
    cr_expect(strstr(text, "verbs comes first") && strstr(mend, "chmod a+rw"), "%s %s", text, mend);
}

/* ---- findings ---- */

static const char *const hosts[] = {"a", "b"};
static const struct pl_places places = {RANKS, 2, host_of, hosts};

Test(findings, travel_and_are_grouped)
{
    struct pl_findings all[RANKS] = {{0}};
    struct pl_finding_groups groups;
    char who[100];
    for (int r = 0; r < RANKS; r++) {
        struct pl_findings mine = {0};
        pl_find(&mine, PL_LEVEL_OK, "one", NULL, "all say\tthis");
        mine.for_host = true;
        if (r != 1)
            pl_find(&mine, PL_LEVEL_OK, "host", NULL, "%s", r ? "b's" : "a's");
        mine.for_host = false;
        pl_find(&mine, r < 2 ? PL_LEVEL_NOTE : PL_LEVEL_OK, "two", "by\nhand", "%s",
                r < 2 ? "here" : "there");
        for (int peer = RANKS - 1; peer >= 0; peer--)
            if (peer != r)
                pl_find_peer(&mine, peer, PL_LEVEL_OK, "three", NULL, "well");
        if (!r)
            pl_find_peer(&mine, 2, PL_LEVEL_PROBLEM, "four", NULL, "ill");
        char *text = pl_findings_pack(&mine);
        pl_findings_unpack(&all[r], text);
        cr_expect_eq(all[r].count, mine.count);
        free(text);
        pl_findings_finish(&mine);
    }
    cr_assert_eq(pl_groups_make(&groups, all, RANKS), 0);
    static const char *const expected[][2] = {
        {"one", "all ranks"}, {"host", "host a"}, {"three", "each pair of 0-2"},
        {"host", "host b"},   {"two", "host b"},  {"two", "host a"},
        {"four", "0->2"}};
    cr_assert_eq(groups.count, 7);
    for (int i = 0; i < 7; i++) {
        cr_expect_str_eq(groups.list[i].finding->check, expected[i][0]);
        cr_expect_str_eq(pl_group_who(&groups.list[i], &places, who, sizeof who), expected[i][1]);
    }
    cr_expect_str_eq(groups.list[0].finding->text, "all say this");
    pl_groups_finish(&groups);
    for (int r = 0; r < RANKS; r++)
        pl_findings_finish(&all[r]);
}

Test(findings, rubbish_is_left_out)
{
    static const char *const bad[] = {"",
                                      "\n\n",
                                      "1\tx\n",
                                      "9\tx\t\ty\t\n",
                                      "x\tx\t\ty\t\n",
                                      "0\tx\t-3\ty\t\n",
                                      "0\tx\t5-2\ty\t\n",
                                      "0\tx\t1,,2\ty\t\n"};
    struct pl_findings findings = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        pl_findings_unpack(&findings, bad[i]);
    cr_expect_eq(findings.count, 0);
    pl_findings_unpack(&findings, "2\tx\t0-2,5\ty\tz\n");
    cr_assert_eq(findings.count, 1);
    cr_expect(findings.list[0].npeers == 4 && findings.list[0].peers[3] == 5);
    pl_findings_finish(&findings);
}
