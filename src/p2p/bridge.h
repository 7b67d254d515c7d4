/* Bridges: the way to processes of other worlds.
 *
 * A bridge is a TCP port of its own with a key of its own, over which two groups that met by
 * MPI_Comm_accept and MPI_Comm_connect talk. Its members are numbered within it, the accepting side
 * first; each becomes a peer of the rank, numbered after those of its own world. All functions are called
 * with the rank's lock held. */
#ifndef PL_BRIDGE_H
#define PL_BRIDGE_H

#include "rank.h"

struct pl_bridge;

/* Opens a bridge in which this rank is `number`. Whoever else calls becomes a nameless peer. 0 or an error.
 */
int pl_bridge_open(struct pl_rank *rank, int number, const unsigned char key[32], struct pl_bridge **bridge);
/* This rank's card in it, at most PL_CARD_MAX bytes. */
int pl_bridge_card(struct pl_bridge *bridge, void *card, size_t *length);
/* Makes member `number` a peer of the rank (unless it is one already); *peer is its number there. who NULL: a
 * nameless one. */
int pl_bridge_add(struct pl_bridge *bridge, int number, const struct pl_identity *who, const void *card,
                  size_t length, int *peer);
/* Gives a nameless peer, of which only a message has come, its card: it can then be answered. */
int pl_bridge_answer(struct pl_bridge *bridge, int peer, const void *card, size_t length);
/* While an answer is awaited, a member that closes its port in order is as good as dead: no answer will come.
 */
void pl_bridge_await(struct pl_bridge *bridge, bool answer);
/* Whether the peer is reached over this bridge. */
bool pl_bridge_has(const struct pl_bridge *bridge, int peer);
/* The bridge of a node of rank->bridges. */
struct pl_bridge *pl_bridge_of(struct pl_list *node);
/* Sends out what has been accepted, and closes. Its peers can be reached no more. Accepts NULL. */
void pl_bridge_close(struct pl_bridge *bridge);
/* Closes all that serve no member of these. used(peer, argument): whether a peer is still needed. */
void pl_bridges_close_unused(struct pl_rank *rank, bool (*used)(int peer, void *argument), void *argument);

#endif
