/* The manager: makes one view after the other, when somebody dies, leaves or comes, and when copies are done.
 *
 * It is the server that the view names; when it dies, the next living one. Deaths are never wrong (MPI
 * reports them, failure.c), so there is nothing to vote on, but the new manager may have missed the last view
 * of the old one. It asks all members, each of whom answers with its view once it has itself heard of the
 * deaths that the question names, for then no older view can reach it any more; the latest of the answers is
 * where the new manager goes on.
 *
 *     manager 0       server 1            server 2        worker
 *        | view 7 ------------------------------------------>|
 *        x (dies)        |                   |               |
 *                        |---- QUERY {0} --->|-------------->|
 *                        |<--- ANSWER 6 -----|               |
 *                        |<--- ANSWER 7 ---------------------|
 *                        |==== VIEW 8: without 0, manager 1 =====>
 *
 * A view that changes several parts at once, and one step of each at a time (view.c); the servers that are
 * being given parts tell when they have them (JOINED), and the next step is the next view.
 */
#include "manager.h"

#include <stdlib.h>
#include <string.h>

int pl_ps_manager_create(struct peal_ps *ps)
{
    struct pl_ps_manager *manager = calloc(1, sizeof *manager);
    if (!manager)
        return MPI_ERR_NO_MEM;
    ps->manager = manager;
    manager->quit = calloc((size_t)ps->workers, sizeof *manager->quit);
    manager->barrier = calloc((size_t)ps->workers, sizeof *manager->barrier);
    manager->told = calloc((size_t)ps->workers, sizeof *manager->told);
    manager->verdict = calloc((size_t)ps->workers, sizeof *manager->verdict);
    manager->asked = calloc((size_t)ps->size, sizeof *manager->asked);
    manager->listed = calloc((size_t)ps->size, sizeof *manager->listed);
    manager->admitting = -1;
    return manager->quit && manager->barrier && manager->told && manager->verdict && manager->asked &&
                   manager->listed
               ? MPI_SUCCESS
               : MPI_ERR_NO_MEM;
}

void pl_ps_manager_destroy(struct peal_ps *ps)
{
    struct pl_ps_manager *manager = ps->manager;
    if (!manager)
        return;
    free(manager->quit);
    free(manager->barrier);
    free(manager->told);
    free(manager->verdict);
    free(manager->asked);
    free(manager->listed);
    free(manager->latest);
    free(manager);
    ps->manager = NULL;
}

static bool is_manager(const struct peal_ps *ps)
{
    return ps->view->manager == ps->my_server;
}

static struct pl_ps_frame *with_view(struct peal_ps *ps, enum pl_ps_kind kind, const struct pl_ps_view *view)
{
    size_t size = pl_ps_view_size(view->parts, view->workers);
    struct pl_ps_frame *frame = pl_ps_frame_create(&ps->pool, sizeof(struct pl_ps_header) + size);
    if (!frame)
        return NULL;
    *pl_ps_header_of(frame) =
        (struct pl_ps_header){.kind = (uint8_t)kind, .origin = PL_PS_NOBODY, .epoch = view->epoch};
    memcpy(frame->bytes + sizeof(struct pl_ps_header), view, size);
    return frame;
}

/* Whether a member of that rank still takes part. */
static bool takes_part(const struct peal_ps *ps, const struct pl_ps_view *view, int rank)
{
    int server = pl_ps_server_of(ps, rank), worker = pl_ps_worker_of(ps, rank);
    bool serves = server >= 0 && view->server[server] < PL_PS_LEFT;
    return serves || (worker >= 0 && pl_ps_view_workers(view)[worker]);
}

/* Sends the view to all who take part in it or took part in the one before, servers first, and makes it this
 * member's. */
static void publish(struct peal_ps *ps, struct pl_ps_view *view)
{
    struct pl_ps_frame *frame = with_view(ps, PL_PS_VIEW, view);
    if (!frame) {
        free(view);
        return;
    }
    for (int pass = 0; pass < 2; pass++)
        for (int r = 0; r < ps->size; r++)
            if (r != ps->rank && (takes_part(ps, ps->view, r) || takes_part(ps, view, r)) &&
                (pl_ps_server_of(ps, r) < 0) == pass)
                pl_ps_send(ps, r, frame);
    pl_ps_frame_release(&ps->pool, frame);
    memset(ps->manager->joined, 0, sizeof ps->manager->joined);
    pl_ps_install(ps, view);
}

