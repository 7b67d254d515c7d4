/* A run of the benchmark: what was asked for, and this rank. */
#ifndef PL_BENCH_H
#define PL_BENCH_H

#include "calls.h"
#include "pairs.h"
#include "report.h"
#include "timing.h"

struct pl_bench {
    int rank, size;
    size_t begin, end; /* bytes */
    int factor;
    int root, check;
    struct pl_timing timing;
    bool json, alloc;
    const char *type, *op, *plot, *tune; /* NULL: not asked for */
    void *in, *out;
    MPI_Count *counts;       /* [size] */
    MPI_Aint *places;        /* [size] */
    struct pl_report report; /* rank 0's */
};

/* Measures one test; all ranks call it. Rank 0 prints the rows. */
void pl_bench_call(struct pl_bench *bench, const struct pl_call *call);
void pl_bench_pairs(struct pl_bench *bench, const struct pl_pairs *test);
/* The bytes that each of the buffers needs for it. */
size_t pl_bench_room_call(const struct pl_bench *bench, const struct pl_call *call);
size_t pl_bench_room_pairs(const struct pl_bench *bench, const struct pl_pairs *test);

/* Measures what the transport between the ranks costs and writes it into `path` (tune.c). All ranks call it.
 * The exit code. */
int pl_bench_tune(struct pl_bench *bench, const char *path);

#endif
