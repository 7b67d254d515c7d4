/* The engine and the call layer over a fake p2p: results on real numbers, the cache, errors, blocking. */
#include "collectives.h"
#include "errors.h"
#include "fake_p2p.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const struct pl_datatype int64 = {.size = 8,
                                         .extent = 8,
                                         .basic = PL_BASIC_INT64,
                                         .group = PL_TYPES_C_INTEGER,
                                         .contiguous = true,
                                         .predefined = true,
                                         .name = "MPI_INT64_T"};
static const struct pl_datatype pair = {.size = 8, .extent = 8, .contiguous = true, .name = "a pair"};
static const struct pl_op sum = {.kind = PL_OP_SUM, .commutative = true, .name = "MPI_SUM"};

/* x -> b x + a, on 32 bits: associative, does not commute. */
static void compose(void *in, void *inout, int *count, uintptr_t *type)
{
    const uint32_t *left = in;
    uint32_t *right = inout;
    for (int i = 0; i < 2 * *count; i += 2) {
        uint32_t a = left[i] * right[i + 1] + right[i], b = left[i + 1] * right[i + 1];
        right[i] = a;
        right[i + 1] = b;
    }
}

static const struct pl_op composition = {.kind = PL_OP_USER, .commutative = false, .function = compose};

static int64_t input(int rank, size_t i)
{
    uint64_t x = ((uint64_t)rank * 1000003 + i) * 0x9e3779b97f4a7c15ull;
    return (int64_t)(x >> 7 | 1ull << 32);
}

static int64_t reduced(const struct pl_op *op, int size, size_t i)
{
    int64_t total = input(0, i);
    for (int r = 1; r < size; r++) {
        int64_t next = input(r, i);
        int one = 1;
        if (op->kind == PL_OP_SUM)
            next = (int64_t)((uint64_t)total + (uint64_t)next);
        else
            compose(&total, &next, &one, NULL);
        total = next;
    }
    return total;
}

static int64_t expected(const struct pl_coll_call *call, int rank, int size, size_t i)
{
    size_t m = call->count;
    switch (call->collective) {
    case PL_BCAST:
        return input(call->root, i);
    case PL_SCATTER:
        return input(call->root, (size_t)rank * m + i);
    case PL_GATHER:
    case PL_ALLGATHER:
        return input((int)(i / m), i % m);
    case PL_ALLTOALL:
        return input((int)(i / m), (size_t)rank * m + i % m);
    case PL_REDUCE_SCATTER:
        return reduced(call->op, size, (size_t)rank * m + i);
    case PL_SCAN:
        return reduced(call->op, rank + 1, i);
    case PL_EXSCAN:
        return rank ? reduced(call->op, rank, i) : 0; /* nobody touches rank 0's */
    default:
        return reduced(call->op, size, i);
    }
}

static size_t in_count(enum pl_collective c, size_t m, int size, bool root)
{
    if (c == PL_BCAST)
        return 0;
    if (c == PL_SCATTER)
        return root ? m * (size_t)size : 0;
    return c == PL_REDUCE_SCATTER || c == PL_ALLTOALL ? m * (size_t)size : m;
}

static size_t out_count(enum pl_collective c, size_t m, int size, bool root)
{
    if (c == PL_GATHER || c == PL_REDUCE)
        return root ? c == PL_GATHER ? m * (size_t)size : m : 0;
    return c == PL_ALLGATHER || c == PL_ALLTOALL ? m * (size_t)size : m;
}

struct waiter {
    int completed;
};

static void note(struct pl_run *run)
{
    ((struct waiter *)run->owner)->completed++;
}

struct job { /* one collective call of all ranks */
    struct fake_world *world;
    struct pl_coll_call call;
    int64_t *in[FAKE_RANKS], *out[FAKE_RANKS];
    struct pl_run *run[FAKE_RANKS];
    struct waiter waiter[FAKE_RANKS];
};

