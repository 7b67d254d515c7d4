/* Pricing by discrete events. The model is the textbook's: a message of m bytes takes
 * alpha + m beta from when both ends are ready; a rank sends one and receives one at a time;
 * reducing m bytes takes m gamma, one step at a time; copies are free; bytes reached at a peer
 * cost half a beta each, for they are read but not written on the way. Between hosts, the link of a
 * host carries the bytes of one message at a time each way (its latency is no load). What the closed forms
 * of the algorithms say is held against this, so that one model prices everything,
 * also for ranks that nobody has here.
 *
 *   rank 0   |== send ==|                      an event is the earliest moment a step could start;
 *   rank 1   |== recv ==|-- reduce --|== ...   if its rank is busy then, it queues there
 *
 * What can be busy (a rank's sending, receiving and reducing, a host's link out and in) has a queue, a skew
 * heap by the order in which the steps were written; only its first is an event. Rejected: to put each step
 * back until its rank is free, where a thousand messages that wait for one link are looked at a thousand
 * times each: a minute and more where this takes seven seconds.
 *
 * Where all ranks do the same with peers equally far away, they are all equally far at every moment: so one
 * (or one host's) is run, and its messages come from itself. A ring of 100,000 ranks has 10^10 steps, of
 * which this takes 10^5.
 */
#include "cost.h"

#include "errors.h"

#include <stdlib.h>
#include <string.h>

enum { SENDING, RECEIVING, REDUCING, LEAVING, ENTERING, LINES }; /* by rank, the last two by host */

#define NONE SIZE_MAX

/* A step that may start, or the first of a line's queue (line, not NULL). */
struct event {
    double at;
    size_t step, order;
    struct line *line;
};

/* What does one thing at a time. */
struct line {
    double until;      /* busy */
    size_t first;      /* the queue's root, or NONE */
    double woken;      /* there is an event for its queue then, */
    size_t woken_with; /* of this order */
};

/* Of a step in a queue. */
struct place {
    size_t left, right; /* children */
    size_t order;       /* as its author wrote it; of a receive: as its sender did */
};

struct pricing {
    const struct pl_price_params *params;
    struct pl_schedule **schedule; /* [ranks] */
    size_t *base;                  /* [ranks + 1] number of each rank's first step */
    int ranks;                     /* that are run */
    struct line *line;             /* [LINES][ranks] */
    uint32_t *needs;               /* by step */
    double *ready;                 /* by step: when what it waits for is done */
    size_t *partner;               /* by step, of a message */
    struct place *place;           /* by step */
    bool *posted;                  /* by step, of a message: ready, its partner perhaps not */
    int *owner;
    struct event *heap;
    size_t events, room;
    int error;
    double last;
};

static struct line *line_of(const struct pricing *p, int kind, int number)
{
    return &p->line[kind * p->ranks + number];
}

static const struct pl_step *step_of(const struct pricing *p, size_t number)
{
    return &p->schedule[p->owner[number]]->step[number - p->base[p->owner[number]]];
}

/* Earlier; of two at the same moment, the one that its author wrote first. */
static bool before(struct event a, struct event b)
{
    return a.at < b.at || (a.at == b.at && a.order < b.order);
}

static void push_event(struct pricing *p, struct event event)
{
    if (p->events == p->room) {
        struct event *more = realloc(p->heap, (p->room = 2 * p->room + 64) * sizeof *more);
        if (!more) {
            p->error = pl_fail(PL_ENOMEM, "no memory to price %d ranks", p->ranks);
            p->room = p->events;
            return;
        }
        p->heap = more;
    }
    size_t i = p->events++;
    for (; i && before(event, p->heap[(i - 1) / 2]); i = (i - 1) / 2)
        p->heap[i] = p->heap[(i - 1) / 2];
    p->heap[i] = event;
}

