/* A peer that is through the handshake sends any frames at all, while this rank has receives posted and sends
 * under way. It must cost the peer its link, never the process.
 *
 * Input: records of {how, header 32, length 2, payload}. `how`: bit 0 the payload lands, bit 1 the header is
 * made likely (a known kind, a context in use, a small cookie), bit 2 a receive is posted, bit 3 a send is
 * started, bit 4 the landing fails. */
#include "fuzz.h"

#include "checksum.h"
#include "errors.h"
#include "log.h"
#include "loopback.h"
#include "protocol.h"

#include <stdlib.h>
#include <string.h>

enum { REQUESTS = 32, ROOM = 8192 };

struct world {
    struct pl_fabric *fabric;
    struct pl_rank *rank;
    struct pl_comm *comm;
    struct pl_request requests[REQUESTS];
    int used;
    unsigned char buffers[REQUESTS][ROOM];
};

static int host_of(struct pl_rank *rank, int peer)
{
    return 0;
}

static int card_of(struct pl_rank *rank, int peer, const char *transport, void *card, size_t *length)
{
    pl_fabric_card(rank->fabric, peer, card, length);
    return 0;
}

static struct world *world_create(bool checksum)
{
    struct world *world = calloc(1, sizeof *world);
    struct pl_rank *rank = world->rank = calloc(1, sizeof *rank);
    pl_fabric_create(2, false, 1, &world->fabric);
    rank->size = rank->local_size = 2;
    rank->hosts = 1;
    rank->fabric = world->fabric;
    rank->host_of = host_of;
    rank->card_of = card_of;
    pl_config_read(&rank->config, NULL);
    rank->config.checksum = checksum;
    pl_log_identity("fuzz", PL_LOG_ERROR);
    if (pl_rank_open(rank))
        abort();
    struct pl_group *group = pl_group_create(2);
    group->peers[1] = 1;
    world->comm = rank->world = pl_comm_create(rank, group, 0);
    pl_group_release(group);
    return world;
}

static void world_destroy(struct world *world)
{
    pl_p2p_upcalls.lost(world->rank, 1, PL_EPEER, "the end of the input");
    for (int i = 0; i < world->used; i++) {
        pl_request_abandon(&world->requests[i], PL_ECANCELLED);
        pl_request_finish(&world->requests[i]);
    }
    pl_comm_release(world->comm);
    pl_rank_close(world->rank);
    pl_fabric_destroy(world->fabric);
    pthread_mutex_destroy(&world->rank->lock);
    free(world->rank);
    free(world);
}

static void start(struct world *world, bool send, unsigned number)
{
    if (world->used == REQUESTS)
        return;
    struct pl_request *request = &world->requests[world->used];
    void *buffer = world->buffers[world->used++];
    enum pl_channel channel = number & 1 ? PL_CHANNEL_COLLECTIVE : PL_CHANNEL_USER;
    if (send)
        pl_send_start(request, world->comm, channel, number & 2 ? PL_MODE_SYNCHRONOUS : PL_MODE_STANDARD,
                      buffer, number & 4 ? ROOM : 8, 1, (int)(number & 3), 0);
    else
        pl_recv_start(request, world->comm, channel, buffer, number & 2 ? ROOM : 16,
                      number & 4 ? PL_ANY_SOURCE : 1, number & 8 ? PL_ANY_TAG : (int)(number & 3), 0);
}

static void make_likely(struct pl_envelope *envelope)
{
    envelope->kind = 1 + envelope->kind % 14;
    envelope->context &= 3;
    envelope->source &= 1;
    envelope->tag &= 3;
    envelope->cookie &= 15;
    envelope->length &= 0x3fff;
    envelope->signature = 0;
}

static void arrive(struct world *world, unsigned how, struct pl_envelope envelope, const uint8_t *payload,
                   size_t length)
{
    struct pl_header header;
    struct pl_landing landing = {NULL, 0, NULL};
    struct pl_rts rts;
    if (how & 2)
        make_likely(&envelope);
    if ((how & 2) && (envelope.kind == PL_KIND_EAGER || envelope.kind == PL_KIND_EAGER_SYNC))
        envelope.length = length;
    if (envelope.kind == PL_KIND_RTS && length == sizeof rts) {
        memcpy(&rts, payload, sizeof rts);
        rts.address = 0; /* in one process reading a peer's memory is reading one's own */
        payload = (const uint8_t *)&rts;
    }
    memcpy(&header, &envelope, sizeof header);
    bool lands = how & 1 && length;
    pl_p2p_upcalls.arrived(world->rank, 1, &header, length, lands || !length ? NULL : payload,
                           lands ? &landing : NULL);
    if (!lands)
        return;
    size_t fits = length < landing.capacity ? length : landing.capacity;
    if (landing.buffer && fits)
        memcpy(landing.buffer, payload, fits);
    pl_p2p_upcalls.landed(world->rank, 1, &landing, length, how & 16 ? PL_EPEER : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { HEAD = 1 + PL_HEADER_SIZE + 2 };
    struct world *world = world_create(size && data[0] & 128);
    while (size >= HEAD) {
        struct pl_envelope envelope;
        unsigned how = data[0];
        size_t length = data[33] | (size_t)data[34] << 8;
        memcpy(&envelope, data + 1, sizeof envelope);
        data += HEAD;
        size -= HEAD;
        length = length < size ? length : size;
        if (how & 4)
            start(world, false, envelope.cookie);
        if (how & 8)
            start(world, true, envelope.cookie);
        arrive(world, how, envelope, data, length);
        pl_progress(world->rank);
        data += length;
        size -= length;
    }
    world_destroy(world);
    return 0;
}
