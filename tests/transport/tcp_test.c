/* What is tcp's own: strangers, keys, replays, dials that meet, links that break.
 *
 * Ports share nothing, so most cases run two of them in one thread and give each
 * progress in turn: what happens between them is then in the test's hand. Only who
 * has to be killed is a process. What all transports promise is in conformance.c.
 */
#include "config.h"
#include "clock.h"
#include "errors.h"
#include "tcp.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20, FRAMES = 256 };
#define PATIENCE (INT64_C(60) * 1000000000)

/* One rank's end and all that was told to it. */
struct end {
    struct pl_port *port;
    struct pl_endpoint *to;
    unsigned char card[PL_CARD_MAX];
    size_t card_length;
    bool alone; /* on its host */
    struct pl_config config;
    uint64_t seen[FRAMES]; /* first word of each frame, in order of arrival */
    size_t length[FRAMES];
    int frames, landed_badly, losses, error;
    int done, failed, status;
    char cause[PL_ERROR_TEXT];
    char *landing;
    struct pl_operation operation[FRAMES];
    int sent;
};

static void note(struct end *end, uint64_t word, size_t length)
{
    cr_assert_lt(end->frames, FRAMES);
    end->seen[end->frames] = word;
    end->length[end->frames++] = length;
}

static void arrived(void *context, int peer, const struct pl_header *header, size_t length,
                    const void *payload, struct pl_landing *landing)
{
    struct end *end = context;
    cr_assert_eq(end->losses, 0, "a frame after the loss");
    if (payload || !length)
        note(end, header->word[0], length);
    else
        *landing = (struct pl_landing){end->landing, end->landing ? 64 * (size_t)MIB : 0,
                                       (void *)(uintptr_t)header->word[0]};
}

static void landed(void *context, int peer, const struct pl_landing *landing, size_t length, int status)
{
    struct end *end = context;
    if (status)
        end->landed_badly++;
    else
        note(end, (uintptr_t)landing->token, length);
}

static void lost(void *context, int peer, int error, const char *cause)
{
    struct end *end = context;
    end->losses++;
    end->error = error;
    snprintf(end->cause, sizeof end->cause, "%s", cause);
}

static void describe(void *context, char *text, size_t size)
{
    snprintf(text, size, "a test");
}

static const struct pl_upcalls upcalls = {arrived, landed, lost, describe};

/* The context of an operation: the end it belongs to, found through its header. */
static void done(struct pl_operation *operation, int status)
{
    struct end *end = (struct end *)(uintptr_t)operation->header.word[3];
    end->done++;
    end->failed += status != 0;
    end->status = status ? status : end->status;
}

static const unsigned char job_key[PL_TCP_KEY] = "the key of the job: thirty-two b";

static void end_open(struct end *end, int rank, const unsigned char *key, const char *net)
{
    pl_config_read(&end->config, (char *[]){NULL});
    snprintf(end->config.net, sizeof end->config.net, "%s", net);
    end->config.timeout = 2;
    struct pl_port_params params = {.rank = rank,
                                    .size = 2,
                                    .local_size = end->alone ? 1 : 2,
                                    .config = &end->config,
                                    .upcalls = &upcalls,
                                    .context = end};
    memcpy(params.key, key, sizeof params.key);
    pl_log_identity("test", PL_LOG_ERROR);
    cr_assert_eq(pl_tcp.open(&params, &end->port), 0, "%s", pl_fail_text());
    cr_assert_eq(pl_tcp.address(end->port, end->card, &end->card_length), 0);
}

static void end_connect(struct end *end, int peer, const struct end *other)
{
    cr_assert_eq(pl_tcp.connect(end->port, peer, other->card, other->card_length, &end->to), 0, "%s",
                 pl_fail_text());
}

static void open_pair(struct end *a, struct end *b)
{
    end_open(a, 0, job_key, "");
    end_open(b, 1, job_key, "");
    end_connect(a, 1, b);
    end_connect(b, 0, a);
}

