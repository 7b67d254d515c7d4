/* survive HOW MOMENT CALL...: for each call a rank dies, HOW (kill, segv, exit) and when (MOMENT): `before`
 * it makes the call, or `during`, a few milliseconds after it began to make it again and again. The others
 * are in the call meanwhile. Each survivor checks that it gets the error that names the dead rank and how it
 * died, and tells how long after the death; then they revoke, agree, shrink, see that the new communicator
 * works and go on with that and the next call. Run by mpiexec --continue with two more ranks than there are
 * calls.
 *
 * Prints "all is well" once, by rank 0, and what is wrong on standard error.
 */
#include "calls.h"

#include <mpi-ext.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *how, *moment;
static int wrong;

#define CHECK(condition, ...)                                                                                \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                                  \
            fprintf(stderr, __VA_ARGS__);                                                                    \
            fputc('\n', stderr);                                                                             \
            wrong++;                                                                                         \
        }                                                                                                    \
    } while (0)

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void die(int number)
{
    (void)number;
    if (!strcmp(how, "segv")) {
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    }
    if (!strcmp(how, "exit"))
        _exit(3);
    kill(getpid(), SIGKILL);
}

static void be_the_victim(const struct call *call, MPI_Comm comm, int self)
{
    usleep(20000);
    if (!strcmp(moment, "during")) {
        signal(SIGALRM, die);
        ualarm(3000, 0);
        for (int i = 0; i < 1000000; i++)
            call->make(comm, self);
        pause();
    }
    die(0);
}

/* What a survivor is told. */
static void check_text(const struct call *call, int error, int victim_world)
{
    char text[MPI_MAX_ERROR_STRING], name[32];
    int length;
    MPI_Error_string(error, text, &length);
    snprintf(name, sizeof name, "rank %d ", victim_world);
    const char *cause = !strcmp(how, "kill") ? "signal 9" : !strcmp(how, "segv") ? "signal 11" : "code 3";
    CHECK(strstr(text, name) && strstr(text, cause) && strstr(text, "process "), "%s: %s", call->name, text);
}

static void check_failed(MPI_Comm comm, int victim)
{
    MPI_Group failed, all;
    int count, member, zero = 0;
    MPIX_Comm_get_failed(comm, &failed);
    MPI_Comm_group(comm, &all);
    MPI_Group_size(failed, &count);
    CHECK(count == 1, "%d ranks failed", count);
    if (count == 1) {
        MPI_Group_translate_ranks(failed, 1, &zero, all, &member);
        CHECK(member == victim, "rank %d failed, not %d", member, victim);
    }
    if (failed != MPI_GROUP_EMPTY)
        MPI_Group_free(&failed);
    MPI_Group_free(&all);
}

/* Without the dead: *comm is the next one. */
static void repair(MPI_Comm *comm, int victim)
{
    MPI_Comm smaller;
    int size, left, rank, me, sum = 0, flag = 5, revoked = 0, acked, error;
    MPI_Comm_size(*comm, &size);
    MPI_Comm_rank(*comm, &me);
    CHECK(!MPIX_Comm_revoke(*comm), "revoke");
    CHECK(!MPIX_Comm_is_revoked(*comm, &revoked) && revoked, "is_revoked %d", revoked);
    CHECK(MPI_Send(&size, 1, MPI_INT, me, 9, *comm) == MPIX_ERR_REVOKED, "a send on a revoked communicator");
    do { /* who was told of the revocation first may hear of the death only now */
        MPIX_Comm_ack_failed(*comm, size, &acked);
        error = MPIX_Comm_agree(*comm, &flag);
    } while (error == MPIX_ERR_PROC_FAILED);
    CHECK(!error && flag == 5, "agree: %d, flag %d", error, flag);
    check_failed(*comm, victim);
    MPIX_Comm_ack_failed(*comm, size, &acked);
    CHECK(acked == 1, "%d acknowledged", acked);
    CHECK(!MPIX_Comm_shrink(*comm, &smaller), "shrink");
    MPI_Comm_size(smaller, &left);
    MPI_Comm_rank(smaller, &rank);
    CHECK(left == size - 1 && rank == me - (me > victim), "rank %d of %d became %d of %d", me, size, rank,
          left);
    CHECK(!MPI_Allreduce(&left, &sum, 1, MPI_INT, MPI_SUM, smaller) && sum == left * left, "sum %d", sum);
    if (*comm != MPI_COMM_WORLD)
        MPI_Comm_free(comm);
    *comm = smaller;
}

static void one_death(const struct call *call, MPI_Comm *comm, int first)
{
    int me, size, world;
    MPI_Comm_rank(*comm, &me);
    MPI_Comm_size(*comm, &size);
    MPI_Comm_rank(MPI_COMM_WORLD, &world);
    int victim = first ? 0 : size - 1, victim_world = world;
    MPI_Bcast(&victim_world, 1, MPI_INT, victim, *comm);
    MPI_Barrier(*comm);
    if (me == victim)
        be_the_victim(call, *comm, me);
    double start = now();
    int error = call_until_failure(call, *comm, victim);
    double seconds = now() - start;
    char text[MPI_MAX_ERROR_STRING] = "nothing";
    int length;
    if (error < 0)
        MPI_Error_string(-error, text, &length);
    CHECK(error > 0, "%s: rank %d got %d after %.2f s: %s", call->name, me, error, seconds, text);
    CHECK(seconds < 10, "%s: it took %.2f s", call->name, seconds);
    if (error == MPIX_ERR_PROC_FAILED)
        check_text(call, error, victim_world);
    if (getenv("TELL"))
        printf("%s %.3f s\n", call->name, seconds);
    repair(comm, victim);
}

int main(int argc, char **argv)
{
    MPI_Comm comm = MPI_COMM_WORLD;
    int rank, bad = 0;
    how = argv[1];
    moment = argv[2];
    MPI_Init(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    for (int i = 3; i < argc; i++) {
        const struct call *call = find_call(argv[i]);
        if (!call) {
            fprintf(stderr, "there is no call '%s'\n", argv[i]);
            return 2;
        }
        one_death(call, &comm, i % 2);
    }
    MPI_Comm_rank(comm, &rank);
    MPI_Reduce(&wrong, &bad, 1, MPI_INT, MPI_SUM, 0, comm);
    if (!rank && !bad)
        puts("all is well");
    MPI_Finalize();
    return wrong != 0;
}
