/* The reference transport: ranks are threads of one process.
 *
 * A frame is a node in the receiver's inbox. A small payload is copied into the
 * node by the sender. A large one stays in the sender's buffer; the receiver's
 * progress copies it straight to where it shall land, and puts the operation on
 * the sender's list of completed ones, from which the sender's progress reports
 * it: an upcall is only ever made by the thread whose port it is.
 *
 *     sender                      receiver
 *     send(4 MiB) -> inbox: frame --+
 *     PENDING          ^ payload    | progress: arrived, copy, landed
 *     progress: done <-+------------+
 *
 * Cost: one lock and one copy a frame (two for a small one), so it is simple
 * and obviously right before it is fast: what the other transports do is checked
 * against it. A sender that closes does not wait for its receivers: it
 * leaves them a copy of what they have not taken yet.
 *
 * Where faults are put in: every frame passes post() on its way into the
 * inbox and take() on its way out; in a simulated world (simulation.c) each is a
 * step, and between them a frame may be under way for a while, or be lost. Rejected: a lock per port (a send
 * needs two, and the deadlock check all of them), lock-free inboxes (shm has those).
 */
#include "loopback_port.h"

#include "errors.h"
#include "simulation.h"
#include "unsupported.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    EAGER_LIMIT = 4096, /* and what is copied by the sender */
    BATCH = 64,         /* most frames or completions of one progress */
    FDS_MAX = 16,
};

#define CARD_MAGIC UINT64_C(0x7065616c6c6f6f70)

struct card {
    uint64_t magic, fabric, process, rank;
};

/* ---- frames; the lock is held ---- */

static void deliver_to(struct pl_seat *to, struct pl_loop_frame *frame)
{
    pl_list_append(&to->inbox, &frame->link);
    to->inbox_length++;
    pl_seat_wake(to);
}

/* Simulated: the frame has been on its way, and is there. */
static void frame_due(struct pl_fabric *fabric, struct pl_timer *timer, bool over)
{
    struct pl_loop_frame *frame = pl_container(timer, struct pl_loop_frame, timer);
    struct pl_seat *to = &fabric->seats[frame->target];
    if (!over)
        pl_fabric_note(fabric, PL_EVENT_DUE, frame->target, frame->source, frame->length);
    if (!over && (to->fate == PL_FATE_PRESENT || to->fate == PL_FATE_ABSENT)) {
        deliver_to(to, frame);
        return;
    }
    pl_loop_give_back(fabric, frame, PL_EPEER);
    pl_loop_free(frame);
}

/* Nobody will ever get the frame. The sender of a large one is told when it notices that the way is lost. */
static void strand(struct pl_loop_frame *frame)
{
    frame->stranded = frame->operation != NULL;
    if (!frame->stranded)
        pl_loop_free(frame);
}

/* Simulated: the plan says what becomes of it. 0, or PL_EPEER: it did not go, for the sender died. */
static int post_simulated(struct pl_seat *to, struct pl_loop_frame *frame)
{
    struct pl_fabric *fabric = to->fabric;
    if (!pl_simulation_step(fabric, frame->source))
        return pl_fail(PL_EPEER, "rank %d: %s", frame->source, fabric->seats[frame->source].cause);
    struct pl_passage passage =
        pl_simulation_pass(fabric, frame->source, frame->target, 8 * (PL_HEADER_SIZE + frame->length));
    if (passage.flip > 8 * PL_HEADER_SIZE && frame->large)
        frame->flip = passage.flip - 8 * PL_HEADER_SIZE;
    else if (passage.flip > 8 * PL_HEADER_SIZE)
        pl_simulation_flip(frame->bytes, frame->length, passage.flip - 8 * PL_HEADER_SIZE);
    else if (passage.flip)
        pl_simulation_flip(&frame->header, PL_HEADER_SIZE, passage.flip);
    if (frame->operation)
        pl_list_append(&fabric->seats[frame->source].outgoing, &frame->sent);
    if (passage.gone)
        strand(frame);
    else if (passage.due > fabric->now)
        pl_fabric_at(fabric, &frame->timer, passage.due, frame_due);
    else
        deliver_to(to, frame);
    return 0;
}

