/* How a job begins. All hosts are reached first, and each has looked for its
 * programs, before any rank starts anywhere: a wrong name costs a line, not a job
 * that is half there.
 */
#include "job.h"

#include "errors.h"
#include "start.h"

#include <string.h>
#include <unistd.h>

extern char **environ;

const char *pl_job_host_of(const struct pl_job *job, int rank)
{
    const struct pl_host *host = &job->layout->hosts.list[job->layout->host_of[rank]];
    return host->local ? job->host : host->name;
}

static int local_host(const struct pl_layout *layout)
{
    for (int i = 0; i < layout->hosts.count; i++)
        if (layout->hosts.list[i].local)
            return i;
    return -1;
}

static int started(void *owner, int rank, int appnum, pid_t pid, const struct pl_ends *ends)
{
    struct pl_job *job = owner;
    job->members[rank] = (struct pl_member){.pid = pid, .alive = true, .group = true};
    pl_guard_note(&job->guard, rank, pid);
    pl_roll_started(job->roll, rank, (int)pid, job->host);
    job->alive++;
    if (ends->in >= 0)
        pl_terminal_start(&job->terminal, ends->in);
    int error = pl_output_attach(&job->output, rank, 1, ends->out);
    int error_err = pl_output_attach(&job->output, rank, 2, ends->err);
    int error_pmi = pl_pmi_server_attach(&job->pmi, rank, appnum, ends->pmi);
    return error ? error : error_err ? error_err : error_pmi;
}

/* Those of this host. */
static int start_here(struct pl_job *job, int host)
{
    struct pl_start start = {.options = job->options,
                             .layout = job->layout,
                             .host = host,
                             .environment = environ,
                             .roll = job->roll_fd,
                             .input = isatty(0) ? -1 : 0,
                             .signals = job->inherited_mask,
                             .files = job->inherited_files,
                             .owner = job,
                             .started = started};
    int error = pl_start_ranks(&start);
    if (error)
        job->code = start.code;
    return error;
}

/* Those of other hosts are as good as alive from now on: their agents tell of their end in any case. */
static void start_there(struct pl_job *job)
{
    const struct pl_layout *layout = job->layout;
    int rank = 0;
    for (int app = 0; app < job->options->napps; app++)
        for (int i = 0; i < job->options->apps[app].ranks; i++, rank++) {
            if (layout->hosts.list[layout->host_of[rank]].local)
                continue;
            job->members[rank] = (struct pl_member){.alive = true};
            job->alive++;
            pl_output_expect(&job->output, rank);
            pl_pmi_server_expect(&job->pmi, rank, app);
        }
    pl_branches_send(&job->branches, PL_FRAME_GO, -1, NULL, 0);
    if (!layout->hosts.list[layout->host_of[0]].local)
        pl_input_start(&job->input, pl_job_send, job);
}

int pl_job_start(struct pl_job *job)
{
    int host = local_host(job->layout), error = host >= 0 ? start_here(job, host) : 0;
    job->begun = true;
    if (!error && job->branches.count)
        start_there(job);
    return error;
}

int pl_job_begin(struct pl_job *job)
{
    int host = local_host(job->layout), served = pl_layout_served_count(job->layout);
    int branches = served < job->options->fan_out ? served : job->options->fan_out;
    job->code = 1;
    int error =
        pl_start_files(host >= 0 ? job->layout->on_host[host] : 0, 4 * branches, &job->inherited_files);
    if (!error)
        error = served ? pl_job_reach(job) : pl_job_start(job);
    if (!error)
        job->code = 0;
    return error;
}
