/* Requests (MPI 5.0, section 3.7): waiting and testing.
 *
 * A request object is recycled, its handle's generation moves on, so that a
 * stale MPI_Request is refused. An object whose handle was freed while it was
 * under way goes when it completes.
 */
#include "mpi_request.h"

#include "loss.h"
#include "run.h"
#include "staging.h"

#include <stdlib.h>
#include <string.h>

/* Parts with the run of a collective; one that is under way finishes itself when it can. */
static void let_run_go(struct pl_mpi_request *request)
{
    struct pl_run *run = request->run;
    request->run = NULL;
    if (run && run->complete) {
        pl_run_finish(run);
    } else if (run) {
        run->owner = NULL;
        run->burden = request->staging; /* it still writes there */
        request->staging = NULL;
    }
}

int pl_mpi_request_recycle(struct pl_mpi_request *request)
{
    int error = 0;
    if (request->freed && request->special && request->special->named)
        pl_handle_drop(&request->mpi->handles[PL_CLASS_REQUEST], request->handle);
    pl_request_finish(&request->base);
    let_run_go(request);
    pl_staging_destroy(request->staging);
    request->staging = NULL;
    if (request->special && request->special->last)
        error = request->special->last(request);
    if (request->special && request->special->finish)
        request->special->finish(request);
    request->special = NULL;
    request->extra = NULL;
    pl_datatype_release(request->type);
    request->type = NULL;
    pl_comm_release(request->comm);
    request->comm = NULL;
    if (request->freed)
        pl_list_remove(&request->link);
    pl_list_append(&request->mpi->free_requests, &request->link);
    return error;
}

static void completed(struct pl_request *base)
{
    struct pl_mpi_request *request = pl_container(base, struct pl_mpi_request, base);
    if (request->freed)
        pl_mpi_request_recycle(request);
}

struct pl_mpi_request *pl_mpi_request_create(struct pl_mpi *mpi, struct pl_comm *comm)
{
    struct pl_list *node = pl_list_first(&mpi->free_requests);
    struct pl_mpi_request *request = node ? pl_container(node, struct pl_mpi_request, link) : NULL;
    if (request)
        pl_list_remove(node);
    else if (!(request = calloc(1, sizeof *request)))
        goto no_memory;
    request->handle = pl_handle_new(&mpi->handles[PL_CLASS_REQUEST], PL_CLASS_REQUEST, request);
    if (!request->handle) {
        free(request);
        goto no_memory;
    }
    request->mpi = mpi;
    request->comm = comm;
    request->collective = request->freed = false;
    request->start = NULL;
    request->active = true;
    request->base.completed = completed;
    pl_comm_hold(comm);
    return request;
no_memory:
    pl_fail(PL_ENOMEM, "no memory for another request");
    return NULL;
}

void pl_mpi_request_begin_run(struct pl_mpi_request *request)
{
    struct pl_request *base = &request->base;
    request->collective = true;
    base->rank = request->mpi->rank;
    base->complete = base->cancelled = base->matched = false;
    base->is_send = true;
    base->type = NULL;
    base->cookie = 0;
    base->error = 0;
    base->text = NULL;
}

void pl_mpi_request_end(struct pl_mpi_request *request)
{
    request->base.complete = true;
    request->base.completed(&request->base);
}

void pl_mpi_request_persist(struct pl_mpi_request *request, int (*start)(struct pl_mpi_request *request))
{
    request->start = start;
    request->active = false;
    request->base.complete = true;
}

int pl_mpi_request_destroy(struct pl_mpi_request *request)
{
    pl_handle_drop(&request->mpi->handles[PL_CLASS_REQUEST], request->handle);
    return pl_mpi_request_recycle(request);
}

int pl_mpi_request_of(struct pl_mpi *mpi, MPI_Request handle, struct pl_mpi_request **request)
{
    *request = NULL;
    if (handle == MPI_REQUEST_NULL)
        return 0;
    *request = pl_handle_find(&mpi->handles[PL_CLASS_REQUEST], PL_CLASS_REQUEST, (uintptr_t)handle);
    if (*request && (*request)->freed)
        *request = NULL;
    return *request ? 0
                    : pl_bad(MPI_ERR_REQUEST, "%p is not a request (completed, freed, or never made)",
                             (void *)handle);
}

/* The request to wait for: none for MPI_REQUEST_NULL, and for one that is inactive. */
static int active_of(struct pl_mpi *mpi, MPI_Request handle, struct pl_mpi_request **request)
{
    int error = pl_mpi_request_of(mpi, handle, request);
    if (*request && !(*request)->active)
        *request = NULL;
    return error;
}

