/* Partitioned messages (MPI 5.0, chapter 4): the sender says of one part after the other that
 * it is ready. Here the message goes as one, when the last part is: that is allowed, right for
 * any two ways to part it, and costs one message. What it does not give is overlap.
 *
 * Such messages meet only each other: they have a channel of the communicator to themselves.
 */
#include "message.h"

#include <stdlib.h>

struct parted {
    struct pl_message_args args; /* the type is held */
    bool is_send;
    int partitions, left;
    bool ready[];
};

static int start(struct pl_mpi_request *request)
{
    struct parted *parted = request->extra;
    if (!parted->is_send) {
        pl_data_recv(&request->base, &parted->args, PL_CHANNEL_PARTITIONED);
        return 0;
    }
    parted->left = parted->partitions;
    for (int i = 0; i < parted->partitions; i++)
        parted->ready[i] = false;
    request->base.complete = false;
    request->base.matched = true; /* nothing that p2p knows of, until all parts are ready */
    request->base.cookie = 0;
    if (!parted->left)
        pl_data_send(&request->base, &parted->args, PL_CHANNEL_PARTITIONED, PL_MODE_STANDARD);
    return 0;
}

static int cancel(struct pl_mpi_request *request)
{
    return 0;
}

static void finish(struct pl_mpi_request *request)
{
    struct parted *parted = request->extra;
    pl_datatype_release(parted->args.data.type);
    free(parted);
}

static const struct pl_special special = {.cancel = cancel, .finish = finish};

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
    parted->is_send = is_send;
    parted->partitions = partitions;
    if (args.data.type)
        pl_datatype_hold(args.data.type);
    request->special = &special;
    request->extra = parted;
    pl_send_start(&request->base, args.comm, PL_CHANNEL_PARTITIONED, PL_MODE_STANDARD, NULL, 0, MPI_PROC_NULL,
                  0, 0);
    pl_mpi_request_persist(request, start);
    *handle = (MPI_Request)request->handle;
    return pl_return(mpi, args.comm, 0);
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
        pl_data_send(&request->base, &parted->args, PL_CHANNEL_PARTITIONED, PL_MODE_STANDARD);
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
