/* Point to point (MPI 5.0, chapter 3): blocking and nonblocking sends and receives.
 * The forms with MPI_Count are the real ones; the others call them.
 */
#include "message.h"

#include "device.h"
#include "pack.h"

#include <limits.h>

enum { TAG_UB = INT_MAX, USUAL_COUNT = INT_MAX };

static int check_tag(int tag, bool any)
{
    if (tag >= 0 || (any && tag == MPI_ANY_TAG))
        return 0;
    return pl_bad(MPI_ERR_TAG, "tag %d is not in 0..%d%s", tag, TAG_UB, any ? " and not MPI_ANY_TAG" : "");
}

static int check_rank(const struct pl_comm *comm, int rank, bool any)
{
    int size = comm->target->size;
    if ((rank >= 0 && rank < size) || rank == MPI_PROC_NULL || (any && rank == MPI_ANY_SOURCE))
        return 0;
    return pl_bad(MPI_ERR_RANK, "there is no rank %d in %s, whose ranks are 0..%d", rank, comm->name,
                  size - 1);
}

/* Data with gaps, or beside its address. */
static void set_uneven(struct pl_data *data, const void *buf, size_t count, const struct pl_datatype *type)
{
    ptrdiff_t offset;
    data->type = pl_datatype_plain(type, count, &offset) ? NULL : type;
    data->buffer = (void *)((uintptr_t)buf + (data->type ? 0 : (uintptr_t)offset));
}

/* Data in memory of a driver keeps its type, also without gaps: so it is packed, from wherever it is. */
static void set_device(struct pl_mpi *mpi, struct pl_data *data, const void *buf,
                       const struct pl_datatype *type)
{
    if (!data->length || !pl_memory_holds(mpi->rank->memory, pl_data_begin(buf, type)))
        return;
    data->type = type;
    data->buffer = (void *)(uintptr_t)buf;
}

static inline int set_data(struct pl_mpi *mpi, struct pl_data *data, const void *buf, MPI_Count count,
                           const struct pl_datatype *type)
{
    data->buffer = (void *)(uintptr_t)buf;
    data->type = NULL;
    data->content = pl_content(type, (size_t)count);
    int error = pl_check_length(count, type, &data->length);
    if (error)
        return error;
    if (__builtin_expect(!type->contiguous, 0))
        set_uneven(data, buf, (size_t)count, type);
    if (__builtin_expect(mpi->rank->memory != NULL, 0))
        set_device(mpi, data, buf, type);
    return 0;
}

int pl_data_of(struct pl_mpi *mpi, const void *buf, MPI_Count count, MPI_Datatype datatype,
               struct pl_data *data)
{
    const struct pl_datatype *type;
    int error = pl_check_count(count);
    if (!error)
        error = pl_datatype_of(mpi, datatype, &type);
    if (!error)
        error = pl_check_buffer(buf, count, type);
    return error ? error : set_data(mpi, data, buf, count, type);
}

int pl_message_check(struct pl_mpi *mpi, const void *buf, MPI_Count count, MPI_Datatype datatype, int peer,
                     int tag, MPI_Comm comm, bool receive, struct pl_message_args *args)
{
    const struct pl_datatype *type;
    args->comm = NULL;
    args->peer = peer;
    args->tag = tag;
    if (!count && datatype == MPI_DATATYPE_NULL) /* no elements of no type: programs have it */
        datatype = MPI_BYTE;
    int error = pl_comm_of(mpi, comm, &args->comm);
    if (!error)
        error = pl_check_count(count);
    if (!error)
        error = pl_datatype_of(mpi, datatype, &type);
    if (!error)
        error = check_rank(args->comm, peer, receive);
    if (!error)
        error = check_tag(tag, receive);
    if (!error)
        error = pl_check_buffer(buf, count, type);
    return error ? error : set_data(mpi, &args->data, buf, count, type);
}

/* The same where all is as usual: a predefined type, a named peer, a tag, a buffer of the host. Else false,
 * and pl_message_check finds out what it is. */
