/* Statuses (MPI 5.0, section 3.2.5): what a message was. */
#include "mpi_request.h"
#include "signature.h"

#include <limits.h>

static void set_length(MPI_Status *status, uint64_t length)
{
    status->MPI_internal[0] = (int)(uint32_t)length;
    status->MPI_internal[1] = (int)(uint32_t)(length >> 32);
}

/* MPI_internal: [0], [1] bytes, low and high; [2] cancelled. */
void pl_status_set(MPI_Status *status, int source, int tag, size_t length, bool cancelled)
{
    if (status == MPI_STATUS_IGNORE)
        return;
    status->MPI_SOURCE = source;
    status->MPI_TAG = tag;
    set_length(status, length);
    status->MPI_internal[2] = cancelled;
}

void pl_status_of(MPI_Status *status, const struct pl_request *request)
{
    pl_status_set(status, request->source, request->tag, request->is_send ? 0 : request->length,
                  request->cancelled);
}

void pl_status_empty(MPI_Status *status)
{
    pl_status_set(status, MPI_ANY_SOURCE, MPI_ANY_TAG, 0, false);
    if (status != MPI_STATUS_IGNORE)
        status->MPI_ERROR = MPI_SUCCESS;
}

static uint64_t status_length(const MPI_Status *status)
{
    return (uint32_t)status->MPI_internal[0] | (uint64_t)(uint32_t)status->MPI_internal[1] << 32;
}

int PMPI_Test_cancelled(const MPI_Status *status, int *flag)
{
    struct pl_mpi *mpi = pl_call("MPI_Test_cancelled");
    int error = pl_check_pointer(status, "status");
    if (!error)
        error = pl_check_pointer(flag, "flag");
    if (!error)
        *flag = status->MPI_internal[2] != 0;
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Test_cancelled)

/* Whole elements of the type in `length` bytes, or basic elements; MPI_UNDEFINED when there is a rest. */
static int elements(const char *name, const MPI_Status *status, MPI_Datatype datatype, bool basic,
                    MPI_Count *count)
{
    struct pl_mpi *mpi = pl_call(name);
    const struct pl_datatype *type;
    int error = pl_check_pointer(status, "status");
    if (!error)
        error = pl_check_pointer(count, "count");
    if (!error)
        error = pl_datatype_of(mpi, datatype, &type);
    if (!error) {
        uint64_t length = status_length(status);
        int64_t found;
        if (basic)
            found = pl_elements_of_bytes(type, length);
        else if (!type->size)
            found = length ? -1 : 0;
        else
            found = length % type->size ? -1 : (int64_t)(length / type->size);
        *count = found < 0 ? MPI_UNDEFINED : found;
    }
    return pl_return(mpi, NULL, error);
}

static int narrow(int result, MPI_Count wide, int *count)
{
    if (result == MPI_SUCCESS && count)
        *count = wide > INT_MAX ? MPI_UNDEFINED : (int)wide;
    return result;
}

int PMPI_Get_count_c(const MPI_Status *status, MPI_Datatype datatype, MPI_Count *count)
{
    return elements("MPI_Get_count", status, datatype, false, count);
}
PL_WEAK(Get_count_c)

int PMPI_Get_count(const MPI_Status *status, MPI_Datatype datatype, int *count)
{
    MPI_Count wide = 0;
    int result = elements("MPI_Get_count", status, datatype, false, count ? &wide : NULL);
    return narrow(result, wide, count);
}
PL_WEAK(Get_count)

int PMPI_Get_elements_c(const MPI_Status *status, MPI_Datatype datatype, MPI_Count *count)
{
    return elements("MPI_Get_elements", status, datatype, true, count);
}
PL_WEAK(Get_elements_c)

int PMPI_Get_elements(const MPI_Status *status, MPI_Datatype datatype, int *count)
{
    MPI_Count wide = 0;
    int result = elements("MPI_Get_elements", status, datatype, true, count ? &wide : NULL);
    return narrow(result, wide, count);
}
PL_WEAK(Get_elements)

int PMPI_Get_elements_x(const MPI_Status *status, MPI_Datatype datatype, MPI_Count *count)
{
    return elements("MPI_Get_elements_x", status, datatype, true, count);
}
PL_WEAK(Get_elements_x)

static int set_elements(const char *name, MPI_Status *status, MPI_Datatype datatype, MPI_Count count)
{
    struct pl_mpi *mpi = pl_call(name);
    const struct pl_datatype *type;
    int error = pl_check_pointer(status, "status");
    if (!error)
        error = pl_datatype_of(mpi, datatype, &type);
    if (!error)
        error = pl_check_count(count);
    if (!error)
        set_length(status, pl_bytes_of_elements(type, (uint64_t)count));
    return pl_return(mpi, NULL, error);
}

int PMPI_Status_set_elements_c(MPI_Status *status, MPI_Datatype datatype, MPI_Count count)
{
    return set_elements("MPI_Status_set_elements", status, datatype, count);
}
PL_WEAK(Status_set_elements_c)

int PMPI_Status_set_elements_x(MPI_Status *status, MPI_Datatype datatype, MPI_Count count)
{
    return set_elements("MPI_Status_set_elements_x", status, datatype, count);
}
PL_WEAK(Status_set_elements_x)

int PMPI_Status_set_elements(MPI_Status *status, MPI_Datatype datatype, int count)
{
    return set_elements("MPI_Status_set_elements", status, datatype, count);
}
PL_WEAK(Status_set_elements)

int PMPI_Status_set_cancelled(MPI_Status *status, int flag)
{
    struct pl_mpi *mpi = pl_call("MPI_Status_set_cancelled");
    int error = pl_check_pointer(status, "status");
    if (!error)
        status->MPI_internal[2] = flag != 0;
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Status_set_cancelled)

/* One integer of a status, read or written. */
static int field(const char *name, const MPI_Status *status, const int *from, int *to)
{
    struct pl_mpi *mpi = pl_call(name);
    int error = pl_check_pointer(status, "status");
    if (!error)
        error = pl_check_pointer(to, "value");
    if (!error)
        *to = *from;
    return pl_return(mpi, NULL, error);
}

int PMPI_Status_get_source(const MPI_Status *status, int *source)
{
    return field("MPI_Status_get_source", status, &status->MPI_SOURCE, source);
}
PL_WEAK(Status_get_source)

int PMPI_Status_get_tag(const MPI_Status *status, int *tag)
{
    return field("MPI_Status_get_tag", status, &status->MPI_TAG, tag);
}
PL_WEAK(Status_get_tag)

int PMPI_Status_get_error(const MPI_Status *status, int *error)
{
    return field("MPI_Status_get_error", status, &status->MPI_ERROR, error);
}
PL_WEAK(Status_get_error)

int PMPI_Status_set_source(MPI_Status *status, int source)
{
    return field("MPI_Status_set_source", status, &source, &status->MPI_SOURCE);
}
PL_WEAK(Status_set_source)

int PMPI_Status_set_tag(MPI_Status *status, int tag)
{
    return field("MPI_Status_set_tag", status, &tag, &status->MPI_TAG);
}
PL_WEAK(Status_set_tag)

int PMPI_Status_set_error(MPI_Status *status, int error)
{
    return field("MPI_Status_set_error", status, &error, &status->MPI_ERROR);
}
PL_WEAK(Status_set_error)
