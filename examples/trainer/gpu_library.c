/* gpu_library.c: opens libcuda.so.1 and libcublas.so.
 *
 * They are not linked, because peal-train is one program for machines with and
 * without a GPU: linked with cuBLAS it would not even print its --help where
 * that is not installed. cuBLAS is looked for where the loader looks and where
 * the toolkit installs itself. Neither is closed again: both leave threads and
 * exit handlers behind.
 */
#include "gpu_library.h"

#include <dlfcn.h>
#include <string.h>

static int look_up(void *handle, const char *symbol, void *slot, const char *name, struct failure *failure)
{
    void *address = dlsym(handle, symbol);
    if (!address)
        return fail(failure, "--device cuda: %s has no %s: it is too old, CUDA 11 or later is needed", name,
                    symbol);
    memcpy(slot, &address, sizeof address);
    return 0;
}

static void *open_blas(const char **name)
{
    static const char *const names[] = {"libcublas.so.13",
                                        "libcublas.so.12",
                                        "libcublas.so.11",
                                        "/usr/local/cuda/lib64/libcublas.so.13",
                                        "/usr/local/cuda/lib64/libcublas.so.12",
                                        "/usr/local/cuda/lib64/libcublas.so.11"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *handle = dlopen(*name = names[i], RTLD_NOW | RTLD_LOCAL);
        if (handle)
            return handle;
    }
    return NULL;
}

int gpu_library_open(struct gpu_library *library, struct failure *failure)
{
    const char *name = "libcuda.so.1";
    void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return fail(failure,
                    "--device cuda: there is no CUDA driver here (%s): install NVIDIA's, or train "
                    "with --device cpu",
                    dlerror());
#define NAME(symbol) #symbol
#define LOOK_UP(member, symbol, parameters)                                                                  \
    if (look_up(handle, NAME(symbol), &library->member, name, failure) != 0)                                 \
        return -1;
    GPU_DRIVER_CALLS(LOOK_UP)
    handle = open_blas(&name);
    if (!handle)
        return fail(failure, "--device cuda: cuBLAS was not found (libcublas.so.13, .12 or .11): install it "
                             "(it is part of the CUDA toolkit), or name its directory in LD_LIBRARY_PATH");
    GPU_BLAS_CALLS(LOOK_UP)
#undef LOOK_UP
#undef NAME
    return 0;
}
