/* Reaching into a peer's memory: get and put by process_vm_readv and writev, tried once
 * per peer on a word whose value is known.
 *
 * One core moves 9 to 13 GB/s this way, two cores twice that. So who gets a long piece
 * asks its owner, who waits anyhow, to help: both take chunks of it until none is left,
 * the one by reading, the other by writing.
 *
 *     reader     HELP ->   [0] reads   [2] reads   [3] reads        waits until `done` = chunks - own
 *     owner                    [1] writes      [4] writes           done += 2
 *
 * Who takes a chunk is settled by one word in the reader's segment (next); an owner that is
 * busy elsewhere takes none, and one that comes too late finds another generation there.
 * Rejected: halves agreed on before, which wait for an owner that computes; and
 * help where ranks outnumber cores, for then somebody else needs the core.
 *
 * The owner writes where the reader told it to: both are processes of one user, who may
 * read and write each other anyway.
 */
#include "shm_port.h"

#include "clock.h"
#include "errors.h"
#include "log.h"

#include <errno.h>
#include <sys/uio.h>
#include <time.h>

enum {
    COPY_MOST = 1 << 20,     /* bytes of one process_vm call */
    SHARE_LEAST = 128 << 10, /* a shorter piece is read alone */
    CHUNK = 64 << 10,
    CHUNK_LONG = 256 << 10,
    LONG = 4 << 20,   /* from here on, chunks are CHUNK_LONG */
    PATIENCE = 10000, /* looks at whether the owner is through before others have their turn */
};

static bool is_dead(struct pl_shm_peer *peer)
{
    struct pl_segment_view *view = &peer->view;
    bool dead = false;
    pl_segment_look(&view, 1, &dead);
    return dead;
}

/* A process that dies loses its memory a moment before it can be seen to be dead. */
static bool is_dying(struct pl_shm_peer *peer)
{
    enum { LOOKS = 20 };
    struct timespec nap = {0, 1000000};
    for (int i = 0; i < LOOKS; i++) {
        if (is_dead(peer))
            return true;
        nanosleep(&nap, NULL);
    }
    return false;
}

/* Which way a copy goes: process_vm_readv or process_vm_writev. */
typedef ssize_t copy_fn(pid_t pid, const struct iovec *local, unsigned long nlocal,
                        const struct iovec *remote, unsigned long nremote, unsigned long flags);

static int taken_back(const struct pl_shm_peer *peer, size_t length)
{
    return pl_fail(PL_ECANCELLED, "rank %d has taken back a message of %zu bytes", peer->endpoint.peer,
                   length);
}

/* With the last bytes the guard (transport.h) is read, behind them: it costs no call of its own. */
static int copy(struct pl_shm_peer *peer, copy_fn *call, void *local, uint64_t remote, size_t length,
                const struct pl_memory_key *key)
{
    uint64_t guard = 0, guards = key ? key->word[0] : 0;
    for (size_t done = 0; done < length;) {
        size_t piece = length - done < COPY_MOST ? length - done : COPY_MOST;
        struct iovec mine[2] = {{(char *)local + done, piece}, {&guard, sizeof guard}};
        struct iovec theirs[2] = {{(char *)(uintptr_t)remote + done, piece},
                                  {(void *)(uintptr_t)guards, sizeof guard}};
        unsigned parts = guards && done + piece == length ? 2 : 1;
        ssize_t moved = call(peer->view.pid, mine, parts, theirs, parts, 0);
        if (moved > 0)
            done += (size_t)moved < piece ? (size_t)moved : piece;
        else if (moved < 0 && (errno == ESRCH || (errno == EFAULT && is_dying(peer))))
            return pl_shm_condemn(pl_shm_port_of(peer->endpoint.port), peer, PL_EPEER,
                                  "process %d of rank %d is gone", peer->view.pid, peer->endpoint.peer);
        else if (moved < 0 && (errno == EPERM || errno == ENOSYS))
            return pl_fail(PL_EUNSUPPORTED, "the memory of rank %d is not accessible: %s",
                           peer->endpoint.peer, strerror(errno));
        else if (moved < 0 && errno != EINTR)
            return pl_fail_errno("copying %zu bytes from or to address %#llx of rank %d", length,
                                 (unsigned long long)remote, peer->endpoint.peer);
    }
    return guards && guard != key->word[1] ? taken_back(peer, length) : 0;
}

