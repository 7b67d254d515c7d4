/* MPI_Dims_create (MPI 5.0, section 8.5.2): a grid as near to a cube as the number of nodes allows.
 *
 * Of all ways to write n as a product of k factors the one is taken whose largest and smallest factor
 * are closest to each other; of several such, the one whose smallest factor is largest, then
 * the one with the smallest sum. The search writes the largest factor first, goes through the divisors from
 * below, and drops what can no longer win; numbers of nodes have few divisors. Rejected: a greedy walk over
 * prime factors, which makes 6 x 6 x 2 of 72, where 6 x 4 x 3 is to be had; and the sum alone, which makes 19
 * x 12 x 12 x 7 of 19152, where 19 x 14 x 9 x 8 is to be had.
 */
#include "call.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { FACTORS_MAX = 64 };

struct search {
    int divisors[2048], count;
    int taken[FACTORS_MAX], best[FACTORS_MAX], k;
    int best_spread; /* largest less smallest factor */
    double best_sum;
};

static void collect_divisors(struct search *s, int n)
{
    for (int d = 1; (long)d * d <= n && s->count < 2046; d++)
        if (n % d == 0) {
            s->divisors[s->count++] = d;
            if (d != n / d)
                s->divisors[s->count++] = n / d;
        }
}

/* Whether d to the k is at least n. */
static bool reaches(int d, int k, long long n)
{
    long long power = 1;
    while (k-- && power < n)
        power *= d;
    return power >= n;
}

/* The largest whole number whose k-th power is not above n. */
static int whole_root(int n, int k)
{
    int root = 1;
    while ((long long)root * root <= n && !reaches(root + 1, k, n))
        root++;
    return k == 1 ? n : reaches(root + 1, k, n) && !reaches(root + 1, k, n + 1LL) ? root + 1 : root;
}

/* Whether s->taken, complete, with this sum is to be preferred to the best so far. */
static bool wins(const struct search *s, double sum)
{
    int spread = s->taken[0] - s->taken[s->k - 1];
    if (spread != s->best_spread)
        return spread < s->best_spread;
    return s->taken[0] != s->best[0] ? s->taken[0] > s->best[0] : sum <= s->best_sum;
}

/* Writes n as k factors, none above `most`; the factors before are in taken[], their sum is `sum`. */
static void search(struct search *s, int n, int k, int most, double sum)
{
    /* The smallest factor will not be above the root. */
    if (k < s->k && s->taken[0] - whole_root(n, k) > s->best_spread)
        return;
    if (k == 1) {
        s->taken[s->k - 1] = n;
        if (n > most || !wins(s, sum + n))
            return;
        s->best_spread = s->taken[0] - n;
        s->best_sum = sum + n;
        memcpy(s->best, s->taken, sizeof s->best);
        return;
    }
    for (int i = 0; i < s->count; i++) {
        int d = s->divisors[i];
        if (d > most || n % d || !reaches(d, k, n))
            continue;
        s->taken[s->k - k] = d;
        search(s, n / d, k - 1, d, sum + d);
    }
}

static int ascending(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* The product of the given dimensions must divide nnodes; *rest is what is left for the `open` others. */
static int look(int nnodes, int ndims, const int dims[], int *rest, int *open)
{
    if (nnodes <= 0)
        return pl_bad(MPI_ERR_ARG, "the number of nodes, %d, is not positive", nnodes);
    if (ndims < 0 || (ndims && !dims))
        return pl_bad(MPI_ERR_DIMS, "the array of dimensions is NULL or its length, %d, negative", ndims);
    *rest = nnodes;
    *open = 0;
    for (int d = 0; d < ndims; d++) {
        if (dims[d] < 0)
            return pl_bad(MPI_ERR_DIMS, "dimension %d has size %d", d, dims[d]);
        *open += !dims[d];
        if (dims[d] && *rest % dims[d])
            return pl_bad(MPI_ERR_DIMS, "the dimensions given do not divide %d", nnodes);
        if (dims[d])
            *rest /= dims[d];
    }
    if (!*open && *rest != 1 && ndims)
        return pl_bad(MPI_ERR_DIMS, "the dimensions given do not make %d", nnodes);
    return 0;
}

int PMPI_Dims_create(int nnodes, int ndims, int dims[])
{
    struct pl_mpi *mpi = pl_call("MPI_Dims_create");
    int rest = 0, open = 0;
    int error = look(nnodes, ndims, dims, &rest, &open);
    /* A number of nodes has less than 31 prime factors: further dimensions are 1. */
    int k = open < 31 ? open : 31, next = 0;
    struct search *s = error || !open ? NULL : calloc(1, sizeof *s);
    if (!error && open && !s)
        error = pl_fail(PL_ENOMEM, "no memory to find dimensions");
    if (!error && s) {
        s->k = k;
        s->best_spread = INT_MAX;
        collect_divisors(s, rest);
        qsort(s->divisors, (size_t)s->count, sizeof s->divisors[0], ascending);
        search(s, rest, k, rest, 0);
        for (int d = 0; d < ndims; d++)
            if (!dims[d])
                dims[d] = next < k ? s->best[next++] : 1;
    }
    free(s);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Dims_create)
