/* Tiny collectives: when the board serves, and how a communicator gets and leaves it.
 *
 * The board is made with the communicator's first tiny call: its rank 0 gives
 * memory that all ranks of the host can map and tells where; if one rank cannot map
 * it, none uses it. When the communicator is freed the memory is retired (retire.h).
 */
#include "tiny.h"

#include "errors.h"
#include "rank.h"
#include "retire.h"

#include <stdlib.h>
#include <string.h>

bool pl_tiny_wanted(const struct pl_tiny *tiny, const struct pl_coll_call *call)
{
    const struct pl_comm *comm = call->comm;
    if (comm->size < 2 || comm->size > PL_BOARD_RANKS || comm->hosts > 1 || comm->owner->fabric ||
        comm->owner->config.checksum)
        return false;
    if (tiny->tried && !tiny->board)
        return false;
    return pl_board_serves(call);
}

/* Whether every rank could, 1 or 0. */
static int agree(struct pl_comm *comm, int (*blocking)(const struct pl_coll_call *call), bool mine, bool *all)
{
    unsigned char in = mine, out = 0;
    struct pl_coll_call call = {.collective = PL_ALLREDUCE,
                                .in = &in,
                                .out = &out,
                                .count = 1,
                                .type = pl_datatype_predefined(PL_HANDLE_BYTE),
                                .op = pl_op_predefined(PL_HANDLE_BAND),
                                .comm = comm};
    int error = blocking(&call);
    *all = out;
    return error;
}

static int tell(struct pl_comm *comm, int (*blocking)(const struct pl_coll_call *call), uint64_t *address)
{
    struct pl_coll_call call = {.collective = PL_BCAST,
                                .out = address,
                                .count = sizeof *address,
                                .type = pl_datatype_predefined(PL_HANDLE_BYTE),
                                .comm = comm};
    return blocking(&call);
}

static void *give(struct pl_comm *comm, size_t bytes)
{
    struct pl_port *port = comm->owner->ports[0];
    void *memory = port->transport->alloc(port, bytes);
    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

static void *map(struct pl_comm *comm, uint64_t address, size_t bytes)
{
    struct pl_endpoint *giver = pl_peer_endpoint(comm->owner, comm->group->peers[0]);
    return giver ? giver->transport->map(giver, address, bytes) : NULL;
}

int pl_tiny_open(struct pl_tiny *tiny, struct pl_comm *comm, bool crowded,
                 int (*blocking)(const struct pl_coll_call *call))
{
    if (tiny->tried)
        return 0;
    tiny->tried = true;
    size_t bytes = pl_board_bytes(comm->size, crowded);
    if (!comm->rank)
        tiny->memory = give(comm, bytes);
    uint64_t address = (uintptr_t)tiny->memory;
    int error = tell(comm, blocking, &address);
    if (error)
        return error;
    void *memory = comm->rank && address ? map(comm, address, bytes) : tiny->memory;
    struct pl_board *board = memory ? pl_board_create(comm, memory, crowded) : NULL;
    bool all = false;
    error = agree(comm, blocking, board != NULL, &all);
    if (!error && all)
        tiny->board = board;
    else
        pl_board_destroy(board);
    return error;
}

void pl_tiny_close(struct pl_tiny *tiny, struct pl_comm *comm)
{
    if (!comm->owner->collectives_state) { /* the rank has ended: shared memory is not mapped any more */
        free(tiny->board);
        return;
    }
    pl_board_destroy(tiny->board);
    pl_retire(comm->owner, tiny->memory, tiny->memory ? pl_board_left(tiny->memory) : NULL, comm->size);
}
