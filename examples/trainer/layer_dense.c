/* layer_dense.c: every output is a weighted sum of every input.
 *
 *     out [n][outputs] = in [n][inputs] * weights^T + bias
 *     d weights = d out^T * in,   d bias = sum over samples of d out,   d in = d out * weights
 *
 * One product each for the whole batch: 2 n inputs outputs operations.
 */
#include "layer.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

static int inputs_of(const struct layer *l)
{
    return (int)shape_size(l->in);
}

static void initialise(const struct layer *l, real *weights, struct random *r)
{
    size_t outputs = shape_size(l->out), count = shape_size(l->in) * outputs;
    double bound = sqrt(6.0 / (double)shape_size(l->in));
    for (size_t i = 0; i < count; i++)
        weights[i] = (real)random_between(r, -bound, bound);
    memset(weights + count, 0, outputs * sizeof *weights);
}

static void forward(struct layer *l, const real *weights, const real *in, real *out, int n)
{
    int inputs = inputs_of(l), outputs = l->out.channels;
    const real *bias = weights + (size_t)inputs * (size_t)outputs;
    for (int s = 0; s < n; s++)
        memcpy(out + (size_t)s * (size_t)outputs, bias, (size_t)outputs * sizeof *out);
    train_gemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, outputs, inputs, 1, in, inputs, weights, inputs, 1,
               out, outputs);
}

static void backward_weights(struct layer *l, const real *in, const real *delta_out, real *gradient, int n)
{
    int inputs = inputs_of(l), outputs = l->out.channels;
    real *bias = gradient + (size_t)inputs * (size_t)outputs;
    train_gemm(CblasRowMajor, CblasTrans, CblasNoTrans, outputs, inputs, n, 1, delta_out, outputs, in, inputs,
               0, gradient, inputs);
    memset(bias, 0, (size_t)outputs * sizeof *bias);
    for (int s = 0; s < n; s++, delta_out += outputs)
        for (int o = 0; o < outputs; o++)
            bias[o] += delta_out[o];
}

static void backward_input(struct layer *l, const real *weights, const real *in, const real *out,
                           const real *delta_out, real *delta_in, int n)
{
    int inputs = inputs_of(l), outputs = l->out.channels;
    train_gemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, inputs, outputs, 1, delta_out, outputs, weights,
               inputs, 0, delta_in, inputs);
}

static const struct layer_kind dense = {"dense", initialise, forward, backward_weights, backward_input};

struct layer layer_dense(struct shape in, int outputs)
{
    struct layer l = {.kind = &dense, .in = in, .out = {outputs, 1, 1}};
    l.parameters = (shape_size(in) + 1) * (size_t)outputs;
    return l;
}
