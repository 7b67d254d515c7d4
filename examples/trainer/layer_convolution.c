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

#include <cblas.h>
#include <math.h>
#include <string.h>

enum { CACHE_BYTES = 160 * 1024 };

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

/* Four values at a time: rows are short (28 and 10 in LeNet), and a loop made for
 * long ones would spend its time on beginning and end. */
typedef real four __attribute__((vector_size(4 * sizeof(real)), aligned(sizeof(real)), may_alias));

static void copy_row(const real *from, real *to, int count)
{
    int i = 0;
    for (; i + 4 <= count; i += 4)
        *(four *)(to + i) = *(const four *)(from + i);
    if (i < count && count >= 4)
        *(four *)(to + count - 4) = *(const four *)(from + count - 4);
    else
        for (; i < count; i++)
            to[i] = from[i];
}

static void add_row(const real *from, real *to, int count)
{
    int i = 0;
    for (; i + 4 <= count; i += 4)
        *(four *)(to + i) += *(const four *)(from + i);
    for (; i < count; i++)
        to[i] += from[i];
}

static int padded_width(const struct layer *l)
{
    return l->in.width + 2 * l->pad;
}

static size_t padded_size(const struct layer *l)
{
    return (size_t)padded_width(l) * (size_t)(l->in.height + 2 * l->pad);
}

/* The image with its border of zeros: `image` itself, when there is no border. */
static const real *pad_image(const struct layer *l, const real *image, real *padded)
{
    int width = padded_width(l);
    if (l->pad == 0)
        return image;
    memset(padded, 0, padded_size(l) * sizeof *padded);
    for (int y = 0; y < l->in.height; y++)
        copy_row(image + (ptrdiff_t)y * l->in.width, padded + (ptrdiff_t)(y + l->pad) * width + l->pad,
                 l->in.width);
    return padded;
}

/* Pixel (ky, kx) of every patch, for all kernel rows and columns; rows of the result lie `row` apart. */
static void gather_image(const struct layer *l, const real *padded, real *columns, size_t row)
{
    int width = padded_width(l), out_width = l->out.width, out_height = l->out.height;
    for (int ky = 0; ky < l->kernel; ky++)
        for (int kx = 0; kx < l->kernel; kx++, columns += row) {
            const real *from = padded + (ptrdiff_t)ky * width + kx;
            real *to = columns;
            for (int y = 0; y < out_height; y++, from += width, to += out_width)
                copy_row(from, to, out_width);
        }
}

/* The reverse: adds what came back for each patch to its pixels; without a border. */
static void scatter_image(const struct layer *l, const real *columns, size_t row, real *image)
{
    for (int ky = 0; ky < l->kernel; ky++)
        for (int kx = 0; kx < l->kernel; kx++, columns += row) {
            int left = larger(0, l->pad - kx), right = smaller(l->out.width, l->in.width + l->pad - kx);
            int top = larger(0, l->pad - ky), bottom = smaller(l->out.height, l->in.height + l->pad - ky);
            for (int y = top; y < bottom; y++)
                add_row(columns + (ptrdiff_t)y * l->out.width + left,
                        image + (ptrdiff_t)(y + ky - l->pad) * l->in.width + left + kx - l->pad,
                        right - left);
        }
}

/* The scratch holds one padded image and, from the next cache line on, the columns. */
static size_t columns_offset(const struct layer *l)
{
    return (padded_size(l) + 15) / 16 * 16;
}

static real *columns_of(const struct layer *l)
{
    return (real *)l->scratch + columns_offset(l);
}

/* columns [K + 1][count][y][x] of the samples first .. first+count-1 of n. */
static void gather(const struct layer *l, const real *in, int first, int count, int n)
{
    size_t image = (size_t)l->in.height * (size_t)l->in.width;
    size_t pixels = (size_t)l->out.height * (size_t)l->out.width, row = (size_t)count * pixels;
    size_t kernel = (size_t)(l->kernel * l->kernel);
    real *padded = l->scratch, *columns = columns_of(l);
    for (int c = 0; c < l->in.channels; c++, columns += kernel * row)
        for (int s = 0; s < count; s++) {
            const real *source = in + ((size_t)c * (size_t)n + (size_t)(first + s)) * image;
            gather_image(l, pad_image(l, source, padded), columns + (size_t)s * pixels, row);
        }
    for (size_t i = 0; i < row; i++)
        columns[i] = 1;
}

static void scatter(const struct layer *l, int first, int count, int n, real *delta_in)
{
    size_t image = (size_t)l->in.height * (size_t)l->in.width;
    size_t pixels = (size_t)l->out.height * (size_t)l->out.width, row = (size_t)count * pixels;
    size_t kernel = (size_t)(l->kernel * l->kernel);
    const real *columns = columns_of(l);
    for (int c = 0; c < l->in.channels; c++, columns += kernel * row)
        for (int s = 0; s < count; s++)
            scatter_image(l, columns + (size_t)s * pixels, row,
                          delta_in + ((size_t)c * (size_t)n + (size_t)(first + s)) * image);
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
    real *columns = columns_of(l);
    for (int first = 0; first < n; first += group) {
        int count = smaller(group, n - first);
        gather(l, in, first, count, n);
        train_gemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, l->out.channels, count * pixels, rows, 1,
                   weights, rows, columns, count * pixels, 0, out + (size_t)first * (size_t)pixels,
                   n * pixels);
    }
}

static void backward_weights(struct layer *l, const real *in, const real *delta_out, real *gradient, int n)
{
    int rows = patch_size(l) + 1, pixels = l->out.height * l->out.width, group = group_size(l);
    real *columns = columns_of(l);
    for (int first = 0; first < n; first += group) {
        int count = smaller(group, n - first);
        gather(l, in, first, count, n);
        train_gemm(CblasRowMajor, CblasNoTrans, CblasTrans, l->out.channels, rows, count * pixels, 1,
                   delta_out + (size_t)first * (size_t)pixels, n * pixels, columns, count * pixels,
                   first == 0 ? 0 : 1, gradient, rows);
    }
}

static void backward_input(struct layer *l, const real *weights, const real *in, const real *out,
                           const real *delta_out, real *delta_in, int n)
{
    int rows = patch_size(l) + 1, pixels = l->out.height * l->out.width, group = group_size(l);
    real *columns = columns_of(l);
    memset(delta_in, 0, shape_size(l->in) * (size_t)n * sizeof *delta_in);
    for (int first = 0; first < n; first += group) {
        int count = smaller(group, n - first);
        train_gemm(CblasRowMajor, CblasTrans, CblasNoTrans, rows - 1, count * pixels, l->out.channels, 1,
                   weights, rows, delta_out + (size_t)first * (size_t)pixels, n * pixels, 0, columns,
                   count * pixels);
        scatter(l, first, count, n, delta_in);
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
    size_t columns = rows * (size_t)group_size(&l) * (size_t)(l.out.height * l.out.width);
    l.scratch_size = (columns_offset(&l) + columns) * sizeof(real);
    return l;
}
