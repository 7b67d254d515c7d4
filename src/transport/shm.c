/* Ranks of one host, by shared memory. Each rank owns a segment (shm_segment) in
 * which every peer has a ring to write to (shm_ring); the receiver reads a short
 * frame's payload in place and copies a long one, which comes in pieces, straight
 * to where it shall land. get and put are process_vm_readv and writev, tried
 * once per peer on a word whose value is known.
 *
 * Who has never sent costs nothing: a sender announces itself with a bit in the
 * receiver's bitmap, and progress looks only at rings that were announced: at all
 * of them while they are few, else at the recently busy ones and a slice of the others
 * (sleep looks at all before it sleeps).
 *
 * Sleeping: the sleeper sets a bit in its state word, fences, looks at its rings
 * again and only then sleeps; a sender writes its record, fences, and wakes who has
 * the bit set. One of the two sees the other, so no wake-up is lost. The sender's
 * fence is on the fast path: %FENCE%
 *
 * Death: pidfds are looked at while idle, every 50 ms. What a dead peer wrote
 * whole is delivered, then its operations fail, then `lost` is called. A peer that
 * closed its port in order is not an error: `lost` ("has left") only
 * if frames for it were still queued or it left in the middle of a frame; a send
 * to it fails with PL_EPEER. (A rank may finish while others still talk.)
 */
#include "shm_heap.h"
#include "shm_segment.h"
#include "unsupported.h"

#include "clock.h"
#include "config.h"
#include "errors.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    EXTRA_SLOTS = 1024, /* places for ranks that join later */
    BURST = 32,         /* records taken from one ring before the next one's turn */
    HOT = 16,           /* announced rings looked at in every progress ... */
    SLICE = 16,         /* ... and how many of the others */
    IDLE_LOOK = 4096,   /* fruitless calls of progress between two looks at the clock */
    COPY_MOST = 1 << 20 /* bytes of one process_vm call */
};
static const int64_t look_every = 50000000, sleep_most = 100000000;

extern const struct pl_transport pl_shm;

enum reach { REACH_UNKNOWN, REACH_YES, REACH_NO };

struct shm_peer {
    struct pl_endpoint endpoint;
    bool connected;
    struct pl_segment_view view;
    uint64_t probe; /* address of its nonce */
    enum reach reach;

    struct pl_ring_writer out;
    struct pl_list queue;   /* operations accepted, not written yet */
    struct pl_list pending; /* in port->pending while there are any */

    struct pl_ring_reader in;
    bool streaming; /* in the middle of a long frame */
    struct pl_landing landing;
    uint64_t total, landed;

    int error; /* it is gone, and why */
    bool buried;    /* `lost` was called */
    bool left;      /* it closed its port in order */
    bool abandoned; /* it disconnected in the middle of a frame */
    char cause[128];
};

struct shm_port {
    struct pl_port base;
    int rank, slots;
    const struct pl_upcalls *upcalls;
    void *context;
    double timeout;

    struct pl_segment *segment;
    int file;
    int pipe[2]; /* -1 until somebody sleeps in poll */
    struct pl_shm_heap heap;

    struct shm_peer **peers; /* [slots], NULL until met */
    struct shm_peer **known; /* those met, in order */
    int nknown, look_from;
    struct shm_peer **active; /* those whose rings are read, busy ones in front */
    int nactive, slice_from;
    uint32_t announced; /* announcements taken notice of */
    uint64_t *senders;  /* copy of the bitmap: who is in `active` or was */

    struct pl_list pending; /* peers with queued operations */
    int attention;          /* verdicts on peers that progress has to carry out */
    bool watched;           /* wait_fd has set the state's pipe bit */
    bool closing;
    unsigned idle;
    int64_t looked; /* when peers were last looked at */
};

static struct shm_port *port_of(struct pl_port *port)
{
    return pl_container(port, struct shm_port, base);
}

static struct shm_peer *peer_of(struct pl_endpoint *endpoint)
{
    return pl_container(endpoint, struct shm_peer, endpoint);
}

