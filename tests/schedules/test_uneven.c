/* Calls whose blocks differ, and calls on intercommunicators, proved on symbols like the even ones in
 * test_verify.c. Lengths, gaps between blocks and their order in memory are drawn from a seed; about a third
 * of the blocks are empty. Sizes 1..32, every algorithm, in place or not, every root up to 5 ranks.
 */
#include "errors.h"
#include "verify.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { RANKS = 32, EDGES = 6 };

struct world { /* the calls of all ranks, and the memory their lists are in */
    struct pl_coll_args each[2 * RANKS];
    struct pl_block in[2 * RANKS][RANKS * 2], out[2 * RANKS][RANKS * 2];
    int source[RANKS][RANKS * EDGES], destination[RANKS][RANKS * EDGES];
    uint64_t random;
};

static size_t draw(struct world *w, size_t below)
{
    w->random = w->random * 6364136223846793005ull + 1442695040888963407ull;
    return (size_t)(w->random >> 33) % below;
}

static size_t length(struct world *w)
{
    return draw(w, 3) ? draw(w, 9) : 0;
}

/* Gives n blocks of known lengths (in elements) places in a buffer: in random order, with gaps, in bytes. */
static void place(struct world *w, struct pl_block *block, int n, size_t element)
{
    int order[RANKS * 2];
    size_t at = draw(w, 3);
    for (int i = 0; i < n; i++) {
        int j = (int)draw(w, (size_t)i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (int i = 0; i < n; i++) {
        struct pl_block *b = &block[order[i]];
        b->offset = at * element;
        at += b->length + draw(w, 3);
        b->length *= element;
    }
}

static void verify_algorithm(struct world *w, const struct pl_algorithm *algorithm, bool intercommunicator)
{
    for (enum pl_verify_sum sum = PL_SUM_SET; sum <= PL_SUM_TREE; sum++) {
        struct pl_coll_args args = w->each[0];
        args.ordered = sum != PL_SUM_SET;
        if (!pl_algorithm_fits(algorithm, &args, sum == PL_SUM_TREE))
            continue;
        for (int r = 0; r < args.size + args.remote; r++)
            w->each[r].ordered = args.ordered;
        struct pl_verify_params params = {algorithm, args, sum, w->random, 2, 0, w->each};
        cr_assert_eq(pl_verify(&params), 0, "sum %d, %d and %d ranks%s: %s", sum, args.size, args.remote,
                     intercommunicator ? " of an intercommunicator" : "", pl_fail_text());
        if (!pl_collective_sums(args.collective))
            break;
    }
}

static void verify_all(struct world *w)
{
    enum pl_collective collective = w->each[0].collective;
    if (w->each[0].remote) {
        verify_algorithm(w, pl_inter_algorithm(collective), true);
        return;
    }
    int tried = 0;
    for (const struct pl_algorithm *a = pl_algorithms(collective); a->name; a++)
        if (pl_algorithm_fits(a, &w->each[0], false)) {
            verify_algorithm(w, a, false);
            tried++;
        }
    cr_assert_gt(tried, 0);
}

static struct pl_coll_args *call(struct world *w, int r, enum pl_collective collective, int n, size_t element)
{
    w->each[r] = (struct pl_coll_args){.collective = collective,
                                       .rank = r,
                                       .size = n,
                                       .element = element,
                                       .segment = n % 2 ? 3 * element : 0,
                                       .uneven = true};
    return &w->each[r];
}

static struct world *world(uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    cr_assert(w);
    w->random = seed;
    return w;
}

/* Gatherv and scatterv: the root alone has the list. */
static void rooted(struct world *w, enum pl_collective collective, int n, int root, bool in_place)
{
    struct pl_block *block = w->in[0];
    for (int r = 0; r < n; r++)
        block[r].length = length(w);
    place(w, block, n, 4);
    for (int r = 0; r < n; r++) {
        struct pl_coll_args *args = call(w, r, collective, n, 4);
        args->root = root;
        args->count = block[r].length / 4;
        args->in_place = in_place && r == root;
        *(collective == PL_SCATTER ? &args->in : &args->out) = r == root ? block : NULL;
    }
    verify_all(w);
}

Test(uneven, gather_and_scatter)
{
    for (int n = 1; n <= RANKS; n++)
        for (int root = 0; root<n; root += n> 5 ? n / 2 : 1)
            for (int in_place = 0; in_place < 2; in_place++) {
                struct world *w = world((uint64_t)n * 100 + (uint64_t)root);
                rooted(w, PL_GATHER, n, root, in_place);
                rooted(w, PL_SCATTER, n, root, in_place);
                free(w);
            }
}

/* Allgatherv: all know the lengths, each has its own places. */
Test(uneven, allgather)
{
    for (int n = 1; n <= RANKS; n++)
        for (int in_place = 0; in_place < 2; in_place++) {
            struct world *w = world((uint64_t)n);
            for (int r = 0; r < n; r++) {
                w->each[r].count = n % 5 ? length(w) : 0;
                for (int i = 0; i <= r; i++)
                    w->out[i][r].length = w->each[r].count;
            }
            for (int r = 0; r < n; r++)
                for (int i = 0; i < n; i++)
                    w->out[r][i].length = w->each[i].count;
            for (int r = 0; r < n; r++) {
                struct pl_coll_args *args = call(w, r, PL_ALLGATHER, n, 8);
                place(w, w->out[r], n, 8);
                args->out = w->out[r];
                args->in_place = in_place;
            }
            verify_all(w);
            free(w);
        }
}

static void alltoall(int n, bool in_place)
{
    struct world *w = world((uint64_t)n + 7);
    for (int r = 0; r < n; r++)
        for (int i = in_place ? r : 0; i < n; i++) {
            w->in[r][i].length = w->out[i][r].length = length(w);
            if (in_place)
                w->in[i][r].length = w->out[r][i].length = w->in[r][i].length;
        }
    for (int r = 0; r < n; r++) {
        struct pl_coll_args *args = call(w, r, PL_ALLTOALL, n, 1);
        place(w, w->in[r], n, 1);
        if (in_place)
            memcpy(w->out[r], w->in[r], sizeof w->in[r]);
        else
            place(w, w->out[r], n, 1);
        args->in = w->in[r];
        args->out = w->out[r];
        args->in_place = in_place;
    }
    verify_all(w);
    free(w);
}

Test(uneven, alltoall)
{
    for (int n = 1; n <= RANKS; n++) {
        alltoall(n, false);
        alltoall(n, true);
    }
}

Test(uneven, reduce_scatter)
{
    for (int n = 1; n <= RANKS; n++)
        for (int in_place = 0; in_place < 2; in_place++) {
            struct world *w = world((uint64_t)n + 13);
            size_t at = 0;
            for (int r = 0; r < n; r++) {
                w->in[0][r].length = 4 * length(w);
                w->in[0][r].offset = at;
                at += w->in[0][r].length;
            }
            for (int r = 0; r < n; r++) {
                struct pl_coll_args *args = call(w, r, PL_REDUCE_SCATTER, n, 4);
                args->in = w->in[0];
                args->in_place = in_place;
            }
            verify_all(w);
            free(w);
        }
}

/* A random graph with double edges, edges to oneself, and nobodies. */
Test(uneven, neighbors)
{
    for (int n = 1; n <= RANKS; n++) {
        struct world *w = world((uint64_t)n + 21);
        for (int r = 0; r < n; r++)
            call(w, r, PL_NEIGHBOR, n, 2);
        for (int r = 0; r < n; r++)
            for (size_t edges = draw(w, EDGES); edges; edges--) {
                struct pl_coll_args *from = &w->each[r];
                bool nobody = draw(w, 6) == 0;
                int peer = nobody ? -1 : (int)draw(w, (size_t)n), k = from->destinations;
                size_t bytes = length(w);
                w->in[r][k].length = bytes;
                w->destination[r][from->destinations++] = peer;
                if (nobody)
                    continue;
                struct pl_coll_args *to = &w->each[peer];
                if (to->sources + 1 >= RANKS) {
                    w->destination[r][k] = -1;
                    continue;
                }
                w->out[peer][to->sources].length = bytes;
                w->source[peer][to->sources++] = r;
            }
        for (int r = 0; r < n; r++) {
            struct pl_coll_args *args = &w->each[r];
            place(w, w->in[r], args->destinations, 2);
            place(w, w->out[r], args->sources, 2);
            args->in = w->in[r], args->out = w->out[r];
            args->source = w->source[r], args->destination = w->destination[r];
        }
        verify_all(w);
        free(w);
    }
}

/* The calls of both groups of an intercommunicator; the root is in the first. */
static void inter(struct world *w, enum pl_collective collective, int n, int m, int root)
{
    size_t count = length(w), element = 4;
    for (int r = 0; r < n + m; r++) {
        bool first = r < n;
        struct pl_coll_args *args = call(w, r, collective, first ? n : m, element);
        args->rank = first ? r : r - n;
        args->remote = first ? m : n;
        args->root = !first ? root : r == root ? PL_ROOT : PL_NO_ROOT;
        args->segment = 2 * element;
        args->count = count;
        args->uneven = false;
        if (collective == PL_REDUCE_SCATTER) /* n * m elements at least, the same number in both groups */
            args->count = (first ? (size_t)m : (size_t)n) * count;
    }
}

static void inter_blocks(struct world *w, int n, int m)
{
    for (int r = 0; r < n + m; r++) {
        struct pl_coll_args *args = &w->each[r];
        args->uneven = true;
        args->count = length(w);
    }
    for (int a = 0; a < n; a++)
        for (int b = 0; b < m; b++) {
            bool all = w->each[0].collective == PL_ALLTOALL;
            w->in[a][b].length = w->out[n + b][a].length = all ? length(w) : w->each[a].count;
            w->in[n + b][a].length = w->out[a][b].length = all ? length(w) : w->each[n + b].count;
        }
    if (w->each[0].collective == PL_SCATTER) /* what the root sends decides */
        for (int b = 0; b < m; b++)
            for (int a = 0; a < n; a++)
                w->in[a][b].length = w->each[n + b].count;
    for (int r = 0; r < n + m; r++) {
        place(w, w->in[r], r < n ? m : n, 4);
        place(w, w->out[r], r < n ? m : n, 4);
        w->each[r].in = w->in[r];
        w->each[r].out = w->out[r];
    }
}

Test(inter, every_collective)
{
    for (int c = 0; c < PL_COLLECTIVES; c++)
        for (int n = 1; pl_inter_algorithm((enum pl_collective)c) && n <= 16; n = n < 5 ? n + 1 : n + 5)
            for (int m = 1; m <= 16; m = m < 5 ? m + 1 : m + 3)
                for (int root = 0; root<n; root += n> 3 ? 3 : 1) {
                    struct world *w = world((uint64_t)(n * 1000 + m * 10 + c));
                    inter(w, (enum pl_collective)c, n, m, root);
                    if (c == PL_GATHER || c == PL_SCATTER || c == PL_ALLGATHER || c == PL_ALLTOALL)
                        inter_blocks(w, n, m);
                    verify_all(w);
                    free(w);
                }
}

Test(inter, reduce_scatter_uneven)
{
    for (int n = 1; n <= 9; n++)
        for (int m = 1; m <= 9; m += 2) {
            struct world *w = world((uint64_t)(n * 100 + m));
            inter(w, PL_REDUCE_SCATTER, n, m, 0);
            size_t left[2] = {40, 40}, at[2] = {0, 0};
            for (int r = 0; r < n + m; r++) {
                int g = r >= n, last = r == (g ? n + m : n) - 1;
                size_t take = last ? left[g] : length(w) < left[g] ? length(w) % (left[g] + 1) : 0;
                struct pl_block *block = &w->in[g][g ? r - n : r];
                *block = (struct pl_block){at[g], 4 * take};
                at[g] += 4 * take;
                left[g] -= take;
            }
            for (int r = 0; r < n + m; r++) {
                w->each[r].uneven = true;
                w->each[r].in = w->in[r >= n];
            }
            verify_all(w);
            free(w);
        }
}

/* The proofs can fail: without the edges that the builder infers, an in-place alltoallv goes wrong. */
Test(uneven, missing_edges_are_seen)
{
    int failed = 0, n = 6;
    struct world *w = world(5);
    for (int r = 0; r < n; r++) {
        for (int i = 0; i < n; i++)
            w->in[r][i] = (struct pl_block){(size_t)i * 4, 4};
        struct pl_coll_args *args = call(w, r, PL_ALLTOALL, n, 1);
        args->in = args->out = w->in[r];
        args->in_place = true;
    }
    for (const struct pl_algorithm *a = pl_algorithms(PL_ALLTOALL); a->name; a++) {
        struct pl_verify_params params = {a, w->each[0], PL_SUM_SET, 1, 4, PL_HAZARD_WAR, w->each};
        if (a->flags & PL_UNEVEN)
            failed += pl_verify(&params) != 0;
    }
    cr_assert_eq(failed, 2);
    free(w);
}
