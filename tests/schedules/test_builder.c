/* The builder by itself: which edges it makes, what vanishes, how things are cut; and the verifier's teeth.
 */
#include "errors.h"
#include "verify.h"

#include <criterion/criterion.h>
#include <string.h>

static bool edge(const struct pl_schedule *s, uint32_t from, uint32_t to)
{
    for (uint32_t e = s->first[from]; e < s->first[from + 1]; e++)
        if (s->successor[e] == to)
            return true;
    return false;
}

static struct pl_schedule *seal(struct pl_builder *b)
{
    struct pl_schedule *schedule = NULL;
    cr_assert_eq(pl_builder_seal(b, &schedule), 0);
    return schedule;
}

Test(builder, three_hazards)
{
    struct pl_builder b;
    pl_builder_init(&b, 2);
    struct pl_slice tmp = pl_tmp(&b, 100);
    pl_step_recv(&b, 1, tmp);                  /* 0 */
    pl_step_send(&b, 1, pl_part(tmp, 0, 50));  /* 1: reads what 0 wrote */
    pl_step_recv(&b, 1, pl_part(tmp, 25, 50)); /* 2: writes what 1 read and 0 wrote */
    pl_step_recv(&b, 1, pl_part(tmp, 75, 25)); /* 3: writes what 0 wrote */
    pl_step_reduce(&b, pl_out(0, 10), pl_in(0, 10), pl_part(tmp, 70, 10)); /* 4: reads 2 and 3 */
    pl_step_send(&b, 1, pl_in(0, 100));                                    /* 5: waits for nothing */
    struct pl_schedule *s = seal(&b);
    cr_assert_eq(s->steps, 6);
    cr_expect(edge(s, 0, 1) && edge(s, 1, 2) && edge(s, 0, 2) && edge(s, 0, 3) && edge(s, 2, 4) &&
              edge(s, 3, 4));
    cr_expect_eq(s->edges, 6);
    cr_expect_eq(s->needs[4], 2);
    cr_expect_eq(s->needs[5], 0);
    cr_expect_eq(s->step[5].ordinal, 1);
    cr_expect_eq(s->step[3].ordinal, 2);
    pl_schedule_release(s);
}

Test(builder, nothing_vanishes_but_nothing)
{
    struct pl_builder b;
    pl_builder_init(&b, 2);
    pl_builder_alias(&b, PL_IN, PL_OUT, 16);
    pl_step_send(&b, 1, pl_in(8, 0));
    pl_step_recv(&b, 1, pl_out(8, 0));
    pl_step_copy(&b, pl_out(16, 8), pl_in(0, 8)); /* itself, in place */
    pl_step_fence(&b);
    struct pl_schedule *s = seal(&b);
    cr_expect_eq(s->steps, 0);
    pl_schedule_release(s);
}

Test(builder, signals_carry_order)
{
    struct pl_builder b;
    pl_builder_init(&b, 3);
    struct pl_slice tmp = pl_tmp(&b, 2);
    pl_step_await(&b, 1, pl_part(tmp, 0, 1));
    pl_step_await(&b, 2, pl_part(tmp, 1, 1));
    pl_step_signal(&b, 1, tmp);
    struct pl_schedule *s = seal(&b);
    cr_expect(edge(s, 0, 2) && edge(s, 1, 2));
    cr_expect_eq(s->step[2].length, 0);
    pl_schedule_release(s);
}

Test(builder, fence)
{
    struct pl_builder b;
    pl_builder_init(&b, 2);
    pl_step_send(&b, 1, pl_in(0, 1));
    pl_step_send(&b, 1, pl_in(1, 1));
    pl_step_fence(&b);
    pl_step_send(&b, 1, pl_in(2, 1));
    pl_step_fence(&b);
    pl_step_fence(&b);
    struct pl_schedule *s = seal(&b);
    cr_expect_eq(s->steps, 5);
    cr_expect(edge(s, 0, 2) && edge(s, 1, 2) && edge(s, 2, 3) && edge(s, 3, 4));
    pl_schedule_release(s);
}

Test(builder, chunks_cover_and_keep_elements)
{
    for (int n = 1; n < 20; n++)
        for (size_t count = 0; count < 50; count++) {
            size_t at = 100, longest = 0, shortest = SIZE_MAX;
            struct pl_slice whole = pl_out(100, count * 12);
            for (int i = 0; i < n; i++) {
                struct pl_slice chunk = pl_chunk(whole, 12, n, i);
                cr_assert_eq(chunk.offset, at);
                cr_assert_eq(chunk.length % 12, 0);
                at += chunk.length;
                longest = chunk.length > longest ? chunk.length : longest;
                shortest = chunk.length < shortest ? chunk.length : shortest;
            }
            cr_assert_eq(at, 100 + count * 12);
            cr_assert(longest - shortest <= 12);
        }
    cr_expect_eq(pl_segments(0, 8, 100), 1);
    cr_expect_eq(pl_segments(1000, 8, 100), 10);
    cr_expect_eq(pl_segments(16, 8, 1), 2);
    cr_expect_eq(pl_segments((size_t)1 << 40, 8, 1), PL_SEGMENTS_MAX);
}

