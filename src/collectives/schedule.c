/* The builder: verbs in, a constant schedule out.
 *
 * Each verb resolves the in-place alias, drops what moves no bytes, appends a step and
 * tells the scoreboard (hazards.c) what it reads, then what it writes. Errors stick in
 * the builder, so that the algorithms need not check anything.
 *
 * Sends and receives of one pair of ranks carry an ordinal: the k-th send written meets
 * the k-th receive written, however completion reorders their start. (Rejected: an edge
 * from each send to the next one to the same peer; it would hold back what is ready.)
 *
 * Sealing lays everything into one block: steps, dependency counts, and the edges in
 * compressed rows by counting sort. They come out in the order in which the author wrote
 * the waiting steps, which is the order in which the engine starts those that become
 * ready together.
 */
#include "schedule.h"

#include "errors.h"
#include "hazards.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct pl_slice pl_chunks(struct pl_slice whole, size_t element, int n, int from, int to)
{
    size_t count = whole.length / element, base = count / (size_t)n, longer = count % (size_t)n;
    size_t a = (size_t)from, z = (size_t)to;
    size_t begin = a * base + (a < longer ? a : longer), end = z * base + (z < longer ? z : longer);
    return pl_part(whole, begin * element, (end - begin) * element);
}

int pl_segments(size_t length, size_t element, size_t target)
{
    size_t most = length / (element ? element : 1);
    size_t n = target ? (length + target - 1) / target : 1;
    if (n > most)
        n = most;
    if (n > PL_SEGMENTS_MAX)
        n = PL_SEGMENTS_MAX;
    return n ? (int)n : 1;
}

void pl_builder_init(struct pl_builder *b, int size)
{
    *b = (struct pl_builder){.size = size, .fence = PL_NO_STEP};
    b->ordinal = calloc(2 * (size_t)size, sizeof *b->ordinal);
    if (!b->ordinal)
        b->error = pl_fail(PL_ENOMEM, "no memory for a schedule among %d ranks", size);
}

void pl_builder_alias(struct pl_builder *b, enum pl_space alias, enum pl_space to, size_t offset)
{
    assert(!b->steps && alias != to);
    b->aliased = true;
    b->alias = alias;
    b->alias_to = to;
    b->alias_offset = offset;
}

struct pl_slice pl_tmp(struct pl_builder *b, size_t length)
{
    struct pl_slice slice = {PL_TMP, 0, b->tmp, length};
    b->tmp += (length + 63) & ~(size_t)63;
    return slice;
}

static void resolve(struct pl_builder *b, struct pl_slice *slice)
{
    if (b->aliased && slice->space == b->alias) {
        slice->space = b->alias_to;
        slice->offset += b->alias_offset;
    }
    if (slice->space >= PL_PEER_IN)
        b->reaches = true;
}

static struct pl_place place(struct pl_slice slice)
{
    return (struct pl_place){slice.space, slice.peer, slice.offset};
}

static bool same_place(struct pl_slice a, struct pl_slice b)
{
    return a.space == b.space && a.offset == b.offset && (a.space < PL_PEER_IN || a.peer == b.peer);
}

/* Appends a step; the number of it, or PL_NO_STEP when there is an error. */
static uint32_t append(struct pl_builder *b, struct pl_step step)
{
    if (b->error || !pl_hazards_room(b, &b->step, &b->step_capacity, b->steps + 1, sizeof step) ||
        !pl_hazards_room(b, &b->needs, &b->needs_capacity, b->steps + 1, sizeof *b->needs) ||
        !pl_hazards_room(b, &b->mark, &b->mark_capacity, b->steps + 1, sizeof *b->mark))
        return PL_NO_STEP;
    uint32_t number = (uint32_t)b->steps++;
    if (step.verb == PL_STEP_SEND || step.verb == PL_STEP_RECV) {
        assert(step.peer >= 0 && step.peer < b->size);
        step.ordinal = b->ordinal[2 * step.peer + (step.verb == PL_STEP_RECV)]++;
        step.request = b->requests++;
    }
    b->step[number] = step;
    b->needs[number] = 0;
    b->mark[number] = PL_NO_STEP;
    if (b->fence != PL_NO_STEP)
        pl_hazards_edge(b, b->fence, number);
    return number;
}

