/* A server: its copies of parts, and what waits there. */
#ifndef PL_PS_SERVER_H
#define PL_PS_SERVER_H

#include "ps.h"
#include "store.h"

/* Updates of a clock that has not ended (synchronous mode). */
struct pl_ps_sum {
    struct pl_ps_sum *next; /* of the next clock */
    uint32_t clock;
    struct pl_ps_store *stores; /* [tables], of the shapes in server->sums */
};

/* This server's copy of a part. */
struct pl_ps_shard {
    bool held;                  /* this server is in the part's chain */
    bool whole;                 /* it has all of the part; else it is being given it */
    bool given;                 /* its successor, which joins, has been given it */
    uint32_t applied;           /* clocks whose updates are applied (synchronous) */
    uint32_t slowest;           /* the least clock of a living worker */
    struct pl_ps_store *stores; /* [tables]; NULL: nothing yet */
    uint64_t *next;             /* [workers]: the sequence number expected of each */
    uint32_t *clocks;           /* [workers] */
    struct pl_ps_sum *sums;     /* by clock */
};

/* A frame that was passed on and is not acknowledged yet; kept to be passed on again. */
struct pl_ps_pending {
    struct pl_ps_pending *next, *before;
    struct pl_ps_frame *frame;
    int rank;        /* who sent it; -1: this server */
    uint64_t id;     /* the sender's */
    uint64_t passed; /* the id it was passed on with */
    int waiting;     /* for so many successors */
};

/* A frame whose answer must wait for other workers: PULL, or a CLOCK that the chain has acknowledged. */
struct pl_ps_parked {
    struct pl_ps_parked *next;
    struct pl_ps_frame *frame;
    int rank;
    uint64_t id;
};

struct pl_ps_server {
    struct pl_ps_shard *shards;                /* [parts] */
    struct pl_ps_table sums[PL_PS_TABLES_MAX]; /* shapes: the sum of updates, and which elements there were */
    struct pl_ps_pending *first, *last;
    struct pl_ps_parked *parked;
    uint64_t passed;
    bool recheck;   /* clocks have moved */
    bool announced; /* JOINED was sent in this view */
    float *scratch; /* [PL_PS_FRAME] */
};

int pl_ps_server_create(struct peal_ps *ps);
void pl_ps_server_destroy(struct peal_ps *ps);

/* Deals with a frame of this view. */
void pl_ps_server_frame(struct peal_ps *ps, int rank, struct pl_ps_frame *frame);
/* The view has changed: `old` was it. */
void pl_ps_server_install(struct peal_ps *ps, const struct pl_ps_view *old);
/* What follows from the rest: clocks that end, pulls that may go on, copies. Whether anything did. */
bool pl_ps_server_step(struct peal_ps *ps);

/* shard.c: what is done to a part. Each returns whether there was memory. */
bool pl_ps_shard_open(struct peal_ps *ps, struct pl_ps_shard *shard);
void pl_ps_shard_close(struct peal_ps *ps, struct pl_ps_shard *shard);
void pl_ps_shard_slowest(const struct peal_ps *ps, struct pl_ps_shard *shard);
/* The r-th run of a PUSH, RESTORE or CLOCK frame; its entries begin at `at`. */
bool pl_ps_shard_apply(struct peal_ps *ps, const struct pl_ps_sections *frame, int r, size_t at);
/* The clock `clock` ends for the part. */
bool pl_ps_shard_end_clock(struct peal_ps *ps, struct pl_ps_shard *shard, uint32_t clock);
/* Rows that another server gives. */
bool pl_ps_shard_put(struct peal_ps *ps, const struct pl_ps_sections *frame);
struct pl_ps_store *pl_ps_shard_sum(struct peal_ps *ps, struct pl_ps_shard *shard, uint32_t clock, int table);

/* chain.c: passes on what this server has applied, to whom the view says, and acknowledges it to `rank` (-1:
 * to nobody) when all of them have. */
void pl_ps_chain_pass(struct peal_ps *ps, int rank, uint64_t id, struct pl_ps_frame *frame);
void pl_ps_chain_acknowledged(struct peal_ps *ps, uint64_t id);
void pl_ps_chain_again(struct peal_ps *ps); /* all of it, in the new view */
void pl_ps_chain_finish(struct peal_ps *ps);
static const uint64_t pl_ps_chain_bit = UINT64_C(1) << 63; /* ids of passed frames have it */
/* server.c: the chain has all of a frame that `rank` sent. */
void pl_ps_server_safe(struct peal_ps *ps, int rank, uint64_t id, struct pl_ps_frame *frame);

/* copy.c: gives one part to a server that joins, if there is one that can take more. */
bool pl_ps_copy_step(struct peal_ps *ps);
void pl_ps_copy_rows(struct peal_ps *ps, struct pl_ps_frame *frame);
void pl_ps_copy_meta(struct peal_ps *ps, struct pl_ps_frame *frame);
void pl_ps_copy_dump(struct peal_ps *ps, int rank, struct pl_ps_frame *frame);

#endif
