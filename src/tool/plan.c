/* `peal plan`: prices a collective on a machine that need not be here. The same builders write the schedules
 * as in a running job, and the same model prices them as when an algorithm is chosen.
 */
#include "plan.h"

#include "choose.h"
#include "config.h"
#include "errors.h"
#include "tool.h"
#include "tuning.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

enum { ALGORITHMS_MAX = 32, RANKS_MAX = 10000000 };

struct request {
    struct pl_plan plan;
    double alpha, beta, gamma, inter_alpha, inter_beta; /* NAN: not given */
    const char *like, *draw, *only;
};

const char *pl_plan_bytes(char text[32], double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    for (; bytes >= 1024 && unit < 4; unit++)
        bytes /= 1024;
    snprintf(text, 32, "%.4g %s", bytes, units[unit]);
    return text;
}

const char *pl_plan_time(char text[32], double nanoseconds)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    int unit = 0;
    for (; nanoseconds >= 1000 && unit < 3; unit++)
        nanoseconds /= 1000;
    snprintf(text, 32, "%.4g %s", nanoseconds, units[unit]);
    return text;
}

static int refuse(const char *format, const char *word)
{
    fprintf(stderr, "peal plan: ");
    fprintf(stderr, format, word);
    fprintf(stderr, "\n");
    return PL_TOOL_USAGE;
}

/* Neighbourhoods have no schedule without their graph. */
static bool plannable(int c)
{
    return strcmp(pl_collective_name((enum pl_collective)c), "neighbor") != 0;
}

static int find_collective(const char *name, enum pl_collective *collective)
{
    size_t length = strcmp(name, "reduce_scatter_block") ? strlen(name) : strlen("reduce_scatter");
    for (int c = 0; c < PL_COLLECTIVES; c++) {
        const char *known = pl_collective_name((enum pl_collective)c);
        *collective = (enum pl_collective)c;
        if (strlen(known) == length && !memcmp(known, name, length) && plannable(c))
            return 0;
    }
    fprintf(stderr, "peal plan: there is no collective '%.40s'; there are:", name);
    for (int c = 0; c < PL_COLLECTIVES; c++)
        if (plannable(c))
            fprintf(stderr, " %s", pl_collective_name((enum pl_collective)c));
    fprintf(stderr, "\n");
    return PL_TOOL_USAGE;
}

/* What was not said is as PEAL_TUNING or the library has it for the transport. */
static void fill_network(struct request *r)
{
    struct pl_config config;
    struct pl_tuning tuning;
    pl_config_read(&config, environ);
    pl_config_complain(environ);
    pl_tuning_read(&tuning, config.tuning, true);
    struct pl_machine like = *pl_tuning_machine(&tuning, r->like, false);
    struct pl_network *network = &r->plan.network;
    network->within =
        (struct pl_machine){isnan(r->alpha) ? like.alpha : r->alpha, isnan(r->beta) ? like.beta : r->beta,
                            isnan(r->gamma) ? like.gamma : r->gamma};
    network->between = (struct pl_machine){isnan(r->inter_alpha) ? network->within.alpha : r->inter_alpha,
                                           isnan(r->inter_beta) ? network->within.beta : r->inter_beta,
                                           network->within.gamma};
    network->per_host = r->plan.hosts ? r->plan.ranks / r->plan.hosts : 0;
}

static int check(struct request *r, const char **words, int n)
{
    if (n != 1)
        return refuse(n ? "one collective at a time: what is '%s'?" : "which collective?%s",
                      n ? words[1] : "");
    int code = find_collective(words[0], &r->plan.collective);
    if (code)
        return code;
    if (r->plan.ranks < 1 || r->plan.ranks > RANKS_MAX)
        return refuse("--ranks must be 1 to 10000000%s", "");
    if (r->plan.hosts && r->plan.ranks % r->plan.hosts)
        return refuse("--hosts must divide --ranks: all hosts have as many ranks%s", "");
    if (!r->plan.hosts && (!isnan(r->inter_alpha) || !isnan(r->inter_beta)))
        return refuse("--inter-alpha and --inter-beta need --hosts%s", "");
    if (strcmp(r->like, "shm") && strcmp(r->like, "tcp") && strcmp(r->like, "loopback"))
        return refuse("--like %s: shm, tcp or loopback was expected", r->like);
    fill_network(r);
    return 0;
}

static void print_machine(const char *what, const struct pl_machine *m)
{
    printf("%salpha %.6g ns, beta %.4g ns a byte", what, m->alpha, m->beta);
    if (m->beta > 0)
        printf(" (%.3g GB/s)", 1 / m->beta);
}

static void print_head(const struct pl_plan *plan)
{
    char bytes[32];
    printf("%s of %s on %d ranks", pl_collective_name(plan->collective),
           pl_plan_bytes(bytes, (double)plan->bytes), plan->ranks);
    if (plan->hosts)
        printf(", %d hosts of %d", plan->hosts, plan->network.per_host);
    printf("\n");
    if (plan->hosts)
        print_machine("  within a host: ", &plan->network.within);
    if (plan->hosts)
        printf("\n");
    print_machine(plan->hosts ? "  between hosts: " : "  ", &plan->network.between);
    printf("; gamma %.4g ns a byte\n\n", plan->network.within.gamma);
}

