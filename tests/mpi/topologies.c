/* Topologies: cartesian, graphs, distributed graphs, and MPI_Dims_create. */
#include "case.h"

#include <stdlib.h>
#include <string.h>

static void check_dims(int nodes, int ndims, const int *given, const int *expected)
{
    int dims[6];
    for (int i = 0; i < ndims; i++)
        dims[i] = given ? given[i] : 0;
    OK(MPI_Dims_create(nodes, ndims, dims));
    for (int i = 0; i < ndims; i++)
        CHECK(dims[i] == expected[i], "%d nodes in %d dimensions: dims[%d] is %d, not %d", nodes, ndims, i,
              dims[i], expected[i]);
}

static void dims_create(void)
{
    check_dims(6, 2, NULL, (int[]){3, 2});
    check_dims(7, 2, NULL, (int[]){7, 1});
    check_dims(6, 3, (int[]){0, 3, 0}, (int[]){2, 3, 1});
    check_dims(72, 3, NULL, (int[]){6, 4, 3});
    check_dims(36, 2, NULL, (int[]){6, 6});
    check_dims(1, 4, NULL, (int[]){1, 1, 1, 1});
    check_dims(5040, 3, NULL, (int[]){21, 16, 15});
    check_dims(19152, 3, NULL, (int[]){38, 24, 21});
    check_dims(19152, 4, NULL, (int[]){19, 14, 9, 8});
    check_dims(590520, 4, NULL, (int[]){38, 37, 21, 20});
    check_dims(98784, 5, NULL, (int[]){14, 14, 9, 8, 7});
    check_dims(64, 3, NULL, (int[]){4, 4, 4});
    check_dims(1024, 4, NULL, (int[]){8, 8, 4, 4});
    check_dims(12, 2, (int[]){0, 4}, (int[]){3, 4});
    check_dims(16, 2, (int[]){4, 4}, (int[]){4, 4});
    check_dims(2147483647, 2, NULL, (int[]){2147483647, 1});
    check_dims(1000000, 3, NULL, (int[]){100, 100, 100});
    FAILS_WITH(MPI_ERR_DIMS, MPI_Dims_create(7, 2, (int[]){0, 2}), "divide");
    FAILS(MPI_ERR_DIMS, MPI_Dims_create(7, 2, (int[]){-1, 7}));
    FAILS(MPI_ERR_ARG, MPI_Dims_create(0, 1, (int[]){0}));
    for (int n = 1; n <= 200; n++)
        for (int k = 1; k <= 5; k++) {
            int dims[5] = {0}, product = 1;
            OK(MPI_Dims_create(n, k, dims));
            for (int i = 0; i < k; i++) {
                product *= dims[i];
                CHECK(i == 0 || dims[i] <= dims[i - 1], "%d nodes: not in descending order", n);
            }
            CHECK(product == n, "%d nodes: the product is %d", n, product);
        }
}

