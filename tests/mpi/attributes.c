/* Attributes of communicators: keys, callbacks, the order of deletion, the predefined ones. */
#include "case.h"

#include <stdint.h>
#include <string.h>

struct counts {
    int copies, deletes, fail;
    int order[8];
};

static int copy(MPI_Comm comm, int keyval, void *extra, void *in, void *out, int *flag)
{
    struct counts *counts = extra;
    counts->copies++;
    if (counts->fail)
        return counts->fail;
    *(void **)out = (char *)in + 1;
    *flag = (intptr_t)in != 13;
    return MPI_SUCCESS;
}

static int delete (MPI_Comm comm, int keyval, void *value, void *extra)
{
    struct counts *counts = extra;
    if (counts->deletes < 8)
        counts->order[counts->deletes] = (int)(intptr_t)value;
    counts->deletes++;
    return counts->fail;
}

static intptr_t get(MPI_Comm comm, int key)
{
    void *value = NULL;
    int flag = -1;
    OK(MPI_Comm_get_attr(comm, key, &value, &flag));
    CHECK(flag == 0 || flag == 1, "%d", flag);
    return flag ? (intptr_t)value : -1;
}

static void set_get(void)
{
    struct counts counts = {0};
    int key = MPI_KEYVAL_INVALID;
    MPI_Comm comm;
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    OK(MPI_Comm_create_keyval(copy, delete, &key, &counts));
    CHECK(get(comm, key) == -1, "nothing is there");
    OK(MPI_Comm_set_attr(comm, key, (void *)(intptr_t)7));
    CHECK(get(comm, key) == 7, "%ld", (long)get(comm, key));
    OK(MPI_Comm_set_attr(comm, key, (void *)(intptr_t)8));
    CHECK(get(comm, key) == 8 && counts.deletes == 1 && counts.order[0] == 7, "%d deleted", counts.deletes);
    OK(MPI_Comm_delete_attr(comm, key));
    CHECK(get(comm, key) == -1 && counts.deletes == 2, "%d deleted", counts.deletes);
    OK(MPI_Comm_set_attr(comm, key, (void *)(intptr_t)9));
    int kept = key;
    OK(MPI_Comm_free_keyval(&key));
    CHECK(key == MPI_KEYVAL_INVALID, "%d", key);
    FAILS(MPI_ERR_KEYVAL, MPI_Comm_set_attr(comm, kept, NULL));
    CHECK(get(comm, kept) == 9, "a freed key serves as long as an attribute is left");
    int again = kept;
    OK(MPI_Comm_free_keyval(&again));
    OK(MPI_Comm_free(&comm));
    FAILS(MPI_ERR_KEYVAL, MPI_Comm_free_keyval(&kept));
    CHECK(counts.deletes == 3 && counts.order[2] == 9, "deleted with the communicator: %d", counts.deletes);
}

static void copied(void)
{
    struct counts counts = {0};
    int keys[4];
    MPI_Comm a, b;
    MPI_Request request;
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &a));
    OK(MPI_Comm_create_keyval(copy, delete, &keys[0], &counts));
    OK(MPI_Comm_create_keyval(MPI_COMM_DUP_FN, MPI_COMM_NULL_DELETE_FN, &keys[1], NULL));
    OK(MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, MPI_COMM_NULL_DELETE_FN, &keys[2], NULL));
    OK(MPI_Comm_create_keyval(copy, delete, &keys[3], &counts));
    for (int i = 0; i < 4; i++)
        OK(MPI_Comm_set_attr(a, keys[i], (void *)(intptr_t)(i == 3 ? 13 : 20 + i)));
    for (int way = 0; way < 3; way++) {
        counts.copies = counts.deletes = 0;
        if (way == 0)
            OK(MPI_Comm_dup(a, &b));
        else if (way == 1)
            OK(MPI_Comm_dup_with_info(a, MPI_INFO_NULL, &b));
        else {
            OK(MPI_Comm_idup(a, &b, &request));
            OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        }
        CHECK(counts.copies == 2, "%d", counts.copies);
        CHECK(get(b, keys[0]) == 21, "copied by the callback: %ld", (long)get(b, keys[0]));
        CHECK(get(b, keys[1]) == 21, "MPI_COMM_DUP_FN: %ld", (long)get(b, keys[1]));
        CHECK(get(b, keys[2]) == -1, "MPI_COMM_NULL_COPY_FN");
        CHECK(get(b, keys[3]) == -1, "the callback said no");
        OK(MPI_Comm_free(&b));
        CHECK(counts.deletes == 1, "%d", counts.deletes);
    }
    counts.fail = MPI_ERR_OTHER;
    FAILS(MPI_ERR_OTHER, MPI_Comm_dup(a, &b));
    FAILS(MPI_ERR_OTHER, MPI_Comm_delete_attr(a, keys[0]));
    CHECK(get(a, keys[0]) == 20, "not deleted, since the callback failed");
    FAILS(MPI_ERR_OTHER, MPI_Comm_free(&a));
    CHECK(a != MPI_COMM_NULL, "not freed, since a callback failed");
    counts.fail = 0;
    OK(MPI_Comm_free(&a));
    for (int i = 0; i < 4; i++)
        OK(MPI_Comm_free_keyval(&keys[i]));
}

