/* Who started this process, told by its environment. The nearest launcher comes
 * first, since its variables may stand among those of another that started it:
 *
 *     PMI_FD                          Peal's mpiexec, Hydra, srun --mpi=pmi2     PMI-1
 *     PMIX_RANK                       srun --mpi=pmix, prterun, Open MPI         PMIx
 *     PEAL_RANK, PEAL_SIZE, PEAL_ROOT whoever sets them                          meeting
 *     SLURM_PROCID in a step          srun without either                        meeting
 *     RANK, WORLD_SIZE, MASTER_ADDR   torchrun                                   meeting
 *     JOB_COMPLETION_INDEX, PEAL_SIZE a pod of a Kubernetes indexed Job          meeting
 *     none                            nobody: a world of one
 *
 * PEAL_ROOT=host:port#secret names the meeting place in any of the meetings. What is
 * half there is an error: a job that was meant to have four ranks and runs as four
 * worlds of one computes something else, and says nothing.
 */
#include "config.h"
#include "errors.h"
#include "launcher.h"
#include "pmi1.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Ranks of one job seldom start at the same moment: pods are placed, images are fetched. */
enum { MEETING_PATIENCE = 6 };

static int number(const char *name, long least, long most, int *value)
{
    const char *text = getenv(name);
    char *end;
    errno = 0;
    long n = text ? strtol(text, &end, 10) : 0;
    if (!text || end == text || *end || errno || n < least || n > most)
        return pl_fail(PL_EARG, "%s=%.60s: a number from %ld to %ld was expected", name,
                       text ? text : "(unset)", least, most);
    *value = (int)n;
    return 0;
}

static int rank_and_size(struct pl_meeting_place *place, const char *rank, const char *size)
{
    int error = number(size, 1, INT_MAX, &place->size);
    return error ? error : number(rank, 0, place->size - 1, &place->rank);
}

/* Takes "host", "host:port", "[v6]:port", each with "#secret" behind it. */
static int take_root(struct pl_meeting_place *place, const char *text)
{
    char copy[512], *host = copy, *port = NULL;
    snprintf(copy, sizeof copy, "%s", text);
    char *secret = strchr(copy, '#');
    if (secret)
        *secret++ = '\0';
    if (*copy == '[') {
        char *close = strchr(copy, ']');
        if (!close)
            return pl_fail(PL_EARG, "PEAL_ROOT=%.100s: ']' is missing", copy);
        *close = '\0';
        host = copy + 1;
        port = close[1] == ':' ? close + 2 : NULL;
    } else if (strchr(copy, ':') && strchr(copy, ':') == strrchr(copy, ':')) {
        port = strchr(copy, ':');
        *port++ = '\0';
    }
    char *end;
    long n = port ? strtol(port, &end, 10) : 0;
    if (!*host || strlen(host) >= sizeof place->host ||
        (port && (end == port || *end || n < 1 || n > 65535)) ||
        (secret && strlen(secret) >= sizeof place->secret))
        return pl_fail(PL_EARG, "PEAL_ROOT=%.100s: 'host:port' of rank 0 was expected", copy);
    strcpy(place->host, host);
    place->port = (int)n;
    if (secret)
        strcpy(place->secret, secret);
    return 0;
}

static int meet(struct pl_launcher **launcher, struct pl_meeting_place *place, const struct pl_config *config)
{
    const char *root = getenv("PEAL_ROOT");
    int error = root ? take_root(place, root) : 0;
    if (error || place->size == 1)
        return error;
    if (!place->host[0])
        return pl_fail(PL_EARG, "rank %d of %d: where rank 0 is, is not known: set PEAL_ROOT=host:port",
                       place->rank, place->size);
    return pl_launcher_meet(launcher, place, MEETING_PATIENCE * config->timeout);
}

static int by_own_names(struct pl_launcher **launcher, const struct pl_config *config)
{
    struct pl_meeting_place place = {.job = "peal", .who = "PEAL_RANK"};
    int error = rank_and_size(&place, "PEAL_RANK", "PEAL_SIZE");
    return error ? error : meet(launcher, &place, config);
}

/* The first name of a list as Slurm writes it: "n[03-05,7],m" is n03. */
static void first_node(const char *list, char *name, size_t size)
{
    size_t length = strcspn(list, "[,");
    const char *from = list[length] == '[' ? list + length + 1 : "";
    size_t digits = strspn(from, "0123456789"), close = strcspn(from, "]");
    int tail = from[close] == ']' ? (int)strcspn(from + close + 1, ",[") : 0;
    snprintf(name, size, "%.*s%.*s%.*s", (int)length, list, (int)digits, from, tail,
             tail ? from + close + 1 : "");
}

/* In a step that srun started; SLURM_PROCID alone is also there in a batch script. */
static bool in_slurm_step(void)
{
    return getenv("SLURM_PROCID") && getenv("SLURM_STEP_NUM_TASKS") && getenv("SLURM_STEP_ID");
}

