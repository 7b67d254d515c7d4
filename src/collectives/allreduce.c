/* Allreduce: everybody's OUT = IN of rank 0 op IN of rank 1 op ...; m bytes.
 *
 * Sizes that are no power of two: doubling and halving fold the first ranks in pairs (pl_fold),
 * the others need nothing special.
 */
#include "algorithm.h"

#include <stdlib.h>

static struct pl_slice whole_in(const struct pl_coll_args *args)
{
    return pl_in(0, pl_coll_bytes(args));
}

static struct pl_slice whole_out(const struct pl_coll_args *args)
{
    return pl_out(0, pl_coll_bytes(args));
}

/* Folds n ranks into a power of two. *mine is where this rank's operand then is; false: it has
 * handed it to the next rank, gets the result back, and has nothing else to do.
 *
 *     0 -> 1   2   3   4        5 ranks: virtual ranks 0, 1, 2, 3 are 1, 2, 3, 4
 */
static bool fold_in(struct pl_builder *b, const struct pl_coll_args *args, const struct pl_fold *fold,
                    struct pl_slice *mine)
{
    *mine = whole_in(args);
    if (fold->rank < 0) {
        pl_step_send(b, args->rank + 1, whole_in(args));
        pl_step_recv(b, args->rank + 1, whole_out(args));
        return false;
    }
    if (fold->rank < fold->extra) {
        struct pl_slice theirs = pl_tmp(b, mine->length);
        pl_step_recv(b, args->rank - 1, theirs);
        pl_step_reduce(b, whole_out(args), theirs, *mine);
        *mine = whole_out(args);
    }
    return true;
}

static void fold_out(struct pl_builder *b, const struct pl_coll_args *args, const struct pl_fold *fold)
{
    if (fold->rank < fold->extra)
        pl_step_send(b, args->rank - 1, whole_out(args));
}

static double fold_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    double bytes = (double)pl_coll_bytes(args);
    return pl_power2(args->size) == args->size ? 0 : 2 * m->alpha + bytes * (2 * m->beta + m->gamma);
}

/* Recursive doubling: partners at distance 1, 2, 4, ... exchange their sums and both add.
 *
 *     0   1   2   3
 *     |<->|   |<->|     01  01  23  23
 *     |<----->|         0123 ...  (and 1 <-> 3)
 *
 * Cost: log2 n (alpha + m beta + m gamma); not a power of two: 2 alpha + 2 m beta + m gamma more.
 * The nearest go first, so a rank always holds the sum of consecutive ranks: order is kept, and
 * on powers of two this is the canonical tree. */
static void doubling(struct pl_builder *b, const struct pl_coll_args *args)
{
    struct pl_fold fold = pl_fold(args);
    struct pl_slice mine, out = whole_out(args);
    if (!fold_in(b, args, &fold, &mine))
        return;
    for (int d = 1; d < fold.power; d *= 2) {
        int partner = pl_unfold(&fold, fold.rank ^ d);
        struct pl_slice theirs = pl_tmp(b, mine.length);
        bool theirs_first = partner < args->rank;
        pl_step_send(b, partner, mine);
        pl_step_recv(b, partner, theirs);
        pl_step_reduce(b, out, theirs_first ? theirs : mine, theirs_first ? mine : theirs);
        mine = out;
    }
    if (args->size == 1)
        pl_step_copy(b, out, mine);
    fold_out(b, args, &fold);
}

static double doubling_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    int p = pl_power2(args->size);
    return pl_log2_up(p) * (m->alpha + (double)pl_coll_bytes(args) * (m->beta + m->gamma)) +
           fold_cost(m, args);
}

/* Recursive halving + doubling (Rabenseifner): as above, but each time the partners split what
 * they still work on, so that each ends with one p-th of the result; then the way back.
 *
 *     0 [abcd]      0 [AB  ]      0 [A   ]      0 [AB  ]      0 [ABCD]
 *     1 [abcd]  ->  1 [  CD]  ->  1 [  C ]  ->  1 [  CD]  ->  1 [ABCD]
 *     2 [abcd]      2 [AB  ]      2 [ B  ]      2 [AB  ]      2 [ABCD]
 *     3 [abcd]      3 [  CD]      3 [   D]      3 [  CD]      3 [ABCD]
 *
 * Cost: 2 log2 p alpha + (p-1)/p m (2 beta + gamma); folded: 2 alpha + 2 m beta + m gamma more.
 * The textbook starts with the farthest partner, which keeps chunks in rank order; we start with
 * the nearest, which keeps the operands in order and the tree canonical (on powers of two).
 * R. Rabenseifner, "Optimization of collective reduction operations", ICCS 2004. */