static void order(void)
{
    struct counts counts = {0};
    int keys[4];
    MPI_Comm comm;
    OK(MPI_Comm_dup(MPI_COMM_SELF, &comm));
    for (int i = 0; i < 4; i++) {
        OK(MPI_Comm_create_keyval(copy, delete, &keys[i], &counts));
        OK(MPI_Comm_set_attr(comm, keys[i], (void *)(intptr_t)i));
        OK(MPI_Comm_free_keyval(&keys[i]));
    }
    OK(MPI_Comm_free(&comm));
    for (int i = 0; i < 4; i++)
        CHECK(counts.order[i] == 3 - i, "at %d: %d", i, counts.order[i]);
}

/* A callback that calls MPI. */
static int calls_mpi(MPI_Comm comm, int keyval, void *extra, void *in, void *out, int *flag)
{
    int size = 0;
    MPI_Comm_size(comm, &size);
    *(void **)out = (void *)(intptr_t)size;
    *flag = 1;
    return MPI_SUCCESS;
}

static void nested(void)
{
    int key;
    MPI_Comm a, b;
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &a));
    OK(MPI_Comm_create_keyval(calls_mpi, MPI_COMM_NULL_DELETE_FN, &key, NULL));
    OK(MPI_Comm_set_attr(a, key, NULL));
    OK(MPI_Comm_dup(a, &b));
    CHECK(get(b, key) == world_size(), "%ld", (long)get(b, key));
    OK(MPI_Comm_free(&a));
    OK(MPI_Comm_free(&b));
    OK(MPI_Comm_free_keyval(&key));
}

static void predefined(void)
{
    int *value = NULL, flag = -1;
    OK(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &value, &flag));
    CHECK(flag && *value >= 32767, "MPI_TAG_UB");
    OK(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_IO, &value, &flag));
    CHECK(flag, "MPI_IO");
    OK(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_HOST, &value, &flag));
    CHECK(flag && *value == MPI_PROC_NULL, "MPI_HOST");
    OK(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_WTIME_IS_GLOBAL, &value, &flag));
    CHECK(flag && (*value == 0 || *value == 1), "MPI_WTIME_IS_GLOBAL");
    OK(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_LASTUSEDCODE, &value, &flag));
    CHECK(flag && *value >= MPI_ERR_LASTCODE, "MPI_LASTUSEDCODE");
    OK(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_UNIVERSE_SIZE, &value, &flag));
    if (flag)
        CHECK(*value >= world_size(), "MPI_UNIVERSE_SIZE");
    OK(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_APPNUM, &value, &flag));
    if (flag)
        CHECK(*value >= 0, "MPI_APPNUM");
    FAILS(MPI_ERR_KEYVAL, MPI_Comm_set_attr(MPI_COMM_WORLD, MPI_TAG_UB, NULL));
    FAILS(MPI_ERR_KEYVAL, MPI_Comm_delete_attr(MPI_COMM_WORLD, MPI_TAG_UB));
    FAILS(MPI_ERR_KEYVAL, MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_KEYVAL_INVALID, &value, &flag));
}

/* The names of MPI-1: deprecated, and there. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static void old_names(void)
{
    struct counts counts = {0};
    int key, flag = -1, *value;
    MPI_Comm a, b;
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &a));
    OK(MPI_Keyval_create(copy, delete, &key, &counts));
    OK(MPI_Attr_put(a, key, (void *)(intptr_t)3));
    OK(MPI_Comm_dup(a, &b));
    OK(MPI_Attr_get(b, key, &value, &flag));
    CHECK(flag && (intptr_t)value == 4, "%d", flag);
    OK(MPI_Attr_delete(b, key));
    OK(MPI_Attr_get(b, key, &value, &flag));
    CHECK(!flag, "%d", flag);
    OK(MPI_Attr_get(MPI_COMM_WORLD, MPI_TAG_UB, &value, &flag));
    CHECK(flag && *value >= 32767, "MPI_TAG_UB");
    OK(MPI_Keyval_free(&key));
    OK(MPI_Comm_free(&a));
    OK(MPI_Comm_free(&b));
}

#pragma GCC diagnostic pop

const struct test_case attribute_cases[] = {
    {"set_get", set_get, 1, 0},
    {"copied", copied, 1, 0},
    {"order", order, 1, 0},
    {"nested", nested, 1, 0},
    {"predefined", predefined, 1, 0},
    {"old_names", old_names, 1, 0},
    {0},
};
