/* TLS 1.3 under the frames of tcp, when PEAL_SECURE=1.
 *
 *    frames            hello, answer, proof, verdict, then frames: the same as ever
 *      | bytes           | bytes
 *    sendmsg, readv    SSL_write, SSL_read      records of at most 16 KiB
 *      |                 | sealed bytes
 *    socket            socket
 *
 * Both ends know the job's key, so there are no certificates: a key derived from it
 * is TLS's pre-shared key, with an ephemeral key exchange, so that who records the
 * traffic and learns the key later cannot read it. Peal's own handshake follows
 * inside, with a value exported from the TLS session in its proofs: it names the
 * ranks, and is bound to this channel.
 *
 * The bytes of a frame are gathered into one record and copied once before they are
 * sealed. OpenSSL is opened when the first port wants it, so that who does
 * not use it neither needs nor loads it. Its own socket BIO writes with write(2), which
 * can raise SIGPIPE in the program; hence the small BIO here.
 *
 * Rejected: kernel TLS (the kernels Peal is tested on have no module for it),
 * and sealing frames ourselves with libsodium (TLS has been looked at by more people).
 */
#include "tcp_tls.h"

#include "errors.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#if PL_HAVE_OPENSSL
#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sodium.h>

enum { RECORD = 16384 };
static const char identity[] = "peal";

/* The functions of libssl and libcrypto that are used. */
#define FUNCTIONS(X)                                                                                         \
    X(TLS_method)                                                                                            \
    X(SSL_CTX_new)                                                                                           \
    X(SSL_CTX_free)                                                                                          \
    X(SSL_CTX_ctrl)                                                                                          \
    X(SSL_CTX_set_ciphersuites)                                                                              \
    X(SSL_CTX_set_num_tickets)                                                                               \
    X(SSL_CTX_set_psk_find_session_callback)                                                                 \
    X(SSL_CTX_set_psk_use_session_callback) X(SSL_new) X(SSL_free) X(SSL_set_bio) X(SSL_set_accept_state)    \
        X(SSL_set_connect_state) X(SSL_do_handshake) X(SSL_read) X(SSL_write) X(SSL_get_error)               \
            X(SSL_pending) X(SSL_session_reused) X(SSL_export_keying_material) X(SSL_SESSION_new)            \
                X(SSL_SESSION_free) X(SSL_SESSION_set1_master_key) X(SSL_SESSION_set_cipher)                 \
                    X(SSL_SESSION_set_protocol_version) X(SSL_CIPHER_find) X(BIO_meth_new) X(BIO_meth_free)  \
                        X(BIO_meth_set_write) X(BIO_meth_set_read) X(BIO_meth_set_ctrl) X(BIO_new)           \
                            X(BIO_set_init) X(BIO_set_flags) X(BIO_clear_flags) X(ERR_clear_error)

struct library {
#define MEMBER(name) __typeof__(name) *name;
    FUNCTIONS(MEMBER)
#undef MEMBER
};

struct pl_tcp_tls_context {
    struct library library;
    SSL_CTX *ssl;
    BIO_METHOD *method;
    unsigned char psk[32];
};

struct pl_tcp_tls {
    struct pl_tcp_tls_context *context;
    SSL *ssl;
    int fd;
    bool broken; /* what came was not sealed by the key's holder; nothing after it is read */
    unsigned char record[RECORD];
};

