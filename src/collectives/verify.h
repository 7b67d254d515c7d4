/* The verifier: proves, by running it on symbols, that an algorithm does what the
 * collective is defined to do, whatever the order in which its steps complete.
 */
#ifndef PL_VERIFY_H
#define PL_VERIFY_H

#include "algorithm.h"

/* How strictly results of reductions are compared. */
enum pl_verify_sum {
    PL_SUM_SET,   /* every operand once, in any order and bracketing: commutative operators */
    PL_SUM_ORDER, /* in rank order, any bracketing: operators that do not commute */
    PL_SUM_TREE,  /* the canonical tree: reproducible mode */
};

struct pl_verify_params {
    const struct pl_algorithm *algorithm;
    struct pl_coll_args args; /* rank is ignored; element must divide 64; size at most 64 for a barrier */
    enum pl_verify_sum sum;
    uint64_t seed;   /* of the order of completion */
    int orders;      /* how many orders to try, >= 1 */
    unsigned ignore; /* hazards for the builder to overlook */
    /* Uneven calls and those on intercommunicators: every rank's call, then those of the other group's ranks
     * as they see it; `args` is only for texts then. Else NULL. */
    const struct pl_coll_args *each;
};

/* Writes the schedules of all ranks and runs them together. Checks: sends and receives pair up with
 * equal lengths; no step touches bytes outside its buffers or that were never set, writes what
 * is not its to write, or is under way together with another that it conflicts with; sends that
 * complete only with their receive never deadlock; and every rank's OUT is what MPI says.
 * 0, or a negative error whose text says what is wrong at which rank and step. */
int pl_verify(const struct pl_verify_params *params);

#endif
