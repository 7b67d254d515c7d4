/* Lanes, receiving. (What lanes are: tcp_lanes.c.)
 *
 *                 expected                  payload that lands
 *   ---came---------|.......####....####....|.....
 *                           islands          early: kept until their turn
 *
 * Frames are handed over in order: the head and a small payload are collected where
 * `expected` is. While a long payload lands, each lane reads its parts straight to where they
 * belong in it, in whatever order they come: that is where the lanes' speeds add up. What comes for later
 * frames is copied and kept, a few parts at the end of a message; how much that can be, the sender's number
 * of parts in flight limits. What came already, by a lane that died, is dropped.
 */
#include "tcp_lanes.h"

#include "errors.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EARLY_MOST ((size_t)PL_TCP_LANES * PL_TCP_FLIGHT * PL_TCP_PART)

enum { READS = 4, DIRECT_LEAST = 4096, ISLANDS = PL_TCP_LANES * (PL_TCP_FLIGHT + 1) };

/* What was wrong with what came; NULL: nothing. */
typedef const char *complaint;

static struct pl_tcp_port *port_of(const struct pl_tcp_lanes *lanes)
{
    return pl_tcp_port_of(lanes->peer);
}

static void finish_landing(struct pl_tcp_lanes *lanes)
{
    struct pl_landing landing = lanes->landing;
    lanes->landing_on = false;
    lanes->due = true;
    port_of(lanes)->upcalls->landed(port_of(lanes)->context, lanes->peer->base.peer, &landing, lanes->length,
                                    0);
}

/* [begin, end) of the payload is in its place. */
static bool landed_part(struct pl_tcp_lanes *lanes, uint64_t begin, uint64_t end)
{
    struct pl_tcp_range *island = lanes->islands;
    int n = lanes->nislands, at = 0;
    while (at < n && island[at].end < begin)
        at++;
    int last = at;
    for (; last < n && island[last].begin <= end; last++) {
        begin = island[last].begin < begin ? island[last].begin : begin;
        end = island[last].end > end ? island[last].end : end;
    }
    if (at == last && n == ISLANDS)
        return false;
    memmove(island + at + 1, island + last, sizeof *island * (size_t)(n - last));
    island[at] = (struct pl_tcp_range){begin, end};
    lanes->nislands = n - (last - at) + 1;
    if (island[0].begin <= lanes->expected) {
        lanes->expected = island[0].end > lanes->expected ? island[0].end : lanes->expected;
        memmove(island, island + 1, sizeof *island * (size_t)--lanes->nislands);
    }
    if (lanes->expected == lanes->payload.end)
        finish_landing(lanes);
    return true;
}

/* Where in the landing the byte at `offset` belongs; *room: how many have a place from there on. */
static unsigned char *place_of(const struct pl_tcp_lanes *lanes, uint64_t offset, size_t *room)
{
    size_t at = (size_t)(offset - lanes->payload.begin);
    size_t capacity = lanes->landing.buffer ? lanes->landing.capacity : 0;
    size_t end = lanes->length < capacity ? lanes->length : capacity;
    *room = at < end ? end - at : 0;
    return *room ? (unsigned char *)lanes->landing.buffer + at : NULL;
}

static bool lands(const struct pl_tcp_lanes *lanes, uint64_t offset)
{
    return lanes->landing_on && offset >= lanes->payload.begin && offset < lanes->payload.end;
}

/* The head is here: what follows is collected, or lands. */
static complaint begin_frame(struct pl_tcp_lanes *lanes)
{
    uint64_t word;
    memcpy(&word, lanes->frame, 8);
    word = le64toh(word);
    uint64_t length = word & (((uint64_t)1 << 56) - 1);
    if (word >> 56 != PL_TCP_KIND_FRAME || length > PL_TCP_LONGEST)
        return "sent what is no frame";
    lanes->length = (size_t)length;
    return NULL;
}

