/* Packing: from data that lies as a datatype says to plain bytes, and back. */
#ifndef PL_PACK_H
#define PL_PACK_H

#include "datatype.h"
#include "memory.h"

enum {
    PL_PROGRAM_DEPTH = 100, /* no program is deeper: see program.c */
};

/* `count` blocks of `length` bytes, or as many rounds of another program. */
struct pl_pack_step {
    ptrdiff_t offset; /* of the first, from where the program is applied */
    ptrdiff_t stride; /* from one to the next */
    size_t count;
    size_t length;                 /* bytes of data in one */
    size_t before;                 /* bytes of data in the steps before this one */
    const struct pl_program *body; /* NULL: blocks */
};

/* Constant once made; shared by the types that contain it. */
struct pl_program {
    size_t size; /* bytes of data */
    size_t nsteps;
    unsigned depth; /* programs on the way to the deepest block, this one included */
    int references;
    struct pl_pack_step steps[];
};

/* Collects the steps of a program. Zero-initialise; an error sticks. */
struct pl_program_builder {
    struct pl_pack_step *steps;
    size_t nsteps, capacity, size;
    unsigned depth;
    bool no_memory;
};
/* Adds the data of a part; what touches or repeats is joined. */
void pl_program_add(struct pl_program_builder *builder, const struct pl_part *part);
/* The program, and the builder is empty again. PL_ENOMEM. */
int pl_program_build(struct pl_program_builder *builder, const struct pl_program **program);
void pl_program_hold(const struct pl_program *program);
void pl_program_release(const struct pl_program *program); /* accepts NULL */

/* Writes `bytes` bytes of the packed form of elements at `buffer`, from its byte `position` on, to `out`. Any
 * position may be asked for, in any order. The caller sees to it that there are enough elements. */
void pl_pack(const struct pl_datatype *type, size_t position, const void *buffer, void *out, size_t bytes);
/* The reverse: `in` holds the bytes from `position` on. Gaps are not touched. */
void pl_unpack(const struct pl_datatype *type, size_t position, void *buffer, const void *in, size_t bytes);

/* Lists what pl_pack would copy instead of copying it: blocks in strides, in the order of the packed form. */
typedef void pl_strip_fn(void *context, const struct pl_strip *strip);
void pl_pack_strips(const struct pl_datatype *type, size_t position, const void *buffer, size_t bytes,
                    pl_strip_fn *strip, void *context);

/* Whether `count` elements are one block of plain bytes; then *offset says where it begins. */
static inline bool pl_datatype_plain(const struct pl_datatype *type, size_t count, ptrdiff_t *offset)
{
    *offset = 0;
    if (type->contiguous || !count || !type->size)
        return true;
    const struct pl_program *program = type->program;
    *offset = type->true_lb;
    return program->nsteps == 1 && !program->steps[0].body && program->steps[0].count == 1 &&
           (count == 1 || type->extent == (ptrdiff_t)type->size);
}

#endif
