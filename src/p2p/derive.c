/* Derived datatypes: made of parts, or of another type with other bounds. All of MPI's
 * constructors come down to these two; src/mpi remembers which it was.
 *
 * Bounds follow the standard's typemaps: each type has, beside its data, perhaps a mark
 * for the lower and one for the upper bound, which a resize sets; where a typemap has
 * such marks they alone decide. Without them the extent is rounded up to the strictest
 * alignment, as a C compiler pads a struct.
 */
#include "pack.h"
#include "signature.h"

#include "errors.h"

#include <stdlib.h>

/* What is known of the bounds while the parts are gone through. */
struct bounds {
    bool any, any_data, marked;
    ptrdiff_t lb, ub;
    ptrdiff_t data_lb, data_ub;
    size_t align;
};

static bool widen(ptrdiff_t *low, ptrdiff_t *high, bool any, ptrdiff_t from, ptrdiff_t to)
{
    if (!any || from < *low)
        *low = from;
    if (!any || to > *high)
        *high = to;
    return true;
}

/* Where the last of the part begins; false: out of range. */
static bool last_of(const struct pl_part *part, ptrdiff_t *last)
{
    ptrdiff_t way;
    return !__builtin_mul_overflow(part->stride, part->count - 1, &way) &&
           !__builtin_add_overflow(part->offset, way, last);
}

static bool include(struct bounds *bounds, const struct pl_part *part)
{
    const struct pl_datatype *type = part->type;
    ptrdiff_t last, ends[4];
    if (!part->count || (!type->size && !type->bounded))
        return true;
    if (!last_of(part, &last))
        return false;
    ptrdiff_t low = part->offset < last ? part->offset : last,
              high = part->offset < last ? last : part->offset;
    if (__builtin_add_overflow(low, type->lb, &ends[0]) ||
        __builtin_add_overflow(high, type->lb + type->extent, &ends[1]) ||
        __builtin_add_overflow(low, type->true_lb, &ends[2]) ||
        __builtin_add_overflow(high, type->true_lb + type->true_extent, &ends[3]))
        return false;
    if (type->size)
        bounds->any_data = widen(&bounds->data_lb, &bounds->data_ub, bounds->any_data, ends[2], ends[3]);
    if (type->align > bounds->align)
        bounds->align = type->align;
    if (bounds->marked && !type->bounded)
        return true;
    if (type->bounded && !bounds->marked)
        bounds->any = false;
    bounds->marked = type->bounded;
    bounds->any = widen(&bounds->lb, &bounds->ub, bounds->any, ends[0], ends[1]);
    return true;
}

static bool add_size(size_t *size, const struct pl_part *part)
{
    size_t bytes;
    return !__builtin_mul_overflow(part->count, part->type->size, &bytes) &&
           !__builtin_add_overflow(*size, bytes, size) && *size <= PTRDIFF_MAX;
}

static bool set_bounds(struct pl_datatype *type, const struct bounds *bounds)
{
    ptrdiff_t extent;
    if (__builtin_sub_overflow(bounds->ub, bounds->lb, &extent) ||
        __builtin_sub_overflow(bounds->data_ub, bounds->data_lb, &type->true_extent))
        return false;
    ptrdiff_t align = bounds->align ? (ptrdiff_t)bounds->align : 1;
    if (!bounds->marked && extent % align)
        extent += align - extent % align;
    type->lb = bounds->lb;
    type->extent = extent;
    type->true_lb = bounds->data_lb;
    type->align = (unsigned char)align;
    type->bounded = bounds->marked;
    return true;
}

static enum pl_basic common_basic(const struct pl_part *parts, size_t nparts)
{
    enum pl_basic basic = nparts ? parts[0].type->basic : PL_BASIC_NONE;
    for (size_t i = 1; i < nparts; i++)
        if (parts[i].type->basic != basic)
            return PL_BASIC_NONE;
    return basic;
}

static void settle(struct pl_datatype *type)
{
    const struct pl_program *program = type->program;
    bool block = program && program->nsteps == 1 && !program->steps[0].body && program->steps[0].count == 1;
    type->contiguous = !type->size || (block && type->lb == 0 && type->true_lb == 0 &&
                                       type->extent == (ptrdiff_t)type->size);
    if (type->contiguous) {
        pl_program_release(program);
        type->program = NULL;
    }
}

static int too_large(void)
{
    return pl_fail(PL_EARG, "the datatype would be larger than 2^63 bytes");
}

int pl_datatype_create(const struct pl_part *parts, size_t nparts, struct pl_datatype **made)
{
    struct bounds bounds = {0};
    size_t size = 0;
    for (size_t i = 0; i < nparts; i++)
        if (!include(&bounds, &parts[i]) || !add_size(&size, &parts[i]))
            return too_large();
    struct pl_datatype *type = calloc(1, sizeof *type);
    if (!type)
        return pl_fail(PL_ENOMEM, "no memory for a datatype");
    type->size = size;
    type->basic = common_basic(parts, nparts);
    type->name = "";
    type->references = 1;
    int error = set_bounds(type, &bounds) ? 0 : too_large();
    if (!error && size)
        error = pl_signature_create(parts, nparts, &type->signature);
    if (type->signature)
        type->content = type->signature->content;
    struct pl_program_builder builder = {0};
    for (size_t i = 0; i < nparts && !error; i++)
        pl_program_add(&builder, &parts[i]);
    if (!error && size)
        error = pl_program_build(&builder, &type->program);
    if (error) {
        pl_datatype_release(type);
        return error;
    }
    settle(type);
    *made = type;
    return 0;
}

/* A type of the same data. */
static int copy(const struct pl_datatype *type, struct pl_datatype **made)
{
    struct pl_part part = {.stride = type->extent, .count = 1, .type = type};
    return pl_datatype_create(&part, 1, made);
}

int pl_datatype_resize(const struct pl_datatype *type, ptrdiff_t lb, ptrdiff_t extent,
                       struct pl_datatype **made)
{
    struct pl_datatype *resized = NULL;
    ptrdiff_t ub;
    if (__builtin_add_overflow(lb, extent, &ub))
        return too_large();
    int error = copy(type, &resized);
    if (error)
        return error;
    if (lb == resized->lb && extent == resized->extent) { /* it stays in one piece, if it was */
        resized->bounded = true;
        *made = resized;
        return 0;
    }
    if (resized->contiguous && resized->size) {
        struct pl_program_builder builder = {0};
        pl_program_add(&builder, &(struct pl_part){.count = 1, .type = resized});
        error = pl_program_build(&builder, &resized->program);
        if (error) {
            pl_datatype_release(resized);
            return error;
        }
    }
    resized->lb = lb;
    resized->extent = extent;
    resized->bounded = true;
    settle(resized);
    *made = resized;
    return 0;
}

static struct pl_datatype *mutable(const struct pl_datatype *type)
{
    return (struct pl_datatype *)(uintptr_t)type;
}

void pl_datatype_hold(const struct pl_datatype *type)
{
    if (!type->predefined)
        mutable(type)->references++;
}

void pl_datatype_release(const struct pl_datatype *type)
{
    if (!type || type->predefined || --mutable(type)->references)
        return;
    struct pl_datatype *last = mutable(type);
    if (last->released)
        last->released(last);
    pl_program_release(last->program);
    pl_signature_release(last->signature);
    pl_datatype_release(last->packed_of);
    free(last);
}