static void cart(void)
{
    int n = world_size(), me = my_rank(), dims[2] = {0, 0}, periods[2] = {1, 0}, status = -1;
    MPI_Comm comm;
    OK(MPI_Dims_create(n, 2, dims));
    OK(MPI_Cart_create(MPI_COMM_WORLD, 2, dims, periods, 0, &comm));
    OK(MPI_Topo_test(comm, &status));
    CHECK(status == MPI_CART, "%d", status);
    int d[2], p[2], c[2], back = -1, ndims = -1;
    OK(MPI_Cartdim_get(comm, &ndims));
    CHECK(ndims == 2, "%d", ndims);
    OK(MPI_Cart_get(comm, 2, d, p, c));
    CHECK(d[0] == dims[0] && d[1] == dims[1] && p[0] == 1 && p[1] == 0, "as made");
    CHECK(c[0] == me / dims[1] && c[1] == me % dims[1], "(%d, %d)", c[0], c[1]);
    for (int r = 0; r < n; r++) {
        OK(MPI_Cart_coords(comm, r, 2, c));
        OK(MPI_Cart_rank(comm, c, &back));
        CHECK(back == r, "%d, not %d", back, r);
        c[0] -= 3 * dims[0];
        OK(MPI_Cart_rank(comm, c, &back));
        CHECK(back == r, "wrapped: %d, not %d", back, r);
    }
    FAILS(MPI_ERR_ARG, MPI_Cart_rank(comm, (int[]){0, dims[1]}, &back));
    FAILS(MPI_ERR_RANK, MPI_Cart_coords(comm, n, 2, c));
    int from = -7, to = -7;
    OK(MPI_Cart_shift(comm, 0, 1, &from, &to));
    int row = me / dims[1], column = me % dims[1];
    CHECK(to == (row + 1) % dims[0] * dims[1] + column, "%d", to);
    CHECK(from == (row + dims[0] - 1) % dims[0] * dims[1] + column, "%d", from);
    OK(MPI_Cart_shift(comm, 1, -1, &from, &to));
    CHECK(to == (column ? me - 1 : MPI_PROC_NULL), "%d", to);
    CHECK(from == (column + 1 < dims[1] ? me + 1 : MPI_PROC_NULL), "%d", from);
    OK(MPI_Cart_shift(comm, 1, 2147483647, &from, &to));
    CHECK(to == MPI_PROC_NULL && from == MPI_PROC_NULL, "far away");
    OK(MPI_Cart_shift(comm, 1, 0, &from, &to));
    CHECK(to == me && from == me, "here");
    FAILS(MPI_ERR_DIMS, MPI_Cart_shift(comm, 2, 1, &from, &to));
    FAILS_WITH(MPI_ERR_TOPOLOGY, MPI_Cartdim_get(MPI_COMM_WORLD, &ndims), "no cartesian");
    FAILS_WITH(MPI_ERR_TOPOLOGY, MPI_Graphdims_get(comm, &ndims, &ndims), "no graph");
    OK(MPI_Comm_free(&comm));
}

/* Grids smaller than the world, of no dimension, too large, and nonsense. */
static void cart_sizes(void)
{
    int n = world_size(), me = my_rank(), size = n > 1 ? n - 1 : 1, rank = -1;
    MPI_Comm comm;
    OK(MPI_Cart_create(MPI_COMM_WORLD, 1, &size, (int[]){0}, 1, &comm));
    CHECK((comm == MPI_COMM_NULL) == (me >= size), "rank %d", me);
    if (comm != MPI_COMM_NULL)
        OK(MPI_Comm_free(&comm));
    OK(MPI_Cart_create(MPI_COMM_WORLD, 0, NULL, NULL, 0, &comm));
    CHECK((comm == MPI_COMM_NULL) == (me > 0), "one node");
    if (comm != MPI_COMM_NULL) {
        OK(MPI_Cart_rank(comm, NULL, &rank));
        CHECK(rank == 0, "%d", rank);
        OK(MPI_Comm_free(&comm));
    }
    FAILS(MPI_ERR_DIMS, MPI_Cart_create(MPI_COMM_WORLD, 1, (int[]){n + 1}, (int[]){0}, 0, &comm));
    FAILS(MPI_ERR_DIMS, MPI_Cart_create(MPI_COMM_WORLD, 1, (int[]){-1}, (int[]){0}, 0, &comm));
    FAILS(MPI_ERR_DIMS, MPI_Cart_create(MPI_COMM_WORLD, -1, NULL, NULL, 0, &comm));
    OK(MPI_Cart_map(MPI_COMM_WORLD, 1, &size, (int[]){0}, &rank));
    CHECK(rank == (me < size ? me : MPI_UNDEFINED), "%d", rank);
}

static void cart_sub(void)
{
    int n = world_size(), me = my_rank(), dims[3] = {0, 0, 0}, ndims = -1, d = -1, p = -1, c = -1;
    MPI_Comm grid, line, point;
    OK(MPI_Dims_create(n, 3, dims));
    OK(MPI_Cart_create(MPI_COMM_WORLD, 3, dims, (int[]){0, 1, 0}, 0, &grid));
    OK(MPI_Cart_sub(grid, (int[]){0, 1, 0}, &line));
    OK(MPI_Cartdim_get(line, &ndims));
    CHECK(ndims == 1 && size_of(line) == dims[1], "%d", ndims);
    OK(MPI_Cart_get(line, 1, &d, &p, &c));
    CHECK(d == dims[1] && p == 1 && c == me / dims[2] % dims[1], "%d %d %d", d, p, c);
    CHECK(rank_in(line) == c, "%d", rank_in(line));
    OK(MPI_Cart_sub(grid, (int[]){0, 0, 0}, &point));
    OK(MPI_Cartdim_get(point, &ndims));
    CHECK(ndims == 0 && size_of(point) == 1, "%d", ndims);
    OK(MPI_Comm_free(&point));
    OK(MPI_Comm_free(&line));
    OK(MPI_Comm_free(&grid));
}

