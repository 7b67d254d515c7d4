/* The kernels: every predefined operator on every kind of number that a device has, for any number of
 * operands, and packing of what lies in strides.
 *
 *   pl_OPERATOR_KIND    out[k][i] = in[0][i] op in[1][i] op ...      one pass: each input is read once and
 *                                                                   each output written once
 *   pl_gather           strips, one behind the other  -> packed
 *   pl_scatter          packed -> strips
 *
 * They give the same bits as the loops of src/p2p/op_kernels.c and op_half.c, whose rules they keep: integers
 * wrap, a NaN on either side is the result of MIN and MAX, of equal values MINLOC and MAXLOC take the lower
 * index, half precision is computed in float and rounded once to nearest even (so nvcc is called with
 * -fmad=false). Users' buffers may begin anywhere: 16 bytes at a time where all operands allow it,
 * else an element at a time, else byte by byte.
 *
 * A reduction moves bytes and computes next to nothing, so what counts is that enough loads are under
 * way: a grid that fills the device goes over the vector in strides, neighbours side by side.
 *
 * This file is also compiled for the host, by a C++ compiler with a few stand-ins (tests/fakecuda/host.h),
 * and compared there with a reference under the sanitizers. What differs then is only the conversion of half
 * precision, which a device has instructions for.
 */
#include "kernels.h"

#ifdef __CUDACC__
#define PL_DEVICE        static __device__ __forceinline__
#define PL_DEVICE_MEMBER __device__ __forceinline__
#define PL_GLOBAL        extern "C" __global__ void
#define PL_ROLLED        _Pragma("unroll 1") /* the way for odd addresses: small rather than fast */
#endif

namespace
{

typedef unsigned __int128 u128;
typedef __int128 i128;

/* --- numbers --- */

PL_DEVICE float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

PL_DEVICE uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

struct f16 {
    uint16_t bits;
    enum { INFINITE = 0x7c00 };
};

struct bf16 {
    uint16_t bits;
    enum { INFINITE = 0x7f80 };
};

#ifdef __CUDA_ARCH__

PL_DEVICE float widen(f16 x)
{
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(x.bits));
    return value;
}

PL_DEVICE void narrow(float value, f16 *x)
{
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(x->bits) : "f"(value));
}

#else

/* As in op_half.c: the exponent is moved by a multiplication, which also makes subnormal numbers normal. */
PL_DEVICE float widen(f16 x)
{
    uint32_t magnitude = x.bits & 0x7fffu;
    uint32_t finite = bits_of(float_of(magnitude << 13) * 5192296858534827628530496329220096.0f); /* 2^112 */
    uint32_t special = 0x7f800000u | (magnitude << 13);
    return float_of((magnitude >= 0x7c00u ? special : finite) | (uint32_t)(x.bits & 0x8000u) << 16);
}

PL_DEVICE void narrow(float value, f16 *x)
{
    uint32_t bits = bits_of(value), magnitude = bits & 0x7fffffffu;
    uint32_t normal = (magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
    uint32_t small = bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f);
    uint32_t nan = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
    uint32_t half = magnitude < (113u << 23) ? small : normal;
    half = magnitude >= (143u << 23) ? 0x7c00u : half;
    half = magnitude > (255u << 23) ? nan : half;
    x->bits = (uint16_t)(half | (bits >> 16 & 0x8000u));
}

#endif

PL_DEVICE float widen(bf16 x)
{
    return float_of((uint32_t)x.bits << 16);
}

PL_DEVICE void narrow(float value, bf16 *x)
{
    uint32_t bits = bits_of(value);
    uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
    x->bits = (uint16_t)((value != value ? bits | 0x00400000u : rounded) >> 16);
}

/* In the same order as the values, NaNs at both ends. */
PL_DEVICE int16_t ordered(uint16_t bits)
{
    return (int16_t)(bits ^ (bits & 0x8000u ? 0x7fffu : 0));
}

/* A complex number; `part` is how its parts are held. */
template <class part> struct alignas(2 * sizeof(part)) complex {
    part re, im;
};

/* As C structs, for MINLOC and MAXLOC. */
template <class value_type, class index_type> struct pair {
    value_type value;
    index_type index;
};

/* --- operators, on one element each --- */

