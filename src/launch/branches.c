/* A tree of agents. mpiexec reaches up to fan-out hosts itself; each of those reaches
 * a share of the rest, and so on:
 *
 *     fan-out 2, hosts a..f         mpiexec
 *                                  /       \
 *                     a, for [a b c]        d, for [d e f]
 *                        /      \              /      \
 *                       b        c            e        f
 *
 * A branch is one ssh. Its life:
 *
 *     TRYING --agent's first line--> TOLD (its part sent) --READY--> READY --...--> GONE
 *        ^---ssh failed, time left---|
 *
 * ssh ends with 255 for every fault of its own; whether to try again is told by what
 * it wrote: a host that is still starting refuses connections or has no name yet,
 * while a key that is not accepted will not be accepted in a second either.
 *
 * Both sides send a beat when they have nothing else to say, so that a host that is
 * gone without a word (power, cable) is noticed in PEAL_TIMEOUT here, and what it
 * still runs ends by itself: its agent hears nothing either (agent.c).
 */
#include "branches.h"

#include "clock.h"
#include "errors.h"
#include "spawn.h"
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS(s) ((int64_t)((s)*1e9))

#define PAUSE_SECONDS 0.3

enum { SSH_FAILED = 255, END_SECONDS = 3, WORDS_MAX = 60, BEATS = 4 };

extern char **environ;

static void close_branch(struct pl_branch *branch)
{
    struct pl_branches *all = branch->all;
    pl_channel_close(&branch->channel);
    pl_loop_close(all->loop, &branch->errors);
    if (branch->pid)
        kill(-branch->pid, SIGKILL);
    if (branch->state == PL_BRANCH_GONE)
        return;
    branch->state = PL_BRANCH_GONE;
    all->alive--;
    all->calls.gone(all->calls.owner, branch);
}

static void lose(struct pl_branch *branch, bool before, const char *why)
{
    struct pl_branches *all = branch->all;
    char text[PL_ERROR_TEXT];
    snprintf(text, sizeof text, "%s", why); /* it may lie in what is about to be freed */
    if (!branch->ending) {
        branch->ending = true;
        all->calls.lost(all->calls.owner, branch, before, text);
    }
    close_branch(branch);
}

static bool hopeless(const char *said)
{
    static const char *const signs[] = {"ermission denied", "erification failed", "onfiguration option",
                                        "Too many authentication"};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strstr(said, signs[i]))
            return true;
    return false;
}

/* ssh is gone, and no agent had answered. */
static void not_reached(struct pl_branch *branch)
{
    const struct pl_branches *all = branch->all;
    char why[PL_ERROR_TEXT];
    int code = WIFEXITED(branch->status) ? WEXITSTATUS(branch->status) : 128 + WTERMSIG(branch->status);
    int64_t now = pl_now();
    if (code == SSH_FAILED && now < branch->deadline && !hopeless(branch->said) && !branch->ending) {
        int64_t next = now + SECONDS(PAUSE_SECONDS);
        branch->retry_at = next < branch->deadline ? next : branch->deadline;
        return;
    }
    if (code == PL_NOT_FOUND || code == PL_NOT_RUNNABLE)
        snprintf(why, sizeof why, "there is no %.150s (%.150s); Peal must be in the same place on every host",
                 all->program, branch->said);
    else
        snprintf(why, sizeof why, "%.300s",
                 branch->said[0] ? branch->said : "the connection was closed without a word");
    lose(branch, true, why);
}

/* Both ssh and what it carried have ended. */
static void over(struct pl_branch *branch)
{
    if (branch->pid || !branch->closed || branch->state == PL_BRANCH_GONE)
        return;
    pl_channel_close(&branch->channel);
    pl_loop_close(branch->all->loop, &branch->errors);
    if (branch->state == PL_BRANCH_TRYING)
        not_reached(branch);
    else
        lose(branch, false, branch->said[0] ? branch->said : "its connection was closed without a word");
}

static struct pl_branch *branch_of(struct pl_channel *channel)
{
    return (struct pl_branch *)((char *)channel - offsetof(struct pl_branch, channel));
}

/* The agent's first line has come: tells it what its part is. */
static void greet(struct pl_branch *branch)
{
    struct pl_branches *all = branch->all;
    char part[32];
    size_t length = pl_description_part(branch->part, part);
    char *whole = malloc(length + all->job_length);
    if (!whole) {
        lose(branch, true, "no memory for what it must be told");
        return;
    }
    memcpy(whole, part, length);
    memcpy(whole + length, all->job, all->job_length);
    branch->state = PL_BRANCH_TOLD;
    pl_channel_send(&branch->channel, PL_FRAME_START, -1, whole, length + all->job_length);
    free(whole);
}

