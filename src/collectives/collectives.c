/* A collective call: from what MPI says to a run.
 *
 * Each communicator keeps the schedules of its last calls and a few free runs, so that a
 * call like the one before costs a look at a key and a memcpy, and no malloc. A schedule
 * depends on the bytes of a call, never on its buffers or its operator, only on whether that
 * commutes.
 *
 *   key -> set of 2 -> hit: its schedule     miss: choose, build, seal, replace the older of the two
 *
 * The signature in every message holds what all ranks must agree on, packed so that it can be read
 * again: who calls allreduce where others call bcast gets told just that. What does not fit exactly
 * (root, bytes) is hashed; lengths are compared with the message itself besides.
 *
 *     31      27  26   22  21   17  16    10  9        0
 *     | coll + 1 | op + 1 | basic | root % 127 | bytes, hashed |
 */
#include "collectives.h"

#include "choose.h"
#include "errors.h"
#include "rank.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SETS = 64 };

struct key {
    uint32_t collective, in_place, ordered;
    int root;
    size_t count, element;
};

struct entry {
    struct key key;
    struct pl_schedule *schedule; /* NULL: free */
    uint64_t used;                /* the clock when it was used last */
};

struct state { /* comm->collectives */
    struct entry *last; /* the entry of the call before */
    uint64_t clock;
    const struct pl_machine *machine;
    struct pl_forced forced;
    struct pl_run *kept;
    struct entry entry[SETS][2];
};

static void state_free(struct pl_comm *comm)
{
    struct state *state = comm->collectives;
    for (int i = 0; i < SETS; i++)
        for (int way = 0; way < 2; way++)
            pl_schedule_release(state->entry[i][way].schedule);
    while (state->kept) {
        struct pl_run *run = state->kept;
        state->kept = run->next;
        free(run);
    }
    free(state);
    comm->collectives = NULL;
}

static struct state *state_create(struct pl_comm *comm)
{
    struct pl_rank *rank = comm->owner;
    struct state *state = calloc(1, sizeof *state);
    if (!state) {
        pl_fail(PL_ENOMEM, "no memory for the collectives of %s", comm->name);
        return NULL;
    }
    const char *transport = rank->fabric ? "loopback" : comm->hosts > 1 ? "tcp" : "shm";
    state->machine = pl_machine_of(transport, !rank->spin);
    state->last = &state->entry[0][0];
    bool first = !rank->collectives_state && comm->rank == 0;
    rank->collectives_state = rank->config.algorithm; /* warned about: once a rank, not once a communicator */
    pl_forced_read(&state->forced, rank->config.algorithm, first);
    pl_forced_read(&state->forced, comm->algorithm, comm->rank == 0);
    comm->collectives = state;
    comm->collectives_free = state_free;
    return state;
}

struct pl_run **pl_run_kept(struct pl_comm *comm)
{
    struct state *state = comm->collectives;
    return &state->kept;
}

static bool same_key(const struct key *a, const struct key *b)
{
    return a->count == b->count && a->collective == b->collective && a->element == b->element &&
           a->root == b->root && a->in_place == b->in_place && a->ordered == b->ordered;
}

static int build(struct pl_comm *comm, struct state *state, const struct key *key, struct pl_schedule **schedule)
{
    struct pl_coll_args args = {.collective = (enum pl_collective)key->collective,
                                .rank = comm->rank,
                                .size = comm->size,
                                .root = key->root,
                                .count = key->count,
                                .element = key->element,
                                .in_place = key->in_place,
                                .ordered = key->ordered};
    const struct pl_algorithm *algorithm = pl_choose(state->machine, &args, comm->owner->config.reproducible, false,
                                                     state->forced.algorithm[key->collective]);
    return pl_algorithm_schedule(algorithm, &args, 0, schedule);
}

/* The schedule for the call, still the cache's. */
static int look_up(struct pl_comm *comm, struct state *state, const struct key *key, struct pl_schedule **schedule)
{
    if (state->last->schedule && same_key(&state->last->key, key)) {
        *schedule = state->last->schedule;
        return 0;
    }
    uint64_t hash = (key->count * 31 + key->element) * 0x9e3779b97f4a7c15ull;
    hash += (uint64_t)key->collective * 0xbf58476d1ce4e5b9ull + (uint64_t)key->root * 0x94d049bb133111ebull +
            ((uint64_t)key->in_place << 60) + ((uint64_t)key->ordered << 61);
    struct entry *set = state->entry[hash >> 58], *entry = &set[0];
    for (int way = 0; way < 2; way++)
        if (set[way].schedule && same_key(&set[way].key, key))
            entry = &set[way];
    if (!entry->schedule || !same_key(&entry->key, key)) {
        struct pl_schedule *built;
        int error = build(comm, state, key, &built);
        if (error)
            return error;
        entry = set[1].used < set[0].used ? &set[1] : &set[0];
        pl_schedule_release(entry->schedule);
        *entry = (struct entry){*key, built, 0};
    }
    entry->used = ++state->clock;
    state->last = entry;
    *schedule = entry->schedule;
    return 0;
}

