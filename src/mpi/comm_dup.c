/* Duplicates of communicators (MPI 5.0, section 7.4.2), blocking and not.
 *
 * Two numbers must reach every rank: the new context, and for an intercommunicator the context of its
 * local side. Within one group that is a broadcast. Between two groups the leaders swap first, and the
 * low side's counts. Nonblocking, the leader then tells its side by single messages, since a collective
 * on the local side that starts when a message happens to arrive would not be in the same order everywhere.
 * The handle is there at once; its context when the request is complete.
 */
#include "agree.h"
#include "attribute.h"
#include "collectives.h"
#include "exchange.h"
#include "info.h"
#include "loss.h"
#include "mpi_request.h"
#include "topology.h"

#include <stdlib.h>
#include <string.h>

struct contexts {
    uint64_t whole, local;
};

static struct contexts propose(struct pl_rank *rank, const struct pl_comm *comm)
{
    struct contexts c = {pl_context_new(rank), 0};
    if (comm->remote)
        c.local = pl_context_new(rank);
    return c;
}

static int agree(struct pl_mpi *mpi, struct pl_comm *comm, struct contexts *contexts)
{
    struct contexts theirs;
    int error = 0;
    if (!comm->rank)
        *contexts = propose(mpi->rank, comm);
    if (!comm->rank && comm->remote) {
        error =
            pl_agree_swap(comm, comm, 0, PL_AGREE_INTER, contexts, sizeof *contexts, &theirs, sizeof theirs);
        if (!error && !comm->low)
            contexts->whole = theirs.whole;
    }
    if (!error)
        error = pl_exchange_bcast(comm->remote ? comm->local : comm, contexts, sizeof *contexts, 0);
    return error;
}

static int make(struct pl_mpi *mpi, struct pl_comm *comm, const struct contexts *contexts,
                const struct pl_info *hints, struct pl_comm **out)
{
    struct pl_comm *made;
    int error = comm->remote ? pl_comm_make_inter(mpi, comm, comm->group, comm->remote, comm->low,
                                                  contexts->whole, contexts->local, &made)
                             : pl_comm_make(mpi, comm, comm->group, contexts->whole, &made);
    if (error)
        return error;
    if (comm->topology && !(made->topology = pl_topology_copy(comm->topology)))
        error = PL_ENOMEM;
    if (!error && hints)
        pl_info_apply(hints, made);
    if (!error)
        error =
            pl_attributes_copy(mpi, PL_ATTRIBUTE_COMM, comm->handle, &comm->attributes, &made->attributes);
    if (error)
        pl_comm_unmake(mpi, made);
    else
        *out = made;
    return error;
}

/* The arguments of all four. *hints is NULL without an info. */
static int check(struct pl_mpi *mpi, MPI_Comm comm, MPI_Info info, const MPI_Comm *newcomm,
                 struct pl_comm **c, struct pl_info **hints)
{
    *hints = NULL;
    int error = pl_comm_of(mpi, comm, c);
    if (!error)
        error = pl_check_pointer(newcomm, "newcomm");
    if (!error && info != MPI_INFO_NULL)
        error = pl_info_of(mpi, info, hints);
    return error;
}

static int duplicate(const char *name, MPI_Comm comm, MPI_Info info, MPI_Comm *newcomm)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_comm *c = NULL, *made;
    struct pl_info *hints;
    struct contexts contexts = {0, 0};
    int error = check(mpi, comm, info, newcomm, &c, &hints);
    if (!error)
        error = agree(mpi, c, &contexts);
    if (!error)
        error = make(mpi, c, &contexts, hints, &made);
    if (!error)
        *newcomm = (MPI_Comm)made->handle;
    else if (newcomm)
        *newcomm = MPI_COMM_NULL;
    return pl_return(mpi, c, error);
}

int PMPI_Comm_dup(MPI_Comm comm, MPI_Comm *newcomm)
{
    return duplicate("MPI_Comm_dup", comm, MPI_INFO_NULL, newcomm);
}
PL_WEAK(Comm_dup)

int PMPI_Comm_dup_with_info(MPI_Comm comm, MPI_Info info, MPI_Comm *newcomm)
{
    return duplicate("MPI_Comm_dup_with_info", comm, info, newcomm);
}
PL_WEAK(Comm_dup_with_info)

/* A nonblocking duplicate under way. */
struct idup {
    struct pl_mpi_request *request;
    struct pl_comm *comm, *made; /* both held */
    struct contexts contexts, theirs;
    int waiting; /* messages under way */
    int error;
    struct pl_request messages[]; /* leader: to and from the other leader, then to the local side */
};

static void finish(struct idup *idup, int error)
{
    struct pl_request *base = &idup->request->base;
    idup->made->context = idup->contexts.whole;
    if (idup->made->local)
        idup->made->local->context = idup->contexts.local;
    base->error = error;
    base->text = error ? strdup(pl_fail_text()) : NULL;
    base->complete = true;
    base->completed(base);
    pl_comm_release(idup->comm);
    pl_comm_release(idup->made);
    free(idup);
}

static void message_done(struct pl_request *message);

