/* peal_ps.h: the parameter server. Included by peal.h; on MPI's communicators and requests.
 *
 * Tables of 64-bit keys to vectors of floats, spread over servers by consistent hashing, each part kept by a
 * chain of `replicas` servers. Workers push (updates go to the servers, which apply them) and pull. Pushes
 * and pulls return MPI requests for MPI_Wait, MPI_Test and the others; they move on inside any MPI call.
 * docs/parameter-server.md has the drawings.
 *
 *     peal_ps_create(MPI_COMM_WORLD, &options, &ps);          all ranks, the same options
 *     if (peal_ps_role(ps) == PEAL_PS_SERVER)
 *         peal_ps_serve(ps);                                  until the workers have gone
 *     else
 *         for (...) {
 *             peal_ps_pull(ps, table, n, keys, weights, NULL);
 *             ... learn ...
 *             peal_ps_push(ps, table, n, keys, gradients, &request);
 *             ...
 *             peal_ps_clock(ps, NULL);
 *         }
 *     peal_ps_destroy(&ps);                                   all ranks
 *
 * Functions return MPI_SUCCESS or an MPI error class, and peal_ps_why() has the words. A `request` of NULL
 * means: wait here. Lists and values must stay untouched until the request is complete.
 */
#ifndef PEAL_PS_H
#define PEAL_PS_H

#include "mpi.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct peal_ps peal_ps;

/* What a server does with an update u that was pushed for a value w (element by element; s, s2: the states it
 * keeps beside w, zero at first). */
enum peal_ps_updater {
    PEAL_PS_SUM,      /* w += u */
    PEAL_PS_ASSIGN,   /* w = u */
    PEAL_PS_SGD,      /* w -= rate u */
    PEAL_PS_MOMENTUM, /* s = momentum s + u;  w -= rate s */
    PEAL_PS_ADAGRAD,  /* s += u u;  w -= rate u / (sqrt(s) + epsilon) */
    PEAL_PS_ADAM,     /* D. Kingma, J. Ba: "Adam", 2015; beta1, beta2, epsilon; counts steps per element */
    PEAL_PS_FTRL,     /* H. McMahan et al.: "Ad click prediction", 2013; rate, beta, l1, l2 */
    PEAL_PS_USER,     /* `function` of the table */
};

/* A program's own updater: `n` elements, whole vectors, of which the first belongs to `key`. states[i] is the
 * i-th state of each. Must depend on its arguments alone: every replica calls it. */
typedef void peal_ps_function(uint64_t key, size_t n, float *values, float *const *states,
                              const float *updates, const void *context);

/* What a value is before the first push to it: depends on table, key and seed alone. */
enum peal_ps_initial {
    PEAL_PS_ZERO,
    PEAL_PS_CONSTANT, /* initial_a */
    PEAL_PS_UNIFORM,  /* from initial_a to initial_b */
    PEAL_PS_NORMAL,   /* mean initial_a, deviation initial_b */
};

/* How values travel. Each filter is lossy in its own way; updates' errors are fed back. */
enum peal_ps_filter {
    PEAL_PS_FP16 = 1,  /* 16 bits a value, pushed or pulled */
    PEAL_PS_INT8 = 2,  /* 8 bits a value and a scale for each message; pushes only */
    PEAL_PS_CACHE = 4, /* a list of keys that was sent before is named by its hash */
    PEAL_PS_SKIP = 8,  /* updates all below `threshold` stay with the worker and add up there */
};

/* A table. Zero-initialise, set what you want; what is 0 has the default. */
struct peal_ps_table {
    const char *name;
    int width;      /* floats of a vector: 1 (default) to 4096 */
    uint64_t range; /* 0: any 64-bit key. n: the keys are 0..n-1, kept in blocks of neighbours */
    enum peal_ps_updater updater;
    const char *updater_name;    /* instead: "sum", "assign", "sgd", "momentum", "adagrad", "adam", "ftrl", or
                                  * a name in the options' `functions` */
    float rate;                  /* default 0.01 */
    float momentum;              /* default 0.9 */
    float beta1, beta2, epsilon; /* defaults 0.9, 0.999, 1e-8 */
    float beta, l1, l2;          /* FTRL's; defaults 1, 0, 0 */
    peal_ps_function *function;  /* PEAL_PS_USER's, with `states` (0..6) and `context` */
    int states;
    const void *context;
    enum peal_ps_initial initial;
    float initial_a, initial_b;
    uint64_t seed;
    int filters;     /* of enum peal_ps_filter */
    float threshold; /* PEAL_PS_SKIP's */
};

/* A program's updater, known by a name that all ranks must agree on (functions themselves may lie elsewhere
 * in each process). */
struct peal_ps_named {
    const char *name;
    peal_ps_function *function;
    int states; /* 0..6 */
};

enum peal_ps_mode {
    PEAL_PS_SYNC,    /* the updates of a clock are added up and applied when every worker has ended it */
    PEAL_PS_BOUNDED, /* applied as they come; a worker is at most `staleness` clocks ahead of the slowest */
    PEAL_PS_ASYNC,   /* applied as they come; nobody waits */
};

