/* Schedules: what one rank does in one collective call, written down before it happens.
 *
 * An author writes steps with the verbs below, in the order of a textbook's loop.
 * Which step must wait for which is not written: the builder infers it from the
 * bytes each step reads and writes. Sealed, a schedule is constant: it names buffers
 * as {IN | OUT | TMP | a peer's}, never by pointer, so it can be kept and run again
 * on other memory, printed, verified (verify.h) and priced (cost.h).
 */
#ifndef PL_SCHEDULE_H
#define PL_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The buffers of a run. IN is never written. */
enum pl_space {
    PL_IN,       /* the caller's input */
    PL_OUT,      /* the caller's output */
    PL_TMP,      /* the run's own, pl_schedule.tmp bytes, garbage at the start */
    PL_PEER_IN,  /* the input of rank `peer`, which this rank can reach */
    PL_PEER_OUT, /* its output */
    PL_PEER_TMP, /* its TMP, where that lies in a window (window.h) */
};

/* A range of bytes in one of them. `peer` is meaningful for the PL_PEER_ spaces only. */
struct pl_slice {
    enum pl_space space;
    int peer;
    size_t offset, length;
};

static inline struct pl_slice pl_in(size_t offset, size_t length)
{
    return (struct pl_slice){PL_IN, 0, offset, length};
}

static inline struct pl_slice pl_out(size_t offset, size_t length)
{
    return (struct pl_slice){PL_OUT, 0, offset, length};
}

static inline struct pl_slice pl_peer_in(int peer, size_t offset, size_t length)
{
    return (struct pl_slice){PL_PEER_IN, peer, offset, length};
}

static inline struct pl_slice pl_peer_out(int peer, size_t offset, size_t length)
{
    return (struct pl_slice){PL_PEER_OUT, peer, offset, length};
}

static inline struct pl_slice pl_peer_tmp(int peer, struct pl_slice mine)
{
    return (struct pl_slice){PL_PEER_TMP, peer, mine.offset, mine.length};
}

/* `length` bytes of `whole` from `offset` on. */
static inline struct pl_slice pl_part(struct pl_slice whole, size_t offset, size_t length)
{
    return (struct pl_slice){whole.space, whole.peer, whole.offset + offset, length};
}

/* Chunks from..to-1 of `n` chunks into which `whole`, elements of `element` bytes, is
 * divided: as equal as whole elements allow, the longer ones first, some perhaps empty. */
struct pl_slice pl_chunks(struct pl_slice whole, size_t element, int n, int from, int to);

static inline struct pl_slice pl_chunk(struct pl_slice whole, size_t element, int n, int i)
{
    return pl_chunks(whole, element, n, i, i + 1);
}

/* How many segments of about `target` bytes, on element boundaries, `length` bytes make: 1 at
 * least, PL_SEGMENTS_MAX at most. The segments themselves are pl_chunk's. */
int pl_segments(size_t length, size_t element, size_t target);
enum { PL_SEGMENTS_MAX = 256 };

enum pl_verb {
    PL_STEP_SEND,   /* left -> rank `peer` */
    PL_STEP_RECV,   /* rank `peer` -> to */
    PL_STEP_REDUCE, /* to = left op right; left comes from the lower ranks; to may be one of them */
    PL_STEP_COPY,   /* to = left */
    PL_STEP_FENCE,  /* nothing */
};

struct pl_place {
    uint32_t space; /* enum pl_space */
    int peer;
    size_t offset;
};

struct pl_step {
    uint8_t verb;     /* enum pl_verb */
    uint16_t ordinal; /* send, recv: the how-manieth to or from this peer, modulo 2^16. The k-th
                       * send to a peer meets its k-th recv, in whatever order they start. */
    int peer;         /* send, recv: the other rank */
    uint32_t request; /* send, recv: numbered from 0 in the schedule */
    size_t length;    /* bytes; 0 for a signal and its await */
    struct pl_place left, right, to;
};

