/* Accept and connect.
 *
 * A port's name says which rank of which world opened it; ranks of that world send to it as always.
 * For others the name also has the card and the key of a TCP port that waits for strangers:
 *
 *     peal:WORLD:RANK:NUMBER:KEY:CARD
 *
 *     connecting root   --- hello {who, context, card} --->       accepting root
 *                      <--- welcome; or: the port is closed ---
 *                       --- I come; or: I have given up --->
 *
 * The two now share a communicator of two, by which their groups meet (meeting.h). A hello that nobody
 * answers is given up after a time: the program's info "timeout", in seconds, or twelve times PEAL_TIMEOUT.
 *
 * The hello goes out on a context that both compute from the name; everything later on one that the
 * connecting root led, which nobody else has.
 */
#include "port.h"

#include "agree.h"
#include "bridge.h"
#include "clock.h"
#include "loss.h"
#include "meeting.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY = 32, CALLERS = 60000 };
enum { PATIENCE = 12 }; /* for an answer, in PEAL_TIMEOUTs */
enum { REFUSAL_MS = 1000, MS = 1000000, STEP_NS = 20000 };

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

/* A word to the other one of a meeting, which goes by itself. */
struct note {
    struct pl_request request;
    struct pl_comm *meeting; /* held */
    bool *left;              /* set when it has gone, or NULL */
    unsigned char word;
};

static void note_left(struct pl_request *request)
{
    struct note *note = pl_container(request, struct note, request);
    if (note->left)
        *note->left = true;
    pl_request_finish(request);
    pl_comm_release(note->meeting);
    free(note);
}

static struct note *tell(struct pl_comm *meeting, bool word, bool *left)
{
    struct note *note = malloc(sizeof *note);
    if (!note)
        return NULL;
    *note = (struct note){.meeting = meeting, .left = left, .word = word};
    pl_comm_hold(meeting);
    note->request.completed = note_left;
    pl_send_start(&note->request, meeting, PL_CHANNEL_AGREE, PL_MODE_STANDARD, &note->word, 1,
                  1 - meeting->rank, PL_AGREE_WELCOME, 0);
    return note;
}

/* What the other one tells: *word is false if it is dead, or silent until then (0: for ever), or if a member
 * of comm, which all call, died. */
static int hear(struct pl_comm *meeting, const struct pl_comm *comm, int64_t until, bool *word)
{
    struct pl_rank *rank = meeting->owner;
    unsigned char heard = 0;
    struct pl_request request;
    request.completed = NULL;
    pl_recv_start(&request, meeting, PL_CHANNEL_AGREE, &heard, 1, 1 - meeting->rank, PL_AGREE_WELCOME, 0);
    request.together = comm;
    int64_t step = STEP_NS;
    while (until && !request.complete) {
        int result = pl_pause(rank, step);
        step += step < MS ? step : 0;
        if (result < 0 && !request.complete)
            pl_request_abandon(&request, result);
        else if (pl_rank_now(rank) >= until)
            pl_request_cancel(&request);
    }
    int error = pl_request_wait(&request);
    if (request.cancelled)
        error = PL_ETIMEOUT;
    *word = !error && heard;
    pl_request_finish(&request);
    return error;
}

/* The meeting with who sent this hello, to which it can now be answered. */
static int meet(struct pl_rank *rank, const struct door *door, const struct hello *hello, int peer,
                struct pl_comm **meeting)
{
    int error = 0;
    if (peer >= rank->size)
        error = pl_bridge_answer(door->bridge, peer, hello->card,
                                 hello->length < PL_CARD_MAX ? hello->length : PL_CARD_MAX);
    if (!error && !(*meeting = passing(rank, rank->rank, peer, hello->context)))
        error = pl_fail(PL_ENOMEM, "no memory for a meeting at a port");
    return error;
}

/* The accepting root: waits for a hello of somebody who then still is there. */
static int await_hello(struct pl_mpi *mpi, const char *name, const struct pl_comm *comm,
                       struct pl_comm **meeting)
{
    struct pl_rank *rank = mpi->rank;
    struct door *door = find_door(mpi, name);
    if (!door)
        return pl_bad(MPI_ERR_PORT, "this rank has not opened the port '%.60s'", name);
    struct pl_comm *listening = passing(rank, rank->rank, -1, hello_context(name));
    if (!listening)
        return pl_fail(PL_ENOMEM, "no memory to accept");
    bool comes = false;
    int error = pl_comm_check(comm, ~0u);
    while (!error && !comes) {
        struct hello hello;
        struct pl_request request;
        request.completed = NULL;
        pl_recv_start(&request, listening, PL_CHANNEL_AGREE, &hello, sizeof hello, PL_ANY_SOURCE,
                      PL_AGREE_HELLO, 0);
        request.together = comm;
        error = pl_request_wait(&request);
        int peer = request.peer;
        pl_request_finish(&request);
        if (!error)
            error = meet(rank, door, &hello, peer, meeting);
        if (!error && !tell(*meeting, true, NULL))
            error = pl_fail(PL_ENOMEM, "no memory to accept");
        if (!error)
            hear(*meeting, comm, 0, &comes);
        if (!comes) {
            pl_comm_release(*meeting);
            *meeting = NULL;
        }
        if (!error)
            error = pl_comm_check(comm, ~0u);
    }
    pl_comm_release(listening);
    return error;
}

