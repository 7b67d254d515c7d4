/* Lanes of the tcp transport, without a network: two ends in one thread, joined by pairs of
 * sockets, and a seed that says what is sent, who is looked at when, and which lane dies when, with all that
 * lies in it, and when another takes its place. Whatever happens while one lane lives, each frame arrives
 * once, whole and in order, in both directions.
 */
#include "errors.h"
#include "tcp_lanes.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAMES = 40, SEEDS = 15, LONGEST = 700000 };

struct end {
    struct pl_tcp_port *port;
    struct pl_tcp_peer *peer;
    int sent, done, came;
    int lost;
    size_t length; /* of the payload that lands */
    unsigned char *landing;
    struct pl_operation operations[FRAMES];
    unsigned char *payloads[FRAMES];
};

static uint64_t state;

static unsigned draw(unsigned below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((state >> 33) % below);
}

static size_t length_of(int frame, int seed)
{
    uint64_t x = (uint64_t)(frame * 7919 + seed * 104729 + 1) * 0x9E3779B97F4A7C15u;
    unsigned kind = (unsigned)(x >> 60), size = (unsigned)(x >> 20) & 0xfffff;
    return kind < 5 ? size % 100 : kind < 8 ? size % 20000 : kind == 8 ? 0 : size % LONGEST;
}

static int seed_now;

static unsigned char byte_of(int frame, size_t i)
{
    return (unsigned char)((unsigned)frame * 131 + i * 7 + (i >> 12));
}

static void check_frame(struct end *end, int frame, const unsigned char *bytes, size_t length)
{
    cr_assert_eq(frame, end->came, "seed %d: frame %d came as number %d", seed_now, frame, end->came);
    cr_assert_eq(length, length_of(frame, seed_now));
    for (size_t i = 0; i < length; i++)
        cr_assert(bytes[i] == byte_of(frame, i), "seed %d, frame %d: byte %zu", seed_now, frame, i);
    end->came++;
}

static void arrived(void *context, int peer, const struct pl_header *header, size_t length,
                    const void *payload, struct pl_landing *landing)
{
    struct end *end = context;
    (void)peer;
    int frame = (int)header->word[0];
    cr_assert_null(end->landing, "a frame came while the payload of another was landing");
    if (payload || !length) {
        check_frame(end, frame, payload, length);
        return;
    }
    end->landing = malloc(length);
    end->length = length;
    *landing = (struct pl_landing){end->landing, length, (void *)(intptr_t)(frame + 1)};
}

static void landed(void *context, int peer, const struct pl_landing *landing, size_t length, int status)
{
    struct end *end = context;
    (void)peer;
    cr_assert_eq(landing->buffer, end->landing);
    if (!status)
        check_frame(end, (int)(intptr_t)landing->token - 1, landing->buffer, length);
    free(end->landing);
    end->landing = NULL;
}

static void lost(void *context, int peer, int error, const char *cause)
{
    (void)peer, (void)error, (void)cause;
    ((struct end *)context)->lost++;
}

static void describe(void *context, char *text, size_t size)
{
    (void)context;
    snprintf(text, size, "nothing");
}

static const struct pl_upcalls upcalls = {arrived, landed, lost, describe};
static struct end *done_for[2]; /* whose operations are completed */

static void done(struct pl_operation *operation, int status)
{
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < FRAMES; j++)
            if (operation == &done_for[i]->operations[j] && !status)
                done_for[i]->done++;
}

static void end_init(struct end *end, int rank, int fd)
{
    struct pl_tcp_port *port = calloc(1, sizeof *port);
    union pl_tcp_address address = {.v4 = {.sin_family = AF_INET}};
    memset(end, 0, sizeof *end);
    port->base.transport = &pl_tcp;
    port->rank = rank;
    port->size = 2;
    port->timeout = 20 * 1000 * 1000;
    port->upcalls = &upcalls;
    port->context = end;
    port->epoll = epoll_create1(EPOLL_CLOEXEC);
    port->timer = (struct pl_tcp_source){.kind = PL_TCP_TIMER, .fd = -1};
    struct pl_list *lists[] = {&port->streams,   &port->strangers, &port->dials,
                               &port->attention, &port->spare,     &port->graveyard};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        pl_list_init(lists[i]);
    end->port = port;
    end->peer = pl_tcp_peer_get(port, !rank);
    end->peer->connected = true;
    cr_assert_eq(pl_tcp_peer_up(end->peer, fd, NULL, &address), 0);
}

