/* fakecuda: streams, events, kernels. What is submitted is written down with a number and done when somebody
 * waits for it, or for something that CUDA orders after it:
 *
 *   a stream      does its work in order of submission
 *   legacy        work on the default stream comes after all work submitted before on blocking streams of the
 *                 context, and before all submitted after
 *   OP_WAIT       what the event marked comes first
 */
#include "fake.h"
#include "kernels.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_index {
    unsigned x, y, z;
};
/* The stand-ins of host.h. */
extern _Thread_local struct fake_index fake_block, fake_thread, fake_grid_size, fake_block_size;

static pl_cu_result ready(bool wants_context)
{
    return !fake.initialized                ? PL_CU_NOT_INITIALIZED
           : wants_context && !fake_current ? PL_CU_INVALID_CONTEXT
                                            : fake.fault;
}

struct pl_cu_stream_s *fake_stream(struct pl_cu_stream_s *stream)
{
    return stream ? stream : fake_current->legacy;
}

static void copy_2d(const struct op *op)
{
    const pl_cu_copy_2d *c = &op->copy;
    uintptr_t from =
        c->source_type == PL_CU_MEMORY_HOST ? (uintptr_t)c->source_host : (uintptr_t)c->source_device;
    uintptr_t to =
        c->target_type == PL_CU_MEMORY_HOST ? (uintptr_t)c->target_host : (uintptr_t)c->target_device;
    for (size_t row = 0; row < c->height; row++) {
        const char *source = fake_reach(from + row * c->source_pitch, c->width);
        char *target = fake_reach(to + row * c->target_pitch, c->width);
        if (source && target)
            memmove(target, source, c->width);
    }
}

static bool reach_strips(struct pl_kernel_strips *s, struct pl_kernel_strip **copies)
{
    size_t total = 0;
    if (!fake_find((uintptr_t)s->strips) || !fake_find((uintptr_t)s->packed)) {
        fprintf(stderr, "fakecuda: a kernel reads memory that is not a device's and not page-locked\n");
        fake.fault = PL_CU_ILLEGAL_ADDRESS;
        return false;
    }
    *copies = calloc((size_t)s->n, sizeof **copies);
    for (int i = 0; i < s->n; i++) {
        struct pl_kernel_strip *strip = &(*copies)[i];
        *strip = s->strips[i];
        long long span = strip->stride * (long long)(strip->count - 1);
        uintptr_t low = (uintptr_t)strip->address + (uintptr_t)(span < 0 ? span : 0);
        char *there = fake_reach(low, (size_t)(span < 0 ? -span : span) + strip->length);
        if (!there)
            return false;
        strip->address = (uintptr_t)there + ((uintptr_t)strip->address - low);
        total += strip->count * strip->length;
    }
    s->strips = *copies;
    s->packed = fake_reach((uintptr_t)s->packed, total);
    return s->packed != NULL;
}

static bool reach_operands(struct pl_kernel_reduction *r)
{
    bool all = true;
    for (int k = 0; k < r->inputs; k++)
        all = (r->in[k] = fake_reach((uintptr_t)r->in[k], r->count)) && all;
    for (int k = 0; k < r->outputs; k++)
        all = (r->out[k] = fake_reach((uintptr_t)r->out[k], r->count)) && all;
    return all;
}

static bool moves(const char *name)
{
    return !strcmp(name, "pl_gather") || !strcmp(name, "pl_scatter");
}

static void run_kernel(struct op *op)
{
    struct pl_kernel_strip *copies = NULL;
    struct pl_kernel_strips strips;
    struct pl_kernel_reduction reduction;
    bool pack = moves(op->function->name), reached;
    memcpy(&strips, op->arguments.bytes, sizeof strips);
    memcpy(&reduction, op->arguments.bytes, sizeof reduction);
    reached = pack ? reach_strips(&strips, &copies) : reach_operands(&reduction);
    fake_grid_size = (struct fake_index){op->grid_x, op->grid_y, 1};
    fake_block_size = (struct fake_index){op->block_x, 1, 1};
    for (unsigned y = 0; y < op->grid_y && reached; y++)
        for (unsigned x = 0; x < op->grid_x; x++)
            for (unsigned t = 0; t < op->block_x; t++) {
                fake_block = (struct fake_index){x, y, 0};
                fake_thread = (struct fake_index){t, 0, 0};
                if (pack)
                    ((void (*)(struct pl_kernel_strips))op->function->run)(strips);
                else
                    ((void (*)(struct pl_kernel_reduction))op->function->run)(reduction);
            }
    fake.counts.kernels++;
    free(copies);
}

