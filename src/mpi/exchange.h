/* Small exchanges of bytes that the MPI floor itself makes on a communicator. */
#ifndef PL_EXCHANGE_H
#define PL_EXCHANGE_H

#include "algorithm.h"
#include "comm.h"

/* 0 or an error. `length` bytes from each rank; out holds comm->size * length. */
int pl_exchange_allgather(struct pl_comm *comm, const void *in, void *out, size_t length);
int pl_exchange_bcast(struct pl_comm *comm, void *bytes, size_t length, int root);
int pl_exchange_barrier(struct pl_comm *comm, enum pl_barrier why);

#endif
