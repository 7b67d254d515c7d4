/* The words that ranks leave for each other: a table from key to value. */
#ifndef PL_KVS_H
#define PL_KVS_H

#include <stddef.h>

struct pl_kvs_entry;

struct pl_kvs {
    struct pl_kvs_entry **buckets;
    size_t nbuckets, count, bytes, bytes_max;
};

/* Holds at most bytes_max bytes of keys and values. 0 or PL_ENOMEM. */
int pl_kvs_init(struct pl_kvs *kvs, size_t bytes_max);
void pl_kvs_finish(struct pl_kvs *kvs);

/* Copies both; a second value for a key takes the place of the first. PL_ENOMEM,
 * also when bytes_max would be passed. */
int pl_kvs_put(struct pl_kvs *kvs, const char *key, const char *value);

/* NULL if there is none; valid until the key is put again. */
const char *pl_kvs_get(const struct pl_kvs *kvs, const char *key);

#endif
