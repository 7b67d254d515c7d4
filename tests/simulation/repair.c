/* Ranks die, at any step, and the others go on: who sees an error revokes the communicator, all shrink it,
 * and the round is done again among those who are left. At the end all survivors have the same sum over
 * themselves. */
#include "scenario.h"

#include <mpi-ext.h>

enum { ROUNDS = 6, REPAIRS_MOST = 20 };

/* 0, or an error: one round among the members of `comm`, agreed on by all. */
static int play(MPI_Comm comm)
{
    int size, one = 1, sum = 0;
    MPI_Comm_size(comm, &size);
    int code = MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, comm), good = code == MPI_SUCCESS;
    if (code)
        MPIX_Comm_revoke(comm);
    else if (sum != size)
        return wrong("a sum over %d ranks is %d", size, sum) - 2;
    code = MPIX_Comm_agree(comm, &good); /* both are the same on all who live */
    return code || !good;
}

static int body(void *unused)
{
    MPI_Comm comm = MPI_COMM_WORLD, next;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    int repairs = 0;
    for (int round = 0; round < ROUNDS;) {
        int outcome = play(comm);
        if (outcome < 0)
            return 1;
        if (!outcome) {
            round++;
            continue;
        }
        if (++repairs > REPAIRS_MOST)
            return wrong("repaired %d times and still not whole", REPAIRS_MOST);
        int code = MPIX_Comm_shrink(comm, &next);
        if (code)
            return wrong("MPIX_Comm_shrink: %s", error_text(code));
        MPI_Comm_set_errhandler(next, MPI_ERRORS_RETURN);
        if (comm != MPI_COMM_WORLD)
            MPI_Comm_free(&comm);
        comm = next;
    }
    return MPI_Finalize(); /* who has the outcome of the last agreement stays until all have */
}

const struct scenario repair_scenario = {"repair", body, 3, KIND(DELAY) | KIND(KILL), 8};
