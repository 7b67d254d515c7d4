/* What only the in-process transport has: exact deadlocks, turns drawn from a
 * seed, virtual time, and ranks killed from outside. That it keeps the contract
 * is the conformance suite's business.
 */
#include "errors.h"
#include "loopback.h"
#include "transport.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANKS_MAX = 16, LARGE = 100000 };

/* One rank: its port and what it has seen. */
struct actor {
    struct pl_fabric *fabric;
    int rank, size;
    void (*body)(struct actor *actor);
    struct pl_port *port;
    struct pl_endpoint *to[RANKS_MAX];
    uint64_t heard; /* order-sensitive, over the senders of frames */
    int frames, lost, last_lost, landed_status, done, done_status;
    char cause[200];
    int outcome;
    char text[PL_ERROR_TEXT];
    void *shared;
};

static void on_arrived(void *context, int peer, const struct pl_header *header, size_t length,
                       const void *payload, struct pl_landing *landing)
{
    struct actor *actor = context;
    actor->heard = actor->heard * 31 + (uint64_t)peer + 1;
    actor->frames++;
}

static void on_landed(void *context, int peer, const struct pl_landing *landing, size_t length, int status)
{
    ((struct actor *)context)->landed_status = status;
}

static void on_lost(void *context, int peer, int error, const char *cause)
{
    struct actor *actor = context;
    actor->lost++;
    actor->last_lost = peer;
    snprintf(actor->cause, sizeof actor->cause, "%s", cause);
}

static void on_describe(void *context, char *text, size_t size)
{
    const struct actor *actor = context;
    snprintf(text, size, "rank %d waits in MPI_Recv for rank %d", actor->rank,
             (actor->rank + 1) % actor->size);
}

static const struct pl_upcalls upcalls = {on_arrived, on_landed, on_lost, on_describe};

/* Of a rank's thread, where the test framework's assertions must not be used. */
#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, pl_fail_text());              \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

struct operation {
    struct pl_operation base;
    struct actor *actor;
};

static void on_done(struct pl_operation *base, int status)
{
    struct actor *actor = ((struct operation *)base)->actor;
    actor->done++;
    actor->done_status = status;
    free(base);
}

static const char large_payload[LARGE];

static int send_to(struct actor *actor, int peer, size_t length)
{
    struct operation *operation = calloc(1, sizeof *operation);
    operation->base = (struct pl_operation){.payload = large_payload, .length = length, .done = on_done};
    operation->actor = actor;
    int rc = pl_loopback.send(actor->to[peer], &operation->base);
    if (rc != PL_PENDING)
        free(operation);
    return rc;
}

static int sleep_long(struct actor *actor)
{
    return pl_loopback.sleep(actor->port, -1, NULL, 0);
}

/* Progress and sleep until `frames` have come; the first error otherwise. */
static int hear(struct actor *actor, int frames)
{
    while (actor->frames < frames) {
        int events = pl_loopback.progress(actor->port);
        if (events < 0)
            return events;
        int error = events ? 0 : sleep_long(actor);
        if (error)
            return error;
    }
    return 0;
}

static int actor_open(struct actor *actor)
{
    struct pl_port_params params = {.rank = actor->rank,
                                    .size = actor->size,
                                    .local_size = actor->size,
                                    .fabric = actor->fabric,
                                    .upcalls = &upcalls,
                                    .context = actor};
    int error = pl_loopback.open(&params, &actor->port);
    for (int r = 0; !error && r < actor->size; r++) {
        unsigned char card[PL_CARD_MAX];
        size_t length;
        pl_fabric_card(actor->fabric, r, card, &length);
        MUST(pl_loopback.connect(actor->port, r, card, length, &actor->to[r]) == 0);
    }
    return error;
}

static void *live(void *argument)
{
    struct actor *actor = argument;
    actor->outcome = actor_open(actor);
    if (!actor->outcome)
        actor->body(actor);
    snprintf(actor->text, sizeof actor->text, "%s", pl_fail_text());
    pl_loopback.close(actor->port);
    return NULL;
}

