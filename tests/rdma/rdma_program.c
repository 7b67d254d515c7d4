/* Parts of the tests over RDMA that need MPI processes: program hello|remap|large|kill|link.
 *
 *   hello   says how many ranks there are
 *   remap   sends from and receives into memory that is unmapped and mapped again at the same address
 *   large   messages that the limit on locked memory does not allow to register
 *   kill    the last rank kills itself while the others wait for it
 *   link    messages for a few seconds, while the caller takes the link down
 */
#include <mpi.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LENGTH = 1 << 20, ROUNDS = 30 };

static int rank, size;

static char *map_at(void *where)
{
    char *memory = mmap(where, LENGTH, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | (where ? MAP_FIXED : 0), -1, 0);
    if (memory == MAP_FAILED)
        exit(2);
    return memory;
}

/* More than the limit on locked memory allows to register, in both directions at once. */
static int large(void)
{
    size_t bytes = (size_t)8 * LENGTH;
    char *out = malloc(bytes), *in = calloc(bytes, 1);
    int other = 1 - rank;
    memset(out, 5 + rank, bytes);
    MPI_Sendrecv(out, (int)bytes, MPI_CHAR, other, 0, in, (int)bytes, MPI_CHAR, other, 0, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE);
    for (size_t i = 0; i < bytes; i++)
        if (in[i] != 5 + other)
            return 1;
    if (!rank)
        puts("all right: it came in copies");
    free(out);
    free(in);
    return 0;
}

static int remap(void)
{
    char *memory = map_at(NULL);
    for (int round = 0; round < ROUNDS; round++) {
        memset(memory, rank ? 0 : round + 1, LENGTH);
        if (rank == 0)
            MPI_Send(memory, LENGTH, MPI_CHAR, 1, round, MPI_COMM_WORLD);
        else if (rank == 1)
            MPI_Recv(memory, LENGTH, MPI_CHAR, 0, round, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        for (int i = 0; rank == 1 && i < LENGTH; i++)
            if (memory[i] != round + 1) {
                printf("round %d: byte %d is %d: it comes from memory that was unmapped\n", round, i,
                       memory[i]);
                return 1;
            }
        munmap(memory, LENGTH);
        map_at(memory);
    }
    if (!rank)
        printf("all right: %d rounds\n", ROUNDS);
    return 0;
}

static int tell(const char *what, int error)
{
    char text[MPI_MAX_ERROR_STRING];
    int length;
    MPI_Error_string(error, text, &length);
    printf("rank %d: %s: %s\n", rank, what, text);
    fflush(stdout);
    return 0;
}

static int kill_one(void)
{
    int word = 0, last = size - 1;
    for (int peer = 0; peer < size; peer++)
        if (peer != rank)
            MPI_Sendrecv(&rank, 1, MPI_INT, peer, 0, &word, 1, MPI_INT, peer, 0, MPI_COMM_WORLD,
                         MPI_STATUS_IGNORE);
    if (rank == last)
        raise(SIGKILL);
    MPI_Recv(&word, 1, MPI_INT, last, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return 0;
}

static int link_down(void)
{
    static char data[200000];
    int other = 1 - rank, error = 0;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Barrier(MPI_COMM_WORLD);
    if (!rank) {
        puts("running");
        fflush(stdout);
    }
    double end = MPI_Wtime() + 8;
    for (int go = 1; go && !error;) {
        go = MPI_Wtime() < end;
        MPI_Status status;
        error = MPI_Sendrecv(data, go ? (int)sizeof data : 1, MPI_CHAR, other, 0, data, (int)sizeof data,
                             MPI_CHAR, other, 0, MPI_COMM_WORLD, &status);
        int got = 0;
        if (!error)
            MPI_Get_count(&status, MPI_CHAR, &got);
        go = go && got > 1;
        usleep(1000);
    }
    if (error) {
        tell("lost in the middle", error);
        _exit(3);
    }
    if (!rank)
        puts("all right: nothing was lost");
    return 0;
}

int main(int argc, char **argv)
{
    int code = 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    const char *what = argc > 1 ? argv[1] : "hello";
    if (!strcmp(what, "remap"))
        code = remap();
    else if (!strcmp(what, "large"))
        code = large();
    else if (!strcmp(what, "kill"))
        code = kill_one();
    else if (!strcmp(what, "link"))
        code = link_down();
    else if (!rank)
        printf("hello of %d ranks\n", size);
    MPI_Finalize();
    return code;
}
