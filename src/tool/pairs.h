/* Point to point as the benchmark measures it. */
#ifndef PL_PAIRS_H
#define PL_PAIRS_H

#include "calls.h"

struct pl_pairs {
    const char *name;
    const char *what;  /* above the table */
    int partner_kind;  /* pairs.c */
    bool windowed;     /* many messages under way */
    double directions; /* 1 or 2: how many streams a pair has */
    void (*run)(const struct pl_point *p, int partner);
};

extern const struct pl_pairs pl_pairs[]; /* ended by a NULL name */

/* Who this rank exchanges with, or -1; *pairs: how many pairs there are. */
int pl_pairs_partner(const struct pl_pairs *test, int rank, int size, int *pairs);
/* Messages under way for messages of that size. */
int pl_pairs_window(const struct pl_pairs *test, size_t bytes);
void pl_pairs_prepare(const struct pl_pairs *test, const struct pl_point *p);
size_t pl_pairs_wrong(const struct pl_pairs *test, const struct pl_point *p, int partner);

#endif
