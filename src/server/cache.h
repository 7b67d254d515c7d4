/* Lists of keys that both ends of a link remember. */
#ifndef PL_PS_CACHE_H
#define PL_PS_CACHE_H

#include "frame.h"

enum { PL_PS_CACHE_SLOTS = 64 };

struct pl_ps_list {
    uint64_t hash;
    size_t length;
    unsigned char *bytes; /* of the receiving end; NULL at the sending one */
};

/* One direction of a link. */
struct pl_ps_cache {
    struct pl_ps_list lists[PL_PS_CACHE_SLOTS];
    int next;
};

void pl_ps_cache_finish(struct pl_ps_cache *cache);

/* What to send instead of `frame`, a PUSH or PULL: the frame itself, marked to be kept (a new reference), or
 * a shorter one. NULL: no memory. */
struct pl_ps_frame *pl_ps_cache_shorten(struct pl_ps_cache *cache, struct pl_ps_pool *pool,
                                        struct pl_ps_frame *frame);
/* The opposite, at the receiver: a whole frame, with a reference of its own. NULL: it makes no sense. */
struct pl_ps_frame *pl_ps_cache_restore(struct pl_ps_cache *cache, struct pl_ps_pool *pool,
                                        struct pl_ps_frame *frame);

#endif
