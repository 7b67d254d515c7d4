/* Cases of the MPI suite: plain functions on mpi.h that every rank of a world runs.
 *
 * A chapter is a file with a table of cases; cases.c lists the chapters. The same
 * tables run in-process (world_test.c), and as a program under mpiexec over each
 * transport (program.c). A case gets MPI_COMM_WORLD with MPI_ERRORS_RETURN on it and
 * leaves no message behind. What goes wrong is told and counted; the case goes on.
 */
#ifndef CASE_H
#define CASE_H

#include <mpi.h>

#include <stdbool.h>
#include <stddef.h>

enum {
    CASE_THREADS = 1, /* wants MPI_THREAD_MULTIPLE */
    CASE_SLEEPS = 2,  /* sleeps in real time: not for deterministic worlds */
    CASE_FEW = 4,     /* costs much: at most 5 ranks */
};

struct test_case {
    const char *name;
    void (*run)(void);
    int ranks; /* at least */
    int flags;
};

struct test_chapter {
    const char *name;
    const struct test_case *cases; /* ended by one without a name */
};

extern const struct test_chapter test_chapters[]; /* ended by one without a name */
extern const struct test_case across_cases[];
extern const struct test_case algorithm_cases[];
extern const struct test_case attribute_cases[];
extern const struct test_case bits_cases[];
extern const struct test_case board_cases[];
extern const struct test_case collective_cases[];
extern const struct test_case comm_cases[];
extern const struct test_case create_cases[];
extern const struct test_case custom_cases[];
extern const struct test_case datatype_cases[];
extern const struct test_case dynamic_cases[];
extern const struct test_case environment_cases[];
extern const struct test_case error_cases[];
extern const struct test_case form_cases[];
extern const struct test_case gap_cases[];
extern const struct test_case group_cases[];
extern const struct test_case info_cases[];
extern const struct test_case init_cases[];
extern const struct test_case intercomm_cases[];
extern const struct test_case large_cases[];
extern const struct test_case memory_cases[];
extern const struct test_case neighbor_cases[];
extern const struct test_case op_cases[];
extern const struct test_case order_cases[];
extern const struct test_case persistent_cases[];
extern const struct test_case probe_cases[];
extern const struct test_case pt2pt_cases[];
extern const struct test_case request_cases[];
extern const struct test_case signature_cases[];
extern const struct test_case thread_cases[];
extern const struct test_case topology_cases[];
extern const struct test_case uneven_cases[];

/* Whether the case is to run in a world of `size` ranks; `deterministic`: an in-process world of that kind.
 */
bool test_case_fits(const struct test_case *test, int size, bool deterministic);

/* Checks that failed so far, of all ranks in this process. */
int check_failures(void);
void check_reset(void);

/* Tells and counts a failed check. Returns whether it held. */
bool check_that(bool holds, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Checks that an MPI call returned `expected` (an error class). */
bool check_call(int code, int expected, const char *call, const char *file, int line);

#define CHECK(condition, format, ...)                                                                        \
    check_that(condition, __FILE__, __LINE__, "%s: " format, #condition, ##__VA_ARGS__)
#define OK(call)           check_call(call, MPI_SUCCESS, #call, __FILE__, __LINE__)
#define FAILS(class, call) check_call(call, class, #call, __FILE__, __LINE__)
/* The call fails with the class, and MPI_Error_string then has all the words. */
#define FAILS_WITH(class, call, ...)                                                                         \
    do {                                                                                                     \
        FAILS(class, call);                                                                                  \
        check_text(class, (const char *[]){__VA_ARGS__, NULL}, __FILE__, __LINE__);                          \
    } while (0)
void check_text(int class, const char *const *words, const char *file, int line);

/* Source, tag and count of elements of a status. */
#define CHECK_STATUS(status, source, tag, type, count)                                                       \
    check_status(status, source, tag, type, count, __FILE__, __LINE__)
void check_status(const MPI_Status *status, int source, int tag, MPI_Datatype type, int count,
                  const char *file, int line);

int rank_in(MPI_Comm comm);
int size_of(MPI_Comm comm);
static inline int my_rank(void)
{
    return rank_in(MPI_COMM_WORLD);
}
static inline int world_size(void)
{
    return size_of(MPI_COMM_WORLD);
}

/* Bytes that depend on the seed and the place; and the first place where they are not there, or -1. */
void fill(void *bytes, size_t length, unsigned seed);
long differs(const void *bytes, size_t length, unsigned seed);

/* Memory that is there, or the process ends. */
void *need(size_t bytes);

/* Whether time is short: under a sanitizer. */
bool frugal(void);

/* A number that depends on nothing but its arguments: the same on all ranks. */
unsigned mix(unsigned a, unsigned b);

#endif
