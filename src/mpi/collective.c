/* Collectives (MPI 5.0, chapter 6). Each call is checked and written down once as a
 * struct pl_coll_call by its prepare function; the blocking and the nonblocking form
 * hand that to the same engine.
 */
#include "call.h"
#include "collectives.h"
#include "exchange.h"
#include "mpi_request.h"

#include <stdlib.h>
#include <string.h>

/* The arguments of any of them; what a call does not have is zero. */
struct arguments {
    const void *in;
    void *out;
    MPI_Count in_count, out_count;
    MPI_Datatype in_type, out_type;
    MPI_Op op;
    int root;
    MPI_Comm comm;
};

typedef int prepare_fn(struct pl_mpi *mpi, const struct arguments *a, struct pl_coll_call *call);

/* The significant count and type of a call, and that they and the buffer make sense. */
static int set_data(struct pl_mpi *mpi, MPI_Count count, MPI_Datatype datatype, struct pl_coll_call *call)
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

static int check_buffer(const struct pl_coll_call *call, const void *buffer)
{
    return pl_check_buffer(buffer, (MPI_Count)call->count, call->type);
}

static int set_op(struct pl_mpi *mpi, MPI_Op op, struct pl_coll_call *call)
{
    int error = pl_op_of(mpi, op, &call->op);
    return error ? error : pl_check_op(call->op, call->type);
}

static int check_alias(const struct pl_coll_call *call)
{
    if (call->in_place || call->in != call->out || !call->count || !call->type->size)
        return 0;
    return pl_bad(MPI_ERR_BUFFER, "the send buffer and the receive buffer are the same: use MPI_IN_PLACE");
}

static int prepare_barrier(struct pl_mpi *mpi, const struct arguments *a, struct pl_coll_call *call)
{
    return 0;
}

static int prepare_bcast(struct pl_mpi *mpi, const struct arguments *a, struct pl_coll_call *call)
{
    int error = set_data(mpi, a->out_count, a->out_type, call);
    if (!error)
        error = check_buffer(call, a->out);
    if (!error)
        error = pl_check_root(call->comm, a->root);
    return error;
}

/* Gather and scatter have one block a rank on one side, and all of them at the root on the other.
 * `one`: this rank's block. `all`: the root's array. */
static int prepare_rooted(struct pl_mpi *mpi, const struct arguments *a, struct pl_coll_call *call,
                          const void *one, const void *all, bool gather)
{
    bool at_root = call->comm->rank == a->root;
    call->in_place = at_root && one == MPI_IN_PLACE;
    bool use_out =
        gather == at_root; /* the significant count is that of the side with all blocks, at the root */
    int error = pl_check_root(call->comm, a->root);
    if (!error)
        error = set_data(mpi, use_out ? a->out_count : a->in_count, use_out ? a->out_type : a->in_type, call);
    if (!error && at_root)
        error = check_buffer(call, all);
    if (!error && !call->in_place)
        error = check_buffer(call, one);
    if (!error && at_root)
        error = check_alias(call);
    return error;
}

static int prepare_gather(struct pl_mpi *mpi, const struct arguments *a, struct pl_coll_call *call)
{
    return prepare_rooted(mpi, a, call, a->in, a->out, true);
}

static int prepare_scatter(struct pl_mpi *mpi, const struct arguments *a, struct pl_coll_call *call)
{
    return prepare_rooted(mpi, a, call, a->out, a->in, false);
}

static int prepare_allgather(struct pl_mpi *mpi, const struct arguments *a, struct pl_coll_call *call)
{
    call->in_place = a->in == MPI_IN_PLACE;
    int error = set_data(mpi, a->out_count, a->out_type, call);
    if (!error)
        error = check_buffer(call, a->out);
    if (!error && !call->in_place)
        error = check_buffer(call, a->in);
    if (!error)
        error = check_alias(call);
    return error;
}

static int prepare_reduce(struct pl_mpi *mpi, const struct arguments *a, struct pl_coll_call *call)
{
    bool at_root = call->comm->rank == a->root;
    call->in_place = at_root && a->in == MPI_IN_PLACE;
    int error = pl_check_root(call->comm, a->root);
    if (!error)
        error = set_data(mpi, a->out_count, a->out_type, call);
    if (!error)
        error = set_op(mpi, a->op, call);
    if (!error && at_root)
        error = check_buffer(call, a->out);
    if (!error && !call->in_place)
        error = check_buffer(call, a->in);
    if (!error && at_root)
        error = check_alias(call);
    return error;
}

static int prepare_allreduce(struct pl_mpi *mpi, const struct arguments *a, struct pl_coll_call *call)
{
    call->in_place = a->in == MPI_IN_PLACE;
    int error = set_data(mpi, a->out_count, a->out_type, call);
    if (!error)
        error = set_op(mpi, a->op, call);
    if (!error)
        error = check_buffer(call, a->out);
    if (!error && !call->in_place)
        error = check_buffer(call, a->in);
    if (!error)
        error = check_alias(call);
    return error;
}