static void hand_over(struct pl_tcp_lanes *lanes)
{
    struct pl_tcp_port *port = port_of(lanes);
    struct pl_header header;
    memcpy(&header, lanes->frame + PL_TCP_HEAD - PL_HEADER_SIZE, PL_HEADER_SIZE);
    size_t length = lanes->length;
    lanes->have = 0;
    if (length <= PL_TCP_SMALL) {
        port->upcalls->arrived(port->context, lanes->peer->base.peer, &header, length,
                               length ? lanes->frame + PL_TCP_HEAD : NULL, NULL);
        return;
    }
    struct pl_landing landing = {NULL, 0, NULL};
    port->upcalls->arrived(port->context, lanes->peer->base.peer, &header, length, NULL, &landing);
    lanes->landing = landing;
    lanes->payload = (struct pl_tcp_range){lanes->expected, lanes->expected + length};
    lanes->landing_on = true;
}

/* Bytes in their turn, of a head or a small payload. Takes what belongs to the frame. */
static complaint collect(struct pl_tcp_lanes *lanes, const unsigned char *bytes, size_t n, size_t *took)
{
    size_t whole = lanes->have < PL_TCP_HEAD       ? PL_TCP_HEAD
                   : lanes->length <= PL_TCP_SMALL ? PL_TCP_HEAD + lanes->length
                                                   : PL_TCP_HEAD;
    size_t part = whole - lanes->have < n ? whole - lanes->have : n;
    memcpy(lanes->frame + lanes->have, bytes, part);
    *took = part;
    bool head = lanes->have < PL_TCP_HEAD;
    lanes->have += part;
    lanes->expected += part;
    if (lanes->have < PL_TCP_HEAD)
        return NULL;
    complaint wrong = head ? begin_frame(lanes) : NULL;
    if (wrong)
        return wrong;
    if (lanes->length > PL_TCP_SMALL || lanes->have == PL_TCP_HEAD + lanes->length)
        hand_over(lanes);
    return NULL;
}

static struct pl_tcp_early *early_of(struct pl_list *node)
{
    return pl_container(node, struct pl_tcp_early, link);
}

/* Keeps some of the bytes, if they are not kept already: lanes that come and go bring them several times. */
static complaint keep(struct pl_tcp_lanes *lanes, uint64_t at, const unsigned char *bytes, size_t n,
                      size_t *took)
{
    struct pl_list *before = lanes->early.prev;
    while (before != &lanes->early && early_of(before)->range.begin > at)
        before = before->prev;
    uint64_t kept = before != &lanes->early ? early_of(before)->range.end : 0;
    if (kept > at) {
        *took = kept - at < n ? (size_t)(kept - at) : n;
        return NULL;
    }
    uint64_t next = before->next != &lanes->early ? early_of(before->next)->range.begin : UINT64_MAX;
    n = next - at < n ? (size_t)(next - at) : n;
    struct pl_tcp_early *early = malloc(sizeof *early + n);
    if (!early || lanes->early_bytes + n > EARLY_MOST) {
        free(early);
        return early ? "sent more ahead of its turn than there is room for"
                     : "sent what there is no memory for";
    }
    early->range = (struct pl_tcp_range){at, at + n};
    memcpy(early->bytes, bytes, n);
    lanes->early_bytes += n;
    early->link.prev = before;
    early->link.next = before->next;
    before->next->prev = &early->link;
    before->next = &early->link;
    *took = n;
    return NULL;
}

/* Takes some of the bytes that belong at `at`. */
static complaint take_some(struct pl_tcp_lanes *lanes, uint64_t at, const unsigned char *bytes, size_t n,
                           size_t *took)
{
    *took = n;
    if (at < lanes->expected) {
        *took = lanes->expected - at < n ? (size_t)(lanes->expected - at) : n;
        return NULL;
    }
    if (lands(lanes, at)) {
        size_t room, part = lanes->payload.end - at < n ? (size_t)(lanes->payload.end - at) : n;
        unsigned char *place = place_of(lanes, at, &room);
        if (place)
            memcpy(place, bytes, part < room ? part : room);
        *took = part;
        return landed_part(lanes, at, at + part) ? NULL : "sent parts in too great a disorder";
    }
    return at == lanes->expected ? collect(lanes, bytes, n, took) : keep(lanes, at, bytes, n, took);
}

