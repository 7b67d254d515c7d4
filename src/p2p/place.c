/* Where a rank stands on its host: what it follows from that, for those who start ranks and those who only
 * look (`peal doctor`).
 */
#include "rank.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

bool pl_rank_needs(const char *transport, int local_size, int hosts, int opened)
{
    if (!strcmp(transport, "shm"))
        return local_size > 1;
    return hosts > 1 || !opened;
}

int pl_rank_cpus(void)
{
    cpu_set_t own, parents;
    if (sched_getaffinity(0, sizeof own, &own))
        return 1;
    if (sched_getaffinity(getppid(), sizeof parents, &parents))
        return CPU_COUNT(&own);
    CPU_OR(&parents, &parents, &own);
    return CPU_COUNT(&parents);
}
