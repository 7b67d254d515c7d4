/* Neighbourhood collectives (MPI 5.0, section 9.8), in all forms: one uneven call with the lists of the
 * communicator's topology.
 *
 * On a periodic grid with one or two processes along a dimension both neighbours there are the same
 * rank, and what it sends to its right is what comes from the left. The engine tells several messages between
 * two ranks apart by their order alone, so the sources of a grid are listed with each pair
 * turned round; destinations are not.
 */
#include "collective.h"

#include "topology.h"

#include <stdlib.h>

static void turn_pairs(int *source, struct pl_block *block, int n)
{
    for (int i = 0; i + 1 < n; i += 2) {
        int rank = source[i];
        struct pl_block moved = block[i];
        source[i] = source[i + 1];
        source[i + 1] = rank;
        block[i] = block[i + 1];
        block[i + 1] = moved;
    }
}

static void blank_nobodies(const int *list, struct pl_block *block, int n)
{
    for (int i = 0; i < n; i++)
        if (list[i] < 0)
            block[i] = (struct pl_block){0, 0};
}

/* The lists as the engine wants them: nothing for nobody, and the edges between two ranks in one order. */
static void arrange(struct pl_coll_call *call, int *source)
{
    struct pl_block *in = (struct pl_block *)(uintptr_t)call->in_blocks,
                    *out = (struct pl_block *)(uintptr_t)call->out_blocks;
    const struct pl_topology *topology = call->comm->topology;
    blank_nobodies(call->destination, in, call->destinations);
    blank_nobodies(call->source, out, call->sources);
    if (topology->kind == MPI_CART)
        turn_pairs(source, out, call->sources);
}

static int prepare(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    struct pl_side in = pl_in_side(a), out = pl_out_side(a);
    int *source, *destination;
    call->uneven = true;
    call->type = pl_datatype_predefined(PL_HANDLE_BYTE);
    int error = pl_topology_neighbors(call->comm, &call->sources, &source, &call->destinations, &destination);
    if (error)
        return error;
    call->source = source;
    call->destination = destination;
    error = pl_side_in(mpi, &in, call->destinations, call);
    if (!error)
        error = pl_side_out(mpi, &out, call->sources, call);
    if (!error)
        arrange(call, source);
    return error;
}

static int allgather(const char *name, enum pl_form form, const void *sendbuf, MPI_Count sendcount,
                     MPI_Datatype sendtype, void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype,
                     MPI_Comm comm, MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .in_count = sendcount,
                             .in_type = sendtype,
                             .out = recvbuf,
                             .out_count = recvcount,
                             .out_type = recvtype,
                             .comm = comm,
                             .in_same = true};
    return pl_collective(name, form, PL_NEIGHBOR, prepare, &a, request);
}

int PMPI_Neighbor_allgather_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                              MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm)
{
    return allgather("MPI_Neighbor_allgather", PL_BLOCKING, sendbuf, sendcount, sendtype, recvbuf, recvcount,
                     recvtype, comm, NULL);
}
PL_WEAK(Neighbor_allgather_c)

int PMPI_Neighbor_allgather(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                            int recvcount, MPI_Datatype recvtype, MPI_Comm comm)
{
    return allgather("MPI_Neighbor_allgather", PL_BLOCKING, sendbuf, sendcount, sendtype, recvbuf, recvcount,
                     recvtype, comm, NULL);
}
PL_WEAK(Neighbor_allgather)

int PMPI_Ineighbor_allgather_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                               MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm,
                               MPI_Request *request)
{
    return allgather("MPI_Ineighbor_allgather", PL_NONBLOCKING, sendbuf, sendcount, sendtype, recvbuf,
                     recvcount, recvtype, comm, request);
}
PL_WEAK(Ineighbor_allgather_c)

int PMPI_Ineighbor_allgather(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                             int recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
{
    return allgather("MPI_Ineighbor_allgather", PL_NONBLOCKING, sendbuf, sendcount, sendtype, recvbuf,
                     recvcount, recvtype, comm, request);
}
PL_WEAK(Ineighbor_allgather)

int PMPI_Neighbor_allgather_init_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
                                   void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm,
                                   MPI_Info info, MPI_Request *request)
{
    return allgather("MPI_Neighbor_allgather_init", PL_PERSISTENT, sendbuf, sendcount, sendtype, recvbuf,
                     recvcount, recvtype, comm, request);
}
PL_WEAK(Neighbor_allgather_init_c)

