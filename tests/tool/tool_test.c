/* `peal` as its users meet it. Each test runs the real program; no test decides by a time. */
#include "run.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(tool, .timeout = 120);

static struct run r;

/* --- the command line --- */

Test(tool, wrong_command_lines)
{
    static const struct {
        const char *arguments, *says;
    } cases[] = {
        {"", "Usage: peal COMMAND"},
        {"bensh", "there is no command 'bensh'"},
        {"bench --minbites 8", "peal bench: unknown option --minbites: did you mean --minbytes?"},
        {"bench -z", "unknown option -z"},
        {"bench -b", "a value is missing"},
        {"bench -b 8X", "--minbytes 8X: a number of bytes"},
        {"bench -b 99999999999999999999", "a number of bytes"},
        {"bench -e 18446744073709551615G", "a number of bytes"},
        {"bench -b 100 -e 50", "sizes must grow"},
        {"bench -f 1", "sizes must grow"},
        {"bench -n -3", "a number that is not negative"},
        {"bench -t 0", "--seconds must be more than 0"},
        {"bench -c 2", "-c 2"},
        {"bench -r 1", "there are only 1 ranks"},
        {"bench -d quad", "there is no such type"},
        {"bench -o average", "there is no such operator"},
        {"bench -d float -o bxor", "not defined for float"},
        {"bench allredcue", "there is no test 'allredcue'"},
        {"bench latency", "latency needs two ranks"},
        {"bench --json=1", "takes no value"},
        {"bench --tune x allreduce", "--tune measures the transport"},
        {"bench --tune x", "--tune needs two ranks"},
        {"info more", "no arguments"},
        {"plan", "which collective?"},
        {"plan allreduce bcast", "one collective at a time"},
        {"plan allredcue", "there is no collective 'allredcue'"},
        {"plan neighbor", "there is no collective"},
        {"plan allreduce --ranks 0", "--ranks must be"},
        {"plan allreduce --ranks 10 --hosts 3", "--hosts must divide"},
        {"plan allreduce --inter-alpha 3", "need --hosts"},
        {"plan allreduce --alpha -1", "not negative"},
        {"plan allreduce --alpha nan", "not negative"},
        {"plan allreduce --like carrier-pigeon", "shm, tcp or loopback"},
        {"plan allreduce --algorithm rign", "there is none of that name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run(&r, "$PEAL %s", cases[i].arguments);
        cr_expect_eq(r.code, 2, "%s: code %d, %s", cases[i].arguments, r.code, r.err);
        cr_expect(strstr(r.err, cases[i].says), "%s: said '%s'", cases[i].arguments, r.err);
        cr_expect_str_eq(r.out, "", "%s", cases[i].arguments);
    }
}

Test(tool, ranks_do_not_speak_in_chorus)
{
    run(&r, "$MPIEXEC -n 3 $PEAL bench --minbites 8");
    cr_expect_eq(r.code, 2);
    char *said = strstr(r.err, "did you mean");
    cr_assert(said && !strstr(said + 1, "did you mean"), "%s", r.err);
    run(&r, "$MPIEXEC -n 3 $PEAL bench --help");
    said = strstr(r.out, "Usage:");
    cr_expect_eq(r.code, 0);
    cr_assert(said && !strstr(said + 1, "Usage:"), "%s", r.out);
}

Test(tool, help_names_what_there_is)
{
    run(&r, "$PEAL --help && $PEAL bench --help && $PEAL plan -h && $PEAL info -h && $PEAL --version");
    cr_expect_eq(r.code, 0);
    cr_expect(strstr(r.out, "peal bench [options] [TEST ...]") && strstr(r.out, "--inter-beta") &&
                  strstr(r.out, "peal (Peal) "),
              "%s", r.out);
    run(&r, "$PEAL info >/dev/full");
    cr_expect_eq(r.code, 1, "an output that is full must not go unnoticed");
}

Test(tool, info_tells_what_is_set)
{
    run(&r, "PEAL_TIMEOUT=77 PEAL_TRANSPORT=tcp $PEAL info");
    cr_expect_eq(r.code, 0, "%s", r.err);
    cr_expect(strstr(r.out, "PEAL_TIMEOUT       77           set "), "%s", r.out);
    cr_expect(strstr(r.out, "PEAL_LOG           warn         default "), "%s", r.out);
    cr_expect(strstr(r.out, "shm        built in, but PEAL_TRANSPORT does not allow it"), "%s", r.out);
    cr_expect(strstr(r.out, "\n  tcp        usable"), "%s", r.out);
    run(&r, "$PEAL info");
    cr_expect(strstr(r.out, "\n  shm        usable"), "%s", r.out);
}

/* --- tables --- */

struct way {
    double time, algbw, busbw, q1, q3;
    long wrong;
    bool there;
};

static bool parse_way(char **cell, char **quartile, struct way *way)
{
    way->there = strcmp(cell[0], "N/A") != 0;
    if (!way->there)
        return !strcmp(cell[3], "N/A") && !strcmp(quartile[0], "N/A");
    way->time = atof(cell[0]), way->algbw = atof(cell[1]), way->busbw = atof(cell[2]);
    way->wrong = atol(cell[3]);
    way->q1 = atof(quartile[0]), way->q3 = atof(quartile[1]);
    return true;
}

static void check_row(char *line, int ranks, double bus)
{
    char copy[512], *cell[20], *rest = copy;
    int n = 0;
    struct way way[2];
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word; n < 20 && (word = strtok_r(n ? NULL : copy, " ", &rest));)
        cell[n++] = word;
    cr_assert_eq(n, 17, "%d columns: %s", n, line);
    cr_assert(parse_way(cell + 5, cell + 13, &way[0]) && parse_way(cell + 9, cell + 15, &way[1]), "%s", line);
    cr_assert(way[0].there, "%s", line);
    for (int i = 0; i < 2; i++) {
        if (!way[i].there)
            continue;
        cr_expect_eq(way[i].wrong, 0, "%s", line);
        cr_expect(way[i].time >= 0 && way[i].q1 <= way[i].time && way[i].time <= way[i].q3, "%s", line);
        /* both are rounded to hundredths */
        cr_expect(fabs(way[i].busbw - way[i].algbw * bus) <= 0.0051 * (1 + bus) + 0.001 * way[i].busbw,
                  "%d ranks, factor %g: %s", ranks, bus, line);
        if (way[i].time >= 1)
            cr_expect(fabs(atof(cell[0]) / way[i].time / 1e3 - way[i].algbw) <= 0.011 + 0.02 * way[i].algbw,
                      "%s", line);
    }
}

