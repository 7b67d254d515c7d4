/* Failure: what ends when a peer dies or a communicator is broken, and how the others learn of it.
 *
 * Who sees a death first tells it on, unless everybody hears of it anyway: from the launcher, whose
 * child the dead one was, or from the fabric of an in-process world. News travel over the ranks at the
 * distances 1, 2, 4, ... of the group (over all of them where they are few), and who hears something for the
 * first time tells it on too; so it reaches all the living, though many be dead, in about log2(n) steps:
 *
 *     0 --> 1 --> 2     3 --> 4        n = 8: rank 0 tells 1, 7, 2, 6, 4;
 *       \---------^\----------^        who tell theirs ...
 *
 * A death fails every request that needs the dead rank, and those of collectives on communicators it is a
 * member of, also between two who live: one of them may have given up already. What a transport holds cannot
 * be taken back; it ends by itself, since both sides of it live, or is failed by the transport.
 *
 * A receive from any source is not failed: others may still send (MPI_ERR_PROC_FAILED_PENDING).
 */
#include "loss.h"

#include "agreement.h"
#include "errors.h"
#include "log.h"
#include "protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEW = 32, TEXT = PL_CAUSE };

struct death {
    struct pl_identity who;
    char text[TEXT];
};

struct breaking {
    uint32_t why;
    char text[TEXT];
};

static bool in_group(const struct pl_group *group, int peer)
{
    return pl_group_rank(group, peer) >= 0;
}

/* Whether the peer's death breaks the communicator. */
static bool concerns(const struct pl_comm *comm, int peer)
{
    return in_group(comm->group, peer) || in_group(comm->remote, peer) || in_group(comm->also, peer);
}

static bool is_lost(const struct pl_rank *rank, int peer)
{
    return rank->peers[peer] && rank->peers[peer]->lost;
}

/* ---- telling others ---- */

static void tell(struct pl_rank *rank, int peer, const struct pl_envelope *envelope, const void *payload,
                 size_t length)
{
    if (peer != rank->rank && !is_lost(rank, peer))
        pl_control_send(rank, peer, envelope, payload, length);
}

void pl_spread(struct pl_rank *rank, const struct pl_group *group, const struct pl_envelope *envelope,
               const void *payload, size_t length)
{
    int n = group->size, me = group->rank;
    if (n <= FEW || me < 0) {
        for (int i = 0; i < n; i++)
            tell(rank, group->peers[i], envelope, payload, length);
        return;
    }
    for (int step = 1; step < n; step *= 2) {
        tell(rank, group->peers[(me + step) % n], envelope, payload, length);
        tell(rank, group->peers[(me + n - step) % n], envelope, payload, length);
    }
}

/* Whether all ranks of this world hear of a death without being told by us. */
static bool known_anyway(struct pl_rank *rank, int peer)
{
    return rank->fabric || (peer < rank->size && rank->look && rank->host_of(rank, peer) == rank->host);
}

static void spread_death(struct pl_rank *rank, int peer)
{
    struct death death = {.who = pl_peer_identity(rank, peer)};
    struct pl_envelope envelope = {.kind = PL_KIND_DEATH};
    snprintf(death.text, sizeof death.text, "%s", rank->peers[peer]->cause ? rank->peers[peer]->cause : "");
    pl_list_each(node, &rank->comms)
    {
        const struct pl_comm *comm = pl_container(node, struct pl_comm, link);
        if (comm != rank->world && (comm->handle == 0 || !in_group(comm->target, peer)))
            continue;
        pl_spread(rank, comm->group, &envelope, &death, sizeof death);
        if (comm->remote)
            pl_spread(rank, comm->remote, &envelope, &death, sizeof death);
        if (peer < rank->size)
            return; /* its own world has been told */
    }
}

/* Those of other worlds are told by nobody else. */
static void tell_abroad(struct pl_rank *rank, int peer)
{
    struct death death = {.who = pl_peer_identity(rank, peer)};
    struct pl_envelope envelope = {.kind = PL_KIND_DEATH};
    snprintf(death.text, sizeof death.text, "%s", rank->peers[peer]->cause ? rank->peers[peer]->cause : "");
    for (int i = rank->size; i < rank->npeers; i++)
        if (rank->peers[i] && rank->peers[i]->endpoint)
            tell(rank, i, &envelope, &death, sizeof death);
}

/* ---- requests ---- */

