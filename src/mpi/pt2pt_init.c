/* Persistent messages and buffered ones (MPI 5.0, sections 3.4, 3.6 and 3.9). A persistent
 * request keeps the arguments of its call; starting it makes the call. A buffered send is
 * complete when it is in the buffer.
 */
#include "buffer.h"

#include <stdlib.h>

enum kind { SEND, SYNCHRONOUS_SEND, BUFFERED_SEND, RECEIVE };

struct message {
    struct pl_message_args args; /* the type is held; the communicator is the request's */
    enum kind kind;
};

/* A send that is complete. */
static void complete_at_once(struct pl_request *request, struct pl_comm *comm)
{
    pl_send_start(request, comm, PL_CHANNEL_USER, PL_MODE_STANDARD, NULL, 0, MPI_PROC_NULL, 0, 0);
}

static int start(struct pl_mpi_request *request)
{
    const struct message *message = request->extra;
    const struct pl_message_args *args = &message->args;
    int error = 0;
    switch (message->kind) {
    case SEND:
        pl_data_send(&request->base, args, PL_CHANNEL_USER, PL_MODE_STANDARD);
        break;
    case SYNCHRONOUS_SEND:
        pl_data_send(&request->base, args, PL_CHANNEL_USER, PL_MODE_SYNCHRONOUS);
        break;
    case BUFFERED_SEND:
        error = pl_buffered_send(request->mpi, args, &request->base);
        break;
    case RECEIVE:
        pl_data_recv(&request->base, args, PL_CHANNEL_USER);
        break;
    }
    return error;
}

static void finish(struct pl_mpi_request *request)
{
    struct message *message = request->extra;
    pl_datatype_release(message->args.data.type);
    free(message);
}

static const struct pl_special persistent = {.finish = finish};

static int init(const char *name, enum kind kind, const void *buf, MPI_Count count, MPI_Datatype datatype,
                int peer, int tag, MPI_Comm comm, MPI_Request *handle)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_message_args args;
    int error = pl_message_check(mpi, buf, count, datatype, peer, tag, comm, kind == RECEIVE, &args);
    if (!error)
        error = pl_check_pointer(handle, "request");
    if (error)
        return pl_return(mpi, args.comm, error);
    struct message *message = malloc(sizeof *message);
    struct pl_mpi_request *request = message ? pl_mpi_request_create(mpi, args.comm) : NULL;
    if (!request) {
        free(message);
        return pl_return(mpi, args.comm, pl_fail(PL_ENOMEM, "no memory for a persistent request"));
    }
    *message = (struct message){args, kind};
    if (args.data.type)
        pl_datatype_hold(args.data.type);
    request->extra = message;
    request->special = &persistent;
    complete_at_once(&request->base, args.comm);
    pl_mpi_request_persist(request, start);
    *handle = (MPI_Request)request->handle;
    return pl_return(mpi, args.comm, 0);
}

#define INIT(function, kind)                                                                                 \
    int PMPI_##function##_c(const void *buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag,      \
                            MPI_Comm comm, MPI_Request *request)                                             \
    {                                                                                                        \
        return init("MPI_" #function, kind, buf, count, datatype, dest, tag, comm, request);                 \
    }                                                                                                        \
    int PMPI_##function(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm, \
                        MPI_Request *request)                                                                \
    {                                                                                                        \
        return init("MPI_" #function, kind, buf, count, datatype, dest, tag, comm, request);                 \
    }

INIT(Send_init, SEND)
PL_WEAK(Send_init)
PL_WEAK(Send_init_c)

INIT(Ssend_init, SYNCHRONOUS_SEND)
PL_WEAK(Ssend_init)
PL_WEAK(Ssend_init_c)

INIT(Rsend_init, SEND)
PL_WEAK(Rsend_init)
PL_WEAK(Rsend_init_c)

INIT(Bsend_init, BUFFERED_SEND)
PL_WEAK(Bsend_init)
PL_WEAK(Bsend_init_c)

int PMPI_Recv_init_c(void *buf, MPI_Count count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm,
                     MPI_Request *request)
{
    return init("MPI_Recv_init", RECEIVE, buf, count, datatype, source, tag, comm, request);
}
PL_WEAK(Recv_init_c)

int PMPI_Recv_init(void *buf, int count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm,
                   MPI_Request *request)
{
    return init("MPI_Recv_init", RECEIVE, buf, count, datatype, source, tag, comm, request);
}
PL_WEAK(Recv_init)

int PMPI_Bsend_c(const void *buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm)
{
    struct pl_mpi *mpi = pl_call("MPI_Bsend");
    struct pl_message_args args;
    int error = pl_message_check(mpi, buf, count, datatype, dest, tag, comm, false, &args);
    if (!error)
        error = pl_buffered_send(mpi, &args, NULL);
    return pl_return(mpi, args.comm, error);
}
PL_WEAK(Bsend_c)

int PMPI_Bsend(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm)
{
    return PMPI_Bsend_c(buf, count, datatype, dest, tag, comm);
}
PL_WEAK(Bsend)

int PMPI_Ibsend_c(const void *buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm,
                  MPI_Request *handle)
{
    struct pl_mpi *mpi = pl_call("MPI_Ibsend");
    struct pl_message_args args;
    struct pl_mpi_request *request = NULL;
    int error = pl_message_check(mpi, buf, count, datatype, dest, tag, comm, false, &args);
    if (!error)
        error = pl_check_pointer(handle, "request");
    if (!error && !(request = pl_mpi_request_create(mpi, args.comm)))
        error = PL_ENOMEM;
    if (request) {
        error = pl_buffered_send(mpi, &args, &request->base);
        if (error)
            pl_mpi_request_destroy(request);
        else
            *handle = (MPI_Request)request->handle;
    }
    return pl_return(mpi, args.comm, error);
}
PL_WEAK(Ibsend_c)

int PMPI_Ibsend(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm,
                MPI_Request *request)
{
    return PMPI_Ibsend_c(buf, count, datatype, dest, tag, comm, request);
}
PL_WEAK(Ibsend)
