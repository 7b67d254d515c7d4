/* Datatypes in messages: what is sent with one type and received with another, over every
 * protocol; bounds, envelopes and contents; absolute addresses; arrays. How the pack engine
 * itself does is tested in tests/p2p. */
#include "case.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void ring(const void *out, int out_count, MPI_Datatype out_type, void *in, int in_count,
                 MPI_Datatype in_type, MPI_Status *status)
{
    int n = world_size(), me = my_rank();
    OK(MPI_Sendrecv(out, out_count, out_type, (me + 1) % n, 3, in, in_count, in_type, (me + n - 1) % n, 3,
                    MPI_COMM_WORLD, status));
}

/* Columns of a matrix, sent as columns or as numbers, received as numbers or as columns. */
static void columns(void)
{
    static const int rows[] = {1, 2, 60, 512, 513, 1024, 9000, 100000};
    enum { WIDTH = 3 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int n = rows[i];
        if (n > 9000 && (world_size() > 5 || frugal()))
            continue;
        double *from = need((size_t)n * WIDTH * sizeof *from), *to = need((size_t)n * WIDTH * sizeof *to);
        MPI_Datatype column;
        OK(MPI_Type_vector(n, 1, WIDTH, MPI_DOUBLE, &column));
        OK(MPI_Type_commit(&column));
        for (int form = 0; form < 3; form++) {
            bool typed_send = form != 1, typed_recv = form != 0;
            for (int k = 0; k < n * WIDTH; k++) {
                from[k] = k + 1e6 * my_rank();
                to[k] = -1;
            }
            MPI_Status status;
            ring(from + 1, typed_send ? 1 : n, typed_send ? column : MPI_DOUBLE, to + 1, typed_recv ? 1 : n,
                 typed_recv ? column : MPI_DOUBLE, &status);
            int left = (my_rank() + world_size() - 1) % world_size(), wrong = 0;
            int count;
            OK(MPI_Get_count(&status, typed_recv ? column : MPI_DOUBLE, &count));
            CHECK(count == (typed_recv ? 1 : n), "%d rows: count %d", n, count);
            OK(MPI_Get_elements(&status, column, &count));
            CHECK(count == n, "%d rows: %d elements", n, count);
            for (int k = 0; k < n; k++) {
                double sent = (typed_send ? 1 + k * WIDTH : 1 + k) + 1e6 * left;
                wrong += to[typed_recv ? 1 + k * WIDTH : 1 + k] != sent;
            }
            int touched = 0;
            for (int k = 0; k < n * WIDTH; k++)
                touched += to[k] != -1;
            CHECK(wrong == 0 && touched == n, "%d rows, form %d: %d wrong, %d touched", n, form, wrong,
                  touched);
        }
        OK(MPI_Type_free(&column));
        CHECK(column == MPI_DATATYPE_NULL, "the handle is left");
        free(from);
        free(to);
    }
}

struct particle {
    double x[3];
    char kind;
    int id;
    short pad[3];
};

static MPI_Datatype particle_type(void)
{
    struct particle p = {0};
    MPI_Aint base, at[4];
    OK(MPI_Get_address(&p, &base));
    OK(MPI_Get_address(&p.x, &at[0]));
    OK(MPI_Get_address(&p.kind, &at[1]));
    OK(MPI_Get_address(&p.id, &at[2]));
    OK(MPI_Get_address(&p.pad, &at[3]));
    for (int i = 0; i < 4; i++)
        at[i] = MPI_Aint_diff(at[i], base);
    int lengths[] = {3, 1, 1, 3};
    MPI_Datatype types[] = {MPI_DOUBLE, MPI_CHAR, MPI_INT, MPI_SHORT}, made;
    OK(MPI_Type_create_struct(4, lengths, at, types, &made));
    OK(MPI_Type_commit(&made));
    return made;
}

