/* Reduce_scatter: rank i's OUT = block i of (IN of rank 0 op IN of rank 1 op ...); m bytes a block, or,
 * when uneven, as many as all ranks know.
 */
#include "algorithm.h"

#include <stdlib.h>

/* This rank's OUT. */
static struct pl_slice result(const struct pl_coll_args *args)
{
    return pl_out(0, pl_in_block(args, args->rank).length);
}

static size_t longest(const struct pl_coll_args *args)
{
    return args->uneven ? pl_blocks_longest(args->in, args->size) : pl_coll_bytes(args);
}

static size_t total(const struct pl_coll_args *args)
{
    return args->uneven ? pl_blocks_total(args->in, args->size) : pl_coll_bytes(args) * (size_t)args->size;
}

/* Pairwise: send every rank its part, sum what comes along the canonical tree.
 *
 *     0 [abc]  -- b to 1, c to 2     then 0 has a0, a1, a2: A = (a0 + a1) + a2
 *
 * Cost: (n-1) (alpha + m (beta + gamma)); n - 1 parts of TMP. All messages are under way together, and a
 * sum is made as soon as both its operands are there. */
void pl_pairwise_reduce(struct pl_builder *b, const struct pl_coll_args *args, struct pl_slice to,
                        struct pl_slice (*piece)(const struct pl_coll_args *args, int rank))
{
    int n = args->size, r = args->rank;
    struct pl_slice *operand = malloc((size_t)n * sizeof *operand);
    if (!operand) {
        pl_builder_no_memory(b);
        return;
    }
    operand[r] = piece(args, r);
    for (int k = 1; k < n; k++) {
        int give_to = (r + k) % n, take_from = (r - k + n) % n;
        operand[take_from] = pl_tmp(b, operand[r].length);
        pl_step_send(b, give_to, piece(args, give_to));
        pl_step_recv(b, take_from, operand[take_from]);
    }
    pl_tree_reduce(b, to, operand, n);
    free(operand);
}

static void pairwise(struct pl_builder *b, const struct pl_coll_args *args)
{
    pl_pairwise_reduce(b, args, result(args), pl_in_block);
}

static double linear_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    return (args->size - 1) * (m->alpha + (double)longest(args) * (m->beta + m->gamma));
}

/* Ring: a block travels to its owner, growing at every rank; for commutative operators.
 *
 *     block 0:  1 -> 2 -> 0        block r starts at rank r + 1
 *
 * Cost: (n-1) (alpha + m (beta + gamma)), m of the longest block; two such of TMP. */
static void ring(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, r = args->rank, right = (r + 1) % n, left = (r - 1 + n) % n;
    struct pl_slice slot[2] = {pl_tmp(b, longest(args)), pl_tmp(b, longest(args))};
    struct pl_slice passed = pl_in_block(args, left);
    for (int k = 0; k < n - 1; k++) {
        struct pl_slice mine = pl_in_block(args, (r - k - 2 + 2 * n) % n);
        struct pl_slice to = k == n - 2 ? result(args) : pl_part(slot[k % 2], 0, mine.length);
        pl_exchange_reduce(b, args, right, passed, left, to, mine, slot[k % 2], true);
        passed = to;
    }
    if (n == 1)
        pl_step_copy(b, result(args), pl_in_block(args, 0));
}

/* The blocks of virtual rank v: its own, after that of the rank folded into it. */
static struct pl_slice blocks_of(const struct pl_coll_args *args, const struct pl_fold *fold,
                                 struct pl_slice buffer, int v)
{
    struct pl_slice first = pl_in_block(args, v < fold->extra ? 2 * v : v + fold->extra);
    if (v < fold->extra)
        first.length += pl_in_block(args, 2 * v + 1).length;
    return pl_part(buffer, first.offset, first.length);
}

static int reversed(int v, int p)
{
    int r = 0;
    for (int bit = 1; bit < p; bit *= 2)
        r = 2 * r + (v & bit ? 1 : 0);
    return r;
}

/* Copies (folding: sums) IN into `work`, the blocks of virtual rank v at position reversed(v);
 * start[i] is the byte where position i begins, for i = 0..p. */
