/* Device buffers beside the MPI functions: whether there can be any, and calls that keep their place in a
 * stream of the program's.
 *
 *     kernels before  -->  peal_allreduce_on_stream  -->  kernels after          all on one stream
 *
 * A call of up to 4 MiB is taken by stream_queue.c and returns at once: the stream waits, the host does not.
 * Any other, and any whose arguments are wrong, is done here and now: the copies and reductions it starts
 * wait for what is on the stream (an event, on the device), and the stream for them; the host waits until the
 * data of this rank is exchanged, as in the MPI function, and never for what is unrelated on the stream
 * after.
 */
#include "mpi-ext.h"
#include "peal.h"

#include "memory.h"
#include "stream.h"

#include <unistd.h>

int PMPIX_Query_cuda_support(void)
{
    struct pl_rank *rank = pl_self();
    struct pl_memory *memory = rank ? rank->memory : NULL;
    if (memory)
        return memory->driver->usable(memory);
    struct pl_config config;
    pl_config_read(&config, environ);
    if (!config.cuda || pl_memory_cuda.open(&memory) < 0)
        return 0;
    bool usable = pl_memory_cuda.usable(memory);
    pl_memory_cuda.close(memory);
    return usable;
}
extern __typeof__(PMPIX_Query_cuda_support) MPIX_Query_cuda_support
    __attribute__((weak, alias("PMPIX_Query_cuda_support")));

/* Follows the stream, or with `after` lets it follow. A program without device memory has no streams: a NULL
 * stream is then the only one. */
static int order(const char *name, void *stream, bool after)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_memory *memory = mpi->rank->memory;
    int error = 0;
    if (memory)
        error = after ? memory->driver->lead(memory, stream) : memory->driver->follow(memory, stream);
    else if (stream)
        error = pl_bad(MPI_ERR_ARG, "there is no CUDA driver here, so this cannot be a stream");
    return pl_return(mpi, NULL, error);
}

/* The bytes of so many elements, if they have no gaps between them; else more than is ever taken. */
static size_t bytes_of(struct pl_mpi *mpi, MPI_Count count, MPI_Datatype handle, MPI_Count blocks)
{
    const struct pl_datatype *type;
    size_t bytes;
    if (count < 0 || pl_datatype_of(mpi, handle, &type) || !type->committed ||
        !(type->contiguous || type->predefined) ||
        __builtin_mul_overflow((size_t)count * (size_t)blocks, (size_t)type->extent, &bytes) ||
        (size_t)count > SIZE_MAX / 2 / (size_t)blocks)
        return SIZE_MAX;
    return bytes;
}

/* Whether the operator can be applied, so that no error comes late. */
static bool fits(struct pl_mpi *mpi, MPI_Op handle, MPI_Datatype datatype)
{
    const struct pl_op *op;
    const struct pl_datatype *type;
    return !pl_op_of(mpi, handle, &op) && !pl_datatype_of(mpi, datatype, &type) && !pl_check_op(op, type);
}

/* The communicator, if a call on it may be taken; its rank `peer` exists. NULL: the call is done at once. */
static const struct pl_comm *comm_of(struct pl_mpi *mpi, MPI_Comm handle, int peer)
{
    const struct pl_comm *comm = mpi ? pl_comm_find(mpi, handle) : NULL;
    return comm && !comm->remote && peer >= 0 && peer < comm->size ? comm : NULL;
}

static struct pl_mpi *up(void)
{
    struct pl_rank *rank = pl_self();
    return rank ? rank->mpi_state : NULL;
}

static int at_once(const struct pl_stream_call *call, void *stream)
{
    int code = order(call->name, stream, false);
    if (code)
        return code;
    code = call->run(call);
    int late = order(call->name, stream, true);
    return code ? code : late;
}

static int on_stream(struct pl_mpi *mpi, bool good, const struct pl_stream_call *call, void *stream)
{
    int code;
    good = good && (call->in || !call->in_bytes) && (call->out || !call->out_bytes);
    return good && pl_streams_take(mpi, call, stream, &code) ? code : at_once(call, stream);
}

static int run_allreduce(const struct pl_stream_call *c)
{
    return PMPI_Allreduce_c(c->in, c->out, c->count, c->type, c->op, c->comm);
}

int peal_allreduce_on_stream(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype,
                             MPI_Op op, MPI_Comm comm, void *stream)
{
    struct pl_mpi *mpi = up();
    bool good = comm_of(mpi, comm, 0) && fits(mpi, op, datatype) && sendbuf != recvbuf;
    bool in_place = sendbuf == MPI_IN_PLACE;
    size_t bytes = good ? bytes_of(mpi, count, datatype, 1) : 0;
    struct pl_stream_call call = {.name = "peal_allreduce_on_stream",
                                  .run = run_allreduce,
                                  .in = sendbuf,
                                  .out = recvbuf,
                                  .in_bytes = in_place ? 0 : bytes,
                                  .out_bytes = bytes,
                                  .out_read = in_place,
                                  .count = count,
                                  .type = datatype,
                                  .op = op,
                                  .comm = comm};
    return on_stream(mpi, good, &call, stream);
}