static int start_call(struct pl_mpi *mpi, enum pl_collective collective, prepare_fn *prepare,
                      const struct arguments *a, struct pl_coll_call *call)
{
    *call = (struct pl_coll_call){.collective = collective, .in = a->in, .out = a->out, .root = a->root};
    int error = pl_comm_of(mpi, a->comm, &call->comm);
    return error ? error : prepare(mpi, a, call);
}

static int blocking(const char *name, enum pl_collective collective, prepare_fn *prepare,
                    const struct arguments *a)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_coll_call call;
    int error = start_call(mpi, collective, prepare, a, &call);
    if (!error)
        error = pl_coll_blocking(&call);
    return pl_return(mpi, call.comm, error);
}

/* The engine's run has ended: so has the request, unless it was given up before. */
static void run_completed(struct pl_run *run)
{
    struct pl_mpi_request *request = run->owner;
    if (request) {
        request->run = NULL;
        request->base.error = run->error;
        request->base.text = run->text;
        run->text = NULL;
        request->base.complete = true;
    }
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

static int nonblocking(const char *name, enum pl_collective collective, prepare_fn *prepare,
                       const struct arguments *a, MPI_Request *handle)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_coll_call call;
    struct pl_mpi_request *request = NULL;
    int error = start_call(mpi, collective, prepare, a, &call);
    if (!error)
        error = pl_check_pointer(handle, "request");
    if (!error && !(request = pl_mpi_request_create(mpi, call.comm)))
        error = PL_ENOMEM;
    if (error)
        return pl_return(mpi, call.comm, error);
    keep_copies(request, &call);
    pl_mpi_request_begin_run(request);
    uintptr_t value = request->handle;
    struct pl_run *run;
    error = pl_coll_start(&call, run_completed, request, &run);
    if (error) {
        pl_mpi_request_destroy(request);
        return pl_return(mpi, call.comm, error);
    }
    if (!request->base.complete)
        request->run = run;
    *handle = (MPI_Request)value;
    return pl_return(mpi, call.comm, 0);
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

int pl_exchange_barrier(struct pl_comm *comm)
{
    return simple(comm, PL_BARRIER, NULL, NULL, 0, 0);
}

int PMPI_Barrier(MPI_Comm comm)
{
    struct arguments a = {.comm = comm};
    return blocking("MPI_Barrier", PL_BARRIER, prepare_barrier, &a);
}
PL_WEAK(Barrier)

int PMPI_Ibarrier(MPI_Comm comm, MPI_Request *request)
{
    struct arguments a = {.comm = comm};
    return nonblocking("MPI_Ibarrier", PL_BARRIER, prepare_barrier, &a, request);
}
PL_WEAK(Ibarrier)

int PMPI_Bcast_c(void *buffer, MPI_Count count, MPI_Datatype datatype, int root, MPI_Comm comm)
{
    struct arguments a = {
        .out = buffer, .out_count = count, .out_type = datatype, .root = root, .comm = comm};
    return blocking("MPI_Bcast", PL_BCAST, prepare_bcast, &a);
}
PL_WEAK(Bcast_c)

int PMPI_Ibcast_c(void *buffer, MPI_Count count, MPI_Datatype datatype, int root, MPI_Comm comm,
                  MPI_Request *request)
{
    struct arguments a = {
        .out = buffer, .out_count = count, .out_type = datatype, .root = root, .comm = comm};
    return nonblocking("MPI_Ibcast", PL_BCAST, prepare_bcast, &a, request);
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
    struct arguments a = {.in = sendbuf,
                          .in_count = sendcount,
                          .in_type = sendtype,
                          .out = recvbuf,
                          .out_count = recvcount,
                          .out_type = recvtype,
                          .root = root,
                          .comm = comm};
    return blocking("MPI_Gather", PL_GATHER, prepare_gather, &a);
}
PL_WEAK(Gather_c)

int PMPI_Igather_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                   MPI_Count recvcount, MPI_Datatype recvtype, int root, MPI_Comm comm, MPI_Request *request)
{
    struct arguments a = {.in = sendbuf,
                          .in_count = sendcount,
                          .in_type = sendtype,
                          .out = recvbuf,
                          .out_count = recvcount,
                          .out_type = recvtype,
                          .root = root,
                          .comm = comm};
    return nonblocking("MPI_Igather", PL_GATHER, prepare_gather, &a, request);
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
    struct arguments a = {.in = sendbuf,
                          .in_count = sendcount,
                          .in_type = sendtype,
                          .out = recvbuf,
                          .out_count = recvcount,
                          .out_type = recvtype,
                          .root = root,
                          .comm = comm};
    return blocking("MPI_Scatter", PL_SCATTER, prepare_scatter, &a);
}
PL_WEAK(Scatter_c)

