/* A message that meets a receive of another call is found out by its signature (contract.c). But calls that
 * do not fit together may send no message at all (one scatters, the other gathers), or leave one that nobody
 * receives (each is the root), or be on different communicators. So:
 *
 *     who has waited for a fifth of a second asks those it waits for:   ASK  "I am in call 17, a scatter"
 *       whose call 17 was, or is, another knows:                        BREAK, with both calls, to all
 * members who is not that far yet remembers it, and compares when it is; who waits itself, on another
 * communicator, says so:             BUSY "in call 5 of that one" and who is waited for there in turn knows:
 * neither will ever go on. a run that is over, or a message that comes late, shows what nobody received:
 * BREAK.
 *
 * A rank that computes for ten minutes is asked once by each that waits for it, and nothing comes of it.
 *
 * Rejected: a round of signatures before each call (an alpha more, always), and trusting in time alone (a
 * slow rank is no wrong rank). Cost when all is well: one store of 16 bytes a call.
 */
#include "doubt.h"

#include "contract.h"
#include "errors.h"
#include "loss.h"
#include "match.h"
#include "protocol.h"
#include "site.h"
#include "tiny.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASKED_MOST = 8, TEXT = 240 };

/* The payload of PL_KIND_ASK. */
struct ask {
    uint32_t ordinal, signature;
    int32_t rank; /* who asks, in the communicator */
    int32_t busy; /* an answer: it is not there yet, because it waits on the communicator `other` */
    uint64_t other;
    char text[TEXT]; /* its call, in words */
};

struct pl_claim {
    struct ask ask;
    int peer;
};

/* "MPI_Allreduce of 400000 bytes, int32 with MPI_SUM, on MPI_COMM_WORLD". */
static void in_words(const struct pl_comm *comm, const struct pl_call_log *log, char *text, size_t size)
{
    char what[120], bytes[40] = "";
    pl_contract_describe(log->signature, what, sizeof what);
    what[0] = (char)toupper((unsigned char)what[0]);
    if (log->bytes)
        snprintf(bytes, sizeof bytes, ", %llu bytes,", (unsigned long long)log->bytes);
    snprintf(text, size, "MPI_%s%s on %.60s", what, bytes, comm->name);
}

static const struct pl_call_log *logged(const struct pl_comm *comm, uint32_t ordinal)
{
    uint32_t ago = comm->calls - ordinal;
    return ago >= 1 && ago <= PL_CALL_LOG ? &comm->log[ordinal % PL_CALL_LOG] : NULL;
}

static void break_with(struct pl_comm *comm, int rank, const char *theirs, const char *mine)
{
    char text[PL_CAUSE];
    snprintf(text, sizeof text, "rank %d called %.170s, rank %d called %.170s", rank, theirs, comm->rank,
             mine);
    pl_comm_break(comm, PL_BREAK_MISMATCH, text);
}

int pl_doubt_differ(struct pl_comm *comm, int rank, uint32_t mine, uint32_t theirs)
{
    const struct pl_call_log *log = logged(comm, comm->calls - 1);
    struct pl_call_log there = {.signature = theirs}, none = {.signature = mine};
    char here[TEXT], other[TEXT], how[160];
    in_words(comm, log ? log : &none, here, sizeof here);
    pl_call_site(here, sizeof here);
    in_words(comm, &there, other, sizeof other);
    pl_coll_explain(comm->owner, mine, theirs, how, sizeof how);
    size_t at = strlen(other);
    if (!strncmp(how + strcspn(how, " "), " with another count", 19))
        snprintf(other + at, sizeof other - at, " with another count or type");
    break_with(comm, rank, other, here);
    return pl_comm_check(comm, ~0u);
}

int pl_doubt_differed(struct pl_comm *comm, int rank, uint32_t theirs)
{
    const struct pl_call_log *log = comm->calls > 1 ? logged(comm, comm->calls - 2) : NULL;
    struct pl_call_log there = {.signature = theirs};
    char here[TEXT] = "another collective before", other[TEXT] = "another collective before";
    if (log)
        in_words(comm, log, here, sizeof here);
    if (theirs)
        in_words(comm, &there, other, sizeof other);
    break_with(comm, rank, other, here);
    return pl_comm_check(comm, ~0u);
}

