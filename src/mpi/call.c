/* The frame around every call. The texts of errors are made where the error is
 * first known; here they only get the function's name and the communicator's. */
#include "call.h"

#include "log.h"
#include "loopback.h"
#include "state.h"
#include "stream.h"
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pl_call_refuse(struct pl_rank *rank, const char *format, ...)
{
    char text[PL_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (rank && rank->fabric)
        rank->abort(rank, MPI_ERR_OTHER, text);
    pl_error("%s", text);
    exit(MPI_ERR_OTHER);
}

struct pl_mpi *pl_call(const char *name)
{
    struct pl_rank *rank = pl_self();
    if (__builtin_expect(!rank || !rank->mpi_state, 0))
        pl_call_refuse(rank, "%s was called before MPI_Init or after MPI_Finalize", name);
    struct pl_mpi *mpi = rank->mpi_state;
    if (__builtin_expect(mpi->lent != NULL, 0))
        pl_streams_reclaim(mpi);
    pl_enter(rank);
    rank->call = name;
    if (__builtin_expect(mpi->meter != NULL, 0))
        pl_meter_begin(mpi->meter, name);
    return mpi;
}

struct pl_mpi *pl_call_any(const char *name)
{
    struct pl_rank *rank = pl_self();
    if (!rank)
        rank = pl_process_early();
    struct pl_mpi *mpi = rank ? pl_mpi_memory(rank) : NULL;
    if (!mpi) {
        pl_error("%s: no memory", name);
        exit(MPI_ERR_NO_MEM);
    }
    pl_streams_reclaim(mpi);
    pl_enter(rank);
    rank->call = name;
    if (mpi->meter)
        pl_meter_begin(mpi->meter, name);
    return mpi;
}

int pl_bad(int class, const char *format, ...)
{
    char text[PL_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pl_fail(PL_EARG, "%s", text);
    return class;
}

int pl_error_keep(struct pl_mpi *mpi, int error)
{
    int class = error < 0 ? pl_error_class(error) : error;
    if (class >= PL_ERROR_CLASSES)
        return class;
    char text[PL_ERROR_TEXT];
    snprintf(text, sizeof text, "%s: %.440s", mpi->rank->call ? mpi->rank->call : "MPI", pl_fail_text());
    free(mpi->texts[class]);
    mpi->texts[class] = strdup(text);
    return class;
}

static void die(struct pl_mpi *mpi, const char *where, int class)
{
    char text[PL_ERROR_TEXT + 192];
    const char *kept = class < PL_ERROR_CLASSES ? mpi->texts[class] : NULL;
    snprintf(text, sizeof text, "%s [%s, in %s, errors are fatal]", kept ? kept : pl_class_meaning(class),
             pl_class_name(class), where);
    pl_meter_save(mpi->meter);
    if (mpi->rank->abort)
        mpi->rank->abort(mpi->rank, class, text);
    pl_error("%s", text);
    exit(class & 255 ? class & 255 : 1);
}

/* Calls the program's function, which may call MPI, with the handler held. Its first argument is the address
 * of a handle. */
static void call_function(struct pl_mpi *mpi, struct pl_errhandler *errhandler, uintptr_t handle, int class)
{
    switch (errhandler->kind) {
    case PL_ERRHANDLER_COMM:
        ((MPI_Comm_errhandler_function *)errhandler->function)(&(MPI_Comm){(MPI_Comm)handle}, &class);
        break;
    case PL_ERRHANDLER_FILE:
        ((MPI_File_errhandler_function *)errhandler->function)(&(MPI_File){(MPI_File)handle}, &class);
        break;
    case PL_ERRHANDLER_SESSION:
        ((MPI_Session_errhandler_function *)errhandler->function)(&(MPI_Session){(MPI_Session)handle},
                                                                  &class);
        break;
    default:
        ((MPI_Win_errhandler_function *)errhandler->function)(&(MPI_Win){(MPI_Win)handle}, &class);
    }
    pl_enter(mpi->rank);
    pl_errhandler_release(mpi, errhandler);
    pl_leave(mpi->rank);
}

static int finish(struct pl_mpi *mpi, struct pl_errhandler *errhandler, uintptr_t handle, const char *where,
                  int error)
{
    struct pl_rank *rank = mpi->rank;
    int class = pl_error_keep(mpi, error);
    if (mpi->meter)
        pl_meter_end(mpi->meter);
    rank->call = NULL;
    if (errhandler && errhandler->function)
        errhandler->references++;
    pl_leave(rank);
    if (rank->fabric && pl_fabric_ended(rank->fabric, rank->rank) != PL_END_NONE)
        rank->abort(rank, class, "its end was planned");
    if (!errhandler || errhandler->predefined == MPI_ERRORS_ARE_FATAL ||
        errhandler->predefined == MPI_ERRORS_ABORT)
        die(mpi, where, class);
    else if (errhandler->function)
        call_function(mpi, errhandler, handle, class);
    return class;
}

int pl_return_error(struct pl_mpi *mpi, struct pl_comm *comm, int error)
{
    if (!comm) {
        comm = mpi->rank->self;
        if (comm && !comm->errhandler && mpi->rank->world->errhandler)
            comm = mpi->rank->world;
    }
    if (!comm) /* MPI is not up */
        return finish(mpi, NULL, 0, "no communicator", error);
    return finish(mpi, comm->errhandler, comm->handle, comm->name[0] ? comm->name : "an unnamed communicator",
                  error);
}

int pl_return_release(struct pl_mpi *mpi, struct pl_comm *comm, int error)
{
    if (!error) {
        pl_comm_release(comm);
        return pl_return(mpi, NULL, 0);
    }
    mpi->held = comm;
    int result = pl_return(mpi, comm, error);
    pl_enter(mpi->rank);
    mpi->held = NULL;
    pl_comm_release(comm);
    pl_leave(mpi->rank);
    return result;
}

int pl_return_to(struct pl_mpi *mpi, struct pl_errhandler *errhandler, uintptr_t handle, int error)
{
    if (!error)
        return pl_return(mpi, NULL, 0);
    return finish(mpi, errhandler, handle, "an object with an error handler of its own", error);
}

const char *pl_callback_begin(struct pl_mpi *mpi)
{
    const char *call = mpi->rank->call;
    pl_leave(mpi->rank);
    return call;
}

void pl_callback_end(struct pl_mpi *mpi, const char *call)
{
    pl_enter(mpi->rank);
    mpi->rank->call = call;
}

int pl_check_count(MPI_Count count)
{
    return count >= 0 ? 0 : pl_bad(MPI_ERR_COUNT, "count %lld is negative", (long long)count);
}

int pl_check_buffer(const void *buffer, MPI_Count count, const struct pl_datatype *type)
{
    if (buffer == MPI_IN_PLACE)
        return pl_bad(MPI_ERR_BUFFER, "MPI_IN_PLACE is not allowed for this buffer");
    if (!type->committed)
        return pl_bad(MPI_ERR_TYPE, "the datatype is not committed: call MPI_Type_commit first");
    if (!buffer && count && type->size && (type->contiguous || type->predefined))
        return pl_bad(MPI_ERR_BUFFER, "the buffer is NULL but the count is %lld", (long long)count);
    return 0;
}

int pl_check_length(MPI_Count count, const struct pl_datatype *type, size_t *length)
{
    if (!__builtin_mul_overflow((size_t)count, type->size, length) && *length <= PTRDIFF_MAX)
        return 0;
    return pl_bad(MPI_ERR_COUNT, "%lld elements of %zu bytes are more than memory can have", (long long)count,
                  type->size);
}

int pl_check_op(const struct pl_op *op, const struct pl_datatype *type)
{
    if (op->kind == PL_OP_REPLACE || op->kind == PL_OP_NO_OP)
        return pl_bad(MPI_ERR_OP, "%s is for accumulating into windows, not for reductions", op->name);
    if (pl_op_defined(op, type))
        return 0;
    return pl_bad(MPI_ERR_OP, "%s is not defined for %s", op->name,
                  type->name[0] ? type->name : "a derived datatype");
}

int pl_check_root(const struct pl_comm *comm, int root)
{
    if (root >= 0 && root < comm->size)
        return 0;
    return pl_bad(MPI_ERR_ROOT, "root %d is not a rank of %s, whose ranks are 0..%d", root, comm->name,
                  comm->size - 1);
}

int pl_check_pointer(const void *pointer, const char *name)
{
    return pointer ? 0 : pl_bad(MPI_ERR_ARG, "the argument '%s' is NULL", name);
}
