/* Frames over a pair of pipes: { length 4, kind 4, rank 4 } little-endian, then the
 * bytes. ssh carries them; it is also who encrypts and authenticates, so that no
 * port of ours is open to the net and nothing secret stands on a command line.
 *
 * A login shell may print a greeting before it runs us, on the same pipe. So an
 * agent begins with a line that nobody writes by chance, and what comes before it
 * is passed over (and remembered: it may be the reason why no agent follows).
 *
 * Writing never waits: what the pipe does not take is queued. Who produces much
 * (ranks' output) looks at pl_channel_busy and rests. Rejected: a limit in the
 * channel itself, which could only drop or stand still.
 */
#include "channel.h"

#include "clock.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GREETING "peal-agent-of-version "

enum { HEADER = 12, CHUNK = 64 * 1024, START_MAX = 64 << 20, PRELUDE_MAX = 64 * 1024 };

static void end(struct pl_channel *channel, const char *why)
{
    pl_loop_want(channel->loop, &channel->in, 0);
    pl_loop_want(channel->loop, &channel->out, 0);
    channel->head = channel->fill = 0;
    if (channel->ended)
        return;
    channel->ended = true;
    channel->calls->ended(channel, why);
}

static void drain(struct pl_channel *channel)
{
    while (channel->fill && !channel->ended) {
        ssize_t n = write(channel->out.fd, channel->queue + channel->head, channel->fill);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            channel->fill = 0; /* it is ending; what it said before is still to be heard */
        if (n < 0)
            break;
        channel->head += (size_t)n;
        channel->fill -= (size_t)n;
        channel->said_at = pl_now();
    }
    if (!channel->fill)
        channel->head = 0;
    if (!channel->ended)
        pl_loop_want(channel->loop, &channel->out, channel->fill ? EPOLLOUT : 0);
}

static bool make_room(struct pl_channel *channel, size_t length)
{
    if (channel->head) {
        memmove(channel->queue, channel->queue + channel->head, channel->fill);
        channel->head = 0;
    }
    if (channel->fill + length <= channel->size)
        return true;
    size_t size = (channel->fill + length) * 2;
    char *queue = realloc(channel->queue, size);
    if (!queue)
        return false;
    channel->queue = queue;
    channel->size = size;
    return true;
}

static void append(struct pl_channel *channel, const void *bytes, size_t length)
{
    if (length)
        memcpy(channel->queue + channel->head + channel->fill, bytes, length);
    channel->fill += length;
}

static void put_number(unsigned char *at, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(number >> 8 * i);
}

static uint32_t get_number(const char *at)
{
    const unsigned char *bytes = (const unsigned char *)at;
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

void pl_channel_send(struct pl_channel *channel, enum pl_frame kind, int rank, const void *bytes,
                     size_t length)
{
    unsigned char header[HEADER];
    if (channel->ended || channel->out.fd < 0)
        return;
    if (!make_room(channel, HEADER + length)) {
        end(channel, "no memory for what shall be sent to it");
        return;
    }
    put_number(header, (uint32_t)length);
    put_number(header + 4, kind);
    put_number(header + 8, (uint32_t)rank);
    append(channel, header, HEADER);
    append(channel, bytes, length);
    drain(channel);
}

void pl_channel_send_text(struct pl_channel *channel, enum pl_frame kind, int rank, const char *format, ...)
{
    char text[PL_ERROR_TEXT + 64];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length >= (int)sizeof text)
        length = (int)sizeof text - 1;
    pl_channel_send(channel, kind, rank, text, (size_t)length);
}

void pl_channel_greet(struct pl_channel *channel)
{
    char line[128];
    int length = snprintf(line, sizeof line, "\n" GREETING "%s\n", PEAL_VERSION);
    if (!make_room(channel, (size_t)length))
        return;
    append(channel, line, (size_t)length);
    drain(channel);
}

/* Finds the greeting among what has come, and takes it and all before it. 1, 0: not yet, or an error. */
static int meet(struct pl_channel *channel, size_t *used)
{
    size_t size = strlen(GREETING);
    char *found = memmem(channel->incoming, channel->got, "\n" GREETING, size + 1);
    char *line_end =
        found ? memchr(found + 1, '\n', channel->got - (size_t)(found + 1 - channel->incoming)) : NULL;
    if (!line_end)
        return channel->got < PRELUDE_MAX ? 0
                                          : pl_fail(PL_EPROTOCOL, "what answers there is no agent of Peal's");
    *line_end = '\0';
    if (strcmp(found + 1 + size, PEAL_VERSION))
        return pl_fail(PL_EPROTOCOL, "there is Peal %.40s, and here is %s: they must be the same",
                       found + 1 + size, PEAL_VERSION);
    channel->greeted = true;
    *used = (size_t)(line_end + 1 - channel->incoming);
    return 1;
}

