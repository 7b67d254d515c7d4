/* MPI_T: start and end, the variables. Control variables are the knobs (read only: they are read from the
 * environment at the start), performance variables are counters that the rank keeps anyway.
 *
 * MPI_T may start before MPI_Init and end after MPI_Finalize, so its state hangs off what a rank has
 * always. Its functions return their codes and call no error handler. What it has nothing of is in
 * tools_empty.c.
 */
#include "tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_MAX = 256 }; /* bytes of a knob's text */

struct MPI_ABI_T_cvar_handle {
    struct pl_list link;
    int index;
};

struct MPI_ABI_T_pvar_handle {
    struct pl_list link;
    int index;
};

struct MPI_ABI_T_pvar_session {
    struct pl_list link;
    struct pl_list handles;
};

static const struct {
    const char *name, *meaning;
    size_t offset; /* of the number in pl_rank.counters */
} pvars[] = {
    {"peal_messages_sent", "messages this rank has begun to send, those of collectives included",
     offsetof(struct pl_counters, sent)},
    {"peal_bytes_sent", "bytes of these messages", offsetof(struct pl_counters, bytes)},
    {"peal_messages_unexpected", "messages that arrived before their receive was posted",
     offsetof(struct pl_counters, unexpected)},
};
enum { PVARS = sizeof pvars / sizeof pvars[0] };

static int count_cvars(void)
{
    int n = 0;
    while (pl_config_knobs()[n].name)
        n++;
    return n;
}

struct pl_mpi *pl_tools_call(const char *name, int *code)
{
    struct pl_mpi *mpi = pl_call_any(name);
    *code = mpi->tools && mpi->tools->users ? MPI_SUCCESS : MPI_T_ERR_NOT_INITIALIZED;
    return mpi;
}

int pl_tools_return(struct pl_mpi *mpi, int code)
{
    if (mpi->meter)
        pl_meter_end(mpi->meter);
    mpi->rank->call = NULL;
    pl_leave(mpi->rank);
    return code;
}

void pl_tools_string(const char *string, char *buffer, int *length)
{
    if (!length)
        return;
    if (buffer && *length > 0)
        snprintf(buffer, (size_t)*length, "%s", string);
    *length = (int)strlen(string) + 1;
}

static void free_session(struct MPI_ABI_T_pvar_session *session)
{
    pl_list_each(node, &session->handles)
    {
        pl_list_remove(node);
        free(pl_container(node, struct MPI_ABI_T_pvar_handle, link));
    }
    pl_list_remove(&session->link);
    free(session);
}

static void empty(struct pl_tools *tools)
{
    pl_list_each(node, &tools->cvars)
    {
        pl_list_remove(node);
        free(pl_container(node, struct MPI_ABI_T_cvar_handle, link));
    }
    pl_list_each(node, &tools->pvars) free_session(pl_container(node, struct MPI_ABI_T_pvar_session, link));
}

void pl_tools_destroy(struct pl_tools *tools)
{
    if (tools)
        empty(tools);
    free(tools);
}

int PMPI_T_init_thread(int required, int *provided)
{
    struct pl_mpi *mpi = pl_call_any("MPI_T_init_thread");
    if (!provided)
        return pl_tools_return(mpi, MPI_T_ERR_INVALID);
    if (!mpi->tools) {
        if (!(mpi->tools = calloc(1, sizeof *mpi->tools)))
            return pl_tools_return(mpi, MPI_T_ERR_MEMORY);
        pl_list_init(&mpi->tools->cvars);
        pl_list_init(&mpi->tools->pvars);
    }
    mpi->tools->users++;
    *provided = required > MPI_THREAD_SINGLE ? required : MPI_THREAD_SINGLE;
    return pl_tools_return(mpi, MPI_SUCCESS);
}
PL_WEAK(T_init_thread)

int PMPI_T_finalize(void)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call("MPI_T_finalize", &code);
    if (!code && !--mpi->tools->users)
        empty(mpi->tools);
    return pl_tools_return(mpi, code);
}
PL_WEAK(T_finalize)

/* ---- Control variables ---- */

