/* What a server does with each frame.
 *
 * A PUSH, RESTORE or CLOCK from a worker is for the head of its parts; the same frame then comes down the
 * chain from server to server. Everybody does the same with it: apply, pass on. A PULL is for the head alone,
 * so that a worker sees its own pushes (same link, same order) without waiting for the chain. Only what must
 * wait for other workers is put aside (parked): pulls that would be too far ahead, and the answer to CLOCK.
 *
 * When a clock ends in synchronous mode is the head's decision, and the others are told in the stream
 * (APPLY): each deciding alone might decide at another place in it after a worker's death.
 */
#include "server.h"

#include "filter.h"

#include <stdlib.h>
#include <string.h>

int pl_ps_server_create(struct peal_ps *ps)
{
    struct pl_ps_server *server = calloc(1, sizeof *server);
    if (!server)
        return MPI_ERR_NO_MEM;
    ps->server = server;
    server->shards = calloc(ps->view->parts, sizeof *server->shards);
    server->scratch = malloc(PL_PS_FRAME * sizeof *server->scratch);
    if (!server->shards || !server->scratch)
        return MPI_ERR_NO_MEM;
    for (int t = 0; t < ps->table_count; t++) {
        server->sums[t] = ps->tables[t];
        server->sums[t].states = 1;
        server->sums[t].row = 2 * ps->tables[t].width;
    }
    for (int p = 0; p < ps->view->parts; p++)
        if (pl_ps_chain_find(&ps->view->chains[p], ps->my_server) >= 0) {
            if (!pl_ps_shard_open(ps, &server->shards[p]))
                return MPI_ERR_NO_MEM;
            server->shards[p].whole = true;
        }
    return MPI_SUCCESS;
}

static void drop_parked(struct peal_ps *ps)
{
    while (ps->server->parked) {
        struct pl_ps_parked *parked = ps->server->parked;
        ps->server->parked = parked->next;
        pl_ps_frame_release(&ps->pool, parked->frame);
        free(parked);
    }
}

void pl_ps_server_destroy(struct peal_ps *ps)
{
    struct pl_ps_server *server = ps->server;
    if (!server)
        return;
    pl_ps_chain_finish(ps);
    drop_parked(ps);
    for (int p = 0; server->shards && p < ps->view->parts; p++)
        pl_ps_shard_close(ps, &server->shards[p]);
    free(server->shards);
    free(server->scratch);
    free(server);
    ps->server = NULL;
}

/* ---- answers ---- */

/* How far a part is, for one who waits for `clock`: pulls at it, or the end of the clock before it. */
static bool far_enough(const struct peal_ps *ps, const struct pl_ps_shard *shard, uint32_t clock)
{
    switch (ps->options.mode) {
    case PEAL_PS_SYNC:
        return shard->applied >= clock;
    case PEAL_PS_BOUNDED:
        return (uint64_t)shard->slowest + (uint64_t)ps->options.staleness >= clock;
    default:
        return true;
    }
}

static void read_values(struct peal_ps *ps, const struct pl_ps_sections *pull, const struct pl_ps_run *run,
                        size_t at, int encoding, unsigned char *out)
{
    const struct pl_ps_header *header = pull->header;
    const struct pl_ps_table *table = &ps->tables[header->table];
    const struct pl_ps_store *store = &ps->server->shards[run->part].stores[header->table];
    size_t width = (size_t)table->width, entry = pl_ps_encoded(encoding, width);
    for (size_t i = 0, n; i < run->count; i += n, out += n * entry) {
        uint64_t key = pull->keys ? pull->keys[at + i] : run->key + i;
        uint64_t left =
            (UINT64_C(1) << table->block_shift) - (key & ((UINT64_C(1) << table->block_shift) - 1));
        const float *block = pl_ps_store_find(store, table, pl_ps_block(table, key));
        n = pull->keys ? 1 : run->count - i < left ? run->count - i : (size_t)left;
        const float *values = block ? block + pl_ps_offset(table, key) : ps->server->scratch;
        for (size_t j = 0; !block && j < n; j++)
            pl_ps_initial(table, key + j, ps->server->scratch + j * width);
        pl_ps_encode(encoding, values, n * width, 0, out);
    }
}

