/* Every predefined operator on every type it is defined for, against a reference
 * that shares nothing with the library: elements are read into one wide integer or
 * one wide float, computed there, rounded back by searching the nearest value.
 *
 * Each pair runs on odd counts, on misaligned starts, and in the three forms of
 * aliasing. Each pair that the standard does not have must be refused.
 */
#include "op.h"
#include "op_kernels.h"

#include <mpi.h>

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OP(kind) (1u << PL_OP_##kind)
enum {
    ARITHMETIC = OP(SUM) | OP(PROD),
    ORDER = OP(MIN) | OP(MAX),
    BITS = OP(BAND) | OP(BOR) | OP(BXOR),
    LOGIC = OP(LAND) | OP(LOR) | OP(LXOR),
    LOCATE = OP(MINLOC) | OP(MAXLOC),
    ANY = OP(REPLACE) | OP(NO_OP),
};

/* How a number lies in memory: a letter and its bytes. i, u: integers; f: IEEE float;
 * b: bfloat16; x: long double. A type is one or two of them (complex, pair). */
struct layout {
    char kind;
    int bytes;
};

static const struct row {
    MPI_Datatype type;
    struct layout first, second;
    unsigned ops;
} rows[] = {
#define C_INTEGER       ARITHMETIC | ORDER | BITS | LOGIC
#define FORTRAN_INTEGER C_INTEGER
#define HALF            ARITHMETIC | ORDER
#define FLOATING        ARITHMETIC | ORDER | LOGIC
    {MPI_SHORT, {'i', 2}, {0}, C_INTEGER},
    {MPI_INT, {'i', 4}, {0}, C_INTEGER},
    {MPI_LONG, {'i', 8}, {0}, C_INTEGER},
    {MPI_LONG_LONG, {'i', 8}, {0}, C_INTEGER},
    {MPI_UNSIGNED_SHORT, {'u', 2}, {0}, C_INTEGER},
    {MPI_UNSIGNED, {'u', 4}, {0}, C_INTEGER},
    {MPI_UNSIGNED_LONG, {'u', 8}, {0}, C_INTEGER},
    {MPI_UNSIGNED_LONG_LONG, {'u', 8}, {0}, C_INTEGER},
    {MPI_SIGNED_CHAR, {'i', 1}, {0}, C_INTEGER},
    {MPI_UNSIGNED_CHAR, {'u', 1}, {0}, C_INTEGER},
    {MPI_INT8_T, {'i', 1}, {0}, C_INTEGER},
    {MPI_UINT8_T, {'u', 1}, {0}, C_INTEGER},
    {MPI_INT16_T, {'i', 2}, {0}, C_INTEGER},
    {MPI_UINT16_T, {'u', 2}, {0}, C_INTEGER},
    {MPI_INT32_T, {'i', 4}, {0}, C_INTEGER},
    {MPI_UINT32_T, {'u', 4}, {0}, C_INTEGER},
    {MPI_INT64_T, {'i', 8}, {0}, C_INTEGER},
    {MPI_UINT64_T, {'u', 8}, {0}, C_INTEGER},
    {MPI_INTEGER, {'i', 4}, {0}, FORTRAN_INTEGER},
    {MPI_INTEGER1, {'i', 1}, {0}, FORTRAN_INTEGER},
    {MPI_INTEGER2, {'i', 2}, {0}, FORTRAN_INTEGER},
    {MPI_INTEGER4, {'i', 4}, {0}, FORTRAN_INTEGER},
    {MPI_INTEGER8, {'i', 8}, {0}, FORTRAN_INTEGER},
    {MPI_INTEGER16, {'i', 16}, {0}, FORTRAN_INTEGER},
    {MPI_AINT, {'i', 8}, {0}, FORTRAN_INTEGER},
    {MPI_COUNT, {'i', 8}, {0}, FORTRAN_INTEGER},
    {MPI_OFFSET, {'i', 8}, {0}, FORTRAN_INTEGER},
    {MPI_FLOAT, {'f', 4}, {0}, FLOATING},
    {MPI_DOUBLE, {'f', 8}, {0}, FLOATING},
    {MPI_LONG_DOUBLE, {'x', sizeof(long double)}, {0}, FLOATING},
    {MPI_REAL, {'f', 4}, {0}, FLOATING},
    {MPI_DOUBLE_PRECISION, {'f', 8}, {0}, FLOATING},
    {MPI_REAL2, {'f', 2}, {0}, HALF},
    {MPI_REAL4, {'f', 4}, {0}, FLOATING},
    {MPI_REAL8, {'f', 8}, {0}, FLOATING},
    {MPI_REAL16, {'f', 16}, {0}, FLOATING},
    {MPIX_C_FLOAT16, {'f', 2}, {0}, HALF},
    {MPIX_BFLOAT16, {'b', 2}, {0}, HALF},
    {MPI_C_FLOAT_COMPLEX, {'f', 4}, {'f', 4}, ARITHMETIC},
    {MPI_C_DOUBLE_COMPLEX, {'f', 8}, {'f', 8}, ARITHMETIC},
    {MPI_C_LONG_DOUBLE_COMPLEX, {'x', sizeof(long double)}, {'x', sizeof(long double)}, ARITHMETIC},
    {MPI_CXX_FLOAT_COMPLEX, {'f', 4}, {'f', 4}, ARITHMETIC},
    {MPI_CXX_DOUBLE_COMPLEX, {'f', 8}, {'f', 8}, ARITHMETIC},
    {MPI_CXX_LONG_DOUBLE_COMPLEX, {'x', sizeof(long double)}, {'x', sizeof(long double)}, ARITHMETIC},
    {MPI_COMPLEX, {'f', 4}, {'f', 4}, ARITHMETIC},
    {MPI_DOUBLE_COMPLEX, {'f', 8}, {'f', 8}, ARITHMETIC},
    {MPI_COMPLEX4, {'f', 2}, {'f', 2}, ARITHMETIC},
    {MPI_COMPLEX8, {'f', 4}, {'f', 4}, ARITHMETIC},
    {MPI_COMPLEX16, {'f', 8}, {'f', 8}, ARITHMETIC},
    {MPI_COMPLEX32, {'f', 16}, {'f', 16}, ARITHMETIC},
    {MPI_C_BOOL, {'u', 1}, {0}, LOGIC},
    {MPI_CXX_BOOL, {'u', 1}, {0}, LOGIC},
    {MPI_LOGICAL, {'i', 4}, {0}, LOGIC},
    {MPI_LOGICAL1, {'i', 1}, {0}, LOGIC},
    {MPI_LOGICAL2, {'i', 2}, {0}, LOGIC},
    {MPI_LOGICAL4, {'i', 4}, {0}, LOGIC},
    {MPI_LOGICAL8, {'i', 8}, {0}, LOGIC},
    {MPI_LOGICAL16, {'i', 16}, {0}, LOGIC},
    {MPI_BYTE, {'u', 1}, {0}, BITS},
    {MPI_FLOAT_INT, {'f', 4}, {'i', 4}, LOCATE},
    {MPI_DOUBLE_INT, {'f', 8}, {'i', 4}, LOCATE},
    {MPI_LONG_INT, {'i', 8}, {'i', 4}, LOCATE},
    {MPI_2INT, {'i', 4}, {'i', 4}, LOCATE},
    {MPI_SHORT_INT, {'i', 2}, {'i', 4}, LOCATE},
    {MPI_LONG_DOUBLE_INT, {'x', sizeof(long double)}, {'i', 4}, LOCATE},
    {MPI_2REAL, {'f', 4}, {'f', 4}, LOCATE},
    {MPI_2DOUBLE_PRECISION, {'f', 8}, {'f', 8}, LOCATE},
    {MPI_2INTEGER, {'i', 4}, {'i', 4}, LOCATE},
    {MPI_CHAR, {'i', 1}, {0}, C_INTEGER},
    {MPI_WCHAR, {'i', 4}, {0}, 0},
    {MPI_CHARACTER, {'i', 1}, {0}, C_INTEGER},
    {MPI_PACKED, {'u', 1}, {0}, 0},
};
enum { ROWS = sizeof rows / sizeof *rows };

/* Wide enough for every number here: exactly, and with room for one sum or product. */
struct number {
    __int128 integer;
    __float128 real;
};

/* The value of a 16-bit float by its definition. The code after the largest finite one
 * counts as the next power of two, which is what rounding to infinity asks for. */
static double decode16(unsigned code, int fraction_bits, int bias)
{
    int fraction = (int)(code & ((1u << fraction_bits) - 1)),
        exponent = (int)((code & 0x7fff) >> fraction_bits);
    double value = exponent ? ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits)
                            : ldexp(fraction, 1 - bias - fraction_bits);
    return code & 0x8000 ? -value : value;
}

