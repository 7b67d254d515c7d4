/* Between two ends of tcp stands a relay that copies, records and, if it is told to, changes what passes.
 *
 * Without PEAL_SECURE the two ends must find it out in the handshake; with it they
 * may speak through it, it must not be able to read what they say, and what it changes
 * must cost the connection. */
#include "config.h"
#include "clock.h"
#include "errors.h"
#include "tcp.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LARGE = 3 << 20, RECORDED = 8 << 20 };
#define PATIENCE (INT64_C(60) * 1000000000)

struct relay {
    int listener;
    union pl_tcp_address onward;
    pthread_t thread;
    unsigned char *bytes; /* [RECORDED] all that passed, both ways */
    atomic_size_t passed;
    size_t change_at; /* this byte of those from the dialer, after its handshake; 0: none */
    atomic_bool over;
};

struct end {
    struct pl_port *port;
    struct pl_endpoint *to;
    unsigned char card[PL_CARD_MAX];
    size_t card_length, received;
    struct pl_config config;
    struct pl_operation operation;
    char *landing;
    int frames, losses, done, bad;
    char cause[PL_ERROR_TEXT];
};

static const unsigned char job_key[PL_TCP_KEY] = "the key of the job: thirty-two b";
static const char secret[] = "nobody but the two ranks may ever read this sentence";

static void copy(struct relay *relay, int from, int to, size_t *count, bool changes)
{
    unsigned char buffer[65536];
    ssize_t got = recv(from, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got == 0)
        shutdown(to, SHUT_WR);
    if (got <= 0)
        return;
    if (changes && relay->change_at >= *count && relay->change_at < *count + (size_t)got)
        buffer[relay->change_at - *count] ^= 0x10;
    *count += (size_t)got;
    size_t at = atomic_fetch_add(&relay->passed, (size_t)got);
    for (ssize_t i = 0; i < got; i++)
        if (at + (size_t)i < RECORDED)
            relay->bytes[at + (size_t)i] = buffer[i];
    for (ssize_t put = 0, took; put < got; put += took)
        if ((took = send(to, buffer + put, (size_t)(got - put), MSG_NOSIGNAL)) <= 0)
            return;
}

static void *serve(void *argument)
{
    struct relay *relay = argument;
    while (!atomic_load(&relay->over)) {
        struct pollfd waits = {.fd = relay->listener, .events = POLLIN};
        if (poll(&waits, 1, 20) <= 0)
            continue;
        int in = accept(relay->listener, NULL, NULL),
            out = socket(relay->onward.any.sa_family, SOCK_STREAM, 0);
        if (connect(out, &relay->onward.any, pl_tcp_address_size(&relay->onward)))
            abort();
        size_t there = 0, back = 0;
        struct pollfd both[2] = {{.fd = in, .events = POLLIN}, {.fd = out, .events = POLLIN}};
        while (!atomic_load(&relay->over) && !((both[0].revents | both[1].revents) & POLLHUP)) {
            poll(both, 2, 20);
            copy(relay, in, out, &there, relay->change_at != 0);
            copy(relay, out, in, &back, false);
        }
        close(in);
        close(out);
    }
    return NULL;
}

static void arrived(void *context, int peer, const struct pl_header *header, size_t length,
                    const void *payload, struct pl_landing *landing)
{
    struct end *end = context;
    end->frames += payload || !length;
    end->received += payload ? length : 0;
    if (payload && length == sizeof secret)
        end->bad += memcmp(payload, secret, length) != 0;
    if (landing)
        *landing = (struct pl_landing){end->landing, LARGE, NULL};
}

static void landed(void *context, int peer, const struct pl_landing *landing, size_t length, int status)
{
    struct end *end = context;
    end->frames += !status;
    end->received += status ? 0 : length;
    for (size_t i = 0; i < length && !status; i++)
        end->bad += end->landing[i] != (char)(i * 13 + (i >> 10));
}

static void lost(void *context, int peer, int error, const char *cause)
{
    struct end *end = context;
    end->losses++;
    snprintf(end->cause, sizeof end->cause, "%s", cause);
}

