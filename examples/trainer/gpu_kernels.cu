/* gpu_kernels.cu: what the network computes on a GPU beside matrix products.
 *
 * Every kernel writes each of its results once, from one thread, in a fixed order
 * of summation: no atomics, so the same input gives the same bits. A grid that
 * fills the device goes over the results in strides.
 *
 * In the backward pass of a convolution that means to look at it from the pixel:
 * it collects from the patches it was in, where the CPU's loop hands out
 * patch by patch; both add in the order of (ky, kx).
 *
 * The file is also compiled for the host, by a C++ compiler with stand-ins, and
 * compared there with the CPU's layers (tests/trainer/test_gpu.c).
 */
#include "gpu_kernels.h"

#ifdef __CUDACC__
#define TRAIN_DEVICE             static __device__ __forceinline__
#define TRAIN_KERNEL(name, type) extern "C" __global__ void train_##name(const struct type a)
#endif

TRAIN_DEVICE size_t first_index()
{
    return (size_t)blockIdx.x * blockDim.x + threadIdx.x;
}

TRAIN_DEVICE size_t stride()
{
    return (size_t)gridDim.x * blockDim.x;
}

#define FOR_EACH(i, count) for (size_t i = first_index(); i < (size_t)(count); i += stride())

TRAIN_KERNEL(images, kernel_images)
{
    FOR_EACH(i, a.pixels * (size_t)a.n)
    {
        size_t s = i / a.pixels, image = (size_t)a.order[s];
        a.input[i] = ((real)a.images[image * a.pixels + (i - s * a.pixels)] - a.mean) * a.scale;
        if (i == s * a.pixels)
            a.batch_labels[s] = a.labels[image];
    }
}

TRAIN_KERNEL(columns, kernel_patches)
{
    size_t pixels = (size_t)a.out_height * (size_t)a.out_width, row = (size_t)a.count * pixels;
    size_t kernel = (size_t)a.kernel, squares = kernel * kernel, rows = (size_t)a.channels * squares;
    FOR_EACH(i, (rows + 1) * row)
    {
        size_t r = i / row, rest = i - r * row, s = rest / pixels, at = rest - s * pixels;
        size_t c = r / squares, k = r - c * squares;
        int y = (int)(at / (size_t)a.out_width + k / kernel) - a.pad;
        int x = (int)(at % (size_t)a.out_width + k % kernel) - a.pad;
        real value = r == rows;
        if (r < rows && y >= 0 && y < a.height && x >= 0 && x < a.width)
            value = a.from[((c * (size_t)a.n + (size_t)a.first + s) * (size_t)a.height + (size_t)y) *
                               (size_t)a.width +
                           (size_t)x];
        a.to[i] = value;
    }
}

TRAIN_KERNEL(patches, kernel_patches)
{
    size_t pixels = (size_t)a.out_height * (size_t)a.out_width, row = (size_t)a.count * pixels;
    size_t plane = (size_t)a.height * (size_t)a.width;
    FOR_EACH(i, (size_t)a.channels * (size_t)a.count * plane)
    {
        size_t p = i / plane, at = i - p * plane, c = p / (size_t)a.count, s = p - c * (size_t)a.count;
        int y = (int)(at / (size_t)a.width), x = (int)(at % (size_t)a.width);
        real sum = 0;
        for (int ky = 0; ky < a.kernel; ky++)
            for (int kx = 0; kx < a.kernel; kx++) {
                int oy = y + a.pad - ky, ox = x + a.pad - kx;
                if (oy < 0 || oy >= a.out_height || ox < 0 || ox >= a.out_width)
                    continue;
                size_t k = (c * (size_t)a.kernel + (size_t)ky) * (size_t)a.kernel + (size_t)kx;
                sum += a.from[k * row + s * pixels + (size_t)oy * (size_t)a.out_width + (size_t)ox];
            }
        a.to[(c * (size_t)a.n + (size_t)a.first + s) * plane + at] = sum;
    }
}

TRAIN_KERNEL(pool, kernel_pool)
{
    size_t plane = (size_t)a.out_height * (size_t)a.out_width;
    FOR_EACH(i, a.planes * plane)
    {
        size_t p = i / plane, at = i - p * plane, y = at / (size_t)a.out_width, x = at % (size_t)a.out_width;
        const real *upper = a.in + (p * (size_t)a.height + 2 * y) * (size_t)a.width + 2 * x;
        const real *lower = upper + a.width;
        real top = upper[0] < upper[1] ? upper[1] : upper[0];
        real bottom = lower[0] < lower[1] ? lower[1] : lower[0];
        a.to[i] = top < bottom ? bottom : top;
    }
}

