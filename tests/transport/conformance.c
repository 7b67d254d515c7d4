/* One suite over every transport of the registry: what transport.h promises,
 * case by case. A transport joins by being listed in registry.c; nothing here
 * names one. In-process transports run twice: free and deterministic.
 *
 * CONFORMANCE="part part ..." in the environment runs only what has one of the parts in its name,
 * "transport/case/ranks", e.g. CONFORMANCE=tcp/ or CONFORMANCE="burst dying/3".
 * CONFORMANCE_SHARE=n, for emulated machines: what is repeated is so only a n-th as often, and pauses
 * are n times as long.
 */
#include "harness.h"

#include "clock.h"
#include "errors.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <dirent.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static int share(void)
{
    const char *text = getenv("CONFORMANCE_SHARE");
    return text && atoi(text) > 0 ? atoi(text) : 1;
}

static int repeated(int times)
{
    return times / share();
}

static void send_to_others(struct party *p, size_t length)
{
    for (int r = 0; r < p->size; r++)
        if (r != p->rank)
            party_send(p, r, length, 0);
}

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* ---- order, content ---- */

static void sizes(struct party *p)
{
    size_t limit = p->transport->eager_limit;
    const size_t lengths[] = {0,     1,     31,     32,        33,    64,        4095,
                              0,     4096,  4097,   limit - 1, limit, limit + 1, 65535,
                              65536, 65537, 200000, MIB - 1,   MIB,   2 * limit};
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
            send_to_others(p, lengths[i]);
    if (p->size > 1)
        party_send(p, (p->rank + 1) % p->size, 8 * MIB, 0);
    send_to_others(p, 1);
    party_settle(p);
}

/* More than any ring holds, in one go, in steps that do not divide one. */
static void burst(struct party *p)
{
    for (int i = 0, times = repeated(3000); i < times; i++)
        send_to_others(p, (size_t)(i * 97 % 2111));
    party_settle(p);
}

static void all_to_all(struct party *p)
{
    uint32_t random = (uint32_t)p->rank + 1;
    size_t most = p->transport->eager_limit * 3;
    for (int round = 0; round < 30; round++) {
        for (int r = 0; r < p->size; r++)
            if (r != p->rank)
                party_send(p, r, draw(&random) % (round % 3 ? 300 : most), 0);
        if (draw(&random) % 2)
            party_progress(p);
    }
    party_settle(p);
}

/* Everybody sends the most at once and receives only afterwards. */
static void crossing(struct party *p)
{
    for (int i = 0; i < 2; i++)
        send_to_others(p, 8 * MIB + (size_t)i);
    party_settle(p);
}

static void landings(struct party *p)
{
    for (int mode = LAND_WHOLE; mode <= LAND_NOTHING; mode++) {
        p->landing = (enum landing_mode)mode;
        party_barrier(p, false);
        send_to_others(p, 3);
        send_to_others(p, p->transport->eager_limit + 1);
        send_to_others(p, MIB + 5);
        send_to_others(p, 0);
        party_settle(p);
    }
}

/* ---- sending from inside upcalls ---- */

enum { PING = 1, CHAIN = 2, TURNS = 60 };

static void answer(struct party *p, int peer, int kind)
{
    if (kind == PING && p->from[peer].marks[PING] < TURNS)
        party_send(p, peer, (size_t)p->from[peer].marks[PING] * 977, PING);
}

static void send_next(struct party *p, int peer, int kind)
{
    /* What completes at once makes no upcall: it is followed by the next here. */
    while (kind == CHAIN && p->sent[peer] < 12 &&
           party_send(p, peer, p->transport->eager_limit * 4, CHAIN) == 0) {
    }
}

static void inside_arrived(struct party *p)
{
    p->on_arrived = answer;
    party_barrier(p, false);
    for (int r = 0; r < p->rank; r++)
        party_send(p, r, 10, PING);
    for (int r = 0; r < p->size; r++)
        if (r != p->rank)
            UNTIL(p, p->from[r].marks[PING] >= (p->rank < r ? TURNS : TURNS - 1));
    party_settle(p);
}

