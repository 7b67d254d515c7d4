/* Reproducible mode (PEAL_REPRODUCIBLE=1): floating-point sums along one fixed tree, to the bit, whatever
 * the algorithm, the transport, the size or the order of arrival.
 *
 * The tree is worked out here once more: n operands in rank order, split at the largest power of
 * two below n. Operands are such that almost any other order gives other bits.
 */
#include "case.h"

#include <stdlib.h>
#include <string.h>

static float operand(int rank, long i)
{
    unsigned x = mix((unsigned)rank, (unsigned)i);
    float value = (float)(x % 100003) * 1.1f + 0.37f;
    return (x & 1 ? -value : value) * (x >> 8 & 1 ? 1e-4f : x >> 9 & 1 ? 3e3f : 1.f);
}

static float tree(int first, int n, long i)
{
    if (n == 1)
        return operand(first, i);
    int left = 1;
    while (left * 2 < n)
        left *= 2;
    float a = tree(first, left, i), b = tree(first + left, n - left, i);
    return a + b;
}

/* How many of `count` sums are not the tree's, from element `from` of the whole on. */
static long wrong(const float *sums, long count, long from, int n)
{
    long bad = 0;
    for (long i = 0; i < count; i++) {
        float right = tree(0, n, from + i);
        bad += memcmp(&right, &sums[i], sizeof right) != 0;
    }
    return bad;
}

static void check_on(MPI_Comm comm, long count, bool nonblocking, const char *what)
{
    int n = size_of(comm), me = rank_in(comm);
    float *in = need(sizeof *in * (size_t)(count * n)), *out = need(sizeof *out * (size_t)count);
    MPI_Request request;
    for (long i = 0; i < count * n; i++)
        in[i] = operand(me, i);
    if (nonblocking) {
        OK(MPI_Iallreduce(in, out, (int)count, MPI_FLOAT, MPI_SUM, comm, &request));
        OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    } else {
        OK(MPI_Allreduce(in, out, (int)count, MPI_FLOAT, MPI_SUM, comm));
    }
    CHECK(wrong(out, count, 0, n) == 0, "%s: allreduce of %ld on %d: %ld", what, count, n,
          wrong(out, count, 0, n));
    OK(MPI_Reduce(in, out, (int)count, MPI_FLOAT, MPI_SUM, n / 2, comm));
    if (me == n / 2)
        CHECK(wrong(out, count, 0, n) == 0, "%s: reduce of %ld on %d", what, count, n);
    OK(MPI_Reduce_scatter_block(in, out, (int)count, MPI_FLOAT, MPI_SUM, comm));
    CHECK(wrong(out, count, me * count, n) == 0, "%s: reduce_scatter of %ld on %d", what, count, n);
    free(in);
    free(out);
}

/* In place of many machines: parts of the world and other orders of its ranks. */
static void every_way(void)
{
    static const char *const names[] = {"",
                                        "allreduce=ring,reduce=linear,reduce_scatter=ring",
                                        "allreduce=doubling,reduce=binomial,reduce_scatter=halving",
                                        "allreduce=halving,reduce=scatter_gather",
                                        "allreduce=pairwise,reduce_scatter=pairwise",
                                        "allreduce=reduce_bcast"};
    static const long counts[] = {1, 7, 62, 63, 1000, 20000};
    if (!getenv("PEAL_REPRODUCIBLE"))
        return;
    for (int k = 0; k < 6; k++) {
        MPI_Comm comm, turned;
        MPI_Info info;
        OK(MPI_Info_create(&info));
        OK(MPI_Info_set(info, "peal_algorithm", names[k]));
        OK(MPI_Comm_dup_with_info(MPI_COMM_WORLD, info, &comm));
        OK(MPI_Info_free(&info));
        OK(MPI_Comm_split(comm, 0, (my_rank() * 7 + 3) % 11, &turned));
        for (int c = 0; c < 6; c++) {
            check_on(comm, counts[c], c & 1, names[k]);
            check_on(turned, counts[c], !(c & 1), names[k]);
        }
        OK(MPI_Comm_free(&turned));
        OK(MPI_Comm_free(&comm));
    }
}

/* The reference has teeth: the plain sum in rank order differs from the tree somewhere. */
static void other_orders_differ(void)
{
    int n = world_size();
    long differ = 0;
    for (long i = 0; i < 1000; i++) {
        float plain = operand(0, i), right = tree(0, n, i);
        for (int r = 1; r < n; r++)
            plain += operand(r, i);
        differ += memcmp(&plain, &right, sizeof plain) != 0;
    }
    CHECK(differ > 100, "only %ld of 1000 sums depend on the order", differ);
}

const struct test_case bits_cases[] = {
    {"every_way", every_way, 1, 0}, {"other_orders_differ", other_orders_differ, 5, 0}, {0}};
