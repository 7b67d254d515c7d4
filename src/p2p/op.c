/* Reduction operators: which there are, for which types they are defined, and how
 * one is applied.
 *
 * The standard defines its operators for groups of types (MPI 4.1, table in 6.9.2);
 * `groups` is that table, and a little more: programs written with other libraries use
 * logical operators on every number, and MPI_CHAR as a small integer, which the standard
 * does not define. What is defined is found as a loop in op_kernels.c.
 * Two tables and one indirect call stand between a caller and the loop, so that
 * reducing 8 bytes stays cheap.
 *
 * A user's function computes inout = in op inout and knows two operands only. The
 * third is made by copying: `right` is copied to where the result shall be, or, when
 * the result overlaps `left`, through a small scratch on the stack, a part at a time.
 */
#include "op_kernels.h"
#include "op_user.h"

#include "errors.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Indexed by the handle's value - 0x20. */
static const struct pl_op operators[32] = {
    [0x01] = {.kind = PL_OP_SUM, .commutative = true, .name = "MPI_SUM"},
    [0x02] = {.kind = PL_OP_MIN, .commutative = true, .name = "MPI_MIN"},
    [0x03] = {.kind = PL_OP_MAX, .commutative = true, .name = "MPI_MAX"},
    [0x04] = {.kind = PL_OP_PROD, .commutative = true, .name = "MPI_PROD"},
    [0x08] = {.kind = PL_OP_BAND, .commutative = true, .name = "MPI_BAND"},
    [0x09] = {.kind = PL_OP_BOR, .commutative = true, .name = "MPI_BOR"},
    [0x0a] = {.kind = PL_OP_BXOR, .commutative = true, .name = "MPI_BXOR"},
    [0x10] = {.kind = PL_OP_LAND, .commutative = true, .name = "MPI_LAND"},
    [0x11] = {.kind = PL_OP_LOR, .commutative = true, .name = "MPI_LOR"},
    [0x12] = {.kind = PL_OP_LXOR, .commutative = true, .name = "MPI_LXOR"},
    [0x18] = {.kind = PL_OP_MINLOC, .commutative = true, .name = "MPI_MINLOC"},
    [0x19] = {.kind = PL_OP_MAXLOC, .commutative = true, .name = "MPI_MAXLOC"},
    [0x1c] = {.kind = PL_OP_REPLACE, .commutative = false, .name = "MPI_REPLACE"},
    [0x1d] = {.kind = PL_OP_NO_OP, .commutative = false, .name = "MPI_NO_OP"},
};

#define C_INTEGER       (1u << PL_TYPES_C_INTEGER)
#define FORTRAN_INTEGER (1u << PL_TYPES_FORTRAN_INTEGER)
#define FLOATING        (1u << PL_TYPES_FLOATING)
#define LOGICAL         (1u << PL_TYPES_LOGICAL)
#define COMPLEX         (1u << PL_TYPES_COMPLEX)
#define BYTE            (1u << PL_TYPES_BYTE)
#define MULTI_LANGUAGE  (1u << PL_TYPES_MULTI_LANGUAGE)
#define PAIR            (1u << PL_TYPES_PAIR)

static const unsigned groups[PL_OP_KINDS] = {
    [PL_OP_SUM] = C_INTEGER | FORTRAN_INTEGER | FLOATING | COMPLEX | MULTI_LANGUAGE,
    [PL_OP_PROD] = C_INTEGER | FORTRAN_INTEGER | FLOATING | COMPLEX | MULTI_LANGUAGE,
    [PL_OP_MIN] = C_INTEGER | FORTRAN_INTEGER | FLOATING | MULTI_LANGUAGE,
    [PL_OP_MAX] = C_INTEGER | FORTRAN_INTEGER | FLOATING | MULTI_LANGUAGE,
    [PL_OP_BAND] = C_INTEGER | FORTRAN_INTEGER | BYTE | MULTI_LANGUAGE,
    [PL_OP_BOR] = C_INTEGER | FORTRAN_INTEGER | BYTE | MULTI_LANGUAGE,
    [PL_OP_BXOR] = C_INTEGER | FORTRAN_INTEGER | BYTE | MULTI_LANGUAGE,
    [PL_OP_LAND] = C_INTEGER | LOGICAL | FORTRAN_INTEGER | FLOATING | MULTI_LANGUAGE,
    [PL_OP_LOR] = C_INTEGER | LOGICAL | FORTRAN_INTEGER | FLOATING | MULTI_LANGUAGE,
    [PL_OP_LXOR] = C_INTEGER | LOGICAL | FORTRAN_INTEGER | FLOATING | MULTI_LANGUAGE,
    [PL_OP_MINLOC] = PAIR,
    [PL_OP_MAXLOC] = PAIR,
};

