/* One transport tried between all pairs of ranks at once, with the transport's own code: open, connect, a
 * frame with a pattern, and a look into the peer's memory where the transport has that.
 *
 *     all    open a port, tell card or why not        a round of words
 *     all    connect to those that have one           a round: who could
 *     a      HELLO {where my pattern is} + pattern  ----------->  b   is it the pattern?
 *     a      <-------------------------------------  HEARD {right or wrong}
 *     a      reads b's pattern where b said it is (process_vm, RDMA)
 *     all    what has come                            a round, after which memory may go
 *
 * A frame of 200,000 bytes is longer than any transport's slots, so that its long way is tried too. Nothing
 * here waits without an end: whoever says nothing for PEAL_TIMEOUT is not heard.
 */
#include "doctor.h"

#include "clock.h"
#include "errors.h"
#include "tcp.h"
#include "transport.h"
#if PL_HAVE_VERBS
#include "verbs_text.h"
#endif

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATTERN = 200000, NAP_NS = 2000000, GRACE_NS = 2000000000 };
enum kind { HELLO = 0x6f6c6c6568, HEARD = 0x6472616568 };

struct trial;

struct partner {
    struct trial *trial;
    int number;
    bool calls; /* it has connected, so it will say HELLO */
    struct pl_endpoint *endpoint;
    struct pl_operation hello, heard, reach;
    bool hello_out, heard_out, reach_out; /* under way */
    bool answered, lost;
    unsigned char *landing, *reached; /* [PATTERN] or NULL */
    uint64_t remote;
    struct pl_memory_key key;
    bool to_answer, to_reach; /* its HELLO has come */
};

struct trial {
    struct pl_doctor *doctor;
    struct pl_way *way;
    const struct pl_transport *transport;
    struct pl_port *port;
    unsigned char *pattern;
    bool registered;
    struct pl_memory_key key;
    struct partner *partners; /* [size] */
};

static unsigned char letter(int rank, size_t at)
{
    uint64_t x = ((uint64_t)rank << 32 | at) * 0x9e3779b97f4a7c15u;
    return (unsigned char)(x >> 56 ^ x >> 31);
}

static bool is_pattern(const unsigned char *bytes, size_t length, int rank)
{
    if (length != PATTERN)
        return false;
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != letter(rank, i))
            return false;
    return true;
}

/* Keeps a transport's reason, without the peer's number: other pairs may have the same. */
static void keep(char *to, const char *why, int peer)
{
    char name[24];
    size_t length = (size_t)snprintf(name, sizeof name, "rank %d", peer), at = 0;
    while (*why && at + 1 < PL_FINDING_TEXT) {
        bool here = !strncmp(why, name, length) && (why[length] < '0' || why[length] > '9');
        if (!here) {
            to[at++] = *why++;
            continue;
        }
        at += (size_t)snprintf(to + at, PL_FINDING_TEXT - at, "the peer");
        why += length;
    }
    to[at < PL_FINDING_TEXT ? at : PL_FINDING_TEXT - 1] = '\0';
}

/* ---- upcalls ---- */

static struct partner *partner_of(void *context, int peer)
{
    struct trial *trial = context;
    return peer >= 0 && peer < trial->doctor->size ? &trial->partners[peer] : NULL;
}

static void take(struct partner *p, const unsigned char *bytes, size_t length)
{
    struct pl_way_peer *peer = &p->trial->way->peers[p->number];
    peer->heard = is_pattern(bytes, length, p->number);
    peer->wrong = !peer->heard;
    p->to_answer = p->to_reach = true;
}

static void arrived(void *context, int number, const struct pl_header *header, size_t length,
                    const void *payload, struct pl_landing *landing)
{
    struct partner *p = partner_of(context, number);
    if (landing)
        *landing = (struct pl_landing){0};
    if (!p)
        return;
    if (header->word[0] == HEARD) {
        p->answered = true;
        p->trial->way->peers[number].heard_us = header->word[1] == 1;
    }
    if (header->word[0] != HELLO)
        return;
    p->remote = header->word[1];
    p->key = (struct pl_memory_key){{header->word[2], header->word[3]}};
    if (payload)
        take(p, payload, length);
    else if (landing && (p->landing = malloc(PATTERN)))
        *landing = (struct pl_landing){p->landing, PATTERN, p};
}

