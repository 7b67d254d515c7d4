/* The reference transport: ranks are threads of one process.
 *
 * A frame is a node in the receiver's inbox. A small payload is copied into the
 * node by the sender. A large one stays in the sender's buffer; the receiver's
 * progress copies it straight to where it shall land, and puts the operation on
 * the sender's list of completed ones, from which the sender's progress reports
 * it: an upcall is only ever made by the thread whose port it is.
 *
 *     sender                      receiver
 *     send(4 MiB) -> inbox: frame --+
 *     PENDING          ^ payload    | progress: arrived, copy, landed
 *     progress: done <-+------------+
 *
 * Cost: one lock and one copy a frame (two for a small one), so it is simple
 * and obviously right before it is fast: what the other transports do is checked
 * against it. A sender that closes does not wait for its receivers: it
 * leaves them a copy of what they have not taken yet.
 *
 * Where faults can be put in: every frame passes post() on its way into the
 * inbox and take() on its way out. Rejected: a lock per port (a send needs two,
 * and the deadlock check all of them), lock-free inboxes (shm has those).
 */
#include "fabric.h"

#include "errors.h"
#include "unsupported.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    EAGER_LIMIT = 4096, /* and what is copied by the sender */
    BATCH = 64,         /* most frames or completions of one progress */
    FDS_MAX = 16,
    ALLOCATION_HEAD = 64,
};

#define CARD_MAGIC UINT64_C(0x7065616c6c6f6f70)

struct card {
    uint64_t magic, fabric, process, rank;
};

struct port {
    struct pl_port base;
    struct pl_seat *seat;
    struct pl_list endpoints;
};

struct endpoint {
    struct pl_endpoint base;
    struct pl_list link;
};

struct frame {
    struct pl_list link;             /* in the receiver's inbox, or alone while being delivered */
    struct pl_list sent;             /* in the sender's outgoing list while `operation` is set */
    struct pl_operation *operation;  /* whose buffer the payload is in, or NULL */
    const struct endpoint *endpoint; /* the sender's, valid while `operation` is set */
    struct pl_header header;
    int source;
    bool large;   /* payload lands by a copy of its own; else it is in bytes[] */
    bool copying; /* the receiver reads the payload now, without the lock */
    size_t length;
    const void *payload; /* NULL: withdrawn by the sender */
    void *copy;          /* made when the sender closed */
    unsigned char bytes[];
};

struct allocation {
    struct pl_list link; /* first: the fabric frees it by this address */
    size_t size;
};

static struct port *port_of(struct pl_port *port)
{
    return (struct port *)port;
}

static struct pl_seat *seat_of(const struct pl_endpoint *endpoint)
{
    return port_of(endpoint->port)->seat;
}

static struct pl_seat *peer_seat(const struct pl_endpoint *endpoint)
{
    return &seat_of(endpoint)->fabric->seats[endpoint->peer];
}

/* ---- frames; the lock is held ---- */

static void post(struct pl_seat *to, struct frame *frame)
{
    pl_fabric_note(to->fabric, PL_EVENT_SEND, frame->source, to->rank, frame->length);
    pl_list_append(&to->inbox, &frame->link);
    to->inbox_length++;
    pl_seat_wake(to);
}

/* The next frame to deliver: the first; deterministic: of a source drawn by lot, its first. */
static struct frame *take(struct pl_seat *seat)
{
    struct pl_list *node = pl_list_first(&seat->inbox);
    if (!node)
        return NULL;
    if (seat->fabric->deterministic) {
        for (uint64_t n = pl_fabric_draw(seat->fabric, seat->inbox_length); n; n--)
            node = node->next;
        int source = pl_container(node, struct frame, link)->source;
        node = pl_list_first(&seat->inbox);
        while (pl_container(node, struct frame, link)->source != source)
            node = node->next;
    }
    struct frame *frame = pl_container(node, struct frame, link);
    pl_list_remove(&frame->link);
    seat->inbox_length--;
    pl_fabric_note(seat->fabric, PL_EVENT_ARRIVE, seat->rank, frame->source, frame->length);
    return frame;
}