static bool is_nan16(unsigned code, int fraction_bits)
{
    return (code & 0x7fff) > (0x7fffu >> fraction_bits << fraction_bits);
}

static __float128 read16(unsigned code, int fraction_bits, int bias)
{
    unsigned infinite = 0x7fffu >> fraction_bits << fraction_bits;
    if (is_nan16(code, fraction_bits))
        return (__float128)NAN;
    if ((code & 0x7fff) == infinite)
        return (__float128)(code & 0x8000 ? -INFINITY : INFINITY);
    return (__float128)decode16(code, fraction_bits, bias);
}

/* decode16 of every positive code, made once: the search asks for millions. */
static const __float128 *codes16(int fraction_bits, int bias)
{
    static __float128 values[2][0x8000];
    __float128 *of = values[fraction_bits == 7];
    if (of[0x7fff] == 0)
        for (unsigned code = 0; code < 0x8000; code++)
            of[code] = (__float128)decode16(code, fraction_bits, bias);
    return of;
}

/* The nearest code; of two equally near the even one. */
static uint16_t write16(__float128 value, int fraction_bits, int bias)
{
    unsigned infinite = 0x7fffu >> fraction_bits << fraction_bits, low = 0, high = infinite;
    const __float128 *codes = codes16(fraction_bits, bias);
    if (value != value)
        return (uint16_t)(infinite | 1u << (fraction_bits - 1));
    unsigned sign = signbit((double)value) ? 0x8000 : 0;
    __float128 magnitude = value < 0 ? -value : value;
    if (magnitude >= codes[infinite])
        return (uint16_t)(sign | infinite);
    while (high - low > 1) {
        unsigned middle = (low + high) / 2;
        if (codes[middle] <= magnitude)
            low = middle;
        else
            high = middle;
    }
    __float128 below = magnitude - codes[low];
    __float128 above = codes[high] - magnitude;
    bool up = above < below || (above == below && low % 2);
    return (uint16_t)(sign | (up ? high : low));
}

