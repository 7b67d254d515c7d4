/* The checks of one host's facts: each says what is so, whether a world of these ranks can live with it, and
 * the line that mends it if not.
 *
 * A problem is what makes a job fail. What makes it slower is a note: memory that peers may not read costs a
 * second copy, ranks without a CPU of their own sleep where they would spin.
 */
#include "config.h"
#include "facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Registered memory that a rank over verbs needs beside its own buffers, and for each peer. */
enum { VERBS_BASE = 2 << 20, VERBS_PEER = 192 << 10 };

const char *pl_facts_bytes(char text[32], uint64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    double value = (double)bytes;
    if (bytes == PL_UNLIMITED)
        return strcpy(text, "unlimited");
    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    snprintf(text, 32, value < 10 && unit && value != (double)(int)value ? "%.1f %s" : "%.0f %s", value,
             units[unit]);
    return text;
}

void pl_check_proc(const struct pl_facts *facts, struct pl_findings *findings)
{
    if (facts->proc_there)
        pl_find(findings, PL_LEVEL_OK, "proc", NULL, "/proc is mounted");
    else
        pl_find(findings, facts->wants_shm && facts->local_ranks > 1 ? PL_LEVEL_PROBLEM : PL_LEVEL_NOTE,
                "proc", "mount -t proc proc /proc",
                "/proc is not there: ranks of one host find each other's memory by it");
}

void pl_check_ptrace(const struct pl_facts *facts, struct pl_findings *findings)
{
    const char *filter =
        facts->seccomp == 2
            ? "; a filter of system calls is on (a container?), which may refuse it all the same"
            : "";
    if (facts->ptrace_scope <= 0)
        pl_find(findings, PL_LEVEL_OK, "ptrace", NULL,
                "processes of one user may read each other's memory (%s)%s",
                facts->ptrace_scope < 0 ? "the kernel has no yama" : "ptrace_scope 0", filter);
    else if (facts->ptrace_scope == 1 || (facts->ptrace_scope == 2 && facts->may_trace))
        pl_find(findings, PL_LEVEL_OK, "ptrace", NULL,
                facts->ptrace_scope == 1
                    ? "ptrace_scope 1: ranks may read each other's memory, since each allows it%s"
                    : "ptrace_scope 2, but this process may read others' memory (CAP_SYS_PTRACE)%s",
                filter);
    else if (facts->ptrace_scope == 2)
        pl_find(findings, PL_LEVEL_NOTE, "ptrace", "sysctl -w kernel.yama.ptrace_scope=1",
                "ptrace_scope 2: ranks may not read each other's memory; long messages on this host cost a "
                "second copy");
    else
        pl_find(findings, PL_LEVEL_NOTE, "ptrace",
                "set kernel.yama.ptrace_scope=1 in /etc/sysctl.d (3 stays until the next boot)",
                "ptrace_scope %d: nobody may read another process's memory; long messages on this host cost "
                "a second copy",
                facts->ptrace_scope);
}

void pl_check_memlock(const struct pl_facts *facts, struct pl_findings *findings)
{
    char limit[32], need[32], mend[PL_FINDING_MEND];
    uint64_t wanted = VERBS_BASE + (uint64_t)VERBS_PEER * (uint64_t)facts->ranks;
    pl_facts_bytes(limit, facts->memlock);
    pl_facts_bytes(need, wanted);
    if (facts->memlock == PL_UNLIMITED || !facts->wants_verbs) {
        pl_find(findings, PL_LEVEL_OK, "memlock", NULL, "locked memory (ulimit -l): %s%s", limit,
                facts->wants_verbs ? "" : "; only RDMA and GPUs need it, and PEAL_TRANSPORT names no verbs");
        return;
    }
    snprintf(mend, sizeof mend,
             facts->memlock_most == PL_UNLIMITED
                 ? "ulimit -l unlimited"
                 : "echo '* - memlock unlimited' >>/etc/security/limits.conf, then log in again (of a "
                   "service: LimitMEMLOCK=infinity)");
    pl_find(findings, facts->memlock < wanted ? PL_LEVEL_PROBLEM : PL_LEVEL_NOTE, "memlock", mend,
            facts->memlock < wanted
                ? "locked memory (ulimit -l) is limited to %s; RDMA among %d ranks needs about %s, and the "
                  "buffers of messages"
                : "locked memory (ulimit -l) is limited to %s: enough for RDMA among %d ranks (about %s), "
                  "but buffers of messages count too",
            limit, facts->ranks, need);
}

