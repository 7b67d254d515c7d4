/* Pricing on more ranks than can be simulated one by one. Four ways, the first that can be afforded:
 *
 *   alike    all ranks (or hosts) do the same with peers equally far away: one stands for all. Exact,
 *            but for the order in which the ranks of a host queue for their link. Rings, dissemination,
 * pairwise exchange; doubling and halving on powers of two scaled   so on 4,096 ranks with blocks as long,
 * times what the closed form grows by from there: a ring on 100,000 ranks, where writing down one rank's
 * schedule takes minutes all      every rank's schedule is run, up to a few million steps. Exact. Trees on
 * 100,000 ranks, which have log2 n steps a rank closed   the closed form of the algorithm, with how far it is
 * from the real schedule on fewer ranks. What has as many steps as ranks, and ranks that differ: a chain, a
 * root that talks to all
 *
 * The first two want blocks of equal length, so lengths are rounded up to what the ranks divide: the slowest
 * rank has the longer block in any case.
 */
#include "plan.h"

#include "errors.h"

#include <math.h>

enum {
    MOST_STEPS = 4000000,      /* of all ranks: half a gigabyte */
    MOST_STEPS_CHECK = 400000, /* for the small instance beside a closed form */
    MOST_LONG = 4096,          /* ranks, where a rank has as many steps as there are ranks */
    MOST_ONE = 20000,          /* steps and edges of one rank */
    SAMPLE = 128,              /* ranks, to see how schedules grow */
};

struct pl_coll_args pl_plan_args(const struct pl_plan *plan, int ranks)
{
    size_t element = plan->bytes % 4 ? 1 : 4;
    return (struct pl_coll_args){
        .collective = plan->collective, .size = ranks, .count = plan->bytes / element, .element = element};
}

static bool whole_vector(const struct pl_plan *plan)
{
    return plan->collective == PL_BCAST || plan->collective == PL_REDUCE || plan->collective == PL_ALLREDUCE;
}

/* The call on `ranks` ranks with blocks as long as on all, of lengths that the ranks divide. */
static struct pl_coll_args divisible(const struct pl_plan *plan, int ranks)
{
    struct pl_coll_args args = pl_plan_args(plan, ranks);
    size_t n = (size_t)plan->ranks, block = (args.count + n - 1) / n;
    if (whole_vector(plan) && args.count > n)
        args.count = block * (size_t)ranks;
    return args;
}

static struct pl_price_params params_of(const struct pl_plan *plan, const struct pl_algorithm *algorithm,
                                        struct pl_coll_args args)
{
    return (struct pl_price_params){.algorithm = algorithm, .args = args, .network = plan->network};
}

/* Steps and edges of one rank's schedule, or an error. */
static double weigh(const struct pl_algorithm *algorithm, struct pl_coll_args args, int rank)
{
    struct pl_schedule *schedule;
    args.rank = rank;
    int error = pl_algorithm_schedule(algorithm, &args, 0, &schedule);
    if (error)
        return error;
    double weight = (double)schedule->steps + schedule->edges;
    pl_schedule_release(schedule);
    return weight;
}

/* What that would be on all ranks, for the root and for a rank in the middle: as it grows on a few hundred.
 */
static int foresee(const struct pl_plan *plan, const struct pl_algorithm *algorithm,
                   struct pl_plan_price *price)
{
    for (int middle = 0; middle < 2; middle++) {
        double weight[2], *all = middle ? &price->middle : &price->root;
        for (int i = 0; i < 2; i++) {
            int ranks = SAMPLE << i;
            weight[i] = weigh(algorithm, divisible(plan, ranks), middle ? ranks / 2 : 0);
            if (weight[i] < 0)
                return (int)weight[i];
        }
        double growth = weight[0] > 0 ? log2(weight[1] / weight[0]) : 0;
        *all = weight[1] * pow((double)plan->ranks / (2 * SAMPLE), growth > 0 ? growth : 0);
    }
    return 0;
}

static double form(const struct pl_plan *plan, const struct pl_algorithm *algorithm,
                   const struct pl_coll_args *args)
{
    struct pl_machine machine = plan->network.between;
    machine.gamma = plan->network.within.gamma;
    return algorithm->cost(&machine, args);
}

/* 1: priced; 0: they are not alike. */
static int by_likeness(const struct pl_plan *plan, const struct pl_algorithm *algorithm,
                       struct pl_plan_price *price)
{
    int replicas = plan->network.per_host ? plan->network.per_host : 1, ranks = plan->ranks;
    if (fmax(price->root, price->middle) > MOST_ONE && ranks > MOST_LONG)
        ranks = MOST_LONG / replicas * replicas;
    if (replicas >= ranks)
        return 0;
    struct pl_coll_args all = divisible(plan, plan->ranks), args = divisible(plan, ranks);
    int alike = pl_price_alike(algorithm, &args, replicas);
    if (alike <= 0)
        return alike;
    struct pl_price_params params = params_of(plan, algorithm, args);
    params.replicas = replicas;
    params.most_steps = MOST_STEPS;
    int error = pl_price_network(&params, &price->nanoseconds);
    if (error)
        return error == PL_EUNSUPPORTED || error == PL_EINTERNAL ? 0 : error;
    price->method = ranks == plan->ranks ? PL_PLAN_ALIKE : PL_PLAN_SCALED;
    price->run = ranks == plan->ranks ? replicas : ranks;
    if (ranks != plan->ranks)
        price->nanoseconds *= form(plan, algorithm, &all) / form(plan, algorithm, &args);
    return 1;
}

static int by_all(const struct pl_plan *plan, const struct pl_algorithm *algorithm,
                  struct pl_plan_price *price)
{
    struct pl_price_params params = params_of(plan, algorithm, pl_plan_args(plan, plan->ranks));
    if (price->root > MOST_ONE || price->middle * plan->ranks / 4 > MOST_STEPS)
        return 0;
    params.most_steps = MOST_STEPS;
    int error = pl_price_network(&params, &price->nanoseconds);
    if (error)
        return error == PL_EUNSUPPORTED ? 0 : error;
    price->method = PL_PLAN_ALL;
    return 1;
}

/* The form knows one kind of link: the slower one, which is right but where much stays within hosts. */
static int by_form(const struct pl_plan *plan, const struct pl_algorithm *algorithm,
                   struct pl_plan_price *price)
{
    struct pl_coll_args args = pl_plan_args(plan, plan->ranks);
    int step = plan->network.per_host ? plan->network.per_host : 1, error = PL_EUNSUPPORTED;
    double priced = 0;
    price->method = PL_PLAN_CLOSED;
    price->nanoseconds = form(plan, algorithm, &args);
    for (int ranks = 512; ranks >= 2 * step && error == PL_EUNSUPPORTED; ranks /= 2) {
        price->run = ranks / step * step;
        args = pl_plan_args(plan, price->run);
        struct pl_price_params params = params_of(plan, algorithm, args);
        params.most_steps = MOST_STEPS_CHECK;
        error = pl_price_network(&params, &priced);
    }
    price->checked = error ? 0 : priced / form(plan, algorithm, &args);
    return error == PL_EUNSUPPORTED ? 0 : error;
}

int pl_plan_price(const struct pl_plan *plan, const struct pl_algorithm *algorithm,
                  struct pl_plan_price *price)
{
    *price = (struct pl_plan_price){.algorithm = algorithm};
    int done = foresee(plan, algorithm, price);
    if (!done)
        done = by_likeness(plan, algorithm, price);
    if (!done)
        done = by_all(plan, algorithm, price);
    return done < 0 ? done : done ? 0 : by_form(plan, algorithm, price);
}
