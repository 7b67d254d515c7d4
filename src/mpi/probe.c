/* Probe and matched probe (MPI 5.0, sections 3.8.1 to 3.8.3). */
#include "message.h"

#include "loss.h"

static int find(struct pl_mpi *mpi, int source, int tag, MPI_Comm comm, bool take, struct pl_comm **c,
                struct pl_message **message)
{
    *c = NULL;
    int error = pl_comm_of(mpi, comm, c);
    if (!error &&
        (source >= (*c)->target->size || (source < 0 && source != MPI_ANY_SOURCE && source != MPI_PROC_NULL)))
        error = pl_bad(MPI_ERR_RANK, "there is no rank %d in %s, whose ranks are 0..%d", source, (*c)->name,
                       (*c)->target->size - 1);
    if (!error && tag < 0 && tag != MPI_ANY_TAG)
        error = pl_bad(MPI_ERR_TAG, "tag %d is negative and not MPI_ANY_TAG", tag);
    *message = NULL;
    if (error || source == MPI_PROC_NULL)
        return error;
    if ((*c)->broken & PL_BREAK_REVOKED)
        return pl_source_check(*c, source);
    *message = pl_message_find(*c, PL_CHANNEL_USER, source, tag, take);
    return *message ? 0 : pl_source_check(*c, source);
}

/* Finds a message now or after one round of progress. */
static int look(struct pl_mpi *mpi, int source, int tag, MPI_Comm comm, bool take, struct pl_comm **c,
                struct pl_message **message)
{
    int error = find(mpi, source, tag, comm, take, c, message);
    if (error || *message || source == MPI_PROC_NULL)
        return error;
    int events = pl_poll(mpi->rank);
    return events < 0 ? events : find(mpi, source, tag, comm, take, c, message);
}

static int await(struct pl_mpi *mpi, int source, int tag, MPI_Comm comm, bool take, struct pl_comm **c,
                 struct pl_message **message)
{
    unsigned idle = 0;
    for (;;) {
        int error = find(mpi, source, tag, comm, take, c, message);
        if (error || *message || source == MPI_PROC_NULL)
            return error;
        int events = pl_progress(mpi->rank);
        if (events == 0)
            events = pl_idle(mpi->rank, idle++);
        else
            idle = 0;
        if (events < 0)
            return events;
    }
}

static void tell(MPI_Status *status, const struct pl_message *message)
{
    if (message)
        pl_status_set(status, pl_message_source(message), pl_message_tag(message), pl_message_length(message),
                      false);
    else
        pl_status_set(status, MPI_PROC_NULL, MPI_ANY_TAG, 0, false);
}

int PMPI_Probe(int source, int tag, MPI_Comm comm, MPI_Status *status)
{
    struct pl_mpi *mpi = pl_call("MPI_Probe");
    struct pl_comm *c;
    struct pl_message *message;
    int error = await(mpi, source, tag, comm, false, &c, &message);
    if (!error)
        tell(status, message);
    return pl_return(mpi, c, error);
}
PL_WEAK(Probe)

int PMPI_Iprobe(int source, int tag, MPI_Comm comm, int *flag, MPI_Status *status)
{
    struct pl_mpi *mpi = pl_call("MPI_Iprobe");
    struct pl_comm *c;
    struct pl_message *message;
    int error = look(mpi, source, tag, comm, false, &c, &message);
    if (!error)
        error = pl_check_pointer(flag, "flag");
    if (!error) {
        *flag = message || source == MPI_PROC_NULL;
        if (*flag)
            tell(status, message);
    }
    return pl_return(mpi, c, error);
}
PL_WEAK(Iprobe)

static int publish(struct pl_mpi *mpi, struct pl_message *message, MPI_Message *handle)
{
    if (!message) {
        *handle = MPI_MESSAGE_NO_PROC;
        return 0;
    }
    uintptr_t value = pl_handle_new(&mpi->handles[PL_CLASS_MESSAGE], PL_CLASS_MESSAGE, message);
    if (!value)
        return pl_fail(PL_ENOMEM, "no memory for a message handle");
    *handle = (MPI_Message)value;
    return 0;
}

int PMPI_Mprobe(int source, int tag, MPI_Comm comm, MPI_Message *handle, MPI_Status *status)
{
    struct pl_mpi *mpi = pl_call("MPI_Mprobe");
    struct pl_comm *c = NULL;
    struct pl_message *message;
    int error = pl_check_pointer(handle, "message");
    if (!error)
        error = await(mpi, source, tag, comm, true, &c, &message);
    if (!error)
        error = publish(mpi, message, handle);
    if (!error)
        tell(status, message);
    return pl_return(mpi, c, error);
}
PL_WEAK(Mprobe)

