/* Mutual challenge and response.
 *
 *   dialer a                                   listener b
 *     hello: a, b, card nonce, Na   -------->
 *                                   <--------   answer: Nb, H(key, "listener" a b card Na Nb)
 *     proof: H(key, "dialer" ...)   -------->
 *                                   <--------   verdict
 *
 * H is keyed BLAKE2b (libsodium's crypto_generichash). Both numbers are fresh,
 * so a recorded conversation is of no use; the role is part of what is hashed, so that
 * a listener's answer cannot be handed back to it as a dialer's proof; the nonce of the
 * card is in it too, so that a port number which a later job got again is not
 * taken for the old one; and so is a value of the channel (the two addresses, or with
 * PEAL_SECURE=1 what TLS exports), so that who relays the conversation between two
 * honest ends is found out by them. The listener answers first: its answer shows a stranger
 * only a hash under a key it does not have. What follows is neither encrypted
 * nor sealed, unless PEAL_SECURE=1 puts TLS below it (tcp_tls.c): this alone keeps
 * strangers out, it does not stop one who sits on the wire.
 *
 * Rejected: sending the key itself (readable by whoever listens in our port's
 * place), and TLS always (a library and a copy for what most jobs do not need). A job whose
 * addresses are rewritten on the way (NAT) fails: there a relay cannot be told from it.
 */
#include "tcp_auth.h"

#include "errors.h"

#include <endian.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>

static const unsigned char magic[8] = "PEALtcp1";
static const unsigned char yes[8] = "accepted";

_Static_assert(sizeof(struct pl_tcp_hello) == 64, "the hello has no holes");
_Static_assert(sizeof(struct pl_tcp_answer) == 64, "the answer has no holes");

int pl_tcp_auth_init(void)
{
    if (sodium_init() < 0)
        return pl_fail(PL_EUNSUPPORTED, "tcp: libsodium cannot start (no source of random numbers?)");
    return 0;
}

void pl_tcp_nonce(void *bytes, size_t size)
{
    randombytes_buf(bytes, size);
}

/* The bytes of an address that say where it is. */
static int add_address(crypto_generichash_state *state, const union pl_tcp_address *address)
{
    bool four = address->any.sa_family == AF_INET;
    const void *host = four ? (const void *)&address->v4.sin_addr : (const void *)&address->v6.sin6_addr;
    uint16_t port = four ? address->v4.sin_port : address->v6.sin6_port;
    crypto_generichash_update(state, host, four ? 4 : 16);
    return crypto_generichash_update(state, (const unsigned char *)&port, sizeof port);
}

int pl_tcp_binding(int fd, bool dials, unsigned char binding[PL_TCP_KEY])
{
    union pl_tcp_address here, there;
    socklen_t size = sizeof here, other = sizeof there;
    if (getsockname(fd, &here.any, &size) || getpeername(fd, &there.any, &other))
        return pl_fail_errno("tcp: the two ends of a connection are not known");
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, PL_TCP_KEY);
    add_address(&state, dials ? &here : &there);
    add_address(&state, dials ? &there : &here);
    crypto_generichash_final(&state, binding, PL_TCP_KEY);
    return 0;
}

static void prove(unsigned char out[PL_TCP_KEY], const char *role, const unsigned char *key,
                  const unsigned char *binding, const struct pl_tcp_hello *hello,
                  const unsigned char *listener_nonce)
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, key, PL_TCP_KEY, PL_TCP_KEY);
    crypto_generichash_update(&state, (const unsigned char *)role, strlen(role));
    crypto_generichash_update(&state, binding, PL_TCP_KEY);
    crypto_generichash_update(&state, (const unsigned char *)hello, sizeof *hello);
    crypto_generichash_update(&state, listener_nonce, PL_TCP_KEY);
    crypto_generichash_final(&state, out, PL_TCP_KEY);
}

void pl_tcp_hello_make(struct pl_tcp_hello *hello, int dialer, int listener,
                       const unsigned char port[PL_TCP_NONCE])
{
    memcpy(hello->magic, magic, sizeof magic);
    hello->dialer = htole32((uint32_t)dialer);
    hello->listener = htole32((uint32_t)listener);
    memcpy(hello->port, port, PL_TCP_NONCE);
    pl_tcp_nonce(hello->nonce, sizeof hello->nonce);
}

bool pl_tcp_hello_begins(const void *bytes, size_t have)
{
    return !memcmp(bytes, magic, have < sizeof magic ? have : sizeof magic);
}

void pl_tcp_answer_make(struct pl_tcp_answer *answer, const unsigned char *key, const unsigned char *binding,
                        const struct pl_tcp_hello *hello)
{
    pl_tcp_nonce(answer->nonce, sizeof answer->nonce);
    prove(answer->proof, "peal tcp listener", key, binding, hello, answer->nonce);
}

bool pl_tcp_answer_holds(const struct pl_tcp_answer *answer, const unsigned char *key,
                         const unsigned char *binding, const struct pl_tcp_hello *hello)
{
    unsigned char wanted[PL_TCP_KEY];
    prove(wanted, "peal tcp listener", key, binding, hello, answer->nonce);
    return !sodium_memcmp(wanted, answer->proof, sizeof wanted);
}

void pl_tcp_proof_make(struct pl_tcp_proof *proof, const unsigned char *key, const unsigned char *binding,
                       const struct pl_tcp_hello *hello, const struct pl_tcp_answer *answer)
{
    prove(proof->proof, "peal tcp dialer", key, binding, hello, answer->nonce);
}

bool pl_tcp_proof_holds(const struct pl_tcp_proof *proof, const unsigned char *key,
                        const unsigned char *binding, const struct pl_tcp_hello *hello,
                        const struct pl_tcp_answer *answer)
{
    unsigned char wanted[PL_TCP_KEY];
    prove(wanted, "peal tcp dialer", key, binding, hello, answer->nonce);
    return !sodium_memcmp(wanted, proof->proof, sizeof wanted);
}

void pl_tcp_verdict_make(struct pl_tcp_verdict *verdict)
{
    memcpy(verdict->accepted, yes, sizeof yes);
}

bool pl_tcp_verdict_holds(const struct pl_tcp_verdict *verdict)
{
    return !memcmp(verdict->accepted, yes, sizeof yes);
}
