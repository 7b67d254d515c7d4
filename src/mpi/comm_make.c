/* Making communicators out of one that exists (MPI 5.0, sections 7.4.2 and 7.6.2): create, create_group,
 * split, split_type; on intercommunicators also.
 *
 * Splitting an intercommunicator: each side gathers its votes, the leaders swap them, each side is
 * told the other's, and each color that both sides have becomes an intercommunicator. MPI_Comm_create on
 * an intercommunicator is such a split, with the rank in the group for a key.
 */
#include "agree.h"
#include "exchange.h"
#include "info.h"
#include "loss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vote {
    int32_t color, key;
    uint64_t context, local_context;
    struct pl_identity who;
};

/* A side's votes of one color, in the order of key and then of the array. */
static int chosen(struct pl_rank *rank, const struct vote *votes, int n, int color, int self,
                  struct pl_group **out, const struct vote **first)
{
    int count = 0;
    const struct vote **picked = malloc(sizeof *picked * ((size_t)n + 1));
    if (!picked)
        return pl_fail(PL_ENOMEM, "no memory to split a communicator of %d ranks", n);
    for (int i = 0; i < n; i++) {
        if (votes[i].color != color)
            continue;
        int at = count++;
        for (; at && picked[at - 1]->key > votes[i].key; at--)
            picked[at] = picked[at - 1];
        picked[at] = &votes[i];
    }
    struct pl_group *group = pl_group_create(count);
    int error = group ? 0 : pl_fail(PL_ENOMEM, "no memory for a group of %d", count);
    for (int i = 0; i < count && !error; i++) {
        group->peers[i] = pl_peer_find(rank, &picked[i]->who);
        if (group->peers[i] == self)
            group->rank = i;
    }
    *first = count && !error ? picked[0] : NULL;
    free(picked);
    *out = group;
    return error;
}

/* The other side's votes, malloc'd; *count is how many. */
static int swap_votes(struct pl_comm *comm, const struct vote *mine, struct vote **out, int *count)
{
    int n = comm->remote->size, error = 0;
    *out = malloc(sizeof **out * (size_t)n);
    if (!*out)
        return pl_fail(PL_ENOMEM, "no memory to split %s", comm->name);
    if (!comm->rank)
        error = pl_agree_swap(comm, comm, 0, PL_AGREE_INTER, mine, sizeof *mine * (size_t)comm->size, *out,
                              sizeof **out * (size_t)n);
    if (!error)
        error = pl_exchange_bcast(comm->local, *out, sizeof **out * (size_t)n, 0);
    *count = n;
    return error;
}

static int make_part(struct pl_mpi *mpi, struct pl_comm *comm, int color, const struct vote *votes,
                     const struct vote *others, int n_others, struct pl_comm **made)
{
    struct pl_group *group = NULL, *remote = NULL;
    const struct vote *first, *first_other;
    int error = chosen(mpi->rank, votes, comm->size, color, mpi->rank->rank, &group, &first);
    if (!error && !comm->remote)
        error = pl_comm_make(mpi, comm, group, first->context, made);
    if (!error && comm->remote)
        error = chosen(mpi->rank, others, n_others, color, -1, &remote, &first_other);
    if (!error && remote && remote->size)
        error =
            pl_comm_make_inter(mpi, comm, group, remote, comm->low,
                               comm->low ? first->context : first_other->context, first->local_context, made);
    pl_group_release(group);
    pl_group_release(remote);
    return error;
}

int pl_comm_split(struct pl_mpi *mpi, struct pl_comm *comm, int color, int key, struct pl_comm **made)
{
    struct vote mine = {.color = color,
                        .key = key,
                        .context = pl_context_new(mpi->rank),
                        .local_context = comm->remote ? pl_context_new(mpi->rank) : 0,
                        .who = pl_peer_identity(mpi->rank, mpi->rank->rank)};
    struct vote *votes = calloc((size_t)comm->size, sizeof *votes), *others = NULL;
    int n_others = 0;
    int error = votes ? 0 : pl_fail(PL_ENOMEM, "no memory to split %s", comm->name);
    if (!error)
        error = pl_exchange_allgather(comm->remote ? comm->local : comm, &mine, votes, sizeof mine);
    if (!error && comm->remote)
        error = swap_votes(comm, votes, &others, &n_others);
    *made = NULL;
    if (!error && color != MPI_UNDEFINED)
        error = make_part(mpi, comm, color, votes, others, n_others, made);
    free(votes);
    free(others);
    return error;
}

/* Ends a call that made a communicator, or none. */
static int give(struct pl_mpi *mpi, struct pl_comm *parent, int error, struct pl_comm *made, MPI_Comm *handle)
{
    if (!error)
        *handle = made ? (MPI_Comm)made->handle : MPI_COMM_NULL;
    return pl_return(mpi, parent, error);
}

int PMPI_Comm_split(MPI_Comm comm, int color, int key, MPI_Comm *newcomm)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_split");
    struct pl_comm *c = NULL, *made = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(newcomm, "newcomm");
    if (!error && color < 0 && color != MPI_UNDEFINED)
        error = pl_bad(MPI_ERR_ARG, "color %d is negative and not MPI_UNDEFINED", color);
    if (!error)
        error = pl_comm_split(mpi, c, color, key, &made);
    return give(mpi, c, error, made, newcomm);
}
PL_WEAK(Comm_split)

