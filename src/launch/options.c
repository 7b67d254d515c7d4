/* A table of options: names, how many words follow, what to do with them. Names
 * are those of Hydra and of Open MPI, so that people's scripts run; one dash and
 * two are the same, and --name=value works for an option of one word.
 *
 * Peal's own knobs (base/config.h) are options too, made from their table:
 * PEAL_LOG is --peal-log, and --log where no option of mpiexec's has the name.
 * The ranks judge their values. What other launchers' options mean that have a word of Peal's is done
 * (-iface, --mca btl_tcp_if_include: PEAL_NET; --mca plm_rsh_agent: --ssh); what would change
 * nothing here is taken and told of (foreign.c). Rejected: getopt_long, which knows neither -np
 * nor options of two words, and cannot be asked for the nearest name.
 */
#include "options.h"

#include "config.h"
#include "errors.h"
#include "foreign.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PEAL_VERSION
#define PEAL_VERSION "unknown"
#endif

enum { FAN_OUT = 32, PATIENCE_SECONDS = 10 };

/* Where an option's words go: the job, and the program being described. */
enum { EXPLAIN_AFTER = 60 }; /* seconds */

struct reading {
    struct pl_options *options;
    struct pl_app *app;
    bool over; /* --help, --version */
};

typedef int take_fn(struct reading *reading, const char *name, char **words);

static int take_ranks(struct reading *reading, const char *name, char **words)
{
    char *end;
    errno = 0;
    long n = strtol(words[0], &end, 10);
    if (end == words[0] || *end || errno || n < 1 || n > PL_RANKS_MAX)
        return pl_fail(PL_EARG, "%s %s: the number of ranks must be a whole number from 1 to %d", name,
                       words[0], PL_RANKS_MAX);
    reading->app->ranks = (int)n;
    return 0;
}

static int take_tag(struct reading *reading, const char *name, char **words)
{
    (void)name, (void)words;
    reading->options->tag = true;
    return 0;
}

static int take_wdir(struct reading *reading, const char *name, char **words)
{
    (void)name;
    reading->app->wdir = words[0];
    return 0;
}

static int add_checked(struct pl_settings *settings, const char *option, const char *name, const char *value)
{
    const char *equals = strchr(name, '=');
    if (equals && equals != name)
        return pl_fail(PL_EARG, "%s %.80s: name and value are two words here: %s %.*s %.80s (or -x %.80s)",
                       option, name, option, (int)(equals - name < 80 ? equals - name : 80), name, equals + 1,
                       name);
    if (!name[0] || equals)
        return pl_fail(PL_EARG, "%s: '%s' cannot be the name of a variable", option, name);
    return pl_settings_add(settings, name, value);
}

static int take_env(struct reading *reading, const char *name, char **words)
{
    return add_checked(&reading->app->settings, name, words[0], words[1]);
}

static int take_genv(struct reading *reading, const char *name, char **words)
{
    return add_checked(&reading->options->settings, name, words[0], words[1]);
}

/* -x NAME passes a variable on, which every one is anyway; -x NAME=VALUE sets it. */
static int take_export(struct reading *reading, const char *name, char **words)
{
    const char *equals = strchr(words[0], '=');
    if (!equals)
        return 0;
    char variable[256];
    if (equals - words[0] >= (long)sizeof variable)
        return pl_fail(PL_EARG, "%s: the name of the variable is too long", name);
    snprintf(variable, sizeof variable, "%.*s", (int)(equals - words[0]), words[0]);
    return add_checked(&reading->options->settings, name, variable, equals + 1);
}

static int read_timeout(struct pl_options *options, const char *name, const char *text)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end || !(seconds > 0 && seconds < 1e9))
        return pl_fail(PL_EARG, "%s %s: seconds were expected, more than 0", name, text);
    options->timeout = seconds;
    return 0;
}

static int take_timeout(struct reading *reading, const char *name, char **words)
{
    return read_timeout(reading->options, name, words[0]);
}

static int take_explain(struct reading *reading, const char *name, char **words)
{
    char *end;
    double seconds = strtod(words[0], &end);
    if (end == words[0] || *end || !(seconds >= 0 && seconds < 1e9))
        return pl_fail(PL_EARG, "%s %s: seconds were expected, 0 for never", name, words[0]);
    reading->options->explain_after = seconds;
    return 0;
}

