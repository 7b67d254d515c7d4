/* The state of a shared-memory port, which shm.c (ports, endpoints, memory), shm_frames.c
 * (sending, receiving, how a peer ends) and shm_sleep.c (idling) work on. Private to them. */
#ifndef PL_SHM_PORT_H
#define PL_SHM_PORT_H

#include "shm_heap.h"
#include "shm_segment.h"
#include "transport.h"

#include "errors.h"

enum pl_shm_reach { PL_REACH_UNKNOWN, PL_REACH_YES, PL_REACH_NO };

/* An operation that waits for room. Its header is kept here: the caller's may be overwritten. */
struct pl_parcel {
    struct pl_list link;
    struct pl_operation *operation;
    struct pl_header header;
};

struct pl_shm_peer {
    struct pl_endpoint endpoint;
    bool connected;
    struct pl_segment_view view;
    uint64_t probe; /* address of its nonce */
    enum pl_shm_reach reach;

    struct pl_ring_writer out;
    struct pl_list queue;   /* struct pl_parcel: accepted, not all written yet */
    struct pl_list pending; /* in port->pending while there are any */

    struct pl_ring_reader in;
    bool streaming; /* in the middle of a long frame */
    struct pl_landing landing;
    uint64_t total, landed;

    int error;      /* it is gone, and why */
    bool buried;    /* `lost` was called */
    bool left;      /* it closed its port in order */
    bool abandoned; /* it disconnected in the middle of a frame */
    char cause[128];
};

/* What the reader of a shared copy tells its owner. */
struct pl_shm_task {
    uint64_t to, from, length; /* addresses in the reader and in the owner */
    uint32_t index, generation;
};

/* The reader's side of a share. */
struct pl_shm_sharing {
    struct pl_shm_peer *peer; /* NULL: free */
    struct pl_operation *operation;
    struct pl_shm_task task;
    struct pl_memory_key guard;
    uint32_t read; /* chunks that were not the owner's */
    int error;
};

struct pl_shm_port {
    struct pl_port base;
    int rank, slots;
    const struct pl_upcalls *upcalls;
    void *context;
    double timeout;

    struct pl_segment *segment;
    int file;
    int pipe[2]; /* -1 until somebody sleeps in poll */
    struct pl_shm_heap heap;

    struct pl_shm_peer **peers; /* [slots], NULL until met */
    struct pl_shm_peer **known; /* those met, in order */
    int nknown, look_from;
    struct pl_shm_peer **active; /* those whose rings are read, busy ones in front */
    int nactive, slice_from;
    uint32_t announced; /* announcements taken notice of */
    uint64_t *senders;  /* copy of the bitmap: who is in `active` or was */

    bool reads_alone; /* its copies are not shared */
    struct pl_shm_sharing shares[PL_SHM_SHARES];
    int sharing; /* shares that wait for their owner */

    struct pl_list pending; /* peers with queued operations */
    struct pl_list parcels; /* unused ones */
    int attention;          /* verdicts on peers that progress has to carry out */
    bool watched;           /* wait_fd has set the state's pipe bit */
    bool closing;
    unsigned idle;
    int64_t looked; /* when peers were last looked at */
};

static inline struct pl_shm_port *pl_shm_port_of(struct pl_port *port)
{
    return pl_container(port, struct pl_shm_port, base);
}

static inline struct pl_shm_peer *pl_shm_peer_of(struct pl_endpoint *endpoint)
{
    return pl_container(endpoint, struct pl_shm_peer, endpoint);
}

/* Orders what was just written before the look at whether the other side sleeps. */
static inline void pl_shm_order(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

/* Wakes the receiver if it sleeps. Call after writing; *state is read after a fence. */
static inline int pl_shm_ring_bell(struct pl_shm_peer *peer)
{
    pl_shm_order();
    uint32_t state = atomic_load_explicit(&peer->view.segment->state, memory_order_relaxed);
    if (__builtin_expect(state, 0)) {
        if (state & PL_SHM_CLOSED)
            return pl_fail(PL_EPEER, "rank %d has closed its port", peer->endpoint.peer);
        pl_segment_wake(&peer->view);
    }
    return 0;
}

/* shm.c */

/* The record of a peer, made when first met. NULL: out of memory. */
struct pl_shm_peer *pl_shm_meet(struct pl_shm_port *port, int number);
/* Decides that the peer is gone; progress carries it out. Returns the error, its text set. */
int pl_shm_condemn(struct pl_shm_port *port, struct pl_shm_peer *peer, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* shm_frames.c */

int pl_shm_send(struct pl_endpoint *endpoint, struct pl_operation *operation);
int pl_shm_progress(struct pl_port *base);
/* Completes all queued operations with the error, whose text is peer->cause. */
void pl_shm_fail_queue(struct pl_shm_port *port, struct pl_shm_peer *peer, int error);
/* Ends the long frame that is landing. */
void pl_shm_end_stream(struct pl_shm_port *port, struct pl_shm_peer *peer, int status);

/* shm_copy.c */

int pl_shm_get(struct pl_endpoint *endpoint, void *local, uint64_t remote, const struct pl_memory_key *key,
               size_t length, struct pl_operation *operation);
int pl_shm_put(struct pl_endpoint *endpoint, const void *local, uint64_t remote,
               const struct pl_memory_key *key, size_t length, struct pl_operation *operation);
bool pl_shm_reaches(struct pl_endpoint *endpoint);
/* The owner's part of a shared copy. false: the task makes no sense. */
bool pl_shm_help(struct pl_shm_port *port, struct pl_shm_peer *peer, const struct pl_header *header);
/* Completes the gets whose owners are through or gone. Returns how many. */
int pl_shm_settle(struct pl_shm_port *port);
/* Whether that would complete any. */
bool pl_shm_settles(const struct pl_shm_port *port);

/* shm_sleep.c */

int pl_shm_sleep(struct pl_port *base, int64_t timeout_ns, const int *fds, int nfds);
int pl_shm_wait_fd(struct pl_port *base, bool *ready);
/* Undoes wait_fd. */
void pl_shm_unwatch(struct pl_shm_port *port);
/* Looks whether peers still live, if it was not done just before. */
void pl_shm_look(struct pl_shm_port *port);

#endif