/* What has happened: a death (peer >= 0), or a communicator has broken. */
struct event {
    struct pl_rank *rank;
    int peer;
    const struct pl_comm *comm;
    unsigned why;
    bool end;                               /* or the rank ends, and its ports are closed */
    int (*fail)(const struct event *event); /* sets the text */
};

static unsigned channel_of(const struct pl_request *request)
{
    return request->context & ((1u << PL_CHANNEL_BITS) - 1);
}

static bool needs_comm(const struct event *event, const struct pl_request *request)
{
    const struct pl_comm *comm = event->comm;
    if (request->together == comm)
        return true;
    if (request->comm != comm && (!comm->remote || request->comm != comm->local))
        return false;
    return event->why == PL_BREAK_REVOKED || channel_of(request) == PL_CHANNEL_COLLECTIVE;
}

/* Whether the request can no longer become what it was to be. */
static bool doomed(const struct event *event, const struct pl_request *request)
{
    unsigned channel = channel_of(request);
    if (event->end)
        return true;
    if (event->comm)
        return needs_comm(event, request);
    if (request->peer == event->peer)
        return true;
    const struct pl_comm *comm = request->comm;
    if (channel == PL_CHANNEL_COLLECTIVE && comm->broken & PL_BREAK_FAILED)
        return true;
    if ((request->together && request->together->broken & PL_BREAK_FAILED) ||
        (request->wary && comm->failed > comm->acknowledged))
        return true;
    if (request->is_send || request->matched)
        return false;
    if (request->source >= 0)
        return comm->target->peers[request->source] == event->peer;
    return channel != PL_CHANNEL_USER && in_group(comm->target, event->peer);
}

/* Whether nothing but a frame of the other side is waited for: no transport holds it. */
static bool loose(const struct pl_request *request)
{
    if (!request->is_send)
        return request->parts == 0;
    unsigned frames = 1 + (request->asked && !request->serial); /* cancel.c */
    return request->parts == frames && !request->matched;
}

/* Completions run callers' code, which may post and complete others: so look anew after each. */
static bool fail_one_posted(const struct event *event)
{
    struct pl_rank *rank = event->rank;
    for (int i = -1; i < PL_MATCH_BUCKETS; i++) {
        struct pl_list *posted = i < 0 ? &rank->posted_any : &rank->buckets[i].posted;
        pl_list_each(node, posted)
        {
            struct pl_request *request = pl_container(node, struct pl_request, link);
            if (!doomed(event, request))
                continue;
            pl_list_remove(node);
            pl_request_complete(request, event->fail(event));
            return true;
        }
    }
    return false;
}

static void mark(const struct event *event, struct pl_request *request)
{
    request->error = event->fail(event);
    free(request->text);
    request->text = strdup(pl_fail_text());
}

/* A send waits for its receiver, or a receive for its data. */
static void give_up(const struct event *event, struct pl_request *request)
{
    struct pl_envelope withdraw = {.kind = PL_KIND_WITHDRAW, .cookie = request->cookie};
    if (!request->error)
        mark(event, request);
    __atomic_store_n(&request->guard, 0,
                     __ATOMIC_SEQ_CST); /* who reads the buffer now shall not believe it */
    if (!event->end && request->peer != event->peer && request->is_send)
        pl_frame_send(event->rank, request->peer, &withdraw, NULL);
    if (request->is_send) {
        pl_send_part_done(request, 0);
        return;
    }
    pl_cookie_drop(&event->rank->cookies, request->cookie);
    request->cookie = 0;
    pl_request_complete(request, request->error);
}

static bool fail_one_waiting(const struct event *event)
{
    const struct pl_cookies *cookies = &event->rank->cookies;
    for (uint32_t i = 0; i < cookies->size; i++) {
        struct pl_request *request = cookies->slots[i].request;
        if (!request || !doomed(event, request))
            continue;
        if (loose(request)) {
            give_up(event, request);
            return true;
        }
        if (!request->error)
            mark(event, request); /* it ends when the transport lets go of it */
    }
    return false;
}

/* A send of this rank to itself that nobody has received. */
static bool fail_one_local(const struct event *event)
{
    pl_list_each(node, &event->rank->unexpected_all)
    {
        struct pl_message *message = pl_container(node, struct pl_message, all);
        struct pl_request *send = message->local;
        if (!send || !doomed(event, send))
            continue;
        pl_match_remove(message);
        free(message);
        pl_request_complete(send, event->fail(event));
        return true;
    }
    return false;
}