namespace ops
{

struct sum {
    template <class T> PL_DEVICE_MEMBER static T apply(T a, T b)
    {
        return (T)(a + b);
    }
    PL_DEVICE_MEMBER static f16 apply(f16 a, f16 b)
    {
        f16 x;
        narrow(widen(a) + widen(b), &x);
        return x;
    }
    PL_DEVICE_MEMBER static bf16 apply(bf16 a, bf16 b)
    {
        bf16 x;
        narrow(widen(a) + widen(b), &x);
        return x;
    }
    template <class part> PL_DEVICE_MEMBER static complex<part> apply(complex<part> a, complex<part> b)
    {
        complex<part> x = {apply(a.re, b.re), apply(a.im, b.im)};
        return x;
    }
};

/* 1u first: a product of two short numbers would be computed in int and could overflow it. */
struct prod {
    template <class T> PL_DEVICE_MEMBER static T apply(T a, T b)
    {
        return (T)(1u * a * b);
    }
    PL_DEVICE_MEMBER static float apply(float a, float b)
    {
        return a * b;
    }
    PL_DEVICE_MEMBER static double apply(double a, double b)
    {
        return a * b;
    }
    PL_DEVICE_MEMBER static f16 apply(f16 a, f16 b)
    {
        f16 x;
        narrow(widen(a) * widen(b), &x);
        return x;
    }
    PL_DEVICE_MEMBER static bf16 apply(bf16 a, bf16 b)
    {
        bf16 x;
        narrow(widen(a) * widen(b), &x);
        return x;
    }
    template <class part> PL_DEVICE_MEMBER static complex<part> apply(complex<part> a, complex<part> b)
    {
        complex<part> x = {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
        return x;
    }
    PL_DEVICE_MEMBER static complex<f16> apply(complex<f16> p, complex<f16> q)
    {
        float a = widen(p.re), ai = widen(p.im), b = widen(q.re), bi = widen(q.im);
        complex<f16> x;
        narrow(a * b - ai * bi, &x.re);
        narrow(a * bi + ai * b, &x.im);
        return x;
    }
};

/* a != a: a is NaN. When b is, both comparisons fail and b is taken. */
#define EXTREME(name, before)                                                                                \
    struct name {                                                                                            \
        template <class T> PL_DEVICE_MEMBER static T apply(T a, T b)                                         \
        {                                                                                                    \
            return a before b || a != a ? a : b;                                                             \
        }                                                                                                    \
        template <class half> PL_DEVICE_MEMBER static half of_halves(half a, half b)                         \
        {                                                                                                    \
            bool a_is_nan = (a.bits & 0x7fffu) > half::INFINITE;                                             \
            bool b_is_nan = (b.bits & 0x7fffu) > half::INFINITE;                                             \
            bool a_first = ordered(a.bits) before ordered(b.bits);                                           \
            return a_is_nan || (a_first && !b_is_nan) ? a : b;                                               \
        }                                                                                                    \
        PL_DEVICE_MEMBER static f16 apply(f16 a, f16 b)                                                      \
        {                                                                                                    \
            return of_halves(a, b);                                                                          \
        }                                                                                                    \
        PL_DEVICE_MEMBER static bf16 apply(bf16 a, bf16 b)                                                   \
        {                                                                                                    \
            return of_halves(a, b);                                                                          \
        }                                                                                                    \
    };

EXTREME(min, <)
EXTREME(max, >)

#define BITWISE(name, expression)                                                                            \
    struct name {                                                                                            \
        template <class T> PL_DEVICE_MEMBER static T apply(T a, T b)                                         \
        {                                                                                                    \
            return (T)(expression);                                                                          \
        }                                                                                                    \
    };

BITWISE(band, a &b)
BITWISE(bor, a | b)
BITWISE(bxor, a ^ b)
BITWISE(land, (a != 0) & (b != 0))
BITWISE(lor, (a != 0) | (b != 0))
BITWISE(lxor, (a != 0) ^ (b != 0))

/* A NaN comes before every number, whichever way one goes; for integers the second half is never true. */
#define LOCATE(name, before)                                                                                 \
    struct name {                                                                                            \
        template <class V> PL_DEVICE_MEMBER static bool is_first(V x, V y)                                   \
        {                                                                                                    \
            return x before y || (x != x && y == y);                                                         \
        }                                                                                                    \
        template <class V, class I> PL_DEVICE_MEMBER static pair<V, I> apply(pair<V, I> a, pair<V, I> b)     \
        {                                                                                                    \
            bool b_first = is_first(b.value, a.value);                                                       \
            bool tie = !b_first && !is_first(a.value, b.value);                                              \
            return b_first || (tie && b.index < a.index) ? b : a;                                            \
        }                                                                                                    \
    };

LOCATE(minloc, <)
LOCATE(maxloc, >)

} /* namespace ops */

/* --- reductions --- */

/* As many elements as 16 bytes hold, or one that is larger. */
template <class T> struct alignas(16) lane {
    enum { WIDTH = 16 % sizeof(T) ? 1 : 16 / sizeof(T) };
    T element[WIDTH];
};

/* What all addresses have in common in their lowest bits. */
PL_DEVICE unsigned misalignment(const pl_kernel_reduction &r)
{
    uintptr_t bits = 0;
    for (int k = 0; k < r.inputs; k++)
        bits |= (uintptr_t)r.in[k];
    for (int k = 0; k < r.outputs; k++)
        bits |= (uintptr_t)r.out[k];
    return (unsigned)(bits & 15);
}

template <class T, class op> PL_DEVICE void by_lanes(const pl_kernel_reduction &r, size_t from, size_t stride)
{
    for (size_t i = from; i < r.count / lane<T>::WIDTH; i += stride) {
        lane<T> x = ((const lane<T> *)r.in[0])[i];
        for (int k = 1; k < r.inputs; k++) {
            lane<T> y = ((const lane<T> *)r.in[k])[i];
            for (int e = 0; e < lane<T>::WIDTH; e++)
                x.element[e] = op::apply(x.element[e], y.element[e]);
        }
        for (int k = 0; k < r.outputs; k++)
            ((lane<T> *)r.out[k])[i] = x;
    }
}

template <class T, class op>
PL_DEVICE void by_elements(const pl_kernel_reduction &r, size_t from, size_t stride)
{
    PL_ROLLED
    for (size_t i = from; i < r.count; i += stride) {
        T x = ((const T *)r.in[0])[i];
        PL_ROLLED
        for (int k = 1; k < r.inputs; k++)
            x = op::apply(x, ((const T *)r.in[k])[i]);
        for (int k = 0; k < r.outputs; k++)
            ((T *)r.out[k])[i] = x;
    }
}

template <class T> PL_DEVICE T load_bytes(const void *array, size_t i)
{
    T x;
    for (size_t b = 0; b < sizeof x; b++)
        ((unsigned char *)&x)[b] = ((const unsigned char *)array)[i * sizeof x + b];
    return x;
}

template <class T, class op> PL_DEVICE void by_bytes(const pl_kernel_reduction &r, size_t from, size_t stride)
{
    PL_ROLLED
    for (size_t i = from; i < r.count; i += stride) {
        T x = load_bytes<T>(r.in[0], i);
        PL_ROLLED
        for (int k = 1; k < r.inputs; k++)
            x = op::apply(x, load_bytes<T>(r.in[k], i));
        PL_ROLLED
        for (int k = 0; k < r.outputs; k++)
            for (size_t b = 0; b < sizeof x; b++)
                ((unsigned char *)r.out[k])[i * sizeof x + b] = ((const unsigned char *)&x)[b];
    }
}

template <class T, class op> PL_DEVICE void reduce(const pl_kernel_reduction &r)
{
    size_t me = (size_t)blockIdx.x * blockDim.x + threadIdx.x, all = (size_t)gridDim.x * blockDim.x;
    unsigned bits = misalignment(r);
    if (!bits && 16 % sizeof(T) == 0) {
        by_lanes<T, op>(r, me, all);
        size_t done = r.count / lane<T>::WIDTH * lane<T>::WIDTH;
        by_elements<T, op>(r, done + me, all);
    } else if (bits % alignof(T) == 0) {
        by_elements<T, op>(r, me, all);
    } else {
        by_bytes<T, op>(r, me, all);
    }
}

typedef pair<float, int> float_int;
typedef pair<double, int> double_int;
typedef pair<long, int> long_int;
typedef pair<int, int> int_int;
typedef pair<short, int> short_int;
typedef pair<float, float> float_float;
typedef pair<double, double> double_double;

} /* namespace */

