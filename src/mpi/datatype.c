/* Datatypes as objects (MPI 5.0, chapter 5): handles, sizes and bounds, commit, free,
 * duplicate, names. How they are made is in datatype_make.c and datatype_array.c.
 *
 * A type lives as long as something refers to it: the program by its handle, other types
 * by their recipes, messages under way. MPI_Type_free takes the handle only.
 */
#include "attribute.h"
#include "recipe.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void released(struct pl_datatype *type)
{
    pl_recipe_destroy(type->recipe);
}

int pl_datatype_publish(struct pl_mpi *mpi, struct pl_datatype *type, MPI_Datatype *handle)
{
    if (!type->handles) {
        type->handle = pl_handle_new(&mpi->handles[PL_CLASS_DATATYPE], PL_CLASS_DATATYPE, type);
        if (!type->handle)
            return pl_fail(PL_ENOMEM, "no memory for a datatype");
        pl_datatype_hold(type);
    }
    type->handles++;
    *handle = (MPI_Datatype)type->handle;
    return 0;
}

void pl_datatype_forget(struct pl_datatype *type)
{
    if (!type->predefined) {
        pl_datatype_release(type);
        return;
    }
    pl_recipe_destroy(type->recipe); /* one of datatype_fortran.c */
    free(type);
}

int pl_datatype_finish(struct pl_mpi *mpi, int error, struct pl_datatype *type, struct pl_recipe *recipe,
                       MPI_Datatype *handle)
{
    if (!error)
        error = recipe ? pl_datatype_publish(mpi, type, handle) : PL_ENOMEM;
    if (!error) {
        type->recipe = recipe;
        type->name = recipe->name;
        type->released = released;
    } else {
        pl_recipe_destroy(recipe);
    }
    pl_datatype_release(type);
    return pl_return(mpi, NULL, error);
}

/* What a query asks for: two numbers. */
static int look(const char *name, MPI_Datatype datatype, bool true_bounds, MPI_Count *lb, MPI_Count *extent)
{
    struct pl_mpi *mpi = pl_call(name);
    const struct pl_datatype *type;
    int error = pl_datatype_of(mpi, datatype, &type);
    if (!error)
        error = pl_check_pointer(lb, "lb");
    if (!error)
        error = pl_check_pointer(extent, "extent");
    if (!error) {
        *lb = true_bounds ? type->true_lb : type->lb;
        *extent = true_bounds ? type->true_extent : type->extent;
    }
    return pl_return(mpi, NULL, error);
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

int PMPI_Type_size_x(MPI_Datatype datatype, MPI_Count *size)
{
    return PMPI_Type_size_c(datatype, size);
}
PL_WEAK(Type_size_x)

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
    return look("MPI_Type_get_extent", datatype, false, lb, extent);
}
PL_WEAK(Type_get_extent_c)

int PMPI_Type_get_extent_x(MPI_Datatype datatype, MPI_Count *lb, MPI_Count *extent)
{
    return look("MPI_Type_get_extent_x", datatype, false, lb, extent);
}
PL_WEAK(Type_get_extent_x)

int PMPI_Type_get_extent(MPI_Datatype datatype, MPI_Aint *lb, MPI_Aint *extent)
{
    return look("MPI_Type_get_extent", datatype, false, (MPI_Count *)lb, (MPI_Count *)extent);
}
PL_WEAK(Type_get_extent)

int PMPI_Type_get_true_extent_c(MPI_Datatype datatype, MPI_Count *true_lb, MPI_Count *true_extent)
{
    return look("MPI_Type_get_true_extent", datatype, true, true_lb, true_extent);
}
PL_WEAK(Type_get_true_extent_c)

int PMPI_Type_get_true_extent_x(MPI_Datatype datatype, MPI_Count *true_lb, MPI_Count *true_extent)
{
    return look("MPI_Type_get_true_extent_x", datatype, true, true_lb, true_extent);
}
PL_WEAK(Type_get_true_extent_x)

int PMPI_Type_get_true_extent(MPI_Datatype datatype, MPI_Aint *true_lb, MPI_Aint *true_extent)
{
    return look("MPI_Type_get_true_extent", datatype, true, (MPI_Count *)true_lb, (MPI_Count *)true_extent);
}
PL_WEAK(Type_get_true_extent)

