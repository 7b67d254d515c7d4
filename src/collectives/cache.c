/* The cache of schedules. A call like one before costs a look at a key, and no malloc.
 *
 *   key -> set of 2 -> hit: its schedule     miss: the older of the two is replaced
 *
 * The entry used last is looked at first: programs repeat themselves. An uneven call's lists are
 * part of its key, compared in full, copied when kept; a hash alone would once in a while answer with the
 * schedule of another call.
 */
#include "cache.h"

#include "errors.h"

#include <stdlib.h>
#include <string.h>

static void entry_clear(struct pl_cache_entry *entry)
{
    pl_schedule_release(entry->schedule);
    free(entry->lists);
    *entry = (struct pl_cache_entry){0};
}

static bool same_list(const void *a, const void *b, size_t bytes)
{
    return (!a && !b) || (a && b && memcmp(a, b, bytes) == 0);
}

static bool same_lists(const struct pl_key *a, const struct pl_key *b)
{
    size_t ins = (size_t)a->ins, outs = (size_t)a->outs;
    return a->ins == b->ins && a->outs == b->outs && same_list(a->in, b->in, ins * sizeof *a->in) &&
           same_list(a->out, b->out, outs * sizeof *a->out) &&
           same_list(a->source, b->source, outs * sizeof *a->source) &&
           same_list(a->destination, b->destination, ins * sizeof *a->destination);
}

/* Copies the key's lists into one block of memory and lets it point there. */
static int keep_lists(struct pl_key *key, void **lists)
{
    size_t in = (size_t)key->ins * sizeof *key->in, out = (size_t)key->outs * sizeof *key->out;
    size_t source = key->source ? (size_t)key->outs * sizeof *key->source : 0,
           destination = key->destination ? (size_t)key->ins * sizeof *key->destination : 0;
    *lists = NULL;
    if (!key->uneven)
        return 0;
    char *memory = malloc(in + out + source + destination + 1);
    if (!memory)
        return pl_fail(PL_ENOMEM, "no memory to keep the lists of a collective call");
    *lists = memory;
    if (in)
        key->in = memcpy(memory, key->in, in);
    if (out)
        key->out = memcpy(memory + in, key->out, out);
    if (source)
        key->source = memcpy(memory + in + out, key->source, source);
    if (destination)
        key->destination = memcpy(memory + in + out + source, key->destination, destination);
    return 0;
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t length)
{
    for (size_t i = 0; bytes && i < length; i += sizeof(int)) {
        uint32_t word;
        memcpy(&word, (const char *)bytes + i, sizeof word);
        hash = (hash ^ word) * 0x100000001b3ull;
    }
    return hash;
}

static uint64_t hash_key(const struct pl_key *key)
{
    uint64_t hash = (key->count * 31 + key->element) * 0x9e3779b97f4a7c15ull;
    hash += (uint64_t)key->collective * 0xbf58476d1ce4e5b9ull +
            (uint64_t)(uint32_t)key->root * 0x94d049bb133111ebull + ((uint64_t)key->in_place << 60) +
            ((uint64_t)key->ordered << 61);
    if (!key->uneven)
        return hash;
    hash = hash_bytes(hash, key->in, (size_t)key->ins * sizeof *key->in);
    hash = hash_bytes(hash, key->out, (size_t)key->outs * sizeof *key->out);
    hash ^= hash >> 29;
    return hash * 0x9e3779b97f4a7c15ull;
}

static bool same_key(const struct pl_key *a, const struct pl_key *b)
{
    return a->count == b->count && a->collective == b->collective && a->element == b->element &&
           a->root == b->root && a->in_place == b->in_place && a->ordered == b->ordered &&
           a->reaches == b->reaches && a->uneven == b->uneven && (!a->uneven || same_lists(a, b));
}

static struct pl_cache_entry *set_of(struct pl_cache *cache, const struct pl_key *key)
{
    return cache->entry[hash_key(key) >> 58];
}

struct pl_schedule *pl_cache_find(struct pl_cache *cache, const struct pl_key *key)
{
    struct pl_cache_entry *found = cache->last;
    if (found && found->schedule && same_key(&found->key, key))
        return found->schedule;
    struct pl_cache_entry *set = set_of(cache, key);
    for (int way = 0; way < 2; way++) {
        found = &set[way];
        if (found->schedule && same_key(&found->key, key)) {
            found->used = ++cache->clock;
            cache->last = found;
            return found->schedule;
        }
    }
    return NULL;
}

int pl_cache_put(struct pl_cache *cache, const struct pl_key *key, struct pl_schedule *schedule)
{
    struct pl_cache_entry made = {.key = *key, .schedule = schedule, .used = ++cache->clock};
    int error = keep_lists(&made.key, &made.lists);
    if (error) {
        pl_schedule_release(schedule);
        return error;
    }
    struct pl_cache_entry *set = set_of(cache, key), *entry = &set[set[1].used < set[0].used];
    entry_clear(entry);
    *entry = made;
    cache->last = entry;
    return 0;
}

void pl_cache_finish(struct pl_cache *cache)
{
    for (int i = 0; i < PL_CACHE_SETS; i++)
        for (int way = 0; way < 2; way++)
            entry_clear(&cache->entry[i][way]);
}
