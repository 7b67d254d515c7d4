/* The predefined datatypes: one constant table, indexed by the low byte of the
 * handle's value, which the ABI gives each of them (0x200..0x2ff).
 *
 * A row says the C type that holds an element, how reductions see it (basic) and
 * to which group of the standard it belongs. C and C++ types are measured by
 * sizeof; Fortran ones have the sizes of gfortran and flang without options that
 * change them: INTEGER, REAL and LOGICAL 4 bytes, DOUBLE PRECISION 8, CHARACTER 1.
 * Pairs lie as C structs do, so MPI_SHORT_INT has 6 bytes of data in an extent of
 * 8: they are the only predefined types with a gap.
 *
 * Rejected: filling the table at start. It would be mutable state, and every rank
 * of an in-process world shares it.
 */
#include "content.h"
#include "pack.h"

#include <complex.h>
#include <wchar.h>

/* How kinds of elements are told from others in messages (content.h): what is held alike is alike.
 * Pairs of two kinds, alone, match all: else each call would have to ask for them. */
enum {
    CONTENT_NONE = PL_CONTENT_ANY,
    CONTENT_BYTE = PL_CONTENT_ANY,
    CONTENT_INT8 = PL_CONTENT_ANY,
    CONTENT_INT16 = PL_BASIC_INT16,
    CONTENT_INT32 = PL_BASIC_INT32,
    CONTENT_INT64 = PL_BASIC_INT64,
    CONTENT_UINT8 = PL_CONTENT_ANY,
    CONTENT_UINT16 = PL_BASIC_INT16,
    CONTENT_UINT32 = PL_BASIC_INT32,
    CONTENT_UINT64 = PL_BASIC_INT64,
    CONTENT_INT128 = PL_BASIC_INT128,
    CONTENT_FLOAT16 = PL_BASIC_FLOAT16,
    CONTENT_BFLOAT16 = PL_BASIC_BFLOAT16,
    CONTENT_FLOAT = PL_BASIC_FLOAT,
    CONTENT_DOUBLE = PL_BASIC_DOUBLE,
    CONTENT_LONG_DOUBLE = PL_BASIC_LONG_DOUBLE,
    CONTENT_FLOAT128 = PL_BASIC_FLOAT128,
    CONTENT_COMPLEX_FLOAT16 = PL_BASIC_FLOAT16,
    CONTENT_COMPLEX_FLOAT = PL_BASIC_FLOAT,
    CONTENT_COMPLEX_DOUBLE = PL_BASIC_DOUBLE,
    CONTENT_COMPLEX_LONG_DOUBLE = PL_BASIC_LONG_DOUBLE,
    CONTENT_COMPLEX_FLOAT128 = PL_BASIC_FLOAT128,
    CONTENT_BOOL = PL_BASIC_BOOL,
    CONTENT_LOGICAL8 = PL_BASIC_LOGICAL8,
    CONTENT_LOGICAL16 = PL_BASIC_LOGICAL16,
    CONTENT_LOGICAL32 = PL_BASIC_LOGICAL32,
    CONTENT_LOGICAL64 = PL_BASIC_LOGICAL64,
    CONTENT_LOGICAL128 = PL_BASIC_LOGICAL128,
    CONTENT_FLOAT_INT = PL_CONTENT_ANY,
    CONTENT_DOUBLE_INT = PL_CONTENT_ANY,
    CONTENT_LONG_INT = PL_CONTENT_ANY,
    CONTENT_INT_INT = PL_BASIC_INT32,
    CONTENT_SHORT_INT = PL_CONTENT_ANY,
    CONTENT_LONG_DOUBLE_INT = PL_CONTENT_ANY,
    CONTENT_FLOAT_FLOAT = PL_BASIC_FLOAT,
    CONTENT_DOUBLE_DOUBLE = PL_BASIC_DOUBLE,
};

#define TYPE(value, mpi_name, c_type, kind, group_)                                                          \
    [(value)&0xff] = {.size = sizeof(c_type),                                                                \
                      .extent = sizeof(c_type),                                                              \
                      .true_extent = sizeof(c_type),                                                         \
                      .align = _Alignof(c_type),                                                             \
                      .basic = PL_BASIC_##kind,                                                              \
                      .content = CONTENT_##kind,                                                             \
                      .group = PL_TYPES_##group_,                                                            \
                      .contiguous = true,                                                                    \
                      .predefined = true,                                                                    \
                      .committed = true,                                                                     \
                      .handle = (value),                                                                     \
                      .name = mpi_name}

