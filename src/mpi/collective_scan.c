/* Reduce_scatter, scan and exscan (MPI 5.0, sections 6.10 to 6.12), in all forms. */
#include "collective.h"

#include <stdlib.h>

/* The blocks of the vector, one after the other, and how many elements they are together. */
static int vector_blocks(const struct pl_arguments *a, struct pl_coll_call *call, MPI_Count *total)
{
    int n = call->comm->size, error = pl_given(a->out_counts) ? 0 : pl_check_pointer(NULL, "recvcounts");
    struct pl_block *blocks = NULL;
    if (!error && !(blocks = malloc((size_t)n * sizeof *blocks)))
        error = pl_fail(PL_ENOMEM, "no memory for %d blocks", n);
    size_t offset = 0;
    *total = 0;
    for (int i = 0; i < n && !error; i++) {
        MPI_Count count = pl_number(a->out_counts, i);
        size_t length;
        error = pl_check_count(count);
        if (!error && __builtin_add_overflow(*total, count, total))
            error = pl_bad(MPI_ERR_COUNT, "the counts add up to more than memory can have");
        if (!error)
            error = pl_check_length(*total, call->type, &length);
        if (!error) { /* numbers are summed where they lie: gaps are moved along */
            length = (size_t)count * (size_t)call->type->extent;
            blocks[i] = (struct pl_block){offset, length};
            offset += length;
        }
    }
    if (error)
        free(blocks);
    else
        call->in_blocks = blocks;
    return error;
}

int pl_prepare_reduce_scatter(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    MPI_Count total;
    call->uneven = true;
    call->in_place = a->in == MPI_IN_PLACE;
    int error = pl_datatype_of(mpi, a->out_type, &call->type);
    if (!error)
        error = pl_prepare_op(mpi, a->op, call);
    if (!error)
        error = vector_blocks(a, call, &total);
    if (error)
        return error;
    MPI_Count own = pl_number(a->out_counts, call->comm->rank);
    error = pl_check_buffer(a->out, call->in_place ? total : own, call->type);
    if (!error && !call->in_place)
        error = pl_check_buffer(a->in, total, call->type);
    call->count = (size_t)own;
    return error ? error : pl_prepare_alias(call);
}

static int reduce_scatter(const char *name, enum pl_form form, const void *sendbuf, void *recvbuf,
                          struct pl_numbers recvcounts, MPI_Datatype datatype, MPI_Op op, MPI_Comm comm,
                          MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .out = recvbuf,
                             .out_counts = recvcounts,
                             .out_listed = true,
                             .out_type = datatype,
                             .op = op,
                             .comm = comm};
    return pl_collective(name, form, PL_REDUCE_SCATTER, pl_prepare_reduce_scatter, &a, request);
}

int PMPI_Reduce_scatter_c(const void *sendbuf, void *recvbuf, const MPI_Count recvcounts[],
                          MPI_Datatype datatype, MPI_Op op, MPI_Comm comm)
{
    return reduce_scatter("MPI_Reduce_scatter", PL_BLOCKING, sendbuf, recvbuf, pl_wide(recvcounts), datatype,
                          op, comm, NULL);
}
PL_WEAK(Reduce_scatter_c)

int PMPI_Reduce_scatter(const void *sendbuf, void *recvbuf, const int recvcounts[], MPI_Datatype datatype,
                        MPI_Op op, MPI_Comm comm)
{
    return reduce_scatter("MPI_Reduce_scatter", PL_BLOCKING, sendbuf, recvbuf, pl_narrow(recvcounts),
                          datatype, op, comm, NULL);
}
PL_WEAK(Reduce_scatter)

int PMPI_Ireduce_scatter_c(const void *sendbuf, void *recvbuf, const MPI_Count recvcounts[],
                           MPI_Datatype datatype, MPI_Op op, MPI_Comm comm, MPI_Request *request)
{
    return reduce_scatter("MPI_Ireduce_scatter", PL_NONBLOCKING, sendbuf, recvbuf, pl_wide(recvcounts),
                          datatype, op, comm, request);
}
PL_WEAK(Ireduce_scatter_c)

int PMPI_Ireduce_scatter(const void *sendbuf, void *recvbuf, const int recvcounts[], MPI_Datatype datatype,
                         MPI_Op op, MPI_Comm comm, MPI_Request *request)
{
    return reduce_scatter("MPI_Ireduce_scatter", PL_NONBLOCKING, sendbuf, recvbuf, pl_narrow(recvcounts),
                          datatype, op, comm, request);
}
PL_WEAK(Ireduce_scatter)

int PMPI_Reduce_scatter_init_c(const void *sendbuf, void *recvbuf, const MPI_Count recvcounts[],
                               MPI_Datatype datatype, MPI_Op op, MPI_Comm comm, MPI_Info info,
                               MPI_Request *request)
{
    return reduce_scatter("MPI_Reduce_scatter_init", PL_PERSISTENT, sendbuf, recvbuf, pl_wide(recvcounts),
                          datatype, op, comm, request);
}
PL_WEAK(Reduce_scatter_init_c)

