/* Reading facts. Everything is a file below a root: limits are in /proc/self/limits, so that not even they
 * need a call. What is not there leaves the value that means "no limit": a kernel without yama lets processes
 * read each other, a system without control groups bounds nothing.
 *
 * Control groups are looked at from the process's own group upwards, since the narrowest counts. In a
 * container the group's path often names a directory of the host that is not visible; the root of the mount
 * is the container's own group then.
 */
#include "facts.h"

#include "shm_segment.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

const struct pl_roots pl_roots_here = {"/proc", "/sys", "/dev"};

enum { LINE = 512, DEPTH = 32 };

__attribute__((format(printf, 3, 4))) static bool read_line(char *line, size_t size, const char *format, ...)
{
    char path[LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(path, sizeof path, format, args);
    va_end(args);
    FILE *file = fopen(path, "re");
    bool got = file && fgets(line, (int)size, file);
    if (file)
        fclose(file);
    if (got)
        line[strcspn(line, "\n")] = '\0';
    return got;
}

static uint64_t number_or_unlimited(const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    return end == text ? PL_UNLIMITED : value;
}

/* "Max open files            1024                 1048576              files" */
static void read_limits(struct pl_facts *facts, const struct pl_roots *roots)
{
    const struct {
        const char *name;
        uint64_t *soft, *hard;
    } wanted[] = {
        {"Max locked memory", &facts->memlock, &facts->memlock_most},
        {"Max open files", &facts->files, &facts->files_most},
        {"Max file size", &facts->file_size, NULL},
        {"Max address space", &facts->address_space, NULL},
    };
    char path[LINE], line[LINE];
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        *wanted[i].soft = PL_UNLIMITED;
        if (wanted[i].hard)
            *wanted[i].hard = PL_UNLIMITED;
    }
    snprintf(path, sizeof path, "%s/self/limits", roots->proc);
    FILE *file = fopen(path, "re");
    facts->proc_there = file;
    while (file && fgets(line, sizeof line, file))
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
            char soft[32], hard[32];
            size_t length = strlen(wanted[i].name);
            if (strncmp(line, wanted[i].name, length) || sscanf(line + length, "%31s %31s", soft, hard) != 2)
                continue;
            *wanted[i].soft = number_or_unlimited(soft);
            if (wanted[i].hard)
                *wanted[i].hard = number_or_unlimited(hard);
        }
    if (file)
        fclose(file);
}

static void read_status(struct pl_facts *facts, const struct pl_roots *roots)
{
    enum { CAP_SYS_PTRACE_BIT = 19 };
    char path[LINE], line[LINE];
    facts->seccomp = 0;
    facts->may_trace = false;
    snprintf(path, sizeof path, "%s/self/status", roots->proc);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        if (!strncmp(line, "Seccomp:", 8))
            facts->seccomp = atoi(line + 8);
        if (!strncmp(line, "CapEff:", 7))
            facts->may_trace = strtoull(line + 7, NULL, 16) >> CAP_SYS_PTRACE_BIT & 1;
    }
    if (file)
        fclose(file);
    facts->ptrace_scope =
        read_line(line, sizeof line, "%s/sys/kernel/yama/ptrace_scope", roots->proc) ? atoi(line) : -1;
}

static void read_memory(struct pl_facts *facts, const struct pl_roots *roots)
{
    char path[LINE], line[LINE];
    facts->memory_available = PL_UNLIMITED;
    snprintf(path, sizeof path, "%s/meminfo", roots->proc);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, "MemAvailable:", 13))
            facts->memory_available = strtoull(line + 13, NULL, 10) << 10;
    if (file)
        fclose(file);
    struct statvfs shm;
    snprintf(path, sizeof path, "%s/shm", roots->dev);
    bool there = !statvfs(path, &shm);
    facts->shm_size = there ? (uint64_t)shm.f_blocks * shm.f_frsize : 0;
    facts->shm_free = there ? (uint64_t)shm.f_bavail * shm.f_frsize : 0;
}

/* The group of this process below the mount of `controller` ("" for version 2), "/" if it is not known. */
static void own_group(const struct pl_roots *roots, const char *controller, char *group, size_t size)
{
    char path[LINE], line[LINE];
    snprintf(group, size, "/");
    snprintf(path, sizeof path, "%s/self/cgroup", roots->proc);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        char *rest = line, *save, *word;
        line[strcspn(line, "\n")] = '\0';
        strsep(&rest, ":");
        char *controllers = strsep(&rest, ":");
        if (!rest || (!*controller) != !*controllers)
            continue;
        bool here = !*controller;
        for (word = strtok_r(controllers, ",", &save); word; word = strtok_r(NULL, ",", &save))
            here |= !strcmp(word, controller);
        if (here)
            snprintf(group, size, "%s", rest);
    }
    if (file)
        fclose(file);
}

