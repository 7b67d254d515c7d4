/* Agreement by a leader, who may die. The leader is the first member of the group that lives.
 *
 *     member        leader
 *     JOIN   ---->            what it brings: flag, whom it knows to be dead
 *            <---- PROPOSE    all the living have joined: what they bring, put together
 *     ACK    ---->
 *            <---- DECIDE     all the living have the proposal: it can no longer be lost
 *
 * When the leader dies, every member joins the next one and says what it has: nothing, a proposal with its
 * number, or the decision. The new leader decides what was decided, else proposes again what was proposed
 * last, else puts together what the members bring. A proposal's number is the leader's place in the group,
 * and who has joined a leader takes nothing from an earlier one. Whoever has returned with a verdict, even if
 * it died then, knew that all who lived had acknowledged it; so every later leader hears of it: all verdicts
 * are the same. (That is single-decree Paxos in which leaders come in order and the quorum is all the living:
 * L. Lamport, The part-time parliament, TOCS 1998; Guerraoui's perfect detector in place of majorities.)
 *
 * A member that has decided and gone on must still answer a new leader, so a rank keeps the last agreement of
 * each communicator; when the next one is decided, everybody has left the one before.
 *
 * Cost: 4 alpha and n/4 + 72 bytes a message, 3 (n - 1) messages through the leader. A tree (Herault et al.,
 * Practical scalable consensus for pseudo-synchronous distributed systems, SC 2015) would spread these over
 * the members at log2(n) alpha; it was rejected as long as repair is not what a program does all day.
 */
#include "agreement.h"

#include "errors.h"
#include "log.h"
#include "protocol.h"

#include <stdlib.h>
#include <string.h>

enum phase { JOIN = 1, PROPOSE, ACK, DECIDE };

struct head {
    uint32_t phase, number;
    int32_t from;     /* the sender's place */
    int32_t ballot;   /* JOIN, ACK: the leader addressed; PROPOSE, DECIDE: the leader */
    int32_t accepted; /* JOIN: the number of the proposal in it; NONE: it is what the member brings */
    int32_t decided;  /* JOIN: it is the decision */
};

enum { NONE = -1 };

/* What came before this rank had begun the agreement. */
struct early {
    struct pl_list link;
    int peer;
    size_t length;
    unsigned char bytes[];
};

struct member {
    struct pl_verdict *joined; /* what it said when it joined this rank; NULL: it has not */
    int accepted;
    bool decided, acknowledged;
};

struct pl_agreement {
    struct pl_list link; /* in rank->agreements */
    struct pl_rank *rank;
    uint64_t context;
    uint32_t number;
    struct pl_list early;
    struct pl_group *group; /* NULL: this rank has not begun it */
    int me;
    struct member *members; /* [n] as this rank's followers */
    struct pl_verdict *value;
    int promised, accepted; /* the leader joined; the number of the proposal in `value` */
    bool proposing, decided, ended, dirty;
    void (*completed)(struct pl_agreement *agreement, void *owner);
    void *owner;
};

static size_t words(const struct pl_agreement *a)
{
    return ((size_t)a->group->size + 63) / 64;
}

static size_t bytes(const struct pl_agreement *a)
{
    return sizeof(struct pl_verdict) + 2 * words(a) * sizeof(uint64_t);
}

static bool lives(const struct pl_agreement *a, int member)
{
    const struct pl_peer *peer = a->rank->peers[a->group->peers[member]];
    return !peer || !peer->lost;
}

static int leader(const struct pl_agreement *a)
{
    int i = 0;
    while (i != a->me && !lives(a, i))
        i++;
    return i;
}

static void destroy(struct pl_agreement *a)
{
    pl_list_remove(&a->link);
    pl_list_each(node, &a->early) free(pl_container(node, struct early, link));
    for (int i = 0; a->members && i < a->group->size; i++)
        free(a->members[i].joined);
    free(a->members);
    free(a->value);
    pl_group_release(a->group);
    free(a);
}