/* Sends one frame that names its number; returns what send said. */
static int end_send(struct end *end, size_t length)
{
    static char zeros[64 * MIB];
    struct pl_operation *operation = &end->operation[end->sent];
    *operation = (struct pl_operation){.header = {{(uint64_t)end->sent, 0, 0, (uintptr_t)end}},
                                       .payload = zeros,
                                       .length = length,
                                       .done = done};
    end->sent++;
    int rc = pl_tcp.send(end->to, operation);
    cr_assert(rc <= PL_PENDING);
    if (rc == 0)
        end->done++;
    return rc;
}

static void step(struct end *a, struct end *b)
{
    int happened = 0;
    for (int i = 0; i < 2; i++) {
        struct end *end = i ? b : a;
        if (end && end->port)
            happened += pl_tcp.progress(end->port);
    }
    if (!happened)
        poll(NULL, 0, 1);
}

/* Gives both progress until the condition holds; fails when it does not in a minute. */
#define PUMP(a, b, condition)                                                                                \
    do {                                                                                                     \
        int64_t pump_start = pl_now();                                                                       \
        while (!(condition)) {                                                                               \
            step(a, b);                                                                                      \
            cr_assert_lt(pl_now() - pump_start, PATIENCE, "never: " #condition);                             \
        }                                                                                                    \
    } while (0)

static void check_order(const struct end *end, int frames)
{
    cr_assert_eq(end->frames, frames, "%d frames instead of %d", end->frames, frames);
    for (int i = 0; i < frames; i++)
        cr_assert_eq(end->seen[i], (uint64_t)i, "frame %d came as number %d", (int)end->seen[i], i);
}

static void close_pair(struct end *a, struct end *b)
{
    pl_tcp.close(a->port);
    pl_tcp.close(b->port);
    free(a->landing);
    free(b->landing);
}

static struct pl_tcp_port *port_of(const struct end *end)
{
    return (struct pl_tcp_port *)end->port;
}

/* A plain socket connected to the port's first address. */
static int stranger(const struct end *end)
{
    struct pl_tcp_card card;
    cr_assert_eq(pl_tcp_card_unpack(end->card, end->card_length, &card), 0);
    int fd = socket(card.address[0].any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int rc = connect(fd, &card.address[0].any, pl_tcp_address_size(&card.address[0]));
    cr_assert(rc == 0 || errno == EINPROGRESS, "%s", strerror(errno));
    return fd;
}

/* Whether the other side has hung up; what it said before that goes to `said`, which has room for `room`. */
static bool hung_up(int fd, void *said, size_t room, size_t *length)
{
    char waste[256];
    bool keep = *length < room;
    ssize_t got =
        recv(fd, keep ? (char *)said + *length : waste, keep ? room - *length : sizeof waste, MSG_DONTWAIT);
    if (got > 0)
        *length += (size_t)got;
    return got == 0 || (got < 0 && errno != EAGAIN);
}

static void expect_hang_up(struct end *a, struct end *b, int fd)
{
    size_t length = 0;
    PUMP(a, b, hung_up(fd, NULL, 0, &length));
    close(fd);
}

/* Speaks the dialer's part of the handshake as rank 1 up to the proof, which is made but not sent. */
static int greet(struct end *a, const unsigned char *key, struct pl_tcp_hello *hello,
                 struct pl_tcp_proof *proof)
{
    struct pl_tcp_card card;
    struct pl_tcp_answer answer;
    unsigned char binding[PL_TCP_KEY];
    size_t length = 0;
    cr_assert_eq(pl_tcp_card_unpack(a->card, a->card_length, &card), 0);
    int fd = stranger(a);
    pl_tcp_hello_make(hello, 1, 0, card.nonce);
    cr_assert_eq(send(fd, hello, sizeof *hello, 0), (ssize_t)sizeof *hello);
    PUMP(a, NULL, hung_up(fd, &answer, sizeof answer, &length) || length == sizeof answer);
    cr_assert_eq(length, sizeof answer);
    cr_assert_eq(pl_tcp_binding(fd, true, binding), 0);
    cr_assert_eq(pl_tcp_answer_holds(&answer, key, binding, hello), !memcmp(key, job_key, sizeof job_key));
    pl_tcp_proof_make(proof, key, binding, hello, &answer);
    return fd;
}

static int impostor(struct end *a, const unsigned char *key)
{
    struct pl_tcp_hello hello;
    struct pl_tcp_proof proof;
    int fd = greet(a, key, &hello, &proof);
    cr_assert_eq(send(fd, &proof, sizeof proof, 0), (ssize_t)sizeof proof);
    return fd;
}

/* The same, and waits for the verdict: the connection is up. */
static int accepted(struct end *a)
{
    struct pl_tcp_verdict verdict;
    size_t length = 0;
    int fd = impostor(a, job_key);
    PUMP(a, NULL, hung_up(fd, &verdict, sizeof verdict, &length) || length == sizeof verdict);
    cr_assert(length == sizeof verdict && pl_tcp_verdict_holds(&verdict));
    return fd;
}

/* ---- address, filter, proof ---- */

Test(tcp, filter)
{
    struct pl_tcp_card card;
    cr_assert_eq(pl_tcp_addresses(true, "127.0.0.0/8", &card), 0, "%s", pl_fail_text());
    for (int i = 0; i < card.count; i++)
        cr_assert_eq(card.address[i].any.sa_family, AF_INET);
    cr_assert_eq(pl_tcp_addresses(true, "^127.0.0.1,lo", &card), 0);
    cr_assert_eq(pl_tcp_addresses(true, "nosuchinterface0", &card), 0, "a local job keeps its loopback");
    cr_assert_gt(card.count, 0);
    cr_assert_eq(pl_tcp_addresses(false, "nosuchinterface0", &card), PL_EUNSUPPORTED);
    cr_assert_eq(pl_tcp_addresses(true, "10.0.0.0/33", &card), PL_EARG);
    cr_assert_eq(pl_tcp_addresses(true, "fe80::/129", &card), PL_EARG);
    cr_assert_eq(pl_tcp_addresses(true, "eth0/8", &card), PL_EARG);
}

Test(tcp, cards_travel)
{
    struct pl_tcp_card card = {.count = 2}, back;
    unsigned char bytes[PL_CARD_MAX];
    card.address[0].v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(77)};
    card.address[1].v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    size_t length = pl_tcp_card_pack(&card, bytes);
    cr_assert_eq(pl_tcp_card_unpack(bytes, length, &back), 0);
    char a[PL_TCP_TEXT], b[PL_TCP_TEXT];
    for (int i = 0; i < 2; i++)
        cr_assert_str_eq(pl_tcp_address_text(&card.address[i], a), pl_tcp_address_text(&back.address[i], b));
    pl_tcp_card_prefer(&back, &(struct pl_tcp_card){.count = 1, .address = {card.address[0]}}, 0);
    cr_assert_str_eq(pl_tcp_address_text(&back.address[1], b), "0.0.0.0:77", "our own number comes last");
    cr_assert_eq(pl_tcp_card_unpack(bytes, length - 1, &back), PL_EPROTOCOL);
    cr_assert_eq(pl_tcp_card_unpack(bytes, length + 1, &back), PL_EPROTOCOL);
}

Test(tcp, every_bit_of_the_handshake_counts)
{
    struct pl_tcp_hello hello;
    struct pl_tcp_answer answer;
    struct pl_tcp_proof proof, swapped;
    unsigned char nonce[PL_TCP_NONCE] = {1}, binding[PL_TCP_KEY] = {2};
    cr_assert_eq(pl_tcp_auth_init(), 0);
    pl_tcp_hello_make(&hello, 3, 4, nonce);
    pl_tcp_answer_make(&answer, job_key, binding, &hello);
    pl_tcp_proof_make(&proof, job_key, binding, &hello, &answer);
    cr_assert(pl_tcp_answer_holds(&answer, job_key, binding, &hello));
    cr_assert(pl_tcp_proof_holds(&proof, job_key, binding, &hello, &answer));
    memcpy(swapped.proof, answer.proof, sizeof swapped.proof);
    cr_assert_not(pl_tcp_proof_holds(&swapped, job_key, binding, &hello, &answer), "an answer is no proof");
    struct {
        unsigned char *bytes;
        size_t size;
    } part[] = {{(unsigned char *)&hello, sizeof hello},
                {(unsigned char *)&answer, PL_TCP_KEY},
                {(unsigned char *)&proof, sizeof proof},
                {binding, sizeof binding}};
    for (int p = 0; p < 4; p++)
        for (size_t bit = 0; bit < part[p].size * 8; bit++) {
            part[p].bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            cr_assert_not(pl_tcp_proof_holds(&proof, job_key, binding, &hello, &answer), "part %d, bit %zu",
                          p, bit);
            part[p].bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
    cr_assert(pl_tcp_proof_holds(&proof, job_key, binding, &hello, &answer));
}

/* ---- strangers ---- */

Test(tcp, garbage_is_hung_up_on)
{
    struct end a = {0}, b = {0};
    char garbage[4096];
    open_pair(&a, &b);
    for (size_t i = 0; i < sizeof garbage; i++)
        garbage[i] = (char)(i * 41 + 7);
    for (size_t length = 1; length <= sizeof garbage; length *= 4) {
        int fd = stranger(&a);
        cr_assert_eq(send(fd, garbage, length, MSG_NOSIGNAL), (ssize_t)length);
        expect_hang_up(&a, &b, fd);
    }
    close(stranger(&a)); /* a port scan */
    end_send(&b, 100);
    PUMP(&a, &b, a.frames == 1);
    cr_assert_eq(port_of(&a)->stranger_count, 0);
    cr_assert_eq(a.losses + b.losses, 0);
    close_pair(&a, &b);
}

Test(tcp, wrong_key)
{
    struct end a = {0}, b = {0}, c = {0};
    unsigned char other[PL_TCP_KEY] = "the key of quite another job....";
    open_pair(&a, &b);
    end_open(&c, 1, other, "");
    end_connect(&c, 0, &a);
    cr_assert_eq(end_send(&c, 10), PL_PENDING);
    PUMP(&a, &c, c.losses);
    cr_assert_eq(c.status, PL_EUNREACHABLE);
    cr_assert(strstr(c.cause, "key"), "%s", c.cause);
    expect_hang_up(&a, NULL, impostor(&a, other));
    cr_assert_eq(a.losses + a.frames, 0);
    end_send(&b, 100);
    PUMP(&a, &b, a.frames == 1);
    pl_tcp.close(c.port);
    close_pair(&a, &b);
}

/* Hello and proof of a good handshake are played again, before and after the
 * good one has its verdict, while nothing else would keep rank 1 out. */
Test(tcp, replay)
{
    struct end a = {0};
    struct pl_tcp_hello hello;
    struct pl_tcp_proof proof;
    end_open(&a, 0, job_key, "");
    int honest = greet(&a, job_key, &hello, &proof);
    for (int again = 0; again < 3; again++) {
        int fd = stranger(&a);
        cr_assert_eq(send(fd, &hello, sizeof hello, MSG_NOSIGNAL), (ssize_t)sizeof hello);
        cr_assert_eq(send(fd, &proof, sizeof proof, MSG_NOSIGNAL), (ssize_t)sizeof proof);
        expect_hang_up(&a, NULL, fd);
        cr_assert_eq(port_of(&a)->stream_count, 0, "a replay was believed");
    }
    cr_assert_eq(send(honest, &proof, sizeof proof, 0), (ssize_t)sizeof proof);
    PUMP(&a, NULL, port_of(&a)->stream_count == 1);
    close(honest);
    pl_tcp.close(a.port);
    /* Another port, the same rank and key: the card's nonce differs. */
    memset(&a, 0, sizeof a);
    end_open(&a, 0, job_key, "");
    int fd = stranger(&a);
    cr_assert_eq(send(fd, &hello, sizeof hello, MSG_NOSIGNAL), (ssize_t)sizeof hello);
    expect_hang_up(&a, NULL, fd);
    pl_tcp.close(a.port);
}

/* More silent connections than are borne; a rank of the job gets in all the same. */
Test(tcp, silent_crowd)
{
    enum { CROWD = 300 };
    struct end a = {0}, b = {0};
    int fd[CROWD], most = 0;
    open_pair(&a, &b);
    for (int i = 0; i < CROWD; i++)
        fd[i] = stranger(&a);
    end_send(&b, 100);
    int64_t start = pl_now();
    while (a.frames == 0) {
        step(&a, &b);
        most = port_of(&a)->stranger_count > most ? port_of(&a)->stranger_count : most;
        cr_assert_lt(pl_now() - start, PATIENCE, "the crowd keeps the rank out");
    }
    cr_assert(most > 100 && most <= 128, "%d strangers at once", most);
    PUMP(&a, &b, port_of(&a)->stranger_count == 0);
    for (int i = 0; i < CROWD; i++)
        close(fd[i]);
    close_pair(&a, &b);
}

/* ---- dials that meet ---- */

Test(tcp, simultaneous_dials)
{
    uint32_t random = 1;
    for (int round = 0; round < 150; round++) {
        struct end a = {0}, b = {0};
        open_pair(&a, &b);
        for (int i = 0; i < 20 || !a.frames || !b.frames; i++) {
            random = random * 1664525 + 1013904223;
            struct end *one = random >> 31 ? &a : &b;
            if (one->sent < 20 && (random >> 29 & 1 || i < 2))
                end_send(i < 2 ? (i ? &b : &a) : one, (size_t)(random >> 12 & 0x3fff));
            if (random >> 28 & 1)
                pl_tcp.progress(one->port);
        }
        PUMP(&a, &b, a.frames == b.sent && b.frames == a.sent && a.done == a.sent && b.done == b.sent);
        check_order(&a, b.sent);
        check_order(&b, a.sent);
        for (int i = 0; i < 40; i++)
            step(&a, &b);
        cr_assert_eq(port_of(&a)->stream_count, 1);
        cr_assert_eq(port_of(&b)->stream_count, 1);
        cr_assert_eq(a.losses + b.losses + a.failed + b.failed, 0);
        close_pair(&a, &b);
    }
}

/* Rank 0 dials into nothing that answers; rank 1's dial waits, and is taken in the end. */
Test(tcp, only_the_higher_rank_can_dial)
{
    struct end a = {0}, b = {0};
    struct pl_tcp_card card, hole = {.count = 1};
    socklen_t size = sizeof hole.address[0];
    int listener = socket(AF_INET, SOCK_STREAM, 0), fill[8];
    hole.address[0].v4 =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cr_assert_eq(bind(listener, &hole.address[0].any, sizeof(struct sockaddr_in)), 0);
    cr_assert_eq(listen(listener, 0), 0);
    cr_assert_eq(getsockname(listener, &hole.address[0].any, &size), 0);
    for (int i = 0; i < 8; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fill[i], &hole.address[0].any, size);
    }
    end_open(&a, 0, job_key, "");
    end_open(&b, 1, job_key, "");
    cr_assert_eq(pl_tcp_card_unpack(b.card, b.card_length, &card), 0);
    memcpy(hole.nonce, card.nonce, sizeof hole.nonce);
    b.card_length = pl_tcp_card_pack(&hole, b.card);
    end_connect(&a, 1, &b);
    end_connect(&b, 0, &a);
    for (int i = 0; i < 5; i++) {
        end_send(&a, 50);
        end_send(&b, 50);
    }
    PUMP(&a, &b, a.frames == 5 && b.frames == 5);
    check_order(&a, 5);
    check_order(&b, 5);
    close_pair(&a, &b);
    for (int i = 0; i < 8; i++)
        close(fill[i]);
    close(listener);
}

Test(tcp, nobody_there)
{
    struct end a = {0}, b = {0};
    open_pair(&a, &b);
    pl_tcp.close(b.port);
    b.port = NULL;
    cr_assert_eq(end_send(&a, 10), PL_PENDING);
    PUMP(&a, NULL, a.losses);
    cr_assert_eq(a.status, PL_EUNREACHABLE);
    cr_assert(strstr(a.cause, "rank 1") && strstr(a.cause, "refused"), "%s", a.cause);
    cr_assert_eq(end_send(&a, 10), PL_EPEER);
    pl_tcp.close(a.port);
}

Test(tcp, ipv6)
{
    struct end a = {0}, b = {0};
    struct pl_tcp_card card;
    if (pl_tcp_addresses(true, "", &card))
        cr_skip_test("%s", pl_fail_text());
    bool there = false;
    for (int i = 0; i < card.count; i++)
        there |= card.address[i].any.sa_family == AF_INET6;
    if (!there)
        cr_skip_test("this machine has no IPv6 loopback");
    end_open(&a, 0, job_key, "::1/128");
    end_open(&b, 1, job_key, "::1/128");
    end_connect(&a, 1, &b);
    end_connect(&b, 0, &a);
    b.landing = malloc(64 * (size_t)MIB);
    end_send(&a, 3 * MIB);
    end_send(&a, 3);
    PUMP(&a, &b, b.frames == 2);
    check_order(&b, 2);
    cr_assert_eq(port_of(&b)->card.address[0].any.sa_family, AF_INET6);
    close_pair(&a, &b);
}

/* ---- broken links ---- */

/* What follows a good handshake makes no sense: that peer is lost, and nothing else. */
Test(tcp, garbage_after_the_handshake)
{
    const uint64_t words[] = {0, ~UINT64_C(0), UINT64_C(0xF1) << 56 | UINT64_C(1) << 50, 0x2020202020202020};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct end a = {0};
        end_open(&a, 0, job_key, "");
        int fd = accepted(&a);
        cr_assert_eq(send(fd, &words[i], 8, 0), 8);
        PUMP(&a, NULL, a.losses);
        cr_assert_eq(a.error, PL_EPROTOCOL, "%s", a.cause);
        cr_assert_eq(a.frames, 0);
        expect_hang_up(&a, NULL, fd);
        pl_tcp.close(a.port);
    }
}

