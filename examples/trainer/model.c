/* model.c: LeNet-5 and a multi-layer perceptron, as lists of layers.
 *
 *   lenet   1 x 28 x 28 - convolution 5x5, 6 -> pool -> relu        6 x 14 x 14
 *                       - convolution 5x5, 16 -> pool -> relu      16 x 5 x 5
 *                       - dense 120 -> relu - dense 84 -> relu - dense 10
 *           61,706 weights; 0.42 million multiply-adds an image and pass.
 *   mlp     784 - dense 256 -> relu - dense 128 -> relu - dense 10; 235,146 weights.
 *
 * Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: "Gradient-based learning applied
 * to document recognition", 1998; with what has proved better since: relu for
 * tanh, the largest for the mean, every map connected to every map. relu comes
 * after the pool, where there are a quarter of the values: the largest of the
 * positive parts is the positive part of the largest.
 */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "gpu_layers.h"

enum { ALIGNMENT = 256, SMALLEST_SIDE = 16, LARGEST_SIDE = 512 };

static struct shape append(struct model *m, struct layer layer)
{
    layer.offset = m->parameters;
    m->parameters += layer.parameters;
    m->layers[m->count++] = layer;
    return layer.out;
}

static void build_lenet(struct model *m, struct shape s)
{
    s = append(m, layer_convolution(s, 6, 5, 2));
    s = append(m, layer_maxpool(s));
    s = append(m, layer_relu(s));
    s = append(m, layer_convolution(s, 16, 5, 0));
    s = append(m, layer_maxpool(s));
    s = append(m, layer_relu(s));
    s = append(m, layer_flatten(s));
    s = append(m, layer_dense(s, 120));
    s = append(m, layer_relu(s));
    s = append(m, layer_dense(s, 84));
    s = append(m, layer_relu(s));
    append(m, layer_dense(s, MODEL_CLASSES));
}

static void build_mlp(struct model *m, struct shape s)
{
    s = append(m, layer_dense(s, 256));
    s = append(m, layer_relu(s));
    s = append(m, layer_dense(s, 128));
    s = append(m, layer_relu(s));
    append(m, layer_dense(s, MODEL_CLASSES));
}

static size_t rounded(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Hands out pieces of m->memory, or with none just counts: returns the bytes needed. */
static size_t place(struct model *m)
{
    char *base = m->memory;
    size_t batch = (size_t)m->batch, largest = shape_size(m->layers[0].in), at = 0;
    for (int i = 0; i <= m->count; i++) {
        size_t values = shape_size(i == 0 ? m->layers[0].in : m->layers[i - 1].out);
        largest = values > largest ? values : largest;
        m->activations[i] = base ? (real *)(void *)(base + at) : NULL;
        at += rounded(values * batch * sizeof(real));
    }
    for (int i = 0; i < 2; i++) {
        m->deltas[i] = base ? (real *)(void *)(base + at) : NULL;
        at += rounded(largest * batch * sizeof(real));
    }
    m->labels = base ? (unsigned char *)base + at : NULL;
    at += rounded(batch);
    for (int i = 0; i < m->count; i++) {
        struct layer *l = &m->layers[i];
        l->scratch = base ? base + at : NULL;
        at += rounded(l->scratch_size);
    }
    return at;
}

int model_create(struct model *m, const char *name, int height, int width, int batch, struct gpu *gpu,
                 struct failure *failure)
{
    struct shape image = {1, height, width};
    struct model made = {.name = name, .batch = batch > 0 ? batch : 1, .gpu = gpu};
    if (height < SMALLEST_SIDE || width < SMALLEST_SIDE || height > LARGEST_SIDE || width > LARGEST_SIDE)
        return fail(failure, "images of %d x %d pixels: the models take %d x %d to %d x %d", height, width,
                    SMALLEST_SIDE, SMALLEST_SIDE, LARGEST_SIDE, LARGEST_SIDE);
    if (strcmp(name, "lenet") == 0)
        build_lenet(&made, image);
    else if (strcmp(name, "mlp") == 0)
        build_mlp(&made, image);
    else
        return fail(failure, "there is no model \"%s\"; there are lenet and mlp", name);
    for (int i = 0; gpu && i < made.count; i++)
        gpu_layer(&made.layers[i], gpu, made.batch);
    made.bytes = place(&made);
    made.memory =
        gpu ? gpu_allocate(gpu, made.bytes, "a batch", failure) : aligned_alloc(ALIGNMENT, made.bytes);
    if (!made.memory && gpu)
        return -1;
    if (!made.memory)
        return fail(failure, "no memory for a batch of %d images a rank (%zu MiB): use a smaller --batch",
                    made.batch, made.bytes >> 20);
    place(&made);
    *m = made;
    return 0;
}

void model_destroy(struct model *m)
{
    if (m && m->gpu)
        gpu_free(m->gpu, m->memory);
    else if (m)
        free(m->memory);
}

void model_initialise(const struct model *m, real *weights, uint64_t seed)
{
    for (int i = 0; i < m->count; i++) {
        const struct layer *l = &m->layers[i];
        struct random r = random_stream(seed, RANDOM_WEIGHTS, (uint64_t)i);
        const struct layer_kind *kind = l->host ? l->host : l->kind;
        if (kind->initialise)
            kind->initialise(l, weights + l->offset, &r);
    }
}

real *model_input(struct model *m)
{
    return m->activations[0];
}

const real *model_forward(struct model *m, const real *weights, int n)
{
    for (int i = 0; i < m->count; i++) {
        struct layer *l = &m->layers[i];
        l->kind->forward(l, weights + l->offset, m->activations[i], m->activations[i + 1], n);
    }
    return m->activations[m->count];
}

real *model_delta(struct model *m)
{
    return m->deltas[0];
}

real *model_room(struct model *m)
{
    return m->deltas[1];
}

void model_backward(struct model *m, const real *weights, real *gradients, int n,
                    void (*ready)(void *context, int layer), void *context)
{
    const real *delta = m->deltas[0];
    real *next = m->deltas[1];
    for (int i = m->count - 1; i >= 0; i--) {
        struct layer *l = &m->layers[i];
        if (l->parameters > 0)
            l->kind->backward_weights(l, m->activations[i], delta, gradients + l->offset, n);
        ready(context, i);
        if (i == 0)
            break;
        l->kind->backward_input(l, weights + l->offset, m->activations[i], m->activations[i + 1], delta, next,
                                n);
        delta = next;
        next = m->deltas[next == m->deltas[0]];
    }
}
