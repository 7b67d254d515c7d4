/* The schedules of a communicator's last calls. */
#ifndef PL_CACHE_H
#define PL_CACHE_H

#include "algorithm.h"

/* All that a schedule depends on, besides the communicator. */
struct pl_key {
    uint32_t collective, in_place, ordered, uneven;
    uint32_t reaches; /* PL_DIRECT, PL_WINDOW or 0: what the algorithm needs */
    int root;
    size_t count, element;
    int ins, outs; /* how long the lists are; 0 and NULL where there is none */
    const struct pl_block *in, *out;
    const int *source, *destination; /* neighbours: [outs], [ins] */
};

struct pl_cache_entry {
    struct pl_key key;            /* its lists are the entry's own */
    struct pl_schedule *schedule; /* NULL: free */
    uint64_t used;                /* the clock when it was used last */
    void *lists;                  /* what the key points to, or NULL */
};

enum { PL_CACHE_SETS = 64 };

/* All zero to begin with. */
struct pl_cache {
    struct pl_cache_entry *last; /* used by the call before */
    uint64_t clock;
    struct pl_cache_entry entry[PL_CACHE_SETS][2];
};

/* The schedule, still the cache's; NULL: it is not there. */
struct pl_schedule *pl_cache_find(struct pl_cache *cache, const struct pl_key *key);
/* Takes the schedule over, for a key that is not there, instead of an older one. On error it is released. */
int pl_cache_put(struct pl_cache *cache, const struct pl_key *key, struct pl_schedule *schedule);
void pl_cache_finish(struct pl_cache *cache);

#endif
