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

enum source { RANK, SIZE, LOCAL_RANK, LOCAL_SIZE, PMI_FD };

static const struct {
    const char *name;
    enum source what;
} variables[] = {
    {"PMI_FD", PMI_FD},
    {"PMI_RANK", RANK},
    {"PMI_SIZE", SIZE},
    {"MPI_LOCALRANKID", LOCAL_RANK},
    {"MPI_LOCALNRANKS", LOCAL_SIZE},
    {"OMPI_COMM_WORLD_RANK", RANK},
    {"OMPI_COMM_WORLD_SIZE", SIZE},
    {"OMPI_COMM_WORLD_LOCAL_RANK", LOCAL_RANK},
    {"OMPI_COMM_WORLD_LOCAL_SIZE", LOCAL_SIZE},
    {"RANK", RANK},
    {"WORLD_SIZE", SIZE},
    {"LOCAL_RANK", LOCAL_RANK},
    {"LOCAL_WORLD_SIZE", LOCAL_SIZE},
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
                        const struct pl_settings *general, const struct pl_settings *own)
{
    int count = 0;
    while (inherited[count])
        count++;
    size_t most = (size_t)(count + general->count + own->count) + PL_RANK_VARIABLES + 1;
    *environment = (struct pl_environment){.words = calloc(most, sizeof(char *))};
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

/* Whose a session, a home and a display are is told by the host where they are. */
static bool stays_home(const char *word)
{
    static const char *const names[] = {
        "HOME=",    "USER=",          "LOGNAME=",    "SHELL=",         "PWD=",
        "OLDPWD=",  "SHLVL=",         "MAIL=",       "HOSTNAME=",      "HOST=",
        "DISPLAY=", "PEAL_TERMINAL=", "XAUTHORITY=", "SSH_AUTH_SOCK=", "_="};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names_equal(word, names[i]))
            return true;
    return !strncmp(word, "SSH_", 4) || !strncmp(word, "XDG_", 4) || !strncmp(word, "DBUS_", 5);
}

char **pl_environment_elsewhere(char **there, char **sent)
{
    int count = 0, more = 0;
    while (there[count])
        count++;
    while (sent[more])
        more++;
    char **words = calloc((size_t)(count + more + 1), sizeof *words);
    if (!words)
        return NULL;
    struct pl_environment all = {.words = words, .common = count};
    memcpy(words, there, sizeof *words * (size_t)count);
    for (int i = 0; i < more; i++)
        if (!stays_home(sent[i]))
            add(&all, sent[i]);
    return words;
}

void pl_environment_finish(struct pl_environment *environment)
{
    free(environment->words);
}

char **pl_environment_of(struct pl_environment *environment, const struct pl_place *place, int pmi_fd)
{
    const int values[] = {[RANK] = place->rank,
                          [SIZE] = place->size,
                          [LOCAL_RANK] = place->local_rank,
                          [LOCAL_SIZE] = place->local_size,
                          [PMI_FD] = pmi_fd};
    char **at = environment->words + environment->common;
    for (int i = 0; i < VARIABLES; i++) {
        snprintf(environment->own[i], sizeof environment->own[i], "%s=%d", variables[i].name,
                 values[variables[i].what]);
        *at++ = environment->own[i];
    }
    *at = NULL;
    return environment->words;
}
