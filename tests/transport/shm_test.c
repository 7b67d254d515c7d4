/* What only the shared-memory transport has: peers killed in the middle of a frame,
 * garbage in a ring, a kernel that refuses process_vm_readv, sparse segments,
 * the heap, and more senders than are looked at in each round. */
#include "errors.h"
#include "harness.h"
#include "shm.h"
#include "shm_ring.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct flavour shm_flavour = {.transport = &pl_shm, .name = "shm"};

static void run_party(int size, party_body *body)
{
    char text[2048];
    int result = party_run(&shm_flavour, size, body, false, text, sizeof text);
    if (result == 2)
        cr_skip_test("shm cannot run here: %s", text);
    cr_assert(result == 0, "%s", text);
}

/* ---- death ---- */

static void die_in_midstream(struct party *p)
{
    enum { LONG = 32 << 20 };
    p->tolerant = true;
    party_barrier(p, true); /* all are connected */
    if (p->rank == 1) {
        for (int i = 0; i < 100; i++)
            party_send(p, 0, 40, 0);
        party_send(p, 0, LONG, 1);
        CHECK(p, p->outstanding == 1, "the whole frame fitted");
        party_die(p);
    }
    UNTIL(p, p->from[1].lost == 1);
    CHECK(p, p->from[1].marks[0] == 100, "%d short frames", (int)p->from[1].marks[0]);
    CHECK(p, p->from[1].marks[1] == 0 && p->from[1].broken == 1, "the long frame did not end in an error");
    CHECK(p, party_send(p, 1, 8, 0) == PL_EPEER, "a send to the dead: %s", pl_fail_text());
    CHECK(p, strstr(pl_fail_text(), "of rank 1 is gone"), "text: %s", pl_fail_text());
}

Test(shm, killed_in_midstream)
{
    run_party(2, die_in_midstream);
}

static void die_with_all_written(struct party *p)
{
    p->tolerant = true;
    party_barrier(p, true); /* all are connected */
    if (p->rank == 1) {
        for (int i = 0; i < 200; i++)
            party_send(p, 0, (size_t)i, 0);
        party_die(p);
    }
    usleep(100000);
    p->transport->sleep(p->port, 0, NULL, 0); /* sees the death before anything was read */
    UNTIL(p, p->from[1].lost == 1);
    CHECK(p, p->from[1].marks[0] == 200, "%d frames of 200", (int)p->from[1].marks[0]);
}

Test(shm, what_the_dead_wrote_arrives)
{
    run_party(2, die_with_all_written);
}

/* ---- the arena ---- */

static size_t memory_of(const char *name);

/* After that all have each other's arenas mapped: who has heard of a rank maps it. */
static void greet(struct party *p)
{
    party_barrier(p, true);
    for (int to = 0; to < p->size; to++)
        if (to != p->rank)
            party_send(p, to, 8, 4);
    for (int from = 0; from < p->size; from++)
        UNTIL(p, from == p->rank || p->from[from].marks[4] == 1);
    party_barrier(p, true);
}

/* Frames of lengths on both sides of every limit, short ones between them, from all to all. */
static void medium_frames(struct party *p)
{
    static const size_t lengths[] = {1023, 1024, 1025, 16384, 16385, 24576, 65536, 100001, 131072, 131073};
    greet(p);
    size_t before = memory_of("peal-segment");
    party_send(p, (p->rank + 1) % p->size, 65536, 0);
    CHECK(p, memory_of("peal-segment") >= before + 65536, "the arena was not used");
    for (int round = 0; round < 12; round++)
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
            for (int to = 0; to < p->size; to++) {
                if (to == p->rank)
                    continue;
                party_send(p, to, lengths[(i + (size_t)round) % 10], 0);
                party_send(p, to, i, 1);
                if ((i + (size_t)p->rank) % 3 == 0)
                    party_progress(p);
            }
    party_settle(p);
}

Test(shm, medium_frames)
{
    run_party(2, medium_frames);
    run_party(5, medium_frames);
}

/* A rank takes nothing for a while: the arena fills up, and what comes then goes through the ring. */
static void full_arena(struct party *p)
{
    greet(p);
    if (p->rank == 1) {
        for (int i = 0; i < 30; i++)
            party_send(p, 0, 100000, 2);
        CHECK(p, p->outstanding > 0, "three megabytes fitted into one");
        for (int i = 0; i < 30; i++)
            party_send(p, 2, 50000, 3);
    }
    party_barrier(p, p->rank != 0);
    party_settle(p);
}

Test(shm, full_arena)
{
    run_party(3, full_arena);
}

/* A sender whose last frames lie in its arena, taken or not, dies: what it laid out whole arrives, for the
 * memory outlives it; what waits for room is lost with it. */
