/* Every frame carries in its header its number in the pair's order, its length,
 * the seed of its pattern and a kind; so each arrival can be checked for order,
 * length and content without knowing which case is running. A sent buffer is
 * overwritten and freed the moment the transport says it is done with it: what
 * it still reads afterwards is wrong data, or a sanitizer's finding.
 */
#include "harness.h"

#include "errors.h"
#include "loopback.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Far beyond what any case takes, even under valgrind on a busy machine. */
enum { DEADLINE_S = 120 };

struct shared {
    atomic_int failed;      /* 1 + the rank whose check failed first */
    atomic_int unsupported; /* open() said so */
    char text[1024];
    struct place {
        _Atomic uint64_t epoch;
        atomic_bool dead, finished;
        _Atomic(const char *) stage;
        _Atomic uint64_t sent[PARTY_MAX];
        uint64_t words[8];
        size_t card_length;
        unsigned char card[PL_CARD_MAX];
    } places[PARTY_MAX];
};

struct sink {
    struct party *party;
    int peer, kind;
    uint64_t seed;
    size_t length, capacity;
    unsigned char *buffer;
};

static const struct timespec a_moment = {.tv_nsec = 100000};

/* ---- failing ---- */

static _Noreturn void end_rank(struct party *party)
{
    if (party->flavour->in_process)
        pthread_exit(NULL);
    _exit(1);
}

void party_fail(struct party *party, const char *file, int line, const char *format, ...)
{
    int nobody = 0;
    if (atomic_compare_exchange_strong(&party->shared->failed, &nobody, -1)) {
        char what[800];
        va_list args;
        va_start(args, format);
        vsnprintf(what, sizeof what, format, args);
        va_end(args);
        const char *name = strrchr(file, '/');
        snprintf(party->shared->text, sizeof party->shared->text, "rank %d: %s:%d: %s", party->rank,
                 name ? name + 1 : file, line, what);
        atomic_store(&party->shared->failed, 1 + party->rank);
    }
    end_rank(party);
}

void party_stage(struct party *party, const char *stage)
{
    atomic_store(&party->shared->places[party->rank].stage, stage);
}

/* ---- patterns ---- */

static uint64_t pattern_word(uint64_t seed, size_t index)
{
    uint64_t z = (seed + index) * 0x9e3779b97f4a7c15u;
    return z ^ (z >> 29);
}

void pattern_fill(void *data, size_t length, uint64_t seed)
{
    unsigned char *to = data;
    for (size_t at = 0; at < length; at += 8) {
        uint64_t word = pattern_word(seed, at / 8);
        memcpy(to + at, &word, length - at < 8 ? length - at : 8);
    }
}

int64_t pattern_check(const void *data, size_t length, uint64_t seed)
{
    const unsigned char *from = data;
    for (size_t at = 0; at < length; at += 8) {
        uint64_t word = pattern_word(seed, at / 8);
        size_t part = length - at < 8 ? length - at : 8;
        if (!memcmp(from + at, &word, part))
            continue;
        while (from[at] == ((const unsigned char *)&word)[at % 8])
            at++;
        return (int64_t)at;
    }
    return -1;
}

/* ---- upcalls ---- */

static void count_frame(struct party *party, int peer, int kind)
{
    party->from[peer].frames++;
    party->from[peer].marks[kind]++;
    if (party->on_arrived)
        party->on_arrived(party, peer, kind);
}