static void start(struct job *job, int r)
{
    struct pl_coll_call call = job->call;
    bool root = r == call.root;
    size_t in = in_count(call.collective, call.count, job->world->size, root);
    size_t out = out_count(call.collective, call.count, job->world->size, root);
    job->in[r] = malloc(in * 8 + 8);
    job->out[r] = calloc(out + 1, 8);
    for (size_t i = 0; i < in; i++)
        job->in[r][i] = input(r, i);
    for (size_t i = 0; call.collective == PL_BCAST && root && i < out; i++)
        job->out[r][i] = input(r, i);
    call.in = in ? job->in[r] : NULL;
    call.out = out ? job->out[r] : NULL;
    call.comm = job->world->comm[r];
    job->waiter[r] = (struct waiter){0};
    cr_assert_eq(pl_coll_start(&call, note, &job->waiter[r], &job->run[r]), 0, "%s", pl_fail_text());
}

static void check(struct job *job, int r)
{
    const struct pl_coll_call *call = &job->call;
    size_t out = out_count(call->collective, call->count, job->world->size, r == call->root);
    cr_assert(job->run[r]->complete && job->waiter[r].completed == 1, "rank %d completed %d times", r,
              job->waiter[r].completed);
    cr_assert_eq(job->run[r]->error, 0, "%s", job->run[r]->text);
    for (size_t i = 0; i < out; i++)
        cr_assert_eq(job->out[r][i], expected(call, r, job->world->size, i),
                     "%s of %zu on %d ranks: rank %d, element %zu", pl_collective_name(call->collective),
                     call->count, job->world->size, r, i);
}

static void release(struct job *job, int r)
{
    pl_run_finish(job->run[r]);
    free(job->in[r]);
    free(job->out[r]);
}

static void run(struct fake_world *world, struct pl_coll_call call)
{
    struct job job = {.world = world, .call = call};
    for (int r = 0; r < world->size; r++)
        start(&job, r);
    while (pl_progress(&world->rank[0]))
        ;
    for (int r = 0; r < world->size; r++)
        check(&job, r);
    for (int r = 0; r < world->size; r++)
        release(&job, r);
}

static void run_one(struct fake_world *world, enum pl_collective collective, size_t count)
{
    run(world, (struct pl_coll_call){.collective = collective, .count = count, .type = &int64, .op = &sum});
}

Test(run, every_collective)
{
    static const int sizes[] = {1, 2, 3, 5, 8, 16};
    static const size_t counts[] = {0, 1, 7, 100, 40000};
    for (size_t s = 0; s < 6; s++)
        for (int eager = 0; eager < 2; eager++) {
            struct fake_world *world = fake_world_create(sizes[s], s, eager);
            for (int c = PL_BCAST; c < PL_NEIGHBOR; c++)
                for (size_t k = 0; k < 5; k++) {
                    bool sums = pl_collective_sums((enum pl_collective)c);
                    bool rooted = c == PL_BCAST || c == PL_SCATTER || c == PL_GATHER || c == PL_REDUCE;
                    struct pl_coll_call call = {.collective = (enum pl_collective)c, .count = counts[k]};
                    if (counts[k] == 40000 && sizes[s] > 5)
                        continue;
                    call.root = rooted ? sizes[s] / 2 : 0;
                    call.type = &int64;
                    call.op = sums ? &sum : NULL;
                    run(world, call);
                    run(world, call); /* out of the cache */
                    call.type = &pair;
                    call.op = &composition;
                    if (sums)
                        run(world, call);
                }
            run(world, (struct pl_coll_call){.collective = PL_BARRIER});
            fake_world_destroy(world);
        }
}

