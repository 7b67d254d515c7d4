/* Which calls the board serves, and the life of a communicator's board. */
#ifndef PL_TINY_H
#define PL_TINY_H

#include "board.h"
#include "collectives.h"
#include "tuning.h"

/* What a rank keeps for all its communicators (rank->collectives_state). */
struct pl_collectives {
    bool warned; /* about wrong names in PEAL_ALGORITHM, wrong lines in PEAL_TUNING */
    struct pl_tuning tuning;
    struct pl_retired *retired;
    struct pl_run *active;    /* the runs under way, by next_active */
    struct pl_comm *on_board; /* on whose board the rank has waited long, or NULL ... */
    int board_rank;           /* ... for that rank of it */
};

struct pl_tiny {
    struct pl_board *board; /* NULL: not made yet, or there is none */
    bool tried;
    void *memory; /* of the rank that gave it */
};

/* Whether the board may serve the call. All ranks come to the same answer. */
bool pl_tiny_wanted(const struct pl_tiny *tiny, const struct pl_coll_call *call);

/* Makes the board on first use, by calls of `blocking` that all ranks of comm make. `crowded`: ranks
 * outnumber cores, alike on all. 0 (tiny->board may be NULL all the same, on all ranks) or an error. */
int pl_tiny_open(struct pl_tiny *tiny, struct pl_comm *comm, bool crowded,
                 int (*blocking)(const struct pl_coll_call *call));

/* The communicator is freed: this rank leaves the board; others may still be looking at it. */
void pl_tiny_close(struct pl_tiny *tiny, struct pl_comm *comm);

#endif
