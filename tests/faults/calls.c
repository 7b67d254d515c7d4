/* Point-to-point calls name the victim; collectives have it as a member. What is large goes by rendezvous. A
 * call that succeeds on a rank whose part is over is made again: the error is due in the next one at the
 * latest.
 */
#include "calls.h"

#include <mpi-ext.h>
#include <stdlib.h>
#include <string.h>

enum { LARGE = 300000, MEMBERS = 64 };

static int rank_of(MPI_Comm comm)
{
    int rank;
    MPI_Comm_rank(comm, &rank);
    return rank;
}

static int size_of(MPI_Comm comm)
{
    int size;
    MPI_Comm_size(comm, &size);
    return size;
}

/* Two buffers a rank (a thread, in-process), as long as any call here needs. */
struct buffers {
    int *in, *out;
};

static struct buffers buffers_of(MPI_Comm comm, int count)
{
    size_t bytes = sizeof(int) * (size_t)count * (size_t)size_of(comm);
    return (struct buffers){calloc(1, bytes), calloc(1, bytes)};
}

static int done(struct buffers b, int error)
{
    free(b.in);
    free(b.out);
    return error;
}

static int recv_one(MPI_Comm comm, int victim)
{
    int value;
    return MPI_Recv(&value, 1, MPI_INT, victim, 1, comm, MPI_STATUS_IGNORE);
}

static int recv_any(MPI_Comm comm, int victim)
{
    int value;
    return MPI_Recv(&value, 1, MPI_INT, MPI_ANY_SOURCE, 1, comm, MPI_STATUS_IGNORE);
}

/* The wait fails, the receive is still pending, and once the death is acknowledged it only waits. */
static int irecv_any(MPI_Comm comm, int victim)
{
    int value = 0, flag = 1, acked, next = (rank_of(comm) + 1) % size_of(comm);
    MPI_Request request;
    MPI_Irecv(&value, 1, MPI_INT, MPI_ANY_SOURCE, 2, comm, &request);
    int error = MPI_Wait(&request, MPI_STATUS_IGNORE);
    if (error && (error != MPIX_ERR_PROC_FAILED_PENDING || request == MPI_REQUEST_NULL))
        return error;
    MPIX_Comm_ack_failed(comm, 1, &acked);
    if (error && acked != 1)
        return -3;
    error = MPI_Test(&request, &flag, MPI_STATUS_IGNORE);
    if (error)
        return error;
    next = next == victim ? (next + 1) % size_of(comm) : next;
    error = MPI_Send(&next, 1, MPI_INT, next, 2, comm);
    if (!error)
        error = MPI_Wait(&request, MPI_STATUS_IGNORE);
    if (error == MPIX_ERR_REVOKED) /* somebody was through before us */
        return error;
    return error || value != rank_of(comm) ? -4 : recv_one(comm, victim);
}

static int probe(MPI_Comm comm, int victim)
{
    MPI_Status status;
    return MPI_Probe(victim, 1, comm, &status);
}

static int iprobe(MPI_Comm comm, int victim)
{
    MPI_Status status;
    int flag;
    return MPI_Iprobe(victim, 1, comm, &flag, &status);
}

static int mprobe(MPI_Comm comm, int victim)
{
    MPI_Message message;
    MPI_Status status;
    return MPI_Mprobe(victim, 1, comm, &message, &status);
}

static int ssend(MPI_Comm comm, int victim)
{
    int value = 0;
    return MPI_Ssend(&value, 1, MPI_INT, victim, 3, comm);
}

static int send_large(MPI_Comm comm, int victim)
{
    struct buffers b = buffers_of(comm, LARGE);
    return done(b, MPI_Send(b.in, LARGE, MPI_INT, victim, 3, comm));
}

static int send_small(MPI_Comm comm, int victim)
{
    int value = 0;
    return MPI_Send(&value, 1, MPI_INT, victim, 3, comm);
}

