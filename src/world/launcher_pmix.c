/* PMIx: what Open MPI's prterun and `srun --mpi=pmix` speak. The client is a library
 * of its own, libpmix, which is opened when a launcher that speaks PMIx has started us
 * and not before: Peal needs it neither to be built nor to be run elsewhere. Its
 * header was there when this file was compiled; without it the launcher is refused
 * with a text that says so.
 *
 *     rank and size   PMIx_Init, PMIX_JOB_SIZE
 *     words           PMIx_Put, PMIx_Commit; PMIx_Fence with the collected data; PMIx_Get
 *     hosts           each rank says in a word where it is: Slurm numbers the nodes of its own node's ranks
 * only
 */
#include "launcher.h"

#include "errors.h"
#include "meet.h"

#if PL_HAVE_PMIX

#include <dlfcn.h>
#include <pmix.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SONAME "libpmix.so.2"

/* The functions of libpmix that are called, with their types as the header has them. */
#define CALLS(call)                                                                                          \
    call(Init) call(Get) call(Put) call(Commit) call(Fence) call(Abort) call(Finalize) call(Error_string)

struct by_pmix {
    struct pl_launcher launcher;
    void *library;
    pmix_proc_t self;
    int *hosts; /* [size] */
#define MEMBER(name) __typeof__(&PMIx_##name) name;
    CALLS(MEMBER)
#undef MEMBER
};

static int refused(const struct by_pmix *by, const char *what, pmix_status_t status)
{
    return pl_fail(PL_EPEER, "rank %d: PMIx: %s: %.100s", by->launcher.rank, what, by->Error_string(status));
}

static int put(struct pl_launcher *launcher, const char *key, const char *value)
{
    struct by_pmix *by = (struct by_pmix *)launcher;
    char copy[2048];
    snprintf(copy, sizeof copy, "%s", value);
    pmix_value_t word = {.type = PMIX_STRING, .data.string = copy};
    pmix_status_t status = by->Put(PMIX_GLOBAL, key, &word);
    return status ? refused(by, "put", status) : 0;
}

/* The value of a key that this rank put: PMIx asks for who put it, and our keys end with that rank's number.
 */
static int get(struct pl_launcher *launcher, const char *key, char *value, size_t size)
{
    struct by_pmix *by = (struct by_pmix *)launcher;
    const char *dash = strrchr(key, '-');
    char *end;
    long rank = dash ? strtol(dash + 1, &end, 10) : 0;
    pmix_proc_t owner = by->self;
    owner.rank = dash && end != dash + 1 && !*end ? (pmix_rank_t)rank : 0;
    pmix_value_t *found = NULL;
    pmix_status_t status = by->Get(&owner, key, NULL, 0, &found);
    if (status || !found)
        return pl_fail(PL_EUNREACHABLE, "rank %d: no rank has put '%.60s' (PMIx: %.80s)", launcher->rank, key,
                       by->Error_string(status));
    bool fits = found->type == PMIX_STRING && found->data.string && strlen(found->data.string) < size;
    if (fits)
        strcpy(value, found->data.string);
    if (found->type == PMIX_STRING)
        free(found->data.string);
    free(found);
    return fits ? 0
                : pl_fail(PL_ETRUNCATE, "rank %d: the value of '%.60s' does not fit", launcher->rank, key);
}

static int barrier(struct pl_launcher *launcher)
{
    struct by_pmix *by = (struct by_pmix *)launcher;
    bool collect = true;
    pmix_info_t info = {.value = {.type = PMIX_BOOL, .data.flag = collect}};
    snprintf(info.key, sizeof info.key, "%s", PMIX_COLLECT_DATA);
    pmix_status_t status = by->Commit();
    if (!status)
        status = by->Fence(NULL, 0, &info, 1);
    return status ? refused(by, "the barrier", status) : 0;
}

static int host_of(struct pl_launcher *launcher, int rank)
{
    return ((const struct by_pmix *)launcher)->hosts[rank];
}

static void abort_job(struct pl_launcher *launcher, int code, const char *text, bool called)
{
    (void)called;
    struct by_pmix *by = (struct by_pmix *)launcher;
    by->Abort(code, text, NULL, 0);
}

static void finalize(struct pl_launcher *launcher)
{
    struct by_pmix *by = (struct by_pmix *)launcher;
    by->Finalize(NULL, 0);
}

static void close_it(struct pl_launcher *launcher)
{
    struct by_pmix *by = (struct by_pmix *)launcher;
    free(by->hosts);
    free(by); /* the library has threads, and stays */
}

