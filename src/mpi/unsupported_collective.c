/* What this library does not have of collectives, of all kinds.
 * unsupported.h says how to take a function out. */
#include "unsupported.h"

/* Collectives */
UNSUPPORTED_ON(comm, Gatherv, const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
               const int recvcounts[], const int displs[], MPI_Datatype recvtype, int root, MPI_Comm comm)
UNSUPPORTED_ON(comm, Gatherv_c, const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
               void *recvbuf, const MPI_Count recvcounts[], const MPI_Aint displs[], MPI_Datatype recvtype,
               int root, MPI_Comm comm)
UNSUPPORTED_ON(comm, Scatterv, const void *sendbuf, const int sendcounts[], const int displs[],
               MPI_Datatype sendtype, void *recvbuf, int recvcount, MPI_Datatype recvtype, int root,
               MPI_Comm comm)
UNSUPPORTED_ON(comm, Scatterv_c, const void *sendbuf, const MPI_Count sendcounts[], const MPI_Aint displs[],
               MPI_Datatype sendtype, void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype, int root,
               MPI_Comm comm)
UNSUPPORTED_ON(comm, Allgatherv, const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
               const int recvcounts[], const int displs[], MPI_Datatype recvtype, MPI_Comm comm)
UNSUPPORTED_ON(comm, Allgatherv_c, const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
               void *recvbuf, const MPI_Count recvcounts[], const MPI_Aint displs[], MPI_Datatype recvtype,
               MPI_Comm comm)
UNSUPPORTED_ON(comm, Alltoallv, const void *sendbuf, const int sendcounts[], const int sdispls[],
               MPI_Datatype sendtype, void *recvbuf, const int recvcounts[], const int rdispls[],
               MPI_Datatype recvtype, MPI_Comm comm)
UNSUPPORTED_ON(comm, Alltoallv_c, const void *sendbuf, const MPI_Count sendcounts[], const MPI_Aint sdispls[],
               MPI_Datatype sendtype, void *recvbuf, const MPI_Count recvcounts[], const MPI_Aint rdispls[],
               MPI_Datatype recvtype, MPI_Comm comm)
UNSUPPORTED_ON(comm, Alltoallw, const void *sendbuf, const int sendcounts[], const int sdispls[],
               const MPI_Datatype sendtypes[], void *recvbuf, const int recvcounts[], const int rdispls[],
               const MPI_Datatype recvtypes[], MPI_Comm comm)
UNSUPPORTED_ON(comm, Alltoallw_c, const void *sendbuf, const MPI_Count sendcounts[], const MPI_Aint sdispls[],
               const MPI_Datatype sendtypes[], void *recvbuf, const MPI_Count recvcounts[],
               const MPI_Aint rdispls[], const MPI_Datatype recvtypes[], MPI_Comm comm)
UNSUPPORTED_ON(comm, Reduce_scatter, const void *sendbuf, void *recvbuf, const int recvcounts[],
               MPI_Datatype datatype, MPI_Op op, MPI_Comm comm)
UNSUPPORTED_ON(comm, Reduce_scatter_c, const void *sendbuf, void *recvbuf, const MPI_Count recvcounts[],
               MPI_Datatype datatype, MPI_Op op, MPI_Comm comm)
UNSUPPORTED_ON(comm, Scan, const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype, MPI_Op op,
               MPI_Comm comm)
UNSUPPORTED_ON(comm, Scan_c, const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype,
               MPI_Op op, MPI_Comm comm)
UNSUPPORTED_ON(comm, Exscan, const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype, MPI_Op op,
               MPI_Comm comm)
UNSUPPORTED_ON(comm, Exscan_c, const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype,
               MPI_Op op, MPI_Comm comm)

/* Collectives, nonblocking */
UNSUPPORTED_ON(comm, Igatherv, const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
               const int recvcounts[], const int displs[], MPI_Datatype recvtype, int root, MPI_Comm comm,
               MPI_Request *request)
UNSUPPORTED_ON(comm, Igatherv_c, const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
               void *recvbuf, const MPI_Count recvcounts[], const MPI_Aint displs[], MPI_Datatype recvtype,
               int root, MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Iscatterv, const void *sendbuf, const int sendcounts[], const int displs[],
               MPI_Datatype sendtype, void *recvbuf, int recvcount, MPI_Datatype recvtype, int root,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Iscatterv_c, const void *sendbuf, const MPI_Count sendcounts[], const MPI_Aint displs[],
               MPI_Datatype sendtype, void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype, int root,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Iallgatherv, const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
               const int recvcounts[], const int displs[], MPI_Datatype recvtype, MPI_Comm comm,
               MPI_Request *request)
