/* Measuring: many short batches, their median. */
#ifndef PL_TIMING_H
#define PL_TIMING_H

#include "spread.h"

struct pl_timing {
    int warmup;     /* calls before */
    int iterations; /* calls a batch; 0: as many as fill a fortieth of `seconds` */
    double seconds; /* about how long in all, with 5 to PL_BATCHES_MAX batches */
};
enum { PL_BATCHES_MAX = 400 };

/* What is measured. All ranks call it together; those that take no part have a `once` that returns at once.
 */
struct pl_work {
    void (*once)(void *context);
    void (*rewrite)(void *context, int batch); /* new contents for the buffers */
    void *context;
};

/* Microseconds a call, of the slowest rank; the same on all ranks. */
struct pl_spread pl_measure(const struct pl_timing *timing, const struct pl_work *work);

#endif
