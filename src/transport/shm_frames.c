/* Frames of the shared-memory transport: written to the peers' rings, taken from the
 * own, and what becomes of both when a peer ends.
 *
 * What fits goes out inside send; the rest waits in a queue per peer and goes
 * on from progress: a full ring never blocks. A long frame is a stream of pieces
 * of up to 8 KiB, so that the receiver copies one while the sender writes the next.
 *
 * progress looks at all announced rings while they are few, else at HOT ones in front,
 * to which a ring is moved when something was found in it, and at a slice of the others;
 * sleep() looks at all before it sleeps, so none is forgotten.
 */
#include "shm_port.h"

#include "errors.h"
#include "log.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    BURST = 32,      /* records taken from one ring before the next one's turn */
    HOT = 16,        /* announced rings looked at in every progress ... */
    SLICE = 16,      /* ... and how many of the others */
    IDLE_LOOK = 4096 /* fruitless calls of progress between two looks at the clock */
};

/* ---- sending ---- */

static int announce(struct pl_shm_port *port, struct pl_shm_peer *peer)
{
    int error = pl_segment_map_ring(&peer->view, port->rank);
    if (error)
        return error;
    struct pl_segment *theirs = peer->view.segment;
    peer->out.ring = peer->view.ring;
    peer->out.index = pl_ring_start(port->rank);
    peer->out.ring->pid = getpid();
    peer->out.ring->fd = port->file;
    peer->out.ring->nonce = port->segment->nonce;
    atomic_fetch_or(&pl_segment_senders(theirs)[port->rank / 64], (uint64_t)1 << port->rank % 64);
    atomic_fetch_add(&theirs->announced, 1);
    return 0;
}

/* Writes as much of the operation as there is room for. Returns whether all is written;
 * *wrote is set if anything was. */
static bool write_some(struct pl_shm_peer *peer, struct pl_operation *operation,
                       const struct pl_header *header, bool *wrote)
{
    if (operation->length <= PL_RECORD_MAX) {
        if (!pl_ring_put(&peer->out, PL_RECORD_FRAME, header, operation->payload, operation->length))
            return false;
        *wrote = true;
        return true;
    }
    while (operation->progress < operation->length) {
        size_t bytes =
            pl_ring_put_piece(&peer->out, header, operation->payload, operation->length, operation->progress);
        if (!bytes)
            return false;
        operation->progress += bytes;
        *wrote = true;
        pl_shm_order();
        if (atomic_load_explicit(&peer->view.segment->state, memory_order_relaxed))
            pl_segment_wake(&peer->view);
    }
    return true;
}

/* Queues what could not be written. */
static int enqueue(struct pl_shm_port *port, struct pl_shm_peer *peer, struct pl_operation *operation)
{
    struct pl_list *node = pl_list_first(&port->parcels);
    struct pl_parcel *parcel = node ? pl_container(node, struct pl_parcel, link) : malloc(sizeof *parcel);
    if (!parcel)
        return pl_fail(PL_ENOMEM, "out of memory for a frame that waits for room to rank %d",
                       peer->endpoint.peer);
    if (node)
        pl_list_remove(node);
    parcel->operation = operation;
    parcel->header = operation->header;
    if (pl_list_empty(&peer->queue))
        pl_list_append(&port->pending, &peer->pending);
    pl_list_append(&peer->queue, &parcel->link);
    return PL_PENDING;
}

/* Takes the first parcel off the queue, which has one. */
static struct pl_operation *dequeue(struct pl_shm_port *port, struct pl_shm_peer *peer)
{
    struct pl_parcel *parcel = pl_container(pl_list_first(&peer->queue), struct pl_parcel, link);
    pl_list_remove(&parcel->link);
    pl_list_append(&port->parcels, &parcel->link);
    if (pl_list_empty(&peer->queue))
        pl_list_remove(&peer->pending);
    return parcel->operation;
}

static int send_slowly(struct pl_shm_port *port, struct pl_shm_peer *peer, struct pl_operation *operation)
{
    if (peer->error)
        return pl_fail(peer->error, "%s", peer->cause);
    if (port->closing)
        return pl_fail(PL_ECANCELLED, "the port of rank %d is being closed", port->rank);
    if (!peer->out.ring) {
        int error = announce(port, peer);
        if (error)
            return error;
    }
    bool wrote = false;
    operation->progress = 0;
    if (pl_list_empty(&peer->queue) && write_some(peer, operation, &operation->header, &wrote))
        return pl_shm_ring_bell(peer);
    if (wrote)
        pl_shm_ring_bell(peer);
    return enqueue(port, peer, operation);
}

int pl_shm_send(struct pl_endpoint *endpoint, struct pl_operation *operation)
{
    struct pl_shm_peer *peer = pl_shm_peer_of(endpoint);
    if (peer->out.ring && operation->length <= PL_RECORD_MAX && pl_list_empty(&peer->queue) && !peer->error &&
        pl_ring_put(&peer->out, PL_RECORD_FRAME, &operation->header, operation->payload, operation->length))
        return pl_shm_ring_bell(peer);
    return send_slowly(pl_shm_port_of(endpoint->port), peer, operation);
}