UNSUPPORTED_ON(comm, Iallgatherv_c, const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
               void *recvbuf, const MPI_Count recvcounts[], const MPI_Aint displs[], MPI_Datatype recvtype,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Ialltoallv, const void *sendbuf, const int sendcounts[], const int sdispls[],
               MPI_Datatype sendtype, void *recvbuf, const int recvcounts[], const int rdispls[],
               MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Ialltoallv_c, const void *sendbuf, const MPI_Count sendcounts[],
               const MPI_Aint sdispls[], MPI_Datatype sendtype, void *recvbuf, const MPI_Count recvcounts[],
               const MPI_Aint rdispls[], MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Ialltoallw, const void *sendbuf, const int sendcounts[], const int sdispls[],
               const MPI_Datatype sendtypes[], void *recvbuf, const int recvcounts[], const int rdispls[],
               const MPI_Datatype recvtypes[], MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Ialltoallw_c, const void *sendbuf, const MPI_Count sendcounts[],
               const MPI_Aint sdispls[], const MPI_Datatype sendtypes[], void *recvbuf,
               const MPI_Count recvcounts[], const MPI_Aint rdispls[], const MPI_Datatype recvtypes[],
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Ireduce_scatter, const void *sendbuf, void *recvbuf, const int recvcounts[],
               MPI_Datatype datatype, MPI_Op op, MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Ireduce_scatter_c, const void *sendbuf, void *recvbuf, const MPI_Count recvcounts[],
               MPI_Datatype datatype, MPI_Op op, MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Iscan, const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype, MPI_Op op,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Iscan_c, const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype,
               MPI_Op op, MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Iexscan, const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype, MPI_Op op,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Iexscan_c, const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype,
               MPI_Op op, MPI_Comm comm, MPI_Request *request)

/* Collectives, persistent */
UNSUPPORTED_ON(comm, Barrier_init, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Bcast_init, void *buffer, int count, MPI_Datatype datatype, int root, MPI_Comm comm,
               MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Bcast_init_c, void *buffer, MPI_Count count, MPI_Datatype datatype, int root,
               MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Gather_init, const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
               int recvcount, MPI_Datatype recvtype, int root, MPI_Comm comm, MPI_Info info,
               MPI_Request *request)
UNSUPPORTED_ON(comm, Gather_init_c, const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
               void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype, int root, MPI_Comm comm,
               MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Gatherv_init, const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
               const int recvcounts[], const int displs[], MPI_Datatype recvtype, int root, MPI_Comm comm,
               MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Gatherv_init_c, const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
               void *recvbuf, const MPI_Count recvcounts[], const MPI_Aint displs[], MPI_Datatype recvtype,
               int root, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Scatter_init, const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
               int recvcount, MPI_Datatype recvtype, int root, MPI_Comm comm, MPI_Info info,
               MPI_Request *request)
UNSUPPORTED_ON(comm, Scatter_init_c, const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
               void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype, int root, MPI_Comm comm,
               MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Scatterv_init, const void *sendbuf, const int sendcounts[], const int displs[],
               MPI_Datatype sendtype, void *recvbuf, int recvcount, MPI_Datatype recvtype, int root,
               MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Scatterv_init_c, const void *sendbuf, const MPI_Count sendcounts[],
               const MPI_Aint displs[], MPI_Datatype sendtype, void *recvbuf, MPI_Count recvcount,
               MPI_Datatype recvtype, int root, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Allgather_init, const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
               int recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Allgather_init_c, const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
               void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info,
               MPI_Request *request)
UNSUPPORTED_ON(comm, Allgatherv_init, const void *sendbuf, int sendcount, MPI_Datatype sendtype,
               void *recvbuf, const int recvcounts[], const int displs[], MPI_Datatype recvtype,
               MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Allgatherv_init_c, const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
               void *recvbuf, const MPI_Count recvcounts[], const MPI_Aint displs[], MPI_Datatype recvtype,
               MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Alltoall_init, const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
               int recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Alltoall_init_c, const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
               void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info,
               MPI_Request *request)
UNSUPPORTED_ON(comm, Alltoallv_init, const void *sendbuf, const int sendcounts[], const int sdispls[],
               MPI_Datatype sendtype, void *recvbuf, const int recvcounts[], const int rdispls[],
               MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Alltoallv_init_c, const void *sendbuf, const MPI_Count sendcounts[],
               const MPI_Aint sdispls[], MPI_Datatype sendtype, void *recvbuf, const MPI_Count recvcounts[],
               const MPI_Aint rdispls[], MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info,
               MPI_Request *request)
