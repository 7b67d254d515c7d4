/* The MPI suite with its buffers on a device: a profiling layer that gives every call a device buffer where
 * the program passed a host one.
 *
 *   the program's buffer --cuMemcpyAsync, default stream, not waited for--> device buffer
 *   PMPI_... on the device buffer
 *   device buffer --> the program's buffer, those bytes that have changed
 *
 * So each case of tests/mpi becomes a test of device buffers, derived types and wrong arguments
 * included, and of the order with the default stream: the library must see what was submitted before the
 * call. TEST_DEVICE says which buffers: all; some (by a hash of rank and call: host on one side, device on
 * the other); managed; pinned (host memory that is page-locked); host (none: the layer itself is tested).
 */
#include "fakecuda.h"

#include <mpi.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDES = 2, PENDING = 4096 };

struct moved {
    const void *passed, *given; /* by the program, to the library */
    char *host;                 /* where the span begins in the program's buffer; NULL: not moved */
    char *before;
    pl_cu_address base;
    char *device;
    size_t bytes;
};

struct moves {
    struct moves *next;
    MPI_Request request;
    struct moved side[SIDES];
    int n;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct moves *pending[PENDING];
static unsigned long calls, moved_bytes;
static pl_cu_context context;

static const char *mode(void)
{
    const char *m = getenv("TEST_DEVICE");
    return m ? m : "all";
}

static void need(int result, const char *what)
{
    if (!result)
        return;
    fprintf(stderr, "everywhere: %s gave %d\n", what, result);
    abort();
}

/* A device for this process: with several ranks, sometimes the same and sometimes another. */
static void begin(void)
{
    pthread_mutex_lock(&lock);
    if (!context) {
        const char *number = getenv("PMI_RANK");
        pl_cu_device device;
        need(cuInit(0), "cuInit");
        need(cuDeviceGet(&device, number && getenv("TEST_TWO_DEVICES") ? atoi(number) % 2 : 0),
             "cuDeviceGet");
        need(cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
    }
    calls++;
    pthread_mutex_unlock(&lock);
    need(cuCtxSetCurrent(context), "cuCtxSetCurrent");
}

static bool chosen(const void *buffer)
{
    const char *m = mode();
    if (!strcmp(m, "host"))
        return false;
    if (strcmp(m, "some"))
        return true;
    int rank = 0;
    PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    uint64_t x = (calls * 31u + (uint64_t)rank * 7919u + (uintptr_t)buffer / 16) * 0x9e3779b97f4a7c15u;
    return x >> 40 & 1;
}

/* The bytes of a buffer that a call may touch, relative to its address. */
struct span {
    MPI_Aint low, high;
    bool wrong;
};

static void add(struct span *span, MPI_Aint at, MPI_Aint count, MPI_Datatype type)
{
    MPI_Aint lb, extent, true_lb, true_extent;
    if (span->wrong || !count)
        return;
    if (count < 0 || type == MPI_DATATYPE_NULL || PMPI_Type_get_extent(type, &lb, &extent) ||
        PMPI_Type_get_true_extent(type, &true_lb, &true_extent)) {
        span->wrong = true;
        return;
    }
    MPI_Aint last = (count - 1) * extent;
    MPI_Aint low = at + true_lb + (last < 0 ? last : 0);
    MPI_Aint high = at + true_lb + true_extent + (last > 0 ? last : 0);
    if (extent > 0 && lb == 0 && at + last + extent > high)
        high = at + last + extent; /* pairs with a gap behind them */
    span->low = span->low < span->high && span->low < low ? span->low : low;
    span->high = span->low < span->high && span->high > high ? span->high : high;
}

static struct span simple(MPI_Aint count, MPI_Datatype type)
{
    struct span span = {0};
    add(&span, 0, count, type);
    return span;
}

static struct span blocks(int n, MPI_Aint count, MPI_Datatype type)
{
    return simple(n * count, type);
}

static struct span uneven(int n, const int counts[], const int displs[], MPI_Datatype type)
{
    struct span span = {0}, all = {0};
    MPI_Aint lb, extent;
    if (!counts || !displs || type == MPI_DATATYPE_NULL || PMPI_Type_get_extent(type, &lb, &extent))
        return (struct span){.wrong = true};
    for (int i = 0; i < n; i++) {
        span = (struct span){0};
        add(&span, displs[i] * extent, counts[i], type);
        all.wrong = all.wrong || span.wrong;
        if (span.low == span.high)
            continue;
        bool first = all.low == all.high;
        all.low = first || span.low < all.low ? span.low : all.low;
        all.high = first || span.high > all.high ? span.high : all.high;
    }
    return all;
}

static struct span mixed(int n, const int counts[], const int displs[], const MPI_Datatype types[])
{
    struct span span, all = {0};
    if (!counts || !displs || !types)
        return (struct span){.wrong = true};
    for (int i = 0; i < n; i++) {
        span = (struct span){0};
        add(&span, displs[i], counts[i], types[i]);
        all.wrong = all.wrong || span.wrong;
        if (span.low == span.high)
            continue;
        bool first = all.low == all.high;
        all.low = first || span.low < all.low ? span.low : all.low;
        all.high = first || span.high > all.high ? span.high : all.high;
    }
    return all;
}

static pl_cu_address allocate(size_t bytes, int *result)
{
    pl_cu_address address = 0;
    void *host = NULL;
    if (!strcmp(mode(), "managed")) {
        *result = cuMemAllocManaged(&address, bytes, 1);
    } else if (!strcmp(mode(), "pinned")) {
        *result = cuMemHostAlloc(&host, bytes, 0);
        address = (uintptr_t)host;
    } else {
        *result = cuMemAlloc_v2(&address, bytes);
    }
    return address;
}

/* The buffer to pass on: on a device, or as it is. */
static void *give(struct moves *m, const void *buffer, struct span span)
{
    size_t bytes = (size_t)(span.high - span.low);
    if (!buffer || buffer == MPI_IN_PLACE || span.wrong || !bytes || bytes > (size_t)1 << 28 ||
        !chosen((const char *)buffer + span.low))
        return (void *)(uintptr_t)buffer;
    if (m->n && m->side[0].passed == buffer) /* the same twice, which the library may refuse */
        return (void *)(uintptr_t)m->side[0].given;
    struct moved *moved = &m->side[m->n++];
    int result;
    moved->host = (char *)(uintptr_t)buffer + span.low;
    moved->bytes = bytes;
    moved->base = allocate(bytes + 16, &result);
    need(result, "allocating");
    moved->device = (char *)(uintptr_t)moved->base + ((uintptr_t)moved->host & 15);
    moved->before = malloc(bytes);
    memcpy(moved->before, moved->host, bytes);
    if (!strcmp(mode(), "pinned"))
        memcpy(moved->device, moved->before, bytes);
    else
        need(cuMemcpyAsync((uintptr_t)moved->device, (uintptr_t)moved->before, bytes, NULL), "copying");
    pthread_mutex_lock(&lock);
    moved_bytes += bytes;
    pthread_mutex_unlock(&lock);
    moved->passed = buffer;
    moved->given = moved->device - span.low;
    return moved->device - span.low;
}

static void refresh(struct moved *moved)
{
    char *after = malloc(moved->bytes);
    need(cuMemcpy((uintptr_t)after, (uintptr_t)moved->device, moved->bytes), "copying back");
    for (size_t b = 0; b < moved->bytes; b++)
        if (after[b] != moved->before[b])
            moved->host[b] = after[b];
    free(after);
}

/* Requests that were freed under way: nobody says when they are done. What has changed after the next call is
 * brought back, and no more, for the program's buffer may go. */
static struct moves *freed;

static void refresh_freed(void)
{
    pthread_mutex_lock(&lock);
    for (struct moves *m; (m = freed);) {
        freed = m->next;
        for (int i = 0; i < m->n; i++)
            refresh(&m->side[i]);
        free(m);
    }
    pthread_mutex_unlock(&lock);
}

/* The call is complete: brings back what has changed. */
static void take(struct moves *m)
{
    for (int i = 0; i < m->n; i++) {
        struct moved *moved = &m->side[i];
        refresh(moved);
        if (!strcmp(mode(), "pinned"))
            need(cuMemFreeHost((void *)(uintptr_t)moved->base), "freeing");
        else
            need(cuMemFree_v2(moved->base), "freeing");
        free(moved->before);
    }
    m->n = 0;
    refresh_freed();
}

/* A call has begun: what it moved is taken when its request is complete. */
static int later(int code, const MPI_Request *request, const struct moves *m)
{
    struct moves done = *m;
    if (code || !m->n || !request || *request == MPI_REQUEST_NULL) {
        take(&done);
        return code;
    }
    struct moves *kept = malloc(sizeof *kept);
    *kept = *m;
    kept->request = *request;
    pthread_mutex_lock(&lock);
    int i = 0;
    while (i < PENDING && pending[i])
        i++;
    if (i == PENDING)
        abort();
    pending[i] = kept;
    pthread_mutex_unlock(&lock);
    return code;
}

static void complete(MPI_Request before, MPI_Request after)
{
    if (before == MPI_REQUEST_NULL || after != MPI_REQUEST_NULL)
        return;
    begin();
    for (;;) {
        struct moves *m = NULL;
        pthread_mutex_lock(&lock);
        for (int i = 0; i < PENDING && !m; i++)
            if (pending[i] && pending[i]->request == before) {
                m = pending[i];
                pending[i] = NULL;
            }
        pthread_mutex_unlock(&lock);
        if (!m)
            return;
        take(m);
        free(m);
    }
}

#define BEGIN                                                                                                \
    struct moves m = {.request = MPI_REQUEST_NULL};                                                          \
    begin()
#define NOW(call)                                                                                            \
    do {                                                                                                     \
        int code = (call);                                                                                   \
        take(&m);                                                                                            \
        return code;                                                                                         \
    } while (0)

static int ranks(MPI_Comm comm)
{
    int n = 0;
    PMPI_Comm_size(comm, &n);
    return n;
}

/* Whether the buffers of a rooted call are significant, and comm is one to move buffers in at all. */
static bool plain(MPI_Comm comm)
{
    int inter = 1;
    return comm != MPI_COMM_NULL && !PMPI_Comm_test_inter(comm, &inter) && !inter;
}

static bool at_root(MPI_Comm comm, int root)
{
    int rank = -1;
    PMPI_Comm_rank(comm, &rank);
    return rank == root;
}

static const struct span nothing = {.wrong = true};

/* --- point to point --- */

#define SEND(name)                                                                                           \
    int MPI_##name(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm)          \
    {                                                                                                        \
        BEGIN;                                                                                               \
        NOW(PMPI_##name(give(&m, buf, simple(count, type)), count, type, dest, tag, comm));                  \
    }
SEND(Send)
SEND(Ssend)
SEND(Rsend)
SEND(Bsend)

int MPI_Recv(void *buf, int count, MPI_Datatype type, int source, int tag, MPI_Comm comm, MPI_Status *status)
{
    BEGIN;
    NOW(PMPI_Recv(give(&m, buf, simple(count, type)), count, type, source, tag, comm, status));
}

int MPI_Mrecv(void *buf, int count, MPI_Datatype type, MPI_Message *message, MPI_Status *status)
{
    BEGIN;
    NOW(PMPI_Mrecv(give(&m, buf, simple(count, type)), count, type, message, status));
}

int MPI_Sendrecv(const void *sendbuf, int sendcount, MPI_Datatype sendtype, int dest, int sendtag,
                 void *recvbuf, int recvcount, MPI_Datatype recvtype, int source, int recvtag, MPI_Comm comm,
                 MPI_Status *status)
{
    BEGIN;
    const void *out = give(&m, sendbuf, simple(sendcount, sendtype));
    void *in = give(&m, recvbuf, simple(recvcount, recvtype));
    NOW(PMPI_Sendrecv(out, sendcount, sendtype, dest, sendtag, in, recvcount, recvtype, source, recvtag, comm,
                      status));
}

int MPI_Sendrecv_replace(void *buf, int count, MPI_Datatype type, int dest, int sendtag, int source,
                         int recvtag, MPI_Comm comm, MPI_Status *status)
{
    BEGIN;
    NOW(PMPI_Sendrecv_replace(give(&m, buf, simple(count, type)), count, type, dest, sendtag, source, recvtag,
                              comm, status));
}

#define ISEND(name)                                                                                          \
    int MPI_##name(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,          \
                   MPI_Request *request)                                                                     \
    {                                                                                                        \
        BEGIN;                                                                                               \
        return later(PMPI_##name(give(&m, buf, simple(count, type)), count, type, dest, tag, comm, request), \
                     request, &m);                                                                           \
    }
ISEND(Isend)
ISEND(Issend)
ISEND(Irsend)
ISEND(Ibsend)

int MPI_Irecv(void *buf, int count, MPI_Datatype type, int source, int tag, MPI_Comm comm,
              MPI_Request *request)
{
    BEGIN;
    return later(PMPI_Irecv(give(&m, buf, simple(count, type)), count, type, source, tag, comm, request),
                 request, &m);
}

int MPI_Imrecv(void *buf, int count, MPI_Datatype type, MPI_Message *message, MPI_Request *request)
{
    BEGIN;
    return later(PMPI_Imrecv(give(&m, buf, simple(count, type)), count, type, message, request), request, &m);
}

/* --- completion --- */

int MPI_Wait(MPI_Request *request, MPI_Status *status)
{
    MPI_Request before = request ? *request : MPI_REQUEST_NULL;
    int code = PMPI_Wait(request, status);
    if (request)
        complete(before, *request);
    return code;
}

int MPI_Test(MPI_Request *request, int *flag, MPI_Status *status)
{
    MPI_Request before = request ? *request : MPI_REQUEST_NULL;
    int code = PMPI_Test(request, flag, status);
    if (request)
        complete(before, *request);
    return code;
}

int MPI_Request_free(MPI_Request *request)
{
    MPI_Request before = request ? *request : MPI_REQUEST_NULL;
    int code = PMPI_Request_free(request);
    pthread_mutex_lock(&lock);
    for (int i = 0; i < PENDING && !code; i++)
        if (pending[i] && pending[i]->request == before) {
            pending[i]->next = freed;
            freed = pending[i];
            pending[i] = NULL;
        }
    pthread_mutex_unlock(&lock);
    return code;
}

int MPI_Barrier(MPI_Comm comm)
{
    int code = PMPI_Barrier(comm);
    begin();
    refresh_freed();
    return code;
}

#define SEVERAL(call)                                                                                        \
    do {                                                                                                     \
        MPI_Request *before = NULL;                                                                          \
        size_t bytes = count > 0 && requests ? (size_t)count * sizeof *before : 0;                           \
        if (bytes)                                                                                           \
            before = memcpy(malloc(bytes), requests, bytes);                                                 \
        int code = (call);                                                                                   \
        for (int i = 0; before && i < count; i++)                                                            \
            complete(before[i], requests[i]);                                                                \
        free(before);                                                                                        \
        return code;                                                                                         \
    } while (0)

int MPI_Waitall(int count, MPI_Request requests[], MPI_Status statuses[])
{
    SEVERAL(PMPI_Waitall(count, requests, statuses));
}

int MPI_Waitany(int count, MPI_Request requests[], int *index, MPI_Status *status)
{
    SEVERAL(PMPI_Waitany(count, requests, index, status));
}

int MPI_Waitsome(int count, MPI_Request requests[], int *done, int indices[], MPI_Status statuses[])
{
    SEVERAL(PMPI_Waitsome(count, requests, done, indices, statuses));
}

int MPI_Testall(int count, MPI_Request requests[], int *flag, MPI_Status statuses[])
{
    SEVERAL(PMPI_Testall(count, requests, flag, statuses));
}

int MPI_Testany(int count, MPI_Request requests[], int *index, int *flag, MPI_Status *status)
{
    SEVERAL(PMPI_Testany(count, requests, index, flag, status));
}

int MPI_Testsome(int count, MPI_Request requests[], int *done, int indices[], MPI_Status statuses[])
{
    SEVERAL(PMPI_Testsome(count, requests, done, indices, statuses));
}

/* --- collectives: each in its blocking and its nonblocking form --- */

#define BOTH(name, parameters, move, ...)                                                                    \
    int MPI_##name parameters                                                                                \
    {                                                                                                        \
        BEGIN;                                                                                               \
        move;                                                                                                \
        NOW(PMPI_##name(__VA_ARGS__));                                                                       \
    }

#define IN_OUT(in, out)                                                                                      \
    const void *i_ = (in);                                                                                   \
    void *o_ = (out)

#define PARAMETERS_BCAST void *buf, int count, MPI_Datatype type, int root, MPI_Comm comm
#define PARAMETERS_GATHER                                                                                    \
    const void *in, int incount, MPI_Datatype intype, void *out, int outcount, MPI_Datatype outtype
#define PARAMETERS_REDUCE const void *in, void *out, int count, MPI_Datatype type, MPI_Op op

static struct span if_(bool significant, struct span span)
{
    return significant ? span : nothing;
}

#define MOVE_BCAST void *b_ = give(&m, buf, if_(plain(comm), simple(count, type)))
#define MOVE_GATHER                                                                                          \
    IN_OUT(give(&m, in, if_(plain(comm), simple(incount, intype))),                                          \
           give(&m, out, if_(plain(comm) && at_root(comm, root), blocks(ranks(comm), outcount, outtype))))
#define MOVE_SCATTER                                                                                         \
    IN_OUT(give(&m, in, if_(plain(comm) && at_root(comm, root), blocks(ranks(comm), incount, intype))),      \
           give(&m, out, if_(plain(comm), simple(outcount, outtype))))
#define MOVE_ALLGATHER                                                                                       \
    IN_OUT(give(&m, in, if_(plain(comm), simple(incount, intype))),                                          \
           give(&m, out, if_(plain(comm), blocks(ranks(comm), outcount, outtype))))
#define MOVE_ALLTOALL                                                                                        \
    IN_OUT(give(&m, in, if_(plain(comm), blocks(ranks(comm), incount, intype))),                             \
           give(&m, out, if_(plain(comm), blocks(ranks(comm), outcount, outtype))))
#define MOVE_GATHERV                                                                                         \
    IN_OUT(give(&m, in, if_(plain(comm), simple(incount, intype))),                                          \
           give(&m, out,                                                                                     \
                if_(plain(comm) && at_root(comm, root), uneven(ranks(comm), outcounts, displs, outtype))))
#define MOVE_SCATTERV                                                                                        \
    IN_OUT(give(&m, in,                                                                                      \
                if_(plain(comm) && at_root(comm, root), uneven(ranks(comm), incounts, displs, intype))),     \
           give(&m, out, if_(plain(comm), simple(outcount, outtype))))
#define MOVE_ALLGATHERV                                                                                      \
    IN_OUT(give(&m, in, if_(plain(comm), simple(incount, intype))),                                          \
           give(&m, out, if_(plain(comm), uneven(ranks(comm), outcounts, displs, outtype))))
#define MOVE_ALLTOALLV                                                                                       \
    IN_OUT(give(&m, in,                                                                                      \
                if_(plain(comm) && in != MPI_IN_PLACE, uneven(ranks(comm), incounts, indispls, intype))),    \
           give(&m, out, if_(plain(comm), uneven(ranks(comm), outcounts, outdispls, outtype))))
#define MOVE_ALLTOALLW                                                                                       \
    IN_OUT(give(&m, in,                                                                                      \
                if_(plain(comm) && in != MPI_IN_PLACE, mixed(ranks(comm), incounts, indispls, intypes))),    \
           give(&m, out, if_(plain(comm), mixed(ranks(comm), outcounts, outdispls, outtypes))))
#define MOVE_REDUCE                                                                                          \
    IN_OUT(give(&m, in, if_(plain(comm), simple(count, type))),                                              \
           give(&m, out, if_(plain(comm) && at_root(comm, root), simple(count, type))))
#define MOVE_ALLREDUCE                                                                                       \
    IN_OUT(give(&m, in, if_(plain(comm), simple(count, type))),                                              \
           give(&m, out, if_(plain(comm), simple(count, type))))
#define MOVE_BLOCK                                                                                           \
    IN_OUT(give(&m, in, if_(plain(comm), blocks(ranks(comm), count, type))),                                 \
           give(&m, out, if_(plain(comm), blocks(in == MPI_IN_PLACE ? ranks(comm) : 1, count, type))))

#define I(name, I_name, parameters, move, ...)                                                               \
    BOTH(name, (parameters), move, __VA_ARGS__)                                                              \
    int MPI_##I_name(parameters, MPI_Request *request)                                                       \
    {                                                                                                        \
        BEGIN;                                                                                               \
        move;                                                                                                \
        return later(PMPI_##I_name(__VA_ARGS__, request), request, &m);                                      \
    }
#define LIST(...) __VA_ARGS__

I(Bcast, Ibcast, LIST(PARAMETERS_BCAST), MOVE_BCAST, b_, count, type, root, comm)
I(Gather, Igather, LIST(PARAMETERS_GATHER, int root, MPI_Comm comm), MOVE_GATHER, i_, incount, intype, o_,
  outcount, outtype, root, comm)
I(Scatter, Iscatter, LIST(PARAMETERS_GATHER, int root, MPI_Comm comm), MOVE_SCATTER, i_, incount, intype, o_,
  outcount, outtype, root, comm)
I(Allgather, Iallgather, LIST(PARAMETERS_GATHER, MPI_Comm comm), MOVE_ALLGATHER, i_, incount, intype, o_,
  outcount, outtype, comm)
I(Alltoall, Ialltoall, LIST(PARAMETERS_GATHER, MPI_Comm comm), MOVE_ALLTOALL, i_, incount, intype, o_,
  outcount, outtype, comm)
I(Gatherv, Igatherv,
  LIST(const void *in, int incount, MPI_Datatype intype, void *out, const int outcounts[], const int displs[],
       MPI_Datatype outtype, int root, MPI_Comm comm),
  MOVE_GATHERV, i_, incount, intype, o_, outcounts, displs, outtype, root, comm)
I(Scatterv, Iscatterv,
  LIST(const void *in, const int incounts[], const int displs[], MPI_Datatype intype, void *out, int outcount,
       MPI_Datatype outtype, int root, MPI_Comm comm),
  MOVE_SCATTERV, i_, incounts, displs, intype, o_, outcount, outtype, root, comm)
I(Allgatherv, Iallgatherv,
  LIST(const void *in, int incount, MPI_Datatype intype, void *out, const int outcounts[], const int displs[],
       MPI_Datatype outtype, MPI_Comm comm),
  MOVE_ALLGATHERV, i_, incount, intype, o_, outcounts, displs, outtype, comm)
I(Alltoallv, Ialltoallv,
  LIST(const void *in, const int incounts[], const int indispls[], MPI_Datatype intype, void *out,
       const int outcounts[], const int outdispls[], MPI_Datatype outtype, MPI_Comm comm),
  MOVE_ALLTOALLV, i_, incounts, indispls, intype, o_, outcounts, outdispls, outtype, comm)
I(Alltoallw, Ialltoallw,
  LIST(const void *in, const int incounts[], const int indispls[], const MPI_Datatype intypes[], void *out,
       const int outcounts[], const int outdispls[], const MPI_Datatype outtypes[], MPI_Comm comm),
  MOVE_ALLTOALLW, i_, incounts, indispls, intypes, o_, outcounts, outdispls, outtypes, comm)
I(Reduce, Ireduce, LIST(PARAMETERS_REDUCE, int root, MPI_Comm comm), MOVE_REDUCE, i_, o_, count, type, op,
  root, comm)
I(Allreduce, Iallreduce, LIST(PARAMETERS_REDUCE, MPI_Comm comm), MOVE_ALLREDUCE, i_, o_, count, type, op,
  comm)
I(Scan, Iscan, LIST(PARAMETERS_REDUCE, MPI_Comm comm), MOVE_ALLREDUCE, i_, o_, count, type, op, comm)
I(Exscan, Iexscan, LIST(PARAMETERS_REDUCE, MPI_Comm comm), MOVE_ALLREDUCE, i_, o_, count, type, op, comm)
I(Reduce_scatter_block, Ireduce_scatter_block, LIST(PARAMETERS_REDUCE, MPI_Comm comm), MOVE_BLOCK, i_, o_,
  count, type, op, comm)

static struct span whole(MPI_Comm comm, const int counts[], MPI_Datatype type)
{
    MPI_Aint sum = 0;
    for (int i = 0; counts && i < ranks(comm); i++)
        sum += counts[i];
    return counts ? simple(sum, type) : nothing;
}

static struct span own(MPI_Comm comm, const int counts[], MPI_Datatype type, bool in_place)
{
    int rank = 0;
    PMPI_Comm_rank(comm, &rank);
    return in_place ? whole(comm, counts, type) : counts ? simple(counts[rank], type) : nothing;
}

#define MOVE_REDUCE_SCATTER                                                                                  \
    IN_OUT(give(&m, in, if_(plain(comm), whole(comm, counts, type))),                                        \
           give(&m, out, if_(plain(comm), own(comm, counts, type, in == MPI_IN_PLACE))))
I(Reduce_scatter, Ireduce_scatter,
  LIST(const void *in, void *out, const int counts[], MPI_Datatype type, MPI_Op op, MPI_Comm comm),
  MOVE_REDUCE_SCATTER, i_, o_, counts, type, op, comm)

int MPI_Pack(const void *in, int count, MPI_Datatype type, void *out, int outsize, int *position,
             MPI_Comm comm)
{
    BEGIN;
    const void *i_ = give(&m, in, simple(count, type));
    void *o_ = give(&m, out, simple(outsize, MPI_BYTE));
    NOW(PMPI_Pack(i_, count, type, o_, outsize, position, comm));
}

int MPI_Unpack(const void *in, int insize, int *position, void *out, int count, MPI_Datatype type,
               MPI_Comm comm)
{
    BEGIN;
    const void *i_ = give(&m, in, simple(insize, MPI_BYTE));
    void *o_ = give(&m, out, simple(count, type));
    NOW(PMPI_Unpack(i_, insize, position, o_, count, type, comm));
}

int MPI_Reduce_local(const void *in, void *inout, int count, MPI_Datatype type, MPI_Op op)
{
    BEGIN;
    const void *i_ = give(&m, in, simple(count, type));
    void *o_ = give(&m, inout, simple(count, type));
    NOW(PMPI_Reduce_local(i_, o_, count, type, op));
}

/* That the layer has done something is part of the test. */
int MPI_Finalize(void)
{
    int rank = 0, code;
    PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    struct fakecuda_counts counts = {0};
    fakecuda_count(&counts);
    if (!rank)
        printf("device buffers (%s): %lu bytes moved to them, %lu copies, %lu kernels\n", mode(), moved_bytes,
               counts.copies, counts.kernels);
    code = PMPI_Finalize();
    return code;
}
