/* peal.h: in-process worlds, with MPI made ready for each rank. */
#include "peal.h"

#include "call.h"
#include "clock.h"
#include "faults.h"
#include "loopback.h"
#include "request.h"
#include "state.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { RANKS_MAX = 4096, DRAWN_MAX = 1000 };

/* Of a deterministic world, unless it is told otherwise; and the most, seconds. */
#define TIME_LIMIT 3600.0
#define TIME_MAX   1e9

static int start(struct pl_rank *rank)
{
    return pl_mpi_create(rank) ? 0
                               : pl_fail(PL_ENOMEM, "no memory for MPI's own objects of rank %d", rank->rank);
}

static void end(struct pl_rank *rank)
{
    pl_mpi_destroy(rank->mpi_memory);
}

static int bad(struct peal_world_result *result, const char *text)
{
    if (result) {
        *result = (struct peal_world_result){.rank = -1, .code = MPI_ERR_ARG};
        snprintf(result->text, sizeof result->text, "%s", text);
    }
    return MPI_ERR_ARG;
}

static const char *check(int ranks, int (*body)(void *), const struct peal_world_options *options)
{
    if (ranks < 1 || ranks > RANKS_MAX || !body)
        return "peal_run wants 1 to 4096 ranks and a function";
    if (options->fault_count < 0 || (options->fault_count && !options->faults) || options->drawn < 0 ||
        options->drawn > DRAWN_MAX)
        return "peal_run wants as many faults as fault_count says, and 0 to 1000 drawn ones";
    if (!options->deterministic && (options->fault_count || options->drawn || options->log))
        return "peal_run: faults and a log are of deterministic worlds only";
    if (!(options->time_limit >= 0 && options->time_limit < TIME_MAX))
        return "peal_run wants a time_limit of 0 to 1e9 seconds";
    return NULL;
}

static void report(struct peal_world_result *result, const struct pl_inprocess *world)
{
    *result = (struct peal_world_result){.rank = world->failed_rank,
                                         .code = world->code,
                                         .deadlock = world->deadlock,
                                         .out_of_time = world->out_of_time,
                                         .killed = world->killed,
                                         .seed = world->seed,
                                         .events = world->events,
                                         .hash = world->hash,
                                         .seconds = (double)world->time * 1e-9};
    snprintf(result->text, sizeof result->text, "%s", world->text);
}

int peal_run(int ranks, int (*body)(void *argument), void *argument, const struct peal_world_options *options,
             struct peal_world_result *result)
{
    static const struct peal_world_options defaults;
    struct peal_world_result unused;
    if (!options)
        options = &defaults;
    if (!result)
        result = &unused;
    const char *problem = check(ranks, body, options);
    if (problem)
        return bad(result, problem);
    struct pl_fault *faults = NULL;
    int error = pl_faults_of(ranks, options, &faults);
    if (error)
        return bad(result, pl_fail_text());
    double limit = options->time_limit > 0 ? options->time_limit : TIME_LIMIT;
    struct pl_inprocess world = {.size = ranks,
                                 .deterministic = options->deterministic != 0,
                                 .seed = options->seed,
                                 .stack_size = options->stack_size,
                                 .faults = faults,
                                 .fault_count = options->fault_count + options->drawn,
                                 .time_limit = (int64_t)(limit * 1e9),
                                 .log = options->log,
                                 .start = start,
                                 .end = end,
                                 .body = body,
                                 .argument = argument};
    error = pl_inprocess_run(&world);
    free(faults);
    if (error < 0) {
        bad(result, pl_fail_text());
        return result->code = pl_error_class(error);
    }
    report(result, &world);
    return error ? (world.code ? world.code : 1) : 0;
}

int peal_explore(int ranks, int (*body)(void *argument), void *argument,
                 const struct peal_world_options *options, uint64_t seeds, struct peal_world_result *result)
{
    struct peal_world_options each = options ? *options : (struct peal_world_options){0};
    struct peal_world_result first, again;
    each.deterministic = 1;
    int code = 0;
    for (uint64_t i = 0; i < seeds && !code; i++) {
        code = peal_run(ranks, body, argument, &each, &first);
        each.seed += !code;
    }
    if (code && first.events) {
        peal_run(ranks, body, argument, &each, &again);
        bool same = again.events == first.events && again.hash == first.hash;
        fprintf(stderr, "peal: %d ranks, seed %llu: %s\npeal: run again, the seed gave %s %llu events\n",
                ranks, (unsigned long long)each.seed, first.text,
                same ? "the same" : "other events than these", (unsigned long long)first.events);
    }
    if (result && seeds)
        *result = first;
    return code;
}

int peal_sleep(double seconds)
{
    struct pl_mpi *mpi = pl_call("peal_sleep");
    int error = seconds >= 0 && seconds < TIME_MAX
                    ? 0
                    : pl_bad(MPI_ERR_ARG, "to sleep for %g seconds is not possible", seconds);
    if (!error)
        error = pl_pause(mpi->rank, (int64_t)(seconds * 1e9));
    return pl_return(mpi, NULL, error);
}

uint64_t peal_random(uint64_t bound)
{
    struct pl_rank *rank = pl_self();
    if (rank && rank->fabric)
        return pl_fabric_random(rank->fabric, bound);
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, 0) != sizeof number)
        number = (uint64_t)pl_now() * UINT64_C(0x9e3779b97f4a7c15) >> 8;
    return number % bound;
}

void *peal_world_here(void)
{
    return pl_self();
}

void peal_world_join(void *world)
{
    pl_self_set_thread(world);
}

int peal_replaced(void)
{
    const char *rank = getenv("PMI_REPLACES");
    return rank ? atoi(rank) : -1;
}