static complaint take(struct pl_tcp_lanes *lanes, uint64_t at, const unsigned char *bytes, size_t n)
{
    while (n) {
        size_t took;
        complaint wrong = take_some(lanes, at, bytes, n, &took);
        if (wrong)
            return wrong;
        at += took;
        bytes += took;
        n -= took;
    }
    return NULL;
}

/* What was early and is due. */
static complaint take_early(struct pl_tcp_lanes *lanes)
{
    struct pl_list *node;
    complaint wrong = NULL;
    while (!wrong && (node = pl_list_first(&lanes->early))) {
        struct pl_tcp_early *early = pl_container(node, struct pl_tcp_early, link);
        if (early->range.begin > lanes->expected && !lands(lanes, early->range.begin))
            break;
        size_t n = (size_t)(early->range.end - early->range.begin);
        pl_list_remove(node);
        lanes->early_bytes -= n;
        wrong = take(lanes, early->range.begin, early->bytes, n);
        free(early);
    }
    return wrong;
}

static void part_over(struct pl_tcp_lanes *lanes)
{
    if (++lanes->parts >= PL_TCP_FLIGHT / 4 || lanes->expected - lanes->told >= 4 * PL_TCP_PART)
        lanes->due = true;
}

/* A head of a part, or what stands in its place. */
static complaint take_head(struct pl_tcp_lanes *lanes, struct pl_tcp_lane *lane)
{
    uint64_t words[3];
    memcpy(words, lane->in, sizeof words);
    unsigned kind = (unsigned)(le64toh(words[0]) >> 56);
    uint64_t length = le64toh(words[0]) & (((uint64_t)1 << 56) - 1), at = le64toh(words[1]);
    lane->have = 0;
    lane->spoke = true;
    if (!pl_tcp_lanes_acknowledged(lanes, le64toh(words[2])))
        return "acknowledged what was not sent";
    if (kind == PL_TCP_KIND_GOODBYE) {
        lane->goodbye = true;
        lanes->has_final |= at != UINT64_MAX;
        lanes->final = at != UINT64_MAX ? at : lanes->final;
        return NULL;
    }
    if (kind == PL_TCP_KIND_DEAD && at < PL_TCP_LANES * PL_TCP_TURNS && !length) {
        if (&lanes->lane[at % PL_TCP_LANES] != lane)
            pl_tcp_lanes_told_dead(lanes, (int)at);
        return NULL;
    }
    bool seen = kind == PL_TCP_KIND_PART_SEEN;
    if ((kind != PL_TCP_KIND_PART && !seen) || length > PL_TCP_PART ||
        at > lanes->expected + lanes->length + 2 * EARLY_MOST)
        return "sent what is no part of a frame";
    lanes->settled |= seen;
    lane->at = at;
    lane->left = (size_t)length;
    return NULL;
}

/* Bytes of a lane, whatever they are. */
static complaint take_bytes(struct pl_tcp_lanes *lanes, struct pl_tcp_lane *lane, const unsigned char *bytes,
                            size_t n)
{
    complaint wrong = NULL;
    while (n && !wrong && !lane->goodbye && !lane->dead) {
        size_t part = lane->left ? lane->left : PL_TCP_PART_HEAD - lane->have;
        part = part < n ? part : n;
        if (lane->left) {
            wrong = take(lanes, lane->at, bytes, part);
            lane->at += part;
            lane->left -= part;
            if (!lane->left)
                part_over(lanes);
        } else {
            memcpy(lane->in + lane->have, bytes, part);
            lane->have += part;
            if (lane->have == PL_TCP_PART_HEAD)
                wrong = take_head(lanes, lane);
        }
        bytes += part;
        n -= part;
        if (!wrong)
            wrong = take_early(lanes);
    }
    return wrong;
}