static struct number load(struct layout l, const unsigned char *from)
{
    struct number n = {0, 0};
    uint16_t half;
    float single;
    double twice;
    long double extended;
    switch (l.kind) {
    case 'i':
        n.integer = from[l.bytes - 1] & 0x80 ? -1 : 0;
        memcpy(&n.integer, from, (size_t)l.bytes);
        break;
    case 'u':
        memcpy(&n.integer, from, (size_t)l.bytes);
        break;
    case 'x':
        memcpy(&extended, from, sizeof extended);
        n.real = (__float128)extended;
        break;
    case 'b':
        memcpy(&half, from, 2);
        n.real = read16(half, 7, 127);
        break;
    default:
        if (l.bytes == 2)
            memcpy(&half, from, 2), n.real = read16(half, 10, 15);
        else if (l.bytes == 4)
            memcpy(&single, from, 4), n.real = (__float128)single;
        else if (l.bytes == 8)
            memcpy(&twice, from, 8), n.real = (__float128)twice;
        else
            memcpy(&n.real, from, 16);
    }
    return n;
}

static void store(struct layout l, struct number n, unsigned char *to)
{
    uint16_t half = l.kind == 'b' ? write16(n.real, 7, 127) : 0;
    float single = (float)n.real;
    double twice = (double)n.real;
    long double extended = (long double)n.real;
    if (l.kind == 'i' || l.kind == 'u')
        memcpy(to, &n.integer, (size_t)l.bytes);
    else if (l.kind == 'x')
        memcpy(to, &extended, LDBL_MANT_DIG == 64 ? 10 : sizeof extended); /* x87 has 10 bytes, then a gap */
    else if (l.bytes == 2)
        half = l.kind == 'b' ? half : write16(n.real, 10, 15), memcpy(to, &half, 2);
    else if (l.bytes == 4)
        memcpy(to, &single, 4);
    else if (l.bytes == 8)
        memcpy(to, &twice, 8);
    else
        memcpy(to, &n.real, 16);
}