/* Several calls under way at once, of one communicator, completed in any order. */
Test(run, many_at_once)
{
    enum { JOBS = 20, RANKS = 5 };
    struct fake_world *world = fake_world_create(RANKS, 3, true);
    struct job *job = calloc(JOBS, sizeof *job);
    for (int j = 0; j < JOBS; j++) {
        job[j].world = world;
        job[j].call = (struct pl_coll_call){.collective = j % 2 ? PL_ALLREDUCE : PL_ALLGATHER,
                                            .count = (size_t)j * 3,
                                            .type = &int64,
                                            .op = j % 2 ? &sum : NULL};
    }
    for (int r = 0; r < RANKS; r++)
        for (int j = 0; j < JOBS; j++)
            start(&job[j], r);
    while (pl_progress(&world->rank[0]))
        ;
    for (int r = 0; r < RANKS; r++)
        for (int j = 0; j < JOBS; j++) {
            check(&job[j], r);
            release(&job[j], r);
        }
    free(job);
    fake_world_destroy(world);
}

/* Two persistent calls, started again and again, by each rank in another order, with others in between. */
Test(run, persistent)
{
    enum { RANKS = 5, COUNT = 20 };
    struct fake_world *world = fake_world_create(RANKS, 4, false);
    int64_t in[RANKS][COUNT], out[2][RANKS][COUNT];
    struct pl_run *run[2][RANKS];
    struct waiter waiter[RANKS] = {{0}};
    for (int r = 0; r < RANKS; r++)
        for (int k = 0; k < 2; k++) {
            struct pl_coll_call call = {.collective = PL_SCAN,
                                        .in = in[r],
                                        .out = out[k][r],
                                        .count = COUNT,
                                        .type = &int64,
                                        .op = &sum,
                                        .comm = world->comm[r]};
            cr_assert_eq(pl_coll_init(&call, note, &waiter[r], &run[k][r]), 0, "%s", pl_fail_text());
            cr_assert(run[k][r]->complete && !waiter[r].completed);
        }
    for (int64_t round = 0; round < 10; round++) {
        for (int r = 0; r < RANKS; r++) {
            for (int i = 0; i < COUNT; i++)
                in[r][i] = round * 100 + r + i;
            pl_run_start(run[r % 2][r]);
            pl_run_start(run[!(r % 2)][r]);
        }
        while (pl_progress(&world->rank[0]))
            ;
        for (int r = 0; r < RANKS; r++)
            for (int64_t i = 0; i < COUNT; i++)
                for (int k = 0; k < 2; k++)
                    cr_assert_eq(out[k][r][i], (r + 1) * (round * 100 + i) + r * (r + 1) / 2);
        /* the calls in between */
        run_one(world, PL_ALLREDUCE, (size_t)round);
    }
    for (int r = 0; r < RANKS; r++) {
        cr_assert_eq(waiter[r].completed, 20);
        pl_run_finish(run[0][r]);
        pl_run_finish(run[1][r]);
    }
    fake_world_destroy(world);
}

/* Calls that differ in one number of one list only, alternating: each must get its own schedule. */
Test(run, lists_are_keys)
{
    enum { RANKS = 3 };
    struct fake_world *world = fake_world_create(RANKS, 8, true);
    for (int round = 0; round < 40; round++) {
        int64_t in[RANKS][9], out[RANKS][9];
        struct pl_run *run[RANKS];
        struct pl_block from[RANKS], to[RANKS];
        for (int r = 0; r < RANKS; r++) {
            for (size_t i = 0; i < RANKS; i++) {
                from[i] = (struct pl_block){i * 24, 16};
                to[i] = (struct pl_block){i * 24 + (round % 2 && i == 2 ? 8 : 0), 16};
            }
            for (int i = 0; i < 9; i++)
                in[r][i] = 100 * r + i, out[r][i] = -1;
            struct pl_coll_call call = {.collective = PL_ALLTOALL,
                                        .in = in[r],
                                        .out = out[r],
                                        .type = &int64,
                                        .comm = world->comm[r],
                                        .uneven = true,
                                        .in_blocks = from,
                                        .out_blocks = to};
            cr_assert_eq(pl_coll_start(&call, NULL, NULL, &run[r]), 0);
            memset(from, 255, sizeof from); /* the lists are read no more */
        }
        while (pl_progress(&world->rank[0]))
            ;
        for (int r = 0; r < RANKS; r++) {
            for (int i = 0; i < 9; i++) {
                int shift = round % 2 && i > 5, k = i % 3 - shift;
                cr_assert_eq(out[r][i], k < 0 || k > 1 ? -1 : 100 * (i / 3) + 3 * r + k, "%d %d: %ld", r, i,
                             (long)out[r][i]);
            }
            pl_run_finish(run[r]);
        }
    }
    fake_world_destroy(world);
}

