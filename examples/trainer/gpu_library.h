/* gpu_library.h: CUDA's driver and cuBLAS, opened at run time. */
#ifndef TRAIN_GPU_LIBRARY_H
#define TRAIN_GPU_LIBRARY_H

#include "failure.h"
#include "gpu_api.h"

/* Fails with a text that says which library is missing and what to do. */
int gpu_library_open(struct gpu_library *library, struct failure *failure);

#endif
