/* Operators: which there are for which types, MPI_Reduce_local, operators of the user. */
#include "case.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    MPI_Op op;
} ops[] = {{"MPI_SUM", MPI_SUM},   {"MPI_MIN", MPI_MIN},       {"MPI_MAX", MPI_MAX},
           {"MPI_PROD", MPI_PROD}, {"MPI_BAND", MPI_BAND},     {"MPI_BOR", MPI_BOR},
           {"MPI_BXOR", MPI_BXOR}, {"MPI_LAND", MPI_LAND},     {"MPI_LOR", MPI_LOR},
           {"MPI_LXOR", MPI_LXOR}, {"MPI_MINLOC", MPI_MINLOC}, {"MPI_MAXLOC", MPI_MAXLOC}};
enum { OPS = 12 };

/* For each type the operators that are defined: arithmetic a, ordering o, bits b, logic l, pairs p.
 */
static const struct {
    const char *name;
    MPI_Datatype type;
    const char *groups;
} types[] = {
    {"MPI_INT", MPI_INT, "aobl"},
    {"MPI_UNSIGNED_CHAR", MPI_UNSIGNED_CHAR, "aobl"},
    {"MPI_INT64_T", MPI_INT64_T, "aobl"},
    {"MPI_SHORT", MPI_SHORT, "aobl"},
    {"MPI_FLOAT", MPI_FLOAT, "aol"},
    {"MPI_DOUBLE", MPI_DOUBLE, "aol"},
    {"MPI_LONG_DOUBLE", MPI_LONG_DOUBLE, "aol"},
    {"MPI_C_FLOAT_COMPLEX", MPI_C_FLOAT_COMPLEX, "a"},
    {"MPI_C_DOUBLE_COMPLEX", MPI_C_DOUBLE_COMPLEX, "a"},
    {"MPI_C_BOOL", MPI_C_BOOL, "l"},
    {"MPI_BYTE", MPI_BYTE, "b"},
    {"MPI_AINT", MPI_AINT, "aobl"},
    {"MPI_COUNT", MPI_COUNT, "aobl"},
    {"MPI_INTEGER", MPI_INTEGER, "aobl"},
    {"MPI_REAL", MPI_REAL, "aol"},
    {"MPI_LOGICAL", MPI_LOGICAL, "l"},
    {"MPI_FLOAT_INT", MPI_FLOAT_INT, "p"},
    {"MPI_SHORT_INT", MPI_SHORT_INT, "p"},
    {"MPI_LONG_DOUBLE_INT", MPI_LONG_DOUBLE_INT, "p"},
    {"MPI_2INT", MPI_2INT, "p"},
    {"MPI_CHAR", MPI_CHAR, "aobl"},
    {"MPI_WCHAR", MPI_WCHAR, ""},
    {"MPI_PACKED", MPI_PACKED, ""},
};

static char group_of(int op)
{
    return op == 0 || op == 3 ? 'a' : op < 3 ? 'o' : op < 7 ? 'b' : op < 10 ? 'l' : 'p';
}

/* Everything defined works, everything else is refused with both names. */
static void defined(void)
{
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int op = 0; op < OPS; op++) {
            _Alignas(16) char in[64] = {0}, out[64] = {0};
            if (strchr(types[t].groups, group_of(op)) && *types[t].groups) {
                OK(MPI_Allreduce(in, out, 2, types[t].type, ops[op].op, MPI_COMM_WORLD));
                OK(MPI_Reduce_local(in, out, 2, types[t].type, ops[op].op));
            } else {
                FAILS_WITH(MPI_ERR_OP, MPI_Allreduce(in, out, 2, types[t].type, ops[op].op, MPI_COMM_WORLD),
                           "MPI_Allreduce", ops[op].name, types[t].name);
                FAILS_WITH(MPI_ERR_OP, MPI_Reduce_local(in, out, 2, types[t].type, ops[op].op),
                           "MPI_Reduce_local", ops[op].name, types[t].name);
            }
        }
}

