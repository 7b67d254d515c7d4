/* Operators of the user: order of operands, the three forms of aliasing, counts
 * beyond int, elements that are larger than the scratch, the handle handed over. */
#include "op.h"

#include <mpi.h>

#include <criterion/criterion.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* 3 * in + inout: neither commutative nor symmetric, so that swapped operands show */
static void three_and_one(void *in, void *inout, int *count, uintptr_t *handle)
{
    cr_assert_eq(*handle, (uintptr_t)MPI_INT);
    for (int i = 0; i < *count; i++)
        ((int *)inout)[i] += 3 * ((int *)in)[i];
}

static void three_and_one_c(void *in, void *inout, int64_t *count, uintptr_t *handle)
{
    cr_assert_eq(*handle, (uintptr_t)MPI_INT);
    for (int64_t i = 0; i < *count; i++)
        ((int *)inout)[i] += 3 * ((int *)in)[i];
}

static void check_forms(const struct pl_op *op)
{
    const struct pl_datatype *type = pl_datatype_predefined((uintptr_t)MPI_INT);
    static const size_t counts[] = {0, 1, 5, 1023, 1024, 1025, 5000};
    enum { MOST = 5000 };
    int *left = calloc(MOST + 1, sizeof *left), *right = calloc(MOST + 1, sizeof *right),
        *out = calloc(MOST + 1, sizeof *out);
    cr_assert(pl_op_defined(op, type));
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (int form = 0; form < 3; form++) {
            size_t n = counts[c];
            int *result = form == 0 ? out : form == 1 ? left : right;
            for (size_t i = 0; i <= n; i++)
                left[i] = (int)i, right[i] = 1000 - (int)i, out[i] = -1;
            int guard = result[n];
            cr_assert_eq(pl_op_apply(op, type, left, right, result, n), 0);
            for (size_t i = 0; i < n; i++)
                cr_assert_eq(result[i], 3 * (int)i + 1000 - (int)i, "form %d, %zu of %zu: %d", form, i, n,
                             result[i]);
            cr_assert_eq(result[n], guard, "form %d wrote behind the end", form);
            for (size_t i = 0; i < n && form != 1; i++)
                cr_assert_eq(left[i], (int)i, "form %d wrote to left", form);
            for (size_t i = 0; i < n && form != 2; i++)
                cr_assert_eq(right[i], 1000 - (int)i, "form %d wrote to right", form);
        }
    free(left), free(right), free(out);
}

Test(op_user, operands_keep_their_sides)
{
    check_forms(&(struct pl_op){.kind = PL_OP_USER, .function = three_and_one});
}

Test(op_user, operands_keep_their_sides_with_large_counts)
{
    check_forms(&(struct pl_op){.kind = PL_OP_USER, .function_c = three_and_one_c});
}

/* Elements of no bytes let counts beyond int be tried without the memory. */
static void add_count(void *in, void *inout, int *count, uintptr_t *handle)
{
    cr_assert_gt(*count, 0);
    *(int64_t *)*handle += *count;
}

Test(op_user, counts_beyond_int_come_in_parts)
{
    int64_t seen = 0;
    char byte = 0, other = 0;
    struct pl_op op = {.kind = PL_OP_USER, .function = add_count};
    struct pl_datatype nothing = {.contiguous = true, .committed = true, .handle = (uintptr_t)&seen};
    size_t count = 2 * (size_t)INT_MAX + 5;
    cr_assert_eq(pl_op_apply(&op, &nothing, &byte, &other, &other, count), 0);
    cr_assert_eq(seen, (int64_t)count);
    seen = 0;
    cr_assert_eq(pl_op_apply(&op, &nothing, &byte, &other, &byte, count), 0);
    cr_assert_eq(seen, (int64_t)count);
}

/* An element of 10,000 bytes with a lower bound: bigger than the scratch on the stack. */
enum { BIG = 10000, LOWER = 8 };

static void subtract_bytes(void *in, void *inout, int *count, uintptr_t *handle)
{
    unsigned char *a = (unsigned char *)in + LOWER, *b = (unsigned char *)inout + LOWER;
    for (int i = 0; i < *count * BIG; i++)
        b[i] = (unsigned char)(a[i] - b[i]);
}

Test(op_user, elements_larger_than_the_scratch)
{
    struct pl_op op = {.kind = PL_OP_USER, .function = subtract_bytes};
    struct pl_datatype big = {.size = BIG, .lb = LOWER, .extent = BIG, .committed = true};
    unsigned char *left = malloc(3 * BIG), *right = malloc(3 * BIG), *out = malloc(3 * BIG);
    for (int form = 0; form < 3; form++) {
        unsigned char *result = form == 0 ? out : form == 1 ? left : right;
        for (int i = 0; i < 3 * BIG; i++)
            left[i] = (unsigned char)(i % 251), right[i] = (unsigned char)(i % 13);
        cr_assert_eq(pl_op_apply(&op, &big, left - LOWER, right - LOWER, result - LOWER, 3), 0);
        for (int i = 0; i < 3 * BIG; i++)
            cr_assert_eq(result[i], (unsigned char)(i % 251 - i % 13), "form %d, byte %d", form, i);
    }
    free(left), free(right), free(out);
}

Test(op_user, predefined_operators_refuse_derived_types)
{
    struct pl_datatype three_ints = {.size = 12, .extent = 12, .basic = PL_BASIC_INT32, .contiguous = true};
    cr_expect_not(pl_op_defined(pl_op_predefined((uintptr_t)MPI_SUM), &three_ints));
    cr_expect_not(pl_op_defined(pl_op_predefined((uintptr_t)MPI_REPLACE), &three_ints));
    cr_expect(pl_op_defined(&(struct pl_op){.kind = PL_OP_USER, .function = add_count}, &three_ints));
}
