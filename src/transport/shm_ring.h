/* The ring: how one rank writes records that one other rank reads, without a lock.
 *
 * A ring lies in the receiver's segment; one sender owns it. It is an array of
 * 64-byte cells. A record takes one or more neighbouring cells; its first cell
 * begins with a word that is 0 until the record is whole and is written last
 * (release), so that one cache line brings word, header and a short payload:
 *
 *      | word 8 | header 32 | up to 24 bytes of payload |      a short frame: one line
 *      | word 8 | header 32 | total 8 | - |  payload in the cells that follow ...
 *
 * The receiver looks at one word and nothing else; having consumed a record it
 * sets that word back to 0, so the next look at the cell, a lap later, hits its
 * own cache. The words inside a long record are payload and may hold anything:
 * the sender remembers in a bitmap of its own which cells it has soiled, and
 * clears the one behind a record before it publishes the record. The receiver
 * tells how far it is once in an eighth of the ring, in a line of its own, and
 * the sender looks at that line only when it believes the ring full. So a short
 * frame moves one line from core to core, and no atomic read-modify-write is made.
 *
 * Rejected: head and tail words beside the data (two lines a frame), clearing
 * by the receiver alone (256 stores for a frame of 16 KiB), clearing ahead by the sender
 * alone (the line crosses twice), fixed slots (memory, and a copy for what is longer).
 *
 * The reader believes nothing it reads: pl_ring_peek checks each word.
 */
#ifndef PL_SHM_RING_H
#define PL_SHM_RING_H

#include "transport.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <string.h>

enum {
    PL_CELL_BYTES = 64,
    PL_CELL_INLINE = 24, /* payload bytes that share the line with word and header */
    PL_RING_BYTES = 64 << 10,
    PL_RING_CELLS = PL_RING_BYTES / PL_CELL_BYTES - 2,
    PL_RING_QUANTUM = PL_RING_CELLS / 8, /* the receiver tells how far it is once in so many cells */
    PL_RECORD_MAX = 16 << 10,            /* payload bytes of one record */
    PL_RECORD_CELLS = 1 + PL_RECORD_MAX / PL_CELL_BYTES,
    PL_STREAM_CELLS = 1 + (8 << 10) / PL_CELL_BYTES, /* most cells of one piece of a long frame */
    PL_STREAM_LEAST = 1 + (1 << 10) / PL_CELL_BYTES, /* fewest, but for the last */
};

enum pl_record {
    PL_RECORD_FRAME = 1, /* a whole frame */
    PL_RECORD_FIRST,     /* the first piece of a long frame: header, total length, bytes */
    PL_RECORD_MORE,      /* the next piece */
    PL_RECORD_HELP,      /* no frame: the header is a struct pl_shm_task */
    PL_RECORD_SKIP,      /* nothing up to the end of the array */
};

struct pl_cell {
    alignas(PL_CELL_BYTES) _Atomic uint64_t word; /* kind, length and a sequence number: PL_WORD */
    struct pl_header header;
    unsigned char data[PL_CELL_INLINE];
};

/* kind: 8 bits, payload bytes of this record: 40 bits, number of the record: 16 bits */
#define PL_WORD(kind, length, sequence)                                                                      \
    ((uint64_t)(kind) | (uint64_t)(length) << 8 | (uint64_t)(sequence) << 48)

/* What the sender says about the future of its ring. */
enum pl_ring_left {
    PL_RING_OPEN,
    PL_RING_LEFT,  /* it disconnected: a frame in the middle stays unfinished */
    PL_RING_CLOSED /* it closed its port in order: nothing follows */
};

struct pl_ring {
    /* written by the receiver */
    alignas(64) _Atomic uint64_t head; /* cells consumed since the beginning */
    /* written by the sender */
    alignas(64) _Atomic uint32_t wanted; /* the sender sleeps until head moves */
    _Atomic uint32_t left;               /* enum pl_ring_left */
    int32_t pid, fd;                     /* where the sender's own segment is found */
    uint64_t nonce;
    struct pl_cell cells[PL_RING_CELLS];
};
_Static_assert(sizeof(struct pl_ring) == PL_RING_BYTES, "cells and two lines of control fill a ring");
_Static_assert(2 * PL_RECORD_CELLS + 2 < PL_RING_CELLS - PL_RING_QUANTUM,
               "an empty ring has room for the longest record wherever it begins");