/* A frame comes one byte at a time; then one is promised larger than any memory, and does not come. */
Test(tcp, dripping)
{
    struct end a = {0};
    unsigned char head[PL_TCP_HEAD];
    struct pl_header header = {{0}};
    end_open(&a, 0, job_key, "");
    int fd = accepted(&a);
    for (int frame = 0; frame < 3; frame++) {
        header.word[0] = (uint64_t)frame;
        pl_tcp_head(head, &header, 5);
        for (size_t i = 0; i < sizeof head + 5; i++) {
            cr_assert_eq(a.frames, frame);
            cr_assert_eq(send(fd, i < sizeof head ? &head[i] : head, 1, 0), 1);
            step(&a, NULL);
        }
        PUMP(&a, NULL, a.frames == frame + 1);
    }
    pl_tcp_head(head, &header, (size_t)1 << 40);
    cr_assert_eq(send(fd, head, sizeof head, 0), (ssize_t)sizeof head);
    for (int i = 0; i < 50; i++)
        step(&a, NULL);
    close(fd);
    PUMP(&a, NULL, a.losses);
    cr_assert_eq(a.landed_badly, 1);
    cr_assert_eq(a.error, PL_EPEER);
    check_order(&a, 3);
    pl_tcp.close(a.port);
}

/* The connection is cut in the middle of frames in both directions; both see it, once. */
Test(tcp, cut)
{
    struct end a = {0}, b = {0};
    open_pair(&a, &b);
    for (int i = 0; i < 3; i++) {
        end_send(&a, 100);
        end_send(&b, 100);
    }
    PUMP(&a, &b, a.frames == 3 && b.frames == 3);
    end_send(&a, 40 * MIB);
    end_send(&b, 40 * MIB);
    end_send(&b, 1);
    step(&a, &b);
    struct pl_tcp_stream *stream = ((struct pl_tcp_peer *)a.to)->stream;
    shutdown(stream->source.fd, SHUT_RDWR);
    PUMP(&a, &b, a.losses && b.losses);
    cr_assert(a.losses == 1 && b.losses == 1);
    cr_assert(a.error == PL_EPEER && b.error == PL_EPEER);
    cr_assert(a.done == 4 && a.failed == 1, "%d done, %d failed", a.done, a.failed);
    cr_assert(b.done == 5 && b.failed == 2, "%d done, %d failed", b.done, b.failed);
    check_order(&a, 3);
    check_order(&b, 3);
    cr_assert_eq(end_send(&a, 1), PL_EPEER);
    close_pair(&a, &b);
}