static int open_library(struct library *library)
{
    void *handle = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return pl_fail(PL_EUNSUPPORTED, "tcp: PEAL_SECURE=1 needs OpenSSL 3 (Debian: libssl3): %s",
                       dlerror());
    const char *missing = NULL;
#define FIND(name)                                                                                           \
    if (!(library->name = (__typeof__(name) *)dlsym(handle, #name)))                                         \
        missing = #name;
    FUNCTIONS(FIND)
#undef FIND
    return missing ? pl_fail(PL_EUNSUPPORTED, "tcp: PEAL_SECURE=1: this OpenSSL has no %s", missing) : 0;
}

/* ---- the socket, as OpenSSL sees it ---- */

/* OpenSSL's callbacks are given a BIO, and only a function of OpenSSL could tell whose it is. */
static _Thread_local struct pl_tcp_tls *speaking;

/* What a system call on the socket answered, for OpenSSL. */
static int answer(BIO *bio, ssize_t result, int again)
{
    const struct library *library = &speaking->context->library;
    library->BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
    if (result < 0 && errno == EAGAIN)
        library->BIO_set_flags(bio, again | BIO_FLAGS_SHOULD_RETRY);
    return (int)result;
}

static int bio_write(BIO *bio, const char *bytes, int size)
{
    ssize_t took;
    do
        took = send(speaking->fd, bytes, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (took < 0 && errno == EINTR);
    return answer(bio, took, BIO_FLAGS_WRITE);
}

static int bio_read(BIO *bio, char *bytes, int size)
{
    ssize_t got;
    do
        got = recv(speaking->fd, bytes, (size_t)size, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    return answer(bio, got, BIO_FLAGS_READ);
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH;
}

/* ---- the key ---- */

static SSL_SESSION *session_of(SSL *ssl)
{
    static const unsigned char cipher[] = {0x13, 0x01}; /* TLS_AES_128_GCM_SHA256 */
    const struct pl_tcp_tls_context *context = speaking->context;
    const struct library *library = &context->library;
    SSL_SESSION *session = library->SSL_SESSION_new();
    const SSL_CIPHER *found = library->SSL_CIPHER_find(ssl, cipher);
    if (session && found &&
        library->SSL_SESSION_set1_master_key(session, context->psk, sizeof context->psk) &&
        library->SSL_SESSION_set_cipher(session, found) &&
        library->SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION))
        return session;
    library->SSL_SESSION_free(session);
    return NULL;
}

static int find_session(SSL *ssl, const unsigned char *name, size_t length, SSL_SESSION **session)
{
    bool known = length == strlen(identity) && !memcmp(name, identity, length);
    *session = known ? session_of(ssl) : NULL;
    return 1;
}

static int use_session(SSL *ssl, const EVP_MD *digest, const unsigned char **name, size_t *length,
                       SSL_SESSION **session)
{
    *name = (const unsigned char *)identity;
    *length = strlen(identity);
    *session = session_of(ssl);
    return *session != NULL;
}

static void derive(const unsigned char key[32], unsigned char psk[32])
{
    static const char use[] = "peal tls 1.3 pre-shared key";
    crypto_generichash(psk, 32, (const unsigned char *)use, strlen(use), key, 32);
}

static int configure(struct pl_tcp_tls_context *context)
{
    const struct library *library = &context->library;
    context->ssl = library->SSL_CTX_new(library->TLS_method());
    context->method = library->BIO_meth_new(BIO_TYPE_SOURCE_SINK | 99, "peal socket");
    if (!context->ssl || !context->method)
        return pl_fail(PL_ENOMEM, "tcp: no memory for TLS");
    library->BIO_meth_set_write(context->method, bio_write);
    library->BIO_meth_set_read(context->method, bio_read);
    library->BIO_meth_set_ctrl(context->method, bio_control);
    library->SSL_CTX_ctrl(context->ssl, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_3_VERSION, NULL);
    library->SSL_CTX_ctrl(context->ssl, SSL_CTRL_MODE,
                          SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER, NULL);
    library->SSL_CTX_ctrl(context->ssl, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, NULL);
    library->SSL_CTX_set_num_tickets(context->ssl, 0);
    library->SSL_CTX_set_psk_find_session_callback(context->ssl, find_session);
    library->SSL_CTX_set_psk_use_session_callback(context->ssl, use_session);
    if (!library->SSL_CTX_set_ciphersuites(context->ssl, "TLS_AES_128_GCM_SHA256"))
        return pl_fail(PL_EUNSUPPORTED, "tcp: this OpenSSL has no AES-128-GCM for TLS 1.3");
    return 0;
}

int pl_tcp_tls_context_create(const unsigned char key[32], struct pl_tcp_tls_context **out)
{
    struct pl_tcp_tls_context *context = calloc(1, sizeof *context);
    if (!context)
        return pl_fail(PL_ENOMEM, "tcp: no memory for TLS");
    derive(key, context->psk);
    int error = open_library(&context->library);
    if (error) {
        free(context);
        return error;
    }
    error = configure(context);
    if (error)
        pl_tcp_tls_context_destroy(context);
    else
        *out = context;
    return error;
}

void pl_tcp_tls_context_destroy(struct pl_tcp_tls_context *context)
{
    if (!context)
        return;
    context->library.SSL_CTX_free(context->ssl);
    context->library.BIO_meth_free(context->method);
    sodium_memzero(context->psk, sizeof context->psk);
    free(context);
}

/* ---- one connection ---- */

struct pl_tcp_tls *pl_tcp_tls_create(struct pl_tcp_tls_context *context, int fd, bool dials)
{
    const struct library *library = &context->library;
    struct pl_tcp_tls *tls = malloc(sizeof *tls);
    if (!tls)
        return NULL;
    tls->context = context;
    tls->fd = fd;
    tls->broken = false;
    tls->ssl = library->SSL_new(context->ssl);
    BIO *bio = library->BIO_new(context->method);
    if (!tls->ssl || !bio) {
        library->SSL_free(tls->ssl);
        free(tls);
        return NULL;
    }
    library->BIO_set_init(bio, 1);
    library->SSL_set_bio(tls->ssl, bio, bio);
    if (dials)
        library->SSL_set_connect_state(tls->ssl);
    else
        library->SSL_set_accept_state(tls->ssl);
    return tls;
}

void pl_tcp_tls_destroy(struct pl_tcp_tls *tls)
{
    if (!tls)
        return;
    speaking = tls;
    tls->context->library.SSL_free(tls->ssl);
    speaking = NULL;
    sodium_memzero(tls->record, sizeof tls->record);
    free(tls);
}

int pl_tcp_tls_greet(struct pl_tcp_tls *tls, bool *writes)
{
    const struct library *library = &tls->context->library;
    speaking = tls;
    library->ERR_clear_error();
    int result = library->SSL_do_handshake(tls->ssl);
    int why = result == 1 ? SSL_ERROR_NONE : library->SSL_get_error(tls->ssl, result);
    speaking = NULL;
    *writes = why == SSL_ERROR_WANT_WRITE;
    if (result == 1)
        return library->SSL_session_reused(tls->ssl) ? 1 : -1; /* the key was used, and nothing else */
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

bool pl_tcp_tls_binding(struct pl_tcp_tls *tls, unsigned char binding[32])
{
    static const char label[] = "EXPORTER-Channel-Binding"; /* RFC 9266 */
    return tls->context->library.SSL_export_keying_material(tls->ssl, binding, 32, label, strlen(label), NULL,
                                                            0, 0) == 1;
}

/* What SSL_read or SSL_write returned, as a system call would: sets errno. */
static ssize_t outcome(struct pl_tcp_tls *tls, int result)
{
    if (result > 0)
        return result;
    int number = errno, why = tls->context->library.SSL_get_error(tls->ssl, result);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        errno = EAGAIN;
    else if (why == SSL_ERROR_ZERO_RETURN || (why == SSL_ERROR_SYSCALL && !number))
        return 0;
    else
        errno = why == SSL_ERROR_SYSCALL ? number : EBADMSG;
    tls->broken = errno == EBADMSG;
    return -1;
}

static ssize_t write_record(struct pl_tcp_tls *tls, size_t size)
{
    speaking = tls;
    errno = 0;
    tls->context->library.ERR_clear_error();
    ssize_t took = outcome(tls, tls->context->library.SSL_write(tls->ssl, tls->record, (int)size));
    speaking = NULL;
    return took;
}

static ssize_t read_record(struct pl_tcp_tls *tls, void *bytes, size_t size)
{
    if (tls->broken) {
        errno = EBADMSG;
        return -1;
    }
    speaking = tls;
    errno = 0;
    tls->context->library.ERR_clear_error();
    ssize_t got =
        outcome(tls, tls->context->library.SSL_read(tls->ssl, bytes, size < RECORD ? (int)size : RECORD));
    speaking = NULL;
    return got;
}

ssize_t pl_tcp_wire_write(int fd, struct pl_tcp_tls *tls, const struct iovec *v, int n)
{
    if (!tls) {
        struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n};
        return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    ssize_t total = 0;
    size_t offset = 0; /* into v[0] */
    while (n) {
        size_t have = 0, inside = offset;
        for (int i = 0; i < n && have < RECORD; i++, inside = 0) {
            size_t rest = v[i].iov_len - inside, part = rest < RECORD - have ? rest : RECORD - have;
            memcpy(tls->record + have, (const char *)v[i].iov_base + inside, part);
            have += part;
        }
        if (!have)
            break;
        ssize_t took = write_record(tls, have);
        if (took <= 0)
            return total ? total : -1;
        total += took;
        for (offset += (size_t)took; n && offset >= v->iov_len; v++, n--)
            offset -= v->iov_len;
    }
    return total;
}

ssize_t pl_tcp_wire_read(int fd, struct pl_tcp_tls *tls, const struct iovec *v, int n)
{
    if (!tls)
        return readv(fd, v, n);
    ssize_t total = 0;
    for (; n; v++, n--)
        for (size_t done = 0; done < v->iov_len;) {
            ssize_t got = read_record(tls, (char *)v->iov_base + done, v->iov_len - done);
            if (got <= 0)
                return total ? total : got;
            done += (size_t)got;
            total += got;
        }
    return total;
}

bool pl_tcp_wire_pending(struct pl_tcp_tls *tls)
{
    return tls && tls->context->library.SSL_pending(tls->ssl) > 0;
}

#else

int pl_tcp_tls_context_create(const unsigned char key[32], struct pl_tcp_tls_context **context)
{
    return pl_fail(PL_EUNSUPPORTED, "tcp: PEAL_SECURE=1, but this Peal was built without OpenSSL "
                                    "(meson setup -Dsecure=enabled; Debian: libssl-dev)");
}

void pl_tcp_tls_context_destroy(struct pl_tcp_tls_context *context)
{
}

struct pl_tcp_tls *pl_tcp_tls_create(struct pl_tcp_tls_context *context, int fd, bool dials)
{
    return NULL;
}

void pl_tcp_tls_destroy(struct pl_tcp_tls *tls)
{
}

int pl_tcp_tls_greet(struct pl_tcp_tls *tls, bool *writes)
{
    return -1;
}

bool pl_tcp_tls_binding(struct pl_tcp_tls *tls, unsigned char binding[32])
{
    return false;
}

ssize_t pl_tcp_wire_write(int fd, struct pl_tcp_tls *tls, const struct iovec *v, int n)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n};
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

ssize_t pl_tcp_wire_read(int fd, struct pl_tcp_tls *tls, const struct iovec *v, int n)
{
    return readv(fd, v, n);
}

bool pl_tcp_wire_pending(struct pl_tcp_tls *tls)
{
    return false;
}

#endif
