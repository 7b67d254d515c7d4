/* A worker's operations: started, sent, answered; sent again when the view changes.
 *
 * To each server there is a lane with a window of frames that wait for their answer; the frames of an
 * operation are made when the window has room, straight from the caller's arrays. A lane takes operations in
 * their order, and the link keeps that order, so a part sees the sequence numbers of a worker rise: the whole
 * of exactly-once rests on it.
 *
 *     operations   [push 1] [pull 2] [push 3]
 *                     |  \     |        |
 *     lane of A    1a 1b  \   2a        .      window full: 3's frame for A is not made yet
 *     lane of B           1c  2b       3a
 *
 * A new view empties the lanes: whatever was not answered is assigned to servers anew, from the oldest
 * operation on, and sent. That repeats some that had been applied; servers tell (shard.c).
 */
#include "worker.h"

#include "residual.h"

#include <stdlib.h>

enum { WINDOW = 16 };

int pl_ps_worker_create(struct peal_ps *ps)
{
    struct pl_ps_worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return MPI_ERR_NO_MEM;
    ps->worker = worker;
    worker->lanes = calloc((size_t)ps->servers, sizeof *worker->lanes);
    return worker->lanes ? MPI_SUCCESS : MPI_ERR_NO_MEM;
}

static void free_operation(struct pl_ps_operation *operation)
{
    free(operation->own);
    free(operation->own_keys);
    free(operation->order);
    free(operation->pieces);
    free(operation->queue);
    free(operation->at);
    free(operation);
}

static void empty_lane(struct pl_ps_lane *lane)
{
    while (lane->first) {
        struct pl_ps_sent *sent = lane->first;
        lane->first = sent->next;
        free(sent);
    }
    *lane = (struct pl_ps_lane){0};
}

void pl_ps_worker_destroy(struct peal_ps *ps)
{
    struct pl_ps_worker *worker = ps->worker;
    if (!worker)
        return;
    for (int s = 0; worker->lanes && s < ps->servers; s++)
        empty_lane(&worker->lanes[s]);
    while (worker->first) {
        struct pl_ps_operation *operation = worker->first;
        worker->first = operation->next;
        pl_ps_request_forget(operation->request);
        free_operation(operation);
    }
    pl_ps_request_forget(worker->at_barrier);
    pl_ps_residuals_finish(ps);
    free(worker->lanes);
    free(worker);
    ps->worker = NULL;
}

static void remove_operation(struct pl_ps_worker *worker, struct pl_ps_operation *operation)
{
    struct pl_ps_operation **at = &worker->first, *before = NULL;
    while (*at != operation) {
        before = *at;
        at = &(*at)->next;
    }
    *at = operation->next;
    if (worker->last == operation)
        worker->last = before;
}

static void complete(struct peal_ps *ps, struct pl_ps_operation *operation, int error)
{
    ps->stats.pushes += operation->kind == PL_PS_PUSH;
    ps->stats.pulls += operation->kind == PL_PS_PULL;
    ps->stats.keys += operation->kind == PL_PS_PUSH || operation->kind == PL_PS_PULL ? operation->n : 0;
    remove_operation(ps->worker, operation);
    pl_ps_request_end(operation->request, error);
    free_operation(operation);
}

int pl_ps_worker_start(struct peal_ps *ps, const struct pl_ps_operation *what, struct pl_ps_request *request)
{
    struct pl_ps_worker *worker = ps->worker;
    if (worker->given_up)
        return worker->given_up;
    struct pl_ps_operation *operation = malloc(sizeof *operation);
    if (!operation)
        return pl_ps_fail(ps, MPI_ERR_NO_MEM, "no memory for an operation");
    *operation = *what;
    operation->request = request;
    operation->clock = what->kind == PL_PS_CLOCK ? what->clock : worker->clock;
    operation->base = worker->next_entry;
    int error = what->kind == PL_PS_PUSH ? pl_ps_residual_push(ps, operation) : MPI_SUCCESS;
    if (what->kind == PL_PS_PULL && (ps->tables[what->table].is.filters & PEAL_PS_FP16))
        operation->encoding = PL_PS_FLOAT16;
    if (!error)
        error = pl_ps_split(ps, operation);
    if (error) {
        free_operation(operation);
        return error;
    }
    if (what->kind != PL_PS_PULL && what->kind != PL_PS_DUMP)
        worker->next_entry += what->kind == PL_PS_PUSH || what->kind == PL_PS_RESTORE
                                  ? operation->n
                                  : (uint64_t)ps->view->parts;
    *(worker->last ? &worker->last->next : &worker->first) = operation;
    worker->last = operation;
    pl_ps_assign(ps, operation);
    worker->unsent = true;
    if (!operation->left)
        complete(ps, operation, 0);
    return MPI_SUCCESS;
}

static bool send_next(struct peal_ps *ps, struct pl_ps_operation *operation, int server)
{
    struct pl_ps_lane *lane = &ps->worker->lanes[server];
    struct pl_ps_sent *sent = malloc(sizeof *sent);
    uint32_t to;
    struct pl_ps_frame *frame = sent ? pl_ps_fill(ps, operation, server, &to) : NULL;
    if (!frame) {
        free(sent);
        return false;
    }
    *sent = (struct pl_ps_sent){NULL, operation, ++ps->worker->next_id, operation->at[server], to};
    *(lane->last ? &lane->last->next : &lane->first) = sent;
    lane->last = sent;
    lane->count++;
    operation->at[server] = to;
    pl_ps_header_of(frame)->id = sent->id;
    pl_ps_send(ps, pl_ps_rank_of_server(ps, server), frame);
    pl_ps_frame_release(&ps->pool, frame);
    return true;
}