static void narrow(struct pl_facts *facts, double quota, uint64_t limit, uint64_t used)
{
    if (quota > 0 && (facts->cpu_quota == 0 || quota < facts->cpu_quota))
        facts->cpu_quota = quota;
    if (limit < facts->memory_limit) {
        facts->memory_limit = limit;
        facts->memory_used = used;
    }
}

static void read_group_2(struct pl_facts *facts, const char *sys, const char *group)
{
    char line[LINE];
    double quota = 0, period = 0;
    if (read_line(line, sizeof line, "%s/fs/cgroup%s/cpu.max", sys, group) &&
        sscanf(line, "%lf %lf", &quota, &period) != 2)
        quota = 0;
    uint64_t limit = PL_UNLIMITED, used = 0;
    if (read_line(line, sizeof line, "%s/fs/cgroup%s/memory.max", sys, group))
        limit = number_or_unlimited(line);
    if (read_line(line, sizeof line, "%s/fs/cgroup%s/memory.current", sys, group))
        used = number_or_unlimited(line);
    narrow(facts, period > 0 ? quota / period : 0, limit, used);
}

/* In version 1 a limit that is none is a huge number. */
static void read_group_1(struct pl_facts *facts, const char *sys, const char *cpu, const char *memory)
{
    char line[LINE];
    double quota = 0, period = 0;
    uint64_t limit = PL_UNLIMITED, used = 0;
    if (read_line(line, sizeof line, "%s/fs/cgroup/cpu%s/cpu.cfs_quota_us", sys, cpu))
        quota = atof(line);
    if (read_line(line, sizeof line, "%s/fs/cgroup/cpu%s/cpu.cfs_period_us", sys, cpu))
        period = atof(line);
    if (read_line(line, sizeof line, "%s/fs/cgroup/memory%s/memory.limit_in_bytes", sys, memory))
        limit = number_or_unlimited(line);
    if (read_line(line, sizeof line, "%s/fs/cgroup/memory%s/memory.usage_in_bytes", sys, memory))
        used = number_or_unlimited(line);
    narrow(facts, quota > 0 && period > 0 ? quota / period : 0,
           limit < (uint64_t)1 << 60 ? limit : PL_UNLIMITED, used);
}

/* The group above; false: this was the top. */
static bool upwards(char *group)
{
    char *slash = strrchr(group, '/');
    if (!slash || !group[0] || !strcmp(group, "/")) {
        bool more = group[0] != '\0';
        group[0] = '\0';
        return more;
    }
    *slash = '\0';
    return true;
}

static void read_groups(struct pl_facts *facts, const struct pl_roots *roots)
{
    char group[LINE], memory[LINE];
    facts->cpu_quota = 0;
    facts->memory_limit = PL_UNLIMITED;
    facts->memory_used = 0;
    own_group(roots, "", group, sizeof group);
    for (int i = 0; i < DEPTH; i++) {
        read_group_2(facts, roots->sys, strcmp(group, "/") ? group : "");
        if (!upwards(group))
            break;
    }
    own_group(roots, "cpu", group, sizeof group);
    own_group(roots, "memory", memory, sizeof memory);
    for (int i = 0; i < DEPTH; i++) {
        read_group_1(facts, roots->sys, strcmp(group, "/") ? group : "", strcmp(memory, "/") ? memory : "");
        bool more = upwards(group);
        if (!upwards(memory) && !more)
            break;
    }
}

void pl_facts_read(struct pl_facts *facts, const struct pl_roots *roots)
{
    read_limits(facts, roots);
    read_status(facts, roots);
    read_memory(facts, roots);
    read_groups(facts, roots);
}

void pl_facts_needs(struct pl_facts *facts)
{
    enum { BASE = 24, ADDRESSES = 16 };
    int far = facts->ranks - facts->local_ranks, near = facts->local_ranks - 1;
    facts->rank_segment =
        facts->wants_shm && near > 0 ? 2 * PL_SHM_HEADER + (uint64_t)near * PL_RING_BYTES : 0;
    facts->rank_segment_most = facts->rank_segment ? pl_segment_bytes(facts->ranks + PL_SHM_EXTRA_SLOTS) : 0;
    /* A peer of this host: its process's descriptor and, for a moment, its segment; one elsewhere: a socket.
     */
    facts->rank_files = BASE + (far ? ADDRESSES + far : 0) + (facts->wants_shm ? near : 0);
}
