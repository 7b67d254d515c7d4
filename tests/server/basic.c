/* Data and operations: keys, ranges, initial values, requests, bad arguments. */
#include "ps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct peal_ps_table plain[] = {{.name = "sparse", .width = 3},
                                             {.name = "dense", .range = 100000},
                                             {.name = "wide", .width = 4096, .updater = PEAL_PS_ASSIGN}};

/* All workers push to all keys; the sums are exact. */
static void sums(peal_ps *ps)
{
    enum { N = 1000, TIMES = 3 };
    int me = peal_ps_worker(ps), workers = peal_ps_workers(ps);
    uint64_t keys[N];
    float values[N * 3], got[N * 3];
    for (int i = 0; i < N; i++) {
        keys[i] = (uint64_t)i * UINT64_C(0x123456789abcdef);
        for (int j = 0; j < 3; j++)
            values[3 * i + j] = (float)((i % 7 + j) * (me + 1));
    }
    for (int k = 0; k < TIMES; k++)
        OK(ps, peal_ps_push(ps, 0, N, keys, values, NULL));
    OK(ps, peal_ps_barrier(ps, NULL));
    OK(ps, peal_ps_pull(ps, 0, N, keys, got, NULL));
    int wrong = 0;
    for (int i = 0; i < 3 * N; i++)
        wrong += got[i] != (float)((i / 3 % 7 + i % 3) * TIMES * workers * (workers + 1) / 2);
    CHECK(!wrong, "%d of %d sums are wrong", wrong, 3 * N);
    OK(ps, peal_ps_barrier(ps, NULL));
}

/* Ranges at odd places; a range and its keys one by one are the same. */
static void ranges(peal_ps *ps)
{
    enum { FIRST = 777, N = 90000 };
    int me = peal_ps_worker(ps), workers = peal_ps_workers(ps), wrong = 0;
    float *values = malloc(N * sizeof *values), *got = malloc((N + 2) * sizeof *got);
    for (int i = 0; i < N; i++)
        values[i] = (float)(i % 1000 + me);
    OK(ps, peal_ps_push_range(ps, 1, FIRST, N, values, NULL));
    OK(ps, peal_ps_barrier(ps, NULL));
    OK(ps, peal_ps_pull_range(ps, 1, FIRST - 1, N + 2, got, NULL));
    for (int i = 0; i < N; i++)
        wrong += got[i + 1] != (float)(workers * (i % 1000) + workers * (workers - 1) / 2);
    CHECK(!wrong && got[0] == 0 && got[N + 1] == 0, "%d wrong, %g before, %g after", wrong, (double)got[0],
          (double)got[N + 1]);
    uint64_t some[3] = {FIRST, FIRST + N - 1, 99999};
    float three[3];
    OK(ps, peal_ps_pull(ps, 1, 3, some, three, NULL));
    CHECK(three[0] == got[1] && three[1] == got[N] && three[2] == 0, "%g %g %g", (double)three[0],
          (double)three[1], (double)three[2]);
    OK(ps, peal_ps_barrier(ps, NULL));
    free(values);
    free(got);
}

/* Unsorted keys, a key twice, push_pull over the same memory, nothing at all. */
static void odd_lists(peal_ps *ps)
{
    uint64_t me = (uint64_t)peal_ps_worker(ps) << 32, keys[4] = {me + 9, me + 2, me + 9, me};
    float values[12] = {1, 1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 8};
    OK(ps, peal_ps_push_pull(ps, 0, 4, keys, values, values, NULL));
    CHECK(values[0] == 5 && values[3] == 2 && values[6] == 5 && values[9] == 8 && values[11] == 8,
          "%g %g %g %g", (double)values[0], (double)values[3], (double)values[6], (double)values[9]);
    OK(ps, peal_ps_push(ps, 0, 0, NULL, NULL, NULL));
    OK(ps, peal_ps_pull_range(ps, 1, 5, 0, NULL, NULL));
}

/* Many requests under way, in whatever order they are waited for. A pull sees the pushes before it; those
 * after it too if it had to be sent again. */
static void requests(peal_ps *ps)
{
    enum { N = 60 };
    MPI_Request request[2 * N];
    float one = 1, value[N];
    uint64_t key = (uint64_t)peal_ps_worker(ps) + 5;
    for (int i = 0; i < N; i++) {
        OK(ps, peal_ps_push_range(ps, 1, key, 1, &one, &request[2 * i]));
        OK(ps, peal_ps_pull_range(ps, 1, key, 1, &value[i], &request[2 * i + 1]));
    }
    int flag = 0;
    while (!flag)
        CHECK(MPI_Test(&request[2 * N - 1], &flag, MPI_STATUS_IGNORE) == MPI_SUCCESS, "test");
    CHECK(MPI_Waitall(2 * N, request, MPI_STATUSES_IGNORE) == MPI_SUCCESS, "waitall");
    for (int i = 0; i < N; i++)
        CHECK(value[i] >= (float)(i + 1) && value[i] <= N, "%d: %g", i, (double)value[i]);
    OK(ps, peal_ps_flush(ps));
}

/* Rows of 16 KiB; an assignment replaces. */
static void wide_rows(peal_ps *ps)
{
    enum { N = 20, WIDTH = 4096 };
    uint64_t keys[N];
    float *values = malloc(N * WIDTH * sizeof *values), *got = malloc(N * WIDTH * sizeof *got);
    for (int times = 0; times < 2; times++) {
        for (int i = 0; i < N; i++)
            keys[i] = (uint64_t)i + 1000 * (uint64_t)peal_ps_worker(ps);
        for (int i = 0; i < N * WIDTH; i++)
            values[i] = (float)(i + times);
        OK(ps, peal_ps_push(ps, 2, N, keys, values, NULL));
    }
    OK(ps, peal_ps_pull(ps, 2, N, keys, got, NULL));
    CHECK(memcmp(values, got, N * WIDTH * sizeof *got) == 0, "they differ");
    free(values);
    free(got);
}

