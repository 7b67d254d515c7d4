/* Filters: bytes on the wire fall as claimed, and what is learned stays within what was promised. */
#include "ps.h"

#include <math.h>
#include <stdlib.h>

enum { PLAIN, CACHED, HALF, BYTE, SKIPPING, WIDE, WIDE_HALF, WIDE_BYTE, N = 2000, TIMES = 20 };

static const struct peal_ps_table tables[] = {
    [PLAIN] = {.width = 1},
    [CACHED] = {.width = 1, .filters = PEAL_PS_CACHE},
    [HALF] = {.width = 1, .filters = PEAL_PS_CACHE | PEAL_PS_FP16},
    [BYTE] = {.width = 1, .filters = PEAL_PS_CACHE | PEAL_PS_INT8},
    [SKIPPING] = {.width = 1, .filters = PEAL_PS_SKIP, .threshold = 0.5f},
    [WIDE] = {.range = 100000},
    [WIDE_HALF] = {.range = 100000, .filters = PEAL_PS_FP16},
    [WIDE_BYTE] = {.range = 100000, .filters = PEAL_PS_INT8},
};

static uint64_t bytes_of(const peal_ps *ps)
{
    struct peal_ps_stats stats;
    peal_ps_stats(ps, &stats);
    return stats.bytes;
}

/* Pushes the same keys again and again; returns the bytes that it took. */
static double push_sparse(peal_ps *ps, int table, double *sums)
{
    static _Thread_local uint64_t keys[N];
    static _Thread_local float values[N];
    for (int i = 0; i < N; i++)
        keys[i] = (uint64_t)(i * 7 + table) * 1000003;
    uint64_t before = 0;
    for (int k = 0; k < TIMES; k++) {
        if (k == 1)
            before = bytes_of(ps); /* the first time the list has to go */
        for (int i = 0; i < N; i++) {
            values[i] = (float)sin(i * 0.7 + k * 1.3) * (i % 50 ? 0.01f : 1);
            sums[i] += (double)values[i];
        }
        OK(ps, peal_ps_push(ps, table, N, keys, values, NULL));
    }
    uint64_t after = bytes_of(ps);
    static _Thread_local float got[N];
    OK(ps, peal_ps_pull(ps, table, N, keys, got, NULL));
    double worst = 0;
    for (int i = 0; i < N; i++)
        worst = fmax(worst, fabs((double)got[i] - sums[i]));
    sums[0] = worst;
    return (double)(after - before);
}

/* The largest difference to the true sum is one rounding, not one a push: what is lost is sent later. */
static void sparse(peal_ps *ps)
{
    double sums[5][N] = {{0}}, bytes[5];
    for (int t = PLAIN; t <= SKIPPING; t++)
        bytes[t] = push_sparse(ps, t, sums[t]);
    CHECK(bytes[CACHED] < 0.45 * bytes[PLAIN], "cached lists: %g of %g bytes", bytes[CACHED], bytes[PLAIN]);
    CHECK(bytes[HALF] < 0.65 * bytes[CACHED], "fp16: %g of %g bytes", bytes[HALF], bytes[CACHED]);
    CHECK(bytes[BYTE] < 0.45 * bytes[CACHED], "int8: %g of %g bytes", bytes[BYTE], bytes[CACHED]);
    CHECK(bytes[SKIPPING] < 0.2 * bytes[PLAIN], "skipping: %g of %g bytes", bytes[SKIPPING], bytes[PLAIN]);
    CHECK(sums[PLAIN][0] < 1e-4 && sums[CACHED][0] < 1e-4, "%g, %g", sums[PLAIN][0], sums[CACHED][0]);
    CHECK(sums[HALF][0] < 0.004, "fp16 is off by %g", sums[HALF][0]);
    CHECK(sums[BYTE][0] < 0.005, "int8 is off by %g", sums[BYTE][0]);
    CHECK(sums[SKIPPING][0] < 0.5, "skipping is off by %g", sums[SKIPPING][0]);
}

static void dense(peal_ps *ps)
{
    float *values = malloc(100000 * sizeof *values);
    double push[3], pull[3];
    for (int t = 0; t < 3; t++) {
        uint64_t before = bytes_of(ps);
        for (int i = 0; i < 100000; i++)
            values[i] = (float)cos(i);
        OK(ps, peal_ps_push_range(ps, WIDE + t, 0, 100000, values, NULL));
        push[t] = (double)(bytes_of(ps) - before);
        OK(ps, peal_ps_pull_range(ps, WIDE + t, 0, 100000, values, NULL));
        pull[t] = 0;
        for (int i = 0; i < 100000; i++)
            pull[t] = fmax(pull[t], fabs((double)values[i] - cos(i)));
    }
    CHECK(push[0] > 400000 && push[0] < 440000, "%g", push[0]);
    CHECK(push[1] < 0.55 * push[0] && push[2] < 0.3 * push[0], "%g %g %g", push[0], push[1], push[2]);
    CHECK(pull[0] < 1e-6 && pull[1] < 0.001 && pull[2] < 0.005, "%g %g %g", pull[0], pull[1], pull[2]);
    free(values);
}

/* More lists than a link remembers, out of turn. */
static void many_lists(peal_ps *ps)
{
    uint64_t keys[20];
    float ones[20], got[20];
    for (int round = 0; round < 3; round++)
        for (int list = 0; list < 100; list++) {
            for (int i = 0; i < 20; i++) {
                keys[i] = (uint64_t)(list * 20 + i);
                ones[i] = 1;
            }
            OK(ps, peal_ps_push(ps, CACHED, 20, keys, ones, NULL));
            OK(ps, peal_ps_pull(ps, CACHED, 20, keys, got, NULL));
            for (int i = 0; i < 20; i++)
                CHECK(got[i] == (float)(round + 1), "list %d: %g", list, (double)got[i]);
        }
}

#define TABLES .tables = tables, .table_count = 8, .mode = PEAL_PS_ASYNC

const struct ps_case ps_filter_cases[] = {
    {"filters, sparse", sparse, .workers = 1, .servers = 2, TABLES},
    {"filters, dense", dense, .workers = 1, .servers = 2, TABLES},
    {"many lists", many_lists, .workers = 1, .servers = 3, .replicas = 2, TABLES},
    {NULL},
};