static void describe(void *context, char *text, size_t size)
{
    snprintf(text, size, "a test");
}

static void done(struct pl_operation *operation, int status)
{
    ((struct end *)pl_container(operation, struct end, operation))->done++;
}

static const struct pl_upcalls upcalls = {arrived, landed, lost, describe};

static int end_open(struct end *end, int rank, bool secure)
{
    pl_config_read(&end->config, (char *[]){NULL});
    end->config.timeout = 5;
    end->config.secure = secure;
    end->landing = malloc(LARGE);
    struct pl_port_params params = {.rank = rank,
                                    .size = 2,
                                    .local_size = 2,
                                    .config = &end->config,
                                    .upcalls = &upcalls,
                                    .context = end};
    memcpy(params.key, job_key, sizeof params.key);
    pl_log_identity("test", PL_LOG_ERROR);
    int error = pl_tcp.open(&params, &end->port);
    if (!error)
        cr_assert_eq(pl_tcp.address(end->port, end->card, &end->card_length), 0);
    return error;
}

/* Puts the relay before the end whose card is changed. */
static void relay_start(struct relay *relay, struct end *end)
{
    struct pl_tcp_card card;
    cr_assert_eq(pl_tcp_card_unpack(end->card, end->card_length, &card), 0);
    card.count = 1;
    relay->onward = card.address[0];
    relay->bytes = malloc(RECORDED);
    socklen_t size = pl_tcp_address_size(&card.address[0]);
    if (card.address[0].any.sa_family == AF_INET)
        card.address[0].v4.sin_port = 0;
    else
        card.address[0].v6.sin6_port = 0;
    relay->listener = socket(card.address[0].any.sa_family, SOCK_STREAM, 0);
    cr_assert_eq(bind(relay->listener, &card.address[0].any, size), 0);
    cr_assert_eq(listen(relay->listener, 8), 0);
    cr_assert_eq(getsockname(relay->listener, &card.address[0].any, &size), 0);
    end->card_length = pl_tcp_card_pack(&card, end->card);
    cr_assert_eq(pthread_create(&relay->thread, NULL, serve, relay), 0);
}

static void relay_stop(struct relay *relay)
{
    atomic_store(&relay->over, true);
    pthread_join(relay->thread, NULL);
    close(relay->listener);
    free(relay->bytes);
}

static void send_bytes(struct end *end, const void *payload, size_t length)
{
    end->operation = (struct pl_operation){.payload = payload, .length = length, .done = done};
    int rc = pl_tcp.send(end->to, &end->operation);
    end->done += rc == 0;
}

#define PUMP(a, b, condition)                                                                                \
    do {                                                                                                     \
        int64_t began = pl_now();                                                                            \
        while (!(condition)) {                                                                               \
            if (pl_tcp.progress((a)->port) + pl_tcp.progress((b)->port) == 0)                                \
                poll(NULL, 0, 1);                                                                            \
            cr_assert_lt(pl_now() - began, PATIENCE, "never: " #condition);                                  \
        }                                                                                                    \
    } while (0)

/* Opens both ends, b behind a relay if there is one, and connects a to b. False: this build has no OpenSSL.
 */
static bool open_both(struct end *a, struct end *b, struct relay *relay, bool secure_a, bool secure_b)
{
    int error = end_open(a, 0, secure_a);
    if (error == PL_EUNSUPPORTED) {
        fprintf(stderr, "skipped: %s\n", pl_fail_text());
        return false;
    }
    cr_assert_eq(error, 0, "%s", pl_fail_text());
    cr_assert_eq(end_open(b, 1, secure_b), 0, "%s", pl_fail_text());
    if (relay)
        relay_start(relay, b);
    cr_assert_eq(pl_tcp.connect(a->port, 1, b->card, b->card_length, &a->to), 0);
    return true;
}

static void close_both(struct end *a, struct end *b)
{
    pl_tcp.close(a->port);
    pl_tcp.close(b->port);
    free(a->landing);
    free(b->landing);
}

static char *large_payload(void)
{
    char *payload = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++)
        payload[i] = (char)(i * 13 + (i >> 10));
    return payload;
}

