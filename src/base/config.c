/* One table names every knob; each has one small parser. The nearest name for a
 * misspelt one is found by edit distance. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef bool parse_fn(struct pl_config *config, const char *text);

static bool parse_name_list(char *out, size_t size, const char *text)
{
    if (strlen(text) >= size)
        return false;
    strcpy(out, text);
    return true;
}

static bool parse_transports(struct pl_config *config, const char *text)
{
    return text[0] && parse_name_list(config->transports, sizeof config->transports, text);
}

static bool parse_net(struct pl_config *config, const char *text)
{
    return parse_name_list(config->net, sizeof config->net, text);
}

static bool parse_timeout(struct pl_config *config, const char *text)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end || !(seconds > 0 && seconds < 1e9))
        return false;
    config->timeout = seconds;
    return true;
}

static bool parse_log(struct pl_config *config, const char *text)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    for (int i = 0; i < 4; i++)
        if (!strcasecmp(text, names[i])) {
            config->log = (enum pl_log_level)i;
            return true;
        }
    return false;
}

static bool parse_flag(bool *flag, const char *text)
{
    bool on = !strcmp(text, "1") || !strcasecmp(text, "on") || !strcasecmp(text, "yes");
    bool off = !strcmp(text, "0") || !strcasecmp(text, "off") || !strcasecmp(text, "no") || !text[0];
    if (on || off)
        *flag = on;
    return on || off;
}

static bool parse_checksum(struct pl_config *config, const char *text)
{
    return parse_flag(&config->checksum, text);
}

static bool parse_secure(struct pl_config *config, const char *text)
{
    return parse_flag(&config->secure, text);
}

static bool parse_reproducible(struct pl_config *config, const char *text)
{
    return parse_flag(&config->reproducible, text);
}

static bool parse_algorithm(struct pl_config *config, const char *text)
{
    return parse_name_list(config->algorithm, sizeof config->algorithm, text);
}

static bool parse_cuda(struct pl_config *config, const char *text)
{
    bool automatic = !strcasecmp(text, "auto");
    if (automatic || !strcasecmp(text, "off"))
        config->cuda = automatic;
    return automatic || !strcasecmp(text, "off");
}

static bool parse_tuning(struct pl_config *config, const char *text)
{
    return parse_name_list(config->tuning, sizeof config->tuning, text);
}

static bool parse_stats(struct pl_config *config, const char *text)
{
    return parse_flag(&config->stats, text);
}

static bool parse_trace(struct pl_config *config, const char *text)
{
    return parse_name_list(config->trace, sizeof config->trace, text);
}

static const struct pl_knob knobs[] = {
    {"PEAL_TRANSPORT", "shm,tcp", "allowed transports, in order of preference"},
    {"PEAL_NET", "", "network interfaces, subnets and RDMA devices to use; empty for all"},
    {"PEAL_TIMEOUT", "10", "seconds until a silent peer or link is given up"},
    {"PEAL_LOG", "warn", "what to tell on standard error: error, warn, info or debug"},
    {"PEAL_CHECKSUM", "0", "1: every message is checked end to end by a CRC32C"},
    {"PEAL_SECURE", "0", "1: tcp connections are encrypted (TLS 1.3 with the job's key)"},
    {"PEAL_REPRODUCIBLE", "0", "1: reductions use one fixed tree, the same bits on every run"},
    {"PEAL_ALGORITHM", "", "force algorithms, for experiments: allreduce=ring,bcast=binomial"},
    {"PEAL_CUDA", "auto", "auto: buffers may be in the memory of CUDA devices; off: they never are"},
    {"PEAL_TUNING", "", "file with what transports cost here, as peal bench --tune writes it"},
    {"PEAL_STATS", "0", "1: at the end rank 0 tells what the ranks did: calls, time, messages"},
    {"PEAL_TRACE", "",
     "file of each call's beginning and end, one a rank, for trace viewers: see peal trace"},
    {NULL, NULL, NULL},
};

static parse_fn *const parsers[] = {parse_transports, parse_net,    parse_timeout,      parse_log,
                                    parse_checksum,   parse_secure, parse_reproducible, parse_algorithm,
                                    parse_cuda,       parse_tuning, parse_stats,        parse_trace};

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

int pl_config_distance(const char *a, const char *b)
{
    enum { MOST = 40 };
    int rows[3][MOST + 1], lines = (int)strlen(a), columns = (int)strlen(b);
    if (columns > MOST)
        return MOST;
    for (int j = 0; j <= columns; j++)
        rows[0][j] = j;
    for (int i = 1; i <= lines; i++) {
        int *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= columns; j++) {
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            row[j] = smaller(above[j - 1] + (a[i - 1] != b[j - 1]), smaller(above[j], row[j - 1]) + 1);
            if (swapped)
                row[j] = smaller(row[j], before[j - 2] + 1);
        }
    }
    return smaller(rows[lines % 3][columns], MOST);
}

bool pl_config_near(const char *name, int distance)
{
    return distance <= smaller((int)(strlen(name) + 1) / 3, 3);
}

/* No knobs: where a rank stands in its world, for launchers that have no words of their own for it
 * (src/world/launcher_find.c), which terminal mpiexec writes to, and the compilers behind mpicc and mpicxx.
 */
