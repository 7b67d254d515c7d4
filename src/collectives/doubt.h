/* Calls that do not fit together: how ranks that wait for each other in different collective calls, or on
 * different communicators, find out. All functions are called with the rank's lock held. */
#ifndef PL_DOUBT_H
#define PL_DOUBT_H

#include "comm.h"
#include "run.h"

#include <stddef.h>

/* A call on the communicator begins: notes what it is (for those who ask later), and whether somebody said
 * that it is another. */
static inline void pl_doubt_note(struct pl_comm *comm, uint32_t signature, size_t bytes)
{
    struct pl_call_log *log = &comm->log[comm->calls++ % PL_CALL_LOG];
    log->signature = signature;
    log->sequence = comm->sequence;
    log->bytes = bytes;
}

/* What somebody claimed the call that has just begun to be; true: it is not, and the communicator is broken
 * now. */
bool pl_doubt_claimed(struct pl_comm *comm);

/* A run is over: whether a message of its call is left that no step received; breaks the communicator if so.
 */
void pl_doubt_left(struct pl_run *run);

/* The ranks of a communicator made different calls: breaks it with the text. Returns PL_EMISMATCH, its text
 * set. */
int pl_doubt_differ(struct pl_comm *comm, int rank, uint32_t mine, uint32_t theirs);
/* The same when it was a call before this one; theirs: the rank's, 0 when it is not known. */
int pl_doubt_differed(struct pl_comm *comm, int rank, uint32_t theirs);

struct pl_rank;
/* Sets what p2p calls up for (struct pl_rank). */
void pl_doubt_begin(struct pl_rank *rank);

#endif
