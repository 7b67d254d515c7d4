/* RDMA verbs: the port, its table of operations, progress and sleep.
 *
 * One port has one device, one completion queue for everything, one shared receive
 * queue, one datagram queue pair by which it is called, and one reliable
 * queue pair for each peer it has really talked to.
 *
 *          card: GID, LID, number of the datagram pair
 *   port --+-- datagram pair           (verbs_call.c)       \
 *          +-- pair to 3, pair to 7 .. (verbs_frames.c)      +--> completion queue --> progress
 *          +-- shared receive queue: slots for all peers    /         |
 *          +-- get, put                (verbs_memory.c)               +--> channel's descriptor: sleep
 *
 * progress polls the completion queue, which is a look at memory and no system call.
 * sleep arms the queue, looks once more (what came in between would wake nobody) and
 * polls an epoll of the channel, the timer and the device's own events. The timer
 * repeats calls and proves that quiet peers live; it is off while there is neither.
 *
 * Rejected: one receive queue for each pair (slots would grow with the square of the
 * ranks), a queue for sends beside one for receives (two looks instead of one), a thread
 * that polls (a core of every rank for it).
 */
#include "verbs.h"

#include "clock.h"
#include "config.h"
#include "errors.h"
#include "log.h"
#include "unsupported.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SECOND      ((int64_t)1000000000)
#define SLEEP_FDS   16
#define IDLE_ROUNDS 1024                 /* between two looks at the timer */
#define SOFT_ROUNDS 512                  /* between two yields to a device made of software */
#define PATIENCE    ((int64_t)50 * 1000) /* ns that one looks before it sleeps, ... */
#define SOFT_PATIENCE                                                                                        \
    ((int64_t)5 * 1000 * 1000) /* ... and where the device is software, which wakes slowly */

/* ---- progress ---- */

void pl_verbs_timer_set(struct pl_verbs_port *port)
{
    bool calls = false, pairs = false;
    for (int rank = 0; rank < port->peers; rank++) {
        const struct pl_verbs_peer *peer = port->peer[rank];
        calls = calls || (peer && peer->call_at && peer->state < PL_VERBS_UP);
        pairs = pairs || (peer && peer->pair);
    }
    int64_t period = calls ? SECOND / 20 : pairs ? port->timeout / 4 : 0;
    if (period == port->period)
        return;
    port->period = period;
    struct timespec every = {period / SECOND, period % SECOND};
    timerfd_settime(port->timer, 0, &(struct itimerspec){every, every}, NULL);
}

/* What the device itself tells: links that go and come. */
static void device_events(struct pl_verbs_port *port)
{
    struct ibv_async_event event;
    while (!port->library.get_async_event(port->device.context, &event)) {
        const struct pl_verbs_device *device = &port->device;
        if (event.event_type == IBV_EVENT_PORT_ERR && !port->port_down) {
            pl_warn(
                "verbs: the link of %s port %d is down; peers are given up if it stays so for PEAL_TIMEOUT",
                device->name, device->port);
            port->port_down = true;
        } else if (event.event_type == IBV_EVENT_PORT_ACTIVE && port->port_down) {
            pl_warn("verbs: the link of %s port %d is back", device->name, device->port);
            port->port_down = false;
        } else if (event.event_type == IBV_EVENT_DEVICE_FATAL) {
            for (int rank = 0; rank < port->peers; rank++)
                if (port->peer[rank] && port->peer[rank]->pair)
                    pl_verbs_peer_break(port->peer[rank], PL_EPEER, "is out of reach: %s has failed",
                                        device->name);
        }
        port->library.ack_async_event(&event);
    }
}

