/* Read by a rank of its own lists, when it has waited long; so it may cost what it likes.
 *
 * A request of a collective is told as part of the call, for its tag means nothing to anybody: only the rank
 * counts.
 */
#include "awaited.h"

#include "protocol.h"

#include <stdarg.h>
#include <stdio.h>

struct text {
    char *at;
    size_t left;
    int told;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text->at, text->left, format, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n < text->left ? (size_t)n : text->left - 1;
    text->at += used;
    text->left -= used;
}

static int note(int *ranks, int count, int most, int peer)
{
    for (int i = 0; i < count; i++)
        if (ranks[i] == peer)
            return count;
    if (count < most)
        ranks[count++] = peer;
    return count;
}

int pl_awaited(const struct pl_rank *rank, int *ranks, int most, bool *any)
{
    int count = 0;
    *any = !pl_list_empty(&rank->posted_any);
    if (rank->awaits && rank->awaits <= rank->size)
        count = note(ranks, count, most, rank->awaits - 1);
    for (int i = 0; i < PL_MATCH_BUCKETS; i++)
        pl_list_each(node, &rank->buckets[i].posted)
        {
            const struct pl_request *request = pl_container(node, struct pl_request, link);
            int peer = request->comm->target->peers[request->source];
            if (peer < rank->size)
                count = note(ranks, count, most, peer);
        }
    for (uint32_t i = 0; i < rank->cookies.size; i++) {
        const struct pl_request *request = rank->cookies.slots[i].request;
        if (request && request->peer >= 0 && request->peer < rank->size)
            count = note(ranks, count, most, request->peer);
    }
    return count;
}

static bool of_program(uint64_t context)
{
    return (context & ((1u << PL_CHANNEL_BITS) - 1)) == PL_CHANNEL_USER;
}

static void tell_receive(struct text *text, const struct pl_request *request)
{
    enum { MOST = 3 };
    if (!of_program(request->context) || text->told++ >= MOST)
        return;
    add(text, "%sfor a message from ", text->told > 1 ? ", " : "");
    if (request->source == PL_ANY_SOURCE)
        add(text, "any rank");
    else
        add(text, "rank %d", request->source);
    if (request->tag != PL_ANY_TAG)
        add(text, " with tag %d", request->tag);
    add(text, " in %.40s", request->comm->name);
}

void pl_awaited_text(const struct pl_rank *rank, char *buffer, size_t size)
{
    struct text text = {buffer, size, 0};
    int unexpected = 0;
    const struct pl_message *first = NULL;
    buffer[0] = 0;
    for (int i = -1; i < PL_MATCH_BUCKETS; i++)
        pl_list_each(node, i < 0 ? &rank->posted_any : &rank->buckets[i].posted)
            tell_receive(&text, pl_container(node, struct pl_request, link));
    for (uint32_t i = 0; i < rank->cookies.size; i++) {
        const struct pl_request *request = rank->cookies.slots[i].request;
        if (request && request->is_send && of_program(request->context) && text.told++ < 3)
            add(&text, "%sfor rank %d to receive %zu bytes with tag %d", text.told > 1 ? ", " : "",
                request->peer, request->length, request->tag);
    }
    pl_list_each(node, &rank->unexpected_all)
    {
        const struct pl_message *message = pl_container(node, struct pl_message, all);
        if (of_program(message->envelope.context) && !unexpected++)
            first = message;
    }
    if (first)
        add(&text, "%s%d message%s that nobody receives, the first from rank %d with tag %d",
            text.told ? "; " : "", unexpected, unexpected > 1 ? "s" : "", first->envelope.source,
            first->envelope.tag);
}
