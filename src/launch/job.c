/* One loop from the first rank to the last byte of output.
 *
 *     start -> loop { events; deadlines } -> all ranks ended -> sweep -> exit code
 *
 * A failure asks the ranks to end (SIGTERM) and half a second later kills those
 * that did not, so that a job is over within a second of the first death. After a
 * signal from the user the ranks may take longer: five seconds from the first
 * that went down by it.
 */
#include "job.h"

#include "clock.h"
#include "errors.h"
#include "log.h"
#include "sweep.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MILLISECONDS(n) ((int64_t)(n)*1000000)

enum {
    TERM_GRACE_MS = 500,
    SIGNAL_GRACE_MS = 5000,
    OUTPUT_GRACE_MS = 500,
    LOOK_MS = 50,

    UNWRITABLE = 1
};

void pl_job_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pl_log_line("mpiexec: ", format, args);
    va_end(args);
}

void pl_job_signal(struct pl_job *job, int number)
{
    for (int i = 0; i < job->layout->ranks; i++)
        if (job->members[i].group)
            kill(-job->members[i].pid, number);
    char text[16];
    int length = snprintf(text, sizeof text, "%d", number);
    pl_branches_send(&job->branches, PL_FRAME_SIGNAL, -1, text, (size_t)length);
    for (int i = 0; i < job->nsubjobs; i++)
        if (job->subjobs[i].alive)
            kill(job->subjobs[i].pid, number);
}

void pl_job_kill(struct pl_job *job)
{
    job->phase = PL_KILLED;
    job->act_at = 0;
    pl_job_signal(job, SIGKILL);
    pl_branches_give_up(&job->branches);
}

void pl_job_give_up(struct pl_job *job)
{
    pl_job_say("%s", pl_fail_text());
    job->failed = true;
    pl_job_kill(job);
}

void pl_job_fail(struct pl_job *job, int code)
{
    if (!job->failed)
        job->code = code;
    job->failed = true;
    if (job->phase == PL_RUNNING) {
        job->phase = PL_ENDING;
        job->act_at = pl_now() + MILLISECONDS(TERM_GRACE_MS);
        pl_job_signal(job, SIGTERM);
        pl_job_signal(job, SIGCONT);
    } else if (job->phase == PL_SIGNALLED && !job->act_at) {
        job->act_at = pl_now() + MILLISECONDS(SIGNAL_GRACE_MS);
    }
}

static void aborted(void *owner, int rank, int code, bool called)
{
    struct pl_job *job = owner;
    if (job->phase == PL_RUNNING && code == PL_CONSEQUENCE) {
        if (!job->options->go_on) /* else it is one more death, told when it has ended */
            pl_job_suspect(job, rank);
        return;
    }
    if (job->phase == PL_RUNNING)
        pl_job_say("rank %d (pid %d) on %s %s %d; ending the job", rank, (int)job->members[rank].pid,
                   pl_job_host_of(job, rank),
                   called ? "called MPI_Abort with code" : "had an error that is fatal, code", code);
    pl_job_fail(job, code & 255 ? code & 255 : 1);
}

static void broken(void *owner, int rank, const char *reason)
{
    struct pl_job *job = owner;
    pl_job_say("rank %d (pid %d) on %s: on its PMI connection: %s; ending the job", rank,
               (int)job->members[rank].pid, pl_job_host_of(job, rank), reason);
    pl_job_fail(job, 1);
}

static void stuck(void *owner, int rank, int gone)
{
    struct pl_job *job = owner;
    if (job->phase != PL_RUNNING)
        return;
    pl_job_say(
        "rank %d waits in the start-up barrier, but rank %d has ended (is every program an MPI program?); "
        "ending the job",
        rank, gone);
    pl_job_fail(job, 1);
}

static void unwritable(void *owner, int number, int error)
{
    struct pl_job *job = owner;
    pl_job_say("cannot write to standard %s: %s; ending the job", number == 1 ? "output" : "error",
               strerror(error));
    pl_job_fail(job, UNWRITABLE);
}

static void rest(void *owner, int number, bool rest)
{
    struct pl_job *job = owner;
    pl_branches_send(&job->branches, rest ? PL_FRAME_REST : PL_FRAME_RESUME, -1, number == 1 ? "1" : "2", 1);
}

static void answer(void *owner, int rank, const char *bytes, size_t length)
{
    pl_job_send(owner, PL_FRAME_PMI, rank, bytes, length);
}

static void check_deadlines(struct pl_job *job, int64_t now)
{
    job->look_at = pl_branches_turn(&job->branches, now);
    if (job->alive && job->alive == job->branches.alive && (job->begun || job->phase != PL_RUNNING))
        pl_job_release(job);
    pl_job_replace(job, now);
    pl_job_explain_hang(job, now);
    if (job->timeout_at && now >= job->timeout_at && job->alive) {
        job->timeout_at = 0;
        pl_job_explain(job);
        pl_job_say("the job ran longer than %g seconds (--timeout); ending it", job->options->timeout);
        pl_job_fail(job, 124);
    }
    if (job->suspect_at && (now >= job->suspect_at || !job->alive))
        pl_job_take_suspect(job);
    bool overdue = job->phase == PL_SIGNALLED && now >= job->overdue_at;
    if (overdue)
        pl_job_overdue(job);
    if (overdue || (job->act_at && now >= job->act_at))
        pl_job_kill(job);
}

