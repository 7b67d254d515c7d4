/* Messages do not overtake, wildcards see the oldest, and thousands may be under way. */
#include "case.h"

#include <stdlib.h>
#include <string.h>

enum { MESSAGES = 120, LARGEST = 70000 };

/* Sizes on both sides of every limit, in no order. */
static size_t size_at(int k)
{
    static const size_t sizes[] = {4, 9000, 4, 70000, 64, 5000, 12, 40000, 8192, 8193, 4, 66000};
    return sizes[mix((unsigned)k, 3) % 12];
}

/* Everyone sends rank 0 numbered messages of mixed sizes and tags; rank 0 takes them by `source` and `tag`.
 */
static void send_numbered(int tags)
{
    MPI_Request requests[MESSAGES];
    int *buffers[MESSAGES];
    for (int k = 0; k < MESSAGES; k++) {
        buffers[k] = need(size_at(k));
        memset(buffers[k], 0, size_at(k));
        buffers[k][0] = k;
        OK(MPI_Isend(buffers[k], (int)size_at(k), MPI_BYTE, 0, (int)(mix((unsigned)k, 1) % (unsigned)tags),
                     MPI_COMM_WORLD, &requests[k]));
    }
    OK(MPI_Waitall(MESSAGES, requests, MPI_STATUSES_IGNORE));
    for (int k = 0; k < MESSAGES; k++)
        free(buffers[k]);
}

/* Received with any tag, the messages of each source come in the order they were sent. */
static void any_source_any_tag(void)
{
    int n = world_size();
    if (my_rank()) {
        send_numbered(5);
        return;
    }
    int *next = need(sizeof *next * (size_t)n), *in = need(LARGEST);
    memset(next, 0, sizeof *next * (size_t)n);
    for (int i = 0; i < MESSAGES * (n - 1); i++) {
        MPI_Status status;
        OK(MPI_Recv(in, LARGEST, MPI_BYTE, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &status));
        int source = status.MPI_SOURCE;
        if (!CHECK(source > 0 && source < n, "source %d", source))
            break;
        int k = next[source]++;
        CHECK(in[0] == k, "message %d of rank %d came where %d was due", in[0], source, k);
        CHECK_STATUS(&status, source, (int)(mix((unsigned)k, 1) % 5), MPI_BYTE, (int)size_at(k));
    }
    free(next);
    free(in);
}

/* Received tag by tag, the last tag first: within a tag the order is that of sending. */
static void tag_by_tag(void)
{
    int n = world_size();
    if (my_rank()) {
        send_numbered(4);
        return;
    }
    int *in = need(LARGEST);
    for (int source = n - 1; source > 0; source--)
        for (int tag = 3; tag >= 0; tag--)
            for (int k = 0; k < MESSAGES; k++) {
                if ((int)(mix((unsigned)k, 1) % 4) != tag)
                    continue;
                MPI_Status status;
                OK(MPI_Recv(in, LARGEST, MPI_BYTE, source, tag, MPI_COMM_WORLD, &status));
                CHECK_STATUS(&status, source, tag, MPI_BYTE, (int)size_at(k));
                CHECK(in[0] == k, "message %d of rank %d came where %d was due", in[0], source, k);
            }
    free(in);
}

/* Receives posted before: named and wildcard ones mixed match in the order they were posted. */
static void posted_order(void)
{
    enum { POSTED = 60 };
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n;
    int in[POSTED], out[POSTED];
    MPI_Request requests[POSTED];
    MPI_Status statuses[POSTED];
    for (int k = 0; k < POSTED; k++)
        OK(MPI_Irecv(&in[k], 1, MPI_INT, k % 3 ? left : MPI_ANY_SOURCE, k % 2 ? 5 : MPI_ANY_TAG,
                     MPI_COMM_WORLD, &requests[k]));
    OK(MPI_Barrier(MPI_COMM_WORLD));
    for (int k = 0; k < POSTED; k++) {
        out[k] = k;
        OK(MPI_Send(&out[k], 1, MPI_INT, right, 5, MPI_COMM_WORLD));
    }
    OK(MPI_Waitall(POSTED, requests, statuses));
    for (int k = 0; k < POSTED; k++) {
        CHECK(in[k] == k, "receive %d got message %d", k, in[k]);
        CHECK_STATUS(&statuses[k], left, 5, MPI_INT, 1);
    }
}