static void structures(void)
{
    enum { MANY = 5000 };
    MPI_Datatype type = particle_type();
    MPI_Count lb, extent, true_lb, true_extent, size;
    OK(MPI_Type_get_extent_c(type, &lb, &extent));
    OK(MPI_Type_get_true_extent_c(type, &true_lb, &true_extent));
    OK(MPI_Type_size_c(type, &size));
    CHECK(lb == 0 && extent == (MPI_Count)sizeof(struct particle), "extent %lld", (long long)extent);
    CHECK(true_lb == 0 && true_extent == (MPI_Count)(offsetof(struct particle, pad) + 6), "%lld",
          (long long)true_extent);
    CHECK(size == 24 + 1 + 4 + 6, "size %lld", (long long)size);
    struct particle *from = need(MANY * sizeof *from), *to = need(MANY * sizeof *to);
    static const int counts[] = {0, 1, 7, MANY};
    for (int i = 0; i < 4; i++) {
        int n = counts[i], left = (my_rank() + world_size() - 1) % world_size(), wrong = 0, count;
        memset(to, 0x55, MANY * sizeof *to);
        for (int k = 0; k < n; k++)
            from[k] = (struct particle){{k, 2 * k, my_rank()}, (char)k, k * 3, {1, 2, (short)k}};
        MPI_Status status;
        ring(from, n, type, to, MANY, type, &status);
        for (int k = 0; k < n; k++)
            wrong += to[k].x[1] != 2 * k || to[k].x[2] != left || to[k].kind != (char)k ||
                     to[k].id != 3 * k || to[k].pad[2] != (short)k;
        CHECK(!wrong, "%d of %d wrong", wrong, n);
        CHECK(n == MANY || ((unsigned char *)&to[n])[0] == 0x55, "written beyond %d", n);
        OK(MPI_Get_count(&status, type, &count));
        CHECK(count == n, "count %d", count);
        OK(MPI_Get_elements(&status, type, &count));
        CHECK(count == 8 * n, "elements %d", count);
    }
    OK(MPI_Type_free(&type));
    free(from);
    free(to);
}

/* Half a structure arrives: no count, but elements. */
static void parts_of_elements(void)
{
    struct {
        double d;
        int i;
    } pair[2];
    MPI_Status status;
    char bytes[28] = {0};
    int count;
    static const struct {
        int bytes, count, elements;
    } rows[] = {{0, 0, 0}, {8, MPI_UNDEFINED, 1}, {12, 1, 2}, {20, MPI_UNDEFINED, 3}, {24, 2, 4}};
    for (int i = 0; i < 5; i++) {
        ring(bytes, rows[i].bytes, MPI_BYTE, pair, 2, MPI_DOUBLE_INT, &status);
        OK(MPI_Get_count(&status, MPI_DOUBLE_INT, &count));
        CHECK(count == rows[i].count, "%d bytes: count %d", rows[i].bytes, count);
        OK(MPI_Get_elements(&status, MPI_DOUBLE_INT, &count));
        CHECK(count == rows[i].elements, "%d bytes: elements %d", rows[i].bytes, count);
    }
    ring(bytes, 5, MPI_BYTE, pair, 2, MPI_DOUBLE_INT, &status);
    OK(MPI_Get_elements(&status, MPI_DOUBLE_INT, &count));
    CHECK(count == MPI_UNDEFINED, "elements %d of 5 bytes", count);
    OK(MPI_Status_set_elements(&status, MPI_DOUBLE_INT, 3));
    OK(MPI_Get_elements(&status, MPI_DOUBLE_INT, &count));
    CHECK(count == 3, "elements %d, set to 3", count);
}

/* Pairs with a gap travel as their numbers: they can be received as such. */
static void pairs_travel_packed(void)
{
    struct {
        short s;
        int i;
    } pairs[3] = {{1, 10}, {2, 20}, {3, 30}};
    char bytes[18];
    MPI_Status status;
    ring(pairs, 3, MPI_SHORT_INT, bytes, 18, MPI_BYTE, &status);
    CHECK_STATUS(&status, (my_rank() + world_size() - 1) % world_size(), 3, MPI_BYTE, 18);
    int i;
    memcpy(&i, bytes + 6 + 2, sizeof i);
    CHECK(i == 20, "%d", i);
}

static void absolute_addresses(void)
{
    int a = 10 + my_rank(), b[3] = {1, 2, 3}, c = 0, d[3] = {0};
    MPI_Aint at[2];
    int lengths[] = {1, 3};
    MPI_Datatype types[] = {MPI_INT, MPI_INT}, from, to, one;
    OK(MPI_Get_address(&a, &at[0]));
    OK(MPI_Get_address(b, &at[1]));
    OK(MPI_Type_create_struct(2, lengths, at, types, &from));
    OK(MPI_Type_commit(&from));
    OK(MPI_Get_address(&c, &at[0]));
    OK(MPI_Get_address(d, &at[1]));
    OK(MPI_Type_create_hindexed(2, lengths, at, MPI_INT, &to));
    OK(MPI_Type_commit(&to));
    MPI_Status status;
    ring(MPI_BOTTOM, 1, from, MPI_BOTTOM, 1, to, &status);
    CHECK(c == 10 + (my_rank() + world_size() - 1) % world_size() && d[0] == 1 && d[2] == 3, "%d %d %d", c,
          d[0], d[2]);
    OK(MPI_Type_create_hindexed(1, lengths, at, MPI_INT, &one)); /* one block that does not begin at 0 */
    OK(MPI_Type_commit(&one));
    ring(&a, 1, MPI_INT, MPI_BOTTOM, 1, one, &status);
    OK(MPI_Type_free(&from));
    OK(MPI_Type_free(&to));
    OK(MPI_Type_free(&one));
    FAILS(MPI_ERR_BUFFER, MPI_Send(MPI_BOTTOM, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD));
}