struct world {
    struct pl_fabric *fabric;
    struct actor actors[RANKS_MAX];
    pthread_t threads[RANKS_MAX];
    int size;
};

static void world_start(struct world *world, int size, bool deterministic, uint64_t seed, bool backwards,
                        void (*body)(struct actor *), void *shared)
{
    memset(world, 0, sizeof *world);
    world->size = size;
    cr_assert_eq(pl_fabric_create(size, deterministic, seed, &world->fabric), 0);
    for (int i = 0; i < size; i++) {
        int r = backwards ? size - 1 - i : i;
        world->actors[r] =
            (struct actor){.fabric = world->fabric, .rank = r, .size = size, .body = body, .shared = shared};
        cr_assert_eq(pthread_create(&world->threads[r], NULL, live, &world->actors[r]), 0);
    }
}

static void world_join(struct world *world)
{
    for (int r = 0; r < world->size; r++)
        pthread_join(world->threads[r], NULL);
}

/* ---- refusals ---- */

Test(loopback, needs_a_fabric)
{
    struct pl_port *port = NULL;
    struct pl_port_params params = {.rank = 0, .size = 1, .upcalls = &upcalls};
    cr_assert_eq(pl_loopback.open(&params, &port), PL_EUNSUPPORTED);
    cr_assert_null(port);
}

Test(loopback, refuses_wrong_sizes_and_ranks)
{
    struct pl_fabric *fabric = NULL;
    cr_assert_eq(pl_fabric_create(0, false, 0, &fabric), PL_EARG);
    cr_assert_null(fabric);
    cr_assert_eq(pl_fabric_create(2, false, 0, &fabric), 0);
    struct pl_port *port = NULL, *second = NULL;
    struct pl_port_params params = {.rank = 2, .size = 2, .fabric = fabric, .upcalls = &upcalls};
    cr_assert_eq(pl_loopback.open(&params, &port), PL_EARG);
    params.rank = 1;
    cr_assert_eq(pl_loopback.open(&params, &port), 0);
    cr_assert_eq(pl_loopback.open(&params, &second), PL_EARG, "opened twice");
    pl_loopback.close(port);
    pl_fabric_destroy(fabric);
}

Test(loopback, another_worlds_card_is_out_of_reach)
{
    struct pl_fabric *here, *there;
    cr_assert_eq(pl_fabric_create(2, false, 0, &here), 0);
    cr_assert_eq(pl_fabric_create(2, false, 0, &there), 0);
    struct actor actor = {.fabric = here, .rank = 0, .size = 2};
    cr_assert_eq(actor_open(&actor), 0);
    unsigned char card[PL_CARD_MAX];
    size_t length;
    struct pl_endpoint *endpoint = NULL;
    pl_fabric_card(there, 1, card, &length);
    cr_assert_eq(pl_loopback.connect(actor.port, 1, card, length, &endpoint), PL_EUNREACHABLE);
    pl_fabric_card(here, 0, card, &length);
    cr_assert_eq(pl_loopback.connect(actor.port, 1, card, length, &endpoint), PL_EPROTOCOL,
                 "another rank's card");
    cr_assert_null(endpoint);
    pl_loopback.close(actor.port);
    pl_fabric_destroy(here);
    pl_fabric_destroy(there);
}

/* ---- deadlocks ---- */

static void wait_for_nothing(struct actor *actor)
{
    if (actor->rank != 2)
        actor->outcome = hear(actor, 1);
}

