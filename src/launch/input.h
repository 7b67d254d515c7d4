/* mpiexec's standard input, to a rank 0 on another host. */
#ifndef PL_INPUT_H
#define PL_INPUT_H

#include "channel.h"

#include <stdbool.h>

struct pl_input {
    struct pl_watch watch; /* descriptor 0 */
    struct pl_loop *loop;
    bool asked; /* rank 0 has room */
    /* Takes the bytes of descriptor 0 to rank 0; length 0: their end. */
    void (*send)(void *owner, enum pl_frame kind, int rank, const char *bytes, size_t length);
    void *owner;
};

/* Does nothing until started. */
void pl_input_init(struct pl_input *input, struct pl_loop *loop);
void pl_input_start(struct pl_input *input,
                    void (*send)(void *owner, enum pl_frame kind, int rank, const char *bytes, size_t length),
                    void *owner);
/* What was sent has been taken. Also after mpiexec was continued: it may be in the foreground again. */
void pl_input_taken(struct pl_input *input);
void pl_input_continue(struct pl_input *input);
void pl_input_stop(struct pl_input *input);

#endif