int PMPI_Neighbor_allgather_init(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                                 int recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info,
                                 MPI_Request *request)
{
    return allgather("MPI_Neighbor_allgather_init", PL_PERSISTENT, sendbuf, sendcount, sendtype, recvbuf,
                     recvcount, recvtype, comm, request);
}
PL_WEAK(Neighbor_allgather_init)

static int allgatherv(const char *name, enum pl_form form, const void *sendbuf, MPI_Count sendcount,
                      MPI_Datatype sendtype, void *recvbuf, struct pl_numbers recvcounts,
                      struct pl_numbers displs, MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .in_count = sendcount,
                             .in_type = sendtype,
                             .out = recvbuf,
                             .out_counts = recvcounts,
                             .out_displs = displs,
                             .out_listed = true,
                             .out_type = recvtype,
                             .comm = comm,
                             .in_same = true};
    return pl_collective(name, form, PL_NEIGHBOR, prepare, &a, request);
}

int PMPI_Neighbor_allgatherv_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                               const MPI_Count recvcounts[], const MPI_Aint displs[], MPI_Datatype recvtype,
                               MPI_Comm comm)
{
    return allgatherv("MPI_Neighbor_allgatherv", PL_BLOCKING, sendbuf, sendcount, sendtype, recvbuf,
                      pl_wide(recvcounts), pl_wide(displs), recvtype, comm, NULL);
}
PL_WEAK(Neighbor_allgatherv_c)

int PMPI_Neighbor_allgatherv(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                             const int recvcounts[], const int displs[], MPI_Datatype recvtype, MPI_Comm comm)
{
    return allgatherv("MPI_Neighbor_allgatherv", PL_BLOCKING, sendbuf, sendcount, sendtype, recvbuf,
                      pl_narrow(recvcounts), pl_narrow(displs), recvtype, comm, NULL);
}
PL_WEAK(Neighbor_allgatherv)

int PMPI_Ineighbor_allgatherv_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
                                void *recvbuf, const MPI_Count recvcounts[], const MPI_Aint displs[],
                                MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
{
    return allgatherv("MPI_Ineighbor_allgatherv", PL_NONBLOCKING, sendbuf, sendcount, sendtype, recvbuf,
                      pl_wide(recvcounts), pl_wide(displs), recvtype, comm, request);
}
PL_WEAK(Ineighbor_allgatherv_c)

int PMPI_Ineighbor_allgatherv(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                              const int recvcounts[], const int displs[], MPI_Datatype recvtype,
                              MPI_Comm comm, MPI_Request *request)
{
    return allgatherv("MPI_Ineighbor_allgatherv", PL_NONBLOCKING, sendbuf, sendcount, sendtype, recvbuf,
                      pl_narrow(recvcounts), pl_narrow(displs), recvtype, comm, request);
}
PL_WEAK(Ineighbor_allgatherv)

int PMPI_Neighbor_allgatherv_init_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
                                    void *recvbuf, const MPI_Count recvcounts[], const MPI_Aint displs[],
                                    MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return allgatherv("MPI_Neighbor_allgatherv_init", PL_PERSISTENT, sendbuf, sendcount, sendtype, recvbuf,
                      pl_wide(recvcounts), pl_wide(displs), recvtype, comm, request);
}
PL_WEAK(Neighbor_allgatherv_init_c)

int PMPI_Neighbor_allgatherv_init(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                                  const int recvcounts[], const int displs[], MPI_Datatype recvtype,
                                  MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return allgatherv("MPI_Neighbor_allgatherv_init", PL_PERSISTENT, sendbuf, sendcount, sendtype, recvbuf,
                      pl_narrow(recvcounts), pl_narrow(displs), recvtype, comm, request);
}
PL_WEAK(Neighbor_allgatherv_init)

