/* Distributed graph topologies (MPI 5.0, section 8.5.4): each rank knows its own edges only.
 *
 * MPI_Dist_graph_create lets any rank contribute any edges. Each rank counts what it has for each
 * other, an alltoall tells everybody what to expect, then the edges go to those they concern: to
 * the source as an outgoing edge, to the destination as an incoming one:
 *
 *     rank 2 contributes  0 -> 1 (weight 5)      2 -- {out: 1, 5} --> 0     2 -- {in: 0, 5} --> 1
 *
 * Edges at a rank come in the order of the ranks that contributed them. Reordering is allowed, not done.
 */
#include "agree.h"
#include "collectives.h"
#include "exchange.h"
#include "info.h"
#include "loss.h"
#include "topology.h"

#include <stdlib.h>
#include <string.h>

/* An end of an edge as its rank will keep it. */
struct end {
    int other, weight;
};

/* The ends that go between this rank and each other: counts and first places, [size] each. */
struct traffic {
    int (*counts)[2]; /* incoming, outgoing */
    size_t *first;    /* of its ends, the incoming ones before the outgoing; [size + 1] */
    struct end *ends;
};

static int alloc_traffic(struct traffic *t, int size)
{
    t->counts = calloc((size_t)size, sizeof *t->counts);
    t->first = calloc((size_t)size + 1, sizeof *t->first);
    return t->counts && t->first ? 0 : pl_fail(PL_ENOMEM, "no memory for the edges of a graph");
}

static int place(struct traffic *t, int size)
{
    for (int i = 0; i < size; i++)
        t->first[i + 1] = t->first[i] + (size_t)t->counts[i][0] + (size_t)t->counts[i][1];
    t->ends = malloc(sizeof *t->ends * (t->first[size] + 1));
    return t->ends ? 0 : pl_fail(PL_ENOMEM, "no memory for the edges of a graph");
}

static void free_traffic(struct traffic *t)
{
    free(t->counts);
    free(t->first);
    free(t->ends);
}

struct edges {
    int n;
    const int *sources, *degrees, *destinations, *weights; /* weights NULL: none */
};

/* Sorts the contributed edges by the ranks they go to. */
static int sort_edges(const struct edges *e, int size, struct traffic *out)
{
    int error = alloc_traffic(out, size);
    for (int i = 0, k = 0; i < e->n && !error; i++)
        for (int j = 0; j < e->degrees[i]; j++, k++) {
            out->counts[e->destinations[k]][0]++;
            out->counts[e->sources[i]][1]++;
        }
    if (!error)
        error = place(out, size);
    size_t(*next)[2] = error ? NULL : malloc(sizeof *next * (size_t)size);
    if (!error && !next)
        error = pl_fail(PL_ENOMEM, "no memory for the edges of a graph");
    for (int r = 0; r < size && !error; r++) {
        next[r][0] = out->first[r];
        next[r][1] = out->first[r] + (size_t)out->counts[r][0];
    }
    for (int i = 0, k = 0; i < e->n && !error; i++)
        for (int j = 0; j < e->degrees[i]; j++, k++) {
            int weight = e->weights ? e->weights[k] : 1;
            out->ends[next[e->destinations[k]][0]++] = (struct end){e->sources[i], weight};
            out->ends[next[e->sources[i]][1]++] = (struct end){e->destinations[k], weight};
        }
    free(next);
    return error;
}

/* Everybody's ends for everybody: messages only where there are any. */
static int exchange(struct pl_comm *comm, const struct traffic *out, const struct traffic *in)
{
    int n = comm->size, error = pl_comm_check(comm, ~0u);
    if (error)
        return error;
    struct pl_request *requests = calloc(2 * (size_t)n, sizeof *requests);
    if (!requests)
        return pl_fail(PL_ENOMEM, "no memory for the edges of a graph");
    for (int i = 0; i < 2 * n; i++) {
        const struct traffic *t = i < n ? in : out;
        int r = i < n ? i : i - n;
        size_t bytes = (t->first[r + 1] - t->first[r]) * sizeof *t->ends;
        struct end *ends = t->ends + t->first[r];
        if (!bytes)
            requests[i].complete = true;
        else if (i < n)
            pl_recv_start(&requests[i], comm, PL_CHANNEL_AGREE, ends, bytes, r, PL_AGREE_EDGES, 0);
        else
            pl_send_start(&requests[i], comm, PL_CHANNEL_AGREE, PL_MODE_STANDARD, ends, bytes, r,
                          PL_AGREE_EDGES, 0);
        requests[i].together = comm;
    }
    for (int i = 0; i < 2 * n; i++) {
        int failed = requests[i].complete && !requests[i].error ? 0 : pl_request_wait(&requests[i]);
        error = error ? error : failed;
        pl_request_finish(&requests[i]);
    }
    free(requests);
    return error;
}

