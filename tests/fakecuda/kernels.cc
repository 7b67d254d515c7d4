/* The real kernels, compiled for the host. */
#include "host.h"

#include "kernels.cu"
