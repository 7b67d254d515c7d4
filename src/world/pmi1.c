/* One request, one answer, over the descriptor the launcher left open for us.
 *
 *     rank                                launcher
 *      cmd=init pmi_version=1 ...   --->
 *                                   <---   cmd=response_to_init rc=0 ...
 *      cmd=put kvsname= key= value= --->
 *                                   <---   cmd=put_result rc=0
 *      cmd=barrier_in               --->   (waits for every rank)
 *                                   <---   cmd=barrier_out
 *
 * Only what both Hydra and Slurm understand is sent: version 1.1, and no
 * getbyidx, which costs a round trip for each key of the job. A connection that
 * failed stays failed, so that a later call cannot take a late answer for its
 * own. Memory is one line each way, whatever the launcher sends.
 */
#include "pmi1.h"

#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct pl_pmi1 {
    int fd, rank, size;
    int failed; /* the error that broke the connection, or 0 */
    size_t key_max, value_max;
    char space[PL_PMI1_NAME_MAX];
    struct pl_pmi1_reader reader;
    struct pl_pmi1_line answer;
};

static int gone(struct pl_pmi1 *client, const char *doing)
{
    client->failed = PL_EPEER;
    return pl_fail(PL_EPEER, "rank %d: the launcher is gone (PMI connection %d closed while %s)",
                   client->rank, client->fd, doing);
}

