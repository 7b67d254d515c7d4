/* The layers on a GPU, on the double of the driver: with the kernels compiled for the host.
 *
 * Each is compared with the CPU's layer, element by element, on odd shapes and several sizes of
 * batch; and, in double, its gradients and those of whole networks with finite differences. What is allowed
 * to differ is rounding, where sums are added in another order; all else must be equal.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arrays.h"
#include "fakecuda.h"
#include "gpu_layers.h"

#ifdef TRAIN_DOUBLE
#define NEAR 1e-12
#else
#define NEAR 2e-5
#endif

static struct gpu *open_gpu(void)
{
    struct failure failure = {""};
    struct gpu *gpu = gpu_create(0, &failure);
    cr_assert(gpu, "%s", failure.text);
    return gpu;
}

static void well(struct gpu *gpu)
{
    struct failure failure = {""};
    cr_assert(gpu_finish(gpu, &failure) == 0, "%s", failure.text);
}

static real *random_values(size_t count, struct random *r)
{
    real *values = malloc((count + 1) * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = (real)random_between(r, -1, 1);
    return values;
}

/* On the device, with the host's values or none. */
static void *there(struct gpu *gpu, const void *values, size_t bytes)
{
    struct failure failure = {""};
    void *made = gpu_allocate(gpu, bytes, "a test", &failure);
    cr_assert(made, "%s", failure.text);
    if (values)
        gpu_upload(gpu, made, values, bytes);
    return made;
}

static void compare(struct gpu *gpu, const real *device, const real *expected, size_t count, double allowed,
                    const char *layer, const char *what)
{
    real *got = malloc((count + 1) * sizeof *got);
    gpu_download(gpu, got, device, count * sizeof *got);
    well(gpu);
    for (size_t i = 0; i < count; i++)
        cr_assert(fabs((double)(got[i] - expected[i])) <= allowed * (1 + fabs((double)expected[i])),
                  "%s, %s[%zu]: %.9g on the GPU, %.9g on the CPU", layer, what, i, (double)got[i],
                  (double)expected[i]);
    free(got);
}

/* Of `layer` and n samples; `allowed`: 0 where nothing is summed. */
static void check(struct gpu *gpu, struct layer layer, int n, double allowed)
{
    struct random r = random_stream(7, RANDOM_ORDER, (uint64_t)n);
    struct layer device = layer;
    size_t ins = shape_size(layer.in) * (size_t)n, outs = shape_size(layer.out) * (size_t)n;
    real *weights = random_values(layer.parameters, &r), *in = random_values(ins, &r);
    real *delta = random_values(outs, &r), *out = malloc(outs * sizeof *out);
    real *gradient = malloc((layer.parameters + 1) * sizeof *gradient), *back = malloc(ins * sizeof *back);
    layer.scratch = malloc(layer.scratch_size + 64);
    in[0] = in[ins - 1]; /* equal values too */
    layer.kind->forward(&layer, weights, in, out, n);
    if (layer.parameters)
        layer.kind->backward_weights(&layer, in, delta, gradient, n);
    layer.kind->backward_input(&layer, weights, in, out, delta, back, n);

    gpu_layer(&device, gpu, n);
    device.scratch = there(gpu, NULL, device.scratch_size + 1);
    real *d_weights = there(gpu, weights, layer.parameters * sizeof *weights),
         *d_in = there(gpu, in, ins * sizeof *in);
    real *d_delta = there(gpu, delta, outs * sizeof *delta), *d_out = there(gpu, NULL, outs * sizeof *out);
    real *d_gradient = there(gpu, NULL, layer.parameters * sizeof *gradient),
         *d_back = there(gpu, NULL, ins * sizeof *back);
    device.kind->forward(&device, d_weights, d_in, d_out, n);
    compare(gpu, d_out, out, outs, allowed, layer.kind->name, "out");
    gpu_upload(gpu, d_out, out, outs * sizeof *out); /* the same for both, else a tie may be none */
    if (layer.parameters) {
        device.kind->backward_weights(&device, d_in, d_delta, d_gradient, n);
        compare(gpu, d_gradient, gradient, layer.parameters, allowed, layer.kind->name, "gradient");
    }
    device.kind->backward_input(&device, d_weights, d_in, d_out, d_delta, d_back, n);
    compare(gpu, d_back, back, ins, allowed, layer.kind->name, "delta");

    void *all[] = {device.scratch, d_weights, d_in, d_delta, d_out, d_gradient, d_back};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        gpu_free(gpu, all[i]);
    void *own[] = {weights, in, delta, out, gradient, back, layer.scratch};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        free(own[i]);
}