static int take_continue(struct reading *reading, const char *name, char **words)
{
    (void)name, (void)words;
    reading->options->go_on = true;
    return 0;
}

static int take_respawn(struct reading *reading, const char *name, char **words)
{
    (void)name, (void)words;
    reading->options->go_on = reading->options->respawn = true;
    return 0;
}

/* Notes that an option had no effect; what is noted twice is told once. */
static int without_effect(struct reading *reading, const char *name, const char *word)
{
    char text[96];
    char **noted = &reading->options->without_effect, *longer;
    snprintf(text, sizeof text, "%.40s%s%.40s", name, word ? " " : "", word ? word : "");
    if (*noted && strstr(*noted, text))
        return 0;
    if (asprintf(&longer, "%s%s%s", *noted ? *noted : "", *noted ? ", " : "", text) < 0)
        return pl_fail(PL_ENOMEM, "no memory for the command line");
    free(*noted);
    *noted = longer;
    return 0;
}

/* A core, or a thread of one, for each rank; wider sets (a socket, NUMA) than that are left to the system.
 * What stands behind a colon qualifies: overload-allowed is --oversubscribe. */
static int take_bind(struct reading *reading, const char *name, char **words)
{
    static const char *const kinds[] = {"core",    "hwthread", "none",    "user", "rr",
                                        "l1cache", "l2cache",  "l3cache", "numa", "board",
                                        "socket",  "package",  "slot"};
    const char *word = words[0];
    int length = (int)strcspn(word, ":"), kind = 0, kinds_known = (int)(sizeof kinds / sizeof *kinds);
    while (kind < kinds_known &&
           ((int)strlen(kinds[kind]) != length || strncmp(kinds[kind], word, (size_t)length)))
        kind++;
    if (kind == kinds_known)
        return pl_fail(PL_EARG, "%s %s: 'core' or 'none' was expected", name, words[0]);
    reading->options->bind = kind < 2;
    reading->options->oversubscribe |= kind < 2 && strstr(word, ":overload-allowed");
    return kind < 3 ? 0 : without_effect(reading, name, word);
}

static int take_bind_core(struct reading *reading, const char *name, char **words)
{
    (void)words;
    reading->options->bind = !strstr(name, "none");
    return 0;
}

static int take_oversubscribe(struct reading *reading, const char *name, char **words)
{
    (void)name, (void)words;
    reading->options->oversubscribe = true;
    return 0;
}

static int take_nothing(struct reading *reading, const char *name, char **words)
{
    (void)reading, (void)name, (void)words;
    return 0;
}

static int take_once(const char **where, const char *name, const char *word)
{
    if (!word[0])
        return pl_fail(PL_EARG, "%s: the value is empty", name);
    if (*where)
        return pl_fail(PL_EARG, "%s %.80s: '%.80s' was said before; it is said once", name, word, *where);
    *where = word;
    return 0;
}

/* Said more than once, as Open MPI's users do (--host a --host b): one list. */
static int take_more(char **list, const char *name, const char *word)
{
    char *longer;
    if (!word[0])
        return pl_fail(PL_EARG, "%s: the value is empty", name);
    if (asprintf(&longer, "%s%s%s", *list ? *list : "", *list ? "," : "", word) < 0)
        return pl_fail(PL_ENOMEM, "no memory for the list of hosts");
    free(*list);
    *list = longer;
    return 0;
}

static int take_host(struct reading *reading, const char *name, char **words)
{
    return take_more(&reading->app->hosts, name, words[0]);
}

static int take_hosts(struct reading *reading, const char *name, char **words)
{
    return take_more(&reading->options->hosts, name, words[0]);
}

static int take_hostfile(struct reading *reading, const char *name, char **words)
{
    return take_once(&reading->options->hostfile, name, words[0]);
}

static int take_ssh(struct reading *reading, const char *name, char **words)
{
    return take_once(&reading->options->ssh, name, words[0]);
}

static int take_number(const char *name, const char *word, int *number)
{
    char *end;
    errno = 0;
    long n = strtol(word, &end, 10);
    if (end == word || *end || errno || n < 1 || n > PL_RANKS_MAX)
        return pl_fail(PL_EARG, "%s %.80s: a whole number from 1 to %d was expected", name, word,
                       PL_RANKS_MAX);
    *number = (int)n;
    return 0;
}

