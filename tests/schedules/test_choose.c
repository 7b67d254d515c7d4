/* Prices and choices: each closed form against its priced schedule, and what is chosen where. */
#include "choose.h"
#include "cost.h"
#include "errors.h"
#include "log.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <string.h>

static const struct pl_machine machine = {1000, 0.5, 0.25};

static struct pl_coll_args call(enum pl_collective collective, int size, size_t count)
{
    return (struct pl_coll_args){
        .collective = collective, .size = size, .count = count, .element = 4, .segment = (size_t)1 << 40};
}

/* Equal but for what a closed form leaves out: overlap of reducing with receiving, folded ranks, chunks that
 * are not equal. A form that forgets a round, or counts bytes twice, is outside of 0.7 to 1.3. */
Test(price, closed_forms)
{
    static const int sizes[] = {2, 3, 4, 5, 7, 8, 12, 16, 31, 32};
    for (int c = 0; c < PL_NEIGHBOR; c++)
        for (const struct pl_algorithm *a = pl_algorithms((enum pl_collective)c); a->name; a++)
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
                for (size_t count = 960; count <= 960 * 960; count *= 960) {
                    struct pl_coll_args args = call((enum pl_collective)c, sizes[i], count);
                    double priced;
                    if (!pl_algorithm_fits(a, &args, false))
                        continue;
                    cr_assert_eq(pl_price(a, &args, &machine, &priced), 0, "%s", pl_fail_text());
                    double ratio = priced / a->cost(&machine, &args);
                    cr_expect(
                        ratio > 0.7 && ratio < 1.3, "%s %s of %zu on %d ranks: priced %.0f, %.3f of its form",
                        pl_collective_name((enum pl_collective)c), a->name, count, sizes[i], priced, ratio);
                }
}

static const char *chosen(enum pl_collective collective, int size, size_t count, bool ordered,
                          bool reproducible)
{
    struct pl_coll_args args = call(collective, size, count);
    args.segment = 0;
    args.ordered = ordered || reproducible;
    return pl_choose(pl_machine_of("shm", false), &args, reproducible, false, NULL)->name;
}

Test(choose, short_and_long_differ)
{
    cr_expect_str_eq(chosen(PL_ALLREDUCE, 8, 2, false, false), "doubling");
    cr_expect_str_neq(chosen(PL_ALLREDUCE, 8, 1 << 20, false, false), "doubling");
    cr_expect_str_eq(chosen(PL_BCAST, 16, 1, false, false), "binomial");
    cr_expect_str_neq(chosen(PL_BCAST, 16, 1 << 22, false, false), "binomial");
    cr_expect_str_eq(chosen(PL_ALLTOALL, 32, 1, false, false), "bruck");
    cr_expect_str_eq(chosen(PL_BARRIER, 64, 0, false, false), "dissemination");
}

Test(choose, never_what_is_wrong)
{
    for (int c = PL_REDUCE; c < PL_COLLECTIVES; c++)
        for (int n = 1; n <= 40; n++)
            for (size_t count = 1; count < 10000000; count *= 10)
                for (int mode = 0; mode < 3 && pl_collective_sums((enum pl_collective)c); mode++) {
                    struct pl_coll_args args = call((enum pl_collective)c, n, count);
                    args.ordered = mode > 0;
                    const struct pl_algorithm *a =
                        pl_choose(pl_machine_of("tcp", true), &args, mode == 2, false, NULL);
                    cr_assert(pl_algorithm_fits(a, &args, mode == 2));
                    cr_assert_not(a->flags & PL_REACHES);
                    cr_assert(mode == 0 || (a->flags & PL_ORDERED));
                }
}

Test(choose, forced_where_it_fits)
{
    struct pl_forced forced = {{0}};
    pl_forced_read(&forced, "allreduce=ring,bcast=chain", true);
    cr_assert_str_eq(forced.algorithm[PL_ALLREDUCE]->name, "ring");
    cr_assert_str_eq(forced.algorithm[PL_BCAST]->name, "chain");
    cr_assert_null(forced.algorithm[PL_REDUCE]);
    struct pl_coll_args args = call(PL_ALLREDUCE, 8, 1);
    const struct pl_machine *shm = pl_machine_of("shm", false);
    cr_expect_str_eq(pl_choose(shm, &args, false, false, forced.algorithm[PL_ALLREDUCE])->name, "ring");
    args.ordered = true; /* a ring does not keep the order: not even when told to */
    cr_expect_str_neq(pl_choose(shm, &args, false, false, forced.algorithm[PL_ALLREDUCE])->name, "ring");
}

Test(choose, unknown_names_are_warned_about, .init = cr_redirect_stderr)
{
    struct pl_forced forced = {{0}};
    pl_log_identity("test", PL_LOG_WARN);
    pl_forced_read(&forced, "allreduce=rign,,allgathr=ring,bcast", true);
    fflush(stderr);
    char text[2048] = "";
    FILE *log = cr_get_redirected_stderr();
    size_t length = fread(text, 1, sizeof text - 1, log);
    text[length] = 0;
    cr_assert(strstr(text, "allreduce=rign") && strstr(text, "doubling"), "%s", text);
    cr_assert(strstr(text, "allgathr=ring") && strstr(text, "reduce_scatter="), "%s", text);
    cr_assert(strstr(text, "'bcast'") && strstr(text, "scatter_ring"), "%s", text);
    for (int c = 0; c < PL_COLLECTIVES; c++)
        cr_assert_null(forced.algorithm[c]);
}
