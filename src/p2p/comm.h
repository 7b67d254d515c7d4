/* Groups and communicators: which ranks, in what order, and a context that
 * keeps their messages apart from all others. Counted references. */
#ifndef PL_COMM_H
#define PL_COMM_H

#include "request.h"

#include <stdbool.h>
#include <stdint.h>

enum { PL_CALL_LOG = 32 };

struct pl_claim;

struct pl_group {
    int size;
    int rank; /* this process's rank in it, or -1 */
    int references;
    int peers[]; /* peer number (pl_rank->peers) of each member */
};

/* The peer's rank in the group (NULL: of nobody), or -1. */
static inline int pl_group_rank(const struct pl_group *group, int peer)
{
    for (int i = 0; group && i < group->size; i++)
        if (group->peers[i] == peer)
            return i;
    return -1;
}

/* An intracommunicator has one group; an intercommunicator (MPI 5.0, section 7.6) two:
 *
 *                     group     remote    target       local
 *   intra             all       NULL      = group      NULL
 *   inter             our side  the other = remote     an intracommunicator over group
 *
 * rank and size are this rank's in `group`. The ranks that a send, a receive or an envelope
 * names are ranks of `target`. Collectives on an intercommunicator talk among themselves on
 * `local` and across by sends and receives on the intercommunicator itself (channel
 * PL_CHANNEL_COLLECTIVE, tag: comm->sequence, as ever); `low` is true on one side and false on the
 * other, for those who must decide who goes first.
 */
struct pl_comm {
    struct pl_list link; /* in rank->comms */
    unsigned broken;     /* enum pl_break: why its collectives cannot be made; 0: they can */
    int rank, size;
    struct pl_group *group;
    struct pl_group *remote; /* NULL: an intracommunicator */
    struct pl_group *also;   /* held; of the local side of an intercommunicator, the other: a death there
                                breaks it as well. NULL: none */
    struct pl_group *target; /* whom ranks in messages name; not held: group or remote */
    struct pl_comm *local;   /* intercommunicator: held; else NULL */
    bool low;                /* intercommunicator: this is the low side */
    uint64_t context;        /* unique to the communicator among all that share a member */
    struct pl_rank *owner;   /* whose view of the communicator this is */
    uint32_t sequence;       /* of the next collective: its tag, and part of its signature */
    int references;
    uintptr_t handle; /* the MPI handle's value */
    char name[128];   /* given, or a description for error texts */
    bool named;
    void *collectives; /* what src/collectives keeps for it (schedule cache, ...) */
    void (*collectives_free)(struct pl_comm *comm); /* set together with it */
    void *errhandler, *attributes;                  /* what src/mpi keeps for it */
    void *topology;                                 /* src/mpi/topology.h: one malloc, freed with this */
    int hosts;                                      /* on how many hosts its ranks are */
    int local_size;                                 /* ranks of it on this rank's host */
    int failed;                                     /* members known to have died, of both groups ... */
    int acknowledged; /* ... and how many of these the program has taken notice of */
    char *cause;      /* of a mismatch: the text that every rank is told */
    uint32_t calls;   /* collectives begun so far, however they are carried out; and the last of them: */
    struct pl_call_log {
        uint32_t signature, sequence;
        uint64_t bytes;
    } log[PL_CALL_LOG];
    struct pl_claim
        *claim; /* what another rank says the next call is (collectives/doubt.h); malloc'd, or NULL */
    uint32_t agreements;              /* begun so far (agreement.h) */
    unsigned hints_given, hints_true; /* src/mpi/info.c: the program's assertions about its messages */
    char algorithm[128]; /* forced algorithms for this communicator, as PEAL_ALGORITHM; "" for none */
};

struct pl_group *pl_group_create(int size); /* peers not filled; NULL: no memory */
void pl_group_hold(struct pl_group *group);
void pl_group_release(struct pl_group *group); /* accepts NULL */

/* A communicator of `rank` over `group` (held), or NULL: no memory. */
struct pl_comm *pl_comm_create(struct pl_rank *rank, struct pl_group *group, uint64_t context);
/* The intercommunicator of `rank` between the group of `local` and `remote` (both held). */
struct pl_comm *pl_comm_create_inter(struct pl_rank *rank, struct pl_comm *local, struct pl_group *remote,
                                     bool low, uint64_t context);
void pl_comm_hold(struct pl_comm *comm);
void pl_comm_release(struct pl_comm *comm);

/* A context that nobody else has, led by this rank; travels to the other members. */
uint64_t pl_context_new(struct pl_rank *rank);

#endif
