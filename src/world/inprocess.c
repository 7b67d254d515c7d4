/* An in-process world: N ranks, each a thread, over the loopback transport.
 *
 * A rank that fails for good (an error that is fatal, MPI_Abort) is torn down
 * where it stands, because its requests may lie on its stack; then its thread
 * ends without returning to the body. The first failure is the world's: it kills
 * the others, whose own errors follow from it and are not reported. A rank that
 * the plan of a simulated world kills is torn down in the same way, but that is no
 * failure of the world. A function that ends its thread itself (pthread_exit) has failed.
 */
#include "world.h"

#include "errors.h"
#include "log.h"
#include "loopback.h"
#include "names.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

struct shared {
    struct pl_inprocess *world;
    struct pl_fabric *fabric;
    pthread_mutex_t lock; /* of the outcome */
    struct pl_names names;
};

struct member {
    struct pl_rank rank;
    struct shared *shared;
    atomic_bool parts; /* it is about to end, and waits for the others */
    bool torn_down;
    pthread_t thread;
};

static void record(struct member *member, int code, const char *text)
{
    struct shared *shared = member->shared;
    struct pl_inprocess *world = shared->world;
    enum pl_end end = pl_fabric_ended(shared->fabric, member->rank.rank);
    if (end == PL_END_KILLED)
        return;
    pthread_mutex_lock(&shared->lock);
    if (world->failed_rank < 0) {
        const char *report = pl_fabric_deadlock(shared->fabric);
        world->failed_rank = member->rank.rank;
        world->code = code;
        world->out_of_time = end == PL_END_TIME;
        world->deadlock = report[0] && !world->out_of_time;
        snprintf(world->text, sizeof world->text, "%s", report[0] ? report : text);
    }
    pthread_mutex_unlock(&shared->lock);
}

struct pl_names *pl_inprocess_names(struct pl_rank *rank)
{
    return &pl_container(rank, struct member, rank)->shared->names;
}

/* Whether all others have come to part, or are not there any more. */
static bool all_part(const struct member *member)
{
    const struct shared *shared = member->shared;
    const struct member *first = member - member->rank.rank;
    for (int i = 0; i < shared->world->size; i++)
        if (!atomic_load(&first[i].parts) && !pl_fabric_gone(shared->fabric, i))
            return false;
    return true;
}

int pl_inprocess_part(struct pl_rank *rank)
{
    struct member *member = pl_container(rank, struct member, rank);
    atomic_store(&member->parts, true);
    for (int i = 0; i < rank->size; i++)
        if (i != rank->rank && !pl_fabric_gone(rank->fabric, i))
            pl_peer_wake(rank, i);
    for (unsigned idle = 0; !all_part(member);) {
        int events = pl_progress(rank);
        if (!events)
            events = pl_idle(rank, idle++);
        if (events < 0)
            return all_part(member) ? 0 : events;
    }
    return 0;
}

static void tear_down(struct member *member)
{
    member->torn_down = true;
    member->shared->world->end(&member->rank);
    pl_rank_close(&member->rank);
    pl_self_set_thread(NULL);
}

static void kill_world(struct member *member, const char *text)
{
    char cause[256];
    snprintf(cause, sizeof cause, "rank %d ended the world: %.200s", member->rank.rank, text);
    for (int i = 0; i < member->shared->world->size; i++)
        pl_fabric_kill(member->shared->fabric, i, cause);
}

static void end_here(struct member *member, int code, const char *text)
{
    record(member, code, text);
    if (pl_fabric_ended(member->rank.fabric, member->rank.rank) == PL_END_NONE)
        kill_world(member, text);
    tear_down(member);
}

static void abort_rank(struct pl_rank *rank, int code, const char *text)
{
    end_here(pl_container(rank, struct member, rank), code, text);
    pthread_exit(NULL);
}

static int host_of(struct pl_rank *rank, int peer)
{
    return 0;
}

static int card_of(struct pl_rank *rank, int peer, const char *transport, void *card, size_t *length)
{
    pl_fabric_card(rank->fabric, peer, card, length);
    return 0;
}

/* Of who is not known to be lost; of who is, the news said how. */
static bool obituary(struct pl_rank *rank, int peer, char *text, size_t size)
{
    if ((rank->peers[peer] && rank->peers[peer]->lost) || !pl_fabric_left(rank->fabric, peer))
        return false;
    snprintf(text, size, "its function has returned");
    return true;
}

/* The thread has ended, but neither by returning nor by abort_rank. */
static void left_early(void *argument)
{
    struct member *member = argument;
    if (!member->torn_down)
        end_here(member, 1, "its function ended its thread (pthread_exit)");
}

