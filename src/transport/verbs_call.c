/* How two ranks find each other.
 *
 * A reliable connection needs, at both ends, the number of the other's queue pair.
 * Cards are published once, before anybody knows who will talk to whom, and
 * n queue pairs a rank from the start would be n^2 in all. So each port has one
 * datagram (UD) queue pair, whose number is on the card, and the first send to
 * a peer calls it there:
 *
 *   a                                       b
 *   makes a queue pair
 *     call(pair, psn)     ------------->    makes its own, joins it to a's,
 *                         <-------------    answer(pair, psn)
 *   joins, is up
 *     READY, frames       ==(reliable)==>   is up with the first message
 *
 * Datagrams get lost, so a call is repeated, ever more slowly, until something
 * is heard; each call is answered anew with the same numbers, so repetition does no
 * harm. Both may call at once: each then learns the other's numbers from the call,
 * answers, and needs no tie-break, since a rank has one queue pair for a peer whoever
 * began. b does not send before it knows that a has joined: messages that find
 * a queue pair not joined yet would be dropped, and be repeated only after a time-out.
 *
 * A call names the port it is meant for (the nonce of its card) and is sealed with the
 * job's key: others can neither connect nor disturb (verbs_card.c).
 *
 * A rank that computes does not hear calls. So silence alone is no death here: the
 * caller complains in the log after PEAL_TIMEOUT and goes on. Whether a process that was
 * never connected to lives is the launcher's to know.
 *
 * Rejected: librdmacm (a second library, an event channel, IP addresses also on
 * InfiniBand, its handshake not under the job's key); a TCP socket beside each port
 * (needs an IP network that reaches everywhere, and thousands of sockets).
 */
#include "verbs.h"

#include "clock.h"
#include "errors.h"
#include "log.h"

#include <stdio.h>
#include <string.h>

#define SECOND      ((int64_t)1000000000)
#define FIRST_GAP   (SECOND / 20)
#define LONGEST_GAP SECOND
#define SLOT_BYTES  256

_Static_assert(PL_VERBS_GRH + PL_VERBS_CALL_BYTES <= SLOT_BYTES, "a note fits its slot");

struct ibv_ah_attr pl_verbs_route(const struct pl_verbs_port *port, const struct pl_verbs_card *card)
{
    const struct pl_verbs_device *device = &port->device;
    struct ibv_ah_attr route = {.dlid = card->lid, .port_num = (uint8_t)device->port};
    bool other_subnet = memcmp(card->gid, device->gid.raw, 8) != 0;
    if (device->ethernet || other_subnet) {
        route.is_global = 1;
        memcpy(route.grh.dgid.raw, card->gid, 16);
        route.grh.sgid_index = (uint8_t)device->gid_index;
        route.grh.hop_limit = 64;
    }
    return route;
}

static int listen_slot(struct pl_verbs_port *port, uint32_t slot)
{
    struct ibv_sge place = {.addr = (uintptr_t)port->call_slots.memory + slot * SLOT_BYTES,
                            .length = SLOT_BYTES,
                            .lkey = port->call_slots.region->lkey};
    struct ibv_recv_wr request = {.wr_id = pl_verbs_id(PL_VERBS_HEARD, 0, slot),
                                  .sg_list = &place,
                                  .num_sge = 1},
                       *bad;
    return ibv_post_recv(port->caller, &request, &bad);
}

int pl_verbs_caller_create(struct pl_verbs_port *port)
{
    struct ibv_qp_init_attr wanted = {.send_cq = port->completions,
                                      .recv_cq = port->completions,
                                      .cap = {.max_send_wr = PL_VERBS_CALL_SLOTS,
                                              .max_recv_wr = PL_VERBS_CALL_SLOTS,
                                              .max_send_sge = 1,
                                              .max_recv_sge = 1},
                                      .qp_type = IBV_QPT_UD};
    /* The first half of the slots is to receive into, the other to send from. */
    int error = pl_verbs_slots_create(port, 2 * PL_VERBS_CALL_SLOTS, SLOT_BYTES, &port->call_slots);
    if (error)
        return error;
    port->caller = port->library.create_qp(port->device.domain, &wanted);
    if (!port->caller)
        return pl_fail(PL_EUNSUPPORTED, "verbs: %s gives no datagram queue pair", port->device.name);
    struct ibv_qp_attr to = {
        .qp_state = IBV_QPS_INIT, .port_num = (uint8_t)port->device.port, .qkey = port->card.qkey};
    int bad = port->library.modify_qp(port->caller, &to,
                                      IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY);
    for (uint32_t slot = 0; !bad && slot < PL_VERBS_CALL_SLOTS; slot++)
        bad = listen_slot(port, slot);
    to.qp_state = IBV_QPS_RTR;
    bad = bad ? bad : port->library.modify_qp(port->caller, &to, IBV_QP_STATE);
    to.qp_state = IBV_QPS_RTS;
    bad = bad ? bad : port->library.modify_qp(port->caller, &to, IBV_QP_STATE | IBV_QP_SQ_PSN);
    if (bad)
        return pl_fail(PL_EUNSUPPORTED, "verbs: the datagram queue pair of %s does not start: %s",
                       port->device.name, strerror(bad));
    port->card.caller = port->caller->qp_num;
    return 0;
}

void pl_verbs_caller_destroy(struct pl_verbs_port *port)
{
    if (port->caller)
        port->library.destroy_qp(port->caller);
    pl_verbs_slots_destroy(port, &port->call_slots);
}

