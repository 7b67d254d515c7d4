/* The loops behind predefined operators; op.c chooses among them. */
#ifndef PL_OP_KERNELS_H
#define PL_OP_KERNELS_H

#include "op.h"

/* out[i] = left[i] op right[i]. out is left, right, or overlaps neither; any alignment. */
typedef void pl_kernel(const void *left, const void *right, void *out, size_t count);

/* The loop for operator and basic kind, or NULL: there is none. */
pl_kernel *pl_kernel_of(enum pl_op_kind kind, enum pl_basic basic);

/* The same for float16, bfloat16 and float16 complex (op_half.c). `use_avx2`: by the
 * instructions that pl_half_has_avx2 must have found; else in plain C. */
pl_kernel *pl_half_kernel_of(enum pl_op_kind kind, enum pl_basic basic, bool use_avx2);
bool pl_half_has_avx2(void);

/* Says of the loop it precedes that no iteration depends on another. It holds for
 * out == left and out == right too, where each iteration reads before it writes:
 * so one loop serves all forms of aliasing, and is vectorised without a check. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wpass-failed" /* 128-bit and long double have no vectors */
#define PL_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define PL_INDEPENDENT _Pragma("GCC ivdep")
#endif

/* A type as it may lie in a user's buffer: at any address, stored under any name. */
#define PL_ANYWHERE __attribute__((aligned(1), may_alias))

#endif
