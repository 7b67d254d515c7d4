/* What programs written for other MPI libraries expect where the standard leaves a choice, or left one
 * when they were written. */
#include "case.h"

#include <string.h>

static int refuse_comm(MPI_Comm comm, int key, void *extra, void *in, void *out, int *flag)
{
    *flag = 1;
    return MPI_ERR_OTHER;
}

static int refuse_type(MPI_Datatype type, int key, void *extra, void *in, void *out, int *flag)
{
    *flag = 1;
    return MPI_ERR_OTHER;
}

/* A call that makes an object and fails leaves the null handle. */
static void null_after_failure(void)
{
    int key, huge[2] = {world_size() + 1, 1}, periods[2] = {0, 0};
    MPI_Comm comm, made = MPI_COMM_WORLD;
    MPI_Datatype type, copy = MPI_INT;
    MPI_Request request = MPI_REQUEST_NULL;
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    OK(MPI_Comm_create_keyval(refuse_comm, MPI_COMM_NULL_DELETE_FN, &key, NULL));
    OK(MPI_Comm_set_attr(comm, key, NULL));
    FAILS(MPI_ERR_OTHER, MPI_Comm_dup(comm, &made));
    CHECK(made == MPI_COMM_NULL, "MPI_Comm_dup left a handle");
    made = MPI_COMM_WORLD;
    FAILS(MPI_ERR_OTHER, MPI_Comm_idup(comm, &made, &request));
    CHECK(made == MPI_COMM_NULL && request == MPI_REQUEST_NULL, "MPI_Comm_idup left a handle");
    OK(MPI_Comm_free_keyval(&key));
    OK(MPI_Comm_free(&comm));
    made = MPI_COMM_WORLD;
    FAILS(MPI_ERR_DIMS, MPI_Cart_create(MPI_COMM_WORLD, 2, huge, periods, 0, &made));
    CHECK(made == MPI_COMM_NULL, "MPI_Cart_create left a handle");
    OK(MPI_Type_dup(MPI_DOUBLE, &type));
    OK(MPI_Type_create_keyval(refuse_type, MPI_TYPE_NULL_DELETE_FN, &key, NULL));
    OK(MPI_Type_set_attr(type, key, NULL));
    FAILS(MPI_ERR_OTHER, MPI_Type_dup(type, &copy));
    CHECK(copy == MPI_DATATYPE_NULL, "MPI_Type_dup left a handle");
    OK(MPI_Type_free_keyval(&key));
    OK(MPI_Type_free(&type));
}

/* Of two names for a type the one that Open MPI and MPICH return. */
static void type_names(void)
{
    static const struct {
        MPI_Datatype type;
        const char *name;
    } cases[] = {{MPI_LONG_LONG, "MPI_LONG_LONG_INT"},
                 {MPI_LONG_LONG_INT, "MPI_LONG_LONG_INT"},
                 {MPI_C_COMPLEX, "MPI_C_COMPLEX"},
                 {MPI_C_FLOAT_COMPLEX, "MPI_C_COMPLEX"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[MPI_MAX_OBJECT_NAME];
        int length;
        OK(MPI_Type_get_name(cases[i].type, name, &length));
        CHECK(!strcmp(name, cases[i].name), "'%s', not '%s'", name, cases[i].name);
    }
}

/* Sessions tell their thread level by the key of MPI 4.0 and by the one before it. */
static void thread_level_keys(void)
{
    static const char *const keys[] = {"mpi_thread_support_level", "thread_level"};
    for (int i = 0; i < 2; i++) {
        MPI_Info asked, got;
        MPI_Session session;
        char text[2][64] = {"", ""};
        OK(MPI_Info_create(&asked));
        OK(MPI_Info_set(asked, keys[i], "MPI_THREAD_SINGLE"));
        OK(MPI_Session_init(asked, MPI_ERRORS_RETURN, &session));
        OK(MPI_Session_get_info(session, &got));
        for (int k = 0; k < 2; k++) {
            int length = sizeof text[k], flag = 0;
            OK(MPI_Info_get_string(got, keys[k], &length, text[k], &flag));
            CHECK(flag && !strncmp(text[k], "MPI_THREAD_", 11), "%s is '%s'", keys[k], text[k]);
        }
        CHECK(!strcmp(text[0], text[1]), "'%s' and '%s'", text[0], text[1]);
        OK(MPI_Info_free(&asked));
        OK(MPI_Info_free(&got));
        OK(MPI_Session_finalize(&session));
    }
}

static void expect_hint(MPI_Comm comm, const char *key, const char *expected)
{
    char value[16] = "none";
    int length = sizeof value, flag = 0;
    MPI_Info info;
    OK(MPI_Comm_get_info(comm, &info));
    OK(MPI_Info_get_string(info, key, &length, value, &flag));
    CHECK(!strcmp(flag ? value : "none", expected), "%s: '%s', not '%s'", key, value, expected);
    OK(MPI_Info_free(&info));
}

/* What the program asserts of a communicator is told again; a duplicate starts anew, or with what it is
 * given. */
static void assertions(void)
{
    MPI_Info info;
    MPI_Comm comm, copy;
    OK(MPI_Info_create(&info));
    OK(MPI_Info_set(info, "mpi_assert_no_any_tag", "true"));
    OK(MPI_Info_set(info, "mpi_assert_exact_length", "false"));
    OK(MPI_Info_set(info, "mpi_assert_allow_overtaking", "perhaps"));
    OK(MPI_Comm_dup_with_info(MPI_COMM_WORLD, info, &comm));
    expect_hint(comm, "mpi_assert_no_any_tag", "true");
    expect_hint(comm, "mpi_assert_exact_length", "false");
    expect_hint(comm, "mpi_assert_allow_overtaking", "none");
    expect_hint(comm, "mpi_assert_no_any_source", "none");
    OK(MPI_Info_set(info, "mpi_assert_no_any_tag", "false"));
    OK(MPI_Info_delete(info, "mpi_assert_exact_length"));
    OK(MPI_Comm_set_info(comm, info));
    expect_hint(comm, "mpi_assert_no_any_tag", "false");
    expect_hint(comm, "mpi_assert_exact_length", "false");
    OK(MPI_Comm_dup(comm, &copy));
    expect_hint(copy, "mpi_assert_no_any_tag", "none");
    OK(MPI_Info_free(&info));
    OK(MPI_Comm_free(&copy));
    OK(MPI_Comm_free(&comm));
}

const struct test_case custom_cases[] = {
    {"null after failure", null_after_failure},
    {"type names", type_names},
    {"keys of the thread level", thread_level_keys},
    {"assertions", assertions},
    {0},
};