static int sendrecv(MPI_Comm comm, int victim)
{
    int out = 0, in;
    return MPI_Sendrecv(&out, 1, MPI_INT, victim, 4, &in, 1, MPI_INT, victim, 5, comm, MPI_STATUS_IGNORE);
}

/* Of several requests one needs the victim; the others are to the rank itself. */
static int several(MPI_Comm comm, int victim, int how)
{
    int in[2], index, count, indices[2], flag = 0, error = 0, sent, me = rank_of(comm);
    MPI_Request requests[2];
    MPI_Status statuses[2];
    MPI_Irecv(&in[0], 1, MPI_INT, victim, 6, comm, &requests[0]);
    MPI_Irecv(&in[1], 1, MPI_INT, me, 6, comm, &requests[1]);
    if (how == 0)
        error = MPI_Waitany(1, requests, &index, statuses);
    else if (how == 1)
        error = MPI_Waitsome(1, requests, &count, indices, statuses);
    else if (how == 3)
        while (!flag && !error)
            error = MPI_Test(&requests[0], &flag, statuses);
    sent = MPI_Send(&me, 1, MPI_INT, me, 6, comm);
    if (how == 2)
        error = MPI_Waitall(2, requests, statuses);
    else
        MPI_Wait(&requests[1], MPI_STATUS_IGNORE);
    if (error == MPI_ERR_IN_STATUS)
        error = statuses[0].MPI_ERROR;
    return sent == MPIX_ERR_REVOKED || in[1] == me ? error : -2;
}

static int waitany(MPI_Comm comm, int victim)
{
    return several(comm, victim, 0);
}

static int waitsome(MPI_Comm comm, int victim)
{
    return several(comm, victim, 1);
}

static int waitall(MPI_Comm comm, int victim)
{
    return several(comm, victim, 2);
}

static int test(MPI_Comm comm, int victim)
{
    return several(comm, victim, 3);
}

static int barrier(MPI_Comm comm, int victim)
{
    return MPI_Barrier(comm);
}

static int ibarrier(MPI_Comm comm, int victim)
{
    MPI_Request request;
    int error = MPI_Ibarrier(comm, &request);
    return error ? error : MPI_Wait(&request, MPI_STATUS_IGNORE);
}

/* bcast, reduce, gather, scatter, allreduce, allgather, alltoall, scan, reduce_scatter of `count` ints. */
static int collective(MPI_Comm comm, int victim, char what, int count)
{
    struct buffers b = buffers_of(comm, count);
    int error = 0;
    switch (what) {
    case 'b':
        error = MPI_Bcast(b.in, count, MPI_INT, victim, comm);
        break;
    case 'r':
        error = MPI_Reduce(b.in, b.out, count, MPI_INT, MPI_SUM, victim, comm);
        break;
    case 'g':
        error = MPI_Gather(b.in, count, MPI_INT, b.out, count, MPI_INT, victim, comm);
        break;
    case 's':
        error = MPI_Scatter(b.in, count, MPI_INT, b.out, count, MPI_INT, victim, comm);
        break;
    case 'a':
        error = MPI_Allreduce(b.in, b.out, count, MPI_INT, MPI_SUM, comm);
        break;
    case 'G':
        error = MPI_Allgather(b.in, count, MPI_INT, b.out, count, MPI_INT, comm);
        break;
    case 'A':
        error = MPI_Alltoall(b.in, count, MPI_INT, b.out, count, MPI_INT, comm);
        break;
    case 'S':
        error = MPI_Scan(b.in, b.out, count, MPI_INT, MPI_SUM, comm);
        break;
    default:
        error = MPI_Reduce_scatter_block(b.in, b.out, count, MPI_INT, MPI_SUM, comm);
    }
    return done(b, error);
}

#define COLLECTIVE(name, letter)                                                                             \
    static int name##_small(MPI_Comm comm, int victim)                                                       \
    {                                                                                                        \
        return collective(comm, victim, letter, 2);                                                          \
    }                                                                                                        \
    static int name##_large(MPI_Comm comm, int victim)                                                       \
    {                                                                                                        \
        return collective(comm, victim, letter, LARGE);                                                      \
    }

