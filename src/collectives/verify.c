/* The verifier. n ranks are simulated in one thread. A buffer is an array of cells, one an
 * element, and a cell holds a symbol: which operands were combined, in which order, in which
 * bracketing (symbol.c). Steps start and complete in an order drawn from a seed:
 *
 *   - a step may start when all it waits for are complete; not at once, but when it is drawn;
 *   - a send completes together with its receive, when both have started: rendezvous, the
 *     transport that waits most, so that a schedule which deadlocks anywhere does here;
 *   - a receive blanks its bytes when it starts and fills them when it completes, and a send's
 *     bytes are read when it completes: who is too early or too late meets a wrong symbol;
 *   - while a step is under way its bytes are marked as read or written. A mark in the way is a
 *     missing edge, even when the result would have come out right.
 *
 * Rejected: comparing all pairs of steps for a path between them, which proves the absence of
 * races inside one rank without any order, but says nothing about peers' buffers and is cubic.
 */
#include "verify.h"

#include "errors.h"
#include "symbol.h"

#include <stdlib.h>
#include <string.h>

struct buffer {
    struct pl_symbol *cell;
    int16_t *mark; /* readers under way; -1: a writer */
    size_t cells;
    bool constant;
};

struct node { /* one rank */
    struct pl_schedule *schedule;
    struct buffer buffer[3]; /* IN, OUT, TMP */
    size_t base;             /* the number of its first step in `simulation` */
};

struct simulation {
    const struct pl_verify_params *params;
    const struct pl_coll_args *args;
    struct node *node;
    int nodes;
    size_t steps;
    uint32_t *needs; /* by step: what it still waits for */
    uint64_t *known; /* by step: ranks known to have entered */
    size_t *partner; /* by step: the other end of a message */
    bool *started;
    int *owner;    /* by step: its rank */
    size_t *event; /* steps that may start, or are under way and may complete */
    size_t events, done;
    uint64_t random;
};

static uint64_t draw(struct simulation *s)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return s->random * 0x2545f4914f6cdd1dull;
}

/* The call as `rank` makes it: where only the root has both buffers, only the root can be in place. */
static struct pl_coll_args call_of(const struct simulation *s, int rank)
{
    if (s->params->each)
        return s->params->each[rank];
    struct pl_coll_args args = *s->args;
    bool rooted =
        args.collective == PL_REDUCE || args.collective == PL_GATHER || args.collective == PL_SCATTER;
    args.rank = rank;
    args.in_place = args.in_place && (!rooted || rank == args.root);
    return args;
}

/* The node that `node` calls rank `peer`: on an intercommunicator the own group comes first. */
static int node_of(const struct simulation *s, int node, int peer)
{
    int first = s->args->size;
    if (!s->args->remote || node < first)
        return peer;
    return peer < s->args->remote ? first + peer : peer - s->args->remote;
}

static const struct pl_step *step_of(const struct simulation *s, size_t number)
{
    const struct node *node = &s->node[s->owner[number]];
    return &node->schedule->step[number - node->base];
}

static int complain(const struct simulation *s, size_t number, const char *what)
{
    const struct pl_coll_args *args = s->args;
    int rank = s->owner[number];
    return pl_fail(PL_EINTERNAL, "%s %s, %d ranks, root %d, %zu elements of %zu%s: rank %d, step %zu %s",
                   pl_collective_name(args->collective), s->params->algorithm->name, args->size, args->root,
                   args->count, args->element, args->in_place ? " in place" : "", rank,
                   number - s->node[rank].base, what);
}

/* The buffer a place is in; *offset becomes its first cell there. Aliases of peers are resolved here,
 * own ones were by the builder. */
static struct buffer *locate(struct simulation *s, size_t number, const struct pl_place *place,
                             size_t *offset)
{
    struct node *node = &s->node[s->owner[number]];
    uint32_t space = place->space;
    *offset = place->offset / s->args->element;
    if (space >= PL_PEER_IN) {
        node = &s->node[place->peer];
        space = space == PL_PEER_TMP ? PL_TMP : space == PL_PEER_IN && !s->args->in_place ? PL_IN : PL_OUT;
    }
    return &node->buffer[space];
}

