/* Alltoall: block j of rank i's IN becomes block i of rank j's OUT; m bytes a block. Alltoallv and w: block
 * by block. There every rank knows its own lengths alone and may choose another algorithm than its peers:
 * linear and pairwise send the same messages.
 */
#include "algorithm.h"

#include <stdlib.h>

static struct pl_slice block(const struct pl_coll_args *args, struct pl_slice buffer, int i)
{
    size_t m = pl_coll_bytes(args);
    return pl_part(buffer, (size_t)i * m, m);
}

static struct pl_slice whole(const struct pl_coll_args *args, enum pl_space space)
{
    return (struct pl_slice){space, 0, 0, pl_coll_bytes(args) * (size_t)args->size};
}

/* Of a block, on average. */
static double block_bytes(const struct pl_coll_args *args)
{
    return args->uneven ? (double)pl_blocks_total(args->in, args->size) / args->size
                        : (double)pl_coll_bytes(args);
}

/* What rank i gets from this one; in place it is kept in TMP first. */
static struct pl_slice given(struct pl_builder *b, const struct pl_coll_args *args, int i)
{
    struct pl_slice from = pl_in_block(args, i);
    if (!args->in_place)
        return from;
    struct pl_slice kept = pl_tmp(b, from.length);
    pl_step_copy(b, kept, from);
    return kept;
}

/* Linear: everything at once. Cost: (n-1) (alpha + m beta). In place, IN is kept in TMP. */
static void linear(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, r = args->rank;
    for (int k = 1; k < n; k++)
        pl_step_send(b, (r + k) % n, given(b, args, (r + k) % n));
    for (int k = 1; k < n; k++)
        pl_step_recv(b, (r - k + n) % n, pl_out_block(args, (r - k + n) % n));
    pl_step_copy(b, pl_out_block(args, r), pl_in_block(args, r));
}

static double linear_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    return (args->size - 1) * (m->alpha + block_bytes(args) * m->beta);
}

/* Pairwise: in round k, ranks whose numbers add up to k (modulo n) exchange; a rank has few exchanges
 * under way at a time, so that no receiver is flooded.
 *
 *     n = 4    round 0: 0  1-3  2      round 1: 0-1  2-3
 *              round 2: 0-2  1  3      round 3: 0-3  1-2
 *
 * Cost: n (alpha + m beta), for two ranks once. In place, one block of TMP for each exchange under way. */
static void pairwise(struct pl_builder *b, const struct pl_coll_args *args)
{
    enum { WINDOW = 4 };
    int n = args->size, r = args->rank;
    size_t longest = args->uneven ? pl_blocks_longest(args->in, n) : pl_coll_bytes(args);
    struct pl_slice slot[WINDOW];
    for (int i = 0; i < WINDOW && args->in_place; i++)
        slot[i] = pl_tmp(b, longest);
    for (int k = 0; k < n; k++) {
        int partner = (k - r + n) % n;
        struct pl_slice give = pl_in_block(args, partner), take = pl_out_block(args, partner);
        if (partner == r) {
            pl_step_copy(b, take, give);
        } else {
            if (args->in_place) {
                struct pl_slice kept = pl_part(slot[k % WINDOW], 0, give.length);
                pl_step_copy(b, kept, give);
                give = kept;
            }
            pl_step_recv(b, partner, take);
            pl_step_send(b, partner, give);
        }
        if (k % WINDOW == WINDOW - 1 && k < n - 1)
            pl_step_fence(b);
    }
}

static double pairwise_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    int rounds = args->size > 2 ? args->size : args->size - 1;
    return rounds * (m->alpha + block_bytes(args) * m->beta);
}

/* Bruck: block for the rank i further on travels by hops of the powers of two that make up i.
 *
 *     i = 5 on 8 ranks:  r ---1---> r+1 ---4---> r+5       round d moves all blocks with bit d in i
 *
 * Cost: ceil(log2 n) alpha + about n/2 log2 n m beta: for short blocks, where alpha is all.
 * J. Bruck et al., IEEE TPDS 8 (1997). at[i] is where the block for (now: from) i ranks on lies. */
static void bruck(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, r = args->rank;
    size_t m = pl_coll_bytes(args);
    struct pl_slice *at = malloc((size_t)n * sizeof *at);
    if (!at) {
        pl_builder_no_memory(b);
        return;
    }
    for (int i = 0; i < n; i++)
        at[i] = block(args, whole(args, PL_IN), (r + i) % n);
    for (int d = 1; d < n; d *= 2) {
        size_t count = 0;
        for (int i = d; i < n; i++)
            count += (i & d) != 0;
        struct pl_slice give = pl_tmp(b, count * m), take = pl_tmp(b, count * m);
        pl_step_recv(b, (r - d + n) % n, take);
        for (int i = d, j = 0; i < n; i++)
            if (i & d) {
                pl_step_copy(b, block(args, give, j), at[i]);
                at[i] = block(args, take, j++);
            }
        pl_step_send(b, (r + d) % n, give);
    }
    for (int i = 0; i < n; i++)
        pl_step_copy(b, block(args, whole(args, PL_OUT), (r - i + n) % n), at[i]);
    free(at);
}

static double bruck_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    double blocks = 0;
    for (int d = 1; d < args->size; d *= 2)
        for (int i = d; i < args->size; i += 2 * d)
            blocks += args->size - i < d ? args->size - i : d;
    return pl_log2_up(args->size) * m->alpha + blocks * (double)pl_coll_bytes(args) * m->beta;
}

const struct pl_algorithm pl_alltoall_algorithms[] = {
    {"linear", linear, linear_cost, PL_UNEVEN},
    {"pairwise", pairwise, pairwise_cost, PL_UNEVEN},
    {"bruck", bruck, bruck_cost, 0},
    {"window", pl_window_blocks, pl_window_blocks_cost, PL_WINDOW},
    {0},
};