/* A type may be freed while a message with it is under way. */
static void freed_under_way(void)
{
    enum { N = 30000 };
    int n = world_size(), me = my_rank();
    int *from = need(2 * N * sizeof *from), *to = need(2 * N * sizeof *to);
    for (int i = 0; i < 2 * N; i++)
        from[i] = i;
    MPI_Datatype every_second;
    OK(MPI_Type_vector(N, 1, 2, MPI_INT, &every_second));
    OK(MPI_Type_commit(&every_second));
    MPI_Request requests[2];
    OK(MPI_Isend(from, 1, every_second, (me + 1) % n, 0, MPI_COMM_WORLD, &requests[0]));
    OK(MPI_Barrier(MPI_COMM_WORLD));
    OK(MPI_Irecv(to, 1, every_second, (me + n - 1) % n, 0, MPI_COMM_WORLD, &requests[1]));
    OK(MPI_Type_free(&every_second));
    OK(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE));
    int wrong = 0;
    for (int i = 0; i < N; i++)
        wrong += to[2 * i] != 2 * i;
    CHECK(!wrong, "%d wrong", wrong);
    free(from);
    free(to);
}

static void truncated(void)
{
    enum { N = 20000 };
    int n = world_size(), me = my_rank();
    static const int sizes[] = {8, N};
    for (int i = 0; i < 2; i++) {
        int *from = need(2 * N * sizeof *from), *to = need(2 * N * sizeof *to);
        memset(to, 0xff, 2 * N * sizeof *to);
        MPI_Datatype every_second, less;
        OK(MPI_Type_vector(sizes[i], 1, 2, MPI_INT, &every_second));
        OK(MPI_Type_commit(&every_second));
        OK(MPI_Type_vector(sizes[i] / 2, 1, 2, MPI_INT, &less));
        OK(MPI_Type_commit(&less));
        MPI_Request request;
        OK(MPI_Irecv(to, 1, less, (me + n - 1) % n, 0, MPI_COMM_WORLD, &request));
        OK(MPI_Send(from, 1, every_second, (me + 1) % n, 0, MPI_COMM_WORLD));
        FAILS(MPI_ERR_TRUNCATE, MPI_Wait(&request, MPI_STATUS_IGNORE));
        CHECK(to[sizes[i]] == -1, "written beyond");
        OK(MPI_Type_free(&every_second));
        OK(MPI_Type_free(&less));
        free(from);
        free(to);
    }
}

static void wrong_arguments(void)
{
    MPI_Datatype type;
    int one = 1, minus = -1;
    MPI_Aint zero = 0;
    FAILS(MPI_ERR_COUNT, MPI_Type_contiguous(-1, MPI_INT, &type));
    FAILS(MPI_ERR_TYPE, MPI_Type_contiguous(1, MPI_DATATYPE_NULL, &type));
    FAILS(MPI_ERR_ARG, MPI_Type_vector(1, -1, 1, MPI_INT, &type));
    FAILS(MPI_ERR_ARG, MPI_Type_indexed(1, &minus, &one, MPI_INT, &type));
    FAILS(MPI_ERR_ARG, MPI_Type_indexed(1, NULL, &one, MPI_INT, &type));
    FAILS(MPI_ERR_TYPE, MPI_Type_create_struct(1, &one, &zero, &(MPI_Datatype){MPI_DATATYPE_NULL}, &type));
    type = MPI_INT;
    FAILS(MPI_ERR_TYPE, MPI_Type_free(&type));
    OK(MPI_Type_vector(2, 1, 2, MPI_INT, &type));
    int numbers[4] = {0};
    FAILS(MPI_ERR_TYPE, MPI_Send(numbers, 1, type, MPI_PROC_NULL, 0, MPI_COMM_WORLD));
    OK(MPI_Type_commit(&type));
    OK(MPI_Send(numbers, 1, type, MPI_PROC_NULL, 0, MPI_COMM_WORLD));
    MPI_Datatype stale = type;
    OK(MPI_Type_free(&type));
    FAILS(MPI_ERR_TYPE, MPI_Type_commit(&stale));
}

/* Reads a type's contents back; the four numbers are those of the envelope. */
static void check_contents(MPI_Datatype type, int combiner, int ni, const int *ints, int na,
                           const MPI_Aint *addresses, int nd, MPI_Datatype first)
{
    int i, a, d, c, got_ints[32];
    MPI_Aint got_addresses[32];
    MPI_Datatype got_types[8];
    OK(MPI_Type_get_envelope(type, &i, &a, &d, &c));
    if (!CHECK(i == ni && a == na && d == nd && c == combiner, "%d %d %d combiner %d", i, a, d, c))
        return;
    OK(MPI_Type_get_contents(type, 32, 32, 8, got_ints, got_addresses, got_types));
    for (i = 0; i < ni; i++)
        CHECK(got_ints[i] == ints[i], "combiner %d: integer %d is %d", c, i, got_ints[i]);
    for (i = 0; i < na; i++)
        CHECK(got_addresses[i] == addresses[i], "combiner %d: address %d", c, i);
    CHECK(nd == 0 || got_types[0] == first, "combiner %d: the type is another", c);
    MPI_Type_free(&type);
}