/* The frame no longer needs the sender's buffer. */
static void give_back(struct pl_fabric *fabric, struct frame *frame, int status)
{
    if (!frame->operation)
        return;
    struct pl_seat *sender = &fabric->seats[frame->source];
    pl_list_remove(&frame->sent);
    frame->operation->progress = (size_t)-status;
    pl_list_append(&sender->completed, &frame->operation->link);
    frame->operation = NULL;
    pl_seat_wake(sender);
}

static void free_frame(struct frame *frame)
{
    free(frame->copy);
    free(frame);
}

void pl_seat_drop_inbox(struct pl_seat *seat)
{
    pl_list_each(node, &seat->inbox)
    {
        struct frame *frame = pl_container(node, struct frame, link);
        pl_list_remove(&frame->link);
        give_back(seat->fabric, frame, PL_EPEER);
        free_frame(frame);
    }
    seat->inbox_length = 0;
}

/* Takes back the payloads still in this rank's buffers, of one endpoint or (NULL) all:
 * by leaving a copy, or by withdrawing the frame with `status` as the operation's. */
static void settle(struct pl_seat *seat, const struct endpoint *endpoint, bool leave_copy, int status)
{
    struct pl_list *node = seat->outgoing.next;
    while (node != &seat->outgoing) {
        struct frame *frame = pl_container(node, struct frame, sent);
        if (frame->copying) {
            pthread_cond_wait(&seat->fabric->settled, &seat->fabric->lock);
            node = seat->outgoing.next;
            continue;
        }
        node = node->next;
        if (endpoint && frame->endpoint != endpoint)
            continue;
        frame->copy = leave_copy ? malloc(frame->length) : NULL;
        if (frame->copy)
            memcpy(frame->copy, frame->payload, frame->length);
        frame->payload = frame->copy;
        give_back(seat->fabric, frame, frame->copy ? 0 : status);
    }
}

/* ---- open and close ---- */

void pl_fabric_card(struct pl_fabric *fabric, int rank, void *card, size_t *length)
{
    const struct card mine = {CARD_MAGIC, (uint64_t)(uintptr_t)fabric, (uint64_t)getpid(), (uint64_t)rank};
    memcpy(card, &mine, sizeof mine);
    *length = sizeof mine;
}

static int loopback_open(const struct pl_port_params *params, struct pl_port **out)
{
    struct pl_fabric *fabric = params->fabric;
    if (!fabric)
        return pl_fail(PL_EUNSUPPORTED, "loopback connects ranks of one process; rank %d is in none",
                       params->rank);
    if (params->rank < 0 || params->rank >= fabric->size)
        return pl_fail(PL_EARG, "rank %d in an in-process world of %d", params->rank, fabric->size);
    struct port *port = calloc(1, sizeof *port);
    if (!port)
        return pl_fail(PL_ENOMEM, "no memory for the port of rank %d", params->rank);
    struct pl_seat *seat = &fabric->seats[params->rank];
    port->base.transport = &pl_loopback;
    port->seat = seat;
    pl_list_init(&port->endpoints);

    int error = 0;
    pl_fabric_lock(fabric);
    if (seat->fate == PL_FATE_DEAD) {
        error = pl_fail(PL_EPEER, "rank %d: %s", params->rank, seat->cause);
    } else if (seat->open) {
        error = pl_fail(PL_EARG, "rank %d has its port open already", params->rank);
    } else {
        seat->upcalls = params->upcalls;
        seat->context = params->context;
        seat->deaths_seen = 0;
        pl_seat_enter(seat);
    }
    pl_fabric_unlock(fabric);
    if (error) {
        free(port);
        return error;
    }
    *out = &port->base;
    return 0;
}

