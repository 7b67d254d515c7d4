/* Accept and connect.
 *
 * A port's name says which rank of which world opened it; ranks of that world send to it as always.
 * For others the name also has the card and the key of a TCP port that waits for strangers:
 *
 *     peal:WORLD:RANK:NUMBER:KEY:CARD
 *
 *     connecting root  --- hello {who, context, card} --->  accepting root
 *     the two now share a communicator of two, the meeting, and tell each other whom they bring;
 *     if somebody on one side cannot reach somebody on the other, all open a bridge (src/p2p/bridge.h),
 *     cards travel through the meeting, and all wait until all have them;
 *     then an intercommunicator is made as between any two groups (agree.h), with the meeting for a peer.
 *
 * The hello goes out on a context that both compute from the name; everything later on one that the
 * connecting root led, which nobody else has.
 */
#include "port.h"

#include "agree.h"
#include "bridge.h"
#include "exchange.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELLO_TAG = -14, MEET_TAG = -15, KEY = 32, CALLERS = 60000 };

struct door {
    struct pl_list link;      /* in mpi->doors */
    struct pl_bridge *bridge; /* NULL: for this world only */
    char name[MPI_MAX_PORT_NAME];
};

struct hello {
    struct pl_identity who;
    uint64_t context;
    uint32_t length, unused;
    unsigned char card[PL_CARD_MAX];
};

/* A port's name, read. */
struct address {
    struct pl_identity who;
    bool open; /* key and card are there */
    unsigned char key[KEY], card[PL_CARD_MAX];
    size_t length;
};

static int read_name(const char *name, struct address *a)
{
    unsigned long long world;
    int rank, number, at = 0;
    if (sscanf(name, "peal:%llx:%d:%d:%n", &world, &rank, &number, &at) < 3 || !at)
        return pl_bad(MPI_ERR_PORT, "'%.60s' is not the name of a port", name);
    *a = (struct address){.who = {.world = world, .rank = rank}};
    const char *key = name + at, *card = strchr(key, ':');
    size_t got = 0;
    if (!*key)
        return 0;
    if (!card || sodium_hex2bin(a->key, KEY, key, (size_t)(card - key), NULL, &got, NULL) || got != KEY ||
        sodium_hex2bin(a->card, sizeof a->card, card + 1, strlen(card + 1), NULL, &a->length, NULL))
        return pl_bad(MPI_ERR_PORT, "the name of the port is damaged");
    a->open = true;
    return 0;
}

/* Lets strangers in: a bridge with a fresh key, both into the name. */
static int open_to_strangers(struct pl_rank *rank, struct door *door)
{
    unsigned char key[KEY], card[PL_CARD_MAX];
    size_t length = sizeof card, at = strlen(door->name);
    randombytes_buf(key, sizeof key);
    int error = pl_bridge_open(rank, 0, key, &door->bridge);
    if (!error)
        error = pl_bridge_card(door->bridge, card, &length);
    if (!error && at + 2 * KEY + 1 + 2 * length >= sizeof door->name)
        error = pl_fail(PL_EINTERNAL, "a card of %zu bytes does not fit the name of a port", length);
    if (error)
        return error;
    sodium_bin2hex(door->name + at, sizeof door->name - at, key, KEY);
    at += 2 * KEY;
    door->name[at++] = ':';
    sodium_bin2hex(door->name + at, sizeof door->name - at, card, length);
    return 0;
}

int pl_port_open(struct pl_mpi *mpi, char *name)
{
    struct pl_rank *rank = mpi->rank;
    struct door *door = calloc(1, sizeof *door);
    if (!door)
        return pl_fail(PL_ENOMEM, "no memory for a port");
    snprintf(door->name, sizeof door->name, "peal:%llx:%d:%d:", (unsigned long long)rank->world_id,
             rank->rank, ++mpi->ports_opened);
    int error = rank->fabric ? 0 : open_to_strangers(rank, door);
    if (error) {
        pl_bridge_close(door->bridge);
        free(door);
        return error;
    }
    pl_list_append(&mpi->doors, &door->link);
    strcpy(name, door->name);
    return 0;
}

