/* What mpiexec and its agents say to each other, over the two pipes of an ssh. */
#ifndef PL_CHANNEL_H
#define PL_CHANNEL_H

#include "loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a frame says. `rank` is -1 where none is meant. */
enum pl_frame {
    /* To an agent */
    PL_FRAME_START,  /* description.h's bytes: what the job is and which part of it is the agent's */
    PL_FRAME_GO,     /* start the ranks */
    PL_FRAME_SIGNAL, /* send this signal (a number as text) to the ranks; 9 also to those that come */
    PL_FRAME_REST,   /* "1" or "2": do not read what ranks write there */
    PL_FRAME_RESUME, /* "1" or "2": read it again */
    PL_FRAME_DIED,   /* rank, of any host: "status pid host" */
    PL_FRAME_END,    /* all ranks have ended: clear up and end */
    /* From an agent */
    PL_FRAME_READY,   /* all hosts of its part can start */
    PL_FRAME_STARTED, /* rank: its process (a number as text) */
    PL_FRAME_OUTPUT,  /* rank: bytes of its standard output; none: the end of it */
    PL_FRAME_ERRORS,  /* rank: the same of its standard error */
    PL_FRAME_TAKEN,   /* rank: it has room for more input */
    PL_FRAME_ENDED,   /* rank: its status, as waitpid has it */
    PL_FRAME_FAILED,  /* a host's ranks cannot run: "host code text" */
    PL_FRAME_LOST,    /* an agent is gone: "first last text", the part of the job it had */
    PL_FRAME_SAID,    /* a line for the user */
    /* Both */
    PL_FRAME_PMI,   /* rank: bytes of its PMI connection */
    PL_FRAME_INPUT, /* rank: bytes of its standard input; none: the end of it */
    PL_FRAME_BEAT,  /* nothing: the other side is there */
    PL_FRAME_KINDS,
};

/* Longest frame but for START. */
enum { PL_FRAME_MAX = 1 << 20, PL_CHANNEL_BUSY = 1 << 20 };

struct pl_channel;

struct pl_channel_calls {
    /* A whole frame; `bytes` has a NUL behind it that does not count. */
    void (*frame)(struct pl_channel *channel, enum pl_frame kind, int rank, const char *bytes, size_t length);
    /* The other side has closed, or what it sends makes no sense (`why` says so, else NULL). Once. */
    void (*ended)(struct pl_channel *channel, const char *why);
    /* All frames that have come are told: the end of a batch. May be NULL. */
    void (*idle)(struct pl_channel *channel);
};

struct pl_channel {
    struct pl_watch in, out;
    struct pl_loop *loop;
    const struct pl_channel_calls *calls;
    char *queue; /* what waits to be written: [head, head + fill) of size */
    size_t head, fill, size;
    char *incoming; /* what has come of a frame */
    size_t got, room;
    bool greeted; /* the other side's first line has come */
    bool ended;   /* told */
    int64_t heard_at, said_at;
};

/* Takes over both descriptors. `greeted`: no first line is awaited. 0, PL_ESYSTEM, PL_ENOMEM. */
int pl_channel_open(struct pl_channel *channel, struct pl_loop *loop, int in, int out, bool greeted,
                    const struct pl_channel_calls *calls);
void pl_channel_close(struct pl_channel *channel);

/* The line by which an agent makes itself known; what comes before it (a shell's greeting) is passed over. */
void pl_channel_greet(struct pl_channel *channel);

/* Queues a frame and writes what goes. Nothing happens on a channel that has ended. */
void pl_channel_send(struct pl_channel *channel, enum pl_frame kind, int rank, const void *bytes,
                     size_t length);
void pl_channel_send_text(struct pl_channel *channel, enum pl_frame kind, int rank, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Reads what has come, without waiting. */
void pl_channel_hear(struct pl_channel *channel);

/* Whether so much waits to be written that no more should be read for it. */
bool pl_channel_busy(const struct pl_channel *channel);
/* Whether anything waits to be written. */
bool pl_channel_waits(const struct pl_channel *channel);
/* Reads no more for now, or again. */
void pl_channel_rest(struct pl_channel *channel, bool rest);

#endif