static void inside_done(struct party *p)
{
    p->on_done = send_next;
    for (int r = 0; r < p->size; r++) {
        if (r == p->rank)
            continue;
        /* What completes at once makes no upcall; the chain is then driven from here. */
        while (p->sent[r] < 12 && party_send(p, r, p->transport->eager_limit * 4, CHAIN) == 0) {
        }
    }
    for (int r = 0; r < p->size; r++)
        if (r != p->rank)
            UNTIL(p, p->from[r].marks[CHAIN] >= 12);
    UNTIL(p, p->outstanding == 0);
    party_settle(p);
}

/* ---- waiting ---- */

/* A lost wake-up hangs here: each turn sleeps without limit, after a pause that differs. */
static void wake_ups(struct party *p)
{
    if (p->rank > 1)
        return party_settle(p);
    int peer = 1 - p->rank;
    uint32_t random = (uint32_t)p->rank + 7;
    uint64_t turns = (uint64_t)repeated(2000);
    for (uint64_t turn = 1; turn <= turns; turn++) {
        if (p->rank == 0)
            party_send(p, peer, draw(&random) % 100, 0);
        while (p->from[peer].frames < turn) {
            if (party_progress(p))
                continue;
            for (uint32_t n = draw(&random) % 300; n; n--)
                pl_relax();
            if (draw(&random) % 8 == 0)
                sched_yield();
            CHECK(p, p->transport->sleep(p->port, -1, NULL, 0) == 0, "%s", pl_fail_text());
        }
        if (p->rank == 1)
            party_send(p, peer, draw(&random) % 100, 0);
    }
    party_settle(p);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static void idle(struct party *p)
{
    double pause = 0.3 * share();
    if (p->rank == 0) {
        nanosleep(&(struct timespec){(time_t)pause, (long)((pause - (double)(time_t)pause) * 1e9)}, NULL);
        send_to_others(p, 8);
        return party_settle(p);
    }
    double before = cpu_seconds();
    UNTIL(p, p->from[0].frames == 1);
    double used = cpu_seconds() - before;
    CHECK(p, used < pause / 3, "waiting %.1f s took %.3f s of a processor", pause, used);
    party_settle(p);
}

/* A limit holds when nothing comes, and sleep(0) does not wait for anything. */
static void limits(struct party *p)
{
    for (int i = 0; i < 20; i++)
        CHECK(p, p->transport->sleep(p->port, 0, NULL, 0) == 0, "%s", pl_fail_text());
    party_barrier(p, true);
    while (party_progress(p)) {
    }
    int64_t start = pl_now();
    while (!p->flavour->deterministic && pl_now() - start < 50000000)
        CHECK(p, p->transport->sleep(p->port, 50000000, NULL, 0) == 0, "%s", pl_fail_text());
    if (p->flavour->deterministic)
        CHECK(p, p->transport->sleep(p->port, INT64_C(3600000000000), NULL, 0) == 0, "%s", pl_fail_text());
    party_settle(p);
}

static void descriptor(struct party *p)
{
    enum { FRAMES = 40 };
    if (p->rank == 0) {
        for (int i = 0; i < FRAMES; i++) {
            send_to_others(p, i % 5 ? 20 : p->transport->eager_limit * 8);
            for (int n = 0; n < 3; n++)
                party_progress(p);
            nanosleep(&(struct timespec){.tv_nsec = i % 2 * 1000000}, NULL);
        }
        return party_settle(p);
    }
    party_stage(p, "wait_fd and poll have brought all frames");
    while (p->from[0].frames < FRAMES) {
        if (party_progress(p))
            continue;
        bool ready = false;
        int fd = p->transport->wait_fd(p->port, &ready);
        if (ready)
            continue;
        CHECK(p, fd >= 0, "no descriptor although frames can come");
        struct pollfd polled = {.fd = fd, .events = POLLIN};
        CHECK(p, poll(&polled, 1, 60000) == 1, "nothing in 60 s");
    }
    party_settle(p);
}

/* sleep() with another port's descriptor: either wakes it. */
static void beside(struct party *p)
{
    int ends[2];
    CHECK(p, pipe(ends) == 0, "pipe");
    party_barrier(p, true);
    if (p->rank == 0)
        send_to_others(p, 5);
    else
        while (p->from[0].frames == 0)
            if (!party_progress(p))
                CHECK(p, p->transport->sleep(p->port, -1, ends, 1) == 0, "%s", pl_fail_text());
    CHECK(p, write(ends[1], "x", 1) == 1, "write");
    party_stage(p, "sleep returns for a readable descriptor");
    CHECK(p, p->transport->sleep(p->port, -1, ends, 1) == 0, "%s", pl_fail_text());
    close(ends[0]);
    close(ends[1]);
    party_settle(p);
}

/* ---- reaching into a peer's memory ---- */

struct reach {
    struct pl_operation operation;
    struct party *party;
    int pending;
};

static void reach_done(struct pl_operation *operation, int status)
{
    struct reach *reach = (struct reach *)operation;
    CHECK(reach->party, status == 0, "%s", pl_error_name(status));
    reach->pending--;
}

static void reach_wait(struct reach *reach, int rc)
{
    CHECK(reach->party, rc == 0 || rc == PL_PENDING, "%s", pl_fail_text());
    reach->pending += rc == PL_PENDING;
    while (reach->pending)
        party_step(reach->party);
}

static void get_and_put(struct party *p)
{
    enum { LENGTH = MIB + 3, PIECE = 5000 };
    int right = (p->rank + 1) % p->size, left = (p->rank + p->size - 1) % p->size;
    unsigned char *window = malloc(2 * LENGTH), *mine = malloc(LENGTH);
    struct pl_memory_key key;
    pattern_fill(window, 2 * LENGTH, (uint64_t)p->rank);
    CHECK(p, p->transport->reg(p->port, window, 2 * LENGTH, &key) == 0, "%s", pl_fail_text());
    memcpy(party_words(p, p->rank), (uint64_t[]){(uint64_t)(uintptr_t)window, key.word[0], key.word[1]}, 24);
    party_barrier(p, true);
    if (p->transport->reaches(p->to[right])) {
        uint64_t remote = party_words(p, right)[0];
        struct pl_memory_key theirs = {{party_words(p, right)[1], party_words(p, right)[2]}};
        struct reach reach = {.operation = {.done = reach_done}, .party = p};
        reach_wait(&reach, p->transport->get(p->to[right], mine, remote, &theirs, LENGTH, &reach.operation));
        CHECK(p, pattern_check(mine, LENGTH, (uint64_t)right) < 0, "wrong bytes by get");
        reach_wait(&reach, p->transport->get(p->to[right], mine, remote + 8, &theirs, 0, &reach.operation));
        pattern_fill(mine, PIECE, 1000 + (uint64_t)p->rank);
        reach_wait(&reach,
                   p->transport->put(p->to[right], mine, remote + LENGTH, &theirs, PIECE, &reach.operation));
    }
    party_barrier(p, true);
    if (p->transport->reaches(p->to[left])) {
        CHECK(p, pattern_check(window + LENGTH, PIECE, 1000 + (uint64_t)left) < 0, "wrong bytes by put");
        CHECK(p, pattern_check(window, LENGTH / 8 * 8, (uint64_t)p->rank) < 0, "put went too far down");
    }
    p->transport->dereg(p->port, &key);
    /* What is no dma-buf is refused, with or without the operation, and leaves a key that dereg takes. */
    CHECK(p, p->transport->reg_dmabuf(p->port, -1, 0, window, LENGTH, &key) < 0, "a dma-buf out of nothing");
    p->transport->dereg(p->port, &key);
    party_settle(p);
    free(window);
    free(mine);
}

static void common_memory(struct party *p)
{
    enum { LENGTH = MIB };
    int right = (p->rank + 1) % p->size, left = (p->rank + p->size - 1) % p->size, local;
    unsigned char *memory = p->transport->alloc(p->port, LENGTH);
    CHECK(p, !p->transport->free(p->port, &local), "freed what is not alloc's");
    party_words(p, p->rank)[0] = (uint64_t)(uintptr_t)memory;
    if (memory)
        pattern_fill(memory, LENGTH / 2, (uint64_t)p->rank);
    party_barrier(p, true);
    uint64_t remote = party_words(p, right)[0];
    if (remote) {
        unsigned char *theirs = p->transport->map(p->to[right], remote + 64, LENGTH - 64);
        CHECK(p, theirs, "a peer's alloc cannot be mapped");
        CHECK(p, pattern_check(theirs, LENGTH / 2 - 64, (uint64_t)right + 8) < 0, "wrong bytes by map");
        pattern_fill(theirs + LENGTH / 2 - 64, LENGTH / 2, 1000 + (uint64_t)p->rank);
        CHECK(p, !p->transport->map(p->to[right], (uint64_t)(uintptr_t)&local, 4),
              "mapped what is not alloc's");
        CHECK(p, !p->transport->map(p->to[right], remote, (size_t)1 << 40), "mapped more than was allocated");
    }
    party_barrier(p, true);
    if (memory) {
        CHECK(p, pattern_check(memory + LENGTH / 2, LENGTH / 2, 1000 + (uint64_t)left) < 0,
              "wrong bytes through map");
        CHECK(p, p->transport->free(p->port, memory), "alloc's memory cannot be freed");
    }
    party_settle(p);
}

/* ---- connecting ---- */

static void refuse(struct party *p, const void *card, size_t length)
{
    struct pl_endpoint *endpoint = NULL;
    /* Exactly as long as said, so that a sanitizer sees a read beyond it. */
    unsigned char *copy = malloc(length ? length : 1);
    memcpy(copy, card, length);
    int error = p->transport->connect(p->port, (p->rank + 1) % p->size, copy, length, &endpoint);
    CHECK(p, error == PL_EPROTOCOL || error == PL_EUNREACHABLE, "a card of %zu garbage bytes gave %d", length,
          error);
    CHECK(p, !endpoint, "an output was set on failure");
    free(copy);
}

static void garbage_cards(struct party *p)
{
    unsigned char garbage[PL_CARD_MAX], card[PL_CARD_MAX];
    uint32_t random = 5;
    size_t length;
    memcpy(card, party_card(p, (p->rank + 1) % p->size, &length), sizeof card);
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < sizeof garbage; i++)
            garbage[i] = (unsigned char)draw(&random);
        refuse(p, garbage, round == 0 ? 0 : draw(&random) % (PL_CARD_MAX + 1));
        refuse(p, garbage, length);
    }
    for (size_t cut = 0; cut < length; cut++)
        refuse(p, card, cut);
    memset(garbage, 0, sizeof garbage);
    refuse(p, garbage, length);
    memset(garbage, 0xff, sizeof garbage);
    refuse(p, garbage, length);
    /* One wrong bit may go unseen (a port number), but must do no harm. */
    for (size_t bit = 0; bit < length * 8; bit++) {
        struct pl_endpoint *endpoint = NULL;
        card[bit / 8] ^= (unsigned char)(1 << bit % 8);
        if (p->transport->connect(p->port, (p->rank + 1) % p->size, card, length, &endpoint) == 0)
            p->transport->disconnect(endpoint);
        card[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    party_barrier(p, true);
    send_to_others(p, 100);
    party_settle(p);
}

/* Only the lower rank connects; the other hears from it all the same. */
static void unasked(struct party *p)
{
    party_open(p);
    party_publish(p);
    for (int r = p->rank + 1; r < p->size; r++)
        party_connect(p, r);
    for (int r = p->rank + 1; r < p->size; r++) {
        party_send(p, r, 10, 0);
        party_send(p, r, MIB, 0);
    }
    party_settle(p);
    for (int r = 0; r < p->rank; r++) {
        party_connect(p, r);
        party_send(p, r, 11, 0);
    }
    party_settle(p);
}

/* ---- ending ---- */

static void disconnecting(struct party *p)
{
    int peer = 1 - p->rank;
    p->tolerant = true;
    if (p->rank == 0) {
        for (int i = 0; i < 3; i++)
            party_send(p, peer, 8 * MIB, 0);
        party_stage(p, "disconnect returns");
        p->inside++;
        p->transport->disconnect(p->to[peer]);
        p->inside--;
        CHECK(p, p->outstanding == 0, "%d operations are not done after disconnect", p->outstanding);
        p->transport->disconnect(NULL);
        p->transport->close(NULL);
    }
    party_barrier(p, false);
    party_barrier(p, true);
}

/* A peer that does not listen cannot hold up close for longer than PEAL_TIMEOUT. */
static void closing_on_deaf_ears(struct party *p)
{
    p->config.timeout = 1;
    p->tolerant = true;
    party_open(p);
    party_publish(p);
    party_connect_all(p);
    if (p->rank == 0) {
        for (int i = 0; i < 3; i++)
            party_send(p, 1, 8 * MIB, 0);
        int64_t start = pl_now();
        party_close(p);
        CHECK(p, pl_now() - start < INT64_C(30000000000), "close took %lld ms",
              (long long)(pl_now() - start) / 1000000);
    }
    if (!p->flavour->deterministic)
        party_barrier(p, false);
}

/* Rank 0 sends and leaves at once: everything arrives, and nobody calls it lost. */
static void leaving(struct party *p)
{
    enum { FRAMES = 25 };
    if (p->rank == 0) {
        for (int i = 0; i < FRAMES; i++)
            send_to_others(p, i % 5 == 4 ? MIB : (size_t)i * 100);
        party_close(p);
    } else {
        UNTIL(p, p->from[0].frames == FRAMES);
    }
    party_barrier(p, true);
    if (p->rank == 0)
        return;
    for (int r = 1; r < p->size; r++)
        if (r != p->rank)
            party_send(p, r, 1000, 0);
    for (int r = 1; r < p->size; r++)
        if (r != p->rank)
            UNTIL(p, p->from[r].frames == 1);
    CHECK(p, p->from[0].lost == 0, "a peer that closed in order is lost");
    p->tolerant = true;
    party_stage(p, "sending to one who has left fails");
    while (!p->errors && party_send(p, 0, 8, 0) >= 0) {
        party_progress(p);
        p->transport->sleep(p->port, 1000000, NULL, 0);
    }
    UNTIL(p, p->outstanding == 0);
}

/* The last rank is killed while all have messages to it under way. */
static void dying(struct party *p)
{
    int victim = p->size - 1;
    send_to_others(p, 100);
    party_settle(p);
    p->tolerant = true;
    if (p->rank != victim) {
        party_send(p, victim, 8 * MIB, 0);
        party_send(p, victim, 8 * MIB, 0);
    }
    party_barrier(p, false);
    if (p->rank == victim)
        return party_die(p);
    UNTIL(p, p->from[victim].lost == 1);
    UNTIL(p, p->outstanding == 0);
    party_stage(p, "sending to the dead fails");
    for (int before = p->errors; p->errors == before && party_send(p, victim, 8, 0) >= 0;)
        party_progress(p);
    UNTIL(p, p->outstanding == 0);
    for (int r = 0; r < victim; r++)
        if (r != p->rank)
            party_send(p, r, MIB, 1);
    for (int r = 0; r < victim; r++)
        if (r != p->rank)
            UNTIL(p, p->from[r].marks[1] == 1);
    UNTIL(p, p->outstanding == 0);
    party_barrier(p, true);
    for (int r = 0; r < p->size; r++)
        CHECK(p, p->from[r].lost == (r == victim), "rank %d is lost %d times", r, p->from[r].lost);
}

/* ---- growth ---- */

static int count_lines(const char *path)
{
    FILE *file = fopen(path, "r");
    int lines = 0;
    for (int c; file && (c = getc(file)) != EOF;)
        lines += c == '\n';
    if (file)
        fclose(file);
    return lines;
}

static int count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count;
}

