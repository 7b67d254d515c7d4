/* Alltoallv and alltoallw (MPI 5.0, section 6.8), in all forms: v has one type and displacements in extents
 * of it, w a type for each block and displacements in bytes. In place, what is sent is what is then received.
 */
#include "collective.h"

#include <stdlib.h>
#include <string.h>

/* In place the list of what is sent is that of what is received. */
static int same_blocks(struct pl_coll_call *call)
{
    size_t bytes = (size_t)call->comm->size * sizeof *call->in_blocks;
    struct pl_block *blocks = malloc(bytes);
    if (!blocks)
        return pl_fail(PL_ENOMEM, "no memory for %d blocks", call->comm->size);
    call->in_blocks = memcpy(blocks, call->out_blocks, bytes);
    return 0;
}

static int prepare(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    struct pl_side in = pl_in_side(a), out = pl_out_side(a);
    int n = call->comm->size, rank = call->comm->rank;
    call->uneven = true;
    call->in_place = a->in == MPI_IN_PLACE;
    call->type = pl_datatype_predefined(PL_HANDLE_BYTE);
    int error = pl_side_out(mpi, &out, n, call);
    if (!error && call->in_place)
        return same_blocks(call);
    if (!error)
        error = pl_side_in(mpi, &in, n, call);
    if (error)
        return error;
    const struct pl_block *from = &call->in_blocks[rank], *to = &call->out_blocks[rank];
    return pl_side_self((const char *)call->in + from->offset, from->length,
                        (const char *)call->out + to->offset, to->length);
}

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
    return pl_collective(name, form, PL_ALLTOALL, prepare, &a, request);
}

int PMPI_Alltoallv_c(const void *sendbuf, const MPI_Count sendcounts[], const MPI_Aint sdispls[],
                     MPI_Datatype sendtype, void *recvbuf, const MPI_Count recvcounts[],
                     const MPI_Aint rdispls[], MPI_Datatype recvtype, MPI_Comm comm)
{
    return alltoallv("MPI_Alltoallv", PL_BLOCKING, sendbuf, pl_wide(sendcounts), pl_wide(sdispls), sendtype,
                     recvbuf, pl_wide(recvcounts), pl_wide(rdispls), recvtype, comm, NULL);
}
PL_WEAK(Alltoallv_c)

int PMPI_Alltoallv(const void *sendbuf, const int sendcounts[], const int sdispls[], MPI_Datatype sendtype,
                   void *recvbuf, const int recvcounts[], const int rdispls[], MPI_Datatype recvtype,
                   MPI_Comm comm)
{
    return alltoallv("MPI_Alltoallv", PL_BLOCKING, sendbuf, pl_narrow(sendcounts), pl_narrow(sdispls),
                     sendtype, recvbuf, pl_narrow(recvcounts), pl_narrow(rdispls), recvtype, comm, NULL);
}
PL_WEAK(Alltoallv)

int PMPI_Ialltoallv_c(const void *sendbuf, const MPI_Count sendcounts[], const MPI_Aint sdispls[],
                      MPI_Datatype sendtype, void *recvbuf, const MPI_Count recvcounts[],
                      const MPI_Aint rdispls[], MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
{
    return alltoallv("MPI_Ialltoallv", PL_NONBLOCKING, sendbuf, pl_wide(sendcounts), pl_wide(sdispls),
                     sendtype, recvbuf, pl_wide(recvcounts), pl_wide(rdispls), recvtype, comm, request);
}
PL_WEAK(Ialltoallv_c)

int PMPI_Ialltoallv(const void *sendbuf, const int sendcounts[], const int sdispls[], MPI_Datatype sendtype,
                    void *recvbuf, const int recvcounts[], const int rdispls[], MPI_Datatype recvtype,
                    MPI_Comm comm, MPI_Request *request)
{
    return alltoallv("MPI_Ialltoallv", PL_NONBLOCKING, sendbuf, pl_narrow(sendcounts), pl_narrow(sdispls),
                     sendtype, recvbuf, pl_narrow(recvcounts), pl_narrow(rdispls), recvtype, comm, request);
}
PL_WEAK(Ialltoallv)

int PMPI_Alltoallv_init_c(const void *sendbuf, const MPI_Count sendcounts[], const MPI_Aint sdispls[],
                          MPI_Datatype sendtype, void *recvbuf, const MPI_Count recvcounts[],
                          const MPI_Aint rdispls[], MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info,
                          MPI_Request *request)
{
    return alltoallv("MPI_Alltoallv_init", PL_PERSISTENT, sendbuf, pl_wide(sendcounts), pl_wide(sdispls),
                     sendtype, recvbuf, pl_wide(recvcounts), pl_wide(rdispls), recvtype, comm, request);
}
PL_WEAK(Alltoallv_init_c)

int PMPI_Alltoallv_init(const void *sendbuf, const int sendcounts[], const int sdispls[],
                        MPI_Datatype sendtype, void *recvbuf, const int recvcounts[], const int rdispls[],
                        MPI_Datatype recvtype, MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return alltoallv("MPI_Alltoallv_init", PL_PERSISTENT, sendbuf, pl_narrow(sendcounts), pl_narrow(sdispls),
                     sendtype, recvbuf, pl_narrow(recvcounts), pl_narrow(rdispls), recvtype, comm, request);
}
PL_WEAK(Alltoallv_init)

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
    return pl_collective(name, form, PL_ALLTOALL, prepare, &a, request);
}

