/* Frames of medium length: the sender lays the payload out in memory of its own that
 * every peer has mapped, its arena, and a record of one cell says where.
 *
 *     sender    [ copies | copies | copies ]      written: 8K  16K  24K
 *     ring        \__ FAR(offset, total)
 *     receiver       [ copies | copies | copies ]             taken: 1
 *
 * The receiver copies a piece while the sender lays out the next. Blocks are given out
 * around the arena and taken back in the same order, when the next one needs room.
 *
 * Why not in the ring: it is small, so that its lines are still in the receiver's cache when the sender
 * comes round again, and taking a line away from there costs much more than writing one that
 * nobody holds (measured on two cores: 7-9 GB/s against 19-22). An arena is as
 * large as a second-level cache, and its lines have left the receiver's before they
 * are written anew. Why not process_vm_readv: two system calls' worth of entering and finding pages is
 * longer than the second copy up to some 64 KiB; and what is laid out lets the sender go.
 *
 * Where there is no room, or a peer has not said that it has the arena mapped, frames go
 * through the ring as they always can.
 */
#include "shm_port.h"

#include "clock.h"
#include "errors.h"

enum {
    PIECE = 8 << 10,        /* bytes laid out before the receiver is told */
    PATIENCE = 2000,        /* looks for the next piece before others have their turn */
    SHARE_ALL = 64 << 20,   /* bytes that the arenas of all ranks of a host may come to ... */
    SHARE_LEAST = 256 << 10 /* ... if each has this much */
};

/* The arena: who has taken what, and behind it the blocks. */
struct pl_arena {
    _Atomic uint32_t
        taken[PL_ARENA_BLOCKS]; /* by receivers: the number of the frame that they need no more */
    alignas(64) unsigned char blocks[];
};
enum { BLOCKS_BYTES = PL_ARENA_BYTES - (int)sizeof(struct pl_arena) };

/* A block of a frame that comes in pieces begins with it. */
struct pl_far_head {
    alignas(64) _Atomic uint64_t written; /* bytes laid out */
};

/* What the cell of a FAR says. */
struct pl_far {
    uint32_t offset, total; /* of the block; payload bytes */
    uint32_t number;        /* of the frame, in its sender; modulo PL_ARENA_BLOCKS, of its word in `taken` */
    uint32_t pieces;        /* 1: it comes in pieces; 0: it is whole, and has no head */
};
_Static_assert(sizeof(struct pl_far) <= PL_CELL_INLINE, "it fits into one cell");

void pl_shm_arena_init(struct pl_shm_port *port, int ranks)
{
    port->arena.first = 1; /* all of `taken` is 0 */
    size_t share = ranks > 0 ? (size_t)SHARE_ALL / (size_t)ranks : BLOCKS_BYTES;
    share = share < SHARE_LEAST ? SHARE_LEAST : share;
    port->arena.size = share < BLOCKS_BYTES ? share & ~(size_t)63 : BLOCKS_BYTES;
}

/* ---- sender ---- */

/* Whether nobody will read the oldest block any more. */
static bool given_back(struct pl_shm_port *port, uint32_t number)
{
    const struct pl_arena *arena = pl_segment_arena(port->segment, port->slots);
    const struct pl_shm_peer *peer = port->peers[port->arena.block[number % PL_ARENA_BLOCKS].peer];
    return atomic_load_explicit(&arena->taken[number % PL_ARENA_BLOCKS], memory_order_acquire) == number ||
           peer->error || peer->left ||
           atomic_load_explicit(&peer->view.segment->state, memory_order_relaxed) & PL_SHM_CLOSED;
}

/* Where a block of so many bytes can begin; false: nowhere now. The blocks in use are those from the oldest
 * one's offset up to `next`, around the end. */
static bool find_room(struct pl_shm_arena *arena, size_t bytes, size_t *offset)
{
    if (!arena->count) {
        *offset = arena->size - arena->next >= bytes ? arena->next : 0;
        return bytes <= arena->size;
    }
    size_t oldest = arena->block[arena->first % PL_ARENA_BLOCKS].offset;
    if (arena->next > oldest && arena->size - arena->next >= bytes)
        *offset = arena->next;
    else if (arena->next > oldest && oldest >= bytes)
        *offset = 0;
    else if (arena->next < oldest && oldest - arena->next >= bytes)
        *offset = arena->next;
    else
        return false;
    return true;
}

static bool block_take(struct pl_shm_port *port, int peer, size_t bytes, struct pl_far *far)
{
    struct pl_shm_arena *arena = &port->arena;
    size_t offset;
    while (arena->count == PL_ARENA_BLOCKS || !find_room(arena, bytes, &offset)) {
        if (!arena->count || !given_back(port, arena->first))
            return false;
        arena->first++;
        arena->count--;
    }
    far->offset = (uint32_t)offset;
    far->number = arena->first + (uint32_t)arena->count++;
    arena->block[far->number % PL_ARENA_BLOCKS] = (struct pl_shm_block){far->offset, peer};
    arena->next = offset + bytes;
    return true;
}

