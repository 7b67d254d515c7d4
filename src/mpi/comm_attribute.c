/* Attributes of communicators (MPI 5.0, section 7.7.2), under today's names and those of MPI-1, and the
 * predefined ones, which describe the job (section 9.1.2). */
#include "attribute.h"
#include "world.h"

#include <limits.h>

int PMPI_Comm_create_keyval(MPI_Comm_copy_attr_function *copy, MPI_Comm_delete_attr_function *delete,
                            int *keyval, void *extra)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_create_keyval");
    int error = pl_keyval_create(mpi, PL_ATTRIBUTE_COMM, (pl_attribute_function *)copy,
                                 (pl_attribute_function *)delete, extra, keyval);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Comm_create_keyval)

int PMPI_Comm_free_keyval(int *keyval)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_free_keyval");
    return pl_return(mpi, NULL, pl_keyval_free(mpi, PL_ATTRIBUTE_COMM, keyval));
}
PL_WEAK(Comm_free_keyval)

static bool is_predefined(int keyval)
{
    return keyval >= MPI_TAG_UB && keyval <= MPI_UNIVERSE_SIZE;
}

static int check_own(int keyval)
{
    return is_predefined(keyval) ? pl_bad(MPI_ERR_KEYVAL, "attribute %d is the library's own", keyval) : 0;
}

int PMPI_Comm_set_attr(MPI_Comm comm, int keyval, void *value)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_set_attr");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = check_own(keyval);
    if (!error)
        error = pl_attribute_set(mpi, PL_ATTRIBUTE_COMM, c->handle, &c->attributes, keyval, value);
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_set_attr)

/* The value's address, or NULL where the attribute has none. */
static int *predefined(struct pl_mpi *mpi, int keyval)
{
    bool job = keyval == MPI_APPNUM || keyval == MPI_UNIVERSE_SIZE;
    if (job && mpi->predefined.appnum == -2)
        pl_world_job(mpi->rank, &mpi->predefined.appnum, &mpi->predefined.universe_size);
    switch (keyval) {
    case MPI_TAG_UB:
        return &mpi->predefined.tag_ub;
    case MPI_IO:
        return &mpi->predefined.io;
    case MPI_HOST:
        return &mpi->predefined.host;
    case MPI_WTIME_IS_GLOBAL:
        return &mpi->predefined.wtime_is_global;
    case MPI_APPNUM:
        return mpi->predefined.appnum >= 0 ? &mpi->predefined.appnum : NULL;
    case MPI_UNIVERSE_SIZE:
        return mpi->predefined.universe_size > 0 ? &mpi->predefined.universe_size : NULL;
    default:
        return &mpi->predefined.last_used_code;
    }
}

int PMPI_Comm_get_attr(MPI_Comm comm, int keyval, void *value, int *flag)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_get_attr");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(value, "attribute_val");
    if (!error)
        error = pl_check_pointer(flag, "flag");
    if (!error && is_predefined(keyval)) {
        int *number = predefined(mpi, keyval);
        *flag = number != NULL;
        if (number)
            *(void **)value = number;
    } else if (!error) {
        error = pl_attribute_get(mpi, PL_ATTRIBUTE_COMM, &c->attributes, keyval, value, flag);
    }
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_get_attr)

int PMPI_Comm_delete_attr(MPI_Comm comm, int keyval)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_delete_attr");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = check_own(keyval);
    if (!error)
        error = pl_attribute_delete(mpi, PL_ATTRIBUTE_COMM, c->handle, &c->attributes, keyval);
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_delete_attr)

int PMPI_Keyval_create(MPI_Copy_function *copy, MPI_Delete_function *delete, int *keyval, void *extra)
{
    return PMPI_Comm_create_keyval(copy, delete, keyval, extra);
}
PL_WEAK(Keyval_create)

int PMPI_Keyval_free(int *keyval)
{
    return PMPI_Comm_free_keyval(keyval);
}
PL_WEAK(Keyval_free)

int PMPI_Attr_put(MPI_Comm comm, int keyval, void *value)
{
    return PMPI_Comm_set_attr(comm, keyval, value);
}
PL_WEAK(Attr_put)

int PMPI_Attr_get(MPI_Comm comm, int keyval, void *value, int *flag)
{
    return PMPI_Comm_get_attr(comm, keyval, value, flag);
}
PL_WEAK(Attr_get)

int PMPI_Attr_delete(MPI_Comm comm, int keyval)
{
    return PMPI_Comm_delete_attr(comm, keyval);
}
PL_WEAK(Attr_delete)