static void expect_deadlock(bool deterministic)
{
    struct world world;
    world_start(&world, 4, deterministic, 3, false, wait_for_nothing, NULL);
    world_join(&world);
    for (int r = 0; r < 4; r++)
        cr_expect_eq(world.actors[r].outcome, r == 2 ? 0 : PL_EDEADLOCK, "rank %d: %d", r,
                     world.actors[r].outcome);
    const char *text = pl_fabric_deadlock(world.fabric);
    cr_expect(strstr(text, "\nrank 2 has ended"), "%s", text);
    /* The first to be told leaves before the others, so only the first report names all. */
    cr_expect(strstr(text, "\nrank 0 waits in MPI_Recv for rank 1\nrank 1 waits in MPI_Recv for rank 2"),
              "%s", text);
    cr_expect(strstr(text, "\nrank 3 waits in MPI_Recv for rank 0"), "%s", text);
    for (int r = 0; r < 4; r++)
        cr_expect(r == 2 || !strcmp(world.actors[r].text, text), "rank %d was told: %s", r,
                  world.actors[r].text);
    pl_fabric_destroy(world.fabric);
}

Test(loopback, deadlock_of_free_ranks_names_all)
{
    expect_deadlock(false);
}

Test(loopback, deadlock_in_turns_names_all)
{
    expect_deadlock(true);
}

/* A deadlock is an error, not an end: who is told may still send, and the world goes on. */
static void break_deadlock(struct actor *actor)
{
    actor->outcome = hear(actor, 1);
    if (actor->outcome != PL_EDEADLOCK)
        return;
    for (int r = 0; r < actor->size; r++)
        if (r != actor->rank)
            MUST(send_to(actor, r, 10) >= 0);
    actor->outcome = hear(actor, actor->size - 1);
}

Test(loopback, ranks_go_on_after_a_deadlock)
{
    for (int deterministic = 0; deterministic < 2; deterministic++) {
        struct world world;
        world_start(&world, 3, deterministic, 1, false, break_deadlock, NULL);
        world_join(&world);
        for (int r = 0; r < 3; r++) {
            cr_expect_eq(world.actors[r].outcome, 0, "rank %d: %d", r, world.actors[r].outcome);
            cr_expect_eq(world.actors[r].frames, 2);
        }
        pl_fabric_destroy(world.fabric);
    }
}

/* A rank that sleeps with a limit will go on, so nobody is deadlocked. */
static void one_has_a_limit(struct actor *actor)
{
    if (actor->rank == 0) {
        actor->outcome = hear(actor, 1);
        return;
    }
    actor->outcome = pl_loopback.sleep(actor->port, 20000000, NULL, 0);
    MUST(send_to(actor, 0, 1) == 0);
}

Test(loopback, a_limit_is_no_deadlock)
{
    for (int deterministic = 0; deterministic < 2; deterministic++) {
        struct world world;
        world_start(&world, 2, deterministic, 1, false, one_has_a_limit, NULL);
        world_join(&world);
        cr_expect_eq(world.actors[0].outcome, 0);
        cr_expect_eq(world.actors[1].outcome, 0);
        cr_expect_str_empty(pl_fabric_deadlock(world.fabric));
        pl_fabric_destroy(world.fabric);
    }
}

static void wait_alone(struct actor *actor)
{
    actor->outcome = hear(actor, 1);
}

Test(loopback, one_rank_alone_waits_in_vain)
{
    struct world world;
    world_start(&world, 1, false, 0, false, wait_alone, NULL);
    world_join(&world);
    cr_expect_eq(world.actors[0].outcome, PL_EDEADLOCK);
    pl_fabric_destroy(world.fabric);
}

/* ---- turns ---- */

/* Ranks talk in an order that only the scheduling decides; `shared` is touched without a lock. */
static void chatter(struct actor *actor)
{
    uint64_t *turns = actor->shared;
    int others = actor->size - 1;
    for (int round = 1; round <= 5; round++) {
        for (int r = 0; r < actor->size; r++)
            if (r != actor->rank)
                MUST(send_to(actor, r, (actor->rank + round) % 3 ? 20 : LARGE) >= 0);
        turns[0] = turns[0] * 31 + (uint64_t)actor->rank;
        pl_loopback.sleep(actor->port, round % 2 ? 0 : 1000, NULL, 0);
        actor->outcome = hear(actor, others * round);
        if (actor->outcome)
            return;
    }
}