static int alltoall(const char *name, enum pl_form form, const void *sendbuf, MPI_Count sendcount,
                    MPI_Datatype sendtype, void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype,
                    MPI_Comm comm, MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .in_count = sendcount,
                             .in_type = sendtype,
                             .out = recvbuf,
                             .out_count = recvcount,
                             .out_type = recvtype,
                             .comm = comm};
    return pl_collective(name, form, PL_NEIGHBOR, prepare, &a, request);
}

int PMPI_Neighbor_alltoall_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                             MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm)
{
    return alltoall("MPI_Neighbor_alltoall", PL_BLOCKING, sendbuf, sendcount, sendtype, recvbuf, recvcount,
                    recvtype, comm, NULL);
}
PL_WEAK(Neighbor_alltoall_c)

int PMPI_Neighbor_alltoall(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                           int recvcount, MPI_Datatype recvtype, MPI_Comm comm)
{
    return alltoall("MPI_Neighbor_alltoall", PL_BLOCKING, sendbuf, sendcount, sendtype, recvbuf, recvcount,
                    recvtype, comm, NULL);
}
PL_WEAK(Neighbor_alltoall)

int PMPI_Ineighbor_alltoall_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                              MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
{
    return alltoall("MPI_Ineighbor_alltoall", PL_NONBLOCKING, sendbuf, sendcount, sendtype, recvbuf,
                    recvcount, recvtype, comm, request);
}
PL_WEAK(Ineighbor_alltoall_c)

int PMPI_Ineighbor_alltoall(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                            int recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
{
    return alltoall("MPI_Ineighbor_alltoall", PL_NONBLOCKING, sendbuf, sendcount, sendtype, recvbuf,
                    recvcount, recvtype, comm, request);
}
PL_WEAK(Ineighbor_alltoall)

int PMPI_Neighbor_alltoall_init_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype,
                                  void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm,
                                  MPI_Info info, MPI_Request *request)
{
    return alltoall("MPI_Neighbor_alltoall_init", PL_PERSISTENT, sendbuf, sendcount, sendtype, recvbuf,
                    recvcount, recvtype, comm, request);
}
PL_WEAK(Neighbor_alltoall_init_c)

int PMPI_Neighbor_alltoall_init(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                                int recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info,
                                MPI_Request *request)
{
    return alltoall("MPI_Neighbor_alltoall_init", PL_PERSISTENT, sendbuf, sendcount, sendtype, recvbuf,
                    recvcount, recvtype, comm, request);
}
PL_WEAK(Neighbor_alltoall_init)

static int alltoallv(const char *name, enum pl_form form, const void *sendbuf, struct pl_numbers sendcounts,
                     struct pl_numbers sdispls, MPI_Datatype sendtype, void *recvbuf,
                     struct pl_numbers recvcounts, struct pl_numbers rdispls, MPI_Datatype recvtype,
                     MPI_Comm comm, MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .in_counts = sendcounts,
                             .in_displs = sdispls,
                             .in_listed = true,
                             .in_type = sendtype,
                             .out = recvbuf,
                             .out_counts = recvcounts,
                             .out_displs = rdispls,
                             .out_listed = true,
                             .out_type = recvtype,
                             .comm = comm};
    return pl_collective(name, form, PL_NEIGHBOR, prepare, &a, request);
}

int PMPI_Neighbor_alltoallv_c(const void *sendbuf, const MPI_Count sendcounts[], const MPI_Aint sdispls[],
                              MPI_Datatype sendtype, void *recvbuf, const MPI_Count recvcounts[],
                              const MPI_Aint rdispls[], MPI_Datatype recvtype, MPI_Comm comm)
{
    return alltoallv("MPI_Neighbor_alltoallv", PL_BLOCKING, sendbuf, pl_wide(sendcounts), pl_wide(sdispls),
                     sendtype, recvbuf, pl_wide(recvcounts), pl_wide(rdispls), recvtype, comm, NULL);
}
PL_WEAK(Neighbor_alltoallv_c)

