/* The objects behind MPI_Request handles, and statuses. */
#ifndef PL_MPI_REQUEST_H
#define PL_MPI_REQUEST_H

#include "call.h"
#include "request.h"

struct pl_run;

struct pl_mpi_request {
    struct pl_request base; /* a send or receive; of a collective only complete, error and text are used */
    struct pl_list link;    /* when free or given up */
    struct pl_mpi *mpi;
    struct pl_comm *comm; /* held */
    uintptr_t handle;
    bool collective;
    struct pl_run *run;      /* a collective under way */
    const struct pl_datatype *type; /* a collective's, held: the program may free its own */
    struct pl_op op;                /* the same, copied */
    bool freed; /* MPI_Request_free was called: it goes when it completes */
};

/* A fresh request with a handle, for an operation on comm; NULL: no memory (text set). */
struct pl_mpi_request *pl_mpi_request_create(struct pl_mpi *mpi, struct pl_comm *comm);
/* Makes it stand for a collective that is about to start. */
void pl_mpi_request_begin_run(struct pl_mpi_request *request);
/* Takes it back with its handle. */
void pl_mpi_request_destroy(struct pl_mpi_request *request);
/* 0, or MPI_ERR_REQUEST with its text. MPI_REQUEST_NULL gives NULL. */
int pl_mpi_request_of(struct pl_mpi *mpi, MPI_Request handle, struct pl_mpi_request **request);

/* What a complete receive tells. Either may be MPI_STATUS_IGNORE. */
void pl_status_set(MPI_Status *status, int source, int tag, size_t length, bool cancelled);
void pl_status_of(MPI_Status *status, const struct pl_request *request);
/* The status of nothing: any source, any tag, no bytes. */
void pl_status_empty(MPI_Status *status);

#endif