int PMPI_Reduce_scatter_init(const void *sendbuf, void *recvbuf, const int recvcounts[],
                             MPI_Datatype datatype, MPI_Op op, MPI_Comm comm, MPI_Info info,
                             MPI_Request *request)
{
    return reduce_scatter("MPI_Reduce_scatter_init", PL_PERSISTENT, sendbuf, recvbuf, pl_narrow(recvcounts),
                          datatype, op, comm, request);
}
PL_WEAK(Reduce_scatter_init)

static int scan(const char *name, enum pl_form form, enum pl_collective collective, const void *sendbuf,
                void *recvbuf, MPI_Count count, MPI_Datatype datatype, MPI_Op op, MPI_Comm comm,
                MPI_Request *request)
{
    struct pl_arguments a = {
        .in = sendbuf, .out = recvbuf, .out_count = count, .out_type = datatype, .op = op, .comm = comm};
    return pl_collective(name, form, collective, pl_prepare_allreduce, &a, request);
}

int PMPI_Scan_c(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype, MPI_Op op,
                MPI_Comm comm)
{
    return scan("MPI_Scan", PL_BLOCKING, PL_SCAN, sendbuf, recvbuf, count, datatype, op, comm, NULL);
}
PL_WEAK(Scan_c)

int PMPI_Scan(const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype, MPI_Op op, MPI_Comm comm)
{
    return scan("MPI_Scan", PL_BLOCKING, PL_SCAN, sendbuf, recvbuf, count, datatype, op, comm, NULL);
}
PL_WEAK(Scan)

int PMPI_Iscan_c(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype, MPI_Op op,
                 MPI_Comm comm, MPI_Request *request)
{
    return scan("MPI_Iscan", PL_NONBLOCKING, PL_SCAN, sendbuf, recvbuf, count, datatype, op, comm, request);
}
PL_WEAK(Iscan_c)

int PMPI_Iscan(const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype, MPI_Op op, MPI_Comm comm,
               MPI_Request *request)
{
    return scan("MPI_Iscan", PL_NONBLOCKING, PL_SCAN, sendbuf, recvbuf, count, datatype, op, comm, request);
}
PL_WEAK(Iscan)

int PMPI_Scan_init_c(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype, MPI_Op op,
                     MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return scan("MPI_Scan_init", PL_PERSISTENT, PL_SCAN, sendbuf, recvbuf, count, datatype, op, comm,
                request);
}
PL_WEAK(Scan_init_c)

int PMPI_Scan_init(const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype, MPI_Op op,
                   MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return scan("MPI_Scan_init", PL_PERSISTENT, PL_SCAN, sendbuf, recvbuf, count, datatype, op, comm,
                request);
}
PL_WEAK(Scan_init)

int PMPI_Exscan_c(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype, MPI_Op op,
                  MPI_Comm comm)
{
    return scan("MPI_Exscan", PL_BLOCKING, PL_EXSCAN, sendbuf, recvbuf, count, datatype, op, comm, NULL);
}
PL_WEAK(Exscan_c)

int PMPI_Exscan(const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype, MPI_Op op,
                MPI_Comm comm)
{
    return scan("MPI_Exscan", PL_BLOCKING, PL_EXSCAN, sendbuf, recvbuf, count, datatype, op, comm, NULL);
}
PL_WEAK(Exscan)

int PMPI_Iexscan_c(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype, MPI_Op op,
                   MPI_Comm comm, MPI_Request *request)
{
    return scan("MPI_Iexscan", PL_NONBLOCKING, PL_EXSCAN, sendbuf, recvbuf, count, datatype, op, comm,
                request);
}
PL_WEAK(Iexscan_c)

int PMPI_Iexscan(const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype, MPI_Op op,
                 MPI_Comm comm, MPI_Request *request)
{
    return scan("MPI_Iexscan", PL_NONBLOCKING, PL_EXSCAN, sendbuf, recvbuf, count, datatype, op, comm,
                request);
}
PL_WEAK(Iexscan)

int PMPI_Exscan_init_c(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype, MPI_Op op,
                       MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return scan("MPI_Exscan_init", PL_PERSISTENT, PL_EXSCAN, sendbuf, recvbuf, count, datatype, op, comm,
                request);
}
PL_WEAK(Exscan_init_c)

int PMPI_Exscan_init(const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype, MPI_Op op,
                     MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    return scan("MPI_Exscan_init", PL_PERSISTENT, PL_EXSCAN, sendbuf, recvbuf, count, datatype, op, comm,
                request);
}
PL_WEAK(Exscan_init)