#define PAIR(value, mpi_name, value_type, index_type, kind, lies)                                            \
    [(value)&0xff] = {.size = sizeof(value_type) + sizeof(index_type),                                       \
                      .extent = sizeof(struct {                                                              \
                          value_type v;                                                                      \
                          index_type i;                                                                      \
                      }),                                                                                    \
                      .true_extent = offsetof(                                                               \
                                         struct {                                                            \
                                             value_type v;                                                   \
                                             index_type i;                                                   \
                                         },                                                                  \
                                         i) +                                                                \
                                     sizeof(index_type),                                                     \
                      .align = _Alignof(struct {                                                             \
                          value_type v;                                                                      \
                          index_type i;                                                                      \
                      }),                                                                                    \
                      .program = lies,                                                                       \
                      .basic = PL_BASIC_##kind,                                                              \
                      .content = CONTENT_##kind,                                                             \
                      .group = PL_TYPES_PAIR,                                                                \
                      .contiguous = sizeof(value_type) + sizeof(index_type) == sizeof(struct {               \
                                        value_type v;                                                        \
                                        index_type i;                                                        \
                                    }),                                                                      \
                      .predefined = true,                                                                    \
                      .committed = true,                                                                     \
                      .handle = (value),                                                                     \
                      .name = mpi_name}

/* Fortran's 16-byte kinds, for which ISO C has no type: their storage. */
typedef struct {
    _Alignas(16) char bytes[16];
} sixteen;
typedef struct {
    _Alignas(16) char bytes[32];
} thirty_two;

_Static_assert(sizeof(short) == 2 && sizeof(int) == 4 && sizeof(long) == 8 && sizeof(long long) == 8 &&
                   sizeof(float) == 4 && sizeof(double) == 8 && sizeof(bool) == 1 && sizeof(void *) == 8,
               "the ABI's values here are those of LP64");

/* How the data of the pairs with a gap lies. */
static const struct pl_program twelve = {12, 1, 1, 0, {{.count = 1, .length = 12}}};
static const struct pl_program twenty = {20, 1, 1, 0, {{.count = 1, .length = 20}}};
static const struct pl_program short_and_int = {
    6, 2, 1, 0, {{.count = 1, .length = 2}, {.offset = 4, .count = 1, .length = 4, .before = 2}}};

