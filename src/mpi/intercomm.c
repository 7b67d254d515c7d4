/* Intercommunicators (MPI 5.0, section 7.6): making one between two groups, merging
 * its two sides, and asking about it. src/p2p/comm.h says what one is.
 */
#include "agree.h"
#include "exchange.h"
#include "loss.h"

#include <string.h>

int PMPI_Comm_test_inter(MPI_Comm comm, int *flag)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_test_inter");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(flag, "flag");
    if (!error)
        *flag = c->remote != NULL;
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_test_inter)

static int inter_of(struct pl_mpi *mpi, MPI_Comm comm, struct pl_comm **c)
{
    int error = pl_comm_of(mpi, comm, c);
    if (!error && !(*c)->remote)
        error = pl_bad(MPI_ERR_COMM, "%s is not an intercommunicator", (*c)->name);
    return error;
}

int PMPI_Comm_remote_size(MPI_Comm comm, int *size)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_remote_size");
    struct pl_comm *c = NULL;
    int error = inter_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(size, "size");
    if (!error)
        *size = c->remote->size;
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_remote_size)

int PMPI_Comm_remote_group(MPI_Comm comm, MPI_Group *group)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_remote_group");
    struct pl_comm *c = NULL;
    int error = inter_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(group, "group");
    if (!error) {
        pl_group_hold(c->remote);
        error = pl_group_publish(mpi, c->remote, group);
    }
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_remote_group)

int PMPI_Intercomm_create(MPI_Comm local_comm, int local_leader, MPI_Comm peer_comm, int remote_leader,
                          int tag, MPI_Comm *newintercomm)
{
    struct pl_mpi *mpi = pl_call("MPI_Intercomm_create");
    struct pl_comm *c = NULL, *peer = NULL, *made;
    int error = pl_comm_of(mpi, local_comm, &c);
    if (!error && c->remote)
        error = pl_bad(MPI_ERR_COMM, "%s is an intercommunicator, the local one may not be", c->name);
    if (!error && (local_leader < 0 || local_leader >= c->size))
        error = pl_bad(MPI_ERR_RANK, "local leader %d is not a rank of %s, whose ranks are 0..%d",
                       local_leader, c->name, c->size - 1);
    if (!error)
        error = pl_check_pointer(newintercomm, "newintercomm");
    if (!error && tag < 0)
        error = pl_bad(MPI_ERR_TAG, "tag %d is negative", tag);
    if (!error && c->rank == local_leader) {
        error = pl_comm_of(mpi, peer_comm, &peer);
        if (!error && (remote_leader < 0 || remote_leader >= peer->target->size))
            error = pl_bad(MPI_ERR_RANK, "remote leader %d is not a rank of %s, whose ranks are 0..%d",
                           remote_leader, peer->name, peer->target->size - 1);
    }
    if (!error)
        error = pl_comm_make_between(mpi, c, local_leader, peer, remote_leader, tag, &made);
    if (!error)
        *newintercomm = (MPI_Comm)made->handle;
    return pl_return(mpi, c, error);
}
PL_WEAK(Intercomm_create)

struct side {
    uint64_t context;
    int32_t high, unused;
};

/* Which side comes first, and the context: the leaders swap what each side says. */
static int agree_merge(struct pl_mpi *mpi, struct pl_comm *c, bool high, bool *first, uint64_t *context)
{
    struct side sides[2] = {{pl_context_new(mpi->rank), high, 0}, {0, 0, 0}};
    int error = pl_comm_check(c, ~0u);
    if (!error && !c->rank)
        error =
            pl_agree_swap(c, c, 0, PL_AGREE_INTER, &sides[0], sizeof sides[0], &sides[1], sizeof sides[1]);
    if (!error)
        error = pl_exchange_bcast(c->local, sides, sizeof sides, 0);
    *first = sides[0].high != sides[1].high ? !sides[0].high : c->low;
    *context = sides[*first ? 0 : 1].context;
    return error;
}

int PMPI_Intercomm_merge(MPI_Comm intercomm, int high, MPI_Comm *newcomm)
{
    struct pl_mpi *mpi = pl_call("MPI_Intercomm_merge");
    struct pl_comm *c = NULL, *made;
    struct pl_group *group = NULL;
    bool first;
    uint64_t context;
    int error = inter_of(mpi, intercomm, &c);
    if (!error)
        error = pl_check_pointer(newcomm, "newintracomm");
    if (!error)
        error = agree_merge(mpi, c, high != 0, &first, &context);
    if (!error && !(group = pl_group_create(c->group->size + c->remote->size)))
        error = pl_fail(PL_ENOMEM, "no memory to merge %s", c->name);
    if (!error) {
        const struct pl_group *a = first ? c->group : c->remote, *b = first ? c->remote : c->group;
        memcpy(group->peers, a->peers, sizeof a->peers[0] * (size_t)a->size);
        memcpy(group->peers + a->size, b->peers, sizeof b->peers[0] * (size_t)b->size);
        group->rank = first ? c->rank : a->size + c->rank;
        error = pl_comm_make(mpi, c, group, context, &made);
        if (!error)
            *newcomm = (MPI_Comm)made->handle;
    }
    pl_group_release(group);
    return pl_return(mpi, c, error);
}
PL_WEAK(Intercomm_merge)
