/* Starting one process. */
#ifndef PL_SPAWN_H
#define PL_SPAWN_H

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

struct pl_spawn {
    const char *path; /* of the program; relative to wdir */
    char **argv, **environment;
    const char *wdir;      /* NULL: stay */
    int in, out, err;      /* its descriptors 0, 1, 2. All above 2, but `in` may be 0 */
    int pmi;               /* keeps its number; -1: none */
    int roll;              /* the same; 0: none */
    const cpu_set_t *cpus; /* NULL: wherever */
    sigset_t signals;      /* its signal mask */
    struct rlimit files;   /* its limit of open files */
};

/* Starts it, in a process group of its own, to be killed when mpiexec dies.
 * Returns when it runs: 0 and *pid; else PL_ESYSTEM, errno, and in *step the
 * step that failed: "fork", "change to its directory", "bind", "run". */
int pl_spawn(const struct pl_spawn *spawn, pid_t *pid, const char **step);

/* Where the program called `name` lies, by PATH if it has no slash; allocated.
 * NULL with errno: ENOENT, EACCES, ENOMEM. */
char *pl_spawn_find(const char *name);

#endif