static bool is_real(struct layout l)
{
    return l.kind == 'f' || l.kind == 'b' || l.kind == 'x';
}

static bool same(struct layout l, struct number x, struct number y)
{
    if (!is_real(l))
        return x.integer == y.integer;
    return x.real == y.real || (x.real != x.real && y.real != y.real);
}

/* x op y, for one number */
static struct number combine(enum pl_op_kind op, struct layout l, struct number x, struct number y)
{
    unsigned __int128 a = (unsigned __int128)x.integer, b = (unsigned __int128)y.integer, r = 0;
    bool first_is_less = is_real(l) ? x.real < y.real : x.integer < y.integer;
    bool p = is_real(l) ? x.real != 0 : x.integer != 0, q = is_real(l) ? y.real != 0 : y.integer != 0;
    struct number n = {0, 0};
    switch (op) {
    case PL_OP_SUM:
        n.real = l.kind == 'x' ? (__float128)((long double)x.real + (long double)y.real) : x.real + y.real;
        r = a + b;
        break;
    case PL_OP_PROD:
        n.real = l.kind == 'x' ? (__float128)((long double)x.real * (long double)y.real) : x.real * y.real;
        r = a * b;
        break;
    case PL_OP_MIN:
    case PL_OP_MAX:
        if (x.real != x.real)
            return x;
        if (y.real != y.real)
            return y;
        return first_is_less == (op == PL_OP_MIN) ? x : y;
    case PL_OP_BAND:
        r = a & b;
        break;
    case PL_OP_BOR:
        r = a | b;
        break;
    case PL_OP_BXOR:
        r = a ^ b;
        break;
    case PL_OP_LAND:
        n.real = r = p && q;
        break;
    case PL_OP_LOR:
        n.real = r = p || q;
        break;
    case PL_OP_LXOR:
        n.real = r = p != q;
        break;
    default:
        cr_assert_fail("no reference for operator %d", op);
    }
    n.integer = (__int128)r;
    return n;
}

static size_t second_at(const struct row *row)
{
    int align = row->second.bytes;
    return (size_t)((row->first.bytes + align - 1) / align * align);
}

/* One element of a pair or complex type. */
static void combine_two(enum pl_op_kind op, const struct row *row, const unsigned char *left,
                        const unsigned char *right, unsigned char *out)
{
    size_t at = second_at(row);
    struct number x = load(row->first, left), xi = load(row->second, left + at);
    struct number y = load(row->first, right), yi = load(row->second, right + at);
    struct number r, ri;
    if (op == PL_OP_SUM) {
        r = combine(op, row->first, x, y);
        ri = combine(op, row->first, xi, yi);
    } else if (op == PL_OP_PROD) {
        r.real = x.real * y.real - xi.real * yi.real;
        ri.real = x.real * yi.real + xi.real * y.real;
    } else {
        bool real = is_real(row->first);
        bool less = real ? x.real < y.real : x.integer < y.integer;
        bool more = real ? x.real > y.real : x.integer > y.integer;
        bool lower_index = is_real(row->second) ? xi.real < yi.real : xi.integer < yi.integer;
        bool left_wins = op == PL_OP_MINLOC ? less : more;
        if (!less && !more)
            left_wins = lower_index;
        r = left_wins ? x : y;
        ri = left_wins ? xi : yi;
    }
    store(row->first, r, out);
    store(row->second, ri, out + at);
}

