/* gpu_image_built.c: says that the compiled kernels are there. */
#include "gpu_image.h"

const int gpu_image_built = 1;
