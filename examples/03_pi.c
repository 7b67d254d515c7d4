/* Pi, by adding up a million thin rectangles under 4 / (1 + x*x), shared out.
 *
 * The pattern of most parallel programs: rank 0 knows the task and tells all
 * (broadcast), each rank does its share, the shares are put together (reduce).
 */
#include "check.h"

#include <math.h>

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    int rank, size, rectangles = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);

    if (rank == 0)
        rectangles = 1000000; /* only rank 0 knows it, until ... */
    MPI_Bcast(&rectangles, 1, MPI_INT, 0, MPI_COMM_WORLD);

    /* Rank r takes rectangles r, r+N, r+2N, ... : nearly the same number each,
     * whether or not N divides the number of rectangles. */
    double width = 1.0 / rectangles, mine = 0;
    for (int i = rank; i < rectangles; i += size) {
        double x = (i + 0.5) * width;
        mine += 4 / (1 + x * x) * width;
    }

    double pi = 0; /* only rank 0 gets the sum */
    MPI_Reduce(&mine, &pi, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);

    if (rank == 0)
        printf("pi is about %.12f, off by %.1e\n", pi, fabs(pi - acos(-1)));
    int code = check(rank != 0 || fabs(pi - acos(-1)) < 1e-10, "pi");
    MPI_Finalize();
    return code;
}
