/* layer_pool.c: the largest of each 2 x 2 square.
 *
 * The backward pass hands the gradient to the value that won, which it finds by
 * looking again: of equals the first wins (upper row before lower, left before
 * right), so exactly one is paid. Noting the winner's place in the forward pass
 * was measured and rejected: bytes among floats keep the loops from vectorising,
 * which costs three times what the second look does.
 */
#include "layer.h"

#include <string.h>

static void pool_row(const real *restrict upper, const real *restrict lower, int width, real *restrict out)
{
    for (int x = 0; x < width; x++) {
        real a = upper[2 * x], b = upper[2 * x + 1], c = lower[2 * x], d = lower[2 * x + 1];
        real top = a < b ? b : a, bottom = c < d ? d : c;
        out[x] = top < bottom ? bottom : top;
    }
}

static void forward(struct layer *l, const real *weights, const real *in, real *out, int n)
{
    size_t planes = (size_t)l->in.channels * (size_t)n;
    for (size_t p = 0; p < planes; p++, in += l->in.height * l->in.width)
        for (int y = 0; y < l->out.height; y++, out += l->out.width) {
            const real *upper = in + (ptrdiff_t)2 * y * l->in.width;
            pool_row(upper, upper + l->in.width, l->out.width, out);
        }
}

/* What a pixel of value `in` gets, and what is left for those after it. */
static inline real take(real in, real out, real *left)
{
    real taken = in == out ? *left : 0;
    *left = in == out ? 0 : *left;
    return taken;
}

static void spread_row(const real *restrict upper, const real *restrict lower, const real *restrict out,
                       const real *restrict delta, int width, real *restrict to_upper,
                       real *restrict to_lower)
{
    for (int x = 0; x < width; x++) {
        real left = delta[x];
        to_upper[2 * x] = take(upper[2 * x], out[x], &left);
        to_upper[2 * x + 1] = take(upper[2 * x + 1], out[x], &left);
        to_lower[2 * x] = take(lower[2 * x], out[x], &left);
        to_lower[2 * x + 1] = take(lower[2 * x + 1], out[x], &left);
    }
}

static void backward_input(struct layer *l, const real *weights, const real *in, const real *out,
                           const real *delta_out, real *delta_in, int n)
{
    size_t planes = (size_t)l->in.channels * (size_t)n;
    int width = l->in.width, plane = l->in.height * width;
    if (l->in.height % 2 || width % 2)
        memset(delta_in, 0, shape_size(l->in) * (size_t)n * sizeof *delta_in);
    for (size_t p = 0; p < planes; p++, in += plane, delta_in += plane)
        for (int y = 0; y < l->out.height; y++, out += l->out.width, delta_out += l->out.width) {
            ptrdiff_t upper = (ptrdiff_t)2 * y * width, lower = upper + width;
            spread_row(in + upper, in + lower, out, delta_out, l->out.width, delta_in + upper,
                       delta_in + lower);
        }
}

static const struct layer_kind maxpool = {"maxpool", NULL, forward, NULL, backward_input};

struct layer layer_maxpool(struct shape in)
{
    return (struct layer){.kind = &maxpool, .in = in, .out = {in.channels, in.height / 2, in.width / 2}};
}
