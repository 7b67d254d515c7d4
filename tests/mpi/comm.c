/* Communicators: made, split, compared, named, freed. */
#include "case.h"

#include <stdlib.h>
#include <string.h>

static int sum_over(MPI_Comm comm, int value)
{
    int sum = -1;
    OK(MPI_Allreduce(&value, &sum, 1, MPI_INT, MPI_SUM, comm));
    return sum;
}

static void predefined(void)
{
    int result = -1, flag = 5, n = world_size();
    CHECK(size_of(MPI_COMM_SELF) == 1 && rank_in(MPI_COMM_SELF) == 0, "MPI_COMM_SELF");
    OK(MPI_Comm_compare(MPI_COMM_WORLD, MPI_COMM_WORLD, &result));
    CHECK(result == MPI_IDENT, "%d", result);
    OK(MPI_Comm_compare(MPI_COMM_WORLD, MPI_COMM_SELF, &result));
    CHECK(result == (n == 1 ? MPI_CONGRUENT : MPI_UNEQUAL), "%d", result);
    OK(MPI_Comm_test_inter(MPI_COMM_WORLD, &flag));
    CHECK(flag == 0, "%d", flag);
}

static void dup(void)
{
    int n = world_size(), result = -1;
    MPI_Comm a, b;
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &a));
    OK(MPI_Comm_dup(a, &b));
    OK(MPI_Comm_compare(a, MPI_COMM_WORLD, &result));
    CHECK(result == MPI_CONGRUENT, "%d", result);
    CHECK(a != b && a != MPI_COMM_WORLD, "handles");
    CHECK(sum_over(b, rank_in(b)) == n * (n - 1) / 2, "a sum over the copy of a copy");
    OK(MPI_Comm_free(&a));
    CHECK(a == MPI_COMM_NULL, "the handle is left");
    CHECK(sum_over(b, 1) == n, "a copy outlives what it was made of");
    OK(MPI_Comm_free(&b));
    OK(MPI_Comm_dup(MPI_COMM_SELF, &a));
    CHECK(size_of(a) == 1, "of MPI_COMM_SELF");
    OK(MPI_Comm_free(&a));
}

static void split(void)
{
    int n = world_size(), me = my_rank(), result = -1;
    MPI_Comm part;
    OK(MPI_Comm_split(MPI_COMM_WORLD, me % 3, -me, &part));
    int members = (n - me % 3 + 2) / 3;
    CHECK(size_of(part) == members, "%d members, not %d", size_of(part), members);
    CHECK(rank_in(part) == members - 1 - me / 3, "rank %d", rank_in(part));
    OK(MPI_Comm_free(&part));
    /* the same key for all: the old order; n keys at their extremes */
    OK(MPI_Comm_split(MPI_COMM_WORLD, 0x7fffffff, 7, &part));
    CHECK(rank_in(part) == me, "rank %d", rank_in(part));
    OK(MPI_Comm_compare(part, MPI_COMM_WORLD, &result));
    CHECK(result == MPI_CONGRUENT, "%d", result);
    OK(MPI_Comm_free(&part));
    OK(MPI_Comm_split(MPI_COMM_WORLD, 0, me ? -2147483647 - 1 : 2147483647, &part));
    CHECK(rank_in(part) == (me ? me - 1 : n - 1), "rank %d", rank_in(part));
    OK(MPI_Comm_compare(part, MPI_COMM_WORLD, &result));
    CHECK(result == (n == 1 ? MPI_CONGRUENT : MPI_SIMILAR), "%d", result);
    OK(MPI_Comm_free(&part));
    OK(MPI_Comm_split(MPI_COMM_WORLD, me == 0 ? 1 : MPI_UNDEFINED, 0, &part));
    CHECK((part == MPI_COMM_NULL) == (me != 0), "who is left out gets MPI_COMM_NULL");
    if (me == 0) {
        CHECK(size_of(part) == 1, "%d", size_of(part));
        OK(MPI_Comm_free(&part));
    }
    FAILS_WITH(MPI_ERR_ARG, MPI_Comm_split(MPI_COMM_WORLD, -7, 0, &part), "color -7");
}

/* Split again and again down to single ranks, with traffic on each level. */
static void nested(void)
{
    MPI_Comm comms[8];
    int depth = 0;
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &comms[0]));
    while (size_of(comms[depth]) > 1) {
        int half = size_of(comms[depth]) / 2, rank = rank_in(comms[depth]);
        OK(MPI_Comm_split(comms[depth], rank < half, rank, &comms[depth + 1]));
        depth++;
    }
    for (int d = 0; d <= depth; d++)
        CHECK(sum_over(comms[d], 1) == size_of(comms[d]), "depth %d", d);
    for (int d = 0; d <= depth; d++)
        OK(MPI_Comm_free(&comms[d]));
}

