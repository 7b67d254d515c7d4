/* The trainer's kernels, compiled for the host and given to the double of the driver; in float, or with
 * TRAIN_DOUBLE in double. */
#include <cmath>

#include "host.h"

extern "C" void fakecuda_kernel(const char *name, void (*run)(const void *arguments), size_t bytes,
                                int pointers);

#define TRAIN_DEVICE             static inline
#define TRAIN_KERNEL(name, type) static void train_##name(const struct type &a)

namespace
{

using std::exp;
using std::log;
using std::tanh;

#include "gpu_kernels.cu"

/* How many pointers each struct begins with. */
enum {
    POINTERS_kernel_images = 5,
    POINTERS_kernel_patches = 2,
    POINTERS_kernel_pool = 4,
    POINTERS_kernel_map = 3,
    POINTERS_kernel_flatten = 2,
    POINTERS_kernel_rows = 2,
    POINTERS_kernel_loss = 4,
    POINTERS_kernel_step = 3,
    POINTERS_kernel_affine = 1
};

#define RUN(name, type)                                                                                      \
    void run_##name(const void *arguments)                                                                   \
    {                                                                                                        \
        train_##name(*static_cast<const struct type *>(arguments));                                          \
    }
TRAIN_KERNELS(RUN)

__attribute__((constructor)) void add_kernels()
{
#define ADD(name, type)                                                                                      \
    fakecuda_kernel(TRAIN_KERNEL_NAME(name), run_##name, sizeof(struct type), POINTERS_##type);
    TRAIN_KERNELS(ADD)
}

} /* namespace */
