/* train.h: the training itself. */
#ifndef TRAIN_TRAIN_H
#define TRAIN_TRAIN_H

#include <mpi.h>

#include "data.h"
#include "model.h"
#include "options.h"
#include "progress.h"
#include "reducer.h"
#include "sgd.h"
#include "shards.h"
#include "sync.h"

struct trainer {
    MPI_Comm comm;
    int rank, ranks;
    const struct options *options;
    const struct data *data;
    struct model model;
    struct reducer reducer;
    struct sync *sync; /* not with ring */
    long steps;        /* made so far */
    struct sgd sgd;
    struct shard_sum sum; /* in reproducible mode */
    struct run shards;    /* this rank's, in reproducible mode */
    real *weights;
    real *gradients; /* parameters + 1: the last is the loss, which so needs no allreduce of its own */
    int *order;
    int batch; /* images a step; at most the training set */
};

/* Collective over sync->workers. `options` and `data` must outlive the trainer. Fails on all ranks or on
 * none. */
int trainer_create(struct trainer *t, struct sync *sync, const struct options *options,
                   const struct data *data, struct failure *failure);
/* Steps of an epoch, and weights of the model: known before there is a trainer. */
long trainer_steps(const struct options *options, const struct data *data);
size_t trainer_parameters(const struct options *options, const struct data *data, struct failure *failure);
void trainer_destroy(struct trainer *t);

/* Collective. All epochs; *total has the last epoch's loss and accuracy and the whole
 * training's speed. Fails (on all ranks) when the loss is no longer a number, or the servers are gone. */
extern const real trainer_momentum, trainer_decay;
int trainer_run(struct trainer *t, struct progress *progress, struct metrics *total, struct failure *failure);

#endif
