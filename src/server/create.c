/* Making and ending a parameter server. */
#include "manager.h"
#include "replace.h"
#include "server.h"
#include "worker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static int refuse(char *text, size_t bytes, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(text, bytes, format, list);
    va_end(list);
    return MPI_ERR_ARG;
}

static int replicas_of(const struct peal_ps_options *o)
{
    int serving = o->servers - o->spares;
    return o->replicas ? o->replicas : serving < 2 ? 1 : serving < 4 ? 2 : 3;
}

int peal_ps_check(const struct peal_ps_options *o, int ranks, char *text, size_t bytes)
{
    struct pl_ps_table table;
    if (!o)
        return refuse(text, bytes, "options is NULL");
    if (o->servers < 1 || o->servers > PL_PS_SERVERS_MAX)
        return refuse(text, bytes, "%d servers; there can be 1 to %d", o->servers, PL_PS_SERVERS_MAX);
    if (o->servers > ranks - (o->beside ? 0 : 1))
        return refuse(text, bytes, "%d server(s)%s on %d rank(s) leave no worker; start more ranks",
                      o->servers, o->beside ? " beside workers" : "", ranks);
    if (o->spares < 0 || o->spares >= o->servers)
        return refuse(text, bytes, "%d spares of %d servers leave none to serve", o->spares, o->servers);
    if (o->replicas < 0 || o->replicas > PL_PS_REPLICAS_MAX)
        return refuse(text, bytes, "%d replicas; there can be 1 to %d", o->replicas, PL_PS_REPLICAS_MAX);
    if (replicas_of(o) > o->servers - o->spares)
        return refuse(
            text, bytes,
            "%d replicas need as many servers, and %d serve: ask for more servers or fewer replicas",
            o->replicas, o->servers - o->spares);
    if ((int)o->mode < PEAL_PS_SYNC || o->mode > PEAL_PS_ASYNC)
        return refuse(text, bytes, "the mode is none of enum peal_ps_mode");
    if (o->staleness < 0)
        return refuse(text, bytes, "a staleness of %d clocks is negative", o->staleness);
    if (!o->tables || o->table_count < 1 || o->table_count > PL_PS_TABLES_MAX)
        return refuse(text, bytes, "%d tables; there can be 1 to %d", o->table_count, PL_PS_TABLES_MAX);
    for (int t = 0; t < o->table_count; t++) {
        const char *wrong = pl_ps_table_init(&table, o, t);
        if (wrong)
            return refuse(text, bytes, "table %d (%s): %s", t,
                          o->tables[t].name ? o->tables[t].name : "no name", wrong);
    }
    return MPI_SUCCESS;
}

static uint64_t stir(uint64_t hash, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return pl_ps_mix(hash ^ bits);
}

/* A number that is the same where the options are; names and functions may lie elsewhere on each rank. */
uint64_t pl_ps_digest(const struct peal_ps_options *o)
{
    const int whole[] = {o->servers,   o->beside,    o->spares,      o->replicas,
                         (int)o->mode, o->staleness, o->table_count, o->respawn};
    uint64_t hash = 0;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        hash = stir(hash, whole[i]);
    for (int i = 0; i < o->table_count; i++) {
        const struct peal_ps_table *t = &o->tables[i];
        const double numbers[] = {t->width,
                                  (int)t->updater,
                                  (double)t->rate,
                                  (double)t->momentum,
                                  (double)t->beta1,
                                  (double)t->beta2,
                                  (double)t->epsilon,
                                  (double)t->beta,
                                  (double)t->l1,
                                  (double)t->l2,
                                  t->states,
                                  (int)t->initial,
                                  (double)t->initial_a,
                                  (double)t->initial_b,
                                  t->filters,
                                  (double)t->threshold};
        hash = pl_ps_mix(pl_ps_mix(hash ^ t->range) ^ t->seed);
        for (const char *c = t->updater_name ? t->updater_name : ""; *c; c++)
            hash = stir(hash, *c);
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            hash = stir(hash, numbers[k]);
    }
    return hash;
}

