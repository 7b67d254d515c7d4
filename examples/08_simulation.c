/* Testing code that must survive: a pool of workers, under thousands of simulated histories.
 *
 * Rank 0 hands out tasks, the others do them; a worker may die or be cut off at any moment, and
 * then its task must go to another. peal_explore runs the ranks as threads of this process,
 * deterministically: one at a time, on virtual time, with delays, deaths and cut links drawn from
 * a seed. When a history goes wrong it prints the seed, and the same seed gives the same history.
 *
 *     ./08_simulation             # explores 500 histories of 4 ranks
 *     ./08_simulation bug         # the same with a bug planted: a dead worker's task is forgotten
 *     ./08_simulation bug 7       # one history, its events written to history.log
 */
#include <mpi.h>
#include <peal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANKS = 4, TASKS = 12, TAG = 1, STOP = -1, NOBODY = -1 };

struct pool {
    int bug;
};

struct master {
    int task_of[RANKS];         /* what each worker is doing, or NOBODY's */
    MPI_Request answers[RANKS]; /* one receive from each worker that lives */
    int answer[RANKS];
    int todo[TASKS], count, done[TASKS];
};

/* The worker cannot be reached: whatever it had to do must be done by another. */
static void give_up(struct master *master, int worker, const struct pool *pool)
{
    int task = master->task_of[worker];
    if (task >= 0 && !pool->bug)
        master->todo[master->count++] = task;
    master->task_of[worker] = NOBODY;
}

/* Gives the worker its next task, or sends it home. */
static void hand_out(struct master *master, int worker, const struct pool *pool)
{
    int task = master->count ? master->todo[--master->count] : STOP;
    master->task_of[worker] = task;
    if (MPI_Send(&task, 1, MPI_INT, worker, TAG, MPI_COMM_WORLD) != MPI_SUCCESS) {
        give_up(master, worker, pool);
    } else if (task != STOP) {
        MPI_Irecv(&master->answer[worker], 1, MPI_INT, worker, TAG, MPI_COMM_WORLD, &master->answers[worker]);
    }
}

/* 0: every task was done, or nobody is left to do it. */
static int lead(const struct pool *pool)
{
    struct master master = {.count = TASKS};
    for (int i = 0; i < TASKS; i++)
        master.todo[i] = i;
    for (int worker = 0; worker < RANKS; worker++)
        master.answers[worker] = MPI_REQUEST_NULL;
    int alive = RANKS - 1;
    for (int worker = 1; worker < RANKS; worker++)
        hand_out(&master, worker, pool);
    for (;;) {
        int worker;
        int error = MPI_Waitany(RANKS, master.answers, &worker, MPI_STATUS_IGNORE);
        if (worker == MPI_UNDEFINED)
            break;
        if (error != MPI_SUCCESS) {
            give_up(&master, worker, pool);
            alive--;
            continue;
        }
        master.done[master.answer[worker]] = 1;
        hand_out(&master, worker, pool);
    }
    if (!alive)
        return 0;
    /* Who has been sent home cannot be called back, so the master does what is left itself. */
    while (master.count)
        master.done[master.todo[--master.count]] = 1;
    for (int i = 0; i < TASKS; i++)
        if (!master.done[i])
            return 1;
    return 0;
}

static int work(void)
{
    int task;
    while (MPI_Recv(&task, 1, MPI_INT, 0, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE) == MPI_SUCCESS &&
           task != STOP) {
        peal_sleep(0.001 * (double)peal_random(100)); /* virtual: costs no time */
        if (MPI_Send(&task, 1, MPI_INT, 0, TAG, MPI_COMM_WORLD) != MPI_SUCCESS)
            break;
    }
    return 0; /* sent home, or the master is gone */
}

static int body(void *argument)
{
    int rank;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank == 0 ? lead(argument) : work();
}

int main(int argc, char **argv)
{
    struct pool pool = {.bug = argc > 1 && !strcmp(argv[1], "bug")};
    struct peal_world_result result;
    struct peal_world_options options = {.deterministic = 1, .seed = 1, .drawn = 3};
    if (argc > 2) {
        options.seed = strtoull(argv[2], NULL, 10);
        options.log = "history.log";
        int code = peal_run(RANKS, body, &pool, &options, &result);
        printf("seed %s: %s, %d killed, %.3f virtual seconds, %llu events in history.log\n", argv[2],
               code ? "a task was forgotten" : "well", result.killed, result.seconds,
               (unsigned long long)result.events);
        return code;
    }
    int found = peal_explore(RANKS, body, &pool, &options, 500, &result) != 0;
    if (found)
        printf("a task was forgotten under seed %llu\n", (unsigned long long)result.seed);
    printf("500 histories, %s: %s\n", pool.bug ? "a bug planted" : "no bug planted",
           found == pool.bug ? "right" : "WRONG");
    return found != pool.bug;
}