/* A persistent request that is complete becomes inactive. A collective that was given up cannot be
 * started again, for its run is still under way. */
static void deactivate(struct pl_mpi_request *request)
{
    request->active = false;
    pl_request_finish(&request->base);
    if (request->run && !request->run->complete)
        let_run_go(request);
}

int pl_mpi_request_status(struct pl_mpi_request *request, MPI_Status *status)
{
    struct pl_request *base = &request->base;
    if (request->special && request->special->status)
        return request->special->status(request, status);
    if (request->collective)
        pl_status_empty(status);
    else
        pl_status_of(status, base);
    return base->error ? pl_fail(base->error, "%s", base->text ? base->text : "") : 0;
}

/* Ends a complete request: status, error, and the handle becomes null, unless it is persistent. */
static int retire(struct pl_mpi_request *request, MPI_Request *handle, MPI_Status *status)
{
    int error = pl_mpi_request_status(request, status);
    if (request->start) {
        deactivate(request);
        return error;
    }
    int ended = pl_mpi_request_destroy(request);
    *handle = MPI_REQUEST_NULL;
    return error ? error : ended;
}

/* The error of a receive from any source, still under way, when a possible sender is dead. */
static int stalled(struct pl_mpi_request *request)
{
    pl_source_check(request->comm, PL_ANY_SOURCE);
    return pl_fail(PL_EPENDING, "%s", pl_fail_text());
}

int PMPI_Wait(MPI_Request *handle, MPI_Status *status)
{
    struct pl_mpi *mpi = pl_call("MPI_Wait");
    struct pl_mpi_request *request = NULL;
    struct pl_comm *comm = NULL;
    int error = pl_check_pointer(handle, "request");
    if (!error)
        error = active_of(mpi, *handle, &request);
    if (!error && !request)
        pl_status_empty(status);
    if (request) {
        comm = request->comm;
        pl_comm_hold(comm);
        error = pl_request_await(&request->base);
        if (error != PL_EPENDING)
            error = retire(request, handle, status);
    }
    return pl_return_release(mpi, comm, error);
}
PL_WEAK(Wait)

int PMPI_Test(MPI_Request *handle, int *flag, MPI_Status *status)
{
    struct pl_mpi *mpi = pl_call("MPI_Test");
    struct pl_mpi_request *request = NULL;
    struct pl_comm *comm = NULL;
    int error = pl_check_pointer(handle, "request");
    if (!error)
        error = pl_check_pointer(flag, "flag");
    if (!error)
        error = active_of(mpi, *handle, &request);
    if (!error && !request)
        pl_status_empty(status);
    if (!error)
        *flag = !request || pl_request_test(&request->base);
    if (request && !*flag && pl_request_stalled(&request->base)) {
        comm = request->comm;
        pl_comm_hold(comm);
        error = stalled(request);
    } else if (request && *flag) {
        comm = request->comm;
        pl_comm_hold(comm);
        error = retire(request, handle, status);
    }
    return pl_return_release(mpi, comm, error);
}
PL_WEAK(Test)

/* The requests behind `count` handles; active[i] is NULL for MPI_REQUEST_NULL. */
static int resolve(struct pl_mpi *mpi, int count, MPI_Request handles[], struct pl_mpi_request ***active)
{
    *active = NULL;
    int error = count < 0 ? pl_check_count(count) : 0;
    if (!error && count)
        error = pl_check_pointer(handles, "requests");
    if (error)
        return error;
    *active = calloc(count ? (size_t)count : 1, sizeof **active);
    if (!*active)
        return pl_fail(PL_ENOMEM, "no memory to wait for %d requests", count);
    for (int i = 0; i < count && !error; i++)
        error = active_of(mpi, handles[i], &(*active)[i]);
    return error;
}

enum progress { NONE_ACTIVE, SOME_COMPLETE, SOME_STALLED, NONE_COMPLETE };

static enum progress survey(struct pl_mpi_request *const *active, int count, int *first)
{
    enum progress seen = NONE_ACTIVE;
    for (int i = 0; i < count; i++) {
        if (!active[i])
            continue;
        if (active[i]->base.complete) {
            *first = i;
            return SOME_COMPLETE;
        }
        seen = NONE_COMPLETE;
    }
    return seen;
}

/* The first of the requests that waits on in vain for the dead, when none is complete; else -1. */
static int first_stalled(const struct pl_mpi *mpi, struct pl_mpi_request *const *active, int count)
{
    for (int i = 0; i < count && mpi->rank->lost; i++)
        if (active[i] && pl_request_stalled(&active[i]->base))
            return i;
    return -1;
}

