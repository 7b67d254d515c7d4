/* The event loop of mpiexec: descriptors and what to do when they are ready. */
#ifndef PL_LOOP_H
#define PL_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

/* One descriptor; lives inside what it belongs to, which must outlive the loop
 * or at least its current turn. fd is -1 when there is none. */
struct pl_watch {
    int fd;
    void (*ready)(struct pl_watch *watch, uint32_t events);
    uint32_t wanted; /* set by pl_loop_want */
};

struct pl_loop {
    int epoll;
};

/* 0 or PL_ESYSTEM. */
int pl_loop_init(struct pl_loop *loop);
void pl_loop_finish(struct pl_loop *loop);

/* Says which of EPOLLIN, EPOLLOUT are of interest; 0 to rest (an end or error of
 * a resting descriptor is not reported either). 0; PL_EUNSUPPORTED if it is
 * always ready, as a file is; PL_ESYSTEM. */
int pl_loop_want(struct pl_loop *loop, struct pl_watch *watch, uint32_t events);

/* Stops watching and closes. Does nothing when fd is -1. */
void pl_loop_close(struct pl_loop *loop, struct pl_watch *watch);

/* Waits up to timeout_ms (-1: for ever) and calls what is ready. */
int pl_loop_turn(struct pl_loop *loop, int timeout_ms);

#endif
