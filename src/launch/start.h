/* Starting the ranks of one host: mpiexec's own, or an agent's. */
#ifndef PL_START_H
#define PL_START_H

#include "layout.h"
#include "options.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Exit codes for a program that does not run. */
enum { PL_NOT_FOUND = 127, PL_NOT_RUNNABLE = 126 };

/* Our ends of a rank's channels, non-blocking. */
struct pl_ends {
    int in; /* where its standard input is written to; -1: it has something else there */
    int out, err, pmi;
};

struct pl_start {
    const struct pl_options *options;
    const struct pl_layout *layout;
    int host;           /* whose ranks */
    char **environment; /* what they inherit */
    int roll;           /* a descriptor that they inherit (roll_wire.h); 0: none */
    int input;          /* what rank 0 gets as standard input; -1: a pipe */
    sigset_t signals;   /* their signal mask */
    struct rlimit files;
    void *owner;
    /* A rank runs; takes over the ends, also when it fails. 0 or an error. */
    int (*started)(void *owner, int rank, int appnum, pid_t pid, const struct pl_ends *ends);
    int count; /* set: how many were started */
    int code;  /* set when it fails: the exit code for that */
};

/* Lifts the limit of open files to what the ranks of a host and `more` take; *inherited is what it
 * was. 0; PL_ESYSTEM with the text for the user. */
int pl_start_files(int ranks, int more, struct rlimit *inherited);

/* Whether the host's programs are there to be run: 0, or the error that pl_start_ranks would end with. */
int pl_start_check(struct pl_start *start);

/* Starts one process more on this host, the program of `rank`, as a world of its own with `word` (NAME=VALUE)
 * in its environment; `started` gets that rank. 0 or an error. */
int pl_start_again(struct pl_start *start, int rank, char *word);

/* Starts the host's ranks in order. On failure those before run already, and the text says why. 0 or an
 * error. */
int pl_start_ranks(struct pl_start *start);

#endif