static void landed(void *context, int number, const struct pl_landing *landing, size_t length, int status)
{
    struct partner *p = partner_of(context, number);
    if (p && landing->token && !status)
        take(p, landing->buffer, length);
}

static void lost(void *context, int number, int error, const char *cause)
{
    struct partner *p = partner_of(context, number);
    if (!p)
        return;
    p->lost = true;
    keep(p->trial->way->peers[number].why, cause, number);
}

static void describe(void *context, char *text, size_t size)
{
    *text = '\0';
}

static void sent_hello(struct pl_operation *operation, int status)
{
    struct partner *p = pl_container(operation, struct partner, hello);
    p->hello_out = false;
    if (status && !p->trial->way->peers[p->number].why[0])
        keep(p->trial->way->peers[p->number].why, pl_fail_text(), p->number);
}

static void sent_heard(struct pl_operation *operation, int status)
{
    pl_container(operation, struct partner, heard)->heard_out = false;
}

static void judge_reach(struct partner *p, int status)
{
    struct pl_way_peer *peer = &p->trial->way->peers[p->number];
    peer->reached = !status && is_pattern(p->reached, PATTERN, p->number);
    if (!peer->reached)
        keep(peer->why_not_reached,
             status ? pl_fail_text() : "its memory was read, but other bytes than its pattern came",
             p->number);
}

static void reached(struct pl_operation *operation, int status)
{
    struct partner *p = pl_container(operation, struct partner, reach);
    p->reach_out = false;
    judge_reach(p, status);
}

/* ---- what a rank does ---- */

static void say_hello(struct partner *p)
{
    struct trial *t = p->trial;
    p->hello = (struct pl_operation){.payload = t->pattern, .length = PATTERN, .done = sent_hello};
    p->hello.header = (struct pl_header){{HELLO, (uintptr_t)t->pattern, t->key.word[0], t->key.word[1]}};
    int status = t->transport->send(p->endpoint, &p->hello);
    p->hello_out = status == PL_PENDING;
    if (status < 0)
        sent_hello(&p->hello, status);
}

static void answer(struct partner *p)
{
    p->to_answer = false;
    if (!p->endpoint || p->lost)
        return;
    p->heard = (struct pl_operation){.done = sent_heard};
    p->heard.header = (struct pl_header){{HEARD, p->trial->way->peers[p->number].heard}};
    p->heard_out = p->trial->transport->send(p->endpoint, &p->heard) == PL_PENDING;
}

static void reach(struct partner *p)
{
    struct trial *t = p->trial;
    struct pl_way_peer *peer = &t->way->peers[p->number];
    p->to_reach = false;
    if (!p->endpoint || p->lost || peer->wrong)
        return;
    pl_fail(PL_EUNSUPPORTED, "this transport reads no memory of peers");
    if (!t->transport->reaches(p->endpoint)) {
        keep(peer->why_not_reached, pl_fail_text(), p->number);
        return;
    }
    p->reached = calloc(1, PATTERN);
    if (!p->reached)
        return;
    p->reach = (struct pl_operation){.done = reached};
    int status = t->transport->get(p->endpoint, p->reached, p->remote, &p->key, PATTERN, &p->reach);
    p->reach_out = status == PL_PENDING;
    if (status != PL_PENDING)
        judge_reach(p, status);
}

/* Whether there is nothing more to expect from, or to do for, this partner. */
static bool is_over(const struct partner *p)
{
    if (p->lost)
        return !p->hello_out && !p->heard_out && !p->reach_out;
    return !(p->hello_out || p->heard_out || p->reach_out || p->to_answer || p->to_reach) &&
           (!p->calls || p->trial->way->peers[p->number].heard || p->trial->way->peers[p->number].wrong) &&
           (!p->endpoint || !p->calls || p->answered);
}

