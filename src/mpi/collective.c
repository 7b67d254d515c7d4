/* Collectives (MPI 5.0, chapter 6). Each call is checked and written down once as a
 * struct pl_coll_call by its prepare function; the blocking and the nonblocking form
 * hand that to the same engine.
 */
#include "collective.h"

#include "exchange.h"
#include "mpi_request.h"
#include "staging.h"

#include <stdlib.h>
#include <string.h>

/* The significant count and type of a call, and that they and the buffer make sense. */
int pl_prepare_data(struct pl_mpi *mpi, MPI_Count count, MPI_Datatype datatype, struct pl_coll_call *call)
{
    int error = pl_check_count(count);
    if (!error)
        error = pl_datatype_of(mpi, datatype, &call->type);
    size_t length;
    if (!error)
        error = pl_check_length(count, call->type, &length);
    if (!error)
        call->count = (size_t)count;
    return error;
}

int pl_prepare_buffer(const struct pl_coll_call *call, const void *buffer)
{
    return pl_check_buffer(buffer, (MPI_Count)call->count, call->type);
}

int pl_prepare_op(struct pl_mpi *mpi, MPI_Op op, struct pl_coll_call *call)
{
    int error = pl_op_of(mpi, op, &call->op);
    return error ? error : pl_check_op(call->op, call->type);
}

int pl_prepare_alias(const struct pl_coll_call *call)
{
    if (call->in_place || call->in != call->out || !call->count || !call->type->size)
        return 0;
    return pl_bad(MPI_ERR_BUFFER, "the send buffer and the receive buffer are the same: use MPI_IN_PLACE");
}

int pl_prepare_barrier(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    return 0;
}

int pl_prepare_bcast(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    int error = pl_prepare_data(mpi, a->out_count, a->out_type, call);
    if (!error)
        error = pl_prepare_buffer(call, a->out);
    if (!error)
        error = pl_check_root(call->comm, a->root);
    return error;
}

/* A rank's block to itself: both sides of it are known here. `one` is the side with one block, `all` the
 * other, whose counts and type are the `out` ones or those of `in`. */
static int check_own_block(struct pl_mpi *mpi, const struct pl_arguments *a, int rank, const void *one,
                           const void *all, bool all_out)
{
    const struct pl_datatype *in, *out;
    int error = pl_check_count(a->in_count);
    if (!error)
        error = pl_check_count(a->out_count);
    if (!error)
        error = pl_datatype_of(mpi, a->in_type, &in);
    if (!error)
        error = pl_datatype_of(mpi, a->out_type, &out);
    if (error)
        return error;
    ptrdiff_t block = (all_out ? out->extent : in->extent) * (all_out ? a->out_count : a->in_count);
    return pl_side_self(one, (size_t)a->in_count * in->size,
                        (const void *)((uintptr_t)all + (uintptr_t)(rank * block)),
                        (size_t)a->out_count * out->size);
}

/* Gather and scatter have one block a rank on one side, and all of them at the root on the other.
 * `one`: this rank's block. `all`: the root's array. */
static int prepare_rooted(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call,
                          const void *one, const void *all, bool gather)
{
    bool at_root = call->comm->rank == a->root;
    call->in_place = at_root && one == MPI_IN_PLACE;
    bool use_out =
        gather == at_root; /* the significant count is that of the side with all blocks, at the root */
    int error = pl_check_root(call->comm, a->root);
    if (!error)
        error = pl_prepare_data(mpi, use_out ? a->out_count : a->in_count, use_out ? a->out_type : a->in_type,
                                call);
    if (!error && at_root)
        error = pl_prepare_buffer(call, all);
    if (!error && !call->in_place)
        error = pl_prepare_buffer(call, one);
    if (!error && at_root)
        error = pl_prepare_alias(call);
    if (!error && at_root && !call->in_place)
        error = check_own_block(mpi, a, a->root, one, all, gather);
    return error;
}

int pl_prepare_gather(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    return prepare_rooted(mpi, a, call, a->in, a->out, true);
}

int pl_prepare_scatter(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    return prepare_rooted(mpi, a, call, a->out, a->in, false);
}

