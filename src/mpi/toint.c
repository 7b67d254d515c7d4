/* Handles as integers, for Fortran and other languages (MPI 5.0, chapter 20): a
 * handle's value has 31 bits, so it is the integer.
 */
#include "call.h"

int PMPI_Comm_toint(MPI_Comm handle)
{
    return (int)(intptr_t)handle;
}
PL_WEAK(Comm_toint)

MPI_Comm PMPI_Comm_fromint(int number)
{
    return (MPI_Comm)(intptr_t)number;
}
PL_WEAK(Comm_fromint)

int PMPI_Errhandler_toint(MPI_Errhandler handle)
{
    return (int)(intptr_t)handle;
}
PL_WEAK(Errhandler_toint)

MPI_Errhandler PMPI_Errhandler_fromint(int number)
{
    return (MPI_Errhandler)(intptr_t)number;
}
PL_WEAK(Errhandler_fromint)

int PMPI_File_toint(MPI_File handle)
{
    return (int)(intptr_t)handle;
}
PL_WEAK(File_toint)

MPI_File PMPI_File_fromint(int number)
{
    return (MPI_File)(intptr_t)number;
}
PL_WEAK(File_fromint)

int PMPI_Group_toint(MPI_Group handle)
{
    return (int)(intptr_t)handle;
}
PL_WEAK(Group_toint)

MPI_Group PMPI_Group_fromint(int number)
{
    return (MPI_Group)(intptr_t)number;
}
PL_WEAK(Group_fromint)

int PMPI_Info_toint(MPI_Info handle)
{
    return (int)(intptr_t)handle;
}
PL_WEAK(Info_toint)

MPI_Info PMPI_Info_fromint(int number)
{
    return (MPI_Info)(intptr_t)number;
}
PL_WEAK(Info_fromint)

int PMPI_Message_toint(MPI_Message handle)
{
    return (int)(intptr_t)handle;
}
PL_WEAK(Message_toint)

MPI_Message PMPI_Message_fromint(int number)
{
    return (MPI_Message)(intptr_t)number;
}
PL_WEAK(Message_fromint)

int PMPI_Op_toint(MPI_Op handle)
{
    return (int)(intptr_t)handle;
}
PL_WEAK(Op_toint)

MPI_Op PMPI_Op_fromint(int number)
{
    return (MPI_Op)(intptr_t)number;
}
PL_WEAK(Op_fromint)

int PMPI_Request_toint(MPI_Request handle)
{
    return (int)(intptr_t)handle;
}
PL_WEAK(Request_toint)

MPI_Request PMPI_Request_fromint(int number)
{
    return (MPI_Request)(intptr_t)number;
}
PL_WEAK(Request_fromint)

int PMPI_Session_toint(MPI_Session handle)
{
    return (int)(intptr_t)handle;
}
PL_WEAK(Session_toint)

MPI_Session PMPI_Session_fromint(int number)
{
    return (MPI_Session)(intptr_t)number;
}
PL_WEAK(Session_fromint)

int PMPI_Type_toint(MPI_Datatype handle)
{
    return (int)(intptr_t)handle;
}
PL_WEAK(Type_toint)

MPI_Datatype PMPI_Type_fromint(int number)
{
    return (MPI_Datatype)(intptr_t)number;
}
PL_WEAK(Type_fromint)

int PMPI_Win_toint(MPI_Win handle)
{
    return (int)(intptr_t)handle;
}
PL_WEAK(Win_toint)

MPI_Win PMPI_Win_fromint(int number)
{
    return (MPI_Win)(intptr_t)number;
}
PL_WEAK(Win_fromint)
