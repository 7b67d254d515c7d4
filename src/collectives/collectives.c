/* A collective call: from what MPI says to a run.
 *
 *   call -> key -> schedule: the cache's, or chosen, built, sealed -> run: memory kept from earlier calls
 *
 * Each communicator keeps the schedules of its last calls and a few free runs, so that a
 * call like the one before costs a look at a key and a memcpy, and no malloc. A schedule
 * depends on the bytes of a call, never on its buffers or its operator, only on whether that
 * commutes.
 *
 * The tag of a call's messages is its number in the communicator; the message's ordinal among those
 * of its pair is added. A persistent call is numbered once, apart from the others, so that ranks may start
 * several of them in different orders; the messages of its next start cannot overtake.
 */
#include "collectives.h"

#include "board.h"
#include "cache.h"
#include "choose.h"
#include "contract.h"
#include "direct.h"
#include "doubt.h"
#include "errors.h"
#include "fused.h"
#include "loss.h"
#include "rank.h"
#include "retire.h"
#include "tiny.h"
#include "window.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    /* Bytes below which a way never pays and is not worth a look. Of windows, twice that for a reduce, whose
     * messages nobody waits for; where ranks share cores, of all blocks, for each segment changes ranks. */
    DIRECT_MIN = 16 << 10,
    WINDOW_MIN = 4 << 10,
    WINDOW_CROWDED = 256 << 10,
    LISTEN = 16,          /* calls that need no waiting, until news are looked for */
    PERSISTENT = 1 << 14, /* numbers of persistent calls begin here; above and below, they wrap around */
};

struct state { /* comm->collectives */
    const struct pl_machine *machine;
    bool crowded;
    struct pl_forced forced;
    struct pl_direct direct;
    struct pl_run *kept;
    struct pl_tiny tiny;
    uint32_t disguise; /* the signature of the call that the next ones are a part of; 0: they stand for
                          themselves */
    struct pl_window window;
    uint32_t inits; /* persistent calls made so far */
    struct pl_cache cache;
};

static void state_free(struct pl_comm *comm)
{
    struct state *state = comm->collectives;
    pl_cache_finish(&state->cache);
    while (state->kept) {
        struct pl_run *run = state->kept;
        state->kept = run->next;
        free(run);
    }
    pl_tiny_close(&state->tiny, comm);
    pl_window_close(&state->window, comm);
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
    struct pl_collectives *own = rank->collectives_state;
    if (!own && !(own = rank->collectives_state = calloc(1, sizeof *own))) {
        free(state);
        pl_fail(PL_ENOMEM, "no memory for collectives");
        return NULL;
    }
    bool begins = !own->warned, first = begins && comm->rank == 0;
    own->warned = true;
    if (begins)
        pl_tuning_read(&own->tuning, rank->config.tuning, rank->local_rank == 0);
    state->crowded = crowded(comm);
    state->machine = pl_tuning_machine(&own->tuning, transport_of(comm), state->crowded);
    pl_forced_read(&state->forced, rank->config.algorithm, first);
    bool differs = strcmp(comm->algorithm, rank->config.algorithm) != 0;
    pl_forced_read(&state->forced, comm->algorithm, differs && comm->rank == 0);
    comm->collectives = state;
    comm->collectives_free = state_free;
    return state;
}

struct pl_run **pl_run_kept(struct pl_comm *comm)
{
    struct state *state = comm->collectives;
    return &state->kept;
}

static struct pl_coll_args args_of(const struct pl_comm *comm, const struct pl_key *key)
{
    return (struct pl_coll_args){.collective = (enum pl_collective)key->collective,
                                 .rank = comm->rank,
                                 .size = comm->size,
                                 .root = key->root,
                                 .count = key->count,
                                 .element = key->element,
                                 .in_place = key->in_place,
                                 .ordered = key->ordered,
                                 .uneven = key->uneven,
                                 .in = key->in,
                                 .out = key->out,
                                 .sources = key->outs,
                                 .destinations = key->ins,
                                 .source = key->source,
                                 .destination = key->destination,
                                 .remote = comm->remote ? comm->remote->size : 0};
}