int pl_prepare_allgather(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    call->in_place = a->in == MPI_IN_PLACE;
    int error = pl_prepare_data(mpi, a->out_count, a->out_type, call);
    if (!error)
        error = pl_prepare_buffer(call, a->out);
    if (!error && !call->in_place)
        error = pl_prepare_buffer(call, a->in);
    if (!error)
        error = pl_prepare_alias(call);
    if (!error && !call->in_place)
        error = check_own_block(mpi, a, call->comm->rank, a->in, a->out, true);
    return error;
}

int pl_prepare_reduce(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    bool at_root = call->comm->rank == a->root;
    call->in_place = at_root && a->in == MPI_IN_PLACE;
    int error = pl_check_root(call->comm, a->root);
    if (!error)
        error = pl_prepare_data(mpi, a->out_count, a->out_type, call);
    if (!error)
        error = pl_prepare_op(mpi, a->op, call);
    if (!error && at_root)
        error = pl_prepare_buffer(call, a->out);
    if (!error && !call->in_place)
        error = pl_prepare_buffer(call, a->in);
    if (!error && at_root)
        error = pl_prepare_alias(call);
    return error;
}

int pl_prepare_allreduce(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    call->in_place = a->in == MPI_IN_PLACE;
    int error = pl_prepare_data(mpi, a->out_count, a->out_type, call);
    if (!error)
        error = pl_prepare_op(mpi, a->op, call);
    if (!error)
        error = pl_prepare_buffer(call, a->out);
    if (!error && !call->in_place)
        error = pl_prepare_buffer(call, a->in);
    if (!error)
        error = pl_prepare_alias(call);
    return error;
}

static int begin(struct pl_mpi *mpi, enum pl_collective collective, pl_prepare *prepare,
                 const struct pl_arguments *given, struct pl_coll_call *call, struct pl_staging **staging)
{
    struct pl_arguments a = *given;
    struct pl_memory *memory;
    *call = (struct pl_coll_call){.collective = collective};
    int error = pl_comm_of(mpi, a.comm, &call->comm);
    if (!error)
        error = pl_staging_create(mpi, call->comm, collective, &a, staging, &memory);
    if (error)
        return error;
    call->memory = memory;
    call->in = a.in;
    call->out = a.out;
    call->root = a.root;
    error = (call->comm->remote ? pl_prepare_inter : prepare)(mpi, &a, call);
    pl_staging_prepared(mpi, *staging);
    return error;
}

static int blocking_call(const struct pl_coll_call *call, struct pl_staging *staging)
{
    int error = pl_staging_pack(staging);
    if (!error)
        error = pl_coll_blocking(call);
    if (!error)
        error = pl_staging_unpack(staging);
    return error;
}

static void free_lists(const struct pl_coll_call *call)
{
    free((void *)(uintptr_t)call->in_blocks);
    free((void *)(uintptr_t)call->out_blocks);
    free((void *)(uintptr_t)call->source);
}

/* The engine's run has ended: so has the request, unless it was given up before. A persistent one's run is
 * kept for the next start. */
static void run_completed(struct pl_run *run)
{
    struct pl_mpi_request *request = run->owner;
    bool kept = request && request->start;
    if (request) {
        if (!kept)
            request->run = NULL;
        int error = run->error ? 0 : pl_staging_unpack(request->staging);
        request->base.error = error ? error : run->error;
        request->base.text = error ? strdup(pl_fail_text()) : run->text;
        if (!error)
            run->text = NULL;
        request->base.complete = true;
    }
    if (!request)
        pl_staging_destroy(run->burden);
    if (!kept)
        pl_run_finish(run);
    if (request)
        request->base.completed(&request->base);
}

/* Type and operator may be freed by the program while the call is under way: the request keeps them. */
static void keep_copies(struct pl_mpi_request *request, struct pl_coll_call *call)
{
    if (call->type) {
        pl_datatype_hold(call->type);
        request->type = call->type;
    }
    if (call->op) {
        request->op = *call->op;
        call->op = &request->op;
    }
}

static int start_again(struct pl_mpi_request *request)
{
    if (!request->run)
        return pl_bad(MPI_ERR_REQUEST, "this persistent collective was given up after an error");
    int error = pl_staging_pack(request->staging);
    if (error)
        return error;
    pl_mpi_request_begin_run(request);
    pl_run_start(request->run);
    return 0;
}

