/* Frames on one socket.
 *
 *   | kind 1, length 7 | header 32 | payload `length` | kind ...
 *
 * Writing: the kernel takes from the caller's memory by sendmsg(2), the frames of the
 * queue gathered into one call; nothing is copied on the way. What it does not take
 * stays in the queue with its count of bytes and goes on when the socket is
 * writable. A frame that finds the queue empty is tried at once, and when the
 * kernel has taken all of it it is complete: most small frames never see the queue.
 *
 * Reading: one read a round, of whatever is there, into a buffer. A short frame
 * is waited for whole and handed over where it lies. A long one is announced as
 * soon as its head is here; from then on readv(2) reads into the place that was named,
 * and what follows it into the buffer, in the same call. Only what the first
 * read brought along is copied.
 *
 * When a write fails (the peer is dead) the reading goes on to the end of what has
 * arrived: frames that were sent before the death are still delivered.
 *
 * Why no TCP_USER_TIMEOUT: Linux also counts it against a peer that lives and
 * answers every probe but does not read, which is what a rank deep in its
 * computation does. pl_tcp_stream_silent asks the kernel instead whether the other
 * host still acknowledges; keepalive sees to connections with nothing on the way.
 */
#include "tcp.h"
#include "tcp_lanes.h"

#include "clock.h"
#include "errors.h"

#include <endian.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Frames and bytes one sendmsg gathers at most. */
#define GATHER_FRAMES 32
#define GATHER_BYTES  ((size_t)4 << 20)

_Static_assert(PL_TCP_SMALL + PL_TCP_HEAD <= PL_TCP_BUFFER, "a small frame must fit the buffer");

enum { NOT_SENT = 1024 * 1024 }; /* bytes of a socket's buffer that are not on the way yet, at most */

static void set_option(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof value);
}

void pl_tcp_socket_setup(int fd, int64_t timeout)
{
    int seconds = (int)(timeout / 1000000000);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    /* What lies unsent in the kernel stands before an answer that the peer needs to send its own. */
    set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOT_SENT);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds < 4 ? 1 : seconds / 2 > 32000 ? 32000 : seconds / 2);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds < 12 ? 1 : seconds / 6 > 32000 ? 32000 : seconds / 6);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

struct pl_tcp_stream *pl_tcp_stream_create(struct pl_tcp_peer *peer, int fd, struct pl_tcp_tls *tls,
                                           const union pl_tcp_address *address)
{
    struct pl_tcp_stream *stream = malloc(sizeof *stream);
    if (!stream) {
        pl_fail(PL_ENOMEM, "tcp: no memory for the connection with rank %d", peer->base.peer);
        return NULL;
    }
    memset(stream, 0, offsetof(struct pl_tcp_stream, buffer));
    stream->source.kind = PL_TCP_STREAM;
    stream->source.fd = fd;
    stream->peer = peer;
    stream->source.tls = tls;
    stream->address = *address;
    pl_tcp_socket_setup(fd, pl_tcp_port_of(peer)->timeout);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
    return stream;
}

static void put_head(unsigned char out[PL_TCP_HEAD], unsigned kind, const struct pl_header *header,
                     size_t length)
{
    uint64_t word = htole64((uint64_t)kind << 56 | length);
    memcpy(out, &word, 8);
    memcpy(out + 8, header, PL_HEADER_SIZE);
}

void pl_tcp_head(unsigned char bytes[PL_TCP_HEAD], const struct pl_header *header, size_t length)
{
    put_head(bytes, PL_TCP_KIND_FRAME, header, length);
}

void pl_tcp_goodbye(unsigned char bytes[PL_TCP_HEAD])
{
    put_head(bytes, PL_TCP_KIND_GOODBYE, &(struct pl_header){{0}}, 0);
}

