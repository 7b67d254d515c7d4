/* Device buffers in point to point. Transports see host memory only; between it and the device go
 * copies that a copy engine does by itself:
 *
 *   send      device  ==copy k+1==>  [half 1]                         one page-locked slot a request, of two
 *                                    [half 0]  --segment k--> wire    halves: while one is on the wire the
 *   receive   wire --segment k--> [half 0] ==copy k-1, k==> device    other is copied
 *
 * so a long message moves at the speed of the slower of bus and wire, and a rank waits only for what
 * it needs next. A short one is copied, then sent. Data with gaps is packed and unpacked by the same
 * copies (the driver's gather and scatter): no element is touched by the host.
 *
 * A receiver that can reach the sender's memory itself (the same process; a device that both see, by IPC)
 * gets a card with the RTS and copies once, device to device. Its cost is that of the copy.
 *
 * Rejected: polling copies from pl_progress, which every rank would pay for; and events between
 * processes, since all the sender has submitted is waited for once before the RTS, which orders as
 * well.
 */
#include "device.h"

#include "pack.h"
#include "protocol.h"

#include "errors.h"

#include <assert.h>
#include <stdlib.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Strips on their way to the driver, a list at a time. */
enum { STRIPS = 512 };
struct listing {
    struct pl_memory *memory;
    bool pack;
    char *packed;
    size_t n, bytes;
    struct pl_ticket *ticket;
    int error;
    struct pl_strip strips[STRIPS];
};

static void flush(struct listing *list)
{
    const struct pl_memory_driver *driver = list->memory->driver;
    if (!list->n || list->error)
        return;
    list->error = driver->wait(list->memory, list->ticket);
    const struct pl_strip *first = &list->strips[0];
    if (!list->error && list->n == 1 && first->count == 1) {
        void *there = (void *)first->address;
        list->error = list->pack
                          ? driver->copy(list->memory, list->packed, there, first->length, list->ticket)
                          : driver->copy(list->memory, there, list->packed, first->length, list->ticket);
    } else if (!list->error) {
        list->error = list->pack
                          ? driver->gather(list->memory, list->packed, list->strips, list->n, list->ticket)
                          : driver->scatter(list->memory, list->packed, list->strips, list->n, list->ticket);
    }
    list->packed += list->bytes;
    list->n = list->bytes = 0;
}

static void add(void *context, const struct pl_strip *strip)
{
    struct listing *list = context;
    if (list->n == STRIPS)
        flush(list);
    list->strips[list->n++] = *strip;
    list->bytes += strip->length * strip->count;
}

static int move(struct pl_memory *memory, const struct pl_datatype *type, size_t position, const void *buffer,
                void *packed, size_t bytes, bool pack, struct pl_ticket *ticket)
{
    struct listing list;
    list.memory = memory;
    list.pack = pack;
    list.packed = packed;
    list.n = list.bytes = 0;
    list.ticket = ticket;
    list.error = 0;
    pl_pack_strips(type, position, buffer, bytes, add, &list);
    flush(&list);
    return list.error;
}

int pl_device_pack(struct pl_memory *memory, const struct pl_datatype *type, size_t position,
                   const void *buffer, void *packed, size_t bytes, struct pl_ticket *ticket)
{
    return move(memory, type, position, buffer, packed, bytes, true, ticket);
}

int pl_device_unpack(struct pl_memory *memory, const struct pl_datatype *type, size_t position, void *buffer,
                     const void *packed, size_t bytes, struct pl_ticket *ticket)
{
    return move(memory, type, position, buffer, (void *)(uintptr_t)packed, bytes, false, ticket);
}

static int copy_wait(struct pl_memory *memory, void *to, const void *from, size_t bytes)
{
    struct pl_ticket ticket = {0};
    int error = memory->driver->copy(memory, to, from, bytes, &ticket);
    return error ? error : memory->driver->wait(memory, &ticket);
}

/* Data on the host, its packed form on a device: by way of the host. */
static int by_host(struct pl_memory *memory, const struct pl_datatype *type, size_t position, void *buffer,
                   void *packed, size_t bytes, bool pack)
{
    char *here = malloc(bytes);
    if (!here)
        return pl_fail(PL_ENOMEM, "no memory to pack %zu bytes", bytes);
    if (pack)
        pl_pack(type, position, buffer, here, bytes);
    int error = copy_wait(memory, pack ? packed : here, pack ? here : packed, bytes);
    if (!pack && !error)
        pl_unpack(type, position, buffer, here, bytes);
    free(here);
    return error;
}

static int move_any(struct pl_rank *rank, const struct pl_datatype *type, size_t position, void *buffer,
                    void *packed, size_t bytes, bool pack)
{
    struct pl_memory *memory = rank->memory;
    if (bytes && pl_memory_holds(memory, pl_data_begin(buffer, type))) {
        struct pl_ticket ticket = {0};
        int error = move(memory, type, position, buffer, packed, bytes, pack, &ticket);
        return error ? error : memory->driver->wait(memory, &ticket);
    }
    if (bytes && pl_memory_holds(memory, packed))
        return by_host(memory, type, position, buffer, packed, bytes, pack);
    if (pack)
        pl_pack(type, position, buffer, packed, bytes);
    else
        pl_unpack(type, position, buffer, packed, bytes);
    return 0;
}

int pl_pack_any(struct pl_rank *rank, const struct pl_datatype *type, size_t position, const void *buffer,
                void *out, size_t bytes)
{
    return move_any(rank, type, position, (void *)(uintptr_t)buffer, out, bytes, true);
}