/* A pid may have been given to another process: neither write there nor believe what was read. */
static int still_there(struct pl_shm_peer *peer)
{
    if (!is_dead(peer))
        return 0;
    return pl_shm_condemn(pl_shm_port_of(peer->endpoint.port), peer, PL_EPEER,
                          "process %d of rank %d is gone", peer->view.pid, peer->endpoint.peer);
}

/* ---- sharing a copy ---- */

static size_t chunk_of(size_t length)
{
    return length >= LONG ? CHUNK_LONG : CHUNK;
}

static uint32_t chunks_of(size_t length)
{
    return (uint32_t)((length + chunk_of(length) - 1) / chunk_of(length));
}

/* Takes the next chunk of a share that is still what it was; false: there is none left. */
static bool claim(struct pl_shm_share *share, uint32_t generation, uint32_t chunks, uint32_t *chunk)
{
    uint64_t next = atomic_load_explicit(&share->next, memory_order_relaxed);
    do {
        if (next >> 32 != generation || (uint32_t)next >= chunks)
            return false;
    } while (!atomic_compare_exchange_weak(&share->next, &next, next + 1));
    *chunk = (uint32_t)next;
    return true;
}

/* Copies the chunks that this side claims, until none is left. Returns how many; *error: the last one failed.
 */
static uint32_t work(struct pl_shm_peer *peer, struct pl_shm_share *share, const struct pl_shm_task *task,
                     copy_fn *call, char *local, uint64_t remote, int *error)
{
    size_t size = chunk_of(task->length);
    uint32_t mine = 0, chunk, chunks = chunks_of(task->length);
    while (!*error && claim(share, task->generation, chunks, &chunk)) {
        size_t at = chunk * size, left = task->length - at;
        *error = copy(peer, call, local + at, remote + at, left < size ? left : size, NULL);
        mine++;
    }
    return mine;
}

/* Asks the peer to write a part of what this rank is about to read. -1: the peer is not asked. */
static int share(struct pl_shm_peer *peer, void *local, uint64_t remote, const struct pl_memory_key *key,
                 size_t length, struct pl_operation *operation)
{
    struct pl_shm_port *port = pl_shm_port_of(peer->endpoint.port);
    int index = 0;
    while (index < PL_SHM_SHARES && port->shares[index].peer)
        index++;
    if (index == PL_SHM_SHARES || port->reads_alone || !peer->out.ring || !pl_list_empty(&peer->queue) ||
        peer->reach != PL_REACH_YES)
        return -1;
    struct pl_shm_share *share = &port->segment->shares[index];
    struct pl_shm_sharing *mine = &port->shares[index];
    uint32_t generation = mine->task.generation + 1;
    mine->task = (struct pl_shm_task){(uintptr_t)local, remote, length, (uint32_t)index, generation};
    atomic_store_explicit(&share->done, 0, memory_order_relaxed);
    atomic_store_explicit(&share->failed, 0, memory_order_relaxed);
    atomic_store_explicit(&share->next, (uint64_t)generation << 32, memory_order_release);
    struct pl_header header;
    _Static_assert(sizeof header == sizeof mine->task, "a task travels as a header");
    memcpy(&header, &mine->task, sizeof header);
    if (!pl_ring_put(&peer->out, PL_RECORD_HELP, &header, NULL, 0))
        return -1;
    pl_shm_ring_bell(peer);
    mine->peer = peer;
    mine->operation = operation;
    mine->guard = key ? *key : (struct pl_memory_key){{0}};
    mine->error = 0;
    return index;
}

/* Whether the peer has written all that it claimed. */
static bool settled(const struct pl_shm_port *port, int index)
{
    const struct pl_shm_sharing *mine = &port->shares[index];
    return atomic_load_explicit(&port->segment->shares[index].done, memory_order_acquire) ==
           chunks_of(mine->task.length) - mine->read;
}

/* Ends a share; 0 or an error. */
static int settle(struct pl_shm_port *port, int index)
{
    struct pl_shm_sharing *mine = &port->shares[index];
    struct pl_shm_peer *peer = mine->peer;
    bool failed = atomic_load(&port->segment->shares[index].failed);
    mine->peer = NULL;
    if (peer->error)
        return pl_fail(peer->error, "%s", peer->cause);
    if (failed && !mine->error)
        mine->error = copy(peer, process_vm_readv, (void *)(uintptr_t)mine->task.to, mine->task.from,
                           mine->task.length, NULL);
    uint64_t guard = 0;
    if (!mine->error && mine->guard.word[0])
        mine->error = copy(peer, process_vm_readv, &guard, mine->guard.word[0], sizeof guard, NULL);
    if (!mine->error && mine->guard.word[0] && guard != mine->guard.word[1])
        mine->error = taken_back(peer, mine->task.length);
    return mine->error ? mine->error : still_there(peer);
}

