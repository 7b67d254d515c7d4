/* Runs scenarios under thousands of seeds, in deterministic worlds whose faults are drawn from the seed.
 *
 *   simulate [-n SEEDS] [-f FIRST] [-r RANKS] [SCENARIO]...    each on 2, 3, 5 and 8 ranks (or RANKS)
 *   simulate -s SEED -r RANKS SCENARIO                         one world, twice, and the two logs compared
 *   simulate -x N ...                                          must fail within N seeds (planted bugs)
 *
 * A failure prints its seed and the line that runs it again. */
#include "scenario.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct scenario *const scenarios[] = {&messages_scenario, &mixed_scenario, &collectives_scenario,
                                                   &deaths_scenario,   &flips_scenario, &checked_scenario,
                                                   &repair_scenario,   &agree_scenario, &parameters_scenario};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

struct plan {
    uint64_t seeds, first, replay;
    int ranks;
    bool one, must_fail;
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct peal_world_options options_of(const struct scenario *scenario, uint64_t seed)
{
    setenv("PEAL_CHECKSUM", scenario->checksum ? scenario->checksum : "0", 1);
    return (struct peal_world_options){.deterministic = 1,
                                       .seed = seed,
                                       .drawn = scenario->drawn,
                                       .kinds = scenario->kinds,
                                       .stack_size = 1 << 20};
}

static int explore(const struct scenario *scenario, int ranks, const struct plan *plan)
{
    struct peal_world_options options = options_of(scenario, plan->first);
    struct peal_world_result result;
    double began = seconds();
    int code = peal_explore(ranks, scenario->body, NULL, &options, plan->seeds, &result);
    printf("%-12s %d ranks, seeds %llu to %llu: %s (%.2f s)\n", scenario->name, ranks,
           (unsigned long long)plan->first,
           (unsigned long long)(code ? result.seed : plan->first + plan->seeds - 1),
           code ? "FAILED" : "all well", seconds() - began);
    if (code)
        printf("  run it again:  simulate -s %llu -r %d %s\n  %s\n", (unsigned long long)result.seed, ranks,
               scenario->name, result.text);
    return code;
}

static bool same_files(const char *a, const char *b, size_t *length)
{
    FILE *one = fopen(a, "r"), *two = fopen(b, "r");
    int x = 0, y = 0;
    for (*length = 0; one && two && x == y && x != EOF; (*length)++) {
        x = getc(one);
        y = getc(two);
    }
    if (one)
        fclose(one);
    if (two)
        fclose(two);
    return one && two && x == y;
}

/* The same seed twice: its outcome, and whether the two logs are the same byte for byte. */
static int replay(const struct scenario *scenario, int ranks, uint64_t seed)
{
    char names[2][64];
    struct peal_world_result result;
    int code = 0;
    for (int i = 0; i < 2; i++) {
        snprintf(names[i], sizeof names[i], "%s-%llu-%d.%d.log", scenario->name, (unsigned long long)seed,
                 ranks, i);
        struct peal_world_options options = options_of(scenario, seed);
        options.log = names[i];
        code = peal_run(ranks, scenario->body, NULL, &options, &result);
    }
    size_t length;
    bool same = same_files(names[0], names[1], &length);
    printf("%s, %d ranks, seed %llu: code %d, %llu events, %d killed, %.6f s of virtual time; the logs (%zu "
           "bytes) are %s\n"
           "%s\n",
           scenario->name, ranks, (unsigned long long)seed, code, (unsigned long long)result.events,
           result.killed, result.seconds, length, same ? "the same" : "DIFFERENT", result.text);
    if (same) {
        unlink(names[1]);
        printf("  %s\n", names[0]);
    }
    return same ? code : 2;
}

static bool wanted(const struct scenario *scenario, char **names, int count)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(names[i], scenario->name))
            return true;
    return !count;
}

int main(int argc, char **argv)
{
    struct plan plan = {.seeds = 100, .first = 1};
    for (int option; (option = getopt(argc, argv, "n:f:r:s:x:")) != -1;) {
        if (option == 'r')
            plan.ranks = atoi(optarg);
        else if (option == 'f')
            plan.first = strtoull(optarg, NULL, 10);
        else if (option == 's')
            plan.replay = strtoull(optarg, NULL, 10), plan.one = true;
        else if (option == 'n' || option == 'x')
            plan.seeds = strtoull(optarg, NULL, 10), plan.must_fail = option == 'x';
        else
            return 2;
    }
    static const int sizes[] = {2, 3, 5, 8};
    int failures = 0;
    for (int s = 0; s < SCENARIOS; s++) {
        const struct scenario *scenario = scenarios[s];
        if (!wanted(scenario, argv + optind, argc - optind))
            continue;
        if (plan.one)
            return replay(scenario, plan.ranks, plan.replay);
        for (int i = 0; i < (plan.ranks ? 1 : 4); i++)
            failures += explore(scenario, plan.ranks ? plan.ranks : sizes[i], &plan) != 0;
    }
    if (plan.must_fail)
        printf(failures ? "the bug was found\n" : "THE BUG WAS NOT FOUND within %llu seeds\n",
               (unsigned long long)plan.seeds);
    return plan.must_fail ? !failures : failures != 0;
}
