/* The short way of tiny collectives: blocking calls, of even blocks and a few elements of a
 * predefined type, on a communicator whose board is up (src/collectives/board.c). It tests in a few
 * comparisons that all is as usual; whatever is not (an error, MPI_IN_PLACE, a derived type, a user's
 * operator, a device buffer, a first call) is left to the long way, which finds out what it is and tells.
 * Both do the same to the board, so ranks may go different ways.
 *
 * Why at all: the long way serves every collective in every form and costs over 200 instructions more, a
 * third of such a call's time.
 */
#include "collective.h"

static inline bool usual_buffer(const void *buffer)
{
    return buffer && buffer != MPI_IN_PLACE;
}

static inline bool usual_elements(MPI_Count count, MPI_Datatype type, struct pl_coll_call *call)
{
    call->type = pl_datatype_predefined((uintptr_t)type);
    call->count = (size_t)count;
    return call->type && call->type->contiguous && call->count <= PL_COLL_SHORT;
}

static inline bool usual_data(const struct pl_short_args *a, struct pl_coll_call *call)
{
    return usual_elements(a->count, a->type, call);
}

/* Blocks of the same elements on both sides. */
static inline bool usual_blocks(const struct pl_short_args *a, struct pl_coll_call *call)
{
    return a->count == a->out_count && a->type == a->out_type && usual_data(a, call) && usual_buffer(a->in) &&
           usual_buffer(a->out) && a->in != a->out;
}

static inline bool usual_op(const struct pl_short_args *a, struct pl_coll_call *call)
{
    call->op = pl_op_predefined((uintptr_t)a->op);
    return call->op && call->op->kind != PL_OP_REPLACE && call->op->kind != PL_OP_NO_OP &&
           pl_op_defined(call->op, call->type);
}

static inline bool usual(const struct pl_short_args *a, struct pl_coll_call *call)
{
    bool at_root = a->root == call->comm->rank;
    switch (call->collective) {
    case PL_BARRIER:
        return true;
    case PL_BCAST:
        return usual_data(a, call) && usual_buffer(a->out);
    case PL_REDUCE:
        return usual_data(a, call) && usual_op(a, call) && usual_buffer(a->in) &&
               (!at_root || (usual_buffer(a->out) && a->in != a->out));
    case PL_GATHER:
        return at_root ? usual_blocks(a, call) : usual_data(a, call) && usual_buffer(a->in);
    case PL_SCATTER:
        return at_root ? usual_blocks(a, call)
                       : usual_elements(a->out_count, a->out_type, call) && usual_buffer(a->out);
    case PL_ALLGATHER:
    case PL_ALLTOALL:
        return usual_blocks(a, call);
    default:
        return usual_data(a, call) && usual_op(a, call) && usual_buffer(a->in) && usual_buffer(a->out) &&
               a->in != a->out;
    }
}

/* Buffers on a device are staged, which is the long way. */
static inline bool on_host(struct pl_memory *memory, const struct pl_short_args *a)
{
    return __builtin_expect(!memory, 1) ||
           (!pl_memory_holds(memory, a->in) && !pl_memory_holds(memory, a->out));
}

bool pl_collective_short(const char *name, enum pl_collective collective, const struct pl_short_args *a,
                         MPI_Comm comm, int *result)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_comm *c = pl_comm_find(mpi, comm);
    struct pl_coll_call call = {.collective = collective, .comm = c};
    int error = 0;
    if (c && (unsigned)a->root < (unsigned)c->size && usual(a, &call) && on_host(mpi->rank->memory, a)) {
        call.in = a->in;
        call.out = a->out;
        call.root = a->root;
        if (pl_coll_short(&call, &error)) {
            *result = pl_return(mpi, c, error);
            return true;
        }
    }
    pl_pass_on(mpi);
    return false;
}