struct peal_ps_options {
    int servers;  /* 1 to 250; the last ranks of the communicator */
    int beside;   /* 1: servers are workers too: the first ranks serve, all work */
    int spares;   /* of the servers, those that take no part until another dies or peal_ps_join */
    int replicas; /* copies of everything, 1 to 4. 0: 1 on 1 server, 2 on 2 or 3, else 3 */
    int respawn;  /* 1: under mpiexec --respawn a new process takes a dead server's place */
    enum peal_ps_mode mode;
    int staleness; /* PEAL_PS_BOUNDED's */
    const struct peal_ps_table *tables;
    int table_count; /* 1 to 64 */
    const struct peal_ps_named
        *functions; /* that `updater_name` may mean; needed during peal_ps_create only */
    int function_count;
};

enum peal_ps_role { PEAL_PS_WORKER = 1, PEAL_PS_SERVER = 2 }; /* bits */

/* Whether options make sense for so many ranks: MPI_SUCCESS, or MPI_ERR_ARG and the words in text. */
int peal_ps_check(const struct peal_ps_options *options, int ranks, char *text, size_t bytes);
/* Collective over `comm`, which is duplicated; all ranks give the same options. What is wrong with
 * them, rank 0 says on standard error. With `respawn` comm has the ranks of MPI_COMM_WORLD, and the call
 * returns in a replacement (peal_replaced() >= 0) as soon as it may serve; it is a server and no worker. In
 * the place of a worker it fails: the others go on without that one. */
int peal_ps_create(MPI_Comm comm, const struct peal_ps_options *options, peal_ps **ps);
/* Collective among the living. A worker's operations are complete before; *ps becomes NULL. */
int peal_ps_destroy(peal_ps **ps);
int peal_ps_role(const peal_ps *ps);
int peal_ps_worker(const peal_ps *ps);  /* this worker's number, or -1 */
int peal_ps_workers(const peal_ps *ps); /* how many there were at the start */
/* The words for the latest error of this rank; valid until the next. */
const char *peal_ps_why(const peal_ps *ps);

/* A server's work: returns when all workers have destroyed theirs, or after peal_ps_leave. A rank that is
 * both serves inside its MPI calls and needs not call this. */
int peal_ps_serve(peal_ps *ps);

/* Workers. n vectors of the table's width for a list of keys, in any order; a key that comes twice counts
 * twice, in the list's order. Pulled keys that nobody pushed have the initial value. */
int peal_ps_push(peal_ps *ps, int table, size_t n, const uint64_t *keys, const float *values,
                 MPI_Request *request);
int peal_ps_pull(peal_ps *ps, int table, size_t n, const uint64_t *keys, float *values, MPI_Request *request);
/* Pushes updates, then pulls what became of them. The same memory may be both. */
int peal_ps_push_pull(peal_ps *ps, int table, size_t n, const uint64_t *keys, const float *updates,
                      float *values, MPI_Request *request);
/* The same for the keys first, first + 1, ... first + n - 1. */
int peal_ps_push_range(peal_ps *ps, int table, uint64_t first, size_t n, const float *values,
                       MPI_Request *request);
int peal_ps_pull_range(peal_ps *ps, int table, uint64_t first, size_t n, float *values, MPI_Request *request);

/* This worker's next clock. Complete when the worker may go on: synchronous, when all have ended the clock
 * and its updates are applied; bounded, when the slowest is at most `staleness` clocks behind. */
int peal_ps_clock(peal_ps *ps, MPI_Request *request);
/* All living workers. Complete when each has called it; says nothing of pushes that were not waited for. */
int peal_ps_barrier(peal_ps *ps, MPI_Request *request);
/* Waits for all of this worker's operations so far. */
int peal_ps_flush(peal_ps *ps);

/* All living workers call them, with their operations complete. The first of them writes, or reads, one file:
 * replaced in one step, checksummed, of any number of servers. */
int peal_ps_save(peal_ps *ps, const char *path);
int peal_ps_load(peal_ps *ps, const char *path);

/* A server gives its share away and then serves no more; a spare takes a share. They return at once. */
int peal_ps_leave(peal_ps *ps);
int peal_ps_join(peal_ps *ps);

struct peal_ps_stats {
    uint64_t pushes, pulls; /* of this worker: operations complete */
    uint64_t keys;          /* in them */
    uint64_t sent, bytes;   /* messages of this rank, and their bytes */
    uint64_t resent;        /* messages sent anew because servers came or went */
    int staleness;          /* the most clocks that a pulled value was behind this worker's clock */
    uint64_t views;         /* of the set of servers, so far */
    uint64_t applied;       /* vectors this server updated */
    uint64_t doubles;       /* vectors that came again and were not applied again */
    int owned, held;        /* parts of the tables that this server heads, and keeps */
    int parts;              /* there are */
    int joining;            /* copies under way in the whole set, as far as known here */
    int servers;            /* among which the parts are spread now */
    int copies;             /* complete copies of the part that has the fewest */
};

int peal_ps_stats(const peal_ps *ps, struct peal_ps_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
