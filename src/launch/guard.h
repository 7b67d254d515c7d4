/* Who ends the ranks' processes when mpiexec, or an agent, is killed. */
#ifndef PL_GUARD_H
#define PL_GUARD_H

#include <sys/types.h>

struct pl_guard {
    int fd;    /* to the guard; -1: there is none */
    pid_t pid; /* the guard's */
    int count;
    _Atomic pid_t *groups; /* [count], shared with the guard: a process group of each rank; 0: gone */
};

/* Starts one for `count` groups. 0 or an error, after which the other functions do nothing. */
int pl_guard_start(struct pl_guard *guard, int count);

/* Rank i of them runs in this group, or its group has no members any more (0). */
void pl_guard_note(struct pl_guard *guard, int i, pid_t group);

/* Ends the guard; nothing is killed. May be called twice. */
void pl_guard_finish(struct pl_guard *guard);

#endif
