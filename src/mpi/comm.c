/* Communicators (MPI 5.0, sections 7.4 and 7.8): making, comparing, freeing.
 *
 * Ranks agree on a new communicator by one message exchange on the old one: the
 * member that leads the new one (its lowest old rank) gives a context that
 * nobody else has (src/p2p/comm.c).
 */
#include "call.h"
#include "exchange.h"
#include "info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int pl_comm_of(struct pl_mpi *mpi, MPI_Comm handle, struct pl_comm **comm)
{
    *comm = handle == MPI_COMM_WORLD ? mpi->rank->world
            : handle == MPI_COMM_SELF
                ? mpi->rank->self
                : pl_handle_find(&mpi->handles[PL_CLASS_COMM], PL_CLASS_COMM, (uintptr_t)handle);
    if (__builtin_expect(*comm != NULL, 1))
        return 0;
    if (handle == MPI_COMM_NULL)
        return pl_bad(MPI_ERR_COMM, "the communicator is MPI_COMM_NULL");
    return pl_bad(MPI_ERR_COMM, "%p is not a communicator (freed, or never made)", (void *)handle);
}

int pl_comm_publish(struct pl_mpi *mpi, struct pl_comm *comm, MPI_Comm *handle)
{
    comm->handle = pl_handle_new(&mpi->handles[PL_CLASS_COMM], PL_CLASS_COMM, comm);
    if (!comm->handle) {
        pl_comm_release(comm);
        return pl_fail(PL_ENOMEM, "no memory for a communicator handle");
    }
    *handle = (MPI_Comm)comm->handle;
    return 0;
}

int PMPI_Comm_size(MPI_Comm comm, int *size)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_size");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(size, "size");
    if (!error)
        *size = c->size;
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_size)

int PMPI_Comm_rank(MPI_Comm comm, int *rank)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_rank");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(rank, "rank");
    if (!error)
        *rank = c->rank;
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_rank)

static int compare(const struct pl_comm *a, const struct pl_comm *b)
{
    if (a == b)
        return MPI_IDENT;
    if (a->size != b->size)
        return MPI_UNEQUAL;
    size_t bytes = sizeof a->group->peers[0] * (size_t)a->size;
    if (!memcmp(a->group->peers, b->group->peers, bytes))
        return MPI_CONGRUENT;
    for (int i = 0; i < a->size; i++) {
        bool found = false;
        for (int j = 0; j < b->size && !found; j++)
            found = a->group->peers[i] == b->group->peers[j];
        if (!found)
            return MPI_UNEQUAL;
    }
    return MPI_SIMILAR;
}

int PMPI_Comm_compare(MPI_Comm comm1, MPI_Comm comm2, int *result)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_compare");
    struct pl_comm *a = NULL, *b = NULL;
    int error = pl_comm_of(mpi, comm1, &a);
    if (!error)
        error = pl_comm_of(mpi, comm2, &b);
    if (!error)
        error = pl_check_pointer(result, "result");
    if (!error)
        *result = compare(a, b);
    return pl_return(mpi, a, error);
}
PL_WEAK(Comm_compare)

int PMPI_Comm_test_inter(MPI_Comm comm, int *flag)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_test_inter");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(flag, "flag");
    if (!error)
        *flag = 0;
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_test_inter)

int PMPI_Comm_group(MPI_Comm comm, MPI_Group *group)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_group");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(group, "group");
    if (!error) {
        pl_group_hold(c->group);
        error = pl_group_publish(mpi, c->group, group);
    }
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_group)

/* A communicator over `group` with what a new one inherits from its parent. */
static int make(struct pl_mpi *mpi, struct pl_comm *parent, struct pl_group *group, uint64_t context,
                MPI_Comm *handle)
{
    struct pl_comm *made = pl_comm_create(mpi->rank, group, context);
    if (!made)
        return pl_fail(PL_ENOMEM, "no memory for a communicator of %d ranks", group->size);
    int error = pl_comm_publish(mpi, made, handle);
    if (error)
        return error;
    snprintf(made->name, sizeof made->name, "a communicator of %d ranks", made->size);
    struct pl_errhandler *inherited = parent->errhandler;
    if (inherited)
        inherited->references++;
    made->errhandler = inherited;
    strcpy(made->algorithm, parent->algorithm);
    return 0;
}

static int duplicate(const char *name, MPI_Comm comm, bool with_info, MPI_Info info, MPI_Comm *newcomm)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_comm *c = NULL;
    struct pl_info *hints = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(newcomm, "newcomm");
    if (!error && with_info && info != MPI_INFO_NULL)
        error = pl_info_of(mpi, info, &hints);
    uint64_t context = 0;
    if (!error) {
        if (!c->rank)
            context = pl_context_new(mpi->rank);
        error = pl_exchange_bcast(c, &context, sizeof context, 0);
    }
    if (!error)
        error = make(mpi, c, c->group, context, newcomm);
    if (!error && hints) {
        struct pl_comm *made;
        pl_comm_of(mpi, *newcomm, &made);
        pl_info_apply(hints, made);
    }
    return pl_return(mpi, c, error);
}

int PMPI_Comm_dup(MPI_Comm comm, MPI_Comm *newcomm)
{
    return duplicate("MPI_Comm_dup", comm, false, MPI_INFO_NULL, newcomm);
}
PL_WEAK(Comm_dup)

int PMPI_Comm_dup_with_info(MPI_Comm comm, MPI_Info info, MPI_Comm *newcomm)
{
    return duplicate("MPI_Comm_dup_with_info", comm, true, info, newcomm);
}
PL_WEAK(Comm_dup_with_info)

