/* A ring allreduce, written by hand with MPI_Sendrecv.
 *
 * Each of N ranks has a vector; all want the sum. The vector is cut into N
 * chunks, and the ranks stand in a ring. Chunks travel to the right:
 *
 *   1. reduce-scatter, N-1 steps: a rank adds its own numbers to the chunk that
 *      comes in and passes it on. After N-1 steps each rank holds one chunk
 *      that has been around and is finished.
 *
 *            rank 0          rank 1          rank 2
 *   start    a0 b0 c0        a1 b1 c1        a2 b2 c2
 *   step 0   .. .. c0+c2     a0+a1 .. ..     .. b1+b2 ..
 *   step 1   .. b0+b1+b2 ..  .. .. c0+c1+c2  a0+a1+a2 .. ..
 *
 *   2. allgather, N-1 steps: the finished chunks go around once more.
 *
 * A rank sends 2 (N-1)/N of its vector, whatever N is: no rank and no link is
 * a bottleneck. That is why training with many GPUs uses it.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

/* Where chunk c (taken modulo n) of a vector of `length` begins; chunks differ by one at most. */
static int begin(int c, int n, int length)
{
    return (int)((long)length * c / n);
}

static int chunk_of(int c, int n)
{
    return ((c % n) + n) % n;
}

/* Sends chunk `out` of `v` to the right while a chunk of `n_in` numbers comes from the left. */
static void shift(double *v, int out, double *in, int n_in, int n, int length, int rank)
{
    int right = (rank + 1) % n, left = (rank + n - 1) % n;
    MPI_Sendrecv(v + begin(out, n, length), begin(out + 1, n, length) - begin(out, n, length), MPI_DOUBLE,
                 right, 0, in, n_in, MPI_DOUBLE, left, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static void ring_allreduce(double *v, int length, double *scratch, int rank, int n)
{
    for (int k = 0; k < n - 1; k++) { /* reduce-scatter */
        int out = chunk_of(rank - k, n), in = chunk_of(rank - k - 1, n);
        int first = begin(in, n, length), count = begin(in + 1, n, length) - first;
        shift(v, out, scratch, count, n, length, rank);
        for (int i = 0; i < count; i++)
            v[first + i] += scratch[i];
    }
    for (int k = 0; k < n - 1; k++) { /* allgather */
        int out = chunk_of(rank - k + 1, n), in = chunk_of(rank - k, n);
        int first = begin(in, n, length), count = begin(in + 1, n, length) - first;
        shift(v, out, v + first, count, n, length, rank);
    }
}

/* One length: by hand and by the library must agree. The numbers are whole and
 * small, so that the order of additions does not change the sum. */
static int agree(int length, int rank, int n)
{
    double *mine = malloc(sizeof(double) * (size_t)(length + 1));
    double *ours = malloc(sizeof(double) * (size_t)(length + 1));
    double *scratch = malloc(sizeof(double) * (size_t)(length + 1));
    if (!mine || !ours || !scratch)
        MPI_Abort(MPI_COMM_WORLD, 1);
    for (int i = 0; i < length; i++)
        mine[i] = rank * 1000 + i % 97;

    double start = MPI_Wtime();
    MPI_Allreduce(mine, ours, length, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    double middle = MPI_Wtime();
    ring_allreduce(mine, length, scratch, rank, n);
    double end = MPI_Wtime();

    int right = memcmp(mine, ours, sizeof(double) * (size_t)length) == 0;
    for (int i = 0; i < length; i++)
        right = right && ours[i] == 1000.0 * n * (n - 1) / 2 + n * (double)(i % 97);
    if (rank == 0)
        printf("%8d numbers: by hand %8.1f us, MPI_Allreduce %8.1f us\n", length, (end - middle) * 1e6,
               (middle - start) * 1e6);
    free(scratch);
    free(ours);
    free(mine);
    return right;
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    int rank, size, right = 1;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);

    /* Also fewer numbers than ranks, none at all, and lengths that N does not divide. */
    static const int lengths[] = {0, 1, 2, 7, 1000, 65537, 300000};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        right = agree(lengths[i], rank, size) && right;

    int code = check(right, "the ring and MPI_Allreduce agree");
    MPI_Finalize();
    return code;
}
