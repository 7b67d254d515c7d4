/* One-way latency and bandwidth of the tcp transport between two processes on
 * loopback, beside a raw ping-pong of two spinning non-blocking sockets in the
 * same run: their ratio is what the transport costs. Not a test: it
 * judges nothing.
 *
 *   tcp_pingpong [rounds]
 *
 * Both ways alternate, several times, and the best of each is shown: on a
 * machine that others use too, the best is what disturbs least.
 */
#include "clock.h"
#include "config.h"
#include "errors.h"
#include "transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REPEATS = 5 };
static const size_t sizes[] = {8, 1024, 8192, 65536, 262144, 1 << 20, 4 << 20, 16 << 20};
enum { SIZES = sizeof sizes / sizeof *sizes };

struct side {
    int rank;
    int raw;
    const struct pl_transport *tcp;
    struct pl_port *port;
    struct pl_endpoint *to;
    char *out, *in;
    long turns, arrived, done;
    struct pl_operation operation;
};

static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, pl_fail_text());
    exit(1);
}

static void arrived(void *context, int peer, const struct pl_header *header, size_t length,
                    const void *payload, struct pl_landing *landing)
{
    struct side *side = context;
    if (payload)
        memcpy(side->in, payload, length);
    if (payload || !length)
        side->arrived++;
    else
        *landing = (struct pl_landing){side->in, length, NULL};
}

static void landed(void *context, int peer, const struct pl_landing *landing, size_t length, int status)
{
    ((struct side *)context)->arrived++;
}

static void lost(void *context, int peer, int error, const char *cause)
{
    fprintf(stderr, "lost: %s\n", cause);
    exit(1);
}

static void describe(void *context, char *text, size_t size)
{
    snprintf(text, size, "the ping-pong");
}

static void done(struct pl_operation *operation, int status)
{
    pl_container(operation, struct side, operation)->done++;
}

static void transport_send(struct side *side, size_t size)
{
    side->operation = (struct pl_operation){.payload = side->out, .length = size, .done = done};
    side->done = 0;
    int rc = side->tcp->send(side->to, &side->operation);
    if (rc < 0)
        die("send");
    side->done = rc == 0;
}

static void transport_turn(struct side *side, size_t size, bool first)
{
    long want = ++side->turns; /* it may have come while the last send was waited for */
    if (first)
        transport_send(side, size);
    while (side->arrived < want || !side->done)
        if (side->tcp->progress(side->port) < 0)
            die("progress");
    if (!first) {
        transport_send(side, size);
        while (!side->done)
            side->tcp->progress(side->port);
    }
}

static void raw_move(int fd, char *buffer, size_t size, bool out)
{
    for (size_t at = 0; at < size;) {
        ssize_t n = out ? send(fd, buffer + at, size - at, MSG_DONTWAIT | MSG_NOSIGNAL)
                        : recv(fd, buffer + at, size - at, MSG_DONTWAIT);
        if (n > 0)
            at += (size_t)n;
        else if (n == 0 || errno != EAGAIN)
            exit(1);
    }
}

static void raw_turn(struct side *side, size_t size, bool first)
{
    if (first)
        raw_move(side->raw, side->out, size, true);
    raw_move(side->raw, side->in, size, false);
    if (!first)
        raw_move(side->raw, side->out, size, true);
}

/* Seconds one way. */
static double measure(struct side *side, size_t size, int rounds,
                      void (*turn)(struct side *side, size_t size, bool first))
{
    for (int i = 0; i < 3; i++)
        turn(side, size, side->rank == 0);
    int64_t start = pl_now();
    for (int i = 0; i < rounds; i++)
        turn(side, size, side->rank == 0);
    return (double)(pl_now() - start) / 1e9 / rounds / 2;
}

static void run(struct side *side, int rounds)
{
    if (side->rank == 0)
        printf("%10s %12s %12s %7s %12s %12s\n", "bytes", "raw us", "peal us", "ratio", "raw MB/s",
               "peal MB/s");
    for (int s = 0; s < SIZES; s++) {
        double raw = 1e9, peal = 1e9;
        int n = sizes[s] < 65536 ? rounds : (int)((size_t)rounds * 8192 / sizes[s]) + 5;
        for (int repeat = 0; repeat < REPEATS; repeat++) {
            double a = measure(side, sizes[s], n, raw_turn), b = measure(side, sizes[s], n, transport_turn);
            raw = a < raw ? a : raw;
            peal = b < peal ? b : peal;
        }
        if (side->rank == 0)
            printf("%10zu %12.2f %12.2f %7.2f %12.0f %12.0f\n", sizes[s], raw * 1e6, peal * 1e6, peal / raw,
                   (double)sizes[s] / raw / 1e6, (double)sizes[s] / peal / 1e6);
        fflush(stdout);
    }
}

/* A connected pair of TCP sockets on loopback. */
static void raw_pair(int ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        exit(1);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(ends[0], (struct sockaddr *)&address, size))
        exit(1);
    ends[1] = accept(listener, NULL, NULL);
    for (int i = 0; i < 2; i++)
        setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    close(listener);
}

int main(int argc, char **argv)
{
    static const struct pl_upcalls upcalls = {arrived, landed, lost, describe};
    int rounds = argc > 1 ? atoi(argv[1]) : 20000, raw[2], cards[2];
    raw_pair(raw);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, cards))
        return 1;
    pid_t child = fork();
    int rank = child == 0;
    struct side side = {.rank = rank, .done = 1, .raw = raw[rank], .tcp = pl_transport_find("tcp")};
    struct pl_config config;
    pl_config_read(&config, (char *[]){NULL});
    side.out = calloc(1, sizes[SIZES - 1]);
    side.in = calloc(1, sizes[SIZES - 1]);
    struct pl_port_params params = {.rank = rank,
                                    .size = 2,
                                    .local_size = 2,
                                    .key = "a key of thirty-two known bytes",
                                    .config = &config,
                                    .upcalls = &upcalls,
                                    .context = &side};
    char card[PL_CARD_MAX];
    size_t length = 0;
    if (side.tcp->open(&params, &side.port) || side.tcp->address(side.port, card, &length))
        die("open");
    if (write(cards[rank], card, length) != (ssize_t)length)
        return 1;
    ssize_t got = read(cards[rank], card, sizeof card);
    if (got < 0 || side.tcp->connect(side.port, 1 - rank, card, (size_t)got, &side.to))
        die("connect");
    run(&side, rounds);
    side.tcp->close(side.port);
    free(side.out);
    free(side.in);
    if (child)
        waitpid(child, NULL, 0);
    return 0;
}
