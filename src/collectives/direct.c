/* Direct schedules read the buffers of peers. Which buffers can be read is known only when the call
 * is made: those from MPI_Alloc_mem, which every rank of a host (every thread of a process) has
 * mapped; and a rank cannot tell by itself what the others passed. So the ranks meet first:
 *
 *     allgather   addresses of IN and OUT          every rank tries to map all of them
 *     allgather   "I reach them all" (one byte)    all yes: direct; else the usual algorithm
 *
 * A program that never passes such memory must not pay for the question again and again: after the
 * k-th failure in a row 2^k - 1 calls go without asking (at most 1,023). Rejected: asking once a
 * communicator, for buffers differ from call to call; and letting the transport read private memory
 * (process_vm), which was measured to be no faster than messages for two ranks and needs a system call a
 * chunk.
 */
#include "direct.h"

#include "rank.h"

#include <stdlib.h>

enum { RANKS_MAX = 16, BACK_OFF_MAX = 10 };

const struct pl_algorithm *pl_direct_wanted(struct pl_direct *direct, const struct pl_comm *comm,
                                            const struct pl_machine *machine, const struct pl_coll_args *args,
                                            const struct pl_algorithm *forced)
{
    bool reproducible = comm->owner->config.reproducible;
    if (comm->size < 2 || comm->size > RANKS_MAX || comm->hosts > 1 || !args->count ||
        comm->owner->config.checksum)
        return NULL;
    const struct pl_algorithm *a = pl_algorithms(args->collective);
    while (a->name && !(a->flags & PL_DIRECT))
        a++;
    if (!a->name || (forced && forced != a))
        return NULL;
    if (!forced) {
        const struct pl_algorithm *other = pl_choose(machine, args, reproducible, false, NULL);
        double meeting = 2 * pl_log2_up(comm->size) * machine->alpha;
        if (a->cost(machine, args) + meeting >= other->cost(machine, args))
            return NULL;
    }
    if (direct->skip) {
        direct->skip--;
        return NULL;
    }
    return a;
}

struct addresses {
    uint64_t in, out;
};

static int allgather(struct pl_comm *comm, const void *mine, void *all, size_t bytes)
{
    const struct pl_datatype type = {
        .size = bytes, .extent = (ptrdiff_t)bytes, .contiguous = true, .name = "an address"};
    const struct pl_coll_call call = {
        .collective = PL_ALLGATHER, .in = mine, .out = all, .count = 1, .type = &type, .comm = comm};
    return pl_coll_blocking(&call);
}

static bool map_all(const struct pl_coll_call *call, const struct addresses *all, size_t bytes, char **peer)
{
    const struct pl_comm *comm = call->comm;
    for (int i = 0; i < comm->size; i++) {
        if (i == comm->rank)
            continue;
        struct pl_endpoint *endpoint = pl_peer_endpoint(comm->owner, comm->group->peers[i]);
        if (!endpoint)
            return false;
        peer[2 * i] = endpoint->transport->map(endpoint, all[i].in, bytes);
        peer[2 * i + 1] = endpoint->transport->map(endpoint, all[i].out, bytes);
        if (!peer[2 * i] || !peer[2 * i + 1])
            return false;
    }
    return true;
}

int pl_direct_meet(struct pl_direct *direct, const struct pl_coll_call *call, size_t bytes, char **peer,
                   bool *met)
{
    struct addresses all[RANKS_MAX];
    struct addresses mine = {(uintptr_t)(call->in_place ? call->out : call->in), (uintptr_t)call->out};
    char reached[RANKS_MAX];
    int error = allgather(call->comm, &mine, all, sizeof mine);
    if (error)
        return error;
    char reaches = map_all(call, all, bytes, peer);
    error = allgather(call->comm, &reaches, reached, 1);
    if (error)
        return error;
    *met = true;
    for (int i = 0; i < call->comm->size; i++)
        *met = *met && reached[i];
    direct->failures = *met ? 0 : direct->failures + (direct->failures < BACK_OFF_MAX);
    direct->skip = (1u << direct->failures) - 1;
    return 0;
}
