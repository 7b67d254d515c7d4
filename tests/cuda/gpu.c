/* Device buffers in cases of their own, and their measurement. Runs on the double (in the suite) and on a
 * real GPU (scripts/check-gpu) alike.
 *
 *   gpu kernels             one rank: every operator and type on the device, bit by bit against the host's
 * loops, odd counts, misaligned starts gpu check               what the MPI suite cannot see: calls on a
 * stream, the query, sums against a reference in double precision, that ranks of one device share one kernel
 *   gpu bench BYTES [RANKS] send/recv and allreduce beside their floor; RANKS: as threads of this process
 */
#include "fakecuda.h"

#include <mpi-ext.h>
#include <mpi.h>
#include <peal.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fakecuda_count(struct fakecuda_counts *counts) __attribute__((weak)); /* not there with a real driver */

static _Thread_local int failures;
static bool threads; /* the ranks are in one process, and so are the counts of all */

#define CHECK(condition, ...)                                                                                \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            failures++;                                                                                      \
            fprintf(stderr, "%s:%d: %s: ", "gpu.c", __LINE__, #condition);                                   \
            fprintf(stderr, __VA_ARGS__);                                                                    \
            fputc('\n', stderr);                                                                             \
        }                                                                                                    \
    } while (0)

static void need(int result, const char *what)
{
    if (result) {
        fprintf(stderr, "gpu: %s gave %d\n", what, result);
        exit(1);
    }
}
#define CU(call) need(call, #call)

static void use_device(void)
{
    pl_cu_context context;
    pl_cu_device device;
    CU(cuInit(0));
    CU(cuDeviceGet(&device, 0));
    CU(cuDevicePrimaryCtxRetain(&context, device));
    CU(cuCtxSetCurrent(context));
}

static char *on_device(size_t bytes)
{
    pl_cu_address address;
    CU(cuMemAlloc_v2(&address, bytes));
    return (char *)(uintptr_t)address;
}

static void drop(char *device)
{
    CU(cuMemFree_v2((uintptr_t)device));
}

static void put(char *device, const void *host, size_t bytes)
{
    CU(cuMemcpy((uintptr_t)device, (uintptr_t)host, bytes));
}

static void get(void *host, const char *device, size_t bytes)
{
    CU(cuMemcpy((uintptr_t)host, (uintptr_t)device, bytes));
}

static unsigned kernels_run(void)
{
    struct fakecuda_counts counts = {0};
    if (fakecuda_count)
        fakecuda_count(&counts);
    return (unsigned)counts.kernels;
}

/* --- kernels --- */

static const struct {
    const char *name;
    MPI_Datatype type;
    int half; /* 1: 16-bit IEEE, 2: bfloat16: bytes that are no NaNs of different payloads */
} types[] = {
    {"int8", MPI_INT8_T, 0},
    {"int16", MPI_INT16_T, 0},
    {"int32", MPI_INT32_T, 0},
    {"int64", MPI_INT64_T, 0},
    {"uint8", MPI_UINT8_T, 0},
    {"uint16", MPI_UINT16_T, 0},
    {"uint32", MPI_UINT32_T, 0},
    {"uint64", MPI_UINT64_T, 0},
    {"integer16", MPI_INTEGER16, 0},
    {"float16", MPIX_C_FLOAT16, 1},
    {"bfloat16", MPIX_BFLOAT16, 2},
    {"float", MPI_FLOAT, 0},
    {"double", MPI_DOUBLE, 0},
    {"complex half", MPI_COMPLEX4, 1},
    {"complex float", MPI_C_FLOAT_COMPLEX, 0},
    {"complex double", MPI_C_DOUBLE_COMPLEX, 0},
    {"long double", MPI_LONG_DOUBLE, 0},
    {"byte", MPI_BYTE, 0},
    {"bool", MPI_C_BOOL, 0},
    {"logical4", MPI_LOGICAL4, 0},
    {"logical8", MPI_LOGICAL8, 0},
    {"logical16", MPI_LOGICAL16, 0},
    {"float int", MPI_FLOAT_INT, 0},
    {"double int", MPI_DOUBLE_INT, 0},
    {"long int", MPI_LONG_INT, 0},
    {"2int", MPI_2INT, 0},
    {"short int", MPI_SHORT_INT, 0},
    {"2real", MPI_2REAL, 0},
    {"2double precision", MPI_2DOUBLE_PRECISION, 0},
};