static void answer_pull(struct peal_ps *ps, int rank, const struct pl_ps_sections *pull)
{
    const struct pl_ps_header *asked = pull->header;
    size_t entry = pl_ps_encoded(asked->encoding, (size_t)ps->tables[asked->table].width), at = 0;
    struct pl_ps_frame *frame = pl_ps_frame_create(&ps->pool, sizeof *asked + asked->entries * entry);
    if (!frame)
        return;
    struct pl_ps_header *header = pl_ps_header_of(frame);
    *header = (struct pl_ps_header){.kind = PL_PS_VALUES,
                                    .encoding = asked->encoding,
                                    .table = asked->table,
                                    .origin = PL_PS_NOBODY,
                                    .epoch = ps->view->epoch,
                                    .id = asked->id,
                                    .clock = UINT32_MAX,
                                    .entries = asked->entries};
    for (int r = 0; r < asked->runs; r++) {
        const struct pl_ps_run *run = &pull->runs[r];
        const struct pl_ps_shard *shard = &ps->server->shards[run->part];
        uint32_t seen = ps->options.mode == PEAL_PS_SYNC ? shard->applied : shard->slowest;
        read_values(ps, pull, run, at, asked->encoding, (unsigned char *)(header + 1) + at * entry);
        header->clock = seen < header->clock ? seen : header->clock;
        at += run->count;
    }
    pl_ps_send(ps, rank, frame);
    pl_ps_frame_release(&ps->pool, frame);
}

/* Answers a PULL, or the CLOCK that the chain has; false: its time has not come. */
static bool answer(struct peal_ps *ps, int rank, uint64_t id, struct pl_ps_frame *frame)
{
    struct pl_ps_sections sections;
    struct pl_ps_header *header = pl_ps_header_of(frame);
    uint8_t encoding = header->encoding;
    header->encoding = PL_PS_FLOAT32; /* a PULL has no values: it is the answer's */
    bool sense = pl_ps_frame_read(frame, 0, ps->view->parts, &sections);
    header->encoding = encoding;
    for (int r = 0; sense && r < header->runs; r++) {
        const struct pl_ps_shard *shard = &ps->server->shards[sections.runs[r].part];
        if (!shard->held || !shard->whole)
            return true;
        if (!far_enough(ps, shard, header->clock))
            return false;
    }
    if (sense && header->kind == PL_PS_PULL)
        answer_pull(ps, rank, &sections);
    else if (sense)
        pl_ps_send_header(ps, rank, PL_PS_ACK, id, 0);
    return true;
}

static void park(struct peal_ps *ps, int rank, uint64_t id, struct pl_ps_frame *frame)
{
    struct pl_ps_parked *parked = malloc(sizeof *parked), **last = &ps->server->parked;
    struct pl_ps_frame *copy = parked ? pl_ps_frame_create(&ps->pool, frame->length) : NULL;
    if (!copy) {
        free(parked);
        return;
    }
    memcpy(copy->bytes, frame->bytes, frame->length);
    while (*last)
        last = &(*last)->next;
    *parked = (struct pl_ps_parked){NULL, copy, rank, id};
    *last = parked;
}

static bool try_parked(struct peal_ps *ps)
{
    bool busy = false;
    for (struct pl_ps_parked **at = &ps->server->parked; *at;) {
        struct pl_ps_parked *parked = *at;
        if (!answer(ps, parked->rank, parked->id, parked->frame)) {
            at = &parked->next;
            continue;
        }
        *at = parked->next;
        pl_ps_frame_release(&ps->pool, parked->frame);
        free(parked);
        busy = true;
    }
    return busy;
}

void pl_ps_server_safe(struct peal_ps *ps, int rank, uint64_t id, struct pl_ps_frame *frame)
{
    if (rank < 0)
        return;
    bool from_worker = pl_ps_header_of(frame)->kind == PL_PS_CLOCK && !(id & pl_ps_chain_bit);
    if (!from_worker)
        pl_ps_send_header(ps, rank, PL_PS_ACK, id, 0);
    else if (!answer(ps, rank, id, frame))
        park(ps, rank, id, frame);
}

/* ---- frames ---- */

static size_t floats_of(const struct peal_ps *ps, const struct pl_ps_header *header)
{
    if (header->kind == PL_PS_PUSH)
        return (size_t)ps->tables[header->table].width;
    return header->kind == PL_PS_RESTORE ? (size_t)ps->tables[header->table].row : 0;
}

