/* Servers that are killed and replaced: respawned WORKERS [SEED], under mpiexec --respawn. Worker 0 kills one
 * server after the other (SIGKILL; the manager first, and its replacement later), each when all copies are
 * there again, while all push and pull; at the end every sum is exact, every part has its copies, and every
 * server has a share.
 *
 * With a SEED servers die at drawn moments, replacements too while they arrive or are given copies, as long
 * as two complete copies of everything are left.
 */
#include "notes.h"

#include <mpi.h>
#include <peal.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SERVERS = 3, COPIES = 2, WILD_SERVERS = 4, WILD_COPIES = 3, WILD_DEATHS = 12, MOST = 4 };
enum { KEYS = 500, RANGE = 50000, RANKS_MAX = 16 };

static const int victims[] = {0, 1, 0, 2};
enum { VICTIMS = sizeof victims / sizeof *victims };

/* What all know, in a file that they share. */
struct notes {
    volatile int pid[RANKS_MAX], owned[RANKS_MAX]; /* owned: parts it heads at the end, and one more */
    volatile long begun[RANKS_MAX];
    volatile long rounds; /* after which all stop; 0: not known yet */
};

/* Worker 0: whether all copies are there; then the next one dies. */
struct killer {
    unsigned seed;       /* 0: the victims in their order */
    int servers, copies; /* there are when all is well */
    int killed, of_each[WILD_SERVERS];
    uint64_t views;   /* when the last one died */
    double next;      /* earliest moment for the next */
    long restored_at; /* the round in which all was well again; -1: it is not */
    double since, longest;
};

static bool all_well(const struct killer *k, peal_ps *ps)
{
    struct peal_ps_stats stats;
    peal_ps_stats(ps, &stats);
    return stats.servers == k->servers && stats.copies == k->copies && !stats.joining;
}

static void kill_server(struct killer *k, peal_ps *ps, struct notes *notes, int server)
{
    int rank = peal_ps_workers(ps) + server, pid = notes->pid[rank];
    notes->pid[rank] = 0;
    k->killed++;
    kill(pid, SIGKILL);
}

/* One that is drawn, if the last death is known of, and two copies are left. */
static void kill_wildly(struct killer *k, peal_ps *ps, struct notes *notes)
{
    struct peal_ps_stats stats;
    double now = MPI_Wtime();
    peal_ps_stats(ps, &stats);
    int server = rand_r(&k->seed) % WILD_SERVERS;
    if (stats.copies < 2 || now < k->next || k->of_each[server] == MOST ||
        !notes->pid[peal_ps_workers(ps) + server] || (stats.views == k->views && now < k->next + 0.5))
        return;
    k->of_each[server]++;
    k->views = stats.views;
    k->next = now + 0.001 * (rand_r(&k->seed) % 200);
    kill_server(k, ps, notes, server);
}

static void kill_on(struct killer *k, peal_ps *ps, struct notes *notes, long round)
{
    double now = MPI_Wtime();
    if (k->seed && k->killed < WILD_DEATHS) {
        kill_wildly(k, ps, notes);
        return;
    }
    if (!all_well(k, ps)) {
        k->restored_at = -1;
        return;
    }
    if (k->restored_at < 0) {
        k->restored_at = round;
        k->longest = now - k->since > k->longest ? now - k->since : k->longest;
    }
    if (round < k->restored_at + 5 || notes->rounds)
        return;
    if (k->seed || k->killed == VICTIMS) {
        notes->rounds = round + 6; /* further than anybody is */
        return;
    }
    k->since = now;
    kill_server(k, ps, notes, victims[k->killed]);
    while (all_well(k, ps) && MPI_Wtime() - now < 30) /* the next round is after the news */
        peal_sleep(0.001);
}

static int compare(const float *got, int n, double right)
{
    int wrong = 0;
    for (int i = 0; i < n; i++)
        wrong += (double)got[i] != right;
    if (wrong)
        fprintf(stderr, "%d of %d values are not %g; the first is %g\n", wrong, n, right, (double)got[0]);
    return wrong;
}

