/* See window.h. A window begins with the count of those that have left it; calls go around in what follows.
 */
#include "window.h"

#include "direct.h"
#include "errors.h"
#include "rank.h"
#include "retire.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 64, BYTES = HEAD + PL_WINDOW_BYTES };
_Static_assert(3 * PL_WINDOW_CALL <= PL_WINDOW_BYTES, "two calls in a row lie apart");

static _Atomic int *left_of(char *window)
{
    return (_Atomic int *)(void *)window;
}

const struct pl_algorithm *pl_window_wanted(const struct pl_window *window, const struct pl_comm *comm,
                                            const struct pl_machine *machine, const struct pl_coll_args *args,
                                            const struct pl_algorithm *forced)
{
    if (comm->size < 2 || comm->size > PL_WINDOW_RANKS || comm->hosts > 1 || !pl_window_needs(args))
        return NULL;
    const struct pl_algorithm *a = pl_algorithms(args->collective);
    while (a->name && !(a->flags & PL_WINDOW))
        a++;
    if (!a->name || (forced && forced != a) || (window->tried && !pl_window_there(window)))
        return NULL;
    if (window->devices && args->collective != PL_ALLREDUCE)
        return NULL; /* messages between devices need no staging */
    if (forced)
        return a;
    const struct pl_algorithm *other =
        pl_choose(machine, args, comm->owner->config.reproducible, false, NULL);
    return a->cost(machine, args) >= other->cost(machine, args) ? NULL : a;
}

/* What a rank tells of itself. */
struct card {
    uint64_t address; /* of its window; 0: it has none */
    uint64_t devices; /* 1: its buffers may be in device memory */
};

static bool map_all(struct pl_window *window, struct pl_comm *comm, const struct card *card)
{
    for (int i = 0; i < comm->size; i++) {
        window->of[i] = i == comm->rank ? window->memory : NULL;
        if (i == comm->rank || !card[i].address)
            continue;
        struct pl_endpoint *endpoint = pl_peer_endpoint(comm->owner, comm->group->peers[i]);
        if (endpoint)
            window->of[i] = endpoint->transport->map(endpoint, card[i].address, BYTES);
    }
    bool all = true;
    for (int i = 0; i < comm->size; i++)
        all = all && window->of[i];
    return all;
}

int pl_window_open(struct pl_window *window, struct pl_comm *comm)
{
    struct pl_port *port = comm->owner->ports[0];
    struct card mine, card[PL_WINDOW_RANKS];
    char reached[PL_WINDOW_RANKS];
    window->tried = true;
    window->memory = port->transport->alloc(port, BYTES);
    if (window->memory)
        memset(window->memory, 0, HEAD);
    mine = (struct card){(uintptr_t)window->memory, comm->owner->memory != NULL};
    int error = pl_direct_allgather(comm, &mine, card, sizeof mine);
    char all = !error && map_all(window, comm, card);
    for (int i = 0; i < comm->size && !error; i++)
        window->devices = window->devices || card[i].devices;
    if (!error)
        error = pl_direct_allgather(comm, &all, reached, 1);
    for (int i = 0; i < comm->size && !error; i++)
        all = all && reached[i];
    if (error || !all) {
        if (window->memory)
            port->transport->free(port, window->memory);
        memset(window->of, 0, sizeof window->of);
        window->memory = NULL;
    }
    return error;
}

void pl_window_lend(struct pl_window *window, struct pl_run *run, size_t bytes)
{
    assert(run->schedule->tmp <= bytes);
    if (bytes > PL_WINDOW_BYTES - window->next)
        window->next = 0;
    size_t at = HEAD + window->next;
    window->next += (bytes + 63) & ~(size_t)63;
    for (int i = 0; i < run->comm->size; i++)
        run->peer[3 * i + 2] = window->of[i] + at;
    run->base[PL_TMP] = window->of[run->comm->rank] + at;
}

/* Bytes of the buffer that a rank gives in, and of the one that its result is in; `m`: of a vector or block.
 */
static size_t bytes_in(const struct pl_coll_call *call, size_t m)
{
    bool blocks = call->collective == PL_ALLTOALL || call->collective == PL_REDUCE_SCATTER;
    return blocks ? m * (size_t)call->comm->size : m;
}

static size_t bytes_out(const struct pl_coll_call *call, size_t m)
{
    if (call->collective == PL_REDUCE && call->comm->rank != call->root)
        return 0;
    bool blocks = call->collective == PL_ALLTOALL || call->collective == PL_ALLGATHER;
    return blocks ? m * (size_t)call->comm->size : m;
}

int pl_window_stage(struct pl_coll_call *call, size_t bytes)
{
    struct pl_memory *memory = call->memory;
    struct pl_ticket ticket = {0};
    size_t in = bytes_in(call, bytes);
    const char *from = call->in_place ? call->out : call->in;
    if (call->in_place && call->collective == PL_ALLGATHER)
        from += bytes * (size_t)call->comm->rank;
    char *host = malloc(in + bytes_out(call, bytes));
    if (!host)
        return pl_fail(PL_ENOMEM, "no memory to stage %zu bytes of device data", bytes);
    int error = memory->driver->copy(memory, host, from, in, &ticket);
    if (!error)
        error = memory->driver->wait(memory, &ticket);
    if (error) {
        free(host);
        return error;
    }
    call->in = host;
    call->out = host + in;
    call->in_place = false;
    call->memory = NULL;
    return 0;
}

int pl_window_unstage(const struct pl_coll_call *call, const struct pl_coll_call *host, size_t bytes,
                      int error)
{
    struct pl_ticket ticket = {0};
    size_t out = bytes_out(call, bytes);
    if (!error && out)
        error = call->memory->driver->copy(call->memory, call->out, host->out, out, &ticket);
    if (!error && out)
        error = call->memory->driver->wait(call->memory, &ticket);
    free((void *)(uintptr_t)host->in);
    return error;
}

void pl_window_close(struct pl_window *window, struct pl_comm *comm)
{
    if (!pl_window_there(window) || !comm->owner->collectives_state) /* as pl_tiny_close */
        return;
    for (int i = 0; i < comm->size; i++)
        atomic_fetch_add(left_of(window->of[i]), 1);
    pl_retire(comm->owner, window->memory, left_of(window->memory), comm->size);
}