/* More kinds of calls than the cache holds. */
Test(run, cache_is_bounded_and_right)
{
    struct fake_world *world = fake_world_create(3, 1, true);
    for (int round = 0; round < 2; round++)
        for (size_t count = 0; count < 600; count++)
            run(world, (struct pl_coll_call){
                           .collective = PL_ALLREDUCE, .count = count, .type = &int64, .op = &sum});
    fake_world_destroy(world);
}

Test(run, in_place_and_blocking)
{
    enum { RANKS = 4, COUNT = 300000 }; /* long enough for local steps to be cut */
    struct fake_world *world = fake_world_create(RANKS, 9, false);
    int64_t *data[RANKS];
    struct pl_run *runs[RANKS];
    for (int r = 0; r < RANKS; r++) {
        data[r] = malloc(COUNT * sizeof(int64_t));
        for (size_t i = 0; i < COUNT; i++)
            data[r][i] = input(r, i);
        strcpy(world->comm[r]->algorithm,
               "allreduce=pairwise"); /* a blocking call of one rank alone must not meet */
        struct pl_coll_call call = {PL_ALLREDUCE, NULL, data[r], COUNT,         &int64,
                                    &sum,         0,    true,    world->comm[r]};
        if (r < RANKS - 1)
            cr_assert_eq(pl_coll_start(&call, NULL, NULL, &runs[r]), 0);
        else
            cr_assert_eq(pl_coll_blocking(&call), 0, "%s", pl_fail_text());
    }
    while (pl_progress(&world->rank[0]))
        ;
    for (int r = 0; r < RANKS; r++) {
        for (size_t i = 0; i < COUNT; i += 997)
            cr_assert_eq(data[r][i], reduced(&sum, RANKS, i));
        free(data[r]);
        if (r < RANKS - 1) {
            cr_assert(runs[r]->complete && !runs[r]->error);
            pl_run_finish(runs[r]);
        }
    }
    fake_world_destroy(world);
}

/* Each message of a call fails once: the ranks it concerns complete, once, with that error. The others are
 * cut off and are completed by hand, as p2p does when it learns of a death. */
Test(run, errors_complete_once)
{
    enum { RANKS = 5 };
    for (int fail_at = 1; fail_at < 40; fail_at++) {
        struct fake_world *world = fake_world_create(RANKS, (uint64_t)fail_at, fail_at % 2);
        struct job job = {.world = world};
        job.call =
            (struct pl_coll_call){.collective = PL_ALLREDUCE, .count = 50000, .type = &int64, .op = &sum};
        world->fail_at = fail_at;
        for (int r = 0; r < RANKS; r++)
            start(&job, r);
        while (pl_progress(&world->rank[0]))
            ;
        int failed = 0, stuck = 0;
        for (int r = 0; r < RANKS; r++) {
            failed += job.run[r]->complete && job.run[r]->error == PL_EPEER;
            stuck += !job.run[r]->complete;
        }
        if (world->fail_at == 0)
            cr_assert(failed + stuck > 0);
        while (world->sends || world->recvs) {
            struct pl_request *request = world->sends ? world->send[0] : world->recv[0];
            if (request->cookie == 1 && request->is_send) { /* an eager message that nobody took */
                free(request->buffer);
                free(request);
                world->send[0] = world->send[--world->sends];
                continue;
            }
            pl_fail(PL_EPEER, "the peer died");
            pl_request_abandon(request, PL_EPEER);
        }
        for (int r = 0; r < RANKS; r++) {
            cr_assert(job.run[r]->complete);
            cr_assert_eq(job.waiter[r].completed, 1);
            if (job.run[r]->error)
                cr_assert(strstr(job.run[r]->text, "died"), "%s", job.run[r]->text);
            release(&job, r);
        }
        fake_world_destroy(world);
    }
}

