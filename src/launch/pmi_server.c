/* Answers each line as it comes; state is a few flags a rank and one table of
 * words. The barrier is a count: the last rank to come releases all, n messages
 * in all. A rank that does not read its answers is not read from either, so
 * what is kept for it stays below a line or two.
 *
 * A rank that sends nonsense ends the job: what it wanted cannot be known, and
 * leaving it without an answer would hang it. Requests that are PMI-1 but serve
 * what Peal has not (PMI-1's spawn, whose arguments cannot have blanks) are refused with rc=-1, which the
 * MPI library at the other end turns into an error of its own. Peal's own ranks spawn by another
 * request: the arguments of a further mpiexec, a word a line.
 */
#include "pmi_server.h"

#include "errors.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BYTES_PER_RANK = 1 << 20 };

static void flush(struct pl_pmi_peer *peer)
{
    if (peer->watch.fd < 0) {
        peer->server->calls.answer(peer->server->calls.owner, peer->rank, peer->unsent, peer->unsent_fill);
        peer->unsent_fill = 0;
    }
    while (peer->unsent_fill) {
        ssize_t n = send(peer->watch.fd, peer->unsent, peer->unsent_fill, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) /* it is ending; what it said before is still to be heard */
            n = (ssize_t)peer->unsent_fill;
        peer->unsent_fill -= (size_t)n;
        memmove(peer->unsent, peer->unsent + n, peer->unsent_fill);
    }
    pl_loop_want(peer->server->loop, &peer->watch, peer->unsent_fill ? EPOLLOUT : EPOLLIN);
}

static void hang_up(struct pl_pmi_peer *peer)
{
    pl_loop_close(peer->server->loop, &peer->watch);
    peer->open = false;
}

static void broken(struct pl_pmi_peer *peer, const char *reason)
{
    hang_up(peer);
    peer->server->calls.broken(peer->server->calls.owner, peer->rank, reason);
}

