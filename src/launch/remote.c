/* What mpiexec hears of other hosts: a rank there is a member of the job like one
 * here, only that its death is told by a frame and not by waitpid.
 *
 * An agent is believed as far as its own ranks go: a frame about another host's is
 * an error, and that agent is lost. A host that cannot be reached, or is lost, ends
 * the job with ssh's own code for that, 255.
 */
#include "job.h"

#include "errors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { HOST_LOST = 255 };

extern char **environ;

void pl_job_send(void *owner, enum pl_frame kind, int rank, const char *bytes, size_t length)
{
    struct pl_job *job = owner;
    pl_branches_send_to(&job->branches, pl_layout_position(job->layout, job->layout->host_of[rank]), kind,
                        rank, bytes, length);
}

/* A rank of another host is no more, or never was. */
static void rank_ended(struct pl_job *job, int rank, int status)
{
    struct pl_member *member = &job->members[rank];
    if (!member->alive)
        return;
    member->alive = false;
    member->status = status;
    job->ended[job->nended++] = rank;
    job->alive--;
}

/* Nothing more will be heard of the ranks of these hosts. */
static void forget(struct pl_job *job, int first, int last)
{
    for (int rank = 0; rank < job->layout->ranks; rank++) {
        int position = pl_layout_position(job->layout, job->layout->host_of[rank]);
        if (position < first || position >= last)
            continue;
        struct pl_member *member = &job->members[rank];
        if (member->alive) {
            member->alive = false;
            job->alive--;
            pl_pmi_server_ended(&job->pmi, rank);
        }
        pl_output_take(&job->output, rank, 1, NULL, 0);
        pl_output_take(&job->output, rank, 2, NULL, 0);
    }
}

/* "a", or "a, b and 3 more". */
static void name_hosts(const struct pl_job *job, int first, int last, char *text, size_t size)
{
    const struct pl_host *list = job->layout->hosts.list;
    int length = snprintf(text, size, "%.80s", list[pl_layout_served(job->layout, first)].name);
    if (last - first == 2)
        snprintf(text + length, size - (size_t)length, " (and %.80s behind it)",
                 list[pl_layout_served(job->layout, first + 1)].name);
    else if (last - first > 2)
        snprintf(text + length, size - (size_t)length, " (and %d hosts behind it)", last - first - 1);
}

/* --continue: the ranks of a lost host are dead, and the others go on. */
static void outlive(struct pl_job *job, int first, int last)
{
    for (int rank = 0; rank < job->layout->ranks; rank++) {
        int position = pl_layout_position(job->layout, job->layout->host_of[rank]);
        if (position < first || position >= last || !job->members[rank].alive)
            continue;
        pl_job_roll_ended(job, rank, PL_ROLL_OUT_OF_REACH, true);
        job->outlived++;
    }
    forget(job, first, last);
    if (job->outlived == job->layout->ranks)
        pl_job_fail(job, HOST_LOST);
}

static void part_lost(struct pl_job *job, int first, int last, bool before, const char *why)
{
    char hosts[200];
    name_hosts(job, first, last, hosts, sizeof hosts);
    if (job->phase == PL_RUNNING && !before && job->options->go_on) {
        pl_job_say("host %s is lost: %s; the others go on", hosts, why);
        outlive(job, first, last);
        return;
    }
    if (job->phase == PL_RUNNING && before)
        pl_job_say("host %s cannot be reached: %s; nothing was started", hosts, why);
    else if (job->phase == PL_RUNNING)
        pl_job_say("host %s is lost: %s; ending the job", hosts, why);
    forget(job, first, last);
    pl_job_fail(job, HOST_LOST);
    if (before)
        pl_job_kill(job);
}

static void lost(void *owner, struct pl_branch *branch, bool before, const char *why)
{
    part_lost(owner, branch->part.first, branch->part.last, before, why);
}

static void gone(void *owner, struct pl_branch *branch)
{
    struct pl_job *job = owner;
    job->alive--;
    forget(job, branch->part.first, branch->part.last);
}