int PMPI_Type_commit(MPI_Datatype *datatype)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_commit");
    const struct pl_datatype *type;
    int error = pl_check_pointer(datatype, "datatype");
    if (!error)
        error = pl_datatype_of(mpi, *datatype, &type);
    if (!error && !type->predefined)
        ((struct pl_datatype *)(uintptr_t)type)->committed = true;
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
    if (!error && (type->predefined || type->permanent))
        error = pl_bad(MPI_ERR_TYPE, "%s is predefined and cannot be freed",
                       type->name[0] ? type->name : "the datatype");
    if (!error && type->handles == 1)
        error = pl_attributes_delete(mpi, PL_ATTRIBUTE_TYPE, type->handle, pl_datatype_attributes(mpi, type));
    if (!error) {
        struct pl_datatype *mine = (struct pl_datatype *)(uintptr_t)type;
        if (!--mine->handles) {
            pl_handle_drop(&mpi->handles[PL_CLASS_DATATYPE], (uintptr_t)*datatype);
            pl_datatype_release(mine);
        }
        *datatype = MPI_DATATYPE_NULL;
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Type_free)

int PMPI_Type_dup(MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_dup");
    const struct pl_datatype *old;
    int error = pl_datatype_of(mpi, oldtype, &old);
    if (!error)
        error = pl_check_pointer(newtype, "newtype");
    if (error)
        return pl_return(mpi, NULL, error);
    struct pl_recipe *recipe = pl_recipe_create(MPI_COMBINER_DUP, false, 0, 1);
    struct pl_datatype *made = NULL;
    error = pl_datatype_row(old, 1, &made);
    if (!error) {
        made->lb = old->lb;
        made->extent = old->extent;
        made->committed = old->committed;
    }
    if (!error && recipe)
        pl_recipe_type(recipe, old);
    void **copied = error ? NULL : &made->attributes;
    if (!error)
        error =
            pl_attributes_copy(mpi, PL_ATTRIBUTE_TYPE, old->handle, pl_datatype_attributes(mpi, old), copied);
    if (error && copied)
        pl_attributes_delete(mpi, PL_ATTRIBUTE_TYPE, 0, copied);
    if (error)
        *newtype = MPI_DATATYPE_NULL;
    return pl_datatype_finish(mpi, error, made, recipe, newtype);
}
PL_WEAK(Type_dup)

int PMPI_Type_get_name(MPI_Datatype datatype, char *name, int *length)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_get_name");
    const struct pl_datatype *type = NULL;
    int error = datatype == MPI_DATATYPE_NULL ? 0 : pl_datatype_of(mpi, datatype, &type);
    if (!error)
        error = pl_check_pointer(name, "type_name");
    if (!error)
        error = pl_check_pointer(length, "resultlen");
    if (!error) {
        const char *given = type && type->handle < 0x1000 ? mpi->type_names[type->handle & 0xff] : NULL;
        *length = snprintf(name, MPI_MAX_OBJECT_NAME, "%s",
                           !type   ? "MPI_DATATYPE_NULL"
                           : given ? given
                                   : type->name);
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Type_get_name)

/* Predefined types are constants that all ranks of a process share: a new name for one is the rank's. */
static int rename_predefined(struct pl_mpi *mpi, const struct pl_datatype *type, const char *name)
{
    char *copy = strndup(name, MPI_MAX_OBJECT_NAME - 1);
    if (!copy)
        return pl_fail(PL_ENOMEM, "no memory for a name");
    free(mpi->type_names[type->handle & 0xff]);
    mpi->type_names[type->handle & 0xff] = copy;
    return 0;
}

int PMPI_Type_set_name(MPI_Datatype datatype, const char *type_name)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_set_name");
    const struct pl_datatype *type;
    int error = pl_datatype_of(mpi, datatype, &type);
    if (!error)
        error = pl_check_pointer(type_name, "type_name");
    if (!error && type->handle < 0x1000) {
        error = rename_predefined(mpi, type, type_name);
    } else if (!error) {
        struct pl_recipe *recipe = type->recipe;
        snprintf(recipe->name, sizeof recipe->name, "%s", type_name);
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Type_set_name)