int PMPI_T_cvar_get_num(int *num_cvar)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call("MPI_T_cvar_get_num", &code);
    if (!code && !num_cvar)
        code = MPI_T_ERR_INVALID;
    if (!code)
        *num_cvar = count_cvars();
    return pl_tools_return(mpi, code);
}
PL_WEAK(T_cvar_get_num)

int PMPI_T_cvar_get_info(int cvar_index, char *name, int *name_len, int *verbosity, MPI_Datatype *datatype,
                         MPI_T_enum *enumtype, char *desc, int *desc_len, int *bind, int *scope)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call("MPI_T_cvar_get_info", &code);
    if (!code && (cvar_index < 0 || cvar_index >= count_cvars()))
        code = MPI_T_ERR_INVALID_INDEX;
    if (code)
        return pl_tools_return(mpi, code);
    const struct pl_knob *knob = &pl_config_knobs()[cvar_index];
    pl_tools_string(knob->name, name, name_len);
    pl_tools_string(knob->meaning, desc, desc_len);
    if (verbosity)
        *verbosity = MPI_T_VERBOSITY_USER_BASIC;
    if (datatype)
        *datatype = MPI_CHAR;
    if (enumtype)
        *enumtype = MPI_T_ENUM_NULL;
    if (bind)
        *bind = MPI_T_BIND_NO_OBJECT;
    if (scope)
        *scope = MPI_T_SCOPE_READONLY;
    return pl_tools_return(mpi, MPI_SUCCESS);
}
PL_WEAK(T_cvar_get_info)

int PMPI_T_cvar_get_index(const char *name, int *cvar_index)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call("MPI_T_cvar_get_index", &code);
    if (!code && (!name || !cvar_index))
        code = MPI_T_ERR_INVALID;
    int found = -1;
    for (int i = 0; !code && i < count_cvars(); i++)
        if (!strcmp(name, pl_config_knobs()[i].name))
            found = i;
    if (!code && found < 0)
        code = MPI_T_ERR_INVALID_NAME;
    if (!code)
        *cvar_index = found;
    return pl_tools_return(mpi, code);
}
PL_WEAK(T_cvar_get_index)

int PMPI_T_cvar_handle_alloc(int cvar_index, void *obj_handle, MPI_T_cvar_handle *handle, int *count)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call("MPI_T_cvar_handle_alloc", &code);
    if (!code && (!handle || !count))
        code = MPI_T_ERR_INVALID;
    if (!code && (cvar_index < 0 || cvar_index >= count_cvars()))
        code = MPI_T_ERR_INVALID_INDEX;
    struct MPI_ABI_T_cvar_handle *made = code ? NULL : calloc(1, sizeof *made);
    if (!code && !made)
        code = MPI_T_ERR_OUT_OF_HANDLES;
    if (!code) {
        made->index = cvar_index;
        pl_list_append(&mpi->tools->cvars, &made->link);
        *handle = made;
        *count = VALUE_MAX;
    }
    return pl_tools_return(mpi, code);
}
PL_WEAK(T_cvar_handle_alloc)

int PMPI_T_cvar_handle_free(MPI_T_cvar_handle *handle)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call("MPI_T_cvar_handle_free", &code);
    if (!code && (!handle || !*handle))
        code = MPI_T_ERR_INVALID_HANDLE;
    if (!code) {
        pl_list_remove(&(*handle)->link);
        free(*handle);
        *handle = MPI_T_CVAR_HANDLE_NULL;
    }
    return pl_tools_return(mpi, code);
}
PL_WEAK(T_cvar_handle_free)

/* buf has the VALUE_MAX bytes that handle_alloc told of. */
int PMPI_T_cvar_read(MPI_T_cvar_handle handle, void *buf)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call("MPI_T_cvar_read", &code);
    if (!code && !handle)
        code = MPI_T_ERR_INVALID_HANDLE;
    if (!code && !buf)
        code = MPI_T_ERR_INVALID;
    if (!code) {
        const struct pl_knob *knob = &pl_config_knobs()[handle->index];
        const char *set = getenv(knob->name);
        snprintf(buf, VALUE_MAX, "%s", set ? set : knob->value);
    }
    return pl_tools_return(mpi, code);
}
PL_WEAK(T_cvar_read)

