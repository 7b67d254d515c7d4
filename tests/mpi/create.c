/* Making communicators: from groups, by type of hardware, nonblocking copies. */
#include "case.h"

#include <peal.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static int sum_over(MPI_Comm comm, int value)
{
    int sum = -1;
    OK(MPI_Allreduce(&value, &sum, 1, MPI_INT, MPI_SUM, comm));
    return sum;
}

static MPI_Group part_of_world(int first, int step)
{
    MPI_Group world, part;
    int range[1][3] = {{first, world_size() - 1, step}};
    OK(MPI_Comm_group(MPI_COMM_WORLD, &world));
    OK(MPI_Group_range_incl(world, 1, range, &part));
    OK(MPI_Group_free(&world));
    return part;
}

/* Only the members call; several at once, apart by tag; in orders that differ. */
static void create_group(void)
{
    int me = my_rank(), n = world_size();
    for (int round = 0; round < 3; round++) {
        MPI_Group group = part_of_world(me % 2, 2);
        MPI_Comm comm;
        OK(MPI_Comm_create_group(MPI_COMM_WORLD, group, 5 + me % 2, &comm));
        int members = (n - me % 2 + 1) / 2;
        CHECK(size_of(comm) == members && rank_in(comm) == me / 2, "%d of %d", rank_in(comm), size_of(comm));
        CHECK(sum_over(comm, 1) == members, "a sum over the members");
        OK(MPI_Comm_free(&comm));
        OK(MPI_Group_free(&group));
    }
    if (me >= n - 2) { /* the last two alone */
        MPI_Group group = part_of_world(n - 2, 1);
        MPI_Comm comm;
        OK(MPI_Comm_create_group(MPI_COMM_WORLD, group, 99, &comm));
        CHECK(sum_over(comm, me) == 2 * n - 3, "the last two");
        OK(MPI_Comm_free(&comm));
        FAILS(MPI_ERR_TAG, MPI_Comm_create_group(MPI_COMM_WORLD, group, -1, &comm));
        OK(MPI_Group_free(&group));
    }
}

/* MPI_Comm_create with groups that differ from rank to rank but do not overlap. */
static void create_disjoint(void)
{
    int me = my_rank(), n = world_size();
    MPI_Group group = part_of_world(me % 2, 2);
    MPI_Comm comm, none;
    OK(MPI_Comm_create(MPI_COMM_WORLD, group, &comm));
    CHECK(sum_over(comm, 1) == (n - me % 2 + 1) / 2, "a sum over the members");
    OK(MPI_Comm_create(MPI_COMM_WORLD, MPI_GROUP_EMPTY, &none));
    CHECK(none == MPI_COMM_NULL, "of nobody");
    OK(MPI_Comm_free(&comm));
    OK(MPI_Group_free(&group));
}

static void split_type(void)
{
    int me = my_rank(), result = -1, n = world_size();
    MPI_Comm comm;
    MPI_Info info;
    OK(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, -me, MPI_INFO_NULL, &comm));
    CHECK(size_of(comm) == n && rank_in(comm) == n - 1 - me, "one host: %d of %d", rank_in(comm),
          size_of(comm));
    OK(MPI_Comm_free(&comm));
    OK(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_UNDEFINED, 0, MPI_INFO_NULL, &comm));
    CHECK(comm == MPI_COMM_NULL, "MPI_UNDEFINED");
    OK(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_HW_UNGUIDED, 0, MPI_INFO_NULL, &comm));
    CHECK(comm == MPI_COMM_NULL, "nothing below one host");
    OK(MPI_Info_create(&info));
    OK(MPI_Info_set(info, "mpi_hw_resource_type", "mpi_shared_memory"));
    OK(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_HW_GUIDED, 0, info, &comm));
    OK(MPI_Comm_compare(comm, MPI_COMM_WORLD, &result));
    CHECK(result == MPI_CONGRUENT, "%d", result);
    OK(MPI_Comm_free(&comm));
    OK(MPI_Info_set(info, "mpi_hw_resource_type", "a thing that is not there"));
    OK(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_HW_GUIDED, 0, info, &comm));
    CHECK(comm == MPI_COMM_NULL, "unknown hardware");
    OK(MPI_Info_free(&info));
    FAILS_WITH(MPI_ERR_ARG, MPI_Comm_split_type(MPI_COMM_WORLD, 4711, 0, MPI_INFO_NULL, &comm), "4711");
}

static void idup(void)
{
    enum { N = 4 };
    int n = world_size(), result = -1, sums[N];
    MPI_Comm comms[N];
    MPI_Request requests[N + 1];
    for (int i = 0; i < N; i++)
        OK(MPI_Comm_idup(MPI_COMM_WORLD, &comms[i], &requests[i]));
    OK(MPI_Ibarrier(MPI_COMM_WORLD, &requests[N]));
    OK(MPI_Waitall(N + 1, requests, MPI_STATUSES_IGNORE));
    for (int i = 0; i < N; i++) {
        OK(MPI_Comm_compare(comms[i], MPI_COMM_WORLD, &result));
        CHECK(result == MPI_CONGRUENT, "%d", result);
        OK(MPI_Iallreduce((int[]){i}, &sums[i], 1, MPI_INT, MPI_SUM, comms[N - 1 - i], &requests[i]));
        OK(MPI_Wait(&requests[i], MPI_STATUS_IGNORE));
        CHECK(sums[i] == i * n, "%d", sums[i]);
    }
    for (int i = 0; i < N; i++)
        OK(MPI_Comm_free(&comms[i]));
}

