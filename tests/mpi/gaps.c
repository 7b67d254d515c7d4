/* Collectives on data with gaps: every one of them, blocking, nonblocking and persistent,
 * in place, with a type on each side that the other does not have. */
#include "case.h"

#include <stdlib.h>
#include <string.h>

enum { EACH = 3 }; /* numbers in an element of the types */

/* EACH ints, every second one of a row; resized so that elements follow each other without a rest. */
static MPI_Datatype sparse_type(void)
{
    MPI_Datatype v, made;
    OK(MPI_Type_vector(EACH, 1, 2, MPI_INT, &v));
    OK(MPI_Type_create_resized(v, 0, 2 * EACH * (MPI_Aint)sizeof(int), &made));
    OK(MPI_Type_commit(&made));
    OK(MPI_Type_free(&v));
    return made;
}

/* Number k of element e of such an array. */
static int *sparse_at(int *array, int e, int k)
{
    return &array[2 * (e * EACH + k)];
}

static int value(int rank, int element, int k)
{
    return 10000 * rank + 10 * element + k;
}

/* An array of elements, sparse or dense, with what rank `rank` has in elements from `first` on; gaps are -7.
 */
static int *make(int elements, int rank, int first, bool sparse)
{
    int *array = need((size_t)(elements + 1) * 2 * EACH * sizeof *array);
    for (int i = 0; i < (elements + 1) * 2 * EACH; i++)
        array[i] = -7;
    for (int e = 0; e < elements && rank >= 0; e++)
        for (int k = 0; k < EACH; k++)
            *(sparse ? sparse_at(array, e, k) : &array[e * EACH + k]) = value(rank, first + e, k);
    return array;
}

/* That elements at..at+n of a sparse array are those of `rank` from `first` on, and the gaps untouched. */
static void check(int *array, int at, int n, int rank, int first, const char *what)
{
    int wrong = 0, touched = 0;
    for (int e = 0; e < n; e++)
        for (int k = 0; k < EACH; k++) {
            wrong += *sparse_at(array, at + e, k) != value(rank, first + e, k);
            touched += sparse_at(array, at + e, k)[1] != -7;
        }
    CHECK(!wrong && !touched, "%s: %d wrong, %d gaps touched, of rank %d", what, wrong, touched, rank);
}

static void finish(MPI_Request *request, bool persistent)
{
    if (persistent)
        OK(MPI_Start(request));
    OK(MPI_Wait(request, MPI_STATUS_IGNORE));
    if (persistent)
        OK(MPI_Request_free(request));
}

static void bcast(void)
{
    MPI_Datatype type = sparse_type();
    static const int counts[] = {0, 1, 5, 5000};
    for (int i = 0; i < 4; i++)
        for (int form = 0; form < 3; form++) {
            int n = counts[i], root = i % world_size(),
                *array = make(n, my_rank() == root ? root : -1, 0, true);
            MPI_Request request;
            if (form == 0)
                OK(MPI_Bcast(array, n, type, root, MPI_COMM_WORLD));
            else if (form == 1)
                OK(MPI_Ibcast(array, n, type, root, MPI_COMM_WORLD, &request));
            else
                OK(MPI_Bcast_init(array, n, type, root, MPI_COMM_WORLD, MPI_INFO_NULL, &request));
            if (form)
                finish(&request, form == 2);
            check(array, 0, n, root, 0, "bcast");
            free(array);
        }
    int *numbers = make(4, my_rank() == 0 ? 0 : -1, 0, my_rank() != 0); /* from dense to sparse */
    OK(my_rank() == 0 ? MPI_Bcast(numbers, 4 * EACH, MPI_INT, 0, MPI_COMM_WORLD)
                      : MPI_Bcast(numbers, 4, type, 0, MPI_COMM_WORLD));
    if (my_rank())
        check(numbers, 0, 4, 0, 0, "bcast from dense");
    free(numbers);
    OK(MPI_Type_free(&type));
}

