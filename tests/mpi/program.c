/* The MPI suite as a program, for mpiexec: program [CHAPTER[/CASE]]...
 *
 * Runs the named chapters, or all, and says on rank 0 `all right: N cases on R ranks`. The
 * exit code is 1 when a check failed on any rank.
 */
#include "case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool asked_for(int argc, char **argv, const char *chapter, const char *name)
{
    char full[100];
    snprintf(full, sizeof full, "%s/%s", chapter, name);
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], chapter) || !strcmp(argv[i], full))
            return true;
    return argc < 2;
}

int main(int argc, char **argv)
{
    int provided, count = 0, all = 0;
    MPI_Init_thread(&argc, &argv, getenv("TEST_THREADS") ? MPI_THREAD_MULTIPLE : MPI_THREAD_SINGLE,
                    &provided);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    bool tell = getenv("TEST_TELL") && !my_rank();
    for (const struct test_chapter *chapter = test_chapters; chapter->name; chapter++)
        for (const struct test_case *test = chapter->cases; test->name; test++) {
            if (!asked_for(argc, argv, chapter->name, test->name) ||
                !test_case_fits(test, world_size(), false) ||
                ((test->flags & CASE_THREADS) && provided < MPI_THREAD_MULTIPLE))
                continue;
            double start = MPI_Wtime();
            int before = check_failures();
            test->run();
            MPI_Barrier(MPI_COMM_WORLD);
            count++;
            if (tell)
                fprintf(stderr, "%7.3f s  %s/%s\n", MPI_Wtime() - start, chapter->name, test->name);
            if (check_failures() > before)
                fprintf(stderr, "rank %d: %s/%s failed\n", my_rank(), chapter->name, test->name);
        }
    int mine = check_failures();
    MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (!my_rank()) {
        if (all)
            printf("%d checks failed in %d cases on %d ranks\n", all, count, world_size());
        else
            printf("all right: %d cases on %d ranks\n", count, world_size());
    }
    MPI_Finalize();
    return all != 0;
}
