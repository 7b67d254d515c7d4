/* What the benchmark's buffers hold: small whole numbers that can be predicted, in any type. */
#ifndef PL_NUMBERS_H
#define PL_NUMBERS_H

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pl_number { /* a type of numbers */
    const char *name;
    MPI_Datatype type;
    size_t size;
    bool floating;
    void (*put)(void *at, int value); /* 0 <= value < 128 */
};

struct pl_operator {
    const char *name;
    MPI_Op op;
    bool integers_only;
    int (*apply)(int a, int b);
};

/* Tables, ended by a NULL name. */
extern const struct pl_number pl_numbers[];
extern const struct pl_operator pl_operators[];

const struct pl_number *pl_number_find(const char *name);
const struct pl_operator *pl_operator_find(const char *name);

/* What there is to predict: n ranks; element j of rank r's input is one number, which depends on `salt` and,
 * so that results can be written down for many elements at once, on j modulo PL_PERIOD. */
enum { PL_PERIOD = 251, PL_NUMBER_MAX = 8 };
struct pl_pattern {
    const struct pl_number *number;
    const struct pl_operator *op; /* whose result stays below 128; NULL: data is only moved */
    int ranks;
    int salt;
    int upto; /* PL_ALL_RANKS are those below it; 0: all */
};

/* Elements start .. start + count - 1 of a rank's input, written to `at`. */
void pl_pattern_fill(const struct pl_pattern *pattern, int rank, size_t start, void *at, size_t count);
/* How many of the elements at `at` are not those. rank PL_ALL_RANKS: those reduced over all ranks. */
enum { PL_ALL_RANKS = -1 };
size_t pl_pattern_wrong(const struct pl_pattern *pattern, int rank, size_t start, const void *at,
                        size_t count);

#endif
