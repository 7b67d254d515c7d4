/* mpiexec --agent: what ssh runs on another host. It says who it is, is told the job,
 * reaches the rest of its part in turn, and then is a relay: what its ranks and the
 * agents below say goes up, what comes from above goes to the ranks or further down.
 *
 *     above ---START, GO, SIGNAL, PMI, ...--->  agent ---> ranks of this host
 *           <--READY, OUTPUT, ENDED, PMI, ...--   |
 *                                                 +-----> agents below (branches.c)
 *
 * It decides nothing: who died and what follows is mpiexec's. But it never outlives
 * what is above it. When the channel closes, or nothing is heard of it for twice
 * the time after which a host is given up, it kills its ranks and all they left, and goes.
 */
#include "agent.h"

#include "clock.h"
#include "errors.h"
#include "sweep.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS(s) ((int64_t)((s)*1e9))

/* How long what ranks left running may write on, and how long nobody may tell us what to do at first. */
#define OUTPUT_GRACE_SECONDS 0.5
#define ORDERS_SECONDS       60

enum { LINE_OF_LOST = PL_ERROR_TEXT + 64 };

static void tell_ready(struct pl_agent *agent)
{
    if (agent->checked && agent->branches.ready == agent->branches.count)
        pl_channel_send(&agent->above, PL_FRAME_READY, -1, NULL, 0);
}

static void below_frame(void *owner, struct pl_branch *branch, enum pl_frame kind, int rank,
                        const char *bytes, size_t length)
{
    struct pl_agent *agent = owner;
    pl_channel_send(&agent->above, kind, rank, bytes, length);
}

static void below_ready(void *owner)
{
    tell_ready(owner);
}

static void below_lost(void *owner, struct pl_branch *branch, bool before, const char *why)
{
    struct pl_agent *agent = owner;
    pl_channel_send_text(&agent->above, PL_FRAME_LOST, -1, "%d %d %d %s", branch->part.first,
                         branch->part.last, before, why);
}

static void below_gone(void *owner, struct pl_branch *branch)
{
    (void)owner, (void)branch;
}

/* What must be told and cannot be gone on from: nobody below is reached then. */
static void give_up(struct pl_agent *agent)
{
    pl_channel_send_text(&agent->above, PL_FRAME_FAILED, -1, "%d 1 %s", agent->host, pl_fail_text());
}

static void take_job(struct pl_agent *agent, const char *bytes, size_t length)
{
    struct pl_description *job = &agent->job;
    if (agent->described)
        return;
    agent->described = true;
    if (pl_description_read(job, bytes, length)) {
        fprintf(stderr, "%s\n", pl_fail_text());
        agent->orphaned = true;
        return;
    }
    agent->host = pl_layout_served(&job->layout, job->part.first);
    struct pl_part rest = {job->part.first + 1, job->part.last};
    struct pl_branches_calls calls = {
        .owner = agent, .frame = below_frame, .ready = below_ready, .lost = below_lost, .gone = below_gone};
    agent->branches.signals = agent->inherited_mask;
    if (rest.first < rest.last) {
        /* The words behind the part: two, each with its NUL. */
        const char *general = bytes + strlen(bytes) + 1;
        general += strlen(general) + 1;
        size_t size = length - (size_t)(general - bytes);
        char *copy = malloc(size);
        if (!copy || getrlimit(RLIMIT_NOFILE, &agent->branches.files)) {
            free(copy);
            pl_fail(PL_ENOMEM, "no memory to hand the job on");
            give_up(agent);
            return;
        }
        memcpy(copy, general, size);
        if (pl_branches_start(&agent->branches, &agent->loop, &job->options, &job->layout, rest, copy, size,
                              &calls)) {
            give_up(agent);
            return;
        }
    }
    agent->checked = pl_agent_check(agent);
    tell_ready(agent);
}

static void take_signal(struct pl_agent *agent, const char *text)
{
    int number = atoi(text);
    if (number < 1 || number >= NSIG)
        return;
    if (number == SIGTSTP)
        agent->paused = true;
    if (number == SIGCONT)
        agent->paused = false;
    pl_agent_signal(agent, number);
    if (number == SIGKILL)
        pl_branches_give_up(&agent->branches);
}

static void take_flow(struct pl_agent *agent, const char *text, bool rest)
{
    if (*text != '1' && *text != '2')
        return;
    agent->rest[*text - '1'] = rest;
    pl_agent_flow(agent);
}

/* What is for one rank: ours, or one further down. */
static void take_for_rank(struct pl_agent *agent, enum pl_frame kind, int number, const char *bytes,
                          size_t length)
{
    struct pl_agent_rank *rank = pl_agent_rank_find(agent, number);
    const struct pl_layout *layout = &agent->job.layout;
    if (rank && kind == PL_FRAME_PMI)
        pl_agent_pmi(rank, bytes, length);
    else if (rank)
        pl_agent_input(rank, bytes, length);
    else if (number >= 0 && number < layout->ranks)
        pl_branches_send_to(&agent->branches, pl_layout_position(layout, layout->host_of[number]), kind,
                            number, bytes, length);
}