static inline bool usual(struct pl_mpi *mpi, const void *buf, MPI_Count count, MPI_Datatype datatype,
                         int peer, int tag, MPI_Comm comm, struct pl_message_args *args)
{
    const struct pl_datatype *type = pl_datatype_predefined((uintptr_t)datatype);
    struct pl_comm *c = pl_comm_find(mpi, comm);
    if (!type || !c || !type->contiguous || (unsigned)peer >= (unsigned)c->target->size || tag < 0 || !buf ||
        buf == MPI_IN_PLACE || (uint64_t)count > USUAL_COUNT || pl_memory_holds(mpi->rank->memory, buf))
        return false;
    *args = (struct pl_message_args){
        c, {(void *)(uintptr_t)buf, (size_t)count * type->size, NULL, type->content}, peer, tag};
    return true;
}

static int send(const char *name, enum pl_mode mode, const void *buf, MPI_Count count, MPI_Datatype datatype,
                int dest, int tag, MPI_Comm comm)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_message_args args;
    int error = usual(mpi, buf, count, datatype, dest, tag, comm, &args)
                    ? 0
                    : pl_message_check(mpi, buf, count, datatype, dest, tag, comm, false, &args);
    if (!error) {
        struct pl_request request;
        request.completed = NULL;
        pl_data_send(&request, &args, PL_CHANNEL_USER, mode);
        error = request.complete && !request.error ? 0 : pl_request_wait(&request);
        pl_request_finish(&request);
    }
    return pl_return(mpi, args.comm, error);
}

int PMPI_Send_c(const void *buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm)
{
    return send("MPI_Send", PL_MODE_STANDARD, buf, count, datatype, dest, tag, comm);
}
PL_WEAK(Send_c)

int PMPI_Send(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm)
{
    return send("MPI_Send", PL_MODE_STANDARD, buf, count, datatype, dest, tag, comm);
}
PL_WEAK(Send)

int PMPI_Ssend_c(const void *buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm)
{
    return send("MPI_Ssend", PL_MODE_SYNCHRONOUS, buf, count, datatype, dest, tag, comm);
}
PL_WEAK(Ssend_c)

int PMPI_Ssend(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm)
{
    return send("MPI_Ssend", PL_MODE_SYNCHRONOUS, buf, count, datatype, dest, tag, comm);
}
PL_WEAK(Ssend)

int PMPI_Rsend_c(const void *buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm)
{
    return send("MPI_Rsend", PL_MODE_STANDARD, buf, count, datatype, dest, tag, comm);
}
PL_WEAK(Rsend_c)

int PMPI_Rsend(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm)
{
    return send("MPI_Rsend", PL_MODE_STANDARD, buf, count, datatype, dest, tag, comm);
}
PL_WEAK(Rsend)

static int receive(const char *name, void *buf, MPI_Count count, MPI_Datatype datatype, int source, int tag,
                   MPI_Comm comm, MPI_Status *status)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_message_args args;
    int error = usual(mpi, buf, count, datatype, source, tag, comm, &args)
                    ? 0
                    : pl_message_check(mpi, buf, count, datatype, source, tag, comm, true, &args);
    if (!error) {
        struct pl_request request;
        request.completed = NULL;
        pl_data_recv(&request, &args, PL_CHANNEL_USER);
        error = pl_request_wait(&request);
        pl_status_of(status, &request);
        pl_request_finish(&request);
    }
    return pl_return(mpi, args.comm, error);
}

int PMPI_Recv_c(void *buf, MPI_Count count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm,
                MPI_Status *status)
{
    return receive("MPI_Recv", buf, count, datatype, source, tag, comm, status);
}
PL_WEAK(Recv_c)

int PMPI_Recv(void *buf, int count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm,
              MPI_Status *status)
{
    return receive("MPI_Recv", buf, count, datatype, source, tag, comm, status);
}
PL_WEAK(Recv)

static int isend(const char *name, enum pl_mode mode, const void *buf, MPI_Count count, MPI_Datatype datatype,
                 int dest, int tag, MPI_Comm comm, MPI_Request *handle)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_message_args args;
    struct pl_mpi_request *request;
    int error = pl_message_check(mpi, buf, count, datatype, dest, tag, comm, false, &args);
    if (!error)
        error = pl_check_pointer(handle, "request");
    if (!error && !(request = pl_mpi_request_create(mpi, args.comm)))
        error = PL_ENOMEM;
    if (!error) {
        *handle = (MPI_Request)request->handle;
        pl_data_send(&request->base, &args, PL_CHANNEL_USER, mode);
    }
    return pl_return(mpi, args.comm, error);
}

