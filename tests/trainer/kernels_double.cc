#define TRAIN_DOUBLE
#include "host_kernels.h"