UNSUPPORTED_ON(comm, Alltoallw_init, const void *sendbuf, const int sendcounts[], const int sdispls[],
               const MPI_Datatype sendtypes[], void *recvbuf, const int recvcounts[], const int rdispls[],
               const MPI_Datatype recvtypes[], MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Alltoallw_init_c, const void *sendbuf, const MPI_Count sendcounts[],
               const MPI_Aint sdispls[], const MPI_Datatype sendtypes[], void *recvbuf,
               const MPI_Count recvcounts[], const MPI_Aint rdispls[], const MPI_Datatype recvtypes[],
               MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Reduce_init, const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype,
               MPI_Op op, int root, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Reduce_init_c, const void *sendbuf, void *recvbuf, MPI_Count count,
               MPI_Datatype datatype, MPI_Op op, int root, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Allreduce_init, const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype,
               MPI_Op op, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Allreduce_init_c, const void *sendbuf, void *recvbuf, MPI_Count count,
               MPI_Datatype datatype, MPI_Op op, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Reduce_scatter_block_init, const void *sendbuf, void *recvbuf, int recvcount,
               MPI_Datatype datatype, MPI_Op op, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Reduce_scatter_block_init_c, const void *sendbuf, void *recvbuf, MPI_Count recvcount,
               MPI_Datatype datatype, MPI_Op op, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Reduce_scatter_init, const void *sendbuf, void *recvbuf, const int recvcounts[],
               MPI_Datatype datatype, MPI_Op op, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Reduce_scatter_init_c, const void *sendbuf, void *recvbuf, const MPI_Count recvcounts[],
               MPI_Datatype datatype, MPI_Op op, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Scan_init, const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype,
               MPI_Op op, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Scan_init_c, const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype,
               MPI_Op op, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Exscan_init, const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype,
               MPI_Op op, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Exscan_init_c, const void *sendbuf, void *recvbuf, MPI_Count count,
               MPI_Datatype datatype, MPI_Op op, MPI_Comm comm, MPI_Info info, MPI_Request *request)

/* Collectives among neighbours */
UNSUPPORTED_ON(comm, Neighbor_allgather, const void *sendbuf, int sendcount, MPI_Datatype sendtype,
               void *recvbuf, int recvcount, MPI_Datatype recvtype, MPI_Comm comm)
UNSUPPORTED_ON(comm, Neighbor_allgather_c, const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
               void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm)
UNSUPPORTED_ON(comm, Neighbor_allgatherv, const void *sendbuf, int sendcount, MPI_Datatype sendtype,
               void *recvbuf, const int recvcounts[], const int displs[], MPI_Datatype recvtype,
               MPI_Comm comm)
UNSUPPORTED_ON(comm, Neighbor_allgatherv_c, const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
               void *recvbuf, const MPI_Count recvcounts[], const MPI_Aint displs[], MPI_Datatype recvtype,
               MPI_Comm comm)
UNSUPPORTED_ON(comm, Neighbor_alltoall, const void *sendbuf, int sendcount, MPI_Datatype sendtype,
               void *recvbuf, int recvcount, MPI_Datatype recvtype, MPI_Comm comm)
UNSUPPORTED_ON(comm, Neighbor_alltoall_c, const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
               void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm)
UNSUPPORTED_ON(comm, Neighbor_alltoallv, const void *sendbuf, const int sendcounts[], const int sdispls[],
               MPI_Datatype sendtype, void *recvbuf, const int recvcounts[], const int rdispls[],
               MPI_Datatype recvtype, MPI_Comm comm)
UNSUPPORTED_ON(comm, Neighbor_alltoallv_c, const void *sendbuf, const MPI_Count sendcounts[],
               const MPI_Aint sdispls[], MPI_Datatype sendtype, void *recvbuf, const MPI_Count recvcounts[],
               const MPI_Aint rdispls[], MPI_Datatype recvtype, MPI_Comm comm)
UNSUPPORTED_ON(comm, Neighbor_alltoallw, const void *sendbuf, const int sendcounts[],
               const MPI_Aint sdispls[], const MPI_Datatype sendtypes[], void *recvbuf,
               const int recvcounts[], const MPI_Aint rdispls[], const MPI_Datatype recvtypes[],
               MPI_Comm comm)
