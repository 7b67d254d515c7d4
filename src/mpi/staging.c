/* Staging: collectives on data with gaps.
 *
 *   program     | x . x . | x . x . |      what has gaps, wherever its blocks are
 *                  pack |     ^ unpack
 *   temporary   |xx|xx|                    block after block, plain bytes
 *                  the call, on bytes
 *
 * It works on the arguments of a call, before anything else looks at them, and turns them into those of a
 * call on bytes: so there is one place for even and uneven calls, neighbours, intercommunicators and
 * persistent requests. Each side is staged by itself and only where it must be.
 *
 * A reduction keeps its elements, for the operator takes whole ones: they become elements of a type that is
 * marked as the packed form of the program's, and pl_op_apply unpacks operands for the user's function. Only
 * user operators come to that; the predefined ones take no derived types.
 *
 * Rejected: sending derived types from inside schedules. A block that is forwarded three
 * times would be packed and unpacked three times.
 */
#include "staging.h"

#include "pack.h"
#include "recipe.h"
#include "topology.h"

#include <stdlib.h>

/* One block of a side. */
struct piece {
    void *address;
    const struct pl_datatype *type; /* held */
    size_t at, length;              /* in the temporary, bytes */
};

struct side {
    bool staged, read, write;
    size_t npieces;
    size_t back; /* a reduction: bytes that are written back; else 0: all */
    struct piece *pieces;
    char *packed;
    MPI_Count *counts, *displs; /* [npieces], of the call on bytes */
    MPI_Datatype *types;
};

struct pl_staging {
    struct side in, out;
    MPI_Datatype packed_type;       /* of a reduction, until the call is prepared */
    const struct pl_datatype *held; /* the same, until the end */
};

/* What a call has on one side: how many blocks, and what is done with them. */
struct role {
    int blocks; /* 0: the side is not significant */
    bool read, write;
};

/* Rooted calls: whether this rank is the root, and whether it takes part at all. */
static bool is_root(const struct pl_comm *comm, int root)
{
    return comm->remote ? root == MPI_ROOT : root == comm->rank;
}

static bool takes_part(const struct pl_comm *comm, int root)
{
    return !comm->remote || root != MPI_PROC_NULL;
}

static bool is_leaf(const struct pl_comm *comm, int root)
{
    return !comm->remote || root >= 0;
}

static int neighbors(const struct pl_comm *comm, bool same, struct role *in, struct role *out)
{
    int sources, destinations, *source, *destination;
    int error = pl_topology_neighbors(comm, &sources, &source, &destinations, &destination);
    if (error)
        return error;
    free(source); /* one piece with destination */
    *in = (struct role){same && destinations ? 1 : destinations, true, false};
    *out = (struct role){sources, true, true}; /* where there is no neighbour nothing changes */
    return 0;
}

/* The roles of the two sides in a call that only moves data. */
static int roles_of(const struct pl_comm *comm, enum pl_collective collective, const struct pl_arguments *a,
                    struct role *in, struct role *out)
{
    int n = comm->remote ? comm->remote->size : comm->size;
    bool root = is_root(comm, a->root), leaf = is_leaf(comm, a->root);
    bool in_place = a->in == MPI_IN_PLACE;
    *in = *out = (struct role){0, false, false};
    if (collective == PL_NEIGHBOR)
        return neighbors(comm, a->in_same, in, out);
    if (collective == PL_BCAST && takes_part(comm, a->root))
        *out = (struct role){1, root, !root};
    if (collective == PL_GATHER) {
        if (leaf && !(root && in_place))
            *in = (struct role){1, true, false};
        if (root)
            *out = (struct role){n, in_place, true};
    }
    if (collective == PL_SCATTER) {
        if (root)
            *in = (struct role){n, true, false};
        if (leaf && a->out != MPI_IN_PLACE)
            *out = (struct role){1, false, true};
    }
    if (collective == PL_ALLGATHER || collective == PL_ALLTOALL) {
        if (!in_place)
            *in = (struct role){collective == PL_ALLGATHER ? 1 : n, true, false};
        *out = (struct role){n, in_place, true};
    }
    return 0;
}