static void apply(struct peal_ps *ps, int rank, struct pl_ps_frame *frame)
{
    struct pl_ps_sections sections;
    struct pl_ps_header *header = pl_ps_header_of(frame);
    size_t at = 0;
    bool ended = header->kind == PL_PS_APPLY, sense = ended || header->origin < ps->workers;
    if (!sense || !pl_ps_frame_read(frame, floats_of(ps, header), ps->view->parts, &sections))
        return;
    for (int r = 0; r < header->runs; r++)
        if (!ps->server->shards[sections.runs[r].part].held)
            return;
    for (int r = 0; r < header->runs; r++) {
        const struct pl_ps_run *run = &sections.runs[r];
        bool enough = ended ? pl_ps_shard_end_clock(ps, &ps->server->shards[run->part], run->position)
                            : pl_ps_shard_apply(ps, &sections, r, at);
        if (!enough)
            pl_ps_fail(ps, MPI_ERR_NO_MEM, "server %d has no memory for part %d", ps->my_server, run->part);
        at += run->count;
    }
    if (header->kind == PL_PS_CLOCK || ended)
        ps->server->recheck = true;
    pl_ps_chain_pass(ps, rank, header->id, frame);
}

void pl_ps_server_frame(struct peal_ps *ps, int rank, struct pl_ps_frame *frame)
{
    const struct pl_ps_header *header = pl_ps_header_of(frame);
    if (header->table >= ps->table_count)
        return;
    switch (header->kind) {
    case PL_PS_PUSH:
    case PL_PS_RESTORE:
    case PL_PS_CLEAR:
    case PL_PS_CLOCK:
    case PL_PS_APPLY:
        apply(ps, rank, frame);
        break;
    case PL_PS_PULL:
        if (!answer(ps, rank, header->id, frame))
            park(ps, rank, header->id, frame);
        break;
    case PL_PS_DUMP:
        pl_ps_copy_dump(ps, rank, frame);
        break;
    case PL_PS_ROWS:
        pl_ps_copy_rows(ps, frame);
        break;
    case PL_PS_META:
        pl_ps_copy_meta(ps, frame);
        break;
    default:
        break;
    }
}

/* ---- what follows ---- */

/* Ends the clocks that all living workers have ended, in the parts that this server heads. */
static bool end_clocks(struct peal_ps *ps)
{
    struct pl_ps_server *server = ps->server;
    int parts = ps->view->parts, runs = 0;
    if (ps->options.mode != PEAL_PS_SYNC)
        return false;
    struct pl_ps_frame *frame =
        pl_ps_frame_create(&ps->pool, sizeof(struct pl_ps_header) + (size_t)parts * sizeof(struct pl_ps_run));
    if (!frame)
        return false;
    struct pl_ps_header *header = pl_ps_header_of(frame);
    struct pl_ps_run *run = (struct pl_ps_run *)(header + 1);
    for (int p = 0; p < parts; p++) {
        struct pl_ps_shard *shard = &server->shards[p];
        if (pl_ps_head(ps->view, p) != ps->my_server || shard->slowest == UINT32_MAX ||
            shard->slowest <= shard->applied)
            continue;
        run[runs++] = (struct pl_ps_run){.part = (uint16_t)p, .position = shard->applied};
        pl_ps_shard_end_clock(ps, shard, shard->applied);
    }
    *header = (struct pl_ps_header){
        .kind = PL_PS_APPLY, .origin = PL_PS_NOBODY, .runs = (uint16_t)runs, .epoch = ps->view->epoch};
    frame->length = sizeof *header + (size_t)runs * sizeof *run;
    if (runs)
        pl_ps_chain_pass(ps, -1, 0, frame);
    pl_ps_frame_release(&ps->pool, frame);
    return runs > 0;
}

bool pl_ps_server_step(struct peal_ps *ps)
{
    struct pl_ps_server *server = ps->server;
    bool busy = false;
    if (server->recheck) {
        server->recheck = end_clocks(ps);
        busy = try_parked(ps) || server->recheck;
    }
    return pl_ps_copy_step(ps) || busy;
}

void pl_ps_server_install(struct peal_ps *ps, const struct pl_ps_view *old)
{
    struct pl_ps_server *server = ps->server;
    drop_parked(ps);
    for (int p = 0; p < ps->view->parts; p++) {
        struct pl_ps_shard *shard = &server->shards[p];
        int at = pl_ps_chain_find(&ps->view->chains[p], ps->my_server);
        bool synced = at >= 0 && at < ps->view->chains[p].synced;
        if (shard->held && !(synced && shard->whole))
            pl_ps_shard_close(ps, shard);
        if (at >= 0 && !pl_ps_shard_open(ps, shard))
            pl_ps_fail(ps, MPI_ERR_NO_MEM, "server %d has no memory for part %d", ps->my_server, p);
        shard->given = false;
        if (shard->held)
            pl_ps_shard_slowest(ps, shard);
    }
    server->announced = false;
    server->recheck = true;
    pl_ps_chain_again(ps);
}