/* MPI_REPLACE and MPI_NO_OP are for accumulating into windows only. */
static void windows_only(void)
{
    int in = 1, out = 2;
    MPI_Request request;
    const MPI_Op two[] = {MPI_REPLACE, MPI_NO_OP};
    for (int k = 0; k < 2; k++) {
        const char *name = k ? "MPI_NO_OP" : "MPI_REPLACE";
        FAILS_WITH(MPI_ERR_OP, MPI_Allreduce(&in, &out, 1, MPI_INT, two[k], MPI_COMM_WORLD), name);
        FAILS_WITH(MPI_ERR_OP, MPI_Reduce(&in, &out, 1, MPI_INT, two[k], 0, MPI_COMM_WORLD), name);
        FAILS_WITH(MPI_ERR_OP, MPI_Iallreduce(&in, &out, 1, MPI_INT, two[k], MPI_COMM_WORLD, &request), name);
        FAILS_WITH(MPI_ERR_OP, MPI_Reduce_scatter_block(&in, &out, 1, MPI_INT, two[k], MPI_COMM_SELF), name);
        FAILS_WITH(MPI_ERR_OP, MPI_Reduce_local(&in, &out, 1, MPI_INT, two[k]), name);
        CHECK(out == 2, "%d", out);
    }
}

static void values(void)
{
    int n = world_size(), me = my_rank(), out;
    static const int expect_local[OPS] = {12 + 10, 10, 12, 120, 8, 14, 6, 1, 1, 0};
    for (int op = 0; op < 10; op++) {
        int in = 12, inout = 10;
        OK(MPI_Reduce_local(&in, &inout, 1, MPI_INT, ops[op].op));
        CHECK(inout == expect_local[op], "12 %s 10 gave %d", ops[op].name, inout);
    }
    double d = me + 0.5, product = 1, got;
    for (int r = 0; r < n; r++)
        product *= r + 0.5;
    OK(MPI_Allreduce(&d, &got, 1, MPI_DOUBLE, MPI_PROD, MPI_COMM_WORLD));
    CHECK(got > product * 0.999999 && got < product * 1.000001, "%g, not %g", got, product);
    int bit = 1 << me;
    OK(MPI_Allreduce(&bit, &out, 1, MPI_INT, MPI_BOR, MPI_COMM_WORLD));
    CHECK(out == (1 << n) - 1, "%x", (unsigned)out);
    int truth = me != n - 1;
    OK(MPI_Allreduce(&truth, &out, 1, MPI_INT, MPI_LAND, MPI_COMM_WORLD));
    CHECK(out == 0, "%d", out);
    OK(MPI_Allreduce(&truth, &out, 1, MPI_INT, MPI_LXOR, MPI_COMM_WORLD));
    CHECK(out == (n - 1) % 2, "%d", out);
}

static void concatenate(void *in, void *inout, int *count, MPI_Datatype *type)
{
    const int *left = in;
    int *right = inout;
    for (int i = 0; i < *count; i++)
        right[i] = left[i] * 3 + right[i];
}

static void concatenate_c(void *in, void *inout, MPI_Count *count, MPI_Datatype *type)
{
    int c = (int)*count;
    concatenate(in, inout, &c, type);
}

/* Operators of the user: commuting or not is told, the handle is of use until freed. */
static void user(void)
{
    MPI_Op op, old;
    int commute = -1, in[2] = {1, 2}, inout[2] = {4, 5};
    OK(MPI_Op_create(concatenate, 0, &op));
    OK(MPI_Op_commutative(op, &commute));
    CHECK(!commute, "%d", commute);
    OK(MPI_Op_commutative(MPI_SUM, &commute));
    CHECK(commute, "%d", commute);
    OK(MPI_Reduce_local(in, inout, 2, MPI_INT, op));
    CHECK(inout[0] == 7 && inout[1] == 11, "%d %d", inout[0], inout[1]);
    old = op;
    OK(MPI_Op_free(&op));
    CHECK(op == MPI_OP_NULL, "the handle is left");
    FAILS(MPI_ERR_OP, MPI_Reduce_local(in, inout, 2, MPI_INT, old));
    OK(MPI_Op_create_c(concatenate_c, 1, &op));
    OK(MPI_Reduce_local(in, inout, 2, MPI_INT, op));
    CHECK(inout[0] == 10 && inout[1] == 17, "%d %d", inout[0], inout[1]);
    OK(MPI_Op_free(&op));
    FAILS(MPI_ERR_OP, MPI_Op_free(&op));
    op = MPI_SUM;
    FAILS_WITH(MPI_ERR_OP, MPI_Op_free(&op), "MPI_SUM", "predefined");
    FAILS(MPI_ERR_ARG, MPI_Op_create(NULL, 1, &op));
}

