/* Frames on a connection.
 *
 *   sender                                                        receiver
 *   small:   head+header+payload, inline in the work request ==>  a slot of the shared receive
 *   longer:  copied into a send slot, in pieces of 8 KiB     ==>  queue; handed over in place, or
 *                                                                 copied to where it lands
 *
 * Frames come in order and none is lost, so both ends know the header of the one before, and only what is new
 * in it is sent: of its 32 bytes mostly 8, which a small message notices (a card takes few bytes at once;
 * soft-RoCE sums over each).
 *
 * Every message fills one receive slot, and the slots of all peers are one shared
 * queue. Each peer has a window of credits, and as many slots as its credits and what is
 * said without credit can fill are posted when it connects; so the queue never
 * runs empty and "receiver not ready" does not happen. A slot that was taken is posted
 * again when there is time, that is in the next round that finds nothing, and at the latest with
 * seven others (the queue has eight more for it): its sender waits for the answer meanwhile. The
 * credit goes back with the next message of the other direction, or alone when half of the window is owed.
 * What is said without credit is bounded: READY once, GOODBYE or BREAK once, and CREDIT at most three times
 * before the other end takes one, since each stands for half a window of its messages.
 *
 * Large payloads do not come this way: src/p2p reads them with get (verbs_memory.c).
 * A frame longer than a piece is for what get cannot reach, and for no speed record.
 */
#include "verbs.h"

#include "errors.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = sizeof(struct pl_verbs_head), WORDS = PL_HEADER_SIZE / 8, TOTAL = sizeof(uint64_t) };
enum { FULL = HEAD + PL_HEADER_SIZE + TOTAL };

_Static_assert(FULL + PL_VERBS_PIECE <= PL_VERBS_SLOT, "a piece fits a slot");

/* Work requests of a queue pair that frames leave free for what is said without credit. */
#define KEPT_FREE 12

/* ---- work requests ---- */

bool pl_verbs_work_room(const struct pl_verbs_peer *peer)
{
    return peer->posted - peer->retired < PL_VERBS_DEPTH - KEPT_FREE;
}

int pl_verbs_post(struct pl_verbs_peer *peer, struct ibv_send_wr *request, int slot,
                  struct pl_verbs_reach *reach)
{
    struct ibv_send_wr *bad;
    if (!peer->pair || peer->posted - peer->retired >= PL_VERBS_DEPTH)
        return PL_EINTERNAL;
    if (++peer->quiet >= PL_VERBS_QUIET)
        request->send_flags |= IBV_SEND_SIGNALED;
    if (request->send_flags & IBV_SEND_SIGNALED)
        peer->quiet = 0;
    peer->work[peer->posted % PL_VERBS_DEPTH] = (struct pl_verbs_work){slot, reach};
    request->wr_id = pl_verbs_id(PL_VERBS_WORK, (uint32_t)peer->base.peer, peer->posted);
    int error = ibv_post_send(peer->pair, request, &bad);
    if (error) {
        pl_verbs_peer_break(peer, PL_EPEER, "cannot be sent to (post_send: %s)", strerror(error));
        return PL_EPEER;
    }
    peer->posted++;
    return 0;
}

static void give_back(struct pl_verbs_peer *peer);

int pl_verbs_retire(struct pl_verbs_peer *peer, uint32_t number, int status)
{
    struct pl_verbs_port *port = pl_verbs_port_of(peer);
    int count = 0;
    if (!peer->pair || number - peer->retired >= peer->posted - peer->retired)
        return 0;
    while (peer->retired != number + 1) {
        struct pl_verbs_work work = peer->work[peer->retired++ % PL_VERBS_DEPTH];
        if (work.slot >= 0)
            port->free_slot[port->free_slots++] = work.slot;
        if (work.reach)
            count += pl_verbs_reach_done(peer, work.reach, status);
    }
    if (peer->probing && (int32_t)(peer->retired - peer->probe) >= 0)
        peer->probing = false;
    give_back(peer);
    return count;
}

/* ---- sending ---- */

