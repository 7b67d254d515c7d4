/* Requests: waiting and testing in all forms, null and empty lists, cancel, free. */
#include "case.h"

#include <stdlib.h>

static void check_empty(const MPI_Status *status)
{
    CHECK_STATUS(status, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_BYTE, 0);
    CHECK(status->MPI_ERROR == MPI_SUCCESS, "%d", status->MPI_ERROR);
}

/* A status of garbage, so that what is not written shows. */
static MPI_Status garbage(void)
{
    MPI_Status status = {.MPI_SOURCE = 77, .MPI_TAG = 77, .MPI_ERROR = 77};
    return status;
}

static void nothing(void)
{
    MPI_Request none[3] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL, MPI_REQUEST_NULL};
    MPI_Status status = garbage(), statuses[3] = {garbage(), garbage(), garbage()};
    int flag = 0, index = 5, count = 5, indices[3];
    OK(MPI_Wait(&none[0], &status));
    check_empty(&status);
    status = garbage();
    OK(MPI_Test(&none[0], &flag, &status));
    CHECK(flag, "no flag");
    check_empty(&status);
    OK(MPI_Waitall(3, none, statuses));
    for (int i = 0; i < 3; i++)
        check_empty(&statuses[i]);
    flag = 0;
    OK(MPI_Testall(3, none, &flag, statuses));
    CHECK(flag, "no flag");
    status = garbage();
    OK(MPI_Waitany(3, none, &index, &status));
    CHECK(index == MPI_UNDEFINED, "%d", index);
    check_empty(&status);
    flag = 0, index = 5, status = garbage();
    OK(MPI_Testany(3, none, &index, &flag, &status));
    CHECK(flag && index == MPI_UNDEFINED, "%d %d", flag, index);
    check_empty(&status);
    OK(MPI_Waitsome(3, none, &count, indices, statuses));
    CHECK(count == MPI_UNDEFINED, "%d", count);
    count = 5;
    OK(MPI_Testsome(3, none, &count, indices, MPI_STATUSES_IGNORE));
    CHECK(count == MPI_UNDEFINED, "%d", count);
}

static void empty_lists(void)
{
    int flag = 0, index = 5, count = 5;
    MPI_Status status = garbage();
    OK(MPI_Waitall(0, NULL, MPI_STATUSES_IGNORE));
    OK(MPI_Testall(0, NULL, &flag, MPI_STATUSES_IGNORE));
    CHECK(flag, "no flag");
    OK(MPI_Waitany(0, NULL, &index, &status));
    CHECK(index == MPI_UNDEFINED, "%d", index);
    check_empty(&status);
    flag = 0, index = 5;
    OK(MPI_Testany(0, NULL, &index, &flag, &status));
    CHECK(flag && index == MPI_UNDEFINED, "%d %d", flag, index);
    OK(MPI_Waitsome(0, NULL, &count, NULL, MPI_STATUSES_IGNORE));
    CHECK(count == MPI_UNDEFINED, "%d", count);
    count = 5;
    OK(MPI_Testsome(0, NULL, &count, NULL, MPI_STATUSES_IGNORE));
    CHECK(count == MPI_UNDEFINED, "%d", count);
}

enum { COUNT = 24 };

/* Receives from all ranks and nulls between them; the senders send to all. */
static void start(int *in, MPI_Request *requests, MPI_Request *sends, int *out)
{
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n;
    for (int k = 0; k < COUNT; k++) {
        in[k] = -1;
        requests[k] = MPI_REQUEST_NULL;
        if (k % 4 != 3)
            OK(MPI_Irecv(&in[k], 1, MPI_INT, left, k, MPI_COMM_WORLD, &requests[k]));
    }
    for (int i = 0; i < COUNT; i++) {
        int k = (i * 7 + 5) % COUNT; /* another order than the receives' */
        sends[i] = MPI_REQUEST_NULL;
        if (k % 4 == 3)
            continue;
        out[i] = 100 + k;
        OK(MPI_Isend(&out[i], 1, MPI_INT, right, k, MPI_COMM_WORLD, &sends[i]));
    }
}

static void finish(const int *in, MPI_Request *requests, MPI_Request *sends)
{
    OK(MPI_Waitall(COUNT, sends, MPI_STATUSES_IGNORE));
    for (int k = 0; k < COUNT; k++) {
        CHECK(in[k] == (k % 4 == 3 ? -1 : 100 + k), "receive %d got %d", k, in[k]);
        CHECK(requests[k] == MPI_REQUEST_NULL, "request %d is left", k);
    }
}

