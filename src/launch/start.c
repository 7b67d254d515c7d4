/* Starting the ranks of a host, one after the other: two pipes for the outputs, a socket
 * pair for PMI, and a vfork. A fraction of a millisecond each, so there is
 * nothing to gain from starting them in a tree on one host.
 */
#include "start.h"

#include "cpus.h"
#include "environment.h"
#include "errors.h"
#include "roll_wire.h"
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OWN_FILES = 16, FILES_PER_RANK = 3, OTHERWISE = 1 };

struct starter {
    char *again; /* a word for a process that is started again, a world of its own; NULL: ranks are started */
    struct pl_start *start;
    struct pl_spawn spawn;
    int null; /* /dev/null, the standard input of all ranks but the first */
    struct pl_cores *cores;
};

int pl_start_files(int ranks, int more, struct rlimit *inherited)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return pl_fail_errno("getrlimit");
    *inherited = limit;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t need = (rlim_t)ranks * FILES_PER_RANK + OWN_FILES + (rlim_t)more;
    if (need > limit.rlim_cur)
        return pl_fail(PL_ESYSTEM,
                       "%d ranks need %lu open files in mpiexec, and the limit is %lu (ulimit -Hn)", ranks,
                       (unsigned long)need, (unsigned long)limit.rlim_cur);
    return 0;
}

static int read_cores(struct starter *starter)
{
    const struct pl_start *start = starter->start;
    int ranks = start->layout->on_host[start->host];
    if (!start->options->bind)
        return 0;
    starter->cores = malloc(sizeof *starter->cores);
    int error =
        starter->cores ? pl_cores_read(starter->cores) : pl_fail(PL_ENOMEM, "no memory for the cores");
    if (!error && ranks > starter->cores->count && !start->options->oversubscribe)
        error =
            pl_fail(PL_EARG, "--bind-to core: %d ranks, but %d cores; --oversubscribe lets ranks share cores",
                    ranks, starter->cores->count);
    return error;
}

/* Why a program does not run, with what helps. */
static int not_run(struct pl_start *start, const struct pl_app *app, const char *step)
{
    int number = errno;
    const char *name = app->argv[0], *hint = "";
    if (!strcmp(step, "change to its directory")) {
        start->code = OTHERWISE;
        return pl_fail(PL_ESYSTEM, "cannot run '%.200s' in the directory '%.200s' (-wdir): %s", name,
                       app->wdir, strerror(number));
    }
    start->code = number == ENOENT                        ? PL_NOT_FOUND
                  : number == EACCES || number == ENOEXEC ? PL_NOT_RUNNABLE
                                                          : OTHERWISE;
    if (number == ENOENT && !strchr(name, '/') && !access(name, X_OK))
        hint = " in PATH, but in this directory: write ./ before it";
    else if (number == ENOENT && strchr(name, '/') && !app->wdir && !access(name, F_OK))
        hint = ": the interpreter that its first line names";
    else if (number == ENOEXEC)
        hint = ": a script needs a first line such as #!/bin/sh";
    return pl_fail(PL_ESYSTEM, "cannot %s '%.200s': %s%s", step, name, strerror(number), hint);
}

static int too_few(struct pl_start *start, const char *what)
{
    start->code = OTHERWISE;
    return pl_fail(PL_ESYSTEM, "only %d of %d ranks could be started: %s: %s%s", start->count,
                   start->layout->on_host[start->host], what, strerror(errno),
                   errno == EAGAIN ? " (limit of processes: ulimit -u, or the container's)" : "");
}

static void close_pair(const int pair[2])
{
    if (pair[0] >= 0)
        close(pair[0]);
    if (pair[1] >= 0)
        close(pair[1]);
}

/* Rank 0's standard input. */
static int choose_input(struct starter *starter, int rank, int pair[2])
{
    pair[0] = pair[1] = -1;
    if (rank || starter->again)
        starter->spawn.in = starter->null;
    else if (starter->start->input >= 0)
        starter->spawn.in = starter->start->input;
    else if (pipe2(pair, O_CLOEXEC))
        return -1;
    else
        starter->spawn.in = pair[0];
    return 0;
}

/* There is room for two: PL_RANK_VARIABLES. */
static void append(char **words, char *word)
{
    while (*words)
        words++;
    words[0] = word;
    words[1] = NULL;
}

/* The rank inherits the roll; `word` is its variable. */
static void lend_roll(const struct pl_start *start, struct pl_spawn *spawn, char word[32])
{
    if (!start->roll)
        return;
    snprintf(word, 32, "%s=%d", PL_ROLL_VARIABLE, start->roll);
    append(spawn->environment, word);
    spawn->roll = start->roll;
}

