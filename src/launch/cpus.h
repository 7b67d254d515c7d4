/* The cores that ranks are bound to. */
#ifndef PL_CPUS_H
#define PL_CPUS_H

#include <sched.h>

enum { PL_CORES_MAX = 1024 };

struct pl_cores {
    int count;
    cpu_set_t sets[PL_CORES_MAX]; /* the allowed hardware threads of each core */
};

/* The cores that this process may use, each with its allowed hardware threads.
 * 0 or PL_ESYSTEM. */
int pl_cores_read(struct pl_cores *cores);

#endif
