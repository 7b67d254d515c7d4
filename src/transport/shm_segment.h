/* The segment: what one rank shows to the other ranks of its host, how they find
 * it, wake it, and see whether it lives. Private to the shm transport. */
#ifndef PL_SHM_SEGMENT_H
#define PL_SHM_SEGMENT_H

#include "shm_ring.h"

#include <sys/types.h>

/* Bits of `state`. */
enum {
    PL_SHM_FUTEX = 1, /* a thread sleeps on the word itself */
    PL_SHM_PIPE = 2,  /* a thread sleeps on the pipe */
    PL_SHM_CLOSED = 4 /* the port is closed: nothing will be read any more */
};

enum { PL_SHM_HEADER = 4096 };

enum { PL_SHM_SHARES = 8 };

/* A copy that two ranks share; shm_copy.c. In the reader's segment. */
struct pl_shm_share {
    alignas(64) _Atomic uint64_t next; /* number of the share << 32 | next chunk that nobody has claimed */
    _Atomic uint32_t done, failed;     /* chunks that the owner has written; 1: not all of them arrived */
};

/* The beginning of the memfd. Offsets: 0 this; PL_SHM_HEADER the bitmap `senders`
 * (who has announced itself); rings_at the rings, one a rank, PL_RING_BYTES each. */
struct pl_segment {
    uint64_t magic, nonce;
    int32_t rank, slots; /* this rank; ranks that have a place here */
    uint64_t rings_at;
    _Atomic int32_t pipe;          /* number of the pipe's descriptor in the owner, -1: none yet */
    _Atomic int32_t heap;          /* the same of the heap's memfd */
    uint64_t heap_base, heap_size; /* address in the owner and bytes; valid once heap is >= 0 */
    alignas(64) _Atomic uint32_t state;
    _Atomic uint32_t announced; /* counts announcements */
    struct pl_shm_share shares[PL_SHM_SHARES];
};
_Static_assert(sizeof(struct pl_segment) <= PL_SHM_HEADER, "the bitmap comes after it");

/* The business card, as it travels. */
struct pl_shm_card {
    uint32_t magic;
    int32_t rank, pid, fd;
    uint32_t uid, reserved;
    uint64_t nonce;
    uint64_t boot[2]; /* the host's boot id */
    uint64_t pid_space, ipc_space;
    uint64_t probe; /* address of `nonce` in the owner */
    uint64_t check; /* over what is before */
};

/* Makes and maps a segment of `slots` places. Sets *fd; the mapping is pl_segment_bytes long.
 * PL_EUNSUPPORTED when the machine cannot. */
int pl_segment_create(int rank, int slots, struct pl_segment **segment, int *fd);
size_t pl_segment_bytes(int slots);
struct pl_ring *pl_segment_ring(struct pl_segment *segment, int sender);
_Atomic uint64_t *pl_segment_senders(struct pl_segment *segment);

void pl_shm_card_fill(struct pl_shm_card *card, const struct pl_segment *segment, int fd);
/* 0, PL_EPROTOCOL (garbage) or PL_EUNREACHABLE (another host or container). */
int pl_shm_card_check(const struct pl_shm_card *card, int peer);

/* Where a peer's segment is, and what of it is mapped here. */
struct pl_segment_view {
    int32_t rank, pid, fd;
    uint64_t nonce;
    int pidfd;                  /* -1: none could be had, /proc is asked */
    int file;                   /* the peer's memfd, open until the ring is mapped; else -1 */
    int pipe;                   /* the peer's, opened when first needed; else -1 */
    struct pl_segment *segment; /* what is before the rings; NULL: not open */
    size_t mapped;              /* bytes of it */
    int slots;                  /* copy, checked */
    struct pl_ring *ring;       /* the one this rank writes to */
    void *heap;
    uint64_t heap_base, heap_size; /* copies, checked */
};

void pl_segment_view_init(struct pl_segment_view *view, int rank, int pid, int fd, uint64_t nonce);
/* Opens and checks the peer's segment. PL_EPEER: it is gone. PL_EUNREACHABLE: not allowed. */
int pl_segment_open(struct pl_segment_view *view);
/* Maps the ring of `sender` there. */
int pl_segment_map_ring(struct pl_segment_view *view, int sender);
void pl_segment_close(struct pl_segment_view *view);

/* Opens descriptor `number` of process `pid` if it is one of ours, whose name begins with `name`. -1: no. */
int pl_segment_reach(int pid, int number, const char *name, int flags);

/* Looks which of `count` views' processes are gone; dead[i] is set to true for those. One or few system
 * calls. */
void pl_segment_look(struct pl_segment_view *const *views, int count, bool *dead);

/* Wakes the owner if it sleeps; call after pl_segment_order(). */
void pl_segment_wake(struct pl_segment_view *view);
/* Takes the sleeping bits and wakes who waits on them; for the own segment pipe is its write end. */
void pl_segment_wake_state(_Atomic uint32_t *state, int pipe);
/* Sleeps while *state is `seen`, at most timeout_ns. Returns false on timeout. */
bool pl_segment_wait(_Atomic uint32_t *state, uint32_t seen, int64_t timeout_ns);

#endif