static int build(struct pl_comm *comm, struct state *state, const struct pl_key *key,
                 struct pl_schedule **schedule)
{
    struct pl_coll_args args = args_of(comm, key);
    const struct pl_algorithm *algorithm = pl_algorithms(args.collective);
    if (key->reaches)
        while (!(algorithm->flags & key->reaches))
            algorithm++;
    else
        algorithm = pl_choose(state->machine, &args, comm->owner->config.reproducible, false,
                              state->forced.algorithm[key->collective]);
    return pl_algorithm_schedule(algorithm, &args, 0, schedule);
}

/* The schedule for the call, still the cache's. */
static int look_up(struct pl_comm *comm, struct state *state, const struct pl_key *key,
                   struct pl_schedule **schedule)
{
    *schedule = pl_cache_find(&state->cache, key);
    if (*schedule)
        return 0;
    int error = build(comm, state, key, schedule);
    return error ? error : pl_cache_put(&state->cache, key, *schedule);
}

static void set_lists(const struct pl_coll_call *call, struct pl_key *key)
{
    bool neighbors = call->collective == PL_NEIGHBOR;
    key->uneven = true;
    key->in = call->in_blocks;
    key->out = call->out_blocks;
    const struct pl_comm *comm = call->comm;
    int ranks = comm->remote && call->collective != PL_REDUCE_SCATTER ? comm->remote->size : comm->size;
    key->ins = neighbors ? call->destinations : key->in ? ranks : 0;
    key->outs = neighbors ? call->sources : key->out ? ranks : 0;
    key->source = call->source;
    key->destination = call->destination;
}

