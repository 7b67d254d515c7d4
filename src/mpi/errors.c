/* Errors (MPI 5.0, chapter 9): classes, their names and meanings, error handlers.
 *
 * Codes are classes. The text of the latest error of each class, with names and
 * numbers, is what MPI_Error_string returns; a class that never occurred has its
 * general meaning.
 */
#include "call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *meaning;
} classes[PL_ERROR_CLASSES] = {
    [MPI_SUCCESS] = {"MPI_SUCCESS", "no error"},
    [MPI_ERR_BUFFER] = {"MPI_ERR_BUFFER", "invalid buffer pointer"},
    [MPI_ERR_COUNT] = {"MPI_ERR_COUNT", "invalid count argument"},
    [MPI_ERR_TYPE] = {"MPI_ERR_TYPE", "invalid datatype argument"},
    [MPI_ERR_TAG] = {"MPI_ERR_TAG", "invalid tag argument"},
    [MPI_ERR_COMM] = {"MPI_ERR_COMM", "invalid communicator"},
    [MPI_ERR_RANK] = {"MPI_ERR_RANK", "invalid rank"},
    [MPI_ERR_REQUEST] = {"MPI_ERR_REQUEST", "invalid request handle"},
    [MPI_ERR_ROOT] = {"MPI_ERR_ROOT", "invalid root"},
    [MPI_ERR_GROUP] = {"MPI_ERR_GROUP", "invalid group"},
    [MPI_ERR_OP] = {"MPI_ERR_OP", "invalid reduction operation"},
    [MPI_ERR_TOPOLOGY] = {"MPI_ERR_TOPOLOGY", "invalid topology"},
    [MPI_ERR_DIMS] = {"MPI_ERR_DIMS", "invalid dimension argument"},
    [MPI_ERR_ARG] = {"MPI_ERR_ARG", "invalid argument"},
    [MPI_ERR_UNKNOWN] = {"MPI_ERR_UNKNOWN", "unknown error"},
    [MPI_ERR_TRUNCATE] = {"MPI_ERR_TRUNCATE", "message truncated on receive"},
    [MPI_ERR_OTHER] = {"MPI_ERR_OTHER", "another error"},
    [MPI_ERR_INTERN] = {"MPI_ERR_INTERN", "internal error of the library"},
    [MPI_ERR_PENDING] = {"MPI_ERR_PENDING", "request is pending"},
    [MPI_ERR_IN_STATUS] = {"MPI_ERR_IN_STATUS", "the error code is in the status"},
    [MPI_ERR_ACCESS] = {"MPI_ERR_ACCESS", "permission denied"},
    [MPI_ERR_AMODE] = {"MPI_ERR_AMODE", "invalid access mode"},
    [MPI_ERR_ASSERT] = {"MPI_ERR_ASSERT", "invalid assertion argument"},
    [MPI_ERR_BAD_FILE] = {"MPI_ERR_BAD_FILE", "invalid file name"},
    [MPI_ERR_BASE] = {"MPI_ERR_BASE", "invalid base pointer"},
    [MPI_ERR_CONVERSION] = {"MPI_ERR_CONVERSION", "error in a data conversion function"},
    [MPI_ERR_DISP] = {"MPI_ERR_DISP", "invalid displacement"},
    [MPI_ERR_DUP_DATAREP] = {"MPI_ERR_DUP_DATAREP", "data representation already defined"},
    [MPI_ERR_FILE_EXISTS] = {"MPI_ERR_FILE_EXISTS", "file exists"},
    [MPI_ERR_FILE_IN_USE] = {"MPI_ERR_FILE_IN_USE", "file in use"},
    [MPI_ERR_FILE] = {"MPI_ERR_FILE", "invalid file handle"},
    [MPI_ERR_INFO_KEY] = {"MPI_ERR_INFO_KEY", "info key too long"},
    [MPI_ERR_INFO_NOKEY] = {"MPI_ERR_INFO_NOKEY", "info key not defined"},
    [MPI_ERR_INFO_VALUE] = {"MPI_ERR_INFO_VALUE", "info value too long"},
    [MPI_ERR_INFO] = {"MPI_ERR_INFO", "invalid info object"},
    [MPI_ERR_IO] = {"MPI_ERR_IO", "input or output failed"},
    [MPI_ERR_KEYVAL] = {"MPI_ERR_KEYVAL", "invalid key value"},
    [MPI_ERR_LOCKTYPE] = {"MPI_ERR_LOCKTYPE", "invalid lock type"},
    [MPI_ERR_NAME] = {"MPI_ERR_NAME", "service name not published"},
    [MPI_ERR_NO_MEM] = {"MPI_ERR_NO_MEM", "out of memory"},
    [MPI_ERR_NOT_SAME] = {"MPI_ERR_NOT_SAME", "argument differs between processes"},
    [MPI_ERR_NO_SPACE] = {"MPI_ERR_NO_SPACE", "not enough space"},
    [MPI_ERR_NO_SUCH_FILE] = {"MPI_ERR_NO_SUCH_FILE", "file does not exist"},
    [MPI_ERR_PORT] = {"MPI_ERR_PORT", "invalid port name"},
    [MPI_ERR_QUOTA] = {"MPI_ERR_QUOTA", "quota exceeded"},
    [MPI_ERR_READ_ONLY] = {"MPI_ERR_READ_ONLY", "read-only file or file system"},
    [MPI_ERR_RMA_ATTACH] = {"MPI_ERR_RMA_ATTACH", "memory cannot be attached"},
    [MPI_ERR_RMA_CONFLICT] = {"MPI_ERR_RMA_CONFLICT", "conflicting accesses to window"},
    [MPI_ERR_RMA_RANGE] = {"MPI_ERR_RMA_RANGE", "target memory is not part of the window"},
    [MPI_ERR_RMA_SHARED] = {"MPI_ERR_RMA_SHARED", "memory cannot be shared"},
    [MPI_ERR_RMA_SYNC] = {"MPI_ERR_RMA_SYNC", "wrong synchronization of RMA calls"},
    [MPI_ERR_SERVICE] = {"MPI_ERR_SERVICE", "invalid service name"},
    [MPI_ERR_SIZE] = {"MPI_ERR_SIZE", "invalid size"},
    [MPI_ERR_SPAWN] = {"MPI_ERR_SPAWN", "processes could not be spawned"},
    [MPI_ERR_UNSUPPORTED_DATAREP] = {"MPI_ERR_UNSUPPORTED_DATAREP", "unsupported data representation"},
    [MPI_ERR_UNSUPPORTED_OPERATION] = {"MPI_ERR_UNSUPPORTED_OPERATION", "unsupported operation"},
    [MPI_ERR_WIN] = {"MPI_ERR_WIN", "invalid window"},
    [MPI_ERR_RMA_FLAVOR] = {"MPI_ERR_RMA_FLAVOR", "wrong flavor of window"},
    [MPI_ERR_PROC_ABORTED] = {"MPI_ERR_PROC_ABORTED", "a process failed or aborted"},
    [MPI_ERR_VALUE_TOO_LARGE] = {"MPI_ERR_VALUE_TOO_LARGE", "value too large to store"},
    [MPI_ERR_SESSION] = {"MPI_ERR_SESSION", "invalid session"},
    [MPI_ERR_ERRHANDLER] = {"MPI_ERR_ERRHANDLER", "invalid error handler"},
    [MPI_ERR_ABI] = {"MPI_ERR_ABI", "ABI mismatch"},
};

