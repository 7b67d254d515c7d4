/* Idling in the shared-memory transport: seeing that peers live, and sleeping.
 *
 * Sleeping: the sleeper sets a bit in its state word, fences, looks at its rings
 * again and only then sleeps; a sender writes its record, fences, and wakes who has
 * the bit set. One of the two sees the other, so no wake-up is lost. The sender's
 * fence costs 20-40 ns in a stream of 8-byte frames and nothing measurable
 * one way, since the frame is on its way already. Rejected: membarrier by the sleeper,
 * which spares that fence but interrupts every other core: 9 us a sleep, where
 * ranks outnumber cores and sleep often; and a sleep without any order that looks again
 * after a while, which is right only on machines of a certain haste.
 *
 * One sleeps on a futex in the own segment or, when other descriptors are to be
 * watched too, in poll on a pipe, which wakers open through /proc. No single sleep is
 * longer than 100 ms, because peers are looked at in between.
 */
#include "shm_port.h"

#include "clock.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

static const int64_t look_every = 50000000, sleep_most = 100000000; /* nanoseconds */

/* A living peer: has it closed its port, or given up in the middle of a frame? */
static void look_at_leaving(struct pl_shm_port *port, struct pl_shm_peer *peer)
{
    uint32_t left = peer->in.ring ? atomic_load(&peer->in.ring->left) : PL_RING_OPEN;
    if (left == PL_RING_CLOSED ||
        (peer->view.segment && atomic_load(&peer->view.segment->state) & PL_SHM_CLOSED))
        peer->left = true;
    bool cut = peer->streaming && !pl_ring_ready(&peer->in);
    if (peer->left && (cut || !pl_list_empty(&peer->queue)))
        pl_shm_condemn(port, peer, PL_EPEER, "rank %d has closed its port", peer->endpoint.peer);
    else if (cut && left == PL_RING_LEFT && !peer->abandoned) {
        peer->abandoned = true;
        port->attention++;
    }
}

/* Looks whether peers are still there. */
static void look_at_peers(struct pl_shm_port *port, int64_t now)
{
    enum { MOST = 256 };
    struct pl_shm_peer *looked[MOST];
    struct pl_segment_view *views[MOST];
    bool dead[MOST];
    int n = 0, most = port->nknown < MOST ? port->nknown : MOST;
    port->looked = now;
    for (int i = 0; i < most; i++) {
        struct pl_shm_peer *peer = port->known[(port->look_from + i) % port->nknown];
        if (peer->error)
            continue;
        look_at_leaving(port, peer);
        if (!peer->error && !peer->left && peer->view.segment) {
            looked[n] = peer;
            views[n++] = &peer->view;
        }
    }
    port->look_from = port->nknown ? (port->look_from + most) % port->nknown : 0;
    if (n)
        pl_segment_look(views, n, dead);
    for (int i = 0; i < n; i++) {
        if (!dead[i])
            continue;
        look_at_leaving(port, looked[i]); /* it may have left in order in between */
        if (!looked[i]->left)
            pl_shm_condemn(port, looked[i], PL_EPEER, "process %d of rank %d is gone", looked[i]->view.pid,
                           looked[i]->endpoint.peer);
    }
}

void pl_shm_look(struct pl_shm_port *port)
{
    int64_t now = pl_now();
    if (now - port->looked >= look_every)
        look_at_peers(port, now);
}

void pl_shm_unwatch(struct pl_shm_port *port)
{
    char drop[64];
    port->watched = false;
    atomic_fetch_and(&port->segment->state, ~(uint32_t)PL_SHM_PIPE);
    while (read(port->pipe[0], drop, sizeof drop) > 0)
        ;
}

/* Whether progress has something to do. */
static bool something_to_do(struct pl_shm_port *port)
{
    if (port->attention || atomic_load(&port->segment->announced) != port->announced)
        return true;
    for (int i = 0; i < port->nactive; i++)
        if (pl_ring_ready(&port->active[i]->in))
            return true;
    if (port->sharing && pl_shm_settles(port))
        return true;
    pl_list_each(node, &port->pending)
    {
        struct pl_shm_peer *peer = pl_container(node, struct pl_shm_peer, pending);
        uint64_t head = atomic_load(&peer->out.ring->head);
        if (head != peer->out.head)
            return true;
    }
    return false;
}