#define REDUCTION(op, kind, type)                                                                            \
    PL_GLOBAL pl_##op##_##kind(const pl_kernel_reduction r)                                                  \
    {                                                                                                        \
        reduce<type, ops::op>(r);                                                                            \
    }

#define FOR_UNSIGNED(op)                                                                                     \
    REDUCTION(op, u8, uint8_t)                                                                               \
    REDUCTION(op, u16, uint16_t)                                                                             \
    REDUCTION(op, u32, uint32_t)                                                                             \
    REDUCTION(op, u64, uint64_t)
#define FOR_WIDTHS(op) FOR_UNSIGNED(op) REDUCTION(op, u128, u128)
#define FOR_SIGNED(op)                                                                                       \
    REDUCTION(op, i8, int8_t)                                                                                \
    REDUCTION(op, i16, int16_t)                                                                              \
    REDUCTION(op, i32, int32_t)                                                                              \
    REDUCTION(op, i64, int64_t)                                                                              \
    REDUCTION(op, i128, i128)
#define FOR_FLOATING(op)                                                                                     \
    REDUCTION(op, f16, f16)                                                                                  \
    REDUCTION(op, bf16, bf16)                                                                                \
    REDUCTION(op, f32, float)                                                                                \
    REDUCTION(op, f64, double)
