/* The pack engine: walks a program and copies its blocks, in either direction.
 *
 * The way down to the current block is a stack of levels, each a step with the rounds
 * that are left of it; programs are never deeper than it, so nothing is allocated and
 * nothing recurses. A position is found by division (which round) and by bisection
 * (which step), so a message may be packed in segments, each starting anywhere, and
 * no state is kept between them.
 *
 * Blocks of 4, 8 and 16 bytes with one stride, which columns, planes and fields of structures
 * are made of, have loops of their own: there a call of memcpy would cost more than the copy.
 */
#include "pack.h"

#include <assert.h>
#include <string.h>

struct level {
    const struct pl_pack_step *step, *end; /* the current step of a program, and where the program ends */
    uintptr_t base;                        /* where the program is applied */
    uintptr_t at;                          /* where the next round of the step is */
    size_t left;                           /* rounds of it to come */
};

/* What is done with the blocks. */
enum mode { PACK, UNPACK, LIST };

/* One walk: `packed` moves on, `bytes` says how many are to go. */
struct walk {
    char *packed;
    size_t bytes;
    pl_strip_fn *strip; /* LIST */
    void *context;
    unsigned top;
    struct level stack[PL_PROGRAM_DEPTH];
};

#define EACH_BLOCK(length)                                                                                   \
    if (mode == PACK)                                                                                        \
        for (; count; count--, at += (uintptr_t)stride, packed += (length))                                  \
            memcpy(packed, (const void *)at, (length));                                                      \
    else                                                                                                     \
        for (; count; count--, at += (uintptr_t)stride, packed += (length))                                  \
            memcpy((void *)at, packed, (length));

static inline __attribute__((always_inline)) void copy_blocks(const struct walk *walk, uintptr_t at,
                                                              size_t length, size_t count, ptrdiff_t stride,
                                                              enum mode mode)
{
    char *packed = walk->packed;
    if (mode == LIST) {
        const struct pl_strip strip = {at, length, count, stride};
        if (count)
            walk->strip(walk->context, &strip);
        return;
    }
    switch (length) {
    case 1:
        EACH_BLOCK(1) break;
    case 2:
        EACH_BLOCK(2) break;
    case 4:
        EACH_BLOCK(4) break;
    case 8:
        EACH_BLOCK(8) break;
    case 12:
        EACH_BLOCK(12) break;
    case 16:
        EACH_BLOCK(16) break;
    case 24:
        EACH_BLOCK(24) break;
    case 32:
        EACH_BLOCK(32) break;
    default:
        EACH_BLOCK(length)
    }
}

static inline __attribute__((always_inline)) void took(struct walk *walk, size_t bytes, enum mode mode)
{
    if (mode != LIST)
        walk->packed += bytes;
    walk->bytes -= bytes;
}

/* Copies the blocks of a step at `at`, from byte `skip` of them on, as far as the walk wants. */
static inline __attribute__((always_inline)) void
copy_step(struct walk *walk, const struct pl_pack_step *step, uintptr_t at, size_t skip, enum mode mode)
{
    size_t length = step->length, count = step->count, head = 0;
    if (skip) {
        size_t block = skip / length;
        at += block * (uintptr_t)step->stride;
        count -= block;
        skip -= block * length;
        if (skip) {
            head = length - skip < walk->bytes ? length - skip : walk->bytes;
            copy_blocks(walk, at + skip, head, 1, 0, mode);
            took(walk, head, mode);
            at += (uintptr_t)step->stride;
            count--;
        }
    }
    size_t whole = count, tail = 0;
    if (count * length > walk->bytes) {
        whole = walk->bytes / length;
        tail = walk->bytes - whole * length;
    }
    copy_blocks(walk, at, length, whole, step->stride, mode);
    took(walk, whole * length, mode);
    if (tail) {
        copy_blocks(walk, at + whole * (uintptr_t)step->stride, tail, 1, 0, mode);
        took(walk, tail, mode);
    }
}

/* The step of a program in which byte `position` of its data lies. */
static const struct pl_pack_step *step_at(const struct pl_program *program, size_t position)
{
    size_t low = 0, high = program->nsteps;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (program->steps[middle].before <= position)
            low = middle;
        else
            high = middle;
    }
    return &program->steps[low];
}

