/* Views: whatever servers die, come, leave and join, in whatever order, every part comes to have its copies
 * again where the ring wants them, and no step on the way takes a copy that was needed. Moments are drawn;
 * deaths are such as leave a complete copy of each part.
 */
#include "view.h"

#include <criterion/criterion.h>

#include <stdlib.h>

enum { WORKERS = 1, CHANGES = 300, SEEDS = 20 };

struct walk {
    struct pl_ps_view *view;
    int servers, replicas;
    unsigned seed;
};

static int least_copies(const struct pl_ps_view *view)
{
    int least = PL_PS_CHAIN_MAX;
    for (int p = 0; p < view->parts; p++)
        least = view->chains[p].synced < least ? view->chains[p].synced : least;
    return least;
}

/* Without it, each part would still have somebody who has all of it. */
static bool can_spare(const struct pl_ps_view *view, int server)
{
    for (int p = 0; p < view->parts; p++) {
        int at = pl_ps_chain_find(&view->chains[p], server);
        if (at >= 0 && at < view->chains[p].synced && view->chains[p].synced == 1)
            return false;
    }
    return true;
}

static void change_something(struct walk *w)
{
    struct pl_ps_view *view = w->view;
    int server = rand_r(&w->seed) % w->servers, state = view->server[server];
    bool may_go = pl_ps_view_serving(view) > 1;
    if (state == PL_PS_DEAD || state == PL_PS_SPARE || state == PL_PS_LEFT)
        view->server[server] = PL_PS_SERVING;
    else if (may_go && state == PL_PS_SERVING && rand_r(&w->seed) % 2)
        view->server[server] = PL_PS_LEAVING;
    else if (may_go && can_spare(view, server))
        pl_ps_view_lose(view, server);
}

/* As the manager does it: steps while nothing is copied, copies that end in between. */
static void settle(struct walk *w)
{
    for (int i = 0; i < 100; i++) {
        int before = least_copies(w->view), live = pl_ps_view_serving(w->view);
        int wanted = w->replicas < live ? w->replicas : live;
        if (!pl_ps_view_copying(w->view) && !pl_ps_view_step(w->view))
            return;
        int kept = before < wanted - 1 ? before : wanted - 1;
        cr_assert_geq(least_copies(w->view), kept < 1 ? 1 : kept,
                      "seed %u: a step left %d complete copies of %d", w->seed, least_copies(w->view),
                      before);
        pl_ps_view_joined(w->view);
    }
    cr_assert_fail("seed %u: the steps do not end", w->seed);
}

static void check(const struct walk *w)
{
    const struct pl_ps_view *view = w->view;
    int live = pl_ps_view_serving(view), copies = w->replicas < live ? w->replicas : live;
    for (int p = 0; p < view->parts; p++) {
        const struct pl_ps_chain *chain = &view->chains[p];
        cr_assert_eq(chain->length, copies, "seed %u: part %d has %d copies of %d", w->seed, p, chain->length,
                     copies);
        for (int i = 0; i < chain->length; i++)
            cr_assert_eq(view->server[chain->server[i]], PL_PS_SERVING, "part %d: server %d does not serve",
                         p, chain->server[i]);
    }
}

static void walk(int servers, int replicas, unsigned seed)
{
    struct walk w = {pl_ps_view_create(servers, 0, WORKERS, pl_ps_parts(servers), replicas), servers,
                     replicas, seed};
    for (int i = 0; i < CHANGES; i++) {
        change_something(&w);
        if (rand_r(&w.seed) % 2)
            continue; /* several at once */
        if (rand_r(&w.seed) % 2 && !pl_ps_view_copying(w.view))
            pl_ps_view_step(w.view); /* and while copies are made */
        else {
            settle(&w);
            check(&w);
        }
    }
    free(w.view);
}

Test(views, have_their_copies_again)
{
    for (unsigned seed = 1; seed <= SEEDS; seed++)
        for (int servers = 2; servers <= 6; servers++)
            for (int replicas = 1; replicas <= 4 && replicas <= servers; replicas++)
                walk(servers, replicas, seed * 100 + (unsigned)(servers * 10 + replicas));
}