static int start_rank(struct starter *starter, int rank, int appnum, struct pl_environment *environment)
{
    struct pl_start *start = starter->start;
    struct pl_spawn *spawn = &starter->spawn;
    const struct pl_layout *layout = start->layout;
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, pmi[2] = {-1, -1}, error;
    if (choose_input(starter, rank, in) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pmi)) {
        error = too_few(start, "pipe");
        goto close_all;
    }
    const int ours[] = {in[1], out[0], err[0]};
    for (int i = 0; i < 3; i++)
        if (ours[i] >= 0)
            fcntl(ours[i], F_SETFL, O_NONBLOCK);
    struct pl_place place = {rank, layout->ranks, layout->local_rank[rank], layout->on_host[start->host]};
    if (starter->again)
        place = (struct pl_place){0, 1, 0, 1};
    spawn->out = out[1];
    spawn->err = err[1];
    spawn->pmi = pmi[1];
    spawn->environment = pl_environment_of(environment, &place, pmi[1]);
    char roll[32];
    lend_roll(start, spawn, roll);
    if (starter->again)
        append(spawn->environment, starter->again);
    spawn->cpus = starter->cores ? &starter->cores->sets[place.local_rank % starter->cores->count] : NULL;
    const char *step;
    pid_t pid;
    error = pl_spawn(spawn, &pid, &step);
    if (error) {
        error = !strcmp(step, "fork") || !strcmp(step, "bind")
                    ? too_few(start, step)
                    : not_run(start, &start->options->apps[appnum], step);
        goto close_all;
    }
    start->count++;
    close(out[1]);
    close(err[1]);
    close(pmi[1]);
    if (in[0] >= 0)
        close(in[0]);
    return start->started(start->owner, rank, appnum, pid, &(struct pl_ends){in[1], out[0], err[0], pmi[0]});

close_all:
    close_pair(in);
    close_pair(out);
    close_pair(err);
    close_pair(pmi);
    return error;
}

/* The host's first rank of a program whose ranks are [first, end); `end` if it has none. */
static int first_here(const struct pl_start *start, int first, int end)
{
    while (first < end && start->layout->host_of[first] != start->host)
        first++;
    return first;
}

static int check_app(struct pl_start *start, struct pl_app *app)
{
    char *path = pl_spawn_find(app->argv[0]);
    bool elsewhere = path && path[0] != '/' && app->wdir; /* relative to where it will run */
    int error = !path                                  ? not_run(start, app, "run")
                : app->wdir && access(app->wdir, X_OK) ? not_run(start, app, "change to its directory")
                : !elsewhere && access(path, X_OK)     ? not_run(start, app, "run")
                                                       : 0;
    free(path);
    return error;
}

int pl_start_check(struct pl_start *start)
{
    int first = 0, error = 0;
    for (int i = 0; i < start->options->napps && !error; i++) {
        struct pl_app *app = &start->options->apps[i];
        if (first_here(start, first, first + app->ranks) < first + app->ranks)
            error = check_app(start, app);
        first += app->ranks;
    }
    return error;
}

/* The host's ranks of a program, whose first rank is `first`. */
static int start_app(struct starter *starter, int appnum, int first)
{
    struct pl_start *start = starter->start;
    struct pl_app *app = &start->options->apps[appnum];
    int end = first + app->ranks, rank = first_here(start, first, end);
    if (rank == end)
        return 0;
    struct pl_environment environment;
    char *path = pl_spawn_find(app->argv[0]);
    if (!path)
        return not_run(start, app, "run");
    starter->spawn.path = path;
    starter->spawn.argv = app->argv;
    starter->spawn.wdir = app->wdir;
    int error =
        pl_environment_init(&environment, start->environment, &start->options->settings, &app->settings);
    for (; rank < end && !error; rank++)
        if (start->layout->host_of[rank] == start->host)
            error = start_rank(starter, rank, appnum, &environment);
    pl_environment_finish(&environment);
    free(path);
    return error;
}

static int begin(struct pl_start *start, struct starter *starter)
{
    start->code = OTHERWISE;
    start->count = 0;
    *starter = (struct starter){.start = start, .null = open("/dev/null", O_RDWR | O_CLOEXEC)};
    starter->spawn.signals = start->signals;
    starter->spawn.files = start->files;
    return starter->null < 0 ? pl_fail_errno("open /dev/null") : 0;
}

int pl_start_again(struct pl_start *start, int rank, char *word)
{
    struct starter starter;
    struct pl_environment environment;
    int error = begin(start, &starter), app = 0;
    if (error)
        return error;
    for (int first = 0; rank >= first + start->options->apps[app].ranks; app++)
        first += start->options->apps[app].ranks;
    const struct pl_app *program = &start->options->apps[app];
    char *path = pl_spawn_find(program->argv[0]);
    starter.again = word;
    starter.spawn.path = path;
    starter.spawn.argv = program->argv;
    starter.spawn.wdir = program->wdir;
    error = path ? pl_environment_init(&environment, start->environment, &start->options->settings,
                                       &program->settings)
                 : pl_fail_errno("%s", program->argv[0]);
    if (!error) {
        error = start_rank(&starter, rank, app, &environment);
        pl_environment_finish(&environment);
    }
    free(path);
    close(starter.null);
    return error;
}

int pl_start_ranks(struct pl_start *start)
{
    struct starter starter;
    int error = begin(start, &starter), first = 0;
    if (error)
        return error;
    error = read_cores(&starter);
    for (int i = 0; i < start->options->napps && !error; i++) {
        error = start_app(&starter, i, first);
        first += start->options->apps[i].ranks;
    }
    free(starter.cores);
    close(starter.null);
    return error;
}
