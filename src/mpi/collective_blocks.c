/* From the counts and displacements of an MPI call to the blocks of an uneven one, in bytes.
 *
 * Displacements may be negative, and with MPI_BOTTOM they are addresses; the engine's offsets are neither. So
 * the buffer is taken to begin where the lowest block does that is not empty.
 */
#include "collective.h"

#include <stdlib.h>

/* Where a block is, relative to the buffer, and how long. */
struct place {
    const struct pl_datatype *type;
    ptrdiff_t at;
    size_t length;
};

static int too_far(int i)
{
    return pl_bad(MPI_ERR_COUNT, "the displacement or count of block %d is beyond any memory", i);
}

/* Block i of a side. `next` is where the one before it ended; it becomes where this one ends. */
static int place_of(struct pl_mpi *mpi, const struct pl_side *side, int i, ptrdiff_t *next,
                    struct place *place)
{
    MPI_Count count = pl_given(side->counts) ? pl_number(side->counts, i) : side->count;
    MPI_Datatype handle = side->type;
    if (side->types) /* of no elements it may be null, as programs have it */
        handle = count ? side->types[i] : MPI_BYTE;
    int error = pl_check_count(count);
    if (!error)
        error = pl_datatype_of(mpi, handle, &place->type);
    if (!error && !place->type->contiguous)
        error = pl_fail(PL_EUNSUPPORTED, "%s has gaps: it must be staged first", place->type->name);
    if (!error)
        error = pl_check_length(count, place->type, &place->length);
    if (error)
        return error;
    ptrdiff_t extent = place->type->extent, unit = side->types ? 1 : extent, whole;
    place->at = side->same ? 0 : *next;
    if (pl_given(side->displs) && __builtin_mul_overflow(pl_number(side->displs, i), unit, &place->at))
        return too_far(i);
    if (__builtin_mul_overflow(count, extent, &whole) || __builtin_add_overflow(place->at, whole, next))
        return too_far(i);
    return 0;
}

static int check_side(const struct pl_side *side, int n)
{
    int error = 0;
    if (n && side->listed && !(pl_given(side->counts) && pl_given(side->displs)))
        error = pl_bad(MPI_ERR_ARG, "counts or displacements are NULL");
    if (!error && n && side->listed && !side->types && !side->type)
        error = pl_bad(MPI_ERR_ARG, "the datatypes are NULL");
    if (!error && side->buffer == MPI_IN_PLACE)
        error = pl_bad(MPI_ERR_BUFFER, "MPI_IN_PLACE is not allowed for this buffer");
    return error;
}

static int find_places(struct pl_mpi *mpi, const struct pl_side *side, int n, struct place *places)
{
    ptrdiff_t next = 0;
    int error = check_side(side, n);
    for (int i = 0; i < n && !error; i++)
        error = place_of(mpi, side, i, &next, &places[i]);
    for (int i = 0; i < n && !error && !side->buffer && !side->types; i++)
        if (places[i].length)
            error = pl_check_buffer(NULL, 1, places[i].type);
    return error;
}

/* The blocks from where the lowest of them begins: there. */
static const void *set_blocks(const struct pl_side *side, int n, const struct place *places,
                              struct pl_block *blocks)
{
    ptrdiff_t low = PTRDIFF_MAX;
    for (int i = 0; i < n; i++)
        if (places[i].length && places[i].at < low)
            low = places[i].at;
    if (low == PTRDIFF_MAX)
        low = 0;
    for (int i = 0; i < n; i++)
        blocks[i] = (struct pl_block){places[i].length ? (size_t)(places[i].at - low) : 0, places[i].length};
    return (const void *)((uintptr_t)side->buffer + (uintptr_t)low);
}

/* The blocks of a side, malloc'd, and where their offsets count from. */
static int make_blocks(struct pl_mpi *mpi, const struct pl_side *side, int n, struct pl_block **blocks,
                       const void **base)
{
    struct place *places = malloc(((size_t)n + 1) * sizeof *places);
    struct pl_block *made = malloc(((size_t)n + 1) * sizeof *made);
    int error =
        places && made ? find_places(mpi, side, n, places) : pl_fail(PL_ENOMEM, "no memory for %d blocks", n);
    if (!error)
        *base = set_blocks(side, n, places, made);
    free(places);
    if (error)
        free(made);
    else
        *blocks = made;
    return error;
}

int pl_side_in(struct pl_mpi *mpi, const struct pl_side *side, int n, struct pl_coll_call *call)
{
    struct pl_block *blocks;
    int error = make_blocks(mpi, side, n, &blocks, &call->in);
    if (!error)
        call->in_blocks = blocks;
    return error;
}

int pl_side_out(struct pl_mpi *mpi, const struct pl_side *side, int n, struct pl_coll_call *call)
{
    struct pl_block *blocks;
    const void *base;
    int error = make_blocks(mpi, side, n, &blocks, &base);
    if (error)
        return error;
    call->out_blocks = blocks;
    call->out = (void *)(uintptr_t)base;
    return 0;
}

int pl_side_own(struct pl_mpi *mpi, const struct pl_side *side, bool out, struct pl_coll_call *call)
{
    struct pl_block *block;
    const void *base;
    int error = make_blocks(mpi, side, 1, &block, &base);
    if (error)
        return error;
    if (out)
        call->out = (char *)(uintptr_t)base + block->offset;
    else
        call->in = (const char *)base + block->offset;
    call->type = pl_datatype_predefined(PL_HANDLE_BYTE);
    call->count = block->length;
    free(block);
    return 0;
}

int pl_side_self(const void *from, size_t sent, const void *to, size_t received)
{
    if (sent == received && from == to && sent)
        return pl_bad(MPI_ERR_BUFFER,
                      "what this rank sends itself lies where it receives it: use MPI_IN_PLACE");
    if (sent == received)
        return 0;
    return pl_bad(MPI_ERR_TRUNCATE, "this rank sends itself %zu bytes, but receives %zu from itself", sent,
                  received);
}
