/* Runs a shell command and keeps what it said. $MPIEXEC and $PROGRAM (the rank of
 * pmi_program.c) are set by meson. */
#ifndef RUN_H
#define RUN_H

#include <stddef.h>

struct run {
    int code; /* as the shell would say it */
    double seconds;
    char out[1 << 16], err[1 << 16];
};

/* Overwrites *run. The command is formatted like printf. */
void run(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How many lines of a text are exactly `line`. */
int lines_that_are(const char *text, const char *line);

/* How many processes have `word` as one of their arguments. */
int processes_with(const char *word);

#endif
