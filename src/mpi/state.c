/* What MPI_Init makes above a rank that is up, and what MPI_Finalize takes away:
 * also the objects that the program never freed.
 */
#include "state.h"

#include "agree.h"
#include "attribute.h"
#include "buffer.h"
#include "collectives.h"
#include "doubt.h"
#include "error_user.h"
#include "info.h"
#include "log.h"
#include "memory.h"
#include "mpi_request.h"
#include "port.h"
#include "recipe.h"
#include "stream.h"
#include "tools.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pl_comm *make_comm(struct pl_rank *rank, bool whole, const char *name, MPI_Comm handle)
{
    struct pl_group *group = pl_group_create(whole ? rank->size : 1);
    if (!group)
        return NULL;
    for (int i = 0; i < group->size; i++)
        group->peers[i] = whole ? i : rank->rank;
    group->rank = whole ? rank->rank : 0;
    struct pl_comm *comm = pl_comm_create(rank, group, whole ? 0 : pl_context_new(rank));
    pl_group_release(group);
    if (!comm)
        return NULL;
    comm->handle = (uintptr_t)handle;
    comm->named = true;
    snprintf(comm->name, sizeof comm->name, "%s", name);
    snprintf(comm->algorithm, sizeof comm->algorithm, "%.127s", rank->config.algorithm);
    return comm;
}

static void set_predefined(struct pl_mpi *mpi)
{
    mpi->predefined.tag_ub = INT_MAX;
    mpi->predefined.io = MPI_ANY_SOURCE;
    mpi->predefined.host = MPI_PROC_NULL;
    mpi->predefined.wtime_is_global = mpi->rank->hosts <= 1;
    mpi->predefined.appnum = mpi->predefined.universe_size = -2;
}