static void die_with_full_arena(struct party *p)
{
    enum { FRAMES = 40, LONG = 100000 };
    p->tolerant = true;
    greet(p);
    if (p->rank == 1) {
        for (int i = 0; i < FRAMES; i++)
            party_send(p, 0, LONG, 2);
        CHECK(p, p->outstanding > 0, "four megabytes fitted into one");
        party_die(p);
    }
    usleep(100000); /* nothing is taken before it is dead */
    UNTIL(p, p->from[1].lost == 1);
    CHECK(p, p->from[1].marks[2] >= 8 && p->from[1].marks[2] < FRAMES,
          "%d frames of what was laid out arrived", (int)p->from[1].marks[2]);
    CHECK(p, party_send(p, 1, 8, 0) == PL_EPEER, "a send to the dead: %s", pl_fail_text());
}

Test(shm, killed_with_full_arena)
{
    run_party(2, die_with_full_arena);
}

static struct party *dying;

static void die_at_once(int signal)
{
    (void)signal;
    party_die(dying);
}

/* A sender dies while it lays out a frame: its payload ends in a page that cannot be read. */
static void die_in_a_piece(struct party *p)
{
    enum { LONG = 100 << 10, READABLE = 48 << 10 };
    p->tolerant = true;
    greet(p);
    if (p->rank == 1) {
        struct sigaction action = {.sa_handler = die_at_once};
        char *payload = mmap(NULL, LONG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct pl_operation operation = {
            .header = {{p->sent[0], LONG, 0, 2}}, .payload = payload, .length = LONG};
        CHECK(p, payload != MAP_FAILED && !mprotect(payload + READABLE, LONG - READABLE, PROT_NONE),
              "memory");
        sigaction(SIGSEGV, &action, NULL);
        dying = p;
        p->transport->send(p->to[0], &operation);
        CHECK(p, false, "the sender has survived");
    }
    UNTIL(p, p->from[1].lost == 1);
    CHECK(p, p->from[1].marks[2] == 0 && p->from[1].broken == 1, "%d frames arrived, %d ended in an error",
          (int)p->from[1].marks[2], (int)p->from[1].broken);
    CHECK(p, party_send(p, 1, 8, 0) == PL_EPEER, "a send to the dead: %s", pl_fail_text());
}

Test(shm, killed_in_a_piece)
{
    run_party(2, die_in_a_piece);
}

/* ---- garbage ---- */

/* This process's mapping of a ring it writes to, found by its length. */
static struct pl_ring *find_ring(void)
{
    char line[512];
    struct pl_ring *ring = NULL;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        if (strstr(line, "/memfd:peal-segment") && sscanf(line, "%lx-%lx", &from, &to) == 2 &&
            to - from == PL_RING_BYTES)
            ring = (struct pl_ring *)from;
    }
    fclose(maps);
    return ring;
}

static void scribble(struct party *p)
{
    p->tolerant = true;
    if (p->rank == 1) {
        party_send(p, 0, 8, 0);
        struct pl_ring *ring = find_ring();
        CHECK(p, ring, "no ring is mapped");
        srand(7);
        for (int i = 0; i < PL_RING_CELLS; i++)
            ring->cells[i].word = (uint64_t)rand() << 33 ^ (uint64_t)rand() << 8 ^ 9;
        party_barrier(p, false);
        party_barrier(p, false);
        return;
    }
    party_barrier(p, false);
    if (p->rank == 0)
        UNTIL(p, p->from[1].lost == 1);
    if (p->rank == 2)
        party_send(p, 0, 100000, 2);
    if (p->rank == 0) {
        UNTIL(p, p->from[2].marks[2] == 1);
        CHECK(p, party_send(p, 1, 8, 0) == PL_EPROTOCOL, "text: %s", pl_fail_text());
    }
    UNTIL(p, p->outstanding == 0);
    party_barrier(p, false);
}

Test(shm, garbage_in_a_ring)
{
    run_party(3, scribble);
}

/* ---- a kernel that refuses ---- */

