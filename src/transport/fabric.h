/* What loopback.c (ports, frames) and fabric.c (who runs, who waits) share.
 * Everything below is guarded by the fabric's one lock, except what is set once. */
#ifndef PL_FABRIC_H
#define PL_FABRIC_H

#include "list.h"
#include "loopback.h"
#include "transport.h"

#include <pthread.h>

enum pl_fate {
    PL_FATE_ABSENT, /* not opened yet: frames to it are queued */
    PL_FATE_PRESENT,
    PL_FATE_LEFT, /* closed in order; may open again */
    PL_FATE_DEAD, /* killed; its port may still be open for a while */
};

enum pl_event {
    PL_EVENT_OPEN,
    PL_EVENT_CLOSE,
    PL_EVENT_TURN,
    PL_EVENT_SEND,
    PL_EVENT_ARRIVE,
    PL_EVENT_COMPLETE,
    PL_EVENT_KILL,
    PL_EVENT_LOST,
    PL_EVENT_TIMEOUT,
    PL_EVENT_DEADLOCK,
    PL_EVENT_FAULT,
    PL_EVENT_DUE,
    PL_EVENT_OVER,
};

/* Something that happens at a virtual time. `over`: the world is destroyed, only free what there is. */
struct pl_timer {
    struct pl_list link; /* in fabric->timers, soonest first */
    int64_t due;
    void (*fire)(struct pl_fabric *fabric, struct pl_timer *timer, bool over);
};

struct pl_simulation;

/* One rank's place in the fabric. It outlives its port, so that frames may
 * come before the port opens. */
struct pl_seat {
    struct pl_fabric *fabric; /* set once */
    int rank;                 /* set once */
    enum pl_fate fate;
    char cause[160]; /* of its death */
    bool open;       /* it has a port: its thread takes part */
    const struct pl_upcalls *upcalls;
    void *context;
    struct pl_list inbox; /* frames to deliver here */
    size_t inbox_length;
    struct pl_list outgoing;  /* frames of this rank whose payload is still in its own buffer */
    struct pl_list completed; /* operations of this rank to report, status in ->progress */
    struct pl_list allocations;
    struct pl_list losses;      /* simulated: peers to report as lost (simulation.h) */
    bool planned;               /* it died by the plan of a simulation */
    int deaths_seen;            /* how many of fabric->deaths have been reported here */
    pthread_cond_t wake;        /* something came, or it is this rank's turn */
    int event_fd;               /* for wait_fd, or -1 */
    bool asleep;                /* inside sleep() */
    int64_t deadline;           /* asleep: virtual time to wake (deterministic); -1: never */
    bool deadlocked, timed_out; /* what sleep() shall return */
};

struct pl_fabric {
    pthread_mutex_t lock;
    pthread_cond_t settled; /* a copy out of a sender's buffer has ended */
    int size;               /* set once */
    bool deterministic;     /* set once */
    uint64_t random;        /* state of the generator */
    int64_t now;            /* virtual nanoseconds */
    int running; /* deterministic: the rank with the baton, -1 before the start and after the end */
    int absent, open, sleepers; /* seats never opened; open ports; those asleep without limit */
    int idle_turns;             /* deterministic: turns since anything happened */
    int64_t idle_step;          /* deterministic: how far time jumps when all only poll */
    int *deaths, ndeaths;       /* ranks in the order they died; not of a simulated world */
    struct pl_list timers;
    struct pl_simulation *simulation; /* NULL: nothing goes wrong here */
    int64_t limit;                    /* of `now`; 0: none */
    bool overdue;                     /* it has been passed */
    FILE *log;
    uint64_t hash, events;
    char report[4096];
    struct pl_seat *seats; /* [size] */
};

void pl_fabric_lock(struct pl_fabric *fabric);
void pl_fabric_unlock(struct pl_fabric *fabric);

/* The following are called with the lock held. */

/* A number in [0, bound). */
uint64_t pl_fabric_draw(struct pl_fabric *fabric, uint64_t bound);
void pl_fabric_note(struct pl_fabric *fabric, enum pl_event event, int rank, int peer, size_t length);

/* Has `fire` called when it is that late; at once (from the next change of turns) if it is already. */
void pl_fabric_at(struct pl_fabric *fabric, struct pl_timer *timer, int64_t due,
                  void (*fire)(struct pl_fabric *fabric, struct pl_timer *timer, bool over));
/* The seat's rank dies; simulated: others are told within so many nanoseconds. */
void pl_seat_kill(struct pl_seat *seat, const char *cause, int64_t within_ns, bool planned);

/* Whether the seat's progress() would find something. */
bool pl_seat_ready(const struct pl_seat *seat);
/* To be called whenever a seat has become ready. */
void pl_seat_wake(struct pl_seat *seat);
/* The seat takes part; deterministic: returns when it is its turn. */
void pl_seat_enter(struct pl_seat *seat);
/* It no longer does; others may go on, or be found deadlocked. */
void pl_seat_leave(struct pl_seat *seat);
/* The body of sleep() without other descriptors: 0 or PL_EDEADLOCK. */
int pl_seat_sleep(struct pl_seat *seat, int64_t timeout_ns);

/* Operations of others that wait in the seat's inbox end with PL_EPEER, and the inbox is empty. In
 * loopback.c. */
void pl_seat_drop_inbox(struct pl_seat *seat);

#endif
