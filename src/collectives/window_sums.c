/* Allreduce and reduce through windows, where each rank's TMP lies in memory that all ranks of the host have
 * mapped, but the buffers do not. Segment by segment, everybody lays out what the others shall sum, sums his
 * own chunk of the segment, lays out the sum, and takes the others' sums:
 *
 *     0  window [ .  b0 c0]   sums A = a0 + a1 + a2 into OUT and [A b0 c0]   takes B, C
 *     1  window [a1  .  c1]   sums B = b0 + b1 + b2 into OUT and [a1 B c1]   takes A, C
 *     2  window [a2 b2  . ]   sums C = c0 + c1 + c2 into OUT and [a2 b2 C]   takes A, B
 *
 * In a reduce, only the root takes; the others sum into their windows alone.
 *
 * The next segment is laid out before this one's sums are awaited. A slot is used again when all have said
 * that they have read all in it; those of the last segments say nothing, for the next call has other memory,
 * and a later one begins in this only after a whole call in between (window.h). Two slots would do; there are
 * eight, for to write where a peer has just read takes the lines out of its cache, at a third of the
 * speed of writing where nobody looks: 190 us for 1 MiB through 64 KiB of slots, 60 through 1 MiB.
 *
 * Cost: (n-1) (2 + (s-1)/2) alpha for s segments + (n-1)/n m (beta + gamma): no system call, and nothing
 * leaves the cache that both cores share. Rejected: process_vm, which pays the kernel for each piece;
 * a whole message at a time, which falls out of the cache.
 */
#include "algorithm.h"

#include <stdlib.h>

struct window {
    struct pl_builder *b;
    const struct pl_coll_args *args;
    struct pl_slice slots;
    struct pl_window_way way;
};

static bool has_result(const struct pl_coll_args *args, int rank)
{
    return args->collective == PL_ALLREDUCE || rank == args->root;
}

static struct pl_slice segment_of(const struct window *w, enum pl_space space, int s)
{
    struct pl_slice whole = {space, 0, 0, pl_coll_bytes(w->args)};
    return pl_chunk(whole, w->args->element, w->way.segments, s);
}

static struct pl_slice chunk_of(const struct window *w, struct pl_slice segment, int i)
{
    return pl_chunk(segment, w->args->element, w->args->size, i);
}

static struct pl_slice slot_of(const struct window *w, int s)
{
    size_t at = (size_t)(s % w->way.slots) * w->way.part;
    return pl_part(w->slots, at, segment_of(w, PL_IN, s).length);
}

/* Chunk i of segment s where it lies in the slots. */
static struct pl_slice slot_chunk(const struct window *w, int s, int i)
{
    return chunk_of(w, slot_of(w, s), i);
}

/* Everybody has read all that lay in the slot for segment s. Signals and awaits of a pair meet in the order
 * of writing: so both are written here, though the signals may go out long before. Who takes no sums has read
 * one chunk alone. */
static void make_room(const struct window *w, int s)
{
    int n = w->args->size, r = w->args->rank;
    /* after the own sum too, which has read all slots */
    struct pl_slice done = has_result(w->args, r) ? segment_of(w, PL_OUT, s) : slot_chunk(w, s, r);
    for (int k = 1; k < n; k++)
        pl_step_signal(w->b, (r - k + n) % n, done);
    for (int k = 1; k < n; k++) {
        int peer = (r + k) % n;
        pl_step_await(w->b, peer, has_result(w->args, peer) ? slot_of(w, s) : slot_chunk(w, s, peer));
    }
}

static void lay_out(const struct window *w, int s)
{
    int n = w->args->size, r = w->args->rank;
    if (s >= w->way.slots)
        make_room(w, s - w->way.slots);
    for (int k = 1; k < n; k++) {
        int peer = (r + k) % n;
        struct pl_slice there = slot_chunk(w, s, peer);
        pl_step_copy(w->b, there, chunk_of(w, segment_of(w, PL_IN, s), peer));
        pl_step_signal(w->b, peer, there);
    }
    for (int k = 1; k < n; k++) /* here, for signals and awaits of a pair meet in the order of writing */
        pl_step_await(w->b, (r + k) % n, pl_peer_tmp((r + k) % n, slot_chunk(w, s, r)));
}

static void sum_up(const struct window *w, int s, struct pl_slice *operand)
{
    int n = w->args->size, r = w->args->rank, root = w->args->root;
    bool all = w->args->collective == PL_ALLREDUCE, result = has_result(w->args, r);
    struct pl_slice mine = slot_chunk(w, s, r), sum = mine;
    if (result)
        sum = chunk_of(w, segment_of(w, PL_OUT, s), r);
    for (int i = 0; i < n; i++)
        operand[i] = i == r ? chunk_of(w, segment_of(w, PL_IN, s), r) : pl_peer_tmp(i, mine);
    pl_tree_reduce(w->b, sum, operand, n);
    if (all)
        pl_step_copy(w->b, mine, sum);
    for (int k = 1; all && k < n; k++)
        pl_step_signal(w->b, (r + k) % n, mine);
    if (!result)
        pl_step_signal(w->b, root, mine);
}

static void take(const struct window *w, int s)
{
    int n = w->args->size, r = w->args->rank;
    for (int k = 1; has_result(w->args, r) && k < n; k++) {
        int peer = (r - k + n) % n;
        struct pl_slice there = pl_peer_tmp(peer, slot_chunk(w, s, peer));
        pl_step_await(w->b, peer, there);
        pl_step_copy(w->b, chunk_of(w, segment_of(w, PL_OUT, s), peer), there);
    }
}

void pl_window_sum(struct pl_builder *b, const struct pl_coll_args *args)
{
    struct window w = {.b = b, .args = args, .way = pl_window_way(args)};
    struct pl_slice *operand = malloc((size_t)args->size * sizeof *operand);
    if (!operand) {
        pl_builder_no_memory(b);
        return;
    }
    w.slots = pl_tmp(b, (size_t)w.way.slots * w.way.part);
    lay_out(&w, 0);
    size_t scratch = b->tmp, most = b->tmp;
    for (int s = 0; s < w.way.segments; s++) {
        if (s + 1 < w.way.segments)
            lay_out(&w, s + 1);
        b->tmp = scratch; /* all sums have their intermediate results in the same place */
        sum_up(&w, s, operand);
        most = b->tmp > most ? b->tmp : most;
        take(&w, s);
    }
    b->tmp = most;
    free(operand);
}

double pl_window_sum_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    double n = args->size, bytes = (double)pl_coll_bytes(args);
    return (2 + (pl_window_way(args).segments - 1) / 2.0) * (n - 1) * m->alpha +
           (n - 1) / n * bytes * (m->beta + m->gamma);
}
