/* A bridge has its own port because its members know each other by other numbers than in their worlds,
 * and prove themselves by another key:
 *
 *     world A: 0 1 2        bridge: 0 1 | 2 3 4       world B: 0 1 2
 *              |   |                | |   | | |                | | |
 *              +---+---------------(0 1)  (2 3 4)--------------+-+-+
 *     peers of A's 0:  0 1 2 are A's, 3 4 5 are bridge 2 3 4
 *
 * Between the port and src/p2p stands a set of upcalls that turns bridge numbers into peers. One
 * port for all bridges was rejected: it would need one key for all, and numbers that all worlds agree on.
 */
#include "bridge.h"

#include "errors.h"
#include "protocol.h"

#include <stdlib.h>
#include <string.h>

struct pl_bridge {
    struct pl_list link; /* in rank->bridges */
    struct pl_rank *rank;
    struct pl_port *port;
    int *peers; /* by number; -1: none */
    int size;
    bool awaits_answer;
};

/* A new peer of the rank. -1: no memory. */
static int new_peer(struct pl_rank *rank, const struct pl_identity *who)
{
    struct pl_peer **peers = realloc(rank->peers, sizeof(struct pl_peer *) * ((size_t)rank->npeers + 1));
    if (peers)
        rank->peers = peers;
    struct pl_peer *peer = peers ? calloc(1, sizeof *peer) : NULL;
    if (!peer) {
        pl_fail(PL_ENOMEM, "no memory for another peer");
        return -1;
    }
    peer->number = rank->npeers;
    peer->host = -1;
    peer->identity = who ? *who : (struct pl_identity){.rank = -1};
    rank->peers[rank->npeers] = peer;
    return rank->npeers++;
}

static int set_number(struct pl_bridge *bridge, int number, int peer)
{
    if (number >= bridge->size) {
        int size = number + 16;
        int *peers = realloc(bridge->peers, sizeof *peers * (size_t)size);
        if (!peers)
            return pl_fail(PL_ENOMEM, "no memory for the members of a bridge");
        for (int i = bridge->size; i < size; i++)
            peers[i] = -1;
        bridge->peers = peers;
        bridge->size = size;
    }
    bridge->peers[number] = peer;
    return 0;
}

/* The peer that a number is, made when it was never heard of; -1: no memory. */
static int peer_of(struct pl_bridge *bridge, int number)
{
    if (number < bridge->size && bridge->peers[number] >= 0)
        return bridge->peers[number];
    int peer = new_peer(bridge->rank, NULL);
    return peer >= 0 && !set_number(bridge, number, peer) ? peer : -1;
}

static void arrived(void *context, int number, const struct pl_header *header, size_t length,
                    const void *payload, struct pl_landing *landing)
{
    struct pl_bridge *bridge = context;
    if (landing)
        *landing = (struct pl_landing){NULL, 0, NULL};
    int peer = peer_of(bridge, number);
    if (peer >= 0)
        pl_p2p_upcalls.arrived(bridge->rank, peer, header, length, payload, landing);
}

static void landed(void *context, int number, const struct pl_landing *landing, size_t length, int status)
{
    struct pl_bridge *bridge = context;
    int peer = peer_of(bridge, number);
    if (peer >= 0)
        pl_p2p_upcalls.landed(bridge->rank, peer, landing, length, status);
}

static void lost(void *context, int number, int error, const char *cause)
{
    struct pl_bridge *bridge = context;
    if (number < bridge->size && bridge->peers[number] >= 0)
        pl_p2p_upcalls.lost(bridge->rank, bridge->peers[number], error, cause);
}

static void left(void *context, int number)
{
    const struct pl_bridge *bridge = context;
    if (bridge->awaits_answer)
        lost(context, number, PL_EPEER, "it closed its port and did not answer");
}

static void describe(void *context, char *text, size_t size)
{
    struct pl_bridge *bridge = context;
    pl_p2p_upcalls.describe(bridge->rank, text, size);
}

static const struct pl_upcalls upcalls = {
    .arrived = arrived, .landed = landed, .lost = lost, .describe = describe, .left = left};

static int open_port(struct pl_bridge *bridge, int number, const unsigned char *key)
{
    struct pl_rank *rank = bridge->rank;
    const struct pl_transport *transport = pl_transport_find("tcp");
    struct pl_port_params params = {.rank = number,
                                    .size = 2,
                                    .local_size = 0, /* the others may be anywhere ... */
                                    .config = &rank->config,
                                    .upcalls = &upcalls,
                                    .context = bridge};
    memcpy(params.key, key, sizeof params.key);
    if (!transport)
        return pl_fail(PL_EUNSUPPORTED, "worlds connect by tcp, which is not built in");
    if (!transport->open(&params, &bridge->port))
        return 0;
    params.local_size = params.size; /* ... but if this host has no network, only here */
    return transport->open(&params, &bridge->port);
}

