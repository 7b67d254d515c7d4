/* Generalised requests (MPI 5.0, section 13.2): operations of the program's own that MPI_Wait
 * and the others wait for. The program says when one is complete, and fills in its status.
 *
 * The callbacks may call MPI, so they run outside of the rank's lock.
 */
#include "mpi_request.h"

#include <stdlib.h>

struct general {
    MPI_Grequest_query_function *query;
    MPI_Grequest_free_function *free;
    MPI_Grequest_cancel_function *cancel;
    void *state;
    bool finishing;
};

/* Runs a callback outside of the call that is being made. */
#define OUTSIDE(rank, statement)                                                                             \
    do {                                                                                                     \
        const char *inside = (rank)->call;                                                                   \
        pl_leave(rank);                                                                                      \
        statement;                                                                                           \
        pl_enter(rank);                                                                                      \
        (rank)->call = inside;                                                                               \
    } while (0)

static int failed(int code, const char *which)
{
    return code ? pl_bad(code, "the %s function of a generalised request returned %d", which, code) : 0;
}

static int status(struct pl_mpi_request *request, MPI_Status *to)
{
    struct general *general = request->extra;
    MPI_Status own;
    int code = 0;
    pl_status_empty(&own);
    if (request->base.error) /* given up: everybody waits for ever, or this rank is dead */
        return pl_fail(request->base.error, "%s", request->base.text ? request->base.text : "");
    OUTSIDE(request->mpi->rank, code = general->query ? general->query(general->state, &own) : 0);
    if (to != MPI_STATUS_IGNORE) {
        int error = to->MPI_ERROR;
        *to = own;
        to->MPI_ERROR = error;
    }
    return failed(code, "query");
}

static int cancel(struct pl_mpi_request *request)
{
    struct general *general = request->extra;
    int code = 0;
    if (general->cancel)
        OUTSIDE(request->mpi->rank, code = general->cancel(general->state, request->base.complete));
    return failed(code, "cancel");
}

static int last(struct pl_mpi_request *request)
{
    struct general *general = request->extra;
    int code = 0;
    if (general->free && request->base.complete)
        OUTSIDE(request->mpi->rank, code = general->free(general->state));
    return failed(code, "free");
}

static void finish(struct pl_mpi_request *request)
{
    free(request->extra);
}

static const struct pl_special special = {
    .status = status, .cancel = cancel, .last = last, .finish = finish, .named = true};

int PMPI_Grequest_start(MPI_Grequest_query_function *query_fn, MPI_Grequest_free_function *free_fn,
                        MPI_Grequest_cancel_function *cancel_fn, void *extra_state, MPI_Request *handle)
{
    struct pl_mpi *mpi = pl_call("MPI_Grequest_start");
    int error = pl_check_pointer(handle, "request");
    if (error)
        return pl_return(mpi, NULL, error);
    struct general *general = malloc(sizeof *general);
    struct pl_mpi_request *request = general ? pl_mpi_request_create(mpi, mpi->rank->self) : NULL;
    if (!request) {
        free(general);
        return pl_return(mpi, NULL, pl_fail(PL_ENOMEM, "no memory for a request"));
    }
    *general = (struct general){query_fn, free_fn, cancel_fn, extra_state, false};
    pl_mpi_request_begin_run(request);
    request->special = &special;
    request->extra = general;
    *handle = (MPI_Request)request->handle;
    return pl_return(mpi, NULL, 0);
}
PL_WEAK(Grequest_start)

int PMPI_Grequest_complete(MPI_Request handle)
{
    struct pl_mpi *mpi = pl_call("MPI_Grequest_complete");
    /* One whose handle was freed is found, too: this is how it ends. */
    struct pl_mpi_request *request =
        pl_handle_find(&mpi->handles[PL_CLASS_REQUEST], PL_CLASS_REQUEST, (uintptr_t)handle);
    int error = 0;
    if (!request || request->special != &special)
        error = pl_bad(MPI_ERR_REQUEST, "%p is not a generalised request", (void *)handle);
    if (!error && request->base.complete)
        error = pl_bad(MPI_ERR_REQUEST, "the generalised request is complete already");
    if (!error)
        pl_mpi_request_end(request);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Grequest_complete)
