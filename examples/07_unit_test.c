/* Unit-testing your own MPI function, in one process, with Criterion.
 *
 * peal_run(ranks, body, argument, options, &result) runs `body` as that many
 * ranks, each a thread of this process: no mpiexec, no processes, and a debugger
 * or a sanitizer sees all ranks at once. It returns 0 when every rank's body
 * returned 0. Here the function under test is prefix_sum(), below.
 *
 *     ./07_unit_test                  # runs the tests
 *     ./07_unit_test --filter=mistakes/deadlock --verbose
 *
 * The last test shows a bug found: ranks that wait for each other for ever.
 */
#include <criterion/criterion.h>
#include <mpi.h>
#include <peal.h>

#include <stdio.h>
#include <string.h>

/* ---- the function under test: an ordinary MPI function ---- */

/* Rank r gets the sum of the values of ranks 0..r: log2(N) rounds, each with a
 * partner twice as far away. Returns an MPI error code. */
static int prefix_sum(long value, long *sum, MPI_Comm comm)
{
    int rank, size, error = MPI_SUCCESS;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    *sum = value;
    for (int far = 1; far < size && error == MPI_SUCCESS; far *= 2) {
        int to = rank + far < size ? rank + far : MPI_PROC_NULL;
        int from = rank - far >= 0 ? rank - far : MPI_PROC_NULL;
        long in = 0;
        error = MPI_Sendrecv(sum, 1, MPI_LONG, to, 0, &in, 1, MPI_LONG, from, 0, comm, MPI_STATUS_IGNORE);
        *sum += in;
    }
    return error;
}

/* ---- what each rank does in the tests ---- */

/* Returns 0 when this rank has the right sum; any other value fails the rank. */
static int sums_squares(void *argument)
{
    (void)argument;
    int rank;
    long sum = -1, expected = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (prefix_sum((long)rank * rank, &sum, MPI_COMM_WORLD) != MPI_SUCCESS)
        return 2;
    for (int i = 0; i <= rank; i++)
        expected += (long)i * i;
    return sum == expected ? 0 : 1;
}

/* Whatever arrives first is added first: rank 0 notes the order of arrival. */
static int notes_order(void *argument)
{
    int *order = argument, rank, size;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (rank > 0)
        return MPI_Send(&rank, 1, MPI_INT, 0, 0, MPI_COMM_WORLD);
    for (int i = 0; i < size - 1; i++)
        MPI_Recv(&order[i], 1, MPI_INT, MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return 0;
}

/* A mistake: everyone receives from the right before anyone has sent. */
static int all_receive_first(void *argument)
{
    (void)argument;
    int rank, size, token = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Recv(&token, 1, MPI_INT, (rank + 1) % size, 5, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Send(&token, 1, MPI_INT, (rank + size - 1) % size, 5, MPI_COMM_WORLD);
    return 0;
}

/* ---- the tests ---- */

/* Free-running: the ranks are ordinary threads, in whatever order they fall. */
Test(prefix_sum, any_number_of_ranks)
{
    for (int ranks = 1; ranks <= 17; ranks++) {
        struct peal_world_result result;
        int code = peal_run(ranks, sums_squares, NULL, NULL, &result);
        cr_assert(code == 0, "%d ranks: rank %d: %s", ranks, result.rank, result.text);
    }
}

/* Deterministic: one rank at a time, the next drawn from the seed. Each seed is
 * another order of events; one that fails can be run again, and fails again. */
Test(prefix_sum, many_orders)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct peal_world_options options = {.deterministic = 1, .seed = seed};
        struct peal_world_result result;
        int code = peal_run(7, sums_squares, NULL, &options, &result);
        cr_assert(code == 0, "seed %d: rank %d: %s", (int)seed, result.rank, result.text);
    }
}

/* The same seed gives the same order of arrival; other seeds give other orders. */
Test(order, follows_the_seed)
{
    enum { RANKS = 6, SEEDS = 20 };
    int first[RANKS - 1], different = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct peal_world_options options = {.deterministic = 1, .seed = seed};
        int once[RANKS - 1], again[RANKS - 1];
        cr_assert(peal_run(RANKS, notes_order, once, &options, NULL) == 0);
        cr_assert(peal_run(RANKS, notes_order, again, &options, NULL) == 0);
        cr_assert(memcmp(once, again, sizeof once) == 0, "seed %d ran in two orders", (int)seed);
        if (seed == 1)
            memcpy(first, once, sizeof first);
        different += memcmp(first, once, sizeof first) != 0;
    }
    cr_assert(different > 0, "%d seeds all gave the same order", SEEDS);
}

/* A deadlock does not hang the test: it ends at once and says who waits for what. */
Test(mistakes, deadlock)
{
    struct peal_world_options options = {.deterministic = 1, .seed = 1};
    struct peal_world_result result;
    int code = peal_run(3, all_receive_first, NULL, &options, &result);
    cr_assert(code != 0 && result.deadlock, "a deadlock went unseen");
    cr_log_info("what Peal says of it:\n%s", result.text);
    for (int rank = 0; rank < 3; rank++) {
        char name[16];
        snprintf(name, sizeof name, "rank %d", rank);
        cr_assert(strstr(result.text, name), "%s is not in the report:\n%s", name, result.text);
    }
}
