/* Neighbourhood collectives on grids, periodic or not, also with one and two processes along a dimension, on
 * graphs and on distributed graphs with double edges and edges to oneself; in every form.
 *
 * What must come is worked out from the edges, by another rule than the library's: on a grid, what comes from
 * the lower neighbour is what that one sent to its upper one.
 */
#include "forms.h"

#include <stdlib.h>

enum { MOST = 64 };

/* The k-th block that rank sends: its length and its elements. */
static int block_length(int rank, int k)
{
    return (int)(mix((unsigned)rank, (unsigned)k) % 4);
}

static int block_element(int round, int rank, int k, int i)
{
    return round * 1000003 + rank * 1009 + k * 31 + i;
}

/* Who is next to this rank, and which of the other's blocks comes along an edge. */
struct edges {
    MPI_Comm comm;
    int nin, nout;
    int source[MOST], block[MOST]; /* MPI_PROC_NULL: nothing comes */
    int destination[MOST];
};

struct lists {
    int counts[MOST], displs[MOST];
    MPI_Count counts_c[MOST];
    MPI_Aint displs_c[MOST], bytes[MOST];
    MPI_Datatype types[MOST];
    int total;
};

static void list(struct lists *l, int n)
{
    l->total = 0;
    for (int i = 0; i < n; i++) {
        l->displs[i] = l->total;
        l->counts_c[i] = l->counts[i];
        l->displs_c[i] = l->total;
        l->bytes[i] = l->total * (MPI_Aint)sizeof(int);
        l->types[i] = MPI_INT;
        l->total += l->counts[i];
    }
}

static void blank(int *buffer, int n)
{
    for (int i = 0; i < n; i++)
        buffer[i] = -1;
}

/* In blocks of `width` elements (0: as long as each is) at displs. */
static void check(const struct edges *e, const struct lists *l, const int *got, int round, int width,
                  bool one, const char *what)
{
    for (int i = 0; i < e->nin; i++) {
        int from = e->source[i], k = one ? 0 : e->block[i];
        int count = width ? width : l->counts[i], at = width ? i * width : l->displs[i];
        for (int j = 0; j < count; j++) {
            int expected = from == MPI_PROC_NULL ? -1 : block_element(round, from, k, j);
            if (!CHECK(got[at + j] == expected, "%s: block %d from %d: %d, not %d", what, i, from,
                       got[at + j], expected))
                return;
        }
    }
}

static void fill_all(const struct edges *e, int *out, const struct lists *l, int round, int width)
{
    for (int k = 0; k < e->nout; k++)
        for (int j = 0; j < (width ? width : l->counts[k]); j++)
            out[(width ? k * width : l->displs[k]) + j] = block_element(round, rank_in(e->comm), k, j);
}

/* Those with equal blocks. */
static void even(const struct edges *e, struct form gather, struct form exchange)
{
    enum { WIDTH = 3 };
    int *out = need(sizeof *out * WIDTH * MOST), *in = need(sizeof *in * WIDTH * MOST), me = rank_in(e->comm);
    for (int round = 0; round < form_rounds(&gather); round++) {
        blank(in, WIDTH * MOST);
        for (int j = 0; j < WIDTH; j++)
            out[j] = block_element(round, me, 0, j);
        FORM(gather, Neighbor_allgather, Ineighbor_allgather,
             (out, WIDTH, MPI_INT, in, WIDTH, MPI_INT, e->comm),
             (out, WIDTH, MPI_INT, in, WIDTH, MPI_INT, e->comm));
        check(e, NULL, in, round, WIDTH, true, "allgather");
        blank(in, WIDTH * MOST);
        fill_all(e, out, NULL, round, WIDTH);
        FORM(exchange, Neighbor_alltoall, Ineighbor_alltoall,
             (out, WIDTH, MPI_INT, in, WIDTH, MPI_INT, e->comm),
             (out, WIDTH, MPI_INT, in, WIDTH, MPI_INT, e->comm));
        check(e, NULL, in, round, WIDTH, false, "alltoall");
    }
    form_end(&gather);
    form_end(&exchange);
    free(in);
    free(out);
}

