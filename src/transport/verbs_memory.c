/* One-sided access: reg, get, put.
 *
 *   owner                                     reader
 *   reg(buffer) -> key   --- RTS (a frame) -> get: registers the user's receive buffer,
 *                                             one RDMA read into it; no copy at either end
 *   dereg                <-- FIN (a frame) --
 *
 * The reader's network card fetches from the owner's, whose process is not asked.
 * The owner's pages stay pinned from reg to dereg, the reader's from get to done; what is
 * kept beyond that is verbs_cache.c's to know.
 *
 * A device's own memory comes as a dma-buf, where the kernel's driver of the network card takes one:
 * the card then reads and writes it without the host. It is in the same list of registrations, so that
 * get and put find it by its address.
 *
 * Memory that cannot be registered (the limit on locked memory, a mapping of a device) is no
 * failure: the key says so and get answers PL_EUNSUPPORTED, upon which src/p2p sends
 * frames, through slots that were registered when the port was opened.
 */
#include "verbs.h"

#include "errors.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REGISTERED ((uint64_t)1 << 32)
#define LONGEST    ((size_t)1 << 30)

static struct pl_registration *registration(struct pl_verbs_port *port, void *address, size_t length,
                                            bool writable)
{
    struct pl_registration *got = pl_registration_get(&port->registrations, address, length, writable);
    if (got)
        return got;
    pl_verbs_memory_text(length);
    if (!port->warned_memory)
        pl_warn("%s; it is sent in copies", pl_fail_text());
    port->warned_memory = true;
    return NULL;
}

int pl_verbs_reg(struct pl_port *base, void *address, size_t length, struct pl_memory_key *key)
{
    struct pl_verbs_port *port = (struct pl_verbs_port *)base;
    *key = (struct pl_memory_key){{0, 0}};
    if (!length)
        return 0;
    struct pl_registration *got = registration(port, address, length, false);
    if (!got)
        return PL_ENOMEM;
    *key = (struct pl_memory_key){{REGISTERED | got->region->rkey, (uintptr_t)got}};
    return 0;
}

int pl_verbs_reg_dmabuf(struct pl_port *base, int fd, uint64_t offset, void *address, size_t length,
                        struct pl_memory_key *key)
{
    struct pl_verbs_port *port = (struct pl_verbs_port *)base;
    *key = (struct pl_memory_key){{0, 0}};
    if (!length)
        return 0;
    struct pl_registration *got =
        pl_registration_of_dmabuf(&port->registrations, fd, offset, address, length);
    if (!got && errno == EBADF)
        return pl_fail(PL_EARG, "verbs: %d is no descriptor of a dma-buf", fd);
    if (!got && errno == ENOMEM)
        return pl_verbs_memory_text(length);
    if (!got)
        return pl_fail(PL_EUNSUPPORTED,
                       "verbs: %s does not take %zu bytes of a device's memory as a dma-buf: %s",
                       port->device.name, length, strerror(errno));
    *key = (struct pl_memory_key){{REGISTERED | got->region->rkey, (uintptr_t)got}};
    return 0;
}

void pl_verbs_dereg(struct pl_port *base, const struct pl_memory_key *key)
{
    struct pl_verbs_port *port = (struct pl_verbs_port *)base;
    if (key->word[0] & REGISTERED)
        pl_registration_put(&port->registrations, (struct pl_registration *)(uintptr_t)key->word[1]);
}

bool pl_verbs_reaches(struct pl_endpoint *endpoint)
{
    (void)endpoint;
    return true;
}

/* Posts what is next of one. False: there is no room. */
static bool post_next(struct pl_verbs_peer *peer, struct pl_verbs_reach *reach)
{
    if (!pl_verbs_work_room(peer))
        return false;
    size_t length = reach->left < LONGEST ? reach->left : LONGEST;
    struct ibv_sge place = {(uintptr_t)reach->at, (uint32_t)length, reach->local->region->lkey};
    struct ibv_send_wr request = {.sg_list = &place,
                                  .num_sge = 1,
                                  .opcode = reach->put ? IBV_WR_RDMA_WRITE : IBV_WR_RDMA_READ,
                                  .send_flags = IBV_SEND_SIGNALED,
                                  .wr.rdma = {reach->remote, reach->key}};
    if (pl_verbs_post(peer, &request, -1, reach))
        return false;
    reach->posted = length;
    return true;
}

void pl_verbs_reach_push(struct pl_verbs_peer *peer)
{
    pl_list_each(node, &peer->reaches)
    {
        struct pl_verbs_reach *reach = pl_container(node, struct pl_verbs_reach, link);
        if (!reach->posted && !post_next(peer, reach))
            return;
    }
    peer->reaches_wait = false;
}

int pl_verbs_reach_done(struct pl_verbs_peer *peer, struct pl_verbs_reach *reach, int status)
{
    struct pl_operation *operation = reach->operation;
    if (!status) {
        reach->at += reach->posted;
        reach->remote += reach->posted;
        reach->left -= reach->posted;
        reach->posted = 0;
        if (reach->left) {
            peer->reaches_wait = true;
            pl_verbs_wait(peer);
            return 0;
        }
    }
    pl_list_remove(&reach->link);
    pl_registration_put(&pl_verbs_port_of(peer)->registrations, reach->local);
    free(reach);
    operation->done(operation, status);
    return 1;
}

static int begin(struct pl_endpoint *endpoint, bool put, void *local, uint64_t remote,
                 const struct pl_memory_key *key, size_t length, struct pl_operation *operation)
{
    struct pl_verbs_peer *peer = (struct pl_verbs_peer *)endpoint;
    if (!length)
        return 0;
    if (!(key->word[0] & REGISTERED))
        return pl_fail(PL_EUNSUPPORTED, "verbs: the memory of rank %d is not registered", endpoint->peer);
    if (peer->error || peer->state >= PL_VERBS_LEFT || !peer->connected)
        return pl_fail(PL_EPEER, "the way to rank %d is lost", endpoint->peer);
    struct pl_verbs_reach *reach = calloc(1, sizeof *reach);
    if (!reach)
        return pl_fail(PL_ENOMEM, "verbs: no memory to reach %zu bytes of rank %d", length, endpoint->peer);
    *reach = (struct pl_verbs_reach){.operation = operation,
                                     .local = registration(pl_verbs_port_of(peer), local, length, !put),
                                     .at = local,
                                     .remote = remote,
                                     .key = (uint32_t)key->word[0],
                                     .left = length,
                                     .put = put};
    if (!reach->local) {
        free(reach);
        return PL_EUNSUPPORTED;
    }
    pl_list_append(&peer->reaches, &reach->link);
    if (peer->state < PL_VERBS_UP)
        pl_verbs_call(peer);
    if (peer->state == PL_VERBS_UP && !peer->reaches_wait && post_next(peer, reach))
        return PL_PENDING;
    peer->reaches_wait = true;
    pl_verbs_wait(peer);
    return PL_PENDING;
}

int pl_verbs_get(struct pl_endpoint *endpoint, void *local, uint64_t remote, const struct pl_memory_key *key,
                 size_t length, struct pl_operation *operation)
{
    return begin(endpoint, false, local, remote, key, length, operation);
}

int pl_verbs_put(struct pl_endpoint *endpoint, const void *local, uint64_t remote,
                 const struct pl_memory_key *key, size_t length, struct pl_operation *operation)
{
    return begin(endpoint, true, (void *)(uintptr_t)local, remote, key, length, operation);
}
