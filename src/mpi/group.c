/* Groups (MPI 5.0, section 7.3): ordered sets of processes. */
#include "call.h"

#include <stdlib.h>
#include <string.h>

int pl_group_of(struct pl_mpi *mpi, MPI_Group handle, struct pl_group **group)
{
    *group = handle == MPI_GROUP_EMPTY
                 ? mpi->empty
                 : pl_handle_find(&mpi->handles[PL_CLASS_GROUP], PL_CLASS_GROUP, (uintptr_t)handle);
    if (*group)
        return 0;
    if (handle == MPI_GROUP_NULL)
        return pl_bad(MPI_ERR_GROUP, "the group is MPI_GROUP_NULL");
    return pl_bad(MPI_ERR_GROUP, "%p is not a group (freed, or never made)", (void *)handle);
}

int pl_group_publish(struct pl_mpi *mpi, struct pl_group *group, MPI_Group *handle)
{
    if (!group->size) {
        pl_group_release(group);
        *handle = MPI_GROUP_EMPTY;
        return 0;
    }
    uintptr_t value = pl_handle_new(&mpi->handles[PL_CLASS_GROUP], PL_CLASS_GROUP, group);
    if (!value) {
        pl_group_release(group);
        return pl_fail(PL_ENOMEM, "no memory for a group handle");
    }
    *handle = (MPI_Group)value;
    return 0;
}

/* peer -> rank in the group, MPI_UNDEFINED for the others: [world size], malloc'd. */
static int *inverse(struct pl_mpi *mpi, const struct pl_group *group)
{
    int *ranks = malloc(sizeof *ranks * (size_t)mpi->rank->npeers);
    if (!ranks) {
        pl_fail(PL_ENOMEM, "no memory to compare groups");
        return NULL;
    }
    for (int i = 0; i < mpi->rank->npeers; i++)
        ranks[i] = MPI_UNDEFINED;
    for (int i = 0; i < group->size; i++)
        ranks[group->peers[i]] = i;
    return ranks;
}

int PMPI_Group_size(MPI_Group group, int *size)
{
    struct pl_mpi *mpi = pl_call("MPI_Group_size");
    struct pl_group *g;
    int error = pl_group_of(mpi, group, &g);
    if (!error)
        error = pl_check_pointer(size, "size");
    if (!error)
        *size = g->size;
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Group_size)

int PMPI_Group_rank(MPI_Group group, int *rank)
{
    struct pl_mpi *mpi = pl_call("MPI_Group_rank");
    struct pl_group *g;
    int error = pl_group_of(mpi, group, &g);
    if (!error)
        error = pl_check_pointer(rank, "rank");
    if (!error)
        *rank = g->rank < 0 ? MPI_UNDEFINED : g->rank;
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Group_rank)

int PMPI_Group_translate_ranks(MPI_Group group1, int n, const int ranks1[], MPI_Group group2, int ranks2[])
{
    struct pl_mpi *mpi = pl_call("MPI_Group_translate_ranks");
    struct pl_group *a, *b;
    int *places = NULL;
    int error = pl_group_of(mpi, group1, &a);
    if (!error)
        error = pl_group_of(mpi, group2, &b);
    if (!error && n < 0)
        error = pl_bad(MPI_ERR_ARG, "the number of ranks, %d, is negative", n);
    if (!error && n && (!ranks1 || !ranks2))
        error = pl_bad(MPI_ERR_ARG, "an array of ranks is NULL");
    if (!error && !(places = inverse(mpi, b)))
        error = PL_ENOMEM;
    for (int i = 0; i < n && !error; i++) {
        if (ranks1[i] == MPI_PROC_NULL)
            ranks2[i] = MPI_PROC_NULL;
        else if (ranks1[i] < 0 || ranks1[i] >= a->size)
            error = pl_bad(MPI_ERR_RANK, "rank %d is not in the group of %d", ranks1[i], a->size);
        else
            ranks2[i] = places[a->peers[ranks1[i]]];
    }
    free(places);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Group_translate_ranks)

int pl_group_compare(const struct pl_group *a, const struct pl_group *b)
{
    if (a->size != b->size)
        return MPI_UNEQUAL;
    if (!memcmp(a->peers, b->peers, sizeof a->peers[0] * (size_t)a->size))
        return MPI_IDENT;
    for (int i = 0; i < a->size; i++)
        if (pl_group_rank(b, a->peers[i]) < 0)
            return MPI_UNEQUAL;
    return MPI_SIMILAR;
}