static struct pl_agreement *find(struct pl_rank *rank, uint64_t context, uint32_t number)
{
    pl_list_each(node, &rank->agreements)
    {
        struct pl_agreement *a = pl_container(node, struct pl_agreement, link);
        if (a->context == context && a->number == number)
            return a;
    }
    struct pl_agreement *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    *a = (struct pl_agreement){.rank = rank, .context = context, .number = number};
    a->promised = a->accepted = NONE;
    pl_list_init(&a->early);
    pl_list_append(&rank->agreements, &a->link);
    return a;
}

static void say(struct pl_agreement *a, int to, enum phase phase, int ballot)
{
    size_t length = sizeof(struct head) + (phase == ACK ? 0 : bytes(a));
    unsigned char *message = malloc(length);
    if (!message) {
        pl_error("no memory to agree with rank %d", a->group->peers[to]);
        return;
    }
    struct head head = {phase, a->number, a->me, ballot, a->accepted, a->decided};
    struct pl_envelope envelope = {.kind = PL_KIND_AGREE, .context = a->context};
    memcpy(message, &head, sizeof head);
    if (phase != ACK)
        memcpy(message + sizeof head, a->value, bytes(a));
    int peer = a->group->peers[to];
    int error = pl_control_send(a->rank, peer, &envelope, message, length);
    free(message);
    if (error == PL_EUNREACHABLE)
        pl_peer_lost(a->rank, peer, error, pl_fail_text());
}

static void say_all(struct pl_agreement *a, enum phase phase)
{
    for (int i = 0; i < a->group->size; i++)
        if (i != a->me && lives(a, i))
            say(a, i, phase, a->me);
}

/* Those before it on this communicator are over for everybody. */
static void forget_earlier(struct pl_agreement *a)
{
    pl_list_each(node, &a->rank->agreements)
    {
        struct pl_agreement *other = pl_container(node, struct pl_agreement, link);
        if (other->context == a->context && other->decided && other->ended &&
            (int32_t)(other->number - a->number) < 0)
            destroy(other);
    }
}

static void decide(struct pl_agreement *a, const struct pl_verdict *verdict)
{
    if (a->decided)
        return;
    if (verdict)
        memcpy(a->value, verdict, bytes(a));
    a->decided = true;
    forget_earlier(a);
    if (a->completed)
        a->completed(a, a->owner);
}

static void put_together(struct pl_agreement *a)
{
    size_t n = words(a);
    struct pl_verdict *value = a->value;
    for (int i = 0; i < a->group->size; i++) {
        const struct pl_verdict *joined = a->members[i].joined;
        if (joined) {
            value->flag &= joined->flag;
            for (size_t w = 0; w < n; w++) {
                value->sets[w] |= joined->sets[w];
                value->sets[n + w] &= joined->sets[n + w];
            }
        }
        if (!lives(a, i))
            value->sets[i / 64] |= (uint64_t)1 << i % 64;
    }
    for (int i = 0; i < 3; i++)
        value->contexts[i] = pl_context_new(a->rank);
}

/* All the living have joined this leader: proposes what is already fixed, else what they bring. */
static void propose(struct pl_agreement *a)
{
    int best = a->accepted;
    const struct pl_verdict *fixed = NULL;
    for (int i = 0; i < a->group->size; i++) {
        const struct member *m = &a->members[i];
        if (m->joined && (m->decided || m->accepted > best)) {
            fixed = m->joined;
            best = m->decided ? a->group->size : m->accepted;
        }
    }
    if (fixed)
        memcpy(a->value, fixed, bytes(a));
    else if (best == NONE)
        put_together(a);
    a->accepted = a->me;
    a->proposing = true;
    for (int i = 0; i < a->group->size; i++)
        a->members[i].acknowledged = false;
    say_all(a, PROPOSE);
}

