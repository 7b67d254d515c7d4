/* Symbols: what a verified buffer holds instead of numbers. */
#ifndef PL_SYMBOL_H
#define PL_SYMBOL_H

#include "verify.h"

struct pl_symbol {
    uint64_t a, b; /* both zero: never set */
};

static inline bool pl_symbol_set(struct pl_symbol s)
{
    return s.a || s.b;
}

static inline bool pl_symbol_equal(struct pl_symbol s, struct pl_symbol t)
{
    return s.a == t.a && s.b == t.b;
}

struct pl_symbol pl_symbol_combine(enum pl_verify_sum sum, struct pl_symbol left, struct pl_symbol right);

/* Cell i of the input of a node; the reduction of cell i over nodes from..from+n-1. */
struct pl_symbol pl_symbol_leaf(int node, size_t i);
struct pl_symbol pl_symbol_reduced(enum pl_verify_sum sum, int from, int n, size_t i);

/* How many cells a rank's IN and OUT have; buffers that MPI does not give have none. */
void pl_symbol_cells(const struct pl_coll_args *args, size_t *in, size_t *out);
/* Fills them with what they hold at the start, as node `node` (its rank, but on intercommunicators). */
void pl_symbol_inputs(const struct pl_coll_args *args, int node, struct pl_symbol *in, struct pl_symbol *out);
/* How many cells of OUT are defined at the end, and what the i-th must be. */
size_t pl_symbol_result_cells(const struct pl_coll_args *args);
struct pl_symbol pl_symbol_result(enum pl_verify_sum sum, const struct pl_coll_args *args, size_t i);

/* The same for calls that need all ranks' arguments, by node (symbol_uneven.c). */
void pl_symbol_uneven_cells(const struct pl_coll_args *args, size_t *in, size_t *out);
struct pl_symbol pl_symbol_uneven_result(enum pl_verify_sum sum, const struct pl_coll_args *each, int node,
                                         size_t i);

#endif
