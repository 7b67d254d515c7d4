/* An operation, cut: first by parts, for good, then by servers, as the view has them now.
 *
 *     keys        17   4  99   5  60        parts  2 0 2 1 0
 *     order        1   4 | 3 | 0   2        entries sorted by part (a counting sort: the order of equals
 * stays) pieces      [part 0: 0..1] [part 1: 2] [part 2: 3..4] queue       server A: part 0, part 2   server
 * B: part 1
 *
 * The place of an entry in `order` never changes, and with it its sequence number: whichever server a piece
 * is sent to after a change of view, the part recognises what it has seen. A piece fits a frame; a frame
 * takes as many as fit.
 */
#include "worker.h"

#include "filter.h"

#include <stdlib.h>
#include <string.h>

static size_t entry_bytes(const struct pl_ps_operation *o)
{
    size_t keys = o->keys ? sizeof(uint64_t) : 0;
    bool bare = o->kind == PL_PS_CLOCK || o->kind == PL_PS_CLEAR || o->kind == PL_PS_DUMP;
    size_t values = bare ? 0 : pl_ps_encoded(o->encoding, o->floats);
    return keys + values;
}

static size_t entries_at_most(const struct pl_ps_operation *o)
{
    size_t room = PL_PS_FRAME - sizeof(struct pl_ps_header) - sizeof(struct pl_ps_run), each = entry_bytes(o);
    return each ? room / each : room;
}

static bool add_piece(struct pl_ps_operation *o, uint32_t *room, uint32_t position, uint32_t count, int part)
{
    if (o->piece_count == *room) {
        uint32_t more = *room ? 2 * *room : 64;
        struct pl_ps_piece *pieces = realloc(o->pieces, more * sizeof *pieces);
        if (!pieces)
            return false;
        o->pieces = pieces;
        *room = more;
    }
    o->pieces[o->piece_count++] =
        (struct pl_ps_piece){.position = position, .count = count, .part = (uint16_t)part};
    return true;
}

/* Blocks of a range, each in one part. */
static bool split_range(struct peal_ps *ps, struct pl_ps_operation *o, uint32_t *room)
{
    const struct pl_ps_table *table = &ps->tables[o->table];
    uint64_t size = UINT64_C(1) << table->block_shift;
    size_t most = entries_at_most(o);
    for (size_t at = 0, count; at < o->n; at += count) {
        uint64_t key = o->first + at, left = size - (key & (size - 1));
        count = o->n - at < left ? o->n - at : (size_t)left;
        count = count < most ? count : most;
        if (!add_piece(o, room, (uint32_t)at, (uint32_t)count, pl_ps_part(table, ps->part_shift, key)))
            return false;
    }
    return true;
}

static bool split_list(struct peal_ps *ps, struct pl_ps_operation *o, uint32_t *room)
{
    const struct pl_ps_table *table = &ps->tables[o->table];
    uint32_t starts[PL_PS_PARTS_MAX + 1] = {0}, most = (uint32_t)entries_at_most(o);
    int parts = ps->view->parts;
    uint16_t *part = malloc((o->n ? o->n : 1) * sizeof *part);
    o->order = malloc((o->n ? o->n : 1) * sizeof *o->order);
    bool enough = part && o->order;
    for (size_t i = 0; enough && i < o->n; i++) {
        part[i] = (uint16_t)pl_ps_part(table, ps->part_shift, o->keys[i]);
        starts[part[i] + 1]++;
    }
    for (int p = 0; enough && p < parts; p++) {
        for (uint32_t at = 0, count; enough && at < starts[p + 1]; at += count) {
            count = starts[p + 1] - at < most ? starts[p + 1] - at : most;
            enough = add_piece(o, room, starts[p] + at, count, p);
        }
        starts[p + 1] += starts[p];
    }
    for (size_t i = 0; enough && i < o->n; i++)
        o->order[starts[part[i]]++] = (uint32_t)i;
    free(part);
    return enough;
}

int pl_ps_own_updates(struct peal_ps *ps, struct pl_ps_operation *push)
{
    size_t bytes = push->n * push->floats * sizeof *push->own;
    push->own = malloc(bytes ? bytes : 1);
    if (!push->own)
        return pl_ps_fail(ps, MPI_ERR_NO_MEM, "no memory for the updates of %zu keys", push->n);
    push->in = memcpy(push->own, push->in, bytes);
    return MPI_SUCCESS;
}

int pl_ps_split(struct peal_ps *ps, struct pl_ps_operation *o)
{
    uint32_t room = 0;
    bool enough = true;
    if (o->kind == PL_PS_CLOCK || o->kind == PL_PS_CLEAR)
        for (int p = 0; enough && p < ps->view->parts; p++)
            enough = add_piece(o, &room, (uint32_t)p, 1, p);
    else if (o->kind == PL_PS_DUMP)
        enough = add_piece(o, &room, 0, 0, (int)o->n); /* n: the part; first: where to go on */
    else
        enough = o->keys ? split_list(ps, o, &room) : split_range(ps, o, &room);
    size_t servers = (size_t)ps->servers;
    o->queue = malloc((o->piece_count ? o->piece_count : 1) * sizeof *o->queue);
    o->at = calloc(2 * servers, sizeof *o->at);
    if (!enough || !o->queue || !o->at)
        return pl_ps_fail(ps, MPI_ERR_NO_MEM, "no memory for an operation on %zu keys", o->n);
    o->end = o->at + servers;
    o->left = o->piece_count;
    return MPI_SUCCESS;
}