static void on_arrived(void *context, int peer, const struct pl_header *header, size_t length,
                       const void *payload, struct pl_landing *landing)
{
    struct party *party = context;
    CHECK(party, party->inside > 0, "an upcall from nowhere");
    CHECK(party, peer >= 0 && peer < party->size && peer != party->rank, "a frame of rank %d", peer);
    struct inbound *from = &party->from[peer];
    CHECK(party, from->lost == 0, "a frame of rank %d after it was lost", peer);
    uint64_t number = header->word[0];
    int kind = (int)header->word[3];
    CHECK(party, number == from->announced, "frame %llu of rank %d came as number %llu",
          (unsigned long long)number, peer, (unsigned long long)from->announced);
    CHECK(party, header->word[1] == length, "a frame of %llu bytes came as one of %zu",
          (unsigned long long)header->word[1], length);
    from->announced++;
    if (length == 0 || payload) {
        CHECK(party, !landing, "a landing is asked for where none is needed (%zu bytes)", length);
        CHECK(party, length > 0 || !payload, "a payload of no bytes");
        int64_t wrong = pattern_check(payload, length, header->word[2]);
        CHECK(party, wrong < 0, "byte %lld of %zu from rank %d, in place", (long long)wrong, length, peer);
        count_frame(party, peer, kind);
        return;
    }
    CHECK(party, landing, "%zu bytes with neither payload nor landing", length);
    struct sink *sink = calloc(1, sizeof *sink);
    *sink =
        (struct sink){.party = party, .peer = peer, .kind = kind, .seed = header->word[2], .length = length};
    if (party->landing != LAND_NOTHING) {
        sink->capacity = party->landing == LAND_SHORT ? length / 2 : length;
        sink->buffer = malloc(sink->capacity + 1);
        sink->buffer[sink->capacity] = 0xa5;
    }
    *landing = (struct pl_landing){sink->buffer, sink->capacity, sink};
}

static void on_landed(void *context, int peer, const struct pl_landing *landing, size_t length, int status)
{
    struct party *party = context;
    struct sink *sink = landing->token;
    CHECK(party, party->inside > 0, "an upcall from nowhere");
    CHECK(party, sink->peer == peer && sink->length == length,
          "%zu bytes of rank %d landed as %zu of rank %d", sink->length, sink->peer, length, peer);
    CHECK(party, landing->buffer == sink->buffer && landing->capacity == sink->capacity,
          "the landing was changed");
    CHECK(party, !sink->buffer || sink->buffer[sink->capacity] == 0xa5, "bytes beyond the capacity of %zu",
          sink->capacity);
    CHECK(party, status == 0 || party->tolerant, "%zu bytes of rank %d: %s", length, peer, pl_fail_text());
    int kind = sink->kind;
    int64_t wrong = status || !sink->buffer ? -1 : pattern_check(sink->buffer, sink->capacity, sink->seed);
    CHECK(party, wrong < 0, "byte %lld of %zu from rank %d, landed", (long long)wrong, length, peer);
    free(sink->buffer);
    free(sink);
    if (status)
        party->from[peer].broken++;
    else
        count_frame(party, peer, kind);
}

static void on_lost(void *context, int peer, int error, const char *cause)
{
    struct party *party = context;
    CHECK(party, party->inside > 0, "an upcall from nowhere");
    CHECK(party, error < 0 && cause && *cause, "lost with error %d and no cause", error);
    CHECK(party, ++party->from[peer].lost == 1, "rank %d lost twice: %s", peer, cause);
    CHECK(party, party->tolerant, "rank %d is lost unasked: %s", peer, cause);
}

static void on_describe(void *context, char *text, size_t size)
{
    const struct party *party = context;
    snprintf(text, size, "rank %d waits until %s", party->rank,
             atomic_load(&party->shared->places[party->rank].stage));
}

static const struct pl_upcalls upcalls = {on_arrived, on_landed, on_lost, on_describe};

/* ---- sending ---- */

static void drop_outgoing(struct outgoing *outgoing)
{
    struct pl_operation *operation = &outgoing->operation;
    if (operation->payload) {
        void *data = (void *)(uintptr_t)operation->payload;
        memset(data, 0xdd, operation->length);
        free(data);
    }
    free(outgoing);
}

static void on_operation_done(struct pl_operation *operation, int status)
{
    struct outgoing *outgoing = (struct outgoing *)operation;
    struct party *party = outgoing->party;
    CHECK(party, party->inside > 0, "done from nowhere");
    CHECK(party, !outgoing->done, "done twice");
    CHECK(party, status <= 0, "status %d", status);
    CHECK(party, status == 0 || party->tolerant, "%zu bytes to rank %d: %s", operation->length,
          outgoing->peer, pl_error_name(status));
    outgoing->done = true;
    party->outstanding--;
    party->errors += status < 0;
    int peer = outgoing->peer, kind = outgoing->kind;
    drop_outgoing(outgoing);
    if (party->on_done)
        party->on_done(party, peer, kind);
}

