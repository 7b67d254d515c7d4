/* Copies of whole parts: for a server that joins a chain, and for snapshots.
 *
 * The last server of a chain gives the one after it a part in one go: its rows, the sums of clocks that have
 * not ended, and last what it knows of the workers (META). From then on it passes on what comes, on the same
 * link, so the new server sees the copy and then every update after it, none twice and none too early.
 * Before, updates end at the last one as if there were no new server: nobody waits for a copy.
 *
 *     B  ---- rows of part 7 ---- rows ---- META 7 ---- PUSH (7) ---- rows of part 9 ---- ...  --->  D joins
 *
 * One part at a time, and the next only when the link has let go of most: traffic goes on between them, and a
 * part is small against the whole (ring.c).
 */
#include "server.h"

#include <string.h>

enum { IN_FLIGHT = 8 };

struct packing {
    struct pl_ps_frame *frame;
    struct pl_ps_header *header;
    struct pl_ps_run *runs;
};

/* How many blocks of the table fit into one frame. */
static uint32_t blocks_at_once(const struct pl_ps_table *table)
{
    size_t room = PL_PS_FRAME - sizeof(struct pl_ps_header) - sizeof(struct pl_ps_run);
    size_t block = ((size_t)table->row << table->block_shift) * sizeof(float);
    size_t each = block + (table->is.range ? sizeof(struct pl_ps_run) : sizeof(uint64_t));
    return (uint32_t)(room / each);
}

/* A frame with the rows of blocks [from, from + n) of a store: one run of keys, or a dense run a block. NULL:
 * no memory. */
static struct pl_ps_frame *pack(struct peal_ps *ps, const struct pl_ps_table *table,
                                const struct pl_ps_store *store, int part, uint32_t from, uint32_t n)
{
    bool dense = table->is.range != 0;
    size_t runs = dense ? n : 1, entries = 0, row = (size_t)table->row;
    for (uint32_t i = from; i < from + n; i++)
        entries += pl_ps_block_keys(table, store->blocks[i]);
    size_t keys = dense ? 0 : entries * sizeof(uint64_t);
    struct pl_ps_frame *frame =
        pl_ps_frame_create(&ps->pool, sizeof(struct pl_ps_header) + runs * sizeof(struct pl_ps_run) + keys +
                                          entries * row * sizeof(float));
    if (!frame)
        return NULL;
    struct pl_ps_header *header = pl_ps_header_of(frame);
    struct pl_ps_run *run = (struct pl_ps_run *)(header + 1);
    uint64_t *key = (uint64_t *)(run + runs);
    float *values = (float *)((unsigned char *)key + keys);
    *header = (struct pl_ps_header){.flags = dense ? PL_PS_DENSE : 0,
                                    .origin = PL_PS_NOBODY,
                                    .runs = (uint16_t)runs,
                                    .epoch = ps->view->epoch,
                                    .entries = (uint32_t)entries};
    if (!dense)
        *run = (struct pl_ps_run){.part = (uint16_t)part, .count = (uint32_t)entries};
    for (uint32_t i = 0; i < n; i++) {
        const float *block = pl_ps_store_at(store, table, from + i);
        uint64_t first = store->blocks[from + i] << table->block_shift;
        size_t count = pl_ps_block_keys(table, store->blocks[from + i]);
        if (dense)
            run[i] = (struct pl_ps_run){.key = first, .count = (uint32_t)count, .part = (uint16_t)part};
        else
            key[i] = first;
        for (size_t j = 0; j < count; j++, values += row)
            pl_ps_row_get(table, block, first + j, values);
    }
    return frame;
}

/* All rows of a store, to a server. */
static void give_store(struct peal_ps *ps, int rank, int t, const struct pl_ps_table *table,
                       const struct pl_ps_store *store, int part, const struct pl_ps_sum *sum)
{
    uint32_t most = blocks_at_once(table);
    for (uint32_t from = 0, n; from < store->count; from += n) {
        n = store->count - from < most ? store->count - from : most;
        struct pl_ps_frame *frame = pack(ps, table, store, part, from, n);
        if (!frame)
            return;
        struct pl_ps_header *header = pl_ps_header_of(frame);
        header->kind = PL_PS_ROWS;
        header->table = (uint8_t)t;
        header->flags |= sum ? PL_PS_PENDING : 0;
        header->clock = sum ? sum->clock : 0;
        pl_ps_send(ps, rank, frame);
        pl_ps_frame_release(&ps->pool, frame);
    }
}

static void give_meta(struct peal_ps *ps, int rank, int part)
{
    const struct pl_ps_shard *shard = &ps->server->shards[part];
    size_t workers = (size_t)ps->workers, numbers = workers * sizeof *shard->next;
    size_t head = sizeof(struct pl_ps_header) + sizeof(struct pl_ps_run);
    struct pl_ps_frame *frame =
        pl_ps_frame_create(&ps->pool, head + numbers + workers * sizeof *shard->clocks);
    if (!frame)
        return;
    struct pl_ps_header *header = pl_ps_header_of(frame);
    *header = (struct pl_ps_header){
        .kind = PL_PS_META, .runs = 1, .epoch = ps->view->epoch, .clock = shard->applied};
    *(struct pl_ps_run *)(header + 1) = (struct pl_ps_run){.part = (uint16_t)part};
    memcpy(frame->bytes + head, shard->next, numbers);
    memcpy(frame->bytes + head + numbers, shard->clocks, workers * sizeof *shard->clocks);
    pl_ps_send(ps, rank, frame);
    pl_ps_frame_release(&ps->pool, frame);
}

