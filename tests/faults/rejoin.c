/* Under mpiexec --respawn: rank 1 dies, a replacement joins the survivors by accept, connect and merge, and
 * gets the dead one's place. Then the replacement dies too, which the survivors learn, and its replacement
 * joins. Rank 0 prints "all is well" once, and mpiexec's exit code is 0. */
#include <mpi-ext.h>
#include <peal.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEATHS = 2, VICTIM = 1 };

#define MUST(call)                                                                                           \
    do {                                                                                                     \
        int error_ = (call);                                                                                 \
        if (error_) {                                                                                        \
            char text_[MPI_MAX_ERROR_STRING];                                                                \
            int length_;                                                                                     \
            MPI_Error_string(error_, text_, &length_);                                                       \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, text_);                            \
            MPI_Abort(MPI_COMM_WORLD, 2);                                                                    \
        }                                                                                                    \
    } while (0)

/* In the order of places: the newcomer, who merges last, gets the dead one's. */
static MPI_Comm in_place(MPI_Comm merged, int place)
{
    MPI_Comm whole;
    MPI_Comm_set_errhandler(merged, MPI_ERRORS_RETURN);
    MUST(MPI_Comm_split(merged, 0, place, &whole));
    MPI_Comm_set_errhandler(whole, MPI_ERRORS_RETURN);
    MPI_Comm_free(&merged);
    return whole;
}

static void service_of(int round, char name[32])
{
    snprintf(name, 32, "rejoin-%d", round);
}

/* The survivors' side. */
static MPI_Comm repair(MPI_Comm comm, int place, int round)
{
    char port[MPI_MAX_PORT_NAME], name[32];
    MPI_Comm left, inter, merged;
    int rank;
    MPIX_Comm_revoke(comm);
    MUST(MPIX_Comm_shrink(comm, &left));
    MPI_Comm_set_errhandler(left, MPI_ERRORS_RETURN);
    MPI_Comm_rank(left, &rank);
    service_of(round, name);
    if (!rank) {
        MUST(MPI_Open_port(MPI_INFO_NULL, port));
        MUST(MPI_Publish_name(name, MPI_INFO_NULL, port));
    }
    MUST(MPI_Comm_accept(port, MPI_INFO_NULL, 0, left, &inter));
    MUST(MPI_Intercomm_merge(inter, 0, &merged));
    if (!rank)
        MPI_Unpublish_name(name, MPI_INFO_NULL, port);
    MUST(MPI_Bcast(&round, 1, MPI_INT, 0, merged));
    return in_place(merged, place);
}

/* The replacement's. */
static MPI_Comm join(int *round)
{
    char port[MPI_MAX_PORT_NAME], name[32];
    MPI_Comm inter, merged;
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    for (int i = 0;; i++) {
        service_of(i % (DEATHS + 1), name);
        if (!MPI_Lookup_name(name, MPI_INFO_NULL, port))
            break;
        usleep(1000);
    }
    MUST(MPI_Comm_connect(port, MPI_INFO_NULL, 0, MPI_COMM_SELF, &inter));
    MUST(MPI_Intercomm_merge(inter, 1, &merged));
    MUST(MPI_Bcast(round, 1, MPI_INT, 0, merged));
    return in_place(merged, peal_replaced());
}

int main(int argc, char **argv)
{
    MPI_Comm comm = MPI_COMM_WORLD;
    int round = 0, place, size, sum, error;
    MPI_Init(&argc, &argv);
    MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
    if (peal_replaced() >= 0)
        comm = join(&round);
    MPI_Comm_rank(comm, &place);
    MPI_Comm_size(comm, &size);
    for (;;) {
        MUST(MPI_Allreduce(&place, &sum, 1, MPI_INT, MPI_SUM, comm));
        if (sum != size * (size - 1) / 2)
            MPI_Abort(MPI_COMM_WORLD, 3);
        MUST(MPI_Barrier(comm));
        if (++round > DEATHS)
            break;
        if (place == VICTIM) {
            usleep(10000);
            kill(getpid(), SIGKILL);
        }
        while (!(error = MPI_Barrier(comm)))
            ;
        if (error != MPIX_ERR_PROC_FAILED && error != MPIX_ERR_REVOKED)
            MPI_Abort(MPI_COMM_WORLD, 4);
        comm = repair(comm, place, round);
    }
    if (!place)
        puts("all is well");
    MPI_Finalize();
    return 0;
}
