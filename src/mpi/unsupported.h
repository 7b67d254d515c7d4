/* The functions of MPI that this library does not have, one entry each in the tables
 * unsupported_*.c, by chapters in the standard's order.
 *
 * Such a function exists all the same, because a program that never calls it must link:
 * mpi4py, for one, looks up every name when it starts. Called, it returns
 * MPI_ERR_UNSUPPORTED_OPERATION through the error handler of its communicator where it
 * has one, else of MPI_COMM_SELF, with a text that names it; those of files through
 * that of files, which is MPI_ERRORS_RETURN; those of tools return the tools' own codes.
 *
 * To implement one: write it where it belongs, with PL_WEAK, and delete its entry here.
 * Left in, the linker says "multiple definition of PMPI_...". docs/coverage.md is
 * checked against these tables (tests/abi/coverage.py).
 *
 *   UNSUPPORTED(name, parameters...)           name without MPI_
 *   UNSUPPORTED_ON(comm, name, parameters...)  comm: its parameter whose error handler counts
 *   UNSUPPORTED_FILE(name, parameters...)      of files
 *   UNSUPPORTED_TOOL(name, parameters...)      MPI_T_name
 */
#ifndef PL_UNSUPPORTED_H
#define PL_UNSUPPORTED_H

#include "call.h"

/* The whole call of MPI function `name`; `comm` may be MPI_COMM_NULL. Returns the error class. */
int pl_unsupported(const char *name, MPI_Comm comm);
int pl_unsupported_file(const char *name);

#define UNSUPPORTED_ON(comm, name, ...)                                                                      \
    int PMPI_##name(__VA_ARGS__)                                                                             \
    {                                                                                                        \
        return pl_unsupported("MPI_" #name, comm);                                                           \
    }                                                                                                        \
    PL_WEAK(name)

#define UNSUPPORTED(name, ...) UNSUPPORTED_ON(MPI_COMM_NULL, name, __VA_ARGS__)

#define UNSUPPORTED_FILE(name, ...)                                                                          \
    int PMPI_##name(__VA_ARGS__)                                                                             \
    {                                                                                                        \
        return pl_unsupported_file("MPI_" #name);                                                            \
    }                                                                                                        \
    PL_WEAK(name)

/* Nobody can have started the tools interface where MPI_T_init_thread is in this table. */
#define UNSUPPORTED_TOOL(name, ...)                                                                          \
    int PMPI_##name(__VA_ARGS__)                                                                             \
    {                                                                                                        \
        return MPI_T_ERR_NOT_SUPPORTED;                                                                      \
    }                                                                                                        \
    PL_WEAK(name)

#endif
