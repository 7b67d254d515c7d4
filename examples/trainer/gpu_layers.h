/* gpu_layers.h: the network's layers on a GPU. */
#ifndef TRAIN_GPU_LAYERS_H
#define TRAIN_GPU_LAYERS_H

#include "gpu.h"
#include "layer.h"

/* Makes *l the same layer on the GPU: its operations then take arrays there, `scratch_size` is that of
 * a pass of up to `batch` samples, and `scratch` must be device memory. Initialising is still the host's. */
void gpu_layer(struct layer *l, struct gpu *gpu, int batch);

/* As layer_loss, all arrays on the device: the loss is written to *loss. `room` is 2 * n reals. */
void gpu_loss(struct gpu *gpu, const real *scores, const unsigned char *labels, int n, int classes,
              real scale, real *delta, real *loss, real *room);

/* count values become `value`. */
void gpu_fill(struct gpu *gpu, real *to, size_t count, real value);

#endif