void pl_verbs_wait(struct pl_verbs_peer *peer)
{
    if (pl_list_empty(&peer->waiting))
        pl_list_append(&pl_verbs_port_of(peer)->waiting, &peer->waiting);
}

static struct pl_verbs_head head_of(struct pl_verbs_peer *peer, enum pl_verbs_kind kind)
{
    struct pl_verbs_head head = {.kind = (uint8_t)kind,
                                 .credits = (uint16_t)peer->owed,
                                 .from = (uint32_t)pl_verbs_port_of(peer)->rank};
    peer->owed = 0;
    return head;
}

void pl_verbs_say(struct pl_verbs_peer *peer, enum pl_verbs_kind kind)
{
    struct pl_verbs_port *port = pl_verbs_port_of(peer);
    struct pl_verbs_head head = head_of(peer, kind);
    struct ibv_sge place = {(uintptr_t)&head, HEAD, 0};
    struct ibv_send_wr request = {.opcode = IBV_WR_SEND, .sg_list = &place, .num_sge = 1};
    int slot = -1;
    if (port->inline_most >= HEAD) {
        request.send_flags = IBV_SEND_INLINE;
    } else if (port->free_slots) {
        slot = port->free_slot[--port->free_slots];
        memcpy(port->send_slots.memory + (size_t)slot * PL_VERBS_SLOT, &head, HEAD);
        place.addr = (uintptr_t)port->send_slots.memory + (size_t)slot * PL_VERBS_SLOT;
        place.lkey = port->send_slots.region->lkey;
    } else {
        peer->owed = head.credits;
        return;
    }
    if (kind == PL_VERBS_GOODBYE || kind == PL_VERBS_BREAK || slot >= 0)
        request.send_flags |= IBV_SEND_SIGNALED;
    if (pl_verbs_post(peer, &request, slot, NULL) && slot >= 0)
        port->free_slot[port->free_slots++] = slot;
}

/* Credits alone, when the other direction is silent. */
static void give_back(struct pl_verbs_peer *peer)
{
    if (peer->owed >= peer->window / 2 && peer->state == PL_VERBS_UP && !peer->error &&
        peer->posted - peer->retired < PL_VERBS_DEPTH - 4)
        pl_verbs_say(peer, PL_VERBS_CREDIT);
}

/* What comes before the payload. Returns its length; the word mask is for the head, which is put there last.
 */
static size_t write_front(const struct pl_verbs_peer *peer, enum pl_verbs_kind kind, uint64_t total,
                          const struct pl_header *header, unsigned char *at, uint8_t *words)
{
    size_t size = HEAD;
    *words = 0;
    for (int i = 0; header && i < WORDS; i++) {
        if (header->word[i] == peer->sent.word[i])
            continue;
        *words |= (uint8_t)(1 << i);
        memcpy(at + size, &header->word[i], sizeof header->word[i]);
        size += sizeof header->word[i];
    }
    if (kind == PL_VERBS_FIRST) {
        memcpy(at + size, &total, TOTAL);
        size += TOTAL;
    }
    return size;
}

/* One message with credit. `header` NULL: none. False: it cannot go now. */
static bool post_message(struct pl_verbs_peer *peer, enum pl_verbs_kind kind, uint64_t total,
                         const struct pl_header *header, const void *data, size_t length)
{
    struct pl_verbs_port *port = pl_verbs_port_of(peer);
    unsigned char front[FULL], *at = front;
    uint8_t words;
    if (!peer->credits || !pl_verbs_work_room(peer))
        return false;
    size_t size = write_front(peer, kind, total, header, front, &words);
    bool fits = size + length <= port->inline_most;
    if (!fits && !port->free_slots)
        return false;
    unsigned owed = peer->owed;
    struct pl_verbs_head head = head_of(peer, kind);
    head.words = words;
    memcpy(front, &head, HEAD);
    int slot = -1;
    if (!fits) {
        slot = port->free_slot[--port->free_slots];
        at = port->send_slots.memory + (size_t)slot * PL_VERBS_SLOT;
        memcpy(at, front, size);
        memcpy(at + size, data, length);
    }
    struct ibv_sge places[2] = {
        {(uintptr_t)at, (uint32_t)(fits ? size : size + length), fits ? 0 : port->send_slots.region->lkey},
        {(uintptr_t)data, (uint32_t)length, 0}};
    struct ibv_send_wr request = {.sg_list = places,
                                  .num_sge = fits && length ? 2 : 1,
                                  .opcode = IBV_WR_SEND,
                                  .send_flags = fits ? IBV_SEND_INLINE : IBV_SEND_SIGNALED};
    if (pl_verbs_post(peer, &request, slot, NULL)) {
        if (slot >= 0)
            port->free_slot[port->free_slots++] = slot;
        peer->owed = owed;
        return false;
    }
    if (header)
        peer->sent = *header;
    peer->credits--;
    return true;
}