const char *pl_class_name(int class)
{
    bool known = class >= 0 && class < PL_ERROR_CLASSES && classes[class].name;
    return known ? classes[class].name : "MPI error";
}

const char *pl_class_meaning(int class)
{
    bool known = class >= 0 && class < PL_ERROR_CLASSES && classes[class].name;
    return known ? classes[class].meaning : "unknown error code";
}

int pl_error_class(int error)
{
    switch (error) {
    case PL_OK:
        return MPI_SUCCESS;
    case PL_ENOMEM:
        return MPI_ERR_NO_MEM;
    case PL_EARG:
        return MPI_ERR_ARG;
    case PL_EUNSUPPORTED:
        return MPI_ERR_UNSUPPORTED_OPERATION;
    case PL_EPEER:
        return MPI_ERR_PROC_ABORTED;
    case PL_ETRUNCATE:
        return MPI_ERR_TRUNCATE;
    case PL_EINTERNAL:
        return MPI_ERR_INTERN;
    default:
        return MPI_ERR_OTHER;
    }
}

int pl_errhandler_of(struct pl_mpi *mpi, MPI_Errhandler handle, struct pl_errhandler **errhandler)
{
    if (handle == MPI_ERRORS_ARE_FATAL)
        *errhandler = &mpi->fatal;
    else if (handle == MPI_ERRORS_ABORT)
        *errhandler = &mpi->abort;
    else if (handle == MPI_ERRORS_RETURN)
        *errhandler = &mpi->returns;
    else
        *errhandler =
            pl_handle_find(&mpi->handles[PL_CLASS_ERRHANDLER], PL_CLASS_ERRHANDLER, (uintptr_t)handle);
    if (*errhandler)
        return 0;
    return pl_bad(MPI_ERR_ERRHANDLER, "%p is not an error handler (freed, or never made)", (void *)handle);
}

