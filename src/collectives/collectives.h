/* Collective calls, as src/mpi makes them. All functions are called with the rank's lock held. */
#ifndef PL_COLLECTIVES_H
#define PL_COLLECTIVES_H

#include "algorithm.h"
#include "comm.h"
#include "datatype.h"
#include "op.h"
#include "run.h"

/* One call. `count` elements of `type`: of the vector (bcast, reduce, allreduce) or of one rank's block
 * (scatter, gather, allgather, reduce_scatter, alltoall), whichever of the two types of the MPI call is
 * significant here; the bytes are what counts.
 * Data lies as MPI has it, with the buffers of struct pl_coll_args: bcast's is `out` on every rank; buffers
 * that are not significant may be NULL. In place: `in` (scatter: `out`) is ignored. type: any with lb 0;
 * gaps are moved along. What else there is must be packed by the caller: PL_EUNSUPPORTED. Scans: the vector.
 * Neighbours: the lists alone. */
struct pl_coll_call {
    enum pl_collective collective;
    const void *in;
    void *out;
    size_t count;
    const struct pl_datatype *type; /* NULL for a barrier */
    const struct pl_op *op;         /* reductions; else NULL */
    int root;                       /* collectives that have one; a barrier: enum pl_barrier; else 0 */
    bool in_place;
    struct pl_comm *comm;
    struct pl_memory
        *memory; /* all buffers are this driver's, and it has a loop for the operator; NULL: host */
    /* Uneven calls, as in struct pl_coll_args; read only until the call that takes this returns. The own
     * block, where it is listed and not in place, is as long in both lists, or as the vector. */
    bool uneven;
    const struct pl_block *in_blocks, *out_blocks;
    int sources, destinations;
    const int *source, *destination;
};

/* Makes the call and waits for it. 0 or an error, whose text is then pl_fail_text(). */
int pl_coll_blocking(const struct pl_coll_call *call);

/* The same for a call of at most PL_COLL_SHORT elements of a predefined type without gaps, if the
 * communicator serves it without a schedule: then true, and *error is the outcome. false: nothing was done.
 */
enum { PL_COLL_SHORT = 1024 };
bool pl_coll_short(const struct pl_coll_call *call, int *error);

/* Starts the call. 0: *run is there, perhaps complete already; `completed` (may be NULL) is called once, when
 * it completes, perhaps before this returns. Finish it with pl_run_finish when complete. Type, operator and
 * communicator must live until then; this holds the communicator itself. */
int pl_coll_start(const struct pl_coll_call *call, void (*completed)(struct pl_run *run), void *owner,
                  struct pl_run **run);

/* Makes a persistent call: *run, which pl_run_start starts, again each time it is complete; `completed` is
 * called each time. Otherwise as pl_coll_start. All ranks make their persistent calls in the same order, but
 * may start several in different ones. */
int pl_coll_init(const struct pl_coll_call *call, void (*completed)(struct pl_run *run), void *owner,
                 struct pl_run **run);

/* Says how the signatures of two ranks' messages differ: "bcast there, allreduce of float with
 * MPI_SUM here". For pl_rank.explain, set at the start. */
void pl_coll_explain(struct pl_rank *rank, uint32_t mine, uint32_t theirs, char *text, size_t size);

/* Frees what the rank keeps for all its communicators, which are gone. */
void pl_collectives_finish(struct pl_rank *rank);

#endif
