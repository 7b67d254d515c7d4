/* between KIND VICTIM: the ranks, in two groups, the even and the odd, make one call again and again that the
 * two make together, or that meets another; one of them is killed meanwhile. Every survivor gets
 * MPIX_ERR_PROC_FAILED, and says "all is well". */
#include <mpi-ext.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COUNT = 1000, CALLS = 40, PATIENCE = 20 };

static int rank, size, in[COUNT * 8], out[COUNT * 8];
static MPI_Comm all, half, inter;
static char port[MPI_MAX_PORT_NAME];

static int freed(int error, MPI_Comm *made)
{
    if (!error && *made != MPI_COMM_NULL)
        MPI_Comm_free(made);
    return error;
}

static int barrier(void)
{
    return MPI_Barrier(inter);
}

static int allreduce(void)
{
    return MPI_Allreduce(in, out, COUNT, MPI_INT, MPI_SUM, inter);
}

static int alltoall(void)
{
    return MPI_Alltoall(in, COUNT, MPI_INT, out, COUNT, MPI_INT, inter);
}

static int bcast(void)
{
    int root = rank % 2 ? 0 : rank ? MPI_PROC_NULL : MPI_ROOT;
    int error = MPI_Bcast(in, COUNT, MPI_INT, root, inter);
    return error ? error : MPI_Barrier(inter);
}

static int merge(void)
{
    MPI_Comm made;
    return freed(MPI_Intercomm_merge(inter, rank % 2, &made), &made);
}

static int intercomm_create(void)
{
    MPI_Comm made;
    return freed(MPI_Intercomm_create(half, 0, all, 1 - rank % 2, 7, &made), &made);
}

static int duplicate(void)
{
    MPI_Comm made;
    return freed(MPI_Comm_dup(inter, &made), &made);
}

static int idup(void)
{
    MPI_Comm made;
    MPI_Request request;
    int error = MPI_Comm_idup(inter, &made, &request);
    return error ? error : freed(MPI_Wait(&request, MPI_STATUS_IGNORE), &made);
}

static int split(void)
{
    MPI_Comm made;
    return freed(MPI_Comm_split(inter, 0, 0, &made), &made);
}

static int create(void)
{
    MPI_Comm made;
    MPI_Group group;
    MPI_Comm_group(all, &group);
    int error = freed(MPI_Comm_create(all, group, &made), &made);
    MPI_Group_free(&group);
    return error;
}

static int create_group(void)
{
    MPI_Comm made;
    MPI_Group group;
    MPI_Comm_group(all, &group);
    int error = freed(MPI_Comm_create_group(all, group, 5, &made), &made);
    MPI_Group_free(&group);
    return error;
}

static int accept_nobody(void)
{
    MPI_Comm made;
    return MPI_Comm_accept(port, MPI_INFO_NULL, 0, all, &made);
}

static const struct {
    const char *name;
    int (*call)(void);
} kinds[] = {
    {"barrier", barrier},
    {"allreduce", allreduce},
    {"alltoall", alltoall},
    {"bcast", bcast},
    {"merge", merge},
    {"intercomm-create", intercomm_create},
    {"dup", duplicate},
    {"idup", idup},
    {"split", split},
    {"create", create},
    {"create-group", create_group},
    {"accept", accept_nobody},
};

static int run(int (*call)(void), int victim)
{
    double start = MPI_Wtime();
    for (int i = 0, error; MPI_Wtime() - start < PATIENCE; i++) {
        if (rank == victim && i == CALLS)
            raise(SIGKILL);
        if ((error = call()))
            return error;
    }
    return -1;
}

int main(int argc, char **argv)
{
    int (*call)(void) = NULL, victim = argc > 2 ? atoi(argv[2]) : 0;
    char text[MPI_MAX_ERROR_STRING] = "no error";
    int length;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (argc > 2 && !strcmp(kinds[k].name, argv[1]))
            call = kinds[k].call;
    if (!call)
        return 2;
    MPI_Init(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_dup(MPI_COMM_WORLD, &all);
    MPI_Comm_split(all, rank % 2, rank, &half);
    MPI_Intercomm_create(half, 0, all, 1 - rank % 2, 7, &inter);
    if (call == accept_nobody) { /* nobody ever connects */
        if (!rank)
            MPI_Open_port(MPI_INFO_NULL, port);
        MPI_Barrier(all);
        if (rank == victim) {
            usleep(50000);
            raise(SIGKILL);
        }
    }
    int error = run(call, victim);
    if (error > 0)
        MPI_Error_string(error, text, &length);
    if (error == MPIX_ERR_PROC_FAILED)
        puts("all is well");
    else
        fprintf(stderr, "rank %d: %d, %s\n", rank, error, text);
    MPI_Finalize();
    return error != MPIX_ERR_PROC_FAILED;
}
