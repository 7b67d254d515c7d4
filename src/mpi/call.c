/* The frame around every call. The texts of errors are made where the error is
 * first known; here they only get the function's name and the communicator's. */
#include "call.h"

#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pl_mpi *pl_call(const char *name)
{
    struct pl_rank *rank = pl_self();
    if (__builtin_expect(!rank || !rank->mpi_state, 0)) {
        pl_error("%s was called before MPI_Init or after MPI_Finalize", name);
        exit(MPI_ERR_OTHER);
    }
    pl_enter(rank);
    rank->call = name;
    return rank->mpi_state;
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

static void die(struct pl_mpi *mpi, const struct pl_comm *comm, int class)
{
    char text[PL_ERROR_TEXT + 192];
    const char *kept = class < PL_ERROR_CLASSES ? mpi->texts[class] : NULL;
    snprintf(text, sizeof text, "%s [%s, in %s, errors are fatal]", kept ? kept : pl_class_meaning(class),
             pl_class_name(class), comm->name[0] ? comm->name : "an unnamed communicator");
    mpi->rank->abort(mpi->rank, class, text);
}

static void handle_error(struct pl_mpi *mpi, struct pl_comm *comm, int class)
{
    struct pl_errhandler *errhandler = comm->errhandler;
    if (!errhandler || errhandler->predefined == MPI_ERRORS_ARE_FATAL ||
        errhandler->predefined == MPI_ERRORS_ABORT)
        die(mpi, comm, class);
    else if (errhandler->function) {
        MPI_Comm handle = (MPI_Comm)comm->handle;
        errhandler->references++;
        errhandler->function(&handle, &class);
        pl_errhandler_release(mpi, errhandler);
    }
}

int pl_return(struct pl_mpi *mpi, struct pl_comm *comm, int error)
{
    struct pl_rank *rank = mpi->rank;
    if (__builtin_expect(!error, 1)) {
        rank->call = NULL;
        pl_leave(rank);
        return MPI_SUCCESS;
    }
    int class = pl_error_keep(mpi, error);
    rank->call = NULL;
    pl_leave(rank);
    handle_error(mpi, comm ? comm : rank->self, class);
    return class;
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
    return pl_bad(MPI_ERR_ROOT, "root %d is not a rank of %s, which has %d ranks (0..%d)", root, comm->name,
                  comm->size, comm->size - 1);
}

int pl_check_pointer(const void *pointer, const char *name)
{
    return pointer ? 0 : pl_bad(MPI_ERR_ARG, "the argument '%s' is NULL", name);
}
