/* From a card to an authenticated socket: dialing, accepting, the handshake.
 *
 * Dialing tries the card's addresses in turn, each with a deadline for being
 * connected. Once connected there is none as long as no other address is left
 * to try: the peer's kernel has taken the call, and the peer answers when it next
 * comes to its progress; a rank may compute for minutes. A listener that hangs up in the
 * middle (its deadline for strangers passed while this rank computed) is dialed
 * again, a few times.
 *
 * When two ranks dial each other at once, the lower rank's dial stays:
 *
 *     rank 0 --dial A--> rank 1        1 takes A at once and hangs up B.
 *     rank 0 <--dial B-- rank 1        0 parks B, proven but without a verdict,
 *                                      until A has its verdict (B is dropped)
 *                                      or has failed for good (B is taken).
 *
 * Frames go out only after the verdict, out of the one queue of the peer, so none is
 * lost or overtaken whichever stays. Parking, instead of refusing B at once,
 * lets two ranks meet of which only the higher one can reach the other.
 *
 * Strangers: whoever connects has a few seconds to prove itself, and is given
 * one small greeting's memory. When there are too many, the oldest
 * goes if it has had its second, else the listeners are not looked at, and the kernel
 * makes the others wait. Nobody is told anything a wrong key could use.
 */
#include "tcp.h"
#include "tcp_lanes.h"

#include "clock.h"
#include "errors.h"
#include "log.h"

#include <endian.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND         ((int64_t)1000000000)
#define STRANGERS      128
#define STRANGER_TIME  (5 * SECOND) /* to prove itself at each step, or PEAL_TIMEOUT if that is longer */
#define STRANGER_GRACE (1 * SECOND) /* is left alone that long even in a crowd */
#define STRANGER_WORDS 16           /* warnings about strangers; then only at debug */
#define REDIAL_TIME    (2 * SECOND) /* for a dead lane's network to answer */
#define REFUSALS       5            /* rounds of dialing that may end in a hung up handshake */
#define ACCEPTS        16           /* a round */
#define LANE_BITS      24           /* in a hello, above the dialer's rank: the name of the lane */

/* SEALING and UNSEALING: TLS is being set up, by the dialer and by the listener. */
enum step { CONNECTING, SEALING, WAIT_ANSWER, WAIT_VERDICT, UNSEALING, WAIT_HELLO, WAIT_PROOF, PARKED };

/* One connection whose other end is not proven yet. */
struct pl_tcp_greeting {
    struct pl_tcp_source source; /* in port->dials or port->strangers; parked: in none */
    enum step step;
    struct pl_tcp_peer *peer; /* dials and parked ones */
    int lane;                 /* the name of a further lane; 0: the first connection */
    union pl_tcp_address address;
    int64_t since, deadline; /* ns; deadline 0: none */
    unsigned char binding[PL_TCP_KEY];
    struct pl_tcp_hello hello;
    struct pl_tcp_answer answer;
    size_t have; /* bytes of `in` */
    union {
        struct pl_tcp_hello hello;
        struct pl_tcp_answer answer;
        struct pl_tcp_proof proof;
        struct pl_tcp_verdict verdict;
    } in;
};

static struct pl_tcp_greeting *greeting_create(int fd, enum step step, const union pl_tcp_address *address)
{
    struct pl_tcp_greeting *greeting = calloc(1, sizeof *greeting);
    if (!greeting)
        return NULL;
    greeting->source.kind = PL_TCP_GREETING;
    greeting->source.fd = fd;
    pl_list_init(&greeting->source.link);
    greeting->step = step;
    greeting->address = *address;
    greeting->since = pl_now();
    return greeting;
}

/* Whether all of a small message went out; the socket's buffer is empty in a
 * handshake, so what is not taken whole means a broken connection. */
static bool say(struct pl_tcp_greeting *greeting, const void *bytes, size_t size)
{
    ssize_t took;
    struct iovec all = {(void *)(uintptr_t)bytes, size};
    do
        took = pl_tcp_wire_write(greeting->source.fd, greeting->source.tls, &all, 1);
    while (took < 0 && errno == EINTR);
    return took == (ssize_t)size;
}