/* One datagram to the peer; whether it arrives is not known, nor whether it went. */
static void note_to(struct pl_verbs_peer *peer, bool answer)
{
    struct pl_verbs_port *port = pl_verbs_port_of(peer);
    struct pl_verbs_note note = {.answer = answer,
                                 .window = (uint16_t)peer->window,
                                 .from = (uint32_t)port->rank,
                                 .to = (uint32_t)peer->base.peer,
                                 .pair = peer->pair->qp_num,
                                 .psn = peer->psn,
                                 .card = port->card};
    memcpy(note.addressee, peer->card.nonce, PL_VERBS_NONCE);
    if (!peer->route) {
        struct ibv_ah_attr route = pl_verbs_route(port, &peer->card);
        peer->route = port->library.create_ah(port->device.domain, &route);
        if (!peer->route) {
            pl_verbs_peer_break(peer, PL_EPEER, "has no route from %s (create_ah)", port->device.name);
            return;
        }
    }
    int slot = PL_VERBS_CALL_SLOTS + port->next_call_slot++ % PL_VERBS_CALL_SLOTS;
    unsigned char *bytes = port->call_slots.memory + slot * SLOT_BYTES;
    pl_verbs_note_pack(&note, port->key, bytes);
    struct ibv_sge place = {(uintptr_t)bytes, PL_VERBS_CALL_BYTES, port->call_slots.region->lkey};
    struct ibv_send_wr request = {.wr_id = pl_verbs_id(PL_VERBS_CALLING, 0, (uint32_t)slot),
                                  .sg_list = &place,
                                  .num_sge = 1,
                                  .opcode = IBV_WR_SEND,
                                  .send_flags = IBV_SEND_SIGNALED,
                                  .wr.ud = {peer->route, peer->card.caller, peer->card.qkey}},
                       *bad;
    ibv_post_send(port->caller, &request, &bad);
}

void pl_verbs_call(struct pl_verbs_peer *peer)
{
    if (peer->call_at || peer->state >= PL_VERBS_UP)
        return;
    int64_t now = pl_now();
    if (!peer->pair && pl_verbs_pair_create(peer)) {
        pl_verbs_peer_break(peer, PL_EPEER, "cannot be called: %.150s", pl_fail_text());
        return;
    }
    if (peer->state == PL_VERBS_IDLE)
        peer->state = PL_VERBS_CALLED;
    peer->call_since = now;
    peer->call_gap = FIRST_GAP;
    peer->call_at = now + peer->call_gap;
    note_to(peer, false);
    pl_verbs_timer_set(pl_verbs_port_of(peer));
}

void pl_verbs_call_tick(struct pl_verbs_port *port, int64_t now)
{
    for (int rank = 0; rank < port->peers; rank++) {
        struct pl_verbs_peer *peer = port->peer[rank];
        if (!peer || !peer->call_at || peer->state >= PL_VERBS_UP || peer->call_at > now)
            continue;
        if (now - peer->call_since > port->timeout && !peer->complained) {
            pl_info("verbs: rank %d has not answered for %.1f s; it computes, or it is gone", rank,
                    (double)(now - peer->call_since) / 1e9);
            peer->complained = true;
        }
        peer->call_gap = peer->call_gap * 2 < LONGEST_GAP ? peer->call_gap * 2 : LONGEST_GAP;
        peer->call_at = now + peer->call_gap;
        note_to(peer, false);
    }
}

/* Whether the note is for this port and from whom it says. */
static struct pl_verbs_peer *caller_of(struct pl_verbs_port *port, const struct pl_verbs_note *note)
{
    if (note->to != (uint32_t)port->rank || note->from == (uint32_t)port->rank || note->from > INT32_MAX ||
        memcmp(note->addressee, port->card.nonce, PL_VERBS_NONCE))
        return NULL;
    struct pl_verbs_peer *peer = pl_verbs_peer_get(port, (int)note->from);
    if (!peer || peer->state == PL_VERBS_LOST || peer->state == PL_VERBS_LEFT)
        return NULL;
    if (!peer->known_card) {
        peer->card = note->card;
        peer->known_card = true;
    }
    return memcmp(peer->card.nonce, note->card.nonce, PL_VERBS_NONCE) ? NULL : peer;
}

static int heard(struct pl_verbs_port *port, const struct pl_verbs_note *note)
{
    struct pl_verbs_peer *peer = caller_of(port, note);
    if (!peer || peer->error || (port->closing && peer->state == PL_VERBS_IDLE))
        return 0;
    if (peer->state <= PL_VERBS_CALLED) {
        if ((!peer->pair && pl_verbs_pair_create(peer)) ||
            pl_verbs_pair_join(peer, note->pair, note->psn, note->window)) {
            pl_verbs_peer_break(peer, PL_EPEER, "cannot be connected to: %.150s", pl_fail_text());
            return 0;
        }
    }
    if (peer->remote_pair != note->pair)
        return 0;
    if (!note->answer)
        note_to(peer, true);
    else if (peer->state == PL_VERBS_KNOWN) {
        pl_verbs_peer_up(peer);
        pl_verbs_say(peer, PL_VERBS_READY);
        return 1;
    }
    return 0;
}

int pl_verbs_call_heard(struct pl_verbs_port *port, uint32_t slot, size_t bytes, bool good)
{
    struct pl_verbs_note note;
    int count = 0;
    const unsigned char *at = port->call_slots.memory + slot * SLOT_BYTES + PL_VERBS_GRH;
    if (good && bytes > PL_VERBS_GRH && pl_verbs_note_unpack(at, bytes - PL_VERBS_GRH, port->key, &note))
        count = heard(port, &note);
    listen_slot(port, slot);
    return count;
}