/* Adds what is not yet written of one operation. Returns the number of vectors used. */
static int gather(struct iovec *v, unsigned char head[PL_TCP_HEAD], const struct pl_operation *operation)
{
    int n = 0;
    size_t done = operation->progress;
    if (done < PL_TCP_HEAD) {
        v[n++] = (struct iovec){head + done, PL_TCP_HEAD - done};
        done = PL_TCP_HEAD;
    }
    size_t offset = done - PL_TCP_HEAD;
    if (offset < operation->length)
        v[n++] = (struct iovec){(char *)(uintptr_t)operation->payload + offset, operation->length - offset};
    return n;
}

/* What the kernel took, 0 when it takes nothing now, -1 when the connection is
 * broken (remembered for the reader to tell). */
static ssize_t send_vector(struct pl_tcp_stream *stream, struct iovec *v, int n)
{
    ssize_t took;
    do
        took = pl_tcp_wire_write(stream->source.fd, stream->source.tls, v, n);
    while (took < 0 && errno == EINTR);
    if (took >= 0)
        return took;
    if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
        return 0;
    stream->write_error = errno;
    return -1;
}

static void stall(struct pl_tcp_stream *stream, bool stalled)
{
    stream->stalled = stalled;
    if (stream->source.watched)
        pl_tcp_watch(pl_tcp_port_of(stream->peer), &stream->source, EPOLLIN | (stalled ? EPOLLOUT : 0u));
}

int pl_tcp_stream_try(struct pl_tcp_stream *stream, struct pl_operation *operation)
{
    if (stream->write_error)
        return PL_PENDING;
    unsigned char head[PL_TCP_HEAD];
    struct iovec v[2];
    pl_tcp_head(head, &operation->header, operation->length);
    int n = gather(v, head, operation);
    ssize_t took = send_vector(stream, v, n);
    if (took == (ssize_t)(PL_TCP_HEAD + operation->length))
        return 0;
    if (took >= 0) {
        operation->progress = (size_t)took;
        stall(stream, true);
    }
    return PL_PENDING;
}

/* Takes `took` bytes off the queue; whole operations go to `finished`. */
static void advance(struct pl_list *queue, size_t took, struct pl_list *finished)
{
    while (took) {
        struct pl_tcp_item *item = pl_container(pl_list_first(queue), struct pl_tcp_item, link);
        struct pl_operation *operation = item->operation;
        size_t rest = PL_TCP_HEAD + operation->length - operation->progress;
        size_t part = took < rest ? took : rest;
        operation->progress += part;
        took -= part;
        if (part == rest) {
            pl_list_remove(&item->link);
            pl_list_append(finished, &item->link);
        }
    }
}

int pl_tcp_stream_write(struct pl_tcp_stream *stream)
{
    struct pl_list *queue = &stream->peer->queue, finished;
    struct pl_tcp_lanes *lanes = stream->peer->lanes;
    if (lanes && !lanes->switched)
        pl_tcp_lanes_switch(lanes);
    if (lanes && (lanes->switched || stream->lane)) {
        pl_tcp_lanes_write(lanes);
        return pl_tcp_lanes_release(lanes);
    }
    if (stream->peer->held_until) {
        if (!lanes && pl_now() < stream->peer->held_until && pl_tcp_dials_lane(stream->peer, 0))
            return 0;
        stream->peer->held_until = 0;
    }
    pl_list_init(&finished);
    while (!pl_list_empty(queue) && !stream->write_error) {
        struct iovec v[2 * GATHER_FRAMES];
        int n = 0, frames = 0;
        size_t bytes = 0;
        pl_list_each(node, queue)
        {
            if (frames == (lanes ? 1 : GATHER_FRAMES) || bytes >= GATHER_BYTES)
                break;
            struct pl_tcp_item *item = pl_container(node, struct pl_tcp_item, link);
            n += gather(v + n, item->head, item->operation);
            bytes += PL_TCP_HEAD + item->operation->length - item->operation->progress;
            frames++;
        }
        ssize_t took = send_vector(stream, v, n);
        if (took > 0)
            advance(queue, (size_t)took, &finished);
        if (took < (ssize_t)bytes || lanes)
            break;
    }
    if (lanes) {
        pl_tcp_lanes_switch(
            lanes); /* not while a frame is half written: then when the socket takes the rest */
        if (lanes->switched)
            pl_tcp_peer_attend(stream->peer);
    }
    bool stalled = !pl_list_empty(queue) && !stream->write_error;
    if (stalled != stream->stalled)
        stall(stream, stalled);

    int count = 0;
    struct pl_list *node;
    while ((node = pl_list_first(&finished))) {
        pl_tcp_item_done(pl_tcp_port_of(stream->peer), pl_container(node, struct pl_tcp_item, link), 0);
        count++;
    }
    return count;
}