static bool reduces(enum pl_collective collective)
{
    return collective == PL_REDUCE || collective == PL_ALLREDUCE || collective == PL_REDUCE_SCATTER;
}

static int key_of(const struct pl_coll_call *call, struct key *key)
{
    const struct pl_datatype *type = call->type;
    bool sums = reduces(call->collective);
    *key = (struct key){.collective = call->collective, .in_place = call->in_place, .root = call->root};
    if (!type)
        return 0;
    if (!type->contiguous && !(sums && type->lb == 0 && type->extent >= (ptrdiff_t)type->size))
        return pl_fail(PL_EUNSUPPORTED, "%s of the non-contiguous type %s: it must be packed first",
                       pl_collective_name(call->collective), type->name ? type->name : "(derived)");
    key->element = sums ? (size_t)type->extent : type->size;
    key->count = key->element ? call->count : 0;
    if (!sums && key->element) { /* bytes alone matter, so that all types share their schedules */
        key->count *= key->element;
        key->element = 1;
    }
    key->element += !key->element;
    key->ordered = sums && (!call->op->commutative || call->comm->owner->config.reproducible);
    return 0;
}

static uint32_t signature_of(const struct pl_coll_call *call, const struct key *key)
{
    uint64_t bytes = (uint64_t)key->count * key->element * 0x9e3779b97f4a7c15ull;
    uint32_t op = call->op ? (uint32_t)call->op->kind + 1 : 0, basic = call->op ? (uint32_t)call->type->basic : 0;
    return ((uint32_t)call->collective + 1) << 27 | (op & 31) << 22 | (basic & 31) << 17 |
           (uint32_t)call->root % 127 << 10 | (uint32_t)(bytes >> 54);
}

const char *pl_coll_describe(uint32_t signature, char *text, size_t size)
{
    static const char *const ops[] = {"",          "MPI_SUM",  "MPI_MIN",     "MPI_MAX",     "MPI_PROD",   "MPI_BAND",
                                      "MPI_BOR",   "MPI_BXOR", "MPI_LAND",    "MPI_LOR",     "MPI_LXOR",   "MPI_MINLOC",
                                      "MPI_MAXLOC", "MPI_REPLACE", "MPI_NO_OP", "a user's operator"};
    uint32_t collective = (signature >> 27) - 1, op = signature >> 22 & 31, basic = signature >> 17 & 31;
    if (collective >= PL_COLLECTIVES || op >= sizeof ops / sizeof *ops)
        snprintf(text, size, "something unknown");
    else if (op)
        snprintf(text, size, "%s of %s with %s, root %u", pl_collective_name((enum pl_collective)collective),
                 pl_basic_name((enum pl_basic)basic), ops[op], signature >> 10 & 127);
    else
        snprintf(text, size, "%s, root %u", pl_collective_name((enum pl_collective)collective),
                 signature >> 10 & 127);
    return text;
}

/* Where the caller's two buffers are for the schedule; in place, one of them is not looked at. */
static void set_buffers(struct pl_run *run, const struct pl_coll_call *call)
{
    run->base[PL_IN] = (char *)(uintptr_t)call->in; /* never written through: the builder asserts it */
    run->base[PL_OUT] = call->out;
}

static int prepare(const struct pl_coll_call *call, struct pl_run **prepared)
{
    struct pl_comm *comm = call->comm;
    struct state *state = comm->collectives ? comm->collectives : state_create(comm);
    struct pl_schedule *schedule;
    struct key key;
    if (!state)
        return PL_ENOMEM;
    int error = key_of(call, &key);
    if (!error)
        error = look_up(comm, state, &key, &schedule);
    if (error)
        return error;
    struct pl_run *run = pl_run_create(&state->kept, schedule);
    if (!run)
        return PL_ENOMEM;
    run->comm = comm;
    run->type = call->type;
    run->op = call->op;
    run->element = key.element;
    set_buffers(run, call);
    run->tag = (int)((comm->sequence++ & 0x7fff) << 16);
    run->signature = signature_of(call, &key);
    *prepared = run;
    return 0;
}

int pl_coll_blocking(const struct pl_coll_call *call)
{
    struct pl_run *run;
    int error = prepare(call, &run);
    if (error)
        return error;
    run->completed = NULL;
    run->holds_comm = false;
    run->waited = !call->comm->owner->threaded;
    pl_run_start(run);
    return pl_run_end(run);
}

int pl_coll_start(const struct pl_coll_call *call, void (*completed)(struct pl_run *run), void *owner,
                  struct pl_run **started)
{
    struct pl_run *run;
    int error = prepare(call, &run);
    if (error)
        return error;
    pl_comm_hold(call->comm);
    run->holds_comm = true;
    run->completed = completed;
    run->owner = owner;
    run->waited = false;
    *started = run;
    pl_run_start(run);
    return 0;
}