int PMPI_Isend_c(const void *buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm,
                 MPI_Request *request)
{
    return isend("MPI_Isend", PL_MODE_STANDARD, buf, count, datatype, dest, tag, comm, request);
}
PL_WEAK(Isend_c)

int PMPI_Isend(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm,
               MPI_Request *request)
{
    return isend("MPI_Isend", PL_MODE_STANDARD, buf, count, datatype, dest, tag, comm, request);
}
PL_WEAK(Isend)

int PMPI_Issend_c(const void *buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm,
                  MPI_Request *request)
{
    return isend("MPI_Issend", PL_MODE_SYNCHRONOUS, buf, count, datatype, dest, tag, comm, request);
}
PL_WEAK(Issend_c)

int PMPI_Issend(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm,
                MPI_Request *request)
{
    return isend("MPI_Issend", PL_MODE_SYNCHRONOUS, buf, count, datatype, dest, tag, comm, request);
}
PL_WEAK(Issend)

int PMPI_Irsend_c(const void *buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm,
                  MPI_Request *request)
{
    return isend("MPI_Irsend", PL_MODE_STANDARD, buf, count, datatype, dest, tag, comm, request);
}
PL_WEAK(Irsend_c)

int PMPI_Irsend(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm,
                MPI_Request *request)
{
    return isend("MPI_Irsend", PL_MODE_STANDARD, buf, count, datatype, dest, tag, comm, request);
}
PL_WEAK(Irsend)

int PMPI_Irecv_c(void *buf, MPI_Count count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm,
                 MPI_Request *handle)
{
    struct pl_mpi *mpi = pl_call("MPI_Irecv");
    struct pl_message_args args;
    struct pl_mpi_request *request;
    int error = pl_message_check(mpi, buf, count, datatype, source, tag, comm, true, &args);
    if (!error)
        error = pl_check_pointer(handle, "request");
    if (!error && !(request = pl_mpi_request_create(mpi, args.comm)))
        error = PL_ENOMEM;
    if (!error) {
        *handle = (MPI_Request)request->handle;
        pl_data_recv(&request->base, &args, PL_CHANNEL_USER);
    }
    return pl_return(mpi, args.comm, error);
}
PL_WEAK(Irecv_c)

int PMPI_Irecv(void *buf, int count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm,
               MPI_Request *request)
{
    return PMPI_Irecv_c(buf, count, datatype, source, tag, comm, request);
}
PL_WEAK(Irecv)

int PMPI_Sendrecv_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, int dest, int sendtag,
                    void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype, int source, int recvtag,
                    MPI_Comm comm, MPI_Status *status)
{
    struct pl_mpi *mpi = pl_call("MPI_Sendrecv");
    struct pl_message_args out, in;
    int error = pl_message_check(mpi, sendbuf, sendcount, sendtype, dest, sendtag, comm, false, &out);
    if (!error)
        error = pl_message_check(mpi, recvbuf, recvcount, recvtype, source, recvtag, comm, true, &in);
    if (!error) {
        struct pl_request send_request, recv_request;
        send_request.completed = recv_request.completed = NULL;
        pl_data_recv(&recv_request, &in, PL_CHANNEL_USER);
        pl_data_send(&send_request, &out, PL_CHANNEL_USER, PL_MODE_STANDARD);
        int sent = pl_request_wait(&send_request);
        error = pl_request_wait(&recv_request);
        pl_status_of(status, &recv_request);
        if (sent && !error)
            error = pl_fail(sent, "%s", send_request.text ? send_request.text : "the send failed");
        pl_request_finish(&send_request);
        pl_request_finish(&recv_request);
    }
    return pl_return(mpi, out.comm, error);
}
PL_WEAK(Sendrecv_c)

int PMPI_Sendrecv(const void *sendbuf, int sendcount, MPI_Datatype sendtype, int dest, int sendtag,
                  void *recvbuf, int recvcount, MPI_Datatype recvtype, int source, int recvtag, MPI_Comm comm,
                  MPI_Status *status)
{
    return PMPI_Sendrecv_c(sendbuf, sendcount, sendtype, dest, sendtag, recvbuf, recvcount, recvtype, source,
                           recvtag, comm, status);
}
PL_WEAK(Sendrecv)
