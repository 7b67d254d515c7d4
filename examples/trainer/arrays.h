/* arrays.h: what the trainer does with whole arrays, where they are: in host
 * memory, or in a GPU's. Everywhere `gpu` NULL means the host. */
#ifndef TRAIN_ARRAYS_H
#define TRAIN_ARRAYS_H

#include "data.h"
#include "gpu.h"
#include "model.h"
#include "sgd.h"

/* A set of images where the model computes. */
struct images {
    const struct dataset *host;
    struct gpu *gpu;
    unsigned char *pixels, *labels; /* on the GPU */
    int *order;                     /* room for the indices of a pass there */
};

/* Room for passes of up to `batch` images. `d` must outlive it. On failure nothing is held. */
int images_create(struct images *s, const struct dataset *d, struct gpu *gpu, int batch,
                  struct failure *failure);
void images_destroy(struct images *s);
/* The images order[0 .. n-1] become the model's input, and its labels theirs. */
void images_fetch(const struct images *s, const int *order, int n, struct model *m);

/* `count` zeros; NULL with a text that names `what`. */
real *array_create(struct gpu *gpu, size_t count, const char *what, struct failure *failure);
void array_destroy(struct gpu *gpu, real *array);
void array_zero(struct gpu *gpu, real *array, size_t count);
void array_scale(struct gpu *gpu, real *array, size_t count, real factor);
/* Between an array and the host's: these wait. */
void array_get(struct gpu *gpu, real *host, const real *array, size_t count);
void array_put(struct gpu *gpu, real *array, const real *host, size_t count);
/* sgd_update, where the arrays are. */
void array_step(struct gpu *gpu, const struct sgd *sgd, real rate, size_t from, size_t to,
                const real *gradients, real *weights);
/* layer_loss of the model's n scores against its labels; the loss is written to *loss. */
void array_loss(struct model *m, const real *scores, int n, real scale, real *loss);

#endif
