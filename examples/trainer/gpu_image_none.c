/* gpu_image_none.c: in the place of the compiled kernels, where peal-train was built without nvcc. */
#include "gpu_image.h"

const unsigned char gpu_image[] = "peal-train was built without nvcc";
const int gpu_image_built = 0;