static int check_table(char *text, int ranks, double bus)
{
    int rows = 0;
    char *rest;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (*line != '#') {
            check_row(line, ranks, bus);
            rows++;
        }
    return rows;
}

Test(tool, tables_parse_and_agree_with_themselves)
{
    static const int ranks[] = {1, 2, 3, 5, 8};
    static const struct {
        const char *name;
        int bus; /* 0: 1, 1: (n-1)/n, 2: twice that */
        int rows;
    } calls[] = {{"barrier", 0, 1},   {"bcast", 0, 4},  {"scatter", 1, 4},   {"gather", 1, 4},
                 {"allgather", 1, 4}, {"reduce", 0, 4}, {"allreduce", 2, 4}, {"reduce_scatter_block", 1, 4},
                 {"alltoall", 1, 4}};
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++)
        for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
            double n = ranks[i], own = (n - 1) / n;
            double bus = calls[c].bus == 0 ? 1 : calls[c].bus == 1 ? own : 2 * own;
            run(&r, "$MPIEXEC -n %d $PEAL bench %s -n 2 -w 1 -t 0.0001 -b 100 -e 70000 -f 8 -r %d", ranks[i],
                calls[c].name, ranks[i] - 1);
            cr_assert_eq(r.code, 0, "%s on %d ranks: %s %s", calls[c].name, ranks[i], r.out, r.err);
            cr_assert(strstr(r.out, "# Wrong values: 0 OK"));
            cr_expect_eq(check_table(r.out, ranks[i], bus), calls[c].rows, "%s on %d ranks", calls[c].name,
                         ranks[i]);
        }
}