/* Rank 1 is killed in the middle of a frame. What it sent before arrives. */
Test(tcp, killed_in_mid_frame)
{
    struct end a = {0}, b = {0};
    open_pair(&a, &b);
    a.landing = malloc(64 * (size_t)MIB);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 10; i++)
            end_send(&b, 1000);
        end_send(&b, 64 * MIB);
        while (b.done < 10 || b.operation[10].progress == 0)
            pl_tcp.progress(b.port);
        raise(SIGKILL);
    }
    PUMP(&a, NULL, a.losses);
    cr_assert_eq(a.losses, 1);
    cr_assert_eq(a.error, PL_EPEER, "%s", a.cause);
    cr_assert_leq(a.landed_badly, 1);
    check_order(&a, 10);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close_pair(&a, &b);
}

static void loopback_interface(bool up)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    cr_assert_eq(ioctl(fd, SIOCGIFFLAGS, &request), 0);
    request.ifr_flags = (short)(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
    cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
    close(fd);
}

/* The wire goes dead without a word, and a frame is on the way: nobody acknowledges it. */
Test(tcp, dead_wire)
{
    struct end a = {0}, b = {0};
    if (unshare(CLONE_NEWNET))
        cr_skip_test("no network namespace can be made here (%s)", strerror(errno));
    loopback_interface(true);
    open_pair(&a, &b);
    end_send(&a, 10);
    PUMP(&a, &b, b.frames == 1);
    loopback_interface(false);
    end_send(&a, 10);
    PUMP(&a, NULL, a.losses);
    cr_assert_eq(a.error, PL_EPEER, "%s", a.cause);
    close_pair(&a, &b);
}