static void fail_all(const struct event *event)
{
    while (fail_one_waiting(event) || fail_one_posted(event) || fail_one_local(event))
        ;
}

static int fail_end(const struct event *event)
{
    return pl_fail(PL_ECANCELLED, "rank %d ends", event->rank->rank);
}

void pl_loss_finish(struct pl_rank *rank)
{
    struct event event = {.rank = rank, .peer = -1, .end = true, .fail = fail_end};
    fail_all(&event);
}

bool pl_request_stalled(const struct pl_request *request)
{
    const struct pl_comm *comm = request->comm;
    return !request->complete && !request->is_send && !request->matched && request->source == PL_ANY_SOURCE &&
           channel_of(request) == PL_CHANNEL_USER && comm->failed > comm->acknowledged;
}

int pl_source_check(const struct pl_comm *comm, int source)
{
    struct pl_rank *rank = comm->owner;
    int peers[1], error = pl_comm_check(comm, PL_BREAK_REVOKED);
    if (error || !rank->lost || source == PL_PROC_NULL)
        return error;
    if (source >= 0)
        return is_lost(rank, comm->target->peers[source]) ? pl_peer_fail(rank, comm->target->peers[source])
                                                          : 0;
    if (comm->failed <= comm->acknowledged)
        return 0;
    return pl_comm_deaths(comm, peers, 1) ? pl_peer_fail(rank, peers[0]) : 0;
}

/* ---- communicators ---- */

static bool break_here(struct pl_comm *comm, unsigned why, const char *cause);

static int count_deaths(const struct pl_comm *comm)
{
    return pl_comm_deaths(comm, NULL, 0);
}

void pl_comm_begin(struct pl_comm *comm)
{
    const struct pl_rank *rank = comm->owner;
    comm->failed = rank->lost ? count_deaths(comm) : 0;
    comm->broken |= comm->failed ? PL_BREAK_FAILED : 0;
    for (int i = 0; i < rank->nbroken; i++)
        if (rank->broken[i].context == comm->context) {
            comm->broken |= rank->broken[i].why;
            free(comm->cause);
            comm->cause = rank->broken[i].cause ? strdup(rank->broken[i].cause) : NULL;
        }
    if (comm->local && comm->broken & ~(unsigned)PL_BREAK_FAILED)
        break_here(comm->local, comm->broken & ~(unsigned)PL_BREAK_FAILED, comm->cause);
}

int pl_comm_deaths(const struct pl_comm *comm, int *peers, int most)
{
    const struct pl_rank *rank = comm->owner;
    int count = 0;
    for (int i = 0; i < rank->lost; i++) {
        if (!concerns(comm, rank->deaths[i]))
            continue;
        if (count < most)
            peers[count] = rank->deaths[i];
        count++;
    }
    return count;
}

int pl_comm_check(const struct pl_comm *comm, unsigned ways)
{
    unsigned broken = comm->broken & ways;
    int peers[1];
    if (broken & PL_BREAK_REVOKED)
        return pl_fail(PL_EREVOKED, "%s was revoked (MPIX_Comm_revoke)", comm->name);
    if (broken & PL_BREAK_MISMATCH)
        return pl_fail(PL_EMISMATCH, "%s", comm->cause ? comm->cause : "its ranks made different calls");
    if (broken & PL_BREAK_FAILED && pl_comm_deaths(comm, peers, 1))
        return pl_peer_fail(comm->owner, peers[0]);
    return 0;
}

static int fail_broken(const struct event *event)
{
    return pl_comm_check(event->comm, event->why);
}

/* Whether it was not broken so before. */
static bool break_here(struct pl_comm *comm, unsigned why, const char *cause)
{
    if (comm->broken & why)
        return false;
    comm->broken |= why;
    if (cause) {
        free(comm->cause);
        comm->cause = strdup(cause);
    }
    if (comm->local)
        break_here(comm->local, why, cause);
    struct event event = {.rank = comm->owner, .peer = -1, .comm = comm, .why = why, .fail = fail_broken};
    pl_comm_hold(comm);
    fail_all(&event);
    pl_comm_release(comm);
    return true;
}

