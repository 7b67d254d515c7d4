/* Receiving: the other half of send.c.
 *
 * A receive first looks among the messages kept from before; else it is posted.
 * An eager payload that already lies in memory is copied once into the user's
 * buffer; one that is still on its way is read straight there. A message that
 * waits at its sender is fetched by get where the transport can reach into the
 * peer's memory, else asked for with CTS.
 */
#include "content.h"
#include "loss.h"
#include "protocol.h"

#include "errors.h"

#include <stdlib.h>
#include <string.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int another_call(const struct pl_request *request, const struct pl_envelope *envelope)
{
    struct pl_rank *rank = request->rank;
    char text[256] = "";
    if (rank->explain)
        rank->explain(rank, request->signature, envelope->signature, text, sizeof text);
    return pl_fail(PL_EMISMATCH, "rank %d of the communicator is in another collective call than rank %d%s%s",
                   envelope->source, request->comm->rank, text[0] ? ": " : "", text);
}

/* The data is received all the same: what is wrong is how it is read. */
static int another_type(const struct pl_request *request, const struct pl_envelope *envelope)
{
    if (pl_content_fits(envelope->signature, request->signature, envelope->length, request->capacity))
        return 0;
    const char *sent = pl_content_name(envelope->signature), *wanted = pl_content_name(request->signature);
    bool mixed = sent == wanted;
    return pl_fail(
        PL_ETYPE,
        "the datatypes differ: rank %d sent %zu bytes of %s with tag %d, and this receive is of up to "
        "%zu bytes of %s%s",
        envelope->source, (size_t)envelope->length, sent, envelope->tag, request->capacity,
        mixed ? "others" : wanted, mixed ? " or in another order" : "");
}

static void check_signature(struct pl_request *request, const struct pl_envelope *envelope)
{
    bool collective = (request->context & ((1 << PL_CHANNEL_BITS) - 1)) == PL_CHANNEL_COLLECTIVE;
    int error = collective ? another_call(request, envelope) : another_type(request, envelope);
    if (!error)
        return;
    request->error = error;
    free(request->text);
    request->text = strdup(pl_fail_text());
}

void pl_recv_accept(struct pl_request *request, const struct pl_envelope *envelope, int peer)
{
    request->matched = true;
    request->peer = peer;
    request->source = envelope->source;
    request->tag = envelope->tag;
    request->length = envelope->length;
    if (envelope->signature != request->signature && envelope->kind != PL_KIND_DATA)
        check_signature(request, envelope);
    if (envelope->kind == PL_KIND_EAGER_SYNC) {
        struct pl_envelope ack = {.kind = PL_KIND_ACK, .cookie = envelope->cookie};
        pl_frame_send(request->rank, peer, &ack, NULL);
    }
}

void pl_recv_complete(struct pl_request *request)
{
    int error = request->error;
    if (!error && request->length > request->capacity)
        error = pl_fail(
            PL_ETRUNCATE,
            "a message of %zu bytes from rank %d with tag %d does not fit the receive buffer of %zu bytes",
            request->length, request->source, request->tag, request->capacity);
    request->length = smaller(request->length, request->capacity);
    pl_request_complete(request, error);
}

static void fetched(struct pl_request *request)
{
    struct pl_envelope fin = {.kind = PL_KIND_FIN, .cookie = request->remote_cookie};
    pl_frame_send(request->rank, request->peer, &fin, NULL);
    pl_recv_complete(request);
}

static void ask(struct pl_request *request, uint32_t cookie, size_t fits);

static void got(struct pl_request *request, int status)
{
    bool refused = status == PL_EUNSUPPORTED && request->type && !request->moved;
    /* A sender that has given the message up, since somebody died, does not answer, and what made it do so is
     * about to be heard of here. */
    bool given_up = status == PL_ESYSTEM || status == PL_ECANCELLED;
    if (refused || given_up)
        ask(request, request->remote_cookie, smaller(request->length, request->capacity));
    else if (status < 0)
        pl_request_complete(request,
                            status == PL_EPEER ? pl_peer_fail(request->rank, request->peer) : status);
    else
        fetched(request);
}

