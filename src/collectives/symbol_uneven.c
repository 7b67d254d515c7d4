/* What uneven calls, and those on intercommunicators, are defined to do, in symbols. Unlike the even ones
 * they cannot be told from one rank's arguments: where a block of rank j comes from stands in the
 * arguments of j. So all ranks' are at hand, as `each`: by node, which is a rank, or, in the second
 * group of an intercommunicator, a rank plus the size of the first.
 *
 * Bytes of OUT that lie in no block must stay as they were.
 */
#include "symbol.h"

static size_t span(const struct pl_block *block, int n, size_t element)
{
    size_t end = 0;
    for (int i = 0; block && i < n; i++)
        if (block[i].length && block[i].offset + block[i].length > end)
            end = block[i].offset + block[i].length;
    return end / element;
}

void pl_symbol_uneven_cells(const struct pl_coll_args *args, size_t *in, size_t *out)
{
    size_t m = args->count, e = args->element;
    int n = args->remote ? args->remote : args->size;
    bool inter = args->remote > 0, root = inter ? args->root == PL_ROOT : args->root == args->rank;
    bool other = inter ? args->root >= 0 : true; /* its data goes to the root, or comes from there */
    switch (args->collective) {
    case PL_BARRIER:
        *in = *out = 0;
        break;
    case PL_BCAST:
        *in = 0, *out = args->root == PL_NO_ROOT ? 0 : m;
        break;
    case PL_SCATTER:
        *in = root ? span(args->in, n, e) : 0, *out = other && !args->in_place ? m : 0;
        break;
    case PL_GATHER:
        *in = other ? m : 0, *out = root ? span(args->out, n, e) : 0;
        break;
    case PL_ALLGATHER:
        *in = inter ? m : args->out[args->rank].length / e, *out = span(args->out, n, e);
        break;
    case PL_REDUCE:
        *in = other ? m : 0, *out = root ? m : 0;
        break;
    case PL_REDUCE_SCATTER:
        *in = args->uneven ? span(args->in, args->size, e) : m * (size_t)args->size;
        *out = args->in_place ? *in : args->uneven ? args->in[args->rank].length / e : m;
        break;
    case PL_ALLTOALL:
        *in = span(args->in, n, e), *out = span(args->out, n, e);
        break;
    case PL_NEIGHBOR:
        *in = span(args->in, args->destinations, e), *out = span(args->out, args->sources, e);
        break;
    default:
        *in = *out = m;
    }
}

/* The node of rank `i` of the group that the data of `node` comes from. */
static int node_of(const struct pl_coll_args *each, int node, int i)
{
    if (!each[0].remote)
        return i;
    return node < each[0].size ? each[0].size + i : i;
}

/* The block that cell i of OUT lies in, or -1. */
static int block_at(const struct pl_coll_args *args, int n, size_t i)
{
    size_t at = i * args->element;
    for (int k = 0; k < n; k++)
        if (at >= args->out[k].offset && at - args->out[k].offset < args->out[k].length)
            return k;
    return -1;
}

/* Which of the blocks that source k's rank sends arrives as block k. */
static int edge_of(const struct pl_coll_args *each, const struct pl_coll_args *args, int k)
{
    const struct pl_coll_args *from = &each[args->source[k]];
    int before = 0, i = 0;
    for (int j = 0; j < k; j++)
        before += args->source[j] == args->source[k];
    while (from->destination[i] != args->rank || before--)
        i++;
    return i;
}

struct pl_symbol pl_symbol_uneven_result(enum pl_verify_sum sum, const struct pl_coll_args *each, int node,
                                         size_t i)
{
    const struct pl_coll_args *args = &each[node];
    int n = args->remote ? args->remote : args->size, from, k;
    size_t e = args->element;
    switch (args->collective) {
    case PL_BCAST:
        return pl_symbol_leaf(args->root == PL_ROOT ? node : node_of(each, node, args->root), i);
    case PL_SCATTER:
        from = node_of(each, node, args->root);
        return pl_symbol_leaf(from, each[from].in[args->rank].offset / e + i);
    case PL_GATHER:
    case PL_ALLGATHER:
        if ((k = block_at(args, n, i)) < 0)
            return (struct pl_symbol){0, 0};
        return pl_symbol_leaf(node_of(each, node, k), i - args->out[k].offset / e);
    case PL_ALLTOALL:
        if ((k = block_at(args, n, i)) < 0)
            return args->in_place ? pl_symbol_leaf(node, i) : (struct pl_symbol){0, 0};
        from = node_of(each, node, k);
        return pl_symbol_leaf(from, (each[from].in[args->rank].offset + i * e - args->out[k].offset) / e);
    case PL_NEIGHBOR:
        if ((k = block_at(args, args->sources, i)) < 0 || args->source[k] < 0)
            return (struct pl_symbol){0, 0};
        from = args->source[k];
        return pl_symbol_leaf(
            from, (each[from].in[edge_of(each, args, k)].offset + i * e - args->out[k].offset) / e);
    case PL_REDUCE_SCATTER:
        return pl_symbol_reduced(sum, node_of(each, node, 0), n,
                                 args->uneven ? args->in[args->rank].offset / e + i
                                              : (size_t)args->rank * args->count + i);
    default:
        return pl_symbol_reduced(sum, node_of(each, node, 0), n, i);
    }
}
