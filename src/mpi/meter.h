/* What a rank does with its time: counted for PEAL_STATS, written down call by call for PEAL_TRACE. */
#ifndef PL_METER_H
#define PL_METER_H

#include "rank.h"

struct pl_meter;
struct pl_trace;

/* Makes the meter of a process's rank where the configuration asks for one, else *meter is NULL. Never fails:
 * what cannot be had is warned about. */
void pl_meter_create(struct pl_rank *rank, struct pl_meter **meter);
/* All ranks have come to part and none has left: the trace is whole, and rank 0 tells the counts of all that
 * it can be told; a rank that cannot reach it tells its own. Accepts NULL. */
void pl_meter_part(struct pl_meter *meter);
/* The process is about to end by itself: what is known is written down. Accepts NULL. */
void pl_meter_save(struct pl_meter *meter);
void pl_meter_destroy(struct pl_meter *meter); /* accepts NULL */

/* An MPI call begins and ends in this thread, with the rank's lock held. Calls within calls (of a user's
 * operator, say) count as part of the outer one. */
void pl_meter_begin(struct pl_meter *meter, const char *name);
void pl_meter_end(struct pl_meter *meter);
/* The call that began is none: it begins again, under the same name. */
void pl_meter_forget(void);

/* trace.c: a file of events in the format that trace viewers read. */
struct pl_event {
    const char *name;
    int thread;
    int64_t at, length; /* nanoseconds since the trace began; how long it took */
    uint64_t messages, bytes;
};

/* "FILE.RANK"; NULL: it cannot be written, which is warned about. */
struct pl_trace *pl_trace_create(const struct pl_rank *rank, const char *file, int64_t now);
void pl_trace_write(struct pl_trace *trace, const struct pl_event *event);
/* Writes what is kept in memory. */
void pl_trace_flush(struct pl_trace *trace);
/* Nothing comes any more. */
void pl_trace_end(struct pl_trace *trace);
void pl_trace_destroy(struct pl_trace *trace); /* accepts NULL */

#endif
