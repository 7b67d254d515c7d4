/* Collectives: a row of them, drawn, blocking or several at once, each result compared with what it must be.
 */
#include "scenario.h"

#include <stdlib.h>
#include <string.h>

enum { RANKS_MAX = 16, COUNT_MAX = 3000, CALLS = 8, AT_ONCE = 3 };

enum collective {
    BARRIER,
    BCAST,
    REDUCE,
    ALLREDUCE,
    GATHER,
    SCATTER,
    ALLGATHER,
    ALLTOALL,
    REDUCE_SCATTER,
    SCAN,
    KINDS
};

struct call {
    enum collective kind;
    int count, root, number;
    int *in, *out; /* [RANKS_MAX * COUNT_MAX] */
};

static int value(const struct call *call, int rank, int i)
{
    return (rank + 1) * 1000 + call->number * 37 + i % 91;
}

/* Sum of the values of ranks 0 to `last`. */
static int sum(const struct call *call, int last, int i)
{
    int result = 0;
    for (int r = 0; r <= last; r++)
        result += value(call, r, i);
    return result;
}

static int start(const struct call *call, int rank, int size, MPI_Request *request)
{
    int wide = call->count * size, n = call->count, root = call->root;
    for (int i = 0; i < wide; i++) {
        call->in[i] = value(call, rank, i);
        call->out[i] = call->kind == BCAST && rank == root ? value(call, rank, i) : -1;
    }
    MPI_Comm comm = MPI_COMM_WORLD;
    switch (call->kind) {
    case BARRIER:
        return MPI_Ibarrier(comm, request);
    case BCAST:
        return MPI_Ibcast(call->out, n, MPI_INT, root, comm, request);
    case REDUCE:
        return MPI_Ireduce(call->in, call->out, n, MPI_INT, MPI_SUM, root, comm, request);
    case ALLREDUCE:
        return MPI_Iallreduce(call->in, call->out, n, MPI_INT, MPI_SUM, comm, request);
    case GATHER:
        return MPI_Igather(call->in, n, MPI_INT, call->out, n, MPI_INT, root, comm, request);
    case SCATTER:
        return MPI_Iscatter(call->in, n, MPI_INT, call->out, n, MPI_INT, root, comm, request);
    case ALLGATHER:
        return MPI_Iallgather(call->in, n, MPI_INT, call->out, n, MPI_INT, comm, request);
    case ALLTOALL:
        return MPI_Ialltoall(call->in, n, MPI_INT, call->out, n, MPI_INT, comm, request);
    case REDUCE_SCATTER:
        return MPI_Ireduce_scatter_block(call->in, call->out, n, MPI_INT, MPI_SUM, comm, request);
    default:
        return MPI_Iscan(call->in, call->out, n, MPI_INT, MPI_SUM, comm, request);
    }
}

/* What out[i] must be. */
static int expected(const struct call *call, int rank, int size, int i)
{
    int n = call->count;
    switch (call->kind) {
    case BCAST:
        return value(call, call->root, i);
    case REDUCE:
    case ALLREDUCE:
        return sum(call, size - 1, i);
    case GATHER:
    case ALLGATHER:
        return value(call, i / n, i % n);
    case SCATTER:
        return value(call, call->root, rank * n + i);
    case ALLTOALL:
        return value(call, i / n, rank * n + i % n);
    case REDUCE_SCATTER:
        return sum(call, size - 1, rank * n + i);
    default:
        return sum(call, rank, i);
    }
}

static int verify(const struct call *call, int rank, int size)
{
    static const char *const names[] = {"barrier", "bcast",     "reduce",   "allreduce",      "gather",
                                        "scatter", "allgather", "alltoall", "reduce_scatter", "scan"};
    int n = call->count;
    if (call->kind == BARRIER || ((call->kind == REDUCE || call->kind == GATHER) && rank != call->root))
        n = 0;
    if (call->kind == GATHER || call->kind == ALLGATHER || call->kind == ALLTOALL)
        n *= size;
    for (int i = 0; i < n; i++)
        if (call->out[i] != expected(call, rank, size, i))
            return wrong("%s of %d from %d: element %d is %d, not %d", names[call->kind], call->count,
                         call->root, i, call->out[i], expected(call, rank, size, i));
    return 0;
}

static int play(struct dice *dice, struct call *calls, int rank, int size)
{
    MPI_Request requests[AT_ONCE];
    int at_once = 1 + (int)roll(dice, AT_ONCE);
    for (int i = 0; i < at_once; i++) {
        calls[i].kind = (enum collective)roll(dice, KINDS);
        calls[i].count = (int)(roll(dice, 2) ? roll(dice, 10) : roll(dice, COUNT_MAX));
        calls[i].root = (int)roll(dice, (uint64_t)size);
        calls[i].number++;
        if (peal_random(8) == 0)
            MUST(peal_sleep(1e-6 * (double)peal_random(1000)));
        MUST(start(&calls[i], rank, size, &requests[i]));
    }
    MUST(MPI_Waitall(at_once, requests, MPI_STATUSES_IGNORE));
    for (int i = 0; i < at_once; i++)
        if (verify(&calls[i], rank, size))
            return 1;
    return 0;
}

static int body(void *unused)
{
    int rank, size, failed = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    struct dice dice = dice_of_world();
    struct call calls[AT_ONCE] = {{0}};
    int *memory = calloc((size_t)2 * AT_ONCE * RANKS_MAX * COUNT_MAX, sizeof *memory);
    for (int i = 0; i < AT_ONCE; i++) {
        calls[i].in = memory + (size_t)(2 * i) * RANKS_MAX * COUNT_MAX;
        calls[i].out = memory + (size_t)(2 * i + 1) * RANKS_MAX * COUNT_MAX;
    }
    for (int i = 0; i < CALLS && !failed; i++)
        failed = play(&dice, calls, rank, size);
    free(memory);
    return failed;
}

const struct scenario collectives_scenario = {"collectives", body, 3, KIND(DELAY), 8};
