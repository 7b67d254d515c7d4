/* Meeting before a direct schedule: can all ranks of a call reach each other's buffers? */
#ifndef PL_DIRECT_H
#define PL_DIRECT_H

#include "collectives.h"

#include "choose.h"

/* What a communicator remembers: attempts that failed make the next ones rarer. The same on all ranks,
 * since only blocking calls meet, and those come in the same order everywhere. */
struct pl_direct {
    unsigned failures, skip;
};

/* The direct algorithm for this call, or NULL when another is cheaper, meeting included, or when the
 * ranks are not all of one host, or when it is not worth trying just now. */
const struct pl_algorithm *pl_direct_wanted(struct pl_direct *direct, const struct pl_comm *comm,
                                            const struct pl_machine *machine, const struct pl_coll_args *args,
                                            const struct pl_algorithm *forced);

enum pl_met {
    PL_NOT_MET,
    PL_MET,            /* every rank reaches every buffer of the others */
    PL_MET_ONE_DEVICE, /* and all of them are on one device */
};

/* All ranks call it: two small allgathers, three where all buffers are on devices. 0: *met says, alike on all
 * ranks, whether every rank reaches every buffer of `bytes` bytes; then peer[3 * i] and peer[3 * i + 1] are
 * IN and OUT of rank i. */
int pl_direct_meet(struct pl_direct *direct, const struct pl_coll_call *call, size_t bytes, char **peer,
                   enum pl_met *met);

/* Every rank's `bytes` bytes at `mine`, in rank order. 0 or an error. */
int pl_direct_allgather(struct pl_comm *comm, const void *mine, void *all, size_t bytes);

#endif