int party_send(struct party *party, int peer, size_t length, int kind)
{
    struct outgoing *outgoing = calloc(1, sizeof *outgoing);
    struct pl_operation *operation = &outgoing->operation;
    uint64_t seed = party->sent[peer] * 1000003 + (uint64_t)party->rank * 64 + (uint64_t)peer;
    void *data = length ? malloc(length) : NULL;
    pattern_fill(data, length, seed);
    *outgoing = (struct outgoing){.party = party, .peer = peer, .kind = kind};
    *operation = (struct pl_operation){.header = {{party->sent[peer], length, seed, (uint64_t)kind}},
                                       .payload = data,
                                       .length = length,
                                       .done = on_operation_done};
    party->inside++;
    /* Counted before, because an upcall from inside send may send the next. */
    party->sent[peer]++;
    party->outstanding++;
    int rc = party->transport->send(party->to[peer], operation);
    party->inside--;
    if (rc == PL_PENDING) {
        memset(&operation->header, 0xee, sizeof operation->header);
        return rc;
    }
    CHECK(party, rc <= 0, "send returned %d", rc);
    CHECK(party, rc == 0 || party->tolerant, "%zu bytes to rank %d: %s", length, peer, pl_fail_text());
    party->outstanding--;
    if (rc < 0)
        party->sent[peer]--;
    drop_outgoing(outgoing);
    return rc;
}

int party_progress(struct party *party)
{
    party->inside++;
    int events = party->transport->progress(party->port);
    party->inside--;
    CHECK(party, events >= 0, "%s", pl_fail_text());
    return events;
}

void party_step(struct party *party)
{
    if (party_progress(party))
        return;
    int error = party->transport->sleep(party->port, -1, NULL, 0);
    CHECK(party, error == 0, "%s", pl_fail_text());
}

/* ---- together ---- */

void party_barrier(struct party *party, bool moving)
{
    struct shared *shared = party->shared;
    uint64_t epoch = ++party->epoch;
    atomic_store(&shared->places[party->rank].epoch, epoch);
    party_stage(party, "all are at the barrier");
    for (int r = 0; r < party->size;) {
        if (atomic_load(&shared->failed))
            end_rank(party);
        if (atomic_load(&shared->places[r].dead) || atomic_load(&shared->places[r].epoch) >= epoch) {
            r++;
            continue;
        }
        if (party->port && moving && party_progress(party))
            continue;
        if (party->port && party->flavour->deterministic)
            party->transport->sleep(party->port, 0, NULL, 0);
        else
            nanosleep(&a_moment, NULL);
    }
}

void party_settle(struct party *party)
{
    for (int r = 0; r < party->size; r++)
        atomic_store(&party->shared->places[party->rank].sent[r], party->sent[r]);
    party_barrier(party, true);
    for (int r = 0; r < party->size; r++) {
        if (r == party->rank || atomic_load(&party->shared->places[r].dead))
            continue;
        uint64_t expected = atomic_load(&party->shared->places[r].sent[party->rank]);
        UNTIL(party, party->from[r].frames >= expected);
        CHECK(party, party->from[r].frames == expected, "%llu frames of rank %d instead of %llu",
              (unsigned long long)party->from[r].frames, r, (unsigned long long)expected);
    }
    UNTIL(party, party->outstanding == 0);
    party_barrier(party, true);
}

uint64_t *party_words(struct party *party, int rank)
{
    return party->shared->places[rank].words;
}

