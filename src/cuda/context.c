/* Contexts: where a pointer lives, the streams there, and tickets for work on them.
 *
 * A buffer belongs to the context it was allocated in, nearly always its device's primary one. Each call
 * makes it the thread's for as long as it takes and puts back what was there, so a program never
 * finds another device selected than it selected itself.
 *
 * Memory from a pool of the driver's (cudaMallocAsync) names no context; it is reached from its device's
 * primary one. An event is taken for every piece of work and kept for the next.
 */
#include "state.h"

#include "errors.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

bool pl_cuda_look(struct pl_cuda *cuda, const void *address, struct pl_cuda_pointer *pointer)
{
    static const int attributes[] = {PL_CU_ATTRIBUTE_MEMORY_TYPE, PL_CU_ATTRIBUTE_IS_MANAGED,
                                     PL_CU_ATTRIBUTE_DEVICE_ORDINAL, PL_CU_ATTRIBUTE_CONTEXT,
                                     PL_CU_ATTRIBUTE_BUFFER_ID};
    memset(pointer, 0, sizeof *pointer);
    pointer->device = -1;
    void *data[] = {&pointer->type, &pointer->managed, &pointer->device, &pointer->context,
                    &pointer->identity};
    return !cuda->cu.pointer_attributes(5, attributes, data, pl_cu_address_of(address)) && pointer->type;
}

int pl_cuda_enter(struct pl_cuda_context *context)
{
    pl_cu_result result = context->cuda->cu.context_push(context->context);
    return result ? pl_cu_fail(&context->cuda->cu, result, "to enter the context of a buffer") : 0;
}

void pl_cuda_leave(struct pl_cuda_context *context)
{
    pl_cu_context left;
    context->cuda->cu.context_pop(&left);
}

static int open_streams(struct pl_cuda_context *c)
{
    struct pl_cu_library *cu = &c->cuda->cu;
    pl_cu_result result = cu->context_device(&c->device);
    if (!result)
        result = cu->device_uuid(&c->uuid, c->device);
    if (!result)
        result = cu->device_attribute(&c->multiprocessors, PL_CU_MULTIPROCESSORS, c->device);
    if (!result)
        result = cu->stream_create(&c->out, PL_CU_STREAM_DEFAULT);
    if (!result)
        result = cu->stream_create(&c->in, PL_CU_STREAM_DEFAULT);
    return result ? pl_cu_fail(cu, result, "to make streams for copies") : 0;
}

static void context_finish(struct pl_cuda_context *c)
{
    struct pl_cu_library *cu = &c->cuda->cu;
    if (!pl_cuda_enter(c)) {
        pl_cuda_pool_finish(c->cuda, &c->pool, true);
        for (int i = 0; i < c->nevents; i++)
            cu->event_destroy(c->events[i]);
        if (c->probe)
            cu->free(c->probe);
        if (c->module)
            cu->module_unload(c->module);
        if (c->in)
            cu->stream_destroy(c->in);
        if (c->out)
            cu->stream_destroy(c->out);
        pl_cuda_leave(c);
    }
    if (c->retained)
        cu->primary_release(c->device);
    free(c->kernels);
    free(c);
}

/* The entry for a context; `device` where it is a primary one that has been retained, else -1. */
static struct pl_cuda_context *context_for(struct pl_cuda *cuda, pl_cu_context context, bool retained,
                                           pl_cu_device device)
{
    for (int i = 0; i < cuda->ncontexts; i++)
        if (cuda->contexts[i]->context == context) {
            if (retained)
                cuda->cu.primary_release(device);
            return cuda->contexts[i];
        }
    struct pl_cuda_context *c = cuda->ncontexts < PL_CUDA_CONTEXTS ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        pl_fail(PL_ENOMEM, "buffers are in more than %d contexts of CUDA", PL_CUDA_CONTEXTS);
        if (retained)
            cuda->cu.primary_release(device);
        return NULL;
    }
    c->cuda = cuda;
    c->context = context;
    c->device = device;
    c->retained = retained;
    pl_cuda_pool_init(&c->pool);
    int error = pl_cuda_enter(c);
    if (!error) {
        error = open_streams(c);
        pl_cuda_leave(c);
    }
    if (error) {
        context_finish(c);
        return NULL;
    }
    return cuda->contexts[cuda->ncontexts++] = c;
}