static void get_done(struct pl_operation *operation, int status)
{
    got(pl_container(operation, struct pl_request, operation), status);
}

/* Asks the sender, whose send has that cookie, for the first `fits` bytes. */
static void ask(struct pl_request *request, uint32_t cookie, size_t fits)
{
    struct pl_rank *rank = request->rank;
    request->cookie = pl_cookie_new(&rank->cookies, request);
    struct pl_envelope cts = {
        .kind = PL_KIND_CTS, .cookie = cookie, .answer = request->cookie, .length = fits};
    request->moved = 0;
    if (request->type) {
        request->segment = smaller(pl_typed_segment(request), fits);
        cts.segment = (int32_t)request->segment;
        free(request->staging);
        request->staging = NULL;
    }
    int result = request->cookie ? pl_frame_send(rank, request->peer, &cts, NULL)
                                 : pl_fail(PL_ENOMEM, "no memory for a receive under way");
    if (result < 0) {
        pl_cookie_drop(&rank->cookies, request->cookie);
        request->cookie = 0;
        pl_request_complete(request, result == PL_EPEER ? pl_peer_fail(rank, request->peer) : result);
    }
}

void pl_recv_fetch(struct pl_request *request, const struct pl_envelope *envelope, const struct pl_rts *rts,
                   const struct pl_memory_card *card)
{
    size_t fits = smaller(request->length, request->capacity);
    request->remote_cookie = envelope->cookie;
    if (!fits) {
        fetched(request);
        return;
    }
    if (card && request->rank->memory && !pl_device_fetch(request, card, fits)) {
        fetched(request);
        return;
    }
    struct pl_endpoint *endpoint = pl_peer_endpoint(request->rank, request->peer);
    if (!endpoint) {
        pl_request_complete(request, PL_EPEER);
        return;
    }
    if (rts->address && !request->rank->config.checksum && endpoint->transport->reaches(endpoint)) {
        if (request->type) {
            pl_typed_get(request, rts, fits, got);
            return;
        }
        request->operation.done = get_done;
        int result = endpoint->transport->get(endpoint, request->buffer, rts->address, &rts->key, fits,
                                              &request->operation);
        if (result == PL_PENDING)
            return;
        if (result != PL_EUNSUPPORTED) {
            get_done(&request->operation, result);
            return;
        }
    }
    ask(request, envelope->cookie, fits);
}

/* Why a message that a probe has seen cannot be received. */
static int failure(const struct pl_request *request, const struct pl_message *message)
{
    int error = message->status == PL_ECANCELLED ? pl_comm_check(request->comm, PL_BREAK_REVOKED)
                                                 : pl_peer_fail(request->rank, message->peer);
    return error ? error
                 : pl_fail(PL_ECANCELLED,
                           "the message of %zu bytes from rank %d with tag %d was taken back by its sender, "
                           "whose call "
                           "failed",
                           request->length, request->source, request->tag);
}

void pl_recv_message(struct pl_request *request, struct pl_message *message)
{
    const struct pl_envelope *envelope = &message->envelope;
    pl_recv_accept(request, envelope, message->peer);
    if (message->status < 0) {
        int error = failure(request, message);
        free(message);
        pl_request_complete(request, error);
        return;
    }
    if (envelope->kind == PL_KIND_RTS) {
        struct pl_envelope copy = *envelope;
        struct pl_rts rts = message->rts;
        struct pl_memory_card card;
        bool carded = message->carded;
        if (carded)
            memcpy(&card, message->data, sizeof card);
        free(message);
        pl_recv_fetch(request, &copy, &rts, carded ? &card : NULL);
        return;
    }
    if (!message->here) {
        message->claim = request;
        return;
    }
    size_t fits = smaller(request->length, request->capacity);
    struct pl_request *sender = message->local;
    if (sender)
        pl_request_copy(request, sender, fits);
    else
        pl_recv_put(request, 0, message->data, fits);
    free(message);
    pl_recv_complete(request);
    if (sender)
        pl_request_complete(sender, 0);
}

