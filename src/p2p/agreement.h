/* Agreement among the living members of a communicator, whoever dies meanwhile: the ground under
 * MPIX_Comm_agree and MPIX_Comm_shrink. It works on broken communicators too. All functions are called with
 * the rank's lock held. */
#ifndef PL_AGREEMENT_H
#define PL_AGREEMENT_H

#include "comm.h"
#include "envelope.h"

struct pl_agreement;

/* What was agreed on, the same on all members that come to know it. The group is that of an
 * intracommunicator, or of an intercommunicator the low side's and then the high side's. */
struct pl_verdict {
    int32_t flag; /* and-ed over all */
    int32_t unused;
    uint64_t
        contexts[3]; /* fresh: of a new communicator; and of the local sides of a new intercommunicator */
    uint64_t sets[]; /* words(n) of the members that somebody knew to be dead, and as many of those whose
                        death everybody had taken notice of: bit i % 64 of word i / 64 */
};

/* Begins the communicator's next agreement with this rank's flag. `completed` is called once, from here or
 * from progress, and may be NULL. NULL: no memory (text set). The agreement is p2p's; it can be looked at
 * until `pl_agreement_end`. */
struct pl_agreement *pl_agreement_begin(struct pl_comm *comm, int flag,
                                        void (*completed)(struct pl_agreement *agreement, void *owner),
                                        void *owner);
/* Waits for the verdict; 0 or an error of the rank itself (deadlock). */
int pl_agreement_wait(struct pl_agreement *agreement);
const struct pl_verdict *pl_agreement_verdict(const struct pl_agreement *agreement); /* NULL: not yet */
const struct pl_group *pl_agreement_group(const struct pl_agreement *agreement);
bool pl_verdict_failed(const struct pl_agreement *agreement, int member);
/* Whether a member died whose death not everybody had taken notice of; which, or -1. */
int pl_verdict_news(const struct pl_agreement *agreement);
/* The caller no longer looks at it. */
void pl_agreement_end(struct pl_agreement *agreement);

/* For the rest of p2p. */
void pl_agreement_heard(struct pl_rank *rank, int peer, const struct pl_envelope *envelope,
                        const void *payload, size_t length);
void pl_agreements_peer_lost(struct pl_rank *rank);
void pl_agreements_finish(struct pl_rank *rank);

#endif
