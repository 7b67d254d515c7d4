/* See retire.h. Looked at whenever a communicator is freed, and once at the end. */
#include "retire.h"

#include "tiny.h"

#include <stdlib.h>

struct pl_retired {
    struct pl_retired *next;
    void *memory;
    const _Atomic int *left;
    int size;
};

void pl_retire(struct pl_rank *rank, void *memory, const _Atomic int *left, int size)
{
    struct pl_collectives *own = rank->collectives_state;
    struct pl_retired *item = memory ? malloc(sizeof *item) : NULL;
    if (item) {
        *item = (struct pl_retired){own->retired, memory, left, size};
        own->retired = item;
    }
    if (own->retired)
        pl_retired_sweep(rank, false);
}

void pl_retired_sweep(struct pl_rank *rank, bool end)
{
    struct pl_collectives *own = rank->collectives_state;
    for (struct pl_retired **link = &own->retired, *item; (item = *link);) {
        bool empty = atomic_load(item->left) == item->size;
        if (!empty && !end) {
            link = &item->next;
            continue;
        }
        if (empty)
            rank->ports[0]->transport->free(rank->ports[0], item->memory);
        *link = item->next;
        free(item);
    }
}
