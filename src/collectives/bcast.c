/* Bcast: the root's OUT becomes everybody's.
 *
 * Ranks are counted from the root: v = (rank - root) mod n.
 */
#include "algorithm.h"

static int virtual_rank(const struct pl_coll_args *args)
{
    return (args->rank - args->root + args->size) % args->size;
}

static int real_rank(const struct pl_coll_args *args, int v)
{
    return (v + args->root) % args->size;
}

/* The lowest set bit of v; for the root, the least power of two >= n: how many ranks (before
 * cutting at n) the subtree of v has in a binomial tree. */
static int subtree(const struct pl_coll_args *args, int v)
{
    return v ? v & -v : 1 << pl_log2_up(args->size);
}

/* Binomial tree: who has the data sends it half of the remaining distance away.
 *
 *     0 ------------> 4         round 1
 *     0 ----> 2                 round 2
 *     0 -> 1  2 -> 3            round 3
 *
 * Cost: ceil(log2 n) (alpha + m beta). */
static void binomial(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, v = virtual_rank(args), span = subtree(args, v);
    struct pl_slice data = pl_out(0, pl_coll_bytes(args));
    if (v)
        pl_step_recv(b, real_rank(args, v - span), data);
    for (int d = span / 2; d > 0; d /= 2)
        if (v + d < n)
            pl_step_send(b, real_rank(args, v + d), data);
}

static double binomial_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    return pl_log2_up(args->size) * (m->alpha + (double)pl_coll_bytes(args) * m->beta);
}

/* How many chunks, from its own on, rank v has after the scatter. */
static int held(const struct pl_coll_args *args, int v)
{
    int span = subtree(args, v);
    return v + span < args->size ? span : args->size - v;
}

/* Whether the scatter leaves chunks from..to-1 with rank v. */
static bool holds(const struct pl_coll_args *args, int v, int from, int to)
{
    return from >= v && to <= v + held(args, v);
}

/* Binomial scatter of n chunks: v gets chunks v .. v + held(v) - 1. */
static void scatter_chunks(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, v = virtual_rank(args), span = subtree(args, v);
    struct pl_slice data = pl_out(0, pl_coll_bytes(args));
    if (v)
        pl_step_recv(b, real_rank(args, v - span), pl_chunks(data, args->element, n, v, v + held(args, v)));
    for (int d = span / 2; d > 0; d /= 2)
        if (v + d < n)
            pl_step_send(b, real_rank(args, v + d),
                         pl_chunks(data, args->element, n, v + d, v + d + held(args, v + d)));
}

/* Scatter + ring: the data is cut into n chunks, scattered along a binomial tree, and then each
 * chunk travels the ring. A chunk that the scatter left with a rank already is not sent to it again.
 *
 *     0 [abcd]      0 [abcd]      0 [abcd]        every chunk moves one rank a step,
 *     1 [    ]  ->  1 [ b  ]  ->  1 [abcd]        n - 1 steps
 *     2 [    ]      2 [  cd]      2 [abcd]
 *     3 [    ]      3 [   d]      3 [abcd]
 *
 * Cost: (ceil(log2 n) + n - 1) alpha + 2 (n-1)/n m beta.
 * M. Barnett et al., "Interprocessor collective communication library (InterCom)", 1994. */
static void scatter_ring(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, v = virtual_rank(args), next = (v + 1) % n;
    struct pl_slice data = pl_out(0, pl_coll_bytes(args));
    scatter_chunks(b, args);
    for (int k = 0; k < n - 1; k++) {
        int out = (v - k + n) % n, in = (v - k - 1 + n) % n;
        if (!holds(args, next, out, out + 1))
            pl_step_send(b, real_rank(args, next), pl_chunk(data, args->element, n, out));
        if (!holds(args, v, in, in + 1))
            pl_step_recv(b, real_rank(args, (v - 1 + n) % n), pl_chunk(data, args->element, n, in));
    }
}

static double scatter_ring_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    double n = args->size, bytes = (double)pl_coll_bytes(args);
    return (pl_log2_up(args->size) + n - 1) * m->alpha + 2 * (n - 1) / n * bytes * m->beta;
}

/* Scatter + recursive doubling: as above, but the chunks are gathered by pairs of ranks, then
 * pairs of pairs. A rank skips what it holds from the scatter; powers of two only.
 *
 *     0 1 2 3     distance 1:  0<->1  2<->3     each side gives the chunks of its group
 *                 distance 2:  0<->2  1<->3
 *
 * Cost: 2 log2 n alpha + 2 (n-1)/n m beta.
 * R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of collective communication operations
 * in MPICH", IJHPCA 19 (2005). */
static void scatter_doubling(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, v = virtual_rank(args);
    struct pl_slice data = pl_out(0, pl_coll_bytes(args));
    scatter_chunks(b, args);
    for (int d = 1; d < n; d *= 2) {
        int partner = v ^ d, mine = v & -d, theirs = partner & -d;
        if (!holds(args, partner, mine, mine + d))
            pl_step_send(b, real_rank(args, partner), pl_chunks(data, args->element, n, mine, mine + d));
        if (!holds(args, v, theirs, theirs + d))
            pl_step_recv(b, real_rank(args, partner), pl_chunks(data, args->element, n, theirs, theirs + d));
    }
}

static double scatter_doubling_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    double n = args->size;
    return 2 * pl_log2_up(args->size) * m->alpha + 2 * (n - 1) / n * (double)pl_coll_bytes(args) * m->beta;
}

/* Pipelined chain: every rank passes segments on as they come.
 *
 *     0 -s3-> 1 -s2-> 2 -s1-> 3
 *
 * Cost: (n - 2 + s) (alpha + m/s beta) with s segments; best for long data on few ranks. */
static void chain(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, v = virtual_rank(args);
    struct pl_slice data = pl_out(0, pl_coll_bytes(args));
    int segments = pl_segments(data.length, args->element, pl_coll_segment(args));
    for (int i = 0; i < segments; i++) {
        struct pl_slice segment = pl_chunk(data, args->element, segments, i);
        if (v > 0)
            pl_step_recv(b, real_rank(args, v - 1), segment);
        if (v < n - 1)
            pl_step_send(b, real_rank(args, v + 1), segment);
    }
}

static double chain_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    double bytes = (double)pl_coll_bytes(args);
    int segments = pl_segments(pl_coll_bytes(args), args->element, pl_coll_segment(args));
    return args->size < 2 ? 0 : (args->size - 2 + segments) * (m->alpha + bytes / segments * m->beta);
}

const struct pl_algorithm pl_bcast_algorithms[] = {
    {"binomial", binomial, binomial_cost, 0},
    {"scatter_ring", scatter_ring, scatter_ring_cost, 0},
    {"scatter_doubling", scatter_doubling, scatter_doubling_cost, PL_POWER2},
    {"chain", chain, chain_cost, 0},
    {0},
};
