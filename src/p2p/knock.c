/* Knocking: who waits for a message from a rank of another host or another world, and has for a while, sends
 * it an empty frame.
 *
 *     rank 0                        firewall, NAT         rank 1
 *       sends: dials rank 1  ---------->|                   waits for rank 0
 *       (cannot; is patient)            |<--------------- knocks: dials rank 0
 *       its message goes  ---------------------------------> here
 *
 * Who waits has posted a receive, or looks for a message by a probe; whether it blocks or comes back now and
 * then (MPI_Test, MPI_Iprobe) is the same.
 *
 * Connections are made by whoever sends first. Where only one side of a pair can dial, and the other has
 * something to say, nobody would ever come; so the one that waits dials as well. Where both can,
 * the connection is there already, or would be made a moment later: a knock costs a frame of no bytes, once a
 * peer. A receive from any source knocks at all ranks of other hosts, in a world of at most 64.
 *
 * A rank of another world may have died before the first frame between the two. No launcher tells of that: it
 * shows when one dials.
 *
 * Rejected: to ask the other side through the launcher, which not every launcher can pass on; to dial from
 * both sides at once and always, which doubles what a large job has to greet at its start.
 */
#include "protocol.h"

#include "clock.h"

enum { KNOCK_AFTER_NS = 300 * 1000 * 1000, ANY_MOST = 64 };

/* Whom a posted receive waits for; -1: that is not known. */
static int awaited(const struct pl_request *request)
{
    const struct pl_group *from = request->comm->target;
    return request->source >= 0 && request->source < from->size ? from->peers[request->source] : -1;
}

static void knock(struct pl_rank *rank, int number)
{
    bool foreign = number >= rank->size;
    if (number < 0 || number >= rank->npeers || number == rank->rank ||
        (!foreign && rank->host_of(rank, number) == rank->host))
        return;
    struct pl_peer *peer = pl_peer_get(rank, number);
    if (!peer || peer->knocked || peer->lost || (foreign && !peer->endpoint))
        return;
    peer->knocked = true;
    pl_peer_wake(rank, number);
}

/* Whom a probe looked for since the last time. */
static void knock_sought(struct pl_rank *rank, bool due)
{
    int sought = rank->sought;
    rank->sought = 0;
    if (due && sought > 0)
        knock(rank, sought - 1);
    for (int i = 0; due && sought < 0 && rank->size <= ANY_MOST && i < rank->size; i++)
        knock(rank, i);
}

void pl_knock_seek(const struct pl_comm *comm, int source)
{
    const struct pl_group *from = comm->target;
    comm->owner->sought = source >= 0 && source < from->size ? from->peers[source] + 1 : -1;
}

bool pl_knock_due(const struct pl_rank *rank)
{
    bool worlds = rank->npeers > rank->size;
    return (rank->hosts > 1 || worlds) && !rank->cooperative && !rank->fabric && rank->nports &&
           pl_now_coarse() >= rank->knock_at;
}

void pl_knock(struct pl_rank *rank)
{
    if (!pl_knock_due(rank))
        return;
    bool due = rank->knock_at != 0;
    rank->knock_at = pl_now_coarse() + KNOCK_AFTER_NS;
    for (int i = 0; i < PL_MATCH_BUCKETS && due; i++)
        pl_list_each(node, &rank->buckets[i].posted)
            knock(rank, awaited(pl_container(node, struct pl_request, link)));
    for (int i = 0; due && rank->hosts > 1 && !pl_list_empty(&rank->posted_any) && rank->size <= ANY_MOST &&
                    i < rank->size;
         i++)
        knock(rank, i);
    knock_sought(rank, due);
}