/* Reads the message that is due. 1: it is here; 0: not yet; -1: error or end (errno 0). */
static int hear(struct pl_tcp_greeting *greeting, size_t size)
{
    ssize_t got;
    struct iovec rest = {(char *)&greeting->in + greeting->have, size - greeting->have};
    do
        got = pl_tcp_wire_read(greeting->source.fd, greeting->source.tls, &rest, 1);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN ? 0 : -1;
    errno = 0;
    if (got == 0)
        return -1;
    greeting->have += (size_t)got;
    if (greeting->have < size)
        return 0;
    greeting->have = 0;
    return 1;
}

/* Makes the greeting's socket the peer's stream. On success the greeting has no descriptor any more. */
static int take_over(struct pl_tcp_port *port, struct pl_tcp_peer *peer, struct pl_tcp_greeting *greeting)
{
    int fd = greeting->source.fd;
    struct pl_tcp_tls *tls = greeting->source.tls;
    pl_tcp_watch(port, &greeting->source, 0);
    greeting->source.fd = -1;
    greeting->source.tls = NULL;
    int error = greeting->lane ? pl_tcp_lanes_add(peer, greeting->lane, fd, tls, &greeting->address)
                               : pl_tcp_peer_up(peer, fd, tls, &greeting->address);
    if (error) {
        greeting->source.fd = fd;
        greeting->source.tls = tls;
        return error;
    }
    struct pl_tcp_stream *stream =
        greeting->lane ? peer->lanes->lane[greeting->lane % PL_TCP_LANES].stream : peer->stream;
    stream->dialed = greeting->step == WAIT_VERDICT;
    return 0;
}

/* The first step on a connected socket: TLS, where it is wanted. Without, the channel is known at once.
 * 1: go on; 0: TLS is under way; -1: failed. */
static int seal(struct pl_tcp_port *port, struct pl_tcp_greeting *greeting, bool dials)
{
    if (!port->tls)
        return pl_tcp_binding(greeting->source.fd, dials, greeting->binding) ? -1 : 1;
    greeting->source.tls = pl_tcp_tls_create(port->tls, greeting->source.fd, dials);
    greeting->step = dials ? SEALING : UNSEALING;
    return greeting->source.tls ? 0 : -1;
}

/* Goes on with TLS. The same. */
static int seal_on(struct pl_tcp_port *port, struct pl_tcp_greeting *greeting)
{
    bool writes;
    int result = pl_tcp_tls_greet(greeting->source.tls, &writes);
    if (result > 0 && !pl_tcp_tls_binding(greeting->source.tls, greeting->binding))
        return -1;
    if (result == 0)
        pl_tcp_watch(port, &greeting->source, EPOLLIN | (writes ? EPOLLOUT : 0u));
    return result;
}

/* ---- dialing ---- */

static void dial_next(struct pl_tcp_peer *peer);

static void __attribute__((format(printf, 3, 4)))
dial_cause(struct pl_tcp_peer *peer, int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(peer->dial_cause, sizeof peer->dial_cause, format, args);
    va_end(args);
    peer->dial_error = error;
}

/* The attempt under way failed. `again`: the peer is there but hung up. */
static void dial_failed(struct pl_tcp_peer *peer, bool again, const char *why)
{
    char where[PL_TCP_TEXT];
    struct pl_tcp_greeting *dial = peer->dial;
    peer->answered |= again || !strcmp(why, strerror(ECONNREFUSED));
    dial_cause(peer, PL_EUNREACHABLE, "%s: %s", pl_tcp_address_text(&dial->address, where), why);
    pl_debug("tcp: dialing rank %d: %s", peer->base.peer, peer->dial_cause);
    peer->dial = NULL;
    pl_tcp_bury(pl_tcp_port_of(peer), &dial->source);
    if (again && peer->refusals < REFUSALS && !peer->retry_at)
        peer->retry_at = pl_now() + SECOND / 20 * (1 << peer->refusals);
    dial_next(peer);
}

