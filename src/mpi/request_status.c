/* Looking at requests without ending them (MPI 5.0, section 3.7.6). */
#include "mpi_request.h"

/* The request, or NULL for one that is null or inactive: nothing is under way, which is complete. */
static int look(struct pl_mpi *mpi, MPI_Request handle, struct pl_mpi_request **request)
{
    int error = pl_mpi_request_of(mpi, handle, request);
    if (!error && *request && !(*request)->active)
        *request = NULL;
    return error;
}

static int tell(struct pl_mpi_request *request, MPI_Status *status)
{
    if (request)
        return pl_mpi_request_status(request, status);
    pl_status_empty(status);
    return 0;
}

int PMPI_Request_get_status(MPI_Request handle, int *flag, MPI_Status *status)
{
    struct pl_mpi *mpi = pl_call("MPI_Request_get_status");
    struct pl_mpi_request *request = NULL;
    int error = look(mpi, handle, &request);
    if (!error)
        error = pl_check_pointer(flag, "flag");
    if (!error) {
        *flag = !request || pl_request_test(&request->base);
        if (*flag)
            error = tell(request, status);
    }
    return pl_return(mpi, request ? request->comm : NULL, error);
}
PL_WEAK(Request_get_status)

static int check_all(struct pl_mpi *mpi, int count, const MPI_Request requests[])
{
    struct pl_mpi_request *request;
    int error = count < 0 ? pl_check_count(count) : 0;
    if (!error && count)
        error = pl_check_pointer(requests, "requests");
    for (int i = 0; i < count && !error; i++)
        error = look(mpi, requests[i], &request);
    int events = error ? 0 : pl_poll(mpi->rank);
    return events < 0 ? events : error;
}

static MPI_Status *at(MPI_Status *statuses, int i)
{
    return statuses == MPI_STATUSES_IGNORE ? MPI_STATUS_IGNORE : &statuses[i];
}

int PMPI_Request_get_status_all(int count, const MPI_Request requests[], int *flag, MPI_Status statuses[])
{
    struct pl_mpi *mpi = pl_call("MPI_Request_get_status_all");
    struct pl_mpi_request *request;
    int error = pl_check_pointer(flag, "flag"), all = 1;
    if (!error)
        error = check_all(mpi, count, requests);
    for (int i = 0; i < count && !error; i++) {
        error = look(mpi, requests[i], &request);
        all = all && !error && (!request || request->base.complete);
    }
    for (int i = 0; i < count && !error && all; i++) {
        error = look(mpi, requests[i], &request);
        if (!error)
            error = tell(request, at(statuses, i));
    }
    if (flag && !error)
        *flag = all;
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Request_get_status_all)

int PMPI_Request_get_status_any(int count, const MPI_Request requests[], int *index, int *flag,
                                MPI_Status *status)
{
    struct pl_mpi *mpi = pl_call("MPI_Request_get_status_any");
    struct pl_mpi_request *request;
    int error = pl_check_pointer(flag, "flag"), active = 0, found = MPI_UNDEFINED;
    if (!error)
        error = pl_check_pointer(index, "index");
    if (!error)
        error = check_all(mpi, count, requests);
    for (int i = 0; i < count && !error && found == MPI_UNDEFINED; i++) {
        error = look(mpi, requests[i], &request);
        active += request != NULL;
        if (!error && request && request->base.complete) {
            found = i;
            error = tell(request, status);
        }
    }
    if (!error) {
        *flag = found != MPI_UNDEFINED || !active;
        *index = found;
        if (!active)
            pl_status_empty(status);
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Request_get_status_any)

int PMPI_Request_get_status_some(int incount, const MPI_Request requests[], int *outcount, int indices[],
                                 MPI_Status statuses[])
{
    struct pl_mpi *mpi = pl_call("MPI_Request_get_status_some");
    struct pl_mpi_request *request;
    int error = pl_check_pointer(outcount, "outcount"), active = 0, done = 0;
    if (!error && incount > 0)
        error = pl_check_pointer(indices, "indices");
    if (!error)
        error = check_all(mpi, incount, requests);
    for (int i = 0; i < incount && !error; i++) {
        error = look(mpi, requests[i], &request);
        active += request != NULL;
        if (error || !request || !request->base.complete)
            continue;
        indices[done] = i;
        error = tell(request, at(statuses, done));
        done++;
    }
    if (!error)
        *outcount = active ? done : MPI_UNDEFINED;
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Request_get_status_some)
