/* What the sub-commands of `peal` share: their entries, and a reader of options. */
#ifndef PL_TOOL_H
#define PL_TOOL_H

#include <stdbool.h>
#include <stddef.h>

#ifndef PEAL_VERSION
#define PEAL_VERSION "unknown"
#endif

enum { PL_TOOL_OK = 0, PL_TOOL_BAD = 1, PL_TOOL_USAGE = 2 }; /* exit codes */

/* Entries. argv[0] is the sub-command's name; the result is the exit code. */
int pl_tool_bench(int argc, char **argv);
int pl_tool_bench_ps(int argc, char **argv);
int pl_tool_doctor(int argc, char **argv);
int pl_tool_info(int argc, char **argv);
int pl_tool_plan(int argc, char **argv);
int pl_tool_trace(int argc, char **argv);

enum pl_option_kind {
    PL_OPTION_FLAG,  /* bool */
    PL_OPTION_COUNT, /* int, 0 or more */
    PL_OPTION_BYTES, /* size_t; K, M and G are powers of 1024 */
    PL_OPTION_REAL,  /* double, 0 or more */
    PL_OPTION_TEXT,  /* const char *, a word of argv */
};

struct pl_option {
    char letter;      /* 0: none */
    const char *name; /* without dashes; NULL ends a table */
    enum pl_option_kind kind;
    const char *value; /* what the help calls the value; NULL for flags */
    void *into;
    const char *help;
};

struct pl_usage {
    const char *line; /* "peal bench [options] TEST ..." */
    const char *text; /* below it */
    const struct pl_option *options;
    bool silent; /* say nothing: another rank does */
};

/* Reads argv[1..]: options into where the table says, all else is moved to words[0..*n), which has room for
 * argc. 0: go on; else the process shall end with code *exit (it was --help, or wrong and said so). */
int pl_options_parse(const struct pl_usage *usage, int argc, char **argv, const char **words, int *n,
                     int *exit);
/* The same for a command that takes nothing but options. */
int pl_options_only(const struct pl_usage *usage, int argc, char **argv, int *exit);

/* Reads "64", "64K", "1M", "2G" whole. */
bool pl_parse_bytes(const char *text, size_t *bytes);

#endif
