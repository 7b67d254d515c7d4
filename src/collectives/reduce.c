/* Reduce: the root's OUT = IN of rank 0 op IN of rank 1 op ... */
#include "algorithm.h"

#include <stdlib.h>

/* Binomial tree: at distance 1, 2, 4, ... every second of those still in it hands its sum to the
 * one before it and is done.
 *
 *     0 <- 1     2 <- 3     4        ranks 0..4, root 0: the result is ((0+1)+(2+3))+4, the
 *     0 <------- 2          4        canonical tree
 *     0 <------------------ 4
 *
 * Cost: ceil(log2 n) (alpha + m beta + m gamma). When the order does not matter the tree is rooted
 * at the root; when it does, it is rooted at rank 0, which then sends the result on (one more
 * alpha + m beta if the root is not 0). */
static void binomial(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, shift = args->ordered ? 0 : args->root, v = (args->rank - shift + n) % n;
    size_t m = pl_coll_bytes(args);
    bool root = args->rank == args->root;
    struct pl_slice mine = pl_in(0, m), sum = {0}, theirs[2] = {{0}};
    for (int d = 1, k = 0; d < n; d *= 2) {
        if (v & d) {
            pl_step_send(b, (v - d + shift) % n, mine);
            break;
        }
        if (v + d >= n)
            continue;
        if (!sum.length)
            sum = root ? pl_out(0, m) : pl_tmp(b, m);
        if (k < 2)
            theirs[k] = pl_tmp(b, m);
        pl_step_recv(b, (v + d + shift) % n, theirs[k % 2]);
        pl_step_reduce(b, sum, mine, theirs[k % 2]);
        mine = sum;
        k++;
    }
    if (v == 0 && !root)
        pl_step_send(b, args->root, mine);
    else if (v && root)
        pl_step_recv(b, (0 + shift) % n, pl_out(0, m));
    else if (n == 1)
        pl_step_copy(b, pl_out(0, m), mine);
}

static double binomial_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    double bytes = (double)pl_coll_bytes(args);
    double forward = args->ordered && args->root ? m->alpha + bytes * m->beta : 0;
    return pl_log2_up(args->size) * (m->alpha + bytes * (m->beta + m->gamma)) + forward;
}

/* Linear: everybody sends to the root, which sums along the canonical tree.
 *
 *     1   2   3
 *      \  |  /        Cost: (n-1) (alpha + m beta + m gamma), and (n-1) m of memory at the root:
 *       v v v         for tiny data on few ranks, where nothing but latency counts.
 *         0  */
static void linear(struct pl_builder *b, const struct pl_coll_args *args)
{
    size_t m = pl_coll_bytes(args);
    if (args->rank != args->root) {
        pl_step_send(b, args->root, pl_in(0, m));
        return;
    }
    struct pl_slice *operand = malloc((size_t)args->size * sizeof *operand);
    if (!operand) {
        pl_builder_no_memory(b);
        return;
    }
    for (int i = 0; i < args->size; i++) {
        operand[i] = i == args->rank ? pl_in(0, m) : pl_tmp(b, m);
        if (i != args->rank)
            pl_step_recv(b, i, operand[i]);
    }
    pl_tree_reduce(b, pl_out(0, m), operand, args->size);
    free(operand);
}

static double linear_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    return (args->size - 1) * (m->alpha + (double)pl_coll_bytes(args) * (m->beta + m->gamma));
}

static struct pl_slice chunk_of_vector(const struct pl_coll_args *args, int rank)
{
    return pl_chunk(pl_in(0, pl_coll_bytes(args)), args->element, args->size, rank);
}

/* Pairwise reduce-scatter + gather: rank i gets everybody's chunk i, sums it, sends it to the root.
 *
 *     0 [abcd]       0 [A   ]
 *     1 [abcd]  ->   1 [ B  ]  ->  root [ABCD]
 *     2 [abcd]       2 [  C ]
 *     3 [abcd]       3 [   D]
 *
 * Cost: 2 (n-1) alpha + 2 (n-1)/n m beta + (n-1)/n m gamma: every byte moves at most twice and the
 * work of summing is shared. Keeps the order and the canonical tree for every n. */
static void scatter_gather(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, r = args->rank;
    bool root = r == args->root;
    struct pl_slice out = pl_out(0, pl_coll_bytes(args)), own = chunk_of_vector(args, r);
    own = root ? pl_chunk(out, args->element, n, r) : pl_tmp(b, own.length);
    pl_pairwise_reduce(b, args, own, chunk_of_vector);
    if (!root)
        pl_step_send(b, args->root, own);
    for (int k = 1; root && k < n; k++)
        pl_step_recv(b, (r + k) % n, pl_chunk(out, args->element, n, (r + k) % n));
}

static double scatter_gather_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    double n = args->size, bytes = (double)pl_coll_bytes(args);
    return 2 * (n - 1) * m->alpha + (n - 1) / n * bytes * (2 * m->beta + m->gamma);
}

const struct pl_algorithm pl_reduce_algorithms[] = {
    {"binomial", binomial, binomial_cost, PL_ORDERED | PL_TREE},
    {"linear", linear, linear_cost, PL_ORDERED | PL_TREE},
    {"scatter_gather", scatter_gather, scatter_gather_cost, PL_ORDERED | PL_TREE},
    {"window", pl_window_sum, pl_window_sum_cost, PL_ORDERED | PL_TREE | PL_WINDOW},
    {0},
};
