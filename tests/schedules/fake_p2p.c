/* See fake_p2p.h. An eager send copies its payload and completes before it returns, which exercises
 * completion inside the starting call. */
#include "fake_p2p.h"

#include "loss.h"

#include "collectives.h"
#include "errors.h"
#include "protocol.h"

#include <stdlib.h>
#include <string.h>

static uint64_t draw(struct fake_world *world)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return world->random * 0x2545f4914f6cdd1dull >> 20;
}

struct fake_world *fake_world_create(int size, uint64_t seed, bool eager)
{
    struct fake_world *world = calloc(1, sizeof *world);
    world->size = size;
    world->random = (seed + 1) * 0x9e3779b97f4a7c15ull | 1;
    world->eager = eager;
    for (int r = 0; r < size; r++) {
        struct pl_comm *comm = calloc(1, sizeof *comm);
        world->rank[r].rank = r;
        world->rank[r].size = size;
        pl_list_init(&world->rank[r].unexpected_all);
        world->rank[r].spin = true;
        world->rank[r].world_state = world;
        world->rank[r].fabric = (struct pl_fabric *)(void *)world; /* a loopback's, never looked into */
        comm->rank = r;
        comm->size = size;
        comm->owner = &world->rank[r];
        comm->hosts = 1;
        comm->references = 1;
        world->comm[r] = comm;
    }
    return world;
}

void fake_world_destroy(struct fake_world *world)
{
    for (int r = 0; r < world->size; r++)
        pl_comm_release(world->comm[r]);
    for (int r = 0; r < world->size; r++)
        pl_collectives_finish(&world->rank[r]);
    free(world);
}

void pl_comm_hold(struct pl_comm *comm)
{
    comm->references++;
}

void pl_comm_release(struct pl_comm *comm)
{
    if (--comm->references)
        return;
    if (comm->collectives_free)
        comm->collectives_free(comm);
    free(comm);
}

static void complete(struct pl_request *request, int error)
{
    request->error = error;
    if (error)
        request->text = strdup(pl_fail_text());
    request->complete = true;
    if (request->completed)
        request->completed(request);
}

static void start(struct pl_request *request, struct pl_comm *comm, int peer, int tag, uint32_t signature)
{
    struct fake_world *world = comm->owner->world_state;
    request->comm = comm;
    request->rank = comm->owner;
    request->complete = request->cancelled = request->matched = false;
    request->error = 0;
    request->text = NULL;
    request->peer = peer;
    request->tag = tag;
    request->signature = signature;
    world->starts++;
}

/* A send that does not need its owner any more. */
static struct pl_request *detach(const struct pl_request *request)
{
    struct pl_request *copy = malloc(sizeof *copy);
    *copy = *request;
    copy->completed = NULL;
    copy->owner = NULL;
    copy->cookie = 1;
    copy->buffer = malloc(request->length + 1);
    if (request->length)
        memcpy(copy->buffer, request->buffer, request->length);
    return copy;
}

void pl_send_start(struct pl_request *request, struct pl_comm *comm, enum pl_channel channel,
                   enum pl_mode mode, const void *buffer, size_t length, int destination, int tag,
                   uint32_t signature)
{
    struct fake_world *world = comm->owner->world_state;
    start(request, comm, destination, tag, signature);
    request->is_send = true;
    request->buffer = (void *)(uintptr_t)buffer;
    request->length = length;
    request->cookie = 0;
    bool eager = world->eager && draw(world) % 2;
    world->send[world->sends++] = eager ? detach(request) : request;
    if (eager)
        complete(request, 0);
}

void pl_recv_start(struct pl_request *request, struct pl_comm *comm, enum pl_channel channel, void *buffer,
                   size_t capacity, int source, int tag, uint32_t signature)
{
    struct fake_world *world = comm->owner->world_state;
    start(request, comm, source, tag, signature);
    request->is_send = false;
    request->buffer = buffer;
    request->capacity = capacity;
    world->recv[world->recvs++] = request;
}

/* Buffers on devices do not come here. */
void pl_send_start_typed(struct pl_request *request, struct pl_comm *comm, enum pl_channel channel,
                         enum pl_mode mode, const void *buffer, size_t length, int destination, int tag,
                         uint32_t signature, const struct pl_datatype *type)
{
    abort();
}

