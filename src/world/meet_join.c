/* How ranks come together that know where rank 0 is and nothing else.
 *
 *     rank 0                                  rank r
 *     listens on the first free one of        dials rank 0 at each of them, at each of its
 *     the job's ports                         addresses, again and again until the time is over
 *            <------ hello: job, rank, key --
 *             ------ welcome, key --------->  (or: another job's, the next port)
 *
 * Whoever starts the ranks told them no free port, so the ports follow from the job's
 * name: sixteen of them, of which rank 0 takes the first that is free; the hello tells
 * two jobs apart that came to the same. Rank 0 may start last, and its name may not
 * be known yet (a pod's is not before it runs): so everything is tried again.
 *
 * Rank 0 reads from all who connect at once, so that a port scanner or somebody who
 * says nothing holds nobody up.
 */
#include "clock.h"
#include "errors.h"
#include "log.h"
#include "meet_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SECONDS(s) ((int64_t)(s)*1000000000)

enum {
    PORTS = 16,
    FIRST_PORT = 20000,
    PORT_RANGE = 12000,
    GUESTS_MORE = 64,
    PAUSE_MS = 200,
    DIAL_SECONDS = 2
};

int pl_meet_port(const struct pl_meeting_place *place, int k)
{
    unsigned char job[16];
    if (place->port || k >= PORTS)
        return k ? 0 : place->port;
    pl_meet_job(place->job, job);
    unsigned start = job[0] | (unsigned)job[1] << 8 | (unsigned)job[2] << 16;
    return FIRST_PORT + (int)((start + (unsigned)k * 101) % PORT_RANGE);
}

void pl_meet_own_host(unsigned char host[PL_MEET_HOST])
{
    static const char *const spaces[] = {"/proc/self/ns/pid", "/proc/self/ns/ipc"};
    char text[64 + 256 + 64] = "";
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file && !fgets(text, 64, file))
        text[0] = '\0';
    if (file)
        fclose(file);
    size_t length = strlen(text);
    gethostname(text + length, 255);
    for (int i = 0; i < 2; i++) {
        struct stat status;
        length = strlen(text);
        if (!stat(spaces[i], &status))
            snprintf(text + length, sizeof text - length, " %lu", (unsigned long)status.st_ino);
    }
    crypto_generichash(host, PL_MEET_HOST, (const unsigned char *)text, strlen(text), NULL, 0);
}

/* The two keys of a connection, from both halves and the secret. */
static int make_keys(struct pl_meet_link *link, bool root, const unsigned char own[32],
                     const unsigned char own_secret[32], const unsigned char other[32], const char *secret)
{
    unsigned char rx[32], tx[32];
    int bad = root ? crypto_kx_server_session_keys(rx, tx, own, own_secret, other)
                   : crypto_kx_client_session_keys(rx, tx, own, own_secret, other);
    if (bad)
        return pl_fail(PL_EPROTOCOL, "the other side's key is not one");
    crypto_generichash(link->receive_key, 32, rx, 32, (const unsigned char *)secret, strlen(secret));
    crypto_generichash(link->send_key, 32, tx, 32, (const unsigned char *)secret, strlen(secret));
    sodium_memzero(rx, sizeof rx);
    sodium_memzero(tx, sizeof tx);
    return 0;
}

/* Somebody who has connected, and has not said who it is yet. */
struct guest {
    int fd;
    size_t got;
    unsigned char bytes[PL_MEET_HELLO];
};

struct hall {
    const struct pl_meeting_place *place;
    struct pl_meet_link *links;
    int listener, missing, port;
    struct guest *guests;
    int nguests, room;
};

/* Loopback only, where rank 0 was told to be there: then nobody else need see the port. */
static bool on_loopback(const char *host)
{
    return !strcmp(host, "localhost") || !strncmp(host, "127.", 4) || !strcmp(host, "::1");
}

