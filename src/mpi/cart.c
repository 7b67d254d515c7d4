/* Cartesian topologies (MPI 5.0, section 8.5). Ranks are row-major: the last dimension runs
 * fastest. Reordering is allowed, not done: the order of ranks in a world already follows the
 * hosts.
 */
#include "agree.h"
#include "topology.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

int pl_cart_rank(const struct pl_topology *cart, const int *coords)
{
    const int *dims = cart->data, *periods = cart->data + cart->n;
    int rank = 0;
    for (int d = 0; d < cart->n; d++) {
        int c = coords[d];
        if (c < 0 || c >= dims[d]) {
            if (!periods[d])
                return MPI_PROC_NULL;
            c %= dims[d];
            c += c < 0 ? dims[d] : 0;
        }
        rank = rank * dims[d] + c;
    }
    return rank;
}

void pl_cart_coords(const struct pl_topology *cart, int rank, int *coords)
{
    for (int d = cart->n - 1; d >= 0; d--) {
        coords[d] = rank % cart->data[d];
        rank /= cart->data[d];
    }
}

/* The number of nodes of a grid; each dimension must be positive. */
static int count_nodes(int ndims, const int dims[], int *nodes)
{
    long long product = 1;
    if (ndims < 0)
        return pl_bad(MPI_ERR_DIMS, "the number of dimensions, %d, is negative", ndims);
    if (ndims && !dims)
        return pl_bad(MPI_ERR_ARG, "the argument 'dims' is NULL");
    for (int d = 0; d < ndims; d++) {
        if (dims[d] <= 0)
            return pl_bad(MPI_ERR_DIMS, "dimension %d has size %d", d, dims[d]);
        product *= dims[d];
        if (product > INT_MAX)
            return pl_bad(MPI_ERR_DIMS, "the grid has more nodes than there can be ranks");
    }
    *nodes = (int)product;
    return 0;
}

static int check_grid(const struct pl_comm *comm, int ndims, const int dims[], const int periods[],
                      int *nodes)
{
    int error = comm->remote ? pl_bad(MPI_ERR_COMM, "%s is an intercommunicator", comm->name) : 0;
    if (!error)
        error = count_nodes(ndims, dims, nodes);
    if (!error && ndims && !periods)
        error = pl_bad(MPI_ERR_ARG, "the argument 'periods' is NULL");
    if (!error && *nodes > comm->size)
        error = pl_bad(MPI_ERR_DIMS, "a grid of %d nodes does not fit on the %d ranks of %s", *nodes,
                       comm->size, comm->name);
    return error;
}

static int attach(struct pl_comm *comm, int ndims, const int dims[], const int periods[])
{
    struct pl_topology *cart = pl_topology_create(MPI_CART, ndims, 0, 3 * (size_t)ndims);
    if (!cart)
        return PL_ENOMEM;
    for (int d = 0; d < ndims; d++) {
        cart->data[d] = dims[d];
        cart->data[ndims + d] = periods[d] != 0;
    }
    pl_cart_coords(cart, comm->rank, cart->data + 2 * ndims);
    comm->topology = cart;
    return 0;
}

int PMPI_Cart_create(MPI_Comm comm_old, int ndims, const int dims[], const int periods[], int reorder,
                     MPI_Comm *comm_cart)
{
    struct pl_mpi *mpi = pl_call("MPI_Cart_create");
    struct pl_comm *c = NULL, *made = NULL;
    int nodes;
    int error = pl_comm_of(mpi, comm_old, &c);
    if (!error)
        error = pl_check_pointer(comm_cart, "comm_cart");
    if (!error)
        error = check_grid(c, ndims, dims, periods, &nodes);
    if (!error)
        error = pl_comm_split(mpi, c, c->rank < nodes ? 0 : MPI_UNDEFINED, 0, &made);
    if (!error && made) {
        error = attach(made, ndims, dims, periods);
        if (error)
            pl_comm_unmake(mpi, made);
    }
    if (!error)
        *comm_cart = made ? (MPI_Comm)made->handle : MPI_COMM_NULL;
    return pl_return(mpi, c, error);
}
PL_WEAK(Cart_create)

