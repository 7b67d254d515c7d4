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

/* How many cells a rank's IN and OUT have; buffers that MPI does not give have none. */
void pl_symbol_cells(const struct pl_coll_args *args, size_t *in, size_t *out);
/* Fills them with what they hold at the start. */
void pl_symbol_inputs(const struct pl_coll_args *args, struct pl_symbol *in, struct pl_symbol *out);
/* How many cells of OUT are defined at the end, and what the i-th must be. */
size_t pl_symbol_result_cells(const struct pl_coll_args *args);
struct pl_symbol pl_symbol_result(enum pl_verify_sum sum, const struct pl_coll_args *args, size_t i);

#endif
