/* A process dies in every kind of call, killed, by a fault of its own or by leaving without MPI_Finalize,
 * over each transport: every survivor gets the error that says who and how, and repairs. What a process does
 * is in survive.c. $MPIEXEC and $PROGRAM are set by meson. */
#include "../launch/run.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct run outcome;

/* Words of a list, six at a time: so many deaths a job has. */
static void survive(const char *transport, const char *how, const char *moment, const char *calls)
{
    char some[256];
    while (*calls) {
        int ranks = 2, at = 0;
        while (*calls && ranks < 8) {
            int length = (int)strcspn(calls, " ");
            at += snprintf(some + at, sizeof some - (size_t)at, " %.*s", length, calls);
            calls += length + (calls[length] == ' ');
            ranks++;
        }
        run(&outcome, "PEAL_TRANSPORT=%s %s --continue -n %d %s %s %s%s", transport, getenv("MPIEXEC"), ranks,
            getenv("PROGRAM"), how, moment, some);
        cr_expect(outcome.code == 0 && lines_that_are(outcome.out, "all is well") == 1,
                  "%s over %s, %s:%s: exit code %d\n%s", how, transport, moment, some, outcome.code,
                  outcome.err);
    }
}

#define POINT_TO_POINT                                                                                       \
    "recv recv-any irecv-any probe iprobe mprobe ssend send send-large sendrecv waitany waitsome waitall "   \
    "test"
#define SMALL                                                                                                \
    "barrier ibarrier bcast reduce gather scatter allreduce allgather alltoall scan reduce-scatter dup "     \
    "split "                                                                                                 \
    "agree iagree"
#define LARGE                                                                                                \
    "bcast-large reduce-large gather-large scatter-large allreduce-large allgather-large alltoall-large "    \
    "scan-large reduce-scatter-large iallreduce"

Test(shm, before)
{
    survive("shm", "kill", "before", POINT_TO_POINT " " SMALL " " LARGE);
}

Test(shm, during)
{
    survive("shm", "kill", "during", POINT_TO_POINT " " SMALL " " LARGE);
}

Test(tcp, before)
{
    survive("tcp", "kill", "before", POINT_TO_POINT " " SMALL " " LARGE);
}

Test(tcp, during)
{
    survive("tcp", "kill", "during", POINT_TO_POINT " " SMALL " " LARGE);
}

Test(other_deaths, segv_and_exit)
{
    survive("shm", "segv", "during", "recv barrier allreduce-large send-large");
    survive("tcp", "segv", "before", "recv barrier allreduce-large send-large");
    survive("shm", "exit", "before", "recv barrier allreduce-large agree");
    survive("tcp", "exit", "during", "recv barrier allreduce-large agree");
}

/* Two groups, and calls that make communicators: whoever dies, all others hear of it. */
Test(two_groups, one_dies)
{
    static const char *const transports[] = {"shm", "tcp"};
    static const char *const kinds[] = {"barrier", "allreduce",        "alltoall",     "bcast",
                                        "merge",   "intercomm-create", "dup",          "idup",
                                        "split",   "create",           "create-group", "accept"};
    for (int t = 0; t < 2; t++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            int victim = 1 + (int)(k + (size_t)t) % 4;
            run(&outcome, "PEAL_TRANSPORT=%s %s --continue --timeout 60 -n 5 %s %s %d", transports[t],
                getenv("MPIEXEC"), getenv("BETWEEN"), kinds[k], victim);
            cr_expect(outcome.code == 0 && lines_that_are(outcome.out, "all is well") == 4,
                      "%s, %s, %d: %d\n%s", transports[t], kinds[k], victim, outcome.code, outcome.err);
        }
}

/* A message to a rank that has left before anybody talked to it is not "out of reach". */
Test(other_deaths, before_first_contact)
{
    static const char *const transports[] = {"shm", "tcp", "shm,tcp"};
    for (int t = 0; t < 3; t++)
        for (int wait = 0; wait <= 200000; wait += 200000) {
            run(&outcome, "PEAL_TRANSPORT=%s %s --continue -n 3 %s 7 %d", transports[t], getenv("MPIEXEC"),
                getenv("UNMET"), wait);
            cr_expect(outcome.code == 0 && lines_that_are(outcome.out, "all is well") == 2, "%s, %d: %d\n%s",
                      transports[t], wait, outcome.code, outcome.err);
        }
}

/* The table, and the code: a death that was outlived is no failure, unless nobody is left. */
Test(mpiexec, tells_who_died)
{
    run(&outcome, "%s --continue -n 3 %s kill before barrier", getenv("MPIEXEC"), getenv("PROGRAM"));
    cr_expect(outcome.code == 0, "%d", outcome.code);
    cr_expect(strstr(outcome.err, "how the ranks ended:") != NULL, "%s", outcome.err);
    cr_expect(strstr(outcome.err, "was killed by signal 9 (Killed); the others go on") != NULL, "%s",
              outcome.err);
    cr_expect(strstr(outcome.err, "1-2: ended in order") != NULL ||
                  strstr(outcome.err, "0-1: ended in order"),
              "%s", outcome.err);
    run(&outcome, "%s --continue -n 3 sh -c 'kill -9 $$'", getenv("MPIEXEC"));
    cr_expect(outcome.code == 137, "all died: %d", outcome.code);
}

/* A replacement joins, dies as well, and its replacement joins. */
Test(mpiexec, replaces_the_dead)
{
    static const char *const transports[] = {"shm,tcp", "tcp"};
    for (int t = 0; t < 2; t++)
        for (int ranks = 2; ranks <= 4; ranks += 2) {
            run(&outcome, "PEAL_TRANSPORT=%s %s --respawn -n %d %s", transports[t], getenv("MPIEXEC"), ranks,
                getenv("REJOIN"));
            cr_expect(outcome.code == 0 && lines_that_are(outcome.out, "all is well") == 1,
                      "%s, %d ranks: %d\n%s", transports[t], ranks, outcome.code, outcome.err);
            cr_expect(strstr(outcome.err, "replaced 2 times") != NULL, "%s", outcome.err);
        }
    run(&outcome, "%s --respawn -n 2 sh -c 'kill -9 $$'", getenv("MPIEXEC"));
    cr_expect(outcome.code == 137, "nobody is left to be joined: %d\n%s", outcome.code, outcome.err);
}