static void message(struct pl_builder *b, enum pl_verb verb, int peer, struct pl_slice slice, size_t length)
{
    resolve(b, &slice);
    struct pl_step step = {.verb = (uint8_t)verb, .peer = peer, .length = length};
    *(verb == PL_STEP_SEND ? &step.left : &step.to) = place(slice);
    uint32_t number = append(b, step);
    if (number == PL_NO_STEP)
        return;
    if (verb == PL_STEP_SEND)
        pl_hazards_read(b, number, slice);
    else
        pl_hazards_write(b, number, slice);
}

void pl_step_send(struct pl_builder *b, int peer, struct pl_slice from)
{
    if (from.length)
        message(b, PL_STEP_SEND, peer, from, from.length);
}

void pl_step_recv(struct pl_builder *b, int peer, struct pl_slice to)
{
    if (to.length)
        message(b, PL_STEP_RECV, peer, to, to.length);
}

void pl_step_signal(struct pl_builder *b, int peer, struct pl_slice about)
{
    message(b, PL_STEP_SEND, peer, about, 0);
}

void pl_step_await(struct pl_builder *b, int peer, struct pl_slice about)
{
    message(b, PL_STEP_RECV, peer, about, 0);
}

void pl_step_reduce(struct pl_builder *b, struct pl_slice to, struct pl_slice left, struct pl_slice right)
{
    assert(to.length == left.length && to.length == right.length);
    if (!to.length)
        return;
    resolve(b, &to);
    resolve(b, &left);
    resolve(b, &right);
    uint32_t number = append(b, (struct pl_step){.verb = PL_STEP_REDUCE,
                                                 .length = to.length,
                                                 .left = place(left),
                                                 .right = place(right),
                                                 .to = place(to)});
    if (number == PL_NO_STEP)
        return;
    pl_hazards_read(b, number, left);
    pl_hazards_read(b, number, right);
    pl_hazards_write(b, number, to);
}

void pl_step_copy(struct pl_builder *b, struct pl_slice to, struct pl_slice from)
{
    assert(to.length == from.length);
    resolve(b, &to);
    resolve(b, &from);
    if (!to.length || same_place(to, from))
        return;
    uint32_t number = append(
        b, (struct pl_step){.verb = PL_STEP_COPY, .length = to.length, .left = place(from), .to = place(to)});
    if (number == PL_NO_STEP)
        return;
    pl_hazards_read(b, number, from);
    pl_hazards_write(b, number, to);
}

void pl_step_fence(struct pl_builder *b)
{
    uint32_t from = b->fence == PL_NO_STEP ? 0 : b->fence + 1;
    if (b->error || from == b->steps)
        return;
    uint32_t number = append(b, (struct pl_step){.verb = PL_STEP_FENCE});
    for (uint32_t i = from; number != PL_NO_STEP && i < number; i++)
        pl_hazards_edge(b, i, number);
    b->fence = number;
}

void pl_builder_no_memory(struct pl_builder *b)
{
    if (!b->error)
        b->error = pl_fail(PL_ENOMEM, "no memory for a schedule among %d ranks", b->size);
}

