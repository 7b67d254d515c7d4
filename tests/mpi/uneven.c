/* Collectives whose blocks differ, reduce_scatter and scans: each blocking, nonblocking and persistent, with
 * int and with large counts, in place or not, with and without gaps.
 *
 * An element is a function of (round, sender, receiver, place), so that a block which
 * went astray, or came from the round before, is seen.
 */
#include "forms.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 16, GAP = 7 };

/* How many elements go from a to b: about a third none. */
static int length(int a, int b)
{
    unsigned x = mix((unsigned)a * 31 + 7, (unsigned)b);
    return x % 3 ? (int)(x / 3 % 6) : 0;
}

static int element(int round, int a, int b, int i)
{
    return round * 1000003 + a * 10007 + b * 101 + i;
}

/* The lists of one side: counts, and displacements with gaps between the blocks, not in rank order. */
struct lists {
    int counts[MOST], displs[MOST], bytes[MOST];
    MPI_Count counts_c[MOST];
    MPI_Aint displs_c[MOST], bytes_c[MOST];
    int span; /* elements */
};

static void arrange(struct lists *l, int n, int shift)
{
    int at = 1;
    for (int k = 0; k < n; k++) {
        int i = (k * 3 + shift) % n;
        if (n % 3 == 0)
            i = (k + shift) % n;
        l->displs[i] = at;
        at += l->counts[i] + k % 2;
    }
    for (int i = 0; i < n; i++) {
        l->counts_c[i] = l->counts[i];
        l->displs_c[i] = l->displs[i];
        l->bytes_c[i] = l->bytes[i] = l->displs[i] * (int)sizeof(int);
    }
    l->span = at + 1;
}

static int *blank(int span)
{
    int *buffer = need(sizeof(int) * (size_t)(span + 1));
    for (int i = 0; i <= span; i++)
        buffer[i] = -GAP;
    return buffer;
}

/* Puts what a sends to b into the block. */
static void put(int *buffer, int at, int count, int round, int a, int b)
{
    for (int i = 0; i < count; i++)
        buffer[at + i] = element(round, a, b, i);
}

static void expect(const int *buffer, int at, int count, int round, int a, int b, const char *what)
{
    for (int i = 0; i < count; i++)
        if (!CHECK(buffer[at + i] == element(round, a, b, i), "%s: from %d to %d, element %d: %d", what, a, b,
                   i, buffer[at + i]))
            return;
}

/* Nothing was written between the blocks. */
static void expect_gaps(const int *buffer, const struct lists *l, int n, const char *what)
{
    for (int k = 0; k < l->span; k++) {
        bool inside = false;
        for (int i = 0; i < n && !inside; i++)
            inside = k >= l->displs[i] && k < l->displs[i] + l->counts[i];
        if (!inside && !CHECK(buffer[k] == -GAP, "%s: wrote at %d", what, k))
            return;
    }
}

static void one_gatherv(struct form form, int root, bool in_place)
{
    int n = world_size(), me = my_rank(), mine = length(me, 99);
    struct lists l = {0};
    for (int i = 0; i < n; i++)
        l.counts[i] = length(i, 99);
    arrange(&l, n, root);
    bool at_root = me == root;
    int *in = blank(mine), *out = at_root ? blank(l.span) : NULL;
    const void *from = at_root && in_place ? MPI_IN_PLACE : in;
    const struct lists *list = at_root ? &l : NULL; /* nobody else may look there */
    for (int round = 0; round < form_rounds(&form); round++) {
        put(at_root && in_place ? out : in, at_root && in_place ? l.displs[me] : 0, mine, round, me, 0);
        FORM(form, Gatherv, Igatherv,
             (from, mine, MPI_INT, out, list ? list->counts : NULL, list ? list->displs : NULL, MPI_INT, root,
              MPI_COMM_WORLD),
             (from, mine, MPI_INT, out, list ? list->counts_c : NULL, list ? list->displs_c : NULL, MPI_INT,
              root, MPI_COMM_WORLD));
        for (int i = 0; at_root && i < n; i++)
            expect(out, l.displs[i], l.counts[i], round, i, 0, "gatherv");
        if (at_root)
            expect_gaps(out, &l, n, "gatherv");
    }
    form_end(&form);
    free(in);
    free(out);
}

