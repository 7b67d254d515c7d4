/* What the families of algorithms share: the table of tables, the filter that keeps an
 * algorithm from calls it would answer wrongly, in-place aliases, the canonical tree,
 * and segmented exchange.
 *
 * The canonical tree. Floating-point sums depend on how they are bracketed. In reproducible
 * mode every algorithm that is allowed brackets n operands in rank order, split at the largest
 * power of two below n:
 *
 *            op                    This is what a binomial reduction in rank order does, what
 *          /    \                  recursive doubling does on powers of two when it starts with
 *        op      4                 the nearest neighbour, and what anybody who holds all n
 *       /  \                       operands can do locally. So a choice of algorithm, which depends
 *     op    op                     on size and transport, cannot change a bit of the result.
 *    / \   / \
 *   0   1 2   3
 */
#include "algorithm.h"

#include "errors.h"

static const struct {
    const char *name;
    const struct pl_algorithm *algorithms;
} families[PL_COLLECTIVES] = {
    [PL_BARRIER] = {"barrier", pl_barrier_algorithms},
    [PL_BCAST] = {"bcast", pl_bcast_algorithms},
    [PL_SCATTER] = {"scatter", pl_scatter_algorithms},
    [PL_GATHER] = {"gather", pl_gather_algorithms},
    [PL_ALLGATHER] = {"allgather", pl_allgather_algorithms},
    [PL_REDUCE] = {"reduce", pl_reduce_algorithms},
    [PL_ALLREDUCE] = {"allreduce", pl_allreduce_algorithms},
    [PL_REDUCE_SCATTER] = {"reduce_scatter", pl_reduce_scatter_algorithms},
    [PL_ALLTOALL] = {"alltoall", pl_alltoall_algorithms},
    [PL_SCAN] = {"scan", pl_scan_algorithms},
    [PL_EXSCAN] = {"exscan", pl_exscan_algorithms},
    [PL_NEIGHBOR] = {"neighbor", pl_neighbor_algorithms},
};

enum { SEGMENT = 128 << 10 }; /* bytes; what keeps both ends of a shared-memory copy in the cache */

const struct pl_algorithm *pl_algorithms(enum pl_collective collective)
{
    return families[collective].algorithms;
}

const char *pl_collective_name(enum pl_collective collective)
{
    return families[collective].name;
}

bool pl_collective_sums(enum pl_collective collective)
{
    return collective == PL_REDUCE || collective == PL_ALLREDUCE || collective == PL_REDUCE_SCATTER ||
           collective == PL_SCAN || collective == PL_EXSCAN;
}

bool pl_algorithm_fits(const struct pl_algorithm *algorithm, const struct pl_coll_args *args,
                       bool reproducible)
{
    bool power2 = pl_power2(args->size) == args->size;
    unsigned flags = algorithm->flags;
    if ((flags & PL_POWER2) && !power2)
        return false;
    if (args->uneven && !(flags & PL_UNEVEN))
        return false;
    if (!pl_collective_sums(args->collective))
        return true;
    if (reproducible && !(flags & PL_TREE) && !((flags & PL_TREE_POWER2) && power2))
        return false;
    return !args->ordered || (flags & PL_ORDERED);
}

static void alias_in_place(struct pl_builder *b, const struct pl_coll_args *args)
{
    switch (args->collective) {
    case PL_SCATTER:
        pl_builder_alias(b, PL_OUT, PL_IN, pl_in_block(args, args->rank).offset);
        break;
    case PL_GATHER:
    case PL_ALLGATHER:
        pl_builder_alias(b, PL_IN, PL_OUT, pl_out_block(args, args->rank).offset);
        break;
    default:
        pl_builder_alias(b, PL_IN, PL_OUT, 0);
    }
}

int pl_algorithm_schedule(const struct pl_algorithm *algorithm, const struct pl_coll_args *args,
                          unsigned ignore, struct pl_schedule **schedule)
{
    struct pl_builder b;
    pl_builder_init(&b, args->size + args->remote);
    b.ignore = ignore;
    if (args->in_place)
        alias_in_place(&b, args);
    algorithm->build(&b, args);
    return pl_builder_seal(&b, schedule);
}

size_t pl_blocks_total(const struct pl_block *block, int n)
{
    size_t total = 0;
    for (int i = 0; i < n; i++)
        total += block[i].length;
    return total;
}

size_t pl_blocks_longest(const struct pl_block *block, int n)
{
    size_t longest = 0;
    for (int i = 0; i < n; i++)
        if (block[i].length > longest)
            longest = block[i].length;
    return longest;
}

/* The reduction of the operands, in the first or last of them that may be overwritten, or in
 * fresh memory; or in `to` when it is given. */
static struct pl_slice tree(struct pl_builder *b, const struct pl_slice *to, const struct pl_slice *operand,
                            int n)
{
    if (n == 1)
        return operand[0];
    int half = pl_tree_split(n);
    struct pl_slice left = tree(b, NULL, operand, half), right = tree(b, NULL, operand + half, n - half);
    struct pl_slice into = to                      ? *to
                           : left.space == PL_TMP  ? left
                           : right.space == PL_TMP ? right
                                                   : pl_tmp(b, left.length);
    pl_step_reduce(b, into, left, right);
    return into;
}

void pl_tree_reduce(struct pl_builder *b, struct pl_slice to, const struct pl_slice *operand, int n)
{
    struct pl_slice result = tree(b, &to, operand, n);
    if (n == 1)
        pl_step_copy(b, to, result);
}

size_t pl_coll_segment(const struct pl_coll_args *args)
{
    return args->segment ? args->segment : SEGMENT;
}

void pl_send_segments(struct pl_builder *b, const struct pl_coll_args *args, int peer, struct pl_slice from)
{
    int n = pl_segments(from.length, args->element, pl_coll_segment(args));
    for (int i = 0; i < n; i++)
        pl_step_send(b, peer, pl_chunk(from, args->element, n, i));
}

void pl_recv_segments(struct pl_builder *b, const struct pl_coll_args *args, int peer, struct pl_slice to)
{
    int n = pl_segments(to.length, args->element, pl_coll_segment(args));
    for (int i = 0; i < n; i++)
        pl_step_recv(b, peer, pl_chunk(to, args->element, n, i));
}

void pl_exchange_reduce(struct pl_builder *b, const struct pl_coll_args *args, int give_to,
                        struct pl_slice give, int take_from, struct pl_slice to, struct pl_slice mine,
                        struct pl_slice tmp, bool theirs_first)
{
    size_t target = pl_coll_segment(args), element = args->element;
    int gives = pl_segments(give.length, element, target), takes = pl_segments(mine.length, element, target);
    tmp = pl_part(tmp, 0, mine.length);
    for (int i = 0; i < gives || i < takes; i++) {
        if (i < gives)
            pl_step_send(b, give_to, pl_chunk(give, element, gives, i));
        if (i < takes) {
            struct pl_slice theirs = pl_chunk(tmp, element, takes, i),
                            ours = pl_chunk(mine, element, takes, i);
            pl_step_recv(b, take_from, theirs);
            pl_step_reduce(b, pl_chunk(to, element, takes, i), theirs_first ? theirs : ours,
                           theirs_first ? ours : theirs);
        }
    }
}

struct pl_fold pl_fold(const struct pl_coll_args *args)
{
    int p = pl_power2(args->size), extra = args->size - p, r = args->rank;
    return (struct pl_fold){p, extra, r >= 2 * extra ? r - extra : r % 2 ? r / 2 : -1};
}