static int listen_at(const struct pl_meeting_place *place, int port, int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, off = 0;
    if (fd < 0)
        return -1;
    bool local = on_loopback(place->host);
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    v6.sin6_addr = local ? in6addr_loopback : in6addr_any;
    v4.sin_addr.s_addr = htonl(local ? INADDR_LOOPBACK : INADDR_ANY);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    const struct sockaddr *address = family == AF_INET6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
    if (bind(fd, address, family == AF_INET6 ? sizeof v6 : sizeof v4) || listen(fd, 1024)) {
        int number = errno;
        close(fd);
        errno = number;
        return -1;
    }
    return fd;
}

static int open_hall(struct hall *hall)
{
    const struct pl_meeting_place *place = hall->place;
    bool v4 = on_loopback(place->host) && strcmp(place->host, "::1") != 0;
    hall->listener = -1;
    for (int k = 0; hall->listener < 0 && (hall->port = pl_meet_port(place, k)); k++) {
        hall->listener = v4 ? -1 : listen_at(place, hall->port, AF_INET6);
        if (hall->listener < 0 && (v4 || errno != EADDRINUSE))
            hall->listener = listen_at(place, hall->port, AF_INET);
    }
    if (hall->listener < 0)
        return pl_fail_errno("rank 0 cannot listen on port %d, where the ranks meet (PEAL_ROOT=host:port)",
                             place->port ? place->port : pl_meet_port(place, 0));
    hall->room = place->size + GUESTS_MORE;
    hall->guests = calloc((size_t)hall->room, sizeof *hall->guests);
    if (hall->guests)
        return 0;
    close(hall->listener);
    return pl_fail(PL_ENOMEM, "no memory for a meeting of %d ranks", place->size);
}

static enum pl_meet_answer judge(const struct hall *hall, const struct pl_meet_hello *hello, int secret)
{
    unsigned char job[16];
    pl_meet_job(hall->place->job, job);
    if (memcmp(job, hello->job, sizeof job))
        return PL_MEET_OTHER_JOB;
    if (secret != PL_MEET_WELCOME)
        return PL_MEET_OTHER_SECRET;
    if (hello->size != (uint32_t)hall->place->size || hello->rank >= hello->size)
        return PL_MEET_OTHER_SIZE;
    if (!hello->rank || hall->links[hello->rank].fd >= 0)
        return PL_MEET_TAKEN;
    return PL_MEET_WELCOME;
}

/* A guest has said its whole hello: it becomes a rank, or goes. */
static void receive(struct hall *hall, struct guest *guest)
{
    struct pl_meet_hello hello;
    unsigned char key[32], secret[32], bytes[PL_MEET_ANSWER];
    int read = pl_meet_hello_read(&hello, hall->place->secret, guest->bytes);
    int fd = guest->fd;
    guest->fd = -1;
    if (read < 0) {
        close(fd);
        return;
    }
    enum pl_meet_answer answer = judge(hall, &hello, read);
    crypto_kx_keypair(key, secret);
    pl_meet_answer_pack(answer, key, hello.key, hall->place->secret, bytes);
    struct pl_meet_link link = {.fd = fd};
    memcpy(link.host, hello.host, sizeof link.host);
    bool said = !pl_meet_write(fd, bytes, sizeof bytes, pl_now() + SECONDS(DIAL_SECONDS));
    if (said && answer == PL_MEET_WELCOME &&
        !make_keys(&link, true, key, secret, hello.key, hall->place->secret)) {
        hall->links[hello.rank] = link;
        hall->missing--;
    } else {
        if (answer == PL_MEET_TAKEN || answer == PL_MEET_OTHER_SIZE || answer == PL_MEET_OTHER_SECRET)
            pl_warn("somebody came to the meeting as rank %u of %u and was refused: %s", hello.rank,
                    hello.size,
                    answer == PL_MEET_TAKEN        ? "that rank is there already"
                    : answer == PL_MEET_OTHER_SIZE ? "this job has another size"
                                                   : "it has another secret");
        close(fd);
    }
    sodium_memzero(secret, sizeof secret);
}

