/* layer.h: what a layer of the network is.
 *
 * A layer turns n samples of shape `in` into n of shape `out`. Inside the
 * convolutional part a batch lies channel by channel, [channel][sample][y][x],
 * so that the convolution of several samples is one matrix product whose result
 * lies where the next layer reads it. Dense layers want [sample][feature];
 * `flatten` turns the one into the other. With one channel the two are the same.
 *
 * A layer's weights are `parameters` reals at `offset` of the one array that
 * holds all weights; gradients lie at the same place of an array of that shape.
 */
#ifndef TRAIN_LAYER_H
#define TRAIN_LAYER_H

#include <stddef.h>

#include "random.h"
#include "real.h"

struct shape {
    int channels, height, width;
};

static inline size_t shape_size(struct shape s)
{
    return (size_t)s.channels * (size_t)s.height * (size_t)s.width;
}

struct layer;
struct gpu;

/* The operations of one kind of layer. n is the number of
 * samples, at least 1. None of them can fail. */
struct layer_kind {
    const char *name;
    /* Fills `weights` from r; NULL when there are none. */
    void (*initialise)(const struct layer *l, real *weights, struct random *r);
    void (*forward)(struct layer *l, const real *weights, const real *in, real *out, int n);
    /* Overwrites `gradient` with the sum over the samples; NULL when there are no weights. */
    void (*backward_weights)(struct layer *l, const real *in, const real *delta_out, real *gradient, int n);
    /* Overwrites `delta_in`. `in` and `out` are those of the forward pass. */
    void (*backward_input)(struct layer *l, const real *weights, const real *in, const real *out,
                           const real *delta_out, real *delta_in, int n);
};

struct layer {
    const struct layer_kind *kind;
    const struct layer_kind *host; /* where `kind` is a GPU's (gpu_layers.h): the CPU's; else NULL */
    struct gpu *gpu;
    struct shape in, out;
    int kernel, pad;           /* of a convolution */
    size_t parameters, offset; /* in reals */
    size_t scratch_size;       /* in bytes */
    void *scratch;             /* owned by the model, where the layer computes */
};

/* Square kernel, stride 1, `pad` zeros around; weights [out channel][in channel][ky][kx] and,
 * at the end of each out channel's row, its bias. */
struct layer layer_convolution(struct shape in, int channels, int kernel, int pad);
/* The largest of each 2 x 2 square; an odd last row or column is left out. */
struct layer layer_maxpool(struct shape in);
struct layer layer_relu(struct shape in);
struct layer layer_tanh(struct shape in);
/* [channel][sample][y][x] to [sample][channel * y * x]. */
struct layer layer_flatten(struct shape in);
/* weights [out][in], then the biases [out]. */
struct layer layer_dense(struct shape in, int outputs);

/* Softmax and cross-entropy of n rows of `classes` scores. Returns the sum of
 * the losses times `scale`, and writes its gradient, also scaled, to `delta`. */
double layer_loss(const real *scores, const unsigned char *labels, int n, int classes, real scale,
                  real *delta);

/* The index of each row's largest score equals its label: how often. */
int layer_correct(const real *scores, const unsigned char *labels, int n, int classes);

#endif