static void halving(struct pl_builder *b, const struct pl_coll_args *args)
{
    struct pl_fold fold = pl_fold(args);
    struct pl_slice mine, out = whole_out(args);
    int p = fold.power, v = fold.rank, low = 0, width = p;
    if (!fold_in(b, args, &fold, &mine))
        return;
    for (int d = 1; d < p; d *= 2) {
        int partner = pl_unfold(&fold, v ^ d), other;
        width /= 2;
        other = v & d ? low : low + width;
        low = v & d ? low + width : low;
        struct pl_slice keep = pl_chunks(mine, args->element, p, low, low + width);
        pl_exchange_reduce(b, args, partner, pl_chunks(mine, args->element, p, other, other + width), partner,
                           pl_chunks(out, args->element, p, low, low + width), keep, pl_tmp(b, keep.length),
                           partner < args->rank);
        mine = out;
    }
    for (int d = p / 2; d > 0; d /= 2) {
        int partner = pl_unfold(&fold, v ^ d), other = low ^ width;
        pl_send_segments(b, args, partner, pl_chunks(out, args->element, p, low, low + width));
        pl_recv_segments(b, args, partner, pl_chunks(out, args->element, p, other, other + width));
        low = low < other ? low : other;
        width *= 2;
    }
    if (args->size == 1)
        pl_step_copy(b, out, mine);
    fold_out(b, args, &fold);
}

static double halving_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    double p = pl_power2(args->size), bytes = (double)pl_coll_bytes(args);
    return 2 * pl_log2_up((int)p) * m->alpha + (p - 1) / p * bytes * (2 * m->beta + m->gamma) +
           fold_cost(m, args);
}

/* Ring, pipelined: n chunks travel the ring, growing; then the finished ones travel once more.
 *
 *     0 [a..]    chunk 0 starts at rank 0, chunk 1 at rank 1, ...; in step k rank r passes on
 *     1 [.b.]    chunk r - k and adds its own to chunk r - k - 1, which comes from the left
 *     2 [..c]
 *
 * Cost: 2 (n-1) alpha + (n-1)/n m (2 beta + gamma) + what pipelining adds in alphas. A chunk moves
 * in segments, so that adding one overlaps with receiving the next. Sums begin at a different rank in each
 * chunk: for commutative operators only.
 * P. Patarasuk, X. Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations", JPDC 69
 * (2009). */
static void ring(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, r = args->rank, right = (r + 1) % n, left = (r - 1 + n) % n;
    struct pl_slice in = whole_in(args), out = whole_out(args);
    struct pl_slice first = pl_chunk(in, args->element, n, 0);
    struct pl_slice tmp[2] = {pl_tmp(b, first.length), pl_tmp(b, first.length)};
    for (int k = 0; k < n - 1; k++) {
        int passed = (r - k + n) % n, grown = (r - k - 1 + n) % n;
        pl_exchange_reduce(b, args, right, pl_chunk(k ? out : in, args->element, n, passed), left,
                           pl_chunk(out, args->element, n, grown), pl_chunk(in, args->element, n, grown),
                           tmp[k % 2], true);
    }
    for (int k = 0; k < n - 1; k++) {
        pl_send_segments(b, args, right, pl_chunk(out, args->element, n, (r - k + 1 + n) % n));
        pl_recv_segments(b, args, left, pl_chunk(out, args->element, n, (r - k + n) % n));
    }
    if (n == 1)
        pl_step_copy(b, out, in);
}

static double bandwidth_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    double n = args->size, bytes = (double)pl_coll_bytes(args);
    return 2 * (n - 1) * m->alpha + (n - 1) / n * bytes * (2 * m->beta + m->gamma);
}

static struct pl_slice chunk_of_in(const struct pl_coll_args *args, int rank)
{
    return pl_chunk(whole_in(args), args->element, args->size, rank);
}

