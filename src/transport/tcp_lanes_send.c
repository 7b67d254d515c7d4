/* Lanes, sending. (What lanes are: tcp_lanes.c.)
 *
 *   frames   | head payload | head payload payload payload ...     one row of bytes, [acknowledged, end)
 *   parts    |      1       |    2    |    3    |    4    |  ...
 *   lane 0          1                       3
 *   lane 1                       2                    4
 *
 * A part is cut off when a lane can take it, so a slow lane takes fewer; each lane writes one in its turn,
 * and the kernel is told to keep little that is not on the way (TCP_NOTSENT_LOWAT), else the slow one would
 * swallow half of a message at once. A small frame waits for nothing: it goes by the first lane that lives.
 *
 * A small payload is copied and is done for the caller; a long one is done when it is
 * acknowledged, for until then it may have to be written again.
 */
#include "tcp_lanes.h"

#include "errors.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COPY_MOST ((size_t)4 << 20) /* bytes of small payloads kept for a peer; beyond that they wait */

/* FLIGHTS: of all lanes together. More than the living have, if lanes come and go: what was in flight by the
 * dead is so by the others, and the other end keeps no more than this. */
enum { VECTORS = 64, FLIGHTS = PL_TCP_LANES * PL_TCP_FLIGHT };

static bool append(struct pl_tcp_lanes *lanes, struct pl_operation *operation, bool copy)
{
    struct pl_tcp_lanes_frame *frame = malloc(sizeof *frame + (copy ? operation->length : 0));
    if (!frame)
        return false;
    pl_tcp_head(frame->head, &operation->header, operation->length);
    frame->range = (struct pl_tcp_range){lanes->end, lanes->end + PL_TCP_HEAD + operation->length};
    frame->operation = copy ? NULL : operation;
    frame->payload = copy ? frame->copy : operation->payload;
    if (copy && operation->length)
        memcpy(frame->copy, operation->payload, operation->length);
    lanes->copied += copy ? operation->length : 0;
    lanes->end = frame->range.end;
    pl_list_init(&frame->link);
    pl_list_append(&lanes->frames, &frame->link);
    return true;
}

int pl_tcp_lanes_send(struct pl_tcp_lanes *lanes, struct pl_operation *operation)
{
    bool copy = operation->length <= PL_TCP_EAGER && lanes->copied < COPY_MOST;
    if (!append(lanes, operation, copy))
        return pl_fail(PL_ENOMEM, "tcp: no memory to send %zu bytes to rank %d", operation->length,
                       lanes->peer->base.peer);
    pl_tcp_lanes_write(lanes);
    return copy ? 0 : PL_PENDING;
}

void pl_tcp_lanes_switch(struct pl_tcp_lanes *lanes)
{
    struct pl_tcp_peer *peer = lanes->peer;
    struct pl_list *first = pl_list_first(&peer->queue);
    if (lanes->switched || (first && pl_container(first, struct pl_tcp_item, link)->operation->progress))
        return;
    lanes->switched = true;
    lanes->marker = 8;
    while ((first = pl_list_first(&peer->queue))) {
        struct pl_tcp_item *item = pl_container(first, struct pl_tcp_item, link);
        if (!append(lanes, item->operation, false))
            break; /* what is left goes when there is memory: pl_tcp_lanes_write asks again */
        pl_list_remove(&item->link);
        pl_list_append(&pl_tcp_port_of(peer)->spare, &item->link);
    }
}

bool pl_tcp_lanes_unsent(const struct pl_tcp_lanes *lanes)
{
    if (!lanes->switched)
        return false;
    bool writing = lanes->marker || lanes->agains || lanes->next < lanes->end;
    for (int i = 0; i < PL_TCP_LANES; i++)
        writing |= lanes->lane[i].writing;
    return writing;
}

static struct pl_tcp_lanes_frame *frame_at(const struct pl_tcp_lanes *lanes, uint64_t offset)
{
    pl_list_each(node, &lanes->frames)
    {
        struct pl_tcp_lanes_frame *frame = pl_container(node, struct pl_tcp_lanes_frame, link);
        if (offset < frame->range.end)
            return frame;
    }
    return NULL;
}

/* The memory of [range.begin, range.end), which it shortens if there are more pieces than vectors. */
static int pieces(const struct pl_tcp_lanes *lanes, struct pl_tcp_range *range, struct iovec *v, int most)
{
    struct pl_tcp_lanes_frame *frame = frame_at(lanes, range->begin);
    uint64_t at = range->begin;
    int n = 0;
    while (at < range->end && n < most) {
        if (at >= frame->range.end)
            frame = pl_container(frame->link.next, struct pl_tcp_lanes_frame, link);
        size_t offset = (size_t)(at - frame->range.begin), rest = (size_t)(range->end - at);
        bool in_head = offset < PL_TCP_HEAD;
        size_t have = in_head ? PL_TCP_HEAD - offset : (size_t)(frame->range.end - at);
        const unsigned char *from = in_head ? frame->head + offset : frame->payload + (offset - PL_TCP_HEAD);
        size_t part = have < rest ? have : rest;
        v[n++] = (struct iovec){(void *)(uintptr_t)from, part};
        at += part;
    }
    range->end = at;
    return n;
}

