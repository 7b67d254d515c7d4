/* The first MPI program: N processes start, each learns which one it is.
 *
 *     mpicc 01_hello.c -o hello && mpiexec -n 4 ./hello
 *
 * The same program runs in every process. A process is called a rank, after its
 * number: 0 .. N-1. What a rank does differently, it does because of that number.
 * MPI_COMM_WORLD is the communicator that holds all of them.
 */
#include "check.h"

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);

    int rank, size, length;
    char host[MPI_MAX_PROCESSOR_NAME];
    MPI_Comm_rank(MPI_COMM_WORLD, &rank); /* who am I? */
    MPI_Comm_size(MPI_COMM_WORLD, &size); /* how many are we? */
    MPI_Get_processor_name(host, &length);
    printf("hello from rank %d of %d on %s\n", rank, size, host);

    /* If every rank has its own number, the numbers add up to 0 + 1 + .. + N-1.
     * MPI_Allreduce adds one value from each rank and gives everyone the sum. */
    int sum = 0;
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    int code = check(sum == size * (size - 1) / 2, "everybody is here");

    MPI_Finalize();
    return code;
}
