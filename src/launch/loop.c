/* epoll, level-triggered. A descriptor in which nobody is interested is taken
 * out of the set, for epoll reports an end whether asked or not and a loop that
 * does not want to read would spin on it.
 *
 * A handler may close any watch, also one that is due later in the same turn:
 * its `wanted` is 0 then and it is passed over. Rejected: poll(2), which looks
 * at every descriptor of the job each time one of them has a line to say.
 */
#include "loop.h"

#include "errors.h"

#include <errno.h>
#include <unistd.h>

int pl_loop_init(struct pl_loop *loop)
{
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    return loop->epoll < 0 ? pl_fail_errno("epoll_create1") : 0;
}

void pl_loop_finish(struct pl_loop *loop)
{
    close(loop->epoll);
}

int pl_loop_want(struct pl_loop *loop, struct pl_watch *watch, uint32_t events)
{
    if (watch->fd < 0 || watch->wanted == events)
        return 0;
    int what = !watch->wanted ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll, what, watch->fd, &event)) {
        if (errno == EPERM)
            return pl_fail(PL_EUNSUPPORTED, "descriptor %d cannot be waited for", watch->fd);
        return pl_fail_errno("epoll_ctl for descriptor %d", watch->fd);
    }
    watch->wanted = events;
    return 0;
}

void pl_loop_close(struct pl_loop *loop, struct pl_watch *watch)
{
    if (watch->fd < 0)
        return;
    pl_loop_want(loop, watch, 0);
    watch->wanted = 0;
    close(watch->fd);
    watch->fd = -1;
}

int pl_loop_turn(struct pl_loop *loop, int timeout_ms)
{
    struct epoll_event events[64];
    int n = epoll_wait(loop->epoll, events, 64, timeout_ms);
    if (n < 0)
        return errno == EINTR ? 0 : pl_fail_errno("epoll_wait");
    for (int i = 0; i < n; i++) {
        struct pl_watch *watch = events[i].data.ptr;
        if (watch->wanted)
            watch->ready(watch, events[i].events);
    }
    return 0;
}
