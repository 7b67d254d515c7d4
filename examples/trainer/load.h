/* load.h: the data, on every rank. */
#ifndef TRAIN_LOAD_H
#define TRAIN_LOAD_H

#include <mpi.h>

#include "data.h"
#include "options.h"

/* Collective. Fills *data on all ranks, or fails on all with the same text. */
int load_data(MPI_Comm comm, const struct options *options, struct data *data, struct failure *failure);

#endif
