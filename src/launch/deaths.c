/* Who died, and how: what is said about it and what it means for the job.
 *
 * Several deaths may be heard of at once, and the kernel does not tell their
 * order. One rank's death makes others fail within milliseconds, so the one that
 * explains most goes first: a signal before an exit code, an exit code before a
 * rank that left without MPI_Finalize, that before one which says by its code that it ends because
 * another one died. What dies after it was told to is not
 * told of, and neither are exit codes then: they are consequences.
 */
#include "job.h"

#include "clock.h"
#include "errors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { LINES = 8, NOT_FINALIZED = 1 };

static const int64_t CAUSE_NS = 200000000; /* for the cause to be heard of */

/* How a rank's end is to be taken, worst first. */
enum verdict { BY_SIGNAL, BY_CODE, UNFINALIZED, BY_ANOTHER, FINE };

static enum verdict judge(const struct pl_member *member, bool broke_off)
{
    if (WIFSIGNALED(member->status))
        return BY_SIGNAL;
    if (WEXITSTATUS(member->status))
        return WEXITSTATUS(member->status) == PL_CONSEQUENCE ? BY_ANOTHER : BY_CODE;
    return broke_off ? UNFINALIZED : FINE;
}

static int code_of(const struct pl_member *member, int verdict)
{
    return verdict == BY_SIGNAL     ? 128 + WTERMSIG(member->status)
           : verdict == UNFINALIZED ? NOT_FINALIZED
                                    : WEXITSTATUS(member->status);
}

static void tell(struct pl_job *job, int rank, int verdict, const char *so)
{
    const struct pl_member *member = &job->members[rank];
    char how[128];
    if (job->told++ >= LINES)
        return;
    if (verdict == BY_SIGNAL)
        snprintf(how, sizeof how, "was killed by signal %d (%s)%s", WTERMSIG(member->status),
                 strsignal(WTERMSIG(member->status)), WCOREDUMP(member->status) ? ", core dumped" : "");
    else if (verdict != UNFINALIZED)
        snprintf(how, sizeof how, "exited with code %d", WEXITSTATUS(member->status));
    else
        snprintf(how, sizeof how, "exited without MPI_Finalize");
    pl_job_say("rank %d (pid %d) on %s %s%s", rank, (int)member->pid, pl_job_host_of(job, rank), how, so);
}

static bool told_to_die(int status)
{
    int number = WTERMSIG(status);
    return number == SIGTERM || number == SIGKILL || number == SIGINT || number == SIGHUP ||
           number == SIGPIPE;
}

/* --continue: a death ends nothing. A rank that ended in order, but with a code, gives the job that code. */
static void outlive(struct pl_job *job, int rank, int verdict)
{
    bool dead = job->members[rank].dead;
    int code = code_of(&job->members[rank], verdict);
    tell(job, rank, verdict, dead ? "; the others go on" : "");
    if (!dead && !job->failed) {
        job->failed = true;
        job->code = code;
    } else if (dead && !job->outlived++) {
        job->first_code = code;
    }
    if (dead && job->outlived >= job->options->ranks && !job->alive && !job->failed)
        job->code = job->first_code; /* nobody was left who could have succeeded */
    if (dead)
        pl_job_replace_later(job, rank);
}

static void weigh(struct pl_job *job, int rank, int verdict)
{
    if (job->phase == PL_RUNNING && job->options->go_on) {
        outlive(job, rank, verdict);
    } else if (job->phase == PL_RUNNING) {
        tell(job, rank, verdict, "; ending the job");
        pl_job_fail(job, code_of(&job->members[rank], verdict));
    } else if (job->phase == PL_SIGNALLED && verdict != UNFINALIZED) {
        pl_job_fail(job, code_of(&job->members[rank], verdict));
    }
}

static int find_rank(const struct pl_job *job, pid_t pid)
{
    for (int i = 0; i < job->layout->ranks; i++)
        if (job->members[i].pid == pid && job->members[i].alive &&
            (pl_layout_is_here(job->layout, i) || job->members[i].here))
            return i;
    return -1;
}

/* Learns of all that has died here; the ranks among them join those that other hosts
 * have told of. A process that is no rank was left behind by one and came to us. */
static int collect(struct pl_job *job)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        int rank = find_rank(job, pid);
        if (rank < 0) {
            if (!pl_job_subjob_ended(job, pid, status))
                pl_branches_ended(&job->branches, pid, status);
            continue;
        }
        job->members[rank].alive = false;
        job->members[rank].status = status;
        job->ended[job->nended++] = rank;
        job->alive--;
    }
    for (int i = 0; i < job->layout->ranks; i++)
        if (!job->members[i].alive && job->members[i].group && kill(-job->members[i].pid, 0) &&
            errno == ESRCH) {
            job->members[i].group = false;
            pl_guard_note(&job->guard, i, 0);
        }
    int count = job->nended;
    job->nended = 0;
    return count;
}

/* Of those that have just ended, the one that explains most, or -1. */
static int first_failure(struct pl_job *job, int count)
{
    int first = -1;
    for (int i = 0; i < count; i++) {
        struct pl_member *member = &job->members[job->ended[i]];
        bool broke_off = pl_pmi_server_ended(&job->pmi, job->ended[i]);
        member->verdict = judge(member, broke_off);
        member->late = job->phase != PL_RUNNING;
        member->dead =
            broke_off || (member->verdict == BY_SIGNAL && !pl_pmi_server_parted(&job->pmi, job->ended[i]));
        if (!member->replaced) /* a replacement is in no world of this roll */
            pl_job_roll_ended(job, job->ended[i], member->status, member->dead);
        if (member->verdict != FINE && (first < 0 || member->verdict < job->members[first].verdict))
            first = job->ended[i];
    }
    return first;
}

void pl_job_suspect(struct pl_job *job, int rank)
{
    if (job->suspect_at)
        return;
    job->suspect = rank;
    job->suspect_at = pl_now() + CAUSE_NS;
}

void pl_job_take_suspect(struct pl_job *job)
{
    job->suspect_at = 0;
    if (job->phase != PL_RUNNING)
        return;
    pl_job_say(
        "rank %d (pid %d) on %s gave up with code %d, for it could not reach another rank; ending the job",
        job->suspect, (int)job->members[job->suspect].pid, pl_job_host_of(job, job->suspect), PL_CONSEQUENCE);
    pl_job_fail(job, PL_CONSEQUENCE);
}

void pl_job_reap(struct pl_job *job)
{
    int count = collect(job), first = first_failure(job, count);
    bool running = job->phase == PL_RUNNING;
    if (first >= 0 && running && !job->options->go_on && job->members[first].verdict == BY_ANOTHER)
        pl_job_suspect(job, first);
    else if (first >= 0)
        weigh(job, first, job->members[first].verdict);
    for (int i = 0; i < count; i++) {
        const struct pl_member *member = &job->members[job->ended[i]];
        if (job->options->go_on && job->phase == PL_RUNNING) {
            if (job->ended[i] != first && member->verdict != FINE)
                weigh(job, job->ended[i], member->verdict);
            continue;
        }
        bool news = member->verdict == BY_SIGNAL && (running || !told_to_die(member->status));
        if (job->ended[i] == first ? !running && news : news || (running && member->verdict == BY_CODE))
            tell(job, job->ended[i], member->verdict, "");
    }
    if (job->phase == PL_RUNNING)
        pl_pmi_server_check(&job->pmi);
}
