/* Agreeing on a new communicator.
 *
 * Who knows the members of the new communicator beforehand needs one thing more, its
 * context, which the first member gives; it goes down a binomial tree of exactly these
 * members, so that no other rank of the parent takes part (MPI_Comm_create_group):
 *
 *     member   0 ---> 4            then  0 ---> 2, 4 ---> 6     then  0 -> 1, 2 -> 3, ...
 *
 * A death among them ends it for all of them. What was sent in one that has ended so is still on its way when
 * those who live try again, so it says which group it is of.
 * Cost: log2(n) alpha. Two groups that never met agree through their leaders: each leader tells
 * the other whom it leads, and tells its own side what it heard.
 */
#include "agree.h"

#include "attribute.h"
#include "exchange.h"
#include "loss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int send_one(struct pl_comm *comm, const struct pl_comm *together, int rank, int tag,
                    const struct pl_founding *founding)
{
    struct pl_request request;
    request.completed = NULL;
    pl_send_start(&request, comm, PL_CHANNEL_AGREE, PL_MODE_STANDARD, founding, sizeof *founding, rank, tag,
                  0);
    request.together = together;
    int error = pl_request_wait(&request);
    pl_request_finish(&request);
    return error;
}

static int receive_one(struct pl_comm *comm, const struct pl_comm *together, int rank, int tag,
                       struct pl_founding *founding)
{
    uint64_t group = founding->group;
    int error = 0;
    do {
        struct pl_request request;
        request.completed = NULL;
        pl_recv_start(&request, comm, PL_CHANNEL_AGREE, founding, sizeof *founding, rank, tag, 0);
        request.together = together;
        error = pl_request_wait(&request);
        pl_request_finish(&request);
    } while (!error && founding->group != group);
    return error;
}

/* The first of the ranks of comm tells all of them, the members of `together`, down the tree. */
static int tell_members(struct pl_comm *comm, const struct pl_comm *together, const int *ranks, int tag,
                        struct pl_founding *founding)
{
    struct pl_rank *rank = comm->owner;
    pl_progress(rank); /* who only sends never waits, and would never hear that somebody died */
    if (rank->look)
        rank->look(rank);
    int step = 1, n = together->size, me = together->rank, error = pl_comm_check(together, ~0u);
    while (step < n && !(me & step))
        step <<= 1;
    if (me && !error)
        error = receive_one(comm, together, ranks[me - step], tag, founding);
    for (step >>= 1; step && !error; step >>= 1)
        if (me + step < n)
            error = send_one(comm, together, ranks[me + step], tag, founding);
    return error;
}

int pl_agree_check(const struct pl_comm *comm, const struct pl_comm *together)
{
    int error = pl_comm_check(together, ~0u);
    return error ? error : pl_source_check(comm, PL_ANY_SOURCE);
}

int pl_agree_swap(struct pl_comm *comm, const struct pl_comm *together, int rank, int tag, const void *out,
                  size_t out_length, void *in, size_t in_length)
{
    struct pl_request send, receive;
    int broken = pl_agree_check(comm, together);
    if (broken)
        return broken;
    send.completed = receive.completed = NULL;
    pl_recv_start(&receive, comm, PL_CHANNEL_AGREE, in, in_length, rank, tag, 0);
    receive.together = together;
    receive.wary = true;
    pl_send_start(&send, comm, PL_CHANNEL_AGREE, PL_MODE_STANDARD, out, out_length, rank, tag, 0);
    send.together = together;
    send.wary = true;
    int sent = pl_request_wait(&send);
    int error = pl_request_wait(&receive);
    if (sent && !error)
        error = pl_fail(sent, "%s", send.text ? send.text : "a message between leaders failed");
    pl_request_finish(&send);
    pl_request_finish(&receive);
    return error;
}

static int publish(struct pl_mpi *mpi, const struct pl_comm *parent, struct pl_comm *comm,
                   struct pl_comm **made)
{
    if (!parent)
        parent = mpi->rank->self;
    MPI_Comm handle;
    int error = pl_comm_publish(mpi, comm, &handle);
    if (error)
        return error;
    snprintf(comm->name, sizeof comm->name,
             comm->remote ? "an intercommunicator of %d and %d ranks" : "a communicator of %d ranks",
             comm->size, comm->target->size);
    struct pl_errhandler *inherited = parent->errhandler;
    if (inherited)
        inherited->references++;
    comm->errhandler = inherited;
    strcpy(comm->algorithm, parent->algorithm);
    *made = comm;
    return 0;
}

