/* Sending: eager or rendezvous.
 *
 *   eager        sender --EAGER(payload)--> receiver            done when the bytes are taken
 *   synchronous  sender --EAGER_SYNC-->     <--ACK(cookie)--    done when matched
 *   rendezvous   sender --RTS(cookie, address)--> receiver, which then either
 *                  reads the memory itself  (get)  and answers --FIN(cookie)-->
 *                  or answers --CTS(cookie, answer)--> and gets --DATA(answer, payload)-->
 *                  (a long one in pieces: a CTS the other way must not stand behind all of it,
 *                  or two ranks that send to each other would do so one after the other)
 *
 * Eager costs one alpha and a copy at the receiver if nobody waits yet; rendezvous
 * costs two or three but copies once, straight into the user's buffer. The
 * transport says where one overtakes the other (eager_limit). A message to the
 * rank itself never leaves p2p: it goes by copy, or waits for its receive.
 * Data with gaps is packed: see typed.c.
 */
#include "loss.h"
#include "checksum.h"
#include "pack.h"
#include "protocol.h"

#include "errors.h"

#include <stdlib.h>
#include <string.h>

/* A message of a rank to itself is copied at once up to this size, bytes. */
enum { LOCAL_EAGER = 64 * 1024 };

struct frame {
    struct pl_operation operation;
    struct pl_rts rts;
};

/* A frame with a payload of its own. */
struct control_frame {
    struct pl_operation operation;
    unsigned char payload[];
};

static void control_done(struct pl_operation *operation, int status)
{
    (void)status;
    free(pl_container(operation, struct control_frame, operation));
}

int pl_control_send(struct pl_rank *rank, int peer, const struct pl_envelope *envelope, const void *payload,
                    size_t length)
{
    struct pl_endpoint *endpoint = pl_peer_endpoint(rank, peer);
    if (!endpoint)
        return PL_EPEER;
    struct control_frame *frame = calloc(1, sizeof *frame + length);
    if (!frame)
        return pl_fail(PL_ENOMEM, "no memory for news of %zu bytes to rank %d", length, peer);
    memcpy(&frame->operation.header, envelope, PL_HEADER_SIZE);
    memcpy(frame->payload, payload, length);
    frame->operation.done = control_done;
    frame->operation.payload = frame->payload;
    frame->operation.length = length;
    int result = pl_frame_start(rank, endpoint, &frame->operation);
    if (result != PL_PENDING)
        free(frame);
    return result < 0 ? result : 0;
}

static void frame_done(struct pl_operation *operation, int status)
{
    (void)status; /* a lost peer is reported by its own upcall */
    free(pl_container(operation, struct frame, operation));
}

int pl_frame_send(struct pl_rank *rank, int peer, const struct pl_envelope *envelope,
                  const struct pl_rts *rts)
{
    struct pl_endpoint *endpoint = pl_peer_endpoint(rank, peer);
    if (!endpoint)
        return PL_EPEER;
    struct frame *frame = calloc(1, sizeof *frame);
    if (!frame)
        return pl_fail(PL_ENOMEM, "no memory for a frame to rank %d", peer);
    memcpy(&frame->operation.header, envelope, PL_HEADER_SIZE);
    frame->operation.done = frame_done;
    if (rts) {
        frame->rts = *rts;
        frame->operation.payload = &frame->rts;
        frame->operation.length = sizeof frame->rts;
    }
    int result = pl_frame_start(rank, endpoint, &frame->operation);
    if (result != PL_PENDING)
        free(frame);
    return result < 0 ? result : 0;
}

int pl_frame_bare(struct pl_rank *rank, struct pl_endpoint *endpoint, const struct pl_envelope *envelope)
{
    struct frame *frame = calloc(1, sizeof *frame);
    if (!frame)
        return pl_fail(PL_ENOMEM, "no memory for a frame to rank %d", endpoint->peer);
    memcpy(&frame->operation.header, envelope, PL_HEADER_SIZE);
    frame->operation.done = frame_done;
    int result = endpoint->transport->send(endpoint, &frame->operation);
    if (result != PL_PENDING)
        free(frame);
    return result < 0 ? result : 0;
}

