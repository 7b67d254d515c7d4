/* Progress and waiting, for the whole library in one place.
 *
 * A waiter first spins, if every rank of the host has a core; then it yields; then
 * it sleeps in the first port (which also watches the others' descriptors) until
 * something comes. With more ranks than cores it hardly spins: whoever it waits
 * for needs the core. When a yield shows that somebody else is on the core, a program that this
 * library knows nothing of, the wait goes on asleep: who yields to that one is back at the end of its
 * slice, milliseconds later, where a sleeper is let in at once. Rejected: to expect the same of the
 * next waits. Where two ranks share their cores with others, spinning still meets an answer while both
 * have their turns: 8 bytes over tcp then took 60 to 120 us instead of 9. In a deterministic world it never
 * spins: sleeping is how it hands the turn on. With MPI_THREAD_MULTIPLE the port belongs to whichever thread
 * holds the rank's lock, so a waiter naps outside of it in short steps instead.
 */
#include "loss.h"
#include "protocol.h"

#include "clock.h"
#include "errors.h"
#include "loopback.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SPINS = 1000,         /* looks before the first yield, each rank having a core */
    HASTY = 64,           /* the first of them without a pause for the other hardware thread */
    SPINS_CROWDED = 8,    /* the same with more ranks than cores */
    YIELDS = 200,         /* yields before the first sleep */
    SPIN_NS = 50 * 1000,  /* looking longer than this costs more than to be woken */
    TAKEN_NS = 50 * 1000, /* of a yield: somebody else ran meanwhile */
    TEST_PATIENCE = 16,   /* tests in a row that find nothing before one yields, crowded */
    NAP_NS = 50 * 1000,
    DOZES = 2,                   /* sleeps (of 100 ms) before one wonders ... */
    NAPS = 4000,                 /* ... or naps */
    LOOKS = 64,                  /* idle rounds between two looks for news of deaths ... */
    LOOK_NS = 100 * 1000 * 1000, /* ... and the longest sleep between two */
};

int pl_progress(struct pl_rank *rank)
{
    int events = 0;
    for (int i = 0; i < rank->nports; i++) {
        int result = rank->ports[i]->transport->progress(rank->ports[i]);
        if (result < 0)
            return result;
        events += result;
    }
    if (__builtin_expect(rank->progressed && (events || rank->lost != rank->lost_before), 0)) {
        rank->lost_before = rank->lost;
        rank->progressed(rank);
    }
    return events;
}

static int sleep_in_port(struct pl_rank *rank, int64_t timeout_ns)
{
    int fds[PL_PORTS_MAX], nfds = 0;
    for (int i = 1; i < rank->nports; i++) {
        bool ready = false;
        int fd = rank->ports[i]->transport->wait_fd(rank->ports[i], &ready);
        if (ready)
            return 0;
        if (fd >= 0)
            fds[nfds++] = fd;
    }
    return rank->ports[0]->transport->sleep(rank->ports[0], timeout_ns, fds, nfds);
}

static int alone(struct pl_rank *rank)
{
    char text[256];
    pl_p2p_upcalls.describe(rank, text, sizeof text);
    return pl_fail(PL_EDEADLOCK, "deadlock: the world has one rank and %s", text);
}

/* News of deaths do not come in frames: who waits looks for them now and then. */
static void look(struct pl_rank *rank)
{
    if (rank->look)
        rank->look(rank);
    pl_knock(rank);
}

/* Whether what is waited for will ever come. */
static void wonder(struct pl_rank *rank)
{
    if (rank->wonder)
        rank->wonder(rank);
}

static int nap(struct pl_rank *rank, unsigned idle)
{
    const char *call = rank->call; /* other threads make calls meanwhile */
    if (idle == NAPS)
        wonder(rank);
    if (rank->report && idle >= NAPS && idle % (NAPS / 2) == 0)
        rank->report(rank);
    if (idle % LOOKS == LOOKS - 1)
        look(rank);
    pl_leave(rank);
    if (idle < SPINS_CROWDED + YIELDS) {
        sched_yield();
    } else {
        struct timespec time = {0, NAP_NS};
        nanosleep(&time, NULL);
    }
    pl_enter(rank);
    rank->call = call;
    return 0;
}

bool pl_idle_sleeps(const struct pl_rank *rank, unsigned idle)
{
    return rank->cooperative || (!rank->threaded && idle >= rank->patience + (rank->taken ? 0 : YIELDS));
}

static void begin_wait(struct pl_rank *rank)
{
    rank->patience = rank->spin ? SPINS : SPINS_CROWDED;
    rank->taken = false;
    rank->dozes = 0;
}

/* A look costs nanoseconds where it reads memory, and half a microsecond where it asks the kernel. */
static void spin(struct pl_rank *rank, unsigned idle)
{
    if (idle < HASTY)
        return;
    pl_relax();
    if (idle % LOOKS || !rank->spin)
        return;
    int64_t now = pl_now();
    if (idle == HASTY)
        rank->spins_since = now;
    else if (now - rank->spins_since > SPIN_NS)
        rank->patience = idle;
}

static int yield(struct pl_rank *rank)
{
    int64_t before = rank->spin ? pl_now() : 0;
    sched_yield();
    rank->taken = rank->spin && pl_now() - before > TAKEN_NS;
    return 0;
}

