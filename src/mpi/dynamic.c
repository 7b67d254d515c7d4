/* Connecting worlds (MPI 5.0, sections 11.8 and 11.9): the calls. port.c does the work. */
#include "agree.h"
#include "bridge.h"
#include "exchange.h"
#include "info.h"
#include "port.h"
#include "world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int check_info(struct pl_mpi *mpi, MPI_Info info)
{
    struct pl_info *hints;
    return info == MPI_INFO_NULL ? 0 : pl_info_of(mpi, info, &hints);
}

int PMPI_Open_port(MPI_Info info, char *port_name)
{
    struct pl_mpi *mpi = pl_call("MPI_Open_port");
    int error = check_info(mpi, info);
    if (!error)
        error = pl_check_pointer(port_name, "port_name");
    if (!error)
        error = pl_port_open(mpi, port_name);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Open_port)

int PMPI_Close_port(const char *port_name)
{
    struct pl_mpi *mpi = pl_call("MPI_Close_port");
    int error = pl_check_pointer(port_name, "port_name");
    if (!error)
        error = pl_port_close(mpi, port_name);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Close_port)

static int check_connect(struct pl_mpi *mpi, const char *port_name, MPI_Info info, int root, MPI_Comm comm,
                         const MPI_Comm *newcomm, struct pl_comm **c)
{
    int error = pl_comm_of(mpi, comm, c);
    if (!error && (*c)->remote)
        error = pl_bad(MPI_ERR_COMM, "%s is an intercommunicator", (*c)->name);
    if (!error)
        error = pl_check_root(*c, root);
    if (!error && (*c)->rank == root)
        error = pl_check_pointer(port_name, "port_name");
    if (!error)
        error = check_info(mpi, info);
    return error ? error : pl_check_pointer(newcomm, "newcomm");
}

int PMPI_Comm_accept(const char *port_name, MPI_Info info, int root, MPI_Comm comm, MPI_Comm *newcomm)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_accept");
    struct pl_comm *c = NULL, *made;
    int error = check_connect(mpi, port_name, info, root, comm, newcomm, &c);
    if (!error)
        error = pl_port_accept(mpi, port_name, root, c, &made);
    if (!error)
        *newcomm = (MPI_Comm)made->handle;
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_accept)

/* The hint "timeout": seconds until nobody accepts; 0: not given. */
static double patience(struct pl_mpi *mpi, MPI_Info info)
{
    struct pl_info *hints;
    const char *value =
        info == MPI_INFO_NULL || pl_info_of(mpi, info, &hints) ? NULL : pl_info_value(hints, "timeout");
    double seconds = value ? strtod(value, NULL) : 0;
    return seconds > 0 && seconds < 1e9 ? seconds : 0;
}

int PMPI_Comm_connect(const char *port_name, MPI_Info info, int root, MPI_Comm comm, MPI_Comm *newcomm)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_connect");
    struct pl_comm *c = NULL, *made;
    int error = check_connect(mpi, port_name, info, root, comm, newcomm, &c);
    if (!error)
        error = pl_port_connect(mpi, port_name, root, c, patience(mpi, info), &made);
    if (!error)
        *newcomm = (MPI_Comm)made->handle;
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_connect)

/* Whether a communicator is left that the peer is in. */
static bool peer_used(int peer, void *argument)
{
    const struct pl_mpi *mpi = argument;
    const struct pl_handles *comms = &mpi->handles[PL_CLASS_COMM];
    for (uint32_t i = 0; i < comms->size; i++) {
        const struct pl_comm *comm = comms->slots[i].object;
        if (comm && (pl_group_rank(comm->group, peer) >= 0 || pl_group_rank(comm->remote, peer) >= 0))
            return true;
    }
    return false;
}

/* All ranks of both sides have come. */
static int meet_all(struct pl_comm *comm)
{
    unsigned char here = 1, there = 0;
    if (!comm->remote)
        return pl_exchange_barrier(comm, PL_BARRIER_DISCONNECT);
    int error = pl_exchange_barrier(comm->local, PL_BARRIER_DISCONNECT);
    if (!error && !comm->rank)
        error = pl_agree_swap(comm, comm, 0, PL_AGREE_INTER, &here, sizeof here, &there, sizeof there);
    return error ? error : pl_exchange_bcast(comm->local, &there, sizeof there, 0);
}