/* The error of a send that the transport gave up: the peer is gone, or this rank lacks something (then the
 * text is there). */
static int given_up(const struct pl_request *request, int status)
{
    bool ours = status == PL_ESYSTEM || status == PL_ENOMEM;
    if (ours && !request->rank->peers[request->peer]->lost)
        return status;
    int gone = pl_peer_fail(request->rank, request->peer);
    return status == PL_EUNREACHABLE || status == PL_ETIMEOUT || ours ? gone : status;
}

void pl_send_part_done(struct pl_request *request, int status)
{
    if (status < 0 && !request->error)
        request->error = given_up(request, status);
    if (--request->parts && !(request->error && !request->matched && request->cookie))
        return;
    struct pl_rank *rank = request->rank;
    if (request->cookie)
        pl_cookie_drop(&rank->cookies, request->cookie);
    if (request->registered) {
        struct pl_endpoint *endpoint = pl_peer_endpoint(rank, request->peer);
        if (endpoint)
            endpoint->transport->dereg(endpoint->port, &request->key);
    }
    pl_request_complete(request, request->error);
}

static void send_done(struct pl_operation *operation, int status)
{
    pl_send_part_done(pl_container(operation, struct pl_request, operation), status);
}

/* Hands request->operation to the transport, as one part of the send. */
static void post(struct pl_request *request, struct pl_endpoint *endpoint, const struct pl_envelope *envelope,
                 const void *payload, size_t length)
{
    struct pl_operation *operation = &request->operation;
    memcpy(&operation->header, envelope, PL_HEADER_SIZE);
    operation->payload = payload;
    operation->length = length;
    operation->done = send_done;
    int result = pl_frame_start(request->rank, endpoint, operation);
    if (result != PL_PENDING)
        pl_send_part_done(request, result);
}

static void send_eager(struct pl_request *request, struct pl_endpoint *endpoint, struct pl_envelope *envelope,
                       enum pl_mode mode)
{
    const void *payload = request->buffer;
    if (__builtin_expect(request->type != NULL, 0) && !(payload = pl_typed_pack_all(request))) {
        pl_request_complete(request, request->error ? request->error : PL_ENOMEM);
        return;
    }
    request->parts = 1;
    if (mode == PL_MODE_SYNCHRONOUS) {
        envelope->kind = PL_KIND_EAGER_SYNC;
        envelope->cookie = request->cookie = pl_cookie_new(&request->rank->cookies, request);
        request->parts = 2;
    } else {
        request->serial = envelope->cookie;
    }
    post(request, endpoint, envelope, payload, request->length);
}

static void send_rendezvous(struct pl_request *request, struct pl_endpoint *endpoint,
                            struct pl_envelope *envelope)
{
    struct pl_rts_card rts;
    rts.rts = (struct pl_rts){.address = (uintptr_t)request->buffer};
    bool carded = false;
    if (request->type) {
        rts.rts.address = 0; /* it cannot be fetched: the receiver asks */
        carded = pl_device_card(request, &rts.card);
    } else if (endpoint->transport->reg(endpoint->port, request->buffer, request->length, &rts.rts.key) ==
               0) {
        request->key = rts.rts.key;
        request->registered = true;
    } else {
        __atomic_store_n(&request->guard, ++request->rank->guards, __ATOMIC_RELEASE);
        rts.rts.key = (struct pl_memory_key){{(uintptr_t)&request->guard, request->guard}};
    }
    request->parts = 1;
    envelope->kind = PL_KIND_RTS;
    envelope->cookie = request->cookie = pl_cookie_new(&request->rank->cookies, request);
    int result = carded ? pl_control_send(request->rank, request->peer, envelope, &rts, sizeof rts)
                        : pl_frame_send(request->rank, request->peer, envelope, &rts.rts);
    if (result < 0)
        pl_send_part_done(request, result);
}

