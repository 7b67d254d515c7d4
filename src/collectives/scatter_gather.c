/* Scatter: block i of the root's IN becomes rank i's OUT. Gather: the way back.
 *
 * Binomial tree over v = (rank - root) mod n. A subtree's blocks travel together:
 *
 *     scatter   0 --[4]-------> 4          gather is the same with the arrows turned
 *               0 --[23]--> 2
 *               0 --[1]-> 1  2 --[3]-> 3
 *
 * Cost: ceil(log2 n) alpha + (n-1)/n (n m) beta, m bytes a block. Blocks consecutive in v are
 * consecutive at the root too, but for one place where they wrap around; messages are cut
 * there on every hop, so that the root needs no copy of its whole buffer.
 *
 * Linear: the root deals with each rank itself. Cost: (n-1) (alpha + m beta); nothing is sent
 * twice, so it wins for long blocks, where other links of a tree would only wait. It is the only one for
 * blocks of different lengths (scatterv, gatherv): all but the root know no length but their own.
 */
#include "algorithm.h"

static int span_of(const struct pl_coll_args *args, int v)
{
    int span = v ? v & -v : 1 << pl_log2_up(args->size);
    return v + span < args->size ? span : args->size - v;
}

static int real_rank(const struct pl_coll_args *args, int v)
{
    return (v + args->root) % args->size;
}

static struct pl_slice block(struct pl_slice buffer, size_t m, int i)
{
    return pl_part(buffer, (size_t)i * m, m);
}

/* The blocks of v .. v + span - 1: `piece` 0 before the wrap at the last rank, 1 after it. At the
 * root they are where the ranks are in `buffer`; elsewhere `buffer` begins with block `mine`. */
static struct pl_slice blocks(const struct pl_coll_args *args, struct pl_slice buffer, bool at_root, int mine,
                              int v, int span, int piece)
{
    size_t m = pl_coll_bytes(args);
    int wrap = args->size - args->root; /* v of rank 0 */
    int middle = wrap < v ? v : wrap > v + span ? v + span : wrap;
    int from = piece ? middle : v, to = piece ? v + span : middle;
    int first = at_root ? real_rank(args, from) : from - mine;
    return pl_part(buffer, (size_t)first * m, (size_t)(to - from) * m);
}

static void scatter_binomial(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, v = (args->rank - args->root + n) % n, span = span_of(args, v);
    size_t m = pl_coll_bytes(args);
    struct pl_slice from = pl_in(0, m * (size_t)n), own = pl_out(0, m);
    if (v) {
        from = span > 1 ? pl_tmp(b, m * (size_t)span) : own;
        for (int piece = 0; piece < 2; piece++)
            pl_step_recv(b, real_rank(args, v - (v & -v)), blocks(args, from, false, v, v, span, piece));
    }
    for (int d = pl_power2(n); d > 0; d /= 2)
        if (d < span)
            for (int piece = 0; piece < 2; piece++)
                pl_step_send(b, real_rank(args, v + d),
                             blocks(args, from, v == 0, v, v + d, span_of(args, v + d), piece));
    pl_step_copy(b, own, v ? pl_part(from, 0, m) : block(from, m, args->root));
}

static void gather_binomial(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, v = (args->rank - args->root + n) % n, span = span_of(args, v);
    size_t m = pl_coll_bytes(args);
    struct pl_slice own = pl_in(0, m), to = own;
    if (v == 0)
        to = pl_out(0, m * (size_t)n);
    else if (span > 1)
        to = pl_tmp(b, m * (size_t)span);
    for (int d = 1; d < span; d *= 2)
        for (int piece = 0; piece < 2; piece++)
            pl_step_recv(b, real_rank(args, v + d),
                         blocks(args, to, v == 0, v, v + d, span_of(args, v + d), piece));
    pl_step_copy(b, v ? pl_part(to, 0, m) : block(to, m, args->root), own);
    if (v)
        for (int piece = 0; piece < 2; piece++)
            pl_step_send(b, real_rank(args, v - (v & -v)), blocks(args, to, false, v, v, span, piece));
}

static double binomial_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    return pl_log2_up(args->size) * m->alpha + (args->size - 1) * (double)pl_coll_bytes(args) * m->beta;
}

static void scatter_linear(struct pl_builder *b, const struct pl_coll_args *args)
{
    struct pl_slice own = pl_out(0, pl_coll_bytes(args));
    if (args->rank != args->root) {
        pl_step_recv(b, args->root, own);
        return;
    }
    for (int k = 1; k < args->size; k++)
        pl_step_send(b, real_rank(args, k), pl_in_block(args, real_rank(args, k)));
    pl_step_copy(b, own, pl_in_block(args, args->root));
}

static void gather_linear(struct pl_builder *b, const struct pl_coll_args *args)
{
    struct pl_slice own = pl_in(0, pl_coll_bytes(args));
    if (args->rank != args->root) {
        pl_step_send(b, args->root, own);
        return;
    }
    for (int k = 1; k < args->size; k++)
        pl_step_recv(b, real_rank(args, k), pl_out_block(args, real_rank(args, k)));
    pl_step_copy(b, pl_out_block(args, args->root), own);
}

static double linear_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    return (args->size - 1) * (m->alpha + (double)pl_coll_bytes(args) * m->beta);
}

const struct pl_algorithm pl_scatter_algorithms[] = {
    {"binomial", scatter_binomial, binomial_cost, 0},
    {"linear", scatter_linear, linear_cost, PL_UNEVEN},
    {0},
};

const struct pl_algorithm pl_gather_algorithms[] = {
    {"binomial", gather_binomial, binomial_cost, 0},
    {"linear", gather_linear, linear_cost, PL_UNEVEN},
    {0},
};
