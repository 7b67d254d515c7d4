/* fakecuda: streams, events, kernels. What is submitted is written down with a number and done when somebody
 * waits for it, or for something that CUDA orders after it:
 *
 *   a stream      does its work in order of submission
 *   legacy        work on the default stream comes after all work submitted before on blocking streams of the
 *                 context, and before all submitted after
 *   OP_WAIT       what the event marked comes first
 *   OP_HOLD       nothing after it happens before the word has come to its value; who waits for that does the
 *                 work of other streams, and sleeps without the lock, so that others may do this one's
 *   OP_TELL       a function of the host's, which finds the driver closed to it
 */
#include "fake.h"
#include "kernels.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct fake_index {
    unsigned x, y, z;
};
/* The stand-ins of host.h. */
extern _Thread_local struct fake_index fake_block, fake_thread, fake_grid_size, fake_block_size;

static _Thread_local bool telling; /* a host function runs: it may not call the driver */

static pl_cu_result ready(bool wants_context)
{
    return telling                          ? PL_CU_NOT_SUPPORTED
           : !fake.initialized              ? PL_CU_NOT_INITIALIZED
           : wants_context && !fake_current ? PL_CU_INVALID_CONTEXT
                                            : fake.fault;
}

/* Whether an address is page-locked or a device's. */
static bool known_address(pl_cu_address address)
{
    fake_lock();
    bool known = fake_find((uintptr_t)address) != NULL;
    fake_unlock();
    return known;
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

/* A kernel of somebody else's: its pointers lead to where the double may touch what they point at. */
static void run_added(struct op *op)
{
    const struct pl_cu_function_s *f = op->function;
    uintptr_t pointer;
    for (int i = 0; i < f->pointers; i++) {
        unsigned char *at = op->arguments.bytes + (size_t)i * sizeof pointer;
        memcpy(&pointer, at, sizeof pointer);
        if (pointer && !fake_find(pointer)) {
            fprintf(stderr, "fakecuda: %s is given %#lx, which is not memory of a device\n", f->name,
                    (unsigned long)pointer);
            fake.fault = PL_CU_ILLEGAL_ADDRESS;
            return;
        }
        pointer = (uintptr_t)fake_reach(pointer, 1);
        memcpy(at, &pointer, sizeof pointer);
    }
    fake_grid_size = (struct fake_index){op->grid_x, op->grid_y, 1};
    fake_block_size = (struct fake_index){op->block_x, 1, 1};
    for (unsigned y = 0; y < op->grid_y; y++)
        for (unsigned x = 0; x < op->grid_x; x++)
            for (unsigned t = 0; t < op->block_x; t++) {
                fake_block = (struct fake_index){x, y, 0};
                fake_thread = (struct fake_index){t, 0, 0};
                f->run_with(op->arguments.bytes);
            }
    fake.counts.kernels++;
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
        op->function->run_with ? run_added(op) : run_kernel(op);
        break;
    case OP_TELL:
        telling = true;
        op->tell(op->argument);
        telling = false;
        break;
    case OP_WAIT:
    case OP_HOLD:
    case OP_MARK:
        break;
    }
}

static bool held(const struct op *op)
{
    if (op->kind != OP_HOLD)
        return false;
    const uint32_t *word = (const uint32_t *)fake_reach((uintptr_t)op->word, sizeof *word);
    return word && (int32_t)(__atomic_load_n(word, __ATOMIC_ACQUIRE) - op->value) < 0;
}

static bool run_until(struct pl_cu_stream_s *stream, uint64_t number, bool patient);

/* What CUDA orders before the next work of the stream. False: some of it is held. */
static bool run_before(struct pl_cu_stream_s *stream, const struct op *op, bool patient)
{
    struct pl_cu_stream_s *legacy = stream->context->legacy;
    uint64_t number = op->number, wait_number = op->wait_number;
    struct pl_cu_stream_s *wait_stream = op->kind == OP_WAIT ? op->wait_stream : NULL;
    if (stream->blocking && !run_until(legacy, number - 1, patient))
        return false;
    if (stream == legacy)
        for (struct pl_cu_stream_s *s = fake.streams; s; s = s->next)
            if (s->blocking && s->context == stream->context && !run_until(s, number - 1, patient))
                return false;
    return !wait_stream || run_until(wait_stream, wait_number, patient);
}

