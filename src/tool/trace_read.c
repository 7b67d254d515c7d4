/* A line is one event, as src/mpi/trace.c writes it; what does not look so is counted and left out. No JSON
 * parser: the files are our own, and one that another program has rewritten is for that program's viewer. */
#include "trace_read.h"

#include <string.h>

enum { LINE = 1024 };

#define LARGEST (INT64_C(1) << 60) /* nanoseconds; what is beyond that is no time */

struct event {
    char name[PL_TRACE_NAME];
    int rank, thread;
    int64_t at, length;
    uint64_t messages, bytes;
};

static int read_event(const char *line, struct event *e)
{
    long long at, length;
    unsigned long long messages, bytes;
    int at_rest, length_rest, end = 0;
    int read =
        sscanf(line,
               "{\"name\":\"%40[A-Za-z0-9_]\",\"ph\":\"X\",\"pid\":%9d,\"tid\":%9d,\"ts\":%16lld.%3d,"
               "\"dur\":%16lld.%3d,\"args\":{\"messages\":%19llu,\"bytes\":%19llu}}%n",
               e->name, &e->rank, &e->thread, &at, &at_rest, &length, &length_rest, &messages, &bytes, &end);
    if (read != 9 || !end || strchr(line, '-') || e->rank < 0 || e->thread < 0 || at < 0 || at_rest < 0 ||
        length < 0 || length_rest < 0 || at > LARGEST / 1000 || length > LARGEST / 1000)
        return 0;
    e->at = at * 1000 + at_rest;
    e->length = length * 1000 + length_rest;
    e->messages = messages;
    e->bytes = bytes;
    return 1;
}

/* The first line of a file. */
static int read_head(const char *line, struct pl_trace_sum *sum, int *rank)
{
    long long epoch;
    char where[128];
    int read = sscanf(line,
                      "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%9d,\"tid\":0,\"args\":{\"name\":"
                      "\"%127[A-Za-z0-9_. -]\",\"epoch_ns\":\"%19lld",
                      rank, where, &epoch);
    if (read != 3 || epoch < 0 || *rank < 0)
        return 0;
    memcpy(sum->where, where, sizeof where);
    sum->epoch = epoch;
    return 1;
}

struct pl_trace_function *pl_trace_function_of(struct pl_trace_sum *sum, const char *name)
{
    int i = 0;
    while (i < sum->functions && strcmp(sum->function[i].name, name) != 0)
        i++;
    if (i == PL_TRACE_FUNCTIONS)
        return NULL;
    struct pl_trace_function *f = &sum->function[i];
    if (i == sum->functions) {
        *f = (struct pl_trace_function){.name = ""};
        snprintf(f->name, sizeof f->name, "%s", name);
        sum->functions++;
    }
    return f;
}

static void count(struct pl_trace_sum *sum, const struct event *e)
{
    sum->events++;
    if (sum->inside < LARGEST)
        sum->inside += e->length;
    if (e->at + e->length > sum->end)
        sum->end = e->at + e->length;
    struct pl_trace_function *f = pl_trace_function_of(sum, e->name);
    if (!f)
        return;
    f->calls++;
    f->bytes += e->bytes;
    if (f->time < LARGEST)
        f->time += e->length;
    f->longest = e->length > f->longest ? e->length : f->longest;
}

static void write_head(FILE *out, const struct pl_trace_sum *sum, int rank)
{
    fprintf(out,
            "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%d,\"tid\":0,\"args\":{\"name\":\"%s\","
            "\"epoch_ns\":\"%lld\"}},\n",
            rank, sum->where, (long long)sum->epoch);
}

static void write_event(FILE *out, const struct event *e, int64_t shift)
{
    int64_t at = e->at + shift;
    fprintf(out,
            "{\"name\":\"%s\",\"ph\":\"X\",\"pid\":%d,\"tid\":%d,\"ts\":%lld.%03d,\"dur\":%lld.%03d,"
            "\"args\":{\"messages\":%llu,\"bytes\":%llu}},\n",
            e->name, e->rank, e->thread, (long long)(at / 1000), (int)(at % 1000),
            (long long)(e->length / 1000), (int)(e->length % 1000), (unsigned long long)e->messages,
            (unsigned long long)e->bytes);
}

void pl_trace_read(FILE *in, struct pl_trace_sum *sum, FILE *out, int64_t shift)
{
    char line[LINE];
    struct event event;
    int rank = 0;
    *sum = (struct pl_trace_sum){.where = ""};
    while (fgets(line, sizeof line, in)) {
        if (read_event(line, &event)) {
            count(sum, &event);
            if (out)
                write_event(out, &event, shift);
        } else if (!sum->epoch && read_head(line, sum, &rank)) {
            if (out)
                write_head(out, sum, rank);
        } else if (line[0] != '[' && strncmp(line, "{\"name\":\"process_sort_index\"", 28) != 0) {
            sum->odd++;
        }
    }
}
