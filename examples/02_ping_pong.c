/* Ping-pong: how long does a message take, and how much goes through?
 *
 * Rank 0 sends a message, rank 1 sends it back. Half of a round is the time one
 * way. Small messages show the latency, large ones the bandwidth.
 * With an odd number of ranks the last one has no partner and only watches;
 * ranks 0-1, 2-3, 4-5, ... play at the same time.
 */
#include "check.h"

#include <stdlib.h>

enum { LARGEST = 1 << 21, TAG = 7 };

/* A pattern that differs in every round, so that an old message cannot pass for a new one. */
static void fill(unsigned char *bytes, int length, int round)
{
    for (int i = 0; i < length; i++)
        bytes[i] = (unsigned char)(i * 31 + round);
}

static int same(const unsigned char *bytes, int length, int round)
{
    for (int i = 0; i < length; i++)
        if (bytes[i] != (unsigned char)(i * 31 + round))
            return 0;
    return 1;
}

/* Plays `rounds` rounds with messages of `length` bytes; returns seconds one way. */
static double play(unsigned char *bytes, int length, int rounds, int rank, int partner)
{
    double start = MPI_Wtime();
    for (int i = 0; i < rounds; i++) {
        if (rank < partner) {
            MPI_Send(bytes, length, MPI_BYTE, partner, TAG, MPI_COMM_WORLD);
            MPI_Recv(bytes, length, MPI_BYTE, partner, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        } else {
            MPI_Recv(bytes, length, MPI_BYTE, partner, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            MPI_Send(bytes, length, MPI_BYTE, partner, TAG, MPI_COMM_WORLD);
        }
    }
    return (MPI_Wtime() - start) / rounds / 2;
}

/* One round that is looked at: the pattern of the lower rank must come back. */
static int echo(unsigned char *bytes, int length, int rank, int partner)
{
    if (rank > partner) {
        /* Probe first: how long is the message that waits? */
        MPI_Status status;
        int waiting = -1;
        MPI_Probe(partner, TAG, MPI_COMM_WORLD, &status);
        MPI_Get_count(&status, MPI_BYTE, &waiting);
        MPI_Recv(bytes, length, MPI_BYTE, partner, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        MPI_Send(bytes, length, MPI_BYTE, partner, TAG, MPI_COMM_WORLD);
        return waiting == length && same(bytes, length, length);
    }
    fill(bytes, length, length);
    MPI_Send(bytes, length, MPI_BYTE, partner, TAG, MPI_COMM_WORLD);
    fill(bytes, length, -1);
    MPI_Recv(bytes, length, MPI_BYTE, partner, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return same(bytes, length, length);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    int rank, size, right = 1;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);

    int partner = rank ^ 1; /* 0-1, 2-3, ... */
    unsigned char *bytes = malloc(LARGEST);
    if (!bytes)
        MPI_Abort(MPI_COMM_WORLD, 1);
    if (rank == 0 && size > 1)
        printf("%10s %12s %12s\n", "bytes", "us one way", "GB/s");
    for (int length = 0; partner < size && length <= LARGEST; length = length ? length * 8 : 1) {
        right = echo(bytes, length, rank, partner) && right;
        double seconds = play(bytes, length, length > 10000 ? 20 : 200, rank, partner);
        if (rank == 0)
            printf("%10d %12.2f %12.3f\n", length, seconds * 1e6, length / seconds / 1e9);
    }
    free(bytes);

    int code = check(right, "every message came back as it was sent");
    MPI_Finalize();
    return code;
}
