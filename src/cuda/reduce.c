/* Kernels by name, and reductions with them.
 *
 * The kernels (kernels.cu) are compiled by nvcc when Peal is built and lie in the library as one image,
 * pl_cuda_image. It is loaded into a context when first asked for. Where it was not built, or has nothing
 * for this device, there is no kernel of any name, and the caller reduces on the host: said once in
 * the log.
 */
#include "image.h"
#include "kernels.h"
#include "state.h"

#include "errors.h"
#include "log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)PL_KERNEL_OPERANDS == (int)PL_MEMORY_OPERANDS, "one list of operands");

static void load(struct pl_cuda_context *c)
{
    c->tried_module = true;
    c->kernels = calloc(PL_CUDA_KERNELS, sizeof *c->kernels);
    pl_cu_result result =
        c->kernels ? c->cuda->cu.module_load(&c->module, pl_cuda_image) : PL_CU_OUT_OF_MEMORY;
    if (!result)
        return;
    c->module = NULL;
    pl_cu_fail(&c->cuda->cu, result, "to load Peal's kernels");
    pl_info("%s: buffers on device %d are reduced on the host", pl_fail_text(), c->device);
}

static unsigned hash(const char *name)
{
    unsigned h = 2166136261u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    return h;
}

pl_cu_function pl_cuda_function(struct pl_cuda_context *c, const char *name)
{
    if (!c->tried_module)
        load(c);
    if (!c->module)
        return NULL;
    unsigned at = hash(name);
    for (int tries = 0; tries < PL_CUDA_KERNELS; tries++) {
        struct pl_cuda_kernel *kernel = &c->kernels[(at + (unsigned)tries) % PL_CUDA_KERNELS];
        if (!strcmp(kernel->name, name))
            return kernel->function;
        if (kernel->name[0])
            continue;
        snprintf(kernel->name, sizeof kernel->name, "%s", name);
        if (c->cuda->cu.module_function(&kernel->function, c->module, name))
            kernel->function = NULL;
        return kernel->function;
    }
    return NULL;
}

const void *pl_cuda_kernel(struct pl_memory *memory, const void *address, const char *name)
{
    struct pl_cuda_context *c = pl_cuda_context_of(pl_cuda_of(memory), address);
    char full[28];
    snprintf(full, sizeof full, "pl_%s", name);
    if (!c || pl_cuda_enter(c))
        return NULL;
    pl_cu_function function = pl_cuda_function(c, full);
    pl_cuda_leave(c);
    return function;
}

int pl_cuda_reduce(struct pl_memory *memory, const struct pl_reduction *r, struct pl_ticket *ticket)
{
    enum { THREADS = 256, PER_THREAD = 8, PER_MULTIPROCESSOR = 8 };
    struct pl_cuda *cuda = pl_cuda_of(memory);
    assert(r->inputs >= 1 && r->inputs <= PL_MEMORY_OPERANDS && r->outputs <= PL_MEMORY_OPERANDS);
    struct pl_cuda_context *c = pl_cuda_context_of(cuda, r->out[0]);
    if (!c)
        return PL_ESYSTEM;
    struct pl_kernel_reduction arguments = {.inputs = r->inputs, .outputs = r->outputs, .count = r->count};
    memcpy(arguments.in, r->in, sizeof arguments.in);
    memcpy(arguments.out, r->out, sizeof arguments.out);
    void *parameters[] = {&arguments};
    size_t blocks = r->count / (THREADS * PER_THREAD) + 1,
           most = (size_t)c->multiprocessors * PER_MULTIPROCESSOR;
    if (most && blocks > most)
        blocks = most;
    int error = pl_cuda_enter(c);
    if (error)
        return error;
    error = pl_cuda_follow(c, c->in);
    pl_cu_result result = 0;
    if (!error)
        result = cuda->cu.launch((pl_cu_function)(uintptr_t)r->kernel, (unsigned)blocks, 1, 1, THREADS, 1, 1,
                                 0, c->in, parameters, NULL);
    if (result)
        error = pl_cu_fail(&cuda->cu, result, "to start a reduction");
    if (!error)
        error = pl_cuda_record(c, c->in, NULL, ticket);
    pl_cuda_leave(c);
    return error;
}