static int post(struct pl_seat *to, struct pl_loop_frame *frame)
{
    pl_fabric_note(to->fabric, PL_EVENT_SEND, frame->source, to->rank, frame->length);
    if (to->fabric->simulation)
        return post_simulated(to, frame);
    if (frame->operation)
        pl_list_append(&to->fabric->seats[frame->source].outgoing, &frame->sent);
    deliver_to(to, frame);
    return 0;
}

/* The next frame to deliver: the first; deterministic: of a source drawn by lot, its first. */
static struct pl_loop_frame *take(struct pl_seat *seat)
{
    struct pl_list *node = pl_list_first(&seat->inbox);
    if (!node || (seat->fabric->simulation && !pl_simulation_step(seat->fabric, seat->rank)))
        return NULL;
    if (seat->fabric->deterministic) {
        for (uint64_t n = pl_fabric_draw(seat->fabric, seat->inbox_length); n; n--)
            node = node->next;
        int source = pl_container(node, struct pl_loop_frame, link)->source;
        node = pl_list_first(&seat->inbox);
        while (pl_container(node, struct pl_loop_frame, link)->source != source)
            node = node->next;
    }
    struct pl_loop_frame *frame = pl_container(node, struct pl_loop_frame, link);
    pl_list_remove(&frame->link);
    seat->inbox_length--;
    pl_fabric_note(seat->fabric, PL_EVENT_ARRIVE, seat->rank, frame->source, frame->length);
    return frame;
}

/* The frame no longer needs the sender's buffer. */
void pl_loop_give_back(struct pl_fabric *fabric, struct pl_loop_frame *frame, int status)
{
    if (!frame->operation)
        return;
    struct pl_seat *sender = &fabric->seats[frame->source];
    pl_list_remove(&frame->sent);
    frame->operation->progress = (size_t)-status;
    pl_list_append(&sender->completed, &frame->operation->link);
    frame->operation = NULL;
    pl_seat_wake(sender);
}

void pl_loop_free(struct pl_loop_frame *frame)
{
    free(frame->copy);
    free(frame);
}

void pl_seat_drop_inbox(struct pl_seat *seat)
{
    pl_list_each(node, &seat->inbox)
    {
        struct pl_loop_frame *frame = pl_container(node, struct pl_loop_frame, link);
        pl_list_remove(&frame->link);
        pl_loop_give_back(seat->fabric, frame, PL_EPEER);
        pl_loop_free(frame);
    }
    seat->inbox_length = 0;
}

/* Takes back the payloads still in this rank's buffers, of frames to one peer or (-1) all:
 * by leaving a copy, or by withdrawing the frame with `status` as the operation's. */
static void settle(struct pl_seat *seat, int peer, bool leave_copy, int status)
{
    struct pl_list *node = seat->outgoing.next;
    while (node != &seat->outgoing) {
        struct pl_loop_frame *frame = pl_container(node, struct pl_loop_frame, sent);
        if (frame->copying) {
            pthread_cond_wait(&seat->fabric->settled, &seat->fabric->lock);
            node = seat->outgoing.next;
            continue;
        }
        node = node->next;
        if (peer >= 0 && frame->target != peer)
            continue;
        frame->copy = leave_copy && !frame->stranded && !frame->local ? malloc(frame->length) : NULL;
        if (frame->copy)
            memcpy(frame->copy, frame->payload, frame->length);
        frame->payload = frame->copy;
        pl_loop_give_back(seat->fabric, frame, frame->copy ? 0 : status);
        if (frame->stranded)
            pl_loop_free(frame);
    }
}

void pl_loop_lose_way(struct pl_fabric *fabric, int from, int to)
{
    pl_list_each(node, &fabric->timers)
    {
        struct pl_timer *timer = pl_container(node, struct pl_timer, link);
        struct pl_loop_frame *frame = pl_container(timer, struct pl_loop_frame, timer);
        if ((timer->fire != frame_due && timer->fire != pl_loop_get_due) || frame->source != from ||
            frame->target != to)
            continue;
        pl_list_remove(node);
        strand(frame);
    }
}

/* Whether a frame of the dead rank is lost; if it is, so are all that follow it on its way. */
static bool is_lost(struct pl_fabric *fabric, const struct pl_loop_frame *frame, int dead)
{
    if (frame->source != dead)
        return false;
    struct pl_way *way = pl_simulation_way(fabric, dead, frame->target);
    way->cut = way->cut || frame->large || pl_fabric_draw(fabric, 4) == 0;
    return way->cut;
}

