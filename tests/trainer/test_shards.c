/* Shares and the reproducible sum: whatever the number of ranks, the bits are those
 * of one tree over all shards, when ranks are joined along the tree that splits at
 * the largest power of two.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "random.h"
#include "shards.h"

enum { LENGTH = 37, RANKS_MAX = 40 };

static void shard_values(int shard, real *values)
{
    struct random r = random_stream(3, RANDOM_ORDER, (uint64_t)shard);
    for (int i = 0; i < LENGTH; i++)
        values[i] = (real)(random_between(&r, -1, 1) * (i % 3 == 0 ? 1e6 : 1));
}

/* What one rank hands to the allreduce. */
static void rank_values(int rank, int ranks, real *values)
{
    struct failure failure = {""};
    struct shard_sum sum;
    struct run run = shards_of_rank(rank, ranks);
    memset(values, 0, LENGTH * sizeof *values);
    cr_assert(shard_sum_create(&sum, LENGTH, &failure) == 0);
    for (int i = 0; i < run.count; i++) {
        shard_values(run.first + i, sum.leaf);
        shard_sum_add(&sum, i, run.count, 10, LENGTH, values);
        shard_sum_add(&sum, i, run.count, 0, 10, values);
    }
    shard_sum_destroy(&sum);
}

/* The allreduce's tree over ranks first .. first+count-1. */
static void tree(int first, int count, int ranks, real *values)
{
    real right[LENGTH];
    if (count == 1) {
        rank_values(first, ranks, values);
        return;
    }
    int left = 1;
    while (2 * left < count)
        left *= 2;
    tree(first, left, ranks, values);
    tree(first + left, count - left, ranks, right);
    for (int i = 0; i < LENGTH; i++)
        values[i] += right[i];
}

Test(shards, every_shard_has_one_rank)
{
    for (int ranks = 1; ranks <= RANKS_MAX; ranks++) {
        int next = 0;
        for (int rank = 0; rank < ranks; rank++) {
            struct run run = shards_of_rank(rank, ranks);
            cr_assert(run.count == 0 || run.first == next, "%d ranks: rank %d begins at %d", ranks, rank,
                      run.first);
            cr_assert((run.count & (run.count - 1)) == 0);
            next += run.count;
        }
        cr_assert(next == SHARDS, "%d ranks compute %d shards", ranks, next);
    }
}

Test(shards, same_bits_on_any_number_of_ranks)
{
    real expected[LENGTH], shard[SHARDS][LENGTH], plain[LENGTH] = {0};
    for (int i = 0; i < SHARDS; i++)
        shard_values(i, shard[i]);
    for (int i = 0; i < LENGTH; i++) {
        expected[i] = ((shard[0][i] + shard[1][i]) + (shard[2][i] + shard[3][i])) +
                      ((shard[4][i] + shard[5][i]) + (shard[6][i] + shard[7][i]));
        for (int s = 0; s < SHARDS; s++)
            plain[i] += shard[s][i];
    }
    cr_assert(memcmp(plain, expected, sizeof plain) != 0,
              "the order does not matter here: the test has no teeth");
    for (int ranks = 1; ranks <= RANKS_MAX; ranks++) {
        real values[LENGTH];
        tree(0, ranks, ranks, values);
        cr_assert(memcmp(values, expected, sizeof values) == 0, "%d ranks give other bits", ranks);
    }
}

Test(shards, shares_cover_the_batch)
{
    static const int totals[] = {0, 1, 7, 8, 60, 64, 1000003};
    for (size_t t = 0; t < sizeof totals / sizeof totals[0]; t++)
        for (int parts = 1; parts < 20; parts++) {
            int next = 0;
            for (int i = 0; i < parts; i++) {
                struct run run = share_of(totals[t], i, parts);
                cr_assert(run.first == next);
                cr_assert(run.count >= totals[t] / parts && run.count <= totals[t] / parts + 1);
                next += run.count;
            }
            cr_assert(next == totals[t]);
        }
}
