/* Starting the ranks, one after the other: two pipes for the outputs, a socket
 * pair for PMI, and a vfork. A fraction of a millisecond each, so there is
 * nothing to gain from starting them in a tree on one host.
 */
#include "job.h"

#include "cpus.h"
#include "environment.h"
#include "errors.h"
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OWN_FILES = 16, FILES_PER_RANK = 3, NOT_FOUND = 127, NOT_RUNNABLE = 126, OTHERWISE = 1 };

extern char **environ;

struct starter {
    struct pl_job *job;
    struct pl_spawn spawn;
    int null; /* /dev/null, the standard input of all ranks but the first */
    struct pl_cores *cores;
};

static int lift_file_limit(struct pl_job *job)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return pl_fail_errno("getrlimit");
    job->inherited_files = limit;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t need = (rlim_t)job->options->ranks * FILES_PER_RANK + OWN_FILES;
    if (need > limit.rlim_cur)
        return pl_fail(PL_ESYSTEM,
                       "%d ranks need %lu open files in mpiexec, and the limit is %lu (ulimit -Hn)",
                       job->options->ranks, (unsigned long)need, (unsigned long)limit.rlim_cur);
    return 0;
}

static int read_cores(struct starter *starter)
{
    const struct pl_options *options = starter->job->options;
    if (!options->bind)
        return 0;
    starter->cores = malloc(sizeof *starter->cores);
    int error =
        starter->cores ? pl_cores_read(starter->cores) : pl_fail(PL_ENOMEM, "no memory for the cores");
    if (!error && options->ranks > starter->cores->count && !options->oversubscribe)
        error =
            pl_fail(PL_EARG, "--bind-to core: %d ranks, but %d cores; --oversubscribe lets ranks share cores",
                    options->ranks, starter->cores->count);
    return error;
}

/* Why a program does not run, with what helps. */
static int not_run(struct pl_job *job, const struct pl_app *app, const char *step)
{
    int number = errno;
    const char *name = app->argv[0], *hint = "";
    job->code = number == ENOENT                        ? NOT_FOUND
                : number == EACCES || number == ENOEXEC ? NOT_RUNNABLE
                                                        : OTHERWISE;
    if (!strcmp(step, "change to its directory"))
        job->code = OTHERWISE;
    else if (number == ENOENT && !strchr(name, '/') && !access(name, X_OK))
        hint = " in PATH, but in this directory: write ./ before it";
    else if (number == ENOENT && strchr(name, '/') && !app->wdir && !access(name, F_OK))
        hint = ": the interpreter that its first line names";
    else if (number == ENOEXEC)
        hint = ": a script needs a first line such as #!/bin/sh";
    return pl_fail(PL_ESYSTEM, "cannot %s '%.200s'%s%.100s: %s%s", step, name,
                   job->code == OTHERWISE && app->wdir ? " in " : "",
                   job->code == OTHERWISE && app->wdir ? app->wdir : "", strerror(number), hint);
}

static int too_few(struct pl_job *job, const char *what)
{
    job->code = OTHERWISE;
    return pl_fail(PL_ESYSTEM, "only %d of %d ranks could be started: %s: %s%s", job->started,
                   job->options->ranks, what, strerror(errno),
                   errno == EAGAIN ? " (limit of processes: ulimit -u, or the container's)" : "");
}

static void close_pair(const int pair[2])
{
    if (pair[0] >= 0)
        close(pair[0]);
    if (pair[1] >= 0)
        close(pair[1]);
}

/* Gives our ends of a started rank's channels to those who serve them. */
static int attach(struct pl_job *job, int rank, int appnum, int out, int err, int pmi)
{
    int error = pl_output_attach(&job->output, rank, 1, out);
    int error_err = pl_output_attach(&job->output, rank, 2, err);
    int error_pmi = pl_pmi_server_attach(&job->pmi, rank, appnum, pmi);
    return error ? error : error_err ? error_err : error_pmi;
}

/* Rank 0's standard input: our own, unless that is a terminal (terminal.c). */
static int choose_input(struct starter *starter, int rank, int pair[2])
{
    pair[0] = pair[1] = -1;
    if (rank)
        starter->spawn.in = starter->null;
    else if (!isatty(0))
        starter->spawn.in = 0;
    else if (pipe2(pair, O_CLOEXEC))
        return -1;
    else
        starter->spawn.in = pair[0];
    return 0;
}

static int start_rank(struct starter *starter, int rank, int appnum, struct pl_environment *environment)
{
    struct pl_job *job = starter->job;
    struct pl_spawn *spawn = &starter->spawn;
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, pmi[2] = {-1, -1}, error;
    if (choose_input(starter, rank, in) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pmi)) {
        error = too_few(job, "pipe");
        goto close_all;
    }
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    spawn->out = out[1];
    spawn->err = err[1];
    spawn->pmi = pmi[1];
    spawn->environment = pl_environment_of(environment, rank, pmi[1]);
    char roll[32];
    pl_job_roll_lend(job, spawn, roll);
    spawn->cpus = starter->cores ? &starter->cores->sets[rank % starter->cores->count] : NULL;
    const char *step;
    pid_t pid;
    error = pl_spawn(spawn, &pid, &step);
    if (error) {
        error = !strcmp(step, "fork") || !strcmp(step, "bind")
                    ? too_few(job, step)
                    : not_run(job, &job->options->apps[appnum], step);
        goto close_all;
    }
    job->members[rank] = (struct pl_member){.pid = pid, .alive = true, .group = true};
    job->started++;
    job->alive++;
    pl_roll_started(job->roll, rank, pid, job->host);
    close(out[1]);
    close(err[1]);
    close(pmi[1]);
    if (in[0] >= 0) {
        close(in[0]);
        fcntl(in[1], F_SETFL, O_NONBLOCK);
        pl_terminal_start(&job->terminal, in[1]);
    }
    return attach(job, rank, appnum, out[0], err[0], pmi[0]);

close_all:
    close_pair(in);
    close_pair(out);
    close_pair(err);
    close_pair(pmi);
    return error;
}

static int start_app(struct starter *starter, int appnum)
{
    struct pl_job *job = starter->job;
    struct pl_app *app = &job->options->apps[appnum];
    struct pl_environment environment;
    char *path = pl_spawn_find(app->argv[0]);
    if (!path)
        return not_run(job, app, "run");
    starter->spawn.path = path;
    starter->spawn.argv = app->argv;
    starter->spawn.wdir = app->wdir;
    int error = pl_environment_init(&environment, environ, &job->options->settings, &app->settings,
                                    job->options->ranks);
    for (int i = 0; i < app->ranks && !error; i++)
        error = start_rank(starter, job->started, appnum, &environment);
    pl_environment_finish(&environment);
    free(path);
    return error;
}

int pl_job_start(struct pl_job *job)
{
    job->code = OTHERWISE;
    int error = lift_file_limit(job);
    if (error)
        return error;
    struct starter starter = {.job = job, .null = open("/dev/null", O_RDWR | O_CLOEXEC)};
    if (starter.null < 0)
        return pl_fail_errno("open /dev/null");
    starter.spawn.signals = job->inherited_mask;
    starter.spawn.files = job->inherited_files;
    error = read_cores(&starter);
    for (int i = 0; i < job->options->napps && !error; i++)
        error = start_app(&starter, i);
    free(starter.cores);
    close(starter.null);
    if (!error)
        job->code = 0;
    return error;
}
