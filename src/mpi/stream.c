/* Device buffers beside the MPI functions: whether there can be any, and calls that keep their place in a
 * stream of the program's.
 *
 *     kernels before  -->  peal_allreduce_on_stream  -->  kernels after          all on one stream
 *
 * Such a call makes the copies and reductions it starts wait for what is on the stream (an event, on the
 * device: the host does not wait for it by itself), and the stream for them. What has to go over a wire is
 * waited for by the host all the same: nobody but the CPU can send it. So the call returns when the data
 * of this rank is exchanged, as the MPI function does, and never waits for what is unrelated on the stream
 * after.
 */
#include "mpi-ext.h"
#include "peal.h"

#include "call.h"
#include "memory.h"

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

#define ON_STREAM(name, call)                                                                                \
    do {                                                                                                     \
        int code = order(name, stream, false);                                                               \
        if (code)                                                                                            \
            return code;                                                                                     \
        code = (call);                                                                                       \
        int late = order(name, stream, true);                                                                \
        return code ? code : late;                                                                           \
    } while (0)

int peal_allreduce_on_stream(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype,
                             MPI_Op op, MPI_Comm comm, void *stream)
{
    ON_STREAM("peal_allreduce_on_stream", PMPI_Allreduce_c(sendbuf, recvbuf, count, datatype, op, comm));
}

int peal_bcast_on_stream(void *buffer, MPI_Count count, MPI_Datatype datatype, int root, MPI_Comm comm,
                         void *stream)
{
    ON_STREAM("peal_bcast_on_stream", PMPI_Bcast_c(buffer, count, datatype, root, comm));
}

int peal_allgather_on_stream(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype,
                             MPI_Comm comm, void *stream)
{
    ON_STREAM("peal_allgather_on_stream",
              PMPI_Allgather_c(sendbuf, count, datatype, recvbuf, count, datatype, comm));
}

int peal_reduce_scatter_on_stream(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype,
                                  MPI_Op op, MPI_Comm comm, void *stream)
{
    ON_STREAM("peal_reduce_scatter_on_stream",
              PMPI_Reduce_scatter_block_c(sendbuf, recvbuf, count, datatype, op, comm));
}

int peal_send_on_stream(const void *buffer, MPI_Count count, MPI_Datatype datatype, int dest, int tag,
                        MPI_Comm comm, void *stream)
{
    ON_STREAM("peal_send_on_stream", PMPI_Send_c(buffer, count, datatype, dest, tag, comm));
}

int peal_recv_on_stream(void *buffer, MPI_Count count, MPI_Datatype datatype, int source, int tag,
                        MPI_Comm comm, MPI_Status *status, void *stream)
{
    ON_STREAM("peal_recv_on_stream", PMPI_Recv_c(buffer, count, datatype, source, tag, comm, status));
}
