/* Point to point beyond the plain forms: buffered, persistent, replacing, partitioned and
 * generalised requests, and looking at requests without ending them. */
#include "case.h"

#include <stdlib.h>
#include <string.h>

static int left(void)
{
    return (my_rank() + world_size() - 1) % world_size();
}

static int right(void)
{
    return (my_rank() + 1) % world_size();
}

/* Many sizes at once, all of which fit because the size was computed as the standard says. */
static void buffered(void)
{
    static const int counts[] = {0, 1, 100, 3000, 70000, 2};
    enum { MANY = 6 };
    int size = 0, one, got;
    for (int i = 0; i < MANY; i++) {
        OK(MPI_Pack_size(counts[i], MPI_INT, MPI_COMM_WORLD, &one));
        size += one + MPI_BSEND_OVERHEAD;
    }
    char *memory = need((size_t)size + 1), *buffer = memory + 1; /* at an odd address */
    OK(MPI_Buffer_attach(buffer, size));
    FAILS(MPI_ERR_BUFFER, MPI_Buffer_attach(buffer, size));
    int *numbers = need(70000 * sizeof *numbers);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            MPI_Request request = MPI_REQUEST_NULL;
            for (int k = 0; k < counts[i]; k++)
                numbers[k] = k + i;
            if (i % 2)
                OK(MPI_Bsend(numbers, counts[i], MPI_INT, right(), i, MPI_COMM_WORLD));
            else
                OK(MPI_Ibsend(numbers, counts[i], MPI_INT, right(), i, MPI_COMM_WORLD, &request));
            OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        }
        for (int i = MANY - 1; i >= 0; i--) {
            int wrong = 0;
            MPI_Status status;
            OK(MPI_Recv(numbers, 70000, MPI_INT, left(), i, MPI_COMM_WORLD, &status));
            CHECK_STATUS(&status, left(), i, MPI_INT, counts[i]);
            for (int k = 0; k < counts[i]; k++)
                wrong += numbers[k] != k + i;
            CHECK(!wrong, "message %d: %d wrong", i, wrong);
        }
        MPI_Request request;
        if (round == 0)
            OK(MPI_Buffer_flush());
        else {
            OK(MPI_Buffer_iflush(&request));
            OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        }
    }
    void *back;
    OK(MPI_Buffer_detach(&back, &got));
    CHECK(back == buffer && got == size, "detached %p, %d bytes", back, got);
    FAILS(MPI_ERR_BUFFER, MPI_Buffer_detach(&back, &got));
    free(numbers);
    free(memory);
}

