/* Each kind of fault does what peal.h says, at the step and time it says. */
#include <criterion/criterion.h>
#include <mpi.h>
#include <peal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RANKS = 3, COUNT = 10 };

/* What the ranks of a world found; only one runs at a time, so nothing guards it. */
struct found {
    int sent[RANKS], received[RANKS]; /* messages, until the first error */
    double failed_at[RANKS];          /* virtual seconds; -1: never */
    int class[RANKS];
    char text[RANKS][MPI_MAX_ERROR_STRING];
    int wrong_bytes;
    size_t length;
};

static int rank_of_world(void)
{
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank;
}

static void note_error(struct found *found, int code)
{
    int rank = rank_of_world(), length;
    found->failed_at[rank] = MPI_Wtime();
    MPI_Error_class(code, &found->class[rank]);
    MPI_Error_string(code, found->text[rank], &length);
}

/* Rank 0 sends COUNT messages to rank 1; rank 2 looks on, and waits for one that never comes. */
static int stream(void *argument)
{
    struct found *found = argument;
    int rank = rank_of_world(), code = MPI_SUCCESS;
    unsigned char *data = calloc(1, found->length);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    found->failed_at[rank] = -1;
    for (int i = 0; i < COUNT && code == MPI_SUCCESS && rank == 0; i++) {
        memset(data, i + 1, found->length);
        code = MPI_Send(data, (int)found->length, MPI_BYTE, 1, i, MPI_COMM_WORLD);
        found->sent[0] += code == MPI_SUCCESS;
    }
    for (int i = 0; i < COUNT && code == MPI_SUCCESS && rank == 1; i++) {
        code = MPI_Recv(data, (int)found->length, MPI_BYTE, 0, i, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        found->received[1] += code == MPI_SUCCESS;
        for (size_t at = 0; at < found->length && code == MPI_SUCCESS; at++)
            found->wrong_bytes += data[at] != i + 1;
    }
    if (code == MPI_SUCCESS && rank != 1)
        code = MPI_Recv(data, 1, MPI_BYTE, rank == 0 ? 1 : 0, 99, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    free(data);
    if (code != MPI_SUCCESS)
        note_error(found, code);
    return 0;
}

static struct peal_world_result run(struct found *found, int (*body)(void *), struct peal_fault fault,
                                    uint64_t seed)
{
    struct peal_world_options options = {
        .deterministic = 1, .seed = seed, .faults = &fault, .fault_count = 1};
    struct peal_world_result result;
    peal_run(RANKS, body, found, &options, &result);
    return result;
}

Test(faults, a_cut_link_is_told_to_both_ends_and_to_nobody_else)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct found found = {.length = 100};
        run(&found, stream, (struct peal_fault){PEAL_FAULT_CUT, 0, 1, .step = 4, .seconds = 0.5}, seed);
        cr_expect_eq(found.received[1], 3, "%d messages before the cut at the fourth", found.received[1]);
        for (int rank = 0; rank < 2; rank++) {
            cr_expect(found.failed_at[rank] >= 0 && found.failed_at[rank] <= 0.6, "rank %d: %g s", rank,
                      found.failed_at[rank]);
            cr_expect(strstr(found.text[rank], "cut"), "rank %d: %s", rank, found.text[rank]);
        }
        cr_expect_not(strstr(found.text[2], "cut"), "rank 2: %s", found.text[2]);
    }
}

Test(faults, half_open_is_told_to_one_end_first)
{
    int later = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct found found = {.length = 100};
        run(&found, stream, (struct peal_fault){PEAL_FAULT_HALF_OPEN, 0, 1, .step = 2, .seconds = 5}, seed);
        cr_expect_eq(found.received[1], 1);
        cr_expect(found.failed_at[0] >= 0 && found.failed_at[0] < 0.01, "%g s", found.failed_at[0]);
        cr_expect(found.failed_at[1] >= 0 && found.failed_at[1] <= 5.1, "%g s", found.failed_at[1]);
        later += found.failed_at[1] > 1;
    }
    cr_expect(later > 5, "of 20 halves left open only %d were noticed after a second", later);
}

