/* Cards and notes as bytes, numbers little-endian.
 *
 *   card   'P' 'V' version order | nonce 16 | gid 16 | lid 2 mtu 1 ethernet 1 | caller 4 | qkey 4 | check 8
 *   note   "PVnot" | answer 1 window 2 | from 4 | to 4 | pair 4 | psn 4 | card | addressee 16 | seal 32
 *
 * The seal is a keyed BLAKE2b of all before it under the job's key, as in tcp_auth.c:
 * who does not know the key cannot make one. There is no challenge: both nonces are
 * fresh for each port and are sealed, so a recorded note is of use only against the very
 * port it was meant for, which has the same numbers from it already. The card's check
 * is no secret: it catches a card that was damaged on its way.
 */
#include "verbs_card.h"

#include "errors.h"

#include <endian.h>
#include <sodium.h>
#include <string.h>

#define VERSION 1
#define FIXED   (PL_VERBS_CARD_BYTES - 8)

static const unsigned char magic[5] = {'P', 'V', 'n', 'o', 't'};

_Static_assert(4 + PL_VERBS_NONCE + 16 + 4 + 4 + 4 == FIXED, "the card has no holes");

int pl_verbs_random(void *bytes, size_t size)
{
    if (sodium_init() < 0)
        return pl_fail(PL_EUNSUPPORTED, "verbs: libsodium cannot start (no source of random numbers?)");
    randombytes_buf(bytes, size);
    return 0;
}

static unsigned char *put(unsigned char *to, const void *from, size_t size)
{
    memcpy(to, from, size);
    return to + size;
}

static unsigned char *put32(unsigned char *to, uint32_t value)
{
    value = htole32(value);
    return put(to, &value, 4);
}

static uint32_t get32(const unsigned char *from)
{
    uint32_t value;
    memcpy(&value, from, 4);
    return le32toh(value);
}

static unsigned char order(void)
{
    uint16_t one = 1;
    unsigned char low;
    memcpy(&low, &one, 1);
    return low;
}

static void card_check(const unsigned char *bytes, unsigned char check[16])
{
    crypto_generichash(check, 16, bytes, FIXED, NULL, 0);
}

void pl_verbs_card_pack(const struct pl_verbs_card *card, unsigned char *bytes)
{
    unsigned char *to = bytes, check[16];
    to = put(to, (unsigned char[]){'P', 'V', VERSION, order()}, 4);
    to = put(to, card->nonce, PL_VERBS_NONCE);
    to = put(to, card->gid, 16);
    to = put(to,
             (unsigned char[]){(unsigned char)card->lid, (unsigned char)(card->lid >> 8), card->mtu,
                               card->ethernet},
             4);
    to = put32(to, card->caller);
    to = put32(to, card->qkey);
    card_check(bytes, check);
    put(to, check, 8);
}

int pl_verbs_card_unpack(const void *data, size_t length, struct pl_verbs_card *card)
{
    const unsigned char *bytes = data;
    unsigned char check[16];
    if (length != PL_VERBS_CARD_BYTES || bytes[0] != 'P' || bytes[1] != 'V' || bytes[2] != VERSION)
        return pl_fail(PL_EPROTOCOL, "verbs: this is not a card of a verbs port (%zu bytes)", length);
    card_check(bytes, check);
    const unsigned char *rest = bytes + 4 + PL_VERBS_NONCE + 16;
    if (memcmp(check, bytes + FIXED, 8) || rest[2] < 1 || rest[2] > 5 || rest[3] > 1)
        return pl_fail(PL_EPROTOCOL, "verbs: the card of a verbs port is damaged");
    if (bytes[3] != order())
        return pl_fail(PL_EUNREACHABLE, "verbs: the peer's machine has another byte order");
    struct pl_verbs_card read = {.lid = (uint16_t)(rest[0] | rest[1] << 8),
                                 .mtu = rest[2],
                                 .ethernet = rest[3],
                                 .caller = get32(rest + 4),
                                 .qkey = get32(rest + 8)};
    memcpy(read.nonce, bytes + 4, PL_VERBS_NONCE);
    memcpy(read.gid, bytes + 4 + PL_VERBS_NONCE, 16);
    *card = read;
    return 0;
}

static void seal(unsigned char out[32], const unsigned char *bytes, const unsigned char key[32])
{
    crypto_generichash(out, 32, bytes, PL_VERBS_CALL_BYTES - 32, key, 32);
}

void pl_verbs_note_pack(const struct pl_verbs_note *note, const unsigned char key[32], unsigned char *bytes)
{
    unsigned char *to = put(bytes, magic, sizeof magic);
    to = put(to,
             (unsigned char[]){note->answer, (unsigned char)note->window, (unsigned char)(note->window >> 8)},
             3);
    to = put32(to, note->from);
    to = put32(to, note->to);
    to = put32(to, note->pair);
    to = put32(to, note->psn);
    pl_verbs_card_pack(&note->card, to);
    to = put(to + PL_VERBS_CARD_BYTES, note->addressee, PL_VERBS_NONCE);
    seal(to, bytes, key);
}

bool pl_verbs_note_unpack(const unsigned char *bytes, size_t length, const unsigned char key[32],
                          struct pl_verbs_note *note)
{
    unsigned char wanted[32];
    const unsigned char *at = bytes + sizeof magic;
    if (length != PL_VERBS_CALL_BYTES || memcmp(bytes, magic, sizeof magic))
        return false;
    seal(wanted, bytes, key);
    if (sodium_memcmp(wanted, bytes + PL_VERBS_CALL_BYTES - 32, 32))
        return false;
    *note = (struct pl_verbs_note){.answer = at[0] == 1,
                                   .window = (uint16_t)(at[1] | at[2] << 8),
                                   .from = get32(at + 3),
                                   .to = get32(at + 7),
                                   .pair = get32(at + 11),
                                   .psn = get32(at + 15)};
    if (pl_verbs_card_unpack(bytes + 24, PL_VERBS_CARD_BYTES, &note->card))
        return false;
    memcpy(note->addressee, bytes + 24 + PL_VERBS_CARD_BYTES, PL_VERBS_NONCE);
    return true;
}
