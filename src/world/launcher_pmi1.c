/* PMI-1 as a launcher: the words go through pmi1.c as they are; which ranks share a
 * host follows from PMI_process_mapping. */
#include "launcher.h"

#include "errors.h"
#include "mapping.h"
#include "pmi1.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct by_pmi1 {
    struct pl_launcher launcher;
    struct pl_mapping mapping;
    bool mapped;
};

static int put(struct pl_launcher *launcher, const char *key, const char *value)
{
    return pl_pmi1_put(launcher->pmi1, key, value);
}

static int get(struct pl_launcher *launcher, const char *key, char *value, size_t size)
{
    return pl_pmi1_get(launcher->pmi1, key, value, size);
}

static int barrier(struct pl_launcher *launcher)
{
    return pl_pmi1_barrier(launcher->pmi1);
}

static int host_of(struct pl_launcher *launcher, int rank)
{
    const struct by_pmi1 *by = (const struct by_pmi1 *)launcher;
    return by->mapped ? pl_mapping_host(&by->mapping, rank) : 0;
}

static void abort_job(struct pl_launcher *launcher, int code, const char *text, bool called)
{
    (void)text;
    pl_pmi1_abort(launcher->pmi1, code, called);
}

static void finalize(struct pl_launcher *launcher)
{
    pl_pmi1_finalize(launcher->pmi1);
}

static void close_it(struct pl_launcher *launcher)
{
    pl_pmi1_close(launcher->pmi1);
    free(launcher);
}

static const struct pl_launcher_calls calls = {put, get, barrier, host_of, abort_job, finalize, close_it};

int pl_launcher_pmi1(struct pl_launcher **out)
{
    struct by_pmi1 *by = calloc(1, sizeof *by);
    char text[1024];
    if (!by)
        return pl_fail(PL_ENOMEM, "no memory to meet the launcher");
    int error = pl_pmi1_open(&by->launcher.pmi1);
    if (error) {
        free(by);
        return error;
    }
    by->launcher.calls = &calls;
    by->launcher.rank = pl_pmi1_rank(by->launcher.pmi1);
    by->launcher.size = pl_pmi1_size(by->launcher.pmi1);
    snprintf(by->launcher.space, sizeof by->launcher.space, "%s", pl_pmi1_space(by->launcher.pmi1));
    by->mapped = by->launcher.size > 1 &&
                 !pl_pmi1_get(by->launcher.pmi1, "PMI_process_mapping", text, sizeof text) &&
                 !pl_mapping_parse(&by->mapping, text);
    *out = &by->launcher;
    return 0;
}
