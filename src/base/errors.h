/* Internal error codes and the text that goes with one.
 *
 * Functions return 0 or a negative enum pl_error. Who first knows what went
 * wrong writes the text with pl_fail(): what, who, where, what to do. MPI's
 * error classes appear only in src/mpi, which maps these codes to them.
 */
#ifndef PL_ERRORS_H
#define PL_ERRORS_H

enum pl_error {
    PL_OK = 0,
    PL_ENOMEM = -1,       /* memory could not be had */
    PL_EARG = -2,         /* the caller's argument is wrong */
    PL_ESYSTEM = -3,      /* a system call failed; the text has its name and errno */
    PL_EUNSUPPORTED = -4, /* this transport or build cannot do it */
    PL_EUNREACHABLE = -5, /* no way to that peer by this transport */
    PL_EPEER = -6,        /* the peer died or its link is gone */
    PL_EPROTOCOL = -7,    /* what came from outside makes no sense */
    PL_ETRUNCATE = -8,    /* a message is longer than the buffer it shall land in */
    PL_EMISMATCH = -9,    /* two ranks called different collectives */
    PL_EDEADLOCK = -10,   /* every rank waits: nobody can ever go on */
    PL_ECANCELLED = -11,  /* cancelled before it was matched */
    PL_ETIMEOUT = -12,    /* a deadline passed */
    PL_EINTERNAL = -13,   /* a bug of Peal's own */
    PL_EREVOKED = -14,    /* the communicator was revoked */
    PL_ETYPE = -16,       /* a message is of another datatype than its receive */
    PL_EPENDING = -15,    /* who could have sent is dead, others could: the receive waits on */
};

/* Most bytes an error text takes, its end included (MPI_MAX_ERROR_STRING). */
#define PL_ERROR_TEXT 512

/* Formats the text for `error` into this thread's slot and returns `error`,
 * so that one writes `return pl_fail(PL_EPEER, "rank %d ...", r);`. */
int pl_fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for a failed system call: appends strerror(errno). Returns PL_ESYSTEM. */
int pl_fail_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The text of this thread's last pl_fail; never NULL; valid until the next one. */
const char *pl_fail_text(void);

/* A short general text for a code, e.g. "out of memory". Constant. */
const char *pl_error_name(int error);

#endif