static const struct {
    const char *name;
    MPI_Op op;
} ops[] = {{"sum", MPI_SUM},   {"prod", MPI_PROD}, {"min", MPI_MIN},       {"max", MPI_MAX},
           {"band", MPI_BAND}, {"bor", MPI_BOR},   {"bxor", MPI_BXOR},     {"land", MPI_LAND},
           {"lor", MPI_LOR},   {"lxor", MPI_LXOR}, {"minloc", MPI_MINLOC}, {"maxloc", MPI_MAXLOC}};

enum { TYPES = sizeof types / sizeof *types, OPS = sizeof ops / sizeof *ops };

/* Small numbers of every kind, with ties, zeros of both signs and infinities among the floating ones. */
static void numbers(unsigned char *bytes, size_t length, unsigned seed)
{
    for (size_t i = 0; i < length; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (unsigned char)(seed >> 24);
    }
}

/* No NaN, whose payload is not the same everywhere: its exponent loses a bit. */
static void no_nans(unsigned char *bytes, size_t length, MPI_Datatype type, int half)
{
    size_t size = half                                                                                  ? 2
                  : type == MPI_FLOAT || type == MPI_C_FLOAT_COMPLEX || type == MPI_2REAL               ? 4
                  : type == MPI_FLOAT_INT                                                               ? 8
                  : type == MPI_DOUBLE || type == MPI_C_DOUBLE_COMPLEX || type == MPI_2DOUBLE_PRECISION ? 8
                  : type == MPI_DOUBLE_INT || type == MPI_LONG_DOUBLE                                   ? 16
                                                                                                        : 0;
    size_t high = type == MPI_FLOAT_INT ? 3 : type == MPI_DOUBLE_INT ? 7 : size ? size - 1 : 0;
    for (size_t i = 0; size && i + size <= length; i += size) {
        if (type == MPI_LONG_DOUBLE) {
            long double x = bytes[i] / 7.0L;
            memcpy(bytes + i, &x, sizeof x);
        }
        bytes[i + high] &= 0xbf;
    }
}

static void one_reduction(int t, int o, int count, int shift)
{
    MPI_Aint lb, extent;
    MPI_Type_get_extent(types[t].type, &lb, &extent);
    size_t bytes = (size_t)count * (size_t)extent;
    unsigned char *a = malloc(bytes + 1), *b = malloc(bytes + 1), *c = malloc(bytes + 1);
    numbers(a, bytes, (unsigned)(t * 31 + o * 7 + count));
    numbers(b, bytes, (unsigned)(t * 17 + o * 3 + count + 5));
    no_nans(a, bytes, types[t].type, types[t].half);
    no_nans(b, bytes, types[t].type, types[t].half);
    char *da = on_device(bytes + 16), *db = on_device(bytes + 16);
    put(da + shift, a, bytes);
    put(db + (shift ? 16 - shift : 0), b, bytes);
    int host = MPI_Reduce_local(a, b, count, types[t].type, ops[o].op);
    int device = MPI_Reduce_local(da + shift, db + (shift ? 16 - shift : 0), count, types[t].type, ops[o].op);
    CHECK(host == device, "%s of %s: %d on the host, %d on the device", ops[o].name, types[t].name, host,
          device);
    get(c, db + (shift ? 16 - shift : 0), bytes);
    bool gaps = types[t].type == MPI_DOUBLE_INT || types[t].type == MPI_LONG_INT ||
                types[t].type == MPI_SHORT_INT || types[t].type == MPI_LONG_DOUBLE;
    for (int i = 0; i < count && !host; i++) { /* gaps between the parts of a pair are nobody's */
        size_t at = (size_t)i * (size_t)extent;
        size_t first = types[t].type == MPI_SHORT_INT ? 2 : types[t].type == MPI_LONG_DOUBLE ? 10 : 8;
        size_t second = types[t].type == MPI_SHORT_INT ? 4 : 8;
        bool same = gaps ? !memcmp(b + at, c + at, first) && (types[t].type == MPI_LONG_DOUBLE ||
                                                              !memcmp(b + at + second, c + at + second, 4))
                         : !memcmp(b + at, c + at, (size_t)extent);
        if (!same) {
            CHECK(same, "%s of %s, %d elements, start %d: element %d differs", ops[o].name, types[t].name,
                  count, shift, i);
            break;
        }
    }
    drop(da);
    drop(db);
    free(a);
    free(b);
    free(c);
}

