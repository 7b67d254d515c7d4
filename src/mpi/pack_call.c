/* Packing by the program's own hand (MPI 5.0, section 5.2): MPI_Pack and its family. What
 * is packed is what a message would be, plain bytes, and needs no header.
 */
#include "call.h"
#include "device.h"

#include <limits.h>

/* A call's elements and its place in the packed buffer. */
struct pack_args {
    const struct pl_datatype *type;
    struct pl_comm *comm;
    size_t length;
};

static int check(struct pl_mpi *mpi, const void *buffer, MPI_Count count, MPI_Datatype datatype,
                 const void *packed, MPI_Count size, const MPI_Count *position, MPI_Comm comm,
                 struct pack_args *args)
{
    args->comm = NULL;
    int error = pl_comm_of(mpi, comm, &args->comm);
    if (!error)
        error = pl_check_count(count);
    if (!error)
        error = pl_datatype_of(mpi, datatype, &args->type);
    if (!error)
        error = pl_check_buffer(buffer, count, args->type);
    if (!error)
        error = pl_check_length(count, args->type, &args->length);
    if (!error)
        error = pl_check_pointer(position, "position");
    if (!error && args->length)
        error = pl_check_pointer(packed, "the packed buffer");
    if (!error && (size < 0 || *position < 0 || *position > size))
        error = pl_bad(MPI_ERR_ARG, "position %lld is not in a buffer of %lld bytes", (long long)*position,
                       (long long)size);
    if (!error && args->length > (size_t)(size - *position))
        error = pl_bad(MPI_ERR_TRUNCATE, "%zu bytes from position %lld on are not in a buffer of %lld",
                       args->length, (long long)*position, (long long)size);
    return error;
}

int PMPI_Pack_c(const void *inbuf, MPI_Count incount, MPI_Datatype datatype, void *outbuf, MPI_Count outsize,
                MPI_Count *position, MPI_Comm comm)
{
    struct pl_mpi *mpi = pl_call("MPI_Pack");
    struct pack_args args;
    int error = check(mpi, inbuf, incount, datatype, outbuf, outsize, position, comm, &args);
    if (!error) {
        error = pl_pack_any(mpi->rank, args.type, 0, inbuf, (char *)outbuf + *position, args.length);
        *position += error ? 0 : (MPI_Count)args.length;
    }
    return pl_return(mpi, args.comm, error);
}
PL_WEAK(Pack_c)

int PMPI_Pack(const void *inbuf, int incount, MPI_Datatype datatype, void *outbuf, int outsize, int *position,
              MPI_Comm comm)
{
    MPI_Count wide = position ? *position : 0;
    int result = PMPI_Pack_c(inbuf, incount, datatype, outbuf, outsize, position ? &wide : NULL, comm);
    if (position)
        *position = (int)wide;
    return result;
}
PL_WEAK(Pack)

int PMPI_Unpack_c(const void *inbuf, MPI_Count insize, MPI_Count *position, void *outbuf, MPI_Count outcount,
                  MPI_Datatype datatype, MPI_Comm comm)
{
    struct pl_mpi *mpi = pl_call("MPI_Unpack");
    struct pack_args args;
    int error = check(mpi, outbuf, outcount, datatype, inbuf, insize, position, comm, &args);
    if (!error) {
        error = pl_unpack_any(mpi->rank, args.type, 0, outbuf, (const char *)inbuf + *position, args.length);
        *position += error ? 0 : (MPI_Count)args.length;
    }
    return pl_return(mpi, args.comm, error);
}
PL_WEAK(Unpack_c)

int PMPI_Unpack(const void *inbuf, int insize, int *position, void *outbuf, int outcount,
                MPI_Datatype datatype, MPI_Comm comm)
{
    MPI_Count wide = position ? *position : 0;
    int result = PMPI_Unpack_c(inbuf, insize, position ? &wide : NULL, outbuf, outcount, datatype, comm);
    if (position)
        *position = (int)wide;
    return result;
}
PL_WEAK(Unpack)

int PMPI_Pack_size_c(MPI_Count incount, MPI_Datatype datatype, MPI_Comm comm, MPI_Count *size)
{
    struct pl_mpi *mpi = pl_call("MPI_Pack_size");
    const struct pl_datatype *type;
    struct pl_comm *c = NULL;
    size_t length;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_count(incount);
    if (!error)
        error = pl_datatype_of(mpi, datatype, &type);
    if (!error)
        error = pl_check_length(incount, type, &length);
    if (!error)
        error = pl_check_pointer(size, "size");
    if (!error)
        *size = (MPI_Count)length;
    return pl_return(mpi, c, error);
}
PL_WEAK(Pack_size_c)

int PMPI_Pack_size(int incount, MPI_Datatype datatype, MPI_Comm comm, int *size)
{
    MPI_Count wide = 0;
    int result = PMPI_Pack_size_c(incount, datatype, comm, size ? &wide : NULL);
    if (!result)
        *size = wide > INT_MAX ? MPI_UNDEFINED : (int)wide;
    return result;
}
PL_WEAK(Pack_size)