static void one_scatterv(struct form form, int root, bool in_place)
{
    int n = world_size(), me = my_rank(), mine = length(99, me);
    struct lists l = {0};
    for (int i = 0; i < n; i++)
        l.counts[i] = length(99, i);
    arrange(&l, n, root);
    bool at_root = me == root;
    int *in = at_root ? blank(l.span) : NULL, *out = blank(mine);
    void *to = at_root && in_place ? MPI_IN_PLACE : out;
    const struct lists *list = at_root ? &l : NULL;
    for (int round = 0; round < form_rounds(&form); round++) {
        for (int i = 0; at_root && i < n; i++)
            put(in, l.displs[i], l.counts[i], round, root, i);
        FORM(form, Scatterv, Iscatterv,
             (in, list ? list->counts : NULL, list ? list->displs : NULL, MPI_INT, to, mine, MPI_INT, root,
              MPI_COMM_WORLD),
             (in, list ? list->counts_c : NULL, list ? list->displs_c : NULL, MPI_INT, to, mine, MPI_INT,
              root, MPI_COMM_WORLD));
        if (to == out)
            expect(out, 0, mine, round, root, me, "scatterv");
        if (to == out)
            CHECK(out[mine] == -GAP, "scatterv wrote too much");
    }
    form_end(&form);
    free(in);
    free(out);
}

static void rooted(void)
{
    int n = world_size();
    for (int root = 0; root<n; root += n> 5 ? n - 1 : 1)
        for (int in_place = 0; in_place < 2; in_place++)
            for (int kind = 0; kind < FORMS; kind++) {
                one_gatherv(form_of(kind), root, in_place);
                one_scatterv(form_of(kind), root, in_place);
            }
}

static void one_allgatherv(struct form form, bool in_place)
{
    int n = world_size(), me = my_rank();
    struct lists l = {0};
    for (int i = 0; i < n; i++)
        l.counts[i] = length(i, 98);
    arrange(&l, n, me); /* displacements are each rank's own */
    int *in = blank(l.counts[me]), *out = blank(l.span);
    for (int round = 0; round < form_rounds(&form); round++) {
        put(in_place ? out : in, in_place ? l.displs[me] : 0, l.counts[me], round, me, 0);
        FORM(form, Allgatherv, Iallgatherv,
             (in_place ? MPI_IN_PLACE : in, l.counts[me], MPI_INT, out, l.counts, l.displs, MPI_INT,
              MPI_COMM_WORLD),
             (in_place ? MPI_IN_PLACE : in, l.counts[me], MPI_INT, out, l.counts_c, l.displs_c, MPI_INT,
              MPI_COMM_WORLD));
        for (int i = 0; i < n; i++)
            expect(out, l.displs[i], l.counts[i], round, i, 0, "allgatherv");
        expect_gaps(out, &l, n, "allgatherv");
    }
    form_end(&form);
    free(in);
    free(out);
}

static void allgatherv(void)
{
    for (int kind = 0; kind < FORMS; kind++)
        for (int in_place = 0; in_place < 2; in_place++)
            one_allgatherv(form_of(kind), in_place);
}

struct exchange {
    struct lists send, recv;
    int *in, *out;
    const void *from;
    bool in_place;
};

static void exchange_begin(struct exchange *x, bool in_place)
{
    int n = world_size(), me = my_rank();
    *x = (struct exchange){.in_place = in_place};
    for (int i = 0; i < n; i++) {
        x->send.counts[i] = in_place && i < me ? length(i, me) : length(me, i);
        x->recv.counts[i] = in_place && me < i ? length(me, i) : length(i, me);
    }
    arrange(&x->send, n, me);
    arrange(&x->recv, n, me + 1);
    x->in = blank(x->send.span);
    x->out = blank(x->recv.span);
    x->from = in_place ? MPI_IN_PLACE : x->in;
}

static void exchange_fill(struct exchange *x, int round)
{
    const struct lists *l = x->in_place ? &x->recv : &x->send;
    for (int i = 0; i < world_size(); i++)
        put(x->in_place ? x->out : x->in, l->displs[i], l->counts[i], round, my_rank(), i);
}

