/* A profiling library that spoils what it is asked to, to see whether the benchmark notices: SPOIL=allreduce
 * flips a bit of the last byte of what MPI_Allreduce gives on the last rank that has a result. Loaded with
 * LD_PRELOAD, it stands before the library's own MPI_*, which remain reachable as PMPI_*. */
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

static int wanted(const char *call)
{
    const char *spoil = getenv("SPOIL");
    return spoil && !strcmp(spoil, call);
}

static void spoil(void *buffer, MPI_Count count, MPI_Datatype type)
{
    int size;
    PMPI_Type_size(type, &size);
    if (count && size)
        ((unsigned char *)buffer)[count * size - 1] ^= 0x10;
}

static int rank_is(MPI_Comm comm, int wanted_rank)
{
    int rank, size;
    PMPI_Comm_rank(comm, &rank);
    PMPI_Comm_size(comm, &size);
    return rank == (wanted_rank < 0 ? size - 1 : wanted_rank);
}

static MPI_Count blocks(MPI_Comm comm, MPI_Count count)
{
    int size;
    PMPI_Comm_size(comm, &size);
    return size * count;
}

int MPI_Bcast_c(void *buffer, MPI_Count count, MPI_Datatype type, int root, MPI_Comm comm)
{
    int error = PMPI_Bcast_c(buffer, count, type, root, comm);
    if (wanted("bcast") && rank_is(comm, -1))
        spoil(buffer, count, type);
    return error;
}

int MPI_Scatter_c(const void *in, MPI_Count n, MPI_Datatype type, void *out, MPI_Count count,
                  MPI_Datatype out_type, int root, MPI_Comm comm)
{
    int error = PMPI_Scatter_c(in, n, type, out, count, out_type, root, comm);
    if (wanted("scatter") && rank_is(comm, -1))
        spoil(out, count, out_type);
    return error;
}

int MPI_Gather_c(const void *in, MPI_Count n, MPI_Datatype type, void *out, MPI_Count count,
                 MPI_Datatype out_type, int root, MPI_Comm comm)
{
    int error = PMPI_Gather_c(in, n, type, out, count, out_type, root, comm);
    if (wanted("gather") && rank_is(comm, root))
        spoil(out, blocks(comm, count), out_type);
    return error;
}

int MPI_Allgather_c(const void *in, MPI_Count n, MPI_Datatype type, void *out, MPI_Count count,
                    MPI_Datatype out_type, MPI_Comm comm)
{
    int error = PMPI_Allgather_c(in, n, type, out, count, out_type, comm);
    if (wanted("allgather") && rank_is(comm, -1))
        spoil(out, blocks(comm, count), out_type);
    return error;
}

int MPI_Alltoall_c(const void *in, MPI_Count n, MPI_Datatype type, void *out, MPI_Count count,
                   MPI_Datatype out_type, MPI_Comm comm)
{
    int error = PMPI_Alltoall_c(in, n, type, out, count, out_type, comm);
    if (wanted("alltoall") && rank_is(comm, -1))
        spoil(out, blocks(comm, count), out_type);
    return error;
}

int MPI_Reduce_c(const void *in, void *out, MPI_Count count, MPI_Datatype type, MPI_Op op, int root,
                 MPI_Comm comm)
{
    int error = PMPI_Reduce_c(in, out, count, type, op, root, comm);
    if (wanted("reduce") && rank_is(comm, root))
        spoil(out, count, type);
    return error;
}

int MPI_Allreduce_c(const void *in, void *out, MPI_Count count, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
    int error = PMPI_Allreduce_c(in, out, count, type, op, comm);
    if (wanted("allreduce") && rank_is(comm, -1))
        spoil(out, count, type);
    return error;
}

int MPI_Reduce_scatter_block_c(const void *in, void *out, MPI_Count count, MPI_Datatype type, MPI_Op op,
                               MPI_Comm comm)
{
    int error = PMPI_Reduce_scatter_block_c(in, out, count, type, op, comm);
    if (wanted("reduce_scatter_block") && rank_is(comm, -1))
        spoil(out, count, type);
    return error;
}

/* Messages: what is sent is spoilt, so that the receiver has it wrong. */
static int spoilt_copy(const void *from, MPI_Count count, MPI_Datatype type, void **copy)
{
    int size;
    PMPI_Type_size(type, &size);
    *copy = malloc((size_t)(count * size) + 1);
    memcpy(*copy, from, (size_t)(count * size));
    spoil(*copy, count, type);
    return 1;
}

int MPI_Send_c(const void *buffer, MPI_Count count, MPI_Datatype type, int to, int tag, MPI_Comm comm)
{
    void *copy = NULL;
    if (wanted("send") && rank_is(comm, 0) && spoilt_copy(buffer, count, type, &copy))
        buffer = copy;
    int error = PMPI_Send_c(buffer, count, type, to, tag, comm);
    free(copy);
    return error;
}

/* The message is sent from a neighbouring place, as a library that mixes up requests would. */
int MPI_Isend_c(const void *buffer, MPI_Count count, MPI_Datatype type, int to, int tag, MPI_Comm comm,
                MPI_Request *request)
{
    int size;
    PMPI_Type_size(type, &size);
    if (wanted("isend") && rank_is(comm, 0))
        buffer = (const char *)buffer + (to ? size : 0);
    return PMPI_Isend_c(buffer, count - (wanted("isend") && rank_is(comm, 0)), type, to, tag, comm, request);
}