/* Starts or, when persistent, makes a request of the call. Then the staging is the request's. */
static int make_request(struct pl_mpi *mpi, enum pl_form form, struct pl_coll_call *call,
                        struct pl_staging **staging, MPI_Request *handle)
{
    int error = pl_check_pointer(handle, "request");
    if (error)
        return error;
    struct pl_mpi_request *request = pl_mpi_request_create(mpi, call->comm);
    if (!request)
        return PL_ENOMEM;
    keep_copies(request, call);
    request->staging = *staging;
    *staging = NULL;
    pl_mpi_request_begin_run(request);
    uintptr_t value = request->handle;
    struct pl_run *run;
    if (form == PL_PERSISTENT) {
        pl_mpi_request_persist(request, start_again);
        error = pl_coll_init(call, run_completed, request, &run);
    } else {
        error = pl_staging_pack(request->staging);
        if (!error)
            error = pl_coll_start(call, run_completed, request, &run);
    }
    if (error) {
        pl_mpi_request_destroy(request);
        return error;
    }
    if (form == PL_PERSISTENT || !request->base.complete)
        request->run = run;
    *handle = (MPI_Request)value;
    return 0;
}

int pl_collective(const char *name, enum pl_form form, enum pl_collective collective, pl_prepare *prepare,
                  const struct pl_arguments *a, MPI_Request *request)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_coll_call call;
    struct pl_staging *staging = NULL;
    int error = begin(mpi, collective, prepare, a, &call, &staging);
    if (!error)
        error = form == PL_BLOCKING ? blocking_call(&call, staging)
                                    : make_request(mpi, form, &call, &staging, request);
    pl_staging_destroy(staging);
    if (call.uneven)
        free_lists(&call);
    return pl_return(mpi, call.comm, error);
}

static int blocking(const char *name, enum pl_collective collective, pl_prepare *prepare,
                    const struct pl_arguments *a)
{
    return pl_collective(name, PL_BLOCKING, collective, prepare, a, NULL);
}

static int nonblocking(const char *name, enum pl_collective collective, pl_prepare *prepare,
                       const struct pl_arguments *a, MPI_Request *request)
{
    return pl_collective(name, PL_NONBLOCKING, collective, prepare, a, request);
}

static int simple(struct pl_comm *comm, enum pl_collective collective, const void *in, void *out,
                  size_t length, int root)
{
    struct pl_coll_call call = {
        .collective = collective,
        .in = in,
        .out = out,
        .count = length,
        .type = collective == PL_BARRIER ? NULL : pl_datatype_predefined((uintptr_t)MPI_BYTE),
        .root = root,
        .comm = comm};
    return pl_coll_blocking(&call);
}

int pl_exchange_allgather(struct pl_comm *comm, const void *in, void *out, size_t length)
{
    return simple(comm, PL_ALLGATHER, in, out, length, 0);
}

int pl_exchange_bcast(struct pl_comm *comm, void *bytes, size_t length, int root)
{
    return simple(comm, PL_BCAST, NULL, bytes, length, root);
}

int pl_exchange_barrier(struct pl_comm *comm, enum pl_barrier why)
{
    return simple(comm, PL_BARRIER, NULL, NULL, 0, (int)why);
}

/* The blocking form: the short way, else the long one. */
static int tiny_or_long(const char *name, enum pl_collective collective, pl_prepare *prepare,
                        const struct pl_short_args *s, MPI_Comm comm)
{
    int result;
    if (pl_collective_short(name, collective, s, comm, &result))
        return result;
    bool two_sides = !pl_collective_is_vector(collective) && collective != PL_REDUCE_SCATTER;
    struct pl_arguments a = {.in = s->in,
                             .in_count = s->count,
                             .in_type = s->type,
                             .out = s->out,
                             .out_count = two_sides ? s->out_count : s->count,
                             .out_type = two_sides ? s->out_type : s->type,
                             .op = s->op,
                             .root = s->root,
                             .comm = comm};
    return blocking(name, collective, prepare, &a);
}

