/* One benchmark for every MPI: nothing but MPI is used, so that Peal and its peers run the same
 * source. scripts/compare builds and starts it; by hand:
 *
 *     mpicc -O2 -o compare compare.c && mpiexec -n 2 ./compare allreduce 8,65536
 *
 * Each test at each size is measured in many short batches, and the median of them is
 * what counts: on a busy machine some batches are disturbed, and short ones are mostly
 * disturbed wholly or not at all. A batch is preceded by new contents of the buffers and a
 * barrier, and takes as long as its slowest rank. The first calls, which connect and allocate, are not
 * measured. What the last call left is checked, for a wrong answer is no fast one.
 *
 * `bytes` is the larger buffer of one rank: the vector of bcast, reduce and allreduce, all
 * blocks together where each rank has one. Ping-pong and stream run between ranks 2k and 2k + 1, all
 * pairs at once. Rejected: one long loop a size, whose mean a single interruption spoils.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZES_MAX = 64, BATCHES_MAX = 400, TESTS_MAX = 32, WINDOW = 32, PERIOD = 61 };

struct bench {
    int rank, size, partner; /* partner: -1 when there is none */
    float *in, *out;
    size_t bytes, blocks; /* of this point; blocks: that make up the larger buffer */
    int count;            /* floats a block */
    int window;
    double budget; /* seconds a point */
};

/* Small whole numbers, so that sums are exact. */
static float value(int rank, size_t i)
{
    return (float)((i % PERIOD + (size_t)rank * 7) % 13);
}