static void check_shm_memory(const struct pl_facts *facts, struct pl_findings *findings)
{
    char need[32], left[32], mend[PL_FINDING_MEND];
    uint64_t wanted = facts->rank_segment * (uint64_t)facts->local_ranks;
    uint64_t of_group = facts->memory_limit == PL_UNLIMITED        ? PL_UNLIMITED
                        : facts->memory_used < facts->memory_limit ? facts->memory_limit - facts->memory_used
                                                                   : 0;
    bool group = of_group < facts->memory_available;
    uint64_t available = group ? of_group : facts->memory_available;
    pl_facts_bytes(need, wanted);
    pl_facts_bytes(left, available);
    snprintf(mend, sizeof mend,
             group ? "give the control group (container, job) more memory than %s"
                   : "start fewer ranks on this host, or free some of its memory (%s left)",
             left);
    if (available == PL_UNLIMITED || wanted <= available / 2)
        pl_find(findings, PL_LEVEL_OK, "shm", NULL,
                "shared memory of %d rank%s on a host: up to %s, in memory without a name",
                facts->local_ranks, facts->local_ranks == 1 ? "" : "s", need);
    else
        pl_find(findings, wanted > available ? PL_LEVEL_PROBLEM : PL_LEVEL_NOTE, "shm", mend,
                "the %d ranks of this host need up to %s of shared memory, and %s can be had%s",
                facts->local_ranks, need, left, group ? " in this control group" : "");
}

void pl_check_shm_limits(const struct pl_facts *facts, struct pl_findings *findings)
{
    char size[32], need[32];
    pl_facts_bytes(need, facts->rank_segment_most);
    if (facts->file_size < facts->rank_segment_most)
        pl_find(findings, PL_LEVEL_PROBLEM, "shm", "ulimit -f unlimited",
                "the limit on file sizes (ulimit -f), %s, also holds for shared memory: a rank maps %s",
                pl_facts_bytes(size, facts->file_size), need);
    if (facts->address_space < 2 * facts->rank_segment_most)
        pl_find(findings, PL_LEVEL_PROBLEM, "shm", "ulimit -v unlimited",
                "the limit on addresses (ulimit -v), %s, is too low: a rank maps %s of shared memory",
                pl_facts_bytes(size, facts->address_space), need);
}

void pl_check_shm(const struct pl_facts *facts, struct pl_findings *findings)
{
    char size[32];
    if (facts->rank_segment)
        check_shm_memory(facts, findings);
    if (facts->shm_size)
        pl_find(findings, PL_LEVEL_OK, "shm", NULL,
                "/dev/shm has %s; a world of any size needs none of it (its memory is memfd's)",
                pl_facts_bytes(size, facts->shm_size));
    else
        pl_find(findings, PL_LEVEL_OK, "shm", NULL, "there is no /dev/shm, and none is needed");
}