static bool refuse_process_vm(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_writev, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void refused(struct party *p)
{
    CHECK(p, refuse_process_vm(), "no filter could be set: %s", strerror(errno));
    int other = 1 - p->rank;
    char byte;
    struct pl_memory_key key = {{0, 0}};
    struct pl_operation operation = {.length = 0};
    CHECK(p, !p->transport->reaches(p->to[other]), "memory is reached all the same");
    CHECK(p, p->transport->get(p->to[other], &byte, (uintptr_t)&byte, &key, 1, &operation) == PL_EUNSUPPORTED,
          "get: %s", pl_fail_text());
    party_send(p, other, 3000000, 0);
    party_settle(p);
}

Test(shm, process_vm_refused)
{
    run_party(2, refused);
}

/* ---- ports of one process ---- */

struct counter {
    uint64_t frames, bytes;
    int lost;
};

static void count_arrived(void *context, int peer, const struct pl_header *header, size_t length,
                          const void *payload, struct pl_landing *landing)
{
    struct counter *counter = context;
    counter->frames++;
    counter->bytes += length;
    if (length && !payload)
        *landing = (struct pl_landing){NULL, 0, NULL};
}

static void count_landed(void *context, int peer, const struct pl_landing *landing, size_t length, int status)
{
}

static void count_lost(void *context, int peer, int error, const char *cause)
{
    ((struct counter *)context)->lost = error;
}

static void count_describe(void *context, char *text, size_t size)
{
}

static const struct pl_upcalls counting = {count_arrived, count_landed, count_lost, count_describe};

static struct pl_port *open_port(int rank, int size, struct counter *counter)
{
    static struct pl_config config = {.timeout = 1};
    struct pl_port_params params = {.rank = rank,
                                    .size = size,
                                    .local_size = size,
                                    .config = &config,
                                    .upcalls = &counting,
                                    .context = counter};
    struct pl_port *port = NULL;
    int error = pl_shm.open(&params, &port);
    cr_assert(error == 0, "%s", pl_fail_text());
    return port;
}

/* Bytes that this process's memfds of that name really take. */
static size_t memory_of(const char *name)
{
    size_t bytes = 0;
    for (int fd = 0; fd < 1024; fd++) {
        char path[64], target[128];
        struct stat status;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length < 0 ? 0 : length] = 0;
        if (strstr(target, name) && !fstat(fd, &status))
            bytes += (size_t)status.st_blocks * 512;
    }
    return bytes;
}

Test(shm, thousands_of_ranks_cost_nothing)
{
    struct counter counter = {0, 0, 0};
    struct pl_port *low = open_port(3, 20000, &counter), *high = open_port(19999, 20000, &counter);
    cr_assert_leq(memory_of("peal-segment"), 64 << 10);
    unsigned char card[PL_CARD_MAX];
    size_t length;
    struct pl_endpoint *to;
    struct pl_operation operation = {.payload = "peal", .length = 4};
    cr_assert_eq(pl_shm.address(high, card, &length), 0);
    cr_assert_eq(pl_shm.connect(low, 19999, card, length, &to), 0, "%s", pl_fail_text());
    cr_assert_eq(pl_shm.send(to, &operation), 0, "%s", pl_fail_text());
    while (pl_shm.progress(high) == 0)
        ;
    cr_assert_eq(counter.frames, 1);
    cr_assert_leq(memory_of("peal-segment"), 128 << 10);
    pl_shm.close(low);
    pl_shm.close(high);
    cr_assert_eq(memory_of("peal-"), 0);
}

Test(shm, more_senders_than_a_round_looks_at)
{
    enum { SENDERS = 100, FRAMES = 50 };
    struct counter counter = {0, 0, 0}, unused = {0, 0, 0};
    struct pl_port *receiver = open_port(0, SENDERS + 1, &counter), *senders[SENDERS];
    struct pl_endpoint *to[SENDERS];
    unsigned char card[PL_CARD_MAX];
    size_t length;
    cr_assert_eq(pl_shm.address(receiver, card, &length), 0);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = open_port(i + 1, SENDERS + 1, &unused);
        cr_assert_eq(pl_shm.connect(senders[i], 0, card, length, &to[i]), 0, "%s", pl_fail_text());
    }
    for (int k = 0; k < FRAMES; k++) {
        for (int i = 0; i < SENDERS; i++) {
            struct pl_operation operation = {.payload = card, .length = (size_t)(i % 64)};
            cr_assert_eq(pl_shm.send(to[i], &operation), 0);
        }
        pl_shm.progress(receiver);
    }
    for (int rounds = 0; counter.frames < SENDERS * FRAMES && rounds < 100000; rounds++)
        pl_shm.progress(receiver);
    cr_assert_eq(counter.frames, SENDERS * FRAMES);
    for (int i = 0; i < SENDERS; i++)
        pl_shm.close(senders[i]);
    pl_shm.close(receiver);
}

/* Plausible records, each wrong in one way, behind one good one (so the next has number 1). */
static void write_wrong(struct pl_ring *ring, int way)
{
    const uint64_t words[] = {
        PL_WORD(PL_RECORD_FRAME, PL_RECORD_MAX + 1, 1), /* too long */
        PL_WORD(PL_RECORD_FRAME, 8, 2),                 /* not its turn */
        PL_WORD(PL_RECORD_SKIP + 1, 8, 1),              /* no such kind */
        PL_WORD(PL_RECORD_MORE, 8, 1),                  /* more of nothing */
        PL_WORD(PL_RECORD_FIRST, 100, 1),               /* longer than its own total */
    };
    for (uint32_t i = 0; i < PL_RING_CELLS; i++) {
        memset(ring->cells[i].data, 0, PL_CELL_INLINE);
        ring->cells[i].word = words[way];
    }
}

