/* Every kind of call in which a rank may wait for one that has died. Shared by the tests that kill processes
 * and those that kill ranks of an in-process world. */
#ifndef CALLS_H
#define CALLS_H

#include <mpi.h>

/* One kind: makes the call once on comm, so that it needs `victim`; `kept` has what it keeps from call to
 * call. Returns the call's error class. */
struct call {
    const char *name;
    int (*make)(MPI_Comm comm, int victim);
};

extern const struct call calls[]; /* ended by a NULL name */

/* The call of that name, or NULL. */
const struct call *find_call(const char *name);

/* Makes the call again and again until it fails; returns the error class, which says that a process died or
 * that the communicator was revoked, or a negative number: of another error, -1000 when none came in 20
 * seconds. */
int call_until_failure(const struct call *call, MPI_Comm comm, int victim);

#endif
