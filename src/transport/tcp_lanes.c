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
 * connections, and the end of one is believed; so a lane that is given up is not closed but kept, unread,
 * until another has taken its place: who dialed it dials again, after a second, then after twice as long each
 * time. A lane's name on the wire counts these turns, so that the news of a lane's death, which may come
 * late, do not kill its successor.
 *
 *   lane 1, turn 0:  part part  ....X                         both ends: dead
 *   lane 0:              part part  DEAD(1,0)  part part part
 *   lane 1, turn 1:                        hello ... verdict  part part
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

/* A lane that lived so long begins anew with short pauses (ns). */
#define STEADY     (30 * SECOND)
#define PAUSE_MOST (64 * SECOND)

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
    if (pl_tcp_dials_lane(peer, 0))
        peer->held_until = pl_now() + SECOND / 10;
}

static void adopt(struct pl_tcp_lanes *lanes, int number, struct pl_tcp_stream *stream)
{
    int most = (int)NOT_SENT;
    setsockopt(stream->source.fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof most);
    stream->lane = number;
    lanes->lane[number].stream = stream;
    lanes->lane[number].since = pl_now();
    lanes->living++;
}

/* Whether turn `a` comes behind turn `b`. */
static bool later(int a, int b)
{
    int ahead = (a - b) & (PL_TCP_TURNS - 1);
    return ahead && ahead < PL_TCP_TURNS / 2;
}

static int next_turn(int turn)
{
    return turn + 1 < PL_TCP_TURNS ? turn + 1 : 1;
}

