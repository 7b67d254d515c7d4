/* arrays.c: the one place that knows whether an array is the host's or a GPU's.
 *
 * On a GPU the whole data set lies there, a byte a pixel, and a pass is put
 * together from it by one kernel: what crosses the bus in a step is the indices
 * of its images, and the loss on the way back.
 */
#include "arrays.h"

#include <stdlib.h>
#include <string.h>

#include "gpu_layers.h"

static void *to_device(struct gpu *gpu, const void *from, size_t bytes, const char *what,
                       struct failure *failure)
{
    void *there = gpu_allocate(gpu, bytes, what, failure);
    if (there && from)
        gpu_upload(gpu, there, from, bytes);
    return there;
}

int images_create(struct images *s, const struct dataset *d, struct gpu *gpu, int batch,
                  struct failure *failure)
{
    struct images made = {.host = d, .gpu = gpu};
    size_t count = (size_t)d->count, pixels = count * (size_t)d->height * (size_t)d->width;
    *s = made;
    if (!gpu)
        return 0;
    made.pixels = to_device(gpu, d->images, pixels, "the images", failure);
    made.labels = made.pixels ? to_device(gpu, d->labels, count, "the labels", failure) : NULL;
    made.order = made.labels ? to_device(gpu, NULL, (size_t)batch * sizeof(int), "a pass", failure) : NULL;
    if (!made.order) {
        images_destroy(&made);
        return -1;
    }
    *s = made;
    return 0;
}

void images_destroy(struct images *s)
{
    if (!s || !s->gpu)
        return;
    gpu_free(s->gpu, s->pixels);
    gpu_free(s->gpu, s->labels);
    gpu_free(s->gpu, s->order);
    *s = (struct images){.host = NULL};
}

void images_fetch(const struct images *s, const int *order, int n, struct model *m)
{
    const struct dataset *d = s->host;
    size_t pixels = (size_t)d->height * (size_t)d->width;
    if (s->gpu) {
        struct kernel_images a = {s->pixels, s->labels, s->order,  model_input(m), m->labels,
                                  pixels,    n,         DATA_MEAN, DATA_SCALE};
        gpu_upload(s->gpu, s->order, order, (size_t)n * sizeof *order);
        gpu_launch(s->gpu, GPU_images, &a, (size_t)n * pixels);
        return;
    }
    for (int i = 0; i < n; i++) {
        dataset_image(d, order[i], model_input(m) + (size_t)i * pixels);
        m->labels[i] = d->labels[order[i]];
    }
}

real *array_create(struct gpu *gpu, size_t count, const char *what, struct failure *failure)
{
    real *made = gpu ? gpu_allocate(gpu, count * sizeof *made, what, failure) : calloc(count, sizeof *made);
    if (made && gpu)
        gpu_fill(gpu, made, count, 0);
    if (!made && !gpu)
        failure_set(failure, "no memory for %s (%zu MiB)", what, (count * sizeof *made >> 20) + 1);
    return made;
}

void array_destroy(struct gpu *gpu, real *array)
{
    if (gpu)
        gpu_free(gpu, array);
    else
        free(array);
}

void array_zero(struct gpu *gpu, real *array, size_t count)
{
    if (gpu)
        gpu_fill(gpu, array, count, 0);
    else
        memset(array, 0, count * sizeof *array);
}

void array_scale(struct gpu *gpu, real *array, size_t count, real factor)
{
    struct kernel_affine a = {array, count, factor, 0};
    if (gpu)
        gpu_launch(gpu, GPU_affine, &a, count);
    for (size_t i = 0; !gpu && i < count; i++)
        array[i] *= factor;
}

void array_get(struct gpu *gpu, real *host, const real *array, size_t count)
{
    if (gpu)
        gpu_download(gpu, host, array, count * sizeof *array);
    else if (host != array)
        memcpy(host, array, count * sizeof *array);
}

void array_put(struct gpu *gpu, real *array, const real *host, size_t count)
{
    if (gpu)
        gpu_upload(gpu, array, host, count * sizeof *array);
    else if (host != array)
        memcpy(array, host, count * sizeof *array);
}

void array_step(struct gpu *gpu, const struct sgd *sgd, real rate, size_t from, size_t to,
                const real *gradients, real *weights)
{
    struct kernel_step a = {gradients + from, sgd->steps + from, weights + from, to - from, rate,
                            sgd->momentum,    sgd->decay};
    if (gpu)
        gpu_launch(gpu, GPU_step, &a, a.count);
    else
        sgd_update(sgd, rate, from, to, gradients, weights);
}

void array_loss(struct model *m, const real *scores, int n, real scale, real *loss)
{
    if (m->gpu)
        gpu_loss(m->gpu, scores, m->labels, n, MODEL_CLASSES, scale, model_delta(m), loss, model_room(m));
    else
        *loss = (real)layer_loss(scores, m->labels, n, MODEL_CLASSES, scale, model_delta(m));
}
