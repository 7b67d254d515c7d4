/* gpu_kernels.h: what the host hands to the trainer's kernels.
 *
 * Each kernel takes one struct by value, which begins with its pointers. All
 * arrays are as in layer.h; what is written overlaps nothing that is read,
 * but where a field says so.
 */
#ifndef TRAIN_GPU_KERNELS_H
#define TRAIN_GPU_KERNELS_H

#include <stddef.h>

#include "real.h"

/* images[order[s]] to input[s], scaled as dataset_image does, and their labels beside. */
struct kernel_images {
    const unsigned char *images, *labels;
    const int *order;
    real *input;
    unsigned char *batch_labels;
    size_t pixels; /* of an image */
    int n;
    real mean, scale;
};

/* The patches of samples first .. first+count-1 of n, as columns (layer_convolution.c); and back. */
struct kernel_patches {
    const real *from;
    real *to;
    int channels, height, width, kernel, pad, out_height, out_width;
    int first, count, n;
};

/* The largest of each 2 x 2 square; and back. */
struct kernel_pool {
    const real *in, *out, *delta;
    real *to;
    int height, width, out_height, out_width;
    size_t planes; /* channels times samples */
};

/* Each value alone. */
struct kernel_map {
    const real *from, *delta;
    real *to;
    size_t count;
};

/* [channel][sample][plane] to [sample][channel][plane]; and back. */
struct kernel_flatten {
    const real *from;
    real *to;
    int channels, n;
    size_t plane;
};

/* Each of `count` rows of `to` becomes `row`. */
struct kernel_rows {
    const real *row;
    real *to;
    size_t length, count;
};

/* Softmax and cross-entropy: losses[s], and the scores' gradient, both times scale. */
struct kernel_loss {
    const real *scores;
    const unsigned char *labels;
    real *delta, *losses;
    int n, classes;
    real scale;
};

/* One step of sgd.c on `count` weights. */
struct kernel_step {
    const real *gradients;
    real *steps, *weights; /* both are changed */
    size_t count;
    real rate, momentum, decay;
};

/* to = factor * to + value. */
struct kernel_affine {
    real *to;
    size_t count;
    real factor, value;
};

/* X(name of the kernel, its struct): the kernel is called train_NAME. */
#define TRAIN_KERNELS(X)                                                                                     \
    X(images, kernel_images)                                                                                 \
    X(columns, kernel_patches)                                                                               \
    X(patches, kernel_patches)                                                                               \
    X(pool, kernel_pool)                                                                                     \
    X(pool_back, kernel_pool)                                                                                \
    X(relu, kernel_map)                                                                                      \
    X(relu_back, kernel_map)                                                                                 \
    X(tanh, kernel_map)                                                                                      \
    X(tanh_back, kernel_map)                                                                                 \
    X(flatten, kernel_flatten)                                                                               \
    X(flatten_back, kernel_flatten)                                                                          \
    X(rows, kernel_rows)                                                                                     \
    X(loss, kernel_loss)                                                                                     \
    X(step, kernel_step)                                                                                     \
    X(affine, kernel_affine)

#ifdef TRAIN_DOUBLE
#define TRAIN_KERNEL_NAME(name) "train_" #name "_f64"
#else
#define TRAIN_KERNEL_NAME(name) "train_" #name
#endif

#endif