static void buffer_is_full(void)
{
    char buffer[MPI_BSEND_OVERHEAD + 4000], data[8000];
    void *back;
    int size;
    memset(data, 1, sizeof data);
    FAILS_WITH(MPI_ERR_BUFFER, MPI_Bsend(data, 10, MPI_CHAR, right(), 0, MPI_COMM_WORLD), "MPI_Bsend",
               "attach");
    OK(MPI_Buffer_attach(buffer, sizeof buffer));
    FAILS_WITH(MPI_ERR_BUFFER, MPI_Bsend(data, 8000, MPI_CHAR, right(), 0, MPI_COMM_WORLD), "MPI_Bsend",
               "8000");
    OK(MPI_Bsend(data, 4000, MPI_CHAR, right(), 0, MPI_COMM_WORLD));
    OK(MPI_Recv(data, 8000, MPI_CHAR, left(), 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    OK(MPI_Bsend(NULL, 0, MPI_CHAR, MPI_PROC_NULL, 0, MPI_COMM_WORLD));
    OK(MPI_Buffer_detach(&back, &size));
}

/* Many small messages, with less room for each than MPI_BSEND_OVERHEAD; gaps are found again. */
static void buffer_is_tight(void)
{
    enum { MANY = 10 };
    char buffer[2000];
    int data[10], size;
    void *back;
    OK(MPI_Buffer_attach(buffer, sizeof buffer));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            for (int k = 0; k < 10; k++)
                data[k] = 100 * round + 10 * i + k;
            OK(MPI_Bsend(data, i + 1, MPI_INT, right(), i, MPI_COMM_WORLD));
        }
        for (int i = 0; i < MANY; i++) {
            int at = (i * 7 + round) % MANY;
            OK(MPI_Recv(data, 10, MPI_INT, left(), at, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
            CHECK(data[0] == 100 * round + 10 * at && data[at] == data[0] + at, "%d %d", data[0], data[at]);
        }
    }
    OK(MPI_Buffer_detach(&back, &size));
}

/* A communicator's own buffer is the one used; an automatic one never fills. */
static void buffers_of_communicators(void)
{
    MPI_Comm comm;
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    OK(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN));
    char small[16], data[3000] = {0};
    void *back;
    int size;
    OK(MPI_Buffer_attach(small, sizeof small));
    FAILS(MPI_ERR_BUFFER, MPI_Bsend(data, 3000, MPI_CHAR, right(), 0, comm));
    OK(MPI_Comm_attach_buffer(comm, MPI_BUFFER_AUTOMATIC, 0));
    for (int i = 0; i < 20; i++)
        OK(MPI_Bsend(data, 3000, MPI_CHAR, right(), 0, comm));
    for (int i = 0; i < 20; i++)
        OK(MPI_Recv(data, 3000, MPI_CHAR, left(), 0, comm, MPI_STATUS_IGNORE));
    MPI_Request request;
    OK(MPI_Comm_iflush_buffer(comm, &request));
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    OK(MPI_Comm_detach_buffer(comm, &back, &size));
    CHECK(back == MPI_BUFFER_AUTOMATIC, "%p came back", back);
    OK(MPI_Buffer_detach(&back, &size));
    OK(MPI_Comm_free(&comm));
}

/* A request that is inactive is as good as null. */
static void check_inactive(MPI_Request request)
{
    MPI_Request copy[2] = {request, MPI_REQUEST_NULL};
    int flag = 0, index = 0, indices[2];
    MPI_Status status;
    OK(MPI_Wait(&copy[0], &status));
    CHECK_STATUS(&status, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_BYTE, 0);
    CHECK(copy[0] == request, "the handle of an inactive request went");
    OK(MPI_Test(&copy[0], &flag, &status));
    CHECK(flag, "an inactive request is not complete");
    OK(MPI_Waitany(2, copy, &index, &status));
    CHECK(index == MPI_UNDEFINED, "index %d", index);
    OK(MPI_Testsome(2, copy, &index, indices, MPI_STATUSES_IGNORE));
    CHECK(index == MPI_UNDEFINED, "outcount %d", index);
    OK(MPI_Request_get_status(request, &flag, &status));
    CHECK(flag, "get_status");
}

static void persistent(void)
{
    typedef int init_fn(const void *, int, MPI_Datatype, int, int, MPI_Comm, MPI_Request *);
    init_fn *const inits[] = {MPI_Send_init, MPI_Ssend_init, MPI_Rsend_init, MPI_Bsend_init};
    static const int counts[] = {1, 50000};
    char *buffer = need(4 * 50000 + MPI_BSEND_OVERHEAD + 64);
    OK(MPI_Buffer_attach(buffer, 4 * 50000 + MPI_BSEND_OVERHEAD + 64));
    for (int test = 0; test < 8; test++) {
        int n = counts[test / 4], *out = need((size_t)n * sizeof *out),
            *in = need(2 * (size_t)n * sizeof *in);
        MPI_Datatype every_second;
        OK(MPI_Type_vector(n, 1, 2, MPI_INT, &every_second));
        OK(MPI_Type_commit(&every_second));
        MPI_Request requests[2];
        OK(MPI_Recv_init(in, 1, every_second, left(), 1, MPI_COMM_WORLD, &requests[0]));
        OK(inits[test % 4](out, n, MPI_INT, right(), 1, MPI_COMM_WORLD, &requests[1]));
        OK(MPI_Type_free(&every_second));
        check_inactive(requests[0]);
        for (int round = 0; round < 3; round++) {
            MPI_Status statuses[2];
            int wrong = 0;
            for (int k = 0; k < n; k++)
                out[k] = my_rank() + 7 * round + k;
            OK(MPI_Start(&requests[0]));
            FAILS(MPI_ERR_REQUEST, MPI_Start(&requests[0]));
            OK(MPI_Barrier(MPI_COMM_WORLD));
            OK(MPI_Startall(1, &requests[1]));
            OK(MPI_Waitall(2, requests, statuses));
            CHECK_STATUS(&statuses[0], left(), 1, MPI_INT, n);
            for (int k = 0; k < n; k++)
                wrong += in[2 * k] != left() + 7 * round + k;
            CHECK(!wrong, "kind %d, round %d: %d of %d wrong", test, round, wrong, n);
            check_inactive(requests[0]);
            check_inactive(requests[1]);
        }
        OK(MPI_Request_free(&requests[0]));
        OK(MPI_Request_free(&requests[1]));
        CHECK(requests[0] == MPI_REQUEST_NULL, "the handle is left");
        free(out);
        free(in);
    }
    void *back;
    int size;
    OK(MPI_Buffer_detach(&back, &size));
    free(buffer);
    MPI_Request request;
    OK(MPI_Recv_init(NULL, 0, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD, &request));
    OK(MPI_Start(&request));
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    OK(MPI_Start(&request)); /* freed while active: goes when it completes */
    OK(MPI_Request_free(&request));
    request = MPI_REQUEST_NULL;
    FAILS(MPI_ERR_REQUEST, MPI_Start(&request));
}

static void replacing(void)
{
    static const int counts[] = {1, 3000, 60000};
    for (int i = 0; i < 3; i++)
        for (int form = 0; form < 3; form++) {
            int n = counts[i], stride = form == 1 ? 2 : 1, *data = need(2 * (size_t)n * sizeof *data),
                wrong = 0;
            MPI_Datatype type;
            MPI_Status status;
            MPI_Request request;
            OK(MPI_Type_vector(n, 1, stride, MPI_INT, &type));
            OK(MPI_Type_commit(&type));
            for (int k = 0; k < 2 * n; k++)
                data[k] = k % stride ? -5 : my_rank() + k;
            if (form < 2)
                OK(MPI_Sendrecv_replace(data, 1, type, right(), 4, left(), 4, MPI_COMM_WORLD, &status));
            else {
                OK(MPI_Isendrecv_replace(data, 1, type, right(), 4, left(), 4, MPI_COMM_WORLD, &request));
                OK(MPI_Wait(&request, &status));
            }
            CHECK_STATUS(&status, left(), 4, MPI_INT, n);
            for (int k = 0; k < n * stride; k++)
                wrong += data[k] != (k % stride ? -5 : left() + k);
            CHECK(!wrong, "%d numbers, form %d: %d wrong", n, form, wrong);
            OK(MPI_Type_free(&type));
            free(data);
        }
}

static void sendrecv_nonblocking(void)
{
    static const int counts[] = {0, 5, 100000};
    for (int i = 0; i < 3; i++) {
        int n = counts[i], *out = need((size_t)n * 4 + 4), *in = need((size_t)n * 4 + 4), flag = 0;
        for (int k = 0; k < n; k++)
            out[k] = k * my_rank();
        MPI_Request request;
        MPI_Status status;
        OK(MPI_Isendrecv(out, n, MPI_INT, right(), 9, in, n, MPI_INT, MPI_ANY_SOURCE, 9, MPI_COMM_WORLD,
                         &request));
        while (!flag)
            OK(MPI_Test(&request, &flag, &status));
        CHECK_STATUS(&status, left(), 9, MPI_INT, n);
        CHECK(request == MPI_REQUEST_NULL, "the handle is left");
        int wrong = 0;
        for (int k = 0; k < n; k++)
            wrong += in[k] != k * left();
        CHECK(!wrong, "%d of %d wrong", wrong, n);
        free(out);
        free(in);
    }
    MPI_Request request;
    char small;
    int big[4] = {0};
    OK(MPI_Isendrecv(big, 4, MPI_INT, right(), 9, &small, 1, MPI_CHAR, left(), 9, MPI_COMM_WORLD, &request));
    FAILS(MPI_ERR_TRUNCATE, MPI_Wait(&request, MPI_STATUS_IGNORE));
}

static void looking(void)
{
    int a = 1, b = 2, in[2], flag = 1, index, count, indices[3];
    MPI_Status status, statuses[3];
    MPI_Request requests[3] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL, MPI_REQUEST_NULL};
    OK(MPI_Request_get_status_all(3, requests, &flag, statuses));
    CHECK(flag, "three that are null");
    OK(MPI_Request_get_status_any(3, requests, &index, &flag, &status));
    CHECK(flag && index == MPI_UNDEFINED, "flag %d, index %d", flag, index);
    OK(MPI_Irecv(&in[0], 1, MPI_INT, left(), 1, MPI_COMM_WORLD, &requests[0]));
    OK(MPI_Irecv(&in[1], 1, MPI_INT, left(), 2, MPI_COMM_WORLD, &requests[2]));
    OK(MPI_Request_get_status(requests[0], &flag, &status));
    CHECK(!flag, "complete before it was sent");
    OK(MPI_Barrier(MPI_COMM_WORLD));
    OK(MPI_Send(&b, 1, MPI_INT, right(), 2, MPI_COMM_WORLD));
    do
        OK(MPI_Request_get_status_some(3, requests, &count, indices, statuses));
    while (!count);
    CHECK(count == 1 && indices[0] == 2, "%d, the first is %d", count, indices[0]);
    CHECK_STATUS(&statuses[0], left(), 2, MPI_INT, 1);
    OK(MPI_Request_get_status_any(3, requests, &index, &flag, &status));
    CHECK(flag && index == 2, "flag %d, index %d", flag, index);
    OK(MPI_Request_get_status_all(3, requests, &flag, statuses));
    CHECK(!flag, "all complete");
    OK(MPI_Barrier(MPI_COMM_WORLD));
    OK(MPI_Send(&a, 1, MPI_INT, right(), 1, MPI_COMM_WORLD));
    for (flag = 0; !flag;)
        OK(MPI_Request_get_status_all(3, requests, &flag, statuses));
    CHECK_STATUS(&statuses[0], left(), 1, MPI_INT, 1);
    OK(MPI_Waitall(3, requests, MPI_STATUSES_IGNORE));
    CHECK(in[0] == 1 && in[1] == 2, "%d %d", in[0], in[1]);
}

