/* Links on MPI: for each peer that may send, receives from that very rank, always posted.
 *
 *     peer 3:   [ frame | frame ]   two receives of PL_PS_FRAME bytes; the older one is matched first,
 *     peer 4:   [ frame | frame ]   and is posted again at the end once its frame is dealt with
 *
 * Receives that name their source do two things that a wildcard could not: a frame that must wait for a newer
 * view stops its own link and no other (nothing else is posted there, so its sender is held back by MPI
 * itself), and the death of the peer is the error of that receive, whatever else it was doing. Two are enough
 * to keep a transfer going while the frame before it is dealt with. Cost: a frame of 128 KiB costs alpha +
 * 128 KiB beta and nothing else; memory that was never written to is not there.
 *
 * Every frame of a pair has the same tag, so they stay in order; that is what the chain, the views and the
 * caches of keys build on.
 */
#include "ps.h"

#include <stdlib.h>
#include <string.h>

static bool may_send(const struct peal_ps *ps, int rank)
{
    bool from_server = pl_ps_server_of(ps, rank) >= 0;
    return from_server || ps->my_server >= 0;
}

static int post(struct pl_ps_link *link, MPI_Request *request, int slot)
{
    return MPI_Irecv(link->frames[slot]->bytes, PL_PS_FRAME, MPI_BYTE, link->peer, PL_PS_TAG, link->comm,
                     request);
}

static int open_link(struct peal_ps *ps, int rank, int listener)
{
    struct pl_ps_links *links = &ps->links;
    struct pl_ps_link *link = &links->link[rank];
    int error = 0;
    link->open = true;
    links->listening[listener] = rank;
    for (int i = 0; i < PL_PS_SLOTS && !error; i++) {
        link->frames[i] = pl_ps_frame_create(&ps->pool, PL_PS_FRAME);
        if (!link->frames[i])
            return MPI_ERR_NO_MEM;
        error = post(link, i ? &link->requests[i] : &links->oldest[listener], i);
    }
    return error;
}

int pl_ps_links_open(struct peal_ps *ps)
{
    struct pl_ps_links *links = &ps->links;
    size_t n = (size_t)ps->size;
    links->count = ps->size;
    links->link = calloc(n, sizeof *links->link);
    links->listening = calloc(n, sizeof *links->listening);
    links->oldest = calloc(n, sizeof *links->oldest);
    links->indices = calloc(n, sizeof *links->indices);
    links->statuses = calloc(n, sizeof *links->statuses);
    if (!links->link || !links->listening || !links->oldest || !links->indices || !links->statuses)
        return MPI_ERR_NO_MEM;
    for (int r = 0; r < ps->size; r++) {
        struct pl_ps_link *link = &links->link[r];
        link->rank = r;
        link->peer = ps->alone ? 0 : r;
        link->comm = ps->comm;
        link->dead = ps->alone && r != ps->rank;
        for (int i = 0; i < PL_PS_SLOTS; i++)
            link->requests[i] = MPI_REQUEST_NULL;
    }
    int error = 0;
    for (int r = 0; r < ps->size && !error; r++)
        if (may_send(ps, r) && !links->link[r].dead) {
            links->oldest[links->open++] = MPI_REQUEST_NULL;
            error = open_link(ps, r, links->open - 1);
        }
    return error;
}

static void cancel(MPI_Request *request)
{
    if (*request == MPI_REQUEST_NULL)
        return;
    MPI_Cancel(request);
    MPI_Wait(request, MPI_STATUS_IGNORE);
}

static int listener_of(struct pl_ps_links *links, int rank)
{
    for (int i = 0; i < links->open; i++)
        if (links->listening[i] == rank)
            return i;
    links->oldest[links->open] = MPI_REQUEST_NULL;
    return links->open++;
}

static void forget(struct pl_ps_cache **cache)
{
    if (*cache)
        pl_ps_cache_finish(*cache);
    free(*cache);
    *cache = NULL;
}

int pl_ps_link_renew(struct peal_ps *ps, int rank, MPI_Comm comm, int peer, uint8_t life)
{
    struct pl_ps_links *links = &ps->links;
    struct pl_ps_link *link = &links->link[rank];
    int listener = listener_of(links, rank);
    cancel(&links->oldest[listener]);
    for (int s = 0; s < PL_PS_SLOTS; s++) {
        cancel(&link->requests[s]);
        pl_ps_frame_release(&ps->pool, link->frames[s]);
    }
    forget(&link->in);
    forget(&link->out);
    if (link->comm != ps->comm)
        MPI_Comm_free(&link->comm);
    *link = (struct pl_ps_link){.rank = rank, .comm = comm, .peer = peer, .life = life};
    for (int s = 0; s < PL_PS_SLOTS; s++)
        link->requests[s] = MPI_REQUEST_NULL;
    ps->farewell[rank] = false;
    return open_link(ps, rank, listener);
}