/* One side of the arguments, seen the same way for both. */
struct view {
    void **buffer;
    MPI_Count *count;
    MPI_Datatype *type;
    struct pl_numbers *counts, *displs;
    const MPI_Datatype **types;
};

static struct view view_in(struct pl_arguments *a)
{
    return (struct view){
        (void **)(uintptr_t)&a->in, &a->in_count, &a->in_type, &a->in_counts, &a->in_displs, &a->in_types};
}

static struct view view_out(struct pl_arguments *a)
{
    return (struct view){&a->out, &a->out_count, &a->out_type, &a->out_counts, &a->out_displs, &a->out_types};
}

/* Block i of a side; false: something is wrong with it, which preparing will tell. */
static bool look(struct pl_mpi *mpi, const struct view *v, int i, struct piece *piece)
{
    MPI_Count count = pl_given(*v->counts) ? pl_number(*v->counts, i) : *v->count;
    const struct pl_datatype *type;
    ptrdiff_t at;
    MPI_Datatype handle = !*v->types ? *v->type : count ? (*v->types)[i] : MPI_BYTE;
    if (count < 0 || pl_datatype_of(mpi, handle, &type))
        return false;
    if (pl_check_length(count, type, &piece->length))
        return false;
    ptrdiff_t unit = *v->types ? 1 : type->extent;
    if (!pl_given(*v->displs))
        at = i * (ptrdiff_t)count * unit;
    else if (__builtin_mul_overflow(pl_number(*v->displs, i), unit, &at))
        return false;
    piece->type = type;
    piece->address = (void *)((uintptr_t)*v->buffer + (uintptr_t)at);
    return true;
}

/* Whether the blocks can be gone through, and one of them has gaps. */
static bool has_gaps(struct pl_mpi *mpi, const struct view *v, const struct role *role)
{
    bool gaps = false;
    struct piece piece;
    if (pl_given(*v->displs) && !pl_given(*v->counts))
        return false;
    if (!*v->types && *v->type == MPI_DATATYPE_NULL)
        return false;
    for (int i = 0; i < role->blocks && (i == 0 || *v->types); i++) {
        if (!look(mpi, v, i, &piece))
            return false;
        gaps = gaps || !piece.type->contiguous;
    }
    return gaps;
}

static int no_memory(void)
{
    return pl_fail(PL_ENOMEM, "no memory to pack the data of a collective");
}

/* Fills in the pieces; a side that turns out wrong is left alone. */
static int collect(struct pl_mpi *mpi, const struct view *v, const struct role *role, struct side *side)
{
    size_t n = (size_t)role->blocks, total = 0;
    side->pieces = calloc(n, sizeof *side->pieces);
    side->counts = calloc(n, sizeof *side->counts);
    side->displs = calloc(n, sizeof *side->displs);
    side->types = calloc(n, sizeof *side->types);
    if (!side->pieces || !side->counts || !side->displs || !side->types)
        return no_memory();
    for (size_t i = 0; i < n; i++) {
        struct piece *piece = &side->pieces[i];
        if (!look(mpi, v, (int)i, piece)) {
            piece->type = NULL;
            return pl_bad(MPI_ERR_COUNT, "block %zu of a buffer has a wrong count, type or displacement", i);
        }
        pl_datatype_hold(piece->type);
        side->npieces = i + 1;
        if (piece->length && !piece->type->committed)
            return pl_bad(MPI_ERR_TYPE, "the datatype is not committed: call MPI_Type_commit first");
        piece->at = total;
        side->displs[i] = (MPI_Count)total;
        side->counts[i] = (MPI_Count)piece->length;
        side->types[i] = MPI_BYTE;
        if (__builtin_add_overflow(total, piece->length, &total))
            return no_memory();
    }
    side->packed = malloc(total ? total : 1);
    side->read = role->read;
    side->write = role->write;
    side->staged = side->packed != NULL;
    return side->packed ? 0 : no_memory();
}

