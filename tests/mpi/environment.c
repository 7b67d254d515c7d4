/* The environment: errors that the program adds, error handlers, sessions, info of the start, MPI_T. */
#include "case.h"

#include <stdlib.h>
#include <string.h>

static void check_string(int code, const char *expected)
{
    char text[MPI_MAX_ERROR_STRING] = "?";
    int length = -1;
    OK(MPI_Error_string(code, text, &length));
    CHECK(!strcmp(text, expected) && length == (int)strlen(expected), "'%s', %d", text, length);
}

static int last_used_code(void)
{
    int *value = NULL, flag = 0;
    OK(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_LASTUSEDCODE, &value, &flag));
    return flag ? *value : -1;
}

static void user_errors(void)
{
    int class = -1, code = -1, other = -1, found = -1;
    OK(MPI_Add_error_class(&class));
    CHECK(class > MPI_ERR_LASTCODE && last_used_code() == class, "%d, %d", class, last_used_code());
    OK(MPI_Add_error_code(class, &code));
    OK(MPI_Add_error_code(MPI_ERR_OTHER, &other));
    CHECK(code > class && other > code && last_used_code() == other, "%d %d", code, other);
    OK(MPI_Error_class(class, &found));
    CHECK(found == class, "%d", found);
    OK(MPI_Error_class(code, &found));
    CHECK(found == class, "%d", found);
    OK(MPI_Error_class(other, &found));
    CHECK(found == MPI_ERR_OTHER, "%d", found);
    check_string(code, "");
    OK(MPI_Add_error_string(code, "the bell is cracked"));
    check_string(code, "the bell is cracked");
    OK(MPI_Add_error_string(code, "the rope is torn"));
    check_string(code, "the rope is torn");
    OK(MPI_Remove_error_string(code));
    check_string(code, "");
    FAILS(MPI_ERR_ARG, MPI_Remove_error_string(code));
    FAILS(MPI_ERR_ARG, MPI_Add_error_string(MPI_ERR_OTHER, "not mine"));
    FAILS(MPI_ERR_ARG, MPI_Remove_error_class(class));
    FAILS(MPI_ERR_ARG, MPI_Remove_error_code(class));
    OK(MPI_Remove_error_code(code));
    OK(MPI_Remove_error_class(class));
    FAILS(MPI_ERR_ARG, MPI_Error_class(class, &found));
    FAILS(MPI_ERR_ARG, MPI_Add_error_code(class, &code));
    OK(MPI_Remove_error_code(other));
    FAILS(MPI_ERR_ARG, MPI_Error_class(2000, &found));
}

static int handled;
static void on_comm(MPI_Comm *comm, int *code, ...)
{
    __atomic_fetch_add(&handled, *code, __ATOMIC_RELAXED);
}

static void on_session(MPI_Session *session, int *code, ...)
{
    __atomic_fetch_add(&handled, 1000, __ATOMIC_RELAXED);
}

static void on_file(MPI_File *file, int *code, ...)
{
    __atomic_fetch_add(&handled, *file == MPI_FILE_NULL ? 1 : 100000, __ATOMIC_RELAXED);
}

/* All ranks of a process share `handled`: only rank 0 looks. */
static void handlers(void)
{
    MPI_Errhandler comm_handler, file_handler, win_handler, got;
    MPI_Comm comm;
    int code;
    OK(MPI_Comm_split(MPI_COMM_WORLD, my_rank() ? MPI_UNDEFINED : 0, 0, &comm));
    if (my_rank())
        return;
    handled = 0;
    OK(MPI_Comm_create_errhandler(on_comm, &comm_handler));
    OK(MPI_File_create_errhandler(on_file, &file_handler));
    OK(MPI_Win_create_errhandler((MPI_Win_errhandler_function *)on_session, &win_handler));
    FAILS(MPI_ERR_ERRHANDLER, MPI_Comm_set_errhandler(comm, file_handler));
    FAILS(MPI_ERR_ERRHANDLER, MPI_Comm_set_errhandler(comm, win_handler));
    OK(MPI_Comm_set_errhandler(comm, comm_handler));
    OK(MPI_Comm_get_errhandler(comm, &got));
    CHECK(got == comm_handler, "the handler that was set");
    OK(MPI_Errhandler_free(&got));
    OK(MPI_Errhandler_free(&comm_handler));
    FAILS(MPI_ERR_RANK, MPI_Send(&code, 1, MPI_INT, 77, 0, comm));
    CHECK(handled == MPI_ERR_RANK, "%d", handled);
    OK(MPI_Add_error_code(MPI_ERR_OTHER, &code));
    handled = 0;
    OK(MPI_Comm_call_errhandler(comm, code));
    CHECK(handled == code, "%d", handled);
    OK(MPI_Remove_error_code(code));
    OK(MPI_File_get_errhandler(MPI_FILE_NULL, &got));
    CHECK(got == MPI_ERRORS_RETURN, "the handler of files to come");
    OK(MPI_File_set_errhandler(MPI_FILE_NULL, file_handler));
    OK(MPI_Errhandler_free(&file_handler));
    handled = 0;
    OK(MPI_File_call_errhandler(MPI_FILE_NULL, MPI_ERR_IO));
    CHECK(handled == 1, "%d", handled);
    OK(MPI_File_set_errhandler(MPI_FILE_NULL, MPI_ERRORS_RETURN));
    OK(MPI_Errhandler_free(&win_handler));
    CHECK(win_handler == MPI_ERRHANDLER_NULL, "the handle is left");
    FAILS(MPI_ERR_WIN, MPI_Win_set_errhandler(MPI_WIN_NULL, MPI_ERRORS_RETURN));
    OK(MPI_Comm_free(&comm));
}