static void gatherv(const struct edges *e, struct form form)
{
    struct lists l = {0};
    int me = rank_in(e->comm), mine = block_length(me, 0) + 1, out[8];
    for (int i = 0; i < e->nin; i++)
        l.counts[i] = e->source[i] == MPI_PROC_NULL ? 2 : block_length(e->source[i], 0) + 1;
    list(&l, e->nin);
    int *in = need(sizeof *in * (size_t)(l.total + 1));
    for (int round = 0; round < form_rounds(&form); round++) {
        blank(in, l.total);
        for (int j = 0; j < mine; j++)
            out[j] = block_element(round, me, 0, j);
        FORM(form, Neighbor_allgatherv, Ineighbor_allgatherv,
             (out, mine, MPI_INT, in, l.counts, l.displs, MPI_INT, e->comm),
             (out, mine, MPI_INT, in, l.counts_c, l.displs_c, MPI_INT, e->comm));
        check(e, &l, in, round, 0, true, "allgatherv");
    }
    form_end(&form);
    free(in);
}

static void uneven(const struct edges *e, struct form v, struct form w)
{
    struct lists send = {0}, recv = {0};
    int me = rank_in(e->comm);
    for (int k = 0; k < e->nout; k++)
        send.counts[k] = block_length(me, k);
    for (int i = 0; i < e->nin; i++)
        recv.counts[i] = e->source[i] == MPI_PROC_NULL ? 1 : block_length(e->source[i], e->block[i]);
    list(&send, e->nout);
    list(&recv, e->nin);
    int *out = need(sizeof *out * (size_t)(send.total + 1)),
        *in = need(sizeof *in * (size_t)(recv.total + 1));
    for (int round = 0; round < form_rounds(&v); round++) {
        fill_all(e, out, &send, round, 0);
        blank(in, recv.total);
        FORM(
            v, Neighbor_alltoallv, Ineighbor_alltoallv,
            (out, send.counts, send.displs, MPI_INT, in, recv.counts, recv.displs, MPI_INT, e->comm),
            (out, send.counts_c, send.displs_c, MPI_INT, in, recv.counts_c, recv.displs_c, MPI_INT, e->comm));
        check(e, &recv, in, round, 0, false, "alltoallv");
        blank(in, recv.total);
        FORM(
            w, Neighbor_alltoallw, Ineighbor_alltoallw,
            (out, send.counts, send.bytes, send.types, in, recv.counts, recv.bytes, recv.types, e->comm),
            (out, send.counts_c, send.bytes, send.types, in, recv.counts_c, recv.bytes, recv.types, e->comm));
        check(e, &recv, in, round, 0, false, "alltoallw");
    }
    form_end(&v);
    form_end(&w);
    free(in);
    free(out);
}

static void all_forms(const struct edges *e)
{
    for (int kind = 0; kind < FORMS; kind++) {
        even(e, form_of(kind), form_of(kind));
        gatherv(e, form_of(kind));
        uneven(e, form_of(kind), form_of(kind));
    }
}

static void on_grid(int ndims, const int *dims, int periodic)
{
    struct edges e = {.comm = MPI_COMM_NULL, .nin = 2 * ndims, .nout = 2 * ndims};
    int periods[3] = {periodic, periodic, periodic};
    OK(MPI_Cart_create(MPI_COMM_WORLD, ndims, dims, periods, 0, &e.comm));
    if (e.comm == MPI_COMM_NULL)
        return;
    for (int d = 0; d < ndims; d++) {
        OK(MPI_Cart_shift(e.comm, d, 1, &e.source[2 * d], &e.source[2 * d + 1]));
        e.block[2 * d] = 2 * d + 1; /* the lower neighbour sent it upwards */
        e.block[2 * d + 1] = 2 * d;
    }
    all_forms(&e);
    OK(MPI_Comm_free(&e.comm));
}

