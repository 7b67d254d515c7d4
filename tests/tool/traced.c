/* traced [die]: two messages around the ring and ten sums; with `die` the last rank is killed after them. */
#include <mpi.h>
#include <signal.h>
#include <unistd.h>

enum { COUNT = 1000 };

int main(int argc, char **argv)
{
    int rank, size, data[COUNT] = {0}, sum;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (int i = 0; i < 2 && size > 1; i++) {
        MPI_Request request;
        MPI_Irecv(data, COUNT, MPI_INT, (rank + size - 1) % size, 1, MPI_COMM_WORLD, &request);
        MPI_Send(data, COUNT, MPI_INT, (rank + 1) % size, 1, MPI_COMM_WORLD);
        MPI_Wait(&request, MPI_STATUS_IGNORE);
    }
    for (int i = 0; i < 10; i++)
        MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (argc > 1 && rank == size - 1)
        kill(getpid(), SIGKILL);
    return MPI_Finalize();
}
