/* The vectors of one table in one part: blocks of neighbouring keys, found by hash. */
#ifndef PL_PS_STORE_H
#define PL_PS_STORE_H

#include "table.h"

#include <stddef.h>

struct pl_ps_store {
    uint64_t *blocks; /* [count], in order of their creation: whose each is */
    uint32_t *slots;  /* [capacity], open addressing: 1 + number of the block, or 0 */
    float **chunks;   /* of memory; `chunk` blocks each */
    uint32_t capacity, count, chunk, room;
};

void pl_ps_store_finish(struct pl_ps_store *store);

/* The memory of a block: with B keys to a block, float[B][width] values, then float[B][width] of each state.
 * NULL: it is not there. */
float *pl_ps_store_find(const struct pl_ps_store *store, const struct pl_ps_table *table, uint64_t block);
/* The same; makes it, with `initial` values, where there is none. NULL: no memory. */
float *pl_ps_store_make(struct pl_ps_store *store, const struct pl_ps_table *table, uint64_t block,
                        bool initial);
/* The i-th block, 0 <= i < count. */
float *pl_ps_store_at(const struct pl_ps_store *store, const struct pl_ps_table *table, uint32_t i);

/* One key's vector, and its states. */
static inline size_t pl_ps_offset(const struct pl_ps_table *table, uint64_t key)
{
    return (size_t)(key & ((UINT64_C(1) << table->block_shift) - 1)) * (size_t)table->width;
}

static inline size_t pl_ps_block_floats(const struct pl_ps_table *table)
{
    return (size_t)table->width << table->block_shift;
}

/* The keys that a block really has: fewer at the end of the range. */
size_t pl_ps_block_keys(const struct pl_ps_table *table, uint64_t block);

/* All floats of one key, [1 + states][width], to and from a row. */
void pl_ps_row_get(const struct pl_ps_table *table, const float *block, uint64_t key, float *row);
void pl_ps_row_put(const struct pl_ps_table *table, float *block, uint64_t key, const float *row);

#endif