void pl_errhandler_release(struct pl_mpi *mpi, struct pl_errhandler *errhandler)
{
    if (!errhandler || !errhandler->function || --errhandler->references)
        return;
    pl_handle_drop(&mpi->handles[PL_CLASS_ERRHANDLER], errhandler->handle);
    free(errhandler);
}

int PMPI_Comm_create_errhandler(MPI_Comm_errhandler_function *function, MPI_Errhandler *errhandler)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_create_errhandler");
    int error = pl_check_pointer((const void *)(uintptr_t)function, "function");
    if (!error)
        error = pl_check_pointer(errhandler, "errhandler");
    if (error)
        return pl_return(mpi, NULL, error);
    struct pl_errhandler *made = calloc(1, sizeof *made);
    uintptr_t handle =
        made ? pl_handle_new(&mpi->handles[PL_CLASS_ERRHANDLER], PL_CLASS_ERRHANDLER, made) : 0;
    if (!handle) {
        free(made);
        return pl_return(mpi, NULL, pl_fail(PL_ENOMEM, "no memory for an error handler"));
    }
    *made = (struct pl_errhandler){.function = function, .handle = handle, .references = 1};
    *errhandler = (MPI_Errhandler)handle;
    return pl_return(mpi, NULL, 0);
}
PL_WEAK(Comm_create_errhandler)

int PMPI_Comm_set_errhandler(MPI_Comm comm, MPI_Errhandler errhandler)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_set_errhandler");
    struct pl_comm *c = NULL;
    struct pl_errhandler *wanted;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_errhandler_of(mpi, errhandler, &wanted);
    if (!error) {
        wanted->references++;
        pl_errhandler_release(mpi, c->errhandler);
        c->errhandler = wanted;
    }
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_set_errhandler)

int PMPI_Comm_get_errhandler(MPI_Comm comm, MPI_Errhandler *errhandler)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_get_errhandler");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = pl_check_pointer(errhandler, "errhandler");
    if (!error) {
        struct pl_errhandler *set = c->errhandler ? c->errhandler : &mpi->fatal;
        set->references++;
        *errhandler = set->function ? (MPI_Errhandler)set->handle : set->predefined;
    }
    return pl_return(mpi, c, error);
}
PL_WEAK(Comm_get_errhandler)

int PMPI_Comm_call_errhandler(MPI_Comm comm, int code)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_call_errhandler");
    struct pl_comm *c = NULL;
    int error = pl_comm_of(mpi, comm, &c);
    if (error)
        return pl_return(mpi, NULL, error);
    if (code > 0) {
        pl_fail(PL_EARG, "%s, raised by the program", pl_class_meaning(code));
        pl_return(mpi, c, code);
        return MPI_SUCCESS;
    }
    return pl_return(mpi, c, 0);
}
PL_WEAK(Comm_call_errhandler)

/* The object lives on while a communicator uses it. */
int PMPI_Errhandler_free(MPI_Errhandler *errhandler)
{
    struct pl_mpi *mpi = pl_call("MPI_Errhandler_free");
    int error = pl_check_pointer(errhandler, "errhandler");
    struct pl_errhandler *freed;
    if (!error)
        error = pl_errhandler_of(mpi, *errhandler, &freed);
    if (!error) {
        pl_errhandler_release(mpi, freed);
        *errhandler = MPI_ERRHANDLER_NULL;
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Errhandler_free)

int PMPI_Error_string(int code, char *string, int *length)
{
    struct pl_rank *rank = pl_self();
    struct pl_mpi *mpi = rank ? rank->mpi_state : NULL;
    if (!string || !length)
        return MPI_ERR_ARG;
    bool known = code >= 0 && code < PL_ERROR_CLASSES && classes[code].name;
    const char *text = mpi && known ? mpi->texts[code] : NULL;
    if (text)
        *length = snprintf(string, MPI_MAX_ERROR_STRING, "%s: %.480s", classes[code].name, text);
    else if (known)
        *length = snprintf(string, MPI_MAX_ERROR_STRING, "%s: %s", classes[code].name, classes[code].meaning);
    else
        *length = snprintf(string, MPI_MAX_ERROR_STRING, "%d is not an error code of this library", code);
    return known ? MPI_SUCCESS : MPI_ERR_ARG;
}
PL_WEAK(Error_string)

int PMPI_Error_class(int code, int *error_class)
{
    bool known = code >= 0 && code < PL_ERROR_CLASSES && classes[code].name;
    if (!error_class || !known)
        return MPI_ERR_ARG;
    *error_class = code;
    return MPI_SUCCESS;
}
PL_WEAK(Error_class)
