/* The board: tiny collectives on one host.
 *
 * Every rank has a row of cells in shared memory. Call number k uses cell
 * k mod `depth` of each row: its owner writes data, then the number k + 1.
 *
 *              call:   0    1    2    3  ...   done
 *      rank 0        [ 7 ][ 3 ][   ][   ]      [ 0 ]    allreduce: write one's own cell, wait for the
 *      rank 1        [ 5 ][ 1 ][   ][   ]      [ 0 ]    others', reduce all of them in rank order
 *      rank 2        [ 2 ][   ][   ][   ]      [ 0 ]    bcast, scatter: the root writes, the others read
 *                      ^ complete                       reduce, gather: the others write, the root reads
 *
 * So a tiny allreduce costs one cache line from each rank instead of log2(n) messages, and
 * with more ranks than cores each rank needs its core once a call. A cell may be
 * written anew when all ranks have completed the call that it was for. An allreduce
 * shows that by itself; for a bcast or reduce every rank tells, now and then, how many it
 * has completed, and who would run `depth` calls ahead waits for that. So a stream of them
 * moves one line a call, and in one direction; and where ranks share cores, it changes between them once in
 * many calls. That is why rows are deep there.
 * Every rank sums along the canonical tree, so the result is the same on all and
 * reproducible.
 *
 * Who waits long says so (asleep) and sleeps in its port; who writes a cell looks, after
 * a fence, whether anybody sleeps, and wakes them with an empty frame. Rejected: that sleepers fence for all
 * (membarrier), which made a stream of bcasts no faster.
 *
 * Cost: alpha' + n loads, alpha' being one cache line between cores.
 */
#include "board.h"

#include "collectives.h"
#include "doubt.h"
#include "errors.h"
#include "loss.h"
#include "rank.h"
#include "tiny.h"

#include "clock.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    CELLS = 512,     /* of all rows together, about */
    DEEP = 64,       /* cells of a row: at most ... */
    SHALLOW = 16,    /* ... and at least */
    LOOKS = 16,      /* looks at a cell between two rounds of progress, each rank having a core */
    MOST = 32 << 10, /* bytes gathered at most; data of devices is staged up to there (src/mpi) */
    HASTY = 8,       /* such rounds before one begins to spare the other hardware thread */
};

struct cell {
    alignas(64) _Atomic uint32_t number; /* of the call it is for, plus 1 */
    uint32_t signature;
    uint32_t history; /* of the calls before it on this board, hashed */
    uint32_t unused;
    unsigned char data[PL_BOARD_BYTES]; /* as much of it as fits shares the number's line; what most calls
                                           leave free keeps a reader's prefetcher away from the next cell */
};

struct told {
    alignas(64) _Atomic uint32_t done; /* calls that a rank has completed, as it said last */
};

struct head {
    _Atomic int sleepers;
    _Atomic int left;
    char unused[56];
};

struct pl_board {
    struct pl_comm *comm;
    struct head *head;
    struct told *told;             /* [size] */
    struct cell *cells;            /* [size][depth], depth a power of two */
    _Atomic unsigned char *asleep; /* [size] */
    uint32_t depth;
    const unsigned char *own; /* what the rank itself brings to this call */
    uint32_t history;         /* the signatures of all calls so far, hashed */
    uint32_t next;            /* number of the next call */
    uint32_t done;            /* every rank is known to have completed the calls before this one */
    unsigned char *scratch;   /* [size * PL_BOARD_BYTES] operands of a reduction */
};

/* With a core for each rank, the cells that are written in turn shall stay in the first-level cache. */
static uint32_t depth_of(int size, bool crowded)
{
    uint32_t depth = crowded ? DEEP : SHALLOW;
    while (depth > SHALLOW && depth * (uint32_t)size > CELLS)
        depth /= 2;
    return depth;
}

size_t pl_board_bytes(int size, bool crowded)
{
    size_t row = sizeof(struct told) + depth_of(size, crowded) * sizeof(struct cell) + 1;
    return sizeof(struct head) + (size_t)size * row;
}

