/* The ranks of an agent's host: what they write goes up in frames, what they shall
 * read comes down in frames.
 *
 *     rank: 1, 2, PMI  --pipes-->  agent  --frames-->  ...  mpiexec
 *
 * Lines are put together and PMI is answered by mpiexec alone, so that there is one
 * place where output is ordered and one table of words, wherever the ranks run.
 * Rejected: an agent that answers PMI itself and tells others of it; it saves a way
 * that is gone once a job, and costs a second protocol.
 */
#include "agent.h"

#include "environment.h"
#include "errors.h"
#include "log.h"
#include "start.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNK = 32 * 1024 };

extern char **environ;

#define OWNER_OF(watch, member)                                                                              \
    ((struct pl_agent_rank *)((char *)(watch)-offsetof(struct pl_agent_rank, member)))

struct pl_agent_rank *pl_agent_rank_find(struct pl_agent *agent, int rank)
{
    const struct pl_layout *layout = &agent->job.layout;
    if (rank < 0 || rank >= layout->ranks || layout->host_of[rank] != agent->host || !agent->ranks)
        return NULL;
    return &agent->ranks[layout->local_rank[rank]];
}

/* Reads once; false when there is nothing more now, or ever. */
static bool pass_output(struct pl_agent_rank *rank, struct pl_watch *watch, enum pl_frame kind)
{
    char bytes[CHUNK];
    ssize_t n = read(watch->fd, bytes, sizeof bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return errno == EINTR;
    pl_channel_send(&rank->agent->above, kind, rank->rank, bytes, n > 0 ? (size_t)n : 0);
    if (n <= 0)
        pl_loop_close(&rank->agent->loop, watch);
    return n > 0;
}

static void out_ready(struct pl_watch *watch, uint32_t events)
{
    pass_output(OWNER_OF(watch, out), watch, PL_FRAME_OUTPUT);
}

static void err_ready(struct pl_watch *watch, uint32_t events)
{
    pass_output(OWNER_OF(watch, err), watch, PL_FRAME_ERRORS);
}

static uint32_t pmi_wish(const struct pl_agent_rank *rank)
{
    return (rank->agent->busy ? 0u : (uint32_t)EPOLLIN) | (rank->pmi.fill ? (uint32_t)EPOLLOUT : 0u);
}

static bool pass_pmi(struct pl_agent_rank *rank)
{
    char bytes[CHUNK];
    ssize_t n = recv(rank->pmi.watch.fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return errno == EINTR;
    if (n > 0)
        pl_channel_send(&rank->agent->above, PL_FRAME_PMI, rank->rank, bytes, (size_t)n);
    else
        pl_loop_close(&rank->agent->loop, &rank->pmi.watch);
    return n > 0;
}

/* Writes what goes; false when the other end is gone. */
static bool drain(struct pl_outbox *box, bool is_socket)
{
    while (box->fill) {
        ssize_t n = is_socket
                        ? send(box->watch.fd, box->bytes + box->head, box->fill, MSG_NOSIGNAL | MSG_DONTWAIT)
                        : write(box->watch.fd, box->bytes + box->head, box->fill);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        box->head += (size_t)n;
        box->fill -= (size_t)n;
    }
    box->head = 0;
    return true;
}

static bool box_add(struct pl_outbox *box, const char *bytes, size_t length)
{
    if (box->head)
        memmove(box->bytes, box->bytes + box->head, box->fill);
    box->head = 0;
    char *grown = realloc(box->bytes, box->fill + length + 1);
    if (!grown)
        return false;
    memcpy(grown + box->fill, bytes, length);
    box->bytes = grown;
    box->fill += length;
    return true;
}

static void pmi_ready(struct pl_watch *watch, uint32_t events)
{
    struct pl_agent_rank *rank = OWNER_OF(watch, pmi.watch);
    if (events & EPOLLOUT) {
        drain(&rank->pmi, true);
        pl_loop_want(&rank->agent->loop, watch, pmi_wish(rank));
    }
    if (events & ~(uint32_t)EPOLLOUT)
        pass_pmi(rank);
}

void pl_agent_pmi(struct pl_agent_rank *rank, const char *bytes, size_t length)
{
    if (rank->pmi.watch.fd < 0)
        return;
    if (!box_add(&rank->pmi, bytes, length) || !drain(&rank->pmi, true))
        pl_loop_close(&rank->agent->loop, &rank->pmi.watch);
    pl_loop_want(&rank->agent->loop, &rank->pmi.watch, pmi_wish(rank));
}

static void pump_input(struct pl_agent_rank *rank)
{
    struct pl_agent *agent = rank->agent;
    struct pl_outbox *box = &rank->input;
    bool had = box->fill > 0;
    if (!drain(box, false)) {
        pl_loop_close(&agent->loop, &box->watch);
        box->fill = box->head = 0;
    }
    pl_loop_want(&agent->loop, &box->watch, box->fill ? EPOLLOUT : 0);
    if (box->fill)
        return;
    if (box->last)
        pl_loop_close(&agent->loop, &box->watch);
    else if (had)
        pl_channel_send(&agent->above, PL_FRAME_TAKEN, rank->rank, NULL, 0);
}

static void input_ready(struct pl_watch *watch, uint32_t events)
{
    pump_input(OWNER_OF(watch, input.watch));
}

void pl_agent_input(struct pl_agent_rank *rank, const char *bytes, size_t length)
{
    struct pl_outbox *box = &rank->input;
    box->last |= !length;
    if (box->watch.fd >= 0 && box_add(box, bytes, length))
        pump_input(rank);
}

static int started(void *owner, int number, int appnum, pid_t pid, const struct pl_ends *ends)
{
    struct pl_agent *agent = owner;
    struct pl_agent_rank *rank = pl_agent_rank_find(agent, number);
    rank->pid = pid;
    rank->alive = rank->group = true;
    pl_guard_note(&agent->guard, (int)(rank - agent->ranks), pid);
    if (agent->roll)
        pl_roll_started(agent->roll, number, (int)pid, agent->job.layout.hosts.list[agent->host].name);
    rank->out = (struct pl_watch){.fd = ends->out, .ready = out_ready};
    rank->err = (struct pl_watch){.fd = ends->err, .ready = err_ready};
    rank->pmi.watch = (struct pl_watch){.fd = ends->pmi, .ready = pmi_ready};
    rank->input.watch = (struct pl_watch){.fd = ends->in, .ready = input_ready};
    pl_channel_send_text(&agent->above, PL_FRAME_STARTED, number, "%d", (int)pid);
    pl_agent_flow(agent);
    return 0;
}

static void failed(struct pl_agent *agent, int code)
{
    pl_channel_send_text(&agent->above, PL_FRAME_FAILED, -1, "%d %d %s", agent->host, code, pl_fail_text());
}

static struct pl_start description_of(struct pl_agent *agent)
{
    return (struct pl_start){.options = &agent->job.options,
                             .layout = &agent->job.layout,
                             .host = agent->host,
                             .environment = agent->environment,
                             .input = -1,
                             .signals = agent->inherited_mask,
                             .files = agent->inherited_files,
                             .owner = agent,
                             .started = started,
                             .code = 1};
}

/* Where the programs run that have no directory of their own: as on mpiexec's host. */
static int go_there(const struct pl_agent *agent)
{
    const struct pl_options *options = &agent->job.options;
    bool needed = false;
    for (int i = 0; i < options->napps; i++)
        needed |= !options->apps[i].wdir || options->apps[i].wdir[0] != '/';
    if (!chdir(agent->job.wdir) || !needed)
        return 0;
    return pl_fail_errno("the directory '%.200s', where mpiexec runs, is not here (-wdir names another)",
                         agent->job.wdir);
}

bool pl_agent_check(struct pl_agent *agent)
{
    const struct pl_layout *layout = &agent->job.layout;
    struct pl_start start = description_of(agent);
    agent->nranks = layout->on_host[agent->host];
    agent->environment = pl_environment_elsewhere(environ, agent->job.environment);
    agent->ranks = calloc((size_t)agent->nranks + 1, sizeof *agent->ranks);
    int error = agent->environment && agent->ranks ? 0 : pl_fail(PL_ENOMEM, "no memory for the ranks");
    if (error)
        goto tell;
    for (int i = 0, local = 0; i < layout->ranks; i++)
        if (layout->host_of[i] == agent->host) {
            struct pl_agent_rank *rank = &agent->ranks[local++];
            *rank = (struct pl_agent_rank){.agent = agent, .rank = i};
            rank->out.fd = rank->err.fd = rank->pmi.watch.fd = rank->input.watch.fd = -1;
        }
    for (char **word = agent->environment; *word; word++)
        if (!strncmp(*word, "PATH=", 5))
            setenv("PATH", *word + 5, 1);
    error = pl_start_files(agent->nranks, 4 * agent->branches.count, &agent->inherited_files);
    if (!error)
        error = go_there(agent);
    if (!error)
        error = pl_start_check(&start);
tell:
    if (error)
        failed(agent, start.code);
    return !error;
}

void pl_agent_start(struct pl_agent *agent)
{
    struct pl_start start = description_of(agent);
    if (!pl_roll_create(agent->job.layout.ranks, &agent->roll, &agent->roll_fd))
        start.roll = agent->roll_fd;
    if (pl_guard_start(&agent->guard, agent->nranks))
        pl_warn("%s", pl_fail_text());
    if (pl_start_ranks(&start))
        failed(agent, start.code);
}

void pl_agent_signal(struct pl_agent *agent, int number)
{
    for (int i = 0; i < agent->nranks; i++)
        if (agent->ranks[i].group)
            kill(-agent->ranks[i].pid, number);
}

void pl_agent_flow(struct pl_agent *agent)
{
    for (int i = 0; i < agent->nranks; i++) {
        struct pl_agent_rank *rank = &agent->ranks[i];
        pl_loop_want(&agent->loop, &rank->out, agent->busy || agent->rest[0] ? 0 : EPOLLIN);
        pl_loop_want(&agent->loop, &rank->err, agent->busy || agent->rest[1] ? 0 : EPOLLIN);
        pl_loop_want(&agent->loop, &rank->pmi.watch, pmi_wish(rank));
    }
}

bool pl_agent_rank_ended(struct pl_agent *agent, pid_t pid, int status)
{
    for (int i = 0; i < agent->nranks; i++) {
        struct pl_agent_rank *rank = &agent->ranks[i];
        if (rank->pid != pid || !rank->alive)
            continue;
        rank->alive = false;
        while (rank->pmi.watch.fd >= 0 && pass_pmi(rank))
            ;
        pl_loop_close(&agent->loop, &rank->pmi.watch);
        pl_channel_send_text(&agent->above, PL_FRAME_ENDED, rank->rank, "%d", status);
        return true;
    }
    return false;
}

void pl_agent_look_at_groups(struct pl_agent *agent)
{
    for (int i = 0; i < agent->nranks; i++) {
        struct pl_agent_rank *rank = &agent->ranks[i];
        if (!rank->alive && rank->group && kill(-rank->pid, 0) && errno == ESRCH) {
            rank->group = false;
            pl_guard_note(&agent->guard, i, 0);
        }
    }
}

bool pl_agent_outputs_open(const struct pl_agent *agent)
{
    for (int i = 0; i < agent->nranks; i++)
        if (agent->ranks[i].out.fd >= 0 || agent->ranks[i].err.fd >= 0)
            return true;
    return false;
}

void pl_agent_finish_ranks(struct pl_agent *agent)
{
    for (int i = 0; agent->ranks && i < agent->nranks; i++) {
        struct pl_agent_rank *rank = &agent->ranks[i];
        while (rank->out.fd >= 0 && pass_output(rank, &rank->out, PL_FRAME_OUTPUT))
            ;
        while (rank->err.fd >= 0 && pass_output(rank, &rank->err, PL_FRAME_ERRORS))
            ;
        pl_loop_close(&agent->loop, &rank->out);
        pl_loop_close(&agent->loop, &rank->err);
        pl_loop_close(&agent->loop, &rank->pmi.watch);
        pl_loop_close(&agent->loop, &rank->input.watch);
        free(rank->pmi.bytes);
        free(rank->input.bytes);
    }
    free(agent->ranks);
    agent->ranks = NULL;
    agent->nranks = 0;
}