int PMPI_Neighbor_alltoallv(const void *sendbuf, const int sendcounts[], const int sdispls[],
                            MPI_Datatype sendtype, void *recvbuf, const int recvcounts[], const int rdispls[],
                            MPI_Datatype recvtype, MPI_Comm comm)
{
    return alltoallv("MPI_Neighbor_alltoallv", PL_BLOCKING, sendbuf, pl_narrow(sendcounts),
                     pl_narrow(sdispls), sendtype, recvbuf, pl_narrow(recvcounts), pl_narrow(rdispls),
                     recvtype, comm, NULL);
}
PL_WEAK(Neighbor_alltoallv)

int PMPI_Ineighbor_alltoallv_c(const void *sendbuf, const MPI_Count sendcounts[], const MPI_Aint sdispls[],
                               MPI_Datatype sendtype, void *recvbuf, const MPI_Count recvcounts[],
                               const MPI_Aint rdispls[], MPI_Datatype recvtype, MPI_Comm comm,
                               MPI_Request *request)
{
    return alltoallv("MPI_Ineighbor_alltoallv", PL_NONBLOCKING, sendbuf, pl_wide(sendcounts),
                     pl_wide(sdispls), sendtype, recvbuf, pl_wide(recvcounts), pl_wide(rdispls), recvtype,
                     comm, request);
}
PL_WEAK(Ineighbor_alltoallv_c)

int PMPI_Ineighbor_alltoallv(const void *sendbuf, const int sendcounts[], const int sdispls[],
                             MPI_Datatype sendtype, void *recvbuf, const int recvcounts[],
                             const int rdispls[], MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
{
    return alltoallv("MPI_Ineighbor_alltoallv", PL_NONBLOCKING, sendbuf, pl_narrow(sendcounts),
                     pl_narrow(sdispls), sendtype, recvbuf, pl_narrow(recvcounts), pl_narrow(rdispls),
                     recvtype, comm, request);
}
PL_WEAK(Ineighbor_alltoallv)

int PMPI_Neighbor_alltoallv_init_c(const void *sendbuf, const MPI_Count sendcounts[],
                                   const MPI_Aint sdispls[], MPI_Datatype sendtype, void *recvbuf,
                                   const MPI_Count recvcounts[], const MPI_Aint rdispls[],
                                   MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return alltoallv("MPI_Neighbor_alltoallv_init", PL_PERSISTENT, sendbuf, pl_wide(sendcounts),
                     pl_wide(sdispls), sendtype, recvbuf, pl_wide(recvcounts), pl_wide(rdispls), recvtype,
                     comm, request);
}
PL_WEAK(Neighbor_alltoallv_init_c)

int PMPI_Neighbor_alltoallv_init(const void *sendbuf, const int sendcounts[], const int sdispls[],
                                 MPI_Datatype sendtype, void *recvbuf, const int recvcounts[],
                                 const int rdispls[], MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info,
                                 MPI_Request *request)
{
    return alltoallv("MPI_Neighbor_alltoallv_init", PL_PERSISTENT, sendbuf, pl_narrow(sendcounts),
                     pl_narrow(sdispls), sendtype, recvbuf, pl_narrow(recvcounts), pl_narrow(rdispls),
                     recvtype, comm, request);
}
PL_WEAK(Neighbor_alltoallv_init)

static int alltoallw(const char *name, enum pl_form form, const void *sendbuf, struct pl_numbers sendcounts,
                     struct pl_numbers sdispls, const MPI_Datatype *sendtypes, void *recvbuf,
                     struct pl_numbers recvcounts, struct pl_numbers rdispls, const MPI_Datatype *recvtypes,
                     MPI_Comm comm, MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .in_counts = sendcounts,
                             .in_displs = sdispls,
                             .in_listed = true,
                             .in_types = sendtypes,
                             .out = recvbuf,
                             .out_counts = recvcounts,
                             .out_displs = rdispls,
                             .out_listed = true,
                             .out_types = recvtypes,
                             .comm = comm};
    return pl_collective(name, form, PL_NEIGHBOR, prepare, &a, request);
}