/* False: a stream is held, and the caller is not patient. The lock may have been away. */
static bool run_until(struct pl_cu_stream_s *stream, uint64_t number, bool patient)
{
    while (stream->first && stream->first->number <= number) {
        uint64_t next = stream->first->number;
        if (!run_before(stream, stream->first, patient))
            return false;
        struct op *op = stream->first;
        if (!op || op->number != next)
            continue; /* it was done on the way */
        if (held(op)) {
            if (!patient)
                return false;
            for (struct pl_cu_stream_s *s = fake.streams; s; s = s->next)
                run_until(s, UINT64_MAX, false); /* a device goes on with what it can */
            fake_unlock();
            nanosleep(&(struct timespec){0, 20000}, NULL);
            fake_lock();
            continue;
        }
        stream->first = op->next;
        if (!stream->first)
            stream->last = NULL;
        perform(op);
        free(op);
    }
    return true;
}

void fake_run(struct pl_cu_stream_s *stream, uint64_t number)
{
    run_until(stream, number, true);
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

pl_cu_result cuLaunchHostFunc(pl_cu_stream stream, void (*function)(void *argument), void *argument)
{
    struct op op = {.kind = OP_TELL, .tell = function, .argument = argument};
    return submit_locked(stream, &op, false);
}

pl_cu_result cuStreamWaitValue32_v2(pl_cu_stream stream, pl_cu_address address, uint32_t value,
                                    unsigned flags)
{
    struct op op = {.kind = OP_HOLD, .word = (const uint32_t *)(uintptr_t)address, .value = value};
    if (fake.no_hold)
        return PL_CU_NOT_SUPPORTED;
    if (flags != PL_CU_WAIT_VALUE_GEQ || address % sizeof value || !known_address(address))
        return PL_CU_INVALID_VALUE;
    return submit_locked(stream, &op, false);
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
        late = !run_until(event->stream, event->number, false);
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

static struct pl_cu_function_s *find_function(const char *name)
{
    struct pl_cu_function_s *f = fake.functions;
    while (f && strcmp(f->name, name))
        f = f->next;
    return f;
}

static struct pl_cu_function_s *add_function(const char *name)
{
    struct pl_cu_function_s *f = calloc(1, sizeof *f);
    snprintf(f->name, sizeof f->name, "%s", name);
    f->next = fake.functions;
    return fake.functions = f;
}

void fakecuda_kernel(const char *name, void (*run)(const void *arguments), size_t bytes, int pointers)
{
    fake_lock();
    struct pl_cu_function_s *f = add_function(name);
    f->run_with = run;
    f->bytes = bytes;
    f->pointers = pointers;
    fake_unlock();
}

static void *own_kernel(const char *name)
{
    Dl_info own;
    if (strncmp(name, "pl_", 3) || !dladdr((void *)cuModuleGetFunction, &own))
        return NULL;
    void *library = dlopen(own.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    void *run = library ? dlsym(library, name) : NULL;
    if (library)
        dlclose(library);
    return run;
}

pl_cu_result cuModuleGetFunction(pl_cu_function *function, pl_cu_module module, const char *name)
{
    (void)module;
    *function = NULL;
    void *run = own_kernel(name);
    fake_lock();
    struct pl_cu_function_s *f = find_function(name);
    if (!f && run) {
        f = add_function(name);
        f->run = run;
    }
    *function = f;
    fake_unlock();
    return f ? 0 : PL_CU_NOT_FOUND;
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
    size_t bytes = function->run_with      ? function->bytes
                   : moves(function->name) ? sizeof(struct pl_kernel_strips)
                                           : sizeof(struct pl_kernel_reduction);
    memcpy(op.arguments.bytes, parameters[0], bytes);
    return submit_locked(stream, &op, false);
}
