/* Handles and statuses for Fortran under the names they had before the standard ABI. The ABI
 * leaves them to whoever brings the Fortran bindings and gives C the toint and fromint forms;
 * but libraries in C that are called from Fortran (the BLACS, solvers) call these, with any
 * MPI they are built for. The numbers are the same.
 */
#include "call.h"

#include <string.h>

#define CONVERT(name, type)                                                                                  \
    MPI_Fint PMPI_##name##_c2f(type handle)                                                                  \
    {                                                                                                        \
        return PMPI_##name##_toint(handle);                                                                  \
    }                                                                                                        \
    PL_WEAK(name##_c2f)                                                                                      \
                                                                                                             \
    type PMPI_##name##_f2c(MPI_Fint number)                                                                  \
    {                                                                                                        \
        return PMPI_##name##_fromint(number);                                                                \
    }                                                                                                        \
    PL_WEAK(name##_f2c)

CONVERT(Comm, MPI_Comm)
CONVERT(Errhandler, MPI_Errhandler)
CONVERT(File, MPI_File)
CONVERT(Group, MPI_Group)
CONVERT(Info, MPI_Info)
CONVERT(Message, MPI_Message)
CONVERT(Op, MPI_Op)
CONVERT(Request, MPI_Request)
CONVERT(Session, MPI_Session)
CONVERT(Type, MPI_Datatype)
CONVERT(Win, MPI_Win)

/* A status is MPI_F_STATUS_SIZE integers on both sides. */
_Static_assert(sizeof(MPI_Status) == MPI_F_STATUS_SIZE * sizeof(MPI_Fint),
               "a status has another size in Fortran");

int PMPI_Status_c2f(const MPI_Status *c_status, MPI_Fint *f_status)
{
    if (!c_status || !f_status)
        return pl_return(pl_call("MPI_Status_c2f"), NULL, pl_bad(MPI_ERR_ARG, "a status is NULL"));
    memcpy(f_status, c_status, sizeof *c_status);
    return MPI_SUCCESS;
}
PL_WEAK(Status_c2f)

int PMPI_Status_f2c(const MPI_Fint *f_status, MPI_Status *c_status)
{
    if (!c_status || !f_status)
        return pl_return(pl_call("MPI_Status_f2c"), NULL, pl_bad(MPI_ERR_ARG, "a status is NULL"));
    memcpy(c_status, f_status, sizeof *c_status);
    return MPI_SUCCESS;
}
PL_WEAK(Status_f2c)
