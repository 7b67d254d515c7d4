/* Ranks die, at any step, while all agree again and again: flag and return code of MPIX_Comm_agree are the
 * same on all who return. Each agreement's outcome is compared by the next: two of its bits say "an error"
 * and "none". */
#include "scenario.h"

#include <mpi-ext.h>

enum { ROUNDS = 12, NO_ERROR = 1, AN_ERROR = 2, SUM = 4 };

/* What all who live bring, and'ed: no bit of the first two is left when two ranks differ. */
static int round_of(MPI_Comm comm, int before, int *after)
{
    int size, one = 1, sum = 0;
    MPI_Comm_size(comm, &size);
    int code = MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, comm), flag = before | (code ? 0 : SUM);
    if (!code && sum != size)
        return wrong("a sum over %d ranks is %d", size, sum);
    code = MPIX_Comm_agree(comm, &flag);
    if (!(flag & (NO_ERROR | AN_ERROR)))
        return wrong("an agreement had an error on some ranks and none on others");
    *after = code ? AN_ERROR : NO_ERROR;
    if (peal_random(4) == 0)
        MPIX_Comm_failure_ack(comm);
    return 0;
}

static int body(void *unused)
{
    int outcome = NO_ERROR | AN_ERROR;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    for (int round = 0; round < ROUNDS; round++)
        if (round_of(MPI_COMM_WORLD, outcome, &outcome))
            return 1;
    return MPI_Finalize(); /* who has the outcome of the last agreement stays until all have */
}

const struct scenario agree_scenario = {"agree", body, 3, KIND(DELAY) | KIND(KILL), 8};
