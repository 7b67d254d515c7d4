/* A stranger at a tcp port, and a peer that has its key: bytes in pieces, before the handshake or after it.
 * The port must stay up, and take a rank of the job afterwards.
 *
 * Input: byte 0: bit 0 the handshake is done first, with the right key. Then pieces of {length 1, bytes}. */
#include "fuzz.h"

#include "config.h"
#include "log.h"
#include "tcp.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static char landing_room[4096];

static void arrived(void *context, int peer, const struct pl_header *header, size_t length,
                    const void *payload, struct pl_landing *landing)
{
    if (landing)
        *landing = (struct pl_landing){landing_room, sizeof landing_room, NULL};
}

static void landed(void *context, int peer, const struct pl_landing *landing, size_t length, int status)
{
}

static void lost(void *context, int peer, int error, const char *cause)
{
}

static void describe(void *context, char *text, size_t size)
{
}

static const struct pl_upcalls upcalls = {arrived, landed, lost, describe};
static const unsigned char key[32] = "a key that the fuzzer has.......";

static struct pl_port *open_port(struct pl_tcp_card *card)
{
    static struct pl_config config;
    unsigned char bytes[PL_CARD_MAX];
    size_t length;
    struct pl_port *port;
    pl_config_read(&config, NULL);
    config.timeout = 0.01;
    struct pl_port_params params = {.size = 2, .local_size = 2, .config = &config, .upcalls = &upcalls};
    memcpy(params.key, key, sizeof key);
    pl_log_identity("fuzz", PL_LOG_ERROR);
    if (pl_tcp.open(&params, &port) || pl_tcp.address(port, bytes, &length) ||
        pl_tcp_card_unpack(bytes, length, card))
        abort();
    return port;
}

static void turn(struct pl_port *port)
{
    for (int i = 0; i < 3; i++) {
        ((struct pl_tcp_port *)port)->check = true;
        pl_tcp.progress(port);
    }
}

static bool hear(struct pl_port *port, int fd, void *bytes, size_t size)
{
    for (int i = 0; i < 1000; i++) {
        turn(port);
        if (recv(fd, bytes, size, MSG_DONTWAIT | MSG_PEEK) == (ssize_t)size)
            return recv(fd, bytes, size, MSG_DONTWAIT) == (ssize_t)size;
    }
    return false;
}

static bool greet(struct pl_port *port, int fd, const struct pl_tcp_card *card)
{
    struct pl_tcp_hello hello;
    struct pl_tcp_answer answer;
    struct pl_tcp_proof proof;
    struct pl_tcp_verdict verdict;
    unsigned char binding[PL_TCP_KEY];
    pl_tcp_hello_make(&hello, 1, 0, card->nonce);
    if (pl_tcp_binding(fd, true, binding) || send(fd, &hello, sizeof hello, MSG_NOSIGNAL) < 0 ||
        !hear(port, fd, &answer, sizeof answer))
        return false;
    pl_tcp_proof_make(&proof, key, binding, &hello, &answer);
    return send(fd, &proof, sizeof proof, MSG_NOSIGNAL) > 0 && hear(port, fd, &verdict, sizeof verdict);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pl_port *port;
    static struct pl_tcp_card card;
    static int rounds;
    bool proven = size && data[0] & 1;
    if (port && (proven || ++rounds % 64 == 0)) {
        pl_tcp.close(port);
        port = NULL;
    }
    if (!port)
        port = open_port(&card);
    int fd = socket(card.address[0].any.sa_family, SOCK_STREAM, 0);
    if (connect(fd, &card.address[0].any, pl_tcp_address_size(&card.address[0])))
        abort();
    if (proven && !greet(port, fd, &card))
        abort();
    for (size_t at = 1; at < size;) {
        size_t part = data[at++];
        part = part < size - at ? part : size - at;
        if (send(fd, data + at, part, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        turn(port);
        at += part;
    }
    close(fd);
    turn(port);
    return 0;
}
