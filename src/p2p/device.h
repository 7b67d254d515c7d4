/* Buffers in memory of a driver (memory.h): copies between them and the host memory that transports
 * see. The part of a request is begun and ended with its datatype (typed.c), so a request on plain host
 * memory never comes here. */
#ifndef PL_DEVICE_H
#define PL_DEVICE_H

#include "datatype.h"
#include "request.h"

struct pl_rank;

/* Bytes of a segment: enough for a bus to reach its speed, few enough to overlap with the wire. */
enum { PL_DEVICE_SEGMENT = 512 * 1024 };

/* Where the data of a buffer begins: what is asked of the driver. */
static inline const void *pl_data_begin(const void *buffer, const struct pl_datatype *type)
{
    return (const void *)((uintptr_t)buffer + (uintptr_t)(type->program ? type->true_lb : 0));
}

/* pl_pack and pl_unpack where either side may be in memory of the rank's driver. They wait. 0 or an error. */
int pl_pack_any(struct pl_rank *rank, const struct pl_datatype *type, size_t position, const void *buffer,
                void *out, size_t bytes);
int pl_unpack_any(struct pl_rank *rank, const struct pl_datatype *type, size_t position, void *buffer,
                  const void *in, size_t bytes);

/* The same where the buffer is the driver's: started, not waited for. */
int pl_device_pack(struct pl_memory *memory, const struct pl_datatype *type, size_t position,
                   const void *buffer, void *packed, size_t bytes, struct pl_ticket *ticket);
int pl_device_unpack(struct pl_memory *memory, const struct pl_datatype *type, size_t position, void *buffer,
                     const void *packed, size_t bytes, struct pl_ticket *ticket);

/* Waits for the copies of a request and gives its page-locked memory back. 0 or the first error. */
int pl_device_end(struct pl_request *request);
/* The next segment of a send, on the host: `length` bytes from request->moved on; the one after it is
 * started. NULL: the request has the error. */
const void *pl_device_next(struct pl_request *request, size_t length);
/* All of a short send. */
const void *pl_device_all(struct pl_request *request);
/* Room for the next segment of a receive. NULL: the request has the error. */
void *pl_device_room(struct pl_request *request, size_t bytes);
/* Starts to bring `length` bytes of the packed message, those from `position` on, into the receive's buffer.
 * The payload may be the room just given, or anywhere else: it is not read after the return. */
void pl_device_put(struct pl_request *request, size_t position, const void *payload, size_t length);

/* Writes the card of a send's memory for its RTS, once all that the program has submitted for it is done.
 * false: it is not in one piece, or not to be reached. */
bool pl_device_card(struct pl_request *request, struct pl_memory_card *card);
/* Copies `length` bytes of the message straight from the sender's memory. 0, or an error: it must come as a
 * message. */
int pl_device_fetch(struct pl_request *request, const struct pl_memory_card *card, size_t length);

/* Notes the error of the last pl_fail in a request that goes on. */
void pl_device_failed(struct pl_request *request, int error);

#endif
