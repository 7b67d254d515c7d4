/* Sending and receiving: every mode, sizes around every limit of the protocols. */
#include "case.h"

#include <stdlib.h>
#include <string.h>

/* loopback goes over to rendezvous beyond 4 KiB, shm beyond 8, tcp and a rank to itself beyond 64. */
static const size_t sizes[] = {0,    1,    2,     7,     248,   249,    4095,   4096,     4097,    8191,
                               8192, 8193, 65535, 65536, 65537, 131072, 200003, 1u << 20, 9u << 20};

typedef int send_fn(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm);
typedef int isend_fn(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
                     MPI_Request *request);

static const struct {
    send_fn *send;
    isend_fn *isend;
} modes[] = {{MPI_Send, MPI_Isend}, {MPI_Ssend, MPI_Issend}, {MPI_Rsend, MPI_Irsend}};

enum { MODES = 3, STANDARD = 0, SYNCHRONOUS = 1, READY = 2 };

/* The largest are sent in one mode only, and not by many ranks. */
static bool skipped(size_t size, int mode)
{
    return (size > 1u << 20 && (mode != STANDARD || world_size() > 5)) || (size > 70000 && frugal());
}

/* Everyone receives from the left what the left one sends, by the blocking send. */
static void ring_blocking(void)
{
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int mode = 0; mode < MODES; mode++) {
            size_t size = sizes[i];
            if (skipped(size, mode))
                continue;
            char *out = need(size), *in = need(size + 1);
            unsigned seed = (unsigned)(i * 16 + (unsigned)mode);
            fill(out, size, seed + (unsigned)me);
            in[size] = 77;
            MPI_Request request;
            MPI_Status status;
            OK(MPI_Irecv(in, (int)size, MPI_BYTE, left, mode, MPI_COMM_WORLD, &request));
            if (mode == READY)
                OK(MPI_Barrier(MPI_COMM_WORLD));
            OK(modes[mode].send(out, (int)size, MPI_BYTE, right, mode, MPI_COMM_WORLD));
            OK(MPI_Wait(&request, &status));
            CHECK_STATUS(&status, left, mode, MPI_BYTE, (int)size);
            long wrong = differs(in, size, seed + (unsigned)left);
            CHECK(wrong < 0, "%zu bytes, mode %d: byte %ld", size, mode, wrong);
            CHECK(in[size] == 77, "%zu bytes, mode %d: written beyond", size, mode);
            free(out);
            free(in);
        }
}

/* The same with nonblocking sends, of which those of all sizes are under way together; received
 * later than sent, so that what is eager arrives unexpected. */
static void ring_nonblocking(void)
{
    enum { COUNT = sizeof sizes / sizeof *sizes };
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n;
    for (int mode = STANDARD; mode <= SYNCHRONOUS; mode++) {
        MPI_Request requests[COUNT];
        char *out[COUNT];
        for (int i = 0; i < COUNT; i++) {
            requests[i] = MPI_REQUEST_NULL;
            out[i] = NULL;
            if (skipped(sizes[i], mode))
                continue;
            out[i] = need(sizes[i]);
            fill(out[i], sizes[i], (unsigned)(i + me));
            OK(modes[mode].isend(out[i], (int)sizes[i], MPI_BYTE, right, 100 + i, MPI_COMM_WORLD,
                                 &requests[i]));
        }
        OK(MPI_Barrier(MPI_COMM_WORLD));
        for (int i = 0; i < COUNT; i++) {
            if (skipped(sizes[i], mode))
                continue;
            char *in = need(sizes[i]);
            MPI_Status status;
            OK(MPI_Recv(in, (int)sizes[i], MPI_BYTE, left, 100 + i, MPI_COMM_WORLD, &status));
            CHECK_STATUS(&status, left, 100 + i, MPI_BYTE, (int)sizes[i]);
            long wrong = differs(in, sizes[i], (unsigned)(i + left));
            CHECK(wrong < 0, "%zu bytes, mode %d: byte %ld", sizes[i], mode, wrong);
            free(in);
        }
        OK(MPI_Waitall(COUNT, requests, MPI_STATUSES_IGNORE));
        for (int i = 0; i < COUNT; i++)
            free(out[i]);
    }
}

