/* A hash table with chains, doubled when it holds as many keys as buckets, so
 * that a get costs the same with 8 ranks and with 10,000. Each entry is one
 * allocation: link, key, value. What all ranks together may leave is bounded.
 */
#include "kvs.h"

#include "errors.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct pl_kvs_entry {
    struct pl_kvs_entry *next;
    uint64_t hash;
    size_t key_size;
    char text[]; /* key, NUL, value, NUL */
};

/* FNV-1a. */
static uint64_t hash_of(const char *key)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 0x100000001b3u;
    return hash;
}

int pl_kvs_init(struct pl_kvs *kvs, size_t bytes_max)
{
    *kvs = (struct pl_kvs){.nbuckets = 64, .bytes_max = bytes_max};
    kvs->buckets = calloc(kvs->nbuckets, sizeof(struct pl_kvs_entry *));
    return kvs->buckets ? 0 : pl_fail(PL_ENOMEM, "no memory for the key-value space");
}

void pl_kvs_finish(struct pl_kvs *kvs)
{
    for (size_t i = 0; kvs->buckets && i < kvs->nbuckets; i++)
        for (struct pl_kvs_entry *entry = kvs->buckets[i], *next; entry; entry = next) {
            next = entry->next;
            free(entry);
        }
    free(kvs->buckets);
}

/* The link that leads to the entry, or the one at the end of its chain. */
static struct pl_kvs_entry **find(const struct pl_kvs *kvs, const char *key, uint64_t hash)
{
    struct pl_kvs_entry **link = &kvs->buckets[hash & (kvs->nbuckets - 1)];
    while (*link && ((*link)->hash != hash || strcmp((*link)->text, key)))
        link = &(*link)->next;
    return link;
}

static void grow(struct pl_kvs *kvs)
{
    struct pl_kvs bigger = {.nbuckets = kvs->nbuckets * 2};
    bigger.buckets = calloc(bigger.nbuckets, sizeof(struct pl_kvs_entry *));
    if (!bigger.buckets)
        return; /* longer chains will do */
    for (size_t i = 0; i < kvs->nbuckets; i++)
        for (struct pl_kvs_entry *entry = kvs->buckets[i], *next; entry; entry = next) {
            struct pl_kvs_entry **link = &bigger.buckets[entry->hash & (bigger.nbuckets - 1)];
            next = entry->next;
            entry->next = *link;
            *link = entry;
        }
    free(kvs->buckets);
    kvs->buckets = bigger.buckets;
    kvs->nbuckets = bigger.nbuckets;
}

int pl_kvs_put(struct pl_kvs *kvs, const char *key, const char *value)
{
    size_t key_size = strlen(key) + 1, value_size = strlen(value) + 1;
    size_t bytes = sizeof(struct pl_kvs_entry) + key_size + value_size;
    if (bytes > kvs->bytes_max - kvs->bytes)
        return pl_fail(PL_ENOMEM, "the ranks have put %zu bytes, more than the key-value space holds",
                       kvs->bytes);
    struct pl_kvs_entry *entry = malloc(bytes);
    if (!entry)
        return pl_fail(PL_ENOMEM, "no memory for the value of '%.60s'", key);
    *entry = (struct pl_kvs_entry){.hash = hash_of(key), .key_size = key_size};
    memcpy(entry->text, key, key_size);
    memcpy(entry->text + key_size, value, value_size);
    struct pl_kvs_entry **link = find(kvs, key, entry->hash), *old = *link;
    if (old) {
        entry->next = old->next;
        kvs->bytes -= sizeof *old + old->key_size + strlen(old->text + old->key_size) + 1;
        kvs->count--;
        free(old);
    }
    *link = entry;
    kvs->bytes += bytes;
    if (++kvs->count > kvs->nbuckets)
        grow(kvs);
    return 0;
}

const char *pl_kvs_get(const struct pl_kvs *kvs, const char *key)
{
    const struct pl_kvs_entry *entry = *find(kvs, key, hash_of(key));
    return entry ? entry->text + entry->key_size : NULL;
}
