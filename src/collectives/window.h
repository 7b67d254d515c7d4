/* Windows: memory of each rank that all ranks of the host have mapped, in which the TMP of an algorithm with
 * PL_WINDOW lies. The blocking calls of a communicator go around in it, each beginning where the one
 * before ended, so that no two calls in a row share any of it. That is enough: who begins a call has ended
 * the call before it, in which he heard from every rank that this one had begun that one, and so had ended
 * the calls before. And memory that is written seldom is in no peer's cache when it is written. */
#ifndef PL_WINDOW_H
#define PL_WINDOW_H

#include "choose.h"
#include "collectives.h"
#include "run.h"

/* PL_WINDOW_CALL: most bytes of one call. Two neighbours do not overlap, for it is a third at most. */
enum { PL_WINDOW_RANKS = 16, PL_WINDOW_BYTES = 4 << 20, PL_WINDOW_CALL = 1344 << 10 };

/* What the TMP of such a call takes at most, alike on all ranks. 0: it does not fit. */
static inline size_t pl_window_needs(const struct pl_coll_args *args)
{
    if (args->uneven || args->remote || !args->count || args->element > PL_WINDOW_CALL)
        return 0;
    struct pl_window_way way = pl_window_way(args);
    return way.all_hear && way.needs <= PL_WINDOW_CALL ? way.needs : 0;
}

struct pl_window {
    bool tried;   /* to open it; the same on all ranks */
    bool devices; /* some rank may have buffers in device memory; the same on all ranks */
    void *memory;
    char *of[PL_WINDOW_RANKS]; /* each rank's; NULL: there are none */
    size_t next;               /* where the next call begins */
};

/* The algorithm for this call, or NULL: another is cheaper, or these ranks can have no windows. Alike on all
 * ranks. */
const struct pl_algorithm *pl_window_wanted(const struct pl_window *window, const struct pl_comm *comm,
                                            const struct pl_machine *machine, const struct pl_coll_args *args,
                                            const struct pl_algorithm *forced);
/* All ranks call it before the first use: two small allgathers. After that pl_window_there, alike on all. */
int pl_window_open(struct pl_window *window, struct pl_comm *comm);
static inline bool pl_window_there(const struct pl_window *window)
{
    return window->of[0] != NULL;
}
/* Gives a run of the algorithm `bytes` of the windows. */
void pl_window_lend(struct pl_window *window, struct pl_run *run, size_t bytes);
/* Replaces the call's device buffers by host ones; `bytes`: of its vector or block. All ranks take part in a
 * windowed call, whatever memory theirs are in. */
int pl_window_stage(struct pl_coll_call *call, size_t bytes);
/* Takes the result of `host`, which the call was replaced by, and frees it. Returns `error` or its own. */
int pl_window_unstage(const struct pl_coll_call *call, const struct pl_coll_call *host, size_t bytes,
                      int error);
void pl_window_close(struct pl_window *window, struct pl_comm *comm);

#endif
