/* The environment that a rank starts with. */
#ifndef PL_ENVIRONMENT_H
#define PL_ENVIRONMENT_H

#include "options.h"

enum { PL_RANK_VARIABLES = 16 };

struct pl_environment {
    char **words; /* inherited and set ones, then the rank's, then NULL */
    int common;
    char own[PL_RANK_VARIABLES][64];
};

/* What all ranks of a program share: `inherited` (as environ) without what other
 * launchers left in it, then `general`, then `own`. Borrows the words of all
 * three. 0 or PL_ENOMEM. */
int pl_environment_init(struct pl_environment *environment, char **inherited,
                        const struct pl_settings *general, const struct pl_settings *own);
void pl_environment_finish(struct pl_environment *environment);

/* What the ranks of another host inherit: what is set there, and what `sent` (mpiexec's own environment)
 * has, but for what only makes sense on the host where it was set. Allocated; borrows the words. NULL: no
 * memory. */
char **pl_environment_elsewhere(char **there, char **sent);

/* Where a rank stands. */
struct pl_place {
    int rank, size;
    int local_rank, local_size; /* among those of its host */
};

/* The same with a rank's own variables; valid until the next call. */
char **pl_environment_of(struct pl_environment *environment, const struct pl_place *place, int pmi_fd);

#endif