int PMPI_T_cvar_write(MPI_T_cvar_handle handle, const void *buf)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call("MPI_T_cvar_write", &code);
    if (!code)
        code = handle ? MPI_T_ERR_CVAR_SET_NEVER : MPI_T_ERR_INVALID_HANDLE;
    return pl_tools_return(mpi, code);
}
PL_WEAK(T_cvar_write)

/* ---- Performance variables ---- */

int PMPI_T_pvar_get_num(int *num_pvar)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call("MPI_T_pvar_get_num", &code);
    if (!code && !num_pvar)
        code = MPI_T_ERR_INVALID;
    if (!code)
        *num_pvar = PVARS;
    return pl_tools_return(mpi, code);
}
PL_WEAK(T_pvar_get_num)

int PMPI_T_pvar_get_info(int pvar_index, char *name, int *name_len, int *verbosity, int *var_class,
                         MPI_Datatype *datatype, MPI_T_enum *enumtype, char *desc, int *desc_len, int *bind,
                         int *readonly, int *continuous, int *atomic)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call("MPI_T_pvar_get_info", &code);
    if (!code && (pvar_index < 0 || pvar_index >= PVARS))
        code = MPI_T_ERR_INVALID_INDEX;
    if (code)
        return pl_tools_return(mpi, code);
    pl_tools_string(pvars[pvar_index].name, name, name_len);
    pl_tools_string(pvars[pvar_index].meaning, desc, desc_len);
    if (verbosity)
        *verbosity = MPI_T_VERBOSITY_USER_BASIC;
    if (var_class)
        *var_class = MPI_T_PVAR_CLASS_COUNTER;
    if (datatype)
        *datatype = MPI_UNSIGNED_LONG_LONG;
    if (enumtype)
        *enumtype = MPI_T_ENUM_NULL;
    if (bind)
        *bind = MPI_T_BIND_NO_OBJECT;
    if (readonly)
        *readonly = 1;
    if (continuous)
        *continuous = 1;
    if (atomic)
        *atomic = 0;
    return pl_tools_return(mpi, MPI_SUCCESS);
}
PL_WEAK(T_pvar_get_info)

int PMPI_T_pvar_get_index(const char *name, int var_class, int *pvar_index)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call("MPI_T_pvar_get_index", &code);
    if (!code && (!name || !pvar_index))
        code = MPI_T_ERR_INVALID;
    int found = -1;
    for (int i = 0; !code && i < PVARS && var_class == MPI_T_PVAR_CLASS_COUNTER; i++)
        if (!strcmp(name, pvars[i].name))
            found = i;
    if (!code && found < 0)
        code = MPI_T_ERR_INVALID_NAME;
    if (!code)
        *pvar_index = found;
    return pl_tools_return(mpi, code);
}
PL_WEAK(T_pvar_get_index)

int PMPI_T_pvar_session_create(MPI_T_pvar_session *session)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call("MPI_T_pvar_session_create", &code);
    if (!code && !session)
        code = MPI_T_ERR_INVALID;
    struct MPI_ABI_T_pvar_session *made = code ? NULL : calloc(1, sizeof *made);
    if (!code && !made)
        code = MPI_T_ERR_OUT_OF_SESSIONS;
    if (!code) {
        pl_list_init(&made->handles);
        pl_list_append(&mpi->tools->pvars, &made->link);
        *session = made;
    }
    return pl_tools_return(mpi, code);
}
PL_WEAK(T_pvar_session_create)

int PMPI_T_pvar_session_free(MPI_T_pvar_session *session)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call("MPI_T_pvar_session_free", &code);
    if (!code && (!session || !*session))
        code = MPI_T_ERR_INVALID_SESSION;
    if (!code) {
        free_session(*session);
        *session = MPI_T_PVAR_SESSION_NULL;
    }
    return pl_tools_return(mpi, code);
}
PL_WEAK(T_pvar_session_free)

int PMPI_T_pvar_handle_alloc(MPI_T_pvar_session session, int pvar_index, void *obj_handle,
                             MPI_T_pvar_handle *handle, int *count)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call("MPI_T_pvar_handle_alloc", &code);
    if (!code && !session)
        code = MPI_T_ERR_INVALID_SESSION;
    if (!code && (!handle || !count))
        code = MPI_T_ERR_INVALID;
    if (!code && (pvar_index < 0 || pvar_index >= PVARS))
        code = MPI_T_ERR_INVALID_INDEX;
    struct MPI_ABI_T_pvar_handle *made = code ? NULL : calloc(1, sizeof *made);
    if (!code && !made)
        code = MPI_T_ERR_OUT_OF_HANDLES;
    if (!code) {
        made->index = pvar_index;
        pl_list_append(&session->handles, &made->link);
        *handle = made;
        *count = 1;
    }
    return pl_tools_return(mpi, code);
}
PL_WEAK(T_pvar_handle_alloc)