static void frame(struct pl_channel *channel, enum pl_frame kind, int rank, const char *bytes, size_t length)
{
    struct pl_branch *branch = branch_of(channel);
    struct pl_branches *all = branch->all;
    if (kind == PL_FRAME_BEAT)
        return;
    if (kind != PL_FRAME_READY) {
        all->calls.frame(all->calls.owner, branch, kind, rank, bytes, length);
        return;
    }
    if (branch->state != PL_BRANCH_TOLD)
        return;
    branch->state = PL_BRANCH_READY;
    if (++all->ready == all->count)
        all->calls.ready(all->calls.owner);
}

static void ended(struct pl_channel *channel, const char *why)
{
    struct pl_branch *branch = branch_of(channel);
    branch->closed = true;
    if (why)
        lose(branch, branch->state == PL_BRANCH_TRYING, why);
    else if (branch->pid)
        branch->end_by = pl_now() + SECONDS(END_SECONDS);
    over(branch);
}

static void idle(struct pl_channel *channel)
{
    struct pl_branch *branch = branch_of(channel);
    if (channel->greeted && branch->state == PL_BRANCH_TRYING)
        greet(branch);
    if (branch->all->calls.batch)
        branch->all->calls.batch(branch->all->calls.owner);
}

static const struct pl_channel_calls channel_calls = {.frame = frame, .ended = ended, .idle = idle};

/* A line that ssh, or the agent on its standard error, wrote. */
static void said_line(struct pl_branch *branch)
{
    struct pl_branches *all = branch->all;
    char text[500];
    branch->line[branch->fill] = '\0';
    branch->line[strcspn(branch->line, "\r")] = '\0';
    branch->fill = 0;
    if (!branch->line[0])
        return;
    strcpy(branch->said, branch->line);
    if (branch->state == PL_BRANCH_TRYING || branch->ending)
        return;
    int length = snprintf(text, sizeof text, "%.60s: %s", branch->host, branch->line);
    all->calls.frame(all->calls.owner, branch, PL_FRAME_SAID, -1, text, (size_t)length);
}

/* False when there is nothing more now. */
static bool hear_errors(struct pl_branch *branch)
{
    char bytes[512];
    ssize_t n = branch->errors.fd < 0 ? 0 : read(branch->errors.fd, bytes, sizeof bytes);
    if (n < 0)
        return errno == EINTR;
    if (n == 0) {
        pl_loop_close(branch->all->loop, &branch->errors);
        return false;
    }
    for (ssize_t i = 0; i < n; i++)
        if (bytes[i] == '\n')
            said_line(branch);
        else if (branch->fill < sizeof branch->line - 1)
            branch->line[branch->fill++] = bytes[i];
    return true;
}

static void errors_ready(struct pl_watch *watch, uint32_t events)
{
    hear_errors((struct pl_branch *)((char *)watch - offsetof(struct pl_branch, errors)));
}

/* A path as the shell there takes it. One that needs no quotes gets none, for srun has no shell. */
static char *quoted(const char *path)
{
    char *text;
    bool plain = !path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+-")];
    return asprintf(&text, plain ? "%s" : "'%s'", path) < 0 ? NULL : text;
}

/* The words of ssh's command line: what leads to the host, the host, what to run there. Ours ask for no
 * terminal, no windows and no password, which nobody could type for many hosts at once. `text` keeps what
 * they lead into. */
static void ssh_words(const struct pl_branch *branch, char *text, size_t size, char *program, char **words)
{
    static const char agent[] = "--agent";
    const struct pl_branches *all = branch->all;
    int seconds = all->patience < 1 ? 1 : (int)all->patience, count = 0;
    if (all->ssh)
        snprintf(text, size, "%s", all->ssh);
    else
        snprintf(text, size, "ssh -x -T -o BatchMode=yes -o ConnectTimeout=%d", seconds);
    char *save;
    for (char *word = strtok_r(text, " \t", &save); word && count < WORDS_MAX;
         word = strtok_r(NULL, " \t", &save))
        words[count++] = word;
    words[count++] = (char *)(uintptr_t)branch->host;
    words[count++] = program;
    words[count++] = (char *)(uintptr_t)agent;
    words[count] = NULL;
}

