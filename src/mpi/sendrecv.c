/* A send and a receive in one call (MPI 5.0, section 3.10): the forms that replace what they
 * send, and the nonblocking ones. A request for two messages is complete when both are;
 * its status is the receive's.
 */
#include "message.h"

#include "device.h"

#include <stdlib.h>
#include <string.h>

/* The data of a message, copied to one piece. */
static int copy_of(struct pl_rank *rank, const struct pl_data *data, void **made)
{
    void *copy = malloc(data->length ? data->length : 1);
    if (!copy)
        return pl_fail(PL_ENOMEM, "no memory for a copy of %zu bytes", data->length);
    int error = 0;
    if (data->type)
        error = pl_pack_any(rank, data->type, 0, data->buffer, copy, data->length);
    else if (data->length)
        memcpy(copy, data->buffer, data->length);
    if (error)
        free(copy);
    else
        *made = copy;
    return error;
}

/* Makes `out` send a copy of its data. */
static int send_copy(struct pl_message_args *out, void **copy)
{
    int error = copy_of(out->comm->owner, &out->data, copy);
    if (error)
        return error;
    out->data.buffer = *copy;
    out->data.type = NULL;
    return 0;
}

int PMPI_Sendrecv_replace_c(void *buf, MPI_Count count, MPI_Datatype datatype, int dest, int sendtag,
                            int source, int recvtag, MPI_Comm comm, MPI_Status *status)
{
    struct pl_mpi *mpi = pl_call("MPI_Sendrecv_replace");
    struct pl_message_args out, in;
    void *copy = NULL;
    int error = pl_message_check(mpi, buf, count, datatype, dest, sendtag, comm, false, &out);
    if (!error)
        error = pl_message_check(mpi, buf, count, datatype, source, recvtag, comm, true, &in);
    if (!error)
        error = send_copy(&out, &copy);
    if (!error) {
        struct pl_request send, receive;
        send.completed = receive.completed = NULL;
        pl_data_recv(&receive, &in, PL_CHANNEL_USER);
        pl_data_send(&send, &out, PL_CHANNEL_USER, PL_MODE_STANDARD);
        int sent = pl_request_wait(&send);
        error = pl_request_wait(&receive);
        pl_status_of(status, &receive);
        if (sent && !error)
            error = pl_fail(sent, "%s", send.text ? send.text : "the send failed");
        pl_request_finish(&send);
        pl_request_finish(&receive);
    }
    free(copy);
    return pl_return(mpi, out.comm, error);
}
PL_WEAK(Sendrecv_replace_c)

int PMPI_Sendrecv_replace(void *buf, int count, MPI_Datatype datatype, int dest, int sendtag, int source,
                          int recvtag, MPI_Comm comm, MPI_Status *status)
{
    return PMPI_Sendrecv_replace_c(buf, count, datatype, dest, sendtag, source, recvtag, comm, status);
}
PL_WEAK(Sendrecv_replace)

struct both {
    struct pl_request send, receive;
    struct pl_mpi_request *request; /* NULL: given up after an error */
    int left;
    void *copy;
};

static void both_free(struct both *both)
{
    pl_request_finish(&both->send);
    pl_request_finish(&both->receive);
    free(both->copy);
    free(both);
}

static void one_done(struct pl_request *part)
{
    struct both *both = part->owner;
    if (--both->left)
        return;
    if (both->request)
        pl_mpi_request_end(both->request);
    else
        both_free(both);
}

static int both_status(struct pl_mpi_request *request, MPI_Status *status)
{
    struct both *both = request->extra;
    const struct pl_request *failed = both->receive.error ? &both->receive : &both->send;
    pl_status_of(status, &both->receive);
    if (request->base.error) /* it was given up: a deadlock */
        failed = &request->base;
    return failed->error ? pl_fail(failed->error, "%s", failed->text ? failed->text : "") : 0;
}

static void both_finish(struct pl_mpi_request *request)
{
    struct both *both = request->extra;
    both->request = NULL;
    if (!both->left)
        both_free(both);
}

static const struct pl_special both_special = {.status = both_status, .finish = both_finish};

/* Starts both; the copy, if there is one, is the request's. */
static int start_both(struct pl_mpi *mpi, const struct pl_message_args *out, const struct pl_message_args *in,
                      void *copy, MPI_Request *handle)
{
    struct both *both = calloc(1, sizeof *both);
    struct pl_mpi_request *request = both ? pl_mpi_request_create(mpi, out->comm) : NULL;
    if (!request) {
        free(both);
        free(copy);
        return pl_fail(PL_ENOMEM, "no memory for a request");
    }
    both->request = request;
    both->left = 2;
    both->copy = copy;
    both->send.completed = both->receive.completed = one_done;
    both->send.owner = both->receive.owner = both;
    pl_mpi_request_begin_run(request);
    request->special = &both_special;
    request->extra = both;
    *handle = (MPI_Request)request->handle;
    pl_data_recv(&both->receive, in, PL_CHANNEL_USER);
    pl_data_send(&both->send, out, PL_CHANNEL_USER, PL_MODE_STANDARD);
    return 0;
}

int PMPI_Isendrecv_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, int dest, int sendtag,
                     void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype, int source, int recvtag,
                     MPI_Comm comm, MPI_Request *request)
{
    struct pl_mpi *mpi = pl_call("MPI_Isendrecv");
    struct pl_message_args out, in;
    int error = pl_message_check(mpi, sendbuf, sendcount, sendtype, dest, sendtag, comm, false, &out);
    if (!error)
        error = pl_message_check(mpi, recvbuf, recvcount, recvtype, source, recvtag, comm, true, &in);
    if (!error)
        error = pl_check_pointer(request, "request");
    if (!error)
        error = start_both(mpi, &out, &in, NULL, request);
    return pl_return(mpi, out.comm, error);
}
PL_WEAK(Isendrecv_c)

int PMPI_Isendrecv(const void *sendbuf, int sendcount, MPI_Datatype sendtype, int dest, int sendtag,
                   void *recvbuf, int recvcount, MPI_Datatype recvtype, int source, int recvtag,
                   MPI_Comm comm, MPI_Request *request)
{
    return PMPI_Isendrecv_c(sendbuf, sendcount, sendtype, dest, sendtag, recvbuf, recvcount, recvtype, source,
                            recvtag, comm, request);
}
PL_WEAK(Isendrecv)

int PMPI_Isendrecv_replace_c(void *buf, MPI_Count count, MPI_Datatype datatype, int dest, int sendtag,
                             int source, int recvtag, MPI_Comm comm, MPI_Request *request)
{
    struct pl_mpi *mpi = pl_call("MPI_Isendrecv_replace");
    struct pl_message_args out, in;
    void *copy = NULL;
    int error = pl_message_check(mpi, buf, count, datatype, dest, sendtag, comm, false, &out);
    if (!error)
        error = pl_message_check(mpi, buf, count, datatype, source, recvtag, comm, true, &in);
    if (!error)
        error = pl_check_pointer(request, "request");
    if (!error)
        error = send_copy(&out, &copy);
    if (!error)
        error = start_both(mpi, &out, &in, copy, request);
    return pl_return(mpi, out.comm, error);
}
PL_WEAK(Isendrecv_replace_c)

int PMPI_Isendrecv_replace(void *buf, int count, MPI_Datatype datatype, int dest, int sendtag, int source,
                           int recvtag, MPI_Comm comm, MPI_Request *request)
{
    return PMPI_Isendrecv_replace_c(buf, count, datatype, dest, sendtag, source, recvtag, comm, request);
}
PL_WEAK(Isendrecv_replace)
