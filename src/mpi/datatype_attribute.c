/* Attributes of datatypes (MPI 5.0, section 7.7.4). Those of predefined types, which are
 * constants shared by all ranks of a process, are kept by the rank.
 */
#include "attribute.h"
#include "recipe.h"

void **pl_datatype_attributes(struct pl_mpi *mpi, const struct pl_datatype *type)
{
    if (type->handle < 0x1000)
        return &mpi->type_attributes[type->handle & 0xff];
    return &((struct pl_datatype *)(uintptr_t)type)->attributes;
}

int PMPI_Type_create_keyval(MPI_Type_copy_attr_function *type_copy_attr_fn,
                            MPI_Type_delete_attr_function *type_delete_attr_fn, int *type_keyval,
                            void *extra_state)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_create_keyval");
    int error = pl_keyval_create(mpi, PL_ATTRIBUTE_TYPE, (pl_attribute_function *)type_copy_attr_fn,
                                 (pl_attribute_function *)type_delete_attr_fn, extra_state, type_keyval);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Type_create_keyval)

int PMPI_Type_free_keyval(int *type_keyval)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_free_keyval");
    return pl_return(mpi, NULL, pl_keyval_free(mpi, PL_ATTRIBUTE_TYPE, type_keyval));
}
PL_WEAK(Type_free_keyval)

int PMPI_Type_set_attr(MPI_Datatype datatype, int type_keyval, void *attribute_val)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_set_attr");
    const struct pl_datatype *type;
    int error = pl_datatype_of(mpi, datatype, &type);
    if (!error)
        error = pl_attribute_set(mpi, PL_ATTRIBUTE_TYPE, type->handle, pl_datatype_attributes(mpi, type),
                                 type_keyval, attribute_val);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Type_set_attr)

int PMPI_Type_get_attr(MPI_Datatype datatype, int type_keyval, void *attribute_val, int *flag)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_get_attr");
    const struct pl_datatype *type;
    int error = pl_datatype_of(mpi, datatype, &type);
    if (!error)
        error = pl_check_pointer(attribute_val, "attribute_val");
    if (!error)
        error = pl_check_pointer(flag, "flag");
    if (!error)
        error = pl_attribute_get(mpi, PL_ATTRIBUTE_TYPE, pl_datatype_attributes(mpi, type), type_keyval,
                                 attribute_val, flag);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Type_get_attr)

int PMPI_Type_delete_attr(MPI_Datatype datatype, int type_keyval)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_delete_attr");
    const struct pl_datatype *type;
    int error = pl_datatype_of(mpi, datatype, &type);
    if (!error)
        error = pl_attribute_delete(mpi, PL_ATTRIBUTE_TYPE, type->handle, pl_datatype_attributes(mpi, type),
                                    type_keyval);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Type_delete_attr)