static int agree_on(MPI_Comm comm, const struct peal_ps_options *o, int own, char *text, size_t bytes)
{
    uint64_t mine[2] = {own ? 0 : pl_ps_digest(o), own ? 0 : ~pl_ps_digest(o)}, least[2];
    int error = MPI_Allreduce(mine, least, 2, MPI_UINT64_T, MPI_MIN, comm);
    if (error)
        return refuse(text, bytes, "the communicator does not work (MPI error %d)", error);
    if (own)
        return own;
    return least[0] == ~least[1] ? MPI_SUCCESS : refuse(text, bytes, "the ranks gave different options");
}

static void set_roles(struct peal_ps *ps)
{
    const struct peal_ps_options *o = &ps->options;
    ps->servers = o->servers;
    ps->workers = o->beside ? ps->size : ps->size - o->servers;
    ps->first_server = o->beside ? 0 : ps->workers;
    ps->first_worker = 0;
    ps->my_server = pl_ps_server_of(ps, ps->rank);
    ps->my_worker = ps->alone ? -1 : pl_ps_worker_of(ps, ps->rank);
}

static void free_all(struct peal_ps *ps)
{
    pl_ps_links_free(ps);
    pl_ps_server_destroy(ps);
    pl_ps_worker_destroy(ps);
    pl_ps_manager_destroy(ps);
    pl_ps_pool_finish(&ps->pool);
    free(ps->view);
    free(ps->farewell);
    pl_ps_request_forget(ps->waiter);
    pthread_mutex_destroy(&ps->lock);
    free(ps);
}

/* MPI ends, and nobody has destroyed it: only memory is left to care for. A rank that is ended inside a call
 * holds the lock itself; else it is free. */
static void ended(void *state)
{
    struct peal_ps *ps = state;
    (void)pthread_mutex_trylock(&ps->lock);
    pthread_mutex_unlock(&ps->lock);
    free_all(ps);
}

void pl_ps_unmake(struct peal_ps *ps)
{
    MPI_Comm comm = ps->comm;
    if (ps->hooked)
        peal_hook_remove(pl_ps_hook, ps);
    pl_ps_links_close(ps);
    free_all(ps);
    if (comm != MPI_COMM_NULL)
        MPI_Comm_free(&comm);
}

int pl_ps_build(struct peal_ps *ps)
{
    const struct peal_ps_options *o = &ps->options;
    set_roles(ps);
    int parts = pl_ps_parts(ps->servers), error = MPI_SUCCESS;
    ps->part_shift = 64;
    ps->door.server = -1;
    for (int n = parts; n > 1; n /= 2)
        ps->part_shift--;
    ps->table_count = o->table_count;
    for (int t = 0; t < o->table_count; t++)
        pl_ps_table_init(&ps->tables[t], o, t);
    if (!ps->view)
        ps->view = pl_ps_view_create(ps->servers, o->spares, ps->workers, parts, replicas_of(o));
    ps->farewell = calloc((size_t)ps->size, sizeof *ps->farewell);
    if (!ps->view || !ps->farewell)
        return MPI_ERR_NO_MEM;
    if (!ps->alone)
        pl_ps_service(ps->door.service, o);
    ps->options.tables = NULL;
    ps->options.functions = NULL;
    if (ps->my_server >= 0)
        error = pl_ps_server_create(ps);
    if (!error && ps->my_server >= 0)
        error = pl_ps_manager_create(ps);
    if (!error && ps->my_worker >= 0)
        error = pl_ps_worker_create(ps);
    if (!error)
        error = pl_ps_links_open(ps);
    if (!error && o->respawn && !ps->alone)
        error = pl_ps_replace_open(ps);
    if (!error)
        error = peal_hook_add(pl_ps_hook, ended, ps);
    ps->hooked = !error;
    return error;
}

