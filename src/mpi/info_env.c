/* Info about how the program was started (MPI 5.0, section 11.2.3), and the calls for values that MPI 4.0
 * deprecated. */
#include "info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char *level_name(int level)
{
    return level == MPI_THREAD_SINGLE       ? "MPI_THREAD_SINGLE"
           : level == MPI_THREAD_FUNNELED   ? "MPI_THREAD_FUNNELED"
           : level == MPI_THREAD_SERIALIZED ? "MPI_THREAD_SERIALIZED"
                                            : "MPI_THREAD_MULTIPLE";
}

/* The process's command line, "a\0b\0"; *length is what was read. */
static size_t read_command_line(char *line, size_t size)
{
    FILE *file = fopen("/proc/self/cmdline", "re");
    size_t length = file ? fread(line, 1, size - 1, file) : 0;
    if (file)
        fclose(file);
    line[length] = 0;
    return length;
}

/* The first word is the command, the others, with blanks between, the arguments. */
static int put_command(struct pl_info *info, char *line, size_t length)
{
    size_t first = strlen(line);
    if (!first)
        return 0;
    for (size_t i = first + 1; i + 1 < length; i++)
        if (!line[i])
            line[i] = ' ';
    line[MPI_MAX_INFO_VAL - 1] = 0;
    int error = pl_info_put(info, "command", line);
    if (!error && first + 1 < length)
        error = pl_info_put(info, "argv", line + first + 1);
    return error;
}

static int put_place(struct pl_info *info)
{
    struct utsname name;
    char directory[MPI_MAX_INFO_VAL];
    int error = 0;
    if (!uname(&name)) {
        error = pl_info_put(info, "host", name.nodename);
        if (!error)
            error = pl_info_put(info, "arch", name.machine);
    }
    if (!error && getcwd(directory, sizeof directory))
        error = pl_info_put(info, "wdir", directory);
    return error;
}

static int put_job(struct pl_info *info, const struct pl_mpi *mpi)
{
    char number[16];
    const char *size = getenv("PMI_SIZE");
    int ranks = mpi->rank->size ? mpi->rank->size : size ? atoi(size) : 1;
    snprintf(number, sizeof number, "%d", ranks > 0 ? ranks : 1);
    int error = pl_info_put(info, "maxprocs", number);
    if (!error)
        error = pl_info_put(info, "soft", number);
    if (!error)
        error = pl_info_put(info, "thread_level", level_name(mpi->thread_level));
    return error;
}

static int describe(const struct pl_mpi *mpi, char *line, size_t length, struct pl_info **out)
{
    int error = pl_info_create(out);
    if (!error)
        error = put_command(*out, line, length);
    if (!error)
        error = put_job(*out, mpi);
    if (!error)
        error = put_place(*out);
    if (error) {
        pl_info_destroy(*out);
        *out = NULL;
    }
    return error;
}

int pl_info_environment(struct pl_mpi *mpi, struct pl_info **info)
{
    char line[2 * MPI_MAX_INFO_VAL];
    int error = 0;
    if (!mpi->environment)
        error = describe(mpi, line, read_command_line(line, sizeof line), &mpi->environment);
    *info = mpi->environment;
    return error;
}

int PMPI_Info_create_env(int argc, char *argv[], MPI_Info *info)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Info_create_env");
    char line[2 * MPI_MAX_INFO_VAL] = "";
    size_t length = 0;
    struct pl_info *made;
    int error = pl_check_pointer(info, "info");
    for (int i = 0; argv && i < argc && argv[i]; i++) {
        size_t more = strlen(argv[i]) + 1;
        if (length + more >= sizeof line)
            break;
        memcpy(line + length, argv[i], more);
        length += more;
    }
    if (!length)
        length = read_command_line(line, sizeof line);
    if (!error)
        error = describe(mpi, line, length, &made);
    if (!error)
        error = pl_info_publish(mpi, made, info);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Info_create_env)

static int look_up(struct pl_mpi *mpi, MPI_Info info, const char *key, const int *flag, const char **value)
{
    struct pl_info *i;
    int error = pl_info_of(mpi, info, &i);
    if (!error && (!key || !key[0] || strlen(key) >= MPI_MAX_INFO_KEY))
        error = pl_bad(MPI_ERR_INFO_KEY, "the key is NULL, empty or longer than %d characters",
                       MPI_MAX_INFO_KEY - 1);
    if (!error)
        error = pl_check_pointer(flag, "flag");
    if (!error)
        *value = pl_info_value(i, key);
    return error;
}

/* value has room for valuelen characters and the end. */
int PMPI_Info_get(MPI_Info info, const char *key, int valuelen, char *value, int *flag)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Info_get");
    const char *found = NULL;
    int error = look_up(mpi, info, key, flag, &found);
    if (!error)
        error = pl_check_pointer(value, "value");
    if (!error && valuelen < 0)
        error = pl_bad(MPI_ERR_ARG, "the length, %d, is negative", valuelen);
    if (!error) {
        *flag = found != NULL;
        if (found)
            snprintf(value, (size_t)valuelen + 1, "%s", found);
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Info_get)

int PMPI_Info_get_valuelen(MPI_Info info, const char *key, int *valuelen, int *flag)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Info_get_valuelen");
    const char *found = NULL;
    int error = look_up(mpi, info, key, flag, &found);
    if (!error)
        error = pl_check_pointer(valuelen, "valuelen");
    if (!error) {
        *flag = found != NULL;
        if (found)
            *valuelen = (int)strlen(found);
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Info_get_valuelen)

/* What this process may be restricted to: a kind of hardware, and whether it is (section 9.1.2). */
int PMPI_Get_hw_resource_info(MPI_Info *hw_info)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Get_hw_resource_info");
    struct pl_info *made = NULL;
    int error = pl_check_pointer(hw_info, "hw_info");
    if (!error)
        error = pl_info_create(&made);
    if (!error)
        error = pl_info_put(made, "peal://host", "true");
    if (error)
        pl_info_destroy(made);
    else
        error = pl_info_publish(mpi, made, hw_info);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Get_hw_resource_info)
