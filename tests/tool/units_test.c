/* Parts of the tool by themselves: predicted numbers, quartiles, tuning files, prices by likeness. */
#include "cost.h"
#include "errors.h"
#include "numbers.h"
#include "plan.h"
#include "spread.h"
#include "tool.h"
#include "tuning.h"
#include "verify.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static int read_number(const struct pl_number *number, const void *at)
{
    for (int value = 0; value < 128; value++) {
        unsigned char bytes[PL_NUMBER_MAX];
        number->put(bytes, value);
        if (!memcmp(bytes, at, number->size))
            return value;
    }
    return -1;
}

/* Results must fit the narrowest type, be what the operator makes of the operands, and depend on every rank.
 */
Test(numbers, results_are_exact_for_any_number_of_ranks)
{
    static const int ranks[] = {1, 2, 3, 7, 64, 127, 128, 500, 4096};
    const struct pl_number *int32 = pl_number_find("int32");
    for (const struct pl_operator *o = pl_operators; o->name; o++)
        for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++) {
            struct pl_pattern pattern = {int32, o, ranks[i], 3};
            int operand[PL_PERIOD], expected[PL_PERIOD];
            pl_pattern_fill(&pattern, 0, 0, expected, PL_PERIOD);
            for (int r = 1; r < ranks[i]; r++) {
                pl_pattern_fill(&pattern, r, 0, operand, PL_PERIOD);
                for (int j = 0; j < PL_PERIOD; j++) {
                    expected[j] = o->apply(expected[j], operand[j]);
                    cr_assert(expected[j] >= 0 && expected[j] < 128, "%s of %d ranks: %d", o->name, ranks[i],
                              expected[j]);
                }
            }
            cr_assert_eq(pl_pattern_wrong(&pattern, PL_ALL_RANKS, 0, expected, PL_PERIOD), 0,
                         "%s of %d ranks", o->name, ranks[i]);
            expected[17] ^= 1;
            cr_assert_eq(pl_pattern_wrong(&pattern, PL_ALL_RANKS, 0, expected, PL_PERIOD), 1);
        }
}

Test(numbers, a_lost_operand_of_a_sum_is_seen)
{
    const struct pl_number *float32 = pl_number_find("float");
    for (int n = 2; n < 600; n = n * 2 + 1)
        for (int lost = 0; lost < n; lost += 1 + n / 7) {
            struct pl_pattern pattern = {float32, pl_operator_find("sum"), n, 1};
            float sum[PL_PERIOD] = {0}, operand[PL_PERIOD];
            for (int r = 0; r < n; r++) {
                pl_pattern_fill(&pattern, r, 0, operand, PL_PERIOD);
                for (int j = 0; j < PL_PERIOD; j++)
                    sum[j] += r == lost ? 0 : operand[j];
            }
            cr_expect_gt(pl_pattern_wrong(&pattern, PL_ALL_RANKS, 0, sum, PL_PERIOD), 0, "rank %d of %d",
                         lost, n);
        }
}

Test(numbers, a_displaced_block_is_seen)
{
    struct pl_pattern pattern = {pl_number_find("double"), NULL, 4, 9};
    double data[1000];
    pl_pattern_fill(&pattern, 2, 64, data, 1000);
    cr_expect_eq(pl_pattern_wrong(&pattern, 2, 64, data, 1000), 0);
    cr_expect_gt(pl_pattern_wrong(&pattern, 2, 0, data, 1000), 900);
    cr_expect_gt(pl_pattern_wrong(&pattern, 1, 64, data, 1000), 500);
    data[999] = -1;
    cr_expect_eq(pl_pattern_wrong(&pattern, 2, 64, data, 1000), 1);
}

Test(numbers, every_type_holds_every_number)
{
    for (const struct pl_number *n = pl_numbers; n->name; n++)
        for (int value = 0; value < 128; value++) {
            unsigned char bytes[PL_NUMBER_MAX];
            n->put(bytes, value);
            cr_expect_eq(read_number(n, bytes), value, "%s %d", n->name, value);
        }
    uint16_t half, brain;
    pl_number_find("half")->put(&half, 3);      /* 1.5 * 2^1 */
    pl_number_find("bfloat16")->put(&brain, 3); /* the upper half of the float */
    cr_expect_eq(half, 0x4200);
    cr_expect_eq(brain, 0x4040);
}

Test(spread, quartiles)
{
    double five[] = {5, 1, 4, 2, 3}, two[] = {2, 1}, one[] = {7};
    struct pl_spread s = pl_spread(five, 5);
    cr_expect(s.least == 1 && s.q1 == 2 && s.median == 3 && s.q3 == 4);
    s = pl_spread(two, 2);
    cr_expect(s.q1 == 1.25 && s.median == 1.5 && s.q3 == 1.75);
    s = pl_spread(one, 1);
    cr_expect(s.least == 7 && s.q1 == 7 && s.q3 == 7);
}

