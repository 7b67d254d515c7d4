/* mpi.h against the MPI 5.0 standard ABI: sizes, offsets, and every value.
 *
 * The same source is compiled as strict C99 and as C++ (abi_test_cxx.cc), because
 * the header must serve both; so it does without a test framework. mpi.h comes
 * first: it stands alone.
 */
#include <mpi.h>

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#if defined(OPEN_MPI) || defined(OMPI_MAJOR_VERSION) || defined(MPICH) || defined(MPICH_VERSION) ||          \
    defined(MVAPICH2_VERSION) || defined(I_MPI_VERSION)
#error "mpi.h claims to be another MPI"
#endif

/* Usable by the preprocessor, as programs do. */
#if MPI_VERSION != 5 || MPI_SUBVERSION != 0 || MPI_ABI_VERSION != 1 || MPI_ABI_SUBVERSION != 0
#error "wrong version"
#endif

/* Fails to compile where the condition is false. */
#define STATIC_CHECK(name, condition) typedef char check_##name[(condition) ? 1 : -1]

STATIC_CHECK(aint, sizeof(MPI_Aint) == sizeof(void *) && sizeof(MPI_Aint) == 8 && (MPI_Aint)-1 < 0);
STATIC_CHECK(count, sizeof(MPI_Count) == 8 && (MPI_Count)-1 < 0);
STATIC_CHECK(offset, sizeof(MPI_Offset) == 8 && (MPI_Offset)-1 < 0);
STATIC_CHECK(status_size, sizeof(MPI_Status) == 32);
STATIC_CHECK(source_at, offsetof(MPI_Status, MPI_SOURCE) == 0);
STATIC_CHECK(tag_at, offsetof(MPI_Status, MPI_TAG) == 4);
STATIC_CHECK(error_at, offsetof(MPI_Status, MPI_ERROR) == 8);
STATIC_CHECK(internal_at, offsetof(MPI_Status, MPI_internal) == 12);
STATIC_CHECK(handles, sizeof(MPI_Comm) == 8 && sizeof(MPI_Group) == 8 && sizeof(MPI_Datatype) == 8 &&
                          sizeof(MPI_Op) == 8 && sizeof(MPI_Request) == 8 && sizeof(MPI_Message) == 8 &&
                          sizeof(MPI_Win) == 8 && sizeof(MPI_File) == 8 && sizeof(MPI_Session) == 8 &&
                          sizeof(MPI_Info) == 8 && sizeof(MPI_Errhandler) == 8);
STATIC_CHECK(tool_handles, sizeof(MPI_T_enum) == 8 && sizeof(MPI_T_cvar_handle) == 8 &&
                               sizeof(MPI_T_pvar_handle) == 8 && sizeof(MPI_T_pvar_session) == 8 &&
                               sizeof(MPI_T_event_registration) == 8 && sizeof(MPI_T_event_instance) == 8);
STATIC_CHECK(tool_enums, sizeof(MPI_T_cb_safety) == 4 && sizeof(MPI_T_source_order) == 4);

struct alignment_of_status {
    char before;
    MPI_Status status;
};
STATIC_CHECK(status_alignment, offsetof(struct alignment_of_status, status) == 4);

static const struct row {
    const char *name;
    intptr_t has, must;
} rows[] = {
#define VALUE(name, value) {"MPI_" #name, (intptr_t)MPI_##name, value},
#include "values.h"
#undef VALUE
    {"MPIX_C_FLOAT16", (intptr_t)MPIX_C_FLOAT16, 0x2f0},
    {"MPIX_BFLOAT16", (intptr_t)MPIX_BFLOAT16, 0x2f1},
};

/* Each constant has the type that its users give it to. Never called. */
void peal_abi_types(void);
void peal_abi_types(void)
{
    MPI_Comm comm = MPI_COMM_WORLD;
    MPI_Group group = MPI_GROUP_EMPTY;
    MPI_Datatype datatype = MPI_INT;
    MPI_Op op = MPI_SUM;
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Message message = MPI_MESSAGE_NO_PROC;
    MPI_Win win = MPI_WIN_NULL;
    MPI_File file = MPI_FILE_NULL;
    MPI_Session session = MPI_SESSION_NULL;
    MPI_Info info = MPI_INFO_ENV;
    MPI_Errhandler errhandler = MPI_ERRORS_RETURN;
    MPI_Status *status = MPI_STATUS_IGNORE;
    int *weights = MPI_UNWEIGHTED;
    char ***argvs = MPI_ARGVS_NULL;
    MPI_Comm_copy_attr_function *copy = MPI_COMM_DUP_FN;
    MPI_Win_delete_attr_function *drop = MPI_WIN_NULL_DELETE_FN;
    MPI_Datarep_conversion_function_c *convert = MPI_CONVERSION_FN_NULL_C;
    (void)comm, (void)group, (void)datatype, (void)op, (void)request, (void)message, (void)win, (void)file;
    (void)session, (void)info, (void)errhandler, (void)status, (void)weights, (void)argvs, (void)copy;
    (void)drop, (void)convert;
}

int main(void)
{
    int count = (int)(sizeof rows / sizeof *rows), wrong = 0;
    for (int i = 0; i < count; i++) {
        if (rows[i].has == rows[i].must)
            continue;
        printf("%s is %#lx, the standard has %#lx\n", rows[i].name, (unsigned long)rows[i].has,
               (unsigned long)rows[i].must);
        wrong++;
    }
    if (MPI_PROC_NULL - 1 != -4) /* the minus sign is inside the macro's parentheses */
        wrong++, printf("MPI_PROC_NULL - 1 is %d\n", MPI_PROC_NULL - 1);
    printf("%d of %d values are wrong\n", wrong, count);
    return wrong != 0 || count != 366;
}
