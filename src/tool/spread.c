/* Quartiles as people draw them in boxes: interpolated between neighbours. */
#include "spread.h"

#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, int n, double q)
{
    double place = q * (n - 1);
    int below = (int)place;
    double part = place - below;
    return below + 1 < n ? sorted[below] * (1 - part) + sorted[below + 1] * part : sorted[below];
}

struct pl_spread pl_spread(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, ascending);
    return (struct pl_spread){values[0], quantile(values, n, 0.25), quantile(values, n, 0.5),
                              quantile(values, n, 0.75)};
}