static int key_of(const struct pl_coll_call *call, struct pl_key *key)
{
    const struct pl_datatype *type = call->type;
    bool sums = pl_collective_sums(call->collective);
    *key = (struct pl_key){.collective = call->collective, .in_place = call->in_place, .root = call->root};
    if (call->uneven)
        set_lists(call, key);
    if (!type)
        return 0;
    if (!type->contiguous && !(sums && type->predefined))
        return pl_fail(PL_EUNSUPPORTED, "%s of type %s, which has gaps: it must be packed first",
                       pl_collective_name(call->collective), type->name);
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

/* The bytes that all ranks know the call to have; 0 where they do not. */
static size_t agreed_bytes(const struct pl_comm *comm, const struct pl_key *key)
{
    if (comm->remote && key->collective == PL_REDUCE_SCATTER) /* the blocks of the groups differ */
        return 0;
    if (!key->uneven)
        return key->count * key->element;
    if (key->collective == PL_REDUCE_SCATTER)
        return pl_blocks_total(key->in, comm->size);
    if (key->collective == PL_ALLGATHER && !comm->remote)
        return pl_blocks_total(key->out, comm->size);
    return 0;
}

static uint32_t signature_of(const struct pl_coll_call *call, const struct pl_key *key)
{
    return pl_contract(call, agreed_bytes(call->comm, key));
}

/* Where the caller's two buffers are for the schedule; in place, one of them is not looked at. */
static void set_buffers(struct pl_run *run, const struct pl_coll_call *call)
{
    run->base[PL_IN] = (char *)(uintptr_t)call->in; /* never written through: the builder asserts it */
    run->base[PL_OUT] = call->out;
}

/* Buffers of devices: TMP is on the device too, so that the operator's loop runs there. */
static int set_memory(struct pl_run *run, const struct pl_coll_call *call)
{
    struct pl_memory *memory = run->memory = call->memory;
    run->device_tmp = NULL;
    run->ticket = (struct pl_ticket){0};
    if (__builtin_expect(!memory, 1))
        return 0;
    bool is_in = !call->in_place && pl_memory_holds(memory, call->in); /* else it may be anything */
    const void *near = is_in ? call->in : call->out;
    if (call->op)
        run->kernel = pl_op_device_kernel(memory, near, call->op, call->type);
    if (!run->schedule->tmp)
        return 0;
    run->base[PL_TMP] = run->device_tmp = memory->driver->allocate(memory, near, run->schedule->tmp);
    return run->device_tmp ? 0 : PL_ENOMEM;
}

static int make_run(const struct pl_coll_call *call, struct state *state, const struct pl_key *key,
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
    run->holds_comm = false;
    run->type = call->type;
    run->op = call->op;
    run->element = key->element;
    run->bytes = key->count * key->element;
    set_buffers(run, call);
    error = set_memory(run, call);
    if (error) {
        pl_run_finish(run);
        return error;
    }
    run->signature = state->disguise ? state->disguise : signature_of(call, key);
    run->ordinal = 0;
    run->blocking = false;
    run->completed = NULL;
    run->burden = NULL;
    *made = run;
    return 0;
}

/* Numbers the call: all ranks come here for it. */
static void number(struct pl_run *run)
{
    struct pl_comm *comm = run->comm;
    pl_doubt_note(comm, run->signature, run->bytes);
    run->ordinal = comm->calls;
    if (__builtin_expect(comm->claim != NULL, 0))
        pl_doubt_claimed(comm);
    run->tag = (int)((comm->sequence++ % PERSISTENT) << 16);
    if (comm->remote)
        run->local_tag = (int)((comm->local->sequence++ % PERSISTENT) << 16);
}

static int prepare(const struct pl_coll_call *call, struct state **state, struct pl_key *key)
{
    struct pl_comm *comm = call->comm;
    *state = NULL;
    int broken = comm->broken ? pl_comm_check(comm, ~0u) : 0;
    if (broken)
        return broken;
    if (comm->remote && !pl_inter_algorithm(call->collective))
        return pl_fail(PL_EUNSUPPORTED, "%s is not defined on an intercommunicator",
                       pl_collective_name(call->collective));
    *state = comm->collectives ? comm->collectives : state_create(comm);
    return *state ? key_of(call, key) : PL_ENOMEM;
}

/* Replaces *run by one that reaches into peers' buffers, if that pays and all ranks can. *done: by one kernel
 * for all ranks, already. */
static int go_direct(const struct pl_coll_call *call, struct state *state, struct pl_key *key,
                     struct pl_run **run, bool *done)
{
    struct pl_coll_args args = args_of(call->comm, key);
    enum pl_met met = PL_NOT_MET;
    *done = false;
    if (!pl_direct_wanted(&state->direct, call->comm, state->machine, &args,
                          state->forced.algorithm[key->collective]))
        return 0;
    key->reaches = PL_DIRECT;
    int error = make_run(call, state, key, run);
    if (!error)
        number(*run);
    uint32_t disguise = state->disguise;
    if (!error)
        state->disguise = (*run)->signature;
    if (!error)
        error = pl_direct_meet(&state->direct, call, key->count * key->element, (*run)->peer, &met);
    state->disguise = disguise;
    key->reaches = 0;
    if (!error && met == PL_MET_ONE_DEVICE && !key->ordered) {
        error = pl_fused_allreduce(call, (*run)->kernel, (*run)->peer);
        *done = true;
    }
    if (*run && (error || !met || *done)) {
        pl_run_finish(*run);
        *run = NULL;
    }
    return error;
}

/* Whether the call is too short for windows to pay, or of a kind that has none. */
static bool no_window(const struct pl_coll_call *call, const struct state *state, const struct pl_key *key)
{
    size_t bytes = key->count * key->element, least = WINDOW_MIN;
    size_t blocks = pl_collective_is_vector(call->collective) ? 1 : (size_t)call->comm->size;
    if (call->collective == PL_REDUCE)
        least *= 2;
    if (state->crowded && least < WINDOW_CROWDED / blocks)
        least = WINDOW_CROWDED / blocks;
    return call->comm->remote || key->uneven || bytes < least;
}

/* Makes *run one that works in windows, if that pays and there are any. */
static int go_windowed(struct pl_coll_call *call, struct state *state, struct pl_key *key,
                       struct pl_run **run)
{
    struct pl_coll_args args = args_of(call->comm, key);
    if (no_window(call, state, key) || !pl_window_wanted(&state->window, call->comm, state->machine, &args,
                                                         state->forced.algorithm[key->collective]))
        return 0;
    int error = 0;
    if (!state->window.tried) {
        uint32_t disguise = state->disguise;
        state->disguise = disguise ? disguise : signature_of(call, key);
        error = pl_window_open(&state->window, call->comm);
        state->disguise = disguise;
    }
    if (error || !pl_window_there(&state->window))
        return error;
    if (call->memory && (error = pl_window_stage(call, key->count * key->element)))
        return error;
    key->in_place = call->in_place;
    key->reaches = PL_WINDOW;
    error = make_run(call, state, key, run);
    key->reaches = 0;
    if (error)
        return error;
    pl_window_lend(&state->window, *run, pl_window_needs(&args));
    number(*run);
    return 0;
}

/* Who only sends never waits, and would never hear that somebody died. */
static void listen(struct pl_rank *rank)
{
    pl_progress(rank);
    if (rank->look)
        rank->look(rank);
}

static int run_blocking(const struct pl_coll_call *call)
{
    struct state *state;
    struct pl_run *run = NULL;
    struct pl_key key;
    bool done = false;
    int error = prepare(call, &state, &key);
    if (!error && call->collective == PL_ALLREDUCE && !call->comm->remote &&
        key.count * key.element >= DIRECT_MIN)
        error = go_direct(call, state, &key, &run, &done);
    if (done)
        return error;
    struct pl_coll_call host = *call;
    if (!error && !run)
        error = go_windowed(&host, state, &key, &run);
    if (!error && !run) {
        error = make_run(call, state, &key, &run);
        if (!error)
            number(run);
    }
    if (!error) {
        run->waited = !call->comm->owner->threaded;
        run->blocking = !call->comm->owner->threaded;
        pl_run_start(run);
        if (run->complete && call->comm->sequence % LISTEN == 0)
            listen(call->comm->owner);
        error = pl_run_end(run);
    }
    return host.memory == call->memory ? error
                                       : pl_window_unstage(call, &host, key.count * key.element, error);
}

int pl_coll_blocking(const struct pl_coll_call *call)
{
    struct pl_comm *comm = call->comm;
    if (__builtin_expect(comm->broken != 0, 0))
        return pl_comm_check(comm, ~0u);
    struct state *state = comm->collectives ? comm->collectives : state_create(comm);
    if (!state)
        return PL_ENOMEM;
    bool part = state->disguise; /* of a call by messages, and like it where the calls do not fit together */
    if (comm->remote || part || state->forced.algorithm[call->collective] ||
        !pl_tiny_wanted(&state->tiny, call))
        return run_blocking(call);
    struct pl_key key;
    int error = key_of(call, &key);
    if (error)
        return error;
    if (!state->tiny.tried) {
        state->disguise = signature_of(call, &key);
        error = pl_tiny_open(&state->tiny, comm, state->crowded, run_blocking);
        state->disguise = 0;
    }
    if (error)
        return error;
    if (!state->tiny.board)
        return run_blocking(call);
    return pl_board_call(state->tiny.board, call, signature_of(call, &key));
}

bool pl_coll_short(const struct pl_coll_call *call, int *error)
{
    struct pl_comm *comm = call->comm;
    struct state *state = comm->collectives;
    size_t bytes = call->type ? call->count * call->type->size : 0;
    bool vector = pl_collective_is_vector(call->collective);
    if (!state || !state->tiny.board || comm->broken || state->forced.algorithm[call->collective] ||
        !(vector ? bytes <= PL_BOARD_VECTOR : pl_board_serves(call)))
        return false;
    *error = pl_board_call(state->tiny.board, call, pl_contract(call, bytes));
    return true;
}

void pl_collectives_finish(struct pl_rank *rank)
{
    if (!rank->collectives_state)
        return;
    pl_retired_sweep(rank, true);
    pl_run_leave_all(rank->collectives_state);
    free(rank->collectives_state);
    rank->collectives_state = NULL;
}

/* A run that this layer's caller owns. */
static int own_run(const struct pl_coll_call *call, void (*completed)(struct pl_run *run), void *owner,
                   struct state **state, struct pl_run **made)
{
    struct pl_run *run;
    struct pl_key key;
    int error = prepare(call, state, &key);
    if (!error)
        error = make_run(call, *state, &key, &run);
    if (error)
        return error;
    pl_comm_hold(call->comm);
    run->holds_comm = true;
    run->completed = completed;
    run->owner = owner;
    run->waited = false;
    *made = run;
    return 0;
}

int pl_coll_init(const struct pl_coll_call *call, void (*completed)(struct pl_run *run), void *owner,
                 struct pl_run **made)
{
    struct state *state;
    int error = own_run(call, completed, owner, &state, made);
    if (error)
        return error;
    (*made)->tag = (*made)->local_tag = (int)((PERSISTENT | state->inits++ % PERSISTENT) << 16);
    (*made)->complete = true;
    return 0;
}

int pl_coll_start(const struct pl_coll_call *call, void (*completed)(struct pl_run *run), void *owner,
                  struct pl_run **started)
{
    struct state *state;
    struct pl_run *run;
    int error = own_run(call, completed, owner, &state, &run);
    if (error)
        return error;
    *started = run;
    number(run);
    pl_run_start(run);
    return 0;
}