/* What both ways of starting have in common. */
static inline void fill(struct pl_request *request, struct pl_comm *comm, enum pl_channel channel,
                        const void *buffer, size_t length, int tag, uint32_t signature)
{
    request->rank = comm->owner;
    request->complete = request->cancelled = false;
    request->is_send = true;
    request->matched = request->registered = false;
    request->error = 0;
    request->text = NULL;
    request->together = NULL;
    request->wary = false;
    request->source = PL_PROC_NULL;
    request->tag = tag;
    request->length = length;
    request->comm = comm;
    request->buffer = (void *)(uintptr_t)buffer;
    request->context = pl_context_of(comm, channel);
    request->signature = signature;
    request->cookie = request->serial = 0;
    request->asked = false;
    request->peer = -1;
}

/* Whether the communicator is broken for a send on that channel: then the request is complete with the error.
 */
static bool broken(struct pl_request *request, enum pl_channel channel)
{
    int error = pl_comm_check(request->comm, channel == PL_CHANNEL_COLLECTIVE ? ~0u : PL_BREAK_REVOKED);
    if (error)
        pl_request_complete(request, error);
    return error != 0;
}

static void start(struct pl_request *request, struct pl_comm *comm, enum pl_channel channel,
                  enum pl_mode mode, const void *buffer, size_t length, int destination, int tag,
                  uint32_t signature)
{
    fill(request, comm, channel, buffer, length, tag, signature);
    if (__builtin_expect(comm->broken != 0, 0) && broken(request, channel))
        return;
    if (destination == PL_PROC_NULL) {
        pl_request_complete(request, 0);
        return;
    }
    request->peer = comm->target->peers[destination];
    uint32_t serial = (uint32_t)++request->rank->counters.sent;
    request->rank->counters.bytes += length;
    if (request->peer == request->rank->rank) {
        request->parts = 1 + (mode == PL_MODE_SYNCHRONOUS || length > LOCAL_EAGER);
        request->serial = request->parts > 1 ? 0 : serial;
        pl_send_local(request);
        return;
    }
    struct pl_endpoint *endpoint = pl_peer_endpoint(request->rank, request->peer);
    if (!endpoint) {
        pl_request_complete(request, PL_EPEER);
        return;
    }
    struct pl_envelope envelope = {.kind = PL_KIND_EAGER,
                                   .context = request->context,
                                   .source = comm->rank,
                                   .tag = tag,
                                   .length = length,
                                   .cookie = serial,
                                   .signature = signature};
    if (length <= endpoint->transport->eager_limit)
        send_eager(request, endpoint, &envelope, mode);
    else
        send_rendezvous(request, endpoint, &envelope);
}

/* The way to a peer that has been talked to and lives; NULL: the long way round (start) finds out. */
static inline struct pl_endpoint *known_way(const struct pl_comm *comm, int destination)
{
    const struct pl_peer *peer =
        destination < 0 ? NULL : comm->owner->peers[comm->target->peers[destination]];
    return peer && !peer->lost ? peer->endpoint : NULL;
}

/* A short message of plain bytes that the transport takes at once, as nearly all are: the same as start and
 * send_eager, without their detours. */
static bool start_short(struct pl_request *request, struct pl_comm *comm, enum pl_channel channel,
                        const void *buffer, size_t length, int destination, int tag, uint32_t signature)
{
    struct pl_endpoint *endpoint = known_way(comm, destination);
    if (!endpoint || length > endpoint->transport->eager_limit || comm->broken ||
        comm->owner->config.checksum)
        return false;
    fill(request, comm, channel, buffer, length, tag, signature);
    struct pl_operation *operation = &request->operation;
    request->serial = (uint32_t)++request->rank->counters.sent;
    struct pl_envelope envelope = {.kind = PL_KIND_EAGER,
                                   .context = request->context,
                                   .source = comm->rank,
                                   .tag = tag,
                                   .length = length,
                                   .cookie = request->serial,
                                   .signature = signature};
    memcpy(&operation->header, &envelope, PL_HEADER_SIZE);
    operation->payload = buffer;
    operation->length = length;
    operation->done = send_done;
    request->peer = endpoint->peer;
    request->parts = 1;
    request->rank->counters.bytes += length;
    int result = endpoint->transport->send(endpoint, operation);
    if (__builtin_expect(result == 0 && !request->completed, 1))
        request->complete = true;
    else if (result != PL_PENDING)
        pl_send_part_done(request, result);
    return true;
}

