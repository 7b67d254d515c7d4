/* The environment that a rank starts with. */
#ifndef PL_ENVIRONMENT_H
#define PL_ENVIRONMENT_H

#include "options.h"

enum { PL_RANK_VARIABLES = 16 };

struct pl_environment {
    char **words; /* inherited and set ones, then the rank's, then NULL */
    int common, size;
    char own[PL_RANK_VARIABLES][64];
};

/* What all ranks of a program share: `inherited` (as environ) without what other
 * launchers left in it, then `general`, then `own`. Borrows the words of all
 * three. 0 or PL_ENOMEM. */
int pl_environment_init(struct pl_environment *environment, char **inherited,
                        const struct pl_settings *general, const struct pl_settings *own, int size);
void pl_environment_finish(struct pl_environment *environment);

/* The same with a rank's own variables; valid until the next call. */
char **pl_environment_of(struct pl_environment *environment, int rank, int pmi_fd);

#endif