static void push(struct pricing *p, double at, size_t step)
{
    push_event(p, (struct event){at, step, p->place[step].order, NULL});
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

static bool precedes(const struct pricing *p, size_t a, size_t b)
{
    return p->place[a].order < p->place[b].order || (p->place[a].order == p->place[b].order && a < b);
}

/* Two queues in one: the children of what is passed change sides, which keeps the tree shallow. */
static size_t merge(struct pricing *p, size_t a, size_t b)
{
    size_t root = NONE, *at = &root;
    while (a != NONE && b != NONE) {
        if (precedes(p, b, a)) {
            size_t other = a;
            a = b;
            b = other;
        }
        size_t right = p->place[a].right;
        *at = a;
        p->place[a].right = p->place[a].left;
        at = &p->place[a].left;
        a = right;
    }
    *at = a != NONE ? a : b;
    return root;
}

/* The first of the line's queue becomes an event for when the line is free, unless there is one. */
static void wake(struct pricing *p, struct line *line, double at)
{
    if (line->first == NONE)
        return;
    size_t order = p->place[line->first].order;
    double when = line->until > at ? line->until : at;
    if (line->woken == when && line->woken_with <= order)
        return;
    line->woken = when;
    line->woken_with = order;
    push_event(p, (struct event){when, line->first, order, line});
}

/* Whether all n lines are free for the step; if not, it queues at the one that is busy the longest. */
static bool all_free(struct pricing *p, struct event event, struct line *const line[], int n)
{
    struct line *last = line[0];
    for (int i = 1; i < n; i++)
        if (line[i]->until > last->until)
            last = line[i];
    if (last->until <= event.at)
        return true;
    p->place[event.step].left = p->place[event.step].right = NONE;
    last->first = merge(p, last->first, event.step);
    wake(p, last, event.at);
    return false;
}

static void occupy(struct pricing *p, struct line *line, double at, double until)
{
    line->until = until;
    wake(p, line, at);
}

static void finish_step(struct pricing *p, struct event event, double start, double end)
{
    const struct pl_step *step = step_of(p, event.step);
    bool message = step->verb == PL_STEP_RECV;
    if (p->params->trace)
        p->params->trace(p->params->context,
                         &(struct pl_priced){(enum pl_verb)step->verb, p->owner[event.step], step->peer,
                                             step->length, start, end});
    if (message)
        done(p, p->partner[event.step], end);
    done(p, event.step, end);
}

static void run_message(struct pricing *p, struct event event)
{
    const struct pl_step *step = step_of(p, event.step);
    const struct pl_network *network = &p->params->network;
    int rank = p->owner[event.step], sender = step->peer % p->ranks, per_host = network->per_host;
    bool between = !per_host || rank / per_host != step->peer / per_host, shared = per_host && between;
    const struct pl_machine *machine = between ? &network->between : &network->within;
    double bytes = (double)step->length;
    struct line *line[4] = {line_of(p, RECEIVING, rank), line_of(p, SENDING, sender)};
    if (shared) {
        line[2] = line_of(p, ENTERING, rank / per_host);
        line[3] = line_of(p, LEAVING, sender / per_host);
    }
    if (!all_free(p, event, line, shared ? 4 : 2))
        return;
    double end = event.at + machine->alpha + bytes * machine->beta;
    for (int i = 0; i < (shared ? 4 : 2); i++)
        occupy(p, line[i], event.at, i < 2 ? end : event.at + bytes * machine->beta);
    finish_step(p, event, event.at, end);
}

static void run_local(struct pricing *p, struct event event)
{
    const struct pl_step *step = step_of(p, event.step);
    const struct pl_network *network = &p->params->network;
    const struct pl_machine *reach = network->per_host ? &network->within : &network->between;
    struct line *line = line_of(p, REDUCING, p->owner[event.step]);
    if (!all_free(p, event, &line, 1))
        return;
    double reached = (step->left.space >= PL_PEER_IN) + (step->right.space >= PL_PEER_IN);
    double each = reached * reach->beta / 2 + (step->verb == PL_STEP_REDUCE) * network->within.gamma;
    occupy(p, line, event.at, event.at + (double)step->length * each);
    finish_step(p, event, event.at, line->until);
}

/* Takes the first of the line's queue, if the line is free for it. */
static bool take_first(struct pricing *p, struct event *event)
{
    struct line *line = event->line;
    if (line->woken == event->at && line->woken_with == event->order)
        line->woken = -1;
    if (line->first == NONE || line->until > event->at) {
        wake(p, line, event->at);
        return false;
    }
    event->step = line->first;
    line->first = merge(p, p->place[event->step].left, p->place[event->step].right);
    return true;
}

static void run_event(struct pricing *p, struct event event)
{
    if (event.line && !take_first(p, &event))
        return;
    if (step_of(p, event.step)->verb == PL_STEP_RECV)
        run_message(p, event);
    else
        run_local(p, event);
    if (event.line)
        wake(p, event.line, event.at);
}

/* A message's end at one rank: sorted by the other rank, then in order. */
struct end {
    int rank, peer;
    size_t step;
};

static int by_peer(const void *a, const void *b)
{
    const struct end *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->peer != y->peer)
        return x->peer < y->peer ? -1 : 1;
    return x->step < y->step ? -1 : x->step > y->step;
}