/* How many of the bytes to come have a place in the landing. */
static size_t landing_room(const struct pl_tcp_stream *stream)
{
    size_t landed = stream->length - stream->left;
    size_t capacity = stream->landing.buffer ? stream->landing.capacity : 0;
    size_t end = stream->length < capacity ? stream->length : capacity;
    return landed < end ? end - landed : 0;
}

static void *landing_at(const struct pl_tcp_stream *stream)
{
    return (char *)stream->landing.buffer + (stream->length - stream->left);
}

/* One read into the landing and the buffer. What recv(2) returns; *full: there may be more. */
static ssize_t read_once(struct pl_tcp_stream *stream, bool *full)
{
    size_t room = stream->left ? landing_room(stream) : 0, space = PL_TCP_BUFFER - stream->end;
    unsigned char *buffer = stream->buffer + stream->end;
    ssize_t got;
    do {
        if (room || stream->source.tls) {
            struct iovec v[2] = {{room ? landing_at(stream) : NULL, room}, {buffer, space}};
            got = pl_tcp_wire_read(stream->source.fd, stream->source.tls, v, 2);
        } else {
            got = recv(stream->source.fd, buffer, space, MSG_DONTWAIT);
        }
    } while (got < 0 && errno == EINTR);
    if (got <= 0)
        return got;
    *full = (size_t)got == room + space;
    size_t direct = (size_t)got < room ? (size_t)got : room;
    stream->left -= direct;
    stream->end += (size_t)got - direct;
    return got;
}

/* Moves the payload's part of the buffer to its landing. Returns whether all of it is here. */
static bool land_buffered(struct pl_tcp_stream *stream)
{
    size_t have = stream->end - stream->begin;
    size_t part = have < stream->left ? have : stream->left, room = landing_room(stream);
    if (part && room)
        memcpy(landing_at(stream), stream->buffer + stream->begin, part < room ? part : room);
    stream->begin += part;
    stream->left -= part;
    return !stream->left;
}

static void landed(struct pl_tcp_stream *stream, int status)
{
    struct pl_tcp_port *port = pl_tcp_port_of(stream->peer);
    struct pl_landing landing = stream->landing;
    size_t length = stream->length;
    stream->length = stream->left = 0;
    port->upcalls->landed(port->context, stream->peer->base.peer, &landing, length, status);
}

/* Hands over one frame whose head is here, or begins its landing. Returns
 * whether it did; false: the rest of a small frame has to come first. */
static bool deliver(struct pl_tcp_stream *stream, size_t length)
{
    struct pl_tcp_port *port = pl_tcp_port_of(stream->peer);
    struct pl_header header;
    size_t have = stream->end - stream->begin - PL_TCP_HEAD;
    unsigned char *payload = stream->buffer + stream->begin + PL_TCP_HEAD;
    bool whole = have >= length;
    if (!whole && length <= PL_TCP_SMALL)
        return false;
    memcpy(&header, payload - PL_HEADER_SIZE, PL_HEADER_SIZE);
    stream->begin += PL_TCP_HEAD + (whole ? length : 0);
    if (whole) {
        port->upcalls->arrived(port->context, stream->peer->base.peer, &header, length,
                               length ? payload : NULL, NULL);
        return true;
    }
    struct pl_landing landing = {NULL, 0, NULL};
    port->upcalls->arrived(port->context, stream->peer->base.peer, &header, length, NULL, &landing);
    stream->landing = landing;
    stream->length = stream->left = length;
    return true;
}