Test(faults, a_rank_is_killed_at_its_step)
{
    for (uint64_t step = 1; step <= COUNT; step++) {
        struct found found = {.length = 100};
        struct peal_world_result result =
            run(&found, stream, (struct peal_fault){PEAL_FAULT_KILL, 0, .step = step, .seconds = 0.1}, step);
        cr_expect_eq(result.killed, 1);
        cr_expect(found.received[1] < (int)step, "%d received, killed at its send %d", found.received[1],
                  (int)step);
        cr_expect_eq(result.rank, -1, "a planned death is no failure: %s", result.text);
        cr_expect(strstr(found.text[1], "killed"), "%s", found.text[1]);
        cr_expect(strstr(found.text[2], "killed"), "who only waits for it is told too: %s", found.text[2]);
        cr_expect_eq(found.failed_at[0], -1, "the dead one's call returned");
    }
}

static int sleep_then_meet(void *argument)
{
    struct found *found = argument;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    peal_sleep(10);
    int code = MPI_Barrier(MPI_COMM_WORLD);
    if (code)
        note_error(found, code);
    return 0;
}

Test(faults, a_kill_may_come_at_a_time)
{
    struct found found = {0};
    struct peal_world_result result =
        run(&found, sleep_then_meet, (struct peal_fault){PEAL_FAULT_KILL, 2, .at = 5, .seconds = 0}, 1);
    cr_expect_eq(result.killed, 1);
    cr_expect(strstr(found.text[0], "killed") || strstr(found.text[1], "killed"), "%s, %s", found.text[0],
              found.text[1]);
    cr_expect_eq(found.failed_at[2], 0, "rank 2 slept on");
}

Test(faults, a_flip_changes_one_bit_or_breaks_the_link)
{
    int flipped = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct found found = {.length = seed % 2 ? 2000 : 20000};
        run(&found, stream, (struct peal_fault){PEAL_FAULT_FLIP, 0, 1, .step = 3}, seed);
        cr_expect(found.wrong_bytes <= 1, "%d bytes", found.wrong_bytes);
        flipped += found.wrong_bytes;
    }
    cr_expect(flipped > 5, "only %d of 40 flips reached a message", flipped);
}

/* The same flips with checksums: none reaches a message, and both ends are told, with both named. */
Test(faults, a_flip_is_caught_by_a_checksum)
{
    setenv("PEAL_CHECKSUM", "1", 1);
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct found found = {.length = seed % 2 ? 2000 : 20000};
        struct peal_fault fault = {PEAL_FAULT_FLIP, seed % 3 != 0, seed % 3 == 0, .step = 1 + seed % 7};
        run(&found, stream, fault, seed);
        cr_expect_eq(found.wrong_bytes, 0, "seed %d: %d bytes", (int)seed, found.wrong_bytes);
        if (fault.rank == 0) {
            cr_expect(strstr(found.text[1], "rank 0") && strstr(found.text[1], "rank 1") &&
                          strstr(found.text[1], "PEAL_CHECKSUM"),
                      "seed %d: %s", (int)seed, found.text[1]);
            cr_expect(strstr(found.text[0], "rank 1"), "seed %d: %s", (int)seed, found.text[0]);
        }
    }
    unsetenv("PEAL_CHECKSUM");
}

/* Ranks 1 and 2 send to rank 0 at the same time; who comes first is drawn. */
static int race(void *argument)
{
    struct found *found = argument;
    int rank = rank_of_world(), number = rank;
    MPI_Status status;
    if (rank)
        return MPI_Send(&number, 1, MPI_INT, 0, 0, MPI_COMM_WORLD);
    for (int i = 0; i < 2; i++) {
        MPI_Recv(&number, 1, MPI_INT, MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, &status);
        found->received[i] = status.MPI_SOURCE;
    }
    found->failed_at[0] = MPI_Wtime();
    return 0;
}