Test(run, mismatch_is_an_error)
{
    struct fake_world *world = fake_world_create(2, 1, false);
    int64_t a[4] = {1, 2, 3, 4}, b[4], c[4];
    struct pl_run *run[2];
    struct pl_coll_call reduce = {PL_ALLREDUCE, a, b, 4, &int64, &sum, 0, false, world->comm[0]};
    struct pl_coll_call bcast = {PL_BCAST, NULL, c, 4, &int64, NULL, 0, false, world->comm[1]};
    cr_assert_eq(pl_coll_start(&reduce, NULL, NULL, &run[0]), 0);
    cr_assert_eq(pl_coll_start(&bcast, NULL, NULL, &run[1]), 0);
    while (pl_progress(&world->rank[0]))
        ;
    cr_assert(run[1]->complete);
    cr_assert_eq(run[1]->error, PL_EMISMATCH);
    pl_run_finish(run[1]);
    pl_request_abandon(world->recv[0], pl_fail(PL_EPEER, "gone"));
    cr_assert(run[0]->complete);
    pl_run_finish(run[0]);
    fake_world_destroy(world);
}

Test(run, signatures_are_explained)
{
    struct fake_world *world = fake_world_create(2, 1, false);
    int64_t a[4] = {0};
    struct pl_run *run[3];
    struct pl_coll_call call = {PL_ALLREDUCE, a, a + 2, 2, &int64, &sum, 0, false, world->comm[0]};
    cr_assert_eq(pl_coll_start(&call, NULL, NULL, &run[0]), 0);
    call.count = 1;
    cr_assert_eq(pl_coll_start(&call, NULL, NULL, &run[1]), 0);
    call = (struct pl_coll_call){PL_BCAST, NULL, a, 2, &int64, NULL, 1, false, world->comm[0]};
    cr_assert_eq(pl_coll_start(&call, NULL, NULL, &run[2]), 0);
    char text[256];
    pl_coll_explain(&world->rank[0], run[0]->signature, run[2]->signature, text, sizeof text);
    cr_expect_str_eq(text, "bcast from root 1 there, allreduce of int64 with MPI_SUM here");
    pl_coll_explain(&world->rank[0], run[0]->signature, run[1]->signature, text, sizeof text);
    cr_expect(strstr(text, "another count"), "%s", text);
    while (world->sends)
        pl_request_abandon(world->send[0], pl_fail(PL_EPEER, "gone"));
    while (world->recvs)
        pl_request_abandon(world->recv[0], pl_fail(PL_EPEER, "gone"));
    for (int i = 0; i < 3; i++) {
        cr_assert(run[i]->complete);
        pl_run_finish(run[i]);
    }
    fake_world_destroy(world);
}

Test(run, deadlock_comes_back)
{
    struct fake_world *world = fake_world_create(2, 1, false);
    int64_t a[2] = {1, 2}, b[2];
    struct pl_coll_call call = {PL_ALLREDUCE, a, b, 2, &int64, &sum, 0, false, world->comm[0]};
    cr_assert_eq(pl_coll_blocking(&call), PL_EDEADLOCK);
    cr_expect(strstr(pl_fail_text(), "waits"), "%s", pl_fail_text());
    cr_expect_eq(world->sends + world->recvs, 0);
    fake_world_destroy(world);
}

Test(run, overlapping_elements_are_refused)
{
    struct fake_world *world = fake_world_create(2, 1, false);
    static const struct pl_datatype overlap = {.size = 8, .extent = 4, .name = "overlap"};
    int64_t a[2] = {1, 2};
    struct pl_coll_call call = {PL_BCAST, NULL, a, 2, &overlap, NULL, 0, false, world->comm[0]};
    cr_assert_eq(pl_coll_blocking(&call), PL_EUNSUPPORTED);
    cr_expect(strstr(pl_fail_text(), "overlap"), "%s", pl_fail_text());
    fake_world_destroy(world);
}
