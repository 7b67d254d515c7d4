/* What p2p does when a frame arrives: the upcalls it hands to every port.
 *
 * A frame's payload is either in memory already (then it is consumed on the
 * spot) or still on its way; then `arrived` says where it shall land, and
 * `landed` goes on. What a landing is for is told by its token: a receive, or
 * (one of the two lowest bits set) a kept message, or news.
 */
#include "agreement.h"
#include "awaited.h"
#include "loss.h"
#include "checksum.h"
#include "protocol.h"

#include "errors.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert(offsetof(struct pl_message, data) == offsetof(struct pl_message, rts) + sizeof(struct pl_rts),
              "an RTS and its card land in one piece");

/* What a token points to is told by its lowest bits; and the longest news that are believed, bytes. */
enum { MESSAGE = 1, CONTROL = 2, CONTROL_MOST = 64 << 10 };

static void *message_token(struct pl_message *message)
{
    return (char *)message + MESSAGE;
}

static struct pl_message *message_of(void *token)
{
    return (uintptr_t)token & MESSAGE ? (struct pl_message *)((char *)token - MESSAGE) : NULL;
}

/* News that are still landing. */
struct control {
    int peer;
    struct pl_envelope envelope;
    size_t length;
    unsigned char data[];
};

static struct control *control_of(void *token)
{
    return (uintptr_t)token & CONTROL ? (struct control *)((char *)token - CONTROL) : NULL;
}

/* A frame that makes no sense: the link to that peer is given up, not the process. */
static void nonsense(struct pl_rank *rank, int peer, const char *what)
{
    char cause[128];
    snprintf(cause, sizeof cause, "it sent a frame that makes no sense (%s)", what);
    pl_peer_give_up(rank, peer, cause);
}

static struct pl_message *message_create(struct pl_rank *rank, int peer, const struct pl_envelope *envelope,
                                         size_t length)
{
    struct pl_message *message = malloc(sizeof *message + length);
    if (!message) {
        pl_error("no memory to keep a message of %zu bytes from rank %d", length, peer);
        return NULL;
    }
    *message = (struct pl_message){.rank = rank, .peer = peer, .envelope = *envelope};
    return message;
}

/* Where the next `length` bytes for a receive shall land. */
static void land(struct pl_request *request, size_t length, struct pl_landing *landing)
{
    size_t moved = request->cookie ? request->moved : 0;
    size_t room = request->capacity - moved;
    if (length > room)
        length = room;
    void *buffer = (char *)request->buffer + moved;
    if (request->type && !(buffer = pl_typed_stage(request, request->cookie ? request->segment : length)))
        length = 0;
    request->parts = 1; /* a transport holds the buffer */
    *landing = (struct pl_landing){buffer, length, request};
}

/* An eager message of plain bytes that lies in memory, as it was expected: the same as what follows in
 * arrived_eager, without its detours. */
static inline bool deliver(struct pl_request *request, int peer, const struct pl_envelope *envelope,
                           size_t length, const void *payload)
{
    if (!payload || length > request->capacity || request->type ||
        envelope->signature != request->signature || envelope->kind != PL_KIND_EAGER)
        return false;
    request->matched = true;
    request->peer = peer;
    request->source = envelope->source;
    request->tag = envelope->tag;
    request->length = length;
    if (length == 8) /* the shortest and commonest: one move instead of a call */
        memcpy(request->buffer, payload, 8);
    else
        memcpy(request->buffer, payload, length);
    request->complete = true;
    if (request->completed)
        request->completed(request);
    return true;
}

static void arrived_eager(struct pl_rank *rank, int peer, const struct pl_envelope *envelope, size_t length,
                          const void *payload, struct pl_landing *landing)
{
    struct pl_request *request = pl_match_arrival(rank, envelope);
    if (request && __builtin_expect(deliver(request, peer, envelope, length, payload), 1))
        return;
    if (request) {
        pl_recv_accept(request, envelope, peer);
        if (payload || !length) {
            size_t fits = length < request->capacity ? length : request->capacity;
            pl_recv_put(request, 0, payload, fits);
            pl_recv_complete(request);
        } else {
            land(request, length, landing);
        }
        return;
    }
    struct pl_message *message = message_create(rank, peer, envelope, length);
    if (!message) {
        nonsense(rank, peer, "too large to keep");
        return;
    }
    message->here = payload || !length;
    if (payload)
        memcpy(message->data, payload, length);
    else if (length)
        *landing = (struct pl_landing){message->data, length, message_token(message)};
    pl_match_keep(message);
}

/* A message that waits at its sender meets a receive, or is kept. */
static void match_waiting(struct pl_message *message)
{
    struct pl_request *request = pl_match_arrival(message->rank, &message->envelope);
    message->here = true;
    if (request)
        pl_recv_message(request, message);
    else
        pl_match_keep(message);
}

