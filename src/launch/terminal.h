/* The terminal's keyboard, to rank 0. */
#ifndef PL_TERMINAL_H
#define PL_TERMINAL_H

#include "loop.h"

#include <stdbool.h>
#include <stddef.h>

struct pl_terminal {
    struct pl_watch from, to; /* descriptor 0; rank 0's standard input */
    struct pl_loop *loop;
    char bytes[4096];
    size_t head, fill;
};

/* Zero work until started: then passes what comes on descriptor 0 on to `to`
 * (non-blocking, taken over), and closes that at the end of input. */
void pl_terminal_init(struct pl_terminal *terminal, struct pl_loop *loop);
void pl_terminal_start(struct pl_terminal *terminal, int to);

/* After mpiexec was continued: it may be in the foreground again. */
void pl_terminal_continue(struct pl_terminal *terminal);
void pl_terminal_stop(struct pl_terminal *terminal);

#endif