/* Reports up to `most` completions; returns how many. */
static int complete(struct pl_seat *seat, int most)
{
    int events = 0;
    for (; events < most; events++) {
        pl_fabric_lock(seat->fabric);
        struct pl_list *node = pl_list_first(&seat->completed);
        if (node) {
            pl_list_remove(node);
            pl_fabric_note(seat->fabric, PL_EVENT_COMPLETE, seat->rank, 0, 0);
        }
        pl_fabric_unlock(seat->fabric);
        if (!node)
            break;
        struct pl_operation *operation = pl_container(node, struct pl_operation, link);
        operation->done(operation, -(int)operation->progress);
    }
    return events;
}

static void loopback_close(struct pl_port *base)
{
    if (!base)
        return;
    struct port *port = port_of(base);
    struct pl_seat *seat = port->seat;
    pl_fabric_lock(seat->fabric);
    settle(seat, NULL, seat->fate == PL_FATE_PRESENT, PL_EPEER);
    if (seat->fate == PL_FATE_PRESENT)
        seat->fate = PL_FATE_LEFT;
    pl_seat_drop_inbox(seat);
    pl_fabric_unlock(seat->fabric);

    complete(seat, INT32_MAX);

    pl_fabric_lock(seat->fabric);
    if (seat->event_fd >= 0)
        close(seat->event_fd);
    seat->event_fd = -1;
    pl_seat_leave(seat);
    pl_fabric_unlock(seat->fabric);
    pl_list_each(node, &port->endpoints) free(pl_container(node, struct endpoint, link));
    free(port);
}

static int loopback_address(struct pl_port *port, void *card, size_t *length)
{
    const struct pl_seat *seat = port_of(port)->seat;
    pl_fabric_card(seat->fabric, seat->rank, card, length);
    return 0;
}

static int loopback_connect(struct pl_port *base, int peer, const void *data, size_t length,
                            struct pl_endpoint **out)
{
    struct port *port = port_of(base);
    const struct pl_fabric *fabric = port->seat->fabric;
    struct card card, mine;
    size_t size;
    if (length != sizeof card || memcmp(data, &(uint64_t){CARD_MAGIC}, sizeof(uint64_t)) != 0)
        return pl_fail(PL_EPROTOCOL, "the card of rank %d (%zu bytes) is none of loopback's", peer, length);
    memcpy(&card, data, sizeof card);
    pl_fabric_card(port->seat->fabric, peer, &mine, &size);
    if (card.fabric != mine.fabric || card.process != mine.process)
        return pl_fail(PL_EUNREACHABLE, "rank %d is in another process or in-process world", peer);
    if (card.rank != mine.rank || peer < 0 || peer >= fabric->size)
        return pl_fail(PL_EPROTOCOL, "the card of rank %d says it is rank %llu of %d", peer,
                       (unsigned long long)card.rank, fabric->size);
    struct endpoint *endpoint = calloc(1, sizeof *endpoint);
    if (!endpoint)
        return pl_fail(PL_ENOMEM, "no memory for an endpoint to rank %d", peer);
    endpoint->base = (struct pl_endpoint){.transport = &pl_loopback, .port = base, .peer = peer};
    pl_list_append(&port->endpoints, &endpoint->link);
    *out = &endpoint->base;
    return 0;
}

static void loopback_disconnect(struct pl_endpoint *base)
{
    if (!base)
        return;
    struct endpoint *endpoint = (struct endpoint *)base;
    struct pl_seat *seat = seat_of(base);
    pl_fabric_lock(seat->fabric);
    settle(seat, endpoint, false, PL_ECANCELLED);
    pl_fabric_unlock(seat->fabric);
    complete(seat, INT32_MAX);
    pl_list_remove(&endpoint->link);
    free(endpoint);
}

/* ---- sending and progress ---- */

