/* The parameter server's suite as a program: program [CASE]. Runs the cases that want as many ranks as there
 * are, and says `all right: N cases on R ranks`. */
#include "ps.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static const struct ps_case *const all[] = {ps_basic_cases,  ps_mode_cases,     ps_updater_cases,
                                                ps_change_cases, ps_snapshot_cases, ps_filter_cases};
    int rank, size, count = 0, sum;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (const struct ps_case *test = all[i]; test->name; test++) {
            if (ps_ranks(test) != size || (argc > 1 && strcmp(argv[1], test->name)))
                continue;
            int before = check_failures();
            ps_run_case(test);
            count++;
            if (check_failures() > before)
                fprintf(stderr, "rank %d: %s failed\n", rank, test->name);
        }
    int mine = check_failures();
    MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (!rank && sum)
        printf("%d checks failed in %d cases on %d ranks\n", sum, count, size);
    else if (!rank)
        printf("all right: %d cases on %d ranks\n", count, size);
    MPI_Finalize();
    return sum != 0;
}
