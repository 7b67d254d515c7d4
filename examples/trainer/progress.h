/* progress.h: what rank 0 shows while it works. */
#ifndef TRAIN_PROGRESS_H
#define TRAIN_PROGRESS_H

#include "failure.h"

struct progress {
    int on;       /* 0 on ranks other than 0: every call then does nothing */
    int terminal; /* a descriptor for a bar that moves, or -1 */
    int epochs;
    long steps;      /* an epoch */
    double shown_at; /* when the bar or a line was shown last, in seconds */
};

/* How an epoch, or the whole training, went. */
struct metrics {
    double loss;     /* mean over the epoch */
    double accuracy; /* of the test set, in percent */
    double rate;     /* images trained on in a second, over all ranks */
    double comm;     /* share of the training time spent in MPI, in percent */
};

void progress_init(struct progress *p, int on, int epochs, long steps);
void progress_finish(struct progress *p);
/* Moves the bar: `step` steps of the epoch, the first being 1, are done. */
void progress_step(struct progress *p, int epoch, long step, double loss, double rate);
/* The line of one epoch, the first being 1. */
void progress_epoch(struct progress *p, int epoch, const struct metrics *m);
/* Takes the bar off the screen, before something else is printed. */
void progress_clear(struct progress *p);
/* The last line. Fails when standard output could not be written. */
int progress_final(struct progress *p, const struct metrics *m, struct failure *failure);

#endif