static int run_ssh(struct pl_branch *branch, const int ends[3])
{
    struct pl_branches *all = branch->all;
    char text[1024], *words[WORDS_MAX + 4], *program = quoted(all->program), *path = NULL;
    int error = program ? 0 : pl_fail(PL_ENOMEM, "no memory to reach %s", branch->host);
    if (!error) {
        ssh_words(branch, text, sizeof text, program, words);
        path = pl_spawn_find(words[0]);
        if (!path)
            error = pl_fail_errno("cannot run '%.100s', by which other hosts are reached", words[0]);
    }
    const char *step;
    struct pl_spawn spawn = {.path = path,
                             .argv = words,
                             .environment = environ,
                             .in = ends[0],
                             .out = ends[1],
                             .err = ends[2],
                             .pmi = -1,
                             .signals = all->signals,
                             .files = all->files};
    if (!error)
        error = pl_spawn(&spawn, &branch->pid, &step);
    free(path);
    free(program);
    return error;
}

static int try(struct pl_branch *branch)
{
    struct pl_branches *all = branch->all;
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, error;
    branch->retry_at = 0;
    branch->closed = false;
    branch->end_by = 0;
    branch->said[0] = '\0';
    branch->fill = 0;
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) {
        error = pl_fail_errno("a pipe to ssh");
        goto close_all;
    }
    error = run_ssh(branch, (const int[]){in[0], out[1], err[1]});
    if (error)
        goto close_all;
    close(in[0]);
    close(out[1]);
    close(err[1]);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    branch->errors = (struct pl_watch){.fd = err[0], .ready = errors_ready};
    error = pl_loop_want(all->loop, &branch->errors, EPOLLIN);
    int channel_error = pl_channel_open(&branch->channel, all->loop, out[0], in[1], false, &channel_calls);
    return error ? error : channel_error;

close_all:
    for (int i = 0; i < 2; i++) {
        if (in[i] >= 0)
            close(in[i]);
        if (out[i] >= 0)
            close(out[i]);
        if (err[i] >= 0)
            close(err[i]);
    }
    return error;
}

static int own_path(struct pl_branches *branches)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0)
        return pl_fail_errno("where mpiexec lies: /proc/self/exe");
    path[length] = '\0';
    branches->program = strdup(path);
    return branches->program ? 0 : pl_fail(PL_ENOMEM, "no memory for the path of mpiexec");
}

int pl_branches_start(struct pl_branches *branches, struct pl_loop *loop, const struct pl_options *options,
                      const struct pl_layout *layout, struct pl_part part, char *job, size_t job_length,
                      const struct pl_branches_calls *calls)
{
    int hosts = part.last - part.first, count = hosts < options->fan_out ? hosts : options->fan_out;
    branches->loop = loop;
    branches->calls = *calls;
    branches->ssh = options->ssh;
    branches->patience = options->patience;
    branches->job = job;
    branches->job_length = job_length;
    branches->list = calloc((size_t)count + 1, sizeof *branches->list);
    int error = branches->list ? own_path(branches) : pl_fail(PL_ENOMEM, "no memory for %d hosts", count);
    int at = part.first;
    for (int i = 0; i < count && !error; i++) {
        struct pl_branch *branch = &branches->list[i];
        int share = hosts / count + (i < hosts % count);
        *branch = (struct pl_branch){.all = branches,
                                     .part = {at, at + share},
                                     .host = layout->hosts.list[pl_layout_served(layout, at)].name,
                                     .deadline = pl_now() + SECONDS(options->patience)};
        branch->errors.fd = branch->channel.in.fd = branch->channel.out.fd = -1;
        branch->channel.loop = loop;
        branches->count++;
        branches->alive++;
        at += share;
    }
    for (int i = 0; i < branches->count && !error; i++)
        error = try(&branches->list[i]);
    return error;
}

void pl_branches_finish(struct pl_branches *branches)
{
    for (int i = 0; i < branches->count; i++) {
        struct pl_branch *branch = &branches->list[i];
        pl_channel_close(&branch->channel);
        pl_loop_close(branches->loop, &branch->errors);
        if (branch->pid)
            kill(-branch->pid, SIGKILL);
    }
    free(branches->list);
    free(branches->program);
    free(branches->job);
    *branches = (struct pl_branches){0};
}

static bool told(const struct pl_branch *branch)
{
    return branch->state == PL_BRANCH_TOLD || branch->state == PL_BRANCH_READY;
}

void pl_branches_send(struct pl_branches *branches, enum pl_frame kind, int rank, const char *bytes,
                      size_t length)
{
    for (int i = 0; i < branches->count; i++)
        if (told(&branches->list[i]))
            pl_channel_send(&branches->list[i].channel, kind, rank, bytes, length);
}

