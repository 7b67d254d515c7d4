/* peal.h: what Peal offers beside MPI, because MPI has no word for it.
 *
 * In-process worlds: run a function as N ranks inside this process, each a
 * thread, without a launcher. Made for unit tests of code that calls MPI. And calls that keep
 * their place in a CUDA stream.
 */
#ifndef PEAL_H
#define PEAL_H

#include <mpi.h>

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

/* Calls that keep their place in a CUDA stream. `stream` is a cudaStream_t (or CUstream) of the context that is
 * current; NULL: the default stream.
 *
 * MPI's own functions take device buffers too. They see what was submitted before on the legacy default stream (of
 * the buffer's context) and on streams in order with it; they are complete at return, or at MPI_Wait. What was
 * submitted on other streams (made non-blocking, or the per-thread default stream) the program must have
 * waited for. These functions order with one such stream instead: they begin after what is on it, without the
 * host waiting for that first, and what is submitted to it later comes after them. They return when this
 * rank's part is exchanged. Arguments and errors are those of MPI_Allreduce, MPI_Bcast, MPI_Allgather (both sides
 * alike), MPI_Reduce_scatter_block, MPI_Send and MPI_Recv; without device memory `stream` must be NULL. */
int peal_allreduce_on_stream(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype, MPI_Op op,
                             MPI_Comm comm, void *stream);
int peal_bcast_on_stream(void *buffer, MPI_Count count, MPI_Datatype datatype, int root, MPI_Comm comm,
                         void *stream);
int peal_allgather_on_stream(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype,
                             MPI_Comm comm, void *stream);
int peal_reduce_scatter_on_stream(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype,
                                  MPI_Op op, MPI_Comm comm, void *stream);
int peal_send_on_stream(const void *buffer, MPI_Count count, MPI_Datatype datatype, int dest, int tag,
                        MPI_Comm comm, void *stream);
int peal_recv_on_stream(void *buffer, MPI_Count count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm,
                        MPI_Status *status, void *stream);

/* The calling rank's world, to be handed to a thread it starts; that thread
 * calls peal_world_join(it) before its first MPI call. */
void *peal_world_here(void);
void peal_world_join(void *world);

#ifdef __cplusplus
}
#endif
#endif