static void call_pingpong(struct bench *b)
{
    if (b->partner < 0)
        return;
    if (b->rank < b->partner)
        MPI_Send(b->in, b->count, MPI_FLOAT, b->partner, 1, MPI_COMM_WORLD);
    MPI_Recv(b->out, b->count, MPI_FLOAT, b->partner, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    if (b->rank > b->partner)
        MPI_Send(b->in, b->count, MPI_FLOAT, b->partner, 1, MPI_COMM_WORLD);
}

static void call_stream(struct bench *b)
{
    MPI_Request request[WINDOW];
    MPI_Status status[WINDOW];
    char token = 0;
    if (b->partner < 0)
        return;
    for (int i = 0; i < b->window; i++)
        if (b->rank < b->partner)
            MPI_Isend(b->in, b->count, MPI_FLOAT, b->partner, 2, MPI_COMM_WORLD, &request[i]);
        else
            MPI_Irecv(b->out, b->count, MPI_FLOAT, b->partner, 2, MPI_COMM_WORLD, &request[i]);
    MPI_Waitall(b->window, request, status);
    if (b->rank < b->partner)
        MPI_Recv(&token, 1, MPI_CHAR, b->partner, 3, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    else
        MPI_Send(&token, 1, MPI_CHAR, b->partner, 3, MPI_COMM_WORLD);
}

static void call_barrier(struct bench *b)
{
    (void)b;
    MPI_Barrier(MPI_COMM_WORLD);
}

static void call_bcast(struct bench *b)
{
    MPI_Bcast(b->rank ? b->out : b->in, b->count, MPI_FLOAT, 0, MPI_COMM_WORLD);
}

static void call_reduce(struct bench *b)
{
    MPI_Reduce(b->in, b->out, b->count, MPI_FLOAT, MPI_SUM, 0, MPI_COMM_WORLD);
}

static void call_allreduce(struct bench *b)
{
    MPI_Allreduce(b->in, b->out, b->count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}

static void call_reduce_scatter(struct bench *b)
{
    MPI_Reduce_scatter_block(b->in, b->out, b->count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}

static void call_gather(struct bench *b)
{
    MPI_Gather(b->in, b->count, MPI_FLOAT, b->out, b->count, MPI_FLOAT, 0, MPI_COMM_WORLD);
}

static void call_scatter(struct bench *b)
{
    MPI_Scatter(b->in, b->count, MPI_FLOAT, b->out, b->count, MPI_FLOAT, 0, MPI_COMM_WORLD);
}

static void call_allgather(struct bench *b)
{
    MPI_Allgather(b->in, b->count, MPI_FLOAT, b->out, b->count, MPI_FLOAT, MPI_COMM_WORLD);
}

static void call_alltoall(struct bench *b)
{
    MPI_Alltoall(b->in, b->count, MPI_FLOAT, b->out, b->count, MPI_FLOAT, MPI_COMM_WORLD);
}

/* What out[i] must be; each is asked only on ranks that have a result, for i < `results`. */
static float result_partner(const struct bench *b, size_t i)
{
    return value(b->partner, i);
}

static float result_root(const struct bench *b, size_t i)
{
    (void)b;
    return value(0, i);
}

static float result_sum(const struct bench *b, size_t i)
{
    float sum = 0;
    for (int r = 0; r < b->size; r++)
        sum += value(r, i);
    return sum;
}

static float result_my_sum(const struct bench *b, size_t i)
{
    return result_sum(b, (size_t)b->rank * (size_t)b->count + i);
}

static float result_my_block(const struct bench *b, size_t i)
{
    return value(0, (size_t)b->rank * (size_t)b->count + i);
}

static float result_blocks(const struct bench *b, size_t i)
{
    return value((int)(i / (size_t)b->count), i % (size_t)b->count);
}

static float result_crossed(const struct bench *b, size_t i)
{
    return value((int)(i / (size_t)b->count), (size_t)b->rank * (size_t)b->count + i % (size_t)b->count);
}

enum { EVERY, ROOT, OTHERS, PAIRED, UPPER, NOBODY };

static const struct test {
    const char *name;
    void (*call)(struct bench *b);
    float (*result)(const struct bench *b, size_t i);
    int who;        /* has a result */
    int in_blocks;  /* the buffers are n blocks; else one vector */
    int out_blocks; /* how much of out is the result: n blocks; else one */
} tests[] = {
    {"pingpong", call_pingpong, result_partner, PAIRED, 0, 0},
    {"stream", call_stream, result_partner, UPPER, 0, 0},
    {"barrier", call_barrier, NULL, NOBODY, 0, 0},
    {"bcast", call_bcast, result_root, OTHERS, 0, 0},
    {"reduce", call_reduce, result_sum, ROOT, 0, 0},
    {"allreduce", call_allreduce, result_sum, EVERY, 0, 0},
    {"reduce_scatter", call_reduce_scatter, result_my_sum, EVERY, 1, 0},
    {"gather", call_gather, result_blocks, ROOT, 1, 1},
    {"scatter", call_scatter, result_my_block, EVERY, 1, 0},
    {"allgather", call_allgather, result_blocks, EVERY, 1, 1},
    {"alltoall", call_alltoall, result_crossed, EVERY, 1, 1},
};

enum { TESTS = sizeof tests / sizeof *tests };

static int has_result(const struct bench *b, int who)
{
    return who == EVERY || (who == ROOT && !b->rank) || (who == OTHERS && b->rank) ||
           (who == PAIRED && b->partner >= 0) || (who == UPPER && b->partner >= 0 && b->rank > b->partner);
}

static void rewrite(struct bench *b)
{
    size_t n = b->blocks * (size_t)b->count;
    for (size_t i = 0; i < n; i++)
        b->in[i] = value(b->rank, i);
    memset(b->out, 0xff, n * sizeof *b->out);
}

static long wrong(const struct bench *b, const struct test *test)
{
    long bad = 0, all;
    size_t n = test->out_blocks ? b->blocks * (size_t)b->count : (size_t)b->count;
    if (has_result(b, test->who))
        for (size_t i = 0; i < n; i++)
            bad += !(b->out[i] == test->result(b, i));
    MPI_Allreduce(&bad, &all, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    return all;
}

/* Seconds that `iterations` calls take the slowest rank. */
static double batch(struct bench *b, const struct test *test, int iterations)
{
    double taken, slowest;
    rewrite(b);
    MPI_Barrier(MPI_COMM_WORLD);
    taken = -MPI_Wtime();
    for (int i = 0; i < iterations; i++)
        test->call(b);
    taken += MPI_Wtime();
    MPI_Allreduce(&taken, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return slowest;
}

/* The least of a few batches: what the calls take when nobody disturbs them, for planning. */
static double best_of(struct bench *b, const struct test *test, int iterations)
{
    double best = batch(b, test, iterations);
    for (int i = 0; i < 2; i++) {
        double again = batch(b, test, iterations);
        best = again < best ? again : best;
    }
    return best;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int clamp(double x, int least, int most)
{
    return x < least ? least : x > most ? most : (int)x;
}

static void measure(struct bench *b, const struct test *test)
{
    static double taken[BATCHES_MAX];
    double once, aim = b->budget / 40, scale = 1e6;
    int iterations = 1, batches;
    batch(b, test, 2);
    while ((once = best_of(b, test, iterations)) < aim / 4 && iterations < 1 << 16)
        iterations *= 4;
    once /= iterations;
    iterations = clamp(aim / once, 1, 1 << 16);
    batches = clamp(b->budget / (once * iterations), 5, BATCHES_MAX);
    if (test->call == call_pingpong)
        scale /= 2;
    if (test->call == call_stream)
        scale /= b->window;
    for (int i = 0; i < batches; i++)
        taken[i] = batch(b, test, iterations) / iterations * scale;
    long bad = wrong(b, test);
    qsort(taken, (size_t)batches, sizeof *taken, ascending);
    if (!b->rank) {
        printf("%s %zu %.4f %.4f %.4f %.4f %ld\n", test->name, test->result ? b->bytes : 0, taken[0],
               taken[batches / 4], taken[batches / 2], taken[batches * 3 / 4], bad);
        fflush(stdout);
    }
}

static int points(struct bench *b, const struct test *test, const size_t *sizes, int n)
{
    for (int i = 0; i < (test->result ? n : 1); i++) {
        b->blocks = test->in_blocks ? (size_t)b->size : 1;
        b->count = (int)(sizes[i] / sizeof(float) / b->blocks);
        b->bytes = sizes[i];
        b->window = sizes[i] > 1 << 16 ? 4 : WINDOW;
        if (b->count)
            measure(b, test);
    }
    return 0;
}

static int read_sizes(const char *text, size_t *sizes)
{
    int n = 0;
    for (char *end; *text && n < SIZES_MAX; text = end + (*end == ',')) {
        sizes[n] = strtoull(text, &end, 10);
        if (end == text || sizes[n] < sizeof(float) || sizes[n] > 1u << 30)
            return 0;
        n++;
    }
    return n;
}

static void *memory(size_t bytes, int alloc)
{
    void *p = NULL;
    if (alloc)
        MPI_Alloc_mem((MPI_Aint)bytes, MPI_INFO_NULL, &p);
    else if (posix_memalign(&p, 4096, bytes))
        p = NULL;
    if (!p) {
        fprintf(stderr, "compare: no memory for a buffer of %zu bytes\n", bytes);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    return p;
}

static const struct test *find(const char *name, size_t length)
{
    for (int i = 0; i < TESTS; i++)
        if (strlen(tests[i].name) == length && !memcmp(tests[i].name, name, length))
            return &tests[i];
    return NULL;
}

/* compare TESTS SIZES [SECONDS [alloc]]: comma-separated names and bytes, seconds a point. Prints a line a
 * point: test, bytes, microseconds a call (best batch, first quartile, median, third quartile), wrong floats.
 */
int main(int argc, char **argv)
{
    struct bench b = {.partner = -1};
    size_t sizes[SIZES_MAX], largest = 64;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &b.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &b.size);
    if ((b.rank ^ 1) < b.size)
        b.partner = b.rank ^ 1;
    int n = argc > 2 ? read_sizes(argv[2], sizes) : 0, alloc = argc > 4 && !strcmp(argv[4], "alloc");
    b.budget = argc > 3 ? strtod(argv[3], NULL) : 0.1;
    if (!n || !(b.budget > 0)) {
        fprintf(stderr, "usage: compare TEST,... BYTES,... [SECONDS [alloc]]\n");
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    for (int i = 0; i < n; i++)
        largest = sizes[i] > largest ? sizes[i] : largest;
    b.in = memory(largest, alloc);
    b.out = memory(largest, alloc);
    for (const char *name = argv[1]; *name;) {
        size_t length = strcspn(name, ",");
        const struct test *test = find(name, length);
        if (!test) {
            fprintf(stderr, "compare: there is no test %.*s\n", (int)length, name);
            MPI_Abort(MPI_COMM_WORLD, 2);
        }
        points(&b, test, sizes, n);
        name += length + (name[length] == ',');
    }
    if (alloc)
        MPI_Free_mem(b.in), MPI_Free_mem(b.out);
    else
        free(b.in), free(b.out);
    MPI_Finalize();
    return 0;
}