static int cart_of(struct pl_mpi *mpi, MPI_Comm comm, struct pl_comm **c, const struct pl_topology **cart)
{
    int error = pl_comm_of(mpi, comm, c);
    return error ? error : pl_topology_of(*c, MPI_CART, cart);
}

int PMPI_Cartdim_get(MPI_Comm comm, int *ndims)
{
    struct pl_mpi *mpi = pl_call("MPI_Cartdim_get");
    struct pl_comm *c = NULL;
    const struct pl_topology *cart;
    int error = cart_of(mpi, comm, &c, &cart);
    if (!error)
        error = pl_check_pointer(ndims, "ndims");
    if (!error)
        *ndims = cart->n;
    return pl_return(mpi, c, error);
}
PL_WEAK(Cartdim_get)

int PMPI_Cart_get(MPI_Comm comm, int maxdims, int dims[], int periods[], int coords[])
{
    struct pl_mpi *mpi = pl_call("MPI_Cart_get");
    struct pl_comm *c = NULL;
    const struct pl_topology *cart;
    int error = cart_of(mpi, comm, &c, &cart);
    if (!error && maxdims < cart->n)
        error = pl_bad(MPI_ERR_ARG, "there is room for %d dimensions, %s has %d", maxdims, c->name, cart->n);
    if (!error && cart->n && (!dims || !periods || !coords))
        error = pl_bad(MPI_ERR_ARG, "an array for the dimensions is NULL");
    for (int d = 0; !error && d < cart->n; d++) {
        dims[d] = cart->data[d];
        periods[d] = cart->data[cart->n + d];
        coords[d] = cart->data[2 * cart->n + d];
    }
    return pl_return(mpi, c, error);
}
PL_WEAK(Cart_get)

int PMPI_Cart_rank(MPI_Comm comm, const int coords[], int *rank)
{
    struct pl_mpi *mpi = pl_call("MPI_Cart_rank");
    struct pl_comm *c = NULL;
    const struct pl_topology *cart;
    int error = cart_of(mpi, comm, &c, &cart);
    if (!error)
        error = pl_check_pointer(rank, "rank");
    if (!error && cart->n)
        error = pl_check_pointer(coords, "coords");
    for (int d = 0; !error && d < cart->n; d++)
        if (!cart->data[cart->n + d] && (coords[d] < 0 || coords[d] >= cart->data[d]))
            error =
                pl_bad(MPI_ERR_ARG, "coordinate %d of dimension %d, which is not periodic, is not in 0..%d",
                       coords[d], d, cart->data[d] - 1);
    if (!error)
        *rank = pl_cart_rank(cart, coords);
    return pl_return(mpi, c, error);
}
PL_WEAK(Cart_rank)

int PMPI_Cart_coords(MPI_Comm comm, int rank, int maxdims, int coords[])
{
    struct pl_mpi *mpi = pl_call("MPI_Cart_coords");
    struct pl_comm *c = NULL;
    const struct pl_topology *cart;
    int error = cart_of(mpi, comm, &c, &cart);
    if (!error && (rank < 0 || rank >= c->size))
        error = pl_bad(MPI_ERR_RANK, "there is no rank %d in %s, whose ranks are 0..%d", rank, c->name,
                       c->size - 1);
    if (!error && maxdims < cart->n)
        error = pl_bad(MPI_ERR_ARG, "there is room for %d dimensions, %s has %d", maxdims, c->name, cart->n);
    if (!error && cart->n)
        error = pl_check_pointer(coords, "coords");
    if (!error)
        pl_cart_coords(cart, rank, coords);
    return pl_return(mpi, c, error);
}
PL_WEAK(Cart_coords)

