/* How every MPI_ function begins and ends: find the rank, take its lock, check the
 * arguments, do the work below, map the error and hand it to an error handler.
 *
 *   int PMPI_Send_c(...)
 *   {
 *       struct pl_mpi *mpi = pl_call("MPI_Send");
 *       ...
 *       int error = pl_comm_of(mpi, comm, &c);
 *       if (!error) error = ...;
 *       return pl_return(mpi, c, error);
 *   }
 *
 * `error` is 0, an MPI error class (> 0), or an enum pl_error (< 0); its text was
 * written by pl_fail or pl_bad. MPI's error codes are its classes here; the text
 * of the latest error of each class is kept for MPI_Error_string.
 */
#ifndef PL_CALL_H
#define PL_CALL_H

#include "comm.h"
#include "datatype.h"
#include "errors.h"
#include "handle.h"
#include "meter.h"
#include "mpi.h"
#include "op.h"
#include "rank.h"

#include <stdbool.h>

/* Defines MPI_name as a weak alias of PMPI_name, for profiling libraries. */
#define PL_WEAK(name) extern __typeof__(PMPI_##name) MPI_##name __attribute__((weak, alias("PMPI_" #name)));

enum { PL_ERROR_CLASSES = 104 }; /* those of the standard, and of mpi-ext.h */

enum pl_errhandler_kind { PL_ERRHANDLER_COMM, PL_ERRHANDLER_FILE, PL_ERRHANDLER_SESSION, PL_ERRHANDLER_WIN };

struct pl_errhandler {
    enum pl_errhandler_kind kind; /* predefined ones serve all */
    void (*function)(void);       /* of the kind's type; NULL: one of the predefined */
    MPI_Errhandler predefined;
    uintptr_t handle;
    int references;
};

/* What a Fortran layer said of its LOGICALs (abi.c), by size: 1, 2, 4, 8, 16 bytes. */
enum { PL_LOGICAL_SIZES = 5 };

struct pl_fortran_booleans {
    bool set;
    unsigned char logical_true[16], logical_false[16];
};

struct pl_fortran {
    bool info_set;
    struct pl_fortran_booleans booleans[PL_LOGICAL_SIZES];
};

struct pl_user_error;

/* What the MPI functions of one rank share. It is made by the first call that needs it, which may
 * come before MPI_Init (MPI_Info_create, ...), and lives on after MPI_Finalize; communicators,
 * datatypes, requests, ... are there only while MPI is up (rank->mpi_state is set). */
struct pl_mpi {
    struct pl_rank *rank;
    int sessions; /* open */
    bool had_sessions;
    int thread_level;
    pthread_t main_thread;
    bool finalized;
    struct pl_handles handles[PL_CLASSES];
    char *texts[PL_ERROR_CLASSES]; /* of the latest error of each class */
    struct pl_errhandler fatal, abort, returns;
    struct pl_errhandler *file_errhandler; /* of MPI_FILE_NULL, which files inherit; NULL: returns */
    struct pl_user_error *user_errors;     /* [user_error_count]; codes from MPI_ERR_LASTCODE + 1 on */
    int user_error_count;
    struct pl_info *environment; /* MPI_INFO_ENV; made when first asked for */
    struct pl_list doors;        /* open ports (port.c) */
    int ports_opened;
    int partitioned;        /* partitioned sends made, by which each is known to its receiver */
    int meetings;           /* accepts and connects under way: no communicator uses their bridges yet */
    struct pl_comm *parent; /* of a spawned world, while it has its handle; else NULL */
    struct pl_tools *tools; /* MPI_T's; NULL before it is used */
    struct pl_meter *meter; /* PEAL_STATS, PEAL_TRACE; NULL: neither */
    struct pl_group *empty;
    struct pl_comm *held;       /* by a call that is ending, whose error may end the rank */
    char *type_names[256];      /* that the program gave to predefined datatypes */
    void *type_attributes[256]; /* the same */
    struct pl_fortran fortran;
    struct { /* values of the predefined attributes, whose addresses programs get */
        int tag_ub, io, host, wtime_is_global, last_used_code;
        int appnum, universe_size; /* -1: not known; -2: not asked for yet */
    } predefined;
    struct pl_list free_requests; /* to be used again */
    struct pl_list buffers;       /* attached for buffered sends (buffer.c) */
    struct pl_list given_up;      /* under way, their handles freed */
    struct pl_list hooks;         /* called after progress (hook.c) */
    struct pl_streams *streams; /* calls that keep their place in a stream (stream_queue.c); NULL: none yet */
    struct pl_streams *lent;    /* the same while the rank is its thread's, else NULL */
    bool in_hooks, again;       /* they are running; there was progress meanwhile */
};

