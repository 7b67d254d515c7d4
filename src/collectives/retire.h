/* Shared memory that its owner is through with, but others perhaps not yet. A communicator is freed without
 * meeting, so a slower rank may still be reading in the last call: the memory is kept until everybody
 * has left. */
#ifndef PL_RETIRE_H
#define PL_RETIRE_H

#include "rank.h"

#include <stdatomic.h>

/* Takes over `memory` (of the first port's alloc; NULL: nothing happens), in which *left counts the
 * ranks that have left, `size` in the end. */
void pl_retire(struct pl_rank *rank, void *memory, const _Atomic int *left, int size);
/* Frees what everybody has left; at the `end` the rest is left to the last mapping of it. */
void pl_retired_sweep(struct pl_rank *rank, bool end);

#endif
