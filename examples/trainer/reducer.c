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
 */
#include "reducer.h"

enum { BUCKET_LEAST = 16 << 10, BUCKET_MOST = 1 << 20 };

void reducer_init(struct reducer *r, MPI_Comm comm, real *gradients, const size_t *starts, int layers)
{
    size_t bytes = starts[layers] * sizeof *gradients, target = bytes / 8, to = starts[layers];
    target = target < BUCKET_LEAST ? BUCKET_LEAST : target > BUCKET_MOST ? BUCKET_MOST : target;
    *r = (struct reducer){.comm = comm, .gradients = gradients};
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

void reducer_ready(struct reducer *r, int layer)
{
    double begin = MPI_Wtime();
    int done;
    if (r->started > 0)
        MPI_Testall(r->started, r->requests, &done, MPI_STATUSES_IGNORE);
    while (r->started < r->count && r->buckets[r->started].first_layer >= layer) {
        const struct bucket *b = &r->buckets[r->started];
        MPI_Iallreduce(MPI_IN_PLACE, r->gradients + b->from, (int)(b->to - b->from), MPI_FLOAT, MPI_SUM,
                       r->comm, &r->requests[r->started]);
        r->started++;
    }
    r->seconds += MPI_Wtime() - begin;
}

struct bucket reducer_wait(struct reducer *r, int index)
{
    double begin = MPI_Wtime();
    MPI_Wait(&r->requests[index], MPI_STATUS_IGNORE);
    if (index == r->count - 1)
        r->started = 0;
    r->seconds += MPI_Wtime() - begin;
    return r->buckets[index];
}