int pl_bridge_open(struct pl_rank *rank, int number, const unsigned char key[32], struct pl_bridge **out)
{
    if (rank->fabric)
        return pl_fail(PL_EUNSUPPORTED, "the ranks of an in-process world connect only among themselves");
    if (rank->nports == PL_PORTS_MAX)
        return pl_fail(PL_EUNSUPPORTED, "this rank is connected to %d other worlds: no more fit",
                       PL_PORTS_MAX - 1);
    struct pl_bridge *bridge = calloc(1, sizeof *bridge);
    if (!bridge)
        return pl_fail(PL_ENOMEM, "no memory to connect worlds");
    bridge->rank = rank;
    int error = open_port(bridge, number, key);
    if (error) {
        free(bridge);
        return error;
    }
    rank->ports[rank->nports++] = bridge->port;
    pl_list_append(&rank->bridges, &bridge->link);
    *out = bridge;
    return 0;
}

int pl_bridge_card(struct pl_bridge *bridge, void *card, size_t *length)
{
    return bridge->port->transport->address(bridge->port, card, length);
}

static int connect_to(struct pl_bridge *bridge, int number, int peer, const void *card, size_t length)
{
    struct pl_peer *p = bridge->rank->peers[peer];
    p->lost = p->knocked = false;
    return bridge->port->transport->connect(bridge->port, number, card, length, &p->endpoint);
}

int pl_bridge_add(struct pl_bridge *bridge, int number, const struct pl_identity *who, const void *card,
                  size_t length, int *out)
{
    struct pl_rank *rank = bridge->rank;
    int peer = who ? pl_peer_find(rank, who) : -1;
    if (peer < 0)
        peer = new_peer(rank, who);
    int error = peer < 0 ? PL_ENOMEM : set_number(bridge, number, peer);
    bool reached = peer >= 0 && (peer < rank->size || rank->peers[peer]->endpoint);
    if (!error && !reached)
        error = connect_to(bridge, number, peer, card, length);
    if (!error)
        *out = peer;
    return error;
}

int pl_bridge_answer(struct pl_bridge *bridge, int peer, const void *card, size_t length)
{
    for (int i = 0; i < bridge->size; i++)
        if (bridge->peers[i] == peer)
            return connect_to(bridge, i, peer, card, length);
    return pl_fail(PL_EUNREACHABLE, "peer %d did not come over this bridge", peer);
}

void pl_bridge_await(struct pl_bridge *bridge, bool answer)
{
    bridge->awaits_answer = answer;
}

bool pl_bridge_has(const struct pl_bridge *bridge, int peer)
{
    const struct pl_peer *p = peer < bridge->rank->npeers ? bridge->rank->peers[peer] : NULL;
    return p && p->endpoint && p->endpoint->port == bridge->port;
}

struct pl_bridge *pl_bridge_of(struct pl_list *node)
{
    return pl_container(node, struct pl_bridge, link);
}

void pl_bridge_close(struct pl_bridge *bridge)
{
    if (!bridge)
        return;
    struct pl_rank *rank = bridge->rank;
    int at = 0;
    while (rank->ports[at] != bridge->port)
        at++;
    memmove(&rank->ports[at], &rank->ports[at + 1], sizeof rank->ports[0] * (size_t)(rank->nports - at - 1));
    rank->nports--;
    for (int i = rank->size; i < rank->npeers; i++)
        if (pl_bridge_has(bridge, i))
            rank->peers[i]->endpoint = NULL;
    bridge->port->transport->close(bridge->port);
    pl_list_remove(&bridge->link);
    free(bridge->peers);
    free(bridge);
}

void pl_bridges_close_unused(struct pl_rank *rank, bool (*used)(int peer, void *argument), void *argument)
{
    pl_list_each(node, &rank->bridges)
    {
        struct pl_bridge *bridge = pl_container(node, struct pl_bridge, link);
        bool named = false, needed = false;
        for (int i = rank->size; i < rank->npeers; i++)
            if (pl_bridge_has(bridge, i)) {
                named = named || rank->peers[i]->identity.rank >= 0;
                needed = needed || used(i, argument);
            }
        if (named && !needed)
            pl_bridge_close(bridge);
    }
}
