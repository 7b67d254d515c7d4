/* Digits are drawn alike for one seed, and a model learns a few of them at once. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "model.h"
#include "sgd.h"

enum { PIXELS = DIGIT_SIDE * DIGIT_SIDE };

Test(digits, same_seed_same_digits)
{
    unsigned char a[PIXELS], b[PIXELS], c[PIXELS];
    for (uint64_t i = 0; i < 200; i++) {
        int label = data_draw_digit(11, i, a);
        cr_assert(label >= 0 && label <= 9);
        cr_assert(data_draw_digit(11, i, b) == label);
        data_draw_digit(12, i, c);
        cr_assert(memcmp(a, b, PIXELS) == 0);
        cr_assert(memcmp(a, c, PIXELS) != 0);
    }
}

Test(digits, all_digits_come_and_are_mostly_background)
{
    unsigned char pixels[PIXELS];
    int times[10] = {0};
    for (uint64_t i = 0; i < 2000; i++) {
        int ink = 0;
        times[data_draw_digit(1, i, pixels)]++;
        for (int k = 0; k < PIXELS; k++)
            ink += pixels[k] > 100;
        cr_assert(ink >= 8 && ink < PIXELS / 2, "digit %d has %d dark pixels", (int)i, ink);
    }
    for (int i = 0; i < 10; i++)
        cr_assert(times[i] > 120 && times[i] < 280, "%d is drawn %d times in 2000", i, times[i]);
}

Test(order, is_a_permutation_of_seed_and_epoch)
{
    enum { N = 1000 };
    int a[N], b[N], c[N], seen[N] = {0};
    data_order(a, N, 5, 3);
    data_order(b, N, 5, 3);
    data_order(c, N, 5, 4);
    cr_assert(memcmp(a, b, sizeof a) == 0 && memcmp(a, c, sizeof a) != 0);
    for (int i = 0; i < N; i++)
        cr_assert(a[i] >= 0 && a[i] < N && !seen[a[i]]++);
}

static void ignore(void *context, int layer)
{
}

/* 40 steps on 64 images; the loss before and after. */
static void learn(const char *name, double *before, double *after)
{
    enum { N = 64, STEPS = 40 };
    struct failure failure = {""};
    struct model m;
    struct dataset d;
    cr_assert(dataset_create(&d, N, DIGIT_SIDE, DIGIT_SIDE, &failure) == 0);
    cr_assert(model_create(&m, name, DIGIT_SIDE, DIGIT_SIDE, N, NULL, &failure) == 0, "%s", failure.text);
    real *weights = calloc(3 * m.parameters, sizeof *weights), *gradients = weights + m.parameters;
    struct sgd sgd = {.momentum = (real)0.9, .steps = gradients + m.parameters};
    model_initialise(&m, weights, 1);
    for (int i = 0; i < N; i++)
        d.labels[i] = (unsigned char)data_draw_digit(1, (uint64_t)i, d.images + (size_t)i * PIXELS);
    for (int step = 0; step <= STEPS; step++) {
        for (int i = 0; i < N; i++)
            dataset_image(&d, i, model_input(&m) + (size_t)i * PIXELS);
        *after = layer_loss(model_forward(&m, weights, N), d.labels, N, MODEL_CLASSES, (real)1 / N,
                            model_delta(&m));
        if (step == 0)
            *before = *after;
        model_backward(&m, weights, gradients, N, ignore, NULL);
        sgd_update(&sgd, (real)sgd_rate(0.03, step, STEPS + 1), 0, m.parameters, gradients, weights);
    }
    free(weights);
    model_destroy(&m);
    dataset_destroy(&d);
}

Test(learn, a_few_images_quickly)
{
    double before, after;
    learn("lenet", &before, &after);
    cr_assert(before > 2 && after < 0.5, "lenet: loss %g, then %g", before, after);
    learn("mlp", &before, &after);
    cr_assert(before > 2 && after < 0.5, "mlp: loss %g, then %g", before, after);
}

Test(model, is_refused_for_what_it_cannot_take)
{
    struct failure failure = {""};
    struct model m;
    cr_assert(model_create(&m, "lenet", 8, 28, 1, NULL, &failure) == -1);
    cr_assert(strstr(failure.text, "8 x 28"), "%s", failure.text);
    cr_assert(model_create(&m, "alexnet", 28, 28, 1, NULL, &failure) == -1);
    cr_assert(strstr(failure.text, "alexnet"), "%s", failure.text);
}
