/* Servers that leave and join while workers push: no update is lost, none comes twice, and every server of a
 * chain has the same. */
#include "ps.h"

#include <stdlib.h>

static const struct peal_ps_table tables[] = {{.width = 1}, {.range = 20000}, {.updater = PEAL_PS_MOMENTUM}};

enum { KEYS = 200, ROUNDS = 30 };

/* Sparse and dense pushes of small whole numbers: sums in any order are exact. */
static void push_on(peal_ps *ps)
{
    uint64_t keys[KEYS];
    float ones[KEYS], got[KEYS], *many = malloc(20000 * sizeof *many), *back = malloc(20000 * sizeof *back);
    MPI_Request requests[3];
    int workers = peal_ps_workers(ps), wrong = 0;
    for (int i = 0; i < KEYS; i++) {
        keys[i] = (uint64_t)i * 99991;
        ones[i] = 1;
    }
    for (int i = 0; i < 20000; i++)
        many[i] = 1;
    for (int round = 0; round < ROUNDS; round++) {
        OK(ps, peal_ps_push(ps, 0, KEYS, keys, ones, &requests[0]));
        OK(ps, peal_ps_push_range(ps, 1, 0, round % 5 ? 700 : 20000, many, &requests[1]));
        OK(ps, peal_ps_push(ps, 0, KEYS, keys, ones, &requests[2]));
        CHECK(MPI_Waitall(3, requests, MPI_STATUSES_IGNORE) == MPI_SUCCESS, "%s", peal_ps_why(ps));
        OK(ps, peal_ps_pull(ps, 0, KEYS, keys, got, NULL));
        for (int i = 0; i < KEYS; i++)
            wrong += got[i] < (float)(2 * (round + 1)) || got[i] > (float)(2 * ROUNDS * workers);
        OK(ps, peal_ps_clock(ps, NULL));
    }
    OK(ps, peal_ps_barrier(ps, NULL));
    OK(ps, peal_ps_pull(ps, 0, KEYS, keys, got, NULL));
    for (int i = 0; i < KEYS; i++)
        wrong += got[i] != (float)(2 * ROUNDS * workers);
    OK(ps, peal_ps_pull_range(ps, 1, 0, 20000, back, NULL));
    for (int i = 0; i < 20000; i++)
        wrong += back[i] != (float)(workers * (i < 700 ? ROUNDS : ROUNDS / 5));
    CHECK(!wrong, "%d values are wrong", wrong);
    OK(ps, peal_ps_barrier(ps, NULL));
    free(many);
    free(back);
}

static int my_rank(void)
{
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank;
}

/* The first server, which is the manager, leaves at once. */
static void first_leaves(peal_ps *ps)
{
    struct peal_ps_stats stats;
    peal_ps_stats(ps, &stats);
    if (stats.owned && my_rank() == 3)
        OK(ps, peal_ps_leave(ps));
    OK(ps, peal_ps_serve(ps));
    peal_ps_stats(ps, &stats);
    CHECK(my_rank() != 3 || (!stats.owned && !stats.held), "it has %d parts still", stats.held);
}

/* The last one, a spare, joins. */
static void last_joins(peal_ps *ps)
{
    struct peal_ps_stats stats;
    peal_ps_stats(ps, &stats);
    bool spare = !stats.owned;
    if (spare)
        OK(ps, peal_ps_join(ps));
    OK(ps, peal_ps_serve(ps));
    peal_ps_stats(ps, &stats);
    CHECK(stats.owned > 0 && stats.owned < stats.parts / 2, "%d of %d parts", stats.owned, stats.parts);
}

/* One goes as one comes. */
static void both(peal_ps *ps)
{
    struct peal_ps_stats stats;
    peal_ps_stats(ps, &stats);
    if (!stats.owned)
        OK(ps, peal_ps_join(ps));
    else if (my_rank() == 4)
        OK(ps, peal_ps_leave(ps));
    OK(ps, peal_ps_serve(ps));
}

#define TABLES .tables = tables, .table_count = 3

const struct ps_case ps_change_cases[] = {
    {"nobody moves", push_on, .workers = 3, .servers = 3, .mode = PEAL_PS_ASYNC, TABLES},
    {"first leaves", push_on, first_leaves, .workers = 3, .servers = 4, .replicas = 2, .mode = PEAL_PS_ASYNC,
     TABLES},
    {"first leaves, one copy", push_on, first_leaves, .workers = 3, .servers = 3, .replicas = 1,
     .mode = PEAL_PS_BOUNDED, .staleness = 3, TABLES},
    {"last joins", push_on, last_joins, .workers = 3, .servers = 4, .spares = 1, .mode = PEAL_PS_ASYNC,
     TABLES},
    {"last joins, 3 copies", push_on, last_joins, .workers = 2, .servers = 5, .spares = 1, .replicas = 3,
     .mode = PEAL_PS_BOUNDED, .staleness = 1, TABLES},
    {"one goes as one comes", push_on, both, .workers = 2, .servers = 5, .spares = 1, .replicas = 2,
     .mode = PEAL_PS_ASYNC, TABLES},
    {NULL},
};