/* Good records up to the last cell, in which one begins that is longer than what is left. */
static void write_over_the_end(struct pl_ring *ring)
{
    uint32_t next = pl_ring_start(1) + 1;
    for (uint32_t i = next; i < PL_RING_CELLS; i++)
        ring->cells[i].word =
            PL_WORD(PL_RECORD_FRAME, i + 1 == PL_RING_CELLS ? PL_RECORD_MAX : 8, 1 + i - next);
}

Test(shm, records_that_are_wrong_in_one_way)
{
    enum { WAYS = 5 };
    for (int way = 0; way <= WAYS; way++) {
        struct counter counter = {0, 0, 0}, unused = {0, 0, 0};
        struct pl_port *receiver = open_port(0, 2, &counter), *sender = open_port(1, 2, &unused);
        unsigned char card[PL_CARD_MAX];
        size_t length;
        struct pl_endpoint *to;
        struct pl_operation operation = {.payload = "peal", .length = 4};
        cr_assert_eq(pl_shm.address(receiver, card, &length), 0);
        cr_assert_eq(pl_shm.connect(sender, 0, card, length, &to), 0, "%s", pl_fail_text());
        cr_assert_eq(pl_shm.send(to, &operation), 0, "%s", pl_fail_text());
        while (!counter.frames)
            pl_shm.progress(receiver);
        struct pl_ring *ring = find_ring();
        cr_assert_not_null(ring);
        if (way < WAYS)
            write_wrong(ring, way);
        else
            write_over_the_end(ring);
        for (int rounds = 0; !counter.lost && rounds < 1000; rounds++)
            pl_shm.progress(receiver);
        cr_assert_eq(counter.lost, PL_EPROTOCOL, "way %d ended in %d", way, counter.lost);
        cr_assert_leq(counter.bytes, 4 + 8 * PL_RING_CELLS);
        pl_shm.close(sender);
        pl_shm.close(receiver);
    }
}

/* ---- the heap ---- */

Test(shm, heap)
{
    enum { PIECES = 200, BIG = 32 << 20 };
    struct counter counter = {0, 0, 0};
    struct pl_port *port = open_port(0, 1, &counter);
    struct {
        unsigned char *at;
        size_t length;
        uint64_t seed;
    } piece[PIECES] = {{NULL, 0, 0}};
    srand(11);
    for (int step = 0; step < 5000; step++) {
        int i = rand() % PIECES;
        if (piece[i].at) {
            cr_assert_eq(pattern_check(piece[i].at, piece[i].length, piece[i].seed), -1);
            cr_assert(pl_shm.free(port, piece[i].at));
        }
        piece[i].length = (size_t)rand() % (rand() % 8 ? 300 : 20000);
        piece[i].seed = (uint64_t)step;
        piece[i].at = pl_shm.alloc(port, piece[i].length);
        cr_assert(piece[i].at && (uintptr_t)piece[i].at % 64 == 0, "%s", pl_fail_text());
        pattern_fill(piece[i].at, piece[i].length, piece[i].seed);
    }
    for (int i = 0; i < PIECES; i++)
        cr_assert(!piece[i].at || pl_shm.free(port, piece[i].at));
    size_t before = memory_of("peal-heap");
    void *big = pl_shm.alloc(port, BIG);
    cr_assert(big && memory_of("peal-heap") >= BIG);
    cr_assert(pl_shm.free(port, big) && !pl_shm.free(port, big) && !pl_shm.free(port, &counter));
    cr_assert_leq(memory_of("peal-heap"), before);
    cr_assert_null(pl_shm.alloc(port, SIZE_MAX - 5));
    cr_assert_null(pl_shm.alloc(port, (size_t)1 << 50));
    cr_assert(strstr(pl_fail_text(), "shared memory"), "%s", pl_fail_text());
    pl_shm.close(port);
    cr_assert_eq(memory_of("peal-"), 0);
}

Test(shm, nothing_has_a_name)
{
    struct counter counter = {0, 0, 0};
    struct pl_port *port = open_port(0, 2, &counter);
    cr_assert_not_null(pl_shm.alloc(port, 100000));
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps))
        cr_assert(!strstr(line, "peal-") || strstr(line, "/memfd:"), "%s", line);
    fclose(maps);
    pl_shm.close(port);
}
