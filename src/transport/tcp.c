/* TCP: the port, its table of operations, and one round of progress.
 *
 * A port listens on one socket for each of its addresses and dials nothing before
 * the first send to a peer. All that is rare (listeners, handshakes, the timer)
 * is asked of epoll. Streams, while there are few, are read directly: a read of
 * a silent socket costs less than asking epoll first and reading then, and a
 * socket that epoll does not know spares the sender's side the wakeup of epoll. So a
 * round that finds nothing costs one recv(2) a stream, and epoll is looked at
 * every 32nd time. With more streams, or when another port sleeps on our descriptor, epoll
 * knows them all.
 *
 * There is no thread: things move when this rank calls send or progress. The timer
 * (a timerfd in the same epoll, off while nothing needs it) brings deadlines.
 *
 * Rejected: edge-triggered epoll (a frame left half read by the limit of a round
 * would need a list of its own), io_uring (often forbidden in containers), and
 * wildcard listeners (PEAL_NET and local jobs say where to listen).
 */
#include "tcp.h"
#include "tcp_lanes.h"

#include "clock.h"
#include "config.h"
#include "errors.h"
#include "log.h"
#include "unsupported.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define IDLE_ROUNDS 32 /* between two looks at epoll, and no longer than ... */
#define IDLE_TIME   (10 * (int64_t)1000000)
#define EVENTS      64
#define SLEEP_FDS   16 /* descriptors of other ports that one sleep can have */
#define SECOND      ((int64_t)1000000000)

int pl_tcp_watch(struct pl_tcp_port *port, struct pl_tcp_source *source, uint32_t events)
{
    if (events == source->events)
        return 0;
    struct epoll_event event = {.events = events, .data.ptr = source};
    int op = !events ? EPOLL_CTL_DEL : source->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(port->epoll, op, source->fd, &event))
        return pl_fail_errno("tcp: rank %d cannot watch a connection (epoll_ctl)", port->rank);
    source->watched = events != 0;
    source->events = events;
    return 0;
}

int pl_tcp_watch_all(struct pl_tcp_port *port)
{
    int error = 0;
    port->watch_all = true;
    pl_list_each(node, &port->streams)
    {
        struct pl_tcp_stream *stream = pl_container(node, struct pl_tcp_stream, source.link);
        if (stream->source.watched)
            continue;
        int refused = pl_tcp_watch(port, &stream->source, EPOLLIN | (stream->stalled ? EPOLLOUT : 0u));
        if (refused)
            pl_tcp_peer_attend(stream->peer);
        error = refused ? refused : error;
    }
    return error;
}

void pl_tcp_bury(struct pl_tcp_port *port, struct pl_tcp_source *source)
{
    if (source->watched)
        pl_tcp_watch(port, source, 0);
    pl_tcp_tls_destroy(source->tls);
    source->tls = NULL;
    if (source->fd >= 0)
        close(source->fd);
    source->fd = -1;
    source->kind = PL_TCP_DEAD;
    pl_list_remove(&source->link);
    pl_list_append(&port->graveyard, &source->link);
}

static void clear_graveyard(struct pl_tcp_port *port)
{
    struct pl_list *node;
    while ((node = pl_list_first(&port->graveyard))) {
        pl_list_remove(node);
        free(pl_container(node, struct pl_tcp_source, link));
    }
}

static bool waits_for_retry(const struct pl_tcp_port *port)
{
    for (int rank = 0; rank < port->peers; rank++)
        if (port->peer[rank] && port->peer[rank]->retry_at)
            return true;
    return false;
}

void pl_tcp_timer_set(struct pl_tcp_port *port)
{
    bool often = port->stranger_count || !pl_list_empty(&port->dials) || port->full || waits_for_retry(port);
    int64_t period = often ? SECOND / 20 : port->stream_count ? SECOND : 0;
    if (period == port->period)
        return;
    port->period = period;
    struct timespec every = {period / SECOND, period % SECOND};
    timerfd_settime(port->timer.fd, 0, &(struct itimerspec){every, every}, NULL);
}

static int tick(struct pl_tcp_port *port)
{
    uint64_t times;
    ssize_t got = read(port->timer.fd, &times, sizeof times);
    (void)got;
    int64_t now = pl_now();
    pl_tcp_greeting_tick(port, now);
    int count = 0;
    for (int rank = 0; rank < port->peers; rank++) {
        struct pl_tcp_peer *peer = port->peer[rank];
        if (peer && peer->held_until)
            pl_tcp_peer_attend(peer);
        if (peer && peer->lanes)
            count += pl_tcp_lanes_tick(peer->lanes, now);
        else if (peer && peer->stream && pl_tcp_stream_silent(peer->stream, now, port->timeout))
            count +=
                pl_tcp_peer_lose(peer, PL_EPEER, "has not acknowledged anything for %.1f s (PEAL_TIMEOUT)",
                                 (double)port->timeout / 1e9);
    }
    pl_tcp_timer_set(port);
    return count;
}