/* One look at everybody; whether all are through. */
static bool attend(struct trial *t)
{
    bool over = true;
    for (int r = 0; r < t->doctor->size; r++) {
        struct partner *p = &t->partners[r];
        if (p->to_answer)
            answer(p);
        if (p->to_reach)
            reach(p);
        over = over && is_over(p);
    }
    return over;
}

static void talk(struct trial *t)
{
    int64_t end = pl_now() + (int64_t)(t->doctor->config.timeout * 1e9) + GRACE_NS;
    for (int r = 0; r < t->doctor->size; r++)
        if (t->partners[r].endpoint)
            say_hello(&t->partners[r]);
    while (!attend(t) && pl_now() < end) {
        int events = t->transport->progress(t->port);
        if (events < 0)
            break;
        if (!events)
            t->transport->sleep(t->port, NAP_NS, NULL, 0);
    }
    for (int r = 0; r < t->doctor->size; r++) {
        struct pl_way_peer *peer = &t->way->peers[r];
        if (t->partners[r].endpoint && !peer->heard && !peer->wrong && !peer->why[0])
            snprintf(peer->why, sizeof peer->why,
                     t->partners[r].calls ? "connected, but nothing came within %g s"
                                          : "it cannot connect to this rank",
                     t->doctor->config.timeout);
    }
}

/* ---- rounds ---- */

/* In a large world not each pair: those at distances 1, 2, 4, 8, ..., as collectives use them. */
static bool is_tried(const struct pl_doctor *doctor, int peer)
{
    enum { EACH = 64 };
    int distance = abs(peer - doctor->rank);
    if (doctor->size - distance < distance)
        distance = doctor->size - distance;
    return distance && (doctor->size <= EACH || !(distance & (distance - 1)));
}

static void open_port(struct trial *t)
{
    static const struct pl_upcalls upcalls = {arrived, landed, lost, describe};
    const struct pl_doctor *d = t->doctor;
    struct pl_port_params params = {.rank = d->rank,
                                    .size = d->size,
                                    .local_size = d->local_size,
                                    .crowded = true,
                                    .config = &d->config,
                                    .upcalls = &upcalls,
                                    .context = t};
    memcpy(params.key, d->key, sizeof params.key);
    t->way->opened = !t->transport->open(&params, &t->port);
    if (!t->way->opened)
        snprintf(t->way->why, sizeof t->way->why, "%s", pl_fail_text());
    if (t->way->opened)
        t->registered = !t->transport->reg(t->port, t->pattern, PATTERN, &t->key);
}

static void tell_about(struct trial *t)
{
    if (!strcmp(t->way->name, "tcp")) {
        const struct pl_tcp_port *port = (const struct pl_tcp_port *)t->port;
        pl_tcp_card_text(&port->card, t->way->about, sizeof t->way->about);
    }
#if PL_HAVE_VERBS
    if (!strcmp(t->way->name, "verbs"))
        t->way->software = pl_verbs_text(t->port, t->way->about, sizeof t->way->about);
#endif
}

/* The first round: "+" and the card as digits, or "-" and why there is none. */
static int share_cards(struct trial *t, char ***words)
{
    char text[2 * PL_CARD_MAX + 2 + PL_FINDING_TEXT];
    unsigned char card[PL_CARD_MAX];
    size_t length = sizeof card;
    if (t->way->opened && t->transport->address(t->port, card, &length)) {
        snprintf(t->way->why, sizeof t->way->why, "%s", pl_fail_text());
        t->way->opened = false;
    }
    snprintf(text, sizeof text, "-%s", t->way->why);
    if (t->way->opened) {
        text[0] = '+';
        sodium_bin2hex(text + 1, sizeof text - 1, card, length);
        tell_about(t);
    }
    return pl_doctor_share(t->doctor, text, words);
}