int PMPI_Barrier(MPI_Comm comm)
{
    return tiny_or_long("MPI_Barrier", PL_BARRIER, pl_prepare_barrier, &(struct pl_short_args){.root = 0},
                        comm);
}
PL_WEAK(Barrier)

int PMPI_Ibarrier(MPI_Comm comm, MPI_Request *request)
{
    struct pl_arguments a = {.comm = comm};
    return nonblocking("MPI_Ibarrier", PL_BARRIER, pl_prepare_barrier, &a, request);
}
PL_WEAK(Ibarrier)

int PMPI_Bcast_c(void *buffer, MPI_Count count, MPI_Datatype datatype, int root, MPI_Comm comm)
{
    struct pl_short_args s = {.out = buffer, .count = count, .type = datatype, .root = root};
    return tiny_or_long("MPI_Bcast", PL_BCAST, pl_prepare_bcast, &s, comm);
}
PL_WEAK(Bcast_c)

int PMPI_Ibcast_c(void *buffer, MPI_Count count, MPI_Datatype datatype, int root, MPI_Comm comm,
                  MPI_Request *request)
{
    struct pl_arguments a = {
        .out = buffer, .out_count = count, .out_type = datatype, .root = root, .comm = comm};
    return nonblocking("MPI_Ibcast", PL_BCAST, pl_prepare_bcast, &a, request);
}
PL_WEAK(Ibcast_c)

int PMPI_Bcast(void *buffer, int count, MPI_Datatype datatype, int root, MPI_Comm comm)
{
    return PMPI_Bcast_c(buffer, count, datatype, root, comm);
}
PL_WEAK(Bcast)

int PMPI_Ibcast(void *buffer, int count, MPI_Datatype datatype, int root, MPI_Comm comm, MPI_Request *request)
{
    return PMPI_Ibcast_c(buffer, count, datatype, root, comm, request);
}
PL_WEAK(Ibcast)

int PMPI_Gather_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                  MPI_Count recvcount, MPI_Datatype recvtype, int root, MPI_Comm comm)
{
    struct pl_short_args s = {.in = sendbuf,
                              .out = recvbuf,
                              .count = sendcount,
                              .type = sendtype,
                              .root = root,
                              .out_count = recvcount,
                              .out_type = recvtype};
    return tiny_or_long("MPI_Gather", PL_GATHER, pl_prepare_gather, &s, comm);
}
PL_WEAK(Gather_c)

int PMPI_Igather_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                   MPI_Count recvcount, MPI_Datatype recvtype, int root, MPI_Comm comm, MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .in_count = sendcount,
                             .in_type = sendtype,
                             .out = recvbuf,
                             .out_count = recvcount,
                             .out_type = recvtype,
                             .root = root,
                             .comm = comm};
    return nonblocking("MPI_Igather", PL_GATHER, pl_prepare_gather, &a, request);
}
PL_WEAK(Igather_c)

int PMPI_Gather(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf, int recvcount,
                MPI_Datatype recvtype, int root, MPI_Comm comm)
{
    return PMPI_Gather_c(sendbuf, sendcount, sendtype, recvbuf, recvcount, recvtype, root, comm);
}
PL_WEAK(Gather)

int PMPI_Igather(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf, int recvcount,
                 MPI_Datatype recvtype, int root, MPI_Comm comm, MPI_Request *request)
{
    return PMPI_Igather_c(sendbuf, sendcount, sendtype, recvbuf, recvcount, recvtype, root, comm, request);
}
PL_WEAK(Igather)

int PMPI_Scatter_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                   MPI_Count recvcount, MPI_Datatype recvtype, int root, MPI_Comm comm)
{
    struct pl_short_args s = {.in = sendbuf,
                              .out = recvbuf,
                              .count = sendcount,
                              .type = sendtype,
                              .root = root,
                              .out_count = recvcount,
                              .out_type = recvtype};
    return tiny_or_long("MPI_Scatter", PL_SCATTER, pl_prepare_scatter, &s, comm);
}
PL_WEAK(Scatter_c)

