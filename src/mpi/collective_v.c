/* Gatherv, scatterv and allgatherv (MPI 5.0, sections 6.5 to 6.7), in all forms. The root alone looks at
 * counts and displacements of the first two.
 */
#include "collective.h"

/* The side that has a block for each rank, as the root, or everybody, lists it. */
static int gather_side(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    struct pl_side side = pl_out_side(a);
    return pl_side_out(mpi, &side, call->comm->size, call);
}

/* In place the own vector is among the blocks. */
static int own_block(const struct pl_block *blocks, struct pl_coll_call *call)
{
    call->type = pl_datatype_predefined(PL_HANDLE_BYTE);
    call->count = blocks[call->comm->rank].length;
    return 0;
}

/* The own block, among all and by itself. */
static int own_twice(const void *all, const struct pl_block *block, const void *own, size_t length)
{
    return pl_side_self((const char *)all + block->offset, block->length, own, length);
}

/* This rank's own block, which goes to its place among all. */
static int gather_own(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    if (call->in_place)
        return own_block(call->out_blocks, call);
    struct pl_side side = pl_in_side(a);
    int error = pl_side_own(mpi, &side, false, call);
    if (!error && call->out_blocks)
        error = own_twice(call->out, &call->out_blocks[call->comm->rank], call->in, call->count);
    return error;
}

static int prepare_gatherv(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    bool root = call->comm->rank == a->root;
    call->uneven = true;
    call->in_place = root && a->in == MPI_IN_PLACE;
    int error = pl_check_root(call->comm, a->root);
    if (!error && root)
        error = gather_side(mpi, a, call);
    return error ? error : gather_own(mpi, a, call);
}

static int prepare_allgatherv(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    call->uneven = true;
    call->in_place = a->in == MPI_IN_PLACE;
    int error = gather_side(mpi, a, call);
    return error ? error : gather_own(mpi, a, call);
}

static int scatter_side(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    struct pl_side side = pl_in_side(a);
    return pl_side_in(mpi, &side, call->comm->size, call);
}

static int prepare_scatterv(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    bool root = call->comm->rank == a->root;
    call->uneven = true;
    call->in_place = root && a->out == MPI_IN_PLACE;
    int error = pl_check_root(call->comm, a->root);
    if (!error && root)
        error = scatter_side(mpi, a, call);
    if (error || call->in_place)
        return error ? error : own_block(call->in_blocks, call);
    struct pl_side side = pl_out_side(a);
    error = pl_side_own(mpi, &side, true, call);
    if (!error && root)
        error = own_twice(call->in, &call->in_blocks[a->root], call->out, call->count);
    return error;
}

static int gatherv(const char *name, enum pl_form form, const void *sendbuf, MPI_Count sendcount,
                   MPI_Datatype sendtype, void *recvbuf, struct pl_numbers recvcounts,
                   struct pl_numbers displs, MPI_Datatype recvtype, int root, MPI_Comm comm,
                   MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .in_count = sendcount,
                             .in_type = sendtype,
                             .out = recvbuf,
                             .out_counts = recvcounts,
                             .out_displs = displs,
                             .out_listed = true,
                             .out_type = recvtype,
                             .root = root,
                             .comm = comm};
    return pl_collective(name, form, PL_GATHER, prepare_gatherv, &a, request);
}

int PMPI_Gatherv_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                   const MPI_Count recvcounts[], const MPI_Aint displs[], MPI_Datatype recvtype, int root,
                   MPI_Comm comm)
{
    return gatherv("MPI_Gatherv", PL_BLOCKING, sendbuf, sendcount, sendtype, recvbuf, pl_wide(recvcounts),
                   pl_wide(displs), recvtype, root, comm, NULL);
}
PL_WEAK(Gatherv_c)

int PMPI_Gatherv(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                 const int recvcounts[], const int displs[], MPI_Datatype recvtype, int root, MPI_Comm comm)
{
    return gatherv("MPI_Gatherv", PL_BLOCKING, sendbuf, sendcount, sendtype, recvbuf, pl_narrow(recvcounts),
                   pl_narrow(displs), recvtype, root, comm, NULL);
}
PL_WEAK(Gatherv)