static void exchange_check(const struct exchange *x, int round, const char *what)
{
    for (int i = 0; i < world_size(); i++)
        expect(x->out, x->recv.displs[i], x->recv.counts[i], round, i, my_rank(), what);
    expect_gaps(x->out, &x->recv, world_size(), what);
}

static void exchange_end(struct exchange *x)
{
    free(x->in);
    free(x->out);
}

static void one_alltoallv(struct form form, bool in_place)
{
    struct exchange x;
    exchange_begin(&x, in_place);
    for (int round = 0; round < form_rounds(&form); round++) {
        exchange_fill(&x, round);
        FORM(form, Alltoallv, Ialltoallv,
             (x.from, x.send.counts, x.send.displs, MPI_INT, x.out, x.recv.counts, x.recv.displs, MPI_INT,
              MPI_COMM_WORLD),
             (x.from, x.send.counts_c, x.send.displs_c, MPI_INT, x.out, x.recv.counts_c, x.recv.displs_c,
              MPI_INT, MPI_COMM_WORLD));
        exchange_check(&x, round, "alltoallv");
    }
    form_end(&form);
    exchange_end(&x);
}

/* Types differ from block to block, by their names only. */
static void one_alltoallw(struct form form, bool in_place)
{
    struct exchange x;
    MPI_Datatype out_types[MOST], in_types[MOST];
    exchange_begin(&x, in_place);
    for (int i = 0; i < MOST; i++) {
        out_types[i] = i % 2 ? MPI_INT : MPI_UNSIGNED;
        in_types[i] = MPI_INT;
        if (i < world_size() && !x.recv.counts[i]) /* where nothing comes there need be no type */
            out_types[i] = MPI_DATATYPE_NULL;
    }
    for (int round = 0; round < form_rounds(&form); round++) {
        exchange_fill(&x, round);
        FORM(form, Alltoallw, Ialltoallw,
             (x.from, x.send.counts, x.send.bytes, in_types, x.out, x.recv.counts, x.recv.bytes, out_types,
              MPI_COMM_WORLD),
             (x.from, x.send.counts_c, x.send.bytes_c, in_types, x.out, x.recv.counts_c, x.recv.bytes_c,
              out_types, MPI_COMM_WORLD));
        exchange_check(&x, round, "alltoallw");
    }
    form_end(&form);
    exchange_end(&x);
}

static void alltoall(void)
{
    for (int kind = 0; kind < FORMS; kind++)
        for (int in_place = 0; in_place < 2; in_place++) {
            one_alltoallv(form_of(kind), in_place);
            one_alltoallw(form_of(kind), in_place);
        }
}

/* Displacements below the buffer's address, and one that repeats on the sending side. */
static void negative(void)
{
    int n = world_size(), me = my_rank(), counts[MOST], displs[MOST], same[MOST];
    int *out = need(sizeof(int) * 2 * MOST), in[2] = {me, me + 100};
    for (int i = 0; i < n; i++) {
        counts[i] = 2;
        displs[i] = -2 * (i + 1);
        same[i] = 0;
    }
    OK(MPI_Alltoallv(in, counts, same, MPI_INT, out + 2 * n, counts, displs, MPI_INT, MPI_COMM_WORLD));
    for (int i = 0; i < n; i++)
        CHECK(out[2 * (n - i - 1)] == i && out[2 * (n - i - 1) + 1] == i + 100, "from %d", i);
    free(out);
}

/* Every second int of a row of pairs. */
static MPI_Datatype every_second(void)
{
    MPI_Datatype column, type;
    OK(MPI_Type_vector(1, 1, 2, MPI_INT, &column));
    OK(MPI_Type_create_resized(column, 0, 2 * sizeof(int), &type));
    OK(MPI_Type_commit(&type));
    OK(MPI_Type_free(&column));
    return type;
}

