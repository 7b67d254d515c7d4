/* Sessions (MPI 5.0, section 11.3): MPI without MPI_Init, as often as wanted and beside it.
 *
 * The first session, or MPI_Init, brings the rank up; the world it belongs to is there
 * from then on whether or not anybody asks for MPI_COMM_WORLD. It comes down with MPI_Finalize in a program
 * that never had a session. In one that had, another may still follow the last one, and MPI_Finalize, so
 * the process takes leave of the others when it exits; a rank in a thread when it has said that it ends.
 *
 * Two process sets exist: mpi://WORLD and mpi://SELF.
 */
#include "session.h"

#include "agree.h"
#include "info.h"
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const psets[] = {"mpi://WORLD", "mpi://SELF"};
enum { PSETS = 2 };

static const struct {
    const char *name;
    int level;
} levels[] = {{"MPI_THREAD_SINGLE", MPI_THREAD_SINGLE},
              {"MPI_THREAD_FUNNELED", MPI_THREAD_FUNNELED},
              {"MPI_THREAD_SERIALIZED", MPI_THREAD_SERIALIZED},
              {"MPI_THREAD_MULTIPLE", MPI_THREAD_MULTIPLE}};

int pl_session_of(struct pl_mpi *mpi, MPI_Session handle, struct pl_session **session)
{
    *session = pl_handle_find(&mpi->handles[PL_CLASS_SESSION], PL_CLASS_SESSION, (uintptr_t)handle);
    if (*session)
        return 0;
    if (handle == MPI_SESSION_NULL)
        return pl_bad(MPI_ERR_SESSION, "the session is MPI_SESSION_NULL");
    return pl_bad(MPI_ERR_SESSION, "%p is not a session (finalized, or never made)", (void *)handle);
}

int pl_session_return(struct pl_mpi *mpi, struct pl_session *session, int error)
{
    return session ? pl_return_to(mpi, session->errhandler, session->handle, error)
                   : pl_return(mpi, NULL, error);
}

static int level_of(struct pl_mpi *mpi, MPI_Info info, int *level)
{
    struct pl_info *hints;
    *level = MPI_THREAD_SINGLE;
    if (info == MPI_INFO_NULL)
        return 0;
    int error = pl_info_of(mpi, info, &hints);
    const char *name = error ? NULL : pl_info_value(hints, "mpi_thread_support_level");
    if (!name && !error)
        name = pl_info_value(hints, "thread_level");
    for (int i = 0; name && i < 4; i++)
        if (!strcmp(name, levels[i].name))
            *level = levels[i].level;
    return error;
}

int PMPI_Session_init(MPI_Info info, MPI_Errhandler errhandler, MPI_Session *session)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Session_init");
    struct pl_errhandler *handler = &mpi->fatal;
    struct pl_session *made = NULL;
    int level;
    int error = pl_errhandler_of(mpi, errhandler, &handler);
    if (error)
        handler = &mpi->fatal;
    if (!error && handler->function && handler->kind != PL_ERRHANDLER_SESSION)
        error = pl_bad(MPI_ERR_ERRHANDLER, "the error handler is not for sessions");
    if (!error)
        error = pl_check_pointer(session, "session");
    if (!error)
        error = level_of(mpi, info, &level);
    if (!error)
        error = pl_mpi_start(mpi, level);
    if (!error && !(made = calloc(1, sizeof *made)))
        error = pl_fail(PL_ENOMEM, "no memory for a session");
    if (!error && !(made->handle = pl_handle_new(&mpi->handles[PL_CLASS_SESSION], PL_CLASS_SESSION, made)))
        error = pl_fail(PL_ENOMEM, "no memory for a session");
    if (error) {
        free(made);
        return pl_return_to(mpi, handler, (uintptr_t)MPI_SESSION_NULL, error);
    }
    made->thread_level = mpi->thread_level;
    made->errhandler = handler;
    handler->references++;
    mpi->sessions++;
    mpi->had_sessions = true;
    *session = (MPI_Session)made->handle;
    return pl_return(mpi, NULL, 0);
}
PL_WEAK(Session_init)

bool pl_session_may_follow(const struct pl_mpi *mpi)
{
    return mpi->had_sessions && !mpi->rank->fabric;
}

int PMPI_Session_finalize(MPI_Session *session)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Session_finalize");
    struct pl_session *s = NULL;
    int error = pl_check_pointer(session, "session");
    if (!error)
        error = pl_session_of(mpi, *session, &s);
    if (error)
        return pl_session_return(mpi, NULL, error);
    pl_handle_drop(&mpi->handles[PL_CLASS_SESSION], s->handle);
    pl_errhandler_release(mpi, s->errhandler);
    free(s);
    *session = MPI_SESSION_NULL;
    mpi->sessions--;
    if (!mpi->sessions && mpi->rank->finalized && mpi->rank->mpi_state && !pl_session_may_follow(mpi)) {
        pl_mpi_stop(mpi);
        return MPI_SUCCESS;
    }
    return pl_return(mpi, NULL, 0);
}
PL_WEAK(Session_finalize)

