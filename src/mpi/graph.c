/* Graph topologies (MPI 5.0, section 8.5.3): a graph that every rank knows whole. Reordering is
 * allowed, not done.
 */
#include "agree.h"
#include "topology.h"

#include <stdlib.h>
#include <string.h>

static int check_graph(const struct pl_comm *comm, int nnodes, const int index[], const int edges[])
{
    if (comm->remote)
        return pl_bad(MPI_ERR_COMM, "%s is an intercommunicator", comm->name);
    if (nnodes < 0 || nnodes > comm->size)
        return pl_bad(MPI_ERR_ARG, "a graph of %d nodes does not fit on the %d ranks of %s", nnodes,
                      comm->size, comm->name);
    if (nnodes && (!index || (!edges && index[nnodes - 1])))
        return pl_bad(MPI_ERR_ARG, "an array of the graph is NULL");
    for (int i = 0; i < nnodes; i++)
        if (index[i] < (i ? index[i - 1] : 0))
            return pl_bad(MPI_ERR_ARG, "index[%d] is %d, less than the one before", i, index[i]);
    for (int i = 0; nnodes && i < index[nnodes - 1]; i++)
        if (edges[i] < 0 || edges[i] >= nnodes)
            return pl_bad(MPI_ERR_ARG, "edge %d leads to node %d, there are %d nodes", i, edges[i], nnodes);
    return 0;
}

static int attach(struct pl_comm *comm, int nnodes, const int index[], const int edges[])
{
    int m = index[nnodes - 1];
    struct pl_topology *graph = pl_topology_create(MPI_GRAPH, nnodes, m, (size_t)nnodes + (size_t)m);
    if (!graph)
        return PL_ENOMEM;
    memcpy(graph->data, index, sizeof *index * (size_t)nnodes);
    if (m)
        memcpy(graph->data + nnodes, edges, sizeof *edges * (size_t)m);
    comm->topology = graph;
    return 0;
}

int PMPI_Graph_create(MPI_Comm comm_old, int nnodes, const int index[], const int edges[], int reorder,
                      MPI_Comm *comm_graph)
{
    struct pl_mpi *mpi = pl_call("MPI_Graph_create");
    struct pl_comm *c = NULL, *made = NULL;
    int error = pl_comm_of(mpi, comm_old, &c);
    if (!error)
        error = pl_check_pointer(comm_graph, "comm_graph");
    if (!error)
        error = check_graph(c, nnodes, index, edges);
    if (!error)
        error = pl_comm_split(mpi, c, c->rank < nnodes ? 0 : MPI_UNDEFINED, 0, &made);
    if (!error && made) {
        error = attach(made, nnodes, index, edges);
        if (error)
            pl_comm_unmake(mpi, made);
    }
    if (!error)
        *comm_graph = made ? (MPI_Comm)made->handle : MPI_COMM_NULL;
    return pl_return(mpi, c, error);
}
PL_WEAK(Graph_create)

static int graph_of(struct pl_mpi *mpi, MPI_Comm comm, int kind, struct pl_comm **c,
                    const struct pl_topology **graph)
{
    int error = pl_comm_of(mpi, comm, c);
    return error ? error : pl_topology_of(*c, kind, graph);
}

int PMPI_Graphdims_get(MPI_Comm comm, int *nnodes, int *nedges)
{
    struct pl_mpi *mpi = pl_call("MPI_Graphdims_get");
    struct pl_comm *c = NULL;
    const struct pl_topology *graph;
    int error = graph_of(mpi, comm, MPI_GRAPH, &c, &graph);
    if (!error)
        error = pl_check_pointer(nnodes, "nnodes");
    if (!error)
        error = pl_check_pointer(nedges, "nedges");
    if (!error) {
        *nnodes = graph->n;
        *nedges = graph->m;
    }
    return pl_return(mpi, c, error);
}
PL_WEAK(Graphdims_get)

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

int PMPI_Graph_get(MPI_Comm comm, int maxindex, int maxedges, int index[], int edges[])
{
    struct pl_mpi *mpi = pl_call("MPI_Graph_get");
    struct pl_comm *c = NULL;
    const struct pl_topology *graph;
    int error = graph_of(mpi, comm, MPI_GRAPH, &c, &graph);
    if (!error && (maxindex < 0 || maxedges < 0 || (maxindex && !index) || (maxedges && !edges)))
        error = pl_bad(MPI_ERR_ARG, "an array for the graph is NULL or its length negative");
    for (int i = 0; !error && i < smaller(graph->n, maxindex); i++)
        index[i] = graph->data[i];
    for (int i = 0; !error && i < smaller(graph->m, maxedges); i++)
        edges[i] = graph->data[graph->n + i];
    return pl_return(mpi, c, error);
}
PL_WEAK(Graph_get)

/* A node's edges in the graph of `comm`. */
static int edges_of(const struct pl_comm *c, const struct pl_topology *graph, int rank, int *first,
                    int *count)
{
    if (rank < 0 || rank >= graph->n)
        return pl_bad(MPI_ERR_RANK, "there is no rank %d in %s, whose ranks are 0..%d", rank, c->name,
                      c->size - 1);
    *first = rank ? graph->data[rank - 1] : 0;
    *count = graph->data[rank] - *first;
    return 0;
}

int PMPI_Graph_neighbors_count(MPI_Comm comm, int rank, int *nneighbors)
{
    struct pl_mpi *mpi = pl_call("MPI_Graph_neighbors_count");
    struct pl_comm *c = NULL;
    const struct pl_topology *graph;
    int first = 0, count = 0;
    int error = graph_of(mpi, comm, MPI_GRAPH, &c, &graph);
    if (!error)
        error = pl_check_pointer(nneighbors, "nneighbors");
    if (!error)
        error = edges_of(c, graph, rank, &first, &count);
    if (!error)
        *nneighbors = count;
    return pl_return(mpi, c, error);
}
PL_WEAK(Graph_neighbors_count)

int PMPI_Graph_neighbors(MPI_Comm comm, int rank, int maxneighbors, int neighbors[])
{
    struct pl_mpi *mpi = pl_call("MPI_Graph_neighbors");
    struct pl_comm *c = NULL;
    const struct pl_topology *graph;
    int first = 0, count = 0;
    int error = graph_of(mpi, comm, MPI_GRAPH, &c, &graph);
    if (!error && (maxneighbors < 0 || (maxneighbors && !neighbors)))
        error = pl_bad(MPI_ERR_ARG, "the array for the neighbors is NULL or its length negative");
    if (!error)
        error = edges_of(c, graph, rank, &first, &count);
    for (int i = 0; !error && i < smaller(count, maxneighbors); i++)
        neighbors[i] = graph->data[graph->n + first + i];
    return pl_return(mpi, c, error);
}
PL_WEAK(Graph_neighbors)

int PMPI_Graph_map(MPI_Comm comm, int nnodes, const int index[], const int edges[], int *newrank)
{
    struct pl_mpi *mpi = pl_call("MPI_Graph_map");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(newrank, "newrank");
    if (!error)
        error = check_graph(c, nnodes, index, edges);
    if (!error)
        *newrank = c->rank < nnodes ? c->rank : MPI_UNDEFINED;
    return pl_return(mpi, c, error);
}
PL_WEAK(Graph_map)