/* Orders a record just written before the look at the receiver's state, and the reverse. */
static inline void order(void)
{
#ifndef NOFENCE
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* ---- peers ---- */

/* The record of a peer, made when first met. NULL: out of memory, or it has no place here. */
static struct shm_peer *meet(struct shm_port *port, int number)
{
    if (port->peers[number])
        return port->peers[number];
    struct shm_peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return NULL;
    peer->endpoint = (struct pl_endpoint){port->base.transport, &port->base, number};
    pl_segment_view_init(&peer->view, number, 0, -1, 0);
    pl_list_init(&peer->queue);
    pl_list_init(&peer->pending);
    port->peers[number] = peer;
    port->known[port->nknown++] = peer;
    return peer;
}

/* Decides that the peer is gone; progress does what follows from it. */
static int condemn(struct shm_port *port, struct shm_peer *peer, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static int condemn(struct shm_port *port, struct shm_peer *peer, int error, const char *format, ...)
{
    if (peer->error)
        return peer->error;
    va_list args;
    va_start(args, format);
    vsnprintf(peer->cause, sizeof peer->cause, format, args);
    va_end(args);
    peer->error = error;
    port->attention++;
    return pl_fail(error, "%s", peer->cause);
}

/* A living peer: has it closed its port, or given up in the middle of a frame? */
static void look_at_leaving(struct shm_port *port, struct shm_peer *peer)
{
    uint32_t left = peer->in.ring ? atomic_load(&peer->in.ring->left) : PL_RING_OPEN;
    if (left == PL_RING_CLOSED || (peer->view.segment && atomic_load(&peer->view.segment->state) & PL_SHM_CLOSED))
        peer->left = true;
    bool cut = peer->streaming && !pl_ring_ready(&peer->in);
    if (peer->left && (cut || !pl_list_empty(&peer->queue)))
        condemn(port, peer, PL_EPEER, "rank %d has left", peer->endpoint.peer);
    else if (cut && left == PL_RING_LEFT && !peer->abandoned) {
        peer->abandoned = true;
        port->attention++;
    }
}

/* Looks whether peers are still there. */
static void look_at_peers(struct shm_port *port, int64_t now)
{
    enum { MOST = 256 };
    struct shm_peer *looked[MOST];
    struct pl_segment_view *views[MOST];
    bool dead[MOST];
    int n = 0, most = port->nknown < MOST ? port->nknown : MOST;
    port->looked = now;
    for (int i = 0; i < most; i++) {
        struct shm_peer *peer = port->known[(port->look_from + i) % port->nknown];
        if (peer->error)
            continue;
        look_at_leaving(port, peer);
        if (!peer->error && !peer->left && peer->view.segment) {
            looked[n] = peer;
            views[n++] = &peer->view;
        }
    }
    port->look_from = port->nknown ? (port->look_from + most) % port->nknown : 0;
    if (n)
        pl_segment_look(views, n, dead);
    for (int i = 0; i < n; i++) {
        if (!dead[i])
            continue;
        look_at_leaving(port, looked[i]); /* it may have left in order in between */
        if (!looked[i]->left)
            condemn(port, looked[i], PL_EPEER, "process %d of rank %d is gone", looked[i]->view.pid,
                    looked[i]->endpoint.peer);
    }
}

static void look_if_due(struct shm_port *port)
{
    int64_t now = pl_now();
    if (now - port->looked >= look_every)
        look_at_peers(port, now);
}

/* ---- sending ---- */

static int announce(struct shm_port *port, struct shm_peer *peer)
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

/* Wakes the receiver if it sleeps. Call after writing; *state is read after a fence. */
static inline int ring_bell(struct shm_peer *peer)
{
    order();
    uint32_t state = atomic_load_explicit(&peer->view.segment->state, memory_order_relaxed);
    if (__builtin_expect(state, 0)) {
        if (state & PL_SHM_CLOSED)
            return pl_fail(PL_EPEER, "rank %d has left", peer->endpoint.peer);
        pl_segment_wake(&peer->view);
    }
    return 0;
}

/* Writes as much of the operation as there is room for. Returns whether all is written;
 * *wrote is set if anything was. */
static bool write_some(struct shm_peer *peer, struct pl_operation *operation, bool *wrote)
{
    if (operation->length <= PL_RECORD_MAX) {
        if (!pl_ring_put(&peer->out, &operation->header, operation->payload, operation->length))
            return false;
        *wrote = true;
        return true;
    }
    while (operation->progress < operation->length) {
        size_t bytes = pl_ring_put_piece(&peer->out, &operation->header, operation->payload, operation->length,
                                         operation->progress);
        if (!bytes)
            return false;
        operation->progress += bytes;
        *wrote = true;
        order();
        if (atomic_load_explicit(&peer->view.segment->state, memory_order_relaxed))
            pl_segment_wake(&peer->view);
    }
    return true;
}

static int send_slowly(struct shm_port *port, struct shm_peer *peer, struct pl_operation *operation)
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
    if (pl_list_empty(&peer->queue) && write_some(peer, operation, &wrote))
        return ring_bell(peer);
    if (wrote)
        ring_bell(peer);
    if (pl_list_empty(&peer->queue))
        pl_list_append(&port->pending, &peer->pending);
    pl_list_append(&peer->queue, &operation->link);
    return PL_PENDING;
}

static int shm_send(struct pl_endpoint *endpoint, struct pl_operation *operation)
{
    struct shm_peer *peer = peer_of(endpoint);
    if (peer->out.ring && operation->length <= PL_RECORD_MAX && pl_list_empty(&peer->queue) && !peer->error &&
        pl_ring_put(&peer->out, &operation->header, operation->payload, operation->length))
        return ring_bell(peer);
    return send_slowly(port_of(endpoint->port), peer, operation);
}

/* Goes on with what is queued for one peer. Returns completions. */
static int push(struct shm_peer *peer)
{
    int events = 0;
    bool wrote = false;
    atomic_store_explicit(&peer->out.ring->wanted, 0, memory_order_relaxed);
    for (;;) {
        struct pl_list *node = pl_list_first(&peer->queue);
        if (!node)
            break;
        struct pl_operation *operation = pl_container(node, struct pl_operation, link);
        if (!write_some(peer, operation, &wrote))
            break;
        pl_list_remove(node);
        if (pl_list_empty(&peer->queue))
            pl_list_remove(&peer->pending);
        events++;
        operation->done(operation, 0);
    }
    if (wrote)
        ring_bell(peer);
    return events + wrote;
}

/* Each peer with queued operations has one turn. Completions may start others and take peers off the list. */
static int push_all(struct shm_port *port)
{
    int events = 0, most = port->nknown;
    struct pl_list *last = port->pending.prev, *node = NULL;
    while (node != last && most-- > 0 && (node = pl_list_first(&port->pending))) {
        pl_list_remove(node);
        pl_list_append(&port->pending, node);
        events += push(pl_container(node, struct shm_peer, pending));
    }
    return events;
}

/* ---- receiving ---- */

/* The sender of a ring just announced. */
static void adopt(struct shm_port *port, int sender)
{
    struct shm_peer *peer = meet(port, sender);
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
        condemn(port, peer, PL_EPEER, "process %d of rank %d is gone", peer->view.pid, sender);
}

static void adopt_all(struct shm_port *port, uint32_t announced)
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

static void end_stream(struct shm_port *port, struct shm_peer *peer, int status)
{
    peer->streaming = false;
    port->upcalls->landed(port->context, peer->endpoint.peer, &peer->landing, peer->total, status);
}

/* Copies one piece of a long frame to its place. */
static void land(struct shm_port *port, struct shm_peer *peer, const struct pl_record_view *view)
{
    if (peer->landing.buffer && peer->landed < peer->landing.capacity) {
        size_t bytes = view->length, room = peer->landing.capacity - peer->landed;
        memcpy((char *)peer->landing.buffer + peer->landed, view->cell + 1, bytes < room ? bytes : room);
    }
    peer->landed += view->length;
}

/* Takes one record. Returns false if it makes no sense. */
static bool take(struct shm_port *port, struct shm_peer *peer, const struct pl_record_view *view)
{
    struct pl_cell *cell = view->cell;
    if (view->kind == PL_RECORD_SKIP)
        return true;
    if (view->kind == PL_RECORD_MORE) {
        if (port->closing)
            return true;
        if (!peer->streaming || !view->length || view->length > peer->total - peer->landed)
            return false;
        land(port, peer, view);
        return true;
    }
    if (peer->streaming) /* the sender has given the last one up */
        end_stream(port, peer, PL_EPEER);
    if (view->kind == PL_RECORD_FRAME) {
        const void *payload = !view->length ? NULL : view->cells == 1 ? cell->data : (unsigned char *)(cell + 1);
        if (!port->closing)
            port->upcalls->arrived(port->context, peer->endpoint.peer, &cell->header, view->length, payload, NULL);
        return true;
    }
    memcpy(&peer->total, cell->data, sizeof peer->total);
    if (!view->length || peer->total <= view->length || peer->total > (uint64_t)INT64_MAX)
        return false;
    peer->landed = 0;
    peer->landing = (struct pl_landing){NULL, 0, NULL};
    if (!port->closing) {
        port->upcalls->arrived(port->context, peer->endpoint.peer, &cell->header, peer->total, NULL, &peer->landing);
        peer->streaming = true;
    }
    land(port, peer, view);
    return true;
}

/* Takes what waits in a ring, at most BURST records. Returns how many. */
static int receive(struct shm_port *port, struct shm_peer *peer)
{
    struct pl_record_view view;
    int n = 0;
    while (n < BURST) {
        int found = pl_ring_peek(&peer->in, &view);
        if (!found)
            break;
        if (found < 0 || !take(port, peer, &view)) {
            condemn(port, peer, PL_EPROTOCOL, "rank %d wrote garbage into shared memory", peer->endpoint.peer);
            break;
        }
        n++;
        bool told = pl_ring_pop(&peer->in, &view);
        if (peer->streaming && peer->landed == peer->total)
            end_stream(port, peer, 0);
        if (told) {
            order();
            if (atomic_load_explicit(&peer->in.ring->wanted, memory_order_relaxed) && peer->view.segment)
                pl_segment_wake(&peer->view);
        }
    }
    return n;
}

/* Looks at the rings: at all while they are few. */
static int receive_all(struct shm_port *port)
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
        struct shm_peer *peer = port->active[i];
        if (!pl_ring_ready(&peer->in))
            continue;
        events += receive(port, peer);
        port->active[i] = port->active[i % HOT];
        port->active[i % HOT] = peer;
    }
    return events;
}

