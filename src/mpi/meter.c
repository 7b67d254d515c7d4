/* The meter: which functions the program spends its time in (PEAL_STATS), and each call with its beginning
 * and end (PEAL_TRACE, trace.c).
 *
 * It sits where every call begins and ends (call.h) and costs a test of one pointer there when it is off;
 * when it is on, two looks at the clock a call, some 50 ns, and a trace writes a line besides. At the end
 * rank 0 gets a record of each rank and prints one table. Rejected: the profiling interface (PMPI_), which
 * belongs to the program's own tools, and counting in the engine, where calls are no longer known.
 *
 * In-process worlds have no meter: their time is virtual, or that of their neighbours.
 */
#include "meter.h"

#include "agree.h"
#include "clock.h"
#include "errors.h"
#include "log.h"
#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 1024, TOLD = 24, NAME = 40, LINES = 16 };

struct function {
    const char *name; /* the literal of the call; NULL: a free slot */
    uint64_t calls, bytes;
    int64_t time, longest; /* nanoseconds */
};

struct pl_meter {
    struct pl_rank *rank;
    struct pl_trace *trace; /* NULL: none */
    bool counts;
    int64_t begun;
    int threads;
    struct function functions[SLOTS];
};

/* The call that the thread is in. A thread's own, for with MPI_THREAD_MULTIPLE several are in calls at once
 * and each has its own beginning. */
static _Thread_local struct {
    const char *name;
    int64_t at;
    uint64_t messages, bytes;
    int depth;
    int thread; /* its number in the trace, + 1; 0: it has none yet */
} current;

void pl_meter_create(struct pl_rank *rank, struct pl_meter **made)
{
    const struct pl_config *config = &rank->config;
    *made = NULL;
    if (rank->fabric || (!config->stats && !config->trace[0]))
        return;
    struct pl_meter *meter = calloc(1, sizeof *meter);
    if (!meter) {
        pl_warn("no memory for PEAL_STATS and PEAL_TRACE: they are off");
        return;
    }
    meter->rank = rank;
    meter->counts = config->stats;
    meter->begun = pl_now();
    if (config->trace[0])
        meter->trace = pl_trace_create(rank, config->trace, meter->begun);
    *made = meter;
}

void pl_meter_save(struct pl_meter *meter)
{
    if (meter && meter->trace)
        pl_trace_flush(meter->trace);
}

void pl_meter_destroy(struct pl_meter *meter)
{
    if (meter)
        pl_trace_destroy(meter->trace);
    free(meter);
}

void pl_meter_begin(struct pl_meter *meter, const char *name)
{
    if (current.depth++)
        return;
    current.name = name;
    current.messages = meter->rank->counters.sent;
    current.bytes = meter->rank->counters.bytes;
    current.at = pl_now();
}

void pl_meter_forget(void)
{
    current.depth -= current.depth > 0;
}

/* The function's slot; NULL: there are too many. Names are literals, so equal pointers are enough. */
static struct function *slot_of(struct pl_meter *meter, const char *name)
{
    size_t at = ((uintptr_t)name * 0x9e3779b97f4a7c15u >> 40) % SLOTS;
    for (int tries = 0; tries < SLOTS; tries++, at = (at + 1) % SLOTS)
        if (!meter->functions[at].name || meter->functions[at].name == name)
            return &meter->functions[at];
    return NULL;
}

void pl_meter_end(struct pl_meter *meter)
{
    if (!current.depth || --current.depth) /* begun before the meter was there, or within another */
        return;
    struct pl_event event = {.name = current.name,
                             .at = current.at - meter->begun,
                             .length = pl_now() - current.at,
                             .messages = meter->rank->counters.sent - current.messages,
                             .bytes = meter->rank->counters.bytes - current.bytes};
    struct function *function = meter->counts ? slot_of(meter, current.name) : NULL;
    if (function) {
        function->name = current.name;
        function->calls++;
        function->bytes += event.bytes;
        function->time += event.length;
        if (event.length > function->longest)
            function->longest = event.length;
    }
    if (meter->trace) {
        if (!current.thread)
            current.thread = ++meter->threads;
        event.thread = current.thread - 1;
        pl_trace_write(meter->trace, &event);
    }
}

/* ---- The table ---- */

/* What a rank tells rank 0. */
struct record {
    int64_t whole, inside;
    uint64_t messages, bytes, unexpected;
    char host[32];
    int count;
    struct told {
        char name[NAME];
        uint64_t calls, bytes;
        int64_t time, longest;
    } told[TOLD];
};

static int by_time(const void *a, const void *b)
{
    const struct function *x = a, *y = b;
    return x->time < y->time ? 1 : x->time > y->time ? -1 : 0;
}

static int told_by_time(const void *a, const void *b)
{
    const struct told *x = a, *y = b;
    return x->time < y->time ? 1 : x->time > y->time ? -1 : 0;
}

static void fill_record(struct pl_meter *meter, struct record *record)
{
    const struct pl_counters *counters = &meter->rank->counters;
    *record = (struct record){.whole = pl_now() - meter->begun,
                              .messages = counters->sent,
                              .bytes = counters->bytes,
                              .unexpected = counters->unexpected};
    snprintf(record->host, sizeof record->host, "%.31s", meter->rank->hostname);
    qsort(meter->functions, SLOTS, sizeof meter->functions[0], by_time);
    for (int i = 0; i < SLOTS; i++) {
        const struct function *f = &meter->functions[i];
        record->inside += f->time;
        if (!f->name || record->count == TOLD)
            continue;
        struct told *told = &record->told[record->count++];
        *told = (struct told){.calls = f->calls, .bytes = f->bytes, .time = f->time, .longest = f->longest};
        snprintf(told->name, NAME, "%s", f->name);
    }
}