/* This rank's part of the graph out of what came from each rank. */
static struct pl_topology *assemble(const struct traffic *in, int size, bool weighted)
{
    int n = 0, m = 0;
    for (int r = 0; r < size; r++) {
        n += in->counts[r][0];
        m += in->counts[r][1];
    }
    struct pl_topology *graph = pl_topology_create(MPI_DIST_GRAPH, n, m, 2 * ((size_t)n + (size_t)m));
    int *sources = graph ? graph->data : NULL, *destinations = graph ? graph->data + 2 * n : NULL;
    for (int r = 0, i = 0, o = 0; r < size && graph; r++) {
        const struct end *end = in->ends + in->first[r];
        for (int k = 0; k < in->counts[r][0]; k++, i++, end++) {
            sources[i] = end->other;
            sources[n + i] = end->weight;
        }
        for (int k = 0; k < in->counts[r][1]; k++, o++, end++) {
            destinations[o] = end->other;
            destinations[m + o] = end->weight;
        }
    }
    if (graph)
        graph->weighted = weighted;
    return graph;
}

static int distribute(struct pl_comm *comm, const struct edges *edges, bool weighted,
                      struct pl_topology **graph)
{
    struct traffic out = {0}, in = {0};
    int error = sort_edges(edges, comm->size, &out);
    if (!error)
        error = alloc_traffic(&in, comm->size);
    struct pl_coll_call counts = {.collective = PL_ALLTOALL,
                                  .in = out.counts,
                                  .out = in.counts,
                                  .count = sizeof *in.counts,
                                  .type = pl_datatype_predefined((uintptr_t)MPI_BYTE),
                                  .comm = comm};
    if (!error)
        error = pl_coll_blocking(&counts);
    if (!error)
        error = place(&in, comm->size);
    if (!error)
        error = exchange(comm, &out, &in);
    if (!error && !(*graph = assemble(&in, comm->size, weighted)))
        error = PL_ENOMEM;
    free_traffic(&out);
    free_traffic(&in);
    return error;
}

/* A communicator like `comm` with the topology, which it takes over. */
static int give(struct pl_mpi *mpi, struct pl_comm *comm, struct pl_topology *graph, MPI_Comm *handle)
{
    struct pl_comm *made;
    uint64_t context = comm->rank ? 0 : pl_context_new(mpi->rank);
    int error = pl_exchange_bcast(comm, &context, sizeof context, 0);
    if (!error)
        error = pl_comm_make(mpi, comm, comm->group, context, &made);
    if (error) {
        free(graph);
        return error;
    }
    made->topology = graph;
    *handle = (MPI_Comm)made->handle;
    return 0;
}

static int begin(struct pl_mpi *mpi, MPI_Comm comm, MPI_Info info, const MPI_Comm *handle, struct pl_comm **c)
{
    struct pl_info *hints;
    int error = pl_comm_of(mpi, comm, c);
    if (!error && (*c)->remote)
        error = pl_bad(MPI_ERR_COMM, "%s is an intercommunicator", (*c)->name);
    if (!error && info != MPI_INFO_NULL)
        error = pl_info_of(mpi, info, &hints);
    return error ? error : pl_check_pointer(handle, "comm_dist_graph");
}

static int check_ranks(const struct pl_comm *comm, int n, const int ranks[], const char *what)
{
    if (n < 0 || (n && !ranks))
        return pl_bad(MPI_ERR_ARG, "the list of %s is NULL or its length, %d, negative", what, n);
    for (int i = 0; i < n; i++)
        if (ranks[i] < 0 || ranks[i] >= comm->size)
            return pl_bad(MPI_ERR_RANK, "%s %d is rank %d, which is not in %s (%d ranks)", what, i, ranks[i],
                          comm->name, comm->size);
    return 0;
}

static int check_weights(int n, const int weights[])
{
    if (n && (!weights || weights == MPI_WEIGHTS_EMPTY))
        return pl_bad(MPI_ERR_ARG, "there are %d edges and no array of weights", n);
    return 0;
}

int PMPI_Dist_graph_create(MPI_Comm comm_old, int n, const int sources[], const int degrees[],
                           const int destinations[], const int weights[], MPI_Info info, int reorder,
                           MPI_Comm *comm_dist_graph)
{
    struct pl_mpi *mpi = pl_call("MPI_Dist_graph_create");
    struct pl_comm *c = NULL;
    struct pl_topology *graph = NULL;
    bool weighted = weights != MPI_UNWEIGHTED;
    int edges = 0;
    int error = begin(mpi, comm_old, info, comm_dist_graph, &c);
    if (!error)
        error = check_ranks(c, n, sources, "source");
    if (!error && n && !degrees)
        error = pl_bad(MPI_ERR_ARG, "the argument 'degrees' is NULL");
    for (int i = 0; i < n && !error; i++) {
        if (degrees[i] < 0)
            error = pl_bad(MPI_ERR_ARG, "degree %d is %d", i, degrees[i]);
        edges += degrees[i];
    }
    if (!error)
        error = check_ranks(c, edges, destinations, "destination");
    if (!error && weighted)
        error = check_weights(edges, weights);
    struct edges e = {n, sources, degrees, destinations, weighted ? weights : NULL};
    if (!error)
        error = distribute(c, &e, weighted, &graph);
    if (!error)
        error = give(mpi, c, graph, comm_dist_graph);
    return pl_return(mpi, c, error);
}
PL_WEAK(Dist_graph_create)

