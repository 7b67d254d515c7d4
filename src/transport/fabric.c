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
 * yields, or leaves; the next is drawn among those that could go on. A turn
 * takes a microsecond of virtual time; when nobody has anything to do (all sleep, or
 * those who run do nothing but yield), time jumps to the nearest timeout or timer;
 * when all sleep and there is none, it is a deadlock. Where all only poll and nothing
 * is due, time jumps by ever longer steps, for who polls may be looking at the clock. The draws come from
 * splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014), whose whole
 * state is one word.
 *
 * Rejected: a scheduler thread that hands out turns (two switches a turn instead
 * of one, and one more thread to end), and coroutines instead of threads (thread-
 * locals, sanitizers and debuggers would no longer work in the code under test).
 */
#include "fabric.h"

#include "clock.h"
#include "errors.h"
#include "simulation.h"
#include "waits.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Turns a rank, on average, in which nothing happened: they only poll, and time passes. */
enum { IDLE_TURNS = 8 };

/* What a turn takes, and the longest jump of time while ranks only poll, nanoseconds. */
enum { TURN_NS = 1000 };
#define IDLE_STEP_MAX INT64_C(3600000000000)

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

static const char *const event_names[] = {"opens",     "closes", "runs",       "sends", "receives",
                                          "completes", "dies",   "loses",      "wakes", "deadlock",
                                          "fault",     "due",    "out-of-time"};

void pl_fabric_note(struct pl_fabric *fabric, enum pl_event event, int rank, int peer, size_t length)
{
    const uint64_t words[] = {(uint64_t)event, (uint64_t)rank, (uint64_t)peer, length};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        fabric->hash = mix((fabric->hash ^ words[i]) + 0x9e3779b97f4a7c15u);
    fabric->events++;
    if (event != PL_EVENT_TURN && event != PL_EVENT_TIMEOUT)
        fabric->idle_step = TURN_NS;
    if (event != PL_EVENT_TURN)
        fabric->idle_turns = 0;
    if (fabric->log)
        fprintf(fabric->log, "%lld.%09lld rank %d %s %d %zu\n", (long long)(fabric->now / 1000000000),
                (long long)(fabric->now % 1000000000), rank, event_names[event], peer, length);
}

