/* A rank dies with mpiexec by its death signal (spawn.c), but a wrapper's program, or what a rank forked,
 * does not: the signal reaches only mpiexec's own children. So a child of mpiexec waits for the end of
 * mpiexec.
 *
 *     mpiexec --socket-- guard      a byte: all is over, go;   the end of the socket: mpiexec was killed,
 *          \             /          so kill the groups
 *           groups, shared          written by mpiexec as ranks start and end
 *
 * It makes itself a session of its own, so that a Ctrl-C meant for mpiexec does not reach it, and holds no
 * descriptor that somebody may wait for the end of.
 *
 * Rejected: looking for the job's processes in /proc (slow, and other users' are not to be seen), and having
 * each rank watch its connection to mpiexec (a rank that computes does not look, and its children have none).
 */
#include "guard.h"

#include "errors.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void stand_guard(const struct pl_guard *guard, int fd)
{
    char byte;
    setsid();
    prctl(PR_SET_NAME, "mpiexec-guard");
    if (dup2(fd, 0) < 0 || close_range(1, ~0u, 0) || read(0, &byte, 1))
        _exit(0);
    for (int i = 0; i < guard->count; i++)
        if (guard->groups[i] > 1)
            kill(-guard->groups[i], SIGKILL);
    _exit(0);
}

int pl_guard_start(struct pl_guard *guard, int count)
{
    int ends[2];
    size_t bytes = (size_t)count * sizeof *guard->groups;
    *guard = (struct pl_guard){.fd = -1};
    if (!count)
        return 0;
    void *groups = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (groups == MAP_FAILED)
        return pl_fail_errno("mmap of %zu bytes", bytes);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
        munmap(groups, bytes);
        return pl_fail_errno("socketpair");
    }
    *guard = (struct pl_guard){.fd = ends[0], .count = count, .groups = groups};
    guard->pid = fork();
    if (!guard->pid)
        stand_guard(guard, ends[1]);
    int error = guard->pid < 0 ? pl_fail_errno("fork") : 0;
    close(ends[1]);
    if (error)
        pl_guard_finish(guard);
    return error;
}

void pl_guard_note(struct pl_guard *guard, int i, pid_t group)
{
    if (guard->fd >= 0 && i >= 0 && i < guard->count)
        guard->groups[i] = group;
}

void pl_guard_finish(struct pl_guard *guard)
{
    if (guard->fd < 0 || !guard->groups)
        return;
    bool told = send(guard->fd, "", 1, MSG_NOSIGNAL) == 1;
    close(guard->fd);
    guard->fd = -1;
    if (told && guard->pid > 0)
        waitpid(guard->pid, NULL, 0);
    munmap(guard->groups, (size_t)guard->count * sizeof *guard->groups);
    guard->groups = NULL;
}