static void above_frame(struct pl_channel *channel, enum pl_frame kind, int rank, const char *bytes,
                        size_t length)
{
    struct pl_agent *agent = (struct pl_agent *)((char *)channel - offsetof(struct pl_agent, above));
    if (kind == PL_FRAME_START) {
        take_job(agent, bytes, length);
        return;
    }
    if (kind == PL_FRAME_BEAT || !agent->described)
        return;
    if (kind == PL_FRAME_PMI || kind == PL_FRAME_INPUT) {
        take_for_rank(agent, kind, rank, bytes, length);
        return;
    }
    if (kind == PL_FRAME_END) {
        pl_branches_end(&agent->branches);
        agent->ending_at = pl_now();
        return;
    }
    pl_branches_send(&agent->branches, kind, rank, bytes, length);
    if (kind == PL_FRAME_GO && agent->checked)
        pl_agent_start(agent);
    else if (kind == PL_FRAME_SIGNAL)
        take_signal(agent, bytes);
    else if (kind == PL_FRAME_DIED && agent->roll)
        pl_roll_take_death(agent->roll, rank, bytes);
    else if (kind == PL_FRAME_REST || kind == PL_FRAME_RESUME)
        take_flow(agent, bytes, kind == PL_FRAME_REST);
}

static void above_ended(struct pl_channel *channel, const char *why)
{
    struct pl_agent *agent = (struct pl_agent *)((char *)channel - offsetof(struct pl_agent, above));
    agent->orphaned = true;
}

static void signals_ready(struct pl_watch *watch, uint32_t events)
{
    struct pl_agent *agent = (struct pl_agent *)((char *)watch - offsetof(struct pl_agent, signals));
    struct signalfd_siginfo info;
    int status;
    pid_t pid;
    if (read(watch->fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (!pl_agent_rank_ended(agent, pid, status))
            pl_branches_ended(&agent->branches, pid, status);
    pl_agent_look_at_groups(agent);
}

static int prepare(struct pl_agent *agent)
{
    static const struct pl_channel_calls calls = {.frame = above_frame, .ended = above_ended};
    sigset_t mask;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigprocmask(SIG_BLOCK, &mask, &agent->inherited_mask);
    agent->signals =
        (struct pl_watch){.fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK), .ready = signals_ready};
    if (agent->signals.fd < 0)
        return pl_fail_errno("signalfd");
    int error = pl_loop_want(&agent->loop, &agent->signals, EPOLLIN);
    return error ? error : pl_channel_open(&agent->above, &agent->loop, 0, 1, true, &calls);
}

/* Notices silence, sends beats, and holds back what would only pile up. Returns when to look again. */
static int64_t turn(struct pl_agent *agent, int64_t now)
{
    double patience = agent->described ? agent->job.options.patience : ORDERS_SECONDS;
    if (agent->described && now - agent->above.said_at > SECONDS(patience / 4)) {
        agent->above.said_at = now;
        pl_channel_send(&agent->above, PL_FRAME_BEAT, -1, NULL, 0);
    }
    if (!agent->paused && now - agent->above.heard_at > SECONDS(2 * patience))
        agent->orphaned = true;
    bool busy = pl_channel_busy(&agent->above);
    if (busy != agent->busy) {
        agent->busy = busy;
        pl_agent_flow(agent);
        pl_branches_rest(&agent->branches, busy);
    }
    int64_t next = now + SECONDS(patience / 8), due = pl_branches_turn(&agent->branches, now);
    if (agent->ending_at && now + SECONDS(0.05) < next)
        next = now + SECONDS(0.05);
    return due && due < next ? due : next;
}

/* Whether nothing more is to be expected of this host and those below. */
static bool over(const struct pl_agent *agent, int64_t now)
{
    if (agent->orphaned)
        return true;
    return agent->ending_at && !agent->branches.alive &&
           (!pl_agent_outputs_open(agent) || now - agent->ending_at > SECONDS(OUTPUT_GRACE_SECONDS));
}

/* What is still queued for above, as long as it is taken. */
static void flush(struct pl_agent *agent)
{
    int64_t until = pl_now() + SECONDS(2);
    while (pl_channel_waits(&agent->above) && !agent->orphaned && pl_now() < until)
        if (pl_loop_turn(&agent->loop, 50))
            return;
}

int pl_agent_run(void)
{
    struct pl_agent agent = {.guard.fd = -1};
    if (pl_loop_init(&agent.loop) || prepare(&agent)) {
        fprintf(stderr, "%s\n", pl_fail_text());
        return 1;
    }
    agent.branches.loop = &agent.loop;
    pl_channel_greet(&agent.above);
    for (int64_t now = pl_now(); !over(&agent, now); now = pl_now()) {
        int64_t until = turn(&agent, now);
        if (pl_loop_turn(&agent.loop, until > now ? (int)((until - now) / 1000000) + 1 : 0))
            break;
    }
    pl_agent_signal(&agent, SIGKILL);
    pl_branches_finish(&agent.branches);
    pl_guard_finish(&agent.guard);
    pl_sweep();
    pl_agent_finish_ranks(&agent);
    flush(&agent);
    int code = agent.orphaned;
    pl_loop_close(&agent.loop, &agent.signals);
    pl_channel_close(&agent.above);
    pl_loop_finish(&agent.loop);
    pl_description_finish(&agent.job);
    pl_roll_close(agent.roll);
    free(agent.environment);
    return code;
}
