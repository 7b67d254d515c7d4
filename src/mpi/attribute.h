/* Attributes: values that a program hangs on communicators, datatypes and windows under keys of its
 * own (MPI 5.0, section 7.7). One engine for the three kinds of objects.
 *
 * An object keeps one `void *attributes`, NULL at first, and hands its address to these functions together
 * with its handle, which goes to the callbacks. Callbacks run without the rank's lock. */
#ifndef PL_ATTRIBUTE_H
#define PL_ATTRIBUTE_H

#include "call.h"

enum pl_attribute_kind { PL_ATTRIBUTE_COMM, PL_ATTRIBUTE_TYPE, PL_ATTRIBUTE_WIN };

typedef void pl_attribute_function(void); /* one of the six callback types, cast */

/* The function with the constants that stand for none: 0 copies (deletes) nothing, 1 copies the value. */
int pl_keyval_create(struct pl_mpi *mpi, enum pl_attribute_kind kind, pl_attribute_function *copy,
                     pl_attribute_function *delete, void *extra, int *keyval);
/* Attributes under the key live on. Sets *keyval to MPI_KEYVAL_INVALID. */
int pl_keyval_free(struct pl_mpi *mpi, enum pl_attribute_kind kind, int *keyval);

/* 0, an MPI error class, or the code that a delete callback returned for the value replaced. */
int pl_attribute_set(struct pl_mpi *mpi, enum pl_attribute_kind kind, uintptr_t handle, void **attributes,
                     int keyval, void *value);
int pl_attribute_get(struct pl_mpi *mpi, enum pl_attribute_kind kind, void *const *attributes, int keyval,
                     void **value, int *found);
/* No error where there is no such attribute. */
int pl_attribute_delete(struct pl_mpi *mpi, enum pl_attribute_kind kind, uintptr_t handle, void **attributes,
                        int keyval);

/* For MPI_*_dup: copies what the copy callbacks let through to *to, in the same order. On an error
 * (a callback's code) *to holds what was copied before. */
int pl_attributes_copy(struct pl_mpi *mpi, enum pl_attribute_kind kind, uintptr_t from_handle,
                       void *const *from, void **to);
/* For MPI_*_free: deletes all, latest first. Stops at the first callback that returns an error (its code). */
int pl_attributes_delete(struct pl_mpi *mpi, enum pl_attribute_kind kind, uintptr_t handle,
                         void **attributes);
/* Forgets all without a callback: for the end of the rank. */
void pl_attributes_drop(struct pl_mpi *mpi, void **attributes);

#endif