/* Tells one that waits at a door that is closed; waits until that has gone. */
static void refuse(struct pl_rank *rank, const struct door *door, const struct hello *hello, int peer)
{
    struct pl_comm *meeting = NULL;
    bool left = false;
    struct note *note = meet(rank, door, hello, peer, &meeting) ? NULL : tell(meeting, false, &left);
    for (int i = 0; note && !left && i < REFUSAL_MS && pl_pause(rank, MS) >= 0; i++)
        continue;
    if (note && !left)
        note->left = NULL;
    pl_comm_release(meeting);
}

static void refuse_all(struct pl_rank *rank, const struct door *door)
{
    struct pl_comm *listening = passing(rank, rank->rank, -1, hello_context(door->name));
    struct pl_message *message;
    pl_progress(rank);
    while (listening &&
           (message = pl_message_find(listening, PL_CHANNEL_AGREE, PL_ANY_SOURCE, PL_AGREE_HELLO, true))) {
        struct hello hello;
        struct pl_request request;
        request.completed = NULL;
        pl_message_recv(&request, message, &hello, sizeof hello, 0, NULL);
        int error = pl_request_wait(&request), peer = request.peer;
        pl_request_finish(&request);
        if (!error)
            refuse(rank, door, &hello, peer);
    }
    pl_comm_release(listening);
}

int pl_port_close(struct pl_mpi *mpi, const char *name)
{
    struct door *door = find_door(mpi, name);
    if (!door)
        return pl_bad(MPI_ERR_PORT, "this rank has not opened the port '%.60s'", name);
    refuse_all(mpi->rank, door);
    close_door(door);
    return 0;
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
        pl_bridge_await(*way, true);
    if (!error)
        error = pl_bridge_card(*way, hello->card, &length);
    if (!error)
        error = pl_bridge_add(*way, 0, NULL, a->card, a->length, peer);
    hello->length = (uint32_t)length;
    return error;
}

static int64_t deadline(const struct pl_mpi *mpi, double seconds)
{
    if (!(seconds > 0))
        seconds = PATIENCE * mpi->rank->config.timeout;
    return pl_rank_now(mpi->rank) + (int64_t)(seconds * 1e9);
}

static int send_hello(struct pl_rank *rank, const char *name, int peer, const struct hello *hello)
{
    struct pl_comm *calling = passing(rank, peer, rank->rank, hello_context(name));
    if (!calling)
        return pl_fail(PL_ENOMEM, "no memory to connect");
    struct pl_request request;
    request.completed = NULL;
    pl_send_start(&request, calling, PL_CHANNEL_AGREE, PL_MODE_STANDARD, hello, sizeof *hello, 0,
                  PL_AGREE_HELLO, 0);
    int error = pl_request_wait(&request);
    if (error)
        error = pl_bad(MPI_ERR_PORT, "nobody is at the port: %.300s", request.text ? request.text : "");
    pl_request_finish(&request);
    pl_comm_release(calling);
    return error;
}

/* What came of a hello. */
static int answered(struct pl_comm *meeting, int heard, bool welcome)
{
    if (!heard && !welcome)
        return pl_bad(MPI_ERR_PORT, "the port was closed");
    if (!tell(meeting, welcome, NULL) && welcome)
        return pl_fail(PL_ENOMEM, "no memory to connect");
    if (heard == PL_ETIMEOUT)
        return pl_bad(MPI_ERR_PORT, "nobody accepts at the port (info \"timeout\", or %d times PEAL_TIMEOUT)",
                      PATIENCE);
    return heard ? pl_bad(MPI_ERR_PORT, "nobody accepts at the port: %.300s", pl_fail_text()) : 0;
}

/* The connecting root: says hello, and waits for the answer. */
static int say_hello(struct pl_mpi *mpi, const char *name, const struct pl_comm *comm, double seconds,
                     struct pl_bridge **way, struct pl_comm **meeting)
{
    struct pl_rank *rank = mpi->rank;
    struct hello hello = {.who = pl_peer_identity(rank, rank->rank), .context = pl_context_new(rank)};
    struct address address;
    int64_t until = deadline(mpi, seconds);
    int peer = -1;
    int error = read_name(name, &address);
    if (!error)
        error = reach(rank, &address, &hello, way, &peer);
    if (!error && !(*meeting = passing(rank, peer, rank->rank, hello.context)))
        error = pl_fail(PL_ENOMEM, "no memory to connect");
    if (!error)
        error = send_hello(rank, name, peer, &hello);
    if (!error) {
        bool welcome;
        int heard = hear(*meeting, comm, until, &welcome);
        error = answered(*meeting, heard, welcome);
    }
    return error;
}

int pl_port_accept(struct pl_mpi *mpi, const char *name, int root, struct pl_comm *comm,
                   struct pl_comm **made)
{
    struct pl_meeting m = {.mpi = mpi, .comm = comm, .root = root, .other = 1};
    int error = comm->rank == root ? await_hello(mpi, name, comm, &m.pair) : 0;
    error = pl_meeting_join(&m, true, error, made);
    pl_comm_release(m.pair);
    return error;
}

int pl_port_connect(struct pl_mpi *mpi, const char *name, int root, struct pl_comm *comm, double seconds,
                    struct pl_comm **made)
{
    struct pl_meeting m = {.mpi = mpi, .comm = comm, .root = root, .other = 0};
    int error = comm->rank == root ? say_hello(mpi, name, comm, seconds, &m.way, &m.pair) : 0;
    error = pl_meeting_join(&m, false, error, made);
    pl_comm_release(m.pair);
    pl_bridge_close(m.way);
    return error;
}
