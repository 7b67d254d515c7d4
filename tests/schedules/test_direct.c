/* Direct allreduce, for real: ranks as threads over loopback, buffers from the transport's alloc. Which way
 * a call went is seen in the communicator's sequence: 1 call alone, 3 when the ranks met and went direct, 4
 * when they met and could not. */
#include "window.h"
#include "collectives.h"
#include "errors.h"
#include "rank.h"
#include "world.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 30001 };

static const struct pl_datatype int64 = {.size = 8,
                                         .extent = 8,
                                         .basic = PL_BASIC_INT64,
                                         .group = PL_TYPES_C_INTEGER,
                                         .contiguous = true,
                                         .predefined = true,
                                         .name = "MPI_INT64_T"};
static const struct pl_op sum = {.kind = PL_OP_SUM, .commutative = true, .name = "MPI_SUM"};

struct plan {
    int private_rank; /* passes malloc'd memory; -1: none */
    bool in_place;
    uint32_t calls; /* what each call must add to the sequence, most significant digit first: 344 */
};

static struct pl_comm *everybody(struct pl_rank *rank)
{
    struct pl_group *group = pl_group_create(rank->size);
    for (int i = 0; i < rank->size; i++)
        group->peers[i] = i;
    group->rank = rank->rank;
    struct pl_comm *comm = pl_comm_create(rank, group, 4711);
    pl_group_release(group);
    strcpy(comm->algorithm, "allreduce=direct");
    return comm;
}

static int once(struct pl_comm *comm, const struct plan *plan, int64_t *in, int64_t *out)
{
    int64_t *source = plan->in_place ? out : in;
    for (int i = 0; i < COUNT; i++)
        source[i] = (int64_t)i * (comm->rank + 1);
    struct pl_coll_call call = {
        PL_ALLREDUCE, plan->in_place ? NULL : in, out, COUNT, &int64, &sum, 0, plan->in_place, comm};
    if (pl_coll_blocking(&call))
        return 1;
    int wrong = 0;
    for (int i = 0; i < COUNT; i++)
        wrong += out[i] != (int64_t)i * comm->size * (comm->size + 1) / 2;
    return wrong;
}

static int body(void *argument)
{
    const struct plan *plan = argument;
    struct pl_rank *rank = pl_self();
    struct pl_port *port = rank->ports[0];
    struct pl_comm *comm = everybody(rank);
    bool private = plan->private_rank == rank->rank;
    int64_t *in = private ? malloc(COUNT * 8) : port->transport->alloc(port, COUNT * 8);
    int64_t *out = private ? malloc(COUNT * 8) : port->transport->alloc(port, COUNT * 8);
    uint32_t divisor = 1;
    int failed = 0;
    while (plan->calls / divisor >= 10)
        divisor *= 10;
    for (; divisor && !failed; divisor /= 10) {
        uint32_t before = comm->sequence;
        failed = once(comm, plan, in, out);
        if (comm->sequence - before != plan->calls / divisor % 10)
            failed = 1000 + (int)(comm->sequence - before);
    }
    if (private) {
        free(in);
        free(out);
    } else {
        port->transport->free(port, in);
        port->transport->free(port, out);
    }
    pl_comm_release(comm);
    pl_collectives_finish(rank);
    return failed;
}

static int ready(struct pl_rank *rank)
{
    return 0;
}

static void leave(struct pl_rank *rank)
{
}

static void run(int size, struct plan plan, bool deterministic, uint64_t seed)
{
    struct pl_inprocess world = {.size = size,
                                 .deterministic = deterministic,
                                 .seed = seed,
                                 .start = ready,
                                 .end = leave,
                                 .body = body,
                                 .argument = &plan};
    int error = pl_inprocess_run(&world);
    cr_assert_eq(error, 0, "%d ranks: rank %d, code %d: %s", size, world.failed_rank, world.code, world.text);
}

Test(direct, shared_memory)
{
    for (int size = 2; size <= 8; size++)
        for (int in_place = 0; in_place < 2; in_place++)
            for (int deterministic = 0; deterministic < 2; deterministic++)
                run(size, (struct plan){-1, in_place, 333}, deterministic, (uint64_t)size);
}

/* One rank's memory is private: all fall back, and ask again less and less often. */
Test(direct, private_memory)
{
    for (int size = 2; size <= 5; size++)
        run(size, (struct plan){size - 1, size % 2, 414111411}, true, (uint64_t)size);
}

Test(direct, too_many_or_alone)
{
    run(1, (struct plan){-1, false, 11}, true, 1);
    run(17, (struct plan){-1, false, 1}, true, 1);
}

/* Whatever is said to fit into a window does, on every rank. */
static int fit(enum pl_collective collective, int n, size_t bytes, size_t element, int rank)
{
    struct pl_coll_args args = {
        .collective = collective, .rank = rank, .size = n, .count = bytes / element, .element = element};
    const struct pl_algorithm *a = pl_algorithms(collective);
    while (!(a->flags & PL_WINDOW))
        a++;
    struct pl_schedule *schedule;
    if (!pl_window_needs(&args))
        return 0;
    cr_assert_eq(pl_algorithm_schedule(a, &args, 0, &schedule), 0, "%s", pl_fail_text());
    cr_assert_leq(schedule->tmp, pl_window_needs(&args), "%s: %zu bytes in elements of %zu on %d ranks: %zu",
                  pl_collective_name(collective), bytes, element, n, schedule->tmp);
    pl_schedule_release(schedule);
    return 1;
}

Test(window, fits)
{
    static const size_t elements[] = {1, 4, 8, 24, 1000, 40000, 100000, 600000};
    static const enum pl_collective collectives[] = {PL_ALLREDUCE, PL_REDUCE, PL_ALLGATHER, PL_ALLTOALL,
                                                     PL_REDUCE_SCATTER};
    for (size_t c = 0; c < sizeof collectives / sizeof *collectives; c++) {
        int fitting = 0;
        for (int n = 2; n <= PL_WINDOW_RANKS; n += n > 5 ? 5 : 1)
            for (size_t e = 0; e < sizeof elements / sizeof *elements; e++)
                for (size_t bytes = 4096; bytes <= 64 << 20; bytes = bytes * 3 + 1)
                    for (int rank = 0; rank<n; rank += n> 4 ? 3 : 1)
                        fitting += fit(collectives[c], n, bytes, elements[e], rank);
        cr_expect_gt(fitting, 200, "%s: %d", pl_collective_name(collectives[c]), fitting);
    }
}
