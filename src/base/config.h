/* The knobs: environment variables named PEAL_..., parsed here and nowhere else.
 * docs/running.md has the table; an unknown PEAL_ name is warned about with the
 * nearest known one. */
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
};

/* One knob, for `peal info`, mpiexec's options and the docs. */
struct pl_knob {
    const char *name;    /* "PEAL_TRANSPORT" */
    const char *value;   /* the default, as text */
    const char *meaning; /* one line */
};

/* Reads `environment` (NULL-terminated, as environ) into `config`. Bad values
 * are warned about and the default stays. Never fails. */
void pl_config_read(struct pl_config *config, char *const *environment);

/* The table of knobs, ended by a NULL name. */
const struct pl_knob *pl_config_knobs(void);

/* How many letters must be changed, put in or left out to make `a` into `b`; for
 * "did you mean". Counts no further than 40. */
int pl_config_distance(const char *a, const char *b);

#endif