/* Goes on with what is queued for one peer. Returns completions. */
static int push(struct pl_shm_port *port, struct pl_shm_peer *peer)
{
    int events = 0;
    bool wrote = false;
    atomic_store_explicit(&peer->out.ring->wanted, 0, memory_order_relaxed);
    for (;;) {
        struct pl_list *node = pl_list_first(&peer->queue);
        if (!node)
            break;
        struct pl_parcel *parcel = pl_container(node, struct pl_parcel, link);
        if (!write_some(peer, parcel->operation, &parcel->header, &wrote)) {
            if (peer->out.tail - peer->out.head > PL_RING_CELLS)
                pl_shm_condemn(port, peer, PL_EPROTOCOL, "rank %d wrote garbage into shared memory",
                               peer->endpoint.peer);
            break;
        }
        struct pl_operation *operation = dequeue(port, peer);
        events++;
        operation->done(operation, 0);
    }
    if (wrote)
        pl_shm_ring_bell(peer);
    return events + wrote;
}

/* Each peer with queued operations has one turn. Completions may start others and take peers off the list. */
static int push_all(struct pl_shm_port *port)
{
    int events = 0, most = port->nknown;
    struct pl_list *last = port->pending.prev, *node = NULL;
    while (node != last && most-- > 0 && (node = pl_list_first(&port->pending))) {
        pl_list_remove(node);
        pl_list_append(&port->pending, node);
        events += push(port, pl_container(node, struct pl_shm_peer, pending));
    }
    return events;
}

/* ---- receiving ---- */

/* The sender of a ring just announced. */
static void adopt(struct pl_shm_port *port, int sender)
{
    struct pl_shm_peer *peer = pl_shm_meet(port, sender);
    if (!peer)
        return;
    struct pl_ring *ring = pl_segment_ring(port->segment, sender);
    port->senders[sender / 64] |= (uint64_t)1 << sender % 64;
    if (peer->buried)
        return;
    peer->in.ring = ring;
    peer->in.index = pl_ring_start(sender);
    port->active[port->nactive++] = peer;
    if (peer->view.segment)
        return;
    pl_segment_view_init(&peer->view, sender, ring->pid, ring->fd, ring->nonce);
    if (pl_segment_open(&peer->view) == PL_EPEER && atomic_load(&ring->left) != PL_RING_CLOSED)
        pl_shm_condemn(port, peer, PL_EPEER, "process %d of rank %d is gone", peer->view.pid, sender);
}

static void adopt_all(struct pl_shm_port *port, uint32_t announced)
{
    _Atomic uint64_t *senders = pl_segment_senders(port->segment);
    port->announced = announced;
    for (int w = 0; w < (port->slots + 63) / 64; w++) {
        uint64_t fresh = atomic_load(&senders[w]) & ~port->senders[w];
        for (; fresh; fresh &= fresh - 1) {
            int sender = w * 64 + __builtin_ctzll(fresh);
            if (sender < port->slots)
                adopt(port, sender);
        }
    }
}

void pl_shm_end_stream(struct pl_shm_port *port, struct pl_shm_peer *peer, int status)
{
    peer->streaming = false;
    port->upcalls->landed(port->context, peer->endpoint.peer, &peer->landing, peer->total, status);
}

/* Copies one piece of a long frame to its place. */
static void land(struct pl_shm_port *port, struct pl_shm_peer *peer, const struct pl_record_view *view)
{
    if (peer->landing.buffer && peer->landed < peer->landing.capacity) {
        size_t bytes = view->length, room = peer->landing.capacity - peer->landed;
        memcpy((char *)peer->landing.buffer + peer->landed, view->cell + 1, bytes < room ? bytes : room);
    }
    peer->landed += view->length;
}

/* Takes one record. Returns false if it makes no sense. */
static bool take(struct pl_shm_port *port, struct pl_shm_peer *peer, const struct pl_record_view *view)
{
    struct pl_cell *cell = view->cell;
    if (view->kind == PL_RECORD_SKIP)
        return true;
    if (view->kind == PL_RECORD_HELP)
        return port->closing || pl_shm_help(port, peer, &cell->header);
    if (view->kind == PL_RECORD_MORE) {
        if (port->closing)
            return true;
        if (!peer->streaming || !view->length || view->length > peer->total - peer->landed)
            return false;
        land(port, peer, view);
        return true;
    }
    if (peer->streaming) /* the sender has given the last one up */
        pl_shm_end_stream(port, peer, PL_EPEER);
    if (view->kind == PL_RECORD_FRAME) {
        const void *payload = !view->length      ? NULL
                              : view->cells == 1 ? cell->data
                                                 : (unsigned char *)(cell + 1);
        if (!port->closing)
            port->upcalls->arrived(port->context, peer->endpoint.peer, &cell->header, view->length, payload,
                                   NULL);
        return true;
    }
    memcpy(&peer->total, cell->data, sizeof peer->total);
    if (!view->length || peer->total <= view->length || peer->total > (uint64_t)INT64_MAX)
        return false;
    peer->landed = 0;
    peer->landing = (struct pl_landing){NULL, 0, NULL};
    if (!port->closing) {
        port->upcalls->arrived(port->context, peer->endpoint.peer, &cell->header, peer->total, NULL,
                               &peer->landing);
        peer->streaming = true;
    }
    land(port, peer, view);
    return true;
}

