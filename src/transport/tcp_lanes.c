/* Lanes: two hosts with two networks in common use both for one pair of ranks.
 *
 *       rank 0 ==eth0======== the first connection ========eth0== rank 1
 *              ==eth1======== a lane ======================eth1==
 *
 * A pair has one connection until the first long message between them. Then whoever sends it dials once more
 * for each further network that both hosts are in, from the address there to the address there. As soon as a
 * lane stands, each side marks in the first connection that from here on all connections carry parts of one
 * row of bytes (tcp_lanes_send.c), which the other side puts together again (tcp_lanes_receive.c). A pair
 * that only has small messages, or one network, never sees any of it.
 *
 *   first connection:   frame frame MARK part part part ...
 *   lanes:                               part part part ...
 *
 * Each part says where it belongs, and how much has come of the other direction. What is not acknowledged is
 * kept, so a network that dies costs nothing but time: when its connection is silent for a second or two the
 * other is told, and what it had under way goes by those that are left. A process that dies ends all its
 * connections, and the end of one is believed; so a lane that is given up is not closed but kept, unread.
 *
 * Rejected: Multipath TCP, which does this in the kernel, but has to be allowed and configured by root on
 * every host; a lane for each message, which leaves one large message on one network; parts
 * of a fixed size to each in turn, which makes two networks of different speed as fast as twice the slower
 * one.
 */
#include "tcp_lanes.h"

#include "clock.h"
#include "errors.h"
#include "log.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#define SECOND ((int64_t)1000000000)

/* What the kernel may hold of a lane that is not on its way yet (bytes). */
#define NOT_SENT (2 * PL_TCP_PART)

void pl_tcp_lanes_open(struct pl_tcp_peer *peer)
{
    struct pl_tcp_port *port = pl_tcp_port_of(peer);
    struct pl_tcp_way ways[PL_TCP_LANES - 1];
    union pl_tcp_address here;
    socklen_t size = sizeof here;
    peer->lanes_tried = true;
    if (!peer->connected || getsockname(peer->stream->source.fd, &here.any, &size))
        return;
    int n = pl_tcp_card_ways(&port->card, &peer->card, &here, ways, PL_TCP_LANES - 1);
    for (int i = 0; i < n; i++)
        pl_tcp_dial_lane(peer, i + 1, &ways[i]);
    if (pl_tcp_dials_lane(peer))
        peer->held_until = pl_now() + SECOND / 10;
}

static void adopt(struct pl_tcp_lanes *lanes, int number, struct pl_tcp_stream *stream)
{
    int most = (int)NOT_SENT;
    setsockopt(stream->source.fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof most);
    stream->lane = number;
    lanes->lane[number].stream = stream;
    lanes->living++;
}

struct pl_tcp_lanes *pl_tcp_lanes_get(struct pl_tcp_peer *peer)
{
    if (peer->lanes)
        return peer->lanes;
    struct pl_tcp_lanes *lanes = calloc(1, sizeof *lanes);
    if (!lanes) {
        pl_fail(PL_ENOMEM, "tcp: no memory for a further connection with rank %d", peer->base.peer);
        return NULL;
    }
    lanes->peer = peer;
    pl_list_init(&lanes->frames);
    pl_list_init(&lanes->early);
    adopt(lanes, 0, peer->stream);
    peer->lanes = lanes;
    peer->lanes_tried = true;
    return lanes;
}

bool pl_tcp_lanes_want(const struct pl_tcp_peer *peer, int number)
{
    return peer->state == PL_TCP_UP && number > 0 && number < PL_TCP_LANES &&
           !(peer->lanes && peer->lanes->lane[number].stream);
}

int pl_tcp_lanes_add(struct pl_tcp_peer *peer, int number, int fd, struct pl_tcp_tls *tls,
                     const union pl_tcp_address *address)
{
    struct pl_tcp_port *port = pl_tcp_port_of(peer);
    struct pl_tcp_lanes *lanes = pl_tcp_lanes_get(peer);
    struct pl_tcp_stream *stream = lanes ? pl_tcp_stream_create(peer, fd, tls, address) : NULL;
    if (!stream)
        return PL_ENOMEM;
    pl_list_append(&port->streams, &stream->source.link);
    port->stream_count++;
    adopt(lanes, number, stream);
    pl_tcp_timer_set(port);
    if (port->watch_all || port->stream_count > PL_TCP_DIRECT)
        pl_tcp_watch_all(port);
    pl_tcp_peer_attend(peer);
    char where[PL_TCP_TEXT];
    pl_info("tcp: connected with rank %d also at %s", peer->base.peer, pl_tcp_address_text(address, where));
    return 0;
}

static void again(struct pl_tcp_lanes *lanes, struct pl_tcp_range range)
{
    if (range.begin < range.end && range.end > lanes->acknowledged)
        lanes->again[lanes->agains++] = range;
}

