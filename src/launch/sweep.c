/* mpiexec (an agent on its host likewise) is the subreaper of its descendants:
 * whatever a rank started comes to it when its own parent dies, even if it made
 * itself a session of its own. So after the ranks' process groups, mpiexec's children
 * are killed until there are none; each that dies hands its own children over for the next round.
 *
 * What this cannot reach: descendants when mpiexec itself is killed with SIGKILL (then the guard, guard.c,
 * kills the ranks' process groups, but not what made itself a session of its own), and a program that runs as
 * another user or from a set-user-ID file.
 */
#include "sweep.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 100, ROUND_MS = 10 };

static void kill_children(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    int pid;
    while (file && fscanf(file, "%d", &pid) == 1)
        if (pid > 1)
            kill(pid, SIGKILL);
    if (file)
        fclose(file);
}

void pl_sweep(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        pid_t pid;
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (pid < 0 && errno == ECHILD)
            return;
        kill_children();
        nanosleep(&(struct timespec){.tv_nsec = ROUND_MS * 1000000}, NULL);
    }
}