/* One read: as much as can be to where it belongs, the rest into the buffer. What recv(2) returns. */
static ssize_t read_once(struct pl_tcp_lanes *lanes, struct pl_tcp_lane *lane, bool *full, complaint *wrong)
{
    struct pl_tcp_stream *stream = lane->stream;
    size_t room = 0;
    unsigned char *place = lane->left && lands(lanes, lane->at) && lane->at >= lanes->expected
                               ? place_of(lanes, lane->at, &room)
                               : NULL;
    room = room < lane->left ? room : lane->left;
    if (!place || room < DIRECT_LEAST)
        room = 0;
    struct iovec v[2] = {{place, room}, {stream->buffer, PL_TCP_BUFFER}};
    ssize_t got;
    do
        got = pl_tcp_wire_read(stream->source.fd, stream->source.tls, room ? v : v + 1, room ? 2 : 1);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return got;
    *full = (size_t)got == room + PL_TCP_BUFFER;
    size_t direct = (size_t)got < room ? (size_t)got : room;
    if (direct) {
        uint64_t at = lane->at;
        lane->at += direct;
        lane->left -= direct;
        if (!lane->left)
            part_over(lanes);
        if (!landed_part(lanes, at, at + direct))
            *wrong = "sent parts in too great a disorder";
        else
            *wrong = take_early(lanes); /* the payload may be whole now */
    }
    if (!*wrong)
        *wrong = take_bytes(lanes, lane, stream->buffer, (size_t)got - direct);
    return got;
}

static bool of_the_network(int number)
{
    return number == ETIMEDOUT || number == EHOSTUNREACH || number == ENETUNREACH || number == ENETDOWN ||
           number == EHOSTDOWN;
}

/* A lane has ended. The peer is gone, but for a network's error while there are others. */
static int lane_ended(struct pl_tcp_lanes *lanes, struct pl_tcp_stream *stream, int number)
{
    struct pl_tcp_lane *lane = &lanes->lane[stream->lane];
    bool network = of_the_network(number) || of_the_network(stream->write_error);
    if (lane->goodbye)
        return 0;
    bool others = lanes->living > 1 && (stream->lane || (lanes->settled && lanes->seen));
    bool further = stream->lane || lane->turn;
    if (others && (network || (further && !lane->spoke && !lane->flights))) {
        pl_tcp_lanes_cut(lanes, stream->lane,
                         network ? strerror(number ? number : stream->write_error) : "it was hung up");
        return 1;
    }
    if (number)
        return pl_tcp_peer_lose(lanes->peer, PL_EPEER, "broke the connection: %s", strerror(number));
    return pl_tcp_peer_lose(
        lanes->peer, PL_EPEER, "closed the connection without a word%s",
        lane->left || lane->have || lanes->have || lanes->landing_on ? ", in the middle of a frame" : "");
}

int pl_tcp_lanes_read(struct pl_tcp_stream *stream)
{
    struct pl_tcp_peer *peer = stream->peer;
    struct pl_tcp_lanes *lanes = peer->lanes;
    struct pl_tcp_lane *lane = &lanes->lane[stream->lane];
    complaint wrong = NULL;
    int count = 0;
    bool full = true;
    if (stream->begin < stream->end) { /* came with the mark */
        wrong = take_bytes(lanes, lane, stream->buffer + stream->begin, stream->end - stream->begin);
        stream->begin = stream->end = 0;
        count++;
    }
    for (int reads = 0; !wrong && !lane->goodbye && !lane->dead &&
                        ((full && reads < READS) || pl_tcp_wire_pending(stream->source.tls));
         reads++) {
        full = false;
        ssize_t got = read_once(lanes, lane, &full, &wrong);
        if (got < 0 && errno == EAGAIN)
            break;
        if (got <= 0)
            return count + lane_ended(lanes, stream, got < 0 ? errno : 0);
        count++;
    }
    if (wrong)
        return count + pl_tcp_peer_lose(peer, PL_EPROTOCOL, "%s", wrong);
    if (lanes->has_final && lanes->expected >= lanes->final) {
        count += pl_tcp_lanes_release(lanes);
        return count + pl_tcp_peer_left(peer);
    }
    if (count) {
        count += pl_tcp_lanes_release(lanes);
        pl_tcp_lanes_write(lanes);
    }
    return count;
}