void pl_loop_lose_some(struct pl_fabric *fabric, int rank)
{
    for (int r = 0; r < fabric->size; r++) {
        struct pl_seat *seat = &fabric->seats[r];
        pl_list_each(node, &seat->inbox)
        {
            struct pl_loop_frame *frame = pl_container(node, struct pl_loop_frame, link);
            if (!is_lost(fabric, frame, rank))
                continue;
            pl_list_remove(node);
            seat->inbox_length--;
            strand(frame);
        }
    }
    pl_list_each(node, &fabric->timers)
    {
        struct pl_timer *timer = pl_container(node, struct pl_timer, link);
        struct pl_loop_frame *frame = pl_container(timer, struct pl_loop_frame, timer);
        if (timer->fire != frame_due || !is_lost(fabric, frame, rank))
            continue;
        pl_list_remove(node);
        strand(frame);
    }
}

/* ---- open and close ---- */

void pl_fabric_card(struct pl_fabric *fabric, int rank, void *card, size_t *length)
{
    const struct card mine = {CARD_MAGIC, (uint64_t)(uintptr_t)fabric, (uint64_t)getpid(), (uint64_t)rank};
    memcpy(card, &mine, sizeof mine);
    *length = sizeof mine;
}

static int loopback_open(const struct pl_port_params *params, struct pl_port **out)
{
    struct pl_fabric *fabric = params->fabric;
    if (!fabric)
        return pl_fail(PL_EUNSUPPORTED, "loopback connects ranks of one process; rank %d is in none",
                       params->rank);
    if (params->rank < 0 || params->rank >= fabric->size)
        return pl_fail(PL_EARG, "rank %d in an in-process world of %d", params->rank, fabric->size);
    struct pl_loop_port *port = calloc(1, sizeof *port);
    if (!port)
        return pl_fail(PL_ENOMEM, "no memory for the port of rank %d", params->rank);
    struct pl_seat *seat = &fabric->seats[params->rank];
    port->base.transport = &pl_loopback;
    port->seat = seat;
    pl_list_init(&port->endpoints);

    int error = 0;
    pl_fabric_lock(fabric);
    if (seat->fate == PL_FATE_DEAD) {
        error = pl_fail(PL_EPEER, "rank %d: %s", params->rank, seat->cause);
    } else if (seat->open) {
        error = pl_fail(PL_EARG, "rank %d has its port open already", params->rank);
    } else {
        seat->upcalls = params->upcalls;
        seat->context = params->context;
        seat->deaths_seen = 0;
        pl_seat_enter(seat);
    }
    pl_fabric_unlock(fabric);
    if (error) {
        free(port);
        return error;
    }
    *out = &port->base;
    return 0;
}

/* Reports up to `most` completions; returns how many. */
static int complete(struct pl_seat *seat, int most)
{
    int events = 0;
    for (; events < most; events++) {
        pl_fabric_lock(seat->fabric);
        struct pl_list *node = pl_list_first(&seat->completed);
        if (node) {
            pl_list_remove(node);
            pl_fabric_note(seat->fabric, PL_EVENT_COMPLETE, seat->rank, 0, 0);
        }
        pl_fabric_unlock(seat->fabric);
        if (!node)
            break;
        struct pl_operation *operation = pl_container(node, struct pl_operation, link);
        operation->done(operation, -(int)operation->progress);
    }
    return events;
}

static void loopback_close(struct pl_port *base)
{
    if (!base)
        return;
    struct pl_loop_port *port = pl_loop_port_of(base);
    struct pl_seat *seat = port->seat;
    pl_fabric_lock(seat->fabric);
    settle(seat, -1, seat->fate == PL_FATE_PRESENT, PL_EPEER);
    if (seat->fate == PL_FATE_PRESENT)
        seat->fate = PL_FATE_LEFT;
    pl_seat_drop_inbox(seat);
    pl_fabric_unlock(seat->fabric);

    complete(seat, INT32_MAX);

    pl_fabric_lock(seat->fabric);
    if (seat->event_fd >= 0)
        close(seat->event_fd);
    seat->event_fd = -1;
    pl_seat_leave(seat);
    pl_fabric_unlock(seat->fabric);
    pl_list_each(node, &port->endpoints) free(pl_container(node, struct pl_loop_endpoint, link));
    free(port);
}