/* As much of the operation as can go. True: all of it. */
static bool write_some(struct pl_verbs_peer *peer, struct pl_operation *operation,
                       const struct pl_header *header)
{
    if (operation->length <= PL_VERBS_PIECE)
        return post_message(peer, PL_VERBS_FRAME, 0, header, operation->payload, operation->length);
    while (operation->progress < operation->length) {
        size_t left = operation->length - operation->progress;
        size_t piece = left < PL_VERBS_PIECE ? left : PL_VERBS_PIECE;
        const char *data = (const char *)operation->payload + operation->progress;
        bool first = !operation->progress;
        if (!post_message(peer, first ? PL_VERBS_FIRST : PL_VERBS_MORE, operation->length,
                          first ? header : NULL, data, piece))
            return false;
        operation->progress += piece;
    }
    return true;
}

static int enqueue(struct pl_verbs_peer *peer, struct pl_operation *operation)
{
    struct pl_verbs_port *port = pl_verbs_port_of(peer);
    struct pl_list *node = pl_list_first(&port->spare);
    struct pl_verbs_item *item = node ? pl_container(node, struct pl_verbs_item, link) : malloc(sizeof *item);
    if (!item)
        return pl_fail(PL_ENOMEM, "verbs: no memory to queue %zu bytes to rank %d", operation->length,
                       peer->base.peer);
    if (node)
        pl_list_remove(node);
    item->operation = operation;
    item->header = operation->header;
    pl_list_append(&peer->queue, &item->link);
    pl_verbs_wait(peer);
    return PL_PENDING;
}

static struct pl_operation *dequeue(struct pl_verbs_peer *peer, struct pl_verbs_item *item)
{
    pl_list_remove(&item->link);
    pl_list_append(&pl_verbs_port_of(peer)->spare, &item->link);
    return item->operation;
}

int pl_verbs_send(struct pl_endpoint *endpoint, struct pl_operation *operation)
{
    struct pl_verbs_peer *peer = (struct pl_verbs_peer *)endpoint;
    operation->progress = 0;
    if (!peer->connected)
        return pl_fail(PL_EARG, "verbs: the endpoint to rank %d was disconnected", endpoint->peer);
    if (peer->error || peer->state == PL_VERBS_LOST)
        return pl_fail(PL_EPEER, "the way to rank %d is lost: it %s", endpoint->peer, peer->cause);
    if (peer->state == PL_VERBS_LEFT)
        return pl_fail(PL_EPEER, "rank %d has closed its port", endpoint->peer);
    if (peer->state == PL_VERBS_UP && pl_list_empty(&peer->queue) && !peer->abandoned &&
        write_some(peer, operation, &operation->header))
        return 0;
    int error = enqueue(peer, operation);
    if (error < 0 && operation->progress)
        peer->abandoned = true;
    if (peer->state < PL_VERBS_UP)
        pl_verbs_call(peer);
    return error;
}

int pl_verbs_push(struct pl_verbs_peer *peer)
{
    int count = 0;
    struct pl_list *node;
    if (peer->state != PL_VERBS_UP || peer->error)
        return 0;
    pl_verbs_reach_push(peer);
    if (peer->abandoned) {
        if (!post_message(peer, PL_VERBS_ABANDON, 0, NULL, NULL, 0))
            return 0;
        peer->abandoned = false;
    }
    while ((node = pl_list_first(&peer->queue))) {
        struct pl_verbs_item *item = pl_container(node, struct pl_verbs_item, link);
        if (!write_some(peer, item->operation, &item->header))
            break;
        struct pl_operation *operation = dequeue(peer, item);
        count++;
        operation->done(operation, 0);
    }
    return count;
}

