/* Reductions of all ranks by one kernel of one of them. */
#ifndef PL_FUSED_H
#define PL_FUSED_H

#include "collectives.h"

/* An allreduce whose ranks have met (direct.h) on one device: peer[3 * i] and peer[3 * i + 1] are IN and OUT
 * of rank i, reachable here. All ranks call it. */
int pl_fused_allreduce(const struct pl_coll_call *call, const void *kernel, char **peer);

#endif
