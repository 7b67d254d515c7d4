/* Predefined operators as plain loops, one function per operator and way of
 * holding a number.
 *
 * KERNEL writes such a function from an expression of a (from left) and b (from
 * right); FOR_... write it for each type of a family; the table at the end says
 * which function serves which operator and kind. The compiler vectorises the loops
 * (PL_INDEPENDENT), and beyond the first cache level they run at the speed of a
 * copy, so nothing here is written by hand for one CPU (float16 is: op_half.c).
 *
 * Sums and products of integers are computed unsigned: they wrap and are the same
 * bits for signed types. Complex products are the schoolbook formula: C's own
 * multiplication also repairs infinities, ten times slower, and cannot be vectorised.
 *
 * Rejected: a loop each for out == left, out == right and neither, with restrict
 * pointers: three times the code for the same loads and stores. target_clones: it
 * pays only within the first cache level, and its resolvers run before the
 * sanitizers are up.
 */
#include "op_kernels.h"

#include <string.h>

typedef int8_t i8;
typedef int16_t i16 PL_ANYWHERE;
typedef int32_t i32 PL_ANYWHERE;
typedef int64_t i64 PL_ANYWHERE;
typedef __int128 i128 PL_ANYWHERE;
typedef uint8_t u8;
typedef uint16_t u16 PL_ANYWHERE;
typedef uint32_t u32 PL_ANYWHERE;
typedef uint64_t u64 PL_ANYWHERE;
typedef unsigned __int128 u128 PL_ANYWHERE;
typedef float f32 PL_ANYWHERE;
typedef double f64 PL_ANYWHERE;
typedef long double f80 PL_ANYWHERE;
#ifdef __SIZEOF_FLOAT128__
typedef __float128 f128 PL_ANYWHERE;
#else
typedef long double f128 PL_ANYWHERE; /* where long double is IEEE quadruple already */
#endif

#define KERNEL(name, type, expression)                                                                       \
    static void name(const void *left, const void *right, void *out, size_t count)                           \
    {                                                                                                        \
        const type *l = left, *r = right;                                                                    \
        type *o = out;                                                                                       \
        PL_INDEPENDENT                                                                                       \
        for (size_t i = 0; i < count; i++) {                                                                 \
            type a = l[i], b = r[i];                                                                         \
            o[i] = (type)(expression);                                                                       \
        }                                                                                                    \
    }