static void arrived_rts(struct pl_rank *rank, int peer, const struct pl_envelope *envelope, size_t length,
                        const void *payload, struct pl_landing *landing)
{
    struct pl_rts_card rts;
    bool carded = length == sizeof rts;
    if (length != sizeof rts.rts && !carded) {
        nonsense(rank, peer, "an RTS of the wrong size");
        return;
    }
    struct pl_request *request = payload ? pl_match_arrival(rank, envelope) : NULL;
    if (request) {
        memcpy(&rts, payload, length);
        pl_recv_accept(request, envelope, peer);
        pl_recv_fetch(request, envelope, &rts.rts, carded ? &rts.card : NULL);
        return;
    }
    struct pl_message *message = message_create(rank, peer, envelope, carded ? sizeof rts.card : 0);
    if (!message) {
        nonsense(rank, peer, "too many to keep");
        return;
    }
    message->carded = carded;
    if (payload) {
        memcpy(&message->rts, payload, sizeof rts.rts);
        memcpy(message->data, (const char *)payload + sizeof rts.rts, length - sizeof rts.rts);
        message->here = true;
        pl_match_keep(message);
    } else {
        *landing = (struct pl_landing){&message->rts, length, message_token(message)};
    }
}

/* A segment of the data of a receive is where it belongs; after the last the receive is complete. */
static void data_landed(struct pl_request *request, size_t length)
{
    size_t wanted = request->length < request->capacity ? request->length : request->capacity;
    request->moved += length;
    if (request->moved < wanted && !request->error)
        return;
    pl_cookie_drop(&request->rank->cookies, request->cookie);
    request->cookie = 0;
    pl_recv_complete(request);
}

static void arrived_data(struct pl_rank *rank, int peer, const struct pl_envelope *envelope, size_t length,
                         const void *payload, struct pl_landing *landing)
{
    struct pl_request *request = pl_cookie_find(&rank->cookies, envelope->cookie);
    if (!request || request->is_send || request->peer != peer)
        return; /* given up meanwhile: the payload is dropped */
    if (length > request->capacity - request->moved || (request->type && length > request->segment)) {
        nonsense(rank, peer, "more data than was asked for");
    } else if (payload || !length) {
        pl_recv_put(request, request->moved, payload, length);
        data_landed(request, length);
    } else {
        land(request, length, landing);
    }
}

static void control(struct pl_rank *rank, int peer, const struct pl_envelope *envelope, const void *payload,
                    size_t length)
{
    if (envelope->kind == PL_KIND_ASK && rank->asked)
        rank->asked(rank, peer, envelope, payload, length);
    else if (envelope->kind == PL_KIND_ASK)
        return;
    else if (envelope->kind == PL_KIND_AGREE)
        pl_agreement_heard(rank, peer, envelope, payload, length);
    else
        pl_loss_heard(rank, peer, envelope, payload, length);
}

static void arrived_control(struct pl_rank *rank, int peer, const struct pl_envelope *envelope, size_t length,
                            const void *payload, struct pl_landing *landing)
{
    if (!length || length > CONTROL_MOST) {
        nonsense(rank, peer, "news of an impossible length");
        return;
    }
    if (payload) {
        control(rank, peer, envelope, payload, length);
        return;
    }
    struct control *news = malloc(sizeof *news + length);
    if (!news) {
        pl_error("no memory for news of %zu bytes from rank %d", length, peer);
        return;
    }
    *news = (struct control){.peer = peer, .envelope = *envelope, .length = length};
    *landing = (struct pl_landing){news->data, length, (char *)news + CONTROL};
}

static void dispatch(struct pl_rank *rank, int peer, const struct pl_envelope *envelope, size_t length,
                     const void *payload, struct pl_landing *landing)
{
    switch (envelope->kind) {
    case PL_KIND_EAGER:
    case PL_KIND_EAGER_SYNC:
        if (envelope->length == length)
            arrived_eager(rank, peer, envelope, length, payload, landing);
        else
            nonsense(rank, peer, "lengths differ");
        break;
    case PL_KIND_RTS:
        arrived_rts(rank, peer, envelope, length, payload, landing);
        break;
    case PL_KIND_DATA:
        arrived_data(rank, peer, envelope, length, payload, landing);
        break;
    case PL_KIND_ACK:
    case PL_KIND_CTS:
    case PL_KIND_FIN:
    case PL_KIND_CANCELLED:
        pl_send_answered(rank, peer, envelope);
        break;
    case PL_KIND_CANCEL:
        pl_cancel_asked(rank, peer, envelope);
        break;
    case PL_KIND_WITHDRAW:
        pl_match_withdrawn(rank, peer, envelope->cookie);
        break;
    case PL_KIND_WAKE:
        break;
    case PL_KIND_GIVE_UP:
        pl_peer_lost(rank, peer, PL_EPROTOCOL,
                     "it gave up the link, for what it got from this rank made no sense");
        break;
    case PL_KIND_DEATH:
    case PL_KIND_BREAK:
    case PL_KIND_ASK:
    case PL_KIND_AGREE:
        arrived_control(rank, peer, envelope, length, payload, landing);
        break;
    default:
        nonsense(rank, peer, "unknown kind");
    }
}