/* Reads what it claims, and waits a moment for the rest; PL_PENDING: progress goes on waiting. */
static int work_and_wait(struct pl_shm_port *port, int index)
{
    struct pl_shm_sharing *mine = &port->shares[index];
    struct pl_shm_share *share = &port->segment->shares[index];
    const struct pl_shm_task *task = &mine->task;
    mine->read = work(mine->peer, share, task, process_vm_readv, (char *)(uintptr_t)task->to, task->from,
                      &mine->error);
    uint32_t chunk;
    while (mine->error && claim(share, task->generation, chunks_of(task->length), &chunk))
        mine->read++; /* nobody shall go on with it */
    for (int look = 0; look < PATIENCE; look++) {
        if (settled(port, index))
            return settle(port, index);
        pl_relax();
    }
    port->sharing++;
    return PL_PENDING;
}

int pl_shm_settle(struct pl_shm_port *port)
{
    int events = 0;
    for (int i = 0; i < PL_SHM_SHARES; i++) {
        struct pl_shm_sharing *mine = &port->shares[i];
        if (!mine->peer || !(settled(port, i) || mine->peer->error))
            continue;
        struct pl_operation *operation = mine->operation;
        port->sharing--;
        operation->done(operation, settle(port, i));
        events++;
    }
    return events;
}

bool pl_shm_settles(const struct pl_shm_port *port)
{
    for (int i = 0; i < PL_SHM_SHARES; i++)
        if (port->shares[i].peer && settled(port, i))
            return true;
    return false;
}

bool pl_shm_help(struct pl_shm_port *port, struct pl_shm_peer *peer, const struct pl_header *header)
{
    struct pl_shm_task task;
    memcpy(&task, header, sizeof task);
    if (task.index >= PL_SHM_SHARES || !task.length || task.length > (uint64_t)INT64_MAX)
        return false;
    if (!peer->view.segment || peer->error)
        return true;
    struct pl_shm_share *share = &peer->view.segment->shares[task.index];
    int error = 0;
    uint32_t written =
        work(peer, share, &task, process_vm_writev, (char *)(uintptr_t)task.from, task.to, &error);
    if (!written)
        return true;
    if (error)
        atomic_store(&share->failed, 1);
    atomic_fetch_add(&share->done, written);
    pl_shm_ring_bell(peer);
    return true;
}

/* ---- the operations ---- */

int pl_shm_get(struct pl_endpoint *endpoint, void *local, uint64_t remote, const struct pl_memory_key *key,
               size_t length, struct pl_operation *operation)
{
    struct pl_shm_peer *peer = pl_shm_peer_of(endpoint);
    if (peer->error)
        return pl_fail(peer->error, "%s", peer->cause);
    int index = operation && length >= SHARE_LEAST ? share(peer, local, remote, key, length, operation) : -1;
    if (index >= 0)
        return work_and_wait(pl_shm_port_of(endpoint->port), index);
    int error = copy(peer, process_vm_readv, local, remote, length, key);
    return error ? error : still_there(peer);
}

int pl_shm_put(struct pl_endpoint *endpoint, const void *local, uint64_t remote,
               const struct pl_memory_key *key, size_t length, struct pl_operation *operation)
{
    struct pl_shm_peer *peer = pl_shm_peer_of(endpoint);
    if (peer->error)
        return pl_fail(peer->error, "%s", peer->cause);
    int error = still_there(peer);
    return error ? error : copy(peer, process_vm_writev, (void *)(uintptr_t)local, remote, length, NULL);
}

bool pl_shm_reaches(struct pl_endpoint *endpoint)
{
    struct pl_shm_peer *peer = pl_shm_peer_of(endpoint);
    if (peer->reach == PL_REACH_UNKNOWN) {
        uint64_t seen = 0;
        bool yes =
            !copy(peer, process_vm_readv, &seen, peer->probe, sizeof seen, NULL) && seen == peer->view.nonce;
        peer->reach = yes ? PL_REACH_YES : PL_REACH_NO;
        if (!yes)
            pl_info("no direct copies from rank %d (%s): long messages go through the rings", endpoint->peer,
                    seen ? "another word was read" : pl_fail_text());
    }
    return peer->reach == PL_REACH_YES;
}
