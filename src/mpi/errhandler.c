/* Error handlers (MPI 5.0, section 9.3) for communicators, files, sessions and windows.
 *
 * A handler is an object with counted references: the program's handle is one, each object that uses it
 * another. There are no open files and windows here, so theirs can be made and, for files, set as
 * the default of MPI_FILE_NULL.
 */
#include "error_user.h"
#include "session.h"

#include <stdlib.h>

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

static int create(const char *name, enum pl_errhandler_kind kind, void (*function)(void), MPI_Errhandler *out)
{
    struct pl_mpi *mpi = pl_call_any(name);
    int error = pl_check_pointer((const void *)(uintptr_t)function, "function");
    if (!error)
        error = pl_check_pointer(out, "errhandler");
    if (error)
        return pl_return(mpi, NULL, error);
    struct pl_errhandler *made = calloc(1, sizeof *made);
    uintptr_t handle =
        made ? pl_handle_new(&mpi->handles[PL_CLASS_ERRHANDLER], PL_CLASS_ERRHANDLER, made) : 0;
    if (!handle) {
        free(made);
        return pl_return(mpi, NULL, pl_fail(PL_ENOMEM, "no memory for an error handler"));
    }
    *made = (struct pl_errhandler){.kind = kind, .function = function, .handle = handle, .references = 1};
    *out = (MPI_Errhandler)handle;
    return pl_return(mpi, NULL, 0);
}

/* The handler behind a handle, if objects of the kind may have it. */
static int wanted(struct pl_mpi *mpi, MPI_Errhandler handle, enum pl_errhandler_kind kind,
                  struct pl_errhandler **errhandler)
{
    static const char *const names[] = {"communicators", "files", "sessions", "windows"};
    int error = pl_errhandler_of(mpi, handle, errhandler);
    if (!error && (*errhandler)->function && (*errhandler)->kind != kind)
        error = pl_bad(MPI_ERR_ERRHANDLER, "the error handler is for %s, not for %s",
                       names[(*errhandler)->kind], names[kind]);
    return error;
}

static void exchange(struct pl_mpi *mpi, struct pl_errhandler **slot, struct pl_errhandler *wants)
{
    wants->references++;
    pl_errhandler_release(mpi, *slot);
    *slot = wants;
}

static void give(struct pl_errhandler *set, MPI_Errhandler *handle)
{
    set->references++;
    *handle = set->function ? (MPI_Errhandler)set->handle : set->predefined;
}

/* What MPI_*_call_errhandler raises: a code of the library's or the program's. 0: it is none. */
static int raised(const struct pl_mpi *mpi, int code)
{
    if (code <= 0 || (!pl_class_known(code) && !pl_user_error_class(mpi, code)))
        return 0;
    return pl_bad(code, "%s, raised by the program", pl_class_meaning(code));
}

int PMPI_Comm_create_errhandler(MPI_Comm_errhandler_function *function, MPI_Errhandler *errhandler)
{
    return create("MPI_Comm_create_errhandler", PL_ERRHANDLER_COMM, (void (*)(void))function, errhandler);
}
PL_WEAK(Comm_create_errhandler)

int PMPI_Comm_set_errhandler(MPI_Comm comm, MPI_Errhandler errhandler)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_set_errhandler");
    struct pl_comm *c = NULL;
    struct pl_errhandler *wants;
    int error = pl_comm_of(mpi, comm, &c);
    if (!error)
        error = wanted(mpi, errhandler, PL_ERRHANDLER_COMM, &wants);
    if (!error) {
        struct pl_errhandler *old = c->errhandler;
        exchange(mpi, &old, wants);
        c->errhandler = old;
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
    if (!error)
        give(c->errhandler ? c->errhandler : &mpi->fatal, errhandler);
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
    pl_return(mpi, c, raised(mpi, code));
    return MPI_SUCCESS;
}
PL_WEAK(Comm_call_errhandler)

/* The object lives on while something uses it. */
int PMPI_Errhandler_free(MPI_Errhandler *errhandler)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Errhandler_free");
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

/* ---- Sessions ---- */

int PMPI_Session_create_errhandler(MPI_Session_errhandler_function *function, MPI_Errhandler *errhandler)
{
    return create("MPI_Session_create_errhandler", PL_ERRHANDLER_SESSION, (void (*)(void))function,
                  errhandler);
}
PL_WEAK(Session_create_errhandler)

