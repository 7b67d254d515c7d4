/* reducer.c: allreduce in buckets, during the backward pass.
 *
 * The backward pass finishes the last layer's gradient first. As soon as those of
 * a bucket are there its MPI_Iallreduce starts, and travels while the layers
 * below are computed; LeNet's three buckets:
 *
 *   compute   | dense 10, 84 | dense 120 | convolution 16 | convolution 6 | update
 *   network                  [ 44 KiB ]  [   188 KiB      ]           [10 KiB]
 *
 * The dense layers hold nine tenths of the weights, the convolutions take nine
 * tenths of the time: nearly everything hides. One call for all gradients at the
 * end was rejected (nothing hides), and so was one a layer (more messages than
 * 8-byte latency is worth). MPI_Testall between layers is what makes a library
 * without a thread of its own advance. The buckets are waited for, and their
 * weights updated, one after the other, so the update overlaps the last one too.
 * S. Li et al.: "PyTorch distributed: experiences on accelerating data parallel
 * training", VLDB 2020.
 *
 * On a GPU a layer is "ready" when its kernels have been submitted, which takes the
 * host a few microseconds and the device much longer. So each bucket has a mark in
 * the trainer's stream, and its MPI_Iallreduce, on device pointers, starts when the
 * stream has passed it: MPI is promised that what it is given has been written, and
 * the device goes on with the layers below.
 *
 *   host      | submit all | bucket 0 passed? start | bucket 1? start, advance 0 | ...
 *   device      | dense ...... | convolution 16 ...... | convolution 6 ... |
 *   network                    [ bucket 0 ]            [ bucket 1 ]
 *
 * Rejected: peal_allreduce_on_stream, whose data goes through the host's memory; MPI_Iallreduce on pointers
 * of a device sums there.
 */
#include "reducer.h"

enum { BUCKET_LEAST = 16 << 10, BUCKET_MOST = 1 << 20 };

void reducer_init(struct reducer *r, MPI_Comm comm, struct gpu *gpu, real *gradients, const size_t *starts,
                  int layers)
{
    size_t bytes = starts[layers] * sizeof *gradients, target = bytes / 8, to = starts[layers];
    target = target < BUCKET_LEAST ? BUCKET_LEAST : target > BUCKET_MOST ? BUCKET_MOST : target;
    *r = (struct reducer){.comm = comm, .gpu = gpu, .gradients = gradients};
    for (int i = layers - 1; i >= 0; i--) {
        size_t size = (to - starts[i]) * sizeof *gradients;
        int last = i == 0 || (size >= target && r->count < BUCKETS_MAX - 1);
        if (!last || size == 0)
            continue;
        r->buckets[r->count++] = (struct bucket){starts[i], to, i};
        to = starts[i];
    }
    for (int i = 0; i < r->count; i++)
        r->requests[i] = MPI_REQUEST_NULL;
}

/* Starts what is complete, in order, and lets the rest advance. */
static void start(struct reducer *r)
{
    int done;
    if (r->started > 0)
        MPI_Testall(r->started, r->requests, &done, MPI_STATUSES_IGNORE);
    while (r->started < r->complete && (!r->gpu || gpu_passed(r->gpu, r->started))) {
        const struct bucket *b = &r->buckets[r->started];
        MPI_Iallreduce(MPI_IN_PLACE, r->gradients + b->from, (int)(b->to - b->from), MPI_FLOAT, MPI_SUM,
                       r->comm, &r->requests[r->started]);
        r->started++;
    }
}

void reducer_ready(struct reducer *r, int layer)
{
    double begin = MPI_Wtime();
    for (; r->complete < r->count && r->buckets[r->complete].first_layer >= layer; r->complete++)
        if (r->gpu)
            gpu_mark(r->gpu, r->complete);
    start(r);
    r->seconds += MPI_Wtime() - begin;
}

/* Until the bucket is on its way; the time is the device's, not MPI's. */
static void wait_started(struct reducer *r, int index)
{
    while (r->started <= index) {
        if (r->started == 0)
            gpu_wait(r->gpu, 0);
        start(r);
    }
}

struct bucket reducer_wait(struct reducer *r, int index)
{
    int done = 0;
    wait_started(r, index);
    double begin = MPI_Wtime();
    while (!done && r->started < r->count) { /* not in MPI_Wait: the next must start meanwhile */
        start(r);
        MPI_Test(&r->requests[index], &done, MPI_STATUS_IGNORE);
    }
    MPI_Wait(&r->requests[index], MPI_STATUS_IGNORE);
    if (index == r->count - 1)
        r->started = r->complete = 0;
    r->seconds += MPI_Wtime() - begin;
    return r->buckets[index];
}
