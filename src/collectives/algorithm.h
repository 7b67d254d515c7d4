/* Algorithms: pure functions that write the schedule of one rank, and what choosing
 * among them needs to know. One file a family; its table is at the end of the file.
 */
#ifndef PL_ALGORITHM_H
#define PL_ALGORITHM_H

#include "schedule.h"

enum pl_collective {
    PL_BARRIER,
    PL_BCAST,
    PL_SCATTER,
    PL_GATHER,
    PL_ALLGATHER,
    PL_REDUCE,
    PL_ALLREDUCE,
    PL_REDUCE_SCATTER, /* MPI_Reduce_scatter_block */
    PL_ALLTOALL,
    PL_SCAN,
    PL_EXSCAN,
    PL_NEIGHBOR, /* all neighbourhood collectives */
    PL_COLLECTIVES
};

/* Whose barrier it is, in the place of the root: who waits in MPI_Barrier is not met by who is in
 * MPI_Finalize. */
enum pl_barrier { PL_BARRIER_ITSELF, PL_BARRIER_FINALIZE, PL_BARRIER_DISCONNECT, PL_BARRIER_MEET };

/* Where a block of a buffer is, in bytes. */
struct pl_block {
    size_t offset, length;
};

/* One call, as one rank sees it. In bytes, with m = count * element, the buffers are:
 *                   IN                     OUT
 *   barrier         -                      -
 *   bcast           -                      m, at the root the data
 *   scatter         n * m at the root      m
 *   gather          m                      n * m at the root
 *   allgather       m                      n * m
 *   reduce          m                      m at the root
 *   allreduce       m                      m
 *   reduce_scatter  n * m                  m (in place: n * m, of which the first m are the result)
 *   alltoall        n * m                  n * m
 *   scan, exscan    m                      m
 *   neighbor        `in`                   `out`
 * In place, IN is the part of OUT where MPI says it is (scatter: OUT is that part of IN).
 *
 * Uneven calls (the v and w variants, and neighbours) list the blocks of the buffers that have one
 * for each rank: scatter and reduce_scatter IN, gather and allgather OUT, alltoall both; the other
 * buffer is m bytes, also where the same could be read from the list. What MPI tells the root
 * alone (scatter, gather) is NULL elsewhere; alltoall and neighbours know only their own blocks. Blocks
 * of OUT do not overlap, and the IN of a reduce_scatter has them one after the other.
 *
 * On an intercommunicator `remote` is the size of the other group, whose ranks are numbered after the
 * own ones: size, size + 1, ... The root is PL_ROOT at the root itself, PL_NO_ROOT in the rest of its group,
 * and in the other group the root's number. Data goes from one group to the other as MPI has it. */
enum { PL_ROOT = -1, PL_NO_ROOT = -2 };

struct pl_coll_args {
    enum pl_collective collective;
    int rank, size, root;
    size_t count;   /* elements: of the vector, or of one rank's block */
    size_t element; /* bytes of one, >= 1 */
    bool in_place;
    bool ordered; /* operands must stay in rank order: the operator does not commute, or reproducible mode */
    size_t segment; /* pipelining: bytes aimed at; 0: the default */
    bool uneven;
    const struct pl_block *in, *out; /* [size], on an intercommunicator [remote]; neighbours: see below */
    int sources, destinations;       /* neighbours; a negative one is nobody: */
    const int *source, *destination; /* out[i] comes from source[i], in[i] goes to destination[i] */
    int remote;                      /* 0: not an intercommunicator */
};

/* What a machine costs: nanoseconds a message, a byte carried, a byte reduced. */
struct pl_machine {
    double alpha, beta, gamma;
};

enum {
    PL_ORDERED = 1,     /* honours args.ordered; others are for commutative operators */
    PL_TREE = 2,        /* when ordered, sums along the canonical tree (pl_tree_split) */
    PL_TREE_POWER2 = 4, /* does so when the size is a power of two */
    PL_POWER2 = 8,      /* exists for powers of two only */
    PL_DIRECT = 16,     /* reaches into peers' buffers; the engine must be able to */
    PL_UNEVEN = 32,     /* takes uneven calls too */
    PL_WINDOW = 64,     /* reaches into peers' TMP, which must lie in windows */
    PL_REACHES = PL_DIRECT | PL_WINDOW,
};

struct pl_algorithm {
    const char *name; /* as in PEAL_ALGORITHM=allreduce=ring; NULL ends a table */
    void (*build)(struct pl_builder *b, const struct pl_coll_args *args);
    /* Nanoseconds of the slowest rank, in closed form. */
    double (*cost)(const struct pl_machine *m, const struct pl_coll_args *args);
    unsigned flags;
};

extern const struct pl_algorithm pl_barrier_algorithms[], pl_bcast_algorithms[], pl_scatter_algorithms[],
    pl_gather_algorithms[], pl_allgather_algorithms[], pl_reduce_algorithms[], pl_allreduce_algorithms[],
    pl_reduce_scatter_algorithms[], pl_alltoall_algorithms[], pl_scan_algorithms[], pl_exscan_algorithms[],
    pl_neighbor_algorithms[];