static int take_one_each(struct reading *reading, const char *name, char **words)
{
    (void)name, (void)words;
    reading->options->per_host = 1;
    return 0;
}

static int take_by_node(struct reading *reading, const char *name, char **words)
{
    (void)words;
    reading->options->by_node = strstr(name, "node") != NULL;
    return 0;
}

static int take_per_host(struct reading *reading, const char *name, char **words)
{
    return take_number(name, words[0], &reading->options->per_host);
}

static int take_fan_out(struct reading *reading, const char *name, char **words)
{
    return take_number(name, words[0], &reading->options->fan_out);
}

/* slot and what Open MPI has below the host fill hosts in order; what stands behind a colon (oversubscribe)
 * is granted anyway. */
static int take_map(struct reading *reading, const char *name, char **words)
{
    static const char *const fill[] = {"slot",    "hwthread", "core",   "l1cache", "l2cache",
                                       "l3cache", "numa",     "socket", "package"};
    const char *word = words[0];
    int length = (int)strcspn(word, ":"), number, used = 0;
    if (sscanf(word, "ppr:%d:node%n", &number, &used) == 1 && used && number > 0) {
        reading->options->per_host = number;
        return 0;
    }
    if (length == 4 && !strncmp(word, "node", 4)) {
        reading->options->by_node = true;
        return 0;
    }
    for (size_t i = 0; i < sizeof fill / sizeof *fill; i++)
        if ((int)strlen(fill[i]) == length && !strncmp(word, fill[i], (size_t)length))
            return word[length] ? without_effect(reading, name, word) : 0;
    if (!strncmp(word, "ppr:", 4))
        return without_effect(reading, name, word);
    return pl_fail(PL_EARG, "%s %.80s: 'slot', 'node' or 'ppr:N:node' was expected", name, word);
}

/* Interfaces to use, or with `exclude` not to: PEAL_NET. */
static int take_interfaces(struct reading *reading, const char *list, bool exclude)
{
    char net[256] = "";
    size_t fill = 0;
    for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',') {
        int length = (int)strcspn(at, ",");
        fill += (size_t)snprintf(net + fill, sizeof net - fill, "%s%s%.*s", fill ? "," : "",
                                 exclude ? "^" : "", length, at);
        if (fill >= sizeof net)
            return pl_fail(PL_EARG, "the list of network interfaces is too long: %.80s...", list);
    }
    return pl_settings_add(&reading->options->settings, "PEAL_NET", net);
}

static int take_iface(struct reading *reading, const char *name, char **words)
{
    (void)name;
    return take_interfaces(reading, words[0], false);
}

/* --launcher ssh is what is done anyway; with another one the hosts are reached by ssh all the same. */
static int take_launcher(struct reading *reading, const char *name, char **words)
{
    return strcmp(words[0], "ssh") ? without_effect(reading, name, words[0]) : 0;
}

/* --output of Open MPI 5: "tag", or what is done to the output otherwise. */
static int take_output(struct reading *reading, const char *name, char **words)
{
    reading->options->tag |= !strncmp(words[0], "tag", 3);
    return strcmp(words[0], "tag") ? without_effect(reading, name, words[0]) : 0;
}

/* --mca KEY VALUE: the parameters of Open MPI that have a word of Peal's; the others tune what is not here.
 */
static int take_mca(struct reading *reading, const char *name, char **words)
{
    const char *key = words[0], *value = words[1];
    if (!strcmp(key, "btl_tcp_if_include") && value[0])
        return take_interfaces(reading, value, false);
    if (!strcmp(key, "btl_tcp_if_exclude") && value[0])
        return take_interfaces(reading, value, true);
    if ((!strcmp(key, "plm_rsh_agent") || !strcmp(key, "plm_ssh_agent")) && value[0] &&
        !reading->options->ssh) {
        reading->options->ssh = value;
        return 0;
    }
    return without_effect(reading, name, key);
}

static take_fn take_help, take_version;

