/* Device memory by way of libcuda.so.1, opened at run time as src/cuda does it. A handful of functions are
 * used; no header of NVIDIA's is needed for them.
 */
#include "gpu_memory.h"

#include "errors.h"

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

static int call_failed(const char *name, int result)
{
    return pl_fail(PL_ESYSTEM, "%s failed (CUresult %d)", name, result);
}

/* The functions, in the order in which they are used. */
struct calls {
    int (*init)(unsigned flags);
    int (*count)(int *devices);
    int (*get)(int *device, int ordinal);
    int (*retain)(void **context, int device);
    int (*current)(void *context);
    int (*allocate)(uint64_t *address, size_t bytes);
    int (*release)(uint64_t address);
};

static int find(const struct pl_gpu_memory *memory, struct calls *calls)
{
    const struct {
        const char *name;
        void *slot;
    } wanted[] = {
        {"cuInit", &calls->init},
        {"cuDeviceGetCount", &calls->count},
        {"cuDeviceGet", &calls->get},
        {"cuDevicePrimaryCtxRetain", &calls->retain},
        {"cuCtxSetCurrent", &calls->current},
        {"cuMemAlloc_v2", &calls->allocate},
        {"cuMemFree_v2", &calls->release},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        void *address = dlsym(memory->library, wanted[i].name);
        if (!address)
            return pl_fail(PL_EUNSUPPORTED, "libcuda.so.1 has no %s", wanted[i].name);
        memcpy(wanted[i].slot, &address, sizeof address);
    }
    return 0;
}

static int make(struct pl_gpu_memory *memory, int which, size_t bytes)
{
    struct calls cu = {0};
    int devices = 0, result, error = find(memory, &cu);
    void *context;
    uint64_t address;
    if (error)
        return error;
    if ((result = cu.init(0)) || (result = cu.count(&devices)) || !devices)
        return call_failed("cuInit", result);
    if ((result = cu.get(&memory->device, which % devices)))
        return call_failed("cuDeviceGet", result);
    if ((result = cu.retain(&context, memory->device)) || (result = cu.current(context)))
        return call_failed("cuDevicePrimaryCtxRetain", result);
    if ((result = cu.allocate(&address, bytes)))
        return call_failed("cuMemAlloc", result);
    memory->address = (void *)(uintptr_t)address;
    return 0;
}

int pl_gpu_memory_make(struct pl_gpu_memory *memory, int which, size_t bytes)
{
    *memory = (struct pl_gpu_memory){.device = -1};
    memory->library = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (!memory->library)
        return pl_fail(PL_EUNSUPPORTED, "there is no CUDA driver here: %s", dlerror());
    return make(memory, which, bytes);
}

/* The library is never closed: it leaves threads behind. The context goes with the process, which is about to
 * end. */
void pl_gpu_memory_drop(struct pl_gpu_memory *memory)
{
    struct calls cu = {0};
    if (memory->address && !find(memory, &cu))
        cu.release((uint64_t)(uintptr_t)memory->address);
    memory->address = NULL;
}