Test(tool, all_types_and_operators_are_right)
{
    run(&r, "$MPIEXEC -n 3 $PEAL bench allreduce reduce alltoall -d all -o all -n 1 -w 0 -t 0.0001 -b 4000 "
            "-e 4000");
    cr_expect_eq(r.code, 0, "%s", r.err);
    cr_expect(strstr(r.out, "# Wrong values: 0 OK"), "%s", r.out);
    /* six types of integers with seven operators, four of floating point with four */
    run(&r, "$MPIEXEC -n 3 $PEAL bench allreduce -d all -o all -n 1 -w 0 -t 0.0001 -b 4000 -e 4000 | grep "
            "-vc '^#'");
    cr_expect_eq(atoi(r.out), 6 * 7 + 4 * 4, "%s", r.out);
}

Test(tool, messages)
{
    static const char *const tests[] = {"latency", "bandwidth", "bibw", "msgrate"};
    for (int i = 0; i < 4; i++) {
        run(&r, "$MPIEXEC -n 5 $PEAL bench %s -a -n 1 -t 0.0001 -b 1 -e 70000 -f 256 | grep -v '^#'",
            tests[i]);
        char *rest;
        int rows = 0;
        for (char *line = strtok_r(r.out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), rows++) {
            double bytes, count, time, q1, q3, bandwidth, rate;
            long wrong;
            cr_assert_eq(sscanf(line, "%lf %lf float %lf %lf %lf %lf %lf %ld", &bytes, &count, &time, &q1,
                                &q3, &bandwidth, &rate, &wrong),
                         8, "%s", line);
            cr_expect(wrong == 0 && bytes == 4 * count && q1 <= time && time <= q3, "%s", line);
        }
        cr_expect_eq(rows, 3, "%s: %s", tests[i], r.err);
    }
}

Test(tool, json_and_plot_are_well_formed)
{
    run(&r,
        "cd $(mktemp -d) && $MPIEXEC -n 2 $PEAL bench barrier allreduce latency -j -p p.svg -n 1 -t 0.0001 "
        "-b 8 -e "
        "8K -c 0 >j && python3 -c 'import json; d = json.load(open(\"j\")); r = d[\"results\"]; "
        "print(len(r), d[\"ranks\"], r[1][\"in_place\"][\"wrong\"], r[-1][\"test\"])' && python3 -c 'import "
        "xml.dom.minidom as m; d = m.parse(\"p.svg\"); print(len(d.getElementsByTagName(\"polyline\")))'");
    cr_expect_str_eq(r.out, "13 2 None latency\n6\n", "%s %s", r.out, r.err);
    run(&r, "$PEAL bench allreduce -n 1 -t 0.0001 -e 8 -p /nowhere/p.svg");
    cr_expect(r.code == 1 && strstr(r.err, "cannot write the plot /nowhere/p.svg"), "%d %s", r.code, r.err);
}

/* --- a library that is wrong --- */

