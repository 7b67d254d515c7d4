/* Communicators out of groups alone (MPI 5.0, sections 7.4.2 and 7.6.2), as sessions need them: there is no
 * parent to talk on.
 *
 * The members talk on a passing communicator whose context they all compute from what they
 * all know: the string tag and who the members are. Its counter is 0, which no context that was
 * led ever has (src/p2p/comm.c). So two such calls meet only where tag and group are the same, and
 * then their order is.
 */
#include "agree.h"
#include "info.h"

#include <string.h>

enum { COUNTER_BITS = 20, HASH_BITS = 34 };

static uint64_t mix(uint64_t hash, const void *bytes, size_t length)
{
    for (const unsigned char *b = bytes; length--; b++)
        hash = (hash ^ *b) * 0x100000001b3u;
    return hash;
}

static uint64_t meeting_point(struct pl_rank *rank, const struct pl_group *group, const char *tag)
{
    uint64_t hash = mix(0xcbf29ce484222325u, tag, strlen(tag));
    for (int i = 0; i < group->size; i++) {
        struct pl_identity who = pl_peer_identity(rank, group->peers[i]);
        hash = mix(hash, &who.world, sizeof who.world);
        hash = mix(hash, &who.rank, sizeof who.rank);
    }
    hash = (hash ^ hash >> HASH_BITS) & (((uint64_t)1 << HASH_BITS) - 1);
    return (hash ? hash : 1) << COUNTER_BITS;
}

static int meet(struct pl_mpi *mpi, struct pl_group *group, const char *tag, struct pl_comm **comm)
{
    *comm = pl_comm_create(mpi->rank, group, meeting_point(mpi->rank, group, tag));
    return *comm ? 0 : pl_fail(PL_ENOMEM, "no memory for a communicator of %d ranks", group->size);
}

/* What both calls check. *handler is the one for the new communicator and for errors of the call. */
static int check(struct pl_mpi *mpi, const char *tag, MPI_Info info, MPI_Errhandler errhandler,
                 struct pl_errhandler **handler, struct pl_info **hints)
{
    *hints = NULL;
    int error = pl_errhandler_of(mpi, errhandler, handler);
    if (error)
        *handler = &mpi->fatal;
    if (!error && (*handler)->function && (*handler)->kind != PL_ERRHANDLER_COMM)
        error = pl_bad(MPI_ERR_ERRHANDLER, "the error handler is not for communicators");
    if (!error)
        error = pl_check_pointer(tag, "stringtag");
    if (!error && strlen(tag) >= MPI_MAX_STRINGTAG_LEN)
        error = pl_bad(MPI_ERR_ARG, "the string tag has %zu characters, at most %d are allowed", strlen(tag),
                       MPI_MAX_STRINGTAG_LEN - 1);
    if (!error && info != MPI_INFO_NULL)
        error = pl_info_of(mpi, info, hints);
    return error;
}

static void equip(struct pl_mpi *mpi, struct pl_comm *made, struct pl_errhandler *handler,
                  const struct pl_info *hints)
{
    pl_errhandler_release(mpi, made->errhandler);
    handler->references++;
    made->errhandler = handler;
    if (hints)
        pl_info_apply(hints, made);
}

int PMPI_Comm_create_from_group(MPI_Group group, const char *stringtag, MPI_Info info,
                                MPI_Errhandler errhandler, MPI_Comm *newcomm)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_create_from_group");
    struct pl_errhandler *handler;
    struct pl_info *hints;
    struct pl_group *g;
    struct pl_comm *meeting = NULL, *made = NULL;
    int error = check(mpi, stringtag, info, errhandler, &handler, &hints);
    if (!error)
        error = pl_group_of(mpi, group, &g);
    if (!error)
        error = pl_check_pointer(newcomm, "newcomm");
    if (!error && g->size && g->rank < 0)
        error = pl_bad(MPI_ERR_GROUP, "this rank is not in the group");
    if (!error && g->size)
        error = meet(mpi, g, stringtag, &meeting);
    if (!error && meeting)
        error = pl_comm_make_over(mpi, meeting, g, 0, &made);
    if (made)
        equip(mpi, made, handler, hints);
    if (!error)
        *newcomm = made ? (MPI_Comm)made->handle : MPI_COMM_NULL;
    pl_comm_release(meeting);
    return pl_return_to(mpi, handler, (uintptr_t)MPI_COMM_NULL, error);
}
PL_WEAK(Comm_create_from_group)

/* The communicator of the two leaders alone; the one of the lesser identity first. */
static int meet_leader(struct pl_mpi *mpi, int mine, int theirs, const char *tag, struct pl_comm **comm,
                       int *rank)
{
    struct pl_identity a = pl_peer_identity(mpi->rank, mine), b = pl_peer_identity(mpi->rank, theirs);
    bool first = a.world != b.world ? a.world < b.world : a.rank < b.rank;
    struct pl_group *pair = pl_group_create(2);
    if (!pair)
        return pl_fail(PL_ENOMEM, "no memory for a group of two");
    pair->rank = !first;
    pair->peers[!first] = mine;
    pair->peers[first] = theirs;
    *rank = first;
    int error = meet(mpi, pair, tag, comm);
    pl_group_release(pair);
    return error;
}

static int check_leaders(const struct pl_group *local, int local_leader, const struct pl_group *remote,
                         int remote_leader)
{
    if (local->rank < 0)
        return pl_bad(MPI_ERR_GROUP, "this rank is not in the local group");
    if (local_leader < 0 || local_leader >= local->size)
        return pl_bad(MPI_ERR_RANK, "the local leader, %d, is not in the group of %d", local_leader,
                      local->size);
    if (local->rank == local_leader && (remote_leader < 0 || remote_leader >= remote->size))
        return pl_bad(MPI_ERR_RANK, "the remote leader, %d, is not in the group of %d", remote_leader,
                      remote->size);
    return 0;
}

int PMPI_Intercomm_create_from_groups(MPI_Group local_group, int local_leader, MPI_Group remote_group,
                                      int remote_leader, const char *stringtag, MPI_Info info,
                                      MPI_Errhandler errhandler, MPI_Comm *newintercomm)
{
    struct pl_mpi *mpi = pl_call("MPI_Intercomm_create_from_groups");
    struct pl_errhandler *handler;
    struct pl_info *hints;
    struct pl_group *local, *remote;
    struct pl_comm *meeting = NULL, *leaders = NULL, *made = NULL;
    int other = 0;
    int error = check(mpi, stringtag, info, errhandler, &handler, &hints);
    if (!error)
        error = pl_group_of(mpi, local_group, &local);
    if (!error)
        error = pl_group_of(mpi, remote_group, &remote);
    if (!error)
        error = pl_check_pointer(newintercomm, "newintercomm");
    if (!error)
        error = check_leaders(local, local_leader, remote, remote_leader);
    if (!error)
        error = meet(mpi, local, stringtag, &meeting);
    if (!error && local->rank == local_leader)
        error = meet_leader(mpi, local->peers[local_leader], remote->peers[remote_leader], stringtag,
                            &leaders, &other);
    if (!error)
        error = pl_comm_make_between(mpi, meeting, local_leader, leaders, other, 0, &made);
    if (made)
        equip(mpi, made, handler, hints);
    if (!error)
        *newintercomm = (MPI_Comm)made->handle;
    pl_comm_release(leaders);
    pl_comm_release(meeting);
    return pl_return_to(mpi, handler, (uintptr_t)MPI_COMM_NULL, error);
}
PL_WEAK(Intercomm_create_from_groups)