int PMPI_Iscatter_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                    MPI_Count recvcount, MPI_Datatype recvtype, int root, MPI_Comm comm, MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .in_count = sendcount,
                             .in_type = sendtype,
                             .out = recvbuf,
                             .out_count = recvcount,
                             .out_type = recvtype,
                             .root = root,
                             .comm = comm};
    return nonblocking("MPI_Iscatter", PL_SCATTER, pl_prepare_scatter, &a, request);
}
PL_WEAK(Iscatter_c)

int PMPI_Scatter(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf, int recvcount,
                 MPI_Datatype recvtype, int root, MPI_Comm comm)
{
    return PMPI_Scatter_c(sendbuf, sendcount, sendtype, recvbuf, recvcount, recvtype, root, comm);
}
PL_WEAK(Scatter)

int PMPI_Iscatter(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf, int recvcount,
                  MPI_Datatype recvtype, int root, MPI_Comm comm, MPI_Request *request)
{
    return PMPI_Iscatter_c(sendbuf, sendcount, sendtype, recvbuf, recvcount, recvtype, root, comm, request);
}
PL_WEAK(Iscatter)

int PMPI_Allgather_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                     MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm)
{
    struct pl_short_args s = {.in = sendbuf,
                              .out = recvbuf,
                              .count = sendcount,
                              .type = sendtype,
                              .out_count = recvcount,
                              .out_type = recvtype};
    return tiny_or_long("MPI_Allgather", PL_ALLGATHER, pl_prepare_allgather, &s, comm);
}
PL_WEAK(Allgather_c)

int PMPI_Iallgather_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                      MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .in_count = sendcount,
                             .in_type = sendtype,
                             .out = recvbuf,
                             .out_count = recvcount,
                             .out_type = recvtype,
                             .comm = comm};
    return nonblocking("MPI_Iallgather", PL_ALLGATHER, pl_prepare_allgather, &a, request);
}
PL_WEAK(Iallgather_c)

int PMPI_Allgather(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf, int recvcount,
                   MPI_Datatype recvtype, MPI_Comm comm)
{
    return PMPI_Allgather_c(sendbuf, sendcount, sendtype, recvbuf, recvcount, recvtype, comm);
}
PL_WEAK(Allgather)

int PMPI_Iallgather(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf, int recvcount,
                    MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
{
    return PMPI_Iallgather_c(sendbuf, sendcount, sendtype, recvbuf, recvcount, recvtype, comm, request);
}
PL_WEAK(Iallgather)

int PMPI_Alltoall_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                    MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm)
{
    struct pl_short_args s = {.in = sendbuf,
                              .out = recvbuf,
                              .count = sendcount,
                              .type = sendtype,
                              .out_count = recvcount,
                              .out_type = recvtype};
    return tiny_or_long("MPI_Alltoall", PL_ALLTOALL, pl_prepare_allgather, &s, comm);
}
PL_WEAK(Alltoall_c)

int PMPI_Ialltoall_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                     MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .in_count = sendcount,
                             .in_type = sendtype,
                             .out = recvbuf,
                             .out_count = recvcount,
                             .out_type = recvtype,
                             .comm = comm};
    return nonblocking("MPI_Ialltoall", PL_ALLTOALL, pl_prepare_allgather, &a, request);
}
PL_WEAK(Ialltoall_c)

int PMPI_Alltoall(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf, int recvcount,
                  MPI_Datatype recvtype, MPI_Comm comm)
{
    return PMPI_Alltoall_c(sendbuf, sendcount, sendtype, recvbuf, recvcount, recvtype, comm);
}
PL_WEAK(Alltoall)

