/* `peal bench ps`: the parameter server, measured.
 *
 * The last --servers ranks serve, the others push and pull. For one copy, two and so on, as --replicas says:
 *   sparse  batches of random keys, a push and a pull under way at once; each key counts once for either
 *   dense   a range of --bytes, pushed and pulled whole
 * Mkeys/CPU s: keys by the CPU time that all servers took, waiting included: what a server's core does for
 * them. Beside them stands what the transport itself does with messages as large as the server's frames, from
 * each worker to a server, in the same run: the server cannot be faster.
 *
 * `peal bench ps spread` needs no mpiexec: it counts how keys spread over 2 to 64 servers in this process.
 */
#include "tool.h"

#include <math.h>
#include <mpi.h>
#include <peal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { FRAME = 128 * 1024, WINDOW = 16, KEYS = 1000000, TAG = 3 };

struct run {
    int servers, replicas, width;
    size_t bytes;
    double seconds; /* a measurement lasts */
    bool int8;
    int rank, size;
};

/* One result of a worker, summed over all at the end. */
struct result {
    double operations, keys, bytes, seconds;
};

static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* Bytes a second of plain messages, all pairs together. Every rank calls it. */
static double stream(const struct run *r)
{
    int workers = r->size - r->servers, pairs = workers < r->servers ? workers : r->servers;
    int partner = r->rank < pairs                                   ? workers + r->rank
                  : r->rank >= workers && r->rank < workers + pairs ? r->rank - workers
                                                                    : -1;
    char *buffers = calloc(WINDOW, FRAME);
    MPI_Request requests[WINDOW];
    double bytes = 0, all = 0;
    for (int round = 0; round < 2; round++) { /* the first one warms up */
        MPI_Barrier(MPI_COMM_WORLD);
        double begin = MPI_Wtime();
        int times = 0, more = 1;
        while (partner >= 0 && more) {
            more = MPI_Wtime() - begin < r->seconds / 4;
            for (int i = 0; i < WINDOW; i++)
                if (r->rank < workers)
                    MPI_Isend(buffers + i * (size_t)FRAME, FRAME, MPI_BYTE, partner, TAG, MPI_COMM_WORLD,
                              &requests[i]);
                else
                    MPI_Irecv(buffers + i * (size_t)FRAME, FRAME, MPI_BYTE, partner, TAG, MPI_COMM_WORLD,
                              &requests[i]);
            MPI_Waitall(WINDOW, requests, MPI_STATUSES_IGNORE);
            if (r->rank < workers)
                MPI_Send(&more, 1, MPI_INT, partner, TAG, MPI_COMM_WORLD);
            else
                MPI_Recv(&more, 1, MPI_INT, partner, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            times++;
        }
        bytes =
            r->rank < workers && partner >= 0 ? (double)times * WINDOW * FRAME / (MPI_Wtime() - begin) : 0;
    }
    MPI_Allreduce(&bytes, &all, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    free(buffers);
    return all;
}

static struct result sparse(peal_ps *ps, const struct run *r, size_t batch, const uint64_t *keys)
{
    size_t width = (size_t)r->width;
    float *values = calloc(batch * width, sizeof *values), *got = calloc(batch * width, sizeof *got);
    struct result result = {0, 0, 0, 0};
    uint64_t state = 88172645463325252u + (uint64_t)r->rank;
    peal_ps_barrier(ps, NULL);
    double begin = MPI_Wtime();
    for (result.seconds = 0; result.seconds < r->seconds; result.seconds = MPI_Wtime() - begin) {
        MPI_Request requests[2];
        size_t from = draw(&state) % (KEYS - batch);
        peal_ps_push(ps, 0, batch, keys + from, values, &requests[0]);
        peal_ps_pull(ps, 0, batch, keys + from, got, &requests[1]);
        MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
        result.operations += 2;
        result.keys += 2 * (double)batch;
    }
    result.bytes = result.keys * (double)width * 4;
    free(values);
    free(got);
    return result;
}

static struct result dense(peal_ps *ps, const struct run *r, int pull)
{
    size_t n = r->bytes / sizeof(float);
    float *values = calloc(n, sizeof *values);
    struct result result = {0, 0, 0, 0};
    for (size_t i = 0; i < n; i++)
        values[i] = 1;
    peal_ps_push_range(ps, 1, 0, n, values, NULL);
    peal_ps_barrier(ps, NULL);
    double begin = MPI_Wtime();
    for (result.seconds = 0; result.seconds < r->seconds; result.seconds = MPI_Wtime() - begin) {
        if (pull)
            peal_ps_pull_range(ps, 1, 0, n, values, NULL);
        else
            peal_ps_push_range(ps, 1, 0, n, values, NULL);
        result.operations++;
    }
    result.keys = result.operations * (double)n;
    result.bytes = result.keys * 4;
    free(values);
    return result;
}

/* Adds the workers' results up and prints a line on rank 0. `busy`: CPU seconds of this server. Every rank
 * calls it. */
static void tell(const struct run *r, const char *test, size_t size, const struct result *mine, double busy,
                 double raw)
{
    double rates[5] = {0, 0, 0, mine->keys, busy}, all[5];
    if (mine->seconds > 0) {
        rates[0] = mine->operations / mine->seconds;
        rates[1] = mine->keys / mine->seconds;
        rates[2] = mine->bytes / mine->seconds;
    }
    MPI_Reduce(rates, all, 5, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
    if (r->rank)
        return;
    printf("%-10s %9zu %7d %12.0f %10.3f %12.3f %9.3f %9.2f\n", test, size, r->replicas, all[0], all[1] / 1e6,
           all[4] > 0 ? all[3] / 1e6 / all[4] : 0, all[2] / 1e9, raw > 0 ? all[2] / raw : 0);
    fflush(stdout);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

enum test { SPARSE_100, SPARSE_1000, SPARSE_10000, PUSH_RANGE, PULL_RANGE, TESTS };

static struct result run_test(peal_ps *ps, const struct run *r, enum test test, const uint64_t *keys)
{
    static const size_t batches[] = {100, 1000, 10000};
    return test <= SPARSE_10000 ? sparse(ps, r, batches[test], keys) : dense(ps, r, test == PULL_RANGE);
}

/* One test, on a parameter server of its own, so that the servers' CPU time is that test's. */
static int measure(const struct run *r, enum test test, const uint64_t *keys, double raw)
{
    static const char *const names[] = {"sparse", "sparse", "sparse", "push range", "pull range"};
    const size_t sizes[] = {100, 1000, 10000, r->bytes, r->bytes};
    const struct peal_ps_table tables[] = {
        {.name = "sparse", .width = r->width, .filters = r->int8 ? PEAL_PS_INT8 : 0},
        {.name = "dense", .range = r->bytes / sizeof(float), .filters = r->int8 ? PEAL_PS_INT8 : 0}};
    const struct peal_ps_options options = {.servers = r->servers,
                                            .replicas = r->replicas,
                                            .mode = PEAL_PS_ASYNC,
                                            .tables = tables,
                                            .table_count = 2};
    peal_ps *ps;
    struct result result = {0, 0, 0, 0};
    if (peal_ps_create(MPI_COMM_WORLD, &options, &ps))
        return PL_TOOL_USAGE;
    double busy = cpu_seconds();
    bool works = peal_ps_role(ps) & PEAL_PS_WORKER;
    if (works)
        result = run_test(ps, r, test, keys);
    else
        peal_ps_serve(ps);
    busy = works ? 0 : cpu_seconds() - busy;
    int error = peal_ps_destroy(&ps);
    tell(r, names[test], sizes[test], &result, busy, test >= PUSH_RANGE ? raw : 0);
    return error ? PL_TOOL_BAD : PL_TOOL_OK;
}

static int measure_all(struct run *r, double raw)
{
    int code = PL_TOOL_OK, most = r->replicas < r->servers ? r->replicas : r->servers;
    uint64_t *keys = malloc(KEYS * sizeof *keys), state = 4711; /* the same for all */
    if (!keys)
        return PL_TOOL_BAD;
    for (int i = 0; i < KEYS; i++)
        keys[i] = draw(&state);
    for (r->replicas = 1; r->replicas <= most; r->replicas++)
        for (int test = 0; test < TESTS && code == PL_TOOL_OK; test++)
            code = measure(r, (enum test)test, keys, raw);
    free(keys);
    return code;
}

/* ---- spread ---- */

enum { SPREAD_KEYS = 100000, SERVERS_MAX = 64 };

struct spread {
    int servers;
    bool zipf;
    double applied[SERVERS_MAX + 1], owned[SERVERS_MAX + 1];
};

static int count_spread(void *argument)
{
    struct spread *s = argument;
    const struct peal_ps_table table = {.width = 1};
    const struct peal_ps_options options = {
        .servers = s->servers, .replicas = 1, .mode = PEAL_PS_ASYNC, .tables = &table, .table_count = 1};
    peal_ps *ps;
    struct peal_ps_stats stats;
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (peal_ps_create(MPI_COMM_WORLD, &options, &ps))
        return 1;
    if (peal_ps_role(ps) & PEAL_PS_WORKER) {
        uint64_t *keys = malloc(SPREAD_KEYS * sizeof *keys), state = 99;
        float *values = calloc(SPREAD_KEYS, sizeof *values);
        for (int i = 0; i < SPREAD_KEYS; i++) {
            double u = (double)(draw(&state) >> 11) / 9007199254740992.0;
            keys[i] = s->zipf ? (uint64_t)pow(1e6, u) : draw(&state);
        }
        peal_ps_push(ps, 0, SPREAD_KEYS, keys, values, NULL);
        free(keys);
        free(values);
    } else {
        peal_ps_serve(ps);
        peal_ps_stats(ps, &stats);
        s->applied[rank - 1] = (double)stats.applied;
        s->owned[rank - 1] = stats.owned / (double)stats.parts;
    }
    return peal_ps_destroy(&ps) != MPI_SUCCESS;
}

static int spread(void)
{
    printf("%8s %14s %14s %14s\n", "servers", "parts", "uniform keys", "Zipf keys");
    printf("%8s %44s\n", "", "the fullest server's share, as a multiple of the mean");
    for (int servers = 2; servers <= SERVERS_MAX; servers *= 2) {
        double most[3] = {0, 0, 0};
        for (int zipf = 0; zipf < 2; zipf++) {
            struct spread s = {.servers = servers, .zipf = zipf};
            struct peal_world_result result;
            if (peal_run(servers + 1, count_spread, &s, NULL, &result)) {
                fprintf(stderr, "peal bench ps spread: %s\n", result.text);
                return PL_TOOL_BAD;
            }
            for (int i = 0; i < servers; i++) {
                most[0] = fmax(most[0], s.owned[i] * servers);
                most[1 + zipf] = fmax(most[1 + zipf], s.applied[i] * servers / SPREAD_KEYS);
            }
        }
        printf("%8d %14.3f %14.3f %14.3f\n", servers, most[0], most[1], most[2]);
    }
    return PL_TOOL_OK;
}

int pl_tool_bench_ps(int argc, char **argv)
{
    struct run r = {.servers = 1, .replicas = 3, .width = 1, .bytes = 16 << 20, .seconds = 1};
    const struct pl_option table[] = {
        {'s', "servers", PL_OPTION_COUNT, "N", &r.servers, "the last N ranks serve (default 1)"},
        {'k', "replicas", PL_OPTION_COUNT, "N", &r.replicas,
         "copies, from 1 to N as there are servers (default 3)"},
        {'w', "width", PL_OPTION_COUNT, "N", &r.width, "floats of a sparse key's vector (default 1)"},
        {'b', "bytes", PL_OPTION_BYTES, "BYTES", &r.bytes, "of the dense range (default 16M)"},
        {'t', "seconds", PL_OPTION_REAL, "T", &r.seconds, "that each measurement lasts (default 1)"},
        {0, "int8", PL_OPTION_FLAG, NULL, &r.int8, "pushes travel as 8-bit numbers"},
        {0, NULL, PL_OPTION_FLAG, NULL, NULL, NULL}};
    const char *words[64];
    int n, code;
    if (argc > 60)
        return PL_TOOL_USAGE;
    if (argc > 1 && !strcmp(argv[1], "spread"))
        return spread();
    MPI_Init(NULL, NULL);
    MPI_Comm_rank(MPI_COMM_WORLD, &r.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &r.size);
    const struct pl_usage usage = {"mpiexec -n RANKS peal bench ps [options], or peal bench ps spread",
                                   "Measures the parameter server, and how keys spread over servers.", table,
                                   r.rank != 0};
    if (!pl_options_parse(&usage, argc, argv, words, &n, &code)) {
        code = PL_TOOL_USAGE;
        if (n || r.size < 2 || r.servers < 1 || r.servers >= r.size || r.width < 1 || r.width > 4096 ||
            r.bytes < 1024) {
            if (!r.rank)
                fprintf(stderr,
                        "peal bench ps: wants 2 ranks or more, fewer servers than ranks, a width of 1 to "
                        "4096 and at least 1K bytes\n");
        } else {
            double raw = stream(&r);
            if (!r.rank)
                printf(
                    "# %d workers, %d servers; plain messages of 128 KiB: %.3f GB/s\n%-10s %9s %7s %12s %10s "
                    "%12s %9s %9s\n",
                    r.size - r.servers, r.servers, raw / 1e9, "# test", "size", "copies", "operations/s",
                    "Mkeys/s", "Mkeys/CPU s", "GB/s", "of plain");
            code = measure_all(&r, raw);
        }
    }
    MPI_Finalize();
    return code;
}