/* Adds; asks MPI for the type's size on the way, as mpi4py does, whoever holds which lock. */
static void ask_and_add(void *in, void *inout, int *count, MPI_Datatype *type)
{
    MPI_Aint lb, extent;
    const char *from = in;
    char *to = inout;
    if (MPI_Type_get_extent(*type, &lb, &extent))
        return;
    for (int i = 0; i < *count; i++)
        *(int *)(to + i * extent) += *(const int *)(from + i * extent);
}

static void user_asks(void)
{
    MPI_Op op;
    int n, in[2] = {1, 2}, out[2] = {0, 0};
    MPI_Comm_size(MPI_COMM_WORLD, &n);
    OK(MPI_Op_create(ask_and_add, 1, &op));
    OK(MPI_Allreduce(in, out, 2, MPI_INT, op, MPI_COMM_WORLD));
    CHECK(out[0] == n && out[1] == 2 * n, "%d %d of %d ranks", out[0], out[1], n);
    OK(MPI_Reduce_local(in, out, 2, MPI_INT, op));
    CHECK(out[0] == n + 1 && out[1] == 2 * n + 2, "%d %d", out[0], out[1]);
    OK(MPI_Op_free(&op));
}

/* x -> a x + b, one after the other: associative, and the order matters. */
struct affine {
    unsigned a, b;
};

static void compose(void *in, void *inout, int *count, MPI_Datatype *type)
{
    const struct affine *first = in;
    struct affine *second = inout;
    for (int i = 0; i < *count; i++)
        second[i] = (struct affine){first[i].a * second[i].a, second[i].a * first[i].b + second[i].b};
}

static struct affine affine_of(int rank, int i)
{
    return (struct affine){2 * mix((unsigned)rank, (unsigned)i) + 1, mix((unsigned)i, (unsigned)rank + 7)};
}

static void check_composed(const struct affine *got, int first, int count, const char *what)
{
    for (int i = 0; i < count; i++) {
        struct affine want = affine_of(0, first + i);
        for (int r = 1; r < world_size(); r++) {
            struct affine next = affine_of(r, first + i);
            compose(&want, &next, &(int){1}, NULL);
            want = next;
        }
        if (!CHECK(got[i].a == want.a && got[i].b == want.b, "%s of %d: element %d", what, count, i))
            return;
    }
}

/* Each rank's block moves to the front of the buffer it lies in, over itself. */
static void user_in_place(void)
{
    static const int sizes[] = {1, 5, 900};
    int n = world_size(), me = my_rank();
    MPI_Op op;
    MPI_Datatype pair;
    OK(MPI_Op_create(compose, 0, &op));
    OK(MPI_Type_contiguous(2, MPI_UNSIGNED, &pair));
    OK(MPI_Type_commit(&pair));
    for (int k = 0; k < 3; k++) {
        int *counts = need((size_t)n * sizeof *counts), total = 0, mine = 0;
        for (int r = 0; r < n; total += counts[r++]) {
            counts[r] = sizes[k] + (r % 3 == 1 ? sizes[k] : r % 3);
            mine = r < me ? mine + counts[r] : mine;
        }
        struct affine *data = need((size_t)total * sizeof *data);
        for (int i = 0; i < total; i++)
            data[i] = affine_of(me, i);
        OK(MPI_Reduce_scatter(MPI_IN_PLACE, data, counts, pair, op, MPI_COMM_WORLD));
        check_composed(data, mine, counts[me], "MPI_Reduce_scatter");
        for (int i = 0; i < sizes[k] * n; i++)
            data[i] = affine_of(me, i);
        OK(MPI_Reduce_scatter_block(MPI_IN_PLACE, data, sizes[k], pair, op, MPI_COMM_WORLD));
        check_composed(data, sizes[k] * me, sizes[k], "MPI_Reduce_scatter_block");
        free(counts);
        free(data);
    }
    OK(MPI_Type_free(&pair));
    OK(MPI_Op_free(&op));
}

const struct test_case op_cases[] = {
    {"user_in_place", user_in_place, 1, 0},
    {"defined", defined, 1, 0},
    {"windows_only", windows_only, 1, 0},
    {"values", values, 1, 0},
    {"user", user, 1, 0},
    {"user_asks", user_asks, 1, 0},
    {0},
};