/* The color of this rank for a kind of hardware. Peal knows one kind below the whole: the host. */
static int color_of(struct pl_mpi *mpi, const struct pl_comm *comm, int split_type,
                    const struct pl_info *info, int *color)
{
    const char *wanted = NULL;
    *color = MPI_UNDEFINED;
    switch (split_type) {
    case MPI_UNDEFINED:
        return 0;
    case MPI_COMM_TYPE_SHARED:
        *color = mpi->rank->host;
        return 0;
    case MPI_COMM_TYPE_HW_UNGUIDED:
        /* a strict subset of the parent, or nothing */
        if (comm->hosts > 1)
            *color = mpi->rank->host;
        return 0;
    case MPI_COMM_TYPE_HW_GUIDED:
        wanted = info ? pl_info_value(info, "mpi_hw_resource_type") : NULL;
        break;
    case MPI_COMM_TYPE_RESOURCE_GUIDED:
        wanted = info ? pl_info_value(info, "mpi_hw_resource_type") : NULL;
        if (info && !wanted && (wanted = pl_info_value(info, "mpi_pset_name"))) {
            if (!strcmp(wanted, "mpi://WORLD"))
                *color = 0;
            else if (!strcmp(wanted, "mpi://SELF"))
                *color = comm->rank;
            return 0;
        }
        break;
    default:
        return pl_bad(MPI_ERR_ARG,
                      "split type %d is not MPI_UNDEFINED or one of MPI_COMM_TYPE_SHARED, HW_GUIDED, "
                      "HW_UNGUIDED, RESOURCE_GUIDED",
                      split_type);
    }
    bool host = wanted && (!strcmp(wanted, "mpi_shared_memory") || !strcmp(wanted, "peal://host") ||
                           !strcmp(wanted, "host") || !strcmp(wanted, "machine") || !strcmp(wanted, "node"));
    if (host)
        *color = mpi->rank->host;
    return 0;
}

int PMPI_Comm_split_type(MPI_Comm comm, int split_type, int key, MPI_Info info, MPI_Comm *newcomm)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_split_type");
    struct pl_comm *c = NULL, *made = NULL;
    struct pl_info *hints = NULL;
    int color = MPI_UNDEFINED;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error && info != MPI_INFO_NULL)
        error = pl_info_of(mpi, info, &hints);
    if (!error)
        error = pl_check_pointer(newcomm, "newcomm");
    if (!error)
        error = color_of(mpi, c, split_type, hints, &color);
    if (!error)
        error = pl_comm_split(mpi, c, color, key, &made);
    return give(mpi, c, error, made, newcomm);
}
PL_WEAK(Comm_split_type)

/* The members of a group must all name the same, in the same order; others may name other groups. */
static int same_groups(struct pl_comm *comm, const struct pl_group *group, const struct pl_founding *all)
{
    char text[160];
    for (int k = 0; k < group->size; k++) {
        int i = pl_group_rank(comm->group, group->peers[k]);
        if (i < 0)
            return pl_bad(MPI_ERR_GROUP, "member %d of the group is not in %s", k, comm->name);
        if (all[i].group == all[comm->rank].group)
            continue;
        snprintf(text, sizeof text,
                 "rank %d called MPI_Comm_create with another group than rank %d, or in another order", i,
                 comm->rank);
        pl_comm_break(comm, PL_BREAK_MISMATCH, text);
        return pl_comm_check(comm, ~0u);
    }
    return 0;
}

/* All ranks of comm take part, those of no group too: so it is known when they do not fit together. */
static int create(struct pl_mpi *mpi, struct pl_comm *comm, struct pl_group *group, struct pl_comm **made)
{
    struct pl_founding mine = {pl_context_new(mpi->rank), pl_agree_hash(mpi->rank, group)};
    struct pl_founding *all = calloc((size_t)comm->size, sizeof *all);
    int error = all ? 0 : pl_fail(PL_ENOMEM, "no memory to make a communicator of %s", comm->name);
    if (!error)
        error = pl_exchange_allgather(comm, &mine, all, sizeof mine);
    if (!error && group->rank >= 0)
        error = same_groups(comm, group, all);
    if (!error && group->rank >= 0)
        error =
            pl_comm_make(mpi, comm, group, all[pl_group_rank(comm->group, group->peers[0])].context, made);
    free(all);
    return error;
}

int PMPI_Comm_create(MPI_Comm comm, MPI_Group group, MPI_Comm *newcomm)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_create");
    struct pl_comm *c = NULL, *made = NULL;
    struct pl_group *g = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_group_of(mpi, group, &g);
    if (!error)
        error = pl_check_pointer(newcomm, "newcomm");
    if (!error && c->remote)
        error = pl_comm_split(mpi, c, g->rank < 0 ? MPI_UNDEFINED : 0, g->rank, &made);
    else if (!error)
        error = create(mpi, c, g, &made);
    return give(mpi, c, error, made, newcomm);
}
PL_WEAK(Comm_create)

int PMPI_Comm_create_group(MPI_Comm comm, MPI_Group group, int tag, MPI_Comm *newcomm)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_create_group");
    struct pl_comm *c = NULL, *made = NULL;
    struct pl_group *g = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_group_of(mpi, group, &g);
    if (!error)
        error = pl_check_pointer(newcomm, "newcomm");
    if (!error && tag < 0)
        error = pl_bad(MPI_ERR_TAG, "tag %d is negative", tag);
    if (!error && c->remote)
        error = pl_bad(MPI_ERR_COMM, "%s: MPI_Comm_create_group wants an intracommunicator", c->name);
    if (!error && g->rank >= 0)
        error = pl_comm_make_over(mpi, c, g, tag, &made);
    return give(mpi, c, error, made, newcomm);
}
PL_WEAK(Comm_create_group)