static int work(peal_ps *ps, struct notes *notes, struct killer *killer)
{
    int me = peal_ps_worker(ps), failed = 0;
    uint64_t keys[KEYS];
    float *ones = malloc(RANGE * sizeof *ones), *got = malloc(RANGE * sizeof *got);
    for (int i = 0; i < KEYS; i++)
        keys[i] = (uint64_t)i * 1000003;
    for (int i = 0; i < RANGE; i++)
        ones[i] = 1;
    for (long round = 0; !failed && (!notes->rounds || round < notes->rounds); round++) {
        MPI_Request requests[2];
        notes->begun[me]++;
        failed += peal_ps_push(ps, 0, KEYS, keys, ones, &requests[0]) != MPI_SUCCESS;
        failed += peal_ps_push_range(ps, 1, 0, RANGE, ones, &requests[1]) != MPI_SUCCESS;
        failed += MPI_Waitall(2, requests, MPI_STATUSES_IGNORE) != MPI_SUCCESS;
        failed += peal_ps_clock(ps, NULL) != MPI_SUCCESS;
        failed += peal_ps_pull(ps, 0, KEYS, keys, got, NULL) != MPI_SUCCESS;
        if (!me)
            kill_on(killer, ps, notes, round);
    }
    if (failed)
        fprintf(stderr, "worker %d: %d operations failed: %s\n", me, failed, peal_ps_why(ps));
    failed += peal_ps_barrier(ps, NULL) != MPI_SUCCESS;
    double right = 0;
    for (int w = 0; w < peal_ps_workers(ps); w++)
        right += (double)notes->begun[w];
    failed += peal_ps_pull(ps, 0, KEYS, keys, got, NULL) != MPI_SUCCESS || compare(got, KEYS, right);
    failed += peal_ps_pull_range(ps, 1, 0, RANGE, got, NULL) != MPI_SUCCESS || compare(got, RANGE, right);
    failed += peal_ps_barrier(ps, NULL) != MPI_SUCCESS;
    free(ones);
    free(got);
    return failed;
}

/* A share each, and copies of everything. */
static int check_shares(const struct notes *notes, int first, int servers)
{
    int failed = 0;
    for (int s = 0; s < servers; s++) {
        for (int i = 0; i < 3000 && !notes->owned[first + s]; i++)
            usleep(10000); /* it notes it when it has ended */
        if (notes->owned[first + s] < 2) {
            fprintf(stderr, "server %d heads %d parts\n", s, notes->owned[first + s] - 1);
            failed++;
        }
    }
    return failed;
}

int main(int argc, char **argv)
{
    int rank, failed = 0, workers = argc > 1 ? atoi(argv[1]) : 2, seed = argc > 2 ? atoi(argv[2]) : 0;
    char path[100];
    MPI_Init(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (peal_replaced() >= 0)
        rank = peal_replaced();
    struct notes *notes = notes_open("respawned", path, sizeof path, sizeof *notes);
    const struct peal_ps_table tables[] = {{.filters = PEAL_PS_CACHE}, {.range = RANGE}};
    struct killer killer = {.seed = (unsigned)seed,
                            .servers = seed ? WILD_SERVERS : SERVERS,
                            .copies = seed ? WILD_COPIES : COPIES,
                            .restored_at = -1,
                            .since = MPI_Wtime()};
    const struct peal_ps_options options = {.servers = killer.servers,
                                            .replicas = killer.copies,
                                            .respawn = 1,
                                            .mode = PEAL_PS_BOUNDED,
                                            .staleness = 3,
                                            .tables = tables,
                                            .table_count = 2};
    peal_ps *ps;
    notes->pid[rank] = (int)getpid();
    if (peal_ps_create(MPI_COMM_WORLD, &options, &ps))
        MPI_Abort(MPI_COMM_WORLD, 1);
    if (peal_ps_role(ps) == PEAL_PS_SERVER) {
        struct peal_ps_stats stats;
        failed = peal_ps_serve(ps) != MPI_SUCCESS;
        peal_ps_stats(ps, &stats);
        notes->owned[rank] = stats.owned + 1;
    } else {
        failed = work(ps, notes, &killer);
    }
    failed += peal_ps_destroy(&ps) != MPI_SUCCESS;
    if (!rank)
        failed += check_shares(notes, workers, killer.servers);
    if (!rank)
        printf("%s: %d servers killed and replaced, %ld rounds, all copies again after %.0f ms at most\n",
               failed ? "WRONG" : "all right", killer.killed, notes->begun[0], killer.longest * 1e3);
    if (!rank)
        unlink(path);
    MPI_Finalize();
    return failed != 0;
}