static void split_type(void)
{
    MPI_Comm host;
    OK(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, -my_rank(), MPI_INFO_NULL, &host));
    CHECK(size_of(host) == world_size(), "all ranks of these tests share a host");
    CHECK(rank_in(host) == world_size() - 1 - my_rank(), "rank %d", rank_in(host));
    OK(MPI_Comm_free(&host));
    OK(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_UNDEFINED, 0, MPI_INFO_NULL, &host));
    CHECK(host == MPI_COMM_NULL, "%p", (void *)host);
    FAILS(MPI_ERR_ARG, MPI_Comm_split_type(MPI_COMM_WORLD, 12345, 0, MPI_INFO_NULL, &host));
}

static void create(void)
{
    int n = world_size(), me = my_rank();
    MPI_Group world, evens, all_but_one;
    MPI_Comm comm;
    OK(MPI_Comm_group(MPI_COMM_WORLD, &world));
    int range[1][3] = {{(n - 1) / 2 * 2, 0, -2}}, last = n - 1;
    OK(MPI_Group_range_incl(world, 1, range, &evens));
    OK(MPI_Comm_create(MPI_COMM_WORLD, evens, &comm));
    CHECK((comm != MPI_COMM_NULL) == (me % 2 == 0), "members only");
    if (comm != MPI_COMM_NULL) {
        CHECK(size_of(comm) == (n + 1) / 2 && rank_in(comm) == (n - 1) / 2 - me / 2, "rank %d of %d",
              rank_in(comm), size_of(comm));
        CHECK(sum_over(comm, 1) == (n + 1) / 2, "a sum");
        OK(MPI_Comm_free(&comm));
    }
    OK(MPI_Group_excl(world, 1, &last, &all_but_one));
    OK(MPI_Comm_create(MPI_COMM_WORLD, all_but_one, &comm));
    CHECK((comm == MPI_COMM_NULL) == (me == n - 1), "the last is left out");
    if (comm != MPI_COMM_NULL)
        OK(MPI_Comm_free(&comm));
    OK(MPI_Comm_create(MPI_COMM_WORLD, MPI_GROUP_EMPTY, &comm));
    CHECK(comm == MPI_COMM_NULL, "of nobody");
    OK(MPI_Group_free(&world));
    OK(MPI_Group_free(&evens));
    if (all_but_one != MPI_GROUP_EMPTY)
        OK(MPI_Group_free(&all_but_one));
}

static void names(void)
{
    char name[MPI_MAX_OBJECT_NAME] = "?";
    int length = -1;
    MPI_Comm comm;
    OK(MPI_Comm_get_name(MPI_COMM_WORLD, name, &length));
    CHECK(!strcmp(name, "MPI_COMM_WORLD") && length == 14, "'%s', %d", name, length);
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    OK(MPI_Comm_get_name(comm, name, &length));
    CHECK(!name[0] && length == 0, "'%s', %d", name, length);
    OK(MPI_Comm_set_name(comm, "halo"));
    OK(MPI_Comm_get_name(comm, name, &length));
    CHECK(!strcmp(name, "halo") && length == 4, "'%s', %d", name, length);
    FAILS_WITH(MPI_ERR_RANK, MPI_Send(name, 1, MPI_CHAR, 99, 0, comm), "halo", "99");
    char longest[2 * MPI_MAX_OBJECT_NAME];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    OK(MPI_Comm_set_name(comm, longest));
    OK(MPI_Comm_get_name(comm, name, &length));
    CHECK(length == (int)strlen(name) && length < MPI_MAX_OBJECT_NAME, "%d", length);
    OK(MPI_Comm_free(&comm));
}

/* Freed with messages under way: they arrive. */
static void freed_with_messages(void)
{
    int n = world_size(), me = my_rank(), left = (me + n - 1) % n;
    MPI_Comm comm;
    MPI_Request requests[2];
    char *out = need(200000), *in = need(200000);
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    fill(out, 200000, (unsigned)me);
    OK(MPI_Irecv(in, 200000, MPI_BYTE, left, 0, comm, &requests[0]));
    OK(MPI_Isend(out, 200000, MPI_BYTE, (me + 1) % n, 0, comm, &requests[1]));
    OK(MPI_Comm_free(&comm));
    OK(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE));
    CHECK(differs(in, 200000, (unsigned)left) < 0, "content");
    free(out);
    free(in);
}

const struct test_case comm_cases[] = {
    {"predefined", predefined, 1, 0},
    {"dup", dup, 1, 0},
    {"split", split, 1, 0},
    {"nested", nested, 1, 0},
    {"split_type", split_type, 1, 0},
    {"create", create, 1, 0},
    {"names", names, 1, 0},
    {"freed_with_messages", freed_with_messages, 1, 0},
    {0},
};
