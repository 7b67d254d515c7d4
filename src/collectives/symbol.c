/* Symbols, and the definition of each collective in terms of them: the specification the
 * algorithms are held against. Cell i of rank r's input is a leaf, a hash of (r, i).
 *
 * Combining is what an operator may be at its worst, and no worse:
 *   set    addition of hashes: blind to order and bracketing, sees what is missing or twice;
 *   order  composition of linear functions x -> b x + a modulo 2^64: associative, does not commute;
 *   tree   a hash of both sides: neither.
 */
#include "symbol.h"

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ull;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

struct pl_symbol pl_symbol_leaf(int rank, size_t i)
{
    uint64_t a = mix(((uint64_t)rank << 40) + i + 1);
    return (struct pl_symbol){a, mix(a) | 1};
}

struct pl_symbol pl_symbol_combine(enum pl_verify_sum sum, struct pl_symbol left, struct pl_symbol right)
{
    switch (sum) {
    case PL_SUM_SET:
        return (struct pl_symbol){left.a + right.a, left.b + right.b};
    case PL_SUM_ORDER:
        return (struct pl_symbol){left.a * right.b + right.a, left.b * right.b};
    default:
        return (struct pl_symbol){mix(left.a * 3 + mix(right.a) * 5 + left.b),
                                  mix(left.b * 7 + mix(right.b)) | 1};
    }
}

/* Where a rank's own operand begins when IN is part of OUT, in cells. */
static size_t own_offset(const struct pl_coll_args *args)
{
    bool block = args->collective == PL_GATHER || args->collective == PL_ALLGATHER;
    return block ? pl_out_block(args, args->rank).offset / args->element : 0;
}

void pl_symbol_cells(const struct pl_coll_args *args, size_t *in, size_t *out)
{
    size_t m = args->count, all = m * (size_t)args->size;
    bool root = args->rank == args->root;
    if (args->uneven || args->remote) {
        pl_symbol_uneven_cells(args, in, out);
        return;
    }
    switch (args->collective) {
    case PL_BARRIER:
        *in = *out = 0;
        break;
    case PL_BCAST:
        *in = 0, *out = m;
        break;
    case PL_SCATTER:
        *in = root ? all : 0, *out = root && args->in_place ? 0 : m;
        break;
    case PL_GATHER:
        *in = m, *out = root ? all : 0;
        break;
    case PL_ALLGATHER:
        *in = m, *out = all;
        break;
    case PL_REDUCE:
        *in = m, *out = root ? m : 0;
        break;
    case PL_ALLREDUCE:
    case PL_SCAN:
    case PL_EXSCAN:
        *in = m, *out = m;
        break;
    case PL_REDUCE_SCATTER:
        *in = all, *out = args->in_place ? all : m;
        break;
    default:
        *in = *out = all;
    }
}

void pl_symbol_inputs(const struct pl_coll_args *args, int node, struct pl_symbol *in, struct pl_symbol *out)
{
    size_t cells, unused;
    pl_symbol_cells(args, &cells, &unused);
    bool root = args->remote ? args->root == PL_ROOT : args->rank == args->root;
    struct pl_symbol *to = in;
    if (args->collective == PL_BCAST) {
        cells = root ? args->count : 0;
        to = out;
    } else if (args->in_place && args->collective != PL_SCATTER) {
        to = out + own_offset(args);
    }
    for (size_t i = 0; i < cells; i++)
        to[i] = pl_symbol_leaf(node, i);
}

size_t pl_symbol_result_cells(const struct pl_coll_args *args)
{
    size_t in, out;
    pl_symbol_cells(args, &in, &out);
    if (args->collective == PL_REDUCE_SCATTER)
        return args->uneven ? args->in[args->rank].length / args->element : args->count;
    return out;
}

struct pl_symbol pl_symbol_reduced(enum pl_verify_sum sum, int from, int n, size_t i)
{
    if (n == 1)
        return pl_symbol_leaf(from, i);
    int half = pl_tree_split(n);
    return pl_symbol_combine(sum, pl_symbol_reduced(sum, from, half, i),
                             pl_symbol_reduced(sum, from + half, n - half, i));
}

struct pl_symbol pl_symbol_result(enum pl_verify_sum sum, const struct pl_coll_args *args, size_t i)
{
    size_t m = args->count, r = (size_t)args->rank;
    switch (args->collective) {
    case PL_BCAST:
        return pl_symbol_leaf(args->root, i);
    case PL_SCATTER:
        return pl_symbol_leaf(args->root, r * m + i);
    case PL_GATHER:
    case PL_ALLGATHER:
        return pl_symbol_leaf((int)(i / m), i % m);
    case PL_ALLTOALL:
        return pl_symbol_leaf((int)(i / m), r * m + i % m);
    case PL_REDUCE_SCATTER:
        return pl_symbol_reduced(sum, 0, args->size, r * m + i);
    case PL_SCAN:
        return pl_symbol_reduced(sum, 0, args->rank + 1, i);
    case PL_EXSCAN:
        if (r)
            return pl_symbol_reduced(sum, 0, args->rank, i);
        return args->in_place ? pl_symbol_leaf(0, i) : (struct pl_symbol){0, 0};
    default:
        return pl_symbol_reduced(sum, 0, args->size, i);
    }
}
