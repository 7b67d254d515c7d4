/* `peal trace FILE`: puts the files that the ranks of a job wrote with PEAL_TRACE=FILE (FILE.0, FILE.1, ...)
 * together in one for a trace viewer (chrome://tracing, ui.perfetto.dev), and tells what is in them.
 *
 * Each file counts from its own rank's MPI_Init; the moments of these, by the hosts' clocks, say how they lie
 * to each other. The files are read twice and never kept: a trace may be larger than memory.
 */
#include "tool.h"
#include "trace_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RANKS_MOST = 100000, LINES = 16 };

static int by_time(const void *a, const void *b)
{
    const struct pl_trace_function *x = a, *y = b;
    return x->time < y->time ? 1 : x->time > y->time ? -1 : 0;
}

static FILE *open_rank(const char *file, int rank)
{
    char name[4200];
    snprintf(name, sizeof name, "%.4096s.%d", file, rank);
    return fopen(name, "re");
}

static void join(struct pl_trace_sum *all, const struct pl_trace_sum *one)
{
    all->events += one->events;
    all->odd += one->odd;
    for (int i = 0; i < one->functions; i++) {
        const struct pl_trace_function *f = &one->function[i];
        struct pl_trace_function *g = pl_trace_function_of(all, f->name);
        if (!g)
            continue;
        g->calls += f->calls;
        g->bytes += f->bytes;
        g->time += f->time;
        g->longest = f->longest > g->longest ? f->longest : g->longest;
    }
}

static void print_functions(struct pl_trace_sum *all)
{
    qsort(all->function, (size_t)all->functions, sizeof all->function[0], by_time);
    printf("%-28s %12s %12s %12s %12s %15s\n", "function, of all ranks", "calls", "time, s", "each, us",
           "longest, us", "bytes sent");
    for (int i = 0; i < all->functions && i < LINES; i++) {
        const struct pl_trace_function *f = &all->function[i];
        printf("%-28s %12llu %12.3f %12.1f %12.1f %15llu\n", f->name, (unsigned long long)f->calls,
               (double)f->time * 1e-9, (double)f->time * 1e-3 / (double)f->calls, (double)f->longest * 1e-3,
               (unsigned long long)f->bytes);
    }
}

/* Reads all files, tells of each and keeps when it began; the number of ranks. */
static int look(const char *file, int64_t **epochs, struct pl_trace_sum *all)
{
    struct pl_trace_sum *one = malloc(sizeof *one);
    int ranks = 0;
    FILE *in;
    while (one && ranks < RANKS_MOST && (in = open_rank(file, ranks))) {
        int64_t *longer = realloc(*epochs, ((size_t)ranks + 1) * sizeof **epochs);
        if (!longer) {
            fclose(in);
            break;
        }
        *epochs = longer;
        pl_trace_read(in, one, NULL, 0);
        fclose(in);
        longer[ranks] = one->epoch;
        if (!ranks)
            printf("%-24s %12s %12s %12s %8s\n", "", "calls", "traced, s", "in MPI, s", "share");
        if (ranks < LINES)
            printf("%-24s %12llu %12.3f %12.3f %6.0f %%%s\n", one->where[0] ? one->where : "(no first line)",
                   (unsigned long long)one->events, (double)one->end * 1e-9, (double)one->inside * 1e-9,
                   one->end ? 100.0 * (double)one->inside / (double)one->end : 0,
                   one->odd ? "   cut off, or not written by Peal" : "");
        join(all, one);
        ranks++;
    }
    free(one);
    return ranks;
}

static int merge(const char *file, const char *into, const int64_t *epochs, int ranks)
{
    int64_t first = INT64_MAX;
    struct pl_trace_sum *sum = malloc(sizeof *sum);
    FILE *out = fopen(into, "we");
    if (!sum || !out) {
        fprintf(stderr, "peal trace: cannot write %s: %s\n", into, strerror(errno));
        free(sum);
        return PL_TOOL_BAD;
    }
    for (int i = 0; i < ranks; i++)
        first = epochs[i] && epochs[i] < first ? epochs[i] : first;
    fputs("[\n", out);
    for (int i = 0; i < ranks; i++) {
        FILE *in = open_rank(file, i);
        if (!in)
            continue;
        pl_trace_read(in, sum, out, epochs[i] ? epochs[i] - first : 0);
        fclose(in);
    }
    fprintf(out, "{\"name\":\"ranks\",\"ph\":\"M\",\"pid\":0,\"tid\":0,\"args\":{\"ranks\":%d}}]\n", ranks);
    bool bad = ferror(out);
    bad |= fclose(out) != 0;
    free(sum);
    if (bad) {
        fprintf(stderr, "peal trace: cannot write %s: %s\n", into, strerror(errno));
        return PL_TOOL_BAD;
    }
    printf("\n%s: for chrome://tracing or https://ui.perfetto.dev\n", into);
    return PL_TOOL_OK;
}

int pl_tool_trace(int argc, char **argv)
{
    const char *output = NULL, **words = calloc((size_t)argc, sizeof *words);
    const struct pl_option options[] = {
        {'o', "output", PL_OPTION_TEXT, "FILE", &output,
         "where to write the trace of all ranks; FILE itself"},
        {0},
    };
    const struct pl_usage usage = {"peal trace [options] FILE",
                                   "Puts the files FILE.0, FILE.1, ... that a job with PEAL_TRACE=FILE wrote "
                                   "together in one for a trace "
                                   "viewer, and tells what is in them.",
                                   options, false};
    int n = 0, code, ranks;
    int64_t *epochs = NULL;
    if (!words)
        return PL_TOOL_BAD;
    if (pl_options_parse(&usage, argc, argv, words, &n, &code)) {
        free(words);
        return code;
    }
    const char *file = n == 1 ? words[0] : NULL;
    free(words);
    if (!file) {
        fprintf(stderr, "peal trace: one FILE was expected, the value of PEAL_TRACE (peal trace --help)\n");
        return PL_TOOL_USAGE;
    }
    struct pl_trace_sum *all = calloc(1, sizeof *all);
    if (!all)
        return PL_TOOL_BAD;
    ranks = look(file, &epochs, all);
    if (!ranks) {
        fprintf(stderr, "peal trace: there is no %s.0: run the job with PEAL_TRACE=%s\n", file, file);
        code = PL_TOOL_BAD;
    } else {
        if (ranks > LINES)
            printf("... and %d more\n", ranks - LINES);
        printf("\n");
        print_functions(all);
        code = merge(file, output ? output : file, epochs, ranks);
    }
    free(all);
    free(epochs);
    return code;
}