/* Marks the range (under way) or takes the mark away. */
static int mark(struct simulation *s, size_t number, const struct pl_place *place, bool write, bool begin)
{
    size_t offset, cells = step_of(s, number)->length / s->args->element;
    struct buffer *buffer = locate(s, number, place, &offset);
    if (step_of(s, number)->length % s->args->element || place->offset % s->args->element)
        return complain(s, number, "cuts an element");
    if (offset + cells > buffer->cells)
        return complain(s, number, "goes beyond a buffer");
    if (write && buffer->constant)
        return complain(s, number, "writes what is not its to write");
    for (size_t i = offset; i < offset + cells; i++) {
        int16_t *m = &buffer->mark[i];
        if (begin && (write ? *m != 0 : *m < 0))
            return complain(s, number, "conflicts with a step under way");
        if (write)
            *m = begin ? -1 : 0;
        else
            *m = (int16_t)(*m + (begin ? 1 : -1));
    }
    return 0;
}

static bool same_place(const struct pl_place *a, const struct pl_place *b)
{
    return a->space == b->space && a->offset == b->offset && a->peer == b->peer;
}

static int mark_all(struct simulation *s, size_t number, bool begin)
{
    const struct pl_step *step = step_of(s, number);
    int error = 0;
    if (!step->length)
        return 0;
    if (step->verb != PL_STEP_SEND)
        error = mark(s, number, &step->to, true, begin);
    if (!error && step->verb != PL_STEP_RECV &&
        !(step->verb == PL_STEP_REDUCE && same_place(&step->to, &step->left)))
        error = mark(s, number, &step->left, false, begin);
    if (!error && step->verb == PL_STEP_REDUCE && !same_place(&step->to, &step->right))
        error = mark(s, number, &step->right, false, begin);
    return error;
}

static int start(struct simulation *s, size_t number)
{
    const struct pl_step *step = step_of(s, number);
    int error = mark_all(s, number, true);
    if (error)
        return error;
    s->started[number] = true;
    if (step->verb == PL_STEP_RECV && step->length) {
        size_t offset;
        struct buffer *to = locate(s, number, &step->to, &offset);
        memset(to->cell + offset, 0, step->length / s->args->element * sizeof *to->cell);
    }
    if (step->verb != PL_STEP_SEND && step->verb != PL_STEP_RECV)
        s->event[s->events++] = number;
    else if (s->started[s->partner[number]])
        s->event[s->events++] = step->verb == PL_STEP_RECV ? number : s->partner[number];
    return 0;
}

/* Moves the symbols: from `left` as step `from` sees it (op right) to where step `number` puts them. */
static int move(struct simulation *s, size_t number, size_t from)
{
    const struct pl_step *step = step_of(s, number), *source = step_of(s, from);
    size_t to_at, left_at, right_at = 0;
    if (!step->length)
        return 0;
    struct buffer *to = locate(s, number, &step->to, &to_at),
                  *left = locate(s, from, &source->left, &left_at);
    struct buffer *right = step->verb == PL_STEP_REDUCE ? locate(s, number, &step->right, &right_at) : NULL;
    for (size_t i = 0; i < step->length / s->args->element; i++) {
        struct pl_symbol symbol = left->cell[left_at + i];
        if (!pl_symbol_set(symbol) || (right && !pl_symbol_set(right->cell[right_at + i])))
            return complain(s, from, "reads what was never set");
        to->cell[to_at + i] =
            right ? pl_symbol_combine(s->params->sum, symbol, right->cell[right_at + i]) : symbol;
    }
    return 0;
}

static void release_successors(struct simulation *s, size_t number)
{
    const struct node *node = &s->node[s->owner[number]];
    size_t i = number - node->base;
    s->done++;
    for (uint32_t e = node->schedule->first[i]; e < node->schedule->first[i + 1]; e++) {
        size_t next = node->base + node->schedule->successor[e];
        s->known[next] |= s->known[number];
        if (--s->needs[next] == 0)
            s->event[s->events++] = next;
    }
}

static int complete(struct simulation *s, size_t number)
{
    bool received = step_of(s, number)->verb == PL_STEP_RECV, local = !received;
    size_t from = local ? number : s->partner[number];
    int error = step_of(s, number)->verb == PL_STEP_FENCE ? 0 : move(s, number, from);
    if (!error)
        error = mark_all(s, number, false);
    if (!error && received) {
        s->known[number] |= s->known[from];
        error = mark_all(s, from, false);
        release_successors(s, from);
    }
    release_successors(s, number);
    return error;
}

