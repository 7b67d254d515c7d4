/* Which algorithm a call uses. */
#ifndef PL_CHOOSE_H
#define PL_CHOOSE_H

#include "algorithm.h"

/* Algorithms forced by PEAL_ALGORITHM or by a communicator, one a collective; NULL: none. */
struct pl_forced {
    const struct pl_algorithm *algorithm[PL_COLLECTIVES];
};

/* Reads "allreduce=ring,bcast=binomial" into `forced`, leaving what it does not name. With `warn`,
 * names that do not exist are warned about with the list of those that do. */
void pl_forced_read(struct pl_forced *forced, const char *text, bool warn);

/* What a transport costs ("shm", "tcp", "loopback"; others as tcp), alone on its cores or sharing them. */
const struct pl_machine *pl_machine_of(const char *transport, bool oversubscribed);

/* The cheapest algorithm that fits the call; `forced` (may be NULL) if that fits. `direct` admits those
 * that reach into peers' buffers. All ranks of a call come to the same answer. Never NULL. */
const struct pl_algorithm *pl_choose(const struct pl_machine *machine, const struct pl_coll_args *args,
                                     bool reproducible, bool direct, const struct pl_algorithm *forced);

#endif