static uint64_t state;

static uint64_t draw(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 16;
}

/* Small eighths for reals (few enough digits that complex products are exact, and
 * with equal ones among them), any bits and the extremes for integers. */
static void fill(const struct row *row, struct layout l, unsigned char *to)
{
    struct number n = {0, 0};
    bool narrow = row->second.bytes != 0;
    if (is_real(l)) {
        n.real =
            narrow ? (__float128)((int)(draw() % 17) - 8) : (__float128)((int)(draw() % 2001) - 1000) / 8;
    } else if (row->ops == (LOGIC | ANY) || row->ops == LOGIC) {
        n.integer = draw() % 2 ? 1 : 0;
        if (n.integer && l.kind == 'i')
            n.integer = draw() % 2 ? -1 : (__int128)1 << (8 * l.bytes - 2);
    } else if (narrow) {
        n.integer = (int)(draw() % 7) - 3;
    } else {
        static const int64_t extremes[] = {0, 1, -1, INT64_MIN, INT64_MAX, INT32_MIN, INT32_MAX, INT16_MIN};
        uint64_t pick = draw() % 16;
        n.integer = pick < 8 ? extremes[pick] : (__int128)draw() << 64 | (__int128)(draw() << 32 ^ draw());
    }
    store(l, n, to);
}

static void fill_all(const struct row *row, size_t extent, unsigned char *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fill(row, row->first, to + i * extent);
        if (row->second.bytes)
            fill(row, row->second, to + i * extent + second_at(row));
    }
}

enum { LONGEST = 67, ROOM = (LONGEST + 2) * 32 + 64 };

struct buffers {
    unsigned char left[ROOM], right[ROOM], out[ROOM], want[ROOM];
};

/* Checks `count` elements at `got` against `want`, and the guard behind them. */
static void check(const struct row *row, const struct pl_op *op, const struct pl_datatype *type,
                  const unsigned char *got, const unsigned char *want, size_t count, const char *form)
{
    for (size_t i = 0; i < count; i++) {
        const unsigned char *g = got + i * (size_t)type->extent, *w = want + i * (size_t)type->extent;
        bool ok = same(row->first, load(row->first, g), load(row->first, w));
        if (row->second.bytes)
            ok &= same(row->second, load(row->second, g + second_at(row)),
                       load(row->second, w + second_at(row)));
        cr_assert(ok, "%s on %s, %s, element %zu of %zu: got %02x%02x..., want %02x%02x... (first bytes)",
                  op->name, type->name, form, i, count, g[0], g[1], w[0], w[1]);
    }
    for (size_t i = 0; i < 16; i++)
        cr_assert_eq(got[count * (size_t)type->extent + i], 0xa5, "%s on %s, %s: wrote behind element %zu",
                     op->name, type->name, form, count);
}

