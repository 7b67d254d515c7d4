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

#include "device.h"
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
    bool pinned; /* `packed` is of the driver's page-locked memory */
    size_t npieces;
    size_t back; /* a reduction: bytes that are written back; else 0: all */
    struct piece *pieces;
    char *packed;
    MPI_Count *counts, *displs; /* [npieces], of the call on bytes */
    MPI_Datatype *types;
};

struct pl_staging {
    struct pl_rank *rank;
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

/* What is to be known of a side before the call. */
struct nature {
    bool gaps;    /* a block has some */
    bool device;  /* a block is in memory of the driver */
    size_t bytes; /* of all blocks; counted where there is a driver */
};

/* Looks at the blocks; a side that cannot be gone through has no nature. */
static struct nature nature_of(struct pl_mpi *mpi, const struct view *v, const struct role *role)
{
    struct nature nature = {0}, none = {0};
    struct pl_memory *memory = mpi->rank->memory;
    struct piece piece;
    if (pl_given(*v->displs) && !pl_given(*v->counts))
        return none;
    if (!*v->types && *v->type == MPI_DATATYPE_NULL)
        return none;
    for (int i = 0; i < role->blocks && (i == 0 || *v->types || memory); i++) {
        if (!look(mpi, v, i, &piece))
            return none;
        nature.gaps = nature.gaps || !piece.type->contiguous;
        if (memory && piece.length && (!nature.bytes || *v->types))
            nature.device =
                nature.device || pl_memory_holds(memory, pl_data_begin(piece.address, piece.type));
        nature.bytes += piece.length;
    }
    return nature;
}

static int no_memory(void)
{
    return pl_fail(PL_ENOMEM, "no memory to pack the data of a collective");
}

/* The temporary of a side: page-locked if a device shall copy to or from it. */
static int get_packed(struct pl_mpi *mpi, struct side *side, size_t bytes, bool device)
{
    struct pl_memory *memory = mpi->rank->memory;
    side->pinned = device;
    side->packed = device ? memory->driver->pin(memory, bytes ? bytes : 1) : malloc(bytes ? bytes : 1);
    side->staged = side->packed != NULL;
    return side->packed ? 0 : no_memory();
}

/* Fills in the pieces; a side that turns out wrong is left alone. */
static int collect(struct pl_mpi *mpi, const struct view *v, const struct role *role, bool device,
                   struct side *side)
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
    side->read = role->read;
    side->write = role->write;
    return get_packed(mpi, side, total, device);
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

static int stage_side(struct pl_mpi *mpi, const struct view *v, const struct role *role,
                      const struct nature *nature, struct side *side)
{
    if (!role->blocks || (!nature->gaps && !nature->device))
        return 0;
    int error = collect(mpi, v, role, nature->device, side);
    if (!error)
        replace(v, side);
    return error;
}

/* Long calls on plain bytes of devices go unstaged: the engine overlaps bus and wire, and reduces on the
 * device. Short ones are faster with one copy each way. */
enum { UNSTAGED_MIN = 64 * 1024 };

static bool is_plain_device(const struct role *role, const struct nature *nature)
{
    return !role->blocks || !nature->bytes || (nature->device && !nature->gaps);
}

static int stage_moves(struct pl_mpi *mpi, const struct pl_comm *comm, enum pl_collective collective,
                       struct pl_arguments *a, struct pl_staging *staging, struct pl_memory **memory)
{
    struct role in, out;
    struct view from = view_in(a), to = view_out(a);
    int error = roles_of(comm, collective, a, &in, &out);
    if (error)
        return error;
    bool alias = in.blocks && out.blocks && a->in == a->out && a->in;
    struct nature from_nature = nature_of(mpi, &from, &in), to_nature = nature_of(mpi, &to, &out);
    if ((from_nature.device || to_nature.device) && is_plain_device(&in, &from_nature) &&
        is_plain_device(&out, &to_nature) && from_nature.bytes + to_nature.bytes >= UNSTAGED_MIN && !alias) {
        *memory = mpi->rank->memory;
        return 0;
    }
    error = stage_side(mpi, &from, &in, &from_nature, &staging->in);
    if (!error)
        error = stage_side(mpi, &to, &out, &to_nature, &staging->out);
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

/* Whether the elements of a reduction are packed for it: those of derived types with gaps. */
static bool is_packed(const struct pl_datatype *type)
{
    return !type->contiguous && !type->predefined;
}

/* One side of a reduction: so many elements in one piece. What is not packed is moved as it is, with the gap
 * that some predefined pairs have. */
static int stage_elements(struct pl_mpi *mpi, void **buffer, MPI_Count count, const struct pl_datatype *type,
                          struct side *side)
{
    bool device = count && pl_memory_holds(mpi->rank->memory, pl_data_begin(*buffer, type));
    if (!count || (!is_packed(type) && !device))
        return 0;
    size_t length;
    int error = pl_check_length(count, type, &length);
    if (error)
        return error;
    if (!is_packed(type)) {
        length = (size_t)count * (size_t)type->extent;
        type = pl_datatype_predefined(PL_HANDLE_BYTE);
    }
    side->pieces = calloc(1, sizeof *side->pieces);
    if (!side->pieces)
        return no_memory();
    error = get_packed(mpi, side, length, device);
    if (error)
        return error;
    pl_datatype_hold(type);
    side->pieces[0] = (struct piece){*buffer, type, 0, length};
    side->npieces = 1;
    *buffer = side->packed;
    return 0;
}

/* Whether a reduction is long, on devices alone, and has a loop there. */
static bool reduces_on_device(struct pl_mpi *mpi, const struct pl_arguments *a,
                              const struct pl_datatype *type, MPI_Count in, MPI_Count out)
{
    struct pl_memory *memory = mpi->rank->memory;
    const struct pl_op *op;
    MPI_Count most = in > out ? in : out;
    if (is_packed(type) || (size_t)most * type->size < UNSTAGED_MIN || pl_op_of(mpi, a->op, &op))
        return false;
    if ((in && !pl_memory_holds(memory, a->in)) || (out && !pl_memory_holds(memory, a->out)))
        return false;
    return pl_op_device_kernel(memory, in ? a->in : a->out, op, type) != NULL;
}

static int stage_reduction(struct pl_mpi *mpi, const struct pl_comm *comm, enum pl_collective collective,
                           struct pl_arguments *a, struct pl_staging *staging, struct pl_memory **memory)
{
    const struct pl_datatype *type;
    MPI_Count in, out;
    if (!takes_part(comm, a->root) || pl_datatype_of(mpi, a->out_type, &type) ||
        (!is_packed(type) && !mpi->rank->memory))
        return 0;
    if (a->out_count < 0)
        return 0;
    if (!type->committed)
        return pl_bad(MPI_ERR_TYPE, "the datatype is not committed: call MPI_Type_commit first");
    reduced(comm, collective, a, &in, &out);
    if (in && out && a->in == a->out)
        return 0;
    if (mpi->rank->memory && reduces_on_device(mpi, a, type, in, out)) {
        *memory = mpi->rank->memory;
        return 0;
    }
    void *from = (void *)(uintptr_t)a->in;
    int error = is_packed(type) ? packed_type(mpi, type, staging) : 0;
    if (!error)
        error = stage_elements(mpi, &from, in, type, &staging->in);
    if (!error)
        error = stage_elements(mpi, &a->out, out, type, &staging->out);
    if (error)
        return error;
    staging->in.read = true;
    staging->out.write = true;
    staging->out.read = a->in == MPI_IN_PLACE || collective == PL_EXSCAN; /* the first rank's stays */
    if (collective == PL_REDUCE_SCATTER && a->in == MPI_IN_PLACE && out)
        staging->out.back = /* the rank's own */
            (size_t)(pl_given(a->out_counts) ? pl_number(a->out_counts, comm->rank) : a->out_count) *
            (is_packed(type) ? type->size : (size_t)type->extent);
    a->in = from;
    if (is_packed(type))
        a->out_type = staging->packed_type;
    return 0;
}

static bool reduces(enum pl_collective collective)
{
    return collective == PL_REDUCE || collective == PL_ALLREDUCE || collective == PL_REDUCE_SCATTER ||
           collective == PL_SCAN || collective == PL_EXSCAN;
}

int pl_staging_create(struct pl_mpi *mpi, const struct pl_comm *comm, enum pl_collective collective,
                      struct pl_arguments *a, struct pl_staging **made, struct pl_memory **memory)
{
    *made = NULL;
    *memory = NULL;
    if (collective == PL_BARRIER)
        return 0;
    struct pl_staging staging = {.rank = mpi->rank, .packed_type = MPI_DATATYPE_NULL};
    int error = reduces(collective) ? stage_reduction(mpi, comm, collective, a, &staging, memory)
                                    : stage_moves(mpi, comm, collective, a, &staging, memory);
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

int pl_staging_pack(struct pl_staging *staging)
{
    struct side *sides[] = {staging ? &staging->in : NULL, staging ? &staging->out : NULL};
    int error = 0;
    for (int s = 0; s < 2 && staging; s++)
        for (size_t i = 0; i < sides[s]->npieces && sides[s]->read && !error; i++) {
            const struct piece *piece = &sides[s]->pieces[i];
            error = pl_pack_any(staging->rank, piece->type, 0, piece->address, sides[s]->packed + piece->at,
                                piece->length);
        }
    return error;
}

int pl_staging_unpack(struct pl_staging *staging)
{
    struct side *side = staging ? &staging->out : NULL;
    int error = 0;
    for (size_t i = 0; side && i < side->npieces && side->write && !error; i++) {
        const struct piece *piece = &side->pieces[i];
        error = pl_unpack_any(staging->rank, piece->type, 0, piece->address, side->packed + piece->at,
                              side->back ? side->back : piece->length);
    }
    return error;
}

static void finish_side(struct pl_rank *rank, struct side *side)
{
    for (size_t i = 0; i < side->npieces; i++)
        pl_datatype_release(side->pieces[i].type);
    free(side->pieces);
    if (side->pinned && side->packed)
        rank->memory->driver->unpin(rank->memory, side->packed);
    else
        free(side->packed);
    free(side->counts);
    free(side->displs);
    free(side->types);
}

void pl_staging_destroy(struct pl_staging *staging)
{
    if (!staging)
        return;
    finish_side(staging->rank, &staging->in);
    finish_side(staging->rank, &staging->out);
    pl_datatype_release(staging->held);
    free(staging);
}
