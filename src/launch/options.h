/* The command line of mpiexec, understood. */
#ifndef PL_OPTIONS_H
#define PL_OPTIONS_H

#include <stdbool.h>

enum { PL_RANKS_MAX = 65536 };

/* NAME=VALUE words, in the order given. */
struct pl_settings {
    char **words;
    int count;
};

/* One program of the job (MPMD has several, divided by ':'). */
struct pl_app {
    int ranks;        /* 0: not said; layout.h decides */
    char *hosts;      /* NULL: those of the job */
    char **argv;      /* NULL-terminated; leads into main's argv */
    const char *wdir; /* NULL: where mpiexec was started */
    struct pl_settings settings;
};

struct pl_options {
    struct pl_app *apps;
    int napps;
    int ranks;                   /* of all apps */
    struct pl_settings settings; /* for all apps */
    bool tag;                    /* each line of output begins with its rank */
    bool bind;                   /* one core for each rank */
    bool oversubscribe;          /* more ranks than cores may be bound */
    double explain_after;        /* seconds of waiting after which it is told who waits for whom; 0: never */
    bool respawn;                /* a rank that died is replaced by a new process */
    bool go_on;                  /* the ranks that are left go on when one dies */
    double timeout;              /* seconds, 0: none */
    char *hosts;                 /* where to run; NULL: not said ... */
    const char *hostfile;        /* ... in a file */
    int per_host;                /* ranks on a host before the next has its turn; 0: its slots */
    bool by_node;                /* one by one */
    const char *ssh;             /* the command that reaches a host; NULL: ssh */
    int fan_out;                 /* hosts that mpiexec, or an agent, reaches itself */
    char *without_effect;        /* options of other launchers that change nothing; NULL: none */
    double patience;             /* seconds until a silent host is given up: PEAL_TIMEOUT */
};

/* Reads argv. 0: run it. 1: --help or --version has been answered on standard
 * output, nothing to run. PL_EARG with the text for the user, PL_ENOMEM.
 * Free with pl_options_finish in every case. */
int pl_options_read(struct pl_options *options, int argc, char **argv);
void pl_options_finish(struct pl_options *options);

/* Appends NAME=VALUE; 0 or PL_ENOMEM. */
int pl_settings_add(struct pl_settings *settings, const char *name, const char *value);

#endif