/* Tells one frame if it is whole. 1, 0: not yet, or an error. */
static int take_frame(struct pl_channel *channel, size_t at, size_t *used)
{
    const char *frame = channel->incoming + at;
    if (channel->got - at < HEADER)
        return 0;
    uint32_t length = get_number(frame), kind = get_number(frame + 4);
    if (kind >= PL_FRAME_KINDS || length > (kind == PL_FRAME_START ? START_MAX : PL_FRAME_MAX))
        return pl_fail(PL_EPROTOCOL, "what it sends is no frame (kind %u, %u bytes)", kind, length);
    if (channel->got - at - HEADER < length)
        return 0;
    char *behind = channel->incoming + at + HEADER + length, kept = *behind;
    *behind = '\0';
    channel->calls->frame(channel, (enum pl_frame)kind, (int)get_number(frame + 8), frame + HEADER, length);
    if (channel->in.fd < 0) /* closed by the callee */
        return 0;
    *behind = kept;
    *used = HEADER + length;
    return 1;
}

static void tell(struct pl_channel *channel)
{
    size_t at = 0, used = 0;
    int taken = channel->greeted ? 1 : meet(channel, &at);
    while (taken > 0 && !channel->ended && (taken = take_frame(channel, at, &used)) > 0)
        at += used;
    if (channel->in.fd < 0)
        return;
    memmove(channel->incoming, channel->incoming + at, channel->got - at);
    channel->got -= at;
    if (taken < 0)
        end(channel, pl_fail_text());
    else if (channel->calls->idle)
        channel->calls->idle(channel);
}

/* Reads once and tells what is whole; false when there is nothing more now. */
static bool hear(struct pl_channel *channel)
{
    if (channel->room - channel->got < CHUNK + 1) {
        size_t room = channel->got * 2 + CHUNK + 1;
        char *grown = realloc(channel->incoming, room);
        if (!grown) {
            end(channel, "no memory for what it sends");
            return false;
        }
        channel->incoming = grown;
        channel->room = room;
    }
    ssize_t n = read(channel->in.fd, channel->incoming + channel->got, CHUNK);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return errno == EINTR;
    if (n <= 0) {
        end(channel, NULL);
        return false;
    }
    channel->heard_at = pl_now();
    channel->got += (size_t)n;
    tell(channel);
    return true;
}

static void in_ready(struct pl_watch *watch, uint32_t events)
{
    hear((struct pl_channel *)((char *)watch - offsetof(struct pl_channel, in)));
}

void pl_channel_hear(struct pl_channel *channel)
{
    while (!channel->ended && channel->in.fd >= 0 && hear(channel))
        ;
}

static void out_ready(struct pl_watch *watch, uint32_t events)
{
    drain((struct pl_channel *)((char *)watch - offsetof(struct pl_channel, out)));
}

int pl_channel_open(struct pl_channel *channel, struct pl_loop *loop, int in, int out, bool greeted,
                    const struct pl_channel_calls *calls)
{
    *channel = (struct pl_channel){.in = {.fd = in, .ready = in_ready},
                                   .out = {.fd = out, .ready = out_ready},
                                   .loop = loop,
                                   .calls = calls,
                                   .greeted = greeted,
                                   .heard_at = pl_now()};
    fcntl(in, F_SETFL, fcntl(in, F_GETFL) | O_NONBLOCK);
    fcntl(out, F_SETFL, fcntl(out, F_GETFL) | O_NONBLOCK);
    return pl_loop_want(loop, &channel->in, EPOLLIN);
}

void pl_channel_close(struct pl_channel *channel)
{
    channel->ended = true;
    pl_loop_close(channel->loop, &channel->in);
    pl_loop_close(channel->loop, &channel->out);
    free(channel->queue);
    free(channel->incoming);
    channel->queue = channel->incoming = NULL;
    channel->fill = channel->head = channel->size = channel->got = channel->room = 0;
}

bool pl_channel_busy(const struct pl_channel *channel)
{
    return channel->fill > PL_CHANNEL_BUSY;
}

bool pl_channel_waits(const struct pl_channel *channel)
{
    return channel->fill > 0;
}

void pl_channel_rest(struct pl_channel *channel, bool rest)
{
    if (!channel->ended)
        pl_loop_want(channel->loop, &channel->in, rest ? 0 : EPOLLIN);
}
