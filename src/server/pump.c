/* One round of everything, and how it is driven.
 *
 * A member moves on inside its rank's MPI calls: a hook (peal_hook_add) runs the pump whenever MPI made
 * progress. Calls of this interface run it too. One thread at a time has the lock; who finds it taken leaves
 * a note, and the holder goes round once more, so that nothing that came is left lying while everybody
 * sleeps.
 */
#include "manager.h"
#include "server.h"
#include "worker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_SECONDS 0.01

int pl_ps_fail(struct peal_ps *ps, int class, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(ps->why, sizeof ps->why, format, list);
    va_end(list);
    return class;
}

void pl_ps_pump(struct peal_ps *ps)
{
    bool busy;
    do {
        busy = pl_ps_links_pump(ps);
        if (ps->retry) {
            ps->retry = false;
            busy = pl_ps_links_retry(ps) || busy;
        }
        if (ps->manager)
            busy = pl_ps_manager_step(ps) || busy;
        if (ps->server && !ps->over)
            busy = pl_ps_server_step(ps) || busy;
        if (ps->worker)
            busy = pl_ps_worker_step(ps) || busy;
    } while (busy || ps->retry);
    if (ps->waiter && (ps->until(ps) || pl_ps_replace_due(ps) || pl_ps_replace_hunting(ps))) {
        struct pl_ps_request *waiter = ps->waiter;
        ps->waiter = NULL;
        pl_ps_request_end(waiter, 0);
    }
}

/* Until it holds, or there is something to do that a hook may not. */
static int await_once(struct peal_ps *ps, bool (*until)(const struct peal_ps *ps))
{
    MPI_Request request;
    pl_ps_enter(ps);
    if (pl_ps_replace_hunting(ps)) {
        pl_ps_leave_lock(ps);
        return peal_sleep(LOOK_SECONDS);
    }
    ps->until = until;
    ps->waiter = pl_ps_request_create(1, &request);
    int error = ps->waiter ? MPI_SUCCESS : pl_ps_fail(ps, MPI_ERR_NO_MEM, "no memory for a request");
    pl_ps_leave_lock(ps);
    return error ? error : MPI_Wait(&request, MPI_STATUS_IGNORE);
}

int pl_ps_await(struct peal_ps *ps, bool (*until)(const struct peal_ps *ps))
{
    int error;
    bool holds;
    do {
        error = await_once(ps, until);
        pl_ps_enter(ps);
        holds = until(ps);
        pl_ps_leave_lock(ps);
        if (!holds)
            pl_ps_replace(ps);
    } while (!error && !holds);
    return error;
}

void pl_ps_hook(void *state)
{
    struct peal_ps *ps = state;
    if (pthread_mutex_trylock(&ps->lock) == 0)
        pl_ps_leave_lock(ps);
    else
        atomic_store(&ps->again, true);
}

void pl_ps_enter(struct peal_ps *ps)
{
    pthread_mutex_lock(&ps->lock);
}

void pl_ps_leave_lock(struct peal_ps *ps)
{
    do {
        atomic_store(&ps->again, false);
        pl_ps_pump(ps);
        pthread_mutex_unlock(&ps->lock);
    } while (atomic_load(&ps->again) && pthread_mutex_trylock(&ps->lock) == 0);
}

static void install_from(struct peal_ps *ps, const struct pl_ps_frame *frame)
{
    const struct pl_ps_view *view = (const void *)(frame->bytes + sizeof(struct pl_ps_header));
    struct pl_ps_view *copy;
    if (!pl_ps_view_fits(ps->view, view, frame->length - sizeof(struct pl_ps_header)) ||
        view->epoch <= ps->view->epoch || !(copy = pl_ps_view_copy(view)))
        return;
    pl_ps_install(ps, copy);
}

/* Whether a newer view can still come: not when its maker has died before it sent it here. */
static bool will_come(const struct peal_ps *ps, uint64_t epoch)
{
    int maker = pl_ps_epoch_maker(epoch);
    return maker < ps->servers && !ps->links.link[pl_ps_rank_of_server(ps, maker)].dead;
}

/* What members do for the operations of workers: only among those who have the same view. A frame of a newer
 * one waits for it; if that cannot come, the next manager's will be newer still, and all is sent again. So it
 * must not wait: what comes after it, the death of its sender or an answer to the next manager, would not be
 * seen. */
static int in_view(struct peal_ps *ps, int rank, struct pl_ps_frame *frame)
{
    uint64_t epoch = pl_ps_header_of(frame)->epoch;
    if (epoch > ps->view->epoch)
        return will_come(ps, epoch) ? PL_PS_STALL : 0;
    if (epoch == ps->view->epoch && ps->server)
        pl_ps_server_frame(ps, rank, frame);
    return 0;
}

