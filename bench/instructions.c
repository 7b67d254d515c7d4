/* The program whose instructions bench/instructions counts: rank 0 runs under callgrind, rank 1 as it is.
 * Only what happens inside measured() is counted, on rank 0, one call a round; the least of many rounds is
 * that of a call that had to wait for nothing:
 *
 *   send       rank 1 looks for the message already
 *   recv       the message has arrived
 *   allreduce  rank 1, which is not slowed down by callgrind, has come first
 *
 * So a count is that of the path, not of the patience. Rejected: many calls in a row, of which some always
 * wait on a busy machine.
 */
#include <mpi.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 100, WARM_UP = 20 };

static double in = 1, out;

static void send(int peer)
{
    MPI_Send(&in, 1, MPI_DOUBLE, peer, 1, MPI_COMM_WORLD);
}

static void recv(int peer)
{
    MPI_Recv(&out, 1, MPI_DOUBLE, peer, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static void allreduce(int peer)
{
    (void)peer;
    MPI_Allreduce(&in, &out, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

static const struct {
    const char *name;
    void (*mine)(int peer), (*theirs)(int peer);
} paths[] = {{"send", send, recv}, {"recv", recv, send}, {"allreduce", allreduce, allreduce}};

__attribute__((noinline)) static void measured(void (*call)(int peer))
{
    call(1);
}

int main(int argc, char **argv)
{
    int rank, size, path = 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    while (path < 3 && (argc < 2 || strcmp(argv[1], paths[path].name) != 0))
        path++;
    if (path == 3 || size != 2) {
        fprintf(stderr, "usage: on two ranks, instructions send|recv|allreduce\n");
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    for (int round = 0; round < WARM_UP + ROUNDS; round++) {
        MPI_Barrier(MPI_COMM_WORLD);
        if (rank)
            paths[path].theirs(0);
        else if (round < WARM_UP)
            paths[path].mine(1);
        else
            measured(paths[path].mine);
    }
    MPI_Finalize();
    return 0;
}