/* Two ends with so many lanes between them; the second side's descriptors. */
static void join(struct end ends[2], int lanes, int fds[PL_TCP_LANES])
{
    union pl_tcp_address address = {.v4 = {.sin_family = AF_INET}};
    for (int i = 0; i < lanes; i++) {
        int pair[2];
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
        fds[i] = pair[1];
        for (int side = 0; side < 2; side++)
            if (!i)
                end_init(&ends[side], side, pair[side]);
            else
                cr_assert_eq(pl_tcp_lanes_add(ends[side].peer, i, pair[side], NULL, &address), 0);
    }
    done_for[0] = &ends[0];
    done_for[1] = &ends[1];
}

static void send_next(struct end *end)
{
    int frame = end->sent++;
    size_t length = length_of(frame, seed_now);
    struct pl_operation *operation = &end->operations[frame];
    unsigned char *payload = end->payloads[frame] = malloc(length + 1);
    for (size_t i = 0; i < length; i++)
        payload[i] = byte_of(frame, i);
    *operation = (struct pl_operation){
        .header.word[0] = (uint64_t)frame, .payload = payload, .length = length, .done = done};
    int started = pl_tcp.send(&end->peer->base, operation);
    cr_assert_geq(started, 0, "%s", pl_fail_text());
    end->done += started == 0;
}

static bool can_cut(const struct pl_tcp_lanes *lanes, int number)
{
    return lanes && lanes->living > 1 && lanes->lane[number].stream && !lanes->lane[number].dead &&
           (number || (lanes->switched && lanes->settled && lanes->seen));
}

static void finish(struct end ends[2])
{
    for (int side = 0; side < 2; side++)
        pl_tcp_close(&ends[side].port->base);
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < FRAMES; i++)
            free(ends[side].payloads[i]);
}

/* A lane that the second end has taken up again, and the first, which dialed, not yet. */
struct revival {
    int fd, name; /* fd -1: there is none */
};

static void revive(struct end ends[2], struct revival *revival, int number)
{
    union pl_tcp_address address = {.v4 = {.sin_family = AF_INET}};
    const struct pl_tcp_lanes *lanes = ends[0].peer->lanes;
    if (!lanes || !lanes->lane[number].dead)
        return;
    int name = pl_tcp_lane_name(number, lanes->lane[number].turn % (PL_TCP_TURNS - 1) + 1), pair[2];
    if (!pl_tcp_lanes_want(ends[1].peer, name))
        return;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    *revival = (struct revival){pair[0], name};
    cr_assert_eq(pl_tcp_lanes_add(ends[1].peer, name, pair[1], NULL, &address), 0);
}

/* The verdict has come; unless the news came first that the lane is dead again. Whether it lives. */
static bool revived(struct end ends[2], struct revival *revival)
{
    union pl_tcp_address address = {.v4 = {.sin_family = AF_INET}};
    struct pl_tcp_lanes *lanes = ends[0].peer->lanes;
    bool lives = lanes->lane[revival->name % PL_TCP_LANES].turn != revival->name / PL_TCP_LANES;
    if (lives)
        cr_assert_eq(pl_tcp_lanes_add(ends[0].peer, revival->name, revival->fd, NULL, &address), 0);
    else
        close(revival->fd);
    revival->fd = -1;
    return lives;
}

/* Something befalls the lane. Returns how many died. */
static int befall(struct end ends[2], struct revival *revival, int number, int *lived_again)
{
    struct pl_tcp_lanes *lanes[] = {ends[0].peer->lanes, ends[1].peer->lanes};
    if (revival->fd >= 0 && !draw(20)) {
        *lived_again += revived(ends, revival);
    } else if (revival->fd >= 0 && !draw(60) && can_cut(lanes[1], number)) {
        pl_tcp_lanes_cut(lanes[1], number, "the test, before the other end knew that it lives");
        return 1;
    } else if (revival->fd < 0 && !draw(30)) {
        revive(ends, revival, number);
    }
    if (draw(40) || !can_cut(lanes[0], number) || !can_cut(lanes[1], number))
        return 0;
    pl_tcp_lanes_cut(lanes[0], number, "the test");
    if (draw(2)) /* else it hears of it, with what came before */
        pl_tcp_lanes_cut(lanes[1], number, "the test");
    return 1;
}

