/* The ranks' output, line by line, to mpiexec's own. */
#ifndef PL_OUTPUT_H
#define PL_OUTPUT_H

#include "loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PL_OUTPUT_LINE_MAX = 64 * 1024 }; /* longer lines are passed on in parts */

#define PL_PROMPT_NS 100000000

struct pl_output;

/* What a rank writes to one of its two outputs. */
struct pl_stream {
    struct pl_watch watch;
    struct pl_output *output;
    int rank, number; /* 1 or 2 */
    char *partial;    /* the start of a line, NULL if none */
    size_t fill;
    bool begun; /* the start of this line has been passed on already */
    bool open;
};

/* One of mpiexec's own two outputs. */
struct pl_sink {
    struct pl_watch watch;
    struct pl_output *output;
    char *queue;
    size_t head, fill, size;
    struct pl_stream *middle; /* whose line was passed on last and is not finished; NULL: none */
    bool always;              /* never makes us wait: a file */
    bool full;                /* the ranks' streams rest until it has drained */
    bool broken;
};

struct pl_output_calls {
    void *owner;
    void (*unwritable)(void *owner, int number, int error); /* called once a sink */
    /* Streams that are fed by pl_output_take shall rest, or go on. */
    void (*rest)(void *owner, int number, bool rest);
};

struct pl_output {
    struct pl_loop *loop;
    struct pl_sink sinks[2];
    struct pl_stream *streams; /* two a rank */
    int nstreams, open;
    bool tag, immediate;
    int64_t active; /* when something last came or went, as pl_now */
    char *chunk;
    struct pl_output_calls calls;
};

/* `tag`: lines begin with "[rank] ". 0, PL_ENOMEM. */
int pl_output_init(struct pl_output *output, struct pl_loop *loop, int ranks, bool tag,
                   const struct pl_output_calls *calls);
void pl_output_finish(struct pl_output *output);

/* Reads what is left of a rank that has ended, and closes its outputs: another may be attached in its place.
 */
void pl_output_close_rank(struct pl_output *output, int rank);

/* Takes over the reading end (non-blocking) of a rank's stdout (1) or stderr (2). 0, PL_ESYSTEM. */
int pl_output_attach(struct pl_output *output, int rank, int number, int fd);

/* The same for a rank of another host: its bytes are brought by pl_output_take; length 0: the end. */
void pl_output_expect(struct pl_output *output, int rank);
void pl_output_take(struct pl_output *output, int rank, int number, const char *bytes, size_t length);

/* Passes on the start of a line that a rank left unfinished on its stdout before
 * `now` - PL_PROMPT_NS: it may be a question to the user. Returns when to ask
 * again, 0 if nothing is kept. */
int64_t pl_output_prompt(struct pl_output *output, int rank, int64_t now);

/* Whether something waits for mpiexec's own stdout or stderr to take it. */
bool pl_output_waits(const struct pl_output *output);

/* Passes on the starts of lines that are kept, and closes all streams. */
void pl_output_close(struct pl_output *output);

#endif