/* Rank 1 of two_hosts: answers a frame, then waits for the loss with nothing on the way. */
static _Noreturn void other_host(int in, int out)
{
    struct end a = {0}, b = {.alone = true};
    if (unshare(CLONE_NEWNET) || write(out, "r", 1) != 1 || read(in, a.card, 1) != 1 ||
        system("ip address add 10.9.0.2/24 dev v1 && ip link set v1 up"))
        _exit(1);
    end_open(&b, 1, job_key, "");
    ssize_t sent = write(out, b.card, b.card_length), got = read(in, a.card, sizeof a.card);
    a.card_length = (size_t)got;
    end_connect(&b, 0, &a);
    int64_t start = pl_now();
    while (!b.losses && pl_now() - start < PATIENCE) {
        int before = b.frames;
        step(&b, NULL);
        if (b.frames > before)
            end_send(&b, 100);
    }
    _exit(sent > 0 && b.losses == 1 && b.error == PL_EPEER && b.frames == 1 ? 0 : 2);
}

/* Two network namespaces and a cable that is pulled: the one who sends misses the
 * acknowledgement, the one who does not, the answer to keepalive. */
Test(tcp, two_hosts)
{
    struct end a = {.alone = true}, b = {0};
    int down[2], up[2], status;
    char command[256];
    if (unshare(CLONE_NEWNET))
        cr_skip_test("no network namespace can be made here (%s)", strerror(errno));
    cr_assert(pipe(down) == 0 && pipe(up) == 0);
    pid_t child = fork();
    if (child == 0)
        other_host(down[0], up[1]);
    snprintf(command, sizeof command,
             "ip link add v0 type veth peer name v1 && ip link set v1 netns %d && "
             "ip address add 10.9.0.1/24 dev v0 && ip link set v0 up",
             (int)child);
    cr_assert_eq(read(up[0], b.card, 1), 1);
    if (system(command)) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        cr_skip_test("no pair of interfaces can be made here (ip link add type veth)");
    }
    end_open(&a, 0, job_key, "10.0.0.0/8");
    cr_assert_eq(port_of(&a)->card.count, 1, "only what PEAL_NET lets through is on the card");
    cr_assert(write(down[1], "g", 1) == 1);
    b.card_length = (size_t)read(up[0], b.card, sizeof b.card);
    cr_assert(write(down[1], a.card, a.card_length) == (ssize_t)a.card_length);
    end_connect(&a, 1, &b);
    end_send(&a, 100);
    PUMP(&a, NULL, a.frames == 1);
    cr_assert_eq(system("ip link set v0 down"), 0);
    end_send(&a, 100);
    PUMP(&a, NULL, a.losses);
    cr_assert_eq(a.error, PL_EPEER, "%s", a.cause);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the other host ended with %x", status);
    pl_tcp.close(a.port);
}

