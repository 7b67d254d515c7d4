/* Frames: memory, and finding one's way in what came from outside.
 *
 * Large frames come from a pool: a buffer of 128 KiB that malloc maps and unmaps each time costs 32 page
 * faults, more than the transfer. Small ones are cut to size. What arrives is checked here once, whole, so
 * that nobody after it need look at lengths again.
 */
#include "frame.h"

#include <stdlib.h>
#include <string.h>

enum { SMALL = 16 * 1024, POOL_MOST = 64 };

struct pl_ps_frame *pl_ps_frame_create(struct pl_ps_pool *pool, size_t length)
{
    bool whole = length > SMALL;
    struct pl_ps_frame *frame = whole ? pool->free : NULL;
    if (frame) {
        pool->free = frame->next;
        pool->count--;
    } else {
        frame = malloc(sizeof *frame + (whole ? (size_t)PL_PS_FRAME : length));
        if (!frame)
            return NULL;
    }
    frame->references = 1;
    frame->whole = whole;
    frame->length = length;
    frame->next = NULL;
    return frame;
}

void pl_ps_frame_release(struct pl_ps_pool *pool, struct pl_ps_frame *frame)
{
    if (!frame || --frame->references)
        return;
    if (frame->whole && pool->count < POOL_MOST) {
        frame->next = pool->free;
        pool->free = frame;
        pool->count++;
    } else {
        free(frame);
    }
}

void pl_ps_pool_finish(struct pl_ps_pool *pool)
{
    while (pool->free) {
        struct pl_ps_frame *frame = pool->free;
        pool->free = frame->next;
        free(frame);
    }
    pool->count = 0;
}

size_t pl_ps_encoded(int encoding, size_t floats)
{
    return encoding == PL_PS_FLOAT16 ? 2 * floats : encoding == PL_PS_INTEGER8 ? floats : 4 * floats;
}

static bool has_keys(const struct pl_ps_header *header)
{
    switch (header->kind) {
    case PL_PS_PUSH:
    case PL_PS_RESTORE:
    case PL_PS_PULL:
    case PL_PS_ROWS:
    case PL_PS_DUMPED:
        return !(header->flags & PL_PS_DENSE);
    default:
        return false;
    }
}

bool pl_ps_frame_read(struct pl_ps_frame *frame, size_t floats, int parts, struct pl_ps_sections *sections)
{
    struct pl_ps_header *header = pl_ps_header_of(frame);
    size_t entry = pl_ps_encoded(header->encoding, floats), at = sizeof *header, entries = 0;
    if (header->encoding > PL_PS_INTEGER8 || header->entries > PL_PS_FRAME)
        return false;
    sections->header = header;
    sections->runs = (struct pl_ps_run *)(frame->bytes + at);
    at += header->runs * sizeof(struct pl_ps_run);
    if (at > frame->length)
        return false;
    for (int i = 0; i < header->runs; i++) {
        if (sections->runs[i].part >= parts || sections->runs[i].count > PL_PS_FRAME)
            return false;
        entries += sections->runs[i].count;
    }
    sections->keys = has_keys(header) ? (uint64_t *)(frame->bytes + at) : NULL;
    at += sections->keys ? header->entries * sizeof(uint64_t) : 0;
    sections->values = frame->bytes + at;
    sections->entry = entry;
    return entries == header->entries && at + header->entries * entry == frame->length;
}

struct pl_ps_frame *pl_ps_frame_extract(struct pl_ps_pool *pool, const struct pl_ps_sections *from,
                                        const bool *wanted)
{
    size_t runs = 0, entries = 0;
    for (int i = 0; i < from->header->runs; i++) {
        runs += wanted[i];
        entries += wanted[i] ? from->runs[i].count : 0;
    }
    size_t key = from->keys ? sizeof(uint64_t) : 0;
    size_t length =
        sizeof(struct pl_ps_header) + runs * sizeof(struct pl_ps_run) + entries * (key + from->entry);
    struct pl_ps_frame *frame = pl_ps_frame_create(pool, length);
    if (!frame)
        return NULL;
    struct pl_ps_header *header = pl_ps_header_of(frame);
    *header = *from->header;
    header->runs = (uint16_t)runs;
    header->entries = (uint32_t)entries;
    struct pl_ps_run *run = (struct pl_ps_run *)(header + 1);
    unsigned char *keys = (unsigned char *)(run + runs), *values = keys + entries * key;
    for (int i = 0, at = 0; i < from->header->runs; at += (int)from->runs[i++].count) {
        if (!wanted[i])
            continue;
        size_t count = from->runs[i].count;
        *run++ = from->runs[i];
        if (key)
            memcpy(keys, from->keys + at, count * key);
        memcpy(values, from->values + (size_t)at * from->entry, count * from->entry);
        keys += count * key;
        values += count * from->entry;
    }
    return frame;
}