static int stream_work(struct pl_tcp_stream *stream)
{
    int count = pl_tcp_stream_read(stream);
    if (stream->source.kind != PL_TCP_DEAD && stream->stalled)
        count += pl_tcp_stream_write(stream);
    return count;
}

static int direct_streams(struct pl_tcp_port *port)
{
    struct pl_tcp_stream *stream[PL_TCP_DIRECT];
    int n = 0, count = 0;
    pl_list_each(node, &port->streams) stream[n++] = pl_container(node, struct pl_tcp_stream, source.link);
    for (int i = 0; i < n; i++)
        if (stream[i]->source.kind != PL_TCP_DEAD)
            count += stream_work(stream[i]);
    return count;
}

static int one_event(struct pl_tcp_port *port, struct pl_tcp_source *source, bool direct)
{
    switch (source->kind) {
    case PL_TCP_LISTENER:
        pl_tcp_accept(port, source);
        return 1;
    case PL_TCP_GREETING:
        pl_tcp_greeting_event(port, source);
        return 1;
    case PL_TCP_TIMER:
        return tick(port);
    case PL_TCP_STREAM:
        return direct ? 0 : stream_work(pl_container(source, struct pl_tcp_stream, source));
    case PL_TCP_DEAD:
        break;
    }
    return 0;
}

static int events(struct pl_tcp_port *port, bool direct)
{
    struct epoll_event event[EVENTS];
    int n = epoll_wait(port->epoll, event, EVENTS, 0), count = 0;
    if (n < 0)
        return errno == EINTR ? 0
                              : pl_fail_errno("tcp: rank %d cannot ask for events (epoll_wait)", port->rank);
    port->check = n == EVENTS;
    for (int i = 0; i < n; i++)
        count += one_event(port, event[i].data.ptr, direct);
    return count;
}

/* Whether epoll is to be asked in this round. With few streams only strangers and dials, which take several
 * rounds, and the timer are there; but who polls rarely (MPI_Test between computations) has few rounds. */
static bool looks(struct pl_tcp_port *port, bool direct)
{
    int64_t now = pl_now_coarse();
    bool due = !direct || port->check || ++port->turn % IDLE_ROUNDS == 0 || !pl_list_empty(&port->dials) ||
               now - port->looked >= IDLE_TIME;
    if (due)
        port->looked = now;
    return due;
}

int pl_tcp_round(struct pl_tcp_port *port)
{
    if (port->in_progress)
        return 0;
    port->in_progress = true;
    bool direct = port->stream_count <= PL_TCP_DIRECT;
    int count = direct ? direct_streams(port) : 0, error = 0;
    if (looks(port, direct)) {
        int happened = events(port, direct);
        if (happened < 0)
            error = happened;
        else
            count += happened;
    }
    struct pl_list *node;
    while ((node = pl_list_first(&port->attention)))
        count += pl_tcp_peer_look(pl_container(node, struct pl_tcp_peer, attention));
    clear_graveyard(port);
    port->in_progress = false;
    return error ? error : count;
}

int pl_tcp_wait(struct pl_tcp_port *port, int64_t timeout, const int *fds, int nfds)
{
    struct pollfd poll_fd[1 + PL_TCP_DIRECT + SLEEP_FDS];
    int n = 0;
    if (nfds > SLEEP_FDS)
        return pl_fail(PL_EINTERNAL, "tcp: cannot sleep on %d other ports", nfds);
    if (!pl_list_empty(&port->attention) || port->check)
        return 0;
    poll_fd[n++] = (struct pollfd){port->epoll, POLLIN, 0};
    if (!port->watch_all)
        pl_list_each(node, &port->streams)
        {
            struct pl_tcp_stream *stream = pl_container(node, struct pl_tcp_stream, source.link);
            poll_fd[n++] =
                (struct pollfd){stream->source.fd, (short)(POLLIN | (stream->stalled ? POLLOUT : 0)), 0};
        }
    for (int i = 0; i < nfds; i++)
        poll_fd[n++] = (struct pollfd){fds[i], POLLIN, 0};
    struct timespec limit = {timeout / SECOND, timeout % SECOND};
    int ready = ppoll(poll_fd, (nfds_t)n, timeout < 0 ? NULL : &limit, NULL);
    if (ready < 0 && errno != EINTR)
        return pl_fail_errno("tcp: rank %d cannot sleep (ppoll)", port->rank);
    port->check = ready > 0 && poll_fd[0].revents;
    return 0;
}

/* ---- the table ---- */

