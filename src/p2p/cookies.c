/* A table of slots with a free list. A cookie is the slot's index and the slot's
 * generation, so that the number of a finished request is not taken for that of
 * the next one in its slot. Pointers in frames were rejected: a confused peer
 * would then write wherever it likes.
 */
#include "cookies.h"

#include <stdlib.h>

enum { INDEX_BITS = 20, INDEX_MASK = (1 << INDEX_BITS) - 1, GENERATIONS = 1 << (32 - INDEX_BITS) };

static int grow(struct pl_cookies *cookies)
{
    uint32_t size = cookies->size ? cookies->size * 2 : 64;
    if (size > INDEX_MASK)
        return -1;
    struct pl_cookie *slots = realloc(cookies->slots, size * sizeof *slots);
    if (!slots)
        return -1;
    for (uint32_t i = cookies->size; i < size; i++)
        slots[i] = (struct pl_cookie){.generation = 1, .next_free = i + 1 < size ? i + 2 : 0};
    cookies->first_free = cookies->size + 1;
    cookies->slots = slots;
    cookies->size = size;
    return 0;
}

uint32_t pl_cookie_new(struct pl_cookies *cookies, struct pl_request *request)
{
    if (!cookies->first_free && grow(cookies))
        return 0;
    uint32_t index = cookies->first_free - 1;
    struct pl_cookie *slot = &cookies->slots[index];
    cookies->first_free = slot->next_free;
    slot->request = request;
    return slot->generation << INDEX_BITS | index;
}

static struct pl_cookie *slot_of(const struct pl_cookies *cookies, uint32_t cookie)
{
    uint32_t index = cookie & INDEX_MASK;
    if (index >= cookies->size || cookies->slots[index].generation != cookie >> INDEX_BITS)
        return NULL;
    return &cookies->slots[index];
}

struct pl_request *pl_cookie_find(const struct pl_cookies *cookies, uint32_t cookie)
{
    struct pl_cookie *slot = slot_of(cookies, cookie);
    return slot ? slot->request : NULL;
}

void pl_cookie_drop(struct pl_cookies *cookies, uint32_t cookie)
{
    struct pl_cookie *slot = slot_of(cookies, cookie);
    if (!slot)
        return;
    slot->request = NULL;
    slot->generation = slot->generation + 1 < GENERATIONS ? slot->generation + 1 : 1;
    slot->next_free = cookies->first_free;
    cookies->first_free = (cookie & INDEX_MASK) + 1;
}

void pl_cookies_finish(struct pl_cookies *cookies)
{
    free(cookies->slots);
    *cookies = (struct pl_cookies){0};
}
