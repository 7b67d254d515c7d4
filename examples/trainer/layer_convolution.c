/* layer_convolution.c: convolution as a matrix product (im2col).
 *
 * Every patch of the image becomes a column, so that the weights, one row an
 * output channel, meet all patches in one product:
 *
 *        K = in channels * kernel^2, and a row of ones for the bias
 *
 *                    patches of sample 0 | sample 1 | ...
 *                  +------------------------------------+
 *     weights      | x(0,0) x(0,1) ...   columns        |  K + 1
 *   +---------+    |                                    |
 *   |  K + 1  | *  |  1      1     ...                  |
 *   +---------+    +------------------------------------+
 *    out channels        = out [channel][sample][y][x]
 *
 * The columns of a few samples at a time are built, so that they stay in the
 * second level cache between being written and being read: for LeNet's first
 * layer they take 80 KB a sample. They are built again in the backward pass, as
 * that is cheaper than fetching them back from memory. Backwards:
 *     d weights = d out * columns^T        d columns = weights^T * d out
 * and each d column is added to where its patch came from.
 *
 * Rejected: a product per sample (too small to be worth the library's packing)
 * and [sample][channel] order (one product could not write several samples).
 * K. Chellapilla, S. Puri, P. Simard: "High performance convolutional neural
 * networks for document processing", 2006.
 */
#include "layer.h"

#include <math.h>
#include <string.h>

enum { CACHE_BYTES = 320 * 1024 };

static int patch_size(const struct layer *l)
{
    return l->in.channels * l->kernel * l->kernel;
}

/* How many samples' columns are built at once. */
static int group_size(const struct layer *l)
{
    size_t bytes = (size_t)(patch_size(l) + 1) * (size_t)(l->out.height * l->out.width) * sizeof(real);
    return bytes >= CACHE_BYTES ? 1 : (int)(CACHE_BYTES / bytes);
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* One row of the columns: pixel (ky, kx) of every patch of one channel of one sample. */
static void gather_row(const struct layer *l, const real *image, int ky, int kx, real *row)
{
    int width = l->out.width, first = larger(0, l->pad - kx),
        end = smaller(width, l->in.width + l->pad - kx);
    for (int y = 0; y < l->out.height; y++, row += width) {
        int from = y + ky - l->pad;
        if (from < 0 || from >= l->in.height) {
            memset(row, 0, (size_t)width * sizeof *row);
            continue;
        }
        const real *line = image + (ptrdiff_t)from * l->in.width + kx - l->pad;
        for (int x = 0; x < first; x++)
            row[x] = 0;
        for (int x = first; x < end; x++)
            row[x] = line[x];
        for (int x = end; x < width; x++)
            row[x] = 0;
    }
}

static void scatter_row(const struct layer *l, const real *row, int ky, int kx, real *image)
{
    int width = l->out.width, first = larger(0, l->pad - kx),
        end = smaller(width, l->in.width + l->pad - kx);
    for (int y = 0; y < l->out.height; y++, row += width) {
        int to = y + ky - l->pad;
        if (to < 0 || to >= l->in.height)
            continue;
        real *line = image + (ptrdiff_t)to * l->in.width + kx - l->pad;
        for (int x = first; x < end; x++)
            line[x] += row[x];
    }
}

/* columns [K + 1][count][y][x] of the samples first .. first+count-1 of n. */
static void gather(const struct layer *l, const real *in, int first, int count, int n, real *columns)
{
    size_t image = (size_t)l->in.height * (size_t)l->in.width;
    size_t pixels = (size_t)l->out.height * (size_t)l->out.width;
    for (int c = 0; c < l->in.channels; c++)
        for (int ky = 0; ky < l->kernel; ky++)
            for (int kx = 0; kx < l->kernel; kx++)
                for (int s = first; s < first + count; s++, columns += pixels)
                    gather_row(l, in + ((size_t)c * (size_t)n + (size_t)s) * image, ky, kx, columns);
    for (size_t i = 0; i < (size_t)count * pixels; i++)
        columns[i] = 1;
}

static void scatter(const struct layer *l, const real *columns, int first, int count, int n, real *delta_in)
{
    size_t image = (size_t)l->in.height * (size_t)l->in.width;
    size_t pixels = (size_t)l->out.height * (size_t)l->out.width;
    for (int c = 0; c < l->in.channels; c++)
        for (int ky = 0; ky < l->kernel; ky++)
            for (int kx = 0; kx < l->kernel; kx++)
                for (int s = first; s < first + count; s++, columns += pixels)
                    scatter_row(l, columns, ky, kx, delta_in + ((size_t)c * (size_t)n + (size_t)s) * image);
}

static void initialise(const struct layer *l, real *weights, struct random *r)
{
    int row = patch_size(l) + 1;
    double bound = sqrt(6.0 / patch_size(l));
    for (int c = 0; c < l->out.channels; c++, weights += row) {
        for (int k = 0; k < row - 1; k++)
            weights[k] = (real)random_between(r, -bound, bound);
        weights[row - 1] = 0;
    }
}

static void forward(struct layer *l, const real *weights, const real *in, real *out, int n)
{
    int rows = patch_size(l) + 1, pixels = l->out.height * l->out.width, group = group_size(l);
    real *columns = l->scratch;
    for (int first = 0; first < n; first += group) {
        int count = smaller(group, n - first);
        gather(l, in, first, count, n, columns);
        train_gemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, l->out.channels, count * pixels, rows, 1,
                   weights, rows, columns, count * pixels, 0, out + (size_t)first * (size_t)pixels,
                   n * pixels);
    }
}

