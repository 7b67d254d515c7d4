/* Every layer's gradients against finite differences, in double.
 *
 * A layer is given random weights, input and a random direction d; the scalar
 * f = sum(d * out) has the gradients that the backward pass should put out for
 * delta_out = d. Each is compared with (f(x + h) - f(x - h)) / 2h for every single
 * weight and input value.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "model.h"

enum { SAMPLES = 3 };

struct bench {
    struct layer layer;
    size_t ins, outs;
    real *weights, *in, *out, *direction, *gradient, *delta_in;
};

static real *random_values(size_t count, struct random *r)
{
    real *values = malloc((count + 1) * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = random_between(r, -1, 1);
    return values;
}

static double value(struct bench *b)
{
    double sum = 0;
    b->layer.kind->forward(&b->layer, b->weights, b->in, b->out, SAMPLES);
    for (size_t i = 0; i < b->outs; i++)
        sum += b->direction[i] * b->out[i];
    return sum;
}

static void compare(struct bench *b, real *variables, const real *gradient, size_t count, const char *what)
{
    const double h = 1e-5;
    for (size_t i = 0; i < count; i++) {
        double kept = variables[i];
        variables[i] = kept + h;
        double above = value(b);
        variables[i] = kept - h;
        double below = value(b), slope = (above - below) / (2 * h);
        variables[i] = kept;
        cr_assert_float_eq(gradient[i], slope, 1e-7 * (1 + fabs(slope)), "%s: d/d%s[%zu] is %.12g, not %.12g",
                           b->layer.kind->name, what, i, slope, gradient[i]);
    }
}

static void check(struct layer layer)
{
    struct random r = random_stream(7, RANDOM_ORDER, 0);
    struct bench b = {
        .layer = layer, .ins = shape_size(layer.in) * SAMPLES, .outs = shape_size(layer.out) * SAMPLES};
    b.layer.scratch = malloc(layer.scratch_size + 64);
    b.weights = random_values(layer.parameters, &r);
    b.in = random_values(b.ins, &r);
    b.direction = random_values(b.outs, &r);
    b.out = random_values(b.outs, &r);
    b.gradient = random_values(layer.parameters, &r);
    b.delta_in = random_values(b.ins, &r);
    value(&b);
    if (layer.parameters > 0)
        layer.kind->backward_weights(&b.layer, b.in, b.direction, b.gradient, SAMPLES);
    layer.kind->backward_input(&b.layer, b.weights, b.in, b.out, b.direction, b.delta_in, SAMPLES);
    compare(&b, b.weights, b.gradient, layer.parameters, "weight");
    compare(&b, b.in, b.delta_in, b.ins, "input");
    real *all[] = {b.weights, b.in, b.out, b.direction, b.gradient, b.delta_in};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
    free(b.layer.scratch);
}

Test(gradients, convolution)
{
    check(layer_convolution((struct shape){2, 9, 8}, 3, 5, 0));
    check(layer_convolution((struct shape){3, 6, 7}, 4, 5, 2));
    check(layer_convolution((struct shape){1, 4, 4}, 2, 3, 1));
    check(layer_convolution((struct shape){2, 5, 5}, 3, 1, 0));
}

/* So large that the samples do not fit into one group of columns. */
Test(gradients, convolution_in_groups)
{
    check(layer_convolution((struct shape){1, 40, 41}, 1, 3, 1));
}

Test(gradients, maxpool)
{
    check(layer_maxpool((struct shape){3, 6, 8}));
    check(layer_maxpool((struct shape){2, 7, 5}));
}

Test(gradients, relu)
{
    check(layer_relu((struct shape){2, 5, 3}));
}

Test(gradients, tanh)
{
    check(layer_tanh((struct shape){2, 5, 3}));
}

Test(gradients, flatten)
{
    check(layer_flatten((struct shape){4, 3, 5}));
}

