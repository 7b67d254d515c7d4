/* Memory (MPI 5.0, section 9.2 and 5.1.5): MPI_Alloc_mem gives memory that every rank of the
 * host has mapped or can map, so that collectives work on it in place; where no
 * transport has such memory it is malloc's.
 */
#include "call.h"

#include <stdlib.h>

int PMPI_Alloc_mem(MPI_Aint size, MPI_Info info, void *pointer_to_base)
{
    struct pl_mpi *mpi = pl_call("MPI_Alloc_mem");
    void *memory = NULL;
    int error = pl_check_pointer(pointer_to_base, "baseptr");
    if (!error && size < 0)
        error = pl_bad(MPI_ERR_ARG, "the size %lld is negative", (long long)size);
    for (int i = 0; i < mpi->rank->nports && !error && !memory; i++) {
        struct pl_port *port = mpi->rank->ports[i];
        memory = port->transport->alloc(port, size ? (size_t)size : 1);
    }
    if (!error && !memory && !(memory = malloc(size ? (size_t)size : 1)))
        error = pl_fail(PL_ENOMEM, "%lld bytes cannot be had", (long long)size);
    if (!error)
        *(void **)pointer_to_base = memory;
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Alloc_mem)

int PMPI_Free_mem(void *base)
{
    struct pl_mpi *mpi = pl_call("MPI_Free_mem");
    bool done = !base;
    for (int i = 0; i < mpi->rank->nports && !done; i++) {
        struct pl_port *port = mpi->rank->ports[i];
        done = port->transport->free(port, base);
    }
    if (!done)
        free(base);
    return pl_return(mpi, NULL, 0);
}
PL_WEAK(Free_mem)

int PMPI_Get_address(const void *location, MPI_Aint *address)
{
    struct pl_mpi *mpi = pl_call("MPI_Get_address");
    int error = pl_check_pointer(address, "address");
    if (!error)
        *address = (MPI_Aint)location;
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Get_address)

MPI_Aint PMPI_Aint_add(MPI_Aint base, MPI_Aint displacement)
{
    return (MPI_Aint)((uintptr_t)base + (uintptr_t)displacement);
}
PL_WEAK(Aint_add)

MPI_Aint PMPI_Aint_diff(MPI_Aint first, MPI_Aint second)
{
    return (MPI_Aint)((uintptr_t)first - (uintptr_t)second);
}
PL_WEAK(Aint_diff)
