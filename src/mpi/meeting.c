/* Two groups whose roots have met become an intercommunicator.
 *
 *     root  ---- how many we are, who, whether somebody cannot reach somebody ---->  root
 *       each tells its own side; if need be all open a bridge (src/p2p/bridge.h), cards travel
 *       the same way, and all wait until all have them
 *
 * Then the intercommunicator is made as between any two groups (agree.h), with the meeting of the two
 * roots for a peer.
 */
#include "meeting.h"

#include "agree.h"
#include "bridge.h"
#include "exchange.h"
#include "loss.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY = 32 };

/* The roots swap, then each tells its side. A failure at the root is one everywhere. */
static int swap_all(const struct pl_meeting *m, const void *out, size_t out_length, void *in,
                    size_t in_length)
{
    int32_t error = 0;
    char text[PL_ERROR_TEXT] = "the root could not reach the other side";
    if (m->comm->rank == m->root) {
        error = pl_agree_swap(m->pair, m->comm, m->other, PL_AGREE_MEET, out, out_length, in, in_length);
        if (error == PL_EREVOKED && m->pair->broken & PL_BREAK_REVOKED)
            error = pl_fail(PL_EPEER, "the other side gave up: one of its ranks failed");
        if (error)
            snprintf(text, sizeof text, "%s", pl_fail_text());
    }
    int failed = pl_exchange_bcast(m->comm, &error, sizeof error, m->root);
    if (!failed && error)
        failed = pl_fail(error, "%s", text);
    return failed ? failed : pl_exchange_bcast(m->comm, in, in_length, m->root);
}

static int introduce(struct pl_meeting *m)
{
    struct pl_rank *rank = m->mpi->rank;
    int32_t mine = m->comm->size, theirs = 0;
    int error = swap_all(m, &mine, sizeof mine, &theirs, sizeof theirs);
    if (error)
        return error;
    m->theirs = theirs;
    if (m->way) /* it has accepted */
        pl_bridge_await(m->way, false);
    struct pl_identity *own = malloc(sizeof *own * (size_t)mine);
    m->members = malloc(sizeof *m->members * (size_t)theirs);
    if (!own || !m->members)
        error = pl_fail(PL_ENOMEM, "no memory for %d and %d ranks", (int)mine, (int)theirs);
    for (int i = 0; i < mine && !error; i++)
        own[i] = pl_peer_identity(rank, m->comm->group->peers[i]);
    if (!error)
        error = swap_all(m, own, sizeof *own * (size_t)mine, m->members, sizeof *m->members * (size_t)theirs);
    free(own);
    return error;
}

/* Whether some rank of either side cannot reach some rank of the other; the accepting side's key for all. */
static int need_bridge(const struct pl_meeting *m, bool accepting, bool *needed, unsigned char *key)
{
    struct pl_rank *rank = m->mpi->rank;
    struct {
        unsigned char key[KEY], needed, unused[7];
    } mine = {.needed = 0}, theirs;
    unsigned char *all = malloc((size_t)m->comm->size), lacks = 0;
    if (!all)
        return pl_fail(PL_ENOMEM, "no memory to connect");
    for (int i = 0; i < m->theirs; i++) {
        int peer = pl_peer_find(rank, &m->members[i]);
        lacks |= peer < 0 || (peer >= rank->size && !rank->peers[peer]->endpoint);
    }
    int error = pl_exchange_allgather(m->comm, &lacks, all, 1);
    for (int i = 0; i < m->comm->size && !error; i++)
        mine.needed |= all[i];
    free(all);
    if (m->comm->rank == m->root)
        randombytes_buf(mine.key, KEY);
    if (!error)
        error = pl_exchange_bcast(m->comm, mine.key, KEY, m->root);
    if (!error)
        error = swap_all(m, &mine, sizeof mine, &theirs, sizeof theirs);
    *needed = !error && (mine.needed || theirs.needed);
    memcpy(key, accepting ? mine.key : theirs.key, KEY);
    return error;
}

struct card {
    uint32_t length; /* 0: it could not be had */
    unsigned char bytes[PL_CARD_MAX];
};

static int swap_cards(const struct pl_meeting *m, const struct card *mine, struct card *theirs)
{
    struct card *all = malloc(sizeof *all * (size_t)m->comm->size);
    int error = all ? pl_exchange_allgather(m->comm, mine, all, sizeof *mine)
                    : pl_fail(PL_ENOMEM, "no memory for the cards of %d ranks", m->comm->size);
    if (!error)
        error =
            swap_all(m, all, sizeof *all * (size_t)m->comm->size, theirs, sizeof *theirs * (size_t)m->theirs);
    for (int i = 0; i < m->comm->size && !error; i++)
        if (!all[i].length)
            error = pl_fail(PL_EUNREACHABLE, "rank %d of %s could not open a port to the other world", i,
                            m->comm->name);
    for (int i = 0; i < m->theirs && !error; i++)
        if (!theirs[i].length)
            error = pl_fail(PL_EUNREACHABLE, "rank %d of the other side could not open a port", i);
    free(all);
    return error;
}

static int build_bridge(const struct pl_meeting *m, bool accepting, const unsigned char *key)
{
    int own = accepting ? 0 : m->theirs, other = accepting ? m->comm->size : 0, peer;
    struct pl_bridge *bridge = NULL;
    struct card mine = {0}, *theirs = malloc(sizeof *theirs * (size_t)m->theirs);
    if (!theirs)
        return pl_fail(PL_ENOMEM, "no memory for the cards of %d ranks", m->theirs);
    size_t length = sizeof mine.bytes;
    if (!pl_bridge_open(m->mpi->rank, own + m->comm->rank, key, &bridge) &&
        !pl_bridge_card(bridge, mine.bytes, &length))
        mine.length = (uint32_t)length;
    int error = swap_cards(m, &mine, theirs);
    for (int i = 0; i < m->theirs && !error; i++)
        error = pl_bridge_add(bridge, other + i, &m->members[i], theirs[i].bytes,
                              theirs[i].length < PL_CARD_MAX ? theirs[i].length : PL_CARD_MAX, &peer);
    free(theirs);
    unsigned char here = 1, there;
    if (!error)
        error = pl_exchange_barrier(m->comm, PL_BARRIER_MEET);
    return error ? error : swap_all(m, &here, sizeof here, &there, sizeof there);
}

int pl_meeting_join(struct pl_meeting *m, bool accepting, int root_error, struct pl_comm **made)
{
    int32_t error = root_error;
    char text[PL_ERROR_TEXT] = "";
    unsigned char key[KEY];
    bool needed = false;
    snprintf(text, sizeof text, "%s", error ? pl_fail_text() : "the root could not connect");
    m->mpi->meetings++;
    int failed = pl_exchange_bcast(m->comm, &error, sizeof error, m->root);
    if (!failed && error)
        failed = error < 0 ? pl_fail(error, "%s", text) : pl_bad(error, "%s", text);
    if (!failed)
        failed = introduce(m);
    if (!failed)
        failed = need_bridge(m, accepting, &needed, key);
    if (!failed && needed)
        failed = build_bridge(m, accepting, key);
    if (!failed)
        failed = pl_comm_make_between(m->mpi, m->comm, m->root, m->pair, m->other, 0, made);
    if (failed && m->pair) /* the other root may wait for this one */
        pl_comm_break(m->pair, PL_BREAK_REVOKED, NULL);
    free(m->members);
    m->mpi->meetings--;
    return failed;
}