struct pl_board *pl_board_create(struct pl_comm *comm, void *memory, bool crowded)
{
    struct pl_board *board = calloc(1, sizeof *board + (size_t)comm->size * PL_BOARD_BYTES);
    if (!board)
        return NULL;
    board->comm = comm;
    board->head = memory;
    board->depth = depth_of(comm->size, crowded);
    board->told = (struct told *)(void *)(board->head + 1);
    board->cells = (struct cell *)(void *)(board->told + comm->size);
    board->asleep = (_Atomic unsigned char *)(void *)(board->cells + (size_t)comm->size * board->depth);
    board->scratch = (unsigned char *)(board + 1);
    return board;
}

void pl_board_destroy(struct pl_board *board)
{
    if (board)
        atomic_fetch_add(&board->head->left, 1);
    free(board);
}

const _Atomic int *pl_board_left(const void *memory)
{
    const struct head *head = memory;
    return &head->left;
}

static struct cell *cell_of(const struct pl_board *board, int rank, uint32_t call)
{
    return &board->cells[(uint32_t)rank * board->depth + (call & (board->depth - 1))];
}

/* Where byte `at` of this call's data of a rank lies: its own where it always was. */
static const unsigned char *data_of(const struct pl_board *board, int rank, size_t at)
{
    return at + (rank == board->comm->rank ? board->own : cell_of(board, rank, board->next)->data);
}

/* The bytes that a rank writes, where ranks write different amounts the most: its block, or one for each
 * rank.
 */
static size_t longest(const struct pl_coll_call *call)
{
    size_t bytes = call->type ? call->count * call->type->size : 0;
    bool blocks = call->collective == PL_SCATTER || call->collective == PL_ALLTOALL ||
                  call->collective == PL_REDUCE_SCATTER;
    return blocks ? bytes * (size_t)call->comm->size : bytes;
}

/* Numbers only grow, and never by 2^31 between two looks. */
static bool reached(_Atomic uint32_t *word, uint32_t number)
{
    return (int32_t)(atomic_load_explicit(word, memory_order_acquire) - number) >= 0;
}

static int sleep_until(struct pl_board *board, int rank, _Atomic uint32_t *word, uint32_t number,
                       unsigned idle)
{
    struct pl_collectives *own = board->comm->owner->collectives_state;
    int me = board->comm->rank, error = 0;
    own->on_board = board->comm;
    own->board_rank = rank;
    board->comm->owner->awaits = board->comm->group->peers[rank] + 1;
    atomic_store(&board->asleep[me], 1);
    atomic_fetch_add(&board->head->sleepers, 1);
    if (!reached(word, number))
        error = pl_idle(board->comm->owner, idle);
    atomic_store(&board->asleep[me], 0);
    atomic_fetch_sub(&board->head->sleepers, 1);
    return error;
}

/* Waits until a word of the rank has the number. */
static int await_long(struct pl_board *board, int rank, _Atomic uint32_t *word, uint32_t number, bool *slept)
{
    struct pl_rank *self = board->comm->owner;
    unsigned looks = self->spin ? LOOKS : 1;
    for (unsigned idle = 0;; idle++) {
        for (unsigned look = 0; look < looks; look++) {
            if (reached(word, number))
                return 0;
            if (idle >= HASTY)
                pl_relax();
        }
        int events = pl_progress(self);
        if (events < 0)
            return events;
        if (board->comm->broken && !reached(word, number))
            return pl_comm_check(board->comm, ~0u);
        if (events)
            idle = 0;
        bool sleeps = pl_idle_sleeps(self, idle);
        *slept = *slept || sleeps;
        int error = sleeps ? sleep_until(board, rank, word, number, idle) : pl_idle(self, idle);
        if (error)
            return error;
    }
}

static inline int await(struct pl_board *board, int rank, _Atomic uint32_t *word, uint32_t number)
{
    if (reached(word, number))
        return 0;
    bool slept = false;
    int error = await_long(board, rank, word, number, &slept);
    if (slept) {
        ((struct pl_collectives *)board->comm->owner->collectives_state)->on_board = NULL;
        board->comm->owner->awaits = 0;
    }
    return error;
}

/* Waits until this call's cell of the own row may be written. */
static int make_room(struct pl_board *board)
{
    if (board->next - board->done < board->depth)
        return 0;
    uint32_t needed = board->next - board->depth + 1, least = board->next;
    for (int rank = 0; rank < board->comm->size; rank++) {
        _Atomic uint32_t *done = &board->told[rank].done;
        int error = rank == board->comm->rank ? 0 : await(board, rank, done, needed);
        if (error)
            return error;
        uint32_t theirs =
            rank == board->comm->rank ? least : atomic_load_explicit(done, memory_order_acquire);
        if ((int32_t)(theirs - least) < 0)
            least = theirs;
    }
    board->done = least;
    return 0;
}

