/* Collectives on intercommunicators, in every form: the world in two groups of different sizes; what each
 * rank gets comes from the other group.
 */
#include "forms.h"

#include <stdlib.h>

enum { MOST = 32 };

struct sides {
    MPI_Comm half, inter;
    int here, there, me, first; /* sizes, rank in the group, and the world rank of the other group's 0 */
    bool low;
};

static struct sides split(int left)
{
    struct sides s = {.low = my_rank() < left};
    OK(MPI_Comm_split(MPI_COMM_WORLD, s.low, 0, &s.half));
    OK(MPI_Intercomm_create(s.half, 0, MPI_COMM_WORLD, s.low ? left : 0, 5, &s.inter));
    OK(MPI_Comm_remote_size(s.inter, &s.there));
    s.here = size_of(s.half);
    s.me = rank_in(s.half);
    s.first = s.low ? left : 0;
    OK(MPI_Comm_set_errhandler(s.inter, MPI_ERRORS_RETURN));
    return s;
}

static void join(struct sides *s)
{
    OK(MPI_Comm_free(&s->inter));
    OK(MPI_Comm_free(&s->half));
}

/* By world ranks. */
static int element(int round, int from, int to, int i)
{
    return round * 100003 + from * 1009 + to * 31 + i;
}

/* The root is rank `root` of the low group: what the argument is here. */
static int root_here(const struct sides *s, int root)
{
    return !s->low ? root : s->me == root ? MPI_ROOT : MPI_PROC_NULL;
}

static void bcast(const struct sides *s, struct form form, int root)
{
    int argument = root_here(s, root), data[20];
    for (int round = 0; round < form_rounds(&form); round++) {
        for (int i = 0; i < 20; i++)
            data[i] = argument == MPI_ROOT ? element(round, root, 0, i) : -1;
        FORM(form, Bcast, Ibcast, (data, 20, MPI_INT, argument, s->inter),
             (data, 20, MPI_INT, argument, s->inter));
        for (int i = 0; i < 20; i++)
            CHECK(data[i] == (argument == MPI_PROC_NULL ? -1 : element(round, root, 0, i)), "%d", data[i]);
    }
    form_end(&form);
}

static void gather(const struct sides *s, struct form even, struct form uneven, int root)
{
    int argument = root_here(s, root), world = my_rank(), mine = world % 3, data[2] = {0};
    int counts[MOST], displs[MOST], got[2 * MOST];
    MPI_Count counts_c[MOST];
    MPI_Aint displs_c[MOST];
    for (int i = 0; i < s->there; i++) {
        counts_c[i] = counts[i] = (s->first + i) % 3;
        displs_c[i] = displs[i] = 2 * (s->there - 1 - i);
    }
    for (int round = 0; round < form_rounds(&even); round++) {
        for (int i = 0; i < 2; i++)
            data[i] = element(round, world, 0, i);
        FORM(even, Gather, Igather, (data, 2, MPI_INT, got, 2, MPI_INT, argument, s->inter),
             (data, 2, MPI_INT, got, 2, MPI_INT, argument, s->inter));
        for (int i = 0; argument == MPI_ROOT && i < 2 * s->there; i++)
            CHECK(got[i] == element(round, s->first + i / 2, 0, i % 2), "gather: %d", i);
        FORM(uneven, Gatherv, Igatherv,
             (data, mine, MPI_INT, got, counts, displs, MPI_INT, argument, s->inter),
             (data, mine, MPI_INT, got, counts_c, displs_c, MPI_INT, argument, s->inter));
        for (int i = 0; argument == MPI_ROOT && i < s->there; i++)
            for (int k = 0; k < counts[i]; k++)
                CHECK(got[displs[i] + k] == element(round, s->first + i, 0, k), "gatherv: %d", i);
    }
    form_end(&even);
    form_end(&uneven);
}

