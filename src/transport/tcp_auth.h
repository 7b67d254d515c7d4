/* The messages by which two ranks prove to each other that they know the job's
 * key. Pure functions on bytes; who sends what when is tcp_greeting.c's. */
#ifndef PL_TCP_AUTH_H
#define PL_TCP_AUTH_H

#include "tcp_address.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_TCP_KEY 32

/* dialer -> listener: who I am, whom I want, and a number never used before. */
struct pl_tcp_hello {
    unsigned char magic[8];
    uint32_t dialer, listener;        /* ranks, little-endian */
    unsigned char port[PL_TCP_NONCE]; /* the nonce of the listener's card */
    unsigned char nonce[PL_TCP_KEY];
};
/* listener -> dialer: my number, and the proof that I know the key. */
struct pl_tcp_answer {
    unsigned char nonce[PL_TCP_KEY];
    unsigned char proof[PL_TCP_KEY];
};
/* dialer -> listener: the same proof from the other side. */
struct pl_tcp_proof {
    unsigned char proof[PL_TCP_KEY];
};
/* listener -> dialer: this connection is the one; frames may follow in both directions. */
struct pl_tcp_verdict {
    unsigned char accepted[8];
};

/* Makes the library of ciphers ready; PL_EUNSUPPORTED when it cannot be. */
int pl_tcp_auth_init(void);

/* A value of this connection, the same at both ends and on no other: its two addresses, as each end sees
 * them. A relay between the ends makes two connections of it, and the values differ. 0 or PL_ESYSTEM. */
int pl_tcp_binding(int fd, bool dials, unsigned char binding[PL_TCP_KEY]);

void pl_tcp_nonce(void *bytes, size_t size);
void pl_tcp_hello_make(struct pl_tcp_hello *hello, int dialer, int listener,
                       const unsigned char port[PL_TCP_NONCE]);
/* Whether the first `have` bytes (1 or more) can be the beginning of a hello. */
bool pl_tcp_hello_begins(const void *bytes, size_t have);
void pl_tcp_answer_make(struct pl_tcp_answer *answer, const unsigned char *key, const unsigned char *binding,
                        const struct pl_tcp_hello *hello);
bool pl_tcp_answer_holds(const struct pl_tcp_answer *answer, const unsigned char *key,
                         const unsigned char *binding, const struct pl_tcp_hello *hello);
void pl_tcp_proof_make(struct pl_tcp_proof *proof, const unsigned char *key, const unsigned char *binding,
                       const struct pl_tcp_hello *hello, const struct pl_tcp_answer *answer);
bool pl_tcp_proof_holds(const struct pl_tcp_proof *proof, const unsigned char *key,
                        const unsigned char *binding, const struct pl_tcp_hello *hello,
                        const struct pl_tcp_answer *answer);
void pl_tcp_verdict_make(struct pl_tcp_verdict *verdict);
bool pl_tcp_verdict_holds(const struct pl_tcp_verdict *verdict);

#endif