/* A copy has the attributes, the error handler and the topology of what it is a copy of. */
static void dup_keeps(void)
{
    MPI_Comm cart, copy;
    MPI_Errhandler handler;
    int n = world_size(), status = -1, dims = -1, period = -1, coord = -1;
    OK(MPI_Cart_create(MPI_COMM_WORLD, 1, &n, (int[]){1}, 0, &cart));
    OK(MPI_Comm_dup(cart, &copy));
    OK(MPI_Topo_test(copy, &status));
    CHECK(status == MPI_CART, "%d", status);
    OK(MPI_Cart_get(copy, 1, &dims, &period, &coord));
    CHECK(dims == n && period == 1 && coord == my_rank(), "%d %d %d", dims, period, coord);
    OK(MPI_Comm_get_errhandler(copy, &handler));
    CHECK(handler == MPI_ERRORS_RETURN, "the error handler");
    OK(MPI_Comm_free(&cart));
    OK(MPI_Comm_free(&copy));
}

static void many(void)
{
    /* more than fit into any small table of contexts; each is apart from the others */
    enum { N = 300 };
    MPI_Comm *comms = need(sizeof *comms * N);
    for (int i = 0; i < N; i++)
        OK(MPI_Comm_dup(MPI_COMM_WORLD, &comms[i]));
    if (world_size() > 1 && my_rank() < 2) {
        int other = 1 - my_rank(), got = -1;
        for (int i = 0; i < N; i++)
            OK(MPI_Send(&i, 1, MPI_INT, other, 0, comms[i]));
        for (int i = N - 1; i >= 0; i--) {
            OK(MPI_Recv(&got, 1, MPI_INT, other, 0, comms[i], MPI_STATUS_IGNORE));
            CHECK(got == i, "%d on %d", got, i);
        }
    }
    for (int i = 0; i < N; i++)
        OK(MPI_Comm_free(&comms[i]));
    free(comms);
}

enum { THREADS = 3 };

struct thread {
    pthread_t thread;
    void *world;
    int number;
    MPI_Comm comm;
};

/* Threads that create at once: each on a communicator of its own, and all on one, told apart by the tag. */
static void *creates(void *argument)
{
    struct thread *thread = argument;
    peal_world_join(thread->world);
    int n = world_size(), key, flag = 0, *value = NULL;
    MPI_Group group;
    OK(MPI_Comm_group(MPI_COMM_WORLD, &group));
    for (int k = 0; k < 5; k++) {
        MPI_Comm copy, all, later;
        MPI_Request request;
        OK(MPI_Comm_create_keyval(MPI_COMM_DUP_FN, MPI_COMM_NULL_DELETE_FN, &key, NULL));
        OK(MPI_Comm_set_attr(thread->comm, key, &key));
        OK(MPI_Comm_dup(thread->comm, &copy));
        OK(MPI_Comm_get_attr(copy, key, &value, &flag));
        CHECK(flag && value == &key, "thread %d", thread->number);
        OK(MPI_Comm_create_group(MPI_COMM_WORLD, group, thread->number, &all));
        OK(MPI_Comm_idup(all, &later, &request));
        OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        CHECK(sum_over(copy, thread->number) == n * thread->number, "thread %d", thread->number);
        CHECK(sum_over(all, k) == n * k && sum_over(later, 1) == n, "thread %d", thread->number);
        OK(MPI_Comm_delete_attr(thread->comm, key));
        OK(MPI_Comm_free(&later));
        OK(MPI_Comm_free(&all));
        OK(MPI_Comm_free(&copy));
        OK(MPI_Comm_free_keyval(&key));
    }
    OK(MPI_Group_free(&group));
    return NULL;
}

static void by_threads(void)
{
    struct thread threads[THREADS];
    for (int t = 0; t < THREADS; t++)
        OK(MPI_Comm_dup(MPI_COMM_WORLD, &threads[t].comm));
    for (int t = 0; t < THREADS; t++) {
        threads[t].world = peal_world_here();
        threads[t].number = t;
        if (pthread_create(&threads[t].thread, NULL, creates, &threads[t]))
            abort();
    }
    for (int t = 0; t < THREADS; t++) {
        pthread_join(threads[t].thread, NULL);
        OK(MPI_Comm_free(&threads[t].comm));
    }
}

const struct test_case create_cases[] = {
    {"by_threads", by_threads, 1, CASE_THREADS | CASE_FEW},
    {"create_group", create_group, 2, 0},
    {"create_disjoint", create_disjoint, 2, 0},
    {"split_type", split_type, 1, 0},
    {"idup", idup, 1, 0},
    {"dup_keeps", dup_keeps, 1, 0},
    {"many", many, 1, CASE_FEW},
    {0},
};
