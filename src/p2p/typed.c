/* Messages whose data has gaps, on either side or both. Transports move bytes; what is
 * not in one piece is packed into a staging buffer and sent from there, or received
 * there and unpacked.
 *
 *   eager        one staging buffer of the message's size, at most the eager limit
 *   rendezvous   the receiver asks (CTS), the sender answers with as many DATA frames as it takes:
 *
 *     sender    pack segment 0 | send | pack segment 1 | send | ...     one buffer of PL_SEGMENT bytes
 *     receiver                         land, unpack     land, unpack    the same, or none if the transport
 *                                                                       hands the payload over in place
 *
 *   A receive with gaps of a message without them reads it from the sender's memory in segments where the
 *   transport can, else asks for segments.
 *
 * So memory is bounded however long the message is, and segments overlap with the wire where the transport
 * takes a frame before it has crossed. Segments need no number: frames of a pair come in order.
 *
 * Rejected: packing whole messages (twice the memory), and gather lists handed to the
 * transports, which would bring datatypes into each of them.
 */
#include "checksum.h"
#include "protocol.h"

#include "errors.h"

#include <stdlib.h>

enum { PIECES = 16 }; /* of plain bytes, where they are long */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void pl_typed_begin(struct pl_request *request, struct pl_memory *memory, const void *buffer,
                    const struct pl_datatype *type)
{
    pl_datatype_hold(type);
    request->type = type;
    request->staging = NULL;
    request->moved = 0;
    request->device.memory = pl_memory_holds(memory, pl_data_begin(buffer, type)) ? memory : NULL;
    if (request->device.memory)
        request->device = (struct pl_device){.memory = memory};
}

int pl_typed_end(struct pl_request *request)
{
    const struct pl_datatype *type = request->type;
    int error = request->device.memory ? pl_device_end(request) : 0;
    free(request->staging);
    request->staging = NULL;
    request->type = NULL;
    pl_datatype_release(type);
    return error;
}

void pl_typed_forsake(struct pl_request *request)
{
    request->staging = NULL;
    request->device.slot = NULL; /* freed with the rank's memory */
}

size_t pl_typed_segment(const struct pl_request *request)
{
    return request->device.memory ? PL_DEVICE_SEGMENT : PL_SEGMENT;
}

void *pl_typed_stage(struct pl_request *request, size_t bytes)
{
    if (request->device.memory)
        return pl_device_room(request, bytes ? bytes : 1);
    if (!request->staging && !(request->staging = malloc(bytes ? bytes : 1)))
        pl_device_failed(request, pl_fail(PL_ENOMEM, "no memory to pack %zu bytes", bytes));
    return request->staging;
}

void pl_typed_put(struct pl_request *request, size_t position, const void *payload, size_t length)
{
    if (request->device.memory)
        pl_device_put(request, position, payload, length);
    else
        pl_unpack(request->type, position, request->buffer, payload, length);
}

const void *pl_typed_pack_all(struct pl_request *request)
{
    if (request->device.memory)
        return pl_device_all(request);
    void *staging = pl_typed_stage(request, request->length);
    if (staging)
        pl_pack(request->type, 0, request->buffer, staging, request->length);
    return staging;
}

/* The same where one of the buffers at least is in device memory. */
static void copy_device(struct pl_request *receive, struct pl_request *send, size_t bytes)
{
    struct pl_rank *rank = send->rank;
    int error = 0;
    if (!receive->type || !send->type) {
        error = !send->type ? pl_unpack_any(rank, receive->type, 0, receive->buffer, send->buffer, bytes)
                            : pl_pack_any(rank, send->type, 0, send->buffer, receive->buffer, bytes);
    } else {
        char *packed = malloc(bytes ? bytes : 1);
        error = packed ? pl_pack_any(rank, send->type, 0, send->buffer, packed, bytes)
                       : pl_fail(PL_ENOMEM, "no memory to pack %zu bytes", bytes);
        if (!error)
            error = pl_unpack_any(rank, receive->type, 0, receive->buffer, packed, bytes);
        free(packed);
    }
    if (error)
        pl_device_failed(receive, error);
}

void pl_request_copy(struct pl_request *receive, struct pl_request *send, size_t bytes)
{
    if ((send->type && send->device.memory) || (receive->type && receive->device.memory)) {
        copy_device(receive, send, bytes);
        return;
    }
    if (!send->type) {
        if (receive->type)
            pl_unpack(receive->type, 0, receive->buffer, send->buffer, bytes);
        else if (bytes)
            memmove(receive->buffer, send->buffer, bytes);
        return;
    }
    if (!receive->type) {
        pl_pack(send->type, 0, send->buffer, receive->buffer, bytes);
        return;
    }
    char segment[8192];
    for (size_t at = 0, length; at < bytes; at += length) {
        length = smaller(bytes - at, sizeof segment);
        pl_pack(send->type, at, send->buffer, segment, length);
        pl_unpack(receive->type, at, receive->buffer, segment, length);
    }
}

