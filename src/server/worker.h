/* A worker: its operations under way. */
#ifndef PL_PS_WORKER_H
#define PL_PS_WORKER_H

#include "ps.h"

/* Neighbouring entries of an operation that are in one part; never cut again, whatever the view. */
struct pl_ps_piece {
    uint32_t position; /* of the first entry, in the operation's order */
    uint32_t count;
    uint16_t part;
    bool done;
};

struct pl_ps_operation {
    struct pl_ps_operation *next;
    enum pl_ps_kind kind;
    int table;
    size_t n;
    const uint64_t *keys; /* the caller's; NULL: first, first + 1, ... */
    uint64_t first;
    const float *in; /* [n][floats], the caller's or `own` */
    float *out;      /* the caller's */
    float *own;      /* freed with the operation, as is */
    uint64_t *own_keys;
    size_t floats; /* of an entry */
    int encoding;
    float scale;
    uint64_t base; /* sequence number of the first entry */
    uint32_t clock;
    uint32_t *order;            /* [n]: the entries part by part; NULL: as they are */
    struct pl_ps_piece *pieces; /* [piece_count] */
    uint32_t piece_count, left; /* not done */
    uint32_t *queue;            /* [piece_count]: pieces not done, server by server */
    uint32_t *at, *end;         /* [servers]: in queue, what was not sent yet */
    struct pl_ps_request *request;
    struct pl_ps_frame **dumped; /* DUMP: where the answer goes */
};

/* A frame that waits for its answer. */
struct pl_ps_sent {
    struct pl_ps_sent *next;
    struct pl_ps_operation *operation;
    uint64_t id;
    uint32_t from, to; /* in the operation's queue */
};

struct pl_ps_lane {
    struct pl_ps_sent *first, *last;
    int count;
};

struct pl_ps_residual;

struct pl_ps_worker {
    struct pl_ps_residual *residuals; /* [tables]: what filters have left over; NULL: nothing yet */
    struct pl_ps_operation *first, *last;
    struct pl_ps_lane *lanes; /* [servers] */
    uint64_t next_id, next_entry;
    uint32_t clock;
    bool unsent;      /* something may be sent */
    uint32_t barrier; /* the number of the one under way, or of the last */
    uint32_t verdict; /* brought to it; and the largest of all, when it has ended */
    struct pl_ps_request *at_barrier;
    bool leaving;
    int given_up; /* an error class: there are no servers any more */
};

int pl_ps_worker_create(struct peal_ps *ps);
void pl_ps_worker_destroy(struct peal_ps *ps);

/* Starts an operation described by *what: kind, table, n, keys or first, in, out. The request has one part
 * for it. */
int pl_ps_worker_start(struct peal_ps *ps, const struct pl_ps_operation *what, struct pl_ps_request *request);
/* An answer: ACK, VALUES, DUMPED, BARRIER. */
void pl_ps_worker_frame(struct peal_ps *ps, int rank, struct pl_ps_frame *frame);
bool pl_ps_worker_step(struct peal_ps *ps);
void pl_ps_worker_install(struct peal_ps *ps);
/* A barrier to which each brings a verdict; the largest is in worker->verdict when it is complete. */
int pl_ps_barrier(struct peal_ps *ps, uint32_t verdict, MPI_Request *out);
/* A copy of the updates, so that the caller's memory is free. */
int pl_ps_own_updates(struct peal_ps *ps, struct pl_ps_operation *push);
/* Ends everything under way with the error. */
void pl_ps_worker_give_up(struct peal_ps *ps, int error);

/* split.c: the pieces of an operation, and whom they go to now. 0 or an MPI error class. */
int pl_ps_split(struct peal_ps *ps, struct pl_ps_operation *operation);
void pl_ps_assign(struct peal_ps *ps, struct pl_ps_operation *operation);
/* The frame with the next pieces for a server; sets how far it got in the queue. */
struct pl_ps_frame *pl_ps_fill(struct peal_ps *ps, struct pl_ps_operation *operation, int server,
                               uint32_t *to);
/* Puts pulled values where they belong. */
void pl_ps_scatter(struct peal_ps *ps, struct pl_ps_operation *operation, uint32_t from, uint32_t to,
                   const struct pl_ps_frame *frame);

#endif
