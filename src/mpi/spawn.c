/* Spawning (MPI 5.0, section 11.7).
 *
 * The root has mpiexec start a further mpiexec, which runs the new world as any other, and is told
 * the name of a port of the root's in MPI_PARENT_PORT. The new world connects to it as it starts, while
 * the parents accept; what both get is the intercommunicator between them.
 *
 *     root --spawn--> mpiexec --runs--> mpiexec -n N program --starts--> ranks --connect--> parents
 *
 * All or nothing is started: the info key "soft" is not looked at.
 */
#include "agree.h"
#include "exchange.h"
#include "info.h"
#include "port.h"
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARENT_PORT "MPI_PARENT_PORT"

/* One program of the new world. */
struct program {
    const char *command;
    char **argv; /* without the command; NULL: none */
    int ranks;
    const char *wdir, *path; /* by info; NULL: not given */
};

/* Arguments for mpiexec. */
struct words {
    char **word;
    int count, room;
    int error;
};

static void add(struct words *w, const char *text)
{
    if (w->count == w->room && !w->error) {
        int room = w->room ? 2 * w->room : 32;
        char **grown = realloc(w->word, sizeof *grown * (size_t)room);
        w->error = grown ? 0 : pl_fail(PL_ENOMEM, "no memory for the arguments of mpiexec");
        if (grown) {
            w->word = grown;
            w->room = room;
        }
    }
    char *copy = w->error ? NULL : strdup(text);
    if (!w->error && !copy)
        w->error = pl_fail(PL_ENOMEM, "no memory for the arguments of mpiexec");
    if (copy)
        w->word[w->count++] = copy;
}

static void free_words(struct words *w)
{
    for (int i = 0; i < w->count; i++)
        free(w->word[i]);
    free(w->word);
}

static bool runs(const char *directory, int length, const char *command, char *found, size_t size)
{
    int n = snprintf(found, size, "%.*s%s%s", length, directory, length ? "/" : "", command);
    return n < (int)size && !access(found, X_OK);
}

/* The program's path: by "path" of the info, else as it stands or by PATH. A wrong one is known before
 * anything has started. */
static int locate(const struct program *p, char *found, size_t size)
{
    char in_wdir[4096];
    if (strchr(p->command, '/')) {
        snprintf(found, size, "%s", p->command);
        bool relative = p->wdir && p->command[0] != '/';
        snprintf(in_wdir, sizeof in_wdir, "%s/%s", relative ? p->wdir : ".", p->command);
        if (!access(relative ? in_wdir : found, X_OK))
            return 0;
    } else {
        const char *lists[] = {p->path, getenv("PATH")};
        for (int i = 0; i < 2; i++)
            for (const char *at = lists[i]; at; at = strchr(at, ':')) {
                at += *at == ':' && at != lists[i];
                if (runs(at, (int)strcspn(at, ":"), p->command, found, size))
                    return 0;
            }
        if (runs(".", 1, p->command, found, size))
            return 0;
    }
    return pl_bad(MPI_ERR_SPAWN, "there is no program '%.200s' that can be run", p->command);
}

static int build(const struct program *programs, int count, const char *port, struct words *w)
{
    add(w, "-genv");
    add(w, PARENT_PORT);
    add(w, port);
    for (int i = 0; i < count; i++) {
        const struct program *p = &programs[i];
        char text[4096];
        int error = locate(p, text, sizeof text);
        if (error)
            return error;
        if (i)
            add(w, ":");
        char number[16];
        snprintf(number, sizeof number, "%d", p->ranks);
        add(w, "-n");
        add(w, number);
        if (p->wdir) {
            add(w, "-wdir");
            add(w, p->wdir);
        }
        add(w, text);
        for (char **a = p->argv; a && *a; a++)
            add(w, *a);
    }
    return w->error;
}

/* The root's part: the port and the processes. */
static int launch(struct pl_mpi *mpi, const struct program *programs, int count, char *port)
{
    struct words words = {0};
    int error = pl_port_open(mpi, port);
    if (error)
        return error;
    error = build(programs, count, port, &words);
    if (!error)
        error = pl_world_spawn(mpi->rank, words.word, words.count);
    if (error < 0)
        error = pl_bad(error == PL_EUNSUPPORTED ? MPI_ERR_UNSUPPORTED_OPERATION : MPI_ERR_SPAWN, "%.400s",
                       pl_fail_text());
    free_words(&words);
    if (error) {
        char text[PL_ERROR_TEXT];
        snprintf(text, sizeof text, "%s", pl_fail_text());
        pl_port_close(mpi, port);
        pl_bad(error, "%s", text);
    }
    return error;
}

/* *total: how many processes the root asked for, known to it alone before. */
static int spawn(struct pl_mpi *mpi, const struct program *programs, int count, int root,
                 struct pl_comm *comm, MPI_Comm *intercomm, int *total)
{
    char port[MPI_MAX_PORT_NAME] = "", text[PL_ERROR_TEXT] = "the root could not spawn";
    struct pl_comm *made;
    struct {
        int32_t error, total;
    } told = {0};
    if (comm->rank == root) {
        for (int i = 0; i < count; i++)
            told.total += programs[i].ranks;
        told.error = launch(mpi, programs, count, port);
        if (told.error)
            snprintf(text, sizeof text, "%s", pl_fail_text());
    }
    int failed = pl_exchange_bcast(comm, &told, sizeof told, root);
    *total = failed ? 0 : told.total;
    if (!failed && told.error)
        failed = pl_bad(told.error, "%s", text);
    if (failed)
        return failed;
    failed = pl_port_accept(mpi, port, root, comm, &made);
    if (comm->rank == root)
        pl_port_close(mpi, port);
    if (!failed)
        *intercomm = (MPI_Comm)made->handle;
    return failed;
}

