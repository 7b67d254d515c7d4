/* How a rank finds its world: as a process that a launcher started (or nobody: a
 * world of one), or as a thread of an in-process world. */
#ifndef PL_WORLD_H
#define PL_WORLD_H

#include "rank.h"

#include <stddef.h>
#include <stdint.h>

/* The process's rank before its world is looked for: with a lock, and nothing else. For calls that may come
 * before MPI_Init. NULL: no memory. Safe from any thread. */
struct pl_rank *pl_process_early(void);

/* Finds the world of this process (its early rank if there is one: locked by the caller), opens its ports and
 * publishes its cards. The rank is the process's (pl_self) from then on. 0 or an error. */
int pl_process_start(struct pl_rank **rank);
/* Closes the ports and tells the launcher that this rank ends in good order. The struct
 * stays, so that calls after the end can be answered. The ranks have met before (a barrier). */
void pl_process_end(struct pl_rank *rank);

/* Returns when every other rank of the world has called it too, has ended, or is dead: how ranks part when a
 * barrier can no longer be made. Makes progress meanwhile. 0 or an error. */
int pl_world_part(struct pl_rank *rank);
/* Its in-process half. */
int pl_inprocess_part(struct pl_rank *rank);

/* The number of this program among those of the job, and how many ranks the job could have; -1: not known. */
void pl_world_job(struct pl_rank *rank, int *appnum, int *universe_size);

/* Names that all ranks of the job see. 0; PL_EARG: published already, or not at all. */
int pl_world_publish(struct pl_rank *rank, const char *service, const char *port);
int pl_world_unpublish(struct pl_rank *rank, const char *service);
int pl_world_lookup(struct pl_rank *rank, const char *service, char *port, size_t size);

/* Has another world started by a further mpiexec with these `count` arguments. 0 or an error: PL_EUNSUPPORTED
 * where it cannot be. */
int pl_world_spawn(struct pl_rank *rank, char *const *words, int count);

struct pl_names;
/* The names of an in-process world. */
struct pl_names *pl_inprocess_names(struct pl_rank *rank);

/* One function run as the ranks of an in-process world. */
struct pl_inprocess {
    int size;
    bool deterministic;
    uint64_t seed;
    size_t stack_size;             /* 0: the system's default */
    const struct pl_fault *faults; /* [fault_count] what goes wrong, deterministic only */
    int fault_count;
    int64_t time_limit; /* virtual nanoseconds; 0: none */
    const char *log;    /* a file for every event, or NULL */
    /* Called on each rank's thread when its ports are open, and before they close; `start` may fail. */
    int (*start)(struct pl_rank *rank);
    void (*end)(struct pl_rank *rank);
    int (*body)(void *argument);
    void *argument;
    /* The outcome: the first rank that failed or -1, its code, the text, and whether it was a deadlock. */
    int failed_rank, code;
    bool deadlock, out_of_time;
    char text[4096];
    int killed;            /* by the faults */
    uint64_t hash, events; /* of the log, also where none is written */
    int64_t time;          /* virtual nanoseconds */
};

/* Returns when all ranks have ended: 0 when all returned 0, or an error when the world
 * could not be made, or 1 when a rank failed. */
int pl_inprocess_run(struct pl_inprocess *world);

#endif
