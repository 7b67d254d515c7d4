/* Matching: which receive a message belongs to (MPI 4.1, section 3.5). */
#ifndef PL_MATCH_H
#define PL_MATCH_H

#include "envelope.h"
#include "rank.h"
#include "request.h"

/* A message that arrived before its receive. */
struct pl_message {
    struct pl_list link; /* in its bucket */
    struct pl_list all;  /* in order of arrival */
    struct pl_rank *rank;
    struct pl_envelope envelope;
    int peer;
    bool here;   /* all of the payload is in data (or rts) */
    bool queued; /* it is in the two lists */
    int status;  /* PL_ECANCELLED: its sender has given it up; else why its payload will never be here */
    struct pl_request *claim; /* a receive that took it while the payload is still landing */
    struct pl_request *local; /* the send of this very rank that waits for it */
    bool carded;              /* the rts came with a card, which begins data */
    struct pl_rts rts;
    unsigned char data[];
};

void pl_match_init(struct pl_rank *rank);
/* Frees the messages that nobody received. */
void pl_match_finish(struct pl_rank *rank);

/* Adds a receive to those posted. */
void pl_match_post(struct pl_request *request);
/* Removes and returns the oldest posted receive that the envelope matches, or NULL. */
struct pl_request *pl_match_arrival(struct pl_rank *rank, const struct pl_envelope *envelope);
/* Keeps a message until a receive comes for it. */
void pl_match_keep(struct pl_message *message);
/* The oldest kept message for (context, source or PL_ANY_SOURCE, tag or PL_ANY_TAG), or NULL. */
struct pl_message *pl_match_find(struct pl_rank *rank, uint64_t context, int source, int tag);
void pl_match_remove(struct pl_message *message);
/* A matched probe takes a kept message out of matching; its receive, before anything else, gives it. What is
 * taken and never received, pl_match_finish frees. */
void pl_match_take(struct pl_message *message);
void pl_match_give(struct pl_message *message);
/* The peer has given up its message: it is forgotten, if nothing has matched it yet; after a matched probe
 * its receive will fail. */
void pl_match_withdrawn(struct pl_rank *rank, int peer, uint32_t cookie);
/* Takes back what a send of this rank to itself keeps here. Returns whether it did. */
bool pl_match_withdraw(struct pl_request *request);

#endif