static int listen_on(struct pl_tcp_port *port, int index, union pl_tcp_address *address)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return pl_fail_errno("tcp: cannot open a socket");
    if (address->any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    socklen_t size = pl_tcp_address_size(address);
    char where[PL_TCP_TEXT];
    if (bind(fd, &address->any, size) || listen(fd, 4096) || getsockname(fd, &address->any, &size)) {
        int error = pl_fail_errno("tcp: cannot listen on %s", pl_tcp_address_text(address, where));
        close(fd);
        return error;
    }
    port->listener[index] = (struct pl_tcp_source){.kind = PL_TCP_LISTENER, .fd = fd};
    int error = pl_tcp_watch(port, &port->listener[index], EPOLLIN);
    if (error)
        close(fd);
    return error;
}

/* Listens on every address it can; those it cannot leave the card. */
static int listen_all(struct pl_tcp_port *port)
{
    struct pl_tcp_card found = port->card;
    port->card.count = 0;
    for (int i = 0; i < found.count; i++) {
        if (listen_on(port, port->card.count, &found.address[i])) {
            pl_info("%s", pl_fail_text());
            continue;
        }
        port->card.prefix[port->card.count] = found.prefix[i];
        port->card.inner[port->card.count] = found.inner[i];
        port->card.interface[port->card.count] = found.interface[i];
        port->card.address[port->card.count++] = found.address[i];
    }
    char text[512];
    pl_info("tcp: reached at %s", pl_tcp_card_text(&port->card, text, sizeof text));
    return port->card.count ? 0 : pl_fail(PL_EUNSUPPORTED, "%.400s", pl_fail_text());
}

static struct pl_tcp_port *port_create(const struct pl_port_params *params)
{
    struct pl_tcp_port *port = calloc(1, sizeof *port);
    if (!port)
        return NULL;
    port->rank = params->rank;
    port->size = params->size;
    memcpy(port->key, params->key, PL_TCP_KEY);
    port->timeout = (int64_t)(params->config->timeout * 1e9);
    port->upcalls = params->upcalls;
    port->context = params->context;
    port->timer = (struct pl_tcp_source){.kind = PL_TCP_TIMER, .fd = -1};
    pl_list_init(&port->streams);
    pl_list_init(&port->strangers);
    pl_list_init(&port->dials);
    pl_list_init(&port->attention);
    pl_list_init(&port->spare);
    pl_list_init(&port->graveyard);
    pl_tcp_nonce(port->card.nonce, sizeof port->card.nonce);
    return port;
}

static int tcp_open(const struct pl_port_params *params, struct pl_port **out)
{
    int error = pl_tcp_auth_init();
    if (error)
        return error;
    struct pl_tcp_port *port = port_create(params);
    if (!port)
        return pl_fail(PL_ENOMEM, "tcp: no memory for a port");
    port->base.transport = &pl_tcp;
    if (params->config->secure && (error = pl_tcp_tls_context_create(port->key, &port->tls)))
        goto free_port;
    error = pl_tcp_addresses(params->local_size == params->size, params->config->net, &port->card);
    if (error)
        goto free_port;
    port->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (port->epoll < 0) {
        error = pl_fail_errno("tcp: epoll_create1");
        goto free_port;
    }
    port->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (port->timer.fd < 0) {
        error = pl_fail_errno("tcp: timerfd_create");
        goto close_epoll;
    }
    error = pl_tcp_watch(port, &port->timer, EPOLLIN);
    if (!error)
        error = listen_all(port);
    if (error)
        goto close_timer;
    *out = &port->base;
    return 0;

close_timer:
    close(port->timer.fd);
close_epoll:
    close(port->epoll);
free_port:
    pl_tcp_tls_context_destroy(port->tls);
    free(port);
    return error;
}

static int tcp_address(struct pl_port *base, void *card, size_t *length)
{
    *length = pl_tcp_card_pack(&((struct pl_tcp_port *)base)->card, card);
    return 0;
}

static int tcp_connect(struct pl_port *base, int rank, const void *bytes, size_t length,
                       struct pl_endpoint **endpoint)
{
    struct pl_tcp_port *port = (struct pl_tcp_port *)base;
    struct pl_tcp_card card;
    int error = pl_tcp_card_unpack(bytes, length, &card);
    if (error)
        return error;
    struct pl_tcp_peer *peer = pl_tcp_peer_get(port, rank);
    if (!peer)
        return rank < 0 ? PL_EARG : PL_ENOMEM;
    if (peer->connected)
        return pl_fail(PL_EARG, "tcp: rank %d has an endpoint to rank %d already", port->rank, rank);
    if (peer->state == PL_TCP_LOST)
        return pl_fail(PL_EPEER, "tcp: rank %d was lost", rank);
    /* The bits of both numbers: pairs are divided evenly, however the ranks lie on the hosts. */
    pl_tcp_card_prefer(&card, &port->card,
                       __builtin_popcount((unsigned)port->rank) + __builtin_popcount((unsigned)rank));
    peer->card = card;
    peer->connected = true;
    *endpoint = &peer->base;
    return 0;
}

