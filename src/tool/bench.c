/* `peal bench`: the command line of the benchmark, its buffers, and the order of things.
 *
 * It is a program of MPI like any other: mpiexec -n 4 peal bench allreduce. Rejected: starting mpiexec
 * itself, which would be a second command line for all of mpiexec's options.
 */
#include "bench.h"

#include "errors.h"
#include "tool.h"

#include <mpi.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const about =
    "Measures TESTs (default: all) between the ranks that mpiexec started, and checks every result.\n"
    "  collectives  barrier bcast scatter gather allgather reduce allreduce reduce_scatter_block alltoall\n"
    "               scan exscan scatterv gatherv allgatherv reduce_scatter alltoallv\n"
    "  messages     latency bandwidth bibw msgrate\n"
    "  ps           the parameter server: has a --help of its own\n"
    "Sizes are bytes of the larger buffer of a rank. The exit code is 1 if a result was wrong.";

static const struct pl_call *find_call(const char *name)
{
    for (const struct pl_call *c = pl_calls; c->name; c++)
        if (!strcmp(c->name, name))
            return c;
    return NULL;
}

static const struct pl_pairs *find_pairs(const char *name)
{
    for (const struct pl_pairs *p = pl_pairs; p->name; p++)
        if (!strcmp(p->name, name))
            return p;
    return NULL;
}

__attribute__((format(printf, 2, 3))) static int refuse(const struct pl_bench *bench, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    if (!bench->rank) {
        fprintf(stderr, "peal bench: ");
        vfprintf(stderr, format, list);
        fprintf(stderr, "\n");
    }
    va_end(list);
    return PL_TOOL_USAGE;
}

static void tell_names(const struct pl_bench *bench, bool types)
{
    if (bench->rank)
        return;
    fprintf(stderr, "there are:");
    for (const struct pl_number *n = pl_numbers; types && n->name; n++)
        fprintf(stderr, " %s", n->name);
    for (const struct pl_operator *o = pl_operators; !types && o->name; o++)
        fprintf(stderr, " %s", o->name);
    fprintf(stderr, " all\n");
}

static int check_options(const struct pl_bench *bench)
{
    const struct pl_number *number = pl_number_find(bench->type);
    const struct pl_operator *op = pl_operator_find(bench->op);
    if (bench->begin < 1 || bench->begin > bench->end || bench->factor < 2)
        return refuse(bench,
                      "-b %zu -e %zu -f %d: sizes must grow from at least 1, by a factor of at least 2",
                      bench->begin, bench->end, bench->factor);
    if (bench->root >= bench->size)
        return refuse(bench, "-r %d: there are only %d ranks", bench->root, bench->size);
    if (bench->check > 1)
        return refuse(bench, "-c %d: 0 or 1 was expected", bench->check);
    if (!(bench->timing.seconds > 0))
        return refuse(bench, "--seconds must be more than 0");
    if (!number && strcmp(bench->type, "all") != 0) {
        refuse(bench, "-d %s: there is no such type", bench->type);
        tell_names(bench, true);
        return PL_TOOL_USAGE;
    }
    if (!op && strcmp(bench->op, "all") != 0) {
        refuse(bench, "-o %s: there is no such operator", bench->op);
        tell_names(bench, false);
        return PL_TOOL_USAGE;
    }
    if (number && op && number->floating && op->integers_only)
        return refuse(bench, "-o %s: not defined for %s", bench->op, bench->type);
    return 0;
}

static int check_tests(const struct pl_bench *bench, const char **tests, int n)
{
    for (int i = 0; i < n; i++) {
        if (!find_call(tests[i]) && !find_pairs(tests[i]))
            return refuse(bench, "there is no test '%s' (--help lists them)", tests[i]);
        if (find_pairs(tests[i]) && bench->size < 2)
            return refuse(bench, "%s needs two ranks: mpiexec -n 2 peal bench %s", tests[i], tests[i]);
    }
    return 0;
}

static int read_options(struct pl_bench *bench, int argc, char **argv, const char **words, int *n)
{
    const struct pl_option options[] = {
        {'b', "minbytes", PL_OPTION_BYTES, "BYTES", &bench->begin, "the smallest size; 8"},
        {'e', "maxbytes", PL_OPTION_BYTES, "BYTES", &bench->end, "the largest size; 1M"},
        {'f', "stepfactor", PL_OPTION_COUNT, "N", &bench->factor,
         "each size is so many times the one before; 4"},
        {'n', "iters", PL_OPTION_COUNT, "N", &bench->timing.iterations,
         "calls in each batch; as many as take a fortieth of --seconds"},
        {'w', "warmup_iters", PL_OPTION_COUNT, "N", &bench->timing.warmup, "calls before, not measured; 5"},
        {'c', "check", PL_OPTION_COUNT, "0|1", &bench->check, "check the results; 1"},
        {'d', "datatype", PL_OPTION_TEXT, "TYPE", &bench->type,
         "float, double, half, bfloat16, int8 ... or all"},
        {'o', "op", PL_OPTION_TEXT, "OP", &bench->op, "sum, prod, min, max, band, bor, bxor or all"},
        {'r', "root", PL_OPTION_COUNT, "RANK", &bench->root, "the root; 0"},
        {'t', "seconds", PL_OPTION_REAL, "S", &bench->timing.seconds,
         "about how long to measure each row; 0.1"},
        {'a', "alloc", PL_OPTION_FLAG, NULL, &bench->alloc, "buffers from MPI_Alloc_mem"},
        {'j', "json", PL_OPTION_FLAG, NULL, &bench->json, "print JSON"},
        {'p', "plot", PL_OPTION_TEXT, "FILE.svg", &bench->plot, "draw time and bandwidth over size"},
        {0, "tune", PL_OPTION_TEXT, "FILE", &bench->tune,
         "measure what a message costs here, and write it for PEAL_TUNING; no TESTs"},
        {0},
    };
    const struct pl_usage usage = {"peal bench [options] [TEST ...]", about, options, bench->rank != 0};
    int code;
    if (pl_options_parse(&usage, argc, argv, words, n, &code))
        return code ? code : -1;
    if (bench->tune && *n)
        return refuse(bench, "--tune measures the transport, not %s", words[0]);
    code = check_options(bench);
    return code ? code : check_tests(bench, words, *n);
}

