/* One row a collective. Input and result of every one are slices of the ranks' inputs (numbers.h),
 * moved or reduced, so filling and checking are written once:
 *
 *              the result's block b is      from element
 *   bcast      the root's                   0
 *   scatter    the root's                   rank * count
 *   gather     rank b's                     0
 *   allgather  rank b's                     0
 *   reduce     all ranks', reduced          0              (allreduce too)
 *   reduce_scatter_block  the same          rank * count
 *   alltoall   rank b's                     rank * count
 *   scan       ranks' 0 .. rank, reduced    0              (exscan: without this one; rank 0 gets nothing)
 *
 * The v-forms get equal blocks: what they cost beyond their plain forms is what their lists cost.
 *
 * Calls are the `_c` forms, so that 2 GiB is a size like any other. Bus bandwidth is nccl-tests': what the
 * busiest link carries at least, by what the caller sees.
 */
#include "calls.h"

#include <string.h>

enum { FROM_ROOT, FROM_EACH, FROM_ALL, MINE = 4 /* from element rank * count */, UPTO = 8, BELOW = 16 };

static void run_barrier(const struct pl_point *p)
{
    (void)p;
    MPI_Barrier(MPI_COMM_WORLD);
}

static void run_bcast(const struct pl_point *p)
{
    MPI_Bcast_c(p->out, (MPI_Count)p->count, p->number->type, p->root, MPI_COMM_WORLD);
}

static void run_scatter(const struct pl_point *p)
{
    void *out = p->in_place && p->rank == p->root ? MPI_IN_PLACE : p->out;
    MPI_Scatter_c(p->in, (MPI_Count)p->count, p->number->type, out, (MPI_Count)p->count, p->number->type,
                  p->root, MPI_COMM_WORLD);
}

static void run_gather(const struct pl_point *p)
{
    const void *in = p->in_place && p->rank == p->root ? MPI_IN_PLACE : p->in;
    MPI_Gather_c(in, (MPI_Count)p->count, p->number->type, p->out, (MPI_Count)p->count, p->number->type,
                 p->root, MPI_COMM_WORLD);
}

static void run_allgather(const struct pl_point *p)
{
    MPI_Allgather_c(p->in_place ? MPI_IN_PLACE : p->in, (MPI_Count)p->count, p->number->type, p->out,
                    (MPI_Count)p->count, p->number->type, MPI_COMM_WORLD);
}

static void run_reduce(const struct pl_point *p)
{
    const void *in = p->in_place && p->rank == p->root ? MPI_IN_PLACE : p->in;
    MPI_Reduce_c(in, p->out, (MPI_Count)p->count, p->number->type, p->op->op, p->root, MPI_COMM_WORLD);
}

static void run_allreduce(const struct pl_point *p)
{
    MPI_Allreduce_c(p->in_place ? MPI_IN_PLACE : p->in, p->out, (MPI_Count)p->count, p->number->type,
                    p->op->op, MPI_COMM_WORLD);
}

static void run_reduce_scatter(const struct pl_point *p)
{
    MPI_Reduce_scatter_block_c(p->in_place ? MPI_IN_PLACE : p->in, p->out, (MPI_Count)p->count,
                               p->number->type, p->op->op, MPI_COMM_WORLD);
}

static void run_alltoall(const struct pl_point *p)
{
    MPI_Alltoall_c(p->in_place ? MPI_IN_PLACE : p->in, (MPI_Count)p->count, p->number->type, p->out,
                   (MPI_Count)p->count, p->number->type, MPI_COMM_WORLD);
}

/* Equal blocks, one after the other: the lists of the v-forms. */
static void lists(const struct pl_point *p, MPI_Count *counts, MPI_Aint *places)
{
    for (int i = 0; i < p->size; i++) {
        counts[i] = (MPI_Count)p->count;
        places[i] = (MPI_Aint)i * (MPI_Aint)p->count;
    }
}

static void run_scatterv(const struct pl_point *p)
{
    void *out = p->in_place && p->rank == p->root ? MPI_IN_PLACE : p->out;
    lists(p, p->counts, p->places);
    MPI_Scatterv_c(p->in, p->counts, p->places, p->number->type, out, (MPI_Count)p->count, p->number->type,
                   p->root, MPI_COMM_WORLD);
}

static void run_gatherv(const struct pl_point *p)
{
    const void *in = p->in_place && p->rank == p->root ? MPI_IN_PLACE : p->in;
    lists(p, p->counts, p->places);
    MPI_Gatherv_c(in, (MPI_Count)p->count, p->number->type, p->out, p->counts, p->places, p->number->type,
                  p->root, MPI_COMM_WORLD);
}

static void run_allgatherv(const struct pl_point *p)
{
    lists(p, p->counts, p->places);
    MPI_Allgatherv_c(p->in_place ? MPI_IN_PLACE : p->in, (MPI_Count)p->count, p->number->type, p->out,
                     p->counts, p->places, p->number->type, MPI_COMM_WORLD);
}

static void run_reduce_scatter_v(const struct pl_point *p)
{
    lists(p, p->counts, p->places);
    MPI_Reduce_scatter_c(p->in_place ? MPI_IN_PLACE : p->in, p->out, p->counts, p->number->type, p->op->op,
                         MPI_COMM_WORLD);
}

static void run_alltoallv(const struct pl_point *p)
{
    lists(p, p->counts, p->places);
    MPI_Alltoallv_c(p->in_place ? MPI_IN_PLACE : p->in, p->counts, p->places, p->number->type, p->out,
                    p->counts, p->places, p->number->type, MPI_COMM_WORLD);
}

static void run_scan(const struct pl_point *p)
{
    MPI_Scan_c(p->in_place ? MPI_IN_PLACE : p->in, p->out, (MPI_Count)p->count, p->number->type, p->op->op,
               MPI_COMM_WORLD);
}