static int test_kernels(void)
{
    static const int counts[] = {1, 3, 17, 1023, 5001}, shifts[] = {0, 8, 4, 2, 1, 5};
    unsigned before = kernels_run();
    int pairs = 0;
    for (int t = 0; t < TYPES; t++)
        for (int o = 0; o < OPS; o++) {
            char none = 0, none_too = 0;
            bool defined = !MPI_Reduce_local(&none, &none_too, 0, types[t].type, ops[o].op);
            pairs += defined;
            for (int c = 0; c < 5 && defined; c++)
                for (int s = 0; s < 6; s += 1 + (c > 2))
                    one_reduction(t, o, counts[c], shifts[s]);
        }
    unsigned run = kernels_run() - before;
    CHECK(!fakecuda_count || run > 2000, "only %u kernels were run", run);
    printf("%d pairs of operator and type, %u kernels on the double, %d failures\n", pairs, run, failures);
    return failures;
}

/* --- what the suite cannot see --- */

static void test_streams(int rank, int n)
{
    enum { COUNT = 50000 };
    pl_cu_stream stream;
    float *host = malloc(COUNT * sizeof *host), sum = 0;
    char *a = on_device(sizeof(float) * COUNT), *b = on_device(sizeof(float) * COUNT);
    CU(cuStreamCreate(&stream, 1)); /* not in order with the default stream */
    for (int i = 0; i < COUNT; i++)
        host[i] = (float)(rank + 1);
    for (int i = 0; i < n; i++)
        sum += (float)(i + 1);
    CU(cuMemcpyAsync((uintptr_t)a, (uintptr_t)host, sizeof(float) * COUNT, stream));
    need(peal_allreduce_on_stream(a, b, COUNT, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD, stream),
         "allreduce_on_stream");
    float *back = malloc(COUNT * sizeof *back);
    CU(cuMemcpyAsync((uintptr_t)back, (uintptr_t)b, sizeof(float) * COUNT, stream));
    CU(cuStreamSynchronize(stream));
    CHECK(back[0] == sum && back[COUNT - 1] == sum, "%g, not %g", back[0], sum);
    /* A ring by send and receive, then bcast, allgather, reduce-scatter on the same stream. */
    int right = (rank + 1) % n, left = (rank + n - 1) % n;
    CU(cuMemsetD8Async((uintptr_t)a, (unsigned char)(rank + 1), 4000, stream));
    if (rank % 2 || n == 1) {
        if (n > 1)
            need(peal_recv_on_stream(b, 4000, MPI_BYTE, left, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE, stream),
                 "recv");
    }
    if (n > 1)
        need(peal_send_on_stream(a, 4000, MPI_BYTE, right, 1, MPI_COMM_WORLD, stream), "send");
    if (!(rank % 2) && n > 1)
        need(peal_recv_on_stream(b, 4000, MPI_BYTE, left, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE, stream),
             "recv");
    CU(cuMemcpyAsync((uintptr_t)back, (uintptr_t)(n > 1 ? b : a), 4000, stream));
    CU(cuStreamSynchronize(stream));
    CHECK(((char *)back)[3999] == (char)(n > 1 ? left + 1 : 1), "%d from %d", ((char *)back)[3999], left);
    need(peal_bcast_on_stream(a, 4000, MPI_BYTE, 0, MPI_COMM_WORLD, stream), "bcast");
    char *all = on_device((size_t)n * 4000);
    need(peal_allgather_on_stream(a, all, 4000, MPI_BYTE, MPI_COMM_WORLD, stream), "allgather");
    need(peal_reduce_scatter_on_stream(all, b, 4000, MPI_BYTE, MPI_BOR, MPI_COMM_WORLD, stream),
         "reduce_scatter");
    CU(cuMemcpyAsync((uintptr_t)back, (uintptr_t)b, 4000, stream));
    CU(cuStreamSynchronize(stream));
    CHECK(((char *)back)[0] == 1, "%d", ((char *)back)[0]);
    CU(cuStreamDestroy_v2(stream));
    drop(a);
    drop(b);
    drop(all);
    free(host);
    free(back);
}