struct pl_ring_writer {
    struct pl_ring *ring; /* NULL: not yet announced */
    uint64_t tail, head;  /* cells written; cells consumed as far as is known */
    uint32_t index;       /* of the next cell */
    uint16_t sequence;    /* of the next record */
    uint64_t soiled[(PL_RING_CELLS + 63) / 64];
};

struct pl_ring_reader {
    struct pl_ring *ring; /* NULL: that peer has never written */
    uint64_t head, published;
    uint32_t index;
    uint16_t sequence;
};

/* Rings are 64 KiB apart: beginning at the same cell, they would all fight for the same few cache lines. */
static inline uint32_t pl_ring_start(int sender)
{
    return (uint32_t)sender * 5 % 60;
}

static inline uint32_t pl_ring_cells(enum pl_record kind, size_t length)
{
    if (kind == PL_RECORD_FRAME && length <= PL_CELL_INLINE)
        return 1;
    return 1 + (uint32_t)((length + PL_CELL_BYTES - 1) / PL_CELL_BYTES);
}

/* At most PL_CELL_INLINE bytes, without a call. */
static inline void pl_ring_copy_short(unsigned char *to, const void *from, size_t length)
{
    const unsigned char *f = from;
    if (length >= 8) {
        uint64_t last;
        memcpy(&last, f + length - 8, 8);
        memcpy(to, f, 8);
        if (length > 16)
            memcpy(to + 8, f + 8, 8);
        memcpy(to + length - 8, &last, 8);
    } else {
        for (size_t i = 0; i < length; i++)
            to[i] = f[i];
    }
}

/* The library's copy: told that `length` is at most so and so much, gcc writes `rep movsq`
 * in its place, which is four times slower. */
static inline void pl_ring_copy_long(void *to, const void *from, size_t length)
{
    __asm__("" : "+r"(length));
    memcpy(to, from, length);
}

/* Notes that the cells [from, to) hold payload where their words are. */
static inline void pl_ring_soil(struct pl_ring_writer *w, uint32_t from, uint32_t to)
{
    uint32_t first = from / 64, last = (to - 1) / 64;
    uint64_t above = ~(uint64_t)0 << from % 64, below = ~(uint64_t)0 >> (63 - (to - 1) % 64);
    if (first == last) {
        w->soiled[first] |= above & below;
        return;
    }
    w->soiled[first] |= above;
    for (uint32_t i = first + 1; i < last; i++)
        w->soiled[i] = ~(uint64_t)0;
    w->soiled[last] |= below;
}

/* Publishes the record at the writer's place, `cells` long. Its bytes are there already. */
static inline void pl_ring_publish(struct pl_ring_writer *w, enum pl_record kind, size_t length,
                                   uint32_t cells)
{
    uint32_t at = w->index, next = at + cells == PL_RING_CELLS ? 0 : at + cells;
    if (cells > 1 && kind != PL_RECORD_SKIP)
        pl_ring_soil(w, at + 1, at + cells);
    if (w->soiled[next / 64] >> next % 64 & 1) {
        atomic_store_explicit(&w->ring->cells[next].word, 0, memory_order_relaxed);
        w->soiled[next / 64] &= ~((uint64_t)1 << next % 64);
    }
    atomic_store_explicit(&w->ring->cells[at].word, PL_WORD(kind, length, w->sequence), memory_order_release);
    w->sequence++;
    w->tail += cells;
    w->index = next;
}

/* How many neighbouring cells can be written now: 0, or at least `least` and at
 * most `most`. One cell behind a record stays free, for its word to be 0. */
static inline uint32_t pl_ring_room(struct pl_ring_writer *w, uint32_t least, uint32_t most)
{
    for (;;) {
        uint32_t ahead = PL_RING_CELLS - w->index;
        uint32_t need = ahead < least ? ahead + least : least;
        uint64_t used = w->tail - w->head;
        if (used + need >= PL_RING_CELLS || used > PL_RING_CELLS) {
            w->head = atomic_load_explicit(&w->ring->head, memory_order_acquire);
            used = w->tail - w->head;
            if (used + need >= PL_RING_CELLS || used > PL_RING_CELLS)
                return 0;
        }
        if (ahead >= least) {
            uint64_t room = PL_RING_CELLS - 1 - used;
            if (room > ahead)
                room = ahead;
            return room < most ? (uint32_t)room : most;
        }
        pl_ring_publish(w, PL_RECORD_SKIP, 0, ahead);
    }
}