int PMPI_Alltoallw_c(const void *sendbuf, const MPI_Count sendcounts[], const MPI_Aint sdispls[],
                     const MPI_Datatype sendtypes[], void *recvbuf, const MPI_Count recvcounts[],
                     const MPI_Aint rdispls[], const MPI_Datatype recvtypes[], MPI_Comm comm)
{
    return alltoallw("MPI_Alltoallw", PL_BLOCKING, sendbuf, pl_wide(sendcounts), pl_wide(sdispls), sendtypes,
                     recvbuf, pl_wide(recvcounts), pl_wide(rdispls), recvtypes, comm, NULL);
}
PL_WEAK(Alltoallw_c)

int PMPI_Alltoallw(const void *sendbuf, const int sendcounts[], const int sdispls[],
                   const MPI_Datatype sendtypes[], void *recvbuf, const int recvcounts[], const int rdispls[],
                   const MPI_Datatype recvtypes[], MPI_Comm comm)
{
    return alltoallw("MPI_Alltoallw", PL_BLOCKING, sendbuf, pl_narrow(sendcounts), pl_narrow(sdispls),
                     sendtypes, recvbuf, pl_narrow(recvcounts), pl_narrow(rdispls), recvtypes, comm, NULL);
}
PL_WEAK(Alltoallw)

int PMPI_Ialltoallw_c(const void *sendbuf, const MPI_Count sendcounts[], const MPI_Aint sdispls[],
                      const MPI_Datatype sendtypes[], void *recvbuf, const MPI_Count recvcounts[],
                      const MPI_Aint rdispls[], const MPI_Datatype recvtypes[], MPI_Comm comm,
                      MPI_Request *request)
{
    return alltoallw("MPI_Ialltoallw", PL_NONBLOCKING, sendbuf, pl_wide(sendcounts), pl_wide(sdispls),
                     sendtypes, recvbuf, pl_wide(recvcounts), pl_wide(rdispls), recvtypes, comm, request);
}
PL_WEAK(Ialltoallw_c)

int PMPI_Ialltoallw(const void *sendbuf, const int sendcounts[], const int sdispls[],
                    const MPI_Datatype sendtypes[], void *recvbuf, const int recvcounts[],
                    const int rdispls[], const MPI_Datatype recvtypes[], MPI_Comm comm, MPI_Request *request)
{
    return alltoallw("MPI_Ialltoallw", PL_NONBLOCKING, sendbuf, pl_narrow(sendcounts), pl_narrow(sdispls),
                     sendtypes, recvbuf, pl_narrow(recvcounts), pl_narrow(rdispls), recvtypes, comm, request);
}
PL_WEAK(Ialltoallw)

int PMPI_Alltoallw_init_c(const void *sendbuf, const MPI_Count sendcounts[], const MPI_Aint sdispls[],
                          const MPI_Datatype sendtypes[], void *recvbuf, const MPI_Count recvcounts[],
                          const MPI_Aint rdispls[], const MPI_Datatype recvtypes[], MPI_Comm comm,
                          MPI_Info info, MPI_Request *request)
{
    return alltoallw("MPI_Alltoallw_init", PL_PERSISTENT, sendbuf, pl_wide(sendcounts), pl_wide(sdispls),
                     sendtypes, recvbuf, pl_wide(recvcounts), pl_wide(rdispls), recvtypes, comm, request);
}
PL_WEAK(Alltoallw_init_c)

int PMPI_Alltoallw_init(const void *sendbuf, const int sendcounts[], const int sdispls[],
                        const MPI_Datatype sendtypes[], void *recvbuf, const int recvcounts[],
                        const int rdispls[], const MPI_Datatype recvtypes[], MPI_Comm comm, MPI_Info info,
                        MPI_Request *request)
{
    return alltoallw("MPI_Alltoallw_init", PL_PERSISTENT, sendbuf, pl_narrow(sendcounts), pl_narrow(sdispls),
                     sendtypes, recvbuf, pl_narrow(recvcounts), pl_narrow(rdispls), recvtypes, comm, request);
}
PL_WEAK(Alltoallw_init)