UNSUPPORTED_ON(comm, Neighbor_alltoallw_c, const void *sendbuf, const MPI_Count sendcounts[],
               const MPI_Aint sdispls[], const MPI_Datatype sendtypes[], void *recvbuf,
               const MPI_Count recvcounts[], const MPI_Aint rdispls[], const MPI_Datatype recvtypes[],
               MPI_Comm comm)
UNSUPPORTED_ON(comm, Ineighbor_allgather, const void *sendbuf, int sendcount, MPI_Datatype sendtype,
               void *recvbuf, int recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Ineighbor_allgather_c, const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
               void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Ineighbor_allgatherv, const void *sendbuf, int sendcount, MPI_Datatype sendtype,
               void *recvbuf, const int recvcounts[], const int displs[], MPI_Datatype recvtype,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Ineighbor_allgatherv_c, const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
               void *recvbuf, const MPI_Count recvcounts[], const MPI_Aint displs[], MPI_Datatype recvtype,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Ineighbor_alltoall, const void *sendbuf, int sendcount, MPI_Datatype sendtype,
               void *recvbuf, int recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Ineighbor_alltoall_c, const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
               void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Ineighbor_alltoallv, const void *sendbuf, const int sendcounts[], const int sdispls[],
               MPI_Datatype sendtype, void *recvbuf, const int recvcounts[], const int rdispls[],
               MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Ineighbor_alltoallv_c, const void *sendbuf, const MPI_Count sendcounts[],
               const MPI_Aint sdispls[], MPI_Datatype sendtype, void *recvbuf, const MPI_Count recvcounts[],
               const MPI_Aint rdispls[], MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Ineighbor_alltoallw, const void *sendbuf, const int sendcounts[],
               const MPI_Aint sdispls[], const MPI_Datatype sendtypes[], void *recvbuf,
               const int recvcounts[], const MPI_Aint rdispls[], const MPI_Datatype recvtypes[],
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Ineighbor_alltoallw_c, const void *sendbuf, const MPI_Count sendcounts[],
               const MPI_Aint sdispls[], const MPI_Datatype sendtypes[], void *recvbuf,
               const MPI_Count recvcounts[], const MPI_Aint rdispls[], const MPI_Datatype recvtypes[],
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Neighbor_allgather_init, const void *sendbuf, int sendcount, MPI_Datatype sendtype,
               void *recvbuf, int recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info,
               MPI_Request *request)
UNSUPPORTED_ON(comm, Neighbor_allgather_init_c, const void *sendbuf, MPI_Count sendcount,
               MPI_Datatype sendtype, void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype,
               MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Neighbor_allgatherv_init, const void *sendbuf, int sendcount, MPI_Datatype sendtype,
               void *recvbuf, const int recvcounts[], const int displs[], MPI_Datatype recvtype,
               MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Neighbor_allgatherv_init_c, const void *sendbuf, MPI_Count sendcount,
               MPI_Datatype sendtype, void *recvbuf, const MPI_Count recvcounts[], const MPI_Aint displs[],
               MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Neighbor_alltoall_init, const void *sendbuf, int sendcount, MPI_Datatype sendtype,
               void *recvbuf, int recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info,
               MPI_Request *request)
UNSUPPORTED_ON(comm, Neighbor_alltoall_init_c, const void *sendbuf, MPI_Count sendcount,
               MPI_Datatype sendtype, void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype,
               MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Neighbor_alltoallv_init, const void *sendbuf, const int sendcounts[],
               const int sdispls[], MPI_Datatype sendtype, void *recvbuf, const int recvcounts[],
               const int rdispls[], MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Neighbor_alltoallv_init_c, const void *sendbuf, const MPI_Count sendcounts[],
               const MPI_Aint sdispls[], MPI_Datatype sendtype, void *recvbuf, const MPI_Count recvcounts[],
               const MPI_Aint rdispls[], MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info,
               MPI_Request *request)
UNSUPPORTED_ON(comm, Neighbor_alltoallw_init, const void *sendbuf, const int sendcounts[],
               const MPI_Aint sdispls[], const MPI_Datatype sendtypes[], void *recvbuf,
               const int recvcounts[], const MPI_Aint rdispls[], const MPI_Datatype recvtypes[],
               MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Neighbor_alltoallw_init_c, const void *sendbuf, const MPI_Count sendcounts[],
               const MPI_Aint sdispls[], const MPI_Datatype sendtypes[], void *recvbuf,
               const MPI_Count recvcounts[], const MPI_Aint rdispls[], const MPI_Datatype recvtypes[],
               MPI_Comm comm, MPI_Info info, MPI_Request *request)
