/* unmet CODE MICROSECONDS: the last rank leaves with that code, before anybody has talked to it; the others,
 * so long after the start, send to it and receive from it. Each must be told that it died, and how. Run by
 * mpiexec --continue. Prints "all is well" a survivor, and what is wrong on standard error. */
#include <mpi-ext.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int check(const char *call, int error, const char *code)
{
    char text[MPI_MAX_ERROR_STRING] = "", how[64];
    int length;
    snprintf(how, sizeof how, "exited with code %s", code);
    if (error)
        MPI_Error_string(error, text, &length);
    if (error == MPIX_ERR_PROC_FAILED && strstr(text, how) && strstr(text, "process "))
        return 0;
    fprintf(stderr, "%s: class %d: %s\n", call, error, text);
    return 1;
}

int main(int argc, char **argv)
{
    int rank, size, value = 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    if (rank == size - 1)
        _exit(atoi(argv[1]));
    usleep((useconds_t)atoi(argv[2]));
    int sent = MPI_Send(&value, 1, MPI_INT, size - 1, 1, MPI_COMM_WORLD);
    int wrong = sent || atoi(argv[2]) ? check("send", sent, argv[1]) : 0; /* at once it may have been alive */
    wrong += check("receive", MPI_Recv(&value, 1, MPI_INT, size - 1, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE),
                   argv[1]);
    wrong += check("barrier", MPI_Barrier(MPI_COMM_WORLD), argv[1]);
    if (!wrong)
        puts("all is well");
    MPI_Finalize();
    return wrong != 0;
}