static void close_door(struct door *door)
{
    pl_bridge_close(door->bridge);
    pl_list_remove(&door->link);
    free(door);
}

static struct door *find_door(struct pl_mpi *mpi, const char *name)
{
    pl_list_each(node, &mpi->doors)
    {
        struct door *door = pl_container(node, struct door, link);
        if (!strcmp(door->name, name))
            return door;
    }
    return NULL;
}

int pl_port_close(struct pl_mpi *mpi, const char *name)
{
    struct door *door = find_door(mpi, name);
    if (!door)
        return pl_bad(MPI_ERR_PORT, "this rank has not opened the port '%.60s'", name);
    close_door(door);
    return 0;
}

void pl_ports_close(struct pl_mpi *mpi)
{
    pl_list_each(node, &mpi->doors) close_door(pl_container(node, struct door, link));
}

/* A communicator of the calling rank and, if it is one, a peer; only for this file's messages. */
static struct pl_comm *passing(struct pl_rank *rank, int first, int second, uint64_t context)
{
    struct pl_group *group = pl_group_create(second < 0 ? 1 : 2);
    if (!group)
        return NULL;
    group->peers[0] = first;
    if (second >= 0)
        group->peers[1] = second;
    group->rank = first == rank->rank ? 0 : 1;
    struct pl_comm *comm = pl_comm_create(rank, group, context);
    pl_group_release(group);
    if (comm)
        snprintf(comm->name, sizeof comm->name, "the meeting at a port");
    return comm;
}

/* The context of the hellos: no communicator has it, since its counter is 0 (src/p2p/comm.c). */
static uint64_t hello_context(const char *name)
{
    unsigned char hash[16];
    uint64_t number;
    crypto_generichash(hash, sizeof hash, (const unsigned char *)name, strlen(name), NULL, 0);
    memcpy(&number, hash, sizeof number);
    return ((number & 0x3ffffffffu) | 1) << 20;
}

/* The accepting root: waits for a hello. */
static int await_hello(struct pl_mpi *mpi, const char *name, struct pl_comm **meeting)
{
    struct pl_rank *rank = mpi->rank;
    struct door *door = find_door(mpi, name);
    if (!door)
        return pl_bad(MPI_ERR_PORT, "this rank has not opened the port '%.60s'", name);
    struct pl_comm *listening = passing(rank, rank->rank, -1, hello_context(name));
    if (!listening)
        return pl_fail(PL_ENOMEM, "no memory to accept");
    struct hello hello;
    struct pl_request request;
    request.completed = NULL;
    pl_recv_start(&request, listening, PL_CHANNEL_AGREE, &hello, sizeof hello, PL_ANY_SOURCE, HELLO_TAG, 0);
    int error = pl_request_wait(&request), peer = request.peer;
    pl_request_finish(&request);
    pl_comm_release(listening);
    if (!error && peer >= rank->size)
        error = pl_bridge_answer(door->bridge, peer, hello.card,
                                 hello.length < PL_CARD_MAX ? hello.length : PL_CARD_MAX);
    if (!error && !(*meeting = passing(rank, rank->rank, peer, hello.context)))
        error = pl_fail(PL_ENOMEM, "no memory to accept");
    return error;
}

/* The peer that a port's name leads to, over *way if it is a stranger's. */
static int reach(struct pl_rank *rank, const struct address *a, struct hello *hello, struct pl_bridge **way,
                 int *peer)
{
    if (a->who.world == rank->world_id) {
        *peer = a->who.rank;
        return *peer < rank->size ? 0
                                  : pl_bad(MPI_ERR_PORT, "the port is of rank %d, which is not there", *peer);
    }
    if (!a->open)
        return pl_bad(MPI_ERR_PORT, "the port serves its own in-process world alone");
    size_t length = sizeof hello->card;
    int error = pl_bridge_open(rank, 1 + (int)randombytes_uniform(CALLERS), a->key, way);
    if (!error)
        error = pl_bridge_card(*way, hello->card, &length);
    if (!error)
        error = pl_bridge_add(*way, 0, NULL, a->card, a->length, peer);
    hello->length = (uint32_t)length;
    return error;
}