void pl_ps_links_close(struct peal_ps *ps)
{
    struct pl_ps_links *links = &ps->links;
    for (int i = 0; i < links->outgoing; i++)
        MPI_Wait(&links->sending[i], MPI_STATUS_IGNORE);
    for (int i = 0; links->link && i < links->open; i++) {
        cancel(&links->oldest[i]);
        for (int s = 0; s < PL_PS_SLOTS; s++)
            cancel(&links->link[links->listening[i]].requests[s]);
    }
    for (int r = 0; links->link && r < links->count; r++)
        if (links->link[r].comm != ps->comm)
            MPI_Comm_free(&links->link[r].comm);
}

void pl_ps_links_free(struct peal_ps *ps)
{
    struct pl_ps_links *links = &ps->links;
    for (int i = 0; i < links->outgoing; i++)
        pl_ps_frame_release(&ps->pool, links->sent[i]);
    for (int i = 0; links->link && i < links->open; i++)
        for (int s = 0; s < PL_PS_SLOTS; s++)
            pl_ps_frame_release(&ps->pool, links->link[links->listening[i]].frames[s]);
    for (int r = 0; links->link && r < links->count; r++) {
        forget(&links->link[r].in);
        forget(&links->link[r].out);
    }
    free(links->link);
    free(links->listening);
    free(links->oldest);
    free(links->indices);
    free(links->statuses);
    free(links->sending);
    free(links->sent);
    free(links->to);
    free(links->gone);
    memset(links, 0, sizeof *links);
}

/* ---- out ---- */

static bool grow(struct pl_ps_links *links)
{
    int room = links->room ? 2 * links->room : 32;
    MPI_Request *sending = realloc(links->sending, (size_t)room * sizeof *sending);
    if (sending)
        links->sending = sending;
    struct pl_ps_frame **sent = realloc(links->sent, (size_t)room * sizeof *sent);
    if (sent)
        links->sent = sent;
    int *to = realloc(links->to, (size_t)room * sizeof *to);
    if (to)
        links->to = to;
    int *gone = realloc(links->gone, (size_t)room * sizeof *gone);
    if (gone)
        links->gone = gone;
    if (!sending || !sent || !to || !gone)
        return false;
    links->room = room;
    return true;
}

static struct pl_ps_cache *cache_of(struct pl_ps_cache **cache)
{
    if (!*cache)
        *cache = calloc(1, sizeof **cache);
    return *cache;
}

/* The frame as it goes: whole, or without the list of keys that the peer has. A reference to it. */
static struct pl_ps_frame *shorten(struct peal_ps *ps, struct pl_ps_link *link, struct pl_ps_frame *frame)
{
    const struct pl_ps_header *header = pl_ps_header_of(frame);
    bool cached = (header->kind == PL_PS_PUSH || header->kind == PL_PS_PULL) &&
                  (ps->tables[header->table].is.filters & PEAL_PS_CACHE) && cache_of(&link->out);
    if (cached)
        return pl_ps_cache_shorten(link->out, &ps->pool, frame);
    frame->references++;
    return frame;
}

void pl_ps_send(struct peal_ps *ps, int rank, struct pl_ps_frame *whole)
{
    struct pl_ps_links *links = &ps->links;
    struct pl_ps_link *link = &links->link[rank];
    MPI_Request request;
    if (link->dead || (links->outgoing == links->room && !grow(links)))
        return;
    struct pl_ps_frame *frame = shorten(ps, link, whole);
    if (!frame)
        return;
    ps->stats.sent++;
    ps->stats.bytes += frame->length;
    if (MPI_Isend(frame->bytes, (int)frame->length, MPI_BYTE, link->peer, PL_PS_TAG, link->comm, &request)) {
        pl_ps_frame_release(&ps->pool, frame);
        return; /* its receive tells of the death */
    }
    links->sending[links->outgoing] = request;
    links->sent[links->outgoing] = frame;
    links->to[links->outgoing] = rank;
    links->outgoing++;
}

void pl_ps_send_header(struct peal_ps *ps, int rank, enum pl_ps_kind kind, uint64_t id, uint32_t clock)
{
    struct pl_ps_frame *frame = pl_ps_frame_create(&ps->pool, sizeof(struct pl_ps_header));
    if (!frame)
        return;
    *pl_ps_header_of(frame) = (struct pl_ps_header){
        .kind = (uint8_t)kind, .origin = PL_PS_NOBODY, .epoch = ps->view->epoch, .id = id, .clock = clock};
    pl_ps_send(ps, rank, frame);
    pl_ps_frame_release(&ps->pool, frame);
}

