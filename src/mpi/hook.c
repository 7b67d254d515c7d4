/* Hooks: functions of the program, or of a library on MPI, that run when a rank has made progress.
 *
 * MPI's own operations advance inside any call that waits. A library that answers messages, or whose
 * requests end when several of MPI's have, wants the same: MPI_Wait on its generalised request must
 * advance it, and so must a barrier its program sits in. MPI has no word for that. A thread that waits for
 * it (what most do) costs every message a change of threads, forces MPI_THREAD_MULTIPLE on the
 * program, and cannot be had in a deterministic world. Rejected too: a poll function for each generalised
 * request (R. Latham et al., "Extending the MPI-2 generalized request interface", 2007), as a server that
 * has no request under way must be woken as well.
 *
 * A hook calls MPI, which makes progress, which would call the hook: instead it is called once more.
 */
#include "call.h"
#include "peal.h"
#include "state.h"

#include <stdlib.h>

struct hook {
    struct pl_list link;
    void (*function)(void *state);
    void (*ended)(void *state);
    void *state;
};

static void progressed(struct pl_rank *rank)
{
    struct pl_mpi *mpi = rank->mpi_memory;
    if (mpi->in_hooks) {
        mpi->again = true;
        return;
    }
    mpi->in_hooks = true;
    do {
        mpi->again = false;
        pl_list_each(node, &mpi->hooks)
        {
            const struct hook *hook = pl_container(node, struct hook, link);
            const char *call = pl_callback_begin(mpi);
            hook->function(hook->state);
            pl_callback_end(mpi, call);
        }
    } while (mpi->again);
    mpi->in_hooks = false;
}

int peal_hook_add(void (*function)(void *state), void (*ended)(void *state), void *state)
{
    struct pl_mpi *mpi = pl_call("peal_hook_add");
    int error = function ? 0 : pl_bad(MPI_ERR_ARG, "function is NULL");
    struct hook *hook = error ? NULL : malloc(sizeof *hook);
    if (!error && !hook)
        error = pl_fail(PL_ENOMEM, "no memory for a hook");
    if (!error) {
        hook->function = function;
        hook->ended = ended;
        hook->state = state;
        pl_list_append(&mpi->hooks, &hook->link);
        mpi->rank->progressed = progressed;
    }
    return pl_return(mpi, NULL, error);
}

int peal_hook_remove(void (*function)(void *state), void *state)
{
    struct pl_mpi *mpi = pl_call("peal_hook_remove");
    struct hook *found = NULL;
    pl_list_each(node, &mpi->hooks)
    {
        struct hook *hook = pl_container(node, struct hook, link);
        if (hook->function == function && hook->state == state)
            found = hook;
    }
    if (!found)
        return pl_return(mpi, NULL, pl_bad(MPI_ERR_ARG, "there is no such hook"));
    pl_list_remove(&found->link);
    free(found);
    if (pl_list_empty(&mpi->hooks))
        mpi->rank->progressed = NULL;
    return pl_return(mpi, NULL, 0);
}

void pl_hooks_end(struct pl_mpi *mpi)
{
    mpi->rank->progressed = NULL;
    pl_list_each(node, &mpi->hooks)
    {
        struct hook *hook = pl_container(node, struct hook, link);
        pl_list_remove(node);
        if (hook->ended)
            hook->ended(hook->state);
        free(hook);
    }
}