/* The receive comes after the message, whatever its size and mode; pairs of ranks. */
static void late_receive(void)
{
    int n = world_size(), me = my_rank(), peer = me ^ 1;
    if (peer >= n)
        peer = MPI_PROC_NULL;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && sizes[i] < 1u << 20; i++) {
        size_t size = sizes[i];
        char *bytes = need(size), go = 0;
        if (me % 2 == 0) {
            MPI_Request request;
            fill(bytes, size, (unsigned)i);
            OK(MPI_Isend(bytes, (int)size, MPI_BYTE, peer, 1, MPI_COMM_WORLD, &request));
            OK(MPI_Send(&go, 1, MPI_BYTE, peer, 2, MPI_COMM_WORLD));
            OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        } else {
            OK(MPI_Recv(&go, 1, MPI_BYTE, peer, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
            OK(MPI_Recv(bytes, (int)size, MPI_BYTE, peer, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
            CHECK(differs(bytes, size, (unsigned)i) < 0, "%zu bytes", size);
        }
        free(bytes);
    }
}

/* A synchronous send is not done before the receive has begun. */
static void synchronous(void)
{
    static const int counts[] = {0, 1, 1000, 20000};
    int me = my_rank();
    if (me > 1)
        return;
    for (int i = 0; i < 4; i++) {
        int size = counts[i], flag = 0, go = 0;
        char *bytes = need((size_t)size);
        memset(bytes, 3, (size_t)size);
        MPI_Request request;
        if (me == 0) {
            OK(MPI_Issend(bytes, size, MPI_BYTE, 1, 0, MPI_COMM_WORLD, &request));
            for (int k = 0; k < 50; k++) {
                OK(MPI_Test(&request, &flag, MPI_STATUS_IGNORE));
                CHECK(!flag, "%d bytes: done before anybody receives", size);
            }
            OK(MPI_Send(&go, 1, MPI_INT, 1, 1, MPI_COMM_WORLD));
            OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        } else {
            OK(MPI_Recv(&go, 1, MPI_INT, 0, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
            OK(MPI_Recv(bytes, size, MPI_BYTE, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
        }
        free(bytes);
    }
}

static void proc_null(void)
{
    int value = 5, flag = 0;
    MPI_Status status;
    MPI_Request request;
    MPI_Message message;
    OK(MPI_Send(&value, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD));
    OK(MPI_Ssend(&value, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD));
    OK(MPI_Recv(&value, 1, MPI_INT, MPI_PROC_NULL, 9, MPI_COMM_WORLD, &status));
    CHECK_STATUS(&status, MPI_PROC_NULL, MPI_ANY_TAG, MPI_INT, 0);
    CHECK(value == 5, "written to");
    OK(MPI_Irecv(&value, 1, MPI_INT, MPI_PROC_NULL, 9, MPI_COMM_WORLD, &request));
    OK(MPI_Wait(&request, &status));
    CHECK_STATUS(&status, MPI_PROC_NULL, MPI_ANY_TAG, MPI_INT, 0);
    OK(MPI_Isend(&value, 1, MPI_INT, MPI_PROC_NULL, 9, MPI_COMM_WORLD, &request));
    OK(MPI_Test(&request, &flag, MPI_STATUS_IGNORE));
    CHECK(flag, "a send to nobody is done at once");
    OK(MPI_Probe(MPI_PROC_NULL, 0, MPI_COMM_WORLD, &status));
    CHECK_STATUS(&status, MPI_PROC_NULL, MPI_ANY_TAG, MPI_INT, 0);
    OK(MPI_Mprobe(MPI_PROC_NULL, 0, MPI_COMM_WORLD, &message, &status));
    CHECK(message == MPI_MESSAGE_NO_PROC, "%p", (void *)message);
    OK(MPI_Mrecv(&value, 1, MPI_INT, &message, &status));
    CHECK_STATUS(&status, MPI_PROC_NULL, MPI_ANY_TAG, MPI_INT, 0);
    CHECK(message == MPI_MESSAGE_NULL, "%p", (void *)message);
    OK(MPI_Sendrecv(&value, 1, MPI_INT, MPI_PROC_NULL, 0, &value, 1, MPI_INT, MPI_PROC_NULL, 0,
                    MPI_COMM_WORLD, &status));
    CHECK_STATUS(&status, MPI_PROC_NULL, MPI_ANY_TAG, MPI_INT, 0);
}

/* To oneself: standard before the receive, synchronous, and with the receive first. */
static void self(void)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && sizes[i] <= 1u << 20; i++) {
        size_t size = sizes[i];
        int me = my_rank();
        char *out = need(size), *in = need(size);
        MPI_Request requests[2];
        MPI_Status status;
        fill(out, size, 3);
        for (int way = 0; way < 4; way++) {
            bool receive_first = way & 1;
            isend_fn *isend = way & 2 ? MPI_Issend : MPI_Isend;
            memset(in, 0, size);
            if (receive_first)
                OK(MPI_Irecv(in, (int)size, MPI_BYTE, me, way, MPI_COMM_WORLD, &requests[0]));
            OK(isend(out, (int)size, MPI_BYTE, me, way, MPI_COMM_WORLD, &requests[1]));
            if (!receive_first)
                OK(MPI_Irecv(in, (int)size, MPI_BYTE, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD,
                             &requests[0]));
            OK(MPI_Wait(&requests[0], &status));
            OK(MPI_Wait(&requests[1], MPI_STATUS_IGNORE));
            CHECK_STATUS(&status, me, way, MPI_BYTE, (int)size);
            CHECK(differs(in, size, 3) < 0, "%zu bytes, way %d", size, way);
        }
        OK(MPI_Sendrecv(out, (int)size, MPI_BYTE, 0, 8, in, (int)size, MPI_BYTE, 0, 8, MPI_COMM_SELF,
                        &status));
        CHECK_STATUS(&status, 0, 8, MPI_BYTE, (int)size);
        if (size <= 4096) {
            OK(MPI_Send(out, (int)size, MPI_BYTE, 0, 9, MPI_COMM_SELF));
            OK(MPI_Recv(in, (int)size, MPI_BYTE, 0, 9, MPI_COMM_SELF, &status));
            CHECK_STATUS(&status, 0, 9, MPI_BYTE, (int)size);
        }
        free(out);
        free(in);
    }
}

/* Everyone to the right and from the left, at once; then large ones both ways between all pairs. */
static void exchange(void)
{
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size = sizes[i];
        if (skipped(size, STANDARD))
            continue;
        char *out = need(size), *in = need(size);
        MPI_Status status;
        fill(out, size, (unsigned)me);
        OK(MPI_Sendrecv(out, (int)size, MPI_BYTE, right, 4, in, (int)size, MPI_BYTE, left, 4, MPI_COMM_WORLD,
                        &status));
        CHECK_STATUS(&status, left, 4, MPI_BYTE, (int)size);
        CHECK(differs(in, size, (unsigned)left) < 0, "%zu bytes", size);
        free(out);
        free(in);
    }
    enum { EACH = 150000 };
    char *out = need(EACH), *in = need(EACH * (size_t)n);
    MPI_Request *requests = need(sizeof *requests * 2 * (size_t)n);
    fill(out, EACH, (unsigned)me);
    for (int i = 0; i < n; i++) {
        OK(MPI_Irecv(in + (size_t)i * EACH, EACH, MPI_BYTE, i, 0, MPI_COMM_WORLD, &requests[2 * i]));
        OK(MPI_Isend(out, EACH, MPI_BYTE, i, 0, MPI_COMM_WORLD, &requests[2 * i + 1]));
    }
    OK(MPI_Waitall(2 * n, requests, MPI_STATUSES_IGNORE));
    for (int i = 0; i < n; i++)
        CHECK(differs(in + (size_t)i * EACH, EACH, (unsigned)i) < 0, "from %d", i);
    free(requests);
    free(out);
    free(in);
}

/* A receive may be longer than the message, and the rest of it stays. */
static void shorter(void)
{
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n;
    static const int counts[] = {0, 1, 100, 3000, 30000};
    enum { ROOM = 30100 };
    int *out = need(ROOM * sizeof *out), *in = need(ROOM * sizeof *in);
    for (int i = 0; i < ROOM; i++)
        out[i] = i + me;
    for (int k = 0; k < 5; k++) {
        MPI_Status status;
        memset(in, 0xff, ROOM * sizeof *in);
        OK(MPI_Sendrecv(out, counts[k], MPI_INT, right, 0, in, ROOM, MPI_INT, left, 0, MPI_COMM_WORLD,
                        &status));
        CHECK_STATUS(&status, left, 0, MPI_INT, counts[k]);
        CHECK(!counts[k] || in[counts[k] - 1] == counts[k] - 1 + left, "the last of %d", counts[k]);
        CHECK(in[counts[k]] == -1, "beyond %d", counts[k]);
    }
    free(out);
    free(in);
}

/* Counts in other types than the sender's; a rest of bytes is MPI_UNDEFINED. */
static void counts(void)
{
    int me = my_rank(), count = -1;
    char out[30] = {0}, in[32];
    MPI_Status status;
    OK(MPI_Sendrecv(out, 30, MPI_BYTE, me, 0, in, 32, MPI_BYTE, me, 0, MPI_COMM_WORLD, &status));
    OK(MPI_Get_count(&status, MPI_SHORT, &count));
    CHECK(count == 15, "%d shorts", count);
    OK(MPI_Get_count(&status, MPI_INT, &count));
    CHECK(count == MPI_UNDEFINED, "%d ints", count);
    MPI_Count wide = -1;
    OK(MPI_Get_count_c(&status, MPI_C_FLOAT_COMPLEX, &wide));
    CHECK(wide == MPI_UNDEFINED, "%lld", (long long)wide);
    OK(MPI_Get_elements(&status, MPI_BYTE, &count));
    CHECK(count == 30, "%d elements", count);
    MPI_Datatype five;
    OK(MPI_Type_contiguous(5, MPI_BYTE, &five));
    OK(MPI_Type_commit(&five));
    OK(MPI_Get_count(&status, five, &count));
    CHECK(count == 6, "%d fives", count);
    OK(MPI_Sendrecv(out, 2, five, me, 0, in, 2, five, me, 0, MPI_COMM_WORLD, &status));
    CHECK_STATUS(&status, me, 0, five, 2);
    CHECK_STATUS(&status, me, 0, MPI_BYTE, 10);
    OK(MPI_Type_free(&five));
    OK(MPI_Type_contiguous(0, MPI_INT, &five));
    OK(MPI_Type_commit(&five));
    OK(MPI_Sendrecv(NULL, 3, five, me, 0, NULL, 3, five, me, 0, MPI_COMM_WORLD, &status));
    CHECK_STATUS(&status, me, 0, five, 0);
    OK(MPI_Type_free(&five));
}

struct short_int {
    short value;
    int index;
};
struct double_int {
    double value;
    int index;
};
struct long_int {
    long value;
    int index;
};
struct long_double_int {
    long double value;
    int index;
};

/* Pairs whose C structs have gaps: values arrive, counts count pairs, nothing is written beyond. */
#define PAIRS(struct_type, mpi_type)                                                                         \
    do {                                                                                                     \
        enum { COUNT = 1000 };                                                                               \
        struct_type *out = need(sizeof *out * COUNT), *in = need(sizeof *in * (COUNT + 1));                  \
        memset(out, 1, sizeof *out *COUNT);                                                                  \
        memset(in, 0, sizeof *in *(COUNT + 1));                                                              \
        for (int i = 0; i < COUNT; i++) {                                                                    \
            out[i].value = (short)(i * 3 + me);                                                              \
            out[i].index = i - me;                                                                           \
        }                                                                                                    \
        for (int k = 0; k < 4; k++) {                                                                        \
            int c = (int[]){0, 1, 7, COUNT}[k];                                                              \
            MPI_Status status;                                                                               \
            OK(MPI_Sendrecv(out, c, mpi_type, right, 0, in, c + (k == 2), mpi_type, left, 0, MPI_COMM_WORLD, \
                            &status));                                                                       \
            CHECK_STATUS(&status, left, 0, mpi_type, c);                                                     \
            int right_ones = 0;                                                                              \
            while (right_ones < c && in[right_ones].value == (short)(right_ones * 3 + left) &&               \
                   in[right_ones].index == right_ones - left)                                                \
                right_ones++;                                                                                \
            CHECK(right_ones == c, "pair %d of %d", right_ones, c);                                          \
            CHECK(in[c].index == 0 || c < 7, "written beyond %d pairs", c);                                  \
        }                                                                                                    \
        MPI_Message message;                                                                                 \
        MPI_Status status;                                                                                   \
        MPI_Request request;                                                                                 \
        OK(MPI_Isend(out, 5, mpi_type, right, 1, MPI_COMM_WORLD, &request));                                 \
        OK(MPI_Mprobe(left, 1, MPI_COMM_WORLD, &message, &status));                                          \
        CHECK_STATUS(&status, left, 1, mpi_type, 5);                                                         \
        OK(MPI_Mrecv(in, 5, mpi_type, &message, &status));                                                   \
        CHECK_STATUS(&status, left, 1, mpi_type, 5);                                                         \
        CHECK(in[4].index == 4 - left, "the last of a probed message");                                      \
        OK(MPI_Wait(&request, MPI_STATUS_IGNORE));                                                           \
        free(out);                                                                                           \
        free(in);                                                                                            \
    } while (0)

static void pairs_with_gaps(void)
{
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n;
    PAIRS(struct short_int, MPI_SHORT_INT);
    PAIRS(struct double_int, MPI_DOUBLE_INT);
    PAIRS(struct long_int, MPI_LONG_INT);
    PAIRS(struct long_double_int, MPI_LONG_DOUBLE_INT);
}

static void large_counts(void)
{
    int n = world_size(), me = my_rank(), right = (me + 1) % n, left = (me + n - 1) % n;
    double out[64], in[64];
    MPI_Request request;
    MPI_Status status;
    for (int i = 0; i < 64; i++)
        out[i] = i + me;
    OK(MPI_Irecv_c(in, 64, MPI_DOUBLE, left, 7, MPI_COMM_WORLD, &request));
    OK(MPI_Send_c(out, 64, MPI_DOUBLE, right, 7, MPI_COMM_WORLD));
    OK(MPI_Wait(&request, &status));
    CHECK_STATUS(&status, left, 7, MPI_DOUBLE, 64);
    CHECK(in[63] == 63 + left, "%g", in[63]);
    OK(MPI_Isend_c(out, 64, MPI_DOUBLE, right, 7, MPI_COMM_WORLD, &request));
    OK(MPI_Recv_c(in, 64, MPI_DOUBLE, left, 7, MPI_COMM_WORLD, &status));
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK_STATUS(&status, left, 7, MPI_DOUBLE, 64);
}

const struct test_case pt2pt_cases[] = {
    {"ring_blocking", ring_blocking, 1, 0},
    {"ring_nonblocking", ring_nonblocking, 1, 0},
    {"late_receive", late_receive, 2, 0},
    {"synchronous", synchronous, 2, 0},
    {"proc_null", proc_null, 1, 0},
    {"self", self, 1, 0},
    {"exchange", exchange, 1, 0},
    {"shorter", shorter, 1, 0},
    {"counts", counts, 1, 0},
    {"pairs_with_gaps", pairs_with_gaps, 1, 0},
    {"large_counts", large_counts, 1, 0},
    {0},
};
