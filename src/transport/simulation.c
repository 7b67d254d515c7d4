/* Deterministic simulation: what goes wrong in an in-process world, and when.
 *
 * The plan says it by steps or by virtual time; whatever it leaves open (which
 * rank, which bit, how late) is drawn from the world's seed. So a seed and a plan
 * are a whole history, and a failure that was found once can be looked at again.
 *
 *      rank 0  --f1--f2--f3-->  rank 1        cut at 0's second frame to 1:
 *                    x                        f1 arrives; f2, f3 and whatever 1 sends vanish;
 *               <---x-----                    each end is told within `duration`
 *
 * A link loses frames only for good. The transports below real worlds do not lose
 * or reorder frames of one pair either (TCP repairs, queue pairs repair), so that
 * would test what cannot be; between pairs there is no order, and the draws of the
 * scheduler and of delays try many. One way of a link is never cut alone, for
 * neither end of a connection can go on when its acknowledgements are lost; what
 * is different at the two ends is when they notice (half-open).
 *
 * A killed rank ends at its next step in MPI; from the kill on nothing that it
 * does can be seen by others. Of what it had sent, some of the latest is lost.
 *
 * Rejected: faults by probability a frame (a plan of few faults is easier to
 * understand when it fails, and to make smaller), and hooks in each transport
 * (real networks are tested with real cables: namespaces and kill -9).
 */
#include "simulation.h"

#include "errors.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t draw_time(struct pl_fabric *fabric, int64_t most)
{
    return most > 0 ? (int64_t)pl_fabric_draw(fabric, (uint64_t)most + 1) : 0;
}

static void loss_noticed(struct pl_fabric *fabric, struct pl_timer *timer, bool over)
{
    struct pl_loss *loss = pl_container(timer, struct pl_loss, timer);
    struct pl_seat *seat = &fabric->seats[loss->rank];
    if (over) {
        free(loss);
        return;
    }
    pl_list_append(&seat->losses, &loss->link);
    pl_seat_wake(seat);
}

/* The rank is going to notice that it lost the peer. */
static void lose(struct pl_fabric *fabric, int rank, int peer, const char *cause, int64_t after_ns)
{
    struct pl_way *way = pl_simulation_way(fabric, rank, peer);
    struct pl_loss *loss = way->losing ? NULL : calloc(1, sizeof *loss);
    if (!loss)
        return;
    way->losing = true;
    loss->rank = rank;
    loss->peer = peer;
    snprintf(loss->cause, sizeof loss->cause, "%s", cause);
    pl_fabric_at(fabric, &loss->timer, fabric->now + after_ns, loss_noticed);
}

void pl_simulation_mourn(struct pl_fabric *fabric, int rank, const char *cause, int64_t within_ns)
{
    pl_loop_lose_some(fabric, rank);
    for (int r = 0; r < fabric->size; r++)
        if (r != rank)
            lose(fabric, r, rank, cause, draw_time(fabric, within_ns));
}

static void cut(struct pl_fabric *fabric, const struct pl_fault *fault)
{
    int ends[2] = {fault->rank, fault->peer};
    for (int i = 0; i < 2; i++) {
        int here = ends[i], there = ends[1 - i];
        pl_simulation_way(fabric, here, there)->cut = true;
        pl_loop_lose_way(fabric, here, there);
        bool at_once = fault->kind == PL_FAULT_HALF_OPEN && i == 0;
        char cause[160];
        snprintf(cause, sizeof cause, "the link between ranks %d and %d was cut (simulated)", fault->rank,
                 fault->peer);
        lose(fabric, here, there, cause, at_once ? 0 : draw_time(fabric, fault->duration));
    }
}

static void begin(struct pl_fabric *fabric, struct pl_planned *planned)
{
    const struct pl_fault *fault = &planned->fault;
    char cause[160];
    planned->begun = true;
    pl_fabric_note(fabric, PL_EVENT_FAULT, fault->rank, fault->peer, (size_t)fault->kind);
    if (fault->kind == PL_FAULT_KILL) {
        snprintf(cause, sizeof cause, "killed at its step %llu (simulated)",
                 (unsigned long long)fabric->simulation->steps[fault->rank]);
        pl_seat_kill(&fabric->seats[fault->rank], cause, fault->duration, true);
    } else {
        cut(fabric, fault);
    }
}

static void begin_at_time(struct pl_fabric *fabric, struct pl_timer *timer, bool over)
{
    struct pl_planned *planned = pl_container(timer, struct pl_planned, timer);
    if (!over && !planned->begun)
        begin(fabric, planned);
}

bool pl_simulation_step(struct pl_fabric *fabric, int rank)
{
    struct pl_simulation *simulation = fabric->simulation;
    simulation->steps[rank]++;
    for (int i = 0; i < simulation->count; i++) {
        struct pl_planned *planned = &simulation->faults[i];
        const struct pl_fault *fault = &planned->fault;
        if (fault->kind == PL_FAULT_KILL && !planned->begun && fault->rank == rank && fault->step &&
            simulation->steps[rank] >= fault->step && fabric->now >= fault->at)
            begin(fabric, planned);
    }
    return fabric->seats[rank].fate != PL_FATE_DEAD;
}

