/* For the examples: one way to say whether a result is right, on all ranks. */
#ifndef EXAMPLES_CHECK_H
#define EXAMPLES_CHECK_H

#include <mpi.h>
#include <stdio.h>

/* Every rank says whether its own part is right (1 or 0). Rank 0 prints the
 * verdict; every rank gets the same exit code: 0 when all were right. */
static inline int check(int right, const char *what)
{
    int rank, everyone = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Allreduce(&right, &everyone, 1, MPI_INT, MPI_LAND, MPI_COMM_WORLD);
    if (rank == 0)
        printf("%s: %s\n", what, everyone ? "right" : "WRONG");
    return everyone ? 0 : 1;
}

#endif