static void contents(void)
{
    MPI_Datatype t;
    int lengths[] = {2, 1}, at[] = {0, 4}, sizes[] = {4, 6}, subsizes[] = {2, 3}, starts[] = {1, 2};
    MPI_Aint bytes[] = {0, 40};
    MPI_Datatype types[] = {MPI_INT, MPI_DOUBLE};
    OK(MPI_Type_contiguous(5, MPI_INT, &t));
    check_contents(t, MPI_COMBINER_CONTIGUOUS, 1, (int[]){5}, 0, NULL, 1, MPI_INT);
    OK(MPI_Type_vector(5, 2, 3, MPI_INT, &t));
    check_contents(t, MPI_COMBINER_VECTOR, 3, (int[]){5, 2, 3}, 0, NULL, 1, MPI_INT);
    OK(MPI_Type_create_hvector(5, 2, 30, MPI_INT, &t));
    check_contents(t, MPI_COMBINER_HVECTOR, 2, (int[]){5, 2}, 1, (MPI_Aint[]){30}, 1, MPI_INT);
    OK(MPI_Type_indexed(2, lengths, at, MPI_INT, &t));
    check_contents(t, MPI_COMBINER_INDEXED, 5, (int[]){2, 2, 1, 0, 4}, 0, NULL, 1, MPI_INT);
    OK(MPI_Type_create_hindexed(2, lengths, bytes, MPI_INT, &t));
    check_contents(t, MPI_COMBINER_HINDEXED, 3, (int[]){2, 2, 1}, 2, bytes, 1, MPI_INT);
    OK(MPI_Type_create_indexed_block(2, 3, at, MPI_INT, &t));
    check_contents(t, MPI_COMBINER_INDEXED_BLOCK, 4, (int[]){2, 3, 0, 4}, 0, NULL, 1, MPI_INT);
    OK(MPI_Type_create_hindexed_block(2, 3, bytes, MPI_INT, &t));
    check_contents(t, MPI_COMBINER_HINDEXED_BLOCK, 2, (int[]){2, 3}, 2, bytes, 1, MPI_INT);
    OK(MPI_Type_create_struct(2, lengths, bytes, types, &t));
    check_contents(t, MPI_COMBINER_STRUCT, 3, (int[]){2, 2, 1}, 2, bytes, 2, MPI_INT);
    OK(MPI_Type_create_subarray(2, sizes, subsizes, starts, MPI_ORDER_C, MPI_INT, &t));
    check_contents(t, MPI_COMBINER_SUBARRAY, 8, (int[]){2, 4, 6, 2, 3, 1, 2, MPI_ORDER_C}, 0, NULL, 1,
                   MPI_INT);
    OK(MPI_Type_create_darray(4, 3, 1, (int[]){10}, (int[]){MPI_DISTRIBUTE_BLOCK},
                              (int[]){MPI_DISTRIBUTE_DFLT_DARG}, (int[]){4}, MPI_ORDER_C, MPI_INT, &t));
    check_contents(t, MPI_COMBINER_DARRAY, 8,
                   (int[]){4, 3, 1, 10, MPI_DISTRIBUTE_BLOCK, MPI_DISTRIBUTE_DFLT_DARG, 4, MPI_ORDER_C}, 0,
                   NULL, 1, MPI_INT);
    OK(MPI_Type_create_resized(MPI_INT, -4, 16, &t));
    check_contents(t, MPI_COMBINER_RESIZED, 0, NULL, 2, (MPI_Aint[]){-4, 16}, 1, MPI_INT);
    OK(MPI_Type_dup(MPI_INT, &t));
    check_contents(t, MPI_COMBINER_DUP, 0, NULL, 0, NULL, 1, MPI_INT);
    OK(MPI_Type_create_f90_integer(9, &t));
    FAILS(MPI_ERR_TYPE, MPI_Type_free(&t));
    int i, a, d, c;
    OK(MPI_Type_get_envelope(MPI_INT, &i, &a, &d, &c));
    CHECK(c == MPI_COMBINER_NAMED && !i && !a && !d, "combiner %d", c);
    FAILS(MPI_ERR_TYPE, MPI_Type_get_contents(MPI_INT, 0, 0, 0, &i, NULL, NULL));
}

