/* Partitioned messages (MPI 5.0, chapter 4): the sender says of one part after the other that
 * it is ready. Here the message goes as one, when the last part is: that is allowed, right for
 * any two ways to part it, and costs one message. What it does not give is overlap.
 *
 * Sends and receives meet in the order in which they were made, once and for good, in whatever
 * order they are started. So each send introduces itself when it is made, with a number, and the
 * receives that are made meet these introductions; the data then goes under the number:
 *
 *     MPI_Psend_init  --- number, under the program's tag --->  MPI_Precv_init
 *     MPI_Pready (the last)  --- data, under the number --->    MPI_Start
 *
 * Such messages meet only each other: they have a channel of the communicator to themselves.
 */
#include "message.h"

#include <stdlib.h>
#include <string.h>

enum { DATA_TAG = -16 }; /* data goes under this less the number */

struct parted;

/* How the two sides find each other. It outlives its request while the message is under way. */
struct pairing {
    struct pl_request request;
    struct pl_comm *comm;  /* held */
    struct parted *parted; /* whose it is; NULL: nobody's any more */
    int number;
};

struct parted {
    struct pl_mpi_request *request;
    struct pl_message_args args; /* the type is held */
    struct pairing *pairing;     /* NULL: with MPI_PROC_NULL */
    bool is_send, waits;         /* a receive that was started before its introduction came */
    int partitions, left;
    bool ready[];
};

static void send_data(struct parted *parted)
{
    struct pl_message_args args = parted->args;
    if (parted->pairing)
        args.tag = DATA_TAG - parted->pairing->number;
    pl_data_send(&parted->request->base, &args, PL_CHANNEL_PARTITIONED, PL_MODE_STANDARD);
}

static void recv_data(struct parted *parted)
{
    struct pl_message_args args = parted->args;
    const struct pairing *pairing = parted->pairing;
    parted->waits = false;
    if (pairing && pairing->request.error) {
        struct pl_mpi_request *request = parted->request;
        request->base.error = pairing->request.error;
        request->base.text = strdup(pairing->request.text ? pairing->request.text : "the sender is lost");
        pl_mpi_request_end(request);
        return;
    }
    if (pairing)
        args.tag = DATA_TAG - pairing->number;
    pl_data_recv(&parted->request->base, &args, PL_CHANNEL_PARTITIONED);
}

static void end_pairing(struct pairing *pairing)
{
    pl_request_finish(&pairing->request);
    pl_comm_release(pairing->comm);
    free(pairing);
}

static void paired(struct pl_request *request)
{
    struct pairing *pairing = pl_container(request, struct pairing, request);
    if (!pairing->parted)
        end_pairing(pairing);
    else if (pairing->parted->waits)
        recv_data(pairing->parted);
}

static int introduce(struct parted *parted)
{
    const struct pl_message_args *args = &parted->args;
    struct pairing *pairing = calloc(1, sizeof *pairing);
    if (!pairing)
        return pl_fail(PL_ENOMEM, "no memory for a partitioned message");
    *pairing = (struct pairing){.comm = args->comm, .parted = parted};
    pl_comm_hold(args->comm);
    parted->pairing = pairing;
    pairing->request.completed = paired;
    pairing->number = parted->is_send ? ++parted->request->mpi->partitioned : 0;
    if (parted->is_send)
        pl_send_start(&pairing->request, args->comm, PL_CHANNEL_PARTITIONED, PL_MODE_STANDARD,
                      &pairing->number, sizeof pairing->number, args->peer, args->tag, 0);
    else
        pl_recv_start(&pairing->request, args->comm, PL_CHANNEL_PARTITIONED, &pairing->number,
                      sizeof pairing->number, args->peer, args->tag, 0);
    return 0;
}

/* A request that p2p knows nothing of yet, and that is not complete. */
static void begin(struct pl_request *base)
{
    base->complete = false;
    base->matched = true;
    base->cookie = 0;
    base->error = 0;
    base->text = NULL;
}

static int start(struct pl_mpi_request *request)
{
    struct parted *parted = request->extra;
    begin(&request->base);
    if (!parted->is_send) {
        parted->waits = parted->pairing && !parted->pairing->request.complete;
        if (!parted->waits)
            recv_data(parted);
        return 0;
    }
    parted->left = parted->partitions;
    for (int i = 0; i < parted->partitions; i++)
        parted->ready[i] = false;
    if (!parted->left)
        send_data(parted);
    return 0;
}

/* The tag is the program's. */
static int status_of(struct pl_mpi_request *request, MPI_Status *status)
{
    const struct parted *parted = request->extra;
    pl_status_of(status, &request->base);
    if (!parted->is_send && parted->pairing && status != MPI_STATUS_IGNORE)
        status->MPI_TAG = parted->args.tag;
    return request->base.error
               ? pl_fail(request->base.error, "%s", request->base.text ? request->base.text : "")
               : 0;
}

static int cancel(struct pl_mpi_request *request)
{
    return 0;
}

static void finish(struct pl_mpi_request *request)
{
    struct parted *parted = request->extra;
    struct pairing *pairing = parted->pairing;
    if (pairing) {
        pairing->parted = NULL;
        if (pairing->request.complete)
            end_pairing(pairing);
        else if (!parted->is_send)
            pl_request_cancel(&pairing->request);
    }
    pl_datatype_release(parted->args.data.type);
    free(parted);
}

static const struct pl_special special = {.status = status_of, .cancel = cancel, .finish = finish};