/* Whether there are others by which all can go that a lane has under way. */
static bool has_others(const struct pl_tcp_lanes *lanes, int number)
{
    return lanes->living > 1 && (number || (lanes->switched && lanes->settled && lanes->seen));
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

bool pl_tcp_lanes_want(const struct pl_tcp_peer *peer, int name)
{
    int number = name % PL_TCP_LANES, turn = name / PL_TCP_LANES;
    const struct pl_tcp_lanes *lanes = peer->lanes;
    if (peer->state != PL_TCP_UP || turn >= PL_TCP_TURNS)
        return false;
    if (!lanes || !lanes->lane[number].stream)
        return number > 0;
    bool all_here = number || (lanes->switched && lanes->settled && lanes->seen);
    return later(turn, lanes->lane[number].turn) && (lanes->lane[number].dead || all_here);
}

static void again(struct pl_tcp_lanes *lanes, struct pl_tcp_range range)
{
    if (range.begin < range.end && range.end > lanes->acknowledged)
        lanes->again[lanes->agains++] = range;
}

/* The other end is told of all dead lanes, again too: the news may have gone by one that it has given up
 * itself. */
static void tell_dead(struct pl_tcp_lanes *lanes)
{
    lanes->tell = 0;
    for (int i = 0; i < PL_TCP_LANES; i++)
        lanes->tell |= lanes->lane[i].dead ? 1u << i : 0;
    lanes->due = true;
}

/* Nothing comes or goes by this lane any more; what it had under way goes by the others. */
static void retire(struct pl_tcp_lanes *lanes, int number)
{
    struct pl_tcp_lane *lane = &lanes->lane[number];
    struct pl_tcp_peer *peer = lanes->peer;
    struct pl_tcp_port *port = pl_tcp_port_of(peer);
    int64_t now = pl_now();
    lane->dead = true;
    lane->pause = !lane->pause || now - lane->since > STEADY ? SECOND : lane->pause;
    lane->redial_at = now + lane->pause;
    lanes->living--;
    if (lane->writing)
        again(lanes, lane->part);
    for (int i = lane->flights; i > 0; i--)
        again(lanes, lane->flight[i - 1]);
    lane->writing = false;
    lane->flights = 0;
    tell_dead(lanes);
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

void pl_tcp_lanes_cut(struct pl_tcp_lanes *lanes, int number, const char *why)
{
    struct pl_tcp_lane *lane = &lanes->lane[number];
    if (!lane->stream || lane->dead)
        return;
    char where[PL_TCP_TEXT];
    pl_warn("tcp: the network to rank %d at %s is given up: %s; going on by %d other%s",
            lanes->peer->base.peer, pl_tcp_address_text(&lane->stream->address, where), why,
            lanes->living - 1, lanes->living > 2 ? "s" : "");
    retire(lanes, number);
}

/* The new lane takes the place of a dead one; or of one that is dead only at the other end. That may even be
 * the last one: each end may have given up what the other goes on by. */
static void replace(struct pl_tcp_lanes *lanes, int number, int turn, struct pl_tcp_stream *stream)
{
    struct pl_tcp_lane *lane = &lanes->lane[number];
    struct pl_tcp_stream *old = lane->stream;
    if (old && !lane->dead)
        retire(lanes, number);
    *lane = (struct pl_tcp_lane){.turn = turn, .pause = lane->pause};
    tell_dead(lanes);
    adopt(lanes, number, stream);
    if (lanes->peer->stream == old)
        lanes->peer->stream = stream;
    if (old)
        pl_tcp_bury(pl_tcp_port_of(lanes->peer), &old->source);
}

int pl_tcp_lanes_add(struct pl_tcp_peer *peer, int name, int fd, struct pl_tcp_tls *tls,
                     const union pl_tcp_address *address)
{
    struct pl_tcp_port *port = pl_tcp_port_of(peer);
    struct pl_tcp_lanes *lanes = pl_tcp_lanes_get(peer);
    struct pl_tcp_stream *stream = lanes ? pl_tcp_stream_create(peer, fd, tls, address) : NULL;
    if (!stream)
        return PL_ENOMEM;
    pl_list_append(&port->streams, &stream->source.link);
    port->stream_count++;
    replace(lanes, name % PL_TCP_LANES, name / PL_TCP_LANES, stream);
    pl_tcp_timer_set(port);
    if (port->watch_all || port->stream_count > PL_TCP_DIRECT)
        pl_tcp_watch_all(port);
    pl_tcp_peer_attend(peer);
    char where[PL_TCP_TEXT];
    pl_info("tcp: connected with rank %d also at %s", peer->base.peer, pl_tcp_address_text(address, where));
    return 0;
}

void pl_tcp_lanes_told_dead(struct pl_tcp_lanes *lanes, int name)
{
    int number = name % PL_TCP_LANES, turn = name / PL_TCP_LANES;
    struct pl_tcp_lane *lane = &lanes->lane[number];
    pl_tcp_dial_lane_stop(lanes->peer, name);
    if (turn == lane->turn && lanes->living > 1)
        pl_tcp_lanes_cut(lanes, number, "the other end heard nothing over it");
    else if (lane->dead && later(turn, lane->turn))
        lane->turn = turn; /* it was up over there, and dead before its verdict came here */
}

/* From the same address to the same. */
static void redial(struct pl_tcp_lanes *lanes, int number, int64_t now)
{
    struct pl_tcp_lane *lane = &lanes->lane[number];
    struct pl_tcp_way way = {.to = lane->stream->address};
    socklen_t size = sizeof way.from;
    lane->redial_at = now + lane->pause;
    lane->pause = lane->pause < PAUSE_MOST ? lane->pause * 2 : PAUSE_MOST;
    int name = pl_tcp_lane_name(number, next_turn(lane->turn));
    if (pl_tcp_dials_lane(lanes->peer, name) || getsockname(lane->stream->source.fd, &way.from.any, &size))
        return;
    if (way.from.any.sa_family == AF_INET)
        way.from.v4.sin_port = 0;
    else
        way.from.v6.sin6_port = 0;
    pl_tcp_dial_lane(lanes->peer, name, &way);
}

int pl_tcp_lanes_tick(struct pl_tcp_lanes *lanes, int64_t now)
{
    struct pl_tcp_peer *peer = lanes->peer;
    int64_t timeout = pl_tcp_port_of(peer)->timeout;
    for (int i = 0; i < PL_TCP_LANES; i++) {
        struct pl_tcp_lane *lane = &lanes->lane[i];
        if (lane->dead && lane->stream->dialed && now > lane->redial_at && !pl_tcp_port_of(peer)->closing)
            redial(lanes, i, now);
        if (!lane->stream || lane->dead)
            continue;
        bool others = has_others(lanes, i);
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