/* Gather and allgather, of dense or sparse elements, in place or not. */
static void gather(void)
{
    MPI_Datatype type = sparse_type();
    enum { N = 4 };
    int n = world_size(), me = my_rank();
    for (int form = 0; form < 8; form++) {
        bool all = form & 1, in_place = form & 2, dense = form & 4;
        int root = (form + 1) % n, *in = make(N, me, 0, !dense), *out = make(N * n, -1, 0, true);
        bool mine = in_place && (all || me == root);
        if (mine)
            for (int e = 0; e < N; e++)
                for (int k = 0; k < EACH; k++)
                    *sparse_at(out, me * N + e, k) = value(me, e, k);
        const void *from = mine ? MPI_IN_PLACE : in;
        int count = dense ? N * EACH : N;
        MPI_Datatype sent = dense ? MPI_INT : type;
        if (all)
            OK(MPI_Allgather(from, count, sent, out, N, type, MPI_COMM_WORLD));
        else
            OK(MPI_Gather(from, count, sent, me == root ? out : NULL, N, type, root, MPI_COMM_WORLD));
        for (int r = 0; r < n && (all || me == root); r++)
            check(out, r * N, N, r, 0, all ? "allgather" : "gather");
        free(in);
        free(out);
    }
    OK(MPI_Type_free(&type));
}

static void scatter(void)
{
    MPI_Datatype type = sparse_type();
    enum { N = 3 };
    int n = world_size(), me = my_rank(), root = n - 1;
    int *in = make(N * n, root, 0, true), *out = make(N, -1, 0, true);
    MPI_Request request;
    OK(MPI_Iscatter(in, N, type, out, N, type, root, MPI_COMM_WORLD, &request));
    finish(&request, false);
    check(out, 0, N, root, me * N, "scatter");
    memset(out, 0, N * 2 * EACH * sizeof *out);
    OK(MPI_Scatter(me == root ? in : NULL, N, type, me == root ? MPI_IN_PLACE : out, N * EACH, MPI_INT, root,
                   MPI_COMM_WORLD));
    for (int i = 0; i < N * EACH && me != root; i++)
        CHECK(out[i] == value(root, me * N + i / EACH, i % EACH), "scatter to dense: %d is %d", i, out[i]);
    free(in);
    free(out);
    OK(MPI_Type_free(&type));
}

static void alltoall(void)
{
    MPI_Datatype type = sparse_type();
    enum { N = 2 };
    int n = world_size(), me = my_rank();
    for (int in_place = 0; in_place < 2; in_place++) {
        int *in = make(N * n, me, 0, true), *out = in_place ? in : make(N * n, -1, 0, true);
        OK(MPI_Alltoall(in_place ? MPI_IN_PLACE : in, N, type, out, N, type, MPI_COMM_WORLD));
        for (int r = 0; r < n; r++)
            check(out, r * N, N, r, me * N, in_place ? "alltoall in place" : "alltoall");
        free(in);
        if (!in_place)
            free(out);
    }
    OK(MPI_Type_free(&type));
}

/* Rank r has r + 1 elements for everybody; in the receive array there is an element's room between blocks. */
static void uneven(void)
{
    MPI_Datatype type = sparse_type();
    int n = world_size(), me = my_rank(), total = 0;
    int *counts = need((size_t)n * sizeof *counts), *displs = need((size_t)n * sizeof *displs);
    for (int r = 0; r < n; r++) {
        counts[r] = r + 1;
        displs[n - 1 - r] = total; /* the blocks lie backwards */
        total += n - r + 1;
    }
    for (int form = 0; form < 3; form++) {
        int *in = make(me + 1, me, 0, true), *out = make(total, -1, 0, true);
        MPI_Request request;
        if (form == 0)
            OK(MPI_Allgatherv(in, me + 1, type, out, counts, displs, type, MPI_COMM_WORLD));
        if (form == 1)
            OK(MPI_Iallgatherv(in, me + 1, type, out, counts, displs, type, MPI_COMM_WORLD, &request));
        if (form == 2)
            OK(MPI_Allgatherv_init(in, me + 1, type, out, counts, displs, type, MPI_COMM_WORLD, MPI_INFO_NULL,
                                   &request));
        if (form)
            finish(&request, form == 2);
        for (int r = 0; r < n; r++)
            check(out, displs[r], counts[r], r, 0, "allgatherv");
        int gap = displs[0] + counts[0];
        CHECK(*sparse_at(out, gap, 0) == -7, "allgatherv wrote between blocks");
        free(in);
        free(out);
    }
    int *in = make(me + 1, me, 0, true), *out = make(total, -1, 0, true), *back = make(me + 1, -1, 0, true);
    OK(MPI_Gatherv(in, me + 1, type, out, counts, displs, type, 0, MPI_COMM_WORLD));
    for (int r = 0; r < n && me == 0; r++)
        check(out, displs[r], counts[r], r, 0, "gatherv");
    OK(MPI_Scatterv(out, counts, displs, type, back, me + 1, type, 0, MPI_COMM_WORLD));
    check(back, 0, me + 1, me, 0, "scatterv");
    free(in);
    free(out);
    free(back);
    free(counts);
    free(displs);
    OK(MPI_Type_free(&type));
}

