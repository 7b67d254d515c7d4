/* CUDA's memory, as base/memory.h wants it: opening, asking what a pointer is, closing.
 *
 *   p2p, collectives  --- struct pl_memory_driver --->  cuda.c
 *                                                        context.c   contexts, streams, tickets, order
 *                                                        copy.c      copies, packing of strips
 *                                                        reduce.c    kernels by name, and their launch
 *                                                        pool.c      memory kept between uses
 *                                                        ipc.c       cards: memory of other processes
 *                                                        detour.c    calls that keep their place in a stream
 *
 * Each rank has its own streams, two a context: one for copies to the host, one for all else, so that what
 * goes out and what comes in can overlap. They are of the kind that is in order with the legacy default
 * stream, so whatever a program has submitted there before an MPI call is done before its buffer is
 * read, and what it submits after the call comes after what the call has written.
 */
#include "state.h"

#include "errors.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>

static void cuda_close(struct pl_memory *memory)
{
    if (!memory)
        return;
    struct pl_cuda *cuda = pl_cuda_of(memory);
    if (cuda->ncontexts && !pl_cuda_enter(cuda->contexts[0])) {
        pl_cuda_imports_finish(cuda);
        pl_cuda_pool_finish(cuda, &cuda->pinned, false);
        pl_cuda_leave(cuda->contexts[0]);
    } else {
        pl_cuda_pool_finish(cuda, &cuda->pinned, false);
    }
    pl_cuda_contexts_finish(cuda);
    free(cuda);
}

static int cuda_open(struct pl_memory **memory)
{
    struct pl_cuda *cuda = calloc(1, sizeof *cuda);
    if (!cuda)
        return pl_fail(PL_ENOMEM, "no memory for CUDA's side of a rank");
    cuda->memory.driver = &pl_memory_cuda;
    cuda->process = pl_cuda_process_number();
    pl_cuda_pool_init(&cuda->pinned);
    int error = pl_cu_library_open(&cuda->cu);
    if (error) {
        free(cuda);
        return error;
    }
    *memory = &cuda->memory;
    return 0;
}

static bool cuda_holds(struct pl_memory *memory, const void *address)
{
    struct pl_cuda_pointer pointer;
    return address && pl_cuda_look(pl_cuda_of(memory), address, &pointer) && pl_cuda_is_device(&pointer);
}

static pl_cu_result count_devices(struct pl_cuda *cuda, int *devices)
{
    *devices = 0;
    pl_cu_result result = cuda->cu.device_count(devices);
    if (result != PL_CU_NOT_INITIALIZED)
        return result;
    result = cuda->cu.init(0);
    return result ? result : cuda->cu.device_count(devices);
}

static bool cuda_usable(struct pl_memory *memory)
{
    int devices;
    return !count_devices(pl_cuda_of(memory), &devices) && devices > 0;
}

static void cuda_describe(struct pl_memory *memory, char *text, size_t size)
{
    struct pl_cuda *cuda = pl_cuda_of(memory);
    int version = 0, devices;
    cuda->cu.version(&version);
    pl_cu_result result = count_devices(cuda, &devices);
    if (result) {
        const char *why = NULL;
        cuda->cu.error_text(result, &why);
        snprintf(text, size, "driver for CUDA %d.%d, no device can be used: %s", version / 1000,
                 version % 1000 / 10, why ? why : "unknown error");
        return;
    }
    char name[64] = "";
    pl_cu_device device;
    if (devices && !cuda->cu.device_get(&device, 0))
        cuda->cu.device_name(name, sizeof name, device);
    snprintf(text, size, "driver for CUDA %d.%d, %d device%s%s%s", version / 1000, version % 1000 / 10,
             devices, devices == 1 ? "" : "s", name[0] ? ": " : "", name);
}

const struct pl_memory_driver pl_memory_cuda = {
    .name = "cuda",
    .open = cuda_open,
    .close = cuda_close,
    .usable = cuda_usable,
    .holds = cuda_holds,
    .copy = pl_cuda_copy,
    .gather = pl_cuda_gather,
    .scatter = pl_cuda_scatter,
    .kernel = pl_cuda_kernel,
    .reduce = pl_cuda_reduce,
    .poll = pl_cuda_poll,
    .wait = pl_cuda_wait,
    .settle = pl_cuda_settle,
    .allocate = pl_cuda_allocate,
    .release = pl_cuda_release,
    .pin = pl_cuda_pin,
    .unpin = pl_cuda_unpin,
    .share = pl_cuda_share,
    .reach = pl_cuda_reach,
    .follow = pl_cuda_follow_stream,
    .lead = pl_cuda_lead_stream,
    .detour = pl_cuda_detour,
    .describe = cuda_describe,
};