/* A frame was begun that will never be whole: nothing can follow it. */
static void break_stream(struct pl_tcp_stream *stream, int error)
{
    stream->write_error = error;
    shutdown(stream->source.fd, SHUT_RDWR);
}

static void tcp_disconnect(struct pl_endpoint *endpoint)
{
    if (!endpoint)
        return;
    struct pl_tcp_peer *peer = (struct pl_tcp_peer *)endpoint;
    struct pl_tcp_stream *stream = peer->stream;
    struct pl_list *first = pl_list_first(&peer->queue);
    peer->connected = false;
    if (peer->state == PL_TCP_DIALING) {
        peer->state = PL_TCP_IDLE;
        pl_tcp_dial_stop(peer);
    }
    if (peer->lanes && !pl_list_empty(&peer->lanes->frames)) {
        for (int i = 0; i < PL_TCP_LANES; i++)
            if (peer->lanes->lane[i].stream)
                break_stream(peer->lanes->lane[i].stream, ECANCELED);
        peer->lanes->marker = 1; /* what is under way is not whole */
        pl_tcp_lanes_end_sends(peer->lanes, PL_ECANCELLED, "the endpoint was disconnected");
    }
    if (stream && first && pl_container(first, struct pl_tcp_item, link)->operation->progress)
        break_stream(stream, ECANCELED);
    pl_tcp_peer_fail_queue(peer, PL_ECANCELLED, "the endpoint was disconnected");
}

static int tcp_send(struct pl_endpoint *endpoint, struct pl_operation *operation)
{
    struct pl_tcp_peer *peer = (struct pl_tcp_peer *)endpoint;
    operation->progress = 0;
    if (!peer->connected)
        return pl_fail(PL_EARG, "tcp: the endpoint to rank %d was disconnected", endpoint->peer);
    switch (peer->state) {
    case PL_TCP_UP:
        if (peer->lanes && peer->lanes->switched && pl_list_empty(&peer->queue))
            return pl_tcp_lanes_send(peer->lanes, operation);
        if (operation->length >= PL_TCP_LANES_FROM && !peer->lanes_tried)
            pl_tcp_lanes_open(peer);
        if (!peer->held_until && pl_list_empty(&peer->queue) && !pl_tcp_stream_try(peer->stream, operation))
            return 0;
        break;
    case PL_TCP_IDLE:
        pl_tcp_dial(peer);
        break;
    case PL_TCP_DIALING:
        break;
    case PL_TCP_LEFT:
        return pl_fail(PL_EPEER, "rank %d has closed its port", endpoint->peer);
    case PL_TCP_LOST:
        return pl_fail(PL_EPEER, "the way to rank %d is lost", endpoint->peer);
    }
    int error = pl_tcp_peer_queue(peer, operation);
    if (error < 0 && operation->progress)
        break_stream(peer->stream, ENOMEM);
    return error;
}

static int tcp_progress(struct pl_port *port)
{
    return pl_tcp_round((struct pl_tcp_port *)port);
}

static int tcp_sleep(struct pl_port *port, int64_t timeout_ns, const int *fds, int nfds)
{
    if (timeout_ns == 0) {
        sched_yield();
        return 0;
    }
    return pl_tcp_wait((struct pl_tcp_port *)port, timeout_ns, fds, nfds);
}

static int tcp_wait_fd(struct pl_port *base, bool *ready)
{
    struct pl_tcp_port *port = (struct pl_tcp_port *)base;
    int error = pl_tcp_watch_all(port);
    *ready = error || !pl_list_empty(&port->attention);
    port->check = true;
    return port->epoll;
}

const struct pl_transport pl_tcp = {
    .name = "tcp",
    .eager_limit = PL_TCP_EAGER,
    .cooperative = pl_no_cooperative,
    .open = tcp_open,
    .close = pl_tcp_close,
    .address = tcp_address,
    .connect = tcp_connect,
    .disconnect = tcp_disconnect,
    .send = tcp_send,
    .progress = tcp_progress,
    .sleep = tcp_sleep,
    .wait_fd = tcp_wait_fd,
    .alloc = pl_no_alloc,
    .free = pl_no_free,
    .map = pl_no_map,
    .reg = pl_no_reg,
    .reg_dmabuf = pl_no_reg_dmabuf,
    .dereg = pl_no_dereg,
    .get = pl_no_get,
    .put = pl_no_put,
    .reaches = pl_no_reaches,
};