/* Whether the way is open; the lock is held. */
static int check_way(const struct pl_endpoint *endpoint)
{
    const struct pl_seat *me = seat_of(endpoint), *peer = peer_seat(endpoint);
    if (me->fate == PL_FATE_DEAD)
        return pl_fail(PL_EPEER, "rank %d: %s", me->rank, me->cause);
    if (peer->fate == PL_FATE_DEAD)
        return pl_fail(PL_EPEER, "rank %d: %s", peer->rank, peer->cause);
    if (me->fate != PL_FATE_PRESENT || peer->fate == PL_FATE_LEFT)
        return pl_fail(PL_EPEER, "rank %d has closed its port",
                       peer->fate == PL_FATE_LEFT ? peer->rank : me->rank);
    return 0;
}

static int loopback_send(struct pl_endpoint *base, struct pl_operation *operation)
{
    struct pl_seat *me = seat_of(base);
    bool large = operation->length > EAGER_LIMIT;
    struct frame *frame = malloc(sizeof *frame + (large ? 0 : operation->length));
    if (!frame)
        return pl_fail(PL_ENOMEM, "no memory for a frame of %zu bytes to rank %d", operation->length,
                       base->peer);
    *frame = (struct frame){
        .header = operation->header, .source = me->rank, .large = large, .length = operation->length};
    if (large) {
        frame->operation = operation;
        frame->endpoint = (struct endpoint *)base;
        frame->payload = operation->payload;
    } else if (operation->length) {
        memcpy(frame->bytes, operation->payload, operation->length);
    }

    pl_fabric_lock(me->fabric);
    int error = check_way(base);
    if (!error) {
        if (large)
            pl_list_append(&me->outgoing, &frame->sent);
        post(peer_seat(base), frame);
    }
    pl_fabric_unlock(me->fabric);
    if (error)
        free(frame);
    return error ? error : large ? PL_PENDING : 0;
}

/* Copies a large payload to where it shall land. */
static void land(struct pl_seat *seat, struct frame *frame, const struct pl_landing *landing)
{
    struct pl_fabric *fabric = seat->fabric;
    size_t wanted = landing->capacity < frame->length ? landing->capacity : frame->length;
    pl_fabric_lock(fabric);
    bool there = frame->payload != NULL;
    frame->copying = there;
    pl_fabric_unlock(fabric);
    if (there && landing->buffer && wanted)
        memcpy(landing->buffer, frame->payload, wanted);
    pl_fabric_lock(fabric);
    frame->copying = false;
    give_back(fabric, frame, 0);
    pthread_cond_broadcast(&fabric->settled);
    pl_fabric_unlock(fabric);
    int status =
        there ? 0
              : pl_fail(PL_EPEER, "rank %d withdrew a message of %zu bytes", frame->source, frame->length);
    seat->upcalls->landed(seat->context, frame->source, landing, frame->length, status);
}

static int deliver(struct pl_seat *seat)
{
    int events = 0;
    for (; events < BATCH; events++) {
        pl_fabric_lock(seat->fabric);
        struct frame *frame = seat->fate == PL_FATE_DEAD ? NULL : take(seat);
        pl_fabric_unlock(seat->fabric);
        if (!frame)
            break;
        struct pl_landing landing = {NULL, 0, NULL};
        seat->upcalls->arrived(seat->context, frame->source, &frame->header, frame->length,
                               frame->large || !frame->length ? NULL : frame->bytes,
                               frame->large ? &landing : NULL);
        if (frame->large)
            land(seat, frame, &landing);
        free_frame(frame);
    }
    return events;
}

/* The next death to report here, or -1. What the dead sent before comes first. The lock is held. */
static int next_death(struct pl_seat *seat)
{
    struct pl_fabric *fabric = seat->fabric;
    while (seat->deaths_seen < fabric->ndeaths && fabric->deaths[seat->deaths_seen] == seat->rank)
        seat->deaths_seen++;
    if (seat->deaths_seen == fabric->ndeaths || seat->fate == PL_FATE_DEAD)
        return -1;
    int dead = fabric->deaths[seat->deaths_seen];
    pl_list_each(node, &seat->inbox) if (pl_container(node, struct frame, link)->source == dead) return -1;
    if (!pl_list_empty(&seat->completed))
        return -1;
    seat->deaths_seen++;
    pl_fabric_note(fabric, PL_EVENT_LOST, seat->rank, dead, 0);
    return dead;
}

