/* Faults of a deterministic in-process world: a plan, and what has become of it.
 *
 * loopback.h has the plan as it is given. Everything here is called with the
 * fabric's lock held, by whichever rank has the turn. */
#ifndef PL_SIMULATION_H
#define PL_SIMULATION_H

#include "fabric.h"

/* The way from one rank to another. */
struct pl_way {
    uint64_t frames;            /* sent on it so far, lost ones too */
    int64_t last_due;           /* when the latest arrives: later ones do not overtake it */
    bool cut;                   /* what is sent vanishes */
    bool losing;                /* the sender has noticed that it is lost, or is going to */
    const struct pl_loss *loss; /* the sender has noticed */
};

/* A rank notices that it has lost another. */
struct pl_loss {
    struct pl_timer timer;
    struct pl_list link; /* in the seat's losses when it is time, then in simulation->told */
    int rank, peer;
    char cause[160];
};

/* One fault of the plan, with everything drawn that was left open. */
struct pl_planned {
    struct pl_timer timer; /* of one that comes at a time */
    struct pl_fault fault;
    bool begun;
};

struct pl_simulation {
    struct pl_planned *faults; /* [count] */
    int count;
    struct pl_way *ways; /* [size * size], from * size + to */
    uint64_t *steps;     /* [size] frames that a rank has sent or received */
    bool apart;          /* ranks do not reach into each other's memory */
    struct pl_list told; /* losses that ranks were told of */
};

/* What becomes of a frame: when it is there, the bit that is inverted on its way (1 + its number; 0: none),
 * or that it vanishes. */
struct pl_passage {
    int64_t due;
    uint64_t flip;
    bool gone;
};

static inline struct pl_way *pl_simulation_way(const struct pl_fabric *fabric, int from, int to)
{
    return &fabric->simulation->ways[(size_t)from * (size_t)fabric->size + (size_t)to];
}

/* The rank sends or receives a frame: its next step. False: it dies of it. */
bool pl_simulation_step(struct pl_fabric *fabric, int rank);
/* A frame of so many bits is sent. */
struct pl_passage pl_simulation_pass(struct pl_fabric *fabric, int from, int to, uint64_t bits);
void pl_simulation_flip(void *memory, size_t length, uint64_t flip);
/* Every other rank is going to notice, at the latest after `within_ns`, that this one is lost. */
void pl_simulation_mourn(struct pl_fabric *fabric, int rank, const char *cause, int64_t within_ns);
void pl_simulation_destroy(struct pl_fabric *fabric);

/* Of what a dead rank sent before, some of the latest is lost too. In loopback.c. */
void pl_loop_lose_some(struct pl_fabric *fabric, int rank);
/* What is on its way from one to the other vanishes, and gets of one from the other fail. In loopback.c. */
void pl_loop_lose_way(struct pl_fabric *fabric, int from, int to);

#endif
