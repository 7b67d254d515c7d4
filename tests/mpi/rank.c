/* A rank that ends in some special way, for process_test.c: rank WHAT. */
#include <mpi.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int rank, size;

static void pause_ms(int ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

/* Rank 1 is killed while the others wait in some call. */
static void killed(const char *where)
{
    enum { LARGE = 1 << 20 };
    int value = rank, sum = 0;
    char *large = calloc(1, LARGE), *result = calloc(1, LARGE);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 1) {
        pause_ms(200);
        raise(SIGKILL);
    }
    if (!strcmp(where, "recv"))
        MPI_Recv(&value, 1, MPI_INT, 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    else if (!strcmp(where, "any"))
        MPI_Recv(&value, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    else if (!strcmp(where, "probe"))
        MPI_Probe(1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    else if (!strcmp(where, "send"))
        MPI_Ssend(large, LARGE, MPI_BYTE, 1, 0, MPI_COMM_WORLD);
    else if (!strcmp(where, "allreduce"))
        MPI_Allreduce(&value, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    else if (!strcmp(where, "large"))
        MPI_Allreduce(large, result, LARGE, MPI_BYTE, MPI_BOR, MPI_COMM_WORLD);
    else
        MPI_Barrier(MPI_COMM_WORLD);
    free(large);
    free(result);
}

/* The same, and the others ask to be told. */
static void told(void)
{
    int value = 0, length;
    char text[MPI_MAX_ERROR_STRING];
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 1)
        raise(SIGKILL);
    int code = MPI_Recv(&value, 1, MPI_INT, 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Error_string(code, text, &length);
    printf("rank %d: %s\n", rank, text);
    fflush(stdout);
}

/* An error of a call without a communicator, where only MPI_COMM_WORLD has an error handler from the program.
 */
static void world_only(void)
{
    int length;
    char text[MPI_MAX_ERROR_STRING];
    MPI_Aint lb, extent;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    int code = MPI_Type_get_extent(MPI_DATATYPE_NULL, &lb, &extent);
    MPI_Error_string(code, text, &length);
    printf("rank %d: %s\n", rank, text);
    fflush(stdout);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_ARE_FATAL);
    MPI_Type_get_extent(MPI_DATATYPE_NULL, &lb, &extent);
    printf("it went on\n");
}

static void fatal(const char *what)
{
    int value = 0, out[2] = {0};
    MPI_Comm copy;
    if (!strcmp(what, "send"))
        MPI_Send(&value, 1, MPI_INT, 99, 0, MPI_COMM_WORLD);
    else if (!strcmp(what, "type"))
        MPI_Bcast(&value, 1, MPI_DATATYPE_NULL, 0, MPI_COMM_WORLD);
    else if (!strcmp(what, "truncated"))
        MPI_Sendrecv(out, 2, MPI_INT, rank, 0, &value, 1, MPI_INT, rank, 0, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
    else if (!strcmp(what, "named")) {
        MPI_Comm_dup(MPI_COMM_WORLD, &copy);
        MPI_Comm_set_name(copy, "halo");
        MPI_Allreduce(&value, out, 1, MPI_INT, MPI_OP_NULL, copy);
    } else if (!strcmp(what, "mismatch")) {
        MPI_Allreduce(&value, out, 1, MPI_INT, rank ? MPI_SUM : MPI_MAX, MPI_COMM_WORLD);
        MPI_Barrier(MPI_COMM_WORLD);
    } else
        MPI_Recv(&value, 1, MPI_INT, rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE); /* alone: never comes */
    printf("it went on\n");
}

static void after_finalize(void)
{
    int initialized = 0, finalized = 0, version, subversion;
    MPI_Initialized(&initialized);
    MPI_Finalized(&finalized);
    MPI_Get_version(&version, &subversion);
    if (initialized && finalized && version == MPI_VERSION)
        printf("after the end all is right\n");
}

static void leave_things(void)
{
    static int in[4];
    static char out[300000];
    MPI_Comm comm;
    MPI_Datatype type;
    MPI_Op op;
    MPI_Group group;
    MPI_Info info;
    MPI_Errhandler handler;
    MPI_Request requests[6];
    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    MPI_Barrier(comm);
    MPI_Type_contiguous(3, MPI_INT, &type);
    MPI_Op_create((MPI_User_function *)leave_things, 1, &op);
    MPI_Comm_group(comm, &group);
    MPI_Info_create(&info);
    MPI_Info_set(info, "a", "b");
    MPI_Comm_create_errhandler((MPI_Comm_errhandler_function *)leave_things, &handler);
    /* receives that nothing comes for, kept and freed; messages that nobody takes; a send freed while it
     * waits */
    MPI_Irecv(&in[0], 1, MPI_INT, (rank + 1) % size, 1, MPI_COMM_WORLD, &requests[0]);
    MPI_Irecv(&in[1], 1, MPI_INT, (rank + 1) % size, 2, comm, &requests[1]);
    MPI_Request_free(&requests[1]);
    MPI_Isend(out, 10, MPI_BYTE, (rank + 1) % size, 3, MPI_COMM_WORLD, &requests[2]);
    MPI_Isend(out, 300000, MPI_BYTE, (rank + 1) % size, 4, comm, &requests[3]);
    MPI_Isend(out, 300000, MPI_BYTE, (rank + 1) % size, 5, comm, &requests[4]);
    MPI_Request_free(&requests[4]);
    MPI_Isend(out, 300000, MPI_BYTE, (rank + 1) % size, 6, MPI_COMM_WORLD, &requests[5]);
    MPI_Request_free(&requests[5]);
    static char got[300000];
    MPI_Recv(got, 300000, MPI_BYTE, (rank + size - 1) % size, 6, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "before-init"))
        MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (!strcmp(what, "finalize-first"))
        MPI_Finalize();
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (!strncmp(what, "killed-", 7))
        killed(what + 7);
    else if (!strcmp(what, "told"))
        told();
    else if (!strcmp(what, "world-only"))
        world_only();
    else if (!strncmp(what, "fatal-", 6))
        fatal(what + 6);
    else if (!strcmp(what, "abort") && rank == size - 1)
        MPI_Abort(MPI_COMM_WORLD, 42);
    else if (!strcmp(what, "exit") && rank == size - 1)
        exit(7);
    else if (!strcmp(what, "no-finalize"))
        return 0;
    else if (!strcmp(what, "leave-things"))
        leave_things();
    else if (!strcmp(what, "init-twice"))
        MPI_Init(&argc, &argv);
    MPI_Finalize();
    if (!strcmp(what, "after-finalize"))
        after_finalize();
    if (!strcmp(what, "init-again"))
        MPI_Init(&argc, &argv);
    if (!strcmp(what, "use-after-finalize"))
        MPI_Barrier(MPI_COMM_WORLD);
    if (!strcmp(what, "finalize-twice"))
        MPI_Finalize();
    printf("rank %d of %d is done\n", rank, size);
    return 0;
}
