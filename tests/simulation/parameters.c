/* A parameter server among ranks that are killed and frames that are late. Each worker pushes
 * ones to keys of its own and to keys of all, and pulls its own: while an operation succeeds the worker must
 * find exactly what it has pushed, nothing lost and nothing twice, whatever died. When all that had a part
 * are dead, operations fail, and the worker stops. */
#include "scenario.h"

#include <mpi-ext.h>

enum { ROUNDS = 12, KEYS = 40, OWN = 20 };

/* 0, or 1 after saying what was wrong; *ended: an operation has failed, as it may when servers die. */
static int one_round(peal_ps *ps, int round, int *ended)
{
    uint64_t keys[KEYS];
    float ones[KEYS], got[KEYS];
    MPI_Request push;
    for (int i = 0; i < KEYS; i++) {
        keys[i] = i < OWN ? (uint64_t)(peal_ps_worker(ps) * 1000 + i) : (uint64_t)(1000000 + i);
        ones[i] = 1;
    }
    if (peal_ps_push(ps, 0, KEYS, keys, ones, &push))
        *ended = 1;
    int pulled = *ended || peal_ps_pull(ps, 0, KEYS, keys, got, NULL);
    if (!*ended && MPI_Wait(&push, MPI_STATUS_IGNORE))
        *ended = 1;
    if (!*ended && !pulled && peal_ps_clock(ps, NULL))
        *ended = 1;
    *ended = *ended || pulled;
    for (int i = 0; !pulled && i < KEYS; i++)
        if (i < OWN ? got[i] != (float)(round + 1) : got[i] < (float)(round + 1))
            return wrong("after %d pushes of 1, key %d is %g", round + 1, i, (double)got[i]);
    return 0;
}

static int work(peal_ps *ps)
{
    int failed = 0, ended = 0;
    for (int round = 0; round < ROUNDS && !failed && !ended; round++)
        failed = one_round(ps, round, &ended);
    return failed;
}

static int parameters(void *unused)
{
    int size, servers, made;
    peal_ps *ps = NULL;
    const struct peal_ps_table table = {.width = 1};
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN); /* requests that are no communicator's */
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    servers = (size + 1) / 2;
    const struct peal_ps_options options = {.servers = servers,
                                            .spares = servers > 3,
                                            .replicas = servers > 1 ? 2 : 1,
                                            .mode = size % 2 ? PEAL_PS_BOUNDED : PEAL_PS_ASYNC,
                                            .staleness = 2,
                                            .tables = &table,
                                            .table_count = 1};
    int failed = 0;
    made = peal_ps_create(MPI_COMM_WORLD, &options, &ps) == MPI_SUCCESS;
    if (!made)
        MPIX_Comm_revoke(MPI_COMM_WORLD);
    MPIX_Comm_agree(MPI_COMM_WORLD, &made);
    if (!made)
        return 0; /* somebody died before there was one */
    if (peal_ps_role(ps) & PEAL_PS_WORKER)
        failed = work(ps);
    else
        peal_ps_serve(ps);
    peal_ps_destroy(&ps);
    return failed;
}

const struct scenario parameters_scenario = {"parameters", parameters, 3, KIND(KILL) | KIND(DELAY), 8, NULL};
