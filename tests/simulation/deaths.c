/* Ranks die, links break and are noticed late, while messages and collectives go on. A call either ends with
 * the right data or with an error, and no rank waits for ever. Who has seen an error stops, so the others run
 * into errors too, or are told that they wait in vain. */
#include "scenario.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 8, LONGEST = 20000 };

static int expected_error(int code, const char *what)
{
    int class;
    MPI_Error_class(code, &class);
    if (class == MPI_SUCCESS || class == MPI_ERR_TRUNCATE || class == MPI_ERR_INTERN)
        return wrong("%s: an error of class %d: %s", what, class, error_text(code));
    return 0;
}

static int exchange(int round, unsigned char *out, int right, unsigned char *in, int left, size_t length)
{
    MPI_Request requests[2];
    if (round % 4 < 2)
        return MPI_Sendrecv(out, (int)length, MPI_BYTE, right, round, in, (int)length, MPI_BYTE, left, round,
                            MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Irecv(in, (int)length, MPI_BYTE, left, round, MPI_COMM_WORLD, &requests[0]);
    MPI_Issend(out, (int)length, MPI_BYTE, right, round, MPI_COMM_WORLD, &requests[1]);
    int first = MPI_Wait(&requests[0], MPI_STATUS_IGNORE), second = MPI_Wait(&requests[1], MPI_STATUS_IGNORE);
    return first ? first : second;
}

static int ring(int round, int rank, int size, unsigned char *out, unsigned char *in, int *ended)
{
    int right = (rank + 1) % size, left = (rank + size - 1) % size;
    size_t length = round % 2 ? LONGEST : 100;
    fill(out, length, (uint64_t)(round * 100 + rank));
    int code = exchange(round, out, right, in, left, length);
    *ended = code != MPI_SUCCESS;
    if (code)
        return expected_error(code, "the ring");
    return check(in, length, (uint64_t)(round * 100 + left), "the ring");
}

static int total(int round, int rank, int size, int *numbers, int *ended)
{
    int n = round % 3 ? 1 : 4000, *in = numbers, *out = numbers + n;
    for (int i = 0; i < n; i++)
        in[i] = rank + i + round;
    int code = MPI_Allreduce(in, out, n, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    *ended = code != MPI_SUCCESS;
    if (code)
        return expected_error(code, "MPI_Allreduce");
    for (int i = 0; i < n; i++)
        if (out[i] != size * (size - 1) / 2 + size * (i + round))
            return wrong("MPI_Allreduce: element %d is %d", i, out[i]);
    return 0;
}

static void play(unsigned char *bytes, int *numbers, int *failed)
{
    int rank, size, ended = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (int round = 0; round < ROUNDS && !*failed && !ended; round++) {
        *failed = ring(round, rank, size, bytes, bytes + LONGEST, &ended);
        if (!*failed && !ended)
            *failed = total(round, rank, size, numbers, &ended);
    }
}

static int body(void *unused)
{
    int failed = 0;
    unsigned char *bytes = malloc(2 * LONGEST + 8000 * sizeof(int));
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    pthread_cleanup_push(free, bytes); /* a killed rank's thread ends without returning here */
    play(bytes, (int *)(void *)(bytes + 2 * LONGEST), &failed);
    pthread_cleanup_pop(1);
    return failed;
}

/* Bits are inverted on the way, and checksums are on: what is wrong must never be taken for right. */
const struct scenario flips_scenario = {"flips", body, 4, KIND(DELAY) | KIND(FLIP), 8, "1"};

const struct scenario deaths_scenario = {"deaths", body, 3,
                                         KIND(DELAY) | KIND(KILL) | KIND(CUT) | KIND(HALF_OPEN), 8};
