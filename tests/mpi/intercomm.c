/* Intercommunicators: made, asked, used, copied, split, merged. */
#include "case.h"

#include <stdlib.h>

/* The world in two halves: the first has `left` ranks. */
static MPI_Comm bridge(int left, MPI_Comm *half)
{
    int me = my_rank();
    MPI_Comm inter = MPI_COMM_NULL;
    OK(MPI_Comm_split(MPI_COMM_WORLD, me >= left, 0, half));
    OK(MPI_Intercomm_create(*half, 0, MPI_COMM_WORLD, me < left ? left : 0, 17, &inter));
    return inter;
}

static int remote_size(MPI_Comm comm)
{
    int size = -1;
    OK(MPI_Comm_remote_size(comm, &size));
    return size;
}

/* Every rank sends its world rank to each on the other side. */
static void all_across(MPI_Comm inter, int first_remote)
{
    int n = remote_size(inter), me = my_rank();
    int *got = need(sizeof *got * (size_t)n);
    MPI_Request *requests = need(sizeof *requests * 2 * (size_t)n);
    for (int i = 0; i < n; i++) {
        got[i] = -1;
        OK(MPI_Irecv(&got[i], 1, MPI_INT, i, 3, inter, &requests[i]));
    }
    for (int i = 0; i < n; i++)
        OK(MPI_Isend(&me, 1, MPI_INT, i, 3, inter, &requests[n + i]));
    OK(MPI_Waitall(2 * n, requests, MPI_STATUSES_IGNORE));
    for (int i = 0; i < n; i++)
        CHECK(got[i] == first_remote + i, "from %d came %d", i, got[i]);
    free(got);
    free(requests);
}

static void create(void)
{
    int n = world_size(), me = my_rank(), left = n / 3 + 1, flag = 0;
    MPI_Comm half, inter = bridge(left, &half);
    OK(MPI_Comm_test_inter(inter, &flag));
    CHECK(flag == 1, "%d", flag);
    CHECK(size_of(inter) == size_of(half), "%d", size_of(inter));
    CHECK(rank_in(inter) == rank_in(half), "%d", rank_in(inter));
    CHECK(remote_size(inter) == n - size_of(half), "%d", remote_size(inter));
    MPI_Group world, mine, other, both;
    int result = -1;
    OK(MPI_Comm_group(MPI_COMM_WORLD, &world));
    OK(MPI_Comm_group(inter, &mine));
    OK(MPI_Comm_remote_group(inter, &other));
    OK(MPI_Group_union(me < left ? mine : other, me < left ? other : mine, &both));
    OK(MPI_Group_compare(both, world, &result));
    CHECK(result == MPI_IDENT, "the two sides are the world: %d", result);
    all_across(inter, me < left ? left : 0);
    OK(MPI_Comm_compare(inter, MPI_COMM_WORLD, &result));
    CHECK(result == MPI_UNEQUAL, "%d", result);
    FAILS_WITH(MPI_ERR_RANK, MPI_Send(&n, 1, MPI_INT, remote_size(inter), 0, inter), "no rank");
    FAILS(MPI_ERR_COMM, MPI_Comm_remote_size(MPI_COMM_WORLD, &result));
    OK(MPI_Group_free(&world));
    OK(MPI_Group_free(&mine));
    OK(MPI_Group_free(&other));
    OK(MPI_Group_free(&both));
    OK(MPI_Comm_free(&half));
    all_across(inter, me < left ? left : 0);
    OK(MPI_Comm_free(&inter));
}

static void any_source(void)
{
    int n = world_size(), me = my_rank(), left = n / 2, sum = 0;
    MPI_Comm half, inter = bridge(left, &half);
    int others = remote_size(inter);
    for (int i = 0; i < others; i++)
        OK(MPI_Send(&me, 1, MPI_INT, i, 9, inter));
    for (int i = 0; i < others; i++) {
        int got = -1;
        MPI_Status status;
        OK(MPI_Recv(&got, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, inter, &status));
        CHECK(got == status.MPI_SOURCE + (me < left ? left : 0), "%d from %d", got, status.MPI_SOURCE);
        sum += status.MPI_SOURCE;
    }
    CHECK(sum == others * (others - 1) / 2, "%d", sum);
    OK(MPI_Comm_free(&inter));
    OK(MPI_Comm_free(&half));
}

static void dup(void)
{
    int n = world_size(), me = my_rank(), left = n - n / 3 - 1, result = -1;
    MPI_Comm half, copies[3], inter = bridge(left, &half);
    MPI_Request requests[2];
    OK(MPI_Comm_dup(inter, &copies[0]));
    OK(MPI_Comm_idup(inter, &copies[1], &requests[0]));
    OK(MPI_Comm_idup(copies[0], &copies[2], &requests[1]));
    OK(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE));
    for (int i = 0; i < 3; i++) {
        OK(MPI_Comm_compare(inter, copies[i], &result));
        CHECK(result == MPI_CONGRUENT, "copy %d: %d", i, result);
    }
    /* contexts are apart: what was sent on one does not come on another */
    int others = remote_size(inter), to = rank_in(inter) % others, got = -1;
    if (rank_in(inter) < others) {
        int last = me + 100, first = me + 300;
        MPI_Request sends[2];
        OK(MPI_Isend(&last, 1, MPI_INT, to, 1, copies[1], &sends[0]));
        OK(MPI_Isend(&first, 1, MPI_INT, to, 1, copies[2], &sends[1]));
        OK(MPI_Recv(&got, 1, MPI_INT, to, 1, copies[2], MPI_STATUS_IGNORE));
        CHECK(got == (me < left ? left : 0) + to + 300, "%d", got);
        OK(MPI_Recv(&got, 1, MPI_INT, to, 1, copies[1], MPI_STATUS_IGNORE));
        CHECK(got == (me < left ? left : 0) + to + 100, "%d", got);
        OK(MPI_Waitall(2, sends, MPI_STATUSES_IGNORE));
    }
    for (int i = 0; i < 3; i++)
        OK(MPI_Comm_free(&copies[i]));
    OK(MPI_Comm_free(&inter));
    OK(MPI_Comm_free(&half));
}

