/* Matching: which receive a message belongs to.
 *
 * Receives from one source and messages from it meet in a bucket chosen by
 * (context, source); receives from any source stand in one list of their own,
 * and every kept message also stands in one list by arrival. A sequence number
 * given at posting decides between a bucket's candidate and a wildcard's: the
 * older wins. So the common case looks at one short list however many ranks
 * there are, and wildcards stay right. One list for all was rejected: an
 * all-to-all of n ranks would compare n^2 times.
 */
#include "match.h"

#include "errors.h"

#include <stdlib.h>

static struct pl_bucket *bucket_of(struct pl_rank *rank, uint64_t context, int source)
{
    uint64_t hash = (context ^ (uint64_t)(uint32_t)source * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
    return &rank->buckets[hash >> 56];
}

void pl_match_init(struct pl_rank *rank)
{
    for (int i = 0; i < PL_MATCH_BUCKETS; i++) {
        pl_list_init(&rank->buckets[i].posted);
        pl_list_init(&rank->buckets[i].unexpected);
    }
    pl_list_init(&rank->posted_any);
    pl_list_init(&rank->unexpected_all);
    pl_list_init(&rank->probed);
}

static void forget(struct pl_message *message)
{
    if (message->queued)
        pl_list_remove(&message->link);
    pl_list_remove(&message->all);
    free(message);
}

void pl_match_finish(struct pl_rank *rank)
{
    pl_list_each(node, &rank->unexpected_all) forget(pl_container(node, struct pl_message, all));
    pl_list_each(node, &rank->probed) forget(pl_container(node, struct pl_message, all));
}

void pl_match_post(struct pl_request *request)
{
    struct pl_rank *rank = request->rank;
    request->sequence = rank->posts++;
    if (request->source == PL_ANY_SOURCE)
        pl_list_append(&rank->posted_any, &request->link);
    else
        pl_list_append(&bucket_of(rank, request->context, request->source)->posted, &request->link);
}

static bool accepts(const struct pl_request *request, const struct pl_envelope *envelope)
{
    return request->context == envelope->context &&
           (request->source == envelope->source || request->source == PL_ANY_SOURCE) &&
           (request->tag == envelope->tag || request->tag == PL_ANY_TAG);
}

static struct pl_request *first_accepting(const struct pl_list *posted, const struct pl_envelope *envelope)
{
    for (struct pl_list *node = posted->next; node != posted; node = node->next) {
        struct pl_request *request = pl_container(node, struct pl_request, link);
        if (accepts(request, envelope))
            return request;
    }
    return NULL;
}

struct pl_request *pl_match_arrival(struct pl_rank *rank, const struct pl_envelope *envelope)
{
    struct pl_bucket *bucket = bucket_of(rank, envelope->context, envelope->source);
    struct pl_request *request = first_accepting(&bucket->posted, envelope);
    if (!pl_list_empty(&rank->posted_any)) {
        struct pl_request *any = first_accepting(&rank->posted_any, envelope);
        if (any && (!request || any->sequence < request->sequence))
            request = any;
    }
    if (request)
        pl_list_remove(&request->link);
    return request;
}

void pl_match_keep(struct pl_message *message)
{
    struct pl_rank *rank = message->rank;
    message->queued = true;
    rank->counters.unexpected++;
    pl_list_append(&bucket_of(rank, message->envelope.context, message->envelope.source)->unexpected,
                   &message->link);
    pl_list_append(&rank->unexpected_all, &message->all);
    if (rank->stray && (message->envelope.context & ((1 << PL_CHANNEL_BITS) - 1)) == PL_CHANNEL_COLLECTIVE)
        rank->stray(rank, &message->envelope);
}

static bool wanted(const struct pl_message *message, uint64_t context, int source, int tag)
{
    const struct pl_envelope *envelope = &message->envelope;
    return envelope->context == context && (source == PL_ANY_SOURCE || envelope->source == source) &&
           (tag == PL_ANY_TAG || envelope->tag == tag);
}

struct pl_message *pl_match_find(struct pl_rank *rank, uint64_t context, int source, int tag)
{
    if (source == PL_ANY_SOURCE) {
        pl_list_each(node, &rank->unexpected_all)
        {
            struct pl_message *message = pl_container(node, struct pl_message, all);
            if (wanted(message, context, source, tag))
                return message;
        }
        return NULL;
    }
    struct pl_list *kept = &bucket_of(rank, context, source)->unexpected;
    pl_list_each(node, kept)
    {
        struct pl_message *message = pl_container(node, struct pl_message, link);
        if (wanted(message, context, source, tag))
            return message;
    }
    return NULL;
}

void pl_match_remove(struct pl_message *message)
{
    message->queued = false;
    pl_list_remove(&message->link);
    pl_list_remove(&message->all);
}

void pl_match_take(struct pl_message *message)
{
    pl_match_remove(message);
    pl_list_append(&message->rank->probed, &message->all);
}

void pl_match_give(struct pl_message *message)
{
    pl_list_remove(&message->all);
}

/* Its receive, when it comes, will be told. */
static bool take_back(struct pl_message *message)
{
    message->local = NULL;
    message->status = PL_ECANCELLED;
    return true;
}

bool pl_match_withdraw(struct pl_request *request)
{
    pl_list_each(node, &request->rank->probed)
    {
        struct pl_message *message = pl_container(node, struct pl_message, all);
        if (message->local == request)
            return take_back(message);
    }
    pl_list_each(node, &request->rank->unexpected_all)
    {
        struct pl_message *message = pl_container(node, struct pl_message, all);
        if (message->local != request)
            continue;
        forget(message);
        return true;
    }
    return false;
}

static struct pl_message *announced(struct pl_list *messages, int peer, uint32_t cookie)
{
    pl_list_each(node, messages)
    {
        struct pl_message *message = pl_container(node, struct pl_message, all);
        if (message->peer == peer && message->envelope.kind == PL_KIND_RTS &&
            message->envelope.cookie == cookie)
            return message;
    }
    return NULL;
}

void pl_match_withdrawn(struct pl_rank *rank, int peer, uint32_t cookie)
{
    struct pl_message *message = announced(&rank->unexpected_all, peer, cookie);
    if (message)
        forget(message);
    else if ((message = announced(&rank->probed, peer, cookie)))
        take_back(message);
}
