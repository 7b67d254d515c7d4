/* A file, pipe or socket as standard input is handed to rank 0 itself: it reads
 * as much as it wants and no byte more is taken from whoever shares it (a shell
 * loop around mpiexec, say), with the end and the speed of the real thing. Only
 * a terminal cannot be: each rank is in a process group of its own, which the
 * terminal does not regard as the foreground. So what is typed is passed on
 * here, one buffer at a time: no more is read before rank 0 has taken it.
 *
 * When mpiexec itself is in the background it does not read, for that would stop
 * it; it looks again when it is continued.
 */
#include "terminal.h"

#include <errno.h>
#include <unistd.h>

void pl_terminal_stop(struct pl_terminal *terminal)
{
    pl_loop_want(terminal->loop, &terminal->from, 0);
    terminal->from.fd = -1;
    pl_loop_close(terminal->loop, &terminal->to);
}

static void to_ready(struct pl_watch *watch, uint32_t events)
{
    struct pl_terminal *terminal = (struct pl_terminal *)((char *)watch - offsetof(struct pl_terminal, to));
    ssize_t n = write(watch->fd, terminal->bytes + terminal->head, terminal->fill);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        pl_loop_want(terminal->loop, watch, EPOLLOUT);
        return;
    }
    if (n < 0) {
        pl_terminal_stop(terminal);
        return;
    }
    terminal->head += (size_t)n;
    terminal->fill -= (size_t)n;
    pl_loop_want(terminal->loop, watch, terminal->fill ? EPOLLOUT : 0);
    pl_loop_want(terminal->loop, &terminal->from, terminal->fill ? 0 : EPOLLIN);
}

static void from_ready(struct pl_watch *watch, uint32_t events)
{
    struct pl_terminal *terminal = (struct pl_terminal *)watch;
    if (isatty(0) && tcgetpgrp(0) != getpgrp()) {
        pl_loop_want(terminal->loop, watch, 0);
        return;
    }
    ssize_t n = read(0, terminal->bytes, sizeof terminal->bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        pl_terminal_stop(terminal);
        return;
    }
    terminal->head = 0;
    terminal->fill = (size_t)n;
    pl_loop_want(terminal->loop, watch, 0);
    to_ready(&terminal->to, EPOLLOUT);
}

void pl_terminal_init(struct pl_terminal *terminal, struct pl_loop *loop)
{
    terminal->loop = loop;
    terminal->head = terminal->fill = 0;
    terminal->from = (struct pl_watch){.fd = -1, .ready = from_ready};
    terminal->to = (struct pl_watch){.fd = -1, .ready = to_ready};
}

void pl_terminal_start(struct pl_terminal *terminal, int to)
{
    terminal->from.fd = 0;
    terminal->to.fd = to;
    pl_terminal_continue(terminal);
}

void pl_terminal_continue(struct pl_terminal *terminal)
{
    if (!terminal->fill)
        pl_loop_want(terminal->loop, &terminal->from, EPOLLIN);
}