static void abandon_all(struct pl_mpi_request *const *active, int count, int error)
{
    for (int i = 0; i < count; i++)
        if (active[i])
            pl_request_abandon(&active[i]->base, error);
}

/* Waits until one of the requests is complete, or looks once when `block` is false. */
static enum progress await_one(struct pl_mpi *mpi, struct pl_mpi_request *const *active, int count,
                               bool block, int *first)
{
    enum progress seen = survey(active, count, first);
    for (unsigned idle = 0; seen == NONE_COMPLETE; seen = survey(active, count, first)) {
        if ((*first = first_stalled(mpi, active, count)) >= 0)
            return SOME_STALLED;
        int events = block ? pl_progress(mpi->rank) : pl_poll(mpi->rank);
        if (block && events == 0)
            events = pl_idle(mpi->rank, idle++);
        else
            idle = 0;
        if (events < 0)
            abandon_all(active, count, events);
        if (!block)
            return survey(active, count, first);
    }
    return seen;
}

struct outcome {
    int error;            /* of the first that failed */
    struct pl_comm *comm; /* whose; held */
    char text[PL_ERROR_TEXT];
};

/* Retires one of several requests; its error goes to its status and to the outcome. */
static void retire_one(struct pl_mpi *mpi, struct pl_mpi_request *request, MPI_Request *handle,
                       MPI_Status *status, struct outcome *outcome)
{
    struct pl_comm *comm = request->comm;
    pl_comm_hold(comm);
    int error = request->base.complete ? retire(request, handle, status) : stalled(request);
    if (status != MPI_STATUS_IGNORE)
        status->MPI_ERROR = error < 0 ? pl_error_class(error) : error;
    if (error && !outcome->error) {
        outcome->error = error;
        outcome->comm = comm;
        strcpy(outcome->text, pl_fail_text());
        pl_error_keep(mpi, error);
        return;
    }
    pl_comm_release(comm);
}

static int finish_several(struct pl_mpi *mpi, const struct outcome *outcome)
{
    int error = 0;
    if (outcome->error)
        error = pl_bad(MPI_ERR_IN_STATUS, "at least one request failed: %.400s", outcome->text);
    return pl_return_release(mpi, outcome->comm, error);
}

static MPI_Status *status_at(MPI_Status *statuses, int i)
{
    return statuses == MPI_STATUSES_IGNORE ? MPI_STATUS_IGNORE : &statuses[i];
}

int PMPI_Waitall(int count, MPI_Request handles[], MPI_Status statuses[])
{
    struct pl_mpi *mpi = pl_call("MPI_Waitall");
    struct pl_mpi_request **active;
    int error = resolve(mpi, count, handles, &active);
    if (error) {
        free(active);
        return pl_return(mpi, NULL, error);
    }
    struct outcome outcome = {0};
    for (int i = 0; i < count; i++) {
        if (active[i]) {
            pl_request_await(&active[i]->base);
            retire_one(mpi, active[i], &handles[i], status_at(statuses, i), &outcome);
        } else {
            pl_status_empty(status_at(statuses, i));
        }
    }
    free(active);
    return finish_several(mpi, &outcome);
}
PL_WEAK(Waitall)

/* Nothing more can be expected of it now. */
static bool is_over(const struct pl_mpi_request *request)
{
    return !request || request->base.complete ||
           (request->base.rank->lost && pl_request_stalled(&request->base));
}

int PMPI_Testall(int count, MPI_Request handles[], int *flag, MPI_Status statuses[])
{
    struct pl_mpi *mpi = pl_call("MPI_Testall");
    struct pl_mpi_request **active;
    int error = resolve(mpi, count, handles, &active);
    if (!error)
        error = pl_check_pointer(flag, "flag");
    if (error) {
        free(active);
        return pl_return(mpi, NULL, error);
    }
    struct outcome outcome = {0};
    *flag = 1;
    for (int i = 0; i < count; i++)
        *flag = *flag && is_over(active[i]);
    if (!*flag) {
        int events = pl_poll(mpi->rank);
        if (events < 0)
            abandon_all(active, count, events);
        *flag = 1;
        for (int i = 0; i < count; i++)
            *flag = *flag && is_over(active[i]);
    }
    for (int i = 0; i < count && *flag; i++) {
        if (active[i])
            retire_one(mpi, active[i], &handles[i], status_at(statuses, i), &outcome);
        else
            pl_status_empty(status_at(statuses, i));
    }
    free(active);
    return finish_several(mpi, &outcome);
}
PL_WEAK(Testall)