static void merge(void)
{
    int n = world_size(), me = my_rank(), left = n / 2, sum = -1;
    for (int way = 0; way < 3; way++) {
        MPI_Comm half, all, inter = bridge(left, &half);
        int high = way == 2 ? 1 : (me < left) == way;
        OK(MPI_Intercomm_merge(inter, high, &all));
        CHECK(size_of(all) == n, "%d", size_of(all));
        int first = way == 0 ? 0 : left; /* the first world rank where the low side is known */
        int expected = me >= first ? me - first : n - first + me;
        if (way < 2)
            CHECK(rank_in(all) == expected, "way %d: rank %d, not %d", way, rank_in(all), expected);
        OK(MPI_Allreduce(&me, &sum, 1, MPI_INT, MPI_SUM, all));
        CHECK(sum == n * (n - 1) / 2, "%d", sum);
        OK(MPI_Comm_free(&inter));
        OK(MPI_Comm_free(&half));
        OK(MPI_Allreduce(&me, &sum, 1, MPI_INT, MPI_MAX, all));
        CHECK(sum == n - 1, "%d", sum);
        OK(MPI_Comm_free(&all));
    }
}

static void split(void)
{
    int n = world_size(), me = my_rank(), left = n / 2;
    MPI_Comm half, part, inter = bridge(left, &half);
    int color = rank_in(inter) % 2;
    OK(MPI_Comm_split(inter, color, -me, &part));
    int others = (remote_size(inter) + 1 - color) / 2, mine = (size_of(inter) + 1 - color) / 2;
    if (!others) {
        CHECK(part == MPI_COMM_NULL, "the other side has none of color %d", color);
    } else {
        CHECK(size_of(part) == mine && remote_size(part) == others, "%d and %d", size_of(part),
              remote_size(part));
        CHECK(rank_in(part) == mine - 1 - rank_in(inter) / 2, "%d", rank_in(part));
        MPI_Comm all;
        int sum = -1;
        OK(MPI_Intercomm_merge(part, 0, &all));
        CHECK(size_of(all) == mine + others, "%d", size_of(all));
        OK(MPI_Allreduce((int[]){1}, &sum, 1, MPI_INT, MPI_SUM, all));
        CHECK(sum == mine + others, "%d", sum);
        OK(MPI_Comm_free(&all));
        OK(MPI_Comm_free(&part));
    }
    OK(MPI_Comm_free(&inter));
    OK(MPI_Comm_free(&half));
}

/* MPI_Comm_create on an intercommunicator: the last rank of each side. */
static void create_subset(void)
{
    int n = world_size(), left = n / 2, me = my_rank();
    MPI_Comm half, part, inter = bridge(left, &half);
    MPI_Group whole, last;
    OK(MPI_Comm_group(inter, &whole));
    OK(MPI_Group_incl(whole, 1, (int[]){size_of(inter) - 1}, &last));
    OK(MPI_Comm_create(inter, last, &part));
    bool in = rank_in(inter) == size_of(inter) - 1;
    CHECK((part != MPI_COMM_NULL) == in, "in %d", in);
    if (in) {
        CHECK(size_of(part) == 1 && remote_size(part) == 1, "sizes");
        all_across(part, me < left ? n - 1 : left - 1);
        OK(MPI_Comm_free(&part));
    }
    OK(MPI_Group_free(&whole));
    OK(MPI_Group_free(&last));
    OK(MPI_Comm_free(&inter));
    OK(MPI_Comm_free(&half));
}

static void wrong(void)
{
    int n = world_size();
    MPI_Comm half, made, inter = bridge(n / 2, &half);
    FAILS_WITH(MPI_ERR_COMM, MPI_Intercomm_create(inter, 0, MPI_COMM_WORLD, 0, 1, &made),
               "intercommunicator");
    FAILS_WITH(MPI_ERR_RANK, MPI_Intercomm_create(half, n, MPI_COMM_WORLD, 0, 1, &made), "local leader");
    FAILS(MPI_ERR_TAG, MPI_Intercomm_create(half, 0, MPI_COMM_WORLD, 0, -5, &made));
    FAILS_WITH(MPI_ERR_COMM, MPI_Intercomm_merge(half, 0, &made), "not an intercommunicator");
    FAILS(MPI_ERR_COMM, MPI_Comm_split_type(inter, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &made));
    OK(MPI_Comm_free(&inter));
    OK(MPI_Comm_free(&half));
}

const struct test_case intercomm_cases[] = {
    {"create", create, 2, 0}, {"any_source", any_source, 2, 0},
    {"dup", dup, 2, 0},       {"merge", merge, 2, 0},
    {"split", split, 2, 0},   {"create_subset", create_subset, 2, 0},
    {"wrong", wrong, 2, 0},   {0},
};
