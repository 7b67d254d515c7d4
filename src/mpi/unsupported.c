/* What a function does that this library does not have: see unsupported.h. The call is
 * made as any other, so that a bad communicator, or a call before MPI_Init, is told of
 * first, as it would be of a function that exists. */
#include "unsupported.h"

int pl_unsupported(const char *name, MPI_Comm handle)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_comm *comm = NULL;
    int error = handle == MPI_COMM_NULL ? 0 : pl_comm_of(mpi, handle, &comm);
    if (!error)
        error = pl_bad(MPI_ERR_UNSUPPORTED_OPERATION,
                       "this library does not have %s (docs/coverage.md lists what it has)", name);
    return pl_return(mpi, comm, error);
}

/* No file can be open, so the error handler that counts is that of MPI_FILE_NULL. */
int pl_unsupported_file(const char *name)
{
    struct pl_mpi *mpi = pl_call(name);
    pl_bad(MPI_ERR_UNSUPPORTED_OPERATION,
           "this library does not have %s: files are outside of its subset (docs/coverage.md)", name);
    int class = pl_error_keep(mpi, MPI_ERR_UNSUPPORTED_OPERATION);
    pl_return(mpi, NULL, 0);
    return class;
}