static bool anybody_works(const struct pl_ps_view *view)
{
    for (int w = 0; w < view->workers; w++)
        if (pl_ps_view_workers(view)[w])
            return true;
    return false;
}

static bool takes_part(const struct peal_ps *ps, const struct pl_ps_view *view, int rank)
{
    int server = pl_ps_server_of(ps, rank), worker = pl_ps_worker_of(ps, rank);
    if (!anybody_works(view))
        return false;
    return (server >= 0 && view->server[server] < PL_PS_LEFT) ||
           (worker >= 0 && pl_ps_view_workers(view)[worker]);
}

/* This member has no more work. */
static void end(struct peal_ps *ps, const struct pl_ps_view *last)
{
    ps->over = true;
    for (int s = 0; s < ps->servers; s++)
        ps->farewell[pl_ps_rank_of_server(ps, s)] |= last->server[s] >= PL_PS_LEFT; /* said before */
}

/* Server `rank` will send nothing more, as its view is without this member (`whole`: without anybody). The
 * manager may have died before it sent that view here, and then the farewell is all that tells of it; a
 * server passes it on as it would have done with the view. */
static void bid_farewell(struct peal_ps *ps, int rank, uint64_t whole)
{
    ps->farewell[rank] = true;
    if (whole && ps->alone &&
        ps->view->server[ps->my_server] == PL_PS_DEAD) /* it came too late: nobody knows it */
        memset(ps->farewell, 1, (size_t)ps->size * sizeof *ps->farewell);
    if (ps->over)
        return;
    end(ps, ps->view);
    for (int r = 0; ps->server && r < ps->size; r++)
        if (r == ps->rank || (whole && takes_part(ps, ps->view, r)))
            pl_ps_send_header(ps, r, PL_PS_BYE, whole, 1);
}

int pl_ps_received(struct peal_ps *ps, int rank, struct pl_ps_frame *frame)
{
    const struct pl_ps_header *header = pl_ps_header_of(frame);
    bool from_manager = pl_ps_server_of(ps, rank) >= 0;
    switch (header->kind) {
    case PL_PS_ACK:
        if (header->id & pl_ps_chain_bit) {
            if (ps->server)
                pl_ps_chain_acknowledged(ps, header->id);
            return 0;
        }
        /* fall through */
    case PL_PS_VALUES:
    case PL_PS_DUMPED:
        if (ps->worker)
            pl_ps_worker_frame(ps, rank, frame);
        return 0;
    case PL_PS_VIEW:
        if (from_manager)
            install_from(ps, frame);
        return 0;
    case PL_PS_COME:
        if (from_manager)
            pl_ps_replace_heard(ps, frame);
        return 0;
    case PL_PS_QUERY:
        return pl_ps_manager_query(ps, rank, frame);
    case PL_PS_BYE:
        if (header->clock) {
            bid_farewell(ps, rank, header->id);
            return 0;
        }
        break;
    case PL_PS_BARRIER:
        if (header->id & 1) { /* the manager's answer */
            if (ps->worker)
                pl_ps_worker_frame(ps, rank, frame);
            return 0;
        }
        break;
    case PL_PS_JOINED:
    case PL_PS_LEAVE:
    case PL_PS_JOIN:
    case PL_PS_ANSWER:
    case PL_PS_ARRIVED:
        break;
    default:
        return in_view(ps, rank, frame);
    }
    if (ps->manager)
        pl_ps_manager_frame(ps, rank, frame);
    return 0;
}

/* A new manager may not know what this server asked the old one for. */
static void ask_again(struct peal_ps *ps)
{
    int state = ps->server ? ps->view->server[ps->my_server] : PL_PS_LEFT;
    int manager = pl_ps_rank_of_server(ps, ps->view->manager);
    if (ps->wants_to_leave && (state == PL_PS_SERVING || state == PL_PS_SPARE))
        pl_ps_send_header(ps, manager, PL_PS_LEAVE, 0, 0);
    if (ps->wants_to_join && state == PL_PS_SPARE)
        pl_ps_send_header(ps, manager, PL_PS_JOIN, 0, 0);
}

void pl_ps_install(struct peal_ps *ps, struct pl_ps_view *view)
{
    struct pl_ps_view *old = ps->view;
    ps->view = view;
    ps->stats.views++;
    ps->retry = true;
    if (ps->server)
        pl_ps_server_install(ps, old);
    if (ps->worker)
        pl_ps_worker_install(ps);
    for (int r = 0; ps->server && r < ps->size; r++)
        if (takes_part(ps, old, r) && !takes_part(ps, view, r))
            pl_ps_send_header(ps, r, PL_PS_BYE, !anybody_works(view), 1);
    if (!ps->over && !takes_part(ps, view, ps->rank))
        end(ps, old);
    ask_again(ps);
    free(old);
}