/* Tags at both ends of their range; a message with another tag is not taken. */
static void tags(void)
{
    static const int values[] = {0, 1, 32767, 32768, 0x7ffffffe, 0x7fffffff};
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n;
    MPI_Request requests[6];
    int in[6];
    for (int i = 5; i >= 0; i--)
        OK(MPI_Irecv(&in[i], 1, MPI_INT, left, values[i], MPI_COMM_WORLD, &requests[i]));
    for (int i = 0; i < 6; i++)
        OK(MPI_Send(&values[i], 1, MPI_INT, right, values[i], MPI_COMM_WORLD));
    OK(MPI_Waitall(6, requests, MPI_STATUSES_IGNORE));
    for (int i = 0; i < 6; i++)
        CHECK(in[i] == values[i], "tag %d got %d", values[i], in[i]);
}

/* 2,000 sends and 2,000 receives under way in each rank, completed from the end. */
static void many(void)
{
    enum { COUNT = 2000 };
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n;
    MPI_Request *requests = need(sizeof *requests * 2 * COUNT);
    int *in = need(sizeof *in * COUNT), *out = need(sizeof *out * COUNT);
    for (int k = 0; k < COUNT; k++) {
        out[k] = k * 2 + me;
        in[k] = -1;
        OK(MPI_Isend(&out[k], 1, MPI_INT, right, k, MPI_COMM_WORLD, &requests[COUNT + k]));
    }
    for (int k = COUNT - 1; k >= 0; k--)
        OK(MPI_Irecv(&in[k], 1, MPI_INT, left, k, MPI_COMM_WORLD, &requests[k]));
    OK(MPI_Waitall(2 * COUNT, requests, MPI_STATUSES_IGNORE));
    for (int k = 0; k < COUNT; k++)
        CHECK(in[k] == k * 2 + left, "message %d is %d", k, in[k]);
    for (int k = 0; k < 2 * COUNT; k++)
        CHECK(requests[k] == MPI_REQUEST_NULL, "request %d is left", k);
    free(requests);
    free(in);
    free(out);
}

/* The same with messages that wait at their sender. */
static void many_large(void)
{
    enum { COUNT = 40, BYTES = 100000 };
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n;
    MPI_Request requests[2 * COUNT];
    char *out = need(BYTES), *in = need((size_t)COUNT * BYTES);
    fill(out, BYTES, (unsigned)me);
    for (int k = 0; k < COUNT; k++)
        OK(MPI_Isend(out, BYTES - k, MPI_BYTE, right, k, MPI_COMM_WORLD, &requests[k]));
    for (int k = 0; k < COUNT; k++)
        OK(MPI_Irecv(in + (size_t)k * BYTES, BYTES, MPI_BYTE, left, k, MPI_COMM_WORLD, &requests[COUNT + k]));
    OK(MPI_Waitall(2 * COUNT, requests, MPI_STATUSES_IGNORE));
    for (int k = 0; k < COUNT; k++)
        CHECK(differs(in + (size_t)k * BYTES, (size_t)(BYTES - k), (unsigned)left) < 0, "message %d", k);
    free(out);
    free(in);
}

/* Messages of one communicator are not seen in another. */
static void communicators_apart(void)
{
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n, a = 1, b = 2, in = 0;
    MPI_Comm other;
    MPI_Request request;
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &other));
    OK(MPI_Isend(&a, 1, MPI_INT, right, 0, MPI_COMM_WORLD, &request));
    OK(MPI_Send(&b, 1, MPI_INT, right, 0, other));
    OK(MPI_Recv(&in, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, other, MPI_STATUS_IGNORE));
    CHECK(in == 2, "%d came in the other communicator", in);
    OK(MPI_Recv(&in, 1, MPI_INT, left, MPI_ANY_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    CHECK(in == 1, "%d came in MPI_COMM_WORLD", in);
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    OK(MPI_Comm_free(&other));
}

const struct test_case order_cases[] = {
    {"any_source_any_tag", any_source_any_tag, 2, 0},
    {"tag_by_tag", tag_by_tag, 2, 0},
    {"posted_order", posted_order, 1, 0},
    {"tags", tags, 1, 0},
    {"many", many, 1, 0},
    {"many_large", many_large, 1, CASE_FEW},
    {"communicators_apart", communicators_apart, 1, 0},
    {0},
};