/* Alltoallw with a type for each: sparse from even ranks, dense from odd ones. */
static void mixed(void)
{
    MPI_Datatype type = sparse_type();
    int n = world_size(), me = my_rank();
    size_t bytes = (size_t)n * sizeof(int);
    int *sent = need(bytes), *got = need(bytes), *from = need(bytes), *to = need(bytes);
    MPI_Datatype *out_types = need((size_t)n * sizeof *out_types),
                 *in_types = need((size_t)n * sizeof *in_types);
    bool sparse = me % 2 == 0;
    int *in = make(n, me, 0, sparse), *out = make(n, -1, 0, true);
    for (int r = 0; r < n; r++) {
        sent[r] = sparse ? 1 : EACH;
        from[r] = r * EACH * (sparse ? 2 : 1) * (int)sizeof(int);
        in_types[r] = sparse ? type : MPI_INT;
        got[r] = 1;
        to[r] = r * 2 * EACH * (int)sizeof(int);
        out_types[r] = type;
    }
    OK(MPI_Alltoallw(in, sent, from, in_types, out, got, to, out_types, MPI_COMM_WORLD));
    for (int r = 0; r < n; r++)
        check(out, r, 1, r, me, "alltoallw");
    OK(MPI_Alltoallw(MPI_IN_PLACE, NULL, NULL, NULL, out, got, to, out_types, MPI_COMM_WORLD));
    for (int r = 0; r < n; r++)
        check(out, r, 1, me, r, "alltoallw in place, back and forth");
    free(sent);
    free(got);
    free(from);
    free(to);
    free(in_types);
    free(out_types);
    free(in);
    free(out);
    OK(MPI_Type_free(&type));
}

/* Adds elements with the layout of their type, which it asks for. */
static void add_sparse(void *in, void *inout, int *count, MPI_Datatype *type)
{
    MPI_Aint lb, extent;
    MPI_Type_get_extent(*type, &lb, &extent);
    for (int e = 0; e < *count; e++)
        for (int k = 0; k < EACH; k++) {
            ptrdiff_t at = e * extent + 2 * k * (ptrdiff_t)sizeof(int);
            *(int *)((char *)inout + at) += *(const int *)((const char *)in + at);
        }
}

static void check_sum(int *array, int n, int ranks, int first, const char *what)
{
    int wrong = 0, touched = 0;
    for (int e = 0; e < n; e++)
        for (int k = 0; k < EACH; k++) {
            int sum = ranks * (10 * (first + e) + k) + 10000 * (ranks * (ranks - 1) / 2);
            wrong += *sparse_at(array, e, k) != sum;
            touched += sparse_at(array, e, k)[1] != -7;
        }
    CHECK(!wrong && !touched, "%s: %d of %d wrong, %d gaps touched", what, wrong, n * EACH, touched);
}

static void reductions(void)
{
    MPI_Datatype type = sparse_type();
    MPI_Op add;
    OK(MPI_Op_create(add_sparse, 1, &add));
    static const int counts[] = {0, 1, 6, 4000};
    int n = world_size(), me = my_rank();
    for (int i = 0; i < 4; i++) {
        int count = counts[i], root = i % n, *in = make(count, me, 0, true), *out = make(count, -1, 0, true);
        MPI_Request request;
        OK(MPI_Allreduce(in, out, count, type, add, MPI_COMM_WORLD));
        check_sum(out, count, n, 0, "allreduce");
        free(out);
        out = make(count, me, 0, true);
        OK(MPI_Iallreduce(MPI_IN_PLACE, out, count, type, add, MPI_COMM_WORLD, &request));
        finish(&request, false);
        check_sum(out, count, n, 0, "allreduce in place");
        free(out);
        out = make(count, -1, 0, true);
        OK(MPI_Reduce(in, me == root ? out : NULL, count, type, add, root, MPI_COMM_WORLD));
        if (me == root)
            check_sum(out, count, n, 0, "reduce");
        free(out);
        out = make(count, -1, 0, true);
        OK(MPI_Scan(in, out, count, type, add, MPI_COMM_WORLD));
        check_sum(out, count, me + 1, 0, "scan");
        free(out);
        out = make(count, -1, 0, true);
        OK(MPI_Exscan(in, out, count, type, add, MPI_COMM_WORLD));
        if (me)
            check_sum(out, count, me, 0, "exscan");
        free(in);
        free(out);
    }
    FAILS(MPI_ERR_OP, MPI_Allreduce(MPI_IN_PLACE, NULL, 0, type, MPI_SUM, MPI_COMM_WORLD));
    OK(MPI_Op_free(&add));
    OK(MPI_Type_free(&type));
}

