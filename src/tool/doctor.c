/* `peal doctor`: whether a job would run well here, and what to do about it if not.
 *
 *     meet      by the launcher, or two processes of its own           doctor_meet.c, doctor_fork.c
 *     host      limits, CPUs, memory, what processes may do            facts.c, checks.c
 *     names     of the hosts; networks                                 doctor_names.c, doctor_net.c
 *     RDMA      devices and what keeps one from them                   doctor_rdma.c
 *     ways      each transport, between each pair, with a pattern      doctor_try.c, doctor_ways.c
 *     GPUs      each pair, with a pattern                              doctor_gpu.c
 *     report    by rank 0: what ranks say alike is said once           findings.c
 *
 * Each rank collects findings; nothing is printed before the end, so the table is the same whoever was first.
 */
#include "doctor.h"

#include "errors.h"
#include "log.h"
#include "rank.h"
#include "tool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static bool allows(const struct pl_config *config, const char *name)
{
    char copy[sizeof config->transports], *rest = copy;
    strcpy(copy, config->transports);
    for (char *word; (word = strsep(&rest, ","));)
        if (!strcmp(word, name))
            return true;
    return false;
}

static void examine_host(struct pl_doctor *d, struct pl_facts *facts)
{
    struct pl_findings *findings = &d->findings;
    *facts = (struct pl_facts){.ranks = d->size,
                               .local_ranks = d->local_size,
                               .hosts = d->hosts,
                               .wants_shm = allows(&d->config, "shm"),
                               .wants_tcp = allows(&d->config, "tcp"),
                               .wants_verbs = allows(&d->config, "verbs"),
                               .cpus = pl_rank_cpus(),
                               .cpus_online = (int)sysconf(_SC_NPROCESSORS_ONLN)};
    pl_facts_read(facts, &pl_roots_here);
    pl_facts_needs(facts);
    findings->for_host = true;
    if (!d->rank)
        pl_check_knobs(environ, findings);
    if (!d->local_rank) {
        pl_check_proc(facts, findings);
        pl_check_cpus(facts, findings);
        pl_check_shm(facts, findings);
        pl_check_ptrace(facts, findings);
        pl_check_rdma(&pl_roots_here, facts->wants_verbs, findings);
        pl_doctor_net(d);
    }
    findings->for_host = false;
    pl_check_files(facts, findings);
    pl_check_shm_limits(facts, findings);
    pl_check_memlock(facts, findings);
}

static void write_title(const struct pl_doctor *d, const struct pl_places *places)
{
    if (d->pair)
        printf("# peal doctor %s on %s; two processes of its own are ranks 0 and 1\n\n", PEAL_VERSION,
               places->names[0]);
    else
        printf("# peal doctor %s: %d rank%s on %d host%s\n", PEAL_VERSION, d->size, d->size == 1 ? "" : "s",
               d->hosts, d->hosts == 1 ? "" : "s");
    for (int host = 0; host < d->hosts && !d->pair; host++) {
        printf("#   %s: ranks", places->names[host]);
        int last = -2, first = -1;
        for (int r = 0; r <= d->size; r++) {
            bool here = r < d->size && d->host_of[r] == host;
            if (here && last != r - 1)
                first = r;
            if (here)
                last = r;
            else if (first >= 0 && last == r - 1)
                printf(last > first ? " %d-%d" : " %d", first, last);
        }
        printf("\n");
    }
    if (!d->pair)
        printf("\n");
}

/* Of the words, each rank's: the first line is its host's name, the others are findings. */
static int report(const struct pl_doctor *d, char **words, bool json)
{
    struct pl_findings *all = calloc((size_t)d->size, sizeof *all);
    const char **names = calloc((size_t)d->hosts, sizeof *names);
    struct pl_finding_groups groups;
    int problems = 1;
    if (!all || !names)
        goto free_all;
    for (int r = 0; r < d->size; r++) {
        char *rest = words[r];
        names[d->host_of[r]] = strsep(&rest, "\n");
        if (rest)
            pl_findings_unpack(&all[r], rest);
        else
            pl_find(&all[r], PL_LEVEL_PROBLEM, "reach", NULL, "this rank has said nothing");
    }
    const struct pl_places places = {d->size, d->hosts, d->host_of, names};
    if (pl_groups_make(&groups, all, d->size))
        goto free_all;
    if (!json)
        write_title(d, &places);
    problems =
        json ? pl_groups_print_json(&groups, &places, stdout) : pl_groups_print(&groups, &places, stdout);
    pl_groups_finish(&groups);
free_all:
    for (int r = 0; all && r < d->size; r++)
        pl_findings_finish(&all[r]);
    free(all);
    free(names);
    return problems ? PL_TOOL_BAD : PL_TOOL_OK;
}

static int collect(struct pl_doctor *d, bool json)
{
    char name[256] = "", *mine = NULL, **words;
    gethostname(name, sizeof name - 1);
    char *findings = pl_findings_pack(&d->findings);
    if (!findings || d->findings.failed || asprintf(&mine, "%s\n%s", name, findings) < 0) {
        free(findings);
        return PL_TOOL_BAD;
    }
    int error = pl_doctor_collect(d, mine, &words);
    int code = error ? PL_TOOL_BAD : PL_TOOL_OK;
    if (error)
        fprintf(stderr, "peal doctor: rank %d: %s\n", d->rank, pl_fail_text());
    else if (!d->rank)
        code = report(d, words, json);
    pl_doctor_forget(d, words);
    free(findings);
    free(mine);
    return code;
}

static int examine(bool json)
{
    struct pl_doctor doctor;
    struct pl_facts facts;
    signal(SIGXFSZ, SIG_IGN); /* a limit that is too low shall be told of */
    if (pl_doctor_meet(&doctor)) {
        fprintf(stderr, "PROBLEM  launcher  the ranks do not come together: %s\n", pl_fail_text());
        pl_doctor_part(&doctor);
        return PL_TOOL_BAD;
    }
    pl_log_identity("doctor", PL_LOG_ERROR); /* what is warned of is among the findings */
    examine_host(&doctor, &facts);
    pl_doctor_names(&doctor);
    pl_doctor_ways(&doctor, &facts);
    pl_doctor_gpu(&doctor, &pl_roots_here);
    int code = collect(&doctor, json);
    if (fflush(stdout))
        code = PL_TOOL_BAD;
    pl_doctor_part(&doctor);
    return code;
}

int pl_tool_doctor(int argc, char **argv)
{
    bool json = false;
    const struct pl_option options[] = {{'j', "json", PL_OPTION_FLAG, NULL, &json, "print JSON"}, {0}};
    const char *rank = getenv("PMI_RANK");
    const struct pl_usage usage = {
        "peal doctor [options]",
        "Examines this machine, or under mpiexec each rank's, and the ways between each pair\n"
        "of ranks: every transport is tried with a pattern. Prints a table: OK, note (it works,\n"
        "but could be better), PROBLEM (jobs will fail), and the line that mends it. Exit code\n"
        "0 if there is no problem, 1 if there is.\n"
        "\n"
        "  peal doctor\n"
        "  mpiexec -hosts a,b -n 4 peal doctor",
        options, rank && strcmp(rank, "0") != 0};
    int code;
    if (pl_options_only(&usage, argc, argv, &code))
        return code;
    return examine(json);
}
