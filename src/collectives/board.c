/* The board: tiny collectives on one host.
 *
 * Every rank has a row of DEPTH cells in shared memory. Call number k uses cell
 * k mod DEPTH of each row: its owner writes data, then the number k + 1.
 *
 *              call:   0    1    2    3  ...
 *      rank 0        [ 7 ][ 3 ][   ][   ]        allreduce: write one's own cell, wait for the
 *      rank 1        [ 5 ][ 1 ][   ][   ]        others', reduce all of them in rank order
 *      rank 2        [ 2 ][   ][   ][   ]        bcast: the root writes, the others read
 *                      ^ complete                reduce: all write, the root reads
 *
 * So a tiny allreduce costs one cache line from each rank instead of log2(n) messages, and
 * with more ranks than cores each rank needs its core once a call. A cell may be
 * written anew when all ranks have begun a call after the one it was for: an
 * allreduce shows that by itself, after a bcast or reduce the numbers are looked at.
 * Every rank sums along the canonical tree, so the result is the same on all and
 * reproducible.
 *
 * Who waits long says so (asleep) and sleeps in its port; who writes a cell looks, after
 * a fence, whether anybody sleeps, and wakes them with an empty frame.
 *
 * Cost: alpha' + n loads, alpha' being one cache line between cores.
 */
#include "board.h"

#include "collectives.h"
#include "errors.h"
#include "loss.h"
#include "rank.h"

#include "clock.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEPTH = 8,
    LOOKS = 16, /* looks at a cell between two rounds of progress, each rank having a core */
};

struct cell {
    _Atomic uint32_t number; /* of the call it is for, plus 1 */
    uint32_t signature;
    unsigned char data[PL_BOARD_BYTES];
};

struct row {
    struct cell cells[DEPTH];
};

struct head {
    _Atomic int sleepers;
    _Atomic int left;
    char unused[56];
};

struct pl_board {
    struct pl_comm *comm;
    struct head *head;
    struct row *rows;              /* [size] */
    _Atomic unsigned char *asleep; /* [size] */
    uint32_t next;                 /* number of the next call */
    uint32_t begun;                /* every rank is known to have begun the calls before this one */
    unsigned char *scratch;        /* [size * PL_BOARD_BYTES] operands of a reduction */
};

size_t pl_board_bytes(int size)
{
    return sizeof(struct head) + (size_t)size * (sizeof(struct row) + 1);
}

struct pl_board *pl_board_create(struct pl_comm *comm, void *memory)
{
    struct pl_board *board = calloc(1, sizeof *board + (size_t)comm->size * PL_BOARD_BYTES);
    if (!board)
        return NULL;
    board->comm = comm;
    board->head = memory;
    board->rows = (struct row *)(void *)(board->head + 1);
    board->asleep = (_Atomic unsigned char *)(void *)(board->rows + comm->size);
    board->scratch = (unsigned char *)(board + 1);
    return board;
}

void pl_board_destroy(struct pl_board *board)
{
    if (board)
        atomic_fetch_add(&board->head->left, 1);
    free(board);
}

bool pl_board_empty(const void *memory, int size)
{
    const struct head *head = memory;
    return atomic_load(&head->left) == size;
}

static struct cell *cell_of(const struct pl_board *board, int rank, uint32_t call)
{
    return &board->rows[rank].cells[call % DEPTH];
}

/* Numbers only grow, and never by 2^31 between two looks. */
static bool reached(const struct cell *cell, uint32_t number)
{
    return (int32_t)(atomic_load_explicit(&cell->number, memory_order_acquire) - number) >= 0;
}

static int sleep_until(struct pl_board *board, const struct cell *cell, uint32_t number, unsigned idle)
{
    int me = board->comm->rank, error = 0;
    atomic_store(&board->asleep[me], 1);
    atomic_fetch_add(&board->head->sleepers, 1);
    if (!reached(cell, number))
        error = pl_idle(board->comm->owner, idle);
    atomic_store(&board->asleep[me], 0);
    atomic_fetch_sub(&board->head->sleepers, 1);
    return error;
}

/* Waits until the rank's cell has the number. */
static int await(struct pl_board *board, int rank, const struct cell *cell, uint32_t number)
{
    struct pl_rank *self = board->comm->owner;
    unsigned looks = self->spin ? LOOKS : 1;
    for (unsigned idle = 0;; idle++) {
        for (unsigned look = 0; look < looks; look++) {
            if (reached(cell, number))
                return 0;
            pl_relax();
        }
        int events = pl_progress(self);
        if (events < 0)
            return events;
        if (board->comm->broken && !reached(cell, number))
            return pl_comm_check(board->comm, ~0u);
        if (events)
            idle = 0;
        int error = pl_idle_sleeps(self, idle) ? sleep_until(board, cell, number, idle) : pl_idle(self, idle);
        if (error)
            return error;
    }
}

