/* Names of MPI-1 that later versions replaced and MPI 3.0 or 4.0 removed. HPL and many
 * an older program call them, and each is its successor with another name or with one
 * argument less, so they stay. mpi.h marks them deprecated. (Those of
 * attributes are beside their successors, in comm_attribute.c.) */
#include "call.h"

/* Addresses and datatypes */

int PMPI_Address(void *location, MPI_Aint *address)
{
    return PMPI_Get_address(location, address);
}
PL_WEAK(Address)

int PMPI_Type_struct(int count, int lengths[], MPI_Aint displacements[], MPI_Datatype types[],
                     MPI_Datatype *newtype)
{
    return PMPI_Type_create_struct(count, lengths, displacements, types, newtype);
}
PL_WEAK(Type_struct)

int PMPI_Type_hvector(int count, int length, MPI_Aint stride, MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    return PMPI_Type_create_hvector(count, length, stride, oldtype, newtype);
}
PL_WEAK(Type_hvector)

int PMPI_Type_hindexed(int count, int lengths[], MPI_Aint displacements[], MPI_Datatype oldtype,
                       MPI_Datatype *newtype)
{
    return PMPI_Type_create_hindexed(count, lengths, displacements, oldtype, newtype);
}
PL_WEAK(Type_hindexed)

int PMPI_Type_extent(MPI_Datatype datatype, MPI_Aint *extent)
{
    MPI_Aint lb;
    return PMPI_Type_get_extent(datatype, &lb, extent);
}
PL_WEAK(Type_extent)

int PMPI_Type_lb(MPI_Datatype datatype, MPI_Aint *displacement)
{
    MPI_Aint extent;
    return PMPI_Type_get_extent(datatype, displacement, &extent);
}
PL_WEAK(Type_lb)

int PMPI_Type_ub(MPI_Datatype datatype, MPI_Aint *displacement)
{
    if (!displacement)
        return PMPI_Type_get_extent(datatype, NULL, NULL);
    MPI_Aint lb, extent;
    int error = PMPI_Type_get_extent(datatype, &lb, &extent);
    if (!error)
        *displacement = lb + extent;
    return error;
}
PL_WEAK(Type_ub)

/* Error handlers of communicators */

int PMPI_Errhandler_create(MPI_Handler_function *function, MPI_Errhandler *errhandler)
{
    return PMPI_Comm_create_errhandler(function, errhandler);
}
PL_WEAK(Errhandler_create)

int PMPI_Errhandler_set(MPI_Comm comm, MPI_Errhandler errhandler)
{
    return PMPI_Comm_set_errhandler(comm, errhandler);
}
PL_WEAK(Errhandler_set)

int PMPI_Errhandler_get(MPI_Comm comm, MPI_Errhandler *errhandler)
{
    return PMPI_Comm_get_errhandler(comm, errhandler);
}
PL_WEAK(Errhandler_get)
