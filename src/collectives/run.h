/* Runs: one execution of a sealed schedule on given memory.
 *
 * The memory of a run is one block, with its requests and its TMP, kept by the
 * communicator for the next. All functions are called with the rank's lock held.
 */
#ifndef PL_RUN_H
#define PL_RUN_H

#include "request.h"
#include "schedule.h"

struct pl_datatype;
struct pl_op;

struct pl_slot { /* a send or receive of the schedule */
    struct pl_request request;
    uint32_t step;
};

struct pl_run {
    volatile bool complete;
    int error;                             /* 0 or an enum pl_error, when complete */
    char *text;                            /* malloc'd text of the error, or NULL */
    void (*completed)(struct pl_run *run); /* called once, as the last thing; may finish the run */
    void *owner;
    void *burden; /* the caller's too: what outlives an owner that gave the run up */

    /* the engine's own from here on */
    struct pl_comm *comm;
    struct pl_memory *memory; /* all buffers are this driver's, and TMP too; NULL: host memory */
    void *device_tmp;         /* TMP then */
    const void *kernel;       /* of the operator then */
    struct pl_ticket ticket;  /* of the local step at first_local, once started */
    struct pl_schedule *schedule;
    const struct pl_datatype *type;
    const struct pl_op *op;
    size_t element; /* bytes */
    size_t bytes;   /* of the call's vector or block, as far as this rank knows it */
    char *base[3];  /* IN, OUT, TMP */
    char **peer;    /* [3 * size] IN, OUT and TMP of peers that the schedule reaches into; else NULL */
    int tag;        /* of the call; the ordinal of a message is added */
    int local_tag;  /* intercommunicators: of its messages on comm->local */
    uint32_t signature;
    uint32_t left;        /* steps not complete */
    uint32_t outstanding; /* requests under way */
    uint32_t *needs;      /* [steps] */
    uint32_t *ready;      /* [steps] messages that may start, from the front; local steps, from the back */
    uint32_t first_message, end_message, first_local, end_local;
    size_t progress;  /* bytes done of the local step at first_local */
    bool draining;    /* drain() is on the stack */
    bool blocking;    /* its caller does nothing else until it is complete */
    uint32_t ordinal; /* of the call in the communicator, + 1; 0: a persistent one's, which has none */
    struct pl_run *next_active, **active_link; /* among those under way; active_link NULL: it is not */
    bool waited;                               /* somebody is in pl_run_end and does the local steps */
    bool holds_comm;
    bool tainted;        /* given up with requests under way: its memory is not used again */
    struct pl_run *next; /* free list */
    size_t capacity;     /* bytes after the head */
    uint32_t clean;      /* slots that have only ever been slots */
    struct pl_slot slot[];
};

/* A run of the schedule (held), not started; NULL: no memory. `kept` is the free list of the communicator. */
struct pl_run *pl_run_create(struct pl_run **kept, struct pl_schedule *schedule);

/* Nothing is under way any more as far as `own` is concerned, which is freed next; the runs themselves end
 * with the rank. */
struct pl_collectives;
void pl_run_leave_all(struct pl_collectives *own);

/* Starts it; all up to `signature` is set but schedule, base[TMP] and peer, and waited and holds_comm too. It
 * may be complete on return. */
void pl_run_start(struct pl_run *run);

/* Progresses until the run is complete, and finishes it. Returns its error, whose text is then
 * pl_fail_text(). An error of the rank itself (deadlock, broken port) gives up what is under way. */
int pl_run_end(struct pl_run *run);

/* Gives a complete run back. Accepts NULL. */
void pl_run_finish(struct pl_run *run);

/* The communicator's list of free runs; implemented by whoever keeps it (cache.c). */
struct pl_run **pl_run_kept(struct pl_comm *comm);

#endif