struct general {
    int queried, freed, cancelled;
};

static int query(void *state, MPI_Status *status)
{
    ((struct general *)state)->queried++;
    status->MPI_SOURCE = 3;
    status->MPI_TAG = 4;
    MPI_Status_set_cancelled(status, ((struct general *)state)->cancelled);
    return MPI_Status_set_elements(status, MPI_DOUBLE, 5);
}

static int drop(void *state)
{
    ((struct general *)state)->freed++;
    return MPI_SUCCESS;
}

static int refuse(void *state)
{
    ((struct general *)state)->freed++;
    return MPI_ERR_BUFFER;
}

static int cancel(void *state, int complete)
{
    ((struct general *)state)->cancelled += 1 + complete;
    return MPI_SUCCESS;
}

static void generalised(void)
{
    struct general general = {0};
    MPI_Request request;
    MPI_Status status;
    int flag = 1;
    OK(MPI_Grequest_start(query, drop, cancel, &general, &request));
    OK(MPI_Test(&request, &flag, &status));
    CHECK(!flag && !general.queried, "complete before the program said so");
    OK(MPI_Grequest_complete(request));
    OK(MPI_Request_get_status(request, &flag, &status));
    CHECK(flag && general.queried == 1 && !general.freed, "queried %d, freed %d", general.queried,
          general.freed);
    OK(MPI_Wait(&request, &status));
    CHECK_STATUS(&status, 3, 4, MPI_DOUBLE, 5);
    CHECK(general.queried == 2 && general.freed == 1, "queried %d, freed %d", general.queried, general.freed);
    CHECK(request == MPI_REQUEST_NULL, "the handle is left");
    OK(MPI_Grequest_start(query, drop, cancel, &general, &request));
    OK(MPI_Cancel(&request));
    CHECK(general.cancelled == 1, "cancelled %d", general.cancelled);
    OK(MPI_Grequest_complete(request));
    OK(MPI_Wait(&request, &status));
    OK(MPI_Test_cancelled(&status, &flag));
    CHECK(flag, "not cancelled");
    OK(MPI_Grequest_start(query, drop, cancel, &general, &request));
    MPI_Request copy = request;
    OK(MPI_Request_free(&copy));
    CHECK(general.freed == 2, "freed %d before it was complete", general.freed);
    FAILS(MPI_ERR_REQUEST, MPI_Test(&request, &flag, &status));
    OK(MPI_Grequest_complete(request));
    CHECK(general.freed == 3, "freed %d", general.freed);
    FAILS(MPI_ERR_REQUEST, MPI_Grequest_complete(request));
    OK(MPI_Grequest_start(query, refuse, cancel, &general, &request));
    OK(MPI_Grequest_complete(request));
    FAILS_WITH(MPI_ERR_BUFFER, MPI_Wait(&request, &status), "free function");
    CHECK(request == MPI_REQUEST_NULL && general.freed == 4, "freed %d", general.freed);
}

