/* What the files of user operators share. */
#ifndef PL_OP_USER_H
#define PL_OP_USER_H

#include "op.h"

/* inout = in op inout, in as many calls as the width of the function's count takes. */
void pl_op_call_user(const struct pl_op *op, const struct pl_datatype *type, const char *in, char *inout,
                     size_t count);

/* pl_op_apply on elements that are packed: type->packed_of says how the function wants them. 0 or PL_ENOMEM.
 */
int pl_op_apply_packed(const struct pl_op *op, const struct pl_datatype *type, const char *left,
                       const char *right, char *out, size_t count);

#endif
