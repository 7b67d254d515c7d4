/* mismatch KIND COUNT: the ranks make calls that do not fit together; every one of them must get an error
 * that names both, in that call or in its next on the communicator. Rank 0 prints "all is well". */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rank, size, count;
static char said[1024];

static int keep(int error)
{
    char text[MPI_MAX_ERROR_STRING];
    int length;
    if (error && !said[0]) {
        MPI_Error_string(error, text, &length);
        snprintf(said, sizeof said, "%s", text);
    }
    return error;
}

struct kind {
    const char *name;
    const char *words[2]; /* that the error must have */
    int (*call)(int *in, int *out);
};

static int bcast_allreduce(int *in, int *out)
{
    return rank == size - 1 ? MPI_Allreduce(in, out, count, MPI_INT, MPI_SUM, MPI_COMM_WORLD)
                            : MPI_Bcast(in, count, MPI_INT, 0, MPI_COMM_WORLD);
}

static int roots(int *in, int *out)
{
    return MPI_Bcast(in, count, MPI_INT, rank == size - 1 ? rank : 0, MPI_COMM_WORLD);
}

static int reduce_roots(int *in, int *out)
{
    return MPI_Reduce(in, out, count, MPI_INT, MPI_SUM, rank == size - 1 ? rank : 0, MPI_COMM_WORLD);
}

static int counts(int *in, int *out)
{
    return MPI_Allreduce(in, out, rank == size - 1 ? count / 2 : count, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
}

static int counts_of_bcast(int *in, int *out)
{
    return MPI_Bcast(in, rank == size - 1 ? count / 2 : count, MPI_INT, 0, MPI_COMM_WORLD);
}

static int ops(int *in, int *out)
{
    return MPI_Allreduce(in, out, count, MPI_INT, rank == size - 1 ? MPI_MAX : MPI_SUM, MPI_COMM_WORLD);
}

static int types(int *in, int *out)
{
    return MPI_Allreduce(in, out, count, rank == size - 1 ? MPI_FLOAT : MPI_INT, MPI_SUM, MPI_COMM_WORLD);
}

/* Nobody sends anything. */
static int gather_scatter(int *in, int *out)
{
    return rank == 0 ? MPI_Gather(in, 1, MPI_INT, out, 1, MPI_INT, 0, MPI_COMM_WORLD)
                     : MPI_Scatter(in, 1, MPI_INT, out, 1, MPI_INT, 0, MPI_COMM_WORLD);
}

static int barrier_alltoall(int *in, int *out)
{
    return rank == size - 1 ? MPI_Alltoall(in, 1, MPI_INT, out, 1, MPI_INT, MPI_COMM_WORLD)
                            : MPI_Barrier(MPI_COMM_WORLD);
}

/* One call less on one rank. */
static int order(int *in, int *out)
{
    if (rank != size - 1 && keep(MPI_Barrier(MPI_COMM_WORLD)))
        return 1;
    return MPI_Allreduce(in, out, count, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
}

static MPI_Comm others;

/* The same calls on two communicators, in different orders. */
static int comms(int *in, int *out)
{
    MPI_Comm first = rank == size - 1 ? others : MPI_COMM_WORLD;
    MPI_Comm second = rank == size - 1 ? MPI_COMM_WORLD : others;
    int error = keep(MPI_Allreduce(in, out, count, MPI_INT, MPI_SUM, first));
    return error ? error : MPI_Allreduce(in, out, count, MPI_INT, MPI_SUM, second);
}

static int nonblocking(int *in, int *out)
{
    MPI_Request request;
    int error = rank == size - 1 ? MPI_Ibarrier(MPI_COMM_WORLD, &request)
                                 : MPI_Iallgather(in, 1, MPI_INT, out, 1, MPI_INT, MPI_COMM_WORLD, &request);
    return error ? error : MPI_Wait(&request, MPI_STATUS_IGNORE);
}

/* One leaves while the others are still at it. What it is told, its error handler sees. */
static void heard(MPI_Comm *comm, int *error, ...)
{
    keep(*error);
}

static int finalize(int *in, int *out)
{
    MPI_Errhandler handler;
    if (rank != size - 1)
        return MPI_Barrier(MPI_COMM_WORLD);
    MPI_Comm_create_errhandler(heard, &handler);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, handler);
    MPI_Errhandler_free(&handler);
    return MPI_Finalize();
}

static const struct kind kinds[] = {
    {"bcast-allreduce", {"llreduce", "cast"}, bcast_allreduce},
    {"roots", {"cast", "root"}, roots},
    {"reduce-roots", {"educe", "root"}, reduce_roots},
    {"counts", {"llreduce", "rank"}, counts},
    {"bcast-counts", {"cast", "rank"}, counts_of_bcast},
    {"ops", {"MPI_SUM", "MPI_MAX"}, ops},
    {"types", {"int32", "float"}, types},
    {"gather-scatter", {"ather", "catter"}, gather_scatter},
    {"barrier-alltoall", {"arrier", "lltoall"}, barrier_alltoall},
    {"order", {"arrier", "llreduce"}, order},
    {"comms", {"llreduce", "rank"}, comms},
    {"finalize", {"arrier", "inalize"}, finalize},
    {"nonblocking", {"arrier", "llgather"}, nonblocking},
    {NULL, {NULL, NULL}, NULL},
};

int main(int argc, char **argv)
{
    const struct kind *kind = kinds;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_dup(MPI_COMM_WORLD, &others);
    count = atoi(argv[2]);
    int *in = calloc((size_t)(count + 1) * (size_t)size, sizeof *in);
    int *out = calloc((size_t)(count + 1) * (size_t)size, sizeof *out);
    while (kind->name && strcmp(kind->name, argv[1]))
        kind++;
    if (!kind->name)
        return 2;
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Barrier(others);
    int error = kind->call(in, out), next = 0;
    keep(error);
    if (!error) /* its part was over: the next call tells */
        next = keep(MPI_Barrier(MPI_COMM_WORLD));
    int good = (error || next) && strstr(said, kind->words[0]) && strstr(said, kind->words[1]);
    if (!good)
        fprintf(stderr, "rank %d: %d, then %d: %s\n", rank, error, next, said);
    else if (getenv("TELL"))
        fprintf(stderr, "rank %d%s: %s\n", rank, error ? "" : " (next call)", said);
    if (!rank && good)
        puts("all is well");
    int gone;
    MPI_Finalized(&gone);
    if (!gone)
        MPI_Finalize();
    free(in);
    free(out);
    return !good;
}