static int call_body(struct member *member)
{
    const struct pl_inprocess *world = member->shared->world;
    int code;
    pthread_cleanup_push(left_early, member);
    code = world->body(world->argument);
    pthread_cleanup_pop(0);
    return code;
}

static void *run(void *argument)
{
    struct member *member = argument;
    struct pl_inprocess *world = member->shared->world;
    char who[32];
    snprintf(who, sizeof who, "rank %d", member->rank.rank);
    pl_log_identity(who, PL_LOG_WARN);
    int error = pl_rank_open(&member->rank);
    pl_self_set_thread(&member->rank);
    if (!error)
        error = world->start(&member->rank);
    if (error) {
        end_here(member, error, pl_fail_text());
        return NULL;
    }
    int code = call_body(member);
    if (code) {
        char text[64];
        snprintf(text, sizeof text, "rank %d's function returned %d", member->rank.rank, code);
        record(member, code, text);
    }
    tear_down(member);
    return NULL;
}

static void prepare(struct member *member, struct shared *shared, int number)
{
    struct pl_rank *rank = &member->rank;
    member->shared = shared;
    rank->rank = rank->local_rank = number;
    rank->size = rank->local_size = shared->world->size;
    rank->hosts = 1;
    rank->world_id = shared->world->deterministic ? shared->world->seed : (uintptr_t)shared->fabric >> 4;
    rank->fabric = shared->fabric;
    rank->host_of = host_of;
    rank->card_of = card_of;
    rank->abort = abort_rank;
    rank->obituary = obituary;
    strcpy(rank->hostname, "in-process");
}

static int start_threads(struct pl_inprocess *world, struct member *members)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (world->stack_size)
        pthread_attr_setstacksize(&attributes, world->stack_size);
    int started = 0, problem = 0;
    while (started < world->size && !problem) {
        problem = pthread_create(&members[started].thread, &attributes, run, &members[started]);
        started += !problem;
    }
    pthread_attr_destroy(&attributes);
    if (problem) {
        snprintf(world->text, sizeof world->text, "only %d of %d threads could be started: %s", started,
                 world->size, strerror(problem));
        world->failed_rank = started;
        world->code = PL_ENOMEM;
    }
    return started;
}

/* What is known of the world when all its ranks have ended. */
static void sum_up(struct pl_inprocess *world, struct pl_fabric *fabric)
{
    pl_fabric_log(fabric, &world->hash, &world->events);
    world->killed = pl_fabric_killed(fabric);
    world->time = world->deterministic ? pl_fabric_now(fabric) : 0;
}

static int make_fabric(struct pl_inprocess *world, FILE *log, struct pl_fabric **fabric)
{
    int error = pl_fabric_create(world->size, world->deterministic, world->seed, fabric);
    const struct pl_plan plan = {world->faults, world->fault_count, world->time_limit, log};
    if (!error && world->deterministic)
        error = pl_fabric_simulate(*fabric, &plan);
    if (error)
        pl_fabric_destroy(*fabric);
    return error;
}

static void run_ranks(struct pl_inprocess *world, struct member *members, struct shared *shared)
{
    struct pl_config config;
    pl_config_read(&config, environ);
    pl_config_complain(environ);
    for (int i = 0; i < world->size; i++) {
        prepare(&members[i], shared, i);
        members[i].rank.config = config;
    }
    int started = start_threads(world, members);
    for (int i = started; i < world->size; i++)
        pl_fabric_kill(shared->fabric, i, "its thread could not be started");
    for (int i = 0; i < started; i++)
        pthread_join(members[i].thread, NULL);
}

int pl_inprocess_run(struct pl_inprocess *world)
{
    struct shared shared = {.world = world, .lock = PTHREAD_MUTEX_INITIALIZER};
    pl_names_init(&shared.names);
    world->failed_rank = -1;
    world->code = 0;
    world->deadlock = world->out_of_time = false;
    world->text[0] = 0;
    struct member *members = calloc((size_t)world->size, sizeof *members);
    int error = members ? 0 : pl_fail(PL_ENOMEM, "no memory for a world of %d ranks", world->size);
    if (error)
        goto finish_names;
    FILE *log = world->log ? fopen(world->log, "w") : NULL;
    if (world->log && !log) {
        error = pl_fail_errno("opening %s for the events of an in-process world", world->log);
        goto free_members;
    }
    error = make_fabric(world, log, &shared.fabric);
    if (error)
        goto close_log;
    run_ranks(world, members, &shared);
    sum_up(world, shared.fabric);
    pl_fabric_destroy(shared.fabric);
    error = world->failed_rank >= 0;
close_log:
    if (log && (ferror(log) | fclose(log)) && !error)
        error = pl_fail(PL_ESYSTEM, "%s: not all events could be written (is the disk full?)", world->log);
free_members:
    free(members);
finish_names:
    pl_names_finish(&shared.names);
    return error;
}
