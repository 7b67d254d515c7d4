/* The engine: runs a schedule. Blocking, nonblocking and persistent calls differ only in who waits.
 *
 *            +--- ready ----------------------------------+
 *   steps -> | messages -->                 <-- local     |   one array: each step enters once, messages
 *            +--------------------------------------------+   at the front, reduces and copies at the back
 *                 |  pl_send_start, pl_recv_start   | pl_op_apply, memcpy
 *                 v                                 v
 *              completed ----> successors need one step less; at zero they enter
 *
 * Messages start before any local step runs, so that what others wait for goes out first. A long
 * local step is done in pieces while somebody waits, with progress made between them; from a completion
 * callback it is done at once, for nobody else would come back to it.
 *
 * The first error stops the run from starting anything more; receives that nothing has matched are
 * cancelled, and when the last request is back the run completes with that error. (A send
 * cannot be taken back: it ends when its peer takes it or is lost.)
 *
 * Cost: the run's memory is recycled, the counters are one memcpy, and the callbacks are one
 * level deep, however long the chain of steps that complete at once.
 */
#include "run.h"

#include "comm.h"
#include "doubt.h"
#include "errors.h"
#include "loss.h"
#include "op.h"
#include "rank.h"
#include "tiny.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 256 << 10 }; /* bytes of a local step done in one go while somebody waits */

