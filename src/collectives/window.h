/* Windows: memory of each rank that all ranks of the host have mapped, in which the TMP of an algorithm with
 * PL_WINDOW lies. Each rank has two, used in turn by the blocking calls of a communicator: who
 * begins a call in one of them has ended the call before it, in which he heard from every rank that
 * this one had begun it, and so had ended the call that used this window last. */
#ifndef PL_WINDOW_H
#define PL_WINDOW_H

#include "choose.h"
#include "run.h"

/* Two slots of 256 KiB, as much for intermediate sums, and odds. */
enum { PL_WINDOW_RANKS = 16, PL_WINDOW_BYTES = 784 << 10 };

/* Whether the TMP of such a call fits: two segments, and what a tree of sums of their chunks needs besides.
 */
static inline bool pl_window_fits(const struct pl_coll_args *args)
{
    size_t segments = (size_t)pl_window_segments(args), n = (size_t)args->size;
    size_t longest = (args->count + segments - 1) / segments, chunk = (longest + n - 1) / n;
    size_t bytes = (2 * longest + (n - 1) * chunk) * args->element + (n + 1) * 64;
    return args->count >= n && longest < PL_WINDOW_BYTES && args->element < PL_WINDOW_BYTES &&
           bytes <= PL_WINDOW_BYTES;
}

struct pl_window {
    bool tried; /* to open it; the same on all ranks */
    void *memory;
    char *of[PL_WINDOW_RANKS]; /* each rank's; NULL: there are none */
    unsigned calls;
};

/* The algorithm for this call, or NULL: another is cheaper, or these ranks can have no windows. `crowded`:
 * ranks outnumber cores. Alike on all ranks. */
const struct pl_algorithm *pl_window_wanted(const struct pl_window *window, const struct pl_comm *comm,
                                            const struct pl_machine *machine, const struct pl_coll_args *args,
                                            const struct pl_algorithm *forced, bool crowded);
/* All ranks call it before the first use: two small allgathers. After that pl_window_there, alike on all. */
int pl_window_open(struct pl_window *window, struct pl_comm *comm);
static inline bool pl_window_there(const struct pl_window *window)
{
    return window->of[0] != NULL;
}
/* Gives a run of the algorithm this call's windows. */
void pl_window_lend(struct pl_window *window, struct pl_run *run);
void pl_window_close(struct pl_window *window, struct pl_comm *comm);

#endif