static int run_bcast(const struct pl_stream_call *c)
{
    return PMPI_Bcast_c(c->out, c->count, c->type, c->peer, c->comm);
}

int peal_bcast_on_stream(void *buffer, MPI_Count count, MPI_Datatype datatype, int root, MPI_Comm comm,
                         void *stream)
{
    struct pl_mpi *mpi = up();
    const struct pl_comm *c = comm_of(mpi, comm, root);
    struct pl_stream_call call = {.name = "peal_bcast_on_stream",
                                  .run = run_bcast,
                                  .out = buffer,
                                  .out_bytes = c ? bytes_of(mpi, count, datatype, 1) : 0,
                                  .out_read = c && c->rank == root,
                                  .count = count,
                                  .type = datatype,
                                  .peer = root,
                                  .comm = comm};
    return on_stream(mpi, c != NULL, &call, stream);
}

static int run_allgather(const struct pl_stream_call *c)
{
    return PMPI_Allgather_c(c->in, c->count, c->type, c->out, c->count, c->type, c->comm);
}

int peal_allgather_on_stream(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype,
                             MPI_Comm comm, void *stream)
{
    struct pl_mpi *mpi = up();
    const struct pl_comm *c = comm_of(mpi, comm, 0);
    bool in_place = sendbuf == MPI_IN_PLACE;
    struct pl_stream_call call = {.name = "peal_allgather_on_stream",
                                  .run = run_allgather,
                                  .in = sendbuf,
                                  .out = recvbuf,
                                  .in_bytes = c && !in_place ? bytes_of(mpi, count, datatype, 1) : 0,
                                  .out_bytes = c ? bytes_of(mpi, count, datatype, c->size) : 0,
                                  .out_read = in_place,
                                  .count = count,
                                  .type = datatype,
                                  .comm = comm};
    return on_stream(mpi, c != NULL, &call, stream);
}

static int run_reduce_scatter(const struct pl_stream_call *c)
{
    return PMPI_Reduce_scatter_block_c(c->in, c->out, c->count, c->type, c->op, c->comm);
}

int peal_reduce_scatter_on_stream(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype,
                                  MPI_Op op, MPI_Comm comm, void *stream)
{
    struct pl_mpi *mpi = up();
    const struct pl_comm *c = comm_of(mpi, comm, 0);
    bool good = c && fits(mpi, op, datatype) && sendbuf != recvbuf, in_place = sendbuf == MPI_IN_PLACE;
    size_t all = good ? bytes_of(mpi, count, datatype, c->size) : 0;
    struct pl_stream_call call = {.name = "peal_reduce_scatter_on_stream",
                                  .run = run_reduce_scatter,
                                  .in = sendbuf,
                                  .out = recvbuf,
                                  .in_bytes = in_place ? 0 : all,
                                  .out_bytes = !good || in_place ? all : bytes_of(mpi, count, datatype, 1),
                                  .out_read = in_place,
                                  .count = count,
                                  .type = datatype,
                                  .op = op,
                                  .comm = comm};
    return on_stream(mpi, good, &call, stream);
}

static int run_send(const struct pl_stream_call *c)
{
    return PMPI_Send_c(c->in, c->count, c->type, c->peer, c->tag, c->comm);
}

int peal_send_on_stream(const void *buffer, MPI_Count count, MPI_Datatype datatype, int dest, int tag,
                        MPI_Comm comm, void *stream)
{
    struct pl_mpi *mpi = up();
    bool good = comm_of(mpi, comm, dest) && tag >= 0;
    struct pl_stream_call call = {.name = "peal_send_on_stream",
                                  .run = run_send,
                                  .in = buffer,
                                  .in_bytes = good ? bytes_of(mpi, count, datatype, 1) : 0,
                                  .count = count,
                                  .type = datatype,
                                  .peer = dest,
                                  .tag = tag,
                                  .comm = comm};
    return on_stream(mpi, good, &call, stream);
}

static int run_recv(const struct pl_stream_call *c)
{
    return PMPI_Recv_c(c->out, c->count, c->type, c->peer, c->tag, c->comm, c->status);
}

int peal_recv_on_stream(void *buffer, MPI_Count count, MPI_Datatype datatype, int source, int tag,
                        MPI_Comm comm, MPI_Status *status, void *stream)
{
    struct pl_mpi *mpi = up();
    bool good = comm_of(mpi, comm, source == MPI_ANY_SOURCE ? 0 : source) && (tag >= 0 || tag == MPI_ANY_TAG);
    struct pl_stream_call call = {.name = "peal_recv_on_stream",
                                  .run = run_recv,
                                  .out = buffer,
                                  .out_bytes = good ? bytes_of(mpi, count, datatype, 1) : 0,
                                  .out_read = true, /* a shorter message leaves the rest alone */
                                  .count = count,
                                  .type = datatype,
                                  .peer = source,
                                  .tag = tag,
                                  .comm = comm,
                                  .status = status};
    return on_stream(mpi, good, &call, stream);
}