void pl_ps_assign(struct peal_ps *ps, struct pl_ps_operation *o)
{
    uint32_t starts[PL_PS_SERVERS_MAX + 1] = {0};
    for (uint32_t i = 0; i < o->piece_count; i++) {
        int head = pl_ps_head(ps->view, o->pieces[i].part);
        if (!o->pieces[i].done && head >= 0)
            starts[head + 1]++;
    }
    for (int s = 0; s < ps->servers; s++) {
        starts[s + 1] += starts[s];
        o->at[s] = starts[s];
        o->end[s] = starts[s + 1];
    }
    for (uint32_t i = 0; i < o->piece_count; i++) {
        int head = pl_ps_head(ps->view, o->pieces[i].part);
        if (!o->pieces[i].done && head >= 0)
            o->queue[starts[head]++] = i;
    }
}

static uint32_t entry_of(const struct pl_ps_operation *o, uint32_t position)
{
    return o->order ? o->order[position] : position;
}

/* How many of the pieces from `from` on fit into a frame, and how many entries they have. */
static uint32_t how_many(const struct pl_ps_operation *o, uint32_t from, uint32_t end, uint32_t *entries)
{
    size_t room = PL_PS_FRAME - sizeof(struct pl_ps_header), each = entry_bytes(o);
    uint32_t to = from;
    *entries = 0;
    while (to < end) {
        uint32_t count = o->pieces[o->queue[to]].count;
        size_t bytes = sizeof(struct pl_ps_run) + count * each;
        if (bytes > room)
            break;
        room -= bytes;
        *entries += count;
        to++;
    }
    return to;
}

static void fill_values(const struct pl_ps_operation *o, const struct pl_ps_piece *piece,
                        unsigned char *values, size_t entry)
{
    if (!o->order) {
        pl_ps_encode(o->encoding, o->in + piece->position * o->floats, piece->count * o->floats, o->scale,
                     values);
        return;
    }
    for (uint32_t j = 0; j < piece->count; j++)
        pl_ps_encode(o->encoding, o->in + o->order[piece->position + j] * o->floats, o->floats, o->scale,
                     values + j * entry);
}

struct pl_ps_frame *pl_ps_fill(struct peal_ps *ps, struct pl_ps_operation *o, int server, uint32_t *to)
{
    uint32_t entries, from = o->at[server];
    *to = how_many(o, from, o->end[server], &entries);
    bool values = o->kind == PL_PS_PUSH || o->kind == PL_PS_RESTORE;
    size_t runs = *to - from, entry = values ? pl_ps_encoded(o->encoding, o->floats) : 0;
    size_t keys = o->keys ? entries * sizeof(uint64_t) : 0;
    struct pl_ps_frame *frame = pl_ps_frame_create(
        &ps->pool, sizeof(struct pl_ps_header) + runs * sizeof(struct pl_ps_run) + keys + entries * entry);
    if (!frame)
        return NULL;
    struct pl_ps_header *header = pl_ps_header_of(frame);
    struct pl_ps_run *run = (struct pl_ps_run *)(header + 1);
    uint64_t *key = (uint64_t *)(run + runs);
    unsigned char *value = (unsigned char *)key + keys;
    *header = (struct pl_ps_header){.kind = (uint8_t)o->kind,
                                    .table = (uint8_t)o->table,
                                    .encoding = (uint8_t)o->encoding,
                                    .flags = o->keys ? 0 : PL_PS_DENSE,
                                    .origin = (uint16_t)ps->my_worker,
                                    .runs = (uint16_t)runs,
                                    .epoch = ps->view->epoch,
                                    .base = o->base,
                                    .clock = o->clock,
                                    .entries = entries,
                                    .scale = o->scale};
    for (uint32_t i = from; i < *to; i++, run++) {
        const struct pl_ps_piece *piece = &o->pieces[o->queue[i]];
        *run = (struct pl_ps_run){.key = o->keys ? 0 : o->first + piece->position,
                                  .position = piece->position,
                                  .count = piece->count,
                                  .part = piece->part};
        for (uint32_t j = 0; o->keys && j < piece->count; j++)
            *key++ = o->keys[entry_of(o, piece->position + j)];
        if (values)
            fill_values(o, piece, value, entry);
        value += piece->count * entry;
    }
    return frame;
}

void pl_ps_scatter(struct peal_ps *ps, struct pl_ps_operation *o, uint32_t from, uint32_t to,
                   const struct pl_ps_frame *frame)
{
    const struct pl_ps_header *header = (const struct pl_ps_header *)frame->bytes;
    size_t entry = pl_ps_encoded(header->encoding, o->floats), entries = 0;
    const unsigned char *values = frame->bytes + sizeof *header;
    for (uint32_t i = from; i < to; i++)
        entries += o->pieces[o->queue[i]].count;
    if (header->encoding > PL_PS_FLOAT16 || frame->length != sizeof *header + entries * entry)
        return;
    for (uint32_t i = from; i < to; i++) {
        const struct pl_ps_piece *piece = &o->pieces[o->queue[i]];
        for (uint32_t j = 0, n; j < piece->count; j += n, values += n * entry) {
            n = o->order ? 1 : piece->count;
            float *out = o->out + (size_t)entry_of(o, piece->position + j) * o->floats;
            const float *read = pl_ps_decode(header->encoding, values, n * o->floats, 0, out);
            if (read != out)
                memcpy(out, read, n * o->floats * sizeof *out);
        }
    }
}