static int by_slurm(struct pl_launcher **launcher, const struct pl_config *config)
{
    char job[128];
    const char *nodes = getenv("SLURM_STEP_NODELIST"), *id = getenv("SLURM_JOB_ID");
    const char *arbitrary = getenv("SLURM_ARBITRARY_NODELIST");
    snprintf(job, sizeof job, "slurm-%.40s.%.40s", id ? id : "", getenv("SLURM_STEP_ID"));
    struct pl_meeting_place place = {.job = job, .who = "srun"};
    int error = rank_and_size(&place, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS");
    if (arbitrary || nodes)
        first_node(arbitrary ? arbitrary : nodes, place.host, sizeof place.host);
    return error ? error : meet(launcher, &place, config);
}

static bool in_torchrun(void)
{
    return getenv("RANK") && getenv("WORLD_SIZE") && getenv("MASTER_ADDR");
}

/* torchrun's own store has MASTER_PORT, so ours is another; each restart of the job is another job. */
static int by_torchrun(struct pl_launcher **launcher, const struct pl_config *config)
{
    char job[256];
    const char *run = getenv("TORCHELASTIC_RUN_ID"), *again = getenv("TORCHELASTIC_RESTART_COUNT");
    const char *port = getenv("MASTER_PORT");
    snprintf(job, sizeof job, "torchrun-%.80s-%.20s-%.20s", run ? run : "", again ? again : "",
             port ? port : "");
    struct pl_meeting_place place = {.job = job, .who = "torchrun"};
    int error = rank_and_size(&place, "RANK", "WORLD_SIZE");
    snprintf(place.host, sizeof place.host, "%s", getenv("MASTER_ADDR"));
    return error ? error : meet(launcher, &place, config);
}

/* A pod of an indexed Job is called name-index, and its headless service gives each that name: so rank 0 is
 * name-0, in our own domain. */
static void pod_zero(const char *own, int index, char *name, size_t size)
{
    char domain[256] = "", line[512], tail[16];
    size_t room = size > 3 ? size - 3 : 0;
    size_t length = strlen(own);
    int digits = snprintf(tail, sizeof tail, "-%d", index);
    if (length > (size_t)digits && !strcmp(own + length - digits, tail))
        length -= (size_t)digits;
    FILE *file = fopen("/etc/hosts", "re");
    while (file && fgets(line, sizeof line, file)) {
        char *save, *word = strtok_r(line, " \t\n", &save);
        while (word && (word = strtok_r(NULL, " \t\n", &save)))
            if (!strncmp(word, own, strlen(own)) && word[strlen(own)] == '.')
                snprintf(domain, sizeof domain, "%s", word + strlen(own));
    }
    if (file)
        fclose(file);
    length = length < room ? length : room;
    snprintf(name, size, "%.*s-0%.*s", (int)length, own, (int)(room - length), domain);
}

static int by_kubernetes(struct pl_launcher **launcher, const struct pl_config *config)
{
    char own[256] = "", job[300];
    if (!getenv("PEAL_SIZE"))
        return pl_fail(PL_EARG,
                       "this is pod %.20s of a Kubernetes indexed Job, and how many there are is not "
                       "known: set PEAL_SIZE to its completions, or to 1 for a world of one",
                       getenv("JOB_COMPLETION_INDEX"));
    struct pl_meeting_place place = {.who = "the indexed Job"};
    int error = rank_and_size(&place, "JOB_COMPLETION_INDEX", "PEAL_SIZE");
    if (error)
        return error;
    gethostname(own, sizeof own - 1);
    pod_zero(own, place.rank, place.host, sizeof place.host);
    snprintf(job, sizeof job, "kubernetes-%s", place.host);
    place.job = job;
    return meet(launcher, &place, config);
}

static int by_pmix(struct pl_launcher **launcher, const struct pl_config *config)
{
    int error = pl_launcher_pmix(launcher);
    return error == PL_EUNSUPPORTED && in_slurm_step() ? by_slurm(launcher, config) : error;
}

int pl_launcher_find(struct pl_launcher **launcher, const struct pl_config *config)
{
    *launcher = NULL;
    if (pl_pmi1_present())
        return pl_launcher_pmi1(launcher);
    if (getenv("PMIX_RANK"))
        return by_pmix(launcher, config);
    if (getenv("PEAL_RANK"))
        return by_own_names(launcher, config);
    if (in_slurm_step())
        return by_slurm(launcher, config);
    if (in_torchrun())
        return by_torchrun(launcher, config);
    if (getenv("JOB_COMPLETION_INDEX"))
        return by_kubernetes(launcher, config);
    if (getenv("PEAL_SIZE") || getenv("PEAL_ROOT"))
        return pl_fail(PL_EARG, "PEAL_%s is set, but PEAL_RANK is not: which rank is this?",
                       getenv("PEAL_SIZE") ? "SIZE" : "ROOT");
    return pl_launcher_part();
}
