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
 *     31      28  27   23  22   17  16       10  9            0
 *     | coll + 1 | op + 1 | basic  | root % 127 | bytes, hashed |
 */
#include "collectives.h"

#include "choose.h"
#include "direct.h"
#include "errors.h"
#include "rank.h"
#include "tiny.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SETS = 64,
    DIRECT_MIN = 16 << 10, /* bytes below which meeting never pays: not worth a look */
};

struct key {
    uint32_t collective, in_place, ordered, direct;
    int root;
    size_t count, element;
};

struct entry {
    struct key key;
    struct pl_schedule *schedule; /* NULL: free */
    uint64_t used;                /* the clock when it was used last */
};

struct state {          /* comm->collectives */
    struct entry *last; /* the entry of the call before */
    uint64_t clock;
    const struct pl_machine *machine;
    struct pl_forced forced;
    struct pl_direct direct;
    struct pl_run *kept;
    struct pl_tiny tiny;
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
    pl_tiny_close(&state->tiny, comm);
    free(state);
    comm->collectives = NULL;
}

/* Whether ranks share cores. Only what all ranks see alike counts, or they would choose different
 * algorithms: the CPUs of the host, not those that this rank may use. */
static bool crowded(const struct pl_comm *comm)
{
    return comm->hosts == 1 && comm->owner->local_size > sysconf(_SC_NPROCESSORS_ONLN);
}

/* What carries the messages of most pairs. */
static const char *transport_of(const struct pl_comm *comm)
{
    const struct pl_rank *rank = comm->owner;
    return comm->hosts > 1 ? "tcp" : rank->nports ? rank->ports[0]->transport->name : "shm";
}

static struct state *state_create(struct pl_comm *comm)
{
    struct pl_rank *rank = comm->owner;
    struct state *state = calloc(1, sizeof *state);
    if (!state) {
        pl_fail(PL_ENOMEM, "no memory for the collectives of %s", comm->name);
        return NULL;
    }
    state->last = &state->entry[0][0];
    struct pl_collectives *own = rank->collectives_state;
    if (!own && !(own = rank->collectives_state = calloc(1, sizeof *own))) {
        free(state);
        pl_fail(PL_ENOMEM, "no memory for collectives");
        return NULL;
    }
    bool begins = !own->warned, first = begins && comm->rank == 0;
    own->warned = true;
    if (begins)
        pl_tuning_read(&own->tuning, rank->config.tuning, first);
    state->machine = pl_tuning_machine(&own->tuning, transport_of(comm), crowded(comm));
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
           a->root == b->root && a->in_place == b->in_place && a->ordered == b->ordered &&
           a->direct == b->direct;
}

static struct pl_coll_args args_of(const struct pl_comm *comm, const struct key *key)
{
    return (struct pl_coll_args){.collective = (enum pl_collective)key->collective,
                                 .rank = comm->rank,
                                 .size = comm->size,
                                 .root = key->root,
                                 .count = key->count,
                                 .element = key->element,
                                 .in_place = key->in_place,
                                 .ordered = key->ordered};
}

static int build(struct pl_comm *comm, struct state *state, const struct key *key,
                 struct pl_schedule **schedule)
{
    struct pl_coll_args args = args_of(comm, key);
    const struct pl_algorithm *algorithm = pl_algorithms(args.collective);
    if (key->direct)
        while (!(algorithm->flags & PL_DIRECT))
            algorithm++;
    else
        algorithm = pl_choose(state->machine, &args, comm->owner->config.reproducible, false,
                              state->forced.algorithm[key->collective]);
    return pl_algorithm_schedule(algorithm, &args, 0, schedule);
}

/* The schedule for the call, still the cache's. */
static int look_up(struct pl_comm *comm, struct state *state, const struct key *key,
                   struct pl_schedule **schedule)
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
    if (type->lb != 0 || type->extent < (ptrdiff_t)type->size)
        return pl_fail(PL_EUNSUPPORTED,
                       "%s of type %s, whose elements overlap or begin elsewhere: it must be "
                       "packed first",
                       pl_collective_name(call->collective), type->name ? type->name : "(derived)");
    key->element = pl_datatype_bytes(type);
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
    uint32_t op = call->op ? (uint32_t)call->op->kind + 1 : 0,
             basic = call->op ? (uint32_t)call->type->basic : 0;
    return ((uint32_t)call->collective + 1) << 28 | (op & 31) << 23 | (basic & 63) << 17 |
           (uint32_t)call->root % 127 << 10 | (uint32_t)(bytes >> 54);
}