/* The arguments of the call on bytes. */
static void replace(const struct view *v, const struct side *side)
{
    *v->buffer = side->packed;
    *v->count = side->counts[0];
    *v->type = MPI_BYTE;
    if (pl_given(*v->counts))
        *v->counts = (struct pl_numbers){.wide = side->counts};
    if (pl_given(*v->displs))
        *v->displs = (struct pl_numbers){.wide = side->displs};
    if (*v->types)
        *v->types = side->types;
}

static int stage_side(struct pl_mpi *mpi, const struct view *v, const struct role *role, struct side *side)
{
    if (!role->blocks || !has_gaps(mpi, v, role))
        return 0;
    int error = collect(mpi, v, role, side);
    if (!error)
        replace(v, side);
    return error;
}

static int stage_moves(struct pl_mpi *mpi, const struct pl_comm *comm, enum pl_collective collective,
                       struct pl_arguments *a, struct pl_staging *staging)
{
    struct role in, out;
    struct view from = view_in(a), to = view_out(a);
    int error = roles_of(comm, collective, a, &in, &out);
    bool alias = !error && in.blocks && out.blocks && a->in == a->out && a->in;
    if (!error)
        error = stage_side(mpi, &from, &in, &staging->in);
    if (!error)
        error = stage_side(mpi, &to, &out, &staging->out);
    if (!error && alias && (staging->in.staged || staging->out.staged))
        error =
            pl_bad(MPI_ERR_BUFFER, "the send buffer and the receive buffer are the same: use MPI_IN_PLACE");
    return error;
}

/* The elements of a reduction, packed: bytes, which know of what they are the packed form. */
static int packed_type(struct pl_mpi *mpi, const struct pl_datatype *type, struct pl_staging *staging)
{
    struct pl_datatype *packed = NULL;
    int error = pl_datatype_row(pl_datatype_predefined(PL_HANDLE_BYTE), type->size, &packed);
    if (error)
        return error;
    pl_datatype_hold(type);
    packed->packed_of = type;
    packed->committed = true;
    staging->held = packed;
    return pl_datatype_publish(mpi, packed, &staging->packed_type);
}

static MPI_Count sum_of(struct pl_numbers counts, int n)
{
    MPI_Count sum = 0;
    for (int i = 0; i < n; i++)
        sum += pl_number(counts, i);
    return sum;
}

/* How many elements a reduction has on each side; 0: the side is not significant. */
static void reduced(const struct pl_comm *comm, enum pl_collective collective, const struct pl_arguments *a,
                    MPI_Count *in, MPI_Count *out)
{
    bool uneven = pl_given(a->out_counts), scatters = collective == PL_REDUCE_SCATTER;
    bool rooted = collective == PL_REDUCE, in_place = a->in == MPI_IN_PLACE;
    MPI_Count own = uneven ? pl_number(a->out_counts, comm->rank) : a->out_count;
    MPI_Count whole = uneven ? sum_of(a->out_counts, comm->size) : scatters ? own * comm->size : own;
    *in = in_place || (rooted && !is_leaf(comm, a->root)) ? 0 : whole;
    *out = rooted && !is_root(comm, a->root) ? 0 : in_place ? whole : own;
}

/* One side of a reduction: so many elements in one piece. */
static int stage_elements(void **buffer, MPI_Count count, const struct pl_datatype *type, struct side *side)
{
    if (!count)
        return 0;
    size_t length;
    int error = pl_check_length(count, type, &length);
    if (error)
        return error;
    side->pieces = calloc(1, sizeof *side->pieces);
    side->packed = malloc(length ? length : 1);
    if (!side->pieces || !side->packed)
        return no_memory();
    pl_datatype_hold(type);
    side->pieces[0] = (struct piece){*buffer, type, 0, length};
    side->npieces = 1;
    side->staged = true;
    *buffer = side->packed;
    return 0;
}

