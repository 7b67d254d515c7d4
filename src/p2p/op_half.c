/* Operators on 16-bit floating point: float16 (IEEE binary16) and bfloat16 (the
 * upper half of a binary32). For sum and product each element is widened to float,
 * computed there and rounded once, to nearest even; so a sum of two is correctly
 * rounded. Minimum and maximum never leave the 16 bits: read as integers, with the
 * magnitude turned round below zero, they are in the order of their values.
 *
 * bfloat16 goes two elements at a time in one 32-bit lane: the upper one is a float
 * once the lower half is masked off, the lower one after a shift by 16. No packing
 * between lane widths is needed, which is where compilers lose most of the time.
 *
 *      lane  | hi (16) | lo (16) |     float(hi) = lane & 0xffff0000
 *                                      float(lo) = lane << 16
 *
 * float16 is converted by the CPU where it can (x86 F16C: one instruction for eight
 * elements), else by integer arithmetic: both give the same bits, which the tests
 * check. Sums and products are compiled for AVX2 besides; the choice is made per
 * call from what the CPU says of itself (every x86 CPU with AVX2 has F16C). Rejected:
 * _Float16, which clang 14 has not on x86 and gcc computes by a call each.
 */
#include "op_kernels.h"

#include <string.h>

#define BASELINE
#if defined(__x86_64__)
#include <immintrin.h>
#define AVX2 __attribute__((target("avx2,f16c")))
#else
#define AVX2
#endif

typedef uint16_t u16 PL_ANYWHERE;
typedef uint32_t u32 PL_ANYWHERE;

static inline float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The exponent is moved to float's place and 112 is added to it by a multiplication,
 * which also makes a normal number of a subnormal one; all ones there stay all ones. */
static inline float widen(uint16_t half)
{
    uint32_t magnitude = half & 0x7fffu;
    uint32_t finite = bits_of_float(float_of_bits(magnitude << 13) * 0x1p112f);
    uint32_t special = 0x7f800000u | (magnitude << 13);
    return float_of_bits((magnitude >= 0x7c00u ? special : finite) | (uint32_t)(half & 0x8000u) << 16);
}

/* Normal numbers round by an addition below the cut, whose carry may run into the
 * exponent, up to infinity. Subnormal ones round as the float unit adds 0.5, whose
 * last bit is worth just what float16's last subnormal bit is. */