/* Puts the word into a file that all ranks of the job know of; waits until it is there. No MPI. */
static void say(const char *path)
{
    FILE *file = fopen(path, "w");
    if (file)
        fclose(file);
}

static bool hear(const char *path)
{
    for (int i = 0; i < 20000; i++, usleep(1000))
        if (!access(path, F_OK))
            return true;
    return false;
}

static bool is_done(pl_cu_event event)
{
    for (int i = 0; i < 5; i++) /* the double may be told to answer late */
        if (cuEventQuery(event) == PL_CU_OK)
            return true;
    return false;
}

/* Calls on a stream return before the other ranks have made theirs; what the program submits behind them
 * comes after them, and what it did before them, before. */
static void test_at_once(int rank, int n)
{
    enum { COUNT = 5000, CALLS = 12, BYTES = COUNT * sizeof(float) };
    char path[64] = "";
    pl_cu_stream stream[2];
    pl_cu_event end;
    int done_early = 0, right = (rank + 1) % n, left = (rank + n - 1) % n;
    const char *fake = getenv("FAKECUDA");
    if (threads || n == 1 || (fake && (strstr(fake, "nohold") || strstr(fake, "nopin"))))
        return; /* the host waits there, or for nobody */
    snprintf(path, sizeof path, "/tmp/peal-gpu-%ld", (long)getpid());
    MPI_Bcast(path, sizeof path, MPI_CHAR, 0, MPI_COMM_WORLD);
    CU(cuStreamCreate(&stream[0], 1));
    CU(cuStreamCreate(&stream[1], 0));
    CU(cuEventCreate(&end, 2));
    float *host = malloc(BYTES), *back = malloc(BYTES);
    char *a = on_device(BYTES), *b = on_device(BYTES), *c = on_device(BYTES * (size_t)n), *d = on_device(64);
    CU(cuMemsetD8Async((uintptr_t)c, 0x55, BYTES * (size_t)n, stream[0]));
    for (int i = 0; i < COUNT; i++)
        host[i] = (float)(rank + i % 7);
    MPI_Status status = {.MPI_SOURCE = -5};
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank)
        CHECK(hear(path), "rank 0 has not come back from its calls, which wait for this rank's");
    CU(cuMemcpyAsync((uintptr_t)a, (uintptr_t)host, BYTES, stream[0]));
    for (int i = 0; i < CALLS; i++) { /* of both streams in turn: they are done in the order they are made */
        need(peal_allreduce_on_stream(i ? MPI_IN_PLACE : a, b, COUNT, MPI_FLOAT, i ? MPI_MAX : MPI_SUM,
                                      MPI_COMM_WORLD, stream[0]),
             "allreduce_on_stream");
        need(peal_bcast_on_stream(d, i + 1, MPI_BYTE, i % n, MPI_COMM_WORLD, stream[1]), "bcast");
    }
    need(peal_allgather_on_stream(a, c, COUNT, MPI_FLOAT, MPI_COMM_WORLD, stream[0]), "allgather");
    need(peal_send_on_stream(a, 100, MPI_FLOAT, right, 3, MPI_COMM_WORLD, stream[0]), "send");
    need(peal_recv_on_stream(c, COUNT, MPI_FLOAT, left, 3, MPI_COMM_WORLD, &status, stream[0]), "recv");
    CU(cuEventRecord(end, stream[0]));
    if (!rank) {
        done_early = is_done(end);
        CHECK(status.MPI_SOURCE == -5, "received from %d, which waits", status.MPI_SOURCE);
        say(path);
    }
    CHECK(!done_early, "the stream is through before the others have called");
    CU(cuMemcpyAsync((uintptr_t)back, (uintptr_t)b, BYTES, stream[0]));
    CU(cuStreamSynchronize(stream[0]));
    CHECK(is_done(end), "the stream is not through");
    for (int i = 0; i < COUNT; i++) {
        float sum = (float)(n * (n - 1) / 2 + n * (i % 7));
        CHECK(back[i] == sum, "element %d: %g, not %g", i, back[i], sum);
        if (back[i] != sum)
            break;
    }
    get(back, c, 200 * sizeof *back);
    CHECK(status.MPI_SOURCE == left && status.MPI_TAG == 3, "from %d", status.MPI_SOURCE);
    CHECK(back[99] == (float)(left + 99 % 7), "%g came from rank %d", back[99], left);
    CHECK(back[101] == (float)(101 % 7), "a shorter message has left %g", back[101]);
    MPI_Barrier(MPI_COMM_WORLD);
    unlink(path);
    CU(cuEventDestroy_v2(end));
    CU(cuStreamDestroy_v2(stream[0]));
    CU(cuStreamDestroy_v2(stream[1]));
    drop(a);
    drop(b);
    drop(c);
    drop(d);
    free(host);
    free(back);
}