/* The connecting root: says hello. */
static int say_hello(struct pl_mpi *mpi, const char *name, struct pl_bridge **way, struct pl_comm **meeting)
{
    struct pl_rank *rank = mpi->rank;
    struct hello hello = {.who = pl_peer_identity(rank, rank->rank), .context = pl_context_new(rank)};
    struct address address;
    int peer = -1;
    int error = read_name(name, &address);
    if (!error)
        error = reach(rank, &address, &hello, way, &peer);
    struct pl_comm *calling = error ? NULL : passing(rank, peer, rank->rank, hello_context(name));
    if (!error && !calling)
        error = pl_fail(PL_ENOMEM, "no memory to connect");
    if (!error) {
        struct pl_request request;
        request.completed = NULL;
        pl_send_start(&request, calling, PL_CHANNEL_AGREE, PL_MODE_STANDARD, &hello, sizeof hello, 0,
                      HELLO_TAG, 0);
        error = pl_request_wait(&request);
        if (error)
            error = pl_bad(MPI_ERR_PORT, "nobody is at the port: %.300s", request.text ? request.text : "");
        pl_request_finish(&request);
    }
    pl_comm_release(calling);
    if (!error && !(*meeting = passing(rank, peer, rank->rank, hello.context)))
        error = pl_fail(PL_ENOMEM, "no memory to connect");
    return error;
}

/* One group's part in connecting to another; what the root alone has is NULL elsewhere. */
struct meeting {
    struct pl_mpi *mpi;
    struct pl_comm *comm, *pair;
    int root, other; /* the other root's rank in pair */
    int theirs;      /* ranks of the other side */
    struct pl_identity *members;
};

/* The roots swap, then each tells its side. A failure at the root is one everywhere. */
static int swap_all(const struct meeting *m, const void *out, size_t out_length, void *in, size_t in_length)
{
    int32_t error = 0;
    char text[PL_ERROR_TEXT] = "the root could not reach the other side";
    if (m->comm->rank == m->root) {
        error = pl_agree_swap(m->pair, m->other, MEET_TAG, out, out_length, in, in_length);
        if (error)
            snprintf(text, sizeof text, "%s", pl_fail_text());
    }
    int failed = pl_exchange_bcast(m->comm, &error, sizeof error, m->root);
    if (!failed && error)
        failed = pl_fail(error, "%s", text);
    return failed ? failed : pl_exchange_bcast(m->comm, in, in_length, m->root);
}

static int introduce(struct meeting *m)
{
    struct pl_rank *rank = m->mpi->rank;
    int32_t mine = m->comm->size, theirs = 0;
    int error = swap_all(m, &mine, sizeof mine, &theirs, sizeof theirs);
    if (error)
        return error;
    m->theirs = theirs;
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
static int need_bridge(const struct meeting *m, bool accepting, bool *needed, unsigned char *key)
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

static int swap_cards(const struct meeting *m, const struct card *mine, struct card *theirs)
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

static int build_bridge(const struct meeting *m, bool accepting, const unsigned char *key)
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

/* Both sides from here on: what root_error is at the root ends the call on its whole side. */
static int join(struct meeting *m, bool accepting, int root_error, struct pl_comm **made)
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
    free(m->members);
    m->mpi->meetings--;
    return failed;
}

int pl_port_accept(struct pl_mpi *mpi, const char *name, int root, struct pl_comm *comm,
                   struct pl_comm **made)
{
    struct meeting m = {.mpi = mpi, .comm = comm, .root = root, .other = 1};
    int error = comm->rank == root ? await_hello(mpi, name, &m.pair) : 0;
    error = join(&m, true, error, made);
    pl_comm_release(m.pair);
    return error;
}

int pl_port_connect(struct pl_mpi *mpi, const char *name, int root, struct pl_comm *comm,
                    struct pl_comm **made)
{
    struct meeting m = {.mpi = mpi, .comm = comm, .root = root, .other = 0};
    struct pl_bridge *way = NULL;
    int error = comm->rank == root ? say_hello(mpi, name, &way, &m.pair) : 0;
    error = join(&m, false, error, made);
    pl_comm_release(m.pair);
    pl_bridge_close(way);
    return error;
}