static int read_hints(struct pl_mpi *mpi, MPI_Info info, struct program *p)
{
    struct pl_info *hints;
    if (info == MPI_INFO_NULL)
        return 0;
    int error = pl_info_of(mpi, info, &hints);
    if (!error) {
        p->wdir = pl_info_value(hints, "wdir");
        p->path = pl_info_value(hints, "path");
    }
    return error;
}

static int check_program(const struct program *p)
{
    if (!p->command)
        return pl_bad(MPI_ERR_ARG, "the command is NULL");
    if (p->ranks < 1)
        return pl_bad(MPI_ERR_ARG, "the number of processes of '%.100s' is %d", p->command, p->ranks);
    return 0;
}

/* Common to both calls. At the root `programs` are filled in; the rest of the arguments is the same
 * everywhere. */
static int finish(struct pl_mpi *mpi, struct pl_comm *c, int error, const struct program *programs, int count,
                  int root, MPI_Comm *intercomm, int errcodes[])
{
    int total = 0;
    if (!error)
        error = pl_check_pointer(intercomm, "intercomm");
    if (!error)
        error = spawn(mpi, programs, count, root, c, intercomm, &total);
    int code = error < 0 ? pl_error_class(error) : error;
    for (int i = 0; errcodes && i < total; i++)
        errcodes[i] = code;
    return pl_return(mpi, c, error);
}

static int check_comm(struct pl_mpi *mpi, MPI_Comm comm, int root, struct pl_comm **c)
{
    int error = pl_comm_of(mpi, comm, c);
    if (!error && (*c)->remote)
        error = pl_bad(MPI_ERR_COMM, "%s is an intercommunicator", (*c)->name);
    return error ? error : pl_check_root(*c, root);
}

int PMPI_Comm_spawn(const char *command, char *argv[], int maxprocs, MPI_Info info, int root, MPI_Comm comm,
                    MPI_Comm *intercomm, int array_of_errcodes[])
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_spawn");
    struct pl_comm *c = NULL;
    struct program program = {.command = command, .argv = argv, .ranks = maxprocs};
    int error = check_comm(mpi, comm, root, &c);
    if (!error && c->rank == root)
        error = read_hints(mpi, info, &program);
    if (!error && c->rank == root)
        error = check_program(&program);
    return finish(mpi, c, error, &program, 1, root, intercomm, array_of_errcodes);
}
PL_WEAK(Comm_spawn)

int PMPI_Comm_spawn_multiple(int count, char *array_of_commands[], char **array_of_argv[],
                             const int array_of_maxprocs[], const MPI_Info array_of_info[], int root,
                             MPI_Comm comm, MPI_Comm *intercomm, int array_of_errcodes[])
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_spawn_multiple");
    struct pl_comm *c = NULL;
    struct program *programs = NULL;
    int error = check_comm(mpi, comm, root, &c);
    bool at_root = !error && c->rank == root;
    if (at_root && (count < 1 || !array_of_commands || !array_of_maxprocs))
        error =
            pl_bad(MPI_ERR_ARG, "the arrays of programs are NULL or their length, %d, not positive", count);
    if (!error && at_root && !(programs = calloc((size_t)count, sizeof *programs)))
        error = pl_fail(PL_ENOMEM, "no memory to spawn %d programs", count);
    for (int i = 0; i < count && !error && at_root; i++) {
        programs[i] = (struct program){.command = array_of_commands[i],
                                       .argv = array_of_argv ? array_of_argv[i] : NULL,
                                       .ranks = array_of_maxprocs[i]};
        error = array_of_info ? read_hints(mpi, array_of_info[i], &programs[i]) : 0;
        if (!error)
            error = check_program(&programs[i]);
    }
    int result = finish(mpi, c, error, programs, count, root, intercomm, array_of_errcodes);
    free(programs);
    return result;
}
PL_WEAK(Comm_spawn_multiple)

int pl_spawn_greet_parent(struct pl_mpi *mpi)
{
    const char *port = mpi->rank->fabric ? NULL : getenv(PARENT_PORT);
    struct pl_comm *made;
    if (!port || !port[0])
        return 0;
    int error = pl_port_connect(mpi, port, 0, mpi->rank->world, 0, &made);
    unsetenv(PARENT_PORT);
    if (error)
        return error;
    snprintf(made->name, sizeof made->name, "MPI_COMM_PARENT");
    made->named = true;
    mpi->parent = made;
    return 0;
}

int PMPI_Comm_get_parent(MPI_Comm *parent)
{
    struct pl_mpi *mpi = pl_call("MPI_Comm_get_parent");
    int error = pl_check_pointer(parent, "parent");
    if (!error)
        *parent = mpi->parent ? (MPI_Comm)mpi->parent->handle : MPI_COMM_NULL;
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Comm_get_parent)