static void try_one(const struct row *row, const struct pl_op *op, const struct pl_datatype *type,
                    size_t count, size_t shift, struct buffers *b)
{
    size_t extent = (size_t)type->extent, bytes = count * extent;
    unsigned char *left = b->left + shift, *right = b->right + (shift * 3) % 16,
                  *out = b->out + (shift * 5) % 16;
    memset(b->left, 0xa5, ROOM);
    memset(b->right, 0xa5, ROOM);
    memset(b->out, 0xa5, ROOM);
    memset(b->want, 0, ROOM);
    fill_all(row, extent, left, count);
    fill_all(row, extent, right, count);
    for (size_t i = 0; i < count; i++) {
        const unsigned char *x = left + i * extent, *y = right + i * extent;
        unsigned char *w = b->want + i * extent;
        if (op->kind == PL_OP_REPLACE || op->kind == PL_OP_NO_OP)
            memcpy(w, op->kind == PL_OP_REPLACE ? y : x, extent);
        else if (row->second.bytes)
            combine_two(op->kind, row, x, y, w);
        else
            store(row->first, combine(op->kind, row->first, load(row->first, x), load(row->first, y)), w);
    }
    unsigned char left_before[ROOM], right_before[ROOM];
    memcpy(left_before, left, bytes);
    memcpy(right_before, right, bytes);

    cr_assert_eq(pl_op_apply(op, type, left, right, out, count), 0);
    check(row, op, type, out, b->want, count, "three buffers");
    cr_assert(!memcmp(left, left_before, bytes) && !memcmp(right, right_before, bytes),
              "an operand was written");
    pl_op_apply(op, type, left, right, left, count);
    check(row, op, type, left, b->want, count, "out == left");
    cr_assert(!memcmp(right, right_before, bytes), "right was written");
    memcpy(left, left_before, bytes);
    pl_op_apply(op, type, left, right, right, count);
    check(row, op, type, right, b->want, count, "out == right");
    cr_assert(!memcmp(left, left_before, bytes), "left was written");
}

/* Every row x every operator: right where it is defined, refused where it is not. */
Test(op, every_operator_on_every_type)
{
    static const size_t counts[] = {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, LONGEST};
    struct buffers *b = malloc(sizeof *b);
    int defined = 0;
    for (int r = 0; r < ROWS; r++) {
        const struct pl_datatype *type = pl_datatype_predefined((uintptr_t)rows[r].type);
        cr_assert(type, "row %d", r);
        for (uintptr_t handle = (uintptr_t)MPI_OP_NULL; handle < (uintptr_t)MPI_OP_NULL + 32; handle++) {
            const struct pl_op *op = pl_op_predefined(handle);
            if (!op)
                continue;
            bool expected = (rows[r].ops | ANY) >> op->kind & 1;
            cr_assert_eq(pl_op_defined(op, type), expected, "%s on %s", op->name, type->name);
            defined += expected;
            for (size_t c = 0; expected && c < sizeof counts / sizeof *counts; c++)
                for (size_t shift = 0; shift < 4; shift++) {
                    state = (uint64_t)r << 32 | handle << 16 | c << 8 | shift;
                    try_one(&rows[r], op, type, counts[c], shift, b);
                }
        }
    }
    cr_assert_eq(defined, 29 * 10 + 8 * 7 + 3 * 4 + 12 * 2 + 8 * 3 + 1 * 3 + 9 * 2 + ROWS * 2, "%d pairs",
                 defined);
    free(b);
}

Test(op, rows_cover_the_table_of_types)
{
    for (uintptr_t handle = 0x200; handle < 0x300; handle++) {
        bool listed = false;
        for (int r = 0; r < ROWS; r++)
            listed |= (uintptr_t)rows[r].type == handle;
        cr_expect_eq(listed, pl_datatype_predefined(handle) != NULL, "handle %#zx", (size_t)handle);
    }
}

Test(op, handles_and_names)
{
    static const struct {
        MPI_Op handle;
        enum pl_op_kind kind;
        const char *name;
    } ops[] = {
        {MPI_SUM, PL_OP_SUM, "MPI_SUM"},
        {MPI_MIN, PL_OP_MIN, "MPI_MIN"},
        {MPI_MAX, PL_OP_MAX, "MPI_MAX"},
        {MPI_PROD, PL_OP_PROD, "MPI_PROD"},
        {MPI_BAND, PL_OP_BAND, "MPI_BAND"},
        {MPI_BOR, PL_OP_BOR, "MPI_BOR"},
        {MPI_BXOR, PL_OP_BXOR, "MPI_BXOR"},
        {MPI_LAND, PL_OP_LAND, "MPI_LAND"},
        {MPI_LOR, PL_OP_LOR, "MPI_LOR"},
        {MPI_LXOR, PL_OP_LXOR, "MPI_LXOR"},
        {MPI_MINLOC, PL_OP_MINLOC, "MPI_MINLOC"},
        {MPI_MAXLOC, PL_OP_MAXLOC, "MPI_MAXLOC"},
        {MPI_REPLACE, PL_OP_REPLACE, "MPI_REPLACE"},
        {MPI_NO_OP, PL_OP_NO_OP, "MPI_NO_OP"},
    };
    int there = 0;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        const struct pl_op *op = pl_op_predefined((uintptr_t)ops[i].handle);
        cr_assert(op, "%s is missing", ops[i].name);
        cr_expect_eq(op->kind, ops[i].kind);
        cr_expect_str_eq(op->name, ops[i].name);
        cr_expect_eq(op->commutative, op->kind != PL_OP_REPLACE && op->kind != PL_OP_NO_OP, "%s", op->name);
    }
    for (uintptr_t handle = 0; handle < 0x1000; handle++)
        there += pl_op_predefined(handle) != NULL;
    cr_expect_eq(there, 14);
    cr_expect_not(pl_op_predefined((uintptr_t)&ops));
}

