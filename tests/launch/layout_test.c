/* Lists of hosts, the placing of ranks, and the description of a job that agents get. */
#include "description.h"
#include "errors.h"
#include "layout.h"
#include "mapping.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pl_options options;
static struct pl_layout layout;

/* The hosts of the ranks, a letter each; "" where the command line is refused. */
static const char *placed(const char *line)
{
    static char words[512], text[256];
    static char *argv[64];
    int argc = 0, at = 0;
    snprintf(words, sizeof words, "mpiexec %s", line);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    pl_layout_finish(&layout);
    pl_options_finish(&options);
    text[0] = 0;
    if (pl_options_read(&options, argc, argv) || pl_layout_make(&layout, &options))
        return text;
    for (int i = 0; i < layout.ranks && at < 200; i++)
        at +=
            snprintf(text + at, sizeof text - (size_t)at, "%c", layout.hosts.list[layout.host_of[i]].name[0]);
    return text;
}

Test(layout, ranks_are_dealt_to_hosts)
{
    static const struct {
        const char *line, *hosts;
    } cases[] = {
        {"true", "l"},
        {"-n 3 true", "lll"},
        {"-hosts ha.invalid,hb.invalid -n 4 true", "hhhh"},
        {"-host a@x:2,b@x -n 6 true", "aabaab"},
        {"-host a@x:2,b@x true", "aab"},
        {"-host a@x:2,b@x:2 -n 4 --map-by node true", "abab"},
        {"-hosts a@x,b@x -ppn 3 -n 6 true", "aaabbb"},
        {"-hosts a@x,b@x --map-by ppr:2:node true", "aabb"},
        {"-hosts a@x,a@x,b@x -n 3 true", "aab"},
        {"-hosts a@x,b@x -n 1 true : -n 2 true", "aba"},
        {"-host a@x -n 2 true : -host b@x,c@x -n 3 true", "aabcb"},
        {"-hosts a@x,localhost,b@x,127.0.0.1:2 true", "alllb"},
        {"-host a@x: true", ""},
        {"-host a@x,,b@x true", ""},
        {"-host [::1 true", ""},
        {"-host a@x -host b@x:2 true", "abb"},
        {"--host a@x --host a@x -host b@x true", "aab"},
        {"-hosts a@x -hosts b@x -n 3 true", "aba"},
        {"-host a@x -host c@x true : -host b@x true", "acb"},
        {"-f one -f two true", ""},
        {"--map-by moon true", ""},
        {"-ppn 0 true", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *hosts = placed(cases[i].line);
        cr_expect_str_eq(hosts, cases[i].hosts, "%s: %s (%s)", cases[i].line, hosts, pl_fail_text());
    }
}

Test(layout, addresses_have_colons)
{
    struct pl_hosts hosts = {0};
    cr_assert_eq(pl_hosts_add_list(&hosts, "-host", "fd00::1,[fd00::2]:3,[fd00::3],10.0.0.1:4"), 0);
    static const char *const names[] = {"fd00::1", "fd00::2", "fd00::3", "10.0.0.1"};
    static const int slots[] = {1, 3, 1, 4};
    for (int i = 0; i < 4; i++) {
        cr_expect_str_eq(hosts.list[i].name, names[i]);
        cr_expect_eq(hosts.list[i].slots, slots[i]);
    }
    pl_hosts_finish(&hosts);
}

/* What the ranks are told of the layout must be the layout. */
Test(layout, mapping_says_the_same)
{
    static const char *const lines[] = {"-n 1 true",
                                        "-hosts a@x,b@x,c@x -n 7 true",
                                        "-host a@x:3,b@x:3 -n 12 true",
                                        "-host a@x:2,b@x,c@x:4 -n 29 true",
                                        "-host a@x -n 3 true : -host b@x,a@x -n 9 true",
                                        "-hosts a@x,b@x,c@x,d@x -ppn 100 -n 65536 true"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[1024];
        struct pl_mapping mapping;
        placed(lines[i]);
        cr_assert_eq(pl_layout_mapping(&layout, text, sizeof text), 0, "%s", lines[i]);
        cr_assert_eq(pl_mapping_parse(&mapping, text), 0, "%s: %s", lines[i], text);
        for (int rank = 0; rank < layout.ranks; rank++)
            cr_assert_eq(pl_mapping_host(&mapping, rank), layout.host_of[rank], "%s: %s: rank %d", lines[i],
                         text, rank);
    }
}

static char *described(size_t *length)
{
    static char home[] = "HOME=/h", none[] = "A=", blanks[] = "B=b = b";
    static char *environment[] = {home, none, blanks, NULL};
    char *job, *whole;
    placed("-genv G g -hosts a@x,localhost:2,b@x -n 2 -env E e -wdir /w prog arg : -n 3 other");
    cr_assert_eq(pl_description_pack(&options, &layout, environment, &job, length), 0);
    char part[32];
    size_t size = pl_description_part((struct pl_part){0, 2}, part);
    whole = malloc(size + *length);
    memcpy(whole, part, size);
    memcpy(whole + size, job, *length);
    *length += size;
    free(job);
    return whole;
}

Test(description, arrives_as_it_was)
{
    size_t length;
    char *bytes = described(&length);
    struct pl_description d;
    cr_assert_eq(pl_description_read(&d, bytes, length), 0, "%s", pl_fail_text());
    cr_assert_eq(d.part.last, 2);
    cr_assert_eq(d.options.napps, 2);
    cr_assert_str_eq(d.options.apps[0].argv[1], "arg");
    cr_assert_null(d.options.apps[0].argv[2]);
    cr_assert_str_eq(d.options.apps[0].wdir, "/w");
    cr_assert_str_eq(d.options.apps[0].settings.words[0], "E=e");
    cr_assert_str_eq(d.options.apps[1].argv[0], "other");
    cr_assert_null(d.options.apps[1].wdir);
    cr_assert_str_eq(d.options.settings.words[0], "G=g");
    cr_assert_str_eq(d.environment[2], "B=b = b");
    cr_assert_null(d.environment[3]);
    for (int i = 0; i < layout.ranks; i++)
        cr_assert_eq(d.layout.host_of[i], layout.host_of[i]);
    pl_description_finish(&d);
    free(bytes);
}

/* Cut short anywhere, or with a byte changed anywhere: refused or understood, never followed astray. */
Test(description, garbage_is_refused)
{
    size_t length;
    char *bytes = described(&length);
    struct pl_description d;
    for (size_t i = 0; i < length; i++) {
        char *cut = malloc(i ? i : 1);
        memcpy(cut, bytes, i);
        cr_expect_neq(pl_description_read(&d, cut, i), 0, "cut at %zu", i);
        pl_description_finish(&d);
        free(cut);
        for (int change = 1; change < 256; change += 37) {
            bytes[i] = (char)(bytes[i] ^ change);
            pl_description_read(&d, bytes, length);
            pl_description_finish(&d);
            bytes[i] = (char)(bytes[i] ^ change);
        }
    }
    free(bytes);
}