static inline uint16_t narrow(float value)
{
    uint32_t bits = bits_of_float(value), magnitude = bits & 0x7fffffffu;
    uint32_t normal = (magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
    uint32_t small = bits_of_float(float_of_bits(magnitude) + 0.5f) - bits_of_float(0.5f);
    uint32_t nan = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
    uint32_t half = magnitude < (113u << 23) ? small : normal;
    half = magnitude >= (143u << 23) ? 0x7c00u : half;
    half = magnitude > (255u << 23) ? nan : half;
    return (uint16_t)(half | (bits >> 16 & 0x8000u));
}

#define PLAIN(name, expression)                                                                              \
    static void name(const void *left, const void *right, void *out, size_t count)                           \
    {                                                                                                        \
        const u16 *l = left, *r = right;                                                                     \
        u16 *o = out;                                                                                        \
        PL_INDEPENDENT                                                                                       \
        for (size_t i = 0; i < count; i++) {                                                                 \
            float a = widen(l[i]), b = widen(r[i]);                                                          \
            o[i] = narrow(expression);                                                                       \
        }                                                                                                    \
    }

PLAIN(sum_plain, a + b)
PLAIN(prod_plain, (a * b))

static void sum_complex_plain(const void *left, const void *right, void *out, size_t count)
{
    sum_plain(left, right, out, 2 * count);
}

static void prod_complex(const void *left, const void *right, void *out, size_t count)
{
    const u16 *l = left, *r = right;
    u16 *o = out;
    PL_INDEPENDENT
    for (size_t i = 0; i < count; i++) {
        float a = widen(l[2 * i]), ai = widen(l[2 * i + 1]);
        float b = widen(r[2 * i]), bi = widen(r[2 * i + 1]);
        o[2 * i] = narrow(a * b - ai * bi);
        o[2 * i + 1] = narrow(a * bi + ai * b);
    }
}

#if defined(__x86_64__)

/* The last elements, fewer than eight, are done in a padded copy. */
#define BY_F16C(name, expression)                                                                            \
    AVX2 static inline __m128i name##_eight(__m128i x, __m128i y)                                            \
    {                                                                                                        \
        __m256 a = _mm256_cvtph_ps(x), b = _mm256_cvtph_ps(y);                                               \
        return _mm256_cvtps_ph(expression, _MM_FROUND_TO_NEAREST_INT);                                       \
    }                                                                                                        \
    AVX2 static void name(const void *left, const void *right, void *out, size_t count)                      \
    {                                                                                                        \
        const u16 *l = left, *r = right;                                                                     \
        u16 *o = out;                                                                                        \
        size_t i = 0;                                                                                        \
        for (; i + 8 <= count; i += 8) {                                                                     \
            __m128i x = _mm_loadu_si128((const void *)(l + i));                                              \
            __m128i y = _mm_loadu_si128((const void *)(r + i));                                              \
            _mm_storeu_si128((void *)(o + i), name##_eight(x, y));                                           \
        }                                                                                                    \
        if (i < count) {                                                                                     \
            __m128i x = _mm_setzero_si128(), y = x;                                                          \
            memcpy(&x, l + i, (count - i) * sizeof *l);                                                      \
            memcpy(&y, r + i, (count - i) * sizeof *r);                                                      \
            x = name##_eight(x, y);                                                                          \
            memcpy(o + i, &x, (count - i) * sizeof *o);                                                      \
        }                                                                                                    \
    }

BY_F16C(sum_f16c, _mm256_add_ps(a, b))
BY_F16C(prod_f16c, _mm256_mul_ps(a, b))

static void sum_complex_f16c(const void *left, const void *right, void *out, size_t count)
{
    sum_f16c(left, right, out, 2 * count);
}

bool pl_half_has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

#else

#define sum_f16c         sum_plain
#define prod_f16c        prod_plain
#define sum_complex_f16c sum_complex_plain

bool pl_half_has_avx2(void)
{
    return false;
}

#endif

/* The float, rounded to the 16 bits that a bfloat16 has, in the upper half of a lane. */
static inline uint32_t round_bfloat(float value)
{
    uint32_t bits = bits_of_float(value);
    uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
    return (value != value ? bits | 0x00400000u : rounded) & 0xffff0000u;
}

#define BFLOAT(name, target, expression)                                                                     \
    target static inline float name##_one(float a, float b)                                                  \
    {                                                                                                        \
        return expression;                                                                                   \
    }                                                                                                        \
    target static void name(const void *left, const void *right, void *out, size_t count)                    \
    {                                                                                                        \
        const u32 *l = left, *r = right;                                                                     \
        u32 *o = out;                                                                                        \
        PL_INDEPENDENT                                                                                       \
        for (size_t i = 0; i < count / 2; i++) {                                                             \
            uint32_t x = l[i], y = r[i];                                                                     \
            float low = name##_one(float_of_bits(x << 16), float_of_bits(y << 16));                          \
            float high = name##_one(float_of_bits(x & 0xffff0000u), float_of_bits(y & 0xffff0000u));         \
            o[i] = round_bfloat(low) >> 16 | round_bfloat(high);                                             \
        }                                                                                                    \
        if (count % 2) {                                                                                     \
            uint32_t x = ((const u16 *)left)[count - 1], y = ((const u16 *)right)[count - 1];                \
            float last = name##_one(float_of_bits(x << 16), float_of_bits(y << 16));                         \
            ((u16 *)out)[count - 1] = (uint16_t)(round_bfloat(last) >> 16);                                  \
        }                                                                                                    \
    }

BFLOAT(sum_bfloat, BASELINE, a + b)
BFLOAT(prod_bfloat, BASELINE, (a * b))
BFLOAT(sum_bfloat_avx2, AVX2, a + b)
BFLOAT(prod_bfloat_avx2, AVX2, (a * b))

/* In the same order as the values, NaNs at both ends. */
static inline int16_t ordered(uint16_t bits)
{
    return (int16_t)(bits ^ (bits & 0x8000u ? 0x7fffu : 0));
}

#define EXTREME(name, infinity, before)                                                                      \
    static void name(const void *left, const void *right, void *out, size_t count)                           \
    {                                                                                                        \
        const u16 *l = left, *r = right;                                                                     \
        u16 *o = out;                                                                                        \
        PL_INDEPENDENT                                                                                       \
        for (size_t i = 0; i < count; i++) {                                                                 \
            uint16_t a = l[i], b = r[i];                                                                     \
            bool a_is_nan = (a & 0x7fffu) > (infinity), b_is_nan = (b & 0x7fffu) > (infinity);               \
            bool a_first = ordered(a) before ordered(b);                                                     \
            o[i] = a_is_nan | (a_first & !b_is_nan) ? a : b;                                                 \
        }                                                                                                    \
    }

EXTREME(min_f16, 0x7c00, <)
EXTREME(max_f16, 0x7c00, >)
EXTREME(min_bfloat, 0x7f80, <)
EXTREME(max_bfloat, 0x7f80, >)

static pl_kernel *bfloat_kernel_of(enum pl_op_kind kind, bool use_avx2)
{
    switch (kind) {
    case PL_OP_SUM:
        return use_avx2 ? sum_bfloat_avx2 : sum_bfloat;
    case PL_OP_PROD:
        return use_avx2 ? prod_bfloat_avx2 : prod_bfloat;
    case PL_OP_MIN:
        return min_bfloat;
    case PL_OP_MAX:
        return max_bfloat;
    default:
        return NULL;
    }
}

static pl_kernel *f16_kernel_of(enum pl_op_kind kind, bool use_avx2)
{
    switch (kind) {
    case PL_OP_SUM:
        return use_avx2 ? sum_f16c : sum_plain;
    case PL_OP_PROD:
        return use_avx2 ? prod_f16c : prod_plain;
    case PL_OP_MIN:
        return min_f16;
    case PL_OP_MAX:
        return max_f16;
    default:
        return NULL;
    }
}

pl_kernel *pl_half_kernel_of(enum pl_op_kind kind, enum pl_basic basic, bool use_avx2)
{
    if (basic == PL_BASIC_BFLOAT16)
        return bfloat_kernel_of(kind, use_avx2);
    if (basic == PL_BASIC_FLOAT16)
        return f16_kernel_of(kind, use_avx2);
    if (kind == PL_OP_SUM)
        return use_avx2 ? sum_complex_f16c : sum_complex_plain;
    return kind == PL_OP_PROD ? prod_complex : NULL;
}