/* Bounds set to what they were: the data stays in one piece, and goes as such. */
static void resized_to_itself(void)
{
    MPI_Datatype pair, types[3];
    int in[4] = {1, 2, 3, 4}, rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    OK(MPI_Type_contiguous(2, MPI_INT, &pair));
    OK(MPI_Type_create_resized(MPI_INT, 0, sizeof(int), &types[0]));
    OK(MPI_Type_create_resized(pair, 0, 2 * sizeof(int), &types[1]));
    OK(MPI_Type_create_resized(types[1], 0, 2 * sizeof(int), &types[2]));
    for (int i = 0; i < 3; i++) {
        int out[4] = {0}, count = i ? 2 : 4;
        OK(MPI_Type_commit(&types[i]));
        OK(MPI_Sendrecv(in, count, types[i], rank, 0, out, count, types[i], rank, 0, MPI_COMM_WORLD,
                        MPI_STATUS_IGNORE));
        CHECK(!memcmp(in, out, sizeof in), "type %d", i);
        OK(MPI_Bcast(out, count, types[i], 0, MPI_COMM_WORLD));
    }
    for (int i = 0; i < 3; i++)
        OK(MPI_Type_free(&types[i]));
    OK(MPI_Type_free(&pair));
}

static void contents_with_large_counts(void)
{
    MPI_Datatype t;
    MPI_Count ni, na, nc, nd, got[8];
    int combiner, narrow, ints[8];
    MPI_Aint addresses[8];
    MPI_Datatype types[8];
    OK(MPI_Type_create_hvector_c(5, 2, (MPI_Count)1 << 40, MPI_INT, &t));
    OK(MPI_Type_get_envelope_c(t, &ni, &na, &nc, &nd, &combiner));
    CHECK(ni == 0 && na == 0 && nc == 3 && nd == 1 && combiner == MPI_COMBINER_HVECTOR, "%d", (int)nc);
    OK(MPI_Type_get_contents_c(t, 8, 8, 8, 8, ints, addresses, got, types));
    CHECK(got[0] == 5 && got[1] == 2 && got[2] == (MPI_Count)1 << 40 && types[0] == MPI_INT, "contents");
    FAILS(MPI_ERR_TYPE, MPI_Type_get_envelope(t, &narrow, &narrow, &narrow, &combiner));
    OK(MPI_Type_free(&t));
    OK(MPI_Type_contiguous_c((MPI_Count)1 << 33, MPI_INT, &t));
    OK(MPI_Type_size(t, &narrow));
    CHECK(narrow == MPI_UNDEFINED, "size %d", narrow);
    OK(MPI_Type_size_c(t, &ni));
    CHECK(ni == (MPI_Count)1 << 35, "size %lld", (long long)ni);
    OK(MPI_Type_free(&t));
    FAILS(MPI_ERR_ARG, MPI_Type_contiguous_c((MPI_Count)1 << 62, MPI_INT, &t));
}

/* Types that contain a freed one stay whole, and give it back. */
static void contents_outlive_handles(void)
{
    MPI_Datatype inner, outer, again, deeper;
    int count;
    OK(MPI_Type_vector(2, 1, 2, MPI_INT, &inner));
    OK(MPI_Type_contiguous(3, inner, &outer));
    OK(MPI_Type_free(&inner));
    OK(MPI_Type_get_contents(outer, 1, 0, 1, &count, NULL, &again));
    CHECK(count == 3, "count %d", count);
    int three[3];
    OK(MPI_Type_get_contents(again, 3, 0, 1, three, NULL, &deeper));
    CHECK(three[0] == 2 && three[2] == 2 && deeper == MPI_INT, "the vector is another");
    OK(MPI_Type_get_contents(outer, 1, 0, 1, &count, NULL, &inner)); /* once more, and each is freed */
    OK(MPI_Type_free(&again));
    OK(MPI_Type_size(inner, &count));
    CHECK(count == 8, "size %d", count);
    OK(MPI_Type_free(&inner));
    OK(MPI_Type_free(&outer));
}

static void bounds(void)
{
    MPI_Datatype t, u;
    MPI_Aint lb, extent;
    OK(MPI_Type_create_resized(MPI_INT, -3, 11, &t));
    OK(MPI_Type_contiguous(2, t, &u));
    OK(MPI_Type_get_extent(u, &lb, &extent));
    CHECK(lb == -3 && extent == 22, "%ld %ld", (long)lb, (long)extent);
    OK(MPI_Type_get_true_extent(u, &lb, &extent));
    CHECK(lb == 0 && extent == 15, "%ld %ld", (long)lb, (long)extent);
    OK(MPI_Type_free(&u));
    OK(MPI_Type_vector(2, 1, -2, t, &u)); /* backwards */
    OK(MPI_Type_get_extent(u, &lb, &extent));
    CHECK(lb == -25 && extent == 33, "%ld %ld", (long)lb, (long)extent);
    OK(MPI_Type_free(&u));
    OK(MPI_Type_free(&t));
    MPI_Aint at[] = {0, 8};
    int lengths[] = {1, 1};
    MPI_Datatype types[] = {MPI_DOUBLE, MPI_CHAR};
    OK(MPI_Type_create_struct(2, lengths, at, types, &t));
    OK(MPI_Type_get_extent(t, &lb, &extent));
    CHECK(lb == 0 && extent == 16, "%ld %ld", (long)lb, (long)extent);
    OK(MPI_Type_free(&t));
    OK(MPI_Type_contiguous(0, MPI_INT, &t));
    OK(MPI_Type_get_extent(t, &lb, &extent));
    CHECK(lb == 0 && extent == 0, "%ld %ld", (long)lb, (long)extent);
    OK(MPI_Type_free(&t));
}