int PMPI_Improbe(int source, int tag, MPI_Comm comm, int *flag, MPI_Message *handle, MPI_Status *status)
{
    struct pl_mpi *mpi = pl_call("MPI_Improbe");
    struct pl_comm *c = NULL;
    struct pl_message *message;
    int error = pl_check_pointer(flag, "flag");
    if (!error)
        error = pl_check_pointer(handle, "message");
    if (!error)
        error = look(mpi, source, tag, comm, true, &c, &message);
    if (!error) {
        *flag = message || source == MPI_PROC_NULL;
        if (*flag) {
            error = publish(mpi, message, handle);
            tell(status, message);
        }
    }
    return pl_return(mpi, c, error);
}
PL_WEAK(Improbe)

static int message_of(struct pl_mpi *mpi, MPI_Message *handle, struct pl_message **message)
{
    int error = pl_check_pointer(handle, "message");
    *message = NULL;
    if (error || *handle == MPI_MESSAGE_NO_PROC)
        return error;
    *message = pl_handle_find(&mpi->handles[PL_CLASS_MESSAGE], PL_CLASS_MESSAGE, (uintptr_t)*handle);
    return *message ? 0
                    : pl_bad(MPI_ERR_REQUEST, "%p is not a message from a matched probe", (void *)*handle);
}

static int check(struct pl_mpi *mpi, void *buf, MPI_Count count, MPI_Datatype datatype, MPI_Message *handle,
                 struct pl_message **message, struct pl_data *data)
{
    int error = pl_data_of(mpi, buf, count, datatype, data);
    return error ? error : message_of(mpi, handle, message);
}

/* Starts the receive of a probed message; its handle becomes MPI_MESSAGE_NULL. */
static void start(struct pl_mpi *mpi, struct pl_request *request, struct pl_message *message,
                  const struct pl_data *data, MPI_Message *handle)
{
    if (message) {
        pl_handle_drop(&mpi->handles[PL_CLASS_MESSAGE], (uintptr_t)*handle);
        pl_message_recv(request, message, data->buffer, data->length, data->content, data->type);
    } else {
        pl_recv_start(request, mpi->rank->self, PL_CHANNEL_USER, data->buffer, 0, MPI_PROC_NULL, 0, 0);
    }
    *handle = MPI_MESSAGE_NULL;
}

int PMPI_Mrecv_c(void *buf, MPI_Count count, MPI_Datatype datatype, MPI_Message *handle, MPI_Status *status)
{
    struct pl_mpi *mpi = pl_call("MPI_Mrecv");
    struct pl_message *message = NULL;
    struct pl_data data;
    int error = check(mpi, buf, count, datatype, handle, &message, &data);
    struct pl_comm *comm = message ? pl_message_comm(message) : NULL;
    if (!error) {
        struct pl_request request;
        request.completed = NULL;
        start(mpi, &request, message, &data, handle);
        error = pl_request_wait(&request);
        pl_status_of(status, &request);
        pl_request_finish(&request);
    }
    return pl_return(mpi, comm, error);
}
PL_WEAK(Mrecv_c)

int PMPI_Mrecv(void *buf, int count, MPI_Datatype datatype, MPI_Message *message, MPI_Status *status)
{
    return PMPI_Mrecv_c(buf, count, datatype, message, status);
}
PL_WEAK(Mrecv)

int PMPI_Imrecv_c(void *buf, MPI_Count count, MPI_Datatype datatype, MPI_Message *handle,
                  MPI_Request *request)
{
    struct pl_mpi *mpi = pl_call("MPI_Imrecv");
    struct pl_message *message = NULL;
    struct pl_mpi_request *made;
    struct pl_data data;
    int error = check(mpi, buf, count, datatype, handle, &message, &data);
    if (!error)
        error = pl_check_pointer(request, "request");
    struct pl_comm *comm = message ? pl_message_comm(message) : mpi->rank->world;
    if (!error && !(made = pl_mpi_request_create(mpi, comm)))
        error = PL_ENOMEM;
    if (!error) {
        *request = (MPI_Request)made->handle;
        start(mpi, &made->base, message, &data, handle);
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Imrecv_c)

int PMPI_Imrecv(void *buf, int count, MPI_Datatype datatype, MPI_Message *message, MPI_Request *request)
{
    return PMPI_Imrecv_c(buf, count, datatype, message, request);
}
PL_WEAK(Imrecv)
