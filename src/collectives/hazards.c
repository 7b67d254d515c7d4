/* The scoreboard: which earlier steps must a new step wait for?
 *
 * For each buffer we keep the regions touched so far, sorted and disjoint, each with
 * the step that wrote it last and the steps that have read it since. A new access cuts
 * the regions at its ends and looks at those in between:
 *
 *       0        40       64            128
 *   TMP |--------|--------|-------------|        read [40,128): RAW on 3 and on 5,
 *        writer 3 writer 3 writer 5               and both regions get one more reader
 *                 readers  readers
 *                 7        -                      write [0,64): WAW on 3, WAR on 7,
 *                                                 and one region with writer 9 is left
 *
 * A writer need not wait for the previous writer when somebody has read in between:
 * the reader did, and we wait for the reader. Reader lists are cells that never change,
 * so the two halves of a cut region share their tail.
 *
 * IN is never written, so nothing about it needs to be known. Rejected: comparing with
 * every earlier step (quadratic: an alltoall of 1,000 ranks has 2,000 steps), and a bit
 * per byte or element.
 */
#include "hazards.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool pl_hazards_room(struct pl_builder *b, void *array, size_t *capacity, size_t count, size_t size)
{
    if (count <= *capacity)
        return true;
    size_t wanted = *capacity ? *capacity * 2 : 32;
    void *old, *grown;
    memcpy(&old, array, sizeof old);
    if (wanted < count)
        wanted = count;
    grown = realloc(old, wanted * size);
    if (!grown) {
        pl_builder_no_memory(b);
        return false;
    }
    memcpy(array, &grown, sizeof grown);
    *capacity = wanted;
    return true;
}

void pl_hazards_edge(struct pl_builder *b, uint32_t from, uint32_t to)
{
    if (b->mark[from] == to ||
        !pl_hazards_room(b, &b->edge, &b->edge_capacity, b->edges + 1, sizeof *b->edge))
        return;
    b->mark[from] = to;
    b->edge[b->edges++] = (struct pl_edge){from, to};
    b->needs[to]++;
}

static struct pl_track *track_of(struct pl_builder *b, struct pl_slice slice)
{
    int wanted = slice.space == PL_OUT   ? 0
                 : slice.space == PL_TMP ? 1
                                         : 2 + 3 * slice.peer + (int)(slice.space - PL_PEER_IN);
    if (wanted >= b->tracks) {
        int tracks = wanted < 2 ? 2 : 2 + 3 * b->size;
        struct pl_track *grown = realloc(b->track, (size_t)tracks * sizeof *grown);
        if (!grown) {
            pl_builder_no_memory(b);
            return NULL;
        }
        memset(grown + b->tracks, 0, (size_t)(tracks - b->tracks) * sizeof *grown);
        b->track = grown;
        b->tracks = tracks;
    }
    return &b->track[wanted];
}

/* Puts a region at index i; false: no memory. */
static bool insert(struct pl_builder *b, struct pl_track *track, size_t i, struct pl_region region)
{
    if (!pl_hazards_room(b, &track->region, &track->capacity, track->regions + 1, sizeof region))
        return false;
    memmove(track->region + i + 1, track->region + i, (track->regions - i) * sizeof region);
    track->region[i] = region;
    track->regions++;
    return true;
}

/* Cuts the region that reaches over `at`, if one does. Returns the first region that begins at or after it.
 */
static size_t cut(struct pl_builder *b, struct pl_track *track, size_t at)
{
    size_t low = 0, high = track->regions;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (track->region[middle].end <= at)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == track->regions || track->region[low].begin >= at)
        return low;
    struct pl_region upper = track->region[low];
    upper.begin = at;
    if (insert(b, track, low + 1, upper))
        track->region[low].end = at;
    return low + 1;
}

static void add_reader(struct pl_builder *b, struct pl_region *region, uint32_t step)
{
    if (!pl_hazards_room(b, &b->reader, &b->reader_capacity, b->readers + 1, sizeof *b->reader))
        return;
    b->reader[b->readers] = (struct pl_reader){step, region->readers};
    region->readers = (uint32_t)b->readers++;
}

void pl_hazards_read(struct pl_builder *b, uint32_t step, struct pl_slice slice)
{
    if (slice.space == PL_IN || !slice.length || b->error)
        return;
    struct pl_track *track = track_of(b, slice);
    if (!track)
        return;
    size_t at = slice.offset, end = at + slice.length;
    size_t i = cut(b, track, at);
    cut(b, track, end);
    for (; at < end && !b->error; i++) {
        if (i == track->regions || track->region[i].begin > at) {
            size_t stop = i == track->regions || track->region[i].begin > end ? end : track->region[i].begin;
            if (!insert(b, track, i, (struct pl_region){at, stop, PL_NO_STEP, PL_NO_STEP}))
                return;
        }
        struct pl_region *region = &track->region[i];
        if (region->writer != PL_NO_STEP && !(b->ignore & PL_HAZARD_RAW))
            pl_hazards_edge(b, region->writer, step);
        add_reader(b, region, step);
        at = region->end;
    }
}

void pl_hazards_write(struct pl_builder *b, uint32_t step, struct pl_slice slice)
{
    assert(slice.space != PL_IN);
    if (!slice.length || b->error)
        return;
    struct pl_track *track = track_of(b, slice);
    if (!track)
        return;
    size_t low = cut(b, track, slice.offset), high = cut(b, track, slice.offset + slice.length);
    for (size_t i = low; i < high; i++) {
        const struct pl_region *region = &track->region[i];
        for (uint32_t r = region->readers; r != PL_NO_STEP; r = b->reader[r].next)
            if (b->reader[r].step != step && !(b->ignore & PL_HAZARD_WAR))
                pl_hazards_edge(b, b->reader[r].step, step);
        if (region->writer != PL_NO_STEP && region->readers == PL_NO_STEP && !(b->ignore & PL_HAZARD_WAW))
            pl_hazards_edge(b, region->writer, step);
    }
    struct pl_region whole = {slice.offset, slice.offset + slice.length, step, PL_NO_STEP};
    if (low == high) {
        insert(b, track, low, whole);
        return;
    }
    track->region[low] = whole;
    memmove(track->region + low + 1, track->region + high, (track->regions - high) * sizeof whole);
    track->regions -= high - low - 1;
}

void pl_hazards_finish(struct pl_builder *b)
{
    for (int i = 0; i < b->tracks; i++)
        free(b->track[i].region);
    free(b->track);
}
