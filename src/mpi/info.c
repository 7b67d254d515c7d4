/* Info objects (MPI 5.0, chapter 10). */
#include "info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int pl_info_of(struct pl_mpi *mpi, MPI_Info handle, struct pl_info **info)
{
    if (handle == MPI_INFO_ENV)
        return pl_info_environment(mpi, info);
    *info = pl_handle_find(&mpi->handles[PL_CLASS_INFO], PL_CLASS_INFO, (uintptr_t)handle);
    if (*info)
        return 0;
    return pl_bad(MPI_ERR_INFO, "%p is not an info object (null, freed, or never made)", (void *)handle);
}

int pl_info_create(struct pl_info **info)
{
    *info = calloc(1, sizeof **info);
    return *info ? 0 : pl_fail(PL_ENOMEM, "no memory for an info object");
}

void pl_info_destroy(struct pl_info *info)
{
    for (int i = 0; info && i < info->count; i++) {
        free(info->entries[i].key);
        free(info->entries[i].value);
    }
    if (info)
        free(info->entries);
    free(info);
}

static struct pl_info_entry *find(const struct pl_info *info, const char *key)
{
    for (int i = 0; i < info->count; i++)
        if (!strcmp(info->entries[i].key, key))
            return &info->entries[i];
    return NULL;
}

const char *pl_info_value(const struct pl_info *info, const char *key)
{
    const struct pl_info_entry *entry = find(info, key);
    return entry ? entry->value : NULL;
}

int pl_info_put(struct pl_info *info, const char *key, const char *value)
{
    char *copy = strdup(value);
    struct pl_info_entry *entry = find(info, key);
    if (!copy)
        goto no_memory;
    if (entry) {
        free(entry->value);
        entry->value = copy;
        return 0;
    }
    struct pl_info_entry *entries = realloc(info->entries, sizeof *entries * ((size_t)info->count + 1));
    if (!entries)
        goto free_copy;
    info->entries = entries;
    char *name = strdup(key);
    if (!name)
        goto free_copy;
    entries[info->count++] = (struct pl_info_entry){name, copy};
    return 0;
free_copy:
    free(copy);
no_memory:
    return pl_fail(PL_ENOMEM, "no memory for the info key '%.64s'", key);
}

int pl_info_publish(struct pl_mpi *mpi, struct pl_info *info, MPI_Info *handle)
{
    uintptr_t value = info ? pl_handle_new(&mpi->handles[PL_CLASS_INFO], PL_CLASS_INFO, info) : 0;
    if (!value) {
        pl_info_destroy(info);
        return pl_fail(PL_ENOMEM, "no memory for an info object");
    }
    *handle = (MPI_Info)value;
    return 0;
}

/* An info that the program may change: its own. */
static int own_of(struct pl_mpi *mpi, MPI_Info handle, struct pl_info **info)
{
    if (handle == MPI_INFO_ENV)
        return pl_bad(MPI_ERR_INFO, "MPI_INFO_ENV cannot be changed or freed");
    return pl_info_of(mpi, handle, info);
}

static int check_key(const char *key)
{
    if (!key || !key[0])
        return pl_bad(MPI_ERR_INFO_KEY, "the key is NULL or empty");
    if (strlen(key) >= MPI_MAX_INFO_KEY)
        return pl_bad(MPI_ERR_INFO_KEY, "the key has %zu characters, at most %d are allowed", strlen(key),
                      MPI_MAX_INFO_KEY - 1);
    return 0;
}

/* What programs may promise of a communicator (MPI 5.0, section 7.4.4): kept and told, nothing is made of it.
 */
static const char *const assertions[] = {"mpi_assert_no_any_tag", "mpi_assert_no_any_source",
                                         "mpi_assert_exact_length", "mpi_assert_allow_overtaking"};
enum { ASSERTIONS = sizeof assertions / sizeof *assertions };

void pl_info_apply(const struct pl_info *info, struct pl_comm *comm)
{
    for (int i = 0; i < ASSERTIONS; i++) {
        const char *value = pl_info_value(info, assertions[i]);
        bool holds = value && !strcmp(value, "true");
        if (!holds && (!value || strcmp(value, "false")))
            continue;
        comm->hints_given |= 1u << i;
        comm->hints_true = (comm->hints_true & ~(1u << i)) | (unsigned)holds << i;
    }
    const char *algorithm = pl_info_value(info, "peal_algorithm");
    if (algorithm && strlen(algorithm) < sizeof comm->algorithm)
        strcpy(comm->algorithm, algorithm);
}