static void answer(struct pl_pmi_peer *peer, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void answer(struct pl_pmi_peer *peer, const char *format, ...)
{
    char line[PL_PMI1_LINE_MAX];
    if (!peer->open)
        return;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    char *unsent = realloc(peer->unsent, peer->unsent_fill + (size_t)length);
    if (!unsent) {
        broken(peer, "no memory for its answer");
        return;
    }
    memcpy(unsent + peer->unsent_fill, line, (size_t)length);
    peer->unsent = unsent;
    peer->unsent_fill += (size_t)length;
    flush(peer);
}

static void do_init(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    long version;
    if (pl_pmi1_number(line, "pmi_version", 1, 1, &version)) {
        answer(peer, "cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=-1\n");
        return;
    }
    peer->started = true;
    answer(peer, "cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=0\n");
}

static void do_maxes(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    answer(peer, "cmd=maxes kvsname_max=%d keylen_max=%d vallen_max=%d rc=0\n", PL_PMI1_NAME_MAX,
           PL_PMI1_KEY_MAX, PL_PMI1_VALUE_MAX);
}

static void do_appnum(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    answer(peer, "cmd=appnum appnum=%d rc=0\n", peer->appnum);
}

static const char *space_of(const struct pl_pmi_peer *peer)
{
    return peer->space[0] ? peer->space : peer->server->space;
}

static void do_space(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    answer(peer, "cmd=my_kvsname kvsname=%s rc=0\n", space_of(peer));
}

static void do_universe(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    answer(peer, "cmd=universe_size size=%d rc=0\n", peer->server->size);
}

static bool in_space(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    const char *space = pl_pmi1_value(line, "kvsname");
    return space && !strcmp(space, space_of(peer));
}

static void do_put(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    const char *key = pl_pmi1_value(line, "key"), *value = pl_pmi1_value(line, "value");
    if (!key || !value || !in_space(peer, line) || !pl_pmi1_word_fits(key, PL_PMI1_KEY_MAX) ||
        strlen(value) >= PL_PMI1_VALUE_MAX)
        answer(peer, "cmd=put_result rc=-1 msg=bad_kvsname_key_or_value\n");
    else if (pl_kvs_put(&peer->server->kvs, key, value))
        answer(peer, "cmd=put_result rc=-1 msg=no_memory\n");
    else
        answer(peer, "cmd=put_result rc=0 msg=success\n");
}

static void do_get(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    const char *key = pl_pmi1_value(line, "key");
    const char *value = key && in_space(peer, line) ? pl_kvs_get(&peer->server->kvs, key) : NULL;
    if (value)
        answer(peer, "cmd=get_result rc=0 msg=success value=%s\n", value);
    else
        answer(peer, "cmd=get_result rc=-1 msg=key_not_found value=unknown\n");
}

void pl_pmi_server_check(struct pl_pmi_server *server)
{
    if (!server->waiting || server->gone < 0 || server->tolerant)
        return;
    int rank = 0;
    while (!server->peers[rank].waiting)
        rank++;
    server->calls.stuck(server->calls.owner, rank, server->gone);
}

/* Releases the barrier when all have come who can. */
static void try_barrier(struct pl_pmi_server *server)
{
    int gone = 0;
    for (int i = 0; i < server->size && server->tolerant; i++)
        gone += !server->peers[i].waiting &&
                (server->peers[i].ended || server->peers[i].finalized || server->peers[i].space[0]);
    if (!server->waiting || server->waiting + gone < server->size) {
        pl_pmi_server_check(server);
        return;
    }
    server->waiting = 0;
    for (int i = 0; i < server->size; i++) {
        if (server->peers[i].waiting)
            answer(&server->peers[i], "cmd=barrier_out rc=0\n");
        server->peers[i].waiting = false;
    }
}

static void do_barrier(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    struct pl_pmi_server *server = peer->server;
    if (peer->space[0]) {
        answer(peer, "cmd=barrier_out rc=0\n");
        return;
    }
    if (peer->waiting) {
        broken(peer, "it entered the PMI barrier twice");
        return;
    }
    peer->waiting = true;
    server->waiting++;
    try_barrier(server);
}

static void do_finalize(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    peer->finalized = true;
    answer(peer, "cmd=finalize_ack rc=0\n");
    if (peer->server->tolerant)
        try_barrier(peer->server);
}

static void do_abort(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    long code;
    if (pl_pmi1_number(line, "exitcode", INT_MIN, INT_MAX, &code))
        code = 1;
    peer->server->calls.aborted(peer->server->calls.owner, peer->rank, (int)code,
                                !pl_pmi1_value(line, "why"));
}

/* A name is a word in the same table, under a key that no rank can put; "" once it was taken back. */
static bool name_key(const struct pl_pmi1_line *line, char *key, size_t size)
{
    const char *service = pl_pmi1_value(line, "service");
    return service && snprintf(key, size, "\n%s", service) < (int)size;
}

static const char *published(struct pl_pmi_peer *peer, const char *key)
{
    const char *port = pl_kvs_get(&peer->server->kvs, key);
    return port && port[0] ? port : NULL;
}

static void do_publish(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    char key[PL_PMI1_NAME_MAX];
    const char *port = pl_pmi1_value(line, "port");
    if (!port || !name_key(line, key, sizeof key))
        answer(peer, "cmd=publish_result rc=-1 msg=bad_service_or_port\n");
    else if (published(peer, key))
        answer(peer, "cmd=publish_result rc=-1 msg=published_already\n");
    else if (pl_kvs_put(&peer->server->kvs, key, port))
        answer(peer, "cmd=publish_result rc=-1 msg=no_memory\n");
    else
        answer(peer, "cmd=publish_result rc=0 info=ok\n");
}

static void do_unpublish(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    char key[PL_PMI1_NAME_MAX];
    if (!name_key(line, key, sizeof key) || !published(peer, key))
        answer(peer, "cmd=unpublish_result rc=-1 msg=not_published\n");
    else if (pl_kvs_put(&peer->server->kvs, key, ""))
        answer(peer, "cmd=unpublish_result rc=-1 msg=no_memory\n");
    else
        answer(peer, "cmd=unpublish_result rc=0 info=ok\n");
}

static void do_lookup(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    char key[PL_PMI1_NAME_MAX];
    const char *port = name_key(line, key, sizeof key) ? published(peer, key) : NULL;
    if (port)
        answer(peer, "cmd=lookup_result rc=0 info=ok port=%s\n", port);
    else
        answer(peer, "cmd=lookup_result rc=-1 msg=not_published\n");
}

static void drop_words(struct pl_pmi_peer *peer)
{
    for (int i = 0; i < peer->nwords; i++)
        free(peer->words[i]);
    free(peer->words);
    peer->words = NULL;
    peer->nwords = 0;
    peer->open_word = false;
}

/* Appends the bytes that `hex` stands for to the word under way, or begins one. */
static bool take_word(struct pl_pmi_peer *peer, const char *hex)
{
    size_t length = strlen(hex) / 2, before = 0;
    if (!peer->open_word) {
        char **words = realloc(peer->words, sizeof *words * ((size_t)peer->nwords + 2));
        if (!words)
            return false;
        peer->words = words;
        words[peer->nwords] = NULL;
        words[peer->nwords + 1] = NULL;
    } else {
        before = strlen(peer->words[--peer->nwords]);
    }
    char *word = realloc(peer->words[peer->nwords], before + length + 1);
    if (!word)
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned byte = 0;
        sscanf(hex + 2 * i, "%2x", &byte);
        word[before + i] = (char)byte;
    }
    word[before + length] = 0;
    peer->words[peer->nwords++] = word;
    return true;
}