/* Whether the fault is one of the way from `from` to `to`. */
static bool is_of(const struct pl_fault *fault, int from, int to)
{
    bool there = (fault->rank < 0 || fault->rank == from) && (fault->peer < 0 || fault->peer == to);
    bool back = fault->rank == to && fault->peer == from;
    return there || (back && (fault->kind == PL_FAULT_CUT || fault->kind == PL_FAULT_HALF_OPEN));
}

struct pl_passage pl_simulation_pass(struct pl_fabric *fabric, int from, int to, uint64_t bits)
{
    struct pl_simulation *simulation = fabric->simulation;
    struct pl_way *way = pl_simulation_way(fabric, from, to);
    struct pl_passage passage = {.due = fabric->now};
    way->frames++;
    for (int i = 0; i < simulation->count; i++) {
        struct pl_planned *planned = &simulation->faults[i];
        const struct pl_fault *fault = &planned->fault;
        if (!is_of(fault, from, to) || way->frames < fault->step || fabric->now < fault->at)
            continue;
        if (fault->kind == PL_FAULT_DELAY)
            passage.due += draw_time(fabric, fault->duration);
        if (planned->begun || (fault->kind != PL_FAULT_FLIP && !fault->step))
            continue;
        if (fault->kind == PL_FAULT_CUT || fault->kind == PL_FAULT_HALF_OPEN)
            begin(fabric, planned);
        if (fault->kind == PL_FAULT_FLIP) {
            planned->begun = true;
            passage.flip = 1 + pl_fabric_draw(fabric, bits);
            pl_fabric_note(fabric, PL_EVENT_FAULT, from, to, PL_FAULT_FLIP);
        }
    }
    if (passage.due < way->last_due)
        passage.due = way->last_due;
    way->last_due = passage.due;
    passage.gone = way->cut;
    return passage;
}

void pl_simulation_flip(void *memory, size_t length, uint64_t flip)
{
    uint64_t bit = flip - 1;
    if (bit / 8 < length)
        ((unsigned char *)memory)[bit / 8] ^= (unsigned char)(1u << bit % 8);
}

/* Draws what the plan leaves open, and sets the clock for what comes at a time. */
static void settle_fault(struct pl_fabric *fabric, struct pl_planned *planned)
{
    struct pl_fault *fault = &planned->fault;
    if (fault->kind == PL_FAULT_DELAY)
        return;
    uint64_t size = (uint64_t)fabric->size;
    if (fault->rank < 0)
        fault->rank = (int)pl_fabric_draw(fabric, size);
    if (fault->peer < 0 || fault->peer == fault->rank)
        fault->peer =
            size > 1 ? (int)(((uint64_t)fault->rank + 1 + pl_fabric_draw(fabric, size - 1)) % size) : 0;
    if (fault->kind == PL_FAULT_KILL)
        fault->peer = -1;
    if (!fault->step && fault->kind != PL_FAULT_FLIP)
        pl_fabric_at(fabric, &planned->timer, fault->at, begin_at_time);
}

static int check(const struct pl_fault *fault, int size)
{
    if (fault->kind < PL_FAULT_DELAY || fault->kind > PL_FAULT_FLIP)
        return pl_fail(PL_EARG, "there is no fault of kind %d", (int)fault->kind);
    if (fault->rank >= size || fault->peer >= size)
        return pl_fail(PL_EARG, "a fault between ranks %d and %d in a world of %d", fault->rank, fault->peer,
                       size);
    if (fault->at < 0 || fault->duration < 0)
        return pl_fail(PL_EARG, "a fault in the past, or of negative duration");
    return 0;
}

int pl_fabric_simulate(struct pl_fabric *fabric, const struct pl_plan *plan)
{
    assert(fabric->deterministic && !fabric->open);
    fabric->log = plan->log;
    fabric->limit = plan->time_limit;
    for (int i = 0; i < plan->count; i++) {
        int error = check(&plan->faults[i], fabric->size);
        if (error)
            return error;
    }
    if (!plan->count)
        return 0;
    size_t size = (size_t)fabric->size;
    struct pl_simulation *simulation = fabric->simulation = calloc(1, sizeof *simulation);
    if (!simulation)
        goto no_memory;
    pl_list_init(&simulation->told);
    simulation->faults = calloc((size_t)plan->count, sizeof *simulation->faults);
    simulation->ways = calloc(size * size, sizeof *simulation->ways);
    simulation->steps = calloc(size, sizeof *simulation->steps);
    if (!simulation->faults || !simulation->ways || !simulation->steps)
        goto no_memory;
    simulation->apart = pl_fabric_draw(fabric, 2);
    simulation->count = plan->count;
    for (int i = 0; i < plan->count; i++) {
        simulation->faults[i].fault = plan->faults[i];
        settle_fault(fabric, &simulation->faults[i]);
    }
    return 0;

no_memory:
    return pl_fail(PL_ENOMEM, "no memory for a plan of %d faults", plan->count);
}

void pl_simulation_destroy(struct pl_fabric *fabric)
{
    struct pl_simulation *simulation = fabric->simulation;
    if (!simulation)
        return;
    for (int r = 0; r < fabric->size; r++)
        pl_list_each(node, &fabric->seats[r].losses) free(pl_container(node, struct pl_loss, link));
    if (simulation->told.next)
        pl_list_each(node, &simulation->told) free(pl_container(node, struct pl_loss, link));
    free(simulation->faults);
    free(simulation->ways);
    free(simulation->steps);
    free(simulation);
}
