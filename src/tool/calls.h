/* The collectives as the benchmark makes them: buffers, call, and what must come out. */
#ifndef PL_CALLS_H
#define PL_CALLS_H

#include "numbers.h"

/* One measurement, as one rank sees it. */
struct pl_point {
    int rank, size, root;
    const struct pl_number *number;
    const struct pl_operator *op;
    size_t count; /* elements of the vector, or of one rank's block */
    bool in_place;
    int salt;          /* of the contents */
    void *in, *out;    /* each of pl_call_bytes() */
    int window;        /* messages under way (pairs.h) */
    MPI_Count *counts; /* room for the lists of v-forms: of `size` each */
    MPI_Aint *places;
};

enum {
    PL_CALL_REDUCES = 1,
    PL_CALL_ROOTED = 2,
    PL_CALL_ONE_WAY = 4, /* has no in-place form */
    PL_CALL_EMPTY = 8,   /* has no data */
};

struct pl_call {
    const char *name;
    unsigned flags;
    bool in_blocks, out_blocks; /* the buffer has a block for each rank */
    int source;                 /* calls.c: where the result's blocks come from */
    void (*run)(const struct pl_point *p);
    double (*bus)(double n); /* bus bandwidth by algorithm bandwidth on n ranks */
};

extern const struct pl_call pl_calls[]; /* ended by a NULL name */

/* Bytes of the larger of a rank's two buffers: what tables call the size. */
size_t pl_call_bytes(const struct pl_call *call, const struct pl_point *p);

/* Writes what the call shall find, and rubbish where its result will be. */
void pl_call_prepare(const struct pl_call *call, const struct pl_point *p);
/* The same for many calls in a row, which in place feed on their own results: contents that stay as they are.
 */
void pl_call_prepare_many(const struct pl_call *call, const struct pl_point *p);
/* Elements of this rank's result that are wrong after one call. */
size_t pl_call_wrong(const struct pl_call *call, const struct pl_point *p);

#endif