static int write_all(struct pl_pmi1 *client, const char *line, size_t length)
{
    while (length) {
        ssize_t n = send(client->fd, line, length, MSG_NOSIGNAL);
        if (n < 0 && errno == ENOTSOCK)
            n = write(client->fd, line, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return gone(client, "writing to it");
        if (n < 0) {
            client->failed = PL_ESYSTEM;
            return pl_fail_errno("rank %d: write to the PMI connection %d", client->rank, client->fd);
        }
        line += n;
        length -= (size_t)n;
    }
    return 0;
}

static int read_line(struct pl_pmi1 *client, const char *awaited)
{
    for (;;) {
        int got = pl_pmi1_reader_next(&client->reader, &client->answer);
        if (got < 0)
            client->failed = got;
        if (got)
            return got < 0 ? got : 0;
        size_t room;
        char *to = pl_pmi1_reader_room(&client->reader, &room);
        ssize_t n = read(client->fd, to, room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0 || (n < 0 && errno == ECONNRESET))
            return gone(client, awaited);
        if (n < 0) {
            client->failed = PL_ESYSTEM;
            return pl_fail_errno("rank %d: read from the PMI connection %d", client->rank, client->fd);
        }
        client->reader.fill += (size_t)n;
    }
}

/* Sends a request and reads the answer named `awaited` into client->answer. */
static int ask(struct pl_pmi1 *client, const char *awaited, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int ask(struct pl_pmi1 *client, const char *awaited, const char *format, ...)
{
    if (client->failed)
        return pl_fail(client->failed, "rank %d: the PMI connection to the launcher failed before",
                       client->rank);
    char line[PL_PMI1_LINE_MAX];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length < 0 || length >= (int)sizeof line)
        return pl_fail(PL_EARG, "rank %d: PMI request of %d bytes is too long", client->rank, length);
    int error = write_all(client, line, (size_t)length);
    if (!error)
        error = read_line(client, "waiting for its answer");
    if (error)
        return error;
    const char *cmd = pl_pmi1_value(&client->answer, "cmd");
    if (cmd && !strcmp(cmd, awaited))
        return 0;
    client->failed = PL_EPROTOCOL;
    return pl_fail(PL_EPROTOCOL,
                   "rank %d: the launcher answered cmd=%.40s where %s was due (is PMI_FD=%d its?)",
                   client->rank, cmd ? cmd : "", awaited, client->fd);
}

static const char *reason(const struct pl_pmi1 *client)
{
    const char *msg = pl_pmi1_value(&client->answer, "msg");
    if (!msg)
        msg = pl_pmi1_value(&client->answer, "reason");
    return msg ? msg : "no reason given";
}

static int refused(struct pl_pmi1 *client, const char *what)
{
    return pl_fail(PL_EPEER, "rank %d: the launcher refused %.80s: %.80s", client->rank, what,
                   reason(client));
}

bool pl_pmi1_present(void)
{
    return getenv("PMI_FD") != NULL;
}

static int environment_number(const char *name, long least, long most, int *number)
{
    const char *text = getenv(name);
    char *end;
    errno = 0;
    long n = text ? strtol(text, &end, 10) : 0;
    if (!text || end == text || *end || errno || n < least || n > most)
        return pl_fail(PL_EARG, "%s=%.40s: a number from %ld to %ld was expected from the launcher", name,
                       text ? text : "(unset)", least, most);
    *number = (int)n;
    return 0;
}

/* A limit that the launcher tells; what it does not tell, or tells absurdly, is held to our own. */
static size_t limit(struct pl_pmi1 *client, const char *name, size_t most)
{
    long n;
    if (pl_pmi1_number(&client->answer, name, 8, INT_MAX, &n) || (size_t)n > most)
        return most;
    return (size_t)n;
}

static int greet(struct pl_pmi1 *client)
{
    int error = ask(client, "response_to_init", "cmd=init pmi_version=1 pmi_subversion=1\n");
    if (error)
        return error;
    if (!pl_pmi1_succeeded(&client->answer))
        return refused(client, "PMI version 1.1");
    error = ask(client, "maxes", "cmd=get_maxes\n");
    if (error)
        return error;
    client->key_max = limit(client, "keylen_max", PL_PMI1_KEY_MAX);
    client->value_max = limit(client, "vallen_max", PL_PMI1_VALUE_MAX);
    error = ask(client, "my_kvsname", "cmd=get_my_kvsname\n");
    if (error)
        return error;
    const char *space = pl_pmi1_value(&client->answer, "kvsname");
    if (!space || !pl_pmi1_word_fits(space, sizeof client->space))
        return pl_fail(PL_EPROTOCOL, "rank %d: the launcher names no usable key-value space", client->rank);
    strcpy(client->space, space);
    return 0;
}

int pl_pmi1_open(struct pl_pmi1 **out)
{
    struct pl_pmi1 *client = calloc(1, sizeof *client);
    if (!client)
        return pl_fail(PL_ENOMEM, "no memory for the PMI client");
    int error = environment_number("PMI_FD", 0, INT_MAX, &client->fd);
    if (!error)
        error = environment_number("PMI_SIZE", 1, INT_MAX, &client->size);
    if (!error)
        error = environment_number("PMI_RANK", 0, client->size - 1, &client->rank);
    if (error)
        goto free_client;
    int flags = fcntl(client->fd, F_GETFD);
    if (flags < 0) {
        error = pl_fail(PL_EPEER,
                        "PMI_FD=%d is not open: this process was not started by the launcher itself, "
                        "or a wrapper closed it",
                        client->fd);
        goto free_client;
    }
    fcntl(client->fd, F_SETFD, flags | FD_CLOEXEC);
    error = greet(client);
    if (error)
        goto close_fd;
    *out = client;
    return 0;

close_fd:
    close(client->fd);
free_client:
    free(client);
    return error;
}

int pl_pmi1_rank(const struct pl_pmi1 *client)
{
    return client->rank;
}

int pl_pmi1_size(const struct pl_pmi1 *client)
{
    return client->size;
}

const char *pl_pmi1_space(const struct pl_pmi1 *client)
{
    return client->space;
}

size_t pl_pmi1_value_max(const struct pl_pmi1 *client)
{
    return client->value_max - 1;
}

int pl_pmi1_put(struct pl_pmi1 *client, const char *key, const char *value)
{
    if (!pl_pmi1_word_fits(key, client->key_max) || !pl_pmi1_word_fits(value, client->value_max))
        return pl_fail(PL_EARG,
                       "rank %d: PMI put of '%.60s' (%zu bytes): key below %zu and value below %zu bytes, "
                       "without blanks",
                       client->rank, key, strlen(value), client->key_max, client->value_max);
    int error = ask(client, "put_result", "cmd=put kvsname=%s key=%s value=%s\n", client->space, key, value);
    if (error)
        return error;
    return pl_pmi1_succeeded(&client->answer) ? 0 : refused(client, key);
}

int pl_pmi1_get(struct pl_pmi1 *client, const char *key, char *value, size_t size)
{
    if (!pl_pmi1_word_fits(key, client->key_max))
        return pl_fail(PL_EARG, "rank %d: PMI get of '%.60s': not a key", client->rank, key);
    int error = ask(client, "get_result", "cmd=get kvsname=%s key=%s\n", client->space, key);
    if (error)
        return error;
    const char *found = pl_pmi1_value(&client->answer, "value");
    if (!pl_pmi1_succeeded(&client->answer) || !found)
        return pl_fail(PL_EUNREACHABLE, "rank %d: no rank has put '%.60s' (%.80s)", client->rank, key,
                       reason(client));
    if (strlen(found) >= size)
        return pl_fail(PL_ETRUNCATE, "rank %d: the value of '%.60s' has %zu bytes, %zu fit", client->rank,
                       key, strlen(found), size);
    strcpy(value, found);
    return 0;
}

int pl_pmi1_barrier(struct pl_pmi1 *client)
{
    int error = ask(client, "barrier_out", "cmd=barrier_in\n");
    if (error)
        return error;
    return pl_pmi1_succeeded(&client->answer) ? 0 : refused(client, "the barrier");
}

int pl_pmi1_barrier_begin(struct pl_pmi1 *client)
{
    static const char line[] = "cmd=barrier_in\n";
    if (client->failed)
        return pl_fail(client->failed, "rank %d: the PMI connection to the launcher failed before",
                       client->rank);
    return write_all(client, line, sizeof line - 1);
}

int pl_pmi1_barrier_test(struct pl_pmi1 *client, bool *over)
{
    struct pollfd poll_fd = {.fd = client->fd, .events = POLLIN};
    *over = false;
    if (!client->reader.fill && poll(&poll_fd, 1, 0) <= 0)
        return 0;
    int error = read_line(client, "waiting for its answer");
    if (error)
        return error;
    *over = true;
    return pl_pmi1_succeeded(&client->answer) ? 0 : refused(client, "the barrier");
}

int pl_pmi1_appnum(struct pl_pmi1 *client, int *appnum)
{
    long n = 0;
    int error = ask(client, "appnum", "cmd=get_appnum\n");
    if (error)
        return error;
    if (pl_pmi1_succeeded(&client->answer) && pl_pmi1_number(&client->answer, "appnum", 0, INT_MAX, &n))
        n = 0;
    *appnum = (int)n;
    return 0;
}

int pl_pmi1_universe_size(struct pl_pmi1 *client, int *size)
{
    long n = -1;
    int error = ask(client, "universe_size", "cmd=get_universe_size\n");
    if (error)
        return error;
    if (pl_pmi1_succeeded(&client->answer) && pl_pmi1_number(&client->answer, "size", 1, INT_MAX, &n))
        n = -1;
    *size = (int)n;
    return 0;
}

int pl_pmi1_publish(struct pl_pmi1 *client, const char *service, const char *port)
{
    int error = ask(client, "publish_result", "cmd=publish_name service=%s port=%s\n", service, port);
    if (!error && !pl_pmi1_succeeded(&client->answer))
        error = pl_fail(PL_EARG, "the launcher does not publish it: %.80s", reason(client));
    return error;
}

int pl_pmi1_unpublish(struct pl_pmi1 *client, const char *service)
{
    int error = ask(client, "unpublish_result", "cmd=unpublish_name service=%s\n", service);
    if (!error && !pl_pmi1_succeeded(&client->answer))
        error = pl_fail(PL_EARG, "the launcher does not know it: %.80s", reason(client));
    return error;
}

int pl_pmi1_lookup(struct pl_pmi1 *client, const char *service, char *port, size_t size)
{
    int error = ask(client, "lookup_result", "cmd=lookup_name service=%s\n", service);
    if (error)
        return error;
    const char *found = pl_pmi1_value(&client->answer, "port");
    if (!pl_pmi1_succeeded(&client->answer) || !found || strlen(found) >= size)
        return pl_fail(PL_EARG, "the launcher does not know it: %.80s", reason(client));
    strcpy(port, found);
    return 0;
}

/* A word travels as hexadecimal digits, in parts that fit a line; the last one says so. */
static int send_word(struct pl_pmi1 *client, const char *word)
{
    enum { PART = 1500 };
    size_t left = strlen(word);
    do {
        char hex[2 * PART + 1];
        size_t n = left < PART ? left : PART;
        for (size_t i = 0; i < n; i++)
            snprintf(hex + 2 * i, 3, "%02x", (unsigned char)word[i]);
        hex[2 * n] = 0;
        word += n;
        left -= n;
        int error = ask(client, "spawn_result", "cmd=spawn_word hex=x%s last=%d\n", hex, !left);
        if (error)
            return error;
        if (!pl_pmi1_succeeded(&client->answer))
            return refused(client, "an argument of the program to spawn");
    } while (left);
    return 0;
}

int pl_pmi1_spawn(struct pl_pmi1 *client, char *const *words, int count)
{
    if (strncmp(client->space, "peal-", 5))
        return pl_fail(PL_EUNSUPPORTED, "processes are spawned through Peal's mpiexec, and this job was not "
                                        "started by it");
    int error = 0;
    for (int i = 0; i < count && !error; i++)
        error = send_word(client, words[i]);
    if (!error)
        error = ask(client, "spawn_result", "cmd=spawn_go\n");
    if (!error && !pl_pmi1_succeeded(&client->answer))
        error = refused(client, "to spawn");
    return error;
}

int pl_pmi1_abort(struct pl_pmi1 *client, int code, bool called)
{
    char line[64];
    bool say = !called && !strncmp(client->space, "peal-", 5);
    int length = snprintf(line, sizeof line, "cmd=abort exitcode=%d%s\n", code, say ? " why=error" : "");
    return write_all(client, line, (size_t)length);
}

int pl_pmi1_finalize(struct pl_pmi1 *client)
{
    int error = ask(client, "finalize_ack", "cmd=finalize\n");
    if (error)
        return error;
    return pl_pmi1_succeeded(&client->answer) ? 0 : refused(client, "finalize");
}

void pl_pmi1_close(struct pl_pmi1 *client)
{
    if (!client)
        return;
    close(client->fd);
    free(client);
}
