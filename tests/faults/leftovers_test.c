/* What is left over when something ended early: messages that a matched probe took and nobody received, and
 * communicators that can no longer be used. */
#include <criterion/criterion.h>
#include <mpi-ext.h>
#include <mpi.h>
#include <peal.h>

#include <stdlib.h>

enum { LARGE = 1 << 20 };

static int my_rank(void)
{
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank;
}

static int class_of(int code)
{
    int class;
    MPI_Error_class(code, &class);
    return class;
}

static void fine(int (*body)(void *), int ranks)
{
    for (int deterministic = 0; deterministic < 2; deterministic++)
        for (uint64_t seed = 1; seed <= 10; seed++) {
            struct peal_world_options options = {.deterministic = deterministic, .seed = seed};
            struct peal_world_result result;
            int code = peal_run(ranks, body, NULL, &options, &result);
            cr_assert(!code, "seed %d: %d: %s", (int)seed, code, result.text);
        }
}

static int probed_only(void *unused)
{
    MPI_Message message;
    int words[8] = {0};
    if (my_rank() == 0)
        MPI_Send(words, 8, MPI_INT, 1, 3, MPI_COMM_WORLD);
    else
        MPI_Mprobe(0, 3, MPI_COMM_WORLD, &message, MPI_STATUS_IGNORE);
    return MPI_Finalize();
}

/* That it is freed, the address sanitizer sees. */
Test(leftovers, a_probed_message)
{
    fine(probed_only, 2);
}

/* The sender's side: its communicator is revoked before the message was received. */
static int take_back(MPI_Comm comm, char *bytes)
{
    MPI_Request request;
    MPI_Issend(bytes, LARGE, MPI_BYTE, 1, 3, comm, &request);
    MPI_Barrier(MPI_COMM_WORLD); /* probed */
    MPIX_Comm_revoke(comm);
    int code = MPI_Wait(&request, MPI_STATUS_IGNORE);
    MPI_Barrier(MPI_COMM_WORLD);
    return class_of(code) == MPIX_ERR_REVOKED ? 0 : 1;
}

static int receive_late(MPI_Comm comm, char *bytes)
{
    MPI_Message message;
    MPI_Mprobe(0, 3, comm, &message, MPI_STATUS_IGNORE);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Barrier(MPI_COMM_WORLD); /* taken back */
    int code = MPI_Mrecv(bytes, LARGE, MPI_BYTE, &message, MPI_STATUS_IGNORE);
    return class_of(code) == MPIX_ERR_REVOKED ? 0 : 2;
}

static int taken_back(void *unused)
{
    MPI_Comm comm;
    char *bytes = calloc(1, LARGE);
    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
    int wrong = my_rank() ? receive_late(comm, bytes) : take_back(comm, bytes);
    free(bytes);
    if (MPI_Comm_disconnect(&comm) || comm != MPI_COMM_NULL)
        return 3;
    return wrong ? wrong : MPI_Finalize();
}

Test(leftovers, a_probed_message_taken_back_and_a_revoked_communicator)
{
    fine(taken_back, 2);
}

static int disconnected(void *unused)
{
    MPI_Comm comm;
    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
    if (my_rank() == 1)
        MPIX_Comm_revoke(comm);
    int code = MPI_Comm_disconnect(&comm);
    if (code || comm != MPI_COMM_NULL)
        return 4;
    return MPI_Finalize();
}

Test(leftovers, disconnect_while_it_is_revoked)
{
    fine(disconnected, 3);
}