/* All messages of a phase have gone and come. */
static void phase_done(struct idup *idup)
{
    struct pl_comm *comm = idup->comm;
    bool met = idup->theirs.whole != 0;
    if (comm->rank || !met || idup->error) {
        finish(idup, idup->error);
        return;
    }
    if (!comm->low)
        idup->contexts.whole = idup->theirs.whole;
    idup->theirs.whole = 0;
    idup->waiting = comm->size; /* one more than the messages, so that the last of them is not the end */
    for (int i = 1; i < comm->size; i++) {
        struct pl_request *to = &idup->messages[1 + i];
        to->completed = message_done;
        to->owner = idup;
        pl_send_start(to, comm->local, PL_CHANNEL_AGREE, PL_MODE_STANDARD, &idup->contexts,
                      sizeof idup->contexts, i, PL_AGREE_IDUP, 0);
    }
    if (!--idup->waiting)
        finish(idup, idup->error);
}

static void message_done(struct pl_request *message)
{
    struct idup *idup = message->owner;
    if (message->error && !idup->error) {
        idup->error = message->error;
        pl_fail(message->error, "%s", message->text ? message->text : "a message for a duplicate failed");
    }
    pl_request_finish(message);
    if (!--idup->waiting)
        phase_done(idup);
}

static void start_inter(struct idup *idup)
{
    struct pl_comm *comm = idup->comm;
    struct pl_request *in = &idup->messages[0], *out = &idup->messages[1];
    in->completed = out->completed = message_done;
    in->owner = out->owner = idup;
    idup->waiting = comm->rank ? 2 : 3; /* one more than the messages: none of them is the end yet */
    if (comm->rank) {
        pl_recv_start(in, comm->local, PL_CHANNEL_AGREE, &idup->contexts, sizeof idup->contexts, 0,
                      PL_AGREE_IDUP, 0);
    } else {
        idup->contexts = propose(comm->owner, comm);
        pl_send_start(out, comm, PL_CHANNEL_AGREE, PL_MODE_STANDARD, &idup->contexts, sizeof idup->contexts,
                      0, PL_AGREE_IDUP, 0);
        out->together = comm;
        pl_recv_start(in, comm, PL_CHANNEL_AGREE, &idup->theirs, sizeof idup->theirs, 0, PL_AGREE_IDUP, 0);
    }
    in->together = comm;
    if (!--idup->waiting)
        phase_done(idup);
}

static void run_completed(struct pl_run *run)
{
    struct idup *idup = run->owner;
    int error = run->error ? pl_fail(run->error, "%s", run->text ? run->text : "the broadcast failed") : 0;
    if (idup)
        finish(idup, error);
    pl_run_finish(run);
}

static int start_intra(struct pl_mpi *mpi, struct idup *idup)
{
    if (!idup->comm->rank)
        idup->contexts = propose(mpi->rank, idup->comm);
    struct pl_coll_call call = {.collective = PL_BCAST,
                                .out = &idup->contexts,
                                .count = sizeof idup->contexts,
                                .type = pl_datatype_predefined((uintptr_t)MPI_BYTE),
                                .comm = idup->comm};
    struct pl_run *run;
    return pl_coll_start(&call, run_completed, idup, &run);
}

static int idup_start(struct pl_mpi *mpi, struct pl_comm *comm, const struct pl_info *hints,
                      MPI_Comm *newcomm, MPI_Request *handle)
{
    struct contexts none = {0, 0};
    size_t messages = comm->remote ? (size_t)comm->size + 1 : 0;
    struct idup *idup = calloc(1, sizeof *idup + messages * sizeof idup->messages[0]);
    struct pl_mpi_request *request = pl_mpi_request_create(mpi, comm);
    int error = idup && request ? 0 : pl_fail(PL_ENOMEM, "no memory to duplicate %s", comm->name);
    if (!error)
        error = pl_comm_check(comm, ~0u);
    if (!error)
        error = make(mpi, comm, &none, hints, &idup->made);
    if (error)
        goto free_both;
    pl_mpi_request_begin_run(request);
    idup->request = request;
    idup->comm = comm;
    pl_comm_hold(comm);
    pl_comm_hold(idup->made);
    struct pl_comm *made = idup->made;
    MPI_Request value = (MPI_Request)request->handle;
    if (comm->remote)
        start_inter(idup);
    else
        error = start_intra(mpi, idup);
    if (error) {
        pl_comm_unmake(mpi, made);
        pl_comm_release(made);
        pl_comm_release(comm);
        goto free_both;
    }
    *newcomm = (MPI_Comm)made->handle;
    *handle = value;
    return 0;
free_both:
    if (request)
        pl_mpi_request_destroy(request);
    free(idup);
    return error;
}

static int nonblocking(const char *name, MPI_Comm comm, MPI_Info info, MPI_Comm *newcomm,
                       MPI_Request *request)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_comm *c = NULL;
    struct pl_info *hints;
    int error = check(mpi, comm, info, newcomm, &c, &hints);
    if (!error)
        error = pl_check_pointer(request, "request");
    if (!error)
        error = idup_start(mpi, c, hints, newcomm, request);
    if (error && newcomm)
        *newcomm = MPI_COMM_NULL;
    return pl_return(mpi, c, error);
}

int PMPI_Comm_idup(MPI_Comm comm, MPI_Comm *newcomm, MPI_Request *request)
{
    return nonblocking("MPI_Comm_idup", comm, MPI_INFO_NULL, newcomm, request);
}
PL_WEAK(Comm_idup)

int PMPI_Comm_idup_with_info(MPI_Comm comm, MPI_Info info, MPI_Comm *newcomm, MPI_Request *request)
{
    return nonblocking("MPI_Comm_idup_with_info", comm, info, newcomm, request);
}
PL_WEAK(Comm_idup_with_info)
