/* Every frame is preceded by one that carries its sums: of its header, of its payload, and of itself.
 *
 *     sender    SUM {crc(header), crc(payload), crc(this)}   EAGER {...} payload
 *     receiver  keeps it                                     compares, then lets it pass
 *
 * Frames of a pair come in order, so the sum is always that of the frame behind it,
 * and one of these missing or too many is an error as well. A payload that is in memory is
 * checked before anybody sees it; one that lands in the user's buffer, when the last byte
 * is there and before its receive completes. What is wrong costs the link
 * between the two, like any frame that makes no sense, and both name it.
 *
 * What does not travel in frames cannot be checked so, and is not used then: reading
 * a peer's memory, the board, buffers that all have mapped.
 *
 * Cost: a small frame more for each, and two passes over the data (CRC32C at 8 bytes
 * a cycle). Rejected: the sum behind the payload (a copy, or a second vector, in every transport), and
 * in the envelope (no room, and 4 bytes of every message of those who do not want it).
 */
#include "checksum.h"

#include "crc32c.h"
#include "errors.h"
#include "protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the fields of an envelope: length is the payload's. */
#define SUM_OF_HEADER(envelope)  ((envelope)->cookie)
#define SUM_OF_PAYLOAD(envelope) ((envelope)->signature)

struct landing {
    struct pl_list link;
    int peer;
    void *token;
    size_t length;
    uint32_t sum;
};

/* The sum of the announcement itself, with its own place (the tag) empty. */
static int32_t own_sum(struct pl_envelope envelope)
{
    envelope.tag = 0;
    return (int32_t)pl_crc32c(0, &envelope, sizeof envelope);
}

static int announce(struct pl_rank *rank, struct pl_endpoint *endpoint, const struct pl_operation *operation)
{
    struct pl_envelope sum = {.kind = PL_KIND_SUM, .source = rank->rank, .length = operation->length};
    SUM_OF_HEADER(&sum) = pl_crc32c(0, &operation->header, PL_HEADER_SIZE);
    SUM_OF_PAYLOAD(&sum) = pl_crc32c(0, operation->payload, operation->length);
    sum.tag = own_sum(sum);
    return pl_frame_bare(rank, endpoint, &sum);
}

int pl_frame_start(struct pl_rank *rank, struct pl_endpoint *endpoint, struct pl_operation *operation)
{
    int error = rank->config.checksum ? announce(rank, endpoint, operation) : 0;
    return error ? error : endpoint->transport->send(endpoint, operation);
}

static bool refuse(struct pl_rank *rank, int peer, const char *what)
{
    char cause[160];
    snprintf(cause, sizeof cause, "what it sent to rank %d %s (PEAL_CHECKSUM)", rank->rank, what);
    pl_peer_give_up(rank, peer, cause);
    return false;
}

/* A sum came: it is kept for the frame behind it. */
static bool keep(struct pl_rank *rank, struct pl_peer *peer, const struct pl_envelope *sum)
{
    if (sum->tag != own_sum(*sum))
        return refuse(rank, peer->number, "was changed on the way: a checksum has not its own");
    if (peer->summed)
        return refuse(rank, peer->number, "was lost: two checksums without a frame between them");
    peer->summed = true;
    peer->sum_header = SUM_OF_HEADER(sum);
    peer->sum_payload = SUM_OF_PAYLOAD(sum);
    peer->sum_length = sum->length;
    return false;
}

bool pl_checksum_admits(struct pl_rank *rank, int number, const struct pl_header *header, size_t length,
                        const void *payload)
{
    struct pl_envelope envelope;
    struct pl_peer *peer = pl_peer_get(rank, number);
    memcpy(&envelope, header, sizeof envelope);
    if (!peer || peer->given_up)
        return false;
    if (envelope.kind == PL_KIND_SUM)
        return keep(rank, peer, &envelope);
    if (!peer->summed && rank->config.checksum)
        return refuse(rank, number, "has no checksum: is PEAL_CHECKSUM the same on all ranks?");
    if (!peer->summed)
        return true;
    peer->summed = false;
    peer->sum_waits = !payload && length;
    if (pl_crc32c(0, header, PL_HEADER_SIZE) != peer->sum_header || length != peer->sum_length ||
        (payload && pl_crc32c(0, payload, length) != peer->sum_payload))
        return refuse(rank, number, "was changed on the way: its checksum is another");
    return true;
}

void pl_checksum_landing(struct pl_rank *rank, int number, const struct pl_landing *landing, size_t length)
{
    struct pl_peer *peer = rank->peers[number];
    if (!peer || !peer->sum_waits)
        return;
    peer->sum_waits = false;
    if (!landing->token || !landing->buffer || landing->capacity < length)
        return; /* not all of it is kept: what is kept ends as an error, or nowhere */
    struct landing *kept = malloc(sizeof *kept);
    if (!kept) {
        refuse(rank, number, "cannot be checked: out of memory");
        return;
    }
    *kept =
        (struct landing){.peer = number, .token = landing->token, .length = length, .sum = peer->sum_payload};
    pl_list_append(&rank->sums, &kept->link);
}

int pl_checksum_landed(struct pl_rank *rank, int peer, const struct pl_landing *landing)
{
    pl_list_each(node, &rank->sums)
    {
        struct landing *kept = pl_container(node, struct landing, link);
        if (kept->peer != peer || kept->token != landing->token)
            continue;
        bool right = pl_crc32c(0, landing->buffer, kept->length) == kept->sum;
        pl_list_remove(node);
        free(kept);
        if (right)
            return 0;
        refuse(rank, peer, "was changed on the way: its checksum is another");
        return PL_EPROTOCOL;
    }
    return 0;
}

void pl_checksum_finish(struct pl_rank *rank)
{
    if (!rank->sums.next)
        return;
    pl_list_each(node, &rank->sums)
    {
        pl_list_remove(node);
        free(pl_container(node, struct landing, link));
    }
}