static void give(struct peal_ps *ps, int rank, int part)
{
    struct pl_ps_server *server = ps->server;
    struct pl_ps_shard *shard = &server->shards[part];
    for (int t = 0; t < ps->table_count; t++)
        give_store(ps, rank, t, &ps->tables[t], &shard->stores[t], part, NULL);
    for (const struct pl_ps_sum *sum = shard->sums; sum; sum = sum->next)
        for (int t = 0; t < ps->table_count; t++)
            give_store(ps, rank, t, &server->sums[t], &sum->stores[t], part, sum);
    give_meta(ps, rank, part);
    shard->given = true;
}

/* The rank that this server must give its copy of the part to, or -1. */
static int wants(const struct peal_ps *ps, int part)
{
    const struct pl_ps_shard *shard = &ps->server->shards[part];
    const struct pl_ps_chain *chain = &ps->view->chains[part];
    if (!shard->held || !shard->whole || shard->given || chain->synced == chain->length)
        return -1;
    int next = pl_ps_chain_find(chain, ps->my_server) + 1;
    return next >= chain->synced && next < chain->length ? pl_ps_rank_of_server(ps, chain->server[next]) : -1;
}

static bool all_whole(const struct peal_ps *ps)
{
    for (int p = 0; p < ps->view->parts; p++)
        if (ps->server->shards[p].held && !ps->server->shards[p].whole)
            return false;
    return true;
}

static bool announce(struct peal_ps *ps)
{
    if (ps->server->announced || !pl_ps_view_copying(ps->view) || !all_whole(ps))
        return false;
    ps->server->announced = true;
    pl_ps_send_header(ps, pl_ps_rank_of_server(ps, ps->view->manager), PL_PS_JOINED, 0, 0);
    return true;
}

bool pl_ps_copy_step(struct peal_ps *ps)
{
    bool busy = announce(ps);
    for (int p = 0; p < ps->view->parts; p++) {
        int rank = wants(ps, p);
        if (rank < 0 || pl_ps_sending_to(ps, rank) >= IN_FLIGHT)
            continue;
        give(ps, rank, p);
        busy = true;
    }
    return busy;
}

void pl_ps_copy_rows(struct peal_ps *ps, struct pl_ps_frame *frame)
{
    struct pl_ps_sections sections;
    struct pl_ps_header *header = pl_ps_header_of(frame);
    const struct pl_ps_table *table =
        header->flags & PL_PS_PENDING ? &ps->server->sums[header->table] : &ps->tables[header->table];
    if (!pl_ps_frame_read(frame, (size_t)table->row, ps->view->parts, &sections) || !header->runs)
        return;
    for (int r = 0; r < header->runs; r++) {
        const struct pl_ps_shard *shard = &ps->server->shards[sections.runs[r].part];
        if (!shard->held || shard->whole)
            return;
    }
    pl_ps_shard_put(ps, &sections);
}

void pl_ps_copy_meta(struct peal_ps *ps, struct pl_ps_frame *frame)
{
    size_t workers = (size_t)ps->workers, numbers = workers * sizeof(uint64_t);
    size_t head = sizeof(struct pl_ps_header) + sizeof(struct pl_ps_run);
    if (frame->length != head + numbers + workers * sizeof(uint32_t))
        return;
    const struct pl_ps_run *run = (struct pl_ps_run *)(frame->bytes + sizeof(struct pl_ps_header));
    struct pl_ps_shard *shard = run->part < ps->view->parts ? &ps->server->shards[run->part] : NULL;
    if (!shard || !shard->held || shard->whole)
        return;
    memcpy(shard->next, frame->bytes + head, numbers);
    memcpy(shard->clocks, frame->bytes + head + numbers, workers * sizeof(uint32_t));
    shard->applied = pl_ps_header_of(frame)->clock;
    shard->whole = true;
    pl_ps_shard_slowest(ps, shard);
}

/* One frame of a part for a snapshot; the run's key counts what has been given, ~0 at the end. */
void pl_ps_copy_dump(struct peal_ps *ps, int rank, struct pl_ps_frame *frame)
{
    const struct pl_ps_header *asked = pl_ps_header_of(frame);
    const struct pl_ps_run *run = (const struct pl_ps_run *)(asked + 1);
    if (frame->length != sizeof *asked + sizeof *run || run->part >= ps->view->parts)
        return;
    const struct pl_ps_shard *shard = &ps->server->shards[run->part];
    const struct pl_ps_table *table = &ps->tables[asked->table];
    if (!shard->held || !shard->whole)
        return;
    const struct pl_ps_store *store = &shard->stores[asked->table];
    uint32_t from = (uint32_t)run->key, most = blocks_at_once(table);
    uint32_t left = from < store->count ? store->count - from : 0, n = left < most ? left : most;
    struct pl_ps_frame *answer = pack(ps, table, store, run->part, from, n);
    if (!answer)
        return;
    struct pl_ps_header *header = pl_ps_header_of(answer);
    header->kind = PL_PS_DUMPED;
    header->table = asked->table;
    header->id = asked->id;
    header->base = n < left ? from + n : UINT64_MAX;
    pl_ps_send(ps, rank, answer);
    pl_ps_frame_release(&ps->pool, answer);
}
