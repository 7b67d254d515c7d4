/* What the files of collective functions share: how a call of any of them is checked, started and ended. */
#ifndef PL_MPI_COLLECTIVE_H
#define PL_MPI_COLLECTIVE_H

#include "call.h"
#include "collectives.h"
#include "numbers.h"

enum pl_form { PL_BLOCKING, PL_NONBLOCKING, PL_PERSISTENT };

/* The arguments of any of them; what a call does not have is zero. */
struct pl_arguments {
    const void *in;
    void *out;
    MPI_Count in_count, out_count;
    MPI_Datatype in_type, out_type;
    MPI_Op op;
    int root;
    MPI_Comm comm;
    struct pl_numbers in_counts, in_displs, out_counts, out_displs;
    const MPI_Datatype *in_types, *out_types;
    bool in_listed, out_listed; /* a v or w side: counts and displacements are to be given */
    bool in_same;               /* neighbours: all get the one block that goes in */
};

/* Checks the arguments and writes them down; call->comm, collective, in, out and root are there already. The
 * call's lists are malloc'd, `source` with `destination` in one piece; freed by who called this, also
 * after an error. */
typedef int pl_prepare(struct pl_mpi *mpi, const struct pl_arguments *a, struct pl_coll_call *call);

/* The whole of an MPI function. `request` is NULL for the blocking form. */
int pl_collective(const char *name, enum pl_form form, enum pl_collective collective, pl_prepare *prepare,
                  const struct pl_arguments *a, MPI_Request *request);

/* Of the even collectives (collective.c), for their persistent forms. */
pl_prepare pl_prepare_barrier, pl_prepare_bcast, pl_prepare_gather, pl_prepare_scatter, pl_prepare_allgather,
    pl_prepare_reduce, pl_prepare_allreduce;
/* Of the uneven one with an operator (collective_scan.c). */
pl_prepare pl_prepare_reduce_scatter;
/* Of all of them on an intercommunicator (collective_inter.c). */
pl_prepare pl_prepare_inter;

/* Steps of preparing. */
int pl_prepare_data(struct pl_mpi *mpi, MPI_Count count, MPI_Datatype datatype, struct pl_coll_call *call);
int pl_prepare_op(struct pl_mpi *mpi, MPI_Op op, struct pl_coll_call *call);
int pl_prepare_buffer(const struct pl_coll_call *call, const void *buffer);
/* That `in` and `out` are not the same place, unless in place. */
int pl_prepare_alias(const struct pl_coll_call *call);

/* One side of an uneven call. */
struct pl_side {
    const void *buffer;
    MPI_Count count;          /* of every block, when there are no counts */
    struct pl_numbers counts; /* [n] */
    struct pl_numbers
        displs;        /* [n] in extents, with `types` in bytes; not given: one block after the other */
    MPI_Datatype type; /* of all blocks ... */
    const MPI_Datatype *types; /* ... or of each */
    bool listed;               /* counts and displs must be given, if there is a block at all */
    bool same;                 /* all are the one block at the beginning */
};

/* The sides as the arguments say. */
static inline struct pl_side pl_in_side(const struct pl_arguments *a)
{
    return (struct pl_side){a->in,      a->in_count, a->in_counts, a->in_displs,
                            a->in_type, a->in_types, a->in_listed, a->in_same};
}

static inline struct pl_side pl_out_side(const struct pl_arguments *a)
{
    return (struct pl_side){a->out,      a->out_count, a->out_counts, a->out_displs,
                            a->out_type, a->out_types, a->out_listed, false};
}

/* The side becomes the call's `in` or `out` with its list of n blocks. */
int pl_side_in(struct pl_mpi *mpi, const struct pl_side *side, int n, struct pl_coll_call *call);
int pl_side_out(struct pl_mpi *mpi, const struct pl_side *side, int n, struct pl_coll_call *call);
/* The side, of one block, becomes the call's own vector, in bytes: `out` or in. */
int pl_side_own(struct pl_mpi *mpi, const struct pl_side *side, bool out, struct pl_coll_call *call);
/* Error when a rank's block to itself is not as long as the one from itself, or is that very place. */
int pl_side_self(const void *from, size_t sent, const void *to, size_t received);

/* collective_short.c: what a call says; NULL and 0 where it has no such argument. */
struct pl_short_args {
    const void *in;
    void *out;
    MPI_Count count; /* of what is sent, where both sides have one */
    MPI_Datatype type;
    MPI_Op op;
    int root;
    MPI_Count out_count;
    MPI_Datatype out_type;
};

/* Makes the blocking call the short way, if it can go that way: then true, and *result is what the function
 * returns. false: nothing was done. */
bool pl_collective_short(const char *name, enum pl_collective collective, const struct pl_short_args *a,
                         MPI_Comm comm, int *result);

#endif
