/* Info objects. */
#include "case.h"

#include <string.h>

static void get_and_set(void)
{
    MPI_Info info, copy;
    char value[32] = "?", key[MPI_MAX_INFO_KEY];
    int length = sizeof value, flag = 5, count = -1;
    OK(MPI_Info_create(&info));
    OK(MPI_Info_get_nkeys(info, &count));
    CHECK(count == 0, "%d", count);
    OK(MPI_Info_set(info, "one", "1"));
    OK(MPI_Info_set(info, "two", "2"));
    OK(MPI_Info_set(info, "one", "uno"));
    OK(MPI_Info_get_nkeys(info, &count));
    CHECK(count == 2, "%d", count);
    OK(MPI_Info_get_string(info, "one", &length, value, &flag));
    CHECK(flag && length == 4 && !strcmp(value, "uno"), "%d %d '%s'", flag, length, value);
    length = 2;
    OK(MPI_Info_get_string(info, "one", &length, value, &flag));
    CHECK(flag && length == 4 && !strcmp(value, "u"), "%d %d '%s'", flag, length, value);
    length = 0;
    OK(MPI_Info_get_string(info, "one", &length, NULL, &flag));
    CHECK(flag && length == 4, "%d %d", flag, length);
    OK(MPI_Info_get_string(info, "three", &length, value, &flag));
    CHECK(!flag, "%d", flag);
    OK(MPI_Info_get_nthkey(info, 1, key));
    CHECK(!strcmp(key, "two"), "'%s'", key);
    OK(MPI_Info_dup(info, &copy));
    OK(MPI_Info_delete(info, "one"));
    OK(MPI_Info_get_nkeys(info, &count));
    CHECK(count == 1, "%d", count);
    OK(MPI_Info_get_nkeys(copy, &count));
    CHECK(count == 2, "the copy has %d", count);
    OK(MPI_Info_get_nthkey(copy, 0, key));
    CHECK(!strcmp(key, "one"), "'%s'", key);
    OK(MPI_Info_free(&info));
    CHECK(info == MPI_INFO_NULL, "the handle is left");
    OK(MPI_Info_free(&copy));
}

static void bad(void)
{
    MPI_Info info, copy;
    int count, flag, length = 0;
    char key[MPI_MAX_INFO_KEY + 20], value[MPI_MAX_INFO_VAL + 20];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = 0;
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = 0;
    OK(MPI_Info_create(&info));
    FAILS(MPI_ERR_INFO_KEY, MPI_Info_set(info, key, "x"));
    FAILS(MPI_ERR_INFO_KEY, MPI_Info_set(info, "", "x"));
    FAILS(MPI_ERR_INFO_KEY, MPI_Info_set(info, NULL, "x"));
    FAILS(MPI_ERR_INFO_VALUE, MPI_Info_set(info, "x", value));
    FAILS_WITH(MPI_ERR_INFO_NOKEY, MPI_Info_delete(info, "absent"), "absent");
    FAILS(MPI_ERR_ARG, MPI_Info_get_nthkey(info, 0, key));
    copy = info;
    OK(MPI_Info_free(&info));
    FAILS(MPI_ERR_INFO, MPI_Info_get_nkeys(copy, &count));
    FAILS(MPI_ERR_INFO, MPI_Info_free(&copy));
    FAILS(MPI_ERR_INFO, MPI_Info_get_string(MPI_INFO_NULL, "x", &length, NULL, &flag));
}

const struct test_case info_cases[] = {{"get_and_set", get_and_set, 1, 0}, {"bad", bad, 1, 0}, {0}};
