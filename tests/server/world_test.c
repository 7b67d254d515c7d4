/* The parameter server's suite in-process: each case with free-running ranks, and one rank at a time with
 * several seeds. */
#include "ps.h"

#include <criterion/criterion.h>

#include <stdlib.h>

static int body(void *argument)
{
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    ps_run_case(argument);
    return 0;
}

static void run(const struct ps_case *test, const struct peal_world_options *options)
{
    struct peal_world_result result;
    struct ps_case copy = *test;
    check_reset();
    int code = peal_run(ps_ranks(test), body, &copy, options, &result);
    cr_expect(code == 0 && check_failures() == 0, "%s%s, seed %d: code %d, %d checks failed. %s", test->name,
              options->deterministic ? ", one at a time" : "", (int)options->seed, code, check_failures(),
              result.text);
}

static void run_all(const struct ps_case *cases, int seeds)
{
    const char *only = getenv("CASE");
    for (const struct ps_case *test = cases; test->name; test++) {
        if (only && strcmp(only, test->name))
            continue;
        run(test, &(struct peal_world_options){.deterministic = 0});
        for (int seed = 1; seed <= seeds; seed++)
            run(test, &(struct peal_world_options){.deterministic = 1, .seed = (uint64_t)seed});
    }
}

Test(server, basic, .timeout = 300)
{
    run_all(ps_basic_cases, 3);
}

Test(server, modes, .timeout = 300)
{
    run_all(ps_mode_cases, 20);
}

Test(server, updaters, .timeout = 300)
{
    run_all(ps_updater_cases, 2);
}

Test(server, changes, .timeout = 300)
{
    run_all(ps_change_cases, 10);
}

Test(server, snapshots, .timeout = 300)
{
    run_all(ps_snapshot_cases, 0); /* in their order */
}

Test(server, filters, .timeout = 300)
{
    run_all(ps_filter_cases, 2);
}
