/* MPI_THREAD_MULTIPLE: threads of one rank, each on a communicator of its own, and all on one. */
#include "case.h"

#include <peal.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

enum { THREADS = 3 };

struct thread {
    pthread_t thread;
    void *world;
    int number;
    MPI_Comm comm;
};

static void start_all(struct thread *threads, void *(*run)(void *thread))
{
    for (int t = 0; t < THREADS; t++) {
        threads[t].world = peal_world_here();
        threads[t].number = t;
        if (pthread_create(&threads[t].thread, NULL, run, &threads[t]))
            abort();
    }
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t].thread, NULL);
}

static void *own_communicator(void *argument)
{
    struct thread *thread = argument;
    peal_world_join(thread->world);
    MPI_Comm comm = thread->comm;
    int n = size_of(comm), me = rank_in(comm), left = (me + n - 1) % n;
    static const int sizes[] = {8, 5000, 80000};
    char *out = need(80000), *in = need(80000);
    for (int k = 0; k < 12; k++) {
        int size = sizes[k % 3], sum = 0, value = me + thread->number + k, main = 1;
        MPI_Status status;
        fill(out, (size_t)size, (unsigned)(me + k));
        OK(MPI_Sendrecv(out, size, MPI_BYTE, (me + 1) % n, k, in, size, MPI_BYTE, left, k, comm, &status));
        CHECK_STATUS(&status, left, k, MPI_BYTE, size);
        CHECK(differs(in, (size_t)size, (unsigned)(left + k)) < 0, "thread %d, %d bytes", thread->number,
              size);
        OK(MPI_Allreduce(&value, &sum, 1, MPI_INT, MPI_SUM, comm));
        CHECK(sum == n * (n - 1) / 2 + n * (thread->number + k), "thread %d: %d", thread->number, sum);
        MPI_Request request;
        OK(MPI_Iallreduce(&value, &sum, 1, MPI_INT, MPI_MAX, comm, &request));
        OK(MPI_Barrier(comm));
        OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        CHECK(sum == n - 1 + thread->number + k, "thread %d: %d", thread->number, sum);
        OK(MPI_Is_thread_main(&main));
        CHECK(!main, "thread %d is not the main one", thread->number);
    }
    free(out);
    free(in);
    return NULL;
}

static void apart(void)
{
    struct thread threads[THREADS];
    for (int t = 0; t < THREADS; t++)
        OK(MPI_Comm_dup(MPI_COMM_WORLD, &threads[t].comm));
    start_all(threads, own_communicator);
    for (int t = 0; t < THREADS; t++)
        OK(MPI_Comm_free(&threads[t].comm));
}

/* On one communicator the threads are told apart by the tag. */
static void *own_tag(void *argument)
{
    struct thread *thread = argument;
    peal_world_join(thread->world);
    int n = world_size(), me = my_rank(), left = (me + n - 1) % n;
    for (int k = 0; k < 60; k++) {
        int out = k * 1000 + me, in = -1;
        MPI_Request requests[2];
        OK(MPI_Irecv(&in, 1, MPI_INT, left, thread->number, MPI_COMM_WORLD, &requests[0]));
        OK(MPI_Isend(&out, 1, MPI_INT, (me + 1) % n, thread->number, MPI_COMM_WORLD, &requests[1]));
        OK(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE));
        CHECK(in == k * 1000 + left, "thread %d, message %d: %d", thread->number, k, in);
    }
    return NULL;
}

static void together(void)
{
    struct thread threads[THREADS];
    start_all(threads, own_tag);
}

/* One thread waits for what another of the same rank sends. */
static void *to_the_other(void *argument)
{
    struct thread *thread = argument;
    peal_world_join(thread->world);
    int value = thread->number, me = my_rank(), next = (thread->number + 1) % THREADS;
    if (thread->number) {
        OK(MPI_Recv(&value, 1, MPI_INT, me, 100 + thread->number, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
        value++;
    }
    OK(MPI_Send(&value, 1, MPI_INT, me, 100 + next, MPI_COMM_WORLD));
    if (!thread->number) {
        OK(MPI_Recv(&value, 1, MPI_INT, me, 100, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
        CHECK(value == THREADS - 1, "%d", value);
    }
    return NULL;
}

static void within_a_rank(void)
{
    struct thread threads[THREADS];
    start_all(threads, to_the_other);
}

/* Objects made and freed at the same time, and messages from anybody. */
static void make_and_free(struct thread *thread, int round)
{
    int n = size_of(thread->comm), me = rank_in(thread->comm), one = 1, members = 0, key;
    MPI_Comm copy, half;
    MPI_Datatype type;
    MPI_Info info;
    OK(MPI_Comm_dup(thread->comm, &copy));
    OK(MPI_Comm_split(copy, me % 2, 0, &half));
    OK(MPI_Allreduce(&one, &members, 1, MPI_INT, MPI_SUM, half));
    CHECK(members == (n + 1 - me % 2) / 2, "thread %d: %d members", thread->number, members);
    OK(MPI_Comm_free(&half));
    OK(MPI_Type_vector(5, 1, 2, MPI_INT, &type));
    OK(MPI_Type_commit(&type));
    int data[9] = {[4] = me ? -1 : round};
    OK(MPI_Bcast(data, 1, type, 0, copy));
    CHECK(data[4] == round, "thread %d: %d", thread->number, data[4]);
    OK(MPI_Type_free(&type));
    OK(MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, MPI_COMM_NULL_DELETE_FN, &key, NULL));
    OK(MPI_Comm_set_attr(copy, key, data));
    OK(MPI_Comm_free(&copy));
    OK(MPI_Comm_free_keyval(&key));
    OK(MPI_Info_create(&info));
    OK(MPI_Info_set(info, "key", "value"));
    OK(MPI_Info_free(&info));
}

static void *making(void *argument)
{
    struct thread *thread = argument;
    peal_world_join(thread->world);
    MPI_Comm comm = thread->comm;
    int n = size_of(comm), me = rank_in(comm), left = (me + n - 1) % n;
    for (int k = 0; k < 6; k++) {
        int out = me * 10 + thread->number, in = -1, flag = 0;
        MPI_Message message;
        MPI_Request request;
        MPI_Status status;
        OK(MPI_Isend(&out, 1, MPI_INT, (me + 1) % n, k, comm, &request));
        OK(MPI_Mprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm, &message, &status));
        OK(MPI_Mrecv(&in, 1, MPI_INT, &message, &status));
        CHECK(in == left * 10 + thread->number, "thread %d: %d", thread->number, in);
        CHECK_STATUS(&status, left, k, MPI_INT, 1);
        OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        make_and_free(thread, k);
        OK(MPI_Ibarrier(comm, &request));
        while (!flag)
            OK(MPI_Test(&request, &flag, MPI_STATUS_IGNORE));
    }
    return NULL;
}

static void makers(void)
{
    struct thread threads[THREADS];
    for (int t = 0; t < THREADS; t++)
        OK(MPI_Comm_dup(MPI_COMM_WORLD, &threads[t].comm));
    start_all(threads, making);
    for (int t = 0; t < THREADS; t++)
        OK(MPI_Comm_free(&threads[t].comm));
}

const struct test_case thread_cases[] = {
    {"apart", apart, 1, CASE_THREADS | CASE_FEW},
    {"together", together, 1, CASE_THREADS | CASE_FEW},
    {"makers", makers, 1, CASE_THREADS | CASE_FEW},
    {"within_a_rank", within_a_rank, 1, CASE_THREADS},
    {0},
};
