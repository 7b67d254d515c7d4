/* Memory that ranks of one process share, and reaching into a peer's.
 *
 * All of it is one address space, so map, get and put are a check and a copy.
 * In a simulated world they must not be: what crosses at once can be neither late
 * nor lost. There a get takes the time of a frame there and of one back, fails
 * with the way, and ranks have no memory in common, as if each were a host; in
 * one world of two (drawn) get is not to be had at all, so that both ways of
 * fetching a long message are tried.
 */
#include "loopback_port.h"

#include "errors.h"
#include "simulation.h"

#include <stdlib.h>
#include <string.h>

enum { ALLOCATION_HEAD = 64 };

void *pl_loop_alloc(struct pl_port *port, size_t size)
{
    struct pl_seat *seat = pl_loop_port_of(port)->seat;
    if (size > SIZE_MAX / 2)
        return NULL;
    void *block;
    if (posix_memalign(&block, ALLOCATION_HEAD, ALLOCATION_HEAD + size))
        return NULL;
    struct pl_loop_allocation *allocation = block;
    *allocation = (struct pl_loop_allocation){.size = size};
    pl_fabric_lock(seat->fabric);
    pl_list_append(&seat->allocations, &allocation->link);
    pl_fabric_unlock(seat->fabric);
    return (char *)block + ALLOCATION_HEAD;
}

bool pl_loop_dealloc(struct pl_port *port, void *memory)
{
    struct pl_seat *seat = pl_loop_port_of(port)->seat;
    void *found = NULL;
    pl_fabric_lock(seat->fabric);
    pl_list_each(node, &seat->allocations)
    {
        if ((char *)node + ALLOCATION_HEAD != (char *)memory)
            continue;
        pl_list_remove(node);
        found = node;
        break;
    }
    pl_fabric_unlock(seat->fabric);
    free(found);
    return found != NULL;
}

void *pl_loop_map(struct pl_endpoint *endpoint, uint64_t remote, size_t length)
{
    struct pl_seat *peer = pl_loop_peer(endpoint);
    void *found = NULL;
    if (peer->fabric->simulation)
        return NULL;
    pl_fabric_lock(peer->fabric);
    pl_list_each(node, &peer->allocations)
    {
        uint64_t begin = (uint64_t)(uintptr_t)node + ALLOCATION_HEAD;
        size_t size = pl_container(node, struct pl_loop_allocation, link)->size;
        if (remote >= begin && remote - begin <= size && length <= size - (remote - begin))
            found = (char *)node + ALLOCATION_HEAD + (remote - begin);
    }
    pl_fabric_unlock(peer->fabric);
    return found;
}

int pl_loop_reg(struct pl_port *port, void *address, size_t length, struct pl_memory_key *key)
{
    *key = (struct pl_memory_key){{(uint64_t)(uintptr_t)address, length}};
    return 0;
}

/* Whether the range is within the key's and its owner is there. */
static int check_reach(struct pl_endpoint *endpoint, uint64_t remote, const struct pl_memory_key *key,
                       size_t length)
{
    uint64_t offset = remote - key->word[0];
    if (remote < key->word[0] || offset > key->word[1] || length > key->word[1] - offset)
        return pl_fail(PL_EPROTOCOL, "%zu bytes at %#llx are not in the memory that rank %d registered",
                       length, (unsigned long long)remote, endpoint->peer);
    struct pl_fabric *fabric = pl_loop_seat(endpoint)->fabric;
    pl_fabric_lock(fabric);
    int error = pl_loop_check_way(endpoint);
    pl_fabric_unlock(fabric);
    return error;
}

void pl_loop_get_due(struct pl_fabric *fabric, struct pl_timer *timer, bool over)
{
    struct pl_loop_frame *get = pl_container(timer, struct pl_loop_frame, timer);
    bool there = fabric->seats[get->target].fate == PL_FATE_PRESENT && get->operation && !over;
    if (there) {
        memcpy(get->local, get->payload, get->length);
        if (get->flip)
            pl_simulation_flip(get->local, get->length, get->flip);
    }
    pl_loop_give_back(fabric, get, there ? 0 : PL_EPEER);
    pl_loop_free(get);
}

/* There and back, as two frames of which the second is the payload. */
static int get_simulated(struct pl_endpoint *endpoint, void *local, const void *remote, size_t length,
                         struct pl_operation *operation)
{
    struct pl_seat *seat = pl_loop_seat(endpoint);
    struct pl_fabric *fabric = seat->fabric;
    struct pl_loop_frame *get = malloc(sizeof *get);
    if (!get)
        return pl_fail(PL_ENOMEM, "no memory to fetch %zu bytes from rank %d", length, endpoint->peer);
    *get = (struct pl_loop_frame){.operation = operation,
                                  .source = seat->rank,
                                  .target = endpoint->peer,
                                  .large = true,
                                  .length = length,
                                  .payload = remote,
                                  .local = local};
    pl_fabric_lock(fabric);
    bool alive = pl_simulation_step(fabric, seat->rank);
    if (alive) {
        struct pl_passage there = pl_simulation_pass(fabric, seat->rank, endpoint->peer, 8 * PL_HEADER_SIZE);
        struct pl_passage back = pl_simulation_pass(fabric, endpoint->peer, seat->rank, 8 * length);
        get->flip = back.flip;
        get->stranded = there.gone || back.gone;
        pl_list_append(&seat->outgoing, &get->sent);
        if (!get->stranded)
            pl_fabric_at(fabric, &get->timer, there.due + (back.due - fabric->now), pl_loop_get_due);
    }
    pl_fabric_unlock(fabric);
    if (alive)
        return PL_PENDING;
    free(get);
    return pl_fail(PL_EPEER, "rank %d: %s", seat->rank, seat->cause);
}

int pl_loop_get(struct pl_endpoint *endpoint, void *local, uint64_t remote, const struct pl_memory_key *key,
                size_t length, struct pl_operation *operation)
{
    int error = check_reach(endpoint, remote, key, length);
    if (!error && length && pl_loop_seat(endpoint)->fabric->simulation)
        return get_simulated(endpoint, local, (const void *)(uintptr_t)remote, length, operation);
    if (!error && length)
        memcpy(local, (const void *)(uintptr_t)remote, length);
    return error;
}

int pl_loop_put(struct pl_endpoint *endpoint, const void *local, uint64_t remote,
                const struct pl_memory_key *key, size_t length, struct pl_operation *operation)
{
    (void)operation;
    int error = pl_loop_seat(endpoint)->fabric->simulation ? PL_EUNSUPPORTED : 0;
    if (!error)
        error = check_reach(endpoint, remote, key, length);
    if (!error && length)
        memcpy((void *)(uintptr_t)remote, local, length);
    return error;
}

bool pl_loop_reaches(struct pl_endpoint *endpoint)
{
    const struct pl_simulation *simulation = pl_loop_seat(endpoint)->fabric->simulation;
    return !simulation || !simulation->apart;
}
