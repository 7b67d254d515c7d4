/* What the files of the verbs transport share: the port, the peer, the frames.
 *
 *   verbs.c          the table of operations, open and close, progress, sleep
 *   verbs_device.c   which device, port and GID; opening it; texts for what can be wrong
 *   verbs_card.c     the business card and the messages of the call, as bytes
 *   verbs_call.c     how two ranks find each other: the datagrams before a connection
 *   verbs_peer.c     a peer's life: queue pair, lost, left
 *   verbs_frames.c   frames on a connection: slots, credits, pieces
 *   verbs_memory.c   reg, get, put
 *   verbs_cache.c    registrations that are kept, and how they learn of munmap
 *   verbs_library.c  libibverbs, opened at run time
 */
#ifndef PL_VERBS_H
#define PL_VERBS_H

#include "list.h"
#include "transport.h"
#include "verbs_cache.h"
#include "verbs_card.h"
#include "verbs_library.h"

enum {
    PL_VERBS_PIECE = 8192,               /* payload bytes of one message, at most */
    PL_VERBS_SLOT = 64 + PL_VERBS_PIECE, /* a message: head, header, total, payload */
    PL_VERBS_EAGER = 16 * 1024,
    PL_VERBS_DEPTH = 128, /* work requests of one queue pair that may be under way */
    PL_VERBS_QUIET = 16,  /* one in so many sends asks for its completion */
    PL_VERBS_READS = 16,  /* reads of one queue pair in the network at once */
    PL_VERBS_RESERVE = 5, /* receive slots of a peer beside the window: what needs no credit */
    PL_VERBS_TAKEN = 8,   /* receive slots that were taken and may wait for being posted again */
    PL_VERBS_SEND_SLOTS = 64,
    PL_VERBS_CALL_SLOTS = 64,
    PL_VERBS_GRH = 40, /* bytes before a datagram's own */
};

/* What a message begins with, as the sender's memory has it (ranks of one job agree
 * on the byte order: the card says it). Behind it come those words of a frame's header that are not
 * what they were in the frame before. */
struct pl_verbs_head {
    uint8_t kind;     /* enum pl_verbs_kind */
    uint8_t words;    /* bit i: word i of the header follows */
    uint16_t credits; /* given back to the receiver of this message */
    uint32_t from;    /* the sender's rank */
};

enum pl_verbs_kind {
    PL_VERBS_FRAME = 1, /* header and all of the payload */
    PL_VERBS_FIRST,     /* header, the frame's length (64 bits), the beginning of a longer one */
    PL_VERBS_MORE,      /* what follows */
    PL_VERBS_ABANDON,   /* the rest of a longer one will never come */
    PL_VERBS_READY,     /* the caller has heard the answer; takes no credit */
    PL_VERBS_CREDIT,    /* nothing but credits; takes none itself */
    PL_VERBS_GOODBYE,   /* the port is closed in order; takes no credit */
    PL_VERBS_BREAK,     /* it is closed with frames unsent; takes no credit */
};

enum pl_verbs_state {
    PL_VERBS_IDLE,   /* nothing was exchanged */
    PL_VERBS_CALLED, /* our queue pair is told to it, again and again, until it answers */
    PL_VERBS_KNOWN,  /* its queue pair is known here; whether it knows ours is not */
    PL_VERBS_UP,
    PL_VERBS_LEFT, /* it said goodbye */
    PL_VERBS_LOST,
};

/* Memory of one registration, cut into slots. */
struct pl_verbs_slots {
    struct ibv_mr *region;
    unsigned char *memory;
    size_t size;
    int count;
};

/* One receive slot. */
struct pl_verbs_place {
    uint32_t block, number;
};

/* An operation in a peer's queue; the header is kept, since the caller's is read before send returns. */
struct pl_verbs_item {
    struct pl_list link;
    struct pl_operation *operation;
    struct pl_header header;
};

/* A get or put under way. */
struct pl_verbs_reach {
    struct pl_list link;
    struct pl_operation *operation;
    struct pl_registration *local;
    char *at;
    uint64_t remote;
    uint32_t key;
    size_t left, posted; /* bytes not yet done; of these in the network */
    bool put;
};

/* What a work request of a queue pair holds until it is done. */
struct pl_verbs_work {
    int slot; /* of the send slots; -1 */
    struct pl_verbs_reach *reach;
};

struct pl_verbs_peer {
    struct pl_endpoint base;
    bool connected; /* connect() was called and not undone */
    bool known_card;
    enum pl_verbs_state state;
    struct pl_verbs_card card;
    struct pl_list attention; /* in port->attention: it is to be lost, for `error` and `cause` */
    struct pl_list waiting;   /* in port->waiting: its queue or its reaches are not empty */
    int error;
    char cause[200];

    struct ibv_ah *route;
    struct ibv_qp *pair;
    uint32_t psn, remote_pair, remote_psn;
    int64_t call_at, call_gap, call_since; /* when the next call is due; 0: none is */
    bool complained;