static void grids(void)
{
    int n = world_size(), one[1] = {n}, two[2] = {n, 1}, wide[2] = {1, n};
    for (int periodic = 0; periodic < 2; periodic++) {
        on_grid(1, one, periodic);
        on_grid(2, two, periodic);
        on_grid(2, wide, periodic);
        if (n >= 4)
            on_grid(2, (int[]){2, n / 2}, periodic);
        if (n >= 8)
            on_grid(3, (int[]){2, 2, 2}, periodic);
    }
}

/* A star: rank 0 is next to all others. */
static void graph(void)
{
    int n = world_size(), index[MOST], edge[MOST], m = 0;
    for (int r = 1; r < n; r++)
        edge[m++] = r;
    index[0] = m;
    for (int r = 1; r < n; r++) {
        edge[m++] = 0;
        index[r] = m;
    }
    struct edges e = {.nin = my_rank() ? 1 : n - 1};
    e.nout = e.nin;
    for (int i = 0; i < e.nin; i++) {
        e.source[i] = my_rank() ? 0 : i + 1;
        e.block[i] = my_rank() ? my_rank() - 1 : 0;
    }
    OK(MPI_Graph_create(MPI_COMM_WORLD, n, index, edge, 0, &e.comm));
    all_forms(&e);
    OK(MPI_Comm_free(&e.comm));
}

/* Every rank sends to the next two, twice to the first of them, and once to itself; those of the other
 * direction get nothing back. */
static void distributed(void)
{
    int n = world_size(), me = my_rank(), weights[4] = {1, 1, 1, 1};
    struct edges e = {.nin = 4, .nout = 4};
    int next = (me + 1) % n, second = (me + 2) % n, before = (me + n - 1) % n, far = (me + 2 * n - 2) % n;
    int to[4] = {next, second, next, me}, from[4] = {before, far, me, before};
    int block[4] = {0, 1, 3, 2};
    if (n <= 2) /* the same rank by several ways: their order decides */
        return;
    for (int i = 0; i < 4; i++) {
        e.destination[i] = to[i];
        e.source[i] = from[i];
        e.block[i] = block[i];
    }
    OK(MPI_Dist_graph_create_adjacent(MPI_COMM_WORLD, 4, from, weights, 4, to, weights, MPI_INFO_NULL, 0,
                                      &e.comm));
    all_forms(&e);
    OK(MPI_Comm_free(&e.comm));
}

static void errors(void)
{
    int a[4] = {0}, b[4] = {0}, one[1] = {world_size()}, no[1] = {0};
    FAILS(MPI_ERR_TOPOLOGY, MPI_Neighbor_allgather(a, 1, MPI_INT, b, 1, MPI_INT, MPI_COMM_WORLD));
    MPI_Comm comm;
    OK(MPI_Cart_create(MPI_COMM_WORLD, 1, one, no, 0, &comm));
    OK(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN));
    FAILS(MPI_ERR_BUFFER, MPI_Neighbor_alltoall(MPI_IN_PLACE, 1, MPI_INT, b, 1, MPI_INT, comm));
    FAILS(MPI_ERR_COUNT, MPI_Neighbor_alltoall(a, -1, MPI_INT, b, 1, MPI_INT, comm));
    FAILS(MPI_ERR_ARG, MPI_Neighbor_alltoallw(a, NULL, NULL, NULL, b, NULL, NULL, NULL, comm));
    OK(MPI_Comm_free(&comm));
}

const struct test_case neighbor_cases[] = {
    {"grids", grids, 1, 0},
    {"graph", graph, 1, 0},
    {"distributed", distributed, 1, 0},
    {"errors", errors, 1, 0},
    {0},
};