/* `deaths`: whether lanes die, and are dialed again. Returns how many died. */
static int exchange(int seed, int lanes, bool deaths, int *lived_again)
{
    static struct end ends[2];
    struct revival revivals[PL_TCP_LANES];
    int fds[PL_TCP_LANES], died = 0;
    for (int i = 0; i < PL_TCP_LANES; i++)
        revivals[i].fd = -1;
    seed_now = seed;
    state = (uint64_t)seed;
    join(ends, lanes, fds);
    for (int turn = 0; turn < 200000 && (ends[0].came < FRAMES || ends[1].came < FRAMES); turn++) {
        struct end *end = &ends[draw(2)];
        int number = (int)draw((unsigned)lanes);
        if (end->sent < FRAMES && !draw(3))
            send_next(end);
        cr_assert_geq(pl_tcp_round(end->port), 0);
        if (deaths)
            died += befall(ends, &revivals[number], number, lived_again);
    }
    for (int i = 0; i < PL_TCP_LANES; i++)
        if (revivals[i].fd >= 0)
            revived(ends, &revivals[i]);
    for (int turn = 0; turn < 1000; turn++)
        pl_tcp_round(ends[turn % 2].port);
    for (int side = 0; side < 2; side++) {
        cr_assert_eq(ends[side].came, FRAMES, "seed %d: %d frames came", seed, ends[side].came);
        cr_assert_eq(ends[side].done, FRAMES, "seed %d: %d of %d operations are done", seed, ends[side].done,
                     FRAMES);
        cr_assert_eq(ends[side].lost, 0);
    }
    finish(ends);
    return died;
}

Test(lanes, frames_come_in_order_over_several)
{
    for (int seed = 1; seed <= SEEDS; seed++)
        exchange(seed, 2 + seed % 3, false, NULL);
}

Test(lanes, what_dies_costs_nothing_and_comes_back)
{
    int died = 0, lived_again = 0;
    for (int seed = 1; seed <= 4 * SEEDS; seed++)
        died += exchange(seed, 2 + seed % 3, true, &lived_again);
    cr_assert_gt(died, 4 * SEEDS, "only %d lanes died", died);
    cr_assert_gt(lived_again, 2 * SEEDS, "only %d lanes came back", lived_again);
}

/* Who speaks nonsense on a lane is lost, and nothing else happens. */
Test(lanes, nonsense_is_an_end)
{
    for (int seed = 1; seed <= 200; seed++) {
        static struct end ends[2];
        int fds[PL_TCP_LANES];
        unsigned char bytes[3000];
        seed_now = seed;
        state = (uint64_t)seed;
        join(ends, 2, fds);
        for (int turn = 0; turn < 20; turn++)
            pl_tcp_round(ends[turn % 2].port);
        size_t length = 100 + draw(2900);
        for (size_t i = 0; i < length; i++)
            bytes[i] = (unsigned char)draw(256);
        if (seed % 2) { /* a head that looks like one */
            uint64_t words[3] = {(uint64_t)(PL_TCP_KIND_PART + draw(3)) << 56 | draw(3000),
                                 draw(4) ? 0 : draw(1 << 30), draw(8) ? 0 : draw(1000)};
            memcpy(bytes, words, sizeof words);
        }
        cr_assert_eq(write(fds[seed % 4 / 2], bytes, length), (ssize_t)length);
        for (int turn = 0; turn < 20 && !ends[0].lost; turn++)
            pl_tcp_round(ends[0].port);
        cr_expect(ends[0].lost || ends[0].peer->lanes, "seed %d", seed);
        if (seed % 2 == 0)
            cr_expect_eq(ends[0].lost, 1, "seed %d: random bytes are taken for parts", seed);
        finish(ends);
        free(ends[0].landing);
    }
}