int PMPI_Ialltoall(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf, int recvcount,
                   MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
{
    return PMPI_Ialltoall_c(sendbuf, sendcount, sendtype, recvbuf, recvcount, recvtype, comm, request);
}
PL_WEAK(Ialltoall)

int PMPI_Reduce_c(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype, MPI_Op op,
                  int root, MPI_Comm comm)
{
    struct pl_short_args s = {
        .in = sendbuf, .out = recvbuf, .count = count, .type = datatype, .op = op, .root = root};
    return tiny_or_long("MPI_Reduce", PL_REDUCE, pl_prepare_reduce, &s, comm);
}
PL_WEAK(Reduce_c)

int PMPI_Ireduce_c(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype, MPI_Op op,
                   int root, MPI_Comm comm, MPI_Request *request)
{
    struct pl_arguments a = {.in = sendbuf,
                             .out = recvbuf,
                             .out_count = count,
                             .out_type = datatype,
                             .op = op,
                             .root = root,
                             .comm = comm};
    return nonblocking("MPI_Ireduce", PL_REDUCE, pl_prepare_reduce, &a, request);
}
PL_WEAK(Ireduce_c)

int PMPI_Reduce(const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype, MPI_Op op, int root,
                MPI_Comm comm)
{
    return PMPI_Reduce_c(sendbuf, recvbuf, count, datatype, op, root, comm);
}
PL_WEAK(Reduce)

int PMPI_Ireduce(const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype, MPI_Op op, int root,
                 MPI_Comm comm, MPI_Request *request)
{
    return PMPI_Ireduce_c(sendbuf, recvbuf, count, datatype, op, root, comm, request);
}
PL_WEAK(Ireduce)

int PMPI_Allreduce_c(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype, MPI_Op op,
                     MPI_Comm comm)
{
    struct pl_short_args s = {.in = sendbuf, .out = recvbuf, .count = count, .type = datatype, .op = op};
    return tiny_or_long("MPI_Allreduce", PL_ALLREDUCE, pl_prepare_allreduce, &s, comm);
}
PL_WEAK(Allreduce_c)

int PMPI_Iallreduce_c(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype, MPI_Op op,
                      MPI_Comm comm, MPI_Request *request)
{
    struct pl_arguments a = {
        .in = sendbuf, .out = recvbuf, .out_count = count, .out_type = datatype, .op = op, .comm = comm};
    return nonblocking("MPI_Iallreduce", PL_ALLREDUCE, pl_prepare_allreduce, &a, request);
}
PL_WEAK(Iallreduce_c)

int PMPI_Allreduce(const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype, MPI_Op op,
                   MPI_Comm comm)
{
    return PMPI_Allreduce_c(sendbuf, recvbuf, count, datatype, op, comm);
}
PL_WEAK(Allreduce)

int PMPI_Iallreduce(const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype, MPI_Op op,
                    MPI_Comm comm, MPI_Request *request)
{
    return PMPI_Iallreduce_c(sendbuf, recvbuf, count, datatype, op, comm, request);
}
PL_WEAK(Iallreduce)

int PMPI_Reduce_scatter_block_c(const void *sendbuf, void *recvbuf, MPI_Count recvcount,
                                MPI_Datatype datatype, MPI_Op op, MPI_Comm comm)
{
    struct pl_short_args s = {.in = sendbuf, .out = recvbuf, .count = recvcount, .type = datatype, .op = op};
    return tiny_or_long("MPI_Reduce_scatter_block", PL_REDUCE_SCATTER, pl_prepare_allreduce, &s, comm);
}
PL_WEAK(Reduce_scatter_block_c)

int PMPI_Ireduce_scatter_block_c(const void *sendbuf, void *recvbuf, MPI_Count recvcount,
                                 MPI_Datatype datatype, MPI_Op op, MPI_Comm comm, MPI_Request *request)
{
    struct pl_arguments a = {
        .in = sendbuf, .out = recvbuf, .out_count = recvcount, .out_type = datatype, .op = op, .comm = comm};
    return nonblocking("MPI_Ireduce_scatter_block", PL_REDUCE_SCATTER, pl_prepare_allreduce, &a, request);
}
PL_WEAK(Ireduce_scatter_block_c)

int PMPI_Reduce_scatter_block(const void *sendbuf, void *recvbuf, int recvcount, MPI_Datatype datatype,
                              MPI_Op op, MPI_Comm comm)
{
    return PMPI_Reduce_scatter_block_c(sendbuf, recvbuf, recvcount, datatype, op, comm);
}
PL_WEAK(Reduce_scatter_block)

int PMPI_Ireduce_scatter_block(const void *sendbuf, void *recvbuf, int recvcount, MPI_Datatype datatype,
                               MPI_Op op, MPI_Comm comm, MPI_Request *request)
{
    return PMPI_Ireduce_scatter_block_c(sendbuf, recvbuf, recvcount, datatype, op, comm, request);
}
PL_WEAK(Ireduce_scatter_block)