void party_open(struct party *party)
{
    party_stage(party, "open returns");
    int error = party->transport->open(&party->params, &party->port);
    if (error == PL_EUNSUPPORTED) {
        atomic_store(&party->shared->unsupported, 1);
        snprintf(party->shared->text, sizeof party->shared->text, "%s", pl_fail_text());
        end_rank(party);
    }
    CHECK(party, error == 0, "%s", pl_fail_text());
    CHECK(party, party->port->transport == party->transport, "the port does not say whose it is");
    memset(party->to, 0, sizeof party->to);
    memset(party->from, 0, sizeof party->from);
    memset(party->sent, 0, sizeof party->sent);
}

void party_publish(struct party *party)
{
    struct place *place = &party->shared->places[party->rank];
    int error = party->transport->address(party->port, place->card, &place->card_length);
    CHECK(party, error == 0, "%s", pl_fail_text());
    CHECK(party, place->card_length <= PL_CARD_MAX, "a card of %zu bytes", place->card_length);
    party_barrier(party, true);
}

const void *party_card(struct party *party, int peer, size_t *length)
{
    *length = party->shared->places[peer].card_length;
    return party->shared->places[peer].card;
}

void party_connect(struct party *party, int peer)
{
    size_t length;
    const void *card = party_card(party, peer, &length);
    int error = party->transport->connect(party->port, peer, card, length, &party->to[peer]);
    CHECK(party, error == 0, "%s", pl_fail_text());
    const struct pl_endpoint *to = party->to[peer];
    CHECK(party, to->transport == party->transport && to->port == party->port && to->peer == peer,
          "the endpoint to rank %d does not say what it is", peer);
}

void party_connect_all(struct party *party)
{
    for (int r = 0; r < party->size; r++)
        if (r != party->rank)
            party_connect(party, r);
}

void party_close(struct party *party)
{
    party_stage(party, "close returns");
    party->inside++;
    party->transport->close(party->port);
    party->inside--;
    party->port = NULL;
    CHECK(party, party->outstanding == 0, "%d operations are not done after close", party->outstanding);
}

void party_die(struct party *party)
{
    atomic_store(&party->shared->places[party->rank].dead, true);
    if (!party->flavour->in_process)
        kill(getpid(), SIGKILL);
    pl_fabric_kill(party->params.fabric, party->rank, "killed by the test");
    party->tolerant = true;
    party_close(party);
}

/* ---- running ---- */

struct start {
    struct party party;
    party_body *body;
    bool bare;
};

static void run_rank(struct start *start)
{
    struct party *party = &start->party;
    if (!start->bare) {
        party_open(party);
        party_publish(party);
        party_connect_all(party);
    }
    start->body(party);
    if (!atomic_load(&party->shared->places[party->rank].dead))
        party_barrier(party, true);
    if (party->port)
        party_close(party);
    atomic_store(&party->shared->places[party->rank].finished, true);
}

static void *run_thread(void *start)
{
    run_rank(start);
    return NULL;
}

/* With a leak checker in the program, leaks of this rank count as its failure. */
__attribute__((weak)) int __lsan_do_recoverable_leak_check(void);

static _Noreturn void run_process(struct start *start)
{
    run_rank(start);
    int leaks = __lsan_do_recoverable_leak_check ? __lsan_do_recoverable_leak_check() : 0;
    _exit(leaks ? 3 : 0);
}

static void prepare(struct start *start, const struct flavour *flavour, int rank, int size,
                    struct shared *shared, struct pl_fabric *fabric)
{
    struct party *party = &start->party;
    char *no_environment[] = {NULL};
    pl_config_read(&party->config, no_environment);
    party->flavour = flavour;
    party->transport = flavour->transport;
    party->rank = rank;
    party->size = size;
    party->shared = shared;
    party->params = (struct pl_port_params){.rank = rank,
                                            .size = size,
                                            .local_size = size,
                                            .key = "a key of thirty-two known bytes",
                                            .config = &party->config,
                                            .fabric = fabric,
                                            .upcalls = &upcalls,
                                            .context = party};
    party_stage(party, "it starts");
}

static bool over(const struct shared *shared)
{
    return atomic_load(&shared->failed) > 0 || atomic_load(&shared->unsupported);
}