/* A peer that lives but does not read for long is not given up, though all buffers are full. */
Test(tcp, deaf_is_not_dead)
{
    struct end a = {0}, b = {0};
    open_pair(&a, &b);
    b.landing = malloc(64 * (size_t)MIB);
    end_send(&a, 1);
    PUMP(&a, &b, b.frames == 1);
    end_send(&a, 60 * MIB);
    int64_t start = pl_now();
    while (pl_now() - start < INT64_C(5000000000)) /* more than twice PEAL_TIMEOUT */
        pl_tcp.progress(a.port), pl_tcp.sleep(a.port, 50000000, NULL, 0);
    cr_assert_eq(a.losses, 0, "%s", a.cause);
    PUMP(&a, &b, b.frames == 2 && a.done == 2);
    close_pair(&a, &b);
}

/* No descriptors are left: the dialer says so; the listener does not spin, and goes on when there are some.
 */
Test(tcp, no_descriptors)
{
    struct end a = {0}, b = {0};
    struct rlimit limit;
    open_pair(&a, &b);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int next = dup(0);
    close(next);
    struct rlimit tight = {(rlim_t)next, limit.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
    cr_assert_eq(end_send(&a, 10), PL_PENDING);
    PUMP(&a, &b, a.losses);
    cr_assert_eq(a.error, PL_ESYSTEM);
    cr_assert(strstr(a.cause, "ulimit -n"), "%s", a.cause);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int fd = stranger(&b);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)next + 1, limit.rlim_max}), 0);
    PUMP(&b, NULL, port_of(&b)->accept_paused);
    for (int i = 0; i < 100 && port_of(&b)->accept_paused; i++)
        cr_assert_eq(pl_tcp.progress(b.port), 0, "it spins");
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    PUMP(&b, NULL, port_of(&b)->stranger_count == 1);
    close(fd);
    close_pair(&a, &b);
}
