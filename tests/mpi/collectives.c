/* Every collective, in place and not, blocking and not, on all roots and awkward counts. */
#include "coll.h"

#include <stdlib.h>

static long count_at(int k, int n)
{
    return (const long[]){0, 1, n - 1, n, n + 1, 1000}[k];
}

/* One collective in all its forms; roots, and blocking or not, go round. */
static void every_kind(enum coll what)
{
    int n = world_size();
    unsigned seed = 0;
    for (int flavor = 0; flavor < FLAVORS; flavor++)
        for (int k = 0; k < 6; k++)
            for (int in_place = 0; in_place < 2; in_place++, seed++)
                coll_check((struct coll_call){.what = what,
                                              .flavor = &flavors[flavor],
                                              .count = count_at(k, n),
                                              .root = (int)(seed % (unsigned)n),
                                              .in_place = in_place,
                                              .nonblocking = seed / 2 % 2,
                                              .comm = MPI_COMM_WORLD,
                                              .seed = seed});
}

static void every_root(enum coll what)
{
    int n = world_size();
    unsigned seed = 7;
    for (int root = 0; root < n; root++)
        for (int form = 0; form < 4; form++)
            for (int k = 0; k < 2; k++, seed++)
                coll_check((struct coll_call){.what = what,
                                              .flavor = &flavors[k ? FLAVOR_MATRIX : FLAVOR_INT],
                                              .count = k ? 3 : 400,
                                              .root = root,
                                              .in_place = form & 1,
                                              .nonblocking = form & 2,
                                              .comm = MPI_COMM_WORLD,
                                              .seed = seed});
}

static void large(enum coll what)
{
    static const long counts[] = {5000, 30011, 100000};
    int n = world_size();
    bool blocks = what == COLL_ALLTOALL || what == COLL_GATHER || what == COLL_SCATTER ||
                  what == COLL_ALLGATHER || what == COLL_REDUCE_SCATTER;
    for (int k = 0; k < 3 - frugal(); k++)
        for (int form = 0; form < 2; form++)
            coll_check((struct coll_call){.what = what,
                                          .flavor = &flavors[k == 1 ? FLAVOR_DOUBLE : FLAVOR_INT],
                                          .count = blocks ? counts[k] / n + 1 : counts[k],
                                          .root = (k + form) % n,
                                          .in_place = form,
                                          .nonblocking = (k + form) % 2,
                                          .comm = MPI_COMM_WORLD,
                                          .seed = (unsigned)(k * 2 + form)});
}

#define FAMILY(name, what)                                                                                   \
    static void name(void)                                                                                   \
    {                                                                                                        \
        every_kind(what);                                                                                    \
        large(what);                                                                                         \
    }
FAMILY(scatter, COLL_SCATTER)
FAMILY(bcast, COLL_BCAST)
FAMILY(gather, COLL_GATHER)
FAMILY(allgather, COLL_ALLGATHER)
FAMILY(alltoall, COLL_ALLTOALL)
FAMILY(reduce, COLL_REDUCE)
FAMILY(allreduce, COLL_ALLREDUCE)
FAMILY(reduce_scatter, COLL_REDUCE_SCATTER)

static void roots(void)
{
    every_root(COLL_BCAST);
    every_root(COLL_SCATTER);
    every_root(COLL_GATHER);
    every_root(COLL_REDUCE);
}

/* Nobody leaves a barrier before everybody has come: told by the one clock of the host. */
static void barrier(void)
{
    int n = world_size();
    for (int round = 0; round < 20; round++) {
        MPI_Request request;
        double came = MPI_Wtime(), last, left, first;
        if (round % 2) {
            OK(MPI_Ibarrier(MPI_COMM_WORLD, &request));
            OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        } else {
            OK(MPI_Barrier(MPI_COMM_WORLD));
        }
        left = MPI_Wtime();
        OK(MPI_Allreduce(&came, &last, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD));
        OK(MPI_Allreduce(&left, &first, 1, MPI_DOUBLE, MPI_MIN, MPI_COMM_WORLD));
        CHECK(last <= first, "of %d ranks the first left %g s before the last came", n, last - first);
    }
}

/* A nonblocking barrier is not done while one is missing. */
static void barrier_waits(void)
{
    int n = world_size(), me = my_rank(), flag, go = 0;
    MPI_Request request;
    if (me == 0) {
        for (int r = 1; r < n; r++)
            OK(MPI_Recv(&go, 1, MPI_INT, r, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
        OK(MPI_Ibarrier(MPI_COMM_WORLD, &request));
    } else {
        OK(MPI_Ibarrier(MPI_COMM_WORLD, &request));
        for (int k = 0; k < 20; k++) {
            OK(MPI_Test(&request, &flag, MPI_STATUS_IGNORE));
            CHECK(!flag, "passed while rank 0 has not come");
        }
        OK(MPI_Send(&go, 1, MPI_INT, 0, 0, MPI_COMM_WORLD));
    }
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
}

/* Several at once, on several communicators, ended in another order than begun. */
static void in_flight(void)
{
    enum { CALLS = 24 };
    int me = my_rank();
    MPI_Comm comms[4];
    comms[0] = MPI_COMM_WORLD;
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &comms[1]));
    OK(MPI_Comm_split(MPI_COMM_WORLD, me % 2, -me, &comms[2]));
    OK(MPI_Comm_split(MPI_COMM_WORLD, me / 2, me, &comms[3]));
    struct coll_call calls[CALLS];
    for (int round = 0; round < 3; round++) {
        for (int k = 0; k < CALLS; k++) {
            unsigned x = mix((unsigned)k, (unsigned)round);
            MPI_Comm comm = comms[x % 4];
            calls[k] = (struct coll_call){.what = (enum coll)(x / 4 % COLLS),
                                          .flavor = &flavors[x / 64 % FLAVORS],
                                          .count = (const long[]){0, 1, 40, 700, 9000}[x / 1024 % 5],
                                          .root = (int)(x / 8192 % 16) % size_of(comm),
                                          .in_place = x >> 20 & 1,
                                          .nonblocking = k % 6 != 5,
                                          .comm = comm,
                                          .seed = (unsigned)(k + 100 * round)};
            coll_start(&calls[k]);
        }
        for (int k = 0; k < CALLS; k++)
            coll_end(&calls[(k * 7 + me) % CALLS]);
    }
    for (int c = 1; c < 4; c++)
        OK(MPI_Comm_free(&comms[c]));
}