int PMPI_Neighbor_alltoallw_c(const void *sendbuf, const MPI_Count sendcounts[], const MPI_Aint sdispls[],
                              const MPI_Datatype sendtypes[], void *recvbuf, const MPI_Count recvcounts[],
                              const MPI_Aint rdispls[], const MPI_Datatype recvtypes[], MPI_Comm comm)
{
    return alltoallw("MPI_Neighbor_alltoallw", PL_BLOCKING, sendbuf, pl_wide(sendcounts), pl_wide(sdispls),
                     sendtypes, recvbuf, pl_wide(recvcounts), pl_wide(rdispls), recvtypes, comm, NULL);
}
PL_WEAK(Neighbor_alltoallw_c)

int PMPI_Neighbor_alltoallw(const void *sendbuf, const int sendcounts[], const MPI_Aint sdispls[],
                            const MPI_Datatype sendtypes[], void *recvbuf, const int recvcounts[],
                            const MPI_Aint rdispls[], const MPI_Datatype recvtypes[], MPI_Comm comm)
{
    return alltoallw("MPI_Neighbor_alltoallw", PL_BLOCKING, sendbuf, pl_narrow(sendcounts), pl_wide(sdispls),
                     sendtypes, recvbuf, pl_narrow(recvcounts), pl_wide(rdispls), recvtypes, comm, NULL);
}
PL_WEAK(Neighbor_alltoallw)

int PMPI_Ineighbor_alltoallw_c(const void *sendbuf, const MPI_Count sendcounts[], const MPI_Aint sdispls[],
                               const MPI_Datatype sendtypes[], void *recvbuf, const MPI_Count recvcounts[],
                               const MPI_Aint rdispls[], const MPI_Datatype recvtypes[], MPI_Comm comm,
                               MPI_Request *request)
{
    return alltoallw("MPI_Ineighbor_alltoallw", PL_NONBLOCKING, sendbuf, pl_wide(sendcounts),
                     pl_wide(sdispls), sendtypes, recvbuf, pl_wide(recvcounts), pl_wide(rdispls), recvtypes,
                     comm, request);
}
PL_WEAK(Ineighbor_alltoallw_c)

int PMPI_Ineighbor_alltoallw(const void *sendbuf, const int sendcounts[], const MPI_Aint sdispls[],
                             const MPI_Datatype sendtypes[], void *recvbuf, const int recvcounts[],
                             const MPI_Aint rdispls[], const MPI_Datatype recvtypes[], MPI_Comm comm,
                             MPI_Request *request)
{
    return alltoallw("MPI_Ineighbor_alltoallw", PL_NONBLOCKING, sendbuf, pl_narrow(sendcounts),
                     pl_wide(sdispls), sendtypes, recvbuf, pl_narrow(recvcounts), pl_wide(rdispls), recvtypes,
                     comm, request);
}
PL_WEAK(Ineighbor_alltoallw)

int PMPI_Neighbor_alltoallw_init_c(const void *sendbuf, const MPI_Count sendcounts[],
                                   const MPI_Aint sdispls[], const MPI_Datatype sendtypes[], void *recvbuf,
                                   const MPI_Count recvcounts[], const MPI_Aint rdispls[],
                                   const MPI_Datatype recvtypes[], MPI_Comm comm, MPI_Info info,
                                   MPI_Request *request)
{
    return alltoallw("MPI_Neighbor_alltoallw_init", PL_PERSISTENT, sendbuf, pl_wide(sendcounts),
                     pl_wide(sdispls), sendtypes, recvbuf, pl_wide(recvcounts), pl_wide(rdispls), recvtypes,
                     comm, request);
}
PL_WEAK(Neighbor_alltoallw_init_c)

int PMPI_Neighbor_alltoallw_init(const void *sendbuf, const int sendcounts[], const MPI_Aint sdispls[],
                                 const MPI_Datatype sendtypes[], void *recvbuf, const int recvcounts[],
                                 const MPI_Aint rdispls[], const MPI_Datatype recvtypes[], MPI_Comm comm,
                                 MPI_Info info, MPI_Request *request)
{
    return alltoallw("MPI_Neighbor_alltoallw_init", PL_PERSISTENT, sendbuf, pl_narrow(sendcounts),
                     pl_wide(sdispls), sendtypes, recvbuf, pl_narrow(recvcounts), pl_wide(rdispls), recvtypes,
                     comm, request);
}
PL_WEAK(Neighbor_alltoallw_init)