Test(gpu, layers_are_the_cpus)
{
    struct gpu *gpu = open_gpu();
    for (int n = 1; n <= 7; n += 2) {
        double sums = NEAR * 8;
        check(gpu, layer_convolution((struct shape){1, 28, 28}, 6, 5, 2), n, sums * 4);
        check(gpu, layer_convolution((struct shape){6, 14, 14}, 16, 5, 0), n, sums);
        check(gpu, layer_convolution((struct shape){3, 7, 9}, 4, 3, 1), n, sums);
        check(gpu, layer_convolution((struct shape){2, 5, 5}, 3, 1, 0), n, sums);
        check(gpu, layer_dense((struct shape){13, 1, 1}, 7), n, sums);
        check(gpu, layer_dense((struct shape){400, 1, 1}, 120), n, sums);
        check(gpu, layer_maxpool((struct shape){3, 6, 8}), n, 0);
        check(gpu, layer_maxpool((struct shape){2, 7, 5}), n, 0);
        check(gpu, layer_relu((struct shape){2, 5, 3}), n, 0);
        check(gpu, layer_tanh((struct shape){2, 5, 3}), n, NEAR);
        check(gpu, layer_flatten((struct shape){4, 3, 5}), n, 0);
    }
    gpu_destroy(gpu);
}

/* More samples than one group of columns holds: 41 MiB each. */
Test(gpu, convolution_in_groups)
{
    struct gpu *gpu = open_gpu();
    check(gpu, layer_convolution((struct shape){1, 512, 512}, 1, 6, 0), 2, NEAR * 64);
    gpu_destroy(gpu);
}

Test(gpu, of_equals_the_first_is_paid)
{
    struct gpu *gpu = open_gpu();
    struct layer l = layer_maxpool((struct shape){1, 2, 2});
    const real in[4] = {2, 2, 2, 2}, delta[1] = {1}, expected[4] = {1, 0, 0, 0};
    real *d_in = there(gpu, in, sizeof in), *d_delta = there(gpu, delta, sizeof delta);
    real *out = there(gpu, NULL, sizeof delta), *back = there(gpu, NULL, sizeof in);
    gpu_layer(&l, gpu, 1);
    l.kind->forward(&l, NULL, d_in, out, 1);
    l.kind->backward_input(&l, NULL, d_in, out, d_delta, back, 1);
    compare(gpu, back, expected, 4, 0, "maxpool", "delta");
    gpu_destroy(gpu);
}

Test(gpu, loss)
{
    enum { N = 37, CLASSES = 10 };
    struct gpu *gpu = open_gpu();
    struct random r = random_stream(8, RANDOM_ORDER, 0);
    unsigned char labels[N];
    real *scores = random_values(N * CLASSES, &r), delta[N * CLASSES];
    for (int i = 0; i < N; i++)
        labels[i] = (unsigned char)random_below(&r, CLASSES);
    scores[3] = (real)1e30; /* exp must not overflow */
    real loss = (real)layer_loss(scores, labels, N, CLASSES, (real)0.01, delta);
    real *d_scores = there(gpu, scores, N * CLASSES * sizeof *scores),
         *d_loss = there(gpu, NULL, sizeof loss);
    real *d_delta = there(gpu, NULL, sizeof delta), *room = there(gpu, NULL, 2 * N * sizeof *room);
    gpu_loss(gpu, d_scores, there(gpu, labels, sizeof labels), N, CLASSES, (real)0.01, d_delta, d_loss, room);
    compare(gpu, d_delta, delta, N * CLASSES, NEAR, "loss", "delta");
    compare(gpu, d_loss, &loss, 1, NEAR, "loss", "loss");
    free(scores);
    gpu_destroy(gpu);
}

