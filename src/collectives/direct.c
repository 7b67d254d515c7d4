/* Direct schedules read the buffers of peers. Which buffers can be read is known only when the call
 * is made: those from MPI_Alloc_mem, which every rank of a host (every thread of a process) has
 * mapped; and a rank cannot tell by itself what the others passed. So the ranks meet first:
 *
 *     allgather   addresses of IN and OUT          every rank tries to map all of them
 *     allgather   "I reach them all" (one byte)    all yes: direct; else the usual algorithm
 *
 * A program that never passes such memory must not pay for the question again and again: after the
 * k-th failure in a row 2^k - 1 calls go without asking (at most 1,023).
 *
 * Buffers on devices come to the same by cards instead of addresses (memory.h), with an allgather more.
 *
 * Rejected: asking once a communicator, for buffers differ from call to call; and letting the transport read
 * private memory (process_vm), which was measured to be no faster than messages for two ranks and needs a
 * system call a chunk.
 */
#include "direct.h"

#include "rank.h"

#include <stdlib.h>
#include <string.h>

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
    uint64_t device; /* 1: they are on a device */
};

struct cards {
    struct pl_memory_card in, out;
};

int pl_direct_allgather(struct pl_comm *comm, const void *mine, void *all, size_t bytes)
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
        peer[3 * i] = endpoint->transport->map(endpoint, all[i].in, bytes);
        peer[3 * i + 1] = endpoint->transport->map(endpoint, all[i].out, bytes);
        if (!peer[3 * i] || !peer[3 * i + 1])
            return false;
    }
    return true;
}

/* Shows the others this rank's two buffers. What cannot be shown says so itself. */
static void show(const struct pl_coll_call *call, size_t bytes, struct cards *mine)
{
    struct pl_memory *memory = call->memory;
    const void *in = call->in_place ? call->out : call->in;
    memset(mine, 0, sizeof *mine);
    if (memory->driver->settle(memory, in) || memory->driver->settle(memory, call->out) ||
        memory->driver->share(memory, in, bytes, &mine->in) ||
        memory->driver->share(memory, call->out, bytes, &mine->out))
        memset(mine, 0, sizeof *mine);
}

static bool same_device(const struct pl_memory_card *a, const struct pl_memory_card *b)
{
    static const unsigned char none[sizeof a->device];
    return !memcmp(a->device, b->device, sizeof none) && memcmp(a->device, none, sizeof none);
}

/* The same for buffers on devices: all ranks call it. *met is this rank's answer. */
static int reach_all(const struct pl_coll_call *call, size_t bytes, char **peer, enum pl_met *met)
{
    const struct pl_comm *comm = call->comm;
    struct pl_memory *memory = call->memory;
    struct cards mine, all[RANKS_MAX];
    show(call, bytes, &mine);
    int error = pl_direct_allgather(call->comm, &mine, all, sizeof mine);
    if (error)
        return error;
    *met = PL_MET_ONE_DEVICE;
    for (int i = 0; i < comm->size; i++) {
        void *in, *out;
        if (!all[i].in.address || memory->driver->reach(memory, &all[i].in, &in) ||
            memory->driver->reach(memory, &all[i].out, &out)) {
            *met = PL_NOT_MET;
            break;
        }
        if (!same_device(&all[i].in, &all[0].in) || !same_device(&all[i].out, &all[0].in))
            *met = PL_MET;
        peer[3 * i] = in;
        peer[3 * i + 1] = out;
    }
    return 0;
}

int pl_direct_meet(struct pl_direct *direct, const struct pl_coll_call *call, size_t bytes, char **peer,
                   enum pl_met *met)
{
    struct addresses all[RANKS_MAX];
    struct addresses mine = {(uintptr_t)(call->in_place ? call->out : call->in), (uintptr_t)call->out,
                             call->memory != NULL};
    char reached[RANKS_MAX];
    int error = pl_direct_allgather(call->comm, &mine, all, sizeof mine);
    if (error)
        return error;
    int devices = 0;
    for (int i = 0; i < call->comm->size; i++)
        devices += all[i].device == 1;
    enum pl_met answer = !devices && map_all(call, all, bytes, peer) ? PL_MET : PL_NOT_MET;
    if (devices == call->comm->size)
        error = reach_all(call, bytes, peer, &answer);
    char reaches = (char)answer;
    if (!error)
        error = pl_direct_allgather(call->comm, &reaches, reached, 1);
    if (error)
        return error;
    *met = PL_MET_ONE_DEVICE;
    for (int i = 0; i < call->comm->size; i++)
        if (reached[i] < (char)*met)
            *met = (enum pl_met)reached[i];
    direct->failures = *met ? 0 : direct->failures + (direct->failures < BACK_OFF_MAX);
    direct->skip = (1u << direct->failures) - 1;
    return 0;
}