/* Begins a call that needs MPI to be up; ends the program with a clear line when it is not. */
struct pl_mpi *pl_call(const char *name);
/* Begins a call that may come at any time, also before MPI is up and after its end. */
struct pl_mpi *pl_call_any(const char *name);

/* A call that cannot be made: ends the program with this text, or the calling rank's function (without its
 * lock held) if that is one of several in a process. */
_Noreturn void pl_call_refuse(struct pl_rank *rank, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Ends a call that failed: the error class, after the error handler of `comm` was called. NULL: of
 * MPI_COMM_SELF, or of MPI_COMM_WORLD while the program has set one there alone, as programs written for MPI
 * 3 do. */
int pl_return_error(struct pl_mpi *mpi, struct pl_comm *comm, int error);

/* Ends a call: 0, or the same. */
static inline int pl_return(struct pl_mpi *mpi, struct pl_comm *comm, int error)
{
    if (__builtin_expect(error != 0, 0))
        return pl_return_error(mpi, comm, error);
    if (__builtin_expect(mpi->meter != NULL, 0))
        pl_meter_end(mpi->meter);
    mpi->rank->call = NULL;
    pl_leave(mpi->rank);
    return MPI_SUCCESS;
}

/* Leaves a call as if it had not begun: another function of the library makes it, under the same name. */
static inline void pl_pass_on(struct pl_mpi *mpi)
{
    if (__builtin_expect(mpi->meter != NULL, 0))
        pl_meter_forget();
    mpi->rank->call = NULL;
    pl_leave(mpi->rank);
}

/* The same where the call holds `comm` (or NULL), which is released. */
int pl_return_release(struct pl_mpi *mpi, struct pl_comm *comm, int error);

/* Around a callback of the program that may call MPI: gives the rank's lock away and takes it again. */
const char *pl_callback_begin(struct pl_mpi *mpi);
void pl_callback_end(struct pl_mpi *mpi, const char *call);

/* The same for a call on an object that has an error handler of its own and the given handle. */
int pl_return_to(struct pl_mpi *mpi, struct pl_errhandler *errhandler, uintptr_t handle, int error);

/* pl_fail for a wrong argument. Returns `class`. */
int pl_bad(int class, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The MPI error class of an internal error. */
int pl_error_class(int error);
/* Keeps the text of the latest pl_fail for MPI_Error_string; returns the class. */
int pl_error_keep(struct pl_mpi *mpi, int error);
/* "MPI_ERR_RANK", or "MPI error". */
bool pl_class_known(int class); /* one of the library's */
const char *pl_class_name(int class);
const char *pl_class_meaning(int class);

/* The communicator with this handle, or NULL. */
static inline struct pl_comm *pl_comm_find(const struct pl_mpi *mpi, MPI_Comm handle)
{
    return handle == MPI_COMM_WORLD ? mpi->rank->world
           : handle == MPI_COMM_SELF
               ? mpi->rank->self
               : pl_handle_find(&mpi->handles[PL_CLASS_COMM], PL_CLASS_COMM, (uintptr_t)handle);
}

/* Handles to objects: 0, or an MPI error class with its text set. */
int pl_comm_of(struct pl_mpi *mpi, MPI_Comm handle, struct pl_comm **comm);
int pl_group_of(struct pl_mpi *mpi, MPI_Group handle, struct pl_group **group);
int pl_datatype_of(struct pl_mpi *mpi, MPI_Datatype handle, const struct pl_datatype **type);
int pl_op_of(struct pl_mpi *mpi, MPI_Op handle, const struct pl_op **op);
int pl_errhandler_of(struct pl_mpi *mpi, MPI_Errhandler handle, struct pl_errhandler **errhandler);

/* Objects to new handles. */
int pl_comm_publish(struct pl_mpi *mpi, struct pl_comm *comm, MPI_Comm *handle);
int pl_group_publish(struct pl_mpi *mpi, struct pl_group *group, MPI_Group *handle);

/* MPI_IDENT, MPI_SIMILAR or MPI_UNEQUAL. */
int pl_group_compare(const struct pl_group *a, const struct pl_group *b);

/* Checks that recur. */
int pl_check_count(MPI_Count count);
int pl_check_buffer(const void *buffer, MPI_Count count, const struct pl_datatype *type);
/* The bytes that `count` elements take in a message; MPI_ERR_COUNT when no memory has that many. */
int pl_check_length(MPI_Count count, const struct pl_datatype *type, size_t *length);
/* An operator that reductions may use and that is defined for the type. */
int pl_check_op(const struct pl_op *op, const struct pl_datatype *type);
int pl_check_root(const struct pl_comm *comm, int root);
/* An output argument that may not be NULL. */
int pl_check_pointer(const void *pointer, const char *name);

void pl_errhandler_release(struct pl_mpi *mpi, struct pl_errhandler *errhandler);

#endif
