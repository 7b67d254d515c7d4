/* Views, and the steps from one to the next.
 *
 * Along a chain every server has seen a prefix of what the one before it has seen. Two changes keep that true
 * without stopping anybody: taking a server out (its predecessor sends the rest to its successor), and adding
 * one at the end (the last one gives it a copy, then passes on what comes after). Changing the order would
 * not: the new first one might lack what the old one has already applied. So a part moves by growing at the
 * end and shrinking at the front, and who should stand later than it does is taken out and added anew:
 *
 *     a server dies               D joins, and the ring wants D, A
 *     A -> B -> C                 A -> B
 *     A -> C        at once       A -> B -> (D)       D is being given a copy
 *     A -> C -> (D) meanwhile     B -> D -> (A)       A stood before D: out, and in again at the end
 *     A -> C -> D                 D -> A
 *
 * R. van Renesse, F. Schneider: "Chain replication for supporting high throughput and availability", 2004.
 */
#include "view.h"

#include <stdlib.h>
#include <string.h>

size_t pl_ps_view_size(int parts, int workers)
{
    return sizeof(struct pl_ps_view) + (size_t)parts * sizeof(struct pl_ps_chain) + (size_t)workers;
}

struct pl_ps_view *pl_ps_view_create(int servers, int spares, int workers, int parts, int replicas)
{
    struct pl_ps_view *view = calloc(1, pl_ps_view_size(parts, workers));
    if (!view)
        return NULL;
    bool serving[PL_PS_SERVERS_MAX];
    uint8_t chains[PL_PS_PARTS_MAX][PL_PS_REPLICAS_MAX];
    pl_ps_view_advance(view, 0);
    view->servers = (uint16_t)servers;
    view->workers = (uint16_t)workers;
    view->parts = (uint16_t)parts;
    view->replicas = (uint16_t)replicas;
    for (int s = 0; s < servers; s++) {
        serving[s] = s < servers - spares;
        view->server[s] = serving[s] ? PL_PS_SERVING : PL_PS_SPARE;
    }
    if (!pl_ps_ring(parts, serving, servers, replicas, chains)) {
        free(view);
        return NULL;
    }
    for (int p = 0; p < parts; p++) {
        view->chains[p].length = view->chains[p].synced = (uint8_t)replicas;
        memcpy(view->chains[p].server, chains[p], (size_t)replicas);
    }
    memset(pl_ps_view_workers(view), 1, (size_t)workers);
    return view;
}

struct pl_ps_view *pl_ps_view_copy(const struct pl_ps_view *view)
{
    size_t size = pl_ps_view_size(view->parts, view->workers);
    struct pl_ps_view *copy = malloc(size);
    return copy ? memcpy(copy, view, size) : NULL;
}

bool pl_ps_view_fits(const struct pl_ps_view *mine, const void *bytes, size_t length)
{
    const struct pl_ps_view *other = bytes;
    if (length != pl_ps_view_size(mine->parts, mine->workers) || other->parts != mine->parts ||
        other->workers != mine->workers || other->servers != mine->servers || other->manager >= mine->servers)
        return false;
    for (int p = 0; p < other->parts; p++) {
        const struct pl_ps_chain *chain = &other->chains[p];
        if (chain->length > PL_PS_CHAIN_MAX || chain->synced > chain->length)
            return false;
        for (int i = 0; i < chain->length; i++)
            if (chain->server[i] >= mine->servers)
                return false;
    }
    return true;
}

int pl_ps_chain_find(const struct pl_ps_chain *chain, int server)
{
    for (int i = 0; i < chain->length; i++)
        if (chain->server[i] == server)
            return i;
    return -1;
}

static void take_out(struct pl_ps_chain *chain, int at)
{
    memmove(chain->server + at, chain->server + at + 1, (size_t)(chain->length - at - 1));
    chain->length--;
    chain->synced = (uint8_t)(chain->synced - (at < chain->synced));
}

void pl_ps_view_lose(struct pl_ps_view *view, int server)
{
    view->server[server] = PL_PS_DEAD;
    for (int p = 0; p < view->parts; p++) {
        int at = pl_ps_chain_find(&view->chains[p], server);
        if (at >= 0)
            take_out(&view->chains[p], at);
        if (!view->chains[p].synced)
            view->chains[p].length = 0; /* lost: nobody has it */
    }
}

void pl_ps_view_joined(struct pl_ps_view *view)
{
    for (int p = 0; p < view->parts; p++)
        view->chains[p].synced = view->chains[p].length;
}

/* One step of one chain towards target[0..copies-1]. */
static bool step(struct pl_ps_chain *chain, const uint8_t *target, int copies)
{
    int matched = 0;
    if (!chain->length || chain->synced < chain->length)
        return false;
    for (int i = 0; i < chain->length && matched < copies; i++)
        matched += chain->server[i] == target[matched];
    if (matched == copies) {
        bool longer = chain->length > copies;
        memcpy(chain->server, target, (size_t)copies);
        chain->length = chain->synced = (uint8_t)copies;
        return longer;
    }
    int next = matched;
    while (chain->length < copies && pl_ps_chain_find(chain, target[next]) >= 0)
        next++; /* who lacks comes before anybody is moved */
    int at = pl_ps_chain_find(chain, target[next]);
    if (at >= 0 && chain->length <= copies && chain->length <= 2)
        return false; /* it has the right servers; their order is not worth a time with one copy */
    if (at >= 0)
        take_out(chain, at);
    if (chain->length == PL_PS_CHAIN_MAX)
        return false;
    chain->server[chain->length++] = target[next];
    return true;
}

int pl_ps_view_serving(const struct pl_ps_view *view)
{
    int n = 0;
    for (int s = 0; s < view->servers; s++)
        n += view->server[s] == PL_PS_SERVING;
    return n;
}

int pl_ps_view_step(struct pl_ps_view *view)
{
    bool serving[PL_PS_SERVERS_MAX];
    uint8_t target[PL_PS_PARTS_MAX][PL_PS_REPLICAS_MAX];
    int changed = 0, live = pl_ps_view_serving(view);
    int copies = view->replicas < live ? view->replicas : live;
    for (int s = 0; s < view->servers; s++)
        serving[s] = view->server[s] == PL_PS_SERVING;
    if (!live || !pl_ps_ring(view->parts, serving, view->servers, copies, target))
        return 0;
    for (int p = 0; p < view->parts; p++)
        changed += step(&view->chains[p], target[p], copies);
    return changed;
}

bool pl_ps_view_copying(const struct pl_ps_view *view)
{
    for (int p = 0; p < view->parts; p++)
        if (view->chains[p].synced < view->chains[p].length)
            return true;
    return false;
}