static void take_lost(struct pl_job *job, const char *text)
{
    int first, last, before, used = 0;
    if (sscanf(text, "%d %d %d %n", &first, &last, &before, &used) == 3 && used && first >= 0 &&
        first < last && last <= pl_layout_served_count(job->layout))
        part_lost(job, first, last, before, text + used);
}

/* A host that answers, but cannot run its ranks. */
static void take_failed(struct pl_job *job, const char *text)
{
    int host, code, used = 0;
    if (sscanf(text, "%d %d %n", &host, &code, &used) != 2 || !used || host < 0 ||
        host >= job->layout->hosts.count || code < 1 || code > 255)
        return;
    if (job->phase == PL_RUNNING)
        pl_job_say("host %.100s: %s", job->layout->hosts.list[host].name, text + used);
    for (int rank = 0; rank < job->layout->ranks; rank++)
        if (job->layout->host_of[rank] == host && !job->members[rank].pid && job->members[rank].alive) {
            job->members[rank].alive = false;
            job->alive--;
            pl_output_take(&job->output, rank, 1, NULL, 0);
            pl_output_take(&job->output, rank, 2, NULL, 0);
        }
    pl_job_fail(job, code);
    pl_job_kill(job);
}

static bool serves(const struct pl_job *job, const struct pl_branch *branch, int rank)
{
    if (rank < 0 || rank >= job->layout->ranks)
        return false;
    int position = pl_layout_position(job->layout, job->layout->host_of[rank]);
    return position >= branch->part.first && position < branch->part.last;
}

static void rank_frame(struct pl_job *job, enum pl_frame kind, int rank, const char *bytes, size_t length)
{
    switch (kind) {
    case PL_FRAME_STARTED:
        job->members[rank].pid = atoi(bytes);
        pl_roll_started(job->roll, rank, atoi(bytes), pl_job_host_of(job, rank));
        break;
    case PL_FRAME_OUTPUT:
    case PL_FRAME_ERRORS:
        pl_output_take(&job->output, rank, kind == PL_FRAME_OUTPUT ? 1 : 2, bytes, length);
        break;
    case PL_FRAME_PMI:
        pl_pmi_server_take(&job->pmi, rank, bytes, length);
        break;
    case PL_FRAME_TAKEN:
        pl_input_taken(&job->input);
        break;
    case PL_FRAME_ENDED:
        rank_ended(job, rank, atoi(bytes));
        break;
    default:
        break;
    }
}

static void frame(void *owner, struct pl_branch *branch, enum pl_frame kind, int rank, const char *bytes,
                  size_t length)
{
    struct pl_job *job = owner;
    if (kind == PL_FRAME_FAILED)
        take_failed(job, bytes);
    else if (kind == PL_FRAME_LOST)
        take_lost(job, bytes);
    else if (kind == PL_FRAME_SAID)
        pl_job_say("%s", bytes);
    else if (serves(job, branch, rank))
        rank_frame(job, kind, rank, bytes, length);
}

static void ready(void *owner)
{
    struct pl_job *job = owner;
    if (job->phase == PL_RUNNING && pl_job_start(job))
        pl_job_give_up(job);
}

static void batch(void *owner)
{
    struct pl_job *job = owner;
    if (job->nended)
        pl_job_reap(job);
}

int pl_job_reach(struct pl_job *job)
{
    const struct pl_branches_calls calls = {
        .owner = job, .frame = frame, .ready = ready, .lost = lost, .gone = gone, .batch = batch};
    char *description;
    size_t length;
    int error = pl_description_pack(job->options, job->layout, environ, &description, &length);
    if (error)
        return error;
    job->branches.signals = job->inherited_mask;
    job->branches.files = job->inherited_files;
    error = pl_branches_start(&job->branches, &job->loop, job->options, job->layout,
                              (struct pl_part){0, pl_layout_served_count(job->layout)}, description, length,
                              &calls);
    job->alive += job->branches.alive;
    return error;
}

void pl_job_release(struct pl_job *job)
{
    if (job->released)
        return;
    job->released = true;
    pl_input_stop(&job->input);
    pl_branches_end(&job->branches);
}