static int left_one(void)
{
    return (my_rank() + world_size() - 1) % world_size();
}

static void any(void)
{
    MPI_Request requests[COUNT], sends[COUNT];
    int in[COUNT], out[COUNT], seen = 0, index;
    MPI_Status status;
    for (int testing = 0; testing < 2; testing++) {
        start(in, requests, sends, out);
        for (seen = 0;; seen++) {
            int flag = 1;
            if (testing) {
                do
                    OK(MPI_Testany(COUNT, requests, &index, &flag, &status));
                while (!flag);
            } else {
                OK(MPI_Waitany(COUNT, requests, &index, &status));
            }
            if (index == MPI_UNDEFINED)
                break;
            CHECK_STATUS(&status, left_one(), index, MPI_INT, 1);
        }
        CHECK(seen == COUNT - COUNT / 4, "%d", seen);
        finish(in, requests, sends);
    }
}

static void some(void)
{
    MPI_Request requests[COUNT], sends[COUNT];
    int in[COUNT], out[COUNT], indices[COUNT], count;
    MPI_Status statuses[COUNT];
    for (int testing = 0; testing < 2; testing++) {
        int seen = 0;
        start(in, requests, sends, out);
        for (;;) {
            if (testing)
                OK(MPI_Testsome(COUNT, requests, &count, indices, statuses));
            else
                OK(MPI_Waitsome(COUNT, requests, &count, indices, statuses));
            if (count == MPI_UNDEFINED)
                break;
            CHECK(testing || count > 0, "%d", count);
            for (int i = 0; i < count; i++)
                CHECK_STATUS(&statuses[i], left_one(), indices[i], MPI_INT, 1);
            seen += count;
        }
        CHECK(seen == COUNT - COUNT / 4, "%d", seen);
        finish(in, requests, sends);
    }
}

static void all(void)
{
    MPI_Request requests[COUNT], sends[COUNT];
    int in[COUNT], out[COUNT];
    MPI_Status statuses[COUNT];
    for (int testing = 0; testing < 2; testing++) {
        start(in, requests, sends, out);
        int flag = !testing;
        while (!flag)
            OK(MPI_Testall(COUNT, requests, &flag, statuses));
        if (!testing)
            OK(MPI_Waitall(COUNT, requests, statuses));
        for (int k = 0; k < COUNT; k++)
            if (k % 4 == 3)
                check_empty(&statuses[k]);
            else
                CHECK_STATUS(&statuses[k], left_one(), k, MPI_INT, 1);
        finish(in, requests, sends);
    }
}

/* While one of them is missing, Testall says no and touches none. */
static void testall_waits_for_all(void)
{
    int in[2] = {-1, -1}, out = 4, flag = 1, me = my_rank();
    MPI_Request requests[2];
    OK(MPI_Irecv(&in[0], 1, MPI_INT, me, 0, MPI_COMM_WORLD, &requests[0]));
    OK(MPI_Irecv(&in[1], 1, MPI_INT, me, 1, MPI_COMM_WORLD, &requests[1]));
    OK(MPI_Send(&out, 1, MPI_INT, me, 0, MPI_COMM_WORLD));
    OK(MPI_Testall(2, requests, &flag, MPI_STATUSES_IGNORE));
    CHECK(!flag && requests[0] != MPI_REQUEST_NULL, "%d", flag);
    OK(MPI_Send(&out, 1, MPI_INT, me, 1, MPI_COMM_WORLD));
    OK(MPI_Testall(2, requests, &flag, MPI_STATUSES_IGNORE));
    CHECK(flag && requests[0] == MPI_REQUEST_NULL && requests[1] == MPI_REQUEST_NULL, "%d", flag);
}

