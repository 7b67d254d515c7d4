/* Living on after a death (mpi-ext.h): what a program is told of the dead, and how it repairs a communicator.
 * The work is p2p's: loss.c breaks communicators, agreement.c agrees.
 */
#include "agree.h"
#include "agreement.h"
#include "loss.h"
#include "mpi_request.h"

#include "mpi-ext.h"

#include <stdlib.h>
#include <string.h>

#define WEAK(name) extern __typeof__(PMPIX_##name) MPIX_##name __attribute__((weak, alias("PMPIX_" #name)));

/* Hears what there is to hear, so that what is told is not older than it must be. */
static void listen(struct pl_rank *rank)
{
    pl_progress(rank);
    if (rank->look)
        rank->look(rank);
}

int PMPIX_Comm_revoke(MPI_Comm comm)
{
    struct pl_mpi *mpi = pl_call("MPIX_Comm_revoke");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        pl_comm_break(c, PL_BREAK_REVOKED, NULL);
    return pl_return(mpi, c, error);
}
WEAK(Comm_revoke)

int PMPIX_Comm_is_revoked(MPI_Comm comm, int *flag)
{
    struct pl_mpi *mpi = pl_call("MPIX_Comm_is_revoked");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(flag, "flag");
    if (!error) {
        listen(mpi->rank);
        *flag = (c->broken & PL_BREAK_REVOKED) != 0;
    }
    return pl_return(mpi, c, error);
}
WEAK(Comm_is_revoked)

/* The first `most` of the communicator's dead, as a group with a handle. */
static int publish_dead(struct pl_mpi *mpi, const struct pl_comm *comm, int most, MPI_Group *handle)
{
    struct pl_group *group = pl_group_create(most);
    if (!group)
        return pl_fail(PL_ENOMEM, "no memory for a group of %d", most);
    pl_comm_deaths(comm, group->peers, most);
    return pl_group_publish(mpi, group, handle);
}

int PMPIX_Comm_get_failed(MPI_Comm comm, MPI_Group *failedgrp)
{
    struct pl_mpi *mpi = pl_call("MPIX_Comm_get_failed");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(failedgrp, "failedgrp");
    if (!error) {
        listen(mpi->rank);
        error = publish_dead(mpi, c, c->failed, failedgrp);
    }
    return pl_return(mpi, c, error);
}
WEAK(Comm_get_failed)

static void acknowledge(struct pl_comm *comm, int count)
{
    if (count > comm->failed)
        count = comm->failed;
    if (count > comm->acknowledged)
        comm->acknowledged = count;
}

int PMPIX_Comm_ack_failed(MPI_Comm comm, int num_to_ack, int *num_acked)
{
    struct pl_mpi *mpi = pl_call("MPIX_Comm_ack_failed");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(num_acked, "num_acked");
    if (!error && num_to_ack < 0)
        error = pl_bad(MPI_ERR_ARG, "num_to_ack %d is negative", num_to_ack);
    if (!error) {
        acknowledge(c, num_to_ack);
        *num_acked = c->acknowledged;
    }
    return pl_return(mpi, c, error);
}
WEAK(Comm_ack_failed)

int PMPIX_Comm_failure_ack(MPI_Comm comm)
{
    struct pl_mpi *mpi = pl_call("MPIX_Comm_failure_ack");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error) {
        listen(mpi->rank);
        acknowledge(c, c->failed);
    }
    return pl_return(mpi, c, error);
}
WEAK(Comm_failure_ack)

int PMPIX_Comm_failure_get_acked(MPI_Comm comm, MPI_Group *failedgrp)
{
    struct pl_mpi *mpi = pl_call("MPIX_Comm_failure_get_acked");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(failedgrp, "failedgrp");
    if (!error)
        error = publish_dead(mpi, c, c->acknowledged, failedgrp);
    return pl_return(mpi, c, error);
}
WEAK(Comm_failure_get_acked)

/* Whoever is dead by the verdict is so for this rank too. MPIX_ERR_PROC_FAILED when somebody died whose death
 * not all had acknowledged. */
static int outcome(const struct pl_comm *comm, const struct pl_agreement *agreement)
{
    const struct pl_group *group = pl_agreement_group(agreement);
    for (int i = 0; i < group->size; i++)
        if (pl_verdict_failed(agreement, i) && i != group->rank)
            pl_peer_lost(comm->owner, group->peers[i], PL_EPEER, "others have seen it die");
    int member = pl_verdict_news(agreement);
    return member < 0 ? 0 : pl_peer_fail(comm->owner, group->peers[member]);
}

int PMPIX_Comm_agree(MPI_Comm comm, int *flag)
{
    struct pl_mpi *mpi = pl_call("MPIX_Comm_agree");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(flag, "flag");
    struct pl_agreement *agreement = error ? NULL : pl_agreement_begin(c, *flag, NULL, NULL);
    if (!error)
        error = agreement ? pl_agreement_wait(agreement) : PL_ENOMEM;
    if (!error) {
        *flag = pl_agreement_verdict(agreement)->flag;
        error = outcome(c, agreement);
    }
    if (agreement)
        pl_agreement_end(agreement);
    return pl_return(mpi, c, error);
}
WEAK(Comm_agree)

