/* Consistency: what a pull may and must see in each mode. */
#include "ps.h"

#include <stdlib.h>

static const struct peal_ps_table counters[] = {{.width = 1}, {.range = 3000}};

enum { CLOCKS = 12, KEYS = 40 };

/* Every worker adds 1 to every key in every clock. Synchronous: at clock c a pull sees exactly c times the
 * workers, nothing of the clock under way. */
static void synchronous(peal_ps *ps)
{
    int workers = peal_ps_workers(ps);
    uint64_t keys[KEYS];
    float ones[KEYS], got[KEYS];
    for (int i = 0; i < KEYS; i++) {
        keys[i] = (uint64_t)i * 77777;
        ones[i] = 1;
    }
    for (int c = 0; c < CLOCKS; c++) {
        OK(ps, peal_ps_push(ps, 0, KEYS, keys, ones, NULL));
        OK(ps, peal_ps_pull(ps, 0, KEYS, keys, got, NULL));
        for (int i = 0; i < KEYS; i++)
            CHECK(got[i] == (float)(c * workers), "clock %d, key %d: %g", c, i, (double)got[i]);
        OK(ps, peal_ps_clock(ps, c % 2 ? NULL : &(MPI_Request){MPI_REQUEST_NULL}));
    }
    struct peal_ps_stats stats;
    peal_ps_stats(ps, &stats);
    CHECK(stats.staleness == 0, "%d", stats.staleness);
}

/* Bounded: at clock c a pull sees at least what all had done s clocks ago, and all of its own. */
static void bounded(peal_ps *ps)
{
    int me = peal_ps_worker(ps), workers = peal_ps_workers(ps), s = 2;
    float one = 1, *got = malloc((size_t)workers * sizeof *got);
    for (int c = 0; c < CLOCKS; c++) {
        OK(ps, peal_ps_push_range(ps, 1, (uint64_t)me, 1, &one, NULL));
        OK(ps, peal_ps_pull_range(ps, 1, 0, (size_t)workers, got, NULL));
        CHECK(got[me] == (float)(c + 1), "own: %g at %d", (double)got[me], c);
        for (int w = 0; w < workers; w++)
            CHECK(got[w] >= (float)(c - s) && got[w] <= CLOCKS, "worker %d at clock %d: %g", w, c,
                  (double)got[w]);
        OK(ps, peal_ps_clock(ps, NULL));
    }
    struct peal_ps_stats stats;
    peal_ps_stats(ps, &stats);
    CHECK(stats.staleness <= s, "%d", stats.staleness);
    free(got);
}

/* Asynchronous: nobody waits, not even for one who never says clock; own pushes are seen at once. */
static void asynchronous(peal_ps *ps)
{
    int me = peal_ps_worker(ps);
    float one = 1, got = 0;
    for (int c = 0; me && c < CLOCKS; c++) {
        OK(ps, peal_ps_push_range(ps, 1, 1000 + (uint64_t)me, 1, &one, NULL));
        OK(ps, peal_ps_clock(ps, NULL));
        OK(ps, peal_ps_pull_range(ps, 1, 1000 + (uint64_t)me, 1, &got, NULL));
        CHECK(got == (float)(c + 1), "%g at %d", (double)got, c);
    }
    OK(ps, peal_ps_barrier(ps, NULL));
}

/* A worker that has gone holds nobody up; the two others are `slack` clocks apart at most. */
static void one_leaves(peal_ps *ps, int slack)
{
    float one = 1, got;
    int me = peal_ps_worker(ps), workers = peal_ps_workers(ps), clocks = me ? CLOCKS : 3;
    for (int c = 0; c < clocks; c++) {
        OK(ps, peal_ps_push_range(ps, 1, 5, 1, &one, NULL));
        OK(ps, peal_ps_clock(ps, NULL));
    }
    if (!me)
        return;
    OK(ps, peal_ps_pull_range(ps, 1, 5, 1, &got, NULL));
    float all = (float)(CLOCKS * (workers - 1) + 3); /* bounded: the other may be one clock behind */
    CHECK(got <= all && got >= all - (float)slack, "%g of %g", (double)got, (double)all);
}

static void one_leaves_synchronous(peal_ps *ps)
{
    one_leaves(ps, 0);
}

static void one_leaves_bounded(peal_ps *ps)
{
    one_leaves(ps, 1);
}

#define COUNTERS .tables = counters, .table_count = 2

const struct ps_case ps_mode_cases[] = {
    {"synchronous", synchronous, .workers = 3, .servers = 2, .mode = PEAL_PS_SYNC, COUNTERS},
    {"synchronous, beside", synchronous, .workers = 4, .servers = 4, .beside = 1, .mode = PEAL_PS_SYNC,
     COUNTERS},
    {"synchronous, 1 and 1", synchronous, .workers = 1, .servers = 1, .mode = PEAL_PS_SYNC, COUNTERS},
    {"bounded", bounded, .workers = 4, .servers = 3, .mode = PEAL_PS_BOUNDED, .staleness = 2, COUNTERS},
    {"bounded, beside", bounded, .workers = 3, .servers = 2, .beside = 1, .mode = PEAL_PS_BOUNDED,
     .staleness = 2, COUNTERS},
    {"asynchronous", asynchronous, .workers = 3, .servers = 2, .mode = PEAL_PS_ASYNC, COUNTERS},
    {"one leaves, synchronous", one_leaves_synchronous, .workers = 3, .servers = 3, .mode = PEAL_PS_SYNC,
     COUNTERS},
    {"one leaves, bounded", one_leaves_bounded, .workers = 3, .servers = 2, .mode = PEAL_PS_BOUNDED,
     .staleness = 1, COUNTERS},
    {NULL},
};
