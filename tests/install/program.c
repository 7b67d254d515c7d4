/* A user's program for the install test: C99, mpi.h and nothing of Peal's own
 * unless asked for. Ends with 0 when the ranks' numbers add up. */
#include <mpi.h>
#include <stdio.h>
#ifdef WITH_PEAL_H
#include <peal.h>
#endif

int main(int argc, char **argv)
{
    int rank, size, sum = -1;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0)
        printf("%d ranks, sum %d\n", size, sum);
    MPI_Finalize();
    return sum != size * (size - 1) / 2;
}