static void hear(struct hall *hall, struct guest *guest)
{
    ssize_t n = recv(guest->fd, guest->bytes + guest->got, sizeof guest->bytes - guest->got, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        close(guest->fd);
        guest->fd = -1;
        return;
    }
    guest->got += (size_t)n;
    if (guest->got == sizeof guest->bytes)
        receive(hall, guest);
}

static void admit(struct hall *hall)
{
    int fd;
    while (hall->nguests < hall->room &&
           (fd = accept4(hall->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
        hall->guests[hall->nguests++] = (struct guest){.fd = fd};
}

/* One round: who is at the door, and what the guests say. */
static int look(struct hall *hall, struct pollfd *polls)
{
    polls[0] = (struct pollfd){.fd = hall->nguests < hall->room ? hall->listener : -1, .events = POLLIN};
    for (int i = 0; i < hall->nguests; i++)
        polls[i + 1] = (struct pollfd){.fd = hall->guests[i].fd, .events = POLLIN};
    int n = poll(polls, (nfds_t)hall->nguests + 1, PAUSE_MS), before = hall->nguests, kept = 0;
    if (n < 0 && errno != EINTR)
        return pl_fail_errno("poll");
    for (int i = 0; n > 0 && i < before; i++)
        if (polls[i + 1].revents)
            hear(hall, &hall->guests[i]);
    for (int i = 0; i < before; i++)
        if (hall->guests[i].fd >= 0)
            hall->guests[kept++] = hall->guests[i];
    hall->nguests = kept;
    admit(hall);
    return 0;
}

static int somebody_missing(const struct hall *hall)
{
    char text[200] = "";
    size_t at = 0;
    int named = 0;
    for (int i = 1; i < hall->place->size && named < 8; i++)
        if (hall->links[i].fd < 0)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%d", named++ ? ", " : "", i);
    return pl_fail(
        PL_ETIMEOUT,
        "rank%s %s%s of %d did not come to the meeting at rank 0 (port %d) in time: did all start, and can "
        "they reach this host? (6 times PEAL_TIMEOUT)",
        hall->missing > 1 ? "s" : "", text, hall->missing > named ? ", ..." : "", hall->place->size,
        hall->port);
}

int pl_meet_wait(struct pl_meet_link *links, const struct pl_meeting_place *place, int64_t until)
{
    struct hall hall = {.place = place, .links = links, .missing = place->size - 1};
    for (int i = 0; i < place->size; i++)
        links[i].fd = -1;
    int error = open_hall(&hall);
    if (error)
        return error;
    pl_info("rank 0 waits for %d others of %s on port %d", hall.missing, place->who, hall.port);
    struct pollfd *polls = calloc((size_t)hall.room + 1, sizeof *polls);
    if (!polls)
        error = pl_fail(PL_ENOMEM, "no memory for a meeting of %d ranks", place->size);
    while (!error && hall.missing)
        error = pl_now() < until ? look(&hall, polls) : somebody_missing(&hall);
    for (int i = 0; i < hall.nguests; i++)
        close(hall.guests[i].fd);
    for (int i = 0; error && i < place->size; i++)
        pl_meet_close(&links[i]);
    close(hall.listener);
    free(hall.guests);
    free(polls);
    return error;
}

/* What became of one attempt at one address. */
enum outcome { JOINED, NOT_YET, NEXT_PORT, REFUSED };

static enum outcome greet(struct pl_meet_link *link, const struct pl_meeting_place *place, int fd,
                          int64_t until)
{
    struct pl_meet_hello hello = {.rank = (uint32_t)place->rank, .size = (uint32_t)place->size};
    unsigned char secret[32], bytes[PL_MEET_HELLO], answer[PL_MEET_ANSWER], other[32];
    pl_meet_job(place->job, hello.job);
    pl_meet_own_host(hello.host);
    crypto_kx_keypair(hello.key, secret);
    pl_meet_hello_pack(&hello, place->secret, bytes);
    if (pl_meet_write(fd, bytes, sizeof bytes, until) || pl_meet_read(fd, answer, sizeof answer, until))
        return NEXT_PORT;
    int read = pl_meet_answer_read(other, hello.key, place->secret, answer);
    if (read < 0 || read == PL_MEET_OTHER_JOB)
        return NEXT_PORT;
    *link = (struct pl_meet_link){.fd = fd};
    if (read == PL_MEET_WELCOME && !make_keys(link, false, hello.key, secret, other, place->secret))
        return JOINED;
    link->fd = -1;
    pl_fail(PL_EARG, "rank %d of %d was refused by rank 0 at %s: %s", place->rank, place->size, place->host,
            read == PL_MEET_TAKEN        ? "a rank of this number is there already"
            : read == PL_MEET_OTHER_SIZE ? "its job has another size"
                                         : "the secrets (PEAL_ROOT=host:port#secret) differ");
    return REFUSED;
}

static int dial(const struct addrinfo *address, int port)
{
    struct sockaddr_storage to;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), number = 0;
    if (fd < 0)
        return -1;
    memcpy(&to, address->ai_addr, address->ai_addrlen);
    if (address->ai_family == AF_INET)
        ((struct sockaddr_in *)&to)->sin_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in6 *)&to)->sin6_port = htons((uint16_t)port);
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    socklen_t size = sizeof number;
    if (connect(fd, (struct sockaddr *)&to, address->ai_addrlen) && errno != EINPROGRESS)
        number = errno;
    else if (poll(&poll_fd, 1, 1000 * DIAL_SECONDS) != 1)
        number = ETIMEDOUT;
    else
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size);
    if (number) {
        close(fd);
        errno = number;
        return -1;
    }
    return fd;
}