int pl_info_describe(struct pl_mpi *mpi, const struct pl_comm *comm, MPI_Info *handle)
{
    struct pl_info *info = calloc(1, sizeof *info);
    int error = info && comm->algorithm[0] ? pl_info_put(info, "peal_algorithm", comm->algorithm) : 0;
    for (int i = 0; info && !error && i < ASSERTIONS; i++)
        if (comm->hints_given >> i & 1)
            error = pl_info_put(info, assertions[i], comm->hints_true >> i & 1 ? "true" : "false");
    if (error) {
        pl_info_destroy(info);
        return error;
    }
    return pl_info_publish(mpi, info, handle);
}

int PMPI_Info_create(MPI_Info *info)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Info_create");
    int error = pl_check_pointer(info, "info");
    if (!error)
        error = pl_info_publish(mpi, calloc(1, sizeof(struct pl_info)), info);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Info_create)

int PMPI_Info_dup(MPI_Info info, MPI_Info *newinfo)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Info_dup");
    struct pl_info *from, *to;
    int error = pl_info_of(mpi, info, &from);
    if (!error)
        error = pl_check_pointer(newinfo, "newinfo");
    if (!error) {
        to = calloc(1, sizeof *to);
        for (int i = 0; to && !error && i < from->count; i++)
            error = pl_info_put(to, from->entries[i].key, from->entries[i].value);
        if (error)
            pl_info_destroy(to);
        else
            error = pl_info_publish(mpi, to, newinfo);
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Info_dup)

int PMPI_Info_free(MPI_Info *info)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Info_free");
    struct pl_info *i;
    int error = pl_check_pointer(info, "info");
    if (!error)
        error = own_of(mpi, *info, &i);
    if (!error) {
        pl_handle_drop(&mpi->handles[PL_CLASS_INFO], (uintptr_t)*info);
        pl_info_destroy(i);
        *info = MPI_INFO_NULL;
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Info_free)

int PMPI_Info_set(MPI_Info info, const char *key, const char *value)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Info_set");
    struct pl_info *i;
    int error = own_of(mpi, info, &i);
    if (!error)
        error = check_key(key);
    if (!error && (!value || strlen(value) >= MPI_MAX_INFO_VAL))
        error = pl_bad(MPI_ERR_INFO_VALUE, "the value of '%s' is NULL or longer than %d characters", key,
                       MPI_MAX_INFO_VAL - 1);
    if (!error)
        error = pl_info_put(i, key, value);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Info_set)

int PMPI_Info_delete(MPI_Info info, const char *key)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Info_delete");
    struct pl_info *i;
    int error = own_of(mpi, info, &i);
    if (!error)
        error = check_key(key);
    struct pl_info_entry *entry = error ? NULL : find(i, key);
    if (!error && !entry)
        error = pl_bad(MPI_ERR_INFO_NOKEY, "there is no key '%s'", key);
    if (!error) {
        free(entry->key);
        free(entry->value);
        i->count--;
        memmove(entry, entry + 1, sizeof *entry * (size_t)(i->entries + i->count - entry));
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Info_delete)

/* *buflen: in, the bytes of `value`; out, the bytes needed with the end (MPI 5.0, 10.4). */
int PMPI_Info_get_string(MPI_Info info, const char *key, int *buflen, char *value, int *flag)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Info_get_string");
    struct pl_info *i;
    int error = pl_info_of(mpi, info, &i);
    if (!error)
        error = check_key(key);
    if (!error)
        error = pl_check_pointer(flag, "flag");
    if (!error)
        error = pl_check_pointer(buflen, "buflen");
    if (!error && *buflen > 0)
        error = pl_check_pointer(value, "value");
    if (!error) {
        const char *found = pl_info_value(i, key);
        *flag = found != NULL;
        if (found) {
            if (*buflen > 0)
                snprintf(value, (size_t)*buflen, "%s", found);
            *buflen = (int)strlen(found) + 1;
        }
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Info_get_string)

int PMPI_Info_get_nkeys(MPI_Info info, int *nkeys)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Info_get_nkeys");
    struct pl_info *i;
    int error = pl_info_of(mpi, info, &i);
    if (!error)
        error = pl_check_pointer(nkeys, "nkeys");
    if (!error)
        *nkeys = i->count;
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Info_get_nkeys)

int PMPI_Info_get_nthkey(MPI_Info info, int n, char *key)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Info_get_nthkey");
    struct pl_info *i;
    int error = pl_info_of(mpi, info, &i);
    if (!error)
        error = pl_check_pointer(key, "key");
    if (!error && (n < 0 || n >= i->count))
        error = pl_bad(MPI_ERR_ARG, "there is no key number %d: the object has %d", n, i->count);
    if (!error)
        snprintf(key, MPI_MAX_INFO_KEY, "%s", i->entries[n].key);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Info_get_nthkey)