/* A request has failed, and with it the queue pair. */
static void failed(struct pl_verbs_port *port, struct pl_verbs_peer *peer, const struct ibv_wc *done)
{
    struct ibv_port_attr now = {.state = IBV_PORT_ACTIVE};
    port->library.query_port(port->device.context, (uint8_t)port->device.port, &now);
    if (now.state != IBV_PORT_ACTIVE)
        pl_verbs_peer_break(peer, PL_EPEER, "is out of reach: the link of %s port %d is down",
                            port->device.name, port->device.port);
    else if (done->status == IBV_WC_RETRY_EXC_ERR)
        pl_verbs_peer_break(peer, PL_EPEER, "has not acknowledged anything for %.1f s (PEAL_TIMEOUT)",
                            (double)port->timeout / 1e9);
    else if (done->status == IBV_WC_REM_ACCESS_ERR || done->status == IBV_WC_REM_OP_ERR)
        pl_verbs_peer_break(peer, PL_EPEER,
                            "refused access to its memory, which is no longer registered there");
    else
        pl_verbs_peer_break(peer, PL_EPEER,
                            "cannot be sent to any more: %s reports status %d (vendor %u); is its link up?",
                            port->device.name, done->status, done->vendor_err);
}

static int one_completion(struct pl_verbs_port *port, const struct ibv_wc *done)
{
    uint32_t who = (uint32_t)(done->wr_id >> 32) & 0xfffffff, number = (uint32_t)done->wr_id;
    struct pl_verbs_peer *peer;
    switch ((enum pl_verbs_source)(done->wr_id >> 60)) {
    case PL_VERBS_RECEIVE:
        return pl_verbs_take(port, who, number, done);
    case PL_VERBS_HEARD:
        return pl_verbs_call_heard(port, number, done->byte_len, done->status == IBV_WC_SUCCESS);
    case PL_VERBS_CALLING:
        return 0;
    case PL_VERBS_WORK:
        peer = who < (uint32_t)port->peers ? port->peer[who] : NULL;
        if (!peer || !peer->pair)
            return 0;
        if (done->status == IBV_WC_SUCCESS)
            return pl_verbs_retire(peer, number, 0);
        failed(port, peer, done);
        return 0;
    }
    return 0;
}

static void timer_and_events(struct pl_verbs_port *port)
{
    uint64_t times;
    if (port->period && read(port->timer, &times, sizeof times) == (ssize_t)sizeof times) {
        int64_t now = pl_now();
        pl_verbs_call_tick(port, now);
        if (now - port->probed >= port->timeout / 4) {
            port->probed = now;
            pl_verbs_peers_tick(port);
        }
        pl_verbs_timer_set(port);
    }
    device_events(port);
    port->check = false;
}

/* Each peer that waits has one turn; who still has to wait stays in the list. */
static int push_waiting(struct pl_verbs_port *port)
{
    int count = 0;
    struct pl_list turn;
    pl_list_init(&turn);
    for (struct pl_list *node; (node = pl_list_first(&port->waiting));) {
        pl_list_remove(node);
        pl_list_append(&turn, node);
    }
    for (struct pl_list *node; (node = pl_list_first(&turn));) {
        struct pl_verbs_peer *peer = pl_container(node, struct pl_verbs_peer, waiting);
        pl_list_remove(node);
        count += pl_verbs_push(peer);
        if (!pl_list_empty(&peer->queue) || peer->reaches_wait || peer->abandoned)
            pl_verbs_wait(peer);
    }
    return count;
}

int pl_verbs_round(struct pl_verbs_port *port)
{
    struct ibv_wc done[16];
    int count = 0, n = port->stashed;
    if (port->in_progress)
        return 0;
    port->in_progress = true;
    if (n)
        memcpy(done, port->stash, (size_t)n * sizeof *done);
    else
        n = ibv_poll_cq(port->completions, 16, done);
    port->stashed = 0;
    port->lively |= n > 0;
    if (n <= 0 && port->takens)
        pl_verbs_receives_return(port);
    for (int i = 0; i < n; i++)
        count += one_completion(port, &done[i]);
    /* Nothing to be sent can go before a completion has come. */
    if (!pl_list_empty(&port->waiting))
        count += push_waiting(port);
    if (port->check || ++port->turn % IDLE_ROUNDS == 0)
        timer_and_events(port);
    /* The thread of the kernel that does the device's work may wait for just this core. */
    if (port->device.software && !n && port->turn % SOFT_ROUNDS == 0)
        sched_yield();
    for (struct pl_list *node; (node = pl_list_first(&port->attention));)
        count += pl_verbs_peer_lose(pl_container(node, struct pl_verbs_peer, attention));
    port->in_progress = false;
    if (n < 0)
        return pl_fail(PL_ESYSTEM, "verbs: rank %d cannot poll the completion queue of %s", port->rank,
                       port->device.name);
    return count ? count : n;
}