Test(options, bytes)
{
    static const struct {
        const char *text;
        bool good;
        size_t bytes;
    } cases[] = {{"0", true, 0},
                 {"64", true, 64},
                 {"4K", true, 4096},
                 {"4k", true, 4096},
                 {"2MiB", true, 2 << 20},
                 {"3G", true, 3ul << 30},
                 {"", false, 0},
                 {"K", false, 0},
                 {"-1", false, 0},
                 {"1T", false, 0},
                 {"1KB", false, 0},
                 {"1.5M", false, 0},
                 {"17179869184G", false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t bytes = 0;
        cr_expect_eq(pl_parse_bytes(cases[i].text, &bytes), cases[i].good, "%s", cases[i].text);
        cr_expect_eq(bytes, cases[i].bytes, "%s", cases[i].text);
    }
}

Test(tuning, saved_lines_replace_their_like)
{
    char path[] = "/tmp/peal-tuning-XXXXXX";
    close(mkstemp(path));
    struct pl_tuning tuning;
    cr_assert_eq(pl_tuning_save(path, "shm", &(struct pl_machine){1, 2, 3}), 0);
    cr_assert_eq(pl_tuning_save(path, "tcp-oversubscribed", &(struct pl_machine){4, 5, 6}), 0);
    cr_assert_eq(pl_tuning_save(path, "shm", &(struct pl_machine){7, 8.5, 9}), 0);
    pl_tuning_read(&tuning, path, true);
    unlink(path);
    cr_expect_eq(tuning.lines, 2);
    cr_expect_eq(pl_tuning_machine(&tuning, "shm", false)->beta, 8.5);
    cr_expect_eq(pl_tuning_machine(&tuning, "tcp", true)->alpha, 4);
    cr_expect_gt(pl_tuning_machine(&tuning, "tcp", false)->alpha, 4, "not tuned: as built in");
    cr_expect_lt(pl_tuning_save("/nowhere/t", "shm", &(struct pl_machine){1, 2, 3}), 0);
}

/* Where the verifier proves an algorithm and ranks are alike, running one of them must give what running all
 * gives. With hosts, whose ranks queue for one link, running all lets hosts queue differently, which can only
 * make messages wait for each other more. */
Test(plan, one_of_all_that_are_alike_stands_for_them)
{
    const struct pl_network uniform = {{1000, 0.5, 0.25}, {1000, 0.5, 0.25}, 0};
    int compared = 0;
    for (int c = 0; c < PL_COLLECTIVES; c++)
        for (const struct pl_algorithm *a = pl_algorithms((enum pl_collective)c); a->name; a++)
            for (int n = 2; n <= 24 && strcmp(pl_collective_name((enum pl_collective)c), "neighbor"); n++)
                for (int per_host = 0; per_host <= 3; per_host++) {
                    struct pl_coll_args args = {
                        .collective = (enum pl_collective)c, .size = n, .count = (size_t)n * 5, .element = 4};
                    int replicas = per_host ? per_host : 1;
                    if (n % replicas || replicas == n || !pl_algorithm_fits(a, &args, false))
                        continue;
                    struct pl_price_params p = {.algorithm = a, .args = args, .network = uniform};
                    double all, few;
                    p.network.per_host = per_host;
                    p.network.within.alpha = per_host ? 100 : 1000;
                    int alike = pl_price_alike(a, &args, replicas);
                    cr_assert_geq(alike, 0, "%s", pl_fail_text());
                    cr_assert_eq(pl_price_network(&p, &all), 0, "%s", pl_fail_text());
                    p.replicas = replicas;
                    if (!alike || pl_price_network(&p, &few) == PL_EINTERNAL)
                        continue;
                    cr_expect(
                        per_host ? few <= 1.001 * all && few >= 0.7 * all : fabs(few - all) <= 1e-9 * all,
                        "%s %s on %d ranks, %d a host: %g by %d, %g by all",
                        pl_collective_name((enum pl_collective)c), a->name, n, per_host, few, replicas, all);
                    compared++;
                    if (per_host)
                        continue;
                    struct pl_verify_params v = {
                        .algorithm = a, .args = args, .sum = PL_SUM_SET, .seed = 1, .orders = 1};
                    cr_expect_eq(pl_verify(&v), 0, "%s", pl_fail_text());
                }
    cr_expect_gt(compared, 200, "only %d were alike", compared);
}

Test(plan, rings_and_exchanges_are_alike_and_trees_are_not)
{
    struct pl_coll_args args = {.collective = PL_ALLREDUCE, .size = 16, .count = 160, .element = 4};
    for (const struct pl_algorithm *a = pl_allreduce_algorithms; a->name; a++) {
        bool symmetric = !strcmp(a->name, "ring") || !strcmp(a->name, "doubling");
        if (symmetric || !strcmp(a->name, "reduce_bcast"))
            cr_expect_eq(pl_price_alike(a, &args, 1), symmetric, "%s", a->name);
    }
    args.count = 161; /* one rank's chunk is longer */
    cr_expect_eq(pl_price_alike(&pl_allreduce_algorithms[2], &args, 1), 0);
}

/* One link a host: what two ranks of a host send away takes twice as long as from two hosts. */
Test(plan, ranks_of_a_host_share_its_link)
{
    struct pl_coll_args args = {.collective = PL_ALLREDUCE, .size = 4, .count = 1000, .element = 1};
    struct pl_price_params p = {.algorithm = &pl_allreduce_algorithms[0], .args = args};
    double shared, own;
    p.network = (struct pl_network){{0, 0, 0}, {0, 1, 0}, 2};
    cr_assert_eq(pl_price_network(&p, &shared), 0);
    p.network.per_host = 1;
    cr_assert_eq(pl_price_network(&p, &own), 0);
    cr_expect_eq(shared, 2000, "%g", shared); /* the second round of doubling, both ranks of each host */
    cr_expect_eq(own, 2000, "%g", own);       /* both rounds */
}

Test(plan, too_many_steps_are_refused)
{
    struct pl_coll_args args = {.collective = PL_ALLREDUCE, .size = 64, .count = 6400, .element = 4};
    struct pl_price_params p = {.algorithm = &pl_allreduce_algorithms[2], .args = args, .most_steps = 1000};
    double ns;
    cr_expect_eq(pl_price_network(&p, &ns), PL_EUNSUPPORTED);
}
