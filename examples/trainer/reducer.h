/* reducer.h: sums the gradients over the ranks while the rest is computed. */
#ifndef TRAIN_REDUCER_H
#define TRAIN_REDUCER_H

#include <mpi.h>
#include <stddef.h>

#include "failure.h"
#include "gpu.h"
#include "real.h"

enum { BUCKETS_MAX = GPU_MARKS };

/* Neighbouring layers whose gradients travel together. */
struct bucket {
    size_t from, to; /* elements of the gradients */
    int first_layer; /* when this layer is ready the whole bucket is */
};

struct reducer {
    MPI_Comm comm;
    struct gpu *gpu; /* where the gradients are; NULL: in host memory */
    real *gradients;
    struct bucket buckets[BUCKETS_MAX];
    MPI_Request requests[BUCKETS_MAX];
    int count, complete, started; /* of the buckets: computed, or on a GPU marked; and on their way */
    double seconds;               /* spent inside MPI; whoever reads it may reset it */
};

/* Layer i's gradients are elements starts[i] .. starts[i+1]-1. Buckets are closed, from the
 * last layer backwards, at an eighth of the whole, but at least 16 KiB and at most 1 MiB. */
void reducer_init(struct reducer *r, MPI_Comm comm, struct gpu *gpu, real *gradients, const size_t *starts,
                  int layers);

/* Layer `layer` and all above it are ready on this rank (on a GPU: submitted): starts what
 * can be started, and lets what is under way advance. To be called for each layer, from the last to the
 * first. */
void reducer_ready(struct reducer *r, int layer);

/* Waits for the index-th bucket (in order of starting) and returns it. After the
 * last the reducer is ready for the next step. */
struct bucket reducer_wait(struct reducer *r, int index);

#endif
