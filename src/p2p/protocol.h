/* What the files of p2p share: completion, the frames, and the two halves of the protocol. */
#ifndef PL_PROTOCOL_H
#define PL_PROTOCOL_H

#include "device.h"
#include "loss.h"
#include "match.h"
#include "pack.h"

#include <string.h>

/* The context in the envelopes of one channel of a communicator. */
static inline uint64_t pl_context_of(const struct pl_comm *comm, enum pl_channel channel)
{
    return comm->context << PL_CHANNEL_BITS | channel;
}

/* Completes the request once; with an error, the text is pl_fail_text(). */
void pl_request_complete(struct pl_request *request, int error);
/* Completes a receive whose `length` bytes (as the sender sent them) have landed as far as they fit. */
void pl_recv_complete(struct pl_request *request);

/* Sends a control frame; its memory is p2p's. 0 or an error. */
int pl_frame_send(struct pl_rank *rank, int peer, const struct pl_envelope *envelope,
                  const struct pl_rts *rts);

/* The same with any payload, which is copied. */
int pl_control_send(struct pl_rank *rank, int peer, const struct pl_envelope *envelope, const void *payload,
                    size_t length);

/* A frame without payload, and without a checksum before it. 0 or an error. */
int pl_frame_bare(struct pl_rank *rank, struct pl_endpoint *endpoint, const struct pl_envelope *envelope);

/* What the peer sends makes no sense: the link to it is given up, and it is told; not the process. */
void pl_peer_give_up(struct pl_rank *rank, int peer, const char *cause);

/* Sender's half: the answers of the receiver. */
void pl_send_answered(struct pl_rank *rank, int peer, const struct pl_envelope *envelope);
/* A message from this rank to itself. */
void pl_send_local(struct pl_request *request);

/* One of the things that a send waits for has happened. */
void pl_send_part_done(struct pl_request *request, int status);

/* cancel.c: the receiver is asked to forget a message; the sender has the answer. */
void pl_cancel_asked(struct pl_rank *rank, int peer, const struct pl_envelope *question);
void pl_cancel_answered(struct pl_request *request, bool taken);

/* Receiver's half: a match was found. Fills in what the envelope says; answers a synchronous send. */
void pl_recv_accept(struct pl_request *request, const struct pl_envelope *envelope, int peer);
/* Fetches the payload of an accepted message that waits at the sender. */
void pl_recv_fetch(struct pl_request *request, const struct pl_envelope *envelope, const struct pl_rts *rts,
                   const struct pl_memory_card *card); /* NULL: none came */
/* Hands a kept (and removed) message to an accepted receive. */
void pl_recv_message(struct pl_request *request, struct pl_message *message);

/* For a request with a type: the same, wherever its buffer is. */
void pl_typed_put(struct pl_request *request, size_t position, const void *payload, size_t length);

/* What a message lying at `payload` brings to a receive, from byte `position` of it on. */
static inline void pl_recv_put(struct pl_request *request, size_t position, const void *payload,
                               size_t length)
{
    if (__builtin_expect(request->type != NULL, 0))
        pl_typed_put(request, position, payload, length);
    else if (length)
        memcpy((char *)request->buffer + position, payload, length);
}

/* typed.c: requests whose data has gaps or is in device memory, and messages in segments. */
enum {
    PL_SEGMENT = 128 * 1024, /* bytes packed at a time */
    PL_PIECE =
        1024 * 1024, /* bytes of a DATA frame that need no packing: at least, if the message is longer */
};
void pl_typed_begin(struct pl_request *request, struct pl_memory *memory, const void *buffer,
                    const struct pl_datatype *type);
/* Frees what the request holds. An error: of a copy that was still under way. */
int pl_typed_end(struct pl_request *request);
/* Leaves its staging to the transport, which may still hold it. */
void pl_typed_forsake(struct pl_request *request);
/* Bytes of a segment, at most, as the request's own side wants it. */
size_t pl_typed_segment(const struct pl_request *request);
/* All of a send, packed, in staging; NULL: no memory (text set). */
const void *pl_typed_pack_all(struct pl_request *request);
/* Where the next `bytes` of a receive may land; NULL: no memory (the request has the error). */
void *pl_typed_stage(struct pl_request *request, size_t bytes);
/* From a send of this rank to a receive of it. */
void pl_request_copy(struct pl_request *receive, struct pl_request *send, size_t bytes);
/* Sends `length` bytes as DATA frames: as the receiver asked, else no more than PL_PIECE or a sixteenth each.
 */
void pl_typed_send(struct pl_request *request, const struct pl_envelope *cts, size_t length);
/* Reads `length` bytes from the sender's memory in segments; `done` follows, with 0 or an error. */
void pl_typed_get(struct pl_request *request, const struct pl_rts *rts, size_t length,
                  void (*done)(struct pl_request *request, int status));

/* The upcalls that p2p hands to every port. */
extern const struct pl_upcalls pl_p2p_upcalls;

/* Now and then from whoever waits: an empty frame to ranks of other hosts that something is expected of and
 * nothing was heard of, for it may be that only this rank can dial. (knock.c) */
void pl_knock(struct pl_rank *rank);
/* Whether it is time to. */
bool pl_knock_due(const struct pl_rank *rank);
/* A probe has not found a message from `source`, or from any. */
void pl_knock_seek(const struct pl_comm *comm, int source);

#endif