static const struct option {
    const char *names[5]; /* without dashes */
    int words;
    take_fn *take;
    const char *usage, *help; /* NULL: not listed */
} table[] = {
    {{"n", "np", "c"},
     1,
     take_ranks,
     "-n, -np N",
     "how many ranks run the program that follows; 1 if not said"},
    {{"l", "tag-output", "prepend-rank"},
     0,
     take_tag,
     "-l, --tag-output",
     "begin each line of output with its rank"},
    {{"wdir", "wd", "cwd"}, 1, take_wdir, "-wdir DIR", "start the program in DIR"},
    {{"env"}, 2, take_env, "-env NAME VALUE", "set a variable for the program that follows"},
    {{"genv"}, 2, take_genv, "-genv NAME VALUE", "set a variable for all programs"},
    {{"x"}, 1, take_export, "-x NAME[=VALUE]", "the same, as Open MPI writes it"},
    {{"timeout"}, 1, take_timeout, "--timeout S", "end the job after S seconds, with exit code 124"},
    {{"explain-after"},
     1,
     take_explain,
     "--explain-after S",
     "when a rank has waited S seconds, say who waits for whom; 60 if not said, 0: never"},
    {{"continue", "enable-recovery", "disable-auto-cleanup"},
     0,
     take_continue,
     "--continue",
     "when a rank dies, the others go on (MPIX_Comm_shrink, ...)"},
    {{"respawn"},
     0,
     take_respawn,
     "--respawn",
     "the same, and a new process may join in its place (MPI_Comm_connect)"},
    {{"bind-to"}, 1, take_bind, "--bind-to core|none", "give each rank a core of its own; none if not said"},
    {{"oversubscribe"}, 0, take_oversubscribe, "--oversubscribe", "with --bind-to: ranks may share cores"},
    {{"host", "H"}, 1, take_host, "-host A,B:4", "hosts for the program that follows, with their slots"},
    {{"hosts"}, 1, take_hosts, "-hosts A,B:4", "hosts for all programs"},
    {{"f", "hostfile", "machinefile", "machine", "default-hostfile"},
     1,
     take_hostfile,
     "-f, -hostfile FILE",
     "the same, a host a line: 'a', 'a:4' or 'a slots=4'"},
    {{"ppn", "perhost", "npernode", "N"},
     1,
     take_per_host,
     "-ppn N",
     "ranks on a host before the next has its turn; its slots if not said"},
    {{"map-by"}, 1, take_map, "--map-by slot|node", "fill hosts in order, or one rank on each in turn"},
    {{"ssh", "launcher-exec", "bootstrap-exec"},
     1,
     take_ssh,
     "--ssh COMMAND",
     "how another host is reached; ssh if not said"},
    {{"fan-out"}, 1, take_fan_out, "--fan-out N", "hosts that each host reaches itself; 32 if not said"},
    {{"help", "h", "?"}, 0, take_help, "-h, --help", "this page"},
    {{"version", "V"}, 0, take_version, "-V, --version", "which Peal this is"},
    {{"allow-run-as-root"}, 0, take_nothing, NULL, NULL},
    {{"envall", "genvall"}, 0, take_nothing, NULL, NULL},
    {{"iface"}, 1, take_iface, NULL, NULL},
    {{"launcher", "bootstrap"}, 1, take_launcher, NULL, NULL},
    {{"mca", "gmca", "omca"}, 2, take_mca, NULL, NULL},
    {{"output"}, 1, take_output, NULL, NULL},
    {{"pernode"}, 0, take_one_each, NULL, NULL},
    {{"bynode", "byslot"}, 0, take_by_node, NULL, NULL},
    {{"bind-to-core", "bind-to-none"}, 0, take_bind_core, NULL, NULL},
};

enum { OPTIONS = sizeof table / sizeof *table };

static const struct option *find(const char *name)
{
    for (int i = 0; i < OPTIONS; i++)
        for (int j = 0; j < 5 && table[i].names[j]; j++)
            if (!strcmp(table[i].names[j], name))
                return &table[i];
    return NULL;
}

/* PEAL_FORCE_THIS -> "force-this". */
static void knob_option(const struct pl_knob *knob, char *name, size_t size)
{
    snprintf(name, size, "%s", knob->name + strlen("PEAL_"));
    for (char *c = name; *c; c++)
        *c = *c == '_' ? '-' : (char)tolower((unsigned char)*c);
}

