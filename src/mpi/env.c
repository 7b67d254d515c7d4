/* Start and end, the environment (MPI 5.0, chapters 9 and 11). */
#include "attribute.h"
#include "buffer.h"
#include "exchange.h"
#include "port.h"
#include "request.h"
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

/* All ranks part: none closes its ports while another may need it. The dead are not waited for, nor those
 * who know of no death and have left after the barrier. Who meets another call than MPI_Finalize there is
 * told: *result. */
static int part(struct pl_mpi *mpi, int *result)
{
    struct pl_rank *rank = mpi->rank;
    int error = rank->world->broken ? PL_EPEER : pl_exchange_barrier(rank->world, PL_BARRIER_FINALIZE);
    if (error == PL_EMISMATCH) {
        *result = pl_return(mpi, rank->world, error);
        pl_call("MPI_Finalize");
    }
    return error && rank->world->broken ? pl_world_part(rank) : error;
}

static void leave_at_exit(void)
{
    struct pl_rank *rank = pl_self();
    struct pl_mpi *mpi = rank ? rank->mpi_state : NULL;
    if (!mpi || rank->initialized || mpi->sessions)
        return;
    pl_enter(rank);
    int result;
    part(mpi, &result);
    pl_mpi_stop(mpi);
}

/* Threads may be inside the library from now on, or not: with the lock held or not accordingly. */
static void set_threaded(struct pl_rank *rank, bool threaded)
{
    if (threaded == rank->threaded)
        return;
    if (threaded)
        pthread_mutex_lock(&rank->lock);
    rank->threaded = threaded;
    if (!threaded)
        pthread_mutex_unlock(&rank->lock);
}

int pl_mpi_start(struct pl_mpi *mpi, int level)
{
    struct pl_rank *rank = mpi->rank;
    bool fresh = !rank->size;
    if (!fresh && !rank->mpi_state)
        return pl_bad(MPI_ERR_OTHER, "MPI has ended: it starts once a program");
    int error = fresh ? pl_process_start(&rank) : 0;
    if (!error && fresh && !pl_mpi_create(rank))
        error = pl_fail(PL_ENOMEM, "no memory for MPI's own objects");
    if (!error && fresh)
        error = pl_spawn_greet_parent(mpi);
    if (error)
        return error;
    if (fresh)
        atexit(leave_at_exit);
    level = level <= MPI_THREAD_SINGLE    ? MPI_THREAD_SINGLE
            : level > MPI_THREAD_MULTIPLE ? MPI_THREAD_MULTIPLE
                                          : level;
    if (level > mpi->thread_level)
        mpi->thread_level = level;
    set_threaded(rank, mpi->thread_level == MPI_THREAD_MULTIPLE && !rank->cooperative);
    return 0;
}

void pl_mpi_stop(struct pl_mpi *mpi)
{
    struct pl_rank *rank = mpi->rank;
    pl_mpi_end(mpi);
    if (!rank->fabric)
        pl_process_end(rank);
    rank->call = NULL;
    pl_leave(rank);
}

static int init(const char *name, int required, int *provided)
{
    struct pl_mpi *mpi = pl_call_any(name);
    struct pl_rank *rank = mpi->rank;
    if (rank->size && !rank->mpi_state) {
        pl_error("%s was called after MPI_Finalize: MPI starts once a program", name);
        exit(MPI_ERR_OTHER);
    }
    if (rank->initialized)
        return pl_return(mpi, NULL, pl_bad(MPI_ERR_OTHER, "MPI is already up"));
    int error = pl_mpi_start(mpi, required);
    if (error) { /* before there is a world, an error has no handler: it is told and ends the process */
        pl_error("%s: %s", name, pl_fail_text());
        exit(1);
    }
    rank->initialized = true;
    mpi->main_thread = pthread_self();
    if (provided)
        *provided = mpi->thread_level;
    return pl_return(mpi, NULL, 0);
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
    int error = 0, result = MPI_SUCCESS;
    if (rank->finalized || (!rank->initialized && !rank->fabric))
        error = pl_bad(MPI_ERR_OTHER, rank->finalized ? "MPI_Finalize was called before"
                                                      : "MPI_Init was not called, only sessions were made");
    if (!error)
        error = pl_attributes_delete(mpi, PL_ATTRIBUTE_COMM, rank->self->handle, &rank->self->attributes);
    if (!error)
        error = pl_buffers_flush(mpi);
    if (!error)
        error = part(mpi, &result);
    if (error)
        return pl_return(mpi, rank->world, error);
    rank->finalized = true;
    if (mpi->sessions)
        return pl_return(mpi, NULL, result);
    pl_mpi_stop(mpi);
    return result;
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
    struct pl_rank *rank = pl_self();
    return (double)(rank && rank->cooperative ? pl_rank_now(rank) : pl_now()) * 1e-9;
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
