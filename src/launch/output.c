/* Whole lines pass, in the order they came, so that those of several ranks never
 * mix; the last one passes without its newline when its rank ends, and gets one
 * if another rank has something to say after it. A single
 * rank has nobody to mix with and passes at once, prompts and all.
 *
 *     rank's pipe -> chunk -> [start of a line kept] -> sink -> queue -> 1 or 2
 *
 * mpiexec must never stand still in a write, for it also serves the ranks'
 * start-up and watches over their lives. So a sink that is not a file is only
 * written to when it is ready, and then no more than a pipe surely takes; the
 * rest is queued. A full queue rests the ranks' streams, and the ranks wait in
 * their own writes as they would without us. Rejected: O_NONBLOCK on our own
 * stdout, which is shared with the shell and with whoever reads it.
 */
#include "output.h"

#include "clock.h"
#include "errors.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024, QUEUE_FULL = 256 * 1024, QUEUE_LOW = 64 * 1024 };

static uint32_t wish(const struct pl_stream *stream)
{
    return stream->output->sinks[stream->number - 1].full ? 0 : EPOLLIN;
}

static void rest_streams(struct pl_sink *sink, bool full)
{
    struct pl_output *output = sink->output;
    sink->full = full;
    for (int i = 0; i < output->nstreams; i++)
        if (&output->sinks[output->streams[i].number - 1] == sink)
            pl_loop_want(output->loop, &output->streams[i].watch, wish(&output->streams[i]));
    output->calls.rest(output->calls.owner, sink->watch.fd, full);
}

static void break_sink(struct pl_sink *sink, int error)
{
    int number = sink->watch.fd;
    sink->broken = true;
    sink->fill = sink->head = 0;
    pl_loop_want(sink->output->loop, &sink->watch, 0);
    if (sink->full)
        rest_streams(sink, false);
    sink->output->calls.unwritable(sink->output->calls.owner, number, error);
}

/* Writes what the sink takes now; how much that was, or -1 when it is broken. */
static ssize_t write_some(struct pl_sink *sink, const char *bytes, size_t length)
{
    size_t done = 0;
    while (done < length) {
        struct pollfd poll_sink = {.fd = sink->watch.fd, .events = POLLOUT};
        if (!sink->always && poll(&poll_sink, 1, 0) == 0)
            break;
        size_t most = sink->always || length - done < PIPE_BUF ? length - done : PIPE_BUF;
        ssize_t n = write(sink->watch.fd, bytes + done, most);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            break_sink(sink, errno);
            return -1;
        }
        done += (size_t)n;
    }
    if (done)
        sink->output->active = pl_now();
    return (ssize_t)done;
}

/* Puts bytes behind what waits; drain() then writes as much as goes. */
static void emit(struct pl_sink *sink, const char *bytes, size_t length)
{
    if (sink->broken)
        return;
    if (sink->head + sink->fill + length > sink->size && sink->head) {
        memmove(sink->queue, sink->queue + sink->head, sink->fill);
        sink->head = 0;
    }
    if (sink->fill + length > sink->size) {
        size_t size = (sink->fill + length) * 2;
        char *queue = realloc(sink->queue, size);
        if (!queue) {
            break_sink(sink, ENOMEM);
            return;
        }
        sink->queue = queue;
        sink->size = size;
    }
    memcpy(sink->queue + sink->head + sink->fill, bytes, length);
    sink->fill += length;
}

static void drain(struct pl_sink *sink)
{
    ssize_t done = sink->fill ? write_some(sink, sink->queue + sink->head, sink->fill) : 0;
    if (done < 0)
        return;
    sink->fill -= (size_t)done;
    sink->head = sink->fill ? sink->head + (size_t)done : 0;
    if (!sink->full && sink->fill >= QUEUE_FULL)
        rest_streams(sink, true);
    if (sink->full && sink->fill <= QUEUE_LOW)
        rest_streams(sink, false);
    if (pl_loop_want(sink->output->loop, &sink->watch, sink->fill ? EPOLLOUT : 0))
        break_sink(sink, errno);
}

static void sink_ready(struct pl_watch *watch, uint32_t events)
{
    drain((struct pl_sink *)watch);
}

static struct pl_sink *sink_of(const struct pl_stream *stream)
{
    return &stream->output->sinks[stream->number - 1];
}

/* Passes on the kept start of a line. */
static void emit_partial(struct pl_stream *stream)
{
    if (stream->fill)
        emit(sink_of(stream), stream->partial, stream->fill);
    free(stream->partial);
    stream->partial = NULL;
    stream->fill = 0;
}

/* Comes before anything of a stream's. Another rank's line that is not finished
 * gets an end, and goes on with a tag of its own if it goes on. */
static void begin(struct pl_stream *stream)
{
    struct pl_sink *sink = sink_of(stream);
    char tag[16];
    if (sink->middle && sink->middle != stream) {
        emit(sink, "\n", 1);
        sink->middle->begun = false;
    }
    if (stream->output->tag && !stream->begun) {
        int length = snprintf(tag, sizeof tag, "[%d] ", stream->rank);
        emit(sink, tag, (size_t)length);
    }
}

/* Passes on `length` bytes that begin or go on with the kept line. */
static void emit_part(struct pl_stream *stream, const char *bytes, size_t length, bool ends)
{
    begin(stream);
    emit_partial(stream);
    emit(sink_of(stream), bytes, length);
    stream->begun = !ends;
    sink_of(stream)->middle = ends ? NULL : stream;
}

