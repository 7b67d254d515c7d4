/* Starting persistent requests (MPI 5.0, sections 3.9 and 6.13). What is to be started, whoever made the
 * request knows: it left a function in it. A request that is inactive is complete, and nobody waits for it;
 * mpi_request.c sees to that.
 */
#include "mpi_request.h"

static int start(struct pl_mpi_request *request)
{
    if (!request)
        return pl_bad(MPI_ERR_REQUEST, "MPI_REQUEST_NULL cannot be started");
    if (!request->start)
        return pl_bad(MPI_ERR_REQUEST, "the request is not persistent");
    if (request->active)
        return pl_bad(MPI_ERR_REQUEST, "the request is under way, or nobody has waited for it yet");
    request->active = true;
    int error = request->start(request);
    if (error)
        request->active = false;
    return error;
}

int PMPI_Start(MPI_Request *handle)
{
    struct pl_mpi *mpi = pl_call("MPI_Start");
    struct pl_mpi_request *request = NULL;
    int error = pl_check_pointer(handle, "request");
    if (!error)
        error = pl_mpi_request_of(mpi, *handle, &request);
    if (!error)
        error = start(request);
    return pl_return(mpi, request ? request->comm : NULL, error);
}
PL_WEAK(Start)

int PMPI_Startall(int count, MPI_Request handles[])
{
    struct pl_mpi *mpi = pl_call("MPI_Startall");
    struct pl_mpi_request *request = NULL;
    int error = count < 0 ? pl_check_count(count) : 0;
    if (!error && count)
        error = pl_check_pointer(handles, "requests");
    for (int i = 0; i < count && !error; i++) {
        error = pl_mpi_request_of(mpi, handles[i], &request);
        if (!error)
            error = start(request);
    }
    return pl_return(mpi, request ? request->comm : NULL, error);
}
PL_WEAK(Startall)
