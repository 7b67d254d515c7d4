/* What is done to one part of the tables, on one server.
 *
 * Exactly once: a run whose sequence numbers the part has seen is skipped, all of it or its beginning. That
 * works because each worker's entries come to a part in their order, whatever happens to servers (chain.c,
 * worker.c).
 *
 * Synchronous mode adds the updates of a clock up beside the values, in the order in which the head had them,
 * and applies the sums when the clock ends. Elements that nobody updated are told from updates of zero
 * (momentum and assignment would not forgive it), so a sum has a second vector of marks.
 */
#include "server.h"

#include "filter.h"

#include <stdlib.h>
#include <string.h>

bool pl_ps_shard_open(struct peal_ps *ps, struct pl_ps_shard *shard)
{
    if (!shard->stores)
        shard->stores = calloc((size_t)ps->table_count, sizeof *shard->stores);
    if (!shard->next)
        shard->next = calloc((size_t)ps->workers, sizeof *shard->next);
    if (!shard->clocks)
        shard->clocks = calloc((size_t)ps->workers, sizeof *shard->clocks);
    shard->held = true;
    return shard->stores && shard->next && shard->clocks;
}

static void free_stores(struct peal_ps *ps, struct pl_ps_store *stores)
{
    for (int t = 0; stores && t < ps->table_count; t++)
        pl_ps_store_finish(&stores[t]);
    free(stores);
}

static void free_sum(struct peal_ps *ps, struct pl_ps_shard *shard)
{
    struct pl_ps_sum *sum = shard->sums;
    shard->sums = sum->next;
    free_stores(ps, sum->stores);
    free(sum);
}

void pl_ps_shard_close(struct peal_ps *ps, struct pl_ps_shard *shard)
{
    while (shard->sums)
        free_sum(ps, shard);
    free_stores(ps, shard->stores);
    free(shard->next);
    free(shard->clocks);
    *shard = (struct pl_ps_shard){0};
}

void pl_ps_shard_slowest(const struct peal_ps *ps, struct pl_ps_shard *shard)
{
    const uint8_t *live = pl_ps_view_workers(ps->view);
    uint32_t least = UINT32_MAX;
    for (int w = 0; w < ps->workers; w++)
        if (live[w] && shard->clocks[w] < least)
            least = shard->clocks[w];
    shard->slowest = least;
}

struct pl_ps_store *pl_ps_shard_sum(struct peal_ps *ps, struct pl_ps_shard *shard, uint32_t clock, int table)
{
    struct pl_ps_sum **at = &shard->sums;
    while (*at && (*at)->clock < clock)
        at = &(*at)->next;
    if (!*at || (*at)->clock != clock) {
        struct pl_ps_sum *sum = calloc(1, sizeof *sum);
        struct pl_ps_store *stores = calloc((size_t)ps->table_count, sizeof *stores);
        if (!sum || !stores) {
            free(sum);
            free(stores);
            return NULL;
        }
        *sum = (struct pl_ps_sum){*at, clock, stores};
        *at = sum;
    }
    return &(*at)->stores[table];
}

/* The addresses of `block`'s states from `offset` on. */
static void states_of(const struct pl_ps_table *table, float *block, size_t offset, float **states)
{
    for (int i = 0; i < table->states; i++)
        states[i] = block + (size_t)(i + 1) * pl_ps_block_floats(table) + offset;
}

static bool update_now(const struct pl_ps_table *table, struct pl_ps_store *store, uint64_t key, size_t keys,
                       const float *updates)
{
    float *block = pl_ps_store_make(store, table, pl_ps_block(table, key), true), *states[PL_PS_STATES_MAX];
    if (!block)
        return false;
    size_t offset = pl_ps_offset(table, key);
    states_of(table, block, offset, states);
    table->update(table, key, keys * (size_t)table->width, block + offset, states, updates);
    return true;
}

/* Adds to the sum of a clock; an assignment replaces what was assigned before. */
static bool update_later(const struct pl_ps_table *shape, struct pl_ps_store *store, uint64_t key,
                         size_t keys, const float *updates, bool replace)
{
    float *block = pl_ps_store_make(store, shape, pl_ps_block(shape, key), false);
    if (!block)
        return false;
    float *sum = block + pl_ps_offset(shape, key), *mark = sum + pl_ps_block_floats(shape);
    size_t n = keys * (size_t)shape->width;
    for (size_t i = 0; i < n; i++) {
        sum[i] = replace ? updates[i] : sum[i] + updates[i];
        mark[i] = 1;
    }
    return true;
}

/* Neighbouring keys of one block. */
static bool update(struct peal_ps *ps, struct pl_ps_shard *shard, const struct pl_ps_header *header,
                   uint64_t key, size_t keys, const float *updates)
{
    int t = header->table;
    ps->stats.applied += keys;
    if (ps->options.mode != PEAL_PS_SYNC)
        return update_now(&ps->tables[t], &shard->stores[t], key, keys, updates);
    uint32_t clock = header->clock > shard->applied ? header->clock : shard->applied;
    struct pl_ps_store *store = pl_ps_shard_sum(ps, shard, clock, t);
    return store && update_later(&ps->server->sums[t], store, key, keys, updates,
                                 ps->tables[t].is.updater == PEAL_PS_ASSIGN);
}

