/* Answers each line as it comes; state is a few flags a rank and one table of
 * words. The barrier is a count: the last rank to come releases all, n messages
 * in all. A rank that does not read its answers is not read from either, so
 * what is kept for it stays below a line or two.
 *
 * A rank that sends nonsense ends the job: what it wanted cannot be known, and
 * leaving it without an answer would hang it. Requests that are PMI-1 but serve
 * what Peal has not (spawn, name publishing) are refused with rc=-1, which the
 * MPI library at the other end turns into an error of its own.
 */
#include "pmi_server.h"

#include "errors.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BYTES_PER_RANK = 1 << 20 };

static void flush(struct pl_pmi_peer *peer)
{
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

static void broken(struct pl_pmi_peer *peer, const char *reason)
{
    pl_loop_close(peer->server->loop, &peer->watch);
    peer->server->calls.broken(peer->server->calls.owner, peer->rank, reason);
}

static void answer(struct pl_pmi_peer *peer, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void answer(struct pl_pmi_peer *peer, const char *format, ...)
{
    char line[PL_PMI1_LINE_MAX];
    if (peer->watch.fd < 0)
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

static void do_space(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    answer(peer, "cmd=my_kvsname kvsname=%s rc=0\n", peer->server->space);
}

static void do_universe(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    answer(peer, "cmd=universe_size size=%d rc=0\n", peer->server->size);
}

static bool in_space(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    const char *space = pl_pmi1_value(line, "kvsname");
    return space && !strcmp(space, peer->server->space);
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
    if (!server->waiting || server->gone < 0)
        return;
    int rank = 0;
    while (!server->peers[rank].waiting)
        rank++;
    server->calls.stuck(server->calls.owner, rank, server->gone);
}

static void do_barrier(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    struct pl_pmi_server *server = peer->server;
    if (peer->waiting) {
        broken(peer, "it entered the PMI barrier twice");
        return;
    }
    peer->waiting = true;
    if (++server->waiting < server->size) {
        pl_pmi_server_check(server);
        return;
    }
    server->waiting = 0;
    for (int i = 0; i < server->size; i++) {
        server->peers[i].waiting = false;
        answer(&server->peers[i], "cmd=barrier_out rc=0\n");
    }
}

static void do_finalize(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    peer->finalized = true;
    answer(peer, "cmd=finalize_ack rc=0\n");
}

static void do_abort(struct pl_pmi_peer *peer, const struct pl_pmi1_line *line)
{
    long code;
    if (pl_pmi1_number(line, "exitcode", INT_MIN, INT_MAX, &code))
        code = 1;
    peer->server->calls.aborted(peer->server->calls.owner, peer->rank, (int)code);
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
    {"publish_name", NULL, "publish_result"},
    {"unpublish_name", NULL, "unpublish_result"},
    {"lookup_name", NULL, "lookup_result"},
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
    while (peer->watch.fd >= 0 && !peer->unsent_fill) {
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
        pl_loop_close(peer->server->loop, &peer->watch);
        return false;
    }
    peer->reader.fill += (size_t)n;
    serve_lines(peer);
    return peer->watch.fd >= 0 && !peer->unsent_fill;
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

int pl_pmi_server_init(struct pl_pmi_server *server, struct pl_loop *loop, int size,
                       const struct pl_pmi_calls *calls)
{
    *server = (struct pl_pmi_server){.loop = loop, .calls = *calls, .size = size, .gone = -1};
    snprintf(server->space, sizeof server->space, "peal-%d", (int)getpid());
    server->peers = calloc((size_t)size, sizeof *server->peers);
    if (!server->peers)
        return pl_fail(PL_ENOMEM, "no memory for %d ranks", size);
    for (int i = 0; i < size; i++)
        server->peers[i].watch.fd = -1;
    char mapping[64];
    snprintf(mapping, sizeof mapping, "(vector,(0,1,%d))", size);
    int error = pl_kvs_init(&server->kvs, ((size_t)size + 1) * BYTES_PER_RANK);
    return error ? error : pl_kvs_put(&server->kvs, "PMI_process_mapping", mapping);
}

void pl_pmi_server_finish(struct pl_pmi_server *server)
{
    for (int i = 0; server->peers && i < server->size; i++) {
        pl_loop_close(server->loop, &server->peers[i].watch);
        free(server->peers[i].unsent);
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
    peer->watch = (struct pl_watch){.fd = fd, .ready = ready};
    return pl_loop_want(server->loop, &peer->watch, EPOLLIN);
}

bool pl_pmi_server_ended(struct pl_pmi_server *server, int rank)
{
    struct pl_pmi_peer *peer = &server->peers[rank];
    while (peer->watch.fd >= 0 && hear(peer))
        ;
    pl_loop_close(server->loop, &peer->watch);
    if (peer->waiting) {
        peer->waiting = false;
        server->waiting--;
    }
    if (server->gone < 0)
        server->gone = rank;
    return peer->started && !peer->finalized;
}
