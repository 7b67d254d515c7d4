/* Groups that meet at a port: accept, connect, join, disconnect; published names. */
#include "case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void send_port(const char *port, int to)
{
    OK(MPI_Send(port, MPI_MAX_PORT_NAME, MPI_CHAR, to, 71, MPI_COMM_WORLD));
}

static void receive_port(char *port, int from)
{
    OK(MPI_Recv(port, MPI_MAX_PORT_NAME, MPI_CHAR, from, 71, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
}

/* Two halves of the world connect; the merged communicator is the world again. */
static void accept_connect(void)
{
    int n = world_size(), me = my_rank(), left = (n + 1) / 2, size = -1, sum = -1;
    char port[MPI_MAX_PORT_NAME] = "";
    MPI_Comm half, inter = MPI_COMM_NULL, all;
    OK(MPI_Comm_split(MPI_COMM_WORLD, me >= left, 0, &half));
    for (int round = 0; round < 2; round++) {
        int root = size_of(half) - 1;
        if (me < left) {
            if (rank_in(half) == root) {
                OK(MPI_Open_port(MPI_INFO_NULL, port));
                send_port(port, n - 1);
            }
            OK(MPI_Comm_accept(port, MPI_INFO_NULL, root, half, &inter));
            if (rank_in(half) == root)
                OK(MPI_Close_port(port));
        } else {
            if (rank_in(half) == root)
                receive_port(port, left - 1);
            OK(MPI_Comm_connect(port, MPI_INFO_NULL, root, half, &inter));
        }
        OK(MPI_Comm_remote_size(inter, &size));
        CHECK(size == n - size_of(half), "%d", size);
        OK(MPI_Intercomm_merge(inter, me >= left, &all));
        CHECK(rank_in(all) == me && size_of(all) == n, "%d of %d", rank_in(all), size_of(all));
        OK(MPI_Allreduce(&me, &sum, 1, MPI_INT, MPI_SUM, all));
        CHECK(sum == n * (n - 1) / 2, "%d", sum);
        OK(MPI_Comm_disconnect(&all));
        OK(MPI_Comm_disconnect(&inter));
        CHECK(inter == MPI_COMM_NULL, "the handle is left");
    }
    OK(MPI_Comm_free(&half));
}

static void names(void)
{
    char service[64], found[MPI_MAX_PORT_NAME] = "";
    snprintf(service, sizeof service, "a service with blanks of rank %d", my_rank());
    FAILS(MPI_ERR_NAME, MPI_Lookup_name(service, MPI_INFO_NULL, found));
    OK(MPI_Publish_name(service, MPI_INFO_NULL, "any port, with blanks"));
    FAILS(MPI_ERR_SERVICE, MPI_Publish_name(service, MPI_INFO_NULL, "another"));
    OK(MPI_Barrier(MPI_COMM_WORLD));
    snprintf(service, sizeof service, "a service with blanks of rank %d", (my_rank() + 1) % world_size());
    OK(MPI_Lookup_name(service, MPI_INFO_NULL, found));
    CHECK(!strcmp(found, "any port, with blanks"), "'%s'", found);
    OK(MPI_Barrier(MPI_COMM_WORLD));
    OK(MPI_Unpublish_name(service, MPI_INFO_NULL, found));
    FAILS(MPI_ERR_NAME, MPI_Lookup_name(service, MPI_INFO_NULL, found));
    FAILS(MPI_ERR_SERVICE, MPI_Unpublish_name(service, MPI_INFO_NULL, found));
    OK(MPI_Barrier(MPI_COMM_WORLD));
}

static void wrong(void)
{
    MPI_Comm comm;
    if (my_rank())
        return;
    FAILS(MPI_ERR_PORT, MPI_Comm_connect("nonsense", MPI_INFO_NULL, 0, MPI_COMM_SELF, &comm));
    FAILS(MPI_ERR_PORT, MPI_Comm_accept("nonsense", MPI_INFO_NULL, 0, MPI_COMM_SELF, &comm));
    FAILS(MPI_ERR_PORT, MPI_Close_port("nonsense"));
    FAILS(MPI_ERR_ROOT, MPI_Comm_connect("nonsense", MPI_INFO_NULL, 1, MPI_COMM_SELF, &comm));
    comm = MPI_COMM_WORLD;
    FAILS(MPI_ERR_COMM, MPI_Comm_disconnect(&comm));
    OK(MPI_Comm_get_parent(&comm));
    CHECK(comm == MPI_COMM_NULL, "nobody spawned this world");
}

/* Nobody accepts; then one is refused, because the port is closed, or gives up; then somebody accepts. */
static void nobody_accepts(void)
{
    int me = my_rank();
    char port[MPI_MAX_PORT_NAME] = "";
    MPI_Comm pair, inter;
    MPI_Info info;
    OK(MPI_Comm_split(MPI_COMM_WORLD, me < 2 ? 0 : MPI_UNDEFINED, 0, &pair));
    if (me >= 2)
        return;
    OK(MPI_Info_create(&info));
    OK(MPI_Info_set(info, "timeout", "0.05"));
    if (!me) {
        OK(MPI_Open_port(MPI_INFO_NULL, port));
        send_port(port, 1);
        OK(MPI_Barrier(pair));
        OK(MPI_Comm_accept(port, MPI_INFO_NULL, 0, MPI_COMM_SELF, &inter)); /* not the one that gave up */
        OK(MPI_Comm_disconnect(&inter));
        OK(MPI_Barrier(pair));
        usleep(50000); /* most likely somebody waits at the door by then */
        OK(MPI_Close_port(port));
    } else {
        receive_port(port, 0);
        FAILS_WITH(MPI_ERR_PORT, MPI_Comm_connect(port, info, 0, MPI_COMM_SELF, &inter), "accepts");
        OK(MPI_Barrier(pair));
        OK(MPI_Comm_connect(port, MPI_INFO_NULL, 0, MPI_COMM_SELF, &inter));
        OK(MPI_Comm_disconnect(&inter));
        OK(MPI_Barrier(pair));
        OK(MPI_Info_set(info, "timeout", "0.5"));
        FAILS(MPI_ERR_PORT, MPI_Comm_connect(port, info, 0, MPI_COMM_SELF, &inter));
    }
    OK(MPI_Barrier(pair));
    OK(MPI_Info_free(&info));
    OK(MPI_Comm_free(&pair));
}

const struct test_case dynamic_cases[] = {
    {"accept_connect", accept_connect, 2, 0},
    {"names", names, 1, 0},
    {"nobody_accepts", nobody_accepts, 2, CASE_SLEEPS},
    {"wrong", wrong, 1, 0},
    {0},
};
