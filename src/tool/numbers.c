/* Numbers that are exact in every type, whatever the order in which they are reduced.
 *
 * The narrowest types hold 127 (int8) and all whole numbers up to 256 (bfloat16); so operands are chosen such
 * that no result, and no part of one, passes 127: for a sum over n ranks each is at most 127/n, and with more
 * than 127 ranks most are 0; a product has at most six factors of 2. A result is then right or wrong, bit
 * for bit, and no tolerance hides a lost operand.
 *
 * Elements repeat with a prime period, so a buffer is checked against one period of expected bytes, at the
 * speed of memcmp, and a block in the wrong place is still seen.
 */
#include "numbers.h"

#include <string.h>

enum { LIMIT = 127 };

#define PUT(name, type)                                                                                      \
    static void put_##name(void *at, int value)                                                              \
    {                                                                                                        \
        type x = (type)value;                                                                                \
        memcpy(at, &x, sizeof x);                                                                            \
    }
PUT(int8, int8_t)
PUT(uint8, uint8_t)
PUT(int32, int32_t)
PUT(uint32, uint32_t)
PUT(int64, int64_t)
PUT(uint64, uint64_t)
PUT(float, float)
PUT(double, double)

static void put_bfloat16(void *at, int value)
{
    float x = (float)value;
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint16_t half = (uint16_t)(bits >> 16);
    memcpy(at, &half, sizeof half);
}

/* Of a number in [2^e, 2^(e+1)): exponent e + 15, and ten bits of mantissa. */
static void put_float16(void *at, int value)
{
    uint16_t half = 0;
    if (value) {
        int e = 31 - __builtin_clz((unsigned)value);
        half = (uint16_t)(((e + 15) << 10) | ((value << (10 - e)) & 0x3ff));
    }
    memcpy(at, &half, sizeof half);
}

const struct pl_number pl_numbers[] = {
    {"int8", MPI_INT8_T, 1, false, put_int8},
    {"uint8", MPI_UINT8_T, 1, false, put_uint8},
    {"int32", MPI_INT32_T, 4, false, put_int32},
    {"uint32", MPI_UINT32_T, 4, false, put_uint32},
    {"int64", MPI_INT64_T, 8, false, put_int64},
    {"uint64", MPI_UINT64_T, 8, false, put_uint64},
    {"half", MPIX_C_FLOAT16, 2, true, put_float16},
    {"bfloat16", MPIX_BFLOAT16, 2, true, put_bfloat16},
    {"float", MPI_FLOAT, 4, true, put_float},
    {"double", MPI_DOUBLE, 8, true, put_double},
    {0},
};

static int apply_sum(int a, int b)
{
    return a + b;
}
static int apply_prod(int a, int b)
{
    return a * b;
}
static int apply_min(int a, int b)
{
    return a < b ? a : b;
}
static int apply_max(int a, int b)
{
    return a > b ? a : b;
}
static int apply_band(int a, int b)
{
    return a & b;
}
static int apply_bor(int a, int b)
{
    return a | b;
}
static int apply_bxor(int a, int b)
{
    return a ^ b;
}

const struct pl_operator pl_operators[] = {
    {"sum", MPI_SUM, false, apply_sum},   {"prod", MPI_PROD, false, apply_prod},
    {"min", MPI_MIN, false, apply_min},   {"max", MPI_MAX, false, apply_max},
    {"band", MPI_BAND, true, apply_band}, {"bor", MPI_BOR, true, apply_bor},
    {"bxor", MPI_BXOR, true, apply_bxor}, {0},
};

const struct pl_number *pl_number_find(const char *name)
{
    const struct pl_number *n = pl_numbers;
    while (n->name && strcmp(n->name, name) != 0)
        n++;
    return n->name ? n : NULL;
}

const struct pl_operator *pl_operator_find(const char *name)
{
    const struct pl_operator *o = pl_operators;
    while (o->name && strcmp(o->name, name) != 0)
        o++;
    return o->name ? o : NULL;
}

/* The operand of a rank at place i of the period. */
static int operand(const struct pl_pattern *p, int rank, int i)
{
    unsigned r = (unsigned)rank, n = (unsigned)p->ranks, salt = (unsigned)p->salt;
    unsigned mixed = r * 37 + (unsigned)i * 11 + salt * 5 + (r * (unsigned)i) % 13;
    if (p->op && p->op->apply == apply_sum) {
        unsigned most = LIMIT / n, every = n / LIMIT + 1;
        return most ? (int)(mixed % (most + 1)) : (r + (unsigned)i + salt) % every == 0;
    }
    if (p->op && p->op->apply == apply_prod)
        return 1 + ((r + (unsigned)i + salt) % n < (unsigned)i % 7);
    return (int)(mixed % LIMIT);
}

/* One period of what is expected, `start` being its first element. */
static void period(const struct pl_pattern *p, int rank, size_t start, unsigned char *at)
{
    for (int k = 0; k < PL_PERIOD; k++) {
        int i = (int)((start + (size_t)k) % PL_PERIOD);
        int value = operand(p, rank == PL_ALL_RANKS ? 0 : rank, i);
        for (int r = 1; rank == PL_ALL_RANKS && r < (p->upto ? p->upto : p->ranks); r++)
            value = p->op->apply(value, operand(p, r, i));
        p->number->put(at + (size_t)k * p->number->size, value);
    }
}

void pl_pattern_fill(const struct pl_pattern *pattern, int rank, size_t start, void *at, size_t count)
{
    unsigned char one[PL_PERIOD * PL_NUMBER_MAX], *to = at;
    size_t bytes = count * pattern->number->size, step = PL_PERIOD * pattern->number->size;
    period(pattern, rank, start, one);
    for (; bytes > step; bytes -= step, to += step)
        memcpy(to, one, step);
    memcpy(to, one, bytes);
}

size_t pl_pattern_wrong(const struct pl_pattern *pattern, int rank, size_t start, const void *at,
                        size_t count)
{
    unsigned char one[PL_PERIOD * PL_NUMBER_MAX];
    const unsigned char *from = at;
    size_t size = pattern->number->size, wrong = 0;
    period(pattern, rank, start, one);
    for (size_t done = 0; done < count; done += PL_PERIOD) {
        size_t n = count - done < PL_PERIOD ? count - done : PL_PERIOD;
        const unsigned char *here = from + done * size;
        if (memcmp(here, one, n * size) == 0)
            continue;
        for (size_t i = 0; i < n; i++)
            wrong += memcmp(here + i * size, one + i * size, size) != 0;
    }
    return wrong;
}