int pl_ps_sending_to(const struct peal_ps *ps, int rank)
{
    int n = 0;
    for (int i = 0; i < ps->links.outgoing; i++)
        n += ps->links.to[i] == rank;
    return n;
}

static bool pump_out(struct peal_ps *ps)
{
    struct pl_ps_links *links = &ps->links;
    int kept = 0, before = links->outgoing, done;
    if (!before)
        return false;
    MPI_Testsome(before, links->sending, &done, links->gone, MPI_STATUSES_IGNORE);
    for (int i = 0; i < before; i++) {
        if (links->sending[i] == MPI_REQUEST_NULL) {
            pl_ps_frame_release(&ps->pool, links->sent[i]);
        } else {
            links->sending[kept] = links->sending[i];
            links->sent[kept] = links->sent[i];
            links->to[kept++] = links->to[i];
        }
    }
    links->outgoing = kept;
    return kept < before;
}

/* ---- in ---- */

/* Hands the frame up, with its list of keys. false: it has to wait. */
static bool deal_with(struct peal_ps *ps, struct pl_ps_link *link, struct pl_ps_frame **frame)
{
    if (pl_ps_header_of(*frame)->flags & (PL_PS_KEEP | PL_PS_CACHED)) {
        struct pl_ps_frame *whole =
            cache_of(&link->in) ? pl_ps_cache_restore(link->in, &ps->pool, *frame) : NULL;
        if (!whole)
            return true;
        pl_ps_frame_release(&ps->pool, *frame);
        *frame = whole;
        link->length = whole->length;
    }
    link->stalled = pl_ps_received(ps, link->rank, *frame) == PL_PS_STALL;
    return !link->stalled;
}

/* Deals with the oldest frame of a link, and posts its receive again. false: it has to wait. */
static bool take(struct peal_ps *ps, struct pl_ps_link *link, int listener)
{
    struct pl_ps_frame **frame = &link->frames[link->next];
    (*frame)->length = link->length;
    if (link->length >= sizeof(struct pl_ps_header) && !deal_with(ps, link, frame))
        return false;
    if ((*frame)->references > 1 || !(*frame)->whole) { /* somebody keeps it, or it took another's place */
        struct pl_ps_frame *fresh = pl_ps_frame_create(&ps->pool, PL_PS_FRAME);
        pl_ps_frame_release(&ps->pool, *frame);
        *frame = fresh;
        if (!fresh) {
            pl_ps_lost(ps, link->rank);
            return true;
        }
    }
    int slot = link->next;
    link->next = (slot + 1) % PL_PS_SLOTS;
    ps->links.oldest[listener] = link->requests[link->next];
    link->requests[link->next] = MPI_REQUEST_NULL;
    if (post(link, &link->requests[slot], slot))
        link->requests[slot] = MPI_REQUEST_NULL;
    return true;
}

static void came(struct peal_ps *ps, int listener, const MPI_Status *status)
{
    struct pl_ps_links *links = &ps->links;
    struct pl_ps_link *link = &links->link[links->listening[listener]];
    if (status->MPI_ERROR) {
        if (!link->dead)
            pl_ps_lost(ps, link->rank);
        return;
    }
    int length;
    MPI_Get_count(status, MPI_BYTE, &length);
    link->length = (size_t)length;
    take(ps, link, listener);
}

static bool pump_in(struct peal_ps *ps)
{
    struct pl_ps_links *links = &ps->links;
    int done = 0;
    for (int i = 0; i < links->open; i++)
        links->statuses[i].MPI_ERROR = 0;
    int error = MPI_Testsome(links->open, links->oldest, &done, links->indices, links->statuses);
    if (done == MPI_UNDEFINED || done <= 0)
        return false;
    for (int i = 0; i < done; i++) {
        if (error != MPI_ERR_IN_STATUS)
            links->statuses[i].MPI_ERROR = 0;
        came(ps, links->indices[i], &links->statuses[i]);
    }
    return true;
}

bool pl_ps_links_pump(struct peal_ps *ps)
{
    bool busy = pump_out(ps);
    return pump_in(ps) || busy;
}

bool pl_ps_links_retry(struct peal_ps *ps)
{
    bool busy = false;
    for (int i = 0; i < ps->links.open; i++) {
        struct pl_ps_link *link = &ps->links.link[ps->links.listening[i]];
        if (link->stalled)
            busy = take(ps, link, i) || busy;
    }
    return busy;
}
