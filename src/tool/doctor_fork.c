/* A launcher of two. Most of what is to be known of a host needs two processes: whether shared memory can be
 * opened, another's memory read, a connection made. Where nobody started `peal doctor` it divides into rank 0
 * and rank 1, which leave each other words as under a launcher, through a pair of sockets.
 *
 *     put      kept here, and noted for the other
 *     barrier  rank 1 sends its notes, rank 0 its own; then both know both
 *
 * The child is divided off before anything else is begun, so that it has no ports, threads or devices of
 * its parent's.
 */
#include "doctor.h"

#include "errors.h"
#include "kvs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MOST = 64 << 20 };

struct forked {
    struct pl_launcher launcher;
    struct pl_kvs words;
    FILE *notes; /* "key value\n" since the last barrier, into */
    char *text;
    size_t size;
    int socket;
    pid_t child; /* 0: this is it */
};

static struct forked *forked_of(struct pl_launcher *launcher)
{
    return (struct forked *)launcher;
}

static int put(struct pl_launcher *launcher, const char *key, const char *value)
{
    struct forked *f = forked_of(launcher);
    if (fprintf(f->notes, "%s %s\n", key, value) < 0)
        return pl_fail(PL_ENOMEM, "no memory for a word to the other process");
    return pl_kvs_put(&f->words, key, value);
}

static int get(struct pl_launcher *launcher, const char *key, char *value, size_t size)
{
    const char *found = pl_kvs_get(&forked_of(launcher)->words, key);
    if (!found)
        return pl_fail(PL_EUNREACHABLE, "nobody has left a word under %s", key);
    if (strlen(found) >= size)
        return pl_fail(PL_ETRUNCATE, "what is left under %s has %zu bytes", key, strlen(found));
    strcpy(value, found);
    return 0;
}

static int broken(void)
{
    return pl_fail(PL_EPEER, "the second process of peal doctor has ended before its time");
}

static int say(struct forked *f, const void *bytes, size_t length)
{
    for (const char *at = bytes; length;) {
        ssize_t sent = send(f->socket, at, length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return broken();
        at += sent > 0 ? sent : 0;
        length -= sent > 0 ? (size_t)sent : 0;
    }
    return 0;
}

static int hear(struct forked *f, void *bytes, size_t length)
{
    for (char *at = bytes; length;) {
        ssize_t got = recv(f->socket, at, length, 0);
        if (!got || (got < 0 && errno != EINTR))
            return broken();
        at += got > 0 ? got : 0;
        length -= got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static int say_notes(struct forked *f)
{
    fclose(f->notes);
    int error = say(f, &f->size, sizeof f->size);
    if (!error)
        error = say(f, f->text, f->size);
    free(f->text);
    f->text = NULL;
    f->notes = open_memstream(&f->text, &f->size);
    if (!f->notes && !error)
        error = pl_fail(PL_ENOMEM, "no memory for words to the other process");
    return error;
}

static int hear_notes(struct forked *f)
{
    size_t size = 0;
    int error = hear(f, &size, sizeof size);
    char *text = error || size > WORDS_MOST ? NULL : malloc(size + 1);
    if (!error && !text)
        error = pl_fail(PL_ENOMEM, "no memory for %zu bytes of words", size);
    if (!error)
        error = hear(f, text, size);
    if (!error) {
        text[size] = '\0';
        char *rest = text;
        for (char *line; !error && (line = strsep(&rest, "\n"));) {
            char *value = strchr(line, ' ');
            if (!value)
                continue;
            *value++ = '\0';
            error = pl_kvs_put(&f->words, line, value);
        }
    }
    free(text);
    return error;
}

/* One speaks while the other listens: neither can fill the socket and wait. */
static int barrier(struct pl_launcher *launcher)
{
    struct forked *f = forked_of(launcher);
    int error = launcher->rank ? say_notes(f) : hear_notes(f);
    if (error)
        return error;
    return launcher->rank ? hear_notes(f) : say_notes(f);
}

static int host_of(struct pl_launcher *launcher, int rank)
{
    return 0;
}

static void abort_both(struct pl_launcher *launcher, int code, const char *text, bool called)
{
    shutdown(forked_of(launcher)->socket, SHUT_RDWR);
}

static void finalize(struct pl_launcher *launcher)
{
}

static void close_it(struct pl_launcher *launcher)
{
    struct forked *f = forked_of(launcher);
    close(f->socket);
    if (f->notes)
        fclose(f->notes);
    free(f->text);
    pl_kvs_finish(&f->words);
    while (f->child && waitpid(f->child, NULL, 0) < 0 && errno == EINTR)
        ;
    free(f);
}

static const struct pl_launcher_calls calls = {put, get, barrier, host_of, abort_both, finalize, close_it};

int pl_launcher_fork(struct pl_launcher **launcher)
{
    int sockets[2];
    struct forked *f = calloc(1, sizeof *f);
    if (!f || pl_kvs_init(&f->words, WORDS_MOST)) {
        free(f);
        return pl_fail(PL_ENOMEM, "no memory to start");
    }
    int error = 0;
    f->notes = open_memstream(&f->text, &f->size);
    if (!f->notes) {
        error = pl_fail(PL_ENOMEM, "no memory for words to the other process");
        goto finish_words;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets)) {
        error = pl_fail_errno("socketpair, for a second process");
        goto close_notes;
    }
    fflush(NULL);
    f->child = fork();
    if (f->child < 0) {
        error = pl_fail_errno("fork, for a second process to talk to");
        goto close_sockets;
    }
    f->launcher = (struct pl_launcher){.calls = &calls, .rank = !f->child, .size = 2, .space = "doctor"};
    f->socket = sockets[f->launcher.rank];
    close(sockets[!f->launcher.rank]);
    *launcher = &f->launcher;
    return 0;
close_sockets:
    close(sockets[0]);
    close(sockets[1]);
close_notes:
    fclose(f->notes);
    free(f->text);
finish_words:
    pl_kvs_finish(&f->words);
    free(f);
    return error;
}