static void do_spawn_word(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    enum { WORDS_MAX = 10000 };
    const char *hex = pl_pmi1_value(line, "hex");
    long last;
    if (!hex || hex[0] != 'x' || pl_pmi1_number(line, "last", 0, 1, &last) || peer->nwords == WORDS_MAX ||
        !take_word(peer, hex + 1)) {
        drop_words(peer);
        answer(peer, "cmd=spawn_result rc=-1 msg=bad_argument\n");
        return;
    }
    peer->open_word = !last;
    answer(peer, "cmd=spawn_result rc=0\n");
}

static void do_spawn_go(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    struct pl_pmi_server *server = peer->server;
    int error = peer->nwords && server->calls.spawn
                    ? server->calls.spawn(server->calls.owner, peer->words, peer->nwords)
                    : -1;
    drop_words(peer);
    answer(peer, "cmd=spawn_result rc=%d%s\n", error ? -1 : 0, error ? " msg=could_not_start" : "");
}

static const struct {
    const char *cmd;
    void (*serve)(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line); /* NULL: refused */
    const char *refusal;
} requests[] = {
    {"init", do_init, NULL},
    {"get_maxes", do_maxes, NULL},
    {"get_appnum", do_appnum, NULL},
    {"get_my_kvsname", do_space, NULL},
    {"get_universe_size", do_universe, NULL},
    {"put", do_put, NULL},
    {"get", do_get, NULL},
    {"barrier_in", do_barrier, NULL},
    {"finalize", do_finalize, NULL},
    {"abort", do_abort, NULL},
    {"publish_name", do_publish, NULL},
    {"unpublish_name", do_unpublish, NULL},
    {"lookup_name", do_lookup, NULL},
    {"spawn_word", do_spawn_word, NULL},
    {"spawn_go", do_spawn_go, NULL},
    {"getbyidx", NULL, "getbyidx_results"},
    {"create_kvs", NULL, "newkvs"},
    {"destroy_kvs", NULL, "kvs_destroyed"},
};

/* A spawn request is many lines, from mcmd=spawn to endcmd. True: this line was one of them. */
static bool part_of_spawn(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    const char *many = pl_pmi1_value(line, "mcmd");
    if (!peer->spawning && !(many && !strcmp(many, "spawn")))
        return false;
    peer->spawning = !pl_pmi1_value(line, "endcmd");
    if (!peer->spawning)
        answer(peer, "cmd=spawn_result rc=-1 msg=not_supported\n");
    return true;
}

static void serve(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    if (part_of_spawn(peer, line))
        return;
    char text[160];
    const char *cmd = pl_pmi1_value(line, "cmd");
    for (size_t i = 0; cmd && i < sizeof requests / sizeof *requests; i++) {
        if (strcmp(cmd, requests[i].cmd))
            continue;
        if (requests[i].serve)
            requests[i].serve(peer, line);
        else
            answer(peer, "cmd=%s rc=-1 msg=not_supported reason=not_supported\n", requests[i].refusal);
        return;
    }
    snprintf(text, sizeof text, "'%s%.60s' is no PMI-1 request", cmd ? "cmd=" : "",
             cmd ? cmd : line->tokens[0].key);
    broken(peer, text);
}

/* Serves the lines that are there, until an answer has to wait. */
static void serve_lines(struct pl_pmi_peer *peer)
{
    while (peer->open && !peer->unsent_fill) {
        int got = pl_pmi1_reader_next(&peer->reader, &peer->server->line);
        if (got < 0)
            broken(peer, pl_fail_text());
        if (got <= 0)
            return;
        serve(peer, &peer->server->line);
    }
}

/* Reads once; false when there is nothing more now. */
static bool hear(struct pl_pmi_peer *peer)
{
    size_t room;
    char *to = pl_pmi1_reader_room(&peer->reader, &room);
    ssize_t n = recv(peer->watch.fd, to, room, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0) {
        hang_up(peer);
        return false;
    }
    peer->reader.fill += (size_t)n;
    serve_lines(peer);
    return peer->open && !peer->unsent_fill;
}