static void partitioned(void)
{
    enum { PARTS = 6, EACH = 1000 };
    double *out = need(PARTS * EACH * sizeof *out), *in = need(PARTS * EACH * sizeof *in);
    MPI_Request requests[2];
    int flag;
    OK(MPI_Psend_init(out, PARTS, EACH, MPI_DOUBLE, right(), 1, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[0]));
    OK(MPI_Precv_init(in, 2, PARTS / 2 * EACH, MPI_DOUBLE, left(), 1, MPI_COMM_WORLD, MPI_INFO_NULL,
                      &requests[1]));
    FAILS(MPI_ERR_REQUEST, MPI_Pready(0, requests[0]));
    for (int round = 0; round < 2; round++) {
        int wrong = 0, list[] = {0, 5};
        for (int i = 0; i < PARTS * EACH; i++)
            out[i] = i + round + my_rank();
        OK(MPI_Startall(2, requests));
        OK(MPI_Pready(3, requests[0]));
        FAILS(MPI_ERR_ARG, MPI_Pready(3, requests[0]));
        FAILS(MPI_ERR_ARG, MPI_Pready(PARTS, requests[0]));
        OK(MPI_Parrived(requests[1], 0, &flag));
        OK(MPI_Pready_list(2, list, requests[0]));
        OK(MPI_Test(&requests[0], &flag, MPI_STATUS_IGNORE));
        CHECK(!flag, "complete before all parts were ready");
        OK(MPI_Pready_range(1, 2, requests[0]));
        OK(MPI_Pready(4, requests[0]));
        for (flag = 0; !flag;)
            OK(MPI_Parrived(requests[1], 1, &flag));
        OK(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE));
        for (int i = 0; i < PARTS * EACH; i++)
            wrong += in[i] != i + round + left();
        CHECK(!wrong, "%d wrong", wrong);
    }
    OK(MPI_Request_free(&requests[0]));
    OK(MPI_Request_free(&requests[1]));
    free(out);
    free(in);
}

