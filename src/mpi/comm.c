/* Communicators (MPI 5.0, sections 7.4 and 7.8): asking about one, comparing, freeing.
 * agree.h has how they are made.
 */
#include "agree.h"
#include "info.h"

#include <stdio.h>
#include <string.h>

int pl_comm_of(struct pl_mpi *mpi, MPI_Comm handle, struct pl_comm **comm)
{
    *comm = pl_comm_find(mpi, handle);
    if (__builtin_expect(*comm != NULL, 1))
        return 0;
    if (handle == MPI_COMM_NULL)
        return pl_bad(MPI_ERR_COMM, "the communicator is MPI_COMM_NULL");
    return pl_bad(MPI_ERR_COMM, "%p is not a communicator (freed, or never made)", (void *)handle);
}

int pl_comm_publish(struct pl_mpi *mpi, struct pl_comm *comm, MPI_Comm *handle)
{
    comm->handle = pl_handle_new(&mpi->handles[PL_CLASS_COMM], PL_CLASS_COMM, comm);
    if (!comm->handle) {
        pl_comm_release(comm);
        return pl_fail(PL_ENOMEM, "no memory for a communicator handle");
    }
    *handle = (MPI_Comm)comm->handle;
    return 0;
}

int PMPI_Comm_size(MPI_Comm comm, int *size)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_size");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(size, "size");
    if (!error)
        *size = c->size;
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_size)

int PMPI_Comm_rank(MPI_Comm comm, int *rank)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_rank");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(rank, "rank");
    if (!error)
        *rank = c->rank;
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_rank)

static int compare(const struct pl_comm *a, const struct pl_comm *b)
{
    if (a == b)
        return MPI_IDENT;
    if (!a->remote != !b->remote)
        return MPI_UNEQUAL;
    int same = pl_group_compare(a->group, b->group);
    int across = a->remote ? pl_group_compare(a->remote, b->remote) : same;
    if (same == MPI_UNEQUAL || across == MPI_UNEQUAL)
        return MPI_UNEQUAL;
    return same == MPI_IDENT && across == MPI_IDENT ? MPI_CONGRUENT : MPI_SIMILAR;
}

int PMPI_Comm_compare(MPI_Comm comm1, MPI_Comm comm2, int *result)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_compare");
    struct pl_comm *a = NULL, *b = NULL;
    int error = pl_comm_of(mpi, comm1, &a);
    if (!error)
        error = pl_comm_of(mpi, comm2, &b);
    if (!error)
        error = pl_check_pointer(result, "result");
    if (!error)
        *result = compare(a, b);
    return pl_return(mpi, a, error);
}
PL_WEAK(Comm_compare)

int PMPI_Comm_group(MPI_Comm comm, MPI_Group *group)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_group");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(group, "group");
    if (!error) {
        pl_group_hold(c->group);
        error = pl_group_publish(mpi, c->group, group);
    }
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_group)

int PMPI_Comm_free(MPI_Comm *comm)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_free");
    struct pl_comm *c = NULL;
    int error = pl_check_pointer(comm, "comm");
    if (!error)
        error = pl_comm_of(mpi, *comm, &c);
    if (!error && (*comm == MPI_COMM_WORLD || *comm == MPI_COMM_SELF))
        error = pl_bad(MPI_ERR_COMM, "%s cannot be freed", c->name);
    if (error)
        return pl_return(mpi, c, error);
    error = pl_comm_close(mpi, c);
    if (!error) {
        *comm = MPI_COMM_NULL;
        c = NULL;
    }
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_free)

int PMPI_Comm_set_name(MPI_Comm comm, const char *name)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_set_name");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(name, "comm_name");
    if (!error) {
        snprintf(c->name, sizeof c->name, "%s", name);
        c->named = true;
    }
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_set_name)

int PMPI_Comm_get_name(MPI_Comm comm, char *name, int *length)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_get_name");
    struct pl_comm *c = NULL;
    int error = comm == MPI_COMM_NULL ? 0 : pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(name, "comm_name");
    if (!error)
        error = pl_check_pointer(length, "resultlen");
    if (!error)
        *length = snprintf(name, MPI_MAX_OBJECT_NAME, "%s", !c ? "MPI_COMM_NULL" : c->named ? c->name : "");
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_get_name)

int PMPI_Comm_set_info(MPI_Comm comm, MPI_Info info)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_set_info");
    struct pl_comm *c = NULL;
    struct pl_info *hints;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_info_of(mpi, info, &hints);
    if (!error)
        pl_info_apply(hints, c);
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_set_info)

int PMPI_Comm_get_info(MPI_Comm comm, MPI_Info *info)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_get_info");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(info, "info_used");
    if (!error)
        error = pl_info_describe(mpi, c, info);
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_get_info)
