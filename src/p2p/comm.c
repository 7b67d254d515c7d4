/* Groups and communicators, as values with counted references. How ranks agree
 * on a new communicator is src/mpi's; here one is made once that is known.
 *
 * A context is (world, the rank of it that led the creation, its count of contexts led):
 * unique without asking anybody.
 *
 *     53     38 37      20 19       0
 *     |  world  |   rank  |  counter |      two bits more name the channel
 *
 * Worlds are numbered apart by chance (world_id of struct pl_rank) and only matter when two of them
 * connect. A counter that has gone round starts anew: the first communicators of a million are
 * then long gone. Agreeing on the next free small number was rejected: it costs an allreduce
 * and goes wrong when two threads create at once.
 */
#include "comm.h"

#include "loss.h"
#include "rank.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { COUNTER_BITS = 20, RANK_BITS = 18, WORLD_BITS = 16 };

struct pl_group *pl_group_create(int size)
{
    struct pl_group *group = calloc(1, sizeof *group + (size_t)size * sizeof group->peers[0]);
    if (!group)
        return NULL;
    group->size = size;
    group->rank = -1;
    group->references = 1;
    return group;
}

void pl_group_hold(struct pl_group *group)
{
    group->references++;
}

void pl_group_release(struct pl_group *group)
{
    if (group && !--group->references)
        free(group);
}

/* Counts the hosts of the communicator and the ranks on this one's. */
static void look_around(struct pl_comm *comm)
{
    struct pl_rank *rank = comm->owner;
    bool abroad = false;
    for (int i = 0; i < comm->size && rank->npeers > rank->size; i++)
        abroad = abroad || comm->group->peers[i] >= rank->size;
    if (rank->hosts <= 1 && !abroad) {
        comm->hosts = 1;
        comm->local_size = comm->size;
        return;
    }
    char *seen = calloc(1, (size_t)rank->hosts);
    for (int i = 0; i < comm->size; i++) {
        int peer = comm->group->peers[i];
        int host = peer < rank->size ? rank->host_of(rank, peer) : -1;
        comm->local_size += host == rank->host;
        if (seen && host >= 0 && host < rank->hosts && !seen[host]) {
            seen[host] = 1;
            comm->hosts++;
        }
    }
    if (!seen)
        comm->hosts = rank->hosts;
    comm->hosts += abroad; /* other worlds count as one more: nothing is shared with them */
    free(seen);
}

struct pl_comm *pl_comm_create(struct pl_rank *rank, struct pl_group *group, uint64_t context)
{
    struct pl_comm *comm = calloc(1, sizeof *comm);
    if (!comm)
        return NULL;
    comm->owner = rank;
    comm->group = comm->target = group;
    comm->size = group->size;
    comm->rank = group->rank;
    comm->context = context;
    comm->references = 1;
    pl_group_hold(group);
    look_around(comm);
    pl_list_append(&rank->comms, &comm->link);
    pl_comm_begin(comm);
    return comm;
}

struct pl_comm *pl_comm_create_inter(struct pl_rank *rank, struct pl_comm *local, struct pl_group *remote,
                                     bool low, uint64_t context)
{
    struct pl_comm *comm = pl_comm_create(rank, local->group, context);
    if (!comm)
        return NULL;
    comm->local = local;
    comm->remote = comm->target = remote;
    comm->low = low;
    local->also = remote;
    pl_comm_hold(local);
    pl_group_hold(remote);
    pl_group_hold(remote);
    pl_comm_begin(comm);
    pl_comm_begin(local);
    return comm;
}

void pl_comm_hold(struct pl_comm *comm)
{
    comm->references++;
}

void pl_comm_release(struct pl_comm *comm)
{
    if (!comm || --comm->references)
        return;
    pl_list_remove(&comm->link);
    if (comm->collectives_free)
        comm->collectives_free(comm);
    pl_comm_release(comm->local);
    pl_group_release(comm->remote);
    pl_group_release(comm->also);
    pl_group_release(comm->group);
    free(comm->topology);
    free(comm->cause);
    free(comm->claim);
    free(comm);
}

uint64_t pl_context_new(struct pl_rank *rank)
{
    uint32_t counter = ++rank->contexts & ((1u << COUNTER_BITS) - 1);
    if (!counter)
        counter = rank->contexts = 1;
    uint64_t world = rank->world_id & ((1u << WORLD_BITS) - 1);
    assert(rank->rank < 1 << RANK_BITS);
    return (world << RANK_BITS | (uint64_t)rank->rank) << COUNTER_BITS | counter;
}
