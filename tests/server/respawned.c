/* Servers that are killed and replaced: respawned WORKERS, under mpiexec --respawn. Worker 0 kills one server
 * after the other (SIGKILL; the manager first, and its replacement later), each when all copies are there
 * again, while all push and pull; at the end every sum is exact, every part has its copies, and every server
 * has a share.
 */
#include "notes.h"

#include <mpi.h>
#include <peal.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SERVERS = 3, COPIES = 2, KEYS = 500, RANGE = 50000, RANKS_MAX = 16 };

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
    int killed;
    long restored_at; /* the round in which all was well again; -1: it is not */
    double since, longest;
};

static bool all_well(peal_ps *ps)
{
    struct peal_ps_stats stats;
    peal_ps_stats(ps, &stats);
    return stats.servers == SERVERS && stats.copies == COPIES && !stats.joining;
}

static void kill_on(struct killer *k, peal_ps *ps, struct notes *notes, long round)
{
    double now = MPI_Wtime();
    if (!all_well(ps)) {
        k->restored_at = -1;
        return;
    }
    if (k->restored_at < 0) {
        k->restored_at = round;
        k->longest = now - k->since > k->longest ? now - k->since : k->longest;
    }
    if (round < k->restored_at + 5 || notes->rounds)
        return;
    if (k->killed == VICTIMS) {
        notes->rounds = round + 6; /* further than anybody is */
        return;
    }
    int rank = peal_ps_workers(ps) + victims[k->killed++], pid = notes->pid[rank];
    notes->pid[rank] = 0;
    k->since = now;
    kill(pid, SIGKILL);
    while (all_well(ps) && MPI_Wtime() - now < 30) /* the next round is after the news */
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
static int check_shares(const struct notes *notes, int first)
{
    int failed = 0;
    for (int s = 0; s < SERVERS; s++) {
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
    int rank, failed = 0, workers = argc > 1 ? atoi(argv[1]) : 2;
    char path[100];
    MPI_Init(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (peal_replaced() >= 0)
        rank = peal_replaced();
    struct notes *notes = notes_open("respawned", path, sizeof path, sizeof *notes);
    const struct peal_ps_table tables[] = {{.filters = PEAL_PS_CACHE}, {.range = RANGE}};
    const struct peal_ps_options options = {.servers = SERVERS,
                                            .replicas = COPIES,
                                            .respawn = 1,
                                            .mode = PEAL_PS_BOUNDED,
                                            .staleness = 3,
                                            .tables = tables,
                                            .table_count = 2};
    struct killer killer = {.restored_at = -1, .since = MPI_Wtime()};
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
        failed += check_shares(notes, workers);
    if (!rank)
        printf("%s: %d servers killed and replaced, %ld rounds, all copies again after %.0f ms at most\n",
               failed ? "WRONG" : "all right", killer.killed, notes->begun[0], killer.longest * 1e3);
    if (!rank)
        unlink(path);
    MPI_Finalize();
    return failed != 0;
}
