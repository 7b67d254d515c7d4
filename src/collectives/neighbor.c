/* Neighbourhood collectives: block i of IN goes to destination i, block i of OUT comes from source i. The
 * allgather forms are those in which all blocks of IN are the same one.
 *
 *     a row of 4 processes        0 <--> 1 <--> 2 <--> 3      2's sources and destinations: 1, 3
 *
 * Every message goes at once: neighbours are few, and nobody but its two ends knows of an edge. Several
 * edges from one rank to another, and to itself, are told apart by their order, the same at both ends: the
 * k-th message sent there is the k-th received. A caller whose two orders differ (on a periodic grid
 * of one or two processes "left" is received as "right") sorts its lists first.
 * Cost: (the larger degree) (alpha + m beta).
 *
 * Rejected: message combining (Traeff et al., 2014), which routes by dimensions and saves messages on grids
 * with diagonal neighbours; MPI's grids have none.
 */
#include "algorithm.h"

static void linear(struct pl_builder *b, const struct pl_coll_args *args)
{
    for (int i = 0; i < args->sources; i++)
        if (args->source[i] >= 0)
            pl_step_recv(b, args->source[i], pl_out_block(args, i));
    for (int i = 0; i < args->destinations; i++)
        if (args->destination[i] >= 0)
            pl_step_send(b, args->destination[i], pl_in_block(args, i));
}

static double linear_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    double in = (double)pl_blocks_total(args->in, args->destinations),
           out = (double)pl_blocks_total(args->out, args->sources);
    int degree = args->sources > args->destinations ? args->sources : args->destinations;
    return degree * m->alpha + (in > out ? in : out) * m->beta;
}

const struct pl_algorithm pl_neighbor_algorithms[] = {
    {"linear", linear, linear_cost, PL_UNEVEN},
    {0},
};
