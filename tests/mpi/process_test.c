/* What ends a process or a world: death of a rank, fatal errors, MPI_Abort, exits without
 * MPI_Finalize, calls outside MPI_Init and MPI_Finalize. $MPIEXEC and $PROGRAM (rank.c) are set by meson. */
#include "../launch/run.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct run outcome;

static void start(const char *environment, int ranks, const char *what)
{
    run(&outcome, "%s %s -n %d %s %s", environment, getenv("MPIEXEC"), ranks, getenv("PROGRAM"), what);
}

static void expect_text(const char *what, const char *text)
{
    cr_expect(strstr(outcome.err, text) != NULL, "%s: '%s' is not in what was told:\n%s", what, text,
              outcome.err);
}

static void expect_end(const char *what, int code, const char *text)
{
    cr_expect(outcome.code == code, "%s: exit code %d, not %d:\n%s", what, outcome.code, code, outcome.err);
    cr_expect(!strstr(outcome.out, "is done"), "%s: a rank went on:\n%s", what, outcome.out);
    expect_text(what, text);
}

static const char *const transports[] = {"PEAL_TRANSPORT=shm", "PEAL_TRANSPORT=tcp"};

/* kill -9 of a rank while the others wait for it, in whatever call: the job ends at once, with the signal. */
Test(death, of_a_rank)
{
    static const char *const calls[] = {"recv", "any", "probe", "send", "allreduce", "large", "barrier"};
    for (int t = 0; t < 2; t++)
        for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
            char what[64];
            snprintf(what, sizeof what, "killed-%s", calls[i]);
            start(transports[t], 3, what);
            expect_end(what, 137, "rank 1 (pid ");
            expect_text(what, "was killed by signal 9");
            cr_expect(outcome.seconds < 5, "%s: it took %.1f s", what, outcome.seconds);
        }
}

Test(fatal, errors_are)
{
    static const struct {
        const char *what;
        int code;
        const char *call, *name;
    } cases[] = {{"fatal-send", 6, "MPI_Send: ", "MPI_ERR_RANK"},
                 {"fatal-type", 3, "MPI_Bcast: ", "MPI_ERR_TYPE"},
                 {"fatal-truncated", 15, "MPI_Sendrecv: ", "MPI_ERR_TRUNCATE"},
                 {"fatal-named", 10, "MPI_Allreduce: ", "in halo"},
                 {"fatal-mismatch", 16, "MPI_Allreduce: ", "MPI_SUM"},
                 {"init-twice", 16, "MPI_Init: ", "already up"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start("", 2, cases[i].what);
        expect_end(cases[i].what, cases[i].code, cases[i].call);
        expect_text(cases[i].what, cases[i].name);
    }
}

/* The handler of MPI_COMM_WORLD serves calls without a communicator until MPI_COMM_SELF has been given one.
 * Nothing is said of the variables that mpicc reads. */
Test(fatal, where_only_the_world_has_a_handler)
{
    start("PEAL_CC=gcc PEAL_CXX=g++", 1, "world-only");
    expect_end("world-only", 3, "in MPI_COMM_SELF, errors are fatal");
    cr_expect(strstr(outcome.out, "MPI_Type_get_extent: the datatype is MPI_DATATYPE_NULL") &&
                  !strstr(outcome.out, "it went on"),
              "%s", outcome.out);
    cr_expect(!strstr(outcome.err, "unknown variable"), "%s", outcome.err);
}

Test(fatal, mismatch_over_tcp)
{
    start("PEAL_TRANSPORT=tcp", 2, "fatal-mismatch");
    expect_end("mismatch", 16, "allreduce of int32 with MPI_SUM");
    expect_text("mismatch", "allreduce of int32 with MPI_MAX");
    expect_text("mismatch", "had an error that is fatal, code 16");
    cr_expect(!strstr(outcome.err, "MPI_Abort"), "%s", outcome.err);
}

Test(ends, in_other_ways)
{
    start("", 3, "abort");
    cr_expect(outcome.code == 42, "MPI_Abort: %d", outcome.code);
    expect_text("abort", "called MPI_Abort with code 42");
    start("", 3, "exit");
    cr_expect(outcome.code == 7, "exit(7): %d", outcome.code);
    expect_text("exit", "rank 2 (pid ");
    start("", 2, "no-finalize");
    cr_expect(outcome.code != 0, "no MPI_Finalize: %d", outcome.code);
    expect_text("no-finalize", "without MPI_Finalize");
}

Test(outside, init_and_finalize)
{
    static const char *const cases[][2] = {{"before-init", "MPI_Comm_rank was called before MPI_Init"},
                                           {"finalize-first", "MPI_Finalize was called before MPI_Init"},
                                           {"use-after-finalize",
                                            "MPI_Barrier was called before MPI_Init or after "
                                            "MPI_Finalize"},
                                           {"finalize-twice", "MPI_Finalize was called"},
                                           {"init-again", "MPI_Init was called after MPI_Finalize"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int ranks = 1; ranks <= 2; ranks++) {
            start("", ranks, cases[i][0]);
            expect_end(cases[i][0], 16, cases[i][1]);
        }
    start("", 2, "after-finalize");
    cr_expect(outcome.code == 0 && lines_that_are(outcome.out, "after the end all is right") == 2, "%s",
              outcome.out);
}

/* Objects, receives and messages left over at the end do no harm: also to a sanitizer's eye. */
Test(ends, with_things_left)
{
    for (int t = 0; t < 2; t++)
        for (int ranks = 1; ranks <= 3; ranks++) {
            start(transports[t], ranks, "leave-things");
            cr_expect(outcome.code == 0 && !outcome.err[0], "%d ranks, %s: code %d\n%s", ranks, transports[t],
                      outcome.code, outcome.err);
        }
}

/* Without a launcher: a world of one, and a receive that nobody can answer is told. */
Test(alone, without_a_launcher)
{
    run(&outcome, "%s", getenv("PROGRAM"));
    cr_expect(outcome.code == 0 && lines_that_are(outcome.out, "rank 0 of 1 is done") == 1, "%d: %s",
              outcome.code, outcome.out);
    run(&outcome, "%s fatal-alone", getenv("PROGRAM"));
    expect_end("alone", 16, "deadlock");
    expect_text("alone", "MPI_Recv");
}