int PMPI_Igatherv_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                    const MPI_Count recvcounts[], const MPI_Aint displs[], MPI_Datatype recvtype, int root,
                    MPI_Comm comm, MPI_Request *request)
{
    return gatherv("MPI_Igatherv", PL_NONBLOCKING, sendbuf, sendcount, sendtype, recvbuf, pl_wide(recvcounts),
                   pl_wide(displs), recvtype, root, comm, request);
}
PL_WEAK(Igatherv_c)

int PMPI_Igatherv(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                  const int recvcounts[], const int displs[], MPI_Datatype recvtype, int root, MPI_Comm comm,
                  MPI_Request *request)
{
    return gatherv("MPI_Igatherv", PL_NONBLOCKING, sendbuf, sendcount, sendtype, recvbuf,
                   pl_narrow(recvcounts), pl_narrow(displs), recvtype, root, comm, request);
}
PL_WEAK(Igatherv)

int PMPI_Gatherv_init_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                        const MPI_Count recvcounts[], const MPI_Aint displs[], MPI_Datatype recvtype,
                        int root, MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return gatherv("MPI_Gatherv_init", PL_PERSISTENT, sendbuf, sendcount, sendtype, recvbuf,
                   pl_wide(recvcounts), pl_wide(displs), recvtype, root, comm, request);
}
PL_WEAK(Gatherv_init_c)

int PMPI_Gatherv_init(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                      const int recvcounts[], const int displs[], MPI_Datatype recvtype, int root,
                      MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return gatherv("MPI_Gatherv_init", PL_PERSISTENT, sendbuf, sendcount, sendtype, recvbuf,
                   pl_narrow(recvcounts), pl_narrow(displs), recvtype, root, comm, request);
}
PL_WEAK(Gatherv_init)

static int scatterv(const char *name, enum pl_form form, const void *sendbuf, struct pl_numbers sendcounts,
                    struct pl_numbers displs, MPI_Datatype sendtype, void *recvbuf, MPI_Count recvcount,
                    MPI_Datatype recvtype, int root, MPI_Comm comm, MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .in_counts = sendcounts,
                             .in_displs = displs,
                             .in_listed = true,
                             .in_type = sendtype,
                             .out = recvbuf,
                             .out_count = recvcount,
                             .out_type = recvtype,
                             .root = root,
                             .comm = comm};
    return pl_collective(name, form, PL_SCATTER, prepare_scatterv, &a, request);
}

int PMPI_Scatterv_c(const void *sendbuf, const MPI_Count sendcounts[], const MPI_Aint displs[],
                    MPI_Datatype sendtype, void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype,
                    int root, MPI_Comm comm)
{
    return scatterv("MPI_Scatterv", PL_BLOCKING, sendbuf, pl_wide(sendcounts), pl_wide(displs), sendtype,
                    recvbuf, recvcount, recvtype, root, comm, NULL);
}
PL_WEAK(Scatterv_c)

int PMPI_Scatterv(const void *sendbuf, const int sendcounts[], const int displs[], MPI_Datatype sendtype,
                  void *recvbuf, int recvcount, MPI_Datatype recvtype, int root, MPI_Comm comm)
{
    return scatterv("MPI_Scatterv", PL_BLOCKING, sendbuf, pl_narrow(sendcounts), pl_narrow(displs), sendtype,
                    recvbuf, recvcount, recvtype, root, comm, NULL);
}
PL_WEAK(Scatterv)

int PMPI_Iscatterv_c(const void *sendbuf, const MPI_Count sendcounts[], const MPI_Aint displs[],
                     MPI_Datatype sendtype, void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype,
                     int root, MPI_Comm comm, MPI_Request *request)
{
    return scatterv("MPI_Iscatterv", PL_NONBLOCKING, sendbuf, pl_wide(sendcounts), pl_wide(displs), sendtype,
                    recvbuf, recvcount, recvtype, root, comm, request);
}
PL_WEAK(Iscatterv_c)