static void begin(struct pl_tcp_lanes *lanes, struct pl_tcp_lane *lane, unsigned kind,
                  struct pl_tcp_range part)
{
    uint64_t words[3] = {htole64((uint64_t)kind << 56 | (part.end - part.begin)), htole64(part.begin),
                         htole64(lanes->expected)};
    memcpy(lane->head, words, sizeof words);
    lanes->told = lanes->expected;
    lanes->parts = 0;
    lanes->due = false;
    lane->part = part;
    lane->sent = 0;
    lane->writing = true;
}

static unsigned part_kind(const struct pl_tcp_lanes *lanes)
{
    return lanes->seen ? PL_TCP_KIND_PART_SEEN : PL_TCP_KIND_PART;
}

/* Takes up to a part off a range. */
static struct pl_tcp_range cut_off(const struct pl_tcp_lanes *lanes, struct pl_tcp_range range)
{
    struct iovec v[VECTORS];
    if (range.end > range.begin + PL_TCP_PART)
        range.end = range.begin + PL_TCP_PART;
    pieces(lanes, &range, v, VECTORS - 1);
    return range;
}

/* Parts that are in flight, or to be written again. */
static int under_way(const struct pl_tcp_lanes *lanes)
{
    int count = lanes->agains;
    for (int i = 0; i < PL_TCP_LANES; i++)
        count += lanes->lane[i].flights;
    return count;
}

/* What a lane shall write next. False: nothing. */
static bool choose(struct pl_tcp_lanes *lanes, int number, bool first)
{
    struct pl_tcp_lane *lane = &lanes->lane[number];
    if (lanes->tell) {
        int dead = __builtin_ctz(lanes->tell);
        uint64_t name = (uint64_t)pl_tcp_lane_name(dead, lanes->lane[dead].turn);
        lanes->tell &= lanes->tell - 1;
        lanes->due = true;
        begin(lanes, lane, PL_TCP_KIND_DEAD, (struct pl_tcp_range){name, name});
        return true;
    }
    while (lanes->agains && lanes->again[lanes->agains - 1].end <= lanes->acknowledged)
        lanes->agains--;
    /* Not counted: what is in flight may be waiting for just this. */
    if (lanes->switched && lanes->agains) {
        struct pl_tcp_range *again = &lanes->again[lanes->agains - 1];
        if (again->begin < lanes->acknowledged)
            again->begin = lanes->acknowledged;
        struct pl_tcp_range part = cut_off(lanes, *again);
        again->begin = part.end;
        lanes->agains -= again->begin == again->end;
        begin(lanes, lane, part_kind(lanes), part);
        return true;
    }
    bool may = lanes->switched && lane->flights < PL_TCP_FLIGHT && under_way(lanes) < FLIGHTS;
    if (may && lanes->next < lanes->end && (first || lanes->end - lanes->next >= PL_TCP_PART)) {
        struct pl_tcp_range part = cut_off(lanes, (struct pl_tcp_range){lanes->next, lanes->end});
        lanes->next = part.end;
        begin(lanes, lane, part_kind(lanes), part);
        return true;
    }
    if (!lanes->due)
        return false;
    begin(lanes, lane, part_kind(lanes), (struct pl_tcp_range){0, 0});
    return true;
}

static void stall(struct pl_tcp_stream *stream, bool stalled)
{
    if (stream->stalled == stalled)
        return;
    stream->stalled = stalled;
    if (stream->source.watched)
        pl_tcp_watch(pl_tcp_port_of(stream->peer), &stream->source, EPOLLIN | (stalled ? EPOLLOUT : 0u));
}

/* Whether the kernel took all of it; if not, the lane stalls or is broken. */
static ssize_t put(struct pl_tcp_stream *stream, struct iovec *v, int n)
{
    ssize_t took;
    do
        took = pl_tcp_wire_write(stream->source.fd, stream->source.tls, v, n);
    while (took < 0 && errno == EINTR);
    if (took < 0 && errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM) {
        stream->write_error = errno;
        return -1;
    }
    return took < 0 ? 0 : took;
}

static bool write_marker(struct pl_tcp_lanes *lanes, struct pl_tcp_lane *lane)
{
    uint64_t word = htole64((uint64_t)PL_TCP_KIND_SWITCH << 56);
    struct iovec v = {(char *)&word + 8 - lanes->marker, lanes->marker};
    ssize_t took = put(lane->stream, &v, 1);
    lanes->marker -= took > 0 ? (size_t)took : 0;
    return !lanes->marker;
}

