/* Tiny collectives, which on one host go over shared cells instead of messages: streams
 * longer than the cells are many, late ranks, sleeping ranks, communicators that come and go.
 */
#include "coll.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void pause_ms(int ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

/* A bcast does not wait for its receivers: many in a row from random roots overtake slow ranks
 * as far as there is room, and never further. */
static void bcast_streams(void)
{
    int n = world_size(), me = my_rank();
    for (unsigned k = 0; k < 200; k++) {
        unsigned char bytes[1024];
        int root = (int)(mix(k / 50, 5) % (unsigned)n), length = (int)(mix(k, 6) % 1025);
        if (k % 50 >= 25)
            root = (int)(mix(k, 7) % (unsigned)n);
        if (me == root)
            fill(bytes, (size_t)length, k);
        OK(MPI_Bcast(bytes, length, MPI_BYTE, root, MPI_COMM_WORLD));
        if (!CHECK(differs(bytes, (size_t)length, k) < 0, "bcast %u of %d bytes from %d", k, length, root))
            break;
    }
}

/* All kinds mixed, with sizes on both sides of the limit of 1,024 bytes, also of all blocks together. */
static void mixture(void)
{
    static const enum coll kinds[] = {COLL_BCAST,     COLL_REDUCE,   COLL_ALLREDUCE,
                                      COLL_BARRIER,   COLL_GATHER,   COLL_SCATTER,
                                      COLL_ALLGATHER, COLL_ALLTOALL, COLL_REDUCE_SCATTER};
    int n = world_size();
    for (unsigned k = 0; k < 300; k++) {
        unsigned x = mix(k, 11);
        coll_check((struct coll_call){
            .what = kinds[x % (sizeof kinds / sizeof *kinds)],
            .flavor = &flavors[x / 4 % FLAVORS],
            .count = (long)(x / 32 % 5 ? x / 160 % 16 : (x / 160 % 2 ? 256 : 128) - 2 + x / 320 % 5),
            .root = (int)(x / 4096 % (unsigned)n),
            .in_place = x >> 20 & 1,
            .nonblocking = x % 37 == 0,
            .comm = MPI_COMM_WORLD,
            .seed = k});
    }
}

/* The same, with one rank after the other coming late. */
static void slow_ranks(void)
{
    static const enum coll kinds[] = {COLL_BCAST,     COLL_REDUCE,   COLL_ALLREDUCE,
                                      COLL_BARRIER,   COLL_GATHER,   COLL_SCATTER,
                                      COLL_ALLGATHER, COLL_ALLTOALL, COLL_REDUCE_SCATTER};
    int n = world_size(), me = my_rank();
    for (unsigned k = 0; k < 60; k++) {
        unsigned x = mix(k, 12);
        if ((int)(k / 4 % (unsigned)n) == me && k % 4 == 0)
            pause_ms(2);
        coll_check((struct coll_call){.what = kinds[x % (sizeof kinds / sizeof *kinds)],
                                      .flavor = &flavors[FLAVOR_INT],
                                      .count = (long)(x / 8 % 60),
                                      .root = (int)(x / 4096 % (unsigned)n),
                                      .comm = MPI_COMM_WORLD,
                                      .seed = k});
    }
}

/* One rank stays away long: the others fall asleep, use no core, and wake. */
static void sleepers(void)
{
    int me = my_rank(), n = world_size();
    for (int round = 0; round < 4; round++) {
        int late = round % 2 ? n - 1 : 0, value = me == late ? 42 + round : 0, sum = 0;
        struct timespec before, after;
        if (me == late)
            pause_ms(300);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
        if (round < 2)
            OK(MPI_Bcast(&value, 1, MPI_INT, late, MPI_COMM_WORLD));
        OK(MPI_Allreduce(&value, &sum, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD));
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
        double used =
            (double)(after.tv_sec - before.tv_sec) + 1e-9 * (double)(after.tv_nsec - before.tv_nsec);
        CHECK(sum == 42 + round, "%d", sum);
        CHECK(used < 0.2 || frugal(), "waiting 0.3 s took %.3f s of a core", used);
    }
}

/* Communicators made, used a little and freed while others are still late. */
static void come_and_go(void)
{
    int n = world_size(), me = my_rank(), rounds = frugal() ? 60 : n == 3 ? 2000 : 150;
    for (int k = 0; k < rounds; k++) {
        MPI_Comm comm;
        int value = k, sum = 0;
        OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
        if (k % 3 != 2)
            OK(MPI_Bcast(&value, 1, MPI_INT, k % n, comm));
        if (k % 3 == 1)
            OK(MPI_Reduce(&me, &sum, 1, MPI_INT, MPI_SUM, (k + 1) % n, comm));
        if (k % 3 == 1 && me == (k + 1) % n)
            CHECK(sum == n * (n - 1) / 2, "round %d: %d", k, sum);
        OK(MPI_Comm_free(&comm));
    }
}

static void freed_while_late(void)
{
    int n = world_size(), me = my_rank();
    for (int k = 0; k < 12; k++) {
        MPI_Comm comm;
        OK(MPI_Comm_split(MPI_COMM_WORLD, 0, k % 2 ? -me : me, &comm));
        for (int i = 0; i < 5; i++) {
            int value = i, root = (k + i) % n;
            if (rank_in(comm) != root)
                value = -1;
            if (me == k % n && i == 2)
                pause_ms(3);
            OK(MPI_Bcast(&value, 1, MPI_INT, root, comm));
            CHECK(value == i, "%d", value);
        }
        OK(MPI_Comm_free(&comm));
    }
}

/* Two communicators in turn, and one's nonblocking calls between the other's. */
static void two_boards(void)
{
    MPI_Comm comms[2];
    int n = world_size(), me = my_rank();
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &comms[0]));
    OK(MPI_Comm_split(MPI_COMM_WORLD, 0, -me, &comms[1]));
    for (int k = 0; k < 40; k++) {
        int sum[2] = {-1, -1}, later = -1, value = k * (me + 1);
        MPI_Request request;
        OK(MPI_Iallreduce(&value, &later, 1, MPI_INT, MPI_SUM, comms[0], &request));
        OK(MPI_Allreduce(&value, &sum[0], 1, MPI_INT, MPI_SUM, comms[0]));
        OK(MPI_Allreduce(&value, &sum[1], 1, MPI_INT, MPI_SUM, comms[1]));
        OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        int right = k * (n * (n + 1) / 2);
        CHECK(sum[0] == right && sum[1] == right && later == right, "%d %d %d", sum[0], sum[1], later);
    }
    OK(MPI_Comm_free(&comms[0]));
    OK(MPI_Comm_free(&comms[1]));
}

const struct test_case board_cases[] = {
    {"bcast_streams", bcast_streams, 1, 0},     {"mixture", mixture, 1, 0},
    {"slow_ranks", slow_ranks, 2, CASE_SLEEPS}, {"sleepers", sleepers, 2, CASE_SLEEPS},
    {"come_and_go", come_and_go, 1, 0},         {"freed_while_late", freed_while_late, 2, CASE_SLEEPS},
    {"two_boards", two_boards, 1, 0},           {0},
};