/* Waits until this call's cell of the own row may be written. */
static int make_room(struct pl_board *board)
{
    uint32_t call = board->next;
    if (call - board->begun < DEPTH - 1)
        return 0;
    uint32_t oldest = call - (DEPTH - 1);
    for (int rank = 0; rank < board->comm->size; rank++) {
        int error = await(board, rank, cell_of(board, rank, oldest), oldest + 1);
        if (error)
            return error;
    }
    board->begun = oldest + 1;
    return 0;
}

static void wake_sleepers(struct pl_board *board)
{
    const struct pl_comm *comm = board->comm;
    for (int rank = 0; rank < comm->size; rank++)
        if (rank != comm->rank && atomic_load(&board->asleep[rank]))
            pl_peer_wake(comm->owner, comm->group->peers[rank]);
}

/* Writes this call's cell of the own row and tells who sleeps. */
static void publish(struct pl_board *board, const void *data, size_t length, uint32_t signature)
{
    struct cell *cell = cell_of(board, board->comm->rank, board->next);
    if (length)
        memcpy(cell->data, data, length);
    cell->signature = signature;
    atomic_store_explicit(&cell->number, board->next + 1, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&board->head->sleepers, memory_order_relaxed))
        wake_sleepers(board);
}

static int mismatch(struct pl_board *board, int rank, uint32_t mine, uint32_t theirs)
{
    char text[256];
    pl_coll_explain(board->comm->owner, mine, theirs, text, sizeof text);
    return pl_fail(PL_EMISMATCH, "rank %d of %s is in another collective call than rank %d: %s", rank,
                   board->comm->name, board->comm->rank, text);
}

/* Waits for this call's cell of a rank. */
static int receive(struct pl_board *board, int rank, uint32_t signature, const struct cell **cell)
{
    struct cell *found = cell_of(board, rank, board->next);
    int error = await(board, rank, found, board->next + 1);
    if (!error && found->signature != signature)
        error = mismatch(board, rank, signature, found->signature);
    *cell = found;
    return error;
}

/* operand[0] = operand[0] op ... op operand[n-1], along the canonical tree. */
static int tree_reduce(const struct pl_coll_call *call, unsigned char *operand, int n)
{
    if (n == 1)
        return 0;
    int left = pl_tree_split(n);
    unsigned char *right = operand + (size_t)left * PL_BOARD_BYTES;
    int error = tree_reduce(call, operand, left);
    if (!error)
        error = tree_reduce(call, right, n - left);
    if (!error)
        error = pl_op_apply(call->op, call->type, operand, right, operand, call->count);
    return error;
}

static int reduce_all(struct pl_board *board, const struct pl_coll_call *call, size_t length,
                      uint32_t signature)
{
    int size = board->comm->size;
    for (int rank = 0; rank < size; rank++) {
        const struct cell *cell;
        int error = receive(board, rank, signature, &cell);
        if (error)
            return error;
        memcpy(board->scratch + (size_t)rank * PL_BOARD_BYTES, cell->data, length);
    }
    int error = length ? tree_reduce(call, board->scratch, size) : 0;
    if (!error && length)
        memcpy(call->out, board->scratch, length);
    return error;
}

static int barrier(struct pl_board *board, uint32_t signature)
{
    publish(board, NULL, 0, signature);
    for (int rank = 0; rank < board->comm->size; rank++) {
        const struct cell *cell;
        int error = receive(board, rank, signature, &cell);
        if (error)
            return error;
    }
    board->begun = board->next + 1;
    return 0;
}

static int bcast(struct pl_board *board, const struct pl_coll_call *call, size_t length, uint32_t signature)
{
    bool at_root = board->comm->rank == call->root;
    const struct cell *cell;
    int error = at_root ? 0 : receive(board, call->root, signature, &cell);
    if (!error && !at_root && length)
        memcpy(call->out, cell->data, length);
    /* also after a mismatch: others wait for this rank's number before they use a cell anew */
    publish(board, call->out, at_root ? length : 0, signature);
    return error;
}

int pl_board_call(struct pl_board *board, const struct pl_coll_call *call, uint32_t signature)
{
    size_t length = call->type ? call->count * call->type->size : 0;
    const void *in = call->in_place ? call->out : call->in;
    int error = make_room(board);
    if (error)
        return error;
    switch (call->collective) {
    case PL_BARRIER:
        error = barrier(board, signature);
        break;
    case PL_BCAST:
        error = bcast(board, call, length, signature);
        break;
    case PL_REDUCE:
        publish(board, in, length, signature);
        if (board->comm->rank == call->root)
            error = reduce_all(board, call, length, signature);
        break;
    default:
        publish(board, in, length, signature);
        error = reduce_all(board, call, length, signature);
        if (!error)
            board->begun = board->next + 1;
        break;
    }
    board->next++;
    return error;
}