int PMPI_Iscatterv(const void *sendbuf, const int sendcounts[], const int displs[], MPI_Datatype sendtype,
                   void *recvbuf, int recvcount, MPI_Datatype recvtype, int root, MPI_Comm comm,
                   MPI_Request *request)
{
    return scatterv("MPI_Iscatterv", PL_NONBLOCKING, sendbuf, pl_narrow(sendcounts), pl_narrow(displs),
                    sendtype, recvbuf, recvcount, recvtype, root, comm, request);
}
PL_WEAK(Iscatterv)

int PMPI_Scatterv_init_c(const void *sendbuf, const MPI_Count sendcounts[], const MPI_Aint displs[],
                         MPI_Datatype sendtype, void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype,
                         int root, MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return scatterv("MPI_Scatterv_init", PL_PERSISTENT, sendbuf, pl_wide(sendcounts), pl_wide(displs),
                    sendtype, recvbuf, recvcount, recvtype, root, comm, request);
}
PL_WEAK(Scatterv_init_c)

int PMPI_Scatterv_init(const void *sendbuf, const int sendcounts[], const int displs[], MPI_Datatype sendtype,
                       void *recvbuf, int recvcount, MPI_Datatype recvtype, int root, MPI_Comm comm,
                       MPI_Info info, MPI_Request *request)
{
    return scatterv("MPI_Scatterv_init", PL_PERSISTENT, sendbuf, pl_narrow(sendcounts), pl_narrow(displs),
                    sendtype, recvbuf, recvcount, recvtype, root, comm, request);
}
PL_WEAK(Scatterv_init)

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
                             .comm = comm};
    return pl_collective(name, form, PL_ALLGATHER, prepare_allgatherv, &a, request);
}

int PMPI_Allgatherv_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                      const MPI_Count recvcounts[], const MPI_Aint displs[], MPI_Datatype recvtype,
                      MPI_Comm comm)
{
    return allgatherv("MPI_Allgatherv", PL_BLOCKING, sendbuf, sendcount, sendtype, recvbuf,
                      pl_wide(recvcounts), pl_wide(displs), recvtype, comm, NULL);
}
PL_WEAK(Allgatherv_c)

int PMPI_Allgatherv(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                    const int recvcounts[], const int displs[], MPI_Datatype recvtype, MPI_Comm comm)
{
    return allgatherv("MPI_Allgatherv", PL_BLOCKING, sendbuf, sendcount, sendtype, recvbuf,
                      pl_narrow(recvcounts), pl_narrow(displs), recvtype, comm, NULL);
}
PL_WEAK(Allgatherv)

int PMPI_Iallgatherv_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                       const MPI_Count recvcounts[], const MPI_Aint displs[], MPI_Datatype recvtype,
                       MPI_Comm comm, MPI_Request *request)
{
    return allgatherv("MPI_Iallgatherv", PL_NONBLOCKING, sendbuf, sendcount, sendtype, recvbuf,
                      pl_wide(recvcounts), pl_wide(displs), recvtype, comm, request);
}
PL_WEAK(Iallgatherv_c)

int PMPI_Iallgatherv(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                     const int recvcounts[], const int displs[], MPI_Datatype recvtype, MPI_Comm comm,
                     MPI_Request *request)
{
    return allgatherv("MPI_Iallgatherv", PL_NONBLOCKING, sendbuf, sendcount, sendtype, recvbuf,
                      pl_narrow(recvcounts), pl_narrow(displs), recvtype, comm, request);
}
PL_WEAK(Iallgatherv)

int PMPI_Allgatherv_init_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                           const MPI_Count recvcounts[], const MPI_Aint displs[], MPI_Datatype recvtype,
                           MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return allgatherv("MPI_Allgatherv_init", PL_PERSISTENT, sendbuf, sendcount, sendtype, recvbuf,
                      pl_wide(recvcounts), pl_wide(displs), recvtype, comm, request);
}
PL_WEAK(Allgatherv_init_c)

int PMPI_Allgatherv_init(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                         const int recvcounts[], const int displs[], MPI_Datatype recvtype, MPI_Comm comm,
                         MPI_Info info, MPI_Request *request)
{
    return allgatherv("MPI_Allgatherv_init", PL_PERSISTENT, sendbuf, sendcount, sendtype, recvbuf,
                      pl_narrow(recvcounts), pl_narrow(displs), recvtype, comm, request);
}
PL_WEAK(Allgatherv_init)
