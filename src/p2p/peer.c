/* Peers: the other ranks as this one sees them. A peer costs nothing until it is
 * talked to. What its death does is loss.c's. */
#include "protocol.h"

#include "errors.h"
#include "log.h"

#include <stdlib.h>

struct pl_peer *pl_peer_get(struct pl_rank *rank, int number)
{
    if (number < 0 || number >= rank->npeers) {
        pl_fail(PL_EARG, "there is no peer %d: the world has %d ranks", number, rank->npeers);
        return NULL;
    }
    struct pl_peer *peer = rank->peers[number];
    if (peer)
        return peer;
    peer = calloc(1, sizeof *peer);
    if (!peer) {
        pl_fail(PL_ENOMEM, "no memory for rank %d", number);
        return NULL;
    }
    peer->number = number;
    peer->identity = (struct pl_identity){.world = rank->world_id, .rank = number};
    peer->host = rank->host_of(rank, number);
    rank->peers[number] = peer;
    return peer;
}

struct pl_identity pl_peer_identity(struct pl_rank *rank, int number)
{
    if (number < rank->size)
        return (struct pl_identity){.world = rank->world_id, .rank = number};
    return rank->peers[number]->identity;
}

int pl_peer_find(struct pl_rank *rank, const struct pl_identity *identity)
{
    if (identity->world == rank->world_id)
        return identity->rank < rank->size ? identity->rank : -1;
    for (int i = rank->size; i < rank->npeers; i++)
        if (identity->rank >= 0 && rank->peers[i]->identity.world == identity->world &&
            rank->peers[i]->identity.rank == identity->rank)
            return i;
    return -1;
}

static int connect_by(struct pl_rank *rank, struct pl_port *port, struct pl_peer *peer)
{
    unsigned char card[PL_CARD_MAX];
    size_t length = sizeof card;
    int error = rank->card_of(rank, peer->number, port->transport->name, card, &length);
    if (error)
        return error;
    return port->transport->connect(port, peer->number, card, length, &peer->endpoint);
}

/* Whether a peer cannot be reached because it ended before anybody talked to it, as the launcher knows. */
static bool died_unmet(struct pl_rank *rank, struct pl_peer *peer)
{
    char text[PL_CAUSE];
    if (!rank->obituary || !rank->obituary(rank, peer->number, text, sizeof text))
        return false;
    pl_peer_lost(rank, peer->number, PL_EPEER, text);
    pl_peer_fail(rank, peer->number);
    return true;
}

static struct pl_endpoint *connect_peer(struct pl_rank *rank, struct pl_peer *peer)
{
    if (peer->number >= rank->size) {
        pl_fail(PL_EUNREACHABLE, "rank %d of another world: the connection to it was closed",
                peer->identity.rank);
        return NULL;
    }
    for (int i = 0; i < rank->nports; i++) {
        int error = connect_by(rank, rank->ports[i], peer);
        if (!error) {
            pl_debug("rank %d is reached by %s", peer->number, rank->ports[i]->transport->name);
            return peer->endpoint;
        }
        pl_info("rank %d is not reached by %s: %s", peer->number, rank->ports[i]->transport->name,
                pl_fail_text());
    }
    if (!died_unmet(rank, peer))
        pl_fail(PL_EUNREACHABLE, "rank %d cannot be reached by any of the transports allowed here (%s)",
                peer->number, rank->config.transports);
    return NULL;
}

struct pl_endpoint *pl_peer_endpoint(struct pl_rank *rank, int number)
{
    struct pl_peer *peer = number < rank->npeers && number >= 0 ? rank->peers[number] : NULL;
    if (__builtin_expect(peer && peer->endpoint && !peer->lost, 1))
        return peer->endpoint;
    peer = pl_peer_get(rank, number);
    if (!peer)
        return NULL;
    if (peer->lost) {
        pl_peer_fail(rank, number);
        return NULL;
    }
    return connect_peer(rank, peer);
}

void pl_peer_wake(struct pl_rank *rank, int number)
{
    struct pl_envelope wake = {.kind = PL_KIND_WAKE};
    pl_frame_send(rank, number, &wake, NULL);
}

int pl_peer_fail(struct pl_rank *rank, int number)
{
    const struct pl_peer *peer = number >= 0 && number < rank->npeers ? rank->peers[number] : NULL;
    char text[PL_CAUSE];
    if (peer && peer->cause)
        return pl_fail(PL_EPEER, "rank %d failed: %s", number, peer->cause);
    bool known = number >= 0 && number < rank->size && rank->obituary &&
                 rank->obituary(rank, number, text, sizeof text);
    return pl_fail(PL_EPEER, "rank %d failed: %s", number, known ? text : "its link broke");
}

void pl_peer_give_up(struct pl_rank *rank, int number, const char *cause)
{
    struct pl_peer *peer = pl_peer_get(rank, number);
    if (!peer || peer->given_up)
        return;
    struct pl_envelope farewell = {.kind = PL_KIND_GIVE_UP};
    if (!peer->lost)
        pl_frame_send(rank, number, &farewell, NULL);
    peer->given_up = true;
    rank->wary = true;
    pl_peer_lost(rank, number, PL_EPROTOCOL, cause);
}