/* Constant once sealed. One block of memory, counted references (of one thread at a time). */
struct pl_schedule {
    int references;
    int size; /* ranks it was written for */
    uint32_t steps, requests, edges;
    bool reaches; /* it touches buffers of peers */
    size_t tmp;   /* bytes of TMP */
    const struct pl_step *step;
    const uint32_t *needs;     /* [steps] how many steps each waits for */
    const uint32_t *first;     /* [steps + 1] its successors are successor[first[i] .. first[i + 1]) */
    const uint32_t *successor; /* [edges] */
};

static inline void pl_schedule_hold(struct pl_schedule *schedule)
{
    schedule->references++;
}

void pl_schedule_release(struct pl_schedule *schedule); /* accepts NULL */

/* One line a step: number, verb, bytes, peer, and which steps follow it. */
void pl_schedule_print(const struct pl_schedule *schedule, FILE *file);

/* Why one step waits for another: it reads what that one writes, writes what it reads, or
 * writes what it writes. */
enum pl_hazard { PL_HAZARD_RAW = 1, PL_HAZARD_WAR = 2, PL_HAZARD_WAW = 4 };

struct pl_edge {
    uint32_t from, to;
};
struct pl_reader {
    uint32_t step, next;
};
struct pl_region {
    size_t begin, end;
    uint32_t writer;  /* last step that wrote it, or PL_NO_STEP */
    uint32_t readers; /* list of those that read it since, or PL_NO_STEP */
};
struct pl_track { /* one buffer's regions, sorted and disjoint */
    struct pl_region *region;
    size_t regions, capacity;
};
#define PL_NO_STEP UINT32_MAX

/* A schedule being written. Memory of the caller's; all but `error` and `ignore` is private. */
struct pl_builder {
    int error;       /* the first error; from then on the verbs do nothing */
    unsigned ignore; /* hazards (enum pl_hazard) to overlook: for tests that show the verifier's teeth */

    int size;
    enum pl_space alias, alias_to; /* `alias` is a name for alias_to, shifted by alias_offset */
    size_t alias_offset, tmp;
    bool aliased, reaches;
    uint32_t requests, fence; /* the last fence, or PL_NO_STEP */
    struct pl_step *step;
    uint32_t *needs, *mark; /* mark: the last step that an edge from here led to */
    size_t steps, step_capacity, needs_capacity, mark_capacity;
    struct pl_edge *edge;
    size_t edges, edge_capacity;
    struct pl_reader *reader;
    size_t readers, reader_capacity;
    struct pl_track *track; /* OUT, TMP, and three for each peer once one is touched */
    int tracks;
    uint16_t *ordinal; /* [2 * size] sends to and recvs from each rank so far */
};

/* Begins a schedule for a rank among `size`. */
void pl_builder_init(struct pl_builder *b, int size);
/* Makes `alias` (IN or OUT) another name for `to` (OUT or IN), its byte 0 being byte `offset` there:
 * how in-place calls are written with the same steps as all others. Before the first step. */
void pl_builder_alias(struct pl_builder *b, enum pl_space alias, enum pl_space to, size_t offset);
/* A fresh piece of TMP, 64-byte aligned. */
struct pl_slice pl_tmp(struct pl_builder *b, size_t length);

/* The verbs. Steps of length zero vanish, and so does a copy onto itself. */
void pl_step_send(struct pl_builder *b, int peer, struct pl_slice from);
void pl_step_recv(struct pl_builder *b, int peer, struct pl_slice to);
void pl_step_reduce(struct pl_builder *b, struct pl_slice to, struct pl_slice left, struct pl_slice right);
void pl_step_copy(struct pl_builder *b, struct pl_slice to, struct pl_slice from);
/* A message of no bytes: sent when what precedes it on `about` is done, as if it read it ... */
void pl_step_signal(struct pl_builder *b, int peer, struct pl_slice about);
/* ... and a wait for one, as if it wrote `about`: what reads or writes that later comes after. */
void pl_step_await(struct pl_builder *b, int peer, struct pl_slice about);
/* All steps written later wait for all written before: for throttling, never for correctness. */
void pl_step_fence(struct pl_builder *b);

/* For an algorithm whose own malloc failed. */
void pl_builder_no_memory(struct pl_builder *b);

/* Ends the builder in any case. 0: *schedule is the caller's (one reference). */
int pl_builder_seal(struct pl_builder *b, struct pl_schedule **schedule);

#endif
