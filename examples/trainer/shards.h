/* shards.h: the reproducible mode's fixed way to cut and to add up a batch. */
#ifndef TRAIN_SHARDS_H
#define TRAIN_SHARDS_H

#include <stddef.h>

#include "failure.h"
#include "real.h"

enum { SHARDS = 8, SHARD_LEVELS = 4 };

/* first .. first+count-1; count may be 0. */
struct run {
    int first, count;
};

/* The shards that a rank computes. */
struct run shards_of_rank(int rank, int ranks);
/* The samples of a batch that belong to part `index` of `parts`, as equal as can be. */
struct run share_of(int total, int index, int parts);

/* Adds up the gradients of a rank's shards. */
struct shard_sum {
    real *leaf;                 /* the gradient of the shard at hand is put here */
    real *levels[SHARD_LEVELS]; /* sums of 1, 2, 4, 8 shards that wait for their right half */
};

/* Room for gradients of `length` reals. */
int shard_sum_create(struct shard_sum *sum, size_t length, struct failure *failure);
void shard_sum_destroy(struct shard_sum *sum);

/* Elements from .. to-1 of the leaf are those of the rank's index-th shard: adds
 * them in. With the last of the `count` shards the whole sum goes to result. */
void shard_sum_add(struct shard_sum *sum, int index, int count, size_t from, size_t to, real *result);

#endif
