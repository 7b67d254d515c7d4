/* Pricing by discrete events. The model is the textbook's: a message of m bytes takes
 * alpha + m beta from when both ends are ready; a rank sends one and receives one at a time;
 * reducing m bytes takes m gamma, one step at a time; copies are free; bytes reached at a peer
 * cost half a beta each, for they are read but not written on the way. What the closed forms
 * of the algorithms say is held against this, so that one model prices everything,
 * also for ranks that nobody has here.
 *
 *   rank 0   |== send ==|                      an event is the earliest moment a step could start;
 *   rank 1   |== recv ==|-- reduce --|== ...   if its rank is busy then, it is put back for later
 */
#include "cost.h"

#include "errors.h"

#include <stdlib.h>

struct event {
    double at;
    size_t step, order;
};

struct pricing {
    const struct pl_machine *machine;
    struct pl_schedule **schedule; /* [ranks] */
    size_t *base;                  /* [ranks + 1] number of each rank's first step */
    int ranks;
    double *sending, *receiving, *reducing; /* [ranks] until when */
    uint32_t *needs;                        /* by step */
    double *ready;                          /* by step: when what it waits for is done */
    size_t *partner;                        /* by step, of a message */
    bool *posted;                           /* by step, of a message: ready, its partner perhaps not */
    int *owner;
    struct event *heap;
    size_t events;
    double last;
};

static const struct pl_step *step_of(const struct pricing *p, size_t number)
{
    return &p->schedule[p->owner[number]]->step[number - p->base[p->owner[number]]];
}

/* Earlier; of two at the same moment, the one that its author wrote first. */
static bool before(struct event a, struct event b)
{
    return a.at < b.at || (a.at == b.at && a.order < b.order);
}

static void push(struct pricing *p, double at, size_t step)
{
    struct event event = {at, step, step - p->base[p->owner[step]]};
    if (step_of(p, step)->verb == PL_STEP_RECV) { /* as its sender wrote it: who receives takes what comes */
        size_t send = p->partner[step];
        event.order = send - p->base[p->owner[send]];
    }
    size_t i = p->events++;
    for (; i && before(event, p->heap[(i - 1) / 2]); i = (i - 1) / 2)
        p->heap[i] = p->heap[(i - 1) / 2];
    p->heap[i] = event;
}

static struct event pop(struct pricing *p)
{
    struct event first = p->heap[0], moved = p->heap[--p->events];
    size_t i = 0;
    for (size_t child = 1; child < p->events; child = 2 * i + 1) {
        if (child + 1 < p->events && before(p->heap[child + 1], p->heap[child]))
            child++;
        if (!before(p->heap[child], moved))
            break;
        p->heap[i] = p->heap[child];
        i = child;
    }
    p->heap[i] = moved;
    return first;
}

/* A step has nothing to wait for any more; a message becomes an event with its second end. */
static void post(struct pricing *p, size_t number)
{
    if (step_of(p, number)->verb > PL_STEP_RECV) {
        push(p, p->ready[number], number);
        return;
    }
    size_t partner = p->partner[number];
    p->posted[number] = true;
    if (p->posted[partner])
        push(p, p->ready[number] > p->ready[partner] ? p->ready[number] : p->ready[partner],
             step_of(p, number)->verb == PL_STEP_RECV ? number : partner);
}

static void done(struct pricing *p, size_t number, double at)
{
    int rank = p->owner[number];
    const struct pl_schedule *schedule = p->schedule[rank];
    size_t i = number - p->base[rank];
    if (at > p->last)
        p->last = at;
    for (uint32_t e = schedule->first[i]; e < schedule->first[i + 1]; e++) {
        size_t next = p->base[rank] + schedule->successor[e];
        if (at > p->ready[next])
            p->ready[next] = at;
        if (--p->needs[next] == 0)
            post(p, next);
    }
}

