/* User operators on data with gaps. Reductions carry it packed (src/mpi/staging.c); the
 * user's function wants it as the type says. So some elements at a time are unpacked to
 * scratch that has the type's layout, combined there, and packed again. Gaps are zero.
 */
#include "op_user.h"
#include "pack.h"

#include "errors.h"

#include <stdlib.h>

enum { SCRATCH = 16 * 1024, ALIGNMENT = 64 };

/* Room for elements of the type: `address` is where the first one is. */
struct scratch {
    char *memory, *address;
};

/* The lowest byte of `count` elements, and how far they reach from there. */
static size_t reach(const struct pl_datatype *type, size_t count, ptrdiff_t *low)
{
    ptrdiff_t last = (ptrdiff_t)(count - 1) * type->extent;
    ptrdiff_t lb = type->lb < type->true_lb ? type->lb : type->true_lb;
    ptrdiff_t ub = type->lb + type->extent, true_ub = type->true_lb + type->true_extent;
    ub = ub > true_ub ? ub : true_ub;
    *low = lb + (last < 0 ? last : 0);
    return (size_t)(ub + (last > 0 ? last : 0) - *low);
}

/* As much aligned as any C type wants, whatever the lower bound. */
static bool scratch_init(struct scratch *scratch, const struct pl_datatype *type, size_t count)
{
    ptrdiff_t low;
    size_t bytes = reach(type, count, &low);
    scratch->memory = calloc(1, bytes + 2 * ALIGNMENT);
    uintptr_t address = (uintptr_t)scratch->memory - (uintptr_t)low;
    scratch->address = (char *)((address + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1));
    return scratch->memory != NULL;
}

int pl_op_apply_packed(const struct pl_op *op, const struct pl_datatype *type, const char *left,
                       const char *right, char *out, size_t count)
{
    const struct pl_datatype *wide = type->packed_of;
    struct scratch in = {NULL, NULL}, inout = {NULL, NULL};
    ptrdiff_t low;
    size_t part = SCRATCH / (reach(wide, 1, &low) + 1);
    part = part < 1 ? 1 : part > count ? count : part;
    int error = 0;
    if (!scratch_init(&in, wide, part) || !scratch_init(&inout, wide, part))
        error = pl_fail(PL_ENOMEM, "no memory to unpack the operands of a user's operator");
    for (size_t done = 0; done < count && !error; done += part) {
        part = part < count - done ? part : count - done;
        size_t at = done * type->size, bytes = part * type->size;
        pl_unpack(wide, 0, in.address, left + at, bytes);
        pl_unpack(wide, 0, inout.address, right + at, bytes);
        pl_op_call_user(op, wide, in.address, inout.address, part);
        pl_pack(wide, 0, inout.address, out + at, bytes);
    }
    free(in.memory);
    free(inout.memory);
    return error;
}
