/* Error classes, codes and texts that the program adds (MPI 5.0, section 9.5).
 *
 * A class is also a code, its own. All get numbers above MPI_ERR_LASTCODE, counted up and never
 * used twice; MPI_LASTUSEDCODE is the latest.
 */
#include "error_user.h"

#include <stdlib.h>
#include <string.h>

static struct pl_user_error *find(const struct pl_mpi *mpi, int code)
{
    int i = code - MPI_ERR_LASTCODE - 1;
    bool known = i >= 0 && i < mpi->user_error_count && mpi->user_errors[i].class;
    return known ? &mpi->user_errors[i] : NULL;
}

int pl_user_error_class(const struct pl_mpi *mpi, int code)
{
    const struct pl_user_error *error = find(mpi, code);
    return error ? error->class : 0;
}

const char *pl_user_error_text(const struct pl_mpi *mpi, int code)
{
    const struct pl_user_error *error = find(mpi, code);
    return error && error->text ? error->text : "";
}

void pl_user_errors_free(struct pl_mpi *mpi)
{
    for (int i = 0; i < mpi->user_error_count; i++)
        free(mpi->user_errors[i].text);
    free(mpi->user_errors);
    mpi->user_errors = NULL;
    mpi->user_error_count = 0;
}

/* A new number; class 0: a class of its own. */
static int add(struct pl_mpi *mpi, int class, int *code)
{
    struct pl_user_error *grown =
        realloc(mpi->user_errors, sizeof *grown * ((size_t)mpi->user_error_count + 1));
    if (!grown)
        return pl_fail(PL_ENOMEM, "no memory for another error code");
    mpi->user_errors = grown;
    *code = MPI_ERR_LASTCODE + ++mpi->user_error_count;
    grown[mpi->user_error_count - 1] = (struct pl_user_error){class ? class : *code, NULL};
    mpi->predefined.last_used_code = *code;
    return 0;
}

int PMPI_Add_error_class(int *errorclass)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Add_error_class");
    int error = pl_check_pointer(errorclass, "errorclass");
    if (!error)
        error = add(mpi, 0, errorclass);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Add_error_class)

static bool is_class(const struct pl_mpi *mpi, int class)
{
    return pl_class_known(class) || pl_user_error_class(mpi, class) == class;
}

int PMPI_Add_error_code(int errorclass, int *errorcode)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Add_error_code");
    int error = pl_check_pointer(errorcode, "errorcode");
    if (!error && !is_class(mpi, errorclass))
        error = pl_bad(MPI_ERR_ARG, "%d is not an error class", errorclass);
    if (!error)
        error = add(mpi, errorclass, errorcode);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Add_error_code)

int PMPI_Add_error_string(int errorcode, const char *string)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Add_error_string");
    struct pl_user_error *user = find(mpi, errorcode);
    int error = pl_check_pointer(string, "string");
    if (!error && !user)
        error = pl_bad(MPI_ERR_ARG, "%d is not an error code that the program added", errorcode);
    char *copy = error ? NULL : strndup(string, MPI_MAX_ERROR_STRING - 1);
    if (!error && !copy)
        error = pl_fail(PL_ENOMEM, "no memory for the text of error code %d", errorcode);
    if (!error) {
        free(user->text);
        user->text = copy;
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Add_error_string)

/* Takes a number back: nothing has it any more. */
static void drop(struct pl_mpi *mpi, struct pl_user_error *user)
{
    free(user->text);
    *user = (struct pl_user_error){0, NULL};
}

int PMPI_Remove_error_class(int errorclass)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Remove_error_class");
    struct pl_user_error *user = find(mpi, errorclass);
    int error = 0;
    if (!user || user->class != errorclass)
        error = pl_bad(MPI_ERR_ARG, "%d is not an error class that the program added", errorclass);
    for (int i = 0; i < mpi->user_error_count && !error; i++)
        if (mpi->user_errors[i].class == errorclass && &mpi->user_errors[i] != user)
            error =
                pl_bad(MPI_ERR_ARG, "class %d still has error code %d", errorclass, MPI_ERR_LASTCODE + 1 + i);
    if (!error)
        drop(mpi, user);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Remove_error_class)

int PMPI_Remove_error_code(int errorcode)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Remove_error_code");
    struct pl_user_error *user = find(mpi, errorcode);
    int error = 0;
    if (!user || user->class == errorcode)
        error = pl_bad(MPI_ERR_ARG, "%d is not an error code that the program added", errorcode);
    else
        drop(mpi, user);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Remove_error_code)

int PMPI_Remove_error_string(int errorcode)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Remove_error_string");
    struct pl_user_error *user = find(mpi, errorcode);
    int error = 0;
    if (!user || !user->text)
        error = pl_bad(MPI_ERR_ARG, "error code %d has no text that the program added", errorcode);
    else {
        free(user->text);
        user->text = NULL;
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Remove_error_string)
