/* From the counts and displacements of an MPI call to the blocks of an uneven one, in bytes.
 *
 * Displacements may be negative, and with MPI_BOTTOM they are addresses; the engine's offsets are neither. So
 * the buffer is taken to begin where the lowest block does that is not empty.
 */
#include "collective.h"

#include <stdlib.h>

/* Where a block is, relative to the buffer, and how long. */
struct place {
    ptrdiff_t at;
    size_t length;
};

static int too_far(int i)
{
    return pl_bad(MPI_ERR_COUNT, "the displacement or count of block %d is beyond any memory", i);
}

/* Block i of a side; `next` is where the one before it ended. */
static int place_of(struct pl_mpi *mpi, const struct pl_side *side, int i, ptrdiff_t next,
                    struct place *place)
{
    const struct pl_datatype *type = NULL;
    MPI_Count count = pl_given(side->counts) ? pl_number(side->counts, i) : side->count;
    ptrdiff_t unit = 1;
    int error = pl_check_count(count);
    if (!error)
        error = pl_datatype_of(mpi, side->types ? side->types[i] : side->type, &type);
    if (!error && !type->contiguous && !type->predefined)
        error = pl_fail(PL_EUNSUPPORTED, "%s has gaps: it must be packed first", type->name);
    if (!error)
        error = pl_check_length(count, type, &place->length);
    if (error)
        return error;
    if (!side->types)
        unit = type->extent;
    place->at = side->same ? 0 : next;
    if (pl_given(side->displs) && __builtin_mul_overflow(pl_number(side->displs, i), unit, &place->at))
        return too_far(i);
    return 0;
}

static int check_lists(const struct pl_side *side, int n)
{
    int error = 0;
    if (n && side->types && !pl_given(side->counts))
        error = pl_check_pointer(NULL, "counts");
    if (n && !error && side->types && !pl_given(side->displs))
        error = pl_check_pointer(NULL, "displacements");
    if (!error && side->buffer == MPI_IN_PLACE)
        error = pl_bad(MPI_ERR_BUFFER, "MPI_IN_PLACE is not allowed for this buffer");
    return error;
}

int pl_side_blocks(struct pl_mpi *mpi, const struct pl_side *side, int n, struct pl_block **blocks,
                   const void **base)
{
    int error = check_lists(side, n);
    if (error)
        return error;
    struct pl_block *made = malloc(((size_t)n + 1) * sizeof *made);
    if (!made)
        return pl_fail(PL_ENOMEM, "no memory for %d blocks", n);
    ptrdiff_t low = 0, next = 0;
    bool empty = true;
    for (int i = 0; i < n && !error; i++) {
        struct place place;
        error = place_of(mpi, side, i, next, &place);
        if (error)
            break;
        if (__builtin_add_overflow(place.at, (ptrdiff_t)place.length, &next))
            error = too_far(i);
        if (place.length && (empty || place.at < low)) {
            low = place.at;
            empty = false;
        }
        made[i] = (struct pl_block){(size_t)place.at, place.length};
    }
    if (!error && !empty && !side->buffer && !side->types)
        error = pl_bad(MPI_ERR_BUFFER, "the buffer is NULL but not all counts are 0");
    if (error) {
        free(made);
        return error;
    }
    for (int i = 0; i < n; i++)
        made[i].offset = made[i].length ? made[i].offset - (size_t)low : 0;
    *blocks = made;
    *base = (const void *)((uintptr_t)side->buffer + (uintptr_t)low);
    return 0;
}

int pl_side_own(struct pl_mpi *mpi, const void *buffer, MPI_Count count, MPI_Datatype type,
                struct pl_coll_call *call)
{
    struct pl_block *block;
    const void *base;
    struct pl_side side = {.buffer = buffer, .count = count, .type = type};
    int error = pl_side_blocks(mpi, &side, 1, &block, &base);
    if (error)
        return error;
    call->type = pl_datatype_predefined(PL_HANDLE_BYTE);
    call->count = block->length;
    free(block);
    return 0;
}

int pl_side_self(size_t sent, size_t received)
{
    if (sent == received)
        return 0;
    return pl_bad(MPI_ERR_TRUNCATE, "this rank sends itself %zu bytes, but receives %zu from itself", sent,
                  received);
}
