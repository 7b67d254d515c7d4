/* peal.h: what Peal offers beside MPI, because MPI has no word for it.
 *
 * In-process worlds: run a function as N ranks inside this process, each a
 * thread, without a launcher. Made for unit tests of code that calls MPI.
 */
#ifndef PEAL_H
#define PEAL_H

#include "peal_ps.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How an in-process world runs. Zero-initialise, set what you want. */
struct peal_world_options {
    /* 0: the ranks are free-running threads. 1: deterministic: one rank runs at
     * a time, and whenever it waits the next is drawn from `seed`; the same seed
     * gives the same order of everything. */
    int deterministic;
    uint64_t seed;
    size_t stack_size; /* bytes of each rank's stack; 0: the system's default */
};

/* How it ended. */
struct peal_world_result {
    int rank; /* the first rank that failed, or -1 */
    int code; /* what its function returned, MPI_Abort's code, or the MPI error class that was fatal to it */
    int deadlock;    /* 1: every rank waited for another; `text` says what each waited for */
    char text[4096]; /* why, one line a rank concerned; "" when all went well */
};

/* Runs body(argument) as `ranks` ranks (1..4096) of a new world and returns when
 * all have ended: 0 if each returned 0, else non-zero, and *result (may be NULL)
 * says who failed and how. Inside body all of MPI may be called; MPI_Init and
 * MPI_Finalize may be, but need not be: the world is up before body starts.
 * An error under MPI_ERRORS_ARE_FATAL, or MPI_Abort, ends the ranks' functions
 * (their threads unwind without returning to body), never the process. May be
 * called again and again, also from several threads at once; not from inside
 * a rank. `options` may be NULL. Threads that a rank's body starts itself must
 * call peal_world_join first if they call MPI. */
int peal_run(int ranks, int (*body)(void *argument), void *argument, const struct peal_world_options *options,
             struct peal_world_result *result);

/* The calling rank's world, to be handed to a thread it starts; that thread
 * calls peal_world_join(it) before its first MPI call. */
void *peal_world_here(void);
void peal_world_join(void *world);

/* Calls function(state) on the calling rank whenever one of its MPI calls made progress: something arrived,
 * or went out. So a library on top of MPI (the parameter server is one) moves on while its program
 * waits in whatever MPI call, without a thread of its own, and completes generalised requests from there. The
 * function may call MPI, but must not wait in it; it is not called again while it runs, but once more after
 * it if there was progress meanwhile. ended(state), which may be NULL, is called when MPI ends on this rank,
 * however it does (also when an in-process rank is ended from outside), and the hook is still there: it may
 * free memory, and must not call MPI. Returns 0 or MPI_ERR_NO_MEM, MPI_ERR_ARG. */
int peal_hook_add(void (*function)(void *state), void (*ended)(void *state), void *state);
/* No more calls after this one; MPI_ERR_ARG if there is no such hook. Not from within a hook. */
int peal_hook_remove(void (*function)(void *state), void *state);

#ifdef __cplusplus
}
#endif
#endif
