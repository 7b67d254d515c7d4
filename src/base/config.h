/* The knobs: environment variables named PEAL_..., parsed here and nowhere else.
 * docs/running.md has the table; an unknown PEAL_ name is warned about, once a job, with
 * the nearest known one. */
#ifndef PL_CONFIG_H
#define PL_CONFIG_H

#include "log.h"

#include <stdbool.h>

struct pl_config {
    char transports[64];   /* PEAL_TRANSPORT: allowed transports in order, "shm,tcp" */
    char net[256];         /* PEAL_NET: interfaces and subnets, "" for all */
    double timeout;        /* PEAL_TIMEOUT: seconds until a silent peer or link is given up, 10 */
    enum pl_log_level log; /* PEAL_LOG: error, warn, info, debug */
    bool checksum;         /* PEAL_CHECKSUM: every payload is checked end to end */
    bool secure;           /* PEAL_SECURE: connections that leave a host are encrypted */
    bool reproducible;     /* PEAL_REPRODUCIBLE: one summation tree whatever the algorithm */
    char algorithm[256];   /* PEAL_ALGORITHM: "allreduce=ring,bcast=binomial", for experiments */
    bool cuda;             /* PEAL_CUDA: auto: device memory where there is a driver; off: none */
    char tuning[256];      /* PEAL_TUNING: a file that `peal bench --tune` wrote, "" for none */
    bool stats;            /* PEAL_STATS: what the ranks did is told at the end */
    char trace[256]; /* PEAL_TRACE: each call is written to this file, with the rank behind it; "" for none */
};

/* One knob, for `peal info`, mpiexec's options and the docs. */
struct pl_knob {
    const char *name;    /* "PEAL_TRANSPORT" */
    const char *value;   /* the default, as text */
    const char *meaning; /* one line */
};

/* Reads `environment` (NULL-terminated, as environ) into `config`. Where a value
 * cannot be used the default stays. Never fails, and says nothing. */
void pl_config_read(struct pl_config *config, char *const *environment);

/* Warns about values that cannot be used and PEAL_ names that are none: for one
 * rank of a job, since all have the same to say. */
void pl_config_complain(char *const *environment);

/* What an entry of the environment ("PEAL_LOG=info") is. */
enum pl_knob_verdict {
    PL_KNOB_GOOD,
    PL_KNOB_BAD,     /* a knob, but the value cannot be used */
    PL_KNOB_PLACE,   /* no knob, but one of Peal's own variables, or nothing that begins with PEAL_ */
    PL_KNOB_UNKNOWN, /* *nearest: the name that was meant, perhaps; NULL: none is near */
};
enum pl_knob_verdict pl_config_look(const char *entry, const char **nearest);

/* The table of knobs, ended by a NULL name. */
const struct pl_knob *pl_config_knobs(void);

/* How many letters must be changed, put in, left out or swapped with their neighbour to make `a` into `b`;
 * for "did you mean". Counts no further than 40. */
int pl_config_distance(const char *a, const char *b);
/* Whether a name at that distance may have been meant by `name`: a third of its letters may be wrong, three
 * at most. */
bool pl_config_near(const char *name, int distance);

#endif