Test(gradients, dense)
{
    check(layer_dense((struct shape){13, 1, 1}, 7));
    check(layer_dense((struct shape){1, 5, 4}, 3));
}

Test(gradients, equal_values_are_paid_once)
{
    struct layer l = layer_maxpool((struct shape){1, 2, 2});
    real in[4] = {2, 2, 2, 2}, out[1], delta[1] = {1}, back[4];
    l.kind->forward(&l, NULL, in, out, 1);
    l.kind->backward_input(&l, NULL, in, out, delta, back, 1);
    cr_assert(back[0] == 1 && back[1] == 0 && back[2] == 0 && back[3] == 0);
}

Test(gradients, loss)
{
    enum { N = 4, CLASSES = 10 };
    struct random r = random_stream(8, RANDOM_ORDER, 0);
    unsigned char labels[N] = {3, 0, 9, 3};
    real *scores = random_values(N * CLASSES, &r), delta[N * CLASSES], unused[N * CLASSES];
    double loss = layer_loss(scores, labels, N, CLASSES, 0.25, delta);
    cr_assert(loss > 0);
    for (int i = 0; i < N * CLASSES; i++) {
        const double h = 1e-5, kept = scores[i];
        scores[i] = kept + h;
        double above = layer_loss(scores, labels, N, CLASSES, 0.25, unused);
        scores[i] = kept - h;
        double below = layer_loss(scores, labels, N, CLASSES, 0.25, unused);
        scores[i] = kept;
        cr_assert_float_eq(delta[i], (above - below) / (2 * h), 1e-8);
    }
    free(scores);
}

Test(gradients, loss_of_huge_scores_is_finite)
{
    real scores[2][10] = {{1e30, -1e30}, {-1e30, 1e30}}, delta[20];
    unsigned char labels[2] = {0, 1};
    cr_assert(fabs(layer_loss(&scores[0][0], labels, 2, 10, 1, delta)) < 1e-9);
}

static void ignore(void *context, int layer)
{
    int *last = context;
    cr_assert(layer == *last - 1, "layer %d is ready after layer %d", layer, *last);
    *last = layer;
}

/* The whole network, at every 97th weight: the layers' places and order are right too. */
static void check_model(const char *name)
{
    enum { N = 4 };
    struct failure failure = {""};
    struct model m;
    struct random r = random_stream(9, RANDOM_ORDER, 0);
    unsigned char labels[N] = {1, 2, 3, 4};
    const double h = 1e-6;
    cr_assert(model_create(&m, name, 16, 16, N, NULL, &failure) == 0, "%s", failure.text);
    real *weights = random_values(m.parameters, &r), *gradients = random_values(m.parameters, &r);
    real unused[N * MODEL_CLASSES];
    int last = m.count;
    model_initialise(&m, weights, 5);
    for (size_t i = 0; i < N * shape_size(m.layers[0].in); i++)
        model_input(&m)[i] = random_between(&r, -1, 1);
    layer_loss(model_forward(&m, weights, N), labels, N, MODEL_CLASSES, 1, model_delta(&m));
    model_backward(&m, weights, gradients, N, ignore, &last);
    cr_assert(last == 0);
    for (size_t i = 0; i < m.parameters; i += 97) {
        double kept = weights[i];
        weights[i] = kept + h;
        double above = layer_loss(model_forward(&m, weights, N), labels, N, MODEL_CLASSES, 1, unused);
        weights[i] = kept - h;
        double below = layer_loss(model_forward(&m, weights, N), labels, N, MODEL_CLASSES, 1, unused);
        weights[i] = kept;
        cr_assert_float_eq(gradients[i], (above - below) / (2 * h), 1e-6, "%s: weight %zu: %.9g, not %.9g",
                           name, i, (above - below) / (2 * h), gradients[i]);
    }
    free(weights);
    free(gradients);
    model_destroy(&m);
}

Test(gradients, whole_models)
{
    check_model("lenet");
    check_model("mlp");
}
