/* The in-process world: who runs, who waits, who has died.
 *
 * One lock guards all; it is held for a few list operations at a time, never
 * while an upcall runs (but `describe`) or a large payload is copied.
 *
 * Free: every rank's thread runs as the system lets it. A rank asleep without a
 * limit can only be woken by another rank, so when all open ports are asleep so
 * and none has anything to do, nobody ever will be: a deadlock, seen at the
 * moment it comes about by the last that falls asleep (or leaves).
 *
 * Deterministic: a baton. Its holder runs until it has nothing to do and sleeps,
 * yields, or leaves; the next is drawn among those that could go on. Time stands
 * still while anybody has something to do; when none has (all sleep, or those who
 * run do nothing but yield), the nearest timeout fires; when all sleep and there
 * is none, it is a deadlock. The draws come from splitmix64 (Steele, Lea,
 * Flood: Fast splittable pseudorandom number generators, OOPSLA 2014), whose
 * whole state is one word.
 *
 * Rejected: a scheduler thread that hands out turns (two switches a turn instead
 * of one, and one more thread to end), and coroutines instead of threads (thread-
 * locals, sanitizers and debuggers would no longer work in the code under test).
 */
#include "fabric.h"

#include "clock.h"
#include "errors.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Turns a rank, on average, in which nothing happened: they only poll, and time passes. */
enum { IDLE_TURNS = 8 };

void pl_fabric_lock(struct pl_fabric *fabric)
{
    pthread_mutex_lock(&fabric->lock);
}

