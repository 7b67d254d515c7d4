/* Wrong calls: the class is right, the text names what is wrong, and nothing hangs or is lost. */
#include "case.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void ranks(void)
{
    int value = 0, n = world_size(), flag;
    char text[32];
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Status status;
    MPI_Message message;
    snprintf(text, sizeof text, "0..%d", n - 1);
    FAILS_WITH(MPI_ERR_RANK, MPI_Send(&value, 1, MPI_INT, n, 0, MPI_COMM_WORLD), "MPI_Send", "MPI_COMM_WORLD",
               text);
    FAILS_WITH(MPI_ERR_RANK, MPI_Send(&value, 1, MPI_INT, -7, 0, MPI_COMM_WORLD), "rank -7");
    FAILS(MPI_ERR_RANK, MPI_Send(&value, 1, MPI_INT, MPI_ANY_SOURCE, 0, MPI_COMM_WORLD));
    FAILS(MPI_ERR_RANK, MPI_Ssend(&value, 1, MPI_INT, 1000000, 0, MPI_COMM_WORLD));
    FAILS(MPI_ERR_RANK, MPI_Rsend(&value, 1, MPI_INT, n, 0, MPI_COMM_WORLD));
    FAILS(MPI_ERR_RANK, MPI_Isend(&value, 1, MPI_INT, n, 0, MPI_COMM_WORLD, &request));
    FAILS_WITH(MPI_ERR_RANK, MPI_Recv(&value, 1, MPI_INT, n, 0, MPI_COMM_WORLD, &status), "MPI_Recv");
    FAILS(MPI_ERR_RANK, MPI_Recv(&value, 1, MPI_INT, -99, 0, MPI_COMM_WORLD, &status));
    FAILS(MPI_ERR_RANK, MPI_Irecv(&value, 1, MPI_INT, n, 0, MPI_COMM_WORLD, &request));
    FAILS(MPI_ERR_RANK,
          MPI_Sendrecv(&value, 1, MPI_INT, n, 0, &flag, 1, MPI_INT, 0, 0, MPI_COMM_WORLD, &status));
    FAILS(MPI_ERR_RANK,
          MPI_Sendrecv(&value, 1, MPI_INT, 0, 0, &flag, 1, MPI_INT, n, 0, MPI_COMM_WORLD, &status));
    FAILS_WITH(MPI_ERR_RANK, MPI_Probe(n, 0, MPI_COMM_WORLD, &status), "MPI_Probe");
    FAILS(MPI_ERR_RANK, MPI_Iprobe(-77, 0, MPI_COMM_WORLD, &flag, &status));
    FAILS(MPI_ERR_RANK, MPI_Mprobe(n, 0, MPI_COMM_WORLD, &message, &status));
    CHECK(request == MPI_REQUEST_NULL, "a request was made");
    FAILS_WITH(MPI_ERR_ROOT, MPI_Bcast(&value, 1, MPI_INT, n, MPI_COMM_WORLD), "MPI_Bcast", "root");
    FAILS(MPI_ERR_ROOT, MPI_Bcast(&value, 1, MPI_INT, -1, MPI_COMM_WORLD));
    FAILS(MPI_ERR_ROOT, MPI_Reduce(&value, &flag, 1, MPI_INT, MPI_SUM, n, MPI_COMM_WORLD));
    FAILS(MPI_ERR_ROOT, MPI_Gather(&value, 1, MPI_INT, &flag, 1, MPI_INT, n, MPI_COMM_WORLD));
    FAILS(MPI_ERR_ROOT, MPI_Scatter(&value, 1, MPI_INT, &flag, 1, MPI_INT, -5, MPI_COMM_WORLD));
    FAILS(MPI_ERR_ROOT, MPI_Ibcast(&value, 1, MPI_INT, n, MPI_COMM_WORLD, &request));
}

