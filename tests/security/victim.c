/* Ranks that talk for a few seconds, and say where: their process, and the addresses they listen on. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int rank, sum;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    printf("pid %d\n", (int)getpid());
    fflush(stdout);
    for (int i = 0; i < 300; i++) {
        MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    MPI_Finalize();
    if (rank == 0)
        printf("undisturbed\n");
    return 0;
}