void pl_branches_send_to(struct pl_branches *branches, int position, enum pl_frame kind, int rank,
                         const char *bytes, size_t length)
{
    for (int i = 0; i < branches->count; i++) {
        struct pl_branch *branch = &branches->list[i];
        if (branch->part.first <= position && position < branch->part.last && told(branch))
            pl_channel_send(&branch->channel, kind, rank, bytes, length);
    }
}

void pl_branches_end(struct pl_branches *branches)
{
    int64_t end_by = pl_now() + SECONDS(END_SECONDS);
    for (int i = 0; i < branches->count; i++) {
        struct pl_branch *branch = &branches->list[i];
        if (branch->ending || branch->state == PL_BRANCH_GONE)
            continue;
        branch->ending = true;
        branch->end_by = end_by;
        if (told(branch))
            pl_channel_send(&branch->channel, PL_FRAME_END, -1, NULL, 0);
        else
            close_branch(branch);
    }
}

void pl_branches_give_up(struct pl_branches *branches)
{
    for (int i = 0; i < branches->count; i++)
        if (branches->list[i].state == PL_BRANCH_TRYING) {
            branches->list[i].ending = true;
            close_branch(&branches->list[i]);
        }
}

static void turn_branch(struct pl_branch *branch, int64_t now)
{
    struct pl_branches *all = branch->all;
    struct pl_channel *channel = &branch->channel;
    char why[PL_ERROR_TEXT];
    bool trying = branch->state == PL_BRANCH_TRYING;
    if (branch->end_by && !branch->retry_at && now >= branch->end_by) {
        lose(branch, trying, "its connection broke");
    } else if (trying && now >= branch->deadline) {
        snprintf(why, sizeof why, "no answer within %g seconds (PEAL_TIMEOUT)%s%.300s", all->patience,
                 branch->said[0] ? ": " : "", branch->said);
        lose(branch, true, why);
    } else if (trying && branch->retry_at && now >= branch->retry_at) {
        if (try(branch))
            lose(branch, true, pl_fail_text());
    } else if (told(branch) && !branch->ending && now - channel->heard_at > SECONDS(all->patience)) {
        snprintf(why, sizeof why, "nothing was heard of it for %g seconds (PEAL_TIMEOUT)", all->patience);
        lose(branch, false, why);
    } else if (told(branch) && now - channel->said_at > SECONDS(all->patience / BEATS)) {
        channel->said_at = now;
        pl_channel_send(channel, PL_FRAME_BEAT, -1, NULL, 0);
    }
}

int64_t pl_branches_turn(struct pl_branches *branches, int64_t now)
{
    int64_t pause = SECONDS(branches->patience / BEATS / 2), next = 0;
    bool slept = now - branches->turned_at > SECONDS(branches->patience / 2);
    branches->turned_at = now;
    for (int i = 0; i < branches->count; i++) {
        struct pl_branch *branch = &branches->list[i];
        if (branch->state == PL_BRANCH_GONE)
            continue;
        if (slept || branches->rest) /* what came meanwhile is still to be read */
            branch->channel.heard_at = now;
        turn_branch(branch, now);
        if (branch->state == PL_BRANCH_GONE)
            continue;
        int64_t due = branch->retry_at ? branch->retry_at : now + pause;
        if (!told(branch) && branch->deadline < due)
            due = branch->deadline;
        if (branch->end_by && branch->end_by < due)
            due = branch->end_by;
        next = !next || due < next ? due : next;
    }
    return next;
}

bool pl_branches_ended(struct pl_branches *branches, pid_t pid, int status)
{
    for (int i = 0; i < branches->count; i++) {
        struct pl_branch *branch = &branches->list[i];
        if (branch->pid != pid)
            continue;
        branch->pid = 0;
        branch->status = status;
        if (branch->state == PL_BRANCH_GONE)
            return true;
        while (branch->errors.fd >= 0 && hear_errors(branch))
            ;
        pl_channel_hear(&branch->channel);
        branch->closed = true;
        over(branch);
        return true;
    }
    return false;
}

bool pl_branches_busy(const struct pl_branches *branches)
{
    for (int i = 0; i < branches->count; i++)
        if (pl_channel_busy(&branches->list[i].channel))
            return true;
    return false;
}

void pl_branches_rest(struct pl_branches *branches, bool rest)
{
    if (branches->rest == rest)
        return;
    branches->rest = rest;
    for (int i = 0; i < branches->count; i++)
        pl_channel_rest(&branches->list[i].channel, rest);
}
