/* Halo exchange: heat spreads along a rod that is cut up among the ranks.
 *
 * Each rank owns a piece of the rod and, left and right of it, one ghost cell
 * that mirrors its neighbour's outermost cell:
 *
 *     rank 0   G [ 0  1  2  3 ] G
 *                          |    ^
 *                          v    |
 *     rank 1               G [ 4  5  6  7 ] G
 *
 * In each step the outermost cells go to the neighbours' ghosts, then every
 * cell moves towards the mean of its two neighbours. At the ends of the rod the
 * neighbour is MPI_PROC_NULL: sending there and receiving from there do
 * nothing, so that no rank needs a special case, and the ghost keeps the fixed
 * temperature of the rod's end.
 */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS = 203, STEPS = 500 }; /* 203: no number of ranks up to 6 divides it */

static const double HOT = 100, COLD = 0, RATE = 0.25;

/* Fills the ghosts of `u` (cells u[1..n]): start the receives, then the sends, wait for all. */
static void exchange(double *u, int n, int left, int right)
{
    MPI_Request requests[4];
    MPI_Irecv(&u[0], 1, MPI_DOUBLE, left, 0, MPI_COMM_WORLD, &requests[0]);
    MPI_Irecv(&u[n + 1], 1, MPI_DOUBLE, right, 1, MPI_COMM_WORLD, &requests[1]);
    MPI_Isend(&u[n], 1, MPI_DOUBLE, right, 0, MPI_COMM_WORLD, &requests[2]);
    MPI_Isend(&u[1], 1, MPI_DOUBLE, left, 1, MPI_COMM_WORLD, &requests[3]);
    MPI_Waitall(4, requests, MPI_STATUSES_IGNORE);
}

static void step(const double *u, double *next, int n)
{
    for (int i = 1; i <= n; i++)
        next[i] = u[i] + RATE * (u[i - 1] - 2 * u[i] + u[i + 1]);
}

/* The whole rod on one rank, to compare with. */
static void alone(double *rod)
{
    double next[CELLS + 2];
    memset(rod, 0, sizeof next);
    memset(next, 0, sizeof next);
    rod[0] = next[0] = HOT;
    rod[CELLS + 1] = next[CELLS + 1] = COLD;
    for (int t = 0; t < STEPS; t++) {
        step(rod, next, CELLS);
        memcpy(rod, next, sizeof next);
    }
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    int rank, size;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);

    int first = CELLS * rank / size, n = CELLS * (rank + 1) / size - first;
    int left = rank > 0 ? rank - 1 : MPI_PROC_NULL;
    int right = rank < size - 1 ? rank + 1 : MPI_PROC_NULL;
    if (size > CELLS) {
        fprintf(stderr, "at most %d ranks: each needs a cell\n", CELLS);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }

    double *u = calloc((size_t)n + 2, sizeof *u), *next = calloc((size_t)n + 2, sizeof *next);
    if (!u || !next)
        MPI_Abort(MPI_COMM_WORLD, 1);
    if (rank == 0)
        u[0] = next[0] = HOT;
    if (rank == size - 1)
        u[n + 1] = next[n + 1] = COLD;

    for (int t = 0; t < STEPS; t++) {
        exchange(u, n, left, right);
        step(u, next, n);
        double *swap = u;
        u = next;
        next = swap;
    }

    /* The arithmetic of a cell is the same wherever it lives: equal to the bit. */
    double rod[CELLS + 2], heat = 0, total = 0;
    alone(rod);
    int same = memcmp(&u[1], &rod[1 + first], sizeof(double) * (size_t)n) == 0;
    for (int i = 1; i <= n; i++)
        heat += u[i];
    MPI_Allreduce(&heat, &total, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0)
        printf("after %d steps the rod's mean temperature is %.6f\n", STEPS, total / CELLS);
    free(next);
    free(u);

    int code = check(same && total > 0, "cut in pieces or whole, the rod is the same");
    MPI_Finalize();
    return code;
}
