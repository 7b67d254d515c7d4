/* End-to-end checksums of frames (PEAL_CHECKSUM). */
#ifndef PL_CHECKSUM_H
#define PL_CHECKSUM_H

#include "envelope.h"
#include "rank.h"

/* Hands a frame to the transport, after its sum where sums are wanted. Returns as send does. */
int pl_frame_start(struct pl_rank *rank, struct pl_endpoint *endpoint, struct pl_operation *operation);

/* Whether a frame that arrives may be looked at. It may not when it is itself a sum, or does not have the one
 * that came before it (then its sender's link is given up), or comes after that. */
bool pl_checksum_admits(struct pl_rank *rank, int peer, const struct pl_header *header, size_t length,
                        const void *payload);
/* The payload of the frame just admitted is going to land. */
void pl_checksum_landing(struct pl_rank *rank, int peer, const struct pl_landing *landing, size_t length);
/* It has landed: 0, or PL_EPROTOCOL when it is not what was sent (the link is given up). */
int pl_checksum_landed(struct pl_rank *rank, int peer, const struct pl_landing *landing);
/* Frees what is kept for landings that never end. */
void pl_checksum_finish(struct pl_rank *rank);

#endif