static void arrange(struct pl_builder *b, const struct pl_coll_args *args, const struct pl_fold *fold,
                    struct pl_slice work, size_t *start)
{
    struct pl_slice in = pl_in(0, work.length), theirs = {0};
    if (fold->rank < fold->extra) {
        theirs = pl_tmp(b, work.length);
        pl_step_recv(b, args->rank - 1, theirs);
    }
    start[0] = 0;
    for (int i = 0; i < fold->power; i++) {
        int v = reversed(i, fold->power);
        struct pl_slice mine = blocks_of(args, fold, in, v);
        struct pl_slice to = pl_part(work, start[i], mine.length);
        if (fold->rank < fold->extra)
            pl_step_reduce(b, to, blocks_of(args, fold, theirs, v), mine);
        else
            pl_step_copy(b, to, mine);
        start[i + 1] = start[i] + mine.length;
    }
}

/* Recursive halving, the nearest partner first, so that operands stay in order; the blocks are laid
 * out in bit-reversed order, so that what a rank gives away is one message.
 *
 *     blocks as laid out      0 [ac|bd]      0 [a|c]      0 [A]
 *     on 4 ranks: a c b d     1 [ac|bd]      1 [b|d]      1 [B]
 *                             2 [ac|bd]  ->  2 [a|c]  ->  2 [C]
 *                             3 [ac|bd]      3 [b|d]      3 [D]
 *
 * Cost: log2 p alpha + (n-1) m (beta + gamma) and a copy of IN; sizes that are no power of two: 2 alpha +
 * (n+1) m beta + n m gamma more. Canonical tree on powers of two. R. Thakur et al., 2005. */
static void halving(struct pl_builder *b, const struct pl_coll_args *args)
{
    struct pl_fold fold = pl_fold(args);
    int p = fold.power, v = fold.rank, low = 0, width = p;
    size_t all = total(args);
    if (v < 0) {
        pl_step_send(b, args->rank + 1, pl_in(0, all));
        pl_step_recv(b, args->rank + 1, result(args));
        return;
    }
    size_t *start = malloc(((size_t)p + 1) * sizeof *start);
    if (!start) {
        pl_builder_no_memory(b);
        return;
    }
    struct pl_slice work = pl_tmp(b, all), tmp = pl_tmp(b, all);
    arrange(b, args, &fold, work, start);
    for (int d = 1; d < p; d *= 2) {
        int partner = pl_unfold(&fold, v ^ d);
        width /= 2;
        int other = v & d ? low : low + width;
        low = v & d ? low + width : low;
        struct pl_slice keep = pl_part(work, start[low], start[low + width] - start[low]);
        struct pl_slice give = pl_part(work, start[other], start[other + width] - start[other]);
        pl_exchange_reduce(b, args, partner, give, partner, keep, keep, tmp, partner < args->rank);
    }
    struct pl_slice sums = pl_part(work, start[low], start[low + 1] - start[low]), out = result(args);
    free(start);
    if (v < fold.extra)
        pl_step_send(b, args->rank - 1, pl_part(sums, 0, sums.length - out.length));
    pl_step_copy(b, out, pl_part(sums, sums.length - out.length, out.length));
}

static double halving_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    int p = pl_power2(args->size);
    double all = (double)total(args), share = 1 - 1.0 / args->size;
    double fold =
        p == args->size ? 0 : 2 * m->alpha + all * (m->beta + m->gamma) + all / args->size * m->beta;
    return pl_log2_up(p) * m->alpha + share * all * (m->beta + m->gamma) + fold;
}

const struct pl_algorithm pl_reduce_scatter_algorithms[] = {
    {"pairwise", pairwise, linear_cost, PL_ORDERED | PL_TREE | PL_UNEVEN},
    {"ring", ring, linear_cost, PL_UNEVEN},
    {"halving", halving, halving_cost, PL_ORDERED | PL_TREE_POWER2 | PL_UNEVEN},
    {"window", pl_window_blocks, pl_window_blocks_cost, PL_ORDERED | PL_TREE | PL_WINDOW},
    {0},
};
