/* Attributes, once for communicators, datatypes and windows.
 *
 * An object's attributes are a list, latest first: that is the order in which MPI_Finalize
 * has to delete those of MPI_COMM_SELF, and so all are. Lists are short; a table for each
 * object was rejected. A key is an object with a handle like any other, so a made-up one is
 * refused. One that the program has freed lives, and answers to a copy of its number, as long as
 * an attribute under it does.
 *
 * Callbacks may call MPI, so they run outside the rank's lock, and the list is looked at anew
 * after each.
 */
#include "attribute.h"

#include <stdlib.h>

struct keyval {
    enum pl_attribute_kind kind;
    pl_attribute_function *copy, *delete;
    void *extra;
    int number;
    bool freed;     /* by the program */
    int references; /* the program's, and one for each attribute */
};

struct attribute {
    struct attribute *next;
    struct keyval *keyval;
    void *value;
};

static const char *const kinds[] = {"communicators", "datatypes", "windows"};

static int keyval_of(struct pl_mpi *mpi, enum pl_attribute_kind kind, int number, struct keyval **keyval)
{
    *keyval = pl_handle_find(&mpi->handles[PL_CLASS_KEYVAL], PL_CLASS_KEYVAL, (uintptr_t)number);
    if (!*keyval)
        return pl_bad(MPI_ERR_KEYVAL, "%d is not a key (freed, or never made)", number);
    if ((*keyval)->kind != kind)
        return pl_bad(MPI_ERR_KEYVAL, "key %d is for %s, not for %s", number, kinds[(*keyval)->kind],
                      kinds[kind]);
    return 0;
}

static void keyval_release(struct pl_mpi *mpi, struct keyval *keyval)
{
    if (--keyval->references)
        return;
    pl_handle_drop(&mpi->handles[PL_CLASS_KEYVAL], (uintptr_t)keyval->number);
    free(keyval);
}

int pl_keyval_create(struct pl_mpi *mpi, enum pl_attribute_kind kind, pl_attribute_function *copy,
                     pl_attribute_function *delete, void *extra, int *number)
{
    int error = pl_check_pointer(number, "keyval");
    if (error)
        return error;
    struct keyval *made = malloc(sizeof *made);
    uintptr_t handle = made ? pl_handle_new(&mpi->handles[PL_CLASS_KEYVAL], PL_CLASS_KEYVAL, made) : 0;
    if (!handle) {
        free(made);
        return pl_fail(PL_ENOMEM, "no memory for a key of attributes");
    }
    *made = (struct keyval){kind, copy, delete, extra, (int)handle, false, 1};
    *number = (int)handle;
    return 0;
}

int pl_keyval_free(struct pl_mpi *mpi, enum pl_attribute_kind kind, int *number)
{
    struct keyval *keyval;
    int error = pl_check_pointer(number, "keyval");
    if (!error)
        error = keyval_of(mpi, kind, *number, &keyval);
    if (error)
        return error;
    *number = MPI_KEYVAL_INVALID;
    if (!keyval->freed) {
        keyval->freed = true;
        keyval_release(mpi, keyval);
    }
    return 0;
}

/* The constants 0 and 1 that stand for functions. */
static bool is_none(pl_attribute_function *function)
{
    return (uintptr_t)function == 0;
}

static bool is_dup(pl_attribute_function *function)
{
    return (uintptr_t)function == 1;
}

static int call_copy(struct pl_mpi *mpi, const struct keyval *k, uintptr_t handle, void *in, void *out,
                     int *flag)
{
    const char *call = pl_callback_begin(mpi);
    int code;
    switch (k->kind) {
    case PL_ATTRIBUTE_COMM:
        code = ((MPI_Comm_copy_attr_function *)k->copy)((MPI_Comm)handle, k->number, k->extra, in, out, flag);
        break;
    case PL_ATTRIBUTE_TYPE:
        code = ((MPI_Type_copy_attr_function *)k->copy)((MPI_Datatype)handle, k->number, k->extra, in, out,
                                                        flag);
        break;
    default:
        code = ((MPI_Win_copy_attr_function *)k->copy)((MPI_Win)handle, k->number, k->extra, in, out, flag);
    }
    pl_callback_end(mpi, call);
    return code ? pl_bad(code > 0 ? code : MPI_ERR_OTHER, "the copy callback of key %d returned %d",
                         k->number, code)
                : 0;
}

