/* What the death of a peer, a revocation or a mismatch does to communicators and requests. docs/faults.md
 * says what programs may rely on. All functions are called with the rank's lock held. */
#ifndef PL_LOSS_H
#define PL_LOSS_H

#include "comm.h"
#include "envelope.h"

/* Most bytes of the text of how a peer died, its end included. */
enum { PL_CAUSE = 400 };

/* Bits of comm->broken. */
enum pl_break {
    PL_BREAK_FAILED = 1,   /* a member died: collectives cannot be made */
    PL_BREAK_REVOKED = 2,  /* MPIX_Comm_revoke: nothing can */
    PL_BREAK_MISMATCH = 4, /* its ranks called different collectives: collectives cannot be made */
};

/* A communicator that was broken by others before this rank had made it. */
struct pl_broken {
    uint64_t context;
    unsigned why;
    char *cause;
};

/* A new communicator looks which of its members are dead, and whether it was broken already. */
void pl_comm_begin(struct pl_comm *comm);

/* The communicator of that context, or NULL. */
struct pl_comm *pl_comm_of_context(const struct pl_rank *rank, uint64_t context);

/* The error of a broken communicator, with its text; 0 when it is not `broken` in one of these ways. */
int pl_comm_check(const struct pl_comm *comm, unsigned ways);

/* The peer has died, or is out of reach for good; `cause` is a sentence: how it was seen. Everything that
 * needs it ends with PL_EPEER, and others are told. Nothing happens the second time. */
void pl_peer_lost(struct pl_rank *rank, int peer, int error, const char *cause);

/* pl_fail with the text for a peer that is lost; returns PL_EPEER. */
int pl_peer_fail(struct pl_rank *rank, int peer);

/* Breaks the communicator for PL_BREAK_REVOKED or _MISMATCH, here and on every member that lives: what is
 * under way on it ends with the error, all later calls begin with it. `cause`: the text of a mismatch, which
 * all ranks are told. Does nothing when it is broken so already. */
void pl_comm_break(struct pl_comm *comm, unsigned why, const char *cause);

/* The dead members of both groups, in the order in which they were heard of: at most `most` peer numbers.
 * Returns how many there are (comm->failed). */
int pl_comm_deaths(const struct pl_comm *comm, int *peers, int most);

/* A receive from any source that waits on while a possible sender is dead and the program has not taken
 * notice. */
bool pl_request_stalled(const struct pl_request *request);

/* Fails with PL_EPEER when a receive from `source` of comm (or PL_ANY_SOURCE) can never be answered. */
int pl_source_check(const struct pl_comm *comm, int source);

/* Tells the living members of a group something: all of them where they are few, else those at the distances
 * 1, 2, 4, ... in both directions, who tell it on. */
void pl_spread(struct pl_rank *rank, const struct pl_group *group, const struct pl_envelope *envelope,
               const void *payload, size_t length);

/* A frame with news has come (PL_KIND_DEATH, PL_KIND_BREAK). */
void pl_loss_heard(struct pl_rank *rank, int peer, const struct pl_envelope *envelope, const void *payload,
                   size_t length);

/* The ports are closed: completes what waits for frames that will never come (collectives that were given
 * up). */
void pl_loss_finish(struct pl_rank *rank);

#endif
