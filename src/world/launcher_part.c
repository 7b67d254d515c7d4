/* What launchers leave in the environment when something between them and the rank lost a part of it: a
 * shell that unsets variables, an ssh in between, a launcher whose PMI is switched off. A program started so
 * would be a world of one, one of many that each compute the whole.
 *
 * Who has a number among several is told so by an error. Where only the number of tasks is there, or where
 * a batch script sets what a step sets too, the process may well be meant to be alone: a warning, always.
 */
#include "launcher.h"

#include "errors.h"
#include "log.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static const struct trace {
    const char *size, *rank; /* the variables; */
    const char *missing;     /* ... and what must be there beside them for ranks to meet */
    bool shared;             /* both are also there where nothing is missing */
} traces[] = {
    {"PMI_SIZE", "PMI_RANK", "PMI_FD", false},
    {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", false},
    {"PALS_NRANKS", "PALS_RANKID", "PMI_FD", false},
    {"FLUX_JOB_SIZE", "FLUX_TASK_RANK", "PMI_FD", false},
    {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_STEP_ID", false},
    {"SLURM_NTASKS", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", true},
    {"WORLD_SIZE", "RANK", "MASTER_ADDR", false},
};

enum { TRACES = sizeof traces / sizeof *traces };

static long number(const char *name)
{
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : 0;
}

/* Says who has lost its number, or what its number means, and lets it be alone. */
static void warn(const struct trace *t)
{
    bool numbered = getenv(t->rank) != NULL, sized = number(t->size) > 1;
    pl_warn(
        "this is a world of one rank, though %s=%.20s: %s is not there. Start several ranks by mpiexec or "
        "srun; PEAL_RANK=0 PEAL_SIZE=1 says that one is meant",
        sized ? t->size : t->rank, getenv(sized ? t->size : t->rank),
        !numbered ? t->rank
        : !sized  ? t->size
                  : t->missing);
}

int pl_launcher_part(void)
{
    const struct trace *doubtful = NULL;
    for (const struct trace *t = traces; t < traces + TRACES; t++) {
        long size = number(t->size), rank = number(t->rank);
        if (size > 1 && getenv(t->rank) && (rank > 0 || !t->shared))
            return pl_fail(
                PL_EARG,
                "%s=%.20s and %s=%.20s say that this is one of several ranks, but %s is not there, "
                "by which they would meet: start the job by mpiexec, or set PEAL_RANK=0 "
                "PEAL_SIZE=1 for a world of one",
                t->rank, getenv(t->rank), t->size, getenv(t->size), t->missing);
        if (!doubtful && (size > 1 || rank > 0))
            doubtful = t;
    }
    if (doubtful)
        warn(doubtful);
    return 0;
}