static const struct pl_knob *find_knob(const char *name)
{
    if (!strncmp(name, "peal-", 5))
        name += 5;
    char own[64];
    for (const struct pl_knob *knob = pl_config_knobs(); knob->name; knob++) {
        knob_option(knob, own, sizeof own);
        if (!strcmp(own, name))
            return knob;
    }
    return NULL;
}

static int take_help(struct reading *reading, const char *name, char **words)
{
    (void)name, (void)words;
    printf(
        "Usage: mpiexec [options] program [arguments] [: [options] program [arguments]]...\n"
        "Starts the ranks of an MPI job, here or on other hosts, and looks after them until they end.\n\n");
    for (int i = 0; i < OPTIONS; i++)
        if (table[i].usage)
            printf("  %-22s %s\n", table[i].usage, table[i].help);
    printf("\nPeal's knobs, as environment variables or as options:\n");
    char own[64], usage[80];
    for (const struct pl_knob *knob = pl_config_knobs(); knob->name; knob++) {
        knob_option(knob, own, sizeof own);
        snprintf(usage, sizeof usage, "--%s%s", find(own) ? "peal-" : "", own);
        printf("  %-22s %s%s%s%s\n", usage, knob->meaning, *knob->value ? " [" : "", knob->value,
               *knob->value ? "]" : "");
    }
    printf("\nThe exit code is that of the first rank that failed, 128 + n if signal n killed it, the code\n"
           "of MPI_Abort, 124 after --timeout, 127 for a program not found. See mpiexec(1).\n");
    reading->over = true;
    return 0;
}

static int take_version(struct reading *reading, const char *name, char **words)
{
    (void)name, (void)words;
    printf("mpiexec (Peal) %s\n", PEAL_VERSION);
    reading->over = true;
    return 0;
}

static int unknown(const char *word, const char *name)
{
    const char *nearest = "help";
    int best = 99;
    if (!strcmp(name, "app") || !strcmp(name, "configfile"))
        return pl_fail(PL_EARG,
                       "%.80s: Peal reads no file of programs; put them on the command line with ':' between "
                       "them, as in -n 1 first : -n 3 second",
                       word);
    for (int i = 0; i < OPTIONS; i++)
        for (int j = 0; j < 5 && table[i].names[j]; j++) {
            int d = pl_config_distance(name, table[i].names[j]);
            if (d < best)
                best = d, nearest = table[i].names[j];
        }
    char own[64], copy[64];
    for (const struct pl_knob *knob = pl_config_knobs(); knob->name; knob++) {
        knob_option(knob, own, sizeof own);
        int d = pl_config_distance(name, own);
        if (d < best) {
            best = d;
            nearest = strcpy(copy, own);
        }
    }
    if (pl_config_near(name, best))
        return pl_fail(PL_EARG, "unknown option %.80s: did you mean %s%s? (--help lists all)", word,
                       strlen(nearest) > 2 ? "--" : "-", nearest);
    return pl_fail(PL_EARG, "unknown option %.80s (--help lists all)", word);
}

/* Takes the option at argv[*at] and its words, and moves *at behind them. */
static int take_option(struct reading *reading, char **argv, int *at)
{
    const char *word = argv[*at];
    char name[64];
    snprintf(name, sizeof name, "%s", word + (word[1] == '-' ? 2 : 1));
    char *attached = strchr(name, '=') ? strchr(argv[*at], '=') + 1 : NULL;
    if (attached)
        *strchr(name, '=') = '\0';
    const struct option *option = find(name);
    const struct pl_knob *knob = option ? NULL : find_knob(name);
    int foreign = option || knob ? -1 : pl_foreign_words(name);
    if (!option && !knob && foreign < 0)
        return unknown(word, name);
    int words = option ? option->words : knob ? 1 : foreign, given = 0;
    if (attached && words != 1)
        return pl_fail(PL_EARG, "%s: this option takes %s", word, words ? "two words" : "no value");
    while (!attached && given < words && argv[*at + 1 + given])
        given++;
    if (!attached && given < words)
        return pl_fail(PL_EARG, "%s: a value is missing behind it", word);
    char **values = attached ? &attached : argv + *at + 1;
    *at += 1 + given;
    if (foreign >= 0)
        return without_effect(reading, word, words && !attached ? values[0] : NULL);
    return option ? option->take(reading, word, values)
                  : pl_settings_add(&reading->options->settings, knob->name, values[0]);
}

