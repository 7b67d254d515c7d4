/* A rank is a value: everything one rank of a world knows hangs off this struct.
 * In a process there is one; in an in-process world each thread has its own. */
#ifndef PL_RANK_H
#define PL_RANK_H

#include "comm.h"
#include "config.h"
#include "cookies.h"
#include "memory.h"
#include "transport.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { PL_PORTS_MAX = 128, PL_MATCH_BUCKETS = 256 };

struct pl_envelope;

/* Who a process is, whichever world looks at it; travels between worlds. */
struct pl_identity {
    uint64_t world; /* its world's world_id */
    int32_t rank;   /* in its world */
    int32_t unused;
};

struct pl_peer {
    int number;
    int host;  /* hosts are numbered 0.. */
    bool lost; /* it died or is out of reach; `cause` says how */
    char *cause;
    struct pl_endpoint *endpoint; /* NULL until first used */
    struct pl_identity identity;
    bool knocked;           /* knock.c */
    bool given_up;          /* lost because of what it sent: nothing from it is looked at */
    bool summed, sum_waits; /* a checksum has come; its payload is going to land */
    uint32_t sum_header, sum_payload;
    uint64_t sum_length;
};

struct pl_bucket {
    struct pl_list posted, unexpected;
};

/* What a rank counts, for tools. */
struct pl_counters {
    uint64_t sent, bytes; /* messages begun, and their bytes */
    uint64_t unexpected;  /* messages that came before their receive */
};

struct pl_rank {
    int rank, size; /* in the world; size 0: the world has not been looked for */
    int host, local_rank, local_size, hosts;
    bool apart; /* in namespaces of its own (a container): shared memory may not do for the ranks of its host
                 */
    struct pl_config config;
    char hostname[64];
    struct pl_fabric *fabric; /* in-process world, else NULL */
    unsigned char key[32];

    struct pl_port *ports[PL_PORTS_MAX];
    int nports;
    struct pl_memory *memory; /* of devices, opened by who made the rank; NULL: there is only host memory */
    bool cooperative;         /* one rank runs at a time (deterministic world) */
    bool spin;                /* every rank of the host has a core */
    struct pl_peer **peers;   /* [npeers], each NULL until looked at; from `size` on, of other worlds */
    int npeers;

    struct pl_bucket buckets[PL_MATCH_BUCKETS]; /* by context and source */
    struct pl_list posted_any;                  /* receives from any source */
    struct pl_list unexpected_all;              /* in order of arrival */
    struct pl_counters counters;
    int64_t knock_at;          /* when it is looked at next whom to knock at (ns); 0: nobody waited yet */
    int sought;                /* whom a probe looked for since then, + 1; -1: any; 0: there was none */
    struct pl_list probed;     /* messages that a matched probe has taken and no receive yet */
    uint64_t posts;            /* receives posted so far */
    uint64_t guards;           /* given out so far */
    struct pl_cookies cookies; /* requests that frames name */
    int awaits;                /* a peer it waits for beside its requests (on a board), + 1; 0: none */
    int lost;                  /* peers known to be lost */
    int *deaths;               /* [lost] which, in the order they were heard of */
    struct pl_list comms;      /* all communicators */
    struct pl_list agreements; /* under way, and the last of each communicator */
    struct pl_broken *broken;  /* [nbroken] communicators broken before this rank had made them */
    int nbroken;
    uint32_t contexts;      /* contexts led so far */
    uint64_t world_id;      /* the same on all ranks of a world, and on no others' */
    bool wary;              /* frames are looked at by checksum.c first */
    struct pl_list sums;    /* checksums of payloads that are landing */
    struct pl_list orphans; /* requests given to p2p for good */

    struct pl_list bridges; /* to other worlds */

    struct pl_comm *world, *self;

    bool threaded; /* MPI_THREAD_MULTIPLE: the lock is taken */
    bool lock_made;
    pthread_mutex_t lock; /* outlives the ports: some calls may come at any time */
    unsigned patience;    /* looks before the first yield, in this wait */
    int64_t spins_since;  /* when its first looks were over */
    bool taken;           /* in this wait a yield gave the core to somebody else */
    unsigned dozes;       /* sleeps of this wait */
    unsigned misses;      /* tests in a row that found nothing */
    unsigned polls;       /* all of them */

