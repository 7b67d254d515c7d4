/* shards.c: the same bits, whatever the number of ranks.
 *
 * Floating-point addition is not associative: the same gradients added in
 * another order differ in the last bit, and after an epoch in the third digit.
 * Peal's reproducible allreduce therefore adds the ranks' contributions along one
 * fixed tree, that splits n ranks at the largest power of two below n. Here the
 * same tree is continued inside the rank: the batch is always cut into 8 shards,
 * and each rank computes the shards below its own node of the tree.
 *
 *   4 ranks          rank 0+1     rank 2+3          3 ranks      (0 + 1) + 2
 *                   /    \        /    \
 *                 0        1    2        3             0        1         2
 *                / \     / \   / \     / \            / \     / \      /     \
 *   shards      0   1   2   3 4   5   6   7          0   1   2   3    45     67
 *
 * All of it is ((0+1)+(2+3)) + ((4+5)+(6+7)) in both cases. Three ranks pay with
 * an uneven load; a power of two up to 8 does not; above 8 some ranks only look
 * on. Rejected: exact accumulators (ten times the traffic), and cutting by rank
 * (the sum would depend on how many there are).
 */
#include "shards.h"

#include <stdlib.h>
#include <string.h>

struct run shards_of_rank(int rank, int ranks)
{
    struct run run = {0, SHARDS};
    while (ranks > 1) {
        int left = 1;
        while (2 * left < ranks)
            left *= 2;
        int half = run.count > 1 ? run.count / 2 : run.count;
        if (rank < left) {
            run.count = half;
            ranks = left;
        } else {
            run.first += half;
            run.count -= half;
            rank -= left;
            ranks -= left;
        }
    }
    return run;
}

struct run share_of(int total, int index, int parts)
{
    long long first = (long long)total * index / parts, end = (long long)total * (index + 1) / parts;
    return (struct run){(int)first, (int)(end - first)};
}

int shard_sum_create(struct shard_sum *sum, size_t length, struct failure *failure)
{
    size_t padded = (length + 15) / 16 * 16;
    real *memory = aligned_alloc(64, (SHARD_LEVELS + 1) * padded * sizeof *memory);
    if (!memory)
        return fail(failure, "no memory for the reproducible mode's %d sums of %zu values", SHARD_LEVELS + 1,
                    length);
    sum->leaf = memory;
    for (int i = 0; i < SHARD_LEVELS; i++)
        sum->levels[i] = memory + (size_t)(i + 1) * padded;
    return 0;
}

void shard_sum_destroy(struct shard_sum *sum)
{
    if (sum)
        free(sum->leaf);
}

void shard_sum_add(struct shard_sum *sum, int index, int count, size_t from, size_t to, real *result)
{
    const real *right = sum->leaf;
    int level = 0;
    for (; index >> level & 1; level++) {
        real *left = sum->levels[level];
        for (size_t i = from; i < to; i++)
            left[i] += right[i];
        right = left;
    }
    real *target = index == count - 1 ? result : sum->levels[level];
    memcpy(target + from, right + from, (to - from) * sizeof *target);
}
