/* Allgather: block i of everybody's OUT is rank i's IN; m bytes a block. Allgatherv is the same with
 * blocks that all ranks know the lengths of, but each places as it likes.
 */
#include "algorithm.h"

#include <stdlib.h>

static struct pl_slice blocks(const struct pl_coll_args *args, int first, int count)
{
    size_t m = pl_coll_bytes(args);
    return pl_out((size_t)first * m, (size_t)count * m);
}

static struct pl_slice own_block(const struct pl_coll_args *args)
{
    return pl_in(0, pl_out_block(args, args->rank).length);
}

static size_t total(const struct pl_coll_args *args)
{
    return args->uneven ? pl_blocks_total(args->out, args->size) : pl_coll_bytes(args) * (size_t)args->size;
}

/* Ring: each block travels once around.
 *
 *     0 [a   ] -a-> 1 [ b  ] -b-> 2 [  c ] -c-> 0      step 0: its own
 *     0 [a c ] -c-> 1 [ab  ] -a-> 2 [ bc ] -b-> 0      step k: what came in step k - 1
 *
 * Cost: (n-1) (alpha + m beta). */
static void ring(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, r = args->rank, right = (r + 1) % n, left = (r - 1 + n) % n;
    struct pl_slice own = own_block(args);
    for (int k = 0; k < n - 1; k++) {
        pl_step_send(b, right, k == 0 ? own : pl_out_block(args, (r - k + n) % n));
        pl_step_recv(b, left, pl_out_block(args, (r - k - 1 + n) % n));
    }
    pl_step_copy(b, pl_out_block(args, r), own);
}

static double linear_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    size_t longest = args->uneven ? pl_blocks_longest(args->out, args->size) : pl_coll_bytes(args);
    return (args->size - 1) * (m->alpha + (double)longest * m->beta);
}

/* Recursive doubling, for powers of two: pairs exchange what they have, then pairs of pairs.
 *
 *     0 [a   ]      0 [ab  ]      0 [abcd]
 *     1 [ b  ]  ->  1 [ab  ]  ->  1 [abcd]
 *     2 [  c ]      2 [  cd]      2 [abcd]
 *     3 [   d]      3 [  cd]      3 [abcd]
 *
 * Cost: log2 n alpha + (n-1) m beta. */
static void doubling(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, r = args->rank;
    pl_step_copy(b, blocks(args, r, 1), pl_in(0, pl_coll_bytes(args)));
    for (int d = 1; d < n; d *= 2) {
        pl_step_send(b, r ^ d, blocks(args, r & -d, d));
        pl_step_recv(b, r ^ d, blocks(args, (r ^ d) & -d, d));
    }
}

static double log_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    double share = 1 - 1.0 / args->size;
    return pl_log2_up(args->size) * m->alpha + share * (double)total(args) * m->beta;
}

/* Bruck, for any size: blocks are kept counted from the own one, so that what a rank has is always
 * the front of its buffer; a last local copy turns them into place.
 *
 *     0 [a....]     0 [ab...]     0 [abcd.]     0 [abcde]
 *     1 [b....] ->  1 [bc...] ->  1 [bcde.] ->  1 [bcdea] -> turned by one: [abcde]
 *     2 [c....]     2 [cd...]     2 [cdea.]     2 [cdeab] -> turned by two: [abcde]
 *       ...            from r+1      from r+2      from r+4, as many as are missing
 *
 * Cost: ceil(log2 n) alpha + (n-1) m beta.
 * J. Bruck et al., "Efficient algorithms for all-to-all communications ...", IEEE TPDS 8 (1997). */
static void bruck_even(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, r = args->rank;
    size_t m = pl_coll_bytes(args);
    struct pl_slice turned = pl_tmp(b, m * (size_t)n);
    pl_step_copy(b, pl_part(turned, 0, m), pl_in(0, m));
    for (int d = 1; d < n; d *= 2) {
        size_t count = (size_t)(d < n - d ? d : n - d);
        pl_step_send(b, (r - d + n) % n, pl_part(turned, 0, m * count));
        pl_step_recv(b, (r + d) % n, pl_part(turned, m * (size_t)d, m * count));
    }
    pl_step_copy(b, blocks(args, r, n - r), pl_part(turned, 0, m * (size_t)(n - r)));
    pl_step_copy(b, blocks(args, 0, r), pl_part(turned, m * (size_t)(n - r), m * (size_t)r));
}

/* The same with blocks of different lengths: the k-th kept begins at start[k]. */
static void bruck_uneven(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, r = args->rank;
    size_t *start = malloc(((size_t)n + 1) * sizeof *start);
    if (!start) {
        pl_builder_no_memory(b);
        return;
    }
    start[0] = 0;
    for (int k = 0; k < n; k++)
        start[k + 1] = start[k] + args->out[(r + k) % n].length;
    struct pl_slice turned = pl_tmp(b, start[n]);
    pl_step_copy(b, pl_part(turned, 0, start[1]), own_block(args));
    for (int d = 1; d < n; d *= 2) {
        int count = d < n - d ? d : n - d;
        pl_step_send(b, (r - d + n) % n, pl_part(turned, 0, start[count]));
        pl_step_recv(b, (r + d) % n, pl_part(turned, start[d], start[d + count] - start[d]));
    }
    for (int k = 0; k < n; k++)
        pl_step_copy(b, pl_out_block(args, (r + k) % n), pl_part(turned, start[k], start[k + 1] - start[k]));
    free(start);
}

static void bruck(struct pl_builder *b, const struct pl_coll_args *args)
{
    if (args->uneven)
        bruck_uneven(b, args);
    else
        bruck_even(b, args);
}

/* Linear: everybody sends its block to everybody at once. Cost: (n-1) (alpha + m beta), with all
 * messages under way together, each waiting for nothing. */
static void linear(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, r = args->rank;
    struct pl_slice own = own_block(args);
    for (int k = 1; k < n; k++) {
        pl_step_recv(b, (r - k + n) % n, pl_out_block(args, (r - k + n) % n));
        pl_step_send(b, (r + k) % n, own);
    }
    pl_step_copy(b, pl_out_block(args, r), own);
}

const struct pl_algorithm pl_allgather_algorithms[] = {
    {"ring", ring, linear_cost, PL_UNEVEN},
    {"doubling", doubling, log_cost, PL_POWER2},
    {"bruck", bruck, log_cost, PL_UNEVEN},
    {"linear", linear, linear_cost, PL_UNEVEN},
    {"window", pl_window_blocks, pl_window_blocks_cost, PL_WINDOW},
    {0},
};