/* No address is left: another round later, the parked connection, or the end. */
static void dial_exhausted(struct pl_tcp_peer *peer)
{
    struct pl_tcp_port *port = pl_tcp_port_of(peer);
    if (peer->parked) {
        struct pl_tcp_greeting *parked = peer->parked;
        struct pl_tcp_verdict verdict;
        pl_tcp_verdict_make(&verdict);
        peer->parked = NULL;
        peer->retry_at = 0;
        bool up = say(parked, &verdict, sizeof verdict) && !take_over(port, peer, parked);
        pl_tcp_bury(port, &parked->source);
        if (up)
            return;
    }
    if (peer->retry_at) {
        peer->refusals++;
        pl_tcp_timer_set(port);
        return;
    }
    /* It may be that only the other one can dial: it is given the time to. */
    int64_t patience = peer->answered ? port->timeout / 5 : port->timeout, now = pl_now();
    if (now - peer->dial_since < patience && peer->dial_error == PL_EUNREACHABLE && !port->closing) {
        if (!peer->answered)
            pl_info("tcp: rank %d cannot be dialed from here (%s); it may dial this rank", peer->base.peer,
                    peer->dial_cause);
        peer->retry_at = now + SECOND / 4;
        pl_tcp_timer_set(port);
        return;
    }
    peer->dial_failed = true;
    pl_tcp_peer_attend(peer);
}