void pl_tcp_lanes_cut(struct pl_tcp_lanes *lanes, int number, const char *why)
{
    struct pl_tcp_lane *lane = &lanes->lane[number];
    struct pl_tcp_peer *peer = lanes->peer;
    struct pl_tcp_port *port = pl_tcp_port_of(peer);
    if (!lane->stream || lane->dead)
        return;
    char where[PL_TCP_TEXT];
    pl_warn("tcp: the network to rank %d at %s is given up: %s; going on by %d other%s", peer->base.peer,
            pl_tcp_address_text(&lane->stream->address, where), why, lanes->living - 1,
            lanes->living > 2 ? "s" : "");
    lane->dead = true;
    lanes->living--;
    if (lane->writing)
        again(lanes, lane->part);
    for (int i = lane->flights; i > 0; i--)
        again(lanes, lane->flight[i - 1]);
    lane->writing = false;
    lane->flights = 0;
    lanes->tell |= 1u << number;
    lanes->due = true;
    if (lane->stream->source.watched)
        pl_tcp_watch(port, &lane->stream->source, 0);
    lane->stream->stalled = false;
    pl_list_remove(&lane->stream->source.link);
    port->stream_count--;
    for (int i = 0; i < PL_TCP_LANES; i++)
        if (lanes->lane[i].stream && !lanes->lane[i].dead) {
            peer->stream = lanes->lane[i].stream;
            break;
        }
    pl_tcp_peer_attend(peer);
}

int pl_tcp_lanes_tick(struct pl_tcp_lanes *lanes, int64_t now)
{
    struct pl_tcp_peer *peer = lanes->peer;
    int64_t timeout = pl_tcp_port_of(peer)->timeout;
    for (int i = 0; i < PL_TCP_LANES; i++) {
        struct pl_tcp_lane *lane = &lanes->lane[i];
        if (!lane->stream || lane->dead)
            continue;
        bool others = lanes->living > 1 && (i || (lanes->switched && lanes->settled && lanes->seen));
        if (!pl_tcp_stream_silent(lane->stream, now, others && timeout > SECOND ? SECOND / 2 : timeout))
            continue;
        if (!others)
            return pl_tcp_peer_lose(peer, PL_EPEER, "has not acknowledged anything for %.1f s (PEAL_TIMEOUT)",
                                    (double)timeout / 1e9);
        pl_tcp_lanes_cut(lanes, i, "nothing is acknowledged there");
    }
    return 0;
}

int pl_tcp_lanes_end_sends(struct pl_tcp_lanes *lanes, int error, const char *text)
{
    int count = 0, status = pl_tcp_lanes_unsent(lanes) ? error : 0;
    struct pl_list *node;
    for (int i = 0; i < PL_TCP_LANES; i++) {
        lanes->lane[i].writing = false;
        lanes->lane[i].flights = 0;
    }
    lanes->agains = 0;
    lanes->next = lanes->end;
    while ((node = pl_list_first(&lanes->frames))) {
        struct pl_tcp_lanes_frame *frame = pl_container(node, struct pl_tcp_lanes_frame, link);
        struct pl_operation *operation = frame->operation;
        pl_list_remove(node);
        free(frame);
        if (!operation)
            continue;
        if (status)
            pl_fail(status, "%s", text);
        operation->done(operation, status);
        count++;
    }
    return count;
}

static int end_landing(struct pl_tcp_lanes *lanes, int error, const char *text)
{
    struct pl_tcp_port *port = pl_tcp_port_of(lanes->peer);
    if (!lanes->landing_on)
        return 0;
    lanes->landing_on = false;
    pl_fail(error, "%s", text);
    port->upcalls->landed(port->context, lanes->peer->base.peer, &lanes->landing, lanes->length, error);
    return 1;
}

int pl_tcp_lanes_drop(struct pl_tcp_peer *peer, int error, const char *text)
{
    struct pl_tcp_port *port = pl_tcp_port_of(peer);
    struct pl_tcp_lanes *lanes = peer->lanes;
    struct pl_list *node;
    if (!lanes)
        return 0;
    peer->lanes = NULL;
    peer->stream = NULL;
    for (int i = 0; i < PL_TCP_LANES; i++) {
        struct pl_tcp_lane *lane = &lanes->lane[i];
        if (!lane->stream)
            continue;
        port->stream_count -= !lane->dead;
        pl_tcp_bury(port, &lane->stream->source);
    }
    int count = end_landing(lanes, error, text);
    lanes->marker = 1; /* nothing counts as written */
    lanes->switched = true;
    count += pl_tcp_lanes_end_sends(lanes, error, text);
    while ((node = pl_list_first(&lanes->early))) {
        pl_list_remove(node);
        free(pl_container(node, struct pl_tcp_early, link));
    }
    free(lanes);
    return count;
}
