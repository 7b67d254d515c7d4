/* In the place of the compiled kernels, where Peal was built without nvcc: no driver takes this text for an
 * image, says so, and data on devices is reduced on the host. */
#include "image.h"

const unsigned char pl_cuda_image[] = "Peal was built without nvcc";