int PMPI_Group_compare(MPI_Group group1, MPI_Group group2, int *result)
{
    struct pl_mpi *mpi = pl_call("MPI_Group_compare");
    struct pl_group *a, *b;
    int error = pl_group_of(mpi, group1, &a);
    if (!error)
        error = pl_group_of(mpi, group2, &b);
    if (!error)
        error = pl_check_pointer(result, "result");
    if (!error)
        *result = pl_group_compare(a, b);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Group_compare)

/* The group of the `n` peers, as a handle. */
static int make(struct pl_mpi *mpi, const int *peers, int n, MPI_Group *handle)
{
    struct pl_group *group = pl_group_create(n);
    if (!group)
        return pl_fail(PL_ENOMEM, "no memory for a group of %d", n);
    for (int i = 0; i < n; i++) {
        group->peers[i] = peers[i];
        if (peers[i] == mpi->rank->rank)
            group->rank = i;
    }
    return pl_group_publish(mpi, group, handle);
}

enum set_operation { UNION, INTERSECTION, DIFFERENCE };

static int combine(const char *name, enum set_operation what, MPI_Group group1, MPI_Group group2,
                   MPI_Group *handle)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_group *a, *b;
    int *peers = NULL, *in_a = NULL, *in_b = NULL, n = 0;
    int error = pl_group_of(mpi, group1, &a);
    if (!error)
        error = pl_group_of(mpi, group2, &b);
    if (!error)
        error = pl_check_pointer(handle, "newgroup");
    if (error)
        return pl_return(mpi, NULL, error);
    peers = malloc(sizeof *peers * ((size_t)a->size + (size_t)b->size + 1));
    in_a = inverse(mpi, a);
    in_b = inverse(mpi, b);
    error = peers && in_a && in_b ? 0 : pl_fail(PL_ENOMEM, "no memory to combine groups");
    for (int i = 0; i < a->size && !error; i++) {
        bool shared = in_b[a->peers[i]] != MPI_UNDEFINED;
        if (what == UNION || shared == (what == INTERSECTION))
            peers[n++] = a->peers[i];
    }
    for (int i = 0; i < b->size && !error && what == UNION; i++)
        if (in_a[b->peers[i]] == MPI_UNDEFINED)
            peers[n++] = b->peers[i];
    if (!error)
        error = make(mpi, peers, n, handle);
    free(peers);
    free(in_a);
    free(in_b);
    return pl_return(mpi, NULL, error);
}

int PMPI_Group_union(MPI_Group group1, MPI_Group group2, MPI_Group *newgroup)
{
    return combine("MPI_Group_union", UNION, group1, group2, newgroup);
}
PL_WEAK(Group_union)

int PMPI_Group_intersection(MPI_Group group1, MPI_Group group2, MPI_Group *newgroup)
{
    return combine("MPI_Group_intersection", INTERSECTION, group1, group2, newgroup);
}
PL_WEAK(Group_intersection)

int PMPI_Group_difference(MPI_Group group1, MPI_Group group2, MPI_Group *newgroup)
{
    return combine("MPI_Group_difference", DIFFERENCE, group1, group2, newgroup);
}
PL_WEAK(Group_difference)

/* Marks the n ranks listed in `chosen` ([size], zeroed); each must exist and come once. */
static int choose(const struct pl_group *group, int n, const int ranks[], char *chosen)
{
    for (int i = 0; i < n; i++) {
        if (ranks[i] < 0 || ranks[i] >= group->size)
            return pl_bad(MPI_ERR_RANK, "rank %d is not in the group of %d", ranks[i], group->size);
        if (chosen[ranks[i]]++)
            return pl_bad(MPI_ERR_RANK, "rank %d is listed twice", ranks[i]);
    }
    return 0;
}