/* A nonblocking one under way: request->extra. */
struct iagree {
    struct pl_agreement *agreement; /* NULL: over */
    int *flag;
};

static void agreed(struct pl_agreement *agreement, void *owner)
{
    struct pl_mpi_request *request = owner;
    struct iagree *iagree = request->extra;
    *iagree->flag = pl_agreement_verdict(agreement)->flag;
    int error = outcome(request->comm, agreement);
    pl_agreement_end(agreement);
    iagree->agreement = NULL;
    request->base.error = error;
    request->base.text = error ? strdup(pl_fail_text()) : NULL;
    pl_mpi_request_end(request);
}

static void drop(struct pl_mpi_request *request)
{
    struct iagree *iagree = request->extra;
    if (iagree->agreement)
        pl_agreement_end(iagree->agreement);
    free(iagree);
}

static const struct pl_special iagree_request = {.finish = drop};

static int start(struct pl_mpi *mpi, struct pl_comm *comm, int *flag, MPI_Request *handle)
{
    struct iagree *iagree = calloc(1, sizeof *iagree);
    struct pl_mpi_request *request = iagree ? pl_mpi_request_create(mpi, comm) : NULL;
    if (!request) {
        free(iagree);
        return pl_fail(PL_ENOMEM, "no memory to agree on %s", comm->name);
    }
    iagree->flag = flag;
    request->special = &iagree_request;
    request->extra = iagree;
    pl_mpi_request_begin_run(request);
    *handle = (MPI_Request)request->handle;
    struct pl_agreement *agreement = pl_agreement_begin(comm, *flag, agreed, request);
    if (agreement && !request->base.complete)
        iagree->agreement = agreement;
    if (agreement)
        return 0;
    pl_mpi_request_destroy(request);
    return PL_ENOMEM;
}

int PMPIX_Comm_iagree(MPI_Comm comm, int *flag, MPI_Request *request)
{
    struct pl_mpi *mpi = pl_call("MPIX_Comm_iagree");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(flag, "flag");
    if (!error)
        error = pl_check_pointer(request, "request");
    if (!error)
        error = start(mpi, c, flag, request);
    return pl_return(mpi, c, error);
}
WEAK(Comm_iagree)

/* A group without those that the verdict counts as dead; `first` is the place of its rank 0 in the agreement.
 */
static struct pl_group *survivors(const struct pl_agreement *agreement, const struct pl_group *group,
                                  int first, int self)
{
    struct pl_group *left = pl_group_create(group->size);
    if (!left)
        return NULL;
    left->size = 0;
    for (int i = 0; i < group->size; i++) {
        if (pl_verdict_failed(agreement, first + i))
            continue;
        if (group->peers[i] == self)
            left->rank = left->size;
        left->peers[left->size++] = group->peers[i];
    }
    return left;
}

static int shrink(struct pl_mpi *mpi, struct pl_comm *c, const struct pl_agreement *agreement,
                  struct pl_comm **made)
{
    const struct pl_verdict *verdict = pl_agreement_verdict(agreement);
    int self = mpi->rank->rank;
    bool second = c->remote && !c->low;
    struct pl_group *own = survivors(agreement, c->group, second ? c->remote->size : 0, self);
    outcome(c, agreement);
    struct pl_group *other =
        c->remote ? survivors(agreement, c->remote, second ? 0 : c->group->size, -1) : NULL;
    int error = own && (other || !c->remote) ? 0 : pl_fail(PL_ENOMEM, "no memory to shrink %s", c->name);
    if (!error && own->rank < 0)
        error = pl_fail(PL_EPEER, "the other ranks of %s have taken this one for dead", c->name);
    else if (!error && c->remote)
        error = pl_comm_make_inter(mpi, c, own, other, c->low, verdict->contexts[0],
                                   verdict->contexts[second ? 2 : 1], made);
    else if (!error)
        error = pl_comm_make(mpi, c, own, verdict->contexts[0], made);
    pl_group_release(own);
    pl_group_release(other);
    return error;
}

int PMPIX_Comm_shrink(MPI_Comm comm, MPI_Comm *newcomm)
{
    struct pl_mpi *mpi = pl_call("MPIX_Comm_shrink");
    struct pl_comm *c = NULL, *made = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(newcomm, "newcomm");
    struct pl_agreement *agreement = error ? NULL : pl_agreement_begin(c, 1, NULL, NULL);
    if (!error)
        error = agreement ? pl_agreement_wait(agreement) : PL_ENOMEM;
    if (!error)
        error = shrink(mpi, c, agreement, &made);
    if (agreement)
        pl_agreement_end(agreement);
    if (!error)
        *newcomm = (MPI_Comm)made->handle;
    return pl_return(mpi, c, error);
}
WEAK(Comm_shrink)