/* Puts what is known of deaths, leaves and arrivals into the view. */
static void bring_up_to_date(struct peal_ps *ps, struct pl_ps_view *view)
{
    struct pl_ps_manager *manager = ps->manager;
    int lost = 0;
    for (int s = 0; s < view->servers; s++) {
        if (manager->gone[s] && view->server[s] != PL_PS_DEAD && view->server[s] != PL_PS_LEFT) {
            lost += view->server[s] == PL_PS_SERVING;
            pl_ps_view_lose(view, s);
        }
        if (manager->leaving[s] && view->server[s] == PL_PS_SERVING)
            view->server[s] = PL_PS_LEAVING;
        if (manager->leaving[s] && view->server[s] == PL_PS_SPARE)
            view->server[s] = PL_PS_LEFT;
        if (manager->coming[s] && view->server[s] == PL_PS_SPARE)
            view->server[s] = PL_PS_SERVING;
    }
    for (int s = 0; s < view->servers; s++)
        if (manager->arrived[s] && !manager->gone[s] && view->server[s] == PL_PS_DEAD) {
            bool room = pl_ps_view_serving(view) < ps->servers - ps->options.spares;
            view->server[s] = room ? PL_PS_SERVING : PL_PS_SPARE;
            manager->arrived[s] = false;
        }
    for (int s = 0; s < view->servers && lost > 0; s++)
        if (view->server[s] == PL_PS_SPARE) {
            view->server[s] = PL_PS_SERVING;
            lost--;
        }
    for (int w = 0; w < view->workers; w++)
        if (manager->quit[w])
            pl_ps_view_workers(view)[w] = 0;
}

/* Servers that wanted to leave and keep nothing any more have left. */
static int let_go(struct pl_ps_view *view)
{
    int left = 0;
    for (int s = 0; s < view->servers; s++) {
        bool keeps = view->server[s] != PL_PS_LEAVING;
        for (int p = 0; p < view->parts && !keeps; p++)
            keeps = pl_ps_chain_find(&view->chains[p], s) >= 0;
        if (keeps)
            continue;
        view->server[s] = PL_PS_LEFT;
        left++;
    }
    return left;
}

/* The manager itself may leave: another living server does it from then on. */
static void appoint(const struct peal_ps *ps, struct pl_ps_view *view)
{
    for (int i = 0; i < view->servers && view->server[view->manager] >= PL_PS_LEFT; i++)
        view->manager = (uint16_t)((view->manager + 1) % view->servers);
}

static bool step_and_publish(struct peal_ps *ps, bool joined)
{
    struct pl_ps_view *view = pl_ps_view_copy(ps->view);
    if (!view)
        return false;
    bool changed = ps->manager->changed || joined;
    if (joined)
        pl_ps_view_joined(view);
    if (ps->manager->changed)
        bring_up_to_date(ps, view);
    ps->manager->changed = false;
    if (!pl_ps_view_copying(view))
        changed = pl_ps_view_step(view) || (ps->manager->admitting < 0 && let_go(view)) || changed;
    if (!changed) {
        free(view);
        return false;
    }
    appoint(ps, view);
    pl_ps_view_advance(view, ps->my_server);
    publish(ps, view);
    return true;
}

static bool all_joined(const struct peal_ps *ps)
{
    const struct pl_ps_view *view = ps->view;
    if (!pl_ps_view_copying(view))
        return false;
    for (int p = 0; p < view->parts; p++)
        for (int i = view->chains[p].synced; i < view->chains[p].length; i++)
            if (!ps->manager->joined[view->chains[p].server[i]])
                return false;
    return true;
}