COLLECTIVE(bcast, 'b')
COLLECTIVE(reduce, 'r')
COLLECTIVE(gather, 'g')
COLLECTIVE(scatter, 's')
COLLECTIVE(allreduce, 'a')
COLLECTIVE(allgather, 'G')
COLLECTIVE(alltoall, 'A')
COLLECTIVE(scan, 'S')
COLLECTIVE(reduce_scatter, 'R')

static int iallreduce(MPI_Comm comm, int victim)
{
    struct buffers b = buffers_of(comm, LARGE);
    MPI_Request request;
    int error = MPI_Iallreduce(b.in, b.out, LARGE, MPI_INT, MPI_SUM, comm, &request);
    return done(b, error ? error : MPI_Wait(&request, MPI_STATUS_IGNORE));
}

static int dup(MPI_Comm comm, int victim)
{
    MPI_Comm made;
    int error = MPI_Comm_dup(comm, &made);
    if (!error)
        MPI_Comm_free(&made);
    return error;
}

static int split(MPI_Comm comm, int victim)
{
    MPI_Comm made;
    int error = MPI_Comm_split(comm, 0, 0, &made);
    if (!error)
        MPI_Comm_free(&made);
    return error;
}

/* The flag of all, and the error: somebody died. */
static int agree(MPI_Comm comm, int victim)
{
    int flag = 1 << 8 | 1 << rank_of(comm) % 8;
    int error = MPIX_Comm_agree(comm, &flag);
    return flag & 1 << 8 ? error : -2;
}

static int iagree(MPI_Comm comm, int victim)
{
    int flag = 3, before = flag;
    MPI_Request request;
    int error = MPIX_Comm_iagree(comm, &flag, &request);
    if (!error)
        error = MPI_Wait(&request, MPI_STATUS_IGNORE);
    return flag == before ? error : -2;
}

const struct call calls[] = {
    {"recv", recv_one},
    {"recv-any", recv_any},
    {"irecv-any", irecv_any},
    {"probe", probe},
    {"iprobe", iprobe},
    {"mprobe", mprobe},
    {"ssend", ssend},
    {"send", send_small},
    {"send-large", send_large},
    {"sendrecv", sendrecv},
    {"waitany", waitany},
    {"waitsome", waitsome},
    {"waitall", waitall},
    {"test", test},
    {"barrier", barrier},
    {"ibarrier", ibarrier},
    {"bcast", bcast_small},
    {"bcast-large", bcast_large},
    {"reduce", reduce_small},
    {"reduce-large", reduce_large},
    {"gather", gather_small},
    {"gather-large", gather_large},
    {"scatter", scatter_small},
    {"scatter-large", scatter_large},
    {"allreduce", allreduce_small},
    {"allreduce-large", allreduce_large},
    {"allgather", allgather_small},
    {"allgather-large", allgather_large},
    {"alltoall", alltoall_small},
    {"alltoall-large", alltoall_large},
    {"scan", scan_small},
    {"scan-large", scan_large},
    {"reduce-scatter", reduce_scatter_small},
    {"reduce-scatter-large", reduce_scatter_large},
    {"iallreduce", iallreduce},
    {"dup", dup},
    {"split", split},
    {"agree", agree},
    {"iagree", iagree},
    {NULL, NULL},
};

const struct call *find_call(const char *name)
{
    for (const struct call *call = calls; call->name; call++)
        if (!strcmp(call->name, name))
            return call;
    return NULL;
}

int call_until_failure(const struct call *call, MPI_Comm comm, int victim)
{
    enum { PATIENCE = 20 };
    double start = MPI_Wtime();
    for (int error = 0; MPI_Wtime() - start < PATIENCE;)
        if ((error = call->make(comm, victim)))
            return error == MPIX_ERR_PROC_FAILED || error == MPIX_ERR_REVOKED ? error : -abs(error);
    return -1000;
}