#define FOR_UNSIGNED(op, expression)                                                                         \
    KERNEL(op##_u8, u8, expression)                                                                          \
    KERNEL(op##_u16, u16, expression)                                                                        \
    KERNEL(op##_u32, u32, expression)                                                                        \
    KERNEL(op##_u64, u64, expression)

/* What is the same for signed and unsigned, by width only. */
#define FOR_WIDTHS(op, expression)                                                                           \
    FOR_UNSIGNED(op, expression)                                                                             \
    KERNEL(op##_u128, u128, expression)

#define FOR_SIGNED(op, expression)                                                                           \
    KERNEL(op##_i8, i8, expression)                                                                          \
    KERNEL(op##_i16, i16, expression)                                                                        \
    KERNEL(op##_i32, i32, expression)                                                                        \
    KERNEL(op##_i64, i64, expression)                                                                        \
    KERNEL(op##_i128, i128, expression)

#define FOR_FLOATING(op, expression)                                                                         \
    KERNEL(op##_f32, f32, expression)                                                                        \
    KERNEL(op##_f64, f64, expression)                                                                        \
    KERNEL(op##_f80, f80, expression)                                                                        \
    KERNEL(op##_f128, f128, expression)

/* 1u first: a product of two u16 would be computed in int and could overflow it. */
FOR_WIDTHS(sum, a + b)
FOR_WIDTHS(prod, 1u * a * b)
FOR_FLOATING(sum, a + b)
FOR_FLOATING(prod, (a * b))

/* a != a: a is NaN. When b is, both comparisons fail and b is taken. */
FOR_UNSIGNED(min, a < b ? a : b)
FOR_UNSIGNED(max, a > b ? a : b)
FOR_SIGNED(min, a < b ? a : b)
FOR_SIGNED(max, a > b ? a : b)
FOR_FLOATING(min, a < b || a != a ? a : b)
FOR_FLOATING(max, a > b || a != a ? a : b)

FOR_WIDTHS(band, (a & b))
FOR_WIDTHS(bor, a | b)
FOR_WIDTHS(bxor, a ^ b)
FOR_WIDTHS(land, (a != 0) & (b != 0))
FOR_WIDTHS(lor, (a != 0) | (b != 0))
FOR_WIDTHS(lxor, (a != 0) ^ (b != 0))
FOR_FLOATING(land, (a != 0) & (b != 0))
FOR_FLOATING(lor, (a != 0) | (b != 0))
FOR_FLOATING(lxor, (a != 0) ^ (b != 0))

/* A complex number is its real part followed by its imaginary part. */
#define COMPLEX(suffix, type)                                                                                \
    static void sum_complex_##suffix(const void *left, const void *right, void *out, size_t count)           \
    {                                                                                                        \
        sum_##suffix(left, right, out, 2 * count);                                                           \
    }                                                                                                        \
    static void prod_complex_##suffix(const void *left, const void *right, void *out, size_t count)          \
    {                                                                                                        \
        const type *l = left, *r = right;                                                                    \
        type *o = out;                                                                                       \
        PL_INDEPENDENT                                                                                       \
        for (size_t i = 0; i < count; i++) {                                                                 \
            type a = l[2 * i], ai = l[2 * i + 1], b = r[2 * i], bi = r[2 * i + 1];                           \
            o[2 * i] = a * b - ai * bi;                                                                      \
            o[2 * i + 1] = a * bi + ai * b;                                                                  \
        }                                                                                                    \
    }

COMPLEX(f32, f32)
COMPLEX(f64, f64)
COMPLEX(f80, f80)
COMPLEX(f128, f128)

/* Pairs lie as C structs. a_first: the expression is true where a's value comes
 * before b's. A NaN comes before every number, whichever way one goes. */
#define BEFORE(x, y, before)        ((x)before(y))
#define BEFORE_OR_NAN(x, y, before) ((x)before(y) || ((x) != (x) && (y) == (y)))

#define LOCATE(name, value_type, index_type, BEFORE, before)                                                 \
    static void name(const void *left, const void *right, void *out, size_t count)                           \
    {                                                                                                        \
        struct pair {                                                                                        \
            value_type value;                                                                                \
            index_type index;                                                                                \
        } a, b;                                                                                              \
        for (size_t i = 0; i < count; i++) {                                                                 \
            memcpy(&a, (const char *)left + i * sizeof a, sizeof a);                                         \
            memcpy(&b, (const char *)right + i * sizeof b, sizeof b);                                        \
            bool b_first = BEFORE(b.value, a.value, before);                                                 \
            bool tie = !b_first && !BEFORE(a.value, b.value, before);                                        \
            if (b_first || (tie && b.index < a.index))                                                       \
                a = b;                                                                                       \
            memcpy((char *)out + i * sizeof a, &a, sizeof a);                                                \
        }                                                                                                    \
    }

#define LOCATE_BOTH(suffix, value_type, index_type, BEFORE)                                                  \
    LOCATE(minloc_##suffix, value_type, index_type, BEFORE, <)                                               \
    LOCATE(maxloc_##suffix, value_type, index_type, BEFORE, >)

LOCATE_BOTH(float_int, float, int, BEFORE_OR_NAN)
LOCATE_BOTH(double_int, double, int, BEFORE_OR_NAN)
LOCATE_BOTH(long_double_int, long double, int, BEFORE_OR_NAN)
LOCATE_BOTH(long_int, long, int, BEFORE)
LOCATE_BOTH(int_int, int, int, BEFORE)
LOCATE_BOTH(short_int, short, int, BEFORE)
LOCATE_BOTH(float_float, float, float, BEFORE_OR_NAN)
LOCATE_BOTH(double_double, double, double, BEFORE_OR_NAN)

/* clang-format off */
#define UNSIGNED(op) \
    [PL_BASIC_UINT8] = op##_u8, [PL_BASIC_UINT16] = op##_u16, \
    [PL_BASIC_UINT32] = op##_u32, [PL_BASIC_UINT64] = op##_u64
#define SIGNED(op, s) \
    [PL_BASIC_INT8] = op##_##s##8, [PL_BASIC_INT16] = op##_##s##16, [PL_BASIC_INT32] = op##_##s##32, \
    [PL_BASIC_INT64] = op##_##s##64, [PL_BASIC_INT128] = op##_##s##128
#define FLOATING(op) \
    [PL_BASIC_FLOAT] = op##_f32, [PL_BASIC_DOUBLE] = op##_f64, \
    [PL_BASIC_LONG_DOUBLE] = op##_f80, [PL_BASIC_FLOAT128] = op##_f128
#define COMPLEXES(op) \
    [PL_BASIC_COMPLEX_FLOAT] = op##_complex_f32, [PL_BASIC_COMPLEX_DOUBLE] = op##_complex_f64, \
    [PL_BASIC_COMPLEX_LONG_DOUBLE] = op##_complex_f80, [PL_BASIC_COMPLEX_FLOAT128] = op##_complex_f128
#define LOGICALS(op) \
    [PL_BASIC_BOOL] = op##_u8, [PL_BASIC_LOGICAL8] = op##_u8, [PL_BASIC_LOGICAL16] = op##_u16, \
    [PL_BASIC_LOGICAL32] = op##_u32, [PL_BASIC_LOGICAL64] = op##_u64, [PL_BASIC_LOGICAL128] = op##_u128
#define PAIRS(op) \
    [PL_BASIC_FLOAT_INT] = op##_float_int, [PL_BASIC_DOUBLE_INT] = op##_double_int, \
    [PL_BASIC_LONG_INT] = op##_long_int, [PL_BASIC_INT_INT] = op##_int_int, \
    [PL_BASIC_SHORT_INT] = op##_short_int, [PL_BASIC_LONG_DOUBLE_INT] = op##_long_double_int, \
    [PL_BASIC_FLOAT_FLOAT] = op##_float_float, [PL_BASIC_DOUBLE_DOUBLE] = op##_double_double

static pl_kernel *const kernels[PL_OP_KINDS][PL_BASIC_COUNT] = {
    [PL_OP_SUM] = {UNSIGNED(sum), SIGNED(sum, u), FLOATING(sum), COMPLEXES(sum)},
    [PL_OP_PROD] = {UNSIGNED(prod), SIGNED(prod, u), FLOATING(prod), COMPLEXES(prod)},
    [PL_OP_MIN] = {UNSIGNED(min), SIGNED(min, i), FLOATING(min)},
    [PL_OP_MAX] = {UNSIGNED(max), SIGNED(max, i), FLOATING(max)},
    [PL_OP_BAND] = {UNSIGNED(band), SIGNED(band, u), [PL_BASIC_BYTE] = band_u8},
    [PL_OP_BOR] = {UNSIGNED(bor), SIGNED(bor, u), [PL_BASIC_BYTE] = bor_u8},
    [PL_OP_BXOR] = {UNSIGNED(bxor), SIGNED(bxor, u), [PL_BASIC_BYTE] = bxor_u8},
    [PL_OP_LAND] = {UNSIGNED(land), SIGNED(land, u), FLOATING(land), LOGICALS(land)},
    [PL_OP_LOR] = {UNSIGNED(lor), SIGNED(lor, u), FLOATING(lor), LOGICALS(lor)},
    [PL_OP_LXOR] = {UNSIGNED(lxor), SIGNED(lxor, u), FLOATING(lxor), LOGICALS(lxor)},
    [PL_OP_MINLOC] = {PAIRS(minloc)},
    [PL_OP_MAXLOC] = {PAIRS(maxloc)},
};
/* clang-format on */

pl_kernel *pl_kernel_of(enum pl_op_kind kind, enum pl_basic basic)
{
    if (basic == PL_BASIC_FLOAT16 || basic == PL_BASIC_BFLOAT16 || basic == PL_BASIC_COMPLEX_FLOAT16)
        return pl_half_kernel_of(kind, basic, pl_half_has_avx2());
    return kernels[kind][basic];
}