/* Writes a whole frame of at most PL_RECORD_MAX bytes, or a HELP without any. false: no room now. */
static inline bool pl_ring_put(struct pl_ring_writer *w, enum pl_record kind, const struct pl_header *header,
                               const void *payload, size_t length)
{
    uint32_t cells = pl_ring_cells(kind, length);
    if (!pl_ring_room(w, cells, cells))
        return false;
    struct pl_cell *cell = &w->ring->cells[w->index];
    cell->header = *header;
    if (cells == 1)
        pl_ring_copy_short(cell->data, payload, length);
    else
        pl_ring_copy_long(cell + 1, payload, length);
    pl_ring_publish(w, kind, length, cells);
    return true;
}

/* Writes the next piece of a long frame: bytes from `done` on. Returns how many, 0: no room now. */
static inline size_t pl_ring_put_piece(struct pl_ring_writer *w, const struct pl_header *header,
                                       const void *payload, uint64_t length, size_t done)
{
    enum pl_record kind = done ? PL_RECORD_MORE : PL_RECORD_FIRST;
    size_t left = length - done;
    uint32_t most =
        left > (PL_STREAM_CELLS - 1) * PL_CELL_BYTES ? PL_STREAM_CELLS : pl_ring_cells(kind, left);
    uint32_t cells = pl_ring_room(w, most < PL_STREAM_LEAST ? most : PL_STREAM_LEAST, most);
    if (!cells)
        return 0;
    struct pl_cell *cell = &w->ring->cells[w->index];
    size_t bytes = (size_t)(cells - 1) * PL_CELL_BYTES;
    if (bytes > left)
        bytes = left;
    if (!done) {
        cell->header = *header;
        memcpy(cell->data, &length, sizeof length);
    }
    pl_ring_copy_long(cell + 1, (const char *)payload + done, bytes);
    pl_ring_publish(w, kind, bytes, cells);
    return bytes;
}

/* Whether a record waits. */
static inline bool pl_ring_ready(const struct pl_ring_reader *r)
{
    return atomic_load_explicit(&r->ring->cells[r->index].word, memory_order_acquire) != 0;
}

/* What one look found. */
struct pl_record_view {
    enum pl_record kind;
    uint32_t cells;
    size_t length;
    struct pl_cell *cell;
};

/* 1: *view is the next record. 0: there is none. -1: what is there was written by no sender of ours. */
static inline int pl_ring_peek(const struct pl_ring_reader *r, struct pl_record_view *view)
{
    struct pl_cell *cell = &r->ring->cells[r->index];
    uint64_t word = atomic_load_explicit(&cell->word, memory_order_acquire);
    if (!word)
        return 0;
    view->cell = cell;
    view->kind = (enum pl_record)(word & 0xff);
    view->length = word >> 8 & 0xffffffffff;
    if ((uint16_t)(word >> 48) != r->sequence || view->length > PL_RECORD_MAX ||
        view->kind < PL_RECORD_FRAME || view->kind > PL_RECORD_SKIP)
        return -1;
    uint32_t ahead = PL_RING_CELLS - r->index;
    view->cells = view->kind == PL_RECORD_SKIP ? ahead : pl_ring_cells(view->kind, view->length);
    return view->cells <= ahead ? 1 : -1;
}

/* Consumes the record that was looked at. Returns whether the sender was told how far the receiver is. */
static inline bool pl_ring_pop(struct pl_ring_reader *r, const struct pl_record_view *view)
{
    atomic_store_explicit(&view->cell->word, 0, memory_order_relaxed);
    r->sequence++;
    r->head += view->cells;
    r->index += view->cells;
    if (r->index == PL_RING_CELLS)
        r->index = 0;
    if (r->head - r->published < PL_RING_QUANTUM)
        return false;
    r->published = r->head;
    atomic_store_explicit(&r->ring->head, r->head, memory_order_release);
    return true;
}

#endif