static int one_of(const char *name, bool block, int count, MPI_Request handles[], int *index, int *flag,
                  MPI_Status *status)
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_mpi_request **active;
    struct pl_comm *comm = NULL;
    int error = resolve(mpi, count, handles, &active), first = MPI_UNDEFINED;
    if (!error)
        error = pl_check_pointer(index, "index");
    if (!error && !block)
        error = pl_check_pointer(flag, "flag");
    if (!error) {
        enum progress seen = await_one(mpi, active, count, block, &first);
        if (flag)
            *flag = seen != NONE_COMPLETE;
        *index = seen == SOME_COMPLETE || seen == SOME_STALLED ? first : MPI_UNDEFINED;
        if (seen == SOME_STALLED) {
            comm = active[first]->comm;
            pl_comm_hold(comm);
            error = stalled(active[first]);
        } else if (seen == SOME_COMPLETE) {
            comm = active[first]->comm;
            pl_comm_hold(comm);
            error = retire(active[first], &handles[first], status);
        } else if (seen == NONE_ACTIVE) {
            pl_status_empty(status);
        }
    }
    free(active);
    return pl_return_release(mpi, comm, error);
}

int PMPI_Waitany(int count, MPI_Request handles[], int *index, MPI_Status *status)
{
    return one_of("MPI_Waitany", true, count, handles, index, NULL, status);
}
PL_WEAK(Waitany)

int PMPI_Testany(int count, MPI_Request handles[], int *index, int *flag, MPI_Status *status)
{
    return one_of("MPI_Testany", false, count, handles, index, flag, status);
}
PL_WEAK(Testany)

static int some_of(const char *name, bool block, int count, MPI_Request handles[], int *outcount,
                   int indices[], MPI_Status statuses[])
{
    struct pl_mpi *mpi = pl_call(name);
    struct pl_mpi_request **active;
    struct outcome outcome = {0};
    int error = resolve(mpi, count, handles, &active), first;
    if (!error)
        error = pl_check_pointer(outcount, "outcount");
    if (!error && count)
        error = pl_check_pointer(indices, "indices");
    if (error) {
        free(active);
        return pl_return(mpi, NULL, error);
    }
    int done = 0;
    enum progress seen = await_one(mpi, active, count, block, &first);
    for (int i = 0; i < count && (seen == SOME_COMPLETE || seen == SOME_STALLED); i++)
        if (active[i] && is_over(active[i])) {
            indices[done] = i;
            retire_one(mpi, active[i], &handles[i], status_at(statuses, done), &outcome);
            done++;
        }
    *outcount = seen == NONE_ACTIVE ? MPI_UNDEFINED : done;
    free(active);
    return finish_several(mpi, &outcome);
}

int PMPI_Waitsome(int count, MPI_Request handles[], int *outcount, int indices[], MPI_Status statuses[])
{
    return some_of("MPI_Waitsome", true, count, handles, outcount, indices, statuses);
}
PL_WEAK(Waitsome)

int PMPI_Testsome(int count, MPI_Request handles[], int *outcount, int indices[], MPI_Status statuses[])
{
    return some_of("MPI_Testsome", false, count, handles, outcount, indices, statuses);
}
PL_WEAK(Testsome)

int PMPI_Cancel(MPI_Request *handle)
{
    struct pl_mpi *mpi = pl_call("MPI_Cancel");
    struct pl_mpi_request *request = NULL;
    int error = pl_check_pointer(handle, "request");
    if (!error)
        error = pl_mpi_request_of(mpi, *handle, &request);
    if (!error && !request)
        error = pl_bad(MPI_ERR_REQUEST, "MPI_REQUEST_NULL cannot be cancelled");
    if (!error && request->special && request->special->cancel)
        error = request->special->cancel(request);
    else if (!error && !request->collective)
        pl_request_cancel(&request->base);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Cancel)

/* It goes when it completes. The program may still name a generalised request, to complete it. */
static void give_up(struct pl_mpi *mpi, struct pl_mpi_request *request)
{
    if (!request->special || !request->special->named)
        pl_handle_drop(&mpi->handles[PL_CLASS_REQUEST], request->handle);
    request->freed = true;
    pl_list_append(&mpi->given_up, &request->link);
}

int PMPI_Request_free(MPI_Request *handle)
{
    struct pl_mpi *mpi = pl_call("MPI_Request_free");
    struct pl_mpi_request *request = NULL;
    int error = pl_check_pointer(handle, "request");
    if (!error)
        error = pl_mpi_request_of(mpi, *handle, &request);
    if (!error && !request)
        error = pl_bad(MPI_ERR_REQUEST, "MPI_REQUEST_NULL cannot be freed");
    if (!error) {
        if (request->base.complete)
            pl_mpi_request_destroy(request);
        else
            give_up(mpi, request);
        *handle = MPI_REQUEST_NULL;
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Request_free)