bool pl_doubt_claimed(struct pl_comm *comm)
{
    struct pl_claim *claim = comm->claim;
    const struct pl_call_log *log = logged(comm, claim->ask.ordinal);
    if (!log)
        return false;
    comm->claim = NULL;
    bool differs = log->signature != claim->ask.signature;
    if (differs) {
        char here[TEXT];
        in_words(comm, log, here, sizeof here);
        pl_call_site(here, sizeof here);
        break_with(comm, claim->ask.rank, claim->ask.text, here);
    }
    free(claim);
    return differs;
}

/* ---- messages that nobody received ---- */

static bool persistent(int sequence)
{
    return sequence & 1 << 14;
}

/* The call of that number, if it was lately. */
static const struct pl_call_log *numbered(const struct pl_comm *comm, int sequence)
{
    for (uint32_t ago = 1; ago <= PL_CALL_LOG && ago <= comm->calls; ago++) {
        const struct pl_call_log *log = &comm->log[(comm->calls - ago) % PL_CALL_LOG];
        if ((int)(log->sequence % (1 << 14)) == sequence)
            return log;
    }
    return NULL;
}

/* Whether a message of the same sender for a later call came before it: then this one is for a still later
 * one. `envelope` is that of a kept message. */
static bool has_gone_round(const struct pl_comm *comm, const struct pl_envelope *envelope)
{
    pl_list_each(node, &comm->owner->unexpected_all)
    {
        const struct pl_envelope *kept = &pl_container(node, struct pl_message, all)->envelope;
        if (kept == envelope)
            break;
        uint32_t ahead = ((uint32_t)(kept->tag >> 16) - comm->sequence) & ((1 << 14) - 1);
        if (kept->context == envelope->context && kept->source == envelope->source && ahead < 1 << 13)
            return true;
    }
    return false;
}

/* A message was left. Numbers go round, and who only sends may be far ahead; but then the call is the same.
 */
static void left(struct pl_comm *comm, const struct pl_envelope *envelope)
{
    const struct pl_call_log *log = numbered(comm, envelope->tag >> 16);
    struct pl_call_log there = {.signature = envelope->signature};
    char here[TEXT], other[TEXT];
    if (!log || log->signature == envelope->signature || has_gone_round(comm, envelope))
        return;
    in_words(comm, log, here, sizeof here);
    in_words(comm, &there, other, sizeof other);
    break_with(comm, envelope->source, other, here);
}

void pl_doubt_left(struct pl_run *run)
{
    struct pl_comm *comm = run->comm;
    struct pl_rank *rank = comm->owner;
    uint64_t context = pl_context_of(comm, PL_CHANNEL_COLLECTIVE);
    if (persistent(run->tag >> 16) || comm->broken)
        return;
    pl_list_each(node, &rank->unexpected_all)
    {
        const struct pl_message *message = pl_container(node, struct pl_message, all);
        if (message->envelope.context == context && message->envelope.tag >> 16 == run->tag >> 16) {
            left(comm, &message->envelope);
            return;
        }
    }
}

/* A message of a call that is over here. */
static void stray(struct pl_rank *rank, const struct pl_envelope *envelope)
{
    struct pl_comm *comm = pl_comm_of_context(rank, envelope->context >> PL_CHANNEL_BITS);
    int sequence = envelope->tag >> 16;
    if (!comm || comm->broken || persistent(sequence))
        return;
    uint32_t behind = (comm->sequence - (uint32_t)sequence) & ((1 << 14) - 1);
    if (!behind || behind > PL_CALL_LOG)
        return;
    const struct pl_collectives *own = rank->collectives_state;
    for (const struct pl_run *run = own ? own->active : NULL; run; run = run->next_active)
        if ((run->comm == comm && run->tag >> 16 == sequence) ||
            (run->comm->local == comm && run->local_tag >> 16 == sequence))
            return;
    left(comm, envelope);
}

/* ---- asking ---- */

static void say(struct pl_rank *rank, int peer, uint64_t context, const struct ask *ask)
{
    struct pl_envelope envelope = {.kind = PL_KIND_ASK, .context = context};
    if (peer >= 0 && peer != rank->rank)
        pl_control_send(rank, peer, &envelope, ask, sizeof *ask);
}

/* This rank's call in a communicator, as a question. */
static struct ask question(struct pl_comm *comm, uint32_t ordinal)
{
    struct ask ask = {.ordinal = ordinal, .rank = comm->rank};
    const struct pl_call_log *log = logged(comm, ordinal);
    if (log) {
        ask.signature = log->signature;
        in_words(comm, log, ask.text, sizeof ask.text);
        pl_call_site(ask.text, sizeof ask.text);
    }
    return ask;
}