int PMPI_Iscatter_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                    MPI_Count recvcount, MPI_Datatype recvtype, int root, MPI_Comm comm, MPI_Request *request)
{
    struct arguments a = {.in = sendbuf,
                          .in_count = sendcount,
                          .in_type = sendtype,
                          .out = recvbuf,
                          .out_count = recvcount,
                          .out_type = recvtype,
                          .root = root,
                          .comm = comm};
    return nonblocking("MPI_Iscatter", PL_SCATTER, prepare_scatter, &a, request);
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
    struct arguments a = {.in = sendbuf,
                          .in_count = sendcount,
                          .in_type = sendtype,
                          .out = recvbuf,
                          .out_count = recvcount,
                          .out_type = recvtype,
                          .comm = comm};
    return blocking("MPI_Allgather", PL_ALLGATHER, prepare_allgather, &a);
}
PL_WEAK(Allgather_c)

int PMPI_Iallgather_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                      MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
{
    struct arguments a = {.in = sendbuf,
                          .in_count = sendcount,
                          .in_type = sendtype,
                          .out = recvbuf,
                          .out_count = recvcount,
                          .out_type = recvtype,
                          .comm = comm};
    return nonblocking("MPI_Iallgather", PL_ALLGATHER, prepare_allgather, &a, request);
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
    struct arguments a = {.in = sendbuf,
                          .in_count = sendcount,
                          .in_type = sendtype,
                          .out = recvbuf,
                          .out_count = recvcount,
                          .out_type = recvtype,
                          .comm = comm};
    return blocking("MPI_Alltoall", PL_ALLTOALL, prepare_allgather, &a);
}
PL_WEAK(Alltoall_c)

int PMPI_Ialltoall_c(const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void *recvbuf,
                     MPI_Count recvcount, MPI_Datatype recvtype, MPI_Comm comm, MPI_Request *request)
{
    struct arguments a = {.in = sendbuf,
                          .in_count = sendcount,
                          .in_type = sendtype,
                          .out = recvbuf,
                          .out_count = recvcount,
                          .out_type = recvtype,
                          .comm = comm};
    return nonblocking("MPI_Ialltoall", PL_ALLTOALL, prepare_allgather, &a, request);
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
    struct arguments a = {.in = sendbuf,
                          .out = recvbuf,
                          .out_count = count,
                          .out_type = datatype,
                          .op = op,
                          .root = root,
                          .comm = comm};
    return blocking("MPI_Reduce", PL_REDUCE, prepare_reduce, &a);
}
PL_WEAK(Reduce_c)

int PMPI_Ireduce_c(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype, MPI_Op op,
                   int root, MPI_Comm comm, MPI_Request *request)
{
    struct arguments a = {.in = sendbuf,
                          .out = recvbuf,
                          .out_count = count,
                          .out_type = datatype,
                          .op = op,
                          .root = root,
                          .comm = comm};
    return nonblocking("MPI_Ireduce", PL_REDUCE, prepare_reduce, &a, request);
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
    struct arguments a = {
        .in = sendbuf, .out = recvbuf, .out_count = count, .out_type = datatype, .op = op, .comm = comm};
    return blocking("MPI_Allreduce", PL_ALLREDUCE, prepare_allreduce, &a);
}
PL_WEAK(Allreduce_c)

int PMPI_Iallreduce_c(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype, MPI_Op op,
                      MPI_Comm comm, MPI_Request *request)
{
    struct arguments a = {
        .in = sendbuf, .out = recvbuf, .out_count = count, .out_type = datatype, .op = op, .comm = comm};
    return nonblocking("MPI_Iallreduce", PL_ALLREDUCE, prepare_allreduce, &a, request);
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
    struct arguments a = {
        .in = sendbuf, .out = recvbuf, .out_count = recvcount, .out_type = datatype, .op = op, .comm = comm};
    return blocking("MPI_Reduce_scatter_block", PL_REDUCE_SCATTER, prepare_allreduce, &a);
}
PL_WEAK(Reduce_scatter_block_c)

int PMPI_Ireduce_scatter_block_c(const void *sendbuf, void *recvbuf, MPI_Count recvcount,
                                 MPI_Datatype datatype, MPI_Op op, MPI_Comm comm, MPI_Request *request)
{
    struct arguments a = {
        .in = sendbuf, .out = recvbuf, .out_count = recvcount, .out_type = datatype, .op = op, .comm = comm};
    return nonblocking("MPI_Ireduce_scatter_block", PL_REDUCE_SCATTER, prepare_allreduce, &a, request);
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
