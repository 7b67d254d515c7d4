#include "image.h"
const unsigned char pl_cuda_image[] = "no kernels were built";