/* ---- the end of a peer ---- */

static void fail_queue(struct shm_peer *peer, int error)
{
    for (struct pl_list *node; (node = pl_list_first(&peer->queue));) {
        struct pl_operation *operation = pl_container(node, struct pl_operation, link);
        pl_list_remove(node);
        pl_fail(error, "%s", peer->cause);
        operation->done(operation, error);
    }
    pl_list_remove(&peer->pending);
}

static void bury(struct shm_port *port, struct shm_peer *peer)
{
    peer->buried = true;
    port->attention--;
    for (int i = 0; i < port->nactive; i++)
        if (port->active[i] == peer) {
            port->active[i] = port->active[--port->nactive];
            break;
        }
    fail_queue(peer, peer->error);
    if (peer->streaming)
        end_stream(port, peer, peer->error);
    pl_info("%s", peer->cause);
    if (!port->closing)
        port->upcalls->lost(port->context, peer->endpoint.peer, peer->error, peer->cause);
}

/* Buries who is gone, once what it wrote has been read; ends frames that were given up. */
static int carry_out(struct shm_port *port)
{
    int events = 0;
    for (int i = 0; i < port->nknown; i++) {
        struct shm_peer *peer = port->known[i];
        if (peer->abandoned) {
            peer->abandoned = false;
            port->attention--;
            if (peer->streaming && !pl_ring_ready(&peer->in))
                end_stream(port, peer, PL_EPEER);
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

/* ---- progress and sleep ---- */

static void unwatch(struct shm_port *port)
{
    char drop[64];
    port->watched = false;
    atomic_fetch_and(&port->segment->state, ~(uint32_t)PL_SHM_PIPE);
    while (read(port->pipe[0], drop, sizeof drop) > 0)
        ;
}

static int shm_progress(struct pl_port *base)
{
    struct shm_port *port = port_of(base);
    int events = 0;
    uint32_t announced = atomic_load_explicit(&port->segment->announced, memory_order_acquire);
    if (__builtin_expect(announced != port->announced, 0))
        adopt_all(port, announced);
    if (__builtin_expect(port->watched, 0))
        unwatch(port);
    events += receive_all(port);
    if (!pl_list_empty(&port->pending))
        events += push_all(port);
    if (__builtin_expect(port->attention, 0))
        events += carry_out(port);
    if (events) {
        port->idle = 0;
        if (atomic_load_explicit(&port->segment->state, memory_order_relaxed) & PL_SHM_FUTEX)
            pl_segment_wake_state(&port->segment->state, -1); /* another thread of this rank */
    } else if (++port->idle % IDLE_LOOK == 0) {
        look_if_due(port);
    }
    return events;
}

/* Whether progress has something to do. */
static bool something_to_do(struct shm_port *port)
{
    if (port->attention || atomic_load(&port->segment->announced) != port->announced)
        return true;
    for (int i = 0; i < port->nactive; i++)
        if (pl_ring_ready(&port->active[i]->in))
            return true;
    pl_list_each (node, &port->pending) {
        struct shm_peer *peer = pl_container(node, struct shm_peer, pending);
        uint64_t head = atomic_load(&peer->out.ring->head);
        if (head != peer->out.head)
            return true;
    }
    return false;
}

/* Says that this rank sleeps, in one or both ways. Returns false if there is something to do after all. */
static bool lie_down(struct shm_port *port, uint32_t how)
{
    pl_list_each (node, &port->pending)
        atomic_store(&pl_container(node, struct shm_peer, pending)->out.ring->wanted, 1);
    atomic_fetch_or(&port->segment->state, how);
    atomic_thread_fence(memory_order_seq_cst);
    return !something_to_do(port);
}

static void get_up(struct shm_port *port, uint32_t how)
{
    if (atomic_load(&port->segment->state) & how)
        atomic_fetch_and(&port->segment->state, ~how);
}

static int open_pipe(struct shm_port *port)
{
    if (port->pipe[0] >= 0)
        return 0;
    if (pipe2(port->pipe, O_CLOEXEC | O_NONBLOCK)) {
        port->pipe[0] = port->pipe[1] = -1;
        return pl_fail_errno("shared memory: a pipe to sleep on");
    }
    atomic_store(&port->segment->pipe, port->pipe[1]);
    return 0;
}

/* Sleeps in poll. 1: woken. 0: time is over. */
static int sleep_in_poll(struct shm_port *port, int64_t timeout_ns, const int *fds, int nfds)
{
    struct pollfd polls[64];
    if (nfds > 63)
        return pl_fail(PL_EARG, "sleep: %d descriptors are more than 63", nfds);
    polls[0] = (struct pollfd){.fd = port->pipe[0], .events = POLLIN};
    for (int i = 0; i < nfds; i++)
        polls[i + 1] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    struct timespec timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    int found = ppoll(polls, (nfds_t)nfds + 1, &timeout, NULL);
    if (found < 0 && errno != EINTR)
        return pl_fail_errno("sleep: poll");
    return found != 0;
}

static int sleep_once(struct shm_port *port, int64_t timeout_ns, const int *fds, int nfds)
{
    if (!nfds) {
        int woken = 1;
        if (lie_down(port, PL_SHM_FUTEX)) {
            uint32_t seen = atomic_load(&port->segment->state);
            if (seen & PL_SHM_FUTEX)
                woken = pl_segment_wait(&port->segment->state, seen, timeout_ns);
        }
        get_up(port, PL_SHM_FUTEX);
        return woken;
    }
    int error = open_pipe(port);
    if (error)
        return error;
    port->watched = true;
    return lie_down(port, PL_SHM_PIPE) ? sleep_in_poll(port, timeout_ns, fds, nfds) : 1;
}

static int shm_sleep(struct pl_port *base, int64_t timeout_ns, const int *fds, int nfds)
{
    struct shm_port *port = port_of(base);
    if (timeout_ns == 0) {
        sched_yield();
        look_if_due(port);
        return 0;
    }
    int64_t deadline = timeout_ns < 0 ? INT64_MAX : pl_now() + timeout_ns;
    for (;;) {
        int64_t now = pl_now();
        if (now - port->looked >= look_every)
            look_at_peers(port, now);
        if (now >= deadline)
            return 0;
        int64_t left = deadline - now;
        int woken = sleep_once(port, left < sleep_most ? left : sleep_most, fds, nfds);
        if (woken)
            return woken < 0 ? woken : 0;
    }
}

static int shm_wait_fd(struct pl_port *base, bool *ready)
{
    struct shm_port *port = port_of(base);
    look_if_due(port);
    *ready = false;
    if (open_pipe(port)) {
        *ready = true; /* without a pipe nobody may sleep */
        return -1;
    }
    port->watched = true;
    *ready = !lie_down(port, PL_SHM_PIPE);
    return port->pipe[0];
}

/* ---- memory ---- */

static void *shm_alloc(struct pl_port *base, size_t size)
{
    struct shm_port *port = port_of(base);
    return pl_shm_heap_alloc(&port->heap, port->segment, size);
}

static bool shm_free(struct pl_port *base, void *memory)
{
    return pl_shm_heap_free(&port_of(base)->heap, memory);
}

static void *shm_map(struct pl_endpoint *endpoint, uint64_t remote, size_t length)
{
    return pl_shm_heap_map(&peer_of(endpoint)->view, remote, length);
}

/* Which way a copy goes: process_vm_readv or process_vm_writev. */
typedef ssize_t copy_fn(pid_t pid, const struct iovec *local, unsigned long nlocal, const struct iovec *remote,
                        unsigned long nremote, unsigned long flags);

static int copy(struct shm_peer *peer, copy_fn *call, void *local, uint64_t remote, size_t length)
{
    for (size_t done = 0; done < length;) {
        size_t piece = length - done < COPY_MOST ? length - done : COPY_MOST;
        struct iovec mine = {(char *)local + done, piece};
        struct iovec theirs = {(char *)(uintptr_t)remote + done, piece};
        ssize_t moved = call(peer->view.pid, &mine, 1, &theirs, 1, 0);
        if (moved > 0)
            done += (size_t)moved;
        else if (moved < 0 && errno == ESRCH)
            return condemn(port_of(peer->endpoint.port), peer, PL_EPEER, "process %d of rank %d is gone",
                           peer->view.pid, peer->endpoint.peer);
        else if (moved < 0 && (errno == EPERM || errno == ENOSYS))
            return pl_fail(PL_EUNSUPPORTED, "the memory of rank %d is not accessible: %s", peer->endpoint.peer,
                           strerror(errno));
        else if (moved < 0 && errno != EINTR)
            return pl_fail_errno("copying %zu bytes from or to address %#llx of rank %d", length,
                                 (unsigned long long)remote, peer->endpoint.peer);
    }
    return 0;
}

/* A pid may have been given to another process: neither write there nor believe what was read. */
static int still_there(struct shm_peer *peer)
{
    struct pl_segment_view *view = &peer->view;
    bool dead = false;
    pl_segment_look(&view, 1, &dead);
    if (!dead)
        return 0;
    return condemn(port_of(peer->endpoint.port), peer, PL_EPEER, "process %d of rank %d is gone", view->pid,
                   peer->endpoint.peer);
}

static int shm_get(struct pl_endpoint *endpoint, void *local, uint64_t remote, const struct pl_memory_key *key,
                   size_t length, struct pl_operation *operation)
{
    struct shm_peer *peer = peer_of(endpoint);
    if (peer->error)
        return pl_fail(peer->error, "%s", peer->cause);
    int error = copy(peer, process_vm_readv, local, remote, length);
    return error ? error : still_there(peer);
}

static int shm_put(struct pl_endpoint *endpoint, const void *local, uint64_t remote, const struct pl_memory_key *key,
                   size_t length, struct pl_operation *operation)
{
    struct shm_peer *peer = peer_of(endpoint);
    if (peer->error)
        return pl_fail(peer->error, "%s", peer->cause);
    int error = still_there(peer);
    return error ? error : copy(peer, process_vm_writev, (void *)(uintptr_t)local, remote, length);
}

static bool shm_reaches(struct pl_endpoint *endpoint)
{
    struct shm_peer *peer = peer_of(endpoint);
    if (peer->reach == REACH_UNKNOWN) {
        uint64_t seen = 0;
        bool yes = !copy(peer, process_vm_readv, &seen, peer->probe, sizeof seen) && seen == peer->view.nonce;
        peer->reach = yes ? REACH_YES : REACH_NO;
        if (!yes)
            pl_info("no direct copies from rank %d (%s): long messages go through the rings", endpoint->peer,
                    seen ? "another word was read" : pl_fail_text());
    }
    return peer->reach == REACH_YES;
}

/* ---- ports and endpoints ---- */

static int shm_address(struct pl_port *base, void *card, size_t *length)
{
    struct shm_port *port = port_of(base);
    struct pl_shm_card mine;
    _Static_assert(sizeof mine <= PL_CARD_MAX, "a card fits");
    pl_shm_card_fill(&mine, port->segment, port->file);
    memcpy(card, &mine, sizeof mine);
    *length = sizeof mine;
    return 0;
}

static int shm_connect(struct pl_port *base, int number, const void *card, size_t length,
                       struct pl_endpoint **endpoint)
{
    struct shm_port *port = port_of(base);
    struct pl_shm_card theirs;
    if (length != sizeof theirs)
        return pl_fail(PL_EPROTOCOL, "the shared-memory card of rank %d has %zu bytes, not %zu", number, length,
                       sizeof theirs);
    if (number < 0 || number >= port->slots)
        return pl_fail(PL_EUNREACHABLE, "rank %d is beyond the %d places in shared memory", number, port->slots);
    memcpy(&theirs, card, sizeof theirs);
    int error = pl_shm_card_check(&theirs, number);
    if (error)
        return error;
    struct shm_peer *peer = meet(port, number);
    if (!peer)
        return pl_fail(PL_ENOMEM, "out of memory for rank %d", number);
    if (peer->error)
        return pl_fail(peer->error, "%s", peer->cause);
    if (!peer->view.segment) {
        pl_segment_view_init(&peer->view, number, theirs.pid, theirs.fd, theirs.nonce);
        error = pl_segment_open(&peer->view);
        if (error)
            return error;
    } else if (peer->view.nonce != theirs.nonce) {
        return pl_fail(PL_EUNREACHABLE, "rank %d was process %d before", number, peer->view.pid);
    }
    if (port->rank >= peer->view.slots)
        return pl_fail(PL_EUNREACHABLE, "rank %d has no place for rank %d in its shared memory", number, port->rank);
    if (peer->out.ring)
        atomic_store(&peer->out.ring->left, PL_RING_OPEN);
    peer->probe = theirs.probe;
    peer->connected = true;
    *endpoint = &peer->endpoint;
    return 0;
}

static void shm_disconnect(struct pl_endpoint *endpoint)
{
    if (!endpoint)
        return;
    struct shm_peer *peer = peer_of(endpoint);
    peer->connected = false;
    if (!pl_list_empty(&peer->queue)) {
        snprintf(peer->cause, sizeof peer->cause, "the endpoint to rank %d was disconnected", endpoint->peer);
        fail_queue(peer, PL_ECANCELLED);
    }
    if (peer->out.ring) {
        atomic_store(&peer->out.ring->left, PL_RING_LEFT);
        pl_segment_wake(&peer->view);
    }
}

static void port_destroy(struct shm_port *port)
{
    for (int i = 0; i < port->nknown; i++) {
        pl_segment_close(&port->known[i]->view);
        free(port->known[i]);
    }
    pl_shm_heap_finish(&port->heap);
    for (int i = 0; i < 2; i++)
        if (port->pipe[i] >= 0)
            close(port->pipe[i]);
    if (port->segment)
        munmap(port->segment, pl_segment_bytes(port->slots));
    if (port->file >= 0)
        close(port->file);
    free(port->peers);
    free(port->known);
    free(port->active);
    free(port->senders);
    free(port);
}

static int shm_open_port(const struct pl_port_params *params, struct pl_port **out)
{
    struct shm_port *port = calloc(1, sizeof *port);
    if (!port)
        return pl_fail(PL_ENOMEM, "out of memory for the port of rank %d", params->rank);
    int slots = (params->size > params->rank ? params->size : params->rank + 1) + EXTRA_SLOTS;
    port->rank = params->rank;
    port->slots = slots;
    port->upcalls = params->upcalls;
    port->context = params->context;
    port->timeout = params->config ? params->config->timeout : 10;
    port->file = port->pipe[0] = port->pipe[1] = -1;
    port->looked = pl_now();
    pl_list_init(&port->pending);
    pl_shm_heap_init(&port->heap);
    port->peers = calloc((size_t)slots, sizeof(struct shm_peer *));
    port->known = calloc((size_t)slots, sizeof(struct shm_peer *));
    port->active = calloc((size_t)slots, sizeof(struct shm_peer *));
    port->senders = calloc((size_t)(slots + 63) / 64, 8);
    int error = PL_ENOMEM;
    if (!port->peers || !port->known || !port->active || !port->senders)
        pl_fail(error, "out of memory for the table of %d peers", slots);
    else
        error = pl_segment_create(port->rank, slots, &port->segment, &port->file);
    if (error) {
        port_destroy(port);
        return error;
    }
    /* Where only a parent may read a process (yama), let the ranks of this host read each other. */
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    port->base.transport = &pl_shm;
    *out = &port->base;
    return 0;
}

/* Sends what is queued while peers read, for at most the timeout. */
static void flush(struct shm_port *port)
{
    int64_t deadline = pl_now() + (int64_t)(port->timeout * 1e9);
    while (!pl_list_empty(&port->pending) && pl_now() < deadline)
        if (!shm_progress(&port->base))
            shm_sleep(&port->base, 1000000, NULL, 0);
}

static void shm_close(struct pl_port *base)
{
    if (!base)
        return;
    struct shm_port *port = port_of(base);
    port->closing = true;
    for (int i = 0; i < port->nknown; i++)
        if (port->known[i]->streaming)
            end_stream(port, port->known[i], PL_ECANCELLED);
    flush(port);
    for (int i = 0; i < port->nknown; i++)
        if (!pl_list_empty(&port->known[i]->queue)) {
            snprintf(port->known[i]->cause, sizeof port->known[i]->cause,
                     "rank %d did not take what was sent to it within %g s", port->known[i]->endpoint.peer,
                     port->timeout);
            fail_queue(port->known[i], PL_ETIMEOUT);
        }
    atomic_fetch_or(&port->segment->state, PL_SHM_CLOSED);
    for (int i = 0; i < port->nknown; i++)
        if (port->known[i]->out.ring)
            atomic_store(&port->known[i]->out.ring->left, PL_RING_CLOSED);
    port_destroy(port);
}

const struct pl_transport pl_shm = {
    .name = "shm",
    .eager_limit = 8 << 10,
    .cooperative = pl_no_cooperative,
    .open = shm_open_port,
    .close = shm_close,
    .address = shm_address,
    .connect = shm_connect,
    .disconnect = shm_disconnect,
    .send = shm_send,
    .progress = shm_progress,
    .sleep = shm_sleep,
    .wait_fd = shm_wait_fd,
    .alloc = shm_alloc,
    .free = shm_free,
    .map = shm_map,
    .reg = pl_no_reg,
    .dereg = pl_no_dereg,
    .get = shm_get,
    .put = shm_put,
    .reaches = shm_reaches,
};