/* Lays the builder's steps and edges into one block. */
static struct pl_schedule *lay_out(const struct pl_builder *b)
{
    size_t head = (sizeof(struct pl_schedule) + 63) & ~(size_t)63, steps = b->steps * sizeof *b->step;
    size_t words = b->steps + (b->steps + 1) + b->edges;
    char *memory = malloc(head + steps + words * sizeof(uint32_t));
    if (!memory)
        return NULL;
    struct pl_schedule *schedule = (struct pl_schedule *)(void *)memory;
    struct pl_step *step = (struct pl_step *)(void *)(memory + head);
    uint32_t *needs = (uint32_t *)(void *)(memory + head + steps);
    uint32_t *first = needs + b->steps, *successor = first + b->steps + 1;
    *schedule = (struct pl_schedule){
        1,     b->size, (uint32_t)b->steps, b->requests, (uint32_t)b->edges, b->reaches, b->tmp, step,
        needs, first,   successor};
    if (b->steps) {
        memcpy(step, b->step, steps);
        memcpy(needs, b->needs, b->steps * sizeof *needs);
    }
    memset(first, 0, (b->steps + 1) * sizeof *first);
    for (size_t i = 0; i < b->edges; i++)
        first[b->edge[i].from + 1]++;
    for (size_t i = 0; i < b->steps; i++)
        first[i + 1] += first[i];
    for (size_t i = 0; i < b->edges; i++)
        successor[first[b->edge[i].from]++] = b->edge[i].to;
    memmove(first + 1, first, b->steps * sizeof *first);
    first[0] = 0;
    return schedule;
}

int pl_builder_seal(struct pl_builder *b, struct pl_schedule **schedule)
{
    if (!b->error) {
        struct pl_schedule *sealed = lay_out(b);
        if (sealed)
            *schedule = sealed;
        else
            pl_builder_no_memory(b);
    }
    pl_hazards_finish(b);
    free(b->step);
    free(b->needs);
    free(b->mark);
    free(b->edge);
    free(b->reader);
    free(b->ordinal);
    return b->error;
}

void pl_schedule_release(struct pl_schedule *schedule)
{
    if (schedule && --schedule->references == 0)
        free(schedule);
}

static void print_place(FILE *file, const struct pl_place *place, size_t length)
{
    static const char *const names[] = {"IN", "OUT", "TMP", "IN of ", "OUT of ", "TMP of "};
    fprintf(file, "%s", names[place->space]);
    if (place->space >= PL_PEER_IN)
        fprintf(file, "%d", place->peer);
    fprintf(file, "[%zu..%zu)", place->offset, place->offset + length);
}

static void print_step(FILE *file, const struct pl_step *step)
{
    switch (step->verb) {
    case PL_STEP_SEND:
        fprintf(file, step->length ? "send   " : "signal");
        if (step->length)
            print_place(file, &step->left, step->length);
        fprintf(file, " to %d", step->peer);
        break;
    case PL_STEP_RECV:
        fprintf(file, step->length ? "recv   " : "await");
        if (step->length)
            print_place(file, &step->to, step->length);
        fprintf(file, " from %d", step->peer);
        break;
    case PL_STEP_REDUCE:
        fprintf(file, "reduce ");
        print_place(file, &step->to, step->length);
        fprintf(file, " = ");
        print_place(file, &step->left, step->length);
        fprintf(file, " op ");
        print_place(file, &step->right, step->length);
        break;
    case PL_STEP_COPY:
        fprintf(file, "copy   ");
        print_place(file, &step->to, step->length);
        fprintf(file, " = ");
        print_place(file, &step->left, step->length);
        break;
    default:
        fprintf(file, "fence");
    }
}

void pl_schedule_print(const struct pl_schedule *schedule, FILE *file)
{
    fprintf(file, "%u steps, %u edges, %zu bytes of TMP\n", schedule->steps, schedule->edges, schedule->tmp);
    for (uint32_t i = 0; i < schedule->steps; i++) {
        fprintf(file, "%4u  ", i);
        print_step(file, &schedule->step[i]);
        if (schedule->first[i] < schedule->first[i + 1])
            fprintf(file, "  ->");
        for (uint32_t e = schedule->first[i]; e < schedule->first[i + 1]; e++)
            fprintf(file, " %u", schedule->successor[e]);
        fputc('\n', file);
    }
}