static size_t room_for(const struct pl_bench *bench, const char **tests, int n)
{
    size_t most = 1;
    for (int i = 0; i < n; i++) {
        const struct pl_call *call = find_call(tests[i]);
        size_t room =
            call ? pl_bench_room_call(bench, call) : pl_bench_room_pairs(bench, find_pairs(tests[i]));
        most = room > most ? room : most;
    }
    return most;
}

static void *buffer(const struct pl_bench *bench, size_t bytes)
{
    void *memory = NULL;
    if (bench->alloc ? MPI_Alloc_mem((MPI_Aint)bytes, MPI_INFO_NULL, &memory)
                     : posix_memalign(&memory, 4096, bytes)) {
        fprintf(stderr, "peal bench: no memory for a buffer of %zu bytes on rank %d (-e makes it smaller)\n",
                bytes, bench->rank);
        PMPI_Abort(MPI_COMM_WORLD, PL_TOOL_BAD);
    }
    return memory;
}

static void free_buffer(const struct pl_bench *bench, void *memory)
{
    if (bench->alloc)
        MPI_Free_mem(memory);
    else
        free(memory);
}

/* All there is, when nothing is named. */
static int all_tests(const struct pl_bench *bench, const char **tests)
{
    int n = 0;
    for (const struct pl_call *c = pl_calls; c->name; c++)
        tests[n++] = c->name;
    for (const struct pl_pairs *p = pl_pairs; p->name && bench->size > 1; p++)
        tests[n++] = p->name;
    return n;
}

static int write_plot(struct pl_bench *bench)
{
    static const char *const titles[PL_PLOT_PANELS] = {"microseconds", "bus bandwidth, GB/s"};
    int error = bench->plot ? pl_plot_write(&bench->report.plot, bench->plot, titles) : 0;
    if (error)
        fprintf(stderr, "peal bench: %s\n", pl_fail_text());
    pl_plot_finish(&bench->report.plot);
    return error;
}

static int run(struct pl_bench *bench, const char **tests, int n)
{
    size_t room = room_for(bench, tests, n);
    bench->in = buffer(bench, room);
    bench->out = buffer(bench, room);
    if (!bench->rank)
        pl_report_begin(&bench->report, bench->json, bench->plot != NULL, bench->size,
                        bench->alloc ? "MPI_Alloc_mem" : "private");
    if (!bench->rank && bench->size == 1)
        fprintf(stderr,
                "peal bench: this is a world of one rank; mpiexec -n 4 peal bench ... measures more\n");
    for (int i = 0; i < n; i++)
        if (find_call(tests[i]))
            pl_bench_call(bench, find_call(tests[i]));
        else
            pl_bench_pairs(bench, find_pairs(tests[i]));
    int code = PL_TOOL_OK;
    if (!bench->rank) {
        pl_report_end(&bench->report);
        code = write_plot(bench) ? PL_TOOL_BAD : PL_TOOL_OK;
    }
    free_buffer(bench, bench->in);
    free_buffer(bench, bench->out);
    return bench->report.wrong ? PL_TOOL_BAD : code;
}

int pl_tool_bench(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "ps"))
        return pl_tool_bench_ps(argc - 1, argv + 1);
    struct pl_bench bench = {.begin = 8,
                             .end = 1 << 20,
                             .factor = 4,
                             .check = 1,
                             .timing = {.warmup = 5, .seconds = 0.1},
                             .type = "float",
                             .op = "sum"};
    const char **words = malloc(((size_t)argc + 64) * sizeof *words);
    int n = 0;
    PMPI_Init(NULL, NULL);
    PMPI_Comm_rank(MPI_COMM_WORLD, &bench.rank);
    PMPI_Comm_size(MPI_COMM_WORLD, &bench.size);
    bench.counts = malloc((size_t)bench.size * sizeof *bench.counts);
    bench.places = malloc((size_t)bench.size * sizeof *bench.places);
    int code =
        words && bench.counts && bench.places ? read_options(&bench, argc, argv, words, &n) : PL_TOOL_BAD;
    if (!code && bench.tune)
        code = pl_bench_tune(&bench, bench.tune);
    else if (!code)
        code = run(&bench, words, n ? n : all_tests(&bench, words));
    free(words);
    free(bench.counts);
    free(bench.places);
    PMPI_Finalize();
    /* Rank 0 speaks for all: another's code would end the job before the last line is out. */
    return code < 0 || bench.rank ? PL_TOOL_OK : code;
}
