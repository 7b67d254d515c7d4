/* vfork and exec. The child borrows our memory until it runs its program, so
 * nothing is copied, however many ranks; and it can write down in our memory
 * which step failed and why, where a fork would need a pipe for each rank.
 *
 *     mpiexec ---vfork---(stands still)------- goes on: it runs, or `step` says why not
 *                  \                  /
 *                   child: death signal, group, descriptors, directory, exec
 *
 * PR_SET_PDEATHSIG has the kernel kill the rank when mpiexec dies, even of
 * SIGKILL; it is asked for before the parent is looked at, so a death in between
 * is seen too. posix_spawn can do neither that nor bind to a core.
 */
#include "spawn.h"

#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct failure {
    const char *step;
    int number;
};

/* Runs in the child, on our memory: calls nothing that allocates or locks. */
static _Noreturn void become(const struct pl_spawn *spawn, pid_t parent, volatile struct failure *failure)
{
    failure->step = "run";
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    setpgid(0, 0);
    if ((spawn->in && dup2(spawn->in, 0) < 0) || dup2(spawn->out, 1) < 0 || dup2(spawn->err, 2) < 0 ||
        (spawn->pmi >= 0 && fcntl(spawn->pmi, F_SETFD, 0) < 0) ||
        (spawn->roll && fcntl(spawn->roll, F_SETFD, 0) < 0))
        goto failed;
    setrlimit(RLIMIT_NOFILE, &spawn->files);
    if (spawn->cpus && sched_setaffinity(0, sizeof *spawn->cpus, spawn->cpus)) {
        failure->step = "bind";
        goto failed;
    }
    if (spawn->wdir && chdir(spawn->wdir)) {
        failure->step = "change to its directory";
        goto failed;
    }
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &spawn->signals, NULL);
    execve(spawn->path, spawn->argv, spawn->environment);
failed:
    failure->number = errno;
    _exit(127);
}

int pl_spawn(const struct pl_spawn *spawn, pid_t *pid, const char **step)
{
    volatile struct failure failure = {"fork",
                                       0}; /* volatile: the child writes it behind the compiler's back */
    pid_t parent = getpid();
    pid_t child = vfork();
    if (!child)
        become(spawn, parent, &failure);
    if (child < 0)
        failure.number = errno;
    if (failure.number) {
        *step = failure.step;
        errno = failure.number;
        return pl_fail_errno("%s", failure.step);
    }
    *pid = child;
    return 0;
}

static int runnable(const char *path)
{
    struct stat status;
    if (stat(path, &status))
        return errno;
    if (S_ISDIR(status.st_mode) || access(path, X_OK))
        return EACCES;
    return 0;
}

char *pl_spawn_find(const char *name)
{
    if (strchr(name, '/'))
        return strdup(name);
    const char *list = getenv("PATH");
    int error = ENOENT;
    for (const char *at = list ? list : "/usr/local/bin:/usr/bin:/bin"; at; at = strchr(at, ':')) {
        at += *at == ':' && at != list;
        int length = (int)strcspn(at, ":");
        char *path;
        if (asprintf(&path, "%.*s%s%s", length, at, length ? "/" : "./", name) < 0)
            return NULL;
        int reason = runnable(path);
        if (!reason)
            return path;
        free(path);
        if (reason == EACCES)
            error = EACCES;
    }
    errno = error;
    return NULL;
}