static bool end_barriers(struct peal_ps *ps)
{
    struct pl_ps_manager *manager = ps->manager;
    const uint8_t *live = pl_ps_view_workers(ps->view);
    uint32_t least = UINT32_MAX, verdict = 0;
    bool busy = false;
    for (int w = 0; w < ps->workers; w++)
        if (live[w] && manager->barrier[w] < least)
            least = manager->barrier[w];
    for (int w = 0; w < ps->workers; w++)
        if (live[w] && manager->barrier[w] == least && manager->verdict[w] > verdict)
            verdict = manager->verdict[w];
    for (int w = 0; w < ps->workers; w++)
        if (live[w] && manager->barrier[w] <= least && manager->told[w] < manager->barrier[w]) {
            manager->told[w] = manager->barrier[w];
            pl_ps_send_header(ps, pl_ps_rank_of_worker(ps, w), PL_PS_BARRIER, (uint64_t)verdict << 1 | 1,
                              manager->barrier[w]);
            busy = true;
        }
    return busy;
}

static bool take_over(struct peal_ps *ps)
{
    struct pl_ps_manager *manager = ps->manager;
    for (int r = 0; r < ps->size; r++)
        if (manager->asked[r])
            return false;
    struct pl_ps_view *view = manager->latest ? manager->latest : pl_ps_view_copy(ps->view);
    if (!view)
        return false;
    manager->latest = NULL;
    manager->taking_over = false;
    manager->changed = true; /* the first view only takes the dead out; the next ones mend the chains */
    view->manager = (uint16_t)ps->my_server;
    bring_up_to_date(ps, view);
    pl_ps_view_advance(view, ps->my_server);
    publish(ps, view);
    return true;
}

bool pl_ps_manager_step(struct peal_ps *ps)
{
    struct pl_ps_manager *manager = ps->manager;
    if (ps->over)
        return false;
    if (manager->taking_over)
        return take_over(ps);
    if (!is_manager(ps))
        return false;
    bool joined = all_joined(ps), settled = !pl_ps_view_copying(ps->view) && !manager->changed;
    bool busy = !settled || joined || manager->changed;
    busy = busy && (joined || manager->changed) && step_and_publish(ps, joined);
    return end_barriers(ps) || busy;
}

/* ---- succession ---- */

/* Who is manager after the deaths that this member knows of. */
static int successor(const struct peal_ps *ps)
{
    int s = ps->view->manager;
    for (int i = 0; i < ps->servers; i++, s = (s + 1) % ps->servers)
        if (!ps->manager->gone[s] && ps->view->server[s] < PL_PS_LEFT)
            return s;
    return -1;
}

/* The first process with the server's number that is not known to be dead. */
static uint8_t first_life(const struct peal_ps *ps, int server)
{
    const struct pl_ps_link *link = &ps->links.link[pl_ps_rank_of_server(ps, server)];
    return (uint8_t)(link->life + link->dead);
}

static void ask(struct peal_ps *ps)
{
    struct pl_ps_manager *manager = ps->manager;
    size_t list = (size_t)ps->servers;
    struct pl_ps_frame *frame = pl_ps_frame_create(&ps->pool, sizeof(struct pl_ps_header) + list);
    if (!frame)
        return;
    *pl_ps_header_of(frame) =
        (struct pl_ps_header){.kind = PL_PS_QUERY, .origin = PL_PS_NOBODY, .epoch = ps->view->epoch};
    for (int s = 0; s < ps->servers; s++)
        frame->bytes[sizeof(struct pl_ps_header) + (size_t)s] = first_life(ps, s);
    manager->taking_over = true;
    for (int r = 0; r < ps->size; r++) {
        int server = pl_ps_server_of(ps, r);
        bool here = takes_part(ps, ps->view, r) || (server >= 0 && manager->arrived[server]);
        manager->asked[r] = r != ps->rank && here && !ps->links.link[r].dead;
        if (manager->asked[r])
            pl_ps_send(ps, r, frame);
    }
    pl_ps_frame_release(&ps->pool, frame);
}