static int deadlock(const struct simulation *s)
{
    for (size_t i = 0; i < s->steps; i++)
        if (s->started[i] && !s->started[s->partner[i]])
            return complain(s, i, "is never met by its peer: a deadlock");
    return pl_fail(PL_EINTERNAL, "%s: a cycle of steps", s->params->algorithm->name);
}

static bool barrier_holds(const struct simulation *s, int rank)
{
    uint64_t heard = (uint64_t)1 << rank, all = s->nodes == 64 ? UINT64_MAX : ((uint64_t)1 << s->nodes) - 1;
    for (uint32_t i = 0; i < s->node[rank].schedule->steps; i++)
        heard |= s->known[s->node[rank].base + i];
    return heard == all;
}

static int check_results(const struct simulation *s)
{
    const struct pl_coll_args *args = s->args;
    for (int r = 0; r < s->nodes; r++) {
        struct pl_coll_args mine = call_of(s, r);
        const struct buffer *out = &s->node[r].buffer[PL_OUT];
        if (args->collective == PL_BARRIER && !barrier_holds(s, r))
            return complain(s, s->node[r].base, "and the others do not make a barrier");
        size_t cells = pl_symbol_result_cells(&mine);
        for (size_t i = 0; i < cells; i++)
            if (!pl_symbol_equal(out->cell[i], s->params->each ? pl_symbol_uneven_result(
                                                                     s->params->sum, s->params->each, r, i)
                                                               : pl_symbol_result(s->params->sum, &mine, i)))
                return pl_fail(
                    PL_EINTERNAL,
                    "%s %s, %d ranks, root %d, %zu elements of %zu%s: rank %d has a wrong element %zu",
                    pl_collective_name(args->collective), s->params->algorithm->name, args->size, args->root,
                    args->count, args->element, args->in_place ? " in place" : "", r, i);
    }
    return 0;
}

static void prepare_run(struct simulation *s, uint64_t seed)
{
    s->random = (seed + 1) * 0x9e3779b97f4a7c15ull | 1;
    s->events = s->done = 0;
    memset(s->started, 0, s->steps * sizeof *s->started);
    for (int r = 0; r < s->nodes; r++) {
        struct node *node = &s->node[r];
        struct pl_coll_args mine = call_of(s, r);
        for (int i = 0; i < 3; i++) {
            memset(node->buffer[i].cell, 0, node->buffer[i].cells * sizeof(struct pl_symbol));
            memset(node->buffer[i].mark, 0, node->buffer[i].cells * sizeof(int16_t));
        }
        pl_symbol_inputs(&mine, r, node->buffer[PL_IN].cell, node->buffer[PL_OUT].cell);
        for (uint32_t i = 0; i < node->schedule->steps; i++) {
            s->needs[node->base + i] = node->schedule->needs[i];
            s->known[node->base + i] = (uint64_t)1 << (r & 63);
            if (!node->schedule->needs[i])
                s->event[s->events++] = node->base + i;
        }
    }
}

static int run_once(struct simulation *s, uint64_t seed)
{
    int error = 0;
    prepare_run(s, seed);
    while (s->events && !error) {
        size_t i = draw(s) % s->events, number = s->event[i];
        s->event[i] = s->event[--s->events];
        error = s->started[number] ? complete(s, number) : start(s, number);
    }
    if (!error && s->done < s->steps)
        error = deadlock(s);
    return error ? error : check_results(s);
}