/* Goes as far as it can: joins the leader, or leads. */
static void advance(struct pl_agreement *a)
{
    int first = leader(a);
    if (first != a->me) {
        if (a->promised != first) {
            a->promised = first;
            say(a, first, JOIN, first);
        }
        return;
    }
    a->promised = a->me;
    for (int i = 0; i < a->group->size && !a->decided; i++)
        if (i != a->me && lives(a, i) && !a->members[i].joined)
            return;
    if (!a->decided && !a->proposing)
        propose(a);
    for (int i = 0; i < a->group->size && !a->decided; i++)
        if (i != a->me && lives(a, i) && !a->members[i].acknowledged)
            return;
    if (!a->decided) {
        a->proposing = false;
        decide(a, NULL);
        say_all(a, DECIDE);
    }
}

static void joined(struct pl_agreement *a, const struct head *head, const struct pl_verdict *brings)
{
    struct member *m = &a->members[head->from];
    if (head->ballot != a->me)
        return;
    if (a->decided) {
        say(a, head->from, DECIDE, a->me);
        return;
    }
    if (!m->joined && !(m->joined = malloc(bytes(a)))) {
        pl_error("no memory to agree");
        return;
    }
    memcpy(m->joined, brings, bytes(a));
    m->accepted = head->accepted;
    m->decided = head->decided;
    advance(a);
}

static void proposed(struct pl_agreement *a, const struct head *head, const struct pl_verdict *verdict)
{
    if (head->ballot < a->promised)
        return;
    if (!a->decided)
        memcpy(a->value, verdict, bytes(a));
    a->promised = a->accepted = head->ballot;
    say(a, head->from, ACK, head->ballot);
}

/* Decided, also for those who have joined this rank already: whoever decided has died, and may have told
 * nobody else. */
static void heard_decision(struct pl_agreement *a, const struct pl_verdict *verdict)
{
    if (a->decided)
        return;
    decide(a, verdict);
    for (int i = 0; i < a->group->size; i++)
        if (a->members[i].joined && lives(a, i))
            say(a, i, DECIDE, a->me);
}

static void heard(struct pl_agreement *a, int peer, const void *message, size_t length)
{
    struct head head;
    memcpy(&head, message, sizeof head);
    const size_t need = sizeof head + (head.phase == ACK ? 0 : bytes(a));
    if (length < need || head.from < 0 || head.from >= a->group->size || a->group->peers[head.from] != peer) {
        pl_warn("rank %d sent a message of an agreement that makes no sense; it is left out", peer);
        return;
    }
    struct pl_verdict *verdict = head.phase == ACK ? NULL : malloc(bytes(a));
    if (verdict)
        memcpy(verdict, (const char *)message + sizeof head, bytes(a));
    if (head.phase == JOIN && verdict)
        joined(a, &head, verdict);
    else if (head.phase == PROPOSE && verdict)
        proposed(a, &head, verdict);
    else if (head.phase == DECIDE && verdict)
        heard_decision(a, verdict);
    else if (head.phase == ACK && head.ballot == a->me && a->proposing) {
        a->members[head.from].acknowledged = true;
        advance(a);
    }
    free(verdict);
}

void pl_agreement_heard(struct pl_rank *rank, int peer, const struct pl_envelope *envelope,
                        const void *payload, size_t length)
{
    struct head head;
    if (length < sizeof head)
        return;
    memcpy(&head, payload, sizeof head);
    struct pl_agreement *a = find(rank, envelope->context, head.number);
    if (a && a->group) {
        heard(a, peer, payload, length);
        return;
    }
    struct early *early = a ? malloc(sizeof *early + length) : NULL;
    if (!early) {
        pl_error("no memory to keep a message of an agreement");
        return;
    }
    early->peer = peer;
    early->length = length;
    memcpy(early->bytes, payload, length);
    pl_list_append(&a->early, &early->link);
}

void pl_agreements_peer_lost(struct pl_rank *rank)
{
    pl_list_each(node, &rank->agreements) pl_container(node, struct pl_agreement, link)->dirty = true;
    for (bool again = true; again;) {
        again = false;
        pl_list_each(node, &rank->agreements)
        {
            struct pl_agreement *a = pl_container(node, struct pl_agreement, link);
            if (!a->dirty)
                continue;
            a->dirty = false;
            if (a->group)
                advance(a);
            again = true; /* others may be gone now: look anew */
            break;
        }
    }
}