static void cancel(void)
{
    int in = -1, flag = 0, me = my_rank(), out = 6;
    MPI_Request request;
    MPI_Status status;
    for (int k = 0; k < 3; k++) {
        int source = k == 1 ? MPI_ANY_SOURCE : me;
        OK(MPI_Irecv(&in, 1, MPI_INT, source, 3, MPI_COMM_WORLD, &request));
        OK(MPI_Cancel(&request));
        OK(MPI_Wait(&request, &status));
        OK(MPI_Test_cancelled(&status, &flag));
        CHECK(flag, "not cancelled");
    }
    /* What was cancelled takes no message; the next receive has it. A matched one is not cancelled. */
    OK(MPI_Send(&out, 1, MPI_INT, me, 3, MPI_COMM_WORLD));
    OK(MPI_Irecv(&in, 1, MPI_INT, me, 3, MPI_COMM_WORLD, &request));
    OK(MPI_Cancel(&request));
    OK(MPI_Wait(&request, &status));
    OK(MPI_Test_cancelled(&status, &flag));
    CHECK(!flag && in == 6, "flag %d, in %d", flag, in);
    CHECK_STATUS(&status, me, 3, MPI_INT, 1);
    OK(MPI_Isend(&out, 1, MPI_INT, MPI_PROC_NULL, 3, MPI_COMM_WORLD, &request));
    OK(MPI_Cancel(&request));
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
}

static int start_send(int mode, const void *data, int size, int to, MPI_Request *request)
{
    switch (mode) {
    case 0:
        return MPI_Isend(data, size, MPI_BYTE, to, 31, MPI_COMM_WORLD, request);
    case 1:
        return MPI_Issend(data, size, MPI_BYTE, to, 31, MPI_COMM_WORLD, request);
    case 2:
        return MPI_Ibsend(data, size, MPI_BYTE, to, 31, MPI_COMM_WORLD, request);
    default:
        OK(MPI_Send_init(data, size, MPI_BYTE, to, 31, MPI_COMM_WORLD, request));
        return MPI_Start(request);
    }
}

/* Nobody receives it, so it is cancelled and leaves nothing behind; `next`, sent alike, arrives. */
static void cancel_one_send(int mode, int size, int to, int from)
{
    int flag = 0, next = size, got = 0;
    char *data = need((size_t)size);
    MPI_Request request;
    MPI_Status status;
    OK(start_send(mode, data, size, to, &request));
    OK(MPI_Cancel(&request));
    OK(MPI_Wait(&request, &status));
    OK(MPI_Test_cancelled(&status, &flag));
    CHECK(flag, "mode %d, %d bytes: not cancelled", mode, size);
    if (mode == 3)
        OK(MPI_Request_free(&request));
    OK(MPI_Barrier(MPI_COMM_WORLD));
    OK(MPI_Sendrecv(&next, 1, MPI_INT, to, 31, &got, 1, MPI_INT, from, 31, MPI_COMM_WORLD, &status));
    CHECK(got == size, "mode %d, %d bytes: got %d", mode, size, got);
    CHECK_STATUS(&status, from, 31, MPI_INT, 1);
    OK(MPI_Barrier(MPI_COMM_WORLD));
    OK(MPI_Iprobe(MPI_ANY_SOURCE, 31, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE));
    CHECK(!flag, "mode %d, %d bytes: left behind", mode, size);
    OK(MPI_Barrier(MPI_COMM_WORLD));
    free(data);
}

static void cancel_send(void)
{
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n, in = 0, flag = 1;
    char attached[2000];
    MPI_Request requests[2];
    MPI_Status status;
    OK(MPI_Buffer_attach(attached, sizeof attached));
    for (int mode = 0; mode < 4; mode++) {
        cancel_one_send(mode, 8, right, left);
        cancel_one_send(mode, mode == 2 ? 800 : 300000, right, left);
    }
    OK(MPI_Buffer_detach(&(void *){NULL}, &(int){0}));
    /* One that has met its receive is not cancelled. */
    OK(MPI_Irecv(&in, 1, MPI_INT, left, 33, MPI_COMM_WORLD, &requests[0]));
    OK(MPI_Barrier(MPI_COMM_WORLD));
    OK(MPI_Issend(&me, 1, MPI_INT, right, 33, MPI_COMM_WORLD, &requests[1]));
    OK(MPI_Cancel(&requests[1]));
    OK(MPI_Wait(&requests[1], &status));
    OK(MPI_Test_cancelled(&status, &flag));
    OK(MPI_Wait(&requests[0], MPI_STATUS_IGNORE));
    CHECK(!flag && in == left, "cancelled %d, got %d", flag, in);
}