static int report_deaths(struct pl_seat *seat)
{
    for (int events = 0;; events++) {
        pl_fabric_lock(seat->fabric);
        int dead = next_death(seat);
        pl_fabric_unlock(seat->fabric);
        if (dead < 0)
            return events;
        seat->upcalls->lost(seat->context, dead, PL_EPEER, seat->fabric->seats[dead].cause);
    }
}

static int loopback_progress(struct pl_port *base)
{
    struct pl_seat *seat = port_of(base)->seat;
    int events = complete(seat, BATCH) + deliver(seat) + report_deaths(seat);
    pl_fabric_lock(seat->fabric);
    bool dead = seat->fate == PL_FATE_DEAD;
    pl_fabric_unlock(seat->fabric);
    if (dead)
        return pl_fail(PL_EPEER, "rank %d: %s", seat->rank, seat->cause);
    return events;
}

/* ---- waiting ---- */

static int loopback_wait_fd(struct pl_port *base, bool *ready)
{
    struct pl_seat *seat = port_of(base)->seat;
    pl_fabric_lock(seat->fabric);
    if (seat->event_fd < 0)
        seat->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    uint64_t count;
    *ready = pl_seat_ready(seat);
    if (seat->event_fd < 0)
        *ready = true; /* out of descriptors: the caller looks again instead of sleeping */
    else if (!*ready && read(seat->event_fd, &count, sizeof count) < 0)
        assert(errno == EAGAIN);
    int fd = seat->event_fd;
    pl_fabric_unlock(seat->fabric);
    return fd;
}

static int sleep_beside(struct pl_port *base, int64_t timeout_ns, const int *fds, int nfds)
{
    bool ready;
    struct pollfd polled[FDS_MAX + 1] = {{.fd = loopback_wait_fd(base, &ready), .events = POLLIN}};
    if (nfds > FDS_MAX)
        return pl_fail(PL_EARG, "sleeping on %d descriptors; %d are the limit", nfds, FDS_MAX);
    for (int i = 0; i < nfds; i++)
        polled[i + 1] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    struct timespec limit = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    if (!ready && ppoll(polled, (nfds_t)nfds + 1, timeout_ns < 0 ? NULL : &limit, NULL) < 0 && errno != EINTR)
        return pl_fail_errno("ppoll on %d descriptors", nfds + 1);
    return 0;
}

static int loopback_sleep(struct pl_port *base, int64_t timeout_ns, const int *fds, int nfds)
{
    struct pl_seat *seat = port_of(base)->seat;
    if (!seat->fabric->deterministic) {
        if (timeout_ns == 0) {
            sched_yield();
            return 0;
        }
        if (nfds > 0)
            return sleep_beside(base, timeout_ns, fds, nfds);
    }
    pl_fabric_lock(seat->fabric);
    int error = pl_seat_sleep(seat, timeout_ns);
    pl_fabric_unlock(seat->fabric);
    return error;
}

static bool loopback_cooperative(const struct pl_port *port)
{
    return ((const struct port *)port)->seat->fabric->deterministic;
}

/* ---- memory ---- */

static void *loopback_alloc(struct pl_port *port, size_t size)
{
    struct pl_seat *seat = port_of(port)->seat;
    if (size > SIZE_MAX / 2)
        return NULL;
    void *block;
    if (posix_memalign(&block, ALLOCATION_HEAD, ALLOCATION_HEAD + size))
        return NULL;
    struct allocation *allocation = block;
    *allocation = (struct allocation){.size = size};
    pl_fabric_lock(seat->fabric);
    pl_list_append(&seat->allocations, &allocation->link);
    pl_fabric_unlock(seat->fabric);
    return (char *)block + ALLOCATION_HEAD;
}

