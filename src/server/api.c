/* The calls of a member: arguments checked, operations started. */
#include "manager.h"
#include "server.h"
#include "worker.h"

#include <string.h>

int peal_ps_role(const peal_ps *ps)
{
    return ps ? (ps->worker ? PEAL_PS_WORKER : 0) | (ps->server ? PEAL_PS_SERVER : 0) : 0;
}

int peal_ps_worker(const peal_ps *ps)
{
    return ps ? ps->my_worker : -1;
}

int peal_ps_workers(const peal_ps *ps)
{
    return ps ? ps->workers : 0;
}

const char *peal_ps_why(const peal_ps *ps)
{
    return ps ? ps->why : "there is no parameter server (NULL)";
}

/* ---- operations ---- */

static int check_worker(struct peal_ps *ps, const char *call)
{
    if (!ps)
        return MPI_ERR_ARG;
    return ps->worker ? MPI_SUCCESS : pl_ps_fail(ps, MPI_ERR_ARG, "%s: rank %d is no worker", call, ps->rank);
}

static int check_operation(struct peal_ps *ps, const char *call, const struct pl_ps_operation *o,
                           const void *values)
{
    int error = check_worker(ps, call);
    if (error)
        return error;
    if (o->table < 0 || o->table >= ps->table_count)
        return pl_ps_fail(ps, MPI_ERR_ARG, "%s: there is no table %d; there are 0..%d", call, o->table,
                          ps->table_count - 1);
    const struct pl_ps_table *table = &ps->tables[o->table];
    if (o->n > UINT32_MAX / 2)
        return pl_ps_fail(ps, MPI_ERR_COUNT, "%s: %zu keys are too many for one operation", call, o->n);
    if (!values && o->n)
        return pl_ps_fail(ps, MPI_ERR_BUFFER, "%s: values is NULL for %zu keys", call, o->n);
    if (!o->keys && (o->n > UINT64_MAX - o->first || (table->is.range && o->first + o->n > table->is.range)))
        return pl_ps_fail(ps, MPI_ERR_ARG, "%s: keys %llu to %llu; table %d has 0..%llu", call,
                          (unsigned long long)o->first, (unsigned long long)(o->first + o->n - 1), o->table,
                          (unsigned long long)(table->is.range ? table->is.range - 1 : UINT64_MAX));
    for (size_t i = 0; o->keys && table->is.range && i < o->n; i++)
        if (o->keys[i] >= table->is.range)
            return pl_ps_fail(ps, MPI_ERR_ARG, "%s: key %llu at place %zu; table %d has 0..%llu", call,
                              (unsigned long long)o->keys[i], i, o->table,
                              (unsigned long long)table->is.range - 1);
    return MPI_SUCCESS;
}

/* Starts `count` operations that are one for the program, and waits if it wants. The lock is not held. */
static int start(struct peal_ps *ps, struct pl_ps_operation *operations, int count, MPI_Request *out)
{
    MPI_Request handle = MPI_REQUEST_NULL;
    pl_ps_enter(ps);
    struct pl_ps_request *request = pl_ps_request_create(count, &handle);
    int error = request ? MPI_SUCCESS : pl_ps_fail(ps, MPI_ERR_NO_MEM, "no memory for a request");
    for (int i = 0; i < count && request; i++) {
        int failed = error ? error : pl_ps_worker_start(ps, &operations[i], request);
        if (failed)
            pl_ps_request_end(request, failed);
        error = failed;
    }
    pl_ps_leave_lock(ps);
    if (!request)
        return error;
    if (!out || error) {
        int waited = MPI_Wait(&handle, MPI_STATUS_IGNORE);
        return error ? error : waited;
    }
    *out = handle;
    return MPI_SUCCESS;
}

static struct pl_ps_operation describe(const struct peal_ps *ps, enum pl_ps_kind kind, int table, size_t n,
                                       const uint64_t *keys, uint64_t first)
{
    bool known = ps && table >= 0 && table < ps->table_count;
    return (struct pl_ps_operation){.kind = kind,
                                    .table = table,
                                    .n = n,
                                    .keys = keys,
                                    .first = first,
                                    .floats = known ? (size_t)ps->tables[table].width : 0};
}

static int one(struct peal_ps *ps, const char *call, struct pl_ps_operation *o, MPI_Request *request)
{
    int error = check_operation(ps, call, o, o->kind == PL_PS_PUSH ? (const void *)o->in : o->out);
    return error ? error : start(ps, o, 1, request);
}

static const uint64_t *list_of(size_t n, const uint64_t *keys)
{
    static const uint64_t none = 0;
    return n ? keys : &none;
}

static int check_list(struct peal_ps *ps, const char *call, size_t n, const uint64_t *keys)
{
    int error = check_worker(ps, call);
    return error || keys || !n ? error
                               : pl_ps_fail(ps, MPI_ERR_BUFFER, "%s: keys is NULL for %zu keys", call, n);
}

int peal_ps_push(peal_ps *ps, int table, size_t n, const uint64_t *keys, const float *values,
                 MPI_Request *request)
{
    int error = check_list(ps, "peal_ps_push", n, keys);
    if (error)
        return error;
    struct pl_ps_operation push = describe(ps, PL_PS_PUSH, table, n, list_of(n, keys), 0);
    push.in = values;
    return one(ps, "peal_ps_push", &push, request);
}