static int init(const char *name, bool is_send, const void *buf, int partitions, MPI_Count count,
                MPI_Datatype datatype, int peer, int tag, MPI_Comm comm, MPI_Request *handle)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_message_args args = {.comm = NULL};
    MPI_Count whole = 0;
    int error = 0;
    if (partitions < 0)
        error = pl_bad(MPI_ERR_ARG, "%d partitions", partitions);
    else if (__builtin_mul_overflow((MPI_Count)partitions, count, &whole))
        error = pl_bad(MPI_ERR_COUNT, "%d partitions of %lld elements are more than any memory", partitions,
                       (long long)count);
    if (!error)
        error = pl_message_check(mpi, buf, whole, datatype, peer, tag, comm, false, &args);
    if (!error)
        error = pl_check_pointer(handle, "request");
    if (error)
        return pl_return(mpi, args.comm, error);
    struct parted *parted = calloc(1, sizeof *parted + (size_t)partitions);
    struct pl_mpi_request *request = parted ? pl_mpi_request_create(mpi, args.comm) : NULL;
    if (!request) {
        free(parted);
        return pl_return(mpi, args.comm, pl_fail(PL_ENOMEM, "no memory for a partitioned message"));
    }
    parted->args = args;
    parted->request = request;
    parted->is_send = is_send;
    parted->partitions = partitions;
    if (args.data.type)
        pl_datatype_hold(args.data.type);
    request->special = &special;
    request->extra = parted;
    pl_send_start(&request->base, args.comm, PL_CHANNEL_PARTITIONED, PL_MODE_STANDARD, NULL, 0, MPI_PROC_NULL,
                  0, 0);
    pl_mpi_request_persist(request, start);
    if (args.peer != MPI_PROC_NULL)
        error = introduce(parted);
    if (error)
        pl_mpi_request_destroy(request);
    else
        *handle = (MPI_Request)request->handle;
    return pl_return(mpi, args.comm, error);
}

int PMPI_Psend_init(const void *buf, int partitions, MPI_Count count, MPI_Datatype datatype, int dest,
                    int tag, MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return init("MPI_Psend_init", true, buf, partitions, count, datatype, dest, tag, comm, request);
}
PL_WEAK(Psend_init)

int PMPI_Precv_init(void *buf, int partitions, MPI_Count count, MPI_Datatype datatype, int source, int tag,
                    MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return init("MPI_Precv_init", false, buf, partitions, count, datatype, source, tag, comm, request);
}
PL_WEAK(Precv_init)

/* The partitioned request; one that was started, for what only makes sense then. */
static int parted_of(struct pl_mpi *mpi, MPI_Request handle, bool is_send, struct pl_mpi_request **request,
                     struct parted **parted)
{
    int error = pl_mpi_request_of(mpi, handle, request);
    if (!error && (!*request || (*request)->special != &special))
        error = pl_bad(MPI_ERR_REQUEST, "%p is not a partitioned request", (void *)handle);
    if (error)
        return error;
    *parted = (*request)->extra;
    if ((*parted)->is_send != is_send)
        error = pl_bad(MPI_ERR_REQUEST, "the partitioned request is a %s", is_send ? "receive" : "send");
    return error;
}

static int mark_ready(struct parted *parted, int partition)
{
    if (partition < 0 || partition >= parted->partitions)
        return pl_bad(MPI_ERR_ARG, "there is no partition %d of %d", partition, parted->partitions);
    if (parted->ready[partition])
        return pl_bad(MPI_ERR_ARG, "partition %d was ready already", partition);
    parted->ready[partition] = true;
    parted->left--;
    return 0;
}

/* Marks `n` partitions: those listed, or the first and those after it. */
static int ready(const char *name, int first, int n, const int *list, MPI_Request handle)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_mpi_request *request = NULL;
    struct parted *parted;
    int error = parted_of(mpi, handle, true, &request, &parted);
    if (!error && !request->active)
        error = pl_bad(MPI_ERR_REQUEST, "the partitioned send was not started");
    for (int i = 0; i < n && !error; i++)
        error = mark_ready(parted, list ? list[i] : first + i);
    if (!error && n > 0 && !parted->left)
        send_data(parted);
    return pl_return(mpi, request ? request->comm : NULL, error);
}

int PMPI_Pready(int partition, MPI_Request request)
{
    return ready("MPI_Pready", partition, 1, NULL, request);
}
PL_WEAK(Pready)

int PMPI_Pready_range(int partition_low, int partition_high, MPI_Request request)
{
    return ready("MPI_Pready_range", partition_low, partition_high - partition_low + 1, NULL, request);
}
PL_WEAK(Pready_range)

int PMPI_Pready_list(int length, int array_of_partitions[], MPI_Request request)
{
    return ready("MPI_Pready_list", 0, array_of_partitions ? length : 0, array_of_partitions, request);
}
PL_WEAK(Pready_list)

int PMPI_Parrived(MPI_Request handle, int partition, int *flag)
{
    struct pl_mpi *mpi = pl_call("MPI_Parrived");
    struct pl_mpi_request *request = NULL;
    struct parted *parted;
    int error = pl_check_pointer(flag, "flag");
    if (!error)
        error = parted_of(mpi, handle, false, &request, &parted);
    if (!error && (partition < 0 || partition >= parted->partitions))
        error = pl_bad(MPI_ERR_ARG, "there is no partition %d of %d", partition, parted->partitions);
    if (!error)
        *flag = !request->active || pl_request_test(&request->base);
    return pl_return(mpi, request ? request->comm : NULL, error);
}
PL_WEAK(Parrived)
