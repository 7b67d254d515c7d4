/* peal.h: what Peal offers beside MPI, because MPI has no word for it.
 *
 * In-process worlds: run a function as N ranks inside this process, each a
 * thread, without a launcher. Made for unit tests of code that calls MPI. And calls that keep
 * their place in a CUDA stream.
 */
#ifndef PEAL_H
#define PEAL_H

#include "peal_ps.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What can go wrong in a deterministic world. A rank or peer of -1 is drawn from the seed (DELAY: all are
 * meant), as is whatever else a fault leaves open. */
enum peal_fault_kind {
    PEAL_FAULT_DELAY = 1, /* each message from rank to peer is under way for up to `seconds`; those of one
                             pair stay in order, those of different pairs overtake each other */
    PEAL_FAULT_CUT, /* the link between rank and peer breaks: what is on it is lost, and each end is told
                       within `seconds` */
    PEAL_FAULT_HALF_OPEN, /* the same, but rank is told at once and peer within `seconds` */
    PEAL_FAULT_KILL, /* rank dies as by kill -9: its thread ends at its next failing MPI call, nothing that
                        it does meanwhile is seen by others, and each of them is told within `seconds` */
    PEAL_FAULT_FLIP, /* one bit of a frame from rank to peer is inverted */
};

struct peal_fault {
    int kind; /* enum peal_fault_kind */
    int rank, peer;
    uint64_t
        step;  /* with which frame from rank to peer (DELAY: from which on); KILL: with which frame that rank
                  sends or receives. Counted from 1; a long message is several frames. 0: by time alone */
    double at; /* and not before this many seconds of virtual time */
    double seconds;
};

/* How an in-process world runs. Zero-initialise, set what you want. */
struct peal_world_options {
    /* 0: the ranks are free-running threads. 1: deterministic: one rank runs at
     * a time, and whenever it waits the next is drawn from `seed`; the same seed
     * gives the same order of everything. Time is virtual: MPI_Wtime begins at 0 and
     * passes only while all ranks wait, or by a microsecond a turn. */
    int deterministic;
    uint64_t seed;
    size_t stack_size; /* bytes of each rank's stack; 0: the system's default */
    /* The rest is of deterministic worlds only. */
    const struct peal_fault *faults; /* [fault_count], copied */
    int fault_count;
    int drawn;         /* so many faults more, drawn from the seed */
    unsigned kinds;    /* of these kinds: bits 1u << PEAL_FAULT_...; 0: of all but FLIP */
    double time_limit; /* seconds of virtual time after which it fails; 0: 3600 */
    const char
        *log; /* a file for every event, one line each; the same seed gives the same file. NULL: none */
};

/* How it ended. */
struct peal_world_result {
    int rank; /* the first rank that failed, or -1 */
    int code; /* what its function returned, MPI_Abort's code, or the MPI error class that was fatal to it */
    int deadlock;    /* 1: every rank waited for another; `text` says what each waited for */
    char text[4096]; /* why, one line a rank concerned; "" when all went well */
    int out_of_time; /* 1: time_limit was passed */
    int killed;      /* ranks that faults killed */
    uint64_t seed;
    uint64_t events, hash; /* how many there were, and a hash over all of them */
    double seconds;        /* how old the world became, deterministic */
};

/* Runs body(argument) as `ranks` ranks (1..4096) of a new world and returns when
 * all have ended: 0 if each returned 0, else non-zero, and *result (may be NULL)
 * says who failed and how. Inside body all of MPI may be called; MPI_Init and
 * MPI_Finalize may be, but need not be: the world is up before body starts.
 * An error under MPI_ERRORS_ARE_FATAL, or MPI_Abort, ends the ranks' functions
 * (their threads unwind without returning to body), never the process; so does a call after MPI_Finalize. May
 * be called again and again, also from several threads at once; not from inside a rank. `options` may be
 * NULL. Threads that a rank's body starts itself must call peal_world_join first if they call MPI: one that
 * has not is no rank's, and its call, as one before MPI_Init, ends the process. */
int peal_run(int ranks, int (*body)(void *argument), void *argument, const struct peal_world_options *options,
             struct peal_world_result *result);

/* Calls that keep their place in a CUDA stream. `stream` is a cudaStream_t (or CUstream) of the context that
 * is current; NULL: the default stream.
 *
 * MPI's own functions take device buffers too. They see what was submitted before on the legacy default
 * stream (of the buffer's context) and on streams in order with it; they are complete at return, or at
 * MPI_Wait. What was submitted on other streams (made non-blocking, or the per-thread default stream) the
 * program must have waited for. These functions order with one such stream instead: they begin after what is
 * on it, and what is submitted to it later comes after them. Up to 4 MiB a side of data without gaps they
 * return at once, and a thread of the library does them later, in the order in which they were made
 * (docs/gpu.md says where the host waits instead): buffers and *status are theirs until the stream has come
 * past them, and any other call of MPI first waits until they are done. An error that shows only then is
 * returned by the next of them. Arguments and errors are those of MPI_Allreduce, MPI_Bcast, MPI_Allgather
 * (both sides alike), MPI_Reduce_scatter_block, MPI_Send and MPI_Recv; without device memory `stream` must be
 * NULL. */
int peal_allreduce_on_stream(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype,
                             MPI_Op op, MPI_Comm comm, void *stream);
int peal_bcast_on_stream(void *buffer, MPI_Count count, MPI_Datatype datatype, int root, MPI_Comm comm,
                         void *stream);
int peal_allgather_on_stream(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype,
                             MPI_Comm comm, void *stream);
int peal_reduce_scatter_on_stream(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype,
                                  MPI_Op op, MPI_Comm comm, void *stream);
int peal_send_on_stream(const void *buffer, MPI_Count count, MPI_Datatype datatype, int dest, int tag,
                        MPI_Comm comm, void *stream);
int peal_recv_on_stream(void *buffer, MPI_Count count, MPI_Datatype datatype, int source, int tag,
                        MPI_Comm comm, MPI_Status *status, void *stream);

/* Runs body in deterministic worlds with the seeds options->seed, + 1, ..., `seeds` of them, until one fails:
 * then it is run again, *result is that world's, and a line on standard error tells its seed and whether the
 * second run was event for event the same. Returns peal_run's code of the world that failed, or 0: none did.
 * To look closer, call peal_run with the same options and result->seed; a fault that the body has no part in
 * (killed ranks) is no failure. */
int peal_explore(int ranks, int (*body)(void *argument), void *argument,
                 const struct peal_world_options *options, uint64_t seeds, struct peal_world_result *result);

/* To be called by a rank: lets time pass (virtual in a deterministic world) and makes progress meanwhile.
 * Returns MPI_SUCCESS, or the error class of what ended the rank's world. */
int peal_sleep(double seconds);

/* To be called by a rank: a number in [0, bound), bound >= 1. In a deterministic world it is drawn from the
 * seed. */
uint64_t peal_random(uint64_t bound);

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

/* Whether mpiexec --respawn started this process for a rank that died: that rank's number in the job's world,
 * else -1. It is in a world of its own, and joins the others by MPI_Lookup_name and MPI_Comm_connect. May be
 * called at any time. */
int peal_replaced(void);

#ifdef __cplusplus
}
#endif
#endif