static size_t round_up(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

struct pl_run *pl_run_create(struct pl_run **kept, struct pl_schedule *schedule)
{
    size_t slots = schedule->requests * sizeof(struct pl_slot),
           words = 2 * schedule->steps * sizeof(uint32_t);
    size_t head = sizeof(struct pl_run) + slots;
    size_t peers = schedule->reaches ? 3 * (size_t)schedule->size * sizeof(char *) : 0;
    size_t capacity = slots + words + peers + schedule->tmp + 192;
    struct pl_run *run = *kept, **link = kept;
    while (run && run->capacity < capacity)
        link = &run->next, run = run->next;
    if (run) {
        *link = run->next;
        if (run->clean < schedule->requests)
            memset(run->slot + run->clean, 0, (schedule->requests - run->clean) * sizeof(struct pl_slot));
    } else {
        run = calloc(1, sizeof *run + capacity);
        if (!run) {
            pl_fail(PL_ENOMEM, "no memory for a collective call: %zu bytes", capacity);
            return NULL;
        }
        run->capacity = capacity;
    }
    char *memory = (char *)run + round_up(head);
    run->clean = schedule->requests;
    run->needs = (uint32_t *)(void *)memory;
    run->ready = run->needs + schedule->steps;
    memory += round_up(words);
    run->peer = peers ? (char **)(void *)memory : NULL;
    memory += peers;
    run->base[PL_TMP] = (char *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);
    run->schedule = schedule;
    pl_schedule_hold(schedule);
    return run;
}

static char *address(const struct pl_run *run, const struct pl_place *place)
{
    if (place->space >= PL_PEER_IN)
        return run->peer[3 * place->peer + (int)(place->space - PL_PEER_IN)] + place->offset;
    return run->base[place->space] + place->offset;
}

static void enter(struct pl_run *run, uint32_t number)
{
    if (run->schedule->step[number].verb <= PL_STEP_RECV)
        run->ready[run->end_message++] = number;
    else
        run->ready[--run->end_local] = number;
}

static void step_complete(struct pl_run *run, uint32_t number)
{
    const struct pl_schedule *schedule = run->schedule;
    run->left--;
    for (uint32_t e = schedule->first[number]; e < schedule->first[number + 1]; e++)
        if (--run->needs[schedule->successor[e]] == 0)
            enter(run, schedule->successor[e]);
}

/* Notes the first error and cancels what can be; the rest comes back by itself. */
static void fail(struct pl_run *run, int error, const char *text)
{
    if (run->error)
        return;
    bool draining = run->draining;
    run->error = error;
    run->text = strdup(text);
    if (run->memory)
        run->memory->driver->wait(run->memory, &run->ticket); /* it must not write any more */
    run->draining = true; /* what the cancelled ones call back must not end the run under our feet */
    for (uint32_t i = 0; i < run->schedule->requests; i++) {
        struct pl_request *request = &run->slot[i].request;
        if (request->owner == run && !request->complete && !request->is_send)
            pl_request_cancel(request);
    }
    if ((error == PL_EMISMATCH || error == PL_ETRUNCATE) && !run->comm->broken)
        pl_comm_break(run->comm, PL_BREAK_MISMATCH, text); /* all members are told */
    run->draining = draining;
}

static void drain(struct pl_run *run);

static void message_complete(struct pl_request *request)
{
    struct pl_run *run = request->owner;
    uint32_t number = ((struct pl_slot *)request)->step;
    const struct pl_step *step = &run->schedule->step[number];
    run->outstanding--;
    request->owner = NULL;
    if (request->error || request->cancelled) {
        fail(run, request->error ? request->error : PL_ECANCELLED,
             request->text ? request->text : pl_fail_text());
    } else if (step->verb == PL_STEP_RECV && request->length != step->length) {
        char text[PL_ERROR_TEXT];
        snprintf(text, sizeof text,
                 "a collective call expected %zu bytes from rank %d and got %zu: the counts or types of "
                 "the two ranks differ",
                 step->length, step->peer, request->length);
        fail(run, PL_EMISMATCH, text);
    } else {
        step_complete(run, number);
    }
    pl_request_finish(request);
    if (!run->draining)
        drain(run);
}

/* The same for buffers in device memory: as data with a type, which are looked at. */
static void start_device_message(struct pl_run *run, const struct pl_step *step, struct pl_comm *comm,
                                 int peer, int tag)
{
    struct pl_request *request = &run->slot[step->request].request;
    const struct pl_datatype *bytes = pl_datatype_predefined(PL_HANDLE_BYTE);
    request->is_send = step->verb == PL_STEP_SEND;
    if (request->is_send)
        pl_send_start_typed(request, comm, PL_CHANNEL_COLLECTIVE, PL_MODE_STANDARD,
                            step->length ? address(run, &step->left) : NULL, step->length, peer, tag,
                            run->signature, bytes);
    else
        pl_recv_start_typed(request, comm, PL_CHANNEL_COLLECTIVE,
                            step->length ? address(run, &step->to) : NULL, step->length, peer, tag,
                            run->signature, bytes);
}

static void start_message(struct pl_run *run, uint32_t number)
{
    const struct pl_step *step = &run->schedule->step[number];
    struct pl_slot *slot = &run->slot[step->request];
    struct pl_comm *comm = run->comm;
    int peer = step->peer, tag = run->tag;
    if (comm->remote && peer < comm->size) {
        comm = comm->local;
        tag = run->local_tag;
    } else if (comm->remote) {
        peer -= comm->size;
    }
    tag |= step->ordinal;
    slot->step = number;
    slot->request.completed = message_complete;
    slot->request.owner = run;
    slot->request.complete = false;
    run->outstanding++;
    if (__builtin_expect(run->memory != NULL, 0)) {
        start_device_message(run, step, comm, peer, tag);
    } else if (step->verb == PL_STEP_SEND) {
        slot->request.is_send = true;
        pl_send_start(&slot->request, comm, PL_CHANNEL_COLLECTIVE, PL_MODE_STANDARD,
                      step->length ? address(run, &step->left) : NULL, step->length, peer, tag,
                      run->signature);
    } else {
        slot->request.is_send = false;
        pl_recv_start(&slot->request, comm, PL_CHANNEL_COLLECTIVE,
                      step->length ? address(run, &step->to) : NULL, step->length, peer, tag, run->signature);
    }
}

static int start_device_step(struct pl_run *run, const struct pl_step *step)
{
    const struct pl_memory_driver *driver = run->memory->driver;
    if (step->verb == PL_STEP_COPY)
        return driver->copy(run->memory, address(run, &step->to), address(run, &step->left), step->length,
                            &run->ticket);
    struct pl_reduction reduction = {.kernel = run->kernel,
                                     .inputs = 2,
                                     .outputs = 1,
                                     .in = {address(run, &step->left), address(run, &step->right)},
                                     .out = {address(run, &step->to)},
                                     .count = step->length / run->element};
    return step->verb == PL_STEP_REDUCE ? driver->reduce(run->memory, &reduction, &run->ticket) : 0;
}

/* The first local step, on device memory: starts it, or looks whether it is done. Returns at least `most`
 * while it is not, so that the caller does something else. */
static size_t do_device_step(struct pl_run *run, size_t most)
{
    uint32_t number = run->ready[run->first_local - 1];
    const struct pl_memory_driver *driver = run->memory->driver;
    int status = run->ticket.work ? 0 : start_device_step(run, &run->schedule->step[number]);
    if (!status)
        status =
            run->waited ? driver->poll(run->memory, &run->ticket) : driver->wait(run->memory, &run->ticket);
    if (status > 0)
        return most;
    if (status < 0)
        fail(run, status, pl_fail_text());
    run->first_local--;
    step_complete(run, number);
    return 1;
}

/* Does at most `most` bytes of the first local step; returns how many. */
static size_t do_local(struct pl_run *run, size_t most)
{
    if (__builtin_expect(run->memory != NULL, 0))
        return do_device_step(run, most);
    uint32_t number = run->ready[run->first_local - 1];
    const struct pl_step *step = &run->schedule->step[number];
    size_t length = step->length - run->progress, at = run->progress;
    if (length > most)
        length = most / run->element ? most / run->element * run->element : run->element;
    if (step->verb == PL_STEP_COPY)
        memmove(address(run, &step->to) + at, address(run, &step->left) + at, length);
    else if (step->verb == PL_STEP_REDUCE) {
        int error =
            pl_op_apply(run->op, run->type, address(run, &step->left) + at, address(run, &step->right) + at,
                        address(run, &step->to) + at, length / run->element);
        if (error)
            fail(run, error, pl_fail_text());
    }
    run->progress += length;
    if (run->progress == step->length) {
        run->progress = 0;
        run->first_local--;
        step_complete(run, number);
    }
    return length;
}

static bool has_local(const struct pl_run *run)
{
    return run->first_local > run->end_local && !run->error;
}

static void enter_active(struct pl_run *run)
{
    struct pl_collectives *own = run->comm->owner->collectives_state;
    if (!own)
        return;
    run->next_active = own->active;
    run->active_link = &own->active;
    if (own->active)
        own->active->active_link = &run->next_active;
    own->active = run;
}

static void leave_active(struct pl_run *run)
{
    if (!run->active_link)
        return;
    *run->active_link = run->next_active;
    if (run->next_active)
        run->next_active->active_link = run->active_link;
    run->active_link = NULL;
}

void pl_run_leave_all(struct pl_collectives *own)
{
    while (own->active)
        leave_active(own->active);
}

/* Starts the messages that are ready and, unless somebody waits and will, does the local steps;
 * completes the run when nothing is left. The run may be gone on return. */
static void drain(struct pl_run *run)
{
    run->draining = true;
    for (;;) {
        if (run->first_message < run->end_message && !run->error)
            start_message(run, run->ready[run->first_message++]);
        else if (!run->waited && has_local(run))
            do_local(run, SIZE_MAX);
        else
            break;
    }
    run->draining = false;
    if (run->left && !(run->error && !run->outstanding))
        return;
    assert(!run->outstanding);
    run->complete = true;
    leave_active(run);
    if (!pl_list_empty(&run->comm->owner->unexpected_all) && !run->error)
        pl_doubt_left(run);
    if (run->completed)
        run->completed(run);
}

void pl_run_start(struct pl_run *run)
{
    enter_active(run);
    const struct pl_schedule *schedule = run->schedule;
    run->complete = false;
    run->error = 0;
    run->text = NULL;
    run->left = schedule->steps;
    run->outstanding = 0;
    run->first_message = run->end_message = 0;
    run->first_local = run->end_local = schedule->steps;
    run->progress = 0;
    memcpy(run->needs, schedule->needs, schedule->steps * sizeof *run->needs);
    for (uint32_t i = 0; i < schedule->steps; i++)
        if (!schedule->needs[i])
            enter(run, i);
    drain(run);
}

/* Nothing can ever come: gives all requests up. Their memory is not used again, for a transport may
 * still know of it. */
static void abandon(struct pl_run *run, int error)
{
    run->tainted = true;
    run->waited = false;
    fail(run, error, pl_fail_text());
    run->draining = true;
    for (uint32_t i = 0; i < run->schedule->requests; i++)
        if (run->slot[i].request.owner == run)
            pl_request_abandon(&run->slot[i].request, error);
    drain(run);
}

int pl_run_end(struct pl_run *run)
{
    struct pl_rank *rank = run->comm->owner;
    unsigned idle = 0;
    run->waited = !rank->threaded;
    while (!run->complete) {
        for (size_t done = 0; done < PIECE && has_local(run); idle = 0) {
            done += do_local(run, PIECE);
            drain(run);
        }
        if (run->complete)
            break;
        int events = pl_progress(rank);
        if (events > 0)
            idle = 0;
        else if (!events && !run->complete && !has_local(run))
            events = pl_idle(rank, idle++);
        if (events < 0 && !run->complete)
            abandon(run, events);
    }
    int error = run->error;
    if (error)
        pl_fail(error, "%s", run->text ? run->text : pl_error_name(error));
    pl_run_finish(run);
    return error;
}

/* Keeps the few largest of the free runs, and all that are tainted. */
static void trim(struct pl_run **kept)
{
    enum { KEPT = 4 };
    struct pl_run **smallest = NULL;
    int n = 0;
    for (struct pl_run **link = kept; *link; link = &(*link)->next) {
        if ((*link)->tainted)
            continue;
        n++;
        if (!smallest || (*link)->capacity < (*smallest)->capacity)
            smallest = link;
    }
    if (n > KEPT) {
        struct pl_run *gone = *smallest;
        *smallest = gone->next;
        free(gone);
    }
}

void pl_run_finish(struct pl_run *run)
{
    if (!run)
        return;
    struct pl_comm *comm = run->comm;
    bool holds = run->holds_comm;
    if (run->device_tmp)
        run->memory->driver->release(run->memory, run->device_tmp);
    run->device_tmp = NULL;
    pl_schedule_release(run->schedule);
    free(run->text);
    run->text = NULL;
    if (run->tainted)
        run->capacity = 0;
    struct pl_run **kept = pl_run_kept(comm);
    run->next = *kept;
    *kept = run;
    trim(kept);
    if (holds)
        pl_comm_release(comm);
}
