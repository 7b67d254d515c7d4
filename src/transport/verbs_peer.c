/* A peer's life.
 *
 *   IDLE --first send--> CALLED --its numbers--> KNOWN --it has ours--> UP --goodbye--> LEFT
 *     \--------------------it called-------------/                      |
 *                                                       queue pair in error, or no route
 *                                                                       v
 *                                                                      LOST
 *
 * How a death is seen: the network card of the other host acknowledges every
 * message without its process, and stops when the process is gone, since the kernel
 * destroys its queue pairs. So a message to the dead is repeated six times
 * and then completes with "retry exceeded", after at most PEAL_TIMEOUT. A rank that only
 * waits sends nothing; so the timer has every quiet connection write zero bytes to
 * the peer's memory, which needs no key, no receive slot and no attention there.
 * A peer that is stopped or computes answers those: it is not dead.
 */
#include "verbs.h"

#include "errors.h"
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_RANKS (1 << 22)
#define INLINE     256
#define REPEATS    6 /* 7 means for ever to soft-RoCE */

/* How many messages a peer may send before it hears of credits; bounds what the slots take. */
static unsigned window_of(const struct pl_verbs_port *port)
{
    return port->size <= 16 ? 64 : port->size <= 128 ? 32 : 8;
}

static bool grow(struct pl_verbs_port *port, int rank)
{
    int peers = port->peers ? port->peers : 16;
    while (peers <= rank)
        peers *= 2;
    struct pl_verbs_peer **table = realloc(port->peer, (size_t)peers * sizeof *table);
    if (!table)
        return false;
    memset(table + port->peers, 0, (size_t)(peers - port->peers) * sizeof *table);
    port->peer = table;
    port->peers = peers;
    return true;
}

struct pl_verbs_peer *pl_verbs_peer_get(struct pl_verbs_port *port, int rank)
{
    if (rank < 0 || rank >= MOST_RANKS) {
        pl_fail(PL_EARG, "verbs: %d is no rank", rank);
        return NULL;
    }
    if (rank < port->peers && port->peer[rank])
        return port->peer[rank];
    struct pl_verbs_peer *peer = rank < port->peers || grow(port, rank) ? calloc(1, sizeof *peer) : NULL;
    if (!peer) {
        pl_fail(PL_ENOMEM, "verbs: no memory for what rank %d needs", rank);
        return NULL;
    }
    peer->base = (struct pl_endpoint){port->base.transport, &port->base, rank};
    peer->window = window_of(port);
    pl_list_init(&peer->attention);
    pl_list_init(&peer->waiting);
    pl_list_init(&peer->queue);
    pl_list_init(&peer->reaches);
    port->peer[rank] = peer;
    return peer;
}

/* The exponent of the time between repetitions, which all together take at most `timeout` ns. */
static uint8_t repeat_exponent(int64_t timeout)
{
    uint8_t exponent = 12;
    while (exponent < 21 && ((int64_t)(REPEATS + 1) * 4096 << (exponent + 1)) <= timeout)
        exponent++;
    return exponent;
}

int pl_verbs_pair_create(struct pl_verbs_peer *peer)
{
    struct pl_verbs_port *port = pl_verbs_port_of(peer);
    struct ibv_qp_init_attr wanted = {
        .send_cq = port->completions,
        .recv_cq = port->completions,
        .srq = port->receives,
        .cap = {.max_send_wr = PL_VERBS_DEPTH, .max_send_sge = 2, .max_inline_data = INLINE},
        .qp_type = IBV_QPT_RC};
    int error = pl_verbs_random(&peer->psn, sizeof peer->psn);
    if (!error)
        error = pl_verbs_receives_add(port, (int)peer->window + PL_VERBS_RESERVE);
    if (error)
        return error;
    struct ibv_qp *pair = port->library.create_qp(port->device.domain, &wanted);
    if (!pair) {
        wanted.cap.max_inline_data = 0;
        pair = port->library.create_qp(port->device.domain, &wanted);
    }
    if (!pair)
        return pl_fail(PL_ENOMEM, "verbs: %s gives no queue pair for rank %d", port->device.name,
                       peer->base.peer);
    struct ibv_qp_attr to = {.qp_state = IBV_QPS_INIT,
                             .port_num = (uint8_t)port->device.port,
                             .qp_access_flags = IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE};
    int bad = port->library.modify_qp(pair, &to,
                                      IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS);
    if (bad) {
        port->library.destroy_qp(pair);
        return pl_fail(PL_ESYSTEM, "verbs: a queue pair of %s does not start: %s", port->device.name,
                       strerror(bad));
    }
    peer->pair = pair;
    peer->psn &= 0xffffff;
    port->inline_most = wanted.cap.max_inline_data;
    pl_verbs_timer_set(port);
    return 0;
}