#define FOR_COMPLEX(op)                                                                                      \
    REDUCTION(op, complex_f16, complex<f16>)                                                                 \
    REDUCTION(op, complex_f32, complex<float>)                                                               \
    REDUCTION(op, complex_f64, complex<double>)

FOR_WIDTHS(sum)
FOR_FLOATING(sum)
FOR_COMPLEX(sum)
FOR_WIDTHS(prod)
FOR_FLOATING(prod)
FOR_COMPLEX(prod)
FOR_UNSIGNED(min)
FOR_SIGNED(min)
FOR_FLOATING(min)
FOR_UNSIGNED(max)
FOR_SIGNED(max)
FOR_FLOATING(max)
FOR_WIDTHS(band)
FOR_WIDTHS(bor)
FOR_WIDTHS(bxor)
FOR_WIDTHS(land)
FOR_WIDTHS(lor)
FOR_WIDTHS(lxor)

#define FOR_PAIRS(op)                                                                                        \
    REDUCTION(op, float_int, float_int)                                                                      \
    REDUCTION(op, double_int, double_int)                                                                    \
    REDUCTION(op, long_int, long_int)                                                                        \
    REDUCTION(op, int_int, int_int)                                                                          \
    REDUCTION(op, short_int, short_int)                                                                      \
    REDUCTION(op, float_float, float_float)                                                                  \
    REDUCTION(op, double_double, double_double)
FOR_PAIRS(minloc)
FOR_PAIRS(maxloc)

/* --- packing --- */

namespace
{

template <class W> PL_DEVICE void move_words(uintptr_t to, uintptr_t from, size_t i)
{
    ((W *)to)[i] = ((const W *)from)[i];
}

/* One strip, by all threads with this y: blocks and the words in them are numbered through. */
PL_DEVICE void move_strip(const pl_kernel_strip &s, uintptr_t packed, bool pack)
{
    size_t me = (size_t)blockIdx.x * blockDim.x + threadIdx.x, all = (size_t)gridDim.x * blockDim.x;
    uintptr_t bits = s.address | s.length | (packed + s.at) | (s.count > 1 ? (uintptr_t)s.stride : 0);
    unsigned word = bits % 16 == 0 ? 16 : bits % 8 == 0 ? 8 : bits % 4 == 0 ? 4 : bits % 2 == 0 ? 2 : 1;
    size_t words = s.length / word;
    for (size_t i = me; i < words * s.count; i += all) {
        size_t block = i / words, w = i - block * words;
        uintptr_t there = (uintptr_t)s.address + block * (uintptr_t)s.stride;
        uintptr_t here = packed + s.at + block * s.length;
        uintptr_t to = pack ? here : there, from = pack ? there : here;
        switch (word) {
        case 16:
            move_words<lane<uint64_t>>(to, from, w);
            break;
        case 8:
            move_words<uint64_t>(to, from, w);
            break;
        case 4:
            move_words<uint32_t>(to, from, w);
            break;
        case 2:
            move_words<uint16_t>(to, from, w);
            break;
        default:
            move_words<uint8_t>(to, from, w);
        }
    }
}

} /* namespace */

PL_GLOBAL pl_gather(const pl_kernel_strips s)
{
    for (int k = (int)blockIdx.y; k < s.n; k += (int)gridDim.y)
        move_strip(s.strips[k], (uintptr_t)s.packed, true);
}

PL_GLOBAL pl_scatter(const pl_kernel_strips s)
{
    for (int k = (int)blockIdx.y; k < s.n; k += (int)gridDim.y)
        move_strip(s.strips[k], (uintptr_t)s.packed, false);
}
