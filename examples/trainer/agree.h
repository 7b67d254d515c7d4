/* agree.h: all ranks go on, or all stop. */
#ifndef TRAIN_AGREE_H
#define TRAIN_AGREE_H

#include <mpi.h>
#include <stddef.h>

#include "failure.h"

/* Collective. 0 when every rank's failure->text is empty; else -1 on all, and all
 * have the text of the lowest rank that failed. */
int agree(MPI_Comm comm, struct failure *failure);

/* Collective. Sends `size` bytes of rank 0, however many, to all. */
void broadcast(MPI_Comm comm, void *bytes, size_t size);

#endif
