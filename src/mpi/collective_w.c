/* Alltoallv and alltoallw (MPI 5.0, section 6.8), in all forms: v has one type and displacements in extents
 * of it, w a type for each block and displacements in bytes. In place, what is sent is what is then received.
 */
#include "collective.h"

#include <stdlib.h>
#include <string.h>

/* In place the list of what is sent is that of what is received. */
static int send_side(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    int n = call->comm->size;
    struct pl_block *blocks;
    int error;
    if (call->in_place) {
        size_t bytes = (size_t)n * sizeof *blocks;
        blocks = malloc(bytes);
        error = blocks ? 0 : pl_fail(PL_ENOMEM, "no memory for %d blocks", n);
        if (!error)
            memcpy(blocks, call->out_blocks, bytes);
    } else {
        struct pl_side side = {a->in, 0, a->in_counts, a->in_displs, a->in_type, a->in_types, false};
        error = pl_side_blocks(mpi, &side, n, &blocks, &call->in);
    }
    if (!error)
        call->in_blocks = blocks;
    return error;
}

static int check_lists(struct pl_numbers counts, struct pl_numbers displs, const char *which)
{
    if (pl_given(counts) && pl_given(displs))
        return 0;
    return pl_bad(MPI_ERR_ARG, "the counts or displacements of what is %s are NULL", which);
}

static int prepare_alltoallv(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    struct pl_side side = {a->out, 0, a->out_counts, a->out_displs, a->out_type, a->out_types, false};
    struct pl_block *blocks;
    const void *base;
    int rank = call->comm->rank;
    call->uneven = true;
    call->in_place = a->in == MPI_IN_PLACE;
    call->type = pl_datatype_predefined(PL_HANDLE_BYTE);
    int error = check_lists(a->out_counts, a->out_displs, "received");
    if (!error && !call->in_place)
        error = check_lists(a->in_counts, a->in_displs, "sent");
    if (!error)
        error = pl_side_blocks(mpi, &side, call->comm->size, &blocks, &base);
    if (error)
        return error;
    call->out_blocks = blocks;
    call->out = (void *)(uintptr_t)base;
    error = send_side(mpi, a, call);
    return error ? error : pl_side_self(call->in_blocks[rank].length, call->out_blocks[rank].length);
}

static int prepare_alltoallw(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    int error = pl_check_pointer(a->out_types, "recvtypes");
    if (!error && a->in != MPI_IN_PLACE)
        error = pl_check_pointer(a->in_types, "sendtypes");
    return error ? error : prepare_alltoallv(mpi, a, call);
}

static int alltoallv(const char *name, enum pl_form form, const void *sendbuf, struct pl_numbers sendcounts,
                     struct pl_numbers sdispls, MPI_Datatype sendtype, void *recvbuf,
                     struct pl_numbers recvcounts, struct pl_numbers rdispls, MPI_Datatype recvtype,
                     MPI_Comm comm, MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .in_counts = sendcounts,
                             .in_displs = sdispls,
                             .in_type = sendtype,
                             .out = recvbuf,
                             .out_counts = recvcounts,
                             .out_displs = rdispls,
                             .out_type = recvtype,
                             .comm = comm};
    return pl_collective(name, form, PL_ALLTOALL, prepare_alltoallv, &a, request);
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
                             .in_types = sendtypes,
                             .out = recvbuf,
                             .out_counts = recvcounts,
                             .out_displs = rdispls,
                             .out_types = recvtypes,
                             .comm = comm};
    return pl_collective(name, form, PL_ALLTOALL, prepare_alltoallw, &a, request);
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
