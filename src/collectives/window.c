/* See window.h. A window begins with the count of those that have left it; what follows is used in halves. */
#include "window.h"

#include "direct.h"
#include "rank.h"
#include "retire.h"

#include <stdatomic.h>
#include <string.h>

enum { HEAD = 64, BYTES = HEAD + 2 * PL_WINDOW_BYTES };

static _Atomic int *left_of(char *window)
{
    return (_Atomic int *)(void *)window;
}

const struct pl_algorithm *pl_window_wanted(const struct pl_window *window, const struct pl_comm *comm,
                                            const struct pl_machine *machine, const struct pl_coll_args *args,
                                            const struct pl_algorithm *forced, bool crowded)
{
    if (comm->size < 2 || comm->size > PL_WINDOW_RANKS || comm->hosts > 1 || !pl_window_fits(args))
        return NULL;
    const struct pl_algorithm *a = pl_algorithms(args->collective);
    while (a->name && !(a->flags & PL_WINDOW))
        a++;
    if (!a->name || (forced && forced != a) || (window->tried && !pl_window_there(window)))
        return NULL;
    if (forced)
        return a;
    const struct pl_algorithm *other =
        pl_choose(machine, args, comm->owner->config.reproducible, false, NULL);
    return crowded || a->cost(machine, args) >= other->cost(machine, args) ? NULL : a;
}

static bool map_all(struct pl_window *window, struct pl_comm *comm, const uint64_t *address)
{
    for (int i = 0; i < comm->size; i++) {
        window->of[i] = i == comm->rank ? window->memory : NULL;
        if (i == comm->rank || !address[i])
            continue;
        struct pl_endpoint *endpoint = pl_peer_endpoint(comm->owner, comm->group->peers[i]);
        if (endpoint)
            window->of[i] = endpoint->transport->map(endpoint, address[i], BYTES);
    }
    bool all = true;
    for (int i = 0; i < comm->size; i++)
        all = all && window->of[i];
    return all;
}

int pl_window_open(struct pl_window *window, struct pl_comm *comm)
{
    struct pl_port *port = comm->owner->ports[0];
    uint64_t address[PL_WINDOW_RANKS];
    char reached[PL_WINDOW_RANKS];
    window->tried = true;
    window->memory = port->transport->alloc(port, BYTES);
    if (window->memory)
        memset(window->memory, 0, HEAD);
    uint64_t mine = (uintptr_t)window->memory;
    int error = pl_direct_allgather(comm, &mine, address, sizeof mine);
    char all = !error && map_all(window, comm, address);
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

void pl_window_lend(struct pl_window *window, struct pl_run *run)
{
    size_t half = HEAD + (window->calls++ % 2) * (size_t)PL_WINDOW_BYTES;
    for (int i = 0; i < run->comm->size; i++)
        run->peer[3 * i + 2] = window->of[i] + half;
    run->base[PL_TMP] = window->of[run->comm->rank] + half;
}

void pl_window_close(struct pl_window *window, struct pl_comm *comm)
{
    if (!pl_window_there(window) || !comm->owner->collectives_state) /* as pl_tiny_close */
        return;
    for (int i = 0; i < comm->size; i++)
        atomic_fetch_add(left_of(window->of[i]), 1);
    pl_retire(comm->owner, window->memory, left_of(window->memory), comm->size);
}