/* Consumes the buffer. Returns how many upcalls were made. */
static int parse(struct pl_tcp_stream *stream)
{
    int count = 0;
    for (;;) {
        if (stream->left || stream->length) {
            if (!land_buffered(stream))
                break;
            landed(stream, 0);
            count++;
        }
        if (stream->end - stream->begin < 8)
            break;
        uint64_t word;
        memcpy(&word, stream->buffer + stream->begin, 8);
        word = le64toh(word);
        unsigned kind = (unsigned)(word >> 56);
        uint64_t length = word & (((uint64_t)1 << 56) - 1);
        if (kind == PL_TCP_KIND_SWITCH && !length) {
            struct pl_tcp_lanes *lanes = pl_tcp_lanes_get(stream->peer);
            if (!lanes)
                return count + pl_tcp_peer_lose(stream->peer, PL_ENOMEM, "needs memory that is not there");
            stream->begin += 8;
            lanes->seen = lanes->due = true;
            pl_tcp_peer_attend(stream->peer);
            return count + 1;
        }
        if ((kind != PL_TCP_KIND_FRAME && kind != PL_TCP_KIND_GOODBYE) || length > PL_TCP_LONGEST)
            return count + pl_tcp_peer_lose(stream->peer, PL_EPROTOCOL,
                                            "sent what is no frame (kind 0x%02x, length %llu)", kind,
                                            (unsigned long long)length);
        if (stream->end - stream->begin < PL_TCP_HEAD)
            break;
        if (kind == PL_TCP_KIND_GOODBYE)
            return count + pl_tcp_peer_left(stream->peer);
        if (!deliver(stream, (size_t)length))
            break;
        count++;
    }
    if (stream->begin == stream->end) {
        stream->begin = stream->end = 0;
    } else if (stream->begin) {
        memmove(stream->buffer, stream->buffer + stream->begin, stream->end - stream->begin);
        stream->end -= stream->begin;
        stream->begin = 0;
    }
    return count;
}

static const char *broken(int number)
{
    return number == EBADMSG ? "what came was changed on the way (PEAL_SECURE)" : strerror(number);
}

/* Whether parts come on it, not frames. */
static bool in_parts(const struct pl_tcp_stream *stream)
{
    const struct pl_tcp_lanes *lanes = stream->peer->lanes;
    return lanes && (stream->lane || lanes->seen) && !pl_tcp_port_of(stream->peer)->closing;
}

int pl_tcp_stream_read(struct pl_tcp_stream *stream)
{
    int count = 0;
    bool full = true;
    if (in_parts(stream))
        return pl_tcp_lanes_read(stream);
    for (int reads = 0; (full && reads < 4) || pl_tcp_wire_pending(stream->source.tls); reads++) {
        full = false;
        ssize_t got = read_once(stream, &full);
        if (got < 0 && errno == EAGAIN && !stream->write_error)
            break;
        if (got < 0)
            return count + pl_tcp_peer_lose(stream->peer, PL_EPEER, "broke the connection: %s",
                                            broken(stream->write_error ? stream->write_error : errno));
        if (got == 0)
            return count + pl_tcp_peer_lose(stream->peer, PL_EPEER, "closed the connection without a word%s",
                                            stream->left || stream->end ? ", in the middle of a frame" : "");
        count++;
        if (pl_tcp_port_of(stream->peer)->closing)
            stream->begin = stream->end = 0;
        else
            count += parse(stream);
        if (stream->source.kind == PL_TCP_DEAD)
            return count;
        if (in_parts(stream))
            return count + pl_tcp_lanes_read(stream);
    }
    return count;
}

bool pl_tcp_stream_silent(struct pl_tcp_stream *stream, int64_t now, int64_t timeout)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    if (getsockopt(stream->source.fd, IPPROTO_TCP, TCP_INFO, &info, &size))
        return false;
    if (info.tcpi_retransmits <= 1 && info.tcpi_probes <= 1)
        stream->silent_since = 0;
    else if (!stream->silent_since)
        stream->silent_since = now;
    return stream->silent_since && now - stream->silent_since > timeout;
}
