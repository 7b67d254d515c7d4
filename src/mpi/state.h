/* The state behind the MPI functions of one rank: made when its world is up, freed at the end. */
#ifndef PL_STATE_H
#define PL_STATE_H

#include "call.h"

/* Makes MPI_COMM_WORLD, MPI_COMM_SELF and the tables of a rank whose ports are open.
 * NULL: no memory. On success rank->mpi_state is set. */
struct pl_mpi *pl_mpi_create(struct pl_rank *rank);
/* Frees everything the rank's program left behind. Accepts NULL. */
void pl_mpi_destroy(struct pl_mpi *mpi);

#endif