static int loopback_address(struct pl_port *port, void *card, size_t *length)
{
    const struct pl_seat *seat = pl_loop_port_of(port)->seat;
    pl_fabric_card(seat->fabric, seat->rank, card, length);
    return 0;
}

static int loopback_connect(struct pl_port *base, int peer, const void *data, size_t length,
                            struct pl_endpoint **out)
{
    struct pl_loop_port *port = pl_loop_port_of(base);
    const struct pl_fabric *fabric = port->seat->fabric;
    struct card card, mine;
    size_t size;
    if (length != sizeof card || memcmp(data, &(uint64_t){CARD_MAGIC}, sizeof(uint64_t)) != 0)
        return pl_fail(PL_EPROTOCOL, "the card of rank %d (%zu bytes) is none of loopback's", peer, length);
    memcpy(&card, data, sizeof card);
    pl_fabric_card(port->seat->fabric, peer, &mine, &size);
    if (card.fabric != mine.fabric || card.process != mine.process)
        return pl_fail(PL_EUNREACHABLE, "rank %d is in another process or in-process world", peer);
    if (card.rank != mine.rank || peer < 0 || peer >= fabric->size)
        return pl_fail(PL_EPROTOCOL, "the card of rank %d says it is rank %llu of %d", peer,
                       (unsigned long long)card.rank, fabric->size);
    struct pl_loop_endpoint *endpoint = calloc(1, sizeof *endpoint);
    if (!endpoint)
        return pl_fail(PL_ENOMEM, "no memory for an endpoint to rank %d", peer);
    endpoint->base = (struct pl_endpoint){.transport = &pl_loopback, .port = base, .peer = peer};
    pl_list_append(&port->endpoints, &endpoint->link);
    *out = &endpoint->base;
    return 0;
}

static void loopback_disconnect(struct pl_endpoint *base)
{
    if (!base)
        return;
    struct pl_loop_endpoint *endpoint = (struct pl_loop_endpoint *)base;
    struct pl_seat *seat = pl_loop_seat(base);
    pl_fabric_lock(seat->fabric);
    settle(seat, base->peer, false, PL_ECANCELLED);
    pl_fabric_unlock(seat->fabric);
    complete(seat, INT32_MAX);
    pl_list_remove(&endpoint->link);
    free(endpoint);
}

/* ---- sending and progress ---- */

/* Whether the way is open; the lock is held. */
int pl_loop_check_way(const struct pl_endpoint *endpoint)
{
    const struct pl_seat *me = pl_loop_seat(endpoint), *peer = pl_loop_peer(endpoint);
    if (me->fate == PL_FATE_DEAD)
        return pl_fail(PL_EPEER, "rank %d: %s", me->rank, me->cause);
    if (peer->fate == PL_FATE_DEAD && !me->fabric->simulation) /* else it is not known yet */
        return pl_fail(PL_EPEER, "rank %d: %s", peer->rank, peer->cause);
    const struct pl_simulation *simulation = me->fabric->simulation;
    const struct pl_loss *loss =
        simulation ? pl_simulation_way(me->fabric, me->rank, peer->rank)->loss : NULL;
    if (loss)
        return pl_fail(PL_EPEER, "rank %d: %s", peer->rank, loss->cause);
    if (me->fate != PL_FATE_PRESENT || peer->fate == PL_FATE_LEFT)
        return pl_fail(PL_EPEER, "rank %d has closed its port",
                       peer->fate == PL_FATE_LEFT ? peer->rank : me->rank);
    return 0;
}

static int loopback_send(struct pl_endpoint *base, struct pl_operation *operation)
{
    struct pl_seat *me = pl_loop_seat(base);
    bool large = operation->length > EAGER_LIMIT;
    struct pl_loop_frame *frame = malloc(sizeof *frame + (large ? 0 : operation->length));
    if (!frame)
        return pl_fail(PL_ENOMEM, "no memory for a frame of %zu bytes to rank %d", operation->length,
                       base->peer);
    *frame = (struct pl_loop_frame){.header = operation->header,
                                    .source = me->rank,
                                    .target = base->peer,
                                    .large = large,
                                    .length = operation->length};
    if (large) {
        frame->operation = operation;
        frame->payload = operation->payload;
    } else if (operation->length) {
        memcpy(frame->bytes, operation->payload, operation->length);
    }

    pl_fabric_lock(me->fabric);
    int error = pl_loop_check_way(base);
    if (!error)
        error = post(pl_loop_peer(base), frame);
    pl_fabric_unlock(me->fabric);
    if (error)
        free(frame);
    return error ? error : large ? PL_PENDING : 0;
}