static void ask_run(struct pl_rank *rank, struct pl_run *run)
{
    int asked[ASKED_MOST], n = 0;
    if (!run->ordinal || run->comm->remote)
        return;
    struct ask ask = question(run->comm, run->ordinal - 1);
    for (uint32_t i = 0; i < run->schedule->requests && n < ASKED_MOST && ask.text[0]; i++) {
        const struct pl_request *request = &run->slot[i].request;
        if (request->owner != run || request->complete)
            continue;
        int peer =
            request->is_send || request->matched ? request->peer : run->comm->group->peers[request->source];
        bool again = false;
        for (int k = 0; k < n; k++)
            again = again || asked[k] == peer;
        if (again)
            continue;
        asked[n++] = peer;
        say(rank, peer, run->comm->context, &ask);
    }
}

/* The communicator in whose blocking call the rank is, or NULL. */
static struct pl_comm *blocked(const struct pl_rank *rank)
{
    const struct pl_collectives *own = rank->collectives_state;
    for (const struct pl_run *run = own ? own->active : NULL; run; run = run->next_active)
        if (run->blocking && !run->complete)
            return run->comm;
    return own ? own->on_board : NULL;
}

static void answer_busy(struct pl_rank *rank, const struct pl_comm *comm, struct pl_comm *busy)
{
    if (busy == comm || !comm->claim)
        return;
    struct ask ask = question(busy, busy->calls - 1);
    ask.busy = 1;
    ask.other = busy->context;
    ask.rank = comm->rank;
    say(rank, comm->claim->peer, comm->context, &ask);
}

static void wonder(struct pl_rank *rank)
{
    const struct pl_collectives *own = rank->collectives_state;
    struct pl_comm *busy = blocked(rank);
    for (struct pl_run *run = own ? own->active : NULL; run; run = run->next_active)
        ask_run(rank, run);
    if (own && own->on_board) {
        struct pl_comm *comm = own->on_board;
        struct ask ask = question(comm, comm->calls - 1);
        say(rank, comm->group->peers[own->board_rank], comm->context, &ask);
    }
    if (busy)
        pl_list_each(node, &rank->comms) answer_busy(rank, pl_container(node, struct pl_comm, link), busy);
}

/* `comm` is where this rank waits for the peer, which waits for this rank on another communicator. */
static void heard_busy(struct pl_rank *rank, int peer, struct pl_comm *comm, const struct ask *ask)
{
    struct pl_comm *other = pl_comm_of_context(rank, ask->other);
    if (!other || other == comm || blocked(rank) != comm || !other->claim || other->claim->peer != peer ||
        other->claim->ask.ordinal < other->calls)
        return;
    char here[TEXT];
    struct ask mine = question(comm, comm->calls - 1);
    snprintf(here, sizeof here, "%.200s: neither can go on", mine.text);
    break_with(comm, ask->rank, ask->text, here);
    break_with(other, other->claim->ask.rank, ask->text, here);
}

static void asked(struct pl_rank *rank, int peer, const struct pl_envelope *envelope, const void *payload,
                  size_t length)
{
    struct ask ask;
    struct pl_comm *comm = pl_comm_of_context(rank, envelope->context);
    if (length != sizeof ask || !comm || comm->broken)
        return;
    memcpy(&ask, payload, sizeof ask);
    ask.text[TEXT - 1] = 0;
    if (ask.busy) {
        heard_busy(rank, peer, comm, &ask);
        return;
    }
    struct pl_claim *claim = comm->claim ? comm->claim : malloc(sizeof *claim);
    if (!claim)
        return;
    bool other = comm->claim && claim->ask.ordinal == ask.ordinal && claim->ask.signature != ask.signature &&
                 ask.ordinal >= comm->calls;
    if (other) { /* two that wait, in different calls, before this rank has come to it */
        break_with(comm, ask.rank, ask.text, claim->ask.text);
        return;
    }
    *claim = (struct pl_claim){ask, peer};
    comm->claim = claim;
    if (ask.ordinal < comm->calls)
        pl_doubt_claimed(comm);
    struct pl_comm *busy = blocked(rank);
    if (comm->claim && busy)
        answer_busy(rank, comm, busy);
}

void pl_doubt_begin(struct pl_rank *rank)
{
    rank->wonder = wonder;
    rank->asked = asked;
    rank->stray = stray;
}
