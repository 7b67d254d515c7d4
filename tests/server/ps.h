/* Cases of the parameter server's suite: what workers do, and how the world looks. The same cases run
 * in-process (world_test.c) and as processes (program.c). */
#ifndef PS_TEST_H
#define PS_TEST_H

#include <mpi.h>
#include <peal.h>

#include <stdbool.h>

struct ps_case {
    const char *name;
    void (*work)(peal_ps *ps);  /* each worker */
    void (*serve)(peal_ps *ps); /* each dedicated server; NULL: peal_ps_serve */
    int workers, servers, spares, replicas, beside;
    enum peal_ps_mode mode;
    int staleness;
    const struct peal_ps_table *tables;
    int table_count;
};

extern const struct ps_case ps_basic_cases[]; /* each ended by one without a name */
extern const struct ps_case ps_updater_cases[];
extern const struct ps_case ps_mode_cases[];
extern const struct ps_case ps_change_cases[];
extern const struct ps_case ps_filter_cases[];
extern const struct ps_case ps_snapshot_cases[];

int ps_ranks(const struct ps_case *test);
/* What one rank of MPI_COMM_WORLD does for a case. */
void ps_run_case(const struct ps_case *test);

int check_failures(void);
void check_reset(void);
bool check_that(bool holds, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#define CHECK(condition, format, ...)                                                                        \
    check_that(condition, __FILE__, __LINE__, "%s: " format, #condition, ##__VA_ARGS__)
#define OK(ps, call) CHECK((call) == MPI_SUCCESS, "%s", peal_ps_why(ps))

#endif