static MPI_Comm from_pset(MPI_Session session, const char *pset, const char *tag)
{
    MPI_Group group;
    MPI_Comm comm = MPI_COMM_NULL;
    OK(MPI_Group_from_session_pset(session, pset, &group));
    OK(MPI_Comm_create_from_group(group, tag, MPI_INFO_NULL, MPI_ERRORS_RETURN, &comm));
    OK(MPI_Group_free(&group));
    return comm;
}

static void sessions(void)
{
    int n = world_size(), sum = -1, count = -1, flag = -1;
    MPI_Session session, second;
    MPI_Info info;
    char name[64] = "", text[64] = "";
    OK(MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_RETURN, &session));
    OK(MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_RETURN, &second));
    OK(MPI_Session_get_num_psets(session, MPI_INFO_NULL, &count));
    CHECK(count == 2, "%d", count);
    for (int i = 0; i < count; i++) {
        int length = 0;
        OK(MPI_Session_get_nth_pset(session, MPI_INFO_NULL, i, &length, NULL));
        CHECK(length > 7 && length < 64, "%d", length);
        OK(MPI_Session_get_nth_pset(session, MPI_INFO_NULL, i, &length, name));
        CHECK(!strcmp(name, i ? "mpi://SELF" : "mpi://WORLD") && length == (int)strlen(name) + 1, "'%s'",
              name);
        OK(MPI_Session_get_pset_info(session, name, &info));
        length = sizeof text;
        OK(MPI_Info_get_string(info, "mpi_size", &length, text, &flag));
        CHECK(flag && atoi(text) == (i ? 1 : n), "%s has '%s'", name, text);
        OK(MPI_Info_free(&info));
    }
    FAILS(MPI_ERR_ARG, MPI_Session_get_nth_pset(session, MPI_INFO_NULL, 2, &count, name));
    MPI_Group none;
    FAILS(MPI_ERR_ARG, MPI_Group_from_session_pset(session, "mpi://NOBODY", &none));
    OK(MPI_Session_get_info(session, &info));
    int length = sizeof text;
    OK(MPI_Info_get_string(info, "mpi_thread_support_level", &length, text, &flag));
    CHECK(flag && !strncmp(text, "MPI_THREAD_", 11), "'%s'", text);
    OK(MPI_Info_free(&info));
    for (int round = 0; round < 3; round++) {
        MPI_Comm world = from_pset(session, "mpi://WORLD", "round"),
                 self = from_pset(second, "mpi://SELF", "x");
        CHECK(size_of(world) == n && size_of(self) == 1, "%d and %d", size_of(world), size_of(self));
        OK(MPI_Allreduce(&(int){1}, &sum, 1, MPI_INT, MPI_SUM, world));
        CHECK(sum == n, "%d", sum);
        OK(MPI_Comm_free(&world));
        OK(MPI_Comm_free(&self));
    }
    MPI_Session finalized = second;
    OK(MPI_Session_finalize(&second));
    CHECK(second == MPI_SESSION_NULL, "the handle is left");
    FAILS(MPI_ERR_SESSION, MPI_Session_get_num_psets(finalized, MPI_INFO_NULL, &count));
    OK(MPI_Session_finalize(&session));
}

