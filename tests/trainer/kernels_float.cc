#include "host_kernels.h"