/* All ports at all addresses, once. `why` says what was in the way. */
static enum outcome attempt(struct pl_meet_link *link, const struct pl_meeting_place *place,
                            const struct addrinfo *all, int64_t until, char *why, size_t size)
{
    for (const struct addrinfo *a = all; a; a = a->ai_next)
        for (int k = 0, port; (port = pl_meet_port(place, k)) && pl_now() < until; k++) {
            int fd = dial(a, port);
            if (fd < 0) {
                snprintf(why, size, "%s", strerror(errno));
                if (errno == ECONNREFUSED)
                    continue;
                break; /* no host there: its other ports would not answer either */
            }
            enum outcome outcome = greet(link, place, fd, until);
            if (outcome == JOINED)
                return JOINED;
            close(fd);
            if (outcome == REFUSED)
                return REFUSED;
            snprintf(why, size, "somebody else answers there");
        }
    return NOT_YET;
}

int pl_meet_dial(struct pl_meet_link *link, const struct pl_meeting_place *place, int64_t until)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    char why[200] = "no attempt was made";
    link->fd = -1;
    pl_info("looks for rank 0 of %s at %s, port %d", place->who, place->host, pl_meet_port(place, 0));
    do {
        struct addrinfo *all = NULL;
        int problem = getaddrinfo(place->host, NULL, &hints, &all);
        enum outcome outcome = NOT_YET;
        if (problem)
            snprintf(why, sizeof why, "%s", gai_strerror(problem));
        else
            outcome = attempt(link, place, all, until, why, sizeof why);
        if (all)
            freeaddrinfo(all);
        if (outcome == JOINED)
            return 0;
        if (outcome == REFUSED)
            return PL_EARG;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
    } while (pl_now() < until);
    return pl_fail(
        PL_ETIMEOUT,
        "rank %d of %d (%s) did not find rank 0 at %s, port %d, in time: %s (PEAL_ROOT=host:port names "
        "another place; 6 times PEAL_TIMEOUT)",
        place->rank, place->size, place->who, place->host, pl_meet_port(place, 0), why);
}
