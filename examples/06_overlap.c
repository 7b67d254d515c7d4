/* Overlap: compute while a collective runs.
 *
 * MPI_Iallreduce starts the sum and returns at once; the vector belongs to MPI
 * until the request is done. Meanwhile there is other work. Now and then
 * MPI_Test gives the library a chance to move the sum along: without it,
 * most of the communication would happen inside the final wait.
 *
 * A gradient descent does this: while the gradients of one layer are being
 * summed, those of the next are computed. Here the "layers" are vectors, and
 * layer L+1 is computed while the sum of layer L travels.
 */
#include "check.h"

#include <math.h>
#include <stdlib.h>

enum { LAYERS = 6, LENGTH = 100000, PIECE = 5000 };

/* A number that only this rank's share of this layer has. */
static double value(int rank, int layer, int i)
{
    return rank + 1 + layer * 10 + i % 13;
}

/* Computes a layer in pieces; after each, `request` (may be null) is moved along. */
static int compute(double *v, int rank, int layer, MPI_Request *request)
{
    int tests = 0;
    for (int i = 0; i < LENGTH; i++) {
        v[i] = sqrt(value(rank, layer, i) * value(rank, layer, i)); /* "work" */
        if (i % PIECE == PIECE - 1 && *request != MPI_REQUEST_NULL) {
            int done;
            MPI_Test(request, &done, MPI_STATUS_IGNORE);
            tests++;
        }
    }
    return tests;
}

static int right_sums(const double *v, int size, int layer)
{
    for (int i = 0; i < LENGTH; i++)
        if (v[i] != size * (size + 1) / 2.0 + size * (layer * 10.0 + i % 13))
            return 0;
    return 1;
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    int rank, size, right = 1, tests = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);

    double *layer[LAYERS];
    for (int l = 0; l < LAYERS; l++)
        if (!(layer[l] = malloc(LENGTH * sizeof(double))))
            MPI_Abort(MPI_COMM_WORLD, 1);

    double start = MPI_Wtime(), waited = 0;
    MPI_Request request = MPI_REQUEST_NULL;
    for (int l = 0; l < LAYERS; l++) {
        tests += compute(layer[l], rank, l, &request); /* while layer l-1 is on its way */
        double before = MPI_Wtime();
        MPI_Wait(&request, MPI_STATUS_IGNORE); /* what is not hidden by then */
        waited += MPI_Wtime() - before;
        MPI_Iallreduce(MPI_IN_PLACE, layer[l], LENGTH, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD, &request);
    }
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    double seconds = MPI_Wtime() - start;

    for (int l = 0; l < LAYERS; l++) {
        right = right && right_sums(layer[l], size, l);
        free(layer[l]);
    }
    if (rank == 0)
        printf("%d layers in %.2f ms, %.2f ms of it waiting between layers; %d tests on the way\n", LAYERS,
               seconds * 1e3, waited * 1e3, tests);
    int code = check(right, "the sums of all layers");
    MPI_Finalize();
    return code;
}