int pl_unpack_any(struct pl_rank *rank, const struct pl_datatype *type, size_t position, void *buffer,
                  const void *in, size_t bytes)
{
    return move_any(rank, type, position, buffer, (void *)(uintptr_t)in, bytes, false);
}

void pl_device_failed(struct pl_request *request, int error)
{
    if (request->error)
        return;
    request->error = error;
    free(request->text);
    request->text = strdup(pl_fail_text());
}

int pl_device_end(struct pl_request *request)
{
    struct pl_device *d = &request->device;
    int error = 0;
    for (int i = 0; i < 2; i++) {
        int late = d->memory->driver->wait(d->memory, &d->ticket[i]);
        error = error ? error : late;
    }
    if (d->slot)
        d->memory->driver->unpin(d->memory, d->slot);
    d->slot = NULL;
    return error;
}

/* Makes the slot, once, with halves of at least `bytes`. */
static bool have_slot(struct pl_request *request, size_t bytes)
{
    struct pl_device *d = &request->device;
    if (!d->slot) {
        d->half = (bytes + 63) & ~(size_t)63;
        d->slot = d->memory->driver->pin(d->memory, 2 * d->half);
    }
    if (!d->slot)
        pl_device_failed(request, PL_ENOMEM);
    assert(!d->slot || bytes <= d->half);
    return d->slot != NULL;
}

static unsigned char *half_of(const struct pl_device *d, unsigned which)
{
    return d->slot + (which & 1) * d->half;
}

/* Starts the copy of a send's bytes into a half. */
static int start_half(struct pl_request *request, unsigned which, size_t position, size_t length)
{
    struct pl_device *d = &request->device;
    return pl_device_pack(d->memory, request->type, position, request->buffer, half_of(d, which), length,
                          &d->ticket[which & 1]);
}

const void *pl_device_all(struct pl_request *request)
{
    struct pl_device *d = &request->device;
    if (!have_slot(request, request->length ? request->length : 1))
        return NULL;
    int error = start_half(request, 0, 0, request->length);
    if (!error)
        error = d->memory->driver->wait(d->memory, &d->ticket[0]);
    if (error)
        pl_device_failed(request, error);
    return error ? NULL : d->slot;
}

const void *pl_device_next(struct pl_request *request, size_t length)
{
    struct pl_device *d = &request->device;
    unsigned which = (unsigned)(request->moved / request->segment);
    if (!have_slot(request, request->segment))
        return NULL;
    int error = request->moved ? 0 : start_half(request, 0, 0, length);
    if (!error)
        error = d->memory->driver->wait(d->memory, &d->ticket[which & 1]);
    size_t after = request->moved + length;
    if (!error && after < request->capacity)
        error = start_half(request, which + 1, after, smaller(request->capacity - after, request->segment));
    if (error)
        pl_device_failed(request, error);
    return error ? NULL : half_of(d, which);
}

void *pl_device_room(struct pl_request *request, size_t bytes)
{
    struct pl_device *d = &request->device;
    if (!have_slot(request, bytes))
        return NULL;
    int error = d->memory->driver->wait(d->memory, &d->ticket[d->turn & 1]);
    if (error)
        pl_device_failed(request, error);
    return error ? NULL : half_of(d, d->turn);
}

static void put_half(struct pl_request *request, size_t position, size_t length)
{
    struct pl_device *d = &request->device;
    unsigned which = d->turn++ & 1;
    int error = pl_device_unpack(d->memory, request->type, position, request->buffer, half_of(d, which),
                                 length, &d->ticket[which]);
    if (error)
        pl_device_failed(request, error);
}

void pl_device_put(struct pl_request *request, size_t position, const void *payload, size_t length)
{
    struct pl_device *d = &request->device;
    if (d->slot && payload == half_of(d, d->turn)) {
        put_half(request, position, length);
        return;
    }
    const char *from = payload;
    for (size_t part; length && !request->error; length -= part, position += part, from += part) {
        part = smaller(length, d->slot ? d->half : PL_DEVICE_SEGMENT);
        bool longer_may_come = !d->slot && request->cookie && request->segment > part;
        void *room = pl_device_room(request, longer_may_come ? request->segment : part);
        if (!room)
            return;
        memcpy(room, from, part);
        put_half(request, position, part);
    }
}

bool pl_device_card(struct pl_request *request, struct pl_memory_card *card)
{
    struct pl_memory *memory = request->device.memory;
    ptrdiff_t offset;
    size_t count = request->type->size ? request->length / request->type->size : 0;
    if (!memory || !count || !pl_datatype_plain(request->type, count, &offset))
        return false;
    const void *address = (const char *)request->buffer + offset;
    memset(card, 0, sizeof *card);
    return !memory->driver->share(memory, address, request->length, card) &&
           !memory->driver->settle(memory, address);
}

int pl_device_fetch(struct pl_request *request, const struct pl_memory_card *card, size_t length)
{
    struct pl_memory *memory = request->rank->memory;
    const struct pl_memory_driver *driver = memory->driver;
    if (request->type && !request->device.memory)
        return PL_EUNSUPPORTED;
    void *from;
    int error = driver->reach(memory, card, &from);
    if (error)
        return error;
    struct pl_ticket ticket = {0};
    if (request->type)
        error = pl_device_unpack(memory, request->type, 0, request->buffer, from, length, &ticket);
    else
        error = driver->copy(memory, request->buffer, from, length, &ticket);
    int late = driver->wait(memory, &ticket);
    return error ? error : late;
}
