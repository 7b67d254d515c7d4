/* The program's requests: MPI's generalised ones, ended from inside the pump.
 *
 * What the program waits for may be several operations (push and pull), each of many frames. The error of the
 * first that failed is what MPI_Wait returns.
 */
#include "ps.h"

#include <stdlib.h>

struct pl_ps_request {
    MPI_Request handle;
    int parts, error;
    bool dropped; /* MPI has given it up, with parts still to end */
};

static int query(void *state, MPI_Status *status)
{
    const struct pl_ps_request *request = state;
    MPI_Status_set_elements(status, MPI_BYTE, 0);
    MPI_Status_set_cancelled(status, 0);
    status->MPI_SOURCE = MPI_UNDEFINED;
    status->MPI_TAG = MPI_UNDEFINED;
    return request->error;
}

static int end(void *state)
{
    struct pl_ps_request *request = state;
    if (request->parts > 0)
        request->dropped = true;
    else
        free(request);
    return MPI_SUCCESS;
}

static int cancel(void *state, int complete)
{
    return MPI_SUCCESS;
}

struct pl_ps_request *pl_ps_request_create(int parts, MPI_Request *handle)
{
    struct pl_ps_request *request = malloc(sizeof *request);
    if (!request)
        return NULL;
    *request = (struct pl_ps_request){.parts = parts};
    if (MPI_Grequest_start(query, end, cancel, request, &request->handle)) {
        free(request);
        return NULL;
    }
    *handle = request->handle;
    return request;
}

void pl_ps_request_end(struct pl_ps_request *request, int error)
{
    if (!request)
        return;
    if (error && !request->error)
        request->error = error;
    if (--request->parts > 0)
        return;
    if (request->dropped)
        free(request);
    else
        MPI_Grequest_complete(request->handle);
}

void pl_ps_request_forget(struct pl_ps_request *request)
{
    if (request && --request->parts == 0)
        free(request);
}
