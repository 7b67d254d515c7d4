/* Medians with their spread. */
#ifndef PL_SPREAD_H
#define PL_SPREAD_H

struct pl_spread {
    double least, q1, median, q3;
};

/* Of n >= 1 values, which it sorts. */
struct pl_spread pl_spread(double *values, int n);

#endif