static int dial_socket(struct pl_tcp_peer *peer, const union pl_tcp_address *address)
{
    char where[PL_TCP_TEXT];
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        bool limit = errno == EMFILE || errno == ENFILE;
        dial_cause(peer, PL_ESYSTEM, "no socket can be opened: %s%s", strerror(errno),
                   limit ? "; raise the limit on open files (ulimit -n)" : "");
        return -1;
    }
    if (connect(fd, &address->any, pl_tcp_address_size(address)) && errno != EINPROGRESS && errno != EINTR) {
        dial_cause(peer, PL_EUNREACHABLE, "%s: %s", pl_tcp_address_text(address, where), strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

/* Begins with the next address that can be begun with. */
static void dial_next(struct pl_tcp_peer *peer)
{
    struct pl_tcp_port *port = pl_tcp_port_of(peer);
    while (peer->next_address < peer->card.count) {
        const union pl_tcp_address *address = &peer->card.address[peer->next_address++];
        int fd = dial_socket(peer, address);
        if (fd < 0)
            continue;
        struct pl_tcp_greeting *dial = greeting_create(fd, CONNECTING, address);
        if (!dial) {
            close(fd);
            dial_cause(peer, PL_ENOMEM, "out of memory");
            break;
        }
        /* An address that leads nowhere holds up the others only so long; all have their turn again. */
        int64_t patience = port->timeout / peer->card.count;
        bool others = peer->next_address < peer->card.count;
        dial->peer = peer;
        dial->deadline = dial->since + (patience < SECOND || others ? SECOND + SECOND / 4 : patience);
        peer->dial = dial;
        pl_list_append(&port->dials, &dial->source.link);
        if (!pl_tcp_watch(port, &dial->source, EPOLLIN | EPOLLOUT)) {
            pl_tcp_timer_set(port);
            return;
        }
        dial_cause(peer, PL_ESYSTEM, "%s", pl_fail_text());
        peer->dial = NULL;
        pl_tcp_bury(port, &dial->source);
    }
    dial_exhausted(peer);
}

void pl_tcp_dial(struct pl_tcp_peer *peer)
{
    if (peer->state != PL_TCP_DIALING)
        peer->dial_since = pl_now();
    peer->state = PL_TCP_DIALING;
    peer->next_address = 0;
    peer->answered = false;
    peer->retry_at = 0;
    dial_next(peer);
}

void pl_tcp_dial_stop(struct pl_tcp_peer *peer)
{
    struct pl_tcp_port *port = pl_tcp_port_of(peer);
    struct pl_tcp_greeting *dial = peer->dial, *parked = peer->parked;
    peer->dial = peer->parked = NULL;
    peer->retry_at = 0;
    if (dial)
        pl_tcp_bury(port, &dial->source);
    if (parked)
        pl_tcp_bury(port, &parked->source);
}

/* A dial failed: the one for the first connection, or one for a lane. */
static void failed(struct pl_tcp_greeting *dial, bool hung_up, const char *why)
{
    if (!dial->lane) {
        dial_failed(dial->peer, hung_up, why);
        return;
    }
    char where[PL_TCP_TEXT];
    bool again = dial->lane >= PL_TCP_LANES;
    pl_log(again ? PL_LOG_DEBUG : PL_LOG_INFO, "tcp: no further connection with rank %d at %s: %s",
           dial->peer->base.peer, pl_tcp_address_text(&dial->address, where), why);
    pl_tcp_bury(pl_tcp_port_of(dial->peer), &dial->source);
    pl_tcp_peer_attend(dial->peer);
}

void pl_tcp_dial_lane(struct pl_tcp_peer *peer, int name, const struct pl_tcp_way *way)
{
    struct pl_tcp_port *port = pl_tcp_port_of(peer);
    int fd = socket(way->to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t size = pl_tcp_address_size(&way->to);
    bool begun =
        !bind(fd, &way->from.any, size) && (!connect(fd, &way->to.any, size) || errno == EINPROGRESS);
    struct pl_tcp_greeting *dial = begun ? greeting_create(fd, CONNECTING, &way->to) : NULL;
    if (!dial) {
        close(fd);
        return;
    }
    dial->peer = peer;
    dial->lane = name;
    dial->deadline =
        dial->since + (name < PL_TCP_LANES || port->timeout < REDIAL_TIME ? port->timeout : REDIAL_TIME);
    pl_list_append(&port->dials, &dial->source.link);
    if (pl_tcp_watch(port, &dial->source, EPOLLIN | EPOLLOUT))
        failed(dial, false, pl_fail_text());
    pl_tcp_timer_set(port);
}

/* The first dial for a lane to the peer, for that of this name unless it is 0; NULL: there is none. */
static struct pl_tcp_greeting *lane_dial(struct pl_tcp_port *port, const struct pl_tcp_peer *peer, int name)
{
    pl_list_each(node, &port->dials)
    {
        struct pl_tcp_greeting *dial = pl_container(node, struct pl_tcp_greeting, source.link);
        if (dial->lane && dial->peer == peer && (!name || dial->lane == name))
            return dial;
    }
    return NULL;
}

bool pl_tcp_dials_lane(const struct pl_tcp_peer *peer, int name)
{
    return lane_dial(pl_tcp_port_of(peer), peer, name) != NULL;
}

void pl_tcp_dial_lanes_stop(struct pl_tcp_peer *peer)
{
    struct pl_tcp_greeting *dial;
    while ((dial = lane_dial(pl_tcp_port_of(peer), peer, 0)))
        pl_tcp_bury(pl_tcp_port_of(peer), &dial->source);
}

void pl_tcp_dial_lane_stop(struct pl_tcp_peer *peer, int name)
{
    struct pl_tcp_greeting *dial = lane_dial(pl_tcp_port_of(peer), peer, name);
    if (dial)
        pl_tcp_bury(pl_tcp_port_of(peer), &dial->source);
}

static void dial_hello(struct pl_tcp_port *port, struct pl_tcp_greeting *dial)
{
    struct pl_tcp_peer *peer = dial->peer;
    uint32_t dialer = (uint32_t)port->rank | (uint32_t)dial->lane << LANE_BITS;
    pl_tcp_hello_make(&dial->hello, (int)dialer, peer->base.peer, peer->card.nonce);
    dial->step = WAIT_ANSWER;
    if (!say(dial, &dial->hello, sizeof dial->hello))
        failed(dial, true, "hung up before the handshake");
    else
        pl_tcp_watch(port, &dial->source, EPOLLIN);
}

static void dial_sealing(struct pl_tcp_port *port, struct pl_tcp_greeting *dial)
{
    int sealed = seal_on(port, dial);
    if (sealed < 0)
        failed(dial, true,
               "does not speak TLS with this job's key (PEAL_SECURE must be the same on all ranks)");
    else if (sealed)
        dial_hello(port, dial);
}

static void dial_connected(struct pl_tcp_port *port, struct pl_tcp_greeting *dial)
{
    struct pl_tcp_peer *peer = dial->peer;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(dial->source.fd, SOL_SOCKET, SO_ERROR, &error, &size))
        error = errno;
    union pl_tcp_address other;
    size = sizeof other;
    if (!error && getpeername(dial->source.fd, &other.any, &size)) {
        if (errno == ENOTCONN)
            return;
        error = errno;
    }
    if (error) {
        failed(dial, false, strerror(error));
        return;
    }
    unsigned limit = port->timeout / 1000000 < UINT32_MAX / 2 ? (unsigned)(port->timeout / 1000000) : 0;
    pl_tcp_socket_setup(dial->source.fd, port->timeout);
    setsockopt(dial->source.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit);
    bool last = dial->lane || peer->next_address >= peer->card.count;
    dial->deadline = last ? 0 : pl_now() + port->timeout;
    int sealed = seal(port, dial, true);
    if (sealed < 0)
        failed(dial, false, "out of memory");
    else if (sealed)
        dial_hello(port, dial);
    else
        dial_sealing(port, dial);
}

static void dial_answered(struct pl_tcp_port *port, struct pl_tcp_greeting *dial)
{
    struct pl_tcp_proof proof;
    dial->answer = dial->in.answer;
    if (!pl_tcp_answer_holds(&dial->answer, port->key, dial->binding, &dial->hello)) {
        char where[PL_TCP_TEXT];
        pl_warn("tcp: what answers at %s does not have this job's key, so it is not rank %d",
                pl_tcp_address_text(&dial->address, where), dial->peer->base.peer);
        failed(dial, false, "what answers there does not have this job's key");
        return;
    }
    pl_tcp_proof_make(&proof, port->key, dial->binding, &dial->hello, &dial->answer);
    dial->step = WAIT_VERDICT;
    dial->deadline = 0;
    if (!say(dial, &proof, sizeof proof))
        failed(dial, true, "hung up in the handshake");
}

static void dial_accepted(struct pl_tcp_port *port, struct pl_tcp_greeting *dial)
{
    struct pl_tcp_peer *peer = dial->peer;
    if (!pl_tcp_verdict_holds(&dial->in.verdict)) {
        failed(dial, false, "made no sense in the handshake");
        return;
    }
    if (take_over(port, peer, dial))
        failed(dial, false, "out of memory");
    else if (dial->lane)
        pl_tcp_bury(port, &dial->source);
}

static void dial_event(struct pl_tcp_port *port, struct pl_tcp_greeting *dial)
{
    if (dial->step == CONNECTING) {
        dial_connected(port, dial);
        return;
    }
    if (dial->step == SEALING) {
        dial_sealing(port, dial);
        return;
    }
    int got = hear(dial, dial->step == WAIT_ANSWER ? sizeof dial->in.answer : sizeof dial->in.verdict);
    if (got < 0)
        failed(dial, true, errno ? strerror(errno) : "hung up in the handshake");
    else if (got && dial->step == WAIT_ANSWER)
        dial_answered(port, dial);
    else if (got)
        dial_accepted(port, dial);
}

/* ---- strangers ---- */

static void listen_set(struct pl_tcp_port *port, bool full)
{
    if (port->full == full)
        return;
    port->full = full;
    for (int i = 0; i < port->card.count; i++)
        pl_tcp_watch(port, &port->listener[i], full ? 0 : EPOLLIN);
}

static void stranger_drop(struct pl_tcp_port *port, struct pl_tcp_greeting *stranger, enum pl_log_level level,
                          const char *why)
{
    char where[PL_TCP_TEXT];
    if (level <= PL_LOG_WARN && port->warned++ >= STRANGER_WORDS)
        level = PL_LOG_DEBUG;
    pl_log(level, "tcp: hung up on %s: %s", pl_tcp_address_text(&stranger->address, where), why);
    port->stranger_count--;
    pl_tcp_bury(port, &stranger->source);
    if (!port->accept_paused)
        listen_set(port, false);
}

/* A rank that looks only now and then is slow to prove itself. */
static int64_t stranger_time(const struct pl_tcp_port *port)
{
    return port->timeout > STRANGER_TIME ? port->timeout : STRANGER_TIME;
}

/* Makes room for one more. False: everybody here still has a right to be. */
static bool stranger_room(struct pl_tcp_port *port)
{
    if (port->stranger_count < STRANGERS)
        return true;
    struct pl_list *first = pl_list_first(&port->strangers);
    struct pl_tcp_greeting *oldest = pl_container(first, struct pl_tcp_greeting, source.link);
    if (pl_now() - oldest->since < STRANGER_GRACE) {
        listen_set(port, true);
        return false;
    }
    stranger_drop(port, oldest, PL_LOG_WARN,
                  "too many connections at once that do not prove to be of this job");
    return true;
}

static void accept_pause(struct pl_tcp_port *port)
{
    if (port->warned++ < STRANGER_WORDS)
        pl_error("tcp: rank %d cannot accept a connection: %s; raise the limit on open files (ulimit -n)",
                 port->rank, strerror(errno));
    port->accept_paused = pl_now() + SECOND / 2;
    listen_set(port, true);
    pl_tcp_timer_set(port);
}

void pl_tcp_accept(struct pl_tcp_port *port, struct pl_tcp_source *listener)
{
    for (int i = 0; i < ACCEPTS && stranger_room(port); i++) {
        union pl_tcp_address address = {.v6 = {0}};
        socklen_t size = sizeof address;
        int fd = accept4(listener->fd, &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
                accept_pause(port);
            return;
        }
        struct pl_tcp_greeting *stranger = greeting_create(fd, WAIT_HELLO, &address);
        if (!stranger) {
            close(fd);
            return;
        }
        stranger->deadline = stranger->since + stranger_time(port);
        pl_list_append(&port->strangers, &stranger->source.link);
        port->stranger_count++;
        if (seal(port, stranger, false) < 0)
            stranger_drop(port, stranger, PL_LOG_INFO, "gone before the handshake");
        else if (pl_tcp_watch(port, &stranger->source, EPOLLIN))
            stranger_drop(port, stranger, PL_LOG_WARN, pl_fail_text());
    }
    pl_tcp_timer_set(port);
}

static void stranger_hello(struct pl_tcp_port *port, struct pl_tcp_greeting *stranger)
{
    stranger->hello = stranger->in.hello;
    if (le32toh(stranger->hello.listener) != (uint32_t)port->rank ||
        memcmp(stranger->hello.port, port->card.nonce, PL_TCP_NONCE)) {
        stranger_drop(port, stranger, PL_LOG_INFO, "it wants another rank or another job");
        return;
    }
    pl_tcp_answer_make(&stranger->answer, port->key, stranger->binding, &stranger->hello);
    stranger->step = WAIT_PROOF;
    stranger->deadline = pl_now() + stranger_time(port); /* this rank may have been away for long */
    if (!say(stranger, &stranger->answer, sizeof stranger->answer))
        stranger_drop(port, stranger, PL_LOG_DEBUG, "gone in the handshake");
}

/* A further lane. When both dial for lanes, the lower rank's dials stay; a dead one only who had dialed it
 * dials. */
static void lane_proven(struct pl_tcp_port *port, struct pl_tcp_peer *peer, struct pl_tcp_greeting *stranger)
{
    struct pl_tcp_verdict verdict;
    pl_tcp_verdict_make(&verdict);
    bool first = stranger->lane < PL_TCP_LANES,
         ours = first && port->rank < peer->base.peer && lane_dial(port, peer, 0);
    if (ours || !pl_tcp_lanes_want(peer, stranger->lane)) {
        stranger_drop(port, stranger, PL_LOG_DEBUG, "that further connection is there, or will be");
        return;
    }
    if (!say(stranger, &verdict, sizeof verdict) || take_over(port, peer, stranger)) {
        stranger_drop(port, stranger, PL_LOG_DEBUG, "gone in the handshake");
        return;
    }
    peer->lanes_tried = true;
    if (first)
        pl_tcp_dial_lanes_stop(peer);
    port->stranger_count--;
    pl_tcp_bury(port, &stranger->source);
}

/* It is a rank of this job. Take it, park it, or find that there is a stream already. */
static void stranger_proven(struct pl_tcp_port *port, struct pl_tcp_greeting *stranger)
{
    uint32_t dialer = le32toh(stranger->hello.dialer);
    int rank = (int)(dialer & ((1u << LANE_BITS) - 1));
    struct pl_tcp_peer *peer = pl_tcp_peer_get(port, rank);
    if (!peer) {
        stranger_drop(port, stranger, PL_LOG_WARN, pl_fail_text());
        return;
    }
    stranger->lane = (int)(dialer >> LANE_BITS);
    if (stranger->lane) {
        lane_proven(port, peer, stranger);
        return;
    }
    if (peer->state == PL_TCP_DIALING && peer->dial && port->rank < rank && !peer->parked) {
        stranger->step = PARKED;
        stranger->peer = peer;
        peer->parked = stranger;
        port->stranger_count--;
        pl_list_remove(&stranger->source.link);
        return;
    }
    if (peer->state != PL_TCP_IDLE && peer->state != PL_TCP_DIALING) {
        stranger_drop(port, stranger, PL_LOG_DEBUG,
                      "there is a connection with that rank already, or it is gone");
        return;
    }
    struct pl_tcp_verdict verdict;
    pl_tcp_verdict_make(&verdict);
    if (!say(stranger, &verdict, sizeof verdict)) {
        stranger_drop(port, stranger, PL_LOG_DEBUG, "gone in the handshake");
        return;
    }
    if (take_over(port, peer, stranger)) {
        stranger_drop(port, stranger, PL_LOG_WARN, pl_fail_text());
        return;
    }
    port->stranger_count--;
    pl_tcp_bury(port, &stranger->source);
}

static void stranger_event(struct pl_tcp_port *port, struct pl_tcp_greeting *stranger);

static void stranger_unsealing(struct pl_tcp_port *port, struct pl_tcp_greeting *stranger)
{
    int sealed = seal_on(port, stranger);
    if (sealed < 0) {
        stranger_drop(
            port, stranger, PL_LOG_WARN,
            "it does not speak TLS with this job's key (PEAL_SECURE must be the same on all ranks)");
    } else if (sealed) {
        stranger->step = WAIT_HELLO;
        pl_tcp_watch(port, &stranger->source, EPOLLIN);
        stranger_event(port, stranger); /* its hello may be here already, where epoll does not see it */
    }
}

static void stranger_event(struct pl_tcp_port *port, struct pl_tcp_greeting *stranger)
{
    if (stranger->step == UNSEALING) {
        stranger_unsealing(port, stranger);
        return;
    }
    bool first = stranger->step == WAIT_HELLO;
    int got = hear(stranger, first ? sizeof stranger->in.hello : sizeof stranger->in.proof);
    size_t have = got > 0 ? sizeof stranger->in.hello : stranger->have;
    if (first && have && !pl_tcp_hello_begins(&stranger->in, have))
        stranger_drop(port, stranger, PL_LOG_WARN, "it does not speak as a rank of Peal");
    else if (got < 0)
        stranger_drop(port, stranger, first && stranger->have ? PL_LOG_WARN : PL_LOG_INFO,
                      "gone in the handshake");
    else if (got && first)
        stranger_hello(port, stranger);
    else if (got && !pl_tcp_proof_holds(&stranger->in.proof, port->key, stranger->binding, &stranger->hello,
                                        &stranger->answer))
        stranger_drop(port, stranger, PL_LOG_WARN, "it does not have this job's key");
    else if (got)
        stranger_proven(port, stranger);
}

/* A parked one says nothing before its verdict: only its end can be heard. */
static void parked_event(struct pl_tcp_port *port, struct pl_tcp_greeting *parked)
{
    if (!hear(parked, 1))
        return;
    struct pl_tcp_peer *peer = parked->peer;
    peer->parked = NULL;
    pl_tcp_bury(port, &parked->source);
    if (peer->dial_failed)
        pl_tcp_peer_attend(peer);
}

void pl_tcp_greeting_event(struct pl_tcp_port *port, struct pl_tcp_source *source)
{
    struct pl_tcp_greeting *greeting = pl_container(source, struct pl_tcp_greeting, source);
    if (greeting->step == PARKED)
        parked_event(port, greeting);
    else if (greeting->step >= UNSEALING)
        stranger_event(port, greeting);
    else
        dial_event(port, greeting);
}

/* Its time is over; but what it said while this rank did not look counts. */
static void stranger_late(struct pl_tcp_port *port, struct pl_tcp_greeting *stranger)
{
    enum step step = stranger->step;
    stranger_event(port, stranger);
    if (stranger->source.kind != PL_TCP_DEAD && stranger->step == step)
        stranger_drop(port, stranger, PL_LOG_WARN, "it has not proven in time that it is of this job");
}

void pl_tcp_greeting_tick(struct pl_tcp_port *port, int64_t now)
{
    pl_list_each(node, &port->strangers)
    {
        struct pl_tcp_greeting *stranger = pl_container(node, struct pl_tcp_greeting, source.link);
        if (now > stranger->deadline)
            stranger_late(port, stranger);
    }
    pl_list_each(node, &port->dials)
    {
        struct pl_tcp_greeting *dial = pl_container(node, struct pl_tcp_greeting, source.link);
        if (dial->deadline && now > dial->deadline)
            failed(dial, false, "no answer in time");
    }
    for (int rank = 0; rank < port->peers; rank++) {
        struct pl_tcp_peer *peer = port->peer[rank];
        if (peer && peer->retry_at && now > peer->retry_at && !peer->dial)
            pl_tcp_dial(peer);
    }
    if (port->full && now > port->accept_paused) {
        port->accept_paused = 0;
        listen_set(port, false);
    }
}
