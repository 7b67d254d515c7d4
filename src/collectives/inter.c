/* Collectives on intercommunicators: what goes in on one side comes out on the other. The ranks of the other
 * group are numbered after the own ones, on both sides, so that a schedule may name either.
 *
 *        group A               group B
 *     0 --.                       .-- 0      reductions: the group's own, along the canonical tree, to its
 *     1 --+--> 0 ==============> 0 +-- 1     rank 0; the two ranks 0 exchange; then down the other tree
 *     2 --'                       '-- 2
 *
 * Gather, scatter, allgather and alltoall send each block straight from its owner to who wants it. One
 * algorithm for each: programs use intercommunicators to meet, seldom to move much. Rejected: making
 * them of two calls on the local communicators and one between, which would block in the middle.
 */
#include "algorithm.h"

static struct pl_slice vector(const struct pl_coll_args *args, enum pl_space space)
{
    return (struct pl_slice){space, 0, 0, pl_coll_bytes(args)};
}

/* Binomial over `n` ranks, of which the v-th is first + v (number `top` if v is 0); v = this rank's place. */
static void spread(struct pl_builder *b, const struct pl_coll_args *args, struct pl_slice data, int n, int v,
                   int top, int first)
{
    int segments = pl_segments(data.length, args->element, pl_coll_segment(args));
    for (int i = 0; i < segments; i++) {
        struct pl_slice piece = pl_chunk(data, args->element, segments, i);
        int low = v ? v & -v : n, parent = v - (v & -v);
        if (v)
            pl_step_recv(b, parent ? first + parent : top, piece);
        for (int d = pl_power2(n); d > 0; d /= 2)
            if (d < low && v + d < n)
                pl_step_send(b, first + v + d, piece);
    }
}

static void bcast(struct pl_builder *b, const struct pl_coll_args *args)
{
    struct pl_slice data = vector(args, PL_OUT);
    if (args->root == PL_ROOT)
        spread(b, args, data, args->remote + 1, 0, 0, args->size - 1);
    else if (args->root >= 0)
        spread(b, args, data, args->size + 1, args->rank + 1, args->size + args->root, -1);
}

static void gather(struct pl_builder *b, const struct pl_coll_args *args)
{
    for (int i = 0; args->root == PL_ROOT && i < args->remote; i++)
        pl_step_recv(b, args->size + i, pl_out_block(args, i));
    if (args->root >= 0)
        pl_step_send(b, args->size + args->root, vector(args, PL_IN));
}

static void scatter(struct pl_builder *b, const struct pl_coll_args *args)
{
    for (int i = 0; args->root == PL_ROOT && i < args->remote; i++)
        pl_step_send(b, args->size + i, pl_in_block(args, i));
    if (args->root >= 0)
        pl_step_recv(b, args->size + args->root, vector(args, PL_OUT));
}

static void allgather(struct pl_builder *b, const struct pl_coll_args *args)
{
    for (int i = 0; i < args->remote; i++) {
        pl_step_recv(b, args->size + i, pl_out_block(args, i));
        pl_step_send(b, args->size + i, vector(args, PL_IN));
    }
}

static void alltoall(struct pl_builder *b, const struct pl_coll_args *args)
{
    for (int i = 0; i < args->remote; i++) {
        pl_step_recv(b, args->size + i, pl_out_block(args, i));
        pl_step_send(b, args->size + i, pl_in_block(args, i));
    }
}

/* The reduction of the own group's IN, `length` bytes, along the canonical tree; at rank 0. */
static struct pl_slice group_sum(struct pl_builder *b, const struct pl_coll_args *args, size_t length)
{
    int n = args->size, r = args->rank;
    struct pl_slice mine = pl_in(0, length), sum = pl_tmp(b, length);
    struct pl_slice theirs[2] = {pl_tmp(b, length), pl_tmp(b, length)};
    for (int d = 1, k = 0; d < n; d *= 2) {
        if (r & d) {
            pl_step_send(b, r - d, mine);
            break;
        }
        if (r + d >= n)
            continue;
        pl_step_recv(b, r + d, theirs[k]);
        pl_step_reduce(b, sum, mine, theirs[k]);
        mine = sum;
        k = !k;
    }
    return mine;
}