struct trace {
    uint64_t hash, events, turns, heard;
};

static struct trace trace_of(uint64_t seed, int size, bool backwards)
{
    struct world world;
    struct trace trace = {0, 0, 0, 0};
    world_start(&world, size, true, seed, backwards, chatter, &trace.turns);
    world_join(&world);
    for (int r = 0; r < size; r++) {
        cr_assert_eq(world.actors[r].outcome, 0, "rank %d of %d: %s", r, size, world.actors[r].text);
        trace.heard = trace.heard * 1000003 + world.actors[r].heard;
    }
    pl_fabric_log(world.fabric, &trace.hash, &trace.events);
    pl_fabric_destroy(world.fabric);
    return trace;
}

Test(loopback, the_same_seed_gives_the_same_events)
{
    const int sizes[] = {1, 2, 3, 5, 8, 16};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (uint64_t seed = 0; seed < 3; seed++) {
            struct trace first = trace_of(seed, sizes[i], false);
            for (int again = 0; again < 3; again++) {
                struct trace other = trace_of(seed, sizes[i], again % 2);
                cr_assert_eq(memcmp(&first, &other, sizeof first), 0, "%d ranks, seed %d, run %d", sizes[i],
                             (int)seed, again);
            }
        }
}

Test(loopback, other_seeds_give_other_orders)
{
    enum { SEEDS = 12 };
    struct trace traces[SEEDS];
    for (int s = 0; s < SEEDS; s++)
        traces[s] = trace_of((uint64_t)s, 5, false);
    for (int s = 0; s < SEEDS; s++)
        for (int t = 0; t < s; t++) {
            cr_expect_neq(traces[s].hash, traces[t].hash, "seeds %d and %d", s, t);
            cr_expect_neq(traces[s].heard, traces[t].heard, "seeds %d and %d", s, t);
        }
}

static void sleep_hours(struct actor *actor)
{
    int *order = actor->shared;
    int hours = actor->size - actor->rank;
    actor->outcome = pl_loopback.sleep(actor->port, hours * INT64_C(3600000000000), NULL, 0);
    order[1 + order[0]++] = actor->rank;
}

Test(loopback, time_is_virtual_in_turns)
{
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct world world;
        int order[6] = {0};
        world_start(&world, 5, true, seed, false, sleep_hours, order);
        world_join(&world);
        for (int i = 0; i < 5; i++)
            cr_expect_eq(order[1 + i], 4 - i, "rank %d woke as number %d", order[1 + i], i);
        pl_fabric_destroy(world.fabric);
    }
}

/* A rank that only polls cannot keep time from passing for the others. */
static void poll_beside(struct actor *actor)
{
    if (actor->rank == 1) {
        actor->outcome = pl_loopback.sleep(actor->port, INT64_C(3600000000000), NULL, 0);
        MUST(send_to(actor, 0, 1) == 0);
        return;
    }
    while (!actor->frames)
        if (pl_loopback.progress(actor->port) == 0)
            pl_loopback.sleep(actor->port, 0, NULL, 0);
}

Test(loopback, time_passes_beside_one_who_polls)
{
    struct world world;
    world_start(&world, 2, true, 5, false, poll_beside, NULL);
    world_join(&world);
    cr_expect_eq(world.actors[0].frames, 1);
    pl_fabric_destroy(world.fabric);
}

/* ---- death ---- */

static void until_lost(struct actor *actor)
{
    if (actor->rank == 0)
        MUST(send_to(actor, 1, LARGE) == PL_PENDING);
    sem_post(actor->shared);
    if (actor->rank == 1) {
        /* With a limit: nobody in the world can know that a kill will come from outside it. */
        while ((actor->outcome = pl_loopback.progress(actor->port)) >= 0)
            pl_loopback.sleep(actor->port, INT64_C(100000000000), NULL, 0);
        return;
    }
    while (!actor->lost || (actor->rank == 0 && !actor->done)) {
        int events = pl_loopback.progress(actor->port);
        MUST(events >= 0);
        if (!events)
            MUST(sleep_long(actor) == 0);
    }
    actor->outcome = send_to(actor, 1, 1);
    while (pl_loopback.progress(actor->port) > 0) {
    }
}