void pl_recv_start_typed(struct pl_request *request, struct pl_comm *comm, enum pl_channel channel,
                         void *buffer, size_t capacity, int source, int tag, uint32_t signature,
                         const struct pl_datatype *type)
{
    abort();
}

static void match(struct fake_world *world, int s, int r)
{
    struct pl_request *send = world->send[s], *recv = world->recv[r];
    int error = 0, recv_error = 0;
    world->send[s] = world->send[--world->sends];
    world->recv[r] = world->recv[--world->recvs];
    if (world->fail_at && --world->fail_at == 0)
        error = recv_error = pl_fail(PL_EPEER, "rank %d died", recv->peer);
    else if (send->signature != recv->signature)
        recv_error = pl_fail(PL_EMISMATCH, "mismatch between %d and %d", recv->peer, send->peer);
    recv->length = send->length < recv->capacity ? send->length : recv->capacity;
    recv->matched = true;
    if (!recv_error && recv->length)
        memcpy(recv->buffer, send->buffer, recv->length);
    bool send_first = draw(world) % 2;
    bool detached = send->cookie;
    if (detached) {
        free(send->buffer);
        free(send);
    }
    if (send_first && !detached)
        complete(send, error);
    complete(recv, recv_error);
    if (!send_first && !detached)
        complete(send, error);
}

int pl_progress(struct pl_rank *rank)
{
    struct fake_world *world = rank->world_state;
    int first = world->recvs ? (int)(draw(world) % (uint64_t)world->recvs) : 0;
    for (int i = 0; i < world->recvs; i++) {
        int r = (first + i) % world->recvs;
        const struct pl_request *recv = world->recv[r];
        for (int s = 0; s < world->sends; s++) {
            const struct pl_request *send = world->send[s];
            if (send->tag == recv->tag && send->peer == recv->comm->rank && send->comm->rank == recv->peer) {
                match(world, s, r);
                return 1;
            }
        }
    }
    return 0;
}

int pl_idle(struct pl_rank *rank, unsigned idle)
{
    return pl_fail(PL_EDEADLOCK, "rank %d waits for nothing that could come", rank->rank);
}

static bool forget(struct pl_request **list, int *count, const struct pl_request *request)
{
    for (int i = 0; i < *count; i++)
        if (list[i] == request) {
            list[i] = list[--*count];
            return true;
        }
    return false;
}

void pl_request_cancel(struct pl_request *request)
{
    struct fake_world *world = request->rank->world_state;
    if (request->complete || !forget(world->recv, &world->recvs, request))
        return;
    world->cancelled++;
    request->cancelled = true;
    complete(request, 0);
}

void pl_request_abandon(struct pl_request *request, int error)
{
    struct fake_world *world = request->rank->world_state;
    if (request->complete)
        return;
    forget(world->recv, &world->recvs, request);
    forget(world->send, &world->sends, request);
    complete(request, error);
}

/* Direct calls and the board need ranks that block at once; they have their own tests. A world with
 * a fabric has no board, and nobody's memory is reached. */
struct pl_endpoint *pl_peer_endpoint(struct pl_rank *rank, int number)
{
    pl_fail(PL_EUNREACHABLE, "rank %d reaches nobody's memory", rank->rank);
    return NULL;
}

/* Nobody sleeps here: one thread plays all ranks. */
bool pl_idle_sleeps(const struct pl_rank *rank, unsigned idle)
{
    return false;
}

void pl_peer_wake(struct pl_rank *rank, int number)
{
}

int pl_comm_check(const struct pl_comm *comm, unsigned ways)
{
    return comm->broken & ways ? PL_EPEER : 0;
}

void pl_comm_break(struct pl_comm *comm, unsigned why, const char *cause)
{
    comm->broken |= why;
}

struct pl_comm *pl_comm_of_context(const struct pl_rank *rank, uint64_t context)
{
    return NULL;
}

int pl_control_send(struct pl_rank *rank, int peer, const struct pl_envelope *envelope, const void *payload,
                    size_t length)
{
    return 0;
}