/* The session of a call that needs MPI up, which an open session is a proof of. */
static struct pl_mpi *begin(const char *name, MPI_Session handle, struct pl_session **session, int *error)
{
    struct pl_mpi *mpi = pl_call_any(name);
    *session = NULL;
    *error = pl_session_of(mpi, handle, session);
    return mpi;
}

int PMPI_Session_get_num_psets(MPI_Session session, MPI_Info info, int *npset_names)
{
    struct pl_session *s;
    int error;
    struct pl_mpi *mpi = begin("MPI_Session_get_num_psets", session, &s, &error);
    if (!error)
        error = pl_check_pointer(npset_names, "npset_names");
    if (!error)
        *npset_names = PSETS;
    return pl_session_return(mpi, s, error);
}
PL_WEAK(Session_get_num_psets)

/* *pset_len: in, the bytes of pset_name; out, the bytes needed with the end. */
int PMPI_Session_get_nth_pset(MPI_Session session, MPI_Info info, int n, int *pset_len, char *pset_name)
{
    struct pl_session *s;
    int error;
    struct pl_mpi *mpi = begin("MPI_Session_get_nth_pset", session, &s, &error);
    if (!error)
        error = pl_check_pointer(pset_len, "pset_len");
    if (!error && *pset_len > 0)
        error = pl_check_pointer(pset_name, "pset_name");
    if (!error && (n < 0 || n >= PSETS))
        error = pl_bad(MPI_ERR_ARG, "there is no process set %d: there are %d", n, PSETS);
    if (!error) {
        if (*pset_len > 0)
            snprintf(pset_name, (size_t)*pset_len, "%s", psets[n]);
        *pset_len = (int)strlen(psets[n]) + 1;
    }
    return pl_session_return(mpi, s, error);
}
PL_WEAK(Session_get_nth_pset)

int PMPI_Session_get_info(MPI_Session session, MPI_Info *info_used)
{
    struct pl_session *s;
    int error;
    struct pl_mpi *mpi = begin("MPI_Session_get_info", session, &s, &error);
    struct pl_info *info = NULL;
    if (!error)
        error = pl_check_pointer(info_used, "info_used");
    if (!error)
        error = pl_info_create(&info);
    for (int i = 0; i < 4 && !error; i++)
        if (levels[i].level == s->thread_level) {
            error = pl_info_put(info, "mpi_thread_support_level", levels[i].name);
            if (!error) /* as programs written before MPI 4.0 was out have it */
                error = pl_info_put(info, "thread_level", levels[i].name);
        }
    if (error)
        pl_info_destroy(info);
    else
        error = pl_info_publish(mpi, info, info_used);
    return pl_session_return(mpi, s, error);
}
PL_WEAK(Session_get_info)

/* The group behind the name of a process set; not held. */
static int pset_of(struct pl_mpi *mpi, const char *name, struct pl_group **group)
{
    int error = pl_check_pointer(name, "pset_name");
    if (error)
        return error;
    *group = !strcasecmp(name, psets[0])   ? mpi->rank->world->group
             : !strcasecmp(name, psets[1]) ? mpi->rank->self->group
                                           : NULL;
    return *group ? 0
                  : pl_bad(MPI_ERR_ARG, "there is no process set '%.100s': there are %s and %s", name,
                           psets[0], psets[1]);
}

int PMPI_Session_get_pset_info(MPI_Session session, const char *pset_name, MPI_Info *info)
{
    struct pl_session *s;
    int error;
    struct pl_mpi *mpi = begin("MPI_Session_get_pset_info", session, &s, &error);
    struct pl_info *made = NULL;
    struct pl_group *group;
    if (!error)
        error = pl_check_pointer(info, "info");
    if (!error)
        error = pset_of(mpi, pset_name, &group);
    if (!error)
        error = pl_info_create(&made);
    if (!error) {
        char size[16];
        snprintf(size, sizeof size, "%d", group->size);
        error = pl_info_put(made, "mpi_size", size);
    }
    if (error)
        pl_info_destroy(made);
    else
        error = pl_info_publish(mpi, made, info);
    return pl_session_return(mpi, s, error);
}
PL_WEAK(Session_get_pset_info)

int PMPI_Group_from_session_pset(MPI_Session session, const char *pset_name, MPI_Group *newgroup)
{
    struct pl_session *s;
    int error;
    struct pl_mpi *mpi = begin("MPI_Group_from_session_pset", session, &s, &error);
    struct pl_group *group;
    if (!error)
        error = pl_check_pointer(newgroup, "newgroup");
    if (!error)
        error = pset_of(mpi, pset_name, &group);
    if (!error) {
        pl_group_hold(group);
        error = pl_group_publish(mpi, group, newgroup);
    }
    return pl_session_return(mpi, s, error);
}
PL_WEAK(Group_from_session_pset)
