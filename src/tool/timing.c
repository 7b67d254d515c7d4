/* Between batches the buffers are written anew and all ranks meet, so that no batch profits from
 * what the one before left in the caches, or from a head start. What the benchmark itself sends goes through
 * PMPI_: a profiling library sees the measured calls only.
 *
 *   rewrite | barrier | call call call ... | max over ranks | rewrite | barrier | ...
 *                     |<---- a batch ----->|
 *
 * How many calls fill a batch is found by trying, and decided by the slowest rank for all. Of each try the
 * best of three counts: one interruption must not make all batches too short to tell anything.
 */
#include "timing.h"

#include <mpi.h>

static double batch(const struct pl_work *work, int number, int calls)
{
    double taken, slowest;
    work->rewrite(work->context, number);
    PMPI_Barrier(MPI_COMM_WORLD);
    taken = -PMPI_Wtime();
    for (int i = 0; i < calls; i++)
        work->once(work->context);
    taken += PMPI_Wtime();
    PMPI_Allreduce(&taken, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return slowest;
}

static double best_of_three(const struct pl_work *work, int calls)
{
    double best = batch(work, 0, calls);
    for (int i = 1; i < 3; i++) {
        double again = batch(work, i, calls);
        best = again < best ? again : best;
    }
    return best;
}

static int clamp(double x, int least, int most)
{
    return x < least ? least : x > most ? most : (int)x;
}

struct pl_spread pl_measure(const struct pl_timing *timing, const struct pl_work *work)
{
    enum { MOST_CALLS = 1 << 16 };
    double taken[PL_BATCHES_MAX], aim = timing->seconds / 40, once;
    int calls = timing->iterations ? timing->iterations : 1;
    if (timing->warmup)
        batch(work, 0, timing->warmup);
    once = best_of_three(work, calls);
    while (!timing->iterations && once < aim / 4 && calls < MOST_CALLS)
        once = best_of_three(work, calls *= 4);
    once = once > 1e-9 ? once / calls : 1e-9 / calls;
    if (!timing->iterations)
        calls = clamp(aim / once, 1, MOST_CALLS);
    int batches = clamp(timing->seconds / (once * calls), 5, PL_BATCHES_MAX);
    for (int i = 0; i < batches; i++)
        taken[i] = batch(work, i, calls) / calls * 1e6;
    return pl_spread(taken, batches);
}
