/* Errors (MPI 5.0, chapter 9): classes, their names and meanings.
 *
 * Codes are classes. The text of the latest error of each class, with names and
 * numbers, is what MPI_Error_string returns; a class that never occurred has its
 * general meaning.
 */
#include "error_user.h"
#include "mpi-ext.h"

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
    [MPIX_ERR_PROC_FAILED] = {"MPIX_ERR_PROC_FAILED", "a process has died or is out of reach"},
    [MPIX_ERR_PROC_FAILED_PENDING] = {"MPIX_ERR_PROC_FAILED_PENDING",
                                      "a process that could have sent has died; the receive is pending"},
    [MPIX_ERR_REVOKED] = {"MPIX_ERR_REVOKED", "the communicator was revoked"},
};

/* MPI_T's own, from MPI_T_ERR_CANNOT_INIT on; they are classes like the others. */
static const char *const tool_errors[] = {
    "MPI_T_ERR_CANNOT_INIT: the tools interface cannot start now",
    "MPI_T_ERR_NOT_ACCESSIBLE: not accessible now",
    "MPI_T_ERR_NOT_INITIALIZED: MPI_T_init_thread was not called",
    "MPI_T_ERR_NOT_SUPPORTED: not supported",
    "MPI_T_ERR_MEMORY: out of memory",
    "MPI_T_ERR_INVALID: invalid use or argument",
    "MPI_T_ERR_INVALID_INDEX: there is nothing with that index",
    "MPI_T_ERR_INVALID_ITEM: there is no such item",
    "MPI_T_ERR_INVALID_SESSION: invalid session of performance variables",
    "MPI_T_ERR_INVALID_HANDLE: invalid handle",
    "MPI_T_ERR_INVALID_NAME: there is nothing of that name",
    "MPI_T_ERR_OUT_OF_HANDLES: no more handles",
    "MPI_T_ERR_OUT_OF_SESSIONS: no more sessions",
    "MPI_T_ERR_CVAR_SET_NOT_NOW: the variable cannot be set now",
    "MPI_T_ERR_CVAR_SET_NEVER: the variable cannot be set",
    "MPI_T_ERR_PVAR_NO_WRITE: the variable cannot be written",
    "MPI_T_ERR_PVAR_NO_STARTSTOP: the variable cannot be started or stopped",
    "MPI_T_ERR_PVAR_NO_ATOMIC: the variable cannot be read and reset at once",
};

static bool is_tool_error(int class)
{
    return class >= MPI_T_ERR_CANNOT_INIT && class <= MPI_T_ERR_PVAR_NO_ATOMIC;
}

static bool in_table(int class)
{
    return class >= 0 && class < PL_ERROR_CLASSES && classes[class].name;
}

bool pl_class_known(int class)
{
    return in_table(class) || is_tool_error(class);
}

const char *pl_class_name(int class)
{
    return in_table(class) ? classes[class].name : "MPI error";
}

const char *pl_class_meaning(int class)
{
    if (is_tool_error(class))
        return tool_errors[class - MPI_T_ERR_CANNOT_INIT];
    return in_table(class) ? classes[class].meaning : "an error code of the program's own";
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
        return MPIX_ERR_PROC_FAILED;
    case PL_EPENDING:
        return MPIX_ERR_PROC_FAILED_PENDING;
    case PL_EREVOKED:
        return MPIX_ERR_REVOKED;
    case PL_ETRUNCATE:
        return MPI_ERR_TRUNCATE;
    case PL_ETYPE:
        return MPI_ERR_TYPE;
    case PL_EINTERNAL:
        return MPI_ERR_INTERN;
    default:
        return MPI_ERR_OTHER;
    }
}

int PMPI_Error_string(int code, char *string, int *length)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Error_string");
    int error = pl_check_pointer(string, "string");
    if (!error)
        error = pl_check_pointer(length, "resultlen");
    bool user = pl_user_error_class(mpi, code) != 0;
    if (!error && !user && !pl_class_known(code))
        error = pl_bad(MPI_ERR_ARG, "%d is not an error code", code);
    if (error)
        return pl_return(mpi, NULL, error);
    const char *text = in_table(code) ? mpi->texts[code] : NULL;
    if (user)
        *length = snprintf(string, MPI_MAX_ERROR_STRING, "%s", pl_user_error_text(mpi, code));
    else if (is_tool_error(code))
        *length = snprintf(string, MPI_MAX_ERROR_STRING, "%s", pl_class_meaning(code));
    else
        *length = snprintf(string, MPI_MAX_ERROR_STRING, "%s: %.480s", classes[code].name,
                           text ? text : classes[code].meaning);
    return pl_return(mpi, NULL, 0);
}
PL_WEAK(Error_string)

int PMPI_Error_class(int code, int *error_class)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Error_class");
    int error = pl_check_pointer(error_class, "errorclass");
    int class = pl_class_known(code) ? code : pl_user_error_class(mpi, code);
    if (!error && !class && code)
        error = pl_bad(MPI_ERR_ARG, "%d is not an error code", code);
    if (!error)
        *error_class = class;
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Error_class)