int PMPI_Comm_create(MPI_Comm comm, MPI_Group group, MPI_Comm *newcomm)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_create");
    struct pl_comm *c = NULL;
    struct pl_group *g = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_group_of(mpi, group, &g);
    if (!error)
        error = pl_check_pointer(newcomm, "newcomm");
    if (error)
        return pl_return(mpi, c, error);
    uint64_t *contexts = malloc(sizeof *contexts * (size_t)c->size);
    uint64_t mine = pl_context_new(mpi->rank);
    error = contexts ? pl_exchange_allgather(c, &mine, contexts, sizeof mine)
                     : pl_fail(PL_ENOMEM, "no memory to create a communicator");
    *newcomm = MPI_COMM_NULL;
    if (!error && g->rank >= 0) {
        int leader = -1;
        for (int i = 0; i < c->size; i++)
            if (c->group->peers[i] == g->peers[0])
                leader = i;
        if (leader < 0)
            error = pl_bad(MPI_ERR_GROUP, "the group is not a subset of %s", c->name);
        else
            error = make(mpi, c, g, contexts[leader], newcomm);
    }
    free(contexts);
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_create)

struct vote {
    int32_t color, key;
    uint64_t context;
    int32_t rank;
    int32_t unused;
};

static int by_key(const void *a, const void *b)
{
    const struct vote *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->rank - y->rank;
}

static int split(struct pl_mpi *mpi, struct pl_comm *c, int color, int key, MPI_Comm *newcomm)
{
    struct vote mine = {.color = color, .key = key, .context = pl_context_new(mpi->rank), .rank = c->rank};
    struct vote *votes = calloc((size_t)c->size, sizeof *votes);
    struct pl_group *group = NULL;
    int n = 0;
    int error = votes ? pl_exchange_allgather(c, &mine, votes, sizeof mine)
                      : pl_fail(PL_ENOMEM, "no memory to split %s", c->name);
    *newcomm = MPI_COMM_NULL;
    if (error || color == MPI_UNDEFINED)
        goto free_votes;
    for (int i = 0; i < c->size; i++)
        if (votes[i].color == color)
            votes[n++] = votes[i];
    uint64_t context = votes[0].context;
    qsort(votes, (size_t)n, sizeof *votes, by_key);
    group = pl_group_create(n);
    if (!group) {
        error = pl_fail(PL_ENOMEM, "no memory for a group of %d", n);
        goto free_votes;
    }
    for (int i = 0; i < n; i++) {
        group->peers[i] = c->group->peers[votes[i].rank];
        if (votes[i].rank == c->rank)
            group->rank = i;
    }
    error = make(mpi, c, group, context, newcomm);
    pl_group_release(group);
free_votes:
    free(votes);
    return error;
}

int PMPI_Comm_split(MPI_Comm comm, int color, int key, MPI_Comm *newcomm)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_split");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(newcomm, "newcomm");
    if (!error && color < 0 && color != MPI_UNDEFINED)
        error = pl_bad(MPI_ERR_ARG, "color %d is negative and not MPI_UNDEFINED", color);
    if (!error)
        error = split(mpi, c, color, key, newcomm);
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_split)

int PMPI_Comm_split_type(MPI_Comm comm, int split_type, int key, MPI_Info info, MPI_Comm *newcomm)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_split_type");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(newcomm, "newcomm");
    if (!error && split_type != MPI_COMM_TYPE_SHARED && split_type != MPI_UNDEFINED)
        error = pl_bad(MPI_ERR_ARG, "split type %d is not MPI_COMM_TYPE_SHARED or MPI_UNDEFINED", split_type);
    if (!error)
        error = split(mpi, c, split_type == MPI_UNDEFINED ? MPI_UNDEFINED : mpi->rank->host, key, newcomm);
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_split_type)

int PMPI_Comm_free(MPI_Comm *comm)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_free");
    struct pl_comm *c = NULL;
    int error = pl_check_pointer(comm, "comm");
    if (!error)
        error = pl_comm_of(mpi, *comm, &c);
    if (!error && (*comm == MPI_COMM_WORLD || *comm == MPI_COMM_SELF))
        error = pl_bad(MPI_ERR_COMM, "%s cannot be freed", c->name);
    if (error)
        return pl_return(mpi, c, error);
    pl_handle_drop(&mpi->handles[PL_CLASS_COMM], c->handle);
    pl_errhandler_release(mpi, c->errhandler);
    c->errhandler = NULL;
    pl_comm_release(c);
    *comm = MPI_COMM_NULL;
    return pl_return(mpi, NULL, 0);
}
PL_WEAK(Comm_free)

int PMPI_Comm_set_name(MPI_Comm comm, const char *name)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_set_name");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(name, "comm_name");
    if (!error) {
        snprintf(c->name, sizeof c->name, "%s", name);
        c->named = true;
    }
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_set_name)

int PMPI_Comm_get_name(MPI_Comm comm, char *name, int *length)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_get_name");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(name, "comm_name");
    if (!error)
        error = pl_check_pointer(length, "resultlen");
    if (!error)
        *length = snprintf(name, MPI_MAX_OBJECT_NAME, "%s", c->named ? c->name : "");
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_get_name)

int PMPI_Comm_set_info(MPI_Comm comm, MPI_Info info)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_set_info");
    struct pl_comm *c = NULL;
    struct pl_info *hints;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_info_of(mpi, info, &hints);
    if (!error)
        pl_info_apply(hints, c);
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_set_info)

int PMPI_Comm_get_info(MPI_Comm comm, MPI_Info *info)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_get_info");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(info, "info_used");
    if (!error)
        error = pl_info_describe(mpi, c, info);
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_get_info)