    /* The world's, handed down: the hosts of the ranks, and cards. */
    int (*host_of)(struct pl_rank *rank, int peer);
    /* Writes the peer's card for the transport; PL_EUNREACHABLE if it has none. */
    int (*card_of)(struct pl_rank *rank, int peer, const char *transport, void *card, size_t *length);
    /* Looks whether the launcher has news of deaths (pl_peer_lost follows); NULL: there is none that tells.
     * To be called now and then by whoever waits. */
    void (*look)(struct pl_rank *rank);
    /* Tells the launcher what this rank waits for; to be called each time it has slept. NULL: nobody asks. */
    void (*report)(struct pl_rank *rank);
    /* Writes how a peer of this world died, if the launcher knows; it is given a moment to. */
    bool (*obituary)(struct pl_rank *rank, int peer, char *text, size_t size);
    /* Ends the job (a process) or the world (in-process) because of this rank; does not return. */
    void (*abort)(struct pl_rank *rank, int code, const char *text);
    void *world_state;
    void *mpi_state;             /* src/mpi's: handle tables, error texts, ...; NULL outside Init..Finalize */
    void *mpi_memory;            /* the same, also when MPI is not up; NULL: not made yet */
    bool initialized, finalized; /* MPI_Init, MPI_Finalize have been called */
    void *collectives_state;     /* src/collectives' */
    /* Called at the end of a round of progress in which something happened, or before which news of a death
     * came (from the launcher, not in a frame); NULL: nobody asked for it. */
    void (*progressed)(struct pl_rank *rank);
    int lost_before;  /* `lost` when it was called last */
    const char *call; /* the MPI function this rank is in, for reports; may be NULL */
    /* src/collectives', for calls that do not fit together (doubt.h); each may be NULL. The rank has waited
     * long; a PL_KIND_ASK has come; a message of a collective has come for which no receive is posted. */
    void (*wonder)(struct pl_rank *rank);
    void (*asked)(struct pl_rank *rank, int peer, const struct pl_envelope *envelope, const void *payload,
                  size_t length);
    void (*stray)(struct pl_rank *rank, const struct pl_envelope *envelope);
    /* Says in words how two signatures of collective messages differ; NULL: not known. */
    void (*explain)(struct pl_rank *rank, uint32_t mine, uint32_t theirs, char *text, size_t size);
};

/* Opens the rank's ports: those allowed by config that this machine has and that its
 * peers need. rank, size, local_size, hosts, key, config and fabric are set; the rest zeroed.
 * On success the rank can exchange cards (pl_rank_card) and then talk. */
int pl_rank_open(struct pl_rank *rank);
/* Whether a world has a use for a transport: shm serves the ranks of this host; anything else serves all, and
 * is not needed when shm does. `opened`: ports so far. */
bool pl_rank_needs(const char *transport, int local_size, int hosts, int opened);
/* CPUs that the ranks of this host share. A rank that its launcher has bound to one core sees one; the
 * launcher, its parent, sees what it had to deal out. */
int pl_rank_cpus(void);
/* Flushes and closes the ports, frees everything p2p holds. */
void pl_rank_close(struct pl_rank *rank);

/* The peer, made on first use; NULL: no memory. */
struct pl_peer *pl_peer_get(struct pl_rank *rank, int number);
/* Who the peer is, and the number of the peer that somebody is, or -1: of a world not connected to. */
struct pl_identity pl_peer_identity(struct pl_rank *rank, int number);
int pl_peer_find(struct pl_rank *rank, const struct pl_identity *identity);
/* Makes a peer that sleeps in pl_idle look around: for those who write where it waits. */
void pl_peer_wake(struct pl_rank *rank, int number);
/* The way to the peer, made on first use; NULL: it cannot be (pl_fail_text says why). */
struct pl_endpoint *pl_peer_endpoint(struct pl_rank *rank, int number);

/* The rank of the calling thread: its own (in-process world) or the process's; NULL outside Init..Finalize.
 */
struct pl_rank *pl_self(void);

/* Makes `rank` the calling thread's (in-process worlds), NULL to undo. */
void pl_self_set_thread(struct pl_rank *rank);
/* Makes `rank` the process's: every thread without its own has it. */
void pl_self_set_process(struct pl_rank *rank);
/* The same, unless the process has one already. Returns the process's. */
struct pl_rank *pl_self_offer_process(struct pl_rank *rank);
/* Makes the lock, before pl_rank_open or by it. */
void pl_rank_lock_init(struct pl_rank *rank);

static inline void pl_enter(struct pl_rank *rank)
{
    if (rank->threaded)
        pthread_mutex_lock(&rank->lock);
}

static inline void pl_leave(struct pl_rank *rank)
{
    if (rank->threaded)
        pthread_mutex_unlock(&rank->lock);
}

#endif
