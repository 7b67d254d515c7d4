/* Scan: rank r's OUT = IN of rank 0 op ... op IN of rank r. Exscan: the same without its own IN, and
 * rank 0's OUT stays as it is.
 *
 * Doubling. At distance d = 1, 2, 4 ... partners r and r ^ d exchange the sum of the d ranks that
 * each stands for; both then know the sum of 2 d, and the higher one puts its partner's in front of
 * what it has so far.
 *
 *     ranks       0       1       2        3        what a rank has so far is the sum of those
 *     d = 1       0 <---> 1       2 <----> 3        of its aligned group that come before it,
 *     d = 2     0-1 <------------> 2-3              so the result is bracketed by the binary
 *                     0-1 <------------> 2-3        digits of r: the canonical tree
 *
 * Cost: ceil(log2 n) (alpha + m (beta + 2 gamma)).
 * W. D. Hillis, G. L. Steele, "Data parallel algorithms", CACM 29 (1986), in its variant for hypercubes.
 *
 * Shift, the same without the exchange: at distance d a rank hands the sum of the last d ranks up to itself
 * to the rank d further on. One message out, one in, one sum a round; not the canonical tree.
 *
 *     0 -> 1 -> 2 -> 3      d = 1: 1 has 0-1, 2 has 1-2, 3 has 2-3
 *     0 ------> 2           d = 2: 2 has 0-2, 3 has 0-3
 *          1 ------> 3
 *
 * Cost: ceil(log2 n) (alpha + m (beta + gamma)); exscan: one round more.
 *
 * Chain: the sum passes from rank to rank in segments. Cost: (n-1) (alpha + m beta + m gamma) unsegmented;
 * with s segments (n - 2 + s) of them, each m / s long: long vectors go as fast as one link.
 */
#include "algorithm.h"

/* One round of doubling: `group` is the sum of this rank's aligned group; *before, that of the ranks in it
 * that come first; none yet while its length is 0. */
static void double_up(struct pl_builder *b, const struct pl_coll_args *args, int d, struct pl_slice theirs,
                      struct pl_slice sum, struct pl_slice *group, struct pl_slice *before)
{
    int partner = args->rank ^ d, n = args->size;
    size_t m = pl_coll_bytes(args);
    if (partner >= n)
        return;
    bool higher = partner < args->rank, more = 2 * d < n;
    pl_step_send(b, partner, *group);
    pl_step_recv(b, partner, theirs);
    if (higher && before->length)
        pl_step_reduce(b, pl_out(0, m), theirs, *before);
    else if (higher)
        pl_step_copy(b, pl_out(0, m), theirs);
    if (higher)
        *before = pl_out(0, m);
    if (more && higher)
        pl_step_reduce(b, sum, theirs, *group);
    else if (more)
        pl_step_reduce(b, sum, *group, theirs);
    if (more)
        *group = sum;
}

static void doubling(struct pl_builder *b, const struct pl_coll_args *args)
{
    size_t m = pl_coll_bytes(args);
    struct pl_slice group = pl_in(0, m), before = {0};
    struct pl_slice theirs[2] = {pl_tmp(b, m), pl_tmp(b, m)}, sum[2] = {pl_tmp(b, m), pl_tmp(b, m)};
    bool inclusive = args->collective == PL_SCAN;
    if (args->in_place) {
        group = pl_tmp(b, m);
        pl_step_copy(b, group, pl_in(0, m));
    }
    if (inclusive) {
        pl_step_copy(b, pl_out(0, m), pl_in(0, m));
        before = pl_out(0, m);
    }
    int k = 0;
    for (int d = 1; d < args->size; d *= 2, k = !k)
        double_up(b, args, d, theirs[k], sum[k], &group, &before);
}

static double doubling_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    double bytes = (double)pl_coll_bytes(args), rounds = pl_log2_up(args->size);
    double sums = args->collective == PL_SCAN ? 2 * rounds - 1 : 2 * rounds - 2;
    return rounds * (m->alpha + bytes * m->beta) + (sums > 0 ? sums : 0) * bytes * m->gamma;
}

/* Doubling on `mine`, which holds the operand of rank `v` among `n` (this rank is v + first); the
 * last sum is put into OUT. */