struct pl_mpi *pl_mpi_memory(struct pl_rank *rank)
{
    struct pl_mpi *mpi = __atomic_load_n((struct pl_mpi **)&rank->mpi_memory, __ATOMIC_ACQUIRE);
    if (mpi)
        return mpi;
    mpi = calloc(1, sizeof *mpi);
    if (!mpi)
        return NULL;
    mpi->rank = rank;
    mpi->fatal = (struct pl_errhandler){.predefined = MPI_ERRORS_ARE_FATAL};
    mpi->abort = (struct pl_errhandler){.predefined = MPI_ERRORS_ABORT};
    mpi->returns = (struct pl_errhandler){.predefined = MPI_ERRORS_RETURN};
    mpi->predefined.last_used_code = MPI_ERR_LASTCODE;
    pl_list_init(&mpi->free_requests);
    pl_list_init(&mpi->hooks);
    void *there = NULL;
    if (__atomic_compare_exchange_n(&rank->mpi_memory, &there, mpi, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return mpi;
    free(mpi);
    return there;
}

/* Device memory, where the process can have any. */
static void open_memory(struct pl_rank *rank)
{
    if (!rank->config.cuda || rank->memory || pl_memory_cuda.open(&rank->memory) >= 0)
        return;
    pl_debug("buffers are host memory only: %s", pl_fail_text());
}

struct pl_mpi *pl_mpi_create(struct pl_rank *rank)
{
    struct pl_mpi *mpi = pl_mpi_memory(rank);
    if (!mpi)
        return NULL;
    mpi->main_thread = pthread_self();
    open_memory(rank);
    set_predefined(mpi);
    pl_list_init(&mpi->given_up);
    pl_list_init(&mpi->buffers);
    pl_list_init(&mpi->doors);
    mpi->empty = pl_group_create(0);
    rank->world = make_comm(rank, true, "MPI_COMM_WORLD", MPI_COMM_WORLD);
    rank->self = make_comm(rank, false, "MPI_COMM_SELF", MPI_COMM_SELF);
    if (!mpi->empty || !rank->world || !rank->self) {
        pl_mpi_end(mpi);
        return NULL;
    }
    rank->explain = pl_coll_explain;
    pl_meter_create(rank, &mpi->meter);
    pl_doubt_begin(rank);
    rank->mpi_state = mpi;
    return mpi;
}

static void free_comms(struct pl_mpi *mpi)
{
    struct pl_comm *comm;
    pl_comm_release(mpi->held);
    mpi->held = NULL;
    while ((comm = pl_handle_any(&mpi->handles[PL_CLASS_COMM]))) {
        pl_comm_unmake(mpi, comm);
    }
    struct pl_comm *predefined[] = {mpi->rank->world, mpi->rank->self};
    for (int i = 0; i < 2; i++)
        if (predefined[i]) {
            pl_attributes_drop(mpi, &predefined[i]->attributes);
            pl_errhandler_release(mpi, predefined[i]->errhandler);
            pl_comm_release(predefined[i]);
        }
    mpi->rank->world = mpi->rank->self = NULL;
}

/* A request that the program never completed. A transport may still have it: then p2p keeps its memory. */
static void end_request(struct pl_mpi_request *request)
{
    if (request->base.complete || request->collective) {
        pl_mpi_request_recycle(request);
        return;
    }
    struct pl_comm *comm = request->comm;
    pl_request_orphan(&request->base, request);
    pl_comm_release(comm);
}

static void free_requests(struct pl_mpi *mpi)
{
    struct pl_handles *handles = &mpi->handles[PL_CLASS_REQUEST];
    struct pl_mpi_request *request;
    pl_list_each(node, &mpi->given_up)
    {
        struct pl_mpi_request *given_up = pl_container(node, struct pl_mpi_request, link);
        pl_list_remove(node);
        given_up->freed = false;
        if (given_up->special && given_up->special->named)
            pl_handle_drop(handles, given_up->handle);
        end_request(given_up);
    }
    while ((request = pl_handle_any(handles))) {
        if (request->base.complete) {
            pl_mpi_request_destroy(request);
            continue;
        }
        pl_handle_drop(handles, request->handle);
        end_request(request);
    }
    pl_list_each(node, &mpi->free_requests)
    {
        pl_list_remove(node);
        free(pl_container(node, struct pl_mpi_request, link));
    }
}

/* Frees every object of a class with `release`. */
static void free_class(struct pl_mpi *mpi, enum pl_class class, void (*release)(void *object))
{
    struct pl_handles *handles = &mpi->handles[class];
    for (uint32_t i = 0; i < handles->size; i++)
        if (handles->slots[i].object)
            release(handles->slots[i].object);
}

static void release_group(void *object)
{
    pl_group_release(object);
}

static void release_info(void *object)
{
    pl_info_destroy(object);
}

static void free_datatypes(struct pl_mpi *mpi)
{
    struct pl_handles *handles = &mpi->handles[PL_CLASS_DATATYPE];
    for (uint32_t i = 0; i < handles->size; i++) {
        struct pl_datatype *type = handles->slots[i].object;
        if (!type)
            continue;
        pl_attributes_drop(mpi, &type->attributes);
        pl_datatype_forget(type);
    }
    for (int i = 0; i < 256; i++) {
        pl_attributes_drop(mpi, &mpi->type_attributes[i]);
        free(mpi->type_names[i]);
        mpi->type_names[i] = NULL;
    }
}

static void free_and_close(struct pl_mpi *mpi, enum pl_class class, void (*release)(void *object))
{
    free_class(mpi, class, release);
    pl_handles_finish(&mpi->handles[class]);
}

void pl_mpi_end(struct pl_mpi *mpi)
{
    if (!mpi)
        return;
    pl_streams_end(mpi);
    pl_hooks_end(mpi);
    pl_ports_close(mpi);
    pl_buffers_finish(mpi);
    free_requests(mpi);
    free_comms(mpi);
    free_and_close(mpi, PL_CLASS_GROUP, release_group);
    free_datatypes(mpi);
    pl_handles_finish(&mpi->handles[PL_CLASS_DATATYPE]);
    free_and_close(mpi, PL_CLASS_OP, free);
    pl_handles_finish(&mpi->handles[PL_CLASS_MESSAGE]); /* the messages are p2p's */
    free_and_close(mpi, PL_CLASS_KEYVAL, free);
    free_and_close(mpi, PL_CLASS_COMM, free);
    free_and_close(mpi, PL_CLASS_REQUEST, free);
    pl_group_release(mpi->empty);
    mpi->empty = NULL;
    pl_collectives_finish(mpi->rank);
    pl_meter_destroy(mpi->meter);
    mpi->meter = NULL;
    mpi->rank->mpi_state = NULL;
}

void pl_mpi_destroy(struct pl_mpi *mpi)
{
    if (!mpi)
        return;
    if (mpi->rank->mpi_state)
        pl_mpi_end(mpi);
    mpi->rank->mpi_memory = NULL;
    free_and_close(mpi, PL_CLASS_INFO, release_info);
    free_and_close(mpi, PL_CLASS_ERRHANDLER, free);
    free_and_close(mpi, PL_CLASS_SESSION, free);
    for (int i = 0; i < PL_ERROR_CLASSES; i++)
        free(mpi->texts[i]);
    pl_user_errors_free(mpi);
    pl_info_destroy(mpi->environment);
    pl_tools_destroy(mpi->tools);
    free(mpi);
}