/* A box out of an array of three dimensions, checked element by element, in both orders. */
static void subarrays(void)
{
    int sizes[] = {4, 5, 6}, subsizes[] = {2, 3, 4}, starts[] = {1, 2, 1};
    for (int fortran = 0; fortran < 2; fortran++) {
        int order = fortran ? MPI_ORDER_FORTRAN : MPI_ORDER_C, packed[24], array[120], position = 0, at = 0,
            wrong = 0;
        MPI_Datatype box;
        OK(MPI_Type_create_subarray(3, sizes, subsizes, starts, order, MPI_INT, &box));
        OK(MPI_Type_commit(&box));
        for (int i = 0; i < 120; i++)
            array[i] = i;
        OK(MPI_Pack(array, 1, box, packed, sizeof packed, &position, MPI_COMM_WORLD));
        int fast = fortran ? 0 : 2, slow = 2 - fast, stride[3];
        stride[fast] = 1;
        stride[1] = sizes[fast];
        stride[slow] = sizes[fast] * sizes[1];
        for (int i = 0; i < subsizes[slow]; i++)
            for (int j = 0; j < subsizes[1]; j++)
                for (int k = 0; k < subsizes[fast]; k++)
                    wrong += packed[at++] != (starts[slow] + i) * stride[slow] + (starts[1] + j) * stride[1] +
                                                 (starts[fast] + k) * stride[fast];
        CHECK(!wrong && position == (int)sizeof packed, "order %d: %d wrong", order, wrong);
        MPI_Aint lb, extent;
        OK(MPI_Type_get_extent(box, &lb, &extent));
        CHECK(lb == 0 && extent == 480, "extent %ld", (long)extent);
        OK(MPI_Type_free(&box));
    }
    MPI_Datatype none;
    FAILS(MPI_ERR_ARG, MPI_Type_create_subarray(3, sizes, sizes, starts, MPI_ORDER_C, MPI_INT, &none));
}

/* Which process of the grid has element `at` of a dimension, and as which of its own. */
static int owner(int at, int gsize, int how, int darg, int psize)
{
    if (how == MPI_DISTRIBUTE_NONE)
        return 0;
    int block = darg != MPI_DISTRIBUTE_DFLT_DARG ? darg
                : how == MPI_DISTRIBUTE_CYCLIC   ? 1
                                                 : (gsize + psize - 1) / psize;
    return at / block % psize;
}

/* Every distribution of a 7 x 9 array over a 2 x 3 grid: each process has its elements, in order. */
static void darrays(void)
{
    static const int ways[][2] = {{MPI_DISTRIBUTE_BLOCK, MPI_DISTRIBUTE_DFLT_DARG},
                                  {MPI_DISTRIBUTE_BLOCK, 5},
                                  {MPI_DISTRIBUTE_CYCLIC, MPI_DISTRIBUTE_DFLT_DARG},
                                  {MPI_DISTRIBUTE_CYCLIC, 2},
                                  {MPI_DISTRIBUTE_CYCLIC, 3},
                                  {MPI_DISTRIBUTE_NONE, MPI_DISTRIBUTE_DFLT_DARG}};
    enum { WAYS = 6, X = 7, Y = 9 };
    int gsizes[] = {X, Y}, array[X * Y], packed[X * Y];
    for (int i = 0; i < X * Y; i++)
        array[i] = i;
    for (int test = 0; test < WAYS * WAYS * 2; test++) {
        const int *a = ways[test % WAYS], *b = ways[test / WAYS % WAYS];
        int fortran = test / (WAYS * WAYS);
        int psizes[] = {a[0] == MPI_DISTRIBUTE_NONE ? 1 : 2, b[0] == MPI_DISTRIBUTE_NONE ? 1 : 3};
        int distribs[] = {a[0], b[0]}, dargs[] = {a[1], b[1]}, size = psizes[0] * psizes[1];
        for (int rank = 0; rank < size; rank++) {
            MPI_Datatype share;
            int position = 0, n = 0, wrong = 0;
            OK(MPI_Type_create_darray(size, rank, 2, gsizes, distribs, dargs, psizes,
                                      fortran ? MPI_ORDER_FORTRAN : MPI_ORDER_C, MPI_INT, &share));
            OK(MPI_Type_commit(&share));
            OK(MPI_Pack(array, 1, share, packed, sizeof packed, &position, MPI_COMM_WORLD));
            for (int slow = 0; slow < (fortran ? Y : X); slow++)
                for (int fast = 0; fast < (fortran ? X : Y); fast++) {
                    int x = fortran ? fast : slow, y = fortran ? slow : fast;
                    int px = owner(x, X, a[0], a[1], psizes[0]), py = owner(y, Y, b[0], b[1], psizes[1]);
                    if (px * psizes[1] + py != rank)
                        continue;
                    wrong += packed[n++] != (fortran ? x + y * X : x * Y + y);
                }
            CHECK(!wrong && position == n * (int)sizeof(int), "case %d, rank %d: %d wrong, %d of %d", test,
                  rank, wrong, position, n);
            MPI_Type_free(&share);
        }
    }
}