static bool like_world(MPI_Comm comm)
{
    int result = MPI_UNEQUAL;
    MPI_Comm_compare(comm, MPI_COMM_WORLD, &result);
    return result == MPI_IDENT || result == MPI_CONGRUENT;
}

int peal_ps_create(MPI_Comm comm, const struct peal_ps_options *options, peal_ps **out)
{
    char text[512] = "";
    int rank, size, error = MPI_Comm_size(comm, &size), all;
    if (error || !out)
        return error ? error : MPI_ERR_ARG;
    MPI_Comm_rank(comm, &rank);
    if (options && options->respawn && peal_replaced() >= 0)
        return pl_ps_arrive(options, out);
    error = peal_ps_check(options, size, text, sizeof text);
    if (!error && options->respawn && !like_world(comm))
        error = refuse(text, sizeof text, "respawn needs the ranks of MPI_COMM_WORLD");
    error = agree_on(comm, options, error, text, sizeof text);
    struct peal_ps *ps = error ? NULL : calloc(1, sizeof *ps);
    if (error) {
        if (!rank)
            fprintf(stderr, "peal_ps_create: %s\n", text);
        return error;
    }
    error = ps ? MPI_SUCCESS : MPI_ERR_NO_MEM;
    if (ps) {
        pthread_mutex_init(&ps->lock, NULL);
        ps->comm = MPI_COMM_NULL;
        ps->options = *options;
        ps->rank = rank;
        ps->size = size;
        error = MPI_Comm_dup(comm, &ps->comm);
    }
    if (!error)
        error = MPI_Comm_set_errhandler(ps->comm, MPI_ERRORS_RETURN);
    if (!error)
        error = pl_ps_build(ps);
    MPI_Allreduce(&error, &all, 1, MPI_INT, MPI_MAX, comm);
    if (all && ps)
        pl_ps_unmake(ps);
    if (!all)
        *out = ps;
    return all;
}

static bool idle(const struct peal_ps *ps)
{
    return !ps->worker || !ps->worker->first;
}

static bool over(const struct peal_ps *ps)
{
    for (int s = 0; s < ps->servers; s++)
        if (!ps->links.link[pl_ps_rank_of_server(ps, s)].dead && ps->view->server[s] < PL_PS_LEFT)
            return ps->over;
    return true;
}

static bool quiet(const struct peal_ps *ps)
{
    for (int s = 0; s < ps->servers; s++) {
        int rank = pl_ps_rank_of_server(ps, s);
        if (!ps->links.link[rank].dead && !ps->farewell[rank] && ps->view->server[s] != PL_PS_DEAD)
            return false;
    }
    return true;
}

int peal_ps_flush(peal_ps *ps)
{
    return ps ? pl_ps_await(ps, idle) : MPI_ERR_ARG;
}

int peal_ps_serve(peal_ps *ps)
{
    if (!ps || !ps->server)
        return ps ? pl_ps_fail(ps, MPI_ERR_ARG, "rank %d is no server", ps->rank) : MPI_ERR_ARG;
    return pl_ps_await(ps, over);
}

int peal_ps_destroy(peal_ps **handle)
{
    if (!handle || !*handle)
        return MPI_ERR_ARG;
    struct peal_ps *ps = *handle;
    int error = pl_ps_await(ps, idle);
    pl_ps_enter(ps);
    if (ps->worker && !ps->worker->leaving) {
        ps->worker->leaving = true;
        pl_ps_send_header(ps, pl_ps_rank_of_server(ps, ps->view->manager), PL_PS_BYE, 0, 0);
    }
    pl_ps_leave_lock(ps);
    if (!error)
        error = pl_ps_await(ps, over);
    if (!error)
        error = pl_ps_await(ps, quiet);
    if (ps->options.respawn)
        pl_ps_replace_close(ps);
    pl_ps_unmake(ps);
    *handle = NULL;
    return error;
}
