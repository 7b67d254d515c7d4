/* `peal`: the tool. Its first word says what to do; each sub-command is a file of its own. */
#include "tool.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"info", pl_tool_info, "the version, the knobs, the transports, the CPUs"},
    {"doctor", pl_tool_doctor, "whether jobs run well here, and what mends it; alone or under mpiexec"},
    {"bench", pl_tool_bench, "measures collectives and messages; run it under mpiexec"},
    {"trace", pl_tool_trace, "what the files of PEAL_TRACE say, and one file of them for a trace viewer"},
    {"plan", pl_tool_plan, "what a collective would cost on a machine that is not here"},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static void help(FILE *file)
{
    fprintf(file, "Usage: peal COMMAND [options]\n\n");
    for (int i = 0; i < COMMANDS; i++)
        fprintf(file, "  %-8s %s\n", commands[i].name, commands[i].help);
    fprintf(file, "\n`peal COMMAND --help` says more. See peal(1).\n");
}

static bool is(const char *word, const char *a, const char *b)
{
    return !strcmp(word, a) || !strcmp(word, b);
}

int main(int argc, char **argv)
{
    int code = PL_TOOL_USAGE;
    if (argc < 2) {
        help(stderr);
    } else if (is(argv[1], "-h", "--help") || !strcmp(argv[1], "help")) {
        help(stdout);
        code = PL_TOOL_OK;
    } else if (is(argv[1], "-V", "--version")) {
        printf("peal (Peal) %s\n", PEAL_VERSION);
        code = PL_TOOL_OK;
    } else {
        int i = 0;
        while (i < COMMANDS && strcmp(commands[i].name, argv[1]) != 0)
            i++;
        if (i < COMMANDS)
            code = commands[i].run(argc - 1, argv + 1);
        else
            fprintf(stderr, "peal: there is no command '%.40s' (peal --help lists them)\n", argv[1]);
    }
    if (code == PL_TOOL_OK && (fflush(stdout) || ferror(stdout)))
        code = PL_TOOL_BAD;
    return code;
}
