/* What scripts/compare-rdma measures, in plain MPI, so that the same source is
 * compiled with any MPI: rdma_mpi latency|bandwidth|allreduce.
 *
 *   latency    8 bytes to and fro between ranks 0 and 1: microseconds one way, the median
 *   bandwidth  1 MiB messages from 0 to 1, 16 under way: MB/s (10^6), the best of some rounds
 *   allreduce  16 MiB of floats over all ranks: microseconds, the best of some rounds
 */
#include <mpi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIB = 1 << 20, UNDER_WAY = 16 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void latency(int rank)
{
    enum { TURNS = 500, WARM = 50 };
    static double times[TURNS];
    char word[8] = "";
    for (int i = -WARM; i < TURNS; i++) {
        double start = MPI_Wtime();
        if (rank == 0)
            MPI_Send(word, 8, MPI_CHAR, 1, 0, MPI_COMM_WORLD);
        if (rank < 2)
            MPI_Recv(word, 8, MPI_CHAR, 1 - rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (rank == 1)
            MPI_Send(word, 8, MPI_CHAR, 0, 0, MPI_COMM_WORLD);
        if (i >= 0)
            times[i] = (MPI_Wtime() - start) / 2;
    }
    qsort(times, TURNS, sizeof *times, by_value);
    if (!rank)
        printf("%.2f\n", times[TURNS / 2] * 1e6);
}

static void bandwidth(int rank)
{
    enum { ROUNDS = 8 };
    MPI_Request requests[UNDER_WAY];
    char *data = malloc((size_t)UNDER_WAY * MIB), word = 0;
    double best = 0;
    memset(data, 1, (size_t)UNDER_WAY * MIB);
    for (int round = 0; round < ROUNDS; round++) {
        MPI_Barrier(MPI_COMM_WORLD);
        double start = MPI_Wtime();
        for (int i = 0; i < UNDER_WAY && rank < 2; i++) {
            if (rank == 0)
                MPI_Isend(data + (size_t)i * MIB, MIB, MPI_CHAR, 1, 0, MPI_COMM_WORLD, &requests[i]);
            else
                MPI_Irecv(data + (size_t)i * MIB, MIB, MPI_CHAR, 0, 0, MPI_COMM_WORLD, &requests[i]);
        }
        if (rank < 2)
            MPI_Waitall(UNDER_WAY, requests, MPI_STATUSES_IGNORE);
        if (rank == 1)
            MPI_Send(&word, 1, MPI_CHAR, 0, 1, MPI_COMM_WORLD);
        if (rank == 0)
            MPI_Recv(&word, 1, MPI_CHAR, 1, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        double rate = (double)UNDER_WAY * MIB / (MPI_Wtime() - start) / 1e6;
        best = rate > best ? rate : best;
    }
    if (!rank)
        printf("%.1f\n", best);
    free(data);
}

static void allreduce(int rank)
{
    enum { COUNT = 4 * MIB, ROUNDS = 4 };
    float *in = malloc(COUNT * sizeof *in), *out = malloc(COUNT * sizeof *out);
    double best = 1e9;
    for (int i = 0; i < COUNT; i++)
        in[i] = (float)(i % 7);
    for (int round = 0; round < ROUNDS; round++) {
        MPI_Barrier(MPI_COMM_WORLD);
        double start = MPI_Wtime(), mine, slowest;
        MPI_Allreduce(in, out, COUNT, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
        mine = MPI_Wtime() - start;
        MPI_Allreduce(&mine, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
        best = slowest < best ? slowest : best;
    }
    if (!rank)
        printf("%.0f\n", best * 1e6);
    free(in);
    free(out);
}

int main(int argc, char **argv)
{
    int rank, size;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    const char *what = argc > 1 ? argv[1] : "latency";
    if (!strcmp(what, "latency"))
        latency(rank);
    else if (!strcmp(what, "bandwidth"))
        bandwidth(rank);
    else
        allreduce(rank);
    MPI_Finalize();
    return 0;
}
