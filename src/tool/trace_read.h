/* The files that ranks write for PEAL_TRACE (src/mpi/trace.c), read. They may be cut off anywhere, or be
 * anything. */
#ifndef PL_TRACE_READ_H
#define PL_TRACE_READ_H

#include <stdint.h>
#include <stdio.h>

enum { PL_TRACE_FUNCTIONS = 256, PL_TRACE_NAME = 41 };

struct pl_trace_sum {
    char where[128];      /* "rank 1 on node7"; "" when the file does not say */
    int64_t epoch;        /* nanoseconds, when the trace began; 0: the file does not say */
    int64_t inside;       /* nanoseconds in calls */
    int64_t end;          /* of the last call, since it began */
    uint64_t events, odd; /* calls; lines that are none */
    int functions;
    struct pl_trace_function {
        char name[PL_TRACE_NAME];
        uint64_t calls, bytes;
        int64_t time, longest;
    } function[PL_TRACE_FUNCTIONS];
};

/* The line of the function that is called so, made if need be; NULL: there are too many. */
struct pl_trace_function *pl_trace_function_of(struct pl_trace_sum *sum, const char *name);

/* Reads a file to its end. With `out` the events are written there, later by `shift` nanoseconds. */
void pl_trace_read(FILE *in, struct pl_trace_sum *sum, FILE *out, int64_t shift);

#endif
