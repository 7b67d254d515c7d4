/* Subjobs: what MPI_Comm_spawn starts is a job like any other, so another mpiexec runs it, a child of this
 * one. It writes to the same outputs, dies with this one, passes on the signals that it gets from
 * here, and its failure is the job's failure. Running its ranks as further ranks of this job was rejected:
 * a world has its own numbers, its own barrier and its own table of words, all of which mpiexec has once.
 */
#include "job.h"

#include "errors.h"
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int pl_job_spawn(void *owner, char *const *words, int count)
{
    struct pl_job *job = owner;
    if (job->phase != PL_RUNNING)
        return pl_fail(PL_EARG, "the job is ending");
    struct pl_subjob *grown = realloc(job->subjobs, sizeof *grown * ((size_t)job->nsubjobs + 1));
    if (grown)
        job->subjobs = grown;
    char **argv = calloc((size_t)count + 2, sizeof *argv);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out = fcntl(1, F_DUPFD_CLOEXEC, 3), err = fcntl(2, F_DUPFD_CLOEXEC, 3);
    int error = grown && argv && null >= 0 && out >= 0 && err >= 0
                    ? 0
                    : pl_fail(PL_ENOMEM, "no memory or descriptors for another mpiexec");
    if (!error) {
        argv[0] = program_invocation_name;
        memcpy(argv + 1, words, sizeof *argv * (size_t)count);
        struct pl_spawn spawn = {.path = "/proc/self/exe",
                                 .argv = argv,
                                 .environment = environ,
                                 .in = null,
                                 .out = out,
                                 .err = err,
                                 .pmi = -1,
                                 .signals = job->inherited_mask,
                                 .files = job->inherited_files};
        const char *step;
        pid_t pid;
        error = pl_spawn(&spawn, &pid, &step);
        if (!error) {
            job->subjobs[job->nsubjobs++] = (struct pl_subjob){pid, true};
            job->alive++;
        }
    }
    int fds[] = {null, out, err};
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(argv);
    return error;
}

bool pl_job_subjob_ended(struct pl_job *job, pid_t pid, int status)
{
    for (int i = 0; i < job->nsubjobs; i++) {
        struct pl_subjob *subjob = &job->subjobs[i];
        if (subjob->pid != pid || !subjob->alive)
            continue;
        subjob->alive = false;
        job->alive--;
        int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        if (code && job->phase == PL_RUNNING)
            pl_job_say("a spawned job (mpiexec, pid %d) ended with code %d; ending the job", (int)pid, code);
        if (code)
            pl_job_fail(job, code);
        return true;
    }
    return false;
}
