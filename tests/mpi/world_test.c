/* The MPI suite in-process: each chapter on worlds of 1 to 16 ranks, free-running and,
 * with several seeds, one rank at a time.
 *
 * One test a chapter and kind of world, so that a failure is found by its name. What a
 * case finds wrong it tells on standard error.
 */
#include "case.h"

#include <criterion/criterion.h>
#include <peal.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int body(void *argument)
{
    const struct test_case *test = argument;
    int provided;
    int level = test->flags & CASE_THREADS ? MPI_THREAD_MULTIPLE : MPI_THREAD_SINGLE;
    MPI_Init_thread(NULL, NULL, level, &provided);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    test->run();
    return 0;
}

static void run_case(const char *chapter, const struct test_case *test, int ranks,
                     const struct peal_world_options *options)
{
    struct peal_world_result result;
    struct test_case copy = *test;
    check_reset();
    int code = peal_run(ranks, body, &copy, options, &result);
    cr_expect(code == 0 && check_failures() == 0, "%s/%s on %d ranks%s: code %d, %d checks failed. %s",
              chapter, test->name, ranks, options->deterministic ? ", one at a time" : "", code,
              check_failures(), result.text);
}

static const struct test_case *cases_of(const char *chapter)
{
    for (const struct test_chapter *c = test_chapters; c->name; c++)
        if (!strcmp(c->name, chapter))
            return c->cases;
    cr_assert_fail("there is no chapter %s", chapter);
    return NULL;
}

static void run_chapter(const char *chapter, bool deterministic)
{
    static const int sizes[] = {1, 2, 3, 5, 8, 16};
    for (int i = 0; i < (frugal() ? 4 : deterministic ? 5 : 6); i++)
        for (uint64_t seed = 1; seed <= (deterministic && (sizes[i] == 2 || sizes[i] == 3) ? 2 : 1); seed++)
            for (const struct test_case *test = cases_of(chapter); test->name; test++) {
                struct peal_world_options options = {.deterministic = deterministic, .seed = seed};
                if (test_case_fits(test, sizes[i], deterministic))
                    run_case(chapter, test, sizes[i], &options);
            }
}

#define CHAPTER(name)                                                                                        \
    Test(name, free_running)                                                                                 \
    {                                                                                                        \
        run_chapter(#name, false);                                                                           \
    }                                                                                                        \
    Test(name, one_at_a_time)                                                                                \
    {                                                                                                        \
        run_chapter(#name, true);                                                                            \
    }

CHAPTER(pt2pt)
CHAPTER(datatypes)
CHAPTER(forms)
CHAPTER(gaps)
CHAPTER(large)
CHAPTER(order)
CHAPTER(requests)
CHAPTER(signatures)
CHAPTER(probe)
CHAPTER(collectives)
CHAPTER(algorithms)
CHAPTER(board)
CHAPTER(ops)
CHAPTER(comm)
CHAPTER(group)
CHAPTER(attributes)
CHAPTER(create)
CHAPTER(dynamic)
CHAPTER(environment)
CHAPTER(errors)
CHAPTER(intercomm)
CHAPTER(topologies)
CHAPTER(info)
CHAPTER(memory)
CHAPTER(init)
CHAPTER(threads)
CHAPTER(uneven)
CHAPTER(neighbors)
CHAPTER(across)
CHAPTER(persistent)

/* The knob is read when a world starts. */
Test(bits, reproducible)
{
    setenv("PEAL_REPRODUCIBLE", "1", 1);
    run_chapter("bits", false);
    run_chapter("bits", true);
}

/* --- how a world ends --- */

static int fatal_body(void *argument)
{
    int value = 0, rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 1)
        MPI_Send(&value, 1, MPI_INT, 99, 0, MPI_COMM_WORLD);
    else
        MPI_Recv(&value, 1, MPI_INT, 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return 0;
}

static int abort_body(void *argument)
{
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 2)
        MPI_Abort(MPI_COMM_WORLD, 42);
    MPI_Barrier(MPI_COMM_WORLD);
    return 0;
}

static int failing_body(void *argument)
{
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank == 1 ? 17 : 0;
}

static int finalized_body(void *argument)
{
    MPI_Finalize();
    return MPI_Barrier(MPI_COMM_WORLD);
}

static int thread_ended_body(void *argument)
{
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 1)
        pthread_exit(NULL);
    return MPI_Barrier(MPI_COMM_WORLD);
}

static int returned_body(void *argument)
{
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank == 1 ? 0 : MPI_Barrier(MPI_COMM_WORLD);
}

/* Everyone waits for another, in a call of its own. */
static int deadlock_body(void *argument)
{
    int value = 0, rank, size;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (rank == 0)
        MPI_Ssend(&value, 1, MPI_INT, 1, 5, MPI_COMM_WORLD);
    else
        MPI_Recv(&value, 1, MPI_INT, (rank + 1) % size, 6, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return 0;
}

static void ends(int (*body_that_ends)(void *), int rank, int code, int deadlock, const char *text)
{
    for (int deterministic = 0; deterministic < 2; deterministic++)
        for (int k = 0; k < 5; k++) {
            struct peal_world_options options = {.deterministic = deterministic, .seed = (uint64_t)k};
            struct peal_world_result result;
            int got = peal_run(3, body_that_ends, NULL, &options, &result);
            cr_expect(got != 0 && result.deadlock == deadlock, "%d, deadlock %d: %s", got, result.deadlock,
                      result.text);
            cr_expect(rank < 0 || result.rank == rank, "rank %d: %s", result.rank, result.text);
            cr_expect(result.code == code, "code %d: %s", result.code, result.text);
            cr_expect(strstr(result.text, text) != NULL, "'%s' is not in '%s'", text, result.text);
        }
}

Test(ends, fatal_error)
{
    ends(fatal_body, 1, MPI_ERR_RANK, 0, "MPI_Send: there is no rank 99");
}

Test(ends, abort_called)
{
    ends(abort_body, 2, 42, 0, "MPI_Abort");
}

Test(ends, function_failed)
{
    ends(failing_body, 1, 17, 0, "17");
}

Test(ends, call_after_finalize)
{
    ends(finalized_body, -1, MPI_ERR_OTHER, 0,
         "MPI_Barrier was called before MPI_Init or after MPI_Finalize");
}

Test(ends, thread_ended)
{
    ends(thread_ended_body, 1, 1, 0, "pthread_exit");
}

/* Free-running ranks may have met, or not: then it is a deadlock. */
Test(ends, returned_without_a_word)
{
    struct peal_world_options options = {.deterministic = 1};
    struct peal_world_result result;
    cr_assert(peal_run(3, returned_body, NULL, &options, &result));
    cr_assert(strstr(result.text, "rank 1 failed: its function has returned"), "%s", result.text);
}

Test(ends, deadlock)
{
    ends(deadlock_body, -1, MPI_ERR_OTHER, 1,
         "rank 2 waits in MPI_Recv for a message from rank 0 with tag 6");
}