bool pl_seat_ready(const struct pl_seat *seat)
{
    return !pl_list_empty(&seat->inbox) || !pl_list_empty(&seat->completed) ||
           !pl_list_empty(&seat->losses) || seat->deaths_seen < seat->fabric->ndeaths ||
           seat->fate == PL_FATE_DEAD;
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

/* Who keeps whom waiting: a cycle, or one who is not there any more. */
static void judge(const struct pl_fabric *fabric, const int *waits, char *text, size_t size)
{
    char cycle[200];
    text[0] = 0;
    if (pl_waits_cycle(waits, fabric->size, cycle, sizeof cycle)) {
        snprintf(text, size, "\na cycle, nobody in it will go on: rank %s", cycle);
        return;
    }
    for (int r = 0; r < fabric->size; r++) {
        int end = pl_waits_end(waits, fabric->size, r);
        if (!fabric->seats[r].open || fabric->seats[end].open)
            continue;
        snprintf(text, size, "\nrank %d waits for rank %d, which %s", r, end,
                 fabric->seats[end].fate == PL_FATE_DEAD ? "is dead" : "has ended");
        return;
    }
}

/* One line a rank, and a last one, into the report. */
static void describe_all(struct pl_fabric *fabric, const char *heading)
{
    size_t used = 0, room = sizeof fabric->report;
    int *waits = malloc((size_t)fabric->size * sizeof *waits);
    char verdict[300] = "";
    used += (size_t)snprintf(fabric->report, room, "%s", heading);
    for (int r = 0; r < fabric->size && used < room; r++) {
        struct pl_seat *seat = &fabric->seats[r];
        char line[400];
        snprintf(line, sizeof line, "rank %d %s", r,
                 seat->open                   ? "waits"
                 : seat->fate == PL_FATE_DEAD ? "died"
                                              : "has ended");
        if (seat->open && seat->upcalls->describe)
            seat->upcalls->describe(seat->context, line, sizeof line);
        if (waits)
            waits[r] = seat->open && seat->upcalls->awaits ? seat->upcalls->awaits(seat->context) : -1;
        used += (size_t)snprintf(fabric->report + used, room - used, "\n%s", line);
    }
    if (waits)
        judge(fabric, waits, verdict, sizeof verdict);
    free(waits);
    if (used + strlen(verdict) < room)
        memcpy(fabric->report + used, verdict, strlen(verdict) + 1);
    else
        snprintf(fabric->report + room - sizeof verdict - 4, sizeof verdict + 4, "...%s", verdict);
}

static void declare_deadlock(struct pl_fabric *fabric)
{
    describe_all(fabric, "deadlock: every rank waits and nothing is on its way");
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

void pl_fabric_at(struct pl_fabric *fabric, struct pl_timer *timer, int64_t due,
                  void (*fire)(struct pl_fabric *fabric, struct pl_timer *timer, bool over))
{
    timer->due = due;
    timer->fire = fire;
    struct pl_list *after = fabric->timers.prev;
    while (after != &fabric->timers && pl_container(after, struct pl_timer, link)->due > due)
        after = after->prev;
    pl_list_append(after->next, &timer->link);
}

/* The world is as old as it may get: every rank in it ends. */
static void end_time(struct pl_fabric *fabric)
{
    char heading[128];
    snprintf(heading, sizeof heading, "out of time: %g virtual seconds are over and the ranks are still busy",
             (double)fabric->limit * 1e-9);
    describe_all(fabric, heading);
    fabric->overdue = true;
    pl_fabric_note(fabric, PL_EVENT_OVER, 0, 0, 0);
    for (int r = 0; r < fabric->size; r++)
        pl_seat_kill(&fabric->seats[r], "the virtual time of its world is over", 0, false);
}

static void set_time(struct pl_fabric *fabric, int64_t now)
{
    fabric->now = now;
    for (int r = 0; r < fabric->size; r++) {
        struct pl_seat *seat = &fabric->seats[r];
        if (!seat->open || seat->deadline < 0 || seat->deadline > now || seat->timed_out)
            continue;
        seat->timed_out = true;
        pl_fabric_note(fabric, PL_EVENT_TIMEOUT, r, 0, 0);
    }
    struct pl_list *first;
    while ((first = pl_list_first(&fabric->timers))) {
        struct pl_timer *timer = pl_container(first, struct pl_timer, link);
        if (timer->due > now)
            break;
        pl_list_remove(first);
        timer->fire(fabric, timer, false);
    }
    if (fabric->limit && now > fabric->limit && !fabric->overdue)
        end_time(fabric);
}

/* Nothing happens: lets time pass until something does. `polling`: some ranks look again and again. */
static bool pass_time(struct pl_fabric *fabric, bool polling)
{
    struct pl_list *first = pl_list_first(&fabric->timers);
    int64_t next = first ? pl_container(first, struct pl_timer, link)->due : INT64_MAX;
    for (int r = 0; r < fabric->size; r++) {
        const struct pl_seat *seat = &fabric->seats[r];
        if (seat->open && seat->deadline >= 0 && !seat->timed_out && seat->deadline < next)
            next = seat->deadline;
    }
    if (polling) {
        int64_t step = fabric->now + fabric->idle_step;
        next = step < next ? step : next;
        fabric->idle_step = fabric->idle_step < IDLE_STEP_MAX / 2 ? fabric->idle_step * 2 : IDLE_STEP_MAX;
        fabric->idle_turns = 0;
    }
    if (next == INT64_MAX)
        return false;
    set_time(fabric, next > fabric->now ? next : fabric->now);
    return true;
}

static void pass_baton(struct pl_fabric *fabric)
{
    fabric->running = -1;
    if (!fabric->open)
        return;
    set_time(fabric, fabric->now + TURN_NS);
    if (++fabric->idle_turns > IDLE_TURNS * fabric->open)
        pass_time(fabric, true);
    int next;
    while ((next = draw_runnable(fabric)) < 0)
        if (!pass_time(fabric, false))
            declare_deadlock(fabric);
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
    pl_list_init(&seat->losses);
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
    fabric->idle_step = TURN_NS;
    pl_list_init(&fabric->timers);
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
    pl_list_each(node, &fabric->timers)
    {
        struct pl_timer *timer = pl_container(node, struct pl_timer, link);
        pl_list_remove(node);
        timer->fire(fabric, timer, true);
    }
    pl_simulation_destroy(fabric);
    pthread_cond_destroy(&fabric->settled);
    pthread_mutex_destroy(&fabric->lock);
    free(fabric->deaths);
    free(fabric->seats);
    free(fabric);
}

void pl_seat_kill(struct pl_seat *seat, const char *cause, int64_t within_ns, bool planned)
{
    struct pl_fabric *fabric = seat->fabric;
    if (seat->fate == PL_FATE_DEAD)
        return;
    fabric->absent -= seat->fate == PL_FATE_ABSENT;
    seat->fate = PL_FATE_DEAD;
    seat->planned = planned;
    snprintf(seat->cause, sizeof seat->cause, "%s", cause);
    pl_fabric_note(fabric, PL_EVENT_KILL, seat->rank, 0, 0);
    pl_seat_drop_inbox(seat);
    if (fabric->simulation)
        pl_simulation_mourn(fabric, seat->rank, cause, within_ns);
    else
        fabric->deaths[fabric->ndeaths++] = seat->rank;
    for (int r = 0; r < fabric->size; r++)
        if (fabric->seats[r].open)
            pl_seat_wake(&fabric->seats[r]);
}

void pl_fabric_kill(struct pl_fabric *fabric, int rank, const char *cause)
{
    pl_fabric_lock(fabric);
    pl_seat_kill(&fabric->seats[rank], cause, 0, false);
    if (fabric->deterministic && !fabric->absent && fabric->running < 0)
        pass_baton(fabric);
    pl_fabric_unlock(fabric);
}

bool pl_fabric_gone(struct pl_fabric *fabric, int rank)
{
    pl_fabric_lock(fabric);
    enum pl_fate fate = fabric->seats[rank].fate;
    pl_fabric_unlock(fabric);
    return fate == PL_FATE_DEAD || fate == PL_FATE_LEFT;
}

bool pl_fabric_left(struct pl_fabric *fabric, int rank)
{
    pl_fabric_lock(fabric);
    enum pl_fate fate = fabric->seats[rank].fate;
    pl_fabric_unlock(fabric);
    return fate == PL_FATE_LEFT;
}

int64_t pl_fabric_now(struct pl_fabric *fabric)
{
    if (!fabric->deterministic)
        return pl_now();
    pl_fabric_lock(fabric);
    int64_t now = fabric->now;
    pl_fabric_unlock(fabric);
    return now;
}

uint64_t pl_fabric_random(struct pl_fabric *fabric, uint64_t bound)
{
    pl_fabric_lock(fabric);
    uint64_t number = pl_fabric_draw(fabric, bound);
    pl_fabric_unlock(fabric);
    return number;
}

enum pl_end pl_fabric_ended(struct pl_fabric *fabric, int rank)
{
    pl_fabric_lock(fabric);
    const struct pl_seat *seat = &fabric->seats[rank];
    enum pl_end end = seat->planned ? PL_END_KILLED : fabric->overdue ? PL_END_TIME : PL_END_NONE;
    pl_fabric_unlock(fabric);
    return end;
}

int pl_fabric_killed(struct pl_fabric *fabric)
{
    int killed = 0;
    pl_fabric_lock(fabric);
    for (int r = 0; r < fabric->size; r++)
        killed += fabric->seats[r].planned;
    pl_fabric_unlock(fabric);
    return killed;
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
