/* Cancelling: receives that nothing has matched yet, and sends that nobody has received yet.
 *
 * A receive is taken out of its list. A send may be complete, its bytes kept at the receiver;
 * only the receiver knows whether a receive has met it, so it is asked, and the send is
 * complete (again) when the answer is there:
 *
 *   sender --CANCEL(cookie; eager: its serial number)--> receiver: is it still kept?
 *          <--CANCELLED(cookie, length 1: forgotten, 0: too late)--
 *
 * A message that waits at the sender, or wants an ACK, is known by its cookie; an eager one by
 * the number of the send, which its envelope carries in the cookie's place. Frames of a pair
 * keep their order, so the question never overtakes the message. An answer of one's own
 * (never cancelling a send, as Open MPI does) is allowed by the standard, but MPI_Wait must
 * then still return without a receiver, and for a message that waits at its sender it cannot.
 */
#include "protocol.h"

#include <stdlib.h>

static struct pl_message *kept_from(struct pl_rank *rank, int peer, uint32_t cookie, bool eager)
{
    pl_list_each(node, &rank->unexpected_all)
    {
        struct pl_message *message = pl_container(node, struct pl_message, all);
        bool plain = message->envelope.kind == PL_KIND_EAGER;
        if (message->peer == peer && plain == eager && message->envelope.cookie == cookie)
            return message;
    }
    return NULL;
}

/* Whether the message was kept, and is not any more. */
static bool forget(struct pl_message *message)
{
    if (!message || !message->here)
        return false;
    pl_match_remove(message);
    free(message);
    return true;
}

static void cancel_local(struct pl_request *request)
{
    struct pl_rank *rank = request->rank;
    bool taken = request->serial ? forget(kept_from(rank, rank->rank, request->serial, true))
                                 : pl_match_withdraw(request);
    if (!taken)
        return;
    request->cancelled = true;
    if (!request->complete)
        pl_request_complete(request, 0);
}

static void ask(struct pl_request *request)
{
    struct pl_rank *rank = request->rank;
    if (request->complete) {
        request->complete = false;
        request->parts = 0;
        request->cookie = 0;
    }
    if (!request->cookie)
        request->cookie = pl_cookie_new(&rank->cookies, request);
    request->parts++;
    request->asked = true;
    struct pl_envelope question = {.kind = PL_KIND_CANCEL,
                                   .cookie = request->cookie,
                                   .answer = request->serial ? request->serial : request->cookie,
                                   .length = request->serial != 0};
    if (!request->cookie || pl_frame_send(rank, request->peer, &question, NULL) < 0)
        pl_cancel_answered(request, false);
}

static void cancel_send(struct pl_request *request)
{
    bool matched = request->complete && !request->serial;
    if (request->asked || matched || request->error || request->peer < 0)
        return;
    if (request->peer == request->rank->rank)
        cancel_local(request);
    else
        ask(request);
}

void pl_cancel_asked(struct pl_rank *rank, int peer, const struct pl_envelope *question)
{
    struct pl_message *message = kept_from(rank, peer, question->answer, question->length != 0);
    struct pl_envelope answer = {
        .kind = PL_KIND_CANCELLED, .cookie = question->cookie, .length = forget(message)};
    pl_frame_send(rank, peer, &answer, NULL);
}

void pl_cancel_answered(struct pl_request *request, bool taken)
{
    if (!request->asked)
        return;
    request->asked = false;
    if (taken) {
        request->cancelled = true;
        if (!request->serial)
            request->parts--; /* nor will it be fetched or acknowledged */
    }
    pl_send_part_done(request, 0);
}

void pl_request_cancel(struct pl_request *request)
{
    if (request->is_send) {
        cancel_send(request);
    } else if (!request->complete && !request->matched) {
        pl_list_remove(&request->link);
        request->cancelled = true;
        request->length = 0;
        pl_request_complete(request, 0);
    }
}