    struct pl_list queue, reaches;
    uint32_t posted, retired; /* work requests, counted */
    unsigned quiet;           /* posted since one asked for its completion */
    struct pl_verbs_work work[PL_VERBS_DEPTH];
    struct pl_header sent, got; /* the last headers */
    unsigned credits;           /* messages that may be sent */
    unsigned owed;              /* messages taken and not yet given back */
    unsigned window;            /* what it may send at most before it hears of credits */
    bool abandoned;             /* a frame was begun and given up: say so first */
    bool said_goodbye, heard_goodbye;
    uint32_t goodbye;  /* the value of `posted` after it */
    bool heard;        /* anything since the last look of the timer */
    bool probing;      /* a proof of life is asked for; */
    uint32_t probe;    /* it is there when `retired` has come to this */
    bool reaches_wait; /* some get or put is not posted */

    bool streaming; /* a longer frame is landing */
    struct pl_landing landing;
    uint64_t total, landed;
};

struct pl_verbs_device {
    struct ibv_context *context;
    struct ibv_pd *domain;
    char name[64];
    int port, gid_index;
    bool global; /* addressed by GID: always on Ethernet */
    union ibv_gid gid;
    uint16_t lid;
    enum ibv_mtu mtu;
    bool ethernet;
    bool software; /* it has no hardware: the kernel of this host does its work */
    int max_reads, max_cqe, max_srq, max_sge;
};

struct pl_verbs_port {
    struct pl_port base;
    int rank, size;
    unsigned char key[32];
    int64_t timeout; /* ns */
    const struct pl_upcalls *upcalls;
    void *context;
    struct pl_verbs_library library;
    struct pl_verbs_device device;
    struct pl_verbs_card card;
    struct pl_registrations registrations;

    struct ibv_comp_channel *channel;
    struct ibv_cq *completions;
    struct ibv_srq *receives;
    int receives_room; /* work requests the shared receive queue can take */
    int receives_posted;
    int spare_receives; /* slots posted for peers that are gone */
    uint32_t inline_most;
    bool armed; /* the next completion makes the channel's descriptor readable */
    int epoll, timer;
    int64_t period;

    struct ibv_qp *caller; /* the datagram queue pair */
    struct pl_verbs_slots call_slots;
    int next_call_slot;

    struct pl_verbs_slots *receive_slots; /* one block for each peer that came up */
    int receive_blocks;
    struct pl_verbs_place taken[PL_VERBS_TAKEN]; /* to be posted again */
    int takens;
    struct pl_verbs_slots send_slots;
    int free_slot[PL_VERBS_SEND_SLOTS], free_slots;

    struct pl_verbs_peer **peer; /* by rank */
    int peers;
    struct pl_list attention, waiting;
    struct pl_list spare;    /* items */
    struct ibv_wc stash[16]; /* completions found by sleep */
    int stashed;
    bool lively;    /* something came since it was last looked for in vain */
    unsigned turn;  /* counts rounds, to look at the timer now and then */
    bool check;     /* look at it in the next round */
    int64_t probed; /* when quiet peers were last asked for a proof of life */
    bool in_progress, closing, port_down;
    bool warned_memory;
};

static inline struct pl_verbs_port *pl_verbs_port_of(const struct pl_verbs_peer *peer)
{
    return (struct pl_verbs_port *)peer->base.port;
}

/* Work request ids: what kind, whose, which. */
enum pl_verbs_source { PL_VERBS_RECEIVE = 1, PL_VERBS_WORK, PL_VERBS_HEARD, PL_VERBS_CALLING };
static inline uint64_t pl_verbs_id(enum pl_verbs_source source, uint32_t who, uint32_t number)
{
    return (uint64_t)source << 60 | (uint64_t)(who & 0xfffffff) << 32 | number;
}

/* verbs_device.c */
/* Chooses and opens a device as PEAL_NET says. PL_EUNSUPPORTED with a text: there is none to be used. */
int pl_verbs_device_open(struct pl_verbs_library *library, const char *net, struct pl_verbs_device *device);
void pl_verbs_device_close(struct pl_verbs_library *library, struct pl_verbs_device *device);
/* pl_fail for an ibv_reg_mr that failed with errno: says which limit and how to raise it. */
int pl_verbs_memory_text(size_t bytes);
/* Registers `count` slots of fresh memory of its own. PL_ENOMEM. */
int pl_verbs_slots_create(struct pl_verbs_port *port, int count, size_t size, struct pl_verbs_slots *slots);
void pl_verbs_slots_destroy(struct pl_verbs_port *port, struct pl_verbs_slots *slots);