/* Whether the peer has this rank's arena mapped. */
static bool is_mapped(struct pl_shm_port *port, struct pl_shm_peer *peer)
{
    if (!peer->has_arena) {
        uint64_t word = atomic_load_explicit(
            &pl_segment_mappers(port->segment, port->slots)[peer->endpoint.peer / 64], memory_order_acquire);
        peer->has_arena = word >> peer->endpoint.peer % 64 & 1;
    }
    return peer->has_arena;
}

/* Lays out all but the first piece. */
static void lay_out(struct pl_far_head *head, const char *payload, size_t length)
{
    for (size_t done = PIECE; done < length;) {
        size_t piece = length - done < PIECE ? length - done : PIECE;
        pl_ring_copy_long((char *)(head + 1) + done, payload + done, piece);
        done += piece;
        atomic_store_explicit(&head->written, done, memory_order_release);
    }
}

bool pl_shm_far_send(struct pl_shm_port *port, struct pl_shm_peer *peer, const struct pl_operation *operation,
                     int *error)
{
    size_t length = operation->length;
    struct pl_far far = {.total = (uint32_t)length, .pieces = length > 2 * PIECE && !port->reads_alone};
    size_t bytes = (far.pieces ? sizeof(struct pl_far_head) : 0) + ((length + 63) & ~(size_t)63);
    if (length > PL_FAR_MOST || !is_mapped(port, peer) || !pl_ring_room(&peer->out, 1, 1) ||
        !block_take(port, peer->endpoint.peer, bytes, &far))
        return false;
    struct pl_arena *arena = pl_segment_arena(port->segment, port->slots);
    struct pl_far_head *head = (struct pl_far_head *)(void *)(arena->blocks + far.offset);
    if (far.pieces) {
        pl_ring_copy_long(head + 1, operation->payload, PIECE);
        atomic_store_explicit(&head->written, PIECE, memory_order_relaxed);
    } else {
        pl_ring_copy_long(head, operation->payload, length);
    }
    struct pl_cell *cell = &peer->out.ring->cells[peer->out.index];
    cell->header = operation->header;
    memcpy(cell->data, &far, sizeof far);
    pl_ring_publish(&peer->out, PL_RECORD_FAR, 0, 1);
    *error = pl_shm_ring_bell(peer);
    if (far.pieces) {
        lay_out(head, operation->payload, length);
        int gone = pl_shm_ring_bell(peer);
        *error = *error ? *error : gone;
    }
    return true;
}

/* ---- receiver ---- */

bool pl_shm_far_waits(const struct pl_shm_peer *peer)
{
    return peer->far && atomic_load_explicit(&peer->far->written, memory_order_acquire) != peer->landed;
}

static void copy_out(struct pl_shm_peer *peer, size_t upto)
{
    const char *payload = (const char *)(peer->far + 1);
    if (peer->landing.buffer && peer->landed < peer->landing.capacity) {
        size_t most = upto < peer->landing.capacity ? upto : peer->landing.capacity;
        pl_ring_copy_long((char *)peer->landing.buffer + peer->landed, payload + peer->landed,
                          most - peer->landed);
    }
    peer->landed = upto;
}

bool pl_shm_far_go(struct pl_shm_port *port, struct pl_shm_peer *peer)
{
    for (int look = 0; look < (port->reads_alone ? 1 : PATIENCE); look++) {
        uint64_t written = atomic_load_explicit(&peer->far->written, memory_order_acquire);
        if (written == peer->landed) {
            pl_relax();
            continue;
        }
        if (written < peer->landed || written > peer->total)
            return false;
        copy_out(peer, written);
        if (written < peer->total) {
            look = 0;
            continue;
        }
        atomic_store_explicit(peer->taken, peer->number, memory_order_release);
        pl_shm_end_stream(port, peer, 0);
        return true;
    }
    return true;
}

bool pl_shm_far_take(struct pl_shm_port *port, struct pl_shm_peer *peer, struct pl_cell *cell)
{
    struct pl_far far;
    memcpy(&far, cell->data, sizeof far);
    size_t before = far.pieces ? sizeof(struct pl_far_head) : 0;
    if (!peer->view.segment || far.offset % 64 || !far.total || far.total > PL_FAR_MOST ||
        far.offset > BLOCKS_BYTES - before - far.total)
        return false;
    struct pl_arena *arena = pl_segment_arena(peer->view.segment, peer->view.slots);
    unsigned char *block = arena->blocks + far.offset;
    peer->taken = &arena->taken[far.number % PL_ARENA_BLOCKS];
    peer->number = far.number;
    if (port->closing || !far.pieces) {
        if (!port->closing)
            port->upcalls->arrived(port->context, peer->endpoint.peer, &cell->header, far.total, block, NULL);
        atomic_store_explicit(peer->taken, peer->number, memory_order_release);
        return true;
    }
    peer->total = far.total;
    peer->landed = 0;
    peer->landing = (struct pl_landing){NULL, 0, NULL};
    port->upcalls->arrived(port->context, peer->endpoint.peer, &cell->header, far.total, NULL,
                           &peer->landing);
    peer->streaming = true;
    peer->far = (struct pl_far_head *)(void *)block;
    port->fars++;
    return pl_shm_far_go(port, peer);
}