int pl_ps_manager_query(struct peal_ps *ps, int rank, struct pl_ps_frame *frame)
{
    const unsigned char *lives = frame->bytes + sizeof(struct pl_ps_header);
    if (frame->length != sizeof(struct pl_ps_header) + (size_t)ps->servers)
        return 0;
    for (int s = 0; s < ps->servers; s++)
        if (!ps->links.link[pl_ps_rank_of_server(ps, s)].dead && first_life(ps, s) < lives[s])
            return PL_PS_STALL; /* who was replaced before this member met him has sent it nothing */
    struct pl_ps_frame *answer = with_view(ps, PL_PS_ANSWER, ps->view);
    if (answer)
        pl_ps_send(ps, rank, answer);
    pl_ps_frame_release(&ps->pool, answer);
    return 0;
}

static void answered(struct peal_ps *ps, int rank, const struct pl_ps_frame *frame)
{
    struct pl_ps_manager *manager = ps->manager;
    const struct pl_ps_view *view = (const void *)(frame->bytes + sizeof(struct pl_ps_header));
    if (!manager->taking_over ||
        !pl_ps_view_fits(ps->view, view, frame->length - sizeof(struct pl_ps_header)))
        return;
    manager->asked[rank] = false;
    if (view->epoch <= (manager->latest ? manager->latest->epoch : ps->view->epoch))
        return;
    free(manager->latest);
    manager->latest = pl_ps_view_copy(view);
}

void pl_ps_manager_server_lost(struct peal_ps *ps, int server)
{
    struct pl_ps_manager *manager = ps->manager;
    manager->gone[server] = manager->changed = true;
    manager->arrived[server] = manager->leaving[server] = manager->coming[server] = false;
    if (manager->admitting == server)
        manager->admitting = -1;
    manager->asked[pl_ps_rank_of_server(ps, server)] = false;
    if (!is_manager(ps) && manager->gone[ps->view->manager] && successor(ps) == ps->my_server)
        ask(ps);
}

void pl_ps_manager_worker_lost(struct peal_ps *ps, int worker)
{
    ps->manager->quit[worker] = ps->manager->changed = true;
    ps->manager->asked[pl_ps_rank_of_worker(ps, worker)] = false;
}

void pl_ps_manager_server_back(struct peal_ps *ps, int server)
{
    ps->manager->gone[server] = false;
}

bool pl_ps_manager_counts(const struct peal_ps *ps, int rank)
{
    int server = pl_ps_server_of(ps, rank), worker = pl_ps_worker_of(ps, rank);
    if (ps->links.link[rank].dead || !takes_part(ps, ps->view, rank))
        return false;
    return server >= 0 || !ps->manager->quit[worker];
}

void pl_ps_manager_frame(struct peal_ps *ps, int rank, struct pl_ps_frame *frame)
{
    struct pl_ps_manager *manager = ps->manager;
    const struct pl_ps_header *header = pl_ps_header_of(frame);
    int server = pl_ps_server_of(ps, rank), worker = pl_ps_worker_of(ps, rank);
    switch (header->kind) {
    case PL_PS_JOINED:
        if (server >= 0 && header->epoch == ps->view->epoch)
            manager->joined[server] = true;
        break;
    case PL_PS_BARRIER:
        if (worker >= 0 && header->clock > manager->barrier[worker]) {
            manager->barrier[worker] = header->clock;
            manager->verdict[worker] = (uint32_t)(header->id >> 1);
        }
        break;
    case PL_PS_BYE:
        if (worker >= 0 && pl_ps_view_workers(ps->view)[worker])
            manager->quit[worker] = manager->changed = true;
        break;
    case PL_PS_LEAVE:
        if (server >= 0)
            manager->leaving[server] = manager->changed = true;
        break;
    case PL_PS_JOIN:
        if (server >= 0)
            manager->coming[server] = manager->changed = true;
        break;
    case PL_PS_ARRIVED:
        if (server >= 0 && !manager->gone[server])
            manager->arrived[server] = manager->changed = true;
        if (server >= 0 && manager->admitting == server)
            manager->admitting = -1;
        if (ps->over) /* too late */
            pl_ps_send_header(ps, rank, PL_PS_BYE, 1, 1);
        break;
    case PL_PS_ANSWER:
        answered(ps, rank, frame);
        break;
    default:
        break;
    }
}
