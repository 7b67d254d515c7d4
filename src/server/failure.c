/* Who is dead, and what follows. The only file that decides it.
 *
 * MPI tells: the receive from that very rank, which is always posted (link.c), completes with an error.
 * Nothing else counts: not a late answer, not a failed send, whose receive will tell. So no living member is
 * ever taken for dead, and two members never disagree for longer than the news takes to travel.
 *
 * A server that hears of it tells its manager's part, which makes a new view or, if it was the manager that
 * died, takes over when it is its turn. A worker waits for the view; when the last server is gone it gives
 * up.
 */
#include "manager.h"
#include "worker.h"

bool pl_ps_means_death(int error)
{
    return error != MPI_SUCCESS && error != MPI_ERR_TRUNCATE && error != MPI_ERR_PENDING;
}

static bool servers_left(const struct peal_ps *ps)
{
    for (int s = 0; s < ps->servers; s++)
        if (!ps->links.link[pl_ps_rank_of_server(ps, s)].dead && ps->view->server[s] < PL_PS_LEFT)
            return true;
    return false;
}

void pl_ps_lost(struct peal_ps *ps, int rank)
{
    int server = pl_ps_server_of(ps, rank), worker = pl_ps_worker_of(ps, rank);
    if (ps->links.link[rank].dead)
        return;
    ps->links.link[rank].dead = true;
    ps->retry = true;
    if (ps->manager && server >= 0)
        pl_ps_manager_server_lost(ps, server);
    if (ps->manager && worker >= 0)
        pl_ps_manager_worker_lost(ps, worker);
    if (ps->worker && !servers_left(ps))
        pl_ps_worker_give_up(ps, pl_ps_fail(ps, MPI_ERR_PROC_ABORTED,
                                            "the last of %d servers (rank %d) has died", ps->servers, rank));
}
