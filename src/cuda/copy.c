/* Copies, and packing of what lies in strides.
 *
 *   one block               cuMemcpyAsync
 *   a few strips            cuMemcpy2DAsync each: the copy engine walks the stride by itself
 *   many strips, or such    one kernel that is given the list of them: a warp a block, whatever
 *   as 2D copies cannot     their shape
 *
 * Nothing here waits, and no element is touched one by one from the host. Without kernels (no binary for
 * this device) many strips become many copies, all submitted before anything is waited for.
 */
#include "kernels.h"
#include "state.h"

#include "errors.h"

#include <assert.h>
#include <string.h>

enum {
    FEW_STRIPS = 4,
    SMALL_BLOCK = 64, /* bytes of a block below which a copy engine is slower than a kernel */
    LARGEST_PITCH = 0x7fffffff,
};

static bool is_device(struct pl_cuda *cuda, const void *address)
{
    struct pl_cuda_pointer pointer;
    return pl_cuda_look(cuda, address, &pointer) && pl_cuda_is_device(&pointer);
}

int pl_cuda_copy(struct pl_memory *memory, void *to, const void *from, size_t bytes, struct pl_ticket *ticket)
{
    struct pl_cuda *cuda = pl_cuda_of(memory);
    bool outward = !is_device(cuda, to);
    struct pl_cuda_context *c = pl_cuda_context_of(cuda, outward ? from : to);
    if (!c)
        return PL_ESYSTEM;
    pl_cu_stream stream = outward ? c->out : c->in;
    int error = pl_cuda_enter(c);
    if (error)
        return error;
    error = pl_cuda_follow(c, stream);
    pl_cu_result result = 0;
    if (!error && bytes)
        result = cuda->cu.copy(pl_cu_address_of(to), pl_cu_address_of(from), bytes, stream);
    if (result)
        error = pl_cu_fail(&cuda->cu, result, "to start a copy");
    if (!error)
        error = pl_cuda_record(c, stream, NULL, ticket);
    pl_cuda_leave(c);
    return error;
}

/* Strips on their way to or from `packed`. */
struct job {
    struct pl_cuda_context *context;
    pl_cu_stream stream;
    bool pack, packed_on_device;
    char *packed;
    const struct pl_strip *strips;
    size_t n;
};

static pl_cu_result copy_block(const struct job *job, uintptr_t address, char *packed, size_t bytes)
{
    pl_cu_address there = (pl_cu_address)address, here = pl_cu_address_of(packed);
    return job->pack ? job->context->cuda->cu.copy(here, there, bytes, job->stream)
                     : job->context->cuda->cu.copy(there, here, bytes, job->stream);
}

static pl_cu_result copy_rows(const struct job *job, const struct pl_strip *strip, char *packed)
{
    pl_cu_copy_2d copy = {.width = strip->length, .height = strip->count};
    unsigned type = job->packed_on_device ? PL_CU_MEMORY_DEVICE : PL_CU_MEMORY_HOST;
    size_t pitch = strip->count > 1 ? (size_t)strip->stride : strip->length;
    if (job->pack) {
        copy.source_type = PL_CU_MEMORY_DEVICE;
        copy.source_device = (pl_cu_address)strip->address;
        copy.source_pitch = pitch;
        copy.target_type = type;
        copy.target_host = packed;
        copy.target_device = pl_cu_address_of(packed);
        copy.target_pitch = strip->length;
    } else {
        copy.target_type = PL_CU_MEMORY_DEVICE;
        copy.target_device = (pl_cu_address)strip->address;
        copy.target_pitch = pitch;
        copy.source_type = type;
        copy.source_host = packed;
        copy.source_device = pl_cu_address_of(packed);
        copy.source_pitch = strip->length;
    }
    return job->context->cuda->cu.copy_2d(&copy, job->stream);
}

static bool has_rows(const struct pl_strip *strip)
{
    return strip->stride >= (ptrdiff_t)strip->length && strip->stride <= LARGEST_PITCH;
}