int pl_verbs_queue_fail(struct pl_verbs_peer *peer, int error, const char *text)
{
    int count = 0;
    struct pl_list *node;
    while ((node = pl_list_first(&peer->queue))) {
        struct pl_operation *operation = dequeue(peer, pl_container(node, struct pl_verbs_item, link));
        pl_fail(error, "%s", text);
        peer->abandoned |= operation->progress > 0;
        count++;
        operation->done(operation, error);
    }
    return count;
}

/* ---- receiving ---- */

static int post_receives(struct pl_verbs_port *port, const struct pl_verbs_place *places, int count)
{
    struct ibv_sge memory[PL_VERBS_TAKEN];
    struct ibv_recv_wr request[PL_VERBS_TAKEN], *bad;
    for (int i = 0; i < count; i++) {
        const struct pl_verbs_slots *slots = &port->receive_slots[places[i].block];
        memory[i] = (struct ibv_sge){(uintptr_t)slots->memory + places[i].number * slots->size,
                                     (uint32_t)slots->size, slots->region->lkey};
        request[i] =
            (struct ibv_recv_wr){.wr_id = pl_verbs_id(PL_VERBS_RECEIVE, places[i].block, places[i].number),
                                 .next = i + 1 < count ? &request[i + 1] : NULL,
                                 .sg_list = &memory[i],
                                 .num_sge = 1};
    }
    return ibv_post_srq_recv(port->receives, request, &bad);
}

void pl_verbs_receives_return(struct pl_verbs_port *port)
{
    post_receives(port, port->taken, port->takens);
    port->takens = 0;
}

int pl_verbs_receives_add(struct pl_verbs_port *port, int count)
{
    if (!port->receive_blocks)
        count += PL_VERBS_TAKEN;
    if (port->spare_receives >= count) {
        port->spare_receives -= count;
        return 0;
    }
    if (port->receives_posted + count > port->receives_room)
        return pl_fail(PL_ENOMEM, "verbs: the shared receive queue of %s is full (%d slots)",
                       port->device.name, port->receives_room);
    struct pl_verbs_slots *blocks =
        realloc(port->receive_slots, ((size_t)port->receive_blocks + 1) * sizeof *blocks);
    if (!blocks)
        return pl_fail(PL_ENOMEM, "verbs: no memory for receive slots");
    port->receive_slots = blocks;
    uint32_t block = (uint32_t)port->receive_blocks;
    int error = pl_verbs_slots_create(port, count, PL_VERBS_SLOT, &blocks[block]);
    if (error)
        return error;
    port->receive_blocks++;
    for (uint32_t number = 0; number < (uint32_t)count; number++) {
        error = post_receives(port, &(struct pl_verbs_place){block, number}, 1);
        if (error)
            return pl_fail(PL_ENOMEM, "verbs: the shared receive queue takes no more: %s", strerror(error));
        port->receives_posted++;
    }
    return 0;
}

void pl_verbs_end_landing(struct pl_verbs_peer *peer, int status)
{
    struct pl_verbs_port *port = pl_verbs_port_of(peer);
    peer->streaming = false;
    port->upcalls->landed(port->context, peer->base.peer, &peer->landing, peer->total, status);
}

static void land(struct pl_verbs_peer *peer, const unsigned char *data, size_t length)
{
    if (peer->landing.buffer && peer->landed < peer->landing.capacity) {
        size_t room = peer->landing.capacity - peer->landed;
        memcpy((char *)peer->landing.buffer + peer->landed, data, length < room ? length : room);
    }
    peer->landed += length;
    if (peer->landed == peer->total)
        pl_verbs_end_landing(peer, 0);
}

