/* A core is known by the lowest of the hardware threads that share it, as sysfs
 * lists them; where sysfs does not say, each thread counts as a core. Only what
 * this process may use is looked at, so that cpusets and taskset are respected.
 */
#include "cpus.h"

#include "errors.h"

#include <stdio.h>

static int lowest_sibling(int cpu)
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    FILE *file = fopen(path, "re");
    int sibling = cpu;
    if (file) {
        if (fscanf(file, "%d", &sibling) != 1)
            sibling = cpu;
        fclose(file);
    }
    return sibling;
}

int pl_cores_read(struct pl_cores *cores)
{
    cpu_set_t allowed;
    int siblings[PL_CORES_MAX];
    if (sched_getaffinity(0, sizeof allowed, &allowed))
        return pl_fail_errno("sched_getaffinity");
    cores->count = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed))
            continue;
        int sibling = lowest_sibling(cpu), core = 0;
        while (core < cores->count && siblings[core] != sibling)
            core++;
        if (core == cores->count) {
            siblings[cores->count] = sibling;
            CPU_ZERO(&cores->sets[cores->count++]);
        }
        CPU_SET(cpu, &cores->sets[core]);
    }
    return 0;
}
