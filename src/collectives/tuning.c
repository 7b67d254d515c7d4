/* The file between `peal bench --tune` and choose.c: three numbers a transport, in text, so that they can be
 * read, kept with a machine's configuration, and written by hand. All ranks of a job must read the same
 * numbers, or they might choose different algorithms. Rejected: tables of which algorithm to use from which
 * size on, which are many numbers, each wrong on the next machine.
 */
#include "tuning.h"

#include "choose.h"
#include "errors.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 200 }; /* a file that goes on for ever is no tuning file */

static const char suffix[] = "-oversubscribed";

void pl_tuning_name(char name[PL_TUNING_NAME], const char *transport, bool oversubscribed)
{
    snprintf(name, PL_TUNING_NAME, "%s%s", transport, oversubscribed ? suffix : "");
}

static bool known(const char *name)
{
    static const char *const transports[] = {"loopback", "shm", "tcp", "verbs"};
    for (size_t i = 0; i < sizeof transports / sizeof *transports; i++) {
        size_t length = strlen(transports[i]);
        if (!strncmp(name, transports[i], length) && (!name[length] || !strcmp(name + length, suffix)))
            return true;
    }
    return false;
}

static bool number(const char *word, double *value)
{
    char *end;
    *value = word ? strtod(word, &end) : -1;
    return word && end != word && !*end && *value >= 0 && *value < 1e15;
}

static void put(struct pl_tuning *tuning, const char *name, const struct pl_machine *machine)
{
    int i = 0;
    while (i < tuning->lines && strcmp(tuning->line[i].name, name) != 0)
        i++;
    if (i == PL_TUNING_LINES)
        return;
    snprintf(tuning->line[i].name, sizeof tuning->line[i].name, "%s", name);
    tuning->line[i].machine = *machine;
    tuning->lines += i == tuning->lines;
}

/* NULL: the line is taken, or empty. Else what is wrong with it. */
static const char *read_line(struct pl_tuning *tuning, char *text)
{
    static const char blanks[] = " \t\r\n";
    char *rest = NULL;
    text[strcspn(text, "#")] = '\0';
    const char *name = strtok_r(text, blanks, &rest);
    if (!name)
        return NULL;
    if (!known(name))
        return "there is no such transport";
    struct pl_machine machine;
    double *const values[] = {&machine.alpha, &machine.beta, &machine.gamma};
    for (int i = 0; i < 3; i++)
        if (!number(strtok_r(NULL, blanks, &rest), values[i]))
            return "three numbers that are not negative were expected: alpha beta gamma";
    if (strtok_r(NULL, blanks, &rest))
        return "there is more than three numbers";
    put(tuning, name, &machine);
    return NULL;
}

void pl_tuning_read(struct pl_tuning *tuning, const char *path, bool warn)
{
    char text[256];
    tuning->lines = 0;
    FILE *file = *path ? fopen(path, "r") : NULL;
    if (!file) {
        if (*path && warn)
            pl_warn("PEAL_TUNING: %s cannot be read (%m); what is built in is used", path);
        return;
    }
    int line = 1;
    for (; line <= LINES_MAX && fgets(text, sizeof text, file); line++) {
        const char *wrong = read_line(tuning, text);
        if (wrong && warn)
            pl_warn("PEAL_TUNING: %s:%d is left out: %s", path, line, wrong);
    }
    if (warn && ferror(file))
        pl_warn("PEAL_TUNING: %s cannot be read (%m); what is built in is used", path);
    else if (warn && line > LINES_MAX)
        pl_warn("PEAL_TUNING: %s has more than %d lines; the rest is left out", path, LINES_MAX);
    fclose(file);
}

const struct pl_machine *pl_tuning_machine(const struct pl_tuning *tuning, const char *transport,
                                           bool oversubscribed)
{
    char name[PL_TUNING_NAME];
    pl_tuning_name(name, transport, oversubscribed);
    for (int i = 0; i < tuning->lines; i++)
        if (!strcmp(tuning->line[i].name, name))
            return &tuning->line[i].machine;
    return pl_machine_of(transport, oversubscribed);
}

int pl_tuning_save(const char *path, const char *name, const struct pl_machine *machine)
{
    struct pl_tuning tuning = {0};
    char fresh[4096];
    FILE *file = fopen(path, "r");
    if (file) {
        fclose(file);
        pl_tuning_read(&tuning, path, true);
    }
    put(&tuning, name, machine);
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh)
        return pl_fail(PL_EARG, "the name of the tuning file is too long");
    file = fopen(fresh, "w");
    if (!file)
        return pl_fail_errno("cannot write %s", fresh);
    fprintf(
        file,
        "# Written by `peal bench --tune`, read through PEAL_TUNING. Nanoseconds a message (alpha), a byte\n"
        "# carried (beta), a byte reduced (gamma).\n# transport alpha beta gamma\n");
    for (int i = 0; i < tuning.lines; i++)
        fprintf(file, "%s %.6g %.6g %.6g\n", tuning.line[i].name, tuning.line[i].machine.alpha,
                tuning.line[i].machine.beta, tuning.line[i].machine.gamma);
    int bad = ferror(file);
    if (fclose(file) || bad || rename(fresh, path))
        return pl_fail_errno("cannot write %s", path);
    return 0;
}