static void backward_weights(struct layer *l, const real *in, const real *delta_out, real *gradient, int n)
{
    int rows = patch_size(l) + 1, pixels = l->out.height * l->out.width, group = group_size(l);
    real *columns = l->scratch;
    for (int first = 0; first < n; first += group) {
        int count = smaller(group, n - first);
        gather(l, in, first, count, n, columns);
        train_gemm(CblasRowMajor, CblasNoTrans, CblasTrans, l->out.channels, rows, count * pixels, 1,
                   delta_out + (size_t)first * (size_t)pixels, n * pixels, columns, count * pixels,
                   first == 0 ? 0 : 1, gradient, rows);
    }
}

static void backward_input(struct layer *l, const real *weights, const real *in, const real *out,
                           const real *delta_out, real *delta_in, int n)
{
    int rows = patch_size(l) + 1, pixels = l->out.height * l->out.width, group = group_size(l);
    real *columns = l->scratch;
    memset(delta_in, 0, shape_size(l->in) * (size_t)n * sizeof *delta_in);
    for (int first = 0; first < n; first += group) {
        int count = smaller(group, n - first);
        train_gemm(CblasRowMajor, CblasTrans, CblasNoTrans, rows - 1, count * pixels, l->out.channels, 1,
                   weights, rows, delta_out + (size_t)first * (size_t)pixels, n * pixels, 0, columns,
                   count * pixels);
        scatter(l, columns, first, count, n, delta_in);
    }
}

static const struct layer_kind convolution = {"convolution", initialise, forward, backward_weights,
                                              backward_input};

struct layer layer_convolution(struct shape in, int channels, int kernel, int pad)
{
    struct layer l = {.kind = &convolution, .in = in, .kernel = kernel, .pad = pad};
    l.out = (struct shape){channels, in.height + 2 * pad - kernel + 1, in.width + 2 * pad - kernel + 1};
    size_t rows = (size_t)patch_size(&l) + 1;
    l.parameters = rows * (size_t)channels;
    l.scratch_fixed = rows * (size_t)group_size(&l) * (size_t)(l.out.height * l.out.width) * sizeof(real);
    return l;
}