/* A NaN on either side is the result; infinities are ordered as numbers. */
Test(op, minimum_and_maximum_keep_a_nan)
{
    const struct pl_datatype *type = pl_datatype_predefined((uintptr_t)MPI_FLOAT);
    const struct pl_op *ops[] = {pl_op_predefined((uintptr_t)MPI_MIN), pl_op_predefined((uintptr_t)MPI_MAX)};
    enum { N = 9 };
    float left[N], right[N], out[N];
    for (int o = 0; o < 2; o++)
        for (int side = 0; side < 2; side++) {
            for (int i = 0; i < N; i++) {
                left[i] = side == 0 ? NAN : (float)(i - 4);
                right[i] = side == 1 ? NAN : INFINITY;
            }
            pl_op_apply(ops[o], type, left, right, out, N);
            for (int i = 0; i < N; i++)
                cr_expect(isnan(out[i]), "%s, element %d is %g", ops[o]->name, i, (double)out[i]);
        }
    for (int i = 0; i < N; i++)
        left[i] = -INFINITY, right[i] = (float)i;
    pl_op_apply(ops[0], type, left, right, out, N);
    cr_expect(isinf(out[N - 1]) && out[N - 1] < 0);
    pl_op_apply(ops[1], type, left, right, out, N);
    cr_expect_eq(out[N - 1], (float)(N - 1));
}

/* Whatever the order of reduction, the lowest index of a NaN is found. */
Test(op, location_of_a_nan)
{
    struct pair {
        double value;
        int index;
    } nan3 = {NAN, 3}, nan5 = {NAN, 5}, best = {-INFINITY, 1}, out;
    const struct pl_datatype *type = pl_datatype_predefined((uintptr_t)MPI_DOUBLE_INT);
    const struct pl_op *op = pl_op_predefined((uintptr_t)MPI_MINLOC);
    const struct pair *pairs[][2] = {{&nan3, &nan5}, {&nan5, &nan3}, {&nan3, &best}, {&best, &nan3}};
    for (int i = 0; i < 4; i++) {
        pl_op_apply(op, type, pairs[i][0], pairs[i][1], &out, 1);
        cr_expect(isnan(out.value) && out.index == 3, "case %d: %g at %d", i, out.value, out.index);
    }
}

static const uint16_t partners[] = {0x0000, 0x8001, 0x03ff, 0x3c00, 0xb555, 0x7bff, 0xfc00, 0x7e00, 0x9234};
static const enum pl_op_kind half_kinds[] = {PL_OP_SUM, PL_OP_PROD, PL_OP_MIN, PL_OP_MAX};