/* Takes what waits in a ring, at most BURST records. Returns how many. */
static int receive(struct pl_shm_port *port, struct pl_shm_peer *peer)
{
    struct pl_record_view view;
    int n = 0;
    while (n < BURST) {
        int found = pl_ring_peek(&peer->in, &view);
        if (!found)
            break;
        if (found < 0 || !take(port, peer, &view)) {
            pl_shm_condemn(port, peer, PL_EPROTOCOL, "rank %d wrote garbage into shared memory",
                           peer->endpoint.peer);
            break;
        }
        n++;
        bool told = pl_ring_pop(&peer->in, &view);
        if (peer->streaming && peer->landed == peer->total)
            pl_shm_end_stream(port, peer, 0);
        if (told) {
            pl_shm_order();
            if (atomic_load_explicit(&peer->in.ring->wanted, memory_order_relaxed) && peer->view.segment)
                pl_segment_wake(&peer->view);
        }
    }
    return n;
}

/* Looks at the rings: at all while they are few. */
static int receive_all(struct pl_shm_port *port)
{
    int events = 0, hot = port->nactive < HOT + SLICE ? port->nactive : HOT;
    for (int i = 0; i < hot; i++)
        if (pl_ring_ready(&port->active[i]->in))
            events += receive(port, port->active[i]);
    if (hot == port->nactive)
        return events;
    for (int k = 0; k < SLICE; k++) {
        if (port->slice_from < hot || port->slice_from >= port->nactive)
            port->slice_from = hot;
        int i = port->slice_from++;
        struct pl_shm_peer *peer = port->active[i];
        if (!pl_ring_ready(&peer->in))
            continue;
        events += receive(port, peer);
        port->active[i] = port->active[i % HOT];
        port->active[i % HOT] = peer;
    }
    return events;
}

/* ---- the end of a peer ---- */

void pl_shm_fail_queue(struct pl_shm_port *port, struct pl_shm_peer *peer, int error)
{
    while (!pl_list_empty(&peer->queue)) {
        struct pl_operation *operation = dequeue(port, peer);
        pl_fail(error, "%s", peer->cause);
        operation->done(operation, error);
    }
}

static void bury(struct pl_shm_port *port, struct pl_shm_peer *peer)
{
    peer->buried = true;
    port->attention--;
    for (int i = 0; i < port->nactive; i++)
        if (port->active[i] == peer) {
            port->active[i] = port->active[--port->nactive];
            break;
        }
    pl_shm_fail_queue(port, peer, peer->error);
    if (port->sharing)
        pl_shm_settle(port);
    if (peer->streaming)
        pl_shm_end_stream(port, peer, peer->error);
    pl_info("%s", peer->cause);
    if (!port->closing && !peer->left)
        port->upcalls->lost(port->context, peer->endpoint.peer, peer->error, peer->cause);
}

/* Buries who is gone, once what it wrote has been read; ends frames that were given up. */
static int carry_out(struct pl_shm_port *port)
{
    int events = 0;
    for (int i = 0; i < port->nknown; i++) {
        struct pl_shm_peer *peer = port->known[i];
        if (peer->abandoned) {
            peer->abandoned = false;
            port->attention--;
            if (peer->streaming && !pl_ring_ready(&peer->in))
                pl_shm_end_stream(port, peer, PL_EPEER);
        }
        if (!peer->error || peer->buried)
            continue;
        if (peer->error != PL_EPROTOCOL && peer->in.ring && pl_ring_ready(&peer->in))
            continue;
        bury(port, peer);
        events++;
    }
    return events;
}

int pl_shm_progress(struct pl_port *base)
{
    struct pl_shm_port *port = pl_shm_port_of(base);
    int events = 0;
    uint32_t announced = atomic_load_explicit(&port->segment->announced, memory_order_acquire);
    if (__builtin_expect(announced != port->announced, 0))
        adopt_all(port, announced);
    if (__builtin_expect(port->watched, 0))
        pl_shm_unwatch(port);
    events += receive_all(port);
    if (!pl_list_empty(&port->pending))
        events += push_all(port);
    if (__builtin_expect(port->sharing, 0))
        events += pl_shm_settle(port);
    if (__builtin_expect(port->attention, 0))
        events += carry_out(port);
    if (events) {
        port->idle = 0;
        if (atomic_load_explicit(&port->segment->state, memory_order_relaxed) & PL_SHM_FUTEX)
            pl_segment_wake_state(&port->segment->state, -1); /* another thread of this rank */
    } else if (++port->idle % IDLE_LOOK == 0) {
        pl_shm_look(port);
    }
    return events;
}