/* With gaps on one side, the other, or both, and in place. */
static void one_gapped(struct form form, int gaps, bool in_place)
{
    int n = world_size(), me = my_rank();
    int in_step = (gaps & 1) + 1, out_step = (gaps >> 1) + 1;
    MPI_Datatype gapped = every_second(), in_type = gaps & 1 ? gapped : MPI_INT,
                 out_type = gaps & 2 ? gapped : MPI_INT;
    struct exchange x;
    exchange_begin(&x, in_place);
    int *in = blank(2 * x.send.span), *out = blank(2 * x.recv.span);
    const void *from = in_place ? MPI_IN_PLACE : in;
    for (int round = 0; round < form_rounds(&form); round++) {
        const struct lists *l = in_place ? &x.recv : &x.send;
        for (int i = 0; i < n; i++)
            for (int k = 0; k < l->counts[i]; k++)
                (in_place ? out : in)[(l->displs[i] + k) * (in_place ? out_step : in_step)] =
                    element(round, me, i, k);
        FORM(form, Alltoallv, Ialltoallv,
             (from, x.send.counts, x.send.displs, in_type, out, x.recv.counts, x.recv.displs, out_type,
              MPI_COMM_WORLD),
             (from, x.send.counts_c, x.send.displs_c, in_type, out, x.recv.counts_c, x.recv.displs_c,
              out_type, MPI_COMM_WORLD));
        for (int i = 0; i < n; i++)
            for (int k = 0; k < x.recv.counts[i]; k++)
                CHECK(out[(x.recv.displs[i] + k) * out_step] == element(round, i, me, k), "from %d, %d", i,
                      k);
        for (int k = 1; k < 2 * x.recv.span && out_step == 2; k += 2)
            CHECK(out[k] == -GAP, "wrote into a gap at %d", k);
    }
    form_end(&form);
    OK(MPI_Type_free(&gapped));
    free(in);
    free(out);
    exchange_end(&x);
}

static void gapped(void)
{
    for (int kind = 0; kind < FORMS; kind++)
        for (int gaps = 1; gaps < 4; gaps++) {
            one_gapped(form_of(kind), gaps, false);
            if (gaps & 2)
                one_gapped(form_of(kind), gaps, true);
        }
}

/* A column from everybody becomes a row at the root. */
static void gapped_rooted(void)
{
    int n = world_size(), me = my_rank(), counts[MOST], displs[MOST], total = 0;
    MPI_Datatype type = every_second();
    for (int i = 0; i < n; i++) {
        counts[i] = length(i, 5);
        displs[i] = total;
        total += counts[i];
    }
    int *all = blank(2 * total + 1), *one = blank(2 * counts[me] + 1);
    put(one, 0, counts[me], 0, me, 0);
    OK(MPI_Gatherv(one, counts[me], MPI_INT, all, counts, displs, type, n - 1, MPI_COMM_WORLD));
    for (int i = 0; me == n - 1 && i < n; i++)
        for (int k = 0; k < counts[i]; k++)
            CHECK(all[2 * (displs[i] + k)] == element(0, i, 0, k), "%d of %d", k, i);
    for (int k = 1; me == n - 1 && k < 2 * total; k += 2)
        CHECK(all[k] == -GAP, "%d", all[k]);
    for (int k = 0; k <= 2 * counts[me]; k++)
        one[k] = -GAP;
    OK(MPI_Scatterv(all, counts, displs, type, one, counts[me], type, n - 1, MPI_COMM_WORLD));
    for (int k = 0; k < counts[me]; k++)
        CHECK(one[2 * k] == element(0, me, 0, k) && one[2 * k + 1] == -GAP, "%d", k);
    OK(MPI_Allgatherv(one, counts[me], type, all, counts, displs, MPI_INT, MPI_COMM_WORLD));
    for (int i = 0; i < n; i++)
        expect(all, displs[i], counts[i], 0, i, 0, "allgatherv out of gaps");
    OK(MPI_Type_free(&type));
    free(all);
    free(one);
}

/* x -> b x + a on pairs of unsigned: associative, does not commute. */
static void compose(void *in, void *inout, int *count, MPI_Datatype *type)
{
    const unsigned *left = in;
    unsigned *right = inout;
    for (int i = 0; i < 2 * *count; i += 2) {
        right[i] += left[i] * right[i + 1];
        right[i + 1] *= left[i + 1];
    }
}