/* The group of the listed ranks in the list's order, or (exclude) of all others in their own. */
static int select_ranks(struct pl_mpi *mpi, const struct pl_group *group, int n, const int ranks[],
                        bool exclude, MPI_Group *handle)
{
    char *chosen = calloc(1, (size_t)group->size + 1);
    int *peers = malloc(sizeof *peers * ((size_t)group->size + 1)), count = 0;
    int error =
        chosen && peers ? choose(group, n, ranks, chosen) : pl_fail(PL_ENOMEM, "no memory for a group");
    for (int i = 0; i < n && !error && !exclude; i++)
        peers[count++] = group->peers[ranks[i]];
    for (int i = 0; i < group->size && !error && exclude; i++)
        if (!chosen[i])
            peers[count++] = group->peers[i];
    if (!error)
        error = make(mpi, peers, count, handle);
    free(chosen);
    free(peers);
    return error;
}

static int by_list(const char *name, MPI_Group group, int n, const int ranks[], bool exclude,
                   MPI_Group *handle)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_group *g;
    int error = pl_group_of(mpi, group, &g);
    if (!error)
        error = pl_check_pointer(handle, "newgroup");
    if (!error && (n < 0 || (n && !ranks)))
        error = pl_bad(MPI_ERR_ARG, "the list of ranks is NULL or its length %d negative", n);
    if (!error)
        error = select_ranks(mpi, g, n, ranks, exclude, handle);
    return pl_return(mpi, NULL, error);
}

int PMPI_Group_incl(MPI_Group group, int n, const int ranks[], MPI_Group *newgroup)
{
    return by_list("MPI_Group_incl", group, n, ranks, false, newgroup);
}
PL_WEAK(Group_incl)

int PMPI_Group_excl(MPI_Group group, int n, const int ranks[], MPI_Group *newgroup)
{
    return by_list("MPI_Group_excl", group, n, ranks, true, newgroup);
}
PL_WEAK(Group_excl)

/* Writes out {first, last, stride} triplets as ranks, at most `most` of them. */
static int expand(int n, int ranges[][3], int most, int *ranks, int *count)
{
    *count = 0;
    for (int i = 0; i < n; i++) {
        long first = ranges[i][0], last = ranges[i][1], stride = ranges[i][2];
        if (!stride)
            return pl_bad(MPI_ERR_ARG, "range %d has stride 0", i);
        for (long r = first; stride > 0 ? r <= last : r >= last; r += stride) {
            if (*count == most || r < 0 || r >= most)
                return pl_bad(MPI_ERR_RANK,
                              "range %d (%ld..%ld by %ld) leaves the group of %d or repeats a rank", i, first,
                              last, stride, most);
            ranks[(*count)++] = (int)r;
        }
    }
    return 0;
}

static int by_range(const char *name, MPI_Group group, int n, int ranges[][3], bool exclude,
                    MPI_Group *handle)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_group *g;
    int *ranks = NULL, count;
    int error = pl_group_of(mpi, group, &g);
    if (!error)
        error = pl_check_pointer(handle, "newgroup");
    if (!error && (n < 0 || (n && !ranges)))
        error = pl_bad(MPI_ERR_ARG, "the list of ranges is NULL or its length %d negative", n);
    if (!error && !(ranks = malloc(sizeof *ranks * ((size_t)g->size + 1))))
        error = pl_fail(PL_ENOMEM, "no memory for a group");
    if (!error)
        error = expand(n, ranges, g->size, ranks, &count);
    if (!error)
        error = select_ranks(mpi, g, count, ranks, exclude, handle);
    free(ranks);
    return pl_return(mpi, NULL, error);
}

int PMPI_Group_range_incl(MPI_Group group, int n, int ranges[][3], MPI_Group *newgroup)
{
    return by_range("MPI_Group_range_incl", group, n, ranges, false, newgroup);
}
PL_WEAK(Group_range_incl)

int PMPI_Group_range_excl(MPI_Group group, int n, int ranges[][3], MPI_Group *newgroup)
{
    return by_range("MPI_Group_range_excl", group, n, ranges, true, newgroup);
}
PL_WEAK(Group_range_excl)

int PMPI_Group_free(MPI_Group *group)
{
    struct pl_mpi *mpi = pl_call("MPI_Group_free");
    struct pl_group *g;
    int error = pl_check_pointer(group, "group");
    if (!error)
        error = pl_group_of(mpi, *group, &g);
    if (!error) {
        if (*group != MPI_GROUP_EMPTY) {
            pl_handle_drop(&mpi->handles[PL_CLASS_GROUP], (uintptr_t)*group);
            pl_group_release(g);
        }
        *group = MPI_GROUP_NULL;
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Group_free)