/* Freed while under way: a send still arrives, whatever its size. */
static void free_active(void)
{
    static const int sizes[] = {4, 10000, 300000};
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n;
    for (int i = 0; i < 3; i++) {
        char *out = need((size_t)sizes[i]), *in = need((size_t)sizes[i]), done = 0;
        MPI_Request request;
        fill(out, (size_t)sizes[i], 2);
        OK(MPI_Isend(out, sizes[i], MPI_BYTE, right, i, MPI_COMM_WORLD, &request));
        OK(MPI_Request_free(&request));
        CHECK(request == MPI_REQUEST_NULL, "the handle is left");
        OK(MPI_Recv(in, sizes[i], MPI_BYTE, left, i, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
        CHECK(differs(in, (size_t)sizes[i], 2) < 0, "%d bytes", sizes[i]);
        OK(MPI_Sendrecv(&done, 1, MPI_BYTE, left, 9, &done, 1, MPI_BYTE, right, 9, MPI_COMM_WORLD,
                        MPI_STATUS_IGNORE));
        free(out);
        free(in);
    }
}

/* A receive too: that it is done shows in the buffer. */
static void free_receive(void)
{
    int me = my_rank(), in = 0, out = 8;
    MPI_Request request;
    OK(MPI_Irecv(&in, 1, MPI_INT, me, 0, MPI_COMM_WORLD, &request));
    OK(MPI_Request_free(&request));
    OK(MPI_Send(&out, 1, MPI_INT, me, 0, MPI_COMM_WORLD));
    CHECK(in == 8, "%d", in);
    OK(MPI_Isend(&out, 1, MPI_INT, me, 0, MPI_COMM_WORLD, &request));
    OK(MPI_Request_free(&request)); /* complete already */
    OK(MPI_Recv(&in, 1, MPI_INT, me, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
}

/* A request that has completed leaves nothing that its old handle finds. */
static void stale(void)
{
    int me = my_rank(), in = 0, out = 8;
    MPI_Request request, old;
    OK(MPI_Irecv(&in, 1, MPI_INT, me, 0, MPI_COMM_WORLD, &request));
    old = request;
    OK(MPI_Send(&out, 1, MPI_INT, me, 0, MPI_COMM_WORLD));
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    FAILS(MPI_ERR_REQUEST, MPI_Wait(&old, MPI_STATUS_IGNORE));
    for (int k = 0; k < 300; k++) {
        OK(MPI_Irecv(&in, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD, &request));
        if (k < 100)
            CHECK(request != old, "the handle was given out again after %d requests", k);
        OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    }
}

/* Nonblocking collectives are requests like others. */
static void mixed(void)
{
    int n = world_size(), me = my_rank(), in = -1, sum = -1, out = me;
    MPI_Request requests[4];
    OK(MPI_Irecv(&in, 1, MPI_INT, (me + n - 1) % n, 0, MPI_COMM_WORLD, &requests[0]));
    OK(MPI_Iallreduce(&out, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD, &requests[1]));
    OK(MPI_Isend(&out, 1, MPI_INT, (me + 1) % n, 0, MPI_COMM_WORLD, &requests[2]));
    OK(MPI_Ibarrier(MPI_COMM_WORLD, &requests[3]));
    MPI_Status statuses[4];
    OK(MPI_Waitall(4, requests, statuses));
    CHECK(in == (me + n - 1) % n && sum == n * (n - 1) / 2, "in %d, sum %d", in, sum);
    check_empty(&statuses[1]);
    check_empty(&statuses[3]);
    /* Freed while under way, it completes all the same. */
    sum = -1;
    OK(MPI_Iallreduce(&out, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD, &requests[0]));
    OK(MPI_Request_free(&requests[0]));
    OK(MPI_Barrier(MPI_COMM_WORLD));
    OK(MPI_Ibarrier(MPI_COMM_WORLD, &requests[0]));
    OK(MPI_Wait(&requests[0], MPI_STATUS_IGNORE));
}

const struct test_case request_cases[] = {
    {"nothing", nothing, 1, 0},
    {"empty_lists", empty_lists, 1, 0},
    {"any", any, 1, 0},
    {"some", some, 1, 0},
    {"all", all, 1, 0},
    {"testall_waits_for_all", testall_waits_for_all, 1, 0},
    {"cancel", cancel, 1, 0},
    {"cancel_send", cancel_send, 1, 0},
    {"free_active", free_active, 1, 0},
    {"free_receive", free_receive, 1, 0},
    {"stale", stale, 1, 0},
    {"mixed", mixed, 1, 0},
    {0},
};
