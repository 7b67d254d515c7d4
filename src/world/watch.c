/* Deaths as the launcher tells them. It hears of the end of its children at once, knows their signal or code,
 * and tells all ranks, also those who never talked to the dead one. What the dead one had sent may still be
 * in a transport then, and is worth more than early news; so news are acted on after a tenth of a second,
 * when the transports have long delivered it, unless one of them saw the death first. Then the launcher is
 * asked for how it happened; it may be told of it a moment later than we.
 */
#include "watch.h"

#include "awaited.h"
#include "clock.h"
#include "errors.h"
#include "loss.h"
#include "log.h"
#include "roll_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MS ((int64_t)1000000)

/* When nothing was told for SAME_MS, it is another wait; it began WAITED_MS before it is told. */
enum { SETTLE_MS = 100, ASK_MS = 250, SAME_MS = 1000, WAITED_MS = 200 };

void pl_watch_open(struct pl_watch_roll *watch, int size)
{
    const char *number = getenv(PL_ROLL_VARIABLE);
    int fd = number ? atoi(number) : -1;
    if (fd > 2 && pl_roll_open(fd, size, &watch->roll))
        pl_info("%s", pl_fail_text());
}

void pl_watch_close(struct pl_watch_roll *watch)
{
    pl_roll_close(watch->roll);
    watch->roll = NULL;
}

void pl_watch_look(struct pl_watch_roll *watch, struct pl_rank *rank)
{
    struct pl_roll *roll = watch->roll;
    uint32_t news = roll ? atomic_load_explicit(&roll->news, memory_order_acquire) : watch->news;
    if (news == watch->news)
        return;
    bool fresh = false;
    int64_t now = pl_now();
    for (int i = 0; i < rank->size; i++) {
        const struct pl_roll_entry *entry = &roll->entry[i];
        char text[160];
        if (i == rank->rank || atomic_load(&entry->state) != PL_ROLL_DEAD ||
            (rank->peers[i] && rank->peers[i]->lost))
            continue;
        if (now - entry->at < SETTLE_MS * MS) {
            fresh = true;
            continue;
        }
        pl_roll_how(entry, text, sizeof text);
        pl_peer_lost(rank, i, PL_EPEER, text);
    }
    if (!fresh)
        watch->news = news;
}

void pl_watch_report(struct pl_watch_roll *watch, struct pl_rank *rank)
{
    struct pl_roll_wait wait = {.beat = pl_now()};
    bool any;
    if (!watch->roll)
        return;
    wait.awaited = pl_awaited(rank, wait.rank, PL_ROLL_AWAITED, &any);
    wait.any = any;
    snprintf(wait.call, sizeof wait.call, "%s", rank->call ? rank->call : "");
    pl_awaited_text(rank, wait.text, sizeof wait.text);
    const struct pl_roll_wait *told = &watch->roll->entry[rank->rank].wait;
    bool same = wait.beat - watch->beat < SAME_MS * MS && !strncmp(told->call, wait.call, sizeof wait.call) &&
                !strncmp(told->text, wait.text, sizeof wait.text);
    if (!same)
        watch->since = wait.beat - WAITED_MS * MS;
    watch->beat = wait.beat;
    wait.since = watch->since;
    pl_roll_write(&watch->roll->entry[rank->rank], &wait);
}

bool pl_watch_obituary(struct pl_watch_roll *watch, struct pl_rank *rank, int peer, char *text, size_t size)
{
    struct timespec nap = {0, MS};
    if (!watch->roll)
        return false;
    const struct pl_roll_entry *entry = &watch->roll->entry[peer];
    int host = rank->host_of(rank, peer) + 1;
    int64_t end = pl_now() + (host == watch->silent ? 0 : ASK_MS * MS);
    while (atomic_load(&entry->state) <= PL_ROLL_RUNS && pl_now() < end)
        nanosleep(&nap, NULL);
    bool dead = atomic_load(&entry->state) == PL_ROLL_DEAD;
    watch->silent = dead ? 0 : host; /* a host that is cut off has many ranks: one wait is enough */
    if (dead)
        pl_roll_how(entry, text, size);
    return dead;
}
