/* `peal plan`: what was asked for, and what came out. */
#ifndef PL_PLAN_H
#define PL_PLAN_H

#include "cost.h"

#include <stdio.h>

struct pl_plan {
    enum pl_collective collective;
    int ranks, hosts; /* hosts 0: each rank one */
    size_t bytes;     /* as in struct pl_coll_args: of the vector, or of one rank's block */
    struct pl_network network;
    bool shared_memory; /* algorithms that reach into peers' buffers count too */
};

/* How a price was found. */
enum pl_plan_method {
    PL_PLAN_ALL,    /* the schedules of all ranks were run */
    PL_PLAN_ALIKE,  /* those of `run` ranks, which stand for all */
    PL_PLAN_SCALED, /* so on `run` ranks, times what the closed form grows by from there */
    PL_PLAN_CLOSED, /* closed form; the schedules of `run` ranks take `checked` times theirs (0: not known) */
};

struct pl_plan_price {
    const struct pl_algorithm *algorithm;
    enum pl_plan_method method;
    double nanoseconds;
    double root, middle; /* steps and edges that the schedules of these ranks have, about */
    int run;
    double checked;
};

/* The call as one of `ranks` ranks makes it. */
struct pl_coll_args pl_plan_args(const struct pl_plan *plan, int ranks);
/* Prices one algorithm by the best method that is affordable. 0 or an error. */
int pl_plan_price(const struct pl_plan *plan, const struct pl_algorithm *algorithm,
                  struct pl_plan_price *price);

/* Prints, round by round, who sends to whom when the algorithm runs on a few ranks. 0 or an error. */
int pl_plan_draw(const struct pl_plan *plan, const struct pl_algorithm *algorithm, FILE *file);
/* The same as bars over time, into an SVG. */
int pl_plan_draw_svg(const struct pl_plan *plan, const struct pl_algorithm *algorithm, const char *path);

/* "1.5 MiB", "12.3 us"; the text is `text`. */
const char *pl_plan_bytes(char text[32], double bytes);
const char *pl_plan_time(char text[32], double nanoseconds);

#endif
