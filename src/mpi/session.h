/* Sessions (MPI 5.0, section 11.3). */
#ifndef PL_SESSION_H
#define PL_SESSION_H

#include "call.h"

struct pl_session {
    uintptr_t handle;
    int thread_level;
    struct pl_errhandler *errhandler; /* held */
};

/* Whether the world stays up, with no session open and after MPI_Finalize, for the next. */
bool pl_session_may_follow(const struct pl_mpi *mpi);
/* 0, or MPI_ERR_SESSION with its text. */
int pl_session_of(struct pl_mpi *mpi, MPI_Session handle, struct pl_session **session);
/* Ends a call by the session's error handler; NULL: there is no session to ask. */
int pl_session_return(struct pl_mpi *mpi, struct pl_session *session, int error);

#endif
