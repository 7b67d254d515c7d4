/* Where a TCP port can be reached: the card, the filter of PEAL_NET, the text of an address. */
#ifndef PL_TCP_ADDRESS_H
#define PL_TCP_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Most addresses one card carries; more interfaces than that are left out, with a word in the log. */
#define PL_TCP_ADDRESSES 16
#define PL_TCP_NONCE     16

union pl_tcp_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Bytes an address takes as text, "[v6]:port" and its end included. */
#define PL_TCP_TEXT 64

struct pl_tcp_card {
    unsigned char nonce[PL_TCP_NONCE]; /* names this one port: a port number may be used again */
    int count;
    union pl_tcp_address address[PL_TCP_ADDRESSES]; /* with port numbers, best first */
    /* Of this host's own card only, and not packed: */
    unsigned char prefix[PL_TCP_ADDRESSES]; /* bits of the subnet */
    bool inner[PL_TCP_ADDRESSES];           /* of a bridge to containers or virtual machines of this host */
};

/* Finds this host's addresses that `filter` lets through, port numbers 0:
 * loopback ones when `local`, else all others that peers can dial, those of bridges to
 * containers last. `filter` is
 * PEAL_NET: items divided by commas, each an interface ("eth0"), an address or a
 * subnet ("10.0.0.0/8", "fd00::/16"); "^item" leaves out. With `local` a filter that
 * lets no loopback address through is ignored. PL_EUNSUPPORTED when none is left,
 * PL_EARG for an item that makes no sense. */
int pl_tcp_addresses(bool local, const char *filter, struct pl_tcp_card *card);

/* The card as bytes (at most PL_CARD_MAX), and back; unpacking checks every byte: PL_EPROTOCOL. */
size_t pl_tcp_card_pack(const struct pl_tcp_card *card, void *bytes);
int pl_tcp_card_unpack(const void *bytes, size_t length, struct pl_tcp_card *card);

/* Orders a peer's addresses as they are best tried from here: first those in a subnet of `own`, beginning
 * with number `turn` of them (so that several peers share several networks), then the others, last those that
 * this host has itself: a peer's bridge may well have the same number as ours. */
void pl_tcp_card_prefer(struct pl_tcp_card *card, const struct pl_tcp_card *own, int turn);

/* Whether every item of a filter can be understood. 0, or PL_EARG with the text. */
int pl_tcp_filter_check(const char *filter);

/* "10.0.0.1, fd00::1" of a card, without ports; returns `text`. */
const char *pl_tcp_card_text(const struct pl_tcp_card *card, char *text, size_t size);

socklen_t pl_tcp_address_size(const union pl_tcp_address *address);
/* "10.0.0.1:4000" or "[::1]:4000"; returns `text`. */
const char *pl_tcp_address_text(const union pl_tcp_address *address, char text[PL_TCP_TEXT]);

#endif