static void describe(uint32_t signature, char *text, size_t size)
{
    static const char *const ops[] = {"",           "MPI_SUM",     "MPI_MIN",   "MPI_MAX",
                                      "MPI_PROD",   "MPI_BAND",    "MPI_BOR",   "MPI_BXOR",
                                      "MPI_LAND",   "MPI_LOR",     "MPI_LXOR",  "MPI_MINLOC",
                                      "MPI_MAXLOC", "MPI_REPLACE", "MPI_NO_OP", "a user's operator"};
    uint32_t collective = (signature >> 28) - 1, op = signature >> 23 & 31, basic = signature >> 17 & 63;
    if (collective >= PL_COLLECTIVES || op >= sizeof ops / sizeof *ops || basic >= PL_BASIC_COUNT)
        snprintf(text, size, "no collective");
    else if (op)
        snprintf(text, size, "%s of %s with %s", pl_collective_name((enum pl_collective)collective),
                 pl_basic_name((enum pl_basic)basic), ops[op]);
    else
        snprintf(text, size, "%s", pl_collective_name((enum pl_collective)collective));
}

void pl_coll_explain(struct pl_rank *rank, uint32_t mine, uint32_t theirs, char *text, size_t size)
{
    enum { ROOT = 127 << 10, BYTES = 1023 };
    char here[96], there[96];
    describe(mine, here, sizeof here);
    describe(theirs, there, sizeof there);
    if (strcmp(here, there) != 0)
        snprintf(text, size, "%s there, %s here", there, here);
    else if ((mine ^ theirs) & ROOT)
        snprintf(text, size, "%s with root %u there, %u here", here, (theirs & ROOT) >> 10,
                 (mine & ROOT) >> 10);
    else
        snprintf(text, size, "%s with another count or type there than here", here);
}

/* Where the caller's two buffers are for the schedule; in place, one of them is not looked at. */
static void set_buffers(struct pl_run *run, const struct pl_coll_call *call)
{
    run->base[PL_IN] = (char *)(uintptr_t)call->in; /* never written through: the builder asserts it */
    run->base[PL_OUT] = call->out;
}

static int make_run(const struct pl_coll_call *call, struct state *state, const struct key *key,
                    struct pl_run **made)
{
    struct pl_schedule *schedule;
    int error = look_up(call->comm, state, key, &schedule);
    if (error)
        return error;
    struct pl_run *run = pl_run_create(&state->kept, schedule);
    if (!run)
        return PL_ENOMEM;
    run->comm = call->comm;
    run->type = call->type;
    run->op = call->op;
    run->element = key->element;
    set_buffers(run, call);
    run->tag = (int)((call->comm->sequence++ & 0x7fff) << 16);
    run->signature = signature_of(call, key);
    run->holds_comm = false;
    run->completed = NULL;
    *made = run;
    return 0;
}

static int prepare(const struct pl_coll_call *call, struct state **state, struct key *key)
{
    struct pl_comm *comm = call->comm;
    *state = comm->collectives ? comm->collectives : state_create(comm);
    return *state ? key_of(call, key) : PL_ENOMEM;
}

/* Replaces *run by one that reaches into peers' buffers, if that pays and all ranks can. */
static int go_direct(const struct pl_coll_call *call, struct state *state, struct key *key,
                     struct pl_run **run)
{
    struct pl_coll_args args = args_of(call->comm, key);
    bool met = false;
    if (!pl_direct_wanted(&state->direct, call->comm, state->machine, &args,
                          state->forced.algorithm[key->collective]))
        return 0;
    key->direct = true;
    int error = make_run(call, state, key, run);
    if (!error)
        error = pl_direct_meet(&state->direct, call, key->count * key->element, (*run)->peer, &met);
    key->direct = false;
    if (*run && !met) {
        pl_run_finish(*run);
        *run = NULL;
    }
    return error;
}

static int run_blocking(const struct pl_coll_call *call)
{
    struct state *state;
    struct pl_run *run = NULL;
    struct key key;
    int error = prepare(call, &state, &key);
    if (!error && call->collective == PL_ALLREDUCE && key.count * key.element >= DIRECT_MIN)
        error = go_direct(call, state, &key, &run);
    if (!error && !run)
        error = make_run(call, state, &key, &run);
    if (error)
        return error;
    run->waited = !call->comm->owner->threaded;
    pl_run_start(run);
    return pl_run_end(run);
}

int pl_coll_blocking(const struct pl_coll_call *call)
{
    struct pl_comm *comm = call->comm;
    struct state *state = comm->collectives ? comm->collectives : state_create(comm);
    if (!state)
        return PL_ENOMEM;
    if (state->forced.algorithm[call->collective] || !pl_tiny_wanted(&state->tiny, call))
        return run_blocking(call);
    int error = pl_tiny_open(&state->tiny, comm, run_blocking);
    if (error)
        return error;
    if (!state->tiny.board)
        return run_blocking(call);
    struct key key;
    error = key_of(call, &key);
    return error ? error : pl_board_call(state->tiny.board, call, signature_of(call, &key));
}

void pl_collectives_finish(struct pl_rank *rank)
{
    if (!rank->collectives_state)
        return;
    pl_tiny_finish(rank);
    free(rank->collectives_state);
    rank->collectives_state = NULL;
}

int pl_coll_start(const struct pl_coll_call *call, void (*completed)(struct pl_run *run), void *owner,
                  struct pl_run **started)
{
    struct state *state;
    struct pl_run *run;
    struct key key;
    int error = prepare(call, &state, &key);
    if (!error)
        error = make_run(call, state, &key, &run);
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