/* One of the three kinds that carry a frame. False: it makes no sense. */
static bool take_frame(struct pl_verbs_peer *peer, const struct pl_verbs_head *head, const unsigned char *at,
                       size_t length)
{
    struct pl_verbs_port *port = pl_verbs_port_of(peer);
    uint64_t total = 0;
    size_t size = HEAD;
    if (head->kind == PL_VERBS_MORE) {
        if (!peer->streaming)
            return port->closing;
        if (length <= HEAD || length - HEAD > peer->total - peer->landed)
            return false;
        land(peer, at + HEAD, length - HEAD);
        return true;
    }
    size_t front = HEAD + 8 * (size_t)__builtin_popcount(head->words & ((1 << WORDS) - 1)) +
                   (head->kind == PL_VERBS_FIRST ? TOTAL : 0);
    if (length < front || peer->streaming)
        return false;
    for (int i = 0; i < WORDS; i++)
        if (head->words >> i & 1) {
            memcpy(&peer->got.word[i], at + size, 8);
            size += 8;
        }
    if (port->closing)
        return true;
    struct pl_header header = peer->got;
    length -= front;
    if (head->kind == PL_VERBS_FRAME) {
        port->upcalls->arrived(port->context, peer->base.peer, &header, length, length ? at + front : NULL,
                               NULL);
        return true;
    }
    memcpy(&total, at + size, TOTAL);
    if (total <= length || total > INT64_MAX)
        return false;
    peer->total = total;
    peer->landed = 0;
    peer->landing = (struct pl_landing){NULL, 0, NULL};
    port->upcalls->arrived(port->context, peer->base.peer, &header, total, NULL, &peer->landing);
    peer->streaming = true;
    land(peer, at + front, length);
    return true;
}

static int take_message(struct pl_verbs_peer *peer, const unsigned char *at, size_t length)
{
    struct pl_verbs_head head;
    bool sense = true;
    memcpy(&head, at, HEAD);
    peer->heard = true;
    if (peer->state == PL_VERBS_KNOWN)
        pl_verbs_peer_up(peer);
    if (peer->credits + head.credits > UINT16_MAX)
        sense = false;
    peer->credits += head.credits;
    if (head.credits && (!pl_list_empty(&peer->queue) || peer->abandoned))
        pl_verbs_wait(peer);
    switch (head.kind) {
    case PL_VERBS_FRAME:
    case PL_VERBS_FIRST:
    case PL_VERBS_MORE:
        sense = sense && take_frame(peer, &head, at, length);
        peer->owed++;
        break;
    case PL_VERBS_ABANDON:
        peer->owed++;
        if (peer->streaming)
            pl_verbs_end_landing(peer, PL_EPEER);
        break;
    case PL_VERBS_READY:
    case PL_VERBS_CREDIT:
        break;
    case PL_VERBS_GOODBYE:
        return 1 + pl_verbs_peer_leave(peer);
    case PL_VERBS_BREAK:
        pl_verbs_peer_break(peer, PL_EPEER, "closed its port with messages unsent");
        peer->heard_goodbye = true;
        return 1;
    default:
        sense = false;
    }
    if (!sense)
        pl_verbs_peer_break(peer, PL_EPROTOCOL, "sent what makes no sense (a message of kind %d, %zu bytes)",
                            head.kind, length);
    give_back(peer);
    return 1;
}

int pl_verbs_take(struct pl_verbs_port *port, uint32_t block, uint32_t number, const struct ibv_wc *done)
{
    const struct pl_verbs_slots *slots = &port->receive_slots[block];
    const unsigned char *at = slots->memory + number * slots->size;
    struct pl_verbs_head head;
    int count = 0;
    if (done->status == IBV_WC_SUCCESS && done->byte_len >= HEAD) {
        memcpy(&head, at, HEAD);
        struct pl_verbs_peer *peer = head.from < (uint32_t)port->peers ? port->peer[head.from] : NULL;
        if (peer && peer->pair && peer->pair->qp_num == done->qp_num && !peer->error &&
            peer->state < PL_VERBS_LEFT)
            count = take_message(peer, at, done->byte_len);
    }
    port->taken[port->takens++] = (struct pl_verbs_place){block, number};
    if (port->takens == PL_VERBS_TAKEN)
        pl_verbs_receives_return(port);
    return count;
}
