/* Groups: sets of processes, without communication. */
#include "case.h"

static MPI_Group world_group(void)
{
    MPI_Group group;
    OK(MPI_Comm_group(MPI_COMM_WORLD, &group));
    return group;
}

static void release(MPI_Group *group)
{
    if (*group != MPI_GROUP_EMPTY)
        OK(MPI_Group_free(group));
}

static int size_of_group(MPI_Group group)
{
    int size = -1;
    OK(MPI_Group_size(group, &size));
    return size;
}

static int compare(MPI_Group a, MPI_Group b)
{
    int result = -1;
    OK(MPI_Group_compare(a, b, &result));
    return result;
}

static void basics(void)
{
    MPI_Group world = world_group();
    int rank = -5;
    CHECK(size_of_group(world) == world_size(), "%d", size_of_group(world));
    OK(MPI_Group_rank(world, &rank));
    CHECK(rank == my_rank(), "%d", rank);
    OK(MPI_Group_rank(MPI_GROUP_EMPTY, &rank));
    CHECK(rank == MPI_UNDEFINED && size_of_group(MPI_GROUP_EMPTY) == 0, "%d", rank);
    CHECK(compare(world, world) == MPI_IDENT, "with itself");
    CHECK(compare(world, MPI_GROUP_EMPTY) == MPI_UNEQUAL, "with the empty one");
    release(&world);
    CHECK(world == MPI_GROUP_NULL, "the handle is left");
}

static void incl_excl(void)
{
    MPI_Group world = world_group(), a, b, c;
    int n = world_size(), ranks[64], back[64];
    for (int i = 0; i < n; i++)
        ranks[i] = n - 1 - i;
    OK(MPI_Group_incl(world, n, ranks, &a));
    CHECK(compare(a, world) == (n == 1 ? MPI_IDENT : MPI_SIMILAR), "reversed");
    OK(MPI_Group_translate_ranks(a, n, ranks, world, back));
    for (int i = 0; i < n; i++)
        CHECK(back[i] == i, "rank %d of the reversed is %d", ranks[i], back[i]);
    OK(MPI_Group_excl(world, n - 1, ranks, &b));
    OK(MPI_Group_incl(world, 1, &ranks[n - 1], &c));
    CHECK(compare(b, c) == MPI_IDENT && size_of_group(b) == 1, "all but rank 0 excluded");
    OK(MPI_Group_translate_ranks(world, n, ranks, b, back));
    for (int i = 0; i < n; i++)
        CHECK(back[i] == (ranks[i] ? MPI_UNDEFINED : 0), "%d", back[i]);
    int null = MPI_PROC_NULL;
    OK(MPI_Group_translate_ranks(world, 1, &null, b, back));
    CHECK(back[0] == MPI_PROC_NULL, "%d", back[0]);
    release(&a);
    release(&b);
    release(&c);
    OK(MPI_Group_incl(world, 0, NULL, &a));
    CHECK(a == MPI_GROUP_EMPTY, "of nobody");
    ranks[0] = n;
    FAILS_WITH(MPI_ERR_RANK, MPI_Group_incl(world, 1, ranks, &a), "MPI_Group_incl");
    ranks[0] = ranks[1] = 0;
    if (n > 1)
        FAILS(MPI_ERR_RANK, MPI_Group_incl(world, 2, ranks, &a));
    release(&world);
}

static void sets(void)
{
    MPI_Group world = world_group(), low, high, both, result;
    int n = world_size(), half = (n + 1) / 2;
    int lows[1][3] = {{0, half - 1, 1}}, highs[1][3] = {{half - 1, n - 1, 1}};
    OK(MPI_Group_range_incl(world, 1, lows, &low));
    OK(MPI_Group_range_incl(world, 1, highs, &high));
    OK(MPI_Group_union(low, high, &both));
    CHECK(compare(both, world) == MPI_IDENT, "low and high together");
    OK(MPI_Group_intersection(low, high, &result));
    CHECK(size_of_group(result) == 1, "%d in both", size_of_group(result));
    release(&result);
    OK(MPI_Group_difference(low, high, &result));
    CHECK(size_of_group(result) == half - 1, "%d in low only", size_of_group(result));
    release(&result);
    OK(MPI_Group_range_excl(world, 1, lows, &result));
    CHECK(size_of_group(result) == n - half, "%d", size_of_group(result));
    release(&result);
    OK(MPI_Group_union(MPI_GROUP_EMPTY, low, &result));
    CHECK(compare(result, low) == MPI_IDENT, "with nobody");
    release(&result);
    OK(MPI_Group_intersection(MPI_GROUP_EMPTY, low, &result));
    CHECK(result == MPI_GROUP_EMPTY, "nobody");
    release(&low);
    release(&high);
    release(&both);
    release(&world);
}

static void ranges(void)
{
    MPI_Group world = world_group(), group;
    int n = world_size(), rank = 0;
    int backwards[1][3] = {{n - 1, 0, -1}};
    OK(MPI_Group_range_incl(world, 1, backwards, &group));
    OK(MPI_Group_rank(group, &rank));
    CHECK(rank == n - 1 - my_rank(), "%d", rank);
    release(&group);
    int zero[1][3] = {{0, n - 1, 0}}, beyond[1][3] = {{0, n, 1}};
    FAILS(MPI_ERR_ARG, MPI_Group_range_incl(world, 1, zero, &group));
    FAILS(MPI_ERR_RANK, MPI_Group_range_incl(world, 1, beyond, &group));
    release(&world);
}

static void bad_handles(void)
{
    int value = 0;
    MPI_Group freed = world_group(), copy = freed, made_up = (MPI_Group)(size_t)0x12345678;
    OK(MPI_Group_free(&freed));
    FAILS(MPI_ERR_GROUP, MPI_Group_size(copy, &value));
    FAILS(MPI_ERR_GROUP, MPI_Group_free(&copy));
    FAILS(MPI_ERR_GROUP, MPI_Group_size(made_up, &value));
    FAILS_WITH(MPI_ERR_GROUP, MPI_Group_size(MPI_GROUP_NULL, &value), "MPI_GROUP_NULL");
}

const struct test_case group_cases[] = {
    {"basics", basics, 1, 0}, {"incl_excl", incl_excl, 1, 0},     {"sets", sets, 1, 0},
    {"ranges", ranges, 1, 0}, {"bad_handles", bad_handles, 1, 0}, {0},
};