static size_t list_ends(const struct pricing *p, enum pl_verb verb, struct end *end)
{
    size_t n = 0;
    for (size_t i = 0; i < p->base[p->ranks]; i++)
        if (step_of(p, i)->verb == verb)
            end[n++] = (struct end){p->owner[i], step_of(p, i)->peer, i};
    qsort(end, n, sizeof *end, by_peer);
    return n;
}

/* The first of the receives at `rank` from `peer`, or where it would be. */
static size_t find_end(const struct end *end, size_t n, int rank, int peer)
{
    size_t low = 0, high = n;
    struct end key = {rank, peer, 0};
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (by_peer(&end[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Who sends to rank `peer % ranks` as `rank` sends to `peer`: by rotation, or by exclusive or. */
static int stand_in(const struct pricing *p, int rank, int peer, bool exclusive)
{
    int n = p->params->args.size, here = peer % p->ranks;
    return exclusive ? rank ^ peer ^ here : (int)(((long)rank - peer + here + n) % n);
}

/* The k-th send to a peer meets the k-th receive from it. False: they do not pair up so. */
static bool pair_ends(struct pricing *p, const struct end *send, size_t sends, const struct end *recv,
                      size_t recvs, bool exclusive)
{
    for (size_t i = 0, k = 0; i < sends; i++, k++) {
        if (i && (send[i].rank != send[i - 1].rank || send[i].peer != send[i - 1].peer))
            k = 0;
        int here = send[i].peer % p->ranks, from = stand_in(p, send[i].rank, send[i].peer, exclusive);
        size_t at = find_end(recv, recvs, here, from) + k;
        if (at >= recvs || recv[at].rank != here || recv[at].peer != from ||
            step_of(p, recv[at].step)->length != step_of(p, send[i].step)->length)
            return false;
        p->partner[p->partner[send[i].step] = recv[at].step] = send[i].step;
        p->place[recv[at].step].order = p->place[send[i].step].order;
    }
    return sends == recvs;
}

static int pair_up(struct pricing *p)
{
    size_t steps = p->base[p->ranks] + 1;
    struct end *send = malloc(steps * sizeof *send), *recv = malloc(steps * sizeof *recv);
    int error = send && recv ? 0 : pl_fail(PL_ENOMEM, "no memory to price %d ranks", p->ranks);
    if (!error) {
        size_t sends = list_ends(p, PL_STEP_SEND, send), recvs = list_ends(p, PL_STEP_RECV, recv);
        if (!pair_ends(p, send, sends, recv, recvs, false) && !pair_ends(p, send, sends, recv, recvs, true))
            error = pl_fail(PL_EINTERNAL, "%s: the messages of %d of %d ranks do not pair up",
                            p->params->algorithm->name, p->ranks, p->params->args.size);
    }
    free(send);
    free(recv);
    return error;
}

static int allocate(struct pricing *p)
{
    size_t steps = p->base[p->ranks] + 1, ranks = (size_t)p->ranks;
    p->line = calloc(LINES * ranks, sizeof *p->line);
    p->ready = calloc(steps, sizeof(double));
    p->needs = malloc(steps * sizeof *p->needs);
    p->partner = malloc(steps * sizeof *p->partner);
    p->place = malloc(steps * sizeof *p->place);
    p->posted = calloc(steps, sizeof *p->posted);
    p->owner = malloc(steps * sizeof *p->owner);
    if (!p->line || !p->ready || !p->needs || !p->partner || !p->place || !p->posted || !p->owner)
        return pl_fail(PL_ENOMEM, "no memory to price %d ranks", p->ranks);
    for (size_t i = 0; i < LINES * ranks; i++)
        p->line[i] = (struct line){.first = NONE, .woken = -1};
    for (int r = 0; r < p->ranks; r++)
        for (size_t i = p->base[r]; i < p->base[r + 1]; i++) {
            p->owner[i] = r;
            p->needs[i] = p->schedule[r]->needs[i - p->base[r]];
            p->place[i].order = i - p->base[r];
        }
    return 0;
}

static int write_schedule(const struct pl_price_params *params, int rank, struct pl_schedule **schedule)
{
    struct pl_coll_args mine = params->args;
    mine.rank = rank;
    return pl_algorithm_schedule(params->algorithm, &mine, 0, schedule);
}

static int prepare(struct pricing *p)
{
    const struct pl_price_params *params = p->params;
    p->ranks = params->replicas ? params->replicas : params->args.size;
    p->schedule = calloc((size_t)p->ranks, sizeof(struct pl_schedule *));
    p->base = calloc((size_t)p->ranks + 1, sizeof *p->base);
    if (!p->schedule || !p->base)
        return pl_fail(PL_ENOMEM, "no memory to price %d ranks", p->ranks);
    for (int r = 0; r < p->ranks; r++) {
        int error = write_schedule(params, r, &p->schedule[r]);
        if (error)
            return error;
        p->base[r + 1] = p->base[r] + p->schedule[r]->steps;
        if (params->most_steps && p->base[r + 1] > params->most_steps)
            return pl_fail(PL_EUNSUPPORTED, "%s on %d ranks has more than %zu steps", params->algorithm->name,
                           params->args.size, params->most_steps);
    }
    return allocate(p);
}

static void release(struct pricing *p)
{
    for (int r = 0; p->schedule && r < p->ranks; r++)
        pl_schedule_release(p->schedule[r]);
    free(p->schedule);
    free(p->base);
    free(p->line);
    free(p->ready);
    free(p->needs);
    free(p->partner);
    free(p->place);
    free(p->posted);
    free(p->owner);
    free(p->heap);
}

int pl_price_network(const struct pl_price_params *params, double *nanoseconds)
{
    struct pricing p = {.params = params};
    int error = prepare(&p);
    if (!error)
        error = pair_up(&p);
    if (!error) {
        for (size_t i = 0; i < p.base[p.ranks]; i++)
            if (!p.needs[i])
                post(&p, i);
        while (p.events && !p.error)
            run_event(&p, pop(&p));
        error = p.error;
    }
    if (!error)
        *nanoseconds = p.last;
    release(&p);
    return error;
}

int pl_price(const struct pl_algorithm *algorithm, const struct pl_coll_args *args,
             const struct pl_machine *machine, double *nanoseconds)
{
    struct pl_price_params params = {
        .algorithm = algorithm, .args = *args, .network = {*machine, *machine, 0}};
    return pl_price_network(&params, nanoseconds);
}

static bool same_steps(const struct pl_schedule *a, int rank_a, const struct pl_schedule *b, int rank_b,
                       bool exclusive)
{
    if (a->steps != b->steps || a->edges != b->edges)
        return false;
    int n = a->size;
    for (uint32_t i = 0; i < a->steps; i++) {
        const struct pl_step *s = &a->step[i], *t = &b->step[i];
        if (s->verb != t->verb || s->length != t->length || a->needs[i] != b->needs[i])
            return false;
        int d = (s->peer - rank_a + n) % n, e = (t->peer - rank_b + n) % n;
        if (s->verb <= PL_STEP_RECV && (exclusive ? (s->peer ^ rank_a) != (t->peer ^ rank_b) : d != e))
            return false;
    }
    return !memcmp(a->first, b->first, (a->steps + 1) * sizeof *a->first) &&
           !memcmp(a->successor, b->successor, a->edges * sizeof *a->successor);
}

int pl_price_alike(const struct pl_algorithm *algorithm, const struct pl_coll_args *args, int replicas)
{
    struct pl_price_params params = {.algorithm = algorithm, .args = *args};
    int n = args->size, groups = n / replicas, rotated = 1, exclusive = 1, error = 0;
    const int sample[] = {1, 2, groups / 2, groups - 1};
    if (n % replicas)
        return 0;
    for (int r = 0; r < replicas && (rotated || exclusive) && !error; r++) {
        struct pl_schedule *first = NULL;
        error = write_schedule(&params, r, &first);
        for (size_t i = 0; i < sizeof sample / sizeof *sample && !error && (rotated || exclusive); i++) {
            struct pl_schedule *other = NULL;
            int rank = r + sample[i] % groups * replicas;
            error = write_schedule(&params, rank, &other);
            if (!error) {
                rotated = rotated && same_steps(first, r, other, rank, false);
                exclusive = exclusive && same_steps(first, r, other, rank, true);
            }
            pl_schedule_release(other);
        }
        pl_schedule_release(first);
    }
    return error ? error : rotated || exclusive;
}
