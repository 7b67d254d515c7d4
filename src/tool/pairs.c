/* Latency, bandwidth in one and both directions, and the rate of messages.
 *
 *   latency     0 <-> 1    a message there, one back; half of that
 *   bandwidth   0 --> 1    a window of messages under way, then a token back
 *   bibw        0 <=> 1    the same in both directions at once
 *   msgrate     i --> i + n/2   as bandwidth, all pairs at once; messages a second of all together
 *
 * Each message of a window has a place of its own, in memory and in what it must contain, so a lost, doubled
 * or displaced one is seen.
 */
#include "pairs.h"

#include <string.h>

enum { FIRST_TWO, HALVES, WINDOW = 64, WINDOW_BYTES = 16 << 20, WINDOW_LEAST = 4, TAG = 1 };

static size_t bytes_of(const struct pl_point *p)
{
    return p->count * p->number->size;
}

static void send_one(const struct pl_point *p, int partner)
{
    MPI_Send_c(p->in, (MPI_Count)p->count, p->number->type, partner, TAG, MPI_COMM_WORLD);
}

static void recv_one(const struct pl_point *p, int partner)
{
    MPI_Recv_c(p->out, (MPI_Count)p->count, p->number->type, partner, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static void run_latency(const struct pl_point *p, int partner)
{
    if (p->rank < partner) {
        send_one(p, partner);
        recv_one(p, partner);
    } else {
        recv_one(p, partner);
        send_one(p, partner);
    }
}

static int start_sends(const struct pl_point *p, int partner, MPI_Request *request)
{
    for (int i = 0; i < p->window; i++)
        MPI_Isend_c((const char *)p->in + (size_t)i * bytes_of(p), (MPI_Count)p->count, p->number->type,
                    partner, TAG, MPI_COMM_WORLD, &request[i]);
    return p->window;
}

static int start_recvs(const struct pl_point *p, int partner, MPI_Request *request)
{
    for (int i = 0; i < p->window; i++)
        MPI_Irecv_c((char *)p->out + (size_t)i * bytes_of(p), (MPI_Count)p->count, p->number->type, partner,
                    TAG, MPI_COMM_WORLD, &request[i]);
    return p->window;
}

static void token(const struct pl_point *p, int partner)
{
    if (p->rank < partner)
        MPI_Recv(NULL, 0, MPI_BYTE, partner, TAG + 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    else
        MPI_Send(NULL, 0, MPI_BYTE, partner, TAG + 1, MPI_COMM_WORLD);
}

static void run_stream(const struct pl_point *p, int partner)
{
    MPI_Request request[WINDOW];
    int n = p->rank < partner ? start_sends(p, partner, request) : start_recvs(p, partner, request);
    MPI_Waitall(n, request, MPI_STATUSES_IGNORE);
    token(p, partner);
}

static void run_both(const struct pl_point *p, int partner)
{
    MPI_Request request[2 * WINDOW];
    int n = start_recvs(p, partner, request);
    n += start_sends(p, partner, request + n);
    MPI_Waitall(n, request, MPI_STATUSES_IGNORE);
}

const struct pl_pairs pl_pairs[] = {
    {"latency", "half a round trip between ranks 0 and 1", FIRST_TWO, false, 1, run_latency},
    {"bandwidth", "a stream of messages from rank 0 to rank 1", FIRST_TWO, true, 1, run_stream},
    {"bibw", "streams in both directions between ranks 0 and 1", FIRST_TWO, true, 2, run_both},
    {"msgrate", "streams from the lower half of the ranks to the upper", HALVES, true, 1, run_stream},
    {0},
};

int pl_pairs_partner(const struct pl_pairs *test, int rank, int size, int *pairs)
{
    int half = test->partner_kind == FIRST_TWO ? 1 : size / 2;
    *pairs = size < 2 ? 0 : half;
    if (size < 2 || rank >= 2 * half)
        return -1;
    return rank < half ? rank + half : rank - half;
}

int pl_pairs_window(const struct pl_pairs *test, size_t bytes)
{
    size_t n = bytes ? WINDOW_BYTES / bytes : WINDOW;
    return !test->windowed ? 1 : n > WINDOW ? WINDOW : n < WINDOW_LEAST ? WINDOW_LEAST : (int)n;
}

static struct pl_pattern pattern_of(const struct pl_point *p)
{
    return (struct pl_pattern){p->number, NULL, p->size, p->salt};
}

void pl_pairs_prepare(const struct pl_pairs *test, const struct pl_point *p)
{
    struct pl_pattern pattern = pattern_of(p);
    (void)test;
    pl_pattern_fill(&pattern, p->rank, 0, p->in, p->count * (size_t)p->window);
    memset(p->out, 0xa5, bytes_of(p) * (size_t)p->window);
}

size_t pl_pairs_wrong(const struct pl_pairs *test, const struct pl_point *p, int partner)
{
    struct pl_pattern pattern = pattern_of(p);
    bool receives = partner >= 0 && (p->rank > partner || test->run != run_stream);
    return receives ? pl_pattern_wrong(&pattern, partner, 0, p->out, p->count * (size_t)p->window) : 0;
}