static void shift_from(struct pl_builder *b, const struct pl_coll_args *args, int first, struct pl_slice mine)
{
    size_t m = pl_coll_bytes(args);
    int n = args->size - first, v = args->rank - first;
    struct pl_slice theirs[2] = {pl_tmp(b, m), pl_tmp(b, m)}, sum[2] = {pl_tmp(b, m), pl_tmp(b, m)};
    int k = 0;
    for (int d = 1; d < n; d *= 2, k = !k) {
        if (v + d < n)
            pl_step_send(b, args->rank + d, mine);
        if (v < d)
            continue;
        struct pl_slice to = v < 2 * d ? pl_out(0, m) : sum[k];
        pl_step_recv(b, args->rank - d, theirs[k]);
        pl_step_reduce(b, to, theirs[k], mine);
        mine = to;
    }
    pl_step_copy(b, pl_out(0, m), mine);
}

static void shift(struct pl_builder *b, const struct pl_coll_args *args)
{
    size_t m = pl_coll_bytes(args);
    int r = args->rank;
    struct pl_slice mine = pl_in(0, m);
    if (args->collective == PL_EXSCAN) {
        if (r + 1 < args->size)
            pl_step_send(b, r + 1, pl_in(0, m));
        if (r == 0)
            return;
        mine = pl_tmp(b, m);
        pl_step_recv(b, r - 1, mine);
    }
    shift_from(b, args, args->collective == PL_EXSCAN, mine);
}

static double shift_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    double bytes = (double)pl_coll_bytes(args), link = m->alpha + bytes * m->beta;
    if (args->collective == PL_SCAN)
        return pl_log2_up(args->size) * (link + bytes * m->gamma);
    return link + (args->size > 2 ? pl_log2_up(args->size - 1) * (link + bytes * m->gamma) : 0);
}

static void chain(struct pl_builder *b, const struct pl_coll_args *args)
{
    size_t m = pl_coll_bytes(args);
    int r = args->rank, segments = pl_segments(m, args->element, pl_coll_segment(args));
    bool inclusive = args->collective == PL_SCAN, last = r == args->size - 1;
    struct pl_slice theirs = inclusive ? pl_tmp(b, m) : pl_out(0, m), sum = theirs;
    if (inclusive)
        sum = pl_out(0, m);
    else if (!last)
        sum = pl_tmp(b, m);
    for (int i = 0; i < segments; i++) {
        struct pl_slice in = pl_chunk(pl_in(0, m), args->element, segments, i);
        struct pl_slice before = pl_chunk(theirs, args->element, segments, i),
                        to = pl_chunk(sum, args->element, segments, i);
        if (r == 0) {
            if (!last)
                pl_step_send(b, 1, in);
            if (inclusive)
                pl_step_copy(b, to, in);
            continue;
        }
        if (!inclusive && args->in_place && !last) {
            struct pl_slice kept = pl_tmp(b, in.length);
            pl_step_copy(b, kept, in);
            in = kept;
        }
        pl_step_recv(b, r - 1, before);
        if (inclusive || !last)
            pl_step_reduce(b, to, before, in);
        if (!last)
            pl_step_send(b, r + 1, to);
    }
}

static double chain_cost(const struct pl_machine *m, const struct pl_coll_args *args)
{
    double segments = pl_segments(pl_coll_bytes(args), args->element, pl_coll_segment(args));
    double bytes = (double)pl_coll_bytes(args) / segments, links = args->size - 1;
    if (links < 1)
        return 0;
    double sums = args->collective == PL_SCAN ? links : links - 1;
    double slower = m->beta > m->gamma ? m->beta : m->gamma;
    return links * (m->alpha + bytes * m->beta) + sums * bytes * m->gamma +
           (segments - 1) * (m->alpha + bytes * slower);
}

const struct pl_algorithm pl_scan_algorithms[] = {
    {"doubling", doubling, doubling_cost, PL_ORDERED | PL_TREE},
    {"shift", shift, shift_cost, PL_ORDERED},
    {"chain", chain, chain_cost, PL_ORDERED},
    {0},
};

const struct pl_algorithm pl_exscan_algorithms[] = {
    {"doubling", doubling, doubling_cost, PL_ORDERED | PL_TREE},
    {"shift", shift, shift_cost, PL_ORDERED},
    {"chain", chain, chain_cost, PL_ORDERED},
    {0},
};
