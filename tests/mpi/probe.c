/* Probes: what is there, and messages taken by a matched probe. */
#include "case.h"

#include <stdlib.h>

static const int sizes[] = {0, 1, 4096, 4097, 8193, 65537, 300000};
enum { SIZES = 7 };

/* Receivers learn size, source and tag from the probe. */
static void probe(void)
{
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n;
    for (int i = 0; i < SIZES; i++)
        for (int form = 0; form < 4; form++) {
            char *out = need((size_t)sizes[i]);
            MPI_Request request;
            MPI_Status status;
            int source = form & 1 ? MPI_ANY_SOURCE : left, tag = form & 1 ? MPI_ANY_TAG : i, count = -1;
            fill(out, (size_t)sizes[i], (unsigned)me);
            OK(MPI_Isend(out, sizes[i], MPI_BYTE, right, i, MPI_COMM_WORLD, &request));
            if (form & 2)
                for (int flag = 0; !flag;)
                    OK(MPI_Iprobe(source, tag, MPI_COMM_WORLD, &flag, &status));
            else
                OK(MPI_Probe(source, tag, MPI_COMM_WORLD, &status));
            CHECK_STATUS(&status, left, i, MPI_BYTE, sizes[i]);
            OK(MPI_Get_count(&status, MPI_BYTE, &count));
            char *in = need((size_t)count);
            OK(MPI_Recv(in, count, MPI_BYTE, status.MPI_SOURCE, status.MPI_TAG, MPI_COMM_WORLD, &status));
            CHECK_STATUS(&status, left, i, MPI_BYTE, sizes[i]);
            CHECK(differs(in, (size_t)count, (unsigned)left) < 0, "%d bytes", count);
            OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
            free(in);
            free(out);
        }
}

/* A message taken by a matched probe is seen by nobody else; the next one of the same kind is. */
static void matched(void)
{
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n;
    for (int i = 0; i < SIZES; i++)
        for (int form = 0; form < 4; form++) {
            size_t size = (size_t)sizes[i];
            char *out[2] = {need(size), need(size)}, *in[2] = {need(size), need(size)};
            MPI_Request sends[2], request;
            MPI_Message messages[2];
            MPI_Status status;
            for (int k = 0; k < 2; k++) {
                fill(out[k], size, (unsigned)(me + k));
                OK(MPI_Isend(out[k], sizes[i], MPI_BYTE, right, 5, MPI_COMM_WORLD, &sends[k]));
            }
            for (int k = 0; k < 2; k++) {
                if (form & 1)
                    for (int flag = 0; !flag;)
                        OK(MPI_Improbe(MPI_ANY_SOURCE, 5, MPI_COMM_WORLD, &flag, &messages[k], &status));
                else
                    OK(MPI_Mprobe(left, MPI_ANY_TAG, MPI_COMM_WORLD, &messages[k], &status));
                CHECK_STATUS(&status, left, 5, MPI_BYTE, sizes[i]);
            }
            for (int k = 1; k >= 0; k--) { /* the later one first */
                if (form & 2) {
                    OK(MPI_Imrecv(in[k], sizes[i], MPI_BYTE, &messages[k], &request));
                    OK(MPI_Wait(&request, &status));
                } else {
                    OK(MPI_Mrecv(in[k], sizes[i], MPI_BYTE, &messages[k], &status));
                }
                CHECK_STATUS(&status, left, 5, MPI_BYTE, sizes[i]);
                CHECK(messages[k] == MPI_MESSAGE_NULL, "the handle is left");
                CHECK(differs(in[k], size, (unsigned)(left + k)) < 0, "%d bytes, message %d", sizes[i], k);
            }
            OK(MPI_Waitall(2, sends, MPI_STATUSES_IGNORE));
            for (int k = 0; k < 2; k++) {
                free(out[k]);
                free(in[k]);
            }
        }
}

/* Nothing there: the flag says so and the status is left alone. */
static void nothing(void)
{
    MPI_Status status = {.MPI_SOURCE = 77};
    MPI_Message message;
    int flag = 1;
    OK(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &flag, &status));
    CHECK(!flag && status.MPI_SOURCE == 77, "%d", flag);
    flag = 1;
    OK(MPI_Improbe(my_rank(), 3, MPI_COMM_WORLD, &flag, &message, &status));
    CHECK(!flag, "%d", flag);
    OK(MPI_Barrier(MPI_COMM_WORLD));
}

/* A probe sees the oldest message that fits, also past others. */
static void oldest(void)
{
    int me = my_rank(), out[4] = {0, 1, 2, 3}, in;
    MPI_Status status;
    for (int k = 0; k < 4; k++)
        OK(MPI_Send(&out[k], k + 1 > 2 ? 1 : 0, MPI_INT, me, k % 2, MPI_COMM_WORLD));
    OK(MPI_Probe(me, 1, MPI_COMM_WORLD, &status));
    CHECK_STATUS(&status, me, 1, MPI_INT, 0);
    OK(MPI_Recv(&in, 1, MPI_INT, me, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    OK(MPI_Probe(MPI_ANY_SOURCE, 1, MPI_COMM_WORLD, &status));
    CHECK_STATUS(&status, me, 1, MPI_INT, 1);
    OK(MPI_Probe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &status));
    CHECK_STATUS(&status, me, 0, MPI_INT, 0);
    for (int k = 0; k < 3; k++)
        OK(MPI_Recv(&in, 1, MPI_INT, me, MPI_ANY_TAG, MPI_COMM_WORLD, &status));
    CHECK(in == 3, "%d", in);
}

/* A probed message may go into a buffer that is too short: an error with both sizes, and the message is gone.
 */
static void truncated(void)
{
    static const int lengths[] = {100, 10000, 100000};
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n;
    for (int i = 0; i < 3; i++) {
        char *out = need(100000), in[64];
        MPI_Request request;
        MPI_Message message;
        MPI_Status status;
        fill(out, 100000, 1);
        OK(MPI_Isend(out, lengths[i], MPI_BYTE, right, 0, MPI_COMM_WORLD, &request));
        OK(MPI_Mprobe(left, 0, MPI_COMM_WORLD, &message, &status));
        FAILS_WITH(MPI_ERR_TRUNCATE, MPI_Mrecv(in, 60, MPI_BYTE, &message, &status), "60 bytes", "MPI_Mrecv");
        CHECK(message == MPI_MESSAGE_NULL, "the handle is left");
        CHECK(differs(in, 60, 1) < 0, "what fits");
        OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        free(out);
    }
}

const struct test_case probe_cases[] = {
    {"probe", probe, 1, 0},   {"matched", matched, 1, 0},     {"nothing", nothing, 1, 0},
    {"oldest", oldest, 1, 0}, {"truncated", truncated, 1, 0}, {0},
};