static void copy_side(int *to, int n, const int ranks[], const int weights[], bool weighted)
{
    for (int i = 0; i < n; i++) {
        to[i] = ranks[i];
        to[n + i] = weighted ? weights[i] : 1;
    }
}

int PMPI_Dist_graph_create_adjacent(MPI_Comm comm_old, int indegree, const int sources[],
                                    const int sourceweights[], int outdegree, const int destinations[],
                                    const int destweights[], MPI_Info info, int reorder,
                                    MPI_Comm *comm_dist_graph)
{
    struct pl_mpi *mpi = pl_call("MPI_Dist_graph_create_adjacent");
    struct pl_comm *c = NULL;
    struct pl_topology *graph = NULL;
    bool weighted = sourceweights != MPI_UNWEIGHTED;
    int error = begin(mpi, comm_old, info, comm_dist_graph, &c);
    if (!error)
        error = check_ranks(c, indegree, sources, "source");
    if (!error)
        error = check_ranks(c, outdegree, destinations, "destination");
    if (!error && weighted != (destweights != MPI_UNWEIGHTED))
        error = pl_bad(MPI_ERR_ARG, "one side has weights and the other MPI_UNWEIGHTED");
    if (!error && weighted)
        error = check_weights(indegree, sourceweights);
    if (!error && weighted)
        error = check_weights(outdegree, destweights);
    if (!error && !(graph = pl_topology_create(MPI_DIST_GRAPH, indegree, outdegree,
                                               2 * ((size_t)indegree + (size_t)outdegree))))
        error = PL_ENOMEM;
    if (!error) {
        graph->weighted = weighted;
        copy_side(graph->data, indegree, sources, sourceweights, weighted);
        copy_side(graph->data + 2 * indegree, outdegree, destinations, destweights, weighted);
        error = give(mpi, c, graph, comm_dist_graph);
    }
    return pl_return(mpi, c, error);
}
PL_WEAK(Dist_graph_create_adjacent)

int PMPI_Dist_graph_neighbors_count(MPI_Comm comm, int *indegree, int *outdegree, int *weighted)
{
    struct pl_mpi *mpi = pl_call("MPI_Dist_graph_neighbors_count");
    struct pl_comm *c = NULL;
    const struct pl_topology *graph;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_topology_of(c, MPI_DIST_GRAPH, &graph);
    if (!error && (!indegree || !outdegree || !weighted))
        error = pl_bad(MPI_ERR_ARG, "an output argument is NULL");
    if (!error) {
        *indegree = graph->n;
        *outdegree = graph->m;
        *weighted = graph->weighted;
    }
    return pl_return(mpi, c, error);
}
PL_WEAK(Dist_graph_neighbors_count)

/* Gives at most `most` of the n edges of one side. */
static int tell_side(const struct pl_topology *graph, const int *side, int n, int most, int ranks[],
                     int weights[])
{
    int count = n < most ? n : most;
    bool wants_weights = graph->weighted && weights != MPI_UNWEIGHTED && weights != MPI_WEIGHTS_EMPTY;
    if (most < 0 || (count && (!ranks || (wants_weights && !weights))))
        return pl_bad(MPI_ERR_ARG, "an array for the neighbors is NULL or its length, %d, negative", most);
    for (int i = 0; i < count; i++)
        ranks[i] = side[i];
    for (int i = 0; i < count && wants_weights; i++)
        weights[i] = side[n + i];
    return 0;
}

int PMPI_Dist_graph_neighbors(MPI_Comm comm, int maxindegree, int sources[], int sourceweights[],
                              int maxoutdegree, int destinations[], int destweights[])
{
    struct pl_mpi *mpi = pl_call("MPI_Dist_graph_neighbors");
    struct pl_comm *c = NULL;
    const struct pl_topology *graph;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_topology_of(c, MPI_DIST_GRAPH, &graph);
    if (!error)
        error = tell_side(graph, graph->data, graph->n, maxindegree, sources, sourceweights);
    if (!error)
        error =
            tell_side(graph, graph->data + 2 * graph->n, graph->m, maxoutdegree, destinations, destweights);
    return pl_return(mpi, c, error);
}
PL_WEAK(Dist_graph_neighbors)