static int new_app(struct reading *reading)
{
    struct pl_options *options = reading->options;
    size_t size = sizeof *options->apps * ((size_t)options->napps + 1);
    struct pl_app *apps = realloc(options->apps, size);
    if (!apps)
        return pl_fail(PL_ENOMEM, "no memory for the command line");
    options->apps = apps;
    reading->app = &apps[options->napps++];
    *reading->app = (struct pl_app){0};
    return 0;
}

/* Reads one program with its options; *at is left at the ':' or the end. */
static int read_app(struct reading *reading, char **argv, int *at)
{
    int error = new_app(reading);
    while (!error && !reading->over && argv[*at] && argv[*at][0] == '-' && argv[*at][1]) {
        if (!strcmp(argv[*at], "--")) {
            ++*at;
            break;
        }
        error = take_option(reading, argv, at);
    }
    if (error || reading->over)
        return error;
    if (!argv[*at] || !argv[*at][0] || !strcmp(argv[*at], ":"))
        return pl_fail(PL_EARG, "no program to run (--help says how)");
    reading->app->argv = argv + *at;
    while (argv[*at] && strcmp(argv[*at], ":"))
        ++*at;
    return 0;
}

/* What is not said is looked for in the environment: hosts where Kubernetes' mpi-operator tells them to other
 * launchers; PEAL_TIMEOUT; MPIEXEC_TIMEOUT, which other launchers have for --timeout. */
static int complete(struct pl_options *options)
{
    static const char *const files[] = {"HYDRA_HOST_FILE", "OMPI_MCA_orte_default_hostfile",
                                        "I_MPI_HYDRA_HOST_FILE"};
    bool said = options->hosts || options->hostfile;
    for (int i = 0; i < options->napps; i++)
        said |= options->apps[i].hosts != NULL;
    for (size_t i = 0; !said && !options->hostfile && i < sizeof files / sizeof *files; i++)
        options->hostfile = getenv(files[i]);
    const char *timeout = getenv("PEAL_TIMEOUT");
    for (int i = 0; i < options->settings.count; i++)
        if (!strncmp(options->settings.words[i], "PEAL_TIMEOUT=", 13))
            timeout = options->settings.words[i] + 13;
    char *end;
    double seconds = timeout ? strtod(timeout, &end) : 0;
    options->patience = timeout && !*end && seconds > 0 && seconds < 1e9 ? seconds : PATIENCE_SECONDS;
    const char *limit = options->timeout > 0 ? NULL : getenv("MPIEXEC_TIMEOUT");
    return limit && *limit ? read_timeout(options, "MPIEXEC_TIMEOUT", limit) : 0;
}

int pl_options_read(struct pl_options *options, int argc, char **argv)
{
    (void)argc;
    *options = (struct pl_options){.fan_out = FAN_OUT, .explain_after = EXPLAIN_AFTER};
    struct reading reading = {.options = options};
    int at = 1;
    for (;;) {
        int error = read_app(&reading, argv, &at);
        if (error || reading.over)
            return error ? error : 1;
        if (!argv[at])
            break;
        argv[at++] = NULL;
    }
    return complete(options);
}

static void free_settings(struct pl_settings *settings)
{
    for (int i = 0; i < settings->count; i++)
        free(settings->words[i]);
    free(settings->words);
}

void pl_options_finish(struct pl_options *options)
{
    for (int i = 0; i < options->napps; i++) {
        free_settings(&options->apps[i].settings);
        free(options->apps[i].hosts);
    }
    free_settings(&options->settings);
    free(options->hosts);
    free(options->without_effect);
    free(options->apps);
}

int pl_settings_add(struct pl_settings *settings, const char *name, const char *value)
{
    char **words = realloc(settings->words, sizeof *words * ((size_t)settings->count + 1));
    char *word = NULL;
    if (words)
        settings->words = words;
    if (!words || asprintf(&word, "%s=%s", name, value) < 0)
        return pl_fail(PL_ENOMEM, "no memory for the variable %.80s", name);
    words[settings->count++] = word;
    return 0;
}