/* Sends and receives meet as they were made, however they are started. */
static void partitioned_order(void)
{
    int out[3] = {0}, in[3] = {0};
    MPI_Request sends[3], receives[3], none;
    MPI_Status status;
    OK(MPI_Precv_init(&in[0], 1, 1, MPI_INT, left(), 5, MPI_COMM_WORLD, MPI_INFO_NULL, &receives[0]));
    OK(MPI_Start(&receives[0])); /* before there is a send */
    for (int i = 0; i < 3; i++)
        OK(MPI_Psend_init(&out[i], 1, 1, MPI_INT, right(), i == 2 ? 6 : 5, MPI_COMM_WORLD, MPI_INFO_NULL,
                          &sends[i]));
    OK(MPI_Precv_init(&in[2], 1, 1, MPI_INT, left(), 6, MPI_COMM_WORLD, MPI_INFO_NULL, &receives[2]));
    OK(MPI_Precv_init(&in[1], 1, 1, MPI_INT, left(), 5, MPI_COMM_WORLD, MPI_INFO_NULL, &receives[1]));
    for (int round = 0; round < 3; round++) {
        for (int i = 2; i >= 0; i--) {
            out[i] = 100 * round + 10 * i + my_rank();
            OK(MPI_Start(&sends[i]));
            OK(MPI_Pready(0, sends[i]));
        }
        for (int i = 2; i >= (round ? 0 : 1); i--)
            OK(MPI_Start(&receives[i]));
        for (int i = 0; i < 3; i++) {
            OK(MPI_Wait(&receives[i], &status));
            CHECK_STATUS(&status, left(), i == 2 ? 6 : 5, MPI_INT, 1);
            CHECK(in[i] == 100 * round + 10 * i + left(), "%d: %d", i, in[i]);
        }
        OK(MPI_Waitall(3, sends, MPI_STATUSES_IGNORE));
    }
    for (int i = 0; i < 3; i++) {
        OK(MPI_Request_free(&sends[i]));
        OK(MPI_Request_free(&receives[i]));
    }
    FAILS(MPI_ERR_RANK,
          MPI_Precv_init(in, 1, 1, MPI_INT, MPI_ANY_SOURCE, 5, MPI_COMM_WORLD, MPI_INFO_NULL, &none));
    OK(MPI_Precv_init(in, 1, 1, MPI_INT, MPI_PROC_NULL, 5, MPI_COMM_WORLD, MPI_INFO_NULL, &none));
    OK(MPI_Start(&none));
    OK(MPI_Wait(&none, &status));
    CHECK_STATUS(&status, MPI_PROC_NULL, MPI_ANY_TAG, MPI_INT, 0);
    OK(MPI_Request_free(&none));
}

