/* layer_simple.c: the layers without weights that change each value alone, or
 * only its place. Their slope is found from what the forward pass put out, so
 * nothing else has to be kept: relu' = (out > 0), tanh' = 1 - out^2.
 */
#include "layer.h"

#include <math.h>
#include <string.h>

static void relu_forward(struct layer *l, const real *weights, const real *restrict in, real *restrict out,
                         int n)
{
    size_t count = shape_size(l->in) * (size_t)n;
    for (size_t i = 0; i < count; i++)
        out[i] = in[i] > 0 ? in[i] : 0;
}

static void relu_backward(struct layer *l, const real *weights, const real *in, const real *restrict out,
                          const real *restrict delta_out, real *restrict delta_in, int n)
{
    size_t count = shape_size(l->in) * (size_t)n;
    for (size_t i = 0; i < count; i++)
        delta_in[i] = (out[i] > 0) * delta_out[i];
}

static void tanh_forward(struct layer *l, const real *weights, const real *in, real *out, int n)
{
    size_t count = shape_size(l->in) * (size_t)n;
    for (size_t i = 0; i < count; i++)
        out[i] = (real)tanh((double)in[i]);
}

static void tanh_backward(struct layer *l, const real *weights, const real *in, const real *out,
                          const real *delta_out, real *delta_in, int n)
{
    size_t count = shape_size(l->in) * (size_t)n;
    for (size_t i = 0; i < count; i++)
        delta_in[i] = delta_out[i] * (1 - out[i] * out[i]);
}

static void flatten_forward(struct layer *l, const real *weights, const real *in, real *out, int n)
{
    size_t plane = (size_t)l->in.height * (size_t)l->in.width, row = shape_size(l->in);
    for (int c = 0; c < l->in.channels; c++)
        for (int s = 0; s < n; s++, in += plane)
            memcpy(out + (size_t)s * row + (size_t)c * plane, in, plane * sizeof *in);
}

static void flatten_backward(struct layer *l, const real *weights, const real *in, const real *out,
                             const real *delta_out, real *delta_in, int n)
{
    size_t plane = (size_t)l->in.height * (size_t)l->in.width, row = shape_size(l->in);
    for (int c = 0; c < l->in.channels; c++)
        for (int s = 0; s < n; s++, delta_in += plane)
            memcpy(delta_in, delta_out + (size_t)s * row + (size_t)c * plane, plane * sizeof *delta_in);
}

static const struct layer_kind relu = {"relu", NULL, relu_forward, NULL, relu_backward};
static const struct layer_kind hyperbolic = {"tanh", NULL, tanh_forward, NULL, tanh_backward};
static const struct layer_kind flatten = {"flatten", NULL, flatten_forward, NULL, flatten_backward};

struct layer layer_relu(struct shape in)
{
    return (struct layer){.kind = &relu, .in = in, .out = in};
}

struct layer layer_tanh(struct shape in)
{
    return (struct layer){.kind = &hyperbolic, .in = in, .out = in};
}

struct layer layer_flatten(struct shape in)
{
    return (struct layer){.kind = &flatten, .in = in, .out = {(int)shape_size(in), 1, 1}};
}