static void reduce(struct pl_builder *b, const struct pl_coll_args *args)
{
    if (args->root == PL_ROOT)
        pl_step_recv(b, args->size, vector(args, PL_OUT));
    if (args->root < 0)
        return;
    struct pl_slice sum = group_sum(b, args, pl_coll_bytes(args));
    if (args->rank == 0)
        pl_step_send(b, args->size + args->root, sum);
}

static void allreduce(struct pl_builder *b, const struct pl_coll_args *args)
{
    struct pl_slice sum = group_sum(b, args, pl_coll_bytes(args)), out = vector(args, PL_OUT);
    if (args->rank == 0) {
        pl_step_send(b, args->size, sum);
        pl_step_recv(b, args->size, out);
    }
    spread(b, args, out, args->size, args->rank, 0, 0);
}

static void reduce_scatter(struct pl_builder *b, const struct pl_coll_args *args)
{
    size_t m = pl_coll_bytes(args), all = m * (size_t)args->size;
    if (args->uneven)
        all = pl_blocks_total(args->in, args->size);
    struct pl_slice sum = group_sum(b, args, all), out = pl_out(0, pl_in_block(args, args->rank).length);
    if (args->rank) {
        pl_step_recv(b, 0, out);
        return;
    }
    struct pl_slice other = pl_tmp(b, all);
    pl_step_send(b, args->size, sum);
    pl_step_recv(b, args->size, other);
    for (int i = 0; i < args->size; i++) {
        struct pl_slice block = pl_in_block(args, i), piece = pl_part(other, block.offset, block.length);
        if (i)
            pl_step_send(b, i, piece);
        else
            pl_step_copy(b, out, piece);
    }
}

static void barrier(struct pl_builder *b, const struct pl_coll_args *args)
{
    struct pl_slice heard = pl_tmp(b, 2), here = pl_part(heard, 0, 1), there = pl_part(heard, 1, 1);
    if (args->rank) {
        pl_step_signal(b, 0, here);
        pl_step_await(b, 0, here);
        return;
    }
    for (int i = 1; i < args->size; i++)
        pl_step_await(b, i, here);
    pl_step_signal(b, args->size, here);
    pl_step_await(b, args->size, there);
    for (int i = 1; i < args->size; i++)
        pl_step_signal(b, i, heard);
}

static const struct pl_algorithm algorithms[PL_COLLECTIVES] = {
    [PL_BARRIER] = {"inter", barrier, NULL, PL_UNEVEN},
    [PL_BCAST] = {"inter", bcast, NULL, PL_UNEVEN},
    [PL_SCATTER] = {"inter", scatter, NULL, PL_UNEVEN},
    [PL_GATHER] = {"inter", gather, NULL, PL_UNEVEN},
    [PL_ALLGATHER] = {"inter", allgather, NULL, PL_UNEVEN},
    [PL_REDUCE] = {"inter", reduce, NULL, PL_UNEVEN | PL_ORDERED | PL_TREE},
    [PL_ALLREDUCE] = {"inter", allreduce, NULL, PL_UNEVEN | PL_ORDERED | PL_TREE},
    [PL_REDUCE_SCATTER] = {"inter", reduce_scatter, NULL, PL_UNEVEN | PL_ORDERED | PL_TREE},
    [PL_ALLTOALL] = {"inter", alltoall, NULL, PL_UNEVEN},
};

const struct pl_algorithm *pl_inter_algorithm(enum pl_collective collective)
{
    return algorithms[collective].name ? &algorithms[collective] : NULL;
}
