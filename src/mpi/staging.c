/* Staging: a list of pieces for each side, and memory that holds them packed one after the other. The
 * schedule then knows that memory alone. Rejected: teaching the engine's steps about types. A piece may
 * be cut anywhere on its way, is summed nowhere, and an extra copy is what a message with gaps costs anyway.
 */
#include "staging.h"

#include "errors.h"
#include "pack.h"

#include <stdlib.h>

struct piece {
    const struct pl_datatype *type; /* held */
    char *at;
    size_t length, offset;
};

struct side {
    struct piece *pieces;
    size_t n, capacity, bytes;
    char *memory;
};

struct pl_staging {
    struct side side[PL_STAGES];
    bool in_place;
};

struct pl_staging *pl_staging_create(void)
{
    struct pl_staging *staging = calloc(1, sizeof *staging);
    if (!staging)
        pl_fail(PL_ENOMEM, "no memory to pack the data of a collective call");
    return staging;
}

void pl_staging_destroy(struct pl_staging *staging)
{
    if (!staging)
        return;
    for (int s = 0; s < PL_STAGES; s++) {
        struct side *side = &staging->side[s];
        for (size_t i = 0; i < side->n; i++)
            pl_datatype_release((struct pl_datatype *)(uintptr_t)side->pieces[i].type);
        free(side->pieces);
        free(side->memory);
    }
    free(staging);
}

int pl_staging_add(struct pl_staging *staging, enum pl_stage stage, const struct pl_datatype *type,
                   const void *at, size_t length, size_t *offset)
{
    struct side *side = &staging->side[stage];
    if (side->n == side->capacity) {
        size_t capacity = side->capacity ? 2 * side->capacity : 8;
        struct piece *pieces = realloc(side->pieces, capacity * sizeof *pieces);
        if (!pieces)
            return pl_fail(PL_ENOMEM, "no memory to pack the data of a collective call");
        side->pieces = pieces;
        side->capacity = capacity;
    }
    pl_datatype_hold(type);
    side->pieces[side->n++] = (struct piece){type, (char *)(uintptr_t)at, length, side->bytes};
    *offset = side->bytes;
    side->bytes += length;
    return 0;
}

void *pl_staging_memory(struct pl_staging *staging, enum pl_stage stage)
{
    struct side *side = &staging->side[stage];
    side->memory = malloc(side->bytes + 1);
    if (!side->memory)
        pl_fail(PL_ENOMEM, "no memory to pack %zu bytes for a collective call", side->bytes);
    return side->memory;
}

void pl_staging_in_place(struct pl_staging *staging)
{
    staging->in_place = true;
}

static void pack(const struct side *side)
{
    for (size_t i = 0; i < side->n; i++) {
        const struct piece *p = &side->pieces[i];
        pl_pack(p->type, 0, p->at, side->memory + p->offset, p->length);
    }
}

void pl_staging_begin(struct pl_staging *staging)
{
    if (!staging)
        return;
    pack(&staging->side[PL_STAGE_IN]);
    if (staging->in_place)
        pack(&staging->side[PL_STAGE_OUT]);
}

void pl_staging_end(struct pl_staging *staging)
{
    if (!staging)
        return;
    const struct side *side = &staging->side[PL_STAGE_OUT];
    for (size_t i = 0; i < side->n; i++) {
        const struct piece *p = &side->pieces[i];
        pl_unpack(p->type, 0, p->at, side->memory + p->offset, p->length);
    }
}

bool pl_staging_unneeded(const struct pl_datatype *type, size_t count, ptrdiff_t *offset)
{
    return pl_datatype_plain(type, count, offset);
}
