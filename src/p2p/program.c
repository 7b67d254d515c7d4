/* Programs: the data of a datatype as a list of steps, made once with the type.
 *
 *   vector(3, 1, 2) of double     one step:   3 blocks of 8 bytes, 16 apart
 *   4 of these, 100 bytes apart   one step:   4 rounds of the program above, 100 apart
 *   { int; 2 doubles }            two steps:  1 block of 4, 1 block of 16
 *
 * A step that touches the one before, or goes on in its stride, is joined to it, so that
 * most types end with one step or one per row. A program that is part of another is not
 * copied but shared: a type made of a type made of a type costs what it adds, even where
 * written out it would have 2^60 blocks. Only a small one that comes just once is copied.
 *
 * How deep programs nest is bounded, so that packing needs no memory of its own: rounds of two
 * and more double the size, which ends after 62 levels; from half the depth on, what comes just
 * once is copied however long it is.
 *
 * Rejected: a tree of the constructors, walked each time. It has a level for each call
 * that the user made, and every block pays for all of them.
 */
#include "pack.h"

#include "errors.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    COPIED_STEPS = 8, /* a program of up to as many steps that comes once is copied */
    FREE_DEPTH = 32,
};

static struct pl_pack_step *last(struct pl_program_builder *builder)
{
    return builder->nsteps ? &builder->steps[builder->nsteps - 1] : NULL;
}

static void append(struct pl_program_builder *builder, struct pl_pack_step step)
{
    if (builder->nsteps == builder->capacity) {
        size_t capacity = builder->capacity ? builder->capacity * 2 : 4;
        struct pl_pack_step *steps = realloc(builder->steps, capacity * sizeof *steps);
        if (!steps) {
            builder->no_memory = true;
            return;
        }
        builder->steps = steps;
        builder->capacity = capacity;
    }
    builder->steps[builder->nsteps++] = step;
    if (step.body) {
        pl_program_hold(step.body);
        if (builder->depth < step.body->depth)
            builder->depth = step.body->depth;
    }
}

/* Joins blocks to the step before them where they go on with it. */
static bool joined(struct pl_pack_step *before, const struct pl_pack_step *step)
{
    if (!before || before->body)
        return false;
    ptrdiff_t distance = step->offset - before->offset;
    if (before->count == 1 && step->count == 1 && distance == (ptrdiff_t)before->length) {
        before->length += step->length;
        return true;
    }
    if (before->length != step->length)
        return false;
    ptrdiff_t stride = before->count > 1 ? before->stride : step->count > 1 ? step->stride : distance;
    if (distance != (ptrdiff_t)before->count * stride || (step->count > 1 && step->stride != stride))
        return false;
    before->stride = stride;
    before->count += step->count;
    return true;
}

static void add_blocks(struct pl_program_builder *builder, struct pl_pack_step step)
{
    if (step.count > 1 && step.stride == (ptrdiff_t)step.length) {
        step.length *= step.count;
        step.count = 1;
    }
    builder->size += step.count * step.length;
    if (!joined(last(builder), &step))
        append(builder, step);
}

/* Blocks in the rounds of a part that are blocks of the part themselves. */
static bool flattened(struct pl_pack_step *step, const struct pl_part *part)
{
    step->offset += part->offset;
    if (part->count == 1)
        return true;
    if (step->count > 1 && part->stride != (ptrdiff_t)step->count * step->stride)
        return false;
    if (step->count == 1)
        step->stride = part->stride;
    step->count *= part->count;
    return true;
}

static void copy_steps(struct pl_program_builder *builder, const struct pl_program *program, ptrdiff_t offset)
{
    for (size_t i = 0; i < program->nsteps; i++) {
        struct pl_pack_step step = program->steps[i];
        step.offset += offset;
        if (step.body) {
            builder->size += step.count * step.length;
            append(builder, step);
        } else {
            add_blocks(builder, step);
        }
    }
}

void pl_program_add(struct pl_program_builder *builder, const struct pl_part *part)
{
    const struct pl_datatype *type = part->type;
    const struct pl_program *program = type->program;
    if (!part->count || !type->size)
        return;
    if (!program || (program->nsteps == 1 && !program->steps[0].body)) {
        struct pl_pack_step step =
            program ? program->steps[0] : (struct pl_pack_step){.count = 1, .length = type->size};
        if (flattened(&step, part)) {
            add_blocks(builder, step);
            return;
        }
    }
    if (part->count == 1 && (program->nsteps <= COPIED_STEPS || program->depth >= FREE_DEPTH)) {
        copy_steps(builder, program, part->offset);
        return;
    }
    builder->size += part->count * program->size;
    append(builder, (struct pl_pack_step){.offset = part->offset,
                                          .stride = part->stride,
                                          .count = part->count,
                                          .length = program->size,
                                          .body = program});
}

static void discard(struct pl_program_builder *builder)
{
    for (size_t i = 0; i < builder->nsteps; i++)
        pl_program_release(builder->steps[i].body);
    free(builder->steps);
    *builder = (struct pl_program_builder){0};
}

int pl_program_build(struct pl_program_builder *builder, const struct pl_program **program)
{
    size_t bytes = builder->nsteps * sizeof(struct pl_pack_step);
    struct pl_program *made = builder->no_memory ? NULL : malloc(sizeof *made + bytes);
    if (!made) {
        discard(builder);
        return pl_fail(PL_ENOMEM, "no memory for a datatype");
    }
    *made = (struct pl_program){
        .size = builder->size, .nsteps = builder->nsteps, .depth = builder->depth + 1, .references = 1};
    assert(made->depth < PL_PROGRAM_DEPTH);
    size_t before = 0;
    for (size_t i = 0; i < made->nsteps; i++) {
        made->steps[i] = builder->steps[i];
        made->steps[i].before = before;
        before += made->steps[i].count * made->steps[i].length;
    }
    free(builder->steps);
    *builder = (struct pl_program_builder){0};
    *program = made;
    return 0;
}

/* Programs are constant but for their count of references. */
static struct pl_program *mutable(const struct pl_program *program)
{
    return (struct pl_program *)(uintptr_t)program;
}

/* Programs of predefined types are constants with no references, never counted. */
void pl_program_hold(const struct pl_program *program)
{
    if (program->references)
        mutable(program)->references++;
}

void pl_program_release(const struct pl_program *program)
{
    if (!program || !program->references || --mutable(program)->references)
        return;
    for (size_t i = 0; i < program->nsteps; i++)
        pl_program_release(program->steps[i].body);
    free(mutable(program));
}
