/* sync.h: how the workers' gradients meet: by allreduce, by averaged weights, or on a parameter server. */
#ifndef TRAIN_SYNC_H
#define TRAIN_SYNC_H

#include <mpi.h>
#include <peal.h>

#include "model.h"
#include "options.h"
#include "sgd.h"

/* What the servers know of the training: they make the steps. */
struct sync_schedule {
    double rate;
    real momentum, decay;
    long updates; /* that each weight gets in all, the first one, its initial value, not counted */
    int shares;   /* updates of which one step of the batch is made */
};

struct sync {
    enum sync_kind kind;
    peal_ps *ps;      /* NULL: none */
    MPI_Comm workers; /* the ranks that train; MPI_COMM_NULL on the others */
    struct sync_schedule schedule;
    double seconds; /* spent waiting for the others; whoever reads it may reset it */
};

/* Collective over comm. `parameters` weights, `steps` of the whole training. Fails on all ranks or on none.
 */
int sync_create(struct sync *s, MPI_Comm comm, const struct options *options, size_t parameters, long steps,
                real momentum, real decay, struct failure *failure);
/* Collective. Ranks that do not train serve until the others have come here. */
void sync_destroy(struct sync *s);

/* With a parameter server: the first worker gives the weights, */
int sync_begin(struct sync *s, const real *weights, size_t parameters);
/* all take them before each step, and give the gradients after it. Each returns 0, or an MPI error class. */
int sync_take(struct sync *s, real *weights, size_t parameters);
int sync_give(struct sync *s, const real *gradients, size_t parameters);
/* All gradients of all workers are in, and *weights are the same on each. */
int sync_meet(struct sync *s, real *weights, size_t parameters);
/* With averaged weights: averages them. */
void sync_average(struct sync *s, real *weights, size_t parameters);

#endif