static bool loopback_free(struct pl_port *port, void *memory)
{
    struct pl_seat *seat = port_of(port)->seat;
    void *found = NULL;
    pl_fabric_lock(seat->fabric);
    pl_list_each(node, &seat->allocations)
    {
        if ((char *)node + ALLOCATION_HEAD != (char *)memory)
            continue;
        pl_list_remove(node);
        found = node;
        break;
    }
    pl_fabric_unlock(seat->fabric);
    free(found);
    return found != NULL;
}

static void *loopback_map(struct pl_endpoint *endpoint, uint64_t remote, size_t length)
{
    struct pl_seat *peer = peer_seat(endpoint);
    void *found = NULL;
    pl_fabric_lock(peer->fabric);
    pl_list_each(node, &peer->allocations)
    {
        uint64_t begin = (uint64_t)(uintptr_t)node + ALLOCATION_HEAD;
        size_t size = pl_container(node, struct allocation, link)->size;
        if (remote >= begin && remote - begin <= size && length <= size - (remote - begin))
            found = (char *)node + ALLOCATION_HEAD + (remote - begin);
    }
    pl_fabric_unlock(peer->fabric);
    return found;
}

static int loopback_reg(struct pl_port *port, void *address, size_t length, struct pl_memory_key *key)
{
    *key = (struct pl_memory_key){{(uint64_t)(uintptr_t)address, length}};
    return 0;
}

/* Whether the range is within the key's and its owner is there. */
static int check_reach(struct pl_endpoint *endpoint, uint64_t remote, const struct pl_memory_key *key,
                       size_t length)
{
    uint64_t offset = remote - key->word[0];
    if (remote < key->word[0] || offset > key->word[1] || length > key->word[1] - offset)
        return pl_fail(PL_EPROTOCOL, "%zu bytes at %#llx are not in the memory that rank %d registered",
                       length, (unsigned long long)remote, endpoint->peer);
    struct pl_fabric *fabric = seat_of(endpoint)->fabric;
    pl_fabric_lock(fabric);
    int error = check_way(endpoint);
    pl_fabric_unlock(fabric);
    return error;
}

static int loopback_get(struct pl_endpoint *endpoint, void *local, uint64_t remote,
                        const struct pl_memory_key *key, size_t length, struct pl_operation *operation)
{
    (void)operation;
    int error = check_reach(endpoint, remote, key, length);
    if (!error && length)
        memcpy(local, (const void *)(uintptr_t)remote, length);
    return error;
}

static int loopback_put(struct pl_endpoint *endpoint, const void *local, uint64_t remote,
                        const struct pl_memory_key *key, size_t length, struct pl_operation *operation)
{
    (void)operation;
    int error = check_reach(endpoint, remote, key, length);
    if (!error && length)
        memcpy((void *)(uintptr_t)remote, local, length);
    return error;
}

static bool loopback_reaches(struct pl_endpoint *endpoint)
{
    (void)endpoint;
    return true;
}

const struct pl_transport pl_loopback = {
    .name = "loopback",
    .eager_limit = EAGER_LIMIT,
    .cooperative = loopback_cooperative,
    .open = loopback_open,
    .close = loopback_close,
    .address = loopback_address,
    .connect = loopback_connect,
    .disconnect = loopback_disconnect,
    .send = loopback_send,
    .progress = loopback_progress,
    .sleep = loopback_sleep,
    .wait_fd = loopback_wait_fd,
    .alloc = loopback_alloc,
    .free = loopback_free,
    .map = loopback_map,
    .reg = loopback_reg,
    .reg_dmabuf = pl_no_reg_dmabuf,
    .dereg = pl_no_dereg,
    .get = loopback_get,
    .put = loopback_put,
    .reaches = loopback_reaches,
};