int peal_ps_pull(peal_ps *ps, int table, size_t n, const uint64_t *keys, float *values, MPI_Request *request)
{
    int error = check_list(ps, "peal_ps_pull", n, keys);
    if (error)
        return error;
    struct pl_ps_operation pull = describe(ps, PL_PS_PULL, table, n, list_of(n, keys), 0);
    pull.out = values;
    return one(ps, "peal_ps_pull", &pull, request);
}

int peal_ps_push_range(peal_ps *ps, int table, uint64_t first, size_t n, const float *values,
                       MPI_Request *request)
{
    struct pl_ps_operation push = describe(ps, PL_PS_PUSH, table, n, NULL, first);
    push.in = values;
    return one(ps, "peal_ps_push_range", &push, request);
}

int peal_ps_pull_range(peal_ps *ps, int table, uint64_t first, size_t n, float *values, MPI_Request *request)
{
    struct pl_ps_operation pull = describe(ps, PL_PS_PULL, table, n, NULL, first);
    pull.out = values;
    return one(ps, "peal_ps_pull_range", &pull, request);
}

/* The values may come over the updates: each frame of updates leaves before its values are asked for. */
int peal_ps_push_pull(peal_ps *ps, int table, size_t n, const uint64_t *keys, const float *updates,
                      float *values, MPI_Request *request)
{
    static const char call[] = "peal_ps_push_pull";
    int error = check_list(ps, call, n, keys);
    if (error)
        return error;
    struct pl_ps_operation both[2] = {describe(ps, PL_PS_PUSH, table, n, list_of(n, keys), 0),
                                      describe(ps, PL_PS_PULL, table, n, list_of(n, keys), 0)};
    both[0].in = updates;
    both[1].out = values;
    error = check_operation(ps, call, &both[0], updates);
    if (!error)
        error = check_operation(ps, call, &both[1], values);
    if (!error && updates == values)
        error = pl_ps_own_updates(ps, &both[0]);
    return error ? error : start(ps, both, 2, request);
}

int peal_ps_clock(peal_ps *ps, MPI_Request *request)
{
    int error = check_worker(ps, "peal_ps_clock");
    if (error)
        return error;
    pl_ps_enter(ps);
    uint32_t clock = ++ps->worker->clock;
    pl_ps_leave_lock(ps);
    struct pl_ps_operation o = {.kind = PL_PS_CLOCK, .clock = clock};
    return start(ps, &o, 1, request);
}

int pl_ps_barrier(struct peal_ps *ps, uint32_t verdict, MPI_Request *out)
{
    MPI_Request handle = MPI_REQUEST_NULL;
    struct pl_ps_worker *worker = ps->worker;
    int error = MPI_SUCCESS;
    pl_ps_enter(ps);
    if (worker->given_up)
        error = worker->given_up;
    else if (worker->at_barrier)
        error = pl_ps_fail(ps, MPI_ERR_PENDING, "peal_ps_barrier: the one before is not complete");
    struct pl_ps_request *request = error ? NULL : pl_ps_request_create(1, &handle);
    if (!error && !request)
        error = pl_ps_fail(ps, MPI_ERR_NO_MEM, "no memory for a request");
    if (!error) {
        worker->at_barrier = request;
        worker->barrier++;
        worker->verdict = verdict;
        pl_ps_send_header(ps, pl_ps_rank_of_server(ps, ps->view->manager), PL_PS_BARRIER,
                          (uint64_t)verdict << 1, worker->barrier);
    }
    pl_ps_leave_lock(ps);
    if (error)
        return error;
    if (!out)
        return MPI_Wait(&handle, MPI_STATUS_IGNORE);
    *out = handle;
    return MPI_SUCCESS;
}

int peal_ps_barrier(peal_ps *ps, MPI_Request *request)
{
    int error = check_worker(ps, "peal_ps_barrier");
    return error ? error : pl_ps_barrier(ps, 0, request);
}

/* ---- servers that come and go, and what is counted ---- */

static int ask(struct peal_ps *ps, const char *call, bool *wish, enum pl_ps_kind kind)
{
    if (!ps || !ps->server)
        return ps ? pl_ps_fail(ps, MPI_ERR_ARG, "%s: rank %d is no server", call, ps->rank) : MPI_ERR_ARG;
    pl_ps_enter(ps);
    *wish = true;
    pl_ps_send_header(ps, pl_ps_rank_of_server(ps, ps->view->manager), kind, 0, 0);
    pl_ps_leave_lock(ps);
    return MPI_SUCCESS;
}

int peal_ps_leave(peal_ps *ps)
{
    return ask(ps, "peal_ps_leave", ps ? &ps->wants_to_leave : NULL, PL_PS_LEAVE);
}

int peal_ps_join(peal_ps *ps)
{
    return ask(ps, "peal_ps_join", ps ? &ps->wants_to_join : NULL, PL_PS_JOIN);
}

int peal_ps_stats(const peal_ps *ps, struct peal_ps_stats *stats)
{
    if (!ps || !stats)
        return MPI_ERR_ARG;
    *stats = ps->stats;
    stats->parts = ps->view->parts;
    for (int p = 0; p < ps->view->parts; p++) {
        const struct pl_ps_chain *chain = &ps->view->chains[p];
        stats->joining += chain->length - chain->synced;
        stats->held += ps->my_server >= 0 && pl_ps_chain_find(chain, ps->my_server) >= 0;
        stats->owned += ps->my_server >= 0 && pl_ps_head(ps->view, p) == ps->my_server;
    }
    return MPI_SUCCESS;
}