static void one_life(struct party *p)
{
    party_open(p);
    party_publish(p);
    party_connect_all(p);
    send_to_others(p, 100);
    party_settle(p);
    party_close(p);
    party_barrier(p, false);
}

static void again(struct party *p)
{
    enum { WARM = 20 };
    int rounds = WARM + repeated(180), descriptors = 0, mappings = 0;
    size_t bytes = 0;
    for (int round = 0; round < rounds; round++) {
        one_life(p);
        if (round == WARM && p->rank == 0) {
            descriptors = count_descriptors();
            mappings = count_lines("/proc/self/maps");
            bytes = mallinfo2().uordblks;
        }
        if (round == WARM)
            party_barrier(p, false);
    }
    if (p->rank != 0)
        return party_barrier(p, false);
    CHECK(p, count_descriptors() <= descriptors, "%d descriptors became %d", descriptors,
          count_descriptors());
    CHECK(p, count_lines("/proc/self/maps") <= mappings + 20, "%d mappings became %d", mappings,
          count_lines("/proc/self/maps"));
    CHECK(p, mallinfo2().uordblks <= bytes + 6000, "%zu bytes became %zu", bytes, mallinfo2().uordblks);
    party_barrier(p, false);
}

/* ---- the table ---- */

static const struct conformance_case {
    const char *name;
    party_body *body;
    int sizes[6];
    bool bare; /* opens for itself */
    bool free; /* has no meaning where one rank runs at a time and time is virtual */
} cases[] = {
    {"sizes", sizes, {1, 2, 3}},
    {"burst", burst, {2, 3}},
    {"all_to_all", all_to_all, {1, 2, 3, 5, 8, 16}},
    {"crossing", crossing, {2, 3}},
    {"landings", landings, {2, 3}},
    {"inside_arrived", inside_arrived, {2, 3}},
    {"inside_done", inside_done, {2, 3}},
    {"wake_ups", wake_ups, {2, 3}},
    {"idle", idle, {2, 3}, .free = true},
    {"limits", limits, {1, 2}},
    {"descriptor", descriptor, {2, 3}, .free = true},
    {"beside", beside, {2, 3}, .free = true},
    {"get_and_put", get_and_put, {2, 3, 5}},
    {"common_memory", common_memory, {2, 3, 5}},
    {"garbage_cards", garbage_cards, {2}},
    {"unasked", unasked, {2, 3}, .bare = true},
    {"disconnecting", disconnecting, {2}},
    {"closing_on_deaf_ears", closing_on_deaf_ears, {2}, .bare = true},
    {"leaving", leaving, {2, 3, 5}},
    {"dying", dying, {2, 3, 5, 8}},
    {"again", again, {1, 2, 3}, .bare = true},
};
enum { CASES = sizeof cases / sizeof *cases };