/* What is wrong is said at once where it can be seen; what fails later, by the next call. */
static void test_late_errors(int rank, int n)
{
    int number[4] = {rank, rank, rank, rank};
    pl_cu_stream stream;
    CU(cuStreamCreate(&stream, 1));
    char *a = on_device(64);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    CHECK(peal_bcast_on_stream(a, 1, MPI_INT, n, MPI_COMM_WORLD, stream) == MPI_ERR_ROOT, "no such root");
    CHECK(peal_allreduce_on_stream(a, a + 32, 1, MPI_FLOAT, MPI_BAND, MPI_COMM_WORLD, stream) == MPI_ERR_OP,
          "no such reduction");
    CHECK(peal_send_on_stream(a, -1, MPI_INT, 0, 0, MPI_COMM_WORLD, stream) == MPI_ERR_COUNT, "negative");
    if (n > 1 && rank == 0)
        MPI_Send(number, 4, MPI_INT, 1, 9, MPI_COMM_WORLD);
    if (rank == 1) {
        int code = peal_recv_on_stream(a, 1, MPI_INT, 0, 9, MPI_COMM_WORLD, MPI_STATUS_IGNORE, stream);
        CU(cuStreamSynchronize(stream));
        int next = code ? code : peal_send_on_stream(a, 0, MPI_INT, 1, 9, MPI_COMM_WORLD, stream);
        CHECK(next == MPI_ERR_TRUNCATE, "a message that is too long gave %d, then %d", code, next);
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
    CU(cuStreamSynchronize(stream));
    CU(cuStreamDestroy_v2(stream));
    drop(a);
}

/* Sums of floats against a reference in double precision; long enough to be done on the device. */
static void test_sums(int rank, int n)
{
    enum { COUNT = 1 << 18 };
    float *host = malloc(COUNT * sizeof *host);
    char *device = on_device(sizeof(float) * COUNT);
    for (int i = 0; i < COUNT; i++)
        host[i] = (float)((i * 7 + rank * 13) % 1000) / 3;
    put(device, host, sizeof(float) * COUNT);
    MPI_Barrier(MPI_COMM_WORLD);
    unsigned before = kernels_run();
    need(MPI_Allreduce(MPI_IN_PLACE, device, COUNT, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD), "allreduce");
    unsigned mine = kernels_run() - before, all = 0;
    get(host, device, sizeof(float) * COUNT);
    double worst = 0;
    for (int i = 0; i < COUNT; i++) {
        double sum = 0;
        for (int r = 0; r < n; r++)
            sum += (double)((float)((i * 7 + r * 13) % 1000) / 3);
        double error = host[i] > sum ? host[i] - sum : sum - host[i];
        if (sum && error / sum > worst)
            worst = error / sum;
    }
    CHECK(worst < 1e-6 * n, "relative error %g", worst);
    MPI_Reduce(&mine, &all, 1, MPI_UNSIGNED, threads ? MPI_MAX : MPI_SUM, 0, MPI_COMM_WORLD);
    const char *fake = getenv("FAKECUDA");
    if (fakecuda_count && !rank && n > 1 && (!fake || !*fake))
        CHECK(all == 1, "%u kernels for %d ranks on one device", all, n);
    drop(device);
    free(host);
}

static int test_all(void)
{
    int rank, n, mine, sum = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &n);
    CHECK(MPIX_Query_cuda_support() == 1, "there is a device");
    test_sums(rank, n); /* first: after calls that could not reach each other's buffers some do not try */
    test_streams(rank, n);
    test_at_once(rank, n);
    test_late_errors(rank, n);
    mine = failures;
    MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (!rank)
        printf("%d ranks: %d failures\n", n, sum);
    return sum;
}

