/* Calls that keep their place in a stream of the program's, and are done later by a thread of the library's.
 */
#ifndef PL_STREAM_H
#define PL_STREAM_H

#include "call.h"

/* One call, its arguments as the program gave them. `in` is read, `out` written: bytes, 0 if it has none. */
struct pl_stream_call {
    const char *name;
    int (*run)(const struct pl_stream_call *call); /* the MPI function's result */
    const void *in;
    void *out;
    size_t in_bytes, out_bytes;
    bool out_read; /* `out` is read too (MPI_IN_PLACE, what a short message leaves alone) */
    MPI_Count count;
    MPI_Datatype type;
    MPI_Op op;
    int peer, tag; /* root, destination or source */
    MPI_Comm comm;
    MPI_Status *status;
};

/* Takes the call into the stream; *code is its result then, MPI_SUCCESS or the error class of an earlier one
 * that failed after it had been taken. False: the caller must do it, at once; nothing has happened. */
bool pl_streams_take(struct pl_mpi *mpi, const struct pl_stream_call *call, void *stream, int *code);

/* Waits until all that was taken is done; the rank is the calling thread's again. Returns at once in
 * the thread that does it. */
void pl_streams_reclaim(struct pl_mpi *mpi);

/* Frees what there is. Nothing is taken. */
void pl_streams_end(struct pl_mpi *mpi);

#endif
