/* Each algorithm by name, forced on a communicator by its info, against the reference. */
#include "coll.h"

#include <stdio.h>
#include <string.h>

static const struct {
    enum coll what;
    const char *name;
} algorithms[] = {
    {COLL_BARRIER, "barrier=dissemination"},
    {COLL_BARRIER, "barrier=central"},
    {COLL_BCAST, "bcast=binomial"},
    {COLL_BCAST, "bcast=scatter_ring"},
    {COLL_BCAST, "bcast=scatter_doubling"},
    {COLL_BCAST, "bcast=chain"},
    {COLL_SCATTER, "scatter=binomial"},
    {COLL_SCATTER, "scatter=linear"},
    {COLL_GATHER, "gather=binomial"},
    {COLL_GATHER, "gather=linear"},
    {COLL_ALLGATHER, "allgather=ring"},
    {COLL_ALLGATHER, "allgather=doubling"},
    {COLL_ALLGATHER, "allgather=bruck"},
    {COLL_ALLGATHER, "allgather=linear"},
    {COLL_ALLTOALL, "alltoall=linear"},
    {COLL_ALLTOALL, "alltoall=pairwise"},
    {COLL_ALLTOALL, "alltoall=bruck"},
    {COLL_REDUCE, "reduce=binomial"},
    {COLL_REDUCE, "reduce=linear"},
    {COLL_REDUCE, "reduce=scatter_gather"},
    {COLL_ALLREDUCE, "allreduce=doubling"},
    {COLL_ALLREDUCE, "allreduce=halving"},
    {COLL_ALLREDUCE, "allreduce=ring"},
    {COLL_ALLREDUCE, "allreduce=pairwise"},
    {COLL_ALLREDUCE, "allreduce=reduce_bcast"},
    {COLL_ALLREDUCE, "allreduce=direct"},
    {COLL_REDUCE_SCATTER, "reduce_scatter=pairwise"},
    {COLL_REDUCE_SCATTER, "reduce_scatter=ring"},
    {COLL_REDUCE_SCATTER, "reduce_scatter=halving"},
};

static MPI_Comm forced(const char *name)
{
    MPI_Comm comm = MPI_COMM_NULL;
    MPI_Info info;
    OK(MPI_Info_create(&info));
    OK(MPI_Info_set(info, "peal_algorithm", name));
    OK(MPI_Comm_dup_with_info(MPI_COMM_WORLD, info, &comm));
    OK(MPI_Info_free(&info));
    char found[128] = "";
    int length = sizeof found, flag = 0;
    OK(MPI_Comm_get_info(comm, &info));
    OK(MPI_Info_get_string(info, "peal_algorithm", &length, found, &flag));
    CHECK(flag && !strcmp(found, name), "the communicator has '%s', not '%s'", found, name);
    OK(MPI_Info_free(&info));
    return comm;
}

static void by_name(void)
{
    int n = world_size();
    unsigned seed = 1;
    for (size_t a = 0; a < sizeof algorithms / sizeof *algorithms; a++) {
        MPI_Comm comm = forced(algorithms[a].name);
        const long counts[] = {1, n + 1, 333, frugal() ? 3000 : 40000};
        const int kinds[] = {FLAVOR_INT, FLAVOR_MATRIX, FLAVOR_SHORT_INT, FLAVOR_INT};
        for (int k = 0; k < 4; k++)
            for (int form = 0; form < 4; form++, seed++)
                if ((k + form) % 2 == 0)
                    coll_check((struct coll_call){.what = algorithms[a].what,
                                                  .flavor = &flavors[kinds[k]],
                                                  .count = k == 3 ? counts[k] / n + 1 : counts[k],
                                                  .root = (int)(seed % (unsigned)n),
                                                  .in_place = form & 1,
                                                  .nonblocking = form & 2,
                                                  .comm = comm,
                                                  .seed = seed});
        OK(MPI_Comm_free(&comm));
    }
}

/* Operators that do not commute keep their order whatever is asked for. */
static void order_kept(void)
{
    static const char *const names[] = {"allreduce=ring", "reduce_scatter=ring", "allreduce=doubling"};
    for (int k = 0; k < 3; k++) {
        MPI_Comm comm = forced(names[k]);
        for (unsigned seed = 0; seed < 4; seed++)
            coll_check((struct coll_call){.what = k == 1 ? COLL_REDUCE_SCATTER : COLL_ALLREDUCE,
                                          .flavor = &flavors[FLAVOR_MATRIX],
                                          .count = seed < 2 ? 2 : 2500,
                                          .nonblocking = seed & 1,
                                          .comm = comm,
                                          .seed = seed});
        OK(MPI_Comm_free(&comm));
    }
}

/* Several at once for several collectives; the copy of a communicator has them too. */
static void inherited(void)
{
    MPI_Comm comm = forced("allreduce=pairwise,bcast=chain"), copy, part;
    char found[128] = "";
    int length = sizeof found, flag = 0;
    MPI_Info info;
    OK(MPI_Comm_dup(comm, &copy));
    OK(MPI_Comm_get_info(copy, &info));
    OK(MPI_Info_get_string(info, "peal_algorithm", &length, found, &flag));
    CHECK(flag && !strcmp(found, "allreduce=pairwise,bcast=chain"), "'%s'", found);
    OK(MPI_Info_free(&info));
    OK(MPI_Comm_split(copy, 0, 0, &part));
    coll_check((struct coll_call){
        .what = COLL_ALLREDUCE, .flavor = &flavors[FLAVOR_INT], .count = 50, .comm = part, .seed = 3});
    coll_check((struct coll_call){
        .what = COLL_BCAST, .flavor = &flavors[FLAVOR_INT], .count = 50, .comm = copy, .seed = 3});
    OK(MPI_Comm_free(&part));
    OK(MPI_Comm_free(&copy));
    OK(MPI_Comm_free(&comm));
}

const struct test_case algorithm_cases[] = {
    {"by_name", by_name, 1, 0},
    {"order_kept", order_kept, 1, 0},
    {"inherited", inherited, 1, 0},
    {0},
};
