/* Error codes that the program added. */
#ifndef PL_ERROR_USER_H
#define PL_ERROR_USER_H

#include "call.h"

struct pl_user_error {
    int class;  /* 0: taken back; the number itself: a class */
    char *text; /* malloc'd, or NULL: none was given */
};

/* The class of a code, or 0: the program has not added it. */
int pl_user_error_class(const struct pl_mpi *mpi, int code);
/* Its text, "" if none. */
const char *pl_user_error_text(const struct pl_mpi *mpi, int code);
void pl_user_errors_free(struct pl_mpi *mpi);

#endif
