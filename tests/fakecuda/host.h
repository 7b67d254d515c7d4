/* Stand-ins with which a C++ compiler takes src/cuda/kernels.cu for the host. One thread of one block of
 * the grid is one call; whoever calls sets these first. */
#ifndef FAKECUDA_HOST_H
#define FAKECUDA_HOST_H

#include <string.h>

#define PL_DEVICE        static inline
#define PL_DEVICE_MEMBER inline
#define PL_GLOBAL        extern "C" __attribute__((visibility("default"))) void
#define PL_ROLLED

struct fake_index {
    unsigned x, y, z;
};
extern "C" {
extern thread_local struct fake_index fake_block, fake_thread, fake_grid_size, fake_block_size;
}
#define blockIdx  fake_block
#define threadIdx fake_thread
#define gridDim   fake_grid_size
#define blockDim  fake_block_size

#endif
