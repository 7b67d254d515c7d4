/* Topologies (MPI 5.0, chapter 8): what a communicator knows of who is next to whom. */
#ifndef PL_TOPOLOGY_H
#define PL_TOPOLOGY_H

#include "call.h"

/* One malloc that pl_comm keeps in `topology` and frees. `data` holds, by kind:
 *   MPI_CART        dims[n], periods[n], coords[n] of this rank                 (n dimensions)
 *   MPI_GRAPH       index[n], edges[m]                                          (n nodes, m edges)
 *   MPI_DIST_GRAPH  sources[n], their weights[n], destinations[m], weights[m]   (of this rank) */
struct pl_topology {
    int kind;
    int n, m;
    bool weighted; /* MPI_DIST_GRAPH */
    size_t bytes;  /* of all of it */
    int data[];
};

/* Zeroed, with `ints` ints of data; NULL: no memory (text set). */
struct pl_topology *pl_topology_create(int kind, int n, int m, size_t ints);
/* A copy, or NULL: no memory (text set). */
struct pl_topology *pl_topology_copy(const struct pl_topology *topology);
/* The topology of the kind, or an MPI error class. kind 0: any. */
int pl_topology_of(const struct pl_comm *comm, int kind, const struct pl_topology **topology);

/* The neighbors of this rank in the order of the neighborhood collectives (section 9.8): where blocks come
 * from, and where they go. For a cartesian topology both are, for each dimension, the lower and the
 * upper one, MPI_PROC_NULL at a border. *in is one malloc that holds both lists, *out lies in it.
 * 0, MPI_ERR_TOPOLOGY or PL_ENOMEM. */
int pl_topology_neighbors(const struct pl_comm *comm, int *n_in, int **in, int *n_out, int **out);

/* Cartesian: the rank at coordinates (periodic ones wrapped), or MPI_PROC_NULL outside; and back. */
int pl_cart_rank(const struct pl_topology *cart, const int *coords);
void pl_cart_coords(const struct pl_topology *cart, int rank, int *coords);

#endif
