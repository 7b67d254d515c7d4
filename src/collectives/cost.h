/* Pricing: what the schedules of all ranks take on a machine, by running them in virtual time. */
#ifndef PL_COST_H
#define PL_COST_H

#include "algorithm.h"

/* Nanoseconds until the last rank is done. args.rank is ignored. 0 or an error. */
int pl_price(const struct pl_algorithm *algorithm, const struct pl_coll_args *args,
             const struct pl_machine *machine, double *nanoseconds);

#endif
