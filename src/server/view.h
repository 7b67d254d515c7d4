/* A view: who is there, and which servers keep each part, in which order. The manager makes them; each has an
 * epoch of its own, and a message counts only among those who have the same view. */
#ifndef PL_PS_VIEW_H
#define PL_PS_VIEW_H

#include "ring.h"

#include <stddef.h>

enum { PL_PS_CHAIN_MAX = 8 };

enum pl_ps_state { PL_PS_SPARE, PL_PS_SERVING, PL_PS_LEAVING, PL_PS_LEFT, PL_PS_DEAD };

/* The servers of a part, head first. The first `synced` have all of it, the others are being given it. */
struct pl_ps_chain {
    uint8_t length, synced;
    uint8_t server[PL_PS_CHAIN_MAX];
};

/* One piece of memory, sent as it is. */
struct pl_ps_view {
    uint64_t epoch;   /* a count, and in the last 8 bits the server that made the view */
    uint16_t manager; /* a server's number */
    uint16_t servers, workers, parts, replicas, zero;
    uint32_t more;
    uint8_t server[PL_PS_SERVERS_MAX + 2]; /* enum pl_ps_state */
    /* struct pl_ps_chain[parts], then uint8_t[workers]: 1 while the worker lives and works */
    struct pl_ps_chain chains[];
};

static inline uint8_t *pl_ps_view_workers(const struct pl_ps_view *view)
{
    return (uint8_t *)(uintptr_t)(view->chains + view->parts);
}

static inline int pl_ps_epoch_maker(uint64_t epoch)
{
    return (int)(epoch & 0xff);
}

/* Gives the view the next epoch. */
static inline void pl_ps_view_advance(struct pl_ps_view *view, int maker)
{
    view->epoch = ((view->epoch >> 8) + 1) << 8 | (uint64_t)maker;
}

size_t pl_ps_view_size(int parts, int workers);

/* The first view: the count is 1, the last `spares` servers spare, all workers there. NULL: no memory. */
struct pl_ps_view *pl_ps_view_create(int servers, int spares, int workers, int parts, int replicas);
struct pl_ps_view *pl_ps_view_copy(const struct pl_ps_view *view);
/* Whether `bytes` bytes are a view of such a set. */
bool pl_ps_view_fits(const struct pl_ps_view *mine, const void *other, size_t bytes);

/* Where the server is in the part's chain, or -1. */
int pl_ps_chain_find(const struct pl_ps_chain *chain, int server);
static inline int pl_ps_head(const struct pl_ps_view *view, int part)
{
    const struct pl_ps_chain *chain = &view->chains[part];
    return chain->synced ? chain->server[0] : -1;
}

/* What changes a view; the epoch is the caller's to raise. */
void pl_ps_view_lose(struct pl_ps_view *view, int server);
void pl_ps_view_joined(struct pl_ps_view *view); /* all that were being given parts have them */
/* One step of every part towards the chain that the ring would have now: safe in the order of updates (see
 * the head of view.c). Returns how many parts changed; 0: they are where they should be, or wait for copies
 * (or there is no memory to tell). */
int pl_ps_view_step(struct pl_ps_view *view);
bool pl_ps_view_copying(const struct pl_ps_view *view);
/* Servers among which the tables are spread. */
int pl_ps_view_serving(const struct pl_ps_view *view);

#endif