static void reduce_scatter(void)
{
    MPI_Datatype type = sparse_type();
    MPI_Op add;
    OK(MPI_Op_create(add_sparse, 1, &add));
    int n = world_size(), me = my_rank(), total = 0, first = 0;
    int *counts = need((size_t)n * sizeof *counts);
    for (int r = 0; r < n; r++) {
        counts[r] = r + 2;
        first += r < me ? counts[r] : 0;
        total += counts[r];
    }
    int *in = make(total, me, 0, true), *out = make(total, -1, 0, true), *both = make(2 * n, me, 0, true);
    OK(MPI_Reduce_scatter(in, out, counts, type, add, MPI_COMM_WORLD));
    check_sum(out, counts[me], n, first, "reduce_scatter");
    CHECK(*sparse_at(out, counts[me], 0) == -7, "written beyond");
    OK(MPI_Reduce_scatter_block(MPI_IN_PLACE, both, 2, type, add, MPI_COMM_WORLD));
    check_sum(both, 2, n, 2 * me, "reduce_scatter_block in place");
    free(in);
    free(out);
    free(both);
    free(counts);
    OK(MPI_Op_free(&add));
    OK(MPI_Type_free(&type));
}

/* On a line, where the ends have one neighbour: what is beyond stays as it was. */
static void neighbors(void)
{
    MPI_Datatype type = sparse_type();
    int n = world_size(), me = my_rank(), period = 0;
    MPI_Comm line;
    OK(MPI_Cart_create(MPI_COMM_WORLD, 1, &n, &period, 0, &line));
    int *in = make(2, me, 0, true), *out = make(2, -1, 0, true);
    OK(MPI_Neighbor_allgather(in, 1, type, out, 1, type, line));
    if (me > 0)
        check(out, 0, 1, me - 1, 0, "neighbor_allgather, left");
    else
        CHECK(*sparse_at(out, 0, 0) == -7, "written where there is no neighbour");
    if (me < n - 1)
        check(out, 1, 1, me + 1, 0, "neighbor_allgather, right");
    OK(MPI_Neighbor_alltoall(in, 1, type, out, 1, type, line));
    if (me > 0)
        check(out, 0, 1, me - 1, 1, "neighbor_alltoall, left");
    if (me < n - 1)
        check(out, 1, 1, me + 1, 0, "neighbor_alltoall, right");
    free(in);
    free(out);
    OK(MPI_Comm_free(&line));
    OK(MPI_Type_free(&type));
}

/* Started again and again, a persistent collective sees new data, and the type may be gone. */
static void persistent(void)
{
    MPI_Datatype type = sparse_type();
    enum { N = 3 };
    int *array = make(N, -1, 0, true);
    MPI_Request request;
    OK(MPI_Bcast_init(array, N, type, 0, MPI_COMM_WORLD, MPI_INFO_NULL, &request));
    OK(MPI_Type_free(&type));
    for (int round = 0; round < 3; round++) {
        for (int e = 0; e < N && my_rank() == 0; e++)
            for (int k = 0; k < EACH; k++)
                *sparse_at(array, e, k) = value(round, e, k);
        OK(MPI_Start(&request));
        OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        check(array, 0, N, round, 0, "persistent bcast");
    }
    OK(MPI_Request_free(&request));
    free(array);
}

const struct test_case gap_cases[] = {
    {"bcast", bcast, 1, 0},
    {"gather", gather, 1, 0},
    {"scatter", scatter, 1, 0},
    {"alltoall", alltoall, 1, 0},
    {"uneven", uneven, 1, 0},
    {"mixed", mixed, 1, 0},
    {"reductions", reductions, 1, 0},
    {"reduce_scatter", reduce_scatter, 1, 0},
    {"neighbors", neighbors, 1, 0},
    {"persistent", persistent, 1, 0},
    {0},
};