static void scatter(const struct sides *s, struct form even, struct form uneven, int root)
{
    int argument = root_here(s, root), world = my_rank(), mine = world % 3, got[3];
    int counts[MOST], displs[MOST], data[2 * MOST];
    MPI_Count counts_c[MOST];
    MPI_Aint displs_c[MOST];
    for (int i = 0; i < s->there; i++) {
        counts_c[i] = counts[i] = (s->first + i) % 3;
        displs_c[i] = displs[i] = 2 * i;
    }
    for (int round = 0; round < form_rounds(&even); round++) {
        for (int i = 0; i < 2 * s->there; i++)
            data[i] = element(round, root, s->first + i / 2, i % 2);
        got[0] = got[1] = -1;
        FORM(even, Scatter, Iscatter, (data, 2, MPI_INT, got, 2, MPI_INT, argument, s->inter),
             (data, 2, MPI_INT, got, 2, MPI_INT, argument, s->inter));
        for (int i = 0; i < 2; i++)
            CHECK(got[i] == (s->low ? -1 : element(round, root, world, i)), "scatter: %d", got[i]);
        got[0] = got[1] = -1;
        FORM(uneven, Scatterv, Iscatterv,
             (data, counts, displs, MPI_INT, got, mine, MPI_INT, argument, s->inter),
             (data, counts_c, displs_c, MPI_INT, got, mine, MPI_INT, argument, s->inter));
        for (int i = 0; i < 2; i++)
            CHECK(got[i] == (s->low || i >= mine ? -1 : element(round, root, world, i)), "scatterv: %d",
                  got[i]);
    }
    form_end(&even);
    form_end(&uneven);
}

/* The low group's ranks send 3 elements each, those of the other one 1. */
static void allgather(const struct sides *s, struct form even, struct form uneven)
{
    int send = s->low ? 3 : 1, take = s->low ? 1 : 3, world = my_rank(), data[3], got[3 * MOST];
    int counts[MOST], displs[MOST];
    MPI_Count counts_c[MOST];
    MPI_Aint displs_c[MOST];
    for (int i = 0; i < s->there; i++) {
        counts_c[i] = counts[i] = (s->first + i) % 3;
        displs_c[i] = displs[i] = 3 * i;
    }
    for (int round = 0; round < form_rounds(&even); round++) {
        for (int i = 0; i < 3; i++)
            data[i] = element(round, world, 0, i);
        FORM(even, Allgather, Iallgather, (data, send, MPI_INT, got, take, MPI_INT, s->inter),
             (data, send, MPI_INT, got, take, MPI_INT, s->inter));
        for (int i = 0; i < s->there * take; i++)
            CHECK(got[i] == element(round, s->first + i / take, 0, i % take), "allgather: %d", i);
        FORM(uneven, Allgatherv, Iallgatherv,
             (data, world % 3, MPI_INT, got, counts, displs, MPI_INT, s->inter),
             (data, world % 3, MPI_INT, got, counts_c, displs_c, MPI_INT, s->inter));
        for (int i = 0; i < s->there; i++)
            for (int k = 0; k < counts[i]; k++)
                CHECK(got[displs[i] + k] == element(round, s->first + i, 0, k), "allgatherv: %d", i);
    }
    form_end(&even);
    form_end(&uneven);
}

