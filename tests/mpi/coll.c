#include "coll.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 64, GUARD_BYTE = 0xa5 };

/* --- kinds of data --- */

static void set_int(void *e, unsigned x)
{
    *(int *)e = (int)(x % 100000) - 50000;
}
static void fold_int(void *l, const void *r)
{
    *(int *)l += *(const int *)r;
}
static bool same_int(const void *a, const void *b)
{
    return *(const int *)a == *(const int *)b;
}

static void set_double(void *e, unsigned x)
{
    *(double *)e = (double)(x % 100000) / 8 - 5000;
}
static void fold_double(void *l, const void *r)
{
    double right = *(const double *)r;
    if (right > *(double *)l)
        *(double *)l = right;
}
static bool same_double(const void *a, const void *b)
{
    return *(const double *)a == *(const double *)b;
}

static void set_char(void *e, unsigned x)
{
    *(unsigned char *)e = (unsigned char)x;
}
static void fold_char(void *l, const void *r)
{
    *(unsigned char *)l ^= *(const unsigned char *)r;
}
static bool same_char(const void *a, const void *b)
{
    return *(const unsigned char *)a == *(const unsigned char *)b;
}

/* Pairs with values from few, so that the index decides often. */
#define PAIR(name, value_type, better)                                                                       \
    struct name {                                                                                            \
        value_type value;                                                                                    \
        int index;                                                                                           \
    };                                                                                                       \
    static void set_##name(void *e, unsigned x)                                                              \
    {                                                                                                        \
        struct name *p = e;                                                                                  \
        p->value = (value_type)(x % 5);                                                                      \
        p->index = (int)(x / 5 % 50);                                                                        \
    }                                                                                                        \
    static void fold_##name(void *l, const void *r)                                                          \
    {                                                                                                        \
        struct name *a = l;                                                                                  \
        const struct name *b = r;                                                                            \
        if (b->value better a->value || (b->value == a->value && b->index < a->index)) {                     \
            a->value = b->value;                                                                             \
            a->index = b->index;                                                                             \
        }                                                                                                    \
    }                                                                                                        \
    static bool same_##name(const void *a, const void *b)                                                    \
    {                                                                                                        \
        const struct name *p = a, *q = b;                                                                    \
        return p->value == q->value && p->index == q->index;                                                 \
    }
PAIR(short_int, short, >)
PAIR(double_int, double, <)
PAIR(long_double_int, long double, >)

/* 2 x 2 matrices of unsigned numbers: products do not commute, and are exact. */
static void set_matrix(void *e, unsigned x)
{
    uint32_t *m = e;
    for (unsigned i = 0; i < 4; i++)
        m[i] = mix(x, i) % 7 + (i == 0);
}
static void fold_matrix(void *l, const void *r)
{
    uint32_t *a = l, result[4];
    const uint32_t *b = r;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            result[2 * i + j] = a[2 * i] * b[j] + a[2 * i + 1] * b[2 + j];
    memcpy(l, result, sizeof result);
}
static bool same_matrix(const void *a, const void *b)
{
    return !memcmp(a, b, 16);
}
/* inout = in op inout */
static void user_matrix(void *in, void *inout, int *count, MPI_Datatype *type)
{
    for (int i = 0; i < *count; i++) {
        uint32_t left[4];
        memcpy(left, (char *)in + 16 * i, 16);
        fold_matrix(left, (char *)inout + 16 * i);
        memcpy((char *)inout + 16 * i, left, 16);
    }
}

static void set_modular(void *e, unsigned x)
{
    *(long *)e = x % 1009;
}
static void fold_modular(void *l, const void *r)
{
    *(long *)l = (*(long *)l + *(const long *)r) % 1009;
}
static bool same_modular(const void *a, const void *b)
{
    return *(const long *)a == *(const long *)b;
}
static void user_modular(void *in, void *inout, int *count, MPI_Datatype *type)
{
    for (int i = 0; i < *count; i++)
        fold_modular((long *)inout + i, (long *)in + i);
}