/* verbs_call.c */
int pl_verbs_caller_create(struct pl_verbs_port *port);
void pl_verbs_caller_destroy(struct pl_verbs_port *port);
/* Has the peer called from now on until it answers. */
void pl_verbs_call(struct pl_verbs_peer *peer);
/* A datagram has come into `slot`. Returns how many upcalls it led to. */
int pl_verbs_call_heard(struct pl_verbs_port *port, uint32_t slot, size_t bytes, bool good);
/* Calls that are due. */
void pl_verbs_call_tick(struct pl_verbs_port *port, int64_t now);
/* How the peer is reached, for its queue pair and its address handle. */
struct ibv_ah_attr pl_verbs_route(const struct pl_verbs_port *port, const struct pl_verbs_card *card);

/* verbs_peer.c */
struct pl_verbs_peer *pl_verbs_peer_get(struct pl_verbs_port *port, int rank);
/* Makes the queue pair, which can then be told to the peer. */
int pl_verbs_pair_create(struct pl_verbs_peer *peer);
/* The peer's is known: receive and send from now on. `window`: what may be sent to it at once. */
int pl_verbs_pair_join(struct pl_verbs_peer *peer, uint32_t pair, uint32_t psn, unsigned window);
/* The peer is known to be ready for messages. */
void pl_verbs_peer_up(struct pl_verbs_peer *peer);
/* It will be lost in the next progress (the first cause counts). */
void pl_verbs_peer_break(struct pl_verbs_peer *peer, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What progress does with one that is broken. Returns how many upcalls. */
int pl_verbs_peer_lose(struct pl_verbs_peer *peer);
/* It closed in order. */
int pl_verbs_peer_leave(struct pl_verbs_peer *peer);
/* Completes everything queued, and every get and put. The queue pair is gone, or nothing is in it. */
int pl_verbs_peer_fail(struct pl_verbs_peer *peer, int error, const char *text);
void pl_verbs_pair_destroy(struct pl_verbs_peer *peer);
void pl_verbs_peer_destroy(struct pl_verbs_peer *peer);
/* Proves that every idle connection's other end is still there. */
void pl_verbs_peers_tick(struct pl_verbs_port *port);

/* verbs_frames.c */
int pl_verbs_send(struct pl_endpoint *endpoint, struct pl_operation *operation);
/* Sends what credits and slots allow. Returns how many operations were completed. */
int pl_verbs_push(struct pl_verbs_peer *peer);
/* A message without credit. */
void pl_verbs_say(struct pl_verbs_peer *peer, enum pl_verbs_kind kind);
/* A message was received into slot `number` of block `block`. Returns how many upcalls. */
int pl_verbs_take(struct pl_verbs_port *port, uint32_t block, uint32_t number, const struct ibv_wc *done);
/* Everything up to work request `number` is done. Returns how many upcalls. */
int pl_verbs_retire(struct pl_verbs_peer *peer, uint32_t number, int status);
bool pl_verbs_work_room(const struct pl_verbs_peer *peer);
/* Posts a request; counts and remembers it. `slot` -1: it holds none. */
int pl_verbs_post(struct pl_verbs_peer *peer, struct ibv_send_wr *request, int slot,
                  struct pl_verbs_reach *reach);
/* Posts the slots again that were taken. */
void pl_verbs_receives_return(struct pl_verbs_port *port);
/* Posts the receive slots that one more peer needs. */
int pl_verbs_receives_add(struct pl_verbs_port *port, int count);
/* Ends the landing of a longer frame. */
void pl_verbs_end_landing(struct pl_verbs_peer *peer, int status);
void pl_verbs_wait(struct pl_verbs_peer *peer);
int pl_verbs_queue_fail(struct pl_verbs_peer *peer, int error, const char *text);

/* verbs_memory.c */
int pl_verbs_reg(struct pl_port *port, void *address, size_t length, struct pl_memory_key *key);
int pl_verbs_reg_dmabuf(struct pl_port *port, int fd, uint64_t offset, void *address, size_t length,
                        struct pl_memory_key *key);
void pl_verbs_dereg(struct pl_port *port, const struct pl_memory_key *key);
int pl_verbs_get(struct pl_endpoint *endpoint, void *local, uint64_t remote, const struct pl_memory_key *key,
                 size_t length, struct pl_operation *operation);
int pl_verbs_put(struct pl_endpoint *endpoint, const void *local, uint64_t remote,
                 const struct pl_memory_key *key, size_t length, struct pl_operation *operation);
bool pl_verbs_reaches(struct pl_endpoint *endpoint);
/* Posts what is waiting. */
void pl_verbs_reach_push(struct pl_verbs_peer *peer);
/* One of its requests is done. Returns how many upcalls. */
int pl_verbs_reach_done(struct pl_verbs_peer *peer, struct pl_verbs_reach *reach, int status);

/* verbs.c */
extern const struct pl_transport pl_verbs;
/* Sets the timer to what is waited for now. */
void pl_verbs_timer_set(struct pl_verbs_port *port);
/* One round of completions and upcalls; how many, or an error. */
int pl_verbs_round(struct pl_verbs_port *port);
/* Sleeps until a round is worth it. */
int pl_verbs_sleep(struct pl_verbs_port *port, int64_t timeout, const int *fds, int nfds);

#endif
