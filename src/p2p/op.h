/* Reduction operators (MPI 4.1, section 6.9). */
#ifndef PL_OP_H
#define PL_OP_H

#include "datatype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

struct pl_op {
    enum pl_op_kind kind;
    bool commutative;
    pl_user_function *function; /* PL_OP_USER; takes MPI_Datatype *, here as its value */
    const char *name;           /* "MPI_SUM" */
    int references;
};

/* The predefined operator with this handle value (0x021..0x03d), or NULL. */
const struct pl_op *pl_op_predefined(uintptr_t handle);

/* Whether the operator is defined for the type (MPI 4.1, table in 6.9.2; user operators: always). */
bool pl_op_defined(const struct pl_op *op, const struct pl_datatype *type);

/* out[i] = left[i] op right[i] for `count` elements. `left` comes from the lower
 * ranks. out may be left or right itself (the same address) or overlap neither.
 * No alignment is assumed. Precondition: pl_op_defined. */
void pl_op_apply(const struct pl_op *op, const struct pl_datatype *type, const void *left, const void *right,
                 void *out, size_t count);

#endif