#define FUNCTIONS(name) .set = set_##name, .fold = fold_##name, .same = same_##name
const struct flavor flavors[FLAVORS] = {
    [FLAVOR_INT] = {"int sum", sizeof(int), MPI_INT, MPI_SUM, .commutes = true, FUNCTIONS(int)},
    [FLAVOR_DOUBLE] = {"double max", sizeof(double), MPI_DOUBLE, MPI_MAX, .commutes = true,
                       FUNCTIONS(double)},
    [FLAVOR_CHAR] = {"byte xor", 1, MPI_BYTE, MPI_BXOR, .commutes = true, FUNCTIONS(char)},
    [FLAVOR_SHORT_INT] = {"short and int maxloc", sizeof(struct short_int), MPI_SHORT_INT, MPI_MAXLOC,
                          .commutes = true, FUNCTIONS(short_int)},
    [FLAVOR_DOUBLE_INT] = {"double and int minloc", sizeof(struct double_int), MPI_DOUBLE_INT, MPI_MINLOC,
                           .commutes = true, FUNCTIONS(double_int)},
    [FLAVOR_LONG_DOUBLE_INT] = {"long double and int maxloc", sizeof(struct long_double_int),
                                MPI_LONG_DOUBLE_INT, MPI_MAXLOC, .commutes = true,
                                FUNCTIONS(long_double_int)},
    [FLAVOR_MATRIX] = {"matrix product", 16, MPI_UINT32_T, .contiguous = 4, .function = user_matrix,
                       FUNCTIONS(matrix)},
    [FLAVOR_MODULAR] = {"modular sum", sizeof(long), MPI_LONG, .function = user_modular, .commutes = true,
                        FUNCTIONS(modular)},
};

/* --- one call --- */

static const char *const names[COLLS] = {"barrier",  "bcast",  "scatter",   "gather",        "allgather",
                                         "alltoall", "reduce", "allreduce", "reduce_scatter"};

/* Element i of block `block` of what a rank gives. */
static void give(const struct coll_call *call, int rank, int block, long i, void *element)
{
    unsigned x = mix(call->seed * 97u + (unsigned)rank * 1009u + (unsigned)block * 65537u, (unsigned)i);
    memset(element, 0, call->flavor->extent);
    call->flavor->set(element, x);
}

static void give_blocks(const struct coll_call *call, char *to, int rank, int blocks)
{
    size_t extent = call->flavor->extent;
    for (int b = 0; b < blocks; b++)
        for (long i = 0; i < call->count; i++)
            give(call, rank, b, i, to + ((size_t)b * (size_t)call->count + (size_t)i) * extent);
}

static char *buffer(const struct coll_call *call, int blocks)
{
    size_t bytes = (size_t)blocks * (size_t)call->count * call->flavor->extent;
    char *memory = need(bytes + GUARD);
    memset(memory, GUARD_BYTE, bytes + GUARD);
    return memory;
}

static void check_guard(const struct coll_call *call, const char *memory, int blocks)
{
    if (!memory)
        return;
    size_t bytes = (size_t)blocks * (size_t)call->count * call->flavor->extent;
    for (int i = 0; i < GUARD; i++)
        if ((unsigned char)memory[bytes + (size_t)i] != GUARD_BYTE) {
            CHECK(false, "%s of %ld: written beyond the buffer", names[call->what], call->count);
            return;
        }
}

static bool at_root(const struct coll_call *call)
{
    return rank_in(call->comm) == call->root;
}

/* Blocks in the send and the receive buffer; 0: the buffer is not significant here. */
static void shape(const struct coll_call *call, int *in, int *out)
{
    int n = size_of(call->comm);
    bool root = at_root(call);
    *in = *out = 1;
    switch (call->what) {
    case COLL_BARRIER:
        *in = *out = 0;
        break;
    case COLL_BCAST:
        *in = 0;
        break;
    case COLL_SCATTER:
        *in = root ? n : 0;
        break;
    case COLL_GATHER:
        *out = root ? n : 0;
        break;
    case COLL_ALLGATHER:
        *out = n;
        break;
    case COLL_ALLTOALL:
        *in = *out = n;
        break;
    case COLL_REDUCE:
        *out = root;
        break;
    case COLL_ALLREDUCE:
        break;
    default:
        *in = n;
        *out = call->in_place ? n : 1;
    }
}

/* Whether this rank passes MPI_IN_PLACE. */
static bool in_place_here(const struct coll_call *call)
{
    bool rooted = call->what == COLL_SCATTER || call->what == COLL_GATHER || call->what == COLL_REDUCE;
    return call->in_place && call->what != COLL_BCAST && call->what != COLL_BARRIER &&
           (!rooted || at_root(call));
}

static void make_buffers(struct coll_call *call)
{
    int in, out, me = rank_in(call->comm);
    shape(call, &in, &out);
    bool here = in_place_here(call);
    size_t block = (size_t)call->count * call->flavor->extent;
    call->in = in ? buffer(call, in) : NULL;
    call->out = out ? buffer(call, out) : NULL;
    if (in)
        give_blocks(call, call->in, me, in);
    if (call->what == COLL_BCAST && at_root(call))
        give_blocks(call, call->out, me, 1);
    if (!here || call->what == COLL_SCATTER)
        return;
    bool gathers = call->what == COLL_GATHER || call->what == COLL_ALLGATHER;
    if (block)
        memcpy(call->out + (gathers ? (size_t)me * block : 0), call->in, (size_t)in * block);
}

