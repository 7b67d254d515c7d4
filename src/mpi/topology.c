/* Topologies, what all kinds share. A topology is one block without pointers inside, so that
 * duplicating a communicator copies it with a memcpy and freeing one frees it.
 */
#include "topology.h"

#include <stdlib.h>
#include <string.h>

struct pl_topology *pl_topology_create(int kind, int n, int m, size_t ints)
{
    size_t bytes = sizeof(struct pl_topology) + ints * sizeof(int);
    struct pl_topology *topology = calloc(1, bytes);
    if (!topology) {
        pl_fail(PL_ENOMEM, "no memory for a topology of %zu bytes", bytes);
        return NULL;
    }
    topology->kind = kind;
    topology->n = n;
    topology->m = m;
    topology->bytes = bytes;
    return topology;
}

struct pl_topology *pl_topology_copy(const struct pl_topology *topology)
{
    struct pl_topology *copy = malloc(topology->bytes);
    if (copy)
        memcpy(copy, topology, topology->bytes);
    else
        pl_fail(PL_ENOMEM, "no memory for a topology of %zu bytes", topology->bytes);
    return copy;
}

static const char *kind_name(int kind)
{
    switch (kind) {
    case MPI_CART:
        return "cartesian";
    case MPI_GRAPH:
        return "graph";
    case MPI_DIST_GRAPH:
        return "distributed graph";
    default:
        return "any";
    }
}

int pl_topology_of(const struct pl_comm *comm, int kind, const struct pl_topology **topology)
{
    *topology = comm->topology;
    if (*topology && (!kind || (*topology)->kind == kind))
        return 0;
    return pl_bad(MPI_ERR_TOPOLOGY, "%s has no %s topology", comm->name, kind_name(kind));
}

int PMPI_Topo_test(MPI_Comm comm, int *status)
{
    struct pl_mpi *mpi = pl_call("MPI_Topo_test");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(status, "status");
    if (!error) {
        const struct pl_topology *topology = c->topology;
        *status = topology ? topology->kind : MPI_UNDEFINED;
    }
    return pl_return(mpi, c, error);
}
PL_WEAK(Topo_test)

static void cart_neighbors(const struct pl_topology *cart, int *list)
{
    const int *coords = cart->data + 2 * cart->n;
    int *at = list + 2 * cart->n; /* the other half is not filled yet */
    memcpy(at, coords, sizeof *at * (size_t)cart->n);
    for (int d = 0; d < cart->n; d++) {
        for (int side = 0; side < 2; side++) {
            at[d] = coords[d] + (side ? 1 : -1);
            list[2 * d + side] = pl_cart_rank(cart, at);
        }
        at[d] = coords[d];
    }
}

static int first_edge(const struct pl_topology *graph, int rank)
{
    return rank ? graph->data[rank - 1] : 0;
}

int pl_topology_neighbors(const struct pl_comm *comm, int *n_in, int **in, int *n_out, int **out)
{
    const struct pl_topology *t;
    int error = pl_topology_of(comm, 0, &t);
    if (error)
        return error;
    int first = 0;
    if (t->kind == MPI_CART) {
        *n_in = *n_out = 2 * t->n;
    } else if (t->kind == MPI_GRAPH) {
        first = first_edge(t, comm->rank);
        *n_in = *n_out = t->data[comm->rank] - first;
    } else {
        *n_in = t->n;
        *n_out = t->m;
    }
    int *list = malloc(sizeof *list * ((size_t)*n_in + (size_t)*n_out + 1));
    if (!list)
        return pl_fail(PL_ENOMEM, "no memory for the neighbors in %s", comm->name);
    *in = list;
    *out = list + *n_in;
    const int *from = t->kind == MPI_GRAPH ? t->data + t->n + first : t->data;
    const int *to = t->kind == MPI_GRAPH ? from : t->data + 2 * t->n;
    if (t->kind == MPI_CART) {
        cart_neighbors(t, *in);
        from = to = *in;
    } else {
        memcpy(*in, from, sizeof *list * (size_t)*n_in);
    }
    memcpy(*out, to, sizeof *list * (size_t)*n_out);
    return 0;
}