/* The next segment of a send, in one piece; NULL: no memory. */
static const void *next_segment(struct pl_request *request, size_t length)
{
    if (!request->type)
        return (char *)request->buffer + request->moved;
    if (request->device.memory)
        return pl_device_next(request, length);
    void *staging = pl_typed_stage(request, request->segment);
    if (staging)
        pl_pack(request->type, request->moved, request->buffer, staging, length);
    return staging;
}

static void segment_sent(struct pl_operation *operation, int status);

static void send_on(struct pl_request *request)
{
    struct pl_endpoint *endpoint = pl_peer_endpoint(request->rank, request->peer);
    int status = endpoint ? 0 : PL_EPEER;
    while (!status && request->moved < request->capacity) {
        size_t length = smaller(request->capacity - request->moved, request->segment);
        struct pl_envelope data = {.kind = PL_KIND_DATA, .length = length, .cookie = request->remote_cookie};
        struct pl_operation *operation = &request->operation;
        operation->payload = next_segment(request, length);
        operation->length = length;
        operation->done = segment_sent;
        memcpy(&operation->header, &data, PL_HEADER_SIZE);
        request->moved += length;
        status = operation->payload ? pl_frame_start(request->rank, endpoint, operation) : PL_ENOMEM;
    }
    if (status != PL_PENDING)
        pl_send_part_done(request, status);
}

static void segment_sent(struct pl_operation *operation, int status)
{
    struct pl_request *request = pl_container(operation, struct pl_request, operation);
    if (status < 0)
        pl_send_part_done(request, status);
    else
        send_on(request);
}

void pl_typed_send(struct pl_request *request, const struct pl_envelope *cts, size_t length)
{
    request->moved = 0;
    request->capacity = length;
    request->remote_cookie = cts->answer;
    request->segment = request->type                ? pl_typed_segment(request)
                       : length / PIECES > PL_PIECE ? length / PIECES
                                                    : PL_PIECE;
    if (cts->segment > 0)
        request->segment = smaller(request->segment, (size_t)cts->segment);
    request->segment = smaller(request->segment, length ? length : 1);
    send_on(request);
}

/* What a receive that reads segments remembers beside the request. */
struct fetch {
    struct pl_rts rts;
    size_t length, most; /* of the message; of a segment */
    void (*done)(struct pl_request *request, int status);
    void *at; /* where the current one goes */
    unsigned char segment[];
};

static void segment_read(struct pl_operation *operation, int status);

static void read_on(struct pl_request *request, int status)
{
    struct fetch *fetch = (struct fetch *)request->staging;
    struct pl_endpoint *endpoint = pl_peer_endpoint(request->rank, request->peer);
    if (!endpoint && !status)
        status = PL_EPEER;
    while (!status && request->moved < fetch->length) {
        size_t length = smaller(fetch->length - request->moved, fetch->most);
        fetch->at = request->device.memory ? pl_device_room(request, fetch->most) : fetch->segment;
        if (!fetch->at) {
            status = request->error;
            break;
        }
        request->operation.done = segment_read;
        status = endpoint->transport->get(endpoint, fetch->at, fetch->rts.address + request->moved,
                                          &fetch->rts.key, length, &request->operation);
        if (status)
            break;
        pl_typed_put(request, request->moved, fetch->at, length);
        request->moved += length;
    }
    if (status != PL_PENDING)
        fetch->done(request, status);
}

static void segment_read(struct pl_operation *operation, int status)
{
    struct pl_request *request = pl_container(operation, struct pl_request, operation);
    struct fetch *fetch = (struct fetch *)request->staging;
    if (!status) {
        size_t length = smaller(fetch->length - request->moved, fetch->most);
        pl_typed_put(request, request->moved, fetch->at, length);
        request->moved += length;
    }
    read_on(request, status);
}

void pl_typed_get(struct pl_request *request, const struct pl_rts *rts, size_t length,
                  void (*done)(struct pl_request *request, int status))
{
    size_t most = smaller(length, pl_typed_segment(request));
    struct fetch *fetch = malloc(sizeof *fetch + (request->device.memory ? 0 : most));
    request->staging = (unsigned char *)fetch;
    if (!fetch) {
        pl_request_complete(request, pl_fail(PL_ENOMEM, "no memory to read %zu bytes", length));
        return;
    }
    fetch->most = most;
    fetch->rts = *rts;
    fetch->length = length;
    fetch->done = done;
    request->moved = 0;
    read_on(request, 0);
}