static int call_delete(struct pl_mpi *mpi, const struct keyval *k, uintptr_t handle, void *value)
{
    if (is_none(k->delete))
        return 0;
    const char *call = pl_callback_begin(mpi);
    int code;
    switch (k->kind) {
    case PL_ATTRIBUTE_COMM:
        code = ((MPI_Comm_delete_attr_function *)k->delete)((MPI_Comm)handle, k->number, value, k->extra);
        break;
    case PL_ATTRIBUTE_TYPE:
        code = ((MPI_Type_delete_attr_function *)k->delete)((MPI_Datatype)handle, k->number, value, k->extra);
        break;
    default:
        code = ((MPI_Win_delete_attr_function *)k->delete)((MPI_Win)handle, k->number, value, k->extra);
    }
    pl_callback_end(mpi, call);
    return code ? pl_bad(code > 0 ? code : MPI_ERR_OTHER, "the delete callback of key %d returned %d",
                         k->number, code)
                : 0;
}

static struct attribute *find(void *attributes, const struct keyval *keyval)
{
    struct attribute *a = attributes;
    while (a && a->keyval != keyval)
        a = a->next;
    return a;
}

static void unlink_free(struct pl_mpi *mpi, void **attributes, struct attribute *gone)
{
    for (struct attribute *a = *attributes, *before = NULL; a; before = a, a = a->next) {
        if (a != gone)
            continue;
        if (before)
            before->next = a->next;
        else
            *attributes = a->next;
        keyval_release(mpi, a->keyval);
        free(a);
        return;
    }
}

int pl_attribute_set(struct pl_mpi *mpi, enum pl_attribute_kind kind, uintptr_t handle, void **attributes,
                     int number, void *value)
{
    struct keyval *keyval;
    int error = keyval_of(mpi, kind, number, &keyval);
    if (!error && keyval->freed)
        error = pl_bad(MPI_ERR_KEYVAL, "key %d has been freed", number);
    if (error)
        return error;
    struct attribute *old = find(*attributes, keyval);
    if (old) {
        error = call_delete(mpi, keyval, handle, old->value);
        old = find(*attributes, keyval);
        if (!error && old)
            old->value = value;
        if (error || old)
            return error;
    }
    struct attribute *made = malloc(sizeof *made);
    if (!made)
        return pl_fail(PL_ENOMEM, "no memory for an attribute");
    *made = (struct attribute){*attributes, keyval, value};
    *attributes = made;
    keyval->references++;
    return 0;
}

int pl_attribute_get(struct pl_mpi *mpi, enum pl_attribute_kind kind, void *const *attributes, int number,
                     void **value, int *found)
{
    struct keyval *keyval;
    int error = keyval_of(mpi, kind, number, &keyval);
    if (error)
        return error;
    const struct attribute *a = find(*attributes, keyval);
    *found = a != NULL;
    if (a)
        *value = a->value;
    return 0;
}

int pl_attribute_delete(struct pl_mpi *mpi, enum pl_attribute_kind kind, uintptr_t handle, void **attributes,
                        int number)
{
    struct keyval *keyval;
    int error = keyval_of(mpi, kind, number, &keyval);
    struct attribute *a = error ? NULL : find(*attributes, keyval);
    if (!a)
        return error;
    keyval->references++;
    error = call_delete(mpi, keyval, handle, a->value);
    if (!error)
        unlink_free(mpi, attributes, find(*attributes, keyval));
    keyval_release(mpi, keyval);
    return error;
}

int pl_attributes_copy(struct pl_mpi *mpi, enum pl_attribute_kind kind, uintptr_t from_handle,
                       void *const *from, void **to)
{
    for (struct attribute *a = *from, **end = (struct attribute **)to; a; a = a->next) {
        void *value = a->value;
        int flag = is_dup(a->keyval->copy);
        if (!flag && !is_none(a->keyval->copy)) {
            int error = call_copy(mpi, a->keyval, from_handle, a->value, &value, &flag);
            if (error)
                return error;
        }
        struct attribute *made = flag ? malloc(sizeof *made) : NULL;
        if (flag && !made)
            return pl_fail(PL_ENOMEM, "no memory for an attribute");
        if (!made)
            continue;
        *made = (struct attribute){NULL, a->keyval, value};
        a->keyval->references++;
        *end = made;
        end = &made->next;
    }
    return 0;
}

int pl_attributes_delete(struct pl_mpi *mpi, enum pl_attribute_kind kind, uintptr_t handle, void **attributes)
{
    struct attribute *a;
    while ((a = *attributes)) {
        int error = call_delete(mpi, a->keyval, handle, a->value);
        if (error)
            return error;
        unlink_free(mpi, attributes, a);
    }
    return 0;
}

void pl_attributes_drop(struct pl_mpi *mpi, void **attributes)
{
    while (*attributes)
        unlink_free(mpi, attributes, *attributes);
}
