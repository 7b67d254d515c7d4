/* sgd.h: stochastic gradient descent with momentum. */
#ifndef TRAIN_SGD_H
#define TRAIN_SGD_H

#include <stddef.h>

#include "real.h"

struct sgd {
    real momentum; /* how much of the last step is kept */
    real decay;    /* of the weights, per step and unit of the rate */
    real *steps;   /* one for each weight, zero at first; the caller's */
};

/* The rate of step `step` of `steps`: up to `rate` in the first twentieth, then down to near 0. */
double sgd_rate(double rate, long step, long steps);

/* On the host: moves weights[from .. to-1] against their gradient. */
void sgd_update(const struct sgd *sgd, real rate, size_t from, size_t to, const real *restrict gradients,
                real *restrict weights);

#endif
