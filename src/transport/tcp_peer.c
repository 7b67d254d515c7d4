/* A peer's life.
 *
 *   IDLE --first send--> DIALING --handshake--> UP --goodbye--> LEFT
 *     \------------a dial of its own-----------/ |
 *                             |                  | cut
 *                             \-----no way-------+------------> LOST
 *
 * An entry is made when a rank is first heard of and lives as long as the port,
 * so that pointers to it in upcalls and events stay good. The endpoint that
 * connect() gives out is its first member.
 *
 * A peer that closes its port says goodbye on the wire first. That is how every
 * job ends, and the ranks do not end at the same moment, so it is no
 * error in itself: the connection goes, and nobody is told who did not ask for it (`left`). Operations that
 * were queued, and those that are started later, end with PL_EPEER. An end without a goodbye is a death:
 * `lost`.
 */
#include "tcp.h"
#include "tcp_lanes.h"

#include "errors.h"
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Far above any job; what keeps a made-up rank from a giant table. */
#define MOST_RANKS (1 << 22)

static bool grow(struct pl_tcp_port *port, int rank)
{
    int peers = port->peers ? port->peers : 16;
    while (peers <= rank)
        peers *= 2;
    struct pl_tcp_peer **table = realloc(port->peer, (size_t)peers * sizeof *table);
    if (!table)
        return false;
    memset(table + port->peers, 0, (size_t)(peers - port->peers) * sizeof *table);
    port->peer = table;
    port->peers = peers;
    return true;
}

struct pl_tcp_peer *pl_tcp_peer_get(struct pl_tcp_port *port, int rank)
{
    if (rank < 0 || rank >= MOST_RANKS) {
        pl_fail(PL_EARG, "tcp: %d is no rank", rank);
        return NULL;
    }
    if (rank < port->peers && port->peer[rank])
        return port->peer[rank];
    struct pl_tcp_peer *peer = rank < port->peers || grow(port, rank) ? calloc(1, sizeof *peer) : NULL;
    if (!peer) {
        pl_fail(PL_ENOMEM, "tcp: no memory for what rank %d needs", rank);
        return NULL;
    }
    peer->base = (struct pl_endpoint){port->base.transport, &port->base, rank};
    pl_list_init(&peer->queue);
    pl_list_init(&peer->attention);
    port->peer[rank] = peer;
    return peer;
}

void pl_tcp_peer_destroy(struct pl_tcp_peer *peer)
{
    free(peer);
}

void pl_tcp_peer_attend(struct pl_tcp_peer *peer)
{
    if (pl_list_empty(&peer->attention))
        pl_list_append(&pl_tcp_port_of(peer)->attention, &peer->attention);
}

int pl_tcp_peer_queue(struct pl_tcp_peer *peer, struct pl_operation *operation)
{
    struct pl_list *spare = pl_list_first(&pl_tcp_port_of(peer)->spare);
    struct pl_tcp_item *item = spare ? pl_container(spare, struct pl_tcp_item, link) : malloc(sizeof *item);
    if (!item)
        return pl_fail(PL_ENOMEM, "tcp: no memory to queue %zu bytes to rank %d", operation->length,
                       peer->base.peer);
    if (spare)
        pl_list_remove(spare);
    item->operation = operation;
    pl_tcp_head(item->head, &operation->header, operation->length);
    pl_list_append(&peer->queue, &item->link);
    return PL_PENDING;
}

void pl_tcp_item_done(struct pl_tcp_port *port, struct pl_tcp_item *item, int status)
{
    struct pl_operation *operation = item->operation;
    pl_list_remove(&item->link);
    pl_list_append(&port->spare, &item->link);
    operation->done(operation, status);
}

int pl_tcp_peer_fail_queue(struct pl_tcp_peer *peer, int error, const char *text)
{
    int count = 0;
    struct pl_list *node;
    while ((node = pl_list_first(&peer->queue))) {
        pl_fail(error, "%s", text);
        pl_tcp_item_done(pl_tcp_port_of(peer), pl_container(node, struct pl_tcp_item, link), error);
        count++;
    }
    return count;
}