/* Whether the part is written. */
static bool write_part(struct pl_tcp_lanes *lanes, struct pl_tcp_lane *lane)
{
    struct iovec v[VECTORS];
    int n = 0;
    size_t done = 0;
    if (lane->sent < PL_TCP_PART_HEAD)
        v[n++] = (struct iovec){lane->head + lane->sent, PL_TCP_PART_HEAD - lane->sent};
    else
        done = lane->sent - PL_TCP_PART_HEAD;
    struct pl_tcp_range rest = {lane->part.begin + done, lane->part.end};
    size_t bytes = (n ? v[0].iov_len : 0) + (size_t)(rest.end - rest.begin);
    if (rest.begin < rest.end)
        n += pieces(lanes, &rest, v + n, VECTORS - n);
    ssize_t took = put(lane->stream, v, n);
    if (took < 0)
        return false;
    lane->sent += (size_t)took;
    if ((size_t)took < bytes)
        return false;
    lane->writing = false;
    if (lane->part.begin < lane->part.end)
        lane->flight[lane->flights++] = lane->part;
    return true;
}

/* One part, or what is left of one. Whether another can follow. */
static bool write_lane(struct pl_tcp_lanes *lanes, int number, bool first)
{
    struct pl_tcp_lane *lane = &lanes->lane[number];
    struct pl_tcp_stream *stream = lane->stream;
    if (!stream || lane->dead || lane->goodbye || stream->write_error)
        return false;
    if (number == 0 && !lanes->switched)
        return false;
    bool ready = number || !lanes->marker || write_marker(lanes, lane);
    if (ready && !lane->writing && !choose(lanes, number, first)) {
        stall(stream, false);
        return false;
    }
    bool written = ready && write_part(lanes, lane);
    stall(stream, !written && !stream->write_error);
    return written;
}

/* Whether a lane is just writing bytes of the frame, for the second time. */
static bool in_use(const struct pl_tcp_lanes *lanes, const struct pl_tcp_lanes_frame *frame)
{
    for (int i = 0; i < PL_TCP_LANES; i++) {
        const struct pl_tcp_lane *lane = &lanes->lane[i];
        if (lane->writing && lane->part.begin < frame->range.end && frame->range.begin < lane->part.end)
            return true;
    }
    return false;
}

/* The first frame, if it is done: all has come, and no lane is repeating some of it; else NULL. */
static struct pl_tcp_lanes_frame *first_done(const struct pl_tcp_lanes *lanes)
{
    struct pl_list *node = pl_list_first(&lanes->frames);
    struct pl_tcp_lanes_frame *frame = node ? pl_container(node, struct pl_tcp_lanes_frame, link) : NULL;
    return frame && frame->range.end <= lanes->acknowledged && !in_use(lanes, frame) ? frame : NULL;
}

void pl_tcp_lanes_write(struct pl_tcp_lanes *lanes)
{
    bool more = true;
    while (more) {
        bool first = true;
        more = false;
        for (int i = 0; i < PL_TCP_LANES; i++) {
            more |= write_lane(lanes, i, first);
            if (lanes->lane[i].stream && !lanes->lane[i].dead && !lanes->lane[i].stream->stalled)
                first = false;
        }
    }
    if (first_done(lanes)) /* what was just repeated held it up */
        pl_tcp_peer_attend(lanes->peer);
}

/* Parts that have come are in flight no more. */
static void land_flights(struct pl_tcp_lane *lane, uint64_t offset)
{
    int kept = 0;
    for (int i = 0; i < lane->flights; i++)
        if (lane->flight[i].end > offset)
            lane->flight[kept++] = lane->flight[i];
    lane->flights = kept;
}

bool pl_tcp_lanes_acknowledged(struct pl_tcp_lanes *lanes, uint64_t offset)
{
    if (offset > lanes->next)
        return false;
    if (offset <= lanes->acknowledged)
        return true;
    lanes->acknowledged = offset;
    for (int i = 0; i < PL_TCP_LANES; i++)
        land_flights(&lanes->lane[i], offset);
    return true;
}

int pl_tcp_lanes_release(struct pl_tcp_lanes *lanes)
{
    struct pl_tcp_lanes_frame *frame;
    int count = 0;
    while ((frame = first_done(lanes))) {
        struct pl_operation *operation = frame->operation;
        if (!operation)
            lanes->copied -= (size_t)(frame->range.end - frame->range.begin) - PL_TCP_HEAD;
        pl_list_remove(&frame->link);
        free(frame);
        if (operation) {
            operation->done(operation, 0);
            count++;
        }
    }
    return count;
}

void pl_tcp_lanes_goodbye(struct pl_tcp_lanes *lanes, const struct pl_tcp_stream *stream,
                          unsigned char bytes[PL_TCP_HEAD])
{
    pl_tcp_goodbye(bytes);
    if (!stream->lane && !lanes->switched)
        return; /* the goodbye of a peer without lanes */
    uint64_t words[2] = {htole64(lanes->switched ? lanes->end : UINT64_MAX), htole64(lanes->expected)};
    memcpy(bytes + 8, words, sizeof words);
}