static void perform(struct op *op)
{
    char *to = NULL;
    const char *from = NULL;
    switch (op->kind) {
    case OP_COPY:
        to = fake_reach((uintptr_t)op->to, op->bytes);
        from = fake_reach((uintptr_t)op->from, op->bytes);
        if (to && from)
            memmove(to, from, op->bytes);
        fake.counts.copies++;
        break;
    case OP_COPY_2D:
        copy_2d(op);
        fake.counts.copies++;
        break;
    case OP_SET:
        if ((to = fake_reach((uintptr_t)op->to, op->bytes)))
            memset(to, op->byte, op->bytes);
        break;
    case OP_KERNEL:
        run_kernel(op);
        break;
    case OP_WAIT:
        fake_run(op->wait_stream, op->wait_number);
        break;
    case OP_MARK:
        break;
    }
}

/* What CUDA orders before the next work of the stream. */
static void run_before(struct pl_cu_stream_s *stream, uint64_t number)
{
    struct pl_cu_stream_s *legacy = stream->context->legacy;
    if (stream->blocking)
        fake_run(legacy, number - 1);
    else if (stream == legacy)
        for (struct pl_cu_stream_s *s = fake.streams; s; s = s->next)
            if (s->blocking && s->context == stream->context)
                fake_run(s, number - 1);
}

void fake_run(struct pl_cu_stream_s *stream, uint64_t number)
{
    while (stream->first && stream->first->number <= number) {
        uint64_t next = stream->first->number;
        run_before(stream, next);
        struct op *op = stream->first;
        if (!op || op->number != next)
            continue; /* it was done on the way */
        stream->first = op->next;
        if (!stream->first)
            stream->last = NULL;
        perform(op);
        free(op);
    }
}

void fake_run_all(void)
{
    for (struct pl_cu_stream_s *s = fake.streams; s; s = s->next)
        fake_run(s, UINT64_MAX);
}

/* Locked, with a context. */
static uint64_t submit(struct pl_cu_stream_s *stream, struct op what)
{
    struct op *op = malloc(sizeof *op);
    *op = what;
    op->next = NULL;
    op->number = ++fake.numbers;
    stream = fake_stream(stream);
    if (stream->last)
        stream->last->next = op;
    else
        stream->first = op;
    stream->last = op;
    return op->number;
}

/* Submits; with `wait`, does it as well. */
static pl_cu_result submit_locked(struct pl_cu_stream_s *stream, const struct op *what, bool wait)
{
    fake_lock();
    pl_cu_result result = ready(true);
    if (!result) {
        uint64_t number = submit(stream, *what);
        if (wait)
            fake_run(fake_stream(stream), number);
        result = fake.fault;
    }
    fake_unlock();
    return result;
}

pl_cu_result cuMemcpyAsync(pl_cu_address to, pl_cu_address from, size_t bytes, pl_cu_stream stream)
{
    struct op op = {.kind = OP_COPY, .to = to, .from = from, .bytes = bytes};
    return submit_locked(stream, &op, false);
}

pl_cu_result cuMemcpy(pl_cu_address to, pl_cu_address from, size_t bytes)
{
    struct op op = {.kind = OP_COPY, .to = to, .from = from, .bytes = bytes};
    return submit_locked(NULL, &op, true);
}

pl_cu_result cuMemcpy2DAsync_v2(const pl_cu_copy_2d *copy, pl_cu_stream stream)
{
    struct op op = {.kind = OP_COPY_2D, .copy = *copy};
    if (copy->height > 1 && (copy->source_pitch < copy->width || copy->target_pitch < copy->width))
        return PL_CU_INVALID_VALUE;
    return submit_locked(stream, &op, false);
}

pl_cu_result cuMemsetD8Async(pl_cu_address to, unsigned char byte, size_t bytes, pl_cu_stream stream)
{
    struct op op = {.kind = OP_SET, .to = to, .byte = byte, .bytes = bytes};
    return submit_locked(stream, &op, false);
}

pl_cu_result cuStreamSynchronize(pl_cu_stream stream)
{
    struct op op = {.kind = OP_MARK};
    return submit_locked(stream, &op, true);
}

