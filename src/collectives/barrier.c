/* Barrier: nobody leaves before everybody has come.
 *
 * Dissemination. In round k a rank signals the one 2^k after it and awaits the one 2^k before
 * it; a signal says "I, and all I have heard of, are here", so what is known doubles.
 *
 *     0   1   2   3   4
 *     |-->|-->|-->|-->|-->(0)     round 0: distance 1
 *     |------>|                   round 1: distance 2 (drawn for rank 0; all do it)
 *     |-------------->|           round 2: distance 4
 *
 * Cost: ceil(log2 n) alpha, for every n. D. Hensgen, R. Finkel, U. Manber, "Two algorithms for
 * barrier synchronization", Int. J. Parallel Programming 17 (1988).
 *
 * The messages carry no bytes. Their order is made by one byte of TMP a round, which is never
 * touched: awaiting round k counts as writing byte k, signalling as reading bytes 0..k-1.
 */
#include "algorithm.h"

static void dissemination(struct pl_builder *b, const struct pl_coll_args *args)
{
    int n = args->size, r = args->rank;
    size_t rounds = (size_t)pl_log2_up(n);
    struct pl_slice heard = pl_tmp(b, rounds);
    for (size_t k = 0; k < rounds; k++) {
        int distance = 1 << k;
        pl_step_signal(b, (r + distance) % n, pl_part(heard, 0, k));
        pl_step_await(b, (r - distance + n) % n, pl_part(heard, k, 1));
    }
}

static double dissemination_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    return pl_log2_up(args->size) * m->alpha;
}

/* Through rank 0: everybody reports to it, then it tells everybody.
 *
 *     1   2   3           1   2   3
 *      \  |  /             ^  ^  ^
 *       v v v               \ | /
 *         0                   0
 *
 * Cost: 2 (n - 1) alpha, but only 2 (n - 1) messages in all, where dissemination sends n log n:
 * cheaper where ranks share few cores and messages, not rounds, are what is paid for. */
static void central(struct pl_builder *b, const struct pl_coll_args *args)
{
    struct pl_slice heard = pl_tmp(b, (size_t)args->size);
    if (args->rank) {
        pl_step_signal(b, 0, pl_part(heard, 0, 0));
        pl_step_await(b, 0, pl_part(heard, 0, 1));
        return;
    }
    for (int i = 1; i < args->size; i++)
        pl_step_await(b, i, pl_part(heard, (size_t)i, 1));
    for (int i = 1; i < args->size; i++)
        pl_step_signal(b, i, heard);
}

static double central_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    return 2 * (args->size - 1) * m->alpha;
}

const struct pl_algorithm pl_barrier_algorithms[] = {
    {"dissemination", dissemination, dissemination_cost, 0},
    {"central", central, central_cost, 0},
    {0},
};