static int by_copies(const struct job *job, struct pl_ticket *ticket)
{
    char *packed = job->packed;
    pl_cu_result result = 0;
    for (size_t i = 0; i < job->n && !result; i++) {
        const struct pl_strip *strip = &job->strips[i];
        if (strip->count == 1) {
            result = copy_block(job, strip->address, packed, strip->length);
        } else if (has_rows(strip)) {
            result = copy_rows(job, strip, packed);
        } else {
            for (size_t k = 0; k < strip->count && !result; k++)
                result = copy_block(job, strip->address + k * (uintptr_t)strip->stride,
                                    packed + k * strip->length, strip->length);
        }
        packed += strip->count * strip->length;
    }
    if (!result)
        return pl_cuda_record(job->context, job->stream, NULL, ticket);
    job->context->cuda->cu.stream_synchronize(job->stream); /* earlier ones still use the caller's memory */
    return pl_cu_fail(&job->context->cuda->cu, result, "to start the copies of a derived datatype");
}

/* A kernel reaches host memory only where the driver has mapped it. */
static bool kernel_reaches(struct pl_cuda *cuda, const void *address)
{
    struct pl_cuda_pointer pointer;
    return pl_cuda_look(cuda, address, &pointer);
}

static int by_kernel(const struct job *job, pl_cu_function function, struct pl_ticket *ticket)
{
    struct pl_cuda *cuda = job->context->cuda;
    struct pl_kernel_strip *list = pl_cuda_pin(&cuda->memory, job->n * sizeof *list);
    if (!list)
        return PL_ENOMEM;
    if (!kernel_reaches(cuda, list)) {
        pl_cuda_unpin(&cuda->memory, list);
        return by_copies(job, ticket);
    }
    size_t at = 0;
    for (size_t i = 0; i < job->n; i++) {
        const struct pl_strip *strip = &job->strips[i];
        list[i] = (struct pl_kernel_strip){strip->address, strip->length, strip->count, at, strip->stride};
        at += strip->count * strip->length;
    }
    struct pl_kernel_strips arguments = {list, job->packed, (int)job->n};
    void *parameters[] = {&arguments};
    unsigned across = at / (32 * 1024) < 1 ? 1 : at / (32 * 1024) > 64 ? 64 : (unsigned)(at / (32 * 1024));
    unsigned along = job->n > 1024 ? 1024 : (unsigned)job->n;
    pl_cu_result result =
        cuda->cu.launch(function, across, along, 1, 256, 1, 1, 0, job->stream, parameters, NULL);
    if (!result)
        return pl_cuda_record(job->context, job->stream, list, ticket);
    pl_cuda_unpin(&cuda->memory, list);
    return pl_cu_fail(&cuda->cu, result, "to start the packing of a derived datatype");
}

static bool wants_kernel(const struct job *job)
{
    if (job->n > FEW_STRIPS)
        return true;
    for (size_t i = 0; i < job->n; i++)
        if (job->strips[i].count > FEW_STRIPS &&
            (!has_rows(&job->strips[i]) || job->strips[i].length < SMALL_BLOCK))
            return true;
    return false;
}

static int move(struct pl_memory *memory, struct job *job, struct pl_ticket *ticket)
{
    struct pl_cuda *cuda = pl_cuda_of(memory);
    assert(job->n);
    struct pl_cuda_context *c = pl_cuda_context_of(cuda, (const void *)job->strips[0].address);
    if (!c)
        return PL_ESYSTEM;
    job->context = c;
    job->packed_on_device = is_device(cuda, job->packed);
    job->stream = job->pack && !job->packed_on_device ? c->out : c->in;
    int error = pl_cuda_enter(c);
    if (error)
        return error;
    error = pl_cuda_follow(c, job->stream);
    pl_cu_function function = NULL;
    if (!error && wants_kernel(job) && kernel_reaches(cuda, job->packed))
        function = pl_cuda_function(c, job->pack ? "pl_gather" : "pl_scatter");
    if (!error)
        error = function ? by_kernel(job, function, ticket) : by_copies(job, ticket);
    pl_cuda_leave(c);
    return error;
}

int pl_cuda_gather(struct pl_memory *memory, void *packed, const struct pl_strip *strips, size_t n,
                   struct pl_ticket *ticket)
{
    struct job job = {.pack = true, .packed = packed, .strips = strips, .n = n};
    return move(memory, &job, ticket);
}

int pl_cuda_scatter(struct pl_memory *memory, const void *packed, const struct pl_strip *strips, size_t n,
                    struct pl_ticket *ticket)
{
    struct job job = {.packed = (char *)(uintptr_t)packed, .strips = strips, .n = n};
    return move(memory, &job, ticket);
}