static bool restore(struct peal_ps *ps, struct pl_ps_shard *shard, int t, uint64_t key, size_t keys,
                    const float *rows)
{
    const struct pl_ps_table *table = &ps->tables[t];
    float *block = pl_ps_store_make(&shard->stores[t], table, pl_ps_block(table, key), true);
    for (size_t i = 0; block && i < keys; i++)
        pl_ps_row_put(table, block, key + i, rows + i * (size_t)table->row);
    return block != NULL;
}

/* How many of the neighbours from `key` on are in its block. */
static size_t in_block(const struct pl_ps_table *table, uint64_t key, size_t keys)
{
    uint64_t size = UINT64_C(1) << table->block_shift, left = size - (key & (size - 1));
    return keys < left ? keys : (size_t)left;
}

/* Entries [skip, count) of a run. */
static bool apply_entries(struct peal_ps *ps, const struct pl_ps_sections *frame, const struct pl_ps_run *run,
                          size_t at, size_t skip)
{
    const struct pl_ps_header *header = frame->header;
    const struct pl_ps_table *table = &ps->tables[header->table];
    struct pl_ps_shard *shard = &ps->server->shards[run->part];
    size_t floats = header->kind == PL_PS_RESTORE ? (size_t)table->row : (size_t)table->width;
    for (size_t i = skip, n; i < run->count; i += n) {
        uint64_t key = frame->keys ? frame->keys[at + i] : run->key + i;
        n = frame->keys ? 1 : in_block(table, key, run->count - i);
        const float *values = pl_ps_decode(header->encoding, frame->values + (at + i) * frame->entry,
                                           n * floats, header->scale, ps->server->scratch);
        bool done = header->kind == PL_PS_RESTORE ? restore(ps, shard, header->table, key, n, values)
                                                  : update(ps, shard, header, key, n, values);
        if (!done)
            return false;
    }
    return true;
}

bool pl_ps_shard_apply(struct peal_ps *ps, const struct pl_ps_sections *frame, int r, size_t at)
{
    const struct pl_ps_header *header = frame->header;
    const struct pl_ps_run *run = &frame->runs[r];
    struct pl_ps_shard *shard = &ps->server->shards[run->part];
    uint64_t first = header->base + run->position, next = shard->next[header->origin];
    size_t skip = next <= first ? 0 : next - first < run->count ? (size_t)(next - first) : run->count;
    ps->stats.doubles += skip;
    if (skip == run->count)
        return true;
    shard->next[header->origin] = first + run->count;
    if (header->kind == PL_PS_CLEAR) {
        for (int t = 0; t < ps->table_count; t++)
            pl_ps_store_finish(&shard->stores[t]);
        return true;
    }
    if (header->kind != PL_PS_CLOCK)
        return apply_entries(ps, frame, run, at, skip);
    if (header->clock > shard->clocks[header->origin])
        shard->clocks[header->origin] = header->clock;
    pl_ps_shard_slowest(ps, shard);
    return true;
}

/* Applies the marked stretches of a block's sum. */
static bool apply_sum(struct peal_ps *ps, struct pl_ps_shard *shard, int t, uint64_t block, const float *sum)
{
    const struct pl_ps_table *table = &ps->tables[t];
    const float *mark = sum + pl_ps_block_floats(&ps->server->sums[t]);
    size_t width = (size_t)table->width, keys = pl_ps_block_keys(table, block);
    for (size_t i = 0, n; i < keys; i += n) {
        for (n = 1; i + n < keys && (mark[(i + n) * width] != 0) == (mark[i * width] != 0);)
            n++;
        if (mark[i * width] != 0 &&
            !update_now(table, &shard->stores[t], (block << table->block_shift) + i, n, sum + i * width))
            return false;
    }
    return true;
}

bool pl_ps_shard_end_clock(struct peal_ps *ps, struct pl_ps_shard *shard, uint32_t clock)
{
    bool enough = true;
    if (clock != shard->applied)
        return true; /* it came again */
    shard->applied++;
    while (shard->sums && shard->sums->clock <= clock) {
        for (int t = 0; t < ps->table_count; t++) {
            struct pl_ps_store *store = &shard->sums->stores[t];
            for (uint32_t i = 0; i < store->count; i++)
                enough = apply_sum(ps, shard, t, store->blocks[i],
                                   pl_ps_store_at(store, &ps->server->sums[t], i)) &&
                         enough;
        }
        free_sum(ps, shard);
    }
    return enough;
}

bool pl_ps_shard_put(struct peal_ps *ps, const struct pl_ps_sections *frame)
{
    const struct pl_ps_header *header = frame->header;
    bool pending = header->flags & PL_PS_PENDING;
    const struct pl_ps_table *table = pending ? &ps->server->sums[header->table] : &ps->tables[header->table];
    size_t at = 0;
    for (int r = 0; r < header->runs; r++) {
        const struct pl_ps_run *run = &frame->runs[r];
        struct pl_ps_shard *shard = &ps->server->shards[run->part];
        struct pl_ps_store *store = pending ? pl_ps_shard_sum(ps, shard, header->clock, header->table)
                                            : &shard->stores[header->table];
        for (size_t i = 0; i < run->count; i++, at++) {
            uint64_t key = frame->keys ? frame->keys[at] : run->key + i;
            float *block = store ? pl_ps_store_make(store, table, pl_ps_block(table, key), false) : NULL;
            if (!block)
                return false;
            pl_ps_row_put(table, block, key, (const float *)(frame->values + at * frame->entry));
        }
    }
    return true;
}