int pl_verbs_pair_join(struct pl_verbs_peer *peer, uint32_t pair, uint32_t psn, unsigned window)
{
    struct pl_verbs_port *port = pl_verbs_port_of(peer);
    const struct pl_verbs_device *device = &port->device;
    uint8_t reads = (uint8_t)(device->max_reads < PL_VERBS_READS ? device->max_reads : PL_VERBS_READS);
    struct ibv_qp_attr to = {.qp_state = IBV_QPS_RTR,
                             .path_mtu = peer->card.mtu < device->mtu ? peer->card.mtu : device->mtu,
                             .dest_qp_num = pair,
                             .rq_psn = psn & 0xffffff,
                             .max_dest_rd_atomic = reads,
                             .min_rnr_timer = 12,
                             .ah_attr = pl_verbs_route(port, &peer->card)};
    int bad = port->library.modify_qp(peer->pair, &to,
                                      IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
                                          IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER);
    if (bad)
        return pl_fail(PL_EPEER, "verbs: no way from %s to rank %d: %s", device->name, peer->base.peer,
                       strerror(bad));
    to.qp_state = IBV_QPS_RTS;
    to.timeout = repeat_exponent(port->timeout);
    to.retry_cnt = REPEATS;
    to.rnr_retry = 7;
    to.sq_psn = peer->psn;
    to.max_rd_atomic = reads;
    bad = port->library.modify_qp(peer->pair, &to,
                                  IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
                                      IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC);
    if (bad)
        return pl_fail(PL_EPEER, "verbs: the queue pair to rank %d does not start to send: %s",
                       peer->base.peer, strerror(bad));
    peer->remote_pair = pair;
    peer->remote_psn = psn;
    peer->credits = window;
    peer->state = PL_VERBS_KNOWN;
    return 0;
}

void pl_verbs_peer_up(struct pl_verbs_peer *peer)
{
    peer->state = PL_VERBS_UP;
    peer->call_at = 0;
    if (!pl_list_empty(&peer->queue) || !pl_list_empty(&peer->reaches))
        pl_verbs_wait(peer);
    pl_verbs_timer_set(pl_verbs_port_of(peer));
}

void pl_verbs_peer_break(struct pl_verbs_peer *peer, int error, const char *format, ...)
{
    if (peer->error || peer->state >= PL_VERBS_LEFT)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(peer->cause, sizeof peer->cause, format, args);
    va_end(args);
    peer->error = error;
    pl_list_append(&pl_verbs_port_of(peer)->attention, &peer->attention);
}

void pl_verbs_pair_destroy(struct pl_verbs_peer *peer)
{
    struct pl_verbs_port *port = pl_verbs_port_of(peer);
    if (!peer->pair)
        return;
    port->library.destroy_qp(peer->pair);
    peer->pair = NULL;
    for (; peer->retired != peer->posted; peer->retired++) {
        int slot = peer->work[peer->retired % PL_VERBS_DEPTH].slot;
        if (slot >= 0)
            port->free_slot[port->free_slots++] = slot;
    }
    /* One slot may have been half filled and is not seen again. */
    port->spare_receives += (int)peer->window + PL_VERBS_RESERVE - 1;
}

int pl_verbs_peer_fail(struct pl_verbs_peer *peer, int error, const char *text)
{
    int count = 0;
    struct pl_list *node;
    while ((node = pl_list_first(&peer->reaches))) {
        pl_fail(error, "%s", text);
        count += pl_verbs_reach_done(peer, pl_container(node, struct pl_verbs_reach, link), error);
    }
    count += pl_verbs_queue_fail(peer, error, text);
    pl_list_remove(&peer->waiting);
    return count;
}

int pl_verbs_peer_lose(struct pl_verbs_peer *peer)
{
    struct pl_verbs_port *port = pl_verbs_port_of(peer);
    char text[PL_ERROR_TEXT];
    int error = peer->error, count = 0;
    snprintf(text, sizeof text, "rank %d %s", peer->base.peer, peer->cause);
    pl_list_remove(&peer->attention);
    peer->state = PL_VERBS_LOST;
    peer->call_at = 0;
    pl_verbs_pair_destroy(peer);
    pl_fail(error, "%s", text);
    if (peer->streaming) {
        pl_verbs_end_landing(peer, error);
        count++;
    }
    count += pl_verbs_peer_fail(peer, error, text);
    if (port->closing)
        return count;
    pl_info("verbs: %s", text);
    pl_fail(error, "%s", text);
    port->upcalls->lost(port->context, peer->base.peer, error, text);
    return count + 1;
}

int pl_verbs_peer_leave(struct pl_verbs_peer *peer)
{
    int count = 0;
    peer->heard_goodbye = true;
    peer->state = PL_VERBS_LEFT;
    peer->call_at = 0;
    if (peer->streaming) {
        pl_verbs_end_landing(peer, PL_EPEER);
        count++;
    }
    return count + pl_verbs_peer_fail(peer, PL_EPEER, "the peer has closed its port");
}

void pl_verbs_peer_destroy(struct pl_verbs_peer *peer)
{
    if (!peer)
        return;
    pl_verbs_pair_destroy(peer);
    if (peer->route)
        pl_verbs_port_of(peer)->library.destroy_ah(peer->route);
    free(peer);
}

void pl_verbs_peers_tick(struct pl_verbs_port *port)
{
    for (int rank = 0; rank < port->peers; rank++) {
        struct pl_verbs_peer *peer = port->peer[rank];
        if (!peer || peer->state < PL_VERBS_KNOWN || peer->state > PL_VERBS_UP || peer->error)
            continue;
        if (!peer->heard && !peer->probing && peer->posted - peer->retired < PL_VERBS_DEPTH / 2) {
            struct ibv_send_wr nothing = {.opcode = IBV_WR_RDMA_WRITE, .send_flags = IBV_SEND_SIGNALED};
            peer->probing = !pl_verbs_post(peer, &nothing, -1, NULL);
            peer->probe = peer->posted;
        }
        peer->heard = false;
    }
}