static void run_event(struct pricing *p, struct event event)
{
    const struct pl_step *step = step_of(p, event.step);
    int rank = p->owner[event.step];
    double bytes = (double)step->length, start = event.at, end;
    bool message = step->verb == PL_STEP_RECV;
    double *busy[2] = {message ? &p->receiving[rank] : &p->reducing[rank],
                       message ? &p->sending[step->peer] : &p->reducing[rank]};
    for (int i = 0; i < 2; i++)
        if (*busy[i] > start)
            start = *busy[i];
    if (start > event.at) {
        push(p, start, event.step);
        return;
    }
    double reached = (step->left.space >= PL_PEER_IN) + (step->right.space >= PL_PEER_IN);
    if (message)
        end = start + p->machine->alpha + bytes * p->machine->beta;
    else
        end = start +
              bytes * (reached * p->machine->beta / 2 + (step->verb == PL_STEP_REDUCE) * p->machine->gamma);
    *busy[0] = *busy[1] = end;
    if (message)
        done(p, p->partner[event.step], end);
    done(p, event.step, end);
}

/* The verifier has shown that messages pair up; here the k-th simply finds the k-th. */
static void pair_up(struct pricing *p)
{
    for (int r = 0; r < p->ranks; r++)
        for (size_t i = p->base[r]; i < p->base[r + 1]; i++) {
            const struct pl_step *send = step_of(p, i);
            if (send->verb != PL_STEP_SEND)
                continue;
            for (size_t j = p->base[send->peer]; j < p->base[send->peer + 1]; j++) {
                const struct pl_step *recv = step_of(p, j);
                if (recv->verb == PL_STEP_RECV && recv->peer == r && recv->ordinal == send->ordinal) {
                    p->partner[p->partner[i] = j] = i;
                    break;
                }
            }
        }
}

static int allocate(struct pricing *p)
{
    size_t steps = p->base[p->ranks] + 1, ranks = (size_t)p->ranks;
    p->sending = calloc(3 * ranks, sizeof(double));
    p->ready = calloc(steps, sizeof(double));
    p->needs = malloc(steps * sizeof *p->needs);
    p->partner = malloc(steps * sizeof *p->partner);
    p->posted = calloc(steps, sizeof *p->posted);
    p->owner = malloc(steps * sizeof *p->owner);
    p->heap = malloc(steps * sizeof *p->heap);
    if (!p->sending || !p->ready || !p->needs || !p->partner || !p->posted || !p->owner || !p->heap)
        return pl_fail(PL_ENOMEM, "no memory to price %d ranks", p->ranks);
    p->receiving = p->sending + ranks;
    p->reducing = p->receiving + ranks;
    for (int r = 0; r < p->ranks; r++)
        for (size_t i = p->base[r]; i < p->base[r + 1]; i++) {
            p->owner[i] = r;
            p->needs[i] = p->schedule[r]->needs[i - p->base[r]];
        }
    return 0;
}

static int prepare(struct pricing *p, const struct pl_algorithm *algorithm, const struct pl_coll_args *args)
{
    p->schedule = calloc((size_t)args->size, sizeof(struct pl_schedule *));
    p->base = calloc((size_t)args->size + 1, sizeof *p->base);
    if (!p->schedule || !p->base)
        return pl_fail(PL_ENOMEM, "no memory to price %d ranks", args->size);
    for (int r = 0; r < args->size; r++) {
        struct pl_coll_args mine = *args;
        mine.rank = r;
        int error = pl_algorithm_schedule(algorithm, &mine, 0, &p->schedule[r]);
        if (error)
            return error;
        p->base[r + 1] = p->base[r] + p->schedule[r]->steps;
    }
    p->ranks = args->size;
    return allocate(p);
}

int pl_price(const struct pl_algorithm *algorithm, const struct pl_coll_args *args,
             const struct pl_machine *machine, double *nanoseconds)
{
    struct pricing p = {.machine = machine};
    int error = prepare(&p, algorithm, args);
    if (!error) {
        pair_up(&p);
        for (size_t i = 0; i < p.base[p.ranks]; i++)
            if (!p.needs[i])
                post(&p, i);
        while (p.events)
            run_event(&p, pop(&p));
        *nanoseconds = p.last;
    }
    for (int r = 0; p.schedule && r < args->size; r++)
        pl_schedule_release(p.schedule[r]);
    free(p.schedule);
    free(p.base);
    free(p.sending);
    free(p.ready);
    free(p.needs);
    free(p.partner);
    free(p.posted);
    free(p.owner);
    free(p.heap);
    return error;
}