/* Fills the windows; returns whether anything was sent. */
bool pl_ps_worker_step(struct peal_ps *ps)
{
    struct pl_ps_worker *worker = ps->worker;
    bool busy = false, left = false, full[PL_PS_SERVERS_MAX] = {false};
    if (!worker->unsent)
        return false;
    for (struct pl_ps_operation *operation = worker->first; operation; operation = operation->next)
        for (int s = 0; s < ps->servers; s++) {
            while (!full[s] && operation->at[s] < operation->end[s] && worker->lanes[s].count < WINDOW &&
                   send_next(ps, operation, s))
                busy = true;
            full[s] = full[s] || operation->at[s] < operation->end[s]; /* nobody overtakes */
            left = left || full[s];
        }
    worker->unsent = left;
    return busy;
}

static struct pl_ps_sent *answered(struct pl_ps_lane *lane, uint64_t id)
{
    struct pl_ps_sent **at = &lane->first, *before = NULL;
    while (*at && (*at)->id != id) {
        before = *at;
        at = &(*at)->next;
    }
    struct pl_ps_sent *sent = *at;
    if (!sent)
        return NULL;
    *at = sent->next;
    if (lane->last == sent)
        lane->last = before;
    lane->count--;
    return sent;
}

static void audit(struct peal_ps *ps, const struct pl_ps_operation *operation, uint32_t slowest)
{
    if (slowest < operation->clock && (int)(operation->clock - slowest) > ps->stats.staleness)
        ps->stats.staleness = (int)(operation->clock - slowest);
}

static void barrier_ended(struct peal_ps *ps, uint32_t number, uint32_t verdict)
{
    struct pl_ps_worker *worker = ps->worker;
    if (!worker->at_barrier || number < worker->barrier)
        return;
    struct pl_ps_request *request = worker->at_barrier;
    worker->at_barrier = NULL;
    worker->verdict = verdict;
    pl_ps_request_end(request, 0);
}

void pl_ps_worker_frame(struct peal_ps *ps, int rank, struct pl_ps_frame *frame)
{
    const struct pl_ps_header *header = pl_ps_header_of(frame);
    int server = pl_ps_server_of(ps, rank);
    if (header->kind == PL_PS_BARRIER) {
        barrier_ended(ps, header->clock, (uint32_t)(header->id >> 1));
        return;
    }
    struct pl_ps_sent *sent = server >= 0 ? answered(&ps->worker->lanes[server], header->id) : NULL;
    if (!sent)
        return; /* from before the view changed */
    struct pl_ps_operation *operation = sent->operation;
    if (operation->kind == PL_PS_PULL) {
        pl_ps_scatter(ps, operation, sent->from, sent->to, frame);
        audit(ps, operation, header->clock);
    } else if (operation->kind == PL_PS_DUMP && operation->dumped) {
        *operation->dumped = frame;
        frame->references++;
    }
    for (uint32_t i = sent->from; i < sent->to; i++) {
        operation->pieces[operation->queue[i]].done = true;
        operation->left--;
    }
    free(sent);
    ps->worker->unsent = true;
    if (!operation->left)
        complete(ps, operation, 0);
}

/* A part that nobody has any more ends the operations that need it. */
static bool hopeless(const struct peal_ps *ps, const struct pl_ps_operation *operation)
{
    for (uint32_t i = 0; i < operation->piece_count; i++)
        if (!operation->pieces[i].done && pl_ps_head(ps->view, operation->pieces[i].part) < 0)
            return true;
    return false;
}

void pl_ps_worker_install(struct peal_ps *ps)
{
    struct pl_ps_worker *worker = ps->worker;
    struct pl_ps_operation *next;
    for (int s = 0; s < ps->servers; s++) {
        ps->stats.resent += (uint64_t)worker->lanes[s].count;
        empty_lane(&worker->lanes[s]);
    }
    for (struct pl_ps_operation *operation = worker->first; operation; operation = next) {
        next = operation->next;
        if (hopeless(ps, operation))
            complete(ps, operation,
                     pl_ps_fail(ps, MPI_ERR_PROC_ABORTED,
                                "part of the table is lost: all %d servers that had a copy have died",
                                ps->view->replicas));
        else
            pl_ps_assign(ps, operation);
    }
    worker->unsent = true;
    int manager = pl_ps_rank_of_server(ps, ps->view->manager);
    if (worker->barrier) /* a new manager does not know who has come to it */
        pl_ps_send_header(ps, manager, PL_PS_BARRIER, (uint64_t)worker->verdict << 1, worker->barrier);
    if (worker->leaving && pl_ps_view_workers(ps->view)[ps->my_worker])
        pl_ps_send_header(ps, manager, PL_PS_BYE, 0, 0);
}

void pl_ps_worker_give_up(struct peal_ps *ps, int error)
{
    ps->worker->given_up = error;
    while (ps->worker->first)
        complete(ps, ps->worker->first, error);
    if (ps->worker->at_barrier)
        pl_ps_request_end(ps->worker->at_barrier, error);
    ps->worker->at_barrier = NULL;
}