static void tags_and_counts(void)
{
    int value = 0, out = 0;
    MPI_Status status;
    MPI_Request request;
    FAILS_WITH(MPI_ERR_TAG, MPI_Send(&value, 1, MPI_INT, 0, -5, MPI_COMM_WORLD), "tag -5");
    FAILS(MPI_ERR_TAG, MPI_Send(&value, 1, MPI_INT, 0, MPI_ANY_TAG, MPI_COMM_WORLD));
    FAILS(MPI_ERR_TAG, MPI_Recv(&value, 1, MPI_INT, 0, -5, MPI_COMM_WORLD, &status));
    FAILS(MPI_ERR_TAG, MPI_Irecv(&value, 1, MPI_INT, 0, -5, MPI_COMM_WORLD, &request));
    FAILS(MPI_ERR_TAG, MPI_Probe(0, -5, MPI_COMM_WORLD, &status));
    FAILS_WITH(MPI_ERR_COUNT, MPI_Send(&value, -1, MPI_INT, 0, 0, MPI_COMM_WORLD), "-1");
    FAILS(MPI_ERR_COUNT, MPI_Recv(&value, -1, MPI_INT, 0, 0, MPI_COMM_WORLD, &status));
    FAILS(MPI_ERR_COUNT, MPI_Send_c(&value, -9000000000, MPI_INT, 0, 0, MPI_COMM_WORLD));
    FAILS(MPI_ERR_COUNT, MPI_Bcast(&value, -1, MPI_INT, 0, MPI_COMM_WORLD));
    FAILS(MPI_ERR_COUNT, MPI_Allreduce(&value, &out, -1, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    FAILS(MPI_ERR_COUNT, MPI_Allgather(&value, -1, MPI_INT, &out, -1, MPI_INT, MPI_COMM_WORLD));
    FAILS(MPI_ERR_COUNT, MPI_Waitall(-1, &request, MPI_STATUSES_IGNORE));
    FAILS(MPI_ERR_COUNT, MPI_Reduce_local(&value, &out, -1, MPI_INT, MPI_SUM));
    MPI_Datatype type;
    FAILS(MPI_ERR_COUNT, MPI_Type_contiguous(-1, MPI_INT, &type));
}

static void buffers(void)
{
    int value[64] = {0}, out[64];
    MPI_Status status;
    MPI_Request request;
    FAILS_WITH(MPI_ERR_BUFFER, MPI_Send(NULL, 3, MPI_INT, 0, 0, MPI_COMM_WORLD), "NULL", "3");
    FAILS(MPI_ERR_BUFFER, MPI_Recv(NULL, 3, MPI_INT, 0, 0, MPI_COMM_WORLD, &status));
    FAILS(MPI_ERR_BUFFER, MPI_Send(MPI_IN_PLACE, 3, MPI_INT, 0, 0, MPI_COMM_WORLD));
    FAILS(MPI_ERR_BUFFER, MPI_Bcast(NULL, 3, MPI_INT, 0, MPI_COMM_WORLD));
    FAILS(MPI_ERR_BUFFER, MPI_Bcast(MPI_IN_PLACE, 3, MPI_INT, 0, MPI_COMM_WORLD));
    FAILS(MPI_ERR_BUFFER, MPI_Allreduce(NULL, out, 3, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    FAILS(MPI_ERR_BUFFER, MPI_Allreduce(value, NULL, 3, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    FAILS(MPI_ERR_BUFFER, MPI_Allreduce(value, MPI_IN_PLACE, 3, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    FAILS_WITH(MPI_ERR_BUFFER, MPI_Allreduce(value, value, 3, MPI_INT, MPI_SUM, MPI_COMM_WORLD),
               "MPI_Allreduce", "MPI_IN_PLACE");
    FAILS(MPI_ERR_BUFFER, MPI_Iallreduce(value, value, 3, MPI_INT, MPI_SUM, MPI_COMM_WORLD, &request));
    FAILS(MPI_ERR_BUFFER, MPI_Reduce_scatter_block(value, value, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    FAILS(MPI_ERR_BUFFER, MPI_Reduce(value, value, 1, MPI_INT, MPI_SUM, 0, MPI_COMM_SELF));
    FAILS(MPI_ERR_BUFFER, MPI_Allgather(value, 1, MPI_INT, value, 1, MPI_INT, MPI_COMM_SELF));
    FAILS(MPI_ERR_BUFFER, MPI_Alltoall(value, 1, MPI_INT, value, 1, MPI_INT, MPI_COMM_SELF));
    FAILS(MPI_ERR_BUFFER, MPI_Gather(value, 1, MPI_INT, value, 1, MPI_INT, 0, MPI_COMM_SELF));
    FAILS(MPI_ERR_BUFFER, MPI_Scatter(value, 1, MPI_INT, value, 1, MPI_INT, 0, MPI_COMM_SELF));
    int one[] = {1}, zero[] = {0};
    MPI_Datatype types[] = {MPI_INT};
    FAILS(MPI_ERR_BUFFER, MPI_Gatherv(value, 1, MPI_INT, value, one, zero, MPI_INT, 0, MPI_COMM_SELF));
    FAILS(MPI_ERR_BUFFER, MPI_Scatterv(value, one, zero, MPI_INT, value, 1, MPI_INT, 0, MPI_COMM_SELF));
    if (!getenv("TEST_DEVICE")) /* there each address has a copy of its own: only equal ones overlap */
        FAILS(MPI_ERR_BUFFER,
              MPI_Allgatherv(value + 2, 1, MPI_INT, value, one, (int[]){2}, MPI_INT, MPI_COMM_SELF));
    FAILS(MPI_ERR_BUFFER, MPI_Alltoallv(value, one, zero, MPI_INT, value, one, zero, MPI_INT, MPI_COMM_SELF));
    FAILS(MPI_ERR_BUFFER, MPI_Alltoallw(value, one, zero, types, value, one, zero, types, MPI_COMM_SELF));
    FAILS(MPI_ERR_BUFFER, MPI_Reduce_local(value, value, 1, MPI_INT, MPI_SUM));
    /* without data there is nothing wrong with any buffer */
    OK(MPI_Send(NULL, 0, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD));
    OK(MPI_Send(NULL, 0, MPI_DATATYPE_NULL, MPI_PROC_NULL, 0, MPI_COMM_WORLD));
    OK(MPI_Gatherv(value, 0, MPI_INT, value, zero, zero, MPI_INT, 0, MPI_COMM_SELF));
    OK(MPI_Allreduce(NULL, NULL, 0, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
}

static void null_outputs(void)
{
    int value = 0, flag;
    MPI_Request none = MPI_REQUEST_NULL;
    FAILS_WITH(MPI_ERR_ARG, MPI_Comm_rank(MPI_COMM_WORLD, NULL), "MPI_Comm_rank", "rank");
    FAILS(MPI_ERR_ARG, MPI_Comm_size(MPI_COMM_WORLD, NULL));
    FAILS(MPI_ERR_ARG, MPI_Isend(&value, 1, MPI_INT, 0, 0, MPI_COMM_WORLD, NULL));
    FAILS(MPI_ERR_ARG, MPI_Irecv(&value, 1, MPI_INT, 0, 0, MPI_COMM_WORLD, NULL));
    FAILS(MPI_ERR_ARG, MPI_Ibarrier(MPI_COMM_WORLD, NULL));
    FAILS(MPI_ERR_ARG, MPI_Test(&none, NULL, MPI_STATUS_IGNORE));
    FAILS(MPI_ERR_ARG, MPI_Testany(1, &none, &flag, NULL, MPI_STATUS_IGNORE));
    FAILS(MPI_ERR_ARG, MPI_Wait(NULL, MPI_STATUS_IGNORE));
    FAILS(MPI_ERR_ARG, MPI_Waitall(2, NULL, MPI_STATUSES_IGNORE));
    FAILS(MPI_ERR_ARG, MPI_Iprobe(0, 0, MPI_COMM_WORLD, NULL, MPI_STATUS_IGNORE));
    FAILS(MPI_ERR_ARG, MPI_Get_count(NULL, MPI_INT, &value));
    FAILS(MPI_ERR_ARG, MPI_Comm_dup(MPI_COMM_WORLD, NULL));
    FAILS(MPI_ERR_ARG, MPI_Comm_split(MPI_COMM_WORLD, 0, 0, NULL));
    FAILS(MPI_ERR_ARG, MPI_Comm_group(MPI_COMM_WORLD, NULL));
}

#define MADE_UP(type, value) ((type)(uintptr_t)(value))

/* Handles of each class: null, freed, made up, and of another class. */
static void handles(void)
{
    int value = 0, out = 0, flag;
    MPI_Status status;
    static const uintptr_t values[] = {1,      0x77,      0x150,      0x2ff,         0xfff,
                                       0x1000, 0x8000001, 0x7fffffff, ~(uintptr_t)0, 0xdeadbeefcafe};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        MPI_Request request = MADE_UP(MPI_Request, values[i]);
        MPI_Message message = MADE_UP(MPI_Message, values[i]);
        FAILS_WITH(MPI_ERR_COMM, MPI_Send(&value, 1, MPI_INT, 0, 0, MADE_UP(MPI_Comm, values[i])), "MPI_Send",
                   "not a communicator");
        FAILS(MPI_ERR_COMM, MPI_Comm_size(MADE_UP(MPI_Comm, values[i]), &value));
        FAILS(MPI_ERR_COMM, MPI_Barrier(MADE_UP(MPI_Comm, values[i])));
        FAILS_WITH(MPI_ERR_TYPE, MPI_Send(&value, 1, MADE_UP(MPI_Datatype, values[i]), 0, 0, MPI_COMM_WORLD),
                   "not a datatype");
        FAILS(MPI_ERR_TYPE, MPI_Bcast(&value, 1, MADE_UP(MPI_Datatype, values[i]), 0, MPI_COMM_WORLD));
        FAILS_WITH(MPI_ERR_OP,
                   MPI_Allreduce(&value, &out, 1, MPI_INT, MADE_UP(MPI_Op, values[i]), MPI_COMM_WORLD),
                   "not an operator");
        FAILS(MPI_ERR_REQUEST, MPI_Wait(&request, &status));
        FAILS(MPI_ERR_REQUEST, MPI_Test(&request, &flag, &status));
        FAILS(MPI_ERR_REQUEST, MPI_Waitall(1, &request, &status));
        FAILS(MPI_ERR_REQUEST, MPI_Cancel(&request));
        FAILS(MPI_ERR_REQUEST, MPI_Request_free(&request));
        FAILS(MPI_ERR_REQUEST, MPI_Mrecv(&value, 1, MPI_INT, &message, &status));
        FAILS(MPI_ERR_ERRHANDLER,
              MPI_Comm_set_errhandler(MPI_COMM_WORLD, MADE_UP(MPI_Errhandler, values[i])));
    }
    FAILS_WITH(MPI_ERR_COMM, MPI_Send(&value, 1, MPI_INT, 0, 0, MPI_COMM_NULL), "MPI_COMM_NULL");
    FAILS_WITH(MPI_ERR_TYPE, MPI_Send(&value, 1, MPI_DATATYPE_NULL, 0, 0, MPI_COMM_WORLD),
               "MPI_DATATYPE_NULL");
    FAILS_WITH(MPI_ERR_OP, MPI_Allreduce(&value, &out, 1, MPI_INT, MPI_OP_NULL, MPI_COMM_WORLD),
               "MPI_OP_NULL");
    MPI_Message null = MPI_MESSAGE_NULL;
    FAILS(MPI_ERR_REQUEST, MPI_Mrecv(&value, 1, MPI_INT, &null, &status));
    /* of another class */
    FAILS(MPI_ERR_COMM, MPI_Barrier(MADE_UP(MPI_Comm, MPI_INT)));
    FAILS(MPI_ERR_TYPE, MPI_Bcast(&value, 1, MADE_UP(MPI_Datatype, MPI_COMM_WORLD), 0, MPI_COMM_WORLD));
    FAILS(MPI_ERR_OP, MPI_Allreduce(&value, &out, 1, MPI_INT, MADE_UP(MPI_Op, MPI_INT), MPI_COMM_WORLD));
    MPI_Comm world = MPI_COMM_WORLD, self = MPI_COMM_SELF, none = MPI_COMM_NULL;
    FAILS_WITH(MPI_ERR_COMM, MPI_Comm_free(&world), "cannot be freed");
    FAILS(MPI_ERR_COMM, MPI_Comm_free(&self));
    FAILS(MPI_ERR_COMM, MPI_Comm_free(&none));
    MPI_Datatype predefined = MPI_INT;
    FAILS(MPI_ERR_TYPE, MPI_Type_free(&predefined));
}

static void freed_handles(void)
{
    int value = 0;
    MPI_Comm comm, old_comm;
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    old_comm = comm;
    OK(MPI_Comm_free(&comm));
    FAILS_WITH(MPI_ERR_COMM, MPI_Send(&value, 1, MPI_INT, 0, 0, old_comm), "freed");
    FAILS(MPI_ERR_COMM, MPI_Barrier(old_comm));
    FAILS(MPI_ERR_COMM, MPI_Comm_free(&old_comm));
    MPI_Datatype type, old_type;
    OK(MPI_Type_contiguous(2, MPI_INT, &type));
    old_type = type;
    OK(MPI_Type_free(&type));
    CHECK(type == MPI_DATATYPE_NULL, "the handle is left");
    FAILS(MPI_ERR_TYPE, MPI_Send(&value, 1, old_type, 0, 0, MPI_COMM_WORLD));
    FAILS(MPI_ERR_TYPE, MPI_Type_free(&old_type));
    FAILS(MPI_ERR_TYPE, MPI_Type_size(old_type, &value));
    MPI_Errhandler handler = MPI_ERRHANDLER_NULL;
    FAILS(MPI_ERR_ERRHANDLER, MPI_Errhandler_free(&handler));
    OK(MPI_Barrier(MPI_COMM_WORLD));
}

/* Both sizes, the sender and the tag are in the text; what fits has come; the next message is whole. */
static void truncation(void)
{
    static const int lengths[] = {100, 9000, 200000};
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n;
    char from[32], size[32];
    snprintf(from, sizeof from, "rank %d", left);
    for (int i = 0; i < 3; i++)
        for (int late = 0; late < 2; late++) {
            char *out = need((size_t)lengths[i]), in[60];
            int next = 5, got = 0;
            MPI_Request request, receive;
            MPI_Status status;
            snprintf(size, sizeof size, "%d bytes", lengths[i]);
            fill(out, (size_t)lengths[i], 9);
            memset(in, 0, sizeof in);
            if (!late)
                OK(MPI_Irecv(in, 50, MPI_BYTE, left, 7, MPI_COMM_WORLD, &receive));
            OK(MPI_Barrier(MPI_COMM_WORLD));
            OK(MPI_Isend(out, lengths[i], MPI_BYTE, right, 7, MPI_COMM_WORLD, &request));
            OK(MPI_Send(&next, 1, MPI_INT, right, 7, MPI_COMM_WORLD));
            if (late)
                FAILS_WITH(MPI_ERR_TRUNCATE, MPI_Recv(in, 50, MPI_BYTE, left, 7, MPI_COMM_WORLD, &status),
                           "MPI_Recv", size, "50 bytes", from, "tag 7");
            else
                FAILS_WITH(MPI_ERR_TRUNCATE, MPI_Wait(&receive, &status), "MPI_Wait", size, "50 bytes", from,
                           "tag 7");
            CHECK(status.MPI_SOURCE == left && status.MPI_TAG == 7, "%d %d", status.MPI_SOURCE,
                  status.MPI_TAG);
            CHECK(differs(in, 50, 9) < 0 && in[50] == 0, "what fits, and no more");
            OK(MPI_Recv(&got, 1, MPI_INT, left, 7, MPI_COMM_WORLD, &status));
            CHECK(got == 5, "the next message: %d", got);
            OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
            free(out);
        }
}

/* In lists: MPI_ERR_IN_STATUS, the one at fault in its status, the others whole. */
static void in_status(void)
{
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n;
    int out[4] = {1, 2, 3, 4}, in[3][4] = {{0}};
    MPI_Request requests[3], sends[3];
    MPI_Status statuses[3];
    for (int k = 0; k < 3; k++) {
        OK(MPI_Irecv(in[k], k == 1 ? 2 : 4, MPI_INT, left, k, MPI_COMM_WORLD, &requests[k]));
        OK(MPI_Isend(out, 4, MPI_INT, right, k, MPI_COMM_WORLD, &sends[k]));
    }
    FAILS(MPI_ERR_IN_STATUS, MPI_Waitall(3, requests, statuses));
    CHECK(statuses[0].MPI_ERROR == MPI_SUCCESS && statuses[2].MPI_ERROR == MPI_SUCCESS, "the others");
    CHECK(statuses[1].MPI_ERROR == MPI_ERR_TRUNCATE, "%d", statuses[1].MPI_ERROR);
    check_text(MPI_ERR_TRUNCATE, (const char *[]){"16 bytes", "8 bytes", NULL}, __FILE__, __LINE__);
    CHECK(in[0][3] == 4 && in[2][3] == 4 && in[1][1] == 2, "content");
    for (int k = 0; k < 3; k++)
        CHECK(requests[k] == MPI_REQUEST_NULL, "request %d is left", k);
    OK(MPI_Waitall(3, sends, MPI_STATUSES_IGNORE));
}

struct heard {
    int calls, code;
    MPI_Comm comm;
};

static _Thread_local struct heard heard; /* a rank is a thread, or the only one */

static void listen(MPI_Comm *comm, int *code, ...)
{
    heard.calls++;
    heard.code = *code;
    heard.comm = *comm;
}

/* A user's handler gets the communicator and the code, and is inherited. */
static void user_handler(void)
{
    int value = 0;
    MPI_Errhandler handler, found;
    MPI_Comm comm, copy;
    heard = (struct heard){0};
    OK(MPI_Comm_create_errhandler(listen, &handler));
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    OK(MPI_Comm_set_errhandler(comm, handler));
    OK(MPI_Comm_get_errhandler(comm, &found));
    CHECK(found == handler, "%p", (void *)found);
    OK(MPI_Errhandler_free(&found));
    OK(MPI_Errhandler_free(&handler));
    CHECK(handler == MPI_ERRHANDLER_NULL, "the handle is left");
    FAILS(MPI_ERR_RANK, MPI_Send(&value, 1, MPI_INT, 1000, 0, comm));
    CHECK(heard.calls == 1 && heard.code == MPI_ERR_RANK && heard.comm == comm, "%d calls, code %d",
          heard.calls, heard.code);
    OK(MPI_Comm_dup(comm, &copy));
    OK(MPI_Comm_free(&comm));
    FAILS(MPI_ERR_TAG, MPI_Send(&value, 1, MPI_INT, 0, -3, copy));
    CHECK(heard.calls == 2 && heard.code == MPI_ERR_TAG && heard.comm == copy, "%d calls", heard.calls);
    FAILS(MPI_ERR_ROOT, MPI_Bcast(&value, 1, MPI_INT, 1000, copy));
    CHECK(heard.calls == 3 && heard.code == MPI_ERR_ROOT, "%d calls", heard.calls);
    OK(MPI_Comm_call_errhandler(copy, MPI_ERR_OTHER));
    CHECK(heard.calls == 4 && heard.code == MPI_ERR_OTHER, "%d calls", heard.calls);
    OK(MPI_Comm_set_errhandler(copy, MPI_ERRORS_RETURN));
    FAILS(MPI_ERR_TAG, MPI_Send(&value, 1, MPI_INT, 0, -3, copy));
    CHECK(heard.calls == 4, "%d calls", heard.calls);
    OK(MPI_Comm_get_errhandler(copy, &found));
    CHECK(found == MPI_ERRORS_RETURN, "%p", (void *)found);
    OK(MPI_Comm_free(&copy));
}

/* A handler that replaces itself, and frees its communicator's. */
static void replace_me(MPI_Comm *comm, int *code, ...)
{
    heard.calls++;
    OK(MPI_Comm_set_errhandler(*comm, MPI_ERRORS_RETURN));
}

static void replacing_handler(void)
{
    int value = 0;
    MPI_Errhandler handler;
    MPI_Comm comm;
    heard = (struct heard){0};
    OK(MPI_Comm_create_errhandler(replace_me, &handler));
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    OK(MPI_Comm_set_errhandler(comm, handler));
    OK(MPI_Errhandler_free(&handler));
    for (int k = 0; k < 3; k++)
        FAILS(MPI_ERR_RANK, MPI_Send(&value, 1, MPI_INT, 1000, 0, comm));
    CHECK(heard.calls == 1, "%d calls", heard.calls);
    OK(MPI_Comm_free(&comm));
}

static void texts(void)
{
    char text[MPI_MAX_ERROR_STRING];
    int length = -1, class = -1;
    for (int code = 0; code < 60; code++) {
        if (MPI_Error_class(code, &class) != MPI_SUCCESS)
            continue;
        OK(MPI_Error_string(code, text, &length));
        CHECK(class == code && length == (int)strlen(text) && length > 4, "%d: '%s'", code, text);
    }
    FAILS(MPI_ERR_ARG, MPI_Error_string(-4, text, &length));
    FAILS(MPI_ERR_ARG, MPI_Error_class(1 << 20, &class));
}

/* What two ranks call differently is an error on at least one, with both calls in the text, on a
 * communicator of the two; neither hangs. */
static void mismatch_of(MPI_Comm comm, int kind, const char *here, const char *there)
{
    int in = 1, out = 0, first = rank_in(comm) == 0, code = 0, worst = 0;
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;
    switch (kind) {
    case 0:
        code = MPI_Allreduce(&in, &out, 1, MPI_INT, first ? MPI_SUM : MPI_MAX, comm);
        break;
    case 1:
        code = MPI_Allreduce(&in, &out, 1, first ? MPI_INT : MPI_FLOAT, MPI_SUM, comm);
        break;
    case 2:
        code = first ? MPI_Allreduce(&in, &out, 1, MPI_INT, MPI_SUM, comm) : MPI_Barrier(comm);
        break;
    default:
        code = MPI_Allreduce((int[]){1, 2}, (int[]){0, 0}, first ? 1 : 2, MPI_INT, MPI_SUM, comm);
    }
    if (code) {
        CHECK(code == MPI_ERR_OTHER, "class %d", code);
        MPI_Error_string(code, text, &length);
        CHECK(strstr(text, here) && strstr(text, there), "'%s' lacks '%s' or '%s'", text, here, there);
    }
    /* told to each other by messages, which a broken collective does not disturb */
    OK(MPI_Sendrecv(&code, 1, MPI_INT, !rank_in(comm), 77, &worst, 1, MPI_INT, !rank_in(comm), 77, comm,
                    MPI_STATUS_IGNORE));
    CHECK(code || worst, "kind %d: neither rank noticed", kind);
}

static void mismatch(void)
{
    static const char *const words[][2] = {
        {"MPI_SUM", "MPI_MAX"}, {"int32", "float"}, {"allreduce", "barrier"}, {"allreduce", "count"}};
    int me = my_rank();
    for (int kind = 0; kind < 4; kind++) {
        MPI_Comm comm;
        OK(MPI_Comm_split(MPI_COMM_WORLD, me < 2 ? 0 : MPI_UNDEFINED, me, &comm));
        if (comm == MPI_COMM_NULL)
            continue;
        mismatch_of(comm, kind, words[kind][0], words[kind][1]);
        OK(MPI_Comm_free(&comm));
    }
}

/* Calls of two ranks that do not fit together: each is told, at the latest in its next call; what comes later
 * on that communicator neither hangs nor takes what an earlier call left behind, but ends with the error; a
 * new communicator is as good as ever. */
static void mismatch_goes_on(void)
{
    int me = my_rank(), in[2] = {1, 2}, out[2], right = 7, sum, code;
    for (int k = 0; k < 12; k++) {
        MPI_Comm comm;
        OK(MPI_Comm_split(MPI_COMM_WORLD, me < 2 ? 0 : MPI_UNDEFINED, me, &comm));
        if (comm == MPI_COMM_NULL)
            continue;
        OK(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN));
        OK(MPI_Allreduce(&right, &sum, 1, MPI_INT, MPI_SUM, comm));
        CHECK(sum == 14, "round %d: %d", k, sum);
        int odd = rank_in(comm) == k / 2 % 2, root = k / 4 % 2;
        if (k % 2) {
            code = MPI_Allreduce(in, out, 1, MPI_INT, odd ? MPI_MAX : MPI_SUM, comm);
            CHECK(code == MPI_ERR_OTHER, "round %d: class %d", k, code);
        } else {
            code = MPI_Bcast(in, 1 + odd, MPI_INT, root, comm);
            CHECK(code == MPI_ERR_OTHER || (!code && rank_in(comm) == root), "round %d: class %d", k, code);
        }
        for (int later = 0; later < 3; later++) {
            code = MPI_Allreduce(&right, &sum, 1, MPI_INT, MPI_SUM, comm);
            CHECK(code == MPI_ERR_OTHER, "round %d, call %d after it: class %d", k, later, code);
        }
        OK(MPI_Comm_free(&comm));
    }
}

const struct test_case error_cases[] = {
    {"ranks", ranks, 1, 0},
    {"tags_and_counts", tags_and_counts, 1, 0},
    {"buffers", buffers, 1, 0},
    {"null_outputs", null_outputs, 1, 0},
    {"handles", handles, 1, 0},
    {"freed_handles", freed_handles, 1, 0},
    {"truncation", truncation, 1, 0},
    {"in_status", in_status, 1, 0},
    {"user_handler", user_handler, 1, 0},
    {"replacing_handler", replacing_handler, 1, 0},
    {"texts", texts, 1, 0},
    {"mismatch", mismatch, 2, 0},
    {"mismatch_goes_on", mismatch_goes_on, 2, 0},
    {0},
};
