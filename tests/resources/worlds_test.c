/* In-process worlds, started and ended 1,000 times, and with every allocation failing once.
 *
 * malloc and its relatives of the whole program are those below: the n-th call that comes from the library
 * fails, in a child, for n = 1, 2, ... until a run needs fewer. The world is deterministic, so each n is
 * another place. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <dlfcn.h>
#include <malloc.h>
#include <mpi.h>
#include <peal.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RANKS = 3, LARGE = 10000 };

static int wrong_data;

static int try_all(void)
{
    int rank, size, sum = 0, error = 0;
    static _Thread_local int out[LARGE], in[LARGE];
    MPI_Comm dup = MPI_COMM_NULL;
    MPI_Datatype type = MPI_DATATYPE_NULL;
    MPI_Request request;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (int i = 0; i < LARGE; i++)
        out[i] = rank * 7 + i;
    int right = (rank + 1) % size, left = (rank + size - 1) % size;
    error = MPI_Sendrecv(out, LARGE, MPI_INT, right, 1, in, LARGE, MPI_INT, left, 1, MPI_COMM_WORLD,
                         MPI_STATUS_IGNORE);
    for (int i = 0; i < LARGE && !error; i++)
        wrong_data += in[i] != left * 7 + i;
    if (!error)
        error = MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    wrong_data += !error && sum != size * (size - 1) / 2;
    if (!error)
        error = MPI_Comm_dup(MPI_COMM_WORLD, &dup);
    if (!error)
        error = MPI_Type_vector(100, 1, 2, MPI_INT, &type);
    if (!error)
        error = MPI_Type_commit(&type);
    if (!error)
        error = MPI_Iallgather(out, 2, MPI_INT, in, 2, MPI_INT, dup, &request);
    if (!error)
        error = MPI_Wait(&request, MPI_STATUS_IGNORE);
    if (!error)
        error = MPI_Bcast(in, 1, type, 1, dup);
    if (!error)
        error = MPI_Comm_free(&dup);
    if (type != MPI_DATATYPE_NULL)
        MPI_Type_free(&type);
    return error;
}

static int body(void *argument)
{
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    int error = try_all();
    return argument ? 0 : error;
}

/* ---- allocations that fail ---- */

static atomic_long calls, failing; /* failing 0: none */
static const char *library_begin, *library_end;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

/* Finds where the library lies, by the first and last of its addresses in /proc/self/maps. */
static void find_library(void)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps)) {
        unsigned long begin, end;
        if (!strstr(line, "libmpi_abi") || sscanf(line, "%lx-%lx", &begin, &end) != 2)
            continue;
        library_begin = library_begin ? library_begin : (const char *)begin;
        library_end = (const char *)end;
    }
    fclose(maps);
}

static int fails(const void *caller)
{
    if ((const char *)caller < library_begin || (const char *)caller >= library_end)
        return 0;
    return atomic_fetch_add(&calls, 1) + 1 == atomic_load(&failing);
}

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(memory, size);
}

static int run_world(void *tolerant, struct peal_world_result *result)
{
    struct peal_world_options options = {.deterministic = 1, .seed = 1};
    return peal_run(RANKS, body, tolerant, &options, result);
}

/* In a child: 0: well or an error; 1: wrong data. */
static int run_failing(long number)
{
    struct peal_world_result result;
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        atomic_store(&calls, 0);
        atomic_store(&failing, number);
        run_world(body, &result);
        long used = atomic_load(&calls);
        _exit(wrong_data ? 1 : used < number ? 2 : 0);
    }
    int status;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        return -WTERMSIG(status);
    return WEXITSTATUS(status);
}

Test(resources, every_allocation_may_fail, .timeout = 300)
{
    struct peal_world_result result;
    find_library();
    cr_assert_not_null(library_begin);
    cr_assert_eq(run_world(NULL, &result), 0, "%s", result.text);
    long number = 1;
    int bad = 0;
    for (int outcome = 0; outcome != 2 && number < 100000; number++) {
        outcome = run_failing(number);
        if (outcome == -SIGALRM)
            cr_expect(++bad > 10, "allocation %ld fails: it hangs", number);
        else if (outcome < 0)
            cr_expect(++bad > 10, "allocation %ld fails: signal %d", number, -outcome);
        cr_expect_neq(outcome, 1, "allocation %ld fails: wrong data", number);
        if (bad > 10)
            break;
    }
    fprintf(stderr, "%ld allocations, each failed once\n", number - 1);
    cr_expect_gt(number, 100);
    cr_expect_eq(bad, 0);
}

/* ---- what is left ---- */

static int count_entries(const char *path)
{
    int count = 0;
    DIR *directory = opendir(path);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

Test(resources, a_thousand_worlds_leave_nothing, .timeout = 300)
{
    struct peal_world_result result;
    size_t before = 0;
    int files = 0, threads = 0;
    for (int i = 0; i < 1000; i++) {
        struct peal_world_options options = {.deterministic = i % 2, .seed = (uint64_t)i, .drawn = i % 2 * 2};
        if (i == 100) { /* the C library has its caches by now */
            before = mallinfo2().uordblks;
            files = count_entries("/proc/self/fd");
            threads = count_entries("/proc/self/task");
        }
        peal_run(RANKS, body, body, &options, &result);
        cr_assert(result.rank < 0 || result.deadlock, "world %d: %s", i, result.text);
    }
    size_t after = mallinfo2().uordblks;
    cr_expect_eq(count_entries("/proc/self/fd"), files);
    cr_expect_eq(count_entries("/proc/self/task"), threads);
    cr_expect_lt((double)after - (double)before, 9000, "900 worlds kept %ld bytes", (long)(after - before));
}