static void arrived(void *context, int peer, const struct pl_header *header, size_t length,
                    const void *payload, struct pl_landing *landing)
{
    struct pl_rank *rank = context;
    struct pl_envelope envelope;
    memcpy(&envelope, header, sizeof envelope);
    if (landing)
        *landing = (struct pl_landing){NULL, 0, NULL};
    if (__builtin_expect(rank->wary || envelope.kind == PL_KIND_SUM, 0)) {
        rank->wary = true;
        if (pl_checksum_admits(rank, peer, header, length, payload)) {
            dispatch(rank, peer, &envelope, length, payload, landing);
            if (landing)
                pl_checksum_landing(rank, peer, landing, length);
        }
        return;
    }
    dispatch(rank, peer, &envelope, length, payload, landing);
}

static void message_landed(struct pl_message *message, int status)
{
    struct pl_request *claim = message->claim;
    if (status < 0) {
        if (message->queued)
            pl_match_remove(message);
        else if (!claim && message->envelope.kind != PL_KIND_RTS) { /* an RTS is nobody's before it is here */
            message->status = status; /* a probe has taken it: its receive will tell */
            return;
        }
        if (claim)
            pl_request_complete(claim, pl_peer_fail(claim->rank, message->peer));
        free(message);
        return;
    }
    message->here = true;
    if (message->envelope.kind == PL_KIND_RTS) {
        match_waiting(message);
    } else if (claim) {
        size_t fits = claim->length < claim->capacity ? claim->length : claim->capacity;
        pl_recv_put(claim, 0, message->data, fits);
        free(message);
        pl_recv_complete(claim);
    }
}

static void landed(void *context, int peer, const struct pl_landing *landing, size_t length, int status)
{
    struct pl_rank *rank = context;
    if (!landing->token)
        return;
    if (__builtin_expect(rank->wary, 0) && !status)
        status = pl_checksum_landed(rank, peer, landing);
    struct control *news = control_of(landing->token);
    if (news) {
        if (!status)
            control(rank, news->peer, &news->envelope, news->data, news->length);
        free(news);
        return;
    }
    struct pl_message *message = message_of(landing->token);
    if (message) {
        message_landed(message, status);
        return;
    }
    struct pl_request *request = landing->token;
    request->parts = 0;
    if (status < 0) {
        pl_cookie_drop(&rank->cookies, request->cookie);
        pl_request_complete(request, pl_peer_fail(rank, peer));
        return;
    }
    bool segment = request->cookie != 0; /* else: an eager message, all of it */
    if (request->type) {
        size_t fits = length < landing->capacity ? length : landing->capacity;
        pl_recv_put(request, segment ? request->moved : 0, landing->buffer, fits);
    }
    if (segment)
        data_landed(request, length);
    else
        pl_recv_complete(request);
}

static void lost(void *context, int peer, int error, const char *cause)
{
    pl_peer_lost(context, peer, error, cause);
}

/* "rank 2 waits in MPI_Recv for a message from rank 1 with tag 5"; in a collective: "for rank 0, 3". */
static void describe(void *context, char *text, size_t size)
{
    enum { MOST = 8 };
    struct pl_rank *rank = context;
    char what[200];
    int ranks[MOST];
    bool any;
    int awaited = pl_awaited(rank, ranks, MOST, &any);
    int at = snprintf(text, size, "rank %d waits in %s", rank->rank, rank->call ? rank->call : "an MPI call");
    pl_awaited_text(rank, what, sizeof what);
    for (int i = 0; i < awaited && what[0] != 'f' && at < (int)size; i++)
        at += snprintf(text + at, size - (size_t)at, "%s%d", i ? ", " : " for rank ", ranks[i]);
    if (what[0] && at < (int)size)
        snprintf(text + at, size - (size_t)at, "%s%s", what[0] == 'f' ? " " : "; ", what);
}

static int awaits(void *context)
{
    int peer[2];
    bool any;
    return pl_awaited(context, peer, 2, &any) == 1 && !any ? peer[0] : -1;
}

const struct pl_upcalls pl_p2p_upcalls = {arrived, landed, lost, describe, awaits};
