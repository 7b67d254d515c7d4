/* Key caching: a list of keys is sent once, and from then on named.
 *
 * Iterations over the same data push and pull the same keys, and keys are two thirds of a sparse message.
 * Both ends of a link have 64 slots. The sender says into which slot a list goes, or that it is the one in
 * that slot, which it knows by its hash; the link keeps the order, so the receiver has it there and nothing
 * can be missing:
 *
 *     header KEEP 5    runs  keys  values   -->   slot 5 := runs, keys
 *     header CACHED 5              values   -->   header  (slot 5)  values
 *
 * Views, deaths and repetitions do not matter: it belongs to the link, and a link ends only with its peer.
 * Rejected: asking for lists that the receiver has forgotten, which would change the order of messages. M. Li
 * et al., 2014, section 4.2.
 */
#include "cache.h"

#include "ring.h"

#include <stdlib.h>
#include <string.h>

enum { WORTH = 128 };

void pl_ps_cache_finish(struct pl_ps_cache *cache)
{
    for (int i = 0; i < PL_PS_CACHE_SLOTS; i++)
        free(cache->lists[i].bytes);
    memset(cache, 0, sizeof *cache);
}

/* Bytes of runs and keys. */
static size_t list_length(const struct pl_ps_header *header)
{
    size_t keys = header->flags & PL_PS_DENSE ? 0 : header->entries * sizeof(uint64_t);
    return header->runs * sizeof(struct pl_ps_run) + keys;
}

static uint64_t hash_of(const unsigned char *bytes, size_t length)
{
    uint64_t hash = length, word;
    for (size_t i = 0; i + 8 <= length; i += 8) {
        memcpy(&word, bytes + i, 8);
        hash = pl_ps_mix(hash ^ word);
    }
    return hash;
}

struct pl_ps_frame *pl_ps_cache_shorten(struct pl_ps_cache *cache, struct pl_ps_pool *pool,
                                        struct pl_ps_frame *frame)
{
    struct pl_ps_header *header = pl_ps_header_of(frame);
    size_t length = list_length(header), head = sizeof *header;
    header->flags &= (uint8_t) ~(PL_PS_KEEP | PL_PS_CACHED);
    frame->references++;
    if (length < WORTH)
        return frame;
    uint64_t hash = hash_of(frame->bytes + head, length);
    int slot = 0;
    while (slot < PL_PS_CACHE_SLOTS &&
           (cache->lists[slot].hash != hash || cache->lists[slot].length != length))
        slot++;
    if (slot == PL_PS_CACHE_SLOTS) {
        slot = cache->next;
        cache->next = (slot + 1) % PL_PS_CACHE_SLOTS;
        cache->lists[slot] = (struct pl_ps_list){hash, length, NULL};
        header->flags |= PL_PS_KEEP;
        header->slot = (uint32_t)slot;
        return frame;
    }
    struct pl_ps_frame *shorter = pl_ps_frame_create(pool, frame->length - length);
    frame->references--;
    if (!shorter)
        return NULL;
    memcpy(shorter->bytes, frame->bytes, head);
    memcpy(shorter->bytes + head, frame->bytes + head + length, frame->length - head - length);
    pl_ps_header_of(shorter)->flags |= PL_PS_CACHED;
    pl_ps_header_of(shorter)->slot = (uint32_t)slot;
    return shorter;
}

struct pl_ps_frame *pl_ps_cache_restore(struct pl_ps_cache *cache, struct pl_ps_pool *pool,
                                        struct pl_ps_frame *frame)
{
    struct pl_ps_header *header = pl_ps_header_of(frame);
    size_t length = list_length(header), head = sizeof *header;
    struct pl_ps_list *list = header->slot < PL_PS_CACHE_SLOTS ? &cache->lists[header->slot] : NULL;
    if (!list || length > PL_PS_FRAME)
        return NULL;
    if (header->flags & PL_PS_KEEP) {
        unsigned char *bytes =
            length + head <= frame->length ? realloc(list->bytes, length ? length : 1) : NULL;
        if (!bytes)
            return NULL;
        *list = (struct pl_ps_list){0, length, memcpy(bytes, frame->bytes + head, length)};
        header->flags &= (uint8_t)~PL_PS_KEEP;
        frame->references++;
        return frame;
    }
    if (list->length != length || !list->bytes || frame->length + length > PL_PS_FRAME)
        return NULL;
    struct pl_ps_frame *whole = pl_ps_frame_create(pool, frame->length + length);
    if (!whole)
        return NULL;
    memcpy(whole->bytes, frame->bytes, head);
    memcpy(whole->bytes + head, list->bytes, length);
    memcpy(whole->bytes + head + length, frame->bytes + head, frame->length - head);
    pl_ps_header_of(whole)->flags &= (uint8_t)~PL_PS_CACHED;
    return whole;
}
