/* The in-process world whose ranks' ports are of the loopback transport.
 *
 * The world (src/world, or a test) makes one fabric, hands it to every rank's
 * open() in params->fabric, and destroys it when all ports are closed.
 */
#ifndef PL_LOOPBACK_H
#define PL_LOOPBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct pl_fabric;

extern const struct pl_transport pl_loopback;

/* Makes a world of `size` ranks (>= 1). Deterministic: one rank's thread runs at
 * a time, from the end of its open() to its close(), the next being drawn from
 * `seed`; open() then blocks until every rank has opened (or was killed) and it
 * is this rank's turn. So nothing may be waited for between open and close but
 * in sleep(): a pthread barrier between ranks would hang. PL_EARG, PL_ENOMEM. */
int pl_fabric_create(int size, bool deterministic, uint64_t seed, struct pl_fabric **fabric);

/* Frees it and what alloc() gave. All ports are closed. NULL is accepted. */
void pl_fabric_destroy(struct pl_fabric *fabric);

/* The card that `rank`'s port will have, also before it is open; thus an
 * in-process world needs no exchange of cards. `card` takes PL_CARD_MAX bytes. */
void pl_fabric_card(struct pl_fabric *fabric, int rank, void *card, size_t *length);

/* Ends `rank` as if its process had died; `cause` (copied) is a sentence. May be
 * called by any thread, also for a rank that never opened, and for the caller's
 * own. Every other port gets `lost` with the cause; operations to it fail with
 * PL_EPEER. The rank itself wakes up, its progress() and send() fail with
 * PL_EPEER, and it must still close its port; until the first of these, its buffers
 * are read by peers. The second kill of a rank does nothing. */
void pl_fabric_kill(struct pl_fabric *fabric, int rank, const char *cause);

/* Whether `rank` was killed or has closed its port: it takes part no more. */
bool pl_fabric_gone(struct pl_fabric *fabric, int rank);

/* Whether it has closed its port, in order. */
bool pl_fabric_left(struct pl_fabric *fabric, int rank);

/* Everything that happened so far, in order: how many events, and a hash over
 * (event, rank, peer, length) of each. In a deterministic world that sends the
 * same, both depend on the seed alone. */
void pl_fabric_log(struct pl_fabric *fabric, uint64_t *hash, uint64_t *events);

/* What goes wrong in a deterministic world. Ranks -1: drawn from the seed (DELAY: every rank). */
enum pl_fault_kind {
    PL_FAULT_DELAY = 1, /* frames from rank to peer are under way for up to `duration`, as drawn for each */
    PL_FAULT_CUT,       /* the link between rank and peer: what is on it is lost, each end is told within
                           `duration` */
    PL_FAULT_HALF_OPEN, /* the same, but rank is told at once; peer, within `duration` */
    PL_FAULT_KILL,      /* rank dies; each other is told within `duration` */
    PL_FAULT_FLIP,      /* one bit, drawn, of a frame from rank to peer (header and payload) */
};

struct pl_fault {
    enum pl_fault_kind kind;
    int rank, peer;
    uint64_t step;    /* with which frame from rank to peer (DELAY: from which on); KILL: with which that the
                         rank    sends or receives; counted from 1. 0: at a time alone */
    int64_t at;       /* and not before this virtual time */
    int64_t duration; /* nanoseconds, as all times here */
};

struct pl_plan {
    const struct pl_fault *faults; /* copied */
    int count;
    int64_t time_limit; /* the world ends with an error when it is this old; 0: never */
    FILE *log;          /* every event, one line each; NULL: none. The caller's, open until destroy */
};

/* Before any port opens, in a deterministic world. PL_EARG, PL_ENOMEM. */
int pl_fabric_simulate(struct pl_fabric *fabric, const struct pl_plan *plan);

/* Nanoseconds: virtual in a deterministic world, else of the monotonic clock. */
int64_t pl_fabric_now(struct pl_fabric *fabric);
/* A number in [0, bound), from the seed. To be called by the rank whose turn it is. */
uint64_t pl_fabric_random(struct pl_fabric *fabric, uint64_t bound);

/* Whether the plan killed the rank, or its world's time is over: then its thread shall end, for a dead rank
 * does nothing. */
enum pl_end { PL_END_NONE, PL_END_KILLED, PL_END_TIME };
enum pl_end pl_fabric_ended(struct pl_fabric *fabric, int rank);
/* How many ranks the plan has killed. */
int pl_fabric_killed(struct pl_fabric *fabric);

/* The whole text of the last deadlock, or of the end of the world's time (the error text of sleep() holds
 * only its beginning), one line a rank; "" when there was none. At most 4095 bytes. Valid until destroy; to
 * be read when the ranks have come back from sleep(). */
const char *pl_fabric_deadlock(const struct pl_fabric *fabric);

#endif