int pl_idle(struct pl_rank *rank, unsigned idle)
{
    if (rank->cooperative)
        return sleep_in_port(rank, -1);
    if (rank->threaded)
        return nap(rank, idle);
    if (!rank->nports)
        return alone(rank);
    if (idle == 0)
        begin_wait(rank);
    if (idle < rank->patience) {
        spin(rank, idle);
        return 0;
    }
    if (idle % LOOKS == LOOKS - 1)
        look(rank);
    if (!pl_idle_sleeps(rank, idle))
        return yield(rank);
    unsigned dozes = rank->dozes++;
    if (dozes == DOZES)
        wonder(rank);
    if (rank->report && dozes >= DOZES)
        rank->report(rank);
    int error = sleep_in_port(rank, rank->fabric ? -1 : LOOK_NS);
    look(rank);
    return error;
}

/* Ends what a request with a type has; returns its error, which may only show now. */
static int end_typed(struct pl_request *request, int error)
{
    if (error && !request->text) {
        request->error = error;
        request->text = strdup(pl_fail_text());
    }
    int late = pl_typed_end(request);
    return error ? error : late;
}

void pl_request_complete(struct pl_request *request, int error)
{
    if (__builtin_expect(request->type != NULL, 0))
        error = end_typed(request, error);
    if (error && !request->text) {
        request->error = error;
        request->text = strdup(pl_fail_text());
    }
    request->complete = true;
    if (request->completed)
        request->completed(request);
}

static int wait(struct pl_request *request, bool parks)
{
    struct pl_rank *rank = request->rank;
    unsigned idle = 0;
    while (!request->complete) {
        int events = pl_progress(rank);
        if (__builtin_expect(rank->lost, 0) && pl_request_stalled(request)) {
            int error = pl_source_check(request->comm, PL_ANY_SOURCE);
            if (parks)
                return pl_fail(PL_EPENDING, "%.*s", PL_ERROR_TEXT - 1, pl_fail_text());
            pl_request_abandon(request, error);
            break;
        }
        if (events == 0)
            events = pl_idle(rank, idle++);
        else if (events > 0)
            idle = 0;
        if (events < 0 && !request->complete)
            pl_request_abandon(request, events);
    }
    return request->error ? pl_fail(request->error, "%s", request->text ? request->text : "") : 0;
}

int pl_request_wait(struct pl_request *request)
{
    return wait(request, false);
}

int pl_request_await(struct pl_request *request)
{
    return wait(request, true);
}

int pl_poll(struct pl_rank *rank)
{
    int events = pl_progress(rank);
    if (events) {
        rank->misses = 0;
        return events;
    }
    if (++rank->polls % LOOKS == 0 || pl_knock_due(rank)) /* who polls rarely has few polls */
        look(rank);
    if (rank->cooperative)
        return sleep_in_port(rank, 0);
    if (!rank->spin && ++rank->misses >= TEST_PATIENCE) {
        const char *call = rank->call;
        rank->misses = 0;
        pl_leave(rank);
        sched_yield();
        pl_enter(rank);
        rank->call = call;
    }
    return 0;
}

bool pl_request_test(struct pl_request *request)
{
    int events = request->complete ? 0 : pl_poll(request->rank);
    if (events < 0 && !request->complete)
        pl_request_abandon(request, events);
    return request->complete;
}

int64_t pl_rank_now(struct pl_rank *rank)
{
    return rank->cooperative ? pl_fabric_now(rank->fabric) : pl_now();
}

int pl_pause(struct pl_rank *rank, int64_t nanoseconds)
{
    int64_t until = pl_rank_now(rank) + nanoseconds;
    for (int64_t left; (left = until - pl_rank_now(rank)) > 0;) {
        int events = pl_progress(rank);
        if (events < 0)
            return events;
        if (events)
            continue;
        if (rank->threaded || !rank->nports) {
            int64_t step = rank->nports && left > NAP_NS ? NAP_NS : left;
            struct timespec time = {.tv_sec = step / 1000000000, .tv_nsec = step % 1000000000};
            const char *call = rank->call;
            pl_leave(rank);
            nanosleep(&time, NULL);
            pl_enter(rank);
            rank->call = call;
        } else if (sleep_in_port(rank, left) < 0) {
            return PL_EDEADLOCK;
        }
    }
    return 0;
}

/* Takes a send back from whoever may still look for its buffer. */
static void withdraw(struct pl_request *request)
{
    struct pl_envelope envelope = {.kind = PL_KIND_WITHDRAW, .cookie = request->cookie};
    __atomic_store_n(&request->guard, 0, __ATOMIC_SEQ_CST);
    if (request->peer == request->rank->rank)
        pl_match_withdraw(request);
    else if (request->cookie)
        pl_frame_send(request->rank, request->peer, &envelope, NULL);
}

void pl_request_abandon(struct pl_request *request, int error)
{
    if (request->complete)
        return;
    if (request->is_send)
        withdraw(request);
    else if (!request->matched)
        pl_list_remove(&request->link);
    if (request->cookie)
        pl_cookie_drop(&request->rank->cookies, request->cookie);
    request->cookie = 0;
    if (request->type)
        pl_typed_forsake(request);
    pl_request_complete(request, error);
}

void pl_request_orphan(struct pl_request *request, void *memory)
{
    request->completed = NULL;
    request->owner = memory;
    if (!request->is_send)
        pl_request_cancel(request);
    pl_list_append(&request->rank->orphans, &request->link);
}