/* A pixel is paid when it is the largest of its square and no earlier one is as large. */
TRAIN_KERNEL(pool_back, kernel_pool)
{
    size_t plane = (size_t)a.height * (size_t)a.width;
    FOR_EACH(i, a.planes * plane)
    {
        size_t p = i / plane, at = i - p * plane, y = at / (size_t)a.width, x = at % (size_t)a.width;
        real paid = 0;
        if (y / 2 < (size_t)a.out_height && x / 2 < (size_t)a.out_width) {
            size_t out = (p * (size_t)a.out_height + y / 2) * (size_t)a.out_width + x / 2;
            const real *square = a.in + (i - y % 2 * (size_t)a.width - x % 2);
            real largest = a.out[out];
            int winner = square[0] == largest         ? 0
                         : square[1] == largest       ? 1
                         : square[a.width] == largest ? 2
                                                      : 3;
            if (winner == (int)(y % 2 * 2 + x % 2))
                paid = a.delta[out];
        }
        a.to[i] = paid;
    }
}

TRAIN_KERNEL(relu, kernel_map)
{
    FOR_EACH(i, a.count)
    a.to[i] = a.from[i] > 0 ? a.from[i] : 0;
}

TRAIN_KERNEL(relu_back, kernel_map)
{
    FOR_EACH(i, a.count)
    a.to[i] = (real)(a.from[i] > 0) * a.delta[i];
}

TRAIN_KERNEL(tanh, kernel_map)
{
    FOR_EACH(i, a.count)
    a.to[i] = (real)tanh((double)a.from[i]);
}

TRAIN_KERNEL(tanh_back, kernel_map)
{
    FOR_EACH(i, a.count)
    a.to[i] = a.delta[i] * (1 - a.from[i] * a.from[i]);
}

TRAIN_KERNEL(flatten, kernel_flatten)
{
    FOR_EACH(i, (size_t)a.channels * (size_t)a.n * a.plane)
    {
        size_t p = i / a.plane, at = i - p * a.plane, c = p / (size_t)a.n, s = p - c * (size_t)a.n;
        a.to[(s * (size_t)a.channels + c) * a.plane + at] = a.from[i];
    }
}

TRAIN_KERNEL(flatten_back, kernel_flatten)
{
    FOR_EACH(i, (size_t)a.channels * (size_t)a.n * a.plane)
    {
        size_t p = i / a.plane, at = i - p * a.plane, c = p / (size_t)a.n, s = p - c * (size_t)a.n;
        a.to[i] = a.from[(s * (size_t)a.channels + c) * a.plane + at];
    }
}

TRAIN_KERNEL(rows, kernel_rows)
{
    FOR_EACH(i, a.length * a.count)
    a.to[i] = a.row[i % a.length];
}

TRAIN_KERNEL(loss, kernel_loss)
{
    FOR_EACH(s, a.n)
    {
        const real *scores = a.scores + s * (size_t)a.classes;
        real *delta = a.delta + s * (size_t)a.classes, largest = scores[0], sum = 0;
        for (int c = 1; c < a.classes; c++)
            largest = scores[c] > largest ? scores[c] : largest;
        for (int c = 0; c < a.classes; c++) {
            delta[c] = exp(scores[c] - largest);
            sum += delta[c];
        }
        real loss = log(sum) - (scores[a.labels[s]] - largest);
        a.losses[s] = loss * a.scale;
        for (int c = 0; c < a.classes; c++)
            delta[c] *= a.scale / sum;
        delta[a.labels[s]] -= a.scale;
    }
}

TRAIN_KERNEL(step, kernel_step)
{
    FOR_EACH(i, a.count)
    {
        real v = a.momentum * a.steps[i] + a.gradients[i] + a.decay * a.weights[i];
        a.steps[i] = v;
        a.weights[i] -= a.rate * v;
    }
}

TRAIN_KERNEL(affine, kernel_affine)
{
    FOR_EACH(i, a.count)
    a.to[i] = (a.factor == 0 ? 0 : a.factor * a.to[i]) + a.value;
}