Test(faults, delays_reorder_pairs_and_take_virtual_time)
{
    int first[RANKS] = {0};
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct found found = {0};
        run(&found, race, (struct peal_fault){PEAL_FAULT_DELAY, -1, -1, .seconds = 60}, seed);
        first[found.received[0]]++;
        cr_expect(found.failed_at[0] <= 60.1);
    }
    cr_expect(first[1] > 5 && first[2] > 5, "%d and %d", first[1], first[2]);
    struct found found = {0};
    run(&found, race, (struct peal_fault){PEAL_FAULT_DELAY, 1, 0, .seconds = 1e6}, 1);
    cr_expect_eq(found.received[0], 2, "the one that is not delayed comes first");
}

static int poll_for_ever(void *argument)
{
    int flag = 0, number;
    MPI_Request request;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Irecv(&number, 1, MPI_INT, MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, &request);
    while (!flag)
        MPI_Test(&request, &flag, MPI_STATUS_IGNORE);
    return 0;
}

Test(faults, a_world_that_polls_for_ever_runs_out_of_time)
{
    struct peal_world_options options = {.deterministic = 1, .time_limit = 100};
    struct peal_world_result result;
    cr_expect_neq(peal_run(RANKS, poll_for_ever, NULL, &options, &result), 0);
    cr_expect(result.out_of_time && !result.deadlock);
    cr_expect(strstr(result.text, "out of time: 100 virtual seconds"), "%s", result.text);
    cr_expect(result.seconds > 100);
}

static int sleep_a_day(void *argument)
{
    double began = MPI_Wtime();
    peal_sleep(86400);
    return MPI_Wtime() - began < 86400 || MPI_Wtime() - began > 86401;
}

Test(faults, a_day_takes_no_time)
{
    struct peal_world_options options = {.deterministic = 1, .time_limit = 1e6};
    struct peal_world_result result;
    cr_expect_eq(peal_run(RANKS, sleep_a_day, NULL, &options, &result), 0, "%s", result.text);
    cr_expect(result.seconds >= 86400 && result.seconds < 86401, "%g", result.seconds);
}

static int fails_often(void *argument)
{
    return peal_random(10) == 0;
}

Test(faults, explore_finds_the_first_seed_that_fails)
{
    struct peal_world_options options = {.seed = 1};
    struct peal_world_result result, again;
    int code = peal_explore(2, fails_often, NULL, &options, 1000, &result);
    cr_expect_eq(code, 1);
    options.deterministic = 1;
    for (options.seed = 1; options.seed <= result.seed; options.seed++)
        cr_expect_eq(peal_run(2, fails_often, NULL, &options, &again) != 0, options.seed == result.seed);
    cr_expect(again.hash == result.hash && again.events == result.events);
}

static int no_body(void *argument)
{
    return 0;
}

Test(faults, refuses_what_makes_no_sense)
{
    struct peal_fault bad[] = {{.kind = 0},
                               {.kind = 77},
                               {PEAL_FAULT_CUT, 0, 99},
                               {PEAL_FAULT_KILL, 5},
                               {PEAL_FAULT_DELAY, -1, -1, .seconds = -1},
                               {PEAL_FAULT_KILL, 0, .at = 1e300}};
    struct peal_world_result result;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct peal_world_options options = {.deterministic = 1, .faults = &bad[i], .fault_count = 1};
        cr_expect_neq(peal_run(2, no_body, NULL, &options, &result), 0, "%zu", i);
        cr_expect_neq(result.text[0], 0);
        options.deterministic = 0;
        cr_expect_neq(peal_run(2, no_body, NULL, &options, &result), 0, "%zu, free-running", i);
    }
    struct peal_world_options options = {.deterministic = 1, .log = "/nowhere/at/all"};
    cr_expect_neq(peal_run(2, no_body, NULL, &options, &result), 0);
    cr_expect(strstr(result.text, "/nowhere/at/all"), "%s", result.text);
    if (access("/dev/full", W_OK))
        return;
    options.log = "/dev/full";
    cr_expect_neq(peal_run(2, no_body, NULL, &options, &result), 0);
    cr_expect(strstr(result.text, "disk full"), "%s", result.text);
}
