/* Chain replication: what a server has applied it passes on to the next, and acknowledges when the last has
 * it.
 *
 *     worker        head            middle          tail
 *       | PUSH 7      |               |               |
 *       |------------>| apply         |               |
 *       |             |-------------->| apply         |
 *       |             |               |-------------->| apply; nobody comes after
 *       |             |               |<----- ACK ----|
 *       |             |<----- ACK ----|               |
 *       |<--- ACK 7 --|               |               |
 *
 * Each keeps a frame until it is acknowledged. When the view changes, each passes on again all that it keeps,
 * in order, to whoever comes after it now, and workers send again all that was not acknowledged; the sequence
 * numbers make the second time harmless (shard.c). So nobody needs to know how far a frame had come when a
 * server died. A frame whose parts go down different chains is passed on in as many pieces, and waits for all
 * of them.
 *
 * k copies cost k - 1 more hops of alpha + n beta, each on another server's link; the head's own link carries
 * a frame once in and once out. R. van Renesse, F. Schneider, 2004; M. Li et al., "Scaling distributed
 * machine learning with the parameter server", 2014 (section 4.3).
 */
#include "server.h"

#include <stdlib.h>
#include <string.h>

enum { RUNS_AT_ONCE = 4096, SMALL = 16 * 1024 };

/* Who must get what this server has of the part: a rank, or -1. */
static int successor(const struct peal_ps *ps, int part)
{
    const struct pl_ps_chain *chain = &ps->view->chains[part];
    int at = pl_ps_chain_find(chain, ps->my_server);
    if (at < 0 || at + 1 >= chain->length)
        return -1;
    if (at + 1 >= chain->synced && !ps->server->shards[part].given)
        return -1; /* the copy it gets will have this in it */
    return pl_ps_rank_of_server(ps, chain->server[at + 1]);
}

static void send_piece(struct peal_ps *ps, int rank, uint64_t id, struct pl_ps_frame *frame)
{
    struct pl_ps_header *header = pl_ps_header_of(frame);
    header->epoch = ps->view->epoch;
    header->id = id;
    pl_ps_send(ps, rank, frame);
}

static size_t floats_of(const struct peal_ps *ps, const struct pl_ps_header *header)
{
    if (header->kind == PL_PS_PUSH)
        return (size_t)ps->tables[header->table].width;
    return header->kind == PL_PS_RESTORE ? (size_t)ps->tables[header->table].row : 0;
}

/* Sends the runs of a frame to whom they belong; returns to how many ranks. `reuse`: the frame itself may go.
 */
static int pass(struct peal_ps *ps, struct pl_ps_frame *frame, uint64_t id, bool reuse)
{
    struct pl_ps_sections sections;
    int to[RUNS_AT_ONCE], first = -1, pieces = 0;
    bool wanted[RUNS_AT_ONCE], alike = true;
    if (!pl_ps_frame_read(frame, floats_of(ps, pl_ps_header_of(frame)), ps->view->parts, &sections) ||
        sections.header->runs > RUNS_AT_ONCE)
        return 0;
    int runs = sections.header->runs;
    for (int r = 0; r < runs; r++) {
        to[r] = successor(ps, sections.runs[r].part);
        alike = alike && to[r] == to[0];
        first = to[r] >= 0 && first < 0 ? r : first;
    }
    if (first < 0)
        return 0;
    if (alike && reuse) {
        send_piece(ps, to[0], id, frame);
        return 1;
    }
    for (int r = first; r < runs; r++) {
        int rank = to[r];
        if (rank < 0)
            continue;
        for (int i = 0; i < runs; i++) {
            wanted[i] = to[i] == rank;
            to[i] = wanted[i] ? -1 : to[i];
        }
        struct pl_ps_frame *piece = pl_ps_frame_extract(&ps->pool, &sections, wanted);
        if (!piece)
            continue;
        send_piece(ps, rank, id, piece);
        pl_ps_frame_release(&ps->pool, piece);
        pieces++;
    }
    return pieces;
}

/* A small frame need not keep the large buffer it came in. */
static struct pl_ps_frame *keep(struct peal_ps *ps, struct pl_ps_frame *frame)
{
    struct pl_ps_frame *copy =
        frame->whole && frame->length <= SMALL ? pl_ps_frame_create(&ps->pool, frame->length) : NULL;
    if (copy) {
        memcpy(copy->bytes, frame->bytes, frame->length);
        return copy;
    }
    frame->references++;
    return frame;
}

static void forget(struct peal_ps *ps, struct pl_ps_pending *pending)
{
    struct pl_ps_server *server = ps->server;
    *(pending->before ? &pending->before->next : &server->first) = pending->next;
    *(pending->next ? &pending->next->before : &server->last) = pending->before;
    pl_ps_frame_release(&ps->pool, pending->frame);
    free(pending);
}

static void append(struct pl_ps_server *server, struct pl_ps_pending *pending)
{
    pending->before = server->last;
    *(server->last ? &server->last->next : &server->first) = pending;
    server->last = pending;
}

void pl_ps_chain_pass(struct peal_ps *ps, int rank, uint64_t id, struct pl_ps_frame *frame)
{
    struct pl_ps_frame *kept = keep(ps, frame);
    uint64_t passed = ++ps->server->passed | pl_ps_chain_bit;
    int waiting = pass(ps, kept, passed, true);
    struct pl_ps_pending *pending = waiting ? malloc(sizeof *pending) : NULL;
    if (!pending) {
        if (!waiting)
            pl_ps_server_safe(ps, rank, id, frame);
        pl_ps_frame_release(&ps->pool, kept);
        return;
    }
    *pending =
        (struct pl_ps_pending){.frame = kept, .rank = rank, .id = id, .passed = passed, .waiting = waiting};
    append(ps->server, pending);
}

void pl_ps_chain_acknowledged(struct peal_ps *ps, uint64_t id)
{
    struct pl_ps_pending *pending = ps->server->first;
    while (pending && pending->passed != id)
        pending = pending->next;
    if (!pending || --pending->waiting)
        return;
    pl_ps_server_safe(ps, pending->rank, pending->id, pending->frame);
    forget(ps, pending);
}

void pl_ps_chain_again(struct peal_ps *ps)
{
    struct pl_ps_pending *next;
    for (struct pl_ps_pending *pending = ps->server->first; pending; pending = next) {
        next = pending->next;
        pending->rank = -1; /* who sent it sends it again, and that is what will be acknowledged */
        pending->passed = ++ps->server->passed | pl_ps_chain_bit;
        pending->waiting = pass(ps, pending->frame, pending->passed, false);
        ps->stats.resent += (uint64_t)pending->waiting;
        if (!pending->waiting)
            forget(ps, pending);
    }
}

void pl_ps_chain_finish(struct peal_ps *ps)
{
    while (ps->server->first)
        forget(ps, ps->server->first);
}