static void run_exscan(const struct pl_point *p)
{
    MPI_Exscan_c(p->in_place ? MPI_IN_PLACE : p->in, p->out, (MPI_Count)p->count, p->number->type, p->op->op,
                 MPI_COMM_WORLD);
}

static double bus_whole(double n)
{
    (void)n;
    return 1;
}

static double bus_but_own(double n)
{
    return (n - 1) / n;
}

static double bus_twice(double n)
{
    return 2 * (n - 1) / n;
}

const struct pl_call pl_calls[] = {
    {"barrier", PL_CALL_ONE_WAY | PL_CALL_EMPTY, false, false, FROM_ROOT, run_barrier, bus_whole},
    {"bcast", PL_CALL_ONE_WAY | PL_CALL_ROOTED, false, false, FROM_ROOT, run_bcast, bus_whole},
    {"scatter", PL_CALL_ROOTED, true, false, FROM_ROOT | MINE, run_scatter, bus_but_own},
    {"gather", PL_CALL_ROOTED, false, true, FROM_EACH, run_gather, bus_but_own},
    {"allgather", 0, false, true, FROM_EACH, run_allgather, bus_but_own},
    {"reduce", PL_CALL_ROOTED | PL_CALL_REDUCES, false, false, FROM_ALL, run_reduce, bus_whole},
    {"allreduce", PL_CALL_REDUCES, false, false, FROM_ALL, run_allreduce, bus_twice},
    {"reduce_scatter_block", PL_CALL_REDUCES, true, false, FROM_ALL | MINE, run_reduce_scatter, bus_but_own},
    {"alltoall", 0, true, true, FROM_EACH | MINE, run_alltoall, bus_but_own},
    {"scan", PL_CALL_REDUCES, false, false, FROM_ALL | UPTO, run_scan, bus_whole},
    {"exscan", PL_CALL_REDUCES, false, false, FROM_ALL | BELOW, run_exscan, bus_whole},
    {"scatterv", PL_CALL_ROOTED, true, false, FROM_ROOT | MINE, run_scatterv, bus_but_own},
    {"gatherv", PL_CALL_ROOTED, false, true, FROM_EACH, run_gatherv, bus_but_own},
    {"allgatherv", 0, false, true, FROM_EACH, run_allgatherv, bus_but_own},
    {"reduce_scatter", PL_CALL_REDUCES, true, false, FROM_ALL | MINE, run_reduce_scatter_v, bus_but_own},
    {"alltoallv", 0, true, true, FROM_EACH | MINE, run_alltoallv, bus_but_own},
    {0},
};

static size_t blocks(const struct pl_point *p, bool many)
{
    return many ? (size_t)p->size : 1;
}

size_t pl_call_bytes(const struct pl_call *call, const struct pl_point *p)
{
    return p->count * p->number->size * blocks(p, call->in_blocks || call->out_blocks);
}

static struct pl_pattern pattern_of(const struct pl_call *call, const struct pl_point *p)
{
    return (struct pl_pattern){p->number, call->flags & PL_CALL_REDUCES ? p->op : NULL, p->size, p->salt};
}

static bool scatters(const struct pl_call *call)
{
    return (call->flags & PL_CALL_ROOTED) && call->in_blocks;
}

static bool at_root(const struct pl_call *call, const struct pl_point *p)
{
    return !(call->flags & PL_CALL_ROOTED) || p->rank == p->root;
}

void pl_call_prepare(const struct pl_call *call, const struct pl_point *p)
{
    struct pl_pattern pattern = pattern_of(call, p);
    size_t bytes = pl_call_bytes(call, p), block = p->count * p->number->size;
    bool bcast = call->run == run_bcast, in_out = bcast || (p->in_place && !scatters(call));
    memset(p->in, 0x5a, bytes);
    memset(p->out, 0xa5, bytes);
    if (call->flags & PL_CALL_EMPTY)
        return;
    if (in_out && at_root(call, p))
        pl_pattern_fill(&pattern, p->rank, 0,
                        (char *)p->out + (call->in_blocks || !call->out_blocks ? 0 : (size_t)p->rank * block),
                        p->count * blocks(p, call->in_blocks));
    else if (!bcast)
        pl_pattern_fill(&pattern, p->rank, 0, p->in, p->count * blocks(p, call->in_blocks));
}

void pl_call_prepare_many(const struct pl_call *call, const struct pl_point *p)
{
    pl_call_prepare(call, p);
    if (!p->in_place || !(call->flags & PL_CALL_REDUCES))
        return;
    memset(p->in, 0, pl_call_bytes(call, p));
    memset(p->out, 0, pl_call_bytes(call, p));
}

size_t pl_call_wrong(const struct pl_call *call, const struct pl_point *p)
{
    struct pl_pattern pattern = pattern_of(call, p);
    size_t block = p->count * p->number->size, wrong = 0;
    size_t start = call->source & MINE ? (size_t)p->rank * p->count : 0;
    bool scatter = scatters(call), bcast = call->run == run_bcast;
    if ((call->flags & PL_CALL_EMPTY) || (!scatter && !bcast && !at_root(call, p)) ||
        (scatter && p->in_place && p->rank == p->root) || ((call->source & BELOW) && !p->rank))
        return 0;
    if (call->source & (UPTO | BELOW))
        pattern.upto = p->rank + !!(call->source & UPTO);
    for (size_t b = 0; b < blocks(p, call->out_blocks); b++) {
        int from = call->source & FROM_ALL ? PL_ALL_RANKS : call->source & FROM_EACH ? (int)b : p->root;
        wrong += pl_pattern_wrong(&pattern, from, start, (const char *)p->out + b * block, p->count);
    }
    return wrong;
}
