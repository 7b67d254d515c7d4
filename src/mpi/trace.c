/* Trace files (PEAL_TRACE): each rank writes its own, FILE.RANK, an event a line, in the JSON array format of
 * Chrome's trace viewer and Perfetto, which do without the end of a file; so what a rank wrote before it was
 * killed can be looked at. `peal trace` puts the files of a job together.
 *
 *     [
 *     {"name":"process_name","ph":"M","pid":1,"tid":0,"args":{"name":"rank 1 on n7", ...}},
 *     {"name":"MPI_Send","ph":"X","pid":1,"tid":0,"ts":12.345,"dur":0.250,"args":{"messages":1,"bytes":8}},
 *
 * Time is in microseconds since the rank's MPI_Init, whose moment is in the first line: numbers stay short
 * and exact, and the clocks of hosts are as good as they are set. Events are kept in memory until there are
 * 64 kB of them or a second has passed. A disk that is full ends the trace with a warning, not the job; so
 * does a gigabyte.
 */
#include "meter.h"

#include "errors.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 64 << 10, EVENT_MOST = 512 };

#define SECOND INT64_C(1000000000)
#define MOST   (INT64_C(1) << 30)

struct pl_trace {
    int fd; /* -1: given up */
    int rank;
    int64_t written, flushed; /* bytes; when */
    size_t fill;
    char name[300];
    char buffer[BUFFER];
};

static void give_up(struct pl_trace *trace, const char *why)
{
    pl_warn("PEAL_TRACE: %s: %s; the trace ends here", trace->name, why);
    close(trace->fd);
    trace->fd = -1;
}

void pl_trace_flush(struct pl_trace *trace)
{
    for (size_t done = 0; trace->fd >= 0 && done < trace->fill;) {
        ssize_t n = write(trace->fd, trace->buffer + done, trace->fill - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            give_up(trace, strerror(errno));
    }
    trace->written += (int64_t)trace->fill;
    trace->fill = 0;
    if (trace->fd >= 0 && trace->written > MOST)
        give_up(trace, "a gigabyte is enough");
}

struct pl_trace *pl_trace_create(const struct pl_rank *rank, const char *file, int64_t now)
{
    struct timespec t;
    struct pl_trace *trace = calloc(1, sizeof *trace);
    if (!trace) {
        pl_warn("PEAL_TRACE: no memory");
        return NULL;
    }
    snprintf(trace->name, sizeof trace->name, "%s.%d", file, rank->rank);
    trace->rank = rank->rank;
    trace->flushed = now;
    trace->fd = open(trace->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (trace->fd < 0) {
        pl_warn("PEAL_TRACE: cannot write %s: %s", trace->name, strerror(errno));
        free(trace);
        return NULL;
    }
    clock_gettime(CLOCK_REALTIME, &t);
    trace->fill =
        (size_t)snprintf(trace->buffer, BUFFER,
                         "[\n{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%d,\"tid\":0,\"args\":"
                         "{\"name\":\"rank %d on %.63s\",\"epoch_ns\":\"%lld\"}},\n",
                         rank->rank, rank->rank, rank->hostname, (long long)t.tv_sec * SECOND + t.tv_nsec);
    pl_trace_flush(trace);
    return trace;
}

void pl_trace_write(struct pl_trace *trace, const struct pl_event *event)
{
    if (trace->fd < 0)
        return;
    int64_t end = event->at + event->length;
    trace->fill += (size_t)snprintf(
        trace->buffer + trace->fill, EVENT_MOST,
        "{\"name\":\"%.40s\",\"ph\":\"X\",\"pid\":%d,\"tid\":%d,\"ts\":%lld.%03d,\"dur\":%lld.%03d,"
        "\"args\":{\"messages\":%llu,\"bytes\":%llu}},\n",
        event->name, trace->rank, event->thread, (long long)(event->at / 1000), (int)(event->at % 1000),
        (long long)(event->length / 1000), (int)(event->length % 1000), (unsigned long long)event->messages,
        (unsigned long long)event->bytes);
    if (trace->fill > BUFFER - EVENT_MOST || end - trace->flushed > SECOND) {
        pl_trace_flush(trace);
        trace->flushed = end;
    }
}

void pl_trace_end(struct pl_trace *trace)
{
    if (trace->fd < 0)
        return;
    trace->fill +=
        (size_t)snprintf(trace->buffer + trace->fill, EVENT_MOST,
                         "{\"name\":\"process_sort_index\",\"ph\":\"M\",\"pid\":%d,\"tid\":0,\"args\":"
                         "{\"sort_index\":%d}}]\n",
                         trace->rank, trace->rank);
    pl_trace_flush(trace);
}

void pl_trace_destroy(struct pl_trace *trace)
{
    if (trace && trace->fd >= 0) {
        pl_trace_flush(trace);
        close(trace->fd);
    }
    free(trace);
}