void pl_check_files(const struct pl_facts *facts, struct pl_findings *findings)
{
    char mend[PL_FINDING_MEND];
    uint64_t need = (uint64_t)facts->rank_files;
    if (facts->files == PL_UNLIMITED || need <= facts->files / 2) {
        pl_find(findings, PL_LEVEL_OK, "files", NULL,
                facts->files == PL_UNLIMITED
                    ? "open files (ulimit -n): unlimited; a rank of %d needs about %d"
                    : "open files (ulimit -n): a rank of %d needs about %d of %llu",
                facts->ranks, facts->rank_files, (unsigned long long)facts->files);
        return;
    }
    if (facts->files_most >= 2 * need)
        snprintf(mend, sizeof mend, "ulimit -n %llu", (unsigned long long)(2 * need));
    else
        snprintf(mend, sizeof mend,
                 "echo '* - nofile %llu' >>/etc/security/limits.conf, then log in again (of a service: "
                 "LimitNOFILE=)",
                 (unsigned long long)(2 * need));
    pl_find(findings, need > facts->files ? PL_LEVEL_PROBLEM : PL_LEVEL_NOTE, "files", mend,
            "open files (ulimit -n) are limited to %llu; a rank of %d needs about %d, and the program some "
            "of its own",
            (unsigned long long)facts->files, facts->ranks, facts->rank_files);
}

void pl_check_cpus(const struct pl_facts *facts, struct pl_findings *findings)
{
    bool throttled = facts->cpu_quota > 0 && facts->cpu_quota < facts->cpus;
    double cpus = throttled ? facts->cpu_quota : facts->cpus;
    const char *why = throttled                          ? " (a quota of the control group)"
                      : facts->cpus < facts->cpus_online ? " (of more: cpuset or taskset)"
                                                         : "";
    if (facts->local_ranks <= cpus)
        pl_find(findings, PL_LEVEL_OK, "cpus", NULL, "%d rank%s on %g CPU%s%s: each may spin while it waits",
                facts->local_ranks, facts->local_ranks == 1 ? "" : "s", cpus, cpus == 1 ? "" : "s", why);
    else if (facts->local_ranks > facts->cpus)
        pl_find(findings, PL_LEVEL_NOTE, "cpus", "fewer ranks on this host: mpiexec -ppn, or slots=",
                "%d ranks share %g CPU%s%s: oversubscribed; a rank that waits sleeps at once, which costs "
                "microseconds a message",
                facts->local_ranks, cpus, cpus == 1 ? "" : "s", why);
    else
        pl_find(findings, PL_LEVEL_NOTE, "cpus",
                "ask for as many CPUs as ranks (docker run --cpus, limits.cpu of a pod, CPUQuota=)",
                "%d ranks on %d CPUs, of whose time the control group leaves %g: ranks that spin use it up, "
                "and all are stopped for a while",
                facts->local_ranks, facts->cpus, facts->cpu_quota);
}

void pl_check_knobs(char *const *environment, struct pl_findings *findings)
{
    int set = 0, count = findings->count;
    for (; environment && *environment; environment++) {
        char text[256], mend[PL_FINDING_MEND];
        if (strncmp(*environment, "PEAL_", 5))
            continue;
        const char *nearest = NULL;
        switch (pl_config_look(*environment, &nearest)) {
        case PL_KNOB_GOOD:
            set++;
            break;
        case PL_KNOB_UNKNOWN:
            snprintf(text, sizeof text, "%.*s", (int)strcspn(*environment, "="), *environment);
            snprintf(mend, sizeof mend, "unset %.100s%s%s%s", text, nearest ? "; export " : "",
                     nearest ? nearest : "", nearest ? *environment + strcspn(*environment, "=") : "");
            pl_find(findings, PL_LEVEL_NOTE, "knobs", mend, "%s is no variable of Peal's%s%s%s", text,
                    nearest ? ": did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
            break;
        case PL_KNOB_BAD:
            snprintf(mend, sizeof mend, "unset %.*s", (int)strcspn(*environment, "="), *environment);
            pl_find(findings, PL_LEVEL_NOTE, "knobs", mend,
                    "%.200s: this value cannot be used; the default is", *environment);
            break;
        case PL_KNOB_PLACE:
            break;
        }
    }
    if (findings->count == count)
        pl_find(findings, PL_LEVEL_OK, "knobs", NULL, "%d variable%s set, each known (peal info shows them)",
                set, set == 1 ? "" : "s");
}
