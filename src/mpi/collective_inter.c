/* Preparing collectives on intercommunicators (MPI 5.0, section 6.2.3): what a rank contributes, and what
 * it gets, which is from the other group. The two differ between the groups, so even the even
 * ones are uneven calls. Nothing is in place.
 */
#include "collective.h"

#include <stdlib.h>

/* MPI_ROOT: this rank is the root, a rank: the root is that one of the other group, MPI_PROC_NULL: neither.
 */
static int set_root(struct pl_coll_call *call, int root)
{
    call->root = root == MPI_ROOT ? PL_ROOT : root == MPI_PROC_NULL ? PL_NO_ROOT : root;
    if (root == MPI_ROOT || root == MPI_PROC_NULL || (root >= 0 && root < call->comm->remote->size))
        return 0;
    return pl_bad(
        MPI_ERR_ROOT,
        "root %d is neither MPI_ROOT, MPI_PROC_NULL, nor a rank of the other group of %s, which has %d "
        "ranks",
        root, call->comm->name, call->comm->remote->size);
}

static int in_side(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    struct pl_side side = pl_in_side(a);
    return pl_side_in(mpi, &side, call->comm->remote->size, call);
}

static int out_side(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    struct pl_side side = pl_out_side(a);
    return pl_side_out(mpi, &side, call->comm->remote->size, call);
}

static int own_in(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    struct pl_side side = pl_in_side(a);
    return pl_side_own(mpi, &side, false, call);
}

static int own_out(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    struct pl_side side = pl_out_side(a);
    return pl_side_own(mpi, &side, true, call);
}

/* Bcast: the root's data is in `out` too. */
static int bcast(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    int error = set_root(call, a->root);
    if (error || call->root == PL_NO_ROOT)
        return error;
    error = pl_prepare_data(mpi, a->out_count, a->out_type, call);
    return error ? error : pl_prepare_buffer(call, a->out);
}

static int gather(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    call->uneven = true;
    int error = set_root(call, a->root);
    if (!error && call->root == PL_ROOT)
        error = out_side(mpi, a, call);
    if (!error && call->root >= 0)
        error = own_in(mpi, a, call);
    return error;
}

static int scatter(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    call->uneven = true;
    int error = set_root(call, a->root);
    if (!error && call->root == PL_ROOT)
        error = in_side(mpi, a, call);
    if (!error && call->root >= 0)
        error = own_out(mpi, a, call);
    return error;
}

static int allgather(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    call->uneven = true;
    int error = own_in(mpi, a, call);
    return error ? error : out_side(mpi, a, call);
}

static int alltoall(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    call->uneven = true;
    call->type = pl_datatype_predefined(PL_HANDLE_BYTE);
    int error = in_side(mpi, a, call);
    return error ? error : out_side(mpi, a, call);
}

static int reduce(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    int error = set_root(call, a->root);
    if (error || call->root == PL_NO_ROOT)
        return error;
    error = pl_prepare_data(mpi, a->out_count, a->out_type, call);
    if (!error)
        error = pl_prepare_op(mpi, a->op, call);
    return error ? error : pl_prepare_buffer(call, call->root == PL_ROOT ? a->out : a->in);
}

static int not_in_place(const struct pl_arguments *a)
{
    if (a->in != MPI_IN_PLACE && a->out != MPI_IN_PLACE)
        return 0;
    return pl_bad(MPI_ERR_BUFFER, "MPI_IN_PLACE is not allowed on an intercommunicator");
}

int pl_prepare_inter(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call)
{
    int error = not_in_place(a);
    if (error)
        return error;
    switch (call->collective) {
    case PL_BARRIER:
        return 0;
    case PL_BCAST:
        return bcast(mpi, a, call);
    case PL_GATHER:
        return gather(mpi, a, call);
    case PL_SCATTER:
        return scatter(mpi, a, call);
    case PL_ALLGATHER:
        return allgather(mpi, a, call);
    case PL_ALLTOALL:
        return alltoall(mpi, a, call);
    case PL_REDUCE:
        return reduce(mpi, a, call);
    case PL_ALLREDUCE:
        return pl_prepare_allreduce(mpi, a, call);
    case PL_REDUCE_SCATTER:
        return a->out_listed ? pl_prepare_reduce_scatter(mpi, a, call) : pl_prepare_allreduce(mpi, a, call);
    case PL_NEIGHBOR:
        return pl_bad(MPI_ERR_TOPOLOGY, "%s is an intercommunicator, which has no topology",
                      call->comm->name);
    default:
        return pl_bad(MPI_ERR_COMM, "a %s is not defined on an intercommunicator",
                      pl_collective_name(call->collective));
    }
}