/* Finds for each message step its other end. */
static int pair_up(struct simulation *s)
{
    size_t n = (size_t)s->nodes;
    size_t *next = calloc(n, sizeof *next); /* per peer: where to look for its next receive from this rank */
    if (!next)
        return pl_fail(PL_ENOMEM, "no memory to verify %d ranks", s->nodes);
    size_t sends = 0, recvs = 0;
    int error = 0;
    for (int r = 0; r < s->nodes && !error; r++) {
        memset(next, 0, n * sizeof *next);
        for (size_t i = s->node[r].base; i < s->node[r].base + s->node[r].schedule->steps && !error; i++) {
            const struct pl_step *send = step_of(s, i);
            recvs += send->verb == PL_STEP_RECV;
            if (send->verb != PL_STEP_SEND)
                continue;
            int to = node_of(s, r, send->peer);
            const struct node *peer = &s->node[to];
            const struct pl_step *recv = peer->schedule->step;
            size_t *j = &next[to];
            while (*j < peer->schedule->steps &&
                   !(recv[*j].verb == PL_STEP_RECV && node_of(s, to, recv[*j].peer) == r))
                ++*j;
            if (*j == peer->schedule->steps)
                error = complain(s, i, "sends what its peer does not receive");
            else if (peer->schedule->step[*j].length != send->length)
                error = complain(s, i, "sends another length than its peer receives");
            else
                s->partner[s->partner[i] = peer->base + *j] = i;
            ++*j;
            sends++;
        }
    }
    free(next);
    if (!error && sends != recvs)
        error =
            pl_fail(PL_EINTERNAL, "%s: %zu sends and %zu receives", s->params->algorithm->name, sends, recvs);
    return error;
}

static int allocate_buffer(struct buffer *buffer, size_t cells, bool constant)
{
    buffer->cell = calloc(cells + 1, sizeof *buffer->cell);
    buffer->mark = calloc(cells + 1, sizeof *buffer->mark);
    buffer->cells = cells;
    buffer->constant = constant;
    return buffer->cell && buffer->mark ? 0 : pl_fail(PL_ENOMEM, "no memory to verify");
}

static int prepare_node(struct simulation *s, int rank)
{
    struct pl_coll_args mine = call_of(s, rank);
    struct node *node = &s->node[rank];
    int error = pl_algorithm_schedule(s->params->algorithm, &mine, s->params->ignore, &node->schedule);
    if (error)
        return error;
    size_t in, out;
    pl_symbol_cells(&mine, &in, &out);
    node->base = s->steps;
    s->steps += node->schedule->steps;
    error = allocate_buffer(&node->buffer[PL_IN], in, true);
    if (!error)
        error = allocate_buffer(&node->buffer[PL_OUT], out,
                                mine.collective == PL_BCAST && mine.root == (mine.remote ? PL_ROOT : rank));
    if (!error)
        error = allocate_buffer(&node->buffer[PL_TMP],
                                (node->schedule->tmp + mine.element - 1) / mine.element, false);
    return error;
}

static int prepare(struct simulation *s)
{
    int error = 0;
    s->node = calloc((size_t)s->nodes, sizeof *s->node);
    if (!s->node)
        return pl_fail(PL_ENOMEM, "no memory to verify %d ranks", s->nodes);
    for (int r = 0; r < s->nodes && !error; r++)
        error = prepare_node(s, r);
    if (error)
        return error;
    size_t steps = s->steps + 1;
    s->needs = malloc(steps * sizeof *s->needs);
    s->known = malloc(steps * sizeof *s->known);
    s->partner = calloc(steps, sizeof *s->partner);
    s->started = malloc(steps * sizeof *s->started);
    s->owner = malloc(steps * sizeof *s->owner);
    s->event = malloc(steps * sizeof *s->event);
    if (!s->needs || !s->known || !s->partner || !s->started || !s->owner || !s->event)
        return pl_fail(PL_ENOMEM, "no memory to verify %d ranks", s->nodes);
    for (int r = 0; r < s->nodes; r++)
        for (uint32_t i = 0; i < s->node[r].schedule->steps; i++)
            s->owner[s->node[r].base + i] = r;
    return pair_up(s);
}

static void finish(struct simulation *s)
{
    for (int r = 0; s->node && r < s->nodes; r++) {
        pl_schedule_release(s->node[r].schedule);
        for (int i = 0; i < 3; i++) {
            free(s->node[r].buffer[i].cell);
            free(s->node[r].buffer[i].mark);
        }
    }
    free(s->node);
    free(s->needs);
    free(s->known);
    free(s->partner);
    free(s->started);
    free(s->owner);
    free(s->event);
}

int pl_verify(const struct pl_verify_params *params)
{
    struct simulation s = {
        .params = params, .args = &params->args, .nodes = params->args.size + params->args.remote};
    int error = prepare(&s);
    for (int i = 0; i < params->orders && !error; i++)
        error = run_once(&s, params->seed + (uint64_t)i);
    finish(&s);
    return error;
}