static void tell_broken(struct pl_rank *rank, const struct pl_comm *comm, unsigned why, const char *cause)
{
    struct pl_envelope envelope = {.kind = PL_KIND_BREAK, .context = comm->context};
    struct breaking breaking = {.why = why};
    snprintf(breaking.text, sizeof breaking.text, "%s", cause ? cause : "");
    size_t length = offsetof(struct breaking, text) + strlen(breaking.text) + 1;
    pl_spread(rank, comm->group, &envelope, &breaking, length);
    if (comm->remote)
        pl_spread(rank, comm->remote, &envelope, &breaking, length);
}

void pl_comm_break(struct pl_comm *comm, unsigned why, const char *cause)
{
    if (comm->broken & why)
        return;
    tell_broken(comm->owner, comm, why, cause);
    break_here(comm, why, cause);
}

static void remember(struct pl_rank *rank, uint64_t context, unsigned why, const char *cause)
{
    struct pl_broken *grown = realloc(rank->broken, sizeof *grown * ((size_t)rank->nbroken + 1));
    if (!grown)
        return;
    rank->broken = grown;
    grown[rank->nbroken++] =
        (struct pl_broken){context, why, why == PL_BREAK_MISMATCH ? strdup(cause) : NULL};
}

struct pl_comm *pl_comm_of_context(const struct pl_rank *rank, uint64_t context)
{
    pl_list_each(node, &rank->comms)
    {
        struct pl_comm *comm = pl_container(node, struct pl_comm, link);
        if (comm->context == context)
            return comm;
    }
    return NULL;
}

static void heard_break(struct pl_rank *rank, uint64_t context, const struct breaking *breaking)
{
    struct pl_comm *comm = pl_comm_of_context(rank, context);
    const char *cause = breaking->why == PL_BREAK_MISMATCH ? breaking->text : NULL;
    if (breaking->why != PL_BREAK_MISMATCH && breaking->why != PL_BREAK_REVOKED)
        return;
    if (comm && comm->group->size + (comm->remote ? comm->remote->size : 0) > FEW)
        pl_comm_break(comm, breaking->why, cause);
    else if (comm)
        break_here(comm, breaking->why, cause);
    else
        remember(rank, context, breaking->why, cause);
}

/* ---- deaths ---- */

static int fail_peer(const struct event *event)
{
    return pl_peer_fail(event->rank, event->peer);
}

static bool note(struct pl_rank *rank, struct pl_peer *peer, const char *cause)
{
    char text[TEXT];
    int *deaths = realloc(rank->deaths, sizeof *deaths * ((size_t)rank->lost + 1));
    if (!deaths) {
        pl_error("no memory to note that rank %d has died", peer->number);
        return false;
    }
    rank->deaths = deaths;
    deaths[rank->lost++] = peer->number;
    peer->lost = true;
    bool known =
        peer->number < rank->size && rank->obituary && rank->obituary(rank, peer->number, text, sizeof text);
    peer->cause = strdup(known ? text : cause);
    return true;
}

void pl_peer_lost(struct pl_rank *rank, int number, int error, const char *cause)
{
    struct pl_peer *peer = pl_peer_get(rank, number);
    if (!peer || peer->lost || !note(rank, peer, cause))
        return;
    pl_info("rank %d is lost: %s (%s)", number, peer->cause ? peer->cause : "", pl_error_name(error));
    pl_list_each(node, &rank->comms)
    {
        struct pl_comm *comm = pl_container(node, struct pl_comm, link);
        if (!concerns(comm, number))
            continue;
        comm->failed++;
        comm->broken |= PL_BREAK_FAILED;
    }
    if (!known_anyway(rank, number))
        spread_death(rank, number);
    else
        tell_abroad(rank, number);
    struct event event = {.rank = rank, .peer = number, .fail = fail_peer};
    fail_all(&event);
    pl_agreements_peer_lost(rank);
}

void pl_loss_heard(struct pl_rank *rank, int peer, const struct pl_envelope *envelope, const void *payload,
                   size_t length)
{
    union {
        struct death death;
        struct breaking breaking;
    } news = {0};
    memcpy(&news, payload, length < sizeof news ? length : sizeof news);
    if (envelope->kind == PL_KIND_BREAK) {
        news.breaking.text[TEXT - 1] = 0;
        heard_break(rank, envelope->context, &news.breaking);
        return;
    }
    news.death.text[TEXT - 1] = 0;
    int number = pl_peer_find(rank, &news.death.who);
    if (number >= 0 && number != rank->rank)
        pl_peer_lost(rank, number, PL_EPEER, news.death.text);
}