static int report_hang(const struct shared *shared, int size, char *text, size_t room)
{
    size_t used = (size_t)snprintf(text, room, "still running after %d s:", DEADLINE_S);
    for (int r = 0; r < size && used < room; r++)
        if (!atomic_load(&shared->places[r].finished))
            used += (size_t)snprintf(text + used, room - used, " rank %d waits until %s;", r,
                                     atomic_load(&shared->places[r].stage));
    return 1;
}

/* Threads: when a check failed the others are left as they are; the test's process ends with them. */
static int run_threads(struct start *starts, int size, char *text, size_t room)
{
    struct shared *shared = starts->party.shared;
    pthread_t threads[PARTY_MAX];
    for (int r = 0; r < size; r++)
        if (pthread_create(&threads[r], NULL, run_thread, &starts[r]))
            abort();
    for (int r = 0, waited = 0; r < size; waited++) {
        if (over(shared))
            return snprintf(text, room, "%s", shared->text), atomic_load(&shared->unsupported) ? 2 : 1;
        if (waited > DEADLINE_S * 100)
            return report_hang(shared, size, text, room);
        struct timespec soon;
        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_nsec += 10000000;
        soon.tv_sec += soon.tv_nsec / 1000000000;
        soon.tv_nsec %= 1000000000;
        if (pthread_timedjoin_np(threads[r], NULL, &soon) == 0)
            r++;
    }
    if (over(shared))
        return snprintf(text, room, "%s", shared->text), 1;
    return 0;
}

/* What the end of a rank's process means; 0: all is well. */
static int judge(const struct shared *shared, int rank, int status, char *text, size_t room)
{
    if (atomic_load(&shared->places[rank].dead) && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return 0;
    if (over(shared) || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
        return 0;
    if (WIFSIGNALED(status))
        snprintf(text, room, "rank %d ended by signal %d", rank, WTERMSIG(status));
    else
        snprintf(text, room, "rank %d ended with code %d", rank, WEXITSTATUS(status));
    return 1;
}

static int run_processes(struct start *starts, int size, char *text, size_t room)
{
    struct shared *shared = starts->party.shared;
    pid_t pids[PARTY_MAX];
    fflush(NULL);
    for (int r = 0; r < size; r++) {
        pids[r] = fork();
        if (pids[r] < 0)
            abort();
        if (pids[r] == 0)
            run_process(&starts[r]);
    }
    int bad = 0, running = size;
    for (int waited = 0; running && !bad && !over(shared); waited++) {
        for (int r = 0; r < size; r++) {
            int status;
            if (pids[r] <= 0 || waitpid(pids[r], &status, WNOHANG) != pids[r])
                continue;
            pids[r] = 0;
            running--;
            bad = judge(shared, r, status, text, room);
            if (bad)
                break;
        }
        if (waited > DEADLINE_S * 1000)
            bad = report_hang(shared, size, text, room);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    for (int r = 0; r < size; r++) {
        if (pids[r] <= 0)
            continue;
        kill(pids[r], SIGKILL);
        waitpid(pids[r], NULL, 0);
    }
    if (!over(shared))
        return bad;
    snprintf(text, room, "%s", shared->text);
    return atomic_load(&shared->unsupported) ? 2 : 1;
}

int party_run(const struct flavour *flavour, int size, party_body *body, bool bare, char *text, size_t room)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct pl_fabric *fabric = NULL;
    struct start *starts = calloc((size_t)size, sizeof *starts);
    if (shared == MAP_FAILED || !starts)
        abort();
    if (flavour->in_process && pl_fabric_create(size, flavour->deterministic, 1, &fabric))
        abort();
    for (int r = 0; r < size; r++) {
        prepare(&starts[r], flavour, r, size, shared, fabric);
        starts[r].body = body;
        starts[r].bare = bare;
    }
    *text = 0;
    int result =
        flavour->in_process ? run_threads(starts, size, text, room) : run_processes(starts, size, text, room);
    if (result)
        return result; /* threads may still use what they were given */
    pl_fabric_destroy(fabric);
    free(starts);
    munmap(shared, sizeof *shared);
    return 0;
}
