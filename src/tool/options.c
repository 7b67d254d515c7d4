/* Options of the sub-commands: a table says what there is, so that --help cannot forget one.
 *
 * -b 8, -b8, --minbytes 8 and --minbytes=8 are the same. Rejected: getopt_long, whose help has to be
 * written by hand and which cannot name the nearest option.
 */
#include "tool.h"

#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool pl_parse_bytes(const char *text, size_t *bytes)
{
    static const char units[] = "KMG";
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, *end & ~0x20) : NULL;
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (end == text || *text == '-' || errno || (*end && !unit) ||
        (unit && end[1] && strcmp(end + 1, "iB")) || n > SIZE_MAX >> shift)
        return false;
    *bytes = (size_t)n << shift;
    return true;
}

static bool take(const struct pl_option *option, const char *text)
{
    char *end = NULL;
    errno = 0;
    switch (option->kind) {
    case PL_OPTION_FLAG:
        *(bool *)option->into = true;
        return true;
    case PL_OPTION_COUNT: {
        long n = strtol(text, &end, 10);
        *(int *)option->into = (int)n;
        return end != text && !*end && !errno && n >= 0 && n <= INT_MAX;
    }
    case PL_OPTION_BYTES:
        return pl_parse_bytes(text, option->into);
    case PL_OPTION_REAL: {
        double x = strtod(text, &end);
        *(double *)option->into = x;
        return end != text && !*end && x >= 0 && x < 1e300;
    }
    case PL_OPTION_TEXT:
        *(const char **)option->into = text;
        return true;
    }
    return false;
}

static void print_help(const struct pl_usage *usage)
{
    printf("Usage: %s\n%s\n\n", usage->line, usage->text);
    for (const struct pl_option *o = usage->options; o->name; o++) {
        char left[64];
        snprintf(left, sizeof left, "%c%c%s--%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                 o->letter ? ", " : "  ", o->name, o->value ? " " : "", o->value ? o->value : "");
        printf("  %-26s %s\n", left, o->help);
    }
    printf("  %-26s %s\n", "-h, --help", "this page");
}

__attribute__((format(printf, 3, 4))) static int refuse(const struct pl_usage *usage, int *code,
                                                        const char *format, ...)
{
    *code = PL_TOOL_USAGE;
    if (usage->silent)
        return 1;
    va_list list;
    va_start(list, format);
    fprintf(stderr, "%.*s: ", (int)strcspn(strchr(usage->line, ' ') + 1, " ") + 5, usage->line);
    vfprintf(stderr, format, list);
    fprintf(stderr, " (--help says what there is)\n");
    va_end(list);
    return 1;
}

static const struct pl_option *find(const struct pl_option *o, const char *name, size_t length)
{
    for (; o->name; o++)
        if (strlen(o->name) == length && !memcmp(o->name, name, length))
            return o;
    return NULL;
}

static const struct pl_option *find_letter(const struct pl_option *o, char letter)
{
    for (; o->name; o++)
        if (o->letter == letter)
            return o;
    return NULL;
}

static int unknown(const struct pl_usage *usage, const char *word, int *code)
{
    const struct pl_option *nearest = usage->options;
    for (const struct pl_option *o = usage->options; o->name; o++)
        if (pl_config_distance(word + 2, o->name) < pl_config_distance(word + 2, nearest->name))
            nearest = o;
    if (word[1] == '-' && pl_config_near(word + 2, pl_config_distance(word + 2, nearest->name)))
        return refuse(usage, code, "unknown option %.80s: did you mean --%s?", word, nearest->name);
    return refuse(usage, code, "unknown option %.80s", word);
}

/* Takes the option at argv[*at] and moves *at behind it. */
static int parse_option(const struct pl_usage *usage, char **argv, int *at, int *code)
{
    const char *word = argv[*at], *value = NULL;
    bool is_long = word[1] == '-';
    size_t length = strcspn(word, "=");
    const struct pl_option *o =
        is_long ? find(usage->options, word + 2, length - 2) : find_letter(usage->options, word[1]);
    if (!o)
        return unknown(usage, word, code);
    if (is_long && word[length])
        value = word + length + 1;
    else if (!is_long && word[2])
        value = word + 2;
    ++*at;
    if (o->kind == PL_OPTION_FLAG && value)
        return refuse(usage, code, "%s: this option takes no value", word);
    if (o->kind != PL_OPTION_FLAG && !value && !(value = argv[*at]))
        return refuse(usage, code, "%s: a value is missing behind it", word);
    if (o->kind != PL_OPTION_FLAG && value == argv[*at])
        ++*at;
    if (!take(o, value))
        return refuse(usage, code, "--%s %.80s: %s was expected", o->name, value,
                      o->kind == PL_OPTION_BYTES ? "a number of bytes (64, 64K, 1M, 2G)"
                                                 : "a number that is not negative");
    return 0;
}

int pl_options_parse(const struct pl_usage *usage, int argc, char **argv, const char **words, int *n,
                     int *exit)
{
    *n = 0;
    *exit = PL_TOOL_OK;
    for (int at = 1; at < argc;) {
        const char *word = argv[at];
        if (!strcmp(word, "-h") || !strcmp(word, "--help")) {
            if (!usage->silent)
                print_help(usage);
            return 1;
        }
        if (word[0] != '-' || !word[1])
            words[(*n)++] = argv[at++];
        else if (parse_option(usage, argv, &at, exit))
            return 1;
    }
    return 0;
}

int pl_options_only(const struct pl_usage *usage, int argc, char **argv, int *exit)
{
    int n;
    const char **words = malloc((size_t)argc * sizeof *words);
    if (!words) {
        *exit = PL_TOOL_BAD;
        return 1;
    }
    int end = pl_options_parse(usage, argc, argv, words, &n, exit);
    if (!end && n)
        end = refuse(usage, exit, "%.80s: no arguments were expected", words[0]);
    free(words);
    return end;
}