int pl_comm_make(struct pl_mpi *mpi, const struct pl_comm *parent, struct pl_group *group, uint64_t context,
                 struct pl_comm **made)
{
    struct pl_comm *comm = pl_comm_create(mpi->rank, group, context);
    if (!comm)
        return pl_fail(PL_ENOMEM, "no memory for a communicator of %d ranks", group->size);
    return publish(mpi, parent, comm, made);
}

int pl_comm_make_inter(struct pl_mpi *mpi, const struct pl_comm *parent, struct pl_group *group,
                       struct pl_group *remote, bool low, uint64_t context, uint64_t local_context,
                       struct pl_comm **made)
{
    struct pl_comm *local = pl_comm_create(mpi->rank, group, local_context);
    struct pl_comm *comm = local ? pl_comm_create_inter(mpi->rank, local, remote, low, context) : NULL;
    pl_comm_release(local);
    if (!comm)
        return pl_fail(PL_ENOMEM, "no memory for an intercommunicator of %d and %d ranks", group->size,
                       remote->size);
    snprintf(local->name, sizeof local->name, "the local side of an intercommunicator, %d ranks",
             group->size);
    return publish(mpi, parent, comm, made);
}

uint64_t pl_agree_hash(struct pl_rank *rank, const struct pl_group *group)
{
    uint64_t hash = (uint64_t)group->size + 1;
    for (int i = 0; i < group->size; i++) {
        struct pl_identity who = pl_peer_identity(rank, group->peers[i]);
        hash = (hash ^ who.world ^ (uint64_t)who.rank) * 0x9e3779b97f4a7c15ull;
        hash ^= hash >> 29;
    }
    return hash;
}

/* The ranks in comm of the group's members, malloc'd. */
static int ranks_of(const struct pl_comm *comm, const struct pl_group *group, int **out)
{
    int *ranks = malloc(sizeof *ranks * (size_t)group->size);
    if (!ranks)
        return pl_fail(PL_ENOMEM, "no memory for a group of %d", group->size);
    for (int i = 0, r = -1; i < group->size; i++) {
        int looked = 0;
        do
            r = r + 1 < comm->size ? r + 1 : 0;
        while (comm->group->peers[r] != group->peers[i] && ++looked < comm->size);
        if (looked >= comm->size) {
            free(ranks);
            return pl_bad(MPI_ERR_GROUP, "member %d of the group is not in %s", i, comm->name);
        }
        ranks[i] = r;
    }
    *out = ranks;
    return 0;
}

int pl_comm_make_over(struct pl_mpi *mpi, struct pl_comm *comm, struct pl_group *group, int tag,
                      struct pl_comm **made)
{
    int *ranks = NULL;
    int error = ranks_of(comm, group, &ranks);
    if (error)
        return error;
    struct pl_founding founding = {group->rank ? 0 : pl_context_new(mpi->rank), 0};
    founding.group = pl_agree_hash(mpi->rank, group);
    struct pl_comm *together = pl_comm_create(mpi->rank, group, 0);
    error = together ? tell_members(comm, together, ranks, tag, &founding)
                     : pl_fail(PL_ENOMEM, "no memory for a communicator of %d ranks", group->size);
    pl_comm_release(together);
    free(ranks);
    return error ? error : pl_comm_make(mpi, comm, group, founding.context, made);
}

/* What a leader says of its side. */
struct side {
    int32_t size;
    int32_t error; /* towards its own side: what the leader's part ended with */
    uint64_t context, local_context;
    struct pl_identity leader;
    int32_t low, unused;
};

static int identities(struct pl_rank *rank, const struct pl_group *group, struct pl_identity **out)
{
    *out = malloc(sizeof **out * (size_t)group->size);
    if (!*out)
        return pl_fail(PL_ENOMEM, "no memory for the members of a group of %d", group->size);
    for (int i = 0; i < group->size; i++)
        (*out)[i] = pl_peer_identity(rank, group->peers[i]);
    return 0;
}

static bool precedes(const struct pl_identity *a, const struct pl_identity *b)
{
    return a->world != b->world ? a->world < b->world : a->rank < b->rank;
}

