/* Every algorithm, proved by running it on symbols (src/collectives/verify.c).
 *
 * Covered: every algorithm x sizes 1..64 x counts {0, 1, 2, n-1, n, n+1, 3n+1} and, on a sixth of the
 * sizes, 1000 x in place or not x roots (all up to 16 ranks; beyond: first, second, middle, last) x
 * several orders of completion; reductions once in the loosest and once in each stricter sense that the
 * algorithm claims. Above 16 ranks a case has one order, and counts take turns by size, three at a time.
 */
#include "errors.h"
#include "verify.h"

#include <criterion/criterion.h>

static const size_t elements[] = {1, 4, 8};

static bool rooted(enum pl_collective c)
{
    return c == PL_BCAST || c == PL_SCATTER || c == PL_GATHER || c == PL_REDUCE;
}

static bool blockwise(enum pl_collective c)
{
    return c == PL_SCATTER || c == PL_GATHER || c == PL_ALLGATHER || c == PL_REDUCE_SCATTER ||
           c == PL_ALLTOALL;
}

/* One call in each sense of summing that the algorithm claims. Returns how many were run. */
static size_t verify_case(const struct pl_algorithm *algorithm, struct pl_coll_args args, int orders,
                          uint64_t seed)
{
    size_t cases = 0;
    for (enum pl_verify_sum sum = PL_SUM_SET; sum <= PL_SUM_TREE; sum++) {
        args.ordered = sum != PL_SUM_SET;
        if (sum != PL_SUM_SET && !pl_collective_sums(args.collective))
            break;
        if (!pl_algorithm_fits(algorithm, &args, sum == PL_SUM_TREE))
            continue;
        struct pl_verify_params params = {algorithm, args, sum, seed, orders, 0};
        int error = pl_verify(&params);
        cr_assert_eq(error, 0, "sum %d, segment %zu: %s", sum, args.segment, pl_fail_text());
        cases++;
    }
    return cases;
}

/* Whether the c-th count is tried on n ranks: above 16, they take turns; what makes n * n blocks is
 * tried with the longest ones on few sizes. */
static bool counted(enum pl_collective collective, int n, size_t c)
{
    bool blocks = blockwise(collective);
    if (c == 7)
        return n % 6 == 3 && (!blocks || n <= 9);
    if (n <= 16 || collective == PL_BARRIER)
        return true;
    if (blocks && c == 6)
        return n % 12 == 7;
    return (c + (size_t)n) % 7 <= (blocks && n > 32 ? 1 : 2);
}

static size_t verify_size(const struct pl_algorithm *algorithm, enum pl_collective collective, int n)
{
    size_t counts[] = {0, 1, 2, (size_t)n - 1, (size_t)n, (size_t)n + 1, 3 * (size_t)n + 1, 1000}, cases = 0;
    bool thin = n > 16;
    for (size_t c = 0; c < 8; c++) {
        if (!counted(collective, n, c))
            continue;
        if (collective == PL_BARRIER && c)
            break;
        for (int root = 0; root < (rooted(collective) ? n : 1); root++) {
            if (thin && root > 1 && root != n / 2 && root != n - 1)
                continue;
            for (int in_place = 0; in_place < 2; in_place++) {
                if (in_place && (collective == PL_BCAST || collective == PL_BARRIER))
                    break;
                size_t element = elements[(c + (size_t)n) % 3];
                struct pl_coll_args args = {collective, 0, n, root, counts[c], element, in_place, false, 0};
                args.segment = root % 2 ? 0 : 3 * element; /* tiny segments: pipelining in small cases too */
                cases += verify_case(algorithm, args, thin ? 1 : 3, (uint64_t)n * 1000 + c);
            }
        }
    }
    return cases;
}

static void verify_collective(enum pl_collective collective)
{
    for (const struct pl_algorithm *a = pl_algorithms(collective); a->name; a++) {
        size_t cases = 0;
        bool windows = a->flags & PL_WINDOW; /* they are for 16 ranks at most, and their schedules long */
        for (int n = 1; n <= (windows ? 16 : 64); n++)
            if (!windows || n <= 9 || n == 16)
                cases += verify_size(a, collective, n);
        cr_log_info("%s %s: %zu cases", pl_collective_name(collective), a->name, cases);
        cr_assert_gt(cases, 60);
    }
}

Test(verify, barrier)
{
    verify_collective(PL_BARRIER);
}
Test(verify, bcast)
{
    verify_collective(PL_BCAST);
}
Test(verify, scatter)
{
    verify_collective(PL_SCATTER);
}
Test(verify, gather)
{
    verify_collective(PL_GATHER);
}
Test(verify, allgather)
{
    verify_collective(PL_ALLGATHER);
}
Test(verify, reduce)
{
    verify_collective(PL_REDUCE);
}
Test(verify, allreduce)
{
    verify_collective(PL_ALLREDUCE);
}
Test(verify, reduce_scatter)
{
    verify_collective(PL_REDUCE_SCATTER);
}
Test(verify, alltoall)
{
    verify_collective(PL_ALLTOALL);
}
Test(verify, scan)
{
    verify_collective(PL_SCAN);
}
Test(verify, exscan)
{
    verify_collective(PL_EXSCAN);
}