static void print_price(const struct pl_plan_price *price, double best, int ranks)
{
    char time[32];
    printf("%c %-18s %12s %8.2f   ", price->nanoseconds <= best ? '*' : ' ', price->algorithm->name,
           pl_plan_time(time, price->nanoseconds), best > 0 ? price->nanoseconds / best : 1);
    switch (price->method) {
    case PL_PLAN_ALL:
        printf("schedules of all ranks");
        break;
    case PL_PLAN_ALIKE:
        printf("schedules; %d rank%s for all", price->run, price->run > 1 ? "s stand" : " stands");
        break;
    case PL_PLAN_SCALED:
        printf("schedules of %d ranks, scaled to %d by the closed form", price->run, ranks);
        break;
    case PL_PLAN_CLOSED:
        printf("closed form");
        if (price->checked > 0)
            printf("; schedules take %.2f of it on %d ranks", price->checked, price->run);
    }
    printf("\n");
}

static int ascending(const void *a, const void *b)
{
    const struct pl_plan_price *x = a, *y = b;
    return (x->nanoseconds > y->nanoseconds) - (x->nanoseconds < y->nanoseconds);
}

/* What is being priced, for who waits at a terminal; NULL clears the line. */
static void tell(const char *name)
{
    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, name ? "\r\033[Kpricing %s ..." : "\r\033[K", name);
    fflush(stderr);
}

/* Prices all algorithms that may be used; sorted. How many, or an error. */
static int price_all(const struct request *r, struct pl_plan_price *price)
{
    const struct pl_plan *plan = &r->plan;
    struct pl_coll_args args = pl_plan_args(plan, plan->ranks);
    int n = 0;
    for (const struct pl_algorithm *a = pl_algorithms(plan->collective); a->name && n < ALGORITHMS_MAX; a++) {
        if (!pl_algorithm_fits(a, &args, false) || ((a->flags & PL_REACHES) && !plan->shared_memory) ||
            (r->only && strcmp(r->only, a->name) != 0))
            continue;
        tell(a->name);
        int error = pl_plan_price(plan, a, &price[n++]);
        tell(NULL);
        if (error)
            return error;
    }
    qsort(price, (size_t)n, sizeof *price, ascending);
    return n;
}

static int make_plan(const struct request *r)
{
    struct pl_plan_price price[ALGORITHMS_MAX];
    int n = price_all(r, price);
    if (n < 0) {
        fprintf(stderr, "peal plan: %s\n", pl_fail_text());
        return PL_TOOL_BAD;
    }
    if (!n)
        return refuse("--algorithm %s: there is none of that name that fits this call",
                      r->only ? r->only : "");
    print_head(&r->plan);
    printf("  %-18s %12s %8s   %s\n", "algorithm", "time", "of best", "priced by");
    for (int i = 0; i < n; i++)
        print_price(&price[i], price[0].nanoseconds, r->plan.ranks);
    if (n > 1)
        printf("\n%s wins; %s takes %.2f times as long.\n", price[0].algorithm->name,
               price[1].algorithm->name,
               price[0].nanoseconds > 0 ? price[1].nanoseconds / price[0].nanoseconds : 1);
    printf("\n");
    int error = pl_plan_draw(&r->plan, price[0].algorithm, stdout);
    if (!error && r->draw)
        error = pl_plan_draw_svg(&r->plan, price[0].algorithm, r->draw);
    if (error)
        fprintf(stderr, "peal plan: %s\n", pl_fail_text());
    return error ? PL_TOOL_BAD : PL_TOOL_OK;
}

int pl_tool_plan(int argc, char **argv)
{
    struct request r = {.plan = {.ranks = 8, .bytes = 1 << 20},
                        .alpha = NAN,
                        .beta = NAN,
                        .gamma = NAN,
                        .inter_alpha = NAN,
                        .inter_beta = NAN,
                        .like = "tcp"};
    const struct pl_option options[] = {
        {'n', "ranks", PL_OPTION_COUNT, "N", &r.plan.ranks, "how many ranks; 8"},
        {'b', "bytes", PL_OPTION_BYTES, "BYTES", &r.plan.bytes, "of the vector, or of one rank's block; 1M"},
        {0, "alpha", PL_OPTION_REAL, "NS", &r.alpha, "nanoseconds a message"},
        {0, "beta", PL_OPTION_REAL, "NS", &r.beta, "nanoseconds a byte carried: 8 / Gbit/s"},
        {0, "gamma", PL_OPTION_REAL, "NS", &r.gamma, "nanoseconds a byte reduced"},
        {0, "hosts", PL_OPTION_COUNT, "H", &r.plan.hosts,
         "the ranks live on H hosts, whose links they share"},
        {0, "inter-alpha", PL_OPTION_REAL, "NS", &r.inter_alpha, "as --alpha, between hosts"},
        {0, "inter-beta", PL_OPTION_REAL, "NS", &r.inter_beta, "as --beta, between hosts"},
        {0, "like", PL_OPTION_TEXT, "TRANSPORT", &r.like, "where numbers not given come from: shm, tcp; tcp"},
        {0, "algorithm", PL_OPTION_TEXT, "NAME", &r.only, "this one only"},
        {0, "shared-memory", PL_OPTION_FLAG, NULL, &r.plan.shared_memory,
         "ranks can reach into peers' buffers"},
        {0, "draw", PL_OPTION_TEXT, "FILE.svg", &r.draw, "draw the winner on a few ranks, over time"},
        {0},
    };
    const struct pl_usage usage = {
        "peal plan COLLECTIVE [options]",
        "Prices every algorithm of the collective by its schedule, on a machine that need not be here;\n"
        "says which wins, and draws it on a few ranks.",
        options, false};
    const char **words = malloc((size_t)argc * sizeof *words);
    int n, code;
    if (!words)
        return PL_TOOL_BAD;
    if (!pl_options_parse(&usage, argc, argv, words, &n, &code)) {
        code = check(&r, words, n);
        if (!code)
            code = make_plan(&r);
    }
    free(words);
    return code;
}
