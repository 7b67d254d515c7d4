/* options.h: what the user asks for on the command line. */
#ifndef TRAIN_OPTIONS_H
#define TRAIN_OPTIONS_H

#include <stdint.h>

#include "failure.h"

enum { OPTION_TEXT = 2048 };

/* How the workers' gradients meet (sync.h). */
enum sync_kind { SYNC_RING, SYNC_PS, SYNC_BOUNDED, SYNC_ASYNC, SYNC_AVERAGE };

/* Plain data without pointers, so that rank 0 can send it to the others. */
struct options {
    char data[OPTION_TEXT]; /* a directory; "": draw digits */
    char save[OPTION_TEXT]; /* a file for the weights; "": none */
    char model[16];
    int epochs, batch; /* of the batch: images a step, over all ranks */
    double rate;
    uint64_t seed;
    int reproducible;
    enum sync_kind sync;
    int staleness, period; /* clocks of SYNC_BOUNDED; steps of SYNC_AVERAGE */
    int servers, replicas; /* of the parameter server */
    int slow;              /* milliseconds that worker 0 sleeps in each step */
    int help, version;
};

/* Reads argv[1..]; what is not given has its default. */
int options_read(struct options *options, int argc, char **argv, struct failure *failure);
/* The text of --help. */
const char *options_help(void);

/* 1 when --reproducible is among the arguments or PEAL_REPRODUCIBLE is on. Needs no
 * options_read: the library wants to know before MPI_Init. */
int options_reproducible(int argc, char **argv);

#endif
