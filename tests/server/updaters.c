/* Updaters against the same arithmetic done here, in double; dense blocks and single keys; in synchronous
 * mode only what was pushed is updated. */
#include "ps.h"

#include <math.h>
#include <string.h>
#include <stdlib.h>

enum { N = 50, STEPS = 5 };

static void twice(uint64_t key, size_t n, float *values, float *const *states, const float *updates,
                  const void *context)
{
    const float *factor = context;
    for (size_t i = 0; i < n; i++) {
        states[0][i] += 1;
        values[i] += *factor * updates[i] * states[0][i];
    }
}

static const float factor = 2;

#define EACH(name, ...)                                                                                      \
    {.range = N, .updater = name, __VA_ARGS__},                                                              \
    {                                                                                                        \
        .width = 2, .updater = name, __VA_ARGS__                                                             \
    }

static const struct peal_ps_table kinds[] = {
    EACH(PEAL_PS_SUM, .rate = 0),
    EACH(PEAL_PS_ASSIGN, .rate = 0),
    EACH(PEAL_PS_SGD, .rate = 0.1f),
    EACH(PEAL_PS_MOMENTUM, .rate = 0.1f),
    EACH(PEAL_PS_ADAGRAD, .rate = 0.5f),
    EACH(PEAL_PS_ADAM, .rate = 0.05f),
    EACH(PEAL_PS_FTRL, .rate = 0.5f, .l1 = 0.3f, .l2 = 0.1f),
    EACH(PEAL_PS_USER, .function = twice, .states = 1, .context = &factor),
};

enum { KINDS = sizeof kinds / sizeof *kinds };

struct element {
    double w, s, t;
    int steps;
};

static void expect(const struct peal_ps_table *table, struct element *e, double u)
{
    double rate = (double)table->rate, root;
    e->steps++;
    switch (table->updater) {
    case PEAL_PS_SUM:
        e->w += u;
        break;
    case PEAL_PS_ASSIGN:
        e->w = u;
        break;
    case PEAL_PS_SGD:
        e->w -= rate * u;
        break;
    case PEAL_PS_MOMENTUM:
        e->s = 0.9 * e->s + u;
        e->w -= rate * e->s;
        break;
    case PEAL_PS_ADAGRAD:
        e->s += u * u;
        e->w -= rate * u / (sqrt(e->s) + 1e-8);
        break;
    case PEAL_PS_ADAM:
        e->s = 0.9 * e->s + 0.1 * u;
        e->t = 0.999 * e->t + 0.001 * u * u;
        e->w -= rate * e->s / (1 - pow(0.9, e->steps)) / (sqrt(e->t / (1 - pow(0.999, e->steps))) + 1e-8);
        break;
    case PEAL_PS_FTRL:
        root = sqrt(e->t + u * u);
        e->s += u - (root - sqrt(e->t)) / rate * e->w;
        e->t += u * u;
        e->w = fabs(e->s) <= 0.3 ? 0 : -(e->s - copysign(0.3, e->s)) / ((1 + root) / rate + 0.1);
        break;
    case PEAL_PS_USER:
        e->w += 2 * u * e->steps;
        break;
    }
}