static void push(struct walk *walk, const struct pl_program *program, const struct pl_pack_step *step,
                 uintptr_t base)
{
    assert(walk->top < PL_PROGRAM_DEPTH);
    walk->stack[walk->top++] = (struct level){.step = step,
                                              .end = program->steps + program->nsteps,
                                              .base = base,
                                              .at = base + (uintptr_t)step->offset,
                                              .left = step->count};
}

/* Goes on to the next step of the current program, or of the innermost one that has a next. */
static void advance(struct walk *walk)
{
    while (walk->top) {
        struct level *level = &walk->stack[walk->top - 1];
        if (++level->step < level->end) {
            level->at = level->base + (uintptr_t)level->step->offset;
            level->left = level->step->count;
            return;
        }
        walk->top--;
        if (walk->top && walk->stack[walk->top - 1].left)
            return;
    }
}

/* Goes down to byte `position` of the program at `base` and copies the rest of the blocks of that step. */
static inline __attribute__((always_inline)) void
enter_at(struct walk *walk, const struct pl_program *program, uintptr_t base, size_t position, enum mode mode)
{
    for (;;) {
        const struct pl_pack_step *step = step_at(program, position);
        push(walk, program, step, base);
        position -= step->before;
        struct level *level = &walk->stack[walk->top - 1];
        if (!step->body) {
            copy_step(walk, step, level->at, position, mode);
            advance(walk);
            return;
        }
        size_t round = position / step->length;
        base = level->at + round * (uintptr_t)step->stride;
        level->at = base + (uintptr_t)step->stride;
        level->left = step->count - round - 1;
        position -= round * step->length;
        program = step->body;
    }
}

/* Copies the data of one element from byte `position` of it on. */
static inline __attribute__((always_inline)) void walk_element(struct walk *walk,
                                                               const struct pl_program *program,
                                                               uintptr_t element, size_t position,
                                                               enum mode mode)
{
    walk->top = 0;
    enter_at(walk, program, element, position, mode);
    while (walk->bytes && walk->top) {
        struct level *level = &walk->stack[walk->top - 1];
        const struct pl_pack_step *step = level->step;
        if (!step->body) {
            copy_step(walk, step, level->at, 0, mode);
            advance(walk);
        } else {
            uintptr_t base = level->at;
            level->at += (uintptr_t)step->stride;
            level->left--;
            push(walk, step->body, step->body->steps, base);
        }
    }
}

static inline __attribute__((always_inline)) void walk_all(const struct pl_datatype *type, size_t position,
                                                           uintptr_t buffer, char *packed, size_t bytes,
                                                           enum mode mode, pl_strip_fn *strip, void *context)
{
    const struct pl_program *program = type->program;
    if (!bytes)
        return;
    struct walk walk;
    walk.packed = packed;
    walk.bytes = bytes;
    walk.strip = strip;
    walk.context = context;
    if (!program) {
        copy_blocks(&walk, buffer + position, bytes, 1, 0, mode);
        return;
    }
    size_t element = position / type->size;
    position -= element * type->size;
    buffer += element * (uintptr_t)type->extent;
    if (program->depth == 1 && program->nsteps == 1 &&
        program->steps[0].count == 1) { /* the elements themselves have one stride */
        struct pl_pack_step rows = program->steps[0];
        rows.stride = type->extent;
        rows.count = (position + bytes + type->size - 1) / type->size;
        copy_step(&walk, &rows, buffer + (uintptr_t)rows.offset, position, mode);
        return;
    }
    for (; walk.bytes; buffer += (uintptr_t)type->extent, position = 0) {
        if (program->depth > 1 || position)
            walk_element(&walk, program, buffer, position, mode);
        else
            for (size_t i = 0; i < program->nsteps && walk.bytes; i++)
                copy_step(&walk, &program->steps[i], buffer + (uintptr_t)program->steps[i].offset, 0, mode);
    }
}

void pl_pack(const struct pl_datatype *type, size_t position, const void *buffer, void *out, size_t bytes)
{
    walk_all(type, position, (uintptr_t)buffer, out, bytes, PACK, NULL, NULL);
}

void pl_unpack(const struct pl_datatype *type, size_t position, void *buffer, const void *in, size_t bytes)
{
    walk_all(type, position, (uintptr_t)buffer, (char *)(uintptr_t)in, bytes, UNPACK, NULL, NULL);
}

void pl_pack_strips(const struct pl_datatype *type, size_t position, const void *buffer, size_t bytes,
                    pl_strip_fn *strip, void *context)
{
    walk_all(type, position, (uintptr_t)buffer, NULL, bytes, LIST, strip, context);
}