/* ---- sleep ---- */

/* Takes the channel's event, arms the queue, and looks whether anything came meanwhile. */
static bool something_there(struct pl_verbs_port *port)
{
    struct ibv_cq *queue;
    void *user;
    if (port->stashed || !pl_list_empty(&port->attention))
        return true;
    if (port->armed && !port->library.get_cq_event(port->channel, &queue, &user)) {
        port->library.ack_cq_events(queue, 1);
        port->armed = false;
    }
    if (!port->armed)
        port->armed = !ibv_req_notify_cq(port->completions, 0);
    int found = ibv_poll_cq(port->completions, 16, port->stash);
    port->stashed = found > 0 ? found : 0;
    port->check = true;
    return found != 0 || !port->armed;
}

/* The first sleep after something came is put off a little: to wake up costs more than most waits, and
 * two ranks that always find each other asleep would stay at that for good. Who sleeps for long does not look
 * again each time it has looked around. */
static bool comes_soon(struct pl_verbs_port *port)
{
    if (!port->lively)
        return false;
    int64_t until = pl_now() + (port->device.software ? SOFT_PATIENCE : PATIENCE);
    while (!port->stashed && pl_now() < until) {
        int found = ibv_poll_cq(port->completions, 16, port->stash);
        port->stashed = found > 0 ? found : 0;
        if (found)
            return true;
        sched_yield();
    }
    port->lively = false;
    return false;
}

int pl_verbs_sleep(struct pl_verbs_port *port, int64_t timeout, const int *fds, int nfds)
{
    struct pollfd polled[1 + SLEEP_FDS];
    if (nfds > SLEEP_FDS)
        return pl_fail(PL_EINTERNAL, "verbs: cannot sleep on %d other ports", nfds);
    if (comes_soon(port) || something_there(port))
        return 0;
    polled[0] = (struct pollfd){port->epoll, POLLIN, 0};
    for (int i = 0; i < nfds; i++)
        polled[1 + i] = (struct pollfd){fds[i], POLLIN, 0};
    struct timespec limit = {timeout / SECOND, timeout % SECOND};
    if (ppoll(polled, (nfds_t)(1 + nfds), timeout < 0 ? NULL : &limit, NULL) < 0 && errno != EINTR)
        return pl_fail_errno("verbs: rank %d cannot sleep (ppoll)", port->rank);
    return 0;
}

/* ---- open ---- */

static int watch(struct pl_verbs_port *port, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) ||
        epoll_ctl(port->epoll, EPOLL_CTL_ADD, fd, &event))
        return pl_fail_errno("verbs: rank %d cannot watch the device", port->rank);
    return 0;
}

static int queues_create(struct pl_verbs_port *port)
{
    const struct pl_verbs_device *device = &port->device;
    int ranks = port->size > 32 ? port->size : 32, busy = ranks < 64 ? ranks : 64;
    int window = port->size <= 16 ? 64 : port->size <= 128 ? 32 : 8;
    port->receives_room = ranks * (window + PL_VERBS_RESERVE) + PL_VERBS_TAKEN;
    if (port->receives_room > device->max_srq)
        port->receives_room = device->max_srq;
    int entries = port->receives_room + busy * PL_VERBS_DEPTH + 2 * PL_VERBS_CALL_SLOTS;
    port->completions = port->library.create_cq(
        device->context, entries < device->max_cqe ? entries : device->max_cqe, NULL, port->channel, 0);
    if (!port->completions)
        return pl_fail_errno("verbs: %s gives no completion queue of %d entries", device->name, entries);
    struct ibv_srq_init_attr wanted = {.attr = {.max_wr = (uint32_t)port->receives_room, .max_sge = 1}};
    port->receives = port->library.create_srq(device->domain, &wanted);
    if (!port->receives)
        return pl_fail_errno("verbs: %s gives no shared receive queue of %d entries", device->name,
                             port->receives_room);
    return 0;
}