struct selection {
    int transport, which, size;
    bool deterministic;
};

static struct flavour flavour_of(const struct selection *selected)
{
    struct flavour flavour = {.transport = pl_transports[selected->transport],
                              .deterministic = selected->deterministic};
    flavour.in_process = !strcmp(flavour.transport->name, "loopback");
    snprintf(flavour.name, sizeof flavour.name, "%s%s", flavour.transport->name,
             selected->deterministic ? " deterministic" : "");
    return flavour;
}

/* Whether one of the words of `wanted` is in the name. */
static bool is_wanted(const char *name, const char *wanted)
{
    char *words = strdup(wanted), *save = NULL;
    bool found = false;
    for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save))
        found = found || strstr(name, word);
    free(words);
    return found;
}

/* Indices, not pointers: a test's process may have been loaded elsewhere. */
static size_t select_all(struct selection *all, size_t room)
{
    const char *wanted = getenv("CONFORMANCE");
    size_t count = 0;
    for (int t = 0; pl_transports[t]; t++)
        for (int which = 0; which < CASES; which++)
            for (int deterministic = 0; deterministic < 2; deterministic++)
                for (const int *size = cases[which].sizes; *size && size < cases[which].sizes + 6; size++) {
                    struct selection one = {t, which, *size, deterministic};
                    struct flavour flavour = flavour_of(&one);
                    char name[128];
                    if (deterministic && (!flavour.in_process || cases[which].free))
                        continue;
                    snprintf(name, sizeof name, "%s/%s/%d", flavour.name, cases[which].name, *size);
                    if (count < room && (!wanted || is_wanted(name, wanted)))
                        all[count++] = one;
                }
    return count;
}

ParameterizedTestParameters(transport, conformance)
{
    static struct selection all[1024];
    return cr_make_param_array(struct selection, all, select_all(all, sizeof all / sizeof *all));
}

ParameterizedTest(struct selection *selected, transport, conformance)
{
    struct flavour flavour = flavour_of(selected);
    const struct conformance_case *one = &cases[selected->which];
    char text[2048];
    int result = party_run(&flavour, selected->size, one->body, one->bare, text, sizeof text);
    if (result == 2)
        cr_skip_test("%s cannot run here: %s", flavour.name, text);
    cr_assert(result == 0, "%s/%s/%d: %s", flavour.name, one->name, selected->size, text);
}
