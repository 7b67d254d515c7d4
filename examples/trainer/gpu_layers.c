/* gpu_layers.c: the layers' operations on a GPU: which kernels and products, on what.
 *
 * The arrays, their order and the arithmetic are those of the CPU's layers
 * (layer_*.c), so either's results can be held against the other's. What differs:
 *
 *   convolution   a GPU has no second level cache to stay in: as many samples' columns
 *                 are built at once as COLUMNS_BYTES hold, nearly always all
 *   dense         the bias's gradient, a sum over the samples, is a product with a
 *                 column of ones: one call, and no sum across threads to write
 *   loss          so is the sum of the samples' losses
 */
#include "gpu_layers.h"

#include <string.h>

enum { COLUMNS_BYTES = 64 << 20 };

static int patch_size(const struct layer *l)
{
    return l->in.channels * l->kernel * l->kernel;
}

static size_t columns_size(const struct layer *l)
{
    return (size_t)(patch_size(l) + 1) * (size_t)(l->out.height * l->out.width) * sizeof(real);
}

static int group_size(const struct layer *l, int n)
{
    size_t most = COLUMNS_BYTES / columns_size(l);
    return most == 0 ? 1 : most < (size_t)n ? (int)most : n;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static void patches(struct layer *l, enum gpu_kernel kernel, const real *from, real *to, int first, int count,
                    int n)
{
    struct kernel_patches a = {from,         to,        l->in.channels, l->in.height,
                               l->in.width,  l->kernel, l->pad,         l->out.height,
                               l->out.width, first,     count,          n};
    size_t results = kernel == GPU_columns ? (size_t)(patch_size(l) + 1) * (size_t)count *
                                                 (size_t)(l->out.height * l->out.width)
                                           : shape_size(l->in) * (size_t)count;
    gpu_launch(l->gpu, kernel, &a, results);
}

static void convolution_forward(struct layer *l, const real *weights, const real *in, real *out, int n)
{
    int rows = patch_size(l) + 1, pixels = l->out.height * l->out.width, group = group_size(l, n);
    for (int first = 0; first < n; first += group) {
        int count = smaller(group, n - first);
        patches(l, GPU_columns, in, l->scratch, first, count, n);
        gpu_product(l->gpu, 0, 0, l->out.channels, count * pixels, rows, weights, rows, l->scratch,
                    count * pixels, 0, out + (size_t)first * (size_t)pixels, n * pixels);
    }
}

static void convolution_weights(struct layer *l, const real *in, const real *delta_out, real *gradient, int n)
{
    int rows = patch_size(l) + 1, pixels = l->out.height * l->out.width, group = group_size(l, n);
    for (int first = 0; first < n; first += group) {
        int count = smaller(group, n - first);
        patches(l, GPU_columns, in, l->scratch, first, count, n);
        gpu_product(l->gpu, 0, 1, l->out.channels, rows, count * pixels,
                    delta_out + (size_t)first * (size_t)pixels, n * pixels, l->scratch, count * pixels,
                    first == 0 ? 0 : 1, gradient, rows);
    }
}

static void convolution_input(struct layer *l, const real *weights, const real *in, const real *out,
                              const real *delta_out, real *delta_in, int n)
{
    int rows = patch_size(l) + 1, pixels = l->out.height * l->out.width, group = group_size(l, n);
    for (int first = 0; first < n; first += group) {
        int count = smaller(group, n - first);
        gpu_product(l->gpu, 1, 0, rows - 1, count * pixels, l->out.channels, weights, rows,
                    delta_out + (size_t)first * (size_t)pixels, n * pixels, 0, l->scratch, count * pixels);
        patches(l, GPU_patches, l->scratch, delta_in, first, count, n);
    }
}

static int inputs_of(const struct layer *l)
{
    return (int)shape_size(l->in);
}

static void dense_forward(struct layer *l, const real *weights, const real *in, real *out, int n)
{
    int inputs = inputs_of(l), outputs = l->out.channels;
    struct kernel_rows rows = {weights + (size_t)inputs * (size_t)outputs, out, (size_t)outputs, (size_t)n};
    gpu_launch(l->gpu, GPU_rows, &rows, rows.length * rows.count);
    gpu_product(l->gpu, 0, 1, n, outputs, inputs, in, inputs, weights, inputs, 1, out, outputs);
}

/* The scratch holds the ones; they are written each time, since the samples are few. */
static void dense_weights(struct layer *l, const real *in, const real *delta_out, real *gradient, int n)
{
    int inputs = inputs_of(l), outputs = l->out.channels;
    gpu_product(l->gpu, 1, 0, outputs, inputs, n, delta_out, outputs, in, inputs, 0, gradient, inputs);
    gpu_fill(l->gpu, l->scratch, (size_t)n, 1);
    gpu_product(l->gpu, 1, 0, outputs, 1, n, delta_out, outputs, l->scratch, 1, 0,
                gradient + (size_t)inputs * (size_t)outputs, 1);
}

static void dense_input(struct layer *l, const real *weights, const real *in, const real *out,
                        const real *delta_out, real *delta_in, int n)
{
    int inputs = inputs_of(l), outputs = l->out.channels;
    gpu_product(l->gpu, 0, 0, n, inputs, outputs, delta_out, outputs, weights, inputs, 0, delta_in, inputs);
}

static void pool(struct layer *l, enum gpu_kernel kernel, const real *in, const real *out, const real *delta,
                 real *to, int n)
{
    struct kernel_pool a = {in,
                            out,
                            delta,
                            to,
                            l->in.height,
                            l->in.width,
                            l->out.height,
                            l->out.width,
                            (size_t)l->in.channels * (size_t)n};
    gpu_launch(l->gpu, kernel, &a, shape_size(kernel == GPU_pool ? l->out : l->in) * (size_t)n);
}

static void pool_forward(struct layer *l, const real *weights, const real *in, real *out, int n)
{
    pool(l, GPU_pool, in, NULL, NULL, out, n);
}

static void pool_input(struct layer *l, const real *weights, const real *in, const real *out,
                       const real *delta_out, real *delta_in, int n)
{
    pool(l, GPU_pool_back, in, out, delta_out, delta_in, n);
}

static void map(struct layer *l, enum gpu_kernel kernel, const real *from, const real *delta, real *to, int n)
{
    struct kernel_map a = {from, delta, to, shape_size(l->in) * (size_t)n};
    gpu_launch(l->gpu, kernel, &a, a.count);
}

static void relu_forward(struct layer *l, const real *weights, const real *in, real *out, int n)
{
    map(l, GPU_relu, in, NULL, out, n);
}

static void relu_input(struct layer *l, const real *weights, const real *in, const real *out,
                       const real *delta_out, real *delta_in, int n)
{
    map(l, GPU_relu_back, out, delta_out, delta_in, n);
}

static void tanh_forward(struct layer *l, const real *weights, const real *in, real *out, int n)
{
    map(l, GPU_tanh, in, NULL, out, n);
}

static void tanh_input(struct layer *l, const real *weights, const real *in, const real *out,
                       const real *delta_out, real *delta_in, int n)
{
    map(l, GPU_tanh_back, out, delta_out, delta_in, n);
}

static void flatten(struct layer *l, enum gpu_kernel kernel, const real *from, real *to, int n)
{
    struct kernel_flatten a = {from, to, l->in.channels, n, (size_t)l->in.height * (size_t)l->in.width};
    gpu_launch(l->gpu, kernel, &a, shape_size(l->in) * (size_t)n);
}

static void flatten_forward(struct layer *l, const real *weights, const real *in, real *out, int n)
{
    flatten(l, GPU_flatten, in, out, n);
}

static void flatten_input(struct layer *l, const real *weights, const real *in, const real *out,
                          const real *delta_out, real *delta_in, int n)
{
    flatten(l, GPU_flatten_back, delta_out, delta_in, n);
}

void gpu_layer(struct layer *l, struct gpu *gpu, int batch)
{
    static const struct layer_kind kinds[] = {
        {"convolution", NULL, convolution_forward, convolution_weights, convolution_input},
        {"dense", NULL, dense_forward, dense_weights, dense_input},
        {"maxpool", NULL, pool_forward, NULL, pool_input},
        {"relu", NULL, relu_forward, NULL, relu_input},
        {"tanh", NULL, tanh_forward, NULL, tanh_input},
        {"flatten", NULL, flatten_forward, NULL, flatten_input},
    };
    l->gpu = gpu;
    l->scratch_size = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, l->kind->name) == 0) {
            l->host = l->kind;
            l->kind = &kinds[i];
            break;
        }
    if (l->kind->forward == convolution_forward)
        l->scratch_size = columns_size(l) * (size_t)group_size(l, batch);
    if (l->kind->forward == dense_forward)
        l->scratch_size = (size_t)batch * sizeof(real);
}

void gpu_fill(struct gpu *gpu, real *to, size_t count, real value)
{
    struct kernel_affine a = {to, count, 0, value};
    gpu_launch(gpu, GPU_affine, &a, count);
}

void gpu_loss(struct gpu *gpu, const real *scores, const unsigned char *labels, int n, int classes,
              real scale, real *delta, real *loss, real *room)
{
    struct kernel_loss a = {scores, labels, delta, room, n, classes, scale};
    gpu_launch(gpu, GPU_loss, &a, (size_t)n);
    gpu_fill(gpu, room + n, (size_t)n, 1);
    gpu_product(gpu, 0, 0, 1, 1, n, room, n, room + n, 1, 0, loss, 1);
}
