/* The table of predefined datatypes against the C compiler's own idea of them, by
 * the handles that mpi.h gives users. */
#include "datatype.h"

#include <mpi.h>

#include <criterion/criterion.h>
#include <complex.h>
#include <stddef.h>
#include <wchar.h>

struct expected {
    MPI_Datatype type;
    const char *name;
    size_t size, extent;
    enum pl_basic basic;
};

#define SAME(type, c, basic)                                                                                 \
    {                                                                                                        \
        type, #type, sizeof(c), sizeof(c), PL_BASIC_##basic                                                  \
    }
#define BYTES(type, n, basic)                                                                                \
    {                                                                                                        \
        type, #type, n, n, PL_BASIC_##basic                                                                  \
    }

struct float_int {
    float value;
    int index;
};
struct double_int {
    double value;
    int index;
};
struct long_int {
    long value;
    int index;
};
struct short_int {
    short value;
    int index;
};
struct long_double_int {
    long double value;
    int index;
};

#define PAIR(type, c, bytes, basic)                                                                          \
    {                                                                                                        \
        type, #type, bytes, sizeof(c), PL_BASIC_##basic                                                      \
    }

static const struct expected table[] = {
    SAME(MPI_AINT, MPI_Aint, INT64),
    SAME(MPI_COUNT, MPI_Count, INT64),
    SAME(MPI_OFFSET, MPI_Offset, INT64),
    BYTES(MPI_PACKED, 1, NONE),
    SAME(MPI_SHORT, short, INT16),
    SAME(MPI_INT, int, INT32),
    SAME(MPI_LONG, long, INT64),
    SAME(MPI_LONG_LONG, long long, INT64),
    SAME(MPI_UNSIGNED_SHORT, unsigned short, UINT16),
    SAME(MPI_UNSIGNED, unsigned, UINT32),
    SAME(MPI_UNSIGNED_LONG, unsigned long, UINT64),
    SAME(MPI_UNSIGNED_LONG_LONG, unsigned long long, UINT64),
    SAME(MPI_FLOAT, float, FLOAT),
    SAME(MPI_C_FLOAT_COMPLEX, float complex, COMPLEX_FLOAT),
    SAME(MPI_CXX_FLOAT_COMPLEX, float complex, COMPLEX_FLOAT),
    SAME(MPI_DOUBLE, double, DOUBLE),
    SAME(MPI_C_DOUBLE_COMPLEX, double complex, COMPLEX_DOUBLE),
    SAME(MPI_CXX_DOUBLE_COMPLEX, double complex, COMPLEX_DOUBLE),
    BYTES(MPI_LOGICAL, 4, LOGICAL32),
    BYTES(MPI_INTEGER, 4, INT32),
    BYTES(MPI_REAL, 4, FLOAT),
    BYTES(MPI_COMPLEX, 8, COMPLEX_FLOAT),
    BYTES(MPI_DOUBLE_PRECISION, 8, DOUBLE),
    BYTES(MPI_DOUBLE_COMPLEX, 16, COMPLEX_DOUBLE),
    BYTES(MPI_CHARACTER, 1, INT8),
    SAME(MPI_LONG_DOUBLE, long double, LONG_DOUBLE),
    SAME(MPI_C_LONG_DOUBLE_COMPLEX, long double complex, COMPLEX_LONG_DOUBLE),
    SAME(MPI_CXX_LONG_DOUBLE_COMPLEX, long double complex, COMPLEX_LONG_DOUBLE),
    PAIR(MPI_FLOAT_INT, struct float_int, 8, FLOAT_INT),
    PAIR(MPI_DOUBLE_INT, struct double_int, 12, DOUBLE_INT),
    PAIR(MPI_LONG_INT, struct long_int, 12, LONG_INT),
    BYTES(MPI_2INT, 8, INT_INT),
    PAIR(MPI_SHORT_INT, struct short_int, 6, SHORT_INT),
    PAIR(MPI_LONG_DOUBLE_INT, struct long_double_int, sizeof(long double) + 4, LONG_DOUBLE_INT),
    BYTES(MPI_2REAL, 8, FLOAT_FLOAT),
    BYTES(MPI_2DOUBLE_PRECISION, 16, DOUBLE_DOUBLE),
    BYTES(MPI_2INTEGER, 8, INT_INT),
    SAME(MPI_C_BOOL, _Bool, BOOL),
    BYTES(MPI_CXX_BOOL, 1, BOOL),
    SAME(MPI_WCHAR, wchar_t, NONE),
    BYTES(MPI_INT8_T, 1, INT8),
    BYTES(MPI_UINT8_T, 1, UINT8),
    BYTES(MPI_CHAR, 1, INT8),
    BYTES(MPI_SIGNED_CHAR, 1, INT8),
    BYTES(MPI_UNSIGNED_CHAR, 1, UINT8),
    BYTES(MPI_BYTE, 1, BYTE),
    BYTES(MPI_INT16_T, 2, INT16),
    BYTES(MPI_UINT16_T, 2, UINT16),
    BYTES(MPI_INT32_T, 4, INT32),
    BYTES(MPI_UINT32_T, 4, UINT32),
    BYTES(MPI_INT64_T, 8, INT64),
    BYTES(MPI_UINT64_T, 8, UINT64),
    BYTES(MPI_LOGICAL1, 1, LOGICAL8),
    BYTES(MPI_INTEGER1, 1, INT8),
    BYTES(MPI_LOGICAL2, 2, LOGICAL16),
    BYTES(MPI_INTEGER2, 2, INT16),
    BYTES(MPI_REAL2, 2, FLOAT16),
    BYTES(MPI_LOGICAL4, 4, LOGICAL32),
    BYTES(MPI_INTEGER4, 4, INT32),
    BYTES(MPI_REAL4, 4, FLOAT),
    BYTES(MPI_COMPLEX4, 4, COMPLEX_FLOAT16),
    BYTES(MPI_LOGICAL8, 8, LOGICAL64),
    BYTES(MPI_INTEGER8, 8, INT64),
    BYTES(MPI_REAL8, 8, DOUBLE),
    BYTES(MPI_COMPLEX8, 8, COMPLEX_FLOAT),
    BYTES(MPI_LOGICAL16, 16, LOGICAL128),
    BYTES(MPI_INTEGER16, 16, INT128),
    BYTES(MPI_REAL16, 16, FLOAT128),
    BYTES(MPI_COMPLEX16, 16, COMPLEX_DOUBLE),
    BYTES(MPI_COMPLEX32, 32, COMPLEX_FLOAT128),
    BYTES(MPIX_C_FLOAT16, 2, FLOAT16),
    BYTES(MPIX_BFLOAT16, 2, BFLOAT16),
};
enum { ROWS = sizeof table / sizeof *table };