void pl_agreements_finish(struct pl_rank *rank)
{
    while (rank->agreements.next && !pl_list_empty(&rank->agreements))
        destroy(pl_container(rank->agreements.next, struct pl_agreement, link));
}

/* Both groups of a communicator, in the same order on all its ranks. */
static struct pl_group *whole(const struct pl_comm *comm)
{
    if (!comm->remote) {
        pl_group_hold(comm->group);
        return comm->group;
    }
    const struct pl_group *low = comm->low ? comm->group : comm->remote;
    const struct pl_group *high = comm->low ? comm->remote : comm->group;
    struct pl_group *group = pl_group_create(low->size + high->size);
    if (!group)
        return NULL;
    memcpy(group->peers, low->peers, (size_t)low->size * sizeof low->peers[0]);
    memcpy(group->peers + low->size, high->peers, (size_t)high->size * sizeof low->peers[0]);
    group->rank = comm->rank + (comm->low ? 0 : low->size);
    return group;
}

/* What this rank brings. */
static void bring(struct pl_agreement *a, const struct pl_comm *comm, int flag)
{
    const struct pl_rank *rank = a->rank;
    size_t n = words(a);
    a->value->flag = flag;
    for (int i = 0; i < a->group->size; i++)
        if (!lives(a, i))
            a->value->sets[i / 64] |= (uint64_t)1 << i % 64;
    for (int d = 0, seen = 0; d < rank->lost && seen < comm->acknowledged; d++)
        for (int i = 0; i < a->group->size; i++)
            if (a->group->peers[i] == rank->deaths[d]) {
                a->value->sets[n + (size_t)i / 64] |= (uint64_t)1 << i % 64;
                seen++;
            }
}

struct pl_agreement *pl_agreement_begin(struct pl_comm *comm, int flag,
                                        void (*completed)(struct pl_agreement *agreement, void *owner),
                                        void *owner)
{
    struct pl_agreement *a = find(comm->owner, comm->context, comm->agreements);
    struct pl_group *group = a ? whole(comm) : NULL;
    if (!group)
        goto no_memory;
    a->members = calloc((size_t)group->size, sizeof *a->members);
    a->group = group;
    a->value = calloc(1, bytes(a));
    if (!a->members || !a->value) {
        a->group = NULL;
        pl_group_release(group);
        free(a->members);
        free(a->value);
        a->members = NULL;
        a->value = NULL;
        goto no_memory;
    }
    comm->agreements++;
    a->me = group->rank;
    a->completed = completed;
    a->owner = owner;
    bring(a, comm, flag);
    pl_list_each(node, &a->early)
    {
        struct early *early = pl_container(node, struct early, link);
        pl_list_remove(node);
        heard(a, early->peer, early->bytes, early->length);
        free(early);
    }
    if (!a->decided)
        advance(a);
    return a;
no_memory:
    pl_fail(PL_ENOMEM, "no memory for an agreement on %s", comm->name);
    return NULL;
}

int pl_agreement_wait(struct pl_agreement *a)
{
    for (unsigned idle = 0; !a->decided;) {
        int events = pl_progress(a->rank);
        if (!events)
            events = pl_idle(a->rank, idle++);
        else
            idle = 0;
        if (events < 0 && !a->decided)
            return events;
    }
    return 0;
}

const struct pl_verdict *pl_agreement_verdict(const struct pl_agreement *a)
{
    return a->decided ? a->value : NULL;
}

const struct pl_group *pl_agreement_group(const struct pl_agreement *a)
{
    return a->group;
}

bool pl_verdict_failed(const struct pl_agreement *a, int member)
{
    return a->value->sets[member / 64] >> member % 64 & 1;
}

int pl_verdict_news(const struct pl_agreement *a)
{
    size_t n = words(a);
    for (int i = 0; i < a->group->size; i++)
        if ((a->value->sets[i / 64] & ~a->value->sets[n + (size_t)i / 64]) >> i % 64 & 1)
            return i;
    return -1;
}

void pl_agreement_end(struct pl_agreement *a)
{
    a->ended = true;
    a->completed = NULL;
}