/* The algorithms of a collective, and its name ("allreduce"). */
const struct pl_algorithm *pl_algorithms(enum pl_collective collective);
/* The one for intercommunicators; NULL: the collective is not defined there. */
const struct pl_algorithm *pl_inter_algorithm(enum pl_collective collective);
const char *pl_collective_name(enum pl_collective collective);
/* Whether it applies an operator. */
bool pl_collective_sums(enum pl_collective collective);

/* Whether the algorithm gives the right answer to this call; `reproducible` asks for the canonical tree too.
 */
bool pl_algorithm_fits(const struct pl_algorithm *algorithm, const struct pl_coll_args *args,
                       bool reproducible);

/* Writes and seals the schedule of args->rank. `ignore` is the builder's (0 but in tests). */
int pl_algorithm_schedule(const struct pl_algorithm *algorithm, const struct pl_coll_args *args,
                          unsigned ignore, struct pl_schedule **schedule);

/* --- what the families share --- */

static inline size_t pl_coll_bytes(const struct pl_coll_args *args)
{
    return args->count * args->element;
}

/* Block i of IN, of OUT. */
static inline struct pl_slice pl_in_block(const struct pl_coll_args *args, int i)
{
    size_t m = pl_coll_bytes(args);
    return args->uneven ? pl_in(args->in[i].offset, args->in[i].length) : pl_in((size_t)i * m, m);
}

static inline struct pl_slice pl_out_block(const struct pl_coll_args *args, int i)
{
    size_t m = pl_coll_bytes(args);
    return args->uneven ? pl_out(args->out[i].offset, args->out[i].length) : pl_out((size_t)i * m, m);
}

/* Bytes of all `n` blocks together, and of the longest. */
size_t pl_blocks_total(const struct pl_block *block, int n);
size_t pl_blocks_longest(const struct pl_block *block, int n);

/* In how many segments the allreduce through windows goes (allreduce.c). */
int pl_window_segments(const struct pl_coll_args *args);
/* In how many places of TMP they lie in turn. */
int pl_window_slots(const struct pl_coll_args *args);
enum { PL_WINDOW_SLOTS_MAX = 8 };

/* The largest power of two that is at most n (n >= 1). */
static inline int pl_power2(int n)
{
    int p = 1;
    while (p <= n / 2)
        p *= 2;
    return p;
}

/* The least k with 2^k >= n. */
static inline int pl_log2_up(int n)
{
    int k = 0;
    while ((1L << k) < n)
        k++;
    return k;
}

/* The canonical tree over n >= 2 consecutive ranks has its first this many on its left
 * side: the largest power of two below n. So 5 ranks are ((0+1)+(2+3))+4. */
static inline int pl_tree_split(int n)
{
    return pl_power2(n - 1);
}

/* to = operand[0] op operand[1] ... op operand[n-1], along the canonical tree. Operands in TMP
 * are used up; n >= 1; all slices have the same length. */
void pl_tree_reduce(struct pl_builder *b, struct pl_slice to, const struct pl_slice *operand, int n);

/* The bytes of a segment for this call. */
size_t pl_coll_segment(const struct pl_coll_args *args);

/* Gives `give` to the peer and takes as much as `mine` from it, to = mine op theirs (theirs op
 * mine when `theirs_first`); in segments, so that wire and operator overlap. `tmp` is at least
 * as long as `mine`. Give may be longer or shorter than mine. */
void pl_exchange_reduce(struct pl_builder *b, const struct pl_coll_args *args, int give_to,
                        struct pl_slice give, int take_from, struct pl_slice to, struct pl_slice mine,
                        struct pl_slice tmp, bool theirs_first);

/* Sends or receives in segments. Both ends must use it. */
void pl_send_segments(struct pl_builder *b, const struct pl_coll_args *args, int peer, struct pl_slice from);
void pl_recv_segments(struct pl_builder *b, const struct pl_coll_args *args, int peer, struct pl_slice to);

/* Folding n ranks into p, a power of two: of the first 2 * (n - p) ranks each even one hands its
 * data to the odd one after it. Virtual ranks keep the order of the ranks they stand for. */
struct pl_fold {
    int power, extra; /* p and n - p */
    int rank;         /* virtual rank, or -1: this rank handed its data over */
};
struct pl_fold pl_fold(const struct pl_coll_args *args);

static inline int pl_unfold(const struct pl_fold *fold, int rank)
{
    return rank < fold->extra ? 2 * rank + 1 : rank + fold->extra;
}

/* Reduce-scatter phases that several families use; each leaves on this rank, in `to`, chunk
 * `rank` of the reduction of all IN, cut into n chunks. */
void pl_pairwise_reduce(struct pl_builder *b, const struct pl_coll_args *args, struct pl_slice to,
                        struct pl_slice (*piece)(const struct pl_coll_args *args, int rank));

#endif