Test(loopback, a_killed_rank_is_lost_to_all_and_wakes_up)
{
    struct world world;
    sem_t ready;
    sem_init(&ready, 0, 0);
    world_start(&world, 3, false, 0, false, until_lost, &ready);
    for (int r = 0; r < 3; r++)
        sem_wait(&ready);
    pl_fabric_kill(world.fabric, 1, "rank 1 fell down the stairs");
    pl_fabric_kill(world.fabric, 1, "rank 1 fell again");
    world_join(&world);
    cr_expect_eq(world.actors[1].outcome, PL_EPEER);
    cr_expect(strstr(world.actors[1].text, "fell down the stairs"), "%s", world.actors[1].text);
    for (int r = 0; r < 3; r += 2) {
        cr_expect_eq(world.actors[r].lost, 1);
        cr_expect_eq(world.actors[r].last_lost, 1);
        cr_expect_str_eq(world.actors[r].cause, "rank 1 fell down the stairs");
        cr_expect_eq(world.actors[r].outcome, PL_EPEER);
    }
    pl_fabric_destroy(world.fabric);
}

static void die_with_a_message_under_way(struct actor *actor)
{
    if (actor->rank == 0) {
        MUST(send_to(actor, 1, 10) == 0);
        MUST(send_to(actor, 1, LARGE) == PL_PENDING);
        pl_fabric_kill(actor->fabric, 0, "rank 0 gave up");
        MUST(send_to(actor, 1, 10) == PL_EPEER);
        return;
    }
    while (!actor->lost) {
        int events = pl_loopback.progress(actor->port);
        MUST(events >= 0);
        if (!events)
            MUST(sleep_long(actor) == 0);
    }
}

Test(loopback, what_the_dead_sent_comes_before_the_news)
{
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct world world;
        world_start(&world, 2, true, seed, false, die_with_a_message_under_way, NULL);
        world_join(&world);
        cr_expect_eq(world.actors[1].frames, 2);
        cr_expect_eq(world.actors[1].landed_status, world.actors[0].done_status, "what the sender was told");
        cr_expect_eq(world.actors[0].done, 1);
        pl_fabric_destroy(world.fabric);
    }
}

static void start_without_one(struct actor *actor)
{
    while (!actor->lost)
        if (pl_loopback.progress(actor->port) == 0)
            MUST(sleep_long(actor) == 0);
    actor->outcome = hear(actor, 1);
}

/* A rank whose thread never came up must not keep the others waiting at the start. */
Test(loopback, a_rank_that_never_opens_can_be_killed)
{
    for (int deterministic = 0; deterministic < 2; deterministic++) {
        struct world world;
        memset(&world, 0, sizeof world);
        cr_assert_eq(pl_fabric_create(3, deterministic, 9, &world.fabric), 0);
        for (int r = 0; r < 2; r++) {
            world.actors[r] =
                (struct actor){.fabric = world.fabric, .rank = r, .size = 3, .body = start_without_one};
            cr_assert_eq(pthread_create(&world.threads[r], NULL, live, &world.actors[r]), 0);
        }
        world.size = 2;
        pl_fabric_kill(world.fabric, 2, "no thread could be made for rank 2");
        world_join(&world);
        for (int r = 0; r < 2; r++) {
            cr_expect_eq(world.actors[r].last_lost, 2);
            cr_expect_eq(world.actors[r].outcome, PL_EDEADLOCK, "%d", world.actors[r].outcome);
        }
        cr_expect(strstr(pl_fabric_deadlock(world.fabric), "rank 2 died"), "%s",
                  pl_fabric_deadlock(world.fabric));
        pl_fabric_destroy(world.fabric);
    }
}