static void init(struct pl_request *request, struct pl_comm *comm, void *buffer, size_t capacity)
{
    request->rank = comm->owner;
    request->comm = comm;
    request->is_send = request->complete = request->cancelled = request->matched = false;
    request->error = 0;
    request->text = NULL;
    request->together = NULL;
    request->wary = false;
    request->buffer = buffer;
    request->capacity = capacity;
    request->length = 0;
    request->cookie = 0;
    request->parts = 0;
    request->peer = -1;
}

/* A receive that can never be answered: it is complete with the error. From any source, the program's own
 * waits all the same: pl_request_stalled. */
static bool hopeless(struct pl_request *request, enum pl_channel channel)
{
    const struct pl_comm *comm = request->comm;
    if (!request->rank->lost && !comm->broken)
        return false;
    int error = channel == PL_CHANNEL_COLLECTIVE ? pl_comm_check(comm, ~0u) : 0;
    if (!error && channel == PL_CHANNEL_USER && request->source == PL_ANY_SOURCE)
        error = pl_comm_check(comm, PL_BREAK_REVOKED);
    else if (!error)
        error = pl_source_check(comm, request->source);
    if (error)
        pl_request_complete(request, error);
    return error != 0;
}

static void start(struct pl_request *request, struct pl_comm *comm, enum pl_channel channel, void *buffer,
                  size_t capacity, int source, int tag, uint32_t signature)
{
    init(request, comm, buffer, capacity);
    request->context = pl_context_of(comm, channel);
    request->signature = signature;
    request->source = source;
    request->tag = tag;
    if (source == PL_PROC_NULL) {
        request->tag = PL_ANY_TAG;
        pl_request_complete(request, 0);
        return;
    }
    struct pl_message *message = pl_match_find(request->rank, request->context, source, tag);
    if (__builtin_expect(comm->broken & PL_BREAK_REVOKED, 0) && hopeless(request, channel))
        return;
    if (message) {
        pl_match_remove(message);
        pl_recv_message(request, message);
    } else if (!hopeless(request, channel)) {
        pl_match_post(request);
    }
}

void pl_recv_start(struct pl_request *request, struct pl_comm *comm, enum pl_channel channel, void *buffer,
                   size_t capacity, int source, int tag, uint32_t signature)
{
    request->type = NULL;
    start(request, comm, channel, buffer, capacity, source, tag, signature);
}

void pl_recv_start_typed(struct pl_request *request, struct pl_comm *comm, enum pl_channel channel,
                         void *buffer, size_t capacity, int source, int tag, uint32_t signature,
                         const struct pl_datatype *type)
{
    pl_typed_begin(request, comm->owner->memory, buffer, type);
    start(request, comm, channel, buffer, capacity, source, tag, signature);
}

struct pl_message *pl_message_find(struct pl_comm *comm, enum pl_channel channel, int source, int tag,
                                   bool take)
{
    struct pl_message *message = pl_match_find(comm->owner, pl_context_of(comm, channel), source, tag);
    if (!message)
        pl_knock_seek(comm, source);
    else if (take)
        pl_match_take(message);
    return message;
}

int pl_message_source(const struct pl_message *message)
{
    return message->envelope.source;
}

int pl_message_tag(const struct pl_message *message)
{
    return message->envelope.tag;
}

size_t pl_message_length(const struct pl_message *message)
{
    return message->envelope.length;
}

struct pl_comm *pl_message_comm(const struct pl_message *message)
{
    struct pl_comm *comm = pl_comm_of_context(message->rank, message->envelope.context >> PL_CHANNEL_BITS);
    return comm ? comm : message->rank->world;
}

void pl_message_recv(struct pl_request *request, struct pl_message *message, void *buffer, size_t capacity,
                     uint32_t signature, const struct pl_datatype *type)
{
    struct pl_comm *comm = pl_message_comm(message);
    request->type = NULL;
    if (type)
        pl_typed_begin(request, comm->owner->memory, buffer, type);
    init(request, comm, buffer, capacity);
    request->context = message->envelope.context;
    request->signature = signature;
    pl_match_give(message);
    pl_recv_message(request, message);
}