/* The leaders' part: *theirs is the other side as this side shall know it, *members malloc'd. */
static int meet(struct pl_mpi *mpi, struct pl_comm *local, struct pl_comm *peer, int rank, int tag,
                struct side *theirs, struct pl_identity **members)
{
    struct pl_identity *own = NULL;
    struct side mine = {.size = local->size,
                        .context = pl_context_new(mpi->rank),
                        .leader = pl_peer_identity(mpi->rank, mpi->rank->rank)};
    int error = identities(mpi->rank, local->group, &own);
    if (!error)
        error = pl_agree_swap(peer, local, rank, tag, &mine, sizeof mine, theirs, sizeof *theirs);
    if (!error && !(*members = malloc(sizeof **members * (size_t)theirs->size)))
        error = pl_fail(PL_ENOMEM, "no memory for the members of a group of %d", theirs->size);
    if (!error)
        error = pl_agree_swap(peer, local, rank, tag, own, sizeof *own * (size_t)local->size, *members,
                              sizeof **members * (size_t)theirs->size);
    free(own);
    theirs->low = precedes(&mine.leader, &theirs->leader);
    if (theirs->low)
        theirs->context = mine.context;
    theirs->local_context = pl_context_new(mpi->rank);
    return error;
}

static int remote_group(struct pl_mpi *mpi, const struct pl_comm *local, const struct pl_identity *members,
                        int size, struct pl_group **out)
{
    struct pl_group *group = pl_group_create(size);
    if (!group)
        return pl_fail(PL_ENOMEM, "no memory for a group of %d", size);
    for (int i = 0; i < size; i++) {
        int peer = group->peers[i] = pl_peer_find(mpi->rank, &members[i]);
        int error = 0;
        if (peer < 0)
            error = pl_bad(MPI_ERR_UNSUPPORTED_OPERATION,
                           "rank %d of the other group belongs to a world that this rank never connected to: "
                           "use MPI_Comm_connect and MPI_Comm_accept between the two",
                           i);
        for (int j = 0; j < local->size && !error; j++)
            if (local->group->peers[j] == peer)
                error = pl_bad(MPI_ERR_GROUP, "rank %d of the other group is rank %d of this one", i, j);
        if (error) {
            pl_group_release(group);
            return error;
        }
    }
    *out = group;
    return 0;
}

int pl_comm_make_between(struct pl_mpi *mpi, struct pl_comm *local, int local_leader, struct pl_comm *peer,
                         int remote_leader, int tag, struct pl_comm **made)
{
    struct side theirs = {0};
    struct pl_identity *members = NULL;
    struct pl_group *remote = NULL;
    char text[PL_ERROR_TEXT] = "the leader of the local group could not reach the other leader";
    int error;
    if (local->rank == local_leader) {
        theirs.error = meet(mpi, local, peer, remote_leader, tag, &theirs, &members);
        if (theirs.error)
            snprintf(text, sizeof text, "%s", pl_fail_text());
    }
    error = pl_exchange_bcast(local, &theirs, sizeof theirs, local_leader);
    if (!error && theirs.error)
        error = pl_fail(theirs.error, "%s", text);
    if (!error && !members && !(members = malloc(sizeof *members * (size_t)theirs.size)))
        error = pl_fail(PL_ENOMEM, "no memory for the members of a group of %d", theirs.size);
    if (!error)
        error = pl_exchange_bcast(local, members, sizeof *members * (size_t)theirs.size, local_leader);
    if (!error)
        error = remote_group(mpi, local, members, theirs.size, &remote);
    if (!error)
        error = pl_comm_make_inter(mpi, local, local->group, remote, theirs.low, theirs.context,
                                   theirs.local_context, made);
    pl_group_release(remote);
    free(members);
    return error;
}

void pl_comm_unmake(struct pl_mpi *mpi, struct pl_comm *comm)
{
    pl_handle_drop(&mpi->handles[PL_CLASS_COMM], comm->handle);
    if (mpi->parent == comm)
        mpi->parent = NULL;
    pl_attributes_drop(mpi, &comm->attributes);
    pl_errhandler_release(mpi, comm->errhandler);
    comm->errhandler = NULL;
    pl_comm_release(comm);
}

int pl_comm_close(struct pl_mpi *mpi, struct pl_comm *comm)
{
    int error = pl_attributes_delete(mpi, PL_ATTRIBUTE_COMM, comm->handle, &comm->attributes);
    if (!error)
        pl_comm_unmake(mpi, comm);
    return error;
}