/* All 65536 values with several partners. */
Test(op_half, plain_c_rounds_right)
{
    enum { ALL = 65536 };
    uint16_t *left = malloc(2 * ALL), *right = malloc(2 * ALL), *out = malloc(2 * ALL);
    struct layout l = {'f', 2};
    for (size_t p = 0; p < sizeof partners / sizeof *partners; p++)
        for (size_t k = 0; k < sizeof half_kinds / sizeof *half_kinds; k++) {
            for (int i = 0; i < ALL; i++)
                left[i] = (uint16_t)i, right[i] = partners[p];
            pl_half_kernel_of(half_kinds[k], PL_BASIC_FLOAT16, false)(left, right, out, ALL);
            for (int i = 0; i < ALL; i++) {
                struct number n =
                    combine(half_kinds[k], l, load(l, (void *)&left[i]), load(l, (void *)&right[i]));
                uint16_t want = write16(n.real, 10, 15);
                bool zero = !(out[i] & 0x7fff) && !(want & 0x7fff), nan = is_nan16(want, 10);
                cr_assert(out[i] == want || zero || (nan && is_nan16(out[i], 10)),
                          "operator %d on %04x and %04x: got %04x, want %04x", half_kinds[k], left[i],
                          right[i], out[i], want);
            }
        }
    free(left), free(right), free(out);
}

static void check_both_ways(enum pl_basic basic, int fraction_bits)
{
    enum { ALL = 65536 };
    uint16_t *left = malloc(2 * ALL), *right = malloc(2 * ALL), *plain = malloc(2 * ALL),
             *avx2 = malloc(2 * ALL);
    state = 7;
    for (int round = 0; round < 8; round++)
        for (size_t k = 0; k < sizeof half_kinds / sizeof *half_kinds; k++) {
            for (int i = 0; i < ALL; i++) {
                left[i] = (uint16_t)i;
                do /* which of two NaNs is the result is anybody's choice */
                    right[i] = (uint16_t)draw();
                while (is_nan16(left[i], fraction_bits) && is_nan16(right[i], fraction_bits));
            }
            pl_half_kernel_of(half_kinds[k], basic, false)(left, right, plain, ALL);
            pl_half_kernel_of(half_kinds[k], basic, true)(left, right, avx2, ALL);
            for (int i = 0; i < ALL; i++)
                cr_assert_eq(plain[i], avx2[i], "operator %d on %04x and %04x: plain %04x, AVX2 %04x",
                             half_kinds[k], left[i], right[i], plain[i], avx2[i]);
        }
    free(left), free(right), free(plain), free(avx2);
}

Test(op_half, both_ways_give_the_same_bits)
{
    if (!pl_half_has_avx2())
        cr_skip_test("this CPU has no AVX2");
    check_both_ways(PL_BASIC_FLOAT16, 10);
    check_both_ways(PL_BASIC_BFLOAT16, 7);
}

/* bfloat16 where float itself neither over- nor underflows: the nearest value. */
Test(op_half, bfloat_rounds_right)
{
    enum { ALL = 65536 };
    uint16_t *left = malloc(2 * ALL), *right = malloc(2 * ALL), *out = malloc(2 * ALL);
    struct layout l = {'b', 2};
    for (size_t p = 0; p < sizeof partners / sizeof *partners; p++)
        for (size_t k = 0; k < sizeof half_kinds / sizeof *half_kinds; k++) {
            for (int i = 0; i < ALL; i++)
                left[i] = (uint16_t)i, right[i] = partners[p];
            pl_half_kernel_of(half_kinds[k], PL_BASIC_BFLOAT16, false)(left, right, out, ALL);
            for (int i = 0; i < ALL; i++) {
                struct number n =
                    combine(half_kinds[k], l, load(l, (void *)&left[i]), load(l, (void *)&right[i]));
                double magnitude = fabs((double)n.real);
                if (k < 2 && magnitude != 0 && magnitude < 0x1p-126)
                    continue;
                uint16_t want = write16(n.real, 7, 127);
                bool zero = !(out[i] & 0x7fff) && !(want & 0x7fff), nan = is_nan16(want, 7);
                cr_assert(out[i] == want || zero || (nan && is_nan16(out[i], 7)),
                          "operator %d on %04x and %04x: got %04x, want %04x", half_kinds[k], left[i],
                          right[i], out[i], want);
            }
        }
    free(left), free(right), free(out);
}