/* Pairwise: rank i gets everybody's chunk i, sums along the canonical tree, gives the result to all.
 *
 *     0 [abc]       0 [A  ]       0 [ABC]
 *     1 [abc]   ->  1 [ B ]   ->  1 [ABC]
 *     2 [abc]       2 [  C]       2 [ABC]
 *
 * Cost: as the ring, 2 (n-1) alpha + (n-1)/n m (2 beta + gamma), with any order and any n: the
 * algorithm of reproducible mode for long vectors. It needs m bytes of TMP where the ring needs 2 m/n. */
static void pairwise(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, r = args->rank;
    struct pl_slice out = whole_out(args), own = pl_chunk(out, args->element, n, r);
    pl_pairwise_reduce(b, args, own, chunk_of_in);
    for (int k = 1; k < n; k++) {
        int to = (r + k) % n, from = (r - k + n) % n;
        pl_step_send(b, to, own);
        pl_step_recv(b, from, pl_chunk(out, args->element, n, from));
    }
}

/* Reduce to rank 0, then broadcast, both along binomial trees.
 * Cost: 2 ceil(log2 n) (alpha + m beta) + ceil(log2 n) m gamma; the canonical tree for every n. */
static void reduce_bcast(struct pl_builder *b, const struct pl_coll_args *args)
{
    struct pl_coll_args part = *args;
    part.root = 0;
    part.ordered = true;
    pl_reduce_algorithms[0].build(b, &part);
    pl_bcast_algorithms[0].build(b, &part);
}

static double reduce_bcast_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    double bytes = (double)pl_coll_bytes(args);
    return pl_log2_up(args->size) * (2 * m->alpha + bytes * (2 * m->beta + m->gamma));
}

/* Direct, where ranks reach into each other's buffers: rank i sums chunk i out of everybody's IN, and
 * takes the other chunks out of everybody's OUT. Only signals are sent.
 *
 *     0 [abc]   rank 1:  OUT.B = IN0.b + IN1.b + IN2.b       then "done" to all,
 *     1 [abc]            OUT.A from rank 0, OUT.C from rank 2 when they are done,
 *     2 [abc]            then "read" to both, and home when both have read B
 *
 * Cost: about 2 (n-1) alpha + (n-1)/n m (beta + gamma): half of the bytes are not copied, the
 * operator reads them where they are. In place works too: who overwrites his chunk j has been
 * told by rank j that it is done with it. */
static void direct(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, r = args->rank;
    struct pl_slice out = whole_out(args), own = pl_chunk(out, args->element, n, r);
    struct pl_slice *operand = malloc((size_t)n * sizeof *operand), left = pl_tmp(b, (size_t)n);
    if (!operand) {
        pl_builder_no_memory(b);
        return;
    }
    for (int i = 0; i < n; i++) {
        struct pl_slice in = i == r ? whole_in(args) : pl_peer_in(i, 0, out.length);
        operand[i] = pl_chunk(in, args->element, n, r);
    }
    pl_tree_reduce(b, own, operand, n);
    free(operand);
    for (int k = 1; k < n; k++)
        pl_step_signal(b, (r + k) % n, own);
    for (int k = 1; k < n; k++) {
        int peer = (r - k + n) % n;
        struct pl_slice there = pl_chunk(pl_peer_out(peer, 0, out.length), args->element, n, peer);
        struct pl_slice here = pl_chunk(out, args->element, n, peer);
        pl_step_await(b, peer, there);
        pl_step_copy(b, here, there);
        pl_step_signal(b, peer, here);
        pl_step_await(b, peer, pl_part(left, (size_t)k, 1));
    }
}

static double direct_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    double n = args->size, bytes = (double)pl_coll_bytes(args);
    return 2 * (n - 1) * m->alpha + (n - 1) / n * bytes * (m->beta + m->gamma);
}

const struct pl_algorithm pl_allreduce_algorithms[] = {
    {"doubling", doubling, doubling_cost, PL_ORDERED | PL_TREE_POWER2},
    {"halving", halving, halving_cost, PL_ORDERED | PL_TREE_POWER2},
    {"ring", ring, bandwidth_cost, 0},
    {"pairwise", pairwise, bandwidth_cost, PL_ORDERED | PL_TREE},
    {"reduce_bcast", reduce_bcast, reduce_bcast_cost, PL_ORDERED | PL_TREE},
    {"direct", direct, direct_cost, PL_ORDERED | PL_TREE | PL_DIRECT},
    {"window", pl_window_sum, pl_window_sum_cost, PL_ORDERED | PL_TREE | PL_WINDOW},
    {0},
};
