/* Who a rank is, it learns from PMI-1 (PMI_FD, PMI_RANK, PMI_SIZE). The other
 * names are those that programs and scripts ask for: MPICH's and Open MPI's for
 * the local rank (to pick a GPU, say), and those of the training frameworks.
 *
 * What an outer launcher told mpiexec itself must not reach the ranks: a rank
 * that finds PMIX_RANK or the PMI_PORT of a batch system would believe that one.
 */
#include "environment.h"

#include "errors.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum source { RANK, SIZE, PMI_FD };

static const struct {
    const char *name;
    enum source what;
} variables[] = {
    {"PMI_FD", PMI_FD},
    {"PMI_RANK", RANK},
    {"PMI_SIZE", SIZE},
    {"MPI_LOCALRANKID", RANK},
    {"MPI_LOCALNRANKS", SIZE},
    {"OMPI_COMM_WORLD_RANK", RANK},
    {"OMPI_COMM_WORLD_SIZE", SIZE},
    {"OMPI_COMM_WORLD_LOCAL_RANK", RANK},
    {"OMPI_COMM_WORLD_LOCAL_SIZE", SIZE},
    {"RANK", RANK},
    {"WORLD_SIZE", SIZE},
    {"LOCAL_RANK", RANK},
    {"LOCAL_WORLD_SIZE", SIZE},
};

enum { VARIABLES = sizeof variables / sizeof *variables };
_Static_assert((int)VARIABLES <= (int)PL_RANK_VARIABLES, "room for each variable");

static bool names_equal(const char *a, const char *b)
{
    size_t length = strcspn(a, "=");
    return length == strcspn(b, "=") && !strncmp(a, b, length);
}

static bool ours(const char *word)
{
    if (names_equal(word,
                    "MPI_PARENT_PORT=")) /* a world spawned by MPI_Comm_spawn is told anew, or not at all */
        return true;
    if (!strncmp(word, "PMI_", 4) || !strncmp(word, "PMIX_", 5))
        return true;
    for (int i = 0; i < VARIABLES; i++)
        if (names_equal(word, variables[i].name))
            return true;
    return false;
}

static void add(struct pl_environment *environment, char *word)
{
    for (int i = 0; i < environment->common; i++)
        if (names_equal(environment->words[i], word)) {
            environment->words[i] = word;
            return;
        }
    environment->words[environment->common++] = word;
}

int pl_environment_init(struct pl_environment *environment, char **inherited,
                        const struct pl_settings *general, const struct pl_settings *own, int size)
{
    int count = 0;
    while (inherited[count])
        count++;
    size_t most = (size_t)(count + general->count + own->count) + PL_RANK_VARIABLES + 1;
    *environment = (struct pl_environment){.size = size, .words = calloc(most, sizeof(char *))};
    if (!environment->words)
        return pl_fail(PL_ENOMEM, "no memory for the ranks' environment");
    for (int i = 0; i < count; i++)
        if (!ours(inherited[i]))
            environment->words[environment->common++] = inherited[i];
    for (int i = 0; i < general->count; i++)
        add(environment, general->words[i]);
    for (int i = 0; i < own->count; i++)
        add(environment, own->words[i]);
    return 0;
}

void pl_environment_finish(struct pl_environment *environment)
{
    free(environment->words);
}

char **pl_environment_of(struct pl_environment *environment, int rank, int pmi_fd)
{
    char **at = environment->words + environment->common;
    for (int i = 0; i < VARIABLES; i++) {
        int value = variables[i].what == RANK ? rank : variables[i].what == SIZE ? environment->size : pmi_fd;
        snprintf(environment->own[i], sizeof environment->own[i], "%s=%d", variables[i].name, value);
        *at++ = environment->own[i];
    }
    *at = NULL;
    return environment->words;
}
