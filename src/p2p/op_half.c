/* Operators on 16-bit floating point: float16 (IEEE binary16) and bfloat16 (the
 * upper half of a binary32). Each element is widened to float, computed there and
 * rounded once, to nearest even; so a sum of two is correctly rounded.
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
 * check. The choice is made per call from what the CPU says of itself; every x86 CPU
 * with AVX2 has F16C, and AVX2 is what both compilers can ask for. Rejected: _Float16
 * of the compiler, which clang 14 has not on x86 and gcc computes by a call each.
 */
#include "op_kernels.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
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
PLAIN(min_plain, a < b || a != a ? a : b)
PLAIN(max_plain, a > b || a != a ? a : b)

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
    __attribute__((target("avx,f16c"))) static inline __m128i name##_eight(__m128i x, __m128i y)             \
    {                                                                                                        \
        __m256 a = _mm256_cvtph_ps(x), b = _mm256_cvtph_ps(y);                                               \
        return _mm256_cvtps_ph(expression, _MM_FROUND_TO_NEAREST_INT);                                       \
    }                                                                                                        \
    __attribute__((target("avx,f16c"))) static void name(const void *left, const void *right, void *out,     \
                                                         size_t count)                                       \
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

/* a where a comes before b or is NaN, else b */
#define TAKE_A_IF(before)                                                                                    \
    _mm256_blendv_ps(b, a, _mm256_or_ps(_mm256_cmp_ps(a, b, before), _mm256_cmp_ps(a, a, _CMP_UNORD_Q)))

BY_F16C(sum_f16c, _mm256_add_ps(a, b))
BY_F16C(prod_f16c, _mm256_mul_ps(a, b))
BY_F16C(min_f16c, TAKE_A_IF(_CMP_LT_OQ))
BY_F16C(max_f16c, TAKE_A_IF(_CMP_GT_OQ))

static void sum_complex_f16c(const void *left, const void *right, void *out, size_t count)
{
    sum_f16c(left, right, out, 2 * count);
}

bool pl_half_has_f16c(void)
{
    return __builtin_cpu_supports("avx2");
}

#else

#define sum_f16c         sum_plain
#define prod_f16c        prod_plain
#define min_f16c         min_plain
#define max_f16c         max_plain
#define sum_complex_f16c sum_complex_plain

bool pl_half_has_f16c(void)
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

#define BFLOAT(name, expression)                                                                             \
    static inline float name##_one(float a, float b)                                                         \
    {                                                                                                        \
        return expression;                                                                                   \
    }                                                                                                        \
    static void name(const void *left, const void *right, void *out, size_t count)                           \
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

BFLOAT(sum_bfloat, a + b)
BFLOAT(prod_bfloat, (a * b))
BFLOAT(min_bfloat, a < b || a != a ? a : b)
BFLOAT(max_bfloat, a > b || a != a ? a : b)

pl_kernel *pl_half_kernel_of(enum pl_op_kind kind, enum pl_basic basic, bool use_f16c)
{
    bool bfloat = basic == PL_BASIC_BFLOAT16, complex = basic == PL_BASIC_COMPLEX_FLOAT16;
    switch (kind) {
    case PL_OP_SUM:
        if (complex)
            return use_f16c ? sum_complex_f16c : sum_complex_plain;
        return bfloat ? sum_bfloat : use_f16c ? sum_f16c : sum_plain;
    case PL_OP_PROD:
        if (complex)
            return prod_complex;
        return bfloat ? prod_bfloat : use_f16c ? prod_f16c : prod_plain;
    case PL_OP_MIN:
        return complex ? NULL : bfloat ? min_bfloat : use_f16c ? min_f16c : min_plain;
    case PL_OP_MAX:
        return complex ? NULL : bfloat ? max_bfloat : use_f16c ? max_f16c : max_plain;
    default:
        return NULL;
    }
}