int PMPI_Comm_disconnect(MPI_Comm *comm)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_disconnect");
    struct pl_comm *c = NULL;
    int error = pl_check_pointer(comm, "comm");
    if (!error)
        error = pl_comm_of(mpi, *comm, &c);
    if (!error && (c == mpi->rank->world || c == mpi->rank->self))
        error = pl_bad(MPI_ERR_COMM, "%s cannot be disconnected", c->name);
    if (!error && !c->broken) {
        error = meet_all(c);
        error = c->broken ? 0 : error; /* not all can come: this rank goes alone */
    }
    if (!error)
        error = pl_comm_close(mpi, c);
    if (!error) {
        *comm = MPI_COMM_NULL;
        c = NULL;
        if (!mpi->meetings) /* else a later one closes them */
            pl_bridges_close_unused(mpi->rank, peer_used, mpi);
    }
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_disconnect)

static int move_bytes(int fd, char *bytes, size_t length, bool out)
{
    while (length) {
        ssize_t n = out ? write(fd, bytes, length) : read(fd, bytes, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return pl_bad(MPI_ERR_ARG, "descriptor %d is not a socket to another MPI process: %s", fd,
                          n ? strerror(errno) : "it was closed");
        bytes += n;
        length -= (size_t)n;
    }
    return 0;
}

/* Both sides write a name of a port of theirs; the greater name is the one where they meet. */
int PMPI_Comm_join(int fd, MPI_Comm *intercomm)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_join");
    char mine[MPI_MAX_PORT_NAME] = "", theirs[MPI_MAX_PORT_NAME] = "";
    struct pl_comm *made = NULL, *self = mpi->rank->self;
    int error = pl_check_pointer(intercomm, "intercomm");
    if (!error)
        error = pl_port_open(mpi, mine);
    if (error)
        return pl_return(mpi, NULL, error);
    error = move_bytes(fd, mine, sizeof mine, true);
    if (!error)
        error = move_bytes(fd, theirs, sizeof theirs, false);
    theirs[MPI_MAX_PORT_NAME - 1] = 0;
    int order = strcmp(mine, theirs);
    if (!error && !order)
        error = pl_bad(MPI_ERR_ARG, "descriptor %d leads back to this very process", fd);
    if (!error)
        error = order > 0 ? pl_port_accept(mpi, mine, 0, self, &made)
                          : pl_port_connect(mpi, theirs, 0, self, 0, &made);
    pl_port_close(mpi, mine);
    if (!error)
        *intercomm = (MPI_Comm)made->handle;
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Comm_join)

static int check_names(struct pl_mpi *mpi, const char *service_name, MPI_Info info, const char *port_name)
{
    int error = pl_check_pointer(service_name, "service_name");
    if (!error)
        error = pl_check_pointer(port_name, "port_name");
    return error ? error : check_info(mpi, info);
}

int PMPI_Publish_name(const char *service_name, MPI_Info info, const char *port_name)
{
    struct pl_mpi *mpi = pl_call("MPI_Publish_name");
    int error = check_names(mpi, service_name, info, port_name);
    if (!error)
        error = pl_world_publish(mpi->rank, service_name, port_name);
    return pl_return(mpi, NULL, error == PL_EARG ? pl_bad(MPI_ERR_SERVICE, "%.400s", pl_fail_text()) : error);
}
PL_WEAK(Publish_name)

int PMPI_Unpublish_name(const char *service_name, MPI_Info info, const char *port_name)
{
    struct pl_mpi *mpi = pl_call("MPI_Unpublish_name");
    int error = check_names(mpi, service_name, info, port_name);
    if (!error)
        error = pl_world_unpublish(mpi->rank, service_name);
    return pl_return(mpi, NULL, error == PL_EARG ? pl_bad(MPI_ERR_SERVICE, "%.400s", pl_fail_text()) : error);
}
PL_WEAK(Unpublish_name)

int PMPI_Lookup_name(const char *service_name, MPI_Info info, char *port_name)
{
    struct pl_mpi *mpi = pl_call("MPI_Lookup_name");
    int error = check_names(mpi, service_name, info, port_name);
    if (!error)
        error = pl_world_lookup(mpi->rank, service_name, port_name, MPI_MAX_PORT_NAME);
    return pl_return(mpi, NULL, error == PL_EARG ? pl_bad(MPI_ERR_NAME, "%.400s", pl_fail_text()) : error);
}
PL_WEAK(Lookup_name)