static const char *const places[] = {"PEAL_RANK", "PEAL_SIZE", "PEAL_ROOT", "PEAL_TERMINAL",
                                     "PEAL_CC",   "PEAL_CXX",  NULL};

static bool is_place(const char *name)
{
    for (const char *const *place = places; *place; place++)
        if (!strcmp(name, *place))
            return true;
    return false;
}

/* The knob or place whose name is near, or NULL. What all have in front does not count. */
static const char *nearest_to(const char *name)
{
    const char *nearest = NULL;
    int best = 1000, prefix = (int)strlen("PEAL_");
    for (const struct pl_knob *k = knobs; k->name; k++)
        if (pl_config_distance(name, k->name) < best) {
            best = pl_config_distance(name, k->name);
            nearest = k->name;
        }
    for (const char *const *place = places; *place; place++)
        if (pl_config_distance(name, *place) < best) {
            best = pl_config_distance(name, *place);
            nearest = *place;
        }
    return pl_config_near(name + prefix, best) ? nearest : NULL;
}

enum { NAME = 64 };

/* The knob of an entry "NAME=value", whose name is put into `name`; -1: it is none. */
static int knob_of(const char *entry, char name[NAME])
{
    snprintf(name, NAME, "%.*s", (int)strcspn(entry, "="), entry);
    for (int i = 0; knobs[i].name; i++)
        if (strchr(entry, '=') && !strcmp(name, knobs[i].name))
            return i;
    return -1;
}

enum pl_knob_verdict pl_config_look(const char *entry, const char **nearest)
{
    char name[NAME];
    struct pl_config unused;
    int knob = knob_of(entry, name);
    if (knob >= 0)
        return parsers[knob](&unused, strchr(entry, '=') + 1) ? PL_KNOB_GOOD : PL_KNOB_BAD;
    if (strncmp(entry, "PEAL_", 5) || is_place(name))
        return PL_KNOB_PLACE;
    *nearest = nearest_to(name);
    return PL_KNOB_UNKNOWN;
}

void pl_config_complain(char *const *environment)
{
    for (; environment && *environment; environment++) {
        char name[NAME];
        const char *nearest;
        enum pl_knob_verdict verdict = pl_config_look(*environment, &nearest);
        int knob = knob_of(*environment, name);
        if (verdict == PL_KNOB_BAD)
            pl_warn("%s: cannot use this value, '%s' stays (%s)", *environment, knobs[knob].value,
                    knobs[knob].meaning);
        else if (verdict == PL_KNOB_UNKNOWN)
            pl_warn("unknown variable %s%s%s%s", name, nearest ? ": did you mean " : "; ",
                    nearest ? nearest : "peal info lists those there are", nearest ? "?" : "");
    }
}

void pl_config_read(struct pl_config *config, char *const *environment)
{
    *config = (struct pl_config){.transports = "shm,tcp", .timeout = 10, .log = PL_LOG_WARN, .cuda = true};
    for (; environment && *environment; environment++) {
        char name[NAME];
        int knob = knob_of(*environment, name);
        if (knob >= 0)
            parsers[knob](config, strchr(*environment, '=') + 1);
    }
}

const struct pl_knob *pl_config_knobs(void)
{
    return knobs;
}