static void session_handler(void)
{
    MPI_Session session;
    MPI_Errhandler handler, got;
    int count;
    if (my_rank())
        return;
    OK(MPI_Session_create_errhandler(on_session, &handler));
    OK(MPI_Session_init(MPI_INFO_NULL, handler, &session));
    OK(MPI_Session_get_errhandler(session, &got));
    CHECK(got == handler, "the handler it was made with");
    OK(MPI_Errhandler_free(&got));
    OK(MPI_Errhandler_free(&handler));
    handled = 0;
    FAILS(MPI_ERR_ARG, MPI_Session_get_nth_pset(session, MPI_INFO_NULL, -1, &count, NULL));
    CHECK(handled == 1000, "%d", handled);
    OK(MPI_Session_call_errhandler(session, MPI_ERR_OTHER));
    CHECK(handled == 2000, "%d", handled);
    OK(MPI_Session_set_errhandler(session, MPI_ERRORS_RETURN));
    FAILS(MPI_ERR_ARG, MPI_Session_get_nth_pset(session, MPI_INFO_NULL, -1, &count, NULL));
    CHECK(handled == 2000, "%d", handled);
    OK(MPI_Session_finalize(&session));
}

/* Groups that differ meet under the same tag; two groups become an intercommunicator. */
static void from_groups(void)
{
    int n = world_size(), me = my_rank(), left = n / 2, mine = me >= left, size = -1;
    MPI_Group world, halves[2];
    MPI_Comm half, inter;
    OK(MPI_Comm_group(MPI_COMM_WORLD, &world));
    OK(MPI_Group_range_incl(world, 1, (int[][3]){{0, left - 1, 1}}, &halves[0]));
    OK(MPI_Group_range_incl(world, 1, (int[][3]){{left, n - 1, 1}}, &halves[1]));
    OK(MPI_Comm_create_from_group(halves[mine], "half", MPI_INFO_NULL, MPI_ERRORS_RETURN, &half));
    CHECK(size_of(half) == (mine ? n - left : left), "%d", size_of(half));
    OK(MPI_Intercomm_create_from_groups(halves[mine], 0, halves[!mine], 0, "both", MPI_INFO_NULL,
                                        MPI_ERRORS_RETURN, &inter));
    OK(MPI_Comm_remote_size(inter, &size));
    CHECK(size == (mine ? left : n - left), "%d", size);
    int other = -1;
    if (!rank_in(inter)) {
        OK(MPI_Sendrecv(&me, 1, MPI_INT, 0, 0, &other, 1, MPI_INT, 0, 0, inter, MPI_STATUS_IGNORE));
        CHECK(other == (mine ? 0 : left), "%d", other);
    }
    OK(MPI_Comm_free(&inter));
    OK(MPI_Comm_free(&half));
    for (int i = 0; i < 2; i++)
        OK(MPI_Group_free(&halves[i]));
    OK(MPI_Group_free(&world));
}

