/* hang KIND: a job that hangs, or seems to: what mpiexec tells of it is looked at by hang.sh. */
#include <mpi.h>
#include <string.h>

static int rank, word;

static void compute(double seconds)
{
    volatile int left;
    for (double end = MPI_Wtime() + seconds; MPI_Wtime() < end;)
        for (left = 1000; left > 0;)
            left--;
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Barrier(MPI_COMM_WORLD);
    if (!strcmp(argv[1], "cycle"))
        MPI_Recv(&word, 1, MPI_INT, !rank, 5, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    else if (!strcmp(argv[1], "straggler") && rank)
        MPI_Recv(&word, 1, MPI_INT, 0, 5, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    else if (!strcmp(argv[1], "straggler"))
        compute(4), MPI_Send(&word, 1, MPI_INT, 1, 5, MPI_COMM_WORLD);
    else if (rank) /* unmatched */
        MPI_Recv(&word, 1, MPI_INT, 0, 4, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    else
        MPI_Ssend(&word, 1, MPI_INT, 1, 3, MPI_COMM_WORLD);
    MPI_Finalize();
    return 0;
}
