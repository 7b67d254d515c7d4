/* In deterministic worlds a hang is told at once, and exactly: virtual time does not pass until somebody
 * gives up. A cycle, one who has ended, one who is dead and messages that do not fit are told apart; who
 * computes for ten minutes raises no alarm. */
#include <criterion/criterion.h>
#include <mpi-ext.h>
#include <mpi.h>
#include <peal.h>

#include <string.h>

static int my_rank(void)
{
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank;
}

static int receive(int source, int tag)
{
    int word;
    return MPI_Recv(&word, 1, MPI_INT, source, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static void hangs(int (*body)(void *), int ranks, const char *const *words)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct peal_world_options options = {.deterministic = 1, .seed = seed};
        struct peal_world_result result;
        int code = peal_run(ranks, body, NULL, &options, &result);
        cr_assert(code && result.deadlock, "seed %d: %s", (int)seed, result.text);
        cr_expect(result.seconds < 1, "seed %d: told after %g virtual seconds", (int)seed, result.seconds);
        for (int i = 0; words[i]; i++)
            cr_expect(strstr(result.text, words[i]), "'%s' is not in '%s'", words[i], result.text);
    }
}

static int ring(void *unused)
{
    return receive((my_rank() + 1) % 3, 5);
}

Test(hangs, cycle)
{
    hangs(ring, 3,
          (const char *const[]){"a cycle, nobody in it will go on: rank 0 -> 1 -> 2 -> 0",
                                "rank 1 waits in MPI_Recv for a message from rank 2 with tag 5", NULL});
}

static int leaves(void *unused)
{
    return my_rank() ? receive(my_rank() - 1, 5) : 0;
}

Test(hangs, ended)
{
    hangs(leaves, 2, (const char *const[]){"rank 1 waits for rank 0, which has ended", NULL});
}

static int other_tag(void *unused)
{
    int word = 1;
    if (my_rank())
        return receive(0, 4);
    MPI_Send(&word, 1, MPI_INT, 1, 3, MPI_COMM_WORLD);
    return MPI_Ssend(&word, 1, MPI_INT, 1, 9, MPI_COMM_WORLD);
}

Test(hangs, unmatched)
{
    hangs(other_tag, 2,
          (const char *const[]){"for a message from rank 0 with tag 4",
                                "2 messages that nobody receives, the first from rank 0 with tag 3",
                                "rank 0 waits in MPI_Ssend for rank 1 to receive 4 bytes with tag 9", NULL});
}

static int busy(void *unused)
{
    int word = 1;
    if (my_rank() == 0 && peal_sleep(600))
        return 1;
    if (my_rank() == 0)
        MPI_Send(&word, 1, MPI_INT, 1, 5, MPI_COMM_WORLD);
    else if (my_rank() == 1)
        receive(0, 5);
    return MPI_Barrier(MPI_COMM_WORLD);
}

Test(hangs, straggler_is_no_hang)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct peal_world_options options = {.deterministic = 1, .seed = seed};
        struct peal_world_result result;
        cr_expect(!peal_run(3, busy, NULL, &options, &result), "seed %d: %s", (int)seed, result.text);
        cr_expect(result.seconds >= 600, "%g virtual seconds", result.seconds);
    }
}

static int bereaved(void *unused)
{
    int class = 0, code;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    code = receive((my_rank() + 1) % 3, 5);
    MPI_Error_class(code, &class);
    return my_rank() == 1 && class != MPIX_ERR_PROC_FAILED;
}

/* Rank 1 waits for rank 2, which dies: an error, no deadlock. */
Test(hangs, dead_peer)
{
    struct peal_fault fault = {.kind = PEAL_FAULT_KILL, .rank = 2, .peer = -1, .at = 0.5};
    struct peal_world_options options = {.deterministic = 1, .seed = 3, .faults = &fault, .fault_count = 1};
    struct peal_world_result result;
    int code = peal_run(3, bereaved, NULL, &options, &result);
    cr_expect(strstr(result.text, "rank 1's function") == NULL, "%d: %s", code, result.text);
    cr_expect(result.killed == 1, "%d killed: %s", result.killed, result.text);
}