static void wake_sleepers(struct pl_board *board)
{
    const struct pl_comm *comm = board->comm;
    for (int rank = 0; rank < comm->size; rank++)
        if (rank != comm->rank && atomic_load(&board->asleep[rank]))
            pl_peer_wake(comm->owner, comm->group->peers[rank]);
}

/* What was just written is seen by whoever sleeps for it. */
static void rouse(struct pl_board *board)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (__builtin_expect(atomic_load_explicit(&board->head->sleepers, memory_order_relaxed), 0))
        wake_sleepers(board);
}

/* Writes this call's cell of the own row: `length` bytes, but for `gap` from byte `at` on, which no other
 * rank reads. */
static int publish(struct pl_board *board, const void *data, size_t length, size_t at, size_t gap,
                   uint32_t signature)
{
    int error = make_room(board);
    if (error)
        return error;
    struct cell *cell = cell_of(board, board->comm->rank, board->next);
    size_t after = at + gap;
    board->own = data;
    if (at)
        memcpy(cell->data, data, at);
    if (after < length)
        memcpy(cell->data + after, board->own + after, length - after);
    cell->signature = signature;
    cell->history = board->history;
    atomic_store_explicit(&cell->number, board->next + 1, memory_order_release);
    rouse(board);
    return 0;
}

/* This call is over. */
static void complete(struct pl_board *board)
{
    board->next++;
    if (board->next & (board->depth / 4 - 1))
        return;
    atomic_store_explicit(&board->told[board->comm->rank].done, board->next, memory_order_release);
    rouse(board);
}

/* The rank is in another call, or was in the one before. */
static int differs(struct pl_board *board, int rank, uint32_t mine, uint32_t theirs)
{
    const struct cell *before = cell_of(board, rank, board->next - 1);
    if (mine != theirs)
        return pl_doubt_differ(board->comm, rank, mine, theirs);
    return pl_doubt_differed(board->comm, rank,
                             atomic_load(&before->number) == board->next ? before->signature : 0);
}

/* Waits for this call's cell of a rank. */
static int receive(struct pl_board *board, int rank, uint32_t signature)
{
    struct cell *cell = cell_of(board, rank, board->next);
    int error = await(board, rank, &cell->number, board->next + 1);
    if (!error && ((cell->signature ^ signature) | (cell->history ^ board->history)))
        error = differs(board, rank, signature, cell->signature);
    return error;
}