static void connect_one(struct trial *t, int number, const char *word)
{
    struct pl_way_peer *peer = &t->way->peers[number];
    unsigned char card[PL_CARD_MAX];
    size_t length = 0;
    peer->told =
        *word == '+' && !sodium_hex2bin(card, sizeof card, word + 1, strlen(word + 1), NULL, &length, NULL);
    if (!peer->told)
        snprintf(peer->why, sizeof peer->why, "it has none: %s", *word ? word + 1 : "it did not say why");
    if (!peer->told || !t->way->opened || !is_tried(t->doctor, number))
        return;
    peer->connected = !t->transport->connect(t->port, number, card, length, &t->partners[number].endpoint);
    if (!peer->connected)
        keep(peer->why, pl_fail_text(), number);
}

/* The second round: a letter for each rank. */
static int share_connections(struct trial *t)
{
    struct pl_doctor *d = t->doctor;
    char **words, *mine = calloc((size_t)d->size + 1, 1);
    if (!mine)
        return pl_fail(PL_ENOMEM, "no memory for %d ranks", d->size);
    for (int r = 0; r < d->size; r++)
        mine[r] = t->way->peers[r].connected ? '1' : '0';
    int error = pl_doctor_share(d, mine, &words);
    for (int r = 0; r < d->size && !error; r++)
        t->partners[r].calls =
            r != d->rank && strlen(words[r]) == (size_t)d->size && words[r][d->rank] == '1';
    pl_doctor_forget(d, words);
    free(mine);
    return error;
}

static void look_where(struct trial *t)
{
    for (int r = 0; r < t->doctor->size && !strcmp(t->way->name, "tcp"); r++) {
        const struct pl_tcp_peer *peer = (const struct pl_tcp_peer *)t->partners[r].endpoint;
        char text[PL_TCP_TEXT];
        if (!peer || !peer->stream)
            continue;
        snprintf(t->way->peers[r].where, sizeof t->way->peers[r].where, "%s",
                 pl_tcp_address_text(&peer->stream->address, text));
        char *port = strrchr(t->way->peers[r].where, ':');
        if (port)
            *port = '\0';
    }
}

static int run_trial(struct trial *t)
{
    char **words;
    int error = share_cards(t, &words);
    if (error)
        return error;
    for (int r = 0; r < t->doctor->size; r++)
        if (r != t->doctor->rank)
            connect_one(t, r, words[r]);
    pl_doctor_forget(t->doctor, words);
    error = share_connections(t);
    if (error)
        return error;
    if (t->way->opened)
        talk(t);
    if (t->way->opened)
        look_where(t);
    error = pl_doctor_share(t->doctor, "", &words); /* nobody reads what is going to be freed */
    pl_doctor_forget(t->doctor, words);
    return error;
}

int pl_doctor_try(struct pl_doctor *doctor, struct pl_way *way)
{
    struct trial t = {.doctor = doctor, .way = way, .transport = pl_transport_find(way->name)};
    t.pattern = malloc(PATTERN);
    t.partners = calloc((size_t)doctor->size, sizeof *t.partners);
    way->peers = calloc((size_t)doctor->size, sizeof *way->peers);
    int error =
        t.pattern && t.partners && way->peers ? 0 : pl_fail(PL_ENOMEM, "no memory to try %s", way->name);
    for (int r = 0; r < doctor->size && !error; r++) {
        t.partners[r].trial = &t;
        t.partners[r].number = r;
    }
    for (size_t i = 0; i < PATTERN && !error; i++)
        t.pattern[i] = letter(doctor->rank, i);
    if (!error) {
        open_port(&t);
        error = run_trial(&t);
    }
    if (t.registered)
        t.transport->dereg(t.port, &t.key);
    if (t.port)
        t.transport->close(t.port);
    for (int r = 0; r < doctor->size && t.partners; r++) {
        free(t.partners[r].landing);
        free(t.partners[r].reached);
    }
    free(t.partners);
    free(t.pattern);
    return error;
}
