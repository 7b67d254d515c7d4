/* What the shm transport costs between two processes on two cores, without
 * matching above it: the one-way latency of an 8-byte frame, the rate of 8-byte
 * frames in one direction, and the bandwidth one way by frames (through the
 * rings) and by get (process_vm_readv), for 4 KiB to 4 MiB.
 *
 *     ninja bench/shm_pingpong && bench/shm_pingpong
 */
#include "clock.h"
#include "config.h"
#include "errors.h"
#include "transport.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 4 << 20, ROUNDS = 25 };

/* What both processes see, to exchange cards. */
struct board {
    unsigned char card[2][PL_CARD_MAX];
    size_t length[2];
    uint64_t buffer[2];
    volatile int ready[2];
};

struct side {
    int rank;
    const struct pl_transport *transport;
    struct pl_port *port;
    struct pl_endpoint *peer;
    struct board *board;
    long arrived, done;
    unsigned char *buffer;
};

static void arrived(void *context, int peer, const struct pl_header *header, size_t length, const void *payload,
                    struct pl_landing *landing)
{
    struct side *side = context;
    if (payload || !length) {
        if (payload)
            memcpy(side->buffer, payload, length);
        side->arrived++;
    } else {
        *landing = (struct pl_landing){side->buffer, MOST, NULL};
    }
}

static void landed(void *context, int peer, const struct pl_landing *landing, size_t length, int status)
{
    ((struct side *)context)->arrived++;
}

static void lost(void *context, int peer, int error, const char *cause)
{
    fprintf(stderr, "%s\n", cause);
    exit(1);
}

static void describe(void *context, char *text, size_t size)
{
    text[0] = 0;
}

static struct side *done_side; /* one port a process */

static void done(struct pl_operation *operation, int status)
{
    done_side->done++;
}

static void wait_arrived(struct side *side, long n)
{
    while (side->arrived < n)
        side->transport->progress(side->port);
}

static void check(int error)
{
    if (error < 0) {
        fprintf(stderr, "%s\n", pl_fail_text());
        exit(1);
    }
}

/* Sends and waits until the buffer is free. */
static void send_one(struct side *side, size_t length)
{
    struct pl_operation operation = {.payload = side->buffer, .length = length, .done = done};
    long before = side->done;
    int result = side->transport->send(side->peer, &operation);
    check(result);
    if (result == PL_PENDING)
        while (side->done == before)
            side->transport->progress(side->port);
}

/* Seconds for n round trips, as seen by rank 0. */
static double pingpong(struct side *side, size_t length, long n)
{
    long base = side->arrived;
    int64_t start = pl_now();
    for (long i = 1; i <= n; i++) {
        if (side->rank == 0)
            send_one(side, length);
        wait_arrived(side, base + i);
        if (side->rank == 1)
            send_one(side, length);
    }
    return (double)(pl_now() - start) * 1e-9;
}

/* Rank 0 sends n frames, rank 1 answers the last. */
static double stream(struct side *side, size_t length, long n)
{
    long base = side->arrived;
    int64_t start = pl_now();
    if (side->rank == 0) {
        for (long i = 0; i < n; i++)
            send_one(side, length);
        wait_arrived(side, base + 1);
    } else {
        wait_arrived(side, base + n);
        send_one(side, 0);
    }
    return (double)(pl_now() - start) * 1e-9;
}

/* Rank 1 reads rank 0's buffer n times, when rank 0 has said so. */
static double gets(struct side *side, size_t length, long n)
{
    long base = side->arrived;
    int64_t start = pl_now();
    if (side->rank == 1) {
        struct pl_memory_key key = {{0, 0}};
        struct pl_operation operation = {.done = done};
        wait_arrived(side, base + 1);
        for (long i = 0; i < n; i++)
            check(side->transport->get(side->peer, side->buffer, side->board->buffer[0], &key, length, &operation));
        send_one(side, 0);
    } else {
        send_one(side, 0);
        wait_arrived(side, base + 1);
    }
    return (double)(pl_now() - start) * 1e-9;
}

/* The best of ROUNDS: both sides run all, rank 0's clock counts. */
static double best(double (*run)(struct side *, size_t, long), struct side *side, size_t length, long n)
{
    double least = 1e9;
    for (int i = 0; i < ROUNDS; i++) {
        double t = run(side, length, n);
        least = t < least ? t : least;
    }
    return least;
}

static void measure(struct side *side)
{
    enum { SHORT = 2000 };
    double latency = best(pingpong, side, 8, SHORT) / SHORT / 2;
    double rate = best(stream, side, 8, SHORT) / SHORT;
    if (side->rank == 0)
        printf("8 bytes: %.3f us one way, %.3f us a frame in a stream\n%10s %12s %12s %12s\n", latency * 1e6,
               rate * 1e6, "bytes", "one way us", "ring GB/s", "get GB/s");
    bool reaches = side->transport->reaches(side->peer);
    for (size_t length = 1 << 10; length <= MOST; length *= 2) {
        long n = (16 << 20) / (long)length < 500 ? (16 << 20) / (long)length : 500;
        double one = best(pingpong, side, length, n / 2) / (double)(n / 2) / 2;
        double t = best(stream, side, length, n), g = reaches ? best(gets, side, length, n) : 0;
        if (side->rank == 0)
            printf("%10zu %12.2f %12.2f %12.2f\n", length, one * 1e6, (double)length * (double)n / t * 1e-9,
                   g > 0 ? (double)length * (double)n / g * 1e-9 : 0.0);
    }
}

static int run(int rank, struct board *board)
{
    static const struct pl_upcalls upcalls = {arrived, landed, lost, describe};
    struct pl_config config;
    pl_config_read(&config, NULL);
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(rank, &cpus);
    sched_setaffinity(0, sizeof cpus, &cpus);
    struct side side = {.rank = rank, .transport = pl_transport_find("shm"), .board = board};
    side.buffer = aligned_alloc(4096, MOST);
    memset(side.buffer, rank, MOST);
    done_side = &side;
    struct pl_port_params params = {
        .rank = rank, .size = 2, .local_size = 2, .config = &config, .upcalls = &upcalls, .context = &side};
    check(side.transport->open(&params, &side.port));
    check(side.transport->address(side.port, board->card[rank], &board->length[rank]));
    board->buffer[rank] = (uintptr_t)side.buffer;
    __atomic_store_n(&board->ready[rank], 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&board->ready[1 - rank], __ATOMIC_ACQUIRE))
        sched_yield();
    check(side.transport->connect(side.port, 1 - rank, board->card[1 - rank], board->length[1 - rank], &side.peer));
    measure(&side);
    side.transport->close(side.port);
    free(side.buffer);
    return 0;
}

int main(void)
{
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        return 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    pid_t child = fork();
    if (child == 0)
        return run(1, board);
    int status, result = run(0, board);
    waitpid(child, &status, 0);
    return result || status;
}