static struct pl_cuda_context *primary_of(struct pl_cuda *cuda, int ordinal)
{
    pl_cu_device device;
    pl_cu_context context;
    pl_cu_result result = cuda->cu.device_get(&device, ordinal);
    if (!result)
        result = cuda->cu.primary_retain(&context, device);
    if (result) {
        pl_cu_fail(&cuda->cu, result, "to use the context of a device");
        return NULL;
    }
    return context_for(cuda, context, true, device);
}

struct pl_cuda_context *pl_cuda_context_of(struct pl_cuda *cuda, const void *address)
{
    struct pl_cuda_pointer pointer;
    if (!pl_cuda_look(cuda, address, &pointer)) {
        pl_fail(PL_EARG, "%p is not memory of a device", address);
        return NULL;
    }
    return pointer.context ? context_for(cuda, pointer.context, false, -1) : primary_of(cuda, pointer.device);
}

struct pl_cuda_context *pl_cuda_context_on(struct pl_cuda *cuda, const unsigned char uuid[16])
{
    for (int i = 0; i < cuda->ncontexts; i++)
        if (!memcmp(cuda->contexts[i]->uuid.bytes, uuid, 16))
            return cuda->contexts[i];
    int devices = 0;
    cuda->cu.device_count(&devices);
    for (int i = 0; i < devices; i++) {
        pl_cu_device device;
        pl_cu_uuid found;
        if (!cuda->cu.device_get(&device, i) && !cuda->cu.device_uuid(&found, device) &&
            !memcmp(found.bytes, uuid, 16))
            return primary_of(cuda, i);
    }
    pl_fail(PL_EUNSUPPORTED, "the device of that memory is not visible to this process");
    return NULL;
}

void pl_cuda_contexts_finish(struct pl_cuda *cuda)
{
    if (cuda->followed && cuda->followed_in)
        cuda->followed_in->events[cuda->followed_in->nevents++] = cuda->followed;
    while (cuda->ncontexts)
        context_finish(cuda->contexts[--cuda->ncontexts]);
}

static int take_event(struct pl_cuda_context *c, pl_cu_event *event)
{
    if (c->nevents) {
        *event = c->events[--c->nevents];
        return 0;
    }
    pl_cu_result result = c->cuda->cu.event_create(event, PL_CU_EVENT_DISABLE_TIMING);
    return result ? pl_cu_fail(&c->cuda->cu, result, "to make an event") : 0;
}

/* One place is left for the event that is followed. */
static void give_event(struct pl_cuda_context *c, pl_cu_event event)
{
    if (c->nevents < PL_CUDA_EVENTS - 1)
        c->events[c->nevents++] = event;
    else
        c->cuda->cu.event_destroy(event);
}

int pl_cuda_follow(struct pl_cuda_context *c, pl_cu_stream stream)
{
    if (!c->cuda->followed)
        return 0;
    pl_cu_result result = c->cuda->cu.stream_wait(stream, c->cuda->followed, 0);
    return result ? pl_cu_fail(&c->cuda->cu, result, "to wait for a stream") : 0;
}

int pl_cuda_record(struct pl_cuda_context *c, pl_cu_stream stream, void *list, struct pl_ticket *ticket)
{
    struct pl_cuda_work *work = calloc(1, sizeof *work);
    pl_cu_event event;
    int error = work ? take_event(c, &event) : pl_fail(PL_ENOMEM, "no memory for a ticket");
    if (!error) {
        pl_cu_result result = c->cuda->cu.event_record(event, stream);
        if (!result) {
            *work = (struct pl_cuda_work){c, event, list};
            ticket->work = work;
            return 0;
        }
        error = pl_cu_fail(&c->cuda->cu, result, "to record an event");
        give_event(c, event);
    }
    free(work);
    c->cuda->cu.stream_synchronize(stream); /* what was started still uses the caller's memory */
    if (list)
        pl_cuda_unpin(&c->cuda->memory, list);
    return error;
}

