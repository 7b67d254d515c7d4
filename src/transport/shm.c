/* Ranks of one host, by shared memory. Each rank owns a segment (shm_segment) in
 * which every peer has a ring to write to (shm_ring); the receiver reads a short
 * frame's payload in place and copies a long one, which comes in pieces, straight
 * to where it shall land. get and put reach into the peer's memory (shm_copy).
 *
 * Who has never sent costs nothing: a sender announces itself with a bit in the
 * receiver's bitmap, and progress looks only at rings that were announced: at all
 * of them while they are few, else at the recently busy ones and a slice of the others
 * (sleep looks at all before it sleeps).
 *
 * The end of a peer: pidfds are looked at while idle, every 50 ms. What a dead
 * peer wrote whole is delivered, then its operations fail, then `lost` is called. A
 * peer that closed its port in order is not `lost`: operations to it end with
 * PL_EPEER, and so does a frame that it left unfinished.
 */
#include "shm.h"
#include "shm_port.h"
#include "unsupported.h"

#include "clock.h"
#include "config.h"
#include "errors.h"
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { EXTRA_SLOTS = 1024 /* places for ranks that join later */ };

struct pl_shm_peer *pl_shm_meet(struct pl_shm_port *port, int number)
{
    if (port->peers[number])
        return port->peers[number];
    struct pl_shm_peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return NULL;
    peer->endpoint = (struct pl_endpoint){port->base.transport, &port->base, number};
    pl_segment_view_init(&peer->view, number, 0, -1, 0);
    pl_list_init(&peer->queue);
    pl_list_init(&peer->pending);
    port->peers[number] = peer;
    port->known[port->nknown++] = peer;
    return peer;
}

int pl_shm_condemn(struct pl_shm_port *port, struct pl_shm_peer *peer, int error, const char *format, ...)
{
    if (peer->error)
        return peer->error;
    va_list args;
    va_start(args, format);
    vsnprintf(peer->cause, sizeof peer->cause, format, args);
    va_end(args);
    peer->error = error;
    port->attention++;
    return pl_fail(error, "%s", peer->cause);
}

/* ---- memory ---- */

static void *shm_alloc(struct pl_port *base, size_t size)
{
    struct pl_shm_port *port = pl_shm_port_of(base);
    return pl_shm_heap_alloc(&port->heap, port->segment, size);
}

static bool shm_free(struct pl_port *base, void *memory)
{
    return pl_shm_heap_free(&pl_shm_port_of(base)->heap, memory);
}

static void *shm_map(struct pl_endpoint *endpoint, uint64_t remote, size_t length)
{
    return pl_shm_heap_map(&pl_shm_peer_of(endpoint)->view, remote, length);
}

/* ---- ports and endpoints ---- */

static int shm_address(struct pl_port *base, void *card, size_t *length)
{
    struct pl_shm_port *port = pl_shm_port_of(base);
    struct pl_shm_card mine;
    _Static_assert(sizeof mine <= PL_CARD_MAX, "a card fits");
    pl_shm_card_fill(&mine, port->segment, port->file);
    memcpy(card, &mine, sizeof mine);
    *length = sizeof mine;
    return 0;
}

static int shm_connect(struct pl_port *base, int number, const void *card, size_t length,
                       struct pl_endpoint **endpoint)
{
    struct pl_shm_port *port = pl_shm_port_of(base);
    struct pl_shm_card theirs;
    if (length != sizeof theirs)
        return pl_fail(PL_EPROTOCOL, "the shared-memory card of rank %d has %zu bytes, not %zu", number,
                       length, sizeof theirs);
    if (number < 0 || number >= port->slots)
        return pl_fail(PL_EUNREACHABLE, "rank %d is beyond the %d places in shared memory", number,
                       port->slots);
    memcpy(&theirs, card, sizeof theirs);
    int error = pl_shm_card_check(&theirs, number);
    if (error)
        return error;
    struct pl_shm_peer *peer = pl_shm_meet(port, number);
    if (!peer)
        return pl_fail(PL_ENOMEM, "out of memory for rank %d", number);
    if (peer->error)
        return pl_fail(peer->error, "%s", peer->cause);
    if (!peer->view.segment) {
        pl_segment_view_init(&peer->view, number, theirs.pid, theirs.fd, theirs.nonce);
        error = pl_segment_open(&peer->view);
        if (error)
            return error;
    } else if (peer->view.nonce != theirs.nonce) {
        return pl_fail(PL_EUNREACHABLE, "rank %d was process %d before", number, peer->view.pid);
    }
    if (port->rank >= peer->view.slots)
        return pl_fail(PL_EUNREACHABLE, "rank %d has no place for rank %d in its shared memory", number,
                       port->rank);
    if (peer->out.ring)
        atomic_store(&peer->out.ring->left, PL_RING_OPEN);
    peer->probe = theirs.probe;
    peer->connected = true;
    *endpoint = &peer->endpoint;
    return 0;
}

