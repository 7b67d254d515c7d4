/* Real deaths: killed SERVERS WORKERS [SECONDS]. Under mpiexec --continue: the last ranks serve, one of them
 * as a spare; as many servers and workers as asked for kill themselves (SIGKILL) at random moments while all
 * push and pull. What every worker begins and has acknowledged it notes in a shared file, as an onlooker; the
 * survivors compare the tables with it, see that there are as many copies again as there can be, and tell the
 * longest time that an operation took: the time without service.
 */
#include "notes.h"

#include <mpi.h>
#include <peal.h>

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SERVERS = 4, KEYS = 500, RANGE = 50000, RANKS_MAX = 64 };

struct notes {
    volatile long begun[RANKS_MAX], acknowledged[RANKS_MAX];
    volatile int dead[RANKS_MAX];
    volatile long rounds; /* after which all stop; 0: not known yet */
};

struct fate {
    volatile int *dead;
    unsigned microseconds;
};

static void *die_later(void *argument)
{
    struct fate *fate = argument;
    usleep(fate->microseconds);
    *fate->dead = 1;
    kill(getpid(), SIGKILL);
    return NULL;
}

static int compare(const float *got, int n, double least, double most, int me)
{
    int wrong = 0;
    for (int i = 0; i < n; i++)
        wrong += (double)got[i] < least || (double)got[i] > most;
    if (wrong)
        fprintf(stderr, "worker %d: %d of %d values are not in [%g, %g]; the first is %g\n", me, wrong, n,
                least, most, (double)got[0]);
    return wrong;
}

/* The spare has taken the place of who died, and has its copies. */
static int check_copies(const peal_ps *ps, int wanted)
{
    struct peal_ps_stats stats = {.copies = 0};
    for (int i = 0; i < 3000; i++) {
        peal_ps_stats(ps, &stats);
        if (stats.copies == wanted && !stats.joining)
            return 0;
        peal_sleep(0.01);
    }
    fprintf(stderr, "there are %d complete copies on %d servers, and should be %d\n", stats.copies,
            stats.servers, wanted);
    return 1;
}

static int work(peal_ps *ps, struct notes *notes, double seconds, int copies, double *longest)
{
    int me = peal_ps_worker(ps), failed = 0;
    uint64_t keys[KEYS];
    float *ones = malloc(RANGE * sizeof *ones), *got = malloc(RANGE * sizeof *got);
    for (int i = 0; i < KEYS; i++)
        keys[i] = (uint64_t)i * 1000003;
    for (int i = 0; i < RANGE; i++)
        ones[i] = 1;
    double start = MPI_Wtime();
    for (long round = 0; !notes->rounds || round < notes->rounds; round++) {
        if (!me && !notes->rounds && MPI_Wtime() - start > seconds)
            notes->rounds = round + 6; /* further than anybody is: nobody waits for one who has stopped */
        MPI_Request requests[2];
        double begin = MPI_Wtime();
        notes->begun[me]++;
        peal_ps_push(ps, 0, KEYS, keys, ones, &requests[0]);
        peal_ps_push_range(ps, 1, 0, RANGE, ones, &requests[1]);
        if (MPI_Waitall(2, requests, MPI_STATUSES_IGNORE))
            failed++;
        notes->acknowledged[me]++;
        failed += peal_ps_clock(ps, NULL) != MPI_SUCCESS;
        failed += peal_ps_pull(ps, 0, KEYS, keys, got, NULL) != MPI_SUCCESS;
        double took = MPI_Wtime() - begin;
        *longest = took > *longest ? took : *longest;
    }
    if (failed)
        fprintf(stderr, "worker %d: %d operations failed: %s\n", me, failed, peal_ps_why(ps));
    failed += check_copies(ps, copies);
    peal_ps_barrier(ps, NULL);
    double least = 0, most = 0;
    for (int w = 0; w < peal_ps_workers(ps); w++) {
        least += (double)(notes->dead[w] ? notes->acknowledged[w] : notes->begun[w]);
        most += (double)notes->begun[w];
    }
    failed += peal_ps_pull(ps, 0, KEYS, keys, got, NULL) != MPI_SUCCESS;
    failed += compare(got, KEYS, least, most, me);
    failed += peal_ps_pull_range(ps, 1, 0, RANGE, got, NULL) != MPI_SUCCESS;
    failed += compare(got, RANGE, least, most, me);
    peal_ps_barrier(ps, NULL);
    free(ones);
    free(got);
    return failed;
}

int main(int argc, char **argv)
{
    int rank, size, failed = 0, kill_servers = argc > 1 ? atoi(argv[1]) : 1,
                    kill_workers = argc > 2 ? atoi(argv[2]) : 0;
    double seconds = argc > 3 ? atof(argv[3]) : 0.8, longest = 0;
    char path[100];
    MPI_Init(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    struct notes *notes = notes_open("killed", path, sizeof path, sizeof *notes);
    const struct peal_ps_table tables[] = {{.filters = PEAL_PS_CACHE}, {.range = RANGE}};
    const struct peal_ps_options options = {.servers = SERVERS,
                                            .spares = 1,
                                            .replicas = 1 + (kill_servers ? kill_servers : 1),
                                            .mode = PEAL_PS_BOUNDED,
                                            .staleness = 3,
                                            .tables = tables,
                                            .table_count = 2};
    peal_ps *ps;
    if (peal_ps_create(MPI_COMM_WORLD, &options, &ps))
        MPI_Abort(MPI_COMM_WORLD, 1);
    srand((unsigned)getpid());
    bool server = peal_ps_role(ps) == PEAL_PS_SERVER;
    int number = server ? rank - (size - SERVERS) : size - SERVERS - 1 - rank;
    struct fate fate = {&notes->dead[rank], 50000 + (unsigned)rand() % (unsigned)(seconds * 500000)};
    pthread_t thread;
    if (number < (server ? kill_servers : kill_workers)) /* the first server is the manager */
        pthread_create(&thread, NULL, die_later, &fate);
    if (server)
        failed = peal_ps_serve(ps) != MPI_SUCCESS;
    else
        failed = work(ps, notes, seconds,
                      SERVERS - kill_servers < options.replicas ? SERVERS - kill_servers : options.replicas,
                      &longest);
    failed += peal_ps_destroy(&ps) != MPI_SUCCESS;
    if (!rank)
        printf("%s: %d servers and %d workers killed, %ld rounds, longest %.0f ms\n",
               failed ? "WRONG" : "all right", kill_servers, kill_workers, notes->begun[0], longest * 1e3);
    if (!rank)
        unlink(path);
    MPI_Finalize();
    return failed != 0;
}