void pl_fabric_unlock(struct pl_fabric *fabric)
{
    pthread_mutex_unlock(&fabric->lock);
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t pl_fabric_draw(struct pl_fabric *fabric, uint64_t bound)
{
    fabric->random += 0x9e3779b97f4a7c15u;
    return mix(fabric->random) % bound;
}

void pl_fabric_note(struct pl_fabric *fabric, enum pl_event event, int rank, int peer, size_t length)
{
    const uint64_t words[] = {(uint64_t)event, (uint64_t)rank, (uint64_t)peer, length};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        fabric->hash = mix((fabric->hash ^ words[i]) + 0x9e3779b97f4a7c15u);
    fabric->events++;
    if (event != PL_EVENT_TURN)
        fabric->idle_turns = 0;
}

bool pl_seat_ready(const struct pl_seat *seat)
{
    return !pl_list_empty(&seat->inbox) || !pl_list_empty(&seat->completed) ||
           seat->deaths_seen < seat->fabric->ndeaths || seat->fate == PL_FATE_DEAD;
}

void pl_seat_wake(struct pl_seat *seat)
{
    if (!seat->fabric->deterministic && seat->asleep)
        pthread_cond_signal(&seat->wake);
    if (seat->event_fd >= 0) {
        uint64_t one = 1;
        ssize_t written = write(seat->event_fd, &one, sizeof one);
        assert(written == sizeof one);
        (void)written;
    }
}

/* One line a rank, into the report. */
static void describe_all(struct pl_fabric *fabric)
{
    size_t used = 0, room = sizeof fabric->report;
    used += (size_t)snprintf(fabric->report, room, "deadlock: every rank waits and nothing is on its way");
    for (int r = 0; r < fabric->size && used < room; r++) {
        struct pl_seat *seat = &fabric->seats[r];
        char line[256];
        snprintf(line, sizeof line, "rank %d %s", r,
                 seat->open                   ? "waits"
                 : seat->fate == PL_FATE_DEAD ? "died"
                                              : "has ended");
        if (seat->open && seat->upcalls->describe)
            seat->upcalls->describe(seat->context, line, sizeof line);
        used += (size_t)snprintf(fabric->report + used, room - used, "\n%s", line);
    }
    if (used >= room)
        memcpy(fabric->report + room - 4, "...", 4);
}

static void declare_deadlock(struct pl_fabric *fabric)
{
    describe_all(fabric);
    pl_fabric_note(fabric, PL_EVENT_DEADLOCK, 0, 0, 0);
    for (int r = 0; r < fabric->size; r++) {
        struct pl_seat *seat = &fabric->seats[r];
        if (!seat->open || !seat->asleep)
            continue;
        seat->deadlocked = true;
        if (!fabric->deterministic)
            pthread_cond_signal(&seat->wake);
    }
}

/* Free: to be called when a rank has fallen asleep or left. */
static void look_for_deadlock(struct pl_fabric *fabric)
{
    if (fabric->absent || !fabric->open || fabric->sleepers < fabric->open)
        return;
    for (int r = 0; r < fabric->size; r++)
        if (fabric->seats[r].open && (pl_seat_ready(&fabric->seats[r]) || fabric->seats[r].deadlocked))
            return;
    declare_deadlock(fabric);
}

static bool runnable(const struct pl_seat *seat)
{
    return seat->open && (!seat->asleep || seat->deadlocked || seat->timed_out || pl_seat_ready(seat));
}

static int draw_runnable(struct pl_fabric *fabric)
{
    uint64_t count = 0;
    for (int r = 0; r < fabric->size; r++)
        count += runnable(&fabric->seats[r]);
    if (!count)
        return -1;
    uint64_t left = pl_fabric_draw(fabric, count);
    for (int r = 0;; r++)
        if (runnable(&fabric->seats[r]) && left-- == 0)
            return r;
}

/* Nobody can run: lets time pass until somebody can. */
static bool pass_time(struct pl_fabric *fabric)
{
    struct pl_seat *next = NULL;
    for (int r = 0; r < fabric->size; r++) {
        struct pl_seat *seat = &fabric->seats[r];
        if (seat->open && seat->deadline >= 0 && (!next || seat->deadline < next->deadline))
            next = seat;
    }
    if (!next)
        return false;
    fabric->now = next->deadline;
    next->timed_out = true;
    pl_fabric_note(fabric, PL_EVENT_TIMEOUT, next->rank, 0, 0);
    return true;
}

static void pass_baton(struct pl_fabric *fabric)
{
    fabric->running = -1;
    if (!fabric->open)
        return;
    if (++fabric->idle_turns > IDLE_TURNS * fabric->open)
        pass_time(fabric);
    int next = draw_runnable(fabric);
    if (next < 0) {
        if (!pass_time(fabric))
            declare_deadlock(fabric);
        next = draw_runnable(fabric);
    }
    fabric->running = next;
    pl_fabric_note(fabric, PL_EVENT_TURN, next, 0, 0);
    pthread_cond_signal(&fabric->seats[next].wake);
}

static void await_turn(struct pl_seat *seat)
{
    while (seat->fabric->running != seat->rank)
        pthread_cond_wait(&seat->wake, &seat->fabric->lock);
}

void pl_seat_enter(struct pl_seat *seat)
{
    struct pl_fabric *fabric = seat->fabric;
    fabric->absent -= seat->fate == PL_FATE_ABSENT;
    fabric->open++;
    seat->fate = PL_FATE_PRESENT;
    seat->open = true;
    seat->asleep = false;
    seat->deadline = -1;
    if (!fabric->deterministic)
        return pl_fabric_note(fabric, PL_EVENT_OPEN, seat->rank, 0, 0);
    if (!fabric->absent && fabric->running < 0)
        pass_baton(fabric);
    await_turn(seat);
}

void pl_seat_leave(struct pl_seat *seat)
{
    struct pl_fabric *fabric = seat->fabric;
    pl_fabric_note(fabric, PL_EVENT_CLOSE, seat->rank, 0, 0);
    seat->open = false;
    fabric->open--;
    if (fabric->deterministic)
        pass_baton(fabric);
    else
        look_for_deadlock(fabric);
}

/* Until the seat is ready, deadlocked or `timeout_ns` is over. */
static void sleep_free(struct pl_seat *seat, int64_t timeout_ns)
{
    struct pl_fabric *fabric = seat->fabric;
    struct timespec until;
    if (timeout_ns >= 0) {
        int64_t end = pl_now() + timeout_ns;
        until = (struct timespec){.tv_sec = end / 1000000000, .tv_nsec = end % 1000000000};
    }
    seat->asleep = true;
    fabric->sleepers += timeout_ns < 0;
    if (timeout_ns < 0)
        look_for_deadlock(fabric);
    int over = 0;
    while (!pl_seat_ready(seat) && !seat->deadlocked && !over) {
        if (timeout_ns < 0)
            pthread_cond_wait(&seat->wake, &fabric->lock);
        else
            over = pthread_cond_timedwait(&seat->wake, &fabric->lock, &until);
    }
    fabric->sleepers -= timeout_ns < 0;
    seat->asleep = false;
}

static void sleep_in_turn(struct pl_seat *seat, int64_t timeout_ns)
{
    seat->asleep = timeout_ns != 0;
    seat->deadline = timeout_ns > 0 ? seat->fabric->now + timeout_ns : -1;
    pass_baton(seat->fabric);
    await_turn(seat);
    seat->asleep = false;
    seat->deadline = -1;
    seat->timed_out = false;
}

int pl_seat_sleep(struct pl_seat *seat, int64_t timeout_ns)
{
    if (timeout_ns != 0 && pl_seat_ready(seat))
        return 0;
    if (seat->fabric->deterministic)
        sleep_in_turn(seat, timeout_ns);
    else
        sleep_free(seat, timeout_ns);
    if (!seat->deadlocked)
        return 0;
    seat->deadlocked = false;
    return pl_fail(PL_EDEADLOCK, "%s", seat->fabric->report);
}

static void seat_init(struct pl_seat *seat, struct pl_fabric *fabric, int rank)
{
    seat->fabric = fabric;
    seat->rank = rank;
    seat->event_fd = -1;
    seat->deadline = -1;
    pl_list_init(&seat->inbox);
    pl_list_init(&seat->outgoing);
    pl_list_init(&seat->completed);
    pl_list_init(&seat->allocations);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&seat->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

int pl_fabric_create(int size, bool deterministic, uint64_t seed, struct pl_fabric **out)
{
    if (size < 1)
        return pl_fail(PL_EARG, "an in-process world of %d ranks", size);
    struct pl_fabric *fabric = calloc(1, sizeof *fabric);
    if (!fabric)
        goto no_memory;
    fabric->seats = calloc((size_t)size, sizeof *fabric->seats);
    fabric->deaths = calloc((size_t)size, sizeof *fabric->deaths);
    if (!fabric->seats || !fabric->deaths)
        goto free_fabric;
    fabric->size = fabric->absent = size;
    fabric->deterministic = deterministic;
    fabric->random = seed;
    fabric->running = -1;
    pthread_mutex_init(&fabric->lock, NULL);
    pthread_cond_init(&fabric->settled, NULL);
    for (int r = 0; r < size; r++)
        seat_init(&fabric->seats[r], fabric, r);
    *out = fabric;
    return 0;

free_fabric:
    free(fabric->deaths);
    free(fabric->seats);
    free(fabric);
no_memory:
    return pl_fail(PL_ENOMEM, "no memory for an in-process world of %d ranks", size);
}

void pl_fabric_destroy(struct pl_fabric *fabric)
{
    if (!fabric)
        return;
    assert(!fabric->open);
    for (int r = 0; r < fabric->size; r++) {
        struct pl_seat *seat = &fabric->seats[r];
        pl_seat_drop_inbox(seat);
        pl_list_each(node, &seat->allocations) free(node);
        pthread_cond_destroy(&seat->wake);
    }
    pthread_cond_destroy(&fabric->settled);
    pthread_mutex_destroy(&fabric->lock);
    free(fabric->deaths);
    free(fabric->seats);
    free(fabric);
}

void pl_fabric_kill(struct pl_fabric *fabric, int rank, const char *cause)
{
    pl_fabric_lock(fabric);
    struct pl_seat *seat = &fabric->seats[rank];
    if (seat->fate == PL_FATE_DEAD)
        goto unlock;
    fabric->absent -= seat->fate == PL_FATE_ABSENT;
    seat->fate = PL_FATE_DEAD;
    snprintf(seat->cause, sizeof seat->cause, "%s", cause);
    fabric->deaths[fabric->ndeaths++] = rank;
    pl_fabric_note(fabric, PL_EVENT_KILL, rank, 0, 0);
    pl_seat_drop_inbox(seat);
    for (int r = 0; r < fabric->size; r++)
        if (fabric->seats[r].open)
            pl_seat_wake(&fabric->seats[r]);
    if (fabric->deterministic && !fabric->absent && fabric->running < 0)
        pass_baton(fabric);
unlock:
    pl_fabric_unlock(fabric);
}

bool pl_fabric_gone(struct pl_fabric *fabric, int rank)
{
    pl_fabric_lock(fabric);
    enum pl_fate fate = fabric->seats[rank].fate;
    pl_fabric_unlock(fabric);
    return fate == PL_FATE_DEAD || fate == PL_FATE_LEFT;
}

void pl_fabric_log(struct pl_fabric *fabric, uint64_t *hash, uint64_t *events)
{
    pl_fabric_lock(fabric);
    *hash = fabric->hash;
    *events = fabric->events;
    pl_fabric_unlock(fabric);
}

const char *pl_fabric_deadlock(const struct pl_fabric *fabric)
{
    return fabric->report;
}