/* clang-format off */
const struct pl_datatype pl_datatypes[256] = {
    TYPE(0x201, "MPI_AINT", intptr_t, INT64, MULTI_LANGUAGE),
    TYPE(0x202, "MPI_COUNT", int64_t, INT64, MULTI_LANGUAGE),
    TYPE(0x203, "MPI_OFFSET", int64_t, INT64, MULTI_LANGUAGE),
    TYPE(0x207, "MPI_PACKED", char, NONE, OTHER),

    TYPE(0x208, "MPI_SHORT", short, INT16, C_INTEGER),
    TYPE(0x209, "MPI_INT", int, INT32, C_INTEGER),
    TYPE(0x20a, "MPI_LONG", long, INT64, C_INTEGER),
    TYPE(0x20b, "MPI_LONG_LONG_INT", long long, INT64, C_INTEGER),
    TYPE(0x20c, "MPI_UNSIGNED_SHORT", unsigned short, UINT16, C_INTEGER),
    TYPE(0x20d, "MPI_UNSIGNED", unsigned, UINT32, C_INTEGER),
    TYPE(0x20e, "MPI_UNSIGNED_LONG", unsigned long, UINT64, C_INTEGER),
    TYPE(0x20f, "MPI_UNSIGNED_LONG_LONG", unsigned long long, UINT64, C_INTEGER),
    TYPE(0x240, "MPI_INT8_T", int8_t, INT8, C_INTEGER),
    TYPE(0x241, "MPI_UINT8_T", uint8_t, UINT8, C_INTEGER),
    TYPE(0x244, "MPI_SIGNED_CHAR", signed char, INT8, C_INTEGER),
    TYPE(0x245, "MPI_UNSIGNED_CHAR", unsigned char, UINT8, C_INTEGER),
    TYPE(0x248, "MPI_INT16_T", int16_t, INT16, C_INTEGER),
    TYPE(0x249, "MPI_UINT16_T", uint16_t, UINT16, C_INTEGER),
    TYPE(0x250, "MPI_INT32_T", int32_t, INT32, C_INTEGER),
    TYPE(0x251, "MPI_UINT32_T", uint32_t, UINT32, C_INTEGER),
    TYPE(0x258, "MPI_INT64_T", int64_t, INT64, C_INTEGER),
    TYPE(0x259, "MPI_UINT64_T", uint64_t, UINT64, C_INTEGER),

    TYPE(0x243, "MPI_CHAR", char, INT8, C_INTEGER),
    TYPE(0x23c, "MPI_WCHAR", wchar_t, NONE, OTHER),
    TYPE(0x247, "MPI_BYTE", unsigned char, BYTE, BYTE),
    TYPE(0x238, "MPI_C_BOOL", bool, BOOL, LOGICAL),
    TYPE(0x239, "MPI_CXX_BOOL", bool, BOOL, LOGICAL),

    TYPE(0x210, "MPI_FLOAT", float, FLOAT, FLOATING),
    TYPE(0x214, "MPI_DOUBLE", double, DOUBLE, FLOATING),
    TYPE(0x220, "MPI_LONG_DOUBLE", long double, LONG_DOUBLE, FLOATING),
    TYPE(0x2f0, "MPIX_C_FLOAT16", uint16_t, FLOAT16, FLOATING),
    TYPE(0x2f1, "MPIX_BFLOAT16", uint16_t, BFLOAT16, FLOATING),
    TYPE(0x212, "MPI_C_COMPLEX", float complex, COMPLEX_FLOAT, COMPLEX),
    TYPE(0x213, "MPI_CXX_FLOAT_COMPLEX", float complex, COMPLEX_FLOAT, COMPLEX),
    TYPE(0x216, "MPI_C_DOUBLE_COMPLEX", double complex, COMPLEX_DOUBLE, COMPLEX),
    TYPE(0x217, "MPI_CXX_DOUBLE_COMPLEX", double complex, COMPLEX_DOUBLE, COMPLEX),
    TYPE(0x224, "MPI_C_LONG_DOUBLE_COMPLEX", long double complex, COMPLEX_LONG_DOUBLE, COMPLEX),
    TYPE(0x225, "MPI_CXX_LONG_DOUBLE_COMPLEX", long double complex, COMPLEX_LONG_DOUBLE, COMPLEX),

    TYPE(0x218, "MPI_LOGICAL", int32_t, LOGICAL32, LOGICAL),
    TYPE(0x219, "MPI_INTEGER", int32_t, INT32, FORTRAN_INTEGER),
    TYPE(0x21a, "MPI_REAL", float, FLOAT, FLOATING),
    TYPE(0x21b, "MPI_COMPLEX", float complex, COMPLEX_FLOAT, COMPLEX),
    TYPE(0x21c, "MPI_DOUBLE_PRECISION", double, DOUBLE, FLOATING),
    TYPE(0x21d, "MPI_DOUBLE_COMPLEX", double complex, COMPLEX_DOUBLE, COMPLEX),
    TYPE(0x21e, "MPI_CHARACTER", char, INT8, C_INTEGER),

    TYPE(0x2c0, "MPI_LOGICAL1", int8_t, LOGICAL8, LOGICAL),
    TYPE(0x2c8, "MPI_LOGICAL2", int16_t, LOGICAL16, LOGICAL),
    TYPE(0x2d0, "MPI_LOGICAL4", int32_t, LOGICAL32, LOGICAL),
    TYPE(0x2d8, "MPI_LOGICAL8", int64_t, LOGICAL64, LOGICAL),
    TYPE(0x2e0, "MPI_LOGICAL16", sixteen, LOGICAL128, LOGICAL),
    TYPE(0x2c1, "MPI_INTEGER1", int8_t, INT8, FORTRAN_INTEGER),
    TYPE(0x2c9, "MPI_INTEGER2", int16_t, INT16, FORTRAN_INTEGER),
    TYPE(0x2d1, "MPI_INTEGER4", int32_t, INT32, FORTRAN_INTEGER),
    TYPE(0x2d9, "MPI_INTEGER8", int64_t, INT64, FORTRAN_INTEGER),
    TYPE(0x2e1, "MPI_INTEGER16", sixteen, INT128, FORTRAN_INTEGER),
    TYPE(0x2ca, "MPI_REAL2", uint16_t, FLOAT16, FLOATING),
    TYPE(0x2d2, "MPI_REAL4", float, FLOAT, FLOATING),
    TYPE(0x2da, "MPI_REAL8", double, DOUBLE, FLOATING),
    TYPE(0x2e2, "MPI_REAL16", sixteen, FLOAT128, FLOATING),
    TYPE(0x2d3, "MPI_COMPLEX4", uint16_t[2], COMPLEX_FLOAT16, COMPLEX),
    TYPE(0x2db, "MPI_COMPLEX8", float complex, COMPLEX_FLOAT, COMPLEX),
    TYPE(0x2e3, "MPI_COMPLEX16", double complex, COMPLEX_DOUBLE, COMPLEX),
    TYPE(0x2eb, "MPI_COMPLEX32", thirty_two, COMPLEX_FLOAT128, COMPLEX),

    PAIR(0x228, "MPI_FLOAT_INT", float, int, FLOAT_INT, NULL),
    PAIR(0x229, "MPI_DOUBLE_INT", double, int, DOUBLE_INT, &twelve),
    PAIR(0x22a, "MPI_LONG_INT", long, int, LONG_INT, &twelve),
    PAIR(0x22b, "MPI_2INT", int, int, INT_INT, NULL),
    PAIR(0x22c, "MPI_SHORT_INT", short, int, SHORT_INT, &short_and_int),
    PAIR(0x22d, "MPI_LONG_DOUBLE_INT", long double, int, LONG_DOUBLE_INT, &twenty),
    PAIR(0x230, "MPI_2REAL", float, float, FLOAT_FLOAT, NULL),
    PAIR(0x231, "MPI_2DOUBLE_PRECISION", double, double, DOUBLE_DOUBLE, NULL),
    PAIR(0x232, "MPI_2INTEGER", int32_t, int32_t, INT_INT, NULL),
};