/* One worker, so that the order of updates is known; every step leaves out other keys. */
static void one_table(peal_ps *ps, int t, const uint64_t *keys)
{
    int width = kinds[t].width ? kinds[t].width : 1, wrong = 0, zeros = 0;
    struct element elements[N * 2] = {{0, 0, 0, 0}};
    float updates[N * 2], got[N * 2];
    for (int step = 0; step < STEPS; step++) {
        uint64_t list[N];
        int n = 0;
        for (int i = 0; i < N; i++) {
            if (i % (step + 2) == 1)
                continue;
            for (int j = 0; j < width; j++) {
                double u = sin(i * 13 + step * 7 + j);
                updates[n * width + j] = (float)u;
                expect(&kinds[t], &elements[i * width + j], (double)(float)u);
            }
            list[n++] = keys[i];
        }
        OK(ps, peal_ps_push(ps, t, (size_t)n, list, updates, NULL));
        OK(ps, peal_ps_clock(ps, NULL));
    }
    OK(ps, peal_ps_pull(ps, t, N, keys, got, NULL));
    for (int i = 0; i < N * width; i++) {
        wrong += !(fabs((double)got[i] - elements[i].w) <= 1e-4 * (1 + fabs(elements[i].w)));
        zeros += got[i] == 0;
    }
    CHECK(!wrong, "table %d, updater %d: %d of %d are wrong", t, (int)kinds[t].updater, wrong, N * width);
    CHECK(kinds[t].updater != PEAL_PS_FTRL || zeros > 2, "l1 left %d zeros", zeros);
}

static void all_kinds(peal_ps *ps)
{
    uint64_t keys[N], spread[N];
    for (int i = 0; i < N; i++) {
        keys[i] = (uint64_t)i;
        spread[i] = (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15);
    }
    for (int t = 0; t < KINDS; t++)
        one_table(ps, t, kinds[t].range ? keys : spread);
}

/* Synchronous: what the workers push in a clock is one update, their sum. */
static void one_update_a_clock(peal_ps *ps)
{
    int workers = peal_ps_workers(ps), t = 14;
    float u = 1, got;
    for (int step = 0; step < 3; step++) {
        OK(ps, peal_ps_push_range(ps, t, 7, 1, &u, NULL));
        OK(ps, peal_ps_clock(ps, NULL));
    }
    OK(ps, peal_ps_pull_range(ps, t, 7, 1, &got, NULL));
    CHECK(got == 2.0f * (float)workers * (1 + 2 + 3), "%g", (double)got);
}

static const struct peal_ps_named functions[] = {{"twice", twice, 1}};
static const struct peal_ps_table named[] = {{.range = N, .updater_name = "twice", .context = &factor},
                                             {.updater_name = "sgd", .rate = 0.5f},
                                             {.updater_name = "assign"}};

/* Updaters by their names, the program's too; one that nobody knows is refused, and told. */
static void by_name(peal_ps *ps)
{
    const uint64_t key = 7;
    const float u = 1, right[] = {2 * 1 + 2 * 2, -1, 1};
    char text[200];
    for (int t = 0; t < 3; t++) {
        float got = -5;
        OK(ps, peal_ps_push(ps, t, 1, &key, &u, NULL));
        OK(ps, peal_ps_push(ps, t, 1, &key, &u, NULL));
        OK(ps, peal_ps_pull(ps, t, 1, &key, &got, NULL));
        CHECK(got == right[t], "table %d: %g", t, (double)got);
    }
    const struct peal_ps_table unknown = {.updater_name = "thrice"};
    const struct peal_ps_options options = {
        .servers = 1, .tables = &unknown, .table_count = 1, .functions = functions, .function_count = 1};
    CHECK(peal_ps_check(&options, 2, text, sizeof text) == MPI_ERR_ARG, "an unknown updater");
    CHECK(strstr(text, "updater_name"), "%s", text);
}

const struct ps_case ps_updater_cases[] = {
    {"updaters by name", by_name, .workers = 1, .servers = 2, .mode = PEAL_PS_ASYNC, .tables = named,
     .table_count = 3, .functions = functions, .function_count = 1},
    {"updaters, asynchronous", all_kinds, .workers = 1, .servers = 3, .mode = PEAL_PS_ASYNC, .tables = kinds,
     .table_count = KINDS},
    {"updaters, synchronous", all_kinds, .workers = 1, .servers = 2, .mode = PEAL_PS_SYNC, .tables = kinds,
     .table_count = KINDS},
    {"one update a clock", one_update_a_clock, .workers = 3, .servers = 3, .mode = PEAL_PS_SYNC,
     .tables = kinds, .table_count = KINDS},
    {NULL},
};
