/* --respawn: for a rank that died a replacement is started, the same program with the same arguments. It
 * cannot take the dead one's place in the world, whose communicators have a hole for good; it is a world of
 * its own, of one rank, that sees the job's published names (MPI_Lookup_name), and joins through them:
 *
 *     survivors                                     replacement (peal_replaced() says which rank's)
 *     MPIX_Comm_shrink                              MPI_Lookup_name, until it is published
 *     MPI_Open_port, MPI_Publish_name
 *     MPI_Comm_accept           <---------------    MPI_Comm_connect
 *     MPI_Intercomm_merge                           MPI_Intercomm_merge
 *
 * It is started a tenth of a second after the death, so that what the dead one wrote last is read before what
 * its replacement writes, and not more than a few times a rank: a program that dies at once each time would
 * do so for ever. On the host of mpiexec, whichever host the dead rank was on, for that may be the one that
 * broke.
 */
#include "job.h"

#include "clock.h"
#include "errors.h"
#include "start.h"

#include <stdio.h>
#include <unistd.h>

#define DELAY_NS ((int64_t)100 * 1000 * 1000)

enum { MOST = 5 };

extern char **environ;

void pl_job_replace_later(struct pl_job *job, int rank)
{
    struct pl_member *member = &job->members[rank];
    if (!job->options->respawn || job->phase != PL_RUNNING)
        return;
    if (member->replaced == MOST) {
        pl_job_say("rank %d is not replaced again: it was %d times", rank, MOST);
        return;
    }
    member->replace_at = pl_now() + DELAY_NS;
    job->replacing++;
    if (!job->replace_at || member->replace_at < job->replace_at)
        job->replace_at = member->replace_at;
}

static int started(void *owner, int rank, int appnum, pid_t pid, const struct pl_ends *ends)
{
    struct pl_job *job = owner;
    struct pl_member *member = &job->members[rank];
    member->pid = pid;
    member->alive = member->group = member->here = true;
    pl_guard_note(&job->guard, rank, pid);
    member->replaced++;
    job->alive++;
    pl_output_close_rank(&job->output, rank);
    int error = pl_output_attach(&job->output, rank, 1, ends->out);
    int error_err = pl_output_attach(&job->output, rank, 2, ends->err);
    char space[64];
    snprintf(space, sizeof space, "peal-%d-%d-%d", (int)getpid(), rank, member->replaced);
    int error_pmi = pl_pmi_server_replace(&job->pmi, rank, appnum, ends->pmi, space);
    pl_job_say("rank %d is replaced by process %d", rank, (int)pid);
    return error ? error : error_err ? error_err : error_pmi;
}

static void replace(struct pl_job *job, int rank)
{
    char word[32];
    snprintf(word, sizeof word, "PMI_REPLACES=%d", rank);
    struct pl_start start = {.options = job->options,
                             .layout = job->layout,
                             .environment = environ,
                             .signals = job->inherited_mask,
                             .files = job->inherited_files,
                             .owner = job,
                             .started = started};
    job->members[rank].replace_at = 0;
    job->replacing--;
    if (pl_start_again(&start, rank, word))
        pl_job_say("rank %d cannot be replaced: %s", rank, pl_fail_text());
}

void pl_job_replace(struct pl_job *job, int64_t now)
{
    if (!job->replace_at || now < job->replace_at)
        return;
    job->replace_at = 0;
    for (int rank = 0; rank < job->layout->ranks; rank++) {
        int64_t at = job->members[rank].replace_at;
        bool runs = job->phase == PL_RUNNING && job->alive > job->branches.alive;
        if (!at)
            continue;
        if (!runs) { /* nobody is left whom it could join */
            job->members[rank].replace_at = 0;
            job->replacing--;
        } else if (now >= at) {
            replace(job, rank);
        } else if (!job->replace_at || at < job->replace_at) {
            job->replace_at = at;
        }
    }
}
