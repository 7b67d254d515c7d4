/* Start and end as far as a running world can see them, and the environment. What ends a process is in
 * process_test.c. */
#include "case.h"

#include <string.h>

static void up(void)
{
    int flag = -1;
    OK(MPI_Initialized(&flag));
    CHECK(flag == 1, "%d", flag);
    OK(MPI_Finalized(&flag));
    CHECK(flag == 0, "%d", flag);
    OK(MPI_Is_thread_main(&flag));
    CHECK(flag == 1, "%d", flag);
    int level = -1;
    OK(MPI_Query_thread(&level));
    CHECK(level >= MPI_THREAD_SINGLE && level <= MPI_THREAD_MULTIPLE, "%d", level);
}

static void twice(void)
{
    int provided;
    FAILS_WITH(MPI_ERR_OTHER, MPI_Init(NULL, NULL), "MPI_Init", "already up");
    FAILS_WITH(MPI_ERR_OTHER, MPI_Init_thread(NULL, NULL, MPI_THREAD_SINGLE, &provided), "MPI_Init_thread");
    CHECK(world_size() > 0, "the world is still there");
}

static void versions(void)
{
    int version = 0, subversion = -1, length = -1;
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = "", host[MPI_MAX_PROCESSOR_NAME] = "";
    OK(MPI_Get_version(&version, &subversion));
    CHECK(version == MPI_VERSION && subversion == MPI_SUBVERSION, "%d.%d", version, subversion);
    OK(MPI_Get_library_version(text, &length));
    CHECK(!strncmp(text, "Peal ", 5) && length == (int)strlen(text), "'%s', %d", text, length);
    OK(MPI_Get_processor_name(host, &length));
    CHECK(host[0] && length == (int)strlen(host), "'%s', %d", host, length);
    OK(MPI_Abi_get_version(&version, &subversion));
    CHECK(version == MPI_ABI_VERSION, "%d", version);
}

static void clock_goes(void)
{
    double before = MPI_Wtime(), after = MPI_Wtime();
    CHECK(after >= before && MPI_Wtick() > 0 && MPI_Wtick() < 0.001, "%g %g", before, after);
}

const struct test_case init_cases[] = {{"up", up, 1, 0},
                                       {"twice", twice, 1, 0},
                                       {"versions", versions, 1, 0},
                                       {"clock_goes", clock_goes, 1, 0},
                                       {0}};