/* What a port needs after its device is open. What was made is undone by port_free. */
static int port_start(struct pl_verbs_port *port)
{
    port->epoll = epoll_create1(EPOLL_CLOEXEC);
    port->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    port->channel = port->library.create_comp_channel(port->device.context);
    if (port->epoll < 0 || port->timer < 0 || !port->channel)
        return pl_fail_errno("verbs: rank %d gets no descriptor", port->rank);
    int error = watch(port, port->timer);
    error = error ? error : watch(port, port->channel->fd);
    error = error ? error : watch(port, port->device.context->async_fd);
    error = error ? error : queues_create(port);
    error =
        error ? error : pl_verbs_slots_create(port, PL_VERBS_SEND_SLOTS, PL_VERBS_SLOT, &port->send_slots);
    error = error ? error : pl_verbs_random(port->card.nonce, sizeof port->card.nonce);
    error = error ? error : pl_verbs_random(&port->card.qkey, sizeof port->card.qkey);
    if (error)
        return error;
    for (int slot = 0; slot < PL_VERBS_SEND_SLOTS; slot++)
        port->free_slot[port->free_slots++] = slot;
    memcpy(port->card.gid, port->device.gid.raw, 16);
    port->card.lid = port->device.lid;
    port->card.mtu = (uint8_t)port->device.mtu;
    port->card.ethernet = port->device.ethernet;
    port->card.qkey &= 0x7fffffff; /* the highest bit marks keys of the kernel's */
    return pl_verbs_caller_create(port);
}

static void port_free(struct pl_verbs_port *port)
{
    struct pl_verbs_library *library = &port->library;
    struct pl_list *node;
    for (int rank = 0; rank < port->peers; rank++)
        pl_verbs_peer_destroy(port->peer[rank]);
    free(port->peer);
    pl_registrations_finish(&port->registrations);
    pl_verbs_caller_destroy(port);
    if (port->receives)
        library->destroy_srq(port->receives);
    if (port->completions) {
        struct ibv_cq *queue;
        void *user;
        while (port->armed && !library->get_cq_event(port->channel, &queue, &user))
            library->ack_cq_events(queue, 1);
        library->destroy_cq(port->completions);
    }
    for (int block = 0; block < port->receive_blocks; block++)
        pl_verbs_slots_destroy(port, &port->receive_slots[block]);
    free(port->receive_slots);
    pl_verbs_slots_destroy(port, &port->send_slots);
    if (port->channel)
        library->destroy_comp_channel(port->channel);
    if (port->timer >= 0)
        close(port->timer);
    if (port->epoll >= 0)
        close(port->epoll);
    pl_verbs_device_close(library, &port->device);
    pl_verbs_library_close(library);
    while ((node = pl_list_first(&port->spare))) {
        pl_list_remove(node);
        free(pl_container(node, struct pl_verbs_item, link));
    }
    explicit_bzero(port->key, sizeof port->key);
    free(port);
}

