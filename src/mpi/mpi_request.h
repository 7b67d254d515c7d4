/* The objects behind MPI_Request handles, and statuses. */
#ifndef PL_MPI_REQUEST_H
#define PL_MPI_REQUEST_H

#include "call.h"
#include "request.h"

struct pl_run;
struct pl_staging;

struct pl_mpi_request;

/* What is special about a request that is neither a plain message nor a collective. Each may be NULL. */
struct pl_special {
    /* Writes the status of a complete request, and returns its error; also called without ending it. */
    int (*status)(struct pl_mpi_request *request, MPI_Status *status);
    int (*cancel)(struct pl_mpi_request *request);
    int (*last)(struct pl_mpi_request *request);    /* the program's own end of it; its error is the wait's */
    void (*finish)(struct pl_mpi_request *request); /* frees `extra` and what it holds */
    bool named; /* its handle serves the program, to complete it, also after MPI_Request_free */
};

struct pl_mpi_request {
    struct pl_request base; /* a send or receive; of a collective only complete, error and text are used */
    struct pl_list link;    /* when free or given up */
    struct pl_mpi *mpi;
    struct pl_comm *comm; /* held */
    uintptr_t handle;
    bool collective;
    struct pl_run *run;             /* a collective under way */
    const struct pl_datatype *type; /* a collective's, held: the program may free its own */
    struct pl_op op;                /* the same, copied */
    struct pl_staging *staging;     /* a collective's on data with gaps, else NULL */
    bool freed;                     /* MPI_Request_free was called: it goes when it completes */
    /* Persistent requests; NULL: it is not one. Starts the operation (again); 0, or an error: then nothing
     * was started. A persistent request is inactive until started, and again once waited for: complete,
     * counted as MPI_REQUEST_NULL by everything that waits. */
    int (*start)(struct pl_mpi_request *request);
    bool active;
    const struct pl_special *special; /* or NULL */
    void *extra;                      /* the special request's own */
};

/* A fresh request with a handle, for an operation on comm; NULL: no memory (text set). */
struct pl_mpi_request *pl_mpi_request_create(struct pl_mpi *mpi, struct pl_comm *comm);
/* Makes it stand for a collective that is about to start. */
void pl_mpi_request_begin_run(struct pl_mpi_request *request);
/* Makes it persistent, and inactive. */
void pl_mpi_request_persist(struct pl_mpi_request *request, int (*start)(struct pl_mpi_request *request));
/* A request that p2p knows nothing of, as pl_mpi_request_begin_run makes it, is complete. */
void pl_mpi_request_end(struct pl_mpi_request *request);
/* The status of a complete request, and its error. It stays. */
int pl_mpi_request_status(struct pl_mpi_request *request, MPI_Status *status);
/* Takes it back with its handle. This and the next: 0, or what the end of a special request came to. */
int pl_mpi_request_destroy(struct pl_mpi_request *request);
/* Ends what it stands for and keeps it for the next; its handle is gone already. */
int pl_mpi_request_recycle(struct pl_mpi_request *request);
/* 0, or MPI_ERR_REQUEST with its text. MPI_REQUEST_NULL gives NULL. */
int pl_mpi_request_of(struct pl_mpi *mpi, MPI_Request handle, struct pl_mpi_request **request);

/* What a complete receive tells. Either may be MPI_STATUS_IGNORE. */
void pl_status_set(MPI_Status *status, int source, int tag, size_t length, bool cancelled);
void pl_status_of(MPI_Status *status, const struct pl_request *request);
/* The status of nothing: any source, any tag, no bytes. */
void pl_status_empty(MPI_Status *status);

#endif
