/* How ranks agree on a new communicator, and how one is made once they have. */
#ifndef PL_AGREE_H
#define PL_AGREE_H

#include "call.h"

/* Tags of the channel PL_CHANNEL_AGREE that are not the program's (those are 0 and more). */
enum {
    PL_AGREE_INTER = -11,
    PL_AGREE_EDGES = -12,
    PL_AGREE_IDUP = -13,
    PL_AGREE_HELLO = -14,
    PL_AGREE_MEET = -15,
    PL_AGREE_WELCOME = -16,
    PL_AGREE_STATS = -17,
};

/* What members of a new communicator say to each other: its context, which is the first member's, and which
 * group they mean (pl_agree_hash). */
struct pl_founding {
    uint64_t context, group;
};

/* The members of a group and their order, hashed; the same on all ranks. */
uint64_t pl_agree_hash(struct pl_rank *rank, const struct pl_group *group);

/* Sends `out` to and receives `in` from one rank of comm's target, as a part of a call that all members of
 * `together` make: fails when it is broken, or becomes so. The other side's members may have died and its
 * leader have given up: so it also fails when a member of comm has died that the program has not acknowledged
 * (MPIX_Comm_ack_failed). */
int pl_agree_swap(struct pl_comm *comm, const struct pl_comm *together, int rank, int tag, const void *out,
                  size_t out_length, void *in, size_t in_length);
/* The error with which a swap would begin, or 0. */
int pl_agree_check(const struct pl_comm *comm, const struct pl_comm *together);

/* A communicator over `group`, with the error handler and the hints of `parent` (NULL: of MPI_COMM_SELF;
 * its error handler then is `errhandler`). *made has a handle. */
int pl_comm_make(struct pl_mpi *mpi, const struct pl_comm *parent, struct pl_group *group, uint64_t context,
                 struct pl_comm **made);

/* The same for an intercommunicator; local_context is for its local communicator, over `group`. */
int pl_comm_make_inter(struct pl_mpi *mpi, const struct pl_comm *parent, struct pl_group *group,
                       struct pl_group *remote, bool low, uint64_t context, uint64_t local_context,
                       struct pl_comm **made);

/* Collective over the members of `group` alone, all of which are in comm: the new communicator over it,
 * agreed on with messages of `tag`. */
int pl_comm_make_over(struct pl_mpi *mpi, struct pl_comm *comm, struct pl_group *group, int tag,
                      struct pl_comm **made);

/* Collective over local: an intercommunicator with the group led by `remote_leader` of `peer` (both only
 * looked at by the local leader). */
int pl_comm_make_between(struct pl_mpi *mpi, struct pl_comm *local, int local_leader, struct pl_comm *peer,
                         int remote_leader, int tag, struct pl_comm **made);

/* Gives back what pl_comm_make* made, handle and all, without callbacks. */
void pl_comm_unmake(struct pl_mpi *mpi, struct pl_comm *comm);

/* Splits an intra- or intercommunicator; *made is NULL where the rank is in no part. */
int pl_comm_split(struct pl_mpi *mpi, struct pl_comm *comm, int color, int key, struct pl_comm **made);

/* As MPI_Comm_free does: callbacks, handle, reference. */
int pl_comm_close(struct pl_mpi *mpi, struct pl_comm *comm);

#endif
