/* Allgather, alltoall and reduce_scatter through windows (window_sums.c says what those are). Segment by
 * segment of the blocks, everybody lays out what the others shall have and takes what they have laid out for
 * him; a reduce_scatter sums it.
 *
 *     allgather   0  window [a]      alltoall   0  window [b0 c0]   takes a1, a2
 *                 1  window [b]                 1  window [a1 c1]   takes b0, b2
 *                 2  window [c]                 2  window [a2 b2]   takes c0, c1
 *
 * So an allgather's block is copied into shared memory once, however many read it. Slots are used in turn as
 * there; the next segment is laid out before this one is awaited.
 *
 * Cost: (n-1) max(alpha, c) + min(alpha, c) + (n-1) (s-1)/2 alpha for s segments, where c = m (beta/2 +
 * gamma): a block is read where it lies, while other signals are under way.
 */
#include "algorithm.h"

#include <stdlib.h>

enum { SEGMENT = 128 << 10, SLOTS = 1 << 20 }; /* bytes: of a segment, of all slots, at most */

static size_t at_most(size_t x, size_t most)
{
    return x < most ? x : most;
}

struct pl_window_way pl_window_way(const struct pl_coll_args *args)
{
    size_t n = (size_t)args->size, bytes = pl_coll_bytes(args), parts = 1;
    if (args->collective == PL_ALLTOALL || args->collective == PL_REDUCE_SCATTER)
        parts = n > 1 ? n - 1 : 1;
    size_t target = args->segment ? args->segment : at_most(SEGMENT, SLOTS / 2 / parts);
    size_t segments = (size_t)pl_segments(bytes, args->element, target);
    size_t longest = (args->count + segments - 1) / segments * args->element;
    size_t part = (longest + 63) & ~(size_t)63, slots = part ? SLOTS / (part * parts) : 1;
    slots = at_most(slots < 2 ? 2 : slots, at_most(PL_WINDOW_SLOTS_MAX, segments));
    size_t operand = pl_collective_is_vector(args->collective) ? longest / n + args->element : longest;
    size_t sums = args->collective == PL_ALLGATHER || args->collective == PL_ALLTOALL
                      ? 0
                      : (n - 1) * (operand + 64); /* intermediate results of a tree */
    return (struct pl_window_way){.segments = (int)segments,
                                  .slots = (int)slots,
                                  .parts = (int)parts,
                                  .part = part,
                                  .needs = slots * parts * part + sums,
                                  .all_hear = args->count / segments >=
                                              (pl_collective_is_vector(args->collective) ? n : 1)};
}

struct exchange {
    struct pl_builder *b;
    const struct pl_coll_args *args;
    struct pl_slice slots;
    struct pl_window_way way;
};

static struct pl_slice segment_of(const struct exchange *x, struct pl_slice block, int s)
{
    return pl_chunk(block, x->args->element, x->way.segments, s);
}

/* What the rank `from` lays out of segment s for the rank `to`, as a place in the slots of each. */
static struct pl_slice part_of(const struct exchange *x, int s, int from, int to)
{
    int part = x->way.parts == 1 ? 0 : to < from ? to : to - 1;
    size_t at = (size_t)(s % x->way.slots * x->way.parts + part) * x->way.part;
    return pl_part(x->slots, at, segment_of(x, pl_in(0, pl_coll_bytes(x->args)), s).length);
}

/* What this rank gives to a rank, and where it puts what it gets from it. */
static struct pl_slice given(const struct exchange *x, int s, int to)
{
    bool same = x->args->collective == PL_ALLGATHER;
    return segment_of(x, same ? pl_in(0, pl_coll_bytes(x->args)) : pl_in_block(x->args, to), s);
}

static struct pl_slice taken(const struct exchange *x, int s, int from)
{
    bool sum = x->args->collective == PL_REDUCE_SCATTER;
    return segment_of(x, sum ? pl_out(0, pl_coll_bytes(x->args)) : pl_out_block(x->args, from), s);
}

/* Everybody has read what lay in the slot for segment s (as in window_sums.c). */
static void make_room(const struct exchange *x, int s)
{
    int n = x->args->size, r = x->args->rank;
    for (int k = 1; k < n; k++)
        pl_step_signal(x->b, (r - k + n) % n, taken(x, s, (r - k + n) % n));
    for (int k = 1; k < n; k++)
        pl_step_await(x->b, (r + k) % n, part_of(x, s, r, (r + k) % n));
}

static void lay_out(const struct exchange *x, int s)
{
    int n = x->args->size, r = x->args->rank;
    if (s >= x->way.slots)
        make_room(x, s - x->way.slots);
    for (int k = 1; k < n; k++) {
        int peer = (r + k) % n;
        struct pl_slice part = part_of(x, s, r, peer);
        if (k == 1 || x->way.parts > 1)
            pl_step_copy(x->b, part, given(x, s, peer));
        pl_step_signal(x->b, peer, part);
    }
    for (int k = 1; k < n; k++)
        pl_step_await(x->b, (r + k) % n, pl_peer_tmp((r + k) % n, part_of(x, s, (r + k) % n, r)));
    if (x->args->collective != PL_REDUCE_SCATTER)
        pl_step_copy(x->b, taken(x, s, r), given(x, s, r));
}

static void take(const struct exchange *x, int s, struct pl_slice *operand)
{
    int n = x->args->size, r = x->args->rank;
    for (int i = 0; i < n; i++)
        operand[i] = i == r ? given(x, s, r) : pl_peer_tmp(i, part_of(x, s, i, r));
    if (x->args->collective == PL_REDUCE_SCATTER)
        pl_tree_reduce(x->b, taken(x, s, r), operand, n);
    else
        for (int k = 1; k < n; k++)
            pl_step_copy(x->b, taken(x, s, (r - k + n) % n), operand[(r - k + n) % n]);
}

void pl_window_blocks(struct pl_builder *b, const struct pl_coll_args *args)
{
    struct exchange x = {.b = b, .args = args, .way = pl_window_way(args)};
    struct pl_slice *operand = malloc((size_t)args->size * sizeof *operand);
    if (!operand) {
        pl_builder_no_memory(b);
        return;
    }
    x.slots = pl_tmp(b, (size_t)(x.way.slots * x.way.parts) * x.way.part);
    lay_out(&x, 0);
    size_t scratch = b->tmp, most = b->tmp;
    for (int s = 0; s < x.way.segments; s++) {
        if (s + 1 < x.way.segments)
            lay_out(&x, s + 1);
        b->tmp = scratch;
        take(&x, s, operand);
        most = b->tmp > most ? b->tmp : most;
    }
    b->tmp = most;
    free(operand);
}

double pl_window_blocks_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    double gamma = args->collective == PL_REDUCE_SCATTER ? m->gamma : 0, n = args->size;
    double read = (double)pl_coll_bytes(args) * (m->beta / 2 + gamma);
    double more = read > m->alpha ? read : m->alpha, less = read > m->alpha ? m->alpha : read;
    return (n - 1) * (more + (pl_window_way(args).segments - 1) / 2.0 * m->alpha) + less;
}