Test(builder, prints)
{
    char *text = NULL;
    size_t length;
    struct pl_coll_args args = {.collective = PL_ALLREDUCE, .rank = 0, .size = 2, .count = 2, .element = 4};
    struct pl_schedule *schedule;
    cr_assert_eq(pl_algorithm_schedule(&pl_algorithms(PL_ALLREDUCE)[0], &args, 0, &schedule), 0);
    FILE *file = open_memstream(&text, &length);
    pl_schedule_print(schedule, file);
    fclose(file);
    cr_expect_str_eq(text, "3 steps, 1 edges, 64 bytes of TMP\n"
                           "   0  send   IN[0..8) to 1\n"
                           "   1  recv   TMP[0..8) from 1  -> 2\n"
                           "   2  reduce OUT[0..8) = IN[0..8) op TMP[0..8)\n");
    free(text);
    pl_schedule_release(schedule);
}

/* Teeth: how many of a set of cases fail with a class of hazards left out. */
static int failures(unsigned ignore)
{
    int failed = 0;
    for (int c = 0; c < PL_NEIGHBOR; c++) /* neighbours: test_uneven.c */
        for (const struct pl_algorithm *a = pl_algorithms((enum pl_collective)c); a->name; a++)
            for (int n = 2; n <= 9; n++)
                for (size_t count = 1; count <= 13; count += 4) {
                    struct pl_coll_args args = {(enum pl_collective)c,           0,     n, n / 2, count, 1,
                                                c != PL_BCAST && count % 8 == 1, false, 3};
                    struct pl_verify_params params = {a, args, PL_SUM_SET, 7, 4, ignore};
                    if (pl_algorithm_fits(a, &args, false))
                        failed += pl_verify(&params) != 0;
                }
    return failed;
}

Test(teeth, nothing_left_out)
{
    cr_assert_eq(failures(0), 0, "%s", pl_fail_text());
}

Test(teeth, read_after_write)
{
    int failed = failures(PL_HAZARD_RAW);
    cr_log_info("%d cases fail without RAW edges", failed);
    cr_assert_gt(failed, 300);
}

Test(teeth, write_after_read)
{
    int failed = failures(PL_HAZARD_WAR);
    cr_log_info("%d cases fail without WAR edges", failed);
    cr_assert_gt(failed, 100);
}

/* Two receives into the same bytes, nobody reading in between: the second must win. No algorithm of
 * ours writes twice like this, so it is made here. */
static void twice(struct pl_builder *b, const struct pl_coll_args *args)
{
    struct pl_slice out = pl_out(0, pl_coll_bytes(args)), in = pl_in(0, out.length);
    int peer = 1 - args->rank;
    struct pl_slice junk = pl_tmp(b, out.length);
    pl_step_copy(b, junk, in);
    pl_step_send(b, peer, junk);
    pl_step_recv(b, peer, out);
    pl_step_reduce(b, out, args->rank ? pl_part(junk, 0, junk.length) : in, in);
    pl_step_recv(b, peer, junk);
    pl_step_send(b, peer, in);
    pl_step_reduce(b, out, args->rank ? junk : in, args->rank ? in : junk);
}

Test(teeth, write_after_write)
{
    static const struct pl_algorithm algorithm = {"twice", twice, NULL, PL_ORDERED};
    struct pl_verify_params params = {
        &algorithm, {.collective = PL_ALLREDUCE, .size = 2, .count = 3, .element = 1}, PL_SUM_TREE, 5, 50, 0};
    cr_assert_eq(pl_verify(&params), 0, "%s", pl_fail_text());
    params.ignore = PL_HAZARD_WAW;
    cr_assert_neq(pl_verify(&params), 0);
}

/* The ring adds up in another order in each chunk: right as a set, wrong in any stricter sense. */
Test(teeth, order)
{
    const struct pl_algorithm *ring = &pl_algorithms(PL_ALLREDUCE)[2];
    cr_assert_str_eq(ring->name, "ring");
    struct pl_verify_params params = {
        ring, {.collective = PL_ALLREDUCE, .size = 4, .count = 9, .element = 1}, PL_SUM_SET, 5, 1, 0};
    cr_assert_eq(pl_verify(&params), 0);
    params.sum = PL_SUM_ORDER;
    cr_assert_neq(pl_verify(&params), 0);
}

/* Doubling on 5 ranks keeps the order, but adds ((0+1)+2)+(3+4), where the canonical tree has
 * ((0+1)+(2+3))+4. */
Test(teeth, bracketing)
{
    const struct pl_algorithm *doubling = &pl_algorithms(PL_ALLREDUCE)[0];
    struct pl_verify_params params = {
        doubling,
        {.collective = PL_ALLREDUCE, .size = 5, .count = 2, .element = 1, .ordered = true},
        PL_SUM_ORDER,
        5,
        1,
        0};
    cr_assert_eq(pl_verify(&params), 0);
    params.sum = PL_SUM_TREE;
    cr_assert_neq(pl_verify(&params), 0);
}

static void exchange_in_place(struct pl_builder *b, const struct pl_coll_args *args)
{
    struct pl_slice out = pl_out(0, pl_coll_bytes(args) * 2);
    pl_step_send(b, 1 - args->rank, pl_chunk(out, 1, 2, 1 - args->rank));
    pl_step_recv(b, 1 - args->rank,
                 pl_chunk(out, 1, 2, 1 - args->rank)); /* waits for the send, as the peer's does */
}

Test(teeth, rendezvous_deadlock)
{
    static const struct pl_algorithm algorithm = {"exchange_in_place", exchange_in_place, NULL, 0};
    struct pl_verify_params params = {
        &algorithm, {.collective = PL_ALLTOALL, .size = 2, .count = 3, .element = 1, .in_place = true},
        PL_SUM_SET, 5,
        1,          0};
    cr_assert_neq(pl_verify(&params), 0);
    cr_expect(strstr(pl_fail_text(), "deadlock"), "%s", pl_fail_text());
}
