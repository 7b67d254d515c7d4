/* The state behind the MPI functions of one rank: made when its world is up, freed at the end. */
#ifndef PL_STATE_H
#define PL_STATE_H

#include "call.h"

/* The state of a rank, made on first use, whether or not MPI is up. NULL: no memory. Safe from any thread. */
struct pl_mpi *pl_mpi_memory(struct pl_rank *rank);

/* Makes MPI_COMM_WORLD, MPI_COMM_SELF and the tables of a rank whose ports are open.
 * NULL: no memory. On success rank->mpi_state is set. */
struct pl_mpi *pl_mpi_create(struct pl_rank *rank);
/* The opposite: frees what the program left behind but infos, error handlers and codes, which live on. */
void pl_mpi_end(struct pl_mpi *mpi);
/* Forgets the program's hooks (hook.c). */
void pl_hooks_end(struct pl_mpi *mpi);
/* Frees all. Accepts NULL. */
void pl_mpi_destroy(struct pl_mpi *mpi);

/* Inside a call (pl_call_any): brings MPI up if it is not, with at least that level of thread support. An
 * error if MPI has ended for good. */
int pl_mpi_start(struct pl_mpi *mpi, int thread_level);
/* Ends a call by taking MPI down: everybody must have agreed to part. */
void pl_mpi_stop(struct pl_mpi *mpi);

#endif