/* Says that this rank sleeps, in one or both ways. Returns false if there is something to do after all. */
static bool lie_down(struct pl_shm_port *port, uint32_t how)
{
    pl_list_each(node, &port->pending)
        atomic_store(&pl_container(node, struct pl_shm_peer, pending)->out.ring->wanted, 1);
    atomic_fetch_or(&port->segment->state, how);
    atomic_thread_fence(memory_order_seq_cst);
    return !something_to_do(port);
}

static void get_up(struct pl_shm_port *port, uint32_t how)
{
    if (atomic_load(&port->segment->state) & how)
        atomic_fetch_and(&port->segment->state, ~how);
}

static int open_pipe(struct pl_shm_port *port)
{
    if (port->pipe[0] >= 0)
        return 0;
    if (pipe2(port->pipe, O_CLOEXEC | O_NONBLOCK)) {
        port->pipe[0] = port->pipe[1] = -1;
        return pl_fail_errno("shared memory: a pipe to sleep on");
    }
    atomic_store(&port->segment->pipe, port->pipe[1]);
    return 0;
}

/* Sleeps in poll. 1: woken. 0: time is over. */
static int sleep_in_poll(struct pl_shm_port *port, int64_t timeout_ns, const int *fds, int nfds)
{
    struct pollfd polls[64];
    if (nfds > 63)
        return pl_fail(PL_EARG, "sleep: %d descriptors are more than 63", nfds);
    polls[0] = (struct pollfd){.fd = port->pipe[0], .events = POLLIN};
    for (int i = 0; i < nfds; i++)
        polls[i + 1] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    struct timespec timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    int found = ppoll(polls, (nfds_t)nfds + 1, &timeout, NULL);
    if (found < 0 && errno != EINTR)
        return pl_fail_errno("sleep: poll");
    return found != 0;
}

static int sleep_once(struct pl_shm_port *port, int64_t timeout_ns, const int *fds, int nfds)
{
    if (!nfds) {
        int woken = 1;
        if (lie_down(port, PL_SHM_FUTEX)) {
            uint32_t seen = atomic_load(&port->segment->state);
            if (seen & PL_SHM_FUTEX)
                woken = pl_segment_wait(&port->segment->state, seen, timeout_ns);
        }
        get_up(port, PL_SHM_FUTEX);
        return woken;
    }
    int error = open_pipe(port);
    if (error)
        return error;
    port->watched = true;
    return lie_down(port, PL_SHM_PIPE) ? sleep_in_poll(port, timeout_ns, fds, nfds) : 1;
}

int pl_shm_sleep(struct pl_port *base, int64_t timeout_ns, const int *fds, int nfds)
{
    struct pl_shm_port *port = pl_shm_port_of(base);
    if (timeout_ns == 0) {
        sched_yield();
        pl_shm_look(port);
        return 0;
    }
    int64_t deadline = timeout_ns < 0 ? INT64_MAX : pl_now() + timeout_ns;
    for (;;) {
        int64_t now = pl_now();
        if (now - port->looked >= look_every)
            look_at_peers(port, now);
        if (now >= deadline)
            return 0;
        int64_t left = deadline - now;
        int woken = sleep_once(port, left < sleep_most ? left : sleep_most, fds, nfds);
        if (woken)
            return woken < 0 ? woken : 0;
    }
}

int pl_shm_wait_fd(struct pl_port *base, bool *ready)
{
    struct pl_shm_port *port = pl_shm_port_of(base);
    pl_shm_look(port);
    *ready = false;
    if (open_pipe(port)) {
        *ready = true; /* without a pipe nobody may sleep */
        return -1;
    }
    port->watched = true;
    *ready = !lie_down(port, PL_SHM_PIPE);
    return port->pipe[0];
}
