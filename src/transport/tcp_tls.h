/* Encryption of a tcp connection (PEAL_SECURE=1): TLS 1.3 with a key shared before, through OpenSSL, which is
 * opened at run time. A build without its headers has only the stubs. */
#ifndef PL_TCP_TLS_H
#define PL_TCP_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct pl_tcp_tls_context;
struct pl_tcp_tls;

/* One a port. PL_EUNSUPPORTED: this build or machine has no OpenSSL; the text says so. */
int pl_tcp_tls_context_create(const unsigned char key[32], struct pl_tcp_tls_context **context);
void pl_tcp_tls_context_destroy(struct pl_tcp_tls_context *context);

/* One a connection; the descriptor stays the caller's. NULL: no memory. */
struct pl_tcp_tls *pl_tcp_tls_create(struct pl_tcp_tls_context *context, int fd, bool dials);
void pl_tcp_tls_destroy(struct pl_tcp_tls *tls);

/* 1: both ends have shown that they know the key; 0: not yet (*writes: the socket must become writable
 * first); -1: it failed. */
int pl_tcp_tls_greet(struct pl_tcp_tls *tls, bool *writes);
/* A value that only the two ends of this very connection know. */
bool pl_tcp_tls_binding(struct pl_tcp_tls *tls, unsigned char binding[32]);

/* As sendmsg and readv on a nonblocking socket; tls NULL: exactly these. After EAGAIN the same bytes (or
 * more) must be offered again. */
ssize_t pl_tcp_wire_write(int fd, struct pl_tcp_tls *tls, const struct iovec *v, int n);
ssize_t pl_tcp_wire_read(int fd, struct pl_tcp_tls *tls, const struct iovec *v, int n);
/* Whether bytes are here that the socket no longer knows of. */
bool pl_tcp_wire_pending(struct pl_tcp_tls *tls);

#endif