static void alltoall(const struct sides *s, struct form even, struct form v, struct form w)
{
    int world = my_rank(), data[2 * MOST], got[2 * MOST], out[MOST], in[MOST], displs[MOST], bytes[MOST];
    MPI_Count out_c[MOST], in_c[MOST];
    MPI_Aint displs_c[MOST], bytes_c[MOST];
    MPI_Datatype types[MOST];
    for (int i = 0; i < s->there; i++) {
        out_c[i] = out[i] = (world * 5 + s->first + i) % 3;
        in_c[i] = in[i] = ((s->first + i) * 5 + world) % 3;
        displs_c[i] = displs[i] = 2 * i;
        bytes_c[i] = bytes[i] = 8 * i;
        types[i] = MPI_INT;
    }
    for (int round = 0; round < form_rounds(&even); round++) {
        for (int i = 0; i < 2 * s->there; i++)
            data[i] = element(round, world, s->first + i / 2, i % 2);
        FORM(even, Alltoall, Ialltoall, (data, 2, MPI_INT, got, 2, MPI_INT, s->inter),
             (data, 2, MPI_INT, got, 2, MPI_INT, s->inter));
        for (int i = 0; i < 2 * s->there; i++)
            CHECK(got[i] == element(round, s->first + i / 2, world, i % 2), "alltoall: %d", i);
        for (int k = 0; k < 2; k++) {
            for (int i = 0; i < 2 * s->there; i++)
                got[i] = -1;
            if (k)
                FORM(w, Alltoallw, Ialltoallw, (data, out, bytes, types, got, in, bytes, types, s->inter),
                     (data, out_c, bytes_c, types, got, in_c, bytes_c, types, s->inter));
            else
                FORM(v, Alltoallv, Ialltoallv,
                     (data, out, displs, MPI_INT, got, in, displs, MPI_INT, s->inter),
                     (data, out_c, displs_c, MPI_INT, got, in_c, displs_c, MPI_INT, s->inter));
            for (int i = 0; i < 2 * s->there; i++)
                CHECK(got[i] == (i % 2 < in[i / 2] ? element(round, s->first + i / 2, world, i % 2) : -1),
                      "alltoall%c: %d", "vw"[k], i);
        }
    }
    form_end(&even);
    form_end(&v);
    form_end(&w);
}

/* The other group's sum of element(., rank, 0, place). */
static int total(const struct sides *s, int round, int place)
{
    int sum = 0;
    for (int i = 0; i < s->there; i++)
        sum += element(round, s->first + i, 0, place);
    return sum;
}

static void reduce(const struct sides *s, struct form one, struct form all, int root)
{
    int argument = root_here(s, root), data[5], got[5];
    for (int round = 0; round < form_rounds(&one); round++) {
        for (int i = 0; i < 5; i++) {
            data[i] = element(round, my_rank(), 0, i);
            got[i] = -1;
        }
        FORM(one, Reduce, Ireduce, (data, got, 5, MPI_INT, MPI_SUM, argument, s->inter),
             (data, got, 5, MPI_INT, MPI_SUM, argument, s->inter));
        for (int i = 0; i < 5; i++)
            CHECK(got[i] == (argument == MPI_ROOT ? total(s, round, i) : -1), "reduce: %d", got[i]);
        FORM(all, Allreduce, Iallreduce, (data, got, 5, MPI_INT, MPI_SUM, s->inter),
             (data, got, 5, MPI_INT, MPI_SUM, s->inter));
        for (int i = 0; i < 5; i++)
            CHECK(got[i] == total(s, round, i), "allreduce: %d", got[i]);
    }
    form_end(&one);
    form_end(&all);
}

/* A vector of here * there elements, of which each rank of a group gets as many as the other group has ranks;
 * then all of it by the last rank. */
static void reduce_scatter(const struct sides *s, struct form block, struct form uneven)
{
    int n = s->here * s->there, counts[MOST] = {0};
    MPI_Count counts_c[MOST] = {0};
    int *data = need(sizeof *data * (size_t)n), *got = need(sizeof *got * (size_t)n);
    counts_c[s->here - 1] = counts[s->here - 1] = n;
    for (int round = 0; round < form_rounds(&block); round++) {
        for (int i = 0; i < n; i++)
            data[i] = element(round, my_rank(), 0, i);
        FORM(block, Reduce_scatter_block, Ireduce_scatter_block,
             (data, got, s->there, MPI_INT, MPI_SUM, s->inter),
             (data, got, s->there, MPI_INT, MPI_SUM, s->inter));
        for (int i = 0; i < s->there; i++)
            CHECK(got[i] == total(s, round, s->me * s->there + i), "block: %d", i);
        FORM(uneven, Reduce_scatter, Ireduce_scatter, (data, got, counts, MPI_INT, MPI_SUM, s->inter),
             (data, got, counts_c, MPI_INT, MPI_SUM, s->inter));
        for (int i = 0; s->me == s->here - 1 && i < n; i++)
            CHECK(got[i] == total(s, round, i), "uneven: %d", i);
    }
    form_end(&block);
    form_end(&uneven);
    free(data);
    free(got);
}

