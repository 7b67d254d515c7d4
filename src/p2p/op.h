/* Reduction operators (MPI 4.1, section 6.9). */
#ifndef PL_OP_H
#define PL_OP_H

#include "datatype.h"
#include "memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pl_rank;

enum pl_op_kind {
    PL_OP_SUM,
    PL_OP_MIN,
    PL_OP_MAX,
    PL_OP_PROD,
    PL_OP_BAND,
    PL_OP_BOR,
    PL_OP_BXOR,
    PL_OP_LAND,
    PL_OP_LOR,
    PL_OP_LXOR,
    PL_OP_MINLOC,
    PL_OP_MAXLOC,
    PL_OP_REPLACE,
    PL_OP_NO_OP,
    PL_OP_USER,
    PL_OP_KINDS
};

/* A user's function: inout[i] = in[i] op inout[i], `count` elements; `in` is of the lower rank. */
typedef void pl_user_function(void *in, void *inout, int *count, uintptr_t *datatype_handle);
/* The same with an MPI_Count, from MPI_Op_create_c. */
typedef void pl_user_function_c(void *in, void *inout, int64_t *count, uintptr_t *datatype_handle);

struct pl_op {
    enum pl_op_kind kind;
    bool commutative;
    pl_user_function *function;     /* PL_OP_USER; takes MPI_Datatype *, here as its value */
    pl_user_function_c *function_c; /* or this one, when function is NULL */
    const char *name;               /* "MPI_SUM" */
    int references;                 /* of a user's; predefined ones are constants, never counted */
};

/* The predefined operator with this handle value (0x021..0x03d), or NULL. */
const struct pl_op *pl_op_predefined(uintptr_t handle);

/* Whether the operator is defined for the type (MPI 4.1, table in 6.9.2). User operators: always.
 * MPI_REPLACE and MPI_NO_OP, which the standard has for one-sided calls only: every predefined type. */
bool pl_op_defined(const struct pl_op *op, const struct pl_datatype *type);

/* out[i] = left[i] op right[i] for `count` elements. `left` comes from the lower
 * ranks. out may be left or right itself (the same address), overlap neither, or begin before one
 * that it overlaps: a reduce_scatter in place moves its block to the front.
 * No alignment is assumed, but by a user's function. Precondition: pl_op_defined.
 *
 * Integers wrap around. MIN and MAX of floating point: a NaN on either side is
 * the result, so that no order of reduction hides it; of -0 and +0 either.
 * MINLOC and MAXLOC: of equal values the lower index; a NaN counts as the most
 * extreme value. Logical results are 0 or 1; any non-zero operand is true.
 * float16 and bfloat16 are computed in float and rounded to nearest even.
 *
 * Returns 0; or PL_ENOMEM, which only a user's operator on elements over 4 KiB
 * with out == left can meet: it needs memory for one of them. */
int pl_op_apply(const struct pl_op *op, const struct pl_datatype *type, const void *left, const void *right,
                void *out, size_t count);

/* The driver's loop that does the same on its memory at `address`; NULL: there is none. */
const void *pl_op_device_kernel(struct pl_memory *memory, const void *address, const struct pl_op *op,
                                const struct pl_datatype *type);
/* inout = in op inout, wherever the two are: host or the rank's driver's memory. Waits. 0 or an error. */
int pl_reduce_any(struct pl_rank *rank, const struct pl_op *op, const struct pl_datatype *type,
                  const void *in, void *inout, size_t count);
/* Its name, "sum_f32"; false: it has none. */
enum { PL_OP_DEVICE_NAME = 24 };
bool pl_op_device_name(const struct pl_op *op, enum pl_basic basic, char name[PL_OP_DEVICE_NAME]);

#endif
