/* Pricing: what the schedules of all ranks take on a machine, by running them in virtual time. */
#ifndef PL_COST_H
#define PL_COST_H

#include "algorithm.h"

/* Nanoseconds until the last rank is done. args.rank is ignored. 0 or an error. */
int pl_price(const struct pl_algorithm *algorithm, const struct pl_coll_args *args,
             const struct pl_machine *machine, double *nanoseconds);

/* Hosts of `per_host` ranks each, numbered one after the other: what a message costs between ranks of one
 * host, and between hosts. All ranks of a host share its link to the others: the bytes of one message at a
 * time leave it, and those of one come in. per_host 0: each rank a host, `between` is all that counts but for
 * gamma. */
struct pl_network {
    struct pl_machine within, between; /* gamma is within's */
    int per_host;
};

/* A step in virtual time. A message is told once, with its receiver. */
struct pl_priced {
    enum pl_verb verb; /* PL_STEP_RECV, PL_STEP_REDUCE or PL_STEP_COPY */
    int rank, peer;    /* peer: a message's sender */
    size_t bytes;
    double begin, end; /* nanoseconds */
};

struct pl_price_params {
    const struct pl_algorithm *algorithm;
    struct pl_coll_args args; /* rank is ignored */
    struct pl_network network;
    /* How many ranks to run, 0 for all: a divisor of the size, and a multiple of per_host. Then the schedules
     * of ranks r, r + replicas, r + 2 replicas, ... must be alike (pl_price_alike), and ranks 0 .. replicas -
     * 1 stand for them, at the cost of these few: exact where ranks share no link. Those of a host, who do,
     * queue in the same order on all hosts then. */
    int replicas;
    size_t most_steps; /* 0: no limit; else PL_EUNSUPPORTED when the schedules have more */
    void (*trace)(void *context, const struct pl_priced *step); /* may be NULL */
    void *context;
};
int pl_price_network(const struct pl_price_params *params, double *nanoseconds);

/* Whether ranks that differ by multiples of `replicas` have schedules that are alike: the same steps in the
 * same order, with peers that are as far away, by rotation or by exclusive or. Compares the ranks below
 * `replicas` with a few of the others. 1, 0, or an error. */
int pl_price_alike(const struct pl_algorithm *algorithm, const struct pl_coll_args *args, int replicas);

#endif