/* All ranks have ended: hears what is left to hear, and clears up behind them. */
static void settle(struct pl_job *job, int64_t now)
{
    if (!job->over_at)
        job->over_at = now;
    if (!job->swept && (!job->output.open || now - job->over_at >= MILLISECONDS(OUTPUT_GRACE_MS))) {
        pl_job_signal(job, SIGKILL);
        pl_guard_finish(&job->guard);
        pl_sweep();
        job->swept = true;
        job->over_at = pl_now();
    }
    int64_t quiet_since = job->output.active > job->over_at ? job->output.active : job->over_at;
    bool quiet = now - quiet_since >= MILLISECONDS(OUTPUT_GRACE_MS);
    if (job->swept && !pl_output_waits(&job->output) && quiet)
        pl_output_close(&job->output);
    job->given_up = job->swept && job->impatient && quiet;
}

static bool over(const struct pl_job *job)
{
    return !job->alive && job->swept &&
           (job->given_up || (!job->output.open && !pl_output_waits(&job->output)));
}

static int64_t sooner(int64_t a, int64_t b)
{
    return !a || (b && b < a) ? b : a;
}

static int wait_ms(struct pl_job *job)
{
    int64_t now = pl_now(),
            until = sooner(sooner(job->timeout_at, job->act_at), sooner(job->look_at, job->suspect_at));
    until = sooner(until, job->replace_at);
    until = sooner(until, job->phase == PL_SIGNALLED ? job->overdue_at : 0);
    if (job->options->explain_after > 0 && job->phase == PL_RUNNING)
        until = sooner(until, job->explain_at > now ? job->explain_at : now + MILLISECONDS(1000));
    if (!job->alive)
        return LOOK_MS;
    if (pl_terminal_serves(&job->terminal))
        until = sooner(until, pl_output_prompt(&job->output, 0, now));
    if (!until)
        return -1;
    int64_t ms = until > now ? (until - now) / MILLISECONDS(1) + 1 : 0;
    return ms > 60000 ? 60000 : (int)ms;
}

static void run_loop(struct pl_job *job)
{
    for (;;) {
        int64_t now = pl_now();
        check_deadlines(job, now);
        if (!job->alive)
            settle(job, now);
        if (over(job))
            return;
        if (pl_loop_turn(&job->loop, wait_ms(job))) {
            pl_job_say("%s", pl_fail_text());
            pl_job_fail(job, 1);
            pl_job_kill(job);
            return;
        }
    }
}

static int prepare(struct pl_job *job)
{
    int ranks = job->options->ranks;
    struct pl_output_calls outputs = {.owner = job, .unwritable = unwritable, .rest = rest};
    struct pl_pmi_calls calls = {.owner = job,
                                 .aborted = aborted,
                                 .broken = broken,
                                 .stuck = stuck,
                                 .spawn = pl_job_spawn,
                                 .answer = answer};
    char mapping[PL_PMI1_VALUE_MAX];
    gethostname(job->host, sizeof job->host - 1);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (pl_guard_start(&job->guard, ranks))
        pl_job_say("%s: what the ranks start may outlive a killed mpiexec", pl_fail_text());
    if (job->options->timeout > 0)
        job->timeout_at = pl_now() + (int64_t)(job->options->timeout * 1e9);
    job->members = calloc((size_t)ranks, sizeof *job->members);
    job->ended = calloc((size_t)ranks, sizeof *job->ended);
    if (!job->members || !job->ended)
        return pl_fail(PL_ENOMEM, "no memory for %d ranks", ranks);
    int error = pl_output_init(&job->output, &job->loop, ranks, job->options->tag, &outputs);
    if (!error)
        error = pl_layout_mapping(job->layout, mapping, sizeof mapping);
    if (!error)
        error = pl_pmi_server_init(&job->pmi, &job->loop, ranks, mapping, &calls);
    if (!error)
        error = pl_job_roll_init(job);
    job->pmi.tolerant = job->options->go_on;
    return error ? error : pl_job_watch_signals(job);
}

int pl_job_run(const struct pl_options *options, const struct pl_layout *layout)
{
    struct pl_job job = {
        .options = options, .layout = layout, .code = 1, .guard.fd = -1, .signals.fd = -1, .roll_fd = -1};
    int error = pl_loop_init(&job.loop);
    if (error)
        return pl_job_say("%s", pl_fail_text()), 1;
    pl_terminal_init(&job.terminal, &job.loop);
    pl_input_init(&job.input, &job.loop);
    error = prepare(&job);
    if (!error)
        error = pl_job_begin(&job);
    if (error)
        pl_job_give_up(&job);
    if (job.signals.fd >= 0)
        run_loop(&job);
    if (job.roll)
        pl_job_table(&job);
    pl_terminal_stop(&job.terminal);
    pl_input_stop(&job.input);
    pl_branches_finish(&job.branches);
    pl_pmi_server_finish(&job.pmi);
    pl_output_finish(&job.output);
    pl_loop_close(&job.loop, &job.signals);
    pl_loop_finish(&job.loop);
    pl_guard_finish(&job.guard);
    pl_job_roll_finish(&job);
    free(job.members);
    free(job.ended);
    free(job.subjobs);
    return job.code;
}