const struct pl_op *pl_op_predefined(uintptr_t handle)
{
    if (handle < 0x20 || handle > 0x3f)
        return NULL;
    const struct pl_op *op = &operators[handle & 0x1f];
    return op->name ? op : NULL;
}

bool pl_op_defined(const struct pl_op *op, const struct pl_datatype *type)
{
    if (op->kind == PL_OP_USER)
        return true;
    if (!type->predefined)
        return false;
    if (op->kind == PL_OP_REPLACE || op->kind == PL_OP_NO_OP)
        return true;
    return groups[op->kind] >> type->group & 1 && pl_kernel_of(op->kind, type->basic);
}

void pl_op_call_user(const struct pl_op *op, const struct pl_datatype *type, const char *in, char *inout,
                     size_t count)
{
    while (count > 0) {
        uintptr_t handle = type->handle;
        void *operand = (void *)(uintptr_t)in;
        size_t part = count;
        if (op->function) {
            int n = part > INT_MAX ? INT_MAX : (int)part;
            part = (size_t)n;
            op->function(operand, inout, &n, &handle);
        } else {
            int64_t n = (int64_t)part;
            op->function_c(operand, inout, &n, &handle);
        }
        in += (ptrdiff_t)part * type->extent;
        inout += (ptrdiff_t)part * type->extent;
        count -= part;
    }
}

/* For a result that lies where the left operand does, or a little before it. Parts of the right operand are
 * copied to scratch, combined there and copied back. */
static int apply_user_by_scratch(const struct pl_op *op, const struct pl_datatype *type, const char *left,
                                 const char *right, char *out, size_t count)
{
    _Alignas(max_align_t) char small[4096];
    char *scratch = small;
    size_t extent = (size_t)type->extent;
    size_t part = extent ? sizeof small / extent : count;
    if (part == 0) {
        part = 1;
        scratch = malloc(extent);
        if (!scratch)
            return pl_fail(PL_ENOMEM, "no memory for one element of %s (%zu bytes) to apply operator %s to",
                           type->name ? type->name : "a derived datatype", extent,
                           op->name ? op->name : "of the user");
    }
    for (size_t done = 0; done < count; done += part) {
        if (part > count - done)
            part = count - done;
        ptrdiff_t offset = (ptrdiff_t)(done * extent);
        memcpy(scratch, right + offset + type->lb, part * extent);
        pl_op_call_user(op, type, left + offset, scratch - type->lb, part);
        memcpy(out + offset + type->lb, scratch, part * extent);
    }
    if (scratch != small)
        free(scratch);
    return 0;
}

static int apply_user(const struct pl_op *op, const struct pl_datatype *type, const char *left,
                      const char *right, char *out, size_t count)
{
    if (type->packed_of)
        return pl_op_apply_packed(op, type, left, right, out, count);
    assert(type->extent >= 0);
    size_t bytes = count * (size_t)type->extent;
    if (out != right && out <= left && bytes > (size_t)(left - out))
        return apply_user_by_scratch(op, type, left, right, out, count);
    if (out != right)
        memmove(out + type->lb, right + type->lb, bytes);
    pl_op_call_user(op, type, left, out, count);
    return 0;
}

int pl_op_apply(const struct pl_op *op, const struct pl_datatype *type, const void *left, const void *right,
                void *out, size_t count)
{
    assert(pl_op_defined(op, type));
    if (count == 0)
        return 0;
    if (op->kind == PL_OP_USER)
        return apply_user(op, type, left, right, out, count);
    if (op->kind == PL_OP_REPLACE || op->kind == PL_OP_NO_OP) {
        const void *kept = op->kind == PL_OP_REPLACE ? right : left;
        if (kept != out)
            memcpy(out, kept, count * (size_t)type->extent);
        return 0;
    }
    pl_kernel_of(op->kind, type->basic)(left, right, out, count);
    return 0;
}