/* Takes the stream away; a payload that was landing ends with `error`. */
static int drop_stream(struct pl_tcp_peer *peer, int error, const char *text)
{
    struct pl_tcp_port *port = pl_tcp_port_of(peer);
    struct pl_tcp_stream *stream = peer->stream;
    pl_tcp_dial_lanes_stop(peer);
    if (!stream)
        return 0;
    if (peer->lanes && !peer->lanes->seen && stream->lane == 0 && stream->length) {
        struct pl_landing half = stream->landing; /* begun before the lanes were there */
        size_t whole = stream->length;
        stream->length = stream->left = 0;
        pl_fail(error, "%s", text);
        port->upcalls->landed(port->context, peer->base.peer, &half, whole, error);
        return 1 + pl_tcp_lanes_drop(peer, error, text);
    }
    if (peer->lanes)
        return pl_tcp_lanes_drop(peer, error, text);
    struct pl_landing landing = stream->landing;
    size_t length = stream->length;
    peer->stream = NULL;
    port->stream_count--;
    stream->length = stream->left = stream->begin = stream->end = 0;
    pl_tcp_bury(port, &stream->source);
    if (!length)
        return 0;
    pl_fail(error, "%s", text);
    port->upcalls->landed(port->context, peer->base.peer, &landing, length, error);
    return 1;
}

static int lose(struct pl_tcp_peer *peer, int error, const char *text)
{
    struct pl_tcp_port *port = pl_tcp_port_of(peer);
    peer->state = PL_TCP_LOST;
    pl_list_remove(&peer->attention);
    pl_tcp_dial_stop(peer);
    int count = drop_stream(peer, error, text);
    count += pl_tcp_peer_fail_queue(peer, error, text);
    if (port->closing)
        return count;
    pl_info("tcp: %s", text);
    pl_fail(error, "%s", text);
    port->upcalls->lost(port->context, peer->base.peer, error, text);
    return count + 1;
}

int pl_tcp_peer_lose(struct pl_tcp_peer *peer, int error, const char *format, ...)
{
    char text[PL_ERROR_TEXT], where[PL_TCP_TEXT];
    int at = snprintf(text, sizeof text, "rank %d", peer->base.peer);
    if (peer->stream)
        at += snprintf(text + at, sizeof text - (size_t)at, " at %s",
                       pl_tcp_address_text(&peer->stream->address, where));
    text[at++] = ' ';
    va_list args;
    va_start(args, format);
    vsnprintf(text + at, sizeof text - (size_t)at, format, args);
    va_end(args);
    return lose(peer, error, text);
}

int pl_tcp_peer_left(struct pl_tcp_peer *peer)
{
    char text[64];
    snprintf(text, sizeof text, "rank %d has closed its port", peer->base.peer);
    struct pl_tcp_port *port = pl_tcp_port_of(peer);
    peer->state = PL_TCP_LEFT;
    int count = drop_stream(peer, PL_EPEER, text);
    count += pl_tcp_peer_fail_queue(peer, PL_EPEER, text);
    if (port->upcalls->left && !port->closing)
        port->upcalls->left(port->context, peer->base.peer);
    return count;
}

int pl_tcp_peer_look(struct pl_tcp_peer *peer)
{
    pl_list_remove(&peer->attention);
    if (peer->state == PL_TCP_UP && pl_tcp_port_of(peer)->watch_all && !peer->stream->source.watched &&
        !peer->lanes)
        return pl_tcp_peer_lose(peer, PL_ESYSTEM, "has a connection that epoll does not take");
    if (peer->state == PL_TCP_UP)
        return pl_tcp_stream_write(peer->stream);
    if (peer->state == PL_TCP_DIALING && peer->dial_failed && !peer->parked)
        return pl_tcp_peer_lose(peer, peer->dial_error, "cannot be reached by tcp: %s", peer->dial_cause);
    return 0;
}

int pl_tcp_peer_up(struct pl_tcp_peer *peer, int fd, struct pl_tcp_tls *tls,
                   const union pl_tcp_address *address)
{
    struct pl_tcp_port *port = pl_tcp_port_of(peer);
    struct pl_tcp_stream *stream = pl_tcp_stream_create(peer, fd, tls, address);
    if (!stream)
        return PL_ENOMEM;
    pl_list_append(&port->streams, &stream->source.link);
    port->stream_count++;
    peer->stream = stream;
    peer->state = PL_TCP_UP;
    pl_tcp_dial_stop(peer);
    if (!pl_list_empty(&peer->queue))
        pl_tcp_peer_attend(peer);
    pl_tcp_timer_set(port);
    if (port->watch_all || port->stream_count > PL_TCP_DIRECT)
        pl_tcp_watch_all(port);
    char where[PL_TCP_TEXT];
    pl_info("tcp: connected with rank %d at %s", peer->base.peer, pl_tcp_address_text(address, where));
    return 0;
}