static void names(void)
{
    char name[MPI_MAX_OBJECT_NAME];
    int length;
    MPI_Datatype t;
    OK(MPI_Type_get_name(MPI_DOUBLE, name, &length));
    CHECK(!strcmp(name, "MPI_DOUBLE") && length == 10, "%s", name);
    OK(MPI_Type_contiguous(2, MPI_INT, &t));
    OK(MPI_Type_get_name(t, name, &length));
    CHECK(!length && !name[0], "%s", name);
    OK(MPI_Type_set_name(t, "two"));
    OK(MPI_Type_get_name(t, name, &length));
    CHECK(!strcmp(name, "two") && length == 3, "%s", name);
    OK(MPI_Type_free(&t));
}

static void by_size_and_precision(void)
{
    MPI_Datatype a, b;
    int size;
    OK(MPI_Type_match_size(MPI_TYPECLASS_REAL, 8, &a));
    OK(MPI_Type_size(a, &size));
    CHECK(size == 8, "size %d", size);
    FAILS(MPI_ERR_ARG, MPI_Type_match_size(MPI_TYPECLASS_REAL, 5, &a));
    OK(MPI_Type_create_f90_real(12, MPI_UNDEFINED, &a));
    OK(MPI_Type_create_f90_real(12, MPI_UNDEFINED, &b));
    CHECK(a == b, "two handles for one");
    OK(MPI_Type_size(a, &size));
    CHECK(size == 8, "size %d", size);
    double x = 1.5, sum = 0;
    OK(MPI_Allreduce(&x, &sum, 1, a, MPI_SUM, MPI_COMM_WORLD));
    CHECK(sum == 1.5 * world_size(), "%g", sum);
    OK(MPI_Type_create_f90_complex(MPI_UNDEFINED, 100, &a));
    OK(MPI_Type_size(a, &size));
    CHECK(size == 16, "size %d", size);
    FAILS(MPI_ERR_ARG, MPI_Type_create_f90_real(MPI_UNDEFINED, MPI_UNDEFINED, &a));
    FAILS(MPI_ERR_ARG, MPI_Type_create_f90_integer(100, &a));
    OK(MPI_Type_get_value_index(MPI_DOUBLE, MPI_INT, &a));
    CHECK(a == MPI_DOUBLE_INT, "another pair");
    OK(MPI_Type_get_value_index(MPI_CHAR, MPI_CHAR, &a));
    CHECK(a == MPI_DATATYPE_NULL, "a pair that there is not");
}

static int copy_attribute(MPI_Datatype type, int keyval, void *extra, void *value, void *out, int *flag)
{
    *(void **)out = (char *)value + 1;
    *flag = 1;
    return MPI_SUCCESS;
}

static int delete_attribute(MPI_Datatype type, int keyval, void *value, void *extra)
{
    ++*(int *)extra;
    return MPI_SUCCESS;
}

static void attributes(void)
{
    int keyval, deleted = 0, flag = 1;
    char place[3], *value = NULL;
    MPI_Datatype type, copy;
    OK(MPI_Type_create_keyval(copy_attribute, delete_attribute, &keyval, &deleted));
    OK(MPI_Type_vector(2, 1, 2, MPI_INT, &type));
    OK(MPI_Type_get_attr(type, keyval, &value, &flag));
    CHECK(!flag, "an attribute nobody set");
    OK(MPI_Type_set_attr(type, keyval, place));
    OK(MPI_Type_dup(type, &copy));
    OK(MPI_Type_get_attr(copy, keyval, &value, &flag));
    CHECK(flag && value == place + 1, "the copy is another");
    OK(MPI_Type_free(&type));
    CHECK(deleted == 1, "%d deleted", deleted);
    OK(MPI_Type_delete_attr(copy, keyval));
    CHECK(deleted == 2, "%d deleted", deleted);
    OK(MPI_Type_free(&copy));
    CHECK(deleted == 2, "%d deleted", deleted);
    OK(MPI_Type_set_attr(MPI_INT, keyval, place));
    OK(MPI_Type_get_attr(MPI_INT, keyval, &value, &flag));
    CHECK(flag && value == place, "on a predefined type");
    OK(MPI_Type_free_keyval(&keyval));
    CHECK(keyval == MPI_KEYVAL_INVALID, "keyval %d", keyval);
}