/* A ring in which node 0 also leads to every other. */
static void graph(void)
{
    int n = world_size(), me = my_rank(), status = -1, nodes = -1, edges_count = -1;
    int *index = need(sizeof *index * (size_t)n), *edges = need(sizeof *edges * 3 * (size_t)n);
    int m = 0;
    for (int i = 0; i < n; i++) {
        edges[m++] = (i + 1) % n;
        for (int k = 2; !i && k < n; k++)
            edges[m++] = k;
        index[i] = m;
    }
    MPI_Comm comm;
    OK(MPI_Graph_create(MPI_COMM_WORLD, n, index, edges, 0, &comm));
    OK(MPI_Topo_test(comm, &status));
    CHECK(status == MPI_GRAPH, "%d", status);
    OK(MPI_Graphdims_get(comm, &nodes, &edges_count));
    CHECK(nodes == n && edges_count == m, "%d and %d", nodes, edges_count);
    int *index2 = need(sizeof *index * (size_t)n), *edges2 = need(sizeof *edges * 3 * (size_t)n);
    OK(MPI_Graph_get(comm, n, m, index2, edges2));
    CHECK(!memcmp(index, index2, sizeof *index * (size_t)n), "index");
    CHECK(!memcmp(edges, edges2, sizeof *edges * (size_t)m), "edges");
    int count = -1;
    OK(MPI_Graph_neighbors_count(comm, me, &count));
    CHECK(count == (me ? 1 : n > 1 ? n - 1 : 1), "%d", count);
    OK(MPI_Graph_neighbors(comm, me, count, edges2));
    CHECK(edges2[0] == (me + 1) % n, "%d", edges2[0]);
    OK(MPI_Comm_free(&comm));
    OK(MPI_Graph_map(MPI_COMM_WORLD, 1, (int[]){0}, edges, &count));
    CHECK(count == (me ? MPI_UNDEFINED : 0), "%d", count);
    FAILS(MPI_ERR_ARG, MPI_Graph_create(MPI_COMM_WORLD, n + 1, index, edges, 0, &comm));
    edges[0] = n;
    FAILS(MPI_ERR_ARG, MPI_Graph_create(MPI_COMM_WORLD, n, index, edges, 0, &comm));
    OK(MPI_Graph_create(MPI_COMM_WORLD, 0, NULL, NULL, 0, &comm));
    CHECK(comm == MPI_COMM_NULL, "no nodes");
    free(index);
    free(edges);
    free(index2);
    free(edges2);
}

static void adjacent(void)
{
    int n = world_size(), me = my_rank(), in = -1, out = -1, weighted = -1, status = -1;
    int left = (me + n - 1) % n, right = (me + 1) % n;
    MPI_Comm comm, copy;
    OK(MPI_Dist_graph_create_adjacent(MPI_COMM_WORLD, 1, &left, (int[]){me + 10}, 2, (int[]){right, right},
                                      (int[]){me + 20, me + 30}, MPI_INFO_NULL, 0, &comm));
    OK(MPI_Topo_test(comm, &status));
    CHECK(status == MPI_DIST_GRAPH, "%d", status);
    OK(MPI_Comm_dup(comm, &copy));
    OK(MPI_Dist_graph_neighbors_count(copy, &in, &out, &weighted));
    CHECK(in == 1 && out == 2 && weighted, "%d %d %d", in, out, weighted);
    int s[1], sw[1], d[2], dw[2];
    OK(MPI_Dist_graph_neighbors(copy, 1, s, sw, 2, d, dw));
    CHECK(s[0] == left && sw[0] == me + 10, "%d %d", s[0], sw[0]);
    CHECK(d[0] == right && d[1] == right && dw[0] == me + 20 && dw[1] == me + 30, "%d %d", d[0], dw[0]);
    OK(MPI_Comm_free(&comm));
    OK(MPI_Comm_free(&copy));
    OK(MPI_Dist_graph_create_adjacent(MPI_COMM_WORLD, 0, NULL, MPI_WEIGHTS_EMPTY, 0, NULL, MPI_WEIGHTS_EMPTY,
                                      MPI_INFO_NULL, 0, &comm));
    OK(MPI_Dist_graph_neighbors_count(comm, &in, &out, &weighted));
    CHECK(in == 0 && out == 0 && weighted, "%d %d %d", in, out, weighted);
    OK(MPI_Comm_free(&comm));
    FAILS(MPI_ERR_RANK, MPI_Dist_graph_create_adjacent(MPI_COMM_WORLD, 1, &n, MPI_UNWEIGHTED, 0, NULL,
                                                       MPI_UNWEIGHTED, MPI_INFO_NULL, 0, &comm));
}