static void barrier(const struct sides *s)
{
    MPI_Request request[2];
    OK(MPI_Barrier(s->inter));
    OK(MPI_Ibarrier(s->inter, &request[0]));
    OK(MPI_Barrier_init(s->inter, MPI_INFO_NULL, &request[1]));
    OK(MPI_Start(&request[1]));
    OK(MPI_Waitall(2, request, MPI_STATUSES_IGNORE));
    OK(MPI_Request_free(&request[1]));
}

static void every_form(const struct sides *s)
{
    int left = s->low ? s->here : s->there;
    for (int kind = 0; kind < FORMS; kind++) {
        for (int root = 0; root<left; root += left> 3 ? left - 1 : 1) {
            bcast(s, form_of(kind), root);
            gather(s, form_of(kind), form_of(kind), root);
            scatter(s, form_of(kind), form_of(kind), root);
            reduce(s, form_of(kind), form_of(kind), root);
        }
        allgather(s, form_of(kind), form_of(kind));
        alltoall(s, form_of(kind), form_of(kind), form_of(kind));
        reduce_scatter(s, form_of(kind), form_of(kind));
    }
    barrier(s);
}

static void collectives(void)
{
    int n = world_size();
    for (int left = 1; left<n; left += n> 4 ? n / 2 : 1) {
        struct sides s = split(left);
        every_form(&s);
        join(&s);
    }
}

/* Several under way at once, and the local side used by others meanwhile. */
static void together(void)
{
    struct sides s = split((world_size() + 1) / 2);
    enum { CALLS = 8 };
    MPI_Request requests[CALLS];
    int in[CALLS], out[CALLS];
    MPI_Comm copies[2];
    for (int i = 0; i < CALLS; i++) {
        in[i] = my_rank() * 10 + i;
        OK(MPI_Iallreduce(&in[i], &out[i], 1, MPI_INT, MPI_SUM, s.inter, &requests[i]));
        if (i % 4 == 1)
            OK(MPI_Comm_dup(s.inter, &copies[i / 4]));
    }
    OK(MPI_Waitall(CALLS, requests, MPI_STATUSES_IGNORE));
    for (int i = 0; i < CALLS; i++) {
        int sum = 0;
        for (int r = 0; r < s.there; r++)
            sum += (s.first + r) * 10 + i;
        CHECK(out[i] == sum, "%d: %d", i, out[i]);
    }
    OK(MPI_Comm_free(&copies[0]));
    OK(MPI_Comm_free(&copies[1]));
    join(&s);
}

static void errors(void)
{
    struct sides s = split(1);
    int a = 0, b = 0;
    FAILS(MPI_ERR_ROOT, MPI_Bcast(&a, 1, MPI_INT, s.there, s.inter));
    FAILS(MPI_ERR_BUFFER, MPI_Allreduce(MPI_IN_PLACE, &b, 1, MPI_INT, MPI_SUM, s.inter));
    FAILS_WITH(MPI_ERR_COMM, MPI_Scan(&a, &b, 1, MPI_INT, MPI_SUM, s.inter), "scan", "intercommunicator");
    FAILS(MPI_ERR_COMM, MPI_Exscan(&a, &b, 1, MPI_INT, MPI_SUM, s.inter));
    FAILS(MPI_ERR_TOPOLOGY, MPI_Neighbor_allgather(&a, 1, MPI_INT, &b, 1, MPI_INT, s.inter));
    join(&s);
}

const struct test_case across_cases[] = {
    {"collectives", collectives, 2, 0},
    {"together", together, 2, 0},
    {"errors", errors, 2, 0},
    {0},
};
