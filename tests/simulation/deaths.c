/* Ranks die, links break and are noticed late, while messages and collectives go on. A call either ends with
 * the right data or with an error, and no rank waits for ever. Who has seen an error stops, so the others run
 * into errors too, or are told that they wait in vain. */
#include "scenario.h"

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

static int ring(int round, int rank, int size, unsigned char *out, unsigned char *in, int *ended)
{
    int right = (rank + 1) % size, left = (rank + size - 1) % size;
    size_t length = round % 2 ? LONGEST : 100;
    fill(out, length, (uint64_t)(round * 100 + rank));
    int code = MPI_Sendrecv(out, (int)length, MPI_BYTE, right, round, in, (int)length, MPI_BYTE, left, round,
                            MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    *ended = code != MPI_SUCCESS;
    if (code)
        return expected_error(code, "MPI_Sendrecv");
    return check(in, length, (uint64_t)(round * 100 + left), "MPI_Sendrecv");
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

/* A barrier that others have not reached must not end well, so a late rank makes all of them late. */
static int body(void *unused)
{
    int rank, size, failed = 0, ended = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    unsigned char *bytes = malloc(2 * LONGEST);
    int *numbers = malloc(8000 * sizeof *numbers);
    for (int round = 0; round < ROUNDS && !failed && !ended; round++) {
        failed = ring(round, rank, size, bytes, bytes + LONGEST, &ended);
        if (!failed && !ended)
            failed = total(round, rank, size, numbers, &ended);
    }
    free(bytes);
    free(numbers);
    return failed;
}

const struct scenario deaths_scenario = {"deaths", body, 3,
                                         KIND(DELAY) | KIND(KILL) | KIND(CUT) | KIND(HALF_OPEN), 8};