/* Copies a large payload to where it shall land. */
static void land(struct pl_seat *seat, struct pl_loop_frame *frame, const struct pl_landing *landing)
{
    struct pl_fabric *fabric = seat->fabric;
    size_t wanted = landing->capacity < frame->length ? landing->capacity : frame->length;
    pl_fabric_lock(fabric);
    bool there = frame->payload != NULL;
    frame->copying = there;
    pl_fabric_unlock(fabric);
    if (there && landing->buffer && wanted)
        memcpy(landing->buffer, frame->payload, wanted);
    if (there && landing->buffer && frame->flip)
        pl_simulation_flip(landing->buffer, wanted, frame->flip);
    pl_fabric_lock(fabric);
    frame->copying = false;
    pl_loop_give_back(fabric, frame, 0);
    pthread_cond_broadcast(&fabric->settled);
    pl_fabric_unlock(fabric);
    int status =
        there ? 0
              : pl_fail(PL_EPEER, "rank %d withdrew a message of %zu bytes", frame->source, frame->length);
    seat->upcalls->landed(seat->context, frame->source, landing, frame->length, status);
}

static int deliver(struct pl_seat *seat)
{
    int events = 0;
    for (; events < BATCH; events++) {
        pl_fabric_lock(seat->fabric);
        struct pl_loop_frame *frame = seat->fate == PL_FATE_DEAD ? NULL : take(seat);
        pl_fabric_unlock(seat->fabric);
        if (!frame)
            break;
        struct pl_landing landing = {NULL, 0, NULL};
        seat->upcalls->arrived(seat->context, frame->source, &frame->header, frame->length,
                               frame->large || !frame->length ? NULL : frame->bytes,
                               frame->large ? &landing : NULL);
        if (frame->large)
            land(seat, frame, &landing);
        pl_loop_free(frame);
    }
    return events;
}

/* The next death to report here, or -1. What the dead sent before comes first. The lock is held. */
static int next_death(struct pl_seat *seat)
{
    struct pl_fabric *fabric = seat->fabric;
    while (seat->deaths_seen < fabric->ndeaths && fabric->deaths[seat->deaths_seen] == seat->rank)
        seat->deaths_seen++;
    if (seat->deaths_seen == fabric->ndeaths || seat->fate == PL_FATE_DEAD)
        return -1;
    int dead = fabric->deaths[seat->deaths_seen];
    pl_list_each(node,
                 &seat->inbox) if (pl_container(node, struct pl_loop_frame, link)->source == dead) return -1;
    if (!pl_list_empty(&seat->completed))
        return -1;
    seat->deaths_seen++;
    pl_fabric_note(fabric, PL_EVENT_LOST, seat->rank, dead, 0);
    return dead;
}

/* Simulated: the next loss to report here, when what came before it has been, or NULL. The lock is held. */
static struct pl_loss *next_loss(struct pl_seat *seat)
{
    struct pl_list *first = pl_list_first(&seat->losses);
    if (!first || seat->fate == PL_FATE_DEAD)
        return NULL;
    struct pl_loss *loss = pl_container(first, struct pl_loss, link);
    pl_list_each(node, &seat->inbox) if (pl_container(node, struct pl_loop_frame, link)->source ==
                                         loss->peer) return NULL;
    struct pl_way *way = pl_simulation_way(seat->fabric, seat->rank, loss->peer);
    way->loss = loss;
    settle(seat, loss->peer, false, PL_EPEER);
    if (!pl_list_empty(&seat->completed))
        return NULL;
    /* nothing of it comes after this */
    pl_simulation_way(seat->fabric, loss->peer, seat->rank)->cut = true;
    pl_loop_lose_way(seat->fabric, loss->peer, seat->rank);
    pl_list_remove(first);
    pl_list_append(&seat->fabric->simulation->told, &loss->link);
    pl_fabric_note(seat->fabric, PL_EVENT_LOST, seat->rank, loss->peer, 0);
    return loss;
}

