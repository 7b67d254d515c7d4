/* The tools interface, MPI_T (MPI 5.0, section 15.3). */
#ifndef PL_TOOLS_H
#define PL_TOOLS_H

#include "call.h"

struct pl_tools {
    int users;            /* MPI_T_init_thread calls not yet matched by MPI_T_finalize */
    struct pl_list cvars; /* of struct MPI_ABI_T_cvar_handle */
    struct pl_list pvars; /* of struct MPI_ABI_T_pvar_session */
};

/* Frees all of it. Accepts NULL. */
void pl_tools_destroy(struct pl_tools *tools);

/* Begins an MPI_T call. *code is MPI_SUCCESS, or MPI_T_ERR_NOT_INITIALIZED. */
struct pl_mpi *pl_tools_call(const char *name, int *code);
/* Ends it: MPI_T has no error handlers. */
int pl_tools_return(struct pl_mpi *mpi, int code);
/* As MPI_T gives strings: as much as fits *length bytes, if there is room at all; *length: what is needed. */
void pl_tools_string(const char *string, char *buffer, int *length);

#endif