Test(secure, without_encryption_a_relay_is_found_out)
{
    struct end a = {0}, b = {0};
    struct relay relay = {0};
    open_both(&a, &b, &relay, false, false);
    send_bytes(&a, secret, sizeof secret);
    PUMP(&a, &b, a.losses);
    cr_expect(strstr(a.cause, "key"), "%s", a.cause);
    cr_expect_eq(b.frames, 0);
    cr_expect_null(memmem(relay.bytes, relay.passed, secret, sizeof secret), "it was sent before the proof");
    close_both(&a, &b);
    relay_stop(&relay);
}

Test(secure, what_passes_is_whole_and_cannot_be_read)
{
    struct end a = {0}, b = {0};
    struct relay relay = {0};
    if (!open_both(&a, &b, &relay, true, true))
        return;
    char *payload = large_payload();
    send_bytes(&a, secret, sizeof secret);
    PUMP(&a, &b, b.frames == 1 && a.done == 1);
    send_bytes(&a, payload, LARGE);
    PUMP(&a, &b, b.frames == 2 && a.done == 2);
    cr_expect_eq(b.received, sizeof secret + LARGE);
    cr_expect_eq(b.bad, 0, "%d bytes differ", b.bad);
    cr_expect(relay.passed > LARGE);
    cr_expect_null(memmem(relay.bytes, relay.passed, secret, sizeof secret));
    cr_expect_null(memmem(relay.bytes, relay.passed, payload + 100000, 64));
    cr_assert_eq(pl_tcp.connect(b.port, 0, a.card, a.card_length, &b.to), 0);
    send_bytes(&b, payload, 100);
    PUMP(&a, &b, a.frames == 1);
    close_both(&a, &b);
    relay_stop(&relay);
    free(payload);
}

Test(secure, what_is_changed_is_found_out)
{
    for (size_t at = 5000; at < LARGE; at += LARGE / 3) {
        struct end a = {0}, b = {0};
        struct relay relay = {.change_at = at};
        if (!open_both(&a, &b, &relay, true, true))
            return;
        char *payload = large_payload();
        send_bytes(&a, payload, LARGE);
        PUMP(&a, &b, b.losses);
        cr_expect(strstr(b.cause, "changed on the way"), "%s", b.cause);
        cr_expect_eq(b.frames, 0);
        close_both(&a, &b);
        relay_stop(&relay);
        free(payload);
    }
}

Test(secure, both_ends_must_want_it)
{
    for (int i = 0; i < 2; i++) {
        struct end a = {0}, b = {0};
        if (!open_both(&a, &b, NULL, i == 0, i == 1))
            return;
        a.config.timeout = b.config.timeout = 1;
        send_bytes(&a, secret, sizeof secret);
        PUMP(&a, &b, a.losses);
        cr_expect_eq(b.frames, 0);
        close_both(&a, &b);
    }
}

Test(secure, a_wrong_key_does_not_get_in)
{
    struct end a = {0}, b = {0};
    if (!open_both(&a, &b, NULL, true, true))
        return;
    struct pl_tcp_tls_context *context;
    unsigned char other[PL_TCP_KEY] = "the key of quite another job....";
    cr_assert_eq(pl_tcp_tls_context_create(other, &context), 0);
    struct pl_tcp_card card;
    cr_assert_eq(pl_tcp_card_unpack(b.card, b.card_length, &card), 0);
    int fd = socket(card.address[0].any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(fd, &card.address[0].any, pl_tcp_address_size(&card.address[0]));
    poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 5000);
    struct pl_tcp_tls *tls = pl_tcp_tls_create(context, fd, true);
    bool writes;
    int result = 0;
    PUMP(&a, &b, (result = pl_tcp_tls_greet(tls, &writes)) != 0);
    cr_expect_eq(result, -1);
    pl_tcp_tls_destroy(tls);
    pl_tcp_tls_context_destroy(context);
    close(fd);
    send_bytes(&a, secret, sizeof secret);
    PUMP(&a, &b, b.frames == 1);
    close_both(&a, &b);
}