/* Adds a rank's functions to those of all. */
static void join(struct told *all, int *count, int most, const struct record *record)
{
    for (int i = 0; i < record->count; i++) {
        const struct told *one = &record->told[i];
        int at = 0;
        while (at < *count && strcmp(all[at].name, one->name) != 0)
            at++;
        if (at == most)
            continue;
        if (at == *count)
            all[(*count)++] = (struct told){0};
        memcpy(all[at].name, one->name, NAME);
        all[at].calls += one->calls;
        all[at].bytes += one->bytes;
        all[at].time += one->time;
        all[at].longest = one->longest > all[at].longest ? one->longest : all[at].longest;
    }
}

static void tell_rank(int rank, const struct record *r)
{
    fprintf(stderr, "peal: %6d %-12.12s %9.3f s %9.3f s %3.0f %% %12llu %15llu %11llu  %s\n", rank, r->host,
            (double)r->whole * 1e-9, (double)r->inside * 1e-9,
            r->whole ? 100.0 * (double)r->inside / (double)r->whole : 0, (unsigned long long)r->messages,
            (unsigned long long)r->bytes, (unsigned long long)r->unexpected, r->count ? r->told[0].name : "");
}

static void tell_functions(struct told *all, int count)
{
    qsort(all, (size_t)count, sizeof *all, told_by_time);
    fprintf(stderr, "peal: %-28s %12s %12s %12s %12s %15s\n", "function, of all ranks", "calls", "time",
            "each", "longest", "bytes sent");
    for (int i = 0; i < count && i < LINES; i++)
        fprintf(stderr, "peal: %-28.28s %12llu %10.3f s %9.1f us %9.1f us %15llu\n", all[i].name,
                (unsigned long long)all[i].calls, (double)all[i].time * 1e-9,
                (double)all[i].time * 1e-3 / (double)all[i].calls, (double)all[i].longest * 1e-3,
                (unsigned long long)all[i].bytes);
}

/* Of many ranks those are told that were least and most in MPI: who waits, and whom they wait for. */
static void tell(const struct record *records, const int *ranks, int count, int size)
{
    static const char head[] =
        "peal:   rank host               whole      in MPI            messages      bytes "
        "sent  unexpected  most time in\n";
    enum { MOST = 64 };
    struct told all[MOST];
    int functions = 0, least = 0, most = 0;
    for (int i = 0; i < count; i++) {
        join(all, &functions, MOST, &records[i]);
        least = records[i].inside < records[least].inside ? i : least;
        most = records[i].inside > records[most].inside ? i : most;
    }
    fprintf(stderr, "peal: what %d of %d ranks did (PEAL_STATS)\n%s", count, size, head);
    for (int i = 0; i < count; i++)
        if (count <= LINES || i == least || i == most)
            tell_rank(ranks[i], &records[i]);
    tell_functions(all, functions);
    fflush(stderr);
}

static int send_record(struct pl_rank *rank, const struct record *record)
{
    struct pl_request request;
    request.completed = NULL;
    pl_send_start(&request, rank->world, PL_CHANNEL_AGREE, PL_MODE_STANDARD, record, sizeof *record, 0,
                  PL_AGREE_STATS, 0);
    int error = pl_request_wait(&request);
    pl_request_finish(&request);
    return error;
}

static int receive_record(struct pl_rank *rank, int source, struct record *record)
{
    struct pl_request request;
    request.completed = NULL;
    pl_recv_start(&request, rank->world, PL_CHANNEL_AGREE, record, sizeof *record, source, PL_AGREE_STATS, 0);
    int error = pl_request_wait(&request);
    bool whole = request.length == sizeof *record;
    pl_request_finish(&request);
    return error ? error : whole ? 0 : PL_EPROTOCOL;
}

/* Rank 0: its own record, and those of all who live. */
static void collect(struct pl_rank *rank, const struct record *own)
{
    size_t size = (size_t)rank->size;
    struct record *records = malloc(size * sizeof *records);
    int *ranks = malloc(size * sizeof *ranks), count = 1;
    if (records && ranks) {
        records[0] = *own;
        ranks[0] = 0;
        for (int i = 1; i < rank->size; i++) {
            if (receive_record(rank, i, &records[count]))
                continue;
            ranks[count++] = i;
        }
        tell(records, ranks, count, rank->size);
    } else {
        tell(own, &rank->rank, 1, rank->size);
    }
    free(records);
    free(ranks);
}

void pl_meter_part(struct pl_meter *meter)
{
    struct record record;
    if (!meter)
        return;
    pl_meter_end(meter); /* MPI_Finalize itself, as far as it has come */
    if (meter->trace)
        pl_trace_end(meter->trace);
    if (!meter->counts)
        return;
    fill_record(meter, &record);
    if (!meter->rank->rank)
        collect(meter->rank, &record);
    else if (send_record(meter->rank, &record))
        tell(&record, &meter->rank->rank, 1, meter->rank->size);
    meter->counts = false;
}