void pl_send_start(struct pl_request *request, struct pl_comm *comm, enum pl_channel channel,
                   enum pl_mode mode, const void *buffer, size_t length, int destination, int tag,
                   uint32_t signature)
{
    request->type = NULL;
    if (mode != PL_MODE_STANDARD ||
        !start_short(request, comm, channel, buffer, length, destination, tag, signature))
        start(request, comm, channel, mode, buffer, length, destination, tag, signature);
}

void pl_send_start_typed(struct pl_request *request, struct pl_comm *comm, enum pl_channel channel,
                         enum pl_mode mode, const void *buffer, size_t length, int destination, int tag,
                         uint32_t signature, const struct pl_datatype *type)
{
    pl_typed_begin(request, comm->owner->memory, buffer, type);
    start(request, comm, channel, mode, buffer, length, destination, tag, signature);
}

void pl_send_local(struct pl_request *request)
{
    struct pl_rank *rank = request->rank;
    struct pl_envelope envelope = {.kind = PL_KIND_EAGER,
                                   .context = request->context,
                                   .source = request->comm->rank,
                                   .tag = request->tag,
                                   .length = request->length,
                                   .cookie = request->serial,
                                   .signature = request->signature};
    struct pl_request *receive = pl_match_arrival(rank, &envelope);
    if (receive) {
        pl_recv_accept(receive, &envelope, request->peer);
        size_t fits = request->length < receive->capacity ? request->length : receive->capacity;
        pl_request_copy(receive, request, fits);
        pl_recv_complete(receive);
        pl_request_complete(request, 0);
        return;
    }
    bool waits = request->parts > 1;
    struct pl_message *message = calloc(1, sizeof *message + (waits ? 0 : request->length));
    if (!message) {
        pl_request_complete(request,
                            pl_fail(PL_ENOMEM, "no memory for %zu bytes sent to oneself", request->length));
        return;
    }
    message->rank = rank;
    message->envelope = envelope;
    message->peer = request->peer;
    message->here = true;
    message->local = waits ? request : NULL;
    int error = 0;
    if (!waits && request->type)
        error = pl_pack_any(rank, request->type, 0, request->buffer, message->data, request->length);
    else if (!waits && request->length)
        memcpy(message->data, request->buffer, request->length);
    if (error) {
        free(message);
        pl_request_complete(request, error);
        return;
    }
    pl_match_keep(message);
    if (!waits)
        pl_request_complete(request, 0);
}

static void send_data(struct pl_request *request, const struct pl_envelope *cts)
{
    struct pl_endpoint *endpoint = pl_peer_endpoint(request->rank, request->peer);
    if (!endpoint) {
        pl_send_part_done(request, PL_EPEER);
        return;
    }
    size_t length = cts->length < request->length ? cts->length : request->length;
    request->matched = true;
    if (request->type || cts->segment > 0 || length > PL_PIECE) {
        pl_typed_send(request, cts, length);
        return;
    }
    struct pl_envelope data = {.kind = PL_KIND_DATA, .length = length, .cookie = cts->answer};
    post(request, endpoint, &data, request->buffer, length);
}

void pl_send_answered(struct pl_rank *rank, int peer, const struct pl_envelope *envelope)
{
    struct pl_request *request = pl_cookie_find(&rank->cookies, envelope->cookie);
    if (!request || request->peer != peer || !request->is_send)
        return; /* the request was given up meanwhile */
    if (envelope->kind == PL_KIND_CTS)
        send_data(request, envelope);
    else if (envelope->kind == PL_KIND_CANCELLED)
        pl_cancel_answered(request, envelope->length != 0);
    else
        pl_send_part_done(request, 0);
}
