/* Start and end, the environment (MPI 5.0, chapters 9 and 11). */
#include "call.h"
#include "exchange.h"
#include "state.h"
#include "world.h"

#include "clock.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PEAL_VERSION
#define PEAL_VERSION "0"
#endif

/* Before there is a rank, an error has no handler: it is told and ends the process. */
static int start_process(void)
{
    struct pl_rank *rank;
    int error = pl_process_start(&rank);
    if (!error && !pl_mpi_create(rank))
        error = pl_fail(PL_ENOMEM, "no memory for MPI's own objects");
    if (!error)
        return 0;
    pl_error("MPI_Init: %s", pl_fail_text());
    exit(1);
}

static int init(const char *name, int required, int *provided)
{
    struct pl_rank *rank = pl_self();
    if (!rank) {
        start_process();
        rank = pl_self();
    }
    struct pl_mpi *mpi = rank->mpi_state;
    if (!mpi) {
        pl_error("%s was called after MPI_Finalize: MPI starts once a program", name);
        exit(MPI_ERR_OTHER);
    }
    if (rank->initialized)
        return pl_return(pl_call(name), NULL, pl_bad(MPI_ERR_OTHER, "MPI is already up"));
    rank->initialized = true;
    mpi->thread_level = required <= MPI_THREAD_SINGLE    ? MPI_THREAD_SINGLE
                        : required > MPI_THREAD_MULTIPLE ? MPI_THREAD_MULTIPLE
                                                         : required;
    mpi->main_thread = pthread_self();
    rank->threaded = mpi->thread_level == MPI_THREAD_MULTIPLE && !rank->cooperative;
    if (provided)
        *provided = mpi->thread_level;
    return MPI_SUCCESS;
}

int PMPI_Init(int *argc, char ***argv)
{
    return init("MPI_Init", MPI_THREAD_SINGLE, NULL);
}
PL_WEAK(Init)

int PMPI_Init_thread(int *argc, char ***argv, int required, int *provided)
{
    return init("MPI_Init_thread", required, provided);
}
PL_WEAK(Init_thread)

int PMPI_Finalize(void)
{
    struct pl_mpi *mpi = pl_call("MPI_Finalize");
    struct pl_rank *rank = mpi->rank;
    int error = pl_exchange_barrier(rank->world);
    if (error)
        return pl_return(mpi, rank->world, error);
    rank->finalized = true;
    pl_leave(rank);
    pl_mpi_destroy(mpi);
    if (!rank->fabric)
        pl_process_end(rank);
    return MPI_SUCCESS;
}
PL_WEAK(Finalize)

int PMPI_Initialized(int *flag)
{
    const struct pl_rank *rank = pl_self();
    if (!flag)
        return MPI_ERR_ARG;
    *flag = rank && (rank->initialized || rank->fabric);
    return MPI_SUCCESS;
}
PL_WEAK(Initialized)

int PMPI_Finalized(int *flag)
{
    const struct pl_rank *rank = pl_self();
    if (!flag)
        return MPI_ERR_ARG;
    *flag = rank && rank->finalized;
    return MPI_SUCCESS;
}
PL_WEAK(Finalized)

int PMPI_Query_thread(int *provided)
{
    struct pl_mpi *mpi = pl_call("MPI_Query_thread");
    int error = pl_check_pointer(provided, "provided");
    if (!error)
        *provided = mpi->thread_level;
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Query_thread)

int PMPI_Is_thread_main(int *flag)
{
    struct pl_mpi *mpi = pl_call("MPI_Is_thread_main");
    int error = pl_check_pointer(flag, "flag");
    if (!error)
        *flag = pthread_equal(mpi->main_thread, pthread_self());
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Is_thread_main)

int PMPI_Abort(MPI_Comm comm, int code)
{
    struct pl_mpi *mpi = pl_call("MPI_Abort");
    char text[64];
    snprintf(text, sizeof text, "MPI_Abort was called with code %d", code);
    pl_leave(mpi->rank);
    mpi->rank->abort(mpi->rank, code, text);
    return MPI_SUCCESS;
}
PL_WEAK(Abort)

int PMPI_Get_version(int *version, int *subversion)
{
    if (!version || !subversion)
        return MPI_ERR_ARG;
    *version = MPI_VERSION;
    *subversion = MPI_SUBVERSION;
    return MPI_SUCCESS;
}
PL_WEAK(Get_version)

int PMPI_Get_library_version(char *version, int *length)
{
    if (!version || !length)
        return MPI_ERR_ARG;
    *length = snprintf(version, MPI_MAX_LIBRARY_VERSION_STRING, "Peal %s (MPI %d.%d, ABI %d.%d)",
                       PEAL_VERSION, MPI_VERSION, MPI_SUBVERSION, MPI_ABI_VERSION, MPI_ABI_SUBVERSION);
    return MPI_SUCCESS;
}
PL_WEAK(Get_library_version)

int PMPI_Abi_get_version(int *major, int *minor)
{
    if (!major || !minor)
        return MPI_ERR_ARG;
    *major = MPI_ABI_VERSION;
    *minor = MPI_ABI_SUBVERSION;
    return MPI_SUCCESS;
}
PL_WEAK(Abi_get_version)

int PMPI_Get_processor_name(char *name, int *length)
{
    struct pl_mpi *mpi = pl_call("MPI_Get_processor_name");
    int error = pl_check_pointer(name, "name");
    if (!error)
        error = pl_check_pointer(length, "resultlen");
    if (!error)
        *length = snprintf(name, MPI_MAX_PROCESSOR_NAME, "%s", mpi->rank->hostname);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Get_processor_name)

double PMPI_Wtime(void)
{
    return (double)pl_now() * 1e-9;
}
PL_WEAK(Wtime)

double PMPI_Wtick(void)
{
    return 1e-9;
}
PL_WEAK(Wtick)

int PMPI_Pcontrol(const int level, ...)
{
    return MPI_SUCCESS;
}
PL_WEAK(Pcontrol)