static int verbs_open(const struct pl_port_params *params, struct pl_port **out)
{
    if (params->config->secure)
        return pl_fail(PL_EUNSUPPORTED, "verbs: PEAL_SECURE=1 wants encryption, which is tcp's alone");
    struct pl_verbs_port *port = calloc(1, sizeof *port);
    if (!port)
        return pl_fail(PL_ENOMEM, "verbs: no memory for a port");
    port->base.transport = &pl_verbs;
    port->rank = params->rank;
    port->size = params->size;
    memcpy(port->key, params->key, sizeof port->key);
    port->timeout = (int64_t)(params->config->timeout * 1e9);
    port->upcalls = params->upcalls;
    port->context = params->context;
    port->epoll = port->timer = -1;
    pl_list_init(&port->attention);
    pl_list_init(&port->waiting);
    pl_list_init(&port->spare);
    int error = pl_verbs_library_open(&port->library);
    if (error)
        goto free_port;
    error = pl_verbs_device_open(&port->library, params->config->net, &port->device);
    if (error)
        goto close_library;
    pl_registrations_init(&port->registrations, &port->library, port->device.domain);
    error = port_start(port);
    if (error) {
        port_free(port);
        return pl_fail(PL_EUNSUPPORTED, "%.480s", pl_fail_text());
    }
    *out = &port->base;
    return 0;

close_library:
    pl_verbs_library_close(&port->library);
free_port:
    free(port);
    return error;
}

/* ---- close ---- */

static bool unsent(const struct pl_verbs_port *port)
{
    for (int rank = 0; rank < port->peers; rank++) {
        const struct pl_verbs_peer *peer = port->peer[rank];
        if (peer && (!pl_list_empty(&peer->queue) || !pl_list_empty(&peer->reaches)))
            return true;
    }
    return false;
}

/* Whether the network card of some peer in this state, or one beyond it, has not acknowledged our goodbye. */
static bool unheard(const struct pl_verbs_port *port, enum pl_verbs_state state)
{
    for (int rank = 0; rank < port->peers; rank++) {
        const struct pl_verbs_peer *peer = port->peer[rank];
        if (peer && peer->pair && peer->state >= state && peer->said_goodbye && !peer->heard_goodbye &&
            !peer->error && (int32_t)(peer->retired - peer->goodbye) < 0)
            return true;
    }
    return false;
}

static bool go_on(struct pl_verbs_port *port, int64_t deadline)
{
    int happened = pl_verbs_round(port);
    int64_t left = deadline - pl_now();
    if (happened)
        return happened > 0 && left > 0;
    return left > 0 && !pl_verbs_sleep(port, left < SECOND / 50 ? left : SECOND / 50, NULL, 0);
}

static void say_goodbye(struct pl_verbs_peer *peer)
{
    bool left_over = !pl_list_empty(&peer->queue) || !pl_list_empty(&peer->reaches);
    if (left_over) {
        char text[128];
        snprintf(text, sizeof text, "rank %d did not take what was sent to it before this rank ended",
                 peer->base.peer);
        pl_warn("verbs: %s", text);
        if (!pl_list_empty(&peer->reaches)) {
            pl_verbs_pair_destroy(peer);
            peer->state = PL_VERBS_LOST;
        }
        pl_verbs_peer_fail(peer, PL_ETIMEOUT, text);
    }
    if (!peer->pair || peer->error || peer->state < PL_VERBS_KNOWN || peer->state > PL_VERBS_UP)
        return;
    pl_verbs_say(peer, left_over ? PL_VERBS_BREAK : PL_VERBS_GOODBYE);
    peer->said_goodbye = true;
    peer->goodbye = peer->posted;
}

/* The orderly end: send what is queued, say goodbye to all, and go when every peer's
 * network card has it. A peer that says goodbye itself may be gone before ours
 * reaches it, and needs none. */
static void verbs_close(struct pl_port *base)
{
    struct pl_verbs_port *port = (struct pl_verbs_port *)base;
    if (!port)
        return;
    int64_t deadline = pl_now() + port->timeout;
    port->closing = true;
    for (int rank = 0; rank < port->peers; rank++)
        if (port->peer[rank] && port->peer[rank]->streaming)
            pl_verbs_end_landing(port->peer[rank], PL_ECANCELLED);
    while (unsent(port) && go_on(port, deadline))
        ;
    for (int rank = 0; rank < port->peers; rank++)
        if (port->peer[rank])
            say_goodbye(port->peer[rank]);
    /* Whoever called and was never heard of again may have gone without a word: it is given a moment. */
    deadline = pl_now() + (port->timeout < 2 * SECOND ? port->timeout : 2 * SECOND);
    while (unheard(port, PL_VERBS_KNOWN) && go_on(port, deadline))
        ;
    deadline = pl_now() + port->timeout;
    while (unheard(port, PL_VERBS_UP) && go_on(port, deadline))
        ;
    port_free(port);
}