pl_cu_result cuStreamDestroy_v2(pl_cu_stream stream)
{
    fake_lock();
    fake_run(stream, UINT64_MAX);
    struct pl_cu_stream_s **link = &fake.streams;
    while (*link && *link != stream)
        link = &(*link)->next;
    if (*link)
        *link = stream->next;
    stream->next = fake.gone; /* not freed: an event may still name it */
    fake.gone = stream;
    fake_unlock();
    return 0;
}

pl_cu_result cuStreamWaitEvent(pl_cu_stream stream, pl_cu_event event, unsigned flags)
{
    (void)flags;
    struct op op = {.kind = OP_WAIT, .wait_stream = event->stream, .wait_number = event->number};
    return event->stream ? submit_locked(stream, &op, false) : 0;
}

pl_cu_result cuEventCreate(pl_cu_event *event, unsigned flags)
{
    (void)flags;
    *event = calloc(1, sizeof **event);
    return 0;
}

pl_cu_result cuEventDestroy_v2(pl_cu_event event)
{
    free(event);
    return 0;
}

pl_cu_result cuEventRecord(pl_cu_event event, pl_cu_stream stream)
{
    struct op op = {.kind = OP_MARK};
    fake_lock();
    pl_cu_result result = ready(true);
    if (!result) {
        event->stream = fake_stream(stream);
        event->number = submit(stream, op);
        event->not_ready = fake.not_ready;
    }
    fake_unlock();
    return result;
}

pl_cu_result cuEventSynchronize(pl_cu_event event)
{
    fake_lock();
    if (event->stream)
        fake_run(event->stream, event->number);
    pl_cu_result result = fake.fault;
    fake_unlock();
    return result;
}

pl_cu_result cuEventQuery(pl_cu_event event)
{
    fake_lock();
    bool late = event->not_ready > 0;
    event->not_ready -= late;
    if (event->stream && !late)
        fake_run(event->stream, event->number);
    pl_cu_result result = late ? PL_CU_NOT_READY : fake.fault;
    fake_unlock();
    return result;
}

/* The kernels are functions of this library; the image does not matter. */
pl_cu_result cuModuleLoadData(pl_cu_module *module, const void *image)
{
    fake_lock();
    pl_cu_result result = ready(true);
    if (!result && (fake.no_binary || !image))
        result = PL_CU_NO_BINARY_FOR_GPU;
    if (!result)
        *module = (pl_cu_module)&fake;
    fake_unlock();
    return result;
}

pl_cu_result cuModuleUnload(pl_cu_module module)
{
    return module == (pl_cu_module)&fake ? 0 : PL_CU_INVALID_HANDLE;
}

pl_cu_result cuModuleGetFunction(pl_cu_function *function, pl_cu_module module, const char *name)
{
    Dl_info own;
    (void)module;
    *function = NULL;
    if (!dladdr((void *)cuModuleGetFunction, &own))
        return PL_CU_NOT_FOUND;
    void *library = dlopen(own.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    void *run = library ? dlsym(library, name) : NULL;
    if (library)
        dlclose(library);
    if (!run || strncmp(name, "pl_", 3))
        return PL_CU_NOT_FOUND;
    fake_lock();
    struct pl_cu_function_s *f = fake.functions;
    while (f && strcmp(f->name, name))
        f = f->next;
    if (!f) {
        f = calloc(1, sizeof *f);
        snprintf(f->name, sizeof f->name, "%s", name);
        f->run = run;
        f->next = fake.functions;
        fake.functions = f;
    }
    *function = f;
    fake_unlock();
    return 0;
}

pl_cu_result cuLaunchKernel(pl_cu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                            unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                            pl_cu_stream stream, void **parameters, void **extra)
{
    struct op op = {
        .kind = OP_KERNEL, .function = function, .grid_x = grid_x, .grid_y = grid_y, .block_x = block_x};
    (void)extra;
    if (grid_z != 1 || block_y != 1 || block_z != 1 || shared_bytes || !grid_x || !grid_y || block_x > 1024)
        return PL_CU_INVALID_VALUE;
    size_t bytes =
        moves(function->name) ? sizeof(struct pl_kernel_strips) : sizeof(struct pl_kernel_reduction);
    memcpy(op.arguments.bytes, parameters[0], bytes);
    return submit_locked(stream, &op, false);
}