static void compose_one(unsigned *sum, int round, int rank, int place)
{
    unsigned right[2] = {mix((unsigned)rank, (unsigned)place) + (unsigned)round, (unsigned)place * 2 + 3};
    int one = 1;
    compose(sum, right, &one, NULL);
    memcpy(sum, right, sizeof right);
}

static void compose_set(unsigned *buffer, int n, int round, int rank)
{
    for (int i = 0; i < n; i++) {
        buffer[2 * i] = mix((unsigned)rank, (unsigned)i) + (unsigned)round;
        buffer[2 * i + 1] = (unsigned)i * 2 + 3;
    }
}

/* The composition of ranks 0..ranks-1 at a place. */
static bool composed(const unsigned *got, int ranks, int round, int place)
{
    unsigned sum[2] = {0, 1};
    for (int r = 0; r < ranks; r++)
        compose_one(sum, round, r, place);
    return got[0] == sum[0] && got[1] == sum[1];
}

static void one_reduce_scatter(struct form form, MPI_Datatype pair, MPI_Op op, bool in_place)
{
    int n = world_size(), me = my_rank(), counts[MOST], total = 0, first = 0;
    MPI_Count counts_c[MOST];
    for (int i = 0; i < n; i++) {
        counts_c[i] = counts[i] = length(i, 55);
        first += i < me ? counts[i] : 0;
        total += counts[i];
    }
    unsigned *in = need(sizeof *in * 2 * (size_t)(total + 1)),
             *out = need(sizeof *out * 2 * (size_t)(total + 1));
    for (int round = 0; round < form_rounds(&form); round++) {
        compose_set(in_place ? out : in, total, round, me);
        FORM(form, Reduce_scatter, Ireduce_scatter,
             (in_place ? MPI_IN_PLACE : in, out, counts, pair, op, MPI_COMM_WORLD),
             (in_place ? MPI_IN_PLACE : in, out, counts_c, pair, op, MPI_COMM_WORLD));
        for (int i = 0; i < counts[me]; i++)
            CHECK(composed(out + 2 * i, n, round, first + i), "element %d", i);
    }
    form_end(&form);
    free(in);
    free(out);
}

static void one_scan(struct form form, MPI_Datatype pair, MPI_Op op, bool in_place, bool inclusive, int count)
{
    int me = my_rank();
    unsigned *in = need(sizeof *in * 2 * (size_t)(count + 1)),
             *out = need(sizeof *out * 2 * (size_t)(count + 1));
    const void *from = in_place ? MPI_IN_PLACE : in;
    for (int round = 0; round < form_rounds(&form); round++) {
        compose_set(out, count, 77, me); /* what exscan must leave alone on rank 0 */
        compose_set(in_place ? out : in, count, round, me);
        if (inclusive)
            FORM(form, Scan, Iscan, (from, out, count, pair, op, MPI_COMM_WORLD),
                 (from, out, count, pair, op, MPI_COMM_WORLD));
        else
            FORM(form, Exscan, Iexscan, (from, out, count, pair, op, MPI_COMM_WORLD),
                 (from, out, count, pair, op, MPI_COMM_WORLD));
        for (int i = 0; i < count; i++) {
            if (inclusive || me)
                CHECK(composed(out + 2 * i, inclusive ? me + 1 : me, round, i), "element %d", i);
            else
                CHECK(out[2 * i] == mix(0, (unsigned)i) + (unsigned)(in_place ? round : 77), "element %d", i);
        }
    }
    form_end(&form);
    free(in);
    free(out);
}

static void ordered(void)
{
    MPI_Datatype pair;
    MPI_Op op;
    OK(MPI_Type_contiguous(2, MPI_UNSIGNED, &pair));
    OK(MPI_Type_commit(&pair));
    OK(MPI_Op_create(compose, 0, &op));
    for (int kind = 0; kind < FORMS; kind++)
        for (int in_place = 0; in_place < 2; in_place++) {
            one_reduce_scatter(form_of(kind), pair, op, in_place);
            for (int count = 0; count < 4000; count = count * 17 + 1) {
                one_scan(form_of(kind), pair, op, in_place, true, count);
                one_scan(form_of(kind), pair, op, in_place, false, count);
            }
        }
    OK(MPI_Op_free(&op));
    OK(MPI_Type_free(&pair));
}