static int finish(struct pl_ticket *ticket, bool wait)
{
    struct pl_cuda_work *work = ticket->work;
    if (!work)
        return 0;
    struct pl_cuda_context *c = work->context;
    struct pl_cu_library *cu = &c->cuda->cu;
    int error = pl_cuda_enter(c);
    if (!error) {
        pl_cu_result result = wait ? cu->event_synchronize(work->event) : cu->event_query(work->event);
        if (result == PL_CU_NOT_READY) {
            pl_cuda_leave(c);
            return 1;
        }
        if (result)
            error = pl_cu_fail(cu, result, "in a copy or a reduction, or in work of the program before it");
        give_event(c, work->event);
        pl_cuda_leave(c);
    }
    if (work->list)
        pl_cuda_unpin(&c->cuda->memory, work->list);
    free(work);
    ticket->work = NULL;
    return error;
}

int pl_cuda_poll(struct pl_memory *memory, struct pl_ticket *ticket)
{
    return finish(ticket, false);
}

int pl_cuda_wait(struct pl_memory *memory, struct pl_ticket *ticket)
{
    return finish(ticket, true);
}

int pl_cuda_settle(struct pl_memory *memory, const void *address)
{
    struct pl_cuda_context *c = pl_cuda_context_of(pl_cuda_of(memory), address);
    if (!c)
        return PL_ESYSTEM;
    struct pl_ticket ticket = {0};
    int error = pl_cuda_enter(c);
    if (error)
        return error;
    error = pl_cuda_follow(c, c->in);
    if (!error)
        error = pl_cuda_record(c, c->in, NULL, &ticket);
    pl_cuda_leave(c);
    return error ? error : pl_cuda_wait(memory, &ticket);
}

struct pl_cuda_context *pl_cuda_current(struct pl_cuda *cuda)
{
    pl_cu_context context = NULL;
    pl_cu_result result = cuda->cu.context_current(&context);
    if (result || !context) {
        pl_fail(PL_EARG, "no context of CUDA is current in this thread: select a device first");
        return NULL;
    }
    return context_for(cuda, context, false, -1);
}

static void forget_followed(struct pl_cuda *cuda)
{
    if (cuda->followed)
        give_event(cuda->followed_in, cuda->followed);
    cuda->followed = NULL;
}

int pl_cuda_follow_stream(struct pl_memory *memory, void *stream)
{
    struct pl_cuda *cuda = pl_cuda_of(memory);
    forget_followed(cuda);
    if (!stream)
        return 0;
    struct pl_cuda_context *c = pl_cuda_current(cuda);
    if (!c)
        return PL_EARG;
    pl_cu_event event;
    int error = take_event(c, &event);
    if (error)
        return error;
    pl_cu_result result = cuda->cu.event_record(event, stream);
    if (result) {
        give_event(c, event);
        return pl_cu_fail(&cuda->cu, result, "to follow a stream");
    }
    cuda->followed = event;
    cuda->followed_in = c;
    return 0;
}

int pl_cuda_lead_stream(struct pl_memory *memory, void *stream)
{
    struct pl_cuda *cuda = pl_cuda_of(memory);
    forget_followed(cuda);
    for (int i = 0; i < cuda->ncontexts && stream; i++) {
        struct pl_cuda_context *c = cuda->contexts[i];
        pl_cu_event event;
        int error = pl_cuda_enter(c);
        if (error)
            return error;
        error = take_event(c, &event);
        pl_cu_result result = error ? 0 : cuda->cu.event_record(event, c->in);
        if (!error && !result)
            result = cuda->cu.stream_wait(stream, event, 0);
        if (!error)
            give_event(c, event);
        pl_cuda_leave(c);
        if (error || result)
            return error ? error : pl_cu_fail(&cuda->cu, result, "to lead a stream");
    }
    return 0;
}