static void ready(struct pl_watch *watch, uint32_t events)
{
    struct pl_pmi_peer *peer = (struct pl_pmi_peer *)watch;
    if (peer->unsent_fill) {
        flush(peer);
        serve_lines(peer);
    } else {
        hear(peer);
    }
}

/* The job's secret, by which its ranks know each other on the network. It leaves this process only on the
 * descriptors that the ranks inherit (and inside ssh): it is in no argument, environment, file or log. */
static int make_key(struct pl_pmi_server *server)
{
    unsigned char key[32];
    char text[2 * sizeof key + 1];
    if (getrandom(key, sizeof key, 0) != sizeof key)
        return pl_fail_errno("no random numbers for the job's key (getrandom)");
    for (size_t i = 0; i < sizeof key; i++)
        snprintf(text + 2 * i, 3, "%02x", key[i]);
    int error = pl_kvs_put(&server->kvs, PL_PMI1_JOB_KEY, text);
    explicit_bzero(key, sizeof key);
    explicit_bzero(text, sizeof text);
    return error;
}

int pl_pmi_server_init(struct pl_pmi_server *server, struct pl_loop *loop, int size, const char *mapping,
                       const struct pl_pmi_calls *calls)
{
    *server = (struct pl_pmi_server){.loop = loop, .calls = *calls, .size = size, .gone = -1};
    snprintf(server->space, sizeof server->space, "peal-%d", (int)getpid());
    server->peers = calloc((size_t)size, sizeof *server->peers);
    if (!server->peers)
        return pl_fail(PL_ENOMEM, "no memory for %d ranks", size);
    for (int i = 0; i < size; i++)
        server->peers[i].watch.fd = -1;
    int error = pl_kvs_init(&server->kvs, ((size_t)size + 1) * BYTES_PER_RANK);
    if (!error)
        error = make_key(server);
    return error ? error : pl_kvs_put(&server->kvs, "PMI_process_mapping", mapping);
}

void pl_pmi_server_finish(struct pl_pmi_server *server)
{
    for (int i = 0; server->peers && i < server->size; i++) {
        pl_loop_close(server->loop, &server->peers[i].watch);
        free(server->peers[i].unsent);
        drop_words(&server->peers[i]);
    }
    pl_kvs_finish(&server->kvs);
    free(server->peers);
}

int pl_pmi_server_attach(struct pl_pmi_server *server, int rank, int appnum, int fd)
{
    struct pl_pmi_peer *peer = &server->peers[rank];
    peer->server = server;
    peer->rank = rank;
    peer->appnum = appnum;
    peer->open = true;
    peer->watch = (struct pl_watch){.fd = fd, .ready = ready};
    return pl_loop_want(server->loop, &peer->watch, EPOLLIN);
}

void pl_pmi_server_expect(struct pl_pmi_server *server, int rank, int appnum)
{
    struct pl_pmi_peer *peer = &server->peers[rank];
    peer->server = server;
    peer->rank = rank;
    peer->appnum = appnum;
    peer->open = true;
}

void pl_pmi_server_take(struct pl_pmi_server *server, int rank, const char *bytes, size_t length)
{
    struct pl_pmi_peer *peer = &server->peers[rank];
    while (length && peer->open) {
        size_t room;
        char *to = pl_pmi1_reader_room(&peer->reader, &room);
        size_t part = length < room ? length : room;
        memcpy(to, bytes, part);
        peer->reader.fill += part;
        bytes += part;
        length -= part;
        serve_lines(peer);
    }
}

int pl_pmi_server_replace(struct pl_pmi_server *server, int rank, int appnum, int fd, const char *space)
{
    struct pl_pmi_peer *peer = &server->peers[rank];
    peer->started = peer->finalized = peer->ended = peer->spawning = false;
    peer->unsent_fill = peer->reader.fill = 0;
    drop_words(peer);
    snprintf(peer->space, sizeof peer->space, "%s", space);
    return pl_pmi_server_attach(server, rank, appnum, fd);
}

bool pl_pmi_server_ended(struct pl_pmi_server *server, int rank)
{
    struct pl_pmi_peer *peer = &server->peers[rank];
    while (peer->watch.fd >= 0 && hear(peer))
        ;
    hang_up(peer);
    if (peer->waiting) {
        peer->waiting = false;
        server->waiting--;
    }
    if (server->gone < 0)
        server->gone = rank;
    peer->ended = true;
    if (server->tolerant)
        try_barrier(server);
    return peer->started && !peer->finalized;
}

bool pl_pmi_server_parted(const struct pl_pmi_server *server, int rank)
{
    return server->peers[rank].finalized;
}