static void shm_disconnect(struct pl_endpoint *endpoint)
{
    if (!endpoint)
        return;
    struct pl_shm_peer *peer = pl_shm_peer_of(endpoint);
    peer->connected = false;
    if (!pl_list_empty(&peer->queue)) {
        snprintf(peer->cause, sizeof peer->cause, "the endpoint to rank %d was disconnected", endpoint->peer);
        pl_shm_fail_queue(pl_shm_port_of(endpoint->port), peer, PL_ECANCELLED);
    }
    if (peer->out.ring) {
        atomic_store(&peer->out.ring->left, PL_RING_LEFT);
        pl_segment_wake(&peer->view);
    }
}

static void port_destroy(struct pl_shm_port *port)
{
    for (int i = 0; i < port->nknown; i++) {
        pl_segment_close(&port->known[i]->view);
        free(port->known[i]);
    }
    pl_list_each(node, &port->parcels) free(pl_container(node, struct pl_parcel, link));
    pl_shm_heap_finish(&port->heap);
    for (int i = 0; i < 2; i++)
        if (port->pipe[i] >= 0)
            close(port->pipe[i]);
    if (port->segment)
        munmap(port->segment, pl_segment_bytes(port->slots));
    if (port->file >= 0)
        close(port->file);
    free(port->peers);
    free(port->known);
    free(port->active);
    free(port->senders);
    free(port);
}

static int shm_open_port(const struct pl_port_params *params, struct pl_port **out)
{
    struct pl_shm_port *port = calloc(1, sizeof *port);
    if (!port)
        return pl_fail(PL_ENOMEM, "out of memory for the port of rank %d", params->rank);
    int slots = (params->size > params->rank ? params->size : params->rank + 1) + EXTRA_SLOTS;
    port->rank = params->rank;
    port->slots = slots;
    port->upcalls = params->upcalls;
    port->context = params->context;
    const char *preloaded = getenv("LD_PRELOAD");
    /* Valgrind does not see what others write, and would call it uninitialised. */
    port->reads_alone = params->crowded || (preloaded && strstr(preloaded, "vgpreload"));
    port->timeout = params->config ? params->config->timeout : 10;
    port->file = port->pipe[0] = port->pipe[1] = -1;
    port->looked = pl_now();
    pl_list_init(&port->pending);
    pl_list_init(&port->parcels);
    pl_shm_heap_init(&port->heap);
    port->peers = calloc((size_t)slots, sizeof(struct pl_shm_peer *));
    port->known = calloc((size_t)slots, sizeof(struct pl_shm_peer *));
    port->active = calloc((size_t)slots, sizeof(struct pl_shm_peer *));
    port->senders = calloc((size_t)(slots + 63) / 64, 8);
    int error = PL_ENOMEM;
    if (!port->peers || !port->known || !port->active || !port->senders)
        pl_fail(error, "out of memory for the table of %d peers", slots);
    else
        error = pl_segment_create(port->rank, slots, &port->segment, &port->file);
    if (error) {
        port_destroy(port);
        return error;
    }
    /* Where only a parent may read a process (yama), let the ranks of this host read each other. */
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    port->base.transport = &pl_shm;
    *out = &port->base;
    return 0;
}

/* Sends what is queued while peers read, for at most the timeout. */
static void flush(struct pl_shm_port *port)
{
    int64_t deadline = pl_now() + (int64_t)(port->timeout * 1e9);
    while ((!pl_list_empty(&port->pending) || port->sharing) && pl_now() < deadline)
        if (!pl_shm_progress(&port->base))
            pl_shm_sleep(&port->base, 1000000, NULL, 0);
}

static void shm_close(struct pl_port *base)
{
    if (!base)
        return;
    struct pl_shm_port *port = pl_shm_port_of(base);
    port->closing = true;
    for (int i = 0; i < port->nknown; i++)
        if (port->known[i]->streaming)
            pl_shm_end_stream(port, port->known[i], PL_ECANCELLED);
    flush(port);
    for (int i = 0; i < port->nknown; i++)
        if (!pl_list_empty(&port->known[i]->queue)) {
            snprintf(port->known[i]->cause, sizeof port->known[i]->cause,
                     "rank %d did not take what was sent to it within %g s", port->known[i]->endpoint.peer,
                     port->timeout);
            pl_shm_fail_queue(port, port->known[i], PL_ETIMEOUT);
        }
    atomic_fetch_or(&port->segment->state, PL_SHM_CLOSED);
    for (int i = 0; i < port->nknown; i++)
        if (port->known[i]->out.ring)
            atomic_store(&port->known[i]->out.ring->left, PL_RING_CLOSED);
    port_destroy(port);
}

const struct pl_transport pl_shm = {
    .name = "shm",
    .eager_limit = 8 << 10,
    .cooperative = pl_no_cooperative,
    .open = shm_open_port,
    .close = shm_close,
    .address = shm_address,
    .connect = shm_connect,
    .disconnect = shm_disconnect,
    .send = pl_shm_send,
    .progress = pl_shm_progress,
    .sleep = pl_shm_sleep,
    .wait_fd = pl_shm_wait_fd,
    .alloc = shm_alloc,
    .free = shm_free,
    .map = shm_map,
    .reg = pl_no_reg,
    .reg_dmabuf = pl_no_reg_dmabuf,
    .dereg = pl_no_dereg,
    .get = pl_shm_get,
    .put = pl_shm_put,
    .reaches = pl_shm_reaches,
};
