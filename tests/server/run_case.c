/* What a rank does in a case: create, serve or work, destroy. */
#include "ps.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

static atomic_int failures;

int check_failures(void)
{
    return atomic_load(&failures);
}

void check_reset(void)
{
    atomic_store(&failures, 0);
}

bool check_that(bool holds, const char *file, int line, const char *format, ...)
{
    if (holds)
        return true;
    va_list list;
    va_start(list, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, list);
    fprintf(stderr, "\n");
    va_end(list);
    atomic_fetch_add(&failures, 1);
    return false;
}

int ps_ranks(const struct ps_case *test)
{
    return test->beside ? test->workers : test->workers + test->servers;
}

void ps_run_case(const struct ps_case *test)
{
    peal_ps *ps = NULL;
    struct peal_ps_options options = {.servers = test->servers,
                                      .spares = test->spares,
                                      .replicas = test->replicas,
                                      .beside = test->beside,
                                      .mode = test->mode,
                                      .staleness = test->staleness,
                                      .tables = test->tables,
                                      .table_count = test->table_count,
                                      .functions = test->functions,
                                      .function_count = test->function_count};
    if (!CHECK(peal_ps_create(MPI_COMM_WORLD, &options, &ps) == MPI_SUCCESS, "%s", test->name))
        return;
    if (peal_ps_role(ps) & PEAL_PS_WORKER)
        test->work(ps);
    else if (test->serve)
        test->serve(ps);
    else
        OK(ps, peal_ps_serve(ps));
    CHECK(peal_ps_destroy(&ps) == MPI_SUCCESS, "%s", test->name);
    CHECK(ps == NULL, "destroyed");
}