/* A probed message with gaps where it goes. */
static void matched_probe(void)
{
    int out[6] = {1, 2, 3, 4, 5, 6}, in[12];
    MPI_Datatype every_second;
    MPI_Message message;
    MPI_Status status;
    OK(MPI_Type_vector(6, 1, 2, MPI_INT, &every_second));
    OK(MPI_Type_commit(&every_second));
    MPI_Request request;
    OK(MPI_Isend(out, 6, MPI_INT, right(), 2, MPI_COMM_WORLD, &request));
    OK(MPI_Mprobe(left(), 2, MPI_COMM_WORLD, &message, &status));
    CHECK_STATUS(&status, left(), 2, every_second, 1);
    OK(MPI_Mrecv(in, 1, every_second, &message, &status));
    CHECK(in[0] == 1 && in[10] == 6 && message == MPI_MESSAGE_NULL, "%d %d", in[0], in[10]);
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    OK(MPI_Mprobe(MPI_PROC_NULL, 2, MPI_COMM_WORLD, &message, &status));
    CHECK(message == MPI_MESSAGE_NO_PROC, "another message");
    OK(MPI_Imrecv(in, 1, every_second, &message, &request));
    OK(MPI_Wait(&request, &status));
    CHECK_STATUS(&status, MPI_PROC_NULL, MPI_ANY_TAG, MPI_INT, 0);
    OK(MPI_Type_free(&every_second));
}

const struct test_case form_cases[] = {
    {"buffered", buffered, 1, 0},
    {"buffer_is_full", buffer_is_full, 1, 0},
    {"buffer_is_tight", buffer_is_tight, 1, 0},
    {"buffers_of_communicators", buffers_of_communicators, 1, 0},
    {"persistent", persistent, 1, 0},
    {"replacing", replacing, 1, 0},
    {"sendrecv_nonblocking", sendrecv_nonblocking, 1, 0},
    {"looking", looking, 1, 0},
    {"generalised", generalised, 1, 0},
    {"partitioned", partitioned, 1, 0},
    {"partitioned_order", partitioned_order, 1, 0},
    {"matched_probe", matched_probe, 1, 0},
    {0},
};