int PMPI_Cart_shift(MPI_Comm comm, int direction, int disp, int *rank_source, int *rank_dest)
{
    struct pl_mpi *mpi = pl_call("MPI_Cart_shift");
    struct pl_comm *c = NULL;
    const struct pl_topology *cart;
    int *at = NULL;
    int error = cart_of(mpi, comm, &c, &cart);
    if (!error)
        error = pl_check_pointer(rank_source, "rank_source");
    if (!error)
        error = pl_check_pointer(rank_dest, "rank_dest");
    if (!error && (direction < 0 || direction >= cart->n))
        error = pl_bad(MPI_ERR_DIMS, "direction %d is not one of the %d dimensions of %s", direction, cart->n,
                       c->name);
    if (!error && !(at = malloc(sizeof *at * (size_t)cart->n)))
        error = pl_fail(PL_ENOMEM, "no memory for %d coordinates", cart->n);
    if (!error) {
        const int *coords = cart->data + 2 * cart->n;
        int step = cart->data[cart->n + direction] ? disp % cart->data[direction] : disp;
        bool far = step >= cart->data[direction] || step <= -cart->data[direction];
        memcpy(at, coords, sizeof *at * (size_t)cart->n);
        at[direction] = coords[direction] + (far ? cart->data[direction] : step);
        *rank_dest = far ? MPI_PROC_NULL : pl_cart_rank(cart, at);
        at[direction] = coords[direction] - (far ? cart->data[direction] : step);
        *rank_source = far ? MPI_PROC_NULL : pl_cart_rank(cart, at);
    }
    free(at);
    return pl_return(mpi, c, error);
}
PL_WEAK(Cart_shift)

/* The kept dimensions of `cart`, and the color of this rank's slice: its place in those dropped. */
static int slice(const struct pl_topology *cart, const int remain[], int *dims, int *periods, int *color)
{
    int kept = 0;
    *color = 0;
    for (int d = 0; d < cart->n; d++) {
        if (remain[d]) {
            dims[kept] = cart->data[d];
            periods[kept++] = cart->data[cart->n + d];
        } else {
            *color = *color * cart->data[d] + cart->data[2 * cart->n + d];
        }
    }
    return kept;
}

int PMPI_Cart_sub(MPI_Comm comm, const int remain_dims[], MPI_Comm *newcomm)
{
    struct pl_mpi *mpi = pl_call("MPI_Cart_sub");
    struct pl_comm *c = NULL, *made = NULL;
    const struct pl_topology *cart;
    int *shape = NULL;
    int error = cart_of(mpi, comm, &c, &cart);
    if (!error)
        error = pl_check_pointer(newcomm, "newcomm");
    if (!error && cart->n)
        error = pl_check_pointer(remain_dims, "remain_dims");
    if (!error && !(shape = malloc(sizeof *shape * (2 * (size_t)cart->n + 1))))
        error = pl_fail(PL_ENOMEM, "no memory for %d dimensions", cart->n);
    if (!error) {
        int color;
        int kept = slice(cart, remain_dims, shape, shape + cart->n, &color);
        error = pl_comm_split(mpi, c, color, 0, &made);
        if (!error)
            error = attach(made, kept, shape, shape + cart->n);
        if (error && made)
            pl_comm_unmake(mpi, made);
        if (!error)
            *newcomm = (MPI_Comm)made->handle;
    }
    free(shape);
    return pl_return(mpi, c, error);
}
PL_WEAK(Cart_sub)

int PMPI_Cart_map(MPI_Comm comm, int ndims, const int dims[], const int periods[], int *newrank)
{
    struct pl_mpi *mpi = pl_call("MPI_Cart_map");
    struct pl_comm *c = NULL;
    int nodes;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(newrank, "newrank");
    if (!error)
        error = check_grid(c, ndims, dims, periods, &nodes);
    if (!error)
        *newrank = c->rank < nodes ? c->rank : MPI_UNDEFINED;
    return pl_return(mpi, c, error);
}
PL_WEAK(Cart_map)