static bool in_session(MPI_T_pvar_session session, MPI_T_pvar_handle handle)
{
    for (struct pl_list *node = session->handles.next; node != &session->handles; node = node->next)
        if (node == &handle->link)
            return true;
    return false;
}

/* Session and handle of a call; all: MPI_T_PVAR_ALL_HANDLES will do. */
static int check(MPI_T_pvar_session session, MPI_T_pvar_handle handle, bool all)
{
    if (!session)
        return MPI_T_ERR_INVALID_SESSION;
    if (handle == MPI_T_PVAR_ALL_HANDLES)
        return all ? MPI_SUCCESS : MPI_T_ERR_INVALID_HANDLE;
    return handle && in_session(session, handle) ? MPI_SUCCESS : MPI_T_ERR_INVALID_HANDLE;
}

int PMPI_T_pvar_handle_free(MPI_T_pvar_session session, MPI_T_pvar_handle *handle)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call("MPI_T_pvar_handle_free", &code);
    if (!code)
        code = handle ? check(session, *handle, false) : MPI_T_ERR_INVALID_HANDLE;
    if (!code) {
        pl_list_remove(&(*handle)->link);
        free(*handle);
        *handle = MPI_T_PVAR_HANDLE_NULL;
    }
    return pl_tools_return(mpi, code);
}
PL_WEAK(T_pvar_handle_free)

int PMPI_T_pvar_read(MPI_T_pvar_session session, MPI_T_pvar_handle handle, void *buf)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call("MPI_T_pvar_read", &code);
    if (!code)
        code = check(session, handle, false);
    if (!code && !buf)
        code = MPI_T_ERR_INVALID;
    if (!code)
        memcpy(buf, (const char *)&mpi->rank->counters + pvars[handle->index].offset, sizeof(uint64_t));
    return pl_tools_return(mpi, code);
}
PL_WEAK(T_pvar_read)

/* What the counters do not have: they run always, and nobody may set them. */
static int refuse(const char *name, MPI_T_pvar_session session, MPI_T_pvar_handle handle, bool all,
                  int reason)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call(name, &code);
    if (!code)
        code = check(session, handle, all);
    if (!code && handle != MPI_T_PVAR_ALL_HANDLES)
        code = reason;
    return pl_tools_return(mpi, code);
}

int PMPI_T_pvar_start(MPI_T_pvar_session session, MPI_T_pvar_handle handle)
{
    return refuse("MPI_T_pvar_start", session, handle, true, MPI_T_ERR_PVAR_NO_STARTSTOP);
}
PL_WEAK(T_pvar_start)

int PMPI_T_pvar_stop(MPI_T_pvar_session session, MPI_T_pvar_handle handle)
{
    return refuse("MPI_T_pvar_stop", session, handle, true, MPI_T_ERR_PVAR_NO_STARTSTOP);
}
PL_WEAK(T_pvar_stop)

int PMPI_T_pvar_reset(MPI_T_pvar_session session, MPI_T_pvar_handle handle)
{
    return refuse("MPI_T_pvar_reset", session, handle, true, MPI_T_ERR_PVAR_NO_WRITE);
}
PL_WEAK(T_pvar_reset)

int PMPI_T_pvar_write(MPI_T_pvar_session session, MPI_T_pvar_handle handle, const void *buf)
{
    return refuse("MPI_T_pvar_write", session, handle, false, MPI_T_ERR_PVAR_NO_WRITE);
}
PL_WEAK(T_pvar_write)

int PMPI_T_pvar_readreset(MPI_T_pvar_session session, MPI_T_pvar_handle handle, void *buf)
{
    return refuse("MPI_T_pvar_readreset", session, handle, false, MPI_T_ERR_PVAR_NO_ATOMIC);
}
PL_WEAK(T_pvar_readreset)
