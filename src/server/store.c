/* A hash table from blocks to their memory. Blocks never move and never go, so their memory comes in chunks
 * and a number names it; the hash table is only numbers, small enough to stay in the cache. A single key is a
 * block of one.
 *
 *     slots     [ . 3 . . 1 . 2 . ]        open addressing, at most half full
 *     blocks    [ 17, 4, 99 ]              whose is number 1, 2, 3
 *     chunks    [ * ] -> | block | block | block | ...
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_FLOATS = 8192 };

void pl_ps_store_finish(struct pl_ps_store *store)
{
    for (uint32_t i = 0; store->chunk && i * store->chunk < store->count; i++)
        free(store->chunks[i]);
    free(store->chunks);
    free(store->slots);
    free(store->blocks);
    memset(store, 0, sizeof *store);
}

static uint32_t slot_of(const struct pl_ps_store *store, uint64_t block)
{
    uint32_t at = (uint32_t)pl_ps_mix(block) & (store->capacity - 1);
    while (store->slots[at] && store->blocks[store->slots[at] - 1] != block)
        at = (at + 1) & (store->capacity - 1);
    return at;
}

float *pl_ps_store_at(const struct pl_ps_store *store, const struct pl_ps_table *table, uint32_t i)
{
    size_t floats = (size_t)table->row << table->block_shift;
    return store->chunks[i / store->chunk] + i % store->chunk * floats;
}

float *pl_ps_store_find(const struct pl_ps_store *store, const struct pl_ps_table *table, uint64_t block)
{
    if (!store->count)
        return NULL;
    uint32_t number = store->slots[slot_of(store, block)];
    return number ? pl_ps_store_at(store, table, number - 1) : NULL;
}

static bool grow_slots(struct pl_ps_store *store)
{
    uint32_t capacity = store->capacity ? store->capacity * 2 : 16;
    uint32_t *slots = calloc(capacity, sizeof *slots);
    uint64_t *blocks = realloc(store->blocks, capacity / 2 * sizeof *blocks);
    if (blocks)
        store->blocks = blocks;
    if (!slots || !blocks) {
        free(slots);
        return false;
    }
    free(store->slots);
    store->slots = slots;
    store->capacity = capacity;
    for (uint32_t i = 0; i < store->count; i++)
        store->slots[slot_of(store, store->blocks[i])] = i + 1;
    return true;
}

static bool grow_chunks(struct pl_ps_store *store, const struct pl_ps_table *table)
{
    size_t floats = (size_t)table->row << table->block_shift;
    if (!store->chunk) {
        store->chunk = 1;
        while (store->chunk * 2 * floats <= CHUNK_FLOATS)
            store->chunk *= 2;
    }
    uint32_t n = store->count / store->chunk;
    if (n == store->room) {
        float **chunks = realloc(store->chunks, (n ? 2 * n : 4) * sizeof *chunks);
        if (!chunks)
            return false;
        store->chunks = chunks;
        store->room = n ? 2 * n : 4;
    }
    store->chunks[n] = malloc(store->chunk * floats * sizeof(float));
    return store->chunks[n] != NULL;
}

size_t pl_ps_block_keys(const struct pl_ps_table *table, uint64_t block)
{
    uint64_t keys = UINT64_C(1) << table->block_shift, first = block << table->block_shift;
    if (table->is.range && first + keys > table->is.range)
        keys = first < table->is.range ? table->is.range - first : 0;
    return (size_t)keys;
}

static void initialise(const struct pl_ps_table *table, uint64_t block, float *memory, bool initial)
{
    size_t floats = (size_t)table->row << table->block_shift;
    memset(memory, 0, floats * sizeof(float));
    if (!initial || table->is.initial == PEAL_PS_ZERO)
        return;
    for (size_t i = 0; i < pl_ps_block_keys(table, block); i++)
        pl_ps_initial(table, (block << table->block_shift) + i, memory + i * (size_t)table->width);
}

float *pl_ps_store_make(struct pl_ps_store *store, const struct pl_ps_table *table, uint64_t block,
                        bool initial)
{
    float *memory = pl_ps_store_find(store, table, block);
    if (memory)
        return memory;
    if (store->count >= store->capacity / 2 && !grow_slots(store))
        return NULL;
    if ((!store->chunk || store->count % store->chunk == 0) && !grow_chunks(store, table))
        return NULL;
    store->blocks[store->count++] = block;
    store->slots[slot_of(store, block)] = store->count;
    memory = pl_ps_store_at(store, table, store->count - 1);
    initialise(table, block, memory, initial);
    return memory;
}

void pl_ps_row_get(const struct pl_ps_table *table, const float *block, uint64_t key, float *row)
{
    size_t width = (size_t)table->width, stride = pl_ps_block_floats(table);
    for (int i = 0; i <= table->states; i++)
        memcpy(row + (size_t)i * width, block + (size_t)i * stride + pl_ps_offset(table, key),
               width * sizeof *row);
}

void pl_ps_row_put(const struct pl_ps_table *table, float *block, uint64_t key, const float *row)
{
    size_t width = (size_t)table->width, stride = pl_ps_block_floats(table);
    for (int i = 0; i <= table->states; i++)
        memcpy(block + (size_t)i * stride + pl_ps_offset(table, key), row + (size_t)i * width,
               width * sizeof *row);
}