/* --- measurement --- */

static double seconds_of(void (*body)(char *, char *, size_t, int), char *a, char *b, size_t bytes, int rank)
{
    int times = bytes > 16 << 20 ? 10 : 100;
    for (int i = 0; i < 3; i++)
        body(a, b, bytes, rank);
    MPI_Barrier(MPI_COMM_WORLD);
    double start = MPI_Wtime();
    for (int i = 0; i < times; i++)
        body(a, b, bytes, rank);
    double mine = (MPI_Wtime() - start) / times, all = 0;
    MPI_Allreduce(&mine, &all, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return all;
}

static void copy(char *a, char *b, size_t bytes, int rank)
{
    if (!rank) {
        CU(cuMemcpyAsync((uintptr_t)a, (uintptr_t)b, bytes, NULL));
        CU(cuStreamSynchronize(NULL));
    }
}

static void pingpong(char *a, char *b, size_t bytes, int rank)
{
    if (rank == 0) {
        MPI_Send(a, (int)bytes, MPI_BYTE, 1, 0, MPI_COMM_WORLD);
        MPI_Recv(b, (int)bytes, MPI_BYTE, 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    } else if (rank == 1) {
        MPI_Recv(b, (int)bytes, MPI_BYTE, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        MPI_Send(a, (int)bytes, MPI_BYTE, 0, 0, MPI_COMM_WORLD);
    }
}

static void allreduce(char *a, char *b, size_t bytes, int rank)
{
    MPI_Allreduce(a, b, (int)(bytes / sizeof(float)), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}

static size_t largest;

/* A device copy of B bytes moves 2 B; an allreduce among n ranks of the device moves 2 n B at least. */
static int measure(void)
{
    int rank, n;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &n);
    char *a = on_device(largest), *b = on_device(largest);
    CU(cuMemsetD8Async((uintptr_t)a, 0, largest, NULL));
    if (!rank)
        printf("%12s %12s %12s %8s %12s %12s %8s\n", "bytes", "copy us", "send us", "ratio", "allreduce us",
               "floor us", "ratio");
    for (size_t bytes = 4096; bytes <= largest; bytes *= 4) {
        double floor = seconds_of(copy, a, b, bytes, rank);
        double send = n > 1 ? seconds_of(pingpong, a, b, bytes, rank) / 2 : 0;
        double sum = seconds_of(allreduce, a, b, bytes, rank);
        if (!rank)
            printf("%12zu %12.1f %12.1f %8.2f %12.1f %12.1f %8.2f\n", bytes, floor * 1e6, send * 1e6,
                   send / floor, sum * 1e6, n * floor * 1e6, sum / (n * floor));
    }
    drop(a);
    drop(b);
    return 0;
}

static size_t bytes_of(const char *text)
{
    char *unit;
    size_t n = strtoul(text, &unit, 10);
    return *unit == 'K' ? n << 10 : *unit == 'M' ? n << 20 : *unit == 'G' ? n << 30 : n;
}

static int in_rank(void *body)
{
    use_device();
    return (*(int (**)(void))body)();
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "check";
    int (*body)(void) = !strcmp(what, "kernels") ? test_kernels : !strcmp(what, "bench") ? measure : test_all;
    largest = bytes_of(argc > 2 ? argv[2] : "1M");
    use_device();
    threads = argc > 3;
    if (threads)
        return peal_run(atoi(argv[3]), in_rank, &body, NULL, NULL);
    MPI_Init(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, body == test_kernels ? MPI_ERRORS_RETURN : MPI_ERRORS_ARE_FATAL);
    int code = body();
    MPI_Finalize();
    return code != 0;
}
