/* save.h: the trained weights in a file. */
#ifndef TRAIN_SAVE_H
#define TRAIN_SAVE_H

#include <stdio.h>

#include "failure.h"
#include "model.h"

struct save {
    FILE *file;         /* NULL: nothing to save */
    char path[4096];    /* where the weights shall be in the end */
    char partial[4104]; /* where they are written first; "": straight to path */
};

/* Opens what is needed to write `path` later, so that a bad one is found before the
 * training, not after it. What `path` holds stays as it is until save_finish. */
int save_open(struct save *s, const char *path, struct failure *failure);
/* Writes the weights and puts them in place. Ends the save, also on failure. */
int save_finish(struct save *s, const struct model *m, const real *weights, struct failure *failure);
/* Ends the save without a trace; does nothing after save_finish. */
void save_abandon(struct save *s);

#endif