/* ---- the table ---- */

static int verbs_address(struct pl_port *base, void *card, size_t *length)
{
    pl_verbs_card_pack(&((struct pl_verbs_port *)base)->card, card);
    *length = PL_VERBS_CARD_BYTES;
    return 0;
}

static int verbs_connect(struct pl_port *base, int rank, const void *bytes, size_t length,
                         struct pl_endpoint **endpoint)
{
    struct pl_verbs_port *port = (struct pl_verbs_port *)base;
    struct pl_verbs_card card;
    int error = pl_verbs_card_unpack(bytes, length, &card);
    if (error)
        return error;
    if (card.ethernet != port->device.ethernet)
        return pl_fail(PL_EUNREACHABLE, "verbs: rank %d is on %s, this rank on %s", rank,
                       card.ethernet ? "RoCE" : "InfiniBand", card.ethernet ? "InfiniBand" : "RoCE");
    struct pl_verbs_peer *peer = pl_verbs_peer_get(port, rank);
    if (!peer)
        return rank < 0 ? PL_EARG : PL_ENOMEM;
    if (peer->connected)
        return pl_fail(PL_EARG, "verbs: rank %d has an endpoint to rank %d already", port->rank, rank);
    if (peer->state == PL_VERBS_LOST)
        return pl_fail(PL_EPEER, "verbs: rank %d was lost", rank);
    if (!peer->known_card)
        peer->card = card;
    peer->known_card = true;
    peer->connected = true;
    *endpoint = &peer->base;
    return 0;
}

static void verbs_disconnect(struct pl_endpoint *endpoint)
{
    if (!endpoint)
        return;
    struct pl_verbs_peer *peer = (struct pl_verbs_peer *)endpoint;
    peer->connected = false;
    if (!pl_list_empty(&peer->reaches)) {
        /* The network writes into the caller's memory until the pair is gone. */
        pl_verbs_peer_break(peer, PL_ECANCELLED, "was disconnected from in the middle of a get or put");
        pl_verbs_pair_destroy(peer);
    }
    pl_verbs_peer_fail(peer, PL_ECANCELLED, "the endpoint was disconnected");
    peer->call_at = 0;
    if (peer->state == PL_VERBS_UP && peer->abandoned)
        pl_verbs_wait(peer);
}

static int verbs_progress(struct pl_port *port)
{
    return pl_verbs_round((struct pl_verbs_port *)port);
}

static int verbs_sleep(struct pl_port *port, int64_t timeout_ns, const int *fds, int nfds)
{
    if (timeout_ns == 0) {
        sched_yield();
        return 0;
    }
    return pl_verbs_sleep((struct pl_verbs_port *)port, timeout_ns, fds, nfds);
}

static int verbs_wait_fd(struct pl_port *base, bool *ready)
{
    struct pl_verbs_port *port = (struct pl_verbs_port *)base;
    *ready = something_there(port);
    return port->epoll;
}

const struct pl_transport pl_verbs = {
    .name = "verbs",
    .eager_limit = PL_VERBS_EAGER,
    .cooperative = pl_no_cooperative,
    .open = verbs_open,
    .close = verbs_close,
    .address = verbs_address,
    .connect = verbs_connect,
    .disconnect = verbs_disconnect,
    .send = pl_verbs_send,
    .progress = verbs_progress,
    .sleep = verbs_sleep,
    .wait_fd = verbs_wait_fd,
    .alloc = pl_no_alloc,
    .free = pl_no_free,
    .map = pl_no_map,
    .reg = pl_verbs_reg,
    .reg_dmabuf = pl_verbs_reg_dmabuf,
    .dereg = pl_verbs_dereg,
    .get = pl_verbs_get,
    .put = pl_verbs_put,
    .reaches = pl_verbs_reaches,
};
