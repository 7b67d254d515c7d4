/* On another host rank 0 cannot be handed our descriptor 0, so what comes there is
 * read here and sent, a piece at a time: the next one when its pipe has taken the
 * last. So no more is read than rank 0 wants, but for that one piece. A terminal is
 * not read while mpiexec is in the background, for that would stop it.
 */
#include "input.h"

#include <errno.h>
#include <unistd.h>

enum { PIECE = 32 * 1024 };

static void ready(struct pl_watch *watch, uint32_t events)
{
    struct pl_input *input = (struct pl_input *)watch;
    char bytes[PIECE];
    if (isatty(0) && tcgetpgrp(0) != getpgrp()) {
        pl_loop_want(input->loop, watch, 0);
        return;
    }
    ssize_t n = read(0, bytes, sizeof bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    input->asked = false;
    pl_loop_want(input->loop, watch, 0);
    input->send(input->owner, PL_FRAME_INPUT, 0, bytes, n > 0 ? (size_t)n : 0);
    if (n <= 0)
        pl_input_stop(input);
}

/* A file is always ready, and cannot be waited for. */
static void ask(struct pl_input *input)
{
    if (input->send && input->asked && pl_loop_want(input->loop, &input->watch, EPOLLIN))
        ready(&input->watch, EPOLLIN);
}

void pl_input_init(struct pl_input *input, struct pl_loop *loop)
{
    *input = (struct pl_input){.loop = loop, .watch = {.fd = -1, .ready = ready}};
}

void pl_input_start(struct pl_input *input,
                    void (*send)(void *owner, enum pl_frame kind, int rank, const char *bytes, size_t length),
                    void *owner)
{
    input->send = send;
    input->owner = owner;
    input->watch.fd = 0;
    pl_input_taken(input);
}

void pl_input_taken(struct pl_input *input)
{
    input->asked = true;
    ask(input);
}

void pl_input_continue(struct pl_input *input)
{
    ask(input);
}

void pl_input_stop(struct pl_input *input)
{
    pl_loop_want(input->loop, &input->watch, 0);
    input->watch.fd = -1;
    input->send = NULL;
}
