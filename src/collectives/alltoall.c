/* Alltoall: block j of rank i's IN becomes block i of rank j's OUT; m bytes a block.
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

/* Linear: everything at once. Cost: (n-1) (alpha + m beta). In place, IN is kept in TMP. */
static void linear(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, r = args->rank;
    struct pl_slice in = whole(args, PL_IN), out = whole(args, PL_OUT);
    if (args->in_place) {
        in = pl_tmp(b, out.length);
        pl_step_copy(b, in, whole(args, PL_IN));
    }
    for (int k = 1; k < n; k++) {
        pl_step_recv(b, (r - k + n) % n, block(args, out, (r - k + n) % n));
        pl_step_send(b, (r + k) % n, block(args, in, (r + k) % n));
    }
    pl_step_copy(b, block(args, out, r), block(args, in, r));
}

static double linear_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    return (args->size - 1) * (m->alpha + (double)pl_coll_bytes(args) * m->beta);
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
    struct pl_slice in = whole(args, PL_IN), out = whole(args, PL_OUT), slot[WINDOW];
    for (int i = 0; i < WINDOW && args->in_place; i++)
        slot[i] = pl_tmp(b, pl_coll_bytes(args));
    for (int k = 0; k < n; k++) {
        int partner = (k - r + n) % n;
        struct pl_slice give = block(args, in, partner), take = block(args, out, partner);
        if (partner == r) {
            pl_step_copy(b, take, give);
        } else {
            if (args->in_place) {
                pl_step_copy(b, slot[k % WINDOW], give);
                give = slot[k % WINDOW];
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
    return rounds * (m->alpha + (double)pl_coll_bytes(args) * m->beta);
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
    {"linear", linear, linear_cost, 0},
    {"pairwise", pairwise, pairwise_cost, 0},
    {"bruck", bruck, bruck_cost, 0},
    {0},
};