static void bad_arguments(peal_ps *ps)
{
    uint64_t key = 100000;
    float value = 1;
    MPI_Request request;
    CHECK(peal_ps_push(ps, 3, 1, &key, &value, &request) == MPI_ERR_ARG, "no such table");
    CHECK(strstr(peal_ps_why(ps), "table 3"), "%s", peal_ps_why(ps));
    CHECK(peal_ps_push(ps, -1, 1, &key, &value, &request) == MPI_ERR_ARG, "no such table");
    CHECK(peal_ps_push(ps, 1, 1, &key, &value, &request) == MPI_ERR_ARG, "key out of range");
    CHECK(strstr(peal_ps_why(ps), "100000"), "%s", peal_ps_why(ps));
    CHECK(peal_ps_pull_range(ps, 1, 99999, 2, &value, &request) == MPI_ERR_ARG, "range");
    CHECK(peal_ps_push(ps, 0, 1, NULL, &value, &request) == MPI_ERR_BUFFER, "no keys");
    CHECK(peal_ps_pull(ps, 0, 1, &key, NULL, &request) == MPI_ERR_BUFFER, "no values");
    CHECK(peal_ps_serve(ps) == (peal_ps_role(ps) & PEAL_PS_SERVER ? MPI_SUCCESS : MPI_ERR_ARG), "no server");
    CHECK(peal_ps_push(NULL, 0, 1, &key, &value, &request) == MPI_ERR_ARG, "NULL");
}

static const struct peal_ps_table first_values[] = {
    {.width = 2, .initial = PEAL_PS_CONSTANT, .initial_a = 2.5f},
    {.range = 20000, .initial = PEAL_PS_UNIFORM, .initial_a = -1, .initial_b = 3, .seed = 7},
    {.range = 20000, .initial = PEAL_PS_NORMAL, .initial_a = 1, .initial_b = 2, .seed = 7},
};

/* Values nobody pushed, and values that were touched beside: the initialiser's, whoever asks. */
static void initial_values(peal_ps *ps)
{
    enum { N = 20000 };
    float pair[2], *before = malloc(N * sizeof *before), *after = malloc(N * sizeof *after), two[2] = {1, 2};
    uint64_t key = 12345 + (uint64_t)peal_ps_worker(ps);
    OK(ps, peal_ps_push_pull(ps, 0, 1, &key, two, pair, NULL));
    CHECK(pair[0] == 3.5f && pair[1] == 4.5f, "%g %g", (double)pair[0], (double)pair[1]);
    for (int table = 1; table < 3; table++) {
        double sum = 0, squares = 0;
        OK(ps, peal_ps_barrier(ps, NULL));
        OK(ps, peal_ps_pull_range(ps, table, 0, N, before, NULL));
        OK(ps, peal_ps_barrier(ps, NULL));
        if (peal_ps_worker(ps) == 0)
            OK(ps, peal_ps_push_range(ps, table, 4711, 1, two, NULL));
        OK(ps, peal_ps_barrier(ps, NULL));
        OK(ps, peal_ps_pull_range(ps, table, 0, N, after, NULL));
        CHECK(after[4711] == before[4711] + 1, "%g %g", (double)before[4711], (double)after[4711]);
        after[4711] = before[4711];
        CHECK(memcmp(before, after, N * sizeof *after) == 0, "a push changed its neighbours");
        for (int i = 0; i < N; i++) {
            sum += (double)before[i];
            squares += (double)before[i] * (double)before[i];
        }
        double mean = sum / N, deviation = sqrt(squares / N - mean * mean);
        CHECK(fabs(mean - 1) < 0.06 && fabs(deviation - (table == 1 ? 4 / sqrt(12) : 2)) < 0.06,
              "table %d: mean %g, deviation %g", table, mean, deviation);
    }
    free(before);
    free(after);
}

#define PLAIN .tables = plain, .table_count = 3, .mode = PEAL_PS_ASYNC

const struct ps_case ps_basic_cases[] = {
    {"sums, 1 and 1", sums, .workers = 1, .servers = 1, PLAIN},
    {"sums, 3 and 2", sums, .workers = 3, .servers = 2, PLAIN},
    {"sums, 4 and 5", sums, .workers = 4, .servers = 5, PLAIN},
    {"sums, 3 and 4, one copy", sums, .workers = 3, .servers = 4, .replicas = 1, PLAIN},
    {"sums, beside", sums, .workers = 3, .servers = 3, .beside = 1, PLAIN},
    {"sums, beside, alone", sums, .workers = 1, .servers = 1, .beside = 1, PLAIN},
    {"sums, 2 beside 5", sums, .workers = 5, .servers = 2, .beside = 1, PLAIN},
    {"ranges", ranges, .workers = 2, .servers = 3, PLAIN},
    {"ranges, beside", ranges, .workers = 3, .servers = 2, .beside = 1, PLAIN},
    {"odd lists", odd_lists, .workers = 2, .servers = 3, PLAIN},
    {"requests", requests, .workers = 3, .servers = 3, PLAIN},
    {"wide rows", wide_rows, .workers = 2, .servers = 2, PLAIN},
    {"bad arguments", bad_arguments, .workers = 1, .servers = 2, PLAIN},
    {"initial values", initial_values, .workers = 3, .servers = 2, .tables = first_values, .table_count = 3,
     .mode = PEAL_PS_ASYNC},
    {NULL},
};