static int report_losses(struct pl_seat *seat)
{
    for (int events = 0;; events++) {
        pl_fabric_lock(seat->fabric);
        struct pl_loss *loss = next_loss(seat);
        pl_fabric_unlock(seat->fabric);
        if (!loss)
            return events;
        seat->upcalls->lost(seat->context, loss->peer, PL_EPEER, loss->cause);
    }
}

static int report_deaths(struct pl_seat *seat)
{
    for (int events = 0;; events++) {
        pl_fabric_lock(seat->fabric);
        int dead = next_death(seat);
        pl_fabric_unlock(seat->fabric);
        if (dead < 0)
            return events;
        seat->upcalls->lost(seat->context, dead, PL_EPEER, seat->fabric->seats[dead].cause);
    }
}

static int loopback_progress(struct pl_port *base)
{
    struct pl_seat *seat = pl_loop_port_of(base)->seat;
    int events = complete(seat, BATCH) + deliver(seat) + report_deaths(seat);
    if (seat->fabric->simulation)
        events += report_losses(seat);
    pl_fabric_lock(seat->fabric);
    bool dead = seat->fate == PL_FATE_DEAD;
    if (dead)
        settle(seat, -1, false, PL_EPEER);
    pl_fabric_unlock(seat->fabric);
    if (dead)
        complete(seat, INT32_MAX);
    if (dead)
        return pl_fail(PL_EPEER, "rank %d: %s", seat->rank, seat->cause);
    return events;
}

/* ---- waiting ---- */

static int loopback_wait_fd(struct pl_port *base, bool *ready)
{
    struct pl_seat *seat = pl_loop_port_of(base)->seat;
    pl_fabric_lock(seat->fabric);
    if (seat->event_fd < 0)
        seat->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    uint64_t count;
    *ready = pl_seat_ready(seat);
    if (seat->event_fd < 0)
        *ready = true; /* out of descriptors: the caller looks again instead of sleeping */
    else if (!*ready && read(seat->event_fd, &count, sizeof count) < 0)
        assert(errno == EAGAIN);
    int fd = seat->event_fd;
    pl_fabric_unlock(seat->fabric);
    return fd;
}

static int sleep_beside(struct pl_port *base, int64_t timeout_ns, const int *fds, int nfds)
{
    bool ready;
    struct pollfd polled[FDS_MAX + 1] = {{.fd = loopback_wait_fd(base, &ready), .events = POLLIN}};
    if (nfds > FDS_MAX)
        return pl_fail(PL_EARG, "sleeping on %d descriptors; %d are the limit", nfds, FDS_MAX);
    for (int i = 0; i < nfds; i++)
        polled[i + 1] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    struct timespec limit = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    if (!ready && ppoll(polled, (nfds_t)nfds + 1, timeout_ns < 0 ? NULL : &limit, NULL) < 0 && errno != EINTR)
        return pl_fail_errno("ppoll on %d descriptors", nfds + 1);
    return 0;
}

static int loopback_sleep(struct pl_port *base, int64_t timeout_ns, const int *fds, int nfds)
{
    struct pl_seat *seat = pl_loop_port_of(base)->seat;
    if (!seat->fabric->deterministic) {
        if (timeout_ns == 0) {
            sched_yield();
            return 0;
        }
        if (nfds > 0)
            return sleep_beside(base, timeout_ns, fds, nfds);
    }
    pl_fabric_lock(seat->fabric);
    int error = pl_seat_sleep(seat, timeout_ns);
    pl_fabric_unlock(seat->fabric);
    return error;
}

static bool loopback_cooperative(const struct pl_port *port)
{
    return ((const struct pl_loop_port *)port)->seat->fabric->deterministic;
}

const struct pl_transport pl_loopback = {
    .name = "loopback",
    .eager_limit = EAGER_LIMIT,
    .cooperative = loopback_cooperative,
    .open = loopback_open,
    .close = loopback_close,
    .address = loopback_address,
    .connect = loopback_connect,
    .disconnect = loopback_disconnect,
    .send = loopback_send,
    .progress = loopback_progress,
    .sleep = loopback_sleep,
    .wait_fd = loopback_wait_fd,
    .alloc = pl_loop_alloc,
    .free = pl_loop_dealloc,
    .map = pl_loop_map,
    .reg = pl_loop_reg,
    .reg_dmabuf = pl_no_reg_dmabuf,
    .dereg = pl_no_dereg,
    .get = pl_loop_get,
    .put = pl_loop_put,
    .reaches = pl_loop_reaches,
};
