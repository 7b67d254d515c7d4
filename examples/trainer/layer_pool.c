/* layer_pool.c: the largest of each 2 x 2 square.
 *
 * The forward pass notes which of the four won, one byte an output, and the
 * backward pass hands the gradient to that one. Of equals the first wins (upper
 * row before lower, left before right), so that the result does not depend on
 * the compiler's idea of max. Finding the winner again by comparing values was
 * rejected: two equal ones would both be paid.
 */
#include "layer.h"

#include <string.h>

static void pool_row(const real *restrict upper, const real *restrict lower, int width, real *restrict out,
                     unsigned char *restrict winner)
{
    for (int x = 0; x < width; x++) {
        real a = upper[2 * x], b = upper[2 * x + 1], c = lower[2 * x], d = lower[2 * x + 1];
        real top = b > a ? b : a, bottom = d > c ? d : c;
        unsigned char of_top = b > a ? 1 : 0, of_bottom = d > c ? 3 : 2;
        out[x] = bottom > top ? bottom : top;
        winner[x] = bottom > top ? of_bottom : of_top;
    }
}

static void forward(struct layer *l, const real *weights, const real *in, real *out, int n)
{
    size_t planes = (size_t)l->in.channels * (size_t)n;
    unsigned char *winner = l->scratch;
    for (size_t p = 0; p < planes; p++, in += l->in.height * l->in.width)
        for (int y = 0; y < l->out.height; y++, out += l->out.width, winner += l->out.width) {
            const real *upper = in + (ptrdiff_t)2 * y * l->in.width;
            pool_row(upper, upper + l->in.width, l->out.width, out, winner);
        }
}

static void spread_row(const real *restrict delta, const unsigned char *restrict winner, int width,
                       real *restrict upper, real *restrict lower)
{
    for (int x = 0; x < width; x++) {
        upper[2 * x] = winner[x] == 0 ? delta[x] : 0;
        upper[2 * x + 1] = winner[x] == 1 ? delta[x] : 0;
        lower[2 * x] = winner[x] == 2 ? delta[x] : 0;
        lower[2 * x + 1] = winner[x] == 3 ? delta[x] : 0;
    }
}

static void backward_input(struct layer *l, const real *weights, const real *in, const real *out,
                           const real *delta_out, real *delta_in, int n)
{
    size_t planes = (size_t)l->in.channels * (size_t)n;
    const unsigned char *winner = l->scratch;
    if (l->in.height % 2 || l->in.width % 2)
        memset(delta_in, 0, shape_size(l->in) * (size_t)n * sizeof *delta_in);
    for (size_t p = 0; p < planes; p++, delta_in += l->in.height * l->in.width)
        for (int y = 0; y < l->out.height; y++, delta_out += l->out.width, winner += l->out.width) {
            real *upper = delta_in + (ptrdiff_t)2 * y * l->in.width;
            spread_row(delta_out, winner, l->out.width, upper, upper + l->in.width);
        }
}

static const struct layer_kind maxpool = {"maxpool", NULL, forward, NULL, backward_input};

struct layer layer_maxpool(struct shape in)
{
    struct layer l = {.kind = &maxpool, .in = in, .out = {in.channels, in.height / 2, in.width / 2}};
    l.scratch_sample = shape_size(l.out);
    return l;
}
