/* Datatypes (MPI 5.0, chapter 5), as far as contiguous ones. */
#include "call.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

int pl_datatype_of(struct pl_mpi *mpi, MPI_Datatype handle, const struct pl_datatype **type)
{
    uintptr_t value = (uintptr_t)handle;
    *type = value < 0x1000 ? pl_datatype_predefined(value)
                           : pl_handle_find(&mpi->handles[PL_CLASS_DATATYPE], PL_CLASS_DATATYPE, value);
    if (*type)
        return 0;
    if (handle == MPI_DATATYPE_NULL)
        return pl_bad(MPI_ERR_TYPE, "the datatype is MPI_DATATYPE_NULL");
    return pl_bad(MPI_ERR_TYPE, "%p is not a datatype (freed, or never made)", (void *)handle);
}

int PMPI_Type_size_c(MPI_Datatype datatype, MPI_Count *size)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_size");
    const struct pl_datatype *type;
    int error = pl_datatype_of(mpi, datatype, &type);
    if (!error)
        error = pl_check_pointer(size, "size");
    if (!error)
        *size = (MPI_Count)type->size;
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Type_size_c)

int PMPI_Type_size(MPI_Datatype datatype, int *size)
{
    MPI_Count wide = 0;
    int result = PMPI_Type_size_c(datatype, size ? &wide : NULL);
    if (!result)
        *size = wide > INT_MAX ? MPI_UNDEFINED : (int)wide;
    return result;
}
PL_WEAK(Type_size)

int PMPI_Type_get_extent_c(MPI_Datatype datatype, MPI_Count *lb, MPI_Count *extent)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_get_extent");
    const struct pl_datatype *type;
    int error = pl_datatype_of(mpi, datatype, &type);
    if (!error)
        error = pl_check_pointer(lb, "lb");
    if (!error)
        error = pl_check_pointer(extent, "extent");
    if (!error) {
        *lb = type->lb;
        *extent = type->extent;
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Type_get_extent_c)

int PMPI_Type_get_extent(MPI_Datatype datatype, MPI_Aint *lb, MPI_Aint *extent)
{
    MPI_Count wide_lb = 0, wide_extent = 0;
    int result = PMPI_Type_get_extent_c(datatype, lb ? &wide_lb : NULL, extent ? &wide_extent : NULL);
    if (!result) {
        *lb = (MPI_Aint)wide_lb;
        *extent = (MPI_Aint)wide_extent;
    }
    return result;
}
PL_WEAK(Type_get_extent)

int PMPI_Type_contiguous_c(MPI_Count count, MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_contiguous");
    const struct pl_datatype *old;
    int error = pl_check_count(count);
    if (!error)
        error = pl_datatype_of(mpi, oldtype, &old);
    if (!error)
        error = pl_check_pointer(newtype, "newtype");
    size_t bytes;
    if (!error)
        error = pl_check_length(count, old, &bytes);
    if (error)
        return pl_return(mpi, NULL, error);
    struct pl_datatype *made = malloc(sizeof *made);
    uintptr_t handle = made ? pl_handle_new(&mpi->handles[PL_CLASS_DATATYPE], PL_CLASS_DATATYPE, made) : 0;
    if (!handle) {
        free(made);
        return pl_return(mpi, NULL, pl_fail(PL_ENOMEM, "no memory for a datatype"));
    }
    *made = (struct pl_datatype){.size = old->size * (size_t)count,
                                 .extent = (ptrdiff_t)bytes,
                                 .basic = old->basic,
                                 .contiguous = old->contiguous,
                                 .handle = handle,
                                 .name = ""};
    *newtype = (MPI_Datatype)handle;
    return pl_return(mpi, NULL, 0);
}
PL_WEAK(Type_contiguous_c)

int PMPI_Type_contiguous(int count, MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    return PMPI_Type_contiguous_c(count, oldtype, newtype);
}
PL_WEAK(Type_contiguous)

int PMPI_Type_commit(MPI_Datatype *datatype)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_commit");
    const struct pl_datatype *type;
    int error = pl_check_pointer(datatype, "datatype");
    if (!error)
        error = pl_datatype_of(mpi, *datatype, &type);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Type_commit)

int PMPI_Type_free(MPI_Datatype *datatype)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_free");
    const struct pl_datatype *type;
    int error = pl_check_pointer(datatype, "datatype");
    if (!error)
        error = pl_datatype_of(mpi, *datatype, &type);
    if (!error && (uintptr_t)*datatype < 0x1000)
        error = pl_bad(MPI_ERR_TYPE, "%s is predefined and cannot be freed", type->name);
    if (!error) {
        struct pl_datatype *made =
            pl_handle_find(&mpi->handles[PL_CLASS_DATATYPE], PL_CLASS_DATATYPE, (uintptr_t)*datatype);
        pl_handle_drop(&mpi->handles[PL_CLASS_DATATYPE], (uintptr_t)*datatype);
        free(made);
        *datatype = MPI_DATATYPE_NULL;
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Type_free)

int PMPI_Type_get_name(MPI_Datatype datatype, char *name, int *length)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_get_name");
    const struct pl_datatype *type;
    int error = pl_datatype_of(mpi, datatype, &type);
    if (!error)
        error = pl_check_pointer(name, "type_name");
    if (!error)
        error = pl_check_pointer(length, "resultlen");
    if (!error)
        *length = snprintf(name, MPI_MAX_OBJECT_NAME, "%s", type->name);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Type_get_name)