Test(gpu, images_and_steps)
{
    enum { N = 5, COUNT = 1000 };
    struct gpu *gpu = open_gpu();
    struct failure failure = {""};
    struct random r = random_stream(9, RANDOM_ORDER, 0);
    struct dataset d;
    struct images set;
    struct model host, device;
    const int order[N] = {6, 0, 3, 3, 8};
    unsigned char labels[N];
    cr_assert(dataset_create(&d, 9, 17, 19, &failure) == 0);
    for (int i = 0; i < 9 * 17 * 19; i++)
        d.images[i] = (unsigned char)random_below(&r, 256);
    for (int i = 0; i < 9; i++)
        d.labels[i] = (unsigned char)i;
    cr_assert(model_create(&host, "mlp", 17, 19, N, NULL, &failure) == 0);
    cr_assert(model_create(&device, "mlp", 17, 19, N, gpu, &failure) == 0);
    cr_assert(images_create(&set, &d, NULL, N, &failure) == 0);
    images_fetch(&set, order, N, &host);
    cr_assert(images_create(&set, &d, gpu, N, &failure) == 0, "%s", failure.text);
    images_fetch(&set, order, N, &device);
    compare(gpu, model_input(&device), model_input(&host), N * 17 * 19, 0, "images", "input");
    gpu_download(gpu, labels, device.labels, N);
    cr_assert(memcmp(labels, host.labels, N) == 0);

    real *weights = random_values(COUNT, &r), *gradients = random_values(COUNT, &r),
         *steps = random_values(COUNT, &r);
    real *d_weights = there(gpu, weights, COUNT * sizeof *weights);
    real *d_gradients = there(gpu, gradients, COUNT * sizeof *weights);
    struct sgd sgd = {(real)0.9, (real)0.01, steps}, d_sgd = sgd;
    d_sgd.steps = there(gpu, steps, COUNT * sizeof *steps);
    array_step(gpu, &d_sgd, (real)0.1, 3, COUNT - 5, d_gradients, d_weights);
    array_step(NULL, &sgd, (real)0.1, 3, COUNT - 5, gradients, weights);
    compare(gpu, d_weights, weights, COUNT, NEAR, "step", "weights");
    compare(gpu, d_sgd.steps, steps, COUNT, NEAR, "step", "steps");
    array_scale(gpu, d_weights, COUNT, (real)0.5);
    array_scale(NULL, weights, COUNT, (real)0.5);
    compare(gpu, d_weights, weights, COUNT, NEAR, "scale", "weights");
    images_destroy(&set);
    dataset_destroy(&d);
    model_destroy(&host);
    model_destroy(&device);
    void *own[] = {weights, gradients, steps};
    for (int i = 0; i < 3; i++)
        free(own[i]);
    gpu_destroy(gpu);
}

Test(gpu, what_failed_is_told)
{
    struct gpu *gpu = open_gpu();
    struct failure failure = {""};
    real here[4];
    gpu_fill(gpu, here, 4, 1); /* the host's: a device cannot write there */
    cr_assert(gpu_finish(gpu, &failure) == -1);
    cr_assert(strstr(failure.text, "fake device 0"), "%s", failure.text);
    gpu_destroy(gpu);
}

#ifdef TRAIN_DOUBLE

static void ignore(void *context, int layer)
{
}

static double loss_of(struct model *m, real *d_weights, const real *weights, int n)
{
    real loss, *d_loss = d_weights + m->parameters;
    gpu_upload(m->gpu, d_weights, weights, m->parameters * sizeof *weights);
    array_loss(m, model_forward(m, d_weights, n), n, 1, d_loss);
    gpu_download(m->gpu, &loss, d_loss, sizeof loss);
    return loss;
}

/* The whole network on the device, at every 211th weight. */
static void check_model(struct gpu *gpu, const char *name)
{
    enum { N = 4 };
    const unsigned char labels[N] = {1, 2, 3, 4};
    const double h = 1e-6;
    struct failure failure = {""};
    struct random r = random_stream(9, RANDOM_ORDER, 0);
    struct model m;
    cr_assert(model_create(&m, name, 16, 16, N, gpu, &failure) == 0, "%s", failure.text);
    size_t bytes = (m.parameters + 1) * sizeof(real), inputs = N * shape_size(m.layers[0].in);
    real *weights = malloc(bytes), *gradients = malloc(bytes), *in = random_values(inputs, &r);
    real *d_weights = there(gpu, NULL, bytes), *d_gradients = there(gpu, NULL, bytes);
    model_initialise(&m, weights, 5);
    gpu_upload(gpu, model_input(&m), in, inputs * sizeof *in);
    gpu_upload(gpu, m.labels, labels, N);
    loss_of(&m, d_weights, weights, N);
    model_backward(&m, d_weights, d_gradients, N, ignore, NULL);
    gpu_download(gpu, gradients, d_gradients, bytes);
    well(gpu);
    for (size_t i = 0; i < m.parameters; i += 211) {
        double kept = weights[i];
        weights[i] = kept + h;
        double above = loss_of(&m, d_weights, weights, N);
        weights[i] = kept - h;
        double below = loss_of(&m, d_weights, weights, N), slope = (above - below) / (2 * h);
        weights[i] = kept;
        cr_assert_float_eq(gradients[i], slope, 1e-6, "%s: weight %zu: %.9g, not %.9g", name, i, slope,
                           gradients[i]);
    }
    free(weights);
    free(gradients);
    free(in);
    gpu_free(gpu, d_weights);
    gpu_free(gpu, d_gradients);
    model_destroy(&m);
}

Test(gpu, gradients_of_whole_models)
{
    struct gpu *gpu = open_gpu();
    check_model(gpu, "lenet");
    check_model(gpu, "mlp");
    gpu_destroy(gpu);
}

#endif