Test(tool, wrong_results_are_reported)
{
    static const char *const faults[][2] = {
        {"bcast", "bcast"},
        {"scatter", "scatter"},
        {"gather", "gather"},
        {"allgather", "allgather"},
        {"alltoall", "alltoall"},
        {"reduce", "reduce"},
        {"allreduce", "allreduce"},
        {"send", "latency"},
        {"reduce_scatter_block", "reduce_scatter_block"},
        {"isend", "bandwidth"},
        {"isend", "bibw"},
        {"isend", "msgrate"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        for (int spoilt = 0; spoilt < 2; spoilt++) {
            run(&r,
                "$MPIEXEC -n 3 env ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0 LD_PRELOAD=$SPOILER "
                "SPOIL=%s "
                "$PEAL bench %s -n 1 -w 0 -t 0.0001 -b 600 -e 600",
                spoilt ? faults[i][0] : "nothing", faults[i][1]);
            const char *total = strstr(r.out, "# Wrong values: ");
            cr_assert(total, "%s: %s %s", faults[i][1], r.out, r.err);
            cr_expect_eq(r.code, spoilt, "%s, SPOIL=%s: code %d: %s", faults[i][1], faults[i][0], r.code,
                         r.out);
            cr_expect_eq(atol(total + 16) > 0, spoilt, "%s: %s", faults[i][1], r.out);
            cr_expect(strstr(total, spoilt ? "FAILED" : "OK"), "%s", total);
        }
}

/* --- tuning --- */

Test(tool, tune_writes_what_the_library_reads)
{
    run(&r,
        "cd $(mktemp -d) && echo 'tcp 1 2 3' >t && $MPIEXEC -n 2 $PEAL bench --tune t -t 0.001 && grep -c . "
        "t && "
        "grep -c '^shm ' t && grep '^tcp 1 2 3$' t && PEAL_TUNING=t $MPIEXEC -n 2 $PEAL bench allreduce -n 1 "
        "-t 0.0001 -e 8");
    cr_expect_eq(r.code, 0, "%s %s", r.out, r.err);
    cr_expect(strstr(r.out, "\n5\n1\ntcp 1 2 3\n"), "%s", r.out);
    cr_expect_str_eq(r.err, "");
}

Test(tool, broken_tuning_files_are_told_of_and_ignored)
{
    run(&r, "cd $(mktemp -d) && printf '# fine\\nshm 100 0.1 0.1\\n\\nshm 1 2\\nsmh 1 2 3\\ntcp 1 2 3 "
            "4\\ntcp 1 x 3\\n' "
            ">t && PEAL_TUNING=t $MPIEXEC -n 3 $PEAL bench allreduce -n 1 -t 0.0001 -e 8");
    cr_expect_eq(r.code, 0, "%s", r.err);
    cr_expect(strstr(r.err, "t:4 is left out: three numbers") &&
                  strstr(r.err, "t:5 is left out: there is no such") &&
                  strstr(r.err, "t:6 is left out: there is more") &&
                  strstr(r.err, "t:7 is left out: three numbers"),
              "%s", r.err);
    cr_expect_not(strstr(r.err, "t:2") || strstr(r.err, "t:3"), "%s", r.err);
    int warnings = 0;
    for (const char *at = r.err; (at = strstr(at, "is left out")); at++)
        warnings++;
    cr_expect_eq(warnings, 4, "one rank speaks: %s", r.err);
    run(&r, "PEAL_TUNING=/nowhere/t $MPIEXEC -n 2 $PEAL bench barrier -n 1 -t 0.0001");
    cr_expect_eq(r.code, 0);
    const char *told = strstr(r.err, "/nowhere/t cannot be read (No such file");
    cr_expect(told && !strstr(told + 40, "cannot be read"), "one rank of the host speaks: %s", r.err);
}

/* --- plans --- */

Test(tool, plan_prices_and_draws)
{
    run(&r, "cd $(mktemp -d) && $PEAL plan allreduce -n 4 -b 4000 --alpha 100 --beta 1 --gamma 0 --draw "
            "d.svg | tr -s "
            "' ' && python3 -c 'import xml.dom.minidom as m; "
            "print(len(m.parse(\"d.svg\").getElementsByTagName(\"rect\")))'");
    cr_expect_eq(r.code, 0, "%s", r.err);
    /* 2 (n-1) alpha + 2 (n-1)/n m beta, two rounds fewer for halving */
    cr_expect(strstr(r.out, "\n ring 6.6 us 1.03 schedules; 1 rank stands for all"), "%s", r.out);
    cr_expect(strstr(r.out, "\n* halving 6.4 us 1.00 schedules; 1 rank stands for all"), "%s", r.out);
    cr_expect(strstr(r.out, "round 1 0->1 1->0 2->3 3->2 1.953 KiB each"), "%s", r.out);
    run(&r, "$PEAL plan barrier -n 100000 --alpha 1000 | tr -s ' '");
    cr_expect(strstr(r.out, "* dissemination 17 us"), "17 rounds of 1 us: %s", r.out);
}

Test(tool, plan_knows_hosts)
{
    run(&r, "$PEAL plan allreduce -n 8 --hosts 2 -b 8K --alpha 1 --beta 0 --gamma 0 --inter-alpha 1000 "
            "--inter-beta 0 "
            "| tr -s ' '");
    cr_expect_eq(r.code, 0, "%s", r.err);
    /* doubling crosses between the hosts once, in its last round */
    cr_expect(strstr(r.out, "doubling 1.002 us"), "%s", r.out);
    cr_expect(strstr(r.out, "2 hosts of 4"), "%s", r.out);
}
