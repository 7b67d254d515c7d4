/* The business card of a verbs port, and the datagrams by which two ranks exchange
 * the numbers of their queue pairs. Bytes only; who sends what when is verbs_call.c's. */
#ifndef PL_VERBS_CARD_H
#define PL_VERBS_CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_VERBS_NONCE      16
#define PL_VERBS_CARD_BYTES 56
#define PL_VERBS_CALL_BYTES (24 + PL_VERBS_CARD_BYTES + PL_VERBS_NONCE + 32)

struct pl_verbs_card {
    unsigned char nonce[PL_VERBS_NONCE]; /* names this one port */
    unsigned char gid[16];
    uint16_t lid;
    uint8_t mtu;      /* enum ibv_mtu */
    uint8_t ethernet; /* 1: RoCE, 0: InfiniBand */
    uint32_t caller;  /* number of the datagram queue pair */
    uint32_t qkey;
};

struct pl_verbs_note {
    bool answer;     /* else a call */
    uint16_t window; /* messages that may be sent to the writer before it gives credits */
    uint32_t from, to;
    uint32_t pair, psn; /* the writer's queue pair for this peer, and where its numbers begin */
    struct pl_verbs_card card;
    unsigned char addressee[PL_VERBS_NONCE]; /* of the card it is meant for */
};

/* Fills `bytes` with random ones. PL_EUNSUPPORTED when there is no source of them. */
int pl_verbs_random(void *bytes, size_t size);

/* A card as bytes (PL_VERBS_CARD_BYTES) and back; every byte is checked: PL_EPROTOCOL. */
void pl_verbs_card_pack(const struct pl_verbs_card *card, unsigned char *bytes);
int pl_verbs_card_unpack(const void *bytes, size_t length, struct pl_verbs_card *card);

/* A note as bytes (PL_VERBS_CALL_BYTES), sealed with the job's key; false: not sealed with it,
 * or cut short. */
void pl_verbs_note_pack(const struct pl_verbs_note *note, const unsigned char key[32], unsigned char *bytes);
bool pl_verbs_note_unpack(const unsigned char *bytes, size_t length, const unsigned char key[32],
                          struct pl_verbs_note *note);

#endif
