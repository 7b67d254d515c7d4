/* The hello and its answer, byte for byte:
 *
 *     "PEALMEET" version 4 | rank 4 | size 4 | job 16 | key 32 | host 16 | zeros | proof 16     112 bytes
 *     "PEALROOT" answer 4 | key 32 | zeros | proof 16                                        64 bytes
 *
 * Numbers are little-endian. `key` is the half of a Diffie-Hellman exchange that is
 * made for this connection, so that who only listens cannot read the job's secret that
 * follows. `proof` is a hash of what stands before it (of the answer: and of the
 * other's key), keyed with the secret of PEAL_ROOT: without one it proves nothing,
 * and who can reach rank 0's port in these seconds could come in a rank's place.
 */
#include "meet_wire.h"

#include "errors.h"

#include <sodium.h>
#include <string.h>

enum { VERSION = 1, PROOF = 16 };

static void put(unsigned char *at, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(number >> 8 * i);
}

static uint32_t take(const unsigned char *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void prove(unsigned char proof[PROOF], const char *secret, const unsigned char *bytes, size_t length,
                  const unsigned char *more, size_t more_length)
{
    unsigned char key[32];
    crypto_generichash_state state;
    crypto_generichash(key, sizeof key, (const unsigned char *)secret, strlen(secret), NULL, 0);
    crypto_generichash_init(&state, key, sizeof key, PROOF);
    crypto_generichash_update(&state, bytes, length);
    crypto_generichash_update(&state, more, more_length);
    crypto_generichash_final(&state, proof, PROOF);
    sodium_memzero(key, sizeof key);
}

void pl_meet_job(const char *name, unsigned char job[16])
{
    crypto_generichash(job, 16, (const unsigned char *)name, strlen(name), NULL, 0);
}

void pl_meet_hello_pack(const struct pl_meet_hello *hello, const char *secret,
                        unsigned char bytes[PL_MEET_HELLO])
{
    memset(bytes, 0, PL_MEET_HELLO);
    memcpy(bytes, "PEALMEET", 8);
    put(bytes + 8, VERSION);
    put(bytes + 12, hello->rank);
    put(bytes + 16, hello->size);
    memcpy(bytes + 20, hello->job, 16);
    memcpy(bytes + 36, hello->key, 32);
    memcpy(bytes + 68, hello->host, PL_MEET_HOST);
    prove(bytes + PL_MEET_HELLO - PROOF, secret, bytes, PL_MEET_HELLO - PROOF, NULL, 0);
}

int pl_meet_hello_read(struct pl_meet_hello *hello, const char *secret,
                       const unsigned char bytes[PL_MEET_HELLO])
{
    unsigned char proof[PROOF];
    if (memcmp(bytes, "PEALMEET", 8) || take(bytes + 8) != VERSION)
        return pl_fail(PL_EPROTOCOL, "somebody else than a rank came to the meeting");
    hello->rank = take(bytes + 12);
    hello->size = take(bytes + 16);
    memcpy(hello->job, bytes + 20, 16);
    memcpy(hello->key, bytes + 36, 32);
    memcpy(hello->host, bytes + 68, PL_MEET_HOST);
    prove(proof, secret, bytes, PL_MEET_HELLO - PROOF, NULL, 0);
    return sodium_memcmp(proof, bytes + PL_MEET_HELLO - PROOF, PROOF) ? PL_MEET_OTHER_SECRET
                                                                      : PL_MEET_WELCOME;
}

void pl_meet_answer_pack(enum pl_meet_answer answer, const unsigned char key[32], const unsigned char to[32],
                         const char *secret, unsigned char bytes[PL_MEET_ANSWER])
{
    memset(bytes, 0, PL_MEET_ANSWER);
    memcpy(bytes, "PEALROOT", 8);
    put(bytes + 8, answer);
    memcpy(bytes + 12, key, 32);
    prove(bytes + PL_MEET_ANSWER - PROOF, secret, bytes, PL_MEET_ANSWER - PROOF, to, 32);
}

int pl_meet_answer_read(unsigned char key[32], const unsigned char to[32], const char *secret,
                        const unsigned char bytes[PL_MEET_ANSWER])
{
    unsigned char proof[PROOF];
    uint32_t answer = take(bytes + 8);
    if (memcmp(bytes, "PEALROOT", 8) || answer > PL_MEET_OTHER_SECRET)
        return pl_fail(PL_EPROTOCOL, "who answers there is not rank 0");
    if (answer != PL_MEET_WELCOME) /* a refusal needs no proof: nothing follows */
        return (int)answer;
    prove(proof, secret, bytes, PL_MEET_ANSWER - PROOF, to, 32);
    if (sodium_memcmp(proof, bytes + PL_MEET_ANSWER - PROOF, PROOF))
        return PL_MEET_OTHER_SECRET;
    memcpy(key, bytes + 12, 32);
    return PL_MEET_WELCOME;
}