/* The bytes are the standard's, and come back as the numbers they were, here of a structure with gaps. */
static void external(void)
{
    MPI_Datatype type = particle_type();
    struct particle from = {{1, -2.5, 3}, 'x', 0x01020304, {5, 6, -7}}, to = {0};
    MPI_Aint size, position = 0;
    char packed[64];
    OK(MPI_Pack_external_size("external32", 1, type, &size));
    CHECK(size == 24 + 1 + 4 + 6, "%ld bytes", (long)size);
    OK(MPI_Pack_external("external32", &from, 1, type, packed, sizeof packed, &position));
    CHECK(position == size && !memcmp(packed, "\x3f\xf0\0\0\0\0\0\0", 8) &&
              !memcmp(packed + 25, "\1\2\3\4\0\5", 6),
          "the bytes are others");
    position = 0;
    OK(MPI_Unpack_external("external32", packed, size, &position, &to, 1, type));
    CHECK(to.x[1] == -2.5 && to.kind == 'x' && to.id == 0x01020304 && to.pad[2] == -7, "%g %c %x %d", to.x[1],
          to.kind, (unsigned)to.id, to.pad[2]);
    FAILS(MPI_ERR_TRUNCATE, MPI_Pack_external("external32", &from, 1, type, packed, 10, &(MPI_Aint){0}));
    FAILS(MPI_ERR_ARG, MPI_Pack_external_size("native", 1, type, &size));
    OK(MPI_Type_free(&type));
}

static void external_sizes(void)
{
    long longs[] = {-5, 70000}, back[2], wide = 1L << 40;
    long double x = -1.25L, y = 0;
    char packed[32];
    MPI_Aint position = 0, size;
    OK(MPI_Pack_external("external32", longs, 2, MPI_LONG, packed, sizeof packed, &position));
    CHECK(position == 8 && !memcmp(packed, "\xff\xff\xff\xfb\0\1\x11\x70", 8), "longs of %ld bytes",
          (long)position);
    position = 0;
    OK(MPI_Unpack_external("external32", packed, 8, &position, back, 2, MPI_LONG));
    CHECK(back[0] == -5 && back[1] == 70000, "%ld %ld", back[0], back[1]);
    FAILS(MPI_ERR_CONVERSION,
          MPI_Pack_external("external32", &wide, 1, MPI_LONG, packed, sizeof packed, &(MPI_Aint){0}));
    OK(MPI_Pack_external("external32", &x, 1, MPI_LONG_DOUBLE, packed, sizeof packed, &(MPI_Aint){0}));
    CHECK(!memcmp(packed, "\xbf\xff\x40\0\0", 5), "not a quadruple");
    OK(MPI_Unpack_external("external32", packed, 16, &(MPI_Aint){0}, &y, 1, MPI_LONG_DOUBLE));
    CHECK(y == x, "%Lg", y);
    OK(MPI_Pack_external_size("external32", 3, MPI_DOUBLE_INT, &size));
    CHECK(size == 36, "%ld bytes", (long)size);
    OK(MPI_Pack_external_size("external32", 1, MPI_C_DOUBLE_COMPLEX, &size));
    CHECK(size == 16, "%ld bytes", (long)size);
}

const struct test_case datatype_cases[] = {
    {"columns", columns, 1, 0},
    {"structures", structures, 1, 0},
    {"parts_of_elements", parts_of_elements, 1, 0},
    {"pairs_travel_packed", pairs_travel_packed, 1, 0},
    {"absolute_addresses", absolute_addresses, 1, 0},
    {"freed_under_way", freed_under_way, 1, 0},
    {"truncated", truncated, 1, 0},
    {"wrong_arguments", wrong_arguments, 1, 0},
    {"contents", contents, 1, 0},
    {"resized_to_itself", resized_to_itself, 1, 0},
    {"contents_with_large_counts", contents_with_large_counts, 1, 0},
    {"contents_outlive_handles", contents_outlive_handles, 1, 0},
    {"bounds", bounds, 1, 0},
    {"subarrays", subarrays, 1, 0},
    {"darrays", darrays, 1, 0},
    {"names", names, 1, 0},
    {"attributes", attributes, 1, 0},
    {"external", external, 1, 0},
    {"external_sizes", external_sizes, 1, 0},
    {"by_size_and_precision", by_size_and_precision, 1, 0},
    {0},
};