static int stage_reduction(struct pl_mpi *mpi, const struct pl_comm *comm, enum pl_collective collective,
                           struct pl_arguments *a, struct pl_staging *staging)
{
    const struct pl_datatype *type;
    MPI_Count in, out;
    if (!takes_part(comm, a->root) || pl_datatype_of(mpi, a->out_type, &type) || type->contiguous ||
        type->predefined)
        return 0;
    if (a->out_count < 0 || (collective != PL_REDUCE && a->in == a->out))
        return 0;
    if (!type->committed)
        return pl_bad(MPI_ERR_TYPE, "the datatype is not committed: call MPI_Type_commit first");
    reduced(comm, collective, a, &in, &out);
    void *from = (void *)(uintptr_t)a->in;
    int error = packed_type(mpi, type, staging);
    if (!error)
        error = stage_elements(&from, in, type, &staging->in);
    if (!error)
        error = stage_elements(&a->out, out, type, &staging->out);
    if (error)
        return error;
    staging->in.read = true;
    staging->out.write = true;
    staging->out.read = a->in == MPI_IN_PLACE || collective == PL_EXSCAN; /* the first rank's stays */
    if (collective == PL_REDUCE_SCATTER && a->in == MPI_IN_PLACE && out)
        staging->out.back = /* the rank's own */
            (size_t)(pl_given(a->out_counts) ? pl_number(a->out_counts, comm->rank) : a->out_count) *
            type->size;
    a->in = from;
    a->out_type = staging->packed_type;
    return 0;
}

static bool reduces(enum pl_collective collective)
{
    return collective == PL_REDUCE || collective == PL_ALLREDUCE || collective == PL_REDUCE_SCATTER ||
           collective == PL_SCAN || collective == PL_EXSCAN;
}

int pl_staging_create(struct pl_mpi *mpi, const struct pl_comm *comm, enum pl_collective collective,
                      struct pl_arguments *a, struct pl_staging **made)
{
    *made = NULL;
    if (collective == PL_BARRIER)
        return 0;
    struct pl_staging staging = {.packed_type = MPI_DATATYPE_NULL};
    int error = reduces(collective) ? stage_reduction(mpi, comm, collective, a, &staging)
                                    : stage_moves(mpi, comm, collective, a, &staging);
    if (!error && !staging.in.staged && !staging.out.staged && !staging.held)
        return 0;
    struct pl_staging *kept = malloc(sizeof *kept);
    if (!kept)
        return no_memory();
    *kept = staging;
    if (!error) {
        *made = kept;
        return 0;
    }
    pl_staging_prepared(mpi, kept);
    pl_staging_destroy(kept);
    return error;
}

void pl_staging_prepared(struct pl_mpi *mpi, struct pl_staging *staging)
{
    if (!staging || staging->packed_type == MPI_DATATYPE_NULL)
        return;
    pl_handle_drop(&mpi->handles[PL_CLASS_DATATYPE], (uintptr_t)staging->packed_type);
    pl_datatype_release(staging->held); /* the handle's */
    staging->packed_type = MPI_DATATYPE_NULL;
}

void pl_staging_pack(struct pl_staging *staging)
{
    struct side *sides[] = {staging ? &staging->in : NULL, staging ? &staging->out : NULL};
    for (int s = 0; s < 2 && staging; s++)
        for (size_t i = 0; i < sides[s]->npieces && sides[s]->read; i++) {
            const struct piece *piece = &sides[s]->pieces[i];
            pl_pack(piece->type, 0, piece->address, sides[s]->packed + piece->at, piece->length);
        }
}

void pl_staging_unpack(struct pl_staging *staging)
{
    struct side *side = staging ? &staging->out : NULL;
    for (size_t i = 0; side && i < side->npieces && side->write; i++) {
        const struct piece *piece = &side->pieces[i];
        pl_unpack(piece->type, 0, piece->address, side->packed + piece->at,
                  side->back ? side->back : piece->length);
    }
}

static void finish_side(struct side *side)
{
    for (size_t i = 0; i < side->npieces; i++)
        pl_datatype_release(side->pieces[i].type);
    free(side->pieces);
    free(side->packed);
    free(side->counts);
    free(side->displs);
    free(side->types);
}

void pl_staging_destroy(struct pl_staging *staging)
{
    if (!staging)
        return;
    finish_side(&staging->in);
    finish_side(&staging->out);
    pl_datatype_release(staging->held);
    free(staging);
}