Test(datatype, every_predefined_type_is_as_c_has_it)
{
    for (int i = 0; i < ROWS; i++) {
        const struct expected *e = &table[i];
        const struct pl_datatype *type = pl_datatype_predefined((uintptr_t)e->type);
        cr_assert(type, "%s is missing", e->name);
        cr_expect_str_eq(type->name, e->name);
        cr_expect_eq(type->handle, (uintptr_t)e->type, "%s has another handle", e->name);
        cr_expect_eq(type->size, e->size, "%s has size %zu", e->name, type->size);
        cr_expect_eq(type->extent, (ptrdiff_t)e->extent, "%s has extent %td", e->name, type->extent);
        cr_expect_eq(type->lb, 0);
        cr_expect_eq(type->basic, e->basic, "%s is %s", e->name, pl_basic_name(type->basic));
        cr_expect_eq(type->contiguous, e->size == e->extent, "%s: contiguous is wrong", e->name);
        cr_expect(type->predefined && type->committed, "%s", e->name);
    }
}

Test(datatype, no_other_value_is_a_type)
{
    for (uintptr_t handle = 0; handle < 0x1000; handle++) {
        bool listed = false;
        for (int i = 0; i < ROWS; i++)
            listed |= (uintptr_t)table[i].type == handle;
        cr_expect_eq(pl_datatype_predefined(handle) != NULL, listed, "handle %#zx", (size_t)handle);
    }
    cr_expect_not(pl_datatype_predefined((uintptr_t)MPI_DATATYPE_NULL));
    cr_expect_not(pl_datatype_predefined((uintptr_t)&table));
}

/* In two ranges the ABI writes the size into the value itself. */
Test(datatype, sizes_agree_with_those_in_the_values)
{
    for (uintptr_t handle = 0x200; handle < 0x2f0; handle++) {
        const struct pl_datatype *type = pl_datatype_predefined(handle);
        if (type && ((handle >= 0x240 && handle < 0x260) || handle >= 0x2c0))
            cr_expect_eq(type->size, (size_t)1 << ((handle >> 3) & 7), "%s", type->name);
    }
}

Test(datatype, every_basic_kind_has_a_name)
{
    for (int basic = 0; basic < PL_BASIC_COUNT; basic++)
        cr_expect(pl_basic_name((enum pl_basic)basic), "basic kind %d", basic);
    cr_expect_str_eq(pl_basic_name(PL_BASIC_INT32), "int32");
}