static void keep(struct pl_stream *stream, const char *bytes, size_t length)
{
    char *partial = NULL;
    if (stream->fill + length <= PL_OUTPUT_LINE_MAX)
        partial = realloc(stream->partial, stream->fill + length);
    if (!partial) {
        emit_part(stream, bytes, length, false);
        return;
    }
    memcpy(partial + stream->fill, bytes, length);
    stream->partial = partial;
    stream->fill += length;
}

static void feed(struct pl_stream *stream, const char *bytes, size_t length)
{
    const struct pl_output *output = stream->output;
    while (length) {
        const char *newline = output->tag ? memchr(bytes, '\n', length) : memrchr(bytes, '\n', length);
        size_t part = newline ? (size_t)(newline - bytes) + 1 : length;
        if (newline || output->immediate)
            emit_part(stream, bytes, part, newline != NULL);
        else
            keep(stream, bytes, part);
        bytes += part;
        length -= part;
    }
}

static void close_stream(struct pl_stream *stream)
{
    if (!stream->open)
        return;
    stream->open = false;
    if (stream->fill) {
        emit_part(stream, "", 0, false);
        drain(sink_of(stream));
    }
    pl_loop_close(stream->output->loop, &stream->watch);
    stream->output->open--;
}

static void stream_ready(struct pl_watch *watch, uint32_t events)
{
    struct pl_stream *stream = (struct pl_stream *)watch;
    ssize_t n = read(watch->fd, stream->output->chunk, CHUNK);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n > 0) {
        stream->output->active = pl_now();
        feed(stream, stream->output->chunk, (size_t)n);
        drain(sink_of(stream));
    } else {
        close_stream(stream);
    }
}

int pl_output_init(struct pl_output *output, struct pl_loop *loop, int ranks, bool tag,
                   const struct pl_output_calls *calls)
{
    *output = (struct pl_output){.loop = loop, .tag = tag, .immediate = ranks == 1, .nstreams = 2 * ranks};
    output->calls = *calls;
    output->streams = calloc((size_t)output->nstreams, sizeof *output->streams);
    output->chunk = malloc(CHUNK);
    if (!output->streams || !output->chunk)
        return pl_fail(PL_ENOMEM, "no memory for the output of %d ranks", ranks);
    for (int i = 0; i < output->nstreams; i++)
        output->streams[i] = (struct pl_stream){
            .watch = {.fd = -1, .ready = stream_ready}, .output = output, .rank = i / 2, .number = i % 2 + 1};
    for (int i = 0; i < 2; i++) {
        struct stat status;
        bool file = !fstat(i + 1, &status) && !S_ISFIFO(status.st_mode) && !S_ISSOCK(status.st_mode);
        output->sinks[i] = (struct pl_sink){
            .watch = {.fd = i + 1, .ready = sink_ready}, .output = output, .always = file && !isatty(i + 1)};
    }
    return 0;
}

void pl_output_finish(struct pl_output *output)
{
    for (int i = 0; output->streams && i < output->nstreams; i++) {
        free(output->streams[i].partial);
        pl_loop_close(output->loop, &output->streams[i].watch);
    }
    for (int i = 0; i < 2; i++)
        free(output->sinks[i].queue);
    free(output->streams);
    free(output->chunk);
}

int pl_output_attach(struct pl_output *output, int rank, int number, int fd)
{
    struct pl_stream *stream = &output->streams[2 * rank + number - 1];
    stream->watch.fd = fd;
    stream->open = true;
    output->open++;
    return pl_loop_want(output->loop, &stream->watch, wish(stream));
}

void pl_output_close_rank(struct pl_output *output, int rank)
{
    for (int i = 2 * rank; i < 2 * rank + 2; i++) {
        struct pl_stream *stream = &output->streams[i];
        for (int n = 0; stream->open && stream->watch.fd >= 0 && n < 1000; n++) {
            struct pollfd there = {.fd = stream->watch.fd, .events = POLLIN};
            if (poll(&there, 1, 0) <= 0)
                break;
            stream_ready(&stream->watch, EPOLLIN);
        }
        close_stream(stream);
    }
}

void pl_output_expect(struct pl_output *output, int rank)
{
    for (int i = 2 * rank; i < 2 * rank + 2; i++) {
        output->streams[i].open = true;
        output->open++;
    }
}

void pl_output_take(struct pl_output *output, int rank, int number, const char *bytes, size_t length)
{
    struct pl_stream *stream = &output->streams[2 * rank + number - 1];
    if (!stream->open)
        return;
    output->active = pl_now();
    if (!length) {
        close_stream(stream);
        return;
    }
    feed(stream, bytes, length);
    drain(sink_of(stream));
}

int64_t pl_output_prompt(struct pl_output *output, int rank, int64_t now)
{
    struct pl_stream *stream = &output->streams[2 * rank];
    if (!stream->fill)
        return 0;
    if (now - output->active < PL_PROMPT_NS)
        return output->active + PL_PROMPT_NS;
    emit_part(stream, "", 0, false);
    drain(sink_of(stream));
    return 0;
}

bool pl_output_waits(const struct pl_output *output)
{
    return output->sinks[0].fill || output->sinks[1].fill;
}

void pl_output_close(struct pl_output *output)
{
    for (int i = 0; i < output->nstreams; i++)
        close_stream(&output->streams[i]);
}