/* Waits for those of all other ranks. */
static int receive_all(struct pl_board *board, uint32_t signature)
{
    int error = 0;
    for (int rank = 0; rank < board->comm->size && !error; rank++)
        if (rank != board->comm->rank)
            error = receive(board, rank, signature);
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

/* Sums the call's `count` elements that begin at byte `at` of the ranks' data. */
static int reduce(struct pl_board *board, const struct pl_coll_call *call, size_t at)
{
    int size = board->comm->size;
    size_t bytes = call->type ? call->count * call->type->size : 0;
    if (!bytes)
        return 0;
    if (size == 2)
        return pl_op_apply(call->op, call->type, data_of(board, 0, at), data_of(board, 1, at), call->out,
                           call->count);
    for (int rank = 0; rank < size; rank++)
        memcpy(board->scratch + (size_t)rank * PL_BOARD_BYTES, data_of(board, rank, at), bytes);
    int error = tree_reduce(call, board->scratch, size);
    if (!error)
        memcpy(call->out, board->scratch, bytes);
    return error;
}

/* Takes `bytes` bytes of every rank, which begin at byte `at` of its data. */
static void take_all(struct pl_board *board, const struct pl_coll_call *call, size_t at, size_t bytes)
{
    for (int rank = 0; rank < board->comm->size && bytes; rank++) {
        unsigned char *to = (unsigned char *)call->out + (size_t)rank * bytes;
        const unsigned char *from = data_of(board, rank, at);
        if (to != from) /* in place */
            memcpy(to, from, bytes);
    }
}

/* Barrier, allreduce, reduce_scatter, allgather and alltoall: all write, all read. */
static int all_to_all(struct pl_board *board, const struct pl_coll_call *call, size_t bytes,
                      uint32_t signature)
{
    size_t mine = (size_t)board->comm->rank * bytes, length = longest(call);
    const char *in = call->in_place ? call->out : call->in;
    if (call->collective == PL_ALLGATHER && call->in_place)
        in += mine;
    bool blocks = call->collective == PL_ALLTOALL || call->collective == PL_REDUCE_SCATTER;
    int error = publish(board, in, length, blocks ? mine : 0, blocks ? bytes : 0, signature);
    if (!error)
        error = receive_all(board, signature);
    if (error)
        return error;
    board->done = board->next; /* all are in this call */
    if (call->collective == PL_ALLGATHER)
        take_all(board, call, 0, bytes);
    else if (call->collective == PL_ALLTOALL)
        take_all(board, call, mine, bytes);
    else
        return reduce(board, call, call->collective == PL_REDUCE_SCATTER ? mine : 0);
    return 0;
}

static int bcast(struct pl_board *board, const struct pl_coll_call *call, size_t length, uint32_t signature)
{
    if (board->comm->rank == call->root)
        return publish(board, call->out, length, 0, 0, signature);
    int error = receive(board, call->root, signature);
    if (!error && length)
        memcpy(call->out, data_of(board, call->root, 0), length);
    return error;
}

static int scatter(struct pl_board *board, const struct pl_coll_call *call, size_t bytes, uint32_t signature)
{
    size_t length = (size_t)board->comm->size * bytes, mine = (size_t)board->comm->rank * bytes;
    bool root = board->comm->rank == call->root;
    int error = root ? publish(board, call->in, length, mine, bytes, signature)
                     : receive(board, call->root, signature);
    if (!error && bytes && !(root && call->in_place))
        memcpy(call->out, data_of(board, call->root, mine), bytes);
    return error;
}

/* Reduce and gather. */
static int to_root(struct pl_board *board, const struct pl_coll_call *call, size_t bytes, uint32_t signature)
{
    const char *in = call->in_place ? call->out : call->in;
    bool root = board->comm->rank == call->root;
    if (call->collective == PL_GATHER && call->in_place)
        in += (size_t)call->root * bytes;
    int error = publish(board, in, bytes, 0, root ? bytes : 0, signature);
    if (error || !root)
        return error;
    error = receive_all(board, signature);
    if (!error && call->collective == PL_GATHER)
        take_all(board, call, 0, bytes);
    else if (!error)
        error = reduce(board, call, 0);
    return error;
}

bool pl_board_serves(const struct pl_coll_call *call)
{
    if (call->uneven ||
        (call->type && (!call->type->contiguous || (call->type->size && call->count > PL_BOARD_BYTES))))
        return false;
    size_t bytes = call->type ? call->count * call->type->size : 0, size = (size_t)call->comm->size;
    switch (call->collective) {
    case PL_BARRIER:
        return true;
    case PL_BCAST:
    case PL_REDUCE:
    case PL_ALLREDUCE:
        return bytes <= PL_BOARD_VECTOR;
    case PL_GATHER:
    case PL_ALLGATHER:
        return bytes <= PL_BOARD_VECTOR && bytes * size <= MOST;
    case PL_SCATTER:
    case PL_ALLTOALL:
    case PL_REDUCE_SCATTER:
        return bytes * size <= PL_BOARD_BYTES;
    default:
        return false;
    }
}

int pl_board_call(struct pl_board *board, const struct pl_coll_call *call, uint32_t signature)
{
    size_t bytes = call->type ? call->count * call->type->size : 0;
    int error;
    pl_doubt_note(board->comm, signature, bytes);
    if (__builtin_expect(board->comm->claim != NULL, 0) && pl_doubt_claimed(board->comm))
        return pl_comm_check(board->comm, ~0u);
    if (call->collective == PL_BCAST)
        error = bcast(board, call, bytes, signature);
    else if (call->collective == PL_SCATTER)
        error = scatter(board, call, bytes, signature);
    else if (call->collective == PL_REDUCE || call->collective == PL_GATHER)
        error = to_root(board, call, bytes, signature);
    else
        error = all_to_all(board, call, bytes, signature);
    board->history = board->history * 31 + signature;
    complete(board); /* also after a mismatch: others wait for this rank before they use a cell anew */
    return error;
}