static void info_env(void)
{
    char value[MPI_MAX_INFO_VAL] = "";
    int flag = -1, length = -1;
    MPI_Info info, copy;
    OK(MPI_Info_get_valuelen(MPI_INFO_ENV, "maxprocs", &length, &flag));
    CHECK(flag && length > 0, "%d", length);
    OK(MPI_Info_dup(MPI_INFO_ENV, &copy));
    int size = sizeof value;
    OK(MPI_Info_get_string(copy, "maxprocs", &size, value, &flag));
    CHECK(flag && atoi(value) == world_size(), "'%s'", value);
    OK(MPI_Info_free(&copy));
    FAILS(MPI_ERR_INFO, MPI_Info_set(MPI_INFO_ENV, "a", "b"));
    info = MPI_INFO_ENV;
    FAILS(MPI_ERR_INFO, MPI_Info_free(&info));
    OK(MPI_Info_create_env(2, (char *[]){(char[]){"prog"}, (char[]){"-x"}, NULL}, &info));
    size = sizeof value;
    OK(MPI_Info_get_string(info, "command", &size, value, &flag));
    CHECK(flag && !strcmp(value, "prog"), "'%s'", value);
    OK(MPI_Info_free(&info));
    OK(MPI_Get_hw_resource_info(&info));
    OK(MPI_Info_get_nkeys(info, &length));
    CHECK(length > 0, "%d", length);
    OK(MPI_Info_free(&info));
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static void info_old(void)
{
    char value[8] = "";
    int flag = -1, length = -1;
    MPI_Info info;
    OK(MPI_Info_create(&info));
    OK(MPI_Info_set(info, "key", "a long value"));
    OK(MPI_Info_get_valuelen(info, "key", &length, &flag));
    CHECK(flag && length == 12, "%d", length);
    OK(MPI_Info_get(info, "key", 6, value, &flag));
    CHECK(flag && !strcmp(value, "a long"), "'%s'", value);
    OK(MPI_Info_get(info, "no key", 6, value, &flag));
    CHECK(!flag, "%d", flag);
    OK(MPI_Info_free(&info));
}
#pragma GCC diagnostic pop

static void tools(void)
{
    int provided = -1, count = 0, length = 64, class, bind, readonly, index = -1, numbers = -1;
    char name[64] = "", value[4096] = "";
    MPI_Datatype type;
    MPI_T_cvar_handle cvar;
    MPI_T_pvar_session session;
    MPI_T_pvar_handle pvar;
    unsigned long long before = 0, after = 0;
    CHECK(MPI_T_cvar_get_num(&count) == MPI_T_ERR_NOT_INITIALIZED, "before the start");
    OK(MPI_T_init_thread(MPI_THREAD_SINGLE, &provided));
    OK(MPI_T_cvar_get_num(&count));
    CHECK(count >= 6, "%d", count);
    OK(MPI_T_cvar_get_index("PEAL_TIMEOUT", &index));
    OK(MPI_T_cvar_get_info(index, name, &length, NULL, &type, NULL, NULL, NULL, &bind, NULL));
    CHECK(!strcmp(name, "PEAL_TIMEOUT") && type == MPI_CHAR && length == 13, "'%s' %d", name, length);
    length = 5;
    OK(MPI_T_cvar_get_info(index, name, &length, NULL, NULL, NULL, NULL, NULL, NULL, NULL));
    CHECK(!strcmp(name, "PEAL") && length == 13, "'%s' %d", name, length);
    OK(MPI_T_cvar_handle_alloc(index, NULL, &cvar, &numbers));
    CHECK(numbers > 1 && numbers <= (int)sizeof value, "%d", numbers);
    OK(MPI_T_cvar_read(cvar, value));
    CHECK(atof(value) > 0, "'%s'", value);
    CHECK(MPI_T_cvar_write(cvar, value) == MPI_T_ERR_CVAR_SET_NEVER, "written");
    OK(MPI_T_cvar_handle_free(&cvar));
    CHECK(MPI_T_cvar_get_info(count, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ==
              MPI_T_ERR_INVALID_INDEX,
          "past the end");
    OK(MPI_T_pvar_get_num(&count));
    OK(MPI_T_pvar_get_index("peal_messages_sent", MPI_T_PVAR_CLASS_COUNTER, &index));
    OK(MPI_T_pvar_get_info(index, NULL, NULL, NULL, &class, &type, NULL, NULL, NULL, NULL, &readonly, NULL,
                           NULL));
    CHECK(class == MPI_T_PVAR_CLASS_COUNTER && type == MPI_UNSIGNED_LONG_LONG && readonly, "%d", class);
    OK(MPI_T_pvar_session_create(&session));
    OK(MPI_T_pvar_handle_alloc(session, index, NULL, &pvar, &numbers));
    OK(MPI_T_pvar_start(session, MPI_T_PVAR_ALL_HANDLES));
    OK(MPI_T_pvar_read(session, pvar, &before));
    OK(MPI_Sendrecv(&index, 1, MPI_INT, my_rank(), 0, &count, 1, MPI_INT, my_rank(), 0, MPI_COMM_WORLD,
                    MPI_STATUS_IGNORE));
    OK(MPI_T_pvar_read(session, pvar, &after));
    CHECK(after == before + 1, "%llu, %llu", before, after);
    CHECK(MPI_T_pvar_write(session, pvar, &before) == MPI_T_ERR_PVAR_NO_WRITE, "written");
    OK(MPI_T_pvar_handle_free(session, &pvar));
    OK(MPI_T_pvar_session_free(&session));
    OK(MPI_T_category_get_num(&count));
    OK(MPI_T_event_get_num(&count));
    CHECK(count == 0, "%d", count);
    OK(MPI_T_finalize());
}

const struct test_case environment_cases[] = {
    {"user_errors", user_errors, 1, 0},
    {"handlers", handlers, 1, 0},
    {"sessions", sessions, 1, 0},
    {"session_handler", session_handler, 1, 0},
    {"from_groups", from_groups, 2, 0},
    {"info_env", info_env, 1, 0},
    {"info_old", info_old, 1, 0},
    {"tools", tools, 1, 0},
    {0},
};