int PMPI_Session_set_errhandler(MPI_Session session, MPI_Errhandler errhandler)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Session_set_errhandler");
    struct pl_session *s = NULL;
    struct pl_errhandler *wants;
    int error = pl_session_of(mpi, session, &s);
    if (!error)
        error = wanted(mpi, errhandler, PL_ERRHANDLER_SESSION, &wants);
    if (!error)
        exchange(mpi, &s->errhandler, wants);
    return pl_session_return(mpi, s, error);
}
PL_WEAK(Session_set_errhandler)

int PMPI_Session_get_errhandler(MPI_Session session, MPI_Errhandler *errhandler)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Session_get_errhandler");
    struct pl_session *s = NULL;
    int error = pl_session_of(mpi, session, &s);
    if (!error)
        error = pl_check_pointer(errhandler, "errhandler");
    if (!error)
        give(s->errhandler, errhandler);
    return pl_session_return(mpi, s, error);
}
PL_WEAK(Session_get_errhandler)

int PMPI_Session_call_errhandler(MPI_Session session, int code)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Session_call_errhandler");
    struct pl_session *s = NULL;
    int error = pl_session_of(mpi, session, &s);
    if (error)
        return pl_session_return(mpi, NULL, error);
    pl_session_return(mpi, s, raised(mpi, code));
    return MPI_SUCCESS;
}
PL_WEAK(Session_call_errhandler)

/* ---- Files ---- */

static int file_of(struct pl_mpi *mpi, MPI_File file)
{
    return file == MPI_FILE_NULL ? 0 : pl_bad(MPI_ERR_FILE, "%p is not an open file", (void *)file);
}

static struct pl_errhandler *of_files(struct pl_mpi *mpi)
{
    return mpi->file_errhandler ? mpi->file_errhandler : &mpi->returns;
}

int PMPI_File_create_errhandler(MPI_File_errhandler_function *function, MPI_Errhandler *errhandler)
{
    return create("MPI_File_create_errhandler", PL_ERRHANDLER_FILE, (void (*)(void))function, errhandler);
}
PL_WEAK(File_create_errhandler)

int PMPI_File_set_errhandler(MPI_File file, MPI_Errhandler errhandler)
{
    struct pl_mpi *mpi = pl_call("MPI_File_set_errhandler");
    struct pl_errhandler *wants;
    int error = file_of(mpi, file);
    if (!error)
        error = wanted(mpi, errhandler, PL_ERRHANDLER_FILE, &wants);
    if (!error)
        exchange(mpi, &mpi->file_errhandler, wants);
    return pl_return_to(mpi, of_files(mpi), (uintptr_t)MPI_FILE_NULL, error);
}
PL_WEAK(File_set_errhandler)

int PMPI_File_get_errhandler(MPI_File file, MPI_Errhandler *errhandler)
{
    struct pl_mpi *mpi = pl_call("MPI_File_get_errhandler");
    int error = file_of(mpi, file);
    if (!error)
        error = pl_check_pointer(errhandler, "errhandler");
    if (!error)
        give(of_files(mpi), errhandler);
    return pl_return_to(mpi, of_files(mpi), (uintptr_t)MPI_FILE_NULL, error);
}
PL_WEAK(File_get_errhandler)

int PMPI_File_call_errhandler(MPI_File file, int code)
{
    struct pl_mpi *mpi = pl_call("MPI_File_call_errhandler");
    int error = file_of(mpi, file);
    pl_return_to(mpi, of_files(mpi), (uintptr_t)MPI_FILE_NULL, error ? error : raised(mpi, code));
    return error;
}
PL_WEAK(File_call_errhandler)

/* ---- Windows ---- */

static int no_window(MPI_Win win)
{
    return pl_bad(MPI_ERR_WIN, "%p is not a window", (void *)win);
}

int PMPI_Win_create_errhandler(MPI_Win_errhandler_function *function, MPI_Errhandler *errhandler)
{
    return create("MPI_Win_create_errhandler", PL_ERRHANDLER_WIN, (void (*)(void))function, errhandler);
}
PL_WEAK(Win_create_errhandler)

int PMPI_Win_set_errhandler(MPI_Win win, MPI_Errhandler errhandler)
{
    return pl_return(pl_call("MPI_Win_set_errhandler"), NULL, no_window(win));
}
PL_WEAK(Win_set_errhandler)

int PMPI_Win_get_errhandler(MPI_Win win, MPI_Errhandler *errhandler)
{
    return pl_return(pl_call("MPI_Win_get_errhandler"), NULL, no_window(win));
}
PL_WEAK(Win_get_errhandler)

int PMPI_Win_call_errhandler(MPI_Win win, int code)
{
    return pl_return(pl_call("MPI_Win_call_errhandler"), NULL, no_window(win));
}
PL_WEAK(Win_call_errhandler)