static void begin(struct coll_call *call, MPI_Datatype type, MPI_Op op)
{
    const void *in = call->in;
    void *out = call->out;
    int count = (int)call->count, root = call->root;
    MPI_Comm comm = call->comm;
    MPI_Request *request = &call->request;
    if (in_place_here(call)) {
        if (call->what == COLL_SCATTER)
            out = MPI_IN_PLACE;
        else
            in = MPI_IN_PLACE;
    }
#define EITHER(name, ...)                                                                                    \
    if (call->nonblocking)                                                                                   \
        OK(MPI_I##name(__VA_ARGS__, request));                                                               \
    else                                                                                                     \
        OK(PLAIN(name)(__VA_ARGS__));                                                                        \
    break
#define PLAIN(name)                plain_##name
#define plain_barrier              MPI_Barrier
#define plain_bcast                MPI_Bcast
#define plain_scatter              MPI_Scatter
#define plain_gather               MPI_Gather
#define plain_allgather            MPI_Allgather
#define plain_alltoall             MPI_Alltoall
#define plain_reduce               MPI_Reduce
#define plain_allreduce            MPI_Allreduce
#define plain_reduce_scatter_block MPI_Reduce_scatter_block
    switch (call->what) {
    case COLL_BARRIER:
        EITHER(barrier, comm);
    case COLL_BCAST:
        EITHER(bcast, out, count, type, root, comm);
    case COLL_SCATTER:
        EITHER(scatter, in, count, type, out, count, type, root, comm);
    case COLL_GATHER:
        EITHER(gather, in, count, type, out, count, type, root, comm);
    case COLL_ALLGATHER:
        EITHER(allgather, in, count, type, out, count, type, comm);
    case COLL_ALLTOALL:
        EITHER(alltoall, in, count, type, out, count, type, comm);
    case COLL_REDUCE:
        EITHER(reduce, in, out, count, type, op, root, comm);
    case COLL_ALLREDUCE:
        EITHER(allreduce, in, out, count, type, op, comm);
    default:
        EITHER(reduce_scatter_block, in, out, count, type, op, comm);
    }
}

/* Type and operator are freed as soon as the call has begun. */
void coll_start(struct coll_call *call)
{
    MPI_Datatype type = call->flavor->type;
    MPI_Op op = call->flavor->op;
    call->request = MPI_REQUEST_NULL;
    make_buffers(call);
    if (call->flavor->contiguous) {
        OK(MPI_Type_contiguous(call->flavor->contiguous, call->flavor->type, &type));
        OK(MPI_Type_commit(&type));
    }
    if (call->flavor->function)
        OK(MPI_Op_create(call->flavor->function, call->flavor->commutes, &op));
    begin(call, type, op);
    if (call->flavor->contiguous)
        OK(MPI_Type_free(&type));
    if (call->flavor->function)
        OK(MPI_Op_free(&op));
}

/* What shall stand at element i of block b of the result. */
static void expected(const struct coll_call *call, int block, long i, void *element)
{
    char right[32];
    int n = size_of(call->comm), me = rank_in(call->comm);
    switch (call->what) {
    case COLL_BCAST:
        give(call, call->root, 0, i, element);
        break;
    case COLL_SCATTER:
        give(call, call->root, me, i, element);
        break;
    case COLL_GATHER:
    case COLL_ALLGATHER:
        give(call, block, 0, i, element);
        break;
    case COLL_ALLTOALL:
        give(call, block, me, i, element);
        break;
    default: {
        int of = call->what == COLL_REDUCE_SCATTER ? me : 0;
        give(call, 0, of, i, element);
        for (int r = 1; r < n; r++) {
            give(call, r, of, i, right);
            call->flavor->fold(element, right);
        }
    }
    }
}

static void check_result(const struct coll_call *call)
{
    int in, out;
    char want[32];
    size_t extent = call->flavor->extent;
    shape(call, &in, &out);
    check_guard(call, call->in, in);
    check_guard(call, call->out, out);
    const char *result = call->out;
    if (call->what == COLL_SCATTER && in_place_here(call))
        result = call->in + (size_t)call->root * (size_t)call->count * extent;
    if (call->what == COLL_REDUCE_SCATTER)
        out = 1;
    for (int b = 0; b < out; b++)
        for (long i = 0; i < call->count; i++) {
            expected(call, b, i, want);
            const char *found = result + ((size_t)b * (size_t)call->count + (size_t)i) * extent;
            if (!call->flavor->same(found, want)) {
                CHECK(false, "%s%s of %ld (%s), root %d%s: element %ld of block %d is wrong",
                      call->nonblocking ? "i" : "", names[call->what], call->count, call->flavor->name,
                      call->root, call->in_place ? ", in place" : "", i, b);
                return;
            }
        }
}

void coll_end(struct coll_call *call)
{
    OK(MPI_Wait(&call->request, MPI_STATUS_IGNORE));
    check_result(call);
    free(call->in);
    free(call->out);
}

void coll_check(struct coll_call call)
{
    coll_start(&call);
    coll_end(&call);
}