static const struct pl_launcher_calls calls = {put, get, barrier, host_of, abort_job, finalize, close_it};

static int open_library(struct by_pmix *by)
{
    by->library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!by->library)
        return pl_fail(PL_EUNSUPPORTED,
                       "this launcher speaks PMIx, and %s cannot be opened (%.200s): on Debian it is "
                       "in libpmix2",
                       SONAME, dlerror());
    void *symbol = NULL;
    const char *missing = NULL;
#define FIND(name)                                                                                           \
    symbol = dlsym(by->library, "PMIx_" #name);                                                              \
    missing = symbol ? missing : "PMIx_" #name;                                                              \
    memcpy(&by->name, &symbol, sizeof symbol);
    CALLS(FIND)
#undef FIND
    return missing ? pl_fail(PL_EUNSUPPORTED, "%s has no function %s", SONAME, missing) : 0;
}

/* How many ranks the job has; 0: the launcher does not say. */
static uint32_t job_size(struct by_pmix *by)
{
    pmix_proc_t job = by->self;
    job.rank = PMIX_RANK_WILDCARD;
    pmix_value_t *value = NULL;
    if (by->Get(&job, PMIX_JOB_SIZE, NULL, 0, &value) || !value)
        return 0;
    uint32_t size = value->type == PMIX_UINT32 ? value->data.uint32 : 0;
    free(value);
    return size;
}

/* Numbers the hosts in the order of their first rank, from what each rank says of its own. */
static int find_hosts(struct by_pmix *by)
{
    int size = by->launcher.size, hosts = 0;
    unsigned char own[PL_MEET_HOST];
    char key[64], text[2 * PL_MEET_HOST + 1], (*all)[sizeof text] = calloc((size_t)size, sizeof *all);
    int *firsts = calloc((size_t)size, sizeof *firsts);
    pl_meet_own_host(own);
    sodium_bin2hex(text, sizeof text, own, sizeof own);
    snprintf(key, sizeof key, "peal-host-%d", by->launcher.rank);
    int error = all && firsts ? put(&by->launcher, key, text)
                              : pl_fail(PL_ENOMEM, "no memory for the hosts of %d ranks", size);
    if (!error)
        error = barrier(&by->launcher);
    for (int i = 0; i < size && !error; i++) {
        snprintf(key, sizeof key, "peal-host-%d", i);
        error = get(&by->launcher, key, all[i], sizeof *all);
        int host = 0;
        while (!error && host < hosts && strcmp(all[firsts[host]], all[i]) != 0)
            host++;
        if (host == hosts)
            firsts[hosts++] = i;
        by->hosts[i] = host;
    }
    free(all);
    free(firsts);
    return error;
}

int pl_launcher_pmix(struct pl_launcher **out)
{
    struct by_pmix *by = calloc(1, sizeof *by);
    if (!by)
        return pl_fail(PL_ENOMEM, "no memory to meet the launcher");
    int error = open_library(by);
    if (error)
        goto free_by;
    pmix_status_t status = by->Init(&by->self, NULL, 0);
    if (status) {
        error = pl_fail(PL_EPEER, "PMIX_RANK is set, but PMIx_Init fails: %.100s", by->Error_string(status));
        goto free_by;
    }
    by->launcher.calls = &calls;
    by->launcher.rank = (int)by->self.rank;
    snprintf(by->launcher.space, sizeof by->launcher.space, "%s", by->self.nspace);
    uint32_t size = job_size(by);
    if (by->self.rank >= size) {
        error = pl_fail(PL_EPROTOCOL, "PMIx: the launcher does not say how many ranks the job has");
        goto finalize;
    }
    by->launcher.size = (int)size;
    by->hosts = calloc(size, sizeof *by->hosts);
    if (!by->hosts) {
        error = pl_fail(PL_ENOMEM, "no memory for the hosts of %u ranks", size);
        goto finalize;
    }
    error = find_hosts(by);
    if (error)
        goto finalize;
    *out = &by->launcher;
    return 0;
finalize:
    by->Finalize(NULL, 0);
free_by:
    free(by->hosts);
    free(by);
    return error;
}

#else

int pl_launcher_pmix(struct pl_launcher **out)
{
    (void)out;
    return pl_fail(PL_EUNSUPPORTED,
                   "this launcher speaks PMIx, and this Peal was built without its header (Debian: "
                   "libpmix-dev): build it again, or use srun --mpi=pmi2");
}

#endif
