/* Tables of handles: slots with a free list and a generation that moves on with each free. */
#include "handle.h"

#include <stdlib.h>

enum { MOST = 1 << PL_HANDLE_INDEX_BITS, GENERATIONS = 1 << (PL_HANDLE_CLASS_SHIFT - PL_HANDLE_INDEX_BITS) };

static int grow(struct pl_handles *handles)
{
    uint32_t size = handles->size ? handles->size * 2 : 16;
    if (size > MOST)
        return -1;
    struct pl_handle_slot *slots = realloc(handles->slots, size * sizeof *slots);
    if (!slots)
        return -1;
    for (uint32_t i = handles->size; i < size; i++)
        slots[i] = (struct pl_handle_slot){.generation = 1, .next_free = i + 1 < size ? i + 2 : 0};
    handles->first_free = handles->size + 1;
    handles->slots = slots;
    handles->size = size;
    return 0;
}

uintptr_t pl_handle_new(struct pl_handles *handles, enum pl_class class, void *object)
{
    if (!handles->first_free && grow(handles))
        return 0;
    uint32_t index = handles->first_free - 1;
    struct pl_handle_slot *slot = &handles->slots[index];
    handles->first_free = slot->next_free;
    slot->object = object;
    return (uintptr_t) class << PL_HANDLE_CLASS_SHIFT | (uintptr_t)slot->generation << PL_HANDLE_INDEX_BITS |
           index;
}

void pl_handle_drop(struct pl_handles *handles, uintptr_t value)
{
    uint32_t index = value & (MOST - 1);
    struct pl_handle_slot *slot = &handles->slots[index];
    slot->object = NULL;
    slot->generation = slot->generation + 1 < GENERATIONS ? slot->generation + 1 : 1;
    slot->next_free = handles->first_free;
    handles->first_free = index + 1;
}

void *pl_handle_any(const struct pl_handles *handles)
{
    for (uint32_t i = 0; i < handles->size; i++)
        if (handles->slots[i].object)
            return handles->slots[i].object;
    return NULL;
}

void pl_handles_finish(struct pl_handles *handles)
{
    free(handles->slots);
    *handles = (struct pl_handles){0};
}