/* A communicator may be freed while its collectives are under way. */
static void freed_under_way(void)
{
    MPI_Comm comm;
    int me = my_rank(), n = world_size(), sum = 0;
    MPI_Request request;
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    OK(MPI_Iallreduce(&me, &sum, 1, MPI_INT, MPI_SUM, comm, &request));
    OK(MPI_Comm_free(&comm));
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK(sum == n * (n - 1) / 2, "%d", sum);
}

/* On parts of the world, in reverse order and of one rank. */
static void on_parts(void)
{
    int n = world_size(), me = my_rank();
    for (int parts = 1; parts <= n; parts += 1 + parts / 2) {
        MPI_Comm comm;
        OK(MPI_Comm_split(MPI_COMM_WORLD, me % parts, -me, &comm));
        int size = size_of(comm);
        for (int what = 0; what < COLLS; what++)
            for (int k = 0; k < 2; k++)
                coll_check((struct coll_call){.what = (enum coll)what,
                                              .flavor = &flavors[k ? FLAVOR_MATRIX : FLAVOR_DOUBLE_INT],
                                              .count = k ? 5 : 600,
                                              .root = (what + parts) % size,
                                              .in_place = k,
                                              .nonblocking = what % 2,
                                              .comm = comm,
                                              .seed = (unsigned)(me % parts)});
        OK(MPI_Comm_free(&comm));
    }
}

/* Buffers of MPI_Alloc_mem, which all ranks of a host reach; some ranks may pass others. */
static void shared_memory(void)
{
    int n = world_size(), me = my_rank();
    enum { COUNT = 50000 };
    for (int form = 0; form < 4; form++) {
        int *in, *out;
        OK(MPI_Alloc_mem(COUNT * sizeof *in, MPI_INFO_NULL, &in));
        OK(MPI_Alloc_mem(COUNT * sizeof *out, MPI_INFO_NULL, &out));
        for (int round = 0; round < 3; round++) {
            bool in_place = form & 1;
            int *private = need(COUNT * sizeof *private);
            int *result = (form & 2) && me == round % n ? private : out;
            for (int i = 0; i < COUNT; i++) {
                in[i] = i * (me + 1) + round;
                result[i] = in_place ? in[i] : -1;
            }
            OK(MPI_Allreduce(in_place ? MPI_IN_PLACE : in, result, COUNT, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
            int wrong = -1;
            for (int i = 0; i < COUNT && wrong < 0; i++)
                if (result[i] != i * (n * (n + 1) / 2) + round * n)
                    wrong = i;
            CHECK(wrong < 0, "form %d, round %d: element %d", form, round, wrong);
            free(private);
        }
        OK(MPI_Free_mem(in));
        OK(MPI_Free_mem(out));
    }
}

/* Sent as one type, received as another of the same bytes. */
static void two_types(void)
{
    int n = world_size(), me = my_rank();
    int out[2] = {me, -me}, *in = need(sizeof *in * 2 * (size_t)n);
    MPI_Datatype two;
    OK(MPI_Type_contiguous(2, MPI_INT, &two));
    OK(MPI_Type_commit(&two));
    OK(MPI_Allgather(out, 1, two, in, 2, MPI_INT, MPI_COMM_WORLD));
    for (int r = 0; r < n; r++)
        CHECK(in[2 * r] == r && in[2 * r + 1] == -r, "from %d", r);
    OK(MPI_Gather(out, 2, MPI_INT, in, 1, two, n - 1, MPI_COMM_WORLD));
    OK(MPI_Type_free(&two));
    free(in);
}

const struct test_case collective_cases[] = {
    {"bcast", bcast, 1, 0},
    {"scatter", scatter, 1, 0},
    {"gather", gather, 1, 0},
    {"allgather", allgather, 1, 0},
    {"alltoall", alltoall, 1, 0},
    {"reduce", reduce, 1, 0},
    {"allreduce", allreduce, 1, 0},
    {"reduce_scatter", reduce_scatter, 1, 0},
    {"roots", roots, 1, 0},
    {"barrier", barrier, 1, 0},
    {"barrier_waits", barrier_waits, 2, 0},
    {"in_flight", in_flight, 1, 0},
    {"freed_under_way", freed_under_way, 1, 0},
    {"on_parts", on_parts, 1, 0},
    {"shared_memory", shared_memory, 1, 0},
    {"two_types", two_types, 1, 0},
    {0},
};
