/* Persistent forms (MPI 5.0, section 6.13) of the collectives whose blocks are equal. The info argument is a
 * hint, and there is none that would help.
 */
#include "collective.h"

int PMPI_Barrier_init(MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    struct pl_arguments a = {.comm = comm};
    return pl_collective("MPI_Barrier_init", PL_PERSISTENT, PL_BARRIER, pl_prepare_barrier, &a, request);
}
PL_WEAK(Barrier_init)

int PMPI_Bcast_init_c(void *buffer, MPI_Count count, MPI_Datatype datatype, int root, MPI_Comm comm,
                      MPI_Info info, MPI_Request *request)
{
    struct pl_arguments a = {
        .out = buffer, .out_count = count, .out_type = datatype, .root = root, .comm = comm};
    return pl_collective("MPI_Bcast_init", PL_PERSISTENT, PL_BCAST, pl_prepare_bcast, &a, request);
}
PL_WEAK(Bcast_init_c)

int PMPI_Bcast_init(void *buffer, int count, MPI_Datatype datatype, int root, MPI_Comm comm, MPI_Info info,
                    MPI_Request *request)
{
    return PMPI_Bcast_init_c(buffer, count, datatype, root, comm, info, request);
}
PL_WEAK(Bcast_init)

int PMPI_Gather_init_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                       MPI_Count recvcount, MPI_Datatype recvtype, int root, MPI_Comm comm, MPI_Info info,
                       MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .in_count = sendcount,
                             .in_type = sendtype,
                             .out = recvbuf,
                             .out_count = recvcount,
                             .out_type = recvtype,
                             .root = root,
                             .comm = comm};
    return pl_collective("MPI_Gather_init", PL_PERSISTENT, PL_GATHER, pl_prepare_gather, &a, request);
}
PL_WEAK(Gather_init_c)

int PMPI_Gather_init(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf, int recvcount,
                     MPI_Datatype recvtype, int root, MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return PMPI_Gather_init_c(sendbuf, sendcount, sendtype, recvbuf, recvcount, recvtype, root, comm, info,
                              request);
}
PL_WEAK(Gather_init)

int PMPI_Scatter_init_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                        MPI_Count recvcount, MPI_Datatype recvtype, int root, MPI_Comm comm, MPI_Info info,
                        MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .in_count = sendcount,
                             .in_type = sendtype,
                             .out = recvbuf,
                             .out_count = recvcount,
                             .out_type = recvtype,
                             .root = root,
                             .comm = comm};
    return pl_collective("MPI_Scatter_init", PL_PERSISTENT, PL_SCATTER, pl_prepare_scatter, &a, request);
}
PL_WEAK(Scatter_init_c)

int PMPI_Scatter_init(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf, int recvcount,
                      MPI_Datatype recvtype, int root, MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return PMPI_Scatter_init_c(sendbuf, sendcount, sendtype, recvbuf, recvcount, recvtype, root, comm, info,
                               request);
}
PL_WEAK(Scatter_init)

int PMPI_Allgather_init_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                          MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info,
                          MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .in_count = sendcount,
                             .in_type = sendtype,
                             .out = recvbuf,
                             .out_count = recvcount,
                             .out_type = recvtype,
                             .comm = comm};
    return pl_collective("MPI_Allgather_init", PL_PERSISTENT, PL_ALLGATHER, pl_prepare_allgather, &a,
                         request);
}
PL_WEAK(Allgather_init_c)

int PMPI_Allgather_init(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                        int recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info,
                        MPI_Request *request)
{
    return PMPI_Allgather_init_c(sendbuf, sendcount, sendtype, recvbuf, recvcount, recvtype, comm, info,
                                 request);
}
PL_WEAK(Allgather_init)

int PMPI_Alltoall_init_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                         MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info,
                         MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .in_count = sendcount,
                             .in_type = sendtype,
                             .out = recvbuf,
                             .out_count = recvcount,
                             .out_type = recvtype,
                             .comm = comm};
    return pl_collective("MPI_Alltoall_init", PL_PERSISTENT, PL_ALLTOALL, pl_prepare_allgather, &a, request);
}
PL_WEAK(Alltoall_init_c)

int PMPI_Alltoall_init(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                       int recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info,
                       MPI_Request *request)
{
    return PMPI_Alltoall_init_c(sendbuf, sendcount, sendtype, recvbuf, recvcount, recvtype, comm, info,
                                request);
}
PL_WEAK(Alltoall_init)

int PMPI_Reduce_init_c(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype, MPI_Op op,
                       int root, MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .out = recvbuf,
                             .out_count = count,
                             .out_type = datatype,
                             .op = op,
                             .root = root,
                             .comm = comm};
    return pl_collective("MPI_Reduce_init", PL_PERSISTENT, PL_REDUCE, pl_prepare_reduce, &a, request);
}
PL_WEAK(Reduce_init_c)

int PMPI_Reduce_init(const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype, MPI_Op op,
                     int root, MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return PMPI_Reduce_init_c(sendbuf, recvbuf, count, datatype, op, root, comm, info, request);
}
PL_WEAK(Reduce_init)

int PMPI_Allreduce_init_c(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype,
                          MPI_Op op, MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    struct pl_arguments a = {
        .in = sendbuf, .out = recvbuf, .out_count = count, .out_type = datatype, .op = op, .comm = comm};
    return pl_collective("MPI_Allreduce_init", PL_PERSISTENT, PL_ALLREDUCE, pl_prepare_allreduce, &a,
                         request);
}
PL_WEAK(Allreduce_init_c)

int PMPI_Allreduce_init(const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype, MPI_Op op,
                        MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return PMPI_Allreduce_init_c(sendbuf, recvbuf, count, datatype, op, comm, info, request);
}
PL_WEAK(Allreduce_init)

int PMPI_Reduce_scatter_block_init_c(const void *sendbuf, void *recvbuf, MPI_Count recvcount,
                                     MPI_Datatype datatype, MPI_Op op, MPI_Comm comm, MPI_Info info,
                                     MPI_Request *request)
{
    struct pl_arguments a = {
        .in = sendbuf, .out = recvbuf, .out_count = recvcount, .out_type = datatype, .op = op, .comm = comm};
    return pl_collective("MPI_Reduce_scatter_block_init", PL_PERSISTENT, PL_REDUCE_SCATTER,
                         pl_prepare_allreduce, &a, request);
}
PL_WEAK(Reduce_scatter_block_init_c)

int PMPI_Reduce_scatter_block_init(const void *sendbuf, void *recvbuf, int recvcount, MPI_Datatype datatype,
                                   MPI_Op op, MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return PMPI_Reduce_scatter_block_init_c(sendbuf, recvbuf, recvcount, datatype, op, comm, info, request);
}
PL_WEAK(Reduce_scatter_block_init)