/* Rank r contributes the edges (r+1 -> everybody) and all the edges into r: any rank may give any edge. */
static void distributed(void)
{
    int n = world_size(), me = my_rank(), in = -1, out = -1, weighted = -1, next = (me + 1) % n;
    int *all = need(sizeof *all * (size_t)n), *weights = need(sizeof *weights * (size_t)n);
    for (int i = 0; i < n; i++) {
        all[i] = i;
        weights[i] = 100 * next + i;
    }
    MPI_Comm comm;
    OK(MPI_Dist_graph_create(MPI_COMM_WORLD, 1, &next, &n, all, weights, MPI_INFO_NULL, 0, &comm));
    OK(MPI_Dist_graph_neighbors_count(comm, &in, &out, &weighted));
    CHECK(in == n && out == n && weighted, "%d %d %d", in, out, weighted);
    int *s = need(sizeof *s * (size_t)n), *sw = need(sizeof *s * (size_t)n);
    int *d = need(sizeof *s * (size_t)n), *dw = need(sizeof *s * (size_t)n);
    OK(MPI_Dist_graph_neighbors(comm, n, s, sw, n, d, dw));
    long sum = 0;
    for (int i = 0; i < n; i++) {
        CHECK(d[i] == i && dw[i] == 100 * me + i, "to %d with %d", d[i], dw[i]);
        CHECK(sw[i] == 100 * s[i] + me, "from %d with %d", s[i], sw[i]);
        sum += s[i];
    }
    CHECK(sum == (long)n * (n - 1) / 2, "%ld", sum);
    OK(MPI_Comm_free(&comm));
    /* unweighted, all given by the last rank */
    int last = me == n - 1;
    for (int i = 0; i < n; i++)
        weights[i] = 1;
    OK(MPI_Dist_graph_create(MPI_COMM_WORLD, last ? n : 0, all, weights, all, MPI_UNWEIGHTED, MPI_INFO_NULL,
                             1, &comm));
    OK(MPI_Dist_graph_neighbors_count(comm, &in, &out, &weighted));
    CHECK(in == 1 && out == 1 && !weighted, "%d %d %d", in, out, weighted);
    OK(MPI_Dist_graph_neighbors(comm, 1, s, MPI_UNWEIGHTED, 1, d, MPI_UNWEIGHTED));
    CHECK(s[0] == rank_in(comm) && d[0] == rank_in(comm), "%d %d", s[0], d[0]);
    OK(MPI_Comm_free(&comm));
    FAILS(MPI_ERR_RANK,
          MPI_Dist_graph_create(MPI_COMM_WORLD, 1, &n, &n, all, MPI_UNWEIGHTED, MPI_INFO_NULL, 0, &comm));
    free(all);
    free(weights);
    free(s);
    free(sw);
    free(d);
    free(dw);
}

const struct test_case topology_cases[] = {
    {"dims_create", dims_create, 1, CASE_FEW},
    {"cart", cart, 1, 0},
    {"cart_sizes", cart_sizes, 1, 0},
    {"cart_sub", cart_sub, 1, 0},
    {"graph", graph, 1, 0},
    {"adjacent", adjacent, 1, 0},
    {"distributed", distributed, 1, 0},
    {0},
};
