/* Frames in memory: counted, because the same bytes may be on their way to a successor while they are kept
 * until it acknowledges them. */
#ifndef PL_PS_FRAME_H
#define PL_PS_FRAME_H

#include "wire.h"

#include <stdbool.h>

struct pl_ps_frame {
    int references;
    bool whole; /* has room for PL_PS_FRAME bytes */
    size_t length;
    struct pl_ps_frame *next; /* in the pool */
    _Alignas(16) unsigned char bytes[];
};

/* Whole frames that wait to be used again. */
struct pl_ps_pool {
    struct pl_ps_frame *free;
    int count;
};

/* Room for `length` bytes, with one reference. NULL: no memory. */
struct pl_ps_frame *pl_ps_frame_create(struct pl_ps_pool *pool, size_t length);
void pl_ps_frame_release(struct pl_ps_pool *pool, struct pl_ps_frame *frame); /* accepts NULL */
void pl_ps_pool_finish(struct pl_ps_pool *pool);

/* Where the sections of a frame are. */
struct pl_ps_sections {
    struct pl_ps_header *header;
    struct pl_ps_run *runs;
    uint64_t *keys; /* NULL: none */
    unsigned char *values;
    size_t entry; /* bytes of the values of one entry */
};

static inline struct pl_ps_header *pl_ps_header_of(struct pl_ps_frame *frame)
{
    return (struct pl_ps_header *)frame->bytes;
}

/* Finds the sections of a frame with runs whose entries have `floats` floats, and checks that it is as long
 * as they are together and that every run is one of `parts`. false: it makes no sense. */
bool pl_ps_frame_read(struct pl_ps_frame *frame, size_t floats, int parts, struct pl_ps_sections *sections);

/* Bytes of `floats` floats on the wire. */
size_t pl_ps_encoded(int encoding, size_t floats);

/* A frame with only those runs of `sections` that `wanted` marks, as long as it must be. NULL: no memory. */
struct pl_ps_frame *pl_ps_frame_extract(struct pl_ps_pool *pool, const struct pl_ps_sections *sections,
                                        const bool *wanted);

#endif