static const char *const basic_names[PL_BASIC_COUNT] = {
    [PL_BASIC_NONE] = "none",
    [PL_BASIC_BYTE] = "byte",
    [PL_BASIC_INT8] = "int8",
    [PL_BASIC_INT16] = "int16",
    [PL_BASIC_INT32] = "int32",
    [PL_BASIC_INT64] = "int64",
    [PL_BASIC_UINT8] = "uint8",
    [PL_BASIC_UINT16] = "uint16",
    [PL_BASIC_UINT32] = "uint32",
    [PL_BASIC_UINT64] = "uint64",
    [PL_BASIC_INT128] = "int128",
    [PL_BASIC_FLOAT16] = "float16",
    [PL_BASIC_BFLOAT16] = "bfloat16",
    [PL_BASIC_FLOAT] = "float",
    [PL_BASIC_DOUBLE] = "double",
    [PL_BASIC_LONG_DOUBLE] = "long double",
    [PL_BASIC_FLOAT128] = "float128",
    [PL_BASIC_COMPLEX_FLOAT16] = "float16 complex",
    [PL_BASIC_COMPLEX_FLOAT] = "float complex",
    [PL_BASIC_COMPLEX_DOUBLE] = "double complex",
    [PL_BASIC_COMPLEX_LONG_DOUBLE] = "long double complex",
    [PL_BASIC_COMPLEX_FLOAT128] = "float128 complex",
    [PL_BASIC_BOOL] = "bool",
    [PL_BASIC_LOGICAL8] = "logical8",
    [PL_BASIC_LOGICAL16] = "logical16",
    [PL_BASIC_LOGICAL32] = "logical32",
    [PL_BASIC_LOGICAL64] = "logical64",
    [PL_BASIC_LOGICAL128] = "logical128",
    [PL_BASIC_FLOAT_INT] = "float and int",
    [PL_BASIC_DOUBLE_INT] = "double and int",
    [PL_BASIC_LONG_INT] = "long and int",
    [PL_BASIC_INT_INT] = "two int32",
    [PL_BASIC_SHORT_INT] = "short and int",
    [PL_BASIC_LONG_DOUBLE_INT] = "long double and int",
    [PL_BASIC_FLOAT_FLOAT] = "two floats",
    [PL_BASIC_DOUBLE_DOUBLE] = "two doubles",
};
/* clang-format on */

const char *pl_basic_name(enum pl_basic basic)
{
    return basic < PL_BASIC_COUNT ? basic_names[basic] : "unknown";
}
