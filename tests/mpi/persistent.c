/* Persistent collectives: what an inactive request is to all who wait, and the even collectives started again
 * and again. The others are in uneven.c, neighbors.c and across.c.
 */
#include "forms.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 16, ROUNDS = 3 };

static bool is_empty(const MPI_Status *status)
{
    int count = -1;
    OK(MPI_Get_count(status, MPI_INT, &count));
    return status->MPI_SOURCE == MPI_ANY_SOURCE && status->MPI_TAG == MPI_ANY_TAG && count == 0;
}

static void inactive(void)
{
    MPI_Request request[2], kept;
    MPI_Status status, statuses[2];
    int flag = 0, index = 0, count = 0, indices[2];
    OK(MPI_Barrier_init(MPI_COMM_WORLD, MPI_INFO_NULL, &request[0]));
    kept = request[0];
    request[1] = MPI_REQUEST_NULL;
    OK(MPI_Wait(&request[0], &status));
    CHECK(is_empty(&status) && request[0] == kept, "an inactive request stays");
    OK(MPI_Test(&request[0], &flag, &status));
    CHECK(flag && is_empty(&status), "%d", flag);
    OK(MPI_Waitany(2, request, &index, &status));
    CHECK(index == MPI_UNDEFINED && is_empty(&status), "%d", index);
    OK(MPI_Testany(2, request, &index, &flag, &status));
    CHECK(index == MPI_UNDEFINED && flag, "%d %d", index, flag);
    OK(MPI_Waitsome(2, request, &count, indices, statuses));
    CHECK(count == MPI_UNDEFINED, "%d", count);
    OK(MPI_Waitall(2, request, statuses));
    CHECK(is_empty(&statuses[0]) && is_empty(&statuses[1]), "both");
    for (int round = 0; round < ROUNDS; round++) {
        OK(MPI_Start(&request[0]));
        FAILS(MPI_ERR_REQUEST, MPI_Start(&request[0]));
        OK(MPI_Waitany(2, request, &index, &status));
        CHECK(index == 0 && request[0] == kept, "%d", index);
    }
    OK(MPI_Start(&request[0]));
    OK(MPI_Request_free(&request[0])); /* under way: it goes when it is through */
    CHECK(request[0] == MPI_REQUEST_NULL, "freed");
    FAILS(MPI_ERR_REQUEST, MPI_Start(&request[0]));
    OK(MPI_Barrier(MPI_COMM_WORLD));
    OK(MPI_Ibarrier(MPI_COMM_WORLD, &request[0]));
    FAILS(MPI_ERR_REQUEST, MPI_Start(&request[0]));
    OK(MPI_Wait(&request[0], MPI_STATUS_IGNORE));
}

/* All even collectives, made once, then started together, in another order on every rank. */
static void even(void)
{
    enum { CALLS = 8, M = 3 };
    int n = world_size(), me = my_rank(), root = n / 2;
    MPI_Request request[CALLS], order[CALLS];
    int one[M], vector[M], sum[M], total[M], block[M], in[M * MOST], all[M * MOST], gathered[M * MOST],
        turned[M * MOST], dealt[M];
    MPI_Comm w = MPI_COMM_WORLD;
    OK(MPI_Bcast_init(vector, M, MPI_INT, root, w, MPI_INFO_NULL, &request[0]));
    OK(MPI_Gather_init(one, M, MPI_INT, gathered, M, MPI_INT, root, w, MPI_INFO_NULL, &request[1]));
    OK(MPI_Scatter_init(in, M, MPI_INT, dealt, M, MPI_INT, root, w, MPI_INFO_NULL, &request[2]));
    OK(MPI_Allgather_init(one, M, MPI_INT, all, M, MPI_INT, w, MPI_INFO_NULL, &request[3]));
    OK(MPI_Alltoall_init(in, M, MPI_INT, turned, M, MPI_INT, w, MPI_INFO_NULL, &request[4]));
    OK(MPI_Reduce_init(one, sum, M, MPI_INT, MPI_SUM, root, w, MPI_INFO_NULL, &request[5]));
    OK(MPI_Allreduce_init(one, total, M, MPI_INT, MPI_SUM, w, MPI_INFO_NULL, &request[6]));
    OK(MPI_Reduce_scatter_block_init(in, block, M, MPI_INT, MPI_SUM, w, MPI_INFO_NULL, &request[7]));
    for (int round = 0; round < ROUNDS; round++) {
        int base = round * 1000, all_ranks = n * (n - 1) / 2;
        for (int i = 0; i < M * n; i++)
            in[i] = base + 50 * me + i;
        for (int i = 0; i < M; i++) {
            one[i] = base + me + i;
            vector[i] = me == root ? base + i : -1;
        }
        for (int i = 0; i < CALLS; i++)
            order[i] = request[(i + me) % CALLS];
        OK(MPI_Startall(CALLS, order));
        OK(MPI_Waitall(CALLS, order, MPI_STATUSES_IGNORE));
        for (int i = 0; i < M; i++) {
            CHECK(vector[i] == base + i, "bcast %d", i);
            CHECK(total[i] == n * (base + i) + all_ranks, "allreduce %d", i);
            CHECK(dealt[i] == base + 50 * root + me * M + i, "scatter %d", i);
            CHECK(block[i] == n * (base + me * M + i) + 50 * all_ranks, "reduce_scatter %d", i);
            CHECK(me != root || sum[i] == total[i], "reduce %d", i);
        }
        for (int i = 0; i < M * n; i++) {
            CHECK(all[i] == base + i / M + i % M, "allgather %d", i);
            CHECK(turned[i] == base + 50 * (i / M) + me * M + i % M, "alltoall %d", i);
            CHECK(me != root || gathered[i] == all[i], "gather %d", i);
        }
    }
    for (int i = 0; i < CALLS; i++)
        OK(MPI_Request_free(&request[i]));
}

/* Communicator, type and operator are freed by the program long before the last start. */
static void outlives(void)
{
    MPI_Comm comm;
    MPI_Datatype type;
    MPI_Request request;
    int data[4], got[4];
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    OK(MPI_Type_contiguous(2, MPI_INT, &type));
    OK(MPI_Type_commit(&type));
    OK(MPI_Bcast_init(data, 2, type, 0, comm, MPI_INFO_NULL, &request));
    OK(MPI_Type_free(&type));
    OK(MPI_Comm_free(&comm));
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 4; i++)
            data[i] = my_rank() ? -1 : round + i;
        OK(MPI_Start(&request));
        OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        memcpy(got, data, sizeof got);
        for (int i = 0; i < 4; i++)
            CHECK(got[i] == round + i, "%d", got[i]);
    }
    OK(MPI_Request_free(&request));
}

/* Left to MPI_Finalize, inactive. */
static void forgotten(void)
{
    static int nothing;
    MPI_Request request;
    OK(MPI_Bcast_init(&nothing, 0, MPI_INT, 0, MPI_COMM_WORLD, MPI_INFO_NULL, &request));
    OK(MPI_Start(&request));
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
}

const struct test_case persistent_cases[] = {
    {"inactive", inactive, 1, 0},
    {"even", even, 1, 0},
    {"outlives", outlives, 1, 0},
    {"forgotten", forgotten, 1, 0},
    {0},
};
