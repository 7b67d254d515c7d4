/* Two groups whose roots have found each other (port.h). */
#ifndef PL_MEETING_H
#define PL_MEETING_H

#include "bridge.h"
#include "call.h"

/* One group's part in connecting to another; what the root alone has is NULL elsewhere. */
struct pl_meeting {
    struct pl_mpi *mpi;
    struct pl_comm *comm, *pair; /* the group; a communicator of the two roots */
    int root, other;             /* the other root's rank in pair */
    int theirs;                  /* ranks of the other side, and who they are: filled and freed here */
    struct pl_identity *members;
    struct pl_bridge *way; /* of a connecting root to a stranger's port; the caller's */
};

/* Collective over m->comm: what root_error is at the root ends the call on its whole side, else *made is the
 * intercommunicator. */
int pl_meeting_join(struct pl_meeting *m, bool accepting, int root_error, struct pl_comm **made);

#endif
