/* A table as the members know it, and what is computed from a key. */
#ifndef PL_PS_TABLE_H
#define PL_PS_TABLE_H

#include "peal_ps.h"
#include "ring.h"

#include <stdbool.h>

enum { PL_PS_TABLES_MAX = 64, PL_PS_WIDTH_MAX = 4096, PL_PS_STATES_MAX = 6, PL_PS_BLOCK_FLOATS = 4096 };

struct pl_ps_table {
    struct peal_ps_table is; /* with the defaults filled in; no name */
    int width, states;
    int row;         /* floats of a vector with its states */
    int block_shift; /* neighbours that stay together: 1 << block_shift keys, PL_PS_BLOCK_FLOATS floats at
                        most */
    uint64_t salt;
    void (*update)(const struct pl_ps_table *table, uint64_t key, size_t n, float *values,
                   float *const *states, const float *updates);
};

/* Fills in *table, the options' table `number`. NULL, or what is wrong with its description. */
const char *pl_ps_table_init(struct pl_ps_table *table, const struct peal_ps_options *options, int number);

static inline uint64_t pl_ps_block(const struct pl_ps_table *table, uint64_t key)
{
    return key >> table->block_shift;
}

static inline int pl_ps_part(const struct pl_ps_table *table, int part_shift, uint64_t key)
{
    return (int)(pl_ps_mix(pl_ps_block(table, key) ^ table->salt) >> part_shift);
}

/* The vector of a key that nobody has pushed to: `width` floats. */
void pl_ps_initial(const struct pl_ps_table *table, uint64_t key, float *values);

/* The updater of a table (updater.c). */
void pl_ps_updater_choose(struct pl_ps_table *table);

#endif
