/* The MPI suite in-process: each chapter on worlds of 1 to 16 ranks, free-running and,
 * with several seeds, one rank at a time.
 *
 * One test a chapter and kind of world, so that a failure is found by its name. What a
 * case finds wrong it tells on standard error.
 */
#include "case.h"

#include <criterion/criterion.h>
#include <peal.h>

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
    for (int i = 0; i < 6 - (deterministic || frugal()); i++)
        for (uint64_t seed = 1; seed <= (deterministic && sizes[i] > 1 && sizes[i] < 8 ? 2 : 1); seed++)
            for (const struct test_case *test = cases_of(chapter); test->name; test++) {
                struct peal_world_options options = {.deterministic = deterministic, .seed = seed};
                if (test_case_fits(test, sizes[i], deterministic))
                    run_case(chapter, test, sizes[i], &options);
            }
}

#define CHAPTER(name)                                                                                        \
    Test(name, free_running, .timeout = 120)                                                                 \
    {                                                                                                        \
        run_chapter(#name, false);                                                                           \
    }                                                                                                        \
    Test(name, one_at_a_time, .timeout = 120)                                                                \
    {                                                                                                        \
        run_chapter(#name, true);                                                                            \
    }

CHAPTER(pt2pt)
CHAPTER(order)
CHAPTER(requests)
CHAPTER(probe)
CHAPTER(collectives)
CHAPTER(algorithms)
CHAPTER(board)
CHAPTER(ops)
CHAPTER(comm)
CHAPTER(group)
CHAPTER(errors)
CHAPTER(info)
CHAPTER(memory)
CHAPTER(init)
CHAPTER(threads)
CHAPTER(uneven)
CHAPTER(neighbors)
CHAPTER(across)
CHAPTER(persistent)
