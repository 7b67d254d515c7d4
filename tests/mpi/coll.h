/* One collective call against a plain reference, whatever the collective, the kind of
 * data, count, root, in place or not, blocking or not.
 *
 * Every element of every rank is a function of (seed, rank, place), so each rank works
 * out alone what must come: the fold of all ranks' elements in rank order.
 */
#ifndef COLL_H
#define COLL_H

#include "case.h"

enum coll {
    COLL_BARRIER,
    COLL_BCAST,
    COLL_SCATTER,
    COLL_GATHER,
    COLL_ALLGATHER,
    COLL_ALLTOALL,
    COLL_REDUCE,
    COLL_ALLREDUCE,
    COLL_REDUCE_SCATTER,
    COLLS
};

static inline bool coll_reduces(enum coll what)
{
    return what >= COLL_REDUCE;
}

/* A kind of data and the operator it is reduced with. */
struct flavor {
    const char *name;
    size_t extent; /* bytes of an element */
    MPI_Datatype type;
    MPI_Op op;
    int contiguous;              /* not 0: the type is that many of `type`, made for the call */
    MPI_User_function *function; /* not NULL: the operator is made of it for the call */
    bool commutes;
    void (*set)(void *element, unsigned x);      /* makes an element of a number */
    void (*fold)(void *left, const void *right); /* left = left op right */
    bool (*same)(const void *a, const void *b);
};

enum { FLAVORS = 8 };
extern const struct flavor flavors[FLAVORS];
enum {
    FLAVOR_INT,
    FLAVOR_DOUBLE,
    FLAVOR_CHAR,
    FLAVOR_SHORT_INT,
    FLAVOR_DOUBLE_INT,
    FLAVOR_LONG_DOUBLE_INT,
    FLAVOR_MATRIX,
    FLAVOR_MODULAR
};

struct coll_call {
    enum coll what;
    const struct flavor *flavor;
    long count;
    int root;
    bool in_place, nonblocking;
    MPI_Comm comm;
    unsigned seed;
    /* from start to end */
    MPI_Request request;
    char *in, *out;
};

/* Starts the call; when it is not nonblocking, also makes it whole. */
void coll_start(struct coll_call *call);
/* Waits, checks what came, frees the buffers. */
void coll_end(struct coll_call *call);
/* Both. */
void coll_check(struct coll_call call);

#endif