/* Predefined operators, of which one wants the elements with their gaps. */
static void predefined(void)
{
    int n = world_size(), me = my_rank(), one = me + 1, sum = -1, counts[MOST];
    struct {
        double value;
        int index;
    } in[MOST], out[MOST];
    OK(MPI_Scan(&one, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    CHECK(sum == (me + 1) * (me + 2) / 2, "%d", sum);
    OK(MPI_Exscan(&one, &sum, 1, MPI_INT, MPI_PROD, MPI_COMM_WORLD));
    int product = 1;
    for (int i = 1; i <= me; i++)
        product *= i;
    if (me && me < 12)
        CHECK(sum == product, "%d", sum);
    for (int i = 0; i < n; i++) {
        in[i].value = (me * 7 + i) % 5;
        in[i].index = me;
        counts[i] = i == n - 1 ? n : 0;
    }
    OK(MPI_Reduce_scatter(in, out, counts, MPI_DOUBLE_INT, MPI_MAXLOC, MPI_COMM_WORLD));
    for (int i = 0; me == n - 1 && i < n; i++) {
        int best = 0;
        for (int r = 1; r < n; r++)
            if ((r * 7 + i) % 5 > (best * 7 + i) % 5)
                best = r;
        CHECK(out[i].index == best, "%d: %d is not %d", i, out[i].index, best);
    }
}

static void errors(void)
{
    int n = world_size(), me = my_rank(), counts[MOST] = {0}, displs[MOST] = {0}, buffer[2 * MOST] = {0};
    FAILS(MPI_ERR_ROOT, MPI_Gatherv(buffer, 0, MPI_INT, buffer, counts, displs, MPI_INT, n, MPI_COMM_WORLD));
    FAILS(MPI_ERR_ARG, MPI_Allgatherv(buffer, 0, MPI_INT, buffer, NULL, displs, MPI_INT, MPI_COMM_WORLD));
    FAILS(MPI_ERR_TYPE,
          MPI_Allgatherv(buffer, 0, MPI_INT, buffer, counts, displs, MPI_DATATYPE_NULL, MPI_COMM_WORLD));
    counts[n - 1] = -1;
    FAILS(MPI_ERR_COUNT, MPI_Allgatherv(buffer, 0, MPI_INT, buffer, counts, displs, MPI_INT, MPI_COMM_WORLD));
    FAILS(MPI_ERR_COUNT, MPI_Reduce_scatter(buffer, buffer + 1, counts, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    counts[n - 1] = 0;
    counts[me] = 1;
    FAILS(MPI_ERR_BUFFER,
          MPI_Alltoallv(NULL, counts, displs, MPI_INT, buffer, counts, displs, MPI_INT, MPI_COMM_WORLD));
    FAILS(MPI_ERR_BUFFER, MPI_Scan(buffer, MPI_IN_PLACE, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    FAILS(MPI_ERR_BUFFER, MPI_Scan(buffer, buffer, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    FAILS(MPI_ERR_OP, MPI_Exscan(buffer, buffer + 1, 1, MPI_DOUBLE, MPI_BAND, MPI_COMM_WORLD));
    FAILS_WITH(
        MPI_ERR_TRUNCATE,
        MPI_Alltoallv(buffer, displs, displs, MPI_INT, buffer + 1, counts, displs, MPI_INT, MPI_COMM_WORLD),
        "sends itself 0 bytes", "4");
}

const struct test_case uneven_cases[] = {
    {"rooted", rooted, 1, 0},     {"allgatherv", allgatherv, 1, 0},
    {"alltoall", alltoall, 1, 0}, {"negative", negative, 1, 0},
    {"gapped", gapped, 1, 0},     {"gapped_rooted", gapped_rooted, 1, 0},
    {"ordered", ordered, 1, 0},   {"predefined", predefined, 1, 0},
    {"errors", errors, 1, 0},     {0},
};
