/* peal.h: in-process worlds, with MPI made ready for each rank. */
#include "peal.h"

#include "call.h"
#include "state.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

enum { RANKS_MAX = 4096 };

static int start(struct pl_rank *rank)
{
    return pl_mpi_create(rank) ? 0
                               : pl_fail(PL_ENOMEM, "no memory for MPI's own objects of rank %d", rank->rank);
}

static void end(struct pl_rank *rank)
{
    pl_mpi_destroy(rank->mpi_memory);
}

static void report(struct peal_world_result *result, int rank, int code, int deadlock, const char *text)
{
    if (!result)
        return;
    result->rank = rank;
    result->code = code;
    result->deadlock = deadlock;
    snprintf(result->text, sizeof result->text, "%s", text);
}

int peal_run(int ranks, int (*body)(void *argument), void *argument, const struct peal_world_options *options,
             struct peal_world_result *result)
{
    static const struct peal_world_options defaults;
    if (!options)
        options = &defaults;
    if (ranks < 1 || ranks > RANKS_MAX || !body) {
        report(result, -1, MPI_ERR_ARG, 0, "peal_run wants 1 to 4096 ranks and a function");
        return MPI_ERR_ARG;
    }
    struct pl_inprocess world = {.size = ranks,
                                 .deterministic = options->deterministic != 0,
                                 .seed = options->seed,
                                 .stack_size = options->stack_size,
                                 .start = start,
                                 .end = end,
                                 .body = body,
                                 .argument = argument};
    int error = pl_inprocess_run(&world);
    if (error < 0) {
        report(result, -1, pl_error_class(error), 0, pl_fail_text());
        return pl_error_class(error);
    }
    report(result, world.failed_rank, world.code, world.deadlock, world.text);
    return error ? (world.code ? world.code : 1) : 0;
}

void *peal_world_here(void)
{
    return pl_self();
}

void peal_world_join(void *world)
{
    pl_self_set_thread(world);
}
